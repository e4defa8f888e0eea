"""What predicts from features in place of a network.

An entry of a task names these functions. Each fits all runs, and returns the scores of held-out
rows with the files that say what was fitted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.classical import logistic, ridge, stack, svm, unit_svms
from mer_jax.runfiles.detectors import DetectorArrays, DetectorTable
from mer_jax.runfiles.regressions import RegressionArrays
from mer_jax.runfiles.stacks import StackArrays, StackTable
from mer_jax.runfiles.svms import SvmArrays, SvmTable
from mer_jax.settings import sections
from mer_jax.types import Folds, Names, Samples

RunFile = (
    SvmTable
    | SvmArrays
    | RegressionArrays
    | DetectorTable
    | DetectorArrays
    | StackTable
    | StackArrays
)


class Problem(NamedTuple):
    """All that a head learns from."""

    blocks: Sequence[np.ndarray]  # features of clips, [M, N, D] each
    # float32[F, N, D], features that each run has of all clips; of a stack, log probabilities
    of_runs: np.ndarray | None
    samples: Samples
    folds: Folds
    titles: Sequence[str]  # of the folds
    names: Names
    settings: sections.Head
    drawn: svm.Drawn | None = None  # faces that train SVMs beside the clips


class Solution(NamedTuple):
    """What a head predicts."""

    scores: np.ndarray  # float32[R, K] of held-out rows, sorted as held_out.order says
    files: tuple[RunFile, ...]


def svms(problem: Problem) -> Solution:
    """Separate classes by SVMs, see svm.py."""
    classes = len(problem.names.classes)
    scores, fitted = svm.predict(*_arguments(problem), classes=classes, drawn=problem.drawn)
    table = svm.table(fitted, problem.folds, problem.titles)
    return Solution(scores, (table, svm.arrays(fitted)))


def regressions(problem: Problem) -> Solution:
    """Separate classes by logistic regressions, see logistic.py."""
    scores, fitted = logistic.predict(*_arguments(problem), classes=len(problem.names.classes))
    chosen = []
    for of_run in fitted:
        chosen.append([one.chosen for one in of_run])
    table = svm.table(chosen, problem.folds, problem.titles)
    return Solution(scores, (table, logistic.arrays(fitted)))


def ridges(problem: Problem) -> Solution:
    """Separate classes by kernel ridge regressions, see ridge.py."""
    scores, fitted = ridge.predict(*_arguments(problem), classes=len(problem.names.classes))
    return Solution(scores, (svm.table(fitted, problem.folds, problem.titles),))


def stacks(problem: Problem) -> Solution:
    """Combine SVMs, regressions and networks that drawn faces trained, see stack.py."""
    classes, folds, titles = problem.names.classes, problem.folds, problem.titles
    scores, fitted = stack.predict(*_arguments(problem), classes=len(classes))
    svms_of_runs = [of_fold.svms for of_fold in fitted]
    of_svms = svm.table(svms_of_runs, folds, titles), svm.arrays(svms_of_runs)
    members = problem.settings.members.split('+')
    weights = stack.table(fitted, folds, titles, members=members, classes=classes)
    return Solution(scores, (*of_svms, weights, stack.arrays(fitted)))


def detectors(problem: Problem) -> Solution:
    """Detect action units by SVMs, see unit_svms.py."""
    units = problem.names.classes
    scores, fitted = unit_svms.predict(
        *_arguments(problem), classes=len(units), drawn=problem.drawn
    )
    chosen = [of_run.detectors for of_run in fitted]
    table = unit_svms.table(chosen, problem.folds, problem.titles, units)
    # predictions.csv has the outputs; they are no features of clips
    no_outputs = np.zeros((len(fitted), 0, len(units)), np.float32)
    return Solution(scores, (table, unit_svms.arrays(no_outputs, fitted)))


def _arguments(problem):
    """Return what all of them take."""
    return problem.blocks, problem.of_runs, problem.samples, problem.folds, problem.settings
