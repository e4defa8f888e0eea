"""What a run is called: its title in results and reports, and its default folder."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNS = 'runs'
LONGEST = 150  # of the name of a folder; file systems take 255, and files of a run come below
# settings that say what is recognised by which method; the options of the network count too
IDENTITY = ('data.name', 'model.name', 'head.name', 'head.features')


def identity_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of data set and network that differ, as {'model.name': 'vggm'}.

    Args:
        before: the settings of a config by dotted key.
        after: the same with the flags of the command line.
    """
    options = f'model.{after["model.name"]}.'
    changes = {}
    for key, value in after.items():
        identifies = key in IDENTITY or key.startswith(options)
        if identifies and value != before[key]:
            changes[key] = value
    return changes


def title(name: str, variants: str = '', changes: Mapping[str, Any] | None = None) -> str:
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
    """Return the name of the config of a run with this title."""
    return title.partition(' (')[0]


def default_folder(
    path: str | Path, variants: str = '', changes: Mapping[str, Any] | None = None
) -> str:
    """Return the folder of a run that names none: 'runs/synthetic_ststnet-quick,model.name=vggm'.

    Args:
        path: of the config file; its stem counts.
        variants: as on the command line.
        changes: of `identity_changes`.
    """
    notes = ','.join([*_split(variants), *_assignments(changes)])
    name = Path(path).stem
    if notes:
        name += f'-{notes}'
    if len(name) > LONGEST:
        name = f'{name[:LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}'
    # characters that travel between systems
    return f'{RUNS}/' + re.sub(r'[^A-Za-z0-9._=,+-]', '_', name).rstrip('.')


def _split(variants):
    return [variant for variant in variants.split(',') if variant]


def _assignments(changes):
    return [f'{key}={value}' for key, value in (changes or {}).items()]
