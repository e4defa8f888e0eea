"""The spatio-temporal network of Irawan et al. (MER-3DCNN, 2024): gray clips of masked faces.

The paper gives 64 filters, 3x3 kernels, 2x2 pooling, dropout, softmax; its figure of the layers is
absent. Read literally (arch 'literal': one convolution, one dense layer of 128) that is 227,600,643
parameters for 16 frames of 128x128 and three classes; 'default' is this project's reading, three
convolutions, with 596,419 (head grid4), 350,659 (gap) or 8,722,883 (flatten).
"""

from functools import partial

import flax.linen as nn
import jax

from mer_jax.models.layers import Output, adaptive_avg_pool, flatten
from mer_jax.models.volumes import Conv3D, check_video, max_pool_clips

# PyTorch module -> flax path
TORCH_NAMES = {name: name for name in ('conv1', 'conv2', 'conv3', 'fc1', 'fc2')}


class CNN3D(nn.Module):
    """video [B, T, H, W, 1], 8 frames of 32x32 or more -> logits [B, K].

    classes: K.
    lowering: as in volumes.Conv3D.
    width: channels of the first convolution (64 is published).
    arch: 'default' or 'literal' (see above).
    head: of arch 'default': mean over time on 4x4 places (grid4), mean over all (gap), or flatten.
    dropout: after each convolution; dropout_dense: after the hidden dense layer.
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
        maps = x.mean(1)
        if self.arch == 'literal' or self.head == 'flatten':
            x = flatten(x)
        elif self.head == 'grid4':
            x = flatten(adaptive_avg_pool(maps, 4))
        else:
            x = maps.mean((1, 2))
        x = nn.relu(nn.Dense(128, name='fc1')(x))
        x = drop(self.dropout_dense)(x)
        return nn.Dense(self.classes, name='fc2')(x), {'features': x, 'maps': maps}
