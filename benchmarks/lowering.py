"""What a training step becomes on a GPU, of programs that are compiled without one: kernels, calls
of libraries, bytes and memory; see docs/gpu.md.
"""

import argparse
import importlib.util
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

if __name__ == '__main__':
    # The plugin looks for a driver unless another platform is asked for.
    os.environ['JAX_PLATFORMS'] = 'cpu'
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from mer_jax import quiet  # noqa: E402, F401, before jax

# isort: split
import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax.experimental import topologies  # noqa: E402
from jax.sharding import Mesh, NamedSharding, PartitionSpec  # noqa: E402

import mer_jax as mj  # noqa: E402
from mer_jax import presets  # noqa: E402
from mer_jax.data import channels, labels, loading  # noqa: E402
from mer_jax.errors import first_line  # noqa: E402
from mer_jax.experiment import build, learner_entry  # noqa: E402
from mer_jax.experiment import settings as rules  # noqa: E402
from mer_jax.experiment.build import Experiment  # noqa: E402
from mer_jax.folds import protocols  # noqa: E402
from mer_jax.training import augment, batches, held_out, loop, parallel, plan, programs  # noqa: E402
from mer_jax.training.compilation import Program  # noqa: E402
from mer_jax.types import Names, Samples  # noqa: E402


class Case(NamedTuple):
    """An experiment whose training step is looked at."""

    config: str  # by name, with its variants
    clips: int
    subjects: int  # the clips are spread evenly over them
    changes: dict = {}  # of the config


class Card(NamedTuple):
    """A GPU, as its data sheet describes it."""

    capability: tuple[int, int]  # CUDA's compute capability
    cores: int  # streaming multiprocessors
    lanes: int  # of a core, for float32
    threads: int  # most of a core
    shared: int  # bytes of shared memory of a core
    shared_most: int  # bytes of it that a block may take
    cache: int  # bytes, of level 2
    clock: float  # GHz
    memory: int  # bytes
    bandwidth: float  # bytes a second


COMPOSITE = (442, 68)  # clips and subjects of MEGC2019
CASES = {  # of each network: as it is by default; and as published, where that is another size
    'ststnet': [Case('megc2019_ststnet', *COMPOSITE)],
    'offapexnet': [
        Case('megc2019_offapexnet', *COMPOSITE),
        Case('megc2019_offapexnet:published', *COMPOSITE),
    ],
    'dual_inception': [
        Case('megc2019_dual_inception', *COMPOSITE),
        Case('megc2019_dual_inception:published', *COMPOSITE),
    ],
    # As if every fold trained it; the stack trains it once, on drawn faces.
    'flow_cnn': [
        Case('megc2019_sssnet', *COMPOSITE, {'model.name': 'flow_cnn', 'train.batch_size': 64})
    ],
    'sssnet': [
        Case('megc2019_sssnet', *COMPOSITE),
        Case('megc2019_sssnet:published', *COMPOSITE),
    ],
    'rcn_a': [
        Case('megc2019_rcn_a', *COMPOSITE),
        Case('megc2019_rcn_a:published', *COMPOSITE),
    ],
    'htnet': [
        Case('megc2019_htnet', *COMPOSITE),
        Case('megc2019_htnet:published', *COMPOSITE),
    ],
    'ocnet': [
        Case('megc2019_ocnet', *COMPOSITE),
        Case('megc2019_ocnet', *COMPOSITE, {'data.size': 75}),
    ],
    'vggm': [Case('megc2019_vggm', *COMPOSITE)],
    'alexnet': [Case('megc2019_alexnet', *COMPOSITE)],
    'hybrid_cnn': [Case('synthetic_hybrid', 147, 26), Case('casme2_hybrid', 147, 26)],
    'microexpstcnn': [Case('smic_microexpstcnn', 164, 16)],
    'cnn3d': [Case('synthetic_cnn3d', 120, 12), Case('casme2_cnn3d', 156, 26)],
    'single_branch': [
        Case('synthetic_dualbranch:ablation=sb', 147, 26),
        Case('casme2_dualbranch:ablation=sb', 246, 26),
    ],
    'dual_branch': [Case('synthetic_dualbranch', 147, 26), Case('casme2_dualbranch', 246, 26)],
}
QUICK = (30, 5)  # clips and subjects of the variant :quick
UNITS = ('1', '2', '4', '5', '6', '7', '9', '10', '12', '14', '15', '17', '20', '25')
CARDS = {
    'h200': Card((9, 0), 132, 128, 2048, 233472, 232448, 50 << 20, 1.98, 150_000_000_000, 4800e9),
    'a100': Card((8, 0), 108, 64, 2048, 167936, 166912, 40 << 20, 1.41, 85_000_000_000, 2039e9),
    't4': Card((7, 5), 40, 64, 1024, 65536, 65536, 4 << 20, 1.59, 15_800_000_000, 320e9),
    '2080ti': Card((7, 5), 68, 64, 1024, 65536, 65536, 5632 << 10, 1.545, 11_500_000_000, 616e9),
}
TAKEN = 0.75  # of the memory of a GPU, which jax takes unless it is told otherwise
PLUGIN = ('jax_plugins.xla_cuda12', 'nvidia.cuda_nvcc')
# Lines of a program that start nothing on the GPU; loops and calls are followed.
NO_KERNELS = {
    'after-all',
    'bitcast',
    'constant',
    'get-tuple-element',
    'opt-barrier',
    'parameter',
    'partition-id',
    'replica-id',
    'tuple',
}
BYTES = {'pred': 1, 's8': 1, 'u8': 1, 's16': 2, 'u16': 2, 'bf16': 2, 'f16': 2}
BYTES |= {'s32': 4, 'u32': 4, 'f32': 4, 's64': 8, 'u64': 8, 'f64': 8}


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table with a row for each network, size, lowering and GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', default=','.join(CASES))
    parser.add_argument('--devices', default=','.join(CARDS))
    parser.add_argument('--lowering', default=','.join(lowerings()))
    parser.add_argument('--folds', type=int, default=0, help='side by side; 0: all that fit')
    parser.add_argument('--batch', type=int, default=0, help='0: that of the config')
    flags = command_line.parse(parser, argv, networks='ststnet')
    compiles = installed() and not flags.quick
    if compiles:
        print(HEADER)
    else:
        print(f'nothing is compiled, only exported; what compiles for a GPU: {install()}')
    for network in flags.networks.split(','):
        for case in CASES[network][:1] if flags.quick else CASES[network]:
            experiment = made_up(case, quick=flags.quick, batch=flags.batch)
            for lowering in flags.lowering.split(','):
                if not compiles:
                    print(exported(experiment, network, lowering), flush=True)
                    continue
                for card in flags.devices.split(','):
                    try:
                        print(row(experiment, network, lowering, card, flags.folds), flush=True)
                    except jax.errors.JaxRuntimeError as error:
                        title = f'{network}, {lowering}, {card}'
                        print(f'{title}: does not compile ({first_line(error)})', flush=True)


def lowerings(*, alone: bool = True) -> list[str]:
    """Return how a plan may compute convolutions on a GPU.

    Args:
        alone: whether those are among them that a plan tries only for a fold that trains alone.
    """
    plans = []
    for folds in (2, 1) if alone else (2,):
        plans += plan.candidates('gpu', 1, folds, lowering='auto', at_once=folds, wanted=1)
    return list(dict.fromkeys(candidate.lowering for candidate in plans))


def installed() -> bool:
    """Whether jax's CUDA plugin and CUDA's assembler are installed."""
    try:
        return all(importlib.util.find_spec(module) for module in PLUGIN)
    except ModuleNotFoundError:
        return False


def install() -> str:
    """Return the command that installs what compiles for a GPU."""
    version = jax.__version__
    plugin = f'jax-cuda12-plugin=={version} jax-cuda12-pjrt=={version}'
    return f'pip install {plugin} nvidia-cuda-nvcc-cu12'


# An experiment without data.


def made_up(case: Case, *, quick: bool = False, batch: int = 0) -> Experiment:
    """Return the experiment of a case; its images have no content and take no memory.

    Args:
        case: the experiment.
        quick: whether it is that of the variant :quick.
        batch: rows of a step; 0: as in the config.
    """
    config = mj.config(case.config)
    config.update_from_flattened_dict(case.changes)
    if batch:
        config.train.batch_size = batch
    if quick:
        presets.quick(config)
    settings = rules.checked(config)
    clips, subjects = QUICK if quick else (case.clips, case.subjects)
    number = np.arange(clips, dtype=np.int32)
    scheme = labels.SCHEMES[settings.data.labels]['casme2']
    classes = [name for name in scheme if name != labels.NO_CLASS]
    samples = Samples(
        np.broadcast_to(*_image(settings, clips)),
        number % len(classes),
        number % subjects,
        np.zeros_like(number),
        number,
        {'action_units': np.zeros((clips, len(UNITS)), np.float32)},
    )
    if learner_entry(settings).regional or settings.augment.replace:
        samples = augment.with_half_source(samples)
    names = Names(
        tuple(classes), tuple(map(str, range(subjects))), ('x',), tuple(map(str, number)), UNITS
    )
    folds, titles = protocols.make(samples, names, settings.protocol, seeds=1)
    data = loading.Data(samples, names, [], '', settings.data.labels, ())
    return Experiment(settings, data, folds, titles)


def _image(settings, clips):
    """(a pixel, shape) of the images, as mer_jax/data/loading.py stores them."""
    data = settings.data
    names = channels.parse(data.channels)
    feature = channels.feature_of(names)
    if feature == 'frames':
        return np.uint8(0), (clips, data.frames, data.size, data.size, 1)
    in_bytes = data.clip_normalise or feature == 'image'
    return (np.uint8 if in_bytes else np.float32)(0), (clips, data.size, data.size, len(names))


def uncompiled(
    experiment: Experiment, lowering: str, devices: parallel.Devices, runs: int = 0
) -> dict[str, Program]:
    """Return the programs that train and predict, as the engine compiles them.

    Args:
        experiment: of `made_up`.
        lowering: how convolutions are computed.
        devices: one device, which need not be here.
        runs: folds, all side by side; 0: all folds.
    """
    runs = runs or len(experiment.folds.fold)
    folds = held_out.subset(experiment.folds, np.arange(runs))
    training = build.training(experiment)
    test = batches.prediction_batches(folds.test, training.test_batch)
    mesh = Mesh(np.asarray(devices), ('fold',))
    shared = _shapes(experiment.data.samples, NamedSharding(mesh, PartitionSpec()))
    per_fold = (folds.train, folds.fold, folds.seed, test)
    per_fold = _shapes(per_fold, NamedSharding(mesh, PartitionSpec('fold')))
    options = programs.ProgramOptions(
        training.batches, runs=runs, test_batch=training.test_batch, chunk=loop.CHUNK
    )
    return programs.uncompiled(
        build.learner(experiment, lowering),
        programs.Arrays(shared, *per_fold),
        options,
        at_once=runs,
        devices=devices,
    )


def _shapes(tree, sharding):
    return jax.tree.map(
        lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding), tree
    )


def export(program: Program) -> jax.export.Exported:
    """Translate a program for CUDA.

    Nothing is compiled, but an operation that has no form on a GPU raises an exception.
    """
    return jax.export.export(program.function, platforms=['cuda'])(*program.arguments)


def exported(experiment: Experiment, network: str, lowering: str) -> str:
    """Export what trains and predicts, and return a line with the sizes."""
    sizes = [
        f'{name} {len(export(program).mlir_module_serialized) / 1000:.0f} kB'
        for name, program in uncompiled(experiment, lowering, jax.devices()[:1]).items()
    ]
    return f'{network}, {lowering}: exported for cuda: {", ".join(sizes)}'


# A program compiled for a GPU.


def gpu(card: str) -> jax.Device:
    """Return a GPU that is not here, to compile for.

    Args:
        card: a key of CARDS.
    """
    facts = CARDS[card]
    major, minor = facts.capability
    target = f"""
        platform_name: "CUDA"
        device_description_str: "{card}"
        dnn_version_info {{ major: 9 minor: 8 }}
        runtime_version {{ major: 12 minor: 9 patch: 0 }}
        gpu_device_info {{
            cuda_compute_capability {{ major: {major} minor: {minor} }}
            core_count: {facts.cores}
            fpus_per_core: {facts.lanes}
            clock_rate_ghz: {facts.clock}
            device_memory_size: {facts.memory}
            memory_bandwidth: {facts.bandwidth:.0f}
            l2_cache_size: {facts.cache}
            shared_memory_per_core: {facts.shared}
            shared_memory_per_block_optin: {facts.shared_most}
            shared_memory_per_block: 49152
            registers_per_core_limit: 65536
            registers_per_block_limit: 65536
            threads_per_core_limit: {facts.threads}
            threads_per_block_limit: 1024
            threads_per_warp: 32
            block_dim_limit_x: 2147483647
            block_dim_limit_y: 65535
            block_dim_limit_z: 65535
        }}"""
    described = topologies.get_topology_desc(
        platform='cuda', target_config=target, topology='1x1x1'
    )
    return described.devices[0]


def compiled(experiment: Experiment, lowering: str, card: str, runs: int) -> jax.stages.Compiled:
    """Compile the training of some folds, side by side, for a GPU."""
    program = uncompiled(experiment, lowering, [gpu(card)], runs)['train']
    (assembler,) = importlib.util.find_spec(PLUGIN[1]).submodule_search_locations
    options = {
        'xla_gpu_cuda_data_dir': assembler,
        'xla_gpu_autotune_level': 0,  # nothing can be timed
        'xla_gpu_deterministic_ops': True,  # as in parallel.start
    }
    return program.function.lower(*program.arguments).compile(options)


class Work(NamedTuple):
    """What a part of a program does."""

    kernels: float = 0
    library: float = 0  # those of the kernels that are calls of a library
    moved: float = 0  # bytes of the operands and results of the kernels
    libraries: frozenset[str] = frozenset()
    # of the convolutions of a library: (groups, sides of the window)
    windows: frozenset[tuple[int, tuple[int, ...]]] = frozenset()

    def plus(self, other: 'Work', times: float = 1) -> 'Work':
        """Return the sum; the other part runs so many times."""
        return Work(
            self.kernels + times * other.kernels,
            self.library + times * other.library,
            self.moved + times * other.moved,
            self.libraries | other.libraries,
            self.windows | other.windows,
        )


class Line(NamedTuple):
    """An instruction of a compiled program."""

    shape: str  # of its result
    kind: str
    operands: tuple[str, ...]  # names of other lines
    rest: str

    def named(self, attribute: str) -> str:
        """Return the name behind an attribute: body=%NAME."""
        return re.search(rf'{attribute}=%([\w.\-]+)', self.rest)[1]


class Module:
    """A compiled program, as text."""

    def __init__(self, text: str):
        text = re.sub(r'/\*.*?\*/', '', text)
        parts = re.findall(r'^(ENTRY )?%([\w.\-]+) \([^\n]*\{\n(.*?)^\}', text, re.M | re.S)
        self.computations = {name: dict(_lines(body)) for _, name, body in parts}
        (self.entry,) = [name for entry, name, _ in parts if entry]

    def loops(self, name: str) -> Iterator[Line]:
        """Yield the loops of a computation."""
        for line in self.computations[name].values():
            if line.kind == 'while':
                yield line
            if line.kind == 'call':
                yield from self.loops(line.named('to_apply'))

    def work(self, name: str) -> Work:
        """Return what a computation does; its loops count once for each turn."""
        total, lines = Work(), self.computations[name]
        for line in lines.values():
            if line.kind == 'while':
                total = total.plus(self.work(line.named('body')), turns(line) or 1)
            elif line.kind == 'call':
                total = total.plus(self.work(line.named('to_apply')))
            elif line.kind not in NO_KERNELS:
                read = sum(size(lines[operand].shape) for operand in line.operands)
                total = total.plus(Work(1, 0, size(line.shape) + read))
                if line.kind == 'custom-call':
                    total = total.plus(_library_call(line))
        return total

    def epoch_and_step(self, steps: int) -> tuple[Work, Work]:
        """Return what an epoch and a step do.

        The loop over epochs is the only one of the entry. In it is that over steps, unless the
        compiler wrote the steps out.
        """
        (epochs,) = self.loops(self.entry)
        body = epochs.named('body')
        epoch = self.work(body)
        for line in self.loops(body):
            if turns(line) == steps:
                return epoch, self.work(line.named('body'))
        return epoch, Work().plus(epoch, 1 / steps)


def _lines(body):
    """(name, Line) of each instruction."""
    pattern = r'^ *(?:ROOT )?%([\w.\-]+) = (\([^=]*?\)|\S+) ([a-z][\w\-]*)\((.*?)\)(.*)$'
    for name, shape, kind, operands, rest in re.findall(pattern, body, re.M):
        yield name, Line(shape, kind, tuple(re.findall(r'%([\w.\-]+)', operands)), rest)


def _library_call(line):
    """Work of a call of a library, without its kernel and bytes: '__cudnn$convForward'."""
    target = re.search(r'custom_call_target="_*([^"$]+)', line.rest)[1]
    window = re.search(r'window=\{size=([\dx]+)', line.rest)
    if not window:
        return Work(library=1, libraries=frozenset([target]))
    groups = re.search(r'feature_group_count=(\d+)', line.rest)
    sides = tuple(int(side) for side in window[1].split('x'))
    windows = frozenset([(int(groups[1]) if groups else 1, sides)])
    return Work(library=1, libraries=frozenset([target]), windows=windows)


def turns(loop_line: Line) -> int:
    """Return how often a loop runs; 0 where only the running program knows."""
    count = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop_line.rest)
    return int(count[1]) if count else 0


def size(shape: str) -> int:
    """Return the bytes of an array or of a tuple of arrays, as 'f32[68,3]'."""
    total = 0
    for kind, sides in re.findall(r'([a-z]+\d*)\[([\d,]*)\]', shape):
        total += BYTES.get(kind, 0) * math.prod(map(int, filter(None, sides.split(','))))
    return total


# The table.

COLUMNS = (
    'network',
    'input',
    'folds x clips, batch',
    'lowering',
    'GPU',
    'folds that fit',
    'side by side',
    'kernels',
    'library calls',
    'groups, largest window',
    'GB a step',
    'temporary MB',
    'arguments MB',
    'floor of all epochs',
)
HEADER = f'| {" | ".join(COLUMNS)} |\n|{"---|" * len(COLUMNS)}'


def row(experiment: Experiment, network: str, lowering: str, card: str, wanted: int) -> str:
    """Return the row of a network on a GPU.

    Args:
        experiment: of `made_up`.
        network: its name.
        lowering: how convolutions are computed.
        card: a key of CARDS.
        wanted: folds side by side; 0: all that fit.
    """
    settings, folds = experiment.settings, experiment.folds
    runs = len(folds.fold)
    at_once = min(wanted or runs, runs)
    program = compiled(experiment, lowering, card, at_once)
    fit = folds_that_fit(program, experiment, card, at_once)
    if fit < at_once and not wanted:
        at_once = max(fit, 1)
        program = compiled(experiment, lowering, card, at_once)
    steps, batch = batches.batch_shape(folds.train.index.shape[1], settings.train.batch_size)
    epoch, step = Module(program.as_text()).epoch_and_step(steps)
    memory = program.memory_analysis()
    rounds = -(-runs // at_once)
    floor = settings.train.epochs * rounds * epoch.moved / CARDS[card].bandwidth
    image = experiment.data.samples.image.shape
    cells = (
        network,
        'x'.join(map(str, image[1:])),
        f'{runs} x {image[0]}, {batch}',
        lowering,
        card,
        fit,
        at_once,
        f'{step.kernels:.0f}',
        ' '.join([f'{step.library:.0f}', *sorted(step.libraries)]),
        _convolutions(step),
        f'{step.moved / 1e9:.3g}',
        f'{memory.temp_size_in_bytes / 1e6:,.0f}',
        f'{memory.argument_size_in_bytes / 1e6:,.0f}',
        f'{settings.train.epochs} in {_duration(floor)}',
    )
    return f'| {" | ".join(map(str, cells))} |'


def folds_that_fit(
    program: jax.stages.Compiled, experiment: Experiment, card: str, at_once: int
) -> int:
    """Return how many folds a GPU can train side by side.

    States and temporary memory grow with the folds; samples are there once. A fifth of what jax
    takes stays free, as in a plan.
    """
    memory = program.memory_analysis()
    samples = sum(array.nbytes for array in jax.tree.leaves(experiment.data.samples))
    of_folds = memory.argument_size_in_bytes + memory.temp_size_in_bytes - samples
    limit = {'bytes_limit': TAKEN * CARDS[card].memory}
    free = plan.free_memory(SimpleNamespace(memory_stats=lambda: limit))
    return int((free - samples) // (of_folds / at_once))


def _convolutions(step):
    """'68, 30x30': groups and largest window of the convolutions of a library."""
    if not step.windows:
        return '–'
    groups = sorted({groups for groups, _ in step.windows})
    largest = max((sides for _, sides in step.windows), key=math.prod)
    return f'{" and ".join(map(str, groups))}, {"x".join(map(str, largest))}'


def _duration(seconds):
    if seconds < 120:
        return f'{seconds:.3g} s'
    return f'{seconds / 60:.3g} min' if seconds < 7200 else f'{seconds / 3600:.3g} h'


if __name__ == '__main__':
    main()
