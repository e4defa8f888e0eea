"""STSTNet (Liong et al. 2019): three shallow streams over flow and strain.

"Shallow Triple Stream Three-dimensional CNN". The layers are those of the authors' released PyTorch
code: 3x3 convolution with padding 2, ReLU, batch norm, max-pool 3x3/3 with padding 1, dropout,
average-pool 2x2, dense. 1,683 parameters for 28x28x3 and three classes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import (
    BatchAffine,
    Conv,
    Output,
    avg_pool,
    check_image,
    convolve,
    max_pool,
    patches,
    torch_bias,
    torch_kernel,
)

WIDTHS = (3, 5, 8)
# PyTorch module -> flax path; the names are those of the authors' release
TORCH_NAMES = {name: name for name in ('conv1', 'conv2', 'conv3', 'bn1', 'bn2', 'bn3', 'fc')}


class STSTNet(nn.Module):
    """STSTNet for images [B, H, W, C]; published for u, v and strain, 28x28x3.

    Inside, the batch is the last axis, [C, H, W, B], so that memory is read in order. One product
    serves the three convolutions. Slope and shift of batch norm are applied after the max-pool, to
    a ninth of the values. Under a negative slope the smallest value of a window becomes the
    largest; so values are pooled times the sign of the slope.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        dropout: after the max-pool.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('ststnet', image, least=2)
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(9 * image.shape[-1])}
        convs = [Conv(width, 3, name=f'conv{i}', **start) for i, width in enumerate(WIDTHS, 1)]
        parameters = [conv.parameters(image.shape[-1]) for conv in convs]
        kernel, bias = (jnp.concatenate(each, -1) for each in zip(*parameters, strict=True))
        x = nn.relu(self._convolve(image, kernel) + _column(bias))
        slope, shift = self._normalise(x, train)
        sign = jnp.where(slope < 0, -1.0, 1.0)
        x = max_pool(x * sign, 3, 3, 1) * (slope * sign) + shift
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        features = avg_pool(x, 2).reshape(-1, len(image)).T
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(features.shape[-1])}
        logits = nn.Dense(self.classes, name='fc', **start)(features)
        return logits, {'features': features}

    def _convolve(self, image, kernel):
        """Convolve [B, H, W, C] to [16, H + 2, W + 2, B]."""
        if self.lowering == 'native':
            y = convolve(image, kernel, strides=1, padding=2, lowering='native')
            return y.transpose(3, 1, 2, 0)
        x = jnp.pad(image.transpose(3, 1, 2, 0), ((0, 0), (2, 2), (2, 2), (0, 0)))
        # Without the barrier XLA folds the transpose into the product, and a step takes 10 % longer
        # on a CPU.
        kernel = jax.lax.optimization_barrier(kernel.reshape(-1, kernel.shape[-1]).T)
        return jnp.tensordot(kernel, patches(x, (3, 3), (1, 1), axis=0), 1)

    def _normalise(self, x, train):
        """Return slope and shift of bn1, bn2 and bn3, [16, 1, 1, 1] each.

        The statistics are over the batch and all pixels.
        """
        mean, square = x.mean((1, 2, 3)), (x * x).mean((1, 2, 3))
        slopes, shifts = [], []
        first = 0
        for i, width in enumerate(WIDTHS, 1):
            of_stream = slice(first, first + width)
            normalise = BatchAffine(name=f'bn{i}')
            slope, shift = normalise(mean[of_stream], square[of_stream], train=train)
            slopes.append(slope)
            shifts.append(shift)
            first += width
        return _column(jnp.concatenate(slopes)), _column(jnp.concatenate(shifts))


def _column(values):
    """Reshape [C] to [C, 1, 1, 1]."""
    return values[:, None, None, None]
