"""Rows made for a fold against unequal classes, on the host: copies, mixtures of neighbours
(SMOTE), generated images.

Every class of a fold is filled up to its most frequent one. Copies and mixtures are kept as (row,
neighbour, gap) and mixed inside the training step (batches.gather), so that no image is copied for
a fold.
"""

import zipfile
from pathlib import Path

import numpy as np

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import RESAMPLERS
from mer_jax.folds.protocols import stacked
from mer_jax.settings import sections
from mer_jax.types import Folds, Names, Resampled, Samples, TrainRows

VARIANCE = 0.95  # of the fold's training rows that the components of space 'features' hold


def extend(
    folds: Folds, samples: Samples, names: Names, titles: list, settings: sections.Balance
) -> tuple[Samples, Folds]:
    """(samples, folds) with the rows that settings.method adds for each run of `folds`.

    They train beside the rows of the run. A method that trains a network changes nothing here (see
    generation/rows.py).
    """
    resampler = RESAMPLERS[settings.method]
    if not resampler.extend or resampler.trained:
        return samples, folds
    return loaded(resampler.extend)(folds, samples, names, titles, settings)


def copies(
    folds: Folds, samples: Samples, names: Names, titles: list, settings: sections.Balance
) -> tuple:
    """(samples, folds) with copies of random rows."""
    return samples, _filled(folds, samples, settings.scope, {})


def smote(
    folds: Folds, samples: Samples, names: Names, titles: list, settings: sections.Balance
) -> tuple:
    """(samples, folds) with mixtures of near rows of a class: SMOTE (Chawla et al. 2002)."""
    rows = _sources(folds, samples, settings.scope)
    near = _neighbours(samples, rows, settings.neighbours, settings.space)
    return samples, _filled(folds, samples, settings.scope, near)


def images_of_files(
    folds: Folds, samples: Samples, names: Names, titles: list, settings: sections.Balance
) -> tuple:
    """(samples, folds) with the images of files (see `read`), which stand behind the samples."""
    paths = [_file(settings.file, titles[number]) for number in folds.fold]
    samples, added = appended(
        samples, {path: read(path, samples, names) for path in dict.fromkeys(paths)}
    )
    train = stacked(
        [
            np.concatenate([rows, added[path]])
            for rows, path in zip(_training_rows(folds), paths, strict=True)
        ]
    )
    return samples, folds._replace(train=folds.train._replace(index=train.index, mask=train.mask))


def _training_rows(folds):
    """The training rows of every run, without padding."""
    pairs = zip(folds.train.index, folds.train.mask, strict=True)
    return [index[mask > 0] for index, mask in pairs]


def _sources(folds, samples, scope):
    """The rows of every run that rows are made from."""
    if scope == 'all':
        return [np.arange(len(samples.label))] * len(folds.fold)
    return _training_rows(folds)


def _filled(folds, samples, scope, near):
    """The folds with rows made until the classes are equal; near: {rows as bytes: see `fill`}."""
    seeds = [
        (seed,) if scope == 'all' else (seed, number)
        for seed, number in zip(folds.seed, folds.fold, strict=True)
    ]
    added = [
        fill(np.random.default_rng(seed), samples.label, rows, near.get(rows.tobytes()))
        for seed, rows in zip(seeds, _sources(folds, samples, scope), strict=True)
    ]
    first = len(samples.label)
    train = stacked(
        [
            np.concatenate([rows, first + np.arange(len(new.row))])
            for rows, new in zip(_training_rows(folds), added, strict=True)
        ]
    )
    rows = TrainRows(*train, scaler_rows=folds.train.scaler_rows, resampled=_padded(added))
    return folds._replace(train=rows)


def fill(rng, label, rows, near=None) -> Resampled:
    """Made rows that fill every class among `rows` (int[n] into label) up to the most frequent one.

    near: {class: int[n_k, k]}, the neighbours of its rows (see `nearest`) to mix with; None copies.
    """
    counts = np.bincount(label[rows])
    parts = [(rows[:0], rows[:0], np.zeros(0))]
    for kind in np.flatnonzero((counts > 0) & (counts < counts.max())):
        members, wanted = rows[label[rows] == kind], counts.max() - counts[kind]
        # a class of one row has no neighbour to mix with
        if near is None or not near[kind].shape[1]:
            row = rng.choice(members, wanted)
            parts.append((row, row, np.zeros(wanted)))
        else:
            pick, gap = rng.integers(near[kind].size, size=wanted), rng.random(wanted)
            parts.append((*mixtures(members, near[kind], pick), gap))
    row, neighbour, gap = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Resampled(row.astype(np.int32), neighbour.astype(np.int32), gap.astype(np.float32))


def mixtures(members, near, pick):
    """(row, neighbour) int[m] of the pairs `pick` (0 to n_k * k - 1, neighbours of the first row
    first).
    """
    row, place = np.divmod(pick, near.shape[1])
    return members[row], members[near[row, place]]


def nearest(squared, count):
    """int[n, min(count, n - 1)]: for each of n rows the others by squared distance [n, n], nearest
    first.
    """
    apart = squared.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind='stable')[:, : min(count, len(apart) - 1)]


def products(image):
    """float64[N, N]: the inner products of images of any shape [N, ...], exact for bytes."""
    flat = np.reshape(image, (len(image), -1))
    total = np.zeros((len(flat), len(flat)))
    # the whole of a video data set in float64 would not fit
    for first in range(0, flat.shape[1], 4096):
        part = flat[:, first : first + 4096].astype(np.float64)
        total += part @ part.T
    return total


def distances(inner):
    """Squared distances [n, n] of rows with inner products [n, n]."""
    length = np.diag(inner)
    return np.maximum(length[:, None] + length - 2 * inner, 0)


def components(inner):
    """float64[n, c]: coordinates on the first principal components that hold VARIANCE of n rows
    with inner products [n, n].
    """
    middle = np.eye(len(inner)) - 1 / len(inner)
    values, vectors = np.linalg.eigh(middle @ inner @ middle)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    count = 1 + np.searchsorted(np.cumsum(values) / max(values.sum(), 1e-300), VARIANCE)
    return vectors[:, :count] * np.sqrt(values[:count])


def read(path, samples, names):
    """(image [e, H, W, C], label int32[e]) of a .npz file: images as the network sees the data set,
    before any scaling, and their classes as text. UserError where it does not fit.
    """
    try:
        with np.load(path) as file:
            image, label = np.asarray(file['image']), file['label'].astype(str)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is no .npz file with 'image' and 'label' (text): {error}"
        ) from None
    shape = samples.image.shape[1:]
    if (
        image.shape[1:] != shape
        or image.dtype != samples.image.dtype
        or label.shape != image.shape[:1]
        or not len(label)
    ):
        raise UserError(
            f'{path} holds images {image.dtype}{list(image.shape)} and labels '
            f'{list(label.shape)}; needed: '
            f'{samples.image.dtype}{["n", *shape]} and as many labels, at least one'
        )
    if not np.isfinite(image).all():
        raise UserError(f'{path} holds images that are not finite')
    for name in label.tolist():
        if name not in names.classes:
            raise UserError(f'{path} holds the label {name!r}; known: {", ".join(names.classes)}')
    return image, np.array([names.classes.index(name) for name in label.tolist()], np.int32)


def appended(samples, files):
    """Samples with the images of {source: (image, label)} behind them, of nobody and with unknown
    action units, and {source: their rows}.
    """
    rows, first = {}, len(samples.label)
    for source, (_, label) in files.items():
        rows[source] = np.arange(first, first + len(label))
        first += len(label)
    nobody = np.full(first - len(samples.label), -1, np.int32)
    longer = Samples(
        image=np.concatenate([samples.image, *(image for image, _ in files.values())]),
        label=np.concatenate([samples.label, *(label for _, label in files.values())]),
        subject=np.concatenate([samples.subject, nobody]),
        dataset=np.concatenate([samples.dataset, nobody]),
        clip=np.concatenate([samples.clip, nobody]),
        extras={
            name: np.concatenate([values, _unknown(values, len(nobody))])
            for name, values in samples.extras.items()
        },
    )
    return longer, rows


def _unknown(values, count):
    """`count` rows of an extra that nothing is known of: NaN, or -1 where it holds integers."""
    unknown = -1 if np.issubdtype(values.dtype, np.integer) else np.nan
    return np.full((count, *values.shape[1:]), unknown, values.dtype)


def _file(source, title):
    return Path(source.replace('{subject}', title)).expanduser()


def _neighbours(samples, source, count, space):
    """{rows of a run as bytes: {class: int[n_k, k]}}: neighbours among them; seeds of a fold mostly
    share theirs.
    """
    inner, found = products(samples.image), {}
    for rows in source:
        if rows.tobytes() in found:
            continue
        own = inner[np.ix_(rows, rows)]
        if space == 'features':
            place = components(own)
            own = place @ place.T
        squared, label = distances(own), samples.label[rows]
        found[rows.tobytes()] = {
            kind: nearest(squared[np.ix_(label == kind, label == kind)], count)
            for kind in np.unique(label)
        }
    return found


def _padded(made) -> Resampled:
    """The made rows of all runs at one length; nothing points at the padding."""
    longest = max(len(one.row) for one in made)
    return Resampled(
        *(
            np.stack([np.pad(column, (0, longest - len(column))) for column in columns])
            for columns in zip(*made, strict=True)
        )
    )
