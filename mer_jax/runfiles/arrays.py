"""What files of arrays share: a named tuple of arrays for each run and rank."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import reading, writing

Fitted = TypeVar('Fitted', bound=NamedTuple)  # its fields are arrays


def write(
    path: Path,
    fitted: Mapping[tuple[int, int], NamedTuple],
    further: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write what was fitted into a .npz file.

    Args:
        path: of the file.
        fitted: by (number of the run, rank from 1).
        further: arrays of all runs together, by names without an underscore; None for none.
    """
    arrays = dict(further or {})
    for (run, rank), values in fitted.items():
        for name, array in values._asdict().items():
            arrays[f'{run}_{rank}_{name}'] = array
    with writing.replacing(path) as file:
        np.savez_compressed(file, **arrays)


def read(path: Path, kind: type[Fitted]) -> tuple[dict[tuple[int, int], Fitted], dict]:
    """Read what `write` wrote.

    Args:
        path: of the file.
        kind: of the tuples.

    Returns:
        What was fitted, and the further arrays.

    Raises:
        UserError: the file is missing or damaged, or a tuple lacks an array.
    """
    if not path.exists():
        raise UserError(f'{path}: is missing, as of a run by an older version; {reading.REMEDY}')
    arrays = reading.read_npz(path)
    fitted, further = {}, {}
    try:
        for key in arrays:
            if '_' not in key:
                further[key] = arrays[key]
                continue
            run, rank, _ = key.split('_')
            values = [arrays[f'{run}_{rank}_{name}'] for name in kind._fields]
            fitted[int(run), int(rank)] = kind(*values)
    except (KeyError, ValueError) as error:
        raise UserError(f'{path}: lacks {error}; {reading.REMEDY}') from None
    return fitted, further


def of_run(path: Path, fitted: Mapping[tuple[int, int], Fitted], run: int) -> list[Fitted]:
    """Return what one run fitted, by rank.

    Args:
        path: of the file, for the message.
        fitted: of all runs.
        run: its number.

    Raises:
        UserError: the file lacks the run.
    """
    ranked = [fitted[key] for key in sorted(fitted) if key[0] == run]
    if not ranked:
        raise UserError(f'{path}: lacks run {run}; {reading.REMEDY}')
    return ranked


def refuse(path: Path, key: tuple[int, int], name: str, array: np.ndarray, allowed: str) -> None:
    """Refuse an array of a file.

    Args:
        path: of the file.
        key: number of the run, and rank.
        name: of the array.
        array: what the file holds.
        allowed: what would be right.

    Raises:
        UserError: always.
    """
    run, rank = key
    raise UserError(
        f'{path}: {run}_{rank}_{name} is of shape {array.shape}; allowed: {allowed}; '
        f'{reading.REMEDY}'
    )
