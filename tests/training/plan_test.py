"""The measured plan: what is tried, what is chosen, what is remembered."""

import json
import math

import jax
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.training import hosts, plan


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MER_JAX_CACHE', str(tmp_path))
    return tmp_path


def settled(found, measure, *, runs, epochs):
    return plan.choose(found, {'runs': runs}, measure, runs=runs, epochs=epochs)


def candidates(backend='cpu', devices=2, runs=44, **pinned):
    return plan.candidates(
        backend, devices, runs, **({'lowering': 'auto', 'at_once': 0, 'wanted': 0} | pinned)
    )


def test_cpu_never_tries_a_native_convolution():
    """Inside a loop on CPU it is tens of times slower: even trying it would take minutes."""
    assert {p.lowering for p in candidates()} == {'matmul'}


def test_a_gpu_tries_native_convolutions_for_one_fold_alone():
    """Over many folds at once the gradient of a native convolution is slow there: to compile and
    time it would take longer than what it could save.
    """
    alone = {p.lowering for p in candidates('gpu', 1) if p.at_once == 1}
    together = {p.lowering for p in candidates('gpu', 1) if p.at_once > 1}
    assert alone == {'matmul', 'native', 'shifted'}
    assert together == {'matmul', 'shifted'}


def test_pinned_settings_leave_one_candidate():
    """Tests and reproductions pin the plan; a trial there would make bits depend on timing."""
    assert candidates(lowering='matmul', at_once=2, wanted=1) == [
        plan.Plan('matmul', 2, 1, 'pinned by the settings')
    ]
    assert candidates('gpu', 4, 3, lowering='native', at_once=1, wanted=4)[0].devices == 4


def test_the_fastest_for_all_runs_is_chosen():
    """A plan that is faster a round but pads many runs away must not win."""
    found = [
        plan.Plan('matmul', 1, 2, ''),
        plan.Plan('matmul', 4, 2, ''),
        plan.Plan('matmul', 16, 2, ''),
    ]
    seconds = {1: 1.0, 4: 3.6, 16: math.inf}
    chosen = settled(found, lambda p: seconds[p.at_once], runs=9, epochs=10**6)
    assert chosen.at_once == 1  # 5 rounds of 1.0 s against 2 of 3.6 s
    assert 'measured' in chosen.why
    assert plan.load_cached({'runs': 9}) == chosen


def test_a_plan_without_room_is_left_out_with_a_line(capsys):
    """The first candidate on a GPU takes all folds at once: a large network must not end the run
    there, nor compile for minutes what is known to be too large.
    """
    found = [plan.Plan('shifted', folds, 1, '') for folds in (26, 16, 4, 1)]
    tried = []

    def measure(candidate):
        tried.append(candidate.at_once)
        if candidate.at_once == 26:
            raise plan.TooLarge(3.0)
        return 1.0

    chosen = settled(found, measure, runs=26, epochs=10**6)
    assert tried == [26, 4, 1]  # 16 of 26 need at least 1.8 times the memory
    assert chosen.at_once == 4
    assert chosen.why.count('too large') == 2 and 'inf' not in chosen.why
    assert plan.load_cached({'runs': 26}) == chosen
    lines = capsys.readouterr().out.splitlines()
    assert '26 at once' in lines[0] and '3 times' in lines[0]
    assert '16 at once' in lines[1] and 'left out' in lines[1]


def test_a_plan_that_does_not_compile_is_left_out_with_a_line(capsys):
    """XLA for GPUs has no program for some products of several folds: the others must train."""
    found = [plan.Plan('shifted', 2, 1, ''), plan.Plan('matmul', 2, 1, '')]

    def measure(candidate):
        if candidate.lowering == 'shifted':
            raise jax.errors.JaxRuntimeError('INTERNAL: no tiles')
        return 1.0

    assert settled(found, measure, runs=2, epochs=10**6).lowering == 'matmul'
    assert 'no tiles' in capsys.readouterr().out.splitlines()[0]
    # the same error of a GPU that is busy for a moment must not rule a plan out for ever
    assert plan.load_cached({'runs': 2}) is None
    assert plan.load_cached({'runs': 2, 'epochs': 10**6}) is None


def test_no_plan_at_all_is_one_line():
    """The first candidate began to train, and failed again after minutes of compiling."""
    found = [plan.Plan('matmul', 4, 1, ''), plan.Plan('matmul', 1, 1, '')]

    def measure(candidate):
        raise plan.TooLarge(20.0)

    with pytest.raises(plan.NoPlan, match='4 at once on 1 device: too large.*lower') as error:
        settled(found, measure, runs=4, epochs=10)
    assert 'inf' not in str(error.value)


def test_a_plan_must_fit_all_hosts(monkeypatch):
    """Only the first host's verdict counted: the memory of another would be full in the training,
    or the hosts would go on with other candidates and wait for each other for ever.
    """
    found = [plan.Plan('matmul', folds, 2, '') for folds in (4, 2, 1)]
    of_another = {4: [0.0, 3.0, 'it needs 3 times the memory'], 1: [2.0, 0.0, '']}
    at_once = []

    def measure(candidate):
        at_once.append(candidate.at_once)
        return 1.0

    def texts(text):
        if not text.startswith('[1.0'):
            return [text, text]
        return [text, json.dumps(of_another[at_once[-1]])]

    monkeypatch.setattr(hosts, 'texts', texts)
    seconds, _ = plan.benchmark(found, measure, runs=8, epochs=10**6)
    assert [seconds[each] for each in found] == [math.inf, math.inf, 8.0]
    assert at_once == [4, 1]  # 2 of 4 need at least 1.5 times the memory


def test_noise_does_not_choose_a_plan():
    """On a busy machine two timings of one plan differ by some percent; the choice is kept for
    every later run.
    """
    first, second = plan.Plan('matmul', 1, 2, ''), plan.Plan('matmul', 1, 1, '')
    assert plan.fastest({first: 1.0, second: 0.95}) == first
    assert plan.fastest({first: 1.0, second: 0.85}) == second
    assert plan.fastest({first: math.inf, second: 5.0}) == second


def test_a_short_training_is_not_measured_further_nor_remembered():
    """A trial must not cost more than it saves, and a long run must not inherit what one cut short
    had settled on.
    """
    found = [plan.Plan('matmul', 1, 2, ''), plan.Plan('matmul', 4, 2, '')]
    tried = []
    settled(found, lambda p: tried.append(p) or 1e-9, runs=4, epochs=10)
    assert len(tried) == 1
    assert plan.load_cached({'runs': 4}) is None
    settled(found, lambda p: tried.append(p) or 1e-9, runs=4, epochs=10)
    assert len(tried) == 1  # the same training again does not try again


def test_a_plan_is_remembered_for_the_same_facts_only(cache):
    """Another fold count or version may have another fastest plan; a damaged note is
    measured anew.
    """
    chosen = plan.Plan('matmul', 4, 2, 'measured')
    plan.store({'runs': 44}, chosen)
    assert plan.load_cached({'runs': 44}) == chosen
    assert plan.load_cached({'runs': 45}) is None
    next((cache / 'plans').iterdir()).write_text('{')
    assert plan.load_cached({'runs': 44}) is None


def test_the_plan_says_what_runs_side_by_side():
    """'1 at once on 2 devices' seemed to contradict that one program trains all folds."""
    words = plan.in_words(plan.Plan('matmul', 1, 2, 'measured'), 30)
    assert '30 trainings' in words and '2 side by side: 1 on each of 2' in words
    assert '4 at a time on one device' in plan.in_words(plan.Plan('matmul', 4, 1, ''), 30)


def test_groups_hold_full_rounds(tmp_path):
    """A group that is not a multiple of a round would train padding in every group."""
    shapes = {'w': np.zeros(1000, np.float32)}
    size = lambda group, runs=44: plan.group_size(  # noqa: E731
        plan.Plan('matmul', 2, 2, ''),
        runs,
        shapes=shapes,
        group=group,
        device=NoStats(),
        folder=tmp_path,
    )
    assert size(0) == 44 and size(10) == 8 and size(3) == 4 and size(100) == 44
    assert size(2, runs=3) == 3  # a round larger than all runs


def test_a_full_disk_is_told_before_training(tmp_path):
    shapes = {'w': type('Huge', (), {'shape': (2**50,), 'dtype': np.dtype('float32')})()}
    with pytest.raises(UserError, match='GB free.*3 runs'):
        plan.group_size(
            plan.Plan('matmul', 1, 1, ''),
            3,
            shapes=shapes,
            group=0,
            device=NoStats(),
            folder=tmp_path,
        )


class NoStats:
    def memory_stats(self):
        return None
