"""OffApexNet (Gan, Liong et al. 2019): two shallow streams over u and v.

A stream has two 5x5 'same' convolutions with 6 and 16 filters, each followed by ReLU and a max-pool
of 2. Dense layers of 1024, 1024 and K follow. The released re-implementations have no ReLU after
convolutions; here it follows every hidden layer. 2,664,475 parameters for 28x28x2 and three
classes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import Conv, Output, check_image, flatten, max_pool

# PyTorch module -> flax path
TORCH_NAMES = {
    'u.conv1': 'u/conv1',
    'u.conv2': 'u/conv2',
    'v.conv1': 'v/conv1',
    'v.conv2': 'v/conv2',
    'fc1': 'fc1',
    'fc2': 'fc2',
    'fc3': 'fc3',
}


class _Stream(nn.Module):
    """Two convolutions: [B, H, W, 1] -> [B, H // 4, W // 4, 16]."""

    lowering: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i, width in enumerate((6, 16), 1):
            conv = Conv(width, 5, padding=2, lowering=self.lowering, name=f'conv{i}')
            x = max_pool(nn.relu(conv(x)), 2, 2)
        return x


class OffApexNet(nn.Module):
    """OffApexNet for images [B, H, W, 2] of u and v; published for 28x28.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        dropout: after both hidden dense layers.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('offapexnet', image, least=4, channels=2)
        u = _Stream(self.lowering, name='u')(image[..., :1])
        v = _Stream(self.lowering, name='v')(image[..., 1:])
        x = jnp.concatenate([flatten(u), flatten(v)], -1)
        for name in ('fc1', 'fc2'):
            x = nn.relu(nn.Dense(1024, name=name)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        logits = nn.Dense(self.classes, name='fc3')(x)
        return logits, {'features': x}
