"""Letters that the font of plots lacks, such as Chinese labels of a user."""

import functools
import re
import sys
import warnings
from collections.abc import Iterator

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

MISSING = re.compile(r'Glyph (\d+) .*missing from font')  # as matplotlib warns
EVERYTHING = 'Last Resort'  # of matplotlib and macOS: a box for each letter
PACKAGE = 'fonts-noto-cjk'  # of Debian and Ubuntu


def lacking(caught: list[warnings.WarningMessage]) -> frozenset[int]:
    """Return the letters that a drawing lacked; other warnings are shown.

    Args:
        caught: warnings of the drawing.
    """
    letters = set()
    for warning in caught:
        if match := MISSING.match(str(warning.message)):
            letters.add(int(match[1]))
        else:
            warnings.showwarning(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return frozenset(letters)


def add(figure: Figure, letters: frozenset[int]) -> bool:
    """Give all text of a figure a second font that has some letters.

    Without such a font one line on stderr, once a process, says what to install.

    Args:
        figure: whose text has them.
        letters: their Unicode numbers.

    Returns:
        Whether the figure must be drawn again.
    """
    family = _with_letters(letters)
    if family is None:
        _warn()
        return False
    for text in figure.findobj(Text):
        text.set_fontfamily([*text.get_fontfamily(), family])
    return True


@functools.cache  # a report has many plots of the same labels
def _with_letters(letters: frozenset[int]) -> str | None:
    """The family of an installed font with all letters; None where there is none."""
    for font in _installed():
        if EVERYTHING not in font.family_name and letters <= font.get_charmap().keys():
            return font.family_name
    return None


def _installed() -> Iterator[FT2Font]:
    """Installed fonts, also those that are newer than matplotlib's list of fonts."""
    listed = {entry.fname: None for entry in font_manager.fontManager.ttflist}
    for path in listed:
        try:
            yield font_manager.get_font(path)
        except (OSError, RuntimeError):  # deleted since, or damaged
            continue
    for path in sorted(set(font_manager.findSystemFonts()) - {*listed}):
        try:
            font_manager.fontManager.addfont(path)
            yield font_manager.get_font(path)
        except (OSError, RuntimeError):  # no font that matplotlib draws
            continue


@functools.cache
def _warn() -> None:
    print(
        'WARNING: plots show boxes in place of some letters: no installed font has them; install '
        f'one (for Chinese, Japanese and Korean {PACKAGE} on Debian and Ubuntu, with '
        '`apt install`) and draw again',
        file=sys.stderr,
        flush=True,
    )
