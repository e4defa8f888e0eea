"""Dense optical flow between onset and apex, and the optical strain of that flow."""

import cv2
import numpy as np

from mer_jax.errors import UserError


def tvl1(first, second, *, scale_step=0.5, lambda_=0.15, warps=5):
    """TV-L1 flow float32[H, W, 2] (u right, v down, pixels): pixel x of `first` is found at x + flow(x) in `second`.

    first, second: 8-bit gray [H, W], onset first. OpenCV's DualTVL1 with its defaults, but scale step 0.5 as in the
    reference implementation. Raises UserError on other types or unequal shapes.
    Source: Zach, Pock, Bischof 2007; Sanchez, Meinhardt-Llopis, Facciolo 2013 (IPOL).
    """
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    for name, frame in (('first', first), ('second', second)):
        if frame.dtype != np.uint8 or frame.ndim != 2:
            raise UserError(f'flow: {name} frame is {frame.dtype}{list(frame.shape)}; needs 8-bit gray, uint8[H, W]')
    if first.shape != second.shape:
        raise UserError(f'flow: first frame is {list(first.shape)}, second {list(second.shape)}; needs equal shapes')
    if not hasattr(cv2, 'optflow'):
        raise UserError(f'flow: OpenCV {cv2.__version__} lacks TV-L1; install opencv-contrib-python-headless>=4.10,<5')
    estimator = cv2.optflow.DualTVL1OpticalFlow_create(lambda_=lambda_, warps=warps, scaleStep=scale_step)
    return estimator.calc(first, second, None)


def strain(flow):
    """Optical strain float32[H, W] of flow [H, W, 2]: sqrt(exx^2 + eyy^2 + 2 exy^2), exy = (du/dy + dv/dx) / 2.

    Central differences; the border is reflected (without repeating the edge), so the difference across it is 0.
    Source: Shreve et al. 2009; Liong et al. 2014. Raises UserError on another shape.
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[-1] != 2:
        raise UserError(f'strain: flow has shape {list(flow.shape)}; needs [H, W, 2]')
    padded = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode='reflect')
    across = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    shear = (down[..., 0] + across[..., 1]) / 2
    return np.sqrt(across[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)


def flow_features(first, second, *, scale_step=0.5):
    """Flow and strain of two 8-bit gray frames: float32[H, W, 3], channels u, v (pixels) and strain."""
    flow = tvl1(first, second, scale_step=scale_step)
    return np.concatenate([flow, strain(flow)[..., None]], axis=-1)
