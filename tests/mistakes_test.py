"""Every mistake that a user can make: one line on stderr that says what would be right, code 2, and
no file harmed.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import main
from mer_jax import cli
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import lock
from mer_jax.runfiles.folds import FoldRow, FoldTable
from mer_jax.runfiles.plan import Plan

ROOT = Path(__file__).parents[1]
STSTNET = f'--config={ROOT}/configs/synthetic_ststnet.py'
QUICK = f'{STSTNET}:quick'


def mistake(capsys, *arguments):
    """The one line that the command line `arguments` is answered with; progress before it does not
    count.
    """
    assert main.main([str(a) for a in arguments]) == 2
    lines = [
        line for line in capsys.readouterr().err.replace('\r', '\n').split('\n') if line.strip()
    ]
    told = [line for line in lines if not line.startswith(('training ', 'compil'))]
    assert len(told) == 1 and told[0].startswith('error: '), told
    return told[0]


COMMAND_LINES = [
    (
        'trian',
        "'trian' is not a verb; did you mean train? known: train, evaluate, explain, report, "
        'build, audit, grid, compare, diff',
    ),
    ('train evaluate', 'train takes no arguments'),
    ('diff runs/one', 'diff takes RUN RUN'),
    ('diff no/such no/folder', 'no/such: holds no run'),
    ('diff a b --workdir=c', '--workdir=c: diff writes no folder'),
    (
        'compare --runs=a --config.train.epochs=3',
        '--config.train.epochs=3: compare reads no config',
    ),
    ('--wokdir=x', "Unknown command line flag 'wokdir'. Did you mean: workdir"),
    ('--workdir', 'Missing value for flag --workdir'),
    ('--flagfile=nowhere', 'nowhere'),
    ('--config=', "--config='': no such config"),
    ('--config', "--config='': no such config"),
    ('--config=configs/synthetic_stsnet.py', 'did you mean synthetic_ststnet'),
    ('--config=configs', '--config=configs: no such config'),
    (f'{QUICK} {STSTNET}', '--config is given 2 times'),
    (f'{STSTNET}:quik', "no variant 'quik'; known: quick"),
    (f'{QUICK}:quick', "no variant 'quick:quick'"),
    ('--config.train.epochs', 'Missing value'),
    ('compare', '--runs belongs to the verb compare, and compare needs it'),
    ('compare --runs=no/such/folder', "'no/such/folder' is no folder"),
    ('--runs=x', '--runs belongs to the verb compare'),
    (f'grid {QUICK}', '--grid belongs to the verb grid, and grid needs it'),
    (
        f'grid {QUICK} --grid=train.epochs=1',
        'protocol.validation is 0, so there is nothing to choose by',
    ),
]
VALUES = [
    ('nam=x', '--config.nam: no such setting, did you mean --config.name?'),
    ('epochs=3', 'did you mean --config.train.epochs?'),
    (
        'traning.epochs=3',
        '--config.traning.epochs: no such setting, did you mean --config.train.epochs?',
    ),
    ('train.epoch=3', 'did you mean --config.train.epochs?'),
    ('train.epochs.x=3', '--config.train.epochs.x: no such setting'),
    ('train=3', '--config.train: no such setting'),
    ('=3', '--config.: no such setting'),
    ('model.ststnet.dropuot=0', 'did you mean --config.model.ststnet.dropout?'),
    ('train.epochs=', "--config.train.epochs is ''; allowed: a whole number, as 2"),
    ('train.epochs=ten', "is 'ten'; allowed: a whole number"),
    ('train.epochs=1e3', 'allowed: a whole number'),
    ('train.learning_rate=fast', 'allowed: a number, as 0.001'),
    ('data.rebuild=maybe', 'allowed: True or False'),
    ('train.epochs=-1', 'train.epochs is -1; allowed: 0 to 10000000'),
    ('train.epochs=99999999999999999999999', 'allowed: 0 to 10000000'),
    ('train.seeds=0', 'train.seeds is 0; allowed: 1 to 1000'),
    ('train.batch_size=0', 'train.batch_size is 0; allowed: 1 to'),
    ('train.at_once=-1', 'train.at_once is -1; allowed: 0 to'),
    ('train.devices=-1', 'train.devices is -1; allowed: 0 to'),
    ('train.runs_in_memory=-1', 'train.runs_in_memory is -1; allowed: 0 to'),
    ('train.learning_rate=nan', 'train.learning_rate is nan; allowed: 1e-12 to'),
    ('train.learning_rate=inf', 'train.learning_rate is inf'),
    ('train.learning_rate=0', 'train.learning_rate is 0.0'),
    ('train.weight_decay=-1', 'train.weight_decay is -1.0; allowed: 0 to'),
    ('train.momentum=nan', 'train.momentum is nan; allowed: 0 to 1'),
    ('train.optimizer=Adam', "train.optimizer is 'Adam'; allowed: adam, adamw, sgd"),
    ('train.schedule=cosin', 'allowed: constant, cosine'),
    ('train.lowering=', 'allowed: auto, matmul, native'),
    ('train.checkpoint_seconds=-1', 'train.checkpoint_seconds is -1.0; allowed: 0 or more'),
    ('data.size=0', 'data.size is 0; allowed: 1 to 1024'),
    (
        'data.channels=',
        "data.channels is ''; allowed: u, v, strain or magnified, on_a, off_a or gray or onset, "
        'apex, offset',
    ),
    (
        'data.channels=onset,u3',
        'or onset, apex, offset, u, v, strain, u2, v2, strain2, each once, comma between',
    ),
    ('data.channels=u,u', "data.channels is 'u,u'"),
    ('data.channels=u,', "data.channels is 'u,'"),
    ('data.channels=uv', "data.channels is 'uv'"),
    (
        'data.channels=u,on_a',
        "data.channels is 'u,on_a'; allowed: u, v, strain or magnified, on_a, off_a or gray or "
        'onset, apex',
    ),
    ('data.channels=onset,gray', "data.channels is 'onset,gray'"),
    ('data.channels=on_a,on_a', "data.channels is 'on_a,on_a'"),
    (
        'data.channels=gray --config.augment.erase=0.5',
        'augment.erase is 0.5, which is not made for data.channels gray',
    ),
    (
        'data.channels=u,v --config.data.value_range=imagenet',
        "data.value_range is 'imagenet', for three channels; data.chann",
    ),
    ('data.lateral_units=left', 'allowed: True or False'),
    ('data.jpeg_roundtrip=95', 'allowed: True or False'),
    ('data.name=', 'data.name is empty'),
    ('data.labels=three', "data.labels is 'three'; allowed: five, four, irawan3, megc3, samer3"),
    ('data.input_scaler=p99', 'allowed: none, p995, standard'),
    (
        'data.input_scaler=p995',
        "data.clip_normalise is True and data.input_scaler 'p995'; allowed: data.clip_normalise "
        'False',
    ),
    (
        'data.clip_normalise=False',
        "data.clip_normalise is False and data.input_scaler 'none'; allowed: data.input_scaler",
    ),
    ('data.scale=p995', 'data.scale is now data.clip_normalise'),
    ('train.group=2', '--config.train.group: train.group is now train.runs_in_memory'),
    ('data.scaler_scope=everything', "data.scaler_scope is 'everything'; allowed: fold, all"),
    (
        'data.input_scaler=standard --config.data.clip_normalise=False',
        "data.value_range is '0..255', which data.input_scaler 'standard' has no use for; allowed: "
        "'0..1'",
    ),
    (
        'data.subtract_onset=True',
        'data.subtract_onset is True, which takes frames; allowed: False, or data.channels',
    ),
    ('data.random_subject_labels=subject', 'allowed: True or False'),
    (
        'balance.method=SMOTE',
        "balance.method is 'SMOTE'; allowed: augment, gan, generated, none, oversample, smote",
    ),
    ('balance.space=latent', "balance.space is 'latent'; allowed: pixels, features"),
    ('balance.scope=test', "balance.scope is 'test'; allowed: fold, all"),
    ('balance.neighbours=0', 'balance.neighbours is 0; allowed: 1 to'),
    (
        'balance.method=augment',
        "balance.method is 'augment', but no augmentation is on; allowed: with augment.flip or",
    ),
    (
        'balance.method=generated',
        "balance.file is '' and balance.method 'generated'; allowed: a .npz file",
    ),
    (
        'balance.file=x.npz',
        "balance.file is 'x.npz' and balance.method 'none'; allowed: a .npz file with 'generated'",
    ),
    (
        'balance.file=x.npz --config.balance.method=generated --config.balance.scope=all',
        "allowed with 'generated': 'fold'",
    ),
    (
        'balance.file={subject}.npz --config.balance.method=generated --config.protocol.name=kfold',
        "but protocol.name is 'kfold'",
    ),
    ('protocol.evaluate_on=train', "protocol.evaluate_on is 'train'; allowed: test, validation"),
    (
        'protocol.evaluate_on=validation',
        "protocol.evaluate_on is 'validation', but protocol.validation is 0; allowed: above 0",
    ),
    (
        'protocol.validation=0.6 --config.protocol.holdout=0.5 --config.protocol.name=holdout',
        'are 1.1 together; allowed: up to',
    ),
    ('protocol.validation=1', 'protocol.validation is 1.0; allowed: 0 to 0.9'),
    ('data.value_range=0..2', "data.value_range is '0..2'; allowed: "),
    ('protocol.name=LOSO', "protocol.name is 'LOSO'; allowed: all_rows, clip_kfold, holdout"),
    ('protocol.folds=1', 'protocol.folds is 1; allowed: 2 or more'),
    ('protocol.holdout=1', 'protocol.holdout is 1.0; allowed: 0.01 to 0.99'),
    ('protocol.seed=-1', 'protocol.seed is -1; allowed: 0 to'),
    ('model.name=ststnt', "model.name is 'ststnt'; allowed: "),
    ('model.ststnet.dropout=1', 'model.ststnet.dropout is 1.0; allowed: 0 to 0.99'),
    (
        'model.dual_branch.dropout_dense=1',
        'model.dual_branch.dropout_dense is 1.0; allowed: 0 to 0.99',
    ),
    (
        'model.dual_branch.dropout_contrast=-1',
        'model.dual_branch.dropout_contrast is -1.0; allowed: 0 to',
    ),
    ('model.dual_branch.width=1', 'model.dual_branch.width is 1; allowed: 2 to 1024'),
    (
        'model.dual_branch.width=20',
        'model.dual_branch.groups is 4; allowed: so many that twice of them divide width, 20',
    ),
    ('model.dual_branch.groups=0', 'model.dual_branch.groups is 0; allowed: 1 to'),
    ('model.single_branch.groups=3', 'model.single_branch.groups is 3; allowed: so many that'),
    (
        'model.dual_branch.unstrided_layers=3',
        'model.dual_branch.unstrided_layers is 3; allowed: 0 to 2',
    ),
    (
        'model.dual_branch.attention=on',
        "model.dual_branch.attention is 'on'; allowed: released, paper, sanet, off",
    ),
    ('model.single_branch.attention=', "model.single_branch.attention is ''; allowed: released"),
    (
        'model.dual_branch.head_fusion=mean',
        "model.dual_branch.head_fusion is 'mean'; allowed: logits, probs",
    ),
    (
        'model.dual_branch.dtype=float16',
        "model.dual_branch.dtype is 'float16'; allowed: float32, bfloat16",
    ),
    (
        'model.single_branch.head_fusion=probs',
        '--config.model.single_branch.head_fusion: no such setting',
    ),
    (
        'train.learner=contrast',
        "train.learner is 'contrast'; allowed: contrastive, supervised",
    ),
    (
        'train.learner=contrastive',
        "train.learner is 'contrastive', which needs heads of regions; allowed: model.name dual",
    ),
    (
        'train.class_weights=max_n',
        "train.class_weights is 'max_n'; allowed: none, max, total, balanced",
    ),
    ('train.sampler=random', "train.sampler is 'random'; allowed: shuffle, weighted"),
    ('train.label_smoothing=1', 'train.label_smoothing is 1.0; allowed: 0 to 0.99'),
    ('train.schedule=restart', 'allowed: constant, cosine, restarts'),
    ('alignment.weight=1.5', 'alignment.weight is 1.5; allowed: 0 to 1'),
    ('alignment.variant=released_code', 'allowed: clean, released, paper, equal'),
    ('alignment.temperature=0', 'alignment.temperature is 0.0; allowed: 0.001 to'),
    ('augment.flip=nan', 'augment.flip is nan; allowed: 0 to 1'),
    ('augment.erase=2', 'augment.erase is 2.0; allowed: 0 to 1'),
    (
        'augment.erase=0.5 --config.data.input_scaler=p995 --config.data.clip_normalise=False',
        'augment.erase is 0.5, which is not made for data.channels strain,v,u and '
        'data.clip_normalise False',
    ),
    ('augment.replace=-0.5', 'augment.replace is -0.5; allowed: 0 to 1'),
    ('augment.replace_region=eyes', "augment.replace_region is 'eyes'; allowed: mouth, either"),
    ('augment.replace_units=both', "augment.replace_units is 'both'; allowed: image, union"),
    ('explain.clips=0', 'explain.clips is 0; allowed: 1 to'),
    ('explain.au_cam=Fixed', "explain.au_cam is 'Fixed'; allowed: fixed, released"),
    ('explain.faces=perhaps', 'allowed: True or False'),
    ('model.alexnet.hidden=0', 'model.alexnet.hidden is 0; allowed: 1 to'),
    ('model.alexnet.hidden=99999999999', 'allowed: 1 to'),
    ('model.init_from=/', 'model.init_from is a folder'),
    ('evaluate.batch_size=0', 'evaluate.batch_size is 0; allowed: 1 to'),
    ('head.cost=1,x', "head.cost is ('1,x',); allowed: numbers, 1e-12 to 1e+12, comma between"),
    ('head.gamma=1,0', 'head.gamma is (1, 0); allowed: numbers, 1e-12 to 1e+12, comma between'),
    ('name=', 'name is empty'),
]
LINES = [(line.split(), told) for line, told in COMMAND_LINES]
LINES += [([QUICK, *f'--config.{text}'.split()], told) for text, told in VALUES]


@pytest.mark.parametrize(
    'arguments,told', LINES, ids=[' '.join(line).replace(str(ROOT), '') for line, _ in LINES]
)
def test_mistakes_on_the_command_line(arguments, told, capsys, tmp_path, monkeypatch):
    """A mistyped key that passes unnoticed trains the wrong experiment; pages of traceback hide
    what is wrong.
    """
    monkeypatch.chdir(tmp_path)
    assert told in mistake(capsys, *arguments)
    assert not list(tmp_path.iterdir())


CONFIG_FILES = [
    ('', 'is not a config file: it has no get_config'),
    ('x = (', "fails: SyntaxError: '(' was never closed"),
    ('import no_such_module_here', 'fails: ModuleNotFoundError'),
    ('def get_config(v=""): raise ValueError("one\\ntwo")', 'fails: ValueError: one two'),
    ('def get_config(v=""): return {"a": 1}', 'is not a config file'),
    (
        'def get_config(v=""): return base("x").unlock().train',
        'lacks alignment.temperature; begin with base()',
    ),
    (
        'def get_config(v=""): c = base("x").unlock(); c.epochs = 3; return c',
        'has an unknown epochs',
    ),
    ('def get_config(v=""): c = base("x"); c.train.epoch = 3', '"epoch" does not exist'),
    (
        'def get_config(v=""): c = base("x"); c.data.rows = "frames"',
        'data.rows is now data.task',
    ),
    (
        'def get_config(v=""): c = base("x").unlock(); c.gan.each = 3; return c',
        'has gan.each, which is now gan.images_per_class',
    ),
    (
        'def get_config(v=""): c = base("x"); c.train.epochs = "ten"',
        "Could not override field 'epochs'",
    ),
    ('\0', 'null bytes'),
]


@pytest.mark.parametrize('text,told', CONFIG_FILES, ids=range(len(CONFIG_FILES)))
def test_mistakes_in_a_config_file(text, told, capsys, tmp_path):
    """Whoever writes a config file sees which file fails and why, not the inside of the flag
    library.
    """
    path = tmp_path / 'mine.py'
    path.write_text(f'from mer_jax.presets import base\n{text}\n')
    line = mistake(capsys, f'--config={path}')
    assert told in line and str(path) in line


def test_all_broken_rules_are_told_at_once(capsys):
    """One error a try makes three tries of three mistakes."""
    line = mistake(
        capsys, QUICK, '--config.train.epochs=-1', '--config.train.seeds=0', '--config.model.name=x'
    )
    assert 'train.epochs' in line and 'train.seeds' in line and 'model.name' in line


def test_a_mistake_in_the_flags_is_told_before_jax_is_imported():
    """Seconds of imports before 'no such setting' are seconds of every user."""
    code = (
        f'import sys, main; code = main.main(["{QUICK}", "--config.train.epoch=3"]); '
        'sys.exit(code + ("jax" in sys.modules))'
    )
    assert (
        subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True).returncode == 2
    )


SETTINGS = [
    ('train.devices=99', 'train.devices is 99; allowed: 0 (all) to the'),
    ('data.size=15 --config.model.name=dual_branch', 'pixels or more; data.size gives 15x15'),
    (
        'data.size=33 --config.model.name=dual_branch',
        'halves the face; data.size is 33, allowed: even numbers',
    ),
    (
        'data.name=casme2/flow --config.data.channels=magnified,on_a,off_a',
        "'casme2/flow' holds no magnified,on_a,off_a, which data.channels asks for; name "
        "'casme2/samer', or other channels: u,v",
    ),
    (
        'data.name=smic/flow+samm/samer',
        "'samm/samer' holds no strain,v,u, which data.channels asks for; name 'samm/flow'",
    ),
    (
        'data.channels=magnified,on_a --config.data.clip_normalise=False '
        '--config.data.input_scaler=p995',
        "data.input_scaler is 'p995', but synthetic_faces/tiny stores bytes",
    ),
    ('data.size=1', 'needs images of 2x2 pixels or more; data.size gives 1x1'),
    ('model.name=offapexnet', 'takes 2 channels (u,v); data.channels gives 3'),
    ('model.name=alexnet', 'pixels or more; data.size gives 28x28'),
    ('protocol.name=lodo', 'it needs a further data set'),
    (
        'protocol.name=kfold --config.protocol.folds=9',
        'protocol.folds is 9, more than the 5 subjects',
    ),
    (
        'data.name=casme9',
        "unknown data set 'casme9' (did you mean 'casme2'?); known: casme2, casme_squared, "
        'precomputed_flow',
    ),
    ('data.name=synthetic_faces/tinny', "(did you mean 'tiny'?)"),
    ('data.name=synthetic_faces/tiny+synthetic_faces/tiny', 'stands twice in the data'),
    ('data.name=synthetic_faces/tiny++', "unknown data set ''"),
    ('data.name=precomputed_flow', 'pass --config.data.manual_dir=FOLDER'),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/none', 'none does not exist'),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/file', 'file is not a folder'),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/empty', 'does not hold the files'),
    ('data.data_dir={tmp}/file', 'cannot be built or read with --config.data.data_dir'),
    ('data.data_dir=gs://bucket', 'must be a folder of this machine'),
    ('model.init_from={tmp}/none.pth', 'none.pth: there is no such weights file'),
    ('model.init_from={tmp}/file', 'weights come as .safetensors, .pth or .pt'),
    (
        'model.init_from={tmp}/{{subject}}.safetensors',
        's02.safetensors: there is no such weights file',
    ),
    (
        'model.init_from={tmp}/{{subject}}.pth --config.protocol.name=kfold',
        "protocol.name is 'kfold'; allowed: 'loso'",
    ),
    ('model.init_from={tmp}/text.safetensors', 'text.safetensors cannot be read'),
    ('model.init_from={tmp}/short.safetensors', 'short.safetensors cannot be read'),
    ('model.init_from={tmp}/other.safetensors', 'does not fit model ststnet'),
    ('model.init_from={tmp}/five.safetensors', 'fc.weight has shape (5, 400), needed (3, 400)'),
]


@pytest.fixture(scope='module')
def things(tmp_path_factory):
    """A folder of things to point at by mistake."""
    from safetensors.numpy import save

    folder = tmp_path_factory.mktemp('things')
    (folder / 'empty').mkdir()
    (folder / 'file').write_text('x')
    (folder / 'text.safetensors').write_text('hello\nworld')
    ststnet = {'fc.weight': np.zeros((3, 400), np.float32), 'fc.bias': np.zeros(3, np.float32)}
    for i, width in enumerate((3, 5, 8), 1):
        ststnet |= {
            f'conv{i}.weight': np.zeros((width, 3, 3, 3), np.float32),
            f'conv{i}.bias': np.zeros(width, np.float32),
        }
        ststnet |= {
            f'bn{i}.{n}': np.ones(width, np.float32)
            for n in ('weight', 'bias', 'running_mean', 'running_var')
        }
    (folder / 's01.safetensors').write_bytes(save(ststnet))
    (folder / 'short.safetensors').write_bytes(save(ststnet)[:-100])
    (folder / 'other.safetensors').write_bytes(save({'layer.weight': np.zeros(3, np.float32)}))
    (folder / 'five.safetensors').write_bytes(
        save(ststnet | {'fc.weight': np.zeros((5, 400), np.float32)})
    )
    return folder


@pytest.mark.parametrize('text,told', SETTINGS, ids=[text for text, _ in SETTINGS])
def test_settings_that_do_not_fit_each_other_or_the_files(
    text, told, things, tiny_data, capsys, tmp_path
):
    """Told before anything is compiled, and nothing is left that would refuse the same command once
    it is mended.
    """
    arguments = f'--config.{text}'.format(tmp=things).split()
    folder = tmp_path / 'run'
    assert told in mistake(
        capsys, QUICK, f'--config.data.data_dir={tiny_data}', *arguments, f'--workdir={folder}'
    )
    assert not {'checkpoints', 'metrics.jsonl', 'results.json'} & {p.name for p in folder.glob('*')}


@pytest.fixture(scope='module')
def finished(tiny_data, tmp_path_factory):
    """The folder of a finished run, begun first with a setting that does not fit."""
    folder = tmp_path_factory.mktemp('finished') / 'run'
    arguments = [
        QUICK,
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={folder}',
        '--config.evaluate.every_epoch',
    ]
    assert main.main([*arguments, '--config.train.devices=99']) == 2
    assert main.main(arguments) == 0, (
        'a start that failed must not refuse the command once it is mended'
    )
    return folder


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def plan_of(**changes):
    return lambda f: (f / 'plan.json').write_text(
        json.dumps(json.loads((f / 'plan.json').read_text()) | changes)
    )


def change_a_value(folder):
    """Flip bits in the middle of the largest checkpoint file: the storage underneath does not
    notice.
    """
    path = max(
        (p for p in folder.glob('checkpoints/*/*/default/**/*') if p.is_file()),
        key=lambda p: p.stat().st_size,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def other_data(folder):
    note = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps(note | {'data': 'another'}))


def of_format(version):
    """Make the folder one of another format; of the first one where `version` is None."""

    def change(folder):
        content = json.loads((folder / 'config.json').read_text())
        del content['format']
        content |= {'format': version} if version else {}
        (folder / 'config.json').write_text(json.dumps(content))

    return change


def nothing(folder):
    pass


FOLDERS = [
    (
        'seeds',
        nothing,
        'train --config.train.seeds=2',
        'train.seeds was 1, is 2; give another --workdir',
    ),
    (
        'every_epoch',
        nothing,
        'train --noconfig.evaluate.every_epoch',
        'evaluate.every_epoch was True, is False',
    ),
    (
        'schedule',
        nothing,
        'train --config.train.schedule=cosine',
        "train.schedule was 'constant', is 'cosine'",
    ),
    (
        'fewer epochs',
        nothing,
        'train --config.train.epochs=1',
        'is trained to epoch 2 already; train.epochs is 1',
    ),
    (
        'evaluate early',
        nothing,
        'evaluate --config.train.epochs=5',
        'is trained to epoch 2 of 5; finish it first',
    ),
    ('evaluate other', nothing, 'evaluate --config.train.seeds=2', 'train.seeds was 1, is 2'),
    (
        'alignment',
        nothing,
        'train --config.alignment.variant=paper',
        "alignment.variant was 'clean', is 'paper'; give another",
    ),
    ('augment', nothing, 'evaluate --config.augment.flip=0.5', 'augment.flip was 0.0, is 0.5'),
    (
        'explain another network',
        nothing,
        'explain',
        "model.name is 'ststnet'; explain knows: dual_branch, single_branch",
    ),
    (
        'explain flow',
        nothing,
        'explain --config.model.name=dual_branch',
        "is 'strain,v,u'; explain needs magnified and on_a",
    ),
    (
        'explain other',
        nothing,
        'explain --config.model.name=dual_branch --config.data.channels=magnified,on_a,off_a',
        "data.channels was 'strain,v,u', is 'magnified,on_a,off_a'; model.name was 'ststnet', is "
        "'dual_branch'; give another",
    ),
    ('data', other_data, 'train', 'holds a run on other data'),
    ('config cut', write('config.json', '{"settings": '), 'train', 'config.json: is not JSON'),
    (
        'config other',
        write('config.json', '{"a": 1}'),
        'train',
        'config.json: is not that of a run',
    ),
    (
        'config gone',
        lambda f: (f / 'config.json').unlink(),
        'train',
        'so it is no run; name an empty --workdir',
    ),
    (
        'config gone report',
        lambda f: (f / 'config.json').unlink(),
        'report',
        'holds no run; train first',
    ),
    ('old report', of_format(None), 'report', 'is a run of format 1, of an older version'),
    ('old train', of_format(None), 'train', 'is a run of format 1, of an older version'),
    ('old evaluate', of_format(None), 'evaluate', 'train again into another --workdir'),
    ('newer train', of_format(3), 'train', 'is a run of format 3, of a newer version'),
    ('plan cut', write('plan.json', '{'), 'train', 'plan.json: is not JSON'),
    ('plan empty', write('plan.json', '{}'), 'train', 'plan.json holds no plan'),
    ('plan of a large machine', plan_of(devices=64), 'train', 'was begun on 64 devices'),
    ('plan of no machine', plan_of(devices=0), 'train', 'plan.json holds no plan'),
    ('plan in words', plan_of(devices='two'), 'train', 'plan.json holds no plan'),
    ('results gone', lambda f: (f / 'results.json').unlink(), 'report', 'holds no results.json'),
    ('results null', write('results.json', 'null'), 'report', 'results.json: is not JSON of a run'),
    ('results cut', write('results.json', '{"name": '), 'report', 'results.json: is not JSON'),
    (
        'results lacking',
        write('results.json', '{"name": 1}'),
        'report',
        "results.json: lacks 'scored'",
    ),
    (
        'predictions',
        lambda f: (f / 'predictions.csv').write_bytes(b'\xff\xfe\x00'),
        'report',
        'predictions.csv: is no table',
    ),
    (
        'metrics',
        write('metrics.jsonl', 'x\ny\n'),
        'report',
        'metrics.jsonl, line 1: is not a JSON record',
    ),
    (
        'checkpoints gone',
        lambda f: shutil.rmtree(f / 'checkpoints'),
        'evaluate',
        'is trained to epoch 0 of 2',
    ),
    ('held_out cut', write('held_out.npy', 'x'), 'train', 'held_out.npy cannot be read'),
    ('held_out gone', lambda f: (f / 'held_out.npy').unlink(), 'train', '2 epochs are trained'),
    (
        'checkpoint changed',
        change_a_value,
        'train',
        '2 cannot be restored (its values are not those that were written)',
    ),
]


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file() and p.name != files.LOCK}


@pytest.mark.parametrize('harm,command,told', [f[1:] for f in FOLDERS], ids=[f[0] for f in FOLDERS])
def test_mistakes_with_the_folder_of_a_run(
    harm, command, told, finished, tiny_data, capsys, tmp_path
):
    """A run that is refused must lie in its folder as it lay before: no file lost, none half
    written.
    """
    folder = tmp_path / 'run'
    shutil.copytree(finished, folder)
    harm(folder)
    before = contents(folder)
    verb, *more = command.split()
    base = [
        verb,
        QUICK,
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={folder}',
        '--config.evaluate.every_epoch',
    ]
    assert told in mistake(capsys, *base, *more)
    after = contents(folder)
    assert {p: content for p, content in after.items() if 'tensorboard' not in p.parts} == {
        p: content for p, content in before.items() if 'tensorboard' not in p.parts
    }


DUAL = f'--config={ROOT}/configs/synthetic_dualbranch.py:quick'


@pytest.mark.parametrize('trained', [False, True])
def test_an_unfinished_run_is_not_explained(trained, tiny_data, capsys, tmp_path):
    """Maps of a network in the middle of its training would be shown as those of the result."""
    folder, settings = (
        tmp_path / 'run',
        cli.parse([DUAL, f'--config.data.data_dir={tiny_data}']).config.to_dict(),
    )
    (folder / 'checkpoints' / 'group_0' / '1').mkdir(parents=True)
    RunConfig(settings, 'x').write(folder)
    if trained:
        Plan('matmul', 1, 1, '', 5).write(folder)
        folds = [FoldRow(i, f's{i}', 'synthetic_faces', 1, 8, 0, 2, ()) for i in range(5)]
        FoldTable((), tuple(folds)).write(folder)
    before = contents(folder)
    line = mistake(
        capsys, 'explain', DUAL, f'--config.data.data_dir={tiny_data}', f'--workdir={folder}'
    )
    assert (
        f'is trained to epoch {int(trained)} of 2; finish it first' in line
        and contents(folder) == before
    )


@pytest.mark.parametrize('verb', ['evaluate', 'report', 'explain'])
def test_a_folder_without_a_run_is_not_made_by_reading(verb, capsys, tmp_path):
    """A mistyped --workdir must not leave an empty folder behind."""
    assert 'holds no run; train first' in mistake(capsys, verb, DUAL, f'--workdir={tmp_path}/none')
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(finished, tiny_data, capsys):
    """Two processes in one folder would write over each other."""
    arguments = (
        QUICK,
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={finished}',
        '--config.evaluate.every_epoch',
    )
    with lock(finished):
        line = mistake(capsys, *arguments)
    assert 'is training in it; wait, or name another with --workdir' in line


def test_folders_of_something_else_are_left_alone(tiny_data, capsys, tmp_path):
    """A config.json and checkpoints/ of another program must survive a mistyped --workdir."""
    other = tmp_path / 'other'
    (other / 'checkpoints').mkdir(parents=True)
    (other / 'checkpoints' / 'weights.bin').write_text('precious')
    (other / 'config.json').write_text('{"architectures": []}')
    (tmp_path / 'file').write_text('x')
    before = contents(tmp_path)
    data = f'--config.data.data_dir={tiny_data}'
    assert 'is not that of a run' in mistake(capsys, QUICK, data, f'--workdir={other}')
    assert 'it is a file' in mistake(capsys, QUICK, data, f'--workdir={tmp_path}/file')
    assert 'no run' in mistake(capsys, QUICK, data, f'--workdir={ROOT}/configs')
    assert contents(tmp_path) == before


def test_interruptions_end_in_one_line(capsys, monkeypatch, tmp_path):
    """Ctrl-C, a full disk and a closed terminal are no programming errors: no traceback."""

    def stopping(error):
        def run(*_):
            raise error

        monkeypatch.setattr(cli, 'run', run)

    stopping(KeyboardInterrupt())
    assert main.main([QUICK]) == 130
    assert (
        capsys.readouterr().err == 'stopped; the same command continues from the last checkpoint\n'
    )
    stopping(OSError(28, 'No space left on device', 'runs/x/metrics.jsonl'))
    line = mistake(capsys, QUICK)
    assert 'No space left on device' in line and 'runs/x/metrics.jsonl' in line


def test_a_closed_pipe_ends_in_one_line(tiny_data):
    """`python main.py build | true` must not end in a traceback, nor in the interpreter's complaint
    at exit.
    """
    command = (
        f'"{sys.executable}" main.py build {QUICK} --config.data.data_dir={tiny_data} | '
        f'true; exit ${{PIPESTATUS[0]}}'
    )
    done = subprocess.run(['bash', '-c', command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith('error: standard output was closed'), (
        done.stderr
    )
    assert done.stderr.count('\n') == 1
