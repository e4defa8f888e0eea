"""What networks cost as files of ONNX: size, difference from jax, memory, shortest time of a clip.

Weights are made up; inputs have the published sizes. The table in docs/export.md is of
`python benchmarks/onnx_export.py`. With `--members=24` an ensemble is written as `export` does, and
with `--apart` as one part of the graph for each member.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from mer_jax import models  # noqa: E402
from mer_jax.experiment.cost import flops_of  # noqa: E402
from mer_jax.prediction import export  # noqa: E402

INPUTS = {  # as published
    'alexnet': (75, 75, 2),
    'cnn3d': (16, 128, 128, 1),
    'dual_branch': (224, 224, 3),
    'dual_inception': (28, 28, 2),
    'htnet': (28, 28, 3),
    'hybrid_cnn': (64, 64, 9),
    'microexpstcnn': (18, 64, 64, 1),
    'ocnet': (75, 75, 2),
    'offapexnet': (28, 28, 2),
    'rcn_a': (28, 28, 3),
    'single_branch': (224, 224, 3),
    'sssnet': (28, 28, 3),
    'ststnet': (28, 28, 3),
    'vggm': (75, 75, 2),
}
COLUMNS = (
    f'{"network":15}{"input":>16}{"parameters":>12}{"MFLOPs":>9}{"MB":>8}{"nodes":>6}'
    f'{"written s":>10}{"difference":>11}{"load s":>7}{"clip ms":>9}{"peak MB":>8}{"jax ms":>8}'
)


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', default=','.join(INPUTS))
    parser.add_argument('--members', type=int, default=1)
    parser.add_argument('--apart', action='store_true', help='a part of the graph for each member')
    flags = command_line.parse(parser, argv, networks='ststnet', members=2)
    graph, runtime = export.packages()
    print(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        for name in flags.networks.split(','):
            print(row(name, flags, graph, runtime, Path(folder) / 'network.onnx'), flush=True)


def row(
    name: str, flags: argparse.Namespace, graph: ModuleType, runtime: ModuleType, path: Path
) -> str:
    """Translate a network, compare it with jax and measure it."""
    shape = INPUTS[name]
    network = models.make(name, classes=3, lowering='native')
    weights = weights_of(network, shape, flags.members)
    image = jax.ShapeDtypeStruct(shape, np.float32)

    def apart(weights, images):
        return [
            network.apply(jax.tree.map(lambda leaf, i=i: leaf[i], weights), images, train=False)[0]
            for i in range(flags.members)
        ]

    def together(weights, images):
        return jax.vmap(lambda member: network.apply(member, images, train=False)[0])(weights)

    def predict(weights, images):
        logits = apart(weights, images) if flags.apart else together(weights, images)
        return {'logits': jnp.stack(list(logits), 1)}

    start = time.perf_counter()
    model = graph.model_of(predict, weights, image)
    path.write_bytes(model.SerializeToString())
    written = time.perf_counter() - start
    images = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    (logits,) = session.run(None, {'image': images})
    compiled = jax.jit(predict)
    expected = np.asarray(compiled(weights, images)['logits'])
    difference = np.abs(logits - expected).max() / max(1, np.abs(expected).max())
    del session
    cost = export.measured(path)
    size = sum(leaf.size for leaf in jax.tree.leaves(weights['params'])) // flags.members
    flops = flops_of(predict, weights, images[:1]) / 1e6
    return (
        f'{name:15}{"x".join(map(str, shape)):>16}{size:12,}{flops:9,.1f}'
        f'{path.stat().st_size / 1e6:8,.2f}{len(model.graph.node):6}{written:10.1f}'
        f'{difference:11.1e}{cost["load_s"]:7.2f}{cost["fastest_ms"]:9.2f}{cost["peak_mb"]:8,.0f}'
        f'{of_jax(compiled, weights, images[:1]):8.2f}'
    )


def weights_of(network: nn.Module, shape: tuple[int, ...], members: int) -> dict:
    """Made-up weights [members, ...] that keep logits near 1."""
    draw = np.random.default_rng(0)
    keys = {'params': jax.random.key(0), 'dropout': jax.random.key(0)}
    images = jnp.zeros((2, *shape))
    shapes = jax.eval_shape(lambda: network.init(keys, images, train=False))

    def weight(path, leaf):
        values = draw.standard_normal((members, *leaf.shape), np.float32)
        values /= np.sqrt(np.prod(leaf.shape[:-1]) + 1, dtype=np.float32)
        # variances of batch norm are positive
        return np.abs(values) + np.float32(0.5) if path[-1].key == 'var' else values

    return jax.tree_util.tree_map_with_path(weight, shapes)


def of_jax(compiled: Callable, weights: dict, image: np.ndarray) -> float:
    """Milliseconds of a clip, the shortest of five calls after one to compile."""
    weights = jax.device_put(weights)
    calls = []
    for _ in range(6):
        start = time.perf_counter()
        jax.block_until_ready(compiled(weights, image))
        calls.append(1e3 * (time.perf_counter() - start))
    return min(calls[1:])


if __name__ == '__main__':
    main()
