"""predictions.csv: what each fold predicts for its held-out rows.

In recognition a row is a clip, or a frame of it, with its scores. In spotting it is a frame with
the output of the network.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.runfiles import files, reading, shapes, writing
from mer_jax.types import Names, Predictions

CLASS_PREFIX = 'score_'  # begins the column of a class


class PredictionRow(NamedTuple):
    """What one fold predicts for one held-out row."""

    clip: str
    subject: str
    dataset: str
    fold: int
    seed: int
    label: str
    predicted: str
    scores: dict[str, float]  # {class: softmax score from 0 to 1}
    frame: int = 0  # frame number where rows are frames, else 0


COMMON_COLUMNS = {
    **dict.fromkeys(('clip', 'subject', 'dataset'), shapes.Text()),
    **dict.fromkeys(('fold', 'seed'), shapes.COUNT),
}


@dataclass(frozen=True)
class PredictionTable:
    """predictions.csv of recognition."""

    FILE: ClassVar[str] = files.PREDICTIONS

    classes: tuple[str, ...]
    rows: tuple[PredictionRow, ...]

    @classmethod
    def of(cls, predictions: Predictions, names: Names) -> Self:
        """Return the table of a run.

        Indices become names; outputs become six-digit softmax scores.
        """
        scores = softmax(predictions.output)
        rows = []
        for i, predicted in enumerate(np.argmax(predictions.output, -1)):
            rounded = [float(f'{score:.6g}') for score in scores[i]]
            row = PredictionRow(
                clip=names.clips[predictions.clip[i]],
                subject=names.subjects[predictions.subject[i]],
                dataset=names.datasets[predictions.dataset[i]],
                fold=int(predictions.fold[i]),
                seed=int(predictions.seed[i]),
                label=names.classes[predictions.label[i]],
                predicted=names.classes[predicted],
                scores=dict(zip(names.classes, rounded, strict=True)),
                frame=int(predictions.frame[i]),
            )
            rows.append(row)
        return cls(tuple(names.classes), tuple(rows))

    def write(self, folder: str | Path) -> None:
        """Write predictions.csv into the folder of a run.

        It has a column `frame` only where rows are frames.
        """
        header = [*PredictionRow._fields[:7], *(CLASS_PREFIX + title for title in self.classes)]
        rows = []
        for row in self.rows:
            scores = [f'{row.scores[title]:.6g}' for title in self.classes]
            rows.append([*row[:7], *scores])
        if any(row.frame for row in self.rows):
            header.insert(1, 'frame')
            for cells, row in zip(rows, self.rows, strict=True):
                cells.insert(1, row.frame)
        writing.write_csv(Path(folder) / self.FILE, header, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the predictions of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        score_columns = [name for name in table.header if name.startswith(CLASS_PREFIX)]
        classes = tuple(name.removeprefix(CLASS_PREFIX) for name in score_columns)
        columns = COMMON_COLUMNS | dict.fromkeys(('label', 'predicted'), shapes.Text(classes))
        columns |= dict.fromkeys(score_columns, shapes.SHARE)
        if 'frame' in table.header:
            columns['frame'] = shapes.COUNT
        rows = []
        for record in reading.checked_rows(table, columns):
            scores = {title: record.pop(CLASS_PREFIX + title) for title in classes}
            rows.append(PredictionRow(**record, scores=scores))
        return cls(classes, tuple(rows))


def matches_results(rows: Sequence[PredictionRow], results: Mapping) -> bool:
    """Return whether a results.json was computed from these rows.

    Args:
        rows: of a predictions.csv.
        results: content of a results.json.
    """
    classes = results['classes']
    counts = Counter((row.label, row.predicted) for row in rows)
    confusion = [[counts[truth, predicted] for predicted in classes] for truth in classes]
    subjects = {(row.dataset, row.subject) for row in rows}
    scored = {(block['dataset'], block['subject']) for block in results['per_subject']}
    classes_known = sum(map(sum, confusion)) == len(rows)
    return classes_known and confusion == results['confusion'] and subjects == scored


class FrameRow(NamedTuple):
    """What one fold predicts for one held-out frame."""

    clip: str
    subject: str
    dataset: str
    fold: int
    seed: int
    frame: int  # its number
    output: float  # of the network; large near the apex


@dataclass(frozen=True)
class FrameTable:
    """predictions.csv of spotting."""

    FILE: ClassVar[str] = files.PREDICTIONS

    rows: tuple[FrameRow, ...]

    def write(self, folder: str | Path) -> None:
        """Write predictions.csv into the folder of a run.

        Outputs have six digits.
        """
        rows = [[*row[:6], f'{row.output:.6g}'] for row in self.rows]
        writing.write_csv(Path(folder) / self.FILE, FrameRow._fields, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the outputs of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        columns = COMMON_COLUMNS | {'frame': shapes.COUNT, 'output': shapes.Number()}
        return cls(reading.read_rows(Path(folder) / cls.FILE, FrameRow, columns))


def softmax(output: np.ndarray) -> np.ndarray:
    """Return the softmax scores of logits [..., K], float64[..., K]."""
    largest = np.max(output, -1, keepdims=True, initial=-np.inf)
    exponential = np.exp(np.asarray(output, np.float64) - largest)
    return exponential / exponential.sum(-1, keepdims=True)
