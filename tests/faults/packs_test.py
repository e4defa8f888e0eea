"""Packs that are foreign, cut short, newer or wrong inside; and runs that cannot be packed."""

import json
import shutil
import struct
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from mer_jax import cli
from mer_jax.errors import UserError
from mer_jax.prediction import pack, trained
from mer_jax.runfiles import pack_file
from mer_jax.runfiles.config import RunConfig
from mer_jax.settings import tree
from tests.support.messages import mentions

pytestmark = pytest.mark.usefixtures('undrawn')


@pytest.fixture(scope='module')
def folder(tmp_path_factory, tiny_data):
    """A finished run of linear SVMs, packed."""
    root = tmp_path_factory.mktemp('run')
    flags = (
        '--config=synthetic_handcrafted:quick',
        '--config.data.name=synthetic_faces/tiny',
        f'--config.data.data_dir={tiny_data}',
        '--config.head.kernel=linear',
        f'--workdir={root}',
    )
    assert cli.main([*flags]) == 0
    assert cli.main(['pack', f'--workdir={root}']) == 0
    return root


def metadata(path, **changes):
    """The JSON of a pack with other values."""
    return json.dumps(pack_file.read_header(path).to_json() | changes)


def with_json(text):
    """How to spoil a pack: another text as its JSON."""

    def spoil(path, copy):
        save_file({'a': np.zeros(3, np.float32)}, copy, {pack_file.KEY: text(path)})

    return spoil


def with_bytes(change):
    """How to spoil a pack: other bytes."""

    def spoil(path, copy):
        copy.write_bytes(change(path.read_bytes()))

    return spoil


def with_tensors(change):
    """How to spoil a pack: other tensors."""

    def spoil(path, copy):
        header = pack_file.read_header(path)
        tensors = pack_file.read_tensors(path, range(len(header.members)))
        pack_file.write(copy, header, change(tensors))

    return spoil


def without_svm(tensors):
    return {name: tensor for name, tensor in tensors.items() if not name.startswith('svm/0/0')}


def changed_tensor(name, change):
    return lambda tensors: tensors | {name: change(tensors[name])}


def holding_nan(tensor):
    tensor = tensor.copy()
    tensor.flat[0] = np.nan
    return tensor


def settings_with(key, value):
    """The JSON of a pack with another setting."""

    def text(path):
        settings = tree.flat(pack_file.read_header(path).settings) | {key: value}
        return metadata(path, settings=tree.nested(settings))

    return text


def facts_with(**changes):
    """The JSON of a pack with other facts."""
    return lambda path: metadata(path, facts=pack_file.read_header(path).facts | changes)


def without_leaks(path):
    facts = dict(pack_file.read_header(path).facts)
    del facts['leaks']
    return metadata(path, facts=facts)


def input_with(**changes):
    """The JSON of a pack with another image."""
    return lambda path: metadata(path, input=pack_file.read_header(path).input | changes)


WEIGHT = 'svm/0/0/weight'
REFUSED = {
    'foreign': (
        lambda path, copy: save_file({'conv1.weight': np.zeros((3, 3), np.float32)}, copy),
        'no pack of this program',
    ),
    'no safetensors': (with_bytes(lambda content: b'P6 picture' * 50), 'cannot be read as a pack'),
    'a pickle': (with_bytes(lambda content: b'\x80\x04K*.'), 'cannot be read as a pack'),
    'empty': (with_bytes(lambda content: b''), 'cannot be read as a pack'),
    'cut short': (with_bytes(lambda content: content[:-100]), 'cannot be read as a pack'),
    'header cut short': (with_bytes(lambda content: content[:40]), 'cut short'),
    'header of gigabytes': (
        with_bytes(lambda content: struct.pack('<Q', 10**15) + content[8:]),
        'cut short',
    ),
    'newer': (with_json(lambda path: metadata(path, format=2)), 'newer ... format 2 ... 1'),
    'format of text': (with_json(lambda path: metadata(path, format='one')), "format is 'one'"),
    'no json': (with_json(lambda path: '{"format": 1,'), 'header is damaged'),
    'deep json': (with_json(lambda path: '[' * 10**6), 'header is damaged'),
    'a list': (with_json(lambda path: '[1]'), 'header is damaged'),
    'key is missing': (with_json(lambda path: '{"format": 1}'), "lacks 'title'"),
    'unknown key': (with_json(lambda path: metadata(path, extra=1)), "unknown key 'extra'"),
    'no members': (with_json(lambda path: metadata(path, members=[])), 'members is empty'),
    'unknown head': (with_json(lambda path: metadata(path, head='tree')), "head is 'tree'"),
    'leaks are missing': (with_json(without_leaks), "lacks 'facts.leaks'"),
    'leaks in one text': (with_json(facts_with(leaks='none')), "facts.leaks is 'none'"),
    'metrics in a list': (with_json(facts_with(metrics=[])), 'facts.metrics is []'),
    'a metric above 1': (with_json(facts_with(metrics={'uf1': 2})), 'facts.metrics.uf1 is 2'),
    'an interval of three': (
        with_json(facts_with(intervals={'uf1': [0, 0, 1]})),
        'facts.intervals.uf1',
    ),
    'a fingerprint of numbers': (
        with_json(facts_with(data={'fingerprint': 7})),
        'facts.data.fingerprint is 7',
    ),
    'data in a text': (with_json(facts_with(data='casme2')), "facts.data is 'casme2'"),
    'one data set': (with_json(facts_with(datasets='casme2')), "facts.datasets is 'casme2'"),
    'clips in words': (with_json(facts_with(clips='many')), "facts.clips is 'many'"),
    'subjects below 0': (with_json(facts_with(subjects=-1)), 'facts.subjects is -1'),
    'another image': (with_json(input_with(shape=[7, 7, 3])), 'input.shape is [7, 7, 3]'),
    'another type of image': (with_json(input_with(dtype='uint8')), "input.dtype is 'uint8'"),
    'a setting of a newer version': (
        with_json(settings_with('train.magic', 3)),
        'train.magic is no setting',
    ),
    'a setting that breaks a rule': (with_json(settings_with('data.size', -2)), 'data.size is -2'),
    'SVM is missing': (with_tensors(without_svm), 'lacks svm/0/0'),
    'another number of features': (
        with_tensors(changed_tensor(WEIGHT, lambda tensor: tensor[:, 1:])),
        'svm/0/0 is no linear SVM',
    ),
    'a class that is none': (
        with_tensors(changed_tensor('svm/0/0/present', lambda tensor: tensor + 9)),
        'svm/0/0 is no linear SVM',
    ),
    'NaN': (with_tensors(changed_tensor(WEIGHT, holding_nan)), f'{WEIGHT} ... NaN'),
    'another type': (
        with_tensors(changed_tensor(WEIGHT, lambda tensor: tensor.astype(np.float16))),
        f'{WEIGHT} ... float16',
    ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_a_pack_that_is_none_is_refused_in_one_line(folder, tmp_path, name):
    """Files come from strangers: a traceback, a crash or wrong scores must not come of them."""
    spoil, expected = REFUSED[name]
    copy = tmp_path / 'copy.safetensors'
    spoil(folder / pack.FILE, copy)
    with pytest.raises(UserError) as error:
        trained.open_trained(copy)
    assert mentions(str(error.value), f'{copy} ... {expected}')
    assert '\n' not in str(error.value)


def test_a_threshold_that_nothing_reaches_is_said_in_words(folder):
    """'Clear from inf on' is no sentence, and sounds as if a class could be clear."""
    path = folder / pack.FILE
    header = pack_file.read_header(path)
    assert header.calibration['threshold'] is not None
    never = replace(header, calibration=header.calibration | {'threshold': None})
    for one, expected in ((header, 'clear from 0.'), (never, 'no class is ever clear')):
        text = pack.describe(one, path, 0.0)
        assert expected in text and 'inf ' not in text


def test_a_header_larger_than_allowed_is_not_read(folder, tmp_path):
    """Text of gigabytes takes many times its size in memory."""
    header = pack_file.read_header(folder / pack.FILE)
    large = replace(header, facts={'leaks': ['x' * pack_file.MOST_HEADER]})
    pack_file.write(tmp_path / 'large.safetensors', large, {})
    with pytest.raises(UserError, match=r'header has .* allowed: up to 16\.0 MB'):
        pack_file.read_header(tmp_path / 'large.safetensors')


def test_a_run_whose_data_changed_is_not_said_to_have_svms(folder, tmp_path):
    """Packing networks needs the rows too; who has no SVM would look for one in vain."""
    replace(RunConfig.read(folder), data='another').write(tmp_path)
    with pytest.raises(UserError) as error:
        trained.experiment_of(tmp_path, trained.settings_of(folder))
    assert mentions(
        str(error.value), f'{tmp_path} ... rows ... data.name ... has changed ... train'
    )
    assert 'SVM' not in str(error.value)


UNPACKED = {
    'no folder': (['pack'], 'pack needs --workdir'),
    'no run': (['pack', '--workdir={tmp}'], '{tmp} holds no run'),
    'two files': (['pack', '--workdir={run}', 'a.safetensors', 'b.safetensors'], 'one FILE'),
    'another kind of file': (['pack', '--workdir={run}', 'a.pth'], 'a.pth ... FILE.safetensors'),
    'no such folder': (['pack', '--workdir={run}', '{tmp}/x/a.safetensors'], 'folder that exists'),
    'linear SVMs': (['pack', '--workdir={run}', '--distil'], '--distil is for SVMs with a kernel'),
    'calibrated already': (
        ['pack', '--workdir={run}', '--calibrated_by={run}'],
        '--calibrated_by ... all_rows',
    ),
    'a flag of pack': (['train', '--distil'], '--distil belongs to the verb pack'),
    'no such pack': (
        ['evaluate', '--model={tmp}/no.safetensors', '--workdir={tmp}/scored'],
        'no.safetensors: no such file',
    ),
    'the folder of a run': (
        ['evaluate', '--model={run}/pack.safetensors', '--workdir={run}'],
        '{run} holds a run',
    ),
}


@pytest.mark.parametrize('name', UNPACKED)
def test_what_cannot_be_packed_or_scored_is_refused(folder, tmp_path, capsys, name):
    """One line and exit code 2, before anything is written."""
    arguments, expected = UNPACKED[name]
    paths = {'run': str(folder), 'tmp': str(tmp_path)}
    before = (folder / pack.FILE).read_bytes()
    assert cli.main([argument.format(**paths) for argument in arguments]) == 2
    assert mentions(capsys.readouterr().err, expected.format(**paths))
    assert not list(tmp_path.iterdir()) and (folder / pack.FILE).read_bytes() == before


def test_a_model_of_magnified_frames_is_not_packed(folder, tmp_path, capsys):
    """A pack holds no weights of the magnifier, so it would predict nothing, ever."""
    copy = tmp_path / 'run'
    shutil.copytree(folder, copy)
    config = RunConfig.read(folder)
    for name in ('magnet', 'detector'):
        settings = tree.flat(config.settings) | {f'data.{name}': f'/weights/{name}.safetensors'}
        replace(config, settings=tree.nested(settings)).write(copy)
        assert cli.main(['pack', f'--workdir={copy}', str(tmp_path / 'new.safetensors')]) == 2
        error = capsys.readouterr().err
        assert mentions(error, f'data.{name} ... {name}.safetensors ... allowed')
    assert not (tmp_path / 'new.safetensors').exists()


def test_a_fold_that_a_pack_lacks_is_named(folder):
    """A misspelt subject would be answered by the networks that trained on it."""
    with pytest.raises(UserError) as error:
        trained.open_trained(folder / pack.FILE, 'nobody')
    assert mentions(str(error.value), '--fold=nobody ... known')


def test_another_data_set_must_have_the_same_classes(folder, tmp_path, capsys, tiny_data):
    """Scores of other classes under the same names would be of nothing."""
    header = pack_file.read_header(folder / pack.FILE)
    renamed = replace(header, classes=[*header.classes[1:], header.classes[0]])
    tensors = pack_file.read_tensors(folder / pack.FILE, range(len(header.members)))
    pack_file.write(tmp_path / 'renamed.safetensors', renamed, tensors)
    flags = ('--config.data.name=synthetic_faces/tiny', f'--config.data.data_dir={tiny_data}')
    model = f'--model={tmp_path / "renamed.safetensors"}'
    assert cli.main(['evaluate', model, *flags, f'--workdir={tmp_path / "scored"}']) == 2
    assert mentions(capsys.readouterr().err, 'its classes are ... allowed ... same classes')
