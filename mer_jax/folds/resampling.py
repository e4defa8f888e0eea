"""Resampling: rows added to the training rows of a fold.

Copies and mixtures of neighbours (SMOTE) fill each class of a fold until it is as large as the
largest; images of files are added as they are. For copies and mixtures this file only chooses
indices (`Resampled`); the training step computes their images (batches.gather), so none is stored.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mer_jax import machine
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import RESAMPLERS
from mer_jax.folds.protocols import with_train_rows
from mer_jax.runfiles.reading import DAMAGED
from mer_jax.settings import sections
from mer_jax.types import Folds, Names, Resampled, Samples

# The share of the variance of the training rows that principal components of the pixels keep;
# balance.space=features finds neighbours by them.
VARIANCE = 0.95
LONGEST_LABEL = 1024  # bytes of a label in a .npz file

ImageSource = TypeVar('ImageSource')  # what images come from: a path, or the number of a GAN
# {class: int[n_c, k]}: the k nearest neighbours of its n_c rows, as positions among these rows.
Neighbours = dict[int, np.ndarray]


def extend(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add rows to the training rows of each run.

    settings.method says how. A method that trains a network is skipped here; generation/rows.py
    adds its images.

    Args:
        folds: all runs.
        samples: all samples.
        names: names of their classes.
        titles: titles of the folds.
        settings: of section balance.

    Returns:
        The samples, new images appended; and the runs, whose training rows include the added ones.
    """
    resampler = RESAMPLERS[settings.method]
    if not resampler.extend or resampler.trained:
        return samples, folds
    return loaded(resampler.extend)(folds, samples, names, titles, settings)


def copies(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add copies of random rows of small classes.

    Arguments and result are those of `extend`.
    """
    sources = _source_rows(folds, samples, settings.scope)
    return samples, _with_filled_classes(folds, samples, settings.scope, sources, {})


def smote(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add mixtures of neighbours of one class: SMOTE.

    Chawla et al. 2002. Arguments and result are those of `extend`.
    """
    sources = _source_rows(folds, samples, settings.scope)
    near = _neighbours(samples, sources, settings.neighbours, settings.space)
    return samples, _with_filled_classes(folds, samples, settings.scope, sources, near)


def images_of_files(
    folds: Folds, samples: Samples, names: Names, titles: list[str], settings: sections.Balance
) -> tuple[Samples, Folds]:
    """Add the images of .npz files, which `read` reads.

    Arguments and result are those of `extend`.
    """
    paths = [_file(settings.file, titles[number]) for number in folds.fold]
    images = {path: read(path, samples, names) for path in dict.fromkeys(paths)}
    samples, rows_of_file = append(samples, images)
    train = []
    for rows, path in zip(_training_rows(folds), paths, strict=True):
        train.append(np.concatenate([rows, rows_of_file[path]]))
    return samples, with_train_rows(folds, train)


def _training_rows(folds):
    """Return the training rows of each run, without padding."""
    pairs = zip(folds.train.index, folds.train.mask, strict=True)
    return [index[mask > 0] for index, mask in pairs]


def _source_rows(folds, samples, scope):
    """Return, for each run, the rows that are copied or mixed."""
    if scope == 'all':
        return [np.arange(len(samples.label))] * len(folds.fold)
    return _training_rows(folds)


def _with_filled_classes(folds, samples, scope, sources, near):
    """Return runs whose classes are equally large.

    Copies or mixtures are added to their training rows.

    Args:
        folds: all runs.
        samples: all samples.
        scope: balance.scope. Under 'all', one draw serves all folds of a seed.
        sources: for each run, the rows that are copied or mixed.
        near: {sources of a run as bytes: their Neighbours}; empty: copy instead of mix.
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
    """Draw rows until all classes are as large as the largest.

    Args:
        rng: of the draws.
        label: int[N], labels of all samples.
        rows: int[n], positions in label: the rows that are copied or mixed.
        near: neighbours of these rows; None: copy instead of mix.
    """
    counts = np.bincount(label[rows])
    chosen, neighbours, gaps = [rows[:0]], [rows[:0]], [np.zeros(0)]
    for class_index in np.flatnonzero((counts > 0) & (counts < counts.max())):
        members = rows[label[rows] == class_index]
        missing = counts.max() - counts[class_index]
        # A class of one row has no neighbour to mix with.
        if near is None or not near[class_index].shape[1]:
            row = neighbour = rng.choice(members, missing)
            gap = np.zeros(missing)
        else:
            pair = rng.integers(near[class_index].size, size=missing)
            gap = rng.random(missing)
            row, neighbour = mixtures(members, near[class_index], pair)
        chosen.append(row)
        neighbours.append(neighbour)
        gaps.append(gap)
    return Resampled(
        row=np.concatenate(chosen).astype(np.int32),
        neighbour=np.concatenate(neighbours).astype(np.int32),
        gap=np.concatenate(gaps).astype(np.float32),
    )


def mixtures(
    members: np.ndarray, near: np.ndarray, pair: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the two rows of each mixture, int[m] each.

    Args:
        members: int[n], rows of a class.
        near: int[n, k], positions in `members` of the k nearest neighbours of each.
        pair: int[m], which row with which neighbour: i * k + j is row i with its neighbour j.
    """
    i, j = np.divmod(pair, near.shape[1])
    return members[i], members[near[i, j]]


def nearest(squared: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest other rows of each row, nearest first.

    Args:
        squared: [n, n], squared distances between rows.
        count: number of neighbours.

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
    """Return the squared distances between rows, [n, n].

    Args:
        inner: [n, n], inner products of the rows.
    """
    length = np.diag(inner)
    return np.maximum(length[:, None] + length - 2 * inner, 0)


def components(inner: np.ndarray) -> np.ndarray:
    """Return the coordinates of rows on their principal components.

    It keeps the fewest that hold the share VARIANCE of the rows' variance.

    Args:
        inner: [n, n], inner products of the rows.

    Returns:
        float64[n, number of components].
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
        path: of the file. It holds 'image', in the shape and dtype of samples.image, before any
            scaling, and 'label', the names of their classes.
        samples: all samples.
        names: names of their classes.

    Returns:
        The images [e, H, W, C] and their labels int32[e].

    Raises:
        UserError: the file does not fit the data set.
    """
    try:
        announced = _announced(path)
        _check_fit(path, *announced['image'], *announced['label'], samples)
        with np.load(path) as file:
            image, label = np.asarray(file['image']), file['label'].astype(str)
    except (OSError, TypeError, *DAMAGED) as error:
        raise UserError(
            f"{path} is no .npz file with 'image' and 'label' (text): {error}"
        ) from None
    if not np.isfinite(image).all():
        raise UserError(f'{path} holds images that are not finite')
    labels = label.tolist()
    for name in labels:
        if name not in names.classes:
            raise UserError(f'{path} holds the label {name!r}; known: {", ".join(names.classes)}')
    return image, np.array([names.classes.index(name) for name in labels], np.int32)


def _announced(path):
    """{name: (shape, dtype)} of the arrays of a .npz file, by their headers."""
    announced = {}
    with zipfile.ZipFile(path) as archive:
        for name in ('image', 'label'):
            with archive.open(f'{name}.npy') as file:
                version = np.lib.format.read_magic(file)
                read_header = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read_header = np.lib.format.read_array_header_2_0
                shape, _, dtype = read_header(file)
            if dtype.hasobject:
                raise ValueError(f"'{name}' holds Python objects")
            announced[name] = shape, dtype
    return announced


def _check_fit(path, shape, dtype, label_shape, label_dtype, samples):
    """Refuse arrays that do not fit the data set, before they are unpacked."""
    needed = samples.image.shape[1:]
    fits = shape[1:] == needed and dtype == samples.image.dtype
    if not fits or label_shape != shape[:1] or not label_shape[0]:
        raise UserError(
            f'{path} holds images {dtype}{list(shape)} and labels {list(label_shape)}; needed: '
            f'{samples.image.dtype}{["n", *needed]} and as many labels, at least one'
        )
    if label_dtype.itemsize > LONGEST_LABEL:
        raise UserError(
            f'{path} holds labels of {label_dtype.itemsize:,} bytes; allowed: {LONGEST_LABEL:,}'
        )


def append(
    samples: Samples, images: dict[ImageSource, tuple[np.ndarray, np.ndarray]]
) -> tuple[Samples, dict[ImageSource, np.ndarray]]:
    """Append images that have no clip and no subject.

    Args:
        samples: all samples.
        images: {source: (image, label)}.

    Returns:
        The samples, followed by the images; and {source: positions of its images}. The images have
        clip, subject and data set -1, and unknown action units.
    """
    rows_of_source = {}
    end = len(samples.label)
    for source, (_, label) in images.items():
        rows_of_source[source] = np.arange(end, end + len(label))
        end += len(label)
    count = end - len(samples.label)
    unknown = np.full(count, -1, np.int32)
    extras = {}
    for name, values in samples.extras.items():
        extras[name] = np.concatenate([values, _unknown(values, count)])
    longer = Samples(
        image=np.concatenate([samples.image, *(image for image, _ in images.values())]),
        label=np.concatenate([samples.label, *(label for _, label in images.values())]),
        subject=np.concatenate([samples.subject, unknown]),
        dataset=np.concatenate([samples.dataset, unknown]),
        clip=np.concatenate([samples.clip, unknown]),
        extras=extras,
    )
    return longer, rows_of_source


def _unknown(values, count):
    """Return unknown values of an extra: NaN, or -1 for integers."""
    unknown = -1 if np.issubdtype(values.dtype, np.integer) else np.nan
    return np.full((count, *values.shape[1:]), unknown, values.dtype)


def _file(source, title):
    """Return the path that balance.file names for a fold."""
    return machine.absolute(source.replace('{subject}', title), 'balance.file')


def _neighbours(samples, sources, count, space):
    """Return {sources of a run as bytes: their Neighbours}.

    They are computed once for runs with the same sources, as the seeds of a fold usually have.
    """
    inner = products(samples.image)
    near = {}
    for rows in sources:
        key = rows.tobytes()
        if key not in near:
            near[key] = _neighbours_of_classes(inner, samples.label, rows, count, space)
    return near


def _neighbours_of_classes(inner, label, rows, count, space):
    """Return the Neighbours of some rows."""
    among = inner[np.ix_(rows, rows)]
    if space == 'features':
        coordinates = components(among)
        among = coordinates @ coordinates.T
    squared = distances(among)
    near = {}
    for class_index in np.unique(label[rows]):
        same = label[rows] == class_index
        near[class_index] = nearest(squared[np.ix_(same, same)], count)
    return near


def _stack(resampled: Sequence[Resampled]) -> Resampled:
    """Stack the resampled rows of all runs, padded to one length.

    The padding is never used: no training row points to it.
    """
    longest = max(len(run.row) for run in resampled)

    def stack(columns: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.pad(column, (0, longest - len(column))) for column in columns])

    rows, neighbours, gaps = zip(*resampled, strict=True)
    return Resampled(stack(rows), stack(neighbours), stack(gaps))
