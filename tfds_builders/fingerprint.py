"""What a data set was built from, as digests that name what has changed since.

This file needs the standard library alone, and its digests are equal under every Python from 3.11
on: a data set that was built under one version is read under another.
"""

import ast
import functools
import hashlib
import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# from the middle of each frame; together with the size it distinguishes frames without reading
# gigabytes
SAMPLE_BYTES = 4096
# of a syntax tree: what follows from the rest, or what only some versions of Python write
IGNORED_FIELDS = ('ctx', 'kind', 'type_params', 'type_comment')
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(value) -> str:
    """Hex sha256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def settings_digests(settings: Mapping) -> dict[str, str]:
    """{'setting NAME': digest} of a dictionary of JSON values."""
    return {f'setting {name}': digest(value) for name, value in settings.items()}


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """{'code of MODULE': digest}; comments, docstrings and layout of the source do not count."""
    digests = {}
    for module in modules:
        path = Path(importlib.util.find_spec(module).origin)
        digests[f'code of {module}'] = source_digest(path.read_text(encoding='utf-8'))
    return digests


@functools.cache  # a process opens many data sets, which share most of their code
def source_digest(source: str) -> str:
    """Digest of what a Python file does, equal under every Python version that reads it.

    Neither the tokens nor `ast.dump` nor `ast.unparse` of one file are equal under 3.11, 3.12 and
    3.13 (f-strings, type parameters, empty fields), so the syntax tree is walked here.
    """
    return digest(_plain_tree(ast.parse(source)))


def file_digests(
    folder: Path, whole: Iterable[Path], sampled: Iterable[Path] = ()
) -> dict[str, str]:
    """{file or folder relative to `folder`: digest} of files, whenever they were written.

    Args:
      folder: what the names are relative to. Files that lie deeper are joined to one digest of the
        folder they lie in.
      whole: files that count with path and content.
      sampled: files that count with path, size and 4 KiB from their middle.
    """
    folder = Path(folder)
    files = [(path, True) for path in whole]
    files += [(path, False) for path in sampled]
    groups = defaultdict(list)
    for path, every_byte in files:
        relative = path.relative_to(folder)
        name = relative.as_posix() if len(relative.parts) == 1 else relative.parent.as_posix()
        groups[name].append([relative.as_posix(), *_size_and_digest(path, every_byte)])
    return {name: digest(sorted(group)) for name, group in groups.items()}


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names whose digests differ, came or went, sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def shorten(names: Sequence[str], most: int = 3) -> str:
    """'a, b, c and 4 more'."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def _size_and_digest(path, every_byte):
    size = path.stat().st_size if path.exists() else -1
    if not path.is_file():  # a named pipe would block the read for ever
        return size, ''
    with open(path, 'rb') as file:
        if every_byte:
            return size, hashlib.file_digest(file, 'sha256').hexdigest()
        file.seek(max(size - SAMPLE_BYTES, 0) // 2)
        return size, hashlib.sha256(file.read(SAMPLE_BYTES)).hexdigest()


def _plain_tree(node):
    """A syntax tree, or a part of one, as nested lists of text."""
    if isinstance(node, list):
        return [_plain_tree(item) for item in node]
    if isinstance(node, ast.Constant):
        return ['Constant', *_plain_value(node.value)]
    if not isinstance(node, ast.AST):
        return _plain_value(node)
    fields = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name == 'body' and isinstance(node, WITH_DOCSTRING):
            value = _without_docstring(value)
        if name == 'values' and isinstance(node, ast.JoinedStr):
            value = _joined_constants(value)
        if name not in IGNORED_FIELDS and value is not None and value != []:
            fields.append([name, _plain_tree(value)])
    return fields


def _plain_value(value):
    # ascii: which characters repr prints as they are depends on Python's version of Unicode
    return [type(value).__name__, ascii(value)]


def _without_docstring(body):
    first = body[0].value if body and isinstance(body[0], ast.Expr) else None
    is_docstring = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return body[1:] if is_docstring else body


def _joined_constants(values):
    """Values of an f-string; Python 3.11 and 3.12 split the text between two fields differently."""
    joined = []
    for value in values:
        if not isinstance(value, ast.Constant):
            joined.append(value)
        elif joined and isinstance(joined[-1], ast.Constant):
            joined[-1] = ast.Constant(joined[-1].value + value.value)
        elif value.value:
            joined.append(value)
    return joined
