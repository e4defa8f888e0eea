"""SAMER (Ruan, Lo, Shuai and Cheng, ACM MM 2022, 10.1145/3503161.3548185): eyes and mouth in
branches of one ResNet18.

Both halves of the face share stem, layers 1 and 2; each has layers 3 and 4 of its own. The Area
Weighted Module weighs the joined features, a head a region predicts, and the sum of the heads
decides. Layers as in the released code: gates see L2-normalised features and send no gradient back
into them. 24,313,514 parameters for 224x224x3 and five classes.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import Output, check_image, torch_bias, torch_kernel
from mer_jax.models.resnet import Block, Stage, Stem, fan_out, norm, norm_apart, torch_stage

# PyTorch's is 'normal'
KERNELS = {
    'truncated': fan_out,
    'normal': nn.initializers.variance_scaling(2, 'fan_out', 'normal'),
}


class DualBranch(nn.Module):
    """image [B, H, W, C], H a multiple of 2 -> logits [B, K]: the sum of the regions' heads (R
    regions, D features each).

    out: features [B, R * D] (weighted, the AU features), contrast (the same, L2-normalised, with
    dropout), heads [B, R, K], maps [B, R, h, w, D] of the last block, the positive part of attended
    + skipped, pooled [B, R, D] their means, weights [B, R, D] of the Area Weighted Module (1
    without it).
    width: channels of layer 1 (64 is ResNet18); blocks: of a layer (2 is ResNet18); hidden: of the
    Area Weighted Module (h in the paper).
    batch_statistics: 'halves' normalises eyes and mouth apart in the shared layers, with PyTorch's
    running statistics, which move twice a step; 'pooled' together.
    initial_kernels: 'truncated' or 'normal', a key of KERNELS.
    For small images: pool=False leaves the stem's max-pool out; unstrided_layers=1 the stride of
    layer 4, 2 those of layers 3 and 4.
    """

    classes: int
    lowering: str = 'matmul'
    width: int = 64
    blocks: int = 2
    hidden: int = 1024
    awm: bool = True
    attention: str = 'released'
    groups: int = 4
    head_fusion: str = 'logits'
    pool: bool = True
    unstrided_layers: int = 0
    dropout: float = 0.2
    dropout_dense: float = 0.3
    dropout_contrast: float = 0.1
    dtype: Any = 'float32'
    remat: bool = False
    initial_kernels: str = 'truncated'
    batch_statistics: str = 'halves'
    regions: tuple = ('eyes', 'mouth')

    def setup(self) -> None:
        shared_norm, branch_norm = self._norms()
        block = partial(
            nn.remat(Block, static_argnums=(2,)) if self.remat else Block,
            attention=self.attention,
            groups=self.groups,
            lowering=self.lowering,
            dtype=self.dtype,
            kernel_init=KERNELS[self.initial_kernels],
        )
        stage = partial(Stage, partial(block, norm=shared_norm), count=self.blocks)
        self.stem = Stem(
            self.width,
            self.pool,
            self.lowering,
            self.dtype,
            norm=shared_norm,
            kernel_init=KERNELS[self.initial_kernels],
        )
        self.layer1, self.layer2 = stage(self.width, 1), stage(2 * self.width, 2)
        stage = partial(Stage, partial(block, norm=branch_norm), count=self.blocks)
        strides = 1 if self.unstrided_layers > 1 else 2, 1 if self.unstrided_layers else 2
        self.layer3 = {r: stage(4 * self.width, strides[0]) for r in self.regions}
        self.layer4 = {r: stage(8 * self.width, strides[1], apart=True) for r in self.regions}
        self.drop = nn.Dropout(self.dropout)
        self.drop_contrast = nn.Dropout(self.dropout_contrast)
        if self.awm:
            self.area = AreaWeights(self.hidden, self.dropout_dense)
        self.heads = {r: Head(self.classes, self.dropout_dense) for r in self.regions}

    def _norms(self):
        """What makes the normalisations of the shared layers, and those of the branches."""
        if self.batch_statistics == 'pooled':
            return norm, norm
        return partial(norm_apart, sets=len(self.regions)), partial(norm_apart, sets=1)

    def __call__(self, image, *, train: bool):
        count = len(self.regions)
        check_image('dual_branch' if count > 1 else 'single_branch', image, least=8 * count)
        if image.shape[1] % count:
            raise UserError(
                f'model dual_branch halves the face; data.size is {image.shape[1]}, allowed: '
                'even numbers'
            )
        # the shared layers compute both halves as one batch
        x = jnp.concatenate(jnp.split(image, count, axis=1))
        x = self.layer1(self.stem(x, train), train)
        x = self.layer2(self.drop(x, deterministic=not train), train)
        x = self.drop(x, deterministic=not train)
        terms = [
            self._branch(region, half, train)
            for region, half in zip(self.regions, jnp.split(x, count), strict=True)
        ]
        skipped, attended = (
            jnp.stack(term, 1).astype(jnp.float32) for term in zip(*terms, strict=True)
        )
        logits, out = self.head(nn.relu(skipped + attended), train=train)
        return logits, {**out, 'skipped': skipped, 'attended': attended}

    def head(self, maps: jax.Array, *, train: bool = False) -> Output:
        """What follows the maps [B, R, h, w, D] of the last block: (logits, out) as of the whole
        network.
        """
        batch, count, *_, features = maps.shape
        pooled = maps.mean((2, 3))
        joined = unit(pooled).reshape(batch, -1)
        weights = (
            self.area(jax.lax.stop_gradient(joined), train) if self.awm else jnp.ones_like(joined)
        )
        weighted = joined * weights
        parts = weighted.reshape(batch, count, features)
        heads = jnp.stack(
            [self.heads[region](parts[:, i], train) for i, region in enumerate(self.regions)], 1
        )
        logits = (
            heads.sum(1) if self.head_fusion == 'logits' else jnp.log(jax.nn.softmax(heads).mean(1))
        )
        out = {
            'features': weighted,
            'contrast': self.drop_contrast(unit(weighted), deterministic=not train),
            'heads': heads,
            'maps': maps,
            'pooled': pooled,
            'weights': weights.reshape(parts.shape),
        }
        return logits, out

    def _branch(self, region, x, train):
        x = self.drop(self.layer3[region](x, train), deterministic=not train)
        return self.layer4[region](x, train)


class SingleBranch(DualBranch):
    """The same layers with one branch over the whole face, a ResNet18, and no Area Weighted Module
    ('sb' in the paper).
    """

    awm: bool = False
    batch_statistics: str = 'pooled'  # there are no halves
    regions: tuple = ('face',)


class AreaWeights(nn.Module):
    """Area Weighted Module (Eq. 1): [B, D] -> weights [B, D] in 0..1. The released code normalises
    both layers.
    """

    hidden: int
    dropout: float

    @nn.compact
    def __call__(self, x, train: bool):
        y = nn.relu(layer_norm('norm1')(dense('dense1', x.shape[-1], self.hidden)(x)))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return jax.nn.sigmoid(layer_norm('norm2')(dense('dense2', self.hidden, x.shape[-1])(y)))


class Head(nn.Module):
    """[B, D] -> logits [B, K] of one region, by way of a layer as wide as the input."""

    classes: int
    dropout: float

    @nn.compact
    def __call__(self, x, train: bool):
        width = x.shape[-1]
        y = nn.relu(layer_norm('norm')(dense('dense1', width, width)(x)))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return dense('dense2', width, self.classes)(y)


def dense(name: str, inputs: int, features: int) -> nn.Dense:
    """nn.Dense that starts as PyTorch's does."""
    return nn.Dense(features, kernel_init=torch_kernel, bias_init=torch_bias(inputs), name=name)


def layer_norm(name: str) -> nn.LayerNorm:
    """nn.LayerNorm with PyTorch's epsilon."""
    return nn.LayerNorm(epsilon=1e-5, name=name)


def unit(x: jax.Array) -> jax.Array:
    """x over its length along the last axis; finite gradients also where x is 0."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))


def _torch_names(regions, area=()):
    """{PyTorch module: flax path}: stages 3 and 4 and a head for each region."""
    names = {'stem.conv1': 'stem/conv1', 'stem.bn1': 'stem/bn1'}
    names |= torch_stage('layer1', 'layer1', skips=False)
    names |= torch_stage('layer2', 'layer2', skips=True)
    for region in regions:
        names |= torch_stage(f'layer3.{region}', f'layer3_{region}', skips=True)
        names |= torch_stage(f'layer4.{region}', f'layer4_{region}', skips=True)
    names |= {f'area.{name}': f'area/{name}' for name in area}
    for region in regions:
        for name in ('dense1', 'norm', 'dense2'):
            names[f'heads.{region}.{name}'] = f'heads_{region}/{name}'
    return names


TORCH_NAMES = _torch_names(DualBranch.regions, ('dense1', 'norm1', 'dense2', 'norm2'))
SINGLE_TORCH_NAMES = _torch_names(SingleBranch.regions)


class TorchNames(NamedTuple):
    """The names in a weights file."""

    modules: dict[str, str]  # PyTorch module -> flax path
    leaves: dict[str, str]  # flax leaf -> PyTorch leaf, where it has another name


def _released_names():
    """Names in `model_best_*.pt` of the released code, whose layers are numbers of a sequence."""
    modules = {'base_layers.layers.0': 'stem/conv1', 'base_layers.layers.1': 'stem/bn1'}
    modules |= torch_stage('base_layers.layers.4', 'layer1', skips=False)
    modules |= torch_stage('base_layers.layers.6', 'layer2', skips=True)
    for region in DualBranch.regions:
        modules |= torch_stage(f'{region}_branch.layers.0', f'layer3_{region}', skips=True)
        modules |= torch_stage(f'{region}_branch.layers.2', f'layer4_{region}', skips=True)
        for number, layer in {0: 'dense1', 1: 'norm', 4: 'dense2'}.items():
            modules[f'{region}.{number}'] = f'heads_{region}/{layer}'
    for number, layer in {0: 'dense1', 1: 'norm1', 4: 'dense2', 5: 'norm2'}.items():
        modules[f'area_weight.{number}'] = f'area/{layer}'
    leaves = {
        'channel_weight': 'cweight',
        'channel_bias': 'cbias',
        'pixel_weight': 'sweight',
        'pixel_bias': 'sbias',
        'norm_scale': 'gn.weight',
        'norm_bias': 'gn.bias',
    }
    modules = {key.replace('attention', 'sa'): path for key, path in modules.items()}
    return TorchNames(modules, leaves)


RELEASED_NAMES = _released_names()
