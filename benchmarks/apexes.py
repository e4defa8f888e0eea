"""What knowing the apex is worth: UF1 of support vector machines on the hybrid's handcrafted
numbers, leave one subject out.

The middle key frame is the apex, the middle of the clip, or the frame that moved most by an
estimator of flow. Drawn clips whose apexes lie as unevenly as CASME II's, the counts of
synthetic_faces, four classes.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402

from configs import synthetic_hybrid  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.data import (
    images,  # noqa: E402
    labels,  # noqa: E402
    loading,  # noqa: E402
)
from mer_jax.evaluation import (
    metrics,  # noqa: E402
    paired,  # noqa: E402
)
from mer_jax.experiment import build  # noqa: E402
from mer_jax.experiment import settings as rules  # noqa: E402
from mer_jax.folds import protocols  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402
from mer_jax.settings.sections import Protocol  # noqa: E402
from mer_jax.types import Names, Samples  # noqa: E402

SETTINGS = rules.checked(synthetic_hybrid.get_config('features=hand'))


def places(clip, sought):
    """{how: index of the middle key frame}, counted from the onset; the estimators of `sought` look
    at every frame.
    """
    frames = clip.frames[clip.onset - clip.first_frame : clip.offset - clip.first_frame + 1]
    found = {'known': clip.apex - clip.onset, 'middle': (clip.offset - clip.onset) // 2}
    return found | {
        how: flow.strongest(frames[0], frames[1:], method=how, steady=True) + 1 for how in sought
    }


def seen(job, sought, method):
    """{how: (image [H, W, C] and landmarks [68, 2] as a data set stores them, error of the key
    frame in frames)} of one clip.
    """
    clip = clips.render(job)
    first, last = (number - clip.first_frame for number in (clip.onset, clip.offset))
    between, found = partial(flow.flow_features, method=method), {}
    for how, place in places(clip, sought).items():
        key = clip.frames[[first, first + place, last]]
        record = {
            'key_frames': key,
            'flow': between(key[0], key[1]),
            'flow_offset': between(key[1], key[2]),
            'landmarks': clip.landmarks,
        }
        image = images.resize(images.phases(record), SETTINGS.data.size)
        found[how] = (
            image,
            images.points([record], 'phases', SETTINGS.data.size)[0],
            abs(clip.onset + place - clip.apex),
        )
    return found


def confusions(image, points, kept):
    """int[S, 1, K, K] of leave one subject out, from images [N, H, W, C], landmarks [N, 68, 2] and
    labelled records.
    """
    subjects, datasets, own = loading.subject_ids(kept)
    names = Names(
        labels.classes(SETTINGS.data.labels, datasets),
        subjects,
        datasets,
        tuple(r['clip'] for r in kept),
        (),
    )
    label, row = (
        np.array([names.classes.index(r['class']) for r in kept], np.int32),
        np.arange(len(kept), dtype=np.int32),
    )
    samples = Samples(
        image,
        label,
        **own,
        clip=row,
    )
    folds, _ = protocols.make(samples, names, Protocol(), seeds=1)
    loaded = loading.Data(samples, names, [], '', SETTINGS.data.labels, (), landmarks=points)
    scores, _ = build.svm_scores(SETTINGS, loaded, folds, None)
    return metrics.confusions(
        label, scores.argmax(-1), own['subject'], groups=len(subjects), classes=len(names.classes)
    )[:, None]


def main():
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
    parser.add_argument('--seed', type=int, default=0, help='of the drawn data set')
    chosen = parser.parse_args()
    jobs = [job._replace(varied=True) for job in clips.jobs('default', seed=chosen.seed)]
    kept, _ = labels.labelled(
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
    see = partial(seen, sought=chosen.sought.split(','), method=chosen.flow)
    found = Parallel(machine.cores(), prefer='threads')(
        delayed(see)(record['job']) for record in kept
    )
    cubes = {}
    for how in found[0]:
        image, points, error = (
            np.stack(each) for each in zip(*(one[how] for one in found), strict=True)
        )
        cubes[how] = confusions(image, points, kept)
        score = metrics.summary(cubes[how].sum((0, 1)))
        print(
            f'{how:10} off by {error.mean():5.2f} frames: UF1 {score["uf1"]:.3f}, accuracy '
            f'{score["accuracy"]:.3f}',
            end='',
        )
        if how == 'known':
            print(f'; {len(kept)} clips of {len(cubes[how])} subjects, flow {chosen.flow}')
            continue
        lost = paired.difference(cubes['known'], cubes[how])['uf1']
        print(
            '; UF1 {:+.3f} [{:+.3f}, {:+.3f}], p {:.3f}'.format(
                lost['difference'], *lost['interval'], lost['p']
            )
        )


if __name__ == '__main__':
    main()
