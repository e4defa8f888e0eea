"""gan/images.npy and gan/checks.json: images of the GANs, and their quality.

Level, roughness, energy and the two tests are explained in generation/quality.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing

MEASURE = shapes.Maybe(shapes.SHARE)
FIGURE = shapes.Maybe(shapes.Number(0))
# of images of one class, either real or generated ('made')
IMAGE_STATISTICS = {
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
    # made: generated against real images; chance: two random halves of the real images
    'two_sample': {'made': AUC, 'chance': AUC},
    'statistics': shapes.MapOf({'real': IMAGE_STATISTICS, 'made': IMAGE_STATISTICS}),
}
REMEDY = 'restore it, or train into another --workdir'


@dataclass(frozen=True)
class GanImages:
    """images.npy: the images of every GAN."""

    FILE: ClassVar[str] = files.GAN_IMAGES

    values: np.ndarray  # [runs, images, H, W, C]; uint8 or float32, like the data set

    def write(self, folder: str | Path) -> None:
        """Write images.npy into the folder gan/ of a run."""
        writing.write_array(Path(folder) / self.FILE, self.values)

    @classmethod
    def read(cls, folder: str | Path, shape: tuple[int, ...] = ()) -> Self:
        """Read the images in the folder gan/ of a run.

        Args:
            folder: gan/ of a run.
            shape: that they must have; (): any.

        Raises:
            UserError: the file is damaged, or holds images of another shape.
        """
        path = Path(folder) / cls.FILE
        values = reading.read_array(path)
        if shape and values.shape != shape:
            raise UserError(f'{path} holds {list(values.shape)}; allowed: {list(shape)}; {REMEDY}')
        numbers = values.ndim == 5 and values.dtype.kind in 'iuf'
        if not numbers or not np.isfinite(values).all():
            raise UserError(
                f'{path} holds {values.dtype}{list(values.shape)}; allowed: finite numbers '
                f'[runs, images, rows, columns, channels]; {REMEDY}'
            )
        return cls(values)


class FoldChecks(NamedTuple):
    """Generated images of one fold compared with its training images."""

    fold: str  # its title
    memorised: dict  # of quality.memorised: are they copies of the training images?
    two_sample: dict  # of quality.two_sample: can a classifier separate them from the real ones?
    statistics: dict  # of quality.statistics: {class: {'real': numbers, 'made': numbers}}


@dataclass(frozen=True)
class GanChecks:
    """checks.json: the quality of each fold's generated images."""

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
        shapes.check(content, {'folds': shapes.ListOf(FOLD)}, path, remedy=REMEDY)
        folds = []
        for block in content['folds']:
            folds.append(FoldChecks(*(block[name] for name in FoldChecks._fields)))
        return cls(tuple(folds))
