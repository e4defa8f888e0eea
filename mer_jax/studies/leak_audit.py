"""The leak audit: what each leaky habit adds.

The experiment is trained without leaks, then with each leak of the literature, with equal seeds.
Runs are compared clip by clip. In the controls each subject has one random class, which no honest
protocol can predict: a score above chance there is leakage.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data import APEX_RULES, EVERY_FRAME
from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.experiment import leaks
from mer_jax.folds import PROTOCOLS, RESAMPLERS
from mer_jax.models import weights_files
from mer_jax.report import audit_tables, page, plots_compare, study
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.folder import with_plots
from mer_jax.settings.fields import Value
from mer_jax.settings.sections import Settings
from mer_jax.studies import compare
from mer_jax.studies.subruns import Train, parent, quietly
from mer_jax.types import Names, Predictions

TITLES = {
    'honest': 'honest',
    'split': 'clips split at random',
    'balance': 'balanced before the split',
    'scale': 'scaled on all data',
    'network': 'network trained on all clips',
    'epoch': 'epoch chosen on the left-out subject',
    'all': 'all together',
    'control': 'control: honest',
    'control_split': 'control: clips split at random',
    'frames': 'frames split at random',
    'first_class': 'clips without a class counted as one',
}
EPOCH_LEAK = 'the epoch of each fold is the one with the best score of its left-out subject'


class Trial(NamedTuple):
    """One line of the audit: a leaky habit."""

    habit: str  # a key of TITLES
    changes: dict[str, Value]  # {setting: value}, changes to the honest settings (see clean)
    best_epoch: bool = False  # whether each fold takes its best epoch on the left-out subject
    why_not: str = ''  # why the habit does not apply; '' where it does


def trials(settings: Settings, folds: int, dropped: int) -> list[Trial]:
    """List the lines of an audit, the honest one first.

    Args:
        settings: of the experiment.
        folds: number of folds of the honest protocol.
        dropped: number of clips that it leaves out.
    """
    name = clean(settings).get('protocol.name', settings.protocol.name)
    # so many groups that the same share of clips trains
    many = round(1 / settings.protocol.holdout) if PROTOCOLS[name].uses_holdout else folds
    split = {'protocol.name': 'clip_kfold', 'protocol.folds': max(2, many)}
    one_each = ''
    if '{subject}' in settings.balance.file:
        one_each = f'{settings.balance.file} is one file per left-out subject'
    if weights_files.placeholder(settings.model.init_from):
        one_each = f'{settings.model.init_from} is one file per left-out subject'
    if settings.data.apex not in APEX_RULES:
        one_each = f'{settings.data.apex} has apexes per left-out subject'
    found = [
        Trial('honest', {}),
        Trial('split', split, why_not=one_each),
        Trial(
            'balance',
            {RESAMPLERS[settings.balance.method].scope: 'all'},
            why_not=_unbalanced(settings),
        ),
        Trial(
            'scale',
            {'data.scaler_scope': 'all'},
            why_not=''
            if leaks.fits_scaler(settings)
            else "nothing is fitted (data.input_scaler 'none', or no network)",
        ),
        Trial('network', {'head.scope': 'all'}, why_not=_unheaded(settings)),
        Trial('epoch', {}, True, why_not=_unchosen(settings)),
    ]
    found.append(together(found))
    drawn = {'data.random_subject_labels': True}
    frames = split | {'protocol.name': 'frame_kfold'}
    return [
        *found,
        Trial('control', drawn),
        Trial('control_split', split | drawn, why_not=one_each),
        # by themselves: what they train on, or what is scored, is not that of the others
        Trial('frames', frames, why_not=_unframed(settings) or one_each),
        Trial(
            'first_class',
            {'data.without_class': 'first_class'},
            why_not='' if dropped else 'every clip has a class',
        ),
    ]


def together(habits: Sequence[Trial]) -> Trial:
    """Return the line of all habits that apply.

    Args:
        habits: the lines above.
    """
    applied = [trial for trial in habits if not trial.why_not]
    changes = {key: value for trial in applied for key, value in trial.changes.items()}
    best = any(trial.best_epoch for trial in applied)
    why_not = '' if best or changes else 'none of them applies'
    return Trial('all', changes, best, why_not)


def clean(settings: Settings) -> dict[str, Value]:
    """Return the changes that make settings honest, {setting: value}.

    They also keep the outputs of every epoch.
    """
    changes = {
        **{resampler.scope: 'fold' for resampler in RESAMPLERS.values()},
        'data.scaler_scope': 'fold',
        'protocol.evaluate_on': 'test',
        'head.scope': 'fold',
        'data.without_class': 'dropped',
        'evaluate.every_epoch': settings.head.name == 'none',
    }
    protocol = PROTOCOLS[settings.protocol.name]
    if protocol.leak or not protocol.tests:
        changes |= {'protocol.name': 'loso', 'protocol.repeat': 1}
    return changes


def audit(settings: Settings, train: Train, folder: str | Path) -> dict:
    """Train all lines, write and print the audit.

    A finished run is scored again, a killed one continues.

    Args:
        settings: of the experiment.
        train: trains one run.
        folder: where the files and runs go.

    Returns:
        The content of audit.json: name, and `lines`.
    """
    folder, honest = prepared(folder), clean(settings)

    def train_changed(changes: Mapping[str, Value], path: Path) -> dict:
        return train(honest | changes, path)

    # how many it is depends on the folds and the clips left out, which the first training counts
    most = trainings(trials(settings, folds=2, dropped=1))
    baseline = train_honest(train_changed, folder, most)
    to_try = trials(settings, baseline['folds'], baseline['data']['dropped'])
    return measured(settings.name, to_try, train_changed, folder)


def trainings(to_try: Sequence[Trial]) -> int:
    """Return how many runs the lines need; two with the same settings share one."""
    return len({_key(trial) for trial in to_try if not trial.why_not})


def prepared(folder: str | Path) -> Path:
    """Return the absolute folder of an audit; refuse one in which it could not end."""
    tables = [f'audit.{kind}' for kind in study.KINDS]
    return parent(folder, 'an audit', TITLES, tables)


def train_honest(train: Train, folder: Path, most: int) -> dict:
    """Train the honest line; return its results.

    Args:
        train: trains one run; its changes are those to the honest settings.
        folder: where the runs go.
        most: trainings of the audit, as far as is known now.
    """
    title = f'training 1 of {most} at most, {TITLES["honest"]}'
    print(f'audit: {title} -> {folder / "honest"}', flush=True)
    return quietly(train, {}, folder / 'honest')


def measured(name: str, to_try: Sequence[Trial], train: Train, folder: Path) -> dict:
    """Train the other lines of an audit, write and print it.

    Args:
        name: of the experiment.
        to_try: the lines, the honest one first.
        train: as in `train_honest`.
        folder: where the files and runs go, and the honest run is finished.

    Returns:
        The content of audit.json: name, and `lines`.
    """
    total = trainings(to_try)
    runs, trained = {}, {_key(Trial('honest', {})): folder / 'honest'}
    for trial in to_try:
        if trial.why_not:
            runs[trial.habit] = trial, None
            continue
        key = _key(trial)
        try:
            if key not in trained:  # two lines with the same settings share one run
                trained[key] = folder / trial.habit
                title = f'training {len(trained)} of {total}, {TITLES[trial.habit]}'
                print(f'audit: {title} -> {trained[key]}', flush=True)
                quietly(train, trial.changes, trained[key])
            runs[trial.habit] = trial, _run(trial, trained[key])
        except UserError as error:
            if trial.habit == 'honest':
                raise
            # The other lines took hours; they are kept.
            runs[trial.habit] = trial._replace(why_not=f'failed: {error}'), None
    audited = {'name': name, 'lines': lines(runs)}
    plot = with_plots(folder) / 'audit.svg'
    alt = plots_compare.added(plot, audited['lines'])
    plots = [page.Drawn(plot, audit_tables.PLOT_CAPTION, alt)]
    study.write(audit_tables.study(audited), audited, folder, plots)
    return audited


def _key(trial):
    return repr(sorted(trial.changes.items()))


def lines(runs: dict[str, tuple[Trial, compare.Run | None]]) -> list[dict]:
    """Compare each habit with its honest run.

    Args:
        runs: {habit: (trial, its run; None where it has none)}.

    Returns:
        In the order of the habits: habit, title, why_not, and from compare.table metrics,
        intervals, sd, protocol, leaks, seeds, clips, subjects, folder and `against`, what the habit
        adds.
    """
    groups = compare.table([run for _, run in runs.values() if run])['groups']
    row_of_title = {}
    for group in groups:
        row_of_title |= {row['title']: row for row in group['runs']}
    dictionaries = []
    for habit, (trial, _) in runs.items():
        title = TITLES[habit]
        line = {'habit': habit, 'why_not': trial.why_not, **row_of_title.get(title, {})}
        dictionaries.append(line | {'title': title})
    return dictionaries


def at_best_epoch(run: compare.Run) -> compare.Run:
    """Return a run with the predictions of best epochs.

    That is test_best of score.oracle: the best for its held-out rows, a leak.
    """
    classes = run.results['classes']
    outputs = EpochOutputs.read(run.folder, len(run.rows), len(classes)).values
    label = np.array([classes.index(row.label) for row in run.rows], np.int32)
    fold = np.array([row.fold for row in run.rows], np.int32)
    seed = np.array([row.seed for row in run.rows], np.int32)
    # The choice does not depend on clip, frame, subject and data set.
    unused = np.zeros(len(label), np.int32)
    predictions = Predictions(unused, unused, unused, unused, label, fold, seed, outputs[-1])
    epoch = score.best_epoch(outputs, predictions, Names(tuple(classes), (), (), (), ()))
    chosen = outputs[epoch, np.arange(len(label))].argmax(-1)
    rows = zip(run.rows, chosen, strict=True)
    return run._replace(rows=[row._replace(predicted=classes[k]) for row, k in rows])


def _run(trial, folder):
    """Read the finished run of a trial, under its title."""
    (run,) = compare.read([folder])
    leaks_in_force = list(run.results['leaks'])
    if trial.best_epoch:
        run = at_best_epoch(run)
        leaks_in_force.append(EPOCH_LEAK)
    results = {**run.results, 'leaks': leaks_in_force}
    return run._replace(title=TITLES[trial.habit], results=results)


def _unframed(settings):
    """Why no frames can be split; '' where rows are frames."""
    if settings.data.apex == EVERY_FRAME:
        return ''
    return f'a row is a clip; data.apex {EVERY_FRAME} makes every frame one'


def _unheaded(settings):
    """Why no network trains before an SVM, or ''."""
    if settings.head.name == 'none':
        return 'the network itself predicts (head.name none)'
    return '' if settings.train.epochs else 'no network is trained (train.epochs 0)'


def _unchosen(settings):
    """Why no epoch can be chosen; '' where it can."""
    if not settings.train.epochs:
        return 'nothing is trained (train.epochs 0)'
    head = settings.head.name
    return '' if head == 'none' else f'head.name {head} predicts once, after the last epoch'


def _unbalanced(settings):
    """Why nothing is balanced before the split, or ''."""
    resampler = RESAMPLERS[settings.balance.method]
    if resampler.unaudited or resampler.trained or leaks.from_class_counts(settings):
        return resampler.unaudited
    return 'nothing is balanced (balance.method none, train.class_weights none)'
