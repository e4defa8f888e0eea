"""The one feature dictionary that every data set of this project shares, one record a clip."""

import numpy as np
import tensorflow_datasets as tfds

APEX_SOURCES = ('annotated', 'estimated', 'correction', 'unknown', 'truth')  # 'truth': synthetic clips only

# What stands where a data set does not say; a builder writes {**UNKNOWN, 'clip': ..., 'subject': ..., ...}.
UNKNOWN = {
    'action_units': '',
    'action_units_known': False,
    'onset': -1,
    'apex': -1,
    'offset': -1,
    'apex_source': 'unknown',
    'fps': 0.0,
}


def clip_features(*, flow, dtype, **extra):
    """Features of one clip: the shared ones, `flow` of shape `flow` with channels (u, v, strain), and `extra` appended.

    clip (unique in the data set), subject, dataset, emotion (as annotated), action_units ('6+12'; '' none) and
    apex_source (one of APEX_SOURCES) are Text; action_units_known tells 'none' from 'not coded'; onset, apex and
    offset are frame numbers, -1 unknown; fps is 0 where unknown. An `extra` that repeats a shared name is a TypeError.
    """
    text = tfds.features.Text
    shared = {
        'clip': text(),
        'subject': text(),
        'dataset': text(),
        'emotion': text(),
        'action_units': text(),
        'action_units_known': np.bool_,
        'onset': np.int32,
        'apex': np.int32,
        'offset': np.int32,
        'apex_source': text(),
        'fps': np.float32,
        'flow': tfds.features.Tensor(shape=flow, dtype=dtype, encoding='zlib'),
    }
    return tfds.features.FeaturesDict(dict(**shared, **extra))
