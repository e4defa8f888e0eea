"""Milliseconds of a convolution's gradient, outside of a loop and in one: why products are used."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from mer_jax.models import layers  # noqa: E402

Step = Callable[[jax.Array, jax.Array], jax.Array]  # (kernel, image) -> kernel


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each lowering."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=16)
    parser.add_argument('--size', type=int, default=28)
    parser.add_argument('--channels', type=int, default=32)
    parser.add_argument('--steps', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=5)
    flags = command_line.parse(parser, argv, images=2, size=8, channels=16, steps=2, rounds=1)
    image = jax.random.normal(
        jax.random.key(0), (flags.images, flags.size, flags.size, flags.channels)
    )
    kernel = jnp.ones((3, 3, flags.channels, flags.channels)) / flags.channels
    for lowering in ('native', 'matmul'):
        step = partial(descend, lowering=lowering)
        outside = milliseconds(jax.jit(step), kernel, image, flags.rounds)
        loop = jax.jit(partial(descend_in_loop, step=step, steps=flags.steps))
        inside = milliseconds(loop, kernel, image, flags.rounds) / flags.steps
        print(
            f'{lowering}: a step takes {outside:.1f} ms outside of a loop, {inside:.1f} ms in one'
        )


def descend(kernel: jax.Array, image: jax.Array, *, lowering: str) -> jax.Array:
    """One step of gradient descent of the kernel."""

    def loss(kernel: jax.Array) -> jax.Array:
        output = layers.convolve(image, kernel, strides=1, padding=1, lowering=lowering)
        return jnp.mean(output**2)

    return kernel - 0.1 * jax.grad(loss)(kernel)


def descend_in_loop(kernel: jax.Array, image: jax.Array, *, step: Step, steps: int) -> jax.Array:
    """Several steps in lax.scan, as training takes them."""
    return jax.lax.scan(lambda k, _: (step(k, image), None), kernel, length=steps)[0]


def milliseconds(function: Step, kernel: jax.Array, image: jax.Array, rounds: int) -> float:
    """The shortest of some calls, after one to compile."""
    jax.block_until_ready(function(kernel, image))
    calls = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(function(kernel, image))
        calls.append(1000 * (time.perf_counter() - start))
    return min(calls)


if __name__ == '__main__':
    main()
