"""The report of a run, made from the files of its folder alone: report.html with its plots, and the
terminal table.
"""

from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.models import regional
from mer_jax.report import page as html
from mer_jax.report import plots
from mer_jax.report.text import MEASURES, measure, plural, shown, size, verdict
from mer_jax.report.text import table as table
from mer_jax.runfiles import files

BLOCKS = (
    'name protocol leaks folds seeds epochs clips metrics sd intervals per_dataset '
    'per_class per_seed'
).split()
BLOCKS += 'per_subject per_fold confusion classes oracle_epoch'.split()
# what the verb explain writes; words for them in LOOKS_WORDS
LOOKS = ('montage.png', 'scenarios.png', 'au_features.png')
LOOKS_WORDS = 'captions.json'
GENERATED = {
    'samples.png': 'Real images of one fold and those its GAN made: hue is direction, brightness '
    'length of the flow.',
    'nearest.png': 'Made images above the training images that are nearest to them, closest first.',
}
NUMBERS = ('count', 'level', 'level_sd', 'roughness', 'energy')  # of the statistics of made images


def report(folder) -> Path:
    """Draw plots/ and write report.html, one file that opens anywhere; UserError where the folder
    holds no results.
    """
    folder = Path(folder)
    results = _results(folder)
    (folder / files.PLOTS).mkdir(exist_ok=True)
    parts = [_head(results), html.banner(verdict(results), results['leaks'])]
    parts += _scores(folder, results) if results['per_subject'] else []
    parts += [_training(folder), _machines(folder)]
    parts += (
        [*_subjects(folder, results), _oracle(folder, results)] if results['per_subject'] else []
    )
    parts += [
        _generated(folder),
        _looks(folder, results),
        _folds(folder, results),
        _dropped(folder),
    ]
    parts += [_run(folder, results), _settings(folder)]
    parts += [
        html.paragraph(
            f'Made from the files beside this page; its figures stand in {files.PLOTS}/.', 'foot'
        )
    ]
    path = folder / files.REPORT
    files.write_text(path, html.page(f'{results["name"]}: {results["protocol"]}', parts))
    return path


def _results(folder):
    """results.json with every block that the report reads."""
    path = folder / files.RESULTS
    if not path.exists():
        raise UserError(
            f'{folder} holds no {files.RESULTS}; train first: python main.py --config=<config> '
            f'--workdir={folder}'
        )
    results = files.read_json(path)
    missing = [key for key in BLOCKS if key not in results]
    missing = missing or [f'metrics.{key}' for key in MEASURES if key not in results['metrics']]
    if missing:
        raise UserError(
            f"{path}: lacks '{missing[0]}'; score the run again: the command that trained it, "
            'with the verb evaluate'
        )
    return results


def _head(results):
    """Title and the size of the run."""
    return f'<h1>{html.escape(results["name"])}</h1>\n' + html.paragraph(size(results), 'soft')


def _scores(folder, results):
    """Measures, data sets, confusion and classes."""
    seeds = (
        html.details('Each seed', html.seeds_table(results)) if len(results['per_seed']) > 1 else ''
    )
    bars = html.drawn(
        folder,
        'datasets',
        plots.datasets,
        results['per_dataset'],
        results['metrics'],
        results['intervals'],
    )
    matrix = html.drawn(
        folder, 'confusion', plots.confusion, results['confusion'], results['classes']
    )
    seeds_word = f'; counts summed over {plural(len(results["per_seed"]), "seed")}' if seeds else ''
    words = f'Rows are the truth, columns the answer{seeds_word}; shade and percentage by row.'
    layout = 'pair' if len(results['classes']) < 5 else 'stack'
    return [
        html.tiles(results),
        html.section('Measures', html.measures_table(results), seeds),
        html.section(
            'Data sets',
            html.datasets_table(results),
            html.figure(bars, 'Whiskers: 95 % interval over subjects.'),
        ),
        html.section(
            'Classes',
            '<div '
            f'class="{layout}">{html.figure(matrix, words)}{html.classes_table(results)}</div>',
        ),
    ]


def _training(folder):
    """Training curves from metrics.jsonl."""
    records = _optional(folder / files.METRICS, files.read_jsonl)
    if not records:
        return (
            ''
            if (folder / files.HEADS).exists()
            else html.section('Training', _missing(files.METRICS))
        )
    curves = html.drawn(folder, 'curves', plots.curves, records)
    return html.section('Training', html.figure(curves, 'Measured on training rows only.'))


def _machines(folder):
    """What the folds' support vector machines chose; '' where the network itself answers."""
    rows = _optional(folder / files.HEADS, files.read_csv)
    if not rows:
        return ''
    chosen = {}
    for row in rows:
        chosen.setdefault((float(row['cost']), float(row['gamma'])), []).append(row)
    table = [
        [
            f'{cost:g}',
            f'{gamma:g}',
            len(own),
            _spread(own, 'support_vectors', 0),
            _spread(own, 'inner_uf1', 3),
        ]
        for (cost, gamma), own in sorted(chosen.items())
    ]
    words = (
        'Each fold chooses by groups of its training subjects; a fold that averages several '
        'machines counts with each.'
    )
    header = ['C', 'gamma', 'chosen', 'support vectors', 'UF1 of inner groups']
    return html.section(
        'Support vector machines', html.table(header, table), html.paragraph(words, 'soft')
    )


def _spread(rows, key, digits):
    """'low to high' of a column; a dash where it is empty."""
    found = [float(row[key]) for row in rows if row[key]]
    return f'{min(found):.{digits}f} to {max(found):.{digits}f}' if found else '–'


def _subjects(folder, results):
    """Accuracy of each left-out subject; the surest mistakes."""
    bars = html.drawn(folder, 'subjects', plots.subjects, results['per_subject'])
    keys = ('dataset', 'subject', 'clips', 'correct', 'accuracy')
    rows = [
        [one[key] for key in keys[:3]]
        + [f'{one["correct"]:.1f}'.removesuffix('.0'), measure(one['accuracy'])]
        for one in results['per_subject']
    ]
    return [
        html.section(
            'Subjects',
            html.figure(
                bars,
                "Accuracy on each subject's held-out clips; figures above the bars count them.",
            ),
            html.details('All subjects', html.table(keys, rows)),
            _mistakes(folder),
        )
    ]


def _mistakes(folder):
    """The fifteen wrong answers with the highest score."""
    rows = _optional(folder / files.PREDICTIONS, files.read_predictions)
    if rows is None:
        return _missing(files.PREDICTIONS)
    wrong = [row for row in rows if row['label'] != row['predicted']]
    wrong = sorted(wrong, key=lambda row: -row['scores'][row['predicted']])[:15]
    cells = [
        [
            *(row[key] for key in ('clip', 'subject', 'dataset', 'seed', 'label', 'predicted')),
            measure(row['scores'][row['predicted']]),
            measure(row['scores'][row['label']]),
        ]
        for row in wrong
    ]
    header = [
        'clip',
        'subject',
        'data set',
        'seed',
        'truth',
        'answer',
        'score of answer',
        'score of truth',
    ]
    return html.details('Surest mistakes', html.table(header, cells))


def _oracle(folder, results):
    """What choosing epochs on the left-out subjects would have reported."""
    block = results['oracle_epoch']
    title = 'What choosing the epoch on the left-out subject would report'
    if not block and (folder / files.HEADS).exists():
        return ''  # machines answer once, after the last epoch
    if not block:
        words = (
            'Not measured: held-out outputs of every epoch were not kept '
            '(evaluate.every_epoch is off).'
        )
        return html.section(title, html.paragraph(words, 'soft'))
    curve = html.drawn(folder, 'oracle', plots.oracle, block)
    warning = html.paragraph(block['note'], 'warning')
    return html.section(
        title,
        warning,
        html.oracle_table(results),
        html.figure(
            curve,
            'Held-out measures after each epoch; dashed: the figures that per-fold choice would '
            'claim.',
        ),
    )


def _generated(folder):
    """What the folds' GANs made, and how it compares with what they saw."""
    found = _optional(folder / files.GAN / 'checks.json', files.read_json)
    if found is None:
        return ''
    told, made = [], []
    for block in found['folds']:
        test, near = block['two_sample'], block['memorised']
        figures = test['made']['auc'], test['chance']['auc'], near['ratio'], near['copies']
        told.append([block['fold'], *map(measure, figures)])
        made += [
            [block['fold'], kind, side, *(shown(numbers[key]) for key in NUMBERS)]
            for kind, sides in block['statistics'].items()
            for side, numbers in sides.items()
        ]
    header = [
        'fold',
        'told from real (AUC)',
        'halves of the real',
        'distance to the nearest real',
        'copies',
    ]
    words = (
        'AUC of a classifier told to separate made from real training images (1: always, .5: '
        'cannot), beside two halves of '
        'the real ones; distance of a made image to its nearest training image over that between '
        'training images (far below '
        '1: repeats them), and the share that is as near as the nearest hundredth of those.'
    )
    pictures = [
        html.figure(html.data_uri(folder / files.GAN / name, 'png'), text)
        for name, text in GENERATED.items()
        if (folder / files.GAN / name).exists()
    ]
    every = ['fold', 'class', 'side', 'images', 'level', 'sd', 'roughness', 'energy']
    return html.section(
        'Images of the GAN',
        *pictures,
        html.table(header, told),
        html.paragraph(words, 'soft'),
        html.details('Statistics', html.table(every, made)),
    )


def _looks(folder, results):
    """Maps of what the network looks at, where the verb explain drew them; how to draw them where
    it could.
    """
    title, drawn = 'What the network looks at', folder / files.EXPLAIN
    settings = _optional(folder / files.CONFIG, files.read_json) or {}
    if not (drawn / LOOKS[0]).exists():
        if settings.get('model', {}).get('name') not in regional():
            return ''
        words = (
            f'Not drawn yet: python main.py explain --config=configs/{results["name"]}.py, '
            'with the flags of this run.'
        )
        return html.section(title, html.paragraph(words, 'soft'))
    words = _optional(drawn / LOOKS_WORDS, files.read_json) or {}
    pieces = [_look(drawn / name, words.get(name)) for name in LOOKS]
    foot = html.paragraph(
        f'Larger pictures, and of more clips, stand in {files.EXPLAIN}/ (index.csv lists them).',
        'soft',
    )
    return html.section(title, f'<div class="looks">{"".join(pieces)}</div>', foot)


def _look(path, words):
    """A picture with its words; the words alone, which say why, where it was not drawn."""
    if not path.exists():
        return html.paragraph(words or f'{files.EXPLAIN}/ holds no {path.name}.', 'soft')
    return html.figure(html.data_uri(path, 'png'), words or path.stem)


def _folds(folder, results):
    """The fold table, with the accuracy of each fold."""
    rows = _optional(folder / files.FOLDS, files.read_csv)
    if not rows:
        return html.section('Folds', _missing(files.FOLDS))
    accuracy = {str(one['fold']): measure(one['accuracy']) for one in results['per_fold']}
    cells = [[*row.values(), accuracy.get(row.get('fold'), '–')] for row in rows]
    return html.section(
        'Folds', html.details(plural(len(rows), 'fold'), html.table([*rows[0], 'accuracy'], cells))
    )


def _dropped(folder):
    """Clips that were left out of the experiment, counted by reason."""
    rows = _optional(folder / files.DROPPED, files.read_csv)
    if rows is None:
        return html.section('Clips left out', _missing(files.DROPPED))
    if not rows:
        return html.section(
            'Clips left out', html.paragraph('None: every clip of the data sets was used.', 'soft')
        )
    pairs = [(row['dataset'], row['reason']) for row in rows]
    counts = [[*pair, pairs.count(pair)] for pair in dict.fromkeys(pairs)]
    every = html.details(
        plural(len(rows), 'clip'), html.table(list(rows[0]), [list(row.values()) for row in rows])
    )
    return html.section(
        'Clips left out', html.table(['data set', 'reason', 'clips'], counts), every
    )


def _run(folder, results):
    """Plan, time, data and versions."""
    plan = results.get('plan') or _optional(folder / files.PLAN, files.read_json)
    found = {'plan': plan, **{key: results.get(key) for key in ('seconds', 'data', 'versions')}}
    found = {key: block for key, block in found.items() if block}
    return html.section(
        'Plan, time, data and versions', html.tree_table(found) if found else _missing(files.PLAN)
    )


def _settings(folder):
    """config.json, flat."""
    settings = _optional(folder / files.CONFIG, files.read_json)
    if settings is None:
        return html.section('Settings', _missing(files.CONFIG))
    return html.section(
        'Settings', html.details('All settings', html.tree_table(settings, ('setting', 'value')))
    )


def _optional(path, read):
    """What `read` finds, None for a missing file."""
    return read(path) if path.exists() else None


def _missing(name):
    """A line in place of what a missing file would have shown."""
    return html.paragraph(f"This run's folder holds no {name}.", 'soft')
