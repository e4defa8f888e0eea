"""How far motion magnification can be trusted: its output motion against alpha times the true one,
on drawn faces.

The truth is the same face drawn with alpha times the displacement. Output motion is measured by
TV-L1 flow from the onset, along the true field and relative to what TV-L1 finds in the truth; 1.0
is right. PSNR compares with the noise-free truth.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

from benchmarks import command_line  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.magnify import METHODS, RANGES, TOLERANCE, magnify  # noqa: E402
from mer_jax.preprocess.synthetic import clips, motion, muscles  # noqa: E402

MARGIN = 12  # pixels: what moves in over the edge of the picture is in no frame
UNITS = ((1, 1, 1), (2, 1, 1), (12, 1, 1))  # brows up, corners of the mouth out and up


def scene(
    number: int, kind: str, output: float, *, alpha: float, noise: float
) -> tuple[np.ndarray, ...]:
    """Onset, apex, truth uint8[128, 128] with camera noise, truth float without, its field
    float[128, 128, 2] (pixels).

    number: which drawn person. kind: 'head' shifts the whole picture, 'face' moves brows and mouth.
    output: largest motion of the truth in pixels, at most 9 for 'face' (or skin would fold over
    itself); the apex has output / alpha.
    """
    person, draw = clips.person(7, number), np.random.default_rng((number, round(1000 * output)))
    field, pose = np.zeros((*motion.pixels().shape[:2], 2)), np.zeros((3, 3))
    if kind == 'head':
        angle = draw.uniform(0, 2 * np.pi)
        shift = output * np.array([np.cos(angle), np.sin(angle)])
        pose[1:, :2] = shift / alpha, shift
    else:
        field = muscles.displacement(muscles.pushes(person.points, UNITS), motion.pixels())
        field *= output / alpha / np.linalg.norm(field, axis=-1).max()
    frames = motion.film(person.drawing, field, (0, 1, alpha), pose, (0, 0))
    seen = np.clip(np.rint(frames + noise * draw.standard_normal(frames.shape)), 0, 255).astype(
        np.uint8
    )
    return (
        *seen,
        frames[2],
        motion.apply_pose(motion.pixels() + alpha * field, pose[2]) - motion.pixels(),
    )


def along(onset: np.ndarray, frame: np.ndarray, field: np.ndarray) -> float:
    """TV-L1 motion from onset to frame over `field` [H, W, 2], where that is at least 0.3 of its
    largest.
    """
    inner = (slice(MARGIN, -MARGIN),) * 2
    field, moved = field[inner], flow.tvl1(onset, frame)[inner]
    far = np.linalg.norm(field, axis=-1)
    field, moved = field[far > 0.3 * far.max()], moved[far > 0.3 * far.max()]
    return float((moved * field).sum() / (field**2).sum())


def psnr(frame: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB for 8-bit pictures, without the margin."""
    error = (frame.astype(np.float64) - truth)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def measure(
    method: str, kind: str, output: float, *, alpha: float, noise: float = 1.5, people: int = 3
) -> tuple[float, ...]:
    """(output motion / wanted motion, PSNR), means over drawn people."""
    rows = []
    for number in range(1, people + 1):
        onset, apex, noisy, truth, field = scene(number, kind, output, alpha=alpha, noise=noise)
        result = magnify(onset, apex, method=method, alpha=alpha)
        rows.append((along(onset, result, field) / along(onset, noisy, field), psnr(result, truth)))
    return tuple(np.mean(rows, 0))


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each output motion, then milliseconds a frame."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--alpha', type=float, default=6.0)
    parser.add_argument('--noise', type=float, default=1.5, help='camera noise in gray levels')
    parser.add_argument('--people', type=int, default=6)
    parser.add_argument('--outputs', default='0.6,1,1.5,2,3,4,6,8', help='output motions in pixels')
    parser.add_argument('--rounds', type=int, default=5, help='timings of a frame')
    flags = command_line.parse(parser, argv, people=1, outputs='2', rounds=1)
    for method in ('eulerian', 'phase'):
        print(f'{method}: stated range {RANGES[method]:g} px, tolerance {TOLERANCE:g}')
        for output in map(float, flags.outputs.split(',')):
            measured = [
                measure(
                    method,
                    kind,
                    output,
                    alpha=flags.alpha,
                    noise=flags.noise,
                    people=flags.people,
                )
                for kind in ('head', 'face')
            ]
            words = ', '.join(
                f'{kind} {gain:.2f} ({quality:.1f} dB)'
                for kind, (gain, quality) in zip(('head', 'face'), measured, strict=True)
            )
            print(f'  output {output:4.1f} px: motion / wanted {words}', flush=True)
    frames = np.random.default_rng(0).integers(0, 256, (2, 224, 224)).astype(np.uint8)
    for method in METHODS:
        milliseconds = []
        for _ in range(flags.rounds):
            start = time.perf_counter()
            magnify(*frames, method=method, alpha=flags.alpha)
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(f'{method}: {statistics.median(milliseconds):.0f} ms for 224x224')


if __name__ == '__main__':
    main()
