"""The verb leaderboard: several configs on the same clips, one row each.

Each config is an ordinary run in a folder of its own, so that a stopped leaderboard goes on where
it stopped. The first config is the reference: the others are tested against it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE, ranks
from mer_jax.evaluation.metrics import to_json
from mer_jax.experiment import settings as rules
from mer_jax.experiment import spotter
from mer_jax.experiment.cost import Cost
from mer_jax.folds import RESAMPLERS
from mer_jax.models import NETWORKS
from mer_jax.report import leaderboard_tables, page, plots_compare, study
from mer_jax.runfiles import naming
from mer_jax.runfiles.folder import with_plots
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.studies import compare, published
from mer_jax.studies.subruns import parent, quietly

TOO_LARGE = 'too large for this machine'
GROUPS = 3  # of the training subjects, by which networks choose with an equal budget
Train = Callable[[Settings, Path], dict]  # (settings, folder of the run) -> results.json
Measure = Callable[[Settings, Path], Cost]  # (settings, folder of the run) -> what it costs


class Entry(NamedTuple):
    """A config of the leaderboard."""

    title: str
    settings: Settings
    folder: Path  # of its run


class Limits(NamedTuple):
    """How much is trained."""

    seeds: int  # of each config
    hours: float  # a config that needs more is not run
    # every network chooses learning rate and epochs from the same points by its training subjects
    equal_budget: bool = False


def leaderboard(
    configs: Mapping[str, Settings],
    folder: str | Path,
    limits: Limits,
    train: Train,
    measure: Measure,
) -> dict:
    """Train all configs, and write and print their table.

    A finished run is scored again, a stopped one continues.

    Args:
        configs: by title; the first is the reference.
        folder: where the files and runs go.
        limits: how much is trained.
        train: trains one run.
        measure: opens a run without training it.

    Returns:
        The content of leaderboard.json: name, reference, data, classes, seeds, max_hours, points
        (what networks chose from, or None) and rows; where action units are annotated also
        ceiling, as in results.json.

    Raises:
        UserError: settings are wrong, or the reference cannot be run. Nothing is trained before
            all settings are checked, and opened on their data.
    """
    names = [naming.folder_of(title) for title in configs]
    tables = [f'leaderboard.{kind}' for kind in study.KINDS]
    folder = parent(folder, 'a leaderboard', names, tables)
    entries = entered(configs, folder, limits)
    costs = _costs(entries, measure)
    results, reasons = _results(entries, costs, limits, train)
    runs = _runs([entry for entry in entries if entry.title in results])
    (group,) = compare.table(runs)['groups']
    compared = {row['title']: row for row in group['runs']}
    placed = dict(zip(results, ranked(runs), strict=True))
    rows = []
    for entry in entries:
        row = _facts(entry, costs[entry.title], reasons.get(entry.title, ''), len(group['classes']))
        if entry.title in results:
            row |= compared[entry.title] | _scores(results[entry.title])
            row['rank'] = to_json(placed[entry.title].rank)
            row['rank_interval'] = placed[entry.title].interval
        rows.append(row)
    ceilings = [results[title]['ceiling'] for title in results if 'ceiling' in results[title]]
    result = {
        'name': 'leaderboard',
        'reference': group['reference'],
        'data': group['title'],
        'classes': group['classes'],
        'seeds': limits.seeds,
        'max_hours': limits.hours,
        'points': next(filter(None, (row['points'] for row in rows)), None),
        'rows': rows,
    }
    if ceilings:  # one for all: they have the same clips and folds
        result['ceiling'] = ceilings[0]
    plots = plots_compare.draw(with_plots(folder), {'groups': [group]})
    captioned = [page.Drawn(path, compare.CAPTIONS[path.stem], alt) for path, alt in plots.items()]
    study.write(leaderboard_tables.study(result), result, folder, captioned)
    return result


def _costs(entries, measure):
    """{title: its Cost}; prints each."""
    costs = {}
    for entry in entries:
        try:
            costs[entry.title] = quietly(measure, entry.settings, entry.folder)
        except UserError as error:
            raise UserError(f'--configs: {entry.title}: {error}') from None
        print(f'leaderboard: {entry.title}: {_cost_in_words(costs[entry.title])}', flush=True)
    return costs


def _results(entries, costs, limits, train):
    """{title: results.json} of what is trained, and {title: why not} of the others."""
    results, reasons = {}, {}
    for number, entry in enumerate(entries, 1):
        hours = costs[entry.title].hours or 0
        if hours > limits.hours:
            needs = f'about {hours:.3g} hours' if hours < math.inf else TOO_LARGE
            reasons[entry.title] = f'not run here ({needs})'
        else:
            print(f'leaderboard: {number} of {len(entries)}, {entry.title}', flush=True)
            try:
                results[entry.title] = quietly(train, entry.settings, entry.folder)
            except UserError as error:
                # The others took hours; they are kept.
                reasons[entry.title] = f'failed: {error}'
        if number == 1 and reasons:
            raise UserError(f'{entry.title}, the reference, is {reasons[entry.title]}')
    return results, reasons


def entered(configs: Mapping[str, Settings], folder: Path, limits: Limits) -> list[Entry]:
    """Check all configs, and give each what a leaderboard needs.

    That is the same number of seeds, and the outputs of every epoch, for what choosing the epoch on
    the left-out subject would claim.

    Args:
        configs: by title.
        folder: of the leaderboard.
        limits: how much is trained.

    Raises:
        UserError: names the config that is wrong.
    """
    entries, first = [], None
    for title, settings in configs.items():
        changes = {
            'train.seeds': limits.seeds,
            'protocol.evaluate_on': 'test',
            'evaluate.every_epoch': predicts(settings),
        }
        if limits.equal_budget and predicts(settings):
            changes['choose.groups'] = settings.choose.groups or GROUPS
            changes['train.epochs'] = int(max(settings.choose.epochs))
        changed = tree.changed(settings, changes)
        try:
            rules.check(changed)
        except UserError as error:
            raise UserError(f'--configs: {title}: {error}') from None
        data = changed.data
        if spotter.is_config(data.apex):
            raise UserError(
                f'--configs: {title}: data.apex is the config {data.apex!r}; train it, and name '
                'the folder of its run'
            )
        first = first or (title, data)
        if (data.name, data.labels) != (first[1].name, first[1].labels):
            raise UserError(
                f'--configs: {title} is on {data.name}, {data.labels}, and {first[0]} on '
                f'{first[1].name}, {first[1].labels}; a leaderboard has one data set and one '
                'scheme of labels, which --config.data.name=... and --config.data.labels=... set '
                'for all'
            )
        entries.append(Entry(title, changed, folder / naming.folder_of(title)))
    _check_points(entries)
    if len({entry.folder for entry in entries}) < max(2, len(entries)):
        raise UserError(
            f'--configs names {", ".join(configs) or "nothing"}; allowed: two configs or more, '
            'each once'
        )
    return entries


def _check_points(entries):
    """Refuse configs that choose from different points."""
    chosen = [(entry.title, entry.settings.choose) for entry in entries]
    chosen = [(title, choose) for title, choose in chosen if choose.groups]
    for title, choose in chosen[1:]:
        if choose != chosen[0][1]:
            raise UserError(
                f'--configs: {title} chooses from other points than {chosen[0][0]}; '
                '--config.choose.learning_rate=... and --config.choose.epochs=... set them for all'
            )


def predicts(settings: Settings) -> bool:
    """Say whether a trained network predicts the classes itself."""
    return settings.head.name == 'none' and settings.train.epochs > 0


def ranked(runs: Sequence[compare.Run]) -> list[ranks.Rank]:
    """Rank runs by UF1, with intervals over subjects within each data set.

    Raises:
        UserError: they are tested on other clips.
    """
    clips = [{(row.dataset, row.subject, row.clip, row.frame) for row in run.rows} for run in runs]
    for run, tested in zip(runs, clips, strict=True):
        if tested != clips[0]:
            raise UserError(
                f'{run.title} is tested on other clips than {runs[0].title}; a leaderboard has '
                'the same for all'
            )
    cubes = [compare.confusions(run, run.rows) for run in runs]
    return ranks.ranks(cubes, compare.datasets_of(runs[0].rows))


def _runs(entries):
    """Read the finished runs, under the titles of their configs."""
    runs = compare.read([entry.folder for entry in entries])
    return [run._replace(title=entry.title) for entry, run in zip(entries, runs, strict=True)]


def _facts(entry, cost, reason, classes):
    """What a row holds whether or not it is run."""
    settings = entry.settings
    by_network = predicts(settings) and not RESAMPLERS[settings.balance.method].trained
    reported, released = [], 0
    if by_network:
        released = NETWORKS[settings.model.name].released_parameters
        reported = published.of_network(published.read(), settings.model.name, classes)
    return {
        'title': entry.title,
        'folder': str(entry.folder),
        'not_run': reason,
        'parameters': cost.parameters,
        # of the network as released, where this one is smaller
        'released_parameters': released if (cost.parameters or 0) < released else None,
        'mflops': None if cost.flops is None else cost.flops / 1e6,
        'epochs': settings.train.epochs if predicts(settings) else None,
        'points': _points(settings.choose),
        'as_reported': reported,
    }


def _points(choose):
    """What folds choose from; None where they do not choose."""
    if not choose.groups:
        return None
    return {
        'groups': choose.groups,
        'learning_rate': list(choose.learning_rate),
        'epochs': list(choose.epochs),
    }


def _scores(results):
    """What a row holds of results.json beside what compare.table has."""
    trainings = results['folds'] * results['seeds']
    oracle = results['oracle_epoch']
    seconds = results['seconds'].get('train')
    return {
        'seconds_per_fold': seconds / trainings if seconds else None,
        'per_dataset': {
            name: {key: block[key] for key in ('n', 'subjects', 'intervals', *HEADLINE)}
            for name, block in results['per_dataset'].items()
        },
        'oracle': oracle and oracle['test_best'],
        'chosen': results['choice'],
    }


def _cost_in_words(cost):
    if cost.parameters is None:
        return 'no network'
    size = f'{cost.parameters:,} parameters, {cost.flops / 1e6:.3g} MFLOPs a clip'
    if cost.hours == math.inf:
        return f'{size}, {TOO_LARGE}'
    return f'{size}, about {cost.hours:.2g} hours here' if cost.hours else f'{size}, trained'
