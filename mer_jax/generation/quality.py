"""How much generated images resemble real ones.

Also whether they are copies of them. Images are [n, H, W, C], flow in pixels or bytes, real and
generated ones in the same unit and dtype. The real images must be the training rows of the fold
whose generator is judged. In the results, the key of generated images is 'made'.
"""

from collections.abc import Sequence

import numpy as np

from mer_jax.evaluation import metrics
from mer_jax.folds.resampling import distances, products

QUANTILES = (5, 25, 50, 75, 95)
COMPONENTS = 30  # principal components that the classifier of `two_sample` sees
FOLDS = 5  # of the cross-validation of that classifier
HALVES = 5  # random divisions of the real images into halves
# Per cent. A generated image is a copy where it is nearer to a real one than all but so many real
# images are to their nearest other one.
NEAR = 1.0

Images = tuple[np.ndarray, np.ndarray]  # image [n, H, W, C], label int[n]


def statistics(real: Images, generated: Images, *, classes: Sequence[str]) -> dict[str, dict]:
    """Return statistics of real and generated images, by class.

    Args:
        real: images and labels.
        generated: images and labels.
        classes: names of the labels.

    Returns:
        {class: {'real': numbers, 'made': numbers}}, see `numbers`.
    """
    compared = {}
    for label, title in enumerate(classes):
        compared[title] = {
            'real': numbers(_of_class(real, label)),
            'made': numbers(_of_class(generated, label)),
        }
    return compared


def _of_class(images, number):
    """Return the images of one class."""
    image, label = images
    return np.asarray(image)[np.asarray(label) == number]


def numbers(image: np.ndarray) -> dict[str, float | list[float]]:
    """Return statistics of images.

    Args:
        image: [n, H, W, C].

    Returns:
        count. level and level_sd: mean and standard deviation of the absolute flow, or of the
        bytes, over all values. roughness and roughness_sd, energy and energy_sd: mean and standard
        deviation over images, see the functions of these names. energy_quantiles: at QUANTILES.
        NaN where there is no image.
    """
    if not len(image):
        names = ('level', 'level_sd', 'roughness', 'roughness_sd', 'energy', 'energy_sd')
        empty = dict.fromkeys(names, np.nan)
        return {'count': 0, **empty, 'energy_quantiles': [np.nan] * len(QUANTILES)}
    level = np.abs(np.asarray(image, np.float64))
    rough = roughness(image)
    power = energy(image)
    return {
        'count': len(image),
        'level': float(level.mean()),
        'level_sd': float(level.std()),
        'roughness': float(rough.mean()),
        'roughness_sd': float(rough.std()),
        'energy': float(power.mean()),
        'energy_sd': float(power.std()),
        'energy_quantiles': np.percentile(power, QUANTILES).tolist(),
    }


def roughness(image: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference of neighbouring pixels.

    Args:
        image: [n, H, W, C]; neighbours are those in a row and those in a column.

    Returns:
        float64[n].
    """
    value = np.asarray(image, np.float64)
    steps = [np.abs(np.diff(value, axis=axis)).reshape(len(value), -1) for axis in (1, 2)]
    return np.concatenate(steps, 1).mean(1)


def energy(image: np.ndarray) -> np.ndarray:
    """Return the sum of squares of each image, float64[n].

    Bytes count as 0 to 1.
    """
    value = np.reshape(image, (len(image), -1))
    value = value / (255 if np.asarray(image).dtype == np.uint8 else 1.0)
    return np.sum(np.square(value, dtype=np.float64), 1)


def two_sample(real: Images, generated: Images, seed: int) -> dict:
    """Test whether a classifier can separate generated from real images.

    It is a logistic regression on COMPONENTS principal components, both fitted to the training part
    of each fold of a cross-validation. Both sides have the same number of images of each class;
    else the shares of the classes would separate them. After Lopez-Paz and Oquab, "Revisiting
    classifier two-sample tests", ICLR 2017.

    Args:
        real: images and labels.
        generated: images and labels.
        seed: of all draws.

    Returns:
        'made': balanced accuracy and auc; 0.5 means that the classifier cannot separate them, 1
        that it always can. 'chance': the same for random halves of the real images, mean and
        standard deviation (accuracy_sd, auc_sd) over HALVES draws. 'rows': images of either side.
        NaN where a side has fewer than two images.
    """
    rng = np.random.default_rng(seed)
    image, label = (np.asarray(array) for array in real)
    other, other_label = (np.asarray(array) for array in generated)
    kinds = np.unique(label)
    of_real, of_generated = [], []
    for kind in kinds:
        rows = matched(rng, np.flatnonzero(label == kind), np.flatnonzero(other_label == kind))
        of_real.append(rows[0])
        of_generated.append(rows[1])
    first = np.concatenate(of_real).astype(int)
    second = np.concatenate(of_generated).astype(int)
    separation = separate(image[first], other[second], seed)
    by_chance = []
    for draw in range(HALVES):
        halves = [halve(rng, np.flatnonzero(label == kind)) for kind in kinds]
        upper = np.concatenate([rows for rows, _ in halves])
        lower = np.concatenate([rows for _, rows in halves])
        by_chance.append(separate(image[upper], image[lower], seed + draw))
    chance = {}
    for name in separation:
        values = [draw[name] for draw in by_chance]
        chance[name] = float(np.mean(values))
        chance[f'{name}_sd'] = float(np.std(values))
    return {'made': separation, 'chance': chance, 'rows': len(first)}


def matched(
    rng: np.random.Generator, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw equally many rows from two arrays, without repetition.

    All rows of the smaller array are drawn.
    """
    count = min(len(first), len(second))
    return rng.choice(first, count, replace=False), rng.choice(second, count, replace=False)


def halve(rng: np.random.Generator, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows at random into two equal halves.

    Of an odd number, one row is left over.
    """
    order = rng.permutation(rows)
    half = len(order) // 2
    return order[:half], order[half : 2 * half]


def separate(first: np.ndarray, second: np.ndarray, seed: int) -> dict[str, float]:
    """Cross-validate the classifier of `two_sample`.

    Args:
        first: [n, H, W, C], images of one side.
        second: [m, H, W, C], images of the other.
        seed: of the draws.

    Returns:
        accuracy (balanced) and auc.
    """
    # Imported here, because it takes long and most runs have no GAN.
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    folds = min(FOLDS, len(first), len(second))
    if folds < 2:
        return {'accuracy': np.nan, 'auc': np.nan}
    total = len(first) + len(second)
    flat = np.concatenate([first, second]).reshape(total, -1).astype(np.float64)
    side = np.repeat([0, 1], [len(first), len(second)])
    smallest_train = total - -(-total // folds)
    count = min(COMPONENTS, flat.shape[1], smallest_train - 1)
    model = make_pipeline(
        PCA(count, svd_solver='randomized', random_state=seed),
        StandardScaler(),
        LogisticRegression(),
    )
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with threadpool_limits(1):  # its threads wait for each other on a busy machine
        share = cross_val_predict(model, flat, side, cv=split, method='predict_proba')[:, 1]
    predicted = (share > 0.5).astype(int)
    uar = metrics.summary(metrics.confusion(side, predicted, classes=2))['uar']
    return {'accuracy': uar, 'auc': float(roc_auc_score(side, share))}


def memorised(real: np.ndarray, generated: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Measure whether generated images are copies of real ones.

    By Euclidean distance.

    Args:
        real: [n, H, W, C], at least two.
        generated: [m, H, W, C], at least one.

    Returns:
        A dictionary and int[m, 2], each generated image with its nearest real image, closest pair
        first. 'made': median distance of a generated image to its nearest real one. 'real': median
        distance of a real image to its nearest other real one. 'ratio': the first over the second,
        far below 1 where the generator repeats what it saw. 'copies': share of generated images
        that are no farther from a real one than NEAR per cent of the real images are from another.

    Raises:
        ValueError: there are too few images.
    """
    if len(real) < 2 or not len(generated):
        raise ValueError(
            f'needs two real images and a made one, got {len(real)} and {len(generated)}'
        )
    count = len(real)
    squared = distances(products(np.concatenate([real, generated])))
    among_real, to_real = squared[:count, :count], squared[count:, :count]
    other = np.where(np.eye(count, dtype=bool), np.inf, among_real)
    real_distance = np.sqrt(other.min(1))
    distance = np.sqrt(to_real.min(1))
    usual = float(np.median(real_distance))
    median = float(np.median(distance))
    copied = distance <= np.percentile(real_distance, NEAR)
    measured = {
        'ratio': median / usual if usual else np.nan,
        'copies': float(np.mean(copied)),
        'made': median,
        'real': usual,
    }
    nearest = to_real.argmin(1)
    order = np.argsort(distance, kind='stable')
    return measured, np.stack([order, nearest[order]], 1)
