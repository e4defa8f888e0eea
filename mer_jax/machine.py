"""What this machine offers: its cores, its name, its folders, the versions of its packages."""

import contextlib
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mer_jax import provenance
from mer_jax.errors import UserError

LONGEST_NAME = 255  # bytes of one name in a path, on nearly all file systems
ROOM = 300  # bytes of a path that the files in a folder of the user's may need


def cores() -> int:
    """Cores that this process may use."""
    # macOS lacks the first
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def versions() -> dict:
    """Python and the packages that decide the bits of a result, by name."""
    found = {'python': platform.python_version()}
    for name in (
        'jax',
        'jaxlib',
        'flax',
        'optax',
        'orbax-checkpoint',
        'numpy',
        'tensorflow-datasets',
    ):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'source'
    return found | {'mer_jax': provenance.VERSION}


def host() -> list:
    """Name and kind of this machine."""
    return [platform.node(), platform.machine()]


def absolute(path: str | Path, key: str) -> Path:
    """Return an absolute path, ~ resolved.

    Args:
        path: as the user wrote it.
        key: what names it, for the message: 'workdir'.

    Raises:
        UserError: no home folder is known for its ~, or a name in it, or all of it, is too long.
    """
    for name in Path(path).parts:
        size = len(os.fsencode(name))
        if size > LONGEST_NAME:
            raise UserError(
                f"{key} '{name[:20]}...': this name has {size} bytes; allowed: {LONGEST_NAME} at "
                'most for each folder or file of a path; shorten it'
            )
    try:
        whole = Path(path).expanduser().absolute()
    except RuntimeError:
        user = Path(path).parts[0]
        raise UserError(
            f"{key} '{path}': {user} is no home folder on this machine; write the whole path"
        ) from None
    size, most = len(os.fsencode(whole)), os.pathconf('/', 'PC_PATH_MAX') - ROOM
    if size > most:
        raise UserError(
            f"{key} '{str(path)[:20]}...': this path has {size} bytes; allowed: {most} at most; "
            'name a folder nearer to the top'
        )
    return whole


@contextlib.contextmanager
def leaving_no_empty_folders(folder: Path) -> Iterator[None]:
    """Remove the folders that the block creates and leaves empty, where it fails.

    Args:
        folder: absolute; it and the folders above it count.
    """
    created = [level for level in (folder, *folder.parents) if not level.exists()]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first that holds something ends it
            for level in created:
                level.rmdir()
        raise


def home() -> Path:
    """Return the user's home folder, or one in the temporary folder where there is none.

    A container may run under a user id that has no home.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f'home-{os.getuid()}'
