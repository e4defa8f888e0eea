"""cli: where a config is found, what each verb takes, what help and other flags print."""

import inspect
import re
import shlex
from pathlib import Path

import pytest

from mer_jax import cli, config_files, entries, usage
from mer_jax.errors import UserError
from mer_jax.settings.tree import flat

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path.stem for path in ROOT.glob('configs/[a-z]*_*.py'))


def printed(capsys, *arguments):
    """What a command line prints."""
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def config_file(path, epochs):
    """Write a config file of a user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        'from mer_jax.presets import base\n\n\n'
        f'def get_config(variant=""):\n    c = base("mine")\n    c.train.epochs = {epochs}\n'
        '    return c\n'
    )


def epochs(name):
    """The epochs of a config by its name."""
    return config_files.load(name).train.epochs


@pytest.mark.parametrize('name', cli.VERBS)
def test_a_verb_takes_what_its_entry_says(name):
    """A verb that is called with other arguments than its function has ends in a traceback."""
    verb = cli.VERBS[name]
    function = entries.loaded(verb.function)
    given = verb.reads_config + bool(verb.folder) + len(verb.flags) + len(verb.arguments)
    given += bool(verb.further) + len(verb.switches)
    inspect.signature(function).bind(*range(given))


def test_help_lists_verbs_and_configs(capsys):
    """What help leaves out nobody finds."""
    text = printed(capsys, '--help')
    assert all(re.search(rf'^  {name} ', text, re.M) for name in [*cli.VERBS, *CONFIGS])
    assert max(map(len, text.split('\n'))) <= 100


@pytest.mark.parametrize('name', cli.VERBS)
def test_help_of_a_verb_is_about_that_verb_alone(name, capsys):
    """Twelve screens about everything do not answer what one verb takes."""
    text, verb = printed(capsys, name, '--help'), cli.VERBS[name]
    words = ' '.join(text.replace('\n      ', ' ').split())
    assert verb.help in words and all(argument in words for argument in verb.arguments)
    for flag in (*verb.flags, *verb.switches, *verb.short):
        assert f'--{flag}' in text
    assert ('--config.KEY=VALUE' in text) == (verb.reads_config or verb.reads_configs)
    assert ('--workdir' in text) == bool(verb.folder)
    assert not any(other.help in words for key, other in cli.VERBS.items() if key != name)
    assert max(map(len, text.split('\n'))) <= 100


@pytest.mark.parametrize('name', CONFIGS)
def test_help_of_a_config_lists_variants_and_settings(name, capsys):
    """A setting that help leaves out is found by reading the code alone."""
    text = printed(capsys, f'--config={name}', '--help')
    values = flat(config_files.read(name).config.to_dict())
    assert all(f'  {key} = ' in text for key in values)
    assert f'  train.epochs = {values["train.epochs"]}' in text
    assert max(map(len, text.split('\n'))) <= 100
    words = ' '.join(text.split())
    assert all(f' {variant}' in words for variant in config_files.read(name).variants)


@pytest.mark.parametrize('name', CONFIGS)
def test_every_variant_that_help_lists_is_taken(name):
    """A listed variant that the config refuses would be an error that nobody understands."""
    for variant, values in config_files.read(name).variants.items():
        for value in values or [None]:
            config_files.read(f'{name}:{variant}' + (f'={value}' if value else ''))


def test_help_shows_the_values_of_the_command_line(capsys):
    """Whoever looks up a setting sees what it is now, what it was, what it may be, and why."""
    text = printed(capsys, '--config=synthetic_ststnet', '--config.protocol.name=kfold', '--help')
    line, reason = text[text.index('protocol.name = ') :].split('\n')[:2]
    assert line.startswith('protocol.name = kfold ') and 'loso' in line and 'holdout' in line
    assert reason.strip()


def test_printed_settings_are_a_command_line(capsys):
    """A run is repeated elsewhere by what --print_config printed."""
    flags = ['--config.train.epochs=7', "--config.data.manual_dir=a folder; it's mine"]
    text = printed(capsys, '--config=megc2019_best:quick', *flags, '--print_config')
    wanted = cli.parse(['--config=megc2019_best:quick', *flags])
    assert cli.parse(shlex.split(text)) == wanted
    assert wanted.config.train.epochs == 7 and wanted.config.head.cost == (0.5, 1, 2, 4, 8)


def test_version_needs_no_config(capsys, tmp_path, monkeypatch):
    """A report of a fault begins with it, wherever the user is."""
    monkeypatch.chdir(tmp_path)
    assert re.match(r'mer_jax \d+\.\d+\.\d+', printed(capsys, '--version'))


def test_a_config_is_found_by_name_from_any_folder(tmp_path, monkeypatch):
    """Only in the folder of the checkout would the commands of the README work."""
    monkeypatch.chdir(tmp_path)
    for text in (
        'casme2_dualbranch',
        'casme2_dualbranch.py',
        'configs/casme2_dualbranch.py',
        'casme2_dualbranch:classes=3,quick',
    ):
        command = cli.parse([f'--config={text}'])
        assert command.config.model.name == 'dual_branch'
        assert command.folder.startswith('runs/casme2_dualbranch')


def test_a_path_comes_before_the_folder_configs_and_that_before_ours(tmp_path, monkeypatch):
    """A user who copies a config to change it must run the copy."""
    monkeypatch.chdir(tmp_path)
    original = epochs('synthetic_ststnet')
    config_file(tmp_path / 'configs' / 'synthetic_ststnet.py', epochs=2)
    assert epochs('synthetic_ststnet') == 2 != original
    config_file(tmp_path / 'synthetic_ststnet.py', epochs=3)
    assert epochs('synthetic_ststnet') == 3
    assert epochs('configs/synthetic_ststnet') == 2
    assert epochs(str(tmp_path / 'configs' / 'synthetic_ststnet.py')) == 2
    assert epochs(f'{ROOT}/configs/synthetic_ststnet.py') == original


def test_a_folder_configs_of_the_user_disturbs_nothing(tmp_path, monkeypatch, capsys):
    """A folder of that name is common; it held back the whole program once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / '__init__.py').write_text('raise ImportError("not yours")')
    (tmp_path / 'configs' / 'train.py').write_text('learning_rate = 1')
    config_file(tmp_path / 'configs' / 'my_faces.py', epochs=2)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.parse(['--config=synthetic_ststnet']).config.name == 'synthetic_ststnet'
    text = printed(capsys, '--help')
    assert '  my_faces ' in text and '  train  ' in text.partition('Configs')[0]
    assert '  train ' not in text.partition('Configs')[2]


def test_an_unknown_config_is_answered_with_near_ones():
    """A list of all would hide the one that was meant."""
    with pytest.raises(UserError, match='casme2_dualbranch') as error:
        config_files.load('casme2_dualbrnch')
    assert 'smic_cnn3d' not in str(error.value)


def test_what_is_run_is_named_by_its_variants_and_its_other_network():
    """A quick run, or one of another network, would stand in a table as the published one."""
    flags = ['--config=synthetic_ststnet:quick', '--config.model.name=vggm']
    command = cli.parse(flags)
    assert command.config.name == 'synthetic_ststnet (quick; model.name=vggm)'
    assert command.folder == 'runs/synthetic_ststnet-quick,model.name=vggm'
    named = cli.parse([*flags, '--config.name=mine', '--workdir=here'])
    assert named.config.name == 'mine (quick; model.name=vggm)' and named.folder == 'here'
    unchanged = cli.parse(['--config=synthetic_ststnet', '--config.train.epochs=3'])
    assert unchanged.config.name == 'synthetic_ststnet'
    assert unchanged.folder == 'runs/synthetic_ststnet'
    assert config_files.load('synthetic_ststnet:quick').name == 'synthetic_ststnet (quick)'


def test_the_program_is_called_as_it_was_started(monkeypatch):
    """A command that help shows must be one that the user has."""
    for script, name in [
        ('main.py', 'python main.py'),
        ('/usr/bin/mer-jax', 'mer-jax'),
        ('/x/mer_jax/__main__.py', 'python -m mer_jax'),
    ]:
        monkeypatch.setattr('sys.argv', [script])
        assert usage.program() == name
