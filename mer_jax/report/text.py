"""The result of a run in plain words: the verdict line, the terminal table, and how figures are
written.
"""

import textwrap

from mer_jax.evaluation import HEADLINE, METRICS
from mer_jax.runfiles import files

WIDTH = 100
# key of results.json: (title, words), those first that every table shows
MEASURES = {
    name: (METRICS[name].title, METRICS[name].words)
    for name in dict.fromkeys(HEADLINE + (*METRICS,))
}


def table(results: dict) -> str:
    """The result as plain text of at most 100 columns, for the terminal."""
    lines = textwrap.wrap(f'{results["name"]}: {size(results)}', WIDTH)
    lines += textwrap.wrap(verdict(results), WIDTH)
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    if results['per_subject']:
        lines += [
            '',
            *_measure_lines(results),
            '',
            *_dataset_lines(results),
            '',
            *_confusion_lines(results),
        ]
        lines += _oracle_lines(results)
    return '\n'.join(lines)


def verdict(results: dict) -> str:
    """One line: UF1 with its interval, over how many subjects, clips and seeds, and whether the run
    leaks.
    """
    if not results['per_subject']:
        return (
            f'Trained on all {results["clips"]} clips; nothing was held out, so nothing is scored'
        )
    edges = results['intervals']['uf1']
    found = f'UF1 {results["metrics"]["uf1"]:.2f}' + (
        f' [{edges[0]:.2f}, {edges[1]:.2f}]' if edges else ''
    )
    tested = sum(block['n'] for block in results['per_dataset'].values())
    over = f'{plural(len(results["per_subject"]), "subject")}, {plural(tested, "clip")}'
    honesty = (
        f'not honest: {plural(len(results["leaks"]), "leak")}'
        if results['leaks']
        else 'honest: no leaks'
    )
    return f'{found} over {over}, {plural(count_of(results["seeds"]), "seed")}; {honesty}'


def size(results: dict) -> str:
    """Protocol, folds, seeds, epochs and clips in words."""
    runs = (
        f'{plural(count_of(results["folds"]), "fold")}, '
        f'{plural(count_of(results["seeds"]), "seed")}'
    )
    names = f' of {" + ".join(results["per_dataset"])}' if results['per_dataset'] else ''
    rest = f'{plural(results["epochs"], "epoch")}, {plural(results["clips"], "clip")}{names}'
    return f'{results["protocol"]}, {runs}, {rest}'


def shown(value) -> str:
    """A figure as people read it: three decimals, whole numbers whole, a dash for None."""
    if value is None:
        return '–'
    return f'{value:.3f}' if isinstance(value, float) else str(value)


def measure(value, digits: int = 3) -> str:
    """A measure with so many decimals, a dash for None."""
    return '–' if value is None else f'{value:.{digits}f}'


def interval(edges, digits: int = 3) -> str:
    """[low, high] with so many decimals, a dash for None."""
    return '–' if edges is None else f'[{edges[0]:.{digits}f}, {edges[1]:.{digits}f}]'


def plural(count, word: str) -> str:
    """'1 seed', '3 seeds'."""
    return f'{count} {word}' + ('' if count == 1 else 's')


def count_of(value) -> int:
    """A number of things, given as number or as list."""
    return len(value) if isinstance(value, list) else value


def _measure_lines(results):
    """One line a measure."""
    lines = [f'{"":24}{"mean":>8}{"sd":>8}   95 % interval']
    for name, (title, _) in MEASURES.items():
        figures = f'{measure(results["metrics"][name]):>8}{measure(results["sd"][name]):>8}'
        lines.append(f'{title:24}{figures}   {interval(results["intervals"][name])}')
    return lines


def _dataset_lines(results):
    """One line a data set."""
    lines = [f'{"data set":24}{"clips":>8}{"UF1":>8}{"UAR":>8}{"accuracy":>10}']
    for title, block in results['per_dataset'].items():
        figures = (
            f'{measure(block["uf1"]):>8}{measure(block["uar"]):>8}{measure(block["accuracy"]):>10}'
        )
        lines.append(f'{title[:23]:24}{block["n"]:>8}{figures}')
    return lines


def _confusion_lines(results):
    """Confusion matrix with class names cut to fit."""
    classes, counts = results['classes'], results['confusion']
    cell = min(max(map(len, classes), default=0) + 2, (WIDTH - 24) // len(classes))
    if cell < 5:
        return [f'confusion of {len(classes)} classes: see {files.REPORT}']
    seeds = len(results['per_seed'])
    over = f', sum over {seeds} seeds' if seeds > 1 else ''
    lines = [
        f'confusion (rows truth, columns predicted{over})',
        ' ' * 24 + ''.join(f'{title[: cell - 1]:>{cell}}' for title in classes),
    ]
    return lines + [
        f'{title[:23]:24}' + ''.join(f'{n:>{cell}}' for n in row)
        for title, row in zip(classes, counts, strict=True)
    ]


def _oracle_lines(results):
    """What choosing epochs on the left-out subjects would have claimed."""
    block = results['oracle_epoch']
    if not block:
        return []
    best, honest = block['test_best']['metrics']['uf1'], results['metrics']['uf1']
    words = (
        f"oracle: choosing each fold's epoch on its left-out subject would claim UF1 {best:.3f} "
        'instead of '
        f'{honest:.3f} ({best - honest:+.3f}); a leak, not a result'
    )
    return ['', *textwrap.wrap(words, WIDTH)]
