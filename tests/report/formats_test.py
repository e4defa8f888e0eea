"""How figures are written."""

import math

import pytest

from mer_jax.report import formats


@pytest.mark.parametrize('value', [None, math.nan])
def test_what_is_undefined_is_a_dash(value):
    """'nan' in a table reads as a failed run."""
    shown = (formats.plain, formats.measure, formats.signed, formats.p_value, formats.frames)
    assert {show(value) for show in shown} == {formats.DASH}
    assert formats.interval(None) == formats.DASH


def test_figures_keep_their_decimals():
    """A measure of 1 that is written '1' looks like a count."""
    assert (
        formats.measure(1) == '1.000' and formats.plain(1) == '1' and formats.plain(1.0) == '1.000'
    )
    assert formats.signed(0.5) == '+0.500' and formats.signed_frames(-2) == '-2.00'
    assert formats.interval([0.25, 1], 2) == '[0.25, 1.00]'


def test_a_small_p_value_is_never_zero():
    """A permutation test of 2,000 draws cannot show that p is 0."""
    assert formats.p_value(0.0004) == '<0.001' and formats.p_value(0.0005) == '0.001'


def test_counts_are_words():
    """'1 seeds' and '[0, 1] seeds' are no words."""
    assert formats.plural(1, 'seed') == '1 seed' and formats.plural(0, 'seed') == '0 seeds'
    assert formats.count_of([4, 7]) == formats.count_of(2) == 2
