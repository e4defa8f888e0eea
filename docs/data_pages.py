"""Writes docs/generated/data/: a page for each data set, from the README beside its builder.

python docs/data_pages.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'docs'))

from writing import write_changed  # noqa: E402

FOLDER = ROOT / 'docs' / 'generated' / 'data'
BARE_ADDRESS = re.compile(r'(?<![<\[`"])(?<!\]\()(https?://[^\s,;)>]+[^\s,;.)>])')
PAGE = re.compile(r'`docs/(\w+\.md)`')
LINK = re.compile(r'\]\((?!https?:|#)([^)\s]+)\)')


def readmes() -> dict[str, Path]:
    """The README of each builder that has one, by the name of the data set."""
    paths = sorted((ROOT / 'tfds_builders').glob('*/README.md'))
    return {path.parent.name: path for path in paths}


def page(name: str, path: Path) -> str:
    """The page in Markdown: a README under a title, with addresses and links that work.

    Args:
        name: of the data set, as in `data.name`.
        path: its README, which has no title because TFDS shows it as a description.
    """
    text = BARE_ADDRESS.sub(r'<\1>', path.read_text())
    text = PAGE.sub(_linked, text)
    text = LINK.sub(lambda match: f']({_target(path.parent, match[1])})', text)
    return f'# {title(name, text)}\n\n{text}'


def title(name: str, text: str) -> str:
    """'CASME II (casme2)': what stands before the colon of the first line, else the name alone."""
    first = text.partition('\n')[0]
    words, colon, _ = first.partition(':')
    full = words if colon and len(words) < 30 else name.replace('_', ' ').capitalize()
    return f'{full} ({name})'


def _linked(match):
    """A link to a page of the docs, with the page's title as its text."""
    page = (ROOT / 'docs' / match[1]).read_text()
    return f'[{page.partition(chr(10))[0].lstrip("# ")}](../../docs/{match[1]})'


def _target(folder, link):
    """A link of a README as it is written in docs/generated/data/."""
    path, mark, heading = link.partition('#')
    target = (folder / path).resolve()
    return f'../../../{target.relative_to(ROOT)}{mark}{heading}'


def write() -> None:
    """Write the pages that have changed, and remove those of builders that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = readmes()
    for old in FOLDER.glob('*.md'):
        if old.stem not in pages:
            old.unlink()
    for name, path in pages.items():
        write_changed(FOLDER / f'{name}.md', page(name, path))


if __name__ == '__main__':
    write()
