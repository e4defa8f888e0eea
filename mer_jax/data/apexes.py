"""The apex of clips that nobody annotated, for recognition from the flow of every frame.

It is the middle of the clip, the frame of the largest motion, or the prediction of a spotting run.
A run predicts it fold by fold: each fold of recognition takes every such apex, of training clips
too, from the spotter that was trained without the fold's left-out subject (the one of the same
title in a finished spotting run). That spotter may have seen the fold's other subjects.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data import APEX_RULES, Record
from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.runfiles import files, results
from mer_jax.runfiles.apexes import ApexTable
from mer_jax.runfiles.config import check_format
from mer_jax.runfiles.folder import absolute

KNOWN = ('annotated', 'correction', 'truth')  # sources of an apex that somebody saw
# How the apex is placed without looking at the clip: its middle, or the fraction of it that fits
# the training clips best.
BLIND = ('midpoint', 'fraction')


class Spotted(NamedTuple):
    """What a finished spotting run predicts for clips without an apex."""

    folder: str
    # (title of the fold, seed) -> {(dataset, clip): number of the frame}
    frame: dict[tuple[str, int], dict[tuple[str, str], int]]
    seeds: int


def read(folder: str | Path) -> Spotted:
    """Read the predictions of a spotting run, by its own decoder.

    Args:
        folder: of the run.

    Raises:
        UserError: it is not the folder of a spotting run, or not one by LOSO.
    """
    folder = absolute(folder)
    if not (folder / files.RESULTS).exists():
        raise UserError(
            f'data.apex is {str(folder)!r}, no folder of a finished spotting run; allowed: such '
            f'a folder, {", ".join(map(repr, APEX_RULES))}'
        )
    check_format(folder)
    run = results.read(folder)
    spots = isinstance(run, results.SpottingResults)
    if not spots or run.protocol != 'loso' or run.leaks:
        raise UserError(
            f'data.apex: {folder} is no honest spotting run by protocol loso, which names the '
            'subject that each of its spotters did not see'
        )
    table = ApexTable.read(folder)
    if run.answer not in table.decoders:
        raise UserError(
            f"{folder / files.APEXES}: lacks the column '{run.answer}', by which the run "
            'answers; score the run again'
        )
    frame = {}
    for row in table.rows:
        if row.apex is None:
            of_fold = frame.setdefault((row.title, row.seed), {})
            of_fold[row.dataset, row.clip] = row.predicted[run.answer]
    return Spotted(str(folder), frame, run.seeds)


def known(record: Record) -> bool:
    """Return whether somebody saw the apex of a record, or drew it."""
    return record['apex_source'] in KNOWN


def frames(record: Record, rule: str | Spotted) -> list[int]:
    """Return the frames whose flow may stand for a record's apex.

    Args:
        record: of a clip; an annotated apex always stands.
        rule: one of APEX_RULES, or the predictions of a spotting run, of which all folds count.

    Raises:
        UserError: the spotting run has no prediction for the clip.
    """
    if known(record) or rule == '':
        return [int(record['apex'])]
    if rule == 'midpoint':
        return [int(middle(record['onset'], record['offset']))]
    if rule == 'peak':
        return [int(record['flow_frames'][peak(record['flows'])])]
    key = record['dataset'], record['clip']
    predicted = {of_fold[key] for of_fold in rule.frame.values() if key in of_fold}
    if not predicted:
        raise UserError(
            f'data.apex: {rule.folder} answers nothing for clip {record["clip"]!r} of '
            f'{record["dataset"]}, which has no annotated apex; train the spotter on data.name '
            'with this data set'
        )
    return sorted(predicted)


def middle(onset: int | np.ndarray, offset: int | np.ndarray) -> int | np.ndarray:
    """Return the frame in the middle of the clip, the earlier of two."""
    return (onset + offset) // 2


def peak(flows: np.ndarray) -> int:
    """Return the frame whose face moves most, the motion of the head taken out.

    Args:
        flows: [T, H, W, 2].

    Returns:
        The place in flows, by mean magnitude.
    """
    magnitude = np.linalg.norm(flow.without_head(flows), axis=-1)
    return int(np.argmax(magnitude.mean((1, 2))))


def at(record: Record, number: int) -> np.ndarray:
    """Return the flow [H, W, 2] at a frame; where it is missing, at the nearest stored one."""
    return record['flows'][np.argmin(np.abs(record['flow_frames'] - number))]
