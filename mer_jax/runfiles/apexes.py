"""apexes.csv: the apexes that a spotting run predicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing


class ApexRow(NamedTuple):
    """The apex that one fold predicts for one clip.

    onset, apex, offset and the predictions are frame numbers.
    """

    clip: str
    subject: str
    dataset: str
    fold: int
    title: str  # of the fold, as in folds.csv
    seed: int
    # True: this fold leaves the clip out. False: its apex is not annotated, so no fold trains on it
    # and every fold predicts it.
    left_out: bool
    onset: int
    apex: int | None  # as annotated; None where nobody annotated it
    offset: int
    predicted: dict[str, int]  # {decoder: frame}


FRAME = shapes.Number(whole=True)
COLUMNS = {
    'clip': shapes.Text(),
    'subject': shapes.Text(),
    'dataset': shapes.Text(),
    'fold': shapes.COUNT,
    'title': shapes.Text(),
    'seed': shapes.COUNT,
    'left_out': shapes.Flag(),
    'onset': FRAME,
    'apex': shapes.Maybe(FRAME),
    'offset': FRAME,
}


@dataclass(frozen=True)
class ApexTable:
    """apexes.csv: one row per predicted apex."""

    FILE: ClassVar[str] = files.APEXES

    decoders: tuple[str, ...]
    rows: tuple[ApexRow, ...]

    @property
    def header(self) -> list[str]:
        """Return the columns of the file."""
        return [*COLUMNS, *self.decoders]

    def cells(self) -> list[list]:
        """Return the rows; a missing apex is empty."""
        rows = []
        for row in self.rows:
            apex = '' if row.apex is None else row.apex
            predicted = [row.predicted[name] for name in self.decoders]
            rows.append([*row[:6], int(row.left_out), row.onset, apex, row.offset, *predicted])
        return rows

    def write(self, folder: str | Path) -> None:
        """Write apexes.csv into the folder of a run."""
        writing.write_csv(Path(folder) / self.FILE, self.header, self.cells())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the apexes of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        decoders = tuple(name for name in table.header if name not in COLUMNS)
        rows = []
        for number, record in enumerate(reading.checked_rows(table, COLUMNS, rest=FRAME), 2):
            if record['offset'] < record['onset']:
                raise UserError(
                    f'{table.path}, row {number}: offset is {record["offset"]}; allowed: '
                    f'{record["onset"]} (the onset) or later; {reading.REMEDY}'
                )
            predicted = {name: record.pop(name) for name in decoders}
            rows.append(ApexRow(**record, predicted=predicted))
        return cls(decoders, tuple(rows))
