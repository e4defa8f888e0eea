"""What both benchmarks share: made-up clips, and the engine ready to train them."""

from functools import partial

import jax
import numpy as np
import optax

from mer_jax import models
from mer_jax.folds import protocols
from mer_jax.settings.sections import Alignment, Protocol
from mer_jax.training import batches, learners, parallel, plan, scaling
from mer_jax.training import programs as runs
from mer_jax.types import Names, Samples

INPUTS = {
    'ststnet': (28, 28, 3),
    'offapexnet': (28, 28, 2),
    'dual_inception': (28, 28, 2),
    'alexnet': (75, 75, 2),
    'vggm': (75, 75, 2),
    'ocnet': (75, 75, 2),
    'dual_branch': (64, 64, 3),
    'dual_branch_medium': (112, 112, 3),
    'cnn3d': (8, 32, 32, 1),
    'cnn3d_wide': (8, 32, 32, 1),
    'cnn3d_paper': (16, 128, 128, 1),
}
CLIPS = {'cnn3d': 16, 'cnn3d_wide': 64, 'cnn3d_paper': 64}  # width
REGIONAL = {
    'dual_branch': {'width': 16, 'blocks': 1, 'hidden': 128, 'unstrided_layers': 1},
    'dual_branch_medium': {'width': 32, 'hidden': 256},
}

# in one compiled call of the engine, as `loop.fit` makes them where an epoch takes seconds
EPOCHS = 4


def experiment(network, *, folds, rows):
    """Samples of `rows` clips by `folds` subjects, random bytes, and their leave-one-subject-out
    folds.
    """
    draw = np.random.default_rng(0)
    zeros = np.zeros(rows, np.int32)
    subject = np.sort(np.arange(rows) % folds).astype(np.int32)
    samples = Samples(
        draw.integers(0, 256, (rows, *INPUTS[network])).astype(np.uint8),
        draw.integers(0, 3, rows).astype(np.int32),
        subject,
        zeros,
        np.arange(rows, dtype=np.int32),
    )
    names = Names(
        ('a', 'b', 'c'),
        tuple(f's{i:03d}' for i in range(folds)),
        ('made up',),
        tuple(map(str, range(rows))),
        (),
    )
    return samples, protocols.make(samples, names, Protocol(), seeds=1)[0]


def learner(network, lowering):
    """Adam at 1e-4, no dropout: the PyTorch side has none either. dual_branch: AdamW, the sum of
    its heads' losses.
    """
    fit, scale = (
        partial(scaling.fit_input, scaler='none'),
        partial(scaling.scale_input, value_range=(0.0, 1.0)),
    )
    if network in REGIONAL:
        model = models.make(
            'dual_branch',
            classes=3,
            lowering=lowering,
            dropout=0.0,
            dropout_dense=0.0,
            dropout_contrast=0.0,
            **REGIONAL[network],
        )
        return learners.contrastive(
            model,
            optax.adamw(1e-4, weight_decay=1e-5),
            fit=fit,
            scale_input=scale,
            smoothing=0.0,
            settings=Alignment(weight=0.0),
        )
    if network in CLIPS:
        model = models.make(
            'cnn3d',
            classes=3,
            lowering=lowering,
            width=CLIPS[network],
            dropout=0.0,
            dropout_dense=0.0,
        )
    else:
        model = models.make(network, classes=3, lowering=lowering, dropout=0.0)
    return learners.supervised(model, optax.adam(1e-4), fit=fit, scale_input=scale)


def engine(network, samples, folds, *, batch_size):
    """(plan, train, bytes): train() runs EPOCHS epochs of all folds under the fastest measured plan
    and waits for them; bytes: what one device holds beside data and states.
    """
    found = plan.candidates(
        jax.default_backend(),
        jax.device_count(),
        len(folds.fold),
        lowering='auto',
        at_once=0,
        use=0,
    )
    measure = partial(
        runs.seconds_a_round,
        partial(learner, network),
        samples,
        folds,
        options=batches.BatchOptions(batch_size),
        memory=plan.free_memory(jax.devices()[0]),
    )
    seconds = plan.benchmark(found, lambda p: measure(plan=p), runs=len(folds.fold), epochs=10**6)
    chosen = plan.fastest(seconds)
    count = len(folds.fold)
    programs = runs.compile_programs(
        learner(network, chosen.lowering),
        chosen,
        samples,
        folds,
        runs.ProgramOptions(
            batches.BatchOptions(batch_size), runs=count, test_batch=batch_size, chunk=EPOCHS
        ),
    )
    group = runs.place(programs, folds, range(count))
    kept = [runs.init(group)]

    def train():
        kept[0], _ = runs.train(group, kept[0], np.int32(0), np.int32(EPOCHS))

    return chosen, train, programs.train.memory_analysis().temp_size_in_bytes


def start():
    """One CPU device a core and the cache of compiled programs, as main.py has them."""
    parallel.start(plan.cache_folder() / 'xla')
