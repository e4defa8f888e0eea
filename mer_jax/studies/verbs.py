"""Verbs about an experiment: its data, and how it trains with other settings."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from mer_jax.data import sources
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, build, check_by_class, cost, run, spotter
from mer_jax.experiment import settings as rules
from mer_jax.runfiles import results as result_files
from mer_jax.settings import tree
from mer_jax.studies import describe as describing
from mer_jax.studies import grid as searching
from mer_jax.studies import leaderboard as ranking
from mer_jax.studies import leak_audit
from mer_jax.studies import reproduce as reproducing


def describe(config: rules.Config, workdir: str | Path) -> dict:
    """Write a page about what the data sets of an experiment hold."""
    settings = rules.checked(config)
    if spotter.is_config(settings.data.apex):
        settings, _ = spotter.split(settings)
    return describing.describe(settings, workdir)


def audit(config: rules.Config, workdir: str | Path) -> dict:
    """Train an experiment without leaks and with each, and compare."""
    settings = _checked(config, 'audit')
    return leak_audit.audit(settings, partial(run.train_changed, settings, workdir), workdir)


def grid(config: rules.Config, workdir: str | Path, text: str) -> dict:
    """Choose the best combination of settings, and test it.

    Args:
        config: of the experiment.
        workdir: where the files and runs go.
        text: the combinations, as in `grid.combinations`.
    """
    settings = _checked(config, 'grid')
    train = partial(run.train_changed, settings, workdir)
    return searching.grid(settings, text, train, workdir, partial(run.check_changed, settings))


def leaderboard(
    workdir: str | Path,
    configs: Mapping[str, rules.Config],
    seeds: str,
    max_hours: str,
    equal_budget: bool = False,
) -> dict:
    """Train several configs on the same clips, and write their table.

    Args:
        workdir: where the files and runs go.
        configs: by title; the first is the reference.
        seeds: of each config, as on the command line.
        max_hours: most hours that a config may take, as on the command line.
        equal_budget: whether networks choose learning rate and epochs from the same points.
    """
    settings = {title: _checked(config, 'leaderboard') for title, config in configs.items()}
    limits = ranking.Limits(
        seeds=_positive('seeds', seeds, int, 'a whole number from 1, such as 5'),
        hours=_positive('max_hours', max_hours, float, 'a number above 0, such as 6'),
        equal_budget=equal_budget,
    )
    return ranking.leaderboard(settings, workdir, limits, run.train_settings, cost.of_run)


def _positive(flag, text, kind, allowed):
    """The value of a flag as a number above 0."""
    try:
        if kind(text) > 0:
            return kind(text)
    except ValueError:
        pass
    raise UserError(f'--{flag} is {text!r}; allowed: {allowed}')


def reproduce(config: rules.Config, workdir: str | Path, without_audit: bool = False) -> dict:
    """Train and audit an experiment, and write an archive that can be shown to others.

    Args:
        config: of the experiment.
        workdir: where the run, the audit and the archive go.
        without_audit: whether the leak audit is left out.

    Returns:
        The content of results.json.
    """
    settings = rules.checked(config)
    if settings.data.rebuild:
        run.build_data(config)
        settings = tree.changed(settings, {'data.rebuild': False})
    of_data = spotter.split(settings)[0] if spotter.is_config(settings.data.apex) else settings

    def audit_leaks(folder: Path) -> dict:
        return leak_audit.audit(settings, partial(run.train_changed, settings, folder), folder)

    audits = TASKS[settings.data.task].by_class and not without_audit
    path = reproducing.reproduce(
        settings.name,
        workdir,
        train=partial(run.train_settings, settings),
        audit_leaks=audit_leaks if audits else None,
        pack=partial(
            reproducing.pack,
            data_sets=sources.parse(of_data.data.name, of_data.data.manual_dir),
            options=build.build_options(of_data.data),
            settings=rules.SETTINGS,
        ),
    )
    return result_files.read(path.parent / reproducing.RUN).to_json()


def _checked(config, verb):
    settings = rules.checked(config)
    check_by_class(settings.data.task, f'{verb}: compares UF1')
    return settings
