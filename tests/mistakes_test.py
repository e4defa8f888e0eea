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
from tests.support.messages import mentions

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
        "'trian' ... train, evaluate, explain, report, build, describe, audit, grid ... diff",
    ),
    ('train evaluate', 'train ... arguments'),
    ('diff runs/one', 'diff ... RUN RUN'),
    ('diff no/such no/folder', 'no/such'),
    ('score', 'score ... FILE.csv'),
    ('score no/such.csv', 'no/such.csv'),
    ('score a.csv --classes=one', "--classes is 'one'"),
    ('score a.csv --runs=b', '--runs ... compare'),
    ('audit --data=smic', '--data ... score ... --config.data.name=smic'),
    ('reproduce no_such', 'no_such ... --help'),
    ('compare no/such.zip', 'no/such.zip'),
    ('diff a b --workdir=c', '--workdir=c ... diff'),
    (
        'compare --runs=a --config.train.epochs=3',
        '--config.train.epochs=3 ... compare',
    ),
    ('--wokdir=x', "'wokdir' ... workdir"),
    ('--workdir', '--workdir'),
    ('--flagfile=nowhere', 'nowhere'),
    ('--config=', "--config=''"),
    ('--config', "--config=''"),
    ('--config=configs/synthetic_stsnet.py', 'synthetic_stsnet ... synthetic_ststnet'),
    ('--config=configs', '--config=configs'),
    (f'{QUICK} {STSTNET}', '--config ... 2'),
    (f'{STSTNET}:quik', "'quik' ... quick"),
    (f'{QUICK}:quick', "'quick:quick'"),
    ('--config.train.epochs', 'config.train.epochs'),
    ('compare', '--runs'),
    ('compare --runs=no/such/folder', "'no/such/folder'"),
    ('--runs=x', '--runs ... compare'),
    (f'grid {QUICK}', 'grid ... --grid='),
    (
        f'grid {QUICK} --grid=train.epochs=1',
        'protocol.validation ... 0',
    ),
]
VALUES = [
    ('nam=x', '--config.nam ... --config.name'),
    ('epochs=3', '--config.train.epochs'),
    (
        'traning.epochs=3',
        '--config.traning.epochs ... --config.train.epochs',
    ),
    ('train.epoch=3', '--config.train.epochs'),
    ('train.epochs.x=3', '--config.train.epochs.x'),
    ('train=3', '--config.train'),
    ('=3', '--config.'),
    ('model.ststnet.dropuot=0', '--config.model.ststnet.dropout'),
    ('train.epochs=', "--config.train.epochs ... '' ... a whole number, such as 2"),
    ('train.epochs=ten', "'ten' ... a whole number"),
    ('train.epochs=1e3', 'allowed: a whole number'),
    ('train.learning_rate=fast', 'allowed: a number, such as 0.001'),
    ('data.rebuild=maybe', 'allowed: True or False'),
    ('train.epochs=-1', 'train.epochs ... -1 ... 0 to 10000000'),
    ('train.epochs=99999999999999999999999', 'allowed: 0 to 10000000'),
    ('train.seeds=0', 'train.seeds ... 0 ... 1 to 1000'),
    ('train.batch_size=0', 'train.batch_size ... 0 ... 1 to'),
    ('train.at_once=-1', 'train.at_once ... -1 ... 0 to'),
    ('train.devices=-1', 'train.devices ... -1 ... 0 to'),
    ('train.runs_in_memory=-1', 'train.runs_in_memory ... -1 ... 0 to'),
    ('train.learning_rate=nan', 'train.learning_rate ... nan ... 1e-12 to'),
    ('train.learning_rate=inf', 'train.learning_rate ... inf'),
    ('train.learning_rate=0', 'train.learning_rate ... 0.0'),
    ('train.weight_decay=-1', 'train.weight_decay ... -1.0 ... 0 to'),
    ('train.momentum=nan', 'train.momentum ... nan ... 0 to 1'),
    ('train.optimizer=Adam', "train.optimizer ... 'Adam' ... adam, adamw, adam_l2, sgd"),
    ('train.schedule=cosin', 'allowed: constant, cosine'),
    ('train.lowering=', 'allowed: auto, matmul, native'),
    ('train.checkpoint_seconds=-1', 'train.checkpoint_seconds ... -1.0 ... 0 or more'),
    ('data.size=0', 'data.size ... 0 ... 1 to 1024'),
    (
        'data.channels=',
        "data.channels ... '' ... u, v, strain or magnified, on_a, off_a or gray or onset, apex",
    ),
    (
        'data.channels=onset,u3',
        'or onset, apex, offset, u, v, strain, u2, v2, strain2 ... each once',
    ),
    ('data.channels=u,u', "data.channels ... 'u,u'"),
    ('data.channels=u,', "data.channels ... 'u,'"),
    ('data.channels=uv', "data.channels ... 'uv'"),
    (
        'data.channels=u,on_a',
        "data.channels ... 'u,on_a' ... u, v, strain or magnified, on_a, off_a or gray or onset",
    ),
    ('data.channels=onset,gray', "data.channels ... 'onset,gray'"),
    ('data.channels=on_a,on_a', "data.channels ... 'on_a,on_a'"),
    (
        'data.channels=gray --config.augment.erase=0.5',
        'augment.erase ... 0.5 ... data.channels gray',
    ),
    (
        'data.channels=u,v --config.data.value_range=imagenet',
        "data.value_range ... 'imagenet' ... three channels ... data.channels",
    ),
    ('data.lateral_units=left', 'allowed: True or False'),
    ('data.name=', 'data.name ... empty'),
    (
        'data.labels=three',
        "data.labels ... 'three' ... five, four, irawan3, megc3, objective, objective7, samer3",
    ),
    ('data.input_scaler=p99', 'none, p995, standard, mean_max'),
    (
        'data.input_scaler=p995',
        "data.clip_normalise ... True ... data.input_scaler 'p995' ... data.clip_normalise False",
    ),
    (
        'data.clip_normalise=False',
        "data.clip_normalise ... False ... data.input_scaler 'none' ... data.input_scaler",
    ),
    ('data.scale=p995', 'data.scale ... data.clip_normalise'),
    ('train.group=2', '--config.train.group: train.group ... train.runs_in_memory'),
    ('data.scaler_scope=everything', "data.scaler_scope ... 'everything' ... fold, all"),
    (
        'data.input_scaler=standard --config.data.clip_normalise=False',
        "data.value_range ... '0..255' ... '0..1'",
    ),
    (
        'data.subtract_onset=True',
        'data.subtract_onset ... True ... frames ... False, or data.channels',
    ),
    ('data.random_subject_labels=subject', 'allowed: True or False'),
    (
        'balance.method=SMOTE',
        "balance.method ... 'SMOTE' ... augment, gan, generated, none, oversample, smote",
    ),
    ('balance.space=latent', "balance.space ... 'latent' ... pixels, features"),
    ('balance.scope=test', "balance.scope ... 'test' ... fold, all"),
    ('balance.neighbours=0', 'balance.neighbours ... 0 ... 1 to'),
    (
        'balance.method=augment',
        "balance.method ... 'augment' ... augment.flip or",
    ),
    (
        'balance.method=generated',
        "balance.file ... '' ... balance.method 'generated' ... a .npz file",
    ),
    (
        'balance.file=x.npz',
        "balance.file ... 'x.npz' ... balance.method 'none' ... a .npz file with 'generated'",
    ),
    (
        'balance.file=x.npz --config.balance.method=generated --config.balance.scope=all',
        "allowed with 'generated': 'fold'",
    ),
    (
        'balance.file={subject}.npz --config.balance.method=generated --config.protocol.name=kfold',
        "protocol.name ... 'kfold'",
    ),
    ('protocol.evaluate_on=train', "protocol.evaluate_on ... 'train' ... test, validation"),
    (
        'protocol.evaluate_on=validation',
        "protocol.evaluate_on ... 'validation' ... protocol.validation ... 0 ... above 0",
    ),
    (
        'protocol.validation=0.6 --config.protocol.holdout=0.5 --config.protocol.name=holdout',
        '1.1 ... up to',
    ),
    ('protocol.validation=1', 'protocol.validation ... 1.0 ... 0 to 0.9'),
    ('data.value_range=0..2', "data.value_range ... '0..2'"),
    ('protocol.name=LOSO', "protocol.name ... 'LOSO' ... all_rows, clip_kfold, frame_kfold"),
    ('protocol.folds=1', 'protocol.folds ... 1 ... 2 or more'),
    ('protocol.holdout=1', 'protocol.holdout ... 1.0 ... 0.01 to 0.99'),
    ('protocol.seed=-1', 'protocol.seed ... -1 ... 0 to'),
    ('protocol.repeat=20', "protocol.repeat ... 20 ... 'loso' ... kfold, clip_kfold, frame_kfold"),
    ('model.name=ststnt', "model.name ... 'ststnt'"),
    ('model.ststnet.dropout=1', 'model.ststnet.dropout ... 1.0 ... 0 to 0.99'),
    (
        'model.dual_branch.dropout_dense=1',
        'model.dual_branch.dropout_dense ... 1.0 ... 0 to 0.99',
    ),
    (
        'model.dual_branch.dropout_contrast=-1',
        'model.dual_branch.dropout_contrast ... -1.0 ... 0 to',
    ),
    ('model.dual_branch.width=1', 'model.dual_branch.width ... 1 ... 2 to 1024'),
    (
        'model.dual_branch.width=20',
        'model.dual_branch.groups ... 4 ... width, 20',
    ),
    ('model.dual_branch.groups=0', 'model.dual_branch.groups ... 0 ... 1 to'),
    ('model.single_branch.groups=3', 'model.single_branch.groups ... 3 ... width'),
    (
        'model.dual_branch.unstrided_layers=3',
        'model.dual_branch.unstrided_layers ... 3 ... 0 to 2',
    ),
    (
        'model.dual_branch.attention=on',
        "model.dual_branch.attention ... 'on' ... released, paper, sanet, off",
    ),
    ('model.single_branch.attention=', "model.single_branch.attention ... '' ... released"),
    (
        'model.dual_branch.head_fusion=mean',
        "model.dual_branch.head_fusion ... 'mean' ... logits, probs",
    ),
    (
        'model.dual_branch.dtype=float16',
        "model.dual_branch.dtype ... 'float16' ... float32, bfloat16",
    ),
    (
        'model.single_branch.head_fusion=probs',
        '--config.model.single_branch.head_fusion',
    ),
    (
        'train.learner=contrast',
        "train.learner ... 'contrast' ... contrastive, supervised",
    ),
    (
        'train.learner=contrastive',
        "train.learner ... 'contrastive' ... model.name dual",
    ),
    (
        'train.class_weights=max_n',
        "train.class_weights ... 'max_n' ... none, max, total, balanced",
    ),
    ('train.sampler=random', "train.sampler ... 'random' ... shuffle, weighted"),
    ('train.label_smoothing=1', 'train.label_smoothing ... 1.0 ... 0 to 0.99'),
    ('train.schedule=restart', 'allowed: constant, cosine, restarts'),
    ('alignment.weight=1.5', 'alignment.weight ... 1.5 ... 0 to 1'),
    ('alignment.variant=released_code', 'allowed: clean, released, paper, equal'),
    ('alignment.temperature=0', 'alignment.temperature ... 0.0 ... 0.001 to'),
    ('augment.flip=nan', 'augment.flip ... nan ... 0 to 1'),
    ('augment.erase=2', 'augment.erase ... 2.0 ... 0 to 1'),
    (
        'augment.erase=0.5 --config.data.input_scaler=p995 --config.data.clip_normalise=False',
        'augment.erase ... 0.5 ... data.channels strain,v,u ... data.clip_normalise False',
    ),
    ('augment.replace=-0.5', 'augment.replace ... -0.5 ... 0 to 1'),
    (
        'balance.method=gan --config.gan.resize=crop',
        "gan.resize ... 'crop' ... gan.size 16 ... data.size",
    ),
    ('gan.discriminator_output=sigmoid', 'gan.discriminator_output ... logit, softmax'),
    ('augment.replace_region=eyes', "augment.replace_region ... 'eyes' ... mouth, either"),
    ('augment.replace_units=both', "augment.replace_units ... 'both' ... image, union"),
    ('explain.clips=0', 'explain.clips ... 0 ... 1 to'),
    ('explain.au_cam=Fixed', "explain.au_cam ... 'Fixed' ... fixed, released"),
    ('explain.faces=perhaps', 'allowed: True or False'),
    ('model.alexnet.hidden=0', 'model.alexnet.hidden ... 0 ... 1 to'),
    ('model.alexnet.hidden=99999999999', 'allowed: 1 to'),
    ('model.init_from=/', 'model.init_from ... folder'),
    ('evaluate.batch_size=0', 'evaluate.batch_size ... 0 ... 1 to'),
    ('head.cost=1,x', "head.cost ... ('1,x',) ... numbers, 1e-12 to 1e+12, separated by commas"),
    ('head.gamma=1,0', 'head.gamma ... (1, 0) ... numbers, 1e-12 to 1e+12, separated by commas'),
    ('name=', 'name ... empty'),
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
    line = mistake(capsys, *arguments)
    assert mentions(line, told), line
    assert not list(tmp_path.iterdir())


CONFIG_FILES = [
    ('', 'get_config'),
    ('x = (', "SyntaxError ... '('"),
    ('import no_such_module_here', 'ModuleNotFoundError'),
    ('def get_config(v=""): raise ValueError("one\\ntwo")', 'ValueError ... one two'),
    ('def get_config(v=""): return {"a": 1}', 'config file'),
    (
        'def get_config(v=""): return base("x").unlock().train',
        'alignment.temperature ... base()',
    ),
    (
        'def get_config(v=""): c = base("x").unlock(); c.epochs = 3; return c',
        'epochs',
    ),
    ('def get_config(v=""): c = base("x"); c.train.epoch = 3', 'epoch'),
    (
        'def get_config(v=""): c = base("x"); c.data.rows = "frames"',
        'data.rows ... data.task',
    ),
    (
        'def get_config(v=""): c = base("x").unlock(); c.gan.each = 3; return c',
        'gan.each ... gan.images_per_class',
    ),
    (
        'def get_config(v=""): c = base("x"); c.train.epochs = "ten"',
        "'epochs'",
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
    assert mentions(line, told) and str(path) in line, line


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
    ('train.devices=99', 'train.devices ... 99 ... 0 (all) to the'),
    ('data.size=15 --config.model.name=dual_branch', 'data.size ... 15x15'),
    (
        'data.size=33 --config.model.name=dual_branch',
        'data.size ... 33 ... even numbers',
    ),
    (
        'data.name=casme2/flow --config.data.channels=magnified,on_a,off_a',
        "'casme2/flow' ... magnified,on_a,off_a ... 'casme2/samer' ... u,v",
    ),
    (
        'data.name=smic/flow+samm/samer',
        "'samm/samer' ... strain,v,u ... 'samm/flow'",
    ),
    (
        'data.channels=magnified,on_a --config.data.clip_normalise=False '
        '--config.data.input_scaler=p995',
        "data.input_scaler ... 'p995' ... synthetic_faces/tiny",
    ),
    ('data.size=1', '2x2 ... data.size ... 1x1'),
    ('model.name=offapexnet', '2 ... u,v ... data.channels ... 3'),
    ('model.name=alexnet', 'data.size ... 28x28'),
    ('protocol.name=lodo', 'a further data set'),
    (
        'protocol.name=kfold --config.protocol.folds=9',
        'protocol.folds ... 9 ... 5 subjects',
    ),
    (
        'data.name=casme9',
        "'casme9' ... 'casme' ... casme2, casme_cubed, casme_squared, fourdme",
    ),
    ('data.name=synthetic_faces/tinny', "(did you mean 'tiny'?)"),
    ('data.name=synthetic_faces/tiny+synthetic_faces/tiny', 'clip s01_disgust_00 ... twice'),
    ('data.name=synthetic_faces/tiny++', "''"),
    ('data.name=precomputed_flow', '--config.data.manual_dir='),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/none', '/none ... exist'),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/file', '/file ... folder'),
    ('data.name=precomputed_flow --config.data.manual_dir={tmp}/empty', '/empty'),
    ('data.data_dir={tmp}/file', '--config.data.data_dir'),
    ('data.data_dir=gs://bucket', 'gs://bucket'),
    ('model.init_from={tmp}/none.pth', 'none.pth'),
    ('model.init_from={tmp}/file', '.safetensors, .pth or .pt'),
    (
        'model.init_from={tmp}/{{subject}}.safetensors',
        's02.safetensors',
    ),
    (
        'model.init_from={tmp}/model_best_{{number}}.pt',
        '/model_best_1.pt: there is no such weights file',
    ),
    (
        'model.init_from={tmp}/{{number}}.pt --config.protocol.name=kfold',
        "model.init_from holds '{number}', one file per left-out subject",
    ),
    (
        'model.init_from={tmp}/{{subject}}.pth --config.protocol.name=kfold',
        "protocol.name ... 'kfold' ... 'loso'",
    ),
    ('model.init_from={tmp}/text.safetensors', 'text.safetensors'),
    ('model.init_from={tmp}/short.safetensors', 'short.safetensors'),
    ('model.init_from={tmp}/other.safetensors', 'other.safetensors ... ststnet'),
    ('model.init_from={tmp}/five.safetensors', 'fc.weight ... (5, 400) ... (3, 400)'),
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
    data = f'--config.data.data_dir={tiny_data}'
    line = mistake(capsys, QUICK, data, *arguments, f'--workdir={folder}')
    assert mentions(line, told), line
    assert not {'checkpoints', 'metrics.jsonl', 'results.json'} & {p.name for p in folder.glob('*')}


@pytest.fixture(scope='module')
def finished(tiny_data, tmp_path_factory, undrawn):
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
        'train.seeds ... 1 ... 2 ... --workdir',
    ),
    (
        'every_epoch',
        nothing,
        'train --noconfig.evaluate.every_epoch',
        'evaluate.every_epoch ... True ... False',
    ),
    (
        'schedule',
        nothing,
        'train --config.train.schedule=cosine',
        "train.schedule ... 'constant' ... 'cosine'",
    ),
    (
        'fewer epochs',
        nothing,
        'train --config.train.epochs=1',
        'epoch 2 ... train.epochs ... 1',
    ),
    (
        'evaluate early',
        nothing,
        'evaluate --config.train.epochs=5',
        'epoch 2 of 5',
    ),
    ('evaluate other', nothing, 'evaluate --config.train.seeds=2', 'train.seeds ... 1 ... 2'),
    (
        'alignment',
        nothing,
        'train --config.alignment.variant=paper',
        "alignment.variant ... 'clean' ... 'paper'",
    ),
    ('augment', nothing, 'evaluate --config.augment.flip=0.5', 'augment.flip ... 0.0 ... 0.5'),
    (
        'explain another network',
        nothing,
        'explain',
        "model.name ... 'ststnet' ... dual_branch, single_branch",
    ),
    (
        'explain flow',
        nothing,
        'explain --config.model.name=dual_branch',
        "'strain,v,u' ... magnified ... on_a",
    ),
    (
        'explain other',
        nothing,
        'explain --config.model.name=dual_branch --config.data.channels=magnified,on_a,off_a',
        "data.channels ... 'magnified,on_a,off_a' ... model.name ... 'ststnet' ... 'dual_branch'",
    ),
    ('data', other_data, 'train', 'other data'),
    ('config cut', write('config.json', '{"settings": '), 'train', 'config.json ... JSON'),
    (
        'config other',
        write('config.json', '{"a": 1}'),
        'train',
        'config.json',
    ),
    (
        'config gone',
        lambda f: (f / 'config.json').unlink(),
        'train',
        '--workdir',
    ),
    (
        'config gone report',
        lambda f: (f / 'config.json').unlink(),
        'report',
        'no run ... train',
    ),
    ('old report', of_format(None), 'report', 'older ... format 1'),
    ('old train', of_format(None), 'train', 'older ... format 1'),
    ('old evaluate', of_format(None), 'evaluate', '--workdir'),
    ('newer train', of_format(3), 'train', 'newer ... format 3'),
    ('plan cut', write('plan.json', '{'), 'train', 'plan.json ... JSON'),
    ('plan empty', write('plan.json', '{}'), 'train', 'plan.json'),
    ('plan of no machine', plan_of(devices=0), 'train', 'plan.json'),
    ('plan in words', plan_of(devices='two'), 'train', 'plan.json'),
    ('results gone', lambda f: (f / 'results.json').unlink(), 'report', 'results.json'),
    ('results null', write('results.json', 'null'), 'report', 'results.json'),
    ('results cut', write('results.json', '{"name": '), 'report', 'results.json ... JSON'),
    (
        'results lacking',
        write('results.json', '{"name": 1}'),
        'report',
        "results.json ... 'scored'",
    ),
    (
        'predictions',
        lambda f: (f / 'predictions.csv').write_bytes(b'\xff\xfe\x00'),
        'report',
        'predictions.csv',
    ),
    (
        'metrics',
        write('metrics.jsonl', 'x\ny\n'),
        'report',
        'metrics.jsonl ... line 1 ... JSON',
    ),
    (
        'checkpoints gone',
        lambda f: shutil.rmtree(f / 'checkpoints'),
        'evaluate',
        'epoch 0 of 2',
    ),
    ('held_out cut', write('held_out.npy', 'x'), 'train', 'held_out.npy'),
    ('held_out gone', lambda f: (f / 'held_out.npy').unlink(), 'train', '2 epochs'),
    (
        'checkpoint changed',
        change_a_value,
        'train',
        '2 ... values',
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
    line = mistake(capsys, *base, *more)
    assert mentions(line, told), line
    after = contents(folder)
    assert after == {p: content for p, content in before.items()}


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
    assert f'epoch {int(trained)} of 2' in line and contents(folder) == before


@pytest.mark.parametrize('verb', ['evaluate', 'report', 'explain'])
def test_a_folder_without_a_run_is_not_made_by_reading(verb, capsys, tmp_path):
    """A mistyped --workdir must not leave an empty folder behind."""
    assert 'train' in mistake(capsys, verb, DUAL, f'--workdir={tmp_path}/none')
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
    assert str(finished) in line and '--workdir' in line


def test_folders_of_something_else_are_left_alone(tiny_data, capsys, tmp_path):
    """A config.json and checkpoints/ of another program must survive a mistyped --workdir."""
    other = tmp_path / 'other'
    (other / 'checkpoints').mkdir(parents=True)
    (other / 'checkpoints' / 'weights.bin').write_text('precious')
    (other / 'config.json').write_text('{"architectures": []}')
    (tmp_path / 'file').write_text('x')
    before = contents(tmp_path)
    data = f'--config.data.data_dir={tiny_data}'
    assert 'config.json' in mistake(capsys, QUICK, data, f'--workdir={other}')
    assert f'{tmp_path}/file' in mistake(capsys, QUICK, data, f'--workdir={tmp_path}/file')
    assert f'{ROOT}/configs' in mistake(capsys, QUICK, data, f'--workdir={ROOT}/configs')
    assert contents(tmp_path) == before


def test_interruptions_end_in_one_line(capsys, monkeypatch, tmp_path):
    """Ctrl-C, a full disk and a closed terminal are no programming errors: no traceback."""

    def stopping(error):
        def run(*_):
            raise error

        monkeypatch.setattr(cli, 'run', run)

    stopping(KeyboardInterrupt())
    assert main.main([QUICK]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert 'continues' in line
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
    lines = done.stderr.splitlines()
    if lines[0].startswith('loading'):  # a busy machine
        del lines[0]
    assert done.returncode == 2 and lines[0].startswith('error: '), done.stderr
    assert len(lines) == 1
