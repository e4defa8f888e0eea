"""A device with too little memory for a plan: the settings to lower are named."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from mer_jax import generation
from mer_jax.classical import features, svm, threads
from mer_jax.errors import UserError
from mer_jax.experiment import engine
from mer_jax.folds import protocols
from mer_jax.generation import GanRun, rows
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import fold_by_fold, programs
from mer_jax.training.batches import BatchOptions
from tests.conftest import make_samples

XLA = (
    'RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123456789 bytes.\nBufferAssignment'
)
CUDA = 'INTERNAL: Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY: out of memory'
PLAN = Plan('matmul', 17, 1, 'pinned by the settings', 5)


def failing(text):
    def function(*rest, **more):
        raise jax.errors.JaxRuntimeError(text)

    return function


def train(folder, *, by_fold=False):
    """Runs of five folds, trained under PLAN."""
    samples, names = make_samples()
    folds, _ = protocols.make(samples, names, sections.Protocol(), seeds=1)
    settings = replace(sections.Train(), epochs=2, fold_by_fold=by_fold)
    how = engine.Training(settings, BatchOptions(4))
    return engine.train_runs(None, samples, folds, PLAN, how, folder, engine.Extras())


@pytest.fixture
def compiled(monkeypatch):
    """Programs that do nothing, compiled in no time."""
    ready = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(programs, 'compile_programs', lambda *rest: ready)
    monkeypatch.setattr(fold_by_fold, 'programs', lambda *rest: ready)
    for name in ('group_on_devices', 'init_group', 'to_host', 'to_devices'):
        monkeypatch.setattr(programs, name, lambda *rest: None)
    monkeypatch.setattr(programs, 'train_group_in_chunks', lambda *rest, **more: ())


CASES = {  # name -> (function that meets the fault, what jax says, whether by fold, epochs done)
    'compiling': ('compile_programs', XLA, False, 0),
    'the rows': ('group_on_devices', CUDA, False, 0),
    'new states': ('init_group', XLA, False, 0),
    'a training': ('train_group_in_chunks', CUDA, False, 0),
    'a training in plain Python': ('train_group_in_chunks', XLA, True, 0),
    'held-out rows': ('predict_group', XLA, False, 0),
    'a run that goes on': ('restore_group', XLA, False, 1),
}


@pytest.mark.parametrize('case', CASES)
def test_a_plan_that_does_not_fit_names_its_settings(case, compiled, monkeypatch, tmp_path):
    """A pinned plan ended in a traceback of jax, which says nothing of train.at_once."""
    name, text, by_fold, done = CASES[case]
    monkeypatch.setattr(programs, name, failing(text))
    if done:
        (tmp_path / 'checkpoints' / 'group_0' / str(done)).mkdir(parents=True)
    with pytest.raises(UserError) as error:
        train(tmp_path, by_fold=by_fold)
    line = str(error.value)
    assert text.split('\n')[0] in line and '\n' not in line
    assert 'train.at_once' in line and 'now 17' in line and 'evaluate.batch_size' in line
    assert 'train.runs_in_memory (now 5)' in line and ('--workdir' in line) == bool(done)


@pytest.mark.parametrize('text', [XLA, CUDA])
def test_gans_that_do_not_fit_name_their_settings(text, monkeypatch, tmp_path):
    """GANs train under the plan of the run, in batches of their own."""
    monkeypatch.setattr(generation.gan, 'train_all', failing(text))
    samples, names = make_samples(size=14)
    folds, titles = protocols.make(samples, names, sections.Protocol(), seeds=1)
    run = GanRun(tmp_path / 'gan', interval=60.0, channels=('u', 'v', 'strain'), runs_in_memory=0)
    gan = replace(sections.Gan(), size=16, width=4, images_per_class=3)
    with pytest.raises(UserError, match=r'gan\.batch_size'):
        rows.extend(samples, folds, names, titles, PLAN, gan, run=run)


def test_another_fault_of_a_device_stays_what_it_is(compiled, monkeypatch, tmp_path):
    """Advice to lower a setting would hide a mistake in a network."""
    monkeypatch.setattr(programs, 'init_group', failing('INVALID_ARGUMENT: shapes differ'))
    with pytest.raises(jax.errors.JaxRuntimeError, match='shapes differ'):
        train(tmp_path)


class NoThreads:
    """joblib's Parallel where the system starts no more threads."""

    def __init__(self, *rest, **more):
        pass

    def __call__(self, calls):
        raise RuntimeError("can't start new thread")


def test_no_more_threads_is_one_line(monkeypatch):
    """A container with few processes ended a finished training in a traceback of joblib."""
    monkeypatch.setattr(threads, 'Parallel', NoThreads)
    samples, _ = make_samples()
    image = samples.image.astype('f')
    with pytest.raises(UserError, match="can't start new thread.*taskset"):
        features.extract(('hoof',), image, None, channels=('u', 'v', 'strain'), mirror=False)


def test_features_that_are_no_numbers_are_one_line():
    """scikit-learn says 'Input X contains NaN', and neither of which features nor what to do."""
    samples, names = make_samples()
    folds, _ = protocols.make(samples, names, sections.Protocol(), seeds=1)
    block = np.full((1, len(samples.label), 2), np.nan, np.float32)
    with pytest.raises(UserError, match='features of clips are not finite'):
        svm.predict([block], None, samples, folds, sections.Head(), classes=3)


def test_a_mistake_in_a_thread_stays_what_it_is():
    """A UserError of a clip must arrive as it is."""
    with pytest.raises(RuntimeError, match='of mine'):
        list(threads.mapped(raising, range(3)))


def raising(item):
    raise RuntimeError(f'{item} of mine')
