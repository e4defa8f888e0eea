"""The verb describe: what a data set holds, before anything learns from it."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from mer_jax import machine
from mer_jax.data import Record, annotations, apexes, labels, loading, sources, unit_table
from mer_jax.data.annotations import (
    CHANNELS,
    FROM_APEX,
    IMAGES,
    MAGNITUDES,
    MOTIONS,
    TIMES,
    TO_APEX,
    TO_MAGNIFIED,
    Annotations,
    Clips,
)
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, build
from mer_jax.preprocess import flow, magnify
from mer_jax.report import describe_page
from mer_jax.runfiles import files
from mer_jax.runfiles.folder import absolute, with_plots
from mer_jax.settings.sections import Settings
from mer_jax.studies import dataset_figures as figures
from tfds_builders import audit, inputs, workers
from tfds_builders.synthetic_faces.synthetic_faces_dataset_builder import ALPHA

# what may be moving in a record; 'frames' of a video are left compressed
PICTURES = ('flow', 'flow_offset', 'key_frames', 'image', 'target', 'flows', 'flow_frames')
MAGNIFIER = 'phase'
FREQUENT_SETS = 5  # sets of action units that are listed for each emotion


def describe(settings: Settings, workdir: str | Path) -> dict:
    """Write describe.html, .json and .csv about the data sets of an experiment.

    Args:
        settings: of the experiment; only those of section data count.
        workdir: the folder for the files.

    Returns:
        What describe.json holds.

    Raises:
        UserError: the folder cannot be made, or no clip has a class.
    """
    folder = absolute(workdir)
    with machine.leaving_no_empty_folders(folder / files.PLOTS):
        _prepare(folder)
        description, clips, examples = _description(settings)
        describe_page.write(folder, description, clips, examples)
    return description


def _description(settings):
    """(what describe.json holds, the clips, records of typical ones)."""
    data = settings.data
    data_sets = sources.parse(data.name, data.manual_dir)
    options = build.build_options(data)
    records = loading.read_all(
        data_sets, lambda source: annotations.FEATURES, options, optional=PICTURES
    )
    records, _ = unit_table.annotate(records, unit_table.read(data.action_units))
    records.sort(key=lambda record: (record['dataset'], record['clip']))
    by_class = TASKS[data.task].by_class
    scheme = labels.parse(data.labels, [source.release for source in data_sets])
    kept, dropped, classes = _labelled(records, scheme, data.name, by_class)
    clips = measured(kept, data.name)
    audits = {source.name: annotations.build_audit(source, options) for source in data_sets}
    description = described(clips, classes) | {
        'name': settings.name,
        'data': data.name,
        'labels': scheme.name if by_class else 'emotions as annotated',
        'editions': loading.editions(kept),
        'left_out': _left_out(dropped),
        'build': _build(audits),
    }
    description['missing'] = missing(clips)
    examples = [_example(kept[row], row) for row in typical_rows(clips, classes)]
    return description, clips, examples


def _prepare(folder):
    """Create the folder for the files, which is not that of a run."""
    if (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds a run; name another folder for describe with --workdir')
    with_plots(folder)


def _labelled(records, scheme, name, by_class):
    """(records with a class, what is left out, the classes)."""
    if not by_class:
        named = [{**record, 'class': record['emotion'].lower()} for record in records]
        return named, [], tuple(sorted({record['class'] for record in named}))
    kept, dropped, classes = labels.apply(scheme, records)
    if not kept:
        raise UserError(f'data.name {name!r} has no clip with a class of data.labels {scheme.name}')
    return kept, dropped, classes


def measured(records: list[Record], name: str) -> Clips:
    """Measure times, places of the apex, and motion of clips.

    Args:
        records: with annotations.FEATURES, 'class', and what their data set holds of PICTURES.
        name: data.name, for the progress bar and for what the drawn pictures show.
    """
    annotated = annotations.of_records(records)
    onset, apex, offset = annotated.onset, annotated.apex, annotated.offset
    seen = np.isin(annotated.apex_source, apexes.ANNOTATED)
    apex_seen = np.where(seen, apex, -1)
    ends = {TIMES[0]: (onset, offset), TO_APEX: (onset, apex_seen), FROM_APEX: (apex_seen, offset)}
    times = {
        what: figures.milliseconds(first, last, annotated.fps)
        for what, (first, last) in ends.items()
    }
    rows = workers.threaded(
        partial(_motions, drawn_target=_drawn_target(name)),
        records,
        cores=machine.cores(),
        title='motion',
        progress=True,
    )
    of_clips = list(rows)
    return Clips(
        annotated=annotated,
        times=times,
        position=figures.position(onset, apex, offset),
        seen=seen,
        motion={between: np.stack([row[between] for row in of_clips]) for between in MOTIONS},
    )


def _drawn_target(name):
    """The frame that On-A and Off-A of drawn faces go to, which their records do not say."""
    return 'magnified' if name.endswith('/magnified') else 'apex'


def _motions(record, drawn_target):
    """{of MOTIONS: float64[C]} of one record; NaN for what it does not hold."""
    values = {between: np.full(len(names), np.nan) for between, names in MOTIONS.items()}
    images = dict.fromkeys(IMAGES, np.nan)
    to_apex = _flow_to_apex(record)
    if to_apex is not None:
        moved = figures.motion(to_apex)
        values[TO_APEX][: len(moved)] = moved
    if 'flow_offset' in record:
        values[FROM_APEX][:] = figures.motion(record['flow_offset'])
    # Bytes are stretched clip by clip: they say where a face moves, not how much.
    if 'key_frames' in record and to_apex is not None:
        magnified = _flow_to_magnified(record)
        values[TO_MAGNIFIED][:] = figures.motion(magnified)
        images[IMAGES[0]] = flow.samer_magnitude(to_apex[..., :2]).mean()
        images[IMAGES[1]] = flow.samer_magnitude(magnified[..., :2]).mean()
    if 'image' in record:
        target = record.get('target', drawn_target)
        images[f'On-A, {target}'] = record['image'][..., 1].mean()
        images[f'Off-A, {target}'] = record['image'][..., 2].mean()
    values[MAGNITUDES][:] = [images[name] for name in IMAGES]
    return values


def _flow_to_apex(record):
    """Flow from onset to apex in pixels, [H, W, 3] or of spotting [H, W, 2]; None without any."""
    if 'flow' in record and record['flow'].dtype != np.uint8:
        return record['flow']
    if 'flows' in record and record['apex'] >= 0:
        return apexes.flow_at(record, record['apex'])
    return None


def _flow_to_magnified(record):
    """Flow and strain from the onset to the magnified apex, float32[H, W, 3]."""
    onset, apex, _ = record['key_frames']
    larger = magnify.magnify(onset, apex, method=MAGNIFIER, alpha=alpha(record['dataset']))
    return flow.flow_features(onset, larger)


def alpha(dataset: str) -> float:
    """Return how much the apex of a data set is magnified where nothing else is asked for."""
    return ALPHA if dataset == 'synthetic' else float(inputs.MAGNIFIED['alpha'][0])


def described(clips: Clips, classes: tuple[str, ...]) -> dict:
    """Return the figures of clips, as describe.json holds them.

    Args:
        clips: of all data sets.
        classes: in their order.
    """
    annotated = clips.annotated
    datasets = tuple(np.unique(annotated.dataset).tolist())
    by_dataset = figures.counts(annotated.dataset, annotated.label, datasets, classes)
    return {
        'classes': classes,
        'datasets': datasets,
        'clips': by_dataset,
        'subjects': _subjects(annotated, datasets, classes),
        'emotions': _emotions(annotated),
        'durations': [
            {'dataset': name, 'what': what, **figures.summary(times[annotated.dataset == name])}
            for name in datasets
            for what, times in clips.times.items()
        ],
        'apex': _apexes(clips),
        'units': [_units(annotated, name) for name in datasets],
        'motion': _motion(clips, datasets, classes),
        'alpha': {name: alpha(name) for name in datasets},
        'association': association(annotated, datasets, classes),
    }


def _subjects(annotated, datasets, classes):
    """The clips of each subject, by class."""
    rows = []
    for name in datasets:
        here = annotated.dataset == name
        subject, label = annotated.subject[here], annotated.label[here]
        names = tuple(np.unique(subject).tolist())
        table = figures.counts(subject, label, names, classes)
        rows += [
            {'dataset': name, 'subject': title, 'clips': row.tolist()}
            for title, row in zip(names, table, strict=True)
        ]
    return rows


def _emotions(annotated):
    """Which annotated emotion became which class, and of how many clips."""
    words = zip(annotated.dataset, annotated.emotion, annotated.label, strict=True)
    counted = Counter(tuple(map(str, word)) for word in words)
    keys = ('dataset', 'emotion', 'class')
    return [
        dict(zip(keys, word, strict=True)) | {'clips': count}
        for word, count in sorted(counted.items())
    ]


def _apexes(clips):
    """Where the apex lies, by data set and by who placed it."""
    rows, annotated = [], clips.annotated
    for name in np.unique(annotated.dataset):
        for source in np.unique(annotated.apex_source[annotated.dataset == name]):
            here = (annotated.dataset == name) & (annotated.apex_source == source)
            summary = figures.summary(clips.position[here])
            rows.append({'dataset': str(name), 'source': str(source), **summary})
    return rows


def _units(annotated, dataset):
    """Action units of a data set, and how often they stand together, by emotion."""
    coded = ~np.isnan(annotated.units).any(1) & (annotated.dataset == dataset)
    blocks, present = [], np.zeros(len(annotated.unit_names), bool)
    if len(annotated.unit_names) and coded.any():
        present = (annotated.units[coded] == 1).any(0)
    names = [unit for unit, here in zip(annotated.unit_names, present, strict=True) if here]
    for emotion in np.unique(annotated.emotion[coded]):
        units = annotated.units[coded & (annotated.emotion == emotion)][:, present]
        sets = Counter('+'.join(np.array(names)[row == 1]) or 'none' for row in units)
        blocks.append(
            {
                'emotion': str(emotion),
                'clips': len(units),
                'pairs': figures.pairs(units),
                'sets': sets.most_common(FREQUENT_SETS),
            }
        )
    uncoded = int((annotated.dataset == dataset).sum() - coded.sum())
    return {'dataset': dataset, 'units': names, 'uncoded': uncoded, 'emotions': blocks}


def _motion(clips, datasets, classes):
    """How much moves in each channel, by data set and class; '' is every class."""
    rows, annotated = [], clips.annotated
    for name in datasets:
        for title in (*classes, ''):
            here = (annotated.dataset == name) & ((annotated.label == title) | (title == ''))
            for between, channels in MOTIONS.items():
                for channel, values in zip(channels, clips.motion[between][here].T, strict=True):
                    summary = figures.summary(values)
                    if summary['clips']:
                        about = {'dataset': name, 'class': title, 'between': between}
                        rows.append({**about, 'channel': channel, **summary})
    return rows


def association(
    annotated: Annotations, datasets: tuple[str, ...], classes: tuple[str, ...]
) -> dict[str, float | int | dict[str, str] | None]:
    """Return how much data set and subject alone say of the class.

    Args:
        annotated: of all clips.
        datasets, classes: in their order.

    Returns:
        cramers_v of data set and class (None for one data set), and the accuracy of three rules
        on the clips that they were made from: the most frequent class of all, of the data set, of
        the subject.
    """
    whole = np.char.add(np.char.add(annotated.dataset, '/'), annotated.subject)
    subjects = tuple(np.unique(whole).tolist())
    by_dataset = figures.counts(annotated.dataset, annotated.label, datasets, classes)
    by_subject = figures.counts(whole, annotated.label, subjects, classes)
    return {
        'cramers_v': figures.cramers_v(by_dataset),
        'majority': figures.rule_accuracy(by_dataset.sum(0, keepdims=True)),
        'dataset_rule': figures.rule_accuracy(by_dataset),
        'subject_rule': figures.rule_accuracy(by_subject),
        'one_class_subjects': int((np.count_nonzero(by_subject, axis=1) == 1).sum()),
        'populations': {name: annotations.POPULATIONS.get(name, '') for name in datasets},
    }


def missing(clips: Clips) -> list[str]:
    """Return a line for each fact that the clips of a data set lack, which nothing replaces."""
    lines, annotated = [], clips.annotated
    unmeasured = {
        'no frame rate, so no durations in milliseconds': annotated.fps == 0,
        'no onset or offset': (annotated.onset < 0) | (annotated.offset < 0),
        'an apex that nobody annotated; durations to and from it leave them out': ~clips.seen,
        'an apex outside onset and offset, or unknown': np.isnan(clips.position),
        'action units that nobody coded': np.isnan(annotated.units).any(1),
        'no flow in pixels from onset to apex': np.isnan(clips.motion[TO_APEX][:, 0]),
        'no flow from onset to the magnified apex': np.isnan(clips.motion[TO_MAGNIFIED][:, 0])
        & np.isnan(clips.motion[MAGNITUDES][:, [1, 3]]).all(1),
    }
    if not annotated.unit_names:
        unmeasured['action units that nobody coded'] = np.ones(len(annotated.clip), bool)
    for name in np.unique(annotated.dataset):
        here = annotated.dataset == name
        for words, rows in unmeasured.items():
            count = int((rows & here).sum())
            if count:
                number = 'all' if count == here.sum() else f'{count} of'
                lines.append(f'{name}: {number} {here.sum()} clips have {words}')
    return lines


def _left_out(dropped):
    """How many clips have no class in the label scheme, by reason."""
    counted = Counter((dataset, reason) for _, _, dataset, _, reason in dropped)
    keys = ('dataset', 'reason')
    return [
        dict(zip(keys, words, strict=True)) | {'clips': count}
        for words, count in counted.most_common()
    ]


def _build(audits):
    """What each build did: rows by status, changed rows by the kind of their reason, each row."""
    blocks = []
    for name, rows in audits.items():
        kinds = Counter()
        for row in rows:
            kinds.update((row.status, kind) for kind in audit.reason_kinds(row))
        changed = [row for row in rows if row.status in ('repaired', 'dropped')]
        blocks.append(
            {
                'data_set': name,
                'statuses': dict(Counter(row.status for row in rows)),
                'kinds': [[status, kind, count] for (status, kind), count in kinds.most_common()],
                'rows': [list(row) for row in changed],
            }
        )
    return blocks


def typical_rows(clips: Clips, classes: tuple[str, ...]) -> list[int]:
    """Return a clip of each data set and class: the one whose motion is nearest to the median.

    Clips of subjects that may never be shown are passed over.

    Args:
        clips: of all data sets.
        classes: in their order.
    """
    rows, annotated = [], clips.annotated
    moved = clips.motion[TO_APEX][:, CHANNELS.index('magnitude')]
    moved = np.where(np.isnan(moved), np.nanmax(clips.motion[MAGNITUDES], axis=1, initial=0), moved)
    shown = [
        not describe_page.forbidden(dataset, subject)
        for dataset, subject in zip(annotated.dataset, annotated.subject, strict=True)
    ]
    for name in np.unique(annotated.dataset):
        for title in classes:
            members = (annotated.dataset == name) & (annotated.label == title) & shown
            if members.any():
                rows.append(figures.typical(moved, members))
    return rows


def _example(record, row):
    """What is drawn of a clip."""
    return describe_page.Example(
        row=row,
        key_frames=record.get('key_frames'),
        flow=record['flow'] if 'flow' in record else _flow_to_apex(record),
        image=record.get('image'),
    )
