"""Who is left out: every evaluation protocol as the same object, Folds."""

import numpy as np

from mer_jax.errors import UserError
from mer_jax.types import Folds, Rows

# What a protocol lets training see of the test subjects; stands in results.json under `leaks`.
LEAKS = {'random_split': 'random_split: clips of one subject stand on both sides of the split'}


def loso(samples, names, *, folds, holdout, seed):
    """Leave one subject out: a fold a subject, pooled over all data sets named. Returns (title, test mask) a fold."""
    titles = _subject_titles(samples, names)
    return [(titles[s], samples.subject == s) for s in np.unique(samples.subject)]


def lodo(samples, names, *, folds, holdout, seed):
    """Leave one data set out."""
    return [(names.datasets[d], samples.dataset == d) for d in np.unique(samples.dataset)]


def kfold(samples, names, *, folds, holdout, seed):
    """`folds` groups of subjects with about as many clips each: largest subject first into the smallest group."""
    subjects, clips = np.unique(samples.subject, return_counts=True)
    if folds > len(subjects):
        raise UserError(f'protocol.folds is {folds}, more than the {len(subjects)} subjects; allowed: 2 to {len(subjects)}')
    shuffled = np.random.default_rng(seed).permutation(len(subjects))  # breaks ties between subjects of one size
    group, filled = {}, np.zeros(folds)
    for position in sorted(shuffled, key=lambda p: -clips[p]):
        smallest = int(np.argmin(filled))
        group[subjects[position]] = smallest
        filled[smallest] += clips[position]
    of_row = np.array([group[s] for s in samples.subject])
    return [(f'group {g + 1}', of_row == g) for g in range(folds)]


def holdout(samples, names, *, folds, holdout, seed):
    """One fold: a `holdout` share of the subjects, drawn once, is left out."""
    subjects = np.unique(samples.subject)
    count = int(np.clip(round(holdout * len(subjects)), 1, max(1, len(subjects) - 1)))
    left_out = np.random.default_rng(seed).permutation(subjects)[:count]
    return [('holdout', np.isin(samples.subject, left_out))]


def random_split(samples, names, *, folds, holdout, seed):
    """One fold: a `holdout` share of the clips. It leaks: subjects stand on both sides; here because papers use it."""
    clips = np.unique(samples.clip)
    count = int(np.clip(round(holdout * len(clips)), 1, max(1, len(clips) - 1)))
    left_out = np.random.default_rng(seed).permutation(clips)[:count]
    return [('random split', np.isin(samples.clip, left_out))]


def all_rows(samples, names, *, folds, holdout, seed):
    """One run on everything with an empty test: a model to ship."""
    return [('all rows', np.zeros(len(samples.subject), bool))]


PROTOCOLS = {
    'loso': loso,
    'lodo': lodo,
    'kfold': kfold,
    'holdout': holdout,
    'random_split': random_split,
    'all_rows': all_rows,
}


def make(name, samples, names, *, folds, holdout, seed, seeds):
    """Return (Folds, titles): the folds of protocol `name` for seeds 0..seeds-1, seed after seed, and a title a fold.

    Raises UserError where a fold would have nobody to train on.
    """
    groups = PROTOCOLS[name](samples, names, folds=folds, holdout=holdout, seed=seed)
    for title, test in groups:
        if test.all():
            raise UserError(f'protocol.name is {name!r}, but leaving out {title!r} leaves no row to train on; '
                            f'it needs a second {"data set" if name == "lodo" else "subject"}')
    train = _rows([~test for _, test in groups])
    test = _rows([test for _, test in groups])
    count = len(groups)
    repeat = lambda a: np.concatenate([a] * seeds)  # noqa: E731
    return Folds(
        fold=repeat(np.arange(count, dtype=np.int32)),
        seed=np.repeat(np.arange(seeds, dtype=np.int32), count),
        train=Rows(*map(repeat, train)),
        test=Rows(*map(repeat, test)),
    ), [title for title, _ in groups]


def table(folds, titles, samples, names):
    """Header and rows of the fold table: rows to train on, and what is left out, class by class."""
    header = ['fold', 'title', 'dataset', 'subjects', 'train', 'test', *(f'test_{c}' for c in names.classes)]
    rows = []
    for number, title in enumerate(titles):
        test = folds.test.index[number][folds.test.weight[number] > 0]
        datasets = '+'.join(names.datasets[d] for d in np.unique(samples.dataset[test]))
        classes = np.bincount(samples.label[test], minlength=len(names.classes))
        subjects = len(np.unique(samples.subject[test]))
        rows.append([number, title, datasets, subjects, int(folds.train.weight[number].sum()), len(test), *classes.tolist()])
    return header, rows


def describe(name, folds, titles, samples, names):
    """Two or three lines: folds and seeds, the smallest and largest sides, and the leak where there is one."""
    header, rows = table(folds, titles, samples, names)
    column = {key: [row[place] for row in rows] for place, key in enumerate(header)}
    span = lambda values: f'{min(values)}' if min(values) == max(values) else f'{min(values)} to {max(values)}'  # noqa: E731
    seeds = len(folds.fold) // len(titles)
    lines = [f'protocol: {name}, {len(titles)} fold{"s" if len(titles) > 1 else ""} x {seeds} seed{"s" if seeds > 1 else ""}'
             f' = {len(folds.fold)} runs; {span(column["train"])} clips train a fold, {span(column["test"])} test it']
    if name in LEAKS:
        lines.append(f'protocol: LEAKS, {LEAKS[name]}')
    return '\n'.join(lines)


def _rows(masks):
    """Stack row masks: real rows first, padding behind them wraps round to real rows and weighs nothing."""
    longest = max(mask.sum() for mask in masks)
    index = np.zeros((len(masks), longest), np.int32)
    weight = np.zeros((len(masks), longest), np.float32)
    for number, mask in enumerate(masks):
        rows = np.flatnonzero(mask)
        index[number] = np.resize(rows, longest) if len(rows) else 0
        weight[number, :len(rows)] = 1
    return Rows(index, weight)


def _subject_titles(samples, names):
    """Subject names, with the data set before them where two data sets share a name."""
    pairs = {int(s): names.datasets[d] for s, d in zip(samples.subject, samples.dataset, strict=True)}
    return {s: names.subjects[s] if names.subjects.count(names.subjects[s]) == 1 else f'{d}/{names.subjects[s]}'
            for s, d in pairs.items()}
