"""Data sets with the flow of every frame -> Samples whose rows are frames, and when each clip
happens.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.data import apexes, labels, loading, sources
from mer_jax.data import images as pictures
from mer_jax.data.sources import BuildOptions, Source
from mer_jax.errors import UserError
from mer_jax.settings import sections
from mer_jax.spotting import decoders
from mer_jax.types import Array, Names, Samples

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


class Timing(NamedTuple):
    """When each clip of Names.clips happens, in numbers of its frames."""

    onset: Array  # int32[clips]
    apex: Array  # int32[clips], -1 where nobody annotated it
    offset: Array  # int32[clips]
    fps: Array  # float32[clips], 0 unknown


def load(
    data_sets: tuple[Source, ...],
    options: BuildOptions,
    settings: sections.Spotting,
    *,
    size: int,
) -> loading.Data:
    """Build (on first use) and read data sets, in order of data set, clip and frame.

    A row is a frame from onset (no flow) to offset: image float16[N, size, size, 2] in pixels of
    the stored flow; target its continuous label (see decoders.continuous), NaN in a clip without
    annotated apex. Every emotion counts; clips without onset or offset are dropped and listed.

    Args:
        data_sets: data.name, parsed.
        options: where they lie, and what they are built with.
        settings: of section spotting; the label, its steepness and sigma.
        size: height and width of the images.

    Raises:
        UserError: nothing is left, or a clip stands twice.
    """
    records = loading.gathered(data_sets, lambda source: _FEATURES, options)
    labels.refuse_doubles(records)
    records.sort(key=lambda record: (record['dataset'], record['clip']))
    kept, dropped = [], []
    for record in records:
        reason = _unusable(record)
        told = [record[key] for key in ('clip', 'subject', 'dataset', 'emotion')]
        dropped += [(*told, reason)] if reason else []
        kept += [] if reason else [record]
    times = timing(kept)
    if not np.any(times.apex >= 0):
        raise UserError(
            f'data.name {sources.joined(data_sets)!r} has no clip with an annotated apex, which a '
            'spotter needs to train; '
            "join one that has: 'casme2/spotting+smic/spotting'"
        )
    subjects, datasets, own = loading.whose(kept)
    names = Names(('apex',), subjects, datasets, tuple(r['clip'] for r in kept), ())
    samples = _frames(kept, times, own, size, settings)
    fingerprint = loading.fingerprint((*samples, *times), names)
    return loading.Data(
        samples, names, dropped, fingerprint, settings.label, loading.editions(kept), times
    )


def timing(records) -> Timing:
    """Timing of records as a data set holds them; an apex that was only estimated is unknown."""
    apex = [r['apex'] if apexes.known(r) else -1 for r in records]
    onset, offset = ([r[key] for r in records] for key in ('onset', 'offset'))
    return Timing(
        *(np.array(column, np.int32) for column in (onset, apex, offset)),
        np.array([r['fps'] for r in records], np.float32),
    )


def describe(loaded) -> str:
    """What was loaded: clips, frames, subjects, and how many apexes are known."""
    samples, names, times = loaded.samples, loaded.names, loaded.timing
    span = times.offset - times.onset
    known = times.apex >= 0
    place = (times.apex - times.onset)[known] / span[known]
    lines = [
        f'data: {len(names.clips)} clips of {len(names.subjects)} subjects from '
        f'{", ".join(names.datasets)}, '
        f'{len(samples.clip)} frames ({loaded.labels} labels); {span.mean():.0f} frames from '
        'onset to offset in the mean; '
        f'{known.sum()} apexes annotated, at {place.mean():.3f} of the clip in the mean (sd '
        f'{place.std():.3f})'
    ]
    return '\n'.join([*lines, *loading.reasons(loaded.dropped)])


def _unusable(record):
    """Why a clip cannot be spotted in; '' where it can."""
    onset, apex, offset = (record[key] for key in ('onset', 'apex', 'offset'))
    if onset < 0 or offset < 0:
        return 'onset or offset is not annotated'
    if offset <= onset:
        return f'offset {offset} is not after onset {onset}'
    if apexes.known(record) and not onset <= apex <= offset:
        return f'apex {apex} is not between onset {onset} and offset {offset}'
    return ''


def inside(record):
    """(frame numbers int[T], flows [T, H, W, 2]) of a record from onset (no flow) to offset."""
    kept = (record['flow_frames'] > record['onset']) & (record['flow_frames'] <= record['offset'])
    flows = np.asarray(record['flows'])[kept]
    numbers = np.concatenate([[record['onset']], np.asarray(record['flow_frames'])[kept]])
    return numbers, np.concatenate([np.zeros((1, *record['flows'].shape[1:]), flows.dtype), flows])


def _frames(records, times, own, size, settings):
    images, targets, numbers = [], [], []
    for record, apex in zip(records, times.apex, strict=True):
        number, flows = inside(record)
        same = flows.shape[1:3] == (size, size)
        images.append(
            flows
            if same
            else np.stack([pictures.resize(one, size) for one in flows]).astype(np.float16)
        )
        numbers.append(number)
        targets.append(
            np.full(len(number), np.nan, np.float32)
            if apex < 0
            else decoders.continuous(
                number,
                record['onset'],
                apex,
                record['offset'],
                label=settings.label,
                steepness=settings.steepness,
                sigma=settings.sigma,
            )
        )
    clip = np.repeat(np.arange(len(records), dtype=np.int32), [len(number) for number in numbers])
    count = len(clip)
    return Samples(
        image=np.concatenate(images),
        label=np.zeros(count, np.int32),
        subject=own['subject'][clip],
        dataset=own['dataset'][clip],
        clip=clip,
        extras={
            'frame': np.concatenate(numbers).astype(np.int32),
            'target': np.concatenate(targets).astype(np.float32),
        },
    )
