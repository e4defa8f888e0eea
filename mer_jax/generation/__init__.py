"""A GAN per fold, and the images that it adds."""

from pathlib import Path
from typing import NamedTuple


class GanRun(NamedTuple):
    """What the GANs of an experiment need beside their settings."""

    folder: Path  # of the GANs: their checkpoints, then their images
    interval: float  # seconds between checkpoints
    channels: tuple[str, ...]  # names of the channels of the images
    runs_in_memory: int  # GANs that train together; 0: as many as fit
