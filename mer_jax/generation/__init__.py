"""A GAN per fold, and the synthetic rows that it adds."""

from pathlib import Path
from typing import NamedTuple


class GanRun(NamedTuple):
    """What the GANs of an experiment need beside their settings."""

    folder: Path  # of the GANs: checkpoints, where a killed training continues, and finished images
    interval: float  # seconds between checkpoints
    channels: tuple[str, ...]  # of the images
    runs_in_memory: int  # 0: as many as fit
