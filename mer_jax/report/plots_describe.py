"""Pictures of the page about a data set (studies/describe.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mer_jax.report.plots import COLOURS, DARK_INK, INK, PER_ROW, light_grid, saved

BINS = 24  # of a histogram
UNITS = 14  # action units of a picture of pairs, the most frequent ones
IN_ROW = 3  # pictures of pairs beside each other


def classes(path: str | Path, counts: np.ndarray, datasets: Sequence, titles: Sequence) -> None:
    """Draw the clips of each class, a bar for each data set.

    Args:
        path: of the picture.
        counts: int[D, K].
        datasets, titles: names of the data sets and classes.
    """
    with saved(path, (min(3 + 1.1 * len(titles), 10), 3.2)) as figure:
        axes = figure.subplots()
        width = 0.8 / len(datasets)
        for place, (name, row) in enumerate(zip(datasets, counts, strict=True)):
            shift = (place - (len(datasets) - 1) / 2) * width
            bars = axes.bar(
                np.arange(len(titles)) + shift,
                row,
                width=0.92 * width,
                color=COLOURS[place % len(COLOURS)],
                label=f'{name} (n = {sum(row)})',
            )
            axes.bar_label(bars, fontsize=8.5, color=INK, padding=1)
        axes.set_xticks(range(len(titles)), titles)
        axes.tick_params(axis='x', length=0)
        axes.set(ylabel='clips')
        axes.margins(y=0.12)
        light_grid(axes)
        figure.legend(loc='outside upper right', ncols=len(datasets), fontsize=9)


def subjects(path: str | Path, rows: Sequence[dict], titles: Sequence[str]) -> None:
    """Draw the clips of each subject, coloured by class, most clips first.

    Args:
        path: of the picture.
        rows: dictionaries with dataset, subject and clips, a number for each class.
        titles: of the classes.
    """
    order = sorted(rows, key=lambda row: (row['dataset'], -sum(row['clips']), row['subject']))
    width = -(-len(order) // -(-len(order) // PER_ROW))
    lines = [order[start : start + width] for start in range(0, len(order), width)]
    with saved(path, (10, 2.7 * len(lines) + 0.4)) as figure:
        grid = figure.subplots(len(lines), 1, squeeze=False, sharey=True)[:, 0]
        for axes, line in zip(grid, lines, strict=True):
            _subject_bars(axes, line, len(titles))
            axes.set(xlim=(-0.8, width - 0.2), ylabel='clips')
        handles = [
            Patch(color=COLOURS[place % len(COLOURS)], label=title)
            for place, title in enumerate(titles)
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=4, fontsize=9)


def _subject_bars(axes, line, count):
    """Bars of some subjects, and the names of their data sets above them."""
    places, below = np.arange(len(line)), np.zeros(len(line))
    for place in range(count):
        heights = np.array([row['clips'][place] for row in line])
        colour = COLOURS[place % len(COLOURS)]
        axes.bar(places, heights, bottom=below, width=0.78, color=colour)
        below += heights
    axes.set_xticks(places, [row['subject'] for row in line], rotation=90, fontsize=7.5)
    axes.tick_params(axis='x', length=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    light_grid(axes)
    before = None
    for place, row in enumerate(line):
        if row['dataset'] != before:
            before = row['dataset']
            if place:
                axes.axvline(place - 0.5, color='#8a94a0', linewidth=0.8)
            look = {'fontsize': 8.5, 'color': INK, 'va': 'bottom'}
            axes.text(place - 0.4, 1.01, before, transform=axes.get_xaxis_transform(), **look)


def histograms(
    path: str | Path,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    unit: str,
    high: float | None = None,
) -> None:
    """Draw a histogram of each quantity, a line for each data set.

    Args:
        path: of the picture.
        panels: {title: {data set: float[n]}}; NaN is left out, and so is a panel without a value.
        unit: of the values.
        high: where the axis ends; None: at the largest value of a panel.
    """
    drawn = {}
    for title, groups in panels.items():
        known = {name: values[~np.isnan(values)] for name, values in groups.items()}
        known = {name: values for name, values in known.items() if len(values)}
        if known:
            drawn[title] = known
    names = list(dict.fromkeys(name for known in drawn.values() for name in known))
    with saved(path, (3.4 * len(drawn) + 0.4, 3.0)) as figure:
        grid = figure.subplots(1, len(drawn), squeeze=False)[0]
        for axes, (title, known) in zip(grid, drawn.items(), strict=True):
            largest = max(values.max() for values in known.values())
            edges = np.linspace(0, high or max(largest, 1), BINS + 1)
            for name, values in known.items():
                colour = COLOURS[names.index(name) % len(COLOURS)]
                look = {'histtype': 'stepfilled', 'alpha': 0.35, 'edgecolor': colour}
                axes.hist(values, edges, color=colour, linewidth=1.4, **look)
                axes.axvline(np.median(values), color=colour, linestyle='--', linewidth=1.2)
            axes.set(title=title, xlabel=unit, ylabel='clips')
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            light_grid(axes)
        handles = [
            Patch(facecolor=COLOURS[place % len(COLOURS)], alpha=0.5, label=name)
            for place, name in enumerate(names)
        ]
        figure.legend(handles=handles, loc='outside lower center', ncols=len(names), fontsize=9)


def unit_counts(path: str | Path, counts: np.ndarray, units: Sequence[str], rows: Sequence) -> None:
    """Draw how often each action unit stands in each emotion; shade: share of its clips.

    Args:
        path: of the picture.
        counts: int[E, A].
        units: numbers of the action units.
        rows: (emotion, coded clips) of each.
    """
    clips = np.array([number for _, number in rows])
    titles = [f'{emotion} (n = {number})' for emotion, number in rows]
    with saved(path, (2.4 + 0.36 * len(units), 1.1 + 0.36 * len(rows))) as figure:
        axes = figure.subplots()
        _table_of_counts(axes, counts, counts / clips[:, None])
        axes.set_xticks(range(len(units)), units)
        axes.set_yticks(range(len(rows)), titles)
        axes.set(xlabel='action unit')


def unit_pairs(path: str | Path, pairs: Mapping[str, np.ndarray], units: Sequence[str]) -> None:
    """Draw in how many clips two action units stand together, a picture for each emotion.

    Args:
        path: of the picture.
        pairs: {emotion with its clips: int[A, A]}.
        units: numbers of the action units; the most frequent UNITS of them are drawn.
    """
    total = np.sum(list(pairs.values()), axis=0).diagonal()
    chosen = np.sort(np.argsort(-total, kind='stable')[:UNITS])
    names = [units[place] for place in chosen]
    lines, side = -(-len(pairs) // IN_ROW), 0.7 + 0.2 * len(chosen)
    columns = min(len(pairs), IN_ROW)
    with saved(path, (side * columns + 0.3, (side + 0.25) * lines)) as figure:
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in grid[len(pairs) :]:
            axes.axis('off')
        for axes, (title, table) in zip(grid, pairs.items(), strict=False):
            table = table[np.ix_(chosen, chosen)]
            _table_of_counts(axes, table, table / max(table.max(), 1), size=6)
            axes.set_title(title, fontsize=9)
            axes.set_xticks(range(len(names)), names, fontsize=7)
            axes.set_yticks(range(len(names)), names, fontsize=7)


def _table_of_counts(axes, counts, shade, size=8):
    """Counts on a shaded table, without those of 0."""
    axes.imshow(shade, cmap='Blues', vmin=0, vmax=1, aspect='auto')
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = 'white' if shade[row, column] > 0.6 else DARK_INK
            look = {'ha': 'center', 'va': 'center', 'fontsize': size, 'color': ink}
            axes.text(column, row, f'{count}', **look)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def motion(path: str | Path, panels: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> None:
    """Draw how much moves in each channel: a box for each class and pair of frames.

    Boxes go from quarter to quarter of the clips, whiskers to the 5th and 95th of a hundred.

    Args:
        path: of the picture.
        panels: {channel: {pair of frames: {class: float[n] without NaN}}}.
    """
    pairs = list(dict.fromkeys(pair for groups in panels.values() for pair in groups))
    with saved(path, (2.5 * len(panels) + 0.3, 3.3)) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (channel, groups) in zip(grid, panels.items(), strict=True):
            titles = list(next(iter(groups.values())))
            for pair, values in groups.items():
                number = pairs.index(pair)
                shift = 0.26 * (number - (len(pairs) - 1) / 2)
                _boxes(axes, list(values.values()), shift, COLOURS[number])
            axes.set(title=channel, ylim=(0, None))
            axes.set_xticks(range(len(titles)), titles, rotation=35, ha='right', fontsize=8.5)
            light_grid(axes)
        handles = [
            Patch(facecolor=COLOURS[place], alpha=0.6, label=pair)
            for place, pair in enumerate(pairs)
        ]
        figure.legend(handles=handles, loc='outside lower center', ncols=len(pairs), fontsize=9)


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
        medianprops={'color': DARK_INK, 'linewidth': 1.4},
    )
