"""The files of the folder explain/: the pictures of the verb explain, and feature importance."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing

IN_MONTAGE = 8  # clips of index.csv that montage.png shows, the first ones
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
        columns = dict.fromkeys(PictureRow._fields, shapes.Text())
        return cls(reading.read_rows(Path(folder) / cls.FILE, PictureRow, columns, REMEDY))


class ImportanceRow(NamedTuple):
    """What a group of features is worth to the SVMs of a run."""

    group: str
    kind: str  # 'features': one kind of features; 'region': the features of one face region
    features: int  # how many
    lost: float  # held-out accuracy that is lost when the features are permuted
    low: float | None  # of its 95 % interval over subjects; None for fewer than two subjects
    high: float | None
    p: float | None


IMPORTANCE = {
    'group': shapes.Text(),
    'kind': shapes.Text(('features', 'region')),
    'features': shapes.COUNT,
    'lost': shapes.Number(-1, 1),
    'low': shapes.Maybe(shapes.Number(-1, 1)),
    'high': shapes.Maybe(shapes.Number(-1, 1)),
    'p': shapes.Maybe(shapes.SHARE),
}


@dataclass(frozen=True)
class ImportanceTable:
    """importance.csv: permutation importance of the features of SVMs."""

    FILE: ClassVar[str] = files.IMPORTANCE

    rows: tuple[ImportanceRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write importance.csv into the folder explain/ of a run."""
        rows = [
            [*row[:3], *('' if figure is None else f'{figure:.6g}' for figure in row[3:])]
            for row in self.rows
        ]
        writing.write_csv(Path(folder) / self.FILE, ImportanceRow._fields, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the importance of features in the folder explain/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        return cls(reading.read_rows(Path(folder) / cls.FILE, ImportanceRow, IMPORTANCE, REMEDY))


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
