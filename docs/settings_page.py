"""Writes docs/generated/settings.md: every setting, from mer_jax/settings/ and the networks.

python docs/settings_page.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs')]

from writing import write_changed  # noqa: E402

from mer_jax.classical import FEATURES, FITTED  # noqa: E402
from mer_jax.experiment.settings import NAMES  # noqa: E402
from mer_jax.models import NETWORKS  # noqa: E402
from mer_jax.settings import fields, tree  # noqa: E402

PATH = ROOT / 'docs' / 'generated' / 'settings.md'
# the allowed values of a setting that names a method
ENTRIES = NAMES | {'FEATURES': (*FEATURES, *FITTED)}
INTRODUCTION = """# Settings

Each setting is `--config.SECTION.NAME=VALUE` on the command line and `c.SECTION.NAME` in a config
file. A setting marked `*` changes no result: a run may go on under another value of it.
"""


def page() -> str:
    """The page in Markdown: a table for each section, and for the options of each network."""
    blocks = [INTRODUCTION]
    for name, kind in tree.sections().items():
        words = (kind.__doc__ or '').strip()
        blocks.append(f'## {name}\n\n{words}\n\n{table(dict(fields.settings_of(kind)))}')
    for name, network in NETWORKS.items():
        class_name = network.module.partition(':')[2]
        description = f'```{{eval-rst}}\n.. autoclass:: mer_jax.models.{class_name}()\n```'
        blocks.append(f'## model.{name}\n\n{description}\n\n{table(network.options)}')
    return '\n'.join(blocks)


def table(settings: dict[str, fields.Setting]) -> str:
    """A row for each setting."""
    lines = ['| setting | default; allowed | what for |', '|---|---|---|']
    for name, setting in settings.items():
        words = fields.allowed(setting, ENTRIES.get(setting.entries, ()))
        mark = r'\*' if setting.free else ''
        values = f'`{setting.default!r}`; {words}'
        cells = [f'`{name}`{mark}', values, setting.reason]
        lines.append('| ' + ' | '.join(cell.replace('|', r'\|') for cell in cells) + ' |')
    return '\n'.join([*lines, ''])


def write() -> None:
    """Write the page, where it has changed."""
    write_changed(PATH, page())


if __name__ == '__main__':
    write()
