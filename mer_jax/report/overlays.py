"""Pictures of what a network looks at: maps over faces.

The pictures may end up on a public page. Therefore licensed faces are drawn on request only, else a
schematic face; two subjects never.
"""

import itertools
import re
import textwrap
from collections.abc import Sequence
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
from mer_jax.types import Explained, Names

FOLDER = workdir.EXPLAIN
MAPS = 'maps.npz'  # and features of held-out clips
MONTAGE, SCENARIOS, FEATURES = 'montage.png', 'scenarios.png', 'au_features.png'
OF_ALL_ROWS = 'au_features_all_rows.png'
OVERVIEWS = (MONTAGE, SCENARIOS, FEATURES, OF_ALL_ROWS)
IN_MONTAGE = 12  # clips
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
    """The picture under the maps of a clip."""

    image: np.ndarray  # uint8[H, W]
    kind: str  # for index.csv
    notice: str  # that must stand beside the picture; '' where none is needed
    hidden: bool  # whether no picture of this clip may be shown, flow included


class Group(NamedTuple):
    """Pictures in rows and columns under a title."""

    title: str
    columns: list[str]  # titles; the first is that of the labels, where there are labels
    labels: list[str]  # left of each row; empty for none
    # of uint8[H, W] or uint8[H, W, 3]; None is drawn as 'not shown'
    rows: list[list[np.ndarray | None]]


class Shown(NamedTuple):
    """A clip to draw."""

    cells: list[str]  # of index.csv, up to action_units
    panels: list[np.ndarray | None]  # in the order of PANELS; None is drawn as 'not shown'
    background: Background


def overlay(background: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Blend a map in jet colours with a picture.

    Args:
        background: uint8[H, W].
        cam: float[h, w] of 0..1.

    Returns:
        uint8[H, W, 3] RGB.
    """
    cam = np.asarray(cam, np.float32)
    cam = cv2.resize(cam, background.shape[::-1], interpolation=cv2.INTER_LINEAR)
    levels = np.round(np.clip(cam, 0, 1) * 255).astype(np.uint8)
    jet = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    return np.round(jet / 2 + background[..., None] / 2).astype(np.uint8)


def background(gray: np.ndarray, dataset: str, subject: str, *, faces: bool) -> Background:
    """Choose the picture under the maps of a clip.

    A synthetic face is shown. A face of a release is replaced by a schematic face unless `faces` is
    set; subjects 12 and 22 of CASME II are never shown.

    Args:
        gray: face uint8[H, W].
        dataset, subject: names.
        faces: whether to show licensed faces.
    """
    gray = np.asarray(gray, np.uint8)
    if forbidden(dataset, subject):
        kind = 'schematic face (this subject may not be shown)'
        return Background(schematic(len(gray)), kind, '', True)
    if dataset == 'synthetic':
        return Background(gray, 'own face (synthetic)', '', False)
    if not faces:
        return Background(schematic(len(gray)), 'schematic face', '', False)
    notice = f'{dataset}: its licence decides on publishing'
    if _is_casme2(dataset):
        notice = 'CASME II © Xiaolan Fu; research only'
    return Background(gray, 'own face', notice, False)


def forbidden(dataset: str, subject: str) -> bool:
    """Return whether a licence forbids all pictures of a subject."""
    numbers = {int(digits) for digits in re.findall(r'\d+', subject)}
    return _is_casme2(dataset) and bool(NEVER & numbers)


def _is_casme2(dataset):
    return re.sub(r'[^a-z0-9]', '', dataset.lower()).startswith(('casme2', 'casmeii'))


def figure_grid(path: str | Path, groups: Sequence[Group], *, side: float, foot: str = '') -> None:
    """Draw groups of pictures beside each other.

    Args:
        path: of the file.
        groups: from left to right.
        side: height and width of each picture in inches.
        foot: a line of small print below.
    """
    label_widths = [_label_width(group.labels) for group in groups]
    widths = [
        label_width + side * len(group.rows[0])
        for label_width, group in zip(label_widths, groups, strict=True)
    ]
    titles = itertools.chain(*(group.columns for group in groups))
    breaks = max(group.title.count('\n') for group in groups)
    breaks += max(title.count('\n') for title in titles)
    rows = max(len(group.rows) for group in groups)
    height = rows * (side + 0.06) + 0.17 * (breaks + 2) + 0.1
    if foot:
        height += 0.25
    with plots.saved(path, (sum(widths) + 0.2 * len(groups), height)) as figure:
        panels = figure.subfigures(1, len(groups), squeeze=False, width_ratios=widths, wspace=0.03)[
            0
        ]
        for panel, group, label_width in zip(panels, groups, label_widths, strict=True):
            ratios = [1] * len(group.rows[0])
            if group.labels:
                ratios = [label_width / side, *ratios]
            _group(panel, group, ratios)
        if foot:
            figure.supxlabel(foot, fontsize=7, color='#5b6875', parse_math=False)


def _group(panel, group, ratios):
    """Draw a group into its panel of a figure."""
    look = {'color': plots.DARK_INK, 'parse_math': False}
    if group.title:
        panel.suptitle(group.title, fontsize=9.5, **look)
    grid = panel.subplots(len(group.rows), len(ratios), squeeze=False, width_ratios=ratios)
    for axes_row, label in zip(grid, group.labels, strict=False):
        axes_row[0].axis('off')
        axes_row[0].text(0, 0.5, label, va='center', fontsize=7.5, **look)
    for axes_row, row in zip(grid, group.rows, strict=True):
        for axes, image in zip(axes_row[-len(row) :], row, strict=True):
            _picture(axes, image)
    for axes, title in zip(grid[0], group.columns, strict=True):
        axes.set_title(title, fontsize=7.5, parse_math=False)


def _label_width(labels):
    """Width of the longest line of labels in inches."""
    lines = '\n'.join(labels).splitlines()
    return max((0.064 * len(line) + 0.15 for line in lines), default=0)


def write(
    folder: str | Path,
    explained: Explained,
    names: Names,
    *,
    faces: bool,
    count: int,
    whole: Explained | None = None,
) -> list[Path]:
    """Draw what the network looks at into <folder>/explain/.

    The files are: a picture for each of up to `count` clips, and index.csv, which lists them;
    montage.png, scenarios.png and au_features.png, and captions.json, which describes these three
    or says why one is missing; maps.npz with the maps (float16[R, H, W] in 0..1) and features of
    every clip, without faces. The files of an earlier call are removed first.

    Args:
        folder: of the run.
        explained: what to draw.
        names: of its clips, subjects, data sets and classes.
        faces: whether to show licensed faces.
        count: number of clips that have a picture.
        whole: maps of one network that was trained on all clips, for OF_ALL_ROWS.

    Returns:
        The paths written.

    Raises:
        UserError: a count below 1, no rows, or maps or features that are not finite.
    """
    _check(explained, count)
    folder = Path(folder) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    rows = choose(explained, count)
    shown = [_shown(explained, names, row, faces) for row in rows]
    files = [_file_name(number, clip.cells[0]) for number, clip in enumerate(shown, 1)]
    lines = [
        PictureRow(*clip.cells, file, clip.background.kind)
        for clip, file in zip(shown, files, strict=True)
    ]
    # Before the pictures: a later call removes only what the index lists.
    PictureTable(tuple(lines)).write(folder)
    for clip, file in zip(shown, files, strict=True):
        group = Group(_heading(clip), PANELS, [], [clip.panels])
        figure_grid(folder / file, [group], side=2.0, foot=clip.background.notice)
    sets = unit_sets(explained.action_units, names.action_units)
    captions = {
        MONTAGE: _montage(folder, shown[:IN_MONTAGE], len(explained.clip)),
        SCENARIOS: _scenarios(folder, explained, names, faces),
        FEATURES: plots.au_features(folder / FEATURES, explained.features, sets),
    }
    if whole is not None:
        sets = unit_sets(whole.action_units, names.action_units)
        path = folder / OF_ALL_ROWS
        captions[OF_ALL_ROWS] = plots.au_features(path, whole.features, sets, held_out=False)
    Captions(captions).write(folder)
    _write_maps(folder / MAPS, explained, names)
    written = (*files, PictureTable.FILE, *captions, Captions.FILE, MAPS)
    paths = [folder / name for name in written]
    return [path for path in paths if path.exists()]


def _write_maps(path, explained, names):
    cams = {name: getattr(explained, name).astype(np.float16) for name in ('au_cam', 'grad_cam')}
    clips = np.array([names.clips[clip] for clip in explained.clip])
    with writing.replacing(path) as file:
        np.savez_compressed(file, clip=clips, features=explained.features, **cams)


def _check(explained, count):
    """Refuse a count, or values, that cannot be drawn."""
    if count < 1:
        raise UserError(f'explain: count is {count}; allowed: 1 or more')
    if not len(explained.clip):
        raise UserError('explain: no clip was held out, so there is nothing to draw')
    for name in ('au_cam', 'grad_cam', 'features'):
        if not np.isfinite(getattr(explained, name)).all():
            raise UserError(
                f'explain: {name} holds values that are not finite; the training has probably '
                'diverged'
            )


def _clear(folder):
    """Remove the files of an earlier call.

    Pictures of faces must not stay after a call without faces.
    """
    rows = PictureTable.read(folder).rows if (folder / PictureTable.FILE).exists() else ()
    drawn = [Path(row.file).name for row in rows]
    for name in (*drawn, *OVERVIEWS, Captions.FILE, MAPS, PictureTable.FILE):
        (folder / name).unlink(missing_ok=True)


def _file_name(number, clip):
    """A unique file name that every file system accepts."""
    return f'{number:03d}_{re.sub(r"[^A-Za-z0-9_-]+", "_", clip)[:80]}.png'


def _shown(explained, names, row, faces):
    """The texts and panels of a row."""
    clip = names.clips[explained.clip[row]]
    dataset = names.datasets[explained.dataset[row]]
    subject = names.subjects[explained.subject[row]]
    truth = names.classes[explained.label[row]]
    predicted = names.classes[explained.predicted[row]]
    (units,) = unit_sets(explained.action_units[row : row + 1], names.action_units)
    cells = [clip, subject, dataset, truth, predicted, unit_title(units)]
    behind = background(_enlarged(explained.gray[row]), dataset, subject, faces=faces)
    motion = None
    if not behind.hidden:
        motion = cv2.applyColorMap(_enlarged(explained.on_a[row]), cv2.COLORMAP_MAGMA)[..., ::-1]
    maps = [overlay(behind.image, cam[row]) for cam in (explained.au_cam, explained.grad_cam)]
    return Shown(cells, [behind.image, motion, *maps], behind)


def _enlarged(image):
    """A picture uint8[H, W] of at least SIDE pixels."""
    size = max(SIDE, len(image))
    return cv2.resize(np.asarray(image, np.uint8), (size, size), interpolation=cv2.INTER_CUBIC)


def _outcome(shown):
    """'happiness → surprise (wrong)'."""
    truth, predicted = shown.cells[3:5]
    wrong = '' if truth == predicted else ' (wrong)'
    return f'{truth} → {predicted}{wrong}'


def _label(shown, width):
    """Clip, action units and outcome, in wrapped lines."""
    return _wrapped(width, shown.cells[0], shown.cells[5], _outcome(shown))


def _heading(shown):
    clip, subject, dataset, truth, predicted, units = shown.cells
    where = f'{dataset}, subject {subject}; {shown.background.kind}'
    return _wrapped(100, f'{clip}: {units}; truth {truth}, predicted {predicted}', where)


def _wrapped(width, *lines):
    """Lines of at most `width` characters."""
    return '\n'.join('\n'.join(textwrap.wrap(line, width)) for line in lines)


def _notices(rows):
    """Each notice that one of the rows needs, once."""
    notices = [shown.background.notice for shown in rows]
    return '; '.join(dict.fromkeys(filter(None, notices)))


def _montage(folder, rows, count):
    """Draw clips below each other; return the caption."""
    labels = [_label(shown, 34) for shown in rows]
    group = Group('', ['truth → predicted', *PANELS], labels, [shown.panels for shown in rows])
    figure_grid(folder / MONTAGE, [group], side=0.95, foot=_notices(rows))
    kinds = ', '.join(dict.fromkeys(shown.background.kind for shown in rows))
    return (
        f'{len(rows)} of {count} held-out clips, chosen by class and subject, not by prediction; '
        'each network is that of the fold that left the clip out. Motion: length of the flow from '
        'the onset to the (magnified) apex; bright means large. AU-CAM: regions of the strongest '
        'action-unit feature. Grad-CAM: regions of the predicted class. Red means much, blue '
        'little. Each map is scaled by itself, and so is each half where eyes and mouth have '
        'separate branches; colours of two maps or halves cannot be compared. Under the maps: '
        f'{kinds}.'
    )


def _scenarios(folder, explained, names, faces):
    """Draw the pairs of the scenarios; return the caption.

    It names the scenarios without a pair.
    """
    pairs = scenarios(explained)
    groups, drawn = [], []
    for name, pair in pairs.items():
        if not pair:
            continue
        shown = [_shown(explained, names, row, faces) for row in pair]
        titles = [_label(clip, 22) for clip in shown]
        maps = [[clip.panels[panel] for clip in shown] for panel in (2, 3)]
        if groups:
            groups.append(Group(TITLES[name], titles, [], maps))
        else:
            groups.append(Group(TITLES[name], ['', *titles], PANELS[2:], maps))
        drawn += shown
    caption = 'Scenarios: none.'
    if groups:
        figure_grid(folder / SCENARIOS, groups, side=1.45, foot=_notices(drawn))
        caption = 'AU-CAM above Grad-CAM for pairs of clips; right predictions are preferred.'
    missing = '; '.join(LACKS[name] for name, pair in pairs.items() if not pair)
    return f'{caption} These clips do not include: {missing}.' if missing else caption


def _picture(axes, image):
    """Draw a picture without axes, or 'not shown'."""
    axes.set(xticks=[], yticks=[], aspect='equal')
    axes.spines[:].set_visible(False)
    if image is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), facecolor='#eef1f4')
        axes.text(0.5, 0.5, 'not shown', ha='center', va='center', fontsize=8, color='#5b6875')
    else:
        axes.imshow(image, cmap='gray', vmin=0, vmax=255)
