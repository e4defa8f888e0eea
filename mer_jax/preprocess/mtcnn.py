"""Face detection by three small networks in a cascade, MTCNN (Zhang et al. 2016).

IEEE Signal Processing Letters 23(10), arXiv 1604.02878. Without jax. The weights are the user's:
`python -m contrib.mtcnn_weights` converts those of the package mtcnn of PyPI (licence MIT).

P-Net looks at every 12x12 window of a pyramid of the frame, R-Net at 24x24 pixels of each box that
is left, O-Net at 48x48; each gives a box a score and moves its edges. O-Net adds five points: right
eye of the subject (left in the image), left eye, nose, corners of the mouth.
"""

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mer_jax.preprocess import weights
from mer_jax.preprocess.weights import Tensors

# Layers of each network in order, with the shapes of their kernels: [kh, kw, in, out] of a
# convolution, [in, out] of a dense layer. All but the outputs are followed by a PReLU with a slope
# for each channel. The first dense layer takes columns before rows, as the published weights do.
LAYERS = {
    'pnet': {
        'conv1': (3, 3, 3, 10),
        'conv2': (3, 3, 10, 16),
        'conv3': (3, 3, 16, 32),
        'edges': (1, 1, 32, 4),
        'face': (1, 1, 32, 2),
    },
    'rnet': {
        'conv1': (3, 3, 3, 28),
        'conv2': (3, 3, 28, 48),
        'conv3': (2, 2, 48, 64),
        'dense': (576, 128),
        'edges': (128, 4),
        'face': (128, 2),
    },
    'onet': {
        'conv1': (3, 3, 3, 32),
        'conv2': (3, 3, 32, 64),
        'conv3': (3, 3, 64, 64),
        'conv4': (2, 2, 64, 128),
        'dense': (1152, 256),
        'edges': (256, 4),
        'points': (256, 10),
        'face': (256, 2),
    },
}
OUTPUTS = ('edges', 'points', 'face')
# sides of the max pools of stride 2 behind the first convolutions
POOLS = {'pnet': (2,), 'rnet': (3, 3), 'onet': (3, 3, 2)}
WINDOW, STRIDE = 12, 2  # of P-Net, in pixels of a picture of the pyramid
SHRINK = 0.709  # from one picture of the pyramid to the next: the square root of a half
# least scores of P-Net, R-Net and O-Net, and how much boxes may overlap; of the package mtcnn
LEAST_SCORES = (0.6, 0.7, 0.8)
OVERLAP_OF_ONE_SCALE, OVERLAP = 0.5, 0.7
# Of the shorter side of the frame: no smaller face is looked for. Windows of less than
# SMALLEST pixels hold no face that a crop could be made of.
LEAST_SHARE, SMALLEST = 0.1, 20
MOST_BYTES = 16_000_000  # of a file of weights: the networks have half a million


class Face(NamedTuple):
    """A face of a frame."""

    box: tuple[float, ...]  # x0, y0, x1, y1: edges in the frame
    score: float  # of O-Net, from 0 to 1
    points: np.ndarray  # float64[5, 2], (x, y) in pixels: eyes, nose, corners of the mouth


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight by name, in the order of the published files."""
    shapes = {}
    for network, layers in LAYERS.items():
        for layer, shape in layers.items():
            shapes[f'{network}/{layer}/kernel'] = shape
            shapes[f'{network}/{layer}/bias'] = shape[-1:]
            if layer not in OUTPUTS:
                shapes[f'{network}/{layer}/slope'] = shape[-1:]
    return shapes


def read_weights(path: str | os.PathLike) -> Tensors:
    """Weights of a .safetensors file by name, float32.

    Raises:
        UserError: the file is missing, unreadable or of another network.
    """
    return weights.of_file(
        path,
        _check,
        most_bytes=MOST_BYTES,
        missing='MTCNN weights file (.safetensors); make one with python -m contrib.mtcnn_weights',
    )


def _check(tensors, path):
    weights.check(tensors, weight_shapes(), source=path, network='MTCNN')


def eyes_by(path: str | os.PathLike) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what `face.find` takes as eyes_of.

    Args:
        path: of the weights; '': None, which stands for Haar.
    """
    return functools.partial(eyes, path=path) if path else None


def eyes(gray: np.ndarray, *, path: str | os.PathLike) -> np.ndarray:
    """Return the centres of the eyes of the largest face.

    Args:
        gray: frame uint8[H, W].
        path: of the weights, a .safetensors file.

    Returns:
        float64[2, 2], the subject's right eye first; float64[0, 2] where there is no face.

    Raises:
        UserError: the weights cannot be read, or are of another network.
    """
    detected = faces(gray, read_weights(path))
    if not detected:
        return np.zeros((0, 2))
    return max(detected, key=lambda face: face.box[2] - face.box[0]).points[:2]


def faces(gray: np.ndarray, tensors: Tensors) -> list[Face]:
    """Find the faces of a frame, of at least a tenth of its shorter side.

    Args:
        gray: frame uint8[H, W]; the networks see it as three equal colours.
        tensors: weights by name.

    Returns:
        Faces, the highest score first.
    """
    image = (np.asarray(gray, np.float32) - 127.5) / 128
    boxes = _proposals(tensors, image)
    for network, side, least in zip(('rnet', 'onet'), (24, 48), LEAST_SCORES[1:], strict=True):
        if not len(boxes):
            return []
        squares = _squares(boxes)
        outputs = forward(tensors, network, _patches(image, squares, side))
        kept = outputs['face'][:, 1] > least
        squares, outputs = squares[kept], {name: out[kept] for name, out in outputs.items()}
        boxes, scores = _moved(squares, outputs['edges']), outputs['face'][:, 1]
        # a small box inside of a large one is the same face, where nothing looks at it again
        order = suppress(boxes, scores, OVERLAP, of_smaller=network == 'onet')
        boxes = boxes[order]
    corner, size = squares[order, None, :2], squares[order, 2:] - squares[order, :2]
    # five times x, then five times y, as shares of the square; the first pixel's centre is 0
    points = outputs['points'][order].reshape(-1, 2, 5).transpose(0, 2, 1)
    points = corner + points * size[:, None] - 0.5
    return [
        Face(tuple(map(float, box)), float(score), five)
        for box, score, five in zip(boxes, scores[order], points, strict=True)
    ]


def _proposals(tensors, image):
    """float64[n, 4]: the boxes of P-Net in all pictures of the pyramid."""
    shorter = min(image.shape)
    scale = WINDOW / max(SMALLEST, LEAST_SHARE * shorter)
    boxes, scores = np.zeros((0, 4)), np.zeros(0)
    while scale * shorter >= WINDOW:
        height, width = (int(np.ceil(side * scale)) for side in image.shape)
        # INTER_AREA is the mean of all pixels, without which noise becomes texture
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        outputs = forward(tensors, 'pnet', _in_colour(small[None]))
        score = outputs['face'][0, ..., 1]
        row, column = np.nonzero(score > LEAST_SCORES[0])
        corner = np.stack([column, row], -1) * STRIDE
        windows = np.concatenate([corner, corner + WINDOW], -1) / (width, height, width, height)
        windows = windows * (*image.shape[::-1], *image.shape[::-1])
        moved = _moved(windows, outputs['edges'][0, row, column])
        order = suppress(moved, score[row, column], OVERLAP_OF_ONE_SCALE)
        boxes = np.concatenate([boxes, moved[order]])
        scores = np.concatenate([scores, score[row, column][order]])
        scale *= SHRINK
    return boxes[suppress(boxes, scores, OVERLAP)]


def _in_colour(gray):
    """float32[N, H, W] -> [N, H, W, 3], equal colours."""
    return np.repeat(gray[..., None], 3, -1)


def _moved(boxes, edges):
    """Boxes whose edges are moved by shares of their sides [n, 4]."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + edges * sides


def _squares(boxes):
    """Boxes, grown to squares about their centres."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    # networks that do not fit faces give empty boxes too
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True), 2) / 2
    return np.concatenate([centre - half, centre + half], 1)


def _patches(image, boxes, side):
    """float32[n, side, side, 3]: what squares hold; middle gray outside of the frame."""
    patches, most = [], -(-max(image.shape) // side)
    for x0, y0, x1, _ in boxes:
        # samples for each pixel and axis: with one alone, noise of 40 gray levels hides every face
        fine = int(np.clip(np.ceil((x1 - x0) / side), 1, most))
        scale = side * fine / (x1 - x0)
        corner = (0.5 - np.array([x0, y0])) * scale - 0.5
        matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
        sampled = cv2.warpAffine(image, matrix, (side * fine, side * fine), flags=cv2.INTER_LINEAR)
        patches.append(sampled.reshape(side, fine, side, fine).mean((1, 3)))
    return _in_colour(np.stack(patches))


def suppress(
    boxes: np.ndarray, scores: np.ndarray, most: float, *, of_smaller: bool = False
) -> np.ndarray:
    """Return which boxes are left by non-maximum suppression.

    Args:
        boxes: [n, 4], x0, y0, x1, y1.
        scores: [n].
        most: overlap with a box of a higher score that is left.
        of_smaller: the overlap is a share of the smaller box, else of the union.

    Returns:
        int64[m], indices, the highest score first; of equal scores the first box.
    """
    left, order = [], np.argsort(-scores, kind='stable')
    area = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    while len(order):
        best, others = order[0], order[1:]
        left.append(best)
        start = np.maximum(boxes[best, :2], boxes[others, :2])
        end = np.minimum(boxes[best, 2:], boxes[others, 2:])
        shared = np.prod(np.maximum(end - start, 0), 1)
        smaller = np.minimum(area[best], area[others])
        whole = smaller if of_smaller else area[best] + area[others] - shared
        order = others[shared <= most * whole]
    return np.array(left, np.int64)


def forward(tensors: Tensors, network: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of one network.

    Args:
        tensors: weights by name.
        network: a key of LAYERS.
        x: float32[N, H, W, 3]; of 'rnet' 24, of 'onet' 48 pixels a side.

    Returns:
        {'edges': [N, ..., 4], 'face': probabilities [N, ..., 2] of no face and a face; of 'onet'
        'points': [N, 10]}; of 'pnet' for every window, [N, H', W', ...].
    """
    pools, outputs = [*POOLS[network]], {}
    for layer, shape in LAYERS[network].items():
        kernel, bias = (tensors[f'{network}/{layer}/{name}'] for name in ('kernel', 'bias'))
        if layer == 'dense':
            x = x.transpose(0, 2, 1, 3).reshape(len(x), -1)
        y = (convolve(x, kernel) if len(shape) == 4 else x @ kernel) + bias
        if layer in OUTPUTS:
            outputs[layer] = y
            continue
        x = np.where(y > 0, y, y * tensors[f'{network}/{layer}/slope'])
        if pools:
            x = max_pool(x, pools.pop(0))
    largest = outputs['face'].max(-1, keepdims=True)
    exponential = np.exp(outputs['face'] - largest)
    outputs['face'] = exponential / exponential.sum(-1, keepdims=True)
    return outputs


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve images without padding, as one product over patches.

    Args:
        x: float32[N, H, W, in].
        kernel: [kh, kw, in, out].
    """
    windows = sliding_window_view(x, kernel.shape[:2], (1, 2))  # [N, H', W', in, kh, kw]
    rows = windows.reshape(-1, int(np.prod(kernel.shape[:3])))
    flat = kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[3])
    return (rows @ flat).reshape(*windows.shape[:3], -1)


def max_pool(x: np.ndarray, side: int) -> np.ndarray:
    """Max pool with stride 2; a window over the edge counts, as in Caffe.

    Args:
        x: float32[N, H, W, C].
        side: of a window.
    """
    over = [max(side - length, (side - length) % 2) for length in x.shape[1:3]]
    x = np.pad(x, [(0, 0), (0, over[0]), (0, over[1]), (0, 0)], constant_values=-np.inf)
    return sliding_window_view(x, (side, side), (1, 2))[:, ::2, ::2].max((-2, -1))
