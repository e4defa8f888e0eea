"""Which code computed a result: its version and, in a checkout, the git commit."""

import os
import subprocess
from pathlib import Path

VERSION = '0.1.0'
HERE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The folder of the repository that this package lies in; None where it is installed."""
    root = HERE.parent
    return root if (root / 'pyproject.toml').is_file() and (root / 'main.py').is_file() else None


def code() -> dict[str, str]:
    """The version; in a checkout also the commit, and whether files differ from it.

    Returns:
        {'mer_jax': '0.1.0', 'commit': 'fcdb7ca', 'tree': 'clean' or 'changed'}; the last two only
        where git knows them.
    """
    version = {'mer_jax': VERSION}
    root = checkout()
    # a folder of files without git, inside the repository of something else, has no commit
    if root is None or not (root / '.git').exists():
        return version
    commit = _git(root, 'rev-parse', '--short', 'HEAD')
    # files that git does not track are runs and notes far more often than code
    status = _git(root, 'status', '--porcelain', '--untracked-files=no')
    if not commit or status is None:
        return version
    return {**version, 'commit': commit, 'tree': 'changed' if status else 'clean'}


def describe(code: dict[str, str]) -> str:
    """One line for people: 'mer_jax 0.1.0, commit fcdb7ca, tree clean'.

    Args:
        code: what `code` returns, or the versions of a run, which hold it.
    """
    keys = [key for key in ('mer_jax', 'commit', 'tree') if key in code]
    return ', '.join(f'{key} {code[key]}' for key in keys) or 'an unknown version'


def _git(root, *arguments):
    """What git prints about a repository; None where git is missing or refuses."""
    # a hook of git sets variables that name another repository
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
