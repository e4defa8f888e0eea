"""Data sets of the Python API."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.data import channels as channel_names
from mer_jax.data import loading, sources
from mer_jax.errors import UserError
from mer_jax.settings import sections
from mer_jax.types import Names, Samples

UNIT = re.compile('AU[LR]?[1-9][0-9]?')  # name of an action unit


@dataclass(frozen=True)
class Dataset:
    """Rows to train and test on, with class or action units, and subject.

    `dataset`, `unit_dataset` and `load` return it.
    """

    name: str  # in results; only runs on data sets of one name are compared
    content: loading.Data  # the form that the rest of the program uses

    @property
    def x(self) -> np.ndarray:
        """The inputs of the network, float32[N, ...]."""
        return np.asarray(self.content.samples.image)

    @property
    def y(self) -> np.ndarray:
        """The class of each row, int32[N], an index into `classes`.

        Of action units float32[N, A]: 1 present, 0 absent, NaN unknown.
        """
        samples = self.content.samples
        return np.asarray(samples.extras['action_units'] if self.of_units else samples.label)

    @property
    def subject(self) -> np.ndarray:
        """The subject of each row, int32[N], an index into `subjects`."""
        return np.asarray(self.content.samples.subject)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or of the action units."""
        return self.content.names.classes

    @property
    def of_units(self) -> bool:
        """Whether rows have action units, of which each may show several, in place of a class."""
        return self.content.multi_label

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the subjects."""
        return self.content.names.subjects

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        shape = 'x'.join(map(str, self.x.shape[1:]))
        kind = 'action units' if self.of_units else 'classes'
        return (
            f'Dataset({self.name!r}, {len(self)} rows of {shape}, '
            f'{len(np.unique(self.subject))} subjects, {kind} {", ".join(self.classes)})'
        )


def load(
    name: str = 'synthetic_faces',
    *,
    manual_dir: str | Path = '',
    channels: str = 'u,v,strain',
    labels: str = 'megc3',
    size: int = 28,
    frames: int = 16,
    value_range: str = '0..1',
) -> Dataset:
    """Load a TFDS data set, built on first use.

    Args:
        name: 'set/variant' or 'release/input,setting=value'; 'a+b' joins several. Data sets are
            stored in the folder that the environment variable TFDS_DATA_DIR names, by default
            ~/tensorflow_datasets.
        manual_dir: the folder with a release as its authors ship it; '' where it is already built.
            Of 'frames_csv/flow' the path of your table.
        channels: the inputs of the network, in this order; 'gray' is video.
        labels: the label scheme: megc3, five, four, samer3 or irawan3; annotated, where each
            emotion is a class; or 'classes:a,b,c'. Of frames_csv alone megc3 means annotated.
        size: height and width in pixels.
        frames: number of frames of a video, evenly spaced from onset to offset.
        value_range: what the smallest and the largest value of a clip become: '0..1', '-1..1',
            '0..255' or 'imagenet'.

    Returns:
        The data set, x float32[N, size, size, C] or, of video, [N, frames, size, size, 1].

    Raises:
        UserError: names the argument and what is allowed.

    Examples:
        >>> faces = mj.load('synthetic_faces/tiny', channels='u,v', size=16)
        >>> faces.x.shape[1:], faces.classes
        ((16, 16, 2), ('negative', 'positive', 'surprise'))
    """
    if value_range not in loading.VALUE_RANGES:
        raise UserError(
            f'value_range is {value_range!r}; allowed: {", ".join(loading.VALUE_RANGES)}'
        )
    data_sets = sources.parse(name, str(manual_dir))
    wanted = channel_names.parse(channels)
    loading.check_inputs(data_sets, wanted)
    settings = sections.Data(name=name, labels=labels, size=size, frames=frames)
    content = loading.load(data_sets, sources.BuildOptions(), settings, channels=wanted)
    low, high = (np.asarray(edge, np.float32) for edge in loading.VALUE_RANGES[value_range])
    share = content.samples.image.astype(np.float32) / np.float32(255)
    samples = content.samples._replace(image=low + share * (high - low))
    fingerprint = loading.fingerprint(samples, content.names)
    return Dataset(name, content._replace(samples=samples, fingerprint=fingerprint))


def dataset(
    x: ArrayLike,
    y: ArrayLike,
    subject: ArrayLike,
    classes: Sequence[str] | None = None,
    *,
    clip: ArrayLike | None = None,
    name: str = 'arrays',
    scale: float = 1.0,
) -> Dataset:
    """Make a data set of your own arrays.

    Args:
        x: the inputs of the network, numbers [N, ...]; kept as float32.
        y: the class of each row, [N]: names, or indices into `classes`.
        subject: the person of each row, [N]: names or numbers.
        classes: the names of the classes, in the order of the network's outputs; None takes the
            different values of y, sorted.
        clip: a name for each row, [N], all different; None numbers them. Runs are compared row
            by row, by these names.
        name: of the data set, in results.
        scale: x is multiplied by it: 1 / 255 makes bytes 0 to 1. A scale that is fitted to training
            rows belongs to the learner (`supervised`, scaler).

    Returns:
        The data set.

    Raises:
        UserError: names the argument and the row.

    Examples:
        >>> data = mj.dataset(x, y, subject, classes=['negative', 'positive', 'surprise'])
        >>> data
        Dataset('arrays', 24 rows of 8x8x2, 4 subjects, classes negative, positive, surprise)
    """
    image = _inputs(x, scale)
    count = len(image)
    label, titles = _labels(_vector(y, 'y', count), classes)
    subjects, of_row = _subjects(subject, count)
    _check_one_class_each(of_row, label, titles)
    samples = _samples(image, label, of_row)
    names = Names(titles, subjects, (name,), _clips(clip, count), ())
    return Dataset(name, _content(samples, names, '/'.join(titles)))


def unit_dataset(
    x: ArrayLike,
    units: ArrayLike,
    subject: ArrayLike,
    names: Sequence[str],
    *,
    clip: ArrayLike | None = None,
    name: str = 'arrays',
    scale: float = 1.0,
) -> Dataset:
    """Make a data set of your own arrays, to detect action units.

    A network that `train` trains on it has one output for each unit, a logit; above 0 the unit is
    present. Unknown entries count neither in training nor in scores: unknown is not absent.

    Args:
        x: as of `dataset`.
        units: [N, A], 1 present, 0 absent, NaN unknown; in each row one is known at least.
        subject: as of `dataset`.
        names: of the units, in the order of the network's outputs: 'AU12', or of one side of the
            face 'AUL12' or 'AUR12'.
        clip, name, scale: as of `dataset`.

    Returns:
        The data set.

    Raises:
        UserError: names the argument and the row.

    Examples:
        >>> shown = np.stack([y == 0, y == 1], axis=1).astype(float)
        >>> shown[5, 1] = np.nan
        >>> coded = mj.unit_dataset(x, shown, subject, ['AU4', 'AU12'])
        >>> coded
        Dataset('arrays', 24 rows of 8x8x2, 4 subjects, action units AU4, AU12)
        >>> import optax
        >>> smiling = mj.supervised(mj.models.STSTNet(classes=2), optax.adam(5e-5))
        >>> detector = mj.train(smiling, coded, mj.loso(coded), epochs=1, folder='runs/units')
        >>> [unit['unit'] for unit in mj.score(detector).per_unit]
        ['AU4', 'AU12']
    """
    image = _inputs(x, scale)
    targets = _targets(names)
    values = _units(units, names, len(image))
    subjects, of_row = _subjects(subject, len(image))
    nothing = np.zeros(len(image), np.int32)
    samples = _samples(image, nothing, of_row).with_extras(action_units=values)
    titles = tuple(f'AU{target}' for target in targets)
    of_data = Names(titles, subjects, (name,), _clips(clip, len(image)), targets)
    content = _content(samples, of_data, f'action units {"+".join(targets)}')
    return Dataset(name, content._replace(multi_label=True))


def refuse_units(data: Dataset, function: str) -> None:
    """Refuse action units where classes are needed.

    Args:
        data: of `dataset`, `unit_dataset` or `load`.
        function: that needs classes.
    """
    if data.of_units:
        raise UserError(
            f'{function}: data has action units, and {function} knows classes alone; allowed: data '
            'of dataset or load; train detects action units'
        )


def _samples(image, label, subject):
    """Rows of one data set, each of them a clip."""
    count = len(image)
    return Samples(
        image=image,
        label=label,
        subject=subject.astype(np.int32),
        dataset=np.zeros(count, np.int32),
        clip=np.arange(count, dtype=np.int32),
    )


def _content(samples, names, labels):
    """The rows in the form that the rest of the program uses."""
    return loading.Data(
        samples,
        names,
        dropped=[],
        fingerprint=loading.fingerprint(samples, names),
        labels=labels,
        editions=(),
    )


def _targets(names):
    """The units without 'AU', as data sets name them."""
    titles = tuple(map(str, names))
    for title in titles:
        if not UNIT.fullmatch(title):
            raise UserError(
                f"names: {title!r} is no action unit; allowed: 'AU' and a number, such as 'AU12', "
                "or 'AUL12' of the left side"
            )
    if len(set(titles)) != len(titles) or not titles:
        raise UserError(f'names is {list(titles)}; allowed: one or more different action units')
    return tuple(title.removeprefix('AU') for title in titles)


def _units(units, names, count):
    """Return units as float32[N, A], checked."""
    array = np.asarray(units)
    if array.dtype.kind not in 'fiub' or array.shape != (count, len(names)):
        raise UserError(
            f'units is {array.dtype}{list(array.shape)}; allowed: numbers [{count}, {len(names)}], '
            'a column for each of names; NaN where a unit is unknown'
        )
    values = array.astype(np.float32)
    wrong = ~(np.isnan(values) | (values == 0) | (values == 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise UserError(
            f'units: row {row} has {array[row, column]} of {names[column]}; allowed: 1 present, 0 '
            'absent, NaN unknown'
        )
    unknown = np.isnan(values).all(1)
    if unknown.any():
        raise UserError(
            f'units: row {np.argmax(unknown)} has no known unit; leave the row out, which can '
            'neither train nor be scored'
        )
    if not (values == 1).any():
        raise UserError('units: no row shows a unit; allowed: 1 where a unit is present')
    return values


def with_random_labels(data: Dataset) -> Dataset:
    """Give each subject one random class: a control that no honest protocol can predict.

    Args:
        data: of `dataset` or `load`.
    """
    content = data.content
    samples = loading.with_random_labels(content.samples, content.names)
    fingerprint = loading.fingerprint(samples, content.names)
    labels = content.labels + loading.DRAWN
    content = content._replace(samples=samples, fingerprint=fingerprint, labels=labels)
    return Dataset(data.name, content)


def _inputs(x, scale):
    """Return x as float32[N, ...], checked."""
    array = np.asarray(x)
    if array.dtype.kind not in 'fiub':
        raise UserError(f'x holds {array.dtype}; allowed: numbers')
    if array.ndim < 2 or not array.size:
        raise UserError(f'x has shape {array.shape}; allowed: [N, ...], no size 0')
    image = array.astype(np.float32) * np.float32(scale)
    finite = np.isfinite(image).reshape(len(image), -1).all(1)
    if not finite.all():
        raise UserError(f'x: row {np.argmin(finite)} holds NaN or infinity; allowed: finite values')
    return image


def _vector(values, argument, count):
    """Return an array of one value per row."""
    array = np.asarray(values)
    if array.shape != (count,):
        raise UserError(f'{argument} has shape {array.shape}; allowed: ({count},), one per row')
    if array.dtype.kind == 'f' and np.isnan(array).any():
        raise UserError(f'{argument}: row {np.argmax(np.isnan(array))} is NaN; allowed: a value')
    return array


def _labels(y, classes):
    """Return (label int32[N], names of the classes)."""
    if y.dtype.kind == 'f' and (y == np.round(y)).all():
        y = y.astype(int)
    values = np.unique(y)
    titles = tuple(map(str, values if classes is None else classes))
    if len(set(titles)) != len(titles) or len(titles) < 2:
        raise UserError(f'classes is {list(titles)}; allowed: two or more different names')
    if y.dtype.kind in 'iub' and classes is not None:
        wrong = (y < 0) | (y >= len(titles))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f'y: row {row} is {y[row]}; allowed: 0 to {len(titles) - 1}, an index into classes'
            )
        label = y.astype(np.int32)
    else:
        index_of = {title: number for number, title in enumerate(titles)}
        for row, value in enumerate(y):
            if str(value) not in index_of:
                raise UserError(f'y: row {row} is {str(value)!r}; allowed: {", ".join(titles)}')
        label = np.array([index_of[str(value)] for value in y], np.int32)
    empty = [title for number, title in enumerate(titles) if number not in label]
    if empty:
        raise UserError(f'classes: {empty[0]!r} has no row in y; leave it out')
    return label, titles


def _subjects(subject, count):
    """Return (names of the subjects, the subject of each row, int[N])."""
    people = _vector(subject, 'subject', count)
    subjects, of_row = np.unique([str(person) for person in people], return_inverse=True)
    if len(subjects) < 2:
        raise UserError(
            f'subject holds only {str(subjects[0])!r}; allowed: two or more, to leave one out'
        )
    return tuple(map(str, subjects)), of_row


def _check_one_class_each(of_row, label, titles):
    """Refuse one subject per class, which looks like y given twice."""
    pairs = np.unique(np.stack([of_row, label]), axis=1)
    if pairs.shape[1] == len(np.unique(of_row)) == len(titles):
        raise UserError(
            'subject: each subject has all rows of one class, so that leaving it out leaves none '
            'of that class to train on; allowed: the person of each row, not its class'
        )


def _clips(clip, count):
    """The names of the rows."""
    if clip is None:
        digits = len(str(count - 1))
        return tuple(f'row {number:0{digits}d}' for number in range(count))
    clips = tuple(map(str, _vector(clip, 'clip', count)))
    if len(set(clips)) != count:
        repeated = next(name for name in clips if clips.count(name) > 1)
        raise UserError(f'clip: {repeated!r} names two rows; allowed: a different name per row')
    return clips
