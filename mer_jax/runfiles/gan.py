"""images.npy and checks.json of the folder gan/: the images of the GANs beside real ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing

MEASURE = shapes.Maybe(shapes.SHARE)
FIGURE = shapes.Maybe(shapes.Number(0))
SIDE = {
    'count': shapes.COUNT,
    'level': FIGURE,
    'level_sd': FIGURE,
    'roughness': FIGURE,
    'energy': FIGURE,
}
AUC = {'auc': MEASURE}
FOLD = {
    'fold': shapes.Text(),
    'memorised': {'ratio': FIGURE, 'copies': MEASURE},
    'two_sample': {'made': AUC, 'chance': AUC},
    'statistics': shapes.MapOf({'real': SIDE, 'made': SIDE}),
}
AGAIN = 'restore it, or train into another --workdir'


@dataclass(frozen=True)
class GanImages:
    """images.npy: the images of every GAN."""

    FILE: ClassVar[str] = files.GAN_IMAGES

    values: np.ndarray  # [runs, images, H, W, C], uint8 or float32 as the data set has them

    def write(self, folder: str | Path) -> None:
        """Write images.npy into the folder gan/ of a run."""
        writing.write_array(Path(folder) / self.FILE, self.values)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the images in the folder gan/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        values = reading.read_array(path)
        if values.ndim != 5 or not np.isfinite(values).all():
            raise UserError(
                f'{path} holds {values.dtype}{list(values.shape)}; allowed: finite images of runs, '
                f'rows, columns and channels; {AGAIN}'
            )
        return cls(values)


class FoldChecks(NamedTuple):
    """The images of one fold's GAN beside those that it saw; blocks of generation/quality.py."""

    fold: str  # its title
    memorised: dict  # are they copies of the training images?
    two_sample: dict  # can a classifier separate them from the real ones?
    statistics: dict  # {class: {'real': numbers, 'made': numbers}}


@dataclass(frozen=True)
class GanChecks:
    """checks.json: the folds whose images were compared."""

    FILE: ClassVar[str] = files.GAN_CHECKS

    folds: tuple[FoldChecks, ...]

    def write(self, folder: str | Path) -> None:
        """Write checks.json into the folder gan/ of a run."""
        blocks = [fold._asdict() for fold in self.folds]
        writing.write_json(Path(folder) / self.FILE, {'folds': blocks})

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the checks in the folder gan/ of a run.

        Raises:
            UserError: the file is damaged.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        shapes.check(content, {'folds': shapes.ListOf(FOLD)}, path, again=AGAIN)
        folds = []
        for block in content['folds']:
            folds.append(FoldChecks(*(block[name] for name in FoldChecks._fields)))
        return cls(tuple(folds))
