"""Sphinx builds the pages with these settings: make docs."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs')]

import data_pages  # noqa: E402
import line_breaks  # noqa: E402
import protocols_page  # noqa: E402
import settings_page  # noqa: E402
import systems_page  # noqa: E402
from address import address  # noqa: E402

project = 'mer_jax'
author = 'the authors of mer_jax'
extensions = ['myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
html_theme = 'sphinx_book_theme'
html_title = 'mer_jax'
html_theme_options = {'navbar_persistent': []}  # the search of the side bar is enough
if address():
    html_theme_options |= {'repository_url': address(), 'use_repository_button': True}
html_static_path = ['static']
html_css_files = ['site.css']
# parts of other pages
exclude_patterns = ['_build', 'generated/choices', 'generated/*_table.md']
myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 3
nb_execution_mode = 'off'
autodoc_typehints = 'none'  # signatures show them
default_role = 'literal'  # `name` in a docstring is code
autodoc_member_order = 'bysource'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes stand in the description of their class


def setup(app):
    """Write the pages that are made from the code before the sources are read; mark line breaks."""
    for page in (data_pages, protocols_page, settings_page, systems_page):
        app.connect('builder-inited', lambda app, page=page: page.write())
    app.connect('html-page-context', line_breaks.allow)
