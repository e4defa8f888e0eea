"""What --help prints: verbs and configs, or the variants and settings of one config."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_jax import provenance
from mer_jax.config_files import DEFAULT, ConfigFile
from mer_jax.settings import tree
from mer_jax.settings.fields import Setting, allowed

WIDTH = 100
SCRIPT = 'mer-jax'


def program() -> str:
    """How this program was called: 'python main.py', 'mer-jax' or 'python -m mer_jax'."""
    name = Path(sys.argv[0]).name
    if name == 'main.py':
        return 'python main.py'
    return SCRIPT if name == SCRIPT else 'python -m mer_jax'


def overview(verbs: Mapping[str, Any], configs: Mapping[str, str]) -> str:
    """What --help prints without a config.

    Args:
        verbs: the entries of cli.py.
        configs: the summary of each config by its name.
    """
    flags = [
        ('--config=NAME', f'a config below, or the path of one; without it: {DEFAULT}'),
        ('--config=NAME:VARIANT,...', 'with variants; quick shrinks any config to seconds'),
        ('--config.KEY=VALUE', 'another value of one setting'),
        ('--config=NAME --help', 'the variants and all settings of a config, with their reasons'),
        ('--print_config', 'print the settings as the command line takes them; run nothing'),
        ('--workdir=FOLDER', 'the folder to write or read; without it: runs/NAME[-VARIANTS]'),
        ('--debug', 'show the traceback of an error'),
        ('--version', 'the version, and in a checkout the commit'),
    ]
    lines = [
        'Micro-expression recognition: every fold of an experiment in one compiled program.',
        '',
        f'  {program()} [VERB] [--config=NAME[:VARIANT,...]] [--config.KEY=VALUE ...]',
        '',
        'Verbs',
        *verb_lines(verbs),
        '',
        'Flags',
        *_columns(flags),
        '',
        'Configs',
        *_config_lines(configs),
    ]
    return '\n'.join(lines)


def verb_lines(verbs: Mapping[str, Any]) -> list[str]:
    """The verbs with their help, wrapped where a line is too long."""
    rows = []
    for name, verb in verbs.items():
        needs = ''.join(f'; needs --{flag}={value}' for flag, value in verb.flags.items())
        rows.append((' '.join([name, *verb.arguments]), verb.help + needs))
    return _columns(rows)


def of_config(
    name: str,
    file: ConfigFile,
    settings: Mapping[str, Setting],
    entries: Mapping[str, tuple[str, ...]],
) -> str:
    """What --help prints of one config: its variants and every setting.

    Args:
        name: as it was given on the command line, without variants.
        file: its config holds the values that are shown.
        settings: all settings by dotted key.
        entries: the names of the methods of each dictionary of entries.
    """
    values = tree.flat(file.config.to_dict())
    lines = [
        *_wrapped(f'{file.config.name}: {file.summary}', ''),
        '',
        f'Variants, joined by commas: --config={name}:quick',
        *_variants(file.variants),
        '',
        'Settings, changed by --config.KEY=VALUE: value  [another default; allowed values]',
        '',
        *_wrapped(f'name = {values["name"]}  [a text]', '  '),
        '      The title of the run.',
    ]
    section = ''
    for key in _ordered(settings, file.config.model.name):
        setting = settings[key]
        heading = key.rpartition('.')[0]
        if heading != section:
            section = heading
            lines += ['', *_heading(section)]
        lines += _setting(key, values[key], setting, entries.get(setting.entries, ()))
    return '\n'.join(lines)


def version() -> str:
    """What --version prints."""
    return provenance.describe(provenance.code())


def _config_lines(configs):
    """The configs with as much of their summaries as one line holds."""
    indent = 2 + max(len(name) for name in configs) + 2
    return [
        f'  {name:{indent - 2}}{textwrap.shorten(text, WIDTH - indent, placeholder=" ...")}'
        for name, text in configs.items()
    ]


def _variants(variants):
    """The variants, each with its values."""
    lines = []
    for name, values in variants.items():
        lines += _wrapped(f'{name}={"|".join(values)}' if values else name, '  ')
    return lines


def _ordered(settings, network):
    """The keys of settings; the options of the config's network follow those of all networks."""
    options = [key for key in settings if key.startswith(f'model.{network}.')]
    others = [key for key in settings if key not in options]
    place = others.index('model.name')
    while place < len(others) and others[place].startswith('model.'):
        place += 1
    return [*others[:place], *options, *others[place:]]


def _heading(section):
    """The name of a section and what it is for; of a network: that these are its options."""
    kind = tree.sections().get(section)
    if kind:
        return _wrapped(f'{section}: {kind.__doc__}', '')
    return [f'{section}: used with model.name={section.rpartition(".")[2]}']


def _setting(key, value, setting, names):
    """The lines of one setting."""
    default = '' if value == setting.default else f'default {_shown(setting.default)}; '
    first = f'{key} = {_shown(value)}  [{default}{allowed(setting, names)}]'
    return [*_wrapped(first, '  '), *_wrapped(setting.reason, '      ')]


def _shown(value):
    """A value as the command line takes it; a text of nothing in quotes."""
    return "''" if value == '' else str(value)


def _wrapped(text, indent):
    """Lines of at most WIDTH columns; the second and later ones stand further in."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if len(indent) > 2 else f'{indent}    ',
        break_on_hyphens=False,
    )


def _columns(rows):
    """Two columns, the second one wrapped."""
    indent = 2 + max(len(name) for name, _ in rows) + 2
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, WIDTH - indent, break_on_hyphens=False) or ['']
        lines.append(f'  {name:{indent - 2}}{wrapped[0]}'.rstrip())
        lines += [' ' * indent + line for line in wrapped[1:]]
    return lines
