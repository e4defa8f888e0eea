"""Commands of README and pages: each is parsed, and those that can run anywhere are run."""

import functools
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import main
from mer_jax import cli, config_files, models
from mer_jax.experiment import settings
from mer_jax.settings import tree
from tests.support import commands, drawn_recordings, videos

SHOWN = commands.shown()
# A run of a page that no command before it has trained, nor is named as a config, is one of these.
ANY_RUN = 'synthetic_ststnet'
# verbs that read finished runs, or a pack, in place of a data set
OF_RUNS = ('compare', 'diff', 'explain', 'export', 'pack', 'predict', 'report')
# audit trains eight times: leak_audit_test has it
TRAINING = ('train', 'build', 'describe')


@pytest.mark.parametrize('page', sorted({command.page for command in SHOWN}))
def test_commands_of_a_page_are_right(page):
    """Users copy these lines; a flag or setting that was renamed would stay in them, or a value
    that the program refuses.
    """
    for command in SHOWN:
        if command.page == page and not names_a_verb(command):
            check(command.arguments)


def names_a_verb(command):
    """Whether a command is `python main.py predict` in a sentence, without the flags it needs."""
    return len(command.arguments) == 1 and command.arguments[0] in cli.VERBS


@functools.cache
def check(arguments):
    """Parse a command, and check the settings of each config that it reads."""
    parsed = cli.parse([word for word in arguments if word not in cli.PRINTING])
    configs = [parsed.config] if cli.VERBS[parsed.verb].reads_config else []
    for extra in parsed.extra:
        configs += extra.values() if isinstance(extra, dict) else []
    for config in configs:
        if config is not None:
            settings.checked(config)


def test_settings_that_the_pages_mention_exist():
    """A setting in a sentence is typed as one in a command."""
    keys = {*tree.all_settings(models.options())}
    sections = {key.rpartition('.')[0] for key in keys}
    for path in commands.PAGES:
        for key in re.findall(r'--(?:no)?config\.([a-z_0-9.]+)', path.read_text()):
            key = key.rstrip('.')
            assert key in keys or key in sections, f'{path.name}: {key}'


class Desk:
    """A folder in which commands run as readers type them, with what the pages presume there."""

    def __init__(self, data):
        self.data = f'--config.data.data_dir={data}'
        self.finished = {}  # {quick command without its folder: the folder}
        self.done = set()  # commands, which several pages may show

    def train(self, arguments, folder):
        """Run a quick command that reads a config, or copy what an equal one left."""
        verb, words = commands.verb_of(arguments), quicker(arguments, '')
        key = ' '.join(words)
        if folder and Path(folder).exists():
            return
        if key in self.finished and folder:
            shutil.copytree(self.finished[key], folder)
        elif key not in self.finished:
            words = quicker(arguments, folder if cli.VERBS[verb].folder else '')
            assert main.main([*words, self.data]) == 0, words
            self.finished[key] = folder

    def provide(self, name):
        """Provide a file or folder that a command names, if it is one that can be drawn here."""
        path = Path(name)
        if path.exists():
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parts[:1] == ('runs',) and len(path.parts) == 2 and '*' not in name:
            base, _, variants = path.name.partition('-')
            config = ANY_RUN
            if base in config_files.listed():
                config = f'{base}:{variants}' if variants else base
            self.train((f'--config={config}',), name)
        elif path.suffix in ('.mp4', '.avi'):
            path.parent.mkdir(parents=True, exist_ok=True)
            videos.write(path, self.images, fps=60, codec='mp4v')
        elif path.parts[:1] == ('frames',):
            path.mkdir(parents=True)
            for number, image in enumerate(self.images):
                cv2.imwrite(f'{path}/{number:04d}.png', image)
        elif path.suffix == '.csv':
            self.provide(f'runs/{ANY_RUN}')
            shutil.copy(f'runs/{ANY_RUN}/predictions.csv', path)
        elif path.suffix == '.safetensors':
            self.provide(f'runs/{ANY_RUN}')
            assert main.main(['pack', f'--workdir=runs/{ANY_RUN}', name]) == 0
        return path.exists()

    @functools.cached_property
    def images(self):
        """Frames of a drawn face with one micro-expression."""
        plan = drawn_recordings.plan(0, 3.0, micro=1, slow=0)
        return np.stack([gray for _, _, gray in drawn_recordings.frames(plan, 60)])


def is_drawn(arguments):
    """Whether a command reads the clips that `draw drawn` writes."""
    return any(word.startswith('--config.data.manual_dir=drawn/') for word in arguments)


def quicker(arguments, folder):
    """The arguments of a quick command; one on drawn clips reads them, for two epochs."""
    if not is_drawn(arguments):
        return commands.quick(arguments, folder)
    epochs = min(cli.parse(arguments).config.train.epochs, 2)
    pinned = ['--config.train.at_once=1', '--config.train.lowering=matmul']
    where = [f'--workdir={folder}'] if folder else []
    return [*arguments, f'--config.train.epochs={epochs}', *pinned, *where]


def reason_not_to_run(command):
    """What a command needs that nobody can draw; '' if it can run."""
    if any(word in cli.PRINTING or word.isupper() for word in command.arguments):
        return 'prints, or has words that a reader replaces'
    parsed = cli.parse(command.arguments)
    verb = cli.VERBS[parsed.verb]
    if parsed.hosts is not None:
        return 'needs other hosts'
    if parsed.verb not in (*OF_RUNS, *TRAINING):
        return '' if parsed.verb == 'draw' else 'another verb'
    of_faces = not verb.reads_config or parsed.config.data.name.startswith('synthetic_faces')
    if not of_faces and not is_drawn(command.arguments):
        return 'licensed data, or files of the reader'
    if any(word.startswith(('--fold=', '--onset=')) for word in command.arguments):
        return 'names of a licensed data set'
    if re.fullmatch(
        r'(train )?--config=\w+:quick', ' '.join(commands.quick(command.arguments, ''))
    ):
        return 'end_to_end_test runs every config so'
    return ''


@pytest.fixture(scope='module')
def desk(tiny_data, tmp_path_factory):
    """One for all pages, so that nothing is trained twice."""
    folder = tmp_path_factory.mktemp('desk')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Desk(tiny_data)


@pytest.mark.docs
@pytest.mark.usefixtures('unrendered', 'first_plan')
@pytest.mark.parametrize('page', sorted({command.page for command in SHOWN}))
def test_commands_of_a_page_run(page, desk):
    """A command that parses may still fail for whoever types it: with `:quick`, in the order of the
    page, on drawn faces.
    """
    for command in SHOWN:
        if command.page != page or names_a_verb(command) or command.text in desk.done:
            continue
        desk.done.add(command.text)
        if not reason_not_to_run(command):
            run(command, desk)


def run(command, desk):
    parsed = cli.parse(command.arguments)
    verb = commands.verb_of(command.arguments)
    if verb in TRAINING:
        desk.train(command.arguments, parsed.folder)
        return
    words = [word for word in command.arguments if word != verb]
    if parsed.config is not None and cli.VERBS[verb].reads_config:
        desk.provide(parsed.folder)
        words = commands.quick(tuple(words), parsed.folder) + [desk.data]
    names = [name for word in words for name in word.rpartition('=')[2].split(',')]
    # the file that they write stands last, where it is named
    writes = verb in ('pack', 'export') and not words[-1].startswith('--')
    written = names[-1:] if writes else []
    is_input = re.compile(r'^(runs|frames)/|\.\w+$')
    inputs = [name for name in names if is_input.search(name) and name not in written]
    if all([desk.provide(name) for name in inputs if not name.startswith('--')]):
        assert main.main([verb, *words]) == 0, command.text


@pytest.mark.docs
def test_many_commands_run():
    """Where the pages are searched otherwise than they are written, nothing would be run."""
    given = [command for command in SHOWN if not names_a_verb(command)]
    assert sum(not reason_not_to_run(command) for command in given) > 20
    assert {'README.md', 'docs/predicting.md'} <= {command.page for command in SHOWN}
