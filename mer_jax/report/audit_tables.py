"""The table of a leak audit (studies/leak_audit.py): what each leaky habit adds."""

from mer_jax.evaluation import HEADLINE
from mer_jax.report.compare_tables import difference, honest
from mer_jax.report.formats import (
    NAMES_IN_PAPERS,
    interval,
    measure,
    measure_title,
    p_value,
    plural,
    signed,
)
from mer_jax.report.study import Study
from mer_jax.report.table import Cell, Column, Note, Row, Table, listing

PLOT_CAPTION = '95 % intervals over subjects; a hollow mark: the line leaks.'
MEANINGS = {
    'honest': 'No subject stands on both sides; whatever is fitted or made sees training rows '
    'only; the last epoch counts.',
    'split': 'Clips are split, not subjects: other clips of the tested subject train.',
    'balance': 'Rows are made, and classes counted, before the split: from the tested clips too.',
    'scale': 'The scale of the input is fitted to the tested clips too.',
    'network': 'The network whose features the SVMs take has trained on the tested clips too.',
    'epoch': 'Each fold predicts as it did at the epoch that its left-out subject likes best.',
    'all': 'Every habit above that applies, at once.',
    'control': 'Classes drawn at random, one per subject: no honest protocol can predict them, so '
    'this stands at chance or below.',
    'control_split': 'The same classes with clips split at random: what recognising the person '
    'alone is worth.',
}
METHOD = (
    'Every line is the same experiment with the same seeds. "Adds": minus the honest run, on the '
    'same clips. 95 % intervals: '
    '2,000 bootstrap draws of subjects, the same for both; p: permutation test that swaps both '
    'runs of a subject. Clips split '
    'at random: into so many groups that as large a share of the clips trains as in the honest '
    f'run. {NAMES_IN_PAPERS}'
)


def study(result: dict) -> Study:
    """The table and words of an audit, from what audit.json holds."""
    baseline, lines = result['lines'][0], result['lines']
    # weights or images of one file stay as they are asked for, so the honest run may leak as well
    notes = [Note(f'the run called honest leaks: {leak}', True) for leak in baseline['leaks']]
    rows = [Row(_cells(line), not_applicable=line['why_not']) for line in lines]
    meanings = [
        [
            line['title'],
            MEANINGS[line['habit']],
            line['why_not'] or '; '.join(line['leaks']) or 'no leak',
        ]
        for line in lines
    ]
    return Study(
        name='audit',
        title=f'Leak audit of {result["name"]}',
        size=(
            f'{baseline["protocol"]}, {plural(baseline["clips"], "clip")}, '
            f'{plural(baseline["subjects"], "subject")}, {plural(baseline["seeds"], "seed")}'
        ),
        verdict=_verdict(lines),
        leaks=baseline['leaks'],
        tables=[Table('What each habit adds', _columns(), rows, notes)],
        method=METHOD,
        meanings=listing(['line', 'meaning', 'leaks in force'], meanings),
    )


def _columns():
    """The columns, in the order of audit.csv."""
    about = ('applies', 'why_not', 'honest', 'leaks', 'protocol', 'seeds', 'clips', 'subjects')
    columns = [
        Column('habit', 'title'),
        Column('habit', 'habit', forms=['csv']),
        *(Column(key, key, forms=['csv']) for key in about),
    ]
    for name in HEADLINE:
        title = measure_title(name)
        block, no_paper = f'added to {title}', ['text', 'csv', 'html']
        of_uf1 = ['latex'] if name == 'uf1' else []
        of_level = ['latex'] if name != 'uar' else []  # a page is too narrow for all of them
        columns += [
            Column(title, name, measure, True, block, [*no_paper, *of_level]),
            Column('adds', f'{name}_adds', signed, True, block, latex=f'{title} adds'),
            Column('p', f'{name}_adds_p', p_value, False, block, [*no_paper, *of_uf1], '$p$'),
        ]
    return columns


def _cells(line):
    """The cells of one habit."""
    cells = {
        'title': Cell(line['title'], leaky=bool(line.get('leaks'))),
        'habit': line['habit'],
        'applies': 'no' if line['why_not'] else 'yes',
        'why_not': line['why_not'],
    }
    if line['why_not']:
        return cells
    cells |= {
        'honest': honest(line['leaks']),
        'leaks': '; '.join(line['leaks']),
        **{key: line[key] for key in ('protocol', 'seeds', 'clips', 'subjects')},
    }
    for name in HEADLINE:
        cells[name] = Cell(line['metrics'][name], line['intervals'][name])
        if line['against']:
            added = line['against'][name]
            cells[f'{name}_adds'] = difference(added, leaky=False)
            cells[f'{name}_adds_p'] = added['p']
    return cells


def _verdict(lines):
    """The audit in one sentence."""
    by_habit = {line['habit']: line for line in lines}
    baseline, together = by_habit['honest'], by_habit['all']
    title = 'Not honest:' if baseline['leaks'] else 'Honest'
    level = measure(baseline['metrics']['uf1'])
    words = f'{title} UF1 {level} {interval(baseline["intervals"]["uf1"])}'
    if together['why_not'] or not together['against']:
        reason = together['why_not'] or 'they tested no clip in common'
        return f'{words}; the habits together are not measured ({reason})'
    adds = together['against']['uf1']
    return (
        f'{words}; the habits together would claim {measure(together["metrics"]["uf1"])}, '
        f'{signed(adds["difference"])} more'
    )
