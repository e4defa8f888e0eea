"""How much made images resemble the real ones they were learned from, and whether they are copies
of them (no jax).

Images are [n, H, W, C], flow in pixels or bytes, in one unit and dtype on both sides. Compare the
training rows of a fold with what that fold's generator made of them: images of a subject left out
tell of generalisation, not of the generator.
"""

import numpy as np

from mer_jax.evaluation import metrics
from mer_jax.folds.resampling import distances, products

QUANTILES = (5, 25, 50, 75, 95)
COMPONENTS = 30  # principal components that the classifier of `two_sample` sees
PARTS, HALVES = 5, 5  # of the cross-validation; how often the real images are halved anew
NEAR = 1.0  # per cent: nearer than so few real images are to another real one counts as a copy


def statistics(real, made, *, classes) -> dict:
    """{class: {'real': numbers, 'made': numbers}}; real, made: (image [n, H, W, C], label int[n]);
    classes: their names.

    numbers: count; level and level_sd, mean and standard deviation of |flow|, or of the bytes, over
    all values; roughness and roughness_sd, over images, of the mean |difference| between
    neighbouring pixels; energy, energy_sd and energy_quantiles (see QUANTILES), over images, of the
    sum of squares of an image (bytes count as 0 to 1). NaN where a class has no image.
    """
    sides = {'real': real, 'made': made}
    return {
        title: {
            side: numbers(np.asarray(image)[np.asarray(label) == number])
            for side, (image, label) in sides.items()
        }
        for number, title in enumerate(classes)
    }


def numbers(image) -> dict:
    """The numbers of `statistics` for images [n, H, W, C]."""
    if not len(image):
        empty = dict.fromkeys(
            ('level', 'level_sd', 'roughness', 'roughness_sd', 'energy', 'energy_sd'), np.nan
        )
        return {'count': 0, **empty, 'energy_quantiles': [np.nan] * len(QUANTILES)}
    value = np.asarray(image, np.float64)
    rough, power = roughness(value), energy(image)
    size = np.abs(value)
    return {
        'count': len(image),
        'level': float(size.mean()),
        'level_sd': float(size.std()),
        'roughness': float(rough.mean()),
        'roughness_sd': float(rough.std()),
        'energy': float(power.mean()),
        'energy_sd': float(power.std()),
        'energy_quantiles': np.percentile(power, QUANTILES).tolist(),
    }


def roughness(image) -> np.ndarray:
    """float64[n]: mean |difference| between pixels that are neighbours in a row or in a column, in
    the images' unit.
    """
    value = np.asarray(image, np.float64)
    steps = [np.abs(np.diff(value, axis=axis)).reshape(len(value), -1) for axis in (1, 2)]
    return np.concatenate(steps, 1).mean(1)


def energy(image) -> np.ndarray:
    """float64[n]: sum of the squares of an image, over pixels and channels; a byte of 255 counts as
    1.
    """
    value = np.reshape(image, (len(image), -1)) / (
        255 if np.asarray(image).dtype == np.uint8 else 1.0
    )
    return np.sum(np.square(value, dtype=np.float64), 1)


def two_sample(real, made, seed) -> dict:
    """{'made': {accuracy, auc}, 'chance': {accuracy, auc, accuracy_sd, auc_sd}, 'rows': of each
    side}: can they be told apart?

    real, made: (image, label). A logistic regression on COMPONENTS principal components, both
    fitted inside each training part of a cross-validation, tells real from made images, as many of
    each class on both sides (else the classes' shares would tell); accuracy is balanced. .5: it
    cannot; 1: always. chance: the same for random halves of the real images against each other,
    mean and standard deviation over HALVES draws. After Lopez-Paz and Oquab, "Revisiting classifier
    two-sample tests", ICLR 2017. NaN where a side has fewer than two images.
    """
    rng = np.random.default_rng(seed)
    (image, label), (other, other_label) = (
        (np.asarray(part) for part in side) for side in (real, made)
    )
    pairs = [
        matched(rng, np.flatnonzero(label == kind), np.flatnonzero(other_label == kind))
        for kind in np.unique(label)
    ]
    first, second = (np.concatenate(rows).astype(int) for rows in zip(*pairs, strict=True))
    told = told_apart(image[first], other[second], seed)
    drawn = []
    for draw in range(HALVES):
        halves = [halved(rng, np.flatnonzero(label == kind)) for kind in np.unique(label)]
        one, two = (np.concatenate(rows) for rows in zip(*halves, strict=True))
        drawn.append(told_apart(image[one], image[two], seed + draw))
    chance = {name: float(np.mean([each[name] for each in drawn])) for name in told}
    spread = {f'{name}_sd': float(np.std([each[name] for each in drawn])) for name in told}
    return {'made': told, 'chance': chance | spread, 'rows': len(first)}


def matched(rng, first, second):
    """As many random rows of int[n] as of int[m]: (int[k], int[k])."""
    count = min(len(first), len(second))
    return rng.choice(first, count, replace=False), rng.choice(second, count, replace=False)


def halved(rng, rows):
    """Two random halves of int[n] of one size; one row is left over where n is odd."""
    order = rng.permutation(rows)
    half = len(order) // 2
    return order[:half], order[half : 2 * half]


def told_apart(first, second, seed) -> dict:
    """{accuracy (balanced), auc} of the classifier of `two_sample` on held-out parts; first,
    second: images of either side.
    """
    # Here, as it takes longer to load than every other part of a run that only draws.
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    parts = min(PARTS, len(first), len(second))
    if parts < 2:
        return {'accuracy': np.nan, 'auc': np.nan}
    flat = np.concatenate([first, second]).reshape(len(first) + len(second), -1).astype(np.float64)
    side = np.repeat([0, 1], [len(first), len(second)])
    count = min(COMPONENTS, flat.shape[1], len(flat) - -(-len(flat) // parts) - 1)
    model = make_pipeline(
        PCA(count, svd_solver='randomized', random_state=seed),
        StandardScaler(),
        LogisticRegression(),
    )
    split = StratifiedKFold(parts, shuffle=True, random_state=seed)
    with threadpool_limits(1):  # its threads wait for each other on a busy machine
        share = cross_val_predict(model, flat, side, cv=split, method='predict_proba')[:, 1]
    found = metrics.summary(metrics.confusion(side, (share > 0.5).astype(int), classes=2))
    return {'accuracy': found['uar'], 'auc': float(roc_auc_score(side, share))}


def memorised(real, made):
    """({ratio, copies, made, real}, pairs int[m, 2]) of images real [n, H, W, C] and made [m, H, W,
    C].

    made, real: median distance (Euclidean, over all values) of a made image to its nearest real
    one, and of a real image to its nearest other one; ratio: the first over the second, far below 1
    where the generator repeats what it saw. copies: share of made images no farther from a real one
    than NEAR per cent of the real images are from another. pairs: (made image, its nearest real
    image), closest first. ValueError for fewer than two real images or no made one.
    """
    if len(real) < 2 or not len(made):
        raise ValueError(f'needs two real images and a made one, got {len(real)} and {len(made)}')
    squared = distances(products(np.concatenate([real, made])))
    among, across = squared[: len(real), : len(real)], squared[len(real) :, : len(real)]
    other = np.sqrt(np.where(np.eye(len(real), dtype=bool), np.inf, among).min(1))
    nearest = across.argmin(1)
    apart = np.sqrt(across.min(1))
    order = np.argsort(apart, kind='stable')
    middle, usual = float(np.median(apart)), float(np.median(other))
    told = {
        'ratio': middle / usual if usual else np.nan,
        'copies': float(np.mean(apart <= np.percentile(other, NEAR))),
        'made': middle,
        'real': usual,
    }
    return told, np.stack([order, nearest[order]], 1)
