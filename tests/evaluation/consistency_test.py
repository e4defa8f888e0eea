"""Whether printed figures can be: by hand, and by counting every possibility."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from mer_jax.evaluation import consistency
from mer_jax.evaluation.consistency import printed


def test_digits_are_judged_as_printed():
    """A percentage has two digits fewer than a share: judged alike, every accuracy would fit."""
    assert printed('91.30 %') == pytest.approx((0.913, 0.00005))
    assert printed('0.9127') == pytest.approx((0.9127, 0.00005))
    assert printed('100.0 %') == pytest.approx((1, 0.0005))
    assert consistency.agree(printed('0.833'), printed('0.8333'))
    assert not consistency.agree(printed('0.834'), printed('0.8333'))


def test_correct_clips_are_those_that_print_so():
    """Every share of up to 60 clips, printed, must be found again, and no other accepted."""
    for clips in range(1, 61):
        for correct in range(clips + 1):
            text = f'{100 * correct / clips:.2f} %'
            expected = [k for k in range(clips + 1) if f'{100 * k / clips:.2f} %' == text]
            assert consistency.correct_clips(printed(text), clips) == expected
            assert clips in consistency.clip_counts([printed(text)], 60)
    assert consistency.correct_clips(printed('97.2 %'), 146) == []
    assert consistency.cut_clips(printed('97.2 %'), 146) == [142]
    assert consistency.clip_counts([printed('50 %'), printed('33 %')], 12) == [6, 12]


@pytest.mark.parametrize('classes', [2, 3, 4, 5])
def test_one_vs_rest_accuracy_is_recognised(classes):
    """It is far above plain accuracy: a table of it would pass for a better system."""
    draw = np.random.default_rng(classes)
    label, predicted = draw.integers(0, classes, (2, 441))
    share = np.mean(label == predicted)
    each = [accuracy_score(label == k, predicted == k) for k in range(classes)]
    accuracy = printed(f'{100 * np.mean(each):.2f} %')
    assert consistency.is_one_vs_rest(accuracy, printed(f'{100 * share:.2f} %'), classes)
    assert not consistency.is_one_vs_rest(accuracy, printed(f'{100 * share + 1:.2f} %'), classes)


def test_a_limit_is_missed_only_beyond_the_rounding():
    """24.96 % prints as 25.0 %, which must not count as chance."""
    assert consistency.is_below(printed('24.8 %'), 0.25)
    assert not consistency.is_below(printed('25.0 %'), 0.25)
    assert not consistency.is_below(printed('0.2'), 0.25)


def test_subjects_with_errors_are_bounded():
    """29 of 31 clips is the smallest count of 93.5 %: two errors that other subjects lack."""
    assert consistency.fewest_errors(printed('93.5 %'), 100) == 2
    assert consistency.fewest_errors(printed('75.0 %'), 100) == 1
    assert consistency.fewest_errors(printed('100.0 %'), 100) == 0
    assert consistency.most_imperfect(4, [2, 1]) == 3
    assert consistency.most_imperfect(4, [0, 0]) == 4
    assert consistency.most_imperfect(0, []) == 0
