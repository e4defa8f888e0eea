"""predictions.csv of a run that detects action units: what each fold predicts for its clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.runfiles import files, reading, shapes, writing
from mer_jax.runfiles.predictions import COMMON_COLUMNS
from mer_jax.types import Names, Predictions

TRUTH, OUTPUT = 'truth_', 'output_'  # begin the columns of a unit


class UnitRow(NamedTuple):
    """What one fold predicts for one held-out clip."""

    clip: str
    subject: str
    dataset: str
    fold: int
    seed: int
    truth: dict[str, bool | None]  # {unit: whether it is present}; None: unknown
    outputs: dict[str, float]  # {unit: logit or decision value}; above 0 it is detected


@dataclass(frozen=True)
class UnitTable:
    """predictions.csv of action units."""

    FILE: ClassVar[str] = files.PREDICTIONS

    units: tuple[str, ...]  # such as 'AU12', in the order of the outputs
    rows: tuple[UnitRow, ...]

    @classmethod
    def of(cls, predictions: Predictions, truth: np.ndarray, names: Names) -> Self:
        """Return the table of a run.

        Args:
            predictions: of all folds and seeds; output [R, A].
            truth: float32[R, A], 1 present, 0 absent, NaN unknown.
            names: `classes` are the units.
        """
        rows = []
        for i, (present, outputs) in enumerate(zip(truth, predictions.output, strict=True)):
            known = [None if np.isnan(value) else bool(value) for value in present]
            rounded = [float(f'{value:.6g}') for value in outputs]
            row = UnitRow(
                clip=names.clips[predictions.clip[i]],
                subject=names.subjects[predictions.subject[i]],
                dataset=names.datasets[predictions.dataset[i]],
                fold=int(predictions.fold[i]),
                seed=int(predictions.seed[i]),
                truth=dict(zip(names.classes, known, strict=True)),
                outputs=dict(zip(names.classes, rounded, strict=True)),
            )
            rows.append(row)
        return cls(tuple(names.classes), tuple(rows))

    def write(self, folder: str | Path) -> None:
        """Write predictions.csv into the folder of a run.

        A unit has two columns: the truth, empty where it is unknown, and the output.
        """
        header = list(COMMON_COLUMNS)
        for unit in self.units:
            header += [TRUTH + unit, OUTPUT + unit]
        rows = []
        for row in self.rows:
            cells = list(row[:5])
            for unit in self.units:
                truth = row.truth[unit]
                cells += ['' if truth is None else int(truth), f'{row.outputs[unit]:.6g}']
            rows.append(cells)
        writing.write_csv(Path(folder) / self.FILE, header, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the predictions of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        titles = [name for name in table.header if name.startswith(OUTPUT)]
        units = tuple(name.removeprefix(OUTPUT) for name in titles)
        columns = dict(COMMON_COLUMNS)
        for unit in units:
            columns[TRUTH + unit] = shapes.Maybe(shapes.Flag())
            columns[OUTPUT + unit] = shapes.Number()
        rows = []
        for record in reading.checked_rows(table, columns):
            truth = {unit: record.pop(TRUTH + unit) for unit in units}
            outputs = {unit: record.pop(OUTPUT + unit) for unit in units}
            rows.append(UnitRow(**record, truth=truth, outputs=outputs))
        return cls(units, tuple(rows))
