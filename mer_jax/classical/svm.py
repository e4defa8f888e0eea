"""Support vector machines on features in place of a network's last layer, one fold at a time, on
the host (scikit-learn).

All that is fitted or chosen, standardisation, cost and width of the kernel, sees the fold's
training rows alone: choices are made by groups of its training subjects, each left out in turn.
"""

import warnings
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from mer_jax import machine
from mer_jax.classical import FEATURES, NETWORK, features
from mer_jax.data.apexes import RULES
from mer_jax.errors import UserError
from mer_jax.evaluation.metrics import confusion, summary
from mer_jax.folds import RESAMPLERS, Resampler, protocols
from mer_jax.folds.rows import of_data_set, stored
from mer_jax.runfiles.config import flat
from mer_jax.runfiles.svms import SupportVectors, SvmArrays, SvmRow, SvmTable
from mer_jax.training import held_out

ALLOWED = {
    'head.name': ('none', 'svm'),
    'head.scope': ('fold', 'all'),
    'head.kernel': ('linear', 'rbf'),
    'head.scale': ('none', 'features', 'blocks'),
}
NOBODY = -1  # the group of a row that is not of the data set


class Machine(NamedTuple):
    """One fitted support vector machine."""

    cost: float
    gamma: float
    uf1: float  # of the inner folds; NaN where nothing was to choose
    support: np.ndarray  # int32[s]: rows of the data set, n more in the mirror
    dual: np.ndarray  # float32[classes - 1, s]
    intercept: np.ndarray  # float32[pairs of classes]


def answers(blocks, hidden, samples, folds, *, classes, **settings):
    """(scores float32[R, classes] of the held-out rows in data set order, [Machine] of each run).

    blocks: features [M, N, D] each; hidden: float32[F, N, D], another block that differs from run
    to run, None without one; rows made for a fold (smote, copies) take no part; settings: of
    `decided`. Runs are fitted side by side. UserError where a network has diverged.
    """
    if hidden is not None and not np.isfinite(hidden).all():
        raise UserError(
            'head: features of the network are not finite, so training diverged; a smaller '
            'learning rate may help'
        )

    group = np.where(of_data_set(samples), samples.subject, NOBODY)

    def one(run):
        train, test = (protocols.rows_of(rows, run) for rows in (folds.train, folds.test))
        own = [hidden[run][None], *blocks] if hidden is not None else blocks
        return decided(
            own,
            samples.label,
            group,
            train[stored(samples, train)],
            test,
            classes=classes,
            seed=int(folds.seed[run]),
            **settings,
        )

    found = Parallel(machine.cores(), prefer='threads', return_as='generator')(
        map(delayed(one), range(len(folds.fold)))
    )
    found = list(tqdm(found, desc='support vector machines', total=len(folds.fold), mininterval=1))
    scores = np.zeros((*folds.test.index.shape, classes), np.float32)
    for run, (told, _) in enumerate(found):
        scores[run, : len(told)] = told
    return held_out.gather(scores[:, None], folds), [machines for _, machines in found]


def hidden(learner):
    """The learner, its prediction the last hidden layer [B, D] in place of the output."""
    return learner._replace(
        predict=lambda state, inputs: (learner.predict(state, inputs)[1]['features'], {})
    )


def of_runs(found, folds, count):
    """What every run says of all `count` rows, [R, D] in data set order (see held_out.order) -> [F,
    count, D].
    """
    out = np.zeros((len(folds.fold), count, found.shape[-1]), found.dtype)
    run, row = (
        np.repeat(np.arange(len(folds.fold)), count),
        np.tile(np.arange(count), len(folds.fold)),
    )
    sequence = np.lexsort((run, row, folds.seed[run]))
    out[run[sequence], row[sequence]] = found
    return out


def write(folder, machines, folds, titles) -> None:
    """heads.csv, a line a machine, and heads.npz with each one's support vectors, dual coefficients
    and intercepts.
    """
    rows, arrays = [], {}
    for run, svms in enumerate(machines):
        for place, svm in enumerate(svms, 1):
            row = SvmRow(
                title=titles[folds.fold[run]],
                seed=int(folds.seed[run]),
                place=place,
                cost=svm.cost,
                gamma=svm.gamma,
                inner_uf1=None if np.isnan(svm.uf1) else svm.uf1,
                support_vectors=len(svm.support),
            )
            rows.append(row)
            arrays[run, place] = SupportVectors(svm.support, svm.dual, svm.intercept)
    SvmTable(tuple(rows)).write(folder)
    SvmArrays(arrays).write(folder)


def numbers(text) -> list:
    """The numbers of '0.5,1,2', smallest first; ValueError where one is none, or not above 0."""
    found = sorted({float(part) for part in text.split(',')})
    if not found or not 0 < found[0] <= found[-1] < np.inf:
        raise ValueError(text)
    return found


def wrong(settings) -> list:
    """What is wrong with the head of nested settings, a line each."""
    head, names, told = settings['head'], settings['head']['features'].split('+'), []
    if head['name'] == 'none':
        return []
    known = {NETWORK, *FEATURES}
    if len(set(names)) < len(names) or not known.issuperset(names):
        return [
            f'head.features is {head["features"]!r}; allowed: {", ".join(sorted(known))}, each '
            'once, + between'
        ]
    for key in ('cost', 'gamma'):
        try:
            numbers(head[key])
        except ValueError:
            told.append(f'head.{key} is {head[key]!r}; allowed: numbers above 0, comma between')
    still = not features.networked(head)
    needs = {
        'data.rows': ('clips',),
        'evaluate.every_epoch': (False,),
        'data.apex': RULES,
        'train.learner': ('supervised',),
    }
    needs |= (
        {
            'train.epochs': (0,),
            'balance.method': [name for name, entry in RESAMPLERS.items() if not entry.fills],
            'head.scope': ('fold',),
            'train.class_weights': ('none',),
        }
        if still
        else {}
    )
    values = flat(settings)
    told += features.wrong(
        [name for name in names if name != NETWORK],
        settings['data']['channels'].split(','),
        stretched=settings['data']['scale'] == 'stretch',
    )
    told += [
        f'{key} is {values[key]!r}; allowed with head.features {head["features"]}: '
        f'{" or ".join(map(repr, allowed))}'
        for key, allowed in needs.items()
        if values[key] not in allowed
    ]
    placed = [name for name in names if name != NETWORK and FEATURES[name].points]
    method = values['balance.method']
    if placed and RESAMPLERS.get(method, Resampler()).images:
        told.append(
            f'balance.method is {method!r}, whose images have no landmarks, '
            f'which {placed[0]} takes; '
            "allowed: 'none'"
        )
    if head['mirror'] and (placed or not still):
        told.append(
            f'head.mirror is True, which {[*placed, NETWORK][0]} is not made for; allowed: False'
        )
    return told


def decided(
    blocks, label, group, train, test, *, classes, seed, kernel, scale, costs, gammas, inner, best
):
    """(scores float32[len(test), classes], [Machine]) of one fold: the mean of the `best` machines
    by UF1 of inner folds.

    blocks: features [M, N, D] each, of the clips and, where M is 2, of their mirror images, which
    train and are asked too; label, group (subject, or NOBODY): int[N]; train, test: rows of the
    data set; inner: groups that the training subjects are parted in to choose among costs x gammas,
    which one value each spares. scale, kernel: see `products` and `kernels`.
    """
    grid = [
        (cost, gamma) for gamma in (gammas if kernel == 'rbf' else gammas[:1]) for cost in costs
    ]
    uf1 = np.full(len(grid), np.nan)
    if len(grid) > 1:
        uf1 = _inner(
            blocks,
            label,
            group,
            train,
            grid,
            classes=classes,
            seed=seed,
            kernel=kernel,
            scale=scale,
            folds=inner,
        )
    # of equal ones the first: the widest kernel, the least cost
    chosen = np.argsort(-uf1, kind='stable')[:best]
    prepared = products(blocks, train, test, scale=scale)
    found = [
        _fitted(prepared, label, train, test, *grid[place], classes=classes, kernel=kernel)
        for place in chosen
    ]
    machines = [
        machine._replace(uf1=float(uf1[place]))
        for place, (_, machine) in zip(chosen, found, strict=True)
    ]
    return np.mean([scores for scores, _ in found], axis=0), machines


def _inner(blocks, label, group, train, grid, *, classes, seed, kernel, scale, folds):
    """UF1 float[len(grid)] of every choice, each training clip answered by machines that did not
    see its subject; images that were generated for the fold, of no subject, train in every group
    and are not asked.
    """
    # here: loading it takes a second of every run
    from sklearn.model_selection import StratifiedGroupKFold

    train, made = train[group[train] != NOBODY], train[group[train] == NOBODY]
    subjects, clips = len(np.unique(group[train])), np.bincount(label[train]).max()
    # more groups than clips of the largest class cannot be stratified
    count = min(folds, subjects, clips)
    if count < 2:
        raise UserError(
            f'head: {subjects} training subject{"s" * (subjects > 1)} with up to {clips} clips '
            'of a class leave '
            'nobody to choose cost and gamma by; give one value of head.cost and of head.gamma'
        )
    scores = np.zeros((len(grid), len(label), classes), np.float32)
    with warnings.catch_warnings():
        # a class with fewer clips than groups cannot stand in each
        warnings.simplefilter('ignore', UserWarning)
        parts = list(
            StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(
                train, label[train], group[train]
            )
        )
    for rest, aside in parts:
        rest, aside = np.concatenate([train[rest], made]), train[aside]
        prepared = products(blocks, rest, aside, scale=scale)
        for place, (cost, gamma) in enumerate(grid):
            scores[place, aside], _ = _fitted(
                prepared, label, rest, aside, cost, gamma, classes=classes, kernel=kernel
            )
    return np.array(
        [
            summary(confusion(label[train], own[train].argmax(1), classes=classes))['uf1']
            for own in scores
        ]
    )


def products(blocks, train, test, *, scale):
    """Inner products of the scaled features: float64 (training rows [M * n, M * n], test rows with
    these [M * m, M * n], squared lengths of the test rows [M * m]); rows of the first view come
    first.

    scale 'none' leaves features alone; 'features' takes from each its mean over the training rows
    and divides by its standard deviation there; 'blocks' besides lets every block weigh the same,
    whatever its length: the mean squared distance of two training clips is then 2.
    """
    views = len(blocks[0])
    own_own, test_own = (
        np.zeros((views * len(train),) * 2),
        np.zeros((views * len(test), views * len(train))),
    )
    length = np.zeros(views * len(test))
    for block in blocks:
        own, other = (np.concatenate(block[:, rows]).astype(np.float64) for rows in (train, test))
        if scale != 'none':
            mean, spread = own.mean(0), own.std(0)
            # constant in training: it says nothing
            spread = np.where(spread > 1e-6 * np.abs(mean) + 1e-12, spread, np.inf)
            own, other = (own - mean) / spread, (other - mean) / spread
        share = max(1, np.isfinite(spread).sum()) * len(blocks) if scale == 'blocks' else 1
        own_own += own @ own.T / share
        test_own += other @ own.T / share
        length += np.sum(other**2, 1) / share
    return own_own, test_own, length


def kernels(inner_products, kernel, gamma):
    """(training rows with each other, test rows with these): inner products, or of 'rbf' exp(-gamma
    * squared distance).
    """
    own_own, test_own, length = inner_products
    if kernel == 'linear':
        return own_own, test_own
    own = np.diag(own_own)
    return tuple(
        np.exp(-gamma * np.maximum(first[:, None] + own - 2 * both, 0))
        for first, both in ((own, own_own), (length, test_own))
    )


def _fitted(inner_products, label, train, test, cost, gamma, *, classes, kernel):
    """(scores float32[len(test), classes], Machine), mirror images asked too; a class without a
    training row scores -2, which is never the most.
    """
    from sklearn.svm import SVC  # here: loading it takes a second of every run

    own_own, test_own = kernels(inner_products, kernel, gamma)
    views = len(own_own) // len(train)
    known = np.unique(label[train])
    scores = np.full((views * len(test), classes), -2.0)
    if len(known) == 1:  # nothing to tell apart
        scores[:, known] = 1.0
        return scores[: len(test)].astype(np.float32), _machine(
            cost, gamma, [], np.zeros((0, 0)), []
        )
    fitted = SVC(kernel='precomputed', C=cost, class_weight='balanced').fit(
        own_own, np.tile(label[train], views)
    )
    if len(test):  # nobody is held out of a model to ship
        told = fitted.decision_function(test_own)
        scores[:, known] = np.stack([-told, told], -1) if told.ndim == 1 else told
    view, place = np.divmod(fitted.support_, len(train))
    machine = _machine(
        cost, gamma, train[place] + view * len(label), fitted.dual_coef_, fitted.intercept_
    )
    return scores.reshape(views, len(test), classes).mean(0).astype(np.float32), machine


def _machine(cost, gamma, support, dual, intercept):
    return Machine(
        cost,
        gamma,
        np.nan,
        np.asarray(support, np.int32),
        *(np.asarray(a, np.float32) for a in (dual, intercept)),
    )
