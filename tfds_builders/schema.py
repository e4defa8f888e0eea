"""The one feature dictionary that every data set of this project shares, one record a clip."""

from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from mer_jax.preprocess import action_units

# 'truth': synthetic clips only
APEX_SOURCES = ('annotated', 'estimated', 'correction', 'unknown', 'truth')

# What stands where a data set does not say.
UNKNOWN = {
    'action_units': '',
    'action_units_known': False,
    'onset': -1,
    'apex': -1,
    'offset': -1,
    'apex_source': 'unknown',
    'fps': 0.0,
    'kind': 'micro',
    'edition': '',
}


def clip_features(
    emotions: Sequence[str], **arrays: tfds.features.FeatureConnector | type
) -> tfds.features.FeaturesDict:
    """Features of one clip: the shared ones and `arrays` (name=feature).

    Text: clip (unique in the data set), subject, dataset, action_units ('6+12' as annotated; ''
    none), apex_source (one of APEX_SOURCES), kind (micro, macro) and edition (of the sheet).
    emotion is a class. action_units_known separates 'none' from 'not coded'; onset, apex and
    offset are frame numbers, -1 unknown; fps is 0 where unknown. units holds action_units, read:
    one entry per unit, see mer_jax.preprocess.action_units.Unit.

    Args:
      emotions: all emotions of a data set, spelt as annotated.
      **arrays: features of one kind of input.

    Raises:
      TypeError: one of `arrays` repeats a shared name.
    """
    text = tfds.features.Text
    shared = {
        name: text()
        for name in (
            'clip',
            'subject',
            'dataset',
            'action_units',
            'apex_source',
            'kind',
            'edition',
        )
    }
    shared['emotion'] = tfds.features.ClassLabel(names=emotions)
    shared |= {name: np.int32 for name in ('onset', 'apex', 'offset')}
    shared |= {'action_units_known': np.bool_, 'fps': np.float32}
    shared['units'] = tfds.features.Sequence(
        {
            'number': np.int32,
            'side': text(),
            'intensity': text(),
            'certain': np.bool_,
            'reference': np.bool_,
            'group': np.int32,
        }
    )
    return tfds.features.FeaturesDict(dict(**shared, **arrays))


def tensor(shape: tuple[int | None, ...], dtype: type) -> tfds.features.Tensor:
    """A compressed array feature; None in `shape` is a length that differs from clip to clip."""
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding='zlib')


def example(**fields: np.ndarray | str | float | bool) -> dict:
    """The record of one clip: `fields`, what is unknown, and the action units, read."""
    record = {**UNKNOWN, **fields}
    units = action_units.parse(record['action_units']) if record['action_units_known'] else ()
    return {**record, 'units': [unit._asdict() for unit in units]}
