"""Audit tables: one row for every file or line of a manual folder, saying what became of it and
why.
"""

import csv
import os
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError

FILENAME = 'audit.csv'


class Row(NamedTuple):
    """What became of one file, folder or row of a sheet ('sheet.xlsx row 17'); reason is '' where
    it was used as it is.

    status: 'used'; 'repaired' (used otherwise than it stands there: `old` became `new`); 'dropped'
    (annotated or on disk, but left out); 'ignored' (no part of the data set); 'error' (the build is
    refused).
    """

    file: str
    status: str
    reason: str
    clip: str = ''
    old: str = ''
    new: str = ''


def write(path, rows):
    """Writes the rows to `path` as CSV under a temporary name, then renames, so that no half table
    is ever seen.
    """
    path = Path(path)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
    with open(temporary, 'w', newline='', encoding='utf-8', errors='backslashreplace') as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)
    os.replace(temporary, path)


def refuse_errors(name, rows, path):
    """Raises one UserError for all rows with status 'error': how many, the first with its reason,
    where the table is.
    """
    errors = [row for row in rows if row.status == 'error']
    if errors:
        first, total = errors[0], sum(row.status != 'ignored' for row in rows)
        raise UserError(
            f'{name}: {len(errors)} of {total} files cannot be used; the first is '
            f'{first.file!r}: {first.reason}; '
            f'every file stands in {path}'
        )
