"""Learned motion magnification of two frames by a trained MagNet, without jax: Oh et al., ECCV
2018.

The same network, with the same names and weights, stands in contrib/magnet, which trains it. Two
editions of it are public: 'released', the authors' TensorFlow code (no biases; shape code changed
by alpha - 1, so that alpha 1 leaves it alone), and 'port', the PyTorch code of
postech-ami/Deep-Motion-Mag-Pytorch (biases, two more layers; multiplies by alpha).
"""

import functools
import os
from pathlib import Path

import cv2
import numpy as np

from mer_jax.errors import UserError

BLOCKS = {  # residual blocks of each stack; their weights are stacked along the first axis
    'encoder/block': (3,),
    'encoder/texture_block': (2,),
    'encoder/shape_block': (2,),
    'manipulator/block': (1,),
    'decoder/block': (9,),
}
LEAST = 8  # pixels a side: the 7x7 layer at half size reflects 3 pixels


def shapes(edition) -> dict:
    """Name -> shape of every weight of an edition: kernels [kh, kw, in, out] and, in 'port', biases
    [out]; those of a stack of residual blocks carry a leading axis.
    """
    port = edition == 'port'
    layers = {
        'encoder/conv1': (7, 3, 16),
        'encoder/conv2': (3, 16, 32),
        **_block('encoder/block', 32),
        'encoder/texture_conv': (3, 32, 32),
        **_block('encoder/texture_block', 32),
    }
    layers |= {'encoder/shape_conv': (3, 32, 32)} if port else {}
    layers |= {
        **_block('encoder/shape_block', 32),
        'manipulator/conv1': (7, 32, 32),
        'manipulator/conv2': (3, 32, 32),
        **_block('manipulator/block', 32),
        'decoder/texture_conv': (3, 32, 32),
        **_block('decoder/block', 64),
    }
    layers |= {'decoder/up_conv': (3, 64, 64)} if port else {}
    layers |= {'decoder/conv1': (3, 64, 32), 'decoder/conv2': (7, 32, 3)}
    stacks = {name: BLOCKS[name.rsplit('/', 1)[0]] if 'block' in name else () for name in layers}
    found = {
        f'{name}/kernel': (*stacks[name], side, side, *channels)
        for name, (side, *channels) in layers.items()
    }
    return found | (
        {f'{name}/bias': (*stacks[name], layer[-1]) for name, layer in layers.items()}
        if port
        else {}
    )


def _block(name, channels):
    return {f'{name}/conv{i}': (3, channels, channels) for i in (1, 2)}


def read(path) -> dict:
    """Weights of a .safetensors file by name, float32; UserError where it is missing, unreadable or
    of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f'{path}: there is no such MagNet weights file (.safetensors); train one, or convert '
            'a published one'
        )
    stat = os.stat(path)
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=2)
def _read(path, changed, size):
    """Kept in memory while the file stays as it is: a data set asks once for every clip."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f'{path} cannot be read as .safetensors: {str(error).splitlines()[0]}'
        ) from None
    check(tensors, shapes(edition_of(tensors)), source=path)
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def edition_of(tensors) -> str:
    """'port' where the weights hold its extra layer before the shape code, else 'released'."""
    return 'port' if 'encoder/shape_conv/kernel' in tensors else 'released'


def check(tensors, wanted, *, source):
    """UserError naming `source` and the first differing layer where `tensors` have other names or
    shapes than `wanted`.
    """
    wrong = [
        f'layer {name} is missing, needed {list(shape)}'
        for name, shape in wanted.items()
        if name not in tensors
    ]
    wrong += [
        f'layer {name} {list(np.shape(value))} is unknown'
        for name, value in tensors.items()
        if name not in wanted
    ]
    wrong += [
        f'layer {name} has shape {list(np.shape(tensors[name]))}, needed {list(shape)}'
        for name, shape in wanted.items()
        if name in tensors and np.shape(tensors[name]) != tuple(shape)
    ]
    wrong += [
        f'layer {name} holds NaN or infinity'
        for name in wanted.keys() & tensors.keys()
        if not np.all(np.isfinite(tensors[name]))
    ]
    if wrong:
        more = f' (and {len(wrong) - 1} more differences)' if len(wrong) > 1 else ''
        raise UserError(f'{source} does not fit MagNet: {wrong[0]}{more}')


def magnify(onset, apex, *, alpha, weights):
    """The apex frame with its motion since the onset magnified alpha times (1: unchanged motion),
    uint8[H, W].

    onset, apex: 8-bit gray uint8[H, W], 8 pixels a side or more; weights: path of a .safetensors
    file. Gray goes in as three equal channels and comes out by the weights of ITU-R BT.601. Raises
    UserError on other frames, alpha or weights.
    """
    for name, frame in (('onset', onset), ('apex', apex)):
        if frame.dtype != np.uint8 or frame.ndim != 2 or min(frame.shape) < LEAST:
            raise UserError(
                f'magnet: {name} frame is {frame.dtype}{list(frame.shape)}; '
                f'needs 8-bit gray, uint8[H, W] of {LEAST} pixels a side or more'
            )
    if onset.shape != apex.shape:
        raise UserError(
            f'magnet: onset frame is {list(onset.shape)}, apex {list(apex.shape)}; needs equal '
            'shapes'
        )
    if not 1 <= alpha < np.inf:
        raise UserError(f'magnet: alpha is {alpha}; needs a number of 1 (unchanged) or more')
    out = predict(read(weights), _prepare(onset), _prepare(apex), alpha)
    gray = cv2.cvtColor(
        np.ascontiguousarray(out[: onset.shape[0], : onset.shape[1]]), cv2.COLOR_RGB2GRAY
    )
    return np.clip(np.rint((gray + 1) * 127.5), 0, 255).astype(np.uint8)


def _prepare(frame):
    """uint8[H, W] -> float32[H', W', 3] in [-1, 1], reflected below and to the right to multiples
    of 4.
    """
    frame = np.pad(frame, [(0, -n % 4) for n in frame.shape], mode='reflect')
    return np.repeat(frame[:, :, None].astype(np.float32) / np.float32(127.5) - 1, 3, axis=2)


def predict(tensors, a, b, alpha):
    """Output float32[H, W, 3] of the network for frames a and b, float32[H, W, 3] in [-1, 1]; H and
    W multiples of 4.
    """
    port = edition_of(tensors) == 'port'
    conv = functools.partial(_layer, tensors, port)

    def blocks(name, x):
        for i in range(*BLOCKS[name]):
            x = x + conv(f'{name}/conv2', _relu(conv(f'{name}/conv1', x, block=(i,))), block=(i,))
        return x

    def common(x):
        return blocks(
            'encoder/block', _relu(conv('encoder/conv2', _relu(conv('encoder/conv1', x)), stride=2))
        )

    def shape(x):
        return blocks('encoder/shape_block', _relu(conv('encoder/shape_conv', x)) if port else x)

    common_b = common(b)
    texture = blocks(
        'encoder/texture_block', _relu(conv('encoder/texture_conv', common_b, stride=2))
    )
    shape_a, shape_b = shape(common(a)), shape(common_b)
    change = _relu(conv('manipulator/conv1', shape_b - shape_a)) * np.float32(
        alpha if port else alpha - 1
    )
    magnified = shape_b + blocks('manipulator/block', conv('manipulator/conv2', change))
    x = np.concatenate([_relu(conv('decoder/texture_conv', _twice(texture))), magnified], -1)
    x = _twice(blocks('decoder/block', x))
    x = _relu(conv('decoder/up_conv', x)) if port else x
    return np.clip(conv('decoder/conv2', _relu(conv('decoder/conv1', x))), -1, 1)


def _layer(tensors, port, name, x, *, stride=1, block=()):
    """One convolution (of block `block` of a stack); its border is reflected, but zero below and to
    the right at stride 2 of 'released', as TensorFlow pads.
    """
    kernel = tensors[f'{name}/kernel'][block]
    half = kernel.shape[0] // 2
    if stride == 2 and not port:
        x = np.pad(x, ((0, 1), (0, 1), (0, 0)))
    else:
        x = np.pad(x, ((half, half), (half, half), (0, 0)), mode='reflect')
    return convolve(x, kernel, stride) + (tensors[f'{name}/bias'][block] if port else np.float32(0))


def convolve(x, kernel, stride):
    """Padded float32[H, W, in] and kernel [kh, kw, in, out] -> [H', W', out]: one product of
    matrices for each kernel row.
    """
    rows, columns, _, features = kernel.shape
    height, width = (
        (n - k) // stride + 1 for n, k in zip(x.shape[:2], kernel.shape[:2], strict=True)
    )
    last = (width - 1) * stride + 1
    wide = np.concatenate([x[:, i : i + last : stride] for i in range(columns)], axis=2)
    out = np.zeros((height * width, features), np.float32)
    for i in range(rows):
        out += wide[i : i + (height - 1) * stride + 1 : stride].reshape(
            height * width, -1
        ) @ kernel[i].reshape(-1, features)
    return out.reshape(height, width, features)


def _relu(x):
    return np.maximum(x, 0)


def _twice(x):
    """Every pixel four times: nearest-neighbour enlargement by two."""
    return x.repeat(2, 0).repeat(2, 1)
