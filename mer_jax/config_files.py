"""Find and read config files."""

import ast
import difflib
import re
from importlib import machinery, util
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from mer_jax import bounded, machine, provenance
from mer_jax.errors import UserError
from mer_jax.presets import COMMON_VARIANTS, base
from mer_jax.runfiles.naming import title
from mer_jax.settings.renamed import RENAMED
from mer_jax.settings.tree import flat

DEFAULT = 'synthetic_dualbranch'
FOLDER = 'configs'
MOST_BYTES = 10**6  # of a config file


class ConfigFile(NamedTuple):
    """A config file, and its config with chosen variants."""

    path: Path
    summary: str  # the first paragraph of its docstring
    variants_text: str  # the chosen variants: 'classes=3,quick'
    config: ConfigDict  # with these variants
    variants: dict[str, tuple[str, ...]]  # {each variant of the file: its values; () for none}


def load(text: str = DEFAULT) -> ConfigDict:
    """Read a config by name or path.

    Args:
        text: 'NAME', 'NAME:VARIANT,...' or a path.

    Returns:
        The config; its name is the title of the run.

    Raises:
        UserError: there is no such config or variant, or the file fails.
    """
    file = read(text)
    file.config.name = title(file.config.name, file.variants_text)
    return file.config


def read(text: str) -> ConfigFile:
    """Read a config file.

    Args:
        text: as in `load`.

    Returns:
        The file; its config has the name that the file gives.

    Raises:
        UserError: there is no such config or variant, or the file fails.
    """
    name, colon, variants_text = text.partition(':')
    path = find(name)
    try:
        module = _module(path)
        make = getattr(module, 'get_config', None)
        config = None
        if make:
            config = make(variants_text) if colon else make()
    except UserError:
        raise
    except Exception as error:  # a file of the user may raise anything
        text = f'{path} fails: {type(error).__name__}: {error}'
        raise UserError('; '.join([text, *_renamed(str(error))])) from error
    if not isinstance(config, ConfigDict):
        raise UserError(
            f'{path} is not a config file; it needs a get_config(variant) that returns a changed '
            'base()'
        )
    _check_keys(path, config)
    changes = {**getattr(module, 'VARIANTS', {}), **COMMON_VARIANTS}
    variants = {name: _values(change) for name, change in changes.items()}
    return ConfigFile(path, summary(path), variants_text, config, variants)


def split(text: str) -> list[str]:
    """Split a list of configs: 'A,B:gan=on,quick,C' names A, B:gan=on,quick and C.

    After a config with variants, what is no config is a further variant.
    """
    configs = []
    for part in filter(None, map(str.strip, text.split(','))):
        if configs and ':' in configs[-1] and not _is_config(part.partition(':')[0]):
            configs[-1] += f',{part}'
        else:
            configs.append(part)
    return configs


def _is_config(name):
    try:
        find(name)
    except UserError:
        return False
    return True


def find(name: str) -> Path:
    """Find a config file by path or name.

    A name is searched for in the folder `configs` of the working directory, in that of the
    checkout, and among the configs that are installed with the package.

    Raises:
        UserError: there is none; names the nearest.
    """
    machine.absolute(name, '--config')  # refuses names that no disk takes
    stem = name.removesuffix('.py')
    short = stem.removeprefix(f'{FOLDER}/')
    paths = [Path(name), Path(f'{stem}.py')]
    if '/' not in short:
        paths += [folder / f'{short}.py' for folder in folders()]
    for path in paths:
        if stem and path.is_file():
            return path
    near = difflib.get_close_matches(Path(short).name, listed(), n=3)
    hint = f'did you mean {" or ".join(near)}?' if near else f'use for instance {DEFAULT};'
    shown = name or repr('')
    raise UserError(f'--config={shown}: no such config; {hint} --help lists all')


def folders() -> list[Path]:
    """Return the folders that are searched for configs."""
    root = provenance.checkout()
    checkout = [root / FOLDER] if root else []
    return [Path(FOLDER), *checkout, provenance.HERE / FOLDER]


def listed() -> dict[str, Path]:
    """Return {name: file} of all configs in these folders."""
    files = {}
    for folder in folders():
        for path in sorted(folder.glob('*.py')):
            # A folder of the user may hold other Python files.
            if b'def get_config(' in _content(path):
                files.setdefault(path.stem, path)
    return dict(sorted(files.items()))


def summary(path: Path) -> str:
    """Return the first paragraph of a file's docstring, or ''."""
    try:
        text = ast.get_docstring(ast.parse(_content(path))) or ''
    except (SyntaxError, ValueError):
        text = ''
    return ' '.join(text.partition('\n\n')[0].split())


def _content(path):
    """The bytes of a file of Python code; b'' where it is too large for one."""
    try:
        return bounded.read_bytes(path, MOST_BYTES)
    except ValueError:
        return b''


def _module(path):
    bounded.check_size(path, MOST_BYTES)
    loader = machinery.SourceFileLoader('config_file', str(path))
    module = util.module_from_spec(util.spec_from_loader('config_file', loader))
    loader.exec_module(module)
    return module


def _check_keys(path, config):
    """Refuse a config whose settings are not those of base()."""
    keys, present = set(flat(base('').to_dict())), set(flat(config.to_dict()))
    errors = [f'lacks {key}' for key in sorted(keys - present)]
    for key in sorted(present - keys):
        new = RENAMED.get(key)
        errors.append(f'has {key}, which is now {new}' if new else f'has an unknown {key}')
    if errors:
        raise UserError(f'{path} {errors[0]}; start from base() of mer_jax/presets.py')


def _renamed(text):
    """Suggest new names for a setting that ml_collections refuses."""
    match = re.search(r'Key "(\w+)" does not exist', text)
    keys = [key for key in RENAMED if match and key.rpartition('.')[2] == match[1]]
    return [f'{key} is now {RENAMED[key]}' for key in keys]


def _values(change):
    """The values of a variant; () for one without values."""
    return tuple(change) if isinstance(change, dict) else ()
