"""detectors.csv and detectors.npz: the SVMs of a run that detect action units."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import arrays, files, reading, shapes, writing


class DetectorRow(NamedTuple):
    """The SVM of one unit in one fold."""

    title: str  # of the fold
    seed: int
    unit: str
    place: int  # rank of its choice, 1 is the best; the outputs of top_k choices are averaged
    clips: int  # training clips of which the unit is known
    present: int  # of these, clips that show it
    cost: float | None  # None: too few clips show it, or all do; it is then predicted absent
    gamma: float | None
    inner_f1: float | None  # F1 of the inner folds; None where nothing was chosen
    support_vectors: int  # how many
    drawn_weight: float | None = None  # of drawn faces; None where none trained


POSITIVE = shapes.Maybe(shapes.Number(1e-300))
COLUMNS = {
    'title': shapes.Text(),
    'seed': shapes.COUNT,
    'unit': shapes.Text(),
    'place': shapes.Number(1, whole=True),
    'clips': shapes.COUNT,
    'present': shapes.COUNT,
    'cost': POSITIVE,
    'gamma': shapes.Maybe(shapes.Number(0)),
    'inner_f1': shapes.Maybe(shapes.SHARE),
    'support_vectors': shapes.COUNT,
}
DRAWN = 'drawn_weight'  # the column that files without drawn faces lack


@dataclass(frozen=True)
class DetectorTable:
    """detectors.csv: the detectors that each fold fitted."""

    FILE: ClassVar[str] = files.DETECTORS

    rows: tuple[DetectorRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write detectors.csv into the folder of a run."""
        rows = []
        for row in self.rows:
            choice = ['' if value is None else f'{value:g}' for value in (row.cost, row.gamma)]
            f1 = '' if row.inner_f1 is None else f'{row.inner_f1:.4f}'
            rows.append([*row[:6], *choice, f1, row.support_vectors])
        weights = [row.drawn_weight for row in self.rows]
        table = writing.with_last(DetectorRow._fields, rows, weights)
        writing.write_csv(Path(folder) / self.FILE, *table)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the detectors of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        columns = dict(COLUMNS)
        if DRAWN in table.header:
            columns[DRAWN] = shapes.Maybe(shapes.Number(0))
        return cls(tuple(DetectorRow(**row) for row in reading.checked_rows(table, columns)))

    def unfitted(self) -> dict[str, int]:
        """Return {unit: folds that predict it absent, for want of training clips}."""
        counts: dict[str, int] = {}
        for row in self.rows:
            if row.cost is None and row.place == 1:
                counts[row.unit] = counts.get(row.unit, 0) + 1
        return counts


class UnitSvms(NamedTuple):
    """The fitted SVMs of all units, with one choice."""

    gamma: np.ndarray  # float64[], of their kernel
    count: np.ndarray  # int32[A], support vectors of each unit; 0 without an SVM
    support: np.ndarray  # int32[s], row numbers, unit after unit; of mirror images, row + N
    dual: np.ndarray  # float64[s], their coefficients
    intercept: np.ndarray  # float64[A]


@dataclass(frozen=True)
class DetectorArrays:
    """detectors.npz: the detectors of a run, as they were fitted."""

    FILE: ClassVar[str] = files.DETECTOR_ARRAYS

    # float32[F, N, A], features that each run has of all clips; N is 0 where the outputs are those
    # of the run itself, no features
    outputs: np.ndarray
    svms: dict[tuple[int, int], UnitSvms]  # by (number of the run, rank from 1)

    def write(self, folder: str | Path) -> None:
        """Write detectors.npz into the folder of a run."""
        arrays.write(Path(folder) / self.FILE, self.svms, {'outputs': self.outputs})

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the detectors of the run in `folder`.

        Raises:
            UserError: the file is missing or damaged.
        """
        path = Path(folder) / cls.FILE
        svms, further = arrays.read(path, UnitSvms)
        outputs = further.get('outputs', np.zeros(0))
        if outputs.ndim != 3:
            raise UserError(f'{path}: lacks outputs of all runs; {reading.REMEDY}')
        for key, one in svms.items():
            total = int(one.count.sum())
            if len(one.support) != total or one.dual.shape != (total,):
                arrays.refuse(path, key, 'dual', one.dual, f'[{total}], as count says')
            if one.intercept.shape != one.count.shape or len(one.count) != outputs.shape[-1]:
                allowed = f'[{outputs.shape[-1]}], one for each unit'
                arrays.refuse(path, key, 'intercept', one.intercept, allowed)
        return cls(outputs, svms)
