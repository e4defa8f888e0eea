"""Pictures of a run, made from its tables: each function writes one file (.svg or .png by its
suffix) in one step.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers; no state of
matplotlib is changed.
"""

import contextlib
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mer_jax.report import scenarios
from mer_jax.runfiles import writing

COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#F0E442', '#000000')
TITLES = {'accuracy': 'accuracy', 'uf1': 'UF1', 'uar': 'UAR'}
STYLE = {
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'font.size': 10,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': '#8a94a0',
    'axes.labelcolor': '#3c4650',
    'axes.titlesize': 11,
    'axes.titlecolor': '#3c4650',
    'xtick.color': '#3c4650',
    'ytick.color': '#3c4650',
    'legend.frameon': False,
    'svg.hashsalt': 'run',
    'svg.fonttype': 'path',
}
PER_ROW = 48
# sets of action units that stand out in a feature plot, and how each is marked
MARKERS = 'os^DvPX<>*'


def confusion(path, counts, classes) -> None:
    """Confusion matrix [K, K] (rows truth): counts, and the share of each row as percentage and
    shade.
    """
    counts = np.asarray(counts, int)
    truth = counts.sum(1, keepdims=True)
    share = np.divide(counts, truth, out=np.zeros(counts.shape), where=truth > 0)
    k = len(classes)
    side = max(1.05 * k if k < 5 else 0.85 * k, 3.2)
    with saved(path, (side + 1.9, side + 0.6)) as figure:
        axes = figure.subplots()
        axes.imshow(share, cmap='Blues', vmin=0, vmax=1)
        axes.set_xticks(
            range(k), classes, rotation=35 if k > 4 else 0, ha='right' if k > 4 else 'center'
        )
        axes.set_yticks(
            range(k), [f'{title}\n(n = {n})' for title, n in zip(classes, truth[:, 0], strict=True)]
        )
        axes.set(xlabel='predicted', ylabel='truth')
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
        axes.grid(which='minor', color='white', linewidth=2.5)
        axes.tick_params(which='minor', length=0)
        for (row, column), count in np.ndenumerate(counts):
            ink = 'white' if share[row, column] > 0.65 else '#1d2733'
            at = {'ha': 'center', 'color': ink}
            axes.text(
                column, row - 0.03, f'{count}', va='bottom', fontsize=13, fontweight='bold', **at
            )
            axes.text(
                column, row + 0.08, f'{100 * share[row, column]:.0f} %', va='top', fontsize=9, **at
            )


def curves(path, records) -> None:
    """Training loss and accuracy by epoch: mean over runs, band from the smallest to the largest
    run.

    records: dictionaries with epoch, runs, loss, loss_min, loss_max, accuracy, accuracy_min,
    accuracy_max; None is a gap. Records of one epoch belong to groups of runs and are joined.
    """
    panels = [
        name
        for name in ('loss', 'accuracy')
        if any(record.get(name) is not None for record in records)
    ]
    with saved(path, (4.9 * max(len(panels), 1), 3.1)) as figure:
        grid = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for axes, name, colour in zip(grid, panels, COLOURS, strict=False):
            epoch, middle, low, high = _joined(records, name)
            axes.fill_between(
                epoch,
                low,
                high,
                color=colour,
                alpha=0.2,
                linewidth=0,
                label='smallest to largest run',
            )
            axes.plot(epoch, middle, color=colour, label='mean over runs', **_marker(epoch))
            axes.set(xlabel='epoch', title=f'training {name}')
            light_grid(axes)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylim(*((0, 1.02) if name == 'accuracy' else (min(0, np.nanmin(middle)), None)))
            axes.legend(fontsize=8.5)


def subjects(path, per_subject) -> None:
    """Accuracy of every left-out subject, best first, coloured by data set, its clip count above
    the bar.

    per_subject: dictionaries with dataset, subject, clips, accuracy.
    """
    order = sorted(
        per_subject,
        key=lambda one: (-one['accuracy'], -one['clips'], one['dataset'], one['subject']),
    )
    colour = _dataset_colours(per_subject)
    # rows of one length, so none ends almost empty
    width = -(-len(order) // -(-len(order) // PER_ROW))
    rows = [order[start : start + width] for start in range(0, len(order), width)]
    with saved(path, (10, 2.6 * len(rows) + 0.3)) as figure:
        grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
        for axes, row in zip(grid, rows, strict=True):
            places = np.arange(len(row))
            heights = [one['accuracy'] for one in row]
            axes.bar(places, heights, color=[colour[one['dataset']] for one in row], width=0.78)
            for place, one in zip(places, row, strict=True):
                axes.text(
                    place,
                    one['accuracy'] + 0.015,
                    f'{one["clips"]:g}',
                    ha='center',
                    fontsize=7,
                    color='#3c4650',
                )
            axes.set_xticks(places, [one['subject'] for one in row], rotation=90, fontsize=7.5)
            axes.tick_params(axis='x', length=0)
            axes.set(xlim=(-0.8, width - 0.2), ylim=(0, 1.09), ylabel='accuracy')
            light_grid(axes)
        handles = [Patch(color=shade, label=title) for title, shade in colour.items()]
        figure.legend(handles=handles, loc='outside upper right', ncols=len(handles), fontsize=9)


def datasets(path, per_dataset, metrics, intervals) -> None:
    """UF1, UAR and accuracy of each data set and of all together, whiskers from the bootstrap over
    subjects.

    per_dataset: {name: {n, measures, intervals}}; metrics, intervals: those of all rows; an
    interval may be None.
    """
    groups = {f'{title}\n(n = {block["n"]:g})': block for title, block in per_dataset.items()}
    if len(groups) > 1:
        groups['all'] = {**metrics, 'intervals': intervals}
    with saved(path, (min(2.6 + 1.9 * len(groups), 10), 3.2)) as figure:
        axes = figure.subplots()
        for i, (name, title) in enumerate(
            (('uf1', 'UF1'), ('uar', 'UAR'), ('accuracy', 'accuracy'))
        ):
            places = np.arange(len(groups)) + (i - 1) * 0.26
            heights = np.array([_number(block[name]) for block in groups.values()])
            axes.bar(places, heights, width=0.24, color=COLOURS[i], label=title)
            for place, height, block in zip(places, heights, groups.values(), strict=True):
                edges = (block.get('intervals') or {}).get(name) or [height, height]
                axes.plot(
                    [place, place], edges, color='#1d2733', linewidth=1.2, marker='_', markersize=7
                )
                axes.text(
                    place,
                    0.02,
                    f'{height:.2f}',
                    ha='center',
                    va='bottom',
                    fontsize=9,
                    **_on(COLOURS[i]),
                )
        axes.set_xticks(range(len(groups)), groups)
        axes.tick_params(axis='x', length=0)
        axes.set(ylim=(0, 1.02), xlim=(-0.55, len(groups) - 0.45))
        light_grid(axes)
        figure.legend(loc='outside upper right', ncols=3, fontsize=9)


def oracle(path, block) -> None:
    """Held-out UF1 and accuracy of all folds after each epoch, and what choosing epochs on them
    would have claimed.

    block: `oracle_epoch` of results.json.
    """
    with saved(path, (9.8, 3.3)) as figure:
        axes = figure.subplots()
        for name, colour in (('uf1', COLOURS[0]), ('accuracy', COLOURS[1])):
            values = np.array([_number(value) for value in block['per_epoch'][name]])
            epoch = np.arange(1, len(values) + 1)
            axes.plot(
                epoch,
                values,
                color=colour,
                label=f'{TITLES[name]}, every fold at this epoch',
                **_marker(epoch),
            )
            claimed = _number(block['test_best']['metrics'][name])
            axes.axhline(
                claimed,
                color=colour,
                linestyle='--',
                label=f'{TITLES[name]}, each fold at its own best epoch',
            )
        last = block['last']
        axes.plot(
            last['epoch'],
            _number(last['metrics']['uf1']),
            'o',
            color=COLOURS[0],
            markersize=8,
            clip_on=False,
        )
        axes.annotate(
            'reported',
            (last['epoch'], _number(last['metrics']['uf1'])),
            (-8, -14),
            ha='right',
            fontsize=9,
            textcoords='offset points',
        )
        axes.set(xlabel='epoch', ylabel='held-out, pooled', ylim=(0, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        light_grid(axes)
        axes.legend(fontsize=8.5, ncols=2, loc='lower right')


def au_features(path, features, sets) -> str:
    """Features [R, D] in two dimensions by t-SNE, coloured by action units; the caption, or why
    nothing was drawn.

    sets: the action units of each row, a tuple of str, None unknown. The most frequent sets of two
    clips or more get a colour and a mark; sets that share much get neighbouring colours.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 5 or not np.ptp(features, axis=0).any():
        return (
            f'No plot of the features: {len(features)} clips are too few, or their features '
            'are all equal.'
        )
    places = _tsne(features)
    often = Counter(units for units in sets if units is not None).most_common(len(MARKERS))
    named = _chain([units for units, count in often if count > 1])
    colours = dict(
        zip(
            named,
            matplotlib.colormaps['turbo'](np.linspace(0.04, 0.96, max(len(named), 2))),
            strict=False,
        )
    )
    kinds = np.array([named.index(u) if u in named else -1 if u is not None else -2 for u in sets])
    with saved(path, (7.6, 4.6)) as figure:
        axes = figure.subplots()
        for kind, units in enumerate(named):
            look = {
                'marker': MARKERS[kind],
                'color': colours[units],
                's': 34,
                'zorder': 3,
                'edgecolor': 'white',
            }
            _dots(axes, places[kinds == kind], scenarios.unit_title(units), **look)
        _dots(axes, places[kinds == -1], 'other', color='#c3cad2', s=20, edgecolor='white')
        _dots(axes, places[kinds == -2], 'unknown', color='#9aa4af', s=20, marker='x')
        axes.set_aspect('equal', adjustable='datalim')
        axes.set(xticks=[], yticks=[], xlabel='t-SNE of the weighted action-unit features')
        axes.xaxis.label.set_fontsize(9)
        axes.spines[:].set_visible(True)
        figure.legend(
            loc='outside right upper',
            fontsize=8.5,
            title='action units (clips)',
            title_fontsize=8.5,
        )
    return (
        'Each mark is a held-out clip: the weighted action-unit features of its network, in two '
        'dimensions by t-SNE. Clips '
        'stand near each other where the features are alike; each fold has its own network. '
        'Directions mean nothing.'
    )


@contextlib.contextmanager
def saved(path, size):
    """A figure of `size` inches, saved to `path` when the block ends."""
    kind = Path(path).suffix.lstrip('.')
    # a date in the file would change its bytes on every run
    plain = {'Date': None} if kind == 'svg' else {}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout='constrained')
        yield figure
        with writing.replacing(path) as file:
            figure.savefig(file, format=kind, dpi=160, metadata=plain)


def _dots(axes, places, title, **look):
    """Marks at [n, 2] with their count in the legend; none for no place."""
    if len(places):
        axes.scatter(*places.T, label=f'{title} ({len(places)})', linewidths=0.6, **look)


def _tsne(features):
    """[R, 2] of [R, D], R above 4."""
    # here, as it takes longer to load than every other plot to draw
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = 'pca' if features.shape[1] > 1 else 'random'
    perplexity = min(30, (len(features) - 1) / 3)
    # its threads wait for each other: seconds became a minute on a busy machine
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init=start, random_state=0).fit_transform(features)


def _chain(sets):
    """Sets in an order in which neighbours share much: from the first one on, always the most alike
    of the rest.
    """
    order, left = sets[:1], sets[1:]
    while left:
        alike = [
            len({*order[-1]} & {*units}) / max(len({*order[-1]} | {*units}), 1) for units in left
        ]
        order.append(left.pop(int(np.argmax(alike))))
    return order


def _dataset_colours(rows):
    """{data set: colour}, data sets in alphabetical order."""
    titles = sorted({row['dataset'] for row in rows})
    return {title: COLOURS[i % len(COLOURS)] for i, title in enumerate(titles)}


def _joined(records, name):
    """Epochs and mean, minimum and maximum of a figure over all runs, each [E]; records of one
    epoch are its groups.
    """
    keys = ('epoch', 'runs', name, f'{name}_min', f'{name}_max')
    epoch, runs, middle, low, high = np.array(
        [[_number(record.get(key)) for key in keys] for record in records]
    ).T
    epochs, place = np.unique(epoch, return_inverse=True)
    joined = [np.full(len(epochs), fill) for fill in (0.0, np.inf, -np.inf)]
    weight = np.where(np.isnan(runs), 1, runs)
    np.add.at(joined[0], place, middle * weight)
    with np.errstate(invalid='ignore'):  # a diverged run logs null, which is a gap and no warning
        np.minimum.at(joined[1], place, low)
        np.maximum.at(joined[2], place, high)
    return epochs, joined[0] / np.bincount(place, weight), joined[1], joined[2]


def _number(value):
    """A float, NaN for None."""
    return np.nan if value is None else float(value)


def _marker(epoch):
    """Dots where a line of one or two points could not be seen."""
    return {'marker': 'o'} if len(epoch) < 3 else {'linewidth': 1.8}


def light_grid(axes):
    """Horizontal lines behind the data."""
    axes.grid(axis='y', color='#dfe4ea', linewidth=0.8)
    axes.set_axisbelow(True)


def _on(colour):
    """Text colour that can be read on a bar."""
    return {'color': '#1d2733' if colour == COLOURS[1] else 'white'}
