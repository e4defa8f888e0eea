"""The verb explain: what a finished run looks at in clips that it did not see.

Of networks maps over the face; of SVMs how much each kind of features weighs.
"""

from pathlib import Path

import numpy as np

from mer_jax.classical import refuse_unexplained
from mer_jax.data import channels
from mer_jax.errors import UserError
from mer_jax.experiment import build, check_by_class, pretraining, results, run
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.explain import maps, svms
from mer_jax.folds import protocols
from mer_jax.folds.rows import of_data_set
from mer_jax.report import overlays
from mer_jax.runfiles import files
from mer_jax.runfiles.folder import lock
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import parallel, plan
from mer_jax.types import Explained

ALL_ROWS = 'all_rows'  # folder of the network that is trained on all clips
ONE_NETWORK = {
    'protocol.name': 'all_rows',
    'protocol.repeat': 1,
    'protocol.validation': 0.0,
    'protocol.train_subjects': 0,
    'protocol.evaluate_on': 'test',
    'train.seeds': 1,
    'evaluate.every_epoch': False,
}


def explain(config: rules.Config, workdir: str | Path) -> dict:
    """Draw what a finished run looks at, and write its report again.

    Args:
        config: settings of the run, nested.
        workdir: the folder of the run.

    Returns:
        The content of results.json.

    Raises:
        UserError: the run is not finished, or its network has no regions to show.
    """
    settings = rules.checked(config)
    check_by_class(settings.data.task, 'explain: shows what serves to name a class')
    if settings.choose.groups:
        raise UserError(
            f'choose.groups is {settings.choose.groups}: the networks of the epochs that folds '
            'chose are not kept; explain a run without it'
        )
    by_svm = settings.head.name != 'none'
    names = channels.parse(settings.data.channels)
    if not by_svm:
        maps.refuse(settings.model.name, names)
    folder = run_folder.finished(workdir, settings)
    refuse_unexplained(settings, folder)
    parallel.start(plan.cache_folder() / 'xla')
    with lock(folder):
        experiment, shapes = run.open_run(settings, folder)
        experiment = build.with_generated(experiment, folder)
        if by_svm:
            for path in svms.write(experiment, shapes, folder):
                print(f'explain: {path}')
            return results.reported(folder)
        explained = _explained(experiment, shapes, folder)
        whole = None
        if settings.explain.scope == 'all_rows':
            whole = explained_by_one(settings, folder / files.EXPLAIN / ALL_ROWS)
        shown = {'faces': settings.explain.faces, 'count': settings.explain.clips}
        for path in overlays.write(folder, explained, experiment.data.names, whole=whole, **shown):
            print(f'explain: {path}')
    return results.reported(folder)


def explained_by_one(settings: Settings, folder: Path) -> Explained:
    """Train one network on all clips, and return what it looks at in them.

    Nothing of it is held out: it shows how a network arranges what it was taught.

    Args:
        settings: of the run.
        folder: of the network; a finished one is not trained again.

    Raises:
        UserError: the settings name a file for each left-out subject.
    """
    settings = tree.changed(settings, ONE_NETWORK)
    rules.check(settings)
    folder.mkdir(parents=True, exist_ok=True)
    print(f'explain: one network on all clips -> {folder}', flush=True)
    experiment, shapes = run.open_run(settings, folder)
    experiment = pretraining.trained(experiment, folder)
    clips = int(np.sum(of_data_set(experiment.data.samples)))  # images of a GAN come behind them
    experiment = build.with_generated(experiment, folder)
    folds = protocols.predict_all_rows(experiment.folds, clips, train_on_held_out=False)
    return _explained(experiment._replace(folds=folds), shapes, folder)


def _explained(experiment, shapes, folder):
    """What the networks of a run look at in the clips that its folds hold out."""
    settings = experiment.settings
    chosen = build.choose_plan(experiment, shapes, folder)
    learner = build.learner(experiment, chosen.lowering)
    model = build.model(experiment, chosen.lowering)
    predict = maps.predictor(model, learner.predict, kind=settings.explain.au_cam)
    outputs = run.train_groups(experiment, chosen, learner._replace(predict=predict), folder, {})
    names = channels.parse(settings.data.channels)
    return maps.explained_clips(outputs, experiment.data.samples, experiment.folds, names)
