"""RCN-A (Xia et al., TIP 2020): a recurrent convolution and attention without parameters.

"Revealing the invisible with model and data shrinking for composite-database micro-expression
recognition", arXiv 2006.09674. The layers are those of the authors' public code. 15,331 parameters
for 32 maps and a grid of 5x5, 51,139 for 64 maps, 55,747 for 64 maps and the grid of 7x7 that is
the default of the released script; three classes, images of any size.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import (
    Conv,
    Output,
    adaptive_avg_pool,
    check_image,
    flatten,
    max_pool,
    torch_bias,
)

# PyTorch module -> flax path; the names are those of the authors' release
TORCH_NAMES = {
    'conv1.0': 'conv1',
    'conv1.1': 'bn1',
    'rcls.0.ffconv.0': 'conv2',
    'rcls.0.ffconv.1': 'bn2',
    'rcls.0.rrconv.0': 'conv3',
    'rcls.0.rrconv.1': 'bn3',
    'classifier': 'classifier',
}
# by the number of outputs of a convolution, as He et al. 2015 for ReLU
_KERNEL_INIT = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')


class RCNA(nn.Module):
    """RCN-A for images [B, H, W, C] of 8x8 pixels or more.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        width: channels of every convolution.
        grid: side of the grid of means that the last layer sees, and of the attention.
        dropout: after both max-pools.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 32
    grid: int = 5
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('rcn_a', image, least=8)

        def conv(size: int, channels: int, name: str) -> Conv:
            return Conv(
                self.width,
                size,
                padding='VALID' if size == 5 else size // 2,
                lowering=self.lowering,
                kernel_init=_KERNEL_INIT,
                bias_init=torch_bias(size * size * channels),
                name=name,
            )

        def batch_norm(name: str) -> nn.BatchNorm:
            return nn.BatchNorm(
                use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name
            )

        def shrink(x: jax.Array) -> jax.Array:
            return nn.Dropout(self.dropout, deterministic=not train)(max_pool(x, 2, 2))

        kernel, bias = _Classifier(self.classes, name='classifier')(self.grid**2 * self.width)
        x = conv(5, image.shape[-1], 'conv1')(image)
        x = shrink(nn.relu(batch_norm('bn1')(x)))
        weights = attention(adaptive_avg_pool(x, self.grid), kernel)
        y = nn.relu(batch_norm('bn2')(conv(1, self.width, 'conv2')(x)))
        # One convolution and one batch norm, used twice: its statistics move twice a step.
        recurrent, normalise = conv(3, self.width, 'conv3'), batch_norm('bn3')
        for _ in range(2):
            y = nn.relu(normalise(recurrent(x + y)))
        features = flatten(adaptive_avg_pool(shrink(y), self.grid) * weights)
        return features @ kernel + bias, {'features': features}


class _Classifier(nn.Module):
    """The last dense layer, whose kernel the attention uses before it is applied."""

    classes: int

    @nn.compact
    def __call__(self, features: int) -> tuple[jax.Array, jax.Array]:
        kernel = self.param('kernel', nn.initializers.normal(0.01), (features, self.classes))
        return kernel, self.param('bias', nn.initializers.zeros_init(), (self.classes,))


def attention(pooled: jax.Array, kernel: jax.Array) -> jax.Array:
    """Weigh places by the evidence for any class that they hold.

    The evidence for a class is its part of the last dense layer, applied to early maps; stretched
    to 0..1 over the places of each clip. A clip with the same evidence everywhere, where the
    released code divides 0 by 0, has weights of 0.

    Args:
        pooled: [B, G, G, C], means of the first maps.
        kernel: [C * G * G, K], of the last layer; channels come first.

    Returns:
        [B, G, G, 1], the mean over classes.
    """
    grid, channels = pooled.shape[1], pooled.shape[-1]
    by_place = kernel.reshape(channels, grid, grid, -1)
    evidence = jnp.einsum('bhwc,chwk->bhwk', pooled, by_place) / channels
    evidence = evidence - evidence.min((1, 2), keepdims=True)
    largest = evidence.max((1, 2), keepdims=True)
    return (evidence / jnp.where(largest > 0, largest, 1.0)).mean(-1, keepdims=True)
