"""apexes.csv: the apex that a spotting run predicts for each clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing


class ApexRow(NamedTuple):
    """What the spotter of one fold predicts for one clip; places are numbers of frames."""

    clip: str
    subject: str
    dataset: str
    fold: int
    title: str  # of the fold: its left-out subject
    seed: int
    left_out: bool  # False: the clip has no apex to train on, and every fold predicts one
    onset: int
    apex: int | None  # None where nobody annotated it
    offset: int
    answers: dict[str, int]  # {decoder: frame}


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
    """apexes.csv: a row for every clip and every fold that predicts its apex."""

    FILE: ClassVar[str] = files.APEXES

    decoders: tuple[str, ...]
    rows: tuple[ApexRow, ...]

    @property
    def header(self) -> list[str]:
        """Return the columns of the file."""
        return [*COLUMNS, *self.decoders]

    def cells(self) -> list[list]:
        """Return the rows of the file; an apex that nobody annotated is an empty cell."""
        rows = []
        for row in self.rows:
            apex = '' if row.apex is None else row.apex
            predicted = [row.answers[name] for name in self.decoders]
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
                    f'{table.path}, row {number}: offset is {record["offset"]}; allowed: from '
                    f'{record["onset"]}, the onset; {reading.AGAIN}'
                )
            answers = {name: record.pop(name) for name in decoders}
            rows.append(ApexRow(**record, answers=answers))
        return cls(decoders, tuple(rows))
