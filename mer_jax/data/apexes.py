"""The apex of clips that nobody annotated, for recognition from the flow of every frame: the
middle, the peak, or a spotter's.

Each fold of recognition takes every such apex, of training clips too, from the spotter that was
trained without the fold's left-out subject (the one of the same title in a finished spotting run).
That spotter may have seen the fold's other subjects.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.data import APEX_RULES
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
    """What a finished spotting run answers for clips without an apex."""

    folder: str
    frame: dict  # (title of the fold, seed) -> {(dataset, clip): number of the frame}
    seeds: int


def read(folder) -> Spotted:
    """The answers of the spotting run in `folder`, by its own decision; UserError where it is none,
    or not by LOSO.
    """
    folder = absolute(folder)
    if not (folder / files.RESULTS).exists():
        raise UserError(
            f'data.apex is {str(folder)!r}, no folder of a finished spotting run; allowed: such '
            'a folder, '
            f'{", ".join(map(repr, APEX_RULES))}'
        )
    check_format(folder)
    spotting = results.read(folder)
    spots = isinstance(spotting, results.SpottingResults)
    if not spots or spotting.protocol != 'loso' or spotting.leaks:
        raise UserError(
            f'data.apex: {folder} is no honest spotting run by protocol loso, which names the '
            'subject that each of '
            'its spotters did not see'
        )
    frame = {}
    table = ApexTable.read(folder)
    if spotting.answer not in table.decoders:
        raise UserError(
            f"{folder / files.APEXES}: lacks the column '{spotting.answer}', by which the run "
            'answers; score the run again'
        )
    for row in table.rows:
        if row.apex is None:
            answers = frame.setdefault((row.title, row.seed), {})
            answers[row.dataset, row.clip] = row.answers[spotting.answer]
    return Spotted(str(folder), frame, spotting.seeds)


def known(record) -> bool:
    """Whether somebody saw the apex of a record, or drew it."""
    return record['apex_source'] in KNOWN


def frames(record, rule) -> list:
    """The frame numbers whose flow may stand for a record's apex: its own where it is known, else
    that of one of APEX_RULES, or all that any fold of a spotting run (Spotted) answers.
    """
    if known(record) or rule == '':
        return [int(record['apex'])]
    if rule == 'midpoint':
        return [int(middle(record['onset'], record['offset']))]
    if rule == 'peak':
        return [int(record['flow_frames'][peak(record['flows'])])]
    key = record['dataset'], record['clip']
    found = sorted({told[key] for told in rule.frame.values() if key in told})
    if not found:
        raise UserError(
            f'data.apex: {rule.folder} answers nothing for clip {record["clip"]!r} of '
            f'{record["dataset"]}, which has '
            'no annotated apex; train the spotter on data.name with this data set'
        )
    return found


def middle(onset, offset) -> int:
    """The frame in the middle of the clip (the earlier of two)."""
    return (onset + offset) // 2


def peak(flows) -> int:
    """The place in [T, H, W, 2] of the frame whose face moves most apart from the head, by mean
    magnitude.
    """
    return int(np.argmax(np.linalg.norm(flow.without_head(flows), axis=-1).mean((1, 2))))


def at(record, number):
    """Flow [H, W, 2] of a record at a frame; at the nearest stored one where that frame is
    missing.
    """
    return record['flows'][np.argmin(np.abs(record['flow_frames'] - number))]
