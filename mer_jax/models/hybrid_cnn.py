"""The network of a hybrid system: ResNet18 (He et al. 2016) for small pictures.

An SVM can take its last layer but one. The system it is part of names a 'modified' ResNet18 and 128
features; the 3x3/1 stem without max-pool, for 64x64 pixels, is our choice. 11,238,468 parameters
for 64x64x9 and four classes, 11,235,012 for three channels.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from mer_jax.models.dual_branch import dense
from mer_jax.models.layers import Output, check_image
from mer_jax.models.resnet import Block, Stage, Stem, torch_stage

FEATURES = 128


def _torch_names():
    """Return {PyTorch module: flax path}."""
    names = {'stem.conv1': 'stem/conv1', 'stem.bn1': 'stem/bn1'}
    for i in range(1, 5):
        names |= torch_stage(f'layer{i}', f'layer{i}', skips=i > 1)
    names = {name: path for name, path in names.items() if not path.endswith('attention')}
    return names | {'dense1': 'dense1', 'dense2': 'dense2'}


TORCH_NAMES = _torch_names()


class HybridCNN(nn.Module):
    """ResNet18 for images [B, H, W, C] of key frames and the flow between them.

    Attributes:
        classes: their number, K.
        lowering: as in layers.Conv.
        width: channels of layer 1; 64 is ResNet18.
        blocks: blocks of each layer; 2 is ResNet18.
        dtype: what the convolutions compute in; parameters, batch statistics and dense layers are
            float32.
        remat: whether activations inside the blocks are computed again for the gradient, so that
            they need not be kept.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 64
    blocks: int = 2
    dtype: DTypeLike = 'float32'
    remat: bool = False

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        check_image('hybrid_cnn', image, least=8)
        settings = {'lowering': self.lowering, 'dtype': self.dtype}
        block_class = nn.remat(Block, static_argnums=(2,)) if self.remat else Block
        block = partial(block_class, attention='off', groups=1, **settings)
        stem = Stem(self.width, pool=False, kernel=3, stride=1, **settings, name='stem')
        x = stem(image, train)
        for i in range(4):
            stride = 1 if i == 0 else 2
            stage = Stage(block, self.width * 2**i, stride, self.blocks, name=f'layer{i + 1}')
            x = stage(x, train)
        pooled = x.astype(jnp.float32).mean((1, 2))
        features = nn.relu(dense('dense1', x.shape[-1], FEATURES)(pooled))
        logits = dense('dense2', FEATURES, self.classes)(features)
        return logits, {'features': features}
