"""Dense optical flow between onset and apex, its strain and magnitude, and the frame of strongest
motion.
"""

import cv2
import numpy as np

from mer_jax.errors import UserError


def tvl1(first, second, *, scale_step=0.5, lambda_=0.15, warps=5):
    """TV-L1 flow float32[H, W, 2] (u right, v down, pixels): pixel x of `first` is found at x +
    flow(x) in `second`.

    first, second: 8-bit gray [H, W], onset first. OpenCV's DualTVL1 with its defaults, but scale
    step 0.5 as in the reference implementation. Raises UserError on other types or unequal shapes.
    Source: Zach, Pock, Bischof 2007; Sanchez, Meinhardt-Llopis, Facciolo 2013 (IPOL).
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


def farneback(first, second):
    """As tvl1, by polynomial expansion with the parameters of OpenCV's own example. Source:
    Farneback 2003.
    """
    first, second = _frames(first, second)
    return cv2.calcOpticalFlowFarneback(
        first,
        second,
        None,
        pyr_scale=0.5,
        levels=3,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )


def dis(first, second):
    """As tvl1, by OpenCV's dense inverse search, preset 'medium'. Source: Kroeger et al. 2016."""
    first, second = _frames(first, second)
    if min(first.shape) < 16:
        raise UserError(
            f'flow: frames are {list(first.shape)}; dense inverse search needs at least 16 '
            'pixels a side'
        )
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)


METHODS = {'tvl1': tvl1, 'farneback': farneback, 'dis': dis}


def estimate(first, second, *, method='tvl1', **options):
    """Flow float32[H, W, 2] of two 8-bit gray frames by one of METHODS; options are that method's
    own.
    """
    if method not in METHODS:
        raise UserError(f'flow method is {method!r}; known: {", ".join(METHODS)}')
    return METHODS[method](first, second, **options)


def _frames(first, second):
    """Both frames contiguous, or UserError: OpenCV would scale floats by 255 and fail on colour in
    several lines.
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


def strain(flow, *, form='tensor'):
    """Optical strain float32[H, W] of flow [H, W, 2] in one of three forms. Raises UserError on
    another shape or form.

    'tensor': sqrt(exx^2 + eyy^2 + 2 exy^2), exy = (du/dy + dv/dx) / 2, by central differences; the
    border is reflected (without repeating the edge), so the difference across it is 0. Source:
    Shreve et al. 2009; Liong et al. 2014. 'meb': as in the code of Varanka et al. 2024
    (tvaranka/meb): Sobel sums (8 x the slope), zeros outside, rows as x, sqrt(ux^2 + vy^2 + (uy^2 +
    vx^2) / 2), which loses the cross term: a rotation has strain there. 'samer': as in the code of
    Ruan et al. 2022: u and v each stretched to a range of 4096, backward differences that wrap
    round the image, the result stretched to whole numbers 0..255.
    """
    flow = _field(flow, 'strain')
    if form not in _STRAINS:
        raise UserError(f'strain form is {form!r}; known: {", ".join(_STRAINS)}')
    return _STRAINS[form](flow)


def _tensor(flow):
    padded = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode='reflect')
    return _norm(
        (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    )


def _norm(across, down):
    """sqrt(exx^2 + eyy^2 + 2 exy^2) from d/dx and d/dy of (u, v)."""
    return np.sqrt(
        across[..., 0] ** 2 + down[..., 1] ** 2 + (down[..., 0] + across[..., 1]) ** 2 / 2
    )


def _meb(flow):
    along_rows, along_columns = (
        cv2.Sobel(flow, cv2.CV_32F, dx, dy, ksize=3, borderType=cv2.BORDER_CONSTANT)
        for dx, dy in ((0, 1), (1, 0))
    )
    normal = along_rows[..., 0] ** 2 + along_columns[..., 1] ** 2
    return np.sqrt(normal + (along_columns[..., 0] ** 2 + along_rows[..., 1] ** 2) / 2)


def _samer(flow):
    low, high = flow.min((0, 1)), flow.max((0, 1))
    wide = 4096 * (flow - low) / (high - low + np.float32(1e-8))
    return _bytes(_norm(wide - np.roll(wide, 1, axis=1), wide - np.roll(wide, 1, axis=0))).astype(
        np.float32
    )


_STRAINS = {'tensor': _tensor, 'meb': _meb, 'samer': _samer}


def magnitude(flow):
    """Length float32[H, W] of every vector of a flow [H, W, 2], in pixels."""
    return np.sqrt(np.sum(_field(flow, 'magnitude') ** 2, axis=-1))


def samer_magnitude(flow, *, threshold=1.5):
    """Magnitude as an image uint8[H, W]: stretched to 0..255, then 0 where below `threshold` x the
    mean of the image.

    threshold 0 keeps every pixel. Source: the code of Ruan et al., ACM MM 2022; their paper names
    no threshold.
    """
    image = _bytes(magnitude(flow))
    return np.where(image < threshold * image.mean(), 0, image).astype(np.uint8)


def without_head(flow):
    """Flow [..., H, W, 2], each field less its best affine part (least squares), float32: what the
    face did, not the head.

    A shift, turn, nod or approach of the head is nearly affine over the face; an expression moves
    parts of it.
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim < 3 or flow.shape[-1] != 2:
        raise UserError(f'without_head: flow has shape {list(flow.shape)}; needs [..., H, W, 2]')
    height, width, parts = flow.shape[-3:]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.linalg.qr(np.stack([np.ones_like(x), x, y], -1).reshape(-1, 3))[0].astype(np.float32)
    flat = flow.reshape(-1, height * width, parts)
    return (flat - np.einsum('pb,qb,tqc->tpc', basis, basis, flat, optimize=True)).reshape(
        flow.shape
    )


def strongest(onset, frames, *, method='tvl1', steady=False):
    """Index of the frame that moved most from the onset frame, by mean flow magnitude; the first of
    equal ones.

    onset uint8[H, W], frames any iterable of such. Stands in for an apex that nobody annotated; a
    head that drifts shifts it to the end of the clip, which `steady` prevents by without_head.
    Raises UserError where there is no frame.
    """
    part = without_head if steady else np.asarray
    moved = [magnitude(part(estimate(onset, frame, method=method))).mean() for frame in frames]
    if not moved:
        raise UserError('flow: no frame to look for an apex in; needs at least one after the onset')
    return int(np.argmax(moved))


def resize_flow(flow, size):
    """Flow float32[size, size, 2] of the resized image: [H, W, 2] resized, u times size / W, v
    times size / H.

    The mean over each new pixel where it shrinks, else bilinear.
    """
    flow = _field(flow, 'resize_flow')
    height, width, _ = flow.shape
    way = cv2.INTER_AREA if size < max(height, width) else cv2.INTER_LINEAR
    return cv2.resize(flow, (size, size), interpolation=way) * np.float32(
        (size / width, size / height)
    )


def flow_features(first, second, *, method='tvl1', form='tensor', **options):
    """Flow and strain of two 8-bit gray frames: float32[H, W, 3], channels u, v (pixels) and strain
    of this form.
    """
    flow = estimate(first, second, method=method, **options)
    return np.concatenate([flow, strain(flow, form=form)[..., None]], axis=-1)


def _field(flow, name):
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[-1] != 2:
        raise UserError(f'{name}: flow has shape {list(flow.shape)}; needs [H, W, 2]')
    return flow


def _bytes(image):
    """An image stretched to 0..255 and cut to whole numbers; 0 throughout where it is constant."""
    low, high = image.min(), image.max()
    return np.clip((image - low) / (high - low + np.float32(1e-8)) * 255, 0, 255).astype(np.uint8)
