"""Every benchmark runs: with --quick, and in this process, so that imports are shared."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / 'benchmarks'
SHARED = {'command_line', 'common', 'sizes', 'torch_training'}  # no benchmarks
# end_to_end_test runs it, where the run that it explains is trained already
ELSEWHERE = {'explanation'}
# name -> what it must print of what it measures
FIGURES = {
    'against_pytorch': r'ststnet \| 2 x 12, 6 (\| [\d.e-]+ ){4}\| [a-z]+ \| [\d.]+ \(.*, 1 at once',
    'apexes': r'middle +off by +[\d.]+ frames: UF1 [\d.]+',
    'building': r'flow: 2 clips .*\(ratio [\d.]+\)',
    'calls': r'training\.epoch\n[^$]*different pairs',
    'coverage': r'24 subjects, mer_jax +[\d.]+ ',
    'convolution': r'native: a step takes [\d.]+ ms outside of a loop, [\d.]+ ms in one',
    'drawing': r'ratio [\d.]+ .*\nexact, .*\nexact, .*\n28x28 tvl1_short: off by 0\.\d+',
    'drawn_faces': r'3 subjects, 24 drawn clips, control none: UF1 [\d.]+ .*; gain [+-]',
    'decision': r'frames .*: \d+ ms; crop',
    'estimated_apexes': r'registered \| off by [\d.]+ frames [^$]*apex mean: [\d.]+ clips of 3 ',
    'face_detection': r'turned by 10 degrees \| \d of 1',
    'folds': r'2 folds, [\d.]+ ms',
    'gan': r'2 GANs, .*ratio \d',
    'kills': r'build \| 1 \| [\w ]+ 1 \| \d+ \| 0 \| 0 \|',
    'hostile_files': r'predictions\.csv +3 GB of holes +\d+ MB  /predictions\.csv: is not a table',
    'lowering': r'ststnet, matmul: exported for cuda: .*train \d+ kB',
    'movement': r'dis: of 2 movements the first region is right in \d',
    'predict': r'video, known key frames: [\d.]+ s, processor [\d.]+ s, 1 clips',
    'recordings': r'check .* times as fast .* MB at the end',
    'onnx_export': r'ststnet +28x28x3 +1,683 .* \d\.\de-\d+ ',
    'recording_search': r'\| 30 \| 1 \| [\d.]+ \| [\d.]+ \|',
    'unit_sizes': r'28 pixels: F1 [\d.]+ .*\([+-][\d.]+ \[[+-].*p [\d.]+\)',
    'magnification': r'output +2.0 px: motion / wanted head [\d.]+',
}
TORCH = ('against_pytorch', 'gan')
# What the benchmark `kills` kills here, in the place of a build, whose kill release_test has.
STAND_IN = """
import pathlib, sys, time
(folder,) = [word for word in sys.argv if word.startswith('--config.data.data_dir=')]
folder = pathlib.Path(folder.partition('=')[2])
for line in ('casme2/flow: 12 clips, ', 'casme2/flow: 100%', 'casme2: 12 used'):
    print(line, flush=True)
    time.sleep(0.1)
folder.mkdir(exist_ok=True)
(folder / 'data').write_text('drawn')
"""


def test_every_benchmark_is_listed():
    """One that is not listed runs in no test, and breaks when a function is renamed."""
    assert {path.stem for path in FOLDER.glob('*.py')} == {*FIGURES} | SHARED | ELSEWHERE


@pytest.mark.docs
@pytest.mark.parametrize('name', FIGURES)
def test_a_benchmark_runs(name, tiny_data, undrawn, tmp_path, monkeypatch, capsys):
    """It is run by hand once in months: without this, each renaming would break it unseen."""
    if name in TORCH:
        pytest.importorskip('torch', reason='compares with PyTorch')
    if name == 'onnx_export':
        pytest.importorskip('onnxruntime', reason='writes files of ONNX')
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    monkeypatch.setenv('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')  # of programs that it starts
    monkeypatch.chdir(tmp_path)
    benchmark = importlib.import_module(f'benchmarks.{name}')
    if name == 'kills':
        (tmp_path / 'main.py').write_text(STAND_IN)
        monkeypatch.setattr(benchmark, 'ROOT', tmp_path)
    benchmark.main(['--quick'])
    printed = capsys.readouterr().out
    assert re.search(FIGURES[name], printed), printed


def test_the_rule_by_signs_names_what_moves_as_facs_does():
    """A sign or a region that is swapped would make a weak control, and drawn faces look better."""
    drawn_faces = importlib.import_module('benchmarks.drawn_faces')
    up, down = -1.0, 1.0  # v is the flow downwards
    moves = {
        'surprise': (drawn_faces.BROWS, up),
        'positive': (drawn_faces.CORNERS, up),
        'negative': (drawn_faces.BROWS, down),
    }
    for word, (boxes, way) in moves.items():
        v = np.zeros((1, 28, 28))
        for rows, columns in boxes:
            v[0, rows, columns] = way
        for stretched in (v, 127 + 100 * v):
            (number,) = drawn_faces.by_signs(drawn_faces.raised(stretched), 0.5)
            assert drawn_faces.RULE_CLASSES[number] == word
