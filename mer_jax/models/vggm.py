"""Modified VGG-M (Koo, Zulkifley and Kamari, Sensors 22(11):4011, 2022).

The first two max-pools have stride 2, which the shapes in the paper need, although its table says
1. The paper gives no parameters of the local response normalisation (here those of AlexNet: window
5, k 2, alpha 1e-4, beta 0.75) and no dropout (here after both hidden dense layers, as in the
original VGG-M). 6,606,499 parameters for 75x75x2 and three classes.

A short path carries the input of some layers past them. The paper says past which layers, not how
the sizes are matched: here it is average-pooled with the windows and strides of these layers, which
have no padding.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import Conv, Output, check_image, flatten, local_response_norm, max_pool

# {path: the layers after whose output it joins}
_JOINED = {
    'none': (),
    'v1': ('conv1',),
    'v2': ('conv2',),
    'v3': ('conv2',),
    'v4': ('conv1', 'conv2'),
}
# PyTorch module -> flax path
TORCH_NAMES = {
    name: name for name in ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc1', 'fc2', 'fc3')
}
# As in AlexNet.
_NORMALISATION = {'window': 5, 'k': 2.0, 'alpha': 1e-4, 'beta': 0.75}


class VGGM(nn.Module):
    """Modified VGG-M for images [B, H, W, C] of 75x75 pixels or more.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        width: channels of conv1; conv2 has 8/3, the others 16/3 as many. 96 is published.
        path: the short path: past conv1 (v1), past conv2 (v2), past both together (v3), one past
            each (v4), or none.
        merge: how it joins after the ReLU: as further channels (concat), or added after a 1x1
            convolution (sum).
        dropout: after both hidden dense layers.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 96
    path: str = 'none'
    merge: str = 'concat'
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('vggm', image, least=75)
        x = image
        for name, features, size in (('conv1', self.width, 7), ('conv2', self.width * 8 // 3, 5)):
            skipped, pools = x, [(size, 2)]
            if self.path == 'v3':
                skipped, pools = image, [(7, 2), (3, 2), (5, 2)]
            x = nn.relu(Conv(features, size, 2, 'VALID', lowering=self.lowering, name=name)(x))
            if name in _JOINED[self.path]:
                x = self._join(x, _average_pools(skipped, pools), name.replace('conv', 'skip'))
            x = max_pool(local_response_norm(x, **_NORMALISATION), 3, 2)
        for name in ('conv3', 'conv4', 'conv5'):
            x = nn.relu(Conv(self.width * 16 // 3, 3, 1, 1, lowering=self.lowering, name=name)(x))
        x = flatten(max_pool(x, 3, 2))
        for name in ('fc1', 'fc2'):
            x = nn.relu(nn.Dense(128, name=name)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.classes, name='fc3')(x), {'features': x}

    def _join(self, x, skipped, name):
        """Join a short path."""
        if self.merge == 'concat':
            return jnp.concatenate([x, skipped], -1)
        project = Conv(x.shape[-1], 1, use_bias=False, lowering=self.lowering, name=name)
        return x + project(skipped)


def _average_pools(x, pools):
    """Average-pool images several times, as PyTorch does.

    By sums of slices along one axis at a time, because reduce_window is slow inside a loop.

    Args:
        x: [B, H, W, C].
        pools: (window, stride) of each pool, in pixels.
    """
    for window, stride in pools:
        for axis in (2, 1):
            end = x.shape[axis] - window + 1
            total = 0
            for i in range(window):
                total = total + jax.lax.slice_in_dim(x, i, i + end, stride, axis)
            x = total / window
    return x
