"""The title and the default folder of a run."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from mer_jax.settings.fields import Value

RUNS = 'runs'
# of a folder's name; file systems allow 255 bytes
MAX_LENGTH = 150
# settings that identify a run: its data set and method; the options of the network count too
IDENTITY = ('data.name', 'model.name', 'head.name', 'head.features')


def identity_changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[str, Value]:
    """Return the changed settings that identify a run.

    Args:
        before: the settings of a config by dotted key.
        after: the same with the flags of the command line.

    Returns:
        Such as {'model.name': 'vggm'}.
    """
    options = f'model.{after["model.name"]}.'
    changes = {}
    for key, value in after.items():
        identifies = key in IDENTITY or key.startswith(options)
        if identifies and value != before[key]:
            changes[key] = value
    return changes


def title(name: str, variants: str = '', changes: Mapping[str, Value] | None = None) -> str:
    """Return the title of a run: 'synthetic_ststnet (quick; model.name=vggm)'.

    Args:
        name: of the config.
        variants: as on the command line, 'classes=3,quick'.
        changes: of `identity_changes`.
    """
    notes = [', '.join(_split(variants)), ', '.join(_assignments(changes))]
    text = '; '.join(note for note in notes if note)
    return f'{name} ({text})' if text else name


def config_of(title: str) -> str:
    """Return the name of the config in a title."""
    return title.partition(' (')[0]


def default_folder(
    path: str | Path, variants: str = '', changes: Mapping[str, Value] | None = None
) -> str:
    """Return the folder of a run without --workdir.

    Args:
        path: of the config file; only its stem is used.
        variants: as on the command line.
        changes: of `identity_changes`.

    Returns:
        Such as 'runs/synthetic_ststnet-quick,model.name=vggm'.
    """
    notes = ','.join([*_split(variants), *_assignments(changes)])
    name = Path(path).stem
    if notes:
        name += f'-{notes}'
    return f'{RUNS}/{_as_folder(name)}'


def folder_of(title: str) -> str:
    """Return the name of a folder for the run of this title: 'synthetic_ststnet-quick'."""
    return _as_folder('-'.join(re.findall(r'[^\s();]+', title)))


def _as_folder(name):
    """Shorten a name, and replace characters that not every file system and shell accepts."""
    if len(name) > MAX_LENGTH:
        name = f'{name[:MAX_LENGTH]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}'
    return re.sub(r'[^A-Za-z0-9._=,+-]', '_', name).rstrip('.')


def _split(variants):
    return [variant for variant in variants.split(',') if variant]


def _assignments(changes):
    return [f'{key}={value}' for key, value in (changes or {}).items()]
