"""intervals.csv: the intervals that a search spotted in recordings, of this or other software."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.errors import UserError
from mer_jax.evaluation.intervals import KINDS
from mer_jax.runfiles import reading, shapes, writing


class IntervalRow(NamedTuple):
    """One spotted interval. Frame numbers are those of the recording's files."""

    recording: str
    onset: int
    offset: int
    apex: int | None = None
    kind: str = ''  # of KINDS; '': by its length
    strength: float | None = None  # in multiples of the recording's noise floor
    clip: str = ''  # the annotated expression that it hits; '' none


FRAME = shapes.Number(0, whole=True)
REQUIRED = {'recording': shapes.Text(), 'onset': FRAME, 'offset': FRAME}
OPTIONAL = {
    'apex': shapes.Maybe(FRAME),
    'kind': shapes.Text(('', *KINDS)),
    'strength': shapes.Maybe(shapes.Number(0)),
    'clip': shapes.Text(),
}
REMEDY = (
    f'needed: a CSV file in UTF-8 with the columns {", ".join(REQUIRED)} (frame numbers as in the '
    'names of the files), and where there are some apex, kind and strength'
)


@dataclass(frozen=True)
class IntervalTable:
    """Spotted intervals of any number of recordings."""

    FILE: ClassVar[str] = 'intervals.csv'

    rows: tuple[IntervalRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write intervals.csv into a folder; what is unknown is empty."""
        rows = []
        for row in self.rows:
            rows.append(['' if cell is None else cell for cell in row])
        writing.write_csv(Path(folder) / self.FILE, IntervalRow._fields, rows)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a table of intervals; columns with other names are passed over.

        Args:
            path: of the file.

        Raises:
            UserError: names the file, the row and the column of what is wrong.
        """
        table = reading.read_csv(path)
        header = [name.strip('\ufeff ') for name in table.header]  # Excel begins with a mark
        optional = {name: shape for name, shape in OPTIONAL.items() if name in header}
        columns = REQUIRED | optional
        records = reading.checked_rows(
            table._replace(header=header), columns, rest=shapes.Text(), remedy=REMEDY
        )
        rows = []
        for number, record in enumerate(records, 2):
            row = IntervalRow(**{name: record[name] for name in columns})
            _check(row, f'{table.path}, row {number}')
            rows.append(row)
        return cls(tuple(rows))


def _check(row, where):
    """Refuse a row whose key frames contradict each other."""
    if row.offset < row.onset:
        raise UserError(
            f'{where}: offset is {row.offset}; allowed: {row.onset} (the onset) or later'
        )
    if row.apex is not None and not row.onset <= row.apex <= row.offset:
        raise UserError(
            f'{where}: apex is {row.apex}; allowed: {row.onset} to {row.offset}, or none'
        )
