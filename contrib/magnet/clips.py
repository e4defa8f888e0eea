"""Made-up scenes that teach motion magnification: frames A, B, C and the magnified truth Y.

After Oh et al., ECCV 2018, section 4: layers that move by sub-pixel amounts, drawn finer and
averaged down, quantised after uniform noise. There cut-outs move over photographs; here
superellipses over waves. Their limits for 384 pixels, 10 pixels of motion and 30 of magnified
motion, are scaled to the size of the picture. Everything is a pure function of a key.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mer_jax.types import Array

SHAPES = 4  # over the background
WAVES = 12  # of a texture
FINER = 2  # samples a pixel along each side
# the paper's limits, pixels
SIZE = 384
MOTION = 10.0
MAGNIFIED = 30.0


class Scene(NamedTuple):
    """What can be drawn at any magnification.

    L = 1 + SHAPES layers, the background first; lengths in pixels.
    """

    motion: Array  # [L, 2] from A to B, x and y
    alpha: Array  # [] magnification of Y
    frequency: Array  # [L, WAVES, 2] radians a pixel
    amplitude: Array  # [L, 2, WAVES]; two textures a layer
    phase: Array  # [L, 2, WAVES]
    edge: Array  # [L, 1, 1, 1] hardness of the texture's edges
    colour: Array  # [L, 3] mean, within [-1, 1]
    span: Array  # [L, 2, 3] colour that each texture adds
    centre: Array  # [SHAPES, 2]
    radius: Array  # [SHAPES, 2]
    turn: Array  # [SHAPES] radians
    # [SHAPES] exponent of the superellipse: 1 diamond, 2 ellipse, 4 nearly a rectangle
    power: Array


def tuple_key(seed: int, stream: int, index: Array) -> Array:
    """The key of four-tuple `index` of a stream: 1 for training, 2 for held-out ones."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), index)


def scene(key: Array, *, size: int, least: float = 1.0, most: float = 100.0) -> Scene:
    """A random scene.

    Args:
        key: of the scene.
        size: pixels a side.
        least, most: limits of alpha, which is even on a logarithmic scale.
    """
    layers, take = 1 + SHAPES, _drawer(key)

    def between(shape: tuple, low: float, high: float) -> Array:
        return low + (high - low) * take(shape)

    def log_between(shape: tuple, low: float, high: float) -> Array:
        return jnp.exp(between(shape, jnp.log(low), jnp.log(high)))

    # fields are drawn in this order, from the same long draw
    alpha = log_between((), least, most)
    bearing = between((layers, WAVES), 0, 2 * jnp.pi)
    grey = between((layers, 1), -0.7, 0.7)
    tint = between((layers, 1, 1), 0, 0.4)  # from grey, as the frames of a face, to colourful
    motion = _motion(take, alpha, layers, size)
    frequency = log_between((layers, WAVES, 1), 2 * jnp.pi / size, 0.6 * jnp.pi)
    return Scene(
        motion=motion,
        alpha=alpha,
        frequency=frequency * _direction(bearing),
        amplitude=between((layers, 2, WAVES), -1.7, 1.7) / WAVES**0.5,
        phase=between((layers, 2, WAVES), 0, 2 * jnp.pi),
        edge=log_between((layers, 1, 1, 1), 0.3, 6.0),
        colour=grey + tint[:, 0] * between((layers, 3), -1, 1),
        span=between((layers, 2, 1), 0.05, 0.4) + tint * between((layers, 2, 3), -1, 1),
        centre=between((SHAPES, 2), 0, size),
        radius=between((SHAPES, 2), 0.08 * size, 0.35 * size),
        turn=between((SHAPES,), 0, jnp.pi),
        power=between((SHAPES,), 1, 4),
    )


def _drawer(key):
    """take(shape) -> the next numbers, even in [0, 1), of one long draw.

    A draw for each use takes far longer to compile.
    """
    draw, used = jax.random.uniform(key, (1024,)), 0

    def take(shape: tuple) -> Array:
        nonlocal used
        first, used = used, used + math.prod(shape)
        assert used <= len(draw)
        return draw[first:used].reshape(shape)

    return take


def _motion(take, alpha, layers, size):
    """[L, 2]: any direction, any length within both limits.

    A layer in five stands still, and so does a scene in ten.
    """
    limit = size / SIZE * jnp.minimum(MOTION, MAGNIFIED / alpha)
    moving = (take((layers,)) < 0.8) & (take(()) < 0.9)
    length = limit * take((layers,)) * moving
    return length[:, None] * _direction(2 * jnp.pi * take((layers,)))


def _direction(angle):
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def render(scene: Scene, scale: Array | float, *, size: int) -> Array:
    """A picture of the scene with its motion taken `scale` times.

    Args:
        scene: what to draw.
        scale: 0 is A, 1 is B, alpha is Y.
        size: pixels a side.

    Returns:
        float32[size, size, 3] in [0, 1].
    """
    texture = _textures(scene, scale * scene.motion, size)
    picture = texture[0]
    for i in range(SHAPES):
        cover = _cover(scene, i, scale * scene.motion[1 + i], size)[..., None]
        picture = picture + cover * (texture[1 + i] - picture)
    picture = jnp.clip((picture + 1) / 2, 0, 1)
    return picture.reshape(size, FINER, size, FINER, 3).mean((1, 3))


def _grid(size):
    """Where the finer samples lie, in pixels: float32[FINER * size]."""
    return (jnp.arange(FINER * size) + 0.5) / FINER


def _textures(scene, shift, size):
    """The textures of all layers, [L, Y, X, 3].

    A sum of plane waves at shifted places is a product of two matrices, so no sub-pixel shift
    interpolates.
    """
    grid = _grid(size)
    # [L, X, WAVES]
    across = (grid[None, :, None] - shift[:, None, :1]) * scene.frequency[:, None, :, 0]
    down = (grid[None, :, None] - shift[:, None, 1:]) * scene.frequency[:, None, :, 1]
    down = down[:, None] + scene.phase[:, :, None]
    amplitude = scene.amplitude[:, :, None]
    wave = jnp.einsum('lfyk,lxk->lyxf', amplitude * jnp.cos(down), jnp.cos(across))
    wave -= jnp.einsum('lfyk,lxk->lyxf', amplitude * jnp.sin(down), jnp.sin(across))
    colour = jnp.einsum('lyxf,lfc->lyxc', jnp.tanh(scene.edge * wave), scene.span)
    return scene.colour[:, None, None] + colour


def _cover(scene, i, shift, size):
    """How much of each finer sample shape i covers, float32[Y, X] in [0, 1].

    Its border is two samples wide.
    """
    grid = _grid(size)
    x = grid[None, :] - scene.centre[i, 0] - shift[0]
    y = grid[:, None] - scene.centre[i, 1] - shift[1]
    turn, power = scene.turn[i], scene.power[i]
    along = jnp.abs(x * jnp.cos(turn) + y * jnp.sin(turn)) / scene.radius[i, 0]
    aside = jnp.abs(y * jnp.cos(turn) - x * jnp.sin(turn)) / scene.radius[i, 1]
    reach = (along**power + aside**power) ** (1 / power)
    return jnp.clip((1 - reach) * jnp.min(scene.radius[i]) * FINER / 2 + 0.5, 0, 1)


def four_tuple(key: Array, *, size: int, noise: float) -> tuple[Array, Array, Array, Array, Array]:
    """One training example.

    c is b as drawn; b and y share a change of colour, so that texture must not be read from A. a, b
    and c carry noise that grows with the root of brightness, strength * sqrt(image + 1) /
    sqrt(127.5), each with a strength between 0 and `noise`. Frames are of eight bits before that
    noise.

    Args:
        key: of the example.
        size: pixels a side.
        noise: most noise (0.0: none).

    Returns:
        (a, b, c, y, alpha): float32[size, size, 3] in [-1, 1] and float32[].
    """
    scene_key, bits_key, colour_key, strength_key, noise_key = jax.random.split(key, 5)
    drawn = scene(scene_key, size=size)
    a, b, y = (render(drawn, scale, size=size) for scale in (0.0, 1.0, drawn.alpha))
    gain, offset = jax.random.uniform(colour_key, (2, 3), minval=-1.0)

    def recolour(image: Array) -> Array:
        return jnp.clip((1 + 0.2 * gain) * image + 0.1 * offset, 0, 1)

    frames = quantise(bits_key, jnp.stack([a, recolour(b), b, recolour(y)]))
    strength = jax.random.uniform(strength_key, (3, 1, 1, 1), maxval=noise)
    clean, y = frames[:3], frames[3]
    scale = strength * jnp.sqrt((clean + 1) / 127.5)
    a, b, c = clean + scale * jax.random.normal(noise_key, clean.shape)
    return a, b, c, y, drawn.alpha


def quantise(key: Array, image: Array) -> Array:
    """Eight-bit values of an image in [0, 1], as [-1, 1].

    Uniform noise before the cut keeps motion below one grey level.
    """
    levels = jnp.floor(255 * image + jax.random.uniform(key, image.shape))
    return jnp.clip(levels, 0, 255) / 127.5 - 1
