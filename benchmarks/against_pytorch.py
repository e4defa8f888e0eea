"""Rows a second of the engine against sequential PyTorch on the same network and arrays; see
benchmarks/README.md.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks import common  # noqa: E402
from mer_jax.training import (
    batches,
    plan,  # noqa: E402
)
from tests.support.torch_networks import torch_networks  # noqa: E402
from tests.support.torch_samer import torch_samer  # noqa: E402


def pytorch(network, samples, folds, *, batch_size):
    """train(): one epoch of every fold, one after the other, with the data on the device from the
    start.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    image = torch.from_numpy(samples.image).movedim(-1, 1).contiguous().to(device).float() / 255
    label = torch.from_numpy(samples.label).long().to(device)
    trained = []
    for number in range(len(folds.fold)):
        model = built(network).to(device).train()
        own = folds.train.index[number][folds.train.mask[number] > 0]
        trained.append(
            (model, optimizer_of(network, model), torch.from_numpy(own).long().to(device))
        )

    def epoch():
        for model, optimizer, own in trained:
            order = own[torch.randperm(len(own), device=device)]
            for first in range(0, len(own), batch_size):
                rows = order[first : first + batch_size]
                optimizer.zero_grad()
                loss(network, model(image[rows]), label[rows]).backward()
                optimizer.step()
        if device == 'cuda':
            torch.cuda.synchronize()

    return epoch


def built(network):
    """The PyTorch network as the engine has it."""
    if network in common.REGIONAL:
        return torch_samer(torch.nn, torch)(
            ('eyes', 'mouth'), classes=3, **common.REGIONAL[network]
        )
    networks = torch_networks(torch.nn, torch)
    if network in common.CLIPS:
        return networks['cnn3d'](width=common.CLIPS[network])
    build = networks[network]
    return build(4096) if network == 'alexnet' else build()


def optimizer_of(network, model):
    """As in common.learner."""
    if network in common.REGIONAL:
        return torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=1e-5)
    return torch.optim.Adam(model.parameters(), 1e-4)


def loss(network, got, label):
    """Cross-entropy; of dual_branch the sum over its heads, without alignment of action units."""
    heads = got[1]['heads'].unbind(1) if network in common.REGIONAL else [got]
    return sum(torch.nn.functional.cross_entropy(head, label) for head in heads)


def seconds(function):
    """Wall seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(network, *, folds, rows, batch_size, rounds):
    """Print the ratio of rows a second, engine over PyTorch, the two timed in turn."""
    samples, runs = common.experiment(network, folds=folds, rows=rows)
    chosen, engine, held = common.engine(network, samples, runs, batch_size=batch_size)
    other = pytorch(network, samples, runs, batch_size=batch_size)
    engine(), other()
    pairs = [(seconds(other), seconds(engine) / common.EPOCHS) for _ in range(rounds)]
    seen_other = float(runs.train.mask.sum())
    seen_engine = float(folds * np.prod(batches.batch_shape(runs.train.index.shape[1], batch_size)))
    ratios = sorted((seen_engine / ours) / (seen_other / theirs) for theirs, ours in pairs)
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f'{network}: {folds} folds x {rows} clips, batch {batch_size}; an epoch of all folds: '
        f'PyTorch {theirs:.2f} s, '
        f'engine {ours:.2f} s ({plan.describe(chosen)}); ratio {statistics.median(ratios):.2f} '
        f'({ratios[0]:.2f} to {ratios[-1]:.2f}); the engine holds {held / 1e9:.2f} GB a device',
        flush=True,
    )


def main():
    """Compare every network asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--networks', default=','.join(common.INPUTS))
    parser.add_argument('--folds', type=int, default=12)
    parser.add_argument('--rows', type=int, default=297)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--rounds', type=int, default=5)
    chosen = parser.parse_args()
    common.start()
    print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads')
    for network in chosen.networks.split(','):
        compare(
            network,
            folds=chosen.folds,
            rows=chosen.rows,
            batch_size=chosen.batch,
            rounds=chosen.rounds,
        )


if __name__ == '__main__':
    main()
