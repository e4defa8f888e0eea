"""Answers and errors of spotters on outputs made by hand: who is scored, against what, and what the
table holds.
"""

import numpy as np
import pytest

from mer_jax.data import apexes
from mer_jax.errors import UserError
from mer_jax.evaluation import paired
from mer_jax.folds import protocols
from mer_jax.settings.sections import Protocol, Spotting
from mer_jax.spotting import decoders, score
from mer_jax.training import held_out
from mer_jax.types import Names, Samples, Timing

LABEL = {'label': 'linear', 'steepness': 3.0, 'sigma': 0.0}
# subject, data set, onset, apex (-1 unknown), offset, frames a second of each clip
CLIPS = [
    (0, 0, 10, 14, 30, 200),
    (0, 0, 40, 55, 60, 200),
    (1, 0, 5, 11, 25, 200),
    (2, 0, 70, 82, 90, 200),
    (2, 0, 7, -1, 19, 200),
    (3, 1, 100, 104, 112, 100),
    (3, 1, 3, 9, 13, 100),
    (4, 1, 50, -1, 70, 100),
]
SUBJECT, DATASET, _, APEX, _, _ = COLUMNS = [
    np.array(column) for column in zip(*CLIPS, strict=True)
]
NAMES = Names(
    ('apex',),
    ('a', 'b', 'c', 'd', 'e'),
    ('one', 'two'),
    tuple(f'clip{i}' for i in range(len(CLIPS))),
    (),
)
TIMING = Timing(
    *(column.astype(np.int32) for column in COLUMNS[2:5]), COLUMNS[5].astype(np.float32)
)


def samples_of():
    """Samples whose rows are the frames from onset to offset of CLIPS."""
    clip = np.concatenate(
        [np.full(off - on + 1, i) for i, (_, _, on, _, off, _) in enumerate(CLIPS)]
    ).astype(np.int32)
    frame = np.concatenate([np.arange(on, off + 1) for _, _, on, _, off, _ in CLIPS]).astype(
        np.int32
    )
    target = np.concatenate(
        [
            np.full(off - on + 1, np.nan)
            if apex < 0
            else decoders.continuous_labels(np.arange(on, off + 1), on, apex, off, **LABEL)
            for _, _, on, apex, off, _ in CLIPS
        ]
    ).astype(np.float32)
    zeros = np.zeros(len(clip), np.int32)
    return Samples(
        np.zeros((len(clip), 1, 1, 2), np.float16),
        zeros,
        SUBJECT[clip].astype(np.int32),
        DATASET[clip].astype(np.int32),
        clip,
        {'target': target, 'frame': frame},
    )


SAMPLES = samples_of()
TRAINABLE = ~np.isnan(SAMPLES.extras['target'])


def run(off, *, seeds=1, name='loso', trainable=TRAINABLE, **changed):
    """(answers, score, folds, titles) of a spotter whose output is the label of an apex `off`
    frames (int[clips], or one such a seed) after the true one, or after the middle of a clip
    without.
    """
    protocol = Protocol(name, **{'folds': 2, 'holdout': 0.4} | changed)
    folds, titles = protocols.make(SAMPLES, NAMES, protocol, seeds=seeds, trainable=trainable)
    run_of_row, place = held_out.order(folds)
    rows = folds.test.index[run_of_row, place]
    off = np.broadcast_to(off, (seeds, len(CLIPS)))
    told = np.where(TIMING.apex >= 0, TIMING.apex, apexes.middle(TIMING.onset, TIMING.offset)) + off
    output = np.zeros((len(rows), 1))
    for row, (sample, seed) in enumerate(zip(rows, folds.seed[run_of_row], strict=True)):
        clip = SAMPLES.clip[sample]
        output[row] = 0.1 + 0.5 * decoders.continuous_labels(
            SAMPLES.extras['frame'][[sample]],
            TIMING.onset[clip],
            told[seed, clip],
            TIMING.offset[clip],
            **LABEL,
        )
    predictions = held_out.predictions(output, SAMPLES, folds)
    found = score.decode(predictions, folds, SAMPLES, TIMING, Spotting(window=3, **LABEL))
    return found, score.score(found, TIMING, NAMES, SUBJECT, DATASET), folds, titles


OFF = np.array([2, -3, 1, 4, 0, -2, 3, 0])  # of the two clips without apex: at the middle
SCORED = APEX >= 0


def test_errors_in_frames_and_milliseconds_by_hand():
    """An error averaged over rows instead of clips, or over data sets of two frame rates as frames,
    is another figure.
    """
    _, blocks, _, _ = run(OFF)
    error = np.abs(OFF[SCORED])
    assert blocks['max']['mae'] == pytest.approx(error.mean()) and blocks['max']['sd'] is None
    assert blocks['max']['mae_ms'] == pytest.approx(
        np.mean(error * np.where(DATASET[SCORED], 10, 5))
    )
    assert blocks['max']['interval'] == paired.bootstrap_mean(error, SUBJECT[SCORED])[1]
    each = blocks['max']['per_dataset']
    assert [
        (each[name]['clips'], each[name]['mae'], each[name]['mae_ms']) for name in ('one', 'two')
    ] == [(4, pytest.approx(2.5), pytest.approx(12.5)), (2, pytest.approx(2.5), pytest.approx(25))]
    assert each['two']['interval'] is None, 'one subject is scored there'
    assert list(blocks) == ['max', 'sw_max', 'template', 'midpoint', 'fraction']
    for name in ('sw_max', 'template'):
        assert abs(blocks[name]['mae'] - error.mean()) < 1


def test_the_midpoint_and_the_fraction_of_the_folds_own_clips_by_hand():
    """A fraction that is fitted to the tested clip, too, is no baseline but a leak."""
    found, blocks, folds, titles = run(OFF)
    middle = np.array([20, 50, 15, 80, 13, 106, 8, 60])
    np.testing.assert_array_equal(found.frame['midpoint'], middle[found.clip])
    assert blocks['midpoint']['mae'] == pytest.approx(np.abs(middle - APEX)[SCORED].mean())
    for clip, fold, told in zip(found.clip, found.fold, found.frame['fraction'], strict=True):
        others = [
            c for c in range(len(CLIPS)) if SCORED[c] and NAMES.subjects[SUBJECT[c]] != titles[fold]
        ]
        fraction = decoders.fitted_fraction(*(column[others] for column in TIMING[:3]))
        assert told == TIMING.onset[clip] + round(
            fraction * (TIMING.offset[clip] - TIMING.onset[clip])
        )
    every = decoders.fitted_fraction(*(column[SCORED] for column in TIMING[:3]))
    own = TIMING.onset + np.round(every * (TIMING.offset - TIMING.onset))
    assert (own[found.clip] != found.frame['fraction']).any(), 'this test would prove nothing'


def test_differences_are_paired_by_subject_and_negative_where_better():
    """A sign turned round would call the worse answer the better one."""
    _, blocks, _, _ = run(OFF)
    error, middle = (
        np.abs(OFF[SCORED]),
        np.abs(np.array([20, 50, 15, 80, 13, 106, 8, 60]) - APEX)[SCORED],
    )
    assert blocks['max']['against']['midpoint'] == paired.mean_test(middle, error, SUBJECT[SCORED])
    assert (
        blocks['max']['against']['midpoint']['difference']
        < 0
        < run(OFF + 9)[1]['max']['against']['midpoint']['difference']
    )
    assert set(blocks['midpoint']['against']) == {'fraction'} and set(
        blocks['fraction']['against']
    ) == {'midpoint'}


def test_seeds_are_averaged_before_clips():
    """Three seeds of four subjects are four subjects: pooled as twelve, the interval would be half
    as wide.
    """
    off = np.stack([OFF, OFF + 1, 0 * OFF])
    found, blocks, _, _ = run(off, seeds=3)
    error = np.abs(off[:, SCORED])
    assert blocks['max']['mae'] == pytest.approx(error.mean()) and blocks['max'][
        'sd'
    ] == pytest.approx(error.mean(1).std(ddof=1))
    assert blocks['max']['interval'] == paired.bootstrap_mean(error.mean(0), SUBJECT[SCORED])[1]
    assert blocks['midpoint']['sd'] == 0 and set(found.seed.tolist()) == {0, 1, 2}


def test_clips_without_an_apex_are_answered_by_every_fold_and_scored_by_none():
    """SMIC's apexes are what the spotter is for; an error against an apex that nobody saw would be
    made up.
    """
    found, blocks, folds, titles = run(OFF)
    unknown = APEX[found.clip] < 0
    assert np.bincount(found.clip, minlength=8).tolist() == [1, 1, 1, 1, 5, 1, 1, 5]
    assert sorted(found.fold[found.clip == 7].tolist()) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(found.frame['max'][unknown], [13, 60] * 5)
    own = [titles[fold] == 'c' for fold in found.fold[found.clip == 4]]
    # the other folds train on subject c
    np.testing.assert_array_equal(found.left_out[found.clip == 4], own)
    assert found.left_out[~unknown].all() and found.left_out[found.clip == 7].all()
    assert sum(part['clips'] for part in blocks['max']['per_dataset'].values()) == 6


def test_curves_are_those_of_their_clip_in_order_of_frames():
    """The report draws them, and the decisions count places in them."""
    found, _, _, _ = run(OFF)
    for clip, (number, value), frame in zip(
        found.clip, found.curve, found.frame['max'], strict=True
    ):
        np.testing.assert_array_equal(
            number, np.arange(TIMING.onset[clip], TIMING.offset[clip] + 1)
        )
        assert number[np.argmax(value)] == frame and len(value) == len(number)


def test_the_table_holds_a_row_for_every_answer():
    """apexes.csv is what recognition reads: the frame in another column, or under another title,
    would feed it a leak.
    """
    found, _, _, titles = run(OFF)
    table = score.table(found, TIMING, NAMES, titles, SUBJECT, DATASET)
    header, rows = table.header, table.cells()
    assert header == [
        'clip',
        'subject',
        'dataset',
        'fold',
        'title',
        'seed',
        'left_out',
        'onset',
        'apex',
        'offset',
        'max',
        'sw_max',
        'template',
        'midpoint',
        'fraction',
    ]
    # SW-Max: 1 + 13/14 + 12/14 is more than 5/6 + 1 + 13/14
    assert rows[0][:12] == ['clip0', 'a', 'one', 0, 'a', 0, 1, 10, 14, 30, 16, 17]
    assert len(rows) == 6 + 2 * 5 and {row[8] for row in rows if row[0] == 'clip7'} == {''}
    assert {row[4] for row in rows if row[0] == 'clip7'} == {'a', 'b', 'c', 'd', 'e'}


def test_outputs_that_are_not_finite_end_in_one_line():
    """A diverged run would answer the first frame of every clip, with an error that looks
    like one.
    """
    folds, _ = protocols.make(SAMPLES, NAMES, Protocol(), seeds=2, trainable=TRAINABLE)
    output = np.zeros((int(folds.test.mask.sum()), 1))
    output[-1] = np.nan
    predictions = held_out.predictions(output, SAMPLES, folds)
    with pytest.raises(UserError, match=r'fold \d, seed 1.*diverged'):
        score.decode(predictions, folds, SAMPLES, TIMING, Spotting(window=3, **LABEL))


def test_a_run_that_holds_nothing_out_scores_nothing():
    """A model to ship has no error; a NaN in its place would stand in results.json, which no JSON
    reader takes.
    """
    found, blocks, _, _ = run(OFF, name='all_rows', trainable=None)
    assert len(found.clip) == 0 and blocks == {}
    found, blocks, _, _ = run(OFF, name='all_rows')
    assert set(found.clip.tolist()) == {4, 7} and blocks == {}, (
        'held out for want of an apex, so answered, not scored'
    )


def test_unknown_frame_rates_give_no_milliseconds():
    """0 frames a second would make an error of infinitely many milliseconds."""
    found, _, _, _ = run(OFF)
    rates = TIMING._replace(fps=np.where(DATASET, 0, 200).astype(np.float32))
    blocks = score.score(found, rates, NAMES, SUBJECT, DATASET)
    assert blocks['max']['mae_ms'] is None and blocks['max']['interval_ms'] is None
    assert blocks['max']['per_dataset']['one']['mae_ms'] == pytest.approx(12.5)
