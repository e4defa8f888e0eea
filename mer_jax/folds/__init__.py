"""Who trains and who is left out: protocols, and rows added to balance classes (numpy)."""

from typing import NamedTuple


class Protocol(NamedTuple):
    """An evaluation protocol: all that the program knows about it."""

    # 'module:function' of split(samples, names, *, folds, holdout, seed), which returns the title
    # and the test mask bool[N] of each fold
    split: str
    unit: str = 'subject'  # what stays whole on one side of the split: subject | clip
    one_subject: bool = False  # each fold leaves out one subject, whose name is the fold's title
    share: bool = False  # protocol.holdout says how large a share of the units is left out
    tests: bool = True  # False: every row trains
    needs: str = 'subject'  # what a fold lacks that has nobody to train on
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
