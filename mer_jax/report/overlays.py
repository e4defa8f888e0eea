"""Pictures of what a network looks at: maps over faces.

The pictures may end up on a public page. Therefore licensed faces are drawn on request only, else a
schematic face; two subjects never.
"""

import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess.schematic import schematic
from mer_jax.report import alt_texts, picture_grid, plots
from mer_jax.report.picture_grid import Bar, Group
from mer_jax.report.scenarios import choose, scenarios, unit_sets, unit_title
from mer_jax.report.style import ramp, shade
from mer_jax.runfiles import files as workdir
from mer_jax.runfiles import writing
from mer_jax.runfiles.explanations import IN_MONTAGE, Captions, PictureRow, PictureTable
from mer_jax.types import Explained, Names

FOLDER = workdir.EXPLAIN
MAPS = 'maps.npz'  # and features of held-out clips
MONTAGE, SCENARIOS, FEATURES = 'montage.png', 'scenarios.png', 'au_features.png'
OF_ALL_ROWS = 'au_features_all_rows.png'
OVERVIEWS = (MONTAGE, SCENARIOS, FEATURES, OF_ALL_ROWS)
SIDE = 224  # pixels, to which smaller pictures are enlarged
LARGE = 8.4  # inches, width of the picture of a clip
PANELS = ['face', 'motion', 'AU-CAM', 'Grad-CAM']
NEVER = {12, 22}  # subjects of CASME II whose pictures its release form forbids to publish
TITLES = {
    'subjects': 'Same emotion and AU, two subjects',
    'clips': 'Same emotion and AU, one subject',
    'emotions': 'Same AU, two emotions',
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


class Shown(NamedTuple):
    """A clip to draw."""

    cells: list[str]  # of index.csv, up to action_units
    panels: list[np.ndarray | None]  # in the order of PANELS; None is drawn as 'not shown'
    background: Background


def overlay(background: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Blend a map in colours of style.SHARES with a picture.

    Args:
        background: uint8[H, W].
        cam: float[h, w] of 0..1.

    Returns:
        uint8[H, W, 3] RGB.
    """
    cam = np.asarray(cam, np.float32)
    cam = cv2.resize(cam, background.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.round(255 * shade(cam) / 2 + background[..., None] / 2).astype(np.uint8)


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
    if dataset == 'frames_csv':
        notice = f'{dataset}: show it only as the recorded people agreed'
    elif _is_casme2(dataset):
        notice = 'CASME II © Xiaolan Fu; research only'
    return Background(gray, 'own face', notice, False)


def forbidden(dataset: str, subject: str) -> bool:
    """Return whether a licence forbids all pictures of a subject."""
    numbers = {int(digits) for digits in re.findall(r'\d+', subject)}
    return _is_casme2(dataset) and bool(NEVER & numbers)


def _is_casme2(dataset):
    return re.sub(r'[^a-z0-9]', '', dataset.lower()).startswith(('casme2', 'casmeii'))


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
        look = {'width': LARGE, 'foot': clip.background.notice}
        picture_grid.draw(folder / file, [group], _bars(), **look)
    sets = unit_sets(explained.action_units, names.action_units)
    captions = {
        MONTAGE: _montage(folder, shown[:IN_MONTAGE], explained, rows[:IN_MONTAGE]),
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
        motion = np.round(255 * shade(_enlarged(explained.on_a[row]) / 255)).astype(np.uint8)
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


def _label(shown):
    """Clip, action units and outcome."""
    return f'{shown.cells[0]}, {shown.cells[5]}: {_outcome(shown)}'


def _heading(shown):
    clip, subject, dataset, truth, predicted, units = shown.cells
    where = f'{dataset}, subject {subject}; {shown.background.kind}'
    return f'{clip}: {units}; truth {truth}, predicted {predicted}\n{where}'


def _bars():
    """What the colours of motion and maps mean."""
    faded = overlay(np.full((1, 256), 160, np.uint8), np.linspace(0, 1, 256)[None])[0]
    return [
        Bar(ramp(), 'little to much: motion'),
        Bar(faded, 'little to much: AU-CAM, Grad-CAM over the face'),
    ]


def _notices(rows):
    """Each notice that one of the rows needs, once."""
    notices = [shown.background.notice for shown in rows]
    return '; '.join(dict.fromkeys(filter(None, notices)))


def _montage(folder, shown, explained, rows):
    """Draw clips below each other; return the caption."""
    labels = [_label(clip) for clip in shown]
    group = Group('', PANELS, labels, [clip.panels for clip in shown])
    picture_grid.draw(folder / MONTAGE, [group], _bars(), foot=_notices(shown))
    kinds = ', '.join(dict.fromkeys(clip.background.kind for clip in shown))
    return (
        f'{len(rows)} of {len(explained.clip)} held-out clips, chosen by class and subject, not by '
        'prediction; each network is that of the fold that left the clip out. Motion: length of '
        'the flow from the onset to the (magnified) apex (On-A). AU-CAM: regions of the strongest '
        f'action-unit feature, {alt_texts.peaks(explained.au_cam[rows])}. Grad-CAM: regions of the '
        'predicted class. Yellow means much, violet little. Each map is scaled by itself, and so '
        'is each half where eyes and mouth have separate branches; colours of two maps or halves '
        'cannot be compared. Under the maps: '
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
        maps = [panel for clip in shown for panel in clip.panels[2:]]
        left, right = map(_label, shown)
        text = f'{TITLES[name]}\nLeft: {left}\nRight: {right}'
        groups.append(Group(text, 2 * PANELS[2:], [], [maps]))
        drawn += shown
    caption = 'Scenarios: none.'
    if groups:
        picture_grid.draw(folder / SCENARIOS, groups, _bars()[1:], foot=_notices(drawn))
        caption = 'AU-CAM and Grad-CAM of pairs of clips; right predictions are preferred.'
    missing = '; '.join(LACKS[name] for name, pair in pairs.items() if not pair)
    return f'{caption} These clips do not include: {missing}.' if missing else caption
