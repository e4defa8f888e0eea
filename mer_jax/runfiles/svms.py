"""heads.csv and heads.npz: the SVMs of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.runfiles import arrays, files, reading, shapes, writing


class SvmRow(NamedTuple):
    """One SVM of one fold, or what fits in its place."""

    title: str  # of the fold
    seed: int
    place: int  # rank in the grid of the fold, 1 is the best; the top_k best are used
    cost: float
    gamma: float
    inner_uf1: float | None  # UF1 of the inner folds; None where the grid has one entry
    support_vectors: int  # how many
    training_accuracy: float | None = None  # on the rows it was fitted to; None in older files
    drawn_weight: float | None = None  # of drawn faces; None where none trained
    member: str | None = None  # of a stack, as in head.members; 'ridge' of regressions alone


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
TRAINING = 'training_accuracy'  # the column that older files lack
DRAWN = 'drawn_weight'  # the column that files without drawn faces lack
MEMBER = 'member'  # the column that files of SVMs alone lack


@dataclass(frozen=True)
class SvmTable:
    """heads.csv: the SVMs that each fold chose."""

    FILE: ClassVar[str] = files.SVM_TABLE

    rows: tuple[SvmRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write heads.csv into the folder of a run."""
        rows = []
        for row in self.rows:
            shares = [
                '' if share is None else f'{share:.4f}'
                for share in (row.inner_uf1, row.training_accuracy)
            ]
            choice = f'{row.cost:g}', f'{row.gamma:g}', shares[0]
            rows.append([*row[:3], *choice, row.support_vectors, shares[1]])
        columns = SvmRow._fields[:-1]
        weights = [row.drawn_weight for row in self.rows]
        columns, rows = writing.with_last(columns, rows, weights)
        members = [row.member for row in self.rows]
        table = writing.with_last([*columns, MEMBER], rows, members)
        writing.write_csv(Path(folder) / self.FILE, *table)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the SVMs of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        columns = dict(COLUMNS)
        if TRAINING in table.header:
            columns[TRAINING] = shapes.Maybe(shapes.SHARE)
        if DRAWN in table.header:
            columns[DRAWN] = shapes.Number(0)
        if MEMBER in table.header:
            columns[MEMBER] = shapes.Text()
        return cls(tuple(SvmRow(**record) for record in reading.checked_rows(table, columns)))


class SupportVectors(NamedTuple):
    """The fitted SVM, as scikit-learn's SVC stores it."""

    support: np.ndarray  # int32[s], row numbers; the mirror image of row i is i + n (n rows)
    dual: np.ndarray  # float32[classes - 1, s], coefficients of the support vectors
    intercept: np.ndarray  # float32[pairs of classes]


@dataclass(frozen=True)
class SvmArrays:
    """heads.npz: the support vectors of every SVM."""

    FILE: ClassVar[str] = files.SVM_ARRAYS

    svms: dict[tuple[int, int], SupportVectors]  # by (number of the run, rank from 1)

    def write(self, folder: str | Path) -> None:
        """Write heads.npz into the folder of a run."""
        arrays.write(Path(folder) / self.FILE, self.svms)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the SVMs of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        svms, _ = arrays.read(path, SupportVectors)
        for key, vectors in svms.items():
            count = len(vectors.support)
            if vectors.dual.shape[-1] != count or not np.isfinite(vectors.dual).all():
                allowed = f'finite numbers, one column for each of the {count} support vectors'
                arrays.refuse(path, key, 'dual', vectors.dual, allowed)
        return cls(svms)
