"""Synthetic rows against unequal classes, made per fold on the host.

Every class of a fold is filled up to its most frequent one: with copies, with mixtures of
neighbours (SMOTE), or with generated images. Copies and mixtures are kept as (row, neighbour, gap)
and mixed inside the training step (batches.gather), so that no image is copied for a fold.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import RESAMPLERS
from mer_jax.folds.protocols import with_train_rows
from mer_jax.settings import sections
from mer_jax.types import Folds, Names, Resampled, Samples

VARIANCE = 0.95  # of the fold's training rows that the components of space 'features' hold

Source = TypeVar('Source')  # what images come from: a path, or the number of a GAN
Neighbours = dict[int, np.ndarray]  # of the rows of each class: int[n_k, k], places in its rows


def extend(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add the rows of settings.method to the training rows of each run.

    A method that trains a network adds nothing here; see generation/rows.py.

    Args:
        folds: all runs.
        samples: all rows.
        names: of their classes.
        titles: of the folds.
        settings: of section balance.

    Returns:
        The samples with new images behind them, and the runs that train on the added rows too.
    """
    resampler = RESAMPLERS[settings.method]
    if not resampler.extend or resampler.trained:
        return samples, folds
    return loaded(resampler.extend)(folds, samples, names, titles, settings)


def copies(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add copies of random rows; arguments and result as in extend."""
    sources = _source_rows(folds, samples, settings.scope)
    return samples, _with_filled_classes(folds, samples, settings.scope, sources, {})


def smote(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add mixtures of near rows of a class; arguments and result as in extend.

    SMOTE (Chawla et al. 2002).
    """
    sources = _source_rows(folds, samples, settings.scope)
    near = _neighbours(samples, sources, settings.neighbours, settings.space)
    return samples, _with_filled_classes(folds, samples, settings.scope, sources, near)


def images_of_files(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add the images of files, see `read`; arguments and result as in extend."""
    paths = [_file(settings.file, titles[number]) for number in folds.fold]
    images = {path: read(path, samples, names) for path in dict.fromkeys(paths)}
    samples, rows_of_file = append(samples, images)
    train = []
    for rows, path in zip(_training_rows(folds), paths, strict=True):
        train.append(np.concatenate([rows, rows_of_file[path]]))
    return samples, with_train_rows(folds, train)


def _training_rows(folds):
    """The training rows of every run, without padding."""
    pairs = zip(folds.train.index, folds.train.mask, strict=True)
    return [index[mask > 0] for index, mask in pairs]


def _source_rows(folds, samples, scope):
    """The rows of every run that synthetic rows are made from."""
    if scope == 'all':
        return [np.arange(len(samples.label))] * len(folds.fold)
    return _training_rows(folds)


def _with_filled_classes(folds, samples, scope, sources, near):
    """The folds, with rows added until the classes of every run are equal.

    Args:
        folds: all runs.
        samples: all rows.
        scope: of section balance. Under 'all', one draw serves all folds of a seed.
        sources: rows of every run that the new ones are made from.
        near: {source rows as bytes: their Neighbours}; {} copies.
    """
    added = []
    for seed, number, rows in zip(folds.seed, folds.fold, sources, strict=True):
        entropy = (seed,) if scope == 'all' else (seed, number)
        rng = np.random.default_rng(entropy)
        added.append(fill(rng, samples.label, rows, near.get(rows.tobytes())))
    first = len(samples.label)
    train = []
    for rows, resampled in zip(_training_rows(folds), added, strict=True):
        train.append(np.concatenate([rows, first + np.arange(len(resampled.row))]))
    folds = with_train_rows(folds, train)
    return folds._replace(train=folds.train._replace(resampled=_stack(added)))


def fill(
    rng: np.random.Generator, label: np.ndarray, rows: np.ndarray, near: Neighbours | None = None
) -> Resampled:
    """Make rows until every class is as frequent as the most frequent one.

    Args:
        rng: of the draws.
        label: int[N] of all samples.
        rows: int[n] into label, rows that new ones are made from.
        near: neighbours to mix with, see `nearest`; None copies.
    """
    counts = np.bincount(label[rows])
    chosen, neighbours, gaps = [rows[:0]], [rows[:0]], [np.zeros(0)]
    for kind in np.flatnonzero((counts > 0) & (counts < counts.max())):
        members = rows[label[rows] == kind]
        missing = counts.max() - counts[kind]
        # A class of one row has no neighbour to mix with.
        if near is None or not near[kind].shape[1]:
            row = neighbour = rng.choice(members, missing)
            gap = np.zeros(missing)
        else:
            pick = rng.integers(near[kind].size, size=missing)
            gap = rng.random(missing)
            row, neighbour = mixtures(members, near[kind], pick)
        chosen.append(row)
        neighbours.append(neighbour)
        gaps.append(gap)
    return Resampled(
        row=np.concatenate(chosen).astype(np.int32),
        neighbour=np.concatenate(neighbours).astype(np.int32),
        gap=np.concatenate(gaps).astype(np.float32),
    )


def mixtures(
    members: np.ndarray, near: np.ndarray, pick: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the two rows of each mixture, int[m] each.

    Args:
        members: int[n], rows of a class.
        near: int[n, k], places of their neighbours in members.
        pick: int[m], pairs by number, 0 to n * k - 1: neighbours of the first row come first.
    """
    row, place = np.divmod(pick, near.shape[1])
    return members[row], members[near[row, place]]


def nearest(squared: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest other rows of each row, nearest first.

    Args:
        squared: [n, n], squared distances.
        count: neighbours.

    Returns:
        int[n, min(count, n - 1)].
    """
    distance = squared.astype(np.float64)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind='stable')
    return order[:, : min(count, len(distance) - 1)]


def products(image: np.ndarray) -> np.ndarray:
    """Return the inner products of images, float64[N, N].

    Args:
        image: [N, ...]; for bytes the products are exact.
    """
    flat = np.reshape(image, (len(image), -1))
    total = np.zeros((len(flat), len(flat)))
    # The whole of a video data set in float64 would not fit in memory.
    for first in range(0, flat.shape[1], 4096):
        block = flat[:, first : first + 4096].astype(np.float64)
        total += block @ block.T
    return total


def distances(inner: np.ndarray) -> np.ndarray:
    """Return the squared distances of rows with inner products [n, n]."""
    length = np.diag(inner)
    return np.maximum(length[:, None] + length - 2 * inner, 0)


def components(inner: np.ndarray) -> np.ndarray:
    """Return coordinates on the first principal components, which hold VARIANCE of the rows.

    Args:
        inner: [n, n], inner products of the rows.

    Returns:
        float64[n, c].
    """
    centre = np.eye(len(inner)) - 1 / len(inner)
    values, vectors = np.linalg.eigh(centre @ inner @ centre)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    explained = np.cumsum(values) / max(values.sum(), 1e-300)
    count = 1 + np.searchsorted(explained, VARIANCE)
    return vectors[:, :count] * np.sqrt(values[:count])


def read(path: Path, samples: Samples, names: Names) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of a .npz file.

    Args:
        path: of the file. It holds 'image', as the data set stores images, before any scaling, and
            'label', their classes as text.
        samples: all rows.
        names: of their classes.

    Returns:
        The images [e, H, W, C] and their labels int32[e].

    Raises:
        UserError: the file does not fit the data set.
    """
    try:
        with np.load(path) as file:
            image, label = np.asarray(file['image']), file['label'].astype(str)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is no .npz file with 'image' and 'label' (text): {error}"
        ) from None
    shape, dtype = samples.image.shape[1:], samples.image.dtype
    fits = image.shape[1:] == shape and image.dtype == dtype
    if not fits or label.shape != image.shape[:1] or not len(label):
        raise UserError(
            f'{path} holds images {image.dtype}{list(image.shape)} and labels '
            f'{list(label.shape)}; needed: {dtype}{["n", *shape]} and as many labels, at least one'
        )
    if not np.isfinite(image).all():
        raise UserError(f'{path} holds images that are not finite')
    labels = label.tolist()
    for name in labels:
        if name not in names.classes:
            raise UserError(f'{path} holds the label {name!r}; known: {", ".join(names.classes)}')
    return image, np.array([names.classes.index(name) for name in labels], np.int32)


def append(
    samples: Samples, images: dict[Source, tuple[np.ndarray, np.ndarray]]
) -> tuple[Samples, dict[Source, np.ndarray]]:
    """Append images that belong to no clip, no subject and no data set.

    Args:
        samples: all rows.
        images: (image, label) of each source.

    Returns:
        The samples with the images behind them, their action units unknown; and the rows of each
        source.
    """
    rows_of_source = {}
    first = len(samples.label)
    for source, (_, label) in images.items():
        rows_of_source[source] = np.arange(first, first + len(label))
        first += len(label)
    count = first - len(samples.label)
    nobody = np.full(count, -1, np.int32)
    extras = {}
    for name, values in samples.extras.items():
        extras[name] = np.concatenate([values, _unknown(values, count)])
    longer = Samples(
        image=np.concatenate([samples.image, *(image for image, _ in images.values())]),
        label=np.concatenate([samples.label, *(label for _, label in images.values())]),
        subject=np.concatenate([samples.subject, nobody]),
        dataset=np.concatenate([samples.dataset, nobody]),
        clip=np.concatenate([samples.clip, nobody]),
        extras=extras,
    )
    return longer, rows_of_source


def _unknown(values, count):
    """Unknown values of an extra: NaN, or -1 where it holds integers."""
    unknown = -1 if np.issubdtype(values.dtype, np.integer) else np.nan
    return np.full((count, *values.shape[1:]), unknown, values.dtype)


def _file(source, title):
    return Path(source.replace('{subject}', title)).expanduser()


def _neighbours(samples, sources, count, space):
    """{source rows as bytes: their Neighbours}; the seeds of a fold mostly share theirs."""
    inner = products(samples.image)
    near = {}
    for rows in sources:
        key = rows.tobytes()
        if key not in near:
            near[key] = _neighbours_of_classes(inner, samples.label, rows, count, space)
    return near


def _neighbours_of_classes(inner, label, rows, count, space):
    """Neighbours among some rows: {class: int[n_k, k]}."""
    among = inner[np.ix_(rows, rows)]
    if space == 'features':
        coordinates = components(among)
        among = coordinates @ coordinates.T
    squared = distances(among)
    near = {}
    for kind in np.unique(label[rows]):
        same = label[rows] == kind
        near[kind] = nearest(squared[np.ix_(same, same)], count)
    return near


def _stack(resampled: Sequence[Resampled]) -> Resampled:
    """The rows of all runs at one length; nothing points at the padding."""
    longest = max(len(run.row) for run in resampled)

    def stack(columns):
        return np.stack([np.pad(column, (0, longest - len(column))) for column in columns])

    rows, neighbours, gaps = zip(*resampled, strict=True)
    return Resampled(stack(rows), stack(neighbours), stack(gaps))
