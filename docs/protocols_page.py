"""Writes the tables of docs/protocols.md: each protocol, and each switch that leaks.

python docs/protocols_page.py
"""

import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs')]

from writing import write_changed  # noqa: E402

from mer_jax.entries import loaded  # noqa: E402
from mer_jax.experiment import leaks  # noqa: E402
from mer_jax.folds import PROTOCOLS, ProtocolEntry  # noqa: E402
from mer_jax.presets import base  # noqa: E402
from mer_jax.settings.tree import from_nested  # noqa: E402

FOLDER = ROOT / 'docs' / 'generated'
# The fewest settings that switch on a leak; those of protocols are in their entries.
SWITCHES = (
    {'balance.method': 'smote', 'balance.scope': 'all'},
    {'train.class_weights': 'max', 'balance.scope': 'all'},
    {'data.input_scaler': 'standard', 'data.scaler_scope': 'all'},
    {'head.name': 'svm', 'head.scope': 'all'},
    {'balance.method': 'gan', 'gan.scope': 'all'},
    {'balance.method': 'generated', 'balance.file': 'images.npz'},
    {'model.init_from': 'weights.pth'},
    {'model.init_from': 'model_best_{number}.pt'},
    {'data.without_class': 'first_class'},
    {'data.name': 'casme/flow+casme2/flow', 'protocol.same_people': 'unknown'},
    {'data.name': 'samm/flow', 'model.pretrain': 'synthetic_faces/many,distractors=eyes'},
)


def protocol_table() -> str:
    """A row for each protocol: what it does, what stays together, its leak."""
    lines = ['| `protocol.name` | what it does | never divided | leak |', '|---|---|---|---|']
    for name, entry in PROTOCOLS.items():
        honest = 'none' if entry.tests else 'none, but nobody is tested: no score'
        leak = entry.leak or honest
        lines.append(f'| `{name}` | {_words(entry)} | {entry.unit} | {leak} |')
    return '\n'.join([*lines, ''])


def leak_table() -> str:
    """A row for each switch that leaks: its settings, and how `leaks` of a run names it."""
    of_protocols = [{'protocol.name': name} for name, entry in PROTOCOLS.items() if entry.leak]
    lines = ['| switched on by | named in `leaks` as |', '|---|---|']
    for changes in (*of_protocols, *SWITCHES):
        config = base('any')
        config.update_from_flattened_dict(changes)
        (leak,) = leaks.listed(from_nested(config.to_dict()))
        flags = ' and '.join(f'`{key}={value}`' for key, value in changes.items())
        lines.append(f'| {flags} | {leak} |')
    return '\n'.join([*lines, ''])


def _words(entry: ProtocolEntry):
    """The first sentence of the docstring, without what it says of arguments."""
    first = inspect.getdoc(loaded(entry.split)).partition('\n')[0]
    return first.partition(';')[0].removesuffix('.')


def write() -> None:
    """Write the tables that have changed."""
    write_changed(FOLDER / 'protocol_table.md', protocol_table())
    write_changed(FOLDER / 'leak_table.md', leak_table())


if __name__ == '__main__':
    write()
