"""style: text that can be read on its ground, by day and by night."""

import re

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager

from mer_jax.report import fonts, style


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_figures_on_a_map_can_be_read_on_each_of_its_colours():
    """Dark figures on a dark cell are the ones that a confusion matrix is opened for."""
    for colours in (style.SHARES, style.SIGNED):
        for colour in style.ramp(colours):
            assert contrast(style.ink_on(colour), colour) > 4


def test_text_can_be_read_on_light_and_on_dark_pages():
    """A dark page with the ink of a light one shows an empty plot."""
    dark = {**style.AFTER_DARK}
    for ink in (style.INK, style.SOFT):
        assert contrast(ink, style.PAPER) > 4.5
        assert contrast(dark[ink], dark[style.PAPER]) > 4.5
    for colour in style.COLOURS:
        assert contrast(dark.get(colour, colour), dark[style.PAPER]) > 3


def test_an_svg_holds_its_dark_form(tmp_path):
    """Rules whose colours no longer match those that matplotlib writes would change nothing."""
    with style.saved(tmp_path / 'a.svg', 1.0) as figure:
        figure.subplots().set(title='words')
    drawn = (tmp_path / 'a.svg').read_text()
    rules, rest = drawn.split('</style>', 1)
    lights = re.findall(r'\[style\*="fill: (#[0-9a-f]{6})"\]', rules)
    assert 'prefers-color-scheme: dark' in rules
    for colour in (style.INK, style.PAPER):
        assert colour in lights and f'fill: {colour}' in rest


def labelled(path, label):
    """The SVG of a plot with a label on its axis."""
    with style.saved(path, 1.0) as figure:
        axes = figure.subplots()
        axes.set_xticks([0, 1], [label, 'plain'])
    return path.read_text()


def test_letters_come_from_another_font_where_one_has_them(tmp_path):
    """Labels in the user's script show as boxes, although a font for them is installed."""
    letter = '\u20dd'  # of STIXGeneral, which matplotlib brings, and not of DejaVu Sans
    assert 'STIXGeneral' in labelled(tmp_path / 'a.svg', letter)
    assert 'STIX' not in labelled(tmp_path / 'b.svg', 'plain')


def test_letters_that_no_font_has_are_said_once(tmp_path, monkeypatch, capsys):
    """Boxes without a word look like a fault of the table."""
    monkeypatch.setattr(font_manager.fontManager, 'ttflist', [])
    monkeypatch.setattr(font_manager, 'findSystemFonts', list)
    for name in ('a.svg', 'b.svg'):
        labelled(tmp_path / name, '\u60ca\u8bb6')
    assert capsys.readouterr().err.count(fonts.PACKAGE) == 1


@pytest.mark.parametrize(
    ('text', 'lines'),
    [
        ('casme2_dualbranch-seed=3', ['casme2_', 'dualbranch-', 'seed=3']),
        ('two\nlines', ['two', 'lines']),
        ('a b', ['a b']),
    ],
)
def test_long_names_are_broken_after_a_sign(text, lines):
    """Names of configs have no blanks: unbroken they run out of a narrow picture."""
    assert style.wrapped(text, 11).split('\n') == lines
