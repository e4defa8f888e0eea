"""Joins the rows of an annotation sheet with the clip folders on disk.

What can be used becomes a Clip. Every annotation and every folder gets a row of the audit table.
"""

import difflib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from tfds_builders import audit, frames, numbering, sheets, trees
from tfds_builders.audit import Repair, Row
from tfds_builders.clip import Clip, KeyFrames

NO_UNITS = ('', '?', 'null', 'none', 'nan')  # cells that say nothing of action units, in any case
LISTED_FRAMES = 5  # of those that are missing, in an audit row
LISTED_WORKBOOKS = 3  # of those that are no coding sheets, in a message
# sheets of other programs, or of other kinds
UNREAD = ('.ods', '.numbers', '.xlsb', '.xlsm', '.tsv', '.gsheet', '.doc', '.docx', '.rtf')
ESTIMATED = 'estimated from the frames'


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
    repairs: tuple[Repair, ...] = ()  # of what the sheet itself showed
    apex_source: str = 'annotated'


class Release(NamedTuple):
    """What all clips of one build share."""

    dataset: str
    root: Path  # audit rows are relative to it
    tree: trees.Tree
    whole: bool  # the folders hold whole recordings, of which onset..offset is a part
    cropped: bool
    fps: float
    edition: str
    corrections: dict[str, KeyFrames]  # by clip id
    corrected_by: str


class Disk(NamedTuple):
    """The frames of one clip: its interval and what lies in its folder, by numbers of the sheet."""

    onset: int
    offset: int
    files: dict[int, Path]  # usable frames by number
    damaged: dict[int, str]  # number -> why the file cannot be used


def read_rows(
    records: Iterable[dict], parse: Callable[[dict], Annotation]
) -> tuple[list[Annotation], list[Row]]:
    """Reads the records of a sheet; returns the annotations and audit rows of all else.

    Of rows that name a clip again, equal ones are 'ignored' and differing ones are an 'error'. Rows
    without filename, onset and offset (notes below a table) are 'ignored'.

    Args:
      records: dictionaries by column.
      parse: makes an Annotation of a record; its ValueError becomes an 'error' row.
    """
    first, rows = {}, []
    for record in records:
        if not any(record[column] for column in ('filename', 'onset', 'offset')):
            rows.append(Row(record['where'], 'ignored', 'a note: neither a file name nor frames'))
            continue
        try:
            annotation = parse(record)
        except ValueError as error:
            rows.append(Row(record['where'], 'error', str(error)))
            continue
        earlier = first.setdefault(annotation.clip.lower(), annotation)
        if earlier is not annotation:
            rows.append(_repeated(annotation, earlier))
    return list(first.values()), rows


def _repeated(annotation, earlier):
    """Audit row of an annotation whose clip an earlier row has named."""
    where, clip = annotation.where, annotation.clip
    if annotation._replace(where='') == earlier._replace(where=''):
        return Row(where, 'ignored', f'a row that stands twice: the same as {earlier.where}', clip)
    return Row(where, 'error', f'{clip} stands otherwise in {earlier.where}; one must go', clip)


def coding_sheets(folder: Path, load: Callable, title: str) -> tuple[list, list[Row]]:
    """Loads every coding sheet below `folder`; returns them and rows of the other workbooks.

    Args:
      folder: where the release was unpacked.
      load: load(path) returns something empty for a workbook that is no coding sheet, and raises
        UserError where it has a reason.
      title: name of the release, for the reason.
    """
    codings, rows = [], []
    for path in trees.workbooks(folder):
        reason = f'no coding sheet of {title}'
        try:
            coding = load(path)
        except UserError as error:  # or a workbook of something else, with a password
            coding, reason = None, str(error).removeprefix(f'{path} ')
        if coding:
            codings.append(coding)
        else:
            rows.append(Row(relative(path, folder), 'ignored', reason))
    for path in trees.workbooks(folder, UNREAD):
        reason = f'a format that is not read: save {path.suffix} as .xlsx or .csv'
        rows.append(Row(relative(path, folder), 'ignored', reason))
    return codings, rows


def refuse_names(records: Sequence[Mapping[str, str]], title: str, example: str) -> None:
    """UserError for a table with all columns whose cells name no clips.

    Args:
      records: of the table.
      title: name of the release.
      example: of a clip's name.
    """
    names = [record['filename'] for record in records if record['filename']]
    if names:
        raise UserError(
            f'no coding sheet of {title}: its Filename cells, such as {names[0]!r}, are not like '
            f'{example}'
        )


def listed(rows: Sequence[Row]) -> str:
    """The first workbooks that are no coding sheets, each with its reason, in words."""
    there = [f'{row.file}: {row.reason}' for row in rows[:LISTED_WORKBOOKS]]
    left_out = len(rows) - len(there)
    more = f', and {left_out} more' if left_out > 0 else ''
    return f'there is {", ".join(there)}{more}' if there else 'there is no workbook at all'


def choose_tree(
    candidates: Sequence[trees.Tree],
    wanted: str,
    order: Sequence[str],
    source: Path,
    instructions: str,
) -> tuple[trees.Tree, list[Row]]:
    """The tree whose frames are read, as trees.choose, and audit rows of the others.

    Raises:
      UserError: there is no such tree.
    """
    tree, others = trees.choose(candidates, wanted, order)
    if tree is None:
        there = ', '.join(sorted({other.kind for other in others})) or 'none'
        raise UserError(
            f'frames={wanted}: no such frames are in {source}, but {there}; {instructions}'
        )
    return tree, unread_trees(others, tree, source)


def unread_trees(others: Iterable[trees.Tree], tree: trees.Tree, source: Path) -> list[Row]:
    """Audit rows of the image trees that are not read, because `tree` is."""
    instead = f'{tree.kind} ones are read from {relative(tree.path, source)}'
    return [
        Row(relative(other.path, source), 'ignored', f'{other.kind} frames: {instead}')
        for other in others
    ]


def join(annotations: Sequence[Annotation], release: Release) -> tuple[list[Clip], list[Row]]:
    """Finds the frames of each annotation; returns clips and audit rows in order of the sheet.

    The rows of clip folders that no annotation names come last.
    """
    clips, rows = [], []
    numbers = _numbers(annotations, release)
    annotations, refused = _with_corrections(annotations, numbers, release)
    if not numbering.are_recordings(list(numbers.values())):
        release = release._replace(whole=False)
    numbering.refuse_other(
        list(numbers.values()),
        recordings=release.whole,
        dataset=release.dataset,
        root=release.root,
    )
    restarted = not release.whole and numbering.is_restarted(list(numbers.values()))
    for annotation in annotations:
        in_folder = numbers.get(annotation.clip)
        try:
            shift = 0 if release.whole else _shift(in_folder, restarted)
        except ValueError as error:
            rows.append(Row(annotation.where, 'dropped', str(error), annotation.clip))
            continue
        clip, clip_rows = _clip_of(annotation, release, shift)
        clips.extend(clip)
        rows.extend(clip_rows)
    rows.extend(refused)
    annotated_clips = {annotation.clip.lower() for annotation in annotations}
    for name, paths in sorted(release.tree.clips.items()):
        folders = [relative(path, release.root) for path in paths]
        if name not in annotated_clips:
            reason = 'no row of the sheet names this clip'
            rows.extend(Row(folder, 'ignored', reason) for folder in folders)
        reason = f'the same clip as {folders[0]}; one of the two must go'
        rows.extend(Row(folder, 'error', reason) for folder in folders[1:])
    return clips, rows


def relative(path: Path, root: Path) -> str:
    """Path relative to `root`, with '/'."""
    return path.relative_to(root).as_posix()


def has_units(cell: str) -> bool:
    """Whether a cell says anything of action units; where not, they are unknown, not absent."""
    return cell.strip().lower() not in NO_UNITS


def emotion(cell: str, emotions: Sequence[str]) -> str:
    """The emotion that a cell names in any case, spelt as in the release's list.

    Raises:
      ValueError: it is none of the list; none is guessed.
    """
    by_lower_case = {name.lower(): name for name in emotions}
    word = cell.strip().lower()
    if word not in by_lower_case:
        near = difflib.get_close_matches(word, by_lower_case, n=1)
        hint = f' (did you mean {near[0]}?)' if near else ''
        raise ValueError(f'emotion is {cell!r}{hint}; must be one of {", ".join(emotions)}')
    return by_lower_case[word]


def frame_number(column: str, cell: str) -> int:
    """Frame number of a cell.

    Raises:
      ValueError: it is no frame number; the message names the column.
    """
    try:
        number = sheets.whole(cell)
    except ValueError:
        number = -1
    if not 0 <= number <= frames.LARGEST:
        raise ValueError(f'{column} is {cell!r}; must be a frame number')
    return number


def interval(
    annotation: Annotation, files: Mapping[int, Path], damaged: Mapping[int, str]
) -> tuple[int, int, list[Repair]]:
    """Onset, offset and repairs: where an annotated end has no file, the nearest file inside.

    It is at most numbering.MOST_MOVED frames away. The offset alone may be further away, where the
    folder begins at the onset and holds the apex: it then ends early (16/EP01_08 of CASME II).

    Args:
      annotation: one row of the sheet.
      files: usable files by frame number.
      damaged: why other files cannot be used, by frame number.

    Raises:
      ValueError: the clip cannot be used; the message is the reason.
    """
    onset, offset = annotation.onset, annotation.offset
    if not 0 <= onset < offset:
        raise ValueError(f'onset does not lie before offset: {onset}, {offset}')
    inside = [number for number in sorted(files) if onset <= number <= offset]
    if len(inside) < 2:
        there = f'; the folder has {min(files)} to {max(files)}' if files else ''
        raise ValueError(
            f'too few usable frames: {len(inside)} from {onset} to {offset}, at least 2 are '
            f'needed{there}'
        )
    repairs = []
    for name, number, nearest in (('onset', onset, inside[0]), ('offset', offset, inside[-1])):
        _refuse_damaged(name, number, damaged)
        if number != nearest:
            if name == 'onset' or not _ends_early(annotation, {*files, *damaged}):
                _refuse_far(name, number, nearest)
            reason = f'{name} frame is missing: the nearest file is used'
            repairs.append(Repair(reason, str(number), str(nearest)))
    return inside[0], inside[-1], repairs


def _ends_early(annotation, numbers):
    """Whether a folder is numbered as the sheet, but ends before the offset."""
    apex = _number_of(annotation.apex)
    has_apex = annotation.onset < apex <= annotation.offset
    return min(numbers) == annotation.onset and not (has_apex and apex > max(numbers))


def _number_of(cell):
    """The whole number in a cell; -1 where there is none."""
    try:
        return sheets.whole(cell)
    except ValueError:
        return -1


def _refuse_far(name, number, nearest):
    away = abs(number - nearest)
    if away > numbering.MOST_MOVED:
        raise ValueError(
            f'{name} frame is missing and so are those beside it: {number}; the nearest file is '
            f'{nearest}, {away} frames away, at most {numbering.MOST_MOVED} are allowed; unpack '
            'the clip again from the release, correct the sheet, or name a published correction '
            'that holds this clip (corrections=... of casme2 and samm)'
        )


def missing_frames(onset: int, offset: int, files: Iterable[int]) -> list[Repair]:
    """The repair that names frames from onset to offset without a usable file; [] if there are
    none.
    """
    numbers = set(files)
    total = offset - onset + 1
    there = sum(onset <= number <= offset for number in numbers)
    if there == total:
        return []
    # A stray number may be millions off: no list of all that is missing.
    missing = (str(number) for number in range(onset, offset + 1) if number not in numbers)
    first = ', '.join(itertools.islice(missing, LISTED_FRAMES))
    left_out = total - there - LISTED_FRAMES
    more = f' and {left_out} more' if left_out > 0 else ''
    reason = f'missing or damaged frames: {first}{more}'
    return [Repair(reason, f'{total} frames', f'{there} frames')]


def _sheet_apex(cell, disk):
    """(apex, repairs) of a cell: -1, to be estimated, where it is no frame of the clip."""
    try:
        number = sheets.whole(cell)
    except ValueError:
        return -1, [Repair(f'apex is no frame number: {ESTIMATED}', cell, '')]
    wrong, _ = _wrong_apex(number, disk)
    if wrong:
        return -1, [Repair(f'{wrong}: {ESTIMATED}', cell, '')]
    return number, []


def _wrong_apex(number, disk):
    """(why a number cannot be the apex, with numbers); ('', '') where it can, ValueError where its
    file is damaged.
    """
    if not disk.onset < number <= disk.offset:
        allowed = f'{disk.onset + 1}..{disk.offset}'
        return 'apex does not lie between onset and offset', f'{number} is not in {allowed}'
    _refuse_damaged('apex', number, disk.damaged)
    return ('', '') if number in disk.files else ('apex has no file', str(number))


def _refuse_damaged(name, number, damaged):
    # A damaged file is the user's copy, not the release: silently using a neighbour would make
    # copies differ.
    if number in damaged:
        raise ValueError(
            f'{name} frame cannot be used: {number} ({damaged[number]}); unpack it again from the '
            'release'
        )


def _numbers(annotations, release):
    """{clip id: Numbers} of the annotations whose folder holds numbered files."""
    numbers, of_folder = {}, {}
    for annotation in annotations:
        folder = release.tree.clips.get(annotation.clip.lower(), [None])[0]
        if folder and folder not in of_folder:
            there = {number for number, _ in frames.of_clip(folder)[0]}
            of_folder[folder] = tuple(sorted(there - {-1}))
        if folder and of_folder[folder]:
            numbers[annotation.clip] = numbering.Numbers(
                annotation.clip,
                folder,
                annotation.onset,
                annotation.offset,
                of_folder[folder],
                _number_of(annotation.apex),
            )
    return numbers


def _shift(in_folder, restarted):
    """What makes the numbers of a folder those of the sheet: 0 where they are, or where it is
    unknown and the release is numbered as the sheet; ValueError where the release is not.
    """
    if in_folder is None:
        return 0
    if in_folder.is_exact:
        return in_folder.shift
    if restarted:
        raise ValueError(
            f'which frames these are is unknown: the release is not numbered as its sheet, and '
            f'{in_folder.clip} has {in_folder} for the {in_folder.length} frames from '
            f'{in_folder.onset} to {in_folder.offset}'
        )
    return 0


def _renumbered(annotation, shift):
    """The repair that says that files are numbered otherwise than in the sheet; [] if not."""
    if not shift:
        return []
    onset, offset = annotation.onset, annotation.offset
    reason = 'files are numbered otherwise than in the sheet: they are read as onset to offset'
    return [Repair(reason, f'{onset - shift} to {offset - shift}', f'{onset} to {offset}')]


def _clip_of(annotation, release, shift):
    """([Clip] or [], audit rows) of one annotation; frame = number of the file + `shift`."""
    where, clip = annotation.where, annotation.clip
    folder = release.tree.clips.get(clip.lower(), [None])[0]
    if folder is None:
        tree = relative(release.tree.path, release.root)
        return [], [Row(where, 'dropped', f'no folder of this clip: none in {tree}', clip)]
    first, last = (annotation.onset, annotation.offset) if release.whole else (0, frames.LARGEST)
    usable_files, problems = frames.listing(folder, first=first, last=last)
    if not usable_files and not problems and not frames.numbered(folder):
        reason = f'no frames in the folder of this clip: there is {trees.contents(folder)}'
        return [], [Row(where, 'dropped', reason, clip)]
    files = {number + shift: path for number, path in usable_files.items()}
    damaged = _damaged(files, problems, shift)
    rows = [Row(relative(path, release.root), 'dropped', reason, clip) for path, reason in problems]
    foreign = [] if release.whole else frames.of_clip(folder)[1]
    for path in foreign:
        rows.append(Row(relative(path, release.root), 'ignored', frames.FOREIGN, clip))
    try:
        onset, offset, repairs = interval(annotation, files, damaged)
        disk = Disk(onset, offset, files, damaged)
        apex, apex_repairs = _sheet_apex(annotation.apex, disk)
    except ValueError as error:
        return [], [Row(where, 'dropped', str(error), clip), *rows]
    repairs = [
        *annotation.repairs,
        *_renumbered(annotation, shift),
        *repairs,
        *missing_frames(onset, offset, files),
        *apex_repairs,  # last, so that the estimated apex can be appended to `new`
    ]
    usable = Clip(
        clip=clip,
        subject=annotation.subject,
        dataset=release.dataset,
        emotion=annotation.emotion,
        action_units=annotation.action_units,
        action_units_known=has_units(annotation.action_units),
        onset=onset,
        apex=apex,
        offset=offset,
        apex_source=annotation.apex_source if apex >= 0 else 'estimated',
        fps=release.fps,
        cropped=release.cropped,
        frames=frames.between(files, onset, offset),
        edition=release.edition,
    )
    rows = [audit.repaired(where, repairs, clip), *rows]
    return [usable], [*rows, *_outside(annotation, folder, files, release)]


def _damaged(files, problems, shift):
    """{frame number: reason} of the files that cannot be used and that no other file replaces."""
    of_file = [(frames.number(path), reason) for path, reason in problems]
    reasons = {number + shift: reason for number, reason in of_file if number >= 0}
    return {number: reason for number, reason in reasons.items() if number not in files}


def _with_corrections(annotations, numbers, release):
    """(annotations with the named corrections, audit rows of those that do not fit).

    Where the folder holds exactly a corrected clip, `numbers` compares it with that.
    """
    corrected, rows = [], []
    for annotation in annotations:
        published = release.corrections.get(annotation.clip)
        in_folder = numbers.get(annotation.clip)
        if published and in_folder:
            try:
                annotation, numbers[annotation.clip] = _correct(
                    annotation, published, in_folder, release.corrected_by
                )
            except ValueError as error:
                file = f'corrections={release.corrected_by} {annotation.clip}'
                rows.append(Row(file, 'ignored', str(error), annotation.clip))
        corrected.append(annotation)
    return corrected, rows


def _correct(annotation, published, in_folder, name):
    """(the annotation with published key frames and repairs, Numbers of its folder).

    Raises:
      ValueError: the folder does not hold them; they are never moved.
    """
    onset = annotation.onset if published.onset < 0 else published.onset
    offset = annotation.offset if published.offset < 0 else published.offset
    key_frames = {'onset': onset, 'offset': offset}
    if published.apex >= 0:
        key_frames['apex'] = published.apex
        if not onset < published.apex <= offset:
            allowed = f'{published.apex} is not in {onset + 1}..{offset}'
            raise ValueError(f'apex does not lie between onset and offset: {allowed}')
    exact = in_folder._replace(onset=onset, offset=offset)
    if in_folder.is_exact or not exact.is_exact:
        exact = in_folder
    shift = exact.shift if exact.is_exact else 0
    there = {number + shift for number in exact.numbers}
    repairs = []
    for column, number in key_frames.items():
        before = str(getattr(annotation, column))
        if before == str(number):
            continue
        if number not in there:
            first, last = min(there), max(there)
            raise ValueError(f'{column} has no file: {number}; the folder has {first} to {last}')
        repairs.append(Repair(f'{column} of corrections={name}', before, str(number)))
    if not repairs:
        return annotation, in_folder
    source = annotation.apex_source
    if 'apex' in key_frames and str(published.apex) != annotation.apex:
        source = 'correction'
    changes = key_frames | {'apex': str(key_frames.get('apex', annotation.apex))}
    annotation = annotation._replace(
        **changes, repairs=(*annotation.repairs, *repairs), apex_source=source
    )
    return annotation, exact


def _outside(annotation, folder, files, release):
    """Audit row for frames that a folder of one clip holds before its onset or after its offset."""
    beyond = [number for number in files if not annotation.onset <= number <= annotation.offset]
    if release.whole or not beyond:
        return []
    reason = (
        f'frames outside onset..offset: {len(beyond)} frames ({min(beyond)} to {max(beyond)}) lie '
        f'outside {annotation.onset}..{annotation.offset} of {annotation.where}'
    )
    return [Row(relative(folder, release.root), 'ignored', reason, annotation.clip)]
