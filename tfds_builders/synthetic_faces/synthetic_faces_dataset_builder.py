"""synthetic_faces: drawn faces with micro-expressions: frames, landmarks, measured flow and the exact motion."""

import numpy as np
import tensorflow_datasets as tfds

from mer_jax.preprocess import flow
from mer_jax.preprocess.synthetic import clips
from mer_jax.preprocess.synthetic.identity import SIZE
from mer_jax.preprocess.synthetic.plans import PLANS
from tfds_builders import base, schema

SEED = 0
DRAWING = ('brush', 'clips', 'drawing', 'emotions', 'identity', 'landmarks', 'motion', 'muscles', 'plans', 'relief')
SUMMARIES = {
    'default': "246 clips of 26 subjects, CASME II's counts",
    'tiny': '30 clips of 5 subjects, built in seconds',
}


class Builder(base.ClipBuilder):
    """Renders its clips instead of reading files; `flow` is measured on the rendered frames, not the truth."""

    VERSION = tfds.core.Version('1.0.0')
    CODE = ('mer_jax.preprocess.flow', *(f'mer_jax.preprocess.synthetic.{name}' for name in DRAWING))
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name, description=text) for name, text in SUMMARIES.items()]

    def _info(self):
        return self.clip_info(
            schema.clip_features(
                flow=schema.tensor((SIZE, SIZE, 3), np.float32),
                first_frame=np.int32,
                frames=schema.tensor((None, SIZE, SIZE), np.uint8),
                key_frames=schema.tensor((3, SIZE, SIZE), np.uint8),
                landmarks=schema.tensor((3, 68, 2), np.float32),
                displacement=schema.tensor((SIZE, SIZE, 2), np.float32),
            )
        )

    def settings(self):
        """Seed and plan."""
        return {'seed': SEED, 'clips': PLANS[self.builder_config.name]}

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        for clip in clips.clips(self.builder_config.name, seed=SEED):
            yield clip.clip, _example(clip)


def _example(clip):
    """The record of one Clip."""
    key_frames = clip.frames[
        [clip.onset - clip.first_frame, clip.apex - clip.first_frame, clip.offset - clip.first_frame]
    ]
    stored = ('clip', 'subject', 'emotion', 'action_units', 'first_frame', 'onset', 'apex', 'offset')
    return schema.example(
        **{name: getattr(clip, name) for name in stored},
        dataset='synthetic',
        action_units_known=True,
        apex_source='truth',
        fps=clips.FPS,
        flow=flow.flow_features(key_frames[0], key_frames[1]),
        frames=clip.frames,
        key_frames=key_frames,
        landmarks=clip.landmarks,
        displacement=clip.displacement,
    )
