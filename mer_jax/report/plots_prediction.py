"""Pictures of the page of the verb predict: motion over time, flow on a face."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_jax.report import alt_texts, arrows
from mer_jax.report.style import COLOURS, EDGE, SOFT, light_grid, ramp, saved
from mer_jax.runfiles.prediction_file import CANDIDATE, NOTHING, ClipAnswer, MotionCurve

SIDE = 384  # pixels of a drawn face
STEP = 6  # pixels of a 128-pixel face between arrows
LENGTHEN = 8  # by which an arrow is longer than the movement
ARROW = (0, 84, 147)  # RGB
SHORTEST = 0.15  # pixels of a 128-pixel face; a shorter movement has no arrow


def motion(path: str | Path, curve: MotionCurve, clips: Sequence[ClipAnswer]) -> str:
    """Draw the motion of a recording over time, the noise floor, and the candidates.

    Args:
        path: of the picture.
        curve: the motion.
        clips: of the recording; those without times are left out.

    Returns:
        What is seen, in words.
    """
    seconds = np.array(curve.ms) / 1000
    with saved(path, 3.1) as figure:
        axes = figure.subplots()
        axes.plot(seconds, curve.motion, color=COLOURS[0], linewidth=1.1, zorder=3, label='motion')
        if curve.noise_floor is not None:
            look = {'color': SOFT, 'linestyle': '--', 'linewidth': 1.1}
            axes.axhline(curve.noise_floor, label='noise floor', **look)
            look = {'color': COLOURS[3], 'linestyle': '-.', 'linewidth': 1.1}
            axes.axhline(CANDIDATE * curve.noise_floor, label='candidates above', **look)
        for number, clip in enumerate(clips, 1):
            _mark(axes, clip, number, several=len(clips) > 1)
        axes.set(xlabel='seconds', ylabel='motion of face regions', ylim=(0, None))
        axes.margins(x=0.01)
        light_grid(axes)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(unique.values(), unique, loc='outside lower center', ncols=2)
    return alt_texts.motion_curve(curve, clips)


def _mark(axes, clip, number, *, several):
    """Mark a candidate: a band from onset to offset, a line at the apex."""
    frames = (clip.onset, clip.apex, clip.offset)
    if any(frame is None or frame.ms is None for frame in frames):
        return
    onset, apex, offset = (frame.ms / 1000 for frame in frames)
    below = clip.outcome == NOTHING
    colour = EDGE if below else COLOURS[1]
    label = 'below the noise floor' if below else 'candidate, onset to offset'
    axes.axvspan(onset, offset, color=colour, alpha=0.3, linewidth=0, label=label)
    axes.axvline(apex, color=COLOURS[5], linewidth=1.2, linestyle=':', label='apex')
    if several:
        place = {'xy': (apex, 1), 'xycoords': ('data', 'axes fraction')}
        axes.annotate(f'#{number}', ha='center', va='bottom', **place)


def flow(face: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Draw a flow as arrows on a face.

    Args:
        face: uint8[S, S], the onset frame.
        field: [S, S, 2] (right, down) in pixels, without the motion of the head.

    Returns:
        uint8[SIDE, SIDE, 3] RGB.
    """
    scale = SIDE / len(face)
    gray = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    drawn = np.repeat((gray // 2 + 100)[..., None], 3, -1)  # pale, so that arrows stand out
    step = max(round(STEP * len(face) / 128), 1)
    for point, move in zip(*arrows.means(field, step), strict=True):
        if np.hypot(*move) * 128 / len(face) >= SHORTEST:
            arrows.draw(drawn, point * scale, move * scale * LENGTHEN, ARROW)
    return drawn


def with_bar(picture: np.ndarray) -> np.ndarray:
    """Add the colours of a map below a picture, from little to much.

    Args:
        picture: uint8[S, S, 3] RGB with a map over a face.

    Returns:
        uint8[T, S, 3], T > S.
    """
    side = len(picture)
    height = side // 8
    bar = np.full((height, side, 3), 255, np.uint8)
    colours = cv2.resize(np.uint8(255 * ramp())[None], (side, height // 2))
    bar[height // 4 : height // 4 + height // 2] = colours
    return np.concatenate([picture, bar])
