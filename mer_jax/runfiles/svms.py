"""heads.csv and heads.npz: the support vector machines of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing


class SvmRow(NamedTuple):
    """One SVM of one fold."""

    title: str  # of the fold
    seed: int
    place: int  # from 1: a fold averages the best of its grid
    cost: float
    gamma: float
    inner_uf1: float | None  # UF1 of the inner folds; None where nothing was to choose
    support_vectors: int  # how many


POSITIVE = shapes.Number(1e-300)
COLUMNS = {
    'title': shapes.Text(),
    'seed': shapes.COUNT,
    'place': shapes.Number(1, whole=True),
    'cost': POSITIVE,
    'gamma': shapes.Number(0),
    'inner_uf1': shapes.Maybe(shapes.SHARE),
    'support_vectors': shapes.COUNT,
}


@dataclass(frozen=True)
class SvmTable:
    """heads.csv: what every fold chose."""

    FILE: ClassVar[str] = files.HEADS

    rows: tuple[SvmRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write heads.csv into the folder of a run."""
        rows = []
        for row in self.rows:
            uf1 = '' if row.inner_uf1 is None else f'{row.inner_uf1:.4f}'
            rows.append([*row[:3], f'{row.cost:g}', f'{row.gamma:g}', uf1, row.support_vectors])
        writing.write_csv(Path(folder) / self.FILE, SvmRow._fields, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the SVMs of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        return cls(tuple(SvmRow(**record) for record in reading.checked_rows(table, COLUMNS)))


class SupportVectors(NamedTuple):
    """What one SVM decides by."""

    support: np.ndarray  # int32[s]: rows of the data set, n more in the mirror
    dual: np.ndarray  # float32[classes - 1, s]
    intercept: np.ndarray  # float32[pairs of classes]


@dataclass(frozen=True)
class SvmArrays:
    """heads.npz: the support vectors of every SVM."""

    FILE: ClassVar[str] = files.SUPPORT_VECTORS

    svms: dict[tuple[int, int], SupportVectors]  # by (number of the run, place from 1)

    def write(self, folder: str | Path) -> None:
        """Write heads.npz into the folder of a run."""
        arrays = {}
        for (run, place), vectors in self.svms.items():
            for name, array in vectors._asdict().items():
                arrays[f'{run}_{place}_{name}'] = array
        with writing.replacing(Path(folder) / self.FILE) as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the SVMs of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        arrays = reading.read_npz(path)
        svms = {}
        try:
            for key in arrays:
                run, place, _ = key.split('_')
                vectors = [arrays[f'{run}_{place}_{name}'] for name in SupportVectors._fields]
                svms[int(run), int(place)] = SupportVectors(*vectors)
        except (KeyError, ValueError) as error:
            raise UserError(f'{path}: lacks {error}; {reading.AGAIN}') from None
        for (run, place), vectors in svms.items():
            count = len(vectors.support)
            if vectors.dual.shape[-1] != count or not np.isfinite(vectors.dual).all():
                raise UserError(
                    f'{path}: {run}_{place}_dual is of shape {vectors.dual.shape}; allowed: finite '
                    f'numbers, {count} in a row, as many as support vectors; {reading.AGAIN}'
                )
        return cls(svms)
