"""fold_outputs/: what the user's code predicted, a file for each finished fold and seed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing


@dataclass(frozen=True)
class FoldOutput:
    """fold_outputs/seed_0_fold_12.npz: what is predicted for the test rows of one fold."""

    values: np.ndarray  # float32[epochs, m, K], logits; one epoch where only the last is known
    seconds: float  # that fitting and predicting took

    def write(self, folder: str | Path, seed: int, fold: int) -> None:
        """Write the file into the folder of a run.

        Args:
            folder: of the run.
            seed: of the training.
            fold: its number.
        """
        path = path_of(folder, seed, fold)
        path.parent.mkdir(exist_ok=True)
        with writing.replacing(path) as file:
            np.savez(file, values=self.values, seconds=np.float64(self.seconds))

    @classmethod
    def read(cls, folder: str | Path, seed: int, fold: int) -> Self:
        """Read what one fold predicted.

        Args:
            folder: of the run.
            seed: of the training.
            fold: its number.

        Raises:
            UserError: the file is damaged.
        """
        path = path_of(folder, seed, fold)
        arrays = reading.read_npz(path)
        values, seconds = arrays.get('values'), arrays.get('seconds')
        fits = values is not None and values.ndim == 3 and values.dtype == np.float32
        if not fits or seconds is None or not np.isfinite(values).all():
            raise UserError(
                f'{path}: is damaged; delete it, and the same call trains this fold again'
            )
        return cls(values, float(seconds))


def path_of(folder: str | Path, seed: int, fold: int) -> Path:
    """Return the file of one fold and seed."""
    return Path(folder) / files.FOLD_OUTPUTS / f'seed_{seed}_fold_{fold}.npz'


def any_finished(folder: str | Path) -> bool:
    """Say whether the folder of a run holds any finished fold."""
    return any((Path(folder) / files.FOLD_OUTPUTS).glob('*.npz'))
