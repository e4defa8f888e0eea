"""Seconds a step of all folds' conditional GANs in one program, against training them one after
another in PyTorch.
"""

import argparse
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy  # noqa: E402
from torch.nn.functional import interpolate, leaky_relu, one_hot  # noqa: E402

from benchmarks import common  # noqa: E402
from benchmarks.against_pytorch import seconds  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.folds import protocols  # noqa: E402
from mer_jax.generation import gan  # noqa: E402
from mer_jax.settings.sections import Gan, Protocol  # noqa: E402
from mer_jax.training import (
    batches,  # noqa: E402
    plan,  # noqa: E402
)
from mer_jax.training import programs as runs  # noqa: E402
from mer_jax.types import Names, Samples  # noqa: E402

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

    def forward(self, z, label):
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

    def forward(self, x, label):
        """[B] logits."""
        planes = one_hot(label, CLASSES).to(x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = torch.cat([x, planes], 1)
        for conv in self.convs:
            x = leaky_relu(conv(x), 0.2)
        return self.head(x)[:, 0]


def experiment(*, folds, rows, pixels):
    """Samples of `rows` random flows by `folds` subjects, and their leave-one-subject-out folds
    without a test.
    """
    draw, zeros = np.random.default_rng(0), np.zeros(rows, np.int32)
    clip = np.arange(rows, dtype=np.int32)
    samples = Samples(
        draw.normal(size=(rows, pixels, pixels, CHANNELS)).astype(np.float32),
        draw.integers(0, CLASSES, rows).astype(np.int32),
        np.sort(clip % folds),
        zeros,
        clip,
    )
    names = Names(
        ('a', 'b', 'c'),
        tuple(f's{i:03d}' for i in range(folds)),
        ('made up',),
        tuple(map(str, range(rows))),
        (),
    )
    made = protocols.make(samples, names, Protocol(), seeds=1)[0]
    return samples, made._replace(test=jax.tree.map(lambda a: a[:, :0], made.test))


def engine(samples, folds, *, size, width, batch_size):
    """(plan, epoch): epoch() trains an epoch of every fold's GAN under the fastest measured plan,
    and waits for it.
    """
    settings = replace(RECIPE, size=size, width=width)
    make = partial(gan.learner, settings, classes=CLASSES, channels=CHANNELS)
    count = len(folds.fold)
    found = plan.candidates(
        jax.default_backend(), jax.device_count(), count, lowering='auto', at_once=0, use=0
    )
    measure = partial(
        runs.seconds_a_round,
        lambda lowering: make(lowering=lowering),
        samples,
        folds,
        options=batches.BatchOptions(batch_size),
        memory=plan.free_memory(jax.devices()[0]),
    )
    chosen = plan.fastest(
        plan.benchmark(found, lambda p: measure(plan=p), runs=count, epochs=10**6)
    )
    programs = runs.compile_programs(
        make(lowering=chosen.lowering),
        chosen,
        samples,
        folds,
        runs.ProgramOptions(batches.BatchOptions(batch_size), runs=count, test_batch=batch_size),
    )
    group = runs.place(programs, folds, range(count))
    kept = [runs.init(group)]

    def epoch():
        kept[0], _ = runs.train(group, kept[0], np.int32(0), np.int32(1))

    return chosen, epoch


def pytorch(samples, folds, *, size, width, batch_size):
    """epoch(): an epoch of every fold's GAN, one after the other, in as many and as large batches
    as the engine's.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    image = torch.from_numpy(samples.image).movedim(-1, 1).contiguous().to(device)
    label = torch.from_numpy(samples.label).long().to(device)
    steps, batch = batches.batch_shape(folds.train.index.shape[1], batch_size)
    trained = []
    for index, mask in zip(folds.train.index, folds.train.mask, strict=True):
        parts = [kind(size, width).to(device).train() for kind in (Generator, Discriminator)]
        adam = [
            torch.optim.Adam(part.parameters(), RECIPE.learning_rate, (0.5, 0.999))
            for part in parts
        ]
        own = torch.from_numpy(index[mask > 0]).long().to(device)
        scale = torch.quantile(image[own].abs().movedim(1, 0).flatten(1)[:, : 10**7], 0.995, dim=1)[
            :, None, None
        ]
        trained.append((*parts, *adam, own, scale))

    def epoch():
        for *parts, own, scale in trained:
            order = own[torch.randperm(len(own), device=device)]
            order = order[torch.arange(steps * batch, device=device) % len(own)]
            for rows in order.view(steps, batch):
                real = interpolate(
                    (image[rows] / scale).clip(-1, 1), (size, size), mode='bilinear', antialias=True
                )
                step(*parts, real, label[rows])
        if device == 'cuda':
            torch.cuda.synchronize()

    return epoch


def step(generator, discriminator, generator_adam, discriminator_adam, real, label):
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


def main():
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
    chosen = parser.parse_args()
    common.start()
    torch.set_num_threads(machine.cores())
    pixels = chosen.pixels or (28 if chosen.size == 32 else chosen.size)
    settings = {'size': chosen.size, 'width': chosen.width, 'batch_size': chosen.batch}
    samples, folds = experiment(folds=chosen.folds, rows=chosen.rows, pixels=pixels)
    layout, ours = engine(samples, folds, **settings)
    theirs = pytorch(samples, folds, **settings)
    ours(), theirs()
    start = time.perf_counter()
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(chosen.rounds)]
    steps, batch = batches.batch_shape(folds.train.index.shape[1], chosen.batch)
    ratios = sorted(other / own for other, own in pairs)
    other, own = (1000 * statistics.median(side) / steps for side in zip(*pairs, strict=True))
    print(
        f'{chosen.folds} GANs, {pixels} pixels in {chosen.size}, width {chosen.width}, {batch} '
        'rows a step; a step of all: '
        f'PyTorch {torch.__version__} on {torch.get_num_threads()} threads {other:.0f} ms, '
        f'engine {own:.0f} ms '
        f'({plan.describe(layout)}); ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to '
        f'{ratios[-1]:.2f}), '
        f'{time.perf_counter() - start:.0f} s of timing'
    )


if __name__ == '__main__':
    main()
