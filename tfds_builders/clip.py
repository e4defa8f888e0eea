"""What a release says of one clip, before any pixel is read; the same for every release."""

from typing import NamedTuple


class KeyFrames(NamedTuple):
    """Key frames that a published list gives a clip; -1: as in the sheet."""

    onset: int = -1
    apex: int = -1
    offset: int = -1


class Clip(NamedTuple):
    """One annotated clip with its files. Frame numbers are those of the sheet and of the files
    alike.
    """

    clip: str  # unique in its data set: 'sub01_EP02_01f', '006_1_2', 's01_ne_01', 's15_disgust1_1'
    subject: str  # as in the lists: 'sub01', '006', 's01', 's15'
    dataset: str
    emotion: str  # as annotated
    action_units: str  # the cell as it is; '' where there is none
    # False where the release has none or the cell says so ('?', 'NULL'): unknown is not absent
    action_units_known: bool
    onset: int
    apex: int  # -1: to be estimated from the frames
    offset: int
    apex_source: str  # one of schema.APEX_SOURCES; 'estimated' where apex is -1
    fps: float
    cropped: bool  # the files are the release's own face crops, not whole frames
    # (number, path) of every usable file from onset to offset, ascending; onset, apex, offset are
    # among them
    frames: tuple
    kind: str = 'micro'  # micro | macro
    edition: str = ''  # which sheet: '2014', '2019', ...; '' without a sheet
    depth: int = 16  # bits that the values of its 16-bit files fill, if it has any
