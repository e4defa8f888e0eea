"""Pages: jinja2 templates filled with values, pictures as data URIs.

A page is one file that needs neither network nor scripts. Autoescape is on: names of clips, classes
and settings come from files and could hold markup.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from mer_jax.runfiles import files

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / 'templates'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Picture:
    """A picture of a page, and the words below it."""

    uri: str
    caption: str


def render(template: str, **values) -> Markup:
    """The HTML of a template file filled with values."""
    return Markup(TEMPLATES.get_template(template).render(values))


def picture(path, caption: str) -> Picture:
    """A picture file (.svg or .png) as it stands inside a page."""
    path = Path(path)
    kind = {'.svg': 'svg+xml', '.png': 'png'}[path.suffix]
    code = base64.b64encode(path.read_bytes()).decode()
    return Picture(f'data:image/{kind};base64,{code}', caption)


def plot(folder, name: str, caption: str, draw: Callable, *content) -> Picture:
    """The picture that draw(path, *content) writes to plots/<name>.svg of a run."""
    path = Path(folder) / files.PLOTS / f'{name}.svg'
    draw(path, *content)
    return picture(path, caption)
