"""Plots of apex spotting: outputs, errors, positions of apexes."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from mer_jax.report import alt_texts
from mer_jax.report.style import BLACK, COLOURS, EDGE, PAPER, light_grid, saved, wrapped

TITLES = {
    'max': 'Max',
    'sw_max': 'SW-Max',
    'template': 'template',
    'midpoint': 'midpoint',
    'fraction': 'fitted fraction',
}
ERROR = 'mean error in frames\n(95 % interval over test subjects)'
LOOKS = {'midpoint': (COLOURS[4], ':'), 'fraction': (COLOURS[3], '-.')}


def curves(path: str | Path, clips: Sequence[dict], *, answer: str, columns: int = 2) -> str:
    """Draw the output over time of clips, and their apexes.

    They are the annotated apex (black), the predicted one, midpoint and fitted fraction.

    Args:
        path: of the picture.
        clips: dictionaries with title, frame [T], output [T], onset, apex, offset (frame numbers),
            and the frame number of each decoder.
        answer: the decoder that is drawn.
        columns: clips per row.

    Returns:
        What is seen, in words.
    """
    rows = -(-len(clips) // columns)
    with saved(path, 1.75 * rows + 0.8) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, clip in zip(grid.flat, clips, strict=False):
            _curve(axes, clip, answer)
        for axes in grid.flat[len(clips) :]:
            axes.set_visible(False)
        figure.supxlabel('frames after the onset', fontsize='medium')
        handles = grid.flat[0].get_legend_handles_labels()
        figure.legend(*handles, loc='outside upper center', ncols=2)
    return alt_texts.clip_curves(clips, answer, TITLES[answer])


def _curve(axes, clip, answer):
    """The output of one clip, and its apexes."""
    onset, apex = clip['onset'], clip['apex']
    time = clip['frame'] - onset
    axes.plot(time, clip['output'], color=COLOURS[0], linewidth=1.3, label='output')
    axes.axvline(apex - onset, color=BLACK, linewidth=1.6, label='annotated apex')
    for name, (colour, line) in {answer: (COLOURS[1], '--'), **LOOKS}.items():
        look = {'color': colour, 'linestyle': line, 'linewidth': 1.4}
        axes.axvline(clip[name] - onset, label=TITLES[name], **look)
    title = f'{wrapped(clip["title"], 24)}\nerror {abs(clip[answer] - apex):g}'
    axes.set_title(title, fontweight='normal')
    axes.set_xlim(0, clip['offset'] - onset)
    axes.locator_params(nbins=4)


def errors(path: str | Path, blocks: dict[str, dict]) -> str:
    """Draw the mean error of every decoder with its interval.

    Args:
        path: of the picture.
        blocks: {decoder: {mae, interval}}.

    Returns:
        What is seen, in words.
    """
    with saved(path, 0.42 * len(blocks) + 1.0) as figure:
        axes = figure.subplots()
        for position, (name, block) in enumerate(blocks.items()):
            colour = LOOKS[name][0] if name in LOOKS else COLOURS[0]
            _whisker(axes, position, block, (colour, 'o'), hollow=False, bold=False)
        axes.set_yticks(range(len(blocks)), [TITLES[name] for name in blocks])
        axes.set(
            xlabel=ERROR,
            xlim=(0, None),
            ylim=(len(blocks) - 0.5, -0.5),
        )
        light_grid(axes, 'x')
    return alt_texts.spotting_errors(blocks, TITLES)


def positions(path: str | Path, apex: np.ndarray, spotted: np.ndarray, *, title: str) -> str:
    """Draw the positions of annotated and predicted apexes.

    Args:
        path: of the picture.
        apex, spotted: float[n], from 0 at the onset to 1 at the offset.
        title: of the decoder.

    Returns:
        What is seen, in words.
    """
    with saved(path, 2.8) as figure:
        axes = figure.subplots()
        bins = np.linspace(0, 1, 21)
        axes.hist(apex, bins, color=EDGE, alpha=0.6, label='annotated')
        axes.hist(spotted, bins, histtype='step', color=COLOURS[1], linewidth=1.8, label=title)
        axes.set(xlabel='position in the clip (0 onset, 1 offset)', ylabel='clips', xlim=(0, 1))
        light_grid(axes)
        figure.legend(loc='outside upper right', ncols=2)
    return alt_texts.apex_positions(apex, spotted)


def compared(path: str | Path, groups: Sequence[dict]) -> str:
    """Draw errors of compared runs, a panel per data set.

    Vertical lines are midpoint and fitted fraction. Bold: the decoder that a run reports; hollow
    and †: the run leaks.

    Args:
        path: of the picture.
        groups: as of compare_spotting.group.

    Returns:
        What is seen, in words.
    """
    runs = itertools.chain(*(group['runs'] for group in groups))
    names = list(dict.fromkeys(itertools.chain(*(run['decisions'] for run in runs))))
    looks = {
        name: (colour, mark) for name, colour, mark in zip(names, COLOURS, 'os^', strict=False)
    }
    heights = [0.75 + 0.2 * (len(names) + 1) * len(group['runs']) for group in groups]
    with saved(path, sum(heights) + 1.2) as figure:
        grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, group in zip(grid, groups, strict=True):
            _compared_panel(axes, group, looks)
        grid[-1].set_xlabel(ERROR)
        handles = [
            Line2D([], [], color=colour, marker=mark, label=TITLES[name])
            for name, (colour, mark) in looks.items()
        ]
        handles += [
            Line2D([], [], color=colour, linestyle=line, label=TITLES[name])
            for name, (colour, line) in LOOKS.items()
        ]
        figure.legend(handles=handles, loc='outside upper center', ncols=2)
    return alt_texts.compared_errors(groups)


def _compared_panel(axes, group, looks):
    """Draw the runs of one data set."""
    rows = len(looks) + 1  # of a run, with a gap below
    for name, block in group['simple'].items():
        colour, line = LOOKS[name]
        look = {'color': colour, 'linestyle': line, 'linewidth': 1.6}
        axes.axvline(block['mae'], label=TITLES[name], **look)
    labels = []
    for number, run in enumerate(group['runs']):
        mark = '† ' if run['leaks'] else ''
        labels.append(wrapped(mark + run['system'], 20))
        for position, (name, block) in enumerate(run['decisions'].items(), number * rows):
            bold = name == run['answer']
            _whisker(axes, position, block, looks[name], hollow=run['leaks'], bold=bold)
    middles = np.arange(len(labels)) * rows + (len(looks) - 1) / 2
    axes.set_yticks(middles, labels)
    axes.tick_params(axis='y', length=0)
    axes.set(xlim=(0, None), ylim=(len(labels) * rows - 1.3, -0.9))
    axes.set_title(wrapped(group['title'], 30))
    light_grid(axes, 'x')


def _whisker(axes, position, block, look, *, hollow, bold):
    """Draw an error with interval and figure; look: (colour, mark)."""
    colour, mark = look
    error = block['mae']
    edges = block['interval'] or [error, error]
    axes.plot(edges, [position, position], color=colour, linewidth=1.8, solid_capstyle='butt')
    face = PAPER if hollow else colour
    axes.plot(error, position, mark, color=colour, markerfacecolor=face, markersize=6)
    weight = 'bold' if bold else 'normal'
    axes.text(edges[1], position, f'  {error:.2f}', va='center', fontweight=weight)
