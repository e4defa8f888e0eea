"""config.json: settings read back as written; another format is refused before anything changes."""

import json

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.config import FORMAT, RunConfig, check_format, differences
from mer_jax.runfiles.folder import prepare
from mer_jax.settings.tree import flat, nested

SETTINGS = {'a': (1, 2), 'b': {'c': 1e-3, 'd': np.float32(0.5), 'e': ''}}


def test_differences_of_nested_settings():
    """Resuming under changed settings would mix two experiments in one results.json."""
    old = {
        'model': {'name': 'a', 'width': 3},
        'sizes': (1, 2),
        'data': {'data_dir': '/a'},
        'gone': 1,
        'empty': {},
    }
    new = {
        'model': {'name': 'b', 'width': 3.0},
        'sizes': [1, 2],
        'data': {'data_dir': '/b'},
        'more': {'x': 2},
        'empty': {},
    }
    found = differences(old, new, ignore=('data.data_dir',))
    assert found == [('model.name', 'a', 'b'), ('gone', 1, None), ('more.x', None, 2)]
    assert differences(old, new, ignore=('data', 'model', 'gone', 'more')) == []
    assert differences({'da': 1}, {'da': 2}, ignore=('d',)) == [('da', 1, 2)]


def test_settings_survive_the_file_without_differences(tmp_path):
    """A tuple or numpy number that reads back otherwise would make every resume impossible."""
    RunConfig(SETTINGS, 'print').write(tmp_path)
    run_config = RunConfig.read(tmp_path)
    assert differences(run_config.settings, SETTINGS) == [] and run_config.data == 'print'
    assert json.loads((tmp_path / 'config.json').read_text())['format'] == FORMAT
    assert nested(flat(run_config.settings)) == run_config.settings


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'settings': {}, 'data': 'x'}, 'run.*format 1.*--workdir'),
        ({'format': 3, 'settings': {}, 'data': 'x'}, 'run.*newer.*format 3'),
        ({'format': 3, 'model': {}}, 'run.*newer.*format 3'),
        ({'format': 2, 'settings': {}}, 'config.json'),
        ({'format': 'two', 'settings': {}, 'data': 'x'}, 'config.json'),
        ({'format': 2, 'settings': [], 'data': 'x'}, 'config.json'),
        ({'format': 2, 'settings': {}, 'data': 5}, 'config.json: data.*5.*fingerprint'),
        ({'architectures': []}, 'config.json'),
    ],
)
def test_another_format_is_refused_before_anything_changes(tmp_path, content, words):
    """A folder of an older version read by this one would continue a run with other shapes."""
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / '.left.part').write_text('half')
    text = json.dumps(content)
    (folder / 'config.json').write_text(text)
    for refusing in (RunConfig.read, check_format, prepare):
        with pytest.raises(UserError, match=words) as error:
            refusing(folder)
        assert '\n' not in str(error.value)
    assert sorted(path.name for path in folder.iterdir()) == ['.left.part', 'config.json']
    assert (folder / 'config.json').read_text() == text


def test_a_folder_without_config_has_no_format_to_refuse(tmp_path):
    """A report is made from what files there are."""
    check_format(tmp_path)
