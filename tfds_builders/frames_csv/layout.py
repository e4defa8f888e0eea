"""Reads a CSV of the user: the subject and the label of each clip, and where its frames lie.

Numbers of frames are those in the names of the files; those of a video count from 0. What a cell
leaves open is never guessed: without onset and offset a clip is its whole folder or video, without
an apex it is estimated as everywhere.
"""

import collections
import csv
import difflib
import io
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mer_jax import bounded
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from tfds_builders import annotated, audit, frames, numbering, sheets, trees, videos
from tfds_builders.annotated import Annotation
from tfds_builders.audit import Repair, Row
from tfds_builders.clip import Clip

DATASET = 'frames_csv'
INSTRUCTIONS = (
    'frames_csv reads a CSV of your own clips: --config.data.manual_dir=FILE.csv with the columns '
    'clip, subject, label and path (a folder of frames or a video, seen from the folder of the '
    'CSV); mer-jax draw FOLDER writes an example'
)
OPTIONS = {}  # the cells of the table say what settings of a release say
EMOTIONS = ()  # whatever the column label holds
NAMES = ('clip', 'subject', 'label')
NEEDED = (*NAMES, 'path')
OPTIONAL = {
    'onset': ('onset', 'onset frame'),
    'apex': ('apex', 'apex frame'),
    'offset': ('offset', 'offset frame'),
    'fps': ('fps', 'frame rate'),
    'action_units': ('action_units', 'AU', 'AUs'),
    'cropped': ('cropped',),
}
COLUMNS = {**{name: (name,) for name in NEEDED}, **OPTIONAL}
# whether the frames of a clip show the face alone -> its edition
EDITIONS = {True: 'cropped', False: 'uncropped: the face is looked for'}
# the other way round, also as earlier builds name it
SHOWN = {**{name: is_crop for is_crop, name in EDITIONS.items()}, 'whole frames': False}
UNCODED = ('-', '/')  # cells of action_units that say nothing, besides annotated.NO_UNITS
YES, NO = ('yes', 'y', 'true', '1', '1.0'), ('no', 'n', 'false', '0', '0.0', '')
NO_VALUE = ('nan', '<na>', 'null', '#n/a')  # what pandas and Excel write for an empty cell
FAULT = re.compile(r'#[A-Z0-9/]+[!?]')  # what Excel shows for a formula that failed: '#REF!'
MOST_LETTERS = 60  # of a label: it is the title of columns and plots
MOST_IN_MEMORY = 2_000_000_000  # bytes of the frames of one clip of a video
DOUBT = 'the video is used although its times or frames are in doubt'
MOST_OF_PATH = 200  # letters of a path in a message
ALIKE = 0.72  # of difflib: a name as near to that of a missing column is taken for misspelt
HINTED = 0.6  # a less near one is only asked about
OWN_COLUMN = 'note_'  # what the names of columns of the user may begin with
LISTED = 3  # columns or subjects in a message


class Item(NamedTuple):
    """One row of the table, read; no file was looked at."""

    where: str  # 'clips.csv row 17'
    clip: str
    subject: str
    label: str
    path: Path
    shown: str  # the path as the user wrote it
    onset: int  # -1: the first frame
    apex: str  # the cell as it is
    offset: int  # -1: the last frame
    fps: float  # 0: as the video says, or unknown
    action_units: str
    cropped: bool
    repairs: tuple[Repair, ...] = ()


class Frames(NamedTuple):
    """The frames that a path offers a clip."""

    files: dict[int, Path]  # usable ones by number; of a video each is the video
    damaged: dict[int, str]  # number -> why the frame cannot be used
    first: int  # numbers of all frames of the path, usable or not
    last: int
    rows: list[Row]  # of files that are not used
    fps: float = 0.0
    incomplete: str = ''  # why a video may have more frames than could be read
    doubts: tuple[str, ...] = ()  # what else is wrong with the times or frames of a video


class Video(NamedTuple):
    """What one reading of a video shows."""

    count: int
    fps: float
    size: tuple[int, int]  # (height, width)
    incomplete: str
    doubts: tuple[str, ...]


def find(manual_dir: Path) -> Path:
    """The folder that is read; the table decides, so it is the given one."""
    return Path(manual_dir)


def check(table: Path) -> None:
    """Refuse what is no table of clips, in one line.

    Raises:
      UserError: names the file and what is right.
    """
    _records(table)


def root(table: Path) -> Path:
    """The deepest folder that holds the table and everything it names."""
    paths = [_path(record['path'], table) for record in _records(table)]
    return trees.common_folder([table.parent, *(path.parent for path in paths)])


def files(table: Path) -> tuple[list[Path], list[Path]]:
    """The table; and all pictures in the folders that it names, and its videos."""
    paths = []
    for path in dict.fromkeys(_path(record['path'], table) for record in _records(table)):
        if os.path.isdir(path):  # False, too, for a name that is too long for a disk
            paths += [picture for _, picture in frames.numbered(path)]
        else:
            paths.append(path)  # counts as missing where it is not there
    return [table], paths


def read(table: Path) -> tuple[list[Clip], list[Row]]:
    """Clips and audit rows of a table, in its order.

    Raises:
      UserError: it is no such table.
    """
    source = root(table)
    items, rows = _items(table)
    clips, read_videos, of_path = [], {}, collections.defaultdict(list)
    for item in items:
        try:
            clip, clip_rows = _clip(item, source, read_videos)
        except (ValueError, OSError) as error:
            rows.append(Row(item.where, 'dropped', str(error), item.clip))
            continue
        earlier = of_path[_real(clip)]
        if row := _same_frames(item, clip, earlier):
            rows.append(row)
            continue
        earlier.append((item, clip))
        clips.append(clip)
        rows += clip_rows
    return clips, rows


def _real(clip):
    """Where the frames of a clip lie, whatever links and names lead there."""
    path = Path(os.path.realpath(clip.frames[0][1]))
    return path if is_video(clip) else path.parent


def _same_frames(item, clip, others):
    """The audit row of a clip that has its frames in common with one of others; None without.

    Clips of one person may overlap, but not under two names; those of two people may not: frames
    of the person who is left out would train.
    """
    for other_item, other in others:
        shared = min(clip.offset, other.offset) - max(clip.onset, other.onset) + 1
        is_one = (clip.onset, clip.offset) == (other.onset, other.offset)
        if shared <= 0 or (clip.subject == other.subject and not is_one):
            continue
        about = f'{shared} of them are those of {other.clip} in {other_item.where}'
        if (clip.subject, clip.emotion) == (other.subject, other.emotion):
            return Row(
                item.where, 'ignored', f'the same frames under another name: {about}', clip.clip
            )
        column = 'label' if clip.subject == other.subject else 'subject'
        return Row(
            item.where,
            'error',
            f'the same frames with another {column}: {about}; path, onset or offset of one of the '
            'two is wrong',
            clip.clip,
        )
    return None


def alike(clips: Iterable[Clip]) -> str:
    """A warning of subjects that may be one person under two names; '' where there are none.

    One person under two names would train the fold that tests it.
    """
    names = {}
    for subject in {clip.subject for clip in clips}:
        words = re.findall(r'[0-9]+|[^\W\d_]+', subject.casefold())
        key = tuple(word.lstrip('0') for word in words) or subject
        names.setdefault(key, []).append(subject)
    twice = [' and '.join(sorted(group)) for group in names.values() if len(group) > 1]
    if not twice:
        return ''
    return (
        f'subjects with nearly the same name: {", ".join(sorted(twice)[:LISTED])}; they count as '
        'different people, and if they are not, one trains the fold that tests the other'
    )


def is_video(clip: Clip) -> bool:
    """Whether the frames of a clip stand in one file."""
    (_, first), *_, (_, last) = clip.frames
    return first == last


def _records(table):
    """The rows of the table by column, with all their cells; UserError where it is none."""
    _check_text(table)
    try:
        records = sheets.find_table(table, COLUMNS, OPTIONAL)
        rows, header = _sheet(table)
    except UserError as error:
        reason = str(error).removeprefix(f'{table} ').partition('; unpack')[0]
        raise UserError(f'{table}: {reason}; save it as CSV (UTF-8) or .xlsx') from None
    if not records:
        raise UserError(
            f'{table}: {_no_table(rows, header)}; the first row must name the columns '
            f'{", ".join(NEEDED)}, and may name {", ".join(OPTIONAL)}'
        )
    _refuse_repeated_columns(table, rows[header])
    _refuse_misspelt_columns(table, rows[header])
    columns = len(rows[header])
    for record in records:
        record['surplus'] = rows[record['row'] - 1][columns:]
        for column in COLUMNS:
            record[column] = '' if record[column].lower() in NO_VALUE else record[column]
    return records


def _sheet(table):
    """(rows, index of the header) of the sheet that holds the table; -1 without a header."""
    sheet_rows = [rows for _, rows in sheets.tables(table)]
    for rows in sheet_rows:
        for index, cells in enumerate(rows):
            if {*NEEDED} <= {*map(_plain, cells)}:
                return rows, index
    return next(filter(None, sheet_rows), []), -1


def _no_table(rows, header):
    """Why rows are no table, in words."""
    first = next((row for row in rows if any(row)), [])
    if header >= 0 or not first:
        return 'it holds no row below a header' if first else 'it is empty'
    names = [cell for cell in first if cell][: len(COLUMNS)]
    missing = [name for name in NEEDED if name not in {*map(_plain, first)}]
    return f'no column is named {", ".join(missing)}: its first row holds {", ".join(names)}'


def _refuse_repeated_columns(table, names):
    """UserError where two columns have one name: either may be the right one."""
    for column, accepted in COLUMNS.items():
        plain = {*map(_plain, accepted)}
        same = [name for name in names if _plain(name) in plain]
        if len(same) > 1:
            raise UserError(
                f'{table}: {len(same)} columns are named {" and ".join(same)}; one may hold '
                f'{column}: delete or rename the other'
            )


def _refuse_misspelt_columns(table, names):
    """UserError where a name is nearly that of an optional column which the table does not have.

    Read without 'onest', every clip would be its whole folder, and nothing would look wrong.
    """
    present = {*map(_plain, names)}
    for name in _others(names):
        column = _nearest(name, ALIKE)
        if column in OPTIONAL and not {*map(_plain, OPTIONAL[column])} & present:
            raise UserError(
                f'{table}: column {name}: did you mean {column}? If it is something else, let its '
                f'name begin with {OWN_COLUMN}: {OWN_COLUMN}{name}'
            )


def _others(names):
    """The names of columns that are not read."""
    read_names = _read_names()
    return [name for name in names if name and _plain(name) not in read_names]


def _nearest(name, cutoff):
    """The column that a name may be meant for; '' without one."""
    if name.lower().startswith(OWN_COLUMN):
        return ''
    columns = {_plain(each): column for column, names in COLUMNS.items() for each in names}
    near = difflib.get_close_matches(_plain(name), columns, n=1, cutoff=cutoff)
    return columns[near[0]] if near else ''


def _check_text(table):
    """UserError for text that is not Unicode, or with an open quote: both change cells unseen."""
    try:
        content = bounded.read_bytes(table, sheets.MOST_BYTES)
        is_utf16 = content.startswith((b'\xff\xfe', b'\xfe\xff'))
        is_workbook = content.startswith((b'PK', b'\xd0\xcf\x11\xe0'))
        if not is_workbook:
            text = content.decode('utf-16' if is_utf16 else 'utf-8-sig')
            _refuse_line_breaks(table, text)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b'\n') + 1
        raise UserError(
            f'{table}: row {row} holds bytes that are no UTF-8; save the table as UTF-8 (in '
            'Excel: "CSV UTF-8")'
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(f'{table}: cannot be read: {error}') from None


def _refuse_line_breaks(table, text):
    """UserError where a cell of a CSV runs over a line break: a quote was left open.

    All rows up to the next quote would be one cell. A break in a column that is not read is none of
    our business, unless it holds a row.
    """
    for delimiter in ',;\t':
        header, last_line = [], 0
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
        for cells in reader:
            first_line, last_line = last_line + 1, reader.line_num
            if {*NEEDED} <= {*map(_plain, cells)}:
                header = header or cells
            if header and first_line < last_line and _is_swallowed(cells, header, delimiter):
                raise UserError(
                    f'{table}: row {first_line} goes on over {last_line - first_line} line breaks; '
                    'is a quote left open? Each clip stands in one line'
                )


def _is_swallowed(cells, header, delimiter):
    """Whether a cell with a line break is one that is read, or holds a row of the table."""
    read_names = _read_names()
    for place, cell in enumerate(cells):
        lines = cell.splitlines()
        is_read = place >= len(header) or _plain(header[place]) in read_names
        if len(lines) > 1 and is_read:
            return True
        if len(lines) > 1 and max(line.count(delimiter) for line in lines) >= len(NEEDED) - 1:
            return True
    return False


def _path(cell, table):
    """The path of a cell; of a table that was written on Windows as well."""
    path = Path(os.path.normpath(table.parent / cell))
    if '\\' in cell and not os.path.exists(path):
        return Path(os.path.normpath(table.parent / cell.replace('\\', '/')))
    return path


def _items(table):
    """([Item], rows of all else), in order of the table."""
    items, rows = {}, _unread_columns(table)
    labels = {}  # as the first row of the table spells them
    for record in _records(table):
        where = f'{table.name} row {record["row"]}'
        try:
            item = _item(record, where, table)
        except ValueError as error:
            rows.append(Row(where, 'dropped', str(error), record['clip']))
            continue
        spelt = labels.setdefault(item.label.casefold(), item.label)
        if spelt != item.label:
            repair = Repair('label is spelt as in an earlier row', item.label, spelt)
            item = item._replace(label=spelt, repairs=(*item.repairs, repair))
        earlier = items.setdefault(item.clip.casefold(), item)
        if earlier is not item:
            rows.append(_repeated(item, earlier))
    return list(items.values()), rows


def _repeated(item, earlier):
    """Audit row of an item whose clip an earlier row has named."""
    if item._replace(where='', repairs=()) == earlier._replace(where='', repairs=()):
        reason = f'a row that stands twice: the same as {earlier.where}'
        return Row(item.where, 'ignored', reason, item.clip)
    reason = f'{item.clip} stands otherwise in {earlier.where}; each clip needs a name of its own'
    return Row(item.where, 'error', reason, item.clip)


def _unread_columns(table):
    """The audit row of columns that are not read; [] without any."""
    rows, header = _sheet(table)
    others = []
    for name in _others(rows[header]):
        column = _nearest(name, HINTED)
        others.append(f'{name} (did you mean {column}?)' if column else name)
    if not others:
        return []
    reason = f'{audit.UNREAD}: {", ".join(others)}; read are {", ".join(COLUMNS)}'
    return [Row(table.name, 'ignored', reason)]


def _read_names():
    """The names of all columns that are read, as `_plain`."""
    return {_plain(name) for names in COLUMNS.values() for name in names}


def _plain(name):
    return re.sub(r'[^0-9a-z]', '', name.lower())


def _item(record, where, table):
    """The Item of a row; ValueError where a cell cannot be read."""
    if any(record['surplus']):
        raise ValueError(
            f'more cells than columns: {", ".join(record["surplus"])}; a cell that holds the '
            'separator stands in quotes'
        )
    for column in NEEDED:
        if not record[column]:
            raise ValueError(f'{column} is empty')
    for column in COLUMNS:
        if FAULT.fullmatch(record[column]):
            raise ValueError(f'{column} is {record[column]!r}: its formula failed')
    names = {column: _one_spelling(record[column]) for column in NAMES}
    label = names['label']
    if ',' in label or len(label) > MOST_LETTERS:
        raise ValueError(
            f'label is no name of a class: {label[:MOST_LETTERS]!r}; up to {MOST_LETTERS} letters '
            'without a comma'
        )
    onset, offset = (_number(record, column) for column in ('onset', 'offset'))
    if 0 <= offset <= onset:
        raise ValueError(f'onset does not lie before offset: {onset}, {offset}')
    return Item(
        where=where,
        **names,
        path=_path(record['path'], table),
        shown=record['path'],
        onset=onset,
        apex=record['apex'],
        offset=offset,
        fps=_fps(record['fps']),
        action_units=_action_units(record['action_units']),
        cropped=_cropped(record['cropped']),
        repairs=tuple(
            Repair(f'{column} has blanks or accents of another form', record[column], name)
            for column, name in names.items()
            if name != record[column]
        ),
    )


def _one_spelling(cell):
    """A name without the differences that nobody sees: blanks in a row, and composed accents.

    Two subjects that look alike would be one person who trains the fold that tests him.
    """
    return ' '.join(unicodedata.normalize('NFC', cell).split())


def _number(record, column):
    """The frame number of a cell; -1 where it is empty."""
    return annotated.frame_number(column, record[column]) if record[column] else -1


def _fps(cell):
    """Frames a second of a cell; 0 where it is empty."""
    if not cell:
        return 0.0
    try:
        fps = float(cell.replace(',', '.'))
        videos.check_given_fps(fps)
    except (ValueError, UserError):
        fps = 0.0
    if not fps > 0:
        raise ValueError(f'fps is {cell!r}; must be frames a second, from 0.1 to 100000')
    return fps


def _action_units(cell):
    """The cell as it is; ValueError where it says something that is no action unit.

    It would count as a clip whose face shows none, which is another thing than unknown.
    """
    if cell in UNCODED:
        return ''
    units = f'{sheets.whole(cell)}' if re.fullmatch(r'[0-9]+\.0*', cell) else cell
    is_decimal = re.search(r'[0-9]\.[0-9]', units)
    if annotated.has_units(units) and (is_decimal or not action_units.parse(units)):
        raise ValueError(f'action_units is {cell!r}; must be such as 6+12, or empty: not coded')
    return units


def _cropped(cell):
    word = cell.lower()
    if word not in (*YES, *NO):
        raise ValueError(f'cropped is {cell!r}; must be yes (frames show the face alone) or no')
    return word in YES


def _clip(item, source, read_videos):
    """(Clip, audit rows) of an item; ValueError where it cannot be used."""
    if os.path.isdir(item.path):
        there = _of_folder(item, source)
    elif os.path.isfile(item.path):
        there = _of_video(item, read_videos)
    else:
        shown = item.shown[:MOST_OF_PATH]
        raise ValueError(f'path is not there: {shown}, seen from the folder of the table')
    onset, offset, repairs = _ends(item, there)
    apex, apex_repairs = _apex(item.apex, onset, offset, there)
    repairs = [
        *item.repairs,
        *repairs,
        *annotated.missing_frames(onset, offset, there.files),
        *(
            Repair(f'{DOUBT}: {text.replace(audit.SEPARATOR, ", ")}', '', '')
            for text in there.doubts
        ),
        *apex_repairs,  # last, so that the estimated apex can be appended to `new`
    ]
    clip = Clip(
        clip=item.clip,
        subject=item.subject,
        dataset=DATASET,
        emotion=item.label,
        action_units=item.action_units,
        action_units_known=annotated.has_units(item.action_units),
        onset=onset,
        apex=apex,
        offset=offset,
        apex_source='annotated' if apex >= 0 else 'estimated',
        fps=item.fps or there.fps,
        cropped=item.cropped,
        frames=frames.between(there.files, onset, offset),
        edition=EDITIONS[item.cropped],
    )
    return clip, [audit.repaired(item.where, repairs, item.clip), *there.rows]


def _of_folder(item, source):
    """The Frames of a folder."""
    first = max(item.onset, 0)
    last = item.offset if item.offset >= 0 else frames.LARGEST
    numbered, foreign = frames.of_clip(item.path)
    numbers = [number for number, _ in numbered if number >= 0]
    if not numbers:
        reason = f'no frames in {item.shown}: there is {trees.contents(item.path)}'
        if numbered:
            reason = f'no frames in {item.shown}: {numbered[0][1].name}: {frames.NO_NUMBER}'
        raise ValueError(reason)
    _refuse_series(item, first, last)
    usable, problems = frames.listing(item.path, first=first, last=last)
    rows = []
    for path, reason in problems:
        rows.append(Row(annotated.relative(path, source), 'dropped', reason, item.clip))
    for path in foreign:
        rows.append(Row(annotated.relative(path, source), 'ignored', frames.FOREIGN, item.clip))
    damaged = {frames.number(path): reason for path, reason in problems}
    damaged = {number: why for number, why in damaged.items() if number not in {-1, *usable}}
    return Frames(usable, damaged, min(numbers), max(numbers), rows)


def _refuse_series(item, first, last):
    """ValueError where frames from first to last belong to two series by their names.

    Read as one, 'happy_1.png' would be followed by 'sad_2.png', and '1.00.png' by '0.01.png'.
    """
    of_series = collections.defaultdict(list)
    for number, path in frames.numbered(item.path):
        if first <= number <= last:
            of_series[_series(path)].append(path)
    usual, *others = sorted(of_series.values(), key=len, reverse=True) or [[]]
    for paths in others:
        if _same_letters(usual[0], paths[0]):
            is_other = not _in_one_order([*usual, *paths])
        else:  # fewer are pictures made of the frames, as frames.of_clip takes them
            is_other = 1 < len(paths) and frames.OTHERS * len(paths) > len(usual)
        if is_other:
            raise ValueError(
                f'frames of two series: {usual[0].name} and {paths[0].name} in {item.shown}; give '
                'each a folder, or an onset and offset within one'
            )


def _series(path):
    """What stands before the number of a frame."""
    return path.stem.rstrip().rstrip('0123456789').lower()


def _same_letters(*paths):
    return len({re.sub('[0-9]', '', _series(path)) for path in paths}) == 1


def _in_one_order(paths):
    """Whether the last numbers in the names of files grow with all of their numbers."""
    numbers = sorted([int(digits) for digits in re.findall('[0-9]+', path.stem)] for path in paths)
    last = [row[-1] for row in numbers]
    return all(before < after for before, after in itertools.pairwise(last))


def _of_video(item, read_videos):
    """The Frames of a video, each of which is read once."""
    if frames.is_frame(item.path.name):
        raise ValueError(f'path is a single picture: {item.shown}; name its folder')
    if item.path not in read_videos:
        read_videos[item.path] = _read_video(item.path)
    video = read_videos[item.path]
    if isinstance(video, UserError):
        reason = str(video).removeprefix(f'{item.path}: ')
        raise ValueError(f'video cannot be read: {item.shown}: {reason}')
    first = max(item.onset, 0)
    last = item.offset if 0 <= item.offset < video.count else video.count - 1
    height, width = video.size
    size = (last - first + 1) * height * width
    if size > MOST_IN_MEMORY:
        raise ValueError(
            f'too many pixels in one clip: {size / 1e9:.1f} GB; up to {MOST_IN_MEMORY / 1e9:.0f}; '
            'give onset and offset, or cut the video'
        )
    numbers = dict.fromkeys(range(first, last + 1), item.path)
    return Frames(numbers, {}, 0, video.count - 1, [], video.fps, video.incomplete, video.doubts)


def _read_video(path):
    """The Video of a file, or the UserError that says why it is none."""
    try:
        with videos.open_recording(path) as recording:
            count = sum(1 for _ in recording)
            damages = [text for text in recording.warnings if text.startswith(videos.DAMAGED)]
            if not damages and count < (recording.count or 0) - videos.SPARE:
                damages = recording.warnings[-1:]
            doubts = tuple(text for text in recording.warnings if text not in damages)
            incomplete = damages[0] if damages else ''
            return Video(count, recording.fps, recording.size, incomplete, doubts)
    except UserError as error:
        return error


def _ends(item, there):
    """(onset, offset, repairs); ValueError where a given one is no frame that is there."""
    given = {'onset': item.onset, 'offset': item.offset}
    for name, number in given.items():
        _refuse_damaged(name, number, there)
        nearest = min(max(number, there.first), there.last)
        most_moved = 0 if there.incomplete else numbering.MOST_MOVED
        if number >= 0 and abs(number - nearest) > most_moved:
            why = f' ({there.incomplete})' if there.incomplete else ''
            raise ValueError(
                f'{name} is no frame: {number}; {item.shown} has {there.first} to {there.last}{why}'
            )
    if item.offset < 0 and there.incomplete:
        raise ValueError(f'video is not whole: {there.incomplete}; give the offset')
    if len(there.files) < 2:
        raise ValueError(f'too few usable frames: {len(there.files)}, at least 2 are needed')
    _refuse_other_numbers(item, there)
    # Without an annotated end it is the first or last frame, and not the neighbour of a damaged
    # one: another copy of the same clip would begin elsewhere.
    onset = item.onset if item.onset >= 0 else there.first
    offset = item.offset if item.offset >= 0 else there.last
    _refuse_damaged('onset', onset, there)
    _refuse_damaged('offset', offset, there)
    ends = Annotation(item.where, item.clip, item.subject, item.label, '', onset, '', offset)
    return annotated.interval(ends, there.files, there.damaged)


def _refuse_damaged(name, number, there):
    if number in there.damaged:
        raise ValueError(
            f'{name} frame cannot be used: {number} ({there.damaged[number]}); put a whole picture '
            'in its place, or correct the table'
        )


def _refuse_other_numbers(item, there):
    """ValueError where the table counts frames of a folder from another number than their names.

    A table that counts from 0 over files that count from 1 would be off by one in the apex.
    """
    counts_from_zero = item.onset == 0 and there.first == 1
    is_shifted = item.onset >= 0 and item.offset >= 0 and item.onset != there.first
    if counts_from_zero or (is_shifted and item.offset - item.onset == there.last - there.first):
        offset = item.offset if item.offset >= 0 else 'the last'
        raise ValueError(
            f'frames are numbered otherwise: {item.onset} to {offset} in the table, '
            f'{there.first} to {there.last} in {item.shown}; the numbers must be those of the '
            'frames'
        )


def _apex(cell, onset, offset, there):
    """(apex, repairs) of a cell: -1, to be estimated, where it is no frame of the clip."""
    if cell.lower() in ('', '/', '-', '-1', 'na', 'nan', 'none'):
        return -1, []
    try:
        number = sheets.whole(cell)
    except ValueError:
        return -1, [Repair(f'apex is no frame number: {annotated.ESTIMATED}', cell, '')]
    _refuse_damaged('apex', number, there)
    if not onset < number <= offset:
        reason = f'apex does not lie between onset and offset: {annotated.ESTIMATED}'
        return -1, [Repair(reason, cell, '')]
    if number not in there.files:
        return -1, [Repair(f'apex has no file: {annotated.ESTIMATED}', cell, '')]
    return number, []
