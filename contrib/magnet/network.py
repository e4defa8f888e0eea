"""MagNet, learned motion magnification of two frames: Oh et al., ECCV 2018; code
12dmodel/deep_motion_mag.

No classifier, so it does not stand in models.NETWORKS. Editions, weight names and shapes are those
of preprocess.magnet.
"""

from pathlib import Path

import flax.linen as nn
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

    def conv(self, name, x, features, size, stride=1):
        """One convolution, its border reflected; TensorFlow's zeros below and to the right at
        stride 2 of 'released'.
        """
        same = stride == 2 and self.edition == 'released'
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
        return layer(
            x
            if same
            else jnp.pad(x, ((0, 0), *2 * ((size // 2, size // 2),), (0, 0)), mode='reflect')
        )

    def blocks(self, name, x):
        """A stack of residual blocks, as a loop: unrolled, the network takes minutes to compile for
        training.
        """
        (count,) = weights.BLOCKS[f'{self.scope.name}/{name}']
        scanned = nn.scan(
            _Block, variable_axes={'params': 0}, split_rngs={'params': True}, length=count
        )
        return scanned(self.edition, self.lowering, name=name)(x, ())[0]


class _Block(_Part):
    @nn.compact
    def __call__(self, x, _):
        return x + self.conv(
            'conv2', nn.relu(self.conv('conv1', x, x.shape[-1], 3)), x.shape[-1], 3
        ), ()


class _Encoder(_Part):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(self.conv('conv1', x, 16, 7))
        x = self.blocks('block', nn.relu(self.conv('conv2', x, 32, 3, stride=2)))
        texture = self.blocks(
            'texture_block', nn.relu(self.conv('texture_conv', x, 32, 3, stride=2))
        )
        shape = nn.relu(self.conv('shape_conv', x, 32, 3)) if self.edition == 'port' else x
        return texture, self.blocks('shape_block', shape)


class _Manipulator(_Part):
    @nn.compact
    def __call__(self, shape_a, shape_b, alpha):
        change = nn.relu(self.conv('conv1', shape_b - shape_a, 32, 7))
        change *= (alpha if self.edition == 'port' else alpha - 1)[:, None, None, None]
        return shape_b + self.blocks('block', self.conv('conv2', change, 32, 3))


class _Decoder(_Part):
    @nn.compact
    def __call__(self, texture, shape):
        texture = nn.relu(self.conv('texture_conv', _twice(texture), 32, 3))
        x = _twice(self.blocks('block', jnp.concatenate([texture, shape], -1)))
        if self.edition == 'port':
            x = nn.relu(self.conv('up_conv', x, 64, 3))
        return self.conv('conv2', nn.relu(self.conv('conv1', x, 32, 3)), 3, 7)


class MagNet(nn.Module):
    """(a, b, alpha) -> b with its motion since a magnified alpha times, [B, H, W, 3] in [-1, 1].

    a, b: [B, H, W, 3] in [-1, 1], sides multiples of 4, 8 pixels or more; alpha: [B], 1 leaves the
    motion as it is.
    edition: 'released' (918,928 parameters) or 'port'; lowering as in layers.Conv. UserError on
    other sides.
    """

    edition: str = 'released'
    lowering: str = 'matmul'

    def setup(self):
        self.encoder = _Encoder(self.edition, self.lowering)
        self.manipulator = _Manipulator(self.edition, self.lowering)
        self.decoder = _Decoder(self.edition, self.lowering)

    def __call__(self, a, b, alpha):
        (_, shape_a), (texture, shape_b) = self.encode(a), self.encode(b)
        return jnp.clip(self.decode(texture, self.manipulator(shape_a, shape_b, alpha)), -1, 1)

    def encode(self, x):
        """[B, H, W, 3] -> (texture code [B, H/4, W/4, 32], shape code [B, H/2, W/2, 32])."""
        height, width = x.shape[1:3]
        if height % 4 or width % 4 or min(height, width) < weights.LEAST:
            raise UserError(
                f'MagNet needs images whose sides are multiples of 4 and at least {weights.LEAST}; '
                f'got {height}x{width}'
            )
        return self.encoder(x)

    def manipulate(self, shape_a, shape_b, alpha):
        """Shape codes of a and b -> that of b with its difference from a magnified alpha times."""
        return self.manipulator(shape_a, shape_b, alpha)

    def decode(self, texture, shape):
        """Texture and shape code -> image [B, H, W, 3], not yet clipped."""
        return self.decoder(texture, shape)


def _twice(x):
    """Every pixel four times: nearest-neighbour enlargement by two."""
    batch, height, width, channels = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, 2, width, 2, channels))
    return x.reshape(batch, 2 * height, 2 * width, channels)


def flat(params) -> dict:
    """Parameters by the names of preprocess.magnet, 'encoder/block/conv1/kernel', as numpy
    arrays.
    """
    return {name: np.asarray(value) for name, value in flatten_dict(params, sep='/').items()}


def published(path) -> dict:
    """Weights of a published file by the names of preprocess.magnet, float32.

    path: a PyTorch checkpoint of the 'port' (.tar, .pth, .pt; postech-ami/Deep-Motion-Mag-Pytorch),
    or a .safetensors file that holds its tensors or, by their names, the variables of the authors'
    TensorFlow checkpoint ('released'). Raises UserError where the file cannot be read or holds
    another network, naming the first layer that differs.
    """
    path = Path(path)
    tensors = torch_weights.read(path) if path.suffix == '.safetensors' else _read_checkpoint(path)
    return convert(tensors, source=path)


def convert(tensors, *, source) -> dict:
    """Tensors by their published names -> by those of preprocess.magnet; UserError naming the first
    layer that differs.
    """
    released = any(name.startswith('ynet_3frames/') for name in tensors)
    published_name, order = (_tensorflow, (0, 1, 2, 3)) if released else (_torch, (2, 3, 1, 0))
    wanted, sources = {}, {}
    for ours, shape in weights.weight_shapes('released' if released else 'port').items():
        count = weights.BLOCKS.get(ours.rsplit('/', 2)[0], ())
        sources[ours] = [published_name(ours, i) for i in range(*count or (1,))]
        plain = shape[len(count) :]
        plain = tuple(plain[order.index(i)] for i in range(4)) if len(plain) == 4 else plain
        wanted |= dict.fromkeys(sources[ours], plain)
    weights.check_weights(tensors, wanted, source=source)

    def place(value):
        return np.asarray(value, np.float32).transpose(order if np.ndim(value) == 4 else (0,))

    found = {
        ours: np.stack([place(tensors[name]) for name in theirs])
        for ours, theirs in sources.items()
    }
    return {
        ours: value if 'block' in ours else np.ascontiguousarray(value[0])
        for ours, value in found.items()
    }


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


def _torch(name, block):
    """'encoder/block/conv2/kernel', 0 -> 'encoder.res_encoder.residual.0.conv2.weight'."""
    layer, leaf = name.rsplit('/', 1)
    if 'block' in layer:
        stack, conv = layer.rsplit('/', 1)
        module = f'{_TORCH[stack]}.{block}.{conv}'
    else:
        module = _TORCH[layer]
    return f'{module}.{"weight" if leaf == "kernel" else "bias"}'


def _tensorflow(name, block):
    """'encoder/block/conv2/kernel', 0 -> 'ynet_3frames/encoder/encoder_resblk0_c2/Conv/weights'."""
    layer = name.removesuffix('/kernel')
    if 'block' in layer:
        stack, conv = layer.rsplit('/', 1)
        number = (
            str(block) if not _TENSORFLOW[stack].endswith('_enc') else f'_{block}' if block else ''
        )
        found = f'{_TENSORFLOW[stack]}{number}_c{conv[-1]}'
    else:
        found = _TENSORFLOW[layer]
    return f'ynet_3frames/{layer.split("/")[0]}/{found}/Conv/weights'


def _read_checkpoint(path):
    """Tensors of a PyTorch checkpoint whose weights stand under 'model_state_dict', as the port
    saves them, or bare.
    """
    if not path.is_file():
        raise UserError(f'{path}: there is no such weights file')
    found = torch_weights.read_torch(path, wrappers=('model_state_dict',))
    return {name.removeprefix('module.'): value for name, value in found.items()}
