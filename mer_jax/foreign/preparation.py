"""What happens to the training rows of a fold before the user's code receives them."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.folds import RESAMPLERS, protocols
from mer_jax.settings import sections
from mer_jax.types import Folds, Resampled, Samples

NOBODY = -1  # subject of a mixture of two subjects, and of an image of a file
SCALERS = ('none', 'standard')
SMALLEST = 1e-6  # deviation of a channel that is constant


@dataclass(frozen=True)
class Preparation:
    """What happens to the training rows before `fit` receives them.

    Attributes:
        balance: how rows are added until all classes are equally large: none, oversample (copies),
            smote (mixtures of neighbours of one class) or generated (images of `file`).
        neighbours: for smote, a row is mixed with one of this many nearest rows of its class.
        space: for smote, where neighbours are near: pixels, or features (principal components).
        file: for generated, a .npz file with image and label, or one for each left-out subject:
            'folder/{subject}.npz'.
        scaler: none, or standard: each channel (the last axis) minus its mean, divided by its
            standard deviation, of training rows and of rows to predict.
        balance_scope: 'fold', the rows of a class come from the training rows; 'all', a leak, from
            all rows.
        scaler_scope: 'fold', mean and deviation are of the training rows; 'all', a leak, of all
            rows.

    Examples:
        >>> prepare = mj.Preparation(balance='smote', scaler='standard')
        >>> prepare.balance_scope
        'fold'
    """

    balance: str = 'none'
    neighbours: int = 5
    space: str = 'pixels'
    file: str = ''
    scaler: str = 'none'
    balance_scope: str = 'fold'
    scaler_scope: str = 'fold'

    @property
    def of_balance(self) -> sections.Balance:
        """Return the same as settings of section balance."""
        return sections.Balance(
            method=self.balance,
            neighbours=self.neighbours,
            space=self.space,
            scope=self.balance_scope,
            file=self.file,
        )

    def to_settings(self) -> dict[str, dict]:
        """Return the settings of the same names, for config.json."""
        return {
            'balance': asdict(self.of_balance),
            'data': {'input_scaler': self.scaler, 'scaler_scope': self.scaler_scope},
        }


NOTHING = Preparation()


class FoldRows(NamedTuple):
    """The rows of one fold."""

    train: np.ndarray  # int[n]; below N a position in Samples; N + i is row i of `resampled`
    resampled: Resampled
    scaler_rows: np.ndarray  # int[s], rows that a scaler is fitted to
    test: np.ndarray  # int[m]


class TrainingRows(NamedTuple):
    """What `fit` receives, apart from its seed."""

    x: np.ndarray  # float32[n, ...]
    y: np.ndarray  # int64[n]
    subject: np.ndarray  # int64[n], or NOBODY


class Scale(NamedTuple):
    """A scale fitted to rows."""

    mean: np.ndarray  # float32[C]
    deviation: np.ndarray  # float32[C]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return scaled rows, float32[n, ...]."""
        return ((x - self.mean) / self.deviation).astype(np.float32)


def check(preparation: Preparation) -> None:
    """Refuse a preparation that cannot be done outside of a compiled training step.

    Raises:
        UserError: names the option, its value and what is allowed.
    """
    if not isinstance(preparation, Preparation):
        raise UserError(
            f"prepare is {preparation!r}; allowed: a mer_jax.Preparation, as Preparation('smote')"
        )
    allowed = {
        'balance': balances(),
        'space': ('pixels', 'features'),
        'scaler': SCALERS,
        'balance_scope': sections.SCOPES,
        'scaler_scope': sections.SCOPES,
    }
    for name, values in allowed.items():
        value = getattr(preparation, name)
        if value in values:
            continue
        why = ''
        if name == 'balance' and value in RESAMPLERS:
            why = ', which works inside the compiled training of mer_jax'
        raise UserError(f'{name} is {value!r}{why}; allowed: {", ".join(values)}')
    if not 1 <= preparation.neighbours <= 10_000:
        raise UserError(f'neighbours is {preparation.neighbours}; allowed: 1 to 10000')
    if RESAMPLERS[preparation.balance].reads_file != bool(preparation.file):
        raise UserError(
            f'file is {preparation.file!r} and balance {preparation.balance!r}; allowed: a .npz '
            "file with 'generated', '' otherwise"
        )
    if RESAMPLERS[preparation.balance].adds_images and preparation.balance_scope == 'all':
        raise UserError(
            f"balance_scope is 'all' and balance {preparation.balance!r}; allowed: 'fold', because "
            'images of a file are made from no row'
        )


def balances() -> tuple[str, ...]:
    """Return the resamplers whose rows exist outside of a compiled training step."""
    return tuple(
        name for name, entry in RESAMPLERS.items() if not (entry.augmented or entry.trained)
    )


def rows_of_run(folds: Folds, run: int, scaler_rows: np.ndarray | None) -> FoldRows:
    """Return the rows of one run.

    Args:
        folds: all runs, rows added.
        run: position of the run.
        scaler_rows: int[s], rows that a scaler is fitted to; None: those of the run.
    """
    resampled = folds.train.resampled
    if scaler_rows is None:
        scaler_rows = protocols.rows_of(folds.train.scaler_rows, run)
    return FoldRows(
        train=protocols.rows_of(folds.train, run),
        resampled=Resampled(*(column[run] for column in resampled)),
        scaler_rows=scaler_rows,
        test=protocols.rows_of(folds.test, run),
    )


def training_rows(samples: Samples, rows: FoldRows) -> TrainingRows:
    """Return copies of the training rows, added ones last.

    A mixture is image[row] + gap * (image[neighbour] - image[row]), as in training/batches.py.

    Args:
        samples: all rows, images float32.
        rows: of the fold.
    """
    image, label, subject = map(np.asarray, (samples.image, samples.label, samples.subject))
    count = len(label)
    stored = rows.train[rows.train < count]
    added = rows.train[rows.train >= count] - count
    row, neighbour, gap = (np.asarray(column)[added] for column in rows.resampled)
    share = gap.astype(np.float32).reshape(-1, *[1] * (image.ndim - 1))
    mixed = image[row] + share * (image[neighbour] - image[row])
    of_mixture = np.where(subject[row] == subject[neighbour], subject[row], NOBODY)
    return TrainingRows(
        x=np.concatenate([image[stored], mixed]).astype(np.float32),
        y=np.concatenate([label[stored], label[row]]).astype(np.int64),
        subject=np.concatenate([subject[stored], of_mixture]).astype(np.int64),
    )


def fit_scale(image: np.ndarray, rows: np.ndarray, scaler: str) -> Scale:
    """Fit a scale to rows.

    Args:
        image: [N, ..., C], all rows.
        rows: int[s], rows that are used.
        scaler: one of SCALERS.
    """
    if scaler == 'none':
        return Scale(np.zeros(1, np.float32), np.ones(1, np.float32))
    values = np.asarray(image[rows], np.float64)
    over = tuple(range(values.ndim - 1))
    mean, deviation = values.mean(over), values.std(over)
    return Scale(mean.astype(np.float32), np.maximum(deviation, SMALLEST).astype(np.float32))
