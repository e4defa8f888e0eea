"""What a command meets before its work begins: homes, platforms, streams and odd arguments."""

import builtins
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mer_jax import __main__ as program
from mer_jax import cli, machine
from mer_jax.errors import UserError
from mer_jax.training import parallel, plan
from tfds_builders import build

ROOT = Path(__file__).parents[2]
NOBODY = '~nobody-of-this-name/folder'
QUICK = '--config=synthetic_ststnet:quick'


@pytest.mark.parametrize(
    'flag',
    [
        f'--workdir={NOBODY}',
        f'--config.data.data_dir={NOBODY}',
        f'--config.data.manual_dir={NOBODY}',
    ],
)
def test_the_home_of_nobody_is_one_line(flag, capsys, tmp_path):
    """A mistyped user ended in a traceback of pathlib."""
    releases = ['--config=megc2019_svm:quick', '--config.data.name=precomputed_flow']
    config = releases if 'manual_dir' in flag else [QUICK]
    folder = [] if 'workdir' in flag else [f'--workdir={tmp_path / "run"}']
    assert cli.main([*config, *folder, flag]) == 2
    error = capsys.readouterr().err
    assert NOBODY in error and 'whole path' in error and error.count('\n') == 1


@pytest.fixture
def homeless(monkeypatch):
    """A container whose user id has no home."""

    def no_home(_):
        raise RuntimeError('Could not determine home directory.')

    for name in ('MER_JAX_CACHE', 'XDG_CACHE_HOME', 'TFDS_DATA_DIR'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, 'expanduser', no_home)


def test_a_user_without_a_home_can_train(homeless):
    """In a container every command failed without any flag."""
    assert plan.cache_folder().is_absolute() and machine.home() in plan.cache_folder().parents
    assert build.data_root('') == machine.home() / 'tensorflow_datasets'


def test_a_home_is_named_where_one_is_needed(homeless):
    """Falling back there would write where the user did not ask."""
    with pytest.raises(UserError, match="MER_JAX_CACHE '~/cache'"):
        machine.absolute('~/cache', 'MER_JAX_CACHE')


@pytest.mark.parametrize(
    'platform,reason',
    [
        ('cuda', "Unable to initialize backend 'cuda': no device. More of it."),
        ('gpu-of-mine', "Unknown backend gpu-of-mine. Available backends are ['cpu']"),
        ('', 'No visible GPU devices. Check CUDA_VISIBLE_DEVICES'),
    ],
)
def test_a_platform_that_is_not_here_is_one_line(platform, reason, monkeypatch, tmp_path):
    """JAX_PLATFORMS=cuda on a machine without a GPU ended in a traceback of jax."""

    def no_platform():
        raise RuntimeError(reason)

    monkeypatch.setenv('JAX_PLATFORMS', platform)
    monkeypatch.setattr(parallel.jax, 'devices', no_platform)
    with pytest.raises(UserError) as error:
        parallel.start(tmp_path)
    text = str(error.value)
    assert f'JAX_PLATFORMS is {platform!r}' in text and 'allowed: cpu' in text
    assert reason.split('. ')[0] in text


@pytest.mark.parametrize('flag', ['--config.name={}', '--workdir={}', '--config={}', '{}'])
def test_bytes_that_are_no_text_are_one_line(flag, capsys):
    """They passed every check and failed when the results of a whole training were written."""
    assert cli.main([QUICK, flag.format('a\udcffb')]) == 2
    error = capsys.readouterr().err
    assert 'no UTF-8 text' in error and error.count('\n') == 1


def command(arguments, shell='', **environment):
    """The finished process of `python main.py`, below a shell redirection."""
    line = f'exec {sys.executable} {ROOT / "main.py"} {arguments} {shell}'
    return subprocess.run(
        ['bash', '-c', line], capture_output=True, env={**os.environ, **environment}, check=False
    )


def test_a_terminal_of_ascii_prints_every_name():
    """A title with an umlaut lost the report of a whole training."""
    done = command(f'{QUICK} --config.name=Übung --print_config', PYTHONIOENCODING='ascii')
    assert done.returncode == 0 and rb'\xdc' in done.stdout


@pytest.mark.parametrize('shell', ['2>&-', '<&- >&- 2>&-'])
def test_closed_streams_do_no_harm(shell):
    """A library that writes to number 2 would damage the file that got this number."""
    done = command('--config=nothing_of_this_name', shell)
    assert done.returncode == 2 and not done.stdout and not done.stderr


def test_ctrl_c_while_the_program_is_loaded_is_one_line():
    """An impatient user saw twenty lines of imports."""
    code = (
        'import sys, builtins, signal\n'
        # a shell that runs the tests in the background ignores Ctrl-C, for its children too
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        f'sys.path.insert(0, {str(ROOT)!r})\n'
        'real = builtins.__import__\n'
        'def slow(name, *rest):\n'
        '    if name == "ml_collections":\n'
        '        print("loading", flush=True)\n'
        '        import time; time.sleep(60)\n'
        '    return real(name, *rest)\n'
        'builtins.__import__ = slow\n'
        'from mer_jax.__main__ import main\n'
        'sys.exit(main([]))\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and error == b'stopped\n'


def test_ctrl_c_in_the_middle_of_an_import_is_one_line(monkeypatch, capsys):
    """The same before anything of the program itself is loaded."""

    def interrupted(name, *rest, **more):
        if name == 'mer_jax' and rest[2] and 'cli' in rest[2]:
            raise KeyboardInterrupt
        return real(name, *rest, **more)

    real = builtins.__import__
    monkeypatch.setattr(builtins, '__import__', interrupted)
    assert program.main([QUICK]) == 130
    assert capsys.readouterr().err == 'stopped\n'


def test_too_little_memory_is_one_line(monkeypatch, capsys):
    """A size that a damaged file announces, or ten million epochs, ended in a traceback."""

    def too_large(_):
        raise MemoryError('Unable to allocate 9 TiB')

    monkeypatch.setattr(cli, 'run', too_large)
    assert cli.main([QUICK]) == 2
    assert 'Unable to allocate 9 TiB' in capsys.readouterr().err
