"""A grid chooses by the validation part, and tests its choice alone."""

import csv
import json
from pathlib import Path

import pytest

import main
from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE
from mer_jax.presets import base
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.settings.tree import from_nested
from mer_jax.studies import grid

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]


def known(**changes):
    config = base('x')
    config.update_from_flattened_dict({'protocol.validation': 0.1} | changes)
    return from_nested(config.to_dict())


def results(uf1):
    return {
        'metrics': dict.fromkeys(HEADLINE, uf1),
        'intervals': dict.fromkeys(HEADLINE),
        'leaks': [],
    }


def test_the_best_of_the_validation_part_is_tested_and_nothing_else(tmp_path, capsys):
    """A test that was looked at for every combination would have chosen it."""
    found = {(16, 5): 0.4, (16, 10): 0.6, (24, 5): None, (24, 10): 0.6}
    called = []

    def train(changes, folder):
        called.append((changes, folder.name))
        return results(
            found[changes['train.batch_size'], changes['train.epochs']] if len(called) < 5 else 0.1
        )

    told = grid.grid(known(), 'train.batch_size=16,24; train.epochs=5,10', train, tmp_path)
    assert [changes['protocol.evaluate_on'] for changes, _ in called] == ['validation'] * 4 + [
        'test'
    ]
    assert called[4][0] == {
        'train.batch_size': 16,
        'train.epochs': 10,
        'protocol.evaluate_on': 'test',
    }, 'the first of equals'
    assert (
        told['chosen'] == 1
        and told['test']['uf1']['mean'] == 0.1
        and json.loads((tmp_path / 'grid.json').read_text())
    )
    with open(tmp_path / 'grid.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['chosen'] for row in rows] == ['False', 'True', 'False', 'False'] and rows[2][
        'validation_uf1'
    ] == ''
    shown = capsys.readouterr().out
    assert '<- chosen' in shown and 'tested: UF1 0.100' in shown


WRONG = [
    ('train.epoch=5', "'train.epoch'.*grid"),
    ('train.epochs', "train.epochs.*''.*a value .*as 100"),
    ('train.epochs=5,ten', "train.epochs.*'ten'"),
    ('train.epochs=5;train.optimizer=adam,smg', "train.optimizer.*'smg'.*adam"),
    ('train.batch_size=16,0', 'train.batch_size.*0.*1 to'),
    ('data.channels=u,v,strain', "'data.channels'.*grid"),
    ('data.lateral_units=yes', "data.lateral_units.*'yes'.*a value .*as False"),
    (';', '--grid is empty'),
]


@pytest.mark.parametrize('text,told', WRONG, ids=[text for text, _ in WRONG])
def test_mistakes_in_the_text_of_a_grid(text, told, tmp_path):
    """Found before the first of many trainings."""
    with pytest.raises(UserError, match=told):
        grid.grid(known(), text, None, tmp_path)


def test_a_grid_needs_rows_to_choose_by(tmp_path):
    """Without them the tested rows would choose: the habit that this project refuses."""
    with pytest.raises(UserError, match='protocol.validation.*0'):
        grid.grid(known(**{'protocol.validation': 0.0}), 'train.epochs=5', None, tmp_path)
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(UserError, match='grid'):
        grid.grid(known(), 'train.epochs=5', None, tmp_path)


def test_values_take_the_type_of_the_setting():
    """'False' as text would switch a setting on."""
    found = grid.combinations(
        'data.lateral_units=False,True;train.learning_rate=1e-3;data.mask=none', known()
    )
    assert found == [
        {'data.lateral_units': flag, 'train.learning_rate': 0.001, 'data.mask': 'none'}
        for flag in (False, True)
    ]
    found = grid.combinations('head.cost=0.5,2', known())
    assert found == [{'head.cost': (0.5,)}, {'head.cost': (2.0,)}]


def test_the_published_protocol_and_its_grid_in_one_command(tiny_data, tmp_path, capsys):
    """Irawan et al. 2024: clips split 80/10/10, balanced before, batch and epochs chosen: every
    leak of it is named.
    """
    assert (
        main.main(
            [
                'grid',
                f'--config={ROOT}/configs/synthetic_cnn3d.py:published,variant=scb,quick',
                # another 3-D network, which compiles in a quarter of the time
                '--config.model.name=microexpstcnn',
                '--config.data.frames=17',
                f'--config.data.data_dir={tiny_data}',
                '--grid=train.epochs=1,2',
                f'--workdir={tmp_path}/g',
            ]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert told.count('leak: ') == 2 and 'random_split' in told and 'balance.scope=all' in told
    folders = sorted(path.name for path in (tmp_path / 'g').iterdir() if path.is_dir())
    assert folders == ['001', '002', 'chosen']
    count = len(PredictionTable.read(tmp_path / 'g' / 'chosen').rows)
    blocks = [json.loads((tmp_path / 'g' / name / 'results.json').read_text()) for name in folders]
    assert [block['scored'] for block in blocks] == ['validation'] * 2 + ['test'] and count == 2
    assert [block['protocol'] for block in blocks[1:]] == [
        'random_split, validation part',
        'random_split',
    ]
    assert main.main(['compare', f'--runs={tmp_path}/g/*', f'--workdir={tmp_path}/c']) == 2
    assert 'is scored on its validation part' in capsys.readouterr().err
    assert all(len(block['leaks']) == 2 for block in blocks)
