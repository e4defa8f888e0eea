"""What a data set was built from, part by part, so that a later use can tell what has changed."""

import hashlib
import importlib.util
import io
import json
import tokenize
from collections import defaultdict
from pathlib import Path

# from the middle of each frame; with its size this tells frames apart without reading gigabytes
SAMPLE_BYTES = 4096
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
}


def digest(value):
    """Hex sha256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def of_settings(settings):
    """{'setting NAME': digest} of a dictionary of JSON values."""
    return {f'setting {name}': digest(value) for name, value in settings.items()}


def of_code(modules):
    """{'code of MODULE': digest}; comments, docstrings and layout of the source do not count."""
    return {
        f'code of {module}': _code(importlib.util.find_spec(module).origin) for module in modules
    }


def of_files(folder, whole, sampled=()):
    """{folder or file relative to `folder`: digest}: `whole` by path and content, `sampled` by
    path, size and 4 KiB from their middle (never by time). Files that lie deeper are told together
    by their folder.
    """
    folder, groups = Path(folder), defaultdict(list)
    for path, every_byte in [*((p, True) for p in whole), *((p, False) for p in sampled)]:
        relative = path.relative_to(folder)
        name = relative.as_posix() if len(relative.parts) == 1 else relative.parent.as_posix()
        groups[name].append([relative.as_posix(), *_file(path, every_byte)])
    return {name: digest(sorted(group)) for name, group in groups.items()}


def changed(before, now):
    """Names of the parts that differ, came or went."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def told(names, most=3):
    """'a, b, c and 4 more'."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def _file(path, every_byte):
    size = path.stat().st_size if path.exists() else -1
    if not path.is_file():  # a named pipe would block the read for ever
        return size, ''
    with open(path, 'rb') as file:
        if every_byte:
            return size, hashlib.file_digest(file, 'sha256').hexdigest()
        file.seek(max(size - SAMPLE_BYTES, 0) // 2)
        return size, hashlib.sha256(file.read(SAMPLE_BYTES)).hexdigest()


def _code(path):
    """Digest of the words of a source file; equal under every Python version that reads it."""
    source, words, fresh = Path(path).read_text(encoding='utf-8'), [], True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and fresh:
            continue  # a string that begins a line is a docstring
        if token.type not in _SILENT:
            words.append(token.string)
        fresh = token.type in _SILENT
    return hashlib.sha256(''.join(words).encode()).hexdigest()
