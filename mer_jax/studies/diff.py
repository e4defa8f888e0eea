"""The verb diff: differences of two runs."""

from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.runfiles import files, results
from mer_jax.runfiles.config import RunConfig, differences
from mer_jax.runfiles.folder import absolute

MISSING = '(none)'
DIGITS = 12  # shown of a fingerprint; enough to tell two apart


def diff(first: str, second: str) -> None:
    """Print how two runs differ, one line per key.

    Args:
        first: the folder of a run, finished or not.
        second: the folder of another one.
    """
    lines = compared(first, second)
    print('\n'.join(lines) if lines else 'equal settings, data and versions')


def compared(first: str | Path, second: str | Path) -> list[str]:
    """Return differences, such as 'train.epochs: 5 -> 10'.

    Raises:
        UserError: a folder holds no run, or a damaged one.
    """
    old, new = _described(first), _described(second)
    return [
        f'{key}: {_shown(before)} -> {_shown(after)}'
        for key, before, after in differences(old, new)
    ]


def _described(folder):
    """Return settings, data and versions of a run."""
    path = absolute(folder, 'RUN')
    if not (path / files.CONFIG).exists():
        raise UserError(f'{folder}: is not the folder of a run; name two of them: diff RUN RUN')
    config = RunConfig.read(path)
    described = {**config.settings, 'fingerprint of the data': config.data[:DIGITS]}
    # An unfinished run has no results yet.
    if (path / files.RESULTS).exists():
        described['versions'] = results.read(path).versions
    return described


def _shown(value):
    if value is None:
        return MISSING
    return "''" if value == '' else value
