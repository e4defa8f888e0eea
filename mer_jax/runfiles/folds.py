"""folds.csv: what each fold trains on and tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing

MARK = 'test_'  # begins the column of a class
AGAIN = 'restore it, or train into another --workdir'


class FoldRow(NamedTuple):
    """One fold of one seed."""

    fold: int  # from 0
    title: str  # the left-out subject, or the number of a group
    dataset: str  # of the tested rows; several are joined by +
    subjects: int  # that are tested
    train: int  # rows of the data set
    made: int  # synthetic rows that train beside them
    test: int
    tested: tuple[int, ...]  # tested rows of each class


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

    @property
    def header(self) -> list[str]:
        """Return the columns of the file."""
        return [*COLUMNS, *(MARK + title for title in self.classes)]

    def cells(self) -> list[list]:
        """Return the rows of the file."""
        return [[*row[:-1], *row.tested] for row in self.rows]

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
        columns = [name for name in table.header if name.startswith(MARK)]
        allowed = COLUMNS | dict.fromkeys(columns, shapes.COUNT)
        records = reading.checked_rows(table, allowed, again=AGAIN)
        rows = []
        for number, record in enumerate(records):
            tested = tuple(record[name] for name in columns)
            row = FoldRow(*(record[name] for name in COLUMNS), tested)
            if row.fold != number:
                raise UserError(
                    f'{table.path}, row {number + 2}: fold is {row.fold}; allowed: {number}, as '
                    f'folds stand in order; {AGAIN}'
                )
            if columns and sum(tested) != row.test:
                raise UserError(
                    f'{table.path}, row {number + 2}: test is {row.test}; allowed: '
                    f'{sum(tested)}, the sum over its classes; {AGAIN}'
                )
            rows.append(row)
        return cls(tuple(name.removeprefix(MARK) for name in columns), tuple(rows))
