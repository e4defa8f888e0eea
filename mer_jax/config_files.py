"""Config files: where one is found, the config that it makes, and the variants that it has."""

import ast
import difflib
import re
from importlib import machinery, util
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from mer_jax import provenance
from mer_jax.errors import UserError
from mer_jax.presets import COMMON_VARIANTS, base
from mer_jax.runfiles.naming import title
from mer_jax.settings.renamed import RENAMED
from mer_jax.settings.tree import flat

DEFAULT = 'synthetic_dualbranch'
FOLDER = 'configs'


class ConfigFile(NamedTuple):
    """A config file, and what its text on the command line asks of it."""

    path: Path
    summary: str  # the first sentence of the file
    asked: str  # the variants that were asked for: 'classes=3,quick'
    config: ConfigDict  # with these variants
    # every variant that there is, with its values where it takes one
    variants: dict[str, tuple[str, ...]]


def load(text: str = DEFAULT) -> ConfigDict:
    """The config of 'NAME', 'NAME:VARIANT,...' or a path; its name is the title of a run.

    Raises:
        UserError: there is no such config or variant, or the file fails.
    """
    file = read(text)
    file.config.name = title(file.config.name, file.asked)
    return file.config


def read(text: str) -> ConfigFile:
    """The config file of 'NAME:VARIANT,...'; its config has the name that the file gives it.

    Raises:
        UserError: there is no such config or variant, or the file fails.
    """
    name, colon, asked = text.partition(':')
    path = find(name)
    try:
        module = _module(path)
        make = getattr(module, 'get_config', None)
        config = None
        if make:
            config = make(asked) if colon else make()
    except UserError:
        raise
    except Exception as error:  # whatever a file that the user wrote can raise
        text = f'{path} fails: {type(error).__name__}: {error}'
        raise UserError('; '.join([text, *_renamed(str(error))])) from error
    if not isinstance(config, ConfigDict):
        raise UserError(
            f'{path} is not a config file: it has no get_config(variant) that returns base() '
            'with changes'
        )
    _check_keys(path, config)
    changes = {**getattr(module, 'VARIANTS', {}), **COMMON_VARIANTS}
    variants = {name: _values(change) for name, change in changes.items()}
    return ConfigFile(path, summary(path), asked, config, variants)


def find(name: str) -> Path:
    """The file of a config, given by its path or by its name.

    A name is looked for in the folder `configs` below the working directory, in that of the
    checkout, and among the configs that are installed with the package.

    Raises:
        UserError: there is none; the message has the nearest names.
    """
    stem = name.removesuffix('.py')
    short = stem.removeprefix(f'{FOLDER}/')
    paths = [Path(name), Path(f'{stem}.py')]
    if '/' not in short:
        paths += [folder / f'{short}.py' for folder in folders()]
    for path in paths:
        if stem and path.is_file():
            return path
    near = difflib.get_close_matches(Path(short).name, listed(), n=3)
    hint = f'did you mean {" or ".join(near)}?' if near else f'there is {DEFAULT}, for instance;'
    shown = name or repr('')
    raise UserError(f'--config={shown}: no such config; {hint} --help lists all')


def folders() -> list[Path]:
    """The folders in which a config is looked for by its name."""
    root = provenance.checkout()
    checkout = [root / FOLDER] if root else []
    return [Path(FOLDER), *checkout, provenance.HERE / FOLDER]


def listed() -> dict[str, Path]:
    """Every config that is found by its name, with its file."""
    files = {}
    for folder in folders():
        for path in sorted(folder.glob('*.py')):
            # a folder of the user may hold other Python files
            if 'def get_config(' in path.read_text(encoding='utf-8', errors='replace'):
                files.setdefault(path.stem, path)
    return dict(sorted(files.items()))


def summary(path: Path) -> str:
    """The first paragraph of a config file's docstring; '' where there is none."""
    try:
        text = ast.get_docstring(ast.parse(path.read_bytes())) or ''
    except (SyntaxError, ValueError):
        text = ''
    return ' '.join(text.partition('\n\n')[0].split())


def _module(path):
    loader = machinery.SourceFileLoader('config_file', str(path))
    module = util.module_from_spec(util.spec_from_loader('config_file', loader))
    loader.exec_module(module)
    return module


def _check_keys(path, config):
    """A config holds every setting of base() and no other."""
    keys, present = set(flat(base('').to_dict())), set(flat(config.to_dict()))
    errors = [f'lacks {key}' for key in sorted(keys - present)]
    for key in sorted(present - keys):
        new = RENAMED.get(key)
        errors.append(f'has {key}, which is now {new}' if new else f'has an unknown {key}')
    if errors:
        raise UserError(f'{path} {errors[0]}; begin with base() of mer_jax/presets.py')


def _renamed(text):
    """The new names of a setting that ml_collections does not know, by its last word."""
    match = re.search(r'Key "(\w+)" does not exist', text)
    keys = [key for key in RENAMED if match and key.rpartition('.')[2] == match[1]]
    return [f'{key} is now {RENAMED[key]}' for key in keys]


def _values(change):
    """The values of a variant that takes one."""
    return tuple(change) if isinstance(change, dict) else ()
