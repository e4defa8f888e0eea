"""Walks `<subject>/u_test/<class>/<subject>_<clip> .png` and says of every entry what it is or what
is wrong with it.
"""

import re
from typing import NamedTuple

from tfds_builders.audit import Row
from tfds_builders.base import is_litter

# pattern of a subject's name
DATASETS = {'samm': r'[0-9]{3}', 'smic': r's[0-9]{2}', 'casme2': r'sub[0-9]{2}'}
EMOTIONS = {'0': 'negative', '1': 'positive', '2': 'surprise'}


class Clip(NamedTuple):
    """A file at its right place."""

    path: object
    clip: str
    subject: str
    dataset: str
    emotion: str


def walk(source):
    """Returns (clips, rows): the files to read, and audit rows of all other entries below `source`,
    both sorted.
    """
    found = [
        item
        for folder in _entries(source, source, 'a subject folder')
        for item in _subject(source, folder)
    ]
    clips = [item for item in found if isinstance(item, Clip)]
    return _refuse_doubles(source, clips, [item for item in found if isinstance(item, Row)])


def clip_id(subject, name):
    """'006_006_1_2 ' -> '006_1_2', 'sub01_EP02_01f ' -> 'sub01_EP02_01f': subject, '_', clip, the
    subject once only.

    `name` is the file's name without '.png'; returns '' where it is not of that form.
    """
    match = re.fullmatch(rf'{subject}_(?:{subject}_)?([0-9A-Za-z_]+)\s*', name)
    return f'{subject}_{match[1]}' if match else ''


def _entries(source, folder, wanted):
    """Folders inside `folder` as they are; Row for litter and for files, which do not
    belong there.
    """
    for entry in sorted(folder.iterdir()):
        if is_litter(entry.name):
            yield _row(source, entry, 'ignored', 'left behind by an operating system')
        elif entry.is_dir():
            yield entry
        else:
            yield _row(source, entry, 'error', f'stray file; only {wanted} may stand here')


def _subject(source, folder):
    """Clips and rows of one subject."""
    if isinstance(folder, Row):
        return [folder]
    dataset = next(
        (name for name, pattern in DATASETS.items() if re.fullmatch(pattern, folder.name)), ''
    )
    if not dataset:
        return [
            _row(
                source,
                folder,
                'error',
                'a subject is named 006 (SAMM), s01 (SMIC) or sub01 (CASME II)',
            )
        ]
    found = []
    for entry in _entries(source, folder, 'u_test and u_train'):
        if isinstance(entry, Row):
            found.append(entry)
        elif entry.name == 'u_train':
            found.append(_row(source, entry, 'ignored', "the other subjects' clips"))
        elif entry.name != 'u_test':
            found.append(_row(source, entry, 'error', 'only u_test and u_train may stand here'))
        else:
            found.extend(_classes(source, entry, folder.name, dataset))
    if not any(isinstance(item, Clip) or item.status == 'error' for item in found):
        found.append(
            _row(
                source, folder, 'error', 'subject without a clip; expected u_test/<0, 1 or 2>/*.png'
            )
        )
    return found


def _classes(source, folder, subject, dataset):
    """Clips and rows of one subject's u_test."""
    found = []
    for entry in _entries(source, folder, 'class folders 0, 1, 2'):
        if isinstance(entry, Row):
            found.append(entry)
        elif entry.name not in EMOTIONS:
            found.append(
                _row(
                    source,
                    entry,
                    'error',
                    'a class folder is 0 (negative), 1 (positive) or 2 (surprise)',
                )
            )
        else:
            found.extend(_file(source, path, subject, dataset) for path in sorted(entry.iterdir()))
    return found


def _file(source, path, subject, dataset):
    """Clip of one file in a class folder, or the Row that says why it is none."""
    if is_litter(path.name):
        return _row(source, path, 'ignored', 'left behind by an operating system')
    if not path.is_file():
        return _row(source, path, 'error', 'not a file; only PNG files may stand here')
    clip = clip_id(subject, path.stem) if path.suffix.lower() == '.png' else ''
    if not clip:
        return _row(
            source,
            path,
            'error',
            f'must be named {subject}_<clip>.png, with or without a blank before .png',
        )
    return Clip(path, clip, subject, dataset, EMOTIONS[path.parent.name])


def _refuse_doubles(source, clips, rows):
    """Drops a clip whose id was seen before: the same clip twice, perhaps under two classes."""
    first = {}
    for item in clips:
        if first.setdefault(item.clip, item) is not item:
            other = first[item.clip].path.relative_to(source).as_posix()
            rows.append(
                _row(
                    source,
                    item.path,
                    'error',
                    f'same clip {item.clip} as {other!r}; one of the two must go',
                )
            )
    return list(first.values()), rows


def _row(source, path, status, reason):
    return Row(path.relative_to(source).as_posix(), status, reason)
