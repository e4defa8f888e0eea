"""What audit and grid share: one experiment trained several times, each run in a folder of its own
below theirs.
"""

import contextlib
import io

from mer_jax.errors import UserError
from mer_jax.runfiles import files
from mer_jax.runfiles.folder import absolute


def parent(folder, what: str):
    """The absolute folder of several runs; UserError where it is that of one run. what: 'an
    audit'.
    """
    folder = absolute(folder)
    if (folder / files.CONFIG).exists():
        raise UserError(
            f'{folder} holds a run; {what} trains several: name another folder with --workdir'
        )
    return folder


def quietly(train, changes: dict, folder) -> dict:
    """results.json of train(changes, folder), without its report, which would bury that of the
    whole.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return train(changes, folder)
