"""stacks.csv and stacks.npz: how each fold combines the members of a stack."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.runfiles import arrays, files, reading, shapes, writing


class StackRow(NamedTuple):
    """One number of the combination of one fold."""

    title: str  # of the fold
    seed: int
    kind: str  # 'weight' of a member, or 'offset' of a class
    name: str  # of the member, or of the class
    value: float


COLUMNS = {
    'title': shapes.Text(),
    'seed': shapes.COUNT,
    'kind': shapes.Text(('weight', 'offset')),
    'name': shapes.Text(),
    'value': shapes.Number(),
}


@dataclass(frozen=True)
class StackTable:
    """stacks.csv: the weights and offsets that each fold fitted."""

    FILE: ClassVar[str] = files.STACKS

    rows: tuple[StackRow, ...]

    def weights(self) -> dict[str, list[float]]:
        """Return {member: its weight in each fold and seed}."""
        weights: dict[str, list[float]] = {}
        for row in self.rows:
            if row.kind == 'weight':
                weights.setdefault(row.name, []).append(row.value)
        return weights

    def mean_weights(self) -> dict[str, float]:
        """Return {member: its mean weight}."""
        return {name: sum(values) / len(values) for name, values in self.weights().items()}

    def write(self, folder: str | Path) -> None:
        """Write stacks.csv into the folder of a run."""
        rows = [[*row[:4], f'{row.value:.6g}'] for row in self.rows]
        writing.write_csv(Path(folder) / self.FILE, StackRow._fields, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the combinations of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        return cls(reading.read_rows(Path(folder) / cls.FILE, StackRow, COLUMNS))


class Stack(NamedTuple):
    """A fitted combination of M members."""

    weight: np.ndarray  # float64[M], not negative, of scores over their spread
    spread: np.ndarray  # float64[M], root mean square of the scores around their mean over classes
    offset: np.ndarray  # float64[K]


@dataclass(frozen=True)
class StackArrays:
    """stacks.npz: the combinations as they were fitted; those of stacks.csv are rounded."""

    FILE: ClassVar[str] = files.STACK_ARRAYS

    fitted: dict[tuple[int, int], Stack]  # by (number of the run, 1)

    def write(self, folder: str | Path) -> None:
        """Write stacks.npz into the folder of a run."""
        arrays.write(Path(folder) / self.FILE, self.fitted)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the combinations of the run in `folder`.

        Raises:
            UserError: the file is missing or damaged.
        """
        path = Path(folder) / cls.FILE
        fitted, _ = arrays.read(path, Stack)
        for key, one in fitted.items():
            finite = np.isfinite(np.concatenate([one.weight, one.spread, one.offset])).all()
            if one.weight.shape != one.spread.shape or not finite:
                allowed = 'finite numbers, as many as of spread'
                arrays.refuse(path, key, 'weight', one.weight, allowed)
        return cls(fitted)
