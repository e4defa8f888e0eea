"""Pictures of compared runs, made from their table (studies/compare.py): each writes one file (.svg
or .png) in one step.
"""

import re
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.report.compare_tables import MEASURES, leaky_pair
from mer_jax.report.formats import measure_title, p_value
from mer_jax.report.plots import COLOURS, light_grid, saved

# thin lines in yellow vanish on white
SHADES = [colour for colour in COLOURS if colour != '#F0E442']
MARKERS = 'os^Dv'  # with seven shades and three lines, the first 105 systems all look different
LINES = ('-', '--', ':')
INK = '#3c4650'
LEGEND = 110  # letters of a legend line
LABEL = 60  # letters of a line beside a row of dots


def draw(folder, table: dict) -> list:
    """Write measures.svg, and differences.svg where any run has one, into a folder; their paths."""
    paths = [Path(folder) / f'{name}.svg' for name in ('measures', 'differences')]
    measures(paths[0], table)
    if not any(run['against'] for group in table['groups'] for run in group['runs']):
        # one of an earlier comparison would stand beside this one
        paths.pop().unlink(missing_ok=True)
        return paths
    differences(paths[1], table)
    return paths


def measures(path, table: dict) -> None:
    """UF1, UAR, accuracy and precision by data set, one line a system.

    Whiskers: 95 % interval of the bootstrap over subjects.
    """
    groups = table['groups']
    systems = list(dict.fromkeys(run['system'] for group in groups for run in group['runs']))
    looks = {system: _look(number) for number, system in enumerate(systems)}
    handles = [_handle(system, looks[system], groups) for system in systems]
    columns = max(1, min(LEGEND // (8 + max(map(len, systems))), len(systems)))
    legend = 0.21 * -(-len(systems) // columns)
    width = 10 if len(systems) * len(groups) <= 48 else 14
    with saved(path, (width, 6.4 + legend)) as figure:
        grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
        for axes, key in zip(grid, MEASURES, strict=True):
            for number, system in enumerate(systems):
                shift = 0.7 * ((number + 0.5) / len(systems) - 0.5)
                _line(axes, groups, key, system, shift, looks[system])
            axes.set(title=measure_title(key), xlim=(-0.5, len(groups) - 0.5))
            axes.set_xticks(
                range(len(groups)),
                [_wrapped(group['title'], 72 // len(groups)) for group in groups],
                fontsize=9,
            )
            axes.tick_params(axis='x', length=0)
            light_grid(axes)
            for edge in np.arange(1, len(groups)) - 0.5:
                axes.axvline(edge, color='#dfe4ea', linewidth=0.8, zorder=0)
        figure.legend(handles=handles, loc='outside lower center', ncols=columns, fontsize=9)


def differences(path, table: dict) -> None:
    """Difference of UF1 and of accuracy to the reference of each data set, with intervals and p
    values, a row a run.
    """
    groups = [group for group in table['groups'] if any(run['against'] for run in group['runs'])]
    rows = [[run for run in group['runs'] if run['against']] for group in groups]
    labels = [
        [_wrapped(('† ' if leaky_pair(group, run) else '') + run['system'], LABEL) for run in row]
        for group, row in zip(groups, rows, strict=True)
    ]
    longest = max(
        len(line) for label_row in labels for label in label_row for line in label.split('\n')
    )
    heights = [
        0.9 + sum(0.15 * (label.count('\n') + 1) + 0.13 for label in label_row)
        for label_row in labels
    ]
    with saved(path, (9 + 0.07 * longest, sum(heights) + 0.2)) as figure:
        grid = figure.subplots(len(groups), 2, squeeze=False, sharex='col', height_ratios=heights)
        for group, row, label_row, pair in zip(groups, rows, labels, grid, strict=True):
            for axes, key, colour in zip(pair, ('uf1', 'accuracy'), COLOURS, strict=False):
                for place, run in enumerate(row):
                    _dot(axes, place, run['against'][key], colour, hollow=leaky_pair(group, run))
                axes.axvline(0, color=INK, linewidth=1)
                axes.set(ylim=(len(row) - 0.4, -0.6))
                axes.grid(axis='x', color='#dfe4ea', linewidth=0.8)
                axes.set_axisbelow(True)
                axes.xaxis.set_major_locator(MaxNLocator(5))
                axes.set_yticks(range(len(row)), label_row if key == 'uf1' else [], fontsize=9)
                axes.tick_params(axis='both', length=0, labelbottom=True)
            reference = next(
                run['system'] for run in group['runs'] if run['title'] == group['reference']
            )
            title = [
                _wrapped(line, LABEL) for line in (group['title'], f'UF1 minus that of {reference}')
            ]
            pair[0].set_title('\n'.join(title), fontsize=10)
            pair[1].set_title('accuracy', fontsize=10)


def _look(number):
    """Colour, mark and line of system number 0, 1, ..."""
    return {
        'color': SHADES[number % len(SHADES)],
        'marker': MARKERS[number % len(MARKERS)],
        'linestyle': LINES[number // len(SHADES) % len(LINES)],
    }


def _handle(system, look, groups):
    """An entry of the legend; hollow and with † where a run of this system leaks."""
    leaky = any(
        run['leaks'] for group in groups for run in group['runs'] if run['system'] == system
    )
    face = 'white' if leaky else look['color']
    return Line2D(
        [], [], label=f'† {system}' if leaky else system, markersize=6, markerfacecolor=face, **look
    )


def _line(axes, groups, key, system, shift, look):
    """One system across the data sets: a line, whiskers, and hollow marks where the run leaks."""
    found = [
        next((run for run in group['runs'] if run['system'] == system), None) for group in groups
    ]
    heights = np.array([run and run['metrics'][key] for run in found], float)
    places = np.arange(len(groups)) + shift
    axes.plot(
        places, heights, color=look['color'], linestyle=look['linestyle'], linewidth=1.3, alpha=0.75
    )
    for place, height, run in zip(places, heights, found, strict=True):
        if run:
            edges = run['intervals'][key] or [height, height]
            axes.plot([place, place], edges, color=look['color'], linewidth=1, alpha=0.6)
            face = 'white' if run['leaks'] else look['color']
            axes.plot(
                place,
                height,
                marker=look['marker'],
                color=look['color'],
                markerfacecolor=face,
                markersize=5.5,
                zorder=3,
            )


def _dot(axes, place, found, colour, hollow):
    """One difference with its interval, and its p value beside the panel."""
    edges = found['interval'] or [found['difference']] * 2
    axes.plot(edges, [place, place], color=colour, linewidth=1.6, solid_capstyle='butt')
    axes.plot(
        found['difference'],
        place,
        'o',
        color=colour,
        markerfacecolor='white' if hollow else colour,
        markersize=6,
    )
    if found['p'] is not None:
        held = f' (Holm {p_value(found["holm"])})' if 'holm' in found else ''
        axes.annotate(
            f'p {p_value(found["p"])}{held}',
            (1.01, place),
            xycoords=('axes fraction', 'data'),
            fontsize=8,
            color=INK,
            va='center',
        )


def _wrapped(words, width):
    """Text in lines of at most `width` letters, broken behind a sign where one is near, else
    anywhere.
    """
    breakable = re.sub('([/,_=+-])(?=[^ ])', '\\1\f', words)
    lines = textwrap.wrap(
        breakable, max(width, 12), replace_whitespace=False, break_on_hyphens=False
    )
    return '\n'.join(lines).replace('\f', '')


def added(path, lines) -> None:
    """The lines of a leak audit (leak_audit.lines), a row each.

    Shown are their UF1, and what they add to UF1, UAR and accuracy.
    """
    titles = {name: measure_title(name) for name in ('uf1', 'uar', 'accuracy')}
    with saved(path, (13, 0.42 * len(lines) + 1.1)) as figure:
        grid = figure.subplots(1, 4, sharey=True)
        for place, line in enumerate(lines):
            hollow = bool(line['why_not'] or line['leaks'])
            if line['why_not']:
                grid[0].annotate(
                    'n/a',
                    (0.5, place),
                    xycoords=('axes fraction', 'data'),
                    color=INK,
                    ha='center',
                    va='center',
                )
                continue
            level = {
                'difference': line['metrics']['uf1'],
                'interval': line['intervals']['uf1'],
                'p': None,
            }
            _dot(grid[0], place, level, COLOURS[0], hollow)
            for axes, key, colour in zip(grid[1:], titles, COLOURS[1:], strict=False):
                if line['against']:
                    _dot(axes, place, {**line['against'][key], 'p': None}, colour, hollow)
        grid[0].set(title='UF1', ylim=(len(lines) - 0.4, -0.6))
        grid[0].set_yticks(range(len(lines)), [line['title'] for line in lines], fontsize=9)
        for axes, title in zip(grid[1:], titles.values(), strict=True):
            axes.axvline(0, color=INK, linewidth=1)
            axes.set_title(f'adds to {title}')
        for axes in grid:
            axes.grid(axis='x', color='#dfe4ea', linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(axis='both', length=0)
