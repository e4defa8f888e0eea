"""The page of a recognition run: report.html and its plots."""

from pathlib import Path

from mer_jax import provenance
from mer_jax.errors import UserError
from mer_jax.evaluation import DRAWS, OVER_SUBJECTS
from mer_jax.models import regional
from mer_jax.report import (
    alt_texts,
    importance_page,
    page,
    plots,
    recognition_tables,
    run_sections,
)
from mer_jax.report.formats import (
    NAMES_IN_PAPERS,
    interval,
    measure,
    measure_title,
    p_value,
    plural,
    signed,
)
from mer_jax.report.table import html, listing
from mer_jax.report.text import certainty, drawn_faces, size, verdict
from mer_jax.report.text import table as table
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.calibration import Calibration
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.explanations import IN_MONTAGE, Captions, ImportanceTable, PictureTable
from mer_jax.runfiles.gan import GanChecks
from mer_jax.runfiles.naming import config_of
from mer_jax.runfiles.predictions import PredictionTable, matches_results
from mer_jax.runfiles.reading import REMEDY
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.settings.tree import flat

# files of the verb explain, described in Captions
LOOKS = ('montage.png', 'scenarios.png', 'au_features.png')
ON_REQUEST = ('au_features_all_rows.png',)
GENERATED = {
    'samples.png': 'Real images of one fold, and images that its GAN generated. Colours show the '
    'length of the flow, arrows its direction.',
    'nearest.png': 'Generated images above their nearest training images, closest pair first.',
}
STATISTICS = ('count', 'level', 'level_sd', 'roughness', 'energy')  # of the images of a GAN


def report(folder: str | Path) -> Path:
    """Draw plots/ and write report.html, a single file.

    Args:
        folder: of the run.

    Returns:
        The path of report.html.

    Raises:
        UserError: the folder holds no results, or not the predictions that they count.
    """
    folder = Path(folder)
    results = RecognitionResults.read(folder).to_json()
    predictions = _predictions(folder, results)
    (folder / files.PLOTS).mkdir(exist_ok=True)
    scored = bool(results['per_subject'])
    accuracy = {block['fold']: block['accuracy'] for block in results['per_fold']}
    text = page.render(
        'recognition.html',
        title=f'{results["name"]}: {results["protocol"]}',
        files=files,
        name=results['name'],
        size=size(results),
        apexes=results['data'].get('apexes'),
        spotting=(folder / files.SPOTTING / files.REPORT).exists(),
        drawn=drawn_faces(results),
        verdict=verdict(results),
        certainty=certainty(results),
        leaks=results['leaks'],
        code=provenance.describe(results['versions']),
        names_in_papers=NAMES_IN_PAPERS,
        over_subjects=OVER_SUBJECTS,
        draws=DRAWS,
        scores=_scores(folder, results) if scored else None,
        ceiling=_ceiling(results),
        calibration=_calibration(folder) if scored else None,
        training=run_sections.training(folder, results),
        svms=run_sections.svms(folder),
        stack=run_sections.stack(folder),
        detectors=run_sections.detectors(folder),
        subjects=_subjects(folder, results, predictions) if scored else None,
        oracle=_oracle(folder, results) if scored else {'shown': False},
        generated=_generated(folder),
        looks=_looks(folder, results),
        folds=run_sections.folds(folder, accuracy),
        dropped=run_sections.dropped(folder),
        run=run_sections.facts(folder, results),
        settings=run_sections.settings(folder, results),
    )
    path = folder / files.REPORT
    writing.write_text(path, text)
    return path


def _scores(folder, results):
    """Metrics, data sets, confusion and classes."""
    count = len(results['per_seed'])
    summed = f' Counts are sums over {plural(count, "seed")}.' if count > 1 else ''
    bars = page.plot(
        folder,
        'datasets',
        f'Whiskers show 95 % intervals {OVER_SUBJECTS}.',
        plots.datasets,
        results['per_dataset'],
        results['metrics'],
        results['intervals'],
    )
    confusion = page.plot(
        folder,
        'confusion',
        f'Rows are the truth, columns the prediction.{summed} Shades and percentages are those of '
        'the row.',
        plots.confusion,
        results['confusion'],
        results['classes'],
    )
    return {
        'tiles': [_tile(results, name) for name in ('uf1', 'uar', 'accuracy')],
        'measures': html(recognition_tables.measures(results)),
        'seeds': html(recognition_tables.seeds(results)) if count > 1 else None,
        'repeats': _repeats(results),
        'datasets': html(recognition_tables.datasets(results)),
        'bars': bars,
        'few_classes': len(results['classes']) < 5,
        'confusion': confusion,
        'classes': html(recognition_tables.classes(results)),
    }


def _ceiling(results):
    """Annotated action units as a ceiling; None where none are known."""
    table = recognition_tables.ceiling(results)
    if table is None:
        return None
    clips = recognition_tables.ceiling_clips(results['ceiling'])
    return {'table': html(table), 'clips': clips, 'note': results['ceiling']['note']}


def _calibration(folder):
    """How far scores are from probabilities; None where the run has no such file."""
    if not (folder / files.CALIBRATION).exists():
        return None
    content = Calibration.read(folder)
    rows = []
    for title, scores in (('as predicted', content.raw), ('by temperature', content.calibrated)):
        rows.append([title, measure(scores['ece']), measure(scores['loss'])])
    curves = {'as predicted': content.raw['bins'], 'by temperature': content.calibrated['bins']}
    values = [one['temperature'] for one in content.temperatures]
    return {
        'table': html(listing(['scores', 'expected calibration error', 'loss'], rows)),
        'plot': page.plot(
            folder,
            'reliability',
            'Accuracy of held-out rows against the confidence of their scores, in 15 bins, all '
            'seeds together. On the dotted line scores are probabilities. Large marks: many rows.',
            plots.reliability,
            curves,
        ),
        'note': content.note,
        'temperatures': f'{min(values):.3g} to {max(values):.3g}',
    }


def _repeats(results):
    """Draws of the folds, and what their spread is; None for one draw."""
    if not results['repeats']:
        return None
    return {
        'table': html(recognition_tables.repeats(results)),
        'note': results['repeats']['note'],
        'seeds': results['repeats']['seeds'],
    }


def _tile(results, name):
    """A metric in large figures."""
    details = f'95 % {interval(results["intervals"][name])}'
    if results['sd'][name] is not None:
        details += f', sd {measure(results["sd"][name])} over seeds'
    largest, constant = recognition_tables.always_largest(results)
    details += f'; always “{largest}”: {measure(constant[name])}'
    return page.Tile(measure_title(name), measure(results['metrics'][name]), details)


def _predictions(folder, results):
    """The rows of predictions.csv.

    Raises UserError where the file is missing or of another run.
    """
    path = folder / files.PREDICTIONS
    if not path.exists():
        raise UserError(f'{folder} holds no {path.name}; {REMEDY}')
    rows = PredictionTable.read(folder).rows
    if not matches_results(rows, results):
        raise UserError(f'{path}: its rows do not match {files.RESULTS}; {REMEDY}')
    return rows


def _subjects(folder, results, predictions):
    """Accuracy of each left-out subject, and the most certain mistakes."""
    caption = 'Accuracy on the held-out clips of each subject; above the bars the number of clips.'
    rows = []
    for block in results['per_subject']:
        correct = f'{block["correct"]:.1f}'.removesuffix('.0')
        subject = [block[key] for key in ('subject', 'dataset', 'clips')]
        rows.append([*subject, correct, measure(block['accuracy'])])
    return {
        'bars': page.plot(folder, 'subjects', caption, plots.subjects, results['per_subject']),
        'table': html(listing(['subject', 'data set', 'clips', 'correct', 'accuracy'], rows)),
        'mistakes': _mistakes(predictions),
    }


def _mistakes(predictions):
    """The fifteen wrong predictions with the highest score."""
    wrong = [row for row in predictions if row.label != row.predicted]
    wrong.sort(key=lambda row: -row.scores[row.predicted])
    cells = []
    for row in wrong[:15]:
        scores = [row.scores[row.predicted], row.scores[row.label]]
        clip = [row.clip, row.subject, row.dataset, row.seed, row.label, row.predicted]
        cells.append([*clip, *map(measure, scores)])
    titles = ['clip', 'subject', 'data set', 'seed', 'truth', 'prediction']
    return html(listing([*titles, 'score of prediction', 'score of truth'], cells))


def _oracle(folder, results):
    """What choosing epochs on the left-out subjects would report."""
    block = results['oracle_epoch']
    if not block:
        # An SVM predicts once, after the last epoch.
        return {'shown': not (folder / files.SVM_TABLE).exists(), 'table': None}
    caption = (
        'Held-out scores after each epoch. Dashed: the scores that choosing an epoch for each fold '
        'would claim.'
    )
    return {
        'shown': True,
        'note': block['note'],
        'table': html(recognition_tables.oracle(results)),
        'curve': page.plot(folder, 'oracle', caption, plots.oracle, block),
    }


def _generated(folder):
    """Images of the GANs, compared with real ones."""
    checks = run_sections.optional(folder / files.GAN, GanChecks)
    if checks is None:
        return None
    rows, statistics = [], []
    sources = {'real': 'real', 'made': 'generated'}
    for block in checks.folds:
        test, near = block.two_sample, block.memorised
        figures = test['made']['auc'], test['chance']['auc'], near['ratio'], near['copies']
        rows.append([block.fold, *map(measure, figures)])
        for title, sides in block.statistics.items():
            for side, numbers in sides.items():
                cells = [numbers[key] for key in STATISTICS]
                statistics.append([block.fold, title, sources[side], *cells])
    titles = [
        'fold',
        'AUC generated / real',
        'AUC real / real',
        'relative distance to nearest real',
        'copies',
    ]
    every = ['fold', 'class', 'source', 'images', 'level', 'sd', 'roughness', 'energy']
    first = checks.folds[0]
    alts = {
        'samples.png': alt_texts.generated(first.statistics),
        'nearest.png': alt_texts.nearest(first.memorised['ratio'], first.memorised['copies']),
    }
    return {
        'pictures': [
            page.picture(folder / files.GAN / name, caption, alts[name])
            for name, caption in GENERATED.items()
            if (folder / files.GAN / name).exists()
        ],
        'checks': html(listing(titles, rows)),
        'statistics': html(listing(every, statistics)),
    }


def _looks(folder, results):
    """Maps, or the command that draws them.

    None for a network without maps.
    """
    drawn = folder / files.EXPLAIN
    if (drawn / files.IMPORTANCE).exists():
        return _importance(drawn)
    if not (drawn / LOOKS[0]).exists():
        run_config = run_sections.optional(folder, RunConfig)
        settings = flat(run_config.settings) if run_config else {}
        by_network = settings.get('head.name', 'none') == 'none'
        if not by_network or settings.get('model.name') not in regional():
            return None
        config = config_of(results['name'])
        return {'command': f'python -m mer_jax explain --config={config}', 'table': None}
    captions = run_sections.optional(drawn, Captions)
    texts = captions.captions if captions else {}
    # What was drawn on request has a caption.
    names = [*LOOKS, *(name for name in ON_REQUEST if name in texts)]
    alts = {LOOKS[0]: _montage(drawn)}
    pictures = [_look(drawn / name, texts.get(name), alts.get(name, '')) for name in names]
    return {'command': None, 'pictures': pictures, 'table': None}


def _importance(drawn):
    """What each group of features is worth to the SVMs of the run."""
    captions = run_sections.optional(drawn, Captions)
    picture = importance_page.PICTURE
    rows = ImportanceTable.read(drawn).rows
    cells = [
        [row.group, row.features, signed(row.lost), interval(_edges(row)), p_value(row.p)]
        for row in rows
    ]
    titles = ['features', 'numbers', 'accuracy lost', '95 %', 'p']
    caption = captions and captions.captions.get(picture)
    return {
        'command': None,
        'pictures': [_look(drawn / picture, caption, alt_texts.importance(rows))],
        'table': html(listing(titles, cells)),
    }


def _edges(row):
    return None if row.low is None else [row.low, row.high]


def _montage(drawn):
    """What is seen in montage.png; '' where the folder lists no pictures."""
    pictures = run_sections.optional(drawn, PictureTable)
    return alt_texts.montage(pictures.rows[:IN_MONTAGE]) if pictures else ''


def _look(path, caption, alt):
    """A picture, or a sentence on why it is missing."""
    if not path.exists():
        return {'picture': None, 'reason': caption or f'{files.EXPLAIN}/ holds no {path.name}.'}
    return {'picture': page.picture(path, caption or path.stem, alt)}
