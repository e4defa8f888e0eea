"""tensorboard/: what TensorBoard's own reader finds in it."""

import numpy as np
import pytest

from mer_jax.evaluation import score
from mer_jax.runfiles import board
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import EpochRecord
from mer_jax.types import Names, Predictions
from tests.support import run_folders

event_accumulator = pytest.importorskip(
    'tensorboard.backend.event_processing.event_accumulator', reason='reads the files'
)
plugin_data_pb2 = pytest.importorskip('tensorboard.plugins.hparams.plugin_data_pb2')
NAMES = Names(('a', 'b'), ('s1', 's2'), ('set',), tuple('wxyz'), ())
SETTINGS = {
    'train': {'learning_rate': 0.001, 'fold_by_fold': False},
    'head': {'cost': [1.0, 2.0]},
    'augment': {'flip': 0.0},
    'model': {'name': 'ststnet', 'ststnet': {'dropout': 0.5}, 'vggm': {'width': 3}},
}


def read(folder, name):
    """What TensorBoard reads of one folder."""
    reader = event_accumulator.EventAccumulator(str(folder / 'tensorboard' / name))
    reader.Reload()
    return reader


def curve(reader, tag):
    """[(step, value)] of a chart."""
    return [(event.step, round(event.value, 6)) for event in reader.Scalars(tag)]


def test_the_spread_over_folds_is_one_chart(tmp_path):
    """TensorBoard showed the mean alone: one fold that diverged was not seen."""
    figures = {'loss': 0.5, 'loss_min': 0.25, 'loss_max': 4.0}
    curves = board.curves(tmp_path, 0)
    curves.add([EpochRecord(epoch, 0, 5, 0.1, figures) for epoch in (1, 2)])
    curves.close()
    for ending, value in (('', 0.5), ('_min', 0.25), ('_max', 4.0)):
        assert curve(read(tmp_path, f'group_0{ending}'), 'train/loss') == [(1, value), (2, value)]


def test_held_out_scores_and_hparams_are_read_back(tmp_path):
    """Runs are compared by these; a score that was not measured must have no point."""
    RunConfig(SETTINGS, '').write(tmp_path)
    label, subject, zero = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.zeros(4, int)
    logits = np.eye(2)[[0, 1, 1, 1]]
    rows = np.arange(4), zero, subject, zero, label, subject, zero
    predictions = Predictions(*rows, logits)
    epochs = np.stack([np.eye(2)[[1, 0, 1, 0]], logits])
    oracle = score.oracle(epochs, predictions, NAMES)
    results = run_folders.recognition_results(predictions, NAMES, epochs=2, oracle_epoch=oracle)
    board.write_held_out(tmp_path, results)
    board.write_held_out(tmp_path, results)  # scored again: it replaces the file
    reader = read(tmp_path, 'held_out')
    uf1 = results.metrics['uf1']
    assert curve(reader, 'held_out/uf1') == [(1, 0.0), (2, pytest.approx(uf1, abs=1e-6))]
    (histogram,) = reader.Histograms('held_out/accuracy_of_folds')
    values = histogram.histogram_value
    assert (values.num, values.min, values.max) == (2, 0.5, 1)
    data = reader.PluginTagToContent('hparams')
    start = plugin_data_pb2.HParamsPluginData.FromString(data['_hparams_/session_start_info'])
    shown = start.session_start_info.hparams
    assert shown['train.learning_rate'].number_value == 0.001
    assert shown['head.cost'].string_value == '[1.0, 2.0]'
    assert 'model.ststnet.dropout' in shown and 'model.vggm.width' not in shown
    assert 'augment.flip' not in shown  # it is the default
    experiment = plugin_data_pb2.HParamsPluginData.FromString(data['_hparams_/experiment'])
    metrics = [metric.name.tag for metric in experiment.experiment.metric_infos]
    assert metrics == ['held_out/uf1', 'held_out/uar', 'held_out/accuracy']


def test_a_run_of_spotting_shows_its_error(tmp_path):
    """It has no UF1; a chart of zeros would look like a failed run."""
    decoder = {'mae': 3.5}
    results = run_folders.spotting_results({'sw_max': decoder}, epochs=7)
    board.write_held_out(tmp_path, results)
    reader = read(tmp_path, 'held_out')
    assert curve(reader, 'held_out/mean_error_frames') == [(7, 3.5)]
    board.write_held_out(tmp_path, run_folders.spotting_results({}))
    assert not read(tmp_path, 'held_out').Tags()['scalars']
