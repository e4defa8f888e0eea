"""Which clips to show of those a network explains: a balanced few, and pairs for the three
scenarios of a comparison.

Scenarios as in Figure 6 of Ruan et al., ACM MM 2022. Nothing here is drawn at random: equal arrays
give equal choices.
"""

import numpy as np

SCENARIOS = ('subjects', 'clips', 'emotions')


def unit_sets(action_units, titles) -> list:
    """The action units of each row of float32[R, A] as a tuple of titles by number; None where one
    is unknown (NaN).
    """
    order = sorted(
        range(len(titles)),
        key=lambda i: (int(''.join(filter(str.isdigit, titles[i])) or 0), titles[i]),
    )
    return [
        None if np.isnan(row).any() else tuple(titles[i] for i in order if row[i] == 1)
        for row in action_units
    ]


def unit_title(units) -> str:
    """'AU 4+7' of a tuple of str; None is unknown."""
    if units is None:
        return 'AU unknown'
    return f'AU {"+".join(units)}' if units else 'no AU'


def scenarios(explained) -> dict:
    """A pair of row numbers (i, j) for each scenario, None for one that the rows cannot show.

    'subjects': the same emotion and action unit in two subjects; 'clips': in two clips of one
    subject; 'emotions': the same action unit in two emotions, of two subjects where there are such.
    Wanted in this order: both answers right, equal sets of action units, rows that no other
    scenario shows, few action units, low row numbers.
    explained: Explained, of which label, predicted, subject and action_units are read.
    """
    first, second = np.triu_indices(len(explained.label), 1)
    units = np.nan_to_num(np.asarray(explained.action_units, np.float32))
    shared, either = (units @ units.T)[first, second], (units.sum(1)[first] + units.sum(1)[second])
    subject, emotion = (
        np.equal(of[first], of[second])
        for of in map(np.asarray, (explained.subject, explained.label))
    )
    kinds = {'subjects': ~subject & emotion, 'clips': subject & emotion, 'emotions': ~emotion}
    right = np.equal(explained.label, explained.predicted).astype(int)
    overlap = shared / np.maximum(either - shared, 1)
    found, shown = {}, []
    for name in SCENARIOS:
        pairs = np.flatnonzero(kinds[name] & (shared > 0))
        i, j = first[pairs], second[pairs]
        again = np.isin(i, shown).astype(int) + np.isin(j, shown)
        keys = (
            j,
            i,
            either[pairs],
            again,
            subject[pairs] & (name == 'emotions'),
            -overlap[pairs],
            -right[i] - right[j],
        )
        best = np.lexsort(keys)[:1]
        found[name] = (int(i[best[0]]), int(j[best[0]])) if len(best) else None
        shown += found[name] or ()
    return found


def choose(explained, count) -> np.ndarray:
    """int[min(count, R)]: rows to show, classes in turn and in each the subject shown least so far,
    first rows first.

    Right and wrong answers are not told apart: a choice by them would flatter the network.
    explained: Explained, of which label and subject are read.
    """
    label, subject = np.asarray(explained.label), np.asarray(explained.subject)
    left = {kind: list(np.flatnonzero(label == kind)) for kind in np.unique(label)}
    shown, rows = dict.fromkeys(subject.tolist(), 0), []
    while len(rows) < min(count, len(label)):
        for kind in [kind for kind in left if left[kind]]:
            row = min(left[kind], key=lambda row: (shown[int(subject[row])], row))
            left[kind].remove(row)
            shown[int(subject[row])] += 1
            rows.append(row)
    return np.array(rows[:count], int)
