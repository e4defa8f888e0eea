"""The verb score: the figures of a table that other software wrote.

The table is compared with a data set where one is named: clips, subjects and labels.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mer_jax import machine, provenance
from mer_jax.data import labels as schemes
from mer_jax.errors import UserError
from mer_jax.evaluation import score as scoring
from mer_jax.evaluation.agreement import Clip, agreement, respelled, shown, shown_different
from mer_jax.experiment import settings as rules
from mer_jax.report import page, plots, score_tables
from mer_jax.report.study import html
from mer_jax.runfiles import files, foreign_table, writing
from mer_jax.runfiles.folder import absolute, with_plots
from mer_jax.runfiles.foreign_table import ForeignTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.settings import sections

PROTOCOL = 'as reported'
TABLE = 'table'  # the key of results.json: data that only the scores of a table have
UNKNOWN = 'unknown: a table cannot show how its networks were trained; as reported by its authors'
NO_DATA_SET = (
    'NOT CHECKED: clips, subjects and labels, because no data set is named (--data=NAME or '
    '--config=CONFIG)'
)


class DataSet(NamedTuple):
    """What a data set says about its clips."""

    data: sections.Data
    classes: tuple[str, ...]
    labels: dict[Clip, str]  # {(data set, subject, clip): class}
    dropped: dict[Clip, str]  # {clip without a class: why}


def score(config: rules.Config | None, workdir: str | Path, classes: str, path: str) -> dict:
    """Score a table, print the scores, and write them where a folder is named.

    Args:
        config: its section data names the data set that the table is compared with; None: no data
            set.
        workdir: folder for results.json and report.html; '': nothing is written.
        classes: names of the classes, which labels may number: 'negative,positive,surprise'; '':
            those of the data set or of the table.
        path: of the table.

    Returns:
        The content of results.json.

    Raises:
        UserError: names the row that is wrong, or the clips that differ from the data set.
    """
    titles, table_path = class_names(classes), machine.absolute(path, 'FILE.csv')
    foreign_table.check(table_path)
    data_set = None
    if config is not None:
        data_set = read_data_set(rules.checked(config).data)
        if titles and {*titles} != {*data_set.classes}:
            raise UserError(
                f'--classes is {classes}; the classes of data.labels {data_set.data.labels!r} are '
                f'{",".join(data_set.classes)}'
            )
        titles = titles or data_set.classes
    table = ForeignTable.read(table_path, titles)
    checks = [_compared(table, data_set) if data_set else NO_DATA_SET, *about(table)]
    results = results_of(table, checks, data_set).to_json()
    print(score_tables.terminal(results, checks))
    if workdir:
        _write(results, checks, workdir)
    return results


def class_names(text: str) -> tuple[str, ...]:
    """Parse names of classes, separated by commas.

    Raises:
        UserError: a name is empty or given twice.
    """
    names = tuple(name.strip() for name in text.split(',')) if text else ()
    if '' in names or len({*names}) < len(names) or len(names) == 1:
        raise UserError(
            f'--classes is {text!r}; allowed: two names or more, each once, separated by commas, '
            'such as negative,positive,surprise'
        )
    return names


def read_data_set(data: sections.Data) -> DataSet:
    """Read the clips of a data set and their classes; no image is read.

    Args:
        data: settings that name it; it is built where it is not yet.
    """
    # Importing jax and TFDS takes seconds, and a table alone needs neither.
    from mer_jax.data import loading, sources, unit_table
    from mer_jax.experiment import build

    data_sets = sources.parse(data.name, data.manual_dir)
    records = loading.read_all(data_sets, lambda source: loading.TEXT, build.build_options(data))
    records, _ = unit_table.annotate(records, unit_table.read(data.action_units))
    scheme = schemes.parse(data.labels, [source.release for source in data_sets])
    kept, dropped, classes = schemes.apply(
        scheme, records, count_as_first_class=data.without_class == 'first_class'
    )
    if not kept:
        raise UserError(
            f'data.name {data.name!r} has no clip with a class of data.labels {data.labels!r}'
        )
    labels = {(row['dataset'], row['subject'], row['clip']): row['class'] for row in kept}
    reasons = {(dataset, subject, clip): reason for clip, subject, dataset, _, reason in dropped}
    return DataSet(replace(data, labels=scheme.name), classes, labels, reasons)


def about(table: ForeignTable) -> list[str]:
    """Say what a table shows about itself, and what it cannot show; a sentence each."""
    checks = ['checked: every clip once for each seed, with one label; no cell is empty']
    if 'seed' not in table.columns:
        checks.append('no column seed: all rows are taken for one training of each fold')
    if 'fold' not in table.columns:
        checks.append(
            'NOT CHECKED: whether clips of one subject are tested by several folds (no column fold)'
        )
    if not table.rows[0].scores:
        checks.append('no columns score_<class>: only the predicted classes are read')
    if table.ignored:
        names = ', '.join(name or '(without a name)' for name in table.ignored)
        checks.append(f'columns that are not read: {names}')
    checks += table.remarks
    checks.append(
        'NOT CHECKED, because no table can show it: what was trained on which clips, how the epoch '
        'and the settings were chosen, and whether all runs are reported'
    )
    return checks


def results_of(
    table: ForeignTable, checks: Sequence[str], data_set: DataSet | None = None
) -> RecognitionResults:
    """Compute the scores of a table.

    Args:
        table: that other software wrote.
        checks: what was checked, a sentence each.
        data_set: that it was compared with; None: it was not.
    """
    predictions, names = table.predictions()
    blocks = scoring.score(predictions, names)
    if 'fold' not in table.columns:
        blocks['per_fold'] = []
    data = {'name': ' + '.join(names.datasets), 'labels': PROTOCOL}
    if data_set:
        data = {'name': data_set.data.name, 'labels': data_set.data.labels}
    digest = hashlib.sha256(table.path.read_bytes()).hexdigest()
    data[TABLE] = {'file': table.path.name, 'sha256': digest, 'checks': list(checks)}
    return RecognitionResults(
        name=table.path.name,
        scored='test',
        protocol=PROTOCOL,
        leaks=[UNKNOWN],
        folds=len(blocks['per_fold']),
        seeds=len(blocks['per_seed']),
        epochs=0,
        clips=len(names.clips),
        **blocks,
        oracle_epoch=None,
        plan=None,
        data=data,
        seconds={},
        versions=machine.versions() | provenance.code(),
    )


def _compared(table, data_set):
    """Compare a table with a data set; return a sentence, or refuse it."""
    data, labels = data_set.data, table.labels()
    path, name = table.path, f'{data.name} ({data.labels})'
    datasets = {dataset for dataset, _, _ in data_set.labels}
    for row in table.rows:
        if row.dataset not in datasets:
            raise UserError(
                f'{path}: dataset is {row.dataset!r}; allowed: {", ".join(sorted(datasets))}, the '
                f'data sets of {name}'
            )
    compared = agreement(data_set.labels, labels)
    if compared.extra:
        raise UserError(
            f'{path}: {len(compared.extra)} of {len(labels)} clips are not in {name}: '
            f'{shown(compared.extra)}{_why(compared, data_set.dropped)}; allowed: the clips of the '
            'data set, or leave the data set out'
        )
    if compared.different:
        raise UserError(
            f'{path}: the label differs from {name} for {len(compared.different)} of '
            f'{len(labels)} clips: {shown_different(compared.different)}; allowed: the labels of '
            'the data set, or another --labels, or leave the data set out'
        )
    if compared.missing:
        return (
            f'INCOMPLETE: {len(compared.missing)} of {len(data_set.labels)} clips of {name} are '
            f'missing: {shown(compared.missing)}; the scores are those of the others, whose '
            'subjects and labels agree'
        )
    return f'checked: the {len(labels)} clips, their subjects and labels are those of {name}'


def _why(compared, dropped: Mapping[Clip, str]) -> str:
    """Why clips of a table are not in the data set; '' where nothing is known."""
    clip = next((clip for clip in compared.extra if clip in dropped), None)
    if clip:
        return f' ({clip[-1]}: {dropped[clip]})'
    pair = respelled(compared.missing, compared.extra)
    if pair:
        expected, written = map('/'.join, pair)
        zeros = expected.replace('0', '') == written.replace('0', '')
        hint = '; a spreadsheet drops zeros before numbers' if zeros else ''
        return f' ({written} is {expected} there{hint})'
    return ''


def _write(results, checks, workdir):
    """Write results.json, report.html and its plots."""
    folder = absolute(workdir)
    if (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds a run; name another folder for the scores of a table')
    with_plots(folder)
    pictures = [
        page.plot(
            folder,
            'datasets',
            'Whiskers show 95 % intervals over subjects.',
            plots.datasets,
            results['per_dataset'],
            results['metrics'],
            results['intervals'],
        ),
        page.plot(
            folder,
            'confusion',
            'Rows are the truth, columns the prediction. Shades and percentages are those of the '
            'row.',
            plots.confusion,
            results['confusion'],
            results['classes'],
        ),
        page.plot(
            folder,
            'subjects',
            'Accuracy on the clips of each subject; above the bars the number of clips.',
            plots.subjects,
            results['per_subject'],
        ),
    ]
    writing.write_json(folder / files.RESULTS, results)
    writing.write_text(folder / files.REPORT, html(score_tables.study(results, checks), pictures))
    for name in (files.RESULTS, files.REPORT):
        print(f'score: {folder / name}')
