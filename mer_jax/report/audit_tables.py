"""The table of a leak audit (studies/leak_audit.py)."""

from mer_jax.evaluation import DRAWS, HEADLINE, OVER_SUBJECTS
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
from mer_jax.report.study import Study, tile
from mer_jax.report.table import Cell, Column, Note, Row, Table, listing

PLOT_CAPTION = f'95 % intervals {OVER_SUBJECTS}. A hollow mark means that the line leaks.'
MEANINGS = {
    'honest': 'No subject is in both training and test rows. Everything that is fitted or '
    'generated uses training rows only. The last epoch is the result.',
    'split': 'Clips are split at random, not by subject: other clips of the test subject train.',
    'balance': 'Rows are added, and classes counted, before the split: test clips are used too.',
    'scale': 'The scale of the input is fitted to all clips, test clips too.',
    'network': 'The network that computes features for the SVMs trains on all clips, test clips '
    'too.',
    'epoch': 'Each fold uses the epoch with the best score of its left-out subject.',
    'all': 'All habits above that apply, together.',
    'control': 'Each subject has one random class. No honest protocol can predict it, so the score '
    'is at chance or below.',
    'control_split': 'The same random classes, with clips split at random: the score that comes '
    'from recognising the person.',
    'frames': 'Frames are split at random, not by subject: other frames of the test clip train. '
    'Measured by itself.',
    'first_class': 'Clips whose emotion has no class count as the first class, in training and in '
    'the score. What it adds is measured on the clips that have a class. Measured by itself.',
}
MAIN = ('honest', 'all', 'control')  # habits whose UF1 stands on top of the page
METHOD = (
    'Each line is the same experiment with the same seeds. "Adds" is the difference to the honest '
    f'run on the same clips. 95 % intervals are {OVER_SUBJECTS}, {DRAWS}, the '
    'same for both runs; p is from a permutation test that swaps the two runs of a subject. Clips '
    'split at random form so many groups that the same share of clips trains as in the honest run. '
    f'{NAMES_IN_PAPERS}'
)


def study(result: dict) -> Study:
    """Make the table and texts of an audit.

    Args:
        result: the content of audit.json.
    """
    baseline, lines = result['lines'][0], result['lines']
    # A file of weights or images stays in all lines, so that the honest run may leak as well.
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
        headline=_headline(lines),
        meanings=listing(['line', 'meaning', 'leaks in force'], meanings),
    )


def _headline(lines):
    """UF1 of the honest run, of all habits together, and of random classes."""
    by_habit = {line['habit']: line for line in lines}
    chosen = [by_habit[habit] for habit in MAIN if habit in by_habit]
    return [
        tile(
            f'UF1, {line["title"]}',
            line['metrics']['uf1'],
            line['intervals']['uf1'],
            bool(line['leaks']),
        )
        for line in chosen
        if not line['why_not']
    ]


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
        block = f'added to {title}'
        # A printed page is too narrow for all columns.
        metric_forms, p_forms = ['text', 'csv', 'html'], ['text', 'csv', 'html']
        if name != 'uar':
            metric_forms.append('latex')
        if name == 'uf1':
            p_forms.append('latex')
        columns += [
            Column(title, name, measure, True, block, metric_forms),
            Column('adds', f'{name}_adds', signed, True, block, latex=f'{title} adds'),
            Column('p', f'{name}_adds_p', p_value, False, block, p_forms, '$p$'),
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
    sentence = f'{title} UF1 {level} {interval(baseline["intervals"]["uf1"])}'
    if together['why_not'] or not together['against']:
        reason = together['why_not'] or 'the two runs share no test clip'
        return f'{sentence}; all habits together are not measured ({reason})'
    adds = together['against']['uf1']
    return (
        f'{sentence}; all habits together would claim {measure(together["metrics"]["uf1"])} '
        f'({signed(adds["difference"])})'
    )
