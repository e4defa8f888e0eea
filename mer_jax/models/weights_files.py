"""Which weights file each fold starts from.

A path with a placeholder names one file for each left-out subject.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError

# the subject's name; its place among the names of all subjects sorted as text, from 1 on; the
# number in its name (6 of '006'), by which the released code of Ruan et al. 2022 names its files
PLACEHOLDERS = ('{subject}', '{number}', '{subject_number}')


class WeightsFile(NamedTuple):
    """The weights that a fold starts from."""

    path: str
    subject: str = ''  # the left-out one, where each has a file


def placeholder(source: str) -> str:
    """The placeholder that a path holds, or ''."""
    return next((name for name in PLACEHOLDERS if name in source), '')


def of_folds(source: str, titles: Sequence[str], subjects: Sequence[str]) -> list[WeightsFile]:
    """The weights file of each fold.

    Args:
        source: path, with a placeholder where each left-out subject has a file.
        titles: of the folds; with a placeholder these are subjects.
        subjects: all subjects of the label scheme, those of no fold among them.

    Raises:
        UserError: '{subject_number}' stands for a name without a number, or two have the same.
    """
    if not placeholder(source):
        return [WeightsFile(source)] * len(titles)
    place = {subject: number for number, subject in enumerate(sorted(subjects), 1)}
    numbers = _numbers(subjects) if '{subject_number}' in source else {}
    files = []
    for title in titles:
        path = source.replace('{subject}', title).replace('{number}', str(place[title]))
        if numbers:
            path = path.replace('{subject_number}', str(numbers[title]))
        files.append(WeightsFile(path, title))
    return files


def _numbers(subjects):
    """{subject: the last number in its name}."""
    numbers = {}
    for subject in subjects:
        digits = re.findall(r'\d+', subject)
        number = int(digits[-1]) if digits else None
        if number is None or number in numbers.values():
            raise UserError(
                f"model.init_from holds '{{subject_number}}', but subject {subject!r} has no "
                "number, or that of another; allowed: '{subject}', '{number}'"
            )
        numbers[subject] = number
    return numbers


def leak(source: str) -> str:
    """What files of each left-out subject carry of that subject, or ''."""
    if placeholder(source) and Path(source).name.startswith('model_best_'):
        return (
            'init_from: model_best_* of Ruan et al. 2022 are of the epoch that scored best on the '
            'left-out subject'
        )
    return ''
