"""OC-Net (Koo, Zulkifley and Kamari, Sensors 22(11):4011, 2022).

Five convolution units, a global mean and three dense layers. The paper gives the widths only in a
figure, so those here are a guess; with 3x3 'same' convolutions and max-pools 3x3/2 they end, as in
the paper, with 8x8x512 maps at 75 pixels. 1,650,947 parameters for 75x75x2 and three classes.
"""

import flax.linen as nn
import jax

from mer_jax.models.layers import Conv, Output, check_image, max_pool

# PyTorch module -> flax path
TORCH_NAMES = {
    name: name
    for name in ('conv1', 'bn1', 'conv2', 'bn2', 'conv3', 'conv4', 'conv5', 'fc1', 'fc2', 'fc3')
}


class OCNet(nn.Module):
    """OC-Net for images [B, H, W, C] of 15x15 pixels or more.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        width: channels of conv1; each further convolution doubles them.
        dropout_units: how many of the first convolution units end in dropout, 0 to 3 (the paper's
            Table 7; 2 is its best).
        dropout: of these units.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 32
    dropout_units: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('ocnet', image, least=15)
        x = image
        for i in range(1, 6):
            normed = i <= 2
            x = Conv(
                self.width * 2 ** (i - 1),
                3,
                padding=1,
                use_bias=not normed,
                lowering=self.lowering,
                name=f'conv{i}',
            )(x)
            if normed:
                x = nn.relu(
                    nn.BatchNorm(
                        use_running_average=not train, momentum=0.9, epsilon=1e-5, name=f'bn{i}'
                    )(x)
                )
            else:
                x = max_pool(nn.relu(x), 3, 2)
            if i <= self.dropout_units:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = x.mean((1, 2))
        for name in ('fc1', 'fc2'):
            x = nn.relu(nn.Dense(128, name=name)(x))
        return nn.Dense(self.classes, name='fc3')(x), {'features': x}
