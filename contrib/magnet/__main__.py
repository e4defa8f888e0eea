"""Train the learned motion magnifier (MagNet, Oh et al. 2018) on made-up pictures.

The same command continues a killed training. The weights, magnet.safetensors, are for
--config.data.magnet. Minutes on two cores are not enough for usable ones.
"""

import argparse
import dataclasses
import sys

from mer_jax import quiet  # noqa: F401, before jax
from mer_jax.errors import UserError

QUICK = {'steps': 4, 'size': 16}
# name -> (default, least, most, what it is)
SETTINGS = {
    'seed': (0, 0, 2**31 - 1, 'of the made-up pictures and of the first weights'),
    'steps': (20_000, 1, 10**8, 'in all, those trained before included'),
    'batch_size': (4, 1, 1000, 'four-tuples of pictures in a step'),
    'size': (64, 16, 1024, 'pixels a side of a picture, a multiple of 4'),
    'learning_rate': (1e-4, 1e-12, 1e3, 'of Adam'),
    'weight': (1.0, 0.0, 1e3, 'of the texture and shape terms of the loss'),
    'noise': (0.3, 0.0, 10.0, 'most shot noise; 0 for none'),
    'checkpoint_seconds': (60.0, 0.0, float('inf'), 'between two checkpoints'),
}


def parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    flags = argparse.ArgumentParser('python -m contrib.magnet', description=__doc__)
    flags.add_argument('--workdir', default='runs/magnet', help='folder of the training')
    flags.add_argument('--quick', action='store_true', help='a few steps, to see that it runs')
    for name, (default, _, _, text) in SETTINGS.items():
        flags.add_argument(f'--{name}', type=type(default), help=f'{text} (default {default})')
    return flags


def main(arguments: list[str]) -> int:
    """Train.

    Returns:
        The exit status: 0, or 2 after a line that says what is wrong.
    """
    flags = vars(parser().parse_args(arguments))
    values = {name: default for name, (default, *_) in SETTINGS.items()}
    if flags['quick']:
        values |= QUICK
    values |= {name: flags[name] for name in SETTINGS if flags[name] is not None}
    try:
        for name, (_, least, most, _) in SETTINGS.items():
            if not least <= values[name] <= most:
                raise UserError(f'--{name} is {values[name]}; allowed: {least} to {most}')
        from contrib.magnet import training

        fields = dataclasses.fields(training.Settings)
        settings = training.Settings(**{field.name: values[field.name] for field in fields})
        results = training.train(
            settings,
            steps=values['steps'],
            folder=flags['workdir'],
            checkpoint_seconds=values['checkpoint_seconds'],
        )
    except KeyboardInterrupt:
        print('stopped; the same command continues from the last checkpoint', file=sys.stderr)
        return 130
    except (UserError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(
        f'after {results["steps"]} steps: loss {results["loss"]:.3f}; held-out scenes are '
        f'magnified {results["magnification"]:.2f} times of {results["alpha"]:g}; weights: '
        f'{flags["workdir"]}/{training.WEIGHTS}'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
