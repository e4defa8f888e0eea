"""Data sets, label schemes, network inputs and apex rules."""

from typing import Any

EVERY_FRAME = 'every_frame'  # no apex: each frame of each clip is a row, with the clip's class
# How to get the apex of clips without an annotated one: '' (the estimate of the data set), the
# middle of the clip, the largest motion, or EVERY_FRAME. Any other text of data.apex is a spotting
# config, or the folder of a spotting run, whose predictions are used.
APEX_RULES = ('', 'midpoint', 'peak', EVERY_FRAME)

Record = dict[str, Any]  # a clip as TFDS decodes it: feature -> text, number or array
