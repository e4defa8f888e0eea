"""Metrics, their confidence intervals, and paired tests."""

from typing import NamedTuple

# what every interval that is printed is, see evaluation/bootstrap.py
OVER_SUBJECTS = 'over test subjects, given these trainings'
DRAWS = 'from 2,000 bootstrap draws (BCa below 40 subjects; wider where subjects are few)'


class Metric(NamedTuple):
    """A metric of recognition, with all facts about it."""

    # 'module:function' of value(counts: Counts) -> float64[...], NaN where undefined
    value: str
    title: str  # its heading in every table
    explanation: str  # below the table
    best_by: str = 'uf1'  # the metric that chooses its epoch in test_best_independent


# Keys and their order are those of results.json. UF1, UAR: See et al., "MEGC 2019 - the second
# facial micro-expressions grand challenge", FG 2019.
METRICS = {
    'accuracy': Metric(
        'mer_jax.evaluation.metrics:accuracy',
        'accuracy',
        'share of clips classified correctly',
        best_by='accuracy',
    ),
    'uf1': Metric('mer_jax.evaluation.metrics:uf1', 'UF1', 'F1 averaged over classes (macro F1)'),
    'uar': Metric('mer_jax.evaluation.metrics:uar', 'UAR', 'recall averaged over classes'),
    'precision': Metric(
        'mer_jax.evaluation.metrics:precision',
        'precision',
        'precision averaged over classes (macro precision); 0 for a class that is never predicted',
    ),
    'weighted_f1': Metric(
        'mer_jax.evaluation.metrics:weighted_f1',
        'weighted F1',
        'F1 averaged over classes, weighted by the number of clips of each class',
    ),
    # some papers print these two as "F1" and "accuracy"
    'micro_f1': Metric(
        'mer_jax.evaluation.metrics:accuracy',
        'micro F1',
        'F1 of the counts summed over classes; equal to accuracy',
        best_by='accuracy',
    ),
    'ovr_accuracy': Metric(
        'mer_jax.evaluation.metrics:ovr_accuracy',
        'one-vs-rest accuracy',
        'accuracy of each class against all others, averaged; not the same as accuracy',
        best_by='accuracy',
    ),
}
HEADLINE = ('uf1', 'uar', 'accuracy')  # in tables without room for all
COMPARED = ('accuracy', 'precision', 'uar', 'uf1')  # those that published tables give


class UnitMetric(NamedTuple):
    """A metric of detected action units; evaluation/units.py computes it."""

    title: str  # its heading in every table
    explanation: str  # below the table


# Of each unit, and averaged over units; keys and their order are those of results.json.
UNIT_METRICS = {
    'f1': UnitMetric('F1', 'F1 of the clips that show a unit, averaged over units'),
    'average_precision': UnitMetric(
        'average precision',
        'area below precision over recall, for all thresholds, averaged over units',
    ),
    # the figure of CD6ME: Varanka et al., "Data leakage and evaluation issues in micro-expression
    # analysis", IEEE TAFFC 2024
    'macro_f1': UnitMetric(
        'macro F1',
        'mean of F1 of presence and F1 of absence, averaged over units; often printed as "F1"',
    ),
}
