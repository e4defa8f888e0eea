"""The verb compare: finished runs, and tables of other software, in one table.

Metrics have intervals, and differences to a reference run have paired tests over subjects.
"""

import glob
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import COMPARED, HEADLINE, OVER_SUBJECTS, metrics, paired
from mer_jax.evaluation.agreement import agreement, respelled, shown, shown_different
from mer_jax.evaluation.metrics import to_json
from mer_jax.folds import PROTOCOLS
from mer_jax.report import (
    action_units_page,
    compare_spotting_tables,
    compare_tables,
    compare_units_tables,
    page,
    plots_compare,
    study,
)
from mer_jax.runfiles import archive, files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.apexes import ApexRow
from mer_jax.runfiles.config import RunConfig, check_format, differences
from mer_jax.runfiles.folder import absolute, with_plots
from mer_jax.runfiles.foreign_table import ForeignTable
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.predictions import PredictionRow, PredictionTable, matches_results
from mer_jax.runfiles.reading import REMEDY
from mer_jax.runfiles.svms import SvmTable
from mer_jax.runfiles.unit_predictions import UnitRow
from mer_jax.studies import compare_spotting, compare_units, published, score_table
from mer_jax.studies.score_table import class_names

# {data set: the name it has in configs, where that is another}
PREFIXES = {'synthetic_faces': 'synthetic', 'precomputed_flow': 'megc2019'}
# settings in which an experiment may differ from itself with clips split at random
SAME = ('name', 'protocol', 'evaluate', 'explain')
CAPTIONS = {
    'measures': f'Whiskers show 95 % intervals {OVER_SUBJECTS}. Runs that leak have hollow marks '
    'and a † in the legend.',
    'differences': 'Difference to the reference run of each data set, with 95 % intervals '
    f'{OVER_SUBJECTS}. A hollow mark and a † mean that the run or its reference leaks.',
    'training': 'Loss and accuracy on training rows by epoch: mean over all trainings of a run, '
    'and a band from the smallest to the largest. The runs of a line share their scales.',
    'errors': compare_spotting.CAPTION,
    'units': compare_units.CAPTION,
}
IMPROVED = 3  # so many subjects that gained most are named


class Run(NamedTuple):
    """A finished run, read from its folder, or a table of predictions."""

    folder: Path  # of a table its path
    title: str  # the end of the path of its folder, as long as needed to be unique
    # data.name and label scheme: 'casme2/video, irawan3'; without classes data.name alone
    dataset: str
    results: dict  # results.json
    # of a spotting run those that are scored
    rows: Sequence[PredictionRow] | Sequence[ApexRow] | Sequence[UnitRow]
    reported: bool = False  # whether it is a table of other software: its leaks are unknown
    settings: dict = {}  # nested, of config.json; {} of a table
    training_accuracy: float | None = None  # see `training_accuracy`


def compare(
    workdir: str | Path,
    folders: str = '',
    classes: str = '',
    names: Sequence[str] = (),
    with_published: bool = False,
) -> dict:
    """Compare finished runs and tables, and write the files of the comparison.

    Args:
        workdir: where the files go.
        folders: 'A,B,C', as in `read`; they come first.
        classes: names of the classes, which labels of tables may number; '' for none.
        names: more of them, one each.
        with_published: whether figures of publications on the same data sets stand below.

    Returns:
        The content of compare.json, see `table`.
    """
    if not folders.strip(', ') and not names:
        raise UserError(
            'compare needs --runs=FOLDER,FOLDER,... or RUN RUN ...: folders of finished runs, or '
            'CSV files'
        )
    named = [name for name, _ in _split(folders)]
    runs = read([*named, *names], class_names(classes))
    kind = _kind(runs)
    if with_published and kind is not KINDS[RECOGNITION]:
        raise UserError(
            f'--published: published figures are of recognition, and {runs[0].folder} {kind.does}; '
            'leave it out'
        )
    return write(runs, workdir, with_published=with_published)


def read(folders: str | Sequence[str | Path], classes: Sequence[str] = ()) -> list[Run]:
    """Read finished runs and tables, each once.

    Args:
        folders: 'A,B,C' or a list; each is the folder of a run, an archive of reproduce (.zip) or
            the CSV file of a table. It may be a glob ('runs/*_cnn3d-*'), which skips folders that
            hold no run.
        classes: names of the classes, which labels of tables may number.

    Raises:
        UserError: a folder does not exist, or its run is not finished or scores nothing; or a row
            of a table is wrong.
    """
    if isinstance(folders, str):
        paths_by_name = _split(folders)
    else:
        paths_by_name = [(name, _matches(name)) for name in folders]
    if not paths_by_name:
        raise UserError(
            '--runs names no folder; name those of finished runs, such as --runs=runs/one,runs/two'
        )
    unique = {}
    for name, matches in paths_by_name:
        if not matches:
            raise UserError(
                f"'{name}' is not a folder and matches no folder of a run; name those of finished "
                'runs, or CSV files'
            )
        unique |= dict.fromkeys(path.resolve() for path in matches)
    paths = list(unique)
    runs = []
    for path, title in zip(paths, _titles(paths), strict=True):
        if path.is_dir():
            runs.append(_run(path, title))
        elif path.suffix == '.zip':
            runs.append(_archived_run(path, title))
        else:
            runs.append(_table_run(path, title, classes))
    return _grouped(runs)


def confusions(run: Run, rows: Sequence[PredictionRow]) -> np.ndarray:
    """Count confusions of rows, int64[S, R, K, K].

    In the order of `subjects_of`, and of seed.
    """
    classes = run.results['classes']
    subjects, subject = _numbers([(row.dataset, row.subject) for row in rows])
    seeds, seed = _numbers([row.seed for row in rows])
    label = np.array([classes.index(row.label) for row in rows], int)
    predicted = np.array([classes.index(row.predicted) for row in rows], int)
    shape = len(subjects), len(seeds)
    flat = metrics.confusions(
        label,
        predicted,
        subject * len(seeds) + seed,
        groups=shape[0] * shape[1],
        classes=len(classes),
    )
    return flat.reshape(*shape, len(classes), len(classes))


def subjects_of(rows: Sequence[PredictionRow]) -> list[tuple[str, str]]:
    """Return (data set, subject) of each subject, sorted."""
    return sorted({(row.dataset, row.subject) for row in rows})


def datasets_of(rows: Sequence[PredictionRow]) -> list[str]:
    """Return the data set of each subject, within which intervals draw subjects."""
    return [dataset for dataset, _ in subjects_of(rows)]


def paired_confusions(first: Run, second: Run) -> tuple[np.ndarray, np.ndarray] | None:
    """Count confusions of two runs on the same clips.

    Those are the clips that every seed of both tested.

    Returns:
        int64[S, R, K, K] of each run; R may differ. None where the runs cannot be compared: data
        set, label scheme or classes differ, they share no clip, or labels disagree.
    """
    shared = _shared_rows(first, second)
    if shared is None:
        return None
    return tuple(confusions(run, rows) for run, rows in zip((first, second), shared, strict=True))


def table(runs: Sequence[Run], reference: int = 0, with_published: bool = False) -> dict:
    """Compare the runs on each data set.

    Args:
        runs: of one task.
        reference: number of the run, in each group, that the others are compared with.
        with_published: whether each group has `published`, the rows of published.matching.

    Returns:
        {'groups': [...]}, one per data set, label scheme and classes, in the order of the runs;
        None means undefined. A group: title, dataset, labels, classes, reference, runs. A run:
        title, system, folder, protocol, leaks, seeds, clips, subjects, metrics, sd, intervals (of
        COMPARED), and `against`, its differences to the reference. Groups of other tasks are those
        of compare_spotting.group and compare_units.group.

    Raises:
        UserError: a group has no run of that number, or runs are of two tasks.
    """
    groups, grouped = {}, _kind(runs).group
    for run in runs:
        classes = run.results.get('classes') or run.results.get('units', ())
        groups.setdefault((run.dataset, *classes), []).append(run)
    for members in groups.values():
        if not 0 <= reference < len(members):
            raise UserError(
                f'reference is {reference}, but {len(members)} of the runs are on '
                f'{members[0].dataset}; allowed: 0 to {len(members) - 1}'
            )
    often = Counter(dataset for dataset, *_ in groups)
    titles = [
        dataset + (f' ({", ".join(classes)})' if often[dataset] > 1 else '')
        for dataset, *classes in groups
    ]
    compared = [
        grouped(title, members, _names(members), members[reference])
        for title, members in zip(titles, groups.values(), strict=True)
    ]
    if with_published:
        figures = published.read()
        for group, (run, *_) in zip(compared, groups.values(), strict=True):
            datasets = run.results['per_dataset']
            group['published'] = published.matching(figures, datasets, len(group['classes']))
    return {'groups': compared}


def write(
    runs: Sequence[Run],
    folder: str | Path,
    reference: int = 0,
    with_published: bool = False,
) -> dict:
    """Write the files of a comparison, and print its table.

    They are compare.json, .csv, .tex, .html and plots/.

    Args:
        runs: of one task.
        folder: where the files go.
        reference: as in `table`.
        with_published: as in `table`.

    Returns:
        The content of compare.json, see `table`.

    Raises:
        UserError: the folder cannot be created.
    """
    compared, folder = table(runs, reference, with_published), absolute(folder)
    with_plots(folder)
    kind = _kind(runs)
    drawn = kind.draw(folder / files.PLOTS, compared)
    for stale in CAPTIONS.keys() - {path.stem for path in drawn}:
        (folder / files.PLOTS / f'{stale}.svg').unlink(missing_ok=True)
    plots = [page.Drawn(path, CAPTIONS[path.stem], alt) for path, alt in drawn.items()]
    study.write(kind.study(compared), compared, folder, plots)
    return compared


def improved(
    subjects: Sequence[tuple[str, str]], first: np.ndarray, second: np.ndarray
) -> list[dict]:
    """The subjects whose accuracy grows most from one system to another, most first.

    Args:
        subjects: (data set, subject) of each, S.
        first, second: confusions [S, R, K, K] of the same S subjects.

    Returns:
        At most IMPROVED of {dataset, subject, clips, before, after}; of equal gains those of more
        clips.
    """
    gains = []
    for (dataset, subject), before, after in zip(subjects, first, second, strict=True):
        shares = [float(np.trace(cube.sum(0)) / cube.sum()) for cube in (before, after)]
        if shares[1] > shares[0]:
            gains.append(
                {
                    'dataset': dataset,
                    'subject': subject,
                    'clips': int(before.sum()) // len(before),
                    'before': shares[0],
                    'after': shares[1],
                }
            )
    gains.sort(key=lambda one: (one['before'] - one['after'], -one['clips']))
    return gains[:IMPROVED]


def perfect_subjects(cube: np.ndarray) -> float:
    """How many subjects have no wrong clip, in the mean over seeds.

    Args:
        cube: confusions [S, R, K, K].
    """
    clips, correct = cube.sum((2, 3)), np.trace(cube, axis1=2, axis2=3)
    return float(((clips > 0) & (clips == correct)).sum(0).mean())


def training_accuracy(folder: Path) -> float | None:
    """Accuracy on training rows, in the mean over all trainings of a run.

    Of SVMs that of the best of each fold; of networks that of the last epoch, as it was trained:
    with augmentation and dropout. None where a run logged none, and of a stack, whose members were
    not weighed on rows that they were fitted to.
    """
    if (folder / files.STACKS).exists():
        return None
    if (folder / files.SVM_TABLE).exists():
        rows = [row for row in SvmTable.read(folder).rows if row.place == 1]
        shares = [row.training_accuracy for row in rows]
        return None if None in shares or not shares else float(np.mean(shares))
    if not (folder / files.METRICS).exists():
        return None
    records = MetricsLog.read(folder).records
    last = [record for record in records if record.epoch == records[-1].epoch]
    shares = [record.figures.get('accuracy') for record in last]
    if not last or None in shares:
        return None
    return float(np.average(shares, weights=[record.runs for record in last]))


def system(title: str, dataset: str) -> str:
    """Return the title of a run without its data set.

    'casme2_cnn3d-variant=st' on 'casme2/video' becomes 'cnn3d-variant=st'.
    """
    release = 'composite' if '+' in dataset else dataset.partition('/')[0]
    prefixes = {release, PREFIXES.get(release, release)}
    names = [name for name in title.split('/') if name not in prefixes]
    for prefix in sorted(prefixes, key=len, reverse=True):
        names = [name.removeprefix(f'{prefix}_') for name in names]
    return '/'.join(names) or title


def task(run: Run) -> str:
    """Return the task of a run, a key of KINDS."""
    return _task(run.results)


def _kind(runs):
    """What comparing these runs takes; refuse runs of two tasks."""
    tasks = [task(run) for run in runs]
    other = next((number for number, task in enumerate(tasks) if task != tasks[0]), 0)
    if other:
        first, second = KINDS[tasks[0]].does, KINDS[tasks[other]].does
        raise UserError(
            f'{runs[0].folder} {first}, {runs[other].folder} {second}; name runs of one task in '
            '--runs'
        )
    return KINDS[tasks[0]]


def _task(results):
    return results.get('task', RECOGNITION)


def _names(members):
    """Return the name of each run of a group.

    That is its system, or its title where two runs have the same system.
    """
    names = [system(run.title, run.results['data']['name']) for run in members]
    return [
        name if names.count(name) == 1 else run.title
        for run, name in zip(members, names, strict=True)
    ]


def _split(text):
    """Return [(name, its folders)] of 'A,B,C'.

    A folder whose name contains commas ('demo-classes=3,quick') is not split.
    """
    pieces, folders_by_name = [piece.strip() for piece in text.split(',')], []
    while pieces:
        joined = [','.join(pieces[:count]) for count in range(len(pieces), 0, -1)]
        name = next((text for text in joined if text and _matches(text)), joined[-1])
        if name:
            folders_by_name.append((name, _matches(name)))
        pieces = pieces[name.count(',') + 1 :]
    return folders_by_name


def _matches(pattern):
    """Return the folder or file, or the runs and files that match."""
    path = absolute(pattern, 'runs')
    if path.exists():
        return [path]
    runs = []
    for match in map(Path, sorted(glob.glob(str(path)))):
        is_run = (match / files.CONFIG).exists() or (match / files.RESULTS).exists()
        if is_run or match.is_file() and path.suffix:
            runs.append(match)
    return runs


def _titles(paths):
    """Return the shortest unique end of each path."""
    ends_of_paths = []
    for path in paths:
        depths = range(1, len(path.parts) + 1)
        ends_of_paths.append(['/'.join(path.parts[-depth:]) for depth in depths])
    counts = Counter(end for ends in ends_of_paths for end in ends)
    return [next(end for end in ends if counts[end] == 1) for ends in ends_of_paths]


def _run(folder, title):
    """Read a finished run that can be compared."""
    check_format(folder)
    path = folder / files.RESULTS
    if not path.exists():
        raise UserError(
            f'{folder} is not finished (no {path.name}); finish it: the same command with the '
            'verb train'
        )
    results = result_files.read(folder).to_json()
    kind = KINDS[_task(results)]
    if score_table.TABLE in results['data']:
        table = results['data'][score_table.TABLE]['file']
        raise UserError(f'{folder} holds the scores of a table; name the table itself, {table}')
    if not kind.is_scored(results):
        raise UserError(
            f'{folder}: nothing was held out (protocol {results["protocol"]}), so it has no scores '
            'to compare; leave it out of --runs'
        )
    if results['scored'] != 'test':
        raise UserError(
            f'{folder} is scored on its {results["scored"]} part, which serves to choose settings; '
            'compare runs that are scored on test rows (protocol.evaluate_on=test)'
        )
    path = folder / kind.file
    if not path.exists():
        raise UserError(f'{folder} holds no {path.name}; {REMEDY}')
    rows = kind.read(folder)
    dataset = results['data']['name']
    if kind is KINDS[RECOGNITION]:
        dataset += f', {results["data"]["labels"]}'
    run = Run(folder, title, dataset, results, rows, **_logged(folder))
    if not kind.matches(run):
        raise UserError(
            f'{path}: its {path.stem} do not match the scores in {files.RESULTS}; {REMEDY}'
        )
    return run


def _logged(folder):
    """What a run knows beside its results: settings and training accuracy."""
    settings = {}
    if (folder / files.CONFIG).exists():
        settings = RunConfig.read(folder).settings
    return {'settings': settings, 'training_accuracy': training_accuracy(folder)}


def _archived_run(path, title):
    """Read a run from an archive of reproduce."""
    with archive.unpacked(path) as folder:
        try:
            return _run(folder, title)._replace(folder=path)
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(path))) from None


def _table_run(path, title, classes):
    """Read a table of other software as a run whose leaks are unknown."""
    table = ForeignTable.read(path, classes)
    results = score_table.results_of(table, score_table.about(table)).to_json() | {'leaks': []}
    dataset = f'{results["data"]["name"]}, {results["data"]["labels"]}'
    title = f'{title} ({compare_tables.REPORTED})'
    return Run(path, title, dataset, results, list(table.rows), reported=True)


def _grouped(runs):
    """Put each table into the group of a run, or of an earlier table, that shares clips.

    The classes must be the same; their order becomes that of the run.
    """
    by_number = {number: run for number, run in enumerate(runs) if not run.reported}
    for number, table in enumerate(runs):
        if not table.reported:
            continue
        by_number[number] = table
        for other in list(by_number.values())[:-1]:
            classes = other.results.get('classes', [])
            if {*classes} == {*table.results['classes']} and _clips(table) & _clips(other):
                results = {**table.results, 'classes': classes, 'data': other.results['data']}
                by_number[number] = table._replace(dataset=other.dataset, results=results)
                break
    return [by_number[number] for number in range(len(runs))]


def _clips(run):
    return {(row.dataset, row.subject, row.clip) for row in run.rows}


def _group(title, members, names, reference):
    """Compare the runs on one data set."""
    rows = [_row(run, name) for run, name in zip(members, names, strict=True)]
    for row, run in zip(rows, members, strict=True):
        row['against'] = None if run is reference else _against(reference, run)
        if row['against'] is None and run is not reference:
            row['not_compared'] = _not_compared(reference, run)
        row['in_distribution'] = _in_distribution(run, members, rows)
    paired.add_holm([row['against']['uf1'] for row in rows if row['against']])
    data = reference.results['data']
    return {
        'title': title,
        'dataset': data['name'],
        'labels': data['labels'],
        'classes': reference.results['classes'],
        'reference': reference.title,
        'runs': rows,
    }


def _row(run, name):
    """The figures of one run."""
    cube = confusions(run, run.rows)
    each, edges = metrics.measures(cube.sum(0)), metrics.intervals(cube, datasets_of(run.rows))
    return {
        'title': run.title,
        'system': name,
        'folder': str(run.folder),
        'protocol': run.results['protocol'],
        'leaks': list(run.results['leaks']),
        'reported': run.reported,
        'seeds': cube.shape[1],
        'clips': to_json(cube.sum() / cube.shape[1]),
        'subjects': len(cube),
        'metrics': {key: to_json(metrics.nanmean(each[key], axis=-1)) for key in COMPARED},
        'sd': {key: to_json(metrics.spread(each[key])) for key in COMPARED},
        'intervals': {key: _edges(edges[key]) for key in COMPARED},
        'perfect_subjects': to_json(perfect_subjects(cube)),
        'training_accuracy': run.training_accuracy,
    }


def _in_distribution(run, members, rows):
    """{title, accuracy} of the same experiment with clips or frames split at random; None where
    no such run is compared, or the run is one itself.
    """
    if _splits_subjects(run) or run.reported:
        return None
    for other, row in zip(members, rows, strict=True):
        if not _splits_subjects(other):
            continue
        apart = differences(run.settings, other.settings, ignore=SAME)
        if not apart:
            return {'title': other.title, 'accuracy': row['metrics']['accuracy']}
    return None


def _splits_subjects(run):
    """Whether clips of one subject stand on both sides of its split."""
    protocol = PROTOCOLS.get(run.results['protocol'])
    return protocol is not None and protocol.unit != 'subject'


def _against(reference, run):
    """Return {common, uf1, uar, accuracy, improved}; None where runs cannot be compared."""
    shared = _shared_rows(reference, run)
    if shared is None:
        return None
    pair = [confusions(one, rows) for one, rows in zip((reference, run), shared, strict=True)]
    subjects = subjects_of(shared[0])
    differences_of = paired.difference(*pair, datasets_of(shared[0]))
    tests = {}
    for key in HEADLINE:
        test = differences_of[key]
        tests[key] = {
            'difference': to_json(test['difference']),
            'interval': _edges(test['interval']),
            'p': to_json(test['p']),
        }
    common = int(pair[0].sum()) // pair[0].shape[1]
    against = {'common': common, **tests, 'improved': improved(subjects, *pair)}
    if reference.reported or run.reported:
        against['unshared'] = _unshared(reference, run)
    return against


def _not_compared(reference, run):
    """Why two runs of a group cannot be compared."""
    compared = agreement(_labels_of_clips(reference), _labels_of_clips(run))
    if compared.different:
        return (
            f'labels of {len(compared.different)} of {compared.common} common clips differ: '
            f'{shown_different(compared.different)}'
        )
    if compared.common:
        return 'they share no clip that every seed of both tested'
    return '; '.join(['they share no test clip', *_respelled(compared)])


def _unshared(reference, run):
    """The clips that one of two runs lacks, in words; '' for none."""
    compared = agreement(_labels_of_clips(reference), _labels_of_clips(run))
    sides = (run.title, compared.missing), (reference.title, compared.extra)
    lines = [f'not in {title}: {shown(clips)}' for title, clips in sides if clips]
    return '; '.join(lines + _respelled(compared))


def _respelled(compared):
    """Name a clip that two runs write otherwise; [] for none."""
    pair = respelled(compared.missing, compared.extra)
    return ['{} may be {}'.format(*map('/'.join, pair))] if pair else []


def _labels_of_clips(run):
    return {(row.dataset, row.subject, row.clip): row.label for row in run.rows}


def _shared_rows(first, second):
    """The rows of both runs that every seed of both tested; None where they cannot be compared."""
    if first.dataset != second.dataset or first.results['classes'] != second.results['classes']:
        return None
    labels = _labels(first), _labels(second)
    common = labels[0].keys() & labels[1].keys()
    if not common or any(labels[0][key] != labels[1][key] for key in common):
        return None
    return [[row for row in run.rows if _key(row) in common] for run in (first, second)]


def _key(row):
    """What identifies a held-out row in all runs."""
    return row.dataset, row.subject, row.clip, row.frame


def _labels(run):
    """{row key: label} of rows that every seed tested."""
    counts = Counter(map(_key, run.rows))
    seeds = len({row.seed for row in run.rows})
    return {_key(row): row.label for row in run.rows if counts[_key(row)] == seeds}


def _numbers(values):
    """Return the different values, and indices int[n]."""
    different = sorted(set(values))
    index_of = {value: i for i, value in enumerate(different)}
    return different, np.array([index_of[value] for value in values], int)


def _edges(interval):
    """[low, high]; None where it is undefined."""
    return None if np.isnan(interval).any() else interval


class _Kind(NamedTuple):
    """What comparing the runs of one task takes."""

    does: str  # what a run does, in messages
    file: str  # of its rows
    read: Callable[[Path], list]  # the rows of the run in a folder
    is_scored: Callable[[Mapping], bool]  # whether results.json has scores
    matches: Callable[[Run], bool]  # whether its rows are those of results.json
    group: Callable[[str, Sequence[Run], Sequence[str], Run], dict]
    draw: Callable[[Path, dict], dict[Path, str]]
    study: Callable[[dict], study.Study]


RECOGNITION = 'recognition'
KINDS = {  # by `task` of results.json, which recognition lacks
    RECOGNITION: _Kind(
        'recognises classes',
        files.PREDICTIONS,
        lambda folder: list(PredictionTable.read(folder).rows),
        lambda results: bool(np.any(results['confusion'])),
        lambda run: matches_results(run.rows, run.results),
        _group,
        plots_compare.draw,
        compare_tables.study,
    ),
    result_files.SPOTTING: _Kind(
        'spots apexes',
        files.APEXES,
        compare_spotting.read,
        lambda results: bool(results['spotting']),
        compare_spotting.matches_results,
        compare_spotting.group,
        compare_spotting.draw,
        compare_spotting_tables.study,
    ),
    result_files.ACTION_UNITS: _Kind(
        'detects action units',
        files.PREDICTIONS,
        compare_units.read,
        lambda results: bool(results['per_dataset']),
        lambda run: action_units_page.matches_results(run.results['units'], run.rows, run.results),
        compare_units.group,
        compare_units.draw,
        compare_units_tables.study,
    ),
}
