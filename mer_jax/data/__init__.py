"""Data sets, label schemes, network inputs and apex rules."""

from typing import Any

# How to get the apex of clips without an annotated one: '' (the estimate of the data set), the
# middle of the clip, or the largest motion. Any other text of data.apex is the folder of a spotting
# run, whose predictions are used.
APEX_RULES = ('', 'midpoint', 'peak')

Record = dict[str, Any]  # a clip as TFDS decodes it: feature -> text, number or array
