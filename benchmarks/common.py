"""What the benchmarks of training share: made-up clips, and the seconds that the program logs."""

import contextlib
import sys
from functools import partial
from pathlib import Path

import numpy as np

import mer_jax as mj
from benchmarks import sizes
from mer_jax import models
from mer_jax.data.arrays import Dataset
from mer_jax.folds.splits import Splits
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.settings.sections import Alignment, Train
from mer_jax.training import learners, modules, scaling
from mer_jax.types import Learner

DROPOUTS = ('dropout', 'dropout_dense', 'dropout_contrast')
TIMED = 4  # epochs of a round that count; one before them warms up


class Regional(modules.Supervised):
    """The sum of the losses of a head for each region, without alignment of action units."""

    def learner(self, classes: int, lowering: str) -> Learner:
        """The three functions over one fold."""
        return learners.contrastive(
            self.module.clone(lowering=lowering),
            self.optimizer,
            fit=partial(scaling.fit_input, scaler='none'),
            scale_input=lambda image, fitted: image,
            smoothing=0.0,
            settings=Alignment(weight=0.0),
        )


def experiment(shape: tuple[int, ...], *, folds: int, rows: int) -> tuple[Dataset, Splits]:
    """Random bytes as `rows` clips of `folds` subjects, and their leave-one-subject-out folds.

    Args:
        shape: of a clip.
        folds: and subjects.
        rows: and clips, of three classes.
    """
    number = np.arange(rows)
    data = mj.dataset(
        np.random.default_rng(0).integers(0, 256, (rows, *shape)),
        number % 3,
        np.sort(number % folds),
        scale=1 / 255,
    )
    return data, mj.loso(data)


def learner(network: str) -> modules.Supervised:
    """Adam at 1e-4, no dropout: the PyTorch side has none either. dual_branch: AdamW, the sum of
    its heads' losses.
    """
    has_dropout = 'dropout' in models.NETWORKS.get(network, models.NETWORKS['cnn3d']).options
    options, settings = {'dropout': 0.0} if has_dropout else {}, Train(learning_rate=1e-4)
    if network in sizes.REGIONAL:
        options = sizes.REGIONAL[network] | dict.fromkeys(DROPOUTS, 0.0)
        settings = Train(optimizer='adamw', learning_rate=1e-4, weight_decay=1e-5)
        network = 'dual_branch'
    if network in sizes.CLIPS:
        options = {'width': sizes.CLIPS[network], 'dropout': 0.0, 'dropout_dense': 0.0}
        network = 'cnn3d'
    model = models.make(network, classes=3, lowering='matmul', **options)
    optimizer = learners.optimizer(settings, steps=1)  # as a run makes it; its rate is constant
    recipe = mj.supervised(model, optimizer)
    if network == 'dual_branch':
        return Regional(**vars(recipe))
    return recipe


def seconds_per_epoch(
    network: str, data: Dataset, folds: Splits, folder: Path, *, batch_size: int
) -> float:
    """Train a run for another 1 + TIMED epochs, as `mj.train` does.

    Returns:
        Seconds that an epoch of all folds took, without the first of this call.
    """
    done = trained_epochs(folder)
    with quiet():
        mj.train(
            learner(network),
            data,
            folds,
            folder=folder,
            epochs=done + 1 + TIMED,
            batch_size=batch_size,
        )
    return logged_seconds(folder, done)


def trained_epochs(folder: Path) -> int:
    """Epochs that metrics.jsonl in `folder` logs; 0 where there is none."""
    if not (folder / MetricsLog.FILE).exists():
        return 0
    return max(record.epoch for record in MetricsLog.read(folder).records)


def logged_seconds(folder: Path, done: int) -> float:
    """Seconds of an epoch of all folds, from metrics.jsonl: the mean of those behind done + 1."""
    records = MetricsLog.read(folder).records
    seconds = [record.seconds for record in records if record.epoch > done + 1]
    epochs = {record.epoch for record in records if record.epoch > done + 1}
    return sum(seconds) / len(epochs)


def quiet() -> contextlib.redirect_stdout:
    """Print what the program prints to stderr: stdout is for the figures."""
    return contextlib.redirect_stdout(sys.stderr)
