"""The table of compared runs (studies/compare.py).

A run that leaks is marked, and so is a difference to a run that leaks.
"""

from collections.abc import Sequence

from mer_jax.evaluation import COMPARED, DRAWS, HEADLINE, OVER_SUBJECTS
from mer_jax.report.formats import (
    NAMES_IN_PAPERS,
    measure,
    measure_title,
    p_value,
    plural,
    signed,
)
from mer_jax.report.page import Tile
from mer_jax.report.study import Study, tile
from mer_jax.report.table import Cell, Column, Note, Row, Table

# metrics in compare.json, those of HEADLINE first
MEASURES = tuple(dict.fromkeys(HEADLINE + COMPARED))
MOST_TILES = 4  # runs of a data set whose UF1 stands on top of the page
TESTED = ('uf1', 'accuracy')
METHOD = (
    f'{NAMES_IN_PAPERS} Precision is averaged over classes as well. Scores are means over seeds; '
    f'sd is over seeds. 95 % intervals are {OVER_SUBJECTS}, {DRAWS}, within each '
    'data set. A difference is a run minus the reference of its data set, on the clips that every '
    'seed of both tested, from confusions averaged over seeds. p comes from a permutation test '
    'that swaps the two runs of a subject; Holm is p adjusted for all UF1 tests on that data set. '
    'Perfect counts the subjects without a wrong clip. Training rows is the accuracy on them in '
    'the last epoch, as they were trained, or that of the SVM. Clips split is the same experiment '
    'with clips split at random, where such a run is compared. A dash means undefined, or that the '
    'runs cannot be compared.'
)
REPORTED = 'as reported'  # behind the title of a table of other software
UNKNOWN = 'unknown'  # whether such a table is honest
NOT_COMPARED = 'they share no test clip, or their annotations of one differ'
AS_REPORTED = 'as reported, not measured here'
PUBLISHED = (
    ' Figures as reported are those that a publication prints, by its protocol, on clips of its '
    'choice: no test compares them with the runs. "Can be": whether whole clips give the printed '
    'digits, above the share of the largest class and above chance, and whether the figures of the '
    'source agree; a dash where nothing can be checked.'
)


def study(result: dict) -> Study:
    """Make the tables and texts of compared recognition runs.

    Args:
        result: the content of compare.json.
    """
    tables = [_table(group) for group in result['groups']]
    with_published = any('published' in group for group in result['groups'])
    method = METHOD + (PUBLISHED if with_published else '')
    return of_runs(result['groups'], tables, method, _headline(result['groups']))


def _headline(groups):
    """UF1 of each reference and of the best other runs."""
    tiles = []
    for group in groups:
        reference = reference_of(group)
        others = [run for run in group['runs'] if run is not reference]
        others.sort(key=lambda run: -(run['metrics']['uf1'] or 0))
        where = f' on {group["dataset"]}' if len(groups) > 1 else ''
        for run in [reference, *others[: MOST_TILES - 1]]:
            uf1, edges = run['metrics']['uf1'], run['intervals']['uf1']
            tiles.append(tile(f'UF1, {run["title"]}{where}', uf1, edges, bool(run['leaks'])))
    return tiles


def of_runs(
    groups: Sequence[dict], tables: Sequence[Table], method: str, headline: Sequence[Tile]
) -> Study:
    """Make a comparison with its title, verdict and leaks.

    Args:
        groups: of compare.json.
        tables: of the groups.
        method: how the figures were computed.
        headline: the main figures.
    """
    runs = [run for group in groups for run in group['runs']]
    leaks = [f'{run["title"]}: {leak}' for run in runs for leak in run['leaks']]
    reported = sum(run.get('reported', False) for run in runs)
    verdict = 'honest: no run leaks'
    if reported:
        verdict = f'unknown: {plural(reported, "table")} of {len(runs)} cannot show leaks'
    if leaks:
        count = sum(bool(run['leaks']) for run in runs)
        verdict = f'not honest: {plural(count, "run")} of {len(runs)} leak'
    return Study(
        name='compare',
        title=f'Comparison of {plural(len(runs), "run")}',
        size='',
        verdict=verdict,
        leaks=leaks,
        tables=tables,
        method=method,
        headline=headline,
    )


def reference_of(group: dict) -> dict:
    """Return the run that the others are compared with."""
    return next(run for run in group['runs'] if run['title'] == group['reference'])


def leaky_pair(group: dict, run: dict) -> bool:
    """Return whether a run or its reference leaks."""
    return bool(run['leaks'] or reference_of(group)['leaks'])


def notes(group: dict) -> list[Note]:
    """Write footnotes on leaks, protocols and shared clips."""
    reference = reference_of(group)
    footnotes = []
    for run in group['runs']:
        footnotes += [Note(f'{run["title"]} leaks: {leak}', leaky=True) for leak in run['leaks']]
        if run.get('reported'):
            footnotes.append(Note(f'{run["title"]} is a table, which cannot show whether it leaks'))
    for run in group['runs']:
        against = run['against']
        if run['protocol'] != reference['protocol']:
            footnotes.append(
                Note(
                    f'{run["title"]} is tested by {_protocol(run)}, '
                    f'{reference["title"]} by {_protocol(reference)}'
                )
            )
        if against and {against['common']} != {run['clips'], reference['clips']}:
            footnotes.append(
                Note(
                    f'{run["title"]} and {reference["title"]} are compared on the '
                    f'{against["common"]} clips that every seed of both tested '
                    f'(of {run["clips"]} and {reference["clips"]})'
                )
            )
        if against and against.get('unshared'):
            footnotes.append(Note(against['unshared']))
        if against and against.get('improved'):
            gains = _improved(run['title'], against['improved'])
            footnotes.append(Note(gains, leaky=leaky_pair(group, run)))
        elif not against and run is not reference:
            reason = run.get('not_compared', NOT_COMPARED)
            footnotes.append(
                Note(f'{run["title"]} is not compared with {reference["title"]}: {reason}')
            )
    return footnotes


def _protocol(run):
    return 'an unknown protocol' if run.get('reported') else run['protocol']


def _improved(title, subjects):
    """The subjects that gained most, in words."""
    gains = [
        f'{one["dataset"]}/{one["subject"]} {measure(one["before"])} to {measure(one["after"])} '
        f'({plural(one["clips"], "clip")})'
        for one in subjects
    ]
    return f'most improved subjects of {title}, by accuracy: {", ".join(gains)}'


def difference(paired: dict, leaky: bool) -> Cell:
    """Make the cell of a paired difference with its interval."""
    return Cell(paired['difference'], paired['interval'], leaky)


def honest(leaks: Sequence[str], reported: bool = False) -> str:
    """Return 'yes', 'no' where there are leaks, or 'unknown' of a table that others report."""
    if reported:
        return UNKNOWN
    return 'no' if leaks else 'yes'


def _table(group):
    """The runs on one data set."""
    rows = [Row(_cells(group, run)) for run in group['runs']]
    words = notes(group)
    if 'published' in group:
        rows += [Row(_published_cells(group, row), Cell(AS_REPORTED)) for row in group['published']]
        words += _published_notes(group)
    return Table(group['title'], _columns(group), rows, words)


def _columns(group):
    """The columns of a group, in the order of compare.csv."""
    minus, no_paper = f'minus {group["reference"]}', ['text', 'csv', 'html']
    accuracy = measure_title('accuracy')
    columns = [
        Column('data set', 'dataset', forms=['csv']),
        Column('labels', 'labels', forms=['csv']),
        Column('run', 'run'),
        Column('honest', 'honest', forms=['csv']),
        Column('leaks', 'leaks', forms=['csv']),
        Column('system', 'system', forms=['csv']),
        *(Column(measure_title(name), name, measure, interval=True) for name in MEASURES),
        Column('sd of UF1', 'uf1_sd', measure, forms=no_paper),
        *(Column(f'sd {name}', f'{name}_sd', measure, forms=['csv']) for name in MEASURES[1:]),
        Column('seeds', 'seeds', forms=no_paper),
        Column('clips', 'clips', '{:.5g}'.format, forms=no_paper),
        Column('subjects', 'subjects', forms=no_paper),
        Column('perfect', 'perfect_subjects', '{:.4g}'.format, forms=no_paper),
        Column('protocol', 'protocol', forms=['csv', 'html']),
        Column('reference', 'reference', forms=['csv']),
        Column('reference honest', 'reference_honest', forms=['csv']),
        Column('UF1', 'uf1_difference', signed, True, minus, latex=r'$\Delta$UF1'),
        Column('p', 'uf1_p', p_value, block=minus, latex='$p$'),
        Column('Holm', 'uf1_p_holm', p_value, block=minus),
        Column(accuracy, 'accuracy_difference', signed, True, minus, no_paper),
        Column('p', 'accuracy_p', p_value, block=minus, forms=no_paper),
        Column('clips', 'common_clips', block=minus, forms=['csv', 'html']),
        Column('folder', 'folder', forms=['csv']),
    ]
    if any(run['training_accuracy'] is not None for run in group['runs']):
        seen = 'accuracy by what is seen in training'
        columns += [
            Column('training rows', 'training_accuracy', measure, block=seen, forms=no_paper),
            Column('held out', 'held_out_accuracy', measure, block=seen, forms=['text', 'html']),
            Column('protocol', 'held_out_protocol', block=seen, forms=['text', 'html']),
            Column('clips split', 'in_distribution', measure, block=seen, forms=no_paper),
        ]
    if 'published' not in group:
        return columns
    return [
        *columns,
        Column('as reported', 'as_reported', forms=['csv']),
        Column('F1', 'f1', measure, block='as reported', forms=no_paper),
        Column('can be', 'consistent', block='as reported'),
        Column('scored on', 'scored_on', block='as reported', forms=no_paper),
        Column('source', 'source', block='as reported'),
        Column('table', 'table', block='as reported', forms=no_paper),
        Column('protocol', 'its_protocol', block='as reported', forms=no_paper),
        Column('printed', 'printed', forms=['csv']),
        Column('checks', 'checks', forms=['csv']),
    ]


def _published_cells(group, row):
    """The cells of a figure that somebody else reports."""
    leaks, holds = row['leaks'], {None: None, True: 'yes', False: 'no'}
    # of a system that is cited nothing is known
    is_honest = None if row['cited'] else honest(leaks)
    title = f'{_titled(row)} (as reported)'
    checks = [
        ('' if check['holds'] else 'NOT CONSISTENT: ') + check['words'] for check in row['checks']
    ]
    return {
        'dataset': group['dataset'],
        'run': Cell(title, leaky=bool(leaks)),
        'honest': is_honest,
        'leaks': '; '.join(leaks),
        'system': row['system'],
        **{name: Cell(value, interval=()) for name, value in row['figures'].items()},
        'as_reported': 'yes',
        'consistent': holds[row['consistent']],
        'scored_on': row['data'],
        'source': row['source'],
        'table': row['table'],
        'its_protocol': row['protocol'],
        'printed': ', '.join(f'{name} {text}' for name, text in row['printed'].items()),
        'checks': '; '.join(checks),
    }


def _titled(row):
    """The system of a published row, and the part of the data that is scored."""
    return f'{row["system"]}, {row["part"]}' if row['part'] else row['system']


def _published_notes(group):
    """Footnotes: what cannot be, and the leaks of each source; each once, with its systems."""
    if not group['published']:
        return [Note('no published figures are on file for these data sets and classes')]
    systems, leaks = {}, {}
    for row in group['published']:
        for check in row['checks']:
            if not check['holds']:
                of_words = systems.setdefault((row['source'], check['words']), {})
                of_words[_titled(row)] = None
        for leak in row['leaks']:
            leaks.setdefault((row['source'], leak), {})[_titled(row)] = None
    words = [
        Note(f'{source}, as reported: {"; ".join(names)}: {leak}', leaky=True)
        for (source, leak), names in leaks.items()
    ]
    return words + [
        Note(f'{source}, {"; ".join(names)}: {fault}') for (source, fault), names in systems.items()
    ]


def _cells(group, run):
    """The cells of one run."""
    reference = reference_of(group)
    cells = {
        'dataset': group['dataset'],
        'labels': group['labels'],
        'run': Cell(run['title'], leaky=bool(run['leaks'])),
        'honest': honest(run['leaks'], run.get('reported', False)),
        'leaks': '; '.join(run['leaks']),
        **{key: run[key] for key in ('system', 'protocol', 'seeds', 'clips', 'subjects')},
        'reference': group['reference'],
        'reference_honest': honest(reference['leaks'], reference.get('reported', False)),
        'folder': run['folder'],
        'perfect_subjects': run['perfect_subjects'],
    }
    if run['training_accuracy'] is not None:
        clips_split = run['in_distribution']
        cells |= {
            'training_accuracy': run['training_accuracy'],
            'held_out_accuracy': Cell(run['metrics']['accuracy'], leaky=bool(run['leaks'])),
            'held_out_protocol': run['protocol'],
            'in_distribution': Cell(
                clips_split and clips_split['accuracy'], leaky=bool(clips_split)
            ),
        }
    for name in MEASURES:
        cells[name] = Cell(run['metrics'][name], run['intervals'][name])
        cells[f'{name}_sd'] = run['sd'][name]
    if not run['against']:
        return cells
    cells['common_clips'] = run['against']['common']
    for name in TESTED:
        paired = run['against'][name]
        cells[f'{name}_difference'] = difference(paired, leaky_pair(group, run))
        cells[f'{name}_p'] = paired['p']
    cells['uf1_p_holm'] = run['against']['uf1']['holm']
    return cells
