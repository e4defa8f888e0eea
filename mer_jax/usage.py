"""The text of --help: verbs and configs, or one config."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mer_jax import provenance
from mer_jax.config_files import DEFAULT, ConfigFile
from mer_jax.settings import tree
from mer_jax.settings.fields import Setting, allowed

WIDTH = 100
SCRIPT = 'mer-jax'
ON_HOSTS = (
    ('--distributed', 'share the training with the other hosts of a SLURM or Open MPI job'),
    ('--coordinator=HOST:PORT', 'share it with hosts that meet there, at the first of them'),
    ('--hosts=COUNT', 'with --coordinator: how many they are'),
    ('--host=INDEX', 'with --coordinator: which of them this one is, from 0'),
)


class Verb(Protocol):
    """The facts about a verb that --help shows; see cli.Verb."""

    help: str
    reads_config: bool
    reads_configs: bool
    folder: str
    needs_config: bool
    needs_folder: bool
    flags: dict[str, str]
    defaults: dict[str, str]
    switches: dict[str, str]
    short: dict[str, str]
    arguments: tuple[str, ...]
    further: str
    config_argument: bool
    on_hosts: bool


def program() -> str:
    """Return how this program was called.

    That is 'python main.py', 'mer-jax' or 'python -m mer_jax'.
    """
    name = Path(sys.argv[0]).name
    if name == 'main.py':
        return 'python main.py'
    return SCRIPT if name == SCRIPT else 'python -m mer_jax'


def overview(verbs: Mapping[str, Verb], configs: Mapping[str, str]) -> str:
    """Return the text of --help without a config.

    Args:
        verbs: the entries of cli.py.
        configs: the summary of each config by its name.
    """
    flags = [
        ('--config=NAME', f'a config listed below, or the path of a file; default: {DEFAULT}'),
        ('--config=NAME:VARIANT,...', 'with variants; quick shrinks any config to seconds'),
        ('--config.KEY=VALUE', 'change one setting'),
        ('--config=NAME --help', 'print the variants and all settings of a config, with reasons'),
        ('--print_config', 'print all settings as flags, without running anything'),
        ('--workdir=FOLDER', 'the folder of the run; default: runs/NAME[-VARIANTS]'),
        *ON_HOSTS,
        ('--debug', 'show the traceback of an error'),
        ('--version', 'print the version, and in a checkout the commit'),
    ]
    lines = [
        'Micro-expression recognition: all folds of an experiment in one compiled program.',
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


def of_verb(name: str, verb: Verb) -> str:
    """Return the text of --help for one verb.

    Args:
        name: of the verb.
        verb: its entry of cli.py.
    """
    flags = []
    for flag, value in verb.flags.items():
        text = 'needed'
        if flag in verb.defaults:
            default = verb.defaults[flag]
            text = f'default: {default}' if default else 'may be left out'
        flags.append((f'--{flag}={value}', text))
    flags += [(f'--{flag}=VALUE', f'short for --config.{key}') for flag, key in verb.short.items()]
    flags += [(f'--{flag}', what) for flag, what in verb.switches.items()]
    if verb.reads_config and not verb.config_argument:
        default = f'; default: {DEFAULT}' if verb.needs_config else ''
        flags.append(('--config=NAME', f'a config{default}'))
    if verb.reads_config:
        flags.append(('--config.KEY=VALUE', 'change one setting of the config'))
    if verb.reads_configs:
        flags.append(('--config.KEY=VALUE', 'change one setting of every config'))
    if verb.folder:
        shown = verb.folder.format(run='runs/NAME[-VARIANTS]')
        default = f'; default: {shown}' if verb.needs_folder else ''
        flags.append(('--workdir=FOLDER', f'the folder of the run, or of what it writes{default}'))
    if verb.on_hosts:
        flags += ON_HOSTS
    lines = [
        f'  {program()} {_form(name, verb)}{" [FLAGS]" if flags else ""}',
        '',
        *_wrapped(verb.help, '  '),
    ]
    if flags:
        lines += ['', 'Flags', *_columns(flags)]
    return '\n'.join([*lines, '', f'All verbs and configs: {program()} --help'])


def verb_lines(verbs: Mapping[str, Verb]) -> list[str]:
    """Return the verbs with their help, in wrapped lines."""
    rows = []
    for name, verb in verbs.items():
        needed = [flag for flag in verb.flags if flag not in verb.defaults]
        needs = ''.join(f'; needs --{flag}={verb.flags[flag]}' for flag in needed)
        takes = ''.join(f'; --{switch} adds {what}' for switch, what in verb.switches.items())
        may = []
        for flag, value in verb.defaults.items():
            may.append(f'--{flag}={verb.flags[flag]}' + (f' (default {value})' if value else ''))
        may += [f'--{flag} for --config.{key}' for flag, key in verb.short.items()]
        takes += f'; may have {", ".join(may)}' if may else ''
        rows.append((_form(name, verb), verb.help + needs + takes))
    return _columns(rows)


def of_config(
    name: str,
    file: ConfigFile,
    settings: Mapping[str, Setting],
    entries: Mapping[str, tuple[str, ...]],
) -> str:
    """Return the text of --help for one config.

    Args:
        name: of the config on the command line, without variants.
        file: of the config, whose values are shown.
        settings: all settings by dotted key.
        entries: the allowed names of each dictionary of entries.
    """
    values = tree.flat(file.config.to_dict())
    lines = [
        *_wrapped(f'{file.config.name}: {file.summary}', ''),
        '',
        f'Variants, joined by commas: --config={name}:quick',
        *_variants(file.variants),
        '',
        'Settings, changed with --config.KEY=VALUE. In brackets: the default, where this config '
        'has',
        'another value, and the allowed values.',
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
    """Return the text of --version."""
    return provenance.describe(provenance.code())


def _form(name, verb):
    """A verb and its arguments."""
    form = [name, 'CONFIG'] if verb.config_argument else [name]
    form += [*verb.arguments, f'{verb.further} ...'] if verb.further else verb.arguments
    return ' '.join(form)


def _config_lines(configs):
    """The configs and their summaries, cut to one line each."""
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
    """The keys of settings, those of other networks last.

    Options of the network of the config follow section model.
    """
    options = [key for key in settings if key.startswith(f'model.{network}.')]
    others = [key for key in settings if key not in options]
    end = others.index('model.name')
    while end < len(others) and others[end].startswith('model.'):
        end += 1
    return [*others[:end], *options, *others[end:]]


def _heading(section):
    """The name of a section and what it is for."""
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
    """A value as text; an empty text in quotes."""
    return "''" if value == '' else str(value)


def _wrapped(text, indent):
    """Wrap text to WIDTH columns; later lines are indented further."""
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
