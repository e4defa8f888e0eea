"""What may differ between a run and its continuation."""

from pathlib import Path

import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import settings
from mer_jax.presets import base


def test_a_run_goes_on_under_a_version_with_more_settings():
    """If this fails, every new setting makes all earlier runs worthless; or a run goes on under
    a value that it never had.
    """
    old, new = base('any').to_dict(), base('any').to_dict()
    del old['protocol']['same_people']
    settings.check_resume(old, new, Path('runs/any'))
    new['protocol']['same_people'] = 'unknown'
    with pytest.raises(UserError, match='same_people'):
        settings.check_resume(old, new, Path('runs/any'))
