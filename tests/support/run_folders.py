"""Files of made-up runs, which tests write with the product's writers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from mer_jax.evaluation import score
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.results import SPOTTING, RecognitionResults, SpottingResults
from mer_jax.types import Names, Predictions

ROOT = Path(__file__).parents[2]
HEAD = {
    'name': 'casme2_demo',
    'scored': 'test',
    'protocol': 'loso',
    'leaks': [],
    'folds': 6,
    'seeds': 2,
    'epochs': 4,
    'clips': 60,
}
TAIL = {
    'plan': Plan('matmul', 1, 1, 'test', 6).to_json(),
    'data': {'name': 'casme2/video', 'labels': 'irawan3'},
    'seconds': {'total': 3.5},
    'versions': {'jax': '0.10'},
}


def recognition_results(
    predictions: Predictions, names: Names, **changed: Any
) -> RecognitionResults:
    """Results of a run with these predictions; `changed` takes the place of other fields."""
    blocks = {**HEAD, **score.score(predictions, names), 'oracle_epoch': None, **TAIL}
    return RecognitionResults(**blocks | changed)


def spotting_results(errors: dict, **changed: Any) -> SpottingResults:
    """Results of a spotting run with these errors (see spotting/score.py: score)."""
    blocks = {**HEAD, 'task': SPOTTING, 'answer': 'sw_max', 'spotting': errors, **TAIL}
    return SpottingResults(**blocks | changed)


def compare_without_jax(folder: Path, out: Path) -> str:
    """What compare prints of a run, in a process that fails where jax or TensorFlow is loaded."""
    code = (
        'import sys\nfrom mer_jax.studies import compare\ncompare.write(compare.read(sys.argv[1]), '
        'sys.argv[2])\n'
        "sys.exit(bool({'jax', 'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code, folder, out], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
