"""The files, the table and the report of a spotting run, from outputs made by hand."""

import csv
import json
import re

import numpy as np
import pytest

from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.experiment import results as outcome
from mer_jax.folds import protocols
from mer_jax.report import spotting_page
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.runfiles.results import SpottingResults
from mer_jax.settings.fields import settings_of
from mer_jax.settings.sections import Protocol, Spotting
from mer_jax.training import held_out
from tests.spotting.score_test import (
    CLIPS,
    LABEL,
    NAMES,
    SAMPLES,
    SCORED,
    TIMING,
    TRAINABLE,
)
from tests.support.pages import Page

MARKUP = '<script>alert("x")</script>&'


def write(
    folder,
    *,
    name='loso',
    seeds=2,
    leaks=(),
    noise=0.1,
    names=NAMES,
    times=TIMING,
    decoder='template',
    trainable=TRAINABLE,
    **changed,
):
    """Results of outcome.spotting in `folder`, of a spotter whose outputs are the labels and some
    noise.
    """
    protocol = Protocol(name, **{'folds': 2, 'holdout': 0.4} | changed)
    folds, titles = protocols.make(SAMPLES, names, protocol, seeds=seeds, trainable=trainable)
    loaded = loading.Data(SAMPLES, names, [], 'print', 'linear', (), times=times)
    run, place = held_out.order(folds)
    rows = folds.test.index[run, place]
    output = np.nan_to_num(SAMPLES.extras['target'][rows, None], nan=0.5) + np.random.default_rng(
        0
    ).normal(0, noise, (len(rows), 1))
    about = {
        'name': 'demo',
        'scored': 'test',
        'protocol': name,
        'leaks': list(leaks),
        'folds': len(titles),
        'seeds': seeds,
        'epochs': 4,
        'plan': {'lowering': 'matmul'},
        'data': {'name': MARKUP, 'labels': 'linear'},
        'versions': {'jax': '0.10'},
    }
    folder.mkdir()
    RunConfig({'name': MARKUP}, 'print').write(folder)
    figures = {'loss': 0.1, 'loss_min': 0.1, 'loss_max': 0.2}
    log = [EpochRecord(epoch, group=0, runs=5, seconds=1.0, figures=figures) for epoch in (1, 2)]
    MetricsLog(tuple(log)).write(folder)
    finished = outcome.Finished(
        folder,
        output if len(rows) else None,
        loaded,
        folds,
        titles,
        about,
        seconds={'data': 1.0},
    )
    settings = Spotting(window=3, decoder=decoder, **LABEL)
    return outcome.spotting(finished, settings=settings)


def table(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_the_files_of_a_run_hold_the_same_answers(tmp_path):
    """predictions.csv is what curves are drawn from, apexes.csv what recognition reads,
    results.json what is believed.
    """
    results = write(tmp_path / 'run')
    assert (
        results == json.loads((tmp_path / 'run/results.json').read_text())
        and results['task'] == 'spotting'
    )
    answers, frames = table(tmp_path / 'run/apexes.csv'), table(tmp_path / 'run/predictions.csv')
    assert list(frames[0]) == ['clip', 'subject', 'dataset', 'fold', 'seed', 'frame', 'output']
    curves = {}
    for row in frames:
        curves.setdefault((row['clip'], row['fold'], row['seed']), []).append(
            (float(row['output']), int(row['frame']))
        )
    assert set(curves) == {(row['clip'], row['fold'], row['seed']) for row in answers} and len(
        curves
    ) == len(answers)
    for row in answers:
        curve = curves[row['clip'], row['fold'], row['seed']]
        assert [frame for _, frame in curve] == list(
            range(int(row['onset']), int(row['offset']) + 1)
        )
        assert dict((frame, value) for value, frame in curve)[int(row['max'])] == max(
            value for value, _ in curve
        )
    for decision, block in results['spotting'].items():
        off = [
            abs(int(row[decision]) - int(row['apex']))
            for row in answers
            if row['apex'] and row['left_out'] == '1'
        ]
        assert block['mae'] == pytest.approx(np.mean(off)) and len(off) == 2 * SCORED.sum()
    assert (
        results['answer'] == 'template'
        and results['clips'] == len(CLIPS)
        and results['seconds']['train'] == 2
    )


def test_the_table_shows_both_simple_answers_and_fits_the_terminal(tmp_path, capsys):
    """An error alone, 10 frames say, looks good until the middle of the clip is seen to be off by
    8.
    """
    results = write(tmp_path / 'run', noise=3.0)
    printed = capsys.readouterr().out
    text = spotting_page.table(results)
    assert text in printed and 'honest: no leaks' in text
    for name in ('Max', 'SW-Max', 'template', 'midpoint', 'fitted fraction'):
        assert re.search(rf'^{name} +\d+\.\d\d ', text, re.M), name
    own, middle = (results['spotting'][name]['mae'] for name in ('template', 'midpoint'))
    assert f'template {own:.2f} frames [' in text and f'midpoint {middle:.2f}; honest' in text
    assert 'one' in text and 'two' in text
    assert max(map(len, text.splitlines())) <= 100


def test_wide_figures_fit_the_terminal(tmp_path):
    """Differences of two digits with small p values are what an impulse label gives; a wrapped
    table cannot be read.
    """
    results = write(tmp_path / 'run')
    for block in results['spotting'].values():
        block |= {'mae': 123.45, 'interval': [-112.34, 123.45], 'mae_ms': 1234.5}
        block['against'] = {
            key: {'difference': -112.34, 'interval': [-113.45, -111.56], 'p': 0.0001}
            for key in block['against']
        }
    assert max(map(len, spotting_page.table(results).splitlines())) <= 100
    for block in results['spotting'].values():  # one subject
        block |= {'interval': None, 'mae_ms': None}
        block['against'] = {
            key: {'difference': 1.0, 'interval': None, 'p': None} for key in block['against']
        }
    assert '–' in spotting_page.table(results)


def test_the_report_is_whole_and_safe(tmp_path):
    """One file that opens anywhere; names of files and clips may hold markup."""
    names = NAMES._replace(clips=(MARKUP, *NAMES.clips[1:]), subjects=('a', MARKUP, 'c', 'd', 'e'))
    write(tmp_path / 'run', names=names)
    page = (tmp_path / 'run/report.html').read_text()
    assert (
        '<script' not in page and 'src="http' not in page and page.count('data:image/svg+xml') == 4
    )
    assert MARKUP in Page(page).text
    for text in (
        'Errors',
        'fitted fraction',
        'midpoint',
        'baselines',
        'Each data set',
        'honest: no leaks',
        'Training',
        'Outputs over time',
        'Plan, time, data, versions and settings',
    ):
        assert text in page, text
    assert {path.name for path in (tmp_path / 'run/plots').iterdir()} == {
        'errors.svg',
        'curves_of_clips.svg',
        'places.svg',
        'curves.svg',
    }


def test_a_leak_stands_in_table_and_report(tmp_path, capsys):
    """A split by clip is the published protocol: its figure must never pass for an honest one."""
    leak = protocols.leak('clip_kfold')
    results = write(tmp_path / 'run', name='clip_kfold', leaks=[leak])
    assert 'not honest: 1 leak' in spotting_page.verdict(results)
    assert (
        f'leak: {leak}' in ' '.join(capsys.readouterr().out.split())
        and leak in (tmp_path / 'run/report.html').read_text()
    )


@pytest.mark.parametrize(
    'trains', [None, ~np.isnan(SAMPLES.extras['target'])], ids=['nothing', 'no apex']
)
def test_a_run_that_scores_nothing_says_so(trains, tmp_path, capsys):
    """A model to ship trains on all rows; the report must open and hold no figure that is not
    there.
    """
    results = write(tmp_path / 'run', name='all_rows', trainable=trains)
    assert results['spotting'] == {} and 'NaN' not in (tmp_path / 'run/results.json').read_text()
    told = 'of 8 clips none with an annotated apex was held out'
    assert told in capsys.readouterr().out and told in (tmp_path / 'run/report.html').read_text()
    clips = {row['clip'] for row in table(tmp_path / 'run/apexes.csv')}
    assert clips == (set() if trains is None else {'clip4', 'clip7'}), (
        'answered for want of an apex'
    )


def test_one_scored_subject_has_no_interval(tmp_path):
    """A clip or two of one subject are what a first try has; the plots must draw them."""
    results = write(tmp_path / 'run', name='holdout', holdout=0.01, seed=2, seeds=1)
    assert all(
        block['interval'] is None and block['against'].get('midpoint', {'p': None})['p'] is None
        for block in results['spotting'].values()
    )
    assert 'Mean error' in spotting_page.table(results)


def test_report_again_draws_the_same_and_tells_what_is_missing(tmp_path, capsys):
    """The verb report works from the files alone, whichever task the folder is of."""
    results = write(tmp_path / 'run')
    page = (tmp_path / 'run/report.html').read_text()
    (tmp_path / 'run/report.html').unlink()
    assert (
        outcome.reported(tmp_path / 'run') == results
        and (tmp_path / 'run/report.html').read_text() == page
    )
    SpottingResults(**results | {'answer': 'guess'}).write(tmp_path / 'run')
    with pytest.raises(
        UserError,
        match="results.json: answer.*'guess'.*score",
    ):
        outcome.reported(tmp_path / 'run')
    (tmp_path / 'run/results.json').unlink()
    with pytest.raises(UserError, match='results.json.*train'):
        outcome.reported(tmp_path / 'run')


def test_every_decision_has_a_title_and_words(tmp_path):
    """A decision without them ends a run of hours in a KeyError."""
    decoders = dict(settings_of(Spotting))['decoder'].choices
    every = {*decoders, 'midpoint', 'fraction'}
    assert set(spotting_page.EXPLANATIONS) == set(spotting_page.TITLES) == every
    for decoder in decoders:
        assert write(tmp_path / decoder, decoder=decoder, seeds=1)['answer'] == decoder
