"""Audit tables: what became of every file or line of a manual folder, and why.

Every reason begins with its kind, which is the same for all rows alike: 'offset frame is missing:
the nearest file is used'. What differs from row to row (numbers, names) stands behind the first
': ', or in the columns `old` and `new`. The summary of a build counts the kinds.
"""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax import bounded
from mer_jax.errors import UserError

FILENAME = 'audit.csv'
MOST_BYTES = 64_000_000
STATUSES = ('used', 'repaired', 'dropped', 'ignored', 'error')
SEPARATOR = '; '  # between several repairs of one row
UNWANTED = 'macro-expression'  # the kind of drop that a setting asks for
SURPLUS = 'more clips than in the published set'
UNREAD = 'columns that are not read'
MOST_LOST = 0.1  # share of the annotated clips that a build may drop without a warning


class Row(NamedTuple):
    """What became of one file, folder or row of a sheet ('sheet.xlsx row 17'); reason is '' where
    it was used as it is.

    status: 'used' (with a reason where the sheet left something open); 'repaired' (used otherwise
    than it stands there: `old` became `new`); 'dropped' (annotated or on disk, but left out);
    'ignored' (no part of the data set); 'error' (the build is refused).
    """

    file: str
    status: str
    reason: str
    clip: str = ''
    old: str = ''
    new: str = ''


class Repair(NamedTuple):
    """One way in which a clip is used otherwise than it is annotated: `old` became `new`."""

    reason: str
    old: str
    new: str


def repaired(file: str, repairs: Sequence[Repair], clip: str) -> Row:
    """The row of a clip that is used, with its repairs joined."""
    if not repairs:
        return Row(file, 'used', '', clip)
    reasons, old, new = zip(*repairs, strict=True)
    return Row(
        file,
        'repaired',
        SEPARATOR.join(reasons),
        clip,
        SEPARATOR.join(old),
        SEPARATOR.join(new),
    )


def summary(name: str, rows: Sequence[Row], estimated: int = 0) -> str:
    """What became of every annotation and folder of a data set, in a few lines.

    Columns that are not read are no clips or files, and do not count.

    Args:
      name: of the data set.
      rows: of its audit.
      estimated: clips whose apex nobody annotated.
    """
    rows = [row for row in rows if UNREAD not in reason_kinds(row)]
    statuses = Counter(row.status for row in rows)
    totals = [f'{statuses[status]} {status}' for status in STATUSES if statuses[status]]
    if estimated:
        apexes = 'apex' if estimated == 1 else 'apexes'
        totals.append(f'{estimated} {apexes} estimated (can be many frames off: look at them)')
    kinds = Counter()
    for row in rows:
        kinds.update((row.status, kind) for kind in reason_kinds(row))
    lines = [f'  {status}: {count} x {kind}' for (status, kind), count in kinds.most_common()]
    return '\n'.join([f'{name}: {", ".join(totals)}', *lines])


def reason_kinds(row: Row) -> list[str]:
    """The kind of every reason of a row, without numbers and names."""
    reasons = row.reason.split(SEPARATOR) if row.status == 'repaired' else [row.reason]
    return [reason.partition(': ')[0] for reason in reasons if reason]


def loss(rows: Sequence[Row]) -> str:
    """What a build says that drops more than MOST_LOST of the annotated clips; '' for any other.

    Clips that a setting leaves out do not count.
    """
    used = {row.clip for row in rows if row.status in ('used', 'repaired') and row.clip}
    first = {}
    for row in rows:
        clip = row.clip or row.file
        if row.status == 'dropped' and clip not in used and UNWANTED not in reason_kinds(row):
            first.setdefault(clip, row)
    total = len(used) + len(first)
    if len(first) <= MOST_LOST * total:
        return ''
    row = next(iter(first.values()))
    return (
        f'{len(first)} of {total} annotated clips are dropped; the first is {row.file}: '
        f'{row.reason}'
    )


def write(path: Path, rows: Sequence[Row]) -> None:
    """Writes the rows to `path` as CSV.

    The table is written under a temporary name and renamed, so that no half table is ever seen.
    """
    path = Path(path)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
    with open(temporary, 'w', newline='', encoding='utf-8', errors='backslashreplace') as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)
    os.replace(temporary, path)


def read(path: Path) -> tuple[Row, ...]:
    """The rows of a table that `write` wrote.

    Raises:
      UserError: it is damaged.
    """
    try:
        rows = list(csv.reader(bounded.lines(path, MOST_BYTES)))
    except (ValueError, csv.Error):
        rows = []
    if not rows or tuple(rows[0]) != Row._fields or {*map(len, rows)} != {len(Row._fields)}:
        raise UserError(f'{path}: is no table of columns {", ".join(Row._fields)}; build it again')
    return tuple(Row(*row) for row in rows[1:])


def refuse_errors(name: str, rows: Sequence[Row], path: Path) -> None:
    """Raises one UserError for all rows with status 'error'.

    It says how many there are, the first with its reason, and that `path` has them all.
    """
    errors = [row for row in rows if row.status == 'error']
    if errors:
        first, total = errors[0], sum(row.status != 'ignored' for row in rows)
        raise UserError(
            f'{name}: {len(errors)} of {total} files cannot be used; the first is '
            f'{first.file!r}: {first.reason}; '
            f'every file stands in {path}'
        )
