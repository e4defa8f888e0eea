"""How often Haar and MTCNN find the eyes of turned, dim, noisy and far faces: drawn ones, and
scikit-image's photograph of an astronaut where that is installed.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks import command_line  # noqa: E402
from mer_jax.preprocess import face, mtcnn  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402
from tests.support import photograph  # noqa: E402

SEED = 1  # of the drawn persons; how MTCNN samples its boxes was chosen on those of 0
RIGHT = 0.25  # most mean error of the eyes, as a share of their distance
SIZE = 128


class Scene(NamedTuple):
    """A frame with one face."""

    gray: np.ndarray  # uint8[H, W]
    eyes: np.ndarray  # float64[2, 2], the subject's right eye first


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row for each change of the frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--persons', type=int, default=30, help='drawn faces')
    parser.add_argument('--detector', default='', help='weights of MTCNN; without them: Haar alone')
    flags = command_line.parse(parser, argv, persons=1)
    drawn = [_drawn(number) for number in range(1, flags.persons + 1)]
    groups = {'drawn': drawn, 'photograph': _photographs()}
    detectors = {'Haar': ''} | ({'MTCNN': flags.detector} if flags.detector else {})
    seconds = dict.fromkeys(detectors, 0.0)
    names = [f'{group}, {name}' for group in groups for name in detectors if groups[group]]
    print('| faces |', ' | '.join(names), '|')
    print('|---|' + '---|' * len(names))
    changes = list(_changes())[: 2 if flags.quick else None]
    for title, change in changes:
        cells = []
        for scenes in filter(None, groups.values()):
            changed = [change(scene) for scene in scenes]
            for name, path in detectors.items():
                start = time.process_time()
                crops = [_crop(scene.gray, path) for scene in changed]
                seconds[name] += time.process_time() - start
                cells.append(_judged(changed, crops))
        print(f'| {title} |', ' | '.join(cells), '|', flush=True)
    count = len(changes) * sum(map(len, groups.values()))
    for name, total in seconds.items():
        print(f'{name}: {1000 * total / count:.0f} ms of a processor a frame')


def _crop(gray, path):
    return face.find(gray, size=SIZE, cropped=False, eyes_of=mtcnn.eyes_by(path))


def _judged(scenes, crops):
    """'right of all; wrong: a crop at another place'."""
    right = wrong = 0
    for scene, crop in zip(scenes, crops, strict=True):
        if crop.how == 'whole frame':
            continue
        back = cv2.invertAffineTransform(crop.matrix)
        eyes = face.transform(back, face.EYES_AT * SIZE - 0.5)
        apart = np.linalg.norm(scene.eyes[1] - scene.eyes[0])
        error = np.linalg.norm(eyes - scene.eyes, axis=1).mean() / apart
        right, wrong = right + (error < RIGHT), wrong + (error >= RIGHT)
    return f'{right} of {len(scenes)}' + (f', {wrong} wrong' if wrong else '')


def _drawn(number):
    """A drawn face of about 200 pixels in a frame of 512x480."""
    clip = clips.make(SEED, number, 0, 'surprise', clips.person(SEED, number))
    matrix = np.array([[1.6, 0, 150.0], [0, 1.6, 120.0]])
    wall = np.random.default_rng(number).normal(90, 3, (480, 512))
    gray = np.clip(wall, 0, 255).astype(np.uint8)
    options = {'flags': cv2.INTER_CUBIC, 'borderMode': cv2.BORDER_TRANSPARENT}
    cv2.warpAffine(clip.frames[0], matrix, (512, 480), dst=gray, **options)
    points = face.transform(matrix, clip.landmarks[0].astype(np.float64))
    return Scene(gray, np.stack([points[36:42].mean(0), points[42:48].mean(0)]))


def _photographs():
    try:
        return [Scene(photograph.photograph(), photograph.EYES)]
    except ImportError:
        return []


def _changes() -> Iterator:
    """Yield (title, how a scene is changed)."""
    for degrees in (0, 10, 20, 30, 40):
        yield f'turned by {degrees} degrees', lambda scene, d=degrees: _turned(scene, d)
    for light in (0.5, 0.25, 0.125, 0.06):
        yield f'light x {light:g}', lambda scene, share=light: _lit(scene, share, 0)
    for noise in (20, 40):
        yield f'noise of {noise} gray levels', lambda scene, sigma=noise: _lit(scene, 1, sigma)
    for share in (0.5, 0.25):
        yield f'size x {share:g}, same frame', lambda scene, s=share: _far(scene, s)


def _turned(scene, degrees):
    """Turned in the plane about the face, clockwise."""
    centre = scene.eyes.mean(0) + (0, 20)
    matrix = cv2.getRotationMatrix2D(tuple(map(float, centre)), -degrees, 1)
    size = scene.gray.shape[::-1]
    options = {'flags': cv2.INTER_CUBIC, 'borderMode': cv2.BORDER_REFLECT}
    return Scene(
        cv2.warpAffine(scene.gray, matrix, size, **options), face.transform(matrix, scene.eyes)
    )


def _lit(scene, light, noise):
    values = light * scene.gray + np.random.default_rng(0).normal(0, noise, scene.gray.shape)
    return scene._replace(gray=np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _far(scene, share):
    """The whole picture smaller, on a gray wall of the same size."""
    small = cv2.resize(scene.gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    gray = np.full_like(scene.gray, 100)
    gray[: small.shape[0], : small.shape[1]] = small
    return Scene(gray, (scene.eyes + 0.5) * share - 0.5)


if __name__ == '__main__':
    main()
