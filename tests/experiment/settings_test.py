"""What may differ between a run and its continuation."""

import json
from pathlib import Path

import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import settings
from mer_jax.presets import base
from mer_jax.settings import tree


def test_a_run_goes_on_under_a_version_with_more_settings():
    """If this fails, every new setting makes all earlier runs worthless; or a run goes on under
    a value that it never had.
    """
    old = json.loads(json.dumps(base('any').to_dict()))  # as config.json holds it
    new = tree.to_nested(settings.checked(base('any')))
    del old['protocol']['same_people'], old['choose']  # of which some are lists
    settings.check_resume(old, new, Path('runs/any'))
    new['protocol']['same_people'] = 'unknown'
    with pytest.raises(UserError, match='same_people'):
        settings.check_resume(old, new, Path('runs/any'))


NO_USE = [  # of the detection of action units: another value, and the key that the line names
    {'balance.method': 'smote'},
    {'train.learner': 'contrastive', 'model.name': 'dual_branch'},
    {'train.label_smoothing': 0.1},
    {'train.sampler': 'weighted'},
    {'augment.replace': 0.5},
    {'evaluate.every_epoch': True},
    {'data.without_class': 'first_class'},
    {'data.units': '1+1'},
]


@pytest.mark.parametrize('changes', NO_USE, ids=map(str, NO_USE))
def test_what_makes_no_sense_for_action_units_is_refused(changes):
    """A setting that is taken and does nothing, or mixes the units of two clips, would be believed
    to be part of the result.
    """
    config = base('any')
    config.data.task = 'action_units'
    settings.checked(config)
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError) as error:
        settings.checked(config)
    key = next(iter(changes))
    assert f'{key} is {changes[key]!r}' in str(error.value) and '\n' not in str(error.value)


def test_a_choice_by_uf1_is_refused_for_action_units():
    """Folds choose by classes, which this task does not have."""
    config = base('any')
    config.data.task = 'action_units'
    config.choose.groups = 3
    with pytest.raises(UserError, match='data.task'):
        settings.checked(config)
