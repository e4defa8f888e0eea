"""choices.csv: the learning rate and the number of epochs that each fold chose."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax.runfiles import files, reading, shapes, writing

REMEDY = 'restore it, or train into another --workdir'


class ChoiceRow(NamedTuple):
    """One learning rate and number of epochs that a fold could choose."""

    title: str  # of the fold
    learning_rate: float
    epochs: int
    uf1: float | None  # of the training subjects, each left out once; None where training diverged
    chosen: int  # 1: the choice of the fold; 0


COLUMNS = {
    'title': shapes.Text(),
    'learning_rate': shapes.Number(1e-300),
    'epochs': shapes.COUNT,
    'uf1': shapes.Maybe(shapes.SHARE),
    'chosen': shapes.COUNT,
}


@dataclass(frozen=True)
class ChoiceTable:
    """choices.csv: what each fold could choose, and chose."""

    FILE: ClassVar[str] = files.CHOICES

    rows: tuple[ChoiceRow, ...]

    @property
    def chosen(self) -> list[ChoiceRow]:
        """Return the choice of each fold, in the order of the folds."""
        return [row for row in self.rows if row.chosen]

    def describe(self) -> str:
        """Return what the folds chose, in words, with the number of folds in brackets."""
        chosen = self.chosen
        words = []
        for name in ('learning_rate', 'epochs'):
            counts = Counter(getattr(row, name) for row in chosen)
            values = [f'{value:g} ({counts[value]})' for value in sorted(counts)]
            words.append(f'{name.replace("_", " ")} {", ".join(values)}')
        return f'{"; ".join(words)} of {len(chosen)} folds'

    def write(self, folder: str | Path) -> None:
        """Write choices.csv into the folder of a run."""
        rows = [['' if value is None else value for value in row] for row in self.rows]
        writing.write_csv(Path(folder) / self.FILE, ChoiceRow._fields, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the choices of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        return cls(reading.read_rows(Path(folder) / cls.FILE, ChoiceRow, COLUMNS, REMEDY))
