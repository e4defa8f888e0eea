"""Finds the short clips of SMIC; the release has no sheet and no apexes.

Source: X. Li, T. Pfister, X. Huang, G. Zhao, M. Pietikäinen, "A Spontaneous Micro-expression
Database: Inducement, Collection and Baseline", FG 2013. On disk:
SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp (VIS and NIR: 01234.bmp) and
SMIC_all_cropped/HS/.../reg_image559740.bmp. Numbers are running counters of the recording.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from tfds_builders import annotated, audit, frames, trees
from tfds_builders.audit import Row
from tfds_builders.clip import Clip

INSTRUCTIONS = (
    'SMIC: apply at the University of Oulu, https://www.oulu.fi/cmvs/node/41319 (signed '
    'agreement), then unpack '
    'SMIC_all_raw or SMIC_all_cropped '
    '(SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp) into one folder'
)
OPTIONS = {'camera': ('hs', 'vis', 'nir'), 'frames': ('auto', 'raw', 'cropped')}
PUBLISHED = {'hs': 164, 'vis': 71, 'nir': 71}  # clips of each camera
FPS = {'hs': 100.0, 'vis': 25.0, 'nir': 25.0}
EMOTIONS = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
PREFERENCE = ('cropped', 'raw')  # of frames='auto'
_SUBJECT = re.compile(r's0*([0-9]{1,2})', re.I)
_CLIP = re.compile(r's0*([0-9]{1,2})_(ne|po|sur)_([0-9]+)', re.I)
# 'HS', and 'HS_part2', 'HS (1)' or 'HS_b' of an archive in parts
_CAMERA = re.compile(r'(hs|vis|nir)([-_. ]*(part|disk)?[-_. ]*\(?([0-9]+|[a-d])\)?)?', re.I)
_LONG = re.compile(r'smic[-_ ]?((hs|vis|nir)[-_ ]?)?e([-_ ]|$)|hs_long', re.I)


class ClipFolder(NamedTuple):
    """A folder at the place of a clip; its frames have not been looked at."""

    tree: Path  # of the camera
    folder: Path
    clip: str
    subject: str
    emotion: str


class CameraTree(NamedTuple):
    """The folder of one camera, with subjects and emotions below it."""

    camera: str
    kind: str  # 'raw' or 'cropped'
    path: Path


def find(manual_dir: Path) -> Path:
    """The folder inside `manual_dir` that holds all camera folders.

    Raises:
      UserError: there is none; it ends in INSTRUCTIONS.
    """
    manual_dir = Path(os.path.abspath(manual_dir))
    if not manual_dir.is_dir():
        raise UserError(f'{manual_dir} is not a folder; {INSTRUCTIONS}')
    paths = [tree.path for tree in _trees(manual_dir)]
    if paths:
        paths += _unnamed(manual_dir)
        parents = [path if path == manual_dir else path.parent for path in paths]
        return trees.common_folder(parents)
    for folder in trees.folders(manual_dir):
        for name in (folder.name, *sorted(os.listdir(folder))):
            if _LONG.match(name):
                raise UserError(
                    f'{folder} holds {name} of SMIC-E, whose long clips are for spotting and '
                    'have another layout; '
                    f'recognition needs the short clips; {INSTRUCTIONS}'
                )
    there = trees.contents(manual_dir, _clip_name, EMOTIONS)
    raise UserError(f'{manual_dir} holds no short clips of SMIC (there is {there}); {INSTRUCTIONS}')


def _clip_name(folder, name):
    """The name of a clip's folder; '' of any other."""
    return name if _CLIP.fullmatch(name) else ''


def read(source: Path, *, options: Mapping[str, str]) -> tuple[list[Clip], list[Row]]:
    """Clips and audit rows of one camera.

    Onset and offset are the first and the last whole file of a clip's folder. frames='auto' takes
    the release's face crops where they are there, else whole frames.

    Args:
      source: as `find` returns it.
      options: a value of each name in OPTIONS.

    Raises:
      UserError: the camera or the kind of frames is not there.
    """
    camera_trees = _trees(Path(source))
    kind, tree_paths = _choose(camera_trees, options, source)
    clip_folders, rows = [], []
    for tree in tree_paths:
        tree_folders, tree_rows = _walk(tree)
        clip_folders += tree_folders
        rows += tree_rows
    instead = f'{tree_paths[0].name} ones are read'
    for camera, other_kind, other in camera_trees:
        if other not in tree_paths:
            rows.append(_row(other, other, 'ignored', f'{camera} {other_kind} frames: {instead}'))
    folders_of_clip = defaultdict(list)
    for clip_folder in clip_folders:
        folders_of_clip[clip_folder.clip].append(clip_folder)
    _refuse_copies(folders_of_clip.values())
    clips = []
    for same in folders_of_clip.values():
        if len(same) > 1:
            names = ', '.join(annotated.relative(item.folder, item.tree.parent) for item in same)
            reason = f'one clip in several folders: {names}'
            rows += [_row(item.folder, item.tree, 'error', reason, item.clip) for item in same]
            continue
        clip, clip_rows = _clip(same[0], options['camera'], kind == 'cropped')
        clips += clip
        rows += clip_rows
    rows += _unread(Path(source), {clip.clip for clip in clips})
    published = PUBLISHED[options['camera']]
    if len(clips) > published:
        reason = f'{audit.SURPLUS}: {len(clips)}, published are {published}'
        rows.append(_row(tree_paths[0], tree_paths[0], 'used', reason))
    return sorted(clips), sorted(rows)


def files(source: Path) -> tuple[list[Path], list[Path]]:
    """No sheets, and all pictures in clip folders of all cameras."""
    paths = []
    for tree in _trees(Path(source)):
        clip_folders, _ = _walk(tree.path)
        for clip_folder in clip_folders:
            paths += [path for _, path in frames.numbered(clip_folder.folder)]
    return [], paths


def _trees(folder):
    """[CameraTree] of `folder` and its sub-folders that hold subjects with emotion folders."""
    camera_trees = []
    for path in trees.folders(folder):
        match = _CAMERA.fullmatch(path.name)
        if not match or any(map(_LONG.match, path.relative_to(folder.parent).parts)):
            continue
        camera = match[1].lower()
        pictures = _first_clip(path)
        if pictures:
            _, first = pictures[0]
            cropped = 'crop' in path.parent.name.lower() or first.name.lower().startswith('reg_')
            camera_trees.append(CameraTree(camera, 'cropped' if cropped else 'raw', path))
    return camera_trees


def _unnamed(folder):
    """Folders that hold clips as a camera does, but are not named HS, VIS or NIR."""
    paths = []
    for path in trees.folders(folder):
        is_long = any(map(_LONG.match, path.relative_to(folder.parent).parts))
        if not is_long and not _CAMERA.fullmatch(path.name) and _first_clip(path):
            paths.append(path)
    return paths


def _unread(source, used):
    """Audit rows of the clips in unnamed folders that no camera's folder holds."""
    reason = 'whose camera cannot be seen: the folder above the subjects must be HS, VIS or NIR'
    rows = []
    for tree in _unnamed(source):
        for item in _walk(tree)[0]:
            if item.clip not in used:
                rows.append(_row(item.folder, tree, 'dropped', reason, item.clip))
    return rows


def _refuse_copies(clips):
    """UserError where two trees of one camera hold the same clip: they are no parts of it."""
    copied = [same for same in clips if len({item.tree for item in same}) > 1]
    if copied:
        trees_of_clip = sorted({str(item.tree) for item in copied[0]})
        raise UserError(
            f'SMIC: {trees_of_clip[0]} and {trees_of_clip[1]} hold the same camera and both have '
            f'clip {copied[0][0].clip}{trees.more_clips(len(copied))}; keep one of them'
        )


def _choose(camera_trees, options, source):
    """(kind, paths) of the trees that the options ask for: the parts of one camera."""
    paths_of = defaultdict(list)
    for camera, kind, path in camera_trees:
        paths_of[camera, kind].append(path)
    kinds = PREFERENCE if options['frames'] == 'auto' else (options['frames'],)
    for kind in kinds:
        paths = paths_of.get((options['camera'], kind), [])
        if paths:
            return kind, paths
    there = ', '.join(f'camera={camera} frames={kind}' for camera, kind in sorted(paths_of))
    raise UserError(
        f'SMIC: {source} has no camera={options["camera"]} frames={options["frames"]}; it has '
        f'{there or "none"}; '
        f'{INSTRUCTIONS}'
    )


def _walk(tree):
    """([ClipFolder], audit rows of all other folders) of one camera folder."""
    clip_folders, rows = [], []
    for folder in trees.inside(tree):
        for item in _subject(folder, tree):
            (rows if isinstance(item, Row) else clip_folders).append(item)
    return clip_folders, rows


def _first_clip(tree):
    """Numbered pictures of the first clip folder that has any; [] where the layout is not that of
    the short clips.
    """
    for subject in trees.inside(tree):
        if not _SUBJECT.fullmatch(subject.name):
            continue
        for item in _subject(subject, tree):
            pictures = [] if isinstance(item, Row) else frames.numbered(item.folder)
            if pictures:
                return pictures
    return []


def _subject(folder, tree):
    """[ClipFolder of each clip, Row of all else] of one folder in a camera folder."""
    match = _SUBJECT.fullmatch(folder.name)
    if not match:
        return [_row(folder, tree, 'ignored', 'a subject is named s1 or s01')]
    subject, items = f's{int(match[1]):02d}', []
    levels = [
        trees.inside(level) if level.name.lower() == 'micro' else [level]
        for level in trees.inside(folder)
    ]
    for entry in chain.from_iterable(levels):
        emotion = entry.name.lower()
        if emotion in EMOTIONS:
            items += [_clip_folder(path, tree, subject, emotion) for path in trees.inside(entry)]
        else:
            items.append(_no_emotion(entry, tree))
    return items


def _no_emotion(folder, tree):
    """Row of a folder at the place of an emotion that is none; an error where it holds clips."""
    emotions = ', '.join(EMOTIONS)
    if folder.name.lower().replace('-', '_') == 'non_micro':
        return _row(folder, tree, 'ignored', 'no micro-expressions')
    if any(_CLIP.fullmatch(path.name) for path in trees.inside(folder)):
        reason = f'{folder.name!r} is no emotion; known: {emotions}'
        return _row(folder, tree, 'error', reason)
    return _row(folder, tree, 'ignored', f'not one of the folders {emotions}')


def _clip_folder(folder, tree, subject, emotion):
    """The ClipFolder of a folder, or the Row that says why it is none."""
    match = _CLIP.fullmatch(folder.name)
    if not match:
        reason = f'not named like a clip: must be like {subject}_{EMOTIONS[emotion]}_01'
        return _row(folder, tree, 'dropped', reason)
    clip = f's{int(match[1]):02d}_{match[2].lower()}_{int(match[3]):02d}'
    if match[2].lower() != EMOTIONS[emotion]:
        reason = f'named {match[2]!r} but under {emotion!r}; one of the two is wrong'
        return _row(folder, tree, 'error', reason, clip)
    if not clip.startswith(f'{subject}_'):
        reason = f'a clip of another subject under {subject}; one of the two is wrong'
        return _row(folder, tree, 'error', reason, clip)
    return ClipFolder(tree, folder, clip, subject, emotion)


def _clip(item, camera, cropped):
    """([Clip] or [], rows: one of the folder, one of each file that cannot be used)."""
    tree = item.tree
    usable, problems = frames.listing(item.folder)
    rows = [_row(path, tree, 'dropped', reason, item.clip) for path, reason in problems]
    for path in frames.of_clip(item.folder)[1]:
        rows.append(_row(path, tree, 'ignored', frames.FOREIGN, item.clip))
    wrong = _unusable(usable, problems)
    if wrong:
        return [], [_row(item.folder, tree, 'dropped', wrong, item.clip), *rows]
    first, last = min(usable), max(usable)
    repairs = annotated.missing_frames(first, last, usable)
    folder = annotated.relative(item.folder, tree.parent)
    clip = Clip(
        clip=item.clip,
        subject=item.subject,
        dataset='smic',
        emotion=item.emotion,
        action_units='',
        action_units_known=False,
        onset=first,
        apex=-1,
        offset=last,
        apex_source='estimated',
        fps=FPS[camera],
        cropped=cropped,
        frames=frames.between(usable, first, last),
    )
    return [clip], [audit.repaired(folder, repairs, item.clip), *rows]


def _unusable(usable, problems):
    """Why a clip cannot be used, '' where it can: onset and offset are its first and last file,
    whole or not.
    """
    if len(usable) < 2:
        return f'too few usable frames: {len(usable)}, at least 2 are needed'
    for path, reason in problems:
        # The neighbour of a damaged end is another onset: copies of the release would differ
        # without a word.
        if 0 <= frames.number(path) < min(usable) or frames.number(path) > max(usable):
            return (
                f'onset or offset frame cannot be used: {frames.number(path)} ({reason}); '
                'unpack it again from the release'
            )
    return ''


def _row(path, tree, status, reason, clip=''):
    """audit.Row whose file is relative to the folder of the camera folder:
    'HS/s1/micro/negative/s1_ne_01'.
    """
    return Row(annotated.relative(path, tree.parent), status, reason, clip)
