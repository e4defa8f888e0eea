"""Tables of the result of a recognition run (results.json), for the terminal and the report."""

from mer_jax.evaluation import metrics
from mer_jax.report.formats import MEASURES, WIDTH, measure, measure_title, plain
from mer_jax.report.table import Cell, Column, Row, Table, listing

TITLE_ROOM = 24  # letters of a class in the terminal


def measures(results: dict) -> Table:
    """Every measure, and what always predicting the most frequent class would score."""
    counts = results['confusion']
    sizes = [sum(row) for row in counts]
    largest = sizes.index(max(sizes))
    guess = [[0] * len(counts) for _ in counts]
    for row, size in zip(guess, sizes, strict=True):
        row[largest] = size
    chance = metrics.summary(guess)
    columns = [
        Column('measure', 'measure'),
        Column('mean', 'mean', measure, interval=True),
        Column('sd', 'sd', measure),
        Column(f'always “{results["classes"][largest]}”', 'chance', measure, forms=['html']),
        Column('what it is', 'words', forms=['html']),
    ]
    rows = []
    for name, (title, words) in MEASURES.items():
        mean = Cell(results['metrics'][name], results['intervals'][name])
        cells = {'measure': title, 'mean': mean, 'sd': results['sd'][name]}
        rows.append(Row(cells | {'chance': chance[name], 'words': words}))
    return Table('', columns, rows)


def seeds(results: dict) -> Table:
    """Every measure of every seed."""
    titles = map(measure_title, MEASURES)
    rows = []
    for block in results['per_seed']:
        rows.append([block['seed'], *(measure(block['metrics'][name]) for name in MEASURES)])
    return listing(['seed', *titles], rows)


def datasets(results: dict) -> Table:
    """Measures of each data set, with the interval of its UF1."""
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
    return Table('', columns, rows)


def classes(results: dict) -> Table:
    """Precision, recall, F1 and number of clips of each class."""
    names = ('precision', 'recall', 'f1')
    rows = [
        [title, *(measure(block[name]) for name in names), block['support']]
        for title, block in results['per_class'].items()
    ]
    return listing(['class', 'precision', 'recall', 'F1', 'clips'], rows)


def oracle(results: dict) -> Table:
    """The honest figures beside those of three ways to choose epochs on left-out subjects."""
    block = results['oracle_epoch']
    common, best = block['best_common_epoch'], block['test_best']
    independent = block['test_best_independent']
    medians = ', '.join(map(plain, independent['median_epochs']))
    ways = [
        ('reported here: last epoch, chosen by nobody', results['metrics'], block['last']['epoch']),
        ('one epoch for all folds, best pooled UF1', common['metrics'], common['epoch']),
        (
            "each fold's epoch of best held-out accuracy",
            best['metrics'],
            f'median {plain(best["median_epoch"])}',
        ),
        (
            'best accuracy and best F1 from different epochs',
            independent['metrics'],
            f'median {medians}',
        ),
    ]
    names = ('uf1', 'uar', 'accuracy')
    rows = [
        [way, *(measure(values[name]) for name in names), str(epoch)] for way, values, epoch in ways
    ]
    return listing(['epoch chosen by', *map(measure_title, names), 'epoch'], rows)


def confusion(results: dict) -> Table | None:
    """Counts of truth (rows) and prediction (columns), with names of classes cut to fit a terminal.

    None where there are too many classes.
    """
    names, counts = results['classes'], results['confusion']
    room = (WIDTH - TITLE_ROOM) // len(names) - 2
    if room < 3:
        return None
    rows = [[name[: TITLE_ROOM - 1], *row] for name, row in zip(names, counts, strict=True)]
    return listing(['', *(name[:room] for name in names)], rows)
