"""Micro-expression data sets as TFDS builders; neither jax nor TensorFlow is imported.

Importing this package registers them, so that another project writes `import tfds_builders` and
then `tfds.data_source('precomputed_flow', ...)`, or `tfds.load(...)` where it has TensorFlow.
`prepare` builds a data set on first use and refuses one that no longer fits its source folder;
`records` reads it in a fixed order.
"""

from tfds_builders.build import (
    BUILDERS,
    prepare,
    reads_folder,
    records,
    release_input,
    release_options,
    takes_crops,
)

__all__ = [
    'BUILDERS',
    'prepare',
    'reads_folder',
    'records',
    'release_input',
    'release_options',
    'takes_crops',
]
