"""AlexNet (Krizhevsky 2014), with the layers of torchvision.

It takes any number of channels. 57,008,387 parameters for 75x75x2 and three classes. At 75 pixels
the convolutions end with 1x1 maps, which are stretched to 6x6.
"""

import flax.linen as nn
import jax

from mer_jax.models.layers import Conv, Output, adaptive_avg_pool, check_image, flatten, max_pool

# Name, filters, kernel, stride, padding, whether a max-pool 3x3/2 follows.
CONVOLUTIONS = (
    ('conv1', 64, 11, 4, 2, True),
    ('conv2', 192, 5, 1, 2, True),
    ('conv3', 384, 3, 1, 1, False),
    ('conv4', 256, 3, 1, 1, False),
    ('conv5', 256, 3, 1, 1, True),
)
# PyTorch module -> flax path; the names are torchvision's
TORCH_NAMES = {
    'features.0': 'conv1',
    'features.3': 'conv2',
    'features.6': 'conv3',
    'features.8': 'conv4',
    'features.10': 'conv5',
    'classifier.1': 'fc1',
    'classifier.4': 'fc2',
    'classifier.6': 'fc3',
}


class AlexNet(nn.Module):
    """AlexNet for images [B, H, W, C] of 63x63 pixels or more.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        dropout: before both hidden dense layers.
        hidden: units of both hidden dense layers.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5
    hidden: int = 4096

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('alexnet', image, least=63)
        x = image
        for name, features, size, stride, padding, pool in CONVOLUTIONS:
            conv = Conv(features, size, stride, padding, lowering=self.lowering, name=name)
            x = nn.relu(conv(x))
            if pool:
                x = max_pool(x, 3, 2)
        x = flatten(adaptive_avg_pool(x, 6))
        for name in ('fc1', 'fc2'):
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            x = nn.relu(nn.Dense(self.hidden, name=name)(x))
        return nn.Dense(self.classes, name='fc3')(x), {'features': x}
