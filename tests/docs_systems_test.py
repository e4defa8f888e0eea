"""The pages of systems: every published choice, variant and layer stands on them."""

import re
from pathlib import Path

import pytest

from mer_jax import config_files
from mer_jax.experiment import settings
from tests.docs_test import module
from tests.support.networks import CASES

ROOT = Path(__file__).parents[1]
PAGES = {path.stem: path.read_text() for path in sorted((ROOT / 'docs' / 'systems').glob('*.md'))}
CHOICES = module('systems_page')
LAYERED = [page for page, text in PAGES.items() if '\n## Layers\n' in text]


def section(page, title):
    """The text below a heading."""
    return PAGES[page].partition(f'\n## {title}\n')[2].partition('\n## ')[0]


def test_what_published_changes_is_explained():
    """A choice that `:published` restores in silence would be found in the source alone; the config
    must be one that the program takes.
    """
    texts = ''
    for system in CHOICES.SYSTEMS:
        default, published = CHOICES.values(system)
        changed = {key for key in default if default[key] != published[key]}
        explained = {key for choice in system.choices for key in choice.settings}
        assert changed <= explained, (system.page, changed - explained)
        assert changed and system.lost
        settings.checked(config_files.load(f'{system.config}:published'))
        text = CHOICES.choices(system)
        assert all(f'`{key}`: ' in text for key in explained)
        texts += text
    assert '(published: 800)' in texts and 'in_order' in texts


@pytest.mark.parametrize('system', CHOICES.SYSTEMS, ids=lambda system: system.page)
def test_a_page_explains_every_variant_of_its_system(system):
    """The page is where a reader learns which variants there are, and what they change."""
    assert f'../generated/choices/{system.page}.md' in PAGES[system.page]
    assert f'`{system.config}' in PAGES['index'] and f'({system.page}.md)' in PAGES['index']
    variants = section(system.page, 'Variants')
    for name, values in config_files.read(system.config).variants.items():
        assert f'`{name}' in variants, name
        # each by itself, or the first as name=value and the others by value
        missing = [
            value
            for value in values
            if f'`{name}={value}`' not in variants and f'`{value}`' not in variants
        ]
        assert not missing, name


@pytest.mark.parametrize('page', LAYERED)
def test_the_parameters_of_the_layers_add_up(page):
    """A table of layers that misses one describes another network; the tests of networks count the
    parameters of the module.
    """
    text = section(page, 'Layers')
    rows = re.findall(r'^\|.*\| ([\d,+ ]+) \|$', text, re.M)
    counts = [int(count) for row in rows for count in row.replace(',', '').split(' + ')]
    (total,) = re.findall(r'\*\*([\d,]+)\*\*', text)
    assert sum(counts) == int(total.replace(',', ''))
    assert any(f'{case.parameters:,}' in text for case in CASES.values())
