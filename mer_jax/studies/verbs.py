"""Verbs about an experiment: its data, and how it trains with other settings."""

from functools import partial
from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, run, spotter
from mer_jax.experiment import settings as rules
from mer_jax.studies import describe as describing
from mer_jax.studies import grid as searching
from mer_jax.studies import leak_audit


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
    return searching.grid(settings, text, partial(run.train_changed, settings, workdir), workdir)


def _checked(config, verb):
    settings = rules.checked(config)
    task = settings.data.task
    if not TASKS[task].by_class:
        allowed = [name for name, entry in TASKS.items() if entry.by_class]
        raise UserError(
            f'{verb}: compares UF1, which data.task {task} does not have; allowed: '
            f'{" or ".join(allowed)}'
        )
    return settings
