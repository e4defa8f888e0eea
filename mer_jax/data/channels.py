"""What the network can see: channels, by the feature of a data set that holds them."""

from collections.abc import Sequence

PHASES = {
    'key_frames': ('onset', 'apex', 'offset'),
    'flow': ('u', 'v', 'strain'),
    'flow_offset': ('u2', 'v2', 'strain2'),
}
ACROSS = ('u', 'u2')  # channels that turn their sign in a mirror
# By the feature that holds them; a data set has several, a release the one that its input names.
# 'phases' is not a feature: it joins those of PHASES, which are gray key frames, the motion to the
# apex, and the motion from it.
CHANNELS = {
    'flow': PHASES['flow'],
    'image': ('magnified', 'on_a', 'off_a'),
    'frames': ('gray',),
    'phases': sum(PHASES.values(), ()),
}


def parse(text: str) -> tuple[str, ...]:
    """Parse the setting data.channels: 'u,v' becomes ('u', 'v')."""
    return tuple(text.split(','))


def feature_of(channels: Sequence[str]) -> str:
    """Return the feature that holds these channels: a key of CHANNELS."""
    return next(name for name, group in CHANNELS.items() if set(channels) <= set(group))
