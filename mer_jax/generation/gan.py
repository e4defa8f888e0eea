"""A conditional GAN for every fold, trained on its training rows alone, and the images that it then
draws.

Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022): 100 images a class, Adam with a first moment
of 0.5. Their GAN saw every subject; here a fold's knows its own rows only. What the paper leaves
open is Radford, Metz and Chintala's recipe (ICLR 2016).
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from mer_jax.models import dcgan
from mer_jax.models.layers import check_image
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import balance, batches, checkpoint, loop, metrics_log, parallel, scaling
from mer_jax.training import programs as runs
from mer_jax.training.epoch import run_key
from mer_jax.types import Folds, FoldState, Learner, Samples

# folded into a run's key where training folds in the epoch, which never comes so far
DRAWING = 2**32 - 1
VALUE_RANGE = (-1.0, 1.0)


def learner(settings: sections.Gan, *, classes: int, channels: int, lowering: str) -> Learner:
    """Both networks of one fold: FoldState with params and opt_state {'g', 'd'}, fitted
    {'present'[, 'scale']}.

    settings: of section gan; UserError where its size is not a multiple of 8. smoothing is what a
    real image's target of 1 lacks (0.1: one-sided, Salimans et al. 2016; 0: off).
    logs of a step: loss (the generator's), d_loss, d_real and d_fake (mean probability of being
    real before the step). predict gives the discriminator's logit [B, 1] of images under label 0,
    whatever their class: no result rests on it.
    """
    size = settings.size
    generator, discriminator = networks(
        settings, classes=classes, channels=channels, lowering=lowering
    )
    optimizer = optax.adam(settings.learning_rate, b1=0.5)

    def init(key, samples, rows):
        check_image('dcgan', samples.image, least=8, channels=channels)
        keys, label = jax.random.split(key), jnp.zeros(1, jnp.int32)
        params = {
            'g': generator.init(keys[0], jnp.zeros((1, generator.latent)), label)['params'],
            'd': discriminator.init(
                keys[1], jnp.zeros((1, size, size, channels)), label, train=False
            )['params'],
        }
        moments = {part: optimizer.init(params[part]) for part in params}
        return FoldState(jnp.int32(0), params, {}, moments, fit(samples, rows, classes=classes))

    def step(state, batch, key):
        image = seen(batch.image, state.fitted, size=size)
        params, moments, logs = step_of(
            state.params,
            state.opt_state,
            image,
            batch.label,
            state.fitted['present'],
            key,
            networks=(generator, discriminator),
            optimizer=optimizer,
            smoothing=settings.smoothing,
        )
        return FoldState(state.step + 1, params, {}, moments, state.fitted), logs

    def predict(state, inputs):
        label = jnp.zeros(len(inputs.image), jnp.int32)
        image = seen(inputs.image, state.fitted, size=size)
        return discriminator.apply({'params': state.params['d']}, image, label, train=False)[
            :, None
        ], {}

    return Learner(init, step, predict)


def networks(settings: sections.Gan, *, classes: int, channels: int, lowering: str):
    """(Generator, Discriminator) of models.dcgan with these settings."""
    size, width = settings.size, settings.width
    return (
        dcgan.Generator(classes, channels, size, width, lowering=lowering),
        dcgan.Discriminator(classes, width, settings.dropout, lowering),
    )


def fit(samples, rows, *, classes) -> dict:
    """What is fitted to the fold's rows: 'present', float32[K], 1 for a class that has one; of
    measured flow its 'scale' too.
    """
    scaler = 'none' if samples.image.dtype == jnp.uint8 else 'p995'
    weight = balance.class_weight(
        batches.labels(samples, rows), rows, classes=classes, formula='none'
    )
    return scaling.fit_input(samples, rows, scaler=scaler) | {'present': weight}


def seen(image, fitted, *, size):
    """Images [B, H, W, C], bytes or flow in pixels, as the networks take them: float32[B, size,
    size, C] in -1..1, bilinear.
    """
    image = scaling.scale_input(image, fitted, value_range=VALUE_RANGE)
    return jax.image.resize(image, (len(image), size, size, image.shape[-1]), 'bilinear')


def step_of(params, moments, image, label, present, key, *, networks, optimizer, smoothing):
    """A step of the discriminator, then one of the generator against what it became; returns
    (params, moments, logs).

    image [B, S, S, C] in -1..1 with label int32[B]; as many fakes, drawn once for both steps, with
    labels drawn evenly among the classes that are present: of one that the fold lacks nothing could
    be learned but that it is fake.
    """
    generator, discriminator = networks
    keys, count = jax.random.split(key, 4), len(image)
    z = jax.random.normal(keys[0], (count, generator.latent))
    drawn = jax.random.categorical(keys[1], jnp.log(present), shape=(count,)).astype(label.dtype)
    fake, to_generator = jax.vjp(lambda g: generator.apply({'params': g}, z, drawn), params['g'])

    def judged(d, image, label, key):
        return discriminator.apply({'params': d}, image, label, train=True, rngs={'dropout': key})

    def d_loss(d):
        # Real and fake in one batch, which no batch statistic joins: half as many products, each
        # twice as large.
        logit = judged(d, jnp.concatenate([image, fake]), jnp.concatenate([label, drawn]), keys[2])
        real, made = logit[:count], logit[count:]
        return jnp.mean(cross_entropy(real, 1 - smoothing)) + jnp.mean(cross_entropy(made, 0.0)), (
            real,
            made,
        )

    (told, (real, made)), gradient = jax.value_and_grad(d_loss, has_aux=True)(params['d'])
    d, d_moments = moved(optimizer, gradient, moments['d'], params['d'])
    loss, gradient = jax.value_and_grad(
        lambda fake: jnp.mean(cross_entropy(judged(d, fake, drawn, keys[3]), 1.0))
    )(fake)
    g, g_moments = moved(optimizer, *to_generator(gradient), moments['g'], params['g'])
    logs = {
        'loss': loss,
        'd_loss': told,
        'd_real': jnp.mean(jax.nn.sigmoid(real)),
        'd_fake': jnp.mean(jax.nn.sigmoid(made)),
    }
    return {'g': g, 'd': d}, {'g': g_moments, 'd': d_moments}, logs


def cross_entropy(logit, target):
    """Binary cross-entropy of each logit, any shape, with a target probability."""
    return jax.nn.softplus(logit) - target * logit


def moved(optimizer, gradient, moments, params):
    """(params, moments) after one step of the optimizer."""
    updates, moments = optimizer.update(gradient, moments, params)
    return optax.apply_updates(params, updates), moments


def generate(samples, state, fold, seed, *, each, generator):
    """[classes * each, H, W, C] in unit, dtype and size of samples.image, class after class, from
    one fold's state.

    Latent vectors derive from (seed, fold), apart from all that training drew. Of a class that the
    fold's rows lack (fitted['present'] is 0) the images mean nothing.
    """
    key = jax.random.fold_in(run_key(seed, fold), DRAWING)

    def of_class(number):
        z = jax.random.normal(jax.random.fold_in(key, number), (each, generator.latent))
        made = generator.apply({'params': state.params['g']}, z, jnp.full(each, number))
        return drawn_as(samples.image, made, state.fitted)

    made = lax.map(of_class, jnp.arange(generator.classes))
    return made.reshape(-1, *made.shape[2:])


def drawn_as(like, image, fitted):
    """Images [B, S, S, C] in -1..1 in the size, unit and dtype of `like` [N, H, W, C]: the inverse
    of `seen`.
    """
    image = jax.image.resize(image, (len(image), *like.shape[1:]), 'bilinear')
    if 'scale' in fitted:
        return (image * fitted['scale']).astype(like.dtype)
    return jnp.clip(jnp.rint((image + 1) * 127.5), 0, 255).astype(like.dtype)


def trained(
    samples: Samples,
    folds: Folds,
    layout: Plan,
    settings: sections.Gan,
    *,
    classes: int,
    folder: Path,
    interval: float,
):
    """Train a GAN for each run, and draw its images.

    Prints what is trained. Training takes settings.steps steps or the rest of their epoch.

    Args:
        samples: images and classes.
        folds: their test rows are dropped before anything is compiled.
        layout: its lowering and group hold.
        settings: of section gan.
        classes: how many.
        folder: of checkpoints and metrics.jsonl; a killed training goes on to the same bits.
        interval: seconds between checkpoints.

    Returns:
        (images [F, classes * images_per_class, H, W, C] numpy, the records of metrics.jsonl).
    """
    folder.mkdir(parents=True, exist_ok=True)
    folds = folds._replace(test=jax.tree.map(lambda a: a[:, :0], folds.test))
    shape = {
        'classes': classes,
        'channels': samples.image.shape[-1],
        'lowering': layout.lowering,
    }
    each = settings.images_per_class
    total = len(folds.fold)
    group = min(layout.group or total, total)
    an_epoch, _ = batches.batch_shape(folds.train.index.shape[1], settings.batch_size)
    epochs = -(-settings.steps // an_epoch)
    print(
        f'gan: {total} runs, {epochs} epochs of {an_epoch} steps each; then {each} images a class',
        flush=True,
    )
    programs = runs.compile_programs(
        learner(settings, **shape),
        layout,
        samples,
        folds,
        runs.ProgramOptions(
            batches.BatchOptions(settings.batch_size),
            runs=group,
            test_batch=settings.batch_size,
            chunk=loop.CHUNK,
        ),
    )
    draw = parallel.over_folds(
        partial(generate, each=each, generator=networks(settings, **shape)[0]),
        at_once=layout.at_once,
        devices=programs.devices,
    )
    images = np.zeros((total, classes * each, *samples.image.shape[1:]), samples.image.dtype)
    with metrics_log.progress(total, -(-total // group), epochs) as bar:
        bar.set_description_str(f'training {total} GANs')
        for number, first in enumerate(range(0, total, group)):
            members = np.arange(first, min(first + group, total))
            placed = runs.place(programs, folds, members)
            with metrics_log.opened(folder, number, bar) as log:
                states = _fit(
                    placed,
                    folder / 'checkpoints' / f'group_{number}',
                    log,
                    epochs=epochs,
                    interval=interval,
                )
            drawn = draw(programs.samples, states, placed.fold, placed.seed)
            images[members] = runs.to_host(placed, drawn)
    return images, MetricsLog.read(folder).records


def _fit(group, folder, log, *, epochs, interval):
    """Train a group to `epochs`, from what a killed training left in `folder`; returns its
    states.
    """
    with checkpoint.opened(folder) as manager:
        epoch = max(checkpoint.newest(folder), 0)
        states = runs.restored(group, manager, epoch) if epoch else runs.init(group)
        log.cut(epoch)
        schedule = checkpoint.Schedule(interval)
        for chunk in runs.fit(group, states, done=epoch, epochs=epochs):
            states = chunk.states
            log.write(chunk)
            if chunk.epoch == epochs or schedule.due():
                with schedule.writing():
                    checkpoint.save(manager, chunk.epoch, runs.to_host(group, states))
    return states
