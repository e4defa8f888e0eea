"""Read TFDS data sets as Samples and Names."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

import tfds_builders
from mer_jax.data import Record, apexes, images, sources, target_units, unit_table
from mer_jax.data import labels as schemes
from mer_jax.data.channels import CHANNELS, COLOURS, JOINED, PHASES, feature_of
from mer_jax.data.sources import BuildOptions, Source
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from mer_jax.settings import sections
from mer_jax.types import Array, Names, Samples, Timing
from tfds_builders.base import ClipBuilder

# {feature with the images, a key of CHANNELS or 'flows', the flow of every frame: input of a
# release that stores it}
INPUTS = {
    'flow': 'flow',
    'image': 'samer',
    'frames': 'video',
    'phases': 'flow',
    'rgb_phases': 'flow',
    'flows': 'spotting',
}
DRAWN = ', drawn at random per subject'  # ends the label scheme of a control
SHOWN_LABELS = 12  # so many annotated emotions are named
RGB = 'key_frames=rgb'  # of a release, whose flow then comes with key frames in colour
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)
# (value of the byte 0, value of the byte 255); imagenet: three channels normalised as the weights
# of torchvision expect
VALUE_RANGES = {
    '0..255': (0.0, 255.0),
    '0..1': (0.0, 1.0),
    '-1..1': (-1.0, 1.0),
    'imagenet': (-_MEAN / _SPREAD, (1 - _MEAN) / _SPREAD),
}
_APEX = ('flow_frames', 'onset', 'apex', 'offset', 'apex_source')
TEXT = (
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
    """A loaded data set."""

    samples: Samples
    names: Names
    dropped: list[list[str]]  # [clip, subject, dataset, emotion, reason] of rows that are not used
    fingerprint: str  # sha256 of all that training and scoring use
    labels: str  # the label scheme
    editions: tuple[str, ...]  # of the sheets: 'casme2 2019'
    times: Timing | None = None  # spotting only: onset, apex and offset of the clips
    # bool[N], rows whose apex is annotated; only where flow is taken at estimated apexes
    apex_annotated: np.ndarray | None = None
    # float32[N, 68, 2]: landmarks (x, y) of the onset frame in pixels of the image
    landmarks: np.ndarray | None = None
    unit_table: str = ''  # what data.action_units gave, in words; '' without a table
    # whether the classes are action units, of which a row shows several: extras['action_units']
    multi_label: bool = False


def build(data_sets: tuple[Source, ...], options: BuildOptions) -> str:
    """Build the data sets that are not yet built.

    Args:
        data_sets: data.name, parsed.
        options: where they are stored, and what they are built with.

    Returns:
        A line for each.
    """
    lines = []
    for source in data_sets:
        builder = prepared(source, options)
        count = builder.info.splits['train'].num_examples
        lines.append(f'{source.name}: {count} clips in {builder.data_dir}')
    return '\n'.join(lines)


def prepared(source: Source, options: BuildOptions) -> ClipBuilder:
    """Return the TFDS builder of a data set, which is built where it is not yet.

    Args:
        source: the data set.
        options: where it lies, and what it is built with.
    """
    return tfds_builders.prepare(
        source.name,
        data_dir=options.data_dir,
        manual_dir=source.folder,
        rebuild=options.rebuild,
        strict=options.strict,
        landmarks=options.landmarks,
        detector=options.detector,
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
    """Read data sets, which are built on first use.

    Rows are in order of data set and clip. Images are [size, size, C] of the named channels (see
    CHANNELS):
        flow: with clip_normalise uint8, each channel of a clip stretched to 0..255, like the
            published features; otherwise float32, displacement in pixels.
        key frames, gray or in colour: 0..255, in the type of the flow beside them.
        `image`: uint8.
        'gray': uint8 [frames, size, size, 1].
    They are 0 outside the part of the face that `mask` keeps. Action units have a column each
    ('12'), with lateral_units two ('L12' and 'R12').

    Args:
        data_sets: data.name, parsed.
        options: where they are stored, and what they are built with.
        settings: of section data.
        channels: data.channels, parsed.
        apex: how to get the apex of clips without an annotated one: one of APEX_RULES, or Spotted.
            '' reads the feature 'flow', which is that at the apex; all others read the flow of
            every frame. A clip with several spotted apexes has a row for each.
        points: whether to read landmarks, where every data set stores them.

    Raises:
        UserError: an unknown emotion, two clips of one name, or no clip with a class.
    """
    scheme = schemes.parse(settings.labels, [source.release for source in data_sets])
    # before building, which may take hours
    schemes.check(scheme, [source.release for source in data_sets if source.input])
    records, stored, of_table = _read_inputs(
        data_sets, options, settings, channels=channels, apex=apex, points=points
    )
    name = sources.joined(data_sets)
    kept, dropped, classes = schemes.apply(
        scheme, records, count_as_first_class=settings.without_class == 'first_class'
    )
    if not kept:
        raise UserError(
            f'data.name {name!r} has no clip with a class of data.labels {scheme.name!r}; its '
            f'clips are annotated {_annotated(records)}'
        )
    _check_classes(name, scheme.name, classes, kept)
    apex_annotated = None
    if stored == 'flows':
        kept = at_apexes(kept, apex)
        apex_annotated = np.array([apexes.is_annotated(record) for record in kept])
    names = _names(kept, classes, tuple(unit_columns(kept, settings.lateral_units)))
    image = images.stack_inputs(kept, stored, channels, settings, name)
    label = [names.classes.index(record['class']) for record in kept]
    units = [unit_row(record, names.action_units, settings.lateral_units) for record in kept]
    samples = _samples(kept, names, image, label, units)
    labels = scheme.name
    if settings.random_subject_labels:
        samples = with_random_labels(samples, names)
        labels += DRAWN
    landmarks = _landmarks(kept, stored, settings.size) if points else None
    return Data(
        samples=samples,
        names=names,
        dropped=dropped,
        fingerprint=fingerprint(_values(samples, landmarks), names),
        labels=labels,
        editions=editions(kept),
        apex_annotated=apex_annotated,
        landmarks=landmarks,
        unit_table=of_table,
    )


def load_units(
    data_sets: tuple[Source, ...],
    options: BuildOptions,
    settings: sections.Data,
    *,
    channels: tuple[str, ...],
    points: bool = False,
) -> Data:
    """Read data sets whose action units are detected; emotions are not needed.

    Images and rows are those of `load`. The classes are the units of data.units, 'AU12', or with
    lateral_units 'AUL12' and 'AUR12'; extras['action_units'] has a column for each. Clips of which
    none of them is known, and macro-expressions, are dropped and listed.

    Args:
        data_sets: data.name, parsed.
        options: where they are stored, and what they are built with.
        settings: of section data.
        channels: data.channels, parsed.
        points: as in `load`.

    Raises:
        UserError: two clips of one name, or no clip that shows a unit.
    """
    targets = target_units.columns(target_units.parse(settings.units), settings.lateral_units)
    records, stored, of_table = _read_inputs(
        data_sets, options, settings, channels=channels, apex='', points=points
    )
    schemes.refuse_duplicates(records)
    kept, units, dropped = [], [], []
    for record in records:
        row = target_units.row(record, targets)
        reason = target_units.why_dropped(record, row)
        if reason:
            about = [record[key] for key in ('clip', 'subject', 'dataset', 'emotion')]
            dropped.append([*about, reason])
        else:
            kept.append(record)
            units.append(row)
    name = sources.joined(data_sets)
    if not np.any(np.array(units) == 1):
        raise UserError(
            f'data.name {name!r} has no clip that is known to show a unit of data.units '
            f'{settings.units!r}; name a data set with action units, or a table of them: '
            'data.action_units=FILE.csv'
        )
    names = _names(kept, tuple(f'AU{target}' for target in targets), targets)
    image = images.stack_inputs(kept, stored, channels, settings, name)
    samples = _samples(kept, names, image, np.zeros(len(kept)), units)
    landmarks = _landmarks(kept, stored, settings.size) if points else None
    return Data(
        samples=samples,
        names=names,
        dropped=dropped,
        fingerprint=fingerprint(_values(samples, landmarks), names),
        labels=f'action units {"+".join(targets)}',
        editions=editions(kept),
        landmarks=landmarks,
        unit_table=of_table,
        multi_label=True,
    )


def _read_inputs(data_sets, options, settings, *, channels, apex, points):
    """(records with their inputs, the feature with the images, what data.action_units gave)."""
    table = unit_table.read(settings.action_units)
    stored, features = stored_as(data_sets, channels, settings.mask, apex)
    records = read_all(
        data_sets,
        lambda source: features + _interval(source, stored),
        options,
        optional=('landmarks',) if points else (),
    )
    records, of_table = unit_table.annotate(records, table)
    return records, stored, of_table


def _landmarks(records, stored, size):
    """Landmarks of the images; None where a record lacks them."""
    if not all('landmarks' in record for record in records):
        return None
    return images.points(records, stored, size)


def _values(samples, landmarks):
    """What the fingerprint covers beside the names."""
    return samples if landmarks is None else (*samples, landmarks)


def at_apexes(records: Sequence[Record], apex: str | apexes.Spotted) -> list[Record]:
    """Return a record per apex, with its flow.

    Args:
        records: with the flow of every frame.
        apex: as in `load`.
    """
    at_apexes = []
    for record in records:
        for frame in apexes.frames(record, apex):
            at_apexes.append({**record, 'flows': apexes.flow_at(record, frame), 'frame': frame})
    return at_apexes


def _clips(records):
    """Return the (dataset, clip) of the records, each once."""
    return list(dict.fromkeys((record['dataset'], record['clip']) for record in records))


def _names(records, classes, units):
    subjects, datasets, _ = subject_ids(records)
    return Names(
        classes=classes,
        subjects=subjects,
        datasets=datasets,
        clips=tuple(clip for _, clip in _clips(records)),
        action_units=units,
    )


def _samples(records, names, image, label, units):
    """Return the Samples of records, their images, labels [N] and action units [N, A]."""
    _, _, ids = subject_ids(records)
    number = {clip: place for place, clip in enumerate(_clips(records))}
    clip = [number[record['dataset'], record['clip']] for record in records]
    shape = len(records), len(names.action_units)
    extras = {'action_units': np.array(units, np.float32).reshape(shape)}
    if 'frame' in records[0]:
        extras['frame'] = np.array([record['frame'] for record in records], np.int32)
    return Samples(
        image=image,
        label=np.array(label, np.int32),
        subject=ids['subject'],
        dataset=ids['dataset'],
        clip=np.array(clip, np.int32),
        extras=extras,
    )


def with_random_labels(samples: Samples, names: Names) -> Samples:
    """Give each subject one random class.

    A control: without a leak the score is that of chance.

    Args:
        samples: all rows.
        names: of their classes and subjects.
    """
    rng = np.random.default_rng(0)
    of_subject = rng.integers(len(names.classes), size=len(names.subjects))
    return samples._replace(label=of_subject[samples.subject].astype(np.int32))


def describe(data: Data) -> str:
    """Describe what was loaded, for the log.

    Clips, subjects, classes, the label scheme, editions of the sheets, and why clips were dropped.
    """
    samples, names = data.samples, data.names
    # A clip may have a row for each spotted apex.
    _, first = np.unique(samples.clip, return_index=True)
    counts = np.bincount(samples.label[first], minlength=len(names.classes))
    classes = ', '.join(f'{name} {counts[k]}' for k, name in enumerate(names.classes))
    sheets = f' ({", ".join(data.editions)})' if data.editions else ''
    meaning = schemes.MEANINGS.get(data.labels)
    clause = f' ({meaning})' if meaning else ''
    line = (
        f'data: {len(names.clips)} clips of {len(names.subjects)} subjects from '
        f'{", ".join(names.datasets)}{sheets}; labels {data.labels}{clause}: {classes}'
    )
    if data.labels == schemes.ANNOTATED:
        listed = ','.join(names.classes)
        line += (
            '\n  every label of the table is a class; for other classes or another order: '
            f"--config.data.labels='{schemes.NAMED}{listed}'"
        )
    lines = [line, *reasons(data.dropped)]
    if data.unit_table:
        lines.append(f'  {data.unit_table}')
    return '\n'.join(lines)


def describe_units(data: Data) -> str:
    """Describe what was loaded to detect action units, for the log.

    Args:
        data: of `load_units`.
    """
    names, units = data.names, data.samples.extras['action_units']
    shown = np.sum(units == 1, axis=0)
    counts = ', '.join(f'{unit} {count}' for unit, count in zip(names.classes, shown, strict=True))
    sheets = f' ({", ".join(data.editions)})' if data.editions else ''
    lines = [
        f'data: {len(names.clips)} clips of {len(names.subjects)} subjects from '
        f'{", ".join(names.datasets)}{sheets}; clips that show {counts}'
    ]
    unknown = int(np.isnan(units).sum())
    if unknown:
        lines.append(f'  {unknown} of {units.size} entries are unknown: they count nowhere')
    lines += reasons(data.dropped)
    if data.unit_table:
        lines.append(f'  {data.unit_table}')
    return '\n'.join(lines)


def reasons(dropped: Iterable[Sequence[str]]) -> list[str]:
    """Return one line per reason why clips were dropped."""
    counts = Counter(reason for *_, reason in dropped)
    return [f'  dropped {count}: {reason}' for reason, count in counts.most_common()]


def read(
    source: Source, features: Sequence[str], options: BuildOptions, *, optional: Sequence[str] = ()
) -> list[Record]:
    """Read the records of one data set by clip.

    Args:
        source: the data set.
        features: to decode; all others are left out.
        options: where it is stored, and what it is built with.
        optional: further features to decode, where the data set holds them.

    Raises:
        UserError: the data set does not hold one of the features.
    """
    builder = prepared(source, options)
    for feature in features:
        if feature not in builder.info.features:
            with_feature = {'flow': f'{source.release}/flow', 'flows': 'synthetic_faces/spotting'}
            example = with_feature.get(feature, 'synthetic_faces')
            raise UserError(
                f'data.name {source.name!r} holds no {feature}; name a data set that does, such as '
                f'{example!r}'
            )
    further = [feature for feature in optional if feature in builder.info.features]
    return list(tfds_builders.records(builder, (*features, *further)))


def read_all(
    data_sets: tuple[Source, ...],
    features: Callable[[Source], Sequence[str]],
    options: BuildOptions,
    *,
    optional: Sequence[str] = (),
) -> list[Record]:
    """Read the records of all data sets in order.

    Args:
        data_sets: data.name, parsed.
        features: returns the features of a data set to decode.
        options: as in `read`.
        optional: as in `read`.
    """
    records = []
    for source in data_sets:
        records += read(source, features(source), options, optional=optional)
    return records


def subject_ids(
    records: Sequence[Record],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, np.ndarray]]:
    """Number the subjects and data sets of records.

    Subjects of two data sets are different even where their names are equal.

    Returns:
        Names of the subjects, names of the data sets, and {'subject', 'dataset': int32[N]}.
    """
    subjects = sorted({(record['dataset'], record['subject']) for record in records})
    datasets = sorted({record['dataset'] for record in records})
    number = {subject: place for place, subject in enumerate(subjects)}
    subject = [number[record['dataset'], record['subject']] for record in records]
    dataset = [datasets.index(record['dataset']) for record in records]
    ids = {'subject': np.array(subject, np.int32), 'dataset': np.array(dataset, np.int32)}
    return tuple(name for _, name in subjects), tuple(datasets), ids


def editions(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the sheets of the records, such as 'casme2 2019'."""
    sheets = {f'{r["dataset"]} {r["edition"]}' for r in records if r['edition']}
    return tuple(sorted(sheets))


def check_inputs(
    data_sets: tuple[Source, ...], channels: tuple[str, ...], *, every_frame: bool = False
) -> None:
    """Refuse a release whose input lacks what the settings need.

    Called before building, which may take hours.

    Args:
        data_sets: data.name, parsed.
        channels: inputs of the network.
        every_frame: whether the flow of every frame is needed.

    Raises:
        UserError: names the input of the release to use instead.
    """
    every_frame |= _has_frames(data_sets) and {*channels} <= {'u', 'v'}
    colours = [channel for channel in channels if channel in COLOURS]
    needed = INPUTS['flows' if every_frame else feature_of(channels)]
    if needed == INPUTS['flows']:
        missing, others = 'flow of every frame, which data.task=spotting and data.apex need', ''
    else:
        missing = f'{",".join(channels)}, which data.channels names'
        choices = '; '.join(','.join(group) for group in CHANNELS.values())
        others = f', or other channels: {choices}'
    for source in data_sets:
        if source.input and source.input != needed:
            raise UserError(
                f'data.name {source.name!r} holds no {missing}; name '
                f"'{source.release}/{needed}'{others}"
            )
        if colours and RGB not in source.name.split(','):
            raise UserError(
                f'data.name {source.name!r} holds gray key frames only, and data.channels names '
                f"{colours[0]}; name a release in colour, such as 'casme2/flow,{RGB}'; SAMM and "
                'the drawn faces are gray'
            )


def stored_as(
    data_sets: tuple[Source, ...], channels: tuple[str, ...], mask: str, apex: str | apexes.Spotted
) -> tuple[str, tuple[str, ...]]:
    """Return the feature with the images, and all features to decode.

    Args:
        data_sets: data.name, parsed.
        channels: data.channels, parsed.
        mask: data.mask.
        apex: as in `load`.

    Raises:
        UserError: no data set can satisfy these settings.
    """
    if apex == '' and not _has_frames(data_sets):
        stored = feature_of(channels)
        features = [*TEXT, *(PHASES if stored in JOINED else (stored,))]
        if stored == 'rgb_phases':
            features.append('key_frames_rgb')
        if mask != 'none':
            features.append('landmarks')
        return stored, tuple(features)
    check_inputs(data_sets, channels, every_frame=True)
    if not {*channels} <= {'u', 'v'}:
        raise UserError(
            f'data.channels is {",".join(channels)!r}, but the flow of every frame has u and v '
            'only; allowed: u,v'
        )
    if mask != 'none':
        raise UserError(
            f'data.mask is {mask!r}, but {sources.joined(data_sets)} stores flow of every frame '
            'without landmarks; allowed: none'
        )
    return 'flows', (*TEXT, 'flows', *_APEX)


def _has_frames(data_sets):
    """Whether a release stores flow of every frame."""
    return any(source.input == 'spotting' for source in data_sets)


def _annotated(records):
    """The emotions of records as annotated, with their number, in words."""
    counts = Counter(record['emotion'] for record in records)
    shown = ', '.join(f'{word} {count}' for word, count in counts.most_common(SHOWN_LABELS))
    return f'{shown}, ...' if len(counts) > SHOWN_LABELS else shown


def _check_classes(name, scheme, classes, records):
    """Refuse a class without a clip.

    The scores would count a class that cannot be learned.
    """
    if len(classes) == 1:
        raise UserError(
            f'data.name {name!r} has clips of {classes[0]} alone; a network learns to separate two '
            'classes or more'
        )
    present = {record['class'] for record in records}
    empty = [title for title in classes if title not in present]
    if empty:
        raise UserError(
            f'data.name {name!r} has no clip of {", ".join(empty)}, a class of data.labels '
            f'{scheme!r}; name other labels, or a data set that has such clips'
        )


def _interval(source, stored):
    """Return features that locate a clip in its frames.

    A release needs none, because it stores no frame before the onset.
    """
    if stored != 'frames' or source.input:
        return ()
    return ('first_frame', 'onset', 'offset')


def _units(record, lateral):
    """Return the action units that certainly moved, such as {'12'}.

    With `lateral` such as {'L12', 'R12'}; both where both moved or the side is not annotated.
    """
    names = set()
    for unit in action_units.parse(record['action_units']):
        if not unit.certain or unit.reference:
            continue
        sides = ('',)
        if lateral:
            sides = (unit.side,) if unit.side in ('L', 'R') else ('L', 'R')
        names |= {f'{side}{unit.number}' for side in sides}
    return names


def unit_columns(records: Sequence[Record], lateral: bool) -> list[str]:
    """Return the action units that occur, in order of number.

    Args:
        records: of all data sets.
        lateral: whether each has two columns, left and right, so that a mirror image can swap
            them.
    """
    numbers = set()
    for record in records:
        numbers |= {int(unit.lstrip('LR')) for unit in _units(record, lateral)}
    sides = ('L', 'R') if lateral else ('',)
    return [f'{side}{number}' for number, side in itertools.product(sorted(numbers), sides)]


def unit_row(record: Record, units: Sequence[str], lateral: bool) -> list[float]:
    """Return 1, 0 or NaN (unknown) per action unit.

    Args:
        record: of a clip.
        units: of unit_columns.
        lateral: as in unit_columns.
    """
    if not record['action_units_known']:
        return [np.nan] * len(units)
    present = _units(record, lateral)
    return [float(unit in present) for unit in units]


def fingerprint(values: Iterable[Array | dict[str, Array]], names: Names) -> str:
    """Return the sha256 of all that training and scoring use.

    Args:
        values: arrays, or dictionaries of arrays.
        names: of the data set.
    """
    digest = hashlib.sha256(repr(names).encode())
    for value in values:
        arrays = value if isinstance(value, dict) else {'': value}
        for name, array in sorted(arrays.items()):
            digest.update(f'{name}{array.dtype}{array.shape}'.encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
