"""Training of MagNet on made-up scenes: the whole loop on the device, resumable to the bit.

Loss and optimiser as in the authors' code (12dmodel/deep_motion_mag): L1 of picture, texture and
shape codes; Adam, 1e-4.
"""

import dataclasses
import functools
from collections.abc import Mapping
from functools import partial
from pathlib import Path

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
from mer_jax.runfiles.folder import clear, entered
from mer_jax.training import checkpoint, compilation, loop, parallel, plan
from mer_jax.training.compilation import QUICKLY, Program
from mer_jax.types import Array

WEIGHTS, PICTURE = 'magnet.safetensors', 'held_out.png'
TRAINING, HELD_OUT = 1, 2  # streams of four-tuples that share none
LOGS = ('loss', 'picture', 'texture', 'shape')  # of a step
LAST = 100  # steps whose mean the results hold
TUPLES = 32  # held-out scenes that are measured
ALPHA = 6.0  # their magnification
SHOWN = 6  # of them in the picture


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the bits of a training."""

    seed: int
    batch_size: int  # four-tuples in a step
    size: int  # pixels a side, a multiple of 4
    learning_rate: float
    weight: float  # of the texture and shape terms of the loss
    noise: float  # most shot noise (0.0: none)


def train(settings: Settings, *, steps: int, folder: str | Path, checkpoint_seconds: float) -> dict:
    """Train MagNet, or continue where a killed run stopped.

    The same settings give the same bits. Writes magnet.safetensors, held_out.png, metrics.jsonl and
    results.json.

    Args:
        settings: of the training.
        steps: in all, those trained before included.
        folder: of the training.
        checkpoint_seconds: between two checkpoints (0: after every call).

    Returns:
        What results.json holds.

    Raises:
        UserError: a size that does not fit, or a folder that holds a run with other settings or
            more steps.
    """
    size, batch_size = settings.size, settings.batch_size
    if size % 4 or size < inference.LEAST:
        raise UserError(
            f'magnet: size is {size}; needs a multiple of 4 of at least {inference.LEAST}'
        )
    if steps < 1 or batch_size < 1:
        raise UserError(
            f'magnet: steps is {steps} and batch_size {batch_size}; needs 1 or more of each'
        )
    with entered(folder) as folder:
        _continue(settings, steps, folder)
        start, run = _programs(settings)
        state = _fit(run, start(), steps, folder, checkpoint_seconds)
        return _publish(state['params'], settings, steps, folder)


@functools.lru_cache(maxsize=1)
def _programs(settings):
    """(start() -> state, run(state, first, count) -> (state, logs)), compiled once for settings."""
    parallel.start(plan.cache_folder() / 'xla')
    optimizer = optax.adam(settings.learning_rate)
    body = partial(steps_of, settings=settings, optimizer=optimizer)
    start = partial(init, settings.seed, optimizer=optimizer)
    state = jax.eval_shape(start)
    programs = {
        'start': Program(jax.jit(start), (), QUICKLY),
        'run': Program(jax.jit(body, donate_argnums=0), (state, np.int32(0), np.int32(1))),
    }
    ready = compilation.compile_all(programs, 'the training program')
    return ready['start'], ready['run']


def init(seed: int, *, optimizer: optax.GradientTransformation) -> dict:
    """{params, opt_state} before the first step."""
    image = jnp.zeros((1, inference.LEAST, inference.LEAST, 3))
    key = jax.random.fold_in(jax.random.key(seed), 0)
    params = MagNet().init(key, image, image, jnp.ones(1))['params']
    return {'params': params, 'opt_state': optimizer.init(params)}


def steps_of(
    state: dict,
    first: Array,
    count: Array,
    *,
    settings: Settings,
    optimizer: optax.GradientTransformation,
) -> tuple[dict, dict[str, Array]]:
    """Steps first .. first + count - 1.

    The four-tuples are drawn on the device from (seed, step): no host round trip, and nothing to
    store for a resumed run.

    Args:
        state: {params, opt_state}.
        first: number of the first step.
        count: of steps, at most loop.CHUNK.
        settings: of the training.
        optimizer: of the parameters.

    Returns:
        (state, logs {name: [1, CHUNK]}), 0 from `count` on.
    """
    key_of = partial(clips.tuple_key, settings.seed, TRAINING)
    draw = partial(clips.four_tuple, size=settings.size, noise=settings.noise)
    gradient_of = jax.value_and_grad(partial(loss, weight=settings.weight), has_aux=True)

    def step(done: Array, carry: tuple[dict, dict]) -> tuple[dict, dict]:
        state, logs = carry
        index = (first + done) * settings.batch_size + jnp.arange(settings.batch_size)
        batch = jax.vmap(draw)(jax.vmap(key_of)(index))
        (_, log), gradient = gradient_of(state['params'], *batch)
        updates, opt_state = optimizer.update(gradient, state['opt_state'])
        state = {'params': optax.apply_updates(state['params'], updates), 'opt_state': opt_state}
        return state, {name: values.at[0, done].set(log[name]) for name, values in logs.items()}

    logs = {name: jnp.zeros((1, loop.CHUNK)) for name in LOGS}
    return lax.fori_loop(0, count, step, (state, logs))


def loss(
    params: Mapping, a: Array, b: Array, c: Array, y: Array, alpha: Array, *, weight: float
) -> tuple[Array, dict[str, Array]]:
    """The loss of a batch of four-tuples.

    L1(output, y) + weight * (L1 of the texture codes of c and a + L1 of the shape codes of c and
    b).

    Args:
        params: of MagNet.
        a, b, c, y: frames [B, H, W, 3].
        alpha: [B].
        weight: of the texture and shape terms.

    Returns:
        (loss, terms by the names of LOGS).
    """

    def apply(method: str, *values: Array) -> Array | tuple[Array, Array]:
        return MagNet().apply({'params': params}, *values, method=method)

    textures, shapes = apply('encode', jnp.concatenate([a, b, c]))
    texture_a, texture_b, texture_c = jnp.split(textures, 3)
    shape_a, shape_b, shape_c = jnp.split(shapes, 3)
    out = apply('decode', texture_b, apply('manipulate', shape_a, shape_b, alpha))
    terms = {
        'picture': _l1(out, y),
        'texture': _l1(texture_c, texture_a),
        'shape': _l1(shape_c, shape_b),
    }
    total = terms['picture'] + weight * (terms['texture'] + terms['shape'])
    return total, {'loss': total, **terms}


def _l1(first, second):
    return jnp.mean(jnp.abs(first - second))


def _continue(settings, steps, folder):
    """Write the settings of a new run; refuse to continue an old one under others."""
    stored = {'model': 'magnet', **dataclasses.asdict(settings)}
    newest = checkpoint.newest(folder / files.CHECKPOINTS)
    if newest >= 0:
        changed = differences(RunConfig.read(folder).settings, stored)
        if changed:
            changes = '; '.join(f'{key} was {old!r}, is {new!r}' for key, old, new in changed)
            raise UserError(
                f'{folder} holds a run with other settings: {changes}; give another folder'
            )
        if newest > steps:
            raise UserError(
                f'{folder} is trained to step {newest} already; steps is {steps}; give as many '
                'or more'
            )
    else:
        clear(folder)
    RunConfig(stored, data='').write(folder)


def _cut(path, done):
    """Drop the lines of the metrics log after a step; a missing file stays missing."""
    if path.exists():
        lines = [line for line in reading.read_jsonl(path) if line['step'] <= done]
        writing.write_text(path, writing.jsonl(lines))


def _fit(run, state, steps, folder, interval):
    """Train to `steps` from the newest checkpoint.

    Writes a metrics line per step and, every `interval` seconds, a checkpoint.
    """
    checkpoints = folder / files.CHECKPOINTS
    done = max(checkpoint.newest(checkpoints), 0)
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
    with checkpoint.opened(checkpoints) as manager, bar:
        if done:
            state = checkpoint.restore(manager, done, state)
        schedule = checkpoint.Schedule(interval)
        for chunk in loop.train_in_chunks(run, state, done=done, epochs=steps):
            state = chunk.states
            lines = _metrics_lines(chunk)
            writing.append_jsonl(folder / files.METRICS, lines)
            bar.set_postfix_str(f'loss {chunk.logs["loss"].mean():.3f}', refresh=False)
            bar.update(len(lines))
            if chunk.epoch == steps or schedule.due():
                with schedule.writing():
                    checkpoint.save(manager, chunk.epoch, state)
    return state


def _metrics_lines(chunk):
    """The lines of the metrics log of a chunk, one per step."""
    count = chunk.logs['loss'].shape[1]
    lines = []
    for i in range(count):
        line = {'step': chunk.epoch - count + 1 + i, 'seconds': chunk.seconds / count}
        lines.append(line | {name: float(values[0, i]) for name, values in chunk.logs.items()})
    return lines


def _publish(params, settings, steps, folder):
    """Write weights, picture and results; returns the results."""
    save_weights(folder / WEIGHTS, params)
    measured, picture = held_out(params, seed=settings.seed, size=settings.size)
    with writing.replacing(folder / PICTURE) as file:
        file.write(cv2.imencode('.png', picture[..., ::-1])[1].tobytes())
    last = reading.read_jsonl(folder / files.METRICS)[-LAST:]
    means = {name: float(np.mean([line[name] for line in last])) for name in LOGS}
    results = {'name': 'magnet', 'steps': steps, **means, **measured}
    writing.write_json(folder / files.RESULTS, results)
    return results


def save_weights(path: str | Path, params: Mapping) -> None:
    """Write parameters as .safetensors, by the names of preprocess.magnet, in one step."""
    with writing.replacing(path) as file:
        file.write(save(flat(params)))


def load_weights(path: str | Path) -> dict:
    """Parameters for MagNet from a .safetensors file; UserError as `magnet.read_weights`."""
    return unflatten_dict(inference.read_weights(path), sep='/')


def held_out(params: Mapping, *, seed: int, size: int) -> tuple[dict[str, float], np.ndarray]:
    """What the network makes of TUPLES scenes it never saw, at alpha ALPHA.

    Without noise or change of colour.

    Args:
        params: of MagNet.
        seed: of the scenes.
        size: of the scenes, pixels a side.

    Returns:
        (numbers, picture uint8[H, W, 3]). Numbers: `error`, mean |output - truth| in grey levels;
        `error_unchanged`, that of frame B in place of the output; `magnification`, the median over
        the moving scenes of the factor at which a scene, drawn anew, comes nearest to the output
        (ALPHA where all is well, 1 where nothing is magnified). Picture: a row for each of the
        first scenes: A, B, output, truth.
    """
    jit = partial(jax.jit, compiler_options=QUICKLY)
    keys = jax.vmap(partial(clips.tuple_key, seed, HELD_OUT))(jnp.arange(TUPLES))
    scenes = jit(jax.vmap(partial(clips.scene, size=size, least=ALPHA, most=ALPHA)))(keys)
    draw = jit(jax.vmap(partial(clips.render, size=size), (0, None)))
    a, b, y = (quantised(draw(scenes, scale)) for scale in (0.0, 1.0, ALPHA))
    out = jit(lambda a, b: MagNet().apply({'params': params}, a, b, jnp.full(len(a), ALPHA)))(a, b)
    factors = np.arange(0, 2 * ALPHA + 0.25, 0.25)
    distances = []
    for factor in factors:
        drawn = 2 * draw(scenes, float(factor)) - 1
        distances.append(jnp.mean(jnp.abs(drawn - out), (1, 2, 3)))
    nearest = factors[np.argmin(distances, 0)]
    moving = np.any(np.asarray(scenes.motion), (1, 2))
    numbers = {
        'alpha': ALPHA,
        'magnification': float(np.median(nearest[moving])) if moving.any() else float('nan'),
        'error': float(127.5 * _l1(out, y)),
        'error_unchanged': float(127.5 * _l1(b, y)),
    }
    columns = np.concatenate([np.asarray(frames[:SHOWN]) for frames in (a, b, out, y)], axis=2)
    picture = columns.reshape(-1, *columns.shape[2:])
    return numbers, np.rint((picture + 1) * 127.5).astype(np.uint8)


def quantised(image: Array) -> Array:
    """Eight-bit values of an image in [0, 1], as [-1, 1]."""
    return jnp.rint(255 * image) / 127.5 - 1
