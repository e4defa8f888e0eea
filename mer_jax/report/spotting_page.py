"""The page, plots and table of a spotting run."""

import textwrap
from functools import partial
from pathlib import Path

import numpy as np

from mer_jax import provenance
from mer_jax.data.apexes import BLIND
from mer_jax.errors import UserError
from mer_jax.evaluation import OVER_SUBJECTS
from mer_jax.report import page, plots, plots_spotting
from mer_jax.report import table as tables
from mer_jax.report.formats import (
    DASH,
    WIDTH,
    frames,
    interval,
    milliseconds,
    p_value,
    plural,
    rounded,
    signed_frames,
)
from mer_jax.report.plots_spotting import TITLES
from mer_jax.report.table import Cell, Column, Row, Table, tree_listing
from mer_jax.report.text import honesty
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.apexes import ApexTable
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.predictions import FrameTable
from mer_jax.runfiles.reading import REMEDY
from mer_jax.runfiles.results import SpottingResults

EXAMPLES = 12  # clips whose curve is drawn
EXPLANATIONS = {
    'max': 'the frame with the largest output',
    'sw_max': 'the middle of the window of frames with the largest sum of outputs',
    'template': 'the apex whose label curve fits the outputs best, given where apexes of training '
    'clips lie',
    'midpoint': 'baseline: the middle between onset and offset',
    'fraction': 'baseline: a fixed fraction of the clip, fitted to the training clips of the fold',
}
BASELINES = 'minus the baselines'


def table(results: dict) -> str:
    """Format the result for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{results["name"]}: {_size(results)}', WIDTH)
    lines += textwrap.wrap(verdict(results), WIDTH)
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    if not results['spotting']:
        return '\n'.join(lines)
    lines += ['', tables.text(_decoders(results))]
    if len(next(iter(results['spotting'].values()))['per_dataset']) > 1:
        lines += ['', tables.text(_datasets(results))]
    lines.append(f'95 % intervals are {OVER_SUBJECTS}.')
    return '\n'.join(lines)


def verdict(results: dict) -> str:
    """Return the error of the run in one line.

    It is compared with the midpoint. The line ends with whether the run leaks.
    """
    if not results['spotting']:
        return (
            f'No scores: of {plural(results["clips"], "clip")} none with an annotated apex was '
            'held out'
        )
    reported, midpoint = results['spotting'][results['answer']], results['spotting']['midpoint']
    edges = ' ' + interval(reported['interval'], 2) if reported['interval'] else ''
    return (
        f'Mean error of {TITLES[results["answer"]]} {reported["mae"]:.2f} frames{edges}, of the '
        f'midpoint {midpoint["mae"]:.2f}; {honesty(results["leaks"])}'
    )


def report(folder: str | Path) -> Path:
    """Draw plots/ and write report.html, a single file.

    Args:
        folder: of the run.

    Returns:
        The path of report.html.

    Raises:
        UserError: the folder holds no results of spotting, or not the predictions that they count.
    """
    folder = Path(folder)
    results = SpottingResults.read(folder).to_json()
    frames, apexes = _predictions(folder, results)
    (folder / files.PLOTS).mkdir(exist_ok=True)
    scored = bool(results['spotting'])
    text = page.render(
        'spotting.html',
        title=f'{results["name"]}: apex spotting',
        name=results['name'],
        size=_size(results),
        verdict=verdict(results),
        leaks=results['leaks'],
        code=provenance.describe(results['versions']),
        errors=_errors(folder, results) if scored else None,
        curves=_curves(folder, results, frames, apexes) if scored else None,
        training=_training(folder),
        run=_run(results),
        settings=_settings(folder),
        plots=files.PLOTS,
    )
    path = folder / files.REPORT
    writing.write_text(path, text)
    return path


def _predictions(folder, results):
    """The rows of predictions.csv and of apexes.csv.

    Raises UserError where predictions.csv is missing, or of other clips than the other files.
    """
    path = folder / files.PREDICTIONS
    if not path.exists():
        raise UserError(f'{folder} holds no {path.name}; {REMEDY}')
    frames = FrameTable.read(folder).rows
    predicted = {_curve_of(row) for row in frames}
    apexes = ApexTable.read(folder).rows
    if predicted != {_curve_of(row) for row in apexes}:
        raise UserError(f'{path}: holds other clips than {files.APEXES}; {REMEDY}')
    scored = {row.dataset for row in apexes if row.left_out and row.apex is not None}
    for block in results['spotting'].values():
        if scored != block['per_dataset'].keys():
            raise UserError(f'{path}: holds other clips than {files.RESULTS} counts; {REMEDY}')
    return frames, apexes


def _curve_of(row):
    """Which training predicted which clip."""
    return row.clip, row.dataset, row.fold, row.seed


def _size(results):
    runs = f'{plural(results["folds"], "fold")}, {plural(results["seeds"], "seed")}'
    rest = f'{plural(results["epochs"], "epoch")}, {plural(results["clips"], "clip")}'
    return f'apex spotting, {results["protocol"]}, {runs}, {rest}'


def _decoders(results):
    """Errors, and their differences to the baselines."""
    columns = [
        Column('mean error', 'title'),
        Column('frames', 'mae', frames, interval=True),
        Column('sd', 'sd', frames),
        Column('ms', 'mae_ms', milliseconds),
        Column('predicted apex', 'explanation', forms=['html']),
    ]
    for name in BLIND:
        columns += [
            Column(TITLES[name], name, signed_frames, True, BASELINES),
            Column('p', f'{name}_p', p_value, block=BASELINES),
        ]
    rows = []
    for name, block in results['spotting'].items():
        cells = {
            'title': TITLES[name],
            'mae': Cell(block['mae'], block['interval']),
            'sd': block['sd'],
            'mae_ms': block['mae_ms'],
            'explanation': EXPLANATIONS[name],
        }
        for simple, paired in block['against'].items():
            cells[simple] = Cell(paired['difference'], paired['interval'])
            cells[f'{simple}_p'] = paired['p']
        rows.append(Row(cells))
    return Table('', columns, rows)


def _datasets(results):
    """The error of each decoder on each data set."""
    columns = [
        Column('decoder', 'title'),
        Column('data set', 'dataset'),
        Column('clips', 'clips'),
        Column('frames', 'mae', frames, interval=True),
        Column('ms', 'mae_ms', milliseconds),
    ]
    rows = []
    for name, block in results['spotting'].items():
        for dataset, part in block['per_dataset'].items():
            mae = Cell(part['mae'], part['interval'])
            cells = {'clips': part['clips'], 'mae': mae, 'mae_ms': part['mae_ms']}
            rows.append(Row(cells | {'title': TITLES[name], 'dataset': dataset}))
    return Table('', columns, rows)


def _errors(folder, results):
    """Tables and a plot of the errors."""
    caption = f'Whiskers show 95 % intervals {OVER_SUBJECTS}.'
    return {
        'tiles': _tiles(results),
        'decoders': tables.html(_decoders(results)),
        'plot': page.plot(folder, 'errors', caption, plots_spotting.errors, results['spotting']),
        'datasets': tables.html(_datasets(results)),
    }


def _tiles(results):
    """The error of the run, that of the midpoint, and their difference."""
    reported, midpoint = results['spotting'][results['answer']], results['spotting']['midpoint']
    tiles = [
        page.Tile(f'mean error in frames, {title}', frames(block['mae']), _edges(block, frames))
        for title, block in ((TITLES[results['answer']], reported), ('midpoint', midpoint))
    ]
    paired = reported['against'].get('midpoint')
    if paired:
        details = f'{_edges(paired, signed_frames)}, p {p_value(paired["p"])}'
        difference = signed_frames(paired['difference'])
        tiles.append(page.Tile('minus the midpoint', difference, details))
    return tiles


def _edges(block, show):
    """The 95 % interval of a figure in words."""
    if not block['interval']:
        return f'95 % {DASH}'
    low, high = map(show, block['interval'])
    return f'95 % [{low}, {high}]'


def _curves(folder, results, frames, apexes):
    """Outputs over time, and positions of apexes."""
    answer = results['answer']
    rows = [row for row in apexes if row.left_out and row.apex is not None]
    rows = [row for row in rows if row.seed == rows[0].seed]
    rows.sort(key=lambda row: (abs(row.predicted[answer] - row.apex), row.clip))
    spread = np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).round().astype(int))
    chosen = [rows[number] for number in spread]
    keys = {_curve_of(row): {'frame': [], 'output': []} for row in chosen}
    for row in frames:
        curve = keys.get(_curve_of(row))
        if curve:
            curve['frame'].append(float(row.frame))
            curve['output'].append(row.output)
    clips = [
        {
            'title': row.clip,
            **{name: np.array(value) for name, value in curve.items()},
            **{'onset': row.onset, 'apex': row.apex, 'offset': row.offset, **row.predicted},
        }
        for row, curve in zip(chosen, keys.values(), strict=True)
    ]
    first = f'Held-out clips of seed {rows[0].seed}, from the smallest to the largest error.'
    onset, apex, offset, predicted = np.array(
        [[row.onset, row.apex, row.offset, row.predicted[answer]] for row in rows]
    ).T
    positions = [(frame - onset) / (offset - onset) for frame in (apex, predicted)]
    return {
        'clips': page.plot(
            folder, 'curves_of_clips', first, partial(plots_spotting.curves, answer=answer), clips
        ),
        'positions': page.plot(
            folder,
            'places',
            'A spotter that learned little predicts about the same position in all clips.',
            partial(plots_spotting.positions, title=TITLES[answer]),
            *positions,
        ),
    }


def _training(folder):
    """Training curves; None where there are none."""
    if not (folder / MetricsLog.FILE).exists():
        return None
    records = [record.to_json() for record in MetricsLog.read(folder).records]
    if not records:
        return None
    return page.plot(folder, 'curves', 'Measured on training rows only.', plots.curves, records)


def _run(results):
    """Plan, time, data and versions."""
    keys = ('plan', 'seconds', 'data', 'versions')
    blocks = {key: results[key] for key in keys if results.get(key)}
    return tables.html(tree_listing(blocks, show=rounded))


def _settings(folder):
    """The settings, by dotted key; None where their file is missing."""
    if not (folder / RunConfig.FILE).exists():
        return None
    return tables.html(tree_listing(RunConfig.read(folder).settings, ['setting', 'value']))
