"""The page about a data set: describe.html, with what it shows as JSON and CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np

from mer_jax import provenance
from mer_jax.data.annotations import CHANNELS, MOTIONS, TIMES, TO_APEX, TO_MAGNIFIED, Clips
from mer_jax.report import alt_texts, page, picture_grid, plots_describe
from mer_jax.report import describe_tables as tables
from mer_jax.report.formats import measure, plural
from mer_jax.report.overlays import forbidden as forbidden
from mer_jax.report.picture_grid import Bar, Group
from mer_jax.report.style import SHARES, SIGNED, ramp
from mer_jax.report.table import html
from mer_jax.runfiles import writing

NAME = 'describe'
EXAMPLES = 'plots/examples.png'
SHOWN = {'synthetic'}  # data sets whose faces may be published
LEVELS = (0.0, 99.5)  # percentiles that colours of motion reach to
SIDE = 160  # pixels of a picture, to which smaller ones are enlarged
FACES, MOTION, IMAGES = ('onset', 'apex'), ('u', 'v', 'strain'), ('On-A', 'Off-A')


class Example(NamedTuple):
    """A clip that is drawn; None for what its data set does not store."""

    row: int  # of Clips
    key_frames: np.ndarray | None  # uint8[3, H, W]: onset, apex, offset
    flow: np.ndarray | None  # [H, W, 2 or 3]: u, v and strain; bytes where they are stretched
    image: np.ndarray | None  # uint8[H, W, 3]: magnified face, On-A, Off-A


def write(folder: Path, figures: dict, clips: Clips, examples: Sequence[Example]) -> None:
    """Write describe.html, .json and .csv with plots/, and print their paths.

    Args:
        folder: for the files.
        figures: what describe.json holds.
        clips: what they were made from.
        examples: clips to draw.
    """
    paths = {kind: folder / f'{NAME}.{kind}' for kind in ('html', 'json', 'csv')}
    figures = writing.plain(figures)
    writing.write_json(paths['json'], figures)
    writing.write_csv(paths['csv'], *clip_table(clips))
    pictures = Pictures(folder, figures, clips)
    text = page.render(
        'describe.html',
        title=f'Data of {figures["name"]}',
        size=size(figures),
        tiles=_tiles(figures),
        missing=figures['missing'],
        classes=html(tables.classes(figures)),
        emotions=html(tables.emotions(figures)),
        class_bars=pictures.classes(),
        subject_bars=pictures.subjects(),
        subjects=html(tables.subjects(figures)),
        confounded=confounded(figures),
        durations=_shown(tables.durations(figures)),
        duration_bars=pictures.durations(),
        positions=_shown(tables.positions(figures)),
        position_bars=pictures.positions(),
        units=[_units(block, pictures) for block in figures['units']],
        motion=_motion(figures, pictures),
        examples=_examples(folder, clips, examples),
        builds=[_build(block) for block in figures['build']],
        left_out=html(tables.left_out(figures)) if figures['left_out'] else None,
        labels=figures['labels'],
        code=provenance.describe(provenance.code()),
    )
    writing.write_text(paths['html'], text)
    print(size(figures))
    for line in [*figures['missing'], *confounded(figures)]:
        print(f'  {line}')
    for path in paths.values():
        print(f'{NAME}: {path}')


def _tiles(figures):
    """Numbers of clips, subjects and classes."""
    counts = [sum(column) for column in zip(*figures['clips'], strict=True)]
    of_classes = [
        f'{count} {title}' for count, title in zip(counts, figures['classes'], strict=True)
    ]
    return [
        page.Tile('clips', str(sum(counts)), ', '.join(of_classes)),
        page.Tile(
            'subjects', str(len(figures['subjects'])), f'of {", ".join(figures["datasets"])}'
        ),
        page.Tile('classes', str(len(counts)), f'labels {figures["labels"]}'),
    ]


def size(figures: dict) -> str:
    """Data sets, clips, subjects and label scheme in words."""
    count = sum(map(sum, figures['clips']))
    sheets = f' (sheets: {", ".join(figures["editions"])})' if figures['editions'] else ''
    return (
        f'{figures["data"]}: {plural(count, "clip")} of '
        f'{plural(len(figures["subjects"]), "subject")}{sheets}; labels {figures["labels"]}'
    )


def clip_table(clips: Clips) -> tuple[list[str], list[list]]:
    """The header and a row for each clip: annotations, times and motion."""
    annotated = clips.annotated
    plain = ('clip', 'subject', 'dataset', 'emotion', 'label', 'onset', 'apex', 'offset')
    names = [*plain, 'apex_source', 'fps']
    header = [*names, *(f'{what} ms' for what in TIMES), 'apex position', 'action units']
    header += [f'{between}: {name}' for between, channels in MOTIONS.items() for name in channels]
    measured = [*clips.times.values(), clips.position]
    rows = []
    for row in range(len(annotated.clip)):
        cells = [getattr(annotated, name)[row].item() for name in names]
        cells += [_number(values[row]) for values in measured]
        cells.append(_unit_cell(annotated, row))
        for values in clips.motion.values():
            cells += [_number(value) for value in values[row]]
        rows.append(cells)
    return header, rows


def _number(value):
    """A figure for CSV, '' where it is unknown."""
    return '' if np.isnan(value) else float(value)


def _unit_cell(annotated, row):
    """'4+7' of a clip, 'none', or '' where nobody coded it."""
    units = annotated.units[row]
    if not len(units) or np.isnan(units).any():
        return ''
    pairs = zip(annotated.unit_names, units, strict=True)
    return '+'.join(name for name, present in pairs if present) or 'none'


def confounded(figures: dict) -> list[str]:
    """Sentences about what cannot be told apart: data set and population, subject and class."""
    about = figures['association']
    known = [
        f'{name}: {words}' if words else f'{name}: not stated in the publications used here'
        for name, words in about['populations'].items()
    ]
    lines = [f'Population. {"; ".join(known)}.']
    if len(figures['datasets']) > 1:
        lines.append(
            'Data set and population are confounded: each subject belongs to one data set, and '
            'camera, place, elicitation and coders change with it. A difference of scores between '
            'data sets cannot be put down to one of these, such as ethnic group.'
        )
        lines.append(
            f'Classes over data sets: Cramér V {measure(about["cramers_v"], 2)} '
            '(0: alike, 1: each data set has classes of its own). Answering with the most '
            f'frequent class of the data set is right for {_percent(about["dataset_rule"])} of '
            f'the clips, with that of all for {_percent(about["majority"])}.'
        )
    else:
        lines.append(
            'All clips are of one data set: what is particular to its population, camera and '
            'coders cannot be told apart from the expressions. Leaving data sets out needs several.'
        )
    lines.append(
        'Subject and class: answering with the most frequent class of the subject is right for '
        f'{_percent(about["subject_rule"])} of the clips, with that of all for '
        f'{_percent(about["majority"])}. The further apart, the more a split that leaves clips of '
        'one subject on both sides rewards recognising people. '
        f'{about["one_class_subjects"]} of {len(figures["subjects"])} subjects have clips of one '
        'class alone.'
    )
    return lines


def _percent(share):
    return f'{100 * share:.0f} %'


def _shown(table):
    """A table as HTML; None where it has no row."""
    return html(table) if table.rows else None


class Pictures(NamedTuple):
    """The plots of the page, each drawn into plots/ when it is asked for; None without a value."""

    folder: Path
    figures: dict
    clips: Clips

    def classes(self) -> page.Picture:
        """Clips by class."""
        figures = self.figures
        return page.plot(
            self.folder,
            'classes',
            'Clips of each class; n counts those of a data set.',
            plots_describe.classes,
            np.array(figures['clips']),
            figures['datasets'],
            figures['classes'],
        )

    def subjects(self) -> page.Picture:
        """Clips by subject and class."""
        return page.plot(
            self.folder,
            'subjects',
            'Clips of each subject, by class.',
            plots_describe.subjects,
            self.figures['subjects'],
            self.figures['classes'],
        )

    def _by_dataset(self, values, rows):
        """{data set: values of the chosen rows}."""
        datasets = self.clips.annotated.dataset
        return {name: values[(datasets == name) & rows] for name in self.figures['datasets']}

    def durations(self) -> page.Picture | None:
        """Histograms of the three times."""
        every = np.ones(len(self.clips.position), bool)
        panels = {what: self._by_dataset(times, every) for what, times in self.clips.times.items()}
        if all(np.isnan(times).all() for times in self.clips.times.values()):
            return None
        caption = 'Dashed: median.'
        return page.plot(
            self.folder, 'durations', caption, plots_describe.histograms, panels, 'milliseconds'
        )

    def positions(self) -> page.Picture | None:
        """Histograms of the place of the apex: annotated, and estimated by the build."""
        seen, position = self.clips.seen, self.clips.position
        panels = {
            'annotated': self._by_dataset(position, seen),
            'estimated, nobody annotated it': self._by_dataset(position, ~seen),
        }
        if np.isnan(position).all():
            return None
        caption = '0 is the onset, 1 the offset; dashed: median.'
        return page.plot(
            self.folder, 'positions', caption, plots_describe.histograms, panels, 'position', 1.0
        )

    def units(self, block: dict) -> list[page.Picture]:
        """Action units of a data set by emotion, and their pairs."""
        name, emotions = block['dataset'], block['emotions']
        pairs = {
            f'{one["emotion"]} (n = {one["clips"]})': np.array(one['pairs']) for one in emotions
        }
        counts = np.array([table.diagonal() for table in pairs.values()])
        rows = [(one['emotion'], one['clips']) for one in emotions]
        return [
            page.plot(
                self.folder,
                f'units_{name}',
                'Clips of each emotion that show an action unit; shade: their share.',
                plots_describe.unit_counts,
                counts,
                block['units'],
                rows,
            ),
            page.plot(
                self.folder,
                f'pairs_{name}',
                'How often two action units stand together, by emotion; the diagonal: each unit. '
                'The most frequent units are shown.',
                plots_describe.unit_pairs,
                pairs,
                block['units'],
            ),
        ]

    def motion(self, dataset: str) -> page.Picture | None:
        """Motion of a data set by class and channel."""
        annotated = self.clips.annotated
        panels = {}
        for place, channel in enumerate(CHANNELS):
            groups = {}
            for between in (TO_APEX, TO_MAGNIFIED):
                values = self.clips.motion[between][:, place]
                usable = (annotated.dataset == dataset) & ~np.isnan(values)
                if usable.any():
                    groups[between] = {
                        title: values[usable & (annotated.label == title)]
                        for title in self.figures['classes']
                    }
            if groups:
                panels[channel] = groups
        if not panels:
            return None
        caption = (
            f'{dataset}: mean absolute value of each channel over a clip, in pixels of the stored '
            'picture. Boxes: half of the clips; whiskers: nine of ten.'
        )
        return page.plot(self.folder, f'motion_{dataset}', caption, plots_describe.motion, panels)


def _units(block, pictures):
    """Action units of a data set."""
    if not block['emotions'] or not block['units']:
        return {'dataset': block['dataset'], 'pictures': [], 'sets': None}
    return {
        'dataset': block['dataset'],
        'pictures': pictures.units(block),
        'sets': html(tables.unit_sets(block)),
    }


def _motion(figures, pictures):
    """How much moves, in pixels and as images of bytes; None where nothing is stored."""
    if not figures['motion']:
        return None
    drawn = [pictures.motion(name) for name in figures['datasets']]
    return {
        'pixels': _shown(tables.motion(figures)),
        'levels': _shown(tables.magnitudes(figures)),
        'sentences': tables.magnified(figures),
        'pictures': [picture for picture in drawn if picture],
    }


def _build(block):
    """What a build did with its source."""
    statuses = ', '.join(f'{count} {status}' for status, count in block['statuses'].items())
    changed = html(tables.changed(block)) if block['rows'] else None
    return {
        'data_set': block['data_set'],
        'statuses': statuses,
        'kinds': html(tables.build(block)) if block['kinds'] else None,
        'changed': changed,
        'count': plural(len(block['rows']), 'repaired or dropped row'),
    }


def _examples(folder, clips, examples):
    """The picture of example clips, or why there is none."""
    drawn = [(example, panels(clips, example)) for example in examples]
    titles = [
        title
        for title in (*FACES, *MOTION, *IMAGES)
        if any(title in pictures for _, pictures in drawn)
    ]
    if not titles:
        (folder / EXAMPLES).unlink(missing_ok=True)
        return {'picture': None, 'words': 'No flow is stored that could be drawn.'}
    labels = [_label(clips, example) for example, _ in drawn]
    rows = [[pictures.get(title) for title in titles] for _, pictures in drawn]
    group = Group('', titles, labels, rows)
    bars = [
        Bar(ramp(SIGNED), 'left or up, still, right or down: u, v'),
        Bar(ramp(), 'little to much: strain, On-A, Off-A'),
    ]
    picture_grid.draw(folder / EXAMPLES, [group], bars)
    datasets = {clips.annotated.dataset[example.row].item() for example, _ in drawn}
    hidden = sorted(datasets - SHOWN)
    words = (
        'A clip of each data set and class, the one whose motion is nearest to the median. u and '
        'v: flow from onset to apex, red to the right and down, blue to the left and up, grey '
        'still; strain: yellow is much. Each picture is scaled by itself.'
    )
    if any(example.flow is not None and example.flow.dtype == np.uint8 for example, _ in drawn):
        words += ' Of flow stored as bytes the value of no motion is unknown: grey is the middle.'
    if hidden:
        words += (
            f' Faces of {", ".join(hidden)} are not shown: pictures of real people are licensed.'
        )
    alt = alt_texts.examples(labels, titles)
    return {'picture': page.picture(folder / EXAMPLES, words, alt), 'words': ''}


def _label(clips, example):
    """Clip, class and action units beside its pictures."""
    annotated, row = clips.annotated, example.row
    units = _unit_cell(annotated, row)
    titles = [annotated.clip[row], annotated.label[row], f'AU {units}' if units else 'AU unknown']
    return ', '.join(map(str, titles))


def panels(clips: Clips, example: Example) -> dict[str, np.ndarray]:
    """Return the pictures of a clip that may be shown: faces of SHOWN alone.

    Args:
        clips: of which the example is a row.
        example: what is stored of it.

    Returns:
        {title: uint8[H, W] or [H, W, 3]}.
    """
    pictures = {}
    if example.key_frames is not None and clips.annotated.dataset[example.row] in SHOWN:
        pictures |= dict(zip(FACES, example.key_frames, strict=False))
    if example.flow is not None:
        channels = np.moveaxis(example.flow.astype(np.float32), -1, 0)
        still = 127.5 if example.flow.dtype == np.uint8 else 0.0
        for title, channel in zip(MOTION, channels, strict=False):
            is_strain = title == MOTION[-1]
            pictures[title] = bright(channel) if is_strain else signed(channel - still)
    if example.image is not None:
        pictures |= {
            title: bright(example.image[..., 1 + place]) for place, title in enumerate(IMAGES)
        }
    return {title: _enlarged(picture) for title, picture in pictures.items()}


def signed(channel: np.ndarray) -> np.ndarray:
    """Colours of values around 0: blue below, grey, red above.

    Args:
        channel: float[H, W].

    Returns:
        uint8[H, W, 3] RGB.
    """
    largest = max(np.percentile(np.abs(channel), LEVELS[1]), 1e-9)
    return _coloured(channel / largest / 2 + 0.5, SIGNED)


def bright(channel: np.ndarray) -> np.ndarray:
    """Colours of values from 0 on: violet is nothing, yellow is much.

    Args:
        channel: [H, W].

    Returns:
        uint8[H, W, 3] RGB.
    """
    low, high = np.percentile(channel, LEVELS)
    return _coloured((channel - low) / max(high - low, 1e-9), SHARES)


def _coloured(values, colours):
    shades = matplotlib.colormaps[colours](np.clip(values, 0, 1))
    return np.round(255 * shades[..., :3]).astype(np.uint8)


def _enlarged(picture):
    """A picture of at least SIDE pixels."""
    side = max(SIDE, len(picture))
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
