"""The table of a leaderboard (studies/leaderboard.py)."""

from mer_jax.evaluation import DRAWS, HEADLINE, OVER_SUBJECTS
from mer_jax.report.compare_tables import AS_REPORTED, honest
from mer_jax.report.formats import (
    NAMES_IN_PAPERS,
    measure,
    measure_title,
    p_value,
    plural,
    signed,
)
from mer_jax.report.recognition_tables import CEILING, ceiling_clips
from mer_jax.report.study import Study, tile
from mer_jax.report.table import Cell, Column, Note, Row, Table

ORACLE = 'choosing the epoch on the left-out subject would claim'
MOST_TILES = 3  # ranks whose UF1 stands on top of the page
NOT_STATED = 'not stated'
METHOD = (
    f'{NAMES_IN_PAPERS} Scores are means over seeds; sd is over seeds. 95 % intervals are '
    f'{OVER_SUBJECTS}, {DRAWS}, within each data set. '
    'The reference was named before the first training. A difference is a row minus the '
    'reference; p comes from a permutation test that swaps the two of a subject, and Holm is p '
    'adjusted for all rows. A rank is that by UF1, 1 the best; its interval comes from draws of '
    'subjects within each data set. MFLOPs: two for each multiply-add of the products and '
    'convolutions of one clip. Seconds are those of the training of one fold with one seed, all '
    'folds side by side on this machine. Figures as reported are those that a source prints, by '
    'its protocol and on its clips: no test compares them with the rows. A dash means undefined, '
    'or that a row has no such figure.'
)


def study(result: dict) -> Study:
    """Make the table and texts of a leaderboard.

    Args:
        result: the content of leaderboard.json.
    """
    rows = result['rows']
    reference = rows[0]
    run = [row for row in rows if not row['not_run']]
    leaks = [f'{row["title"]}: {leak}' for row in run for leak in row['leaks']]
    return Study(
        name='leaderboard',
        title=f'Leaderboard of {plural(len(rows), "config")}',
        size=(
            f'{result["data"]}: {reference["protocol"]}, {plural(reference["clips"], "clip")}, '
            f'{plural(reference["subjects"], "subject")}, {plural(result["seeds"], "seed")}; '
            f'reference {result["reference"]}'
        ),
        verdict=_verdict(run, reference),
        leaks=leaks,
        tables=[
            Table('Scores', _columns(result), _rows(result), _notes(rows) + _ceiling_note(result))
        ],
        method=METHOD + _budget(result['points']),
        headline=_headline(run),
    )


def _headline(run):
    """UF1 of the best ranks."""
    ranked = sorted((row for row in run if row['rank']), key=lambda row: row['rank'])
    return [
        tile(
            f'UF1, rank {row["rank"]:.3g}: {row["title"]}',
            row['metrics']['uf1'],
            row['intervals']['uf1'],
            bool(row['leaks']),
        )
        for row in ranked[:MOST_TILES]
    ]


def _budget(points):
    """What networks chose from, in words."""
    if not points:
        return ' The last epoch is the result.'
    rates = ', '.join(f'{rate:g}' for rate in points['learning_rate'])
    epochs = ', '.join(f'{count:g}' for count in points['epochs'])
    return (
        f' Each network chose in each fold from the same points, learning rates {rates} with '
        f'epochs {epochs}, by {points["groups"]} groups of the training subjects, each left out '
        'once, with one seed; the choice trained the fold with every seed.'
    )


def _verdict(run, reference):
    """Which rows differ from the reference, in one sentence."""
    tested = [row for row in run if row['against']]
    apart = [row for row in tested if (row['against']['uf1']['holm'] or 0) < 0.05]
    apart = [row for row in apart if row['against']['uf1']['holm'] is not None]
    better = [row['title'] for row in apart if row['against']['uf1']['difference'] > 0]
    worse = [row['title'] for row in apart if row['against']['uf1']['difference'] < 0]
    return (
        f'UF1 above {reference["title"]} (Holm p < 0.05): {", ".join(better) or "none"}; below: '
        f'{", ".join(worse) or "none"}'
    )


def _columns(result):
    """The columns, in the order of leaderboard.csv."""
    text_html = ['text', 'csv', 'html']
    minus = f'rank, and minus {result["reference"]}'
    columns = [
        Column('config', 'config'),
        Column('not run', 'not_run', forms=['csv']),
        Column('honest', 'honest', forms=['csv']),
        Column('leaks', 'leaks', forms=['csv']),
        *(Column(measure_title(name), name, measure, interval=True) for name in HEADLINE),
        Column('sd of UF1', 'uf1_sd', measure),
        *(Column(f'sd {name}', f'{name}_sd', measure, forms=['csv']) for name in HEADLINE[1:]),
        Column('rank', 'rank', '{:.3g}'.format, True, minus),
        Column('UF1', 'uf1_difference', signed, True, minus, latex=r'$\Delta$UF1'),
        Column('p', 'uf1_p', p_value, False, minus, text_html),
        Column('Holm', 'uf1_holm', p_value, False, minus, latex='Holm $p$'),
    ]
    for name in _data_sets(result):
        columns += [
            Column(measure_title(key), f'{name}_{key}', measure, True, name, text_html)
            for key in HEADLINE
        ]
    cost = 'size and cost'
    columns += [
        Column('UF1', 'oracle_uf1', measure, False, ORACLE, latex='UF1, epoch by test'),
        Column('accuracy', 'oracle_accuracy', measure, False, ORACLE, text_html),
        Column('median epoch', 'oracle_epoch', '{:.4g}'.format, False, ORACLE, text_html),
        Column('parameters', 'parameters', '{:,}'.format, False, cost),
        Column('MFLOPs', 'mflops', '{:,.2f}'.format, False, cost, text_html),
        Column('epochs', 'epochs', block=cost, forms=text_html),
        *_chosen_column(result, cost, text_html),
        Column('seconds a fold', 'seconds_per_fold', '{:.3g}'.format, False, cost, text_html),
        Column('UF1', 'reported_uf1', block=AS_REPORTED, latex='UF1 as reported'),
        Column('UAR', 'reported_uar', block=AS_REPORTED, forms=text_html),
        Column('accuracy', 'reported_accuracy', block=AS_REPORTED, forms=text_html),
        Column('epoch chosen', 'reported_epoch', block=AS_REPORTED, forms=text_html),
        Column('scored on', 'reported_data', block=AS_REPORTED, forms=text_html),
        Column('source', 'reported_source', block=AS_REPORTED, forms=text_html),
        Column('folder', 'folder', forms=['csv']),
    ]
    return columns


def _chosen_column(result, block, forms):
    """The column of what folds chose, where any did."""
    if not any(row.get('chosen') for row in result['rows']):
        return []
    return [Column('chosen (folds)', 'chosen', block=block, forms=forms)]


def _data_sets(result):
    """The data sets that rows are scored on, where there are several."""
    names = {}
    for row in result['rows']:
        names |= dict.fromkeys(row.get('per_dataset', ()))
    return list(names) if len(names) > 1 else []


def _name(row):
    """The config; one whose network is smaller than released carries its size in its name."""
    if not row['released_parameters']:
        return row['title']
    size, released = row['parameters'] / 1e6, row['released_parameters'] / 1e6
    return f'{row["title"]}, {size:.2g} M of {released:.3g} M parameters'


def _rows(result):
    """A row for each config, then one for annotated action units, which has no rank."""
    rows = [_row(row) for row in result['rows']]
    block = result.get('ceiling')
    if not block:
        return rows
    cells, datasets = {'config': CEILING}, _data_sets(result)
    for name in HEADLINE:
        cell = Cell(block['metrics'][name], block['intervals'][name])
        if block['clips'] == result['rows'][0]['clips']:
            cells[name] = cell
        elif len(block['datasets']) == 1:
            (dataset,) = block['datasets']
            if dataset in datasets:
                cells[f'{dataset}_{name}'] = cell
    return [*rows, Row(cells, not_applicable=f'only {ceiling_clips(block)}')]


def _ceiling_note(result):
    """What the ceiling is, and on which clips."""
    block = result.get('ceiling')
    if not block:
        return []
    scores = ', '.join(
        f'{measure_title(name)} {measure(block["metrics"][name])}' for name in HEADLINE
    )
    return [Note(f'{CEILING}: {scores} on {ceiling_clips(block)}, not ranked. {block["note"]}')]


def _row(row):
    """The cells of a config."""
    cells = {
        'config': Cell(_name(row), leaky=bool(row.get('leaks'))),
        'not_run': row['not_run'],
        'folder': row['folder'],
        **{key: row[key] for key in ('parameters', 'mflops', 'epochs')},
        **_reported(row['as_reported']),
    }
    if row['not_run']:
        return Row(cells, not_applicable=row['not_run'])
    cells |= {
        'honest': honest(row['leaks']),
        'leaks': '; '.join(row['leaks']),
        'rank': Cell(row['rank'], row['rank_interval']),
        'seconds_per_fold': row['seconds_per_fold'],
        'chosen': row['chosen'] or None,
    }
    for name in HEADLINE:
        cells[name] = Cell(row['metrics'][name], row['intervals'][name])
        cells[f'{name}_sd'] = row['sd'][name]
        for dataset, block in row['per_dataset'].items():
            cells[f'{dataset}_{name}'] = Cell(block[name], block['intervals'][name])
    if row['against']:
        paired = row['against']['uf1']
        cells['uf1_difference'] = Cell(
            paired['difference'], paired['interval'], leaky=bool(row['leaks'])
        )
        cells |= {'uf1_p': paired['p'], 'uf1_holm': paired['holm']}
    if row['oracle']:
        chosen = row['oracle']['metrics']
        cells['oracle_uf1'] = Cell(chosen['uf1'], leaky=True)
        cells['oracle_accuracy'] = Cell(chosen['accuracy'], leaky=True)
        cells['oracle_epoch'] = row['oracle']['median_epoch']
    return Row(cells)


def _reported(rows):
    """The cells of the first figures that authors report."""
    if not rows:
        return {}
    first = rows[0]
    cells = {f'reported_{key}': first['printed'].get(key) for key in HEADLINE}
    return cells | {
        'reported_epoch': first['epoch'] or NOT_STATED,
        'reported_data': first['data'].replace('+', ' + '),
        'reported_source': f'{first["source"]}, {first["table"]}',
    }


def _notes(rows):
    """Footnotes: leaks, further figures as reported, and what cannot be in them."""
    notes = []
    for row in rows:
        notes += [Note(f'{row["title"]} leaks: {leak}', True) for leak in row.get('leaks', ())]
    for row in rows:
        for number, figures in enumerate(row['as_reported']):
            notes += _notes_of(f'{row["title"]}, as reported', figures, further=number > 0)
    return notes


def _notes_of(title, figures, further):
    """Footnotes on figures of a source: themselves, where the table has others; how they leak."""
    source = f'{figures["source"]}, {figures["table"]}'
    words = [f'{title} in {source}']
    if further:
        printed = [f'{key} {text}' for key, text in figures['printed'].items()]
        words.append(f'{", ".join(printed)}; epoch chosen: {figures["epoch"] or NOT_STATED}')
    words += figures['leaks']
    words += [check['words'] for check in figures['checks'] if not check['holds']]
    return [Note(': '.join(words), bool(figures['leaks']))] if words[1:] else []
