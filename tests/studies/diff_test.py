"""diff: what two runs do not share is the first thing to look at where their results differ."""

import json

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.config import RunConfig
from mer_jax.studies.diff import compared, diff
from tests.support.run_folders import spotting_results

SETTINGS = {'name': 'a', 'train': {'epochs': 5, 'seeds': 1}, 'data': {'apex': ''}}


def run(folder, settings=SETTINGS, data='abc'):
    """The folder of an unfinished run."""
    folder.mkdir()
    RunConfig(settings, data).write(folder)
    return folder


def test_every_setting_that_differs_is_one_line(tmp_path):
    """A setting that is passed over hides why two results differ."""
    other = {'name': 'a', 'train': {'epochs': 6}, 'data': {'apex': 'peak'}}
    lines = compared(run(tmp_path / 'one'), run(tmp_path / 'other', other))
    assert lines == [
        'train.epochs: 5 -> 6',
        'train.seeds: 1 -> (none)',
        "data.apex: '' -> peak",
    ]


def test_other_data_is_a_line_of_its_own(tmp_path):
    """Equal settings read other clips where a data set was built again."""
    lines = compared(run(tmp_path / 'one'), run(tmp_path / 'other', data='xyz'))
    assert len(lines) == 1 and 'abc -> xyz' in lines[0]


def test_other_code_is_a_line_of_its_own(tmp_path):
    """Nothing else tells two runs apart that two versions of a package computed."""
    for name, version in (('one', '0.10.1'), ('other', '0.10.2')):
        folder = run(tmp_path / name)
        spotting_results({}, versions={'jax': version, 'flax': '0.12'}).write(folder)
    assert compared(tmp_path / 'one', tmp_path / 'other') == ['versions.jax: 0.10.1 -> 0.10.2']
    # of an unfinished run no version is known
    run(tmp_path / 'third')
    assert 'versions.flax: 0.12 -> (none)' in compared(tmp_path / 'one', tmp_path / 'third')


def test_equal_runs_are_said_to_be_equal(tmp_path, capsys):
    """Printing nothing could mean that nothing was compared."""
    diff(run(tmp_path / 'one'), run(tmp_path / 'other'))
    assert 'equal' in capsys.readouterr().out


@pytest.mark.parametrize('text', [None, '{}', json.dumps({'settings': {}, 'data': ''})])
def test_a_folder_without_a_run_is_named(text, tmp_path):
    """A traceback would not say which of the two it is."""
    (tmp_path / 'other').mkdir()
    if text is not None:
        (tmp_path / 'other' / 'config.json').write_text(text)
    with pytest.raises(UserError, match='other'):
        compared(run(tmp_path / 'one'), tmp_path / 'other')
