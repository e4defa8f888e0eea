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
    sum_shifted,
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
        x = nn.relu(self._convolve(image, kernel, bias))
        slope, shift = self._normalise(x, train)
        sign = jnp.where(slope < 0, -1.0, 1.0)
        pooled = max_pool(x * sign, 3, 3, 1)
        if self.lowering == 'shifted':
            # Without the barrier XLA pools again in each GPU kernel that uses the result.
            pooled = jax.lax.optimization_barrier(pooled)
        x = pooled * (slope * sign) + shift
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        features = avg_pool(x, 2).reshape(-1, len(image)).T
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(features.shape[-1])}
        logits = nn.Dense(self.classes, name='fc', **start)(features)
        return logits, {'features': features}

    def _convolve(self, image, kernel, bias):
        """Convolve [B, H, W, C] to [16, H + 2, W + 2, B]."""
        if self.lowering == 'native':
            y = convolve(image, kernel, strides=1, padding=2, lowering='native')
            return y.transpose(3, 1, 2, 0) + _column(bias)
        x = jnp.pad(image.transpose(3, 1, 2, 0), ((0, 0), (2, 2), (2, 2), (0, 0)))
        if self.lowering == 'shifted':
            return sum_shifted(x, kernel, bias)
        # Without the barrier XLA folds the transpose into the product, and a step takes 10 % longer
        # on a CPU.
        kernel = jax.lax.optimization_barrier(kernel.reshape(-1, kernel.shape[-1]).T)
        return jnp.tensordot(kernel, patches(x, (3, 3), (1, 1), axis=0), 1) + _column(bias)

    def _normalise(self, x, train):
        """Return slope and shift of bn1, bn2 and bn3, [16, 1, 1, 1] each.

        The statistics are over the batch and all pixels.
        """
        mean, square = self._moments(x)
        pairs = []
        first = 0
        for i, width in enumerate(WIDTHS, 1):
            of_stream = slice(first, first + width)
            normalise = BatchAffine(name=f'bn{i}')
            pairs.append(normalise(mean[of_stream], square[of_stream], train=train))
            first += width
        if self.lowering == 'shifted':
            # Joined first, they are one GPU kernel.
            slope, shift = jnp.concatenate([jnp.stack(pair) for pair in pairs], 1)
        else:
            slope, shift = (jnp.concatenate(each) for each in zip(*pairs, strict=True))
        return _column(slope), _column(shift)

    def _moments(self, x):
        """Return the mean of each channel, and that of its squares."""
        if self.lowering != 'shifted':
            return x.mean((1, 2, 3)), (x * x).mean((1, 2, 3))
        # Rows first: one GPU kernel then reads x for both.
        return jnp.stack([x.mean((2, 3)), (x * x).mean((2, 3))]).mean(-1)


def _column(values):
    """Reshape [C] to [C, 1, 1, 1]."""
    return values[:, None, None, None]
