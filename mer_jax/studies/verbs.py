"""The verbs audit and grid: one experiment, trained several times with other settings."""

from functools import partial

from mer_jax.errors import UserError
from mer_jax.experiment import run, settings
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
    if config.data.rows != 'clips':
        raise UserError(
            f'{verb}: compares UF1, and data.rows {config.data.rows} spots apexes; allowed: clips'
        )
