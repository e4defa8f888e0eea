"""Held-out outputs of a run -> predictions.csv, results.json, the printed table and the report."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mer_jax import entries, provenance
from mer_jax.classical import ceiling
from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.evaluation import score, units
from mer_jax.experiment import TASKS, drawn, leaks
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols
from mer_jax.folds.rows import of_data_set
from mer_jax.machine import versions
from mer_jax.report import action_units_page, recognition_page, spotting_page
from mer_jax.runfiles import board, files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.calibration import Calibration
from mer_jax.runfiles.choices import ChoiceTable
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults, SpottingResults, UnitResults
from mer_jax.runfiles.stacks import StackTable
from mer_jax.runfiles.unit_predictions import UnitTable
from mer_jax.settings import sections
from mer_jax.spotting import score as spotting_score
from mer_jax.training import held_out, metrics_log
from mer_jax.types import Folds
from tfds_builders import inputs as builder_inputs


class Finished(NamedTuple):
    """A training that is finished, to be scored."""

    folder: Path  # of the run
    # of held-out rows in data set order: logits or scores [R, K], of spotting [R, 1], of action
    # units [R, A]; None where nothing is held out
    output: np.ndarray | None
    data: loading.Data
    folds: Folds
    titles: list[str]  # of the folds
    about: dict[str, Any]  # see `about`
    seconds: dict[str, float]  # {step: seconds}


def about(experiment: Experiment, chosen: Plan | None) -> dict[str, Any]:
    """Return the fields of results.json that do not come from scores.

    Args:
        experiment: that was trained.
        chosen: the plan of its training; None without one.
    """
    settings = experiment.settings
    protocol, trainings = settings.protocol, settings.trainings
    title = protocol.name
    if protocol.evaluate_on == 'validation':
        title += ', validation part'
    if protocol.train_subjects:
        title += f', {protocol.train_subjects} training subjects'
    of_data = about_data(settings.data.name, experiment.data, chosen)
    if experiment.data.unit_table:
        of_data['data']['action_units'] = experiment.data.unit_table
    if experiment.apexes:
        of_data['data']['apexes'] = experiment.apexes
    if experiment.pretrained:
        of_data['data']['pretraining'] = experiment.pretrained.about
    if drawn.svm_faces(settings):
        of_data['data']['drawn'] = drawn.about(experiment.drawn)
    return {
        'name': settings.name,
        'scored': protocol.evaluate_on,
        'protocol': title,
        'leaks': leaks.listed(settings),
        'folds': len(experiment.folds.fold) // trainings,
        'seeds': trainings,
        'epochs': settings.train.epochs,
        **of_data,
    }


def about_data(name: str, data: loading.Data, chosen: Plan | None) -> dict[str, Any]:
    """Return the fields of results.json on data, plan and versions.

    Args:
        name: of the data set, or data sets.
        data: loaded.
        chosen: the plan of the training; None without one.
    """
    return {
        'plan': chosen and chosen.to_json(),
        'data': {
            'name': name,
            'labels': data.labels,
            'editions': list(data.editions),
            # how missing apexes are estimated where data.name does not say
            'default_apex_by': builder_inputs.APEX_BY[0],
            'fingerprint': data.fingerprint,
            'dropped': len(data.dropped),
        },
        'versions': versions() | provenance.code(),
    }


def recognition(finished: Finished, *, every_epoch: bool, repeat: int = 1) -> dict:
    """Score classes; write predictions.csv, calibration.json (of two or more test subjects),
    results.json and the report, and print the table.

    Args:
        finished: the training.
        every_epoch: held_out.npy holds the outputs of each epoch that was trained.
        repeat: how often the folds were drawn.

    Returns:
        The content of results.json.
    """
    start = time.perf_counter()
    folder, data = finished.folder, finished.data
    output = finished.output
    if output is None:
        output = np.zeros((0, len(data.names.classes)))
    predictions = held_out.predictions(output, data.samples, finished.folds)
    PredictionTable.of(predictions, data.names).write(folder)
    oracle = None
    if every_epoch and finished.about['epochs'] > 0:
        oracle = _oracle(folder, predictions, data.names)
    results = RecognitionResults(
        **finished.about,
        clips=len(np.unique(data.samples.clip[of_data_set(data.samples)])),
        **score.score(predictions, data.names, draws=repeat),
        oracle_epoch=oracle,
        seconds=finished.seconds,
        ceiling=ceiling.ceiling(predictions, data.samples, finished.folds, data.names),
        stack=_stack(folder),
        choice=ChoiceTable.read(folder).describe() if (folder / files.CHOICES).exists() else '',
    )
    # After the scores, which refuse outputs that are not finite.
    calibrated = Calibration.of(predictions, data.names)
    if calibrated:
        calibrated.write(folder)
    return _written(folder, results, start, recognition_page)


def spotting(finished: Finished, *, settings: sections.Spotting) -> dict:
    """Score apexes; write predictions.csv (a row for each frame), apexes.csv (a row for each
    clip), results.json and the report, and print the table.

    Args:
        finished: the training.
        settings: the error of the run is that of their decoder.

    Returns:
        The content of results.json.
    """
    start = time.perf_counter()
    folder, data, names = finished.folder, finished.data, finished.data.names
    samples, times = data.samples, data.times
    output = np.zeros((0, 1)) if finished.output is None else finished.output
    predictions = held_out.predictions(output, samples, finished.folds)
    decoded = spotting_score.decode(predictions, finished.folds, samples, times, settings)
    first = np.unique(samples.clip, return_index=True)[1]
    of_clip = samples.subject[first], samples.dataset[first]
    spotting_score.curves(decoded, names, *of_clip).write(folder)
    spotting_score.table(decoded, times, names, finished.titles, *of_clip).write(folder)
    results = SpottingResults(
        **finished.about,
        clips=len(names.clips),
        task=result_files.SPOTTING,
        answer=settings.decoder,
        spotting=spotting_score.score(decoded, times, names, *of_clip),
        seconds=finished.seconds,
    )
    return _written(folder, results, start, spotting_page)


def action_units(finished: Finished) -> dict:
    """Score action units; write predictions.csv, results.json and the report, and print the table.

    Args:
        finished: the training.

    Returns:
        The content of results.json.
    """
    start = time.perf_counter()
    folder, data, names = finished.folder, finished.data, finished.data.names
    truth, folds = data.samples.extras['action_units'], finished.folds
    output = finished.output
    if output is None:
        output = np.zeros((0, len(names.classes)))
    predictions = held_out.predictions(output, data.samples, folds)
    run, position_in_test = held_out.order(folds)
    trained = [truth[protocols.rows_of(folds.train, number)] for number in range(len(folds.fold))]
    held = units.Held(
        predictions,
        truth[folds.test.index[run, position_in_test]],
        np.array([units.most_frequent(rows) for rows in trained])[run],
    )
    UnitTable.of(predictions, held.truth, names).write(folder)
    of_folds = dict(zip(finished.titles, trained, strict=False))  # those of the first seed
    unseen = units.unseen(of_folds, names)
    results = UnitResults(
        **finished.about,
        clips=len(np.unique(data.samples.clip)),
        task=result_files.ACTION_UNITS,
        units=list(names.classes),
        **units.score(held, names),
        unseen=unseen,
        notes=units.notes(truth, data.samples.dataset, unseen, names),
        seconds=finished.seconds,
    )
    return _written(folder, results, start, action_units_page)


def _written(folder, results, start, page):
    seconds = results.seconds | {'train': metrics_log.trained_seconds(folder)}
    seconds['evaluate'] = time.perf_counter() - start
    seconds['total'] = sum(seconds.values())
    results = replace(results, seconds=seconds)
    results.write(folder)
    board.write_held_out(folder, results)
    print(page.table(results.to_json()))
    return reported(folder)


def reported(folder: Path) -> dict:
    """Write report.html and the plots again from the files of a run.

    Returns:
        The content of results.json.
    """
    content = result_files.read(folder).to_json()
    name = content.get('task', 'recognition')
    report = entries.loaded(TASKS[name].report)
    print(f'report: {report(folder)}')
    return content


def _stack(folder):
    """The mean weight of each member of a stack; None without one."""
    return StackTable.read(folder).mean_weights() if (folder / files.STACKS).exists() else None


def _oracle(folder, predictions, names):
    """The oracle_epoch block; None, and a line that says why, where an epoch on the way left no
    usable outputs.
    """
    try:
        rows, classes = predictions.output.shape
        outputs = EpochOutputs.read(folder, rows, classes).values
        return score.oracle(outputs, predictions, names)
    except UserError as error:
        print(f'oracle_epoch is left out: {error}')
        return None
