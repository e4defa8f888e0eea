"""Runs of an audit, a grid or a leaderboard."""

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mer_jax.errors import UserError
from mer_jax.runfiles import files
from mer_jax.runfiles.folder import absolute, check
from mer_jax.settings.fields import Value
from mer_jax.settings.sections import Settings

# train({setting: value that differs}, folder of the run) -> content of results.json
Train = Callable[[Mapping[str, Value], Path], dict]
Result = TypeVar('Result')
# check({setting: value that differs}, folder of the run) raises UserError; nothing is trained
Check = Callable[[Mapping[str, Value], Path], None]


def parent(
    folder: str | Path, what: str, runs: Iterable[str] = (), tables: Iterable[str] = ()
) -> Path:
    """Return the absolute folder of several runs.

    Whatever would stop a later run is refused before the first one is trained.

    Args:
        folder: that the user names.
        what: trains there, such as 'an audit', for the message.
        runs: the names of the folders of all runs.
        tables: the names of the files that are written at the end.

    Raises:
        UserError: it is the folder of one run, or one of the runs or files could not be written.
    """
    folder = absolute(folder)
    if (folder / files.CONFIG).exists():
        raise UserError(
            f'{folder} holds a run, but {what} trains several; name another folder with --workdir'
        )
    for name in runs:
        check(folder / name)
    for name in tables:
        if (folder / name).is_dir():
            raise UserError(
                f'{folder / name}: is a folder, where {what} writes a file; remove it, or name '
                'another --workdir'
            )
    if (folder / files.PLOTS).exists() and not (folder / files.PLOTS).is_dir():
        raise UserError(
            f'{folder / files.PLOTS}: is a file, where {what} keeps a folder; remove it, or name '
            'another --workdir'
        )
    return folder


def quietly(work: Callable[..., Result], *values: Mapping | Settings | Path) -> Result:
    """Train or open a run without printing its report; return what the work returns.

    Args:
        work: takes the values.
        *values: such as the changes to settings, and the folder of the run.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return work(*values)
