"""OC-Net of Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022): five convolution units, global mean, three dense layers.

Widths and dense sizes stand in the paper only as a figure, so those here are a guess; 3x3 'same' convolutions and max-pools
3x3/2 give its 8x8x512 maps at 75 pixels. 1,650,947 parameters for 75x75x2 and three classes.
"""

import flax.linen as nn

from mer_jax.models.layers import Conv, check_image, max_pool


class OCNet(nn.Module):
    """image [B, H, W, C], 15x15 or more -> logits [B, K]; dropout after the first two convolution units."""

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image, *, train: bool):
        check_image('ocnet', image, least=15)
        x = image
        for i, width in enumerate((32, 64), 1):
            x = Conv(width, 3, padding=1, use_bias=False, lowering=self.lowering, name=f'conv{i}')(x)
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=f'bn{i}')(x)
            x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))
        for i, width in enumerate((128, 256, 512), 3):
            x = max_pool(nn.relu(Conv(width, 3, padding=1, lowering=self.lowering, name=f'conv{i}')(x)), 3, 2)
        maps, x = x, x.mean((1, 2))
        for name in ('fc1', 'fc2'):
            x = nn.relu(nn.Dense(128, name=name)(x))
        return nn.Dense(self.classes, name='fc3')(x), {'features': x, 'maps': maps}
