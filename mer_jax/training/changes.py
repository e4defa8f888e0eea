"""Which changes of a training row make sense for which input; augment.py makes them."""

from collections.abc import Sequence

from mer_jax.data.channels import CHANNELS, PHASES

# settings of section augment that switch a change on
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
    """Return those of CHANGES that make sense for these channels.

    Args:
        channels: of the images.
        clip_normalise: whether they are stretched to bytes, clip by clip.
    """
    if 'gray' in channels:
        return 'flip', 'rotate', 'crop', 'contrast', 'brightness'
    if clip_normalise:  # bytes: neither the length of flow nor where its 0 lies is known
        return 'flip', 'erase', 'replace'
    if not set(channels) <= set(CHANNELS['phases']):  # magnitudes, which are no vectors
        return 'flip', 'replace'
    gray = ('contrast', 'brightness') if set(channels) & set(PHASES['key_frames']) else ()
    return 'flip', 'replace', 'rotate', 'noise', 'flow_scale', *gray
