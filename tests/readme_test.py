"""The two READMEs: short enough to read once, and equal in all that a reader clicks or copies."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from mer_jax import cli

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / 'README.md', ROOT / 'README.zh-CN.md'
CODE = re.compile(r'^```.*?^```$', re.M | re.S)
LINK = re.compile(r'\]\(([^)\s]+)\)')
COMMAND = re.compile(r'^(?:mer-jax|python main\.py|python -m mer_jax)(?: (.+))?$', re.M)


def blocks(text):
    """What stands between fences."""
    return [block.partition('\n')[2].removesuffix('```') for block in CODE.findall(text)]


def commands(text):
    """Command lines between fences and in back quotes, in their order, each once."""
    inline = re.findall(r'`([^`\n]+)`', CODE.sub('', text))
    lines = [line for block in blocks(text) for line in block.replace('\\\n', '').splitlines()]
    parts = [part for line in [*inline, *lines] for part in line.split(' && ')]
    return [line for line in dict.fromkeys(parts) if re.match('pip |python3? |make |mer-jax', line)]


def sentences(text):
    """The sentences of prose, headings, items of lists and cells of tables, without marks."""
    prose = CODE.sub('\n\n', text)
    prose = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', prose)  # of a link, what is shown
    prose = re.sub(r'^(?:#+ |- )', '\n\n', prose, flags=re.M)
    cells = re.split(r'\n\s*\n|\|', prose)
    return [
        sentence for cell in cells for sentence in re.split(r'(?<=[.!?])\**\s+(?=\S)', cell.strip())
    ]


def slugs(path):
    """The anchors of the headings of a page."""
    titles = re.findall(r'^#+ (.+)$', path.read_text(), re.M)
    return {re.sub(r'[^\w\- ]', '', title).lower().replace(' ', '-') for title in titles}


@pytest.fixture
def address():
    """docs/address.py, which is in no package."""
    spec = importlib.util.spec_from_file_location('address', ROOT / 'docs' / 'address.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_read_once():
    """It grew to 2,760 words in sentences of up to 82: nobody reads that."""
    text = CODE.sub('', ENGLISH.read_text())
    assert len(text.split()) <= 900
    long = [words for words in sentences(text) if len(words.split()) > 25]
    assert not long


def test_both_languages_have_the_same_commands_and_links():
    """A reader of Chinese would copy a command that was renamed long ago."""
    english, chinese = ENGLISH.read_text(), CHINESE.read_text()
    assert blocks(english) == blocks(chinese)
    assert commands(english) == commands(chinese)
    swapped = [link.replace(CHINESE.name, ENGLISH.name) for link in LINK.findall(english)]
    assert swapped == LINK.findall(chinese)
    figure = r'\d\.\d{3}'
    assert re.findall(figure, english) == re.findall(figure, chinese)


@pytest.mark.parametrize('link', sorted({*LINK.findall(ENGLISH.read_text())}))
def test_each_link_leads_somewhere(link):
    """The first click of a newcomer must not end in nothing."""
    if link.startswith('https://'):
        return
    path, _, anchor = link.partition('#')
    assert (ROOT / path).exists()
    assert not anchor or anchor in slugs(ROOT / path)


def test_the_program_takes_each_command():
    """A verb, a config or a flag that was renamed away would stay here."""
    lines = [COMMAND.match(line) for line in commands(ENGLISH.read_text())]
    taken = [shlex.split(line[1] or '') for line in lines if line]
    for arguments in taken:
        if '--help' not in arguments:
            cli.parse(arguments)
    verbs = {arguments[0] for arguments in taken if arguments} & {*cli.VERBS}
    assert {'predict', 'compare', 'audit'} <= verbs


def test_the_address_of_the_project_stands_in_one_place(address):
    """Else half of the pages would send readers where the project once was."""
    for name, write in address.SHOWN_IN.items():
        path = ROOT / name
        if not path.exists():
            continue
        text = path.read_text()
        assert write(text, address.address()) == text, 'run: python docs/address.py'
        moved = write(text, 'https://github.com/someone/mer_jax')
        assert 'https://github.com/someone/mer_jax' in moved, name
        assert 'someone' not in write(moved, ''), name
