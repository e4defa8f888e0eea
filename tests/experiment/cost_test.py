"""What a network costs."""

import jax
import jax.numpy as jnp

from mer_jax.experiment import cost


def test_the_gradient_of_a_strided_convolution_costs_as_much_as_the_convolution():
    """If it counted the zeros between pixels, a stride of 2 would cost 4 times as much, and a
    network's share of the machine's peak would be too high.
    """

    def convolve(image: jax.Array) -> jax.Array:
        kernel = jnp.ones((3, 3, 5, 7))
        axes = ('NHWC', 'HWIO', 'NHWC')
        return jax.lax.conv_general_dilated(
            image, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=axes
        )

    def loss(image: jax.Array) -> jax.Array:
        return convolve(image).sum()

    image = jax.ShapeDtypeStruct((2, 8, 8, 5), 'float32')
    forward = 2 * 2 * 4 * 4 * 9 * 5 * 7
    assert cost.flops_of(convolve, image) == forward
    assert cost.flops_of(jax.grad(loss), image) == 2 * forward
