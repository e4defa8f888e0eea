"""Draws which package imports which, from the source: docs/layers.svg and the table beside it.

  python docs/draw_layers.py

The order of the packages is that of tests/layers_test.py.
"""

import collections
import sys
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import layers_test  # noqa: E402

BEGIN, END = '<!-- made by draw_layers.py -->', '<!-- end -->'
PICTURE = ROOT / 'docs' / 'layers.svg'
WIDTH, STEP, ROW = 1.7, 2.0, 1.5  # of a box, from box to box, from layer to layer


def imported() -> dict:
    """{package: names of the packages that it imports, in the order of the layers}."""
    found = collections.defaultdict(set)
    for path in layers_test.FILES:
        own = layers_test.package('.'.join(path.relative_to(ROOT).with_suffix('').parts))
        others = {layers_test.package(module) for module in layers_test.imports(path)}
        found[own] |= {other for other in others if other in layers_test.ORDER and other != own}
    return {name: sorted(found[name], key=layers_test.ORDER.index) for name in layers_test.ORDER}


def table() -> str:
    """The same as a table in Markdown, a line for each package."""
    rows = []
    for package, others in imported().items():
        names = ', '.join(f'`{short(other)}`' for other in others)
        rows.append(f'| `{short(package)}` | {names or "-"} |')
    return '\n'.join(['| package | imports |', '|---|---|', *rows])


def short(package) -> str:
    """'mer_jax.training' -> 'training'."""
    return package.removeprefix('mer_jax.')


def direct(imports) -> dict:
    """The imports less those that a package has by way of another one, and those of layer 0."""
    below = {}
    for package in layers_test.ORDER:
        below[package] = set(imports[package]).union(*(below[other] for other in imports[package]))
    shown = {}
    for package, others in imports.items():
        implied = set().union(*(below[other] for other in others), layers_test.LAYERS[0])
        shown[package] = [other for other in others if other not in implied]
    return shown


def draw() -> None:
    """Write the picture: a box for each package, a line to each that it imports itself."""
    places = {}
    for row, layer in enumerate(layers_test.LAYERS):
        for column, package in enumerate(layer):
            places[package] = ((column - (len(layer) - 1) / 2) * STEP, -row * ROW)
    with matplotlib.rc_context({'svg.hashsalt': 'layers', 'font.size': 9}):
        figure = Figure(figsize=(9, 8.2))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-4.6, 4.6), ylim=(-ROW * len(layers_test.LAYERS) + 0.9, 0.7))
        axes.axis('off')
        for package, others in direct(imported()).items():
            for other in others:
                line(axes, places[package], places[other])
        for package, (x, y) in places.items():
            box = FancyBboxPatch(
                (x - WIDTH / 2, y - 0.25), WIDTH, 0.5, boxstyle='round,pad=0.03', zorder=3
            )
            box.set(facecolor='white', edgecolor='#1d2733')
            axes.add_patch(box)
            axes.text(x, y, short(package), ha='center', va='center', zorder=4)
        figure.savefig(PICTURE, metadata={'Date': None})


def line(axes, start, end) -> None:
    """A line from a package up to one that it imports; along its own layer it goes round."""
    (x, y), (to_x, to_y) = start, end
    level = y == to_y
    begin = (x, y + 0.28)
    arrive = (to_x, to_y + (0.28 if level else -0.28))
    bend = 'arc3,rad=0.25' if level else 'arc3,rad=0'
    arrow = FancyArrowPatch(begin, arrive, connectionstyle=bend, arrowstyle='-|>', zorder=1)
    arrow.set(color='#7f8b98', linewidth=0.6, mutation_scale=7)
    axes.add_patch(arrow)


def main():
    """Write the picture, and the table into architecture.md."""
    draw()
    page = ROOT / 'docs' / 'architecture.md'
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f'{before}{BEGIN}\n\n{table()}\n\n{END}{after}')


if __name__ == '__main__':
    main()
