"""Dense optical flow, its strain and magnitude, and the likely apex."""

import functools
from collections.abc import Iterable

import cv2
import numpy as np

from mer_jax.errors import UserError


def tvl1(
    first: np.ndarray,
    second: np.ndarray,
    *,
    scale_step: float = 0.5,
    lambda_: float = 0.15,
    warps: int = 5,
) -> np.ndarray:
    """TV-L1 flow of two frames.

    OpenCV's DualTVL1 with its defaults, but scale step 0.5 as in the reference implementation.
    Source: Zach, Pock, Bischof 2007; Sanchez, Meinhardt-Llopis, Facciolo 2013 (IPOL).

    Args:
        first, second: 8-bit gray [H, W], onset first.
        scale_step: size of a pyramid level relative to the finer one.
        lambda_: weight of the data term.
        warps: per level.

    Returns:
        float32[H, W, 2] (u right, v down, pixels): pixel x of `first` is at x + flow(x) in
        `second`.

    Raises:
        UserError: other types or unequal shapes.
    """
    first, second = _frames(first, second)
    if not hasattr(cv2, 'optflow'):
        raise UserError(
            f'flow: OpenCV {cv2.__version__} lacks TV-L1; install '
            'opencv-contrib-python-headless>=4.10,<5'
        )
    estimator = cv2.optflow.DualTVL1OpticalFlow_create(
        lambda_=lambda_, warps=warps, scaleStep=scale_step
    )
    return estimator.calc(first, second, None)


# parameters of OpenCV's example
_FARNEBACK = {
    'pyr_scale': 0.5,
    'levels': 3,
    'winsize': 15,
    'iterations': 3,
    'poly_n': 5,
    'poly_sigma': 1.2,
    'flags': 0,
}


def farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """As tvl1, by polynomial expansion. Source: Farneback 2003."""
    first, second = _frames(first, second)
    return cv2.calcOpticalFlowFarneback(first, second, None, **_FARNEBACK)


def dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """As tvl1, by OpenCV's dense inverse search, preset 'medium'. Source: Kroeger et al. 2016."""
    first, second = _frames(first, second)
    if min(first.shape) < 16:
        raise UserError(
            f'flow: frames are {list(first.shape)}; dense inverse search needs at least 16 '
            'pixels a side'
        )
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)


METHODS = {'tvl1': tvl1, 'farneback': farneback, 'dis': dis}


def estimate(
    first: np.ndarray, second: np.ndarray, *, method: str = 'tvl1', **options: float
) -> np.ndarray:
    """Flow of two 8-bit gray frames by one of METHODS.

    Args:
        first, second: uint8[H, W], onset first.
        method: a key of METHODS.
        options: keyword arguments of that method.

    Returns:
        float32[H, W, 2], as tvl1.
    """
    if method not in METHODS:
        raise UserError(f'flow method is {method!r}; known: {", ".join(METHODS)}')
    return METHODS[method](first, second, **options)


def _frames(first, second):
    """Both frames contiguous, or UserError.

    OpenCV would scale floats by 255 and fail on colour in several lines.
    """
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    for name, frame in (('first', first), ('second', second)):
        if frame.dtype != np.uint8 or frame.ndim != 2 or not frame.size:
            raise UserError(
                f'flow: {name} frame is {frame.dtype}{list(frame.shape)}; needs 8-bit gray, '
                'uint8[H, W]'
            )
    if first.shape != second.shape:
        raise UserError(
            f'flow: first frame is {list(first.shape)}, second {list(second.shape)}; needs equal '
            'shapes'
        )
    return first, second


def strain(flow: np.ndarray, *, form: str = 'tensor') -> np.ndarray:
    """Optical strain of a flow, in one of three forms.

    'tensor': sqrt(exx^2 + eyy^2 + 2 exy^2), exy = (du/dy + dv/dx) / 2, by central differences; the
    border is reflected (without repeating the edge), so the difference across it is 0. Source:
    Shreve et al. 2009; Liong et al. 2014. 'meb': as in the code of Varanka et al. 2024
    (tvaranka/meb): Sobel sums (8 x the slope), zeros outside, rows as x, sqrt(ux^2 + vy^2 + (uy^2 +
    vx^2) / 2), which loses the cross term: a rotation has strain there. 'samer': as in the code of
    Ruan et al. 2022: u and v each stretched to a range of 4096, backward differences that wrap
    round the image, the result stretched to whole numbers 0..255.

    Args:
        flow: [H, W, 2].
        form: 'tensor', 'meb' or 'samer'.

    Returns:
        float32[H, W].

    Raises:
        UserError: another shape or form.
    """
    flow = _field(flow, 'strain')
    if form not in _STRAINS:
        raise UserError(f'strain form is {form!r}; known: {", ".join(_STRAINS)}')
    return _STRAINS[form](flow)


def _tensor(flow):
    padded = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode='reflect')
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    return _norm(across, down)


def _norm(across, down):
    """Return the norm of the strain: sqrt(exx^2 + eyy^2 + 2 exy^2).

    Its arguments are d/dx and d/dy of (u, v).
    """
    normal = across[..., 0] ** 2 + down[..., 1] ** 2
    return np.sqrt(normal + (down[..., 0] + across[..., 1]) ** 2 / 2)


def _meb(flow):
    sobel = functools.partial(cv2.Sobel, ksize=3, borderType=cv2.BORDER_CONSTANT)
    along_rows = sobel(flow, cv2.CV_32F, 0, 1)
    along_columns = sobel(flow, cv2.CV_32F, 1, 0)
    normal = along_rows[..., 0] ** 2 + along_columns[..., 1] ** 2
    return np.sqrt(normal + (along_columns[..., 0] ** 2 + along_rows[..., 1] ** 2) / 2)


def _samer(flow):
    low, high = flow.min((0, 1)), flow.max((0, 1))
    wide = 4096 * (flow - low) / (high - low + np.float32(1e-8))
    across = wide - np.roll(wide, 1, axis=1)
    down = wide - np.roll(wide, 1, axis=0)
    return _bytes(_norm(across, down)).astype(np.float32)


_STRAINS = {'tensor': _tensor, 'meb': _meb, 'samer': _samer}


def magnitude(flow: np.ndarray) -> np.ndarray:
    """Return the lengths of the vectors of a flow, float32[H, W]."""
    return np.sqrt(np.sum(_field(flow, 'magnitude') ** 2, axis=-1))


def samer_magnitude(flow: np.ndarray, *, threshold: float = 1.5) -> np.ndarray:
    """Magnitude as an image, without small motion.

    Source: the code of Ruan et al., ACM MM 2022; their paper names no threshold.

    Args:
        flow: [H, W, 2].
        threshold: pixels below this multiple of the image's mean become 0; 0 keeps every pixel.

    Returns:
        uint8[H, W], stretched to 0..255 before the threshold.
    """
    image = _bytes(magnitude(flow))
    return np.where(image < threshold * image.mean(), 0, image).astype(np.uint8)


def without_head(flow: np.ndarray) -> np.ndarray:
    """Flow without the motion of the head.

    Each field less its best affine part (least squares): a shift, turn, nod or approach of the head
    is nearly affine over the face; an expression moves only some of the face.

    Args:
        flow: [..., H, W, 2].

    Returns:
        float32[..., H, W, 2].
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim < 3 or flow.shape[-1] != 2:
        raise UserError(f'without_head: flow has shape {list(flow.shape)}; needs [..., H, W, 2]')
    height, width, components = flow.shape[-3:]
    basis = _affine(height, width)
    flat = flow.reshape(-1, height * width, components)
    head = np.einsum('pb,qb,tqc->tpc', basis, basis, flat, optimize=True)
    return (flat - head).reshape(flow.shape)


def strongest(
    onset: np.ndarray,
    frames: Iterable[np.ndarray],
    *,
    method: str = 'tvl1',
    steady: bool = False,
) -> int:
    """Return the frame that moved most from the onset frame.

    By mean flow magnitude; the first of equal ones. Stands in for an apex that nobody annotated.

    Args:
        onset: uint8[H, W].
        frames: such frames.
        method: of the flow, a key of METHODS.
        steady: without the head's motion (without_head); a head that drifts shifts the result to
            the end of the clip.

    Raises:
        UserError: no frame.
    """
    motions = []
    for frame in frames:
        field = estimate(onset, frame, method=method)
        if steady:
            field = without_head(field)
        motions.append(magnitude(field).mean())
    return _largest(motions)


APEX_SIDE = 128  # pixels: larger frames are shrunk before an apex is looked for
FINE, AROUND = 1.0, 2.0  # pixels: standard deviations of the blurs of `texture`
EDGE = 16  # the outermost 1/16 of an image does not count: a moving head brings new skin in there


def texture(image: np.ndarray) -> np.ndarray:
    """Return how well the flow of each pixel can be measured, 0 to 1.

    The squared slope of the brightness around a pixel, t, as t / (t + median): where an image is
    smooth, flow is a guess from its neighbours; above the median more slope says little more.

    Args:
        image: uint8[H, W].

    Returns:
        float32[H, W]; all 1 where more than half of the pixels have no slope around them.
    """
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), FINE)
    squares = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(smooth, cv2.CV_32F, 0, 1) ** 2
    slope = cv2.GaussianBlur(squares, (0, 0), AROUND)
    usual = np.median(slope)
    return slope / (slope + usual) if usual > 0 else np.ones_like(slope)


def apex(onset: np.ndarray, frames: Iterable[np.ndarray]) -> int:
    """Return the frame in which the face has moved most from the onset frame.

    Stands in for an apex that nobody annotated. The head's motion is the affine field that fits
    the flow best. Each frame is drawn back by it, and the face's motion is what moved then, again
    without its best affine part. In both fits, and in the mean length of what is left, pixels
    count by their texture. Flow is that of dense inverse search, for a fortieth of TV-L1's time.
    benchmarks/README.md has how near it is to the truth of drawn faces.

    Args:
        onset: uint8[H, W].
        frames: such frames.

    Returns:
        Its index; the first of equal ones.

    Raises:
        UserError: no frame, or frames with a side below 16 pixels after they are shrunk.
    """
    onset = _shrunk(onset)
    basis = _affine(*onset.shape)
    weight = _without_edge(texture(onset))
    weighted = basis * weight.reshape(-1, 1)
    fit = np.linalg.solve(weighted.T @ basis, weighted.T)  # flow -> its best affine part
    here = np.stack(np.meshgrid(*map(np.arange, onset.shape[::-1])), -1).astype(np.float32)
    motions = []
    for frame in map(_shrunk, frames):
        head = _head(dis(onset, frame), basis, fit)
        back = cv2.remap(
            frame, here + head, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        left = dis(onset, back)
        left -= _head(left, basis, fit)
        motions.append((magnitude(left) * weight).mean())
    return _largest(motions)


def _without_edge(weight):
    """The weights, 0 along the edge."""
    rows, columns = weight.shape
    height, width = rows // EDGE, columns // EDGE
    middle = np.s_[height : rows - height, width : columns - width]
    inside = np.zeros_like(weight)
    inside[middle] = weight[middle]
    return inside


def _head(flow, basis, fit):
    """The affine part of a flow [H, W, 2]."""
    return (basis @ (fit @ flow.reshape(-1, 2))).reshape(flow.shape)


def _affine(height, width):
    """Orthonormal columns [H * W, 3] that span the affine functions of a pixel's place."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    columns = np.stack([np.ones_like(x), x, y], -1).reshape(-1, 3)
    return np.linalg.qr(columns)[0].astype(np.float32)


def _shrunk(frame):
    """The frame, APEX_SIDE pixels along its longer side at most."""
    frame = np.asarray(frame)
    scale = APEX_SIDE / max(frame.shape[:2])
    if scale >= 1:
        return frame
    height, width = (max(round(scale * side), 1) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def _largest(motions):
    """Index of the largest, the first of equal ones; UserError without any."""
    if not motions:
        raise UserError('flow: no frame to look for an apex in; needs at least one after the onset')
    return int(np.argmax(motions))


def resize_flow(flow: np.ndarray, size: int) -> np.ndarray:
    """Flow of the resized image.

    The mean over each new pixel where it shrinks, else bilinear.

    Args:
        flow: [H, W, 2].
        size: new side in pixels.

    Returns:
        float32[size, size, 2], u times size / W, v times size / H.
    """
    flow = _field(flow, 'resize_flow')
    height, width, _ = flow.shape
    interpolation = cv2.INTER_AREA if size < max(height, width) else cv2.INTER_LINEAR
    resized = cv2.resize(flow, (size, size), interpolation=interpolation)
    return resized * np.float32((size / width, size / height))


def flow_features(
    first: np.ndarray,
    second: np.ndarray,
    *,
    method: str = 'tvl1',
    form: str = 'tensor',
    **options: float,
) -> np.ndarray:
    """Flow and strain of two 8-bit gray frames.

    Args:
        first, second: uint8[H, W], onset first.
        method: of the flow, a key of METHODS.
        form: of the strain.
        options: keyword arguments of the method.

    Returns:
        float32[H, W, 3], channels u, v (pixels) and strain.
    """
    flow = estimate(first, second, method=method, **options)
    return np.concatenate([flow, strain(flow, form=form)[..., None]], axis=-1)


def _field(flow, name):
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[-1] != 2:
        raise UserError(f'{name}: flow has shape {list(flow.shape)}; needs [H, W, 2]')
    return flow


def _bytes(image):
    """Stretch an image to 0..255, and cut it to whole numbers.

    A constant image becomes 0.
    """
    low, high = image.min(), image.max()
    return np.clip((image - low) / (high - low + np.float32(1e-8)) * 255, 0, 255).astype(np.uint8)
