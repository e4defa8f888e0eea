"""Kills commands at random moments, starts them again, and compares what they leave.

  python benchmarks/kills.py [--quick] [--jobs train,gan,audit,build] [--kills 75] [--seed 0]
                             [--folder FOLDER]

A job is a command. It runs undisturbed twice; then it is started, killed with SIGKILL and started
again until it ends by itself, in the same folder, until it was killed --kills times. After each
end every file is compared with that of the undisturbed one, byte by byte but for TIMED. Nothing
else may lie in its folders, in the shared data and in its temporary folder; no process may be left.
Half of the kills fall at any time of the command's life, the others within a phase that is drawn
first, so that short phases are hit as well. What goes wrong is printed at once; its folder stays.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import command_line  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from tests.support.fake_raw import casme2  # noqa: E402

DATA = 'synthetic_faces/tiny'  # that the trainings read
START = 'start'  # the phase before the first line that tells another one
LOOKED = '.checked'  # when the program last looked for damage in its cache
TEMPORARY = re.compile(r'\.part$|\.tmp|tmp-|^incomplete\.|~$')  # names of what is being written
MOST_KILLS = 10  # of one run, which then ends undisturbed
COLD = 8  # each run of this number compiles its programs anew
SECONDS_TO_END = 10  # within which the processes of a killed command must end

TRAINING = {
    'compile': r'compiling the training program',
    'epochs': r'training \d+ (?:runs|GANs):   0%',
    'write': r'training \d+ (?:runs|GANs): 100%|UF1 0\.',
}


class Job(NamedTuple):
    """A command that is killed, and how its phases show in what it prints."""

    arguments: tuple[str, ...]  # {work}: its folder; {raw}: a made-up release
    phases: dict[str, str]  # {phase: pattern of the line with which it begins}
    workers: bool = False  # whether it starts processes, which must end with it
    compiles: bool = True


# A checkpoint is due after every chunk of epochs, so that kills fall into its writing.
OFTEN = '--config.train.checkpoint_seconds=0'
JOBS = {
    'train': Job(
        (
            '--config=synthetic_ststnet:quick',
            '--workdir={work}/run',
            '--config.train.epochs=12',
            '--config.evaluate.every_epoch',
            OFTEN,
        ),
        {'data': r'data: \d+ clips', **TRAINING},
    ),
    'gan': Job(
        (
            '--config=synthetic_ocnet:gan=on,quick',
            '--workdir={work}/run',
            '--config.gan.steps=30',
            '--config.train.epochs=4',
            '--config.evaluate.every_epoch',
            OFTEN,
        ),
        {'data': r'data: \d+ clips', **TRAINING},
    ),
    'audit': Job(
        ('audit', '--config=synthetic_ststnet:quick', '--workdir={work}/run', OFTEN),
        {'next': r'audit: training \d', **TRAINING},
    ),
    'build': Job(
        (
            'build',
            '--config=synthetic_ststnet',
            '--config.data.name=casme2/flow',
            '--config.data.manual_dir={raw}',
            '--config.data.data_dir={work}/data',
        ),
        {
            'first clip': r'casme2/flow: \d+ clips, ',
            'clips': r'casme2/flow:  +\d+%',
            'write': r'casme2/flow: 100%',
            'open': r'casme2: \d+ used',
        },
        workers=True,
        compiles=False,
    ),
}


class Moment(NamedTuple):
    """When a command is killed."""

    phase: str
    count: int  # how often the phase has begun by then
    delay: float  # seconds after its beginning


class Started(NamedTuple):
    """A beginning of a phase."""

    phase: str
    count: int
    seconds: float  # after the start of the command


class Attempt(NamedTuple):
    """A command that ended or was killed."""

    code: int | None  # None: killed
    started: list[Started]
    seconds: float
    text: str  # that it printed
    left: str  # processes that outlived it


class Place(NamedTuple):
    """Folders of the jobs of one script."""

    folder: Path
    data: Path  # built data of the trainings
    forks: bool = False  # see Forked

    @property
    def raw(self) -> Path:
        """Return the folder of a made-up release."""
        return self.folder / 'raw'

    @property
    def cache(self) -> Path:
        """Return the folder of compiled programs."""
        return self.folder / 'cache'


# --- running and killing ---


class Forked:
    """A command in a fork of this process, which has imported what it needs.

    Most of a short command's life is imports, in which a kill finds nothing to spoil. Its interface
    is that of Popen.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path):
        """Start the command in a session of its own."""
        from mer_jax import cli

        reader, writer = os.pipe()
        self.returncode, self.pid = None, os.fork()
        if not self.pid:
            code = 1
            try:
                os.setsid()
                os.chdir(folder)
                os.environ.update(environment)
                tempfile.tempdir = None
                os.dup2(writer, 1)
                os.dup2(writer, 2)
                os.closerange(3, 256)
                sys.stdout = os.fdopen(1, 'w', buffering=1, closefd=False)
                sys.stderr = os.fdopen(2, 'w', buffering=1, closefd=False)
                code = cli.main(arguments)
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(writer)
        while os.getsid(self.pid) != self.pid:  # its group cannot be killed before
            time.sleep(0.001)
        self.stdout = os.fdopen(reader, 'rb', buffering=0)

    def poll(self) -> int | None:
        """Return the exit status, minus the signal; None: it runs."""
        return self.wait(os.WNOHANG)

    def wait(self, options: int = 0) -> int | None:
        """Wait for the end; return what poll does."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def import_all() -> None:
    """Import what the jobs need, without starting jax: forks would share its threads."""
    import orbax.checkpoint  # noqa: F401
    import tensorflow_datasets  # noqa: F401

    import mer_jax.experiment.run  # noqa: F401
    import mer_jax.generation.rows  # noqa: F401
    import mer_jax.models.ocnet  # noqa: F401
    import mer_jax.models.ststnet  # noqa: F401
    import mer_jax.report.recognition_page  # noqa: F401
    import mer_jax.studies.verbs  # noqa: F401


def run(
    job: Job, work: Path, place: Place, *, cache: Path, moment: Moment | None, lone: bool = False
) -> Attempt:
    """Run a command to its end, or until a moment, when its whole process group is killed.

    Args:
        job: the command.
        work: its folder.
        place: of data and release.
        cache: folder of compiled programs.
        moment: when it is killed; None: never.
        lone: kill its first process only; those that it started must end by themselves.
    """
    (work / 'tmp').mkdir(parents=True, exist_ok=True)
    arguments = [text.format(work=work, raw=place.raw) for text in job.arguments]
    environment = {
        **os.environ,
        'MER_JAX_CACHE': str(cache),
        'TFDS_DATA_DIR': str(place.data),
        'PYTHONPATH': str(ROOT),
        'PYTHONUNBUFFERED': '1',
        'TMPDIR': str(work / 'tmp'),
        'MPLBACKEND': 'Agg',
    }
    start = time.monotonic()
    if place.forks:
        process = Forked(arguments, environment, work)
    else:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / 'main.py'), *arguments],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    text, started = '', [Started(START, 1, 0.0)]
    killed = False
    with process.stdout as pipe:
        while process.poll() is None:
            if select.select([pipe], [], [], 0.005)[0]:
                text += os.read(pipe.fileno(), 1 << 16).decode(errors='replace')
                started = _phases(job, text, started, time.monotonic() - start)
            if moment and _reached(moment, started, time.monotonic() - start):
                killed = True
                (os.kill if lone else os.killpg)(process.pid, signal.SIGKILL)
                process.wait()
        seconds = time.monotonic() - start
        left = _outliving(process.pid)
        while select.select([pipe], [], [], 0)[0]:
            rest = os.read(pipe.fileno(), 1 << 16).decode(errors='replace')
            if not rest:
                break
            text += rest
    ended = process.returncode != -signal.SIGKILL
    code = process.returncode if ended or not killed else None
    return Attempt(code, started, seconds, text, left)


def _phases(job, text, started, seconds):
    """All beginnings of phases in what was printed; new ones have begun by now."""
    names, phases = [START], [*job.phases]
    for match in re.finditer('|'.join(f'({line})' for line in job.phases.values()), text):
        if phases[match.lastindex - 1] != names[-1]:
            names.append(phases[match.lastindex - 1])
    started = list(started)
    for index in range(len(started), len(names)):
        count = names[: index + 1].count(names[index])
        started.append(Started(names[index], count, seconds))
    return started


def _reached(moment, started, seconds):
    """Whether a moment has come; START counts from the beginning of the command."""
    for begun in started:
        if (begun.phase, begun.count) == moment[:2]:
            return seconds >= begun.seconds + moment.delay
    return False


def _outliving(session):
    """Processes of a command that are there after SECONDS_TO_END, as text; they are killed."""
    deadline = time.monotonic() + SECONDS_TO_END
    while alive := list(_of_session(session)):
        if time.monotonic() > deadline:
            os.killpg(session, signal.SIGKILL)
            return ', '.join(alive)
        time.sleep(0.02)
    return ''


def _of_session(session) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                yield f'{process.pid} {" ".join(process.cmdline())[:80]}'
        except (ProcessLookupError, psutil.Error):
            continue


def drawn_moment(draw: random.Random, reference: Attempt) -> Moment:
    """Return a random moment in the life of an undisturbed command.

    In one of two cases it is any time, else it is any time of a phase that is drawn first.
    """
    if draw.random() < 0.5:
        return Moment(START, 1, draw.uniform(0, reference.seconds))
    ends = [begun.seconds for begun in reference.started[1:]] + [reference.seconds]
    of_phase = collections.defaultdict(list)
    for begun, end in zip(reference.started, ends, strict=True):
        of_phase[begun.phase].append(Moment(begun.phase, begun.count, end - begun.seconds))
    longest = draw.choice(of_phase[draw.choice(sorted(of_phase))])
    return longest._replace(delay=draw.uniform(0, longest.delay))


# --- comparing ---


def compared(reference: Path, folder: Path, *, fork: bool) -> list[str]:
    """Return `differences`.

    Args:
        reference: folder of a job that was not killed.
        folder: of one that was.
        fork: another process looks, because jax reads checkpoints: see import_all.
    """
    if not fork:
        return differences(reference, folder)
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        lines = ['the comparison failed']
        try:
            lines = differences(reference, folder)
        finally:
            with os.fdopen(writer, 'w') as file:
                json.dump(lines, file)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        lines = json.load(file)
    os.waitpid(process, 0)
    return lines


def differences(reference: Path, folder: Path) -> list[str]:
    """Return what differs between two folders, and names of what was being written, one a line."""
    names = [_listed(reference), _listed(folder)]
    lines = [f'left over: {name}' for name in sorted(names[1] - names[0])]
    lines += [f'missing: {name}' for name in sorted(names[0] - names[1])]
    for name in sorted(names[0] & names[1]):
        if TEMPORARY.search(Path(name).name):
            lines.append(f'temporary: {name}')
        try:
            equal = _content(reference, name) == _content(folder, name)
        except Exception as error:  # whatever a damaged file makes its reader raise
            lines.append(f'unreadable: {name} ({type(error).__name__}: {error})')
            continue
        if not equal:
            lines.append(f'differs: {name}')
    return lines


def _listed(folder):
    """Names of all files and folders; a checkpoint, whose files have random names, is one."""
    names = set()
    for path in folder.rglob('*'):
        name = str(path.relative_to(folder))
        if TENSORBOARD_FILE.search(name):
            number = sorted(path.parent.iterdir()).index(path)
            name = f'{Path(name).parent}/events {number}'
        if not INSIDE_CHECKPOINT.search(name):
            names.add(name)
    return names


def _content(folder, name):
    """What a file must have in common with that of another run."""
    if name.rpartition('/')[2].startswith('events '):
        return _scalars(sorted((folder / name).parent.iterdir()))
    path = folder / name
    if CHECKPOINT.search(name):
        return _arrays(path)
    if path.is_dir():
        return ''
    read = _records if '.array_record' in path.name else TIMED.get(path.name)
    return read(path) if read else hashlib.sha256(path.read_bytes()).hexdigest()


TENSORBOARD_FILE = re.compile(r'(^|/)tensorboard/\w+/events\.[^/]+$')
CHECKPOINT = re.compile(r'(^|/)checkpoints/group_\d+/\d+$')
INSIDE_CHECKPOINT = re.compile(r'(^|/)checkpoints/group_\d+/\d+/')


def _results(path):
    """results.json: `seconds` is what each step took."""
    content = json.loads(path.read_text())
    assert content.pop('seconds')
    return content


def _log(path):
    """metrics.jsonl: `seconds` of each epoch."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{**record, 'seconds': 0} for record in records]


def _page(path):
    """report.html: the seconds of results.json, each in a cell of a table."""
    text = path.read_text()
    for value in json.loads((path.parent / files.RESULTS).read_text())['seconds'].values():
        assert f'<td>{value}</td>' in re.sub(r'\s*(</?td>)\s*', r'\1', text)
        text = text.replace(str(value), '')
    return text


def _lock(path):
    """.lock: the number of the process that trained last."""
    assert path.read_text().strip().isdigit()


def _arrays(path):
    """A checkpoint: its files are named at random and hold times; its arrays count."""
    import jax
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(path.parent) as manager:
        tree = manager.restore(int(path.name), args=ocp.args.StandardRestore())
    return [(np.shape(leaf), np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(tree)]


def _scalars(paths):
    """Files of TensorBoard: each point has the time when it was written; (tag, step, value) count.

    Their names hold the time of the start of the command.
    """
    from tensorboardX.proto import event_pb2

    points = []
    for path in paths:
        content, position = path.read_bytes(), 0
        while position + 12 <= len(content):
            (length,) = struct.unpack('<Q', content[position : position + 8])
            event = event_pb2.Event.FromString(content[position + 12 : position + 12 + length])
            points += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            position += length + 16
    return sorted(points)


def _records(path):
    """Records of a data set: protocol buffers store the features of a record in any order."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(path.parent)
    records = []
    for record in builder.as_data_source(split='train'):
        records.append({key: _digest(value) for key, value in _flat(record)})
    return records


def _flat(record, prefix=''):
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{key}/')
        else:
            yield prefix + key, value


def _digest(value):
    array = np.asarray(value)
    return str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).hexdigest()


# Files that two undisturbed runs do not share to the byte -> what of them is compared. Beside
# these: checkpoints (_arrays), files of TensorBoard (_scalars) and of data sets (_records).
TIMED: dict[str, Callable[[Path], object]] = {
    files.RESULTS: _results,
    files.METRICS: _log,
    files.REPORT: _page,
    files.LOCK: _lock,
}


def damaged(cache: Path) -> list[str]:
    """Return the compiled programs that are cut short, and what else lies in a cache."""
    lines = []
    for path in sorted((cache / 'xla').iterdir()):
        if path.name == LOOKED:
            continue
        if not path.name.endswith('-cache'):
            lines.append(f'left over in the cache: {path.name}')
            continue
        stream = zlib.decompressobj()
        try:
            stream.decompress(path.read_bytes())
        except zlib.error as error:
            lines.append(f'damaged program: {path.name} ({error})')
            continue
        if not stream.eof:
            lines.append(f'program cut short: {path.name}')
    return lines


def _state(folder):
    """Names, sizes and times of a folder that a command must not change."""
    paths = sorted(path for path in folder.rglob('*') if path.is_file())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


# --- a job ---


class Tally:
    """What came of the kills of one job."""

    def __init__(self):
        """Start with nothing."""
        self.phases = collections.Counter()
        self.runs, self.faults = 0, []
        self.start = time.monotonic()

    def row(self, name: str) -> str:
        """Return a line of the table."""
        phases = ', '.join(f'{phase} {count}' for phase, count in self.phases.most_common())
        differing = sum(not line.startswith('left over') for line in self.faults)
        minutes = (time.monotonic() - self.start) / 60
        cells = [name, self.phases.total(), phases, self.runs, differing]
        cells += [len(self.faults) - differing, f'{minutes:.1f} min']
        return ' | '.join(map(str, cells))


def undisturbed(name: str, place: Place, times: int) -> tuple[Path, Attempt]:
    """Run a job without a kill; return the folder of the last time, and how it went.

    The first fills the cache; the second shows that two such runs have equal files.
    """
    job, folder = JOBS[name], place.folder / name
    reference, again = folder / 'reference', folder / 'again'
    for _ in range(times):
        attempt = run(job, folder / 'work', place, cache=place.cache, moment=None)
        if attempt.code:
            sys.exit(f'{name} fails without a kill:\n{attempt.text[-2000:]}')
        if reference.exists():
            os.rename(reference, again)
        os.rename(folder / 'work', reference)
        if again.exists():
            if lines := compared(reference, again, fork=place.forks):
                sys.exit(f'{name}: two undisturbed runs differ:\n' + '\n'.join(lines))
            shutil.rmtree(again)
    return reference, attempt


def kill(name: str, place: Place, *, kills: int, seed: int, undisturbed_runs: int) -> Tally:
    """Kill a job `kills` times; print a line a run, and each fault."""
    job, draw, tally = JOBS[name], random.Random(f'{name} {seed}'), Tally()
    reference, normal = undisturbed(name, place, undisturbed_runs)
    shares = ', '.join(f'{begun.phase} {begun.seconds:.1f}' for begun in normal.started)
    print(f'{name}: {normal.seconds:.1f} s; phases begin at {shares}', flush=True)
    work, data = place.folder / name / 'work', _state(place.data / DATA)
    while tally.phases.total() < kills:
        cold = job.compiles and tally.runs % COLD == COLD - 1
        cache = place.folder / name / 'cold' if cold else place.cache
        fell, lines = [], []
        while True:
            moment = None
            if len(fell) < MOST_KILLS and tally.phases.total() < kills:
                moment = drawn_moment(draw, normal)
            lone = job.workers and draw.random() < 0.5
            attempt = run(job, work, place, cache=cache, moment=moment, lone=lone)
            if attempt.left:
                lines.append(f'left over: processes {attempt.left}')
            if attempt.code is not None:
                break
            fell.append(attempt.started[-1].phase)
            tally.phases[attempt.started[-1].phase] += 1
        if attempt.code or 'Traceback' in attempt.text or 'Warning' in attempt.text:
            lines.append(f'exit {attempt.code}: {attempt.text[-1500:]}')
        lines += compared(reference, work, fork=place.forks)
        if job.compiles:
            lines += damaged(cache)
        if _state(place.data / DATA) != data:
            lines.append(f'differs: {place.data / DATA}')
        tally.runs += 1
        tally.faults += lines
        title = f'{name} run {tally.runs}{" (cold)" if cold else ""}'
        print(
            f'{title}: killed in {", ".join(fell) or "no phase"}: {len(lines)} faults', flush=True
        )
        if lines:
            kept = place.folder / name / f'fault-{tally.runs}'
            os.rename(work, kept)
            print(f'  kept as {kept}\n' + '\n'.join(f'  {line}' for line in lines), flush=True)
        else:
            shutil.rmtree(work)
        shutil.rmtree(place.folder / name / 'cold', ignore_errors=True)
    return tally


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each run, each fault, and a table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--jobs', default=','.join(JOBS))
    parser.add_argument('--kills', type=int, default=75, help='of each job')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--undisturbed', type=int, default=2, help='runs of each job before')
    parser.add_argument('--folder', default='', help='kept afterwards; else a temporary one')
    parser.add_argument(
        '--fork', action='store_true', help='fork commands from a process that has imported all'
    )
    flags = command_line.parse(parser, argv, jobs='build', kills=1, undisturbed=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(flags.folder or temporary).absolute()
        data = os.environ.get('TFDS_DATA_DIR') or folder / 'data'
        place = Place(folder, Path(data), flags.fork)
        if flags.fork:
            import_all()
        if 'build' in flags.jobs:
            casme2.write(place.raw)
        table = ['job | kills | fell in | runs compared | differing | left over | wall time']
        for name in flags.jobs.split(','):
            tally = kill(
                name,
                place,
                kills=flags.kills,
                seed=flags.seed,
                undisturbed_runs=flags.undisturbed,
            )
            table.append(tally.row(name))
            print('\n'.join(table), flush=True)


if __name__ == '__main__':
    main()
