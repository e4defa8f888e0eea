"""A GAN for every fold, and the rows that it adds."""

from pathlib import Path
from typing import NamedTuple


class GanRun(NamedTuple):
    """What the GANs of an experiment need beside their settings."""

    folder: Path  # of the GANs, where a killed training goes on and finished images are read again
    interval: float  # seconds between checkpoints
    channels: tuple[str, ...]  # of the images
    runs_in_memory: int  # 0: as many as fit
