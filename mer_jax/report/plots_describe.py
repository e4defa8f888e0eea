"""Pictures of the page about a data set (studies/describe.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mer_jax.report import alt_texts
from mer_jax.report.plots import PER_ROW
from mer_jax.report.style import (
    COLOURS,
    EDGE,
    INK,
    LETTERS,
    SHARES,
    colour_bar,
    ink_on,
    light_grid,
    saved,
    shade,
    wrapped,
)

BINS = 24  # of a histogram
UNITS = 10  # action units of a picture of pairs, the most frequent ones
IN_ROW = 2  # pictures of pairs beside each other


def classes(path: str | Path, counts: np.ndarray, datasets: Sequence, titles: Sequence) -> str:
    """Draw the clips of each class, a bar for each data set.

    Args:
        path: of the picture.
        counts: int[D, K].
        datasets, titles: names of the data sets and classes.

    Returns:
        What is seen, in words.
    """
    with saved(path, 0.9 + (0.2 * len(datasets) + 0.12) * len(titles)) as figure:
        axes = figure.subplots()
        width = 0.84 / len(datasets)
        for place, (name, row) in enumerate(zip(datasets, counts, strict=True)):
            shift = (place - (len(datasets) - 1) / 2) * width
            bars = axes.barh(
                np.arange(len(titles)) + shift,
                row,
                height=0.92 * width,
                color=COLOURS[place % len(COLOURS)],
                label=f'{name} (n = {sum(row)})',
            )
            axes.bar_label(bars, color=INK, padding=2)
        axes.set_yticks(range(len(titles)), titles)
        axes.tick_params(axis='y', length=0)
        axes.set(xlabel='clips', ylim=(len(titles) - 0.5, -0.5))
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        light_grid(axes, 'x')
        figure.legend(loc='outside lower center', ncols=2)
    return alt_texts.class_counts(counts, titles)


def subjects(path: str | Path, rows: Sequence[dict], titles: Sequence[str]) -> str:
    """Draw the clips of each subject, coloured by class, most clips first.

    Args:
        path: of the picture.
        rows: dictionaries with dataset, subject and clips, a number for each class.
        titles: of the classes.

    Returns:
        What is seen, in words.
    """
    order = sorted(rows, key=lambda row: (row['dataset'], -sum(row['clips']), row['subject']))
    width = -(-len(order) // -(-len(order) // PER_ROW))
    lines = [order[start : start + width] for start in range(0, len(order), width)]
    with saved(path, 1.8 * len(lines) + 0.2 + 0.2 * -(-len(titles) // 3)) as figure:
        grid = figure.subplots(len(lines), 1, squeeze=False, sharey=True)[:, 0]
        for axes, line in zip(grid, lines, strict=True):
            _subject_bars(axes, line, len(titles))
            axes.set(xlim=(-0.8, width - 0.2), ylabel='clips')
        handles = [
            Patch(color=COLOURS[place % len(COLOURS)], label=title)
            for place, title in enumerate(titles)
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=3)
    return alt_texts.clips_of_subjects(rows)


def _subject_bars(axes, line, count):
    """Bars of some subjects, and the names of their data sets above them."""
    places, below = np.arange(len(line)), np.zeros(len(line))
    for place in range(count):
        heights = np.array([row['clips'][place] for row in line])
        colour = COLOURS[place % len(COLOURS)]
        axes.bar(places, heights, bottom=below, width=0.78, color=colour)
        below += heights
    axes.set_xticks(places, [row['subject'] for row in line], rotation=90)
    axes.tick_params(axis='x', length=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    light_grid(axes)
    before = None
    for place, row in enumerate(line):
        if row['dataset'] != before:
            before = row['dataset']
            if place:
                axes.axvline(place - 0.5, color=EDGE, linewidth=0.8)
            look = {'color': INK, 'va': 'bottom'}
            axes.text(place - 0.4, 1.01, before, transform=axes.get_xaxis_transform(), **look)


def histograms(
    path: str | Path,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    unit: str,
    high: float | None = None,
) -> str:
    """Draw a histogram of each quantity, a line for each data set.

    Args:
        path: of the picture.
        panels: {title: {data set: float[n]}}; NaN is left out, and so is a panel without a value.
        unit: of the values.
        high: where the axis ends; None: at the largest value of a panel.

    Returns:
        What is seen, in words.
    """
    drawn = {}
    for title, groups in panels.items():
        known = {name: values[~np.isnan(values)] for name, values in groups.items()}
        known = {name: values for name, values in known.items() if len(values)}
        if known:
            drawn[title] = known
    names = list(dict.fromkeys(name for known in drawn.values() for name in known))
    with saved(path, 2.0 * len(drawn) + 0.5) as figure:
        grid = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
        for axes, (title, known) in zip(grid, drawn.items(), strict=True):
            largest = max(values.max() for values in known.values())
            edges = np.linspace(0, high or max(largest, 1), BINS + 1)
            for name, values in known.items():
                colour = COLOURS[names.index(name) % len(COLOURS)]
                look = {'histtype': 'stepfilled', 'alpha': 0.5, 'edgecolor': colour}
                axes.hist(values, edges, color=colour, linewidth=1.4, **look)
                axes.axvline(np.median(values), color=colour, linestyle='--', linewidth=1.2)
            axes.set(title=title, xlabel=unit, ylabel='clips')
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            light_grid(axes)
        handles = [
            Patch(facecolor=COLOURS[place % len(COLOURS)], alpha=0.7, label=name)
            for place, name in enumerate(names)
        ]
        figure.legend(handles=handles, loc='outside lower center', ncols=3)
    return alt_texts.histograms(drawn, unit, 2 if high == 1 else 0)


def unit_counts(path: str | Path, counts: np.ndarray, units: Sequence[str], rows: Sequence) -> str:
    """Draw how often each action unit stands in each emotion; shade: share of its clips.

    Args:
        path: of the picture.
        counts: int[E, A].
        units: numbers of the action units.
        rows: (emotion, coded clips) of each.

    Returns:
        What is seen, in words.
    """
    clips = np.array([number for _, number in rows])
    titles = [f'{emotion} (n = {number})' for emotion, number in rows]
    with saved(path, 1.9 + 0.2 * len(units)) as figure:
        axes = figure.subplots()
        share = (counts / clips[:, None]).T
        _shaded(axes, share)
        for (row, column), count in np.ndenumerate(counts.T):
            if count:
                ink = ink_on(shade(share[row, column]))
                axes.text(column, row, f'{count}', ha='center', va='center_baseline', color=ink)
        axes.set_yticks(range(len(units)), units)
        axes.set_xticks(range(len(rows)), titles, rotation=35, ha='right')
        axes.set(ylabel='action unit')
        colour_bar(figure, axes, 'share of the clips of an emotion')
    return alt_texts.unit_counts(counts, units, rows)


def unit_pairs(path: str | Path, pairs: Mapping[str, np.ndarray], units: Sequence[str]) -> str:
    """Draw how often two action units stand together, a picture for each emotion.

    Args:
        path: of the picture.
        pairs: {emotion with its clips: int[A, A]}; the diagonal counts each unit.
        units: numbers of the action units; the most frequent UNITS of them are drawn.

    Returns:
        What is seen, in words.
    """
    total = np.sum(list(pairs.values()), axis=0).diagonal()
    chosen = np.sort(np.argsort(-total, kind='stable')[:UNITS])
    names = [units[place] for place in chosen]
    lines = -(-len(pairs) // IN_ROW)
    with saved(path, 2.5 * lines + 0.6) as figure:
        grid = figure.subplots(lines, IN_ROW, squeeze=False)
        for axes in grid.flat[len(pairs) :]:
            axes.axis('off')
        for axes, (title, table) in zip(grid.flat, pairs.items(), strict=False):
            _shaded(axes, table[np.ix_(chosen, chosen)] / max(table.max(), 1))
            axes.set_title(wrapped(title, LETTERS // IN_ROW - 4))
            axes.set_xticks(range(len(names)), names, rotation=90)
            axes.set_yticks(range(len(names)), names)
        colour_bar(figure, grid, 'share of the most frequent unit of an emotion')
    return alt_texts.unit_pairs(pairs, units)


def _shaded(axes, share):
    """A table of shares in colours."""
    axes.imshow(share, cmap=SHARES, vmin=0, vmax=1, aspect='auto')
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def motion(path: str | Path, panels: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> str:
    """Draw how much moves in each channel: a box for each class and pair of frames.

    Boxes go from quarter to quarter of the clips, whiskers to the 5th and 95th of a hundred.

    Args:
        path: of the picture.
        panels: {channel: {pair of frames: {class: float[n] without NaN}}}.

    Returns:
        What is seen, in words.
    """
    pairs = list(dict.fromkeys(pair for groups in panels.values() for pair in groups))
    with saved(path, 1.7 * len(panels) + 1.2) as figure:
        grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
        for axes, (channel, groups) in zip(grid, panels.items(), strict=True):
            titles = list(next(iter(groups.values())))
            for pair, values in groups.items():
                number = pairs.index(pair)
                shift = 0.26 * (number - (len(pairs) - 1) / 2)
                _boxes(axes, list(values.values()), shift, COLOURS[number])
            axes.set(title=channel, ylim=(0, None))
            axes.set_xticks(range(len(titles)), titles, rotation=35, ha='right')
            light_grid(axes)
        handles = [
            Patch(facecolor=COLOURS[place], alpha=0.6, label=pair)
            for place, pair in enumerate(pairs)
        ]
        figure.legend(handles=handles, loc='outside lower center')
    return alt_texts.motion_by_class(panels)


def _boxes(axes, values, shift, colour):
    """Boxes of several groups beside each other."""
    axes.boxplot(
        values,
        positions=np.arange(len(values)) + shift,
        widths=0.22,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        manage_ticks=False,
        boxprops={'facecolor': colour, 'alpha': 0.6, 'linewidth': 0.8},
        medianprops={'color': INK, 'linewidth': 1.6},
    )
