"""Images of GANs (gan.py), added to the training rows.

Each fold has its own GAN. How much its images resemble the training rows of the fold is written to
gan/checks.json.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics
from mer_jax.folds import resampling
from mer_jax.folds.protocols import pad_rows, rows_of, with_train_rows
from mer_jax.generation import GanRun, gan, quality
from mer_jax.report import overlays, plots_gan
from mer_jax.runfiles import files
from mer_jax.runfiles.gan import FoldChecks, GanChecks, GanImages
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import held_out, plan, programs
from mer_jax.types import Folds, Names, Samples

CHECKED = 5  # most folds whose images are compared with their training rows
KINDS = ('samples.png', 'nearest.png')


def extend(
    samples: Samples,
    folds: Folds,
    names: Names,
    titles: list[str],
    layout: Plan,
    settings: sections.Gan,
    *,
    run: GanRun,
) -> tuple[Samples, Folds]:
    """Add images of a GAN to the training rows of each run.

    The GAN of a fold saw its training rows alone. Where a file holds finished images, they are read
    instead of training again.

    Args:
        samples: all rows.
        folds: all runs.
        names: names of classes, subjects and data sets.
        titles: titles of the folds.
        layout: the plan of the GANs; how many of them train together is chosen here.
        settings: of section gan. With scope 'all', one GAN per seed serves all folds and sees every
            row, test rows included, as published: a leak.
        run: where and how often the GANs are written.

    Returns:
        The samples, the images appended; and the runs, whose training rows include the images.

    Raises:
        UserError: a GAN diverged, or a device has too little memory.
    """
    gan_folds, gan_of_run = _folds_of_gans(samples, folds, settings.scope)
    if not (run.folder / GanImages.FILE).exists():
        titles = titles if settings.scope == 'fold' else ['all rows'] * len(titles)
        images = _train(samples, gan_folds, names, layout, settings, run)
        write_checks(samples, gan_folds, titles, names, images, run)
        GanImages(images).write(run.folder)
    # A run continues from the images; the states of all GANs may be gigabytes.
    shutil.rmtree(run.folder / files.CHECKPOINTS, ignore_errors=True)
    label = np.repeat(np.arange(len(names.classes), dtype=np.int32), settings.images_per_class)
    shape = len(gan_folds.fold), len(label), *samples.image.shape[1:]
    images = GanImages.read(run.folder, shape).values
    kept = {}
    for number in range(len(gan_folds.fold)):
        # Images of a class that the GAN never saw mean nothing.
        present = np.isin(label, samples.label[rows_of(gan_folds.train, number)])
        kept[number] = images[number][present], label[present]
    longer, rows_of_gan = resampling.append(samples, kept)
    train = []
    for number in range(len(folds.fold)):
        added = rows_of_gan[gan_of_run[number]]
        train.append(np.concatenate([rows_of(folds.train, number), added]))
    return longer, with_train_rows(folds, train)


def _train(samples, folds, names, layout, settings, run):
    """Train all GANs, and return their images."""
    layout = _plan(run, samples, folds, names, layout, settings)
    classes = len(names.classes)
    with programs.within_memory(layout, run.folder, batch='gan.batch_size'):
        images, records = gan.train_all(samples, folds, layout, settings, classes=classes, run=run)
    _refuse_diverged(images, records)
    return images


def _folds_of_gans(samples, folds, scope):
    """Return the Folds of the GANs, and the GAN that each run uses."""
    if scope == 'fold':
        return folds, np.arange(len(folds.fold))
    _, first, gan_of_run = np.unique(folds.seed, return_index=True, return_inverse=True)
    chosen = held_out.subset(folds, first)
    every_row = []
    for run in range(len(first)):
        every_row.append(np.union1d(rows_of(chosen.train, run), rows_of(chosen.test, run)))
    chosen = with_train_rows(chosen, every_row)
    chosen = chosen._replace(train=chosen.train._replace(scaler_rows=pad_rows(every_row)))
    return chosen, gan_of_run.ravel()


def _refuse_diverged(images, records):
    """Refuse GANs that diverged: losses or images are not finite.

    As bytes, such images would look like any others.
    """
    last = [record.figures for record in records if record.epoch == records[-1].epoch]
    losses = [figures['loss'] for figures in last] + [figures['d_loss'] for figures in last]
    if None in losses or not np.isfinite(images).all():
        raise UserError(
            'balance.method gan: a GAN diverged (its loss or images are not finite); a smaller '
            'gan.learning_rate may help, in another --workdir'
        )


def _plan(run, samples, folds, names, layout, settings):
    """Return the plan of the GANs, that of the file where there is one.

    GANs that continue need the groups of their checkpoints, although more or less memory may be
    free by then.
    """
    if (run.folder / Plan.FILE).exists():
        return plan.read_for_resume(run.folder, layout.devices)
    learner = gan.learner(
        settings,
        classes=len(names.classes),
        channels=samples.image.shape[-1],
        lowering=layout.lowering,
    )
    run.folder.mkdir(parents=True, exist_ok=True)
    group = plan.group_size(
        layout,
        len(folds.fold),
        shapes=held_out.state_shapes(learner, samples, folds.train),
        group=run.runs_in_memory,
        device=jax.devices()[0],
        folder=run.folder,
    )
    layout = replace(layout, group=group)
    layout.write(run.folder)
    return layout


def write_checks(
    samples: Samples,
    folds: Folds,
    titles: list[str],
    names: Names,
    images: np.ndarray,
    run: GanRun,
) -> None:
    """Write checks.json and figures of generated images.

    They compare the images of up to CHECKED folds of the first seed with the rows that these were
    learned from.

    Args:
        samples: all rows.
        folds: of the GANs, one for each run of `images`.
        titles: of the folds.
        names: of classes, subjects and data sets.
        images: uint8[runs, classes * images_per_class, H, W, C], sorted by class.
        run: whose folder receives the files.
    """
    label = np.repeat(np.arange(len(names.classes)), images.shape[1] // len(names.classes))
    runs = np.flatnonzero(folds.seed == folds.seed[0])
    spread = np.linspace(0, len(runs) - 1, CHECKED).round().astype(int)
    blocks = []
    for number in runs[np.unique(spread)]:
        rows = rows_of(folds.train, number)
        present = np.isin(label, samples.label[rows])
        real = samples.image[rows], samples.label[rows]
        generated = images[number][present], label[present]
        memorised, pairs = quality.memorised(real[0], generated[0])
        block = FoldChecks(
            fold=titles[folds.fold[number]],
            memorised=memorised,
            two_sample=quality.two_sample(real, generated, 0),
            statistics=quality.statistics(real, generated, classes=names.classes),
        )
        blocks.append(block)
        if number == runs[0]:
            publishable = _publishable(samples, names, rows)
            _draw(run, names, real, generated, pairs, publishable)
    GanChecks(tuple(blocks)).write(run.folder)
    print(describe(blocks, run.folder / KINDS[0]), flush=True)


def _publishable(samples, names, rows):
    """Return which rows a licence allows to show, bool[n]."""
    forbidden = []
    for row in rows:
        dataset, subject = (
            names.datasets[samples.dataset[row]],
            names.subjects[samples.subject[row]],
        )
        forbidden.append(overlays.forbidden(dataset, subject))
    return ~np.array(forbidden, bool)


def _draw(run, names, real, generated, pairs, publishable):
    """Draw the figures of one fold."""
    image, label = real
    shown = image[publishable], label[publishable]
    plots_gan.samples(run.folder / KINDS[0], shown, generated, names.classes, run.channels)
    pairs = pairs[publishable[pairs[:, 1]]]
    plots_gan.nearest(
        run.folder / KINDS[1], generated[0][pairs[:, 0]], image[pairs[:, 1]], run.channels
    )


def describe(blocks: Sequence[FoldChecks], figure: Path) -> str:
    """Return a line about how real the images look.

    It says how well a classifier separates them from real images.

    Args:
        blocks: of checks.json; the line holds the mean over their folds.
        figure: to which the line points.
    """
    tests = [block.two_sample for block in blocks]
    made = metrics.nanmean([test['made']['auc'] for test in tests], axis=0)
    chance = metrics.nanmean([test['chance']['auc'] for test in tests], axis=0)
    return (
        f'gan: a linear classifier tells its images from real ones with AUC {made:.2f} (0.5: it '
        f'cannot; 1: always), halves of the real ones with {chance:.2f}; look at {figure}'
    )
