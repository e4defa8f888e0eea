"""Plots of a run; each function writes one file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from mer_jax.report import alt_texts, scenarios
from mer_jax.report.style import (
    COLOURS,
    EDGE,
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
from mer_jax.runfiles.explanations import ImportanceRow

TITLES = {'uf1': 'UF1', 'uar': 'UAR', 'accuracy': 'accuracy'}
PER_ROW = 16  # subjects in a row of bars
PERCENT = 5  # classes up to which the cells of a confusion matrix have room for a percentage
SHORT = 0.14  # length of a bar in which its figure has no room
# of the most frequent sets of action units in a feature plot
MARKERS = 'os^DvPX<>*'


def confusion(path: str | Path, counts: ArrayLike, classes: Sequence[str]) -> str:
    """Draw a confusion matrix: counts, and shares of each row.

    Args:
        path: of the picture.
        counts: [K, K], rows are the truth.
        classes: names.

    Returns:
        What is seen, in words.
    """
    counts = np.asarray(counts, int)
    truth = counts.sum(1, keepdims=True)
    share = np.divide(counts, truth, out=np.zeros(counts.shape), where=truth > 0)
    k = len(classes)
    with saved(path, 1.6 + max(0.75 * k if k <= PERCENT else 0.5 * k, 1.5)) as figure:
        axes = figure.subplots()
        axes.imshow(share, cmap=SHARES, vmin=0, vmax=1, aspect='auto')
        _confusion_axes(axes, classes, truth[:, 0])
        for (row, column), count in np.ndenumerate(counts):
            look = {'ha': 'center', 'color': ink_on(shade(share[row, column]))}
            if k > PERCENT:
                axes.text(column, row, f'{count}', va='center', **look)
                continue
            percent = f'{100 * share[row, column]:.0f} %'
            number = {'va': 'bottom', 'fontsize': 13, 'fontweight': 'bold'}
            axes.text(column, row - 0.03, f'{count}', **number, **look)
            axes.text(column, row + 0.08, percent, va='top', **look)
        colour_bar(figure, axes, 'share of the clips of a row')
    return alt_texts.confusion(counts, classes)


def _confusion_axes(axes, classes, truth):
    """Name rows and columns; draw lines between the cells."""
    k = len(classes)
    wide = sum(map(len, classes)) + 2 * k > 36  # letters below the matrix
    axes.set_xticks(range(k), classes, rotation=35 if wide else 0, ha='right' if wide else 'center')
    titles = [f'{title}\n(n = {n})' for title, n in zip(classes, truth, strict=True)]
    axes.set_yticks(range(k), titles)
    axes.set(xlabel='predicted', ylabel='truth')
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which='minor', color=PAPER, linewidth=2.5)
    axes.tick_params(which='minor', length=0)


def curves(path: str | Path, records: Sequence[dict]) -> str:
    """Draw training loss above accuracy by epoch.

    Mean over runs, with a band from the smallest to the largest run.

    Args:
        path: of the picture.
        records: dictionaries with epoch, runs, loss, loss_min, loss_max, accuracy, accuracy_min,
            accuracy_max; None is a gap. Several records of an epoch are those of groups of runs.

    Returns:
        What is seen, in words.
    """
    panels = []
    for name in ('loss', 'accuracy'):
        if any(record.get(name) is not None for record in records):
            panels.append(name)
    count = max(len(panels), 1)
    drawn = {}
    with saved(path, 0.4 + 1.9 * count) as figure:
        grid = figure.subplots(count, 1, squeeze=False, sharex=True)[:, 0]
        for axes, name in zip(grid, panels, strict=False):
            epoch, middle, low, high = join_groups(records, name)
            drawn[name] = epoch, middle
            band = {'color': COLOURS[0], 'alpha': 0.25, 'linewidth': 0}
            axes.fill_between(epoch, low, high, label='smallest to largest', **band)
            axes.plot(epoch, middle, color=COLOURS[0], label='mean over runs', **_marker(epoch))
            axes.set(title=f'training {name}')
            light_grid(axes)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            if name == 'accuracy':
                axes.set_ylim(0, 1.02)
            else:
                axes.set_ylim(min(0, np.nanmin(middle)), None)
        grid[-1].set_xlabel('epoch')
        if panels:
            handles = grid[0].get_legend_handles_labels()
            figure.legend(*handles, loc='outside lower center', ncols=2)
    return alt_texts.curves(drawn)


def subjects(path: str | Path, per_subject: Sequence[dict]) -> str:
    """Draw the accuracy of every left-out subject, best first.

    Colours show the data set, figures above the bars the number of clips.

    Args:
        path: of the picture.
        per_subject: dictionaries with dataset, subject, clips, accuracy.

    Returns:
        What is seen, in words.
    """

    def rank(row: dict) -> tuple:
        return -row['accuracy'], -row['clips'], row['dataset'], row['subject']

    order = sorted(per_subject, key=rank)
    colour = _dataset_colours(per_subject)
    # Rows of equal length, so that the last is not almost empty.
    width = -(-len(order) // -(-len(order) // PER_ROW))
    rows = [order[start : start + width] for start in range(0, len(order), width)]
    with saved(path, 1.7 * len(rows) + 0.3) as figure:
        grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
        for axes, row in zip(grid, rows, strict=True):
            _subject_bars(axes, row, colour)
            axes.set(xlim=(-0.8, width - 0.2), ylim=(0, 1.15), ylabel='accuracy')
            axes.set_yticks([0, 0.5, 1])
            light_grid(axes)
        handles = [Patch(color=shade, label=title) for title, shade in colour.items()]
        figure.legend(handles=handles, loc='outside upper right', ncols=3)
    return alt_texts.subjects(per_subject)


def _subject_bars(axes, subjects, colour):
    positions = np.arange(len(subjects))
    heights = [subject['accuracy'] for subject in subjects]
    shades = [colour[subject['dataset']] for subject in subjects]
    axes.bar(positions, heights, color=shades, width=0.78)
    for position, subject in zip(positions, subjects, strict=True):
        clips = f'{subject["clips"]:g}'
        axes.text(position, subject['accuracy'] + 0.015, clips, ha='center')
    names = [subject['subject'] for subject in subjects]
    axes.set_xticks(positions, names, rotation=90)
    axes.tick_params(axis='x', length=0)


def datasets(path: str | Path, per_dataset: dict[str, dict], metrics: dict, intervals: dict) -> str:
    """Draw UF1, UAR and accuracy per data set.

    Whiskers come from the bootstrap over subjects.

    Args:
        path: of the picture.
        per_dataset: {name: {n, metrics, intervals}}.
        metrics, intervals: those of all rows; an interval may be None.

    Returns:
        What is seen, in words.
    """
    groups = {f'{title}\n(n = {block["n"]:g})': block for title, block in per_dataset.items()}
    if len(groups) > 1:
        groups['all'] = {**metrics, 'intervals': intervals}
    with saved(path, 0.8 + 0.85 * len(groups)) as figure:
        axes = figure.subplots()
        for i, (name, title) in enumerate(TITLES.items()):
            positions = np.arange(len(groups)) + (i - 1) * 0.28
            lengths = np.array([_number(block[name]) for block in groups.values()])
            axes.barh(positions, lengths, height=0.26, color=COLOURS[i], label=title)
            for position, length, block in zip(positions, lengths, groups.values(), strict=True):
                edges = (block.get('intervals') or {}).get(name) or [length, length]
                whisker = {'linewidth': 1.2, 'marker': '|', 'markersize': 7}
                axes.plot(edges, [position, position], color=INK, **whisker)
                left, ink = 0.015, ink_on(COLOURS[i])
                if length < SHORT:
                    left, ink = max(edges) + 0.02, INK
                look = {'va': 'center_baseline', 'color': ink}
                axes.text(left, position, f'{length:.2f}', **look)
        axes.set_yticks(range(len(groups)), groups)
        axes.tick_params(axis='y', length=0)
        axes.set(xlim=(0, 1.02), ylim=(len(groups) - 0.45, -0.55))
        light_grid(axes, 'x')
        figure.legend(loc='outside upper right', ncols=3)
    return alt_texts.datasets(per_dataset, metrics)


def reliability(path: str | Path, bins: dict[str, Sequence[dict]]) -> str:
    """Draw the accuracy of rows against the confidence of their scores.

    Scores on the diagonal are probabilities. The size of a mark grows with its number of rows.

    Args:
        path: of the picture.
        bins: {title: [{rows, confidence, accuracy}]}; one without rows is not drawn.

    Returns:
        What is seen, in words.
    """
    with saved(path, 4.1) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, linestyle=':', linewidth=1)
        for colour, mark, (title, of_scores) in zip(COLOURS, 'os^', bins.items(), strict=False):
            filled = [one for one in of_scores if one['rows']]
            rows = np.array([one['rows'] for one in filled])
            confidence = [one['confidence'] for one in filled]
            accuracy = [one['accuracy'] for one in filled]
            axes.plot(confidence, accuracy, color=colour, linewidth=1)
            look = {'s': 15 + 150 * rows / rows.sum(), 'color': colour, 'marker': mark}
            axes.scatter(confidence, accuracy, label=title, clip_on=False, zorder=3, **look)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel='confidence', ylabel='accuracy')
        light_grid(axes)
        figure.legend(loc='outside lower center', ncols=2)
    return alt_texts.reliability(bins)


def oracle(path: str | Path, block: dict) -> str:
    """Draw held-out UF1 and accuracy after each epoch.

    Dashed lines show what choosing epochs by them would claim.

    Args:
        path: of the picture.
        block: `oracle_epoch` of results.json.

    Returns:
        What is seen, in words.
    """
    with saved(path, 3.9) as figure:
        axes = figure.subplots()
        for name, colour in (('uf1', COLOURS[0]), ('accuracy', COLOURS[1])):
            values = np.array([_number(value) for value in block['per_epoch'][name]])
            epoch = np.arange(1, len(values) + 1)
            title = f'{TITLES[name]}, every fold at this epoch'
            axes.plot(epoch, values, color=colour, label=title, **_marker(epoch))
            claimed = _number(block['test_best']['metrics'][name])
            title = f'{TITLES[name]}, each fold at its best epoch'
            axes.axhline(claimed, color=colour, linestyle='--', label=title)
        epoch = block['last']['epoch']
        uf1 = _number(block['last']['metrics']['uf1'])
        axes.plot(epoch, uf1, 'o', color=COLOURS[0], markersize=8, clip_on=False)
        look = {'ha': 'right', 'textcoords': 'offset points'}
        axes.annotate('reported', (epoch, uf1), (-8, -16), **look)
        axes.set(xlabel='epoch', ylabel='held-out, pooled', ylim=(0, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        light_grid(axes)
        figure.legend(loc='outside lower center')
    return alt_texts.oracle(block)


def au_features(
    path: str | Path,
    features: ArrayLike,
    sets: Sequence[tuple[str, ...] | None],
    *,
    held_out: bool = True,
) -> str:
    """Draw t-SNE of features, coloured by action units.

    The most frequent sets of two clips or more have a colour and a mark each; sets that share many
    units have similar colours.

    Args:
        path: of the picture.
        features: [R, D].
        sets: the action units of each row; None where unknown.
        held_out: False where one network, trained on all clips, makes the features.

    Returns:
        The caption, or why nothing was drawn.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 5 or not np.ptp(features, axis=0).any():
        return (
            f'No plot of the features: {len(features)} clips are too few, or all features are '
            'equal.'
        )
    positions = tsne(features)
    frequent = Counter(units for units in sets if units is not None).most_common(len(MARKERS))
    titled = chain_similar([units for units, count in frequent if count > 1])
    shades = shade(np.linspace(0, 0.95, max(len(titled), 2)))
    kinds = np.array([_kind(units, titled) for units in sets])
    lines = -(-len(titled) // 2) + 2  # of the legend
    with saved(path, 3.6 + 0.2 * lines) as figure:
        axes = figure.subplots()
        for kind, units in enumerate(titled):
            look = {'marker': MARKERS[kind], 'color': shades[kind], 'edgecolor': EDGE}
            title = scenarios.unit_title(units)
            _dots(axes, positions[kinds == kind], title, s=34, zorder=3, **look)
        _dots(axes, positions[kinds == OTHER], 'other', color=PAPER, s=20, edgecolor=SOFT)
        _dots(axes, positions[kinds == UNKNOWN], 'unknown', color=SOFT, s=20, marker='x')
        axes.set_aspect('equal', adjustable='datalim')
        axes.set(xticks=[], yticks=[], xlabel='t-SNE of the weighted action-unit features')
        axes.spines[:].set_visible(True)
        figure.legend(loc='outside lower center', title='action units (clips)', ncols=2)
    finding = alt_texts.neighbours(positions, kinds)
    if not held_out:
        return (
            'No held-out map: one network, trained on all clips, makes the features of all of '
            'them (as Figure 5 of Ruan et al. 2022 is best understood). That clips of equal '
            'action units stand together shows what it was taught, not what it recognises; the '
            f'map by fold shows that. {finding}'
        )
    return (
        'Each mark is a held-out clip: the weighted action-unit features of the network of its '
        'fold, reduced to two dimensions by t-SNE. Clips with similar features are near each '
        'other. Each fold has another network. Directions have no meaning. '
        f'{finding}'
    )


OTHER, UNKNOWN = -1, -2


def _kind(units, titled):
    """Index in `titled`, or OTHER or UNKNOWN."""
    if units is None:
        return UNKNOWN
    return titled.index(units) if units in titled else OTHER


def importance(path: str | Path, rows: Sequence[ImportanceRow]) -> str:
    """Draw the accuracy that each group of features is worth, with its interval.

    Kinds of features stand above regions of the face, each as in the table.

    Returns:
        What is seen, in words.
    """
    kinds = {'features': 'kind of features', 'region': 'region of the face'}
    colours = dict(zip(kinds, COLOURS, strict=False))
    labels = [wrapped(row.group, 28) for row in rows]
    heights = np.array([0.17 * (label.count('\n') + 1) + 0.1 for label in labels])
    positions = np.cumsum(heights) - heights / 2
    with saved(path, 1.2 + heights.sum()) as figure:
        axes = figure.subplots()
        for position, row in zip(positions, rows, strict=True):
            axes.barh(position, row.lost, color=colours[row.kind], height=0.19)
            if row.low is not None:
                axes.plot([row.low, row.high], [position, position], color=INK, linewidth=1.2)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(positions, labels)
        axes.set(ylim=(heights.sum() + 0.05, -0.05), xlabel='accuracy lost without it')
        light_grid(axes, 'x')
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.tick_params(axis='both', length=0)
        drawn = {row.kind for row in rows}
        handles = [
            Patch(color=colours[kind], label=title)
            for kind, title in kinds.items()
            if kind in drawn
        ]
        figure.legend(handles=handles, loc='outside lower right')
    return alt_texts.importance(rows)


def _dots(axes, positions, title, **look):
    """Draw marks at [n, 2], counted in the legend."""
    if len(positions):
        axes.scatter(*positions.T, label=f'{title} ({len(positions)})', linewidths=0.6, **look)


def tsne(features: np.ndarray) -> np.ndarray:
    """Place rows in the plane, similar ones near each other.

    Args:
        features: [R, D], R above 4.

    Returns:
        [R, 2] by t-SNE (scikit-learn), the same at every call.
    """
    # here, as it takes longer to load than every other plot to draw
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = 'pca' if features.shape[1] > 1 else 'random'
    perplexity = min(30, (len(features) - 1) / 3)
    # Its threads wait for each other: seconds became a minute on a busy machine.
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init=start, random_state=0).fit_transform(features)


def chain_similar(sets: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Order sets so that neighbours are similar.

    Each set is followed by the most similar of those that are left.
    """
    order, left = list(sets[:1]), list(sets[1:])
    while left:
        overlaps = [_overlap(order[-1], units) for units in left]
        order.append(left.pop(int(np.argmax(overlaps))))
    return order


def _overlap(first, second):
    """Jaccard index of two sets."""
    first, second = set(first), set(second)
    return len(first & second) / max(len(first | second), 1)


def _dataset_colours(rows):
    """{data set: colour}, data sets in alphabetical order."""
    titles = sorted({row['dataset'] for row in rows})
    return {title: COLOURS[i % len(COLOURS)] for i, title in enumerate(titles)}


def join_groups(
    records: Sequence[dict], name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join the groups of runs of each epoch.

    Args:
        records: as of `curves`.
        name: of the figure.

    Returns:
        Epochs, and mean, minimum and maximum over all runs, [E] each.
    """
    keys = ('epoch', 'runs', name, f'{name}_min', f'{name}_max')
    columns = [[_number(record.get(key)) for record in records] for key in keys]
    epoch, runs, mean, low, high = np.array(columns)
    epochs, index = np.unique(epoch, return_inverse=True)
    weight = np.where(np.isnan(runs), 1, runs)
    total = np.zeros(len(epochs))
    smallest = np.full(len(epochs), np.inf)
    largest = np.full(len(epochs), -np.inf)
    np.add.at(total, index, mean * weight)
    with np.errstate(invalid='ignore'):  # a diverged run logs null, which is a gap
        np.minimum.at(smallest, index, low)
        np.maximum.at(largest, index, high)
    return epochs, total / np.bincount(index, weight), smallest, largest


def _number(value):
    """A float, NaN for None."""
    return np.nan if value is None else float(value)


def _marker(epoch):
    """Use dots where a line has one or two points."""
    return {'marker': 'o'} if len(epoch) < 3 else {'linewidth': 1.8}
