"""The leak audit: what each habit of the literature adds to the same experiment, with the same
seeds.

Train the honest protocol, then again under each leaky switch; compare every clip with itself, by
subject. A control with classes drawn at random a subject shows that the machinery measures leakage:
no honest protocol can tell them.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.data import APEX_RULES
from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.experiment import leaks
from mer_jax.folds import PROTOCOLS, RESAMPLERS
from mer_jax.report import audit_tables, plots_compare, study
from mer_jax.runfiles import files
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.settings.sections import Settings
from mer_jax.studies import compare
from mer_jax.studies.subruns import parent, quietly
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
}
EPOCH_LEAK = 'the epoch of each fold is the one that its left-out subject likes best'


class Trial(NamedTuple):
    """One line of the audit: the settings that it changes and how its epoch is chosen; or why it
    does not apply.
    """

    habit: str  # a key of TITLES
    changes: dict  # setting -> value, against the honest settings (see clean)
    best_epoch: bool = False
    why_not: str = ''


def trials(settings: Settings, folds: int) -> list:
    """The trials [Trial] that settings call for, the honest one first; folds: of the
    honest protocol.
    """
    name = clean(settings).get('protocol.name', settings.protocol.name)
    # as large a share of clips trains
    many = round(1 / settings.protocol.holdout) if PROTOCOLS[name].uses_holdout else folds
    split = {'protocol.name': 'clip_kfold', 'protocol.folds': max(2, many)}
    sources = settings.model.init_from, settings.balance.file
    one_each = next(
        (
            f'{source} is one file per left-out subject'
            for source in sources
            if '{subject}' in source
        ),
        '',
    )
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
    together = {
        key: value for trial in found if not trial.why_not for key, value in trial.changes.items()
    }
    best = not found[-1].why_not
    found.append(
        Trial('all', together, best, why_not='' if best or together else 'none of them applies')
    )
    drawn = {'data.random_subject_labels': True}
    return [
        *found,
        Trial('control', drawn),
        Trial('control_split', split | drawn, why_not=one_each),
    ]


def clean(settings: Settings) -> dict:
    """What makes the settings honest, and keeps outputs of every epoch: setting -> value."""
    changes = {
        **{resampler.scope: 'fold' for resampler in RESAMPLERS.values()},
        'data.scaler_scope': 'fold',
        'protocol.evaluate_on': 'test',
        'head.scope': 'fold',
        'evaluate.every_epoch': settings.head.name == 'none',
    }
    protocol = PROTOCOLS[settings.protocol.name]
    if protocol.leak or not protocol.tests:
        changes['protocol.name'] = 'loso'
    return changes


def audit(settings: Settings, train, folder) -> dict:
    """Train every trial with train(changes, folder of its run) -> results.json, and write and print
    the audit; returns it (see `lines`). A finished trial is scored again, a killed one goes on
    where it was.
    """
    folder, honest = parent(folder, 'an audit'), clean(settings)
    print(f'audit: {TITLES["honest"]} -> {folder / "honest"}', flush=True)
    folds = quietly(train, honest, folder / 'honest')['folds']
    runs, trained = {}, {repr([]): folder / 'honest'}
    for trial in trials(settings, folds):
        if trial.why_not:
            runs[trial.habit] = trial, None
            continue
        key = repr(sorted(trial.changes.items()))
        try:
            if key not in trained:  # what another trial has trained already is not trained again
                trained[key] = folder / trial.habit
                print(f'audit: {TITLES[trial.habit]} -> {trained[key]}', flush=True)
                quietly(train, honest | trial.changes, trained[key])
            runs[trial.habit] = trial, _run(trial, trained[key])
        except UserError as error:
            if trial.habit == 'honest':
                raise
            # the others took hours
            runs[trial.habit] = trial._replace(why_not=f'failed: {error}'), None
    found = {'name': settings.name, 'lines': lines(runs)}
    plot = folder / files.PLOTS / 'audit.svg'
    plot.parent.mkdir(parents=True, exist_ok=True)
    plots_compare.added(plot, found['lines'])
    plots = [(plot, audit_tables.PLOT_CAPTION)]
    study.write(audit_tables.study(found), found, folder, plots)
    return found


def lines(runs: dict) -> list:
    """One dictionary a habit, in order: habit, title, why_not, and of compare.table metrics,
    intervals, sd, protocol, leaks, seeds, clips, subjects, folder and `against`, what the habit
    adds to the honest run of the same labels.
    """
    groups = compare.table([run for _, run in runs.values() if run])['groups']
    rows = {row['title']: row for group in groups for row in group['runs']}
    return [
        {
            'habit': habit,
            'why_not': trial.why_not,
            **rows.get(TITLES[habit], {}),
            'title': TITLES[habit],
        }
        for habit, (trial, _) in runs.items()
    ]


def at_best_epoch(run: compare.Run) -> compare.Run:
    """The same run, each fold answering as it did at the epoch that its held-out rows like best
    (test_best of score.oracle).
    """
    outputs, classes = EpochOutputs.read(run.folder).values, run.results['classes']
    label = np.array([classes.index(row.label) for row in run.rows], np.int32)
    fold = np.array([row.fold for row in run.rows], np.int32)
    seed = np.array([row.seed for row in run.rows], np.int32)
    # clip, frame, subject and data set have no part in the choice
    nobody = np.zeros(len(label), np.int32)
    answers = Predictions(nobody, nobody, nobody, nobody, label, fold, seed, outputs[-1])
    epoch = score.best_epoch(outputs, answers, Names(tuple(classes), (), (), (), ()))
    chosen = outputs[epoch, np.arange(len(label))].argmax(-1)
    rows = zip(run.rows, chosen, strict=True)
    return run._replace(rows=[row._replace(predicted=classes[k]) for row, k in rows])


def _run(trial, folder):
    """The finished run of a trial under its title."""
    (run,) = compare.read([folder])
    run = at_best_epoch(run) if trial.best_epoch else run
    leaking = [*run.results['leaks'], *[EPOCH_LEAK] * trial.best_epoch]
    return run._replace(title=TITLES[trial.habit], results={**run.results, 'leaks': leaking})


def _unheaded(settings):
    """Why no network can train on the tested clips before machines decide; '' where it can."""
    if settings.head.name == 'none':
        return 'the network itself answers (head.name none)'
    return '' if settings.train.epochs else 'no network is trained (train.epochs 0)'


def _unchosen(settings):
    """Why no epoch can be chosen; '' where it can."""
    if not settings.train.epochs:
        return 'nothing is trained (train.epochs 0)'
    head = settings.head.name
    return '' if head == 'none' else f'head.name {head} answers once, after the last epoch'


def _unbalanced(settings):
    """Why nothing can be balanced before the split; '' where it can."""
    resampler = RESAMPLERS[settings.balance.method]
    if resampler.unaudited or resampler.trained or leaks.from_class_counts(settings):
        return resampler.unaudited
    return 'nothing is balanced (balance.method none, train.class_weights none)'
