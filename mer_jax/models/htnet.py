"""HTNet (Wang et al. 2023): a hierarchical transformer over patches of flow and strain.

arXiv 2307.14637. Layers, start and input are those of the authors' public code. 139,582,982
parameters as published (dim 256, 28x28x3, three classes), 8,722,310 for dim 64.

As published there is no attention. The image has 4x4 patches; attention acts within a block, and
the three levels have 4x4, 2x2 and 1 blocks of one patch each. A softmax over one token is 1
whatever the query and the key are, so that neither ever has a gradient: a block is a residual
network of dense layers at each patch, and patches meet in two 3x3 convolutions alone. Fewer
hierarchies or smaller patches give blocks of several tokens.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import (
    Conv,
    Output,
    check_image,
    dense,
    max_pool,
    torch_bias,
    torch_kernel,
)

EARLY_BLOCKS = 2  # of each level but the last
# Row and column where the squares of the released input begin, of 28 pixels, as they stand in it.
# They lie round landmarks (x, y) of which the code takes x as the row and y as the column; these
# are its constants for a face that it does not find.
CORNERS = (((2, 4), (14, 3)), ((3, 14), (13, 14)))


def _torch_names():
    """PyTorch module -> flax path of the default levels, by the names of the authors' release."""
    names = {'to_patch_embedding.1': 'embed', 'mlp_head.0': 'norm', 'mlp_head.2': 'fc'}
    of_block = {
        '0.norm': 'norm1',
        '0.fn.to_qkv': 'qkv',
        '0.fn.to_out.0': 'out',
        '1.norm': 'norm2',
        '1.fn.net.0': 'fc1',
        '1.fn.net.3': 'fc2',
    }
    for level, blocks in enumerate((EARLY_BLOCKS, EARLY_BLOCKS, 10)):
        names[f'layers.{level}.0'] = f'level{level + 1}'
        for block in range(blocks):
            for theirs, ours in of_block.items():
                key = f'layers.{level}.0.layers.{block}.{theirs}'
                names[key] = f'level{level + 1}/block{block + 1}/{ours}'
    for level in (0, 1):
        names[f'layers.{level}.1.0'] = f'aggregate{level + 1}'
        names[f'layers.{level}.1.1'] = f'aggregate{level + 1}_norm'
    return names


TORCH_NAMES = _torch_names()


class HTNet(nn.Module):
    """HTNet for images [B, H, W, C] whose sides are multiples of patch * 2**(hierarchies - 1).

    Attributes:
        classes: their number, K.
        lowering: of the 3x3 convolutions, as in layers.Conv.
        dim: channels of the first level; each further level doubles them.
        heads: of the attention of the first level; each further level doubles them.
        patch: side of a patch in pixels.
        hierarchies: levels. Each joins 2x2 blocks of the level before; the last has one block.
        depth: transformer blocks of the last level; the others have two.
        squares: 'released': the image is put together from four squares (squares_of), or 'none'.
    """

    classes: int
    lowering: str = 'matmul'
    dim: int = 64
    heads: int = 3
    patch: int = 7
    hierarchies: int = 3
    depth: int = 10
    squares: str = 'released'

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool) -> Output:
        self._check(image)
        x = squares_of(image) if self.squares == 'released' else image
        x = _Pointwise(self.dim, name='embed')(patches_of(x, self.patch))
        for level in range(1, self.hierarchies + 1):
            is_last = level == self.hierarchies
            x = _Level(
                heads=self.heads * 2 ** (level - 1),
                splits=2 ** (self.hierarchies - level),
                depth=self.depth if is_last else EARLY_BLOCKS,
                name=f'level{level}',
            )(x)
            if is_last:
                break
            conv = Conv(
                2 * x.shape[-1],
                3,
                padding=1,
                lowering=self.lowering,
                kernel_init=torch_kernel,
                bias_init=torch_bias(9 * x.shape[-1]),
                name=f'aggregate{level}',
            )
            x = max_pool(_ChannelNorm(name=f'aggregate{level}_norm')(conv(x)), 3, 2, 1)
        features = _ChannelNorm(name='norm')(x).mean((1, 2))
        start = {'kernel_init': torch_kernel, 'bias_init': torch_bias(features.shape[-1])}
        logits = nn.Dense(self.classes, name='fc', **start)(features)
        return logits, {'features': features}

    def _check(self, image):
        blocks = 2 ** (self.hierarchies - 1)
        step = self.patch * blocks
        check_image('htnet', image, least=step)
        height, width = image.shape[1:3]
        if height % step or width % step:
            raise UserError(
                f'model htnet cuts an image into {blocks}x{blocks} blocks of patches of '
                f'{self.patch}x{self.patch} pixels; data.size must be a multiple of {step} '
                f'(model.htnet.patch, model.htnet.hierarchies), and is {height}'
            )
        if self.squares == 'released' and (height % 2 or width % 2):
            raise UserError(
                f'model.htnet.squares=released cuts halves of a side; data.size is {height}, and '
                'must be even'
            )
        if self.heads > self.dim:
            raise UserError(
                f'model.htnet.heads is {self.heads}; allowed: up to model.htnet.dim, {self.dim}'
            )


def squares_of(image: jax.Array) -> jax.Array:
    """Put an image together from four squares, as the released code does.

    They overlap, lie near the four quadrants, and top right and bottom left are exchanged.

    Args:
        image: [B, H, W, C], H and W even.

    Returns:
        [B, H, W, C].
    """
    height, width = image.shape[1:3]
    bands = []
    for corners in CORNERS:
        squares = []
        for row, column in corners:
            top, left = row * height // 28, column * width // 28
            squares.append(image[:, top : top + height // 2, left : left + width // 2])
        bands.append(jnp.concatenate(squares, 2))
    return jnp.concatenate(bands, 1)


def patches_of(image: jax.Array, side: int) -> jax.Array:
    """Return patches that do not overlap as channels: row, column, channel of the image.

    Args:
        image: [B, H, W, C].
        side: of a patch; divides H and W.

    Returns:
        [B, H / side, W / side, side * side * C].
    """
    batch, height, width, channels = image.shape
    rows, columns = height // side, width // side
    x = image.reshape(batch, rows, side, columns, side, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows, columns, -1)


class _Level(nn.Module):
    """Transformer blocks, each over the tokens of one part of the image.

    Attributes:
        heads: of the attention.
        splits: the image is cut into splits x splits parts.
        depth: transformer blocks.
    """

    heads: int
    splits: int
    depth: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        rows, columns = height // self.splits, width // self.splits
        x = x.reshape(batch, self.splits, rows, self.splits, columns, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, rows * columns, channels)
        position = self.param('pos_emb', nn.initializers.normal(1.0), (rows * columns,))
        x = x + position[:, None]
        for i in range(1, self.depth + 1):
            x = _Block(self.heads, name=f'block{i}')(x)
        x = x.reshape(batch, self.splits, self.splits, rows, columns, channels)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)


class _Block(nn.Module):
    """Attention, then two dense layers, each added to its input: [N, T, C] -> [N, T, C]."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        inner = channels // self.heads * self.heads
        # Queries, keys and values in one kernel, as released, so that its weights can be read.
        qkv = _Pointwise(3 * inner, use_bias=False, name='qkv')
        mixed = self._attend(_ChannelNorm(name='norm1')(x), qkv, inner)
        x = x + _Pointwise(channels, name='out')(mixed)
        hidden = _Pointwise(4 * channels, name='fc1')(_ChannelNorm(name='norm2')(x))
        return x + _Pointwise(channels, name='fc2')(nn.gelu(hidden, approximate=False))

    def _attend(self, x, qkv, inner):
        """Mix the values of the tokens of a part: [N, T, C] -> [N, T, inner]."""
        kernel, _ = qkv.parameters(x.shape[-1])
        kernel = kernel.reshape(kernel.shape[-2:])
        tokens = x.shape[1]
        if tokens == 1:  # its weight is 1: queries and keys are not needed
            return dense(x, kernel[:, 2 * inner :])
        heads = dense(x, kernel).reshape(-1, tokens, 3, self.heads, inner // self.heads)
        query, key, value = (heads[:, :, i].swapaxes(1, 2) for i in range(3))
        score = query @ key.swapaxes(2, 3) * (inner // self.heads) ** -0.5
        mixed = nn.softmax(score) @ value
        return mixed.swapaxes(1, 2).reshape(-1, tokens, inner)


class _Pointwise(nn.Module):
    """A 1x1 convolution, for any number of axes before the channels."""

    features: int
    use_bias: bool = True

    @nn.compact
    def parameters(self, channels: int) -> tuple[jax.Array, jax.Array | float]:
        """Return kernel [1, 1, channels, features], and bias [features] or 0.0."""
        kernel = self.param('kernel', torch_kernel, (1, 1, channels, self.features))
        if not self.use_bias:
            return kernel, 0.0
        return kernel, self.param('bias', torch_bias(channels), (self.features,))

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = self.parameters(x.shape[-1])
        return dense(x, kernel.reshape(kernel.shape[-2:])) + bias


class _ChannelNorm(nn.Module):
    """Layer norm over channels, with the names of the released parameters."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        gain = self.param('g', nn.initializers.ones_init(), x.shape[-1:])
        shift = self.param('b', nn.initializers.zeros_init(), x.shape[-1:])
        # nn.LayerNorm takes the mean of squares less the square of the mean, which loses digits
        # where values are as large as the bytes of the input.
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + 1e-5) * gain + shift
