"""One or several TFDS data sets -> Samples and Names: label schemes, channels, resizing and stretching happen here."""

import hashlib
from typing import NamedTuple

import cv2
import numpy as np

import tfds_builders
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from mer_jax.types import Names, Samples

_NEGATIVE_POSITIVE_SURPRISE = {
    'negative': 'negative', 'positive': 'positive', 'surprise': 'surprise',
    'disgust': 'negative', 'repression': 'negative', 'happiness': 'positive', 'others': None,
}
_FIVE = {name: name for name in ('disgust', 'happiness', 'others', 'repression', 'surprise')}

# name of a scheme -> (classes, emotion as annotated -> class, None = dropped); an emotion that is not here is an error
LABELS = {
    'megc3': (('negative', 'positive', 'surprise'), _NEGATIVE_POSITIVE_SURPRISE),  # order of MEGC2019
    'five': (tuple(sorted(_FIVE)), _FIVE),
}
CHANNELS = ('u', 'v', 'strain')
SCALES = ('stretch', 'p995')
VALUE_RANGES = {'0..255': (0.0, 255.0), '0..1': (0.0, 1.0), '-1..1': (-1.0, 1.0)}
_FEATURES = ('clip', 'subject', 'dataset', 'emotion', 'action_units', 'action_units_known', 'flow')


class Data(NamedTuple):
    """A loaded data set; dropped lists (clip, subject, dataset, emotion, reason) of every row that is not used."""

    samples: Samples
    names: Names
    dropped: list
    fingerprint: str  # sha256 of all that training and scoring see


def load(name, *, labels, channels, size, scale, data_dir, manual_dir, rebuild) -> Data:
    """Build (on first use) and read the data sets of `name` ('a+b' for a composite), in order of data set and clip.

    Images are [size, size, len(channels)] of the named flow channels: uint8 where `scale` is 'stretch' (every channel of
    every clip stretched to 0..255, as the published features are), else float32 in pixels of displacement.
    Raises UserError for an unknown emotion, two clips of one name, or nothing left to train on.
    """
    if manual_dir and not any(map(tfds_builders.reads_folder, name.split('+'))):
        raise UserError(f'data.manual_dir is {manual_dir!r}, but {name} reads no folder; name the data set that does '
                        'with --config.data.name, or leave data.manual_dir out')
    records = [r for one in name.split('+')
               for r in read(one, data_dir=data_dir, manual_dir=manual_dir, rebuild=rebuild)]
    kept, dropped = labelled(records, labels)
    if not kept:
        raise UserError(f'data.name {name!r} has no clip with a class of data.labels {labels!r}')
    subjects = sorted({(r['dataset'], r['subject']) for r in kept})
    datasets = sorted({r['dataset'] for r in kept})
    units = sorted({unit for r in kept for unit in _units(r)})
    names = Names(LABELS[labels][0], tuple(s for _, s in subjects), tuple(datasets),
                  tuple(r['clip'] for r in kept), tuple(str(unit) for unit in units))
    count = len(kept)
    samples = Samples(
        image=images([r['flow'] for r in kept], channels.split(','), size, scale, name),
        label=np.array([names.classes.index(r['class']) for r in kept], np.int32),
        target=np.zeros(count, np.float32),
        action_units=np.array([_unit_row(r, units) for r in kept], np.float32).reshape(count, len(units)),
        subject=np.array([subjects.index((r['dataset'], r['subject'])) for r in kept], np.int32),
        dataset=np.array([datasets.index(r['dataset']) for r in kept], np.int32),
        clip=np.arange(count, dtype=np.int32),
        frame=np.zeros(count, np.int32),
    )
    return Data(samples, names, dropped, _fingerprint(samples, names))


def describe(data: Data) -> str:
    """One line: clips, subjects, classes and what was dropped."""
    samples, names = data.samples, data.names
    classes = ', '.join(f'{name} {np.sum(samples.label == k)}' for k, name in enumerate(names.classes))
    dropped = f'; dropped {len(data.dropped)} ({data.dropped[0][-1]})' if data.dropped else ''
    return (f'data: {len(samples.label)} clips of {len(names.subjects)} subjects from {", ".join(names.datasets)}: '
            f'{classes}{dropped}')


def read(name, *, data_dir, manual_dir, rebuild) -> list:
    """The records of one TFDS data set as dictionaries, in order of clip id; only what recognition needs is decoded."""
    builder = tfds_builders.prepare(name, data_dir=data_dir, manual_dir=manual_dir, rebuild=rebuild)
    return list(tfds_builders.records(builder, _FEATURES))


def labelled(records, labels):
    """Split records into those with a class (key 'class' added) and the dropped, each with its reason."""
    classes, scheme = LABELS[labels]
    kept, dropped = [], []
    for record in records:
        emotion = record['emotion'].strip().lower()
        if emotion not in scheme:
            raise UserError(f"clip {record['clip']} of {record['dataset']}: emotion {record['emotion']!r} is not in "
                            f'data.labels {labels!r}; it knows: {", ".join(sorted(scheme))}')
        if scheme[emotion] is None:
            dropped.append([record['clip'], record['subject'], record['dataset'], record['emotion'],
                            f'{emotion} has no class in {labels}'])
        else:
            kept.append({**record, 'class': scheme[emotion]})
    _refuse_duplicates(kept)
    return kept, dropped


def images(flows, channels, size, scale, name):
    """Stack flows [H, W, 3] (u, v, strain) into [N, size, size, C]: channels chosen, resized, and stretched if asked."""
    if scale == 'p995' and any(flow.dtype == np.uint8 for flow in flows):
        raise UserError(f"data.scale is 'p995', but {name} stores flow already stretched to 0..255; allowed: 'stretch'")
    chosen = [CHANNELS.index(channel) for channel in channels]
    resized = [resize(flow[..., chosen], size) for flow in flows]
    return np.stack([stretch(flow) for flow in resized] if scale == 'stretch' else resized)


def resize(flow, size):
    """[H, W, C] -> [size, size, C]; values stay in pixels of the stored flow; an equal size is untouched."""
    if flow.shape[:2] == (size, size):
        return flow if flow.dtype == np.uint8 else flow.astype(np.float32)
    shrinks = size < max(flow.shape[:2])
    source = flow if flow.dtype == np.uint8 else flow.astype(np.float32)
    out = cv2.resize(source, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return out.reshape(size, size, -1)


def stretch(flow):
    """Min-max stretch every channel of one clip to uint8 0..255 (as the features published with STSTNet are)."""
    if flow.dtype == np.uint8:
        return flow
    low, high = flow.min((0, 1)), flow.max((0, 1))
    span = np.where(high > low, high - low, 1)  # a channel without any motion becomes 0, not NaN
    return np.round((flow - low) / span * 255).astype(np.uint8)


def _units(record):
    """Numbers of the action units that moved: sides and intensities left out, and what is uncertain or a reference."""
    return {unit.number for unit in action_units.parse(record['action_units']) if unit.certain and not unit.reference}


def _unit_row(record, units):
    present = _units(record)
    return [float(unit in present) if record['action_units_known'] else np.nan for unit in units]


def _refuse_duplicates(records):
    seen = set()
    for record in records:
        key = record['dataset'], record['clip']
        if key in seen:
            raise UserError(f'clip {key[1]} of {key[0]} stands twice in the data; a clip may be used once')
        seen.add(key)


def _fingerprint(samples, names):
    digest = hashlib.sha256(repr(names).encode())
    for array in samples:
        digest.update(f'{array.dtype}{array.shape}'.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
