"""Finished runs side by side: one table with intervals and paired tests by subject, its files and
plots (no jax).
"""

import glob
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import COMPARED, HEADLINE, metrics, paired
from mer_jax.evaluation.metrics import to_json
from mer_jax.report import compare_spotting_tables, compare_tables, plots_compare, study
from mer_jax.runfiles import files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.config import check_format
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.reading import REMEDY
from mer_jax.studies import compare_spotting

# configs that do not begin with their data set
PREFIXES = {'synthetic_faces': 'synthetic', 'precomputed_flow': 'megc2019'}
PLOTS_WORDS = {
    'measures': 'Whiskers: 95 % interval over subjects. A hollow mark and † in the legend: the '
    'run leaks.',
    'differences': 'Difference to the reference of each data set, with its 95 % interval over '
    'subjects. A hollow mark and †: '
    'the run, or the one it is compared with, leaks.',
    'errors': compare_spotting.PLOT_WORDS,
}


class Run(NamedTuple):
    """A finished run as its folder tells it."""

    folder: Path
    title: str  # its folder's name, after as many parents as tell it from the other runs
    # data.name and label scheme: 'casme2/video, irawan3'; of a spotting run data.name alone
    dataset: str
    results: dict  # results.json
    rows: list  # PredictionRow; of a spotting run the ApexRow that are scored


def compare(workdir, folders) -> dict:
    """The verb compare: the finished runs in `folders` in one table."""
    return write(read(folders), workdir)


def read(folders) -> list:
    """The runs [Run] in these folders, each once: 'A,B,C', where a part may hold a glob
    ('runs/*_cnn3d-*'), or a list of such.

    A glob passes over folders that hold no run. UserError for a folder that is not there, not
    finished, or scores nothing.
    """
    asked = (
        _parts(folders) if isinstance(folders, str) else [(one, _matches(one)) for one in folders]
    )
    if not asked:
        raise UserError(
            '--runs names no folder; name those of finished runs, as --runs=runs/one,runs/two'
        )
    for name, found in asked:
        if not found:
            raise UserError(
                f"--runs: '{name}' is no folder, nor does it match one of a run; name those of "
                'finished runs'
            )
    paths = list(dict.fromkeys(path.resolve() for _, found in asked for path in found))
    return [_run(path, title) for path, title in zip(paths, _titles(paths), strict=True)]


def confusions(run: Run, rows) -> np.ndarray:
    """int64[S, R, K, K] of some rows of a run, in the order of (data set, subject) and of seed."""
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


def cubes(first: Run, second: Run):
    """Confusions [S, R, K, K] of both runs on the clips that every seed of both tested; R may
    differ.

    None where they cannot be compared: other data set, label scheme or classes, no such clip, or
    labels that disagree.
    """
    if first.dataset != second.dataset or first.results['classes'] != second.results['classes']:
        return None
    labels = _labels(first), _labels(second)
    common = labels[0].keys() & labels[1].keys()
    if not common or any(labels[0][key] != labels[1][key] for key in common):
        return None
    return tuple(
        confusions(run, [row for row in run.rows if _key(row) in common]) for run in (first, second)
    )


def table(runs, reference: int = 0) -> dict:
    """{'groups': [...]}: runs by data set, label scheme and classes, in the order given; plain
    values, None if undefined.

    A group: title, dataset, labels, classes, reference, runs. A run: title, system, folder,
    protocol, leaks, seeds, clips, subjects, metrics, sd, intervals (of COMPARED), and `against`:
    its difference to run number `reference` of the group. Of spotting runs a group is that of
    compare_spotting.group. UserError where a group has no such run, or runs are of two kinds.
    """
    groups, grouped = {}, compare_spotting.group if _spotters(runs) else _group
    for run in runs:
        groups.setdefault((run.dataset, *run.results.get('classes', ())), []).append(run)
    for members in groups.values():
        if not 0 <= reference < len(members):
            raise UserError(
                f'reference is {reference}, but {members[0].dataset} has {len(members)} of the '
                'runs; '
                f'allowed: 0 to {len(members) - 1}'
            )
    often = Counter(dataset for dataset, *_ in groups)
    titles = [
        dataset + (f' ({", ".join(classes)})' if often[dataset] > 1 else '')
        for dataset, *classes in groups
    ]
    return {
        'groups': [
            grouped(title, members, _names(members), members[reference])
            for title, members in zip(titles, groups.values(), strict=True)
        ]
    }


def write(runs, folder, reference: int = 0) -> dict:
    """Write compare.json, .csv, .tex and .html with plots/ into `folder`, and print the table (see
    `table`); returns it.

    UserError where the folder cannot be made.
    """
    found, folder = table(runs, reference), absolute(folder)
    try:
        (folder / files.PLOTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"'{folder}' cannot be made a folder ({error.strerror}); name another with --workdir"
        ) from None
    spotting = _spotters(runs)
    draw = compare_spotting.draw if spotting else plots_compare.draw
    tables = compare_spotting_tables if spotting else compare_tables
    drawn = draw(folder / files.PLOTS, found)
    for stale in PLOTS_WORDS.keys() - {path.stem for path in drawn}:
        (folder / files.PLOTS / f'{stale}.svg').unlink(missing_ok=True)
    plots = [(path, PLOTS_WORDS[path.stem]) for path in drawn]
    study.write(tables.study(found), found, folder, plots)
    return found


def system(title: str, dataset: str) -> str:
    """A run's title without its data set: 'casme2_cnn3d-variant=st' on 'casme2/video' is
    'cnn3d-variant=st'.
    """
    release = 'composite' if '+' in dataset else dataset.partition('/')[0]
    prefixes = {release, PREFIXES.get(release, release)}
    parts = [part for part in title.split('/') if part not in prefixes]
    for prefix in sorted(prefixes, key=len, reverse=True):
        parts = [part.removeprefix(f'{prefix}_') for part in parts]
    return '/'.join(parts) or title


def _spotters(runs):
    """Whether the runs spot apexes; UserError where only some do."""
    spots = [run.results.get('task') == 'spotting' for run in runs]
    if len(set(spots)) > 1:
        raise UserError(
            f'{runs[spots.index(True)].folder} spots apexes, {runs[spots.index(False)].folder} '
            'recognises classes; '
            'name runs of one kind in --runs'
        )
    return all(spots)


def _names(members):
    """What each run of a group is called beside the others: its system, its title where two share
    one.
    """
    names = [system(run.title, run.results['data']['name']) for run in members]
    return [
        name if names.count(name) == 1 else run.title
        for run, name in zip(members, names, strict=True)
    ]


def _parts(text):
    """[(part, folders)] of 'A,B,C'; a folder whose own name holds commas ('demo-classes=3,quick')
    stays whole.
    """
    pieces, found = [piece.strip() for piece in text.split(',')], []
    while pieces:
        joined = [','.join(pieces[:count]) for count in range(len(pieces), 0, -1)]
        taken = next((part for part in joined if part and _matches(part)), joined[-1])
        found += [(taken, _matches(taken))] if taken else []
        pieces = pieces[taken.count(',') + 1 :]
    return found


def _matches(pattern):
    """The folder of this name, else those of runs that match it, sorted."""
    path = absolute(pattern)
    if path.is_dir():
        return [path]
    found = (Path(match) for match in sorted(glob.glob(str(path))))
    return [
        path
        for path in found
        if any((path / name).exists() for name in (files.CONFIG, files.RESULTS))
    ]


def _titles(paths):
    """The name of each folder, after as many of its parents as no other folder shares."""
    tails = [
        ['/'.join(path.parts[-depth:]) for depth in range(1, len(path.parts) + 1)] for path in paths
    ]
    often = Counter(tail for own in tails for tail in own)
    return [next(tail for tail in own if often[tail] == 1) for own in tails]


def _run(folder, title):
    """The finished run in a folder; UserError for what keeps it from being compared."""
    check_format(folder)
    path = folder / files.RESULTS
    if not path.exists():
        raise UserError(
            f'{folder} is not finished (no {path.name}); train first: the same command with the '
            'verb train'
        )
    results = result_files.read(folder)
    spots = isinstance(results, result_files.SpottingResults)
    results = results.to_json()
    if not (results['spotting'] if spots else np.any(results['confusion'])):
        raise UserError(
            f'{folder}: nothing was held out (protocol {results["protocol"]}), so nothing can be '
            'compared; '
            'leave it out of --runs'
        )
    if results['scored'] != 'test':
        raise UserError(
            f'{folder} is scored on its {results["scored"]} part, which chose settings; compare '
            'runs that are tested '
            '(protocol.evaluate_on=test)'
        )
    path = folder / (files.APEXES if spots else files.PREDICTIONS)
    if not path.exists():
        raise UserError(f'{folder} holds no {path.name}; {REMEDY}')
    rows = compare_spotting.read(folder) if spots else list(PredictionTable.read(folder).rows)
    dataset = results['data']['name'] + (f', {results["data"]["labels"]}' if not spots else '')
    run = Run(folder, title, dataset, results, rows)
    if not (compare_spotting.counted(run) if spots else _counted(run)):
        raise UserError(
            f'{path}: holds other {"apexes" if spots else "predictions"} than {files.RESULTS} '
            f'counts; {REMEDY}'
        )
    return run


def _counted(run):
    """Whether the rows of a run are those that its results count."""
    if not run.rows:
        return False
    answers = {name for row in run.rows for name in (row.label, row.predicted)}
    return (
        answers <= {*run.results['classes']}
        and confusions(run, run.rows).sum((0, 1)).tolist() == run.results['confusion']
    )


def _group(title, members, names, reference):
    """The runs on one data set, and their differences to one of them."""
    rows = [_row(run, name) for run, name in zip(members, names, strict=True)]
    for row, run in zip(rows, members, strict=True):
        row['against'] = None if run is reference else _against(reference, run)
    tested = [row['against'] for row in rows if row['against']]
    for against, p in zip(
        tested, paired.holm([_float(one['uf1']['p']) for one in tested]), strict=True
    ):
        against['uf1']['holm'] = to_json(p)
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
    each, edges = metrics.measures(cube.sum(0)), metrics.intervals(cube)
    return {
        'title': run.title,
        'system': name,
        'folder': str(run.folder),
        'protocol': run.results['protocol'],
        'leaks': list(run.results['leaks']),
        'seeds': cube.shape[1],
        'clips': to_json(cube.sum() / cube.shape[1]),
        'subjects': len(cube),
        'metrics': {key: to_json(metrics.nanmean(each[key], axis=-1)) for key in COMPARED},
        'sd': {key: to_json(metrics.spread(each[key])) for key in COMPARED},
        'intervals': {key: _edges(edges[key]) for key in COMPARED},
    }


def _against(reference, run):
    """{common, uf1, accuracy} of a run against its reference; None where they cannot be
    compared.
    """
    pair = cubes(reference, run)
    if pair is None:
        return None
    found = paired.difference(*pair)
    kept = {
        key: {
            'difference': to_json(found[key]['difference']),
            'interval': _edges(found[key]['interval']),
            'p': to_json(found[key]['p']),
        }
        for key in HEADLINE
    }
    return {'common': int(pair[0].sum()) // pair[0].shape[1], **kept}


def _key(row):
    """What makes a held-out row the same row in another run."""
    return row.dataset, row.subject, row.clip, row.frame


def _labels(run):
    """{row key: label} of the rows that every seed of a run tested."""
    often = Counter(map(_key, run.rows))
    seeds = len({row.seed for row in run.rows})
    return {_key(row): row.label for row in run.rows if often[_key(row)] == seeds}


def _numbers(values):
    """The different values, sorted, and the place of each value among them, int[n]."""
    different = sorted(set(values))
    place = {value: i for i, value in enumerate(different)}
    return different, np.array([place[value] for value in values], int)


def _edges(interval):
    """[low, high]; None where it is undefined."""
    return None if np.isnan(interval).any() else interval


def _float(value):
    """A float, NaN for None."""
    return np.nan if value is None else float(value)
