"""The pages: every setting stands on its page, the first steps run.

docs_systems_test has the pages of systems, docs_commands_test the commands of all pages.
"""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from mer_jax import cli
from mer_jax.folds import PROTOCOLS
from mer_jax.runfiles import prediction_file, shapes
from mer_jax.settings import tree
from tests.experiment import leaks_test

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r'```python\n(.*?)```', re.S)


def module(name):
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / 'docs' / f'{name}.py')
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_setting_stands_on_its_page():
    """A setting that no page has is found in the source alone."""
    page = module('settings_page').page()
    for key in tree.all_settings({}):
        section, name = key.split('.')
        rows = page.split(f'## {section}\n')[1].split('\n## ')[0]
        assert f'| `{name}`' in rows, key
    assert 'loso' in page and 'ststnet' in page


def test_the_page_on_running_has_the_verbs_with_their_help():
    """A verb that was renamed away would stay on the page."""
    text = (ROOT / 'docs' / 'running.md').read_text()
    table = text.partition('| verb |')[2].partition('\n\n')[0]
    rows = re.findall(r'^\| `(\w+)` \| (.+) \|$', table, re.M)
    assert rows == [(name, cli.VERBS[name].help) for name in dict(rows)], 'each once'
    assert {*cli.VERBS} == {*dict(rows)}


def test_every_protocol_and_leak_stands_on_its_page():
    """A leak that the page does not name looks like one that the program does not have."""
    page = module('protocols_page')
    rows = page.protocol_table()
    assert all(f'| `{name}` |' in rows for name in PROTOCOLS)
    table = page.leak_table()
    for _, leak in leaks_test.SWITCHES:
        assert leak.partition(':')[0] in table, leak


def test_every_data_set_has_a_page():
    """A release without a page would be found by its folder alone; a dead link by its reader."""
    pages = module('data_pages')
    readmes = pages.readmes()
    assert {'casme2', 'samm', 'smic', 'synthetic_faces'} <= {*readmes}
    for name, path in readmes.items():
        text = pages.page(name, path)
        assert text.startswith('# ') and f'({name})' in text.partition('\n')[0]
        for link in re.findall(r'\]\((\.\.[^)#]+)', text):
            assert (pages.FOLDER / link).resolve().exists(), (name, link)


@pytest.mark.docs
def test_the_figures_of_the_concepts_are_current(tmp_path):
    """A figure that was changed in its script alone would show and say something else."""
    drawing = module('draw_concepts')
    drawing.draw(tmp_path)
    page = (ROOT / 'docs' / 'concepts.md').read_text()
    for name in drawing.FIGURES:
        words, old = (  # matplotlib draws letters as paths, and writes each text as a comment
            re.findall('<!-- (.*?) -->', (folder / f'{name}.svg').read_text())
            for folder in (tmp_path, drawing.FOLDER)
        )
        assert words and words == old, 'run python docs/draw_concepts.py'
        assert f'(concepts/{name}.svg)' in page
    accuracies = drawing.measured()
    for figure in (accuracies[:, -1].mean(), accuracies.max(axis=1).mean()):
        assert f'{figure:.2f}' in page


@pytest.mark.docs
def test_the_first_steps_run(tmp_path, monkeypatch, capsys, undrawn, first_plan):
    """Users copy these lines: a network of their own, ten lines, a splitter, a score.

    Ten lines are what the README promises, and it has the same.
    """
    blocks = BLOCK.findall((ROOT / 'docs' / 'first_steps.md').read_text())
    (ten_lines,) = {*blocks} & {*BLOCK.findall((ROOT / 'README.md').read_text())}
    assert len([line for line in ten_lines.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(block.replace('epochs=100', 'epochs=1'), names)
    printed = capsys.readouterr().out
    assert 'KFold: rows of one subject on both sides of 4 of 4 folds' in printed
    (group,) = names['mj'].compare(names['other'], names['run']).groups
    assert group['runs'][1]['against']['common'] == len(names['X'])
    assert np.isfinite(names['score'].uf1)


@pytest.mark.docs
def test_the_page_on_your_own_code_runs(
    tmp_path, monkeypatch, capsys, undrawn, first_plan, tiny_data
):
    """A reader who has a network in PyTorch has this page alone; they change ten lines of it."""
    pytest.importorskip('torch')
    blocks = BLOCK.findall((ROOT / 'docs' / 'your_own_code.md').read_text())
    assert sum(line.count('# <-') for line in blocks[0].splitlines()) == 10
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    names = {'__name__': '__main__'}
    quicker = {'range(30)': 'range(2)', 'processes=2': 'processes=1'}
    for block in blocks:
        for slow, quick in quicker.items():
            block = block.replace(slow, quick)
        exec(block, names)
    printed = capsys.readouterr().out
    assert 'honest: no leaks' in printed and 'clips split at random' in printed
    (group,) = names['mj'].compare(names['svms'], names['run']).groups
    assert group['runs'][1]['against']['common'] == len(names['data'])
    assert names['longer'].folder.name == 'longer'


def keys_of(shape):
    """The names of all keys of a shape of JSON."""
    if isinstance(shape, shapes.Maybe):
        return keys_of(shape.shape)
    if isinstance(shape, shapes.ListOf):
        return keys_of(shape.item)
    if not isinstance(shape, dict):
        return set()
    return {*shape}.union(*(keys_of(inner) for inner in shape.values()))


def test_the_page_on_predicting_explains_every_key():
    """Users write programs by its tables of keys and columns."""
    page = (ROOT / 'docs' / 'prediction_files.md').read_text()
    json_keys = page.partition('## predictions.json')[2].partition('\n## ')[0]
    for key in keys_of(prediction_file.SHAPE):
        assert f'`{key}`' in json_keys, key
    columns = page.partition('## predictions.csv')[2].partition('\n## ')[0]
    for column in prediction_file.COLUMNS:
        assert f'`{column}`' in columns, column
    guide = (ROOT / 'docs' / 'predicting.md').read_text()
    for words in (*prediction_file.OUTCOMES, 'lie detector', 'experimental'):
        assert words in guide, words
    assert guide.count('2024/1689') == 2  # the law is named once: its link and the address
