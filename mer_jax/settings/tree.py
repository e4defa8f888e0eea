"""Settings as nested dictionaries, as dotted keys, and as values of their classes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mer_jax.settings.fields import Setting, Value, settings_of
from mer_jax.settings.sections import Settings

Nested = dict[str, Any]  # {'name': 'mine', 'train': {'epochs': 5}}


def sections() -> dict[str, type]:
    """The class of every section, by its name."""
    return {
        entry.name: type(entry.default)
        for entry in dataclasses.fields(Settings)
        if dataclasses.is_dataclass(entry.default)
    }


def known(networks: Mapping[str, Mapping[str, Setting]]) -> dict[str, Setting]:
    """Every setting by its dotted key, as 'train.epochs'.

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
    """The Settings of nested dictionaries that hold every setting, as a config does."""
    parts = {}
    for section, kind in sections().items():
        names = [name for name, _ in settings_of(kind)]
        parts[section] = kind(**{name: values[section][name] for name in names})
    options = {
        name: dict(block) for name, block in values['model'].items() if isinstance(block, Mapping)
    }
    parts['model'] = dataclasses.replace(parts['model'], options=options)
    return Settings(name=values['name'], **parts)


def to_nested(settings: Settings) -> Nested:
    """The inverse of `from_nested`."""
    values: Nested = {'name': settings.name}
    for section, kind in sections().items():
        block = getattr(settings, section)
        values[section] = {name: getattr(block, name) for name, _ in settings_of(kind)}
    for network, options in settings.model.options.items():
        values['model'][network] = dict(options)
    return values


def changed(settings: Settings, changes: Mapping[str, Value]) -> Settings:
    """Settings with other values of some: {'train.epochs': 5}."""
    return from_nested(nested(flat(to_nested(settings)) | dict(changes)))


def flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Value]:
    """Nested settings by dotted key; an empty dictionary is a leaf."""
    leaves = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f'{prefix}{key}.')
        else:
            leaves[prefix + key] = value
    return leaves


def nested(leaves: Mapping[str, Value]) -> Nested:
    """The inverse of `flat`."""
    values: Nested = {}
    for key, value in leaves.items():
        *path, name = key.split('.')
        block = values
        for part in path:
            block = block.setdefault(part, {})
        block[name] = value
    return values
