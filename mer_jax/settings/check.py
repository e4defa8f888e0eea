"""Mistakes in single settings; rules that join several stand in experiment/."""

from collections.abc import Mapping

from mer_jax.settings.fields import Setting, Value, allowed, is_allowed


def mistakes(
    values: Mapping[str, Value],
    known: Mapping[str, Setting],
    names: Mapping[str, tuple[str, ...]],
) -> list[str]:
    """One line for every value that its setting does not allow.

    Args:
        values: the value of every setting by its dotted key.
        known: the settings by dotted key.
        names: the keys of dictionaries of entries: {'PROTOCOLS': ('loso', ...)}; a setting whose
            dictionary is not among them takes any text here.
    """
    lines = []
    for key, setting in known.items():
        keys = names.get(setting.entries, ())
        if not is_allowed(values[key], setting, keys):
            lines.append(f'{key} is {values[key]!r}; allowed: {allowed(setting, keys)}')
    return lines
