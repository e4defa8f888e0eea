"""The project's address: pyproject.toml states it once, this script writes it where it is shown.

    python docs/address.py

While there is none, nothing is shown. Run it again after each change of `[project.urls]`.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEY = 'Repository'
GITHUB = 'https://github.com/'
COLAB = 'https://colab.research.google.com/github/{}/blob/main/notebooks/quickstart.ipynb'


def address() -> str:
    """The address in pyproject.toml; empty where it has none."""
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    return project.get('urls', {}).get(KEY, '')


def readme(text: str, url: str) -> str:
    """A README whose part between two comments says how to get the project.

    Args:
        text: of the README.
        url: the address, or ''.
    """
    lines = []
    if url:
        folder = url.rstrip('/').rpartition('/')[2].removesuffix('.git')
        lines += ['```', f'git clone {url} && cd {folder}', '```', '']
    if url.startswith(GITHUB):
        repository = url.removeprefix(GITHUB).strip('/').removesuffix('.git')
        lines += [f'[Open in Colab]({COLAB.format(repository)})', '']
    begin, _, rest = text.partition('<!-- address -->\n')
    end = rest.partition('<!-- /address -->\n')[2]
    return (
        f'{begin}<!-- address -->\n'
        + ''.join(f'{line}\n' for line in lines)
        + (f'<!-- /address -->\n{end}')
    )


def notebook(text: str, url: str) -> str:
    """The notebook whose first cell installs from the address.

    Args:
        text: of the file, JSON.
        url: the address, or ''.
    """
    return re.sub(r"(?<=ADDRESS = ')[^']*(?=')", lambda _: url, text, count=1)


def citation(text: str, url: str) -> str:
    """CITATION.cff with the address as its repository.

    Args:
        text: of the file.
        url: the address, or ''.
    """
    others = re.sub(r'^repository-code:.*\n', '', text, flags=re.M)
    return others + (f'repository-code: "{url}"\n' if url else '')


SHOWN_IN = {
    'README.md': readme,
    'README.zh-CN.md': readme,
    'notebooks/quickstart.ipynb': notebook,
    'CITATION.cff': citation,
}


def main() -> None:
    """Write the address into each file that shows it."""
    for name, write in SHOWN_IN.items():
        path = ROOT / name
        if path.exists():
            path.write_text(write(path.read_text(), address()))


if __name__ == '__main__':
    main()
