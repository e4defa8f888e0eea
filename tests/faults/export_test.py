"""The verb export: what is refused, in one line, before any file is written."""

import sys

import pytest

from mer_jax import cli, config_files
from mer_jax.runfiles.config import RunConfig

REFUSED = {  # what is wrong: (arguments behind export, what the message names)
    'no model': ([], '--model=RUN_OR_PACK'),
    'a folder that is no run': (['--model=empty'], 'holds no run'),
    'a run that is not there': (['--model=gone'], 'holds no run'),
    'another format': (['--model=empty', '--format=tflite'], 'onnx'),
    'no number of rows': (['--model=empty', '--batch=many'], '--batch=many'),
    'no row': (['--model=empty', '--batch=0'], '--batch=0'),
    'two files': (['--model=empty', 'a.onnx', 'b.onnx'], 'one FILE.onnx'),
    'another suffix': (['--model=empty', 'model.pt'], '.onnx'),
    'a folder that is not there': (['--model=empty', 'gone/model.onnx'], 'gone/model.onnx'),
    'a folder in place of the file': (['--model=empty', 'folder.onnx'], 'folder.onnx'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_mistake_is_one_line_and_leaves_nothing(case, tmp_path, monkeypatch, capsys):
    """A traceback of onnx or of jax names no argument."""
    if case in ('a folder that is no run', 'a run that is not there'):
        pytest.importorskip('onnxruntime')
    arguments, named = REFUSED[case]
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'folder.onnx').mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli.main(['export', *arguments]) == 2
    error = capsys.readouterr().err
    assert named in error and error.count('\n') == 1
    assert {path.name for path in tmp_path.iterdir()} == {'empty', 'folder.onnx'}


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_a_missing_package_names_the_extra(package, tmp_path, monkeypatch, capsys):
    """No other verb needs these packages, so an installation may be without them."""
    pytest.importorskip('onnxruntime')
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(['export', '--model=run']) == 2
    error = capsys.readouterr().err
    assert package in error and "pip install 'mer_jax[export]'" in error


@pytest.mark.parametrize(
    ('name', 'named'),
    [('megc2019_svm', "head.name is 'svm'"), ('smic_spotting', "data.task is 'spotting'")],
)
def test_what_is_no_network_of_recognition_names_its_setting(
    name, named, tmp_path, monkeypatch, capsys
):
    """SVMs read features that no graph computes; they are refused before their data set is read."""
    pytest.importorskip('onnxruntime')
    RunConfig(config_files.load(name).to_dict(), 'a fingerprint').write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(['export', f'--model={tmp_path}']) == 2
    error = capsys.readouterr().err
    assert named in error and error.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == [RunConfig.FILE]
