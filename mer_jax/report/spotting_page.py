"""The report of a spotting run, made from the files of its folder alone: report.html, its plots,
and the terminal table.
"""

import textwrap
from pathlib import Path

import numpy as np

from mer_jax.data.apexes import BLIND
from mer_jax.report import page as html
from mer_jax.report import plots, plots_spotting
from mer_jax.report.plots_spotting import TITLES
from mer_jax.report.text import WIDTH, interval, measure, plural
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.apexes import ApexTable
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.predictions import FrameTable
from mer_jax.runfiles.results import SpottingResults

EXAMPLES = 12  # clips whose curve is drawn
WORDS = {
    'max': 'the frame with the largest output',
    'sw_max': 'the window of frames with the largest sum',
    'template': 'the apex whose label fits the whole curve, and where apexes of training clips '
    'lie, best',
    'midpoint': 'half-way between onset and offset, without looking',
    'fraction': "the one place in the clip that fits the fold's training clips best, without "
    'looking',
}


def table(results) -> str:
    """The result as plain text of at most 100 columns, for the terminal."""
    lines = textwrap.wrap(f'{results["name"]}: {_size(results)}', WIDTH) + textwrap.wrap(
        verdict(results), WIDTH
    )
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    if not results['spotting']:
        return '\n'.join(lines)
    blocks = results['spotting']
    lines += ['', f'{"apex off by":17}{"frames":>8}  {"95 %":20}{"ms":>7}']
    lines += [
        f'{TITLES[name]:17}{block["mae"]:>8.2f}  '
        f'{interval(block["interval"], 2):20}{measure(block["mae_ms"], 1):>7}'
        for name, block in blocks.items()
    ]
    gains = {
        name: [_gain(block['against'].get(simple)) for simple in BLIND]
        for name, block in blocks.items()
    }
    lines += [
        '',
        f'{"difference to":19}{TITLES[BLIND[0]]:40}{TITLES[BLIND[1]]}',
    ]
    lines += [
        f'{TITLES[name]:19}{first:40}{second}'.rstrip() for name, (first, second) in gains.items()
    ]
    datasets = list(next(iter(blocks.values()))['per_dataset'])
    if len(datasets) > 1:
        lines += [
            '',
            f'{"data set, frames":20}' + ''.join(f'{TITLES[name]:>16}' for name in blocks),
        ]
        lines += [
            f'{one[:19]:20}'
            + ''.join(f'{block["per_dataset"][one]["mae"]:>16.2f}' for block in blocks.values())
            for one in datasets
        ]
    return '\n'.join(lines)


def verdict(results) -> str:
    """One line: the error of the run's own decision beside the midpoint's, and whether the run
    leaks.
    """
    if not results['spotting']:
        return (
            f'Of {plural(results["clips"], "clip")} none with an annotated apex was held out, '
            'so nothing is scored'
        )
    own, simple = results['spotting'][results['answer']], results['spotting']['midpoint']
    honesty = (
        f'not honest: {plural(len(results["leaks"]), "leak")}'
        if results['leaks']
        else 'honest: no leaks'
    )
    edges = ' ' + interval(own['interval'], 2) if own['interval'] else ''
    return (
        f'{TITLES[results["answer"]]} is off by {own["mae"]:.2f} frames{edges}, the midpoint by '
        f'{simple["mae"]:.2f}; '
        f'{honesty}'
    )


def report(folder) -> Path:
    """Draw plots/ and write report.html; UserError where the folder holds no results of a
    spotter.
    """
    folder = Path(folder)
    results = SpottingResults.read(folder).to_json()
    (folder / files.PLOTS).mkdir(exist_ok=True)
    parts = [
        f'<h1>{html.escape(results["name"])}</h1>\n' + html.paragraph(_size(results), 'soft'),
        html.banner(verdict(results), results['leaks']),
    ]
    parts += _errors(folder, results) + _curves(folder, results) if results['spotting'] else []
    parts += [_training(folder), _run(folder, results)]
    parts += [
        html.paragraph(
            f'Made from the files beside this page; its figures stand in {files.PLOTS}/.', 'foot'
        )
    ]
    path = folder / files.REPORT
    writing.write_text(path, html.page(f'{results["name"]}: apex spotting', parts))
    return path


def _size(results):
    runs = f'{plural(results["folds"], "fold")}, {plural(results["seeds"], "seed")}'
    rest = f'{plural(results["epochs"], "epoch")}, {plural(results["clips"], "clip")}'
    return f'apex spotting, {results["protocol"]}, {runs}, {rest}'


def _errors(folder, results):
    """Every decision beside the two that do not look."""
    blocks = results['spotting']
    cells = [
        [
            TITLES[name],
            f'{block["mae"]:.2f}',
            interval(block['interval'], 2),
            measure(block['sd'], 2),
            measure(block['mae_ms'], 1),
            *(_gain(block['against'].get(simple)) for simple in BLIND),
            WORDS[name],
        ]
        for name, block in blocks.items()
    ]
    header = [
        'decision',
        'frames',
        '95 %',
        'sd',
        'ms',
        'against midpoint',
        'against fitted fraction',
        'what it answers',
    ]
    rows = [
        [
            TITLES[name],
            one,
            part['clips'],
            f'{part["mae"]:.2f}',
            interval(part['interval'], 2),
            measure(part['mae_ms'], 1),
        ]
        for name, block in blocks.items()
        for one, part in block['per_dataset'].items()
    ]
    return [
        html.section(
            'How far off',
            html.table(header, cells),
            html.figure(
                html.drawn(folder, 'errors', plots_spotting.errors, blocks),
                'Whiskers: 95 % interval over subjects.',
            ),
            html.paragraph(
                'Differences are negative where the decision is nearer to the apex; intervals '
                'and p by subject.',
                'soft',
            ),
            html.details(
                'Each data set',
                html.table(['decision', 'data set', 'clips', 'frames', '95 %', 'ms'], rows),
            ),
        )
    ]


def _curves(folder, results):
    """Output over time of clips spread over the errors, and where apexes lie."""
    answer = results['answer']
    rows = [row for row in ApexTable.read(folder).rows if row.left_out and row.apex is not None]
    rows = [row for row in rows if row.seed == rows[0].seed]
    rows.sort(key=lambda row: (abs(row.answers[answer] - row.apex), row.clip))
    chosen = [
        rows[place]
        for place in np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).round().astype(int))
    ]
    keys = {
        (row.clip, row.dataset, row.fold, row.seed): {'frame': [], 'output': []} for row in chosen
    }
    for row in FrameTable.read(folder).rows:
        curve = keys.get((row.clip, row.dataset, row.fold, row.seed))
        if curve:
            curve['frame'].append(float(row.frame))
            curve['output'].append(row.output)
    clips = [
        {
            'title': row.clip,
            **{name: np.array(value) for name, value in curve.items()},
            **{'onset': row.onset, 'apex': row.apex, 'offset': row.offset, **row.answers},
        }
        for row, curve in zip(chosen, keys.values(), strict=True)
    ]
    drawn = html.drawn(
        folder, 'curves_of_clips', lambda path: plots_spotting.curves(path, clips, answer=answer)
    )
    onset, apex, offset, told = np.array(
        [[row.onset, row.apex, row.offset, row.answers[answer]] for row in rows]
    ).T
    places = html.drawn(
        folder,
        'places',
        lambda path: plots_spotting.places(
            path,
            (apex - onset) / (offset - onset),
            (told - onset) / (offset - onset),
            title=TITLES[answer],
        ),
    )
    return [
        html.section(
            'What the spotter says over time',
            html.figure(
                drawn,
                f'Held-out clips of seed {rows[0].seed}, from the best answer to the worst.',
            ),
            html.figure(places, 'A spotter that learned little answers near one place.'),
        )
    ]


def _training(folder):
    if not (folder / MetricsLog.FILE).exists():
        return ''
    records = [record.to_json() for record in MetricsLog.read(folder).records]
    if not records:
        return ''
    return html.section(
        'Training',
        html.figure(html.drawn(folder, 'curves', plots.curves, records), 'Training rows only.'),
    )


def _run(folder, results):
    found = {key: results[key] for key in ('plan', 'seconds', 'data', 'versions') if key in results}
    settings = {}
    if (folder / RunConfig.FILE).exists():
        settings = RunConfig.read(folder).settings
    return html.section(
        'Plan, time, data, versions and settings',
        html.details('All', html.tree_table({**found, **settings})),
    )


def _gain(block):
    """'-1.20 [-2.00, -0.40] p .012'."""
    if block is None:
        return ''
    p = block['p']
    told = '' if p is None else ' p <.001' if p < 0.001 else f' p {p:.3f}'.replace('0.', '.')
    return f'{block["difference"]:+.2f} {interval(block["interval"], 2)}{told}'
