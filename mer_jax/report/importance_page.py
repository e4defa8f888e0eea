"""The importance of features of SVMs: a table, a picture and its caption, for the report."""

from pathlib import Path

from mer_jax.evaluation import OVER_SUBJECTS
from mer_jax.report import plots
from mer_jax.report.formats import plural
from mer_jax.runfiles import files
from mer_jax.runfiles.explanations import Captions, ImportanceTable

PICTURE = 'importance.png'


def write(folder: str | Path, table: ImportanceTable, accuracy: float, alone: int) -> list[Path]:
    """Write importance.csv, its picture and captions.json into <folder>/explain/.

    Args:
        folder: of the run.
        table: accuracy that each group of features is worth.
        accuracy: of the SVMs on held-out rows.
        alone: folds with one held-out row, which cannot be permuted.

    Returns:
        The paths written.
    """
    folder = Path(folder) / files.EXPLAIN
    folder.mkdir(parents=True, exist_ok=True)
    table.write(folder)
    plots.importance(folder / PICTURE, table.rows)
    words = (
        f'Accuracy on held-out clips ({accuracy:.3f}) that is lost where a group of features is '
        'exchanged between the held-out clips of a fold, in the mean over permutations. The SVMs '
        '(of the first seed) stay those of the fold, which did not see these clips. Whiskers: 95 % '
        f'interval {OVER_SUBJECTS}. Groups that say the same can stand in for each other, and then '
        'look unimportant both.'
    )
    if alone:
        words += f' {plural(alone, "fold")} with one clip cannot be permuted and count 0.'
    Captions({PICTURE: words}).write(folder)
    return [folder / name for name in (ImportanceTable.FILE, PICTURE, Captions.FILE)]
