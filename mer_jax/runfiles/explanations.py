"""index.csv and captions.json of the folder explain/: which pictures the verb explain drew."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing

AGAIN = 'draw the pictures again: the same command with the verb explain'


class PictureRow(NamedTuple):
    """The picture of one clip."""

    clip: str
    subject: str
    dataset: str
    truth: str
    predicted: str
    action_units: str
    file: str  # its name
    background: str  # what the maps are laid over


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
        records = reading.checked_rows(table, columns, again=AGAIN)
        return cls(tuple(PictureRow(**record) for record in records))


@dataclass(frozen=True)
class Captions:
    """captions.json: what a picture shows, or why it was not drawn."""

    FILE: ClassVar[str] = files.CAPTIONS

    words: dict[str, str]  # {file: sentence}

    def write(self, folder: str | Path) -> None:
        """Write captions.json into the folder explain/ of a run."""
        writing.write_json(Path(folder) / self.FILE, self.words)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the captions in the folder explain/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        words = reading.read_json(path)
        shapes.check(words, shapes.MapOf(shapes.Text()), path, again=AGAIN)
        return cls(words)
