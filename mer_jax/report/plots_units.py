"""Plots of runs that detect action units."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.report import alt_texts
from mer_jax.report.action_units_tables import always_f1, is_detected, titled
from mer_jax.report.compare_tables import leaky_pair
from mer_jax.report.plots_compare import legend_entry, look_of
from mer_jax.report.style import (
    COLOURS,
    INK,
    LETTERS,
    PAPER,
    SHARES,
    SOFT,
    colour_bar,
    ink_on,
    light_grid,
    saved,
    shade,
    wrapped,
)

DETECTED, NOT_SHOWN = COLOURS[0], COLOURS[5]
LABEL = 26  # letters of a line beside a row
PANELS = {'average_precision': 'AP', 'f1': 'F1'}  # {score: title}
MEAN = 'mean over units'
NONE = 'none'  # a row of clips without any of the units


def units(path: str | Path, per_unit: Sequence[dict]) -> str:
    """Draw average precision and F1 of each unit, with intervals.

    A tick marks what needs no face: chance, or F1 of detecting the unit in every clip. Marks of
    units that are detected are filled.

    Args:
        path: of the picture.
        per_unit: of results.json, those that have scores.

    Returns:
        What is seen, in words.
    """
    labels = [wrapped(titled(block['unit']), LABEL) for block in per_unit]
    heights = np.array([0.17 * (label.count('\n') + 1) + 0.08 for label in labels])
    positions = np.cumsum(heights) - heights / 2
    with saved(path, 1.3 + heights.sum()) as figure:
        grid = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (score, title) in zip(grid, PANELS.items(), strict=True):
            for position, block in zip(positions, per_unit, strict=True):
                _row(axes, position, block, score)
            axes.set(xlim=(-0.05, 1.05), ylim=(heights.sum() + 0.03, -0.03), title=title)
            axes.set_xticks([0, 0.5, 1], ['0', '.5', '1'])
            light_grid(axes, 'x')
            axes.tick_params(axis='both', length=0)
        grid[0].set_yticks(positions, labels)
        look = {'linestyle': 'none', 'marker': 'o', 'markersize': 6}
        handles = [
            Line2D([], [], color=DETECTED, label='detected: AP above chance', **look),
            Line2D(
                [],
                [],
                color=NOT_SHOWN,
                markerfacecolor=PAPER,
                label='not shown to be detected',
                **look,
            ),
            Line2D(
                [],
                [],
                color=INK,
                linestyle='none',
                marker='|',
                markersize=11,
                markeredgewidth=2,
                label='chance; detected in every clip',
            ),
        ]
        figure.legend(handles=handles, loc='outside lower left')
    return alt_texts.units(per_unit, list(map(is_detected, per_unit)))


def _row(axes, position, block, score):
    """One score of a unit: its interval, its mark, and a tick of what needs no face."""
    value = block[score]
    if value is None:
        return
    above = is_detected(block)
    no_face = always_f1(block) if score == 'f1' else block['chance_average_precision']
    colour = DETECTED if above else NOT_SHOWN
    edges = block[f'{score}_interval'] or [value, value]
    axes.plot(edges, [position, position], color=colour, linewidth=1.8, solid_capstyle='butt')
    tick = {'markersize': 11, 'markeredgewidth': 2}
    axes.plot(no_face, position, '|', color=INK, clip_on=False, **tick)
    face = colour if above else PAPER
    axes.plot(value, position, 'o', color=colour, markerfacecolor=face, markersize=6, clip_on=False)


def confused(path: str | Path, shares: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> str:
    """Draw which units are detected in the clips of each unit.

    Args:
        path: of the picture.
        shares: float[A + 1, A] of 0..1, of the clips of a row the share with the unit of the column
            detected; NaN without clips. The last row has the clips without any unit.
        counts: int[A + 1], clips of a row.
        names: of the units.

    Returns:
        What is seen, in words.
    """
    rows = [*names, NONE]
    with saved(path, 1.9 + 0.23 * len(rows)) as figure:
        axes = figure.subplots()
        axes.imshow(np.ma.masked_invalid(shares), cmap=SHARES, vmin=0, vmax=1, aspect='auto')
        for (row, column), share in np.ndenumerate(shares):
            look = {'ha': 'center', 'va': 'center_baseline'}
            if np.isnan(share):
                axes.text(column, row, '–', color=SOFT, **look)
                continue
            bold = {'fontweight': 'bold'} if row == column else {}
            axes.text(column, row, f'{100 * share:.0f}', color=ink_on(shade(share)), **bold, **look)
        axes.set_yticks(
            range(len(rows)),
            [f'{name} (n = {count:g})' for name, count in zip(rows, counts, strict=True)],
        )
        axes.set_xticks(range(len(names)), [name.removeprefix('AU') for name in names])
        axes.set(xlabel='detected AU', ylabel='present')
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        colour_bar(figure, axes, 'share of the clips')
    return alt_texts.confused_units(shares, counts, names)


def compared(path: str | Path, groups: Sequence[dict]) -> str:
    """Draw the average precision of each unit of compared runs, a panel for each data set.

    Ticks are chance. Hollow and †: the run leaks.

    Args:
        path: of the picture.
        groups: as of compare_units.group.

    Returns:
        What is seen, in words.
    """
    looks = _looks(groups)
    panels = []
    for group in groups:
        shown = [unit for unit in group['units'] if _chance(group, unit) is not None]
        panels.append((group, shown, 0.12 + 0.13 * len(group['runs'])))
    with _panels(path, groups, panels, looks) as grid:
        for axes, (group, shown, height) in zip(grid, panels, strict=True):
            for number, unit in enumerate(shown):
                chance = _chance(group, unit)
                reach = np.array([-0.4, 0.4]) + number
                axes.plot([chance, chance], reach, color=INK, linewidth=1.5)
                for shift, run in _shifted(group['runs'], height):
                    block = next(one for one in run['per_unit'] if one['unit'] == unit)
                    value, edges = block['average_precision'], block['average_precision_interval']
                    look = looks[run['system']]
                    _dot(axes, number + shift, (value, edges), look, hollow=bool(run['leaks']))
            axes.set_yticks(range(len(shown)), [wrapped(titled(unit), LABEL) for unit in shown])
            axes.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel='AP')
    return alt_texts.compared_units(groups)


def differences(path: str | Path, groups: Sequence[dict]) -> str | None:
    """Draw the differences of average precision to the reference, of the mean and of each unit.

    Args:
        path: of the picture.
        groups: as of compare_units.group.

    Returns:
        What is seen, in words; None where no run has a reference, and nothing is drawn.
    """
    groups = [group for group in groups if any(run['against'] for run in group['runs'])]
    if not groups:
        return None
    looks, panels = _looks(groups), []
    drawn = {run['system'] for group in groups for run in group['runs'] if run['against']}
    looks = {system: look for system, look in looks.items() if system in drawn}
    for group in groups:
        runs = [run for run in group['runs'] if run['against']]
        shown = [unit for unit in group['units'] if unit in runs[0]['against']['per_unit']]
        panels.append((group, [MEAN, *shown], 0.12 + 0.13 * len(runs)))
    with _panels(path, groups, panels, looks) as grid:
        for axes, (group, rows, height) in zip(grid, panels, strict=True):
            runs = [run for run in group['runs'] if run['against']]
            for number, unit in enumerate(rows):
                for shift, run in _shifted(runs, height):
                    of_units = run['against']['per_unit']
                    block = run['against'] if unit == MEAN else of_units[unit]
                    test = block['average_precision']
                    pair = test['difference'], test['interval']
                    look, hollow = looks[run['system']], leaky_pair(group, run)
                    _dot(axes, number + shift, pair, look, hollow=hollow)
            axes.axvline(0, color=INK, linewidth=1)
            titles = [MEAN, *(wrapped(titled(unit), LABEL) for unit in rows[1:])]
            axes.set_yticks(range(len(rows)), titles)
            reference = wrapped(f'AP minus that of {group["reference"]}', LETTERS - LABEL)
            axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=reference)
            axes.xaxis.set_major_locator(MaxNLocator(4))
    return alt_texts.unit_differences(groups)


def _looks(groups):
    """{system: colour and mark}."""
    systems = dict.fromkeys(run['system'] for group in groups for run in group['runs'])
    return {system: look_of(number) for number, system in enumerate(systems)}


def _chance(group, unit):
    """The average precision of a random order; None for a unit that no clip shows."""
    return group['no_face']['per_unit'][unit]['average_precision']


def _shifted(runs, height):
    """(offset from the middle of its row, run) of each run; height: of a row, in inches."""
    middle = (len(runs) - 1) / 2
    return [((number - middle) * 0.13 / height, run) for number, run in enumerate(runs)]


@contextlib.contextmanager
def _panels(path, groups, panels, looks):
    """Give the axes of panels (group, rows, inches of a row), with a legend of the systems."""
    heights = [0.75 + height * len(rows) for _, rows, height in panels]
    with saved(path, sum(heights) + 0.3 + 0.22 * len(looks)) as figure:
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        yield grid
        for axes, (group, _, _) in zip(grid, panels, strict=True):
            light_grid(axes, 'x')
            axes.tick_params(axis='both', length=0)
            if len(panels) > 1:
                axes.set_title(wrapped(group['title'], LETTERS - LABEL), loc='right')
        handles = [legend_entry(system, look, groups) for system, look in looks.items()]
        for handle in handles:
            handle.set_linestyle('none')
        figure.legend(handles=handles, loc='outside lower left')


def _dot(axes, position, pair, look, *, hollow):
    """Draw a value with its interval; pair: (value, [low, high] or None)."""
    value, edges = pair
    if value is None:
        return
    line = {'color': look['color'], 'linewidth': 1.5, 'solid_capstyle': 'butt'}
    axes.plot(edges or [value, value], [position, position], **line)
    face = PAPER if hollow else look['color']
    mark = {'marker': look['marker'], 'color': look['color'], 'markerfacecolor': face}
    axes.plot(value, position, markersize=5, zorder=3, **mark)
