"""Draws which package imports which, from the source: docs/layers.svg and the table beside it.

  python docs/draw_layers.py

The order of the packages is that of tests/layers_test.py.
"""

import collections
import sys
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import layers_test  # noqa: E402

BEGIN, END = '<!-- made by draw_layers.py -->', '<!-- end -->'
PICTURE = ROOT / 'docs' / 'layers.svg'
WIDTH, STEP, ROW = 1.7, 2.0, 1.3  # of a box, from box to box, from line to line
IN_LINE = 4  # boxes; as many can be read on a phone


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
    """Write the picture: a box for each package, a line to each that it imports itself.

    The first layer, which all import, is one box.
    """
    lines = []
    for layer in layers_test.LAYERS[1:]:
        lines += [layer[first : first + IN_LINE] for first in range(0, len(layer), IN_LINE)]
    places = {}
    for row, packages in enumerate(lines, start=1):
        for column, package in enumerate(packages):
            places[package] = ((column - (len(packages) - 1) / 2) * STEP, -row * ROW)
    with matplotlib.rc_context({'svg.hashsalt': 'layers', 'font.size': 9}):
        figure = Figure(figsize=(5.4, 7))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-4.1, 4.1), ylim=(-ROW * len(lines) - 0.4, 0.6))
        axes.axis('off')
        for package, others in direct(imported()).items():
            for other in others:
                line(axes, places[package], places[other])
        for package, (x, y) in places.items():
            box(axes, short(package), x, y, WIDTH)
        first = ', '.join(map(short, layers_test.LAYERS[0]))
        box(axes, textwrap.fill(first, 50), 0, 0, 3 * STEP + WIDTH)
        figure.savefig(PICTURE, metadata={'Date': None})


def box(axes, text, x, y, width) -> None:
    """A box with a text, about a point."""
    frame = FancyBboxPatch(
        (x - width / 2, y - 0.25), width, 0.5, boxstyle='round,pad=0.03', zorder=3
    )
    frame.set(facecolor='white', edgecolor='#1d2733')
    axes.add_patch(frame)
    axes.text(x, y, text, ha='center', va='center', zorder=4)


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
