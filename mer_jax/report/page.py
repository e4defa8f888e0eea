"""The report as a page: dictionaries of a run in, one HTML text out that needs neither network nor
scripts.

Every text passes `escape`: names of clips, classes and settings come from files and could hold
markup.
"""

import base64
import html
from pathlib import Path

from mer_jax.evaluation import metrics
from mer_jax.report.text import MEASURES, interval, measure, shown
from mer_jax.runfiles import files

STYLE = """
:root { --ink: #1d2733; --soft: #5b6875; --line: #dfe4ea; --blue: #0072b2; --red: #b3261e;
  --amber: #b26a00; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 12px; }
p { margin: 0 0 10px; }
.soft, .foot, caption, figcaption { color: var(--soft); font-size: 13.5px; }
section, .verdict { background: white; border: 1px solid var(--line); border-radius: 8px;
  padding: 20px 24px; margin-top: 18px; }
.verdict { border-left: 6px solid var(--blue); font-size: 17px; font-weight: 600; }
.verdict.leaky { border-color: var(--red); background: var(--red); color: white; }
.verdict ul { margin: 6px 0 0; padding-left: 22px; font-size: 15px; font-weight: 400; }
.warning { border-left: 4px solid var(--amber); background: #fff6e5; padding: 10px 14px;
  margin: 0 0 14px; }
.tiles { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 18px; }
.tile { flex: 1 1 200px; background: white; border: 1px solid var(--line); border-radius: 8px;
  padding: 14px 20px; }
.tile b { display: block; font-size: 34px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.foot { margin-top: 24px; } .stack > figure { max-width: 700px; margin: 0 auto 20px; }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 28px;
  align-items: center; }
@media (max-width: 760px) { .foot { margin-top: 24px; } .stack > figure { max-width: 700px;
  margin: 0 auto 20px; }
.pair { grid-template-columns: 1fr; } }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 6px; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap;
  border-bottom: 2px solid var(--line); }
td, th { padding: 5px 20px 5px 0; vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
td { border-bottom: 1px solid #eef1f4; overflow-wrap: break-word; }
td:last-child:not(.n) { min-width: 130px; }
.n { text-align: right; white-space: nowrap; }
figure { margin: 0; } .scroll + figure { margin-top: 20px; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { margin-top: 8px; }
.looks > figure { margin: 0 auto 24px; } .looks > figure:first-child { max-width: 780px; }
details { margin-top: 12px; } summary { cursor: pointer; color: var(--blue); font-weight: 600; }
details > :not(summary) { margin-top: 10px; }
@media print { body { background: white; } section, .verdict, .tile { break-inside: avoid; }
  .verdict.leaky { color: var(--red); background: white; border: 3px solid var(--red); } }
"""


def page(title: str, parts) -> str:
    """A whole HTML document of a title and the given pieces of HTML."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title>'
    )
    body = '\n'.join(parts)
    top = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>'
    return f'{top}\n<body><main>\n{body}\n</main></body></html>\n'


def escape(value) -> str:
    """Text that a browser shows as it stands."""
    return html.escape(str(value), quote=True)


def table(header, rows, *, caption: str = '') -> str:
    """An HTML table; columns that hold nothing but figures are set to the right."""
    rows = [[shown(cell) for cell in row] for row in rows]
    align = [
        ' class="n"' if rows and all(_is_figure(row[i]) for row in rows) else ''
        for i in range(len(header))
    ]
    top = ''.join(
        f'<th{side}>{escape(name)}</th>' for name, side in zip(header, align, strict=True)
    )
    lines = (zip(row, align, strict=True) for row in rows)
    body = ''.join(
        '<tr>' + ''.join(f'<td{side}>{escape(cell)}</td>' for cell, side in line) + '</tr>\n'
        for line in lines
    )
    words = f'<caption>{escape(caption)}</caption>' if caption else ''
    return (
        '<div '
        f'class="scroll"><table>{words}<thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>'
    )


def section(title: str, *pieces: str) -> str:
    """A titled block."""
    return f'<section><h2>{escape(title)}</h2>\n' + '\n'.join(pieces) + '\n</section>'


def details(summary: str, *pieces: str) -> str:
    """A block that opens on a click."""
    return f'<details><summary>{escape(summary)}</summary>\n' + '\n'.join(pieces) + '\n</details>'


def data_uri(path, kind: str) -> str:
    """A picture file as data URI; `kind`: 'png' or 'svg+xml'."""
    return f'data:image/{kind};base64,' + base64.b64encode(Path(path).read_bytes()).decode()


def drawn(folder, name: str, draw, *content) -> str:
    """The picture that draw(path, *content) writes to plots/<name>.svg of a run, as data URI."""
    path = Path(folder) / files.PLOTS / f'{name}.svg'
    draw(path, *content)
    return data_uri(path, 'svg+xml')


def figure(uri: str, words: str) -> str:
    """A picture given as data URI, with its caption."""
    return (
        f'<figure><img src="{escape(uri)}" '
        f'alt="{escape(words)}"><figcaption>{escape(words)}</figcaption></figure>'
    )


def paragraph(text: str, kind: str = '') -> str:
    """A paragraph of a style class."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f'<p>{escape(text)}</p>'


def banner(sentence: str, leaks) -> str:
    """The verdict; red, with its list of leaks, where there are any."""
    if not leaks:
        return f'<div class="verdict">{escape(sentence)}</div>'
    items = ''.join(f'<li>{escape(leak)}</li>' for leak in leaks)
    return f'<div class="verdict leaky" role="alert">{escape(sentence)}<ul>{items}</ul></div>'


def tiles(results: dict) -> str:
    """UF1, UAR and accuracy in large figures."""
    boxes = ''
    for name in ('uf1', 'uar', 'accuracy'):
        words = f'95 % {interval(results["intervals"][name])}'
        if results['sd'][name] is not None:
            words += f', sd {measure(results["sd"][name])} over seeds'
        boxes += f'<div class="tile">{MEASURES[name][0]}<b>{measure(results["metrics"][name])}</b>'
        boxes += f'<span class="soft">{escape(words)}</span></div>'
    return f'<div class="tiles">{boxes}</div>'


def measures_table(results: dict) -> str:
    """Every measure with spread, interval and what always answering the most frequent class would
    score.
    """
    counts = results['confusion']
    largest = max(range(len(counts)), key=lambda k: sum(counts[k]))
    guess = [[sum(row) * (k == largest) for k in range(len(counts))] for row in counts]
    chance = {name: metrics.number(value) for name, value in metrics.summary(guess).items()}
    rows = [
        [
            title,
            measure(results['metrics'][name]),
            measure(results['sd'][name]),
            interval(results['intervals'][name]),
            measure(chance[name]),
            words,
        ]
        for name, (title, words) in MEASURES.items()
    ]
    header = [
        'measure',
        'mean',
        'sd',
        '95 % interval',
        f'always “{results["classes"][largest]}”',
        'what it is',
    ]
    return table(
        header,
        rows,
        caption='Predictions of all folds pooled, per seed; mean and sd over seeds; '
        'intervals by 2,000 bootstrap draws of subjects.',
    )


def seeds_table(results: dict) -> str:
    """Every measure of every seed."""
    rows = [
        [one['seed'], *(measure(one['metrics'][name]) for name in MEASURES)]
        for one in results['per_seed']
    ]
    return table(['seed', *(title for title, _ in MEASURES.values())], rows)


def datasets_table(results: dict) -> str:
    """Measures of each data set, with the interval of its UF1."""
    rows = [
        [
            title,
            block['n'],
            block['subjects'],
            measure(block['uf1']),
            interval(block['intervals']['uf1']),
            *(measure(block[name]) for name in ('uar', 'accuracy', 'weighted_f1')),
        ]
        for title, block in results['per_dataset'].items()
    ]
    return table(
        ['data set', 'clips', 'subjects', 'UF1', '95 % interval', 'UAR', 'accuracy', 'weighted F1'],
        rows,
    )


def classes_table(results: dict) -> str:
    """Precision, recall, F1 and support of each class."""
    rows = [
        [title, *(measure(block[name]) for name in ('precision', 'recall', 'f1')), block['support']]
        for title, block in results['per_class'].items()
    ]
    caption = 'Mean over seeds; clips of one seed.' if len(results['per_seed']) > 1 else ''
    return table(['class', 'precision', 'recall', 'F1', 'clips'], rows, caption=caption)


def oracle_table(results: dict) -> str:
    """The honest figures beside those of the three ways to choose epochs on the left-out
    subjects.
    """
    block = results['oracle_epoch']
    ways = [
        ('reported here: last epoch, chosen by nobody', results['metrics'], block['last']['epoch']),
        (
            'one epoch for all folds, best pooled UF1',
            block['best_common_epoch']['metrics'],
            block['best_common_epoch']['epoch'],
        ),
        (
            "each fold's epoch of best held-out accuracy",
            block['test_best']['metrics'],
            f'median {shown(block["test_best"]["median_epoch"])}',
        ),
        (
            'best accuracy and best F1 from different epochs',
            block['test_best_independent']['metrics'],
            'median '
            + ', '.join(shown(epoch) for epoch in block['test_best_independent']['median_epochs']),
        ),
    ]
    rows = [
        [way, *(measure(found[name]) for name in ('uf1', 'uar', 'accuracy')), str(epoch)]
        for way, found, epoch in ways
    ]
    return table(['epoch chosen by', 'UF1', 'UAR', 'accuracy', 'epoch'], rows)


def tree_table(tree: dict, header=('key', 'value')) -> str:
    """A nested dictionary as dotted keys and values."""
    return table(header, [[key, str(value)] for key, value in _leaves(tree)])


def _leaves(tree, prefix=''):
    """(dotted key, leaf) pairs; lists are joined by commas."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', ', '.join(map(str, value)) if isinstance(value, list) else value


def _is_figure(text):
    """Whether a cell holds a number, an interval or a dash."""
    try:
        [float(part) for part in text.strip('[]– ').split(', ') if part]
    except ValueError:
        return False
    return True
