"""Pictures of apex spotting: what a spotter says over the course of clips, errors of every
decision, where apexes lie.
"""

import textwrap

import numpy as np
from matplotlib.lines import Line2D

from mer_jax.report.plots import COLOURS, light_grid, saved

TITLES = {
    'max': 'Max',
    'sw_max': 'SW-Max',
    'template': 'template',
    'midpoint': 'midpoint',
    'fraction': 'fitted fraction',
}
LOOKS = {'midpoint': (COLOURS[4], ':'), 'fraction': (COLOURS[3], '-.')}


def curves(path, clips, *, answer, columns=4) -> None:
    """The output over time of each of `clips`, with the annotated apex (black), the spotter's
    answer and both simple ones.

    clips: dictionaries with title, frame [T], output [T], onset, apex, offset (numbers of frames),
    and the answer of each decision; answer: the decision whose frame is drawn.
    """
    rows = -(-len(clips) // columns)
    with saved(path, (3.1 * columns, 2.1 * rows + 0.5)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, clip in zip(grid.flat, clips, strict=False):
            axes.plot(
                clip['frame'] - clip['onset'],
                clip['output'],
                color=COLOURS[0],
                linewidth=1.3,
                label='output',
            )
            axes.axvline(
                clip['apex'] - clip['onset'], color='black', linewidth=1.6, label='annotated apex'
            )
            drawn = {answer: (COLOURS[1], '--'), **LOOKS}
            for name, (colour, line) in drawn.items():
                axes.axvline(
                    clip[name] - clip['onset'],
                    color=colour,
                    linestyle=line,
                    linewidth=1.4,
                    label=TITLES[name],
                )
            axes.set_title(
                f'{clip["title"]}: off by {abs(clip[answer] - clip["apex"])}', fontsize=8.5
            )
            axes.set_xlim(0, clip['offset'] - clip['onset'])
            axes.tick_params(labelsize=7.5)
        for axes in grid.flat[len(clips) :]:
            axes.set_visible(False)
        figure.supxlabel('frames after the onset', fontsize=9)
        figure.legend(
            *grid.flat[0].get_legend_handles_labels(),
            loc='outside upper center',
            ncols=5,
            fontsize=8.5,
        )


def errors(path, blocks) -> None:
    """Mean error in frames of every decision with its interval; blocks: {decision: {mae,
    interval}}.
    """
    with saved(path, (5.6, 0.5 * len(blocks) + 1.0)) as figure:
        axes = figure.subplots()
        for place, (name, block) in enumerate(blocks.items()):
            _whisker(
                axes,
                place,
                block,
                LOOKS[name][0] if name in LOOKS else COLOURS[0],
                'o',
                hollow=False,
                bold=False,
            )
        axes.set_yticks(range(len(blocks)), [TITLES[name] for name in blocks])
        axes.set(
            xlabel='mean error in frames (95 % over subjects)',
            xlim=(0, None),
            ylim=(len(blocks) - 0.5, -0.5),
        )
        light_grid(axes)


def places(path, apex, answered, *, title) -> None:
    """Where annotated and spotted apexes lie, 0 at the onset and 1 at the offset: float[n], side by
    side.
    """
    with saved(path, (5.6, 2.6)) as figure:
        axes = figure.subplots()
        bins = np.linspace(0, 1, 21)
        axes.hist(apex, bins, color='#8a94a0', alpha=0.55, label='annotated')
        axes.hist(answered, bins, histtype='step', color=COLOURS[1], linewidth=1.8, label=title)
        axes.set(xlabel='place in the clip (0 onset, 1 offset)', ylabel='clips', xlim=(0, 1))
        axes.legend(fontsize=8.5)


def compared(path, groups) -> None:
    """Error in frames of every decision of compared runs, a panel a data set, beside midpoint and
    fitted fraction.

    groups: as compare_spotting.group returns them; bold: a run's own decision; hollow and †: the
    run leaks.
    """
    names = list(
        dict.fromkeys(
            name for group in groups for run in group['runs'] for name in run['decisions']
        )
    )
    looks = {
        name: (colour, mark) for name, colour, mark in zip(names, COLOURS, 'os^', strict=False)
    }
    labels = [
        [textwrap.fill(('† ' if run['leaks'] else '') + run['system'], 40) for run in group['runs']]
        for group in groups
    ]
    heights = [0.75 + 0.2 * (len(names) + 1) * len(group['runs']) for group in groups]
    with saved(path, (8.6, sum(heights) + 0.6)) as figure:
        grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, group, label in zip(grid, groups, labels, strict=True):
            for name, block in group['simple'].items():
                colour, line = LOOKS[name]
                axes.axvline(
                    block['mae'], color=colour, linestyle=line, linewidth=1.6, label=TITLES[name]
                )
            for row, run in enumerate(group['runs']):
                for place, (name, block) in enumerate(run['decisions'].items()):
                    _whisker(
                        axes,
                        row * (len(names) + 1) + place,
                        block,
                        *looks[name],
                        hollow=run['leaks'],
                        bold=name == run['answer'],
                    )
            middles = np.arange(len(label)) * (len(names) + 1) + (len(names) - 1) / 2
            axes.set_yticks(middles, label, fontsize=9)
            axes.tick_params(axis='y', length=0)
            axes.set(xlim=(0, None), ylim=(len(label) * (len(names) + 1) - 1.3, -0.9))
            axes.set_title(group['title'], fontsize=10)
            axes.grid(axis='x', color='#dfe4ea', linewidth=0.8)
            axes.set_axisbelow(True)
        grid[-1].set_xlabel('mean error in frames (95 % over subjects)')
        handles = [
            Line2D([], [], color=colour, marker=mark, label=TITLES[name])
            for name, (colour, mark) in looks.items()
        ]
        handles += [
            Line2D([], [], color=colour, linestyle=line, label=TITLES[name])
            for name, (colour, line) in LOOKS.items()
        ]
        figure.legend(handles=handles, loc='outside upper center', ncols=len(handles), fontsize=9)


def _whisker(axes, place, block, colour, mark, *, hollow, bold):
    """One error with its interval, its figure beside it."""
    edges = block['interval'] or [block['mae']] * 2
    axes.plot(edges, [place, place], color=colour, linewidth=1.8, solid_capstyle='butt')
    axes.plot(
        block['mae'],
        place,
        mark,
        color=colour,
        markerfacecolor='white' if hollow else colour,
        markersize=6,
    )
    axes.text(
        edges[1],
        place,
        f'  {block["mae"]:.2f}',
        va='center',
        fontsize=8,
        fontweight='bold' if bold else 'normal',
    )
