"""Walks `<subject>/u_test/<class>/<subject>_<clip> .png`.

Every entry is a clip to read, or gets an audit row that says what is wrong with it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfds_builders import audit
from tfds_builders.audit import Row
from tfds_builders.base import is_litter

# pattern of a subject's name
DATASETS = {'samm': r'[0-9]{3}', 'smic': r's[0-9]{2}', 'casme2': r'sub[0-9]{2}'}
# and of a clip's name behind it, as the releases have them: anything more is another picture of it
CLIPS = {
    'samm': r'[0-9]_[0-9]{1,2}',
    'smic': r'(?:ne|po|sur)_[0-9]{2}',
    'casme2': r'EP06_02_0[12]|EP[0-9]{2}_[0-9]{2}f?|EP[0-9]{2}_[0-9]|EP[0-9]{2}f',
}
EXAMPLES = {'samm': '006_1_2', 'smic': 's01_ne_01', 'casme2': 'EP02_01f'}
EMOTIONS = {'0': 'negative', '1': 'positive', '2': 'surprise'}
# Clips of each subject in the published set: 133 of SAMM, 164 of SMIC, 145 of CASME II. Source: the
# list of MEGC2019 (See et al., FG 2019).
PUBLISHED = {
    '006': 11, '007': 8, '009': 4, '010': 4, '011': 20, '012': 3, '013': 6, '014': 10, '015': 3,
    '016': 5, '017': 4, '018': 3, '019': 1, '020': 4, '021': 2, '022': 5, '023': 1, '024': 1,
    '026': 9, '028': 3, '030': 3, '031': 1, '032': 4, '033': 5, '034': 3, '035': 8, '036': 1,
    '037': 1, 's01': 6, 's02': 6, 's03': 39, 's04': 19, 's05': 2, 's06': 4, 's08': 13, 's09': 4,
    's11': 7, 's12': 9, 's13': 10, 's14': 10, 's15': 4, 's18': 7, 's19': 2, 's20': 22, 'sub01': 3,
    'sub02': 9, 'sub03': 5, 'sub04': 2, 'sub05': 6, 'sub06': 4, 'sub07': 5, 'sub08': 1,
    'sub09': 10, 'sub11': 4, 'sub12': 11, 'sub13': 2, 'sub14': 3, 'sub15': 3, 'sub16': 3,
    'sub17': 31, 'sub19': 11, 'sub20': 2, 'sub21': 1, 'sub22': 2, 'sub23': 8, 'sub24': 3,
    'sub25': 5, 'sub26': 11,
}  # fmt: skip


class Clip(NamedTuple):
    """A file at its right place."""

    path: Path
    clip: str
    subject: str
    dataset: str
    emotion: str


def walk(source: Path) -> tuple[list[Clip], list[Row]]:
    """The files to read, and audit rows of all other entries below `source`, both sorted."""
    clips, rows = [], []
    for folder in _entries(source, source, 'a subject folder'):
        for item in _subject(source, folder):
            (clips if isinstance(item, Clip) else rows).append(item)
    return _refuse_doubles(source, clips, rows)


def clip_id(subject: str, name: str) -> str:
    """'006_006_1_2 ' -> '006_1_2', 'sub01_EP02_01f ' -> 'sub01_EP02_01f'.

    `name` is the file's name without '.png'; returns '' where it is not of that form.
    """
    match = re.fullmatch(rf'{_clip_pattern(subject)}\s*', name)
    return f'{subject}_{match[1]}' if match else ''


def surplus(clips: Sequence[Clip]) -> list[Row]:
    """Audit rows of the subjects that have more clips than in the published set."""
    rows = []
    for subject, count in sorted(Counter(clip.subject for clip in clips).items()):
        published = PUBLISHED.get(subject, 0)
        if count > published:
            reason = f'{audit.SURPLUS}: {count}, published are {published}'
            rows.append(Row(subject, 'used', reason))
    return rows


def _clip_pattern(subject):
    """Pattern of a file's name without '.png'; its group is the clip's name."""
    return rf'{subject}_(?:{subject}_)?({CLIPS[_dataset_of(subject)]})'


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
    dataset = _dataset_of(folder.name)
    if not dataset:
        reason = 'a subject is named 006 (SAMM), s01 (SMIC) or sub01 (CASME II)'
        return [_row(source, folder, 'error', reason)]
    items = []
    for entry in _entries(source, folder, 'u_test and u_train'):
        if isinstance(entry, Row):
            items.append(entry)
        elif entry.name == 'u_train':
            items.append(_row(source, entry, 'ignored', "the other subjects' clips"))
        elif entry.name != 'u_test':
            items.append(_row(source, entry, 'error', 'only u_test and u_train may stand here'))
        else:
            items += _classes(source, entry, folder.name, dataset)
    if not any(isinstance(item, Clip) or item.status == 'error' for item in items):
        reason = 'subject without a clip; expected u_test/<0, 1 or 2>/*.png'
        items.append(_row(source, folder, 'error', reason))
    return items


def _dataset_of(subject):
    """The data set whose subjects have such names; '' if there is none."""
    for dataset, pattern in DATASETS.items():
        if re.fullmatch(pattern, subject):
            return dataset
    return ''


def _classes(source, folder, subject, dataset):
    """Clips and rows of one subject's u_test."""
    items = []
    for entry in _entries(source, folder, 'class folders 0, 1, 2'):
        if isinstance(entry, Row):
            items.append(entry)
        elif entry.name in EMOTIONS:
            items += [_file(source, path, subject, dataset) for path in sorted(entry.iterdir())]
        else:
            reason = 'a class folder is 0 (negative), 1 (positive) or 2 (surprise)'
            items.append(_row(source, entry, 'error', reason))
    return items


def _file(source, path, subject, dataset):
    """Clip of one file in a class folder, or the Row that says why it is none."""
    if is_litter(path.name):
        return _row(source, path, 'ignored', 'left behind by an operating system')
    if not path.is_file():
        return _row(source, path, 'error', 'not a file; only PNG files may stand here')
    clip = clip_id(subject, path.stem) if path.suffix.lower() == '.png' else ''
    if not clip:
        return _row(source, path, 'error', _misnamed(path, subject, dataset))
    return Clip(path, clip, subject, dataset, EMOTIONS[path.parent.name])


def _misnamed(path, subject, dataset):
    """Why the name of a file is refused."""
    rule = (
        f'must be named {subject}_<clip>.png, with or without a blank before .png, and the clip '
        f'like {EXAMPLES[dataset]}'
    )
    longer = re.match(rf'{_clip_pattern(subject)}(?P<more>.*)', path.stem)
    if not longer or path.suffix.lower() != '.png':
        return rule
    more = longer['more'].strip()
    return f'another picture of a clip: {more!r} stands behind the name of {longer[1]!r}; {rule}'


def _refuse_doubles(source, clips, rows):
    """Drops a clip whose id was seen before: the same clip twice, perhaps under two classes."""
    first = {}
    for item in clips:
        if first.setdefault(item.clip, item) is not item:
            other = first[item.clip].path.relative_to(source).as_posix()
            reason = f'same clip {item.clip} as {other!r}; one of the two must go'
            rows.append(_row(source, item.path, 'error', reason))
    return list(first.values()), rows


def _row(source, path, status, reason):
    return Row(path.relative_to(source).as_posix(), status, reason)
