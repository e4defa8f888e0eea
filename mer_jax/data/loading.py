"""One or several TFDS data sets -> Samples and Names: which features are read, label schemes,
action units.
"""

import hashlib
from collections import Counter
from typing import NamedTuple

import numpy as np

import tfds_builders
from mer_jax.data import apexes, images, sources
from mer_jax.data import labels as schemes
from mer_jax.data.channels import CHANNELS, PHASES, feature_of
from mer_jax.data.sources import BuildOptions, Source
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from mer_jax.settings import sections
from mer_jax.types import Names, Samples

# What holds the pictures, a key of CHANNELS or the flow of every frame -> input of a release.
INPUTS = {
    'flow': 'flow',
    'image': 'samer',
    'frames': 'video',
    'phases': 'flow',
    'flows': 'spotting',
}
_MEAN, _SPREAD = (
    np.array([0.485, 0.456, 0.406], np.float32),
    np.array([0.229, 0.224, 0.225], np.float32),
)
# (what a byte of 0 becomes, what 255 becomes); imagenet: three channels normalised as torchvision's
# weights expect
VALUE_RANGES = {
    '0..255': (0.0, 255.0),
    '0..1': (0.0, 1.0),
    '-1..1': (-1.0, 1.0),
    'imagenet': (-_MEAN / _SPREAD, (1 - _MEAN) / _SPREAD),
}
_APEX = ('flow_frames', 'onset', 'apex', 'offset', 'apex_source')
_TEXT = (
    'clip',
    'subject',
    'dataset',
    'emotion',
    'action_units',
    'action_units_known',
    'kind',
    'edition',
)


class Data(NamedTuple):
    """A loaded data set; dropped lists (clip, subject, dataset, emotion, reason) of every row that
    is not used.
    """

    samples: Samples
    names: Names
    dropped: list
    fingerprint: str  # sha256 of all that training and scoring see
    labels: str  # the label scheme
    editions: tuple  # of the sheets: 'casme2 2019'
    timing: object = None  # of spotting: spotting_data.Timing
    # of flow at apexes that are guessed: bool[N], rows whose apex is annotated
    known: object = None
    # float32[N, 68, 2]: landmarks (x, y) of the onset frame in pixels of the image
    points: object = None


def build(data_sets: tuple[Source, ...], options: BuildOptions) -> str:
    """Build data sets where they are not yet, whatever input they hold; returns a line for each."""
    lines = []
    for source in data_sets:
        builder = _prepare(source, options)
        count = builder.info.splits['train'].num_examples
        lines.append(f'{source.name}: {count} clips in {builder.data_dir}')
    return '\n'.join(lines)


def _prepare(source, options):
    """The TFDS builder of a data set that is built."""
    return tfds_builders.prepare(
        source.name,
        data_dir=options.data_dir,
        manual_dir=source.folder,
        rebuild=options.rebuild,
        landmarks=options.landmarks,
        magnet=options.magnet,
    )


def load(
    data_sets: tuple[Source, ...],
    options: BuildOptions,
    settings: sections.Data,
    *,
    channels: tuple[str, ...],
    apex: str | apexes.Spotted = '',
    points: bool = False,
) -> Data:
    """Build (on first use) and read data sets, in order of data set and clip.

    Images are [size, size, C] of the named channels (see CHANNELS). Of flow: uint8 under
    clip_normalise (every channel of every clip stretched to 0..255, as the published features
    are), else float32 in pixels of displacement. Of gray key frames beside flow: 0..255 in its
    type. Of `image`: uint8. Of 'gray': [frames, size, size, 1] uint8. Outside the part of the face
    that `mask` keeps they are 0. Action units are numbers ('12'); with lateral_units they are two
    columns each, 'L12' and 'R12'.

    Args:
        data_sets: data.name, parsed.
        options: where they lie, and what they are built with.
        settings: of section data.
        channels: data.channels, parsed.
        apex: of flow at the apex of clips that have none annotated: one of APEX_RULES, or
            Spotted. With '' from a feature that holds the apex alone, else from the flow of every
            frame. A clip with several spotted apexes has a row for each.
        points: fill Data.points where every data set stores landmarks.

    Raises:
        UserError: an unknown emotion, two clips of one name, or nothing left to train on.
    """
    labels, size = settings.labels, settings.size
    _check_labels(data_sets, labels)
    name = sources.joined(data_sets)
    stored, features = _stored(data_sets, channels, settings.mask, apex)
    records = gathered(
        data_sets,
        lambda source: features + _interval(source, stored),
        options,
        also=('landmarks',) if points else (),
    )
    kept, dropped = schemes.labelled(records, labels)
    if not kept:
        raise UserError(f'data.name {name!r} has no clip with a class of data.labels {labels!r}')
    if stored == 'flows':
        kept = [
            {**r, 'flows': apexes.at(r, number), 'frame': number}
            for r in kept
            for number in apexes.frames(r, apex)
        ]
    clips = list(dict.fromkeys((r['dataset'], r['clip']) for r in kept))
    subjects, datasets, own = whose(kept)
    _check_classes(name, labels, schemes.classes(labels, datasets), kept)
    units = _columns(kept, settings.lateral_units)
    names = Names(
        schemes.classes(labels, datasets),
        subjects,
        datasets,
        tuple(clip for _, clip in clips),
        tuple(units),
    )
    count = len(kept)
    unit_rows = np.array([_unit_row(r, units, settings.lateral_units) for r in kept], np.float32)
    samples = Samples(
        image=images.made(kept, stored, channels, settings, name),
        label=np.array([names.classes.index(r['class']) for r in kept], np.int32),
        **own,
        clip=np.array([clips.index((r['dataset'], r['clip'])) for r in kept], np.int32),
        extras={'action_units': unit_rows.reshape(count, len(units))},
    )
    if stored == 'flows':
        samples = samples.with_extras(frame=np.array([r['frame'] for r in kept], np.int32))
    if settings.random_subject_labels:
        drawn = np.random.default_rng(0).integers(len(names.classes), size=len(subjects))
        samples, labels = (
            samples._replace(label=drawn[samples.subject].astype(np.int32)),
            f'{labels}, drawn a subject',
        )
    known = np.array([apexes.known(r) for r in kept]) if stored == 'flows' else None
    found = (
        images.points(kept, stored, size)
        if points and all('landmarks' in r for r in kept)
        else None
    )
    seen = samples if found is None else (*samples, found)
    return Data(
        samples,
        names,
        dropped,
        fingerprint(seen, names),
        labels,
        editions(kept),
        known=known,
        points=found,
    )


def describe(data: Data) -> str:
    """What was loaded: clips, subjects, classes, label scheme, editions of the sheets, and why
    clips were dropped.
    """
    samples, names = data.samples, data.names
    # a clip may have a row for each spotted apex
    label = samples.label[np.unique(samples.clip, return_index=True)[1]]
    classes = ', '.join(f'{name} {np.sum(label == k)}' for k, name in enumerate(names.classes))
    editions = f' ({", ".join(data.editions)})' if data.editions else ''
    return '\n'.join(
        [
            f'data: {len(names.clips)} clips of {len(names.subjects)} subjects from '
            f'{", ".join(names.datasets)}'
            f'{editions}; labels {data.labels}: {classes}',
            *reasons(data.dropped),
        ]
    )


def reasons(dropped) -> list:
    """A line for each reason why clips were dropped."""
    counts = Counter(reason for *_, reason in dropped)
    return [f'  dropped {count}: {reason}' for reason, count in counts.most_common()]


def read(source: Source, features, options: BuildOptions, *, also=()) -> list:
    """The records of one data set as dictionaries, in order of clip id; only `features` are
    decoded, and of `also` what it holds.
    """
    builder = _prepare(source, options)
    for feature in features:
        if feature not in builder.info.features:
            such = {'flow': f'{source.release}/flow', 'flows': 'synthetic_faces/spotting'}
            raise UserError(
                f'data.name {source.name!r} holds no {feature}; name a data set that does, such as '
                f'{such.get(feature, "synthetic_faces")!r}'
            )
    held = [feature for feature in also if feature in builder.info.features]
    return list(tfds_builders.records(builder, (*features, *held)))


def gathered(data_sets: tuple[Source, ...], features, options: BuildOptions, *, also=()) -> list:
    """The records of all data sets, in the order named; features(source): what to decode."""
    return [
        record
        for source in data_sets
        for record in read(source, features(source), options, also=also)
    ]


def whose(records):
    """(titles of subjects, of data sets, {'subject', 'dataset': int32[N]} of the records); a
    subject belongs to one data set.
    """
    subjects = sorted({(r['dataset'], r['subject']) for r in records})
    datasets = sorted({r['dataset'] for r in records})
    return (
        tuple(subject for _, subject in subjects),
        tuple(datasets),
        {
            'subject': np.array(
                [subjects.index((r['dataset'], r['subject'])) for r in records], np.int32
            ),
            'dataset': np.array([datasets.index(r['dataset']) for r in records], np.int32),
        },
    )


def editions(records) -> tuple:
    """The sheets that records were read from: 'casme2 2019'."""
    return tuple(sorted({f'{r["dataset"]} {r["edition"]}' for r in records if r['edition']}))


def refuse_inputs(
    data_sets: tuple[Source, ...], channels: tuple[str, ...], *, every_frame: bool = False
):
    """Refuse, before hours of building, a release whose input does not hold what is asked for.

    Args:
        channels: what the network sees.
        every_frame: whether rows are frames, which are made of the flow of every frame.

    Raises:
        UserError: which input of the release to name instead.
    """
    every_frame |= _has_frames(data_sets) and {*channels} <= {'u', 'v'}
    wanted = INPUTS['flows' if every_frame else feature_of(channels)]
    if wanted == INPUTS['flows']:
        missing, others = 'flow of every frame, which data.task=spotting and data.apex ask for', ''
    else:
        missing = f'{",".join(channels)}, which data.channels asks for'
        choices = '; '.join(','.join(group) for group in CHANNELS.values())
        others = f', or other channels: {choices}'
    for source in data_sets:
        if source.input and source.input != wanted:
            raise UserError(
                f'data.name {source.name!r} holds no {missing}; name '
                f"'{source.release}/{wanted}'{others}"
            )


def _stored(data_sets, channels, mask, apex):
    """(what holds the pictures, all features that are decoded); refuses, before hours of building,
    what has none.
    """
    if apex == '' and not _has_frames(data_sets):
        stored = feature_of(channels)
        held = PHASES if stored == 'phases' else (stored,)
        return stored, (*_TEXT, *held, *(('landmarks',) if mask != 'none' else ()))
    refuse_inputs(data_sets, channels, every_frame=True)
    if not {*channels} <= {'u', 'v'}:
        raise UserError(
            f'data.channels is {",".join(channels)!r}, of which the flow of every frame holds two; '
            'allowed: u,v'
        )
    if mask != 'none':
        raise UserError(
            f'data.mask is {mask!r}, but {sources.joined(data_sets)} stores small flow of every '
            'frame without a face; allowed: none'
        )
    return 'flows', (*_TEXT, 'flows', *_APEX)


def _has_frames(data_sets):
    """Whether a release's input is the flow of every frame."""
    return any(source.input == 'spotting' for source in data_sets)


def _check_labels(data_sets, labels):
    """Refuse, before hours of building, labels that a release has no classes in."""
    releases = [source.release for source in data_sets if source.input]
    if releases:
        schemes.classes(labels, releases)


def _check_classes(name, labels, classes, records):
    """Refuse a class without a clip: the scores would count a class that nobody could learn."""
    empty = [title for title in classes if title not in {record['class'] for record in records}]
    if empty:
        raise UserError(
            f'data.name {name!r} has no clip of {", ".join(empty)}, which data.labels {labels!r} '
            'names; name other '
            'labels, or a data set that has such clips'
        )


def _interval(source, stored):
    """The features that tell where the clip lies in the stored frames: a release stores no frame
    before onset.
    """
    if stored != 'frames' or source.input:
        return ()
    return ('first_frame', 'onset', 'offset')


def _units(record, lateral):
    """Action units that moved, intensities left out, and what is uncertain or a reference: {'12'},
    or laterally {'L12', 'R12'}, both where both moved or the side is not annotated.
    """
    moved = [
        unit
        for unit in action_units.parse(record['action_units'])
        if unit.certain and not unit.reference
    ]
    if not lateral:
        return {str(unit.number) for unit in moved}
    return {
        f'{side}{unit.number}'
        for unit in moved
        for side in (unit.side if unit.side in ('L', 'R') else 'LR')
    }


def _columns(records, lateral):
    """The action units of any record in order of number; laterally both of each, so that a
    mirror image has its column.
    """
    numbers = sorted(
        {int(unit.lstrip('LR')) for record in records for unit in _units(record, lateral)}
    )
    return [f'{side}{number}' for number in numbers for side in ('LR' if lateral else ('',))]


def _unit_row(record, units, lateral):
    present = _units(record, lateral)
    return [float(unit in present) if record['action_units_known'] else np.nan for unit in units]


def fingerprint(values, names) -> str:
    """sha256 of all that training and scoring see: arrays, or dictionaries of arrays."""
    digest = hashlib.sha256(repr(names).encode())
    for value in values:
        arrays = value if isinstance(value, dict) else {'': value}
        for name, array in sorted(arrays.items()):
            digest.update(f'{name}{array.dtype}{array.shape}'.encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
