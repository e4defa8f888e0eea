"""Channels of the inputs, by feature."""

from collections.abc import Sequence

PHASES = {
    'key_frames': ('onset', 'apex', 'offset'),
    'flow': ('u', 'v', 'strain'),
    'flow_offset': ('u2', 'v2', 'strain2'),
}
# Key frames in colour: red, green and blue of the onset, then of the apex and of the offset.
COLOURS = tuple(f'{frame}_{colour}' for frame in PHASES['key_frames'] for colour in 'rgb')
FRAMES = (*PHASES['key_frames'], *COLOURS)  # brightness of key frames, 0..255
ACROSS = ('u', 'u2')  # horizontal motion, whose sign changes in a mirror image
# {feature: its channels}. The drawn faces have all features, a release the one of its input.
# 'phases' is not a feature: it joins those of PHASES, which are gray key frames, the motion from
# onset to apex, and the motion from apex to offset. 'rgb_phases' joins them and the feature
# key_frames_rgb.
CHANNELS = {
    'flow': PHASES['flow'],
    'image': ('magnified', 'on_a', 'off_a'),
    'frames': ('gray',),
    'phases': sum(PHASES.values(), ()),
    'rgb_phases': (*sum(PHASES.values(), ()), *COLOURS),
}
JOINED = ('phases', 'rgb_phases')


def parse(text: str) -> tuple[str, ...]:
    """Parse the setting data.channels: 'u,v' becomes ('u', 'v')."""
    return tuple(text.split(','))


def feature_of(channels: Sequence[str]) -> str:
    """Return the key of CHANNELS that holds these channels."""
    return next(name for name, group in CHANNELS.items() if set(channels) <= set(group))
