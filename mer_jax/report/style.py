"""The look of all pictures: sizes, colours, dark mode, colour bars.

A picture is as wide as a phone shows it well, and stacks its panels. Colours of lines and bars are
those of Okabe and Ito, which colour-blind readers can tell apart; maps are drawn in viridis or,
around 0, in coolwarm, which are perceptually uniform. The global state of matplotlib does not
change.
"""

import contextlib
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from mer_jax.report import fonts
from mer_jax.runfiles import writing

# A page shows a picture 282 pixels wide on a phone of 360 pixels: 10 of 310 points are then 9
# pixels. On a wide screen 10 points are 13 pixels.
WIDTH = 4.3  # inches
TEXT = 10  # points, of all text of a picture
LETTERS = 50  # of TEXT in a line across the picture
COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#F0E442', '#000000')
SHARES = 'viridis'  # from nothing to much
SIGNED = 'coolwarm'  # below and above 0
INK, SOFT, EDGE, GRID, PAPER = '#3c4650', '#5b6875', '#8a94a0', '#dfe4ea', '#ffffff'
# Text on coloured cells stays as it is in dark mode.
ON_DARK, ON_BRIGHT = '#fefefe', '#0b1016'
BLACK = COLOURS[7]
# Those of templates/style.css on a dark page.
AFTER_DARK = {
    INK: '#d6dde4',
    SOFT: '#a7b2bd',
    EDGE: '#6e7681',
    GRID: '#3a424c',
    PAPER: '#161b22',
    BLACK: '#f0f3f6',
    COLOURS[0]: '#3395d6',
}
STYLE = {
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'font.size': TEXT,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': EDGE,
    'axes.facecolor': PAPER,
    'axes.labelcolor': INK,
    'axes.titlesize': TEXT,
    'axes.titlecolor': INK,
    'axes.titleweight': 'bold',
    'figure.facecolor': PAPER,
    'legend.fontsize': TEXT,
    'legend.frameon': False,
    'legend.labelcolor': INK,
    'svg.fonttype': 'path',
    'svg.hashsalt': 'run',
    'text.color': INK,
    'text.parse_math': False,
    'xtick.color': INK,
    'ytick.color': INK,
}


def _dark_rules():
    """CSS that exchanges colours of a picture where the reader prefers dark pages."""
    rules = []
    for light, dark in AFTER_DARK.items():
        for key in ('fill', 'stroke'):
            rules.append(f'[style*="{key}: {light.lower()}"]{{{key}:{dark} !important}}')
    return '@media (prefers-color-scheme: dark){' + ''.join(rules) + '}'


DARK_RULES = _dark_rules().encode()


@contextlib.contextmanager
def saved(path: str | Path, height: float, width: float = WIDTH) -> Iterator[Figure]:
    """Give a figure; save it after the block.

    An SVG picture holds its dark version; a PNG picture keeps its light ground.

    Args:
        path: of the picture.
        height, width: in inches.
    """
    suffix = Path(path).suffix.lstrip('.')
    # A date in the file would change its bytes on every run.
    metadata = {'Date': None} if suffix == 'svg' else {}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout='constrained')
        yield figure
        drawn, letters = _drawn(figure, suffix, metadata)
        if letters and fonts.add(figure, letters):
            drawn, _ = _drawn(figure, suffix, metadata)
        if suffix == 'svg':
            drawn = drawn.replace(b'</style>', DARK_RULES + b'</style>', 1)
        with writing.replacing(path) as file:
            file.write(drawn)


def _drawn(figure, suffix, metadata):
    """Return a figure as the bytes of a file, and the letters that its font lacks."""
    content = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        figure.savefig(content, format=suffix, dpi=200, metadata=metadata)
    return content.getvalue(), fonts.lacking(caught)


def light_grid(axes: Axes, along: str = 'y') -> None:
    """Draw thin lines behind the data.

    Args:
        axes: to draw on.
        along: the axis whose ticks have lines.
    """
    axes.grid(axis=along, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def shade(share: np.ndarray) -> np.ndarray:
    """Return the colours of shares.

    Args:
        share: float[...] of 0..1.

    Returns:
        float[..., 3] RGB of 0..1.
    """
    return np.asarray(matplotlib.colormaps[SHARES](np.clip(share, 0, 1)))[..., :3]


def ramp(colours: str = SHARES) -> np.ndarray:
    """Return the colours of a map from end to end, float[256, 3] of 0..1."""
    return matplotlib.colormaps[colours](np.linspace(0, 1, 256))[:, :3]


def ink_on(colour: str | np.ndarray) -> str:
    """Return the text colour that can be read on a colour.

    Args:
        colour: a name, or RGB of 0..1.
    """
    red, green, blue = np.power(matplotlib.colors.to_rgb(colour), 2.2)
    # Relative luminance; at .19 both have the same contrast, 4.4 (WCAG 2.2).
    return ON_BRIGHT if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.19 else ON_DARK


def colour_bar(figure: Figure, axes: Axes | np.ndarray, title: str, colours: str = SHARES) -> None:
    """Draw the colours of shares from 0 to 100 % below a picture.

    Args:
        figure: that holds the axes.
        axes: whose colours are explained.
        title: what the share is of.
        colours: the map.
    """
    mappable = ScalarMappable(matplotlib.colors.Normalize(0, 1), colours)
    bar = figure.colorbar(mappable, ax=axes, location='bottom', aspect=30, pad=0.02, label=title)
    bar.set_ticks([0, 0.5, 1], labels=['0 %', '50 %', '100 %'])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.solids.set_rasterized(True)  # as paths its steps would be most of the file


def wrapped(text: str, letters: int) -> str:
    """Break text into lines, at a blank or after a sign.

    Args:
        text: to break; its line breaks stay.
        letters: of a line.
    """
    letters = max(letters, 8)
    lines = []
    for line in text.split('\n'):
        words = []
        for word in line.split(' '):
            long = len(word) > letters
            words.append(re.sub('([/,_=+-])(?=.)', '\\1\f', word) if long else word)
        look = {'replace_whitespace': False, 'break_on_hyphens': False}
        lines += textwrap.wrap(' '.join(words), letters, **look)
    return '\n'.join(lines).replace('\f', '')
