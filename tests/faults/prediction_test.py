"""What predict refuses, in one line, before it reads frames or loads a network for nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

import main
from mer_jax.errors import UserError
from mer_jax.prediction import records, trained
from mer_jax.presets import base
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig
from mer_jax.settings import tree
from tests.support.messages import mentions, pattern
from tfds_builders.clip import KeyFrames

KEYS = ('--onset=2', '--apex=5', '--offset=9')


def finished(folder, **changes):
    """A folder with the files of a finished run, without its networks."""
    folder.mkdir()
    RunConfig({**base('made').to_dict(), **changes}, 'digest').write(folder)
    return folder


def of_python(folder):
    config = base('made').to_dict()
    config['model']['name'] = 'Mine'
    folder.mkdir()
    RunConfig({**config, 'python': {'options': {}}}, 'digest').write(folder)
    return folder


def empty(folder):
    folder.mkdir()
    return folder


MODELS = {  # what stands at --model -> what the line names
    'no folder': (lambda folder: folder, 'holds no run'),
    'a folder that is no run': (empty, 'holds no run'),
    'a run that is not finished': (finished, 'not finished ... train'),
    'a run from Python': (of_python, 'from Python ... Mine'),
    'a file that is no pack': (
        lambda folder: folder.with_suffix('.safetensors'),
        '.safetensors ... no such file',
    ),
}


def test_a_run_without_an_epoch_has_no_networks(tmp_path, monkeypatch):
    """Its checkpoint would be called damaged, and deleting it would help nobody."""
    monkeypatch.setattr(trained.FoldTable, 'read', lambda folder: SimpleNamespace(rows=()))
    monkeypatch.setattr(trained.run_folder, 'trained', lambda *_: 0)
    (tmp_path / files.PLAN).touch()
    settings = tree.changed(tree.from_nested(base('made').to_dict()), {'train.epochs': 0})
    with pytest.raises(UserError, match='train.epochs is 0, .* one epoch or more'):
        trained.read_states(tmp_path, settings, 3, [0])


@pytest.mark.parametrize('name', MODELS)
def test_a_model_that_cannot_predict_is_one_line(name, tmp_path, capsys):
    """Whoever names the wrong folder must learn what a right one is."""
    write, pieces = MODELS[name]
    model = write(tmp_path / 'model')
    arguments = ['predict', f'--model={model}', 'clip.avi', *KEYS, f'--workdir={tmp_path}/out']
    assert main.main(arguments) == 2
    assert mentions(capsys.readouterr().err, f'error: ... {pieces}')
    assert not (tmp_path / 'out').exists()


FLAGS = {  # flags -> what the line names
    'onset behind the offset': (('--onset=9', '--offset=2'), 'onset=9 ... offset=2'),
    'apex before the onset': (('--onset=4', '--apex=3', '--offset=9'), 'apex=3 ... onset=4'),
    'apex behind the offset': (('--onset=4', '--apex=12', '--offset=9'), 'apex=12 ... offset=9'),
    'onset alone': (('--onset=4',), 'offset ... both --onset and --offset'),
    'apex alone': (('--apex=4',), 'onset ... both --onset and --offset'),
    'a word': (('--onset=first', '--offset=9'), 'onset=first ... number of a frame'),
    'a clip of an hour': (('--onset=0', '--offset=90000'), 'offset=90000 ... less than'),
    'frames a second in words': (('--fps=fast', *KEYS), 'fps=fast'),
    'two inputs, one set of key frames': (('more.avi', *KEYS), 'one input ... 2'),
}


@pytest.mark.parametrize('name', FLAGS)
def test_flags_that_contradict_each_other_are_refused_first(name, tmp_path, capsys):
    """A model takes seconds to load; a slip of the pen must not wait for it."""
    flags, pieces = FLAGS[name]
    assert main.main(['predict', f'--model={tmp_path}/none', 'clip.avi', *flags]) == 2
    assert mentions(capsys.readouterr().err, f'error: ... {pieces}')


def test_the_folder_of_a_run_is_not_written_over(tmp_path, capsys):
    """predictions.csv of a run and of predict bear one name; the former takes hours."""
    run = finished(tmp_path / 'run')
    assert main.main(['predict', '--model=x', 'a.avi', *KEYS, f'--workdir={run}']) == 2
    assert mentions(capsys.readouterr().err, 'workdir ... run ... predictions.csv')


def test_predict_needs_a_model_and_an_input(capsys):
    assert main.main(['predict', 'a.avi']) == 2
    assert mentions(capsys.readouterr().err, 'predict needs --model=RUN_OR_PACK')
    assert main.main(['predict', '--model=x']) == 2
    assert mentions(capsys.readouterr().err, 'INPUT')


@pytest.mark.parametrize('shape', [(64, 64), (64, 64, 3)])
def test_colours_are_needed_where_the_model_saw_them(shape):
    """Three equal channels would pass for a face without colours."""
    settings = tree.changed(
        tree.from_nested(base('made').to_dict()),
        {'data.name': 'casme2/flow,key_frames=rgb', 'data.channels': 'apex_r,apex_g,apex_b'},
    )
    gray = dict.fromkeys((1, 2, 3), np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=pattern('gray frames ... key_frames=rgb ... in colour')):
        records.make(gray, KeyFrames(1, 2, 3), records.recipe(settings), name='a.avi')


def test_magnified_frames_need_the_weights_of_the_magnifier():
    """A pack from before they were refused names a file of another machine, or none."""
    magnified = {'data.name': 'casme2/samer,magnifier=magnet', 'data.channels': 'magnified'}
    settings = tree.changed(tree.from_nested(base('made').to_dict()), magnified)
    with pytest.raises(UserError, match=pattern('magnifier=magnet ... data.magnet is empty')):
        records.recipe(settings)
    records.recipe(tree.changed(settings, {'data.magnet': 'magnet.safetensors'}))
