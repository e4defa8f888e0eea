"""The verb explain: pictures of what a finished run looks at in clips that it did not see."""

from mer_jax.data import sources
from mer_jax.errors import UserError
from mer_jax.experiment import build, results, run, settings
from mer_jax.experiment import folder as run_folder
from mer_jax.explain import maps
from mer_jax.report import overlays
from mer_jax.runfiles.folder import lock
from mer_jax.training import parallel, plan


def explain(config, workdir) -> dict:
    """Draw what a finished run looks at, and write its report again; returns its results."""
    settings.check(config.to_dict())
    channels = sources.channels(config.data.channels)
    maps.refuse(config.model.name, channels)
    if config.head.name != 'none':
        raise UserError(
            f'explain: shows what a network looks at, but head.name {config.head.name} answers; '
            'allowed: none'
        )
    folder = run_folder.finished(workdir, config.to_dict())
    parallel.start(plan.cache_folder() / 'xla')
    with lock(folder):
        loaded, folds, titles = build.inputs(config)
        shapes = build.check_fit(config, loaded, folds, titles, folder)
        run_folder.enter(folder, config.to_dict(), loaded)
        loaded, folds = build.generated(config, loaded, folds, titles, folder)
        layout = build.layout(config, loaded, folds, folder, shapes)
        learner = build.learner(config, loaded, folds, layout.lowering)
        model = build.model(config, loaded, layout.lowering)
        predict = maps.predictor(model, learner.predict, kind=config.explain.aucam)
        learner = learner._replace(predict=predict)
        outputs = run.train_groups(config, loaded, folds, titles, layout, folder, {}, learner)
        explained = maps.gathered(outputs, loaded.samples, folds, channels)
        shown = {'faces': config.explain.faces, 'count': config.explain.clips}
        for path in overlays.write(folder, explained, loaded.names, **shown):
            print(f'explain: {path}')
    return results.reported(folder)
