"""A conditional GAN per fold, and the images it generates.

It is trained on the training rows of the fold alone. Koo, Zulkifley and Kamari, Sensors 22(11):4011
(2022): 100 images per class, Adam with a first moment of 0.5. Their GAN saw every subject; here the
GAN of a fold sees only the rows of the fold. What the paper leaves open is the recipe of Radford,
Metz and Chintala (ICLR 2016).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from mer_jax.generation import GanRun
from mer_jax.models import dcgan
from mer_jax.models.layers import check_image
from mer_jax.runfiles import files
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import balance, batches, checkpoint, loop, metrics_log, parallel, scaling
from mer_jax.training import programs as runs
from mer_jax.training.epoch import run_key
from mer_jax.types import Fitted, Folds, FoldState, Inputs, Learner, Logs, Out, Samples, TrainRows

# Folded into the key of a run to draw images. Training folds in the number of an epoch instead,
# which is never so large.
DRAWING = 2**32 - 1
VALUE_RANGE = (-1.0, 1.0)

Networks = tuple[dcgan.Generator, dcgan.Discriminator]
Params = dict[str, optax.Params]  # of the generator, 'g', and of the discriminator, 'd'
Moments = dict[str, optax.OptState]  # of the optimizer, under the same keys
Stats = dict[str, optax.Params]  # batch statistics of one network; {} without batch norm


def learner(settings: sections.Gan, *, classes: int, channels: int, lowering: str) -> Learner:
    """Return the learner of both networks of one fold.

    In its FoldState, params and opt_state have the keys 'g' (generator) and 'd' (discriminator);
    with batch norm, so has batch_stats. A step logs `loss`, that of the generator; `d_loss`, that
    of the discriminator; and the mean probability of being real that the discriminator gave, before
    the step, to real images (`d_real`) and to fakes (`d_fake`). `predict` returns the logit [B, 1]
    of the discriminator for label 0; no result depends on it.

    Args:
        settings: of section gan. `smoothing` is how much the target of a real image is below 1
            (one-sided label smoothing, Salimans et al. 2016; 0: off).
        classes: K.
        channels: number of channels of the images.
        lowering: how convolutions are computed; see models/layers.py.

    Raises:
        UserError: the size is not a multiple of 8.
    """
    size = settings.size
    both = networks(settings, classes=classes, channels=channels, lowering=lowering)
    generator, discriminator = both
    optimizer = optax.adam(settings.learning_rate, b1=0.5)

    def init(key: jax.Array, samples: Samples, rows: TrainRows) -> FoldState:
        check_image('dcgan', samples.image, least=8, channels=channels)
        keys = jax.random.split(key)
        label = jnp.zeros(1, jnp.int32)
        latent = jnp.zeros((1, generator.latent))
        image = jnp.zeros((1, size, size, channels))
        initial = {
            'g': generator.init(keys[0], latent, label),
            'd': discriminator.init(keys[1], image, label, train=False),
        }
        params = {name: values['params'] for name, values in initial.items()}
        moments = {name: optimizer.init(values) for name, values in params.items()}
        stats = {}
        if settings.batch_norm:
            stats = {name: values['batch_stats'] for name, values in initial.items()}
        return FoldState(jnp.int32(0), params, stats, moments, fit(samples, rows, classes=classes))

    def step(state: FoldState, batch: Samples, key: jax.Array) -> tuple[FoldState, Logs]:
        image = preprocess(batch.image, state.fitted, size=size, method=settings.resize)
        return train_step(
            state,
            image,
            batch.label,
            key,
            networks=both,
            optimizer=optimizer,
            smoothing=settings.smoothing,
        )

    def predict(state: FoldState, inputs: Inputs) -> tuple[jax.Array, Out]:
        label = jnp.zeros(len(inputs.image), jnp.int32)
        image = preprocess(inputs.image, state.fitted, size=size, method=settings.resize)
        logit = discriminator.apply(variables(state, 'd'), image, label, train=False)
        return logit[:, None], {}

    return Learner(init, step, predict)


def networks(settings: sections.Gan, *, classes: int, channels: int, lowering: str) -> Networks:
    """Return generator and discriminator; arguments as in learner."""
    options = {'lowering': lowering, 'batch_norm': settings.batch_norm}
    generator = dcgan.Generator(classes, channels, settings.size, settings.width, **options)
    discriminator = dcgan.Discriminator(
        classes,
        settings.width,
        settings.dropout,
        output=settings.discriminator_output,
        **options,
    )
    return generator, discriminator


def variables(state: FoldState, name: str) -> dict[str, optax.Params]:
    """Return parameters and batch statistics of a network.

    Args:
        state: of the fold; it holds batch statistics where the networks have batch norm.
        name: 'g' or 'd'.
    """
    return {'params': state.params[name], 'batch_stats': state.batch_stats.get(name, {})}


def fit(samples: Samples, rows: TrainRows, *, classes: int) -> Fitted:
    """Fit what a GAN needs to the rows of its fold.

    Args:
        samples: all rows.
        rows: training rows of the fold.
        classes: K.

    Returns:
        'present', float32[K], 1 for a class that has rows, else 0; and, for flow in pixels,
        'scale', float32[C], the 99.5th percentile of its absolute value.
    """
    scaler = 'none' if samples.image.dtype == jnp.uint8 else 'p995'
    label = batches.labels(samples, rows)
    present = balance.class_weight(label, rows, classes=classes, formula='none')
    return scaling.fit_input(samples, rows, scaler=scaler) | {'present': present}


def preprocess(
    image: jax.Array, fitted: Fitted, *, size: int, method: str = 'bilinear'
) -> jax.Array:
    """Scale and resize images for the networks.

    Args:
        image: [B, H, W, C], bytes or flow in pixels.
        fitted: by fit.
        size: pixels per side.
        method: 'bilinear', or 'crop': the border repeats the outermost pixels, so that a crop of
            the middle returns the image.

    Returns:
        float32[B, size, size, C] in -1..1.
    """
    image = scaling.scale_input(image, fitted, value_range=VALUE_RANGE)
    if method == 'crop':
        border = [_border(side, size) for side in image.shape[1:3]]
        return jnp.pad(image, ((0, 0), *border, (0, 0)), 'edge')
    return jax.image.resize(image, (len(image), size, size, image.shape[-1]), 'bilinear')


def _border(side, size):
    """Return the pixels that are missing before and after a side."""
    return (size - side) // 2, -(-(size - side) // 2)


def postprocess(
    like: jax.Array,
    image: jax.Array,
    fitted: Fitted,
    *,
    method: str = 'bilinear',
) -> jax.Array:
    """Invert preprocess: size, unit and dtype become those of the data set.

    Args:
        like: [N, H, W, C], images of the data set.
        image: [B, S, S, C] in -1..1.
        fitted: by fit.
        method: as in preprocess; 'crop' cuts out the middle.
    """
    if method == 'crop':
        height, width = like.shape[1:3]
        (top, _), (left, _) = _border(height, image.shape[1]), _border(width, image.shape[2])
        image = image[:, top : top + height, left : left + width]
    else:
        image = jax.image.resize(image, (len(image), *like.shape[1:]), 'bilinear')
    if 'scale' in fitted:
        return (image * fitted['scale']).astype(like.dtype)
    return jnp.clip(jnp.rint((image + 1) * 127.5), 0, 255).astype(like.dtype)


def train_step(
    state: FoldState,
    image: jax.Array,
    label: jax.Array,
    key: jax.Array,
    *,
    networks: Networks,
    optimizer: optax.GradientTransformation,
    smoothing: float,
) -> tuple[FoldState, Logs]:
    """Train the discriminator for a step, then the generator.

    The generator trains against the new discriminator. Both steps use the same fakes, as many as
    there are images. Their labels are drawn evenly from the classes that are present: of a class
    that the fold lacks, the discriminator would see fakes only. With batch norm, real images and
    fakes are batches of their own, as Radford et al. advise; the running statistics of the
    discriminator move with both.

    Args:
        state: before the step.
        image: [B, S, S, C] in -1..1.
        label: int32[B].
        key: of the draws.
        networks: generator and discriminator.
        optimizer: of both.
        smoothing: how much the target of a real image is below 1.

    Returns:
        The state after the step, and the logs.
    """
    generator, discriminator = networks
    params, moments = state.params, state.opt_state
    keys = jax.random.split(key, 4)
    count = len(image)
    latent = jax.random.normal(keys[0], (count, generator.latent))
    log_share = jnp.log(state.fitted['present'])
    fake_label = jax.random.categorical(keys[1], log_share, shape=(count,)).astype(label.dtype)

    def generate_fakes(g: optax.Params) -> tuple[jax.Array, Stats]:
        fake, updated = generator.apply(
            {'params': g, 'batch_stats': state.batch_stats.get('g', {})},
            latent,
            fake_label,
            train=True,
            mutable=['batch_stats'],
        )
        return fake, updated.get('batch_stats', {})

    def discriminate(
        d: optax.Params, stats: Stats, image: jax.Array, label: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Stats]:
        logit, updated = discriminator.apply(
            {'params': d, 'batch_stats': stats},
            image,
            label,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': key},
        )
        return logit, updated.get('batch_stats', {})

    def discriminate_both(d: optax.Params) -> tuple[jax.Array, jax.Array, Stats]:
        stats = state.batch_stats.get('d', {})
        if stats:
            key_of_real, key_of_fake = jax.random.split(keys[2])
            real_logit, stats = discriminate(d, stats, image, label, key_of_real)
            fake_logit, stats = discriminate(d, stats, fake, fake_label, key_of_fake)
            return real_logit, fake_logit, stats
        # Real and fake in one batch, which no batch statistic joins: half as many products, each
        # twice as large.
        images = jnp.concatenate([image, fake])
        labels = jnp.concatenate([label, fake_label])
        logit, _ = discriminate(d, stats, images, labels, keys[2])
        return logit[:count], logit[count:], stats

    def d_loss(d: optax.Params) -> tuple[jax.Array, tuple[jax.Array, jax.Array, Stats]]:
        real_logit, fake_logit, stats = discriminate_both(d)
        loss_of_real = jnp.mean(cross_entropy(real_logit, 1 - smoothing))
        loss_of_fake = jnp.mean(cross_entropy(fake_logit, 0.0))
        return loss_of_real + loss_of_fake, (real_logit, fake_logit, stats)

    def g_loss(fake: jax.Array) -> jax.Array:
        logit, _ = discriminate(d, d_stats, fake, fake_label, keys[3])
        return jnp.mean(cross_entropy(logit, 1.0))

    fake, to_generator, g_stats = jax.vjp(generate_fakes, params['g'], has_aux=True)
    d_differentiated = jax.value_and_grad(d_loss, has_aux=True)
    (d_value, (real_logit, fake_logit, d_stats)), gradient = d_differentiated(params['d'])
    d, d_moments = apply_updates(optimizer, gradient, moments['d'], params['d'])
    g_value, gradient = jax.value_and_grad(g_loss)(fake)
    (gradient,) = to_generator(gradient)
    g, g_moments = apply_updates(optimizer, gradient, moments['g'], params['g'])
    logs = {
        'loss': g_value,
        'd_loss': d_value,
        'd_real': jnp.mean(jax.nn.sigmoid(real_logit)),
        'd_fake': jnp.mean(jax.nn.sigmoid(fake_logit)),
    }
    stats = {'g': g_stats, 'd': d_stats} if state.batch_stats else {}
    moments = {'g': g_moments, 'd': d_moments}
    return FoldState(state.step + 1, {'g': g, 'd': d}, stats, moments, state.fitted), logs


def cross_entropy(logit: jax.Array, target: float) -> jax.Array:
    """Return the binary cross-entropy with a target probability."""
    return jax.nn.softplus(logit) - target * logit


def apply_updates(
    optimizer: optax.GradientTransformation,
    gradient: optax.Updates,
    moments: optax.OptState,
    params: optax.Params,
) -> tuple[optax.Params, optax.OptState]:
    """Return parameters and moments after an optimizer step."""
    updates, moments = optimizer.update(gradient, moments, params)
    return optax.apply_updates(params, updates), moments


def generate(
    samples: Samples,
    state: FoldState,
    fold: jax.Array,
    seed: jax.Array,
    *,
    per_class: int,
    generator: dcgan.Generator,
    method: str = 'bilinear',
) -> jax.Array:
    """Generate the images of one fold.

    Latent vectors derive from (seed, fold), by a key that training never uses. The images of a
    class that the fold's rows lack (fitted['present'] is 0) mean nothing.

    Args:
        samples: all rows, for the size, unit and dtype of the images.
        state: of the fold.
        fold: int32[], number of the fold.
        seed: int32[].
        per_class: images of each class.
        generator: of the GAN; batch norm uses the running statistics of the fold.
        method: as in preprocess.

    Returns:
        [classes * per_class, H, W, C], class after class.
    """
    key = jax.random.fold_in(run_key(seed, fold), DRAWING)

    def of_class(number: jax.Array) -> jax.Array:
        class_key = jax.random.fold_in(key, number)
        latent = jax.random.normal(class_key, (per_class, generator.latent))
        label = jnp.full(per_class, number)
        image = generator.apply(variables(state, 'g'), latent, label)
        return postprocess(samples.image, image, state.fitted, method=method)

    images = lax.map(of_class, jnp.arange(generator.classes))
    return images.reshape(-1, *images.shape[2:])


def train_all(
    samples: Samples,
    folds: Folds,
    plan: Plan,
    settings: sections.Gan,
    *,
    classes: int,
    run: GanRun,
) -> tuple[np.ndarray, tuple[EpochRecord, ...]]:
    """Train a GAN for each run, and generate its images.

    Prints what is trained. Training takes settings.steps steps, or the rest of their epoch.

    Args:
        samples: images and classes.
        folds: all runs; their test rows are dropped before anything is compiled.
        plan: of the training.
        settings: of section gan.
        classes: how many.
        run: folder of checkpoints and of metrics.jsonl, where a killed training continues with the
            same bits, and how often checkpoints are written.

    Returns:
        Images [F, classes * images_per_class, H, W, C], and the records of metrics.jsonl.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    folds = folds._replace(test=jax.tree.map(lambda array: array[:, :0], folds.test))
    channels = samples.image.shape[-1]
    shape = {'classes': classes, 'channels': channels, 'lowering': plan.lowering}
    per_class = settings.images_per_class
    total = len(folds.fold)
    group = min(plan.group or total, total)
    steps, _ = batches.batch_shape(folds.train.index.shape[1], settings.batch_size)
    epochs = -(-settings.steps // steps)
    print(
        f'gan: {total} runs, {epochs} epochs of {steps} steps each; '
        f'then {per_class} images a class',
        flush=True,
    )
    options = runs.ProgramOptions(
        batches.BatchOptions(settings.batch_size),
        runs=group,
        test_batch=settings.batch_size,
        chunk=loop.CHUNK,
    )
    programs = runs.compile_programs(learner(settings, **shape), plan, samples, folds, options)
    generator, _ = networks(settings, **shape)
    generate_all = parallel.over_folds(
        partial(generate, per_class=per_class, generator=generator, method=settings.resize),
        at_once=plan.at_once,
        devices=programs.devices,
    )
    images = np.zeros((total, classes * per_class, *samples.image.shape[1:]), samples.image.dtype)
    with metrics_log.progress(total, -(-total // group), epochs) as bar:
        bar.set_description_str(f'training {total} GANs')
        for number, first in enumerate(range(0, total, group)):
            members = np.arange(first, min(first + group, total))
            placed = runs.group_on_devices(programs, folds, members)
            folder = run.folder / files.CHECKPOINTS / f'group_{number}'
            with metrics_log.opened(run.folder, number, bar) as log:
                states = _train_group(placed, folder, log, epochs=epochs, interval=run.interval)
            generated = generate_all(programs.samples, states, placed.fold, placed.seed)
            images[members] = runs.to_host(placed, generated)
    return images, MetricsLog.read(run.folder).records


def _train_group(group, folder, log, *, epochs, interval):
    """Train a group from its newest checkpoint to the end.

    Returns:
        The states, on the devices.
    """
    with checkpoint.opened(folder) as manager:
        epoch = max(checkpoint.newest(folder), 0)
        states = runs.restore_group(group, manager, epoch) if epoch else runs.init_group(group)
        log.cut(epoch)
        schedule = checkpoint.Schedule(interval)
        for chunk in runs.train_group_in_chunks(group, states, done=epoch, epochs=epochs):
            states = chunk.states
            log.write(chunk)
            if chunk.epoch == epochs or schedule.due():
                with schedule.writing():
                    checkpoint.save(manager, chunk.epoch, runs.to_host(group, states))
    return states
