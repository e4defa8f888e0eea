"""smic: micro-expressions of the official SMIC release, read from the folder as its authors ship
it.
"""

import tensorflow_datasets as tfds

from tfds_builders import release
from tfds_builders.smic import layout


class Builder(release.ReleaseBuilder):
    """See README.md beside this file: where to apply, what to unpack where, what comes out."""

    VERSION = tfds.core.Version('3.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = layout.INSTRUCTIONS
    LAYOUT = layout
