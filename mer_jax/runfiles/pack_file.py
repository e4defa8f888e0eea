"""A pack: one .safetensors file that holds a trained model, for others to use.

Its tensors are weights and statistics, an entry for each fold and seed; everything else is JSON in
the header of the file. It holds no row of the data that the model was trained on.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mer_jax import bounded
from mer_jax.errors import UserError, first_line
from mer_jax.evaluation.calibration import Calibrated
from mer_jax.runfiles import reading, results, shapes, writing

FORMAT = 1
SUFFIX = '.safetensors'
KEY = 'mer_jax'  # of the JSON in the header
REMEDY = 'pack the run again: mer-jax pack --workdir=RUN'
MOST_BYTES = 10**11  # of a file
MOST_HEADER = 16_000_000  # bytes of JSON and of the table of tensors
DTYPES = ('float32', 'float64', 'int32', 'uint8', 'bool')
# begins the names of tensors [members, ...], which are read for some members alone
STACKED = ('network/', 'distilled/', 'seen/trained_')

Tensors = dict[str, np.ndarray]

CALIBRATED = {'temperature': shapes.Number(1e-6), 'threshold': shapes.Maybe(shapes.SHARE)}
HEADS = ('none', 'linear', 'logistic', 'distilled')
# of `facts`, where they stand; packs of spotting runs have no metrics
FACTS = {
    'metrics': shapes.MapOf(results.MEASURE),
    'intervals': shapes.MapOf(shapes.Maybe(shapes.ListOf(shapes.SHARE, 2))),
    'per_unit': shapes.ListOf(results.OF_UNIT),  # of action units
    'data': shapes.MapOf(shapes.Anything()),
    'datasets': shapes.ListOf(shapes.Text()),
    'protocol': shapes.Text(),
    'clips': shapes.COUNT,
    'subjects': shapes.COUNT,
}
# of facts.data, where they stand
OF_DATA = {
    'name': shapes.Text(),
    'fingerprint': shapes.Text(),
    'default_apex_by': shapes.Text(('registered', 'mean')),
}


@dataclass(frozen=True)
class PackHeader:
    """What a pack states about its model."""

    SHAPE: ClassVar[dict] = {
        'title': shapes.Text(),
        'settings': shapes.MapOf(shapes.Anything()),
        'classes': shapes.ListOf(shapes.Text()),
        'action_units': shapes.ListOf(shapes.Text()),
        'input': {
            'shape': shapes.ListOf(shapes.Number(1, whole=True)),
            'dtype': shapes.Text(('uint8', 'float32')),
            'features': shapes.ListOf(shapes.Number(1, whole=True)),
        },
        'members': shapes.ListOf({'fold': shapes.Text(), 'seed': shapes.COUNT}),
        'head': shapes.Text(HEADS),
        'calibration': shapes.Maybe(
            {'by': shapes.Text(), **CALIBRATED, 'folds': shapes.MapOf(CALIBRATED)}
        ),
        'distilled': shapes.Maybe(shapes.MapOf(shapes.Anything())),
        'facts': {'leaks': shapes.ListOf(shapes.Text())},
        'licence': shapes.ListOf(shapes.Text()),
        'people': shapes.ListOf(shapes.ListOf(shapes.Text(), 2)),
    }

    title: str  # of the run
    settings: dict  # of the experiment, nested; without paths
    classes: list[str]  # or the action units that it detects, such as 'AU12'
    action_units: list[str]  # that the data set annotates
    # of one image: shape and dtype; features: the length of each kind that an SVM takes. What makes
    # the image stands in settings.data.
    input: dict
    members: list[dict]  # {fold: its title, seed}
    # what predicts behind the network or the features: nothing, linear SVMs, logistic regressions,
    # or networks that were distilled from SVMs
    head: str
    # {by: the run whose held-out outputs it was fitted to, temperature, threshold (null: no class
    # is ever clear), folds: {title: the same without the subjects of this fold}}; None: not fitted
    calibration: dict | None
    distilled: dict | None  # how far the distilled networks agree with their SVMs
    facts: dict  # leaks; and results with intervals, fingerprint of the data, versions
    licence: list[str]  # a note for each data set
    people: list[list[str]]  # [data set, subject] of the data set; those that train: seen/...

    def to_json(self) -> dict:
        """Return the JSON of the header."""
        return writing.plain({'format': FORMAT, **asdict(self)})

    @classmethod
    def checked(cls, path: Path, content: dict) -> Self:
        """Check the JSON of a header.

        Raises:
            UserError: a key is missing, unknown, or of another type or range.
        """
        shapes.check(content, cls.SHAPE, path, remedy=REMEDY)
        _check_present(content['facts'], FACTS, path, 'facts')
        _check_present(content['facts'].get('data', {}), OF_DATA, path, 'facts.data')
        unknown = content.keys() - {each.name for each in fields(cls)}
        if unknown:
            raise UserError(f"{path}: has an unknown key '{min(unknown)}'; {REMEDY}")
        if not content['members']:
            raise UserError(f'{path}: members is empty; {REMEDY}')
        return cls(**content)

    def calibrated(self, fold: str = '') -> Calibrated | None:
        """Return the temperature and threshold to use.

        Args:
            fold: title of the fold whose subjects are predicted; '': other people.
        """
        if self.calibration is None:
            return None
        block = self.calibration
        if fold:
            block = self.calibration['folds'].get(fold)
        if block is None:
            return None
        threshold = math.inf if block['threshold'] is None else block['threshold']
        return Calibrated(block['temperature'], threshold)


def write(path: Path, header: PackHeader, tensors: Tensors) -> None:
    """Write a pack in one step.

    Args:
        path: of the file.
        header: what it states.
        tensors: by name; those that begin with one of STACKED have a row for each member.

    Raises:
        UserError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    metadata = {KEY: json.dumps(header.to_json(), ensure_ascii=False, allow_nan=False)}
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    with writing.replacing(path) as file:
        try:
            save_file(tensors, file.name, metadata)
        except SafetensorError as error:
            raise UserError(f'{path}: cannot be written ({first_line(error)})') from None


def read_header(path: str | Path) -> PackHeader:
    """Read what a pack states about its model.

    Raises:
        UserError: the file is missing, damaged, foreign, or of a newer format.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
    if KEY not in metadata:
        raise UserError(f'{path}: is no pack of this program (its header lacks {KEY}); {REMEDY}')
    content = _parsed(path, metadata[KEY])
    version = content.pop('format', None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f'{path}: format is {shapes.shown(version)}; allowed: {FORMAT}; {REMEDY}')
    if version > FORMAT:
        raise UserError(
            f'{path}: was written by a newer version of this program (format {version}); this '
            f'version reads format {FORMAT}; install a newer one'
        )
    return PackHeader.checked(Path(path), content)


def read_tensors(path: str | Path, members: Sequence[int]) -> Tensors:
    """Read the tensors of a pack.

    Args:
        path: of the file.
        members: positions of the members whose rows of stacked tensors are read, rising.

    Raises:
        UserError: the file is damaged, or a tensor has another type or holds NaN.
    """
    tensors = {}
    with _opened(path) as file:
        for name in file.keys():  # noqa: SIM118, it is no dictionary
            tensors[name] = _tensor(path, file, name, members)
    return tensors


def _tensor(path, file, name, members):
    """Read one tensor."""
    try:
        if name.startswith(STACKED):
            part = file.get_slice(name)
            shape = part.get_shape()
            if not shape or shape[0] <= max(members, default=-1):
                raise ValueError(f'its shape is {shape}')
            whole = len(members) == shape[0]
            tensor = part[:] if whole else np.stack([part[number] for number in members])
        else:
            tensor = file.get_tensor(name)
        if str(tensor.dtype) not in DTYPES:
            raise ValueError(f'its type is {tensor.dtype}')
        if not np.isfinite(tensor).all():
            raise ValueError('it holds NaN or infinity')
    except Exception as error:  # a type that numpy lacks makes the library raise anything
        raise UserError(
            f'{path}: tensor {name!r} cannot be read ({first_line(error)}); {REMEDY}'
        ) from None
    return tensor


@contextmanager
def _opened(path) -> Iterator:
    """Open a file whose header is not larger than allowed."""
    from safetensors import SafetensorError, safe_open

    try:
        size = bounded.check_size(path, MOST_BYTES)
        with open(path, 'rb') as file:
            announced = int.from_bytes(file.read(8), 'little')
        if not 0 < announced <= size - 8:
            raise ValueError('it is cut short, or no .safetensors file')
        if announced > MOST_HEADER:
            raise ValueError(
                f'its header has {bounded.in_words(announced)}; allowed: up to '
                f'{bounded.in_words(MOST_HEADER)}'
            )
        handle = safe_open(path, framework='numpy')
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except (SafetensorError, ValueError, OSError, MemoryError) as error:
        raise UserError(
            f'{path}: cannot be read as a pack ({first_line(error)}); {REMEDY}'
        ) from None
    with handle as file:
        yield file


def _check_present(values, known, path, key):
    """Check those of the known values that stand in a dictionary."""
    for name in values.keys() & known.keys():
        shapes.check(values[name], known[name], path, remedy=REMEDY, key=f'{key}.{name}')


def _parsed(path, text):
    """Return the dictionary in the header."""
    nested = text.count('[') + text.count('{')
    try:
        if nested > reading.MOST_NESTED:
            raise ValueError(f'{nested:,} lists and dictionaries')
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError('no dictionary')
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: its header is damaged ({first_line(error)}); {REMEDY}') from None
    return content
