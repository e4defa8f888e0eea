"""What is sent to MLflow; the sending itself where MLflow and SQLAlchemy are installed."""

import numpy as np
import pytest

from contrib import mlflow_export
from mer_jax.runfiles import metrics_log
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import EpochRecord
from mer_jax.types import Names, Predictions
from tests.support import run_folders

NAMES = Names(('a', 'b'), ('person1', 'person2'), ('set',), ('clip1', 'clip2'), ())


@pytest.fixture
def run(tmp_path):
    """The folder of a run with two groups, a path among its settings, and a leak that names it."""
    settings = {
        'data': {'manual_dir': '/home/me/CASME2', 'size': 28},
        'model': {'name': 'ststnet', 'init_from': '/home/me/w.pth', 'vggm': {'width': 3}},
        'train': {'learning_rate': 0.001},
    }
    RunConfig(settings, '').write(tmp_path)
    for group, runs, loss in ((0, 3, 1.0), (1, 1, 2.0)):
        figures = {'loss': loss, 'loss_min': loss, 'loss_max': loss}
        metrics_log.append(tmp_path, [EpochRecord(1, group, runs, 0.1, figures)])
    zero, two = np.zeros(2, int), np.arange(2)
    predictions = Predictions(two, zero, two, zero, two, two, zero, np.eye(2))
    leaks = ['one file of weights for all folds (/home/me/w.pth)']
    results = run_folders.recognition_results(
        predictions, NAMES, epochs=1, folds=2, seeds=1, leaks=leaks
    )
    results.write(tmp_path)
    return tmp_path


def test_settings_curves_and_scores_are_sent_and_nothing_private(run):
    """Clips and subjects of a licensed data set, and paths that name people, would be public."""
    content = mlflow_export.content(run)
    assert content.settings['train.learning_rate'] == '0.001'
    assert 'model.vggm.width' not in content.settings
    points = {(name, epoch): value for name, value, epoch in content.points}
    assert points['train/loss', 1] == 1.25 and points['train/loss_max', 1] == 2
    assert points['held_out/uf1', 1] == 1
    assert content.tags['leaks'] == 'one file of weights for all folds ((left out))'
    sent = str(content)
    for private in ('/home', 'person1', 'clip1', str(run)):
        assert private not in sent


def test_a_run_reaches_mlflow_once(run, tmp_path, capsys, monkeypatch):
    """A second copy of a run would count twice in every chart."""
    mlflow = pytest.importorskip('mlflow', reason='receives the run')
    pytest.importorskip('sqlalchemy', reason='the database of MLflow')
    monkeypatch.chdir(tmp_path)  # where MLflow puts a folder
    to = f'sqlite:///{tmp_path}/mlflow.db'
    for _ in range(2):
        assert mlflow_export.main([str(run), f'--to={to}', '--experiment=mine']) == 0
    assert 'is there already' in capsys.readouterr().out
    client = mlflow.MlflowClient(to)
    (stored,) = client.search_runs([client.get_experiment_by_name('mine').experiment_id])
    assert stored.data.params['train.learning_rate'] == '0.001'
    (point,) = client.get_metric_history(stored.info.run_id, 'held_out/uf1')
    assert (point.step, point.value) == (1, 1)


def test_a_folder_without_results_is_one_line(tmp_path, capsys):
    """A traceback names no folder."""
    assert mlflow_export.main([str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
