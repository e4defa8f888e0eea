"""Whether two sources give the same clips the same labels."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SHOWN = 3  # so many clips are named

Clip = tuple[str, ...]  # data set, subject and name of a clip


class Agreement(NamedTuple):
    """How the clips of a second source differ from those of a first."""

    common: int  # number of clips that both have
    missing: list[Clip]  # that the first alone has, sorted
    extra: list[Clip]  # that the second alone has, sorted
    different: list[tuple[Clip, str, str]]  # (clip, label of the first, label of the second)


def agreement(first: Mapping[Clip, str], second: Mapping[Clip, str]) -> Agreement:
    """Compare the labels of clips.

    Args:
        first, second: {clip: label}.
    """
    common = sorted(first.keys() & second.keys())
    different = [clip for clip in common if first[clip] != second[clip]]
    return Agreement(
        common=len(common),
        missing=sorted(first.keys() - second.keys()),
        extra=sorted(second.keys() - first.keys()),
        different=[(clip, first[clip], second[clip]) for clip in different],
    )


def respelled(missing: Sequence[Clip], extra: Sequence[Clip]) -> tuple[Clip, Clip] | None:
    """Find a clip that both have in two spellings.

    They are equal but for zeros before a number, as a spreadsheet drops them, letter case, blanks
    and signs; or but for the subject.

    Args:
        missing: clips of the first source.
        extra: clips of the second.

    Returns:
        (the clip in the first source, in the second); None where there is none.
    """
    for plain in (_plain, _without_subject):
        clip_of = {plain(clip): clip for clip in extra}
        for clip in missing:
            if plain(clip) in clip_of:
                return clip, clip_of[plain(clip)]
    return None


def shown(clips: Sequence[Clip]) -> str:
    """Name the first clips: 'casme2/sub01/EP02_01f and 4 more'."""
    more = f' and {len(clips) - SHOWN} more' if len(clips) > SHOWN else ''
    return ', '.join('/'.join(clip) for clip in clips[:SHOWN]) + more


def shown_different(different: Sequence[tuple[Clip, str, str]]) -> str:
    """Name the first clips with both labels: 'a/b/c (others, not surprise)'."""
    more = f' and {len(different) - SHOWN} more' if len(different) > SHOWN else ''
    names = [f'{"/".join(clip)} ({second}, not {first})' for clip, first, second in different]
    return ', '.join(names[:SHOWN]) + more


def _plain(clip):
    names = [re.sub(r'[\W_]+', '', name.lower()) for name in clip]
    return tuple(re.sub(r'(?<![0-9])0+(?=[0-9])', '', name) for name in names)


def _without_subject(clip):
    dataset, _, name = _plain(clip)
    return dataset, name
