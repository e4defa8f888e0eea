"""Compare finished spotting runs.

Each decoder of a run has its error, its difference to the baselines and to the decoder that the
reference run reports. The baselines, midpoint and fitted fraction, do not look at the frames. They
appear once per data set, with the figures of the reference run, because they are equal in all runs
with the same folds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer_jax.data.apexes import BLIND
from mer_jax.evaluation import OVER_SUBJECTS, paired
from mer_jax.report import plots_spotting
from mer_jax.runfiles.apexes import ApexRow, ApexTable

if TYPE_CHECKING:  # compare imports this module
    from mer_jax.studies.compare import Run

FIGURES = ('mae', 'interval', 'sd', 'mae_ms', 'interval_ms', 'against')
CAPTION = (
    'Mean error of each decoder. Whiskers show 95 % intervals '
    f'{OVER_SUBJECTS}. A bold figure marks '
    'the decoder that the run reports. A hollow mark and a † mean that the run leaks.'
)


def read(folder: str | Path) -> list[ApexRow]:
    """Read the predicted apexes that are scored.

    The clip is left out, and its apex is annotated.
    """
    return [row for row in ApexTable.read(folder).rows if row.left_out and row.apex is not None]


def errors(run: 'Run') -> dict[tuple[str, str, str], dict]:
    """Return the errors of each clip that every seed tested.

    Returns:
        {(dataset, subject, clip): {'annotation': (onset, apex, offset), decoder: error}}; errors
        are in frames, averaged over seeds.
    """
    rows_of_clips, seeds = {}, {row.seed for row in run.rows}
    for row in run.rows:
        rows_of_clips.setdefault((row.dataset, row.subject, row.clip), []).append(row)
    errors_of_clips = {}
    for key, rows in rows_of_clips.items():
        if len(rows) < len(seeds):
            continue
        clip = {'annotation': (rows[0].onset, rows[0].apex, rows[0].offset)}
        for name in run.results['spotting']:
            clip[name] = float(np.mean([abs(row.predicted[name] - row.apex) for row in rows]))
        errors_of_clips[key] = clip
    return errors_of_clips


def matches_results(run: 'Run') -> bool:
    """Return whether rows and results have equal errors."""
    blocks = run.results['spotting']
    if not run.rows or blocks.keys() - run.rows[0].predicted.keys():
        return False
    clips = errors(run).values()
    for name, block in blocks.items():
        count = sum(part['clips'] for part in block['per_dataset'].values())
        if count != len(clips) or block['mae'] is None:
            return False
        if not np.isclose(np.mean([clip[name] for clip in clips]), block['mae']):
            return False
    return True


def group(title: str, members: Sequence['Run'], names: Sequence[str], reference: 'Run') -> dict:
    """Compare the spotting runs on one data set.

    Args:
        title: of the data set.
        members: the runs.
        names: their systems.
        reference: the run that the others are compared with.

    Returns:
        title, dataset, reference (title of the run), decision (the decoder that it reports), simple
        ({midpoint, fraction: FIGURES} of the reference) and runs. A run is as in compare.table,
        with answer (the decoder that it reports), simple {name: mae}, decisions {decoder: FIGURES}
        and against {common, decoder: {difference to the reference, interval, p, holm}}.
    """
    first = errors(reference)
    rows = [_row(run, name, first, reference) for run, name in zip(members, names, strict=True)]
    tests = []
    for row in rows:
        tests += [test for name, test in (row['against'] or {}).items() if name != 'common']
    paired.add_holm(tests)
    return {
        'title': title,
        'dataset': reference.results['data']['name'],
        'reference': reference.title,
        'decision': reference.results['answer'],
        'simple': _figures(reference, BLIND),
        'runs': rows,
    }


def draw(folder: str | Path, table: Mapping[str, list[dict]]) -> dict[Path, str]:
    """Draw errors.svg; return {its path: what is seen in it, in words}."""
    path = Path(folder) / 'errors.svg'
    return {path: plots_spotting.compared(path, table['groups'])}


def _row(run, name, first, reference):
    """The figures of one run; first: errors of the reference."""
    clips, blocks = errors(run), run.results['spotting']
    return {
        'title': run.title,
        'system': name,
        'folder': str(run.folder),
        'protocol': run.results['protocol'],
        'labels': run.results['data']['labels'],
        'leaks': list(run.results['leaks']),
        'answer': run.results['answer'],
        'seeds': len({row.seed for row in run.rows}),
        'clips': len(clips),
        'subjects': len({key[:2] for key in clips}),
        'simple': {simple: blocks[simple]['mae'] for simple in BLIND},
        'decisions': _figures(run, [name for name in blocks if name not in BLIND]),
        'against': _against(
            first,
            clips,
            reported=reference.results['answer'],
            is_reference=run is reference,
            decoders=[name for name in blocks if name not in BLIND],
        ),
    }


def _figures(run, decoders):
    figures = {}
    for name in decoders:
        block = run.results['spotting'][name]
        figures[name] = {key: block[key] for key in FIGURES}
    return figures


def _against(first, second, *, reported, is_reference, decoders):
    """Compare decoders with the one that the reference reports.

    Returns:
        {common, decoder: {difference, interval, p}}; None where runs cannot be paired.
    """
    common = sorted(first.keys() & second.keys())
    if not common or any(first[key]['annotation'] != second[key]['annotation'] for key in common):
        return None
    subjects = sorted({key[:2] for key in common})
    subject = np.array([subjects.index(key[:2]) for key in common])
    dataset = [key[0] for key in common]
    before = [first[key][reported] for key in common]
    against = {'common': len(common)}
    for name in decoders:
        if not (is_reference and name == reported):
            after = [second[key][name] for key in common]
            against[name] = paired.mean_test(before, after, subject, dataset)
    return against
