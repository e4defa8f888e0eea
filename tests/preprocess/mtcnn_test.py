"""The face detector MTCNN: its networks against twins in PyTorch, its geometry with networks that
see bright squares.
"""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import face, mtcnn
from tests.preprocess.face_test import eyes_of, scene

SQUARE = (150, 60, 230, 140)  # x0, y0, x1, y1 of a bright square in a dark frame
# where the test's O-Net puts its points, as shares of the box: x of all five, then y
POINTS = np.array([0.3, 0.7, 0.5, 0.35, 0.65, 0.4, 0.45, 0.6, 0.8, 0.8], np.float32)


def random_weights(seed=0):
    """Weights of the right shapes; slopes between 0 and .5."""
    draw, tensors = np.random.default_rng(seed), {}
    for name, shape in mtcnn.weight_shapes().items():
        scale = np.sqrt(2 / np.prod(shape[:-1])) if name.endswith('kernel') else 0.2
        values = draw.normal(0, scale, shape)
        tensors[name] = (abs(values) if name.endswith('slope') else values).astype(np.float32)
    return tensors


def twin(torch, network):
    """{output: PyTorch module} of one network of the paper, as its Caffe files define it."""
    nn = torch.nn

    def conv(inputs, outputs, side, pool=0):
        layers = [nn.Conv2d(inputs, outputs, side), nn.PReLU(outputs)]
        return [*layers, nn.MaxPool2d(pool, 2, ceil_mode=True)] if pool else layers

    if network == 'pnet':
        trunk = [*conv(3, 10, 3, 2), *conv(10, 16, 3), *conv(16, 32, 3)]
        return nn.Sequential(*trunk), {'edges': nn.Conv2d(32, 4, 1), 'face': nn.Conv2d(32, 2, 1)}
    if network == 'rnet':
        trunk = [*conv(3, 28, 3, 3), *conv(28, 48, 3, 3), *conv(48, 64, 2)]
        width, sizes = 128, {'edges': 4, 'face': 2}
    else:
        trunk = [*conv(3, 32, 3, 3), *conv(32, 64, 3, 3), *conv(64, 64, 3, 2), *conv(64, 128, 2)]
        width, sizes = 256, {'edges': 4, 'points': 10, 'face': 2}
    dense = [nn.LazyLinear(width), nn.PReLU(width)]
    trunk = nn.Sequential(*trunk, Transposed(torch), nn.Flatten(), *dense)
    return trunk, {name: nn.Linear(width, size) for name, size in sizes.items()}


def Transposed(torch):  # noqa: N802, a module
    """[N, C, H, W] -> [N, W, H, C]: Caffe's MATLAB interface showed the networks turned images."""

    class Module(torch.nn.Module):
        def forward(self, x):
            return x.permute(0, 3, 2, 1)

    return Module()


def fill(torch, module, kernel, bias):
    if module is not None:
        axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        module.weight = torch.nn.Parameter(torch.from_numpy(kernel.transpose(axes).copy()))
        module.bias = torch.nn.Parameter(torch.from_numpy(bias))


@pytest.mark.parametrize(
    'network, shape', [('pnet', (1, 31, 40)), ('rnet', (3, 24, 24)), ('onet', (2, 48, 48))]
)
def test_a_network_is_that_of_the_paper(network, shape):
    """A pool that drops the last row, or rows before columns, would see faces nowhere."""
    torch = pytest.importorskip('torch')
    tensors = random_weights()
    trunk, heads = twin(torch, network)
    x = np.random.default_rng(1).normal(0, 1, (*shape, 3)).astype(np.float32)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    trunk(images)  # gives the lazy layer its shape
    learned = [layer for layer in trunk if getattr(layer, 'weight', None) is not None]
    names = [name for name in mtcnn.LAYERS[network] if name not in mtcnn.OUTPUTS]
    for name, layer, prelu in zip(names, learned[::2], learned[1::2], strict=True):
        fill(torch, layer, *(tensors[f'{network}/{name}/{part}'] for part in ('kernel', 'bias')))
        prelu.weight = torch.nn.Parameter(torch.from_numpy(tensors[f'{network}/{name}/slope']))
    outputs = mtcnn.forward(tensors, network, x)
    assert set(outputs) == set(heads)
    with torch.no_grad():
        code = trunk(images)
        for name, head in heads.items():
            fill(torch, head, *(tensors[f'{network}/{name}/{part}'] for part in ('kernel', 'bias')))
            expected = head(code)
            if name == 'face':
                expected = torch.softmax(expected, 1)
            expected = np.moveaxis(expected.numpy(), 1, -1)
            np.testing.assert_allclose(outputs[name], expected, rtol=1e-4, atol=1e-4)


def test_suppression_is_that_of_opencv():
    """Twice the same face, or one face of two left, would be a warning of several faces."""
    draw = np.random.default_rng(2)
    corner = draw.uniform(0, 60, (80, 2))
    boxes = np.concatenate([corner, corner + draw.uniform(10, 50, (80, 2))], 1)
    scores = draw.uniform(0.1, 1, 80)
    sizes = np.concatenate([corner, boxes[:, 2:] - corner], 1)
    expected = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, 0.5)
    np.testing.assert_array_equal(mtcnn.suppress(boxes, scores, 0.5), expected)
    inside = np.array([[0, 0, 100, 100], [40, 40, 60, 60.0]])
    assert len(mtcnn.suppress(inside, np.array([0.9, 0.8]), 0.7)) == 2
    assert len(mtcnn.suppress(inside, np.array([0.9, 0.8]), 0.7, of_smaller=True)) == 1


def sees_squares(tensors, network, x):
    """As mtcnn.forward: a window is a face where it is bright inside and dark at its border."""
    if network == 'pnet':
        windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (12, 12), (1, 2))
        windows = windows[:, ::2, ::2]
    else:
        windows = x[..., 0]
    side = windows.shape[-1]
    depth = side // 12
    inner = windows[..., 2 * depth : -2 * depth, 2 * depth : -2 * depth].mean((-2, -1))
    border = (
        np.concatenate([windows[..., :depth, :], windows[..., -depth:, :]], -2).mean((-2, -1)) / 2
        + np.concatenate([windows[..., :, :depth], windows[..., :, -depth:]], -1).mean((-2, -1)) / 2
    )
    score = np.clip(inner - border, 0, 1)
    outputs = {'face': np.stack([1 - score, score], -1), 'edges': np.zeros((*score.shape, 4))}
    if network == 'onet':
        outputs['points'] = np.tile(POINTS, (len(x), 1))
    return outputs


def test_boxes_and_points_are_where_the_networks_see_them(monkeypatch):
    """x for y, or a scale of the pyramid left out, would cut the crop beside the face."""
    frame = np.full((200, 320), 64, np.uint8)
    x0, y0, x1, y1 = SQUARE
    frame[y0:y1, x0:x1] = 255
    monkeypatch.setattr(mtcnn, 'forward', sees_squares)
    best = mtcnn.faces(frame, {})[0]
    left, top, right, bottom = best.box
    # P-Net's windows of this size are 18 pixels apart, and the test's networks move no edges
    assert np.abs(np.array([left + right - x0 - x1, top + bottom - y0 - y1]) / 2).max() < 10
    assert 80 < right - left < 130 and right - left == pytest.approx(bottom - top)
    shares = (best.points + 0.5 - (left, top)) / (right - left)
    np.testing.assert_allclose(shares, POINTS.reshape(2, 5).T, atol=1e-6)
    assert not mtcnn.faces(np.full((200, 320), 64, np.uint8), {})
    assert not mtcnn.faces(frame[:10, :10], {})  # smaller than any window


def test_a_face_is_cut_by_the_eyes_of_another_detector():
    """A detector that finds no face must not end in a crop of Haar's, which it replaces."""
    frame, points = scene(3, angle=30)
    crop = face.find(frame, size=128, cropped=False, eyes_of=lambda gray: eyes_of(points))
    assert crop.how == 'detector'
    in_crop = eyes_of(face.transform(crop.matrix, points))
    np.testing.assert_allclose(in_crop, face.EYES_AT * 128 - 0.5, atol=1e-9)
    frame, _ = scene(2)
    none = face.find(frame, size=128, cropped=False, eyes_of=lambda gray: np.zeros((0, 2)))
    assert none.how == 'whole frame'
    assert face.find(frame, size=128, cropped=False).how == 'haar and eyes'


def test_random_networks_break_nothing():
    """Weights that fit no faces give boxes of any size, empty ones among them."""
    frame = np.random.default_rng(4).integers(0, 256, (90, 70), dtype=np.uint8)
    for seed in range(3):
        for each in mtcnn.faces(frame, random_weights(seed)):
            assert len(each.box) == 4 and each.points.shape == (5, 2)


@pytest.mark.parametrize(
    'change, words',
    [
        (lambda tensors: tensors.pop('onet/points/bias'), 'onet/points/bias is missing'),
        (lambda tensors: tensors.update(x=np.zeros(2, np.float32)), 'layer x [2] is unknown'),
        (lambda tensors: tensors['pnet/conv1/bias'].fill(np.nan), 'NaN'),
    ],
)
def test_weights_of_another_network_are_named(change, words, tmp_path):
    """A build of hours would end in a traceback, or in crops of nothing."""
    from safetensors.numpy import save_file

    tensors = random_weights()
    change(tensors)
    path = tmp_path / 'w.safetensors'
    save_file(tensors, path)
    with pytest.raises(UserError, match='does not fit MTCNN') as error:
        mtcnn.read_weights(path)
    assert words in str(error.value)
    with pytest.raises(UserError, match='contrib.mtcnn_weights'):
        mtcnn.read_weights(tmp_path / 'none.safetensors')
