"""held_out.npy: predictions for held-out rows after every epoch."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing

MOST_EPOCHS = 200_000  # results.json lists the scores of each, and may have reading.MOST_JSON bytes


@dataclass(frozen=True)
class EpochOutputs:
    """held_out.npy: the outputs of every epoch; rows as in predictions.csv."""

    FILE: ClassVar[str] = files.EPOCH_OUTPUTS

    values: np.ndarray  # float32[epochs, rows, classes]; NaN for epochs whose outputs were not kept

    def write(self, folder: str | Path) -> None:
        """Write held_out.npy into the folder of a run."""
        writing.write_array(Path(folder) / self.FILE, self.values)

    @classmethod
    def read(cls, folder: str | Path, rows: int | None = None, classes: int | None = None) -> Self:
        """Read the outputs of the run in `folder`.

        Args:
            folder: of the run.
            rows: that predictions.csv has; None: any number.
            classes: of the run; None: any number.

        Raises:
            UserError: the file is damaged, or that of another run.
        """
        path = Path(folder) / cls.FILE
        values = reading.read_array(path)
        if values.ndim != 3 or values.dtype != np.float32:
            raise UserError(
                f'{path} holds {values.dtype}{list(values.shape)}; allowed: float32[epochs, '
                'rows, classes]; restore it, or give another --workdir'
            )
        shape = len(values), rows or values.shape[1], classes or values.shape[2]
        if values.shape != shape or not len(values):
            raise UserError(
                f'{path} has shape {list(values.shape)}; allowed: {list(shape)} as predictions.csv '
                'has, and one epoch at least; restore it, or give another --workdir'
            )
        return cls(values)

    @classmethod
    def open_memmap(cls, folder: str | Path) -> np.memmap:
        """Open the file; values assigned to it go to disk."""
        return np.load(Path(folder) / cls.FILE, mmap_mode='r+')
