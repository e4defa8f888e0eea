"""The spatio-temporal network of Irawan et al. (MER-3DCNN, 2024): gray clips of masked faces.

The paper gives 64 filters, 3x3 kernels, 2x2 pooling, dropout, softmax; its figure of the layers is
absent. Read literally (arch 'literal': one convolution, one dense layer of 128) that is 227,600,643
parameters for 16 frames of 128x128 and three classes; 'default' is this project's reading, three
convolutions, with 596,419 (head grid4), 350,659 (gap) or 8,722,883 (flatten).
"""

import flax.linen as nn

from mer_jax.models.layers import adaptive_avg_pool, flatten
from mer_jax.models.volumes import Conv3D, check_video, max_pool_clips

# PyTorch module -> flax path
TORCH_NAMES = {name: name for name in ('conv1', 'conv2', 'conv3', 'fc1', 'fc2')}


class CNN3D(nn.Module):
    """video [B, T, H, W, 1], 8 frames of 32x32 or more -> logits [B, K].

    width: channels of the first convolutions (64 is published). head, of arch 'default': the mean
    over time on a grid of 4x4 (grid4), the mean over all (gap) or everything (flatten).
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 64
    arch: str = 'default'
    head: str = 'grid4'
    dropout: float = 0.25
    dropout_dense: float = 0.5

    @nn.compact
    def __call__(self, video, *, train: bool):
        check_video('cnn3d', video, frames=8, least=32)
        widths, padding = ((1, 1, 2), 'SAME') if self.arch == 'default' else ((1,), 'VALID')
        x = video
        for number, times in enumerate(widths, 1):
            x = nn.relu(
                Conv3D(times * self.width, (3, 3, 3), padding, self.lowering, name=f'conv{number}')(
                    x
                )
            )
            x = nn.Dropout(self.dropout, deterministic=not train)(max_pool_clips(x, 2))
        maps = x.mean(1)
        if self.arch == 'literal' or self.head == 'flatten':
            x = flatten(x)
        else:
            x = flatten(adaptive_avg_pool(maps, 4)) if self.head == 'grid4' else maps.mean((1, 2))
        x = nn.Dropout(self.dropout_dense, deterministic=not train)(
            nn.relu(nn.Dense(128, name='fc1')(x))
        )
        return nn.Dense(self.classes, name='fc2')(x), {'features': x, 'maps': maps}
