"""Every switch that leaks is named, and nothing else is."""

import importlib
from pathlib import Path

import pytest

from mer_jax.experiment import leaks
from mer_jax.presets import base
from mer_jax.settings.tree import from_nested

CONFIGS = sorted(p.stem for p in Path(__file__).parents[2].glob('configs/[a-z]*_*.py'))
# of a protocol that pools data sets of which no paper says whether they share people
UNAVOIDABLE = {'cd6me_sssnet': ['protocol.same_people']}
# settings -> what of them is told (a part of the line), '' for nothing
SWITCHES = [
    ({'protocol.name': 'random_split'}, 'random_split: clips of one subject'),
    ({'protocol.name': 'clip_kfold'}, 'clip_kfold: clips of one subject'),
    ({'protocol.name': 'frame_kfold'}, 'frame_kfold: frames of a clip'),
    ({'protocol.name': 'kfold'}, ''),
    ({'data.without_class': 'first_class'}, 'data.without_class=first_class'),
    ({'data.input_scaler': 'p995', 'data.scaler_scope': 'all'}, 'data.scaler_scope=all'),
    ({'data.input_scaler': 'standard', 'data.scaler_scope': 'all'}, 'data.scaler_scope=all'),
    ({'data.scaler_scope': 'all'}, ''),  # nothing is fitted
    ({'balance.method': 'smote', 'balance.scope': 'all'}, 'balance.scope=all: smote before'),
    (
        {'balance.method': 'oversample', 'balance.scope': 'all', 'train.class_weights': 'max'},
        'balance.scope=all: oversample and class weights before',
    ),
    (
        {'train.class_weights': 'max', 'balance.scope': 'all'},
        'balance.scope=all: class weights before',
    ),
    ({'balance.scope': 'all'}, ''),  # nothing is balanced
    ({'balance.method': 'smote'}, ''),
    ({'balance.method': 'generated', 'balance.file': 'x.npz'}, 'balance.file: one file'),
    ({'balance.method': 'generated', 'balance.file': 'x/{subject}.npz'}, ''),
    ({'balance.method': 'gan', 'gan.scope': 'all'}, 'gan.scope=all: one generator'),
    ({'balance.method': 'gan'}, ''),
    ({'gan.scope': 'all'}, ''),  # there is no generator
    ({'model.init_from': 'x.safetensors'}, 'init_from: one file'),
    ({'model.init_from': 'x/{subject}.pth'}, ''),
    ({'model.init_from': 'x/model_best_{number}.pt'}, 'init_from: model_best_*'),
    ({'head.name': 'svm', 'head.scope': 'all'}, 'head.scope=all: the network whose features'),
    ({'head.scope': 'all'}, ''),  # the network itself answers
    ({'head.name': 'svm'}, ''),
    ({'data.name': 'samm/flow', 'model.pretrain': 'synthetic_faces/many'}, ''),
    (
        {'data.name': 'samm/flow', 'model.pretrain': 'synthetic_faces/many,distractors=eyes'},
        'model.pretrain: distractors=eyes was laid out by a look',
    ),
]


@pytest.mark.parametrize('changes,told', SWITCHES, ids=[str(changes) for changes, _ in SWITCHES])
def test_a_leak_is_told_once_and_an_honest_setting_never(changes, told):
    """A leak that is not in results.json passes for an honest result; a false alarm teaches to
    ignore it.
    """
    config = base('any')
    config.update_from_flattened_dict(changes)
    found = leaks.listed(from_nested(config.to_dict()))
    assert len(found) == bool(told) and all(told in text and '\n' not in text for text in found)


def test_leaks_add_up():
    """The second must not hide behind the first."""
    config = base('any')
    config.update_from_flattened_dict(
        {
            'protocol.name': 'random_split',
            'data.input_scaler': 'p995',
            'data.scaler_scope': 'all',
            'train.class_weights': 'max',
            'balance.scope': 'all',
            'model.init_from': 'x.pth',
        }
    )
    assert len(leaks.listed(from_nested(config.to_dict()))) == 4


@pytest.mark.parametrize('name', CONFIGS)
def test_no_config_leaks_unasked(name):
    """Every leak of a paper is off by default; CD6ME cannot do without the one that it is."""
    config = importlib.import_module(f'configs.{name}').get_config()
    listed = leaks.listed(from_nested(config.to_dict()))
    assert [text.partition('=')[0] for text in listed] == UNAVOIDABLE.get(name, [])


def test_the_published_protocol_leaks_by_name():
    """The switches that reproduce Irawan et al. 2024 show in the results."""
    config = importlib.import_module('configs.casme2_cnn3d').get_config('published,variant=scb')
    found = leaks.listed(from_nested(config.to_dict()))
    assert [text.split(':')[0] for text in found] == ['random_split', 'balance.scope=all']
    assert (config.protocol.holdout, config.protocol.validation) == (0.1, 0.1)
