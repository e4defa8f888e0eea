"""Pictures in rows below each other, with titles and colour bars, in one file.

The file is narrow enough for a phone: rows are broken into lines of a few pictures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.report.style import ON_BRIGHT, SOFT, TEXT, WIDTH, saved, wrapped

GAP = 0.06  # inches between pictures
LINE = 0.17  # inches from a line of text to the next
LETTER = 0.08  # inches, the mean width of a letter
BAR = 1.2  # inches, length of a colour bar
IN_LINE = 4  # pictures beside each other


class Group(NamedTuple):
    """Pictures in rows and columns under a title."""

    title: str  # its first line is bold
    columns: list[str]  # titles above the pictures
    labels: list[str]  # above each row; empty for none
    # of uint8[H, W] or uint8[H, W, 3]; None is drawn as 'not shown'
    rows: list[list[np.ndarray | None]]


class Bar(NamedTuple):
    """What the colours of pictures mean."""

    colours: np.ndarray  # [n, 3] RGB, uint8 or float of 0..1
    text: str  # right of the bar: its meaning from the left end to the right


def draw(
    path: str | Path,
    groups: Sequence[Group],
    bars: Sequence[Bar] = (),
    *,
    width: float = WIDTH,
    foot: str = '',
) -> None:
    """Draw groups of pictures below each other.

    Args:
        path: of the file.
        groups: from top to bottom.
        bars: below the pictures.
        width: of the file in inches.
        foot: small print below.
    """
    letters = int(width / LETTER)
    columns = max(min(len(row), IN_LINE) for group in groups for row in group.rows)
    side = (width - GAP) / columns - GAP
    places = _Places(letters)
    for group in groups:
        _place_group(places, group, columns, side)
    for bar in bars:
        places.bar(bar)
    if foot:
        places.text(foot, colour=SOFT)
    with saved(path, places.bottom + GAP, width) as figure:
        figure.set_layout_engine('none')
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis('off')
        for left, top, image in places.images:
            _picture(axes, image, left, top, side)
        for left, top, bar in places.bars:
            extent = (left, left + BAR, top + 0.9 * LINE, top + 0.1 * LINE)
            axes.imshow(bar.colours[None], extent=extent, aspect='auto')
        for left, top, text, look in places.texts:
            axes.text(left, top, text, va='top', linespacing=1.15, **look)
        axes.set(xlim=(0, width), ylim=(places.bottom + GAP, 0), aspect='auto')


class _Places:
    """Where pictures and texts stand, in inches from the left and the top."""

    def __init__(self, letters):
        self.letters = letters  # of a line of text
        self.bottom = GAP
        self.images, self.bars, self.texts = [], [], []

    def text(self, text, *, colour=ON_BRIGHT, bold=False):
        """Lines of text across the file."""
        text = wrapped(text, int(0.88 * self.letters) if bold else self.letters)
        look = {'color': colour, 'fontweight': 'bold' if bold else 'normal'}
        self.texts.append((GAP, self.bottom, text, look))
        self.bottom += LINE * (text.count('\n') + 1) + GAP

    def bar(self, bar):
        """A colour bar, and its text to the right."""
        left = 3 * GAP + BAR
        text = wrapped(bar.text, int(self.letters - left / LETTER))
        self.bars.append((GAP, self.bottom, bar))
        self.texts.append((left, self.bottom, text, {'color': ON_BRIGHT}))
        self.bottom += LINE * (text.count('\n') + 1) + GAP

    def titles(self, titles, side):
        """Titles above pictures."""
        titles = [wrapped(title, int(side / LETTER)) for title in titles]
        for place, title in enumerate(titles):
            look = {'color': ON_BRIGHT, 'ha': 'center'}
            middle = GAP + place * (side + GAP) + side / 2
            self.texts.append((middle, self.bottom, title, look))
        self.bottom += LINE * max(title.count('\n') + 1 for title in titles) + GAP

    def line(self, images, side):
        """Pictures beside each other."""
        for place, image in enumerate(images):
            self.images.append((GAP + place * (side + GAP), self.bottom, image))
        self.bottom += side + GAP


def _place_group(places, group, columns, side):
    """Place a group below what there is."""
    title, _, details = group.title.partition('\n')
    if title:
        places.text(title, bold=True)
    if details:
        places.text(details)
    broken = len(group.columns) > columns
    if group.columns and not broken:
        places.titles(group.columns, side)
    for number, row in enumerate(group.rows):
        if group.labels:
            places.bottom += GAP
            places.text(group.labels[number])
        for start in range(0, len(row), columns):
            if broken:
                places.titles(group.columns[start : start + columns], side)
            places.line(row[start : start + columns], side)
    places.bottom += GAP


def _picture(axes, image, left, top, side):
    """Draw a picture, or 'not shown'."""
    extent = (left, left + side, top + side, top)
    if image is None:
        axes.imshow(np.full((1, 1, 3), 238, np.uint8), extent=extent)
        look = {'color': SOFT, 'ha': 'center', 'va': 'center', 'fontsize': TEXT}
        axes.text(left + side / 2, top + side / 2, 'not shown', **look)
    else:
        axes.imshow(image, cmap='gray', vmin=0, vmax=255, extent=extent)
