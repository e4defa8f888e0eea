"""Programs for a GPU, on a machine that has none."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from benchmarks import lowering
from mer_jax.models import NETWORKS

ROOT = Path(__file__).parents[1]
CONVOLUTION = 'stablehlo.convolution'


@pytest.mark.parametrize('network', NETWORKS)
def test_every_network_has_programs_for_a_gpu(network):
    """Else training or prediction stops on a GPU alone, where no test runs: at an operation that
    only a CPU has; or a plan there measures one way to convolve twice, under two names.
    """
    experiment = lowering.made_up(lowering.CASES[network][0], quick=True)
    first, convolves = lowering.lowerings(alone=False)[0], {}
    for way in lowering.lowerings():
        programs = lowering.uncompiled(experiment, way, jax.devices()[:1])
        # Training by the plan's first form alone, prediction by all: half a minute is spared.
        name = 'train' if way == first else 'predict'
        exported = lowering.export(programs[name])
        assert exported.platforms == ('cuda',)
        convolves[way] = CONVOLUTION in exported.mlir_module()
    assert not convolves['matmul']
    assert convolves['native'] or network == 'htnet'  # it has no convolution


@pytest.mark.skipif(not lowering.installed(), reason=f'compiles for a GPU: {lowering.install()}')
def test_convolutions_compile_to_what_the_plan_says():
    """Products must need no library, and a native convolution must be one call for all folds:
    jax or XLA may change both, and the figures of docs/gpu.md would be of another program.
    """
    command = 'benchmarks/lowering.py --networks ststnet --devices h200 --folds 4 --batch 64'
    command += ' --lowering matmul,native'
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
        capture_output=True,
        text=True,
        check=True,
    )
    header, _, *rows = done.stdout.splitlines()
    titles = header.split(' | ')
    rows = [dict(zip(titles, row.split(' | '), strict=True)) for row in rows]
    calls = {row['lowering']: row['library calls'] for row in rows}
    groups = {row['lowering']: row['groups, largest window'] for row in rows}
    assert calls == {'matmul': '0', 'native': '2 cudnn'}
    assert groups == {'matmul': '–', 'native': '4, 30x30'}  # a group for each fold
