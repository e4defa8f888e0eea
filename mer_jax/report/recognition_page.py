"""The report of a run, made from the files of its folder alone: report.html with its plots, and the
terminal table.
"""

from pathlib import Path

from mer_jax.models import regional
from mer_jax.report import page as html
from mer_jax.report import plots
from mer_jax.report.text import measure, plural, shown, size, verdict
from mer_jax.report.text import table as table
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig, flat
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.explanations import Captions
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.gan import GanChecks
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.svms import SvmTable

# what the verb explain draws; words for them in Captions
LOOKS = ('montage.png', 'scenarios.png', 'au_features.png')
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
    results = RecognitionResults.read(folder).to_json()
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
    writing.write_text(path, html.page(f'{results["name"]}: {results["protocol"]}', parts))
    return path


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
    log = _optional(folder, MetricsLog)
    if not log or not log.records:
        return (
            ''
            if (folder / files.HEADS).exists()
            else html.section('Training', _missing(files.METRICS))
        )
    records = [record.to_json() for record in log.records]
    curves = html.drawn(folder, 'curves', plots.curves, records)
    return html.section('Training', html.figure(curves, 'Measured on training rows only.'))


def _machines(folder):
    """What the folds' support vector machines chose; '' where the network itself answers."""
    svms = _optional(folder, SvmTable)
    if not svms or not svms.rows:
        return ''
    chosen = {}
    for row in svms.rows:
        chosen.setdefault((row.cost, row.gamma), []).append(row)
    table = [
        [
            f'{cost:g}',
            f'{gamma:g}',
            len(own),
            _spread([row.support_vectors for row in own], 0),
            _spread([row.inner_uf1 for row in own], 3),
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


def _spread(column, digits):
    """'low to high' of a column; a dash where it is empty."""
    values = [value for value in column if value is not None]
    return f'{min(values):.{digits}f} to {max(values):.{digits}f}' if values else '–'


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
    predictions = _optional(folder, PredictionTable)
    if predictions is None:
        return _missing(files.PREDICTIONS)
    wrong = [row for row in predictions.rows if row.label != row.predicted]
    wrong = sorted(wrong, key=lambda row: -row.scores[row.predicted])[:15]
    cells = [
        [
            *(row.clip, row.subject, row.dataset, row.seed, row.label, row.predicted),
            measure(row.scores[row.predicted]),
            measure(row.scores[row.label]),
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
    checks = _optional(folder / files.GAN, GanChecks)
    if checks is None:
        return ''
    told, made = [], []
    for block in checks.folds:
        test, near = block.two_sample, block.memorised
        figures = test['made']['auc'], test['chance']['auc'], near['ratio'], near['copies']
        told.append([block.fold, *map(measure, figures)])
        made += [
            [block.fold, kind, side, *(shown(numbers[key]) for key in NUMBERS)]
            for kind, sides in block.statistics.items()
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
    if not (drawn / LOOKS[0]).exists():
        run_config = _optional(folder, RunConfig)
        settings = flat(run_config.settings) if run_config else {}
        by_network = settings.get('head.name', 'none') == 'none'
        if not by_network or settings.get('model.name') not in regional():
            return ''
        words = (
            f'Not drawn yet: python main.py explain --config=configs/{results["name"]}.py, '
            'with the flags of this run.'
        )
        return html.section(title, html.paragraph(words, 'soft'))
    captions = _optional(drawn, Captions)
    words = captions.words if captions else {}
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
    folds = _optional(folder, FoldTable)
    if not folds:
        return html.section('Folds', _missing(files.FOLDS))
    accuracy = {block['fold']: measure(block['accuracy']) for block in results['per_fold']}
    cells = [[*row, accuracy.get(row[0], '–')] for row in folds.cells()]
    table = html.table([*folds.header, 'accuracy'], cells)
    return html.section('Folds', html.details(plural(len(cells), 'fold'), table))


def _dropped(folder):
    """Clips that were left out of the experiment, counted by reason."""
    dropped = _optional(folder, DroppedTable)
    if dropped is None:
        return html.section('Clips left out', _missing(files.DROPPED))
    rows = dropped.rows
    if not rows:
        return html.section(
            'Clips left out', html.paragraph('None: every clip of the data sets was used.', 'soft')
        )
    pairs = [(row.dataset, row.reason) for row in rows]
    counts = [[*pair, pairs.count(pair)] for pair in dict.fromkeys(pairs)]
    every = html.details(plural(len(rows), 'clip'), html.table(DroppedClip._fields, rows))
    return html.section(
        'Clips left out', html.table(['data set', 'reason', 'clips'], counts), every
    )


def _run(folder, results):
    """Plan, time, data and versions."""
    plan = _optional(folder, Plan)
    plan = results['plan'] or (plan and plan.to_json())
    found = {'plan': plan, **{key: results[key] for key in ('seconds', 'data', 'versions')}}
    found = {key: block for key, block in found.items() if block}
    return html.section(
        'Plan, time, data and versions', html.tree_table(found) if found else _missing(files.PLAN)
    )


def _settings(folder):
    """config.json, flat."""
    run_config = _optional(folder, RunConfig)
    if run_config is None:
        return html.section('Settings', _missing(files.CONFIG))
    table = html.tree_table(run_config.settings, ('setting', 'value'))
    return html.section('Settings', html.details('All settings', table))


def _optional(folder, file):
    """What a file of the folder holds, None where it is missing; file: its dataclass."""
    return file.read(folder) if (folder / file.FILE).exists() else None


def _missing(name):
    """A line in place of what a missing file would have shown."""
    return html.paragraph(f"This run's folder holds no {name}.", 'soft')
