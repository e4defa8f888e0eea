"""Writes the official folder layouts of the data sets with synthetic pictures, quirks included.

Nothing of the project is imported: this is a second reading of the facts. Every writer has a size
'full' (the complete sheets, counts as published, pictures of 8x6, invented clips of 4 to 8 frames),
'small' (a few clips that look like faces and move) and 'tiny' (the clips of 'small', pictures of
8x6), returns a truth.Release, and takes faults to inject (see faults and sheet_faults).
"""

from tests.support.fake_raw.precomputed_flow import (
    EMOTIONS,
    FLOW_SUBJECTS,
    flow_name,
    write_png,
    write_precomputed_flow,
)

__all__ = ['EMOTIONS', 'FLOW_SUBJECTS', 'flow_name', 'write_png', 'write_precomputed_flow']
