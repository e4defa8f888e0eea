"""Seconds a step of all folds' conditional GANs in one program, against training them one after
another in PyTorch.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy  # noqa: E402
from torch.nn.functional import interpolate, leaky_relu, one_hot  # noqa: E402

from benchmarks import command_line, common  # noqa: E402
from benchmarks.against_pytorch import seconds  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.data.arrays import Dataset  # noqa: E402
from mer_jax.generation import GanRun, gan  # noqa: E402
from mer_jax.runfiles.plan import Plan  # noqa: E402
from mer_jax.settings.sections import Gan  # noqa: E402
from mer_jax.training import batches, parallel, plan  # noqa: E402
from mer_jax.types import Folds  # noqa: E402

CLASSES, CHANNELS, LATENT = 3, 2, 100
RECIPE = Gan()


class Generator(torch.nn.Module):
    """models.dcgan.Generator, by PyTorch's own layers."""

    def __init__(self, size, width):
        super().__init__()
        self.side, self.wide = size // 8, 8 * width
        self.dense = torch.nn.Linear(LATENT + CLASSES, self.side**2 * self.wide)
        self.ups = torch.nn.ModuleList(
            torch.nn.ConvTranspose2d(16 * width >> i, 8 * width >> i, 4, 2, 1) for i in (1, 2, 3)
        )
        self.conv = torch.nn.Conv2d(width, CHANNELS, 3, padding=1)

    def forward(self, z: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """[B, C, size, size]."""
        x = leaky_relu(self.dense(torch.cat([z, one_hot(label, CLASSES)], 1)), 0.2).view(
            -1, self.wide, self.side, self.side
        )
        for up in self.ups:
            x = leaky_relu(up(x), 0.2)
        return torch.tanh(self.conv(x))


class Discriminator(torch.nn.Module):
    """models.dcgan.Discriminator, by PyTorch's own layers."""

    def __init__(self, size, width):
        super().__init__()
        widths = (CHANNELS + CLASSES, width, 2 * width, 4 * width)
        self.convs = torch.nn.ModuleList(
            torch.nn.Conv2d(*widths[i : i + 2], 4, 2, 1) for i in range(3)
        )
        self.head = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Dropout(RECIPE.dropout),
            torch.nn.Linear((size // 8) ** 2 * 4 * width, 1),
        )

    def forward(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """[B] logits."""
        planes = one_hot(label, CLASSES).to(x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = torch.cat([x, planes], 1)
        for conv in self.convs:
            x = leaky_relu(conv(x), 0.2)
        return self.head(x)[:, 0]


def engine_seconds(data: Dataset, folds: Folds, layout: Plan, settings: Gan, folder: Path) -> float:
    """Train the GANs of all folds for another 1 + common.TIMED epochs.

    Returns:
        Seconds that a step of all of them took, without the first epoch of this call.
    """
    steps, _ = batches.batch_shape(folds.train.index.shape[1], settings.batch_size)
    done = common.trained_epochs(folder)
    with common.quiet():
        gan.train_all(
            data.content.samples,
            folds,
            layout,
            replace(settings, steps=steps * (done + 1 + common.TIMED)),
            classes=CLASSES,
            run=GanRun(folder=folder, interval=60.0, channels=('u', 'v'), runs_in_memory=0),
        )
    return common.logged_seconds(folder, done) / steps


def pytorch(data: Dataset, folds: Folds, settings: Gan) -> Callable[[], None]:
    """epoch(): an epoch of every fold's GAN, one after the other, in as many and as large batches
    as the engine's.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    image = torch.from_numpy(data.x).movedim(-1, 1).contiguous().to(device)
    label = torch.from_numpy(data.y).long().to(device)
    size = settings.size
    steps, batch = batches.batch_shape(folds.train.index.shape[1], settings.batch_size)
    trainings = []
    for index, mask in zip(folds.train.index, folds.train.mask, strict=True):
        networks = [
            kind(size, settings.width).to(device).train() for kind in (Generator, Discriminator)
        ]
        optimizers = [
            torch.optim.Adam(network.parameters(), RECIPE.learning_rate, (0.5, 0.999))
            for network in networks
        ]
        rows = torch.from_numpy(index[mask > 0]).long().to(device)
        values = image[rows].abs().movedim(1, 0).flatten(1)[:, : 10**7]
        scale = torch.quantile(values, 0.995, dim=1)[:, None, None]
        trainings.append((*networks, *optimizers, rows, scale))

    def epoch() -> None:
        for *pair, train_rows, scale in trainings:
            order = train_rows[torch.randperm(len(train_rows), device=device)]
            order = order[torch.arange(steps * batch, device=device) % len(train_rows)]
            for rows in order.view(steps, batch):
                real = interpolate(
                    (image[rows] / scale).clip(-1, 1), (size, size), mode='bilinear', antialias=True
                )
                step(*pair, real, label[rows])
        if device == 'cuda':
            torch.cuda.synchronize()

    return epoch


def step(
    generator: Generator,
    discriminator: Discriminator,
    generator_adam: torch.optim.Adam,
    discriminator_adam: torch.optim.Adam,
    real: torch.Tensor,
    label: torch.Tensor,
) -> None:
    """gan.train_step, fakes drawn once for both networks."""
    count = len(real)
    drawn = torch.randint(CLASSES, (count,), device=real.device)
    fake = generator(torch.randn(count, LATENT, device=real.device), drawn)
    logit = discriminator(torch.cat([real, fake.detach()]), torch.cat([label, drawn]))
    one = torch.ones(count, device=real.device)
    discriminator_adam.zero_grad()
    (
        cross_entropy(logit[:count], one - RECIPE.smoothing) + cross_entropy(logit[count:], 0 * one)
    ).backward()
    discriminator_adam.step()
    discriminator.requires_grad_(False)  # else it would also compute gradients that nobody reads
    generator_adam.zero_grad()
    cross_entropy(discriminator(fake, drawn), one).backward()
    generator_adam.step()
    discriminator.requires_grad_(True)


def main(argv: Sequence[str] | None = None) -> None:
    """Print seconds a step on both sides, timed in turn, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=32, help='pixels inside the networks')
    parser.add_argument(
        '--pixels', type=int, default=0, help='pixels of the data; 0: 28 at size 32, else the size'
    )
    parser.add_argument('--width', type=int, default=32)
    parser.add_argument('--folds', type=int, default=8)
    parser.add_argument('--rows', type=int, default=147)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--rounds', type=int, default=5)
    flags = command_line.parse(parser, argv, size=8, width=4, folds=2, rows=12, batch=8, rounds=1)
    parallel.start(plan.cache_folder() / 'xla')
    torch.set_num_threads(machine.cores())
    pixels = flags.pixels or (28 if flags.size == 32 else flags.size)
    settings = replace(
        RECIPE, size=flags.size, width=flags.width, batch_size=flags.batch, images_per_class=1
    )
    shape = pixels, pixels, CHANNELS
    data, splits = common.experiment(shape, folds=flags.folds, rows=flags.rows)
    folds = splits.runs(1)
    layout = plan.candidates(  # the first, as the program trains GANs
        jax.default_backend(), jax.device_count(), flags.folds, lowering='auto', at_once=1, wanted=0
    )[0]
    epoch = pytorch(data, folds, settings)
    epoch()
    steps, batch = batches.batch_shape(folds.train.index.shape[1], flags.batch)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, 'gan')
        pairs = []
        for _ in range(flags.rounds):
            other = seconds(epoch) / steps
            pairs.append((other, engine_seconds(data, folds, layout, settings, folder)))
    ratios = sorted(other / engine for other, engine in pairs)
    other, engine = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f'{flags.folds} GANs, {pixels} pixels in {flags.size}, width {flags.width}, {batch} '
        f'rows a step; a step of all: PyTorch {torch.__version__} on {torch.get_num_threads()} '
        f'threads {other:.0f} ms, engine {engine:.0f} ms ({plan.describe(layout)}); '
        f'ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), '
        f'{time.perf_counter() - start:.0f} s in all'
    )


if __name__ == '__main__':
    main()
