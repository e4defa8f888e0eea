"""Finds the short clips of SMIC and says of every folder what became of it; the release has no
sheet and no apexes.

Source: X. Li, T. Pfister, X. Huang, G. Zhao, M. Pietikäinen, "A Spontaneous Micro-expression
Database: Inducement, Collection and Baseline", FG 2013. On disk:
SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp (VIS and NIR: 01234.bmp) and
SMIC_all_cropped/HS/.../reg_image559740.bmp. Numbers are running counters of the recording.
"""

import os
import re
from collections import defaultdict
from itertools import chain
from pathlib import Path

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
FPS = {'hs': 100.0, 'vis': 25.0, 'nir': 25.0}
EMOTIONS = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
PREFERENCE = ('cropped', 'raw')  # of frames='auto'
_SUBJECT = re.compile(r's0*([0-9]{1,2})', re.I)
_CLIP = re.compile(r's0*([0-9]{1,2})_(ne|po|sur)_([0-9]+)', re.I)
_LONG = re.compile(r'smic[-_ ]?((hs|vis|nir)[-_ ]?)?e([-_ ]|$)|hs_long', re.I)


def find(manual_dir):
    """The folder inside `manual_dir` that holds all camera folders; UserError that ends in
    INSTRUCTIONS.
    """
    manual_dir = Path(os.path.abspath(manual_dir))
    if not manual_dir.is_dir():
        raise UserError(f'{manual_dir} is not a folder; {INSTRUCTIONS}')
    found = [path for _, _, path in _trees(manual_dir)]
    if found:
        return trees.common_folder([path if path == manual_dir else path.parent for path in found])
    for folder in trees.folders(manual_dir):
        for name in (folder.name, *sorted(os.listdir(folder))):
            if _LONG.match(name):
                raise UserError(
                    f'{folder} holds {name} of SMIC-E, whose long clips are for spotting and '
                    'have another layout; '
                    f'recognition needs the short clips; {INSTRUCTIONS}'
                )
    raise UserError(f'{manual_dir} holds no short clips of SMIC; {INSTRUCTIONS}')


def read(source, *, options):
    """(clips, audit rows) of one camera; onset and offset are the first and the last whole file of
    a clip's folder.

    options: see OPTIONS; frames='auto' takes the release's face crops where they are there, else
    whole frames. Raises UserError where the camera or the kind of frames asked for is not there.
    """
    kind, tree = _choose(Path(source), options)
    found = [item for folder in trees.inside(tree) for item in _subject(folder, tree)]
    rows = [item for item in found if isinstance(item, Row)]
    rows += [
        _row(
            other,
            other,
            'ignored',
            f'{camera} {other_kind} frames: {annotated.relative(tree, tree.parent)} ones are read',
        )
        for camera, other_kind, other in _trees(Path(source))
        if other != tree
    ]
    folders = defaultdict(list)
    for item in found:
        if not isinstance(item, Row):
            folders[item['clip']].append(item)
    clips = []
    for same in folders.values():
        if len(same) > 1:
            names = ', '.join(annotated.relative(item['folder'], tree.parent) for item in same)
            reason = f'one clip in several folders: {names}'
            rows += [_row(item['folder'], tree, 'error', reason, item['clip']) for item in same]
            continue
        clip, more = _clip(same[0], tree, options['camera'], kind == 'cropped')
        clips += clip
        rows += more
    return sorted(clips), sorted(rows)


def files(source):
    """(no sheets, all pictures in clip folders of all cameras)."""
    folders = [
        item['folder']
        for _, _, tree in _trees(Path(source))
        for subject in trees.inside(tree)
        for item in _subject(subject, tree)
        if not isinstance(item, Row)
    ]
    return [], [path for folder in folders for _, path in frames.numbered(folder)]


def _trees(folder):
    """[(camera, 'raw' or 'cropped', path)] of `folder` and its sub-folders that hold subjects with
    emotion folders.
    """
    found = []
    for path in trees.folders(folder):
        if path.name.lower() in FPS and not any(
            _LONG.match(part) for part in path.relative_to(folder.parent).parts
        ):
            pictures = _first_clip(path)
            if pictures:
                cropped = 'crop' in path.parent.name.lower() or pictures[0][
                    1
                ].name.lower().startswith('reg_')
                found.append((path.name.lower(), 'cropped' if cropped else 'raw', path))
    return found


def _choose(source, options):
    """(kind, path) of the one tree that the options ask for."""
    here = defaultdict(list)
    for camera, kind, path in _trees(source):
        here[camera, kind].append(path)
    kinds = PREFERENCE if options['frames'] == 'auto' else (options['frames'],)
    for kind in kinds:
        paths = here[options['camera'], kind]
        if len(paths) > 1:
            raise UserError(
                f'SMIC: {paths[0]} and {paths[1]} hold the same camera; keep one of them'
            )
        if paths:
            return kind, paths[0]
    there = ', '.join(
        f'camera={camera} frames={kind}' for (camera, kind), paths in sorted(here.items()) if paths
    )
    raise UserError(
        f'SMIC: {source} has no camera={options["camera"]} frames={options["frames"]}; it has '
        f'{there or "none"}; '
        f'{INSTRUCTIONS}'
    )


def _first_clip(tree):
    """Numbered pictures of the first clip folder that has any; [] where the layout is not that of
    the short clips.
    """
    for subject in trees.inside(tree):
        for item in _subject(subject, tree) if _SUBJECT.fullmatch(subject.name) else ():
            pictures = [] if isinstance(item, Row) else frames.numbered(item['folder'])
            if pictures:
                return pictures
    return []


def _subject(folder, tree):
    """Of one folder in a camera folder: {'folder', 'clip', 'subject', 'emotion'} of each clip, Row
    of all else.
    """
    match = _SUBJECT.fullmatch(folder.name)
    if not match:
        return [_row(folder, tree, 'ignored', 'a subject is named s1 or s01')]
    subject, found = f's{int(match[1]):02d}', []
    levels = [
        trees.inside(level) if level.name.lower() == 'micro' else [level]
        for level in trees.inside(folder)
    ]
    for entry in chain.from_iterable(levels):
        emotion = entry.name.lower()
        if emotion in EMOTIONS:
            found += [_clip_folder(path, tree, subject, emotion) for path in trees.inside(entry)]
        elif emotion.replace('-', '_') == 'non_micro':
            found.append(_row(entry, tree, 'ignored', 'no micro-expressions'))
        elif any(_CLIP.fullmatch(path.name) for path in trees.inside(entry)):
            found.append(
                _row(
                    entry,
                    tree,
                    'error',
                    f'{entry.name!r} is no emotion; known: {", ".join(EMOTIONS)}',
                )
            )
        else:
            found.append(
                _row(entry, tree, 'ignored', f'not one of the folders {", ".join(EMOTIONS)}')
            )
    return found


def _clip_folder(folder, tree, subject, emotion):
    """Dictionary of a clip folder, or the Row that says why it is none."""
    match = _CLIP.fullmatch(folder.name)
    if not match:
        return _row(
            folder,
            tree,
            'dropped',
            f'not named like a clip: must be like {subject}_{EMOTIONS[emotion]}_01',
        )
    clip = f's{int(match[1]):02d}_{match[2].lower()}_{match[3]}'
    if match[2].lower() != EMOTIONS[emotion]:
        return _row(
            folder,
            tree,
            'error',
            f'named {match[2]!r} but under {emotion!r}; one of the two is wrong',
            clip,
        )
    if not clip.startswith(f'{subject}_'):
        return _row(
            folder,
            tree,
            'error',
            f'a clip of another subject under {subject}; one of the two is wrong',
            clip,
        )
    return {'folder': folder, 'clip': clip, 'subject': subject, 'emotion': emotion}


def _clip(item, tree, camera, cropped):
    """([Clip] or [], rows: one of the folder, one of each file that cannot be used)."""
    usable, problems = frames.listing(item['folder'])
    rows = [_row(path, tree, 'dropped', reason, item['clip']) for path, reason in problems]
    wrong = _unusable(usable, problems)
    if wrong:
        return [], [_row(item['folder'], tree, 'dropped', wrong, item['clip']), *rows]
    first, last = min(usable), max(usable)
    repairs = annotated.missing_frames(first, last, usable)
    folder = annotated.relative(item['folder'], tree.parent)
    rows.insert(0, audit.repaired(folder, repairs, item['clip']))
    fields = {name: item[name] for name in ('clip', 'subject', 'emotion')}
    clip = Clip(
        **fields,
        dataset='smic',
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
    return [clip], rows


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
