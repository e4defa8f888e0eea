"""folds.csv: how many rows each fold trains on and tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing

CLASS_PREFIX = 'test_'  # begins the column of a class
UNIT_PREFIX = 'present_'  # begins that of an action unit, of which a row shows several
REMEDY = 'restore it, or train into another --workdir'


class FoldRow(NamedTuple):
    """One fold; its numbers are those of seed 0."""

    fold: int  # from 0
    # what is left out (a subject, data set or group number), or the kind of split
    title: str
    dataset: str  # of the test rows; several are joined by +
    subjects: int  # in the test rows
    train_rows: int  # rows of the data set
    added_rows: int  # copies, mixtures or generated images, added for balance
    test_rows: int
    test_rows_per_class: tuple[int, ...]  # or that show each action unit


COLUMNS = {
    'fold': shapes.COUNT,
    'title': shapes.Text(),
    'dataset': shapes.Text(),
    'subjects': shapes.COUNT,
    'train': shapes.COUNT,
    'made': shapes.COUNT,
    'test': shapes.COUNT,
}


@dataclass(frozen=True)
class FoldTable:
    """folds.csv: the folds in order, from number 0."""

    FILE: ClassVar[str] = files.FOLDS

    classes: tuple[str, ...]
    rows: tuple[FoldRow, ...]
    multi_label: bool = False  # whether the classes are action units

    @property
    def header(self) -> list[str]:
        """Return the columns of the file."""
        prefix = UNIT_PREFIX if self.multi_label else CLASS_PREFIX
        return [*COLUMNS, *(prefix + title for title in self.classes)]

    def cells(self) -> list[list]:
        """Return the rows of the file."""
        return [[*row[:-1], *row.test_rows_per_class] for row in self.rows]

    def write(self, folder: str | Path) -> None:
        """Write folds.csv into the folder of a run."""
        writing.write_csv(Path(folder) / self.FILE, self.header, self.cells())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the folds of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        multi_label = any(name.startswith(UNIT_PREFIX) for name in table.header)
        prefix = UNIT_PREFIX if multi_label else CLASS_PREFIX
        columns = [name for name in table.header if name.startswith(prefix)]
        allowed = COLUMNS | dict.fromkeys(columns, shapes.COUNT)
        records = reading.checked_rows(table, allowed, remedy=REMEDY)
        rows = []
        for number, record in enumerate(records):
            per_class = tuple(record[name] for name in columns)
            row = FoldRow(*(record[name] for name in COLUMNS), per_class)
            if row.fold != number:
                raise UserError(
                    f'{table.path}, row {number + 2}: fold is {row.fold}; allowed: {number}, '
                    f'because folds stand in order; {REMEDY}'
                )
            if columns and not multi_label and sum(per_class) != row.test_rows:
                raise UserError(
                    f'{table.path}, row {number + 2}: test is {row.test_rows}; allowed: '
                    f'{sum(per_class)}, the sum over its classes; {REMEDY}'
                )
            rows.append(row)
        classes = tuple(name.removeprefix(prefix) for name in columns)
        return cls(classes, tuple(rows), multi_label)
