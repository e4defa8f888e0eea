"""Check single settings; rules on several are in experiment/."""

from collections.abc import Mapping

from mer_jax.settings.fields import Setting, Value, allowed, is_allowed


def mistakes(
    values: Mapping[str, Value],
    settings: Mapping[str, Setting],
    names: Mapping[str, tuple[str, ...]],
) -> list[str]:
    """Return one line per value that is not allowed.

    Args:
        values: the value of every setting by its dotted key.
        settings: all settings by dotted key.
        names: the keys of dictionaries of entries: {'PROTOCOLS': ('loso', ...)}; a setting whose
            dictionary is missing here may be any text.
    """
    lines = []
    for key, setting in settings.items():
        keys = names.get(setting.entries, ())
        if not is_allowed(values[key], setting, keys):
            lines.append(f'{key} is {values[key]!r}; allowed: {allowed(setting, keys)}')
    return lines
