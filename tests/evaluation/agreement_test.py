"""agreement: which clips and labels of two sources differ."""

import pytest

from mer_jax.evaluation.agreement import agreement, respelled, shown, shown_different


def test_missing_extra_and_different_clips_by_hand():
    """A clip on the wrong side would be looked for in the wrong file."""
    first = {('a', 's1', 'c1'): 'x', ('a', 's1', 'c2'): 'y', ('a', 's2', 'c3'): 'x'}
    second = {('a', 's1', 'c2'): 'x', ('a', 's2', 'c3'): 'x', ('b', 's1', 'c1'): 'x'}
    compared = agreement(first, second)
    assert compared.common == 2
    assert compared.missing == [('a', 's1', 'c1')] and compared.extra == [('b', 's1', 'c1')]
    assert compared.different == [(('a', 's1', 'c2'), 'y', 'x')]
    assert shown_different(compared.different) == 'a/s1/c2 (x, not y)'
    assert shown([('a', 's', str(i)) for i in range(5)]).endswith('a/s/2 and 2 more')


@pytest.mark.parametrize(
    'clip,written,same',
    [
        (('samm', '006', '006_1_2'), ('samm', '6', '006_1_2'), True),  # a spreadsheet
        (('casme2', 'sub01', 'EP02_01f'), ('casme2', 'sub1', 'ep02_01f'), True),
        (('casme2', 'sub01', 'sub01_EP02'), ('casme2', '1', 'sub01_EP02'), True),
        (('smic', 's100', 'c1'), ('smic', 's10', 'c2'), False),
        (('samm', '100', 'c'), ('smic', '100', 'c'), False),
    ],
)
def test_another_spelling_is_named(clip, written, same):
    """'133 clips are not in the data set' would not say that zeros were lost."""
    assert respelled([clip], [written]) == ((clip, written) if same else None)
