"""Protocols and resamplers: who trains, and who is left out.

A **protocol** is a function that returns the title and the test rows of each fold. To add one, edit
two files, and a third for its test:

1. `folds/protocols.py`: the function, with the arguments and the result of `loso` there. It gets
   the rows that may train or be tested, and returns `TestMasks`. It need not care about seeds,
   validation rows or rows without a label: `protocols.make` does. Where folds are impossible, it
   raises `UserError`.
2. This file: its `ProtocolEntry` in `PROTOCOLS`. The entry states the leak, where there is one;
   results.json, the tables and the pages then name it. Nothing else has a list of protocols: the
   setting `protocol.name`, `--help`, `mj.folds.by_protocol` and the leak audit read this one.
3. `tests/folds/protocols_test.py` runs its general tests for every entry. Test what is special
   about your protocol there, by a small case that can be checked by hand.

A **resampler** is added in the same way: a function in `folds/resampling.py`, a `ResamplerEntry` in
`RESAMPLERS`.

The Python API takes `loso`, `by_protocol` and `from_sklearn` from splits.py.
"""

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # for editors and type checkers; at run time __getattr__ loads them
    from mer_jax.folds.splits import Split as Split
    from mer_jax.folds.splits import Splits as Splits
    from mer_jax.folds.splits import by_protocol as by_protocol
    from mer_jax.folds.splits import from_sklearn as from_sklearn
    from mer_jax.folds.splits import loso as loso

API = ('Split', 'Splits', 'by_protocol', 'from_sklearn', 'loso')


def __getattr__(name: str) -> Any:
    """Load a name of the Python API on its first use."""
    if name not in API:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module('mer_jax.folds.splits'), name)


class ProtocolEntry(NamedTuple):
    """All that the program knows about a protocol."""

    split: str  # 'module:function', with the arguments and the result of protocols.loso
    # what is never divided between training and test: 'subject', 'clip' or 'row'
    unit: str = 'subject'
    one_subject: bool = False  # each fold leaves out one subject, whose name is the fold's title
    # each fold leaves out one data set, and figures are averaged over the data sets (MEGC2018)
    one_data_set: bool = False
    uses_holdout: bool = False  # protocol.holdout is the share of the units that is left out
    # 'module:function' of the split whose random groups protocol.repeat draws again; '' where there
    # is nothing to draw, or a draw does not test every row
    repeated: str = ''
    tests: bool = True  # False: all rows train and none is tested
    # What a fold without training rows lacks, for its error: 'it needs a further subject'.
    needs: str = 'subject'
    leak: str = ''  # what training sees of the test subjects, for results.json; '' for no leak


_BY_CLIP = 'clips of one subject stand on both sides of the split'
PROTOCOLS = {
    'loso': ProtocolEntry('mer_jax.folds.protocols:loso', one_subject=True),
    'lodo': ProtocolEntry('mer_jax.folds.protocols:lodo', one_data_set=True, needs='data set'),
    'kfold': ProtocolEntry(
        'mer_jax.folds.protocols:kfold', repeated='mer_jax.folds.protocols:shuffled_kfold'
    ),
    'holdout': ProtocolEntry('mer_jax.folds.protocols:holdout', uses_holdout=True),
    'random_split': ProtocolEntry(
        'mer_jax.folds.protocols:random_split', unit='clip', uses_holdout=True, leak=_BY_CLIP
    ),
    'clip_kfold': ProtocolEntry(
        'mer_jax.folds.protocols:clip_kfold',
        unit='clip',
        repeated='mer_jax.folds.protocols:clip_kfold',
        leak=_BY_CLIP,
    ),
    'frame_kfold': ProtocolEntry(
        'mer_jax.folds.protocols:frame_kfold',
        unit='row',
        repeated='mer_jax.folds.protocols:frame_kfold',
        leak='frames of a clip, or clips of a subject, are both in training and test rows',
    ),
    'all_rows': ProtocolEntry('mer_jax.folds.protocols:all_rows', tests=False),
}


def leaves_subjects_out(name: str) -> bool:
    """Return whether a protocol tests subjects of whom nothing trains."""
    entry = PROTOCOLS.get(name)
    return entry is not None and entry.tests and entry.unit == 'subject'


class ResamplerEntry(NamedTuple):
    """All that the program knows about a way to balance classes."""

    # 'module:function', called like resampling.extend; if `trained`, like generation.rows.extend.
    # '' if the method adds no rows.
    extend: str = ''
    fills: bool = False  # adds copies or mixtures until all classes are as large as the largest
    adds_images: bool = False  # adds new images, whose landmarks and action units are unknown
    augmented: bool = False  # only the added rows are augmented
    reads_file: bool = False  # reads images from the file that balance.file names
    trained: bool = False  # a network is trained per fold, by the settings of section gan
    # The setting that says which rows take part: 'fold' training rows, 'all' test rows too.
    scope: str = 'balance.scope'
    # What training sees of the test subjects if all folds share the added rows. For balance.scope,
    # experiment/leaks.py names the leak.
    leak: str = ''
    unaudited: str = ''  # why the leak audit skips this method; '' where it does not


RESAMPLERS = {
    'none': ResamplerEntry(),
    'oversample': ResamplerEntry('mer_jax.folds.resampling:copies', fills=True),
    'augment': ResamplerEntry('mer_jax.folds.resampling:copies', fills=True, augmented=True),
    'smote': ResamplerEntry('mer_jax.folds.resampling:smote', fills=True),
    'generated': ResamplerEntry(
        'mer_jax.folds.resampling:images_of_files',
        adds_images=True,
        reads_file=True,
        leak='balance.file: one file of images for every fold, which may come from the '
        'left-out subjects',
        unaudited='images of a file train as they are',
    ),
    'gan': ResamplerEntry(
        'mer_jax.generation.rows:extend',
        adds_images=True,
        trained=True,
        scope='gan.scope',
        leak='gan.scope=all: one generator for every fold has seen the tested clips too',
    ),
}
