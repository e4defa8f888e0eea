"""The verbs audit and grid: one experiment, trained several times with other settings."""

from functools import partial

from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, run, settings
from mer_jax.studies import grid as searching
from mer_jax.studies import leak_audit


def audit(config, workdir) -> dict:
    """Train the experiment honestly and under each leaky habit; write what each adds."""
    _check_subjects(config, 'audit')
    return leak_audit.audit(config.to_dict(), partial(run.train_changed, config), workdir)


def grid(config, workdir, text) -> dict:
    """Train every combination of the values in `text`, choose one, and test that one alone.

    The validation part chooses.
    """
    _check_subjects(config, 'grid')
    return searching.grid(config.to_dict(), text, partial(run.train_changed, config), workdir)


def _check_subjects(config, verb):
    settings.check(config.to_dict())
    task = TASKS[config.data.rows]
    if not task.by_class:
        allowed = [rows for rows, task in TASKS.items() if task.by_class]
        raise UserError(
            f'{verb}: compares UF1, which {task.name} (data.rows {config.data.rows}) has not; '
            f'allowed: {" or ".join(allowed)}'
        )
