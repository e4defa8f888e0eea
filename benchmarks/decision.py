"""Milliseconds from the frames of one clip to the hybrid's decision, step by step, after
start-up.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

from benchmarks import command_line  # noqa: E402
from mer_jax import models  # noqa: E402
from mer_jax.classical import features  # noqa: E402
from mer_jax.data import channels, images  # noqa: E402
from mer_jax.preprocess import face, flow, landmarks  # noqa: E402
from tests.support.fake_raw import pictures as drawn  # noqa: E402

# of the network's input; training clips and classes of CASME II in document 000
SIZE, CLIPS, CLASSES = 64, 146, 4
NUMBERS = ['au_strain', 'bands']

Predict = Callable[[np.ndarray], np.ndarray]  # image -> 128 features
Decide = Callable[[np.ndarray], np.integer]  # 216 features -> class


def clip(length: int) -> np.ndarray:
    """uint8[T, 480, 640] of a face that moves once."""
    middle = length // 2 + 1
    strengths = [drawn.strength(frame, 1, middle, length) for frame in range(1, length + 1)]
    return np.stack(
        [
            drawn.moving_face(0, (480, 640), emotion='surprise', strength=strength, channels=1)
            for strength in strengths
        ]
    )


def trained(channels: int) -> tuple[Predict, Decide]:
    """The network untrained and an SVM on noise, as slow as trained ones."""
    model = models.make('hybrid_cnn', classes=CLASSES, lowering='native')
    image = np.zeros((1, SIZE, SIZE, channels), np.float32)
    state = jax.jit(partial(model.init, train=False))(jax.random.key(0), image)
    predict = jax.jit(lambda image: model.apply(state, image, train=False)[1]['features'])
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(CLIPS, 216))
    svm = SVC(C=100, gamma=0.001, class_weight='balanced').fit(
        noise, draw.integers(CLASSES, size=CLIPS)
    )
    return lambda image: np.asarray(predict(image[None]))[0], lambda row: svm.predict(row[None])[0]


def decided(
    frames: np.ndarray, predict: Predict, decide: Decide, *, method: str, apex: str
) -> dict[str, float]:
    """{step: seconds} of one clip; apex: 'known' (the middle stands in), or the estimator by which
    every frame is looked at.
    """
    steps, start = {}, time.perf_counter()

    def done(name: str) -> None:
        nonlocal start
        now = time.perf_counter()
        steps[name], start = now - start, now

    crop = face.find(frames[0], size=images.FACE, cropped=False)
    cut = partial(face.cut, crop=crop)
    onset, offset = cut(frames[0]), cut(frames[-1])
    done('crop')
    points = landmarks.locate(onset[None], source='template', crop=crop)[0]
    done('landmarks')
    at = (
        len(frames) // 2
        if apex == 'known'
        else flow.strongest(onset, map(cut, frames[1:]), method=apex, steady=True) + 1
    )
    key = np.stack([onset, cut(frames[at]), offset])
    done('apex')
    between = partial(flow.flow_features, method=method)
    record = {
        'key_frames': key,
        'flow': between(key[0], key[1]),
        'flow_offset': between(key[1], key[2]),
        'landmarks': points[None],
    }
    done('flow')
    image = images.resize(images.phases(record), SIZE)
    handcrafted = [
        block[0, 0]
        for block in features.extract(
            NUMBERS,
            image[None],
            images.points([record], 'phases', SIZE),
            channels=list(channels.CHANNELS['phases']),
            mirror=False,
        )
    ]
    done('features')
    hidden = predict(image)
    done('network')
    decide(np.concatenate([hidden, *handcrafted]))
    done('SVM')
    return steps


def main(argv: Sequence[str] | None = None) -> None:
    """Print the milliseconds of every step and their sum: the median clip of `--rounds`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=int, default=200)
    parser.add_argument('--flow', choices=('tvl1', 'farneback', 'dis'), default='tvl1')
    parser.add_argument(
        '--apex',
        choices=('known', 'dis', 'farneback'),
        default='known',
        help='known, or sought in every frame',
    )
    parser.add_argument('--rounds', type=int, default=11)
    flags = command_line.parse(parser, argv, frames=9, flow='dis', rounds=1)
    frames, (predict, decide) = clip(flags.frames), trained(len(channels.CHANNELS['phases']))
    run = partial(decided, frames, predict, decide, method=flags.flow, apex=flags.apex)
    run()
    rounds = [run() for _ in range(flags.rounds)]
    median = {name: 1000 * statistics.median(steps[name] for steps in rounds) for name in rounds[0]}
    total = 1000 * statistics.median(sum(steps.values()) for steps in rounds)
    print(
        f'{flags.frames} frames of 640x480, flow {flags.flow}, apex {flags.apex}: '
        f'{total:.0f} ms; ' + ', '.join(f'{name} {value:.0f}' for name, value in median.items())
    )


if __name__ == '__main__':
    main()
