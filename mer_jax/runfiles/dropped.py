"""dropped.csv: the clips that a run does not use."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing


class DroppedClip(NamedTuple):
    """A clip that is not used, and why."""

    clip: str
    subject: str
    dataset: str
    emotion: str
    reason: str


@dataclass(frozen=True)
class DroppedTable:
    """dropped.csv: the clips that a run does not use."""

    FILE: ClassVar[str] = files.DROPPED

    rows: tuple[DroppedClip, ...]

    def write(self, folder: str | Path) -> None:
        """Write dropped.csv into the folder of a run."""
        writing.write_csv(Path(folder) / self.FILE, DroppedClip._fields, self.rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the dropped clips of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        columns = dict.fromkeys(DroppedClip._fields, shapes.Text())
        return cls(reading.read_rows(Path(folder) / cls.FILE, DroppedClip, columns))
