"""SSSNet (Varanka, Peng and Zhao 2021): one shallow stream over flow and strain.

"Micro-expression recognition with noisy labels", 10.2352/ISSN.2470-1173.2021.11.HVEI-157. The
layers are those of its authors' public code (MEB). 1,349,251 parameters for 64x64x3, as published,
and 169,603 for 28x28x3; three classes.
"""

import flax.linen as nn
import jax

from mer_jax.models.layers import (
    Conv,
    Output,
    check_image,
    flatten,
    max_pool,
    torch_bias,
    torch_kernel,
)

# channels, side of the kernel and of the max-pool of each convolution unit
UNITS = ((32, 5, 3), (64, 3, 2))
HIDDEN = 256
# PyTorch module -> flax path; the names are those of MEB
TORCH_NAMES = {name: name for name in ('conv1', 'bn1', 'conv2', 'bn2', 'fc1', 'fc')}


class SSSNet(nn.Module):
    """SSSNet for images [B, H, W, C] of 16x16 pixels or more.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        dropout: after both convolution units, of whole maps, and after the hidden dense layer.
        softmax: whether the outputs are probabilities. The cross-entropy takes a softmax of its
            input, so that training then has two.
    """

    classes: int
    lowering: str = 'matmul'
    dropout: float = 0.5
    softmax: bool = False

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('sssnet', image, least=16)
        x = image
        for i, (width, size, pool) in enumerate(UNITS, 1):
            conv = Conv(
                width,
                size,
                padding='VALID',
                lowering=self.lowering,
                kernel_init=torch_kernel,
                bias_init=torch_bias(size * size * x.shape[-1]),
                name=f'conv{i}',
            )
            # The published order is ReLU, then the pool: the same values, of more pixels.
            x = nn.relu(max_pool(conv(x), pool, pool))
            normalise = nn.BatchNorm(
                use_running_average=not train, momentum=0.9, epsilon=1e-5, name=f'bn{i}'
            )
            drop_maps = nn.Dropout(self.dropout, broadcast_dims=(1, 2), deterministic=not train)
            x = drop_maps(normalise(x))
        x = flatten(x)
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(x.shape[-1])}
        features = nn.relu(nn.Dense(HIDDEN, name='fc1', **start)(x))
        dropped = nn.Dropout(self.dropout, deterministic=not train)(features)
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(HIDDEN)}
        logits = nn.Dense(self.classes, name='fc', **start)(dropped)
        if self.softmax:
            logits = nn.softmax(logits)
        return logits, {'features': features}
