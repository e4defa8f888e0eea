"""Learned motion magnification by MagNet (Oh et al., ECCV 2018).

Without jax. The same network, with the same names and weights, stands in contrib/magnet, which
trains it. Two editions of it are public: 'released', the authors' TensorFlow code (no biases; shape
code changed by alpha - 1, so that alpha 1 leaves it alone), and 'port', the PyTorch code of
postech-ami/Deep-Motion-Mag-Pytorch (biases, two more layers; multiplies by alpha).
"""

import functools
import os

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import magnify as magnification
from mer_jax.preprocess import weights
from mer_jax.preprocess.weights import Tensors

BLOCKS = {  # residual blocks of each stack; their weights are stacked along the first axis
    'encoder/block': (3,),
    'encoder/texture_block': (2,),
    'encoder/shape_block': (2,),
    'manipulator/block': (1,),
    'decoder/block': (9,),
}
MOST_BYTES = 64_000_000  # of a file of weights: the network has 4 million
LEAST = 8  # pixels a side: the 7x7 layer at half size reflects 3 pixels


def weight_shapes(edition: str) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of an edition, by name.

    Kernels [kh, kw, in, out] and, in 'port', biases [out]; those of a stack of residual blocks
    carry a leading axis.
    """
    port = edition == 'port'
    layers = {
        'encoder/conv1': (7, 3, 16),
        'encoder/conv2': (3, 16, 32),
        **_block('encoder/block', 32),
        'encoder/texture_conv': (3, 32, 32),
        **_block('encoder/texture_block', 32),
    }
    if port:
        layers['encoder/shape_conv'] = (3, 32, 32)
    layers |= {
        **_block('encoder/shape_block', 32),
        'manipulator/conv1': (7, 32, 32),
        'manipulator/conv2': (3, 32, 32),
        **_block('manipulator/block', 32),
        'decoder/texture_conv': (3, 32, 32),
        **_block('decoder/block', 64),
    }
    if port:
        layers['decoder/up_conv'] = (3, 64, 64)
    layers |= {'decoder/conv1': (3, 64, 32), 'decoder/conv2': (7, 32, 3)}
    kernels, biases = {}, {}
    for name, (side, channels, features) in layers.items():
        stack = BLOCKS.get(name.rsplit('/', 1)[0], ())
        kernels[f'{name}/kernel'] = (*stack, side, side, channels, features)
        biases[f'{name}/bias'] = (*stack, features)
    return kernels | biases if port else kernels


def _block(name, channels):
    return {f'{name}/conv{i}': (3, channels, channels) for i in (1, 2)}


def read_weights(path: str | os.PathLike) -> Tensors:
    """Weights of a .safetensors file by name, float32.

    Raises:
        UserError: the file is missing, unreadable or of another network.
    """
    return weights.of_file(
        path,
        _check,
        most_bytes=MOST_BYTES,
        missing='MagNet weights file (.safetensors); train one, or convert a published one',
    )


def _check(tensors, path):
    check_weights(tensors, weight_shapes(edition_of(tensors)), source=path)


def edition_of(tensors: Tensors) -> str:
    """Return the edition of weights, 'port' or 'released'.

    The port has a further layer before the shape code.
    """
    return 'port' if 'encoder/shape_conv/kernel' in tensors else 'released'


def check_weights(
    tensors: Tensors, shapes: dict[str, tuple[int, ...]], *, source: str | os.PathLike
) -> None:
    """Check the weights of a file, as `weights.check`.

    Raises:
        UserError: other names or shapes than `shapes`, NaN or infinity.
    """
    weights.check(tensors, shapes, source=source, network='MagNet')


def magnify(
    onset: np.ndarray, apex: np.ndarray, *, alpha: float, weights: str | os.PathLike
) -> np.ndarray:
    """The apex frame with its motion since the onset magnified.

    Gray goes in as three equal channels and comes out by the weights of ITU-R BT.601.

    Args:
        onset, apex: 8-bit gray uint8[H, W], 8 pixels a side or more.
        alpha: output motion / input motion; 1 leaves the motion as it is.
        weights: path of a .safetensors file.

    Returns:
        uint8[H, W].

    Raises:
        UserError: other frames, alpha or weights.
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
    if not 1 <= alpha <= magnification.MOST:
        raise UserError(
            f'magnet: alpha is {alpha}; needs a number from 1 (unchanged) to {magnification.MOST}'
        )
    out = predict(read_weights(weights), _prepare(onset), _prepare(apex), alpha)
    height, width = onset.shape
    gray = cv2.cvtColor(np.ascontiguousarray(out[:height, :width]), cv2.COLOR_RGB2GRAY)
    return np.clip(np.rint((gray + 1) * 127.5), 0, 255).astype(np.uint8)


def _prepare(frame):
    """uint8[H, W] -> float32[H', W', 3] in [-1, 1].

    Reflected below and to the right to multiples of 4.
    """
    frame = np.pad(frame, [(0, -side % 4) for side in frame.shape], mode='reflect')
    scaled = frame[:, :, None].astype(np.float32) / np.float32(127.5) - 1
    return np.repeat(scaled, 3, axis=2)


def predict(tensors: Tensors, a: np.ndarray, b: np.ndarray, alpha: float) -> np.ndarray:
    """Output of the network for two frames.

    Args:
        tensors: weights by name.
        a, b: frames float32[H, W, 3] in [-1, 1]; H and W multiples of 4.
        alpha: output motion / input motion.

    Returns:
        float32[H, W, 3] in [-1, 1]: b with its motion from a magnified.
    """
    port = edition_of(tensors) == 'port'
    conv = functools.partial(_layer, tensors, port)

    def conv_relu(name: str, x: np.ndarray, **options: int | tuple[int, ...]) -> np.ndarray:
        return np.maximum(conv(name, x, **options), 0)

    def blocks(name: str, x: np.ndarray) -> np.ndarray:
        for i in range(*BLOCKS[name]):
            y = conv_relu(f'{name}/conv1', x, block=(i,))
            x = x + conv(f'{name}/conv2', y, block=(i,))
        return x

    def common_code(x: np.ndarray) -> np.ndarray:
        x = conv_relu('encoder/conv1', x)
        return blocks('encoder/block', conv_relu('encoder/conv2', x, stride=2))

    def shape_code(x: np.ndarray) -> np.ndarray:
        if port:
            x = conv_relu('encoder/shape_conv', x)
        return blocks('encoder/shape_block', x)

    common_a, common_b = common_code(a), common_code(b)
    texture = blocks('encoder/texture_block', conv_relu('encoder/texture_conv', common_b, stride=2))
    shape_a, shape_b = shape_code(common_a), shape_code(common_b)
    factor = np.float32(alpha if port else alpha - 1)
    change = conv_relu('manipulator/conv1', shape_b - shape_a) * factor
    change = blocks('manipulator/block', conv('manipulator/conv2', change))
    texture = conv_relu('decoder/texture_conv', _enlarge(texture))
    x = blocks('decoder/block', np.concatenate([texture, shape_b + change], -1))
    x = _enlarge(x)
    if port:
        x = conv_relu('decoder/up_conv', x)
    x = conv('decoder/conv2', conv_relu('decoder/conv1', x))
    return np.clip(x, -1, 1)


def _layer(tensors, port, name, x, *, stride=1, block=()):
    """One convolution, of block `block` of a stack.

    Its border is reflected, but zero below and to the right at stride 2 of 'released', as
    TensorFlow pads.
    """
    kernel = tensors[f'{name}/kernel'][block]
    bias = tensors[f'{name}/bias'][block] if port else np.float32(0)
    half = kernel.shape[0] // 2
    if stride == 2 and not port:
        x = np.pad(x, ((0, 1), (0, 1), (0, 0)))
    else:
        x = np.pad(x, ((half, half), (half, half), (0, 0)), mode='reflect')
    return convolve(x, kernel, stride) + bias


def convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Convolve a padded image, by a product for each kernel row.

    Args:
        x: float32[H, W, in].
        kernel: [kh, kw, in, out].
        stride: of both axes.

    Returns:
        float32[H', W', out].
    """
    rows, columns, _, features = kernel.shape
    height = (x.shape[0] - rows) // stride + 1
    width = (x.shape[1] - columns) // stride + 1
    last = (width - 1) * stride + 1
    wide = np.concatenate([x[:, i : i + last : stride] for i in range(columns)], axis=2)
    out = np.zeros((height * width, features), np.float32)
    for i in range(rows):
        row = wide[i : i + (height - 1) * stride + 1 : stride].reshape(height * width, -1)
        out += row @ kernel[i].reshape(-1, features)
    return out.reshape(height, width, features)


def _enlarge(x):
    """Every pixel four times: nearest-neighbour enlargement by two."""
    return x.repeat(2, 0).repeat(2, 1)
