"""The result of a recognition run as text."""

import textwrap
from collections.abc import Sequence

from mer_jax.evaluation import OVER_SUBJECTS
from mer_jax.report import recognition_tables
from mer_jax.report import table as tables
from mer_jax.report.formats import WIDTH, count_of, interval, measure, measure_title, plural
from mer_jax.runfiles import files

FEW_SUBJECTS = 10  # below which a report says that there are few; our choice
STATISTICS = 'docs/statistics.md'


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
            *_ceiling_lines(results),
            '',
            *_confusion_lines(results),
        ]
        lines += _oracle_lines(results)
    return '\n'.join(lines)


def _ceiling_lines(results):
    """Annotated action units as a ceiling, where any are known."""
    ceiling = recognition_tables.ceiling(results)
    if ceiling is None:
        return []
    block = results['ceiling']
    note = f'{recognition_tables.ceiling_clips(block)}. {block["note"]}'
    return ['', tables.text(ceiling), *textwrap.wrap(note, WIDTH)]


def verdict(results: dict) -> str:
    """Return UF1 with its interval in one line.

    It ends with the numbers of subjects, clips and seeds, and whether the run leaks.
    """
    if not results['per_subject']:
        return f'No scores: trained on all {results["clips"]} clips, nothing was held out'
    uf1, edges = results['metrics']['uf1'], results['intervals']['uf1']
    score = f'UF1 {measure(uf1)} {interval(edges)}' if edges else f'UF1 {measure(uf1)}'
    clips = sum(block['n'] for block in results['per_dataset'].values())
    over = f'{plural(len(results["per_subject"]), "subject")}, {plural(clips, "clip")}'
    seeds = plural(count_of(results['seeds']), 'seed')
    return f'{score} over {over}, {seeds}; {honesty(results["leaks"])}'


def certainty(results: dict) -> str:
    """Return how sure the scores are, in a plain sentence.

    The intervals of UF1 and accuracy are compared with always predicting the most frequent class.
    '' without scores.
    """
    if not results['per_subject']:
        return ''
    largest, constant = recognition_tables.always_largest(results)
    positions = []
    for name in ('uf1', 'accuracy'):
        position = _position(results['intervals'][name], constant[name])
        positions.append(f'{measure_title(name)} {measure(constant[name])} ({position})')
    line = (
        f'How sure: always answering “{largest}”, the largest class, would give '
        f'{" and ".join(positions)}.'
    )
    subjects = len(results['per_subject'])
    if subjects < FEW_SUBJECTS:
        line += (
            f' {plural(subjects, "test subject")} tell little: with other people the figures may '
            'be quite others.'
        )
    return f'{line} {STATISTICS} explains the intervals.'


def _position(edges, constant):
    """Where the score of a constant answer lies, in words."""
    if edges is None:
        return 'no interval to compare it with'
    if constant < edges[0]:
        return 'below the 95 % interval: this run is better than that'
    if constant > edges[1]:
        return 'above the 95 % interval: this run is worse than that'
    return 'inside the 95 % interval: nothing better is shown'


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


def drawn_faces(results: dict) -> str:
    """Say what drawn faces taught, as text; '' where there were none."""
    about = results['data'].get('drawn')
    if about:
        return (
            f'{about["clips"]} clips of drawn faces ({about["name"]}) trained the SVMs too, with '
            'the weight that each fold chose. Drawn faces show nobody.'
        )
    about = results['data'].get('pretraining')
    if not about:
        return ''
    units = sum(name.startswith('AU') for name in about['outputs'])
    return (
        f'Before the folds the network was trained on {about["clips"]} clips of drawn faces '
        f'({about["name"]}; {plural(about["epochs"], "epoch")}): on their emotions and '
        f'{plural(units, "action unit")}. Drawn faces show nobody.'
    )


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
