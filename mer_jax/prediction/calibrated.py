"""What calibrates a model: the held-out outputs of its run, or of another run of its settings.

A run that leaks calibrates nothing: its held-out outputs are surer than those of new people. Nor
does one that scores validation rows: those of a fold's test subject stand in the other folds.
"""

from collections import Counter
from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.evaluation.calibration import Calibrated
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.folds import PROTOCOLS
from mer_jax.runfiles import files, results
from mer_jax.runfiles.calibration import Calibration, of_held_out
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.prediction_file import ClassCounts, HeldOut
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults, Results
from mer_jax.runfiles.shapes import Json


def outputs(folder: Path, run: Results) -> PredictionTable | None:
    """Read the held-out outputs of a finished run.

    Args:
        folder: of the run.
        run: its results.

    Returns:
        None where no test row has one, and where a run that calibrates nothing lacks the file.

    Raises:
        UserError: the file is wrong, or a run that calibrates lacks it.
    """
    if not isinstance(run, RecognitionResults) or run.scored != 'test':
        return None
    if not calibrates(run) and not (folder / PredictionTable.FILE).exists():
        return None
    return PredictionTable.read(folder)


def of_run(
    folder: Path, run: Results, table: PredictionTable | None, fold: str = ''
) -> Calibrated | None:
    """Fit temperature and threshold to the held-out outputs of a finished run.

    Args:
        folder: of the run.
        run: its results.
        table: its held-out outputs, as `outputs` reads them.
        fold: title of the fold whose subjects are left out, to predict them; '': other people.

    Returns:
        None for a run that does not calibrate, and one that leaves no other subject out.
    """
    if table is None or not calibrates(run):
        return None
    number = None
    if fold:
        number = [row.title for row in FoldTable.read(folder).rows].index(fold)
    return of_held_out(table, number)


def held_out(folder: Path, run: Results, table: PredictionTable | None) -> HeldOut | None:
    """Return what the held-out clips of a run say of its answers.

    Args:
        folder: of the run.
        run: its results.
        table: its held-out outputs, as `outputs` reads them.

    Returns:
        None where no clip is tested.
    """
    if table is None or not table.rows:
        return None
    rows = table.rows
    pairs = Counter((row.label, row.predicted) for row in rows)
    labelled, named = Counter(), Counter()
    for (label, predicted), count in pairs.items():
        labelled[label] += count
        named[predicted] += count
    classes = {}
    for title in run.classes:
        classes[title] = ClassCounts(pairs[title, title], labelled[title], named[title])
    losses = None
    if calibrates(run) and (folder / Calibration.FILE).exists():
        measured = Calibration.read(folder)
        losses = (measured.raw['loss'], measured.calibrated['loss'])
    clips = {(row.dataset, row.subject, row.clip) for row in rows}
    return HeldOut(len(clips), classes, losses)


def calibrates(run: Results) -> bool:
    """Return whether a run may calibrate its networks: by test rows, without leaks."""
    return isinstance(run, RecognitionResults) and run.scored == 'test' and not run.leaks


def block(title: str, table: PredictionTable, folds: list[str]) -> dict[str, Json] | None:
    """Return the calibration as a pack holds it; None where nothing is held out.

    Args:
        title: of the run whose outputs the table holds.
        table: held-out outputs of a run that calibrates.
        folds: titles of its folds, in order; [] where the model has other folds.
    """
    whole = of_held_out(table)
    if whole is None:
        return None
    of_folds = {}
    for number, fold in enumerate(folds):
        of_others = of_held_out(table, number)
        if of_others is not None:
            of_folds[fold] = of_others._asdict()
    return {'by': title, **whole._asdict(), 'folds': of_folds}


def check_same(folder: Path, other: Path) -> RecognitionResults:
    """Check that a run may calibrate another one, which tests nobody.

    Args:
        folder: of the run to calibrate.
        other: of the run whose held-out outputs calibrate it.

    Returns:
        The results of the other run.

    Raises:
        UserError: it is not finished, differs in more than its protocol, or does not calibrate.
    """
    other = run_folder.existing(other)
    run = results.read(other)
    before, after = RunConfig.read(folder), RunConfig.read(other)
    differences = [
        f'{key} is {value!r} there, {here!r} here'
        for key, here, value in rules.differ(before.settings, after.settings)
        if not key.startswith('protocol.') and key != 'train.seeds'
    ]
    if before.data != after.data:
        differences.append(f'{files.CONFIG}: data differ')
    if before.settings['train'].get('epochs') != after.settings['train'].get('epochs'):
        differences.append('train.epochs differ')
    if differences:
        raise UserError(
            f'--calibrated_by={other}: {"; ".join(differences)}; allowed: a run of the same '
            'settings and data with protocol.name loso'
        )
    tested = PROTOCOLS[after.settings['protocol']['name']]
    if not tested.tests or not calibrates(run):
        reason = '; '.join(run.leaks) or 'it tests no clip'
        if run.scored != 'test':
            reason = f'protocol.evaluate_on is {run.scored!r}'
        raise UserError(
            f'--calibrated_by={other}: {reason}; allowed: a run without leaks that leaves subjects '
            "out, with protocol.evaluate_on 'test'"
        )
    return run
