"""Samples whose rows are frames, for spotting."""

from collections.abc import Sequence

import numpy as np

from mer_jax.data import Record, apexes, labels, loading, sources
from mer_jax.data import images as input_images
from mer_jax.data.sources import BuildOptions, Source
from mer_jax.errors import UserError
from mer_jax.settings import sections
from mer_jax.spotting import decoders
from mer_jax.types import Names, Samples, Timing

CLASSES = ('apex',)  # of the one output
_FEATURES = (
    'clip',
    'subject',
    'dataset',
    'emotion',
    'edition',
    'onset',
    'apex',
    'offset',
    'apex_source',
    'fps',
    'flows',
    'flow_frames',
)


def load(
    data_sets: tuple[Source, ...],
    options: BuildOptions,
    settings: sections.Spotting,
    *,
    size: int,
) -> loading.Data:
    """Read data sets with the flow of every frame.

    They are built on first use. A row is a frame from onset to offset; rows are in the order of
    data set, clip and frame. Its image, float16[size, size, 2], is the flow from the onset in
    pixels, which is 0 at the onset. Its target is the label of decoders.continuous_labels, NaN in a
    clip without an annotated apex. Clips of all emotions are used; clips without onset or offset
    are dropped and listed.

    Args:
        data_sets: the data sets that data.name lists.
        options: where they are, and how they are built.
        settings: of section spotting: the label, its steepness and sigma.
        size: height and width of the images, in pixels.

    Raises:
        UserError: nothing is left, or a clip stands twice.
    """
    records = loading.read_all(data_sets, lambda source: _FEATURES, options)
    labels.refuse_duplicates(records)
    records.sort(key=lambda record: (record['dataset'], record['clip']))
    kept, dropped = [], []
    for record in records:
        reason = _unusable(record)
        if reason:
            about = [record[key] for key in ('clip', 'subject', 'dataset', 'emotion')]
            dropped.append((*about, reason))
        else:
            kept.append(record)
    times = timing(kept)
    if not np.any(times.apex >= 0):
        raise UserError(
            f'data.name {sources.joined(data_sets)!r} has no clip with an annotated apex, which a '
            "spotter needs to train; join one that has: 'casme2/spotting+smic/spotting'"
        )
    subjects, datasets, ids = loading.subject_ids(kept)
    names = Names(
        classes=CLASSES,
        subjects=subjects,
        datasets=datasets,
        clips=tuple(record['clip'] for record in kept),
        action_units=(),
    )
    samples = _samples(kept, times, ids, size, settings)
    return loading.Data(
        samples=samples,
        names=names,
        dropped=dropped,
        fingerprint=loading.fingerprint((*samples, *times), names),
        labels=settings.label,
        editions=loading.editions(kept),
        times=times,
    )


def timing(records: Sequence[Record]) -> Timing:
    """Return the key frames of records.

    An apex that is only estimated counts as unknown.
    """
    apex = [record['apex'] if apexes.is_annotated(record) else -1 for record in records]
    return Timing(
        onset=np.array([record['onset'] for record in records], np.int32),
        apex=np.array(apex, np.int32),
        offset=np.array([record['offset'] for record in records], np.int32),
        fps=np.array([record['fps'] for record in records], np.float32),
    )


def describe(data: loading.Data) -> str:
    """Return lines about the loaded data, for the log."""
    names, times = data.names, data.times
    span = times.offset - times.onset
    annotated = times.apex >= 0
    place = (times.apex - times.onset)[annotated] / span[annotated]
    line = (
        f'data: {len(names.clips)} clips of {len(names.subjects)} subjects from '
        f'{", ".join(names.datasets)}, {len(data.samples.clip)} frames ({data.labels} labels); '
        f'{span.mean():.0f} frames from onset to offset in the mean; '
        f'{annotated.sum()} apexes annotated, at {place.mean():.3f} of the clip in the mean (sd '
        f'{place.std():.3f})'
    )
    return '\n'.join([line, *loading.reasons(data.dropped)])


def _unusable(record):
    """Return why a clip cannot be used; '' where it can."""
    onset, apex, offset = (record[key] for key in ('onset', 'apex', 'offset'))
    if onset < 0 or offset < 0:
        return 'onset or offset is not annotated'
    if offset <= onset:
        return f'offset {offset} is not after onset {onset}'
    if apexes.is_annotated(record) and not onset <= apex <= offset:
        return f'apex {apex} is not between onset {onset} and offset {offset}'
    return ''


def inside(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames of a clip from onset to offset.

    Returns:
        Their numbers int[T], and their flow [T, H, W, 2], which is 0 at the onset.
    """
    frames = record['flow_frames']
    kept = (frames > record['onset']) & (frames <= record['offset'])
    flows = np.asarray(record['flows'])[kept]
    numbers = np.concatenate([[record['onset']], np.asarray(frames)[kept]])
    still = np.zeros((1, *record['flows'].shape[1:]), flows.dtype)
    return numbers, np.concatenate([still, flows])


def _samples(records, times, ids, size, settings):
    """Return Samples with a row for each frame."""
    images, targets, numbers = [], [], []
    for record, apex in zip(records, times.apex, strict=True):
        frames, flows = inside(record)
        if flows.shape[1:3] != (size, size):
            resized = [input_images.resize(flow, size) for flow in flows]
            flows = np.stack(resized).astype(np.float16)
        images.append(flows)
        numbers.append(frames)
        targets.append(_target(record, frames, apex, settings))
    lengths = [len(frames) for frames in numbers]
    clip = np.repeat(np.arange(len(records), dtype=np.int32), lengths)
    return Samples(
        image=np.concatenate(images),
        label=np.zeros(len(clip), np.int32),
        subject=ids['subject'][clip],
        dataset=ids['dataset'][clip],
        clip=clip,
        extras={
            'frame': np.concatenate(numbers).astype(np.int32),
            'target': np.concatenate(targets).astype(np.float32),
        },
    )


def _target(record, frames, apex, settings):
    """Return the target of each frame; NaN where the apex is unknown."""
    if apex < 0:
        return np.full(len(frames), np.nan, np.float32)
    return decoders.continuous_labels(
        frames,
        record['onset'],
        apex,
        record['offset'],
        label=settings.label,
        steepness=settings.steepness,
        sigma=settings.sigma,
    )
