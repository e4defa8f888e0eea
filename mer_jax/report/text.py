"""The result of a recognition run as text."""

import textwrap
from collections.abc import Sequence

from mer_jax.evaluation import OVER_SUBJECTS
from mer_jax.report import recognition_tables
from mer_jax.report import table as tables
from mer_jax.report.formats import WIDTH, count_of, interval, plural
from mer_jax.runfiles import files


def table(results: dict) -> str:
    """Format the result for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{results["name"]}: {size(results)}', WIDTH)
    lines += textwrap.wrap(verdict(results), WIDTH)
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    if results['per_subject']:
        lines += [
            '',
            tables.text(recognition_tables.measures(results)),
            '',
            tables.text(recognition_tables.datasets(results)),
            f'95 % intervals are {OVER_SUBJECTS}.',
            *_repeats_lines(results),
            '',
            *_confusion_lines(results),
        ]
        lines += _oracle_lines(results)
    return '\n'.join(lines)


def verdict(results: dict) -> str:
    """Return UF1 with its interval in one line.

    It ends with the numbers of subjects, clips and seeds, and whether the run leaks.
    """
    if not results['per_subject']:
        return f'No scores: trained on all {results["clips"]} clips, nothing was held out'
    uf1, edges = results['metrics']['uf1'], results['intervals']['uf1']
    score = f'UF1 {uf1:.2f} {interval(edges, 2)}' if edges else f'UF1 {uf1:.2f}'
    clips = sum(block['n'] for block in results['per_dataset'].values())
    over = f'{plural(len(results["per_subject"]), "subject")}, {plural(clips, "clip")}'
    seeds = plural(count_of(results['seeds']), 'seed')
    return f'{score} over {over}, {seeds}; {honesty(results["leaks"])}'


def honesty(leaks: Sequence[str]) -> str:
    """Return whether a run is honest, as text."""
    return f'not honest: {plural(len(leaks), "leak")}' if leaks else 'honest: no leaks'


def size(results: dict) -> str:
    """Return protocol, folds, seeds, epochs and clips as text."""
    runs = (
        f'{plural(count_of(results["folds"]), "fold")}, '
        f'{plural(count_of(results["seeds"]), "seed")}'
    )
    if results.get('repeats'):
        runs += f' ({results["repeats"]["draws"]} draws of the folds)'
    names = f' of {" + ".join(results["per_dataset"])}' if results['per_dataset'] else ''
    clips = f'{plural(results["clips"], "clip")}{names}'
    if not results['epochs'] and not results['plan']:  # an SVM, or a user's code
        return f'{results["protocol"]}, {runs}, {clips}'
    chosen = ''
    if results.get('choice'):
        chosen = f'; chosen by training subjects: {results["choice"]}'
    return f'{results["protocol"]}, {runs}, {plural(results["epochs"], "epoch")}, {clips}{chosen}'


def _confusion_lines(results):
    """The confusion matrix, if it fits."""
    table = recognition_tables.confusion(results)
    if table is None:
        return [f'confusion of {len(results["classes"])} classes: see {files.REPORT}']
    seeds = len(results['per_seed'])
    over = f', sum over {seeds} seeds' if seeds > 1 else ''
    return [f'confusion (rows: truth, columns: prediction{over})', tables.text(table)]


def _repeats_lines(results):
    """The spread over draws of the folds; no line for one draw."""
    if not results.get('repeats'):
        return []
    return ['', tables.text(recognition_tables.repeats(results))]


def _oracle_lines(results):
    """What choosing epochs on the left-out subjects would claim."""
    block = results['oracle_epoch']
    if not block:
        return []
    best, honest = block['test_best']['metrics']['uf1'], results['metrics']['uf1']
    sentence = (
        f'oracle: choosing the epoch of each fold on its left-out subject would claim UF1 '
        f'{best:.3f} instead of {honest:.3f} ({best - honest:+.3f}); a leak, not a result'
    )
    return ['', *textwrap.wrap(sentence, WIDTH)]
