"""One fold of the user's code: fitted, predicted, checked, saved.

It imports no jax, because every process that trains folds loads it.
"""

import contextlib
import functools
import inspect
import io
import os
import random
import sys
import threading
import time
import traceback
from collections import ChainMap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import cloudpickle
import numpy as np
from numpy.typing import ArrayLike

from mer_jax.errors import UserError
from mer_jax.foreign import Fit, Predict, code
from mer_jax.foreign.preparation import FoldRows, Scale, fit_scale, training_rows
from mer_jax.runfiles.fold_outputs import FoldOutput
from mer_jax.runfiles.predictions import softmax
from mer_jax.types import Samples

# Logit of a class that is not predicted, where only classes are predicted: its score is 0.
NOT_PREDICTED = -1000.0
LEAST_PROBABILITY = 1e-30  # its logarithm is finite
TOLERANCE = 5e-3  # largest change of a softmax score when its row is predicted alone
NO_FILE = '<dynamic-code>'  # what cloudpickle writes instead of the file of a function


class Job(NamedTuple):
    """One fold with one seed."""

    title: str  # of the fold
    fold: int
    seed: int
    rows: FoldRows


class Shared(NamedTuple):
    """What all folds share."""

    fit: bytes  # the user's function, pickled
    samples: Samples  # all rows
    classes: tuple[str, ...]
    scaler: str
    folder: Path
    threads: int  # that PyTorch may use; 0: as many as it likes
    parent: int  # the process that started this one; 0 where folds are fitted in it


class Failure(NamedTuple):
    """Why a fold did not finish."""

    line: str  # names fold and seed
    trace: str  # frames of the user's code; '' where it raised nothing


def seed_of(seed: int, fold: int) -> int:
    """Return the seed of one training, from 0 to 2**31 - 1.

    Args:
        seed: number of the seed, from 0.
        fold: number of the fold, from 0.
    """
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0] >> 1)


def train_fold(shared: Shared, job: Job) -> Failure | None:
    """Fit and predict one fold, and save what it predicts.

    The user's code gets copies, of itself too: no fold can see what another one left behind.

    Args:
        shared: what all folds share.
        job: the fold.

    Returns:
        None; or why the fold did not finish.
    """
    start = time.perf_counter()
    if shared.parent:
        _end_with(shared.parent)
    where = f'fold {job.fold} (leaving out {job.title!r}), seed {job.seed}'
    try:
        values = _outputs(shared, job)
    except UserError as error:
        return Failure(f'{where}: {error}', '')
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        first_line = (str(error).strip().splitlines() or [''])[0].rstrip('.')
        return Failure(f'{where}: your code raised {kind}: {first_line}', _trace(error))
    FoldOutput(values, time.perf_counter() - start).write(shared.folder, job.seed, job.fold)
    return None


@functools.cache
def _end_with(parent):
    """End this process when its parent ends.

    One that is killed would else leave processes that hold a GPU for minutes. It may have ended
    already: a process that was still importing finds its first fold waiting.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()


def _outputs(shared, job):
    """Return the outputs of a fold, float32[epochs, m, K]."""
    image = shared.samples.image
    scale = fit_scale(image, job.rows.scaler_rows, shared.scaler)
    rows = training_rows(shared.samples, job.rows)
    held_out = _HeldOut(np.array(image[job.rows.test], np.float32), scale, shared.classes)
    seed = seed_of(job.seed, job.fold)
    fit = cloudpickle.loads(shared.fit)
    _seed_generators(seed, shared.threads)
    fitted = fit(scale.apply(rows.x), rows.y, rows.subject, seed)
    if not inspect.isgenerator(fitted):
        return held_out.scores(fitted)[None]
    epochs = []
    for predict in fitted:
        # A copy predicts: whatever it changes in itself, training goes on without it.
        copy = cloudpickle.loads(pickled(predict, 'predict'))
        epochs.append(held_out.scores(copy))
    if not epochs:
        raise UserError('fit yields nothing; allowed: a function predict(X) after each epoch')
    return np.stack(epochs)


def _seed_generators(seed, threads):
    """Seed the generators that code uses which does not look at its own seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch = sys.modules.get('torch')
    if torch is None:
        return
    torch.manual_seed(seed)
    if threads:
        torch.set_num_threads(threads)


class _HeldOut(NamedTuple):
    """The rows that a fold leaves out."""

    x: np.ndarray  # float32[m, ...], before scaling
    scale: Scale
    classes: tuple[str, ...]

    def scores(self, predict: Predict) -> np.ndarray:
        """Return logits float32[m, K] of the rows.

        Raises:
            UserError: `predict` does not predict rows one by one, or not in the right form.
        """
        if not callable(predict):
            raise UserError(
                f'fit returned {_brief(predict)}; allowed: a function predict(X), or an object '
                'that can be called'
            )
        count = len(self.x)
        if not count:
            return np.zeros((0, len(self.classes)), np.float32)
        scores = as_logits(predict(self.scale.apply(self.x)), count, self.classes)
        alone = as_logits(predict(self.scale.apply(self.x[:1])), 1, self.classes)
        if np.abs(softmax(scores[:1]) - softmax(alone)).max() > TOLERANCE:
            raise UserError(
                'predict gives a row other scores alone than among the left-out rows; allowed: '
                'each row predicted by itself, without dropout or statistics of the batch (in '
                'PyTorch: net.eval() inside predict)'
            )
        return scores


def as_logits(output: ArrayLike, count: int, classes: tuple[str, ...]) -> np.ndarray:
    """Return what `predict` returned as logits, float32[n, K].

    Rows that sum to 1 are taken for probabilities. Of classes [n], the predicted one has all of
    the score.

    Args:
        output: classes [n], as indices or names; or scores [n, K]. An array or a tensor.
        count: n.
        classes: names of the K classes.

    Raises:
        UserError: another shape, values that are not finite, or an unknown class.
    """
    array = _array(output)
    if array.shape == (count,) and array.dtype.kind != 'f':
        return _one_hot(array, classes)
    if array.shape != (count, len(classes)) or array.dtype.kind not in 'fiu':
        raise UserError(
            f'predict returned {array.dtype}{list(array.shape)} for {count} rows; allowed: classes '
            f'[{count}] (whole numbers or names), or scores [{count}, {len(classes)}], one for '
            f'each of {", ".join(classes)}, also where no training row of the fold has the class'
        )
    finite = np.isfinite(array).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise UserError(
            f'predict returned {array[row].tolist()} for row {row} of the left-out rows; allowed: '
            'finite scores (training may have diverged)'
        )
    scores = array.astype(np.float64)
    if (scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=1e-3):
        scores = np.log(np.maximum(scores, LEAST_PROBABILITY))
    return scores.astype(np.float32)


def _one_hot(array, classes):
    """Return logits of classes."""
    index_of = {title: number for number, title in enumerate(classes)}
    indices = array
    if array.dtype.kind not in 'iu':
        indices = np.array([index_of.get(str(value), -1) for value in array], int)
    unknown = (indices < 0) | (indices >= len(classes))
    if unknown.any():
        row = int(np.argmax(unknown))
        raise UserError(
            f'predict returned {array[row]!r} for row {row} of the left-out rows; allowed: 0 to '
            f'{len(classes) - 1}, or {", ".join(classes)}'
        )
    logits = np.full((len(array), len(classes)), NOT_PREDICTED, np.float32)
    logits[np.arange(len(array)), indices] = 0
    return logits


def _array(output):
    """Return an array; tensors of PyTorch may need gradients or lie on a GPU."""
    if hasattr(output, 'detach'):
        output = output.detach().cpu()
    try:
        return np.asarray(output)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(
            f'predict returned {_brief(output)}; allowed: an array of classes or scores'
        ) from None


def _brief(value):
    """Return a value as short text."""
    text = 'None' if value is None else f'{type(value).__name__} {value!r}'
    text = ' '.join(text.split())
    return text if len(text) < 60 else f'{text[:57]}...'


def _trace(error):
    """Return the traceback of the user's code, without frames of this file."""
    frames = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in frames.stack if frame.filename != __file__]
    frames.stack = traceback.StackSummary.from_list(kept)
    return ''.join(frames.format())


def _reduced_code(compiled: CodeType) -> tuple:
    """Return how compiled code is pickled, its file as it is."""
    make, arguments, *_ = cloudpickle.CloudPickler.dispatch_table[CodeType](compiled)
    named = [compiled.co_filename if item == NO_FILE else item for item in arguments]
    return make, tuple(named)


class _Pickler(cloudpickle.CloudPickler):
    """A pickler that keeps the files of functions.

    Cloudpickle drops them; tracebacks would show no line, and a debugger would not stop.
    """

    dispatch_table = ChainMap({CodeType: _reduced_code}, cloudpickle.CloudPickler.dispatch_table)


@contextlib.contextmanager
def _copied_module(name: str | None) -> Iterator[None]:
    """Let the functions and classes of a module be copied while the block runs."""
    module = sys.modules.get(name or '')
    copied = ('__main__', 'builtins', *cloudpickle.list_registry_pickle_by_value())
    if module is None or name in copied:
        yield  # they are copied anyway; code of a console may name builtins as its module
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def pickled(function: Fit | Predict, name: str) -> bytes:
    """Return a user's function as bytes, of which copies are made.

    What its module holds and the function names is copied too: a network that stands there, outside
    of the function, would else learn from fold to fold.

    Args:
        function: of the user.
        name: fit or predict, for the message.

    Raises:
        UserError: it cannot be copied.
    """
    buffer = io.BytesIO()
    try:
        with _copied_module(code.module_of(function)):
            _Pickler(buffer).dump(function)
    except Exception as error:
        raise UserError(
            f'{name} cannot be copied ({type(error).__name__}: {error}); allowed: such objects '
            'made inside of it'
        ) from None
    return buffer.getvalue()
