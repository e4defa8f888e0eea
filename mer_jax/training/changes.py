"""Which augmentations make sense for which input.

augment.py holds the augmentations themselves; this file needs no jax, so that settings can be
checked at once.
"""

from collections.abc import Sequence

from mer_jax.data.channels import CHANNELS, FRAMES

# The settings of section augment that switch a change on.
CHANGES = (
    'flip',
    'erase',
    'replace',
    'rotate',
    'crop',
    'contrast',
    'brightness',
    'noise',
    'flow_scale',
)


def augmentable(channels: Sequence[str], clip_normalise: bool) -> tuple[str, ...]:
    """Return those of CHANGES that make sense.

    Args:
        channels: names of the channels of the images.
        clip_normalise: whether each clip is stretched to bytes by itself.
    """
    if 'gray' in channels:
        return 'flip', 'rotate', 'crop', 'contrast', 'brightness'
    if clip_normalise:  # then neither the unit of the flow nor its zero is known
        return 'flip', 'erase', 'replace'
    if not set(channels) <= set(CHANNELS['rgb_phases']):  # magnitudes: no vectors to rotate
        return 'flip', 'replace'
    light = ('contrast', 'brightness') if set(channels) & set(FRAMES) else ()
    return 'flip', 'replace', 'rotate', 'noise', 'flow_scale', *light
