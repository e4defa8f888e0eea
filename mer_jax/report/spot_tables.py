"""The table of spotted intervals, scored as in the MEGC challenges."""

from mer_jax.report.formats import measure, plural
from mer_jax.report.page import Tile
from mer_jax.report.study import Study
from mer_jax.report.table import Column, Row, Table

METHOD = (
    'A spotted interval is a true positive where its intersection over union with an annotated '
    'interval of the same kind is at least .5; an annotated interval counts once. Counts are added '
    'over all recordings before precision, recall and F1 are computed (MEGC 2020: He et al., FG '
    '2020). Spotted intervals without a kind are micro-expressions up to half a second.'
)
COUNTS = {'annotated': 'annotated', 'spotted': 'spotted', 'tp': 'TP', 'fp': 'FP', 'fn': 'FN'}
SHARES = ('precision', 'recall', 'f1')


def _tiles(scores):
    """F1, precision and recall over both kinds."""
    counts = ', '.join(f'{scores[key]} {title}' for key, title in COUNTS.items())
    tiles = [Tile('F1', measure(scores['f1']), counts)]
    return tiles + [Tile(key, measure(scores[key]), '') for key in SHARES[:2]]


def study(result: dict) -> Study:
    """Make the tables and texts of scored intervals.

    Args:
        result: the content of spot.json.
    """
    columns = [Column('expressions', 'kind')]
    columns += [Column(title, key) for key, title in COUNTS.items()]
    columns += [Column(key if key != 'f1' else 'F1', key, measure) for key in SHARES]
    rows = [Row({'kind': kind, **block}) for kind, block in result['scores'].items()]
    recordings = plural(result['recordings'], 'recording')
    subjects = plural(result['subjects'], 'subject')
    return Study(
        name='spot',
        title=f'Intervals of {result["source"]} in {result["data"]}',
        size=f'{recordings} of {subjects}; {result["statement"]}',
        verdict=f'F1 {measure(result["scores"]["overall"]["f1"])} over both kinds',
        leaks=result['leaks'],
        tables=[Table('', columns, rows)],
        method=METHOD,
        headline=_tiles(result['scores']['overall']),
    )
