"""Drawn faces as files."""

import pytest

from mer_jax.data import drawn
from mer_jax.errors import UserError


def test_a_table_of_the_user_is_not_overwritten(tmp_path):
    """A newcomer who draws into the folder of real data would lose the annotation."""
    (tmp_path / drawn.TABLE).write_text('clip,subject,label,path\n')
    with pytest.raises(UserError, match=drawn.TABLE):
        drawn.draw(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [drawn.TABLE]
