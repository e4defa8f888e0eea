"""The verb explain: pictures of what a finished run looks at in clips that it did not see."""

from pathlib import Path

from mer_jax.data import channels
from mer_jax.errors import UserError
from mer_jax.experiment import build, results, run
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.explain import maps
from mer_jax.report import overlays
from mer_jax.runfiles.folder import lock
from mer_jax.training import parallel, plan


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
    names = channels.parse(settings.data.channels)
    maps.refuse(settings.model.name, names)
    if settings.head.name != 'none':
        raise UserError(
            f'explain: shows what a network looks at, but head.name {settings.head.name} answers; '
            'allowed: none'
        )
    folder = run_folder.finished(workdir, settings)
    parallel.start(plan.cache_folder() / 'xla')
    with lock(folder):
        experiment, shapes = run.open_run(settings, folder)
        experiment = build.with_generated(experiment, folder)
        chosen = build.choose_plan(experiment, shapes, folder)
        learner = build.learner(experiment, chosen.lowering)
        model = build.model(experiment, chosen.lowering)
        predict = maps.predictor(model, learner.predict, kind=settings.explain.au_cam)
        learner = learner._replace(predict=predict)
        outputs = run.train_groups(experiment, chosen, learner, folder, {})
        data = experiment.data
        explained = maps.explained_clips(outputs, data.samples, experiment.folds, names)
        shown = {'faces': settings.explain.faces, 'count': settings.explain.clips}
        for path in overlays.write(folder, explained, data.names, **shown):
            print(f'explain: {path}')
    return results.reported(folder)
