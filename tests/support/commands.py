"""Commands that README and pages show: where they stand, and their form as a quick run."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from mer_jax import cli, config_files

ROOT = Path(__file__).parents[2]
# docs_examples_test runs their commands, in a copy that has what they add
OF_EXAMPLES = ('add_data_set.md', 'add_network.md', 'add_protocol.md')


def _is_written(path):
    """Whether a page is no copy and none that is made from the code."""
    return path.name not in OF_EXAMPLES and not {'_build', 'generated'} & {*path.parts}


PAGES = [
    *sorted(ROOT.glob('README*.md')),
    *sorted(path for path in ROOT.glob('docs/**/*.md') if _is_written(path)),
    *sorted(ROOT.glob('tfds_builders/*/README.md')),
]
PROGRAM = r'(?:python main\.py|python -m mer_jax|mer-jax)'
# on a line of a block, indented or behind another command; and in the text, over several lines
BLOCK = re.compile(rf'^[ >$]*(?:.*&& )?{PROGRAM}(?: (.*))?$', re.M)
INLINE = re.compile(rf'`{PROGRAM}(?:\s([^`]*))?`')
# what a reader replaces by names of theirs: [VERB], NAME, KEY=VALUE, ...
PLACEHOLDER = re.compile(r'\[|\bNAME\b|\bKEY\b|\.\.\.')


class Shown(NamedTuple):
    """A command of a page."""

    page: str  # its path below the repository
    text: str  # without the name of the program
    arguments: tuple[str, ...]


def shown() -> list[Shown]:
    """All commands, each once for a page, in the order of the pages."""
    found = {}
    for path in PAGES:
        page = path.relative_to(ROOT).as_posix()
        text = path.read_text().replace('\\\n', '')
        for match in (*BLOCK.finditer(text), *INLINE.finditer(text)):
            command = ' '.join((match[1] or '').split())
            if not PLACEHOLDER.search(command):
                found[page, command] = Shown(
                    page, command, tuple(shlex.split(command, comments=True))
                )
    return [*found.values()]


def quick(arguments: tuple[str, ...], folder: str) -> list[str]:
    """The arguments of the same command with `:quick`, on drawn faces.

    Args:
        arguments: of a command whose verb reads a config.
        folder: of its run, which stays that of the command as it is shown.
    """
    config, rest = config_files.DEFAULT, []
    for argument in arguments:
        key, _, value = argument.partition('=')
        if key == '--config':
            config = value
        elif key not in ('--config.data.name', '--config.train.epochs', '--workdir'):
            rest.append(argument)
    joined = ',' if ':' in config else ':'
    if 'quick' not in config.partition(':')[2].split(','):
        config += f'{joined}quick'
    return [*rest, f'--config={config}', *([f'--workdir={folder}'] if folder else [])]


def verb_of(arguments: tuple[str, ...]) -> str:
    """The verb of a command."""
    return next((argument for argument in arguments if argument in cli.VERBS), 'train')
