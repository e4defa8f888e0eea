"""The version and the commit of the code."""

import os
import subprocess
from pathlib import Path

VERSION = '0.1.0'
HERE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """Return the repository of this package; None where installed."""
    root = HERE.parent
    return root if (root / 'pyproject.toml').is_file() and (root / 'main.py').is_file() else None


def code() -> dict[str, str]:
    """Return the version, and in a checkout the commit.

    Returns:
        {'mer_jax': '0.1.0', 'commit': 'fcdb7ca', 'tree': 'clean' or 'changed'}; the last two only
        in a git repository.
    """
    version = {'mer_jax': VERSION}
    root = checkout()
    # Without its own .git, git would report the commit of an outer repository.
    if root is None or not (root / '.git').exists():
        return version
    commit = _git(root, 'rev-parse', '--short', 'HEAD')
    # Files that git does not track are mostly runs and notes, not code.
    status = _git(root, 'status', '--porcelain', '--untracked-files=no')
    if not commit or status is None:
        return version
    return {**version, 'commit': commit, 'tree': 'changed' if status else 'clean'}


def describe(code: dict[str, str]) -> str:
    """Return such as 'mer_jax 0.1.0, commit fcdb7ca, tree clean'.

    Args:
        code: the result of `code`, or the versions of a run, which contain it.
    """
    keys = [key for key in ('mer_jax', 'commit', 'tree') if key in code]
    return ', '.join(f'{key} {code[key]}' for key in keys) or 'an unknown version'


def _git(root, *arguments):
    """Return the output of git; None where it fails."""
    # A git hook sets variables that name another repository.
    environment = {key: value for key, value in os.environ.items() if key[:4] != 'GIT_'}
    try:
        done = subprocess.run(
            ['git', '-C', str(root), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
