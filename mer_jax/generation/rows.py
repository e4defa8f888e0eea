"""Images that the GAN of a fold (gan.py) generates, which train beside the fold's own rows.

How much they resemble these is checked.
"""

import shutil
from dataclasses import replace

import jax
import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics
from mer_jax.folds import resampling
from mer_jax.folds.protocols import rows_of, stacked
from mer_jax.generation import GanRun, gan, quality
from mer_jax.report import overlays, plots_gan
from mer_jax.runfiles.gan import FoldChecks, GanChecks, GanImages
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import held_out as evaluate
from mer_jax.training import plan
from mer_jax.types import Folds, Names, Samples

CHECKED = 5  # folds whose images are compared with what they were learned from
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
    """(samples, folds) with images of each class a fold holds, made by a GAN that saw its training
    rows alone.

    Args:
        samples: all rows.
        folds: who trains and is tested.
        names: of classes, subjects and data sets.
        titles: of the folds.
        layout: its group left open.
        settings: of section gan; with scope 'all' one GAN per seed sees every row of its folds, the
            tested ones included, as published: a leak.
        run: where and how often the GANs are written.

    Raises:
        UserError: a GAN diverged.
    """
    folder, each, scope = run.folder, settings.images_per_class, settings.scope
    learned, owner = _learned(samples, folds, scope)
    if not (folder / GanImages.FILE).exists():
        layout = _pinned(run, samples, learned, names, layout, settings)
        made, logs = gan.trained(
            samples,
            learned,
            layout,
            settings,
            classes=len(names.classes),
            folder=folder,
            interval=run.interval,
        )
        _refuse_diverged(made, logs)
        _check(
            folder,
            samples,
            learned,
            titles if scope == 'fold' else ['all rows'] * len(titles),
            names,
            made,
            run.channels,
        )
        GanImages(made).write(folder)
    # a run continues from the images; all states may be gigabytes
    shutil.rmtree(folder / 'checkpoints', ignore_errors=True)
    made = GanImages.read(folder).values
    label = np.repeat(np.arange(len(names.classes), dtype=np.int32), each)
    kept = [
        np.isin(label, samples.label[rows_of(learned.train, number)])
        for number in range(len(learned.fold))
    ]
    longer, rows = resampling.appended(
        samples, {number: (made[number][keep], label[keep]) for number, keep in enumerate(kept)}
    )
    train = stacked(
        [
            np.concatenate([rows_of(folds.train, number), rows[owner[number]]])
            for number in range(len(folds.fold))
        ]
    )
    return longer, folds._replace(train=folds.train._replace(index=train.index, mask=train.mask))


def _learned(samples, folds, scope):
    """(the Folds that GANs learn from, which of them each run of `folds` uses)."""
    if scope == 'fold':
        return folds, np.arange(len(folds.fold))
    _, first, owner = np.unique(folds.seed, return_index=True, return_inverse=True)
    chosen = evaluate.subset(folds, first)
    held_out = zip(chosen.test.index, chosen.test.mask, strict=True)
    every = stacked(
        [
            np.union1d(rows_of(chosen.train, run), index[mask > 0])
            for run, (index, mask) in enumerate(held_out)
        ]
    )
    return chosen._replace(
        train=chosen.train._replace(index=every.index, mask=every.mask, scaler_rows=every)
    ), owner.ravel()


def _refuse_diverged(made, logs):
    """UserError where a generator's images or any GAN's last losses are not finite: as bytes they
    would pass for pictures.
    """
    last = [record.figures for record in logs if record.epoch == logs[-1].epoch]
    losses = [figures[name] for figures in last for name in ('loss', 'd_loss')]
    if None in losses or not np.isfinite(made).all():
        raise UserError(
            'balance.method gan: a GAN diverged (its loss or images are not finite); a smaller '
            'gan.learning_rate may '
            'help, in another --workdir'
        )


def _pinned(run, samples, folds, names, layout, settings):
    """The plan that the GANs of `run` began with; else `layout` with as many at a time as memory
    holds, written there: checkpoints are read by groups, and by then another amount of memory may
    be free.
    """
    folder = run.folder
    if (folder / Plan.FILE).exists():
        return plan.read_for_resume(folder, jax.device_count())
    learner = gan.learner(
        settings,
        classes=len(names.classes),
        channels=samples.image.shape[-1],
        lowering=layout.lowering,
    )
    shapes = evaluate.state_shapes(learner, samples, folds.train)
    folder.mkdir(parents=True, exist_ok=True)
    layout = replace(
        layout,
        group=plan.group_size(
            layout,
            len(folds.fold),
            shapes=shapes,
            group=run.runs_in_memory,
            device=jax.devices()[0],
            folder=folder,
        ),
    )
    layout.write(folder)
    return layout


def _check(folder, samples, folds, titles, names, made, channels):
    """checks.json and the pictures: images of up to CHECKED folds of the first seed beside the rows
    they were learned from.
    """
    own = np.flatnonzero(folds.seed == folds.seed[0])
    label = np.repeat(np.arange(len(names.classes)), made.shape[1] // len(names.classes))
    blocks = []
    for run in own[np.unique(np.linspace(0, len(own) - 1, CHECKED).round().astype(int))]:
        rows = rows_of(folds.train, run)
        keep = np.isin(label, samples.label[rows])
        real, fake = (samples.image[rows], samples.label[rows]), (made[run][keep], label[keep])
        told, pairs = quality.memorised(real[0], fake[0])
        blocks.append(
            FoldChecks(
                fold=titles[folds.fold[run]],
                memorised=told,
                two_sample=quality.two_sample(real, fake, 0),
                statistics=quality.statistics(real, fake, classes=names.classes),
            )
        )
        if run == own[0]:
            shown = np.array(
                [
                    not overlays.forbidden(
                        names.datasets[samples.dataset[row]], names.subjects[samples.subject[row]]
                    )
                    for row in rows
                ]
            )
            pairs = pairs[shown[pairs[:, 1]]]
            plots_gan.samples(
                folder / KINDS[0], (real[0][shown], real[1][shown]), fake, names.classes, channels
            )
            plots_gan.nearest(
                folder / KINDS[1], fake[0][pairs[:, 0]], real[0][pairs[:, 1]], channels
            )
    GanChecks(tuple(blocks)).write(folder)
    print(describe(blocks, folder / KINDS[0]), flush=True)


def describe(blocks, picture) -> str:
    """One line: how well a classifier tells the images from real ones, in the mean over the folds
    of checks.json.
    """
    tests = [block.two_sample for block in blocks]
    made, chance = (
        metrics.mean([test[side]['auc'] for test in tests], axis=0) for side in ('made', 'chance')
    )
    return (
        f'gan: a linear classifier tells its images from real ones with AUC {made:.2f} (0.5: it '
        'cannot; 1: always), halves '
        f'of the real ones with {chance:.2f}; look at {picture}'
    )
