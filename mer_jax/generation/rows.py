"""Images that the GAN of a fold (gan.py) generates, which train beside the fold's own rows.

How much they resemble these is checked.
"""

import shutil
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics
from mer_jax.folds import resampling
from mer_jax.folds.protocols import rows_of, stacked
from mer_jax.generation import gan, quality
from mer_jax.report import overlays, plots_gan
from mer_jax.runfiles.gan import FoldChecks, GanChecks, GanImages
from mer_jax.runfiles.plan import Plan
from mer_jax.training import held_out as evaluate
from mer_jax.training import plan

CHECKED = 5  # folds whose images are compared with what they were learned from
KINDS = ('samples.png', 'nearest.png')


def extend(
    samples,
    folds,
    names,
    titles,
    layout,
    *,
    folder,
    interval,
    channels,
    group,
    scope,
    each,
    **settings,
):
    """(samples, folds) with `each` images of each class a fold holds, made by a GAN that saw its
    training rows alone.

    folder: of the GANs, where a killed training goes on and finished images are read again; layout:
    plan.Plan, its group left open; group: runs in memory at a time, 0 as many as fit; interval:
    seconds between checkpoints; channels: names of the image's. scope 'all': one GAN a seed that
    saw every row of its folds, the tested ones included, as published: a leak.
    settings: of gan.trained (size, width, steps, batch_size, learning_rate, smoothing, dropout).
    UserError where one diverged.
    """
    learned, owner = _learned(samples, folds, scope)
    if not (folder / GanImages.FILE).exists():
        layout = _pinned(folder, samples, learned, names, layout, group, settings)
        made, logs = gan.trained(
            samples,
            learned,
            layout,
            classes=len(names.classes),
            each=each,
            folder=folder,
            interval=interval,
            tell=partial(print, flush=True),
            **settings,
        )
        _refuse_diverged(made, logs)
        _check(
            folder,
            samples,
            learned,
            titles if scope == 'fold' else ['all rows'] * len(titles),
            names,
            made,
            channels,
        )
        GanImages(made).write(folder)
    # a run continues from the images; all states may be gigabytes
    shutil.rmtree(folder / 'checkpoints', ignore_errors=True)
    made = GanImages.read(folder).values
    label = np.repeat(np.arange(len(names.classes), dtype=np.int32), each)
    kept = [
        np.isin(label, samples.label[rows_of(learned.train, run)])
        for run in range(len(learned.fold))
    ]
    longer, rows = resampling.appended(
        samples, {run: (made[run][keep], label[keep]) for run, keep in enumerate(kept)}
    )
    train = stacked(
        [
            np.concatenate([rows_of(folds.train, run), rows[owner[run]]])
            for run in range(len(folds.fold))
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


def _pinned(folder, samples, folds, names, layout, group, settings):
    """The plan that the GANs of `folder` began with; else `layout` with as many at a time as memory
    holds, written there: checkpoints are read by groups, and by then another amount of memory may
    be free.
    """
    if (folder / Plan.FILE).exists():
        return plan.resumed(folder, jax.device_count())
    keys = ('size', 'width', 'learning_rate', 'smoothing', 'dropout')
    learner = gan.learner(
        classes=len(names.classes),
        channels=samples.image.shape[-1],
        lowering=layout.lowering,
        **{key: settings[key] for key in keys},
    )
    shapes = evaluate.state_shapes(learner, samples, folds.train)
    folder.mkdir(parents=True, exist_ok=True)
    layout = replace(
        layout,
        group=plan.group_size(
            layout,
            len(folds.fold),
            shapes=shapes,
            group=group,
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
