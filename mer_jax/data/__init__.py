"""What an experiment learns from: data sets read, label schemes, network inputs, apex rules."""

from typing import Any

# Where the apex of clips without an annotated one comes from; '': as the data set estimated it.
# Any other text of data.apex is the folder of a spotting run.
APEX_RULES = ('', 'midpoint', 'peak')

Record = dict[str, Any]  # a clip as TFDS decodes it: feature -> text, number or array
