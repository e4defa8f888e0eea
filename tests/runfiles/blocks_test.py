"""results.json, checks.json and captions.json: read back as written, faults named by their key."""

import json

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.runfiles import results, writing
from mer_jax.runfiles.explanations import Captions
from mer_jax.runfiles.gan import FoldChecks, GanChecks
from mer_jax.runfiles.results import RecognitionResults, SpottingResults
from mer_jax.types import Names, Predictions
from tests.support.run_folders import recognition_results, spotting_results

NAMES = Names(('low', 'high'), ('s0', 's1'), ('smic',), ('c0', 'c1', 'c2', 'c3'), ())


def recognition():
    """Results of four clips of two subjects, two seeds, with the oracle block."""
    place = np.arange(8) % 4
    arrays = [place, 0 * place, place % 2, 0 * place, place // 2, place % 2, np.arange(8) // 4]
    outputs = np.random.default_rng(0).normal(size=(3, 8, 2)).astype(np.float32)
    predictions = Predictions(*(array.astype(np.int32) for array in arrays), outputs[-1])
    oracle = score.oracle(outputs, predictions, NAMES)
    return recognition_results(predictions, NAMES, oracle_epoch=oracle)


def spotting():
    """Results of a spotter with one decoder beside the midpoint."""
    error = {'mae': 2.5, 'interval': [1.0, 4.0], 'mae_ms': 12.5, 'interval_ms': None, 'sd': None}
    part = {key: error[key] for key in ('mae', 'interval', 'mae_ms', 'interval_ms')}
    error['per_dataset'] = {'smic': {'clips': 4, **part}}
    gain = {'difference': -1.5, 'interval': [-3.0, 0.5], 'p': 0.25}
    blocks = {'max': {**error, 'against': {'midpoint': gain}}, 'midpoint': {**error, 'against': {}}}
    return spotting_results(blocks, answer='max')


@pytest.mark.parametrize('made', [recognition(), spotting()], ids=['recognition', 'spotting'])
def test_results_round_trip(made, tmp_path):
    """What a run claims must be what a reader finds."""
    made.write(tmp_path)
    assert results.read(tmp_path) == made == type(made).read(tmp_path)
    assert list(json.loads((tmp_path / 'results.json').read_text())) == list(made.to_json())


def test_a_run_that_scores_nothing_round_trips(tmp_path):
    """A model to ship holds nothing out: every measure is undefined."""
    nothing = Predictions(*[np.zeros(0, np.int32)] * 7, np.zeros((0, 2), np.float32))
    made = recognition_results(nothing, NAMES, plan=None)
    made.write(tmp_path)
    assert results.read(tmp_path) == made and made.metrics['uf1'] is None
    spotting_results({}).write(tmp_path)
    assert results.read(tmp_path).spotting == {}


def change(tree, key, value):
    """The tree with another value at a dotted key; without the key where the value is `...`."""
    *branches, leaf = key.split('.')
    tree = json.loads(json.dumps(tree))
    block = tree
    for branch in branches:
        block = block[int(branch) if branch.isdigit() else branch]
    if value is ...:
        del block[leaf]
    else:
        block[int(leaf) if leaf.isdigit() else leaf] = value
    return tree


@pytest.mark.parametrize(
    ('made', 'key', 'value', 'words'),
    [
        (recognition, 'protocol', ..., "'protocol'.*score"),
        (recognition, 'metrics.precision', ..., "'metrics.precision'.*score"),
        (recognition, 'metrics.uf1', 1.5, 'metrics.uf1.*1.5.*a number from 0 to 1'),
        (recognition, 'metrics.uf1', 'x', "metrics.uf1.*'x'.*a number from 0 to 1"),
        (recognition, 'seeds', -1, 'seeds.*-1.*a whole number from 0'),
        (recognition, 'seeds', True, 'seeds.*True.*a whole number from 0'),
        (recognition, 'leaks', 'none', "leaks.*'none'.*a list"),
        (recognition, 'intervals.uar', [0.5], r'intervals.uar.*\[0.5\].*a list of 2'),
        (recognition, 'confusion.1', [4], r'confusion.1.*\[4\].*a list of 2'),
        (recognition, 'per_subject.0.clips', None, 'per_subject.0.clips.*None.*a number'),
        (recognition, 'per_class.low', 1, 'per_class.low.*1.*a dict'),
        (recognition, 'oracle_epoch.note', 3, 'oracle_epoch.note.*3.*text'),
        (recognition, 'data.labels', ..., "'data.labels'"),
        (recognition, 'accuracy', 1.0, "'accuracy'.*RecognitionResults"),
        (spotting, 'answer', ..., "'answer'.*score"),
        (spotting, 'answer', 'guess', "answer.*'guess'.*'max' or 'midpoint'"),
        (spotting, 'spotting.max.mae', -1, 'spotting.max.mae.*-1.*a number from 0'),
        (spotting, 'spotting.max.mae', float('nan'), 'spotting.max.mae.*nan.*a number'),
        (spotting, 'spotting.max.against.midpoint.p', 2, 'midpoint.p.*2.*a number from'),
    ],
)  # fmt: skip
def test_a_fault_of_results_is_named_by_its_key(made, key, value, words, tmp_path):
    """A traceback would not tell that the run need only be scored again."""
    tree = change(made().to_json(), key, value)
    (tmp_path / 'results.json').write_text(json.dumps(tree))
    with pytest.raises(UserError, match=f'results.json: .*{words}') as error:
        results.read(tmp_path)
    assert '\n' not in str(error.value)


def test_results_of_the_other_task_are_refused(tmp_path):
    """A page for classes cannot show errors in frames."""
    spotting().write(tmp_path)
    with pytest.raises(UserError, match="'metrics'"):
        RecognitionResults.read(tmp_path)
    recognition().write(tmp_path)
    with pytest.raises(UserError, match="'task'"):
        SpottingResults.read(tmp_path)
    (tmp_path / 'results.json').unlink()
    with pytest.raises(UserError, match='results.json.*train'):
        results.read(tmp_path)


def checks():
    """Checks of the images of one fold."""
    side = {'count': 3, 'level': 0.5, 'level_sd': 0.25, 'roughness': 0.125, 'energy': 2.0}
    return GanChecks(
        (
            FoldChecks(
                fold='s1',
                memorised={'ratio': 1.5, 'copies': 0.25},
                two_sample={'made': {'auc': 0.75}, 'chance': {'auc': None}},
                statistics={'low': {'real': side, 'made': side | {'count': 0, 'energy': None}}},
            ),
        )
    )


def test_checks_of_a_gan_round_trip_and_faults_are_named(tmp_path):
    """An AUC beyond 1, or none, would be printed as a result."""
    checks().write(tmp_path)
    assert GanChecks.read(tmp_path) == checks()
    tree = json.loads((tmp_path / 'checks.json').read_text())
    for key, value, words in (
        ('folds.0.two_sample.made.auc', 1.5, 'made.auc.*1.5.*a number from 0 to 1'),
        ('folds.0.memorised', ..., "'folds.0.memorised'"),
        ('folds.0.fold', 3, 'folds.0.fold.*3.*text'),
    ):
        writing.write_json(tmp_path / 'checks.json', change(tree, key, value))
        with pytest.raises(UserError, match=f'checks.json: .*{words}'):
            GanChecks.read(tmp_path)


def test_captions_round_trip_and_faults_are_named(tmp_path):
    """A picture without words cannot be read."""
    captions = Captions({'montage.png': 'Maps of six clips', 'scenarios.png': 'too few clips'})
    captions.write(tmp_path)
    assert Captions.read(tmp_path) == captions
    (tmp_path / 'captions.json').write_text('{"montage.png": 3}')
    with pytest.raises(UserError, match='captions.json: montage.png.*3.*text'):
        Captions.read(tmp_path)
