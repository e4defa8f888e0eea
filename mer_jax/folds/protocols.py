"""Who is left out: every evaluation protocol as the same object, Folds."""

import numpy as np

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS
from mer_jax.folds.rows import of_data_set
from mer_jax.runfiles.folds import FoldRow, FoldTable
from mer_jax.settings import sections
from mer_jax.types import Folds, Resampled, Rows, TrainRows


def loso(samples, names, *, folds, holdout, seed):
    """Leave one subject out, pooled over all data sets: (title, test mask) of each fold."""
    titles = _subject_titles(samples, names)
    return [(titles[s], samples.subject == s) for s in np.unique(samples.subject)]


def lodo(samples, names, *, folds, holdout, seed):
    """Leave one data set out."""
    return [(names.datasets[d], samples.dataset == d) for d in np.unique(samples.dataset)]


def kfold(samples, names, *, folds, holdout, seed):
    """`folds` groups of subjects with about as many clips each: largest subject first into the
    smallest group.
    """
    subjects, clips = np.unique(samples.subject, return_counts=True)
    if folds > len(subjects):
        raise UserError(
            f'protocol.folds is {folds}, more than the {len(subjects)} subjects; allowed: 2 to '
            f'{len(subjects)}'
        )
    # breaks ties between subjects of one size
    shuffled = np.random.default_rng(seed).permutation(len(subjects))
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
    """One fold: a `holdout` share of the clips. It leaks: subjects stand on both sides; here
    because papers use it.
    """
    clips = np.unique(samples.clip)
    count = int(np.clip(round(holdout * len(clips)), 1, max(1, len(clips) - 1)))
    left_out = np.random.default_rng(seed).permutation(clips)[:count]
    return [('random split', np.isin(samples.clip, left_out))]


def clip_kfold(samples, names, *, folds, holdout, seed):
    """`folds` groups of clips, drawn once. It leaks as random_split does, but tests every clip:
    what the leak adds can be told against loso, clip by clip.
    """
    clips = np.unique(samples.clip)
    if folds > len(clips):
        raise UserError(
            f'protocol.folds is {folds}, more than the {len(clips)} clips; allowed: 2 to '
            f'{len(clips)}'
        )
    parts = np.array_split(np.random.default_rng(seed).permutation(clips), folds)
    return [
        (f'clips {number}', np.isin(samples.clip, part)) for number, part in enumerate(parts, 1)
    ]


def all_rows(samples, names, *, folds, holdout, seed):
    """One run on everything with an empty test: a model to ship."""
    return [('all rows', np.zeros(len(samples.subject), bool))]


def make(
    samples,
    names,
    settings: sections.Protocol,
    *,
    seeds: int,
    scaler_scope: str = 'fold',
    trainable: np.ndarray | None = None,
) -> tuple[Folds, list[str]]:
    """The folds of a protocol for seeds 0..seeds-1, seed after seed, and a title for each fold.

    Args:
        samples: all rows.
        names: of their classes, subjects and data sets.
        settings: of section protocol. validation is the share of all subjects (of all clips,
            where the protocol splits by clip) that neither train nor are tested in any fold; with
            evaluate_on='validation' these rows are held out and predicted instead of the test rows.
        seeds: trainings of every fold.
        scaler_scope: 'all' fits scalers to every row, the tested ones included: a leak.
        trainable: bool[N], False for rows that cannot train (their answer is not known): they are
            among the test rows of every fold.

    Raises:
        UserError: a fold has nobody to train on.
    """
    protocol, validation = PROTOCOLS[settings.name], settings.validation
    unit = getattr(samples, protocol.unit)
    aside = _validation(unit, validation, settings.seed)
    left = np.flatnonzero(~aside)
    rest = samples._replace(
        **{key: getattr(samples, key)[left] for key in ('subject', 'dataset', 'clip')}
    )
    split = loaded(protocol.split)
    groups = split(
        rest,
        names,
        folds=settings.folds,
        holdout=settings.holdout / (1 - validation),
        seed=settings.seed,
    )
    able = np.ones(len(unit), bool) if trainable is None else trainable
    needed = protocol.needs
    if validation:
        needed += ', or no protocol.validation'
    for title, test in groups:
        if not able[left[~test]].any():
            raise UserError(
                f'protocol.name is {settings.name!r}, but leaving out {title!r} leaves no row to '
                f'train on; it needs a further {needed}'
            )
    train = stacked([left[~test & able[left]] for _, test in groups] * seeds)
    scaler_rows = train
    if scaler_scope == 'all':
        scaler_rows = stacked([np.flatnonzero(able)] * len(train.index))
    held_out = [
        np.flatnonzero(aside) if settings.evaluate_on == 'validation' else left[test | ~able[left]]
        for _, test in groups
    ]
    count = len(groups)
    return Folds(
        fold=np.tile(np.arange(count, dtype=np.int32), seeds),
        seed=np.repeat(np.arange(seeds, dtype=np.int32), count),
        train=TrainRows(
            *train, scaler_rows=scaler_rows, resampled=nothing_resampled(count * seeds)
        ),
        test=stacked(held_out * seeds),
    ), [title for title, _ in groups]


def asked(folds, count, *, trains) -> Folds:
    """The folds with all `count` rows held out, so that each run is asked about every row; with
    `trains` (a leak) the tested rows train too.
    """
    every = stacked([np.arange(count)] * len(folds.fold))
    if not trains:
        return folds._replace(test=every)
    train = stacked(
        [
            np.concatenate([rows_of(folds.train, run), rows_of(folds.test, run)])
            for run in range(len(folds.fold))
        ]
    )
    return folds._replace(
        test=every, train=folds.train._replace(index=train.index, mask=train.mask)
    )


def rows_of(rows, run) -> np.ndarray:
    """The rows of one run, its padding left out: int32[n] of folds.train or folds.test."""
    return rows.index[run][rows.mask[run] > 0]


def titled(folds, titles) -> list:
    """The title of the fold of each run."""
    return [titles[number] for number in folds.fold]


def nothing_resampled(runs) -> Resampled:
    """The made rows of `runs` runs that have none."""
    none = np.zeros((runs, 0), np.int32)
    return Resampled(none, none, none.astype(np.float32))


def stacked(rows) -> Rows:
    """Rows of each run (vectors of any length) as Rows of one length; padding wraps round to real
    rows and weighs nothing.
    """
    longest = max(map(len, rows))
    index = np.stack(
        [np.resize(own, longest) if len(own) else np.zeros(longest) for own in rows]
    ).astype(np.int32)
    return Rows(index, np.stack([np.arange(longest) < len(own) for own in rows]).astype(np.float32))


def spotted(folds, titles, samples, names, known, told) -> Folds:
    """Folds in which each run keeps, of clips with several candidate frames, the one that its own
    spotter answered.

    samples: a row a (clip, frame); known: bool[N], rows whose apex is annotated; told:
    apexes.Spotted. UserError where it has no fold of that title.
    """

    def keep(number, seed, index, mask):
        rows = index[mask > 0]
        frame = told.frame.get((titles[number], int(seed) % told.seeds))
        unknown = rows[~known[rows]]
        if frame is None and len(unknown):
            raise UserError(
                f'data.apex: {told.folder} has no fold that leaves out {titles[number]!r}; train '
                'the spotter by '
                'loso on all data sets of data.name'
            )
        right = np.array(
            [
                frame[names.datasets[samples.dataset[row]], names.clips[samples.clip[row]]]
                == samples.extras['frame'][row]
                for row in unknown
            ],
            bool,
        )
        return np.sort(np.concatenate([rows[known[rows]], unknown[right]]))

    def each(rows):
        return stacked(
            [keep(*one) for one in zip(folds.fold, folds.seed, rows.index, rows.mask, strict=True)]
        )

    train, fit = each(folds.train), each(folds.train.scaler_rows)
    return folds._replace(
        train=folds.train._replace(index=train.index, mask=train.mask, scaler_rows=fit),
        test=each(folds.test),
    )


def table(folds, titles, samples, names) -> FoldTable:
    """The fold table: rows to train on, and what is left out, class by class."""
    rows = []
    for number, title in enumerate(titles):
        test = rows_of(folds.test, number)
        datasets = '+'.join(names.datasets[d] for d in np.unique(samples.dataset[test]))
        classes = np.bincount(samples.label[test], minlength=len(names.classes))
        subjects = len(np.unique(samples.subject[test]))
        trained = rows_of(folds.train, number)
        real = of_data_set(samples, trained)
        rows.append(
            FoldRow(
                fold=number,
                title=title,
                dataset=datasets,
                subjects=subjects,
                train=int(real.sum()),
                made=int((~real).sum()),
                test=len(test),
                tested=tuple(classes.tolist()),
            )
        )
    return FoldTable(tuple(names.classes), tuple(rows))


def describe(name, folds, titles, samples, names):
    """Two or three lines: folds and seeds, the smallest and largest sides, and the leak where there
    is one.
    """
    rows = table(folds, titles, samples, names).rows
    made = [row.made for row in rows]
    seeds = len(folds.fold) // len(titles)
    unit = 'clips' if len(np.unique(samples.clip)) == len(samples.clip) else 'rows'
    lines = [
        f'protocol: {name}, {len(titles)} fold{"s" if len(titles) > 1 else ""} x {seeds} '
        f'seed{"s" if seeds > 1 else ""}'
        f' = {len(folds.fold)} runs; {_span([row.train for row in rows])} {unit} train a fold, '
        f'{_span([row.test for row in rows])} test it'
    ]
    if any(made):
        lines.append(f'balance: {_span(made)} rows made a fold (seed 0) train beside them')
    if leak(name):
        lines.append(f'protocol: LEAKS, {leak(name)}')
    return '\n'.join(lines)


def leak(name) -> str:
    """The line of results.json for the leak of protocol `name`; '' for an honest one."""
    text = PROTOCOLS[name].leak
    return f'{name}: {text}' if text else ''


def _span(values):
    """'4', or '4 to 9' where values differ."""
    low, high = min(values), max(values)
    return f'{low}' if low == high else f'{low} to {high}'


def _validation(unit, share, seed):
    """Mask of the rows that are set aside: a `share` of all units (subjects or clips). The same for
    every fold: a subject that chooses the settings in one fold must not be tested with them in
    another.
    """
    every = np.unique(unit)
    count = int(np.clip(round(share * len(every)), 1, max(1, len(every) - 1))) if share else 0
    return np.isin(unit, np.random.default_rng([seed, 1]).permutation(every)[:count])


def _subject_titles(samples, names):
    """Subject names, with the data set before them where two data sets share a name."""
    pairs = {
        int(s): names.datasets[d] for s, d in zip(samples.subject, samples.dataset, strict=True)
    }
    return {
        s: names.subjects[s]
        if names.subjects.count(names.subjects[s]) == 1
        else f'{d}/{names.subjects[s]}'
        for s, d in pairs.items()
    }
