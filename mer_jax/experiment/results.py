"""Held-out outputs of a run -> predictions.csv, results.json, the printed table and the report."""

import time
from dataclasses import replace

import numpy as np

from mer_jax import entries, provenance
from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.experiment import TASKS, leaks
from mer_jax.folds.rows import of_data_set
from mer_jax.machine import versions
from mer_jax.report import recognition_page, spotting_page
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults, SpottingResults
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings
from mer_jax.spotting import score as spotting_score
from mer_jax.training import held_out, metrics_log


def about(settings: Settings, loaded, folds, layout) -> dict:
    """{'head', 'tail'}: what a run's settings, data, plan and versions put at the beginning and
    the end of results.json.
    """
    protocol, seeds = settings.protocol, settings.train.seeds
    title = protocol.name
    if protocol.evaluate_on == 'validation':
        title += ', validation part'
    return {
        'head': {
            'name': settings.name,
            'scored': protocol.evaluate_on,
            'protocol': title,
            'leaks': leaks.listed(settings),
            'folds': len(folds.fold) // seeds,
            'seeds': seeds,
            'epochs': settings.train.epochs,
        },
        'tail': tail(settings.data.name, loaded, layout),
    }


def tail(data_name, loaded, layout) -> dict:
    """What data, plan and versions put at the end of results.json."""
    return {
        'plan': layout and layout.to_json(),
        'data': {
            'name': data_name,
            'labels': loaded.labels,
            'editions': list(loaded.editions),
            'fingerprint': loaded.fingerprint,
            'dropped': len(loaded.dropped),
        },
        'versions': versions() | provenance.code(),
    }


def recognition(folder, output, loaded, folds, titles, about, *, every_epoch, seconds) -> dict:
    """Score classes: write predictions.csv, results.json and the report, print the table. Returns
    the results.

    output: [R, K] in data set order, None where nothing is held out; about: of the function above;
    every_epoch: held_out.npy holds the outputs of each epoch that was trained.
    """
    start = time.perf_counter()
    output = np.zeros((0, len(loaded.names.classes))) if output is None else output
    predictions = held_out.predictions(output, loaded.samples, folds)
    scores = score.score(predictions, loaded.names)
    PredictionTable.of(predictions, loaded.names).write(folder)
    trained = about['head']['epochs'] > 0
    oracle = _oracle(folder, predictions, loaded.names) if every_epoch and trained else None
    clips = len(np.unique(loaded.samples.clip[of_data_set(loaded.samples)]))
    results = RecognitionResults(
        **about['head'],
        clips=clips,
        **scores,
        oracle_epoch=oracle,
        **about['tail'],
        seconds=seconds,
    )
    return _written(folder, results, start, recognition_page)


def spotting(
    folder, output, loaded, folds, titles, about, *, settings: sections.Spotting, seconds
) -> dict:
    """Score apexes: write predictions.csv (a row a frame), apexes.csv (a row a clip), results.json
    and the report, print the table. Returns the results; settings: the error of the run is that of
    their decoder.
    """
    start = time.perf_counter()
    output = np.zeros((0, 1)) if output is None else output
    predictions, times, names = (
        held_out.predictions(output, loaded.samples, folds),
        loaded.times,
        loaded.names,
    )
    found = spotting_score.decode(predictions, folds, loaded.samples, times, settings)
    first = np.unique(loaded.samples.clip, return_index=True)[1]
    of_clip = loaded.samples.subject[first], loaded.samples.dataset[first]
    spotting_score.curves(found, names, *of_clip).write(folder)
    spotting_score.table(found, times, names, titles, *of_clip).write(folder)
    results = SpottingResults(
        **about['head'],
        clips=len(names.clips),
        task=result_files.SPOTTING,
        answer=settings.decoder,
        spotting=spotting_score.score(found, times, names, *of_clip),
        **about['tail'],
        seconds=seconds,
    )
    return _written(folder, results, start, spotting_page)


def _written(folder, results, start, reports):
    seconds = results.seconds | {'train': metrics_log.trained_seconds(folder)}
    seconds['evaluate'] = time.perf_counter() - start
    seconds['total'] = sum(seconds.values())
    results = replace(results, seconds=seconds)
    results.write(folder)
    print(reports.table(results.to_json()))
    return reported(folder)


def reported(folder) -> dict:
    """Write report.html and the plots again from the files of a run; returns its results."""
    content = result_files.read(folder).to_json()
    name = content.get('task', 'recognition')
    report = entries.loaded(TASKS[name].report)
    print(f'report: {report(folder)}')
    return content


def _oracle(folder, predictions, names):
    """The oracle_epoch block; None, and a line that says why, where an epoch on the way left no
    usable outputs.
    """
    try:
        return score.oracle(EpochOutputs.read(folder).values, predictions, names)
    except UserError as error:
        print(f'oracle_epoch is left out: {error}')
        return None
