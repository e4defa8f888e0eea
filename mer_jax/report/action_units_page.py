"""The page of a run that detects action units: report.html and its plots."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mer_jax import provenance
from mer_jax.errors import UserError
from mer_jax.evaluation import DRAWS, OVER_SUBJECTS, UNIT_METRICS
from mer_jax.evaluation.metrics import nanmean
from mer_jax.evaluation.units import unit_f1
from mer_jax.report import action_units_tables, page, plots_units, run_sections
from mer_jax.report.action_units_tables import (
    EXPLAINED,
    FEW_SHOWING,
    certainty,
    is_detected,
    is_scored,
    mean_always_f1,
    scored_units,
    size,
    titled,
    verdict,
)
from mer_jax.report.action_units_tables import terminal as table  # noqa: F401, of every page
from mer_jax.report.formats import interval, measure
from mer_jax.report.table import html, listing
from mer_jax.report.text import drawn_faces
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.reading import REMEDY
from mer_jax.runfiles.results import UnitResults
from mer_jax.runfiles.unit_predictions import UnitRow, UnitTable

MISTAKES = 15  # wrong detections that are listed


def report(folder: str | Path) -> Path:
    """Draw plots/ and write report.html, a single file.

    Args:
        folder: of the run.

    Returns:
        The path of report.html.

    Raises:
        UserError: the folder holds no results, or not the predictions that they count.
    """
    folder = Path(folder)
    results = UnitResults.read(folder).to_json()
    rows = _predictions(folder, results)
    (folder / files.PLOTS).mkdir(exist_ok=True)
    scored = is_scored(results)
    text = page.render(
        'action_units.html',
        title=f'{results["name"]}: action units',
        files=files,
        name=results['name'],
        size=size(results),
        drawn=drawn_faces(results),
        verdict=verdict(results),
        certainty=certainty(results),
        leaks=results['leaks'],
        code=provenance.describe(results['versions']),
        over_subjects=OVER_SUBJECTS,
        draws=DRAWS,
        explained=EXPLAINED,
        few_showing=FEW_SHOWING,
        scores=_scores(folder, results) if scored else None,
        confused=_confused(folder, results, rows) if scored else None,
        mistakes=_mistakes(rows) if scored else None,
        notes=results['notes'],
        training=run_sections.training(folder, results),
        svms=run_sections.svms(folder),
        detectors=run_sections.detectors(folder),
        folds=run_sections.folds(folder),
        dropped=run_sections.dropped(folder),
        run=run_sections.facts(folder, results),
        settings=run_sections.settings(folder, results),
    )
    path = folder / files.REPORT
    writing.write_text(path, text)
    return path


def _predictions(folder, results):
    """The rows of predictions.csv.

    Raises UserError where the file is missing or of another run.
    """
    path = folder / files.PREDICTIONS
    if not path.exists():
        raise UserError(f'{folder} holds no {path.name}; {REMEDY}')
    predictions = UnitTable.read(folder)
    if not matches_results(predictions.units, predictions.rows, results):
        raise UserError(f'{path}: its rows do not match {files.RESULTS}; {REMEDY}')
    return predictions.rows


def matches_results(units: Sequence[str], rows: Sequence[UnitRow], results: dict) -> bool:
    """Return whether a results.json was computed from these rows.

    Args:
        units: of the rows.
        rows: of a predictions.csv.
        results: content of a results.json.
    """
    if list(units) != results['units']:
        return False
    truth, detected = _arrays(units, rows)
    seed = np.array([row.seed for row in rows], int)
    seeds = max(len(np.unique(seed)), 1)
    counted = {
        'clips': (~np.isnan(truth)).sum(0) / seeds,
        'present': (truth == 1).sum(0) / seeds,
        'f1': _mean_f1(truth, detected, seed),
    }
    for key, values in counted.items():
        reported = np.array([block[key] for block in results['per_unit']], float)
        if not np.allclose(values, reported, equal_nan=True):
            return False
    return {row.dataset for row in rows} == results['per_dataset'].keys()


def _mean_f1(truth, detected, seed):
    """F1 of each unit in the mean over seeds, float64[A]; NaN where no clip shows it."""
    per_seed = [np.full(truth.shape[1], np.nan)]
    for number in np.unique(seed):
        per_seed.append(unit_f1(truth[seed == number], detected[seed == number]))
    return nanmean(np.array(per_seed), axis=0)


def _arrays(units, rows):
    """Truth float64[R, A], NaN where unknown, and whether each unit is detected, bool[R, A]."""
    shape = len(rows), len(units)
    truth = np.array([[row.truth[unit] for unit in units] for row in rows], float)
    detected = np.array([[row.outputs[unit] > 0 for unit in units] for row in rows], bool)
    return truth.reshape(shape), detected.reshape(shape)


def _scores(folder, results):
    """Tiles, means, and the scores of each unit and data set."""
    caption = (
        'Whiskers show 95 % intervals. A filled mark: the unit is detected, its average precision '
        '(AP) is shown to be above chance. Ticks show what needs no face: chance, and detecting '
        'the unit in every clip.'
    )
    several = len(results['per_dataset']) > 1
    of_rule = action_units_tables.all_units(results)
    blocks = scored_units(results)
    plot = page.plot(folder, 'units', caption, plots_units.units, blocks) if blocks else None
    return {
        'tiles': _tiles(results),
        'measures': html(action_units_tables.measures(results)),
        'units': html(action_units_tables.units(results)),
        'plot': plot,
        'datasets': html(action_units_tables.datasets(results)) if several else None,
        'of_data_sets': _of_data_sets(results) if several else [],
        'all_units': html(of_rule) if of_rule else None,
    }


def _of_data_sets(results):
    """(title, table) of the units of each data set."""
    titles = [f'Units in {title}' for title in results['per_dataset']]
    blocks = results['per_dataset'].values()
    return list(
        zip(titles, (html(action_units_tables.units(block)) for block in blocks), strict=True)
    )


def _tiles(results):
    """The main figures, each beside what needs no face, and how many units are detected."""
    no_face = results['baselines']
    beside = {
        'f1': f'always the most frequent units: {measure(no_face["most_frequent"]["f1"])}, '
        f'all units: {measure(mean_always_f1(results))}',
        'average_precision': f'chance: {measure(no_face["chance"]["average_precision"])}',
    }
    tiles = []
    for name, words in beside.items():
        details = f'95 % {interval(results["intervals"][name])}; {words}'
        title = f'mean {UNIT_METRICS[name].title}'
        tiles.append(page.Tile(title, measure(results['metrics'][name]), details))
    blocks = scored_units(results)
    count = sum(map(is_detected, blocks))
    details = 'average precision is shown to be above chance'
    tiles.append(page.Tile('units detected', f'{count} of {len(blocks)}', details))
    return tiles


def _confused(folder, results, rows):
    """Which units are detected in the clips of each unit; None where there is one unit."""
    units = results['units']
    if len(units) < 2 or not rows:
        return None
    shares, counts = confusions(units, rows)
    seeds = len({row.seed for row in rows})
    caption = (
        'Each row has the clips that show a unit. On the diagonal: in how many of 100 it is '
        'detected. Beside it: of those of its clips that do not show the unit of the column, in '
        'how many of 100 that is detected nevertheless. A bright cell beside the diagonal is a '
        'pair that is confused. The last row has the clips without any of these units.'
    )
    return page.plot(
        folder, 'confused', caption, plots_units.confused, shares, counts / seeds, units
    )


def confusions(units: Sequence[str], rows: Sequence[UnitRow]) -> tuple[np.ndarray, np.ndarray]:
    """Count which units are detected in the clips of each unit.

    Args:
        units: the targets, A.
        rows: of predictions.csv.

    Returns:
        Shares float[A + 1, A] and numbers of clips int[A + 1], as in plots_units.confused.
    """
    truth, detected = _arrays(units, rows)
    none = (np.nan_to_num(truth).sum(1) == 0) & ~np.isnan(truth).any(1)
    of_rows = np.column_stack([truth == 1, none])
    counted = np.stack([truth == 0] * (len(units) + 1))
    for number in range(len(units)):
        counted[number, :, number] = True
    counted &= of_rows.T[:, :, None]
    sums = counted.sum(1)
    shares = np.divide(
        (counted & detected).sum(1), sums, out=np.full(sums.shape, np.nan), where=sums > 0
    )
    return shares, of_rows.sum(0)


def _mistakes(rows):
    """The wrong detections whose output is farthest from 0."""
    wrong = []
    for row in rows:
        for unit, present in row.truth.items():
            output = row.outputs[unit]
            if present is not None and present != (output > 0):
                wrong.append((row, unit, output))
    wrong.sort(key=lambda mistake: -abs(mistake[2]))
    cells = []
    for row, unit, output in wrong[:MISTAKES]:
        shown = 'present, not detected' if row.truth[unit] else 'absent, detected'
        clip = [row.clip, row.subject, row.dataset, row.seed]
        cells.append([*clip, titled(unit), shown, f'{output:.3g}'])
    return html(
        listing(['clip', 'subject', 'data set', 'seed', 'unit', 'mistake', 'output'], cells)
    )
