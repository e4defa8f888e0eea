"""Training of MagNet on made-up four-tuples: the whole loop on the device, resumable to the bit.

Loss and optimiser as in the authors' code (12dmodel/deep_motion_mag): L1 of picture, texture and
shape codes; Adam, 1e-4.
"""

import functools
from functools import partial

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import unflatten_dict
from jax import lax
from safetensors.numpy import save
from tqdm import tqdm

from contrib.magnet import clips
from contrib.magnet.network import MagNet, flat
from mer_jax.errors import UserError
from mer_jax.preprocess import magnet as inference
from mer_jax.runfiles import files, reading, writing
from mer_jax.runfiles.config import RunConfig, differences
from mer_jax.runfiles.folder import clear, lock, prepare
from mer_jax.training import checkpoint, compilation, loop, parallel, plan
from mer_jax.training.compilation import QUICKLY, Program

WEIGHTS, PICTURE = 'magnet.safetensors', 'held_out.png'
TRAINING, HELD_OUT = 1, 2  # streams of four-tuples that share none
# what a step logs; results hold the mean of the last steps
LOGS, LAST = ('loss', 'picture', 'texture', 'shape'), 100
# held-out scenes that are measured, their magnification, and how many are drawn
TUPLES, ALPHA, SHOWN = 32, 6.0, 6


def train(
    *, seed, steps, batch_size, size, learning_rate, weight, noise, folder, checkpoint_seconds
) -> dict:
    """Train MagNet for `steps` steps, or continue where a killed run stopped; the same settings
    give the same bits.

    batch_size four-tuples a step, `size` pixels a side (a multiple of 4); weight: of the texture
    and shape terms; noise: most shot noise (0.0: none). Writes magnet.safetensors, held_out.png,
    metrics.jsonl and results.json into `folder`; a checkpoint every `checkpoint_seconds` (0: after
    every call). Returns what results.json holds. UserError on a size that does not fit, or a folder
    that holds a run with other settings or more steps.
    """
    if size % 4 or size < inference.LEAST:
        raise UserError(
            f'magnet: size is {size}; needs a multiple of 4 of at least {inference.LEAST}'
        )
    if steps < 1 or batch_size < 1:
        raise UserError(
            f'magnet: steps is {steps} and batch_size {batch_size}; needs 1 or more of each'
        )
    settings = {
        'model': 'magnet',
        'seed': seed,
        'batch_size': batch_size,
        'size': size,
        'learning_rate': learning_rate,
        'weight': weight,
        'noise': noise,
    }
    folder = prepare(folder)
    with lock(folder):
        _continue(settings, steps, folder)
        start, run = _programs(seed, batch_size, size, learning_rate, weight, noise)
        state = _fit(run, start(), steps, folder, checkpoint_seconds)
        return _publish(state['params'], settings, steps, folder)


@functools.lru_cache(maxsize=1)
def _programs(seed, batch_size, size, learning_rate, weight, noise):
    """(start() -> state, run(state, first, count) -> (state, logs)), compiled once for the same
    settings.
    """
    parallel.start(plan.cache_folder() / 'xla')
    optimizer = optax.adam(learning_rate)
    body = partial(
        steps_of,
        seed=seed,
        batch_size=batch_size,
        size=size,
        weight=weight,
        noise=noise,
        optimizer=optimizer,
    )
    start = partial(init, seed, optimizer=optimizer)
    state = jax.eval_shape(start)
    wanted = {
        'start': Program(jax.jit(start), (), QUICKLY),
        'run': Program(jax.jit(body, donate_argnums=0), (state, np.int32(0), np.int32(1))),
    }
    ready = compilation.compile_all(wanted, 'the training program')
    return ready['start'], ready['run']


def init(seed, *, optimizer) -> dict:
    """{params, opt_state} before the first step."""
    image = jnp.zeros((1, inference.LEAST, inference.LEAST, 3))
    params = MagNet().init(jax.random.fold_in(jax.random.key(seed), 0), image, image, jnp.ones(1))[
        'params'
    ]
    return {'params': params, 'opt_state': optimizer.init(params)}


def steps_of(state, first, count, *, seed, batch_size, size, weight, noise, optimizer):
    """Steps first .. first + count - 1, count <= loop.CHUNK; returns (state, logs {name: [1,
    CHUNK]}), 0 from `count` on.

    The four-tuples are drawn on the device from (seed, step): no host round trip, and nothing to
    store for a resumed run.
    """

    def step(done, carry):
        state, logs = carry
        index = (first + done) * batch_size + jnp.arange(batch_size)
        keys = jax.vmap(partial(clips.tuple_key, seed, TRAINING))(index)
        batch = jax.vmap(partial(clips.four_tuple, size=size, noise=noise))(keys)
        (_, log), gradient = jax.value_and_grad(partial(loss, weight=weight), has_aux=True)(
            state['params'], *batch
        )
        updates, opt_state = optimizer.update(gradient, state['opt_state'])
        state = {'params': optax.apply_updates(state['params'], updates), 'opt_state': opt_state}
        return state, {name: kept.at[0, done].set(log[name]) for name, kept in logs.items()}

    logs = {name: jnp.zeros((1, loop.CHUNK)) for name in LOGS}
    return lax.fori_loop(0, count, step, (state, logs))


def loss(params, a, b, c, y, alpha, *, weight):
    """(loss, its parts): L1(output, y) + weight * (L1 of the texture codes of c and a + L1 of the
    shape codes of c and b).
    """
    part = lambda name, *values: MagNet().apply({'params': params}, *values, method=name)  # noqa: E731
    texture, shape = (jnp.split(code, 3) for code in part('encode', jnp.concatenate([a, b, c])))
    out = part('decode', texture[1], part('manipulate', shape[0], shape[1], alpha))
    apart = lambda one, other: jnp.mean(jnp.abs(one - other))  # noqa: E731
    parts = {
        'picture': apart(out, y),
        'texture': apart(texture[2], texture[0]),
        'shape': apart(shape[2], shape[1]),
    }
    total = parts['picture'] + weight * (parts['texture'] + parts['shape'])
    return total, {'loss': total, **parts}


def _continue(settings, steps, folder):
    """Write the settings of a new run; refuse to continue an old one under others."""
    newest = checkpoint.newest(folder / 'checkpoints')
    if newest >= 0:
        differ = differences(RunConfig.read(folder).settings, settings)
        if differ:
            told = '; '.join(f'{key} was {old!r}, is {new!r}' for key, old, new in differ)
            raise UserError(
                f'{folder} holds a run with other settings: {told}; give another folder'
            )
        if newest > steps:
            raise UserError(
                f'{folder} is trained to step {newest} already; steps is {steps}; give as many '
                'or more'
            )
    else:
        clear(folder)
    RunConfig(settings, data='').write(folder)


def _cut(path, done):
    """Drop the lines of the metrics log after a step; a missing file stays missing."""
    if path.exists():
        lines = [line for line in reading.read_jsonl(path) if line['step'] <= done]
        writing.write_text(path, writing.jsonl(lines))


def _fit(run, state, steps, folder, interval):
    """Train to `steps` from the newest checkpoint; a metrics line a step and, every `interval`
    seconds, a checkpoint.
    """
    places = folder / 'checkpoints'
    done = max(checkpoint.newest(places), 0)
    _cut(folder / files.METRICS, done)
    bar = tqdm(
        total=steps,
        initial=done,
        desc='training MagNet',
        smoothing=0.1,
        disable=done == steps,
        bar_format='{desc}: {percentage:3.0f}% step {n_fmt}/{total_fmt} [{elapsed}, {remaining} '
        'left{postfix}]',
    )
    with checkpoint.opened(places) as manager, bar:
        state = checkpoint.restore(manager, done, state) if done else state
        schedule = checkpoint.Schedule(interval)
        for chunk in loop.fit(run, state, done=done, epochs=steps):
            state = chunk.states
            count = chunk.logs['loss'].shape[1]
            lines = [
                {'step': chunk.epoch - count + 1 + i, 'seconds': chunk.seconds / count}
                | {name: float(values[0, i]) for name, values in chunk.logs.items()}
                for i in range(count)
            ]
            writing.append_jsonl(folder / files.METRICS, lines)
            bar.set_postfix_str(f'loss {chunk.logs["loss"].mean():.3f}', refresh=False)
            bar.update(count)
            if chunk.epoch == steps or schedule.due():
                with schedule.writing():
                    checkpoint.save(manager, chunk.epoch, state)
    return state


def _publish(params, settings, steps, folder):
    """Write weights, picture and results; returns the results."""
    save_weights(folder / WEIGHTS, params)
    measured, picture = held_out(params, seed=settings['seed'], size=settings['size'])
    with writing.replacing(folder / PICTURE) as file:
        file.write(cv2.imencode('.png', picture[..., ::-1])[1].tobytes())
    last = reading.read_jsonl(folder / files.METRICS)[-LAST:]
    means = {name: float(np.mean([line[name] for line in last])) for name in LOGS}
    results = {'name': 'magnet', 'steps': steps, **means, **measured}
    writing.write_json(folder / files.RESULTS, results)
    return results


def save_weights(path, params):
    """Write parameters as .safetensors, by the names of preprocess.magnet, in one
    step.
    """
    with writing.replacing(path) as file:
        file.write(save(flat(params)))


def load_weights(path) -> dict:
    """Parameters for MagNet from a .safetensors file; UserError as `magnet.read_weights`."""
    return unflatten_dict(inference.read_weights(path), sep='/')


def held_out(params, *, seed, size):
    """What the network makes of TUPLES scenes it never saw, without noise or change of colour, at
    alpha ALPHA.

    Returns (numbers, picture uint8[H, W, 3]). Numbers: `error`, mean |output - truth| in grey
    levels; `error_unchanged`, that of frame B in place of the output; `magnification`, the median
    over the moving scenes of the factor at which a scene, drawn anew, comes nearest to the output
    (ALPHA where all is well, 1 where nothing is magnified). Picture: a row for each of the
    first scenes: A, B, output, truth.
    """
    keys = jax.vmap(partial(clips.tuple_key, seed, HELD_OUT))(jnp.arange(TUPLES))
    once = partial(jax.jit, compiler_options=QUICKLY)
    scenes = once(jax.vmap(partial(clips.scene, size=size, least=ALPHA, most=ALPHA)))(keys)
    drawn = once(jax.vmap(partial(clips.render, size=size), (0, None)))
    a, b, y = (quantised(drawn(scenes, scale)) for scale in (0.0, 1.0, ALPHA))
    out = once(lambda a, b: MagNet().apply({'params': params}, a, b, jnp.full(len(a), ALPHA)))(a, b)
    apart = lambda one: jnp.mean(jnp.abs(one - out), (1, 2, 3))  # noqa: E731
    factors = np.arange(0, 2 * ALPHA + 0.25, 0.25)
    nearest = factors[
        np.argmin([apart(2 * drawn(scenes, float(factor)) - 1) for factor in factors], 0)
    ]
    moving = np.any(np.asarray(scenes.motion), (1, 2))
    grey = lambda one, other: float(127.5 * jnp.mean(jnp.abs(one - other)))  # noqa: E731
    numbers = {
        'alpha': ALPHA,
        'magnification': float(np.median(nearest[moving])) if moving.any() else float('nan'),
        'error': grey(out, y),
        'error_unchanged': grey(b, y),
    }
    rows = np.concatenate(
        [
            np.concatenate(row, 1)
            for row in zip(*(np.asarray(x[:SHOWN]) for x in (a, b, out, y)), strict=True)
        ]
    )
    return numbers, np.rint((rows + 1) * 127.5).astype(np.uint8)


def quantised(image):
    """Eight-bit values of an image in [0, 1], as [-1, 1]."""
    return jnp.rint(255 * image) / 127.5 - 1
