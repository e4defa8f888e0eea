"""A table of predictions that other software wrote.

It is a CSV file with a row for each tested clip: clip, subject, dataset, label and predicted. It
may also have seed, fold, frame, and a column score_<class> for each class.
"""

import csv
import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles.predictions import CLASS_PREFIX, PredictionRow
from mer_jax.types import Names, Predictions

REQUIRED = ('clip', 'subject', 'dataset', 'label', 'predicted')
NUMBERS = ('seed', 'frame')
OPTIONAL = (*NUMBERS, 'fold')
DELIMITERS = ',;\t'
# what spreadsheets and pandas write where a value is missing
MISSING = ('', 'nan', '#n/a', '#name?', '#null!', '#ref!', '#value!')
WHOLE = re.compile(r'[0-9]{1,9}')
NUMBER = re.compile(r'[-+]?[0-9]*[.,]?[0-9]+')
MOST_BYTES = 200_000_000
ROUNDING = 1e-3  # shares with few digits do not sum to exactly 1
SHOWN = 3  # so many subjects or rows are named


class _Line(NamedTuple):
    number: int  # of the line in the file, the header is 1
    cells: dict[str, str]  # {column: text}


@dataclass(frozen=True)
class ForeignTable:
    """Predictions of other software, checked."""

    path: Path
    classes: tuple[str, ...]
    rows: tuple[PredictionRow, ...]  # scores are {} where the table has none
    columns: tuple[str, ...]  # those of the file that are read
    ignored: tuple[str, ...]  # other columns of the file
    remarks: tuple[str, ...]  # what a reader should know, a sentence each

    @classmethod
    def read(cls, path: str | Path, classes: Sequence[str] = ()) -> Self:
        """Read and check a table.

        The cells are separated by commas, semicolons or tabs.

        Args:
            path: of the file.
            classes: names of the classes, which labels may number from 0; () takes the names that
                the columns of scores or the labels have.

        Raises:
            UserError: names the file, the row and the column of what is wrong.
        """
        path = Path(path)
        header, columns, lines = _checked_lines(path)
        score_columns = [name for name in columns if name.startswith(CLASS_PREFIX)]
        titles = tuple(name.removeprefix(CLASS_PREFIX) for name in score_columns)
        classes = _classes(path, lines, titles, tuple(classes))
        lines = _named(path, lines, classes)
        scores = _scores(path, lines, titles, classes)
        rows = _rows(lines, scores)
        remarks = [
            *_incomplete_seeds(rows),
            *(_split_subjects(rows) if 'fold' in columns else ()),
            *_other_scores(rows),
            *_unused_classes(rows, classes),
        ]
        ignored = tuple(name for name in header if name not in columns)
        return cls(path, classes, tuple(rows), tuple(columns), ignored, tuple(remarks))

    def labels(self) -> dict[tuple[str, str, str], str]:
        """Return {(data set, subject, clip): label}."""
        return {(row.dataset, row.subject, row.clip): row.label for row in self.rows}

    def predictions(self) -> tuple[Predictions, Names]:
        """Return the rows as arrays.

        The outputs are 1 for the class that is predicted, else 0.
        """
        clips = sorted(self.labels())
        subjects = sorted({(dataset, subject) for dataset, subject, _ in clips})
        datasets = sorted({dataset for dataset, _ in subjects})
        number_of = {value: i for values in (clips, subjects) for i, value in enumerate(values)}
        predicted = [self.classes.index(row.predicted) for row in self.rows]
        columns = [
            [number_of[row.dataset, row.subject, row.clip] for row in self.rows],
            [row.frame for row in self.rows],
            [number_of[row.dataset, row.subject] for row in self.rows],
            [datasets.index(row.dataset) for row in self.rows],
            [self.classes.index(row.label) for row in self.rows],
            [row.fold for row in self.rows],
            [row.seed for row in self.rows],
        ]
        predictions = Predictions(
            *(np.array(column, np.int32) for column in columns),
            output=np.eye(len(self.classes), dtype=np.float32)[predicted],
        )
        names = Names(
            classes=self.classes,
            subjects=tuple(subject for _, subject in subjects),
            datasets=tuple(datasets),
            clips=tuple(clip for _, _, clip in clips),
            action_units=(),
        )
        return predictions, names


def check(path: str | Path) -> None:
    """Refuse a file with wrong cells, before a data set is built to compare it with.

    Args:
        path: of a table.

    Raises:
        UserError: as `ForeignTable.read`, but nothing is said of classes.
    """
    _checked_lines(Path(path))


def _checked_lines(path):
    """The header, the columns that are read, and the lines with their values."""
    header, lines = _lines(path)
    columns = []
    for name in header:
        if name in (*REQUIRED, *OPTIONAL) or name.startswith(CLASS_PREFIX):
            columns.append(name)
    lines = [_checked(path, line, columns) for line in lines]
    _refuse_contradictions(path, lines)
    return header, columns, lines


def _lines(path):
    """The header, and the lines that are not blank."""
    text = _text(path)
    first = text.lstrip().partition('\n')[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    header, lines = None, []
    try:
        for cells in reader:
            cells = [cell.strip(' ') for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = _header(path, cells)
            elif len(cells) != len(header):
                raise UserError(
                    f'{path}, row {reader.line_num}: number of cells is {len(cells)}; allowed: '
                    f'{len(header)}, as in the header'
                )
            else:
                lines.append(_Line(reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise UserError(
            f'{path}, row {reader.line_num}: is not a row of a table ({error}); quote cells as '
            'CSV does'
        ) from None
    if not lines:
        raise UserError(f'{path}: holds no rows; allowed: a row for each tested clip')
    return header, lines


def _text(path):
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f'{path}: is larger than {MOST_BYTES:,} bytes; allowed: one table')
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except IsADirectoryError:
        raise UserError(f'{path}: is a folder; name a CSV file') from None
    if content.startswith(b'PK'):
        raise UserError(f'{path}: is a workbook or an archive; save the table as CSV (UTF-8)')
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b'\n') + 1
        raise UserError(
            f'{path}, row {row}: holds bytes that are no UTF-8; save the table as CSV (UTF-8)'
        ) from None
    return text.replace('\r\n', '\n').replace('\r', '\n')


def _header(path, cells):
    """The names of the columns."""
    twice = [name for name, count in Counter(cells).items() if count > 1]
    if twice:
        raise UserError(f'{path}: has the column {twice[0]!r} twice; allowed: once')
    missing = [name for name in REQUIRED if name not in cells]
    if missing:
        raise UserError(
            f'{path}: lacks the column {missing[0]!r}; its first row holds '
            f'{", ".join(map(repr, cells[:10]))}; allowed: {", ".join(REQUIRED)}, and where there '
            f'are some {", ".join(OPTIONAL)} and {CLASS_PREFIX}<class>, separated by commas, '
            'semicolons or tabs'
        )
    return cells


def _checked(path, line, columns):
    """The line with the columns that are read; a number in them becomes an int or a float."""
    values = {}
    for name in columns:
        text = line.cells[name]
        if text.lower() in MISSING:
            _refuse(path, line, name, 'a value; a row without a prediction cannot be scored')
        for letter in text:
            if letter != ' ' and unicodedata.category(letter)[0] in 'CZ':
                title = unicodedata.name(letter, f'U+{ord(letter):04X}')
                _refuse(path, line, name, f'text without invisible characters, here {title}')
        if name in NUMBERS and not WHOLE.fullmatch(text):
            _refuse(path, line, name, 'a whole number from 0')
        if name in ('label', 'predicted') and NUMBER.fullmatch(text) and not WHOLE.fullmatch(text):
            _refuse(path, line, name, 'the name of a class, or its whole number from 0')
        values[name] = int(text) if name in NUMBERS else text
        if name.startswith(CLASS_PREFIX):
            values[name] = _score(path, line, name)
    return _Line(line.number, values)


def _score(path, line, name):
    try:
        score = float(line.cells[name])
    except ValueError:
        score = np.nan
    if not np.isfinite(score):
        _refuse(path, line, name, 'a finite number, such as 0.25')
    return score


def _refuse(path, line, name, allowed):
    raise UserError(
        f'{path}, row {line.number}: {name} is {line.cells[name]!r}; allowed: {allowed}'
    )


def _classes(path, lines, titles, classes):
    """The names of the classes."""
    if classes:
        return classes
    labels = {line.cells['label'] for line in lines}
    words = labels | {line.cells['predicted'] for line in lines}
    if all(WHOLE.fullmatch(word) for word in words):
        raise UserError(
            f'{path}: its labels are numbers; name the classes in the order of the numbers with '
            '--classes=negative,positive,surprise (the verb score takes them from --data as well)'
        )
    return titles or tuple(sorted(labels))


def _named(path, lines, classes):
    """The lines with names of classes for label and predicted."""
    words = {line.cells[name] for line in lines for name in ('label', 'predicted')}
    title_of = {title: title for title in classes}
    if all(WHOLE.fullmatch(word) for word in words) and not words & {*classes}:
        title_of = {str(number): title for number, title in enumerate(classes)}
    named = []
    for line in lines:
        titles = {}
        for name in ('label', 'predicted'):
            word = line.cells[name]
            if word not in title_of:
                _refuse(path, line, name, _words(title_of))
            titles[name] = title_of[word]
        named.append(_Line(line.number, line.cells | titles))
    return named


def _words(title_of):
    """The allowed words of a class, for a message."""
    words = [word if word == title else f'{word} ({title})' for word, title in title_of.items()]
    return f'{", ".join(words)}; other classes are named with --classes=A,B,C'


def _scores(path, lines, titles, classes):
    """{class: score} of each line, {} without columns of scores."""
    if not titles:
        return [{} for _ in lines]
    title_of = {title: title for title in titles}
    if {*titles} == {str(number) for number in range(len(classes))}:
        title_of = {str(number): title for number, title in enumerate(classes)}
    if {*title_of.values()} != {*classes}:
        raise UserError(
            f'{path}: has scores of {", ".join(titles)}; allowed: a column of each class, '
            f'{", ".join(CLASS_PREFIX + title for title in classes)}, or none'
        )
    return [
        {title_of[title]: line.cells[CLASS_PREFIX + title] for title in titles} for line in lines
    ]


def _refuse_contradictions(path, lines):
    """Refuse a clip that stands twice for a seed, or has two labels."""
    first_of_row, first_of_clip = {}, {}
    for line in lines:
        cells = line.cells
        clip = cells['dataset'], cells['subject'], cells['clip']
        row = *clip, cells.get('frame', 0), cells.get('seed', 0)
        if row in first_of_row:
            raise UserError(
                f'{path}, row {line.number}: clip is {cells["clip"]!r} of subject '
                f'{cells["subject"]}, which row {first_of_row[row]} holds too; allowed: once for '
                'each seed (column seed)'
            )
        first_of_row[row] = line.number
        before = first_of_clip.setdefault(clip, line)
        if before.cells['label'] != cells['label']:
            raise UserError(
                f'{path}, row {line.number}: label is {cells["label"]!r}, but '
                f'{before.cells["label"]!r} in row {before.number} of the same clip; allowed: one '
                'label'
            )


def _rows(lines, scores):
    """The rows, in the order of seed, data set, subject and clip."""
    folds = {line.cells.get('fold', '0') for line in lines}
    number_of = {name: number for number, name in enumerate(sorted(folds))}
    if all(WHOLE.fullmatch(name) for name in folds):
        number_of = {name: int(name) for name in folds}
    rows = []
    for line, of_classes in zip(lines, scores, strict=True):
        cells = line.cells
        row = PredictionRow(
            clip=cells['clip'],
            subject=cells['subject'],
            dataset=cells['dataset'],
            fold=number_of[cells.get('fold', '0')],
            seed=cells.get('seed', 0),
            label=cells['label'],
            predicted=cells['predicted'],
            scores=of_classes,
            frame=cells.get('frame', 0),
        )
        rows.append(row)
    return sorted(rows, key=lambda row: (row.seed, row.dataset, row.subject, row.clip, row.frame))


def _incomplete_seeds(rows):
    """Say where seeds test different clips."""
    clips_of_seed = defaultdict(set)
    for row in rows:
        clips_of_seed[row.seed].add((row.dataset, row.subject, row.clip, row.frame))
    every = set().union(*clips_of_seed.values())
    lacking = {seed: len(every - clips) for seed, clips in clips_of_seed.items()}
    lacking = {seed: count for seed, count in lacking.items() if count}
    if lacking:
        seed, count = next(iter(lacking.items()))
        yield (
            f'seeds test different clips: seed {seed} lacks {count} of {len(every)} rows that '
            'another seed has'
        )


def _split_subjects(rows):
    """Say which subjects several folds test: a sign of clips split at random."""
    folds_of_subject = defaultdict(set)
    for row in rows:
        folds_of_subject[row.dataset, row.subject, row.seed].add(row.fold)
    split = [key for key, folds in folds_of_subject.items() if len(folds) > 1]
    if split:
        names = dict.fromkeys(f'{dataset}/{subject}' for dataset, subject, _ in split)
        yield (
            f'{_some(list(names), "subject")} tested by more than one fold: other clips of the '
            'same person then train, which is a leak, unless each fold left them out'
        )


def _other_scores(rows):
    """Say where the scores do not fit what is predicted."""
    scored = [row for row in rows if row.scores]
    different = [row for row in scored if row.scores[row.predicted] < max(row.scores.values())]
    if different:
        clips = [f'{row.dataset}/{row.subject}/{row.clip}' for row in different]
        yield (
            f'{_some(clips, "row")} predicted otherwise than by the highest score; what counts is '
            'the column predicted'
        )
    values = np.array([[*row.scores.values()] for row in scored])
    if scored and ((values < 0).any() or not np.allclose(values.sum(1), 1, atol=ROUNDING)):
        yield 'scores are no shares that sum to 1; they are only compared with the predictions'


def _unused_classes(rows, classes):
    labels = {row.label for row in rows}
    for title in classes:
        if title not in labels:
            yield f'no clip has the class {title}; it does not count in UF1 and UAR'


def _some(names, what):
    """'2 subjects (a, b) are'."""
    if len(names) == 1:
        return f'1 {what} ({names[0]}) is'
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return f'{len(names)} {what}s ({", ".join(names[:SHOWN])}{more}) are'
