"""A small network for flow whose zero and unit are lost, as in stretched features.

Ours, without a publication. Flow that was stretched to bytes, channel by channel and clip by clip,
has a still face anywhere between 0 and 255, and a blink takes the range of a faint smile. So each
clip is normalised first: centred by its median, because most of a face is still, and divided by its
spread. A second copy has its lengths compressed. Two convolutions on 14x14 pixels follow. 65,043
parameters for three channels and three classes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import Conv, Output, adaptive_avg_pool, check_image, flatten, max_pool

SIDE = 14  # of the maps, in pixels
GRID = 4  # side of the means that the dense layer takes
HALVINGS = 16
LEAST = 1e-6  # spread; a channel of one value has none


class FlowCNN(nn.Module):
    """Two convolutions over normalised flow [B, H, W, C] of 14x14 pixels or more.

    Attributes:
        classes: K.
        lowering: as in layers.Conv.
        dropout: before the hidden dense layer.
        width: channels of the first convolution; the second has half as many more.
        hidden: units of the dense layer.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.3
    width: int = 32
    hidden: int = 64

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('flow_cnn', image, least=SIDE)
        x = adaptive_avg_pool(normalised(image), SIDE)
        conv = Conv(self.width, 3, lowering=self.lowering, name='conv1')
        x = max_pool(nn.relu(conv(x)), 2, 2)
        conv = Conv(self.width * 3 // 2, 3, lowering=self.lowering, name='conv2')
        x = flatten(adaptive_avg_pool(nn.relu(conv(x)), GRID))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        features = nn.relu(nn.Dense(self.hidden, name='fc1')(x))
        return nn.Dense(self.classes, name='fc')(features), {'features': features}


def normalised(image: jax.Array) -> jax.Array:
    """Return each channel of each image twice, without its zero and unit.

    Args:
        image: [B, H, W, C].

    Returns:
        [B, H, W, 2 * C]: channels minus their median, over their standard deviation; and the same
        with the logarithm of 1 + their distance from the median, over its median.
    """
    centred = image - _median(image)
    centred = centred / (_spread(centred) + LEAST)
    length = jnp.abs(centred)
    compressed = jnp.sign(centred) * jnp.log(1 + length / (_median(length) + 1e-2))
    return jnp.concatenate([centred, compressed / (_spread(compressed) + LEAST)], axis=-1)


def _median(image):
    """Return the median of each channel to 1 / 65,536 of its range, [B, 1, 1, C].

    Its range is halved again and again; to sort the pixels takes eighteen times as long on a CPU.
    """
    low = image.min((1, 2), keepdims=True)
    high = image.max((1, 2), keepdims=True)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = jnp.mean((image > middle).astype(jnp.float32), (1, 2), keepdims=True) > 0.5
        low, high = jnp.where(above, middle, low), jnp.where(above, high, middle)
    return (low + high) / 2


def _spread(image):
    """Return the standard deviation of each channel, [B, 1, 1, C]."""
    centred = image - image.mean((1, 2), keepdims=True)
    return jnp.sqrt(jnp.mean(jnp.square(centred), (1, 2), keepdims=True))
