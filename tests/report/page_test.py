"""Pages: templates, autoescape, and pictures inside a page."""

import jinja2
import pytest
from markupsafe import Markup

from mer_jax.report import page
from mer_jax.runfiles import files
from tests.support.pages import Page


def test_a_page_holds_its_style_and_needs_nothing_else():
    """A page whose style sheet stands in another file is bare text once it is sent on."""
    text = page.render('base.html', title='<b>& "x"')
    parsed = Page(text)
    assert '<b>& "x"' in parsed.text
    assert [tag for tag, _ in parsed.tags] == ['html', 'head', 'meta', 'meta', 'title', 'style',
        'body', 'header', 'main', 'footer']  # fmt: skip
    assert '--ink' in text and 'http' not in text


def test_a_value_that_is_not_given_is_an_error():
    """An empty place in a page would pass for a figure that does not exist."""
    with pytest.raises(jinja2.UndefinedError, match='title'):
        page.render('base.html')


@pytest.mark.parametrize(('suffix', 'kind'), [('svg', 'svg+xml'), ('png', 'png')])
def test_a_picture_travels_inside_the_page(tmp_path, suffix, kind):
    """A picture of the wrong kind is not drawn by a browser."""
    (tmp_path / f'a.{suffix}').write_bytes(b'abc')
    picture = page.picture(tmp_path / f'a.{suffix}', 'words')
    assert picture == page.Picture(f'data:image/{kind};base64,YWJj', 'words')


def test_what_a_plot_says_of_itself_is_handed_on(tmp_path):
    """A reader who sees nothing hears the caption twice, and never what was drawn."""

    def draw(path):
        path.write_text('<svg></svg>')
        return 'two bars'

    (tmp_path / files.PLOTS).mkdir()
    picture = page.plot(tmp_path, 'bars', 'words', draw)
    assert (picture.caption, picture.alt) == ('words', 'two bars')


def test_the_contents_list_leads_to_every_section():
    """A link that leads nowhere, or a heading that is not escaped, breaks the list."""
    content = Markup('<section id="a-1"><h2>A &lt;b&gt;</h2></section><section id="c"><h2>C</h2>')
    assert page.sections(content) == [('a-1', 'A &lt;b&gt;'), ('c', 'C')]
