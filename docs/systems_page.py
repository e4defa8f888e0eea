"""Writes docs/generated/choices/PAGE.md for each system: its choices and our defaults.

docs/systems/PAGE.md includes it.

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

FOLDER = ROOT / 'docs' / 'generated' / 'choices'


def choices(system: System) -> str:
    """The sections that end a page: its table of choices, what is lost, sources."""
    default, published = values(system)
    lines = [
        '## Choices',
        '',
        f'The defaults are those of `{system.config}`; in brackets stands what `:published` has.',
        '',
        '| choice | paper | released code | our default | reason |',
        '|---|---|---|---|---|',
    ]
    for choice in system.choices:
        ours = _ours(choice, default, published)
        cells = [choice.choice, choice.paper, choice.released, ours, choice.reason]
        lines.append('| ' + ' | '.join(cell.replace('|', r'\|') for cell in cells) + ' |')
    lost = [f'* {text}' for text in system.lost]
    sources = [f'* Paper: {system.paper}', f'* Code: {system.code}']
    headed = ['', '## What cannot be restored', '', *lost, '', '## Sources', '', *sources, '']
    return '\n'.join([*lines, *headed])


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
    """Write what has changed."""
    for system in SYSTEMS:
        write_changed(FOLDER / f'{system.page}.md', choices(system))


if __name__ == '__main__':
    write()
