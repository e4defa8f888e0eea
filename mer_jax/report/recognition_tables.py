"""Tables of a recognition run, made from results.json."""

from mer_jax.evaluation import metrics
from mer_jax.folds import PROTOCOLS
from mer_jax.report.formats import (
    MEASURES,
    WIDTH,
    is_undefined,
    measure,
    measure_title,
    plural,
    rounded,
)
from mer_jax.report.table import Cell, Column, Row, Table, listing

CEILING = 'ceiling: annotated action units'  # the title of its row
TITLE_ROOM = 24  # letters of a class name in the terminal


def measures(results: dict) -> Table:
    """All metrics, beside those of always predicting one class.

    That is the most frequent class.
    """
    largest, baseline = always_largest(results)
    columns = [
        Column('metric', 'metric'),
        Column('mean', 'mean', measure, interval=True),
        Column('sd', 'sd', measure),
        Column(f'always “{largest}”', 'baseline', measure, forms=['html']),
        Column('explanation', 'explanation', forms=['html']),
    ]
    rows = []
    for name, (title, explanation) in MEASURES.items():
        mean = Cell(results['metrics'][name], results['intervals'][name])
        cells = {'metric': title, 'mean': mean, 'sd': results['sd'][name]}
        rows.append(Row(cells | {'baseline': baseline[name], 'explanation': explanation}))
    return Table('', columns, rows)


def always_largest(results: dict) -> tuple[str, dict[str, float]]:
    """Return the most frequent class, and the metrics of always predicting it."""
    counts = results['confusion']
    sizes = [sum(row) for row in counts]
    largest = sizes.index(max(sizes))
    constant = [[0] * len(counts) for _ in counts]
    for row, size in zip(constant, sizes, strict=True):
        row[largest] = size
    return results['classes'][largest], metrics.summary(constant)


def seeds(results: dict) -> Table:
    """All metrics of each seed."""
    titles = map(measure_title, MEASURES)
    rows = []
    for block in results['per_seed']:
        rows.append([block['seed'], *(measure(block['metrics'][name]) for name in MEASURES)])
    return listing(['seed', *titles], rows)


def repeats(results: dict) -> Table:
    """The spread of each metric over draws of the folds."""
    block = results['repeats']
    columns = [
        Column(f'{block["draws"]} draws of the folds', 'metric'),
        Column('smallest', 'low', measure),
        Column('largest', 'high', measure),
        Column('sd', 'sd', measure),
        Column('sd of seeds', 'sd_seeds', measure),
        Column('sd of training sets', 'sd_training_sets', measure),
    ]
    rows = []
    for name in MEASURES:
        rows.append(Row({'metric': measure_title(name), **block['spread'][name]}))
    return Table('', columns, rows)


def datasets(results: dict) -> Table:
    """Metrics of each data set, with an interval of UF1.

    Where data sets are left out, also their mean, as papers report it (MEGC2018).
    """
    names = ('uf1', 'uar', 'accuracy', 'weighted_f1')
    columns = [
        Column('data set', 'dataset'),
        Column('clips', 'n'),
        Column('subjects', 'subjects'),
        *(Column(measure_title(name), name, measure, interval=name == 'uf1') for name in names),
    ]
    rows = []
    for title, block in results['per_dataset'].items():
        cells = {key: block[key] for key in ('n', 'subjects', *names)}
        uf1 = Cell(block['uf1'], block['intervals']['uf1'])
        rows.append(Row(cells | {'dataset': title, 'uf1': uf1}))
    protocol = PROTOCOLS.get(results['protocol'])
    if protocol and protocol.one_data_set:
        blocks = list(results['per_dataset'].values())
        means = {name: _mean([block[name] for block in blocks]) for name in names}
        rows.append(Row({'dataset': 'mean of data sets', **means}))
    return Table('', columns, rows)


def _mean(values):
    """The mean of figures, None where one is undefined."""
    return None if any(map(is_undefined, values)) else sum(values) / len(values)


def ceiling(results: dict) -> Table | None:
    """Annotated action units, and the run on the same clips; None where units are unknown."""
    block = results.get('ceiling')
    if not block:
        return None
    names = tuple(block['metrics'])
    columns = [Column('on these clips', 'what')]
    columns += [Column(measure_title(name), name, measure, interval=True) for name in names]
    rows = []
    for title, prefix in ((CEILING, ''), ('this run', 'run_')):
        figures, edges = block[f'{prefix}metrics'], block[f'{prefix}intervals']
        cells = {name: Cell(figures[name], edges[name]) for name in names}
        rows.append(Row({'what': title, **cells}))
    return Table('', columns, rows)


def ceiling_clips(block: dict) -> str:
    """Return which clips a ceiling is scored on, such as '133 clips of samm'.

    Args:
        block: `ceiling` of results.json.
    """
    names = [f'{plural(count, "clip")} of {name}' for name, count in block['datasets'].items()]
    return ' and '.join(names)


def classes(results: dict) -> Table:
    """Precision, recall, F1 and number of clips of each class."""
    names = ('precision', 'recall', 'f1')
    rows = [
        [title, *(measure(block[name]) for name in names), block['support']]
        for title, block in results['per_class'].items()
    ]
    return listing(['class', 'precision', 'recall', 'F1', 'clips'], rows)


def oracle(results: dict) -> Table:
    """The scores, and those of chosen epochs."""
    block = results['oracle_epoch']
    common, best = block['best_common_epoch'], block['test_best']
    independent = block['test_best_independent']
    medians = ', '.join(map(rounded, independent['median_epochs']))
    last = block['last']
    result = [('the last epoch, not chosen: the result', results['metrics'], last['epoch'])]
    if results.get('choice'):
        result = [
            (
                'for each fold its choice by training subjects: the result',
                results['metrics'],
                'by fold',
            ),
            ('the last epoch', last['metrics'], last['epoch']),
        ]
    ways = [
        *result,
        ('the same for all folds, best UF1 of all rows', common['metrics'], common['epoch']),
        (
            'for each fold the best held-out accuracy',
            best['metrics'],
            f'median {rounded(best["median_epoch"])}',
        ),
        (
            'for each fold one of best accuracy, one of best F1',
            independent['metrics'],
            f'median {medians}',
        ),
    ]
    names = ('uf1', 'uar', 'accuracy')
    rows = [
        [way, *(measure(values[name]) for name in names), str(epoch)] for way, values, epoch in ways
    ]
    return listing(['choice of the epoch', *map(measure_title, names), 'epoch'], rows)


def confusion(results: dict) -> Table | None:
    """Counts of truth (rows) and prediction (columns).

    Names of classes are cut to fit a terminal. None where there are too many classes.
    """
    names, counts = results['classes'], results['confusion']
    room = (WIDTH - TITLE_ROOM) // len(names) - 2
    if room < 3:
        return None
    rows = [[name[: TITLE_ROOM - 1], *row] for name, row in zip(names, counts, strict=True)]
    return listing(['', *(name[:room] for name in names)], rows)
