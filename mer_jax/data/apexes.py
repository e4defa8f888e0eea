"""The apex of clips without an annotated one, for recognition.

It is the middle of the clip, the frame of the largest motion, or the prediction of a spotting run.
A spotting run has one spotter per left-out subject. Each fold of recognition takes all missing
apexes, also those of its training clips, from the spotter that left out the same subject (its fold
has the same title). That spotter may have trained on the fold's other subjects.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data import APEX_RULES, EVERY_FRAME, Record
from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.runfiles import files, results
from mer_jax.runfiles.apexes import ApexTable
from mer_jax.runfiles.config import check_format
from mer_jax.runfiles.folder import absolute

# values of apex_source; 'truth' is that of drawn faces
ANNOTATED = ('annotated', 'correction', 'truth')
# Apexes that do not depend on the frames: the middle of the clip, or the fraction of its length
# that fits the training clips best.
BLIND = ('midpoint', 'fraction')


class Spotted(NamedTuple):
    """Apexes that a finished spotting run predicts."""

    folder: str
    # (title of the fold, seed) -> {(dataset, clip): number of the frame}
    frame: dict[tuple[str, int], dict[tuple[str, str], int]]
    seeds: int
    run: str = ''  # title of the run
    decoder: str = ''


def read(folder: str | Path) -> Spotted:
    """Read the apexes that a spotting run predicts.

    They are those of the decoder that its results name.

    Args:
        folder: of the run.

    Raises:
        UserError: it is not the folder of a spotting run by LOSO without leaks.
    """
    folder = absolute(folder, 'data.apex')
    if not (folder / files.RESULTS).exists():
        raise UserError(
            f'data.apex is {str(folder)!r}; allowed: {", ".join(map(repr, APEX_RULES))}, the '
            'folder of a finished spotting run, or a spotting config such as smic_spotting'
        )
    check_format(folder)
    run = results.read(folder)
    spots = isinstance(run, results.SpottingResults)
    if not spots or run.protocol != 'loso' or run.leaks:
        raise UserError(
            f'data.apex: {folder} is not a spotting run by protocol loso without leaks; only such '
            'a run has a spotter that did not see the left-out subject'
        )
    table = ApexTable.read(folder)
    if run.answer not in table.decoders:
        raise UserError(
            f"{folder / files.APEXES}: lacks the column '{run.answer}', the decoder that the "
            'results name; score the run again'
        )
    frame = {}
    for row in table.rows:
        if row.apex is None:
            of_fold = frame.setdefault((row.title, row.seed), {})
            of_fold[row.dataset, row.clip] = row.predicted[run.answer]
    return Spotted(str(folder), frame, run.seeds, run.name, run.answer)


def is_annotated(record: Record) -> bool:
    """Return whether the apex of a record is annotated."""
    return record['apex_source'] in ANNOTATED


def frames(record: Record, rule: str | Spotted) -> list[int]:
    """Return the frames that serve as apex of a record.

    Args:
        record: of a clip; an annotated apex is always used, but for the rule every_frame.
        rule: one of APEX_RULES, or the predictions of a spotting run, then those of all its folds.

    Raises:
        UserError: the spotting run has no prediction for the clip.
    """
    if rule == EVERY_FRAME:
        return [int(number) for number in record['flow_frames']]
    if is_annotated(record) or rule == '':
        return [int(record['apex'])]
    if rule == 'midpoint':
        return [int(middle(record['onset'], record['offset']))]
    if rule == 'peak':
        return [int(record['flow_frames'][peak(record['flows'])])]
    key = record['dataset'], record['clip']
    predicted = {of_fold[key] for of_fold in rule.frame.values() if key in of_fold}
    if not predicted:
        raise UserError(
            f'data.apex: {rule.folder} predicts no apex for clip {record["clip"]!r} of '
            f'{record["dataset"]}, which has no annotated one; train the spotter with this data '
            'set in data.name'
        )
    return sorted(predicted)


def middle(onset: int | np.ndarray, offset: int | np.ndarray) -> int | np.ndarray:
    """Return the middle frame, the earlier of two."""
    return (onset + offset) // 2


def peak(flows: np.ndarray) -> int:
    """Return the index of the largest face motion.

    That is its mean magnitude after the motion of the head is subtracted.

    Args:
        flows: [T, H, W, 2].
    """
    magnitude = np.linalg.norm(flow.without_head(flows), axis=-1)
    return int(np.argmax(magnitude.mean((1, 2))))


def flow_at(record: Record, number: int) -> np.ndarray:
    """Return the flow [H, W, 2] nearest to a frame."""
    return record['flows'][np.argmin(np.abs(record['flow_frames'] - number))]
