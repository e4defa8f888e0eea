"""Several hosts: the bits of one process, and what happens when one of them is killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import main
from mer_jax import cli, supervisor
from mer_jax.errors import UserError
from mer_jax.experiment import settings
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.plan import Plan
from mer_jax.training import checkpoint, hosts, parallel, plan

ROOT = Path(__file__).parents[2]
EPOCHS = 12
TRAINING = (
    '--config=synthetic_ststnet:quick',
    '--config.train.devices=2',
    '--config.train.at_once=1',
    '--config.train.lowering=matmul',
    f'--config.train.epochs={EPOCHS}',
    # a call and a checkpoint an epoch, so that there is a middle in which to be killed
    '--config.evaluate.every_epoch=True',
    '--config.train.checkpoint_seconds=0',
)
MINUTE = 60.0  # within which the others must end
PATIENCE = 600.0  # seconds for a whole training on a busy machine


def by_flags(port, host):
    return [f'--coordinator=127.0.0.1:{port}', '--hosts=2', f'--host={host}'], {}


def by_cluster(port, host):
    """What SLURM tells each task, as jax reads it."""
    told = {
        'SLURM_JOB_ID': '1',
        'SLURM_STEP_NODELIST': 'localhost',
        'SLURM_NTASKS': '2',
        'SLURM_PROCID': f'{host}',
        'SLURM_LOCALID': f'{host}',
        'JAX_COORDINATOR_PORT': f'{port}',
    }
    return ['--distributed'], told


@contextlib.contextmanager
def two_hosts(meeting, folder, data):
    """Two processes of one command line, ended at the latest with the block."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, 'main.py', *TRAINING]
    command += [f'--config.data.data_dir={data}', f'--workdir={folder}']
    processes = []
    try:
        for host in (0, 1):
            flags, variables = meeting(port, host)
            process = subprocess.Popen(
                [*command, *flags],
                cwd=ROOT,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def newest(folder):
    return checkpoint.newest(folder / 'checkpoints' / 'group_0')


def states(folder):
    """The content of the last checkpoint, as bytes."""
    with checkpoint.opened(folder / 'checkpoints' / 'group_0') as manager:
        return jax.tree.leaves(manager.restore(EPOCHS))


def test_two_hosts_compute_the_bits_of_one_also_after_a_kill(tiny_data, tmp_path):
    """A run on a cluster could not be repeated on one machine, or waited for ever for a host that
    is dead.
    """
    together, alone = tmp_path / 'together', tmp_path / 'alone'
    with two_hosts(by_flags, together, tiny_data) as (first, second):
        end = time.monotonic() + PATIENCE
        while newest(together) < 1:
            assert first.poll() is None, first.communicate()[1]
            assert time.monotonic() < end, 'no checkpoint was written'
            time.sleep(0.05)
        second.send_signal(signal.SIGKILL)
        _, errors = first.communicate(timeout=MINUTE)
    lines = [line for line in errors.splitlines() if 'another host' in line]
    assert first.returncode == 2 and len(lines) == 1 and 'host 0: ' in lines[0]
    assert errors.endswith(f'{supervisor.AGAIN}\n') and 'Traceback' not in errors
    assert 1 <= newest(together) < EPOCHS and not (together / 'results.json').exists()

    with two_hosts(by_cluster, together, tiny_data) as (first, second):
        printed, errors = first.communicate(timeout=PATIENCE)
        of_second = second.communicate(timeout=MINUTE)
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert 'UF1' in printed and 'Gloo' not in printed
    assert not any('UF1' in text or 'epoch' in text for text in of_second)  # the first one prints

    data = f'--config.data.data_dir={tiny_data}'
    assert main.main([*TRAINING, data, f'--workdir={alone}']) == 0
    assert (alone / 'predictions.csv').read_bytes() == (together / 'predictions.csv').read_bytes()
    outputs = [EpochOutputs.read(folder).values for folder in (alone, together)]
    np.testing.assert_array_equal(*outputs)
    for mine, theirs in zip(states(alone), states(together), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert sorted(path.name for path in alone.iterdir()) == sorted(
        path.name for path in together.iterdir()
    )
    shutil.rmtree(together)


MISTAKES = {  # what the line names: the command
    'audit': ['audit', '--distributed'],
    '--host=INDEX': ['--coordinator=node1:7000', '--hosts=2'],
    'HOST:PORT': ['--coordinator=node1', '--hosts=2', '--host=0'],
    '--hosts=1': ['--coordinator=node1:7000', '--hosts=1', '--host=0'],
    '--host=2': ['--coordinator=node1:7000', '--hosts=2', '--host=2'],
}


@pytest.mark.parametrize('named', MISTAKES)
def test_flags_of_hosts_that_do_not_fit(named):
    """Each host would wait five minutes for others that never come."""
    with pytest.raises(UserError) as error:
        cli.parse(MISTAKES[named])
    assert named in str(error.value)


def test_the_cluster_or_the_flags_say_where_hosts_meet():
    assert cli.parse(['--distributed']).hosts == ('', 0, 0)
    flags = ['--coordinator=node1:7000', '--hosts=3', '--host=0']
    assert cli.parse(flags).hosts == cli.parse(['--distributed', *flags]).hosts
    assert cli.parse(flags).hosts == ('node1:7000', 3, 0) and cli.parse([]).hosts is None


@pytest.mark.parametrize(
    'key', ['train.fold_by_fold=True', 'balance.method=gan', 'data.rebuild=True']
)
def test_what_hosts_cannot_share_is_refused(key):
    """It would train on each host anew, and write the same files."""
    config = cli.parse(['--config=synthetic_ststnet:quick', f'--config.{key}']).config
    with pytest.raises(UserError, match=key.partition('=')[0]):
        settings.check_hosts(config)


def test_hosts_that_differ_are_named(monkeypatch):
    """Folds of one host would be trained on other data, or by other versions."""
    monkeypatch.setattr(hosts, 'texts', lambda text: [text, text, text.replace('0.10', '0.12')])
    with pytest.raises(UserError, match=r"jax is '0\.12' on host 2 and '0\.10' on host 0; mend"):
        hosts.check_same({'python': '3.11', 'jax': '0.10'}, 'mend')
    monkeypatch.setattr(hosts, 'texts', lambda text: [text, text])
    hosts.check_same({'jax': '0.10'}, 'mend')


def test_the_host_with_the_least_memory_decides(monkeypatch):
    """A plan that fits the first host would end another in the middle of the training."""
    monkeypatch.setattr(hosts, 'texts', lambda text: [text, '7', '9'])
    assert hosts.least(8) == 7 and hosts.least(5) == 5


def test_the_others_wait_for_the_first_host(monkeypatch):
    """jax ends hosts that wait at its own barrier for more than five minutes, as for SVMs."""
    heard = []
    monkeypatch.setattr(hosts, 'SIGN', 0.01)
    monkeypatch.setattr(hosts, 'count', lambda: 2)
    monkeypatch.setattr(hosts, 'is_first', lambda: True)
    monkeypatch.setattr(hosts, 'agreed', heard.append)
    assert hosts.by_first(lambda: time.sleep(0.2) or 'scores') == 'scores'
    assert heard.count('') > 1 and heard[-1] == hosts.FINISHED and heard.count(heard[-1]) == 1
    monkeypatch.setattr(hosts, 'is_first', lambda: False)
    monkeypatch.setattr(hosts, 'agreed', lambda value: heard.pop(0))
    assert hosts.by_first(lambda: 'scores') is None and not heard


def test_a_fault_between_hosts_is_not_lost(monkeypatch):
    """The first host would go on to its next meeting while the others wait for a sign for ever."""
    monkeypatch.setattr(hosts, 'count', lambda: 2)
    monkeypatch.setattr(hosts, 'is_first', lambda: True)
    monkeypatch.setattr(hosts, 'agreed', {}.__getitem__)
    with pytest.raises(KeyError, match=hosts.FINISHED):
        hosts.by_first(lambda: 'scores')


def test_errors_of_a_disk_are_no_lost_host(monkeypatch):
    """'Connection timed out' of a network disk named the wrong machine to mend."""
    monkeypatch.setattr(hosts, 'count', lambda: 2)
    hosts.check_lost(TimeoutError('Connection timed out'))
    with pytest.raises(UserError, match='another host'):
        hosts.check_lost(RuntimeError('Connection closed by peer'))


def test_all_hosts_take_part_in_a_plan(monkeypatch, tmp_path):
    """A host without a device of the plan could not run its program."""
    devices = [SimpleNamespace(process_index=host) for host in (0, 0, 0, 1, 1)]
    monkeypatch.setattr(hosts, 'count', lambda: 2)
    monkeypatch.setattr(jax, 'devices', lambda: devices)
    assert parallel.available() == 4
    assert parallel.chosen_devices(4) == [devices[0], devices[1], devices[3], devices[4]]
    assert parallel.chosen_devices(2) == [devices[0], devices[3]]
    tried = plan.candidates('cpu', 4, 10, lowering='matmul', at_once=0, wanted=0)
    assert {each.devices for each in tried} == {4, 2}
    with pytest.raises(UserError, match='multiple of 2'):
        plan.check_devices(3, 4)
    Plan('matmul', 1, 1, 'begun on one host', 5).write(tmp_path)
    assert plan.read_for_resume(tmp_path, 4).devices == 2


def test_a_port_that_is_taken_is_one_line():
    """jaxlib 0.10 ends by a segmentation fault."""
    with socket.create_server(('', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f'{port}'):
            hosts.join(hosts.Address(f'127.0.0.1:{port}', 2, 0))


CLOSED = """
import os, sys
from mer_jax import cli, supervisor

def printing(arguments):
    supervisor.start('node1:7000')
    supervisor.joined(1)
    print('read by nobody', flush=True)

cli._start = printing
sys.exit(cli.main([]))
"""


def test_a_host_whose_output_nobody_reads_says_so():
    """`| head` was told as another host that is lost."""
    with subprocess.Popen(
        [sys.executable, '-c', CLOSED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 2 and errors.count('\n') == 1
    assert errors.startswith('host 1: error: standard output was closed')


INTERRUPTED = """
import signal, sys, time
from mer_jax import cli, supervisor

def waiting(arguments):
    supervisor.start('node1:7000')
    supervisor.joined(1)
    time.sleep(0.5)  # until the parent waits
    try:
        print('waits', flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.2)  # a checkpoint is closed

signal.signal(signal.SIGINT, signal.default_int_handler)
cli._start = waiting
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize('sent', [os.kill, os.killpg])
def test_an_interruption_reaches_the_host_once(sent):
    """Sent to the parent alone, as a scheduler does, it was lost; sent to both, as a terminal does,
    the second must not interrupt what answers the first.
    """
    with subprocess.Popen(
        [sys.executable, '-c', INTERRUPTED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == 'waits\n'
        sent(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=MINUTE / 2)
    assert process.returncode == 130 and errors.count('\n') == 1
    assert errors.startswith('host 1: stopped')


HARD_END = """
import os, signal, sys
from mer_jax import supervisor

supervisor.start('node1:7000')
print('trained', flush=True)
if {joined}:
    supervisor.joined(1)
os.kill(os.getpid(), signal.{name})
"""
ENDS = {  # how a child ends -> what its parent says
    ('SIGABRT', True): supervisor.GONE,
    ('SIGABRT', False): 'did not meet at node1:7000',
    ('SIGKILL', True): 'this host was killed',
    ('SIGSEGV', True): 'SIGSEGV',
}


@pytest.mark.parametrize('case', ENDS)
def test_a_host_that_jax_ends_still_says_why(case):
    """jax's runtime aborts a process with a stack of C++, and no exception."""
    name, joined = case
    code = HARD_END.format(name=name, joined=joined)
    ended = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stdout == 'trained\n'
    assert ended.stderr.count('\n') == 1 and ENDS[case] in ended.stderr
    assert ended.stderr.startswith('host 1: ') == joined
