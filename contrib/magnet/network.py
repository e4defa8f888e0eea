"""MagNet, learned motion magnification of two frames: Oh et al., ECCV 2018.

Code: 12dmodel/deep_motion_mag. No classifier, so it does not stand in models.NETWORKS. Editions,
weight names and shapes are those of preprocess.magnet.
"""

from collections.abc import Mapping
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from mer_jax.errors import UserError
from mer_jax.models import torch_weights
from mer_jax.models.layers import Conv
from mer_jax.preprocess import magnet as weights

start = nn.initializers.truncated_normal(0.02)  # as the authors' code


class _Part(nn.Module):
    edition: str
    lowering: str

    def conv(self, name: str, x: jax.Array, features: int, size: int, stride: int = 1) -> jax.Array:
        """One convolution, its border reflected.

        TensorFlow's zeros below and to the right at stride 2 of 'released'.
        """
        same = stride == 2 and self.edition == 'released'
        if not same:
            half = (size // 2, size // 2)
            x = jnp.pad(x, ((0, 0), half, half, (0, 0)), mode='reflect')
        layer = Conv(
            features,
            size,
            strides=stride,
            padding='SAME' if same else 'VALID',
            use_bias=self.edition == 'port',
            lowering=self.lowering,
            kernel_init=start,
            name=name,
        )
        return layer(x)

    def conv_relu(
        self, name: str, x: jax.Array, features: int, size: int, stride: int = 1
    ) -> jax.Array:
        """As conv, with ReLU."""
        return nn.relu(self.conv(name, x, features, size, stride))

    def blocks(self, name: str, x: jax.Array) -> jax.Array:
        """A stack of residual blocks, as a loop.

        Unrolled, the network takes minutes to compile for training.
        """
        (count,) = weights.BLOCKS[f'{self.scope.name}/{name}']
        scanned = nn.scan(
            _Block, variable_axes={'params': 0}, split_rngs={'params': True}, length=count
        )
        return scanned(self.edition, self.lowering, name=name)(x, ())[0]


class _Block(_Part):
    @nn.compact
    def __call__(self, x, _):
        channels = x.shape[-1]
        y = self.conv_relu('conv1', x, channels, 3)
        return x + self.conv('conv2', y, channels, 3), ()


class _Encoder(_Part):
    @nn.compact
    def __call__(self, x):
        x = self.conv_relu('conv1', x, 16, 7)
        x = self.blocks('block', self.conv_relu('conv2', x, 32, 3, stride=2))
        texture = self.conv_relu('texture_conv', x, 32, 3, stride=2)
        texture = self.blocks('texture_block', texture)
        if self.edition == 'port':
            x = self.conv_relu('shape_conv', x, 32, 3)
        return texture, self.blocks('shape_block', x)


class _Manipulator(_Part):
    @nn.compact
    def __call__(self, shape_a, shape_b, alpha):
        change = self.conv_relu('conv1', shape_b - shape_a, 32, 7)
        factor = alpha if self.edition == 'port' else alpha - 1
        change *= factor[:, None, None, None]
        return shape_b + self.blocks('block', self.conv('conv2', change, 32, 3))


class _Decoder(_Part):
    @nn.compact
    def __call__(self, texture, shape):
        texture = self.conv_relu('texture_conv', _enlarge(texture), 32, 3)
        x = self.blocks('block', jnp.concatenate([texture, shape], -1))
        x = _enlarge(x)
        if self.edition == 'port':
            x = self.conv_relu('up_conv', x, 64, 3)
        return self.conv('conv2', self.conv_relu('conv1', x, 32, 3), 3, 7)


class MagNet(nn.Module):
    """(a, b, alpha) -> b with its motion since a magnified alpha times, [B, H, W, 3] in [-1, 1].

    a, b: [B, H, W, 3] in [-1, 1], sides multiples of 4, 8 pixels or more; alpha: [B], 1 leaves the
    motion as it is.
    edition: 'released' (918,928 parameters) or 'port'.
    lowering: as in layers.Conv.
    UserError on other sides.
    """

    edition: str = 'released'
    lowering: str = 'matmul'

    def setup(self) -> None:
        self.encoder = _Encoder(self.edition, self.lowering)
        self.manipulator = _Manipulator(self.edition, self.lowering)
        self.decoder = _Decoder(self.edition, self.lowering)

    def __call__(self, a: jax.Array, b: jax.Array, alpha: jax.Array) -> jax.Array:
        _, shape_a = self.encode(a)
        texture, shape_b = self.encode(b)
        shape = self.manipulator(shape_a, shape_b, alpha)
        return jnp.clip(self.decode(texture, shape), -1, 1)

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """[B, H, W, 3] -> (texture code [B, H/4, W/4, 32], shape code [B, H/2, W/2, 32])."""
        height, width = x.shape[1:3]
        if height % 4 or width % 4 or min(height, width) < weights.LEAST:
            raise UserError(
                f'MagNet needs images whose sides are multiples of 4 and at least {weights.LEAST}; '
                f'got {height}x{width}'
            )
        return self.encoder(x)

    def manipulate(self, shape_a: jax.Array, shape_b: jax.Array, alpha: jax.Array) -> jax.Array:
        """Shape codes of a and b -> that of b with its difference from a magnified alpha times."""
        return self.manipulator(shape_a, shape_b, alpha)

    def decode(self, texture: jax.Array, shape: jax.Array) -> jax.Array:
        """Texture and shape code -> image [B, H, W, 3], not yet clipped."""
        return self.decoder(texture, shape)


def _enlarge(x):
    """Every pixel four times: nearest-neighbour enlargement by two."""
    batch, height, width, channels = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, 2, width, 2, channels))
    return x.reshape(batch, 2 * height, 2 * width, channels)


def flat(params: Mapping) -> weights.Tensors:
    """Parameters by the names of preprocess.magnet, 'encoder/block/conv1/kernel'."""
    return {name: np.asarray(value) for name, value in flatten_dict(params, sep='/').items()}


def published(path: str | Path) -> weights.Tensors:
    """Weights of a published file by the names of preprocess.magnet, float32.

    Args:
        path: a PyTorch checkpoint of the 'port' (.tar, .pth, .pt;
            postech-ami/Deep-Motion-Mag-Pytorch), or a .safetensors file that holds its tensors or,
            by their names, the variables of the authors' TensorFlow checkpoint ('released').

    Raises:
        UserError: the file cannot be read or holds another network; names the first layer that
            differs.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        tensors = torch_weights.read(path)
    else:
        tensors = _read_checkpoint(path)
    return convert(tensors, source=path)


def convert(tensors: weights.Tensors, *, source: str | Path) -> weights.Tensors:
    """Tensors by their published names -> by those of preprocess.magnet, float32.

    Args:
        tensors: of a file.
        source: the file, for messages.

    Raises:
        UserError: names the first layer that differs.
    """
    released = any(name.startswith('ynet_3frames/') for name in tensors)
    edition = 'released' if released else 'port'
    published_name = tensorflow_name if released else torch_name
    # axes of a published kernel in our order
    axes = (0, 1, 2, 3) if released else (2, 3, 1, 0)
    sources, shapes = {}, {}
    for name, shape in weights.weight_shapes(edition).items():
        stack = weights.BLOCKS.get(name.rsplit('/', 2)[0], ())
        sources[name] = [published_name(name, block) for block in range(*stack or (1,))]
        shape = shape[len(stack) :]
        if len(shape) == 4:
            shape = tuple(shape[axes.index(axis)] for axis in range(4))
        shapes |= dict.fromkeys(sources[name], shape)
    weights.check_weights(tensors, shapes, source=source)
    converted = {}
    for name, published_names in sources.items():
        values = [np.asarray(tensors[each], np.float32) for each in published_names]
        if values[0].ndim == 4:
            values = [value.transpose(axes) for value in values]
        converted[name] = np.stack(values) if 'block' in name else np.ascontiguousarray(values[0])
    return converted


# our layer or stack of residual blocks -> PyTorch module; blocks follow as numbers from 0
_TORCH = {
    'encoder/conv1': 'encoder.res_encoder.conv1',
    'encoder/conv2': 'encoder.res_encoder.conv2',
    'encoder/texture_conv': 'encoder.conv_tex',
    'encoder/shape_conv': 'encoder.conv_sha',
    'encoder/block': 'encoder.res_encoder.residual',
    'encoder/texture_block': 'encoder.texture_resblk',
    'encoder/shape_block': 'encoder.shape_resblk',
    'manipulator/conv1': 'res_manipulator.conv1',
    'manipulator/conv2': 'res_manipulator.conv2',
    'manipulator/block': 'res_manipulator.residual',
    'decoder/texture_conv': 'decoder.conv_tex_aft_upsample',
    'decoder/block': 'decoder.res_decoder.residual',
    'decoder/up_conv': 'decoder.res_decoder.conv_up_sample',
    'decoder/conv1': 'decoder.res_decoder.conv1',
    'decoder/conv2': 'decoder.res_decoder.conv2',
}
# the same for the authors' variables; the first block of texture and shape carries no number
_TENSORFLOW = {
    'encoder/conv1': 'enc_conv1_c',
    'encoder/conv2': 'enc_conv2_c',
    'encoder/texture_conv': 'enc_texture_conv',
    'encoder/block': 'encoder_resblk',
    'encoder/texture_block': 'texture_enc',
    'encoder/shape_block': 'shape_enc',
    'manipulator/conv1': 'mani_conv0c',
    'manipulator/conv2': 'mani_aft_conv0c',
    'manipulator/block': 'mani_resblk',
    'decoder/texture_conv': 'texture_upsample',
    'decoder/block': 'decoder_resblk',
    'decoder/conv1': 'dec_conv2_c',
    'decoder/conv2': 'pred_conv',
}


def torch_name(name: str, block: int) -> str:
    """The port's name of a weight.

    'encoder/block/conv2/kernel', 0 -> 'encoder.res_encoder.residual.0.conv2.weight'.
    """
    layer, leaf = name.rsplit('/', 1)
    if 'block' in layer:
        stack, conv = layer.rsplit('/', 1)
        module = f'{_TORCH[stack]}.{block}.{conv}'
    else:
        module = _TORCH[layer]
    return f'{module}.{"weight" if leaf == "kernel" else "bias"}'


def tensorflow_name(name: str, block: int) -> str:
    """The name of a weight in the authors' code.

    'encoder/block/conv2/kernel', 0 -> 'ynet_3frames/encoder/encoder_resblk0_c2/Conv/weights'.
    """
    layer = name.removesuffix('/kernel')
    part = layer.split('/')[0]
    if 'block' not in layer:
        return f'ynet_3frames/{part}/{_TENSORFLOW[layer]}/Conv/weights'
    stack, conv = layer.rsplit('/', 1)
    scope, number = _TENSORFLOW[stack], str(block)
    if scope.endswith('_enc'):
        number = f'_{block}' if block else ''
    return f'ynet_3frames/{part}/{scope}{number}_c{conv[-1]}/Conv/weights'


def _read_checkpoint(path):
    """Tensors of a PyTorch checkpoint, bare or under 'model_state_dict', as the port saves them."""
    if not path.is_file():
        raise UserError(f'{path}: there is no such weights file')
    tensors = torch_weights.read_torch(path, wrappers=('model_state_dict',))
    return {name.removeprefix('module.'): value for name, value in tensors.items()}
