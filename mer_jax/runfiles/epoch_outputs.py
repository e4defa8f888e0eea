"""held_out.npy: what the networks answer for the rows they did not see, after every epoch."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing


@dataclass(frozen=True)
class EpochOutputs:
    """held_out.npy: the outputs of every epoch; rows as in predictions.csv."""

    FILE: ClassVar[str] = files.HELD_OUT

    values: np.ndarray  # float32[epochs, rows, classes]; NaN where an epoch left none

    def write(self, folder: str | Path) -> None:
        """Write held_out.npy into the folder of a run."""
        writing.write_array(Path(folder) / self.FILE, self.values)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The outputs of the run in `folder`; UserError where the file is damaged."""
        path = Path(folder) / cls.FILE
        values = reading.read_array(path)
        if values.ndim != 3 or values.dtype != np.float32:
            raise UserError(
                f'{path} holds {values.dtype}{list(values.shape)}; allowed: float32 of epochs, '
                'rows and classes; restore it, or give another --workdir'
            )
        return cls(values)

    @classmethod
    def opened(cls, folder: str | Path) -> np.memmap:
        """The outputs as they stand on disk; what is assigned to them is written there."""
        return np.load(Path(folder) / cls.FILE, mmap_mode='r+')
