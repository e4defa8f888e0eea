"""Copy the settings, curves and scores of finished runs to MLflow.

    pip install mlflow
    python -m contrib.mlflow_export runs/synthetic_ststnet runs/... --to=http://localhost:5000

It reads the files of a run and changes none. Only numbers and settings are sent: no picture, no
row, no name of a clip or subject, no path of this machine. A run that is there already is not sent
again.
"""

import argparse
import hashlib
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.experiment.settings import SETTINGS
from mer_jax.runfiles import board, files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.config import RunConfig, by_key
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.settings.tree import flat
from mer_jax.studies.reproduce import LEFT_OUT, portable

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGEST = 'mer_jax.results'  # the tag by which a run is known again: of results.json
LONGEST = 5000  # characters of a tag, the least that a server of MLflow allows
# entries of one request that MLflow allows
MOST_SETTINGS, MOST_POINTS = 100, 1000


class Content(NamedTuple):
    """What is sent of a run."""

    name: str
    settings: dict[str, str]  # {'train.epochs': '500'}
    tags: dict[str, str]
    points: list[tuple[str, float, int]]  # (metric, value, epoch)


def content(folder: str | os.PathLike) -> Content:
    """Read what is sent of a run.

    Args:
        folder: of the run.

    Raises:
        UserError: the run is not finished, or a file is damaged.
    """
    results = result_files.read(folder)
    written = RunConfig.read(folder).settings
    values, settings = flat(written), {}
    shown = by_key(portable(written, SETTINGS))
    for key, value in shown.items():
        if value != LEFT_OUT:
            settings[key] = str(value)
    leaks = '; '.join(results.leaks)
    for path in {values[key] for key, value in shown.items() if value == LEFT_OUT}:
        leaks = leaks.replace(path, LEFT_OUT)
    tags = {
        DIGEST: hashlib.sha256((Path(folder) / files.RESULTS).read_bytes()).hexdigest(),
        'leaks': leaks[:LONGEST] or 'none',
        'protocol': results.protocol,
        'data': results.data['name'],
    }
    tags |= {f'version.{name}': version for name, version in results.versions.items()}
    points = []
    if (Path(folder) / files.METRICS).exists():
        points += _training(MetricsLog.read(folder).records)
    for epoch, scores in board.held_out_scores(results).items():
        points += [(tag, score, epoch) for tag, score in scores.items()]
    intervals = getattr(results, 'intervals', {})
    for name in board.MEASURES:
        for end, edge in zip(('low', 'high'), intervals.get(name) or (), strict=False):
            points.append((f'{board.HELD_OUT}/{name}_{end}', edge, results.epochs))
    return Content(results.name, settings, tags, points)


def send(client: 'MlflowClient', experiment: str, run: Content) -> bool:
    """Send a run, unless it is there already.

    Args:
        client: of the server or folder of MLflow.
        experiment: name of the experiment, which is created where there is none.
        run: what is sent.

    Returns:
        Whether it was sent.
    """
    from mlflow.entities import Metric, Param, RunTag

    there = client.get_experiment_by_name(experiment)
    number = there.experiment_id if there else client.create_experiment(experiment)
    same = f"tags.`{DIGEST}` = '{run.tags[DIGEST]}' and attributes.status = 'FINISHED'"
    if client.search_runs([number], same, max_results=1):
        return False
    target = client.create_run(number, run_name=run.name).info
    tags = [RunTag(key, value) for key, value in run.tags.items()]
    client.log_batch(target.run_id, tags=tags)
    settings = [Param(key, value) for key, value in run.settings.items()]
    for first in range(0, len(settings), MOST_SETTINGS):
        client.log_batch(target.run_id, params=settings[first : first + MOST_SETTINGS])
    metrics = [Metric(key, value, target.start_time, epoch) for key, value, epoch in run.points]
    for first in range(0, len(metrics), MOST_POINTS):
        client.log_batch(target.run_id, metrics=metrics[first : first + MOST_POINTS])
    client.set_terminated(target.run_id)
    return True


def _training(records: list[EpochRecord]) -> list[tuple[str, float, int]]:
    """Points of the training: mean over all runs, least and largest of all groups."""
    of_epoch = defaultdict(list)
    for record in records:
        of_epoch[record.epoch].append(record)
    points = []
    for epoch, group in sorted(of_epoch.items()):
        runs = [record.runs for record in group]
        for name in group[0].figures:
            values = [record.figures[name] for record in group]
            if None in values:  # not finite; MLflow's servers refuse NaN
                continue
            if name.endswith('_min'):
                value = min(values)
            elif name.endswith('_max'):
                value = max(values)
            else:
                value = float(np.average(values, weights=runs))
            points.append((f'train/{name}', value, epoch))
    return points


def main(arguments: list[str]) -> int:
    """Send the runs that the command line names.

    Returns:
        The exit status: 0, or 2 after a line that says what is wrong.
    """
    flags = argparse.ArgumentParser('python -m contrib.mlflow_export', description=__doc__)
    flags.formatter_class = argparse.RawDescriptionHelpFormatter
    flags.add_argument('run', nargs='+', help='folder of a finished run')
    flags.add_argument('--to', help='address of a server, or a database; unset: as MLflow is set')
    flags.add_argument('--experiment', default='mer_jax', help='of MLflow; it is created')
    options = flags.parse_args(arguments)
    try:
        runs = {folder: content(folder) for folder in options.run}  # all are read first
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError:
            raise UserError('mlflow is not installed; pip install mlflow') from None
        try:
            client = MlflowClient(options.to)
            for folder, run in runs.items():
                sent = send(client, options.experiment, run)
                print(f'{folder}: {"sent" if sent else "is there already"}')
        except MlflowException as error:
            raise UserError(f'{options.to or "MLflow"}: {error.message}') from None
    except (UserError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
