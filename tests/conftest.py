"""Shared by all tests: two CPU devices, one new folder a test run, and a small experiment made by
hand.

The folder holds built data and compiled programs. It is new in every test run, shared by the
workers of that run, and removed at its end: a test can neither pass nor fail by what an earlier run
left.
"""

import contextlib
import gc
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path

TESTS = os.path.dirname(os.path.abspath(__file__))
RUN = 'MER_JAX_TEST_RUN'  # names the folder to the workers, which the first process starts
OWNER = RUN not in os.environ
FOLDER = os.environ.setdefault(RUN, tempfile.mkdtemp(prefix='mer_jax_tests_') if OWNER else '')
os.environ['MER_JAX_CACHE'] = FOLDER
# two workers fill two cores: more threads would wait for each other
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
if importlib.metadata.version('jaxlib').startswith('0.10.'):
    # XLA's older way to emit code compiles in two thirds of the time; later versions have lost it.
    # Code in one piece takes a tenth less of both cores, which are busy. Programs that a test
    # starts inherit both.
    quicker = '--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1'
    os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} {quicker}'.strip()

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.report import page  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from mer_jax.types import Names, Samples  # noqa: E402
from tests.support.compiling import unoptimised  # noqa: E402

jax.config.update('jax_num_cpu_devices', 2)
# What one worker has compiled the other need not compile again, nor the program that a test starts.
jax.config.update('jax_compilation_cache_dir', os.path.join(FOLDER, 'xla'))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.3)


# Modules of the short job: whatever may break under another Python or another jax, in seconds.
FAST = (
    'configs',
    'data/labels',
    'evaluation/metrics',
    'evaluation/score',
    'experiment/leaks',
    'folds/protocols',
    'layers',
    'preprocess/action_units',
    'runfiles/config',
    'runfiles/folder',
    'runfiles/writing',
    'tfds_builders/frames',
    'tfds_builders/precomputed_flow',
    'tfds_builders/sheets',
    'training/balance',
    'training/epoch',
    'training/learners',
)


# Modules whose programs are small and run for milliseconds: they wait for the compiler alone.
COMPILED_QUICKLY = (
    'api',
    'benchmarks',
    'classical/stack',
    'classical/unit_svms',
    'data/apexes',
    'docs',
    'docs_commands',
    'end_to_end',
    'generation/rows',
    'mistakes',
    'prediction/predict',
    'prediction/export',
    'studies/grid',
    'tfds_builders/release_training',
    'training/augment',
    'training/balance',
    'training/changes',
    'training/epoch',
    'training/learners',
    'training/modules',
    'training/programs',
)


# A worker that has traced for minutes holds millions of objects; looking through them every few
# hundred allocations, as Python does unasked, takes more time the longer it runs.
gc.set_threshold(50_000, 20, 50)


def module_of(item):
    """'training/epoch' of a test in tests/training/epoch_test.py."""
    return str(item.path.relative_to(TESTS)).removesuffix('_test.py')


def pytest_collection_modifyitems(items):
    for item in items:
        if module_of(item) in FAST or item.name.endswith('[ststnet-p995-plain]'):
            item.add_marker(pytest.mark.fast)


@pytest.fixture(scope='module', autouse=True)
def compiled_quickly(request):
    """Modules of COMPILED_QUICKLY as `unoptimised`, what their own fixtures run included."""
    with unoptimised() if module_of(request) in COMPILED_QUICKLY else contextlib.nullcontext():
        yield


def pytest_unconfigure(config):
    if OWNER:
        shutil.rmtree(FOLDER, ignore_errors=True)


def make_samples(
    *, subjects=5, clips=(7, 4, 5, 3, 6), size=28, channels=3, classes=3, seed=0, datasets=2
):
    """Samples and Names of a made-up data set in which a class shows as a brighter patch."""
    draw = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), clips).astype(np.int32)
    count = len(subject)
    label = draw.integers(0, classes, count).astype(np.int32)
    label[:classes] = np.arange(classes)
    image = draw.integers(0, 200, (count, size, size, channels)).astype(np.uint8)
    for k in range(classes):
        image[label == k, 4 * k : 4 * k + 6, 4:12] += 55
    dataset = (subject % datasets).astype(np.int32)
    samples = Samples(
        image,
        label,
        subject,
        dataset,
        np.arange(count, dtype=np.int32),
        {'action_units': np.full((count, 2), np.nan, np.float32)},
    )
    names = Names(
        tuple('abcdefg'[:classes]),
        tuple(f's{i}' for i in range(subjects)),
        tuple(f'set{i}' for i in range(datasets)),
        tuple(f'clip{i:02d}' for i in range(count)),
        ('4', '12'),
    )
    return samples, names


@pytest.fixture
def small():
    return make_samples()


EMPTY_PLOT = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture(scope='module')
def unrendered():
    """Plots are composed but not rendered, which takes half a second a run; recognition_page_test
    and others look at real ones.
    """

    def savefig(figure, file, *, format, **options):  # noqa: A002, the name is matplotlib's
        if format == 'svg':
            file.write(EMPTY_PLOT)
        else:
            render(figure, file, format=format, **options)

    render = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, 'savefig', savefig)
        yield


@pytest.fixture(scope='module')
def undrawn(unrendered):
    """The plots of pages are not composed either, a third of a second a run; end_to_end_test
    composes those of every config.
    """

    def plot(folder, name, caption, draw, *content):
        path = Path(folder) / files.PLOTS / f'{name}.svg'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(EMPTY_PLOT)
        return page.picture(path, caption)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, 'plot', plot)
        yield


@pytest.fixture
def first_plan(monkeypatch):
    """The most promising plan is taken unmeasured: measuring compiles another program a run.

    plan_test measures.
    """
    from mer_jax.training import plan

    monkeypatch.setattr(plan, 'choose', lambda plans, *rest, **more: plans[0])


@pytest.fixture(scope='session')
def tiny_data():
    """A data folder in which the two tiny synthetic data sets are built, once in a test run.

    Their flow is Farneback's, as TV-L1 takes four fifths of a build; synthetic_faces_test looks at
    clips with the latter.
    """
    import tfds_builders

    folder = os.path.join(FOLDER, 'tfds')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(flow.METHODS, 'tvl1', flow.farneback)
        for name in ('synthetic_faces/tiny', 'synthetic_faces/spotting_tiny'):
            # waits where the other worker builds it
            tfds_builders.prepare(name, data_dir=folder, progress=False)
    return folder
