"""Seconds an epoch of all folds takes: the engine against three ways to train them in PyTorch, and
each side's share of the matmul peak; see benchmarks/README.md.
"""

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks import command_line, common, sizes, torch_training  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.data.arrays import Dataset  # noqa: E402
from mer_jax.experiment import cost  # noqa: E402
from mer_jax.training import batches, held_out, parallel, plan  # noqa: E402
from mer_jax.training import programs as runs  # noqa: E402
from mer_jax.types import Folds, Learner, Samples  # noqa: E402

Clock = Callable[[], float]
CLOCKS = {'wall': time.perf_counter, 'processor': time.process_time}
SLOW = 2  # a way that takes so many times as long as the best of PyTorch is timed once only
MANY_EPOCHS = 10**4  # so that no candidate for the plan is left untried
Rounds = dict[str, list[float]]  # seconds of each round


class Engine:
    """All folds of a network in one program, under the plan that is fastest here."""

    def __init__(
        self, network: str, data: Dataset, folds: Folds, *, batch_size: int, at_once: int
    ) -> None:
        """Measure the plan, compile the program and begin the trainings.

        Args:
            network: a key of sizes.INPUTS.
            data: samples.
            folds: all runs.
            batch_size: most rows in a step.
            at_once: folds that a device trains side by side; 0: the fastest number.
        """
        samples, count = data.content.samples, len(folds.fold)
        learner_for = partial(common.learner(network).learner, 3)
        options = batches.BatchOptions(batch_size)
        measure = partial(
            runs.seconds_per_round,
            learner_for,
            samples,
            folds,
            memory=plan.free_memory(jax.devices()[0]),
            options=options,
        )
        plans = plan.candidates(
            jax.default_backend(),
            jax.device_count(),
            count,
            lowering='auto' if not at_once else 'matmul',
            at_once=at_once,
            wanted=0,
        )
        self.plan = plans[0]
        with common.quiet():
            if len(plans) > 1:
                trial = plan.benchmark(
                    plans, lambda each: measure(plan=each), runs=count, epochs=MANY_EPOCHS
                )
                self.plan = plan.fastest(trial.seconds)
            program_options = runs.ProgramOptions(
                options, runs=count, test_batch=batch_size, chunk=common.TIMED
            )
            programs = runs.compile_programs(
                learner_for(self.plan.lowering), self.plan, samples, folds, program_options
            )
        self.group = runs.group_on_devices(programs, folds, range(count))
        self.states = runs.init_group(self.group)
        self.done = 0
        learner = learner_for('native')  # as a convolution is defined
        self.flops = step_flops(learner, samples, folds, batch_size)

    def epochs(self) -> None:
        """Train every fold for TIMED epochs, in one call, as a training does."""
        done, count = np.int32(self.done), np.int32(common.TIMED)
        self.states, _ = runs.train_group(self.group, self.states, done, count)
        jax.block_until_ready(self.states)
        self.done += common.TIMED


def step_flops(learner: Learner, samples: Samples, folds: Folds, batch_size: int) -> int:
    """Arithmetic of a training step of one fold."""
    _, batch = batches.batch_shape(folds.train.index.shape[1], batch_size)
    state = held_out.state_shapes(learner, samples, folds.train)
    rows = jax.tree.map(lambda array: array[0], folds.train)
    of_batch = jax.eval_shape(batches.gather, samples, rows, np.zeros(batch, np.int32))
    return cost.flops_of(learner.step, state, of_batch, jax.eval_shape(jax.random.key, 0))


def peak_flops(clock: Clock, size: int) -> float:
    """Return arithmetic a second of a product of two matrices, by the faster library."""
    left = np.ones((size, size), np.float32)
    ours, theirs = jax.device_put(left), torch.from_numpy(left)
    multiply = jax.jit(jax.numpy.matmul)
    jax.block_until_ready(multiply(ours, ours))
    by_engine = seconds(lambda: jax.block_until_ready(multiply(ours, ours)), clock)
    by_torch = seconds(lambda: torch.mm(theirs, theirs), clock)
    return 2 * size**3 / min(by_engine, by_torch)


def seconds(function: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    function()
    return clock() - start


def compare(network: str, flags: argparse.Namespace) -> None:
    """Print the row of a network: all ways timed in turn."""
    clock = CLOCKS[flags.clock]
    data, splits = common.experiment(sizes.INPUTS[network], folds=flags.folds, rows=flags.rows)
    folds = splits.runs(1)
    steps, batch = batches.batch_shape(folds.train.index.shape[1], flags.batch)
    work = torch_training.Work(
        network, data.x, data.y, [split.train for split in splits.splits], steps, batch
    )
    engine = Engine(network, data, folds, batch_size=flags.batch, at_once=flags.at_once)
    engine.epochs()
    with contextlib.ExitStack() as stack:
        ways = {'sequential': torch_training.sequential(work)}
        if flags.clock == 'wall':
            processes = torch_training.Processes(torch_training.sequential, work, machine.cores())
            ways['processes'] = stack.enter_context(processes).epoch
        ways['vmap'] = torch_training.stacked(work)
        for way in ways.values():
            way()
        rounds, peaks = time_in_turn(ways, engine, flags.rounds, clock, flags.peak)
    flops = engine.flops * steps * flags.folds
    shape = f'{flags.folds} x {flags.rows}, {batch}'
    print(row(network, shape, flops, rounds, peaks, plan.describe(engine.plan)), flush=True)


def time_in_turn(
    ways: Mapping[str, Callable[[], None]],
    engine: Engine,
    count: int,
    clock: Clock,
    peak_size: int,
) -> tuple[Rounds, list[float]]:
    """Time the engine, every way of PyTorch and the peak, round after round.

    Returns:
        Seconds of an epoch of all folds, 'engine' and each way; and the peaks.
    """
    rounds: Rounds = {name: [] for name in ('engine', *ways)}
    peaks = []
    for _ in range(count):
        rounds['engine'].append(seconds(engine.epochs, clock) / common.TIMED)
        best = min((min(rounds[name]) for name in ways if rounds[name]), default=np.inf)
        for name, way in ways.items():
            if not rounds[name] or min(rounds[name]) < SLOW * best:
                rounds[name].append(seconds(way, clock))
        peaks.append(peak_flops(clock, peak_size))
    return rounds, peaks


def row(
    network: str, shape: str, flops: int, rounds: Rounds, peaks: Sequence[float], engine_plan: str
) -> str:
    """Return a line of the table; shares are of each round's peak, the median of the rounds."""
    medians = {name: statistics.median(values) for name, values in rounds.items()}
    # a way that was too slow for later rounds cannot be compared round by round
    complete = [name for name in rounds if len(rounds[name]) == len(rounds['engine'])]
    best = min((name for name in complete if name != 'engine'), key=medians.__getitem__)
    ratios = [theirs / ours for theirs, ours in zip(rounds[best], rounds['engine'], strict=True)]
    cells = [network, shape, *(f'{value:.3g}' for value in medians.values()), best]
    cells.append(f'{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})')
    for name in ('engine', best):
        speeds = [flops / value for value in rounds[name]]
        share = statistics.median(np.divide(speeds, peaks))
        cells.append(f'{statistics.median(speeds) / 1e9:.1f}, {share:.2f}')
    return f'| {" | ".join(cells)} | {engine_plan} |'


def main(argv: Sequence[str] | None = None) -> None:
    """Compare every network of the flag."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', default=','.join(sizes.INPUTS))
    parser.add_argument('--folds', type=int, default=12)
    parser.add_argument('--rows', type=int, default=297)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--at_once', type=int, default=0, help='0: measured')
    parser.add_argument('--peak', type=int, default=1536, help='side of the matrices')
    parser.add_argument(
        '--clock',
        choices=CLOCKS,
        default='wall',
        help='processor: of one thread of PyTorch, for a machine that others use as well',
    )
    flags = command_line.parse(
        parser, argv, networks='ststnet', folds=2, rows=12, rounds=1, at_once=1, peak=64
    )
    parallel.start(plan.cache_folder() / 'xla')
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if flags.clock == 'processor' else machine.cores())
    ways = ['sequential', 'processes', 'vmap'] if flags.clock == 'wall' else ['sequential', 'vmap']
    columns = ['network', 'folds x clips, batch', 'engine s', *(f'{way} s' for way in ways)]
    columns += ['best', 'times as fast', 'engine GFLOP/s, share', 'best GFLOP/s, share', 'plan']
    print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {flags.clock} clock')
    print(f'| {" | ".join(columns)} |\n|{"---|" * len(columns)}')
    for network in flags.networks.split(','):
        compare(network, flags)
    torch.set_num_threads(threads)


if __name__ == '__main__':
    main()
