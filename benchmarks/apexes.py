"""What knowing the apex is worth: UF1 of SVMs on the hybrid's handcrafted
numbers, leave one subject out.

The middle key frame is the apex, the middle of the clip, or the frame that moved most by an
estimator of flow. Drawn clips whose apexes lie as unevenly as CASME II's, the counts of
synthetic_faces, four classes.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402

import mer_jax as mj  # noqa: E402
from benchmarks import command_line  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.data import Record, images, labels  # noqa: E402
from mer_jax.evaluation import metrics, paired  # noqa: E402
from mer_jax.experiment import build  # noqa: E402
from mer_jax.experiment import settings as rules  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402

SETTINGS = rules.checked(mj.config('synthetic_hybrid:features=hand'))


def places(clip: clips.Clip, sought: Sequence[str]) -> dict[str, int]:
    """{how: index of the middle key frame}, counted from the onset; the estimators of `sought` look
    at every frame.
    """
    frames = clip.frames[clip.onset - clip.first_frame : clip.offset - clip.first_frame + 1]
    indices = {'known': clip.apex - clip.onset, 'middle': (clip.offset - clip.onset) // 2}
    return indices | {
        how: flow.strongest(frames[0], frames[1:], method=how, steady=True) + 1 for how in sought
    }


def seen(
    job: clips.Job, sought: Sequence[str], method: str
) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """{how: (image [H, W, C] and landmarks [68, 2] as a data set stores them, error of the key
    frame in frames)} of one clip.
    """
    clip = clips.render(job)
    first, last = (number - clip.first_frame for number in (clip.onset, clip.offset))
    between, inputs = partial(flow.flow_features, method=method), {}
    for how, place in places(clip, sought).items():
        key = clip.frames[[first, first + place, last]]
        record = {
            'key_frames': key,
            'flow': between(key[0], key[1]),
            'flow_offset': between(key[1], key[2]),
            'landmarks': clip.landmarks,
        }
        image = images.resize(images.phases(record), SETTINGS.data.size)
        inputs[how] = (
            image,
            images.points([record], 'phases', SETTINGS.data.size)[0],
            abs(clip.onset + place - clip.apex),
        )
    return inputs


def confusions(image: np.ndarray, points: np.ndarray, records: Sequence[Record]) -> np.ndarray:
    """int[S, 1, K, K] of leave one subject out, from images [N, H, W, C], landmarks [N, 68, 2] and
    labelled records.
    """
    data = mj.dataset(
        image,
        [record['class'] for record in records],
        [record['subject'] for record in records],
    )
    folds = mj.loso(data)
    experiment = build.Experiment(
        SETTINGS,
        data.content._replace(landmarks=points),
        folds.runs(1),
        [split.title for split in folds.splits],
    )
    scores = build.head_scores(experiment, None).scores
    return metrics.confusions(
        data.y,
        scores.argmax(-1),
        data.subject,
        groups=len(data.subjects),
        classes=len(data.classes),
    )[:, None]


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each way to the key frame, and its paired difference to the known apex."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--flow',
        choices=('tvl1', 'farneback', 'dis'),
        default='tvl1',
        help='that the features are made of',
    )
    parser.add_argument(
        '--sought', default='dis', help='estimators that look for the apex, comma between'
    )
    parser.add_argument('--clips', default='default', help='the plan of the drawn data set')
    parser.add_argument('--seed', type=int, default=0, help='of the drawn data set')
    flags = command_line.parse(parser, argv, clips='spotting_tiny', flow='dis')
    jobs = [job._replace(varied=True) for job in clips.jobs(flags.clips, seed=flags.seed)]
    records, _ = labels.labelled(
        [
            {
                'job': job,
                'clip': f's{job.number:02d}_{job.emotion}_{job.index:02d}',
                'subject': f's{job.number:02d}',
                'dataset': 'synthetic',
                'emotion': job.emotion,
            }
            for job in jobs
        ],
        SETTINGS.data.labels,
    )
    see = partial(seen, sought=flags.sought.split(','), method=flags.flow)
    inputs = Parallel(machine.cores(), prefer='threads')(
        delayed(see)(record['job']) for record in records
    )
    counts = {}
    for how in inputs[0]:
        image, points, error = (
            np.stack(each) for each in zip(*(ways[how] for ways in inputs), strict=True)
        )
        counts[how] = confusions(image, points, records)
        score = metrics.summary(counts[how].sum((0, 1)))
        print(
            f'{how:10} off by {error.mean():5.2f} frames: UF1 {score["uf1"]:.3f}, accuracy '
            f'{score["accuracy"]:.3f}',
            end='',
        )
        if how == 'known':
            print(f'; {len(records)} clips of {len(counts[how])} subjects, flow {flags.flow}')
            continue
        lost = paired.difference(counts['known'], counts[how])['uf1']
        print(
            '; UF1 {:+.3f} [{:+.3f}, {:+.3f}], p {:.3f}'.format(
                lost['difference'], *lost['interval'], lost['p']
            )
        )


if __name__ == '__main__':
    main()
