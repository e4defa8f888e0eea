"""The pages "add a network", "add a data set" and "add a protocol": each change works as shown."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ('configs', 'main.py', 'mer_jax', 'pyproject.toml', 'tests', 'tfds_builders')
PAGES = ('add_network', 'add_data_set', 'add_protocol')


def blocks(page, language):
    """The code blocks of a page in one language."""
    text = (ROOT / 'docs' / f'{page}.md').read_text()
    fenced = re.findall(r'^```(\w*)\n(.*?)^```$', text, re.M | re.S)
    return [code for name, code in fenced if name == language]


@pytest.mark.docs
@pytest.mark.skipif(not shutil.which('git'), reason='git applies the changes')
@pytest.mark.parametrize('page', PAGES)
def test_the_change_of_a_page_works(page, tmp_path, tiny_data):
    """A reader copies the change; it must fit the code of today, and the commands below it run."""
    copy = tmp_path / 'copy'
    copy.mkdir()
    for name in COPIED:
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, copy / name)
    # a copy inside of another repository would be passed over without a word
    environment = {**os.environ, 'GIT_CEILING_DIRECTORIES': str(tmp_path)}
    environment |= {'TFDS_DATA_DIR': str(tmp_path / 'tfds'), 'PYTHONPATH': ''}
    shutil.copytree(tiny_data, tmp_path / 'tfds')
    change = ''.join(blocks(page, 'diff'))
    apply = ['git', 'apply', '-']
    subprocess.run(apply, input=change, text=True, cwd=copy, env=environment, check=True)
    for code in blocks(page, 'python'):
        subprocess.run([sys.executable, '-c', code], cwd=copy, check=True)
    lines = [line for block in blocks(page, '') for line in block.splitlines()]
    assert lines
    for line in lines:
        words = line.split()
        assert words[0] == 'python', line
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=copy, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f'{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
