"""regressions.npz: the logistic regressions of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.runfiles import arrays, files


class Regression(NamedTuple):
    """A fitted regression as weights; the scale of the features is part of them."""

    weight: np.ndarray  # float64[k, D]; [1, D] of two classes, [0, D] of one
    intercept: np.ndarray  # float64[k], as many
    present: np.ndarray  # int32[classes with training rows], rising

    def fits(self, length: int, classes: int) -> bool:
        """Return whether the arrays have the shapes that they must have, and are finite.

        Args:
            length: D.
            classes: number of all classes.
        """
        present = self.present
        if present.ndim != 1 or not len(present) or not set(present.tolist()) <= {*range(classes)}:
            return False
        rows = {1: 0, 2: 1}.get(len(present), len(present))
        shapes = self.weight.shape, self.intercept.shape
        finite = np.isfinite(self.weight).all() and np.isfinite(self.intercept).all()
        return shapes == ((rows, length), (rows,)) and bool(finite)


@dataclass(frozen=True)
class RegressionArrays:
    """regressions.npz: the weights of every regression."""

    FILE: ClassVar[str] = files.REGRESSIONS

    fitted: dict[tuple[int, int], Regression]  # by (number of the run, rank from 1)

    def write(self, folder: str | Path) -> None:
        """Write regressions.npz into the folder of a run."""
        arrays.write(Path(folder) / self.FILE, self.fitted)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the regressions of the run in `folder`.

        Raises:
            UserError: the file is missing or damaged.
        """
        path = Path(folder) / cls.FILE
        fitted, _ = arrays.read(path, Regression)
        for key, one in fitted.items():
            length, classes = one.weight.shape[-1], 1 + int(one.present.max(initial=0))
            if not one.fits(length, classes):
                allowed = f'finite numbers, as for the {one.present.size} classes of `present`'
                arrays.refuse(path, key, 'weight', one.weight, allowed)
        return cls(fitted)
