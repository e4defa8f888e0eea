"""An epoch of all folds by PyTorch: one fold after another, in processes, or stacked.

It imports no jax, so that a process starts fast.
"""

import copy
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

import numpy as np
import torch

from benchmarks import sizes
from tests.support.torch_networks import torch_networks
from tests.support.torch_samer import torch_samer

NETWORKS = torch_networks(torch.nn, torch)
SAMER = torch_samer(torch.nn, torch)

Epoch = Callable[[], None]  # trains every fold for an epoch


@dataclass(frozen=True)
class Work:
    """What is trained.

    Every fold takes `steps` batches of `batch` rows, as the engine does: a fold with fewer rows
    begins its order again.
    """

    network: str
    image: np.ndarray  # [N, ..., C]
    label: np.ndarray  # [N]
    folds: list[np.ndarray]  # training rows of each
    steps: int
    batch: int


class Shareable(Protocol):
    """Work whose folds can be parted."""

    folds: list[np.ndarray]


W = TypeVar('W', bound=Shareable)


class Processes:
    """Folds parted among processes of one thread each, which live until the end of the block."""

    def __init__(self, make: Callable[[W], Epoch], work: W, count: int) -> None:
        """Start the processes.

        Args:
            make: returns the epoch of some folds; a function of a module.
            work: of all folds.
            count: of processes, at most one a fold.
        """
        context = multiprocessing.get_context('spawn')
        self.members = []
        for number in range(min(count, len(work.folds))):
            here, there = context.Pipe()
            share = replace(work, folds=work.folds[number::count])
            process = context.Process(target=_serve, args=(there, make, share), daemon=True)
            process.start()
            there.close()  # so that the pipe ends with the process
            self.members.append((process, here))
        self._wait()

    def epoch(self) -> None:
        """Train every fold for an epoch."""
        for _, pipe in self.members:
            pipe.send(True)
        self._wait()

    def __enter__(self) -> 'Processes':
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe in self.members:
            pipe.send(False)
            process.join()

    def _wait(self):
        for _, pipe in self.members:
            pipe.recv()


def _serve(pipe: Connection, make: Callable[[W], Epoch], work: W) -> None:
    torch.set_num_threads(1)
    epoch = make(work)
    epoch()
    pipe.send(True)
    while pipe.recv():
        epoch()
        pipe.send(True)


def sequential(work: Work) -> Epoch:
    """Train one fold after another, with the data on the device from the start."""
    image, label = tensors(work)
    trainings = []
    for train_rows in work.folds:
        model = built(work.network).to(image.device).train()
        trainings.append((model, optimizer_of(work.network, model.parameters()), train_rows))

    def epoch() -> None:
        for model, optimizer, train_rows in trainings:
            for rows in shuffled(train_rows, work.steps, work.batch):
                optimizer.zero_grad()
                loss(work.network, model(image[rows]), label[rows]).backward()
                optimizer.step()
        finish(image)

    return epoch


def stacked(work: Work) -> Epoch:
    """Train all folds at once, by torch.func.vmap over their stacked parameters.

    Batch norm keeps no running statistics, which vmap cannot update in place.
    """
    image, label = tensors(work)
    models = []
    for _ in work.folds:
        model = built(work.network).to(image.device).train()
        models.append(torch.func.replace_all_batch_norm_modules_(model))
    skeleton = copy.deepcopy(models[0]).to('meta')
    params, buffers = torch.func.stack_module_state(models)
    optimizer = optimizer_of(work.network, params.values())

    def fold_loss(params: dict, buffers: dict, image: torch.Tensor, label: torch.Tensor):
        output = torch.func.functional_call(skeleton, (params, buffers), (image,))
        return loss(work.network, output, label)

    gradient = torch.func.vmap(torch.func.grad(fold_loss), randomness='different')

    def epoch() -> None:
        orders = [shuffled(train_rows, work.steps, work.batch) for train_rows in work.folds]
        for rows in torch.stack(orders, 1):
            values = {name: value.detach() for name, value in params.items()}
            gradients = gradient(values, buffers, image[rows], label[rows])
            for name, value in params.items():
                value.grad = gradients[name]
            optimizer.step()
        finish(image)

    return epoch


def tensors(work: Work) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with their channels first, and labels, on the device."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    image = torch.from_numpy(work.image).movedim(-1, 1).contiguous().to(device)
    return image, torch.from_numpy(work.label).long().to(device)


def shuffled(train_rows: np.ndarray, steps: int, batch: int) -> torch.Tensor:
    """The rows of each step, [steps, batch], in random order; it begins again at its end."""
    order = torch.from_numpy(train_rows).long()[torch.randperm(len(train_rows))]
    return order[torch.arange(steps * batch) % len(order)].view(steps, batch)


def finish(image: torch.Tensor) -> None:
    """Wait for the device."""
    if image.device.type == 'cuda':
        torch.cuda.synchronize()


def built(network: str) -> torch.nn.Module:
    """The PyTorch network as the engine has it."""
    if network in sizes.REGIONAL:
        return SAMER(('eyes', 'mouth'), classes=3, **sizes.REGIONAL[network])
    if network in sizes.CLIPS:
        return NETWORKS['cnn3d'](width=sizes.CLIPS[network])
    return NETWORKS[network](**sizes.TORCH_SIZES.get(network, {}))


def optimizer_of(network: str, parameters: Sequence[torch.Tensor]) -> torch.optim.Optimizer:
    """As in common.learner."""
    if network in sizes.REGIONAL:
        return torch.optim.AdamW(parameters, 1e-4, weight_decay=1e-5)
    return torch.optim.Adam(parameters, 1e-4)


def loss(network: str, output: torch.Tensor | tuple, label: torch.Tensor) -> torch.Tensor:
    """Cross-entropy; of dual_branch the sum over its heads, without alignment of action units."""
    heads = output[1]['heads'].unbind(1) if network in sizes.REGIONAL else [output]
    return sum(torch.nn.functional.cross_entropy(head, label) for head in heads)
