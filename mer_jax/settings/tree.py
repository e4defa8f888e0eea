"""Convert settings: nested dictionaries, dotted keys, dataclasses."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mer_jax.settings.fields import Setting, Value, settings_of
from mer_jax.settings.sections import Settings

Nested = dict[str, Any]  # {'name': 'mine', 'train': {'epochs': 5}}


def sections() -> dict[str, type]:
    """Return the class of every section, by its name."""
    return {
        entry.name: type(entry.default)
        for entry in dataclasses.fields(Settings)
        if dataclasses.is_dataclass(entry.default)
    }


def all_settings(networks: Mapping[str, Mapping[str, Setting]]) -> dict[str, Setting]:
    """Return every setting by its dotted key, such as 'train.epochs'.

    Args:
        networks: the options of each network.
    """
    settings = {}
    for section, kind in sections().items():
        for name, setting in settings_of(kind):
            settings[f'{section}.{name}'] = setting
    for network, options in networks.items():
        for name, setting in options.items():
            settings[f'model.{network}.{name}'] = setting
    return settings


def from_nested(values: Mapping[str, Any]) -> Settings:
    """Convert nested dictionaries of all settings to Settings."""
    built = {}
    for section, kind in sections().items():
        names = [name for name, _ in settings_of(kind)]
        built[section] = kind(**{name: values[section][name] for name in names})
    options = {
        name: dict(block) for name, block in values['model'].items() if isinstance(block, Mapping)
    }
    built['model'] = dataclasses.replace(built['model'], options=options)
    return Settings(name=values['name'], **built)


def to_nested(settings: Settings) -> Nested:
    """Convert Settings to nested dictionaries."""
    values: Nested = {'name': settings.name}
    for section, kind in sections().items():
        block = getattr(settings, section)
        values[section] = {name: getattr(block, name) for name, _ in settings_of(kind)}
    for network, options in settings.model.options.items():
        values['model'][network] = dict(options)
    return values


def changed(settings: Settings, changes: Mapping[str, Value]) -> Settings:
    """Return settings with changes such as {'train.epochs': 5}."""
    return from_nested(nested(flat(to_nested(settings)) | dict(changes)))


def flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Value]:
    """Return nested settings by dotted key.

    An empty dictionary is a value.
    """
    leaves = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f'{prefix}{key}.')
        else:
            leaves[prefix + key] = value
    return leaves


def nested(leaves: Mapping[str, Value]) -> Nested:
    """Return nested dictionaries of dotted keys."""
    values: Nested = {}
    for key, value in leaves.items():
        *path, name = key.split('.')
        block = values
        for section in path:
            block = block.setdefault(section, {})
        block[name] = value
    return values
