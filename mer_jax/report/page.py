"""Pages: jinja2 templates filled with values, pictures as data URIs.

A page is one file that needs neither network nor scripts. Autoescape is on: names of clips, classes
and settings come from files and could hold markup.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

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


def render(template: str, **values: TemplateValue) -> Markup:
    """Fill a template file with values; return its HTML."""
    return Markup(TEMPLATES.get_template(template).render(values))


def picture(path: str | Path, caption: str) -> Picture:
    """Encode a picture file (.svg or .png) for a page."""
    path = Path(path)
    kind = {'.svg': 'svg+xml', '.png': 'png'}[path.suffix]
    try:
        content = bounded.read_bytes(path, MOST_BYTES)
    except ValueError as error:
        raise UserError(f'{path}: is no picture of this program ({error}); delete it') from None
    code = base64.b64encode(content).decode()
    return Picture(f'data:image/{kind};base64,{code}', caption)


def plot(
    folder: str | Path, name: str, caption: str, draw: Callable[..., None], *content: PlotData
) -> Picture:
    """Draw plots/<name>.svg of a run with draw(path, *content)."""
    path = Path(folder) / files.PLOTS / f'{name}.svg'
    draw(path, *content)
    return picture(path, caption)
