"""casme_cubed: micro-expressions of part A of the official CAS(ME)^3 release, read from the folder
as its authors ship it.
"""

import tensorflow_datasets as tfds

from tfds_builders import release
from tfds_builders.casme_cubed import layout


class Builder(release.ReleaseBuilder):
    """See README.md beside this file: where to apply, what to unpack where, what comes out."""

    VERSION = tfds.core.Version('2.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = layout.INSTRUCTIONS
    LAYOUT = layout
