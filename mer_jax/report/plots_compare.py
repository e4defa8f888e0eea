"""Plots of compared runs (studies/compare.py)."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.report import alt_texts
from mer_jax.report.compare_tables import MEASURES, leaky_pair
from mer_jax.report.formats import measure_title, p_value
from mer_jax.report.plots import join_groups
from mer_jax.report.style import COLOURS, GRID, INK, LETTERS, PAPER, light_grid, saved, wrapped
from mer_jax.runfiles.metrics_log import MetricsLog

# Thin yellow lines cannot be seen on white.
SHADES = [colour for colour in COLOURS if colour != '#F0E442']
MARKERS = 'os^Dv'  # with seven shades and three lines, the first 105 systems all look different
LINES = ('-', '--', ':')
SIDE_BY_SIDE = 2  # training curves in a line
LABEL = 24  # letters of a line beside a row of dots


def draw(folder: str | Path, table: dict) -> dict[Path, str]:
    """Draw measures.svg into a folder, and differences.svg and training.svg where a run has one.

    Args:
        folder: for the plots.
        table: of compare.table.

    Returns:
        {path of a plot: what is seen in it, in words}.
    """
    drawn = {}
    plots = {'measures': measures, 'differences': differences, 'training': training}
    for name, plot in plots.items():
        path = Path(folder) / f'{name}.svg'
        text = plot(path, table)
        if text is None:
            path.unlink(missing_ok=True)  # that of an earlier comparison must not stay
        else:
            drawn[path] = text
    return drawn


def training(path: str | Path, table: dict) -> str | None:
    """Draw training loss and accuracy by epoch, the runs of a data set side by side.

    As Koo et al. 2022 compare their classifier with and without images of the GAN.

    Returns:
        What is seen, in words; None where no run logged its training, and nothing is drawn.
    """
    lines, ends = [], []
    for group in table['groups']:
        logged = [(run, _logged(run)) for run in group['runs']]
        logged = [(run, records) for run, records in logged if records]
        for start in range(0, len(logged), SIDE_BY_SIDE):
            lines.append((group['title'], logged[start : start + SIDE_BY_SIDE]))
    if not lines:
        return None
    with saved(path, 4.1 * len(lines)) as figure:
        grid = figure.subplots(
            2 * len(lines), SIDE_BY_SIDE, squeeze=False, sharex='row', sharey='row'
        )
        for number, (title, runs) in enumerate(lines):
            pair = grid[2 * number : 2 * number + 2]
            for axes in pair[:, len(runs) :].flat:
                axes.remove()
            for place, (run, records) in enumerate(runs):
                mark = '† ' if run['leaks'] else ''
                name = f'{mark}{run["system"]}'
                if len(table['groups']) > 1:
                    name = f'{title}\n{name}'
                pair[0, place].set_title(wrapped(name, LABEL), fontweight='normal')
                _training_panels(pair[:, place], records)
                ends.append((run['system'], join_groups(records, 'loss')[1][-1]))
            for axes, label in zip(pair[:, 0], ('training loss', 'training accuracy'), strict=True):
                axes.set_ylabel(label)
    return alt_texts.training(ends)


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
            axes.fill_between(epoch, low, high, color=colour, alpha=0.25, linewidth=0)
            axes.plot(epoch, middle, color=colour)
        light_grid(axes)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    pair[1].set(xlabel='epoch', ylim=(0, 1.02))


def measures(path: str | Path, table: dict) -> str:
    """Draw UF1, UAR, accuracy and precision by data set.

    Each system is a line. Whiskers show 95 % intervals over test subjects.

    Returns:
        What is seen, in words.
    """
    groups = table['groups']
    systems = list(dict.fromkeys(run['system'] for run in _all_runs(groups)))
    looks = {system: look_of(number) for number, system in enumerate(systems)}
    handles = [legend_entry(system, looks[system], groups) for system in systems]
    titles = [wrapped(group['title'], LETTERS // (len(groups) + 1)) for group in groups]
    with saved(path, 1.9 * len(MEASURES) + 0.5 + 0.22 * len(systems)) as figure:
        grid = figure.subplots(len(MEASURES), 1, sharex=True, sharey=True)
        for axes, key in zip(grid, MEASURES, strict=True):
            for number, system in enumerate(systems):
                shift = 0.7 * ((number + 0.5) / len(systems) - 0.5)
                _line(axes, groups, key, system, shift, looks[system])
            axes.set(title=measure_title(key), xlim=(-0.5, len(groups) - 0.5))
            axes.set_xticks(range(len(groups)), titles)
            axes.tick_params(axis='x', length=0)
            light_grid(axes)
            for edge in np.arange(1, len(groups)) - 0.5:
                axes.axvline(edge, color=GRID, linewidth=0.8, zorder=0)
        figure.legend(handles=handles, loc='outside lower center')
    return alt_texts.measures(table['groups'])


def differences(path: str | Path, table: dict) -> str | None:
    """Draw differences of UF1 and accuracy to the reference.

    Each run is a row, with interval and p value.

    Returns:
        What is seen, in words; None where no run has a reference, and nothing is drawn.
    """
    groups = [group for group in table['groups'] if any(run['against'] for run in group['runs'])]
    if not groups:
        return None
    heights, panels = [], []
    for group in groups:
        for key, colour in zip(('uf1', 'accuracy'), COLOURS, strict=False):
            labels = _difference_labels(group, key)
            heights.append(0.9 + sum(0.17 * (label.count('\n') + 1) + 0.1 for label in labels))
            panels.append((group, key, colour, labels))
    with saved(path, sum(heights)) as figure:
        grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=heights)
        for axes, (group, key, colour, labels) in zip(grid[:, 0], panels, strict=True):
            _difference_panel(axes, group, key, colour)
            axes.set_yticks(range(len(labels)), labels)
            axes.tick_params(axis='both', length=0, labelbottom=True)
            title = f'{group["title"]}: {measure_title(key)} minus that of {_reference(group)}'
            look = {'loc': 'right', 'fontweight': 'normal', 'multialignment': 'left'}
            axes.set_title(wrapped(title, LETTERS), **look)
    return alt_texts.differences(table['groups'])


def _difference_labels(group, key):
    """Names of the rows with their p; † where a row leaks."""
    labels = []
    for run in group['runs']:
        if run['against']:
            mark = '† ' if leaky_pair(group, run) else ''
            lines = [wrapped(mark + run['system'], LABEL)]
            lines += _p_values(run['against'][key])
            labels.append('\n'.join(lines))
    return labels


def _p_values(difference):
    """The p value of a difference in words, as a list of lines."""
    if difference['p'] is None:
        return []
    text = f'p {p_value(difference["p"])}'
    if 'holm' in difference:
        text += f' (Holm {p_value(difference["holm"])})'
    return [text]


def _difference_panel(axes, group, key, colour):
    """The differences of one metric, a row per run."""
    rows = [run for run in group['runs'] if run['against']]
    for position, run in enumerate(rows):
        _dot(axes, position, run['against'][key], colour, hollow=leaky_pair(group, run))
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(ylim=(len(rows) - 0.4, -0.6))
    light_grid(axes, 'x')
    axes.xaxis.set_major_locator(MaxNLocator(4))


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
    face = PAPER if leaky else look['color']
    label = wrapped(f'† {system}' if leaky else system, LETTERS - 8)
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
            face = PAPER if run['leaks'] else look['color']
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
    face = PAPER if hollow else colour
    axes.plot(middle, position, 'o', color=colour, markerfacecolor=face, markersize=6)


def added(path: str | Path, lines: Sequence[dict]) -> str:
    """Draw the lines of a leak audit (leak_audit.lines).

    Each is a row: above its UF1, below what it adds to UF1, UAR and accuracy.

    Returns:
        What is seen, in words.
    """
    titles = {name: measure_title(name) for name in ('uf1', 'uar', 'accuracy')}
    paired = [line for line in lines if not line['why_not'] and line['against']]
    heights = [0.3 * len(lines) + 0.7, 0.42 * len(paired) + 0.7]
    with saved(path, sum(heights) + 0.4) as figure:
        levels, differences = figure.subplots(2, 1, height_ratios=heights)
        for position, line in enumerate(lines):
            hollow = bool(line['why_not'] or line['leaks'])
            if line['why_not']:
                look = {'xycoords': ('axes fraction', 'data'), 'ha': 'center', 'va': 'center'}
                levels.annotate('n/a', (0.5, position), **look)
                continue
            uf1, interval = line['metrics']['uf1'], line['intervals']['uf1']
            level = {'difference': uf1, 'interval': interval}
            _dot(levels, position, level, COLOURS[0], hollow)
        for position, line in enumerate(paired):
            for shift, key, colour in zip((-0.25, 0, 0.25), titles, COLOURS, strict=False):
                block = line['against'][key]
                _dot(differences, position + shift, block, colour, bool(line['leaks']))
        levels.set_title('UF1')
        differences.axvline(0, color=INK, linewidth=1)
        differences.set_title('what it adds')
        for axes, rows in ((levels, lines), (differences, paired)):
            axes.set_ylim(len(rows) - 0.4, -0.6)
            labels = [wrapped(line['title'], LABEL) for line in rows]
            axes.set_yticks(range(len(rows)), labels)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            light_grid(axes, 'x')
            axes.tick_params(axis='both', length=0)
        handles = [
            Line2D([], [], color=colour, marker='o', label=title)
            for colour, title in zip(COLOURS, titles.values(), strict=False)
        ]
        figure.legend(handles=handles, loc='outside lower center', ncols=3)
    return alt_texts.added(lines)
