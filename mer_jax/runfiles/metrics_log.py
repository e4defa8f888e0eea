"""metrics.jsonl: one line per epoch and group of runs.

Here a run is one fold with one seed. A group is the runs that are in memory together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing


class EpochRecord(NamedTuple):
    """One epoch of one group of runs."""

    epoch: int  # from 1
    group: int  # from 0
    runs: int  # in the group
    seconds: float  # that the epoch took
    # {loss, loss_min, loss_max, ...}: mean, minimum and maximum over the runs; None: not finite
    figures: dict[str, float | None]

    def to_json(self) -> dict:
        """Return the record as the dictionary of its line."""
        return {**dict(zip(FIELDS, self[:4], strict=True)), **self.figures}


FIELDS = {
    'epoch': shapes.Number(1, whole=True),
    'group': shapes.COUNT,
    'runs': shapes.Number(1, whole=True),
    'seconds': shapes.Number(0),
}
FIGURE = shapes.Maybe(shapes.Number())
REMEDY = 'delete the line or start in another --workdir'


@dataclass(frozen=True)
class MetricsLog:
    """metrics.jsonl: the log of the training."""

    FILE: ClassVar[str] = files.METRICS

    records: tuple[EpochRecord, ...]

    def write(self, folder: str | Path) -> None:
        """Replace metrics.jsonl in the folder of a run."""
        lines = writing.jsonl(record.to_json() for record in self.records)
        writing.write_text(Path(folder) / self.FILE, lines)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the log of the run in `folder`.

        A last line that a kill cut short is left out.

        Raises:
            UserError: another line is damaged; names its number and key.
        """
        path = Path(folder) / cls.FILE
        records = []
        for number, line in enumerate(reading.read_jsonl(path), 1):
            path_and_line = f'{path}, line {number}'
            shapes.check(line, FIELDS, path_and_line, remedy=REMEDY)
            figures = {key: value for key, value in line.items() if key not in FIELDS}
            shapes.check(figures, shapes.MapOf(FIGURE), path_and_line, remedy=REMEDY)
            records.append(EpochRecord(*(line[key] for key in FIELDS), figures))
        return cls(tuple(records))


def append(folder: str | Path, records: Sequence[EpochRecord]) -> None:
    """Append records to metrics.jsonl; return once they are stored."""
    lines = [record.to_json() for record in records]
    writing.append_jsonl(Path(folder) / files.METRICS, lines)


def cut(folder: str | Path, group: int, epoch: int) -> None:
    """Remove a group's records of epochs later than `epoch`.

    A half-written last line goes as well. A missing file stays missing.
    """
    if not (Path(folder) / files.METRICS).exists():
        return
    records = MetricsLog.read(folder).records
    kept = [record for record in records if record.group != group or record.epoch <= epoch]
    MetricsLog(tuple(kept)).write(folder)
