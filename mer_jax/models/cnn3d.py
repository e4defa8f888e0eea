"""MER-3DCNN (Irawan et al. 2024): convolutions over gray clips of masked faces.

The paper names 64 filters, 3x3 kernels, 2x2 pooling, dropout and softmax, and shows no figure of
the layers. Read literally (arch 'literal': one convolution, one dense layer of 128 units), this is
227,600,643 parameters for 16 frames of 128x128 and three classes. 'default' is this project's
reading, three convolutions: 596,419 (head grid4), 350,659 (gap) or 8,722,883 (flatten).
"""

from functools import partial

import flax.linen as nn
import jax

from mer_jax.models.layers import Output, adaptive_avg_pool, flatten
from mer_jax.models.volumes import Conv3D, check_video, max_pool_clips

# PyTorch module -> flax path
TORCH_NAMES = {name: name for name in ('conv1', 'conv2', 'conv3', 'fc1', 'fc2')}


class CNN3D(nn.Module):
    """MER-3DCNN for clips [B, T, H, W, 1] of 8 frames of 32x32 or more.

    Attributes:
        classes: their number, K.
        lowering: as in volumes.Conv3D.
        width: channels of the first convolution; 64 is published.
        arch: 'default' or 'literal' (see above).
        head: of arch 'default': mean over time and over each field of a 4x4 grid (grid4), mean over
            time and all pixels (gap), or every value (flatten).
        dropout: after each convolution.
        dropout_dense: after the hidden dense layer.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 64
    arch: str = 'default'
    head: str = 'grid4'
    dropout: float = 0.25
    dropout_dense: float = 0.5

    @nn.compact
    def __call__(self, video: jax.Array, *, train: bool) -> Output:
        check_video('cnn3d', video, frames=8, least=32)
        factors, padding = ((1, 1, 2), 'SAME') if self.arch == 'default' else ((1,), 'VALID')
        conv = partial(Conv3D, kernel_size=(3, 3, 3), padding=padding, lowering=self.lowering)
        drop = partial(nn.Dropout, deterministic=not train)
        x = video
        for number, factor in enumerate(factors, 1):
            x = nn.relu(conv(factor * self.width, name=f'conv{number}')(x))
            x = drop(self.dropout)(max_pool_clips(x, 2))
        if self.arch == 'literal' or self.head == 'flatten':
            x = flatten(x)
        elif self.head == 'grid4':
            x = flatten(adaptive_avg_pool(x.mean(1), 4))
        else:
            x = x.mean(1).mean((1, 2))
        x = nn.relu(nn.Dense(128, name='fc1')(x))
        x = drop(self.dropout_dense)(x)
        return nn.Dense(self.classes, name='fc2')(x), {'features': x}
