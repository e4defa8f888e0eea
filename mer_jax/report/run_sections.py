"""Sections that the pages of several tasks share: training, SVMs, folds, settings.

Each is made from the files of a run; templates/run_sections.html shows them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self, TypeVar

from markupsafe import Markup

from mer_jax.report import page, plots
from mer_jax.report.action_units_tables import titled
from mer_jax.report.formats import DASH, measure, plural, rounded
from mer_jax.report.table import html, listing, tree_listing
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.detectors import DetectorTable
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.folds import UNIT_PREFIX, FoldTable
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.stacks import StackTable
from mer_jax.runfiles.svms import SvmTable


class RunFile(Protocol):
    """A dataclass of runfiles/, which reads its file."""

    FILE: str

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the file of the run in `folder`."""


File = TypeVar('File', bound=RunFile)


def training(folder: Path, results: dict) -> dict:
    """Draw the training curves; SVMs without a network, and a user's code, have none.

    Args:
        folder: of the run.
        results: content of results.json.
    """
    log = optional(folder, MetricsLog)
    if log is None or not log.records:
        has_network = results['plan'] and not (folder / files.SVM_TABLE).exists()
        return {'shown': bool(has_network), 'curves': None}
    records = [record.to_json() for record in log.records]
    caption = 'Measured on training rows only.'
    return {'shown': True, 'curves': page.plot(folder, 'curves', caption, plots.curves, records)}


def svms(folder: Path) -> list[dict]:
    """List the SVMs, or regressions, of the folds: one listing for each member of a stack."""
    table = optional(folder, SvmTable)
    of_kinds = {}
    for row in table.rows if table else ():
        of_kinds.setdefault(row.member, []).append(row)
    return [_of_kind(kind, rows) for kind, rows in of_kinds.items()]


def _of_kind(member, all_rows):
    """List what all folds chose of one kind."""
    chosen = {}
    for row in all_rows:
        # the weight of drawn faces, where they trained
        choice = (row.cost, row.gamma, row.drawn_weight)
        chosen.setdefault(choice[: 2 if row.drawn_weight is None else 3], []).append(row)
    are_svms, cells = any(row.support_vectors for row in all_rows), []
    has_gamma = are_svms or member is not None
    for choice, rows in sorted(chosen.items()):
        inner_uf1 = _spread([row.inner_uf1 for row in rows], 3)
        numbers = [f'{number:g}' for number in choice[: None if has_gamma else 1]]
        vectors = [_spread([row.support_vectors for row in rows], 0)] if are_svms else []
        cells.append([*numbers, len(rows), *vectors, inner_uf1])
    count = len(next(iter(chosen))) if has_gamma else 1
    columns = ['C', 'gamma', 'weight of drawn faces'][:count]
    title, fitted = 'Logistic regressions', ['regressions']
    if has_gamma:
        title = 'Kernel ridge regressions'
    if are_svms:
        title, fitted = 'Support vector machines', ['SVMs', 'support vectors']
    columns += [*fitted, 'UF1 of inner folds']
    return {
        'id': 'svms' if are_svms or not member else member,
        'title': title,
        'table': html(listing(columns, cells)),
        'has_gamma': has_gamma,
    }


def detectors(folder: Path) -> Markup | None:
    """List the SVMs that detect action units; None where there are none."""
    table = optional(folder, DetectorTable)
    if table is None or not table.rows:
        return None
    of_unit = {}
    for row in table.rows:
        if row.place == 1:
            of_unit.setdefault(row.unit, []).append(row)
    cells = []
    for unit, rows in of_unit.items():
        fitted = [row for row in rows if row.cost is not None]
        cells.append(
            [
                titled(unit),
                len(fitted),
                _spread([row.present for row in rows], 0),
                _spread([row.support_vectors for row in fitted], 0),
                _spread([row.inner_f1 for row in fitted], 3),
            ]
        )
    titles = ['unit', 'folds', 'training clips with it', 'support vectors', 'F1 of inner folds']
    return html(listing(titles, cells))


def stack(folder: Path) -> Markup | None:
    """List the weights of the members of a stack; None where there is none."""
    table = optional(folder, StackTable)
    if table is None or not table.rows:
        return None
    cells = []
    for name, mean in table.mean_weights().items():
        weights = table.weights()[name]
        absent = sum(weight == 0 for weight in weights)
        cells.append([name, f'{mean:.2f}', _spread(weights, 2), f'{absent} of {len(weights)}'])
    return html(listing(['member', 'mean weight', 'lowest to highest', 'weight of 0'], cells))


def _spread(column, digits):
    """'low to high'; a dash where all are None."""
    values = [value for value in column if value is not None]
    return f'{min(values):.{digits}f} to {max(values):.{digits}f}' if values else '–'


def folds(folder: Path, accuracy: Mapping[int, float | None] | None = None) -> dict | None:
    """List the folds.

    Args:
        folder: of the run.
        accuracy: of each fold; None for a task without.

    Returns:
        None where the file is missing.
    """
    folds = optional(folder, FoldTable)
    if folds is None:
        return None
    titles = [title.removeprefix(UNIT_PREFIX) for title in folds.header]
    cells = [list(row) for row in folds.cells()]
    if accuracy is not None:
        titles.append('accuracy')
        for row in cells:
            row.append(measure(accuracy[row[0]]) if row[0] in accuracy else DASH)
    return {'count': plural(len(cells), 'fold'), 'table': html(listing(titles, cells))}


def dropped(folder: Path) -> dict:
    """List clips that are not used, counted by reason."""
    dropped = optional(folder, DroppedTable)
    if dropped is None or not dropped.rows:
        return {'file_exists': dropped is not None, 'table': None}
    rows = dropped.rows
    pairs = [(row.dataset, row.reason) for row in rows]
    counts = [[*pair, pairs.count(pair)] for pair in dict.fromkeys(pairs)]
    clips = listing(list(DroppedClip._fields), [list(row) for row in rows])
    return {
        'file_exists': True,
        'reasons': html(listing(['data set', 'reason', 'clips'], counts)),
        'count': plural(len(rows), 'clip'),
        'table': html(clips),
    }


def facts(folder: Path, results: dict) -> Markup | None:
    """List plan, time, data and versions; None where there are none."""
    plan = optional(folder, Plan)
    plan = results['plan'] or (plan and plan.to_json())
    blocks = {'plan': plan, **{key: results[key] for key in ('seconds', 'data', 'versions')}}
    blocks = {key: block for key, block in blocks.items() if block}
    return html(tree_listing(blocks, show=rounded)) if blocks else None


def settings(folder: Path, results: dict) -> Markup | None:
    """List the settings by dotted key, with the labels that were used, where others were set.

    Returns:
        None where their file is missing.
    """
    run_config = optional(folder, RunConfig)
    if run_config is None:
        return None
    settings = run_config.settings
    labels, used = settings.get('data', {}).get('labels'), results['data']['labels']
    if labels is not None and not used.startswith(labels):
        data = {**settings['data'], 'labels': f'{used} (set: {labels})'}
        settings = {**settings, 'data': data}
    return html(tree_listing(settings, ['setting', 'value']))


def optional(folder: Path, file: type[File]) -> File | None:
    """Read a file of a run; None where it is missing."""
    return file.read(folder) if (folder / file.FILE).exists() else None
