"""explain/index.csv and explain/captions.json: the pictures of the verb explain."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing

REMEDY = 'draw the pictures again: the same command with the verb explain'


class PictureRow(NamedTuple):
    """The picture of one clip."""

    clip: str
    subject: str
    dataset: str
    truth: str
    predicted: str
    action_units: str
    file: str  # its name
    background: str  # the picture under the maps, such as 'schematic face'


@dataclass(frozen=True)
class PictureTable:
    """index.csv: a row for each picture."""

    FILE: ClassVar[str] = files.INDEX

    rows: tuple[PictureRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write index.csv into the folder explain/ of a run."""
        writing.write_csv(Path(folder) / self.FILE, PictureRow._fields, self.rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the pictures in the folder explain/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        columns = dict.fromkeys(PictureRow._fields, shapes.Text())
        records = reading.checked_rows(table, columns, remedy=REMEDY)
        return cls(tuple(PictureRow(**record) for record in records))


@dataclass(frozen=True)
class Captions:
    """captions.json: what each picture shows, or why it is missing."""

    FILE: ClassVar[str] = files.CAPTIONS

    captions: dict[str, str]  # {file: sentence}

    def write(self, folder: str | Path) -> None:
        """Write captions.json into the folder explain/ of a run."""
        writing.write_json(Path(folder) / self.FILE, self.captions)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the captions in the folder explain/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        captions = reading.read_json(path)
        shapes.check(captions, shapes.MapOf(shapes.Text()), path, remedy=REMEDY)
        return cls(captions)
