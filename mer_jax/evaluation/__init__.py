"""Measures of predictions, their intervals, and paired tests (numpy only)."""

from typing import NamedTuple


class Metric(NamedTuple):
    """A measure of recognition, with all facts about it."""

    # 'module:function' of value(counts: Counts) -> float64[...], NaN where nothing can be measured
    value: str
    title: str  # in every table
    words: str  # what it is, under the table
    best_by: str = 'uf1'  # the metric that chooses its epochs in test_best_independent


# By the key of results.json, in its order. UF1, UAR: See et al., "MEGC 2019 - the second facial
# micro-expressions grand challenge", FG 2019.
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
        'precision averaged over classes (macro precision); a class never predicted counts 0',
    ),
    'weighted_f1': Metric(
        'mer_jax.evaluation.metrics:weighted_f1',
        'weighted F1',
        'F1 weighted by the clips of a class',
    ),
    # some papers print these two as "F1" and "accuracy"
    'micro_f1': Metric(
        'mer_jax.evaluation.metrics:accuracy',
        'micro F1',
        'F1 of the summed counts; equals accuracy',
        best_by='accuracy',
    ),
    'ovr_accuracy': Metric(
        'mer_jax.evaluation.metrics:ovr_accuracy',
        'one-vs-rest accuracy',
        'accuracy of each class against the rest, averaged; not plain accuracy',
        best_by='accuracy',
    ),
}
HEADLINE = ('uf1', 'uar', 'accuracy')  # what a table shows that has no room for all
COMPARED = ('accuracy', 'precision', 'uar', 'uf1')  # what published tables give side by side
