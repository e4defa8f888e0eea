"""Tables and sentences of a run that detects action units, made from results.json."""

import textwrap

from mer_jax.evaluation import OVER_SUBJECTS, UNIT_METRICS
from mer_jax.evaluation.units import COMPARED
from mer_jax.preprocess.facs import facs_name
from mer_jax.report import table as tables
from mer_jax.report.formats import WIDTH, interval, is_undefined, measure, plural, signed
from mer_jax.report.table import Cell, Column, Note, Row, Table
from mer_jax.report.text import FEW_SUBJECTS, STATISTICS, honesty

BASELINES = {
    'most_frequent': 'always the most frequent units',
    'chance': 'chance',
}
EXPLAINED = (
    'Most frequent: detects in every clip the units that are most frequent in the training rows of '
    'its fold, as many as a training clip shows on average. Always: detects the unit in every '
    'clip. Chance: the average precision (AP) of a random order of the clips, on average.'
)
# of the rows of units
HEADINGS = ('detected', 'not shown to be detected', 'not scored: no held-out clip shows it')
FEW_SHOWING = 5  # subjects who must show a unit before it can count as detected; our choice


def is_scored(results: dict) -> bool:
    """Return whether some clip was held out."""
    return bool(results['per_dataset'])


def titled(unit: str) -> str:
    """Return a unit with its name in FACS, such as 'AU12 lip corner puller'."""
    return f'{unit} {facs_name(unit)}'.rstrip()


def scored_units(results: dict) -> list[dict]:
    """Return the blocks of the units that some held-out clip shows."""
    return [block for block in results['per_unit'] if not is_undefined(block['f1'])]


def is_detected(block: dict) -> bool:
    """Return whether the average precision of a unit is shown to be above chance.

    Where few subjects show a unit, an interval over subjects is of no use.

    Args:
        block: of `per_unit` of results.json.
    """
    gain = block['average_precision_gain_interval']
    return gain is not None and gain[0] > 0 and block['subjects'] >= FEW_SHOWING


def always_f1(block: dict) -> float | None:
    """Return F1 of detecting a unit in every clip; None where no clip shows it.

    Args:
        block: of `per_unit` of results.json.
    """
    return 2 * block['present'] / (block['clips'] + block['present']) if block['present'] else None


def mean_always_f1(results: dict) -> float | None:
    """Return mean F1 of detecting every unit in every clip; None without scores."""
    values = [always_f1(block) for block in scored_units(results)]
    return sum(values) / len(values) if values else None


def size(results: dict) -> str:
    """Return task, protocol, folds, seeds, epochs and clips as text."""
    runs = f'{plural(results["folds"], "fold")}, {plural(results["seeds"], "seed")}'
    names = f' of {" + ".join(results["per_dataset"])}' if is_scored(results) else ''
    clips = f'{plural(results["clips"], "clip")}{names}'
    head = f'action units, {results["protocol"]}, {runs}'
    if not results['plan']:  # an SVM
        return f'{head}, {clips}'
    return f'{head}, {plural(results["epochs"], "epoch")}, {clips}'


def verdict(results: dict) -> str:
    """Return mean F1 and mean average precision in one line.

    It ends with the numbers of units, subjects and clips, and whether the run leaks.
    """
    if not is_scored(results):
        return f'No scores: trained on all {results["clips"]} clips, nothing was held out'
    scores = []
    for name, title in (('f1', 'Mean F1'), ('average_precision', 'mean AP')):
        edges = results['intervals'][name]
        shown = f' {interval(edges)}' if edges else ''
        scores.append(f'{title} {measure(results["metrics"][name])}{shown}')
    subjects = sum(block['subjects'] for block in results['per_dataset'].values())
    clips = round(sum(block['clips'] for block in results['per_dataset'].values()))
    over = (
        f'{plural(len(scored_units(results)), "unit")}, {plural(subjects, "subject")}, '
        f'{plural(clips, "clip")}, {plural(results["seeds"], "seed")}'
    )
    return f'{", ".join(scores)} over {over}; {honesty(results["leaks"])}'


def certainty(results: dict) -> str:
    """Return how sure the scores are, in plain sentences; '' without scores."""
    if not is_scored(results):
        return ''
    chance, frequent = (results['baselines'][key] for key in ('chance', 'most_frequent'))
    precision = results['metrics']['average_precision']
    lines = [
        f'How sure: mean AP is {measure(precision)}, that of a random order of the clips '
        f'{measure(chance["average_precision"])} '
        f'({_position(chance["average_precision_gain_interval"])}).',
        'Mean F1 of detecting the most frequent units in every clip is '
        f'{measure(frequent["f1"])} ({_position(frequent["f1_gain_interval"])}), of detecting all '
        f'units {measure(mean_always_f1(results))}.',
    ]
    blocks = scored_units(results)
    above = [block['unit'] for block in blocks if is_detected(block)]
    others = [block['unit'] for block in blocks if not is_detected(block)]
    if above:
        lines.append(f'Detected above chance: {", ".join(above)}.')
    if others:
        lines.append(f'Not shown to be detected: {", ".join(others)}.')
    subjects = sum(block['subjects'] for block in results['per_dataset'].values())
    if subjects < FEW_SUBJECTS:
        lines.append(
            f'{plural(subjects, "test subject")} tell little: with other people the figures may be '
            'quite others.'
        )
    return f'{" ".join(lines)} {STATISTICS} explains the intervals.'


def _position(gain):
    """Where a run stands beside a baseline, in words; gain: the interval of its gain."""
    if gain is None:
        return 'no interval of the difference'
    if gain[0] > 0:
        return 'this run is better than that'
    if gain[1] < 0:
        return 'this run is worse than that'
    return 'nothing better is shown'


def measures(results: dict) -> Table:
    """The mean of each metric, beside that of what needs no face."""
    columns = [
        Column('mean over units', 'metric'),
        Column('mean', 'mean', measure, interval=True),
        Column('sd', 'sd', measure),
        Column('without a face', 'baseline', measure),
        Column('difference', 'gain', signed, interval=True),
        Column('explanation', 'explanation', forms=['html']),
    ]
    rows = []
    for name, metric in UNIT_METRICS.items():
        baseline = results['baselines'][COMPARED[name][0]]
        cells = {
            'metric': metric.title,
            'mean': Cell(results['metrics'][name], results['intervals'][name]),
            'sd': results['sd'][name],
            'baseline': baseline[name],
            'gain': Cell(baseline[f'{name}_gain'], baseline[f'{name}_gain_interval']),
            'explanation': f'{metric.explanation}; without a face: {BASELINES[COMPARED[name][0]]}',
        }
        rows.append(Row(cells))
    return Table('', columns, rows)


def units(results: dict) -> Table:
    """F1 and average precision of each unit, beside what needs no face; detected units first."""
    columns = [
        Column('unit', 'unit'),
        Column('clips', 'clips', '{:.5g}'.format, forms=['html']),
        Column('present', 'present', '{:.5g}'.format),
        Column('people', 'subjects', forms=['html']),
        Column('F1', 'f1', measure, interval=True),
        Column('always', 'always_f1', measure),
        Column('AP', 'average_precision', measure, interval=True),
        Column('chance', 'chance_average_precision', measure),
    ]
    blocks = sorted(results['per_unit'], key=lambda block: HEADINGS.index(_heading(block)))
    rows = []
    for block in blocks:
        cells = {key: block[key] for key in ('clips', 'present', 'subjects')}
        cells['unit'] = titled(block['unit'])
        if not is_undefined(block['f1']):
            for key in ('f1', 'average_precision'):
                cells[key] = Cell(block[key], block[f'{key}_interval'])
            cells['chance_average_precision'] = block['chance_average_precision']
            cells['always_f1'] = always_f1(block)
        rows.append(Row(cells, Cell(_heading(block))))
    return Table('', columns, rows)


def _heading(block):
    """The heading above a unit."""
    if is_undefined(block['f1']):
        return HEADINGS[2]
    return HEADINGS[0] if is_detected(block) else HEADINGS[1]


def datasets(results: dict) -> Table:
    """Means of each data set over the units that it shows, and their mean."""
    columns = [
        Column('data set', 'dataset'),
        Column('clips', 'clips', '{:.5g}'.format),
        Column('subjects', 'subjects'),
        Column('units', 'scored_units'),
        *(
            Column(metric.title, name, measure, interval=True)
            for name, metric in UNIT_METRICS.items()
        ),
    ]
    rows = []
    for title, block in results['per_dataset'].items():
        cells = {key: block[key] for key in ('clips', 'subjects', 'scored_units')}
        rows.append(Row(cells | {'dataset': title} | _scores(block)))
    means = results['dataset_means']
    if means:
        rows.append(Row({'dataset': 'mean of data sets'} | _scores(means)))
    return Table('', columns, rows)


def _scores(block):
    """{metric: cell}."""
    return {name: Cell(block['metrics'][name], block['intervals'][name]) for name in UNIT_METRICS}


def all_units(results: dict) -> Table | None:
    """The means by the rule of CD6ME, in which each target counts; None for one data set."""
    block = results['all_units']
    if not block:
        return None
    columns = [
        Column('by the rule of CD6ME', 'metric'),
        Column('mean over units', 'units', measure),
        Column('mean over data sets', 'data_sets', measure),
    ]
    rows = [Row({'metric': UNIT_METRICS[name].title, **block[name]}) for name in ('f1', 'macro_f1')]
    return Table('', columns, rows, [Note(block['rule'])])


def terminal(results: dict) -> str:
    """Format the result for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{results["name"]}: {size(results)}', WIDTH)
    lines += textwrap.wrap(verdict(results), WIDTH)
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    if not is_scored(results):
        return '\n'.join(lines)
    lines += ['', tables.text(measures(results)), '', tables.text(units(results))]
    if len(results['per_dataset']) > 1:
        lines += ['', tables.text(datasets(results)), '', tables.text(all_units(results))]
    for note in results['notes']:
        lines += textwrap.wrap(note, WIDTH)
    lines += textwrap.wrap(certainty(results), WIDTH)
    lines.append(f'95 % intervals are {OVER_SUBJECTS}.')
    return '\n'.join(lines)
