"""Plots of compared runs (studies/compare.py)."""

import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.report.compare_tables import MEASURES, leaky_pair
from mer_jax.report.formats import measure_title, p_value
from mer_jax.report.plots import COLOURS, INK, join_groups, light_grid, saved
from mer_jax.runfiles.metrics_log import MetricsLog

# Thin yellow lines cannot be seen on white.
SHADES = [colour for colour in COLOURS if colour != '#F0E442']
MARKERS = 'os^Dv'  # with seven shades and three lines, the first 105 systems all look different
LINES = ('-', '--', ':')
LEGEND = 110  # letters of a legend line
SIDE_BY_SIDE = 4  # training curves in a line
LABEL = 60  # letters of a line beside a row of dots


def draw(folder: str | Path, table: dict) -> list[Path]:
    """Draw measures.svg into a folder, and differences.svg and training.svg where a run has one.


    Args:
        folder: for the plots.
        table: of compare.table.

    Returns:
        Paths of the plots.
    """
    names = ('measures', 'differences', 'training')
    paths = [Path(folder) / f'{name}.svg' for name in names]
    measures(paths[0], table)
    if not training(paths[-1], table):
        paths.pop().unlink(missing_ok=True)
    if not any(run['against'] for run in _all_runs(table['groups'])):
        # That of an earlier comparison must not stay.
        paths.pop(1).unlink(missing_ok=True)
        return paths
    differences(paths[1], table)
    return paths


def training(path: str | Path, table: dict) -> bool:
    """Draw training loss and accuracy by epoch, the runs of a data set side by side.

    As Koo et al. 2022 compare their classifier with and without images of the GAN.

    Returns:
        Whether any run logged its training; else nothing is drawn.
    """
    lines = []
    for group in table['groups']:
        logged = [(run, _logged(run)) for run in group['runs']]
        logged = [(run, records) for run, records in logged if records]
        for start in range(0, len(logged), SIDE_BY_SIDE):
            lines.append((group['title'], logged[start : start + SIDE_BY_SIDE]))
    if not lines:
        return False
    columns = max(len(runs) for _, runs in lines)
    with saved(path, (3.3 * columns, 4.4 * len(lines))) as figure:
        grid = figure.subplots(2 * len(lines), columns, squeeze=False, sharex='row', sharey='row')
        for number, (title, runs) in enumerate(lines):
            pair = grid[2 * number : 2 * number + 2]
            for axes in pair[:, len(runs) :].flat:
                axes.remove()
            for place, (run, records) in enumerate(runs):
                mark = '† ' if run['leaks'] else ''
                name = _wrap(f'{mark}{run["system"]}', 38)
                pair[0, place].set_title(f'{_wrap(title, 38)}\n{name}', fontsize=9)
                _training_panels(pair[:, place], records)
            for axes, label in zip(pair[:, 0], ('training loss', 'training accuracy'), strict=True):
                axes.set_ylabel(label)
    return True


def _logged(run):
    """The epochs that a run logged with its loss; [] where it logged none."""
    if not (Path(run['folder']) / MetricsLog.FILE).exists():
        return []
    return [record.to_json() for record in MetricsLog.read(run['folder']).records]


def _training_panels(pair, records):
    """Loss above accuracy of one run, with bands over its trainings."""
    for axes, name, colour in zip(pair, ('loss', 'accuracy'), COLOURS, strict=False):
        if any(record.get(name) is not None for record in records):
            epoch, middle, low, high = join_groups(records, name)
            axes.fill_between(epoch, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(epoch, middle, color=colour)
        light_grid(axes)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    pair[1].set(xlabel='epoch', ylim=(0, 1.02))


def measures(path: str | Path, table: dict) -> None:
    """Draw UF1, UAR, accuracy and precision by data set.

    Each system is a line. Whiskers show 95 % intervals over test subjects.
    """
    groups = table['groups']
    systems = list(dict.fromkeys(run['system'] for run in _all_runs(groups)))
    looks = {system: look_of(number) for number, system in enumerate(systems)}
    handles = [legend_entry(system, looks[system], groups) for system in systems]
    columns = max(1, min(LEGEND // (8 + max(map(len, systems))), len(systems)))
    legend = 0.21 * -(-len(systems) // columns)
    width = 10 if len(systems) * len(groups) <= 48 else 14
    titles = [_wrap(group['title'], 72 // len(groups)) for group in groups]
    with saved(path, (width, 6.4 + legend)) as figure:
        grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
        for axes, key in zip(grid, MEASURES, strict=True):
            for number, system in enumerate(systems):
                shift = 0.7 * ((number + 0.5) / len(systems) - 0.5)
                _line(axes, groups, key, system, shift, looks[system])
            axes.set(title=measure_title(key), xlim=(-0.5, len(groups) - 0.5))
            axes.set_xticks(range(len(groups)), titles, fontsize=9)
            axes.tick_params(axis='x', length=0)
            light_grid(axes)
            for edge in np.arange(1, len(groups)) - 0.5:
                axes.axvline(edge, color='#dfe4ea', linewidth=0.8, zorder=0)
        figure.legend(handles=handles, loc='outside lower center', ncols=columns, fontsize=9)


def differences(path: str | Path, table: dict) -> None:
    """Draw differences of UF1 and accuracy to the reference.

    Each run is a row, with interval and p value.
    """
    groups = [group for group in table['groups'] if _difference_labels(group)]
    labels = [_difference_labels(group) for group in groups]
    longest = max(len(line) for line in '\n'.join(itertools.chain(*labels)).split('\n'))
    heights = [_height(of_group) for of_group in labels]
    with saved(path, (9 + 0.07 * longest, sum(heights) + 0.2)) as figure:
        grid = figure.subplots(len(groups), 2, squeeze=False, sharex='col', height_ratios=heights)
        for group, of_group, pair in zip(groups, labels, grid, strict=True):
            for axes, key, colour in zip(pair, ('uf1', 'accuracy'), COLOURS, strict=False):
                _difference_panel(axes, group, key, colour)
                axes.set_yticks(range(len(of_group)), of_group if key == 'uf1' else [], fontsize=9)
                axes.tick_params(axis='both', length=0, labelbottom=True)
            reference = _reference(group)
            title = [
                _wrap(group['title'], LABEL),
                _wrap(f'UF1 minus that of {reference}', LABEL),
            ]
            pair[0].set_title('\n'.join(title), fontsize=10)
            pair[1].set_title('accuracy', fontsize=10)


def _difference_labels(group):
    """Names of the rows; † where it leaks."""
    labels = []
    for run in group['runs']:
        if run['against']:
            mark = '† ' if leaky_pair(group, run) else ''
            labels.append(_wrap(mark + run['system'], LABEL))
    return labels


def _height(labels):
    """Inches of a panel with these labels."""
    return 0.9 + sum(0.15 * (label.count('\n') + 1) + 0.13 for label in labels)


def _difference_panel(axes, group, key, colour):
    """The differences of one metric, a row per run."""
    rows = [run for run in group['runs'] if run['against']]
    for position, run in enumerate(rows):
        _dot(axes, position, run['against'][key], colour, hollow=leaky_pair(group, run))
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(ylim=(len(rows) - 0.4, -0.6))
    axes.grid(axis='x', color='#dfe4ea', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def _reference(group):
    """The system of the reference run."""
    return next(run['system'] for run in group['runs'] if run['title'] == group['reference'])


def look_of(number: int) -> dict[str, str]:
    """Return colour, mark and line of a system."""
    return {
        'color': SHADES[number % len(SHADES)],
        'marker': MARKERS[number % len(MARKERS)],
        'linestyle': LINES[number // len(SHADES) % len(LINES)],
    }


def legend_entry(system: str, look: dict[str, str], groups: Sequence[dict]) -> Line2D:
    """Make the legend entry of a system.

    It is hollow and has a † where a run of this system leaks.

    Args:
        system: name.
        look: of look_of.
        groups: of the table.
    """
    leaky = any(run['leaks'] for run in _all_runs(groups) if run['system'] == system)
    face = 'white' if leaky else look['color']
    label = f'† {system}' if leaky else system
    return Line2D([], [], label=label, markersize=6, markerfacecolor=face, **look)


def _line(axes, groups, key, system, shift, look):
    """Draw one system: a line, whiskers, hollow marks for leaks."""
    runs = [_run_of(group, system) for group in groups]
    heights = np.array([run and run['metrics'][key] for run in runs], float)
    positions = np.arange(len(groups)) + shift
    line = {'color': look['color'], 'linestyle': look['linestyle']}
    axes.plot(positions, heights, linewidth=1.3, alpha=0.75, **line)
    for position, height, run in zip(positions, heights, runs, strict=True):
        if run:
            edges = run['intervals'][key] or [height, height]
            axes.plot([position, position], edges, color=look['color'], linewidth=1, alpha=0.6)
            face = 'white' if run['leaks'] else look['color']
            mark = {'marker': look['marker'], 'color': look['color'], 'markerfacecolor': face}
            axes.plot(position, height, markersize=5.5, zorder=3, **mark)


def _all_runs(groups):
    """The runs of all groups of a table."""
    return itertools.chain(*(group['runs'] for group in groups))


def _run_of(group, system):
    """The run of a system in a group, or None."""
    return next((run for run in group['runs'] if run['system'] == system), None)


def _dot(axes, position, difference, colour, hollow):
    """Draw a difference, its interval and its p value."""
    middle = difference['difference']
    edges = difference['interval'] or [middle, middle]
    axes.plot(edges, [position, position], color=colour, linewidth=1.6, solid_capstyle='butt')
    face = 'white' if hollow else colour
    axes.plot(middle, position, 'o', color=colour, markerfacecolor=face, markersize=6)
    if difference['p'] is not None:
        text = f'p {p_value(difference["p"])}'
        if 'holm' in difference:
            text += f' (Holm {p_value(difference["holm"])})'
        look = {'fontsize': 8, 'color': INK, 'va': 'center'}
        axes.annotate(text, (1.01, position), xycoords=('axes fraction', 'data'), **look)


def _wrap(text, width):
    """Wrap text, after a sign where one is near."""
    breakable = re.sub('([/,_=+-])(?=[^ ])', '\\1\f', text)
    lines = textwrap.wrap(
        breakable, max(width, 12), replace_whitespace=False, break_on_hyphens=False
    )
    return '\n'.join(lines).replace('\f', '')


def added(path: str | Path, lines: Sequence[dict]) -> None:
    """Draw the lines of a leak audit (leak_audit.lines).

    Each is a row: its UF1, and what it adds to UF1, UAR and accuracy.
    """
    titles = {name: measure_title(name) for name in ('uf1', 'uar', 'accuracy')}
    with saved(path, (13, 0.42 * len(lines) + 1.1)) as figure:
        grid = figure.subplots(1, 4, sharey=True)
        for position, line in enumerate(lines):
            hollow = bool(line['why_not'] or line['leaks'])
            if line['why_not']:
                look = {'color': INK, 'ha': 'center', 'va': 'center'}
                grid[0].annotate('n/a', (0.5, position), xycoords=('axes fraction', 'data'), **look)
                continue
            uf1, interval = line['metrics']['uf1'], line['intervals']['uf1']
            level = {'difference': uf1, 'interval': interval, 'p': None}
            _dot(grid[0], position, level, COLOURS[0], hollow)
            for axes, key, colour in zip(grid[1:], titles, COLOURS[1:], strict=False):
                if line['against']:
                    _dot(axes, position, {**line['against'][key], 'p': None}, colour, hollow)
        grid[0].set(title='UF1', ylim=(len(lines) - 0.4, -0.6))
        grid[0].set_yticks(range(len(lines)), [line['title'] for line in lines], fontsize=9)
        for axes, title in zip(grid[1:], titles.values(), strict=True):
            axes.axvline(0, color=INK, linewidth=1)
            axes.set_title(f'adds to {title}')
        for axes in grid:
            axes.grid(axis='x', color='#dfe4ea', linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(axis='both', length=0)
