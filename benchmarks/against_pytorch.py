"""Rows a second of the engine against sequential PyTorch on the same network and arrays; see
benchmarks/README.md.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch  # noqa: E402

from benchmarks import command_line, common  # noqa: E402
from mer_jax.data.arrays import Dataset  # noqa: E402
from mer_jax.folds.splits import Splits  # noqa: E402
from mer_jax.runfiles.plan import Plan  # noqa: E402
from mer_jax.training import batches, plan  # noqa: E402
from tests.support.torch_networks import torch_networks  # noqa: E402
from tests.support.torch_samer import torch_samer  # noqa: E402


def pytorch(network: str, data: Dataset, folds: Splits, *, batch_size: int) -> Callable[[], None]:
    """epoch(): one of every fold, one after the other, with the data on the device from the
    start.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    image = torch.from_numpy(data.x).movedim(-1, 1).contiguous().to(device)
    label = torch.from_numpy(data.y).long().to(device)
    trainings = []
    for split in folds.splits:
        model = built(network).to(device).train()
        rows = torch.from_numpy(split.train).long().to(device)
        trainings.append((model, optimizer_of(network, model), rows))

    def epoch() -> None:
        for model, optimizer, train_rows in trainings:
            order = train_rows[torch.randperm(len(train_rows), device=device)]
            for first in range(0, len(order), batch_size):
                rows = order[first : first + batch_size]
                optimizer.zero_grad()
                loss(network, model(image[rows]), label[rows]).backward()
                optimizer.step()
        if device == 'cuda':
            torch.cuda.synchronize()

    return epoch


def built(network: str) -> torch.nn.Module:
    """The PyTorch network as the engine has it."""
    if network in common.REGIONAL:
        return torch_samer(torch.nn, torch)(
            ('eyes', 'mouth'), classes=3, **common.REGIONAL[network]
        )
    networks = torch_networks(torch.nn, torch)
    if network in common.CLIPS:
        return networks['cnn3d'](width=common.CLIPS[network])
    return networks[network](**common.SIZES.get(network, {}))


def optimizer_of(network: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    """As in common.learner."""
    if network in common.REGIONAL:
        return torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=1e-5)
    return torch.optim.Adam(model.parameters(), 1e-4)


def loss(network: str, output: torch.Tensor | tuple, label: torch.Tensor) -> torch.Tensor:
    """Cross-entropy; of dual_branch the sum over its heads, without alignment of action units."""
    heads = output[1]['heads'].unbind(1) if network in common.REGIONAL else [output]
    return sum(torch.nn.functional.cross_entropy(head, label) for head in heads)


def seconds(function: Callable[[], None]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(network: str, *, folds: int, rows: int, batch_size: int, rounds: int) -> None:
    """Print the ratio of rows a second, engine over PyTorch, the two timed in turn."""
    data, splits = common.experiment(common.INPUTS[network], folds=folds, rows=rows)
    epoch = pytorch(network, data, splits, batch_size=batch_size)
    epoch()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, network)
        pairs = []
        for _ in range(rounds):
            other = seconds(epoch)
            engine = common.seconds_per_epoch(network, data, splits, folder, batch_size=batch_size)
            pairs.append((other, engine))
        chosen = plan.describe(Plan.read(folder))
    train_rows = [len(split.train) for split in splits.splits]
    steps, batch = batches.batch_shape(max(train_rows), batch_size)
    more = folds * steps * batch / sum(train_rows)  # batches wrap round to equal sizes
    ratios = sorted(more * other / engine for other, engine in pairs)
    other, engine = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f'{network}: {folds} folds x {rows} clips, batch {batch_size}; an epoch of all folds: '
        f'PyTorch {other:.2f} s, engine {engine:.2f} s ({chosen}); '
        f'ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})',
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Compare every network of the flag."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', default=','.join(common.INPUTS))
    parser.add_argument('--folds', type=int, default=12)
    parser.add_argument('--rows', type=int, default=297)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--rounds', type=int, default=5)
    flags = command_line.parse(parser, argv, networks='ststnet', folds=2, rows=12, rounds=1)
    print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads')
    for network in flags.networks.split(','):
        compare(
            network,
            folds=flags.folds,
            rows=flags.rows,
            batch_size=flags.batch,
            rounds=flags.rounds,
        )


if __name__ == '__main__':
    main()
