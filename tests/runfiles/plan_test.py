"""plan.json: a run goes on as it began, or not at all."""

import json

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.plan import Plan

PLAN = Plan('matmul', at_once=4, devices=2, why='measured', group=8)


def test_a_plan_round_trips(tmp_path):
    """A run that went on with another plan would end at other bits."""
    PLAN.write(tmp_path)
    assert Plan.read(tmp_path) == PLAN
    assert json.loads((tmp_path / 'plan.json').read_text()) == PLAN.to_json()


@pytest.mark.parametrize(
    'change',
    [
        {'lowering': 'fast'},
        {'at_once': 0},
        {'devices': 'two'},
        {'group': 1.5},
        {'why': None},
        {'x': 1},
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path, change):
    """A plan changed by hand would send checkpoints to other runs."""
    (tmp_path / 'plan.json').write_text(json.dumps(PLAN.to_json() | change))
    with pytest.raises(UserError, match='plan.json.*lowering.*matmul.*native'):
        Plan.read(tmp_path)


def test_a_plan_that_lacks_a_key_is_refused(tmp_path):
    """Groups of an unknown size cannot be read from their checkpoints."""
    content = PLAN.to_json()
    del content['group']
    (tmp_path / 'plan.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='plan.json'):
        Plan.read(tmp_path)
