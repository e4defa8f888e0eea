"""Published figures beside measured ones, and whether they can be (published.toml).

A source's rows are its own systems and those that it cites. Figures are judged by their printed
digits: as shares of whole clips, against chance and the largest class, and against the other
figures of the source.
"""

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.evaluation import consistency
from mer_jax.evaluation.consistency import Printed, printed

PATH = Path(__file__).with_suffix('.toml')
FIGURES = ('accuracy', 'uar', 'uf1', 'f1')  # f1: the source does not say how it is averaged
FEW = 3  # so many possible clip counts are listed


@dataclass(frozen=True)
class Source:
    """A publication."""

    title: str
    protocol: str  # as it states it
    leaks: tuple[str, ...]  # of its own systems, as far as they are known
    epoch: str = ''  # how the epoch of its figures was chosen; '' where it is not stated


@dataclass(frozen=True)
class Counts:
    """How many clips a source has of each class of a data set."""

    source: str
    data: tuple[str, ...]
    most: int  # clips that the data set has at all
    clips: dict[str, int] = field(default_factory=dict)  # by class; empty where nothing is stated
    of: str = ''  # who states them
    by_source: bool = False  # whether that is the source itself

    @property
    def total(self) -> int:
        """All clips."""
        return sum(self.clips.values())


@dataclass(frozen=True)
class Row:
    """A system with its figures, as printed: '91.3 %' or '0.913'."""

    system: str
    cited: str = ''  # whose system, where it is not the source's own
    part: str = ''  # the data set that is scored, of several that were trained on
    accuracy: str = ''
    uar: str = ''
    uf1: str = ''
    f1: str = ''
    recalls: dict[str, str] = field(default_factory=dict)  # by class
    subjects: dict[str, str] = field(default_factory=dict)  # accuracy by subject
    perfect: tuple[int, ...] = ()  # subjects without an error, and all subjects
    confusion: tuple[tuple[int, ...], ...] = ()  # rows truth, classes in the order of the counts
    conflicts: tuple[str, ...] = ()  # statements of the source that cannot all be true
    network: str = ''  # the key of NETWORKS, where it is one of this project's


@dataclass(frozen=True)
class Table:
    """A table of a source on one data set, or the part of it with one leak."""

    source: str
    number: str
    data: tuple[str, ...]
    classes: int  # how many
    rows: tuple[Row, ...]
    leaks: tuple[str, ...] = ()  # besides those of the source


class Published(NamedTuple):
    """All of published.toml."""

    sources: dict[str, Source]
    counts: list[Counts]
    tables: list[Table]


class Check(NamedTuple):
    """What was checked about a row."""

    words: str
    holds: bool


class _Place(NamedTuple):
    """A row, and what it is compared with."""

    published: Published
    table: Table
    row: Row


def read() -> Published:
    """Read the published figures."""
    content = tomllib.loads(PATH.read_text())
    sources = {name: Source(**_frozen(entry)) for name, entry in content['sources'].items()}
    counts = [Counts(**_frozen(entry)) for entry in content['counts']]
    tables = []
    for entry in content['tables']:
        rows = tuple(Row(**_frozen(row)) for row in entry.pop('rows'))
        tables.append(Table(**_frozen(entry), rows=rows))
    return Published(sources, counts, tables)


def matching(published: Published, datasets: Collection[str], classes: int) -> list[dict]:
    """The rows about these data sets and so many classes, with their checks.

    Args:
        published: of read.
        datasets: names of the data sets that are tested together.
        classes: how many.

    Returns:
        For each row what compare.json holds of it: system, cited, part, source, table, data,
        protocol, leaks, printed and figures by measure, checks and consistent (None: nothing to
        check).
    """
    rows = []
    for table in published.tables:
        for row in table.rows:
            scored = _scored(table, row)
            whole = {*table.data} == {*datasets}
            if table.classes == classes and (whole or {*scored} == {*datasets}):
                rows.append(_to_json(_Place(published, table, row)))
    return rows


def of_network(published: Published, network: str, classes: int) -> list[dict]:
    """The rows about a network, on whatever data sets, with their checks.

    Args:
        published: of read.
        network: a key of NETWORKS.
        classes: how many.

    Returns:
        As `matching`, and `epoch`, how the epoch of the figures was chosen.
    """
    rows = []
    for table in published.tables:
        epoch = published.sources[table.source].epoch
        for row in table.rows:
            if row.network == network and table.classes == classes:
                rows.append(_to_json(_Place(published, table, row)) | {'epoch': epoch})
    return rows


def checks(published: Published, table: Table, row: Row) -> list[Check]:
    """All that can be said about one row; nothing of what cannot be checked."""
    place = _Place(published, table, row)
    checked = [*_of_share(place), *_of_limits(place)]
    if row.cited:
        return checked
    if _one_vs_rest(published, table.source) and row.f1:
        checked.append(
            Check(
                f'accuracy is 1 - 2 (1 - F1) / {table.classes} in every row: it is that of each '
                'class against the rest, and F1 is the share of clips classified correctly',
                False,
            )
        )
    checked += _of_other_tables(place)
    checked += _of_recalls(place)
    checked += _of_subjects(place)
    checked += _of_confusion(place)
    checked += _of_parts(place)
    checked += [Check(words, False) for words in row.conflicts]
    return checked


def _frozen(entry):
    """A table of TOML with tuples in place of lists."""
    return {key: _tuple(value) for key, value in entry.items()}


def _tuple(value):
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _to_json(place):
    published, table, row = place
    source = published.sources[table.source]
    texts = {name: getattr(row, name) for name in FIGURES if getattr(row, name)}
    checked = checks(*place)
    leaks = [] if row.cited else [*source.leaks, *table.leaks]
    return {
        'system': row.system,
        'cited': row.cited,
        'part': row.part,
        'source': source.title,
        'table': table.number,
        'data': '+'.join(_scored(table, row)),
        'protocol': f'that of {row.cited}' if row.cited else source.protocol,
        'leaks': leaks,
        'printed': texts,
        'figures': {name: round(printed(text).value, 6) for name, text in texts.items()},
        'checks': [check._asdict() for check in checked],
        'consistent': all(check.holds for check in checked) if checked else None,
    }


def _scored(table, row):
    """The data sets that a row is scored on."""
    return (row.part,) if row.part else table.data


def _counts(place, part=None):
    """The clip counts that belong to a row, or to another part of its table."""
    published, table, row = place
    scored = (part,) if part else _scored(table, row)
    for counts in published.counts:
        of_table = counts.source == table.source and counts.data == scored
        if of_table and (not counts.clips or len(counts.clips) == table.classes):
            return counts
    raise KeyError(f'{PATH.name}: no counts of {scored} for {table.source}')


def _systems(published, source) -> Iterable[tuple[Table, Row]]:
    """The rows about a source's own systems."""
    for table in published.tables:
        if table.source == source:
            yield from ((table, row) for row in table.rows if not row.cited)


def _one_vs_rest(published, source):
    """Whether every accuracy of a source is one-vs-rest, and its F1 the share of clips."""
    pairs = [
        (printed(row.accuracy), printed(row.f1), table.classes)
        for table, row in _systems(published, source)
        if row.accuracy and row.f1
    ]
    return bool(pairs) and all(consistency.is_one_vs_rest(*pair) for pair in pairs)


def _share(place) -> Printed | None:
    """The share of clips that a row says are classified correctly; None where it says none."""
    published, table, row = place
    text = row.f1 if _one_vs_rest(published, table.source) else row.accuracy
    return printed(text) if text else None


def _possible(place):
    """The clip counts that all own figures on the same clips allow."""
    published, table, row = place
    shares = []
    for other, entry in _systems(published, table.source):
        same = other.data == table.data and other.classes == table.classes
        if same and entry.part == row.part:
            shares.append(_share(_Place(published, other, entry)))
    shares = [share for share in shares if share]
    return consistency.clip_counts(shares, _counts(place).most), len(shares)


def _clips(place):
    """How many clips a row counts: as stated, else as all figures allow; None where unclear."""
    counts, share = _counts(place), _share(place)
    possible, _ = _possible(place)
    if counts.total in possible:
        return counts.total
    if counts.total and consistency.correct_clips(share, counts.total) and not possible:
        return counts.total
    return possible[0] if len(possible) == 1 else None


def _of_share(place):
    """Whether whole clips give the accuracy."""
    share, counts = _share(place), _counts(place)
    if share is None:
        return
    if place.row.cited:
        if not consistency.clip_counts([share], counts.most):
            yield Check(
                f'no number of clips up to {counts.most} gives it; a mean over folds may', False
            )
        return
    possible, figures = _possible(place)
    if not counts.total:
        if possible:
            yield Check(f'fits {_listed(possible)} clips, as all {figures} figures do', True)
        else:
            yield Check(
                f'no number of clips up to {counts.most} gives all {figures} accuracies; '
                'means over trainings, or frames and made clips, may',
                False,
            )
        return
    correct = consistency.correct_clips(share, counts.total)
    cut = consistency.cut_clips(share, counts.total)
    if correct and (counts.total in possible or not possible):
        yield Check(f'{correct[0]} of {counts.total} clips ({counts.of})', True)
    elif 0 < len(possible) <= FEW:
        fitting = possible[-1]
        correct = consistency.correct_clips(share, fitting)
        yield Check(
            f'{correct[0]} of {fitting} clips fits, as all {figures} figures do; {counts.of} has '
            f'{counts.total}',
            not counts.by_source,
        )
    elif cut:
        yield Check(
            f'no share of {counts.total} clips ({counts.of}) rounds to it; {cut[0]} would, cut off',
            False,
        )
    else:
        yield Check(f'no share of {counts.total} clips ({counts.of}) prints as it', False)


def _of_limits(place):
    """Whether a figure is above chance, and above the share of the largest class."""
    share, counts, row = _share(place), _counts(place), place.row
    if share and counts.total:
        largest = max(counts.clips.values())
        rate = largest / counts.total
        below = consistency.is_below(share, rate)
        side = 'below' if below else 'not below'
        words = f'{side} the share of the largest class, {rate:.3f} ({largest} of {counts.total})'
        yield Check(words, not below)
    if row.uar:
        chance = 1 / place.table.classes
        below = consistency.is_below(printed(row.uar), chance)
        side = 'below' if below else 'not below'
        yield Check(f'UAR is {side} chance, {chance:.3f}', not below)


def _of_other_tables(place):
    """Whether the other tables of the source print the same figures of the system."""
    published, table, row = place
    for other, entry in _systems(published, table.source):
        same = (other.data, other.classes, entry.part, entry.system) == (
            table.data,
            table.classes,
            row.part,
            row.system,
        )
        if not same or other is table:
            continue
        for name in FIGURES:
            pair = getattr(row, name), getattr(entry, name)
            if all(pair):
                agrees = consistency.agree(*map(printed, pair))
                yield Check(f'{other.number} prints {name} {pair[1]}', agrees)


def _of_recalls(place):
    """Whether whole clips of each class give its recall, and together the accuracy."""
    counts, row = _counts(place), place.row
    correct = {}
    for title, text in row.recalls.items():
        correct[title] = consistency.correct_clips(printed(text), counts.clips[title])
        if not correct[title]:
            words = f'no share of {counts.clips[title]} clips of {title} prints as {text}'
            yield Check(words, False)
    if correct and all(correct.values()):
        hits = sum(numbers[0] for numbers in correct.values())
        agrees = consistency.is_of(printed(row.accuracy), hits / counts.total)
        yield Check(f'recalls give {hits} of {counts.total} clips correct', agrees)


def _of_subjects(place):
    """Whether there can be as many subjects without an error as the source prints."""
    row, counts = place.row, _counts(place)
    if not row.perfect:
        return
    share = _share(place)
    possible = consistency.correct_clips(share, counts.total)
    possible = possible or consistency.cut_clips(share, counts.total)
    if not possible:
        return
    errors = counts.total - possible[0]
    fewest = [
        consistency.fewest_errors(printed(text), counts.most) or 0 for text in row.subjects.values()
    ]
    perfect, subjects = row.perfect
    imperfect = subjects - perfect
    most = consistency.most_imperfect(errors, fewest)
    yield Check(
        f'{perfect} of {subjects} subjects without an error leave {imperfect} with some; '
        f'with {errors} wrong in all, the subjects that are printed allow up to {most}',
        min(1, errors) <= imperfect <= most,
    )


def _of_confusion(place):
    """Whether the confusion matrix gives the printed figures."""
    row, table = place.row, place.table
    if not row.confusion:
        return
    matrix = np.array(row.confusion)
    recalls = consistency.recalls(matrix)
    expected = {'accuracy': np.trace(matrix) / matrix.sum(), 'uar': recalls.mean()}
    for name, value in expected.items():
        agrees = consistency.is_of(printed(getattr(row, name)), value)
        yield Check(f'{table.number} gives {name} {value:.4f}', agrees)
    for recall, (title, text) in zip(recalls, row.recalls.items(), strict=True):
        agrees = consistency.is_of(printed(text), recall)
        yield Check(f'{table.number} gives recall of {title} {recall:.4f}', agrees)


def _of_parts(place):
    """Whether the data sets that are scored apart sum to what is scored together."""
    published, table, row = place
    parts = [part for part in table.rows if part.part and part.system == row.system]
    if row.part or not parts:
        return
    places = [_Place(published, table, one) for one in (row, *parts)]
    clips = [_clips(one) for one in places]
    if not all(clips):
        return
    correct = [
        consistency.correct_clips(_share(one), count)[0]
        for one, count in zip(places, clips, strict=True)
    ]
    words = f'its data sets sum to {sum(correct[1:])} of {sum(clips[1:])} clips correct'
    yield Check(words, sum(correct[1:]) == correct[0] and sum(clips[1:]) == clips[0])


def _listed(counts):
    """Some of several clip counts, in words."""
    shown = ', '.join(map(str, counts[:FEW]))
    return shown if len(counts) <= FEW else f'{shown}, ...'
