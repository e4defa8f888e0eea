"""Who trains and who is left out: protocols, and rows added to balance classes (numpy).

Of the Python API: `loso`, `by_protocol` and `from_sklearn`, of splits.py.
"""

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mer_jax.folds.splits import Split as Split
    from mer_jax.folds.splits import Splits as Splits
    from mer_jax.folds.splits import by_protocol as by_protocol
    from mer_jax.folds.splits import from_sklearn as from_sklearn
    from mer_jax.folds.splits import loso as loso

API = ('Split', 'Splits', 'by_protocol', 'from_sklearn', 'loso')


def __getattr__(name: str) -> Any:
    """A name of the Python API, loaded on use."""
    if name not in API:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module('mer_jax.folds.splits'), name)


class Protocol(NamedTuple):
    """An evaluation protocol: all that the program knows about it."""

    # 'module:function' of split(samples, names, *, folds, holdout, seed) -> protocols.Split, the
    # title and the test mask of each fold
    split: str
    unit: str = 'subject'  # what stays whole on one side of the split: subject | clip
    one_subject: bool = False  # each fold leaves out one subject, whose name is the fold's title
    share: bool = False  # protocol.holdout says how large a share of the units is left out
    tests: bool = True  # False: every row trains
    needs: str = 'subject'  # of what one more is needed where a fold has no rows to train on
    leak: str = ''  # what training sees of the test subjects; stands in results.json


_BY_CLIP = 'clips of one subject stand on both sides of the split'
PROTOCOLS = {
    'loso': Protocol('mer_jax.folds.protocols:loso', one_subject=True),
    'lodo': Protocol('mer_jax.folds.protocols:lodo', needs='data set'),
    'kfold': Protocol('mer_jax.folds.protocols:kfold'),
    'holdout': Protocol('mer_jax.folds.protocols:holdout', share=True),
    'random_split': Protocol(
        'mer_jax.folds.protocols:random_split', unit='clip', share=True, leak=_BY_CLIP
    ),
    'clip_kfold': Protocol('mer_jax.folds.protocols:clip_kfold', unit='clip', leak=_BY_CLIP),
    'all_rows': Protocol('mer_jax.folds.protocols:all_rows', tests=False),
}


class Resampler(NamedTuple):
    """A way to add rows against unequal classes: all that the program knows about it."""

    # 'module:function' with the arguments and the result of resampling.extend; '' adds no rows.
    # Where `trained` is set, it has those of generation.rows.extend.
    extend: str = ''
    fills: bool = False  # fills every class of a fold up to its largest, from rows of the data set
    images: bool = False  # adds new images, whose landmarks and action units are unknown
    augmented: bool = False  # only the added rows are augmented
    file: bool = False  # balance.file names a file of images
    trained: bool = False  # a network is trained per fold, by the settings of section gan
    scope: str = 'balance.scope'  # the setting that says whether tested rows take part: fold | all
    # what training sees of the test subjects where one file, or one network, serves every fold
    leak: str = ''
    unaudited: str = ''  # why the leak audit has nothing to switch on


RESAMPLERS = {
    'none': Resampler(),
    'oversample': Resampler('mer_jax.folds.resampling:copies', fills=True),
    'augment': Resampler('mer_jax.folds.resampling:copies', fills=True, augmented=True),
    'smote': Resampler('mer_jax.folds.resampling:smote', fills=True),
    'generated': Resampler(
        'mer_jax.folds.resampling:images_of_files',
        images=True,
        file=True,
        leak='balance.file: one file of images for every fold, which may come from the '
        'left-out subjects',
        unaudited='images of a file train as they are',
    ),
    'gan': Resampler(
        'mer_jax.generation.rows:extend',
        images=True,
        trained=True,
        scope='gan.scope',
        leak='gan.scope=all: one generator for every fold has seen the tested clips too',
    ),
}
