"""Made-up four-tuples that teach motion magnification: frames A, B and C and the magnified truth Y,
without any picture.

After Oh et al., ECCV 2018, section 4: layers that move by sub-pixel amounts, drawn finer and
averaged down, quantised after uniform noise. There cut-outs move over photographs; here
superellipses over waves. Their limits for 384 pixels, 10 pixels of motion and 30 of magnified
motion, are scaled to the size asked for. Everything is a pure function of a key.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mer_jax.types import Array

# shapes over the background; waves of a texture; samples a pixel along each side
SHAPES, WAVES, FINER = 4, 12, 2
SIZE, MOTION, MAGNIFIED = 384, 10.0, 30.0  # the paper's limits, pixels


class Scene(NamedTuple):
    """What can be drawn at any magnification. L = 1 + SHAPES layers, the background first; lengths
    in pixels.
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


def tuple_key(seed, stream, index):
    """The key of four-tuple `index` of a stream: 1 for training, 2 for held-out ones."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), index)


def scene(key, *, size, least=1.0, most=100.0) -> Scene:
    """A random scene of `size` pixels a side; alpha is drawn between `least` and `most`, evenly on
    a logarithmic scale.
    """
    layers, take = 1 + SHAPES, _drawer(key)
    between = lambda shape, low, high: low + (high - low) * take(shape)  # noqa: E731
    spread = lambda shape, low, high: jnp.exp(between(shape, jnp.log(low), jnp.log(high)))  # noqa: E731
    alpha = spread((), least, most)
    bearing, grey = between((layers, WAVES), 0, 2 * jnp.pi), between((layers, 1), -0.7, 0.7)
    tint = between((layers, 1, 1), 0, 0.4)  # from grey, as the frames of a face, to colourful
    return Scene(
        motion=_motion(take, alpha, layers, size),
        alpha=alpha,
        frequency=spread((layers, WAVES, 1), 2 * jnp.pi / size, 0.6 * jnp.pi) * _direction(bearing),
        amplitude=between((layers, 2, WAVES), -1.7, 1.7) / WAVES**0.5,
        phase=between((layers, 2, WAVES), 0, 2 * jnp.pi),
        edge=spread((layers, 1, 1, 1), 0.3, 6.0),
        colour=grey + tint[:, 0] * between((layers, 3), -1, 1),
        span=between((layers, 2, 1), 0.05, 0.4) + tint * between((layers, 2, 3), -1, 1),
        centre=between((SHAPES, 2), 0, size),
        radius=between((SHAPES, 2), 0.08 * size, 0.35 * size),
        turn=between((SHAPES,), 0, jnp.pi),
        power=between((SHAPES,), 1, 4),
    )


def _drawer(key):
    """take(shape) -> the next numbers, even in [0, 1), of one long draw: a draw for each use takes
    far longer to compile.
    """
    draw, used = jax.random.uniform(key, (1024,)), 0

    def take(shape):
        nonlocal used
        first, used = used, used + math.prod(shape)
        assert used <= len(draw)
        return draw[first:used].reshape(shape)

    return take


def _motion(take, alpha, layers, size):
    """[L, 2]: any direction, any length within both limits; a layer in five stands still, and so
    does a scene in ten.
    """
    limit = size / SIZE * jnp.minimum(MOTION, MAGNIFIED / alpha)
    moving = (take((layers,)) < 0.8) & (take(()) < 0.9)
    return (limit * take((layers,)) * moving)[:, None] * _direction(2 * jnp.pi * take((layers,)))


def _direction(angle):
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def render(scene: Scene, scale, *, size):
    """The scene with its motion taken `scale` times (0: A, 1: B, alpha: Y), float32[size, size, 3]
    in [0, 1].
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
    """[L, Y, X, 3]. A sum of plane waves at shifted places is a product of two matrices, so no
    sub-pixel shift interpolates.
    """
    grid = _grid(size)
    # [L, X, WAVES]
    across = (grid[None, :, None] - shift[:, None, :1]) * scene.frequency[:, None, :, 0]
    down = ((grid[None, :, None] - shift[:, None, 1:]) * scene.frequency[:, None, :, 1])[
        :, None
    ] + scene.phase[:, :, None]
    wave = jnp.einsum(
        'lfyk,lxk->lyxf', scene.amplitude[:, :, None] * jnp.cos(down), jnp.cos(across)
    )
    wave -= jnp.einsum(
        'lfyk,lxk->lyxf', scene.amplitude[:, :, None] * jnp.sin(down), jnp.sin(across)
    )
    return scene.colour[:, None, None] + jnp.einsum(
        'lyxf,lfc->lyxc', jnp.tanh(scene.edge * wave), scene.span
    )


def _cover(scene, i, shift, size):
    """How much of each finer sample shape i covers, float32[Y, X] in [0, 1]: its border is two
    samples wide.
    """
    grid = _grid(size)
    x, y = (
        grid[None, :] - scene.centre[i, 0] - shift[0],
        grid[:, None] - scene.centre[i, 1] - shift[1],
    )
    along = jnp.abs(x * jnp.cos(scene.turn[i]) + y * jnp.sin(scene.turn[i])) / scene.radius[i, 0]
    aside = jnp.abs(y * jnp.cos(scene.turn[i]) - x * jnp.sin(scene.turn[i])) / scene.radius[i, 1]
    reach = (along ** scene.power[i] + aside ** scene.power[i]) ** (1 / scene.power[i])
    return jnp.clip((1 - reach) * jnp.min(scene.radius[i]) * FINER / 2 + 0.5, 0, 1)


def four_tuple(key, *, size, noise):
    """(a, b, c, y, alpha) of one training example: float32[size, size, 3] in [-1, 1] and float32[].

    c is b as drawn; b and y share a change of colour, so that texture must not be read from A. a, b
    and c carry noise that grows with the root of brightness, strength * sqrt(image + 1) /
    sqrt(127.5), each its own strength between 0 and `noise` (0.0: none). Frames are of eight bits
    before that noise.
    """
    drawn, quantised, colours, strength, normal = jax.random.split(key, 5)
    made = scene(drawn, size=size)
    a, b, y = (render(made, scale, size=size) for scale in (0.0, 1.0, made.alpha))
    gain, offset = jax.random.uniform(colours, (2, 3), minval=-1.0)
    recoloured = lambda image: jnp.clip((1 + 0.2 * gain) * image + 0.1 * offset, 0, 1)  # noqa: E731
    frames = quantise(quantised, jnp.stack([a, recoloured(b), b, recoloured(y)]))
    strengths = jax.random.uniform(strength, (3, 1, 1, 1), maxval=noise)
    a, b, c = frames[:3] + strengths * jnp.sqrt((frames[:3] + 1) / 127.5) * jax.random.normal(
        normal, frames[:3].shape
    )
    return a, b, c, frames[3], made.alpha


def quantise(key, image):
    """Eight-bit values of an image in [0, 1], as [-1, 1]: uniform noise before the cut keeps motion
    below one grey level.
    """
    return (
        jnp.clip(jnp.floor(255 * image + jax.random.uniform(key, image.shape)), 0, 255) / 127.5 - 1
    )
