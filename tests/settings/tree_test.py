"""Settings as nested dictionaries, dotted keys and values, and the way back."""

import dataclasses

import pytest

from mer_jax.presets import base
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings


def test_settings_come_back_from_nested_dictionaries_and_dotted_keys():
    """What is written into config.json must be what the run was trained with."""
    nested = base('mine').to_dict()
    settings = tree.from_nested(nested)
    assert tree.to_nested(settings) == nested
    assert tree.nested(tree.flat(nested)) == nested
    assert settings.name == 'mine' and settings.model.options['vggm'] == nested['model']['vggm']


def test_a_config_holds_the_defaults_of_the_classes():
    """Functions that are called without settings must do what a config does."""
    settings = tree.from_nested(base('x').to_dict())
    options = settings.model.options
    plain = Settings('x')
    assert settings == dataclasses.replace(
        plain, model=dataclasses.replace(plain.model, options=options)
    )


def test_changes_are_made_by_dotted_key():
    """The audit and the grid train what they say, and leave the settings they began with."""
    settings = tree.from_nested(base('x').to_dict())
    changed = tree.changed(settings, {'train.epochs': 5, 'model.vggm.width': 6})
    assert changed.train.epochs == 5 and changed.model.options['vggm']['width'] == 6
    assert settings.train.epochs == 100 and settings.model.options['vggm']['width'] == 96
    again = tree.changed(changed, {'train.epochs': 100, 'model.vggm.width': 96})
    assert again == settings


def test_settings_cannot_be_changed_in_place():
    """One function would change what the next one is given."""
    settings = tree.from_nested(base('x').to_dict())
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.train.epochs = 5


def test_several_numbers_come_from_the_command_line():
    """Grids of cost are typed as '0.5,1,2', a single one as '100'."""
    from mer_jax import cli

    for text, numbers in (('0.5,1,2', (0.5, 1, 2)), ('100', (100,)), ('(1,2)', (1, 2))):
        config = cli.parse([f'--config.head.cost={text}'])[1]
        assert config.head.cost == numbers
