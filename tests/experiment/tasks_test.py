"""Verbs that know one task alone refuse a run of another in one line."""

import pytest

import main
from mer_jax.presets import base
from mer_jax.runfiles.config import RunConfig
from tests.report.action_units_page_test import write

CONFIG = 'synthetic_action_units:quick'
OF_CLASSES = ('audit', 'grid --grid=train.epochs=1', 'explain')


def refusal(capsys, *arguments):
    """The line that a command ends with."""
    assert main.main(arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('verb', OF_CLASSES)
def test_verbs_that_score_classes_refuse_action_units(verb, capsys, tmp_path):
    """They compare UF1: of detected units they would end in a KeyError after hours."""
    line = refusal(capsys, *verb.split(), f'--config={CONFIG}', f'--workdir={tmp_path}/run')
    assert 'action_units' in line and 'recognition' in line and 'compare' in line
    assert not (tmp_path / 'run').exists()


def test_the_leaderboard_refuses_action_units(capsys, tmp_path):
    """Before the first training, which may take a day."""
    line = refusal(capsys, 'leaderboard', f'--configs={CONFIG}', f'--workdir={tmp_path}/board')
    assert 'action_units' in line and 'recognition' in line and 'compare' in line


def test_a_run_that_detects_units_is_not_exported(capsys, tmp_path):
    """The graph of the file ends in a softmax, by which units would exclude each other."""
    run = tmp_path / 'run'
    write(run, subjects=3, seeds=1)
    config = base('demo')
    config.data.task = 'action_units'
    RunConfig(config.to_dict(), 'print').write(run)
    line = refusal(capsys, 'export', f'--model={run}', f'{tmp_path}/any.onnx')
    assert 'action_units' in line and not (tmp_path / 'any.onnx').exists()
