"""What a network looks at: Grad-CAM (Selvaraju et al. 2017) and AU-CAM (Ruan et al. 2022, Eqs. 12
and 13).

Both look at what the last attention passed, as the authors' code does, [R, h, w, D] of R regions:
the term of the last sum that knows places best. For networks that return it as `attended`, the
other term as `skipped`, and have head(maps).
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.errors import UserError
from mer_jax.models import regional
from mer_jax.training import held_out
from mer_jax.types import Explained

SHOWN = ('magnified', 'on_a')  # channels that stand beside the maps


def refuse(model, channels):
    """Raise UserError where there are no regions to map, or no face to lay the maps over."""
    if model not in regional():
        raise UserError(f'model.name is {model!r}; explain knows: {", ".join(regional())}')
    if not set(SHOWN) <= {*channels}:
        raise UserError(
            f'data.channels is {",".join(channels)!r}; explain needs {" and ".join(SHOWN)} '
            'among them'
        )


def class_activation(maps, gradient):
    """[R, h, w] in 0..1 from maps and a gradient [R, h, w, D]: channels weighted by their mean
    gradient, its positive part.
    """
    weight = gradient.mean((1, 2), keepdims=True)
    cam = jax.nn.relu(jnp.sum(weight * maps, -1))
    low, high = cam.min((1, 2), keepdims=True), cam.max((1, 2), keepdims=True)
    # a map without any positive part stays 0
    return (cam - low) / jnp.where(high > low, high - low, 1)


def grad_cam(head, maps):
    """[R, h, w]: where the largest logit comes from; head(maps [R, h, w, D]) -> (logits
    [K], out).
    """
    return class_activation(maps, jax.grad(lambda m: head(m)[0].max())(maps))


def au_cam(head, maps, *, kind='fixed'):
    """[R, h, w]: where the largest component of each region's weighted feature comes from.

    'fixed': every region by its own feature before normalisation. 'released': the authors' code,
    which differentiates the normalised joined feature and keeps the gradient of the last region's
    target for all of them.
    """

    def own(m):
        out = head(m)[1]
        # no region's feature depends on another's maps
        return jnp.sum(jnp.max(out['pooled'] * out['weights'], -1))

    def last(m):
        joined = head(m)[1]['features']
        joined /= jnp.linalg.norm(joined)
        return joined.reshape(len(m), -1)[-1].max()

    return class_activation(maps, jax.grad(own if kind == 'fixed' else last)(maps))


def predictor(model, predict, *, kind):
    """predict(state, inputs) -> ({output, features, grad_cam, au_cam}, {}): the
    learner's, with both maps [B, R, h, w].
    """

    def explained(state, inputs):
        logits, out = predict(state, inputs)
        variables = {'params': state.params, 'batch_stats': state.batch_stats}

        def cams(attended, skipped):
            def head(attended):
                return jax.tree.map(
                    lambda a: a[0],
                    model.apply(variables, jax.nn.relu(attended + skipped)[None], method='head'),
                )

            return {
                'grad_cam': grad_cam(head, attended),
                'au_cam': au_cam(head, attended, kind=kind),
            }

        return {
            'output': logits,
            'features': out['features'],
            **jax.vmap(cams)(out['attended'], out['skipped']),
        }, {}

    return explained


def picture(cam, size):
    """float32[size, size] of maps [R, h, w]: each region enlarged to its share of the picture, one
    below the other.

    Every strided layer of these networks looks at pixels 0, 2, 4, ... and pads by half its kernel,
    so cell (i, j) looks at pixel (stride * i, stride * j), not at the middle of a tile: a plain
    resize shows maps half a cell too low and too far right.
    """
    # strides are powers of two
    places = [
        np.arange(full, dtype=np.float32) / 2 ** np.ceil(np.log2(full / cells))
        for full, cells in zip((size // len(cam), size), cam[0].shape, strict=True)
    ]
    y, x = np.meshgrid(*places, indexing='ij')
    return np.concatenate(
        [
            cv2.remap(
                np.asarray(part, np.float32),
                x.astype(np.float32),
                y.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for part in cam
        ]
    )


def gathered(found, samples, folds, channels) -> Explained:
    """The Explained rows of the first seed: `found` as `predictor` makes it for every held-out row,
    in that order.

    Raises UserError where nothing is held out.
    """
    if found is None:
        raise UserError(
            'explain: protocol.name leaves no clip out, so there is none that a network did not see'
        )
    predictions = held_out.predictions(found['output'], samples, folds)
    face, motion = (channels.index(name) for name in SHOWN)
    own = predictions.seed == predictions.seed.min(initial=0)
    row = predictions.clip[own]  # rows of `samples` stand in order of clip
    size = samples.image.shape[1]
    cams = {
        name: np.stack([picture(cam, size) for cam in found[name][own]])
        for name in ('au_cam', 'grad_cam')
    }
    return Explained(
        clip=row,
        subject=predictions.subject[own],
        dataset=predictions.dataset[own],
        label=predictions.label[own],
        predicted=found['output'][own].argmax(-1),
        action_units=samples.extras['action_units'][row],
        gray=samples.image[row, ..., face],
        on_a=samples.image[row, ..., motion],
        features=found['features'][own],
        **cams,
    )
