"""One or several TFDS data sets -> Samples and Names: label schemes, channels, resizing and stretching happen here."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import tfds_builders
from mer_jax import labels as schemes
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units, regions
from mer_jax.types import Names, Samples

CHANNELS = ('u', 'v', 'strain')
SCALES = ('stretch', 'p995')
VALUE_RANGES = {'0..255': (0.0, 255.0), '0..1': (0.0, 1.0), '-1..1': (-1.0, 1.0)}
MASKS = ('none', 'background', 'eyes_mouth')
_TEXT = ('clip', 'subject', 'dataset', 'emotion', 'action_units', 'action_units_known', 'kind', 'edition')


class Data(NamedTuple):
    """A loaded data set; dropped lists (clip, subject, dataset, emotion, reason) of every row that is not used."""

    samples: Samples
    names: Names
    dropped: list
    fingerprint: str  # sha256 of all that training and scoring see
    labels: str  # the label scheme
    editions: tuple  # of the sheets: 'casme2 2019'


def build(name, **settings) -> str:
    """Build the data sets of `name` where they are not yet, whatever input they hold; returns a line for each."""
    lines = []
    for one, folder in zip(name.split('+'), _folders(name, settings.pop('manual_dir')), strict=True):
        builder = tfds_builders.prepare(one, manual_dir=folder, **settings)
        lines.append(f'{one}: {builder.info.splits["train"].num_examples} clips in {builder.data_dir}')
    return '\n'.join(lines)


def load(name, *, labels, channels, size, scale, mask, frames, data_dir, manual_dir, rebuild, landmarks, magnet) -> Data:
    """Build (on first use) and read the data sets of `name` ('a+b' for a composite), in order of data set and clip.

    Images are [size, size, len(channels)] of the named flow channels: uint8 where `scale` is 'stretch' (every channel of
    every clip stretched to 0..255, as the published features are), else float32 in pixels of displacement; outside the
    kept part of the face they are 0 where `mask` is not 'none'. Of 'release/video' they are [frames, size, size, 1] uint8,
    so many frames evenly from onset to offset. manual_dir: one folder for all, or 'A+B' with one each.
    Raises UserError for an unknown emotion, two clips of one name, or nothing left to train on.
    """
    _check_labels(name, labels)
    stored = _stored(name)
    features = (*_TEXT, stored, *(('landmarks',) if mask != 'none' else ()))
    records = [r for one, folder in zip(name.split('+'), _folders(name, manual_dir), strict=True)
               for r in read(one, features, data_dir=data_dir, manual_dir=folder, rebuild=rebuild, landmarks=landmarks,
                             magnet=magnet)]
    kept, dropped = schemes.labelled(records, labels)
    if not kept:
        raise UserError(f'data.name {name!r} has no clip with a class of data.labels {labels!r}')
    subjects = sorted({(r['dataset'], r['subject']) for r in kept})
    datasets = sorted({r['dataset'] for r in kept})
    units = sorted({unit for r in kept for unit in _units(r)})
    names = Names(schemes.classes(labels, datasets), tuple(s for _, s in subjects), tuple(datasets),
                  tuple(r['clip'] for r in kept), tuple(str(unit) for unit in units))
    count = len(kept)
    samples = Samples(
        image=(videos(kept, frames, size, mask) if stored == 'frames' else
               images([masked(r, mask) for r in kept], channels.split(','), size, scale, name)),
        label=np.array([names.classes.index(r['class']) for r in kept], np.int32),
        target=np.zeros(count, np.float32),
        action_units=np.array([_unit_row(r, units) for r in kept], np.float32).reshape(count, len(units)),
        subject=np.array([subjects.index((r['dataset'], r['subject'])) for r in kept], np.int32),
        dataset=np.array([datasets.index(r['dataset']) for r in kept], np.int32),
        clip=np.arange(count, dtype=np.int32),
        frame=np.zeros(count, np.int32),
    )
    editions = sorted({f"{r['dataset']} {r['edition']}" for r in kept if r['edition']})
    return Data(samples, names, dropped, _fingerprint(samples, names), labels, tuple(editions))


def describe(data: Data) -> str:
    """What was loaded: clips, subjects, classes, label scheme, editions of the sheets, and why clips were dropped."""
    samples, names = data.samples, data.names
    classes = ', '.join(f'{name} {np.sum(samples.label == k)}' for k, name in enumerate(names.classes))
    editions = f' ({", ".join(data.editions)})' if data.editions else ''
    reasons = Counter(reason for *_, reason in data.dropped)
    dropped = [f'  dropped {count}: {reason}' for reason, count in reasons.most_common()]
    return '\n'.join([f'data: {len(samples.label)} clips of {len(names.subjects)} subjects from {", ".join(names.datasets)}'
                      f'{editions}; labels {data.labels}: {classes}', *dropped])


def read(name, features, *, data_dir, manual_dir, rebuild, landmarks, magnet) -> list:
    """The records of one TFDS data set as dictionaries, in order of clip id; only `features` are decoded."""
    builder = tfds_builders.prepare(name, data_dir=data_dir, manual_dir=manual_dir, rebuild=rebuild, landmarks=landmarks,
                                    magnet=magnet)
    for feature in features:
        if feature not in builder.info.features:
            raise UserError(f'data.name {name!r} holds no {feature}; name a data set that does, such as '
                            f"{'synthetic_faces' if feature == 'landmarks' else name.split('/')[0] + '/flow'!r}")
    return list(tfds_builders.records(builder, features))


def refuse_inputs(name, known):
    """Refuse, before hours of building, a release's input that is not among `known`."""
    for one in name.split('+'):
        kind = tfds_builders.release_input(one)
        if kind and kind not in known:
            raise UserError(f"data.name {one!r} holds no {known[0]}, which the networks here take; name "
                            f"'{one.partition('/')[0]}/{known[0]}' (python main.py build builds the other inputs)")


def _check_labels(name, labels):
    """Refuse, before hours of building, labels that a release has no classes in."""
    releases = [one.partition('/')[0] for one in name.split('+') if tfds_builders.release_input(one)]
    if releases:
        schemes.classes(labels, releases)


def _stored(name):
    """The feature that holds the pictures: 'frames' where all data sets of `name` are videos of a release, else 'flow'."""
    kinds = {tfds_builders.release_input(one) for one in name.split('+')}
    if 'video' in kinds and len(kinds) > 1:
        raise UserError(f'data.name {name!r} mixes video and other inputs; name one input for all')
    return 'frames' if kinds == {'video'} else 'flow'


def _folders(name, manual_dir):
    """The manual folder of each data set of a composite: its own of 'A+B', or the one that holds them all."""
    names = name.split('+')
    if manual_dir and not any(map(tfds_builders.reads_folder, names)):
        raise UserError(f'data.manual_dir is {manual_dir!r}, but {name} reads no folder; name the data set that does '
                        'with --config.data.name, or leave data.manual_dir out')
    parts = manual_dir.split('+')
    if len(parts) == 1 or Path(manual_dir).expanduser().is_dir():
        return [manual_dir] * len(names)
    if len(parts) != len(names):
        raise UserError(f'data.manual_dir names {len(parts)} folders for the {len(names)} data sets of {name!r}; '
                        "give one each, in that order, 'A+B', or one that holds them all")
    return parts


def masked(record, mask):
    """The flow of a record, 0 outside the part of the face that `mask` keeps in the onset frame."""
    flow = record['flow']
    if mask == 'none':
        return flow
    return flow * regions.mask(record['landmarks'][0], len(flow), keep=mask)[..., None]


def videos(records, count, size, mask):
    """uint8[N, count, size, size, 1]: frames of each clip evenly from onset to offset, repeated where it has fewer."""
    return np.stack([_video(record, count, size, mask) for record in records])


def _video(record, count, size, mask):
    chosen = np.round(np.linspace(0, len(record['frames']) - 1, count)).astype(int)
    frames = record['frames'][chosen]
    if mask != 'none':
        kept = [regions.mask(points, frames.shape[1], keep=mask) for points in record['landmarks'][chosen]]
        frames = frames * np.stack(kept)
    return np.stack([resize(frame[..., None], size) for frame in frames])


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


def _fingerprint(samples, names):
    digest = hashlib.sha256(repr(names).encode())
    for array in samples:
        digest.update(f'{array.dtype}{array.shape}'.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
