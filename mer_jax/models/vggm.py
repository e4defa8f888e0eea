"""Modified VGG-M of Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022), for flow images.

Both first max-pools have stride 2, which the printed shapes need (the paper's table says 1). The paper gives no parameters
for the local response normalisation (here those of AlexNet: window 5, k 2, alpha 1e-4, beta 0.75) and no dropout (here
after both hidden dense layers, as in the original VGG-M). 6,606,499 parameters for 75x75x2 and three classes.
"""

import flax.linen as nn

from mer_jax.models.layers import Conv, check_image, flatten, local_response_norm, max_pool


class VGGM(nn.Module):
    """image [B, H, W, C], 75x75 or more -> logits [B, K]."""

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image, *, train: bool):
        check_image('vggm', image, least=75)
        x = image
        for name, features, size in (('conv1', 96, 7), ('conv2', 256, 5)):
            x = nn.relu(Conv(features, size, 2, 'VALID', lowering=self.lowering, name=name)(x))
            x = max_pool(local_response_norm(x), 3, 2)
        for name in ('conv3', 'conv4', 'conv5'):
            x = nn.relu(Conv(512, 3, 1, 1, lowering=self.lowering, name=name)(x))
        maps = max_pool(x, 3, 2)
        x = flatten(maps)
        for name in ('fc1', 'fc2'):
            x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(nn.Dense(128, name=name)(x)))
        return nn.Dense(self.classes, name='fc3')(x), {'features': x, 'maps': maps}
