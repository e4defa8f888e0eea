"""The verb diff: how the settings, the data and the code of two runs differ."""

from pathlib import Path
from typing import Any

from mer_jax.errors import UserError
from mer_jax.runfiles import files, results
from mer_jax.runfiles.config import RunConfig, differences
from mer_jax.runfiles.folder import absolute

MISSING = '(none)'
DIGITS = 12  # of a fingerprint; so many tell any two apart


def diff(first: str, second: str) -> None:
    """Print how two runs differ, one line for each key.

    Args:
        first: the folder of a run, which need not be finished.
        second: the folder of another one.
    """
    lines = compared(first, second)
    print('\n'.join(lines) if lines else 'equal settings, data and versions')


def compared(first: str | Path, second: str | Path) -> list[str]:
    """How two runs differ: 'train.epochs: 5 -> 10' for each key.

    Raises:
        UserError: a folder holds no run, or a damaged one.
    """
    old, new = _described(first), _described(second)
    return [
        f'{key}: {_shown(before)} -> {_shown(after)}'
        for key, before, after in differences(old, new)
    ]


def _described(folder) -> dict[str, Any]:
    """The settings of a run, the fingerprint of its data and the versions that scored it."""
    path = absolute(folder)
    if not (path / files.CONFIG).exists():
        raise UserError(f'{folder}: holds no run; name the folders of two runs: diff RUN RUN')
    config = RunConfig.read(path)
    described = {**config.settings, 'fingerprint of the data': config.data[:DIGITS]}
    # an unfinished run has no results yet
    if (path / files.RESULTS).exists():
        described['versions'] = results.read(path).versions
    return described


def _shown(value):
    if value is None:
        return MISSING
    return "''" if value == '' else value
