"""Pages: jinja2 templates filled with values, pictures as data URIs.

A page is one file that needs neither network nor scripts. Autoescape is on: names of clips, classes
and settings come from files and could hold markup.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup

from mer_jax import bounded
from mer_jax.errors import UserError
from mer_jax.runfiles import files

MOST_BYTES = 32_000_000  # of a picture
TemplateValue = str | bool | Mapping | Sequence | ModuleType | None
PlotData = Mapping | Sequence | np.ndarray
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / 'templates'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Picture:
    """A picture of a page, and the text below it."""

    uri: str
    caption: str
    alt: str = ''  # what is seen, for those who do not see it; '' for the caption


class Drawn(NamedTuple):
    """The file of a picture that a page shows."""

    path: Path
    caption: str
    alt: str = ''


@dataclass(frozen=True)
class Tile:
    """A main figure of a page, shown large."""

    title: str
    value: str
    details: str


def sections(content: Markup) -> list[tuple[str, Markup]]:
    """Return (id, heading) of the sections of a page, for its contents list."""
    titled = re.findall(r'<section id="([\w-]+)"><h2>(.*?)</h2>', content)
    return [(name, Markup(heading)) for name, heading in titled]


TEMPLATES.filters['sections'] = sections


def render(template: str, **values: TemplateValue) -> Markup:
    """Fill a template file with values; return its HTML."""
    return Markup(TEMPLATES.get_template(template).render(values))


def picture(path: str | Path, caption: str, alt: str = '') -> Picture:
    """Encode a picture file (.svg or .png) for a page.

    Args:
        path: of the file; an SVG picture holds its dark form itself.
        caption: the text below it.
        alt: what is seen; '' for the caption.

    Raises:
        UserError: the file is too large for a picture of this program.
    """
    path = Path(path)
    kind = {'.svg': 'svg+xml', '.png': 'png'}[path.suffix]
    try:
        content = bounded.read_bytes(path, MOST_BYTES)
    except ValueError as error:
        raise UserError(f'{path}: is no picture of this program ({error}); delete it') from None
    code = base64.b64encode(content).decode()
    return Picture(f'data:image/{kind};base64,{code}', caption, alt)


def plot(
    folder: str | Path, name: str, caption: str, draw: Callable[..., str | None], *content: PlotData
) -> Picture:
    """Draw plots/<name>.svg of a run with draw(path, *content).

    What `draw` returns says what is seen in the plot.
    """
    path = Path(folder) / files.PLOTS / f'{name}.svg'
    return picture(path, caption, draw(path, *content) or '')
