"""Who is left out: every evaluation protocol makes the same object, Folds."""

from typing import TYPE_CHECKING

import numpy as np

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS
from mer_jax.folds.rows import of_data_set
from mer_jax.runfiles.folds import FoldRow, FoldTable
from mer_jax.settings import sections
from mer_jax.types import Folds, Names, Resampled, Rows, Samples, TrainRows

if TYPE_CHECKING:
    from mer_jax.data.apexes import Spotted

# The title and the test mask, bool[N], of each fold.
Split = list[tuple[str, np.ndarray]]


def loso(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave one subject out, over all data sets together.

    Args:
        samples: all rows that may train or be tested.
        names: of their subjects and data sets.
        folds: not used here; how many, for the protocols that make groups.
        holdout: not used here; share that is left out, for the protocols of one fold.
        seed: not used here; of the draw, for the protocols that draw.
    """
    titles = _subject_titles(samples, names)
    subjects = np.unique(samples.subject)
    return [(titles[subject], samples.subject == subject) for subject in subjects]


def lodo(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave one data set out; arguments as in loso."""
    datasets = np.unique(samples.dataset)
    return [(names.datasets[dataset], samples.dataset == dataset) for dataset in datasets]


def kfold(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave one group of subjects out; arguments as in loso.

    The groups have about as many clips each: the largest subject first, into the smallest group.

    Raises:
        UserError: there are more groups than subjects.
    """
    subjects, clips = np.unique(samples.subject, return_counts=True)
    if folds > len(subjects):
        raise UserError(
            f'protocol.folds is {folds}, more than the {len(subjects)} subjects; allowed: 2 to '
            f'{len(subjects)}'
        )
    # The draw decides between subjects of equal size.
    shuffled = np.random.default_rng(seed).permutation(len(subjects))
    group_of_subject = {}
    clips_of_group = np.zeros(folds)
    for position in sorted(shuffled, key=lambda p: -clips[p]):
        smallest = int(np.argmin(clips_of_group))
        group_of_subject[subjects[position]] = smallest
        clips_of_group[smallest] += clips[position]
    group = np.array([group_of_subject[subject] for subject in samples.subject])
    return [(f'group {number + 1}', group == number) for number in range(folds)]


def holdout(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave a share of the subjects out, drawn once; arguments as in loso."""
    left_out = _draw(np.unique(samples.subject), holdout, seed)
    return [('holdout', np.isin(samples.subject, left_out))]


def random_split(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave a share of the clips out, drawn once; arguments as in loso.

    It leaks: clips of one subject stand on both sides. It is here because papers use it.
    """
    left_out = _draw(np.unique(samples.clip), holdout, seed)
    return [('random split', np.isin(samples.clip, left_out))]


def clip_kfold(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Leave one group of clips out; the groups are drawn once, arguments are as in loso.

    It leaks as random_split does, but tests every clip, so that it can be compared with loso clip
    by clip: the difference is what the leak adds.

    Raises:
        UserError: there are more groups than clips.
    """
    clips = np.unique(samples.clip)
    if folds > len(clips):
        raise UserError(
            f'protocol.folds is {folds}, more than the {len(clips)} clips; allowed: 2 to '
            f'{len(clips)}'
        )
    groups = np.array_split(np.random.default_rng(seed).permutation(clips), folds)
    return [
        (f'clips {number}', np.isin(samples.clip, group)) for number, group in enumerate(groups, 1)
    ]


def all_rows(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> Split:
    """Train one run on everything, with an empty test: a model to ship."""
    return [('all rows', np.zeros(len(samples.subject), bool))]


def make(
    samples: Samples,
    names: Names,
    settings: sections.Protocol,
    *,
    seeds: int,
    scaler_scope: str = 'fold',
    trainable: np.ndarray | None = None,
) -> tuple[Folds, list[str]]:
    """Make the runs of a protocol.

    Args:
        samples: all rows.
        names: of their classes, subjects and data sets.
        settings: of section protocol. validation is the share of all subjects (of all clips,
            where the protocol splits by clip) that neither train nor are tested in any fold. With
            evaluate_on='validation' they are held out and predicted instead of the test rows.
        seeds: trainings of every fold.
        scaler_scope: 'all' fits scalers to every row, the tested ones included: a leak.
        trainable: bool[N], False for rows that cannot train because their label is unknown. They
            are among the test rows of every fold.

    Returns:
        The runs, for seeds 0 to seeds - 1, all folds of a seed together; and the title of each
        fold.

    Raises:
        UserError: a fold has no rows to train on.
    """
    protocol = PROTOCOLS[settings.name]
    unit = getattr(samples, protocol.unit)
    validation = _validation(unit, settings.validation, settings.seed)
    remaining = np.flatnonzero(~validation)
    split = loaded(protocol.split)(
        _subset(samples, remaining),
        names,
        folds=settings.folds,
        holdout=settings.holdout / (1 - settings.validation),
        seed=settings.seed,
    )
    if trainable is None:
        trainable = np.ones(len(unit), bool)
    can_train = trainable[remaining]
    train_rows, held_out_rows = [], []
    for title, test in split:
        if not can_train[~test].any():
            _refuse_empty(settings, title)
        train_rows.append(remaining[~test & can_train])
        if settings.evaluate_on == 'validation':
            held_out_rows.append(np.flatnonzero(validation))
        else:
            held_out_rows.append(remaining[test | ~can_train])
    count = len(split)
    train = pad_rows(train_rows * seeds)
    scaler_rows = train
    if scaler_scope == 'all':
        scaler_rows = pad_rows([np.flatnonzero(trainable)] * len(train.index))
    folds = Folds(
        fold=np.tile(np.arange(count, dtype=np.int32), seeds),
        seed=np.repeat(np.arange(seeds, dtype=np.int32), count),
        train=TrainRows(
            index=train.index,
            mask=train.mask,
            scaler_rows=scaler_rows,
            resampled=nothing_resampled(count * seeds),
        ),
        test=pad_rows(held_out_rows * seeds),
    )
    return folds, [title for title, _ in split]


def _subset(samples, rows):
    """What a protocol looks at, of some rows."""
    return samples._replace(
        subject=samples.subject[rows], dataset=samples.dataset[rows], clip=samples.clip[rows]
    )


def _refuse_empty(settings, title):
    needed = PROTOCOLS[settings.name].needs
    if settings.validation:
        needed += ', or no protocol.validation'
    raise UserError(
        f'protocol.name is {settings.name!r}, but leaving out {title!r} leaves no row to '
        f'train on; it needs a further {needed}'
    )


def predict_all_rows(folds: Folds, count: int, *, leak: bool) -> Folds:
    """Return the runs with every row held out, so that each run predicts all rows.

    Args:
        folds: all runs.
        count: N, rows of the data set.
        leak: whether the tested rows train too.
    """
    runs = len(folds.fold)
    every_row = pad_rows([np.arange(count)] * runs)
    if not leak:
        return folds._replace(test=every_row)
    both = []
    for run in range(runs):
        both.append(np.concatenate([rows_of(folds.train, run), rows_of(folds.test, run)]))
    return with_train_rows(folds, both)._replace(test=every_row)


def rows_of(rows: Rows | TrainRows, run: int) -> np.ndarray:
    """Return the rows of one run without padding, int32[n]."""
    return rows.index[run][rows.mask[run] > 0]


def with_train_rows(folds: Folds, rows: list[np.ndarray]) -> Folds:
    """Return the runs with other training rows.

    Args:
        folds: all runs.
        rows: int[n] of each run, of any length.
    """
    train = pad_rows(rows)
    return folds._replace(train=folds.train._replace(index=train.index, mask=train.mask))


def titles_of_runs(folds: Folds, titles: list[str]) -> list[str]:
    """Return the title of the fold of each run."""
    return [titles[number] for number in folds.fold]


def nothing_resampled(runs: int) -> Resampled:
    """Return the resampled rows of runs that have none."""
    none = np.zeros((runs, 0), np.int32)
    return Resampled(none, none, none.astype(np.float32))


def pad_rows(rows: list[np.ndarray]) -> Rows:
    """Bring the rows of all runs to one length.

    Args:
        rows: int[n] of each run, of any length.

    Returns:
        Rows [F, n]; the padding repeats real rows, and has mask 0.
    """
    longest = max(map(len, rows))
    index = np.zeros((len(rows), longest), np.int32)
    mask = np.zeros((len(rows), longest), np.float32)
    for run, run_rows in enumerate(rows):
        if len(run_rows):
            index[run] = np.resize(run_rows, longest)
        mask[run, : len(run_rows)] = 1
    return Rows(index, mask)


def select_apex_per_fold(
    folds: Folds,
    titles: list[str],
    samples: Samples,
    names: Names,
    apex_annotated: np.ndarray,
    spotted: 'Spotted',
) -> Folds:
    """Keep one frame of each clip, the apex that the run's own spotter predicts.

    Args:
        folds: all runs.
        titles: of the folds.
        samples: a row for each (clip, frame); a clip without an annotated apex has several.
        names: of data sets and clips.
        apex_annotated: bool[N], rows whose apex somebody annotated; they all stay.
        spotted: apexes that a spotting run predicts, for each left-out subject.

    Raises:
        UserError: the spotting run has no fold that leaves out the same subject.
    """

    def is_predicted(row, apex_of_clip):
        clip = names.datasets[samples.dataset[row]], names.clips[samples.clip[row]]
        return apex_of_clip[clip] == samples.extras['frame'][row]

    def keep(run, rows):
        title = titles[folds.fold[run]]
        apex_of_clip = spotted.frame.get((title, int(folds.seed[run]) % spotted.seeds))
        candidates = rows[~apex_annotated[rows]]
        if apex_of_clip is None and len(candidates):
            raise UserError(
                f'data.apex: {spotted.folder} has no fold that leaves out {title!r}; train the '
                'spotter by loso on all data sets of data.name'
            )
        predicted = np.array([is_predicted(row, apex_of_clip) for row in candidates], bool)
        return np.sort(np.concatenate([rows[apex_annotated[rows]], candidates[predicted]]))

    def keep_in_runs(rows):
        return pad_rows([keep(run, rows_of(rows, run)) for run in range(len(folds.fold))])

    train = keep_in_runs(folds.train)
    scaler_rows = keep_in_runs(folds.train.scaler_rows)
    return folds._replace(
        train=folds.train._replace(index=train.index, mask=train.mask, scaler_rows=scaler_rows),
        test=keep_in_runs(folds.test),
    )


def table(folds: Folds, titles: list[str], samples: Samples, names: Names) -> FoldTable:
    """Return the fold table: what each fold trains on, and what it tests, class by class."""
    rows = []
    for number, title in enumerate(titles):
        test = rows_of(folds.test, number)
        datasets = [names.datasets[dataset] for dataset in np.unique(samples.dataset[test])]
        classes = np.bincount(samples.label[test], minlength=len(names.classes))
        of_data = of_data_set(samples, rows_of(folds.train, number))
        row = FoldRow(
            fold=number,
            title=title,
            dataset='+'.join(datasets),
            subjects=len(np.unique(samples.subject[test])),
            train=int(of_data.sum()),
            made=int((~of_data).sum()),
            test=len(test),
            tested=tuple(classes.tolist()),
        )
        rows.append(row)
    return FoldTable(tuple(names.classes), tuple(rows))


def describe(name: str, folds: Folds, titles: list[str], samples: Samples, names: Names) -> str:
    """Return two or three lines about the folds, for the log.

    They hold the number of folds and seeds, how many rows train and test, and the leak where there
    is one.

    Args:
        name: of the protocol.
        folds: all runs.
        titles: of the folds.
        samples: all rows.
        names: of their classes, data sets and clips.
    """
    rows = table(folds, titles, samples, names).rows
    runs = len(folds.fold)
    counts = f'{_plural(len(titles), "fold")} x {_plural(runs // len(titles), "seed")}'
    unit = 'clips' if len(np.unique(samples.clip)) == len(samples.clip) else 'rows'
    trained = _span([row.train for row in rows])
    tested = _span([row.test for row in rows])
    lines = [
        f'protocol: {name}, {counts} = {runs} runs; {trained} {unit} train a fold, {tested} test it'
    ]
    resampled = [row.made for row in rows]
    if any(resampled):
        lines.append(f'balance: {_span(resampled)} rows made a fold (seed 0) train beside them')
    if leak(name):
        lines.append(f'protocol: LEAKS, {leak(name)}')
    return '\n'.join(lines)


def leak(name: str) -> str:
    """Return what results.json says about the leak of a protocol; '' for an honest protocol."""
    text = PROTOCOLS[name].leak
    return f'{name}: {text}' if text else ''


def _plural(count, word):
    """'1 fold', '2 folds'."""
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def _span(values):
    """'4', or '4 to 9' where values differ."""
    low, high = min(values), max(values)
    return f'{low}' if low == high else f'{low} to {high}'


def _draw(units, share, seed):
    """A share of the units (subjects or clips), at least one, and never all of several."""
    count = int(np.clip(round(share * len(units)), 1, max(1, len(units) - 1)))
    return np.random.default_rng(seed).permutation(units)[:count]


def _validation(unit, share, seed):
    """bool[N], rows that are set aside to choose settings by.

    They are the same for every fold: a subject that chooses the settings in one fold must not be
    tested with them in another.
    """
    if not share:
        return np.zeros(len(unit), bool)
    return np.isin(unit, _draw(np.unique(unit), share, [seed, 1]))


def _subject_titles(samples, names):
    """Names of subjects, with the data set before them where two data sets share a name."""
    titles = {}
    for subject, dataset in zip(samples.subject, samples.dataset, strict=True):
        name = names.subjects[subject]
        shared = names.subjects.count(name) > 1
        titles[int(subject)] = f'{names.datasets[dataset]}/{name}' if shared else name
    return titles
