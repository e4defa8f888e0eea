"""Plots of a run that detects action units."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from mer_jax.report import alt_texts
from mer_jax.report.action_units_tables import always_f1, is_detected, titled
from mer_jax.report.style import (
    COLOURS,
    INK,
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
