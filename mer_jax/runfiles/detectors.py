"""detectors.csv: the SVMs of a run that detect action units."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing


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
        header = DetectorRow._fields[:-1]
        if any(row.drawn_weight is not None for row in self.rows):
            header = DetectorRow._fields
            for cells, row in zip(rows, self.rows, strict=True):
                cells.append('' if row.drawn_weight is None else f'{row.drawn_weight:g}')
        writing.write_csv(Path(folder) / self.FILE, header, rows)

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
