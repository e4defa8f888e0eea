"""Runs of an audit, a grid or a leaderboard."""

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from mer_jax.errors import UserError
from mer_jax.runfiles import files
from mer_jax.runfiles.folder import absolute
from mer_jax.settings.fields import Value
from mer_jax.settings.sections import Settings

# train({setting: value that differs}, folder of the run) -> content of results.json
Train = Callable[[Mapping[str, Value], Path], dict]
Result = TypeVar('Result')


def parent(folder: str | Path, what: str) -> Path:
    """Return the absolute folder of several runs.

    Args:
        folder: that the user names.
        what: trains there, such as 'an audit', for the message.

    Raises:
        UserError: it is the folder of one run.
    """
    folder = absolute(folder)
    if (folder / files.CONFIG).exists():
        raise UserError(
            f'{folder} holds a run, but {what} trains several; name another folder with --workdir'
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
