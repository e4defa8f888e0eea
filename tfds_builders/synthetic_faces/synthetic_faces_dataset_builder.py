"""synthetic_faces: drawn faces with micro-expressions, whose motion is known exactly."""

from functools import partial

import numpy as np
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.preprocess import flow, magnify
from mer_jax.preprocess.synthetic import clips
from mer_jax.preprocess.synthetic.emotions import EMOTIONS
from mer_jax.preprocess.synthetic.identity import SIZE
from mer_jax.preprocess.synthetic.plans import NOT_DRAWN, PLANS, VARIED
from tfds_builders import base, inputs, schema, workers

SEED = 0
DRAWING = (
    'brush',
    'clips',
    'drawing',
    'emotions',
    'identity',
    'landmarks',
    'motion',
    'muscles',
    'plans',
    'relief',
)
# output motion / input motion; 6, as published, would tear faces that move by up to 3 of 128 pixels
ALPHA = 3.0
SUMMARIES = {
    'default': "246 clips of 26 subjects, CASME II's counts",
    'three': 'those 147 clips of default that have a class among three',
    'magnified': 'the clips of default; image shows the flow to the magnified apex instead of to '
    'the apex',
    'large': '984 clips of 104 subjects, the counts of default four times over',
    'small': '120 clips of 12 subjects, without others',
    'tiny': '30 clips of 5 subjects, built in seconds',
    'spotting': "155 clips of 15 subjects, apexes as uneven as CASME II's, with the flow from "
    'the onset to every frame',
    'spotting_tiny': 'the same of 11 clips of 5 subjects, built in seconds',
}


RECOGNITION = {
    'image': schema.tensor((SIZE, SIZE, 3), np.uint8),
    'frames': schema.tensor((None, SIZE, SIZE), np.uint8),
    'flow_offset': schema.tensor((SIZE, SIZE, 3), np.float32),
}
# fields of a drawn clip that are stored as they are
ANNOTATION = (
    'clip',
    'subject',
    'emotion',
    'action_units',
    'first_frame',
    'onset',
    'apex',
    'offset',
    'fps',
)
SPOTTING = {**inputs.FEATURES['spotting'], 'moved': schema.tensor((None,), np.float32)}


class Builder(base.ClipBuilder):
    """Renders its clips instead of reading files; `flow` is measured on the rendered frames, not
    the truth.
    """

    VERSION = tfds.core.Version('2.0.0')
    CODE = (
        'tfds_builders.inputs',
        *(f'mer_jax.preprocess.{name}' for name in ('flow', 'magnify', 'pyramid')),
        *(f'mer_jax.preprocess.synthetic.{name}' for name in DRAWING),
    )
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=name, description=text) for name, text in SUMMARIES.items()
    ]
    progress = True

    def _info(self):
        return self.clip_info(
            schema.clip_features(
                EMOTIONS,
                flow=schema.tensor((SIZE, SIZE, 3), np.float32),
                first_frame=np.int32,
                key_frames=schema.tensor((3, SIZE, SIZE), np.uint8),
                landmarks=schema.tensor((3, 68, 2), np.float32),
                displacement=schema.tensor((SIZE, SIZE, 2), np.float32),
                **(SPOTTING if self._plan() in VARIED else RECOGNITION),
            )
        )

    def settings(self) -> dict:
        """Seed, plan and how the apex is magnified."""
        drawn = {'seed': SEED, 'clips': PLANS[self._plan()], 'alpha': ALPHA}
        left_out = NOT_DRAWN.get(self._plan())
        return {**drawn, 'not drawn': left_out} if left_out else drawn

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        # By index: clips that are rendered at once are of different subjects, so no face is drawn
        # twice.
        jobs = sorted(clips.jobs(self._plan(), seed=SEED), key=lambda job: job.index)
        kind = 'spotting' if self._plan() in VARIED else self.builder_config.name
        make = partial(example, kind=kind)
        title = f'{self.name}/{self.builder_config.name}'
        for record in workers.threaded(
            make, jobs, cores=machine.cores(), title=title, progress=self.progress
        ):
            yield record['clip'], record

    def _plan(self):
        return 'default' if self.builder_config.name == 'magnified' else self.builder_config.name


def example(job: clips.Job, *, kind: str) -> dict:
    """The record of one drawn clip.

    Args:
      job: what to draw.
      kind: 'spotting': with flows of every frame; 'magnified': the flow of `image` goes to the
        magnified apex, not to the apex; any other: a clip for recognition.
    """
    clip = clips.render(job)
    key_numbers = (clip.onset, clip.apex, clip.offset)
    onset, apex, offset = (clip.frames[number - clip.first_frame] for number in key_numbers)
    measured = flow.flow_features(onset, apex)
    if kind == 'spotting':
        arrays = {'moved': clip.moved, **_flows(clip)}
    else:
        to_magnified = kind == 'magnified'
        arrays = {
            'image': _image(onset, apex, offset, measured[..., :2], to_magnified=to_magnified),
            'frames': clip.frames,
            'flow_offset': flow.flow_features(apex, offset),
        }
    return schema.example(
        **{name: getattr(clip, name) for name in ANNOTATION},
        dataset='synthetic',
        action_units_known=True,
        apex_source='truth',
        flow=measured,
        key_frames=np.stack([onset, apex, offset]),
        landmarks=clip.landmarks,
        displacement=clip.displacement,
        **arrays,
    )


def _flows(clip):
    """As of a release's `spotting`, but by Farneback's estimator: TV-L1 takes 25 times as long."""
    onset = clip.frames[clip.onset - clip.first_frame]
    numbers = range(clip.onset + 1, clip.offset + 1)
    flows = []
    for number in numbers:
        field = flow.farneback(onset, clip.frames[number - clip.first_frame])
        flows.append(flow.resize_flow(field, inputs.SPOTTING))
    return {'flows': np.stack(flows).astype(np.float16), 'flow_frames': np.array(numbers, np.int32)}


def _image(onset, apex, offset, moved, *, to_magnified):
    """uint8 [SIZE, SIZE, 3] as of a release's `samer`: magnified apex, and flow magnitudes from
    onset and offset to the target.
    """
    magnified = magnify.magnify(onset, apex, method='phase', alpha=ALPHA)
    target = magnified if to_magnified else apex
    from_onset = flow.estimate(onset, target) if to_magnified else moved
    from_offset = flow.estimate(offset, target)
    magnitudes = map(flow.samer_magnitude, (from_onset, from_offset))
    return np.stack([magnified, *magnitudes], -1)
