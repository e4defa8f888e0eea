"""calibration.json: how far held-out scores are from probabilities."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mer_jax.evaluation import calibration
from mer_jax.evaluation.calibration import Calibrated
from mer_jax.evaluation.metrics import to_json
from mer_jax.runfiles import files, reading, shapes, writing
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.types import Names, Predictions

NOTE = (
    'The outputs of a subject are divided by a temperature that is fitted to the held-out outputs '
    'of all other subjects. Networks that made those outputs trained on this subject.'
)
BIN = {
    'low': shapes.SHARE,
    'high': shapes.SHARE,
    'rows': shapes.COUNT,
    'confidence': shapes.Maybe(shapes.SHARE),
    'accuracy': shapes.Maybe(shapes.SHARE),
}
SCORES = {'ece': shapes.SHARE, 'loss': shapes.Number(0), 'bins': shapes.ListOf(BIN)}
SHAPE = {
    'note': shapes.Text(),
    'raw': SCORES,
    'calibrated': SCORES,
    'temperatures': shapes.ListOf(
        {'dataset': shapes.Text(), 'subject': shapes.Text(), 'temperature': shapes.Number(0)}
    ),
}


@dataclass(frozen=True)
class Calibration:
    """The calibration of a recognition run.

    `raw` is of the scores in predictions.csv, `calibrated` of those after temperatures: ece
    (expected calibration error, 15 bins of equal width, mean over seeds), loss (mean negative log
    likelihood, nats) and bins (all seeds together).
    """

    FILE: ClassVar[str] = files.CALIBRATION

    note: str
    raw: dict
    calibrated: dict
    temperatures: list[dict]  # {dataset, subject, temperature} of each test subject

    @classmethod
    def of(cls, predictions: Predictions, names: Names) -> Self | None:
        """Calibrate the outputs of a run; None for fewer than two test subjects.

        Args:
            predictions: of all folds and seeds.
            names: of subjects and data sets.
        """
        subjects, first = np.unique(predictions.subject, return_index=True)
        if len(subjects) < 2:
            return None
        output = np.asarray(predictions.output, np.float64)
        divisor = calibration.temperatures(output, predictions.label, predictions.subject)
        rows = []
        for row in first:
            rows.append(
                {
                    'dataset': names.datasets[predictions.dataset[row]],
                    'subject': names.subjects[predictions.subject[row]],
                    'temperature': float(divisor[row]),
                }
            )
        calibrated = output / divisor[:, None]
        return cls(NOTE, _scores(output, predictions), _scores(calibrated, predictions), rows)

    def write(self, folder: str | Path) -> None:
        """Write calibration.json into the folder of a run."""
        writing.write_json(Path(folder) / self.FILE, asdict(self))

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the calibration of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        shapes.check(content, SHAPE, path, remedy=reading.REMEDY)
        return cls(**{key: content[key] for key in SHAPE})


def of_held_out(table: PredictionTable, fold: int | None = None) -> Calibrated | None:
    """Fit a temperature and a threshold to the held-out rows of a run.

    Args:
        table: of the run. Its scores are softmax(output), so their logarithms are the outputs up to
            a number for each row, which changes nothing.
        fold: whose test subjects are left out, so that the result may be used on them; None: of all
            subjects, for recordings of other people.

    Returns:
        None where no row is left.
    """
    left_out = {(row.dataset, row.subject) for row in table.rows if row.fold == fold}
    rows = [row for row in table.rows if (row.dataset, row.subject) not in left_out]
    if not rows:
        return None
    clips = {}
    for row in rows:
        clips.setdefault((row.dataset, row.subject, row.clip, row.frame), len(clips))
    scores = np.array([[row.scores[title] for title in table.classes] for row in rows])
    return calibration.calibrated(
        np.log(np.maximum(scores, np.finfo(np.float64).tiny)),
        [table.classes.index(row.label) for row in rows],
        [clips[row.dataset, row.subject, row.clip, row.frame] for row in rows],
    )


def _scores(output, predictions):
    """{ece, loss, bins} of outputs [R, K]."""
    bins = []
    for one in calibration.reliability(output, predictions.label):
        means = {'confidence': to_json(one.confidence), 'accuracy': to_json(one.accuracy)}
        bins.append({'low': one.low, 'high': one.high, 'rows': one.rows, **means})
    return {
        'ece': calibration.expected_error(output, predictions.label, predictions.seed),
        'loss': calibration.likelihood_loss(output, predictions.label),
        'bins': bins,
    }
