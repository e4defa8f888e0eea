"""MicroExpSTCNN (Reddy, Karri, Dubey and Mukherjee, IJCNN 2019), for gray clips.

One convolution spans 3x3 pixels and 15 frames. For 64x64 pixels and three classes it has 1,643,267
parameters for 18 frames (SMIC) and 44,241,667 for 96 frames (CAS(ME)^2).
"""

import flax.linen as nn
import jax

from mer_jax.models.layers import Output, flatten
from mer_jax.models.volumes import Conv3D, check_video, max_pool_clips

# PyTorch module -> flax path
TORCH_NAMES = {name: name for name in ('conv1', 'fc1', 'fc2')}


class MicroExpSTCNN(nn.Module):
    """MicroExpSTCNN for clips [B, T, H, W, 1] of 17 frames of 5x5 or more.

    Attributes:
        classes: their number, K.
        lowering: as in volumes.Conv3D.
        dropout: after the convolution and after the hidden dense layer.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, video: jax.Array, *, train: bool) -> Output:
        check_video('microexpstcnn', video, frames=17, least=5)
        x = nn.relu(Conv3D(32, (15, 3, 3), 'VALID', self.lowering, name='conv1')(video))
        x = nn.Dropout(self.dropout, deterministic=not train)(max_pool_clips(x, 3))
        x = nn.relu(nn.Dense(128, name='fc1')(flatten(x)))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.classes, name='fc2')(x), {'features': x}
