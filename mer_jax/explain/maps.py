"""What a network looks at: Grad-CAM and AU-CAM.

Grad-CAM: Selvaraju et al. 2017. AU-CAM: Ruan et al. 2022, Eqs. 12 and 13. Both look at what the
last attention passed, as the authors' code does, [R, h, w, D] of R regions: the term of the last
sum that knows places best. They work for networks that return it as `attended`, the other term as
`skipped`, and have head(maps).
"""

from collections.abc import Callable, Sequence

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.errors import UserError
from mer_jax.models import regional
from mer_jax.training import held_out
from mer_jax.types import Array, Explained, Folds, FoldState, Inputs, Out, Samples

SHOWN = ('magnified', 'on_a')  # channels that stand beside the maps

Head = Callable[[jax.Array], tuple[jax.Array, Out]]  # maps [R, h, w, D] -> (logits [K], out)


def refuse(model: str, channels: Sequence[str]) -> None:
    """Refuse a network without regions, or images without a face to lay the maps over.

    Args:
        model: name of the network.
        channels: of the images.

    Raises:
        UserError: names what would do.
    """
    if model not in regional():
        raise UserError(f'model.name is {model!r}; explain knows: {", ".join(regional())}')
    if not set(SHOWN) <= {*channels}:
        raise UserError(
            f'data.channels is {",".join(channels)!r}; explain needs {" and ".join(SHOWN)} '
            'among them'
        )


def class_activation(maps: jax.Array, gradient: jax.Array) -> jax.Array:
    """Weight channels by their mean gradient, and keep the positive part of their sum.

    Args:
        maps: [R, h, w, D].
        gradient: of the explained number by the maps.

    Returns:
        [R, h, w] in 0..1, each region scaled by itself.
    """
    weight = gradient.mean((1, 2), keepdims=True)
    cam = jax.nn.relu(jnp.sum(weight * maps, -1))
    low, high = cam.min((1, 2), keepdims=True), cam.max((1, 2), keepdims=True)
    # a map without any positive part stays 0
    return (cam - low) / jnp.where(high > low, high - low, 1)


def grad_cam(head: Head, maps: jax.Array) -> jax.Array:
    """Return where the largest logit comes from, [R, h, w].

    Args:
        head: of the network.
        maps: [R, h, w, D].
    """

    def largest_logit(maps: jax.Array) -> jax.Array:
        logits, _ = head(maps)
        return logits.max()

    return class_activation(maps, jax.grad(largest_logit)(maps))


def au_cam(head: Head, maps: jax.Array, *, kind: str = 'fixed') -> jax.Array:
    """Return where the largest component of each region's weighted feature comes from.

    Args:
        head: of the network; its out holds the features.
        maps: [R, h, w, D].
        kind: 'fixed': every region by its own feature before normalisation. 'released': as the
            authors' code, which differentiates the normalised joined feature and keeps the gradient
            of the last region's target for all of them.

    Returns:
        [R, h, w] in 0..1.
    """

    def of_each_region(maps: jax.Array) -> jax.Array:
        _, out = head(maps)
        # No region's feature depends on another's maps, so the gradient of the sum is that of each.
        return jnp.sum(jnp.max(out['pooled'] * out['weights'], -1))

    def of_last_region(maps: jax.Array) -> jax.Array:
        joined = head(maps)[1]['features']
        joined /= jnp.linalg.norm(joined)
        return joined.reshape(len(maps), -1)[-1].max()

    target = of_each_region if kind == 'fixed' else of_last_region
    return class_activation(maps, jax.grad(target)(maps))


def predictor(
    model: nn.Module,
    predict: Callable[[FoldState, Inputs], tuple[Array, Out]],
    *,
    kind: str,
) -> Callable[[FoldState, Inputs], tuple[dict[str, Array], Out]]:
    """Return a prediction that adds both maps to the outputs.

    Args:
        model: the network.
        predict: of its learner.
        kind: of au_cam.

    Returns:
        (state, inputs) -> ({output, features, grad_cam, au_cam}, {}); the maps are [B, R, h, w].
    """

    def explain(state: FoldState, inputs: Inputs) -> tuple[dict[str, Array], Out]:
        logits, out = predict(state, inputs)
        variables = {'params': state.params, 'batch_stats': state.batch_stats}

        def cams(attended: jax.Array, skipped: jax.Array) -> dict[str, jax.Array]:
            def head(attended: jax.Array) -> tuple[jax.Array, Out]:
                maps = jax.nn.relu(attended + skipped)[None]
                batch = model.apply(variables, maps, method='head')
                return jax.tree.map(lambda array: array[0], batch)

            return {
                'grad_cam': grad_cam(head, attended),
                'au_cam': au_cam(head, attended, kind=kind),
            }

        maps = jax.vmap(cams)(out['attended'], out['skipped'])
        return {'output': logits, 'features': out['features'], **maps}, {}

    return explain


def enlarge(cam: np.ndarray, size: int) -> np.ndarray:
    """Enlarge maps to the image, one region below the other.

    Every strided layer of these networks looks at pixels 0, 2, 4, ... and pads by half its kernel,
    so cell (i, j) looks at pixel (stride * i, stride * j), not at the middle of a tile: a plain
    resize shows maps half a cell too low and too far right.

    Args:
        cam: [R, h, w].
        size: pixels per side of the image; each region takes its share of the height.

    Returns:
        float32[size, size].
    """
    regions, *cells = cam.shape
    places = []
    for pixels, count in zip((size // regions, size), cells, strict=True):
        stride = 2 ** np.ceil(np.log2(pixels / count))  # strides are powers of two
        places.append(np.arange(pixels, dtype=np.float32) / stride)
    y, x = np.meshgrid(*places, indexing='ij')
    x, y = x.astype(np.float32), y.astype(np.float32)
    enlarged = []
    for region in np.asarray(cam, np.float32):
        enlarged.append(cv2.remap(region, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.concatenate(enlarged)


def explained_clips(
    outputs: dict[str, np.ndarray] | None,
    samples: Samples,
    folds: Folds,
    channels: Sequence[str],
) -> Explained:
    """Return what the networks of the first seed look at.

    Args:
        outputs: of `predictor`, for every held-out row in the order of held_out.order.
        samples: all rows.
        folds: all runs.
        channels: of the images.

    Raises:
        UserError: nothing is held out.
    """
    if outputs is None:
        raise UserError(
            'explain: protocol.name leaves no clip out, so there is none that a network did not see'
        )
    predictions = held_out.predictions(outputs['output'], samples, folds)
    first_seed = predictions.seed == predictions.seed.min(initial=0)
    row = predictions.clip[first_seed]  # rows of `samples` stand in order of clip
    size = samples.image.shape[1]
    face, motion = (channels.index(name) for name in SHOWN)
    return Explained(
        clip=row,
        subject=predictions.subject[first_seed],
        dataset=predictions.dataset[first_seed],
        label=predictions.label[first_seed],
        predicted=outputs['output'][first_seed].argmax(-1),
        action_units=samples.extras['action_units'][row],
        au_cam=np.stack([enlarge(cam, size) for cam in outputs['au_cam'][first_seed]]),
        grad_cam=np.stack([enlarge(cam, size) for cam in outputs['grad_cam'][first_seed]]),
        gray=samples.image[row, ..., face],
        on_a=samples.image[row, ..., motion],
        features=outputs['features'][first_seed],
    )
