"""Protocols: who is left out of which fold.

A function of each protocol returns `TestMasks`; `make` turns them into Folds.
"""

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

# For each fold its title, and which rows it tests, bool[N].
TestMasks = list[tuple[str, np.ndarray]]


def loso(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> TestMasks:
    """Leave one subject out, over all data sets together.

    Args:
        samples: all rows that may train or be tested.
        names: names of their subjects and data sets.
        folds: number of groups, for protocols that make groups; not used here.
        holdout: share that is left out, for protocols of one fold; not used here.
        seed: seed of the random draw, for protocols that draw; not used here.

    Returns:
        The title and the test mask of each fold.
    """
    titles = subject_titles(samples, names)
    subjects = np.unique(samples.subject)
    return [(titles[subject], samples.subject == subject) for subject in subjects]


def lodo(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> TestMasks:
    """Leave one data set out; arguments as in loso.

    With two data sets, this is the hold-out-database evaluation of MEGC2018 (Yap et al., FG 2018):
    train on one, test on the other, both ways.
    """
    datasets = np.unique(samples.dataset)
    return [(names.datasets[dataset], samples.dataset == dataset) for dataset in datasets]


def kfold(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> TestMasks:
    """Leave one group of subjects out; arguments as in loso.

    The groups have about the same number of clips: subjects are added one by one, the one with most
    clips first, each to the group with fewest clips.

    Raises:
        UserError: there are more groups than subjects.
    """
    subjects, clips = np.unique(samples.subject, return_counts=True)
    # Among subjects with the same number of clips, the draw decides which is first.
    shuffled = np.random.default_rng(seed).permutation(len(subjects))
    by_size = sorted(shuffled, key=lambda position: -clips[position])
    return _groups_of_subjects(samples, subjects[by_size], folds)


def shuffled_kfold(
    samples: Samples, names: Names, *, folds: int, holdout: float, seed: int
) -> TestMasks:
    """Leave one group of subjects out, grouped at random; as kfold.

    Subjects are added in random order, each to the group with fewest clips. In the order of their
    clips, the largest subjects would stand in the same groups in every draw.
    """
    subjects = np.random.default_rng(seed).permutation(np.unique(samples.subject))
    return _groups_of_subjects(samples, subjects, folds)


def _groups_of_subjects(samples, subjects, folds):
    """Groups of subjects, who are added one by one to the group with fewest clips."""
    if folds > len(subjects):
        raise UserError(
            f'protocol.folds is {folds}, more than the {len(subjects)} subjects; allowed: 2 to '
            f'{len(subjects)}'
        )
    group = np.zeros(len(samples.subject), int)
    clips_of_group = np.zeros(folds)
    for subject in subjects:
        smallest = int(np.argmin(clips_of_group))
        rows = samples.subject == subject
        group[rows] = smallest
        clips_of_group[smallest] += np.sum(rows)
    return [(f'group {number + 1}', group == number) for number in range(folds)]


def holdout(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> TestMasks:
    """Leave a share of the subjects out; arguments as in loso."""
    left_out = _draw(np.unique(samples.subject), holdout, seed)
    return [('holdout', np.isin(samples.subject, left_out))]


def random_split(
    samples: Samples, names: Names, *, folds: int, holdout: float, seed: int
) -> TestMasks:
    """Leave a share of the clips out; arguments as in loso.

    It leaks: clips of one subject are in training and in test. It is here because papers use it.
    """
    left_out = _draw(np.unique(samples.clip), holdout, seed)
    return [('random split', np.isin(samples.clip, left_out))]


def clip_kfold(
    samples: Samples, names: Names, *, folds: int, holdout: float, seed: int
) -> TestMasks:
    """Leave one group of clips out; arguments as in loso.

    It leaks as random_split does, but tests every clip. So it can be compared with loso clip by
    clip: the difference is what the leak adds.

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


def frame_kfold(
    samples: Samples, names: Names, *, folds: int, holdout: float, seed: int
) -> TestMasks:
    """Leave one group of rows out; arguments as in loso.

    The groups are drawn once. It leaks where rows are frames: those of one clip are both in
    training and test rows. Rows that are clips are split as by clip_kfold.

    Raises:
        UserError: there are more groups than rows.
    """
    rows = len(samples.clip)
    if folds > rows:
        raise UserError(
            f'protocol.folds is {folds}, more than the {rows} rows; allowed: 2 to {rows}'
        )
    groups = np.array_split(np.random.default_rng(seed).permutation(rows), folds)
    return [
        (f'frames {number}', np.isin(np.arange(rows), group))
        for number, group in enumerate(groups, 1)
    ]


def all_rows(samples: Samples, names: Names, *, folds: int, holdout: float, seed: int) -> TestMasks:
    """One fold that trains on everything; arguments as in loso.

    Its test rows are empty. It gives a model for use outside of the data set.
    """
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
        names: names of their classes, subjects and data sets.
        settings: of section protocol. `repeat` draws the groups so often, draw d with seed + d, and
            trains each draw with its own seeds: seeds 0, 1, ... are those of the first draw,
            `seeds`, `seeds` + 1, ... those of the second. `validation` is a share of all subjects
            (of all clips, where the protocol splits by clip). Their rows are set aside: no fold
            trains on them or tests them. With evaluate_on='validation', all folds predict these
            rows instead of their test rows.
        seeds: number of seeds of a draw; each fold is trained once for each.
        scaler_scope: 'fold'; or 'all', which fits scalers to every row that can train, even
            validation and test rows (a leak).
        trainable: bool[N], False for rows that cannot train because their label is unknown; None:
            all can. Rows that cannot train are predicted by every fold, except with
            evaluate_on='validation'.

    Returns:
        The runs: all folds of seed 0, then all folds of seed 1, and so on; and the title of each
        fold (of the first draw).

    Raises:
        UserError: a fold has no rows to train on.
    """
    protocol = PROTOCOLS[settings.name]
    by_row = protocol.unit == 'row'
    unit = np.arange(len(samples.clip)) if by_row else getattr(samples, protocol.unit)
    validation = _validation(unit, settings.validation, settings.seed)
    remaining = np.flatnonzero(~validation)
    if trainable is None:
        trainable = np.ones(len(unit), bool)
    can_train = trainable[remaining]
    split = protocol.repeated if settings.repeat > 1 else protocol.split
    order = np.random.default_rng([settings.seed, 2]).permutation(np.unique(samples.subject))
    train_rows, held_out_rows, titles = [], [], []
    for draw in range(settings.repeat):
        test_masks = loaded(split)(
            _subset(samples, remaining),
            names,
            folds=settings.folds,
            # protocol.holdout is a share of all units, of which only 1 - validation remain.
            holdout=settings.holdout / (1 - settings.validation),
            seed=settings.seed + draw,
        )
        titles = [title for title, _ in test_masks]
        train_of_draw, held_out_of_draw = [], []
        for title, test in test_masks:
            if not can_train[~test].any():
                _refuse_empty(settings, title)
            rows = remaining[~test & can_train]
            if settings.train_subjects:
                rows = _of_subjects(samples, rows, order, settings.train_subjects, title)
            train_of_draw.append(rows)
            if settings.evaluate_on == 'validation':
                held_out_of_draw.append(np.flatnonzero(validation))
            else:
                held_out_of_draw.append(remaining[test | ~can_train])
        train_rows += train_of_draw * seeds
        held_out_rows += held_out_of_draw * seeds
    count, trainings = len(titles), settings.repeat * seeds
    train = pad_rows(train_rows)
    scaler_rows = train
    if scaler_scope == 'all':
        scaler_rows = pad_rows([np.flatnonzero(trainable)] * len(train.index))
    folds = Folds(
        fold=np.tile(np.arange(count, dtype=np.int32), trainings),
        seed=np.repeat(np.arange(trainings, dtype=np.int32), count),
        train=TrainRows(
            index=train.index,
            mask=train.mask,
            scaler_rows=scaler_rows,
            resampled=nothing_resampled(count * trainings),
        ),
        test=pad_rows(held_out_rows),
    )
    return folds, titles


def _of_subjects(samples, rows, order, count, title):
    """Return the training rows of the first `count` subjects of an order."""
    present = order[np.isin(order, samples.subject[rows])]
    if count > len(present):
        raise UserError(
            f'protocol.train_subjects is {count}, but fold {title!r} has {len(present)} training '
            f'subjects; allowed: 0 to {len(present)}'
        )
    return rows[np.isin(samples.subject[rows], present[:count])]


def _subset(samples, rows):
    """Return some rows, with the columns that a protocol reads."""
    return samples._replace(
        subject=samples.subject[rows], dataset=samples.dataset[rows], clip=samples.clip[rows]
    )


def _refuse_empty(settings, title):
    """Refuse a fold that has no rows to train on."""
    needed = PROTOCOLS[settings.name].needs
    if settings.validation:
        needed += ', or no protocol.validation'
    raise UserError(
        f'protocol.name is {settings.name!r}, but leaving out {title!r} leaves no row to '
        f'train on; it needs a further {needed}'
    )


def leave_groups_out(folds: Folds, samples: Samples, names: Names, groups: int) -> Folds:
    """Leave groups of the training subjects of each fold out, to choose settings by them.

    The groups of a fold are those of `kfold`. No row that the fold tests trains or is tested here;
    rows that a resampler added are left out.

    Args:
        folds: all runs; those of the first seed count.
        samples: all rows.
        names: names of their classes, subjects and data sets.
        groups: of each fold.

    Returns:
        Runs of seed 0: the groups of the first fold, then those of the second, and so on. The
        number of a run is fold * groups + group.

    Raises:
        UserError: a fold has fewer training subjects than groups.
    """
    count = int(np.sum(folds.seed == folds.seed[0]))
    train, held_out_rows = [], []
    for run in range(count):
        rows = rows_of(folds.train, run)
        rows = rows[rows < len(samples.label)]
        subjects = len(np.unique(samples.subject[rows]))
        if subjects < groups:
            raise UserError(
                f'choose.groups is {groups}, but a fold trains on {subjects} subjects; allowed: 2 '
                f'to {subjects}'
            )
        of_fold = _subset(samples, rows)
        for _, left_out in kfold(of_fold, names, folds=groups, holdout=0, seed=0):
            train.append(rows[~left_out])
            held_out_rows.append(rows[left_out])
    padded, number = pad_rows(train), np.arange(count * groups, dtype=np.int32)
    return Folds(
        fold=number,
        seed=np.zeros_like(number),
        train=TrainRows(
            index=padded.index,
            mask=padded.mask,
            scaler_rows=padded,
            resampled=nothing_resampled(len(number)),
        ),
        test=pad_rows(held_out_rows),
    )


def predict_all_rows(folds: Folds, count: int, *, train_on_held_out: bool) -> Folds:
    """Return runs that predict every row.

    Args:
        folds: all runs.
        count: N, number of rows of the data set.
        train_on_held_out: True adds the held-out rows of each run to its training rows: a leak.
    """
    runs = len(folds.fold)
    every_row = pad_rows([np.arange(count)] * runs)
    if not train_on_held_out:
        return folds._replace(test=every_row)
    train_and_held_out = []
    for run in range(runs):
        rows = [rows_of(folds.train, run), rows_of(folds.test, run)]
        train_and_held_out.append(np.concatenate(rows))
    return with_train_rows(folds, train_and_held_out)._replace(test=every_row)


def rows_of(rows: Rows | TrainRows, run: int) -> np.ndarray:
    """Return the rows of one run, without padding.

    Args:
        rows: of all runs, [F, n].
        run: position of the run.
    """
    return rows.index[run][rows.mask[run] > 0]


def with_train_rows(folds: Folds, rows: list[np.ndarray]) -> Folds:
    """Replace the training rows of all runs.

    Args:
        folds: all runs.
        rows: int[n] for each run; n may differ.
    """
    train = pad_rows(rows)
    return folds._replace(train=folds.train._replace(index=train.index, mask=train.mask))


def with_scaler_rows(folds: Folds, rows: np.ndarray) -> Folds:
    """Let all runs fit scalers to the same rows: a leak where these are tested.

    Args:
        folds: all runs.
        rows: int[n].
    """
    scaler_rows = pad_rows([rows] * len(folds.fold))
    return folds._replace(train=folds.train._replace(scaler_rows=scaler_rows))


def nothing_resampled(runs: int) -> Resampled:
    """Return the `Resampled` of runs without resampled rows."""
    none = np.zeros((runs, 0), np.int32)
    return Resampled(none, none, none.astype(np.float32))


def pad_rows(rows: list[np.ndarray]) -> Rows:
    """Pad the rows of all runs to one length.

    Args:
        rows: int[n] for each run; n may differ.

    Returns:
        Rows [F, n], n the longest length. The padding has mask 0; it repeats rows of the run, or
        is row 0 where the run has none.
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
    """Keep one row of each clip: that of its apex.

    A clip without an annotated apex has a row for each different apex that the spotting folds
    predict. Each run keeps the apex of the spotter with the same left-out subject: only that
    spotter never saw the subject.

    Args:
        folds: all runs.
        titles: titles of the folds.
        samples: a row for each (clip, frame).
        names: names of data sets and clips.
        apex_annotated: bool[N], True for rows whose apex is annotated; they all stay.
        spotted: apexes that the spotting run predicts, by (fold title, seed).

    Raises:
        UserError: the spotting run has no fold that leaves out the same subject.
    """

    def is_predicted(row: int, apex_of_clip: dict[tuple[str, str], int]) -> bool:
        clip = names.datasets[samples.dataset[row]], names.clips[samples.clip[row]]
        return apex_of_clip[clip] == samples.extras['frame'][row]

    def keep(run: int, rows: np.ndarray) -> np.ndarray:
        title = titles[folds.fold[run]]
        # The spotting run may have fewer seeds; then they are used in turn.
        seed = int(folds.seed[run]) % spotted.seeds
        apex_of_clip = spotted.frame.get((title, seed))
        candidates = rows[~apex_annotated[rows]]
        if apex_of_clip is None and len(candidates):
            raise UserError(
                f'data.apex: {spotted.folder} has no fold that leaves out {title!r}; train the '
                'spotter by loso on all data sets of data.name'
            )
        predicted = np.array([is_predicted(row, apex_of_clip) for row in candidates], bool)
        return np.sort(np.concatenate([rows[apex_annotated[rows]], candidates[predicted]]))

    def keep_in_runs(rows: Rows | TrainRows) -> Rows:
        return pad_rows([keep(run, rows_of(rows, run)) for run in range(len(folds.fold))])

    train = keep_in_runs(folds.train)
    scaler_rows = keep_in_runs(folds.train.scaler_rows)
    return folds._replace(
        train=folds.train._replace(index=train.index, mask=train.mask, scaler_rows=scaler_rows),
        test=keep_in_runs(folds.test),
    )


def table(
    folds: Folds,
    titles: list[str],
    samples: Samples,
    names: Names,
    *,
    multi_label: bool = False,
) -> FoldTable:
    """Return the fold table, a row for each fold.

    Args:
        folds: all runs; the table counts the rows of seed 0.
        titles: titles of the folds.
        samples: all rows.
        names: names of their classes and data sets.
        multi_label: whether the classes are action units, of which a row shows several.
    """
    rows = []
    # The first runs are all folds of seed 0, so the number of a fold is the position of its run.
    for number, title in enumerate(titles):
        test = rows_of(folds.test, number)
        datasets = [names.datasets[dataset] for dataset in np.unique(samples.dataset[test])]
        if multi_label:
            rows_per_class = np.sum(samples.extras['action_units'][test] == 1, axis=0)
        else:
            rows_per_class = np.bincount(samples.label[test], minlength=len(names.classes))
        is_clip = of_data_set(samples, rows_of(folds.train, number))
        row = FoldRow(
            fold=number,
            title=title,
            dataset='+'.join(datasets),
            subjects=len(np.unique(samples.subject[test])),
            train_rows=int(is_clip.sum()),
            added_rows=int((~is_clip).sum()),
            test_rows=len(test),
            test_rows_per_class=tuple(rows_per_class.tolist()),
        )
        rows.append(row)
    return FoldTable(tuple(names.classes), tuple(rows), multi_label)


def describe(
    settings: sections.Protocol, folds: Folds, titles: list[str], samples: Samples, names: Names
) -> str:
    """Return lines about the folds, for the log.

    They say how many folds and seeds there are, how many rows train, are added and are tested, and
    name the leak where there is one.

    Args:
        settings: of section protocol.
        folds: all runs.
        titles: titles of the folds.
        samples: all rows.
        names: names of their classes, data sets and clips.
    """
    rows = table(folds, titles, samples, names).rows
    runs = len(folds.fold)
    seeds = runs // len(titles) // settings.repeat
    counts = f'{_plural(len(titles), "fold")} x {_plural(seeds, "seed")}'
    if settings.repeat > 1:
        counts = f'{settings.repeat} draws of {counts}'
    unit = 'clips' if len(np.unique(samples.clip)) == len(samples.clip) else 'rows'
    trained = _span([row.train_rows for row in rows])
    tested = _span([row.test_rows for row in rows])
    lines = [
        f'protocol: {settings.name}, {counts} = {runs} runs; {trained} {unit} train a fold, '
        f'{tested} test it'
    ]
    added = [row.added_rows for row in rows]
    if any(added):
        lines.append(f'balance: {_span(added)} rows are added to each fold (of seed 0)')
    if leak(settings.name):
        lines.append(f'protocol: LEAKS, {leak(settings.name)}')
    return '\n'.join(lines)


def leak(name: str) -> str:
    """Return the leak of a protocol as results.json names it.

    It is '' for an honest protocol.
    """
    text = PROTOCOLS[name].leak
    return f'{name}: {text}' if text else ''


def _plural(count, word):
    """Return a number with its noun: '1 fold', '2 folds'."""
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def _span(values):
    """Return the range of values: '4', or '4 to 9'."""
    low, high = min(values), max(values)
    return f'{low}' if low == high else f'{low} to {high}'


def _draw(units, share, seed):
    """Draw a share of the units, which are subjects or clips.

    It draws at least one unit; of two or more units it never draws all.
    """
    count = int(np.clip(round(share * len(units)), 1, max(1, len(units) - 1)))
    return np.random.default_rng(seed).permutation(units)[:count]


def _validation(unit, share, seed):
    """Return the validation rows, bool[N], on which settings are chosen.

    They are the same for all folds: settings that are chosen on a subject must not be tested on
    that subject in any fold.
    """
    if not share:
        return np.zeros(len(unit), bool)
    return np.isin(unit, _draw(np.unique(unit), share, [seed, 1]))


def subject_titles(samples: Samples, names: Names) -> dict[int, str]:
    """Return the title of each subject, {number: title}.

    It is the subject's name, after the data set's name if two data sets share it.

    Args:
        samples: all rows.
        names: of subjects and data sets.
    """
    titles = {}
    for subject, dataset in zip(samples.subject, samples.dataset, strict=True):
        name = names.subjects[subject]
        shared = names.subjects.count(name) > 1
        titles[int(subject)] = f'{names.datasets[dataset]}/{name}' if shared else name
    return titles
