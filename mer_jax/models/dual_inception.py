"""Dual-Inception (Zhou, Mao and Xue 2019): Inception blocks over u and over v.

A stream for each component of the flow has two blocks. A block concatenates four paths of 6 (in the
second block 16) filters: 1x1; 1x1, 3x3; 1x1, 5x5; max-pool 3x3/1, 1x1. A max-pool of 2 follows each
block. Then come dense layers of 1024 and K. ReLU follows every hidden layer. 6,449,867 parameters
for 28x28x2 and three classes.
"""

from itertools import product

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import Conv, Output, check_image, dense, flatten, max_pool

_PATHS = ('one', 'three_in', 'three', 'five_in', 'five', 'pool')
# PyTorch module -> flax path
TORCH_NAMES = {
    f'{stream}.block{i}.{name}': f'{stream}/block{i}/{name}'
    for stream, i, name in product('uv', (1, 2), _PATHS)
} | {'fc1': 'fc1', 'fc2': 'fc2'}


class _Block(nn.Module):
    """An Inception block: [B, H, W, C] -> [B, H, W, 4 * width]."""

    width: int
    lowering: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def conv(name: str, size: int, x: jax.Array) -> jax.Array:
            layer = Conv(self.width, size, padding=size // 2, lowering=self.lowering, name=name)
            return nn.relu(layer(x))

        # One product for the three 1x1 convolutions of the same input: reading it once is a tenth
        # of the step.
        entries = [
            Conv(self.width, 1, name=name).parameters(x.shape[-1])
            for name in ('one', 'three_in', 'five_in')
        ]
        kernel, bias = (jnp.concatenate(each, -1) for each in zip(*entries, strict=True))
        one, three, five = jnp.split(nn.relu(dense(x, kernel[0, 0]) + bias), 3, -1)
        three, five = conv('three', 3, three), conv('five', 5, five)
        pooled = conv('pool', 1, max_pool(x, 3, 1, 1))
        return jnp.concatenate([one, three, five, pooled], -1)


class _Stream(nn.Module):
    """Two blocks: [B, H, W, 1] -> [B, H // 4, W // 4, 64]."""

    lowering: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, width in enumerate((6, 16), 1):
            x = max_pool(_Block(width, self.lowering, name=f'block{i}')(x), 2, 2)
        return x


class DualInception(nn.Module):
    """Dual-Inception for images [B, H, W, 2] of u and v; published for 28x28.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        dropout: after the hidden dense layer; the public code has none.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.0

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('dual_inception', image, least=4, channels=2)
        u = _Stream(self.lowering, name='u')(image[..., :1])
        v = _Stream(self.lowering, name='v')(image[..., 1:])
        x = jnp.concatenate([flatten(u), flatten(v)], -1)
        x = nn.relu(nn.Dense(1024, name='fc1')(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        logits = nn.Dense(self.classes, name='fc2')(x)
        return logits, {'features': x}
