"""The report of a run, made from the files of its folder alone: report.html with its plots, and the
terminal table.
"""

from pathlib import Path

from mer_jax import provenance
from mer_jax.models import regional
from mer_jax.report import page, plots, recognition_tables
from mer_jax.report.formats import (
    DASH,
    NAMES_IN_PAPERS,
    interval,
    measure,
    measure_title,
    plural,
)
from mer_jax.report.table import html, listing, tree_listing
from mer_jax.report.text import size, verdict
from mer_jax.report.text import table as table
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.explanations import Captions
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.gan import GanChecks
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.runfiles.naming import config_of
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.svms import SvmTable
from mer_jax.settings.tree import flat

# what the verb explain draws; words for them in Captions
LOOKS = ('montage.png', 'scenarios.png', 'au_features.png')
GENERATED = {
    'samples.png': 'Real images of one fold and those its GAN made: hue is direction, brightness '
    'length of the flow.',
    'nearest.png': 'Made images above the training images that are nearest to them, closest first.',
}
STATISTICS = ('count', 'level', 'level_sd', 'roughness', 'energy')  # of the images of a GAN


def report(folder) -> Path:
    """Draw plots/ and write report.html, one file that opens anywhere; UserError where the folder
    holds no results.
    """
    folder = Path(folder)
    results = RecognitionResults.read(folder).to_json()
    (folder / files.PLOTS).mkdir(exist_ok=True)
    scored = bool(results['per_subject'])
    text = page.render(
        'recognition.html',
        title=f'{results["name"]}: {results["protocol"]}',
        files=files,
        name=results['name'],
        size=size(results),
        verdict=verdict(results),
        leaks=results['leaks'],
        code=provenance.describe(results['versions']),
        names_in_papers=NAMES_IN_PAPERS,
        scores=_scores(folder, results) if scored else None,
        training=_training(folder),
        svms=_svms(folder),
        subjects=_subjects(folder, results) if scored else None,
        oracle=_oracle(folder, results) if scored else {'shown': False},
        generated=_generated(folder),
        looks=_looks(folder, results),
        folds=_folds(folder, results),
        dropped=_dropped(folder),
        run=_run(folder, results),
        settings=_settings(folder),
    )
    path = folder / files.REPORT
    writing.write_text(path, text)
    return path


def _scores(folder, results):
    """Measures, data sets, confusion and classes."""
    count = len(results['per_seed'])
    summed = f'; counts summed over {plural(count, "seed")}' if count > 1 else ''
    bars = page.plot(
        folder,
        'datasets',
        'Whiskers: 95 % interval over subjects.',
        plots.datasets,
        results['per_dataset'],
        results['metrics'],
        results['intervals'],
    )
    confusion = page.plot(
        folder,
        'confusion',
        f'Rows are the truth, columns the prediction{summed}; shade and percentage by row.',
        plots.confusion,
        results['confusion'],
        results['classes'],
    )
    return {
        'tiles': [_tile(results, name) for name in ('uf1', 'uar', 'accuracy')],
        'measures': html(recognition_tables.measures(results)),
        'seeds': html(recognition_tables.seeds(results)) if count > 1 else None,
        'datasets': html(recognition_tables.datasets(results)),
        'bars': bars,
        'few_classes': len(results['classes']) < 5,
        'confusion': confusion,
        'classes': html(recognition_tables.classes(results)),
    }


def _tile(results, name):
    """A measure in large figures."""
    words = f'95 % {interval(results["intervals"][name])}'
    if results['sd'][name] is not None:
        words += f', sd {measure(results["sd"][name])} over seeds'
    return {
        'title': measure_title(name),
        'value': measure(results['metrics'][name]),
        'words': words,
    }


def _training(folder):
    """Training curves from metrics.jsonl; an SVM alone has none."""
    log = _optional(folder, MetricsLog)
    if log is None or not log.records:
        return {'shown': not (folder / files.SVM_TABLE).exists(), 'curves': None}
    records = [record.to_json() for record in log.records]
    caption = 'Measured on training rows only.'
    return {'shown': True, 'curves': page.plot(folder, 'curves', caption, plots.curves, records)}


def _svms(folder):
    """What the folds' support vector machines chose; None where the network itself predicts."""
    table = _optional(folder, SvmTable)
    if table is None or not table.rows:
        return None
    chosen = {}
    for row in table.rows:
        chosen.setdefault((row.cost, row.gamma), []).append(row)
    cells = [
        [
            f'{cost:g}',
            f'{gamma:g}',
            len(svms),
            _spread([svm.support_vectors for svm in svms], 0),
            _spread([svm.inner_uf1 for svm in svms], 3),
        ]
        for (cost, gamma), svms in sorted(chosen.items())
    ]
    return html(listing(['C', 'gamma', 'chosen', 'support vectors', 'UF1 of inner groups'], cells))


def _spread(column, digits):
    """'low to high' of a column; a dash where it is empty."""
    values = [value for value in column if value is not None]
    return f'{min(values):.{digits}f} to {max(values):.{digits}f}' if values else '–'


def _subjects(folder, results):
    """Accuracy of each left-out subject; the surest mistakes."""
    caption = "Accuracy on each subject's held-out clips; figures above the bars count them."
    rows = []
    for block in results['per_subject']:
        correct = f'{block["correct"]:.1f}'.removesuffix('.0')
        whose = [block[key] for key in ('dataset', 'subject', 'clips')]
        rows.append([*whose, correct, measure(block['accuracy'])])
    return {
        'bars': page.plot(folder, 'subjects', caption, plots.subjects, results['per_subject']),
        'table': html(listing(['data set', 'subject', 'clips', 'correct', 'accuracy'], rows)),
        'mistakes': _mistakes(folder),
    }


def _mistakes(folder):
    """The fifteen wrong predictions with the highest score; None without predictions.csv."""
    predictions = _optional(folder, PredictionTable)
    if predictions is None:
        return None
    wrong = [row for row in predictions.rows if row.label != row.predicted]
    wrong.sort(key=lambda row: -row.scores[row.predicted])
    cells = []
    for row in wrong[:15]:
        scores = [row.scores[row.predicted], row.scores[row.label]]
        clip = [row.clip, row.subject, row.dataset, row.seed, row.label, row.predicted]
        cells.append([*clip, *map(measure, scores)])
    titles = ['clip', 'subject', 'data set', 'seed', 'truth', 'prediction']
    return html(listing([*titles, 'score of prediction', 'score of truth'], cells))


def _oracle(folder, results):
    """What choosing epochs on the left-out subjects would have reported."""
    block = results['oracle_epoch']
    if not block:
        # an SVM predicts once, after the last epoch
        return {'shown': not (folder / files.SVM_TABLE).exists(), 'table': None}
    caption = (
        'Held-out measures after each epoch; dashed: the figures that per-fold choice would claim.'
    )
    return {
        'shown': True,
        'note': block['note'],
        'table': html(recognition_tables.oracle(results)),
        'curve': page.plot(folder, 'oracle', caption, plots.oracle, block),
    }


def _generated(folder):
    """What the folds' GANs made, and how it compares with what they saw."""
    checks = _optional(folder / files.GAN, GanChecks)
    if checks is None:
        return None
    rows, statistics = [], []
    for block in checks.folds:
        test, near = block.two_sample, block.memorised
        figures = test['made']['auc'], test['chance']['auc'], near['ratio'], near['copies']
        rows.append([block.fold, *map(measure, figures)])
        for kind, sides in block.statistics.items():
            for side, numbers in sides.items():
                cells = [numbers[key] for key in STATISTICS]
                statistics.append([block.fold, kind, side, *cells])
    titles = [
        'fold',
        'separated from real (AUC)',
        'halves of the real',
        'distance to the nearest real',
        'copies',
    ]
    every = ['fold', 'class', 'side', 'images', 'level', 'sd', 'roughness', 'energy']
    return {
        'pictures': [
            page.picture(folder / files.GAN / name, caption)
            for name, caption in GENERATED.items()
            if (folder / files.GAN / name).exists()
        ],
        'checks': html(listing(titles, rows)),
        'statistics': html(listing(every, statistics)),
    }


def _looks(folder, results):
    """Maps that the verb explain drew, or how to draw them; None for a network that has none."""
    drawn = folder / files.EXPLAIN
    if not (drawn / LOOKS[0]).exists():
        run_config = _optional(folder, RunConfig)
        settings = flat(run_config.settings) if run_config else {}
        by_network = settings.get('head.name', 'none') == 'none'
        if not by_network or settings.get('model.name') not in regional():
            return None
        config = config_of(results['name'])
        return {'command': f'python -m mer_jax explain --config={config}'}
    captions = _optional(drawn, Captions)
    words = captions.captions if captions else {}
    pictures = [_look(drawn / name, words.get(name)) for name in LOOKS]
    return {'command': None, 'pictures': pictures}


def _look(path, words):
    """A picture; words that say why where it was not drawn."""
    if not path.exists():
        return {'picture': None, 'words': words or f'{files.EXPLAIN}/ holds no {path.name}.'}
    return {'picture': page.picture(path, words or path.stem)}


def _folds(folder, results):
    """The fold table, with the accuracy of each fold."""
    folds = _optional(folder, FoldTable)
    if folds is None:
        return None
    accuracy = {block['fold']: measure(block['accuracy']) for block in results['per_fold']}
    cells = [[*row, accuracy.get(row[0], DASH)] for row in folds.cells()]
    table = listing([*folds.header, 'accuracy'], cells)
    return {'count': plural(len(cells), 'fold'), 'table': html(table)}


def _dropped(folder):
    """Clips that were left out of the experiment, counted by reason."""
    dropped = _optional(folder, DroppedTable)
    if dropped is None or not dropped.rows:
        return {'known': dropped is not None, 'table': None}
    rows = dropped.rows
    pairs = [(row.dataset, row.reason) for row in rows]
    counts = [[*pair, pairs.count(pair)] for pair in dict.fromkeys(pairs)]
    clips = listing(list(DroppedClip._fields), [list(row) for row in rows])
    return {
        'known': True,
        'reasons': html(listing(['data set', 'reason', 'clips'], counts)),
        'count': plural(len(rows), 'clip'),
        'table': html(clips),
    }


def _run(folder, results):
    """Plan, time, data and versions."""
    plan = _optional(folder, Plan)
    plan = results['plan'] or (plan and plan.to_json())
    blocks = {'plan': plan, **{key: results[key] for key in ('seconds', 'data', 'versions')}}
    blocks = {key: block for key, block in blocks.items() if block}
    return html(tree_listing(blocks)) if blocks else None


def _settings(folder):
    """config.json, flat."""
    run_config = _optional(folder, RunConfig)
    if run_config is None:
        return None
    return html(tree_listing(run_config.settings, ['setting', 'value']))


def _optional(folder, file):
    """What a file of the folder holds, None where it is missing; file: its dataclass."""
    return file.read(folder) if (folder / file.FILE).exists() else None
