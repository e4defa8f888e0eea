"""Rows of an annotation sheet joined with the clip folders on disk: clips to use, and what became
of all else.
"""

import difflib
import itertools
from typing import NamedTuple

from mer_jax.errors import UserError
from tfds_builders import frames, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.clip import Clip

NO_UNITS = ('', '?', 'null', 'none', 'nan')  # cells that say nothing of action units, in any case


class Annotation(NamedTuple):
    """One row of a sheet, read. `apex` is the cell as it is: a release may leave it open ('/')."""

    where: str  # 'CASME2-coding-20190701.xlsx row 17'
    clip: str
    subject: str
    emotion: str
    action_units: str
    onset: int
    apex: str
    offset: int
    repairs: tuple = ()  # (reason, old, new) of what the sheet itself showed
    apex_source: str = 'annotated'


class Release(NamedTuple):
    """What all clips of one build share."""

    dataset: str
    root: object  # Path that audit rows are relative to
    tree: object  # trees.Tree
    whole: bool  # the folders hold whole recordings, of which onset..offset is a part
    cropped: bool
    fps: float
    edition: str
    corrections: dict  # clip id -> apex
    corrected_by: str


def read_rows(records, parse):
    """(annotations, audit rows): parse(record) of each, where a ValueError becomes an 'error' row
    with its reason.

    Of rows that name a clip again, equal ones are 'ignored' and differing ones are an 'error'. Rows
    without filename, onset and offset (notes below a table) are 'ignored'.
    """
    first, rows = {}, []
    for record in records:
        if not any(record[column] for column in ('filename', 'onset', 'offset')):
            rows.append(Row(record['where'], 'ignored', 'a note: neither a file name nor frames'))
            continue
        try:
            item = parse(record)
        except ValueError as error:
            rows.append(Row(record['where'], 'error', str(error)))
            continue
        other = first.setdefault(item.clip.lower(), item)
        if other is not item:
            same = item._replace(where='') == other._replace(where='')
            differs = f'{item.clip} stands otherwise in {other.where}; one must go'
            status, told = ('ignored', f'the same as {other.where}') if same else ('error', differs)
            rows.append(Row(item.where, status, told, item.clip))
    return list(first.values()), rows


def codings(folder, load, title):
    """(what load(path) makes of each coding sheet of `folder`, audit rows of the other workbooks
    there).

    load gives something empty for a workbook that is none, and raises UserError with the reason
    where it knows one.
    """
    found, rows = [], []
    for path in trees.workbooks(folder):
        try:
            coding, told = load(path), f'no coding sheet of {title}'
        except UserError as error:  # or a workbook of something else, with a password
            coding, told = None, str(error)
        if coding:
            found.append(coding)
        else:
            rows.append(Row(relative(path, folder), 'ignored', told))
    return found, rows


def tree_read(found, wanted, order, source, instructions):
    """(the Tree whose frames are read, audit rows of the others), as trees.choose; UserError where
    there is none.
    """
    tree, others = trees.choose(found, wanted, order)
    if tree is None:
        there = ', '.join(sorted({other.kind for other in others})) or 'none'
        raise UserError(
            f'frames={wanted}: no such frames are in {source}, but {there}; {instructions}'
        )
    instead = f'{tree.kind} ones are read from {relative(tree.path, source)}'
    return tree, [
        Row(relative(item.path, source), 'ignored', f'{item.kind} frames; {instead}')
        for item in others
    ]


def join(annotations, release):
    """(clips, audit rows) in the order of the sheet; then a row for each clip folder that no
    annotation names.
    """
    clips, rows, named = [], [], {annotation.clip.lower() for annotation in annotations}
    for annotation in annotations:
        clip, found = _one(annotation, release)
        clips.extend(clip)
        rows.extend(found)
    for name, paths in sorted(release.tree.clips.items()):
        where = [relative(path, release.root) for path in paths]
        if name not in named:
            rows.extend(
                Row(file, 'ignored', 'no row of the sheet names this clip') for file in where
            )
        rows.extend(
            Row(file, 'error', f'the same clip as {where[0]}; one of the two must go')
            for file in where[1:]
        )
    return clips, rows


def relative(path, root):
    """Path relative to `root`, with '/'."""
    return path.relative_to(root).as_posix()


def units_known(cell):
    """False for a cell that says nothing of action units: unknown is not absent."""
    return cell.strip().lower() not in NO_UNITS


def word(cell, known):
    """The emotion of a cell; ValueError unless it is one of `known`, in any case."""
    if cell.lower() not in known:
        near = difflib.get_close_matches(cell.lower(), known, n=1)
        hint = f' (did you mean {near[0]}?)' if near else ''
        raise ValueError(f'emotion is {cell!r}{hint}; must be one of {", ".join(known)}')
    return cell


def frame(column, cell):
    """Frame number of a cell; ValueError naming the column otherwise."""
    try:
        number = sheets.whole(cell)
    except ValueError:
        number = -1
    if not 0 <= number <= frames.LARGEST:
        raise ValueError(f'{column} is {cell!r}; must be a frame number')
    return number


def interval(annotation, files, damaged):
    """(onset, offset, repairs): the annotated ones where their files are there, else the nearest
    file between them.

    files, damaged: the numbers of usable and of damaged files. ValueError with a reason where the
    clip cannot be used.
    """
    onset, offset = annotation.onset, annotation.offset
    if not 0 <= onset < offset:
        raise ValueError(f'onset {onset} does not lie before offset {offset}')
    inside = [number for number in sorted(files) if onset <= number <= offset]
    if len(inside) < 2:
        have = f'; the folder has {min(files)} to {max(files)}' if files else ''
        raise ValueError(
            f'usable frames from {onset} to {offset}: {len(inside)}; at least 2 are needed{have}'
        )
    repairs = []
    for name, number, nearest in (('onset', onset, inside[0]), ('offset', offset, inside[-1])):
        _refuse_damaged(name, number, damaged)
        if number != nearest:
            repairs.append(
                (
                    f'{name} frame {number} is missing: the nearest file is used',
                    str(number),
                    str(nearest),
                )
            )
    return inside[0], inside[-1], repairs


def apex_of(annotation, onset, offset, files, damaged):
    """(apex, repairs): the annotated one where onset < apex <= offset and its file exists, else -1:
    to be estimated.
    """
    cell = annotation.apex
    try:
        number = sheets.whole(cell)
    except ValueError:
        return -1, [(f'apex is "{cell}": estimated from the frames', cell, '')]
    wrong = _wrong_apex(number, onset, offset, files, damaged)
    if wrong:
        return -1, [(f'apex {number} {wrong}: estimated from the frames', cell, '')]
    return number, []


def _wrong_apex(number, onset, offset, files, damaged):
    """Why a number cannot be the apex, '' where it can; ValueError where its file is damaged."""
    if not onset < number <= offset:
        return f'does not lie in {onset + 1}..{offset}'
    _refuse_damaged('apex', number, damaged)
    return '' if number in files else 'has no file'


def _refuse_damaged(name, number, damaged):
    # A damaged file is the user's copy, not the release: silently using a neighbour would make
    # copies differ.
    if number in damaged:
        raise ValueError(
            f'{name} frame {number} cannot be used ({damaged[number]}); unpack it again from the '
            'release'
        )


def _one(annotation, release):
    """([Clip] or [], audit rows) of one annotation."""
    where, clip = annotation.where, annotation.clip
    folder = release.tree.clips.get(clip.lower(), [None])[0]
    if folder is None:
        tree = relative(release.tree.path, release.root)
        return [], [Row(where, 'dropped', f'no folder of this clip in {tree}', clip)]
    first, last = (annotation.onset, annotation.offset) if release.whole else (0, frames.LARGEST)
    files, problems = frames.listing(folder, first=first, last=last)
    damaged = {
        frames.number(path): reason for path, reason in problems if frames.number(path) not in files
    }
    rows = [Row(relative(path, release.root), 'dropped', reason, clip) for path, reason in problems]
    try:
        onset, offset, repairs = interval(annotation, files, damaged)
        apex, source, more, refused = _corrected(
            annotation, release, (onset, offset, files, damaged)
        )
    except ValueError as error:
        return [], [Row(where, 'dropped', str(error), clip), *rows]
    repairs = [*annotation.repairs, *repairs, *gaps(onset, offset, files), *more]
    found = Clip(
        clip=clip,
        subject=annotation.subject,
        dataset=release.dataset,
        emotion=annotation.emotion,
        action_units=annotation.action_units,
        action_units_known=units_known(annotation.action_units),
        onset=onset,
        apex=apex,
        offset=offset,
        apex_source=source,
        fps=release.fps,
        cropped=release.cropped,
        frames=frames.between(files, onset, offset),
        edition=release.edition,
    )
    return [found], [
        _sheet_row(where, clip, repairs),
        *refused,
        *rows,
        *_outside(annotation, folder, files, release),
    ]


def _corrected(annotation, release, disk):
    """(apex, its source, repairs, audit rows): the published apex if it is asked for and fits, else
    the sheet's.
    """
    published = release.corrections.get(annotation.clip, -1)
    name = f'corrections={release.corrected_by}'
    refused = []
    if published >= 0 and str(published) != annotation.apex:
        wrong = _wrong_apex(published, *disk)
        if not wrong:
            return (
                published,
                'correction',
                [(f'apex of {name}', annotation.apex, str(published))],
                [],
            )
        refused = [
            Row(
                f'{name} {annotation.clip}', 'ignored', f'apex {published} {wrong}', annotation.clip
            )
        ]
    apex, repairs = apex_of(annotation, *disk)
    return apex, annotation.apex_source if apex >= 0 else 'estimated', repairs, refused


def gaps(onset, offset, files):
    """[(reason, old, new)] where frames from onset to offset are not among the numbers `files`,
    else [].
    """
    total, there = offset - onset + 1, sum(onset <= number <= offset for number in files)
    if there == total:
        return []
    # A stray number may be millions off: no list of all that is missing.
    first = itertools.islice((str(n) for n in range(onset, offset + 1) if n not in files), 5)
    more = f' and {total - there - 5} more' if total - there > 5 else ''
    return [
        (
            f'missing or damaged frames: {", ".join(first)}{more}',
            f'{total} frames',
            f'{there} frames',
        )
    ]


def _sheet_row(where, clip, repairs):
    # The apex comes last, so that a builder which estimates it can append it to `new`.
    reason, old, new = (
        ('; '.join(parts) for parts in zip(*repairs, strict=True)) if repairs else ('', '', '')
    )
    return Row(where, 'repaired' if repairs else 'used', reason, clip, old, new)


def _outside(annotation, folder, files, release):
    """Audit row for frames that a folder of one clip holds before its onset or after its offset."""
    beyond = [number for number in files if not annotation.onset <= number <= annotation.offset]
    if release.whole or not beyond:
        return []
    reason = (
        f'{len(beyond)} frames ({min(beyond)} to {max(beyond)}) lie outside the onset..offset '
        f'{annotation.onset}..{annotation.offset} of {annotation.where}'
    )
    return [Row(relative(folder, release.root), 'ignored', reason, annotation.clip)]
