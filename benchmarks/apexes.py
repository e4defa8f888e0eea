"""What knowing the apex is worth: UF1 of support vector machines on the hybrid's handcrafted numbers, leave one subject out.

The middle key frame is the apex, the middle of the clip, or the frame that moved most by an estimator of flow. Drawn clips
whose apexes lie as unevenly as CASME II's, the counts of synthetic_faces, four classes.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402

from configs import synthetic_hybrid  # noqa: E402
from mer_jax import features, heads, labels, machine, metrics, paired, pictures  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402

CONFIG = synthetic_hybrid.get_config('features=hand')
NAMES = CONFIG.head.features.split('+')


def places(clip, sought):
    """{how: index of the middle key frame}, counted from the onset; the estimators of `sought` look at every frame."""
    frames = clip.frames[clip.onset - clip.first_frame:clip.offset - clip.first_frame + 1]
    found = {'known': clip.apex - clip.onset, 'middle': (clip.offset - clip.onset) // 2}
    return found | {how: flow.strongest(frames[0], frames[1:], method=how, steady=True) + 1 for how in sought}


def described(job, sought, method):
    """{how: (numbers [D] of each of NAMES, error of the key frame in frames)} of one drawn clip."""
    clip = clips.render(job)
    first, last = (number - clip.first_frame for number in (clip.onset, clip.offset))
    found = {}
    for how, place in places(clip, sought).items():
        key = clip.frames[[first, first + place, last]]
        record = {'key_frames': key, 'landmarks': clip.landmarks, 'flow': flow.flow_features(key[0], key[1], method=method),
                  'flow_offset': flow.flow_features(key[1], key[2], method=method)}
        image = pictures.resize(pictures.phases(record), CONFIG.data.size)
        blocks = features.extract(NAMES, image[None], pictures.points([record], 'phases', CONFIG.data.size),
                                  channels=list(pictures.CHANNELS['phases']), mirror=False)
        found[how] = [block[0, 0] for block in blocks], abs(clip.onset + place - clip.apex)
    return found


def confusions(blocks, label, subject):
    """int[S, 1, K, K] of leave one subject out."""
    classes, everyone = label.max() + 1, np.unique(subject)
    predicted = np.zeros_like(label)
    for one in everyone:
        train, test = np.flatnonzero(subject != one), np.flatnonzero(subject == one)
        scores, _ = heads.decided(
            blocks, label, subject, train, test, classes=classes, seed=0, kernel=CONFIG.head.kernel, scale=CONFIG.head.scale,
            costs=heads.numbers(CONFIG.head.cost), gammas=heads.numbers(CONFIG.head.gamma), inner=CONFIG.head.inner, best=1)
        predicted[test] = scores.argmax(1)
    group = np.searchsorted(everyone, subject)
    return metrics.confusions(label, predicted, group, groups=len(everyone), classes=classes)[:, None]


def main():
    """Print a line for each way to the key frame, and its paired difference to the known apex."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--flow', choices=('tvl1', 'farneback', 'dis'), default='tvl1', help='that the features are made of')
    parser.add_argument('--sought', default='dis', help='estimators that look for the apex, comma between')
    parser.add_argument('--seed', type=int, default=0, help='of the drawn data set')
    chosen = parser.parse_args()
    scheme = labels.SCHEMES['four']['synthetic']
    classes = sorted(name for name in scheme if name != labels.DROPPED)
    emotions = {emotion: classes.index(name) for name in classes for emotion in scheme[name].split()}
    jobs = [job._replace(varied=True) for job in clips.jobs('default', seed=chosen.seed) if job.emotion in emotions]
    label, subject = (np.array(each) for each in zip(*((emotions[job.emotion], job.number) for job in jobs), strict=True))
    describe = partial(described, sought=chosen.sought.split(','), method=chosen.flow)
    found = Parallel(machine.cores(), prefer='threads')(map(delayed(describe), jobs))
    cubes = {}
    for how in found[0]:
        blocks = [np.stack(block)[None] for block in zip(*(one[how][0] for one in found), strict=True)]
        cubes[how] = confusions(blocks, label, subject)
        error = np.mean([one[how][1] for one in found])
        score = metrics.summary(cubes[how].sum((0, 1)))
        print(f'{how:10} off by {error:5.2f} frames: UF1 {score["uf1"]:.3f}, accuracy {score["accuracy"]:.3f}', end='')
        if how == 'known':
            print(f'; {len(jobs)} clips of {len(set(subject))} subjects, flow {chosen.flow}')
            continue
        lost = paired.difference(cubes['known'], cubes[how])['uf1']
        print('; UF1 {:+.3f} [{:+.3f}, {:+.3f}], p {:.3f}'.format(lost['difference'], *lost['interval'], lost['p']))


if __name__ == '__main__':
    main()
