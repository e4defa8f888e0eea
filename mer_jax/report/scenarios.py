"""Choose the explained clips to show: some clips, and pairs.

Pairs are those of three scenarios, as in Figure 6 of Ruan et al., ACM MM 2022. Nothing here is
random: equal arrays give equal choices.
"""

from collections.abc import Sequence

import numpy as np

from mer_jax.types import Explained

SCENARIOS = ('subjects', 'clips', 'emotions')


def unit_sets(action_units: np.ndarray, titles: Sequence[str]) -> list[tuple[str, ...] | None]:
    """Return the action units of each row, ordered by number.

    Args:
        action_units: float32[R, A], 1 present, 0 absent, NaN unknown.
        titles: of the columns, such as 'AU12'.

    Returns:
        The titles of each row; None where any unit is unknown.
    """
    order = sorted(range(len(titles)), key=lambda i: (_unit_number(titles[i]), titles[i]))
    sets = []
    for row in action_units:
        if np.isnan(row).any():
            sets.append(None)
        else:
            sets.append(tuple(titles[i] for i in order if row[i] == 1))
    return sets


def _unit_number(title):
    """'AU12' -> 12; 0 without digits."""
    return int(''.join(filter(str.isdigit, title)) or 0)


def unit_title(units: tuple[str, ...] | None) -> str:
    """Return the title of a set, such as 'AU 4+7'."""
    if units is None:
        return 'AU unknown'
    return f'AU {"+".join(units)}' if units else 'no AU'


def scenarios(explained: Explained) -> dict[str, tuple[int, int] | None]:
    """Choose a pair of rows for each scenario.

    'subjects': the same emotion and action unit in two subjects; 'clips': the same in two clips of
    one subject; 'emotions': the same action unit in two emotions, if possible of two subjects.
    Preferred are, in this order: right predictions, equal sets of action units, rows that no other
    scenario shows, few action units, low row numbers.

    Args:
        explained: of which label, predicted, subject and action_units are read.

    Returns:
        {scenario: (i, j)}; None where no pair fits.
    """
    label, subject = np.asarray(explained.label), np.asarray(explained.subject)
    first, second = np.triu_indices(len(label), 1)
    units = np.nan_to_num(np.asarray(explained.action_units, np.float32))
    shared = (units @ units.T)[first, second]
    either = units.sum(1)[first] + units.sum(1)[second]
    same_subject = subject[first] == subject[second]
    same_emotion = label[first] == label[second]
    candidates = {
        'subjects': ~same_subject & same_emotion,
        'clips': same_subject & same_emotion,
        'emotions': ~same_emotion,
    }
    right = np.equal(label, explained.predicted).astype(int)
    overlap = shared / np.maximum(either - shared, 1)
    pairs, shown = {}, []
    for name in SCENARIOS:
        pair = np.flatnonzero(candidates[name] & (shared > 0))
        i, j = first[pair], second[pair]
        already_shown = np.isin(i, shown).astype(int) + np.isin(j, shown)
        keys = (  # the last counts most
            j,
            i,
            either[pair],
            already_shown,
            same_subject[pair] & (name == 'emotions'),
            -overlap[pair],
            -right[i] - right[j],
        )
        best = np.lexsort(keys)[:1]
        pairs[name] = None
        if len(best):
            pairs[name] = int(i[best[0]]), int(j[best[0]])
            shown += pairs[name]
    return pairs


def choose(explained: Explained, count: int) -> np.ndarray:
    """Choose rows to show, spread over classes and subjects.

    Classes take turns; each takes the subject that was shown least, then the lowest row.
    Predictions do not count, because choosing right ones would flatter the network.

    Args:
        explained: of which label and subject are read.
        count: rows to choose.

    Returns:
        int[min(count, R)].
    """
    label, subject = np.asarray(explained.label), np.asarray(explained.subject)
    left = {kind: list(np.flatnonzero(label == kind)) for kind in np.unique(label)}
    shown = dict.fromkeys(subject.tolist(), 0)
    chosen = []

    def rank(row: int) -> tuple[int, int]:
        return shown[int(subject[row])], row

    while len(chosen) < min(count, len(label)):
        for rows in left.values():
            if not rows:
                continue
            row = min(rows, key=rank)
            rows.remove(row)
            shown[int(subject[row])] += 1
            chosen.append(row)
    return np.array(chosen[:count], int)
