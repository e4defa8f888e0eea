"""Pictures of what a network looks at: maps laid over faces that may be shown, or over a schematic
face.

What is written here may end on a page for everybody: licensed faces are drawn on request only, two
subjects never.
"""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess.schematic import schematic
from mer_jax.report import plots
from mer_jax.report.scenarios import choose, scenarios, unit_sets, unit_title
from mer_jax.runfiles import files as workdir
from mer_jax.runfiles import writing
from mer_jax.runfiles.explanations import Captions, PictureRow, PictureTable

FOLDER = workdir.EXPLAIN
MAPS = 'maps.npz'
MONTAGE, SCENARIOS, FEATURES = 'montage.png', 'scenarios.png', 'au_features.png'
IN_MONTAGE = 12
SIDE = 224  # pixels, to which smaller pictures are enlarged
PANELS = ['face', 'motion (On-A)', 'AU-CAM', 'Grad-CAM']
NEVER = {12, 22}  # subjects of CASME II whose pictures its release form forbids to publish
TITLES = {
    'subjects': 'Same emotion and AU,\ntwo subjects',
    'clips': 'Same emotion and AU,\none subject',
    'emotions': 'Same AU,\ntwo emotions',
}
LACKS = {
    'subjects': 'two subjects with the same emotion and a shared action unit',
    'clips': 'two clips of one subject with the same emotion and a shared action unit',
    'emotions': 'two clips of different emotions with a shared action unit',
}


class Background(NamedTuple):
    """What the maps of a clip are laid over."""

    image: np.ndarray  # uint8[H, W]
    kind: str  # for index.csv
    notice: str  # what must stand beside the picture; '' nothing
    hidden: bool  # whether no picture of this clip may be shown at all, flow included


class Group(NamedTuple):
    """Pictures in rows and columns under a title."""

    title: str
    columns: list  # a title each, that of the labels first where there are any
    labels: list  # words left of each row, or none at all
    rows: list  # of lists of uint8[H, W] or uint8[H, W, 3]; None says 'not shown'


class Shown(NamedTuple):
    """A clip as it is drawn."""

    line: list  # cells of index.csv, up to action_units
    panels: list  # pictures in the order of PANELS; None is not shown
    background: Background


def overlay(background, cam) -> np.ndarray:
    """uint8[H, W, 3] RGB: a map float[h, w] of 0..1 in the jet colours, half and half with a
    picture uint8[H, W].
    """
    cam = cv2.resize(
        np.asarray(cam, np.float32), background.shape[::-1], interpolation=cv2.INTER_LINEAR
    )
    jet = cv2.applyColorMap(np.round(np.clip(cam, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_JET)[
        ..., ::-1
    ]
    return np.round(jet / 2 + background[..., None] / 2).astype(np.uint8)


def background(gray, dataset, subject, *, faces) -> Background:
    """What may stand behind the maps of a clip with face uint8[H, W].

    Synthetic faces are shown as they are. Those of a release are replaced by the schematic face
    unless `faces` asks for them; subjects 12 and 22 of CASME II are not shown whatever is asked.
    """
    gray = np.asarray(gray, np.uint8)
    if forbidden(dataset, subject):
        return Background(
            schematic(len(gray)), 'schematic face (this subject may not be shown)', '', True
        )
    if dataset == 'synthetic':
        return Background(gray, 'own face (synthetic)', '', False)
    if not faces:
        return Background(schematic(len(gray)), 'schematic face', '', False)
    notice = (
        'CASME II © Xiaolan Fu; research only'
        if _is_casme2(dataset)
        else f'{dataset}: its licence decides on publishing'
    )
    return Background(gray, 'own face', notice, False)


def forbidden(dataset, subject) -> bool:
    """Whether the release form of a data set forbids every picture of a subject."""
    return _is_casme2(dataset) and bool(
        NEVER & {int(digits) for digits in re.findall(r'\d+', subject)}
    )


def _is_casme2(dataset):
    return re.sub(r'[^a-z0-9]', '', dataset.lower()).startswith(('casme2', 'casmeii'))


def pictures(path, groups, *, side, foot='') -> None:
    """Groups of pictures beside each other, each picture `side` inches wide, over a line of small
    print.
    """
    words = [_words_width(group.labels) for group in groups]
    widths = [wide + side * len(group.rows[0]) for wide, group in zip(words, groups, strict=True)]
    lines = (
        max(group.title.count('\n') for group in groups)
        + max(t.count('\n') for group in groups for t in group.columns)
        + 2
    )
    height = (
        max(len(group.rows) for group in groups) * (side + 0.06)
        + 0.17 * lines
        + 0.1
        + 0.25 * bool(foot)
    )
    with plots.saved(path, (sum(widths) + 0.2 * len(groups), height)) as figure:
        parts = figure.subfigures(1, len(groups), squeeze=False, width_ratios=widths, wspace=0.03)[
            0
        ]
        for part, group, wide in zip(parts, groups, words, strict=True):
            _group(part, group, [wide / side] * bool(group.labels) + [1] * len(group.rows[0]))
        if foot:
            figure.supxlabel(foot, fontsize=7, color='#5b6875', parse_math=False)


def _group(part, group, ratios):
    """Draw a group into its part of a figure."""
    if group.title:
        part.suptitle(group.title, fontsize=9.5, color='#1d2733', parse_math=False)
    grid = part.subplots(len(group.rows), len(ratios), squeeze=False, width_ratios=ratios)
    for line, row, label in zip(
        grid, group.rows, group.labels or [''] * len(group.rows), strict=True
    ):
        if label:
            line[0].axis('off')
            line[0].text(
                0, 0.5, label, va='center', fontsize=7.5, color='#1d2733', parse_math=False
            )
        for axes, image in zip(line[-len(row) :], row, strict=True):
            _picture(axes, image)
    for axes, title in zip(grid[0], group.columns, strict=True):
        axes.set_title(title, fontsize=7.5, parse_math=False)


def _words_width(labels):
    """Inches that the longest line of some labels takes."""
    return max(
        (0.064 * len(line) + 0.15 for label in labels for line in label.splitlines()), default=0
    )


def write(folder, explained, names, *, faces, count) -> list:
    """Draw what the network looks at into <folder>/explain/ and return the paths written.

    One picture a clip for up to `count` clips, index.csv with a line for each, montage.png,
    scenarios.png and au_features.png, captions.json, which says in words what the three show or why
    one is missing, and maps.npz with the maps (float16[R, H, W] in 0..1) and features of every
    clip, no faces. Files that an earlier call listed are removed first. explained: Explained,
    names: Names. Raises UserError on a count below 1, on no rows and on maps or features that are
    not finite.
    """
    _check(explained, count)
    folder = Path(folder) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    rows = choose(explained, count)
    shown = {row: _shown(explained, names, row, faces) for row in rows}
    files = [_file_name(place, shown[row].line[0]) for place, row in enumerate(rows, 1)]
    lines = [
        PictureRow(*shown[row].line, file, shown[row].background.kind)
        for row, file in zip(rows, files, strict=True)
    ]
    # before the pictures: what it does not list, nothing removes
    PictureTable(tuple(lines)).write(folder)
    for row, file in zip(rows, files, strict=True):
        group = Group(_heading(shown[row]), PANELS, [], [shown[row].panels])
        pictures(folder / file, [group], side=2.0, foot=shown[row].background.notice)
    captions = {
        MONTAGE: _montage(folder, [shown[row] for row in rows[:IN_MONTAGE]], len(explained.clip)),
        SCENARIOS: _scenarios(folder, explained, names, faces),
        FEATURES: plots.au_features(
            folder / FEATURES,
            explained.features,
            unit_sets(explained.action_units, names.action_units),
        ),
    }
    Captions(captions).write(folder)
    _write_maps(folder / MAPS, explained, names)
    written = (*files, PictureTable.FILE, *captions, Captions.FILE, MAPS)
    return [path for path in (folder / name for name in written) if path.exists()]


def _write_maps(path, explained, names):
    cams = {name: getattr(explained, name).astype(np.float16) for name in ('au_cam', 'grad_cam')}
    clips = np.array([names.clips[clip] for clip in explained.clip])
    with writing.replacing(path) as file:
        np.savez_compressed(file, clip=clips, features=explained.features, **cams)


def _check(explained, count):
    """UserError where there is nothing to draw, or nothing that can be."""
    if count < 1:
        raise UserError(f'explain: {count} clips asked for; needs 1 or more')
    if not len(explained.clip):
        raise UserError('explain: no clip was held out, so there is nothing to show')
    for name in ('au_cam', 'grad_cam', 'features'):
        if not np.isfinite(getattr(explained, name)).all():
            raise UserError(
                f'explain: {name} holds values that are not finite; the training seems to have '
                'diverged'
            )


def _clear(folder):
    """Remove what an earlier call wrote: pictures of faces must not outlive a call that asks for
    none.
    """
    rows = PictureTable.read(folder).rows if (folder / PictureTable.FILE).exists() else ()
    drawn = [Path(row.file).name for row in rows]
    for name in (*drawn, MONTAGE, SCENARIOS, FEATURES, Captions.FILE, MAPS, PictureTable.FILE):
        (folder / name).unlink(missing_ok=True)


def _file_name(place, clip):
    """A name that every file system takes, and that no other clip has."""
    return f'{place:03d}_{re.sub(r"[^A-Za-z0-9_-]+", "_", clip)[:80]}.png'


def _shown(explained, names, row, faces):
    """Words and panels of a row."""
    gray, on_a = _enlarged(explained.gray[row]), _enlarged(explained.on_a[row])
    dataset, subject = (
        names.datasets[explained.dataset[row]],
        names.subjects[explained.subject[row]],
    )
    behind = background(gray, dataset, subject, faces=faces)
    motion = cv2.applyColorMap(on_a, cv2.COLORMAP_MAGMA)[..., ::-1]
    maps = [overlay(behind.image, cam[row]) for cam in (explained.au_cam, explained.grad_cam)]
    units = unit_sets(explained.action_units[row : row + 1], names.action_units)[0]
    words = names.clips[explained.clip[row]], subject, dataset, names.classes[explained.label[row]]
    line = [*words, names.classes[explained.predicted[row]], unit_title(units)]
    return Shown(line, [behind.image, None if behind.hidden else motion, *maps], behind)


def _enlarged(image):
    """A picture uint8[H, W] of at least SIDE pixels."""
    size = max(SIDE, len(image))
    return cv2.resize(np.asarray(image, np.uint8), (size, size), interpolation=cv2.INTER_CUBIC)


def _answer(shown):
    """'happiness → surprise (wrong)'."""
    truth, predicted = shown.line[3:5]
    return f'{truth} → {predicted}' + ('' if truth == predicted else ' (wrong)')


def _heading(shown):
    clip, subject, dataset, truth, predicted, units = shown.line
    where = f'{dataset}, subject {subject}; {shown.background.kind}'
    return _wrapped(100, f'{clip}: {units}; truth {truth}, predicted {predicted}', where)


def _wrapped(width, *lines):
    """Lines of at most `width` characters."""
    return '\n'.join('\n'.join(textwrap.wrap(line, width)) for line in lines)


def _notices(rows):
    """Each notice that one of the rows needs, once."""
    return '; '.join(
        dict.fromkeys(shown.background.notice for shown in rows if shown.background.notice)
    )


def _montage(folder, rows, count):
    """Draw some clips under each other; their caption."""
    labels = [_wrapped(34, shown.line[0], shown.line[5], _answer(shown)) for shown in rows]
    group = Group('', ['truth → predicted', *PANELS], labels, [shown.panels for shown in rows])
    pictures(folder / MONTAGE, [group], side=0.95, foot=_notices(rows))
    kinds = ', '.join(dict.fromkeys(shown.background.kind for shown in rows))
    return (
        f'{len(rows)} of {count} held-out clips, spread over classes and subjects without a look '
        'at the answers; the network '
        'is that of the fold which left the clip out. Motion: size of the flow from the onset to '
        'the (magnified) apex, bright is '
        'much. AU-CAM: where the strongest action-unit feature comes from. Grad-CAM: where the '
        'answer comes from. Red counts '
        'most, blue least; each map is scaled by itself, and so is each half where eyes and '
        'mouth have a branch of their own, '
        f'so colours of two maps or halves do not compare. Behind the maps: {kinds}.'
    )


def _scenarios(folder, explained, names, faces):
    """Draw the pairs of the scenarios; their caption, which says which are missing."""
    pairs = scenarios(explained)
    found = {
        name: [_shown(explained, names, row, faces) for row in pair]
        for name, pair in pairs.items()
        if pair
    }
    groups = []
    for name, two in found.items():
        titles = [_wrapped(22, shown.line[0], shown.line[5], _answer(shown)) for shown in two]
        maps = [[shown.panels[panel] for shown in two] for panel in (2, 3)]
        groups.append(
            Group(TITLES[name], titles, [], maps)
            if groups
            else Group(TITLES[name], ['', *titles], PANELS[2:], maps)
        )
    if groups:
        foot = _notices([shown for two in found.values() for shown in two])
        pictures(folder / SCENARIOS, groups, side=1.45, foot=foot)
    missing = '; '.join(LACKS[name] for name, pair in pairs.items() if not pair)
    words = (
        'AU-CAM above Grad-CAM for pairs of clips; right answers are preferred here.'
        if groups
        else 'Scenarios: none.'
    )
    return f'{words} Not among these clips: {missing}.' if missing else words


def _picture(axes, image):
    """A picture without axes, or that there is none to show."""
    axes.set(xticks=[], yticks=[], aspect='equal')
    axes.spines[:].set_visible(False)
    if image is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), facecolor='#eef1f4')
        axes.text(0.5, 0.5, 'not shown', ha='center', va='center', fontsize=8, color='#5b6875')
    else:
        axes.imshow(image, cmap='gray', vmin=0, vmax=255)
