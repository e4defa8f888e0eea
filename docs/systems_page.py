"""Writes docs/generated/systems.md: the choices of each published system, and our defaults.

python docs/systems_page.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs')]

from systems import SYSTEMS, Choice, System  # noqa: E402
from writing import write_changed  # noqa: E402

from mer_jax.config_files import read  # noqa: E402
from mer_jax.settings.tree import flat  # noqa: E402

PATH = ROOT / 'docs' / 'generated' / 'systems.md'
INTRODUCTION = """# Published systems

What the papers print, what their authors' code does, and what is the default here. Where the two
columns of a choice differ from our default, `:published` restores the code, or the paper where
there is no code; what it cannot restore stands below each table. 'Not read': the text was not at
hand.
"""


def page() -> str:
    """The page in Markdown: a table for each system."""
    return '\n'.join([INTRODUCTION, *map(block, SYSTEMS)])


def block(system: System) -> str:
    """Title, sources and table of one system."""
    default, published = values(system)
    lines = [
        f'## {system.title}',
        '',
        f'Paper: {system.paper}. Code: {system.code}. Config: `{system.config}`.',
        '',
        '| choice | paper | released code | our default | reason |',
        '|---|---|---|---|---|',
    ]
    for choice in system.choices:
        ours = _ours(choice, default, published)
        cells = [choice.choice, choice.paper, choice.released, ours, choice.reason]
        lines.append('| ' + ' | '.join(cell.replace('|', r'\|') for cell in cells) + ' |')
    lost = [f'* {text}' for text in system.lost]
    return '\n'.join([*lines, '', 'Not restored:', '', *lost, ''])


def values(system: System) -> tuple[dict, dict]:
    """The settings of a system's config, and those of its `:published`, by name."""
    texts = system.config, f'{system.config}:published'
    default, published = (flat(read(text).config.to_dict()) for text in texts)
    return default, published


def _ours(choice: Choice, default: dict, published: dict) -> str:
    """'500 epochs; `train.epochs`: 500 (published: 800)'."""
    texts = [choice.ours] if choice.ours else []
    for key in choice.settings:
        text = f'`{key}`: {_shown(default[key])}'
        if published[key] != default[key]:
            text += f' (published: {_shown(published[key])})'
        texts.append(text)
    return '; '.join(texts)


def _shown(value: str | bool | int | float | tuple) -> str:
    if isinstance(value, tuple):
        return ', '.join(map(_shown, value))
    if isinstance(value, float):
        return f'{value:g}'
    return "''" if value == '' else str(value)


def write() -> None:
    """Write the page, where it has changed."""
    write_changed(PATH, page())


if __name__ == '__main__':
    write()
