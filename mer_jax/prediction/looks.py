"""What the networks of a model look at in a new clip: AU-CAM, for the page of predictions."""

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import models
from mer_jax.explain import maps
from mer_jax.prediction import trained
from mer_jax.prediction.trained import Trained
from mer_jax.types import Array, FoldState, Inputs

# A map takes a pass back through the network, and maps of folds that share nearly all of their
# training clips are alike.
MOST_MEMBERS = 4
LOWERING = 'native'


def au_cam(model: Trained, inputs: Inputs) -> np.ndarray | None:
    """Return where the strongest action-unit feature of each clip comes from.

    The mean over MOST_MEMBERS networks, evenly chosen.

    Args:
        model: opened.
        inputs: of N clips.

    Returns:
        float32[N, S, S] of 0..1; None for a model whose networks have no regions, or that predicts
        by SVMs.
    """
    settings = model.settings
    if settings.head.name != 'none' or settings.model.name not in models.regional():
        return None
    chosen = np.unique(np.linspace(0, len(model.members) - 1, MOST_MEMBERS).round().astype(int))
    states = [_state(model.states, member) for member in chosen]
    name, classes = settings.model.name, len(model.classes)
    options = settings.model.options[name]
    network = models.make(name, classes=classes, lowering=LOWERING, **options)
    predict = maps.predictor(
        network, trained.learner(settings, classes, LOWERING).predict, kind=settings.explain.au_cam
    )

    @jax.jit
    def of_member(state: FoldState, image: Array) -> Array:
        return predict(state, Inputs(image[None], {}))[0]['au_cam'][0]

    cams = []
    for image in inputs.image:
        members = [of_member(state, image) for state in states]
        cams.append(maps.enlarge(np.mean(members, axis=0), image.shape[-2]))
    return np.stack(cams)


def _state(states, member):
    """The state of one member."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[member]), states)
