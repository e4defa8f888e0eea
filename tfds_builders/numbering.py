"""How the files of a release are numbered, compared with the frame numbers of its sheet."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError

MOST_MOVED = 2  # frames by which a key frame without a file may move
SHARE = 2  # one of so many clips decides for the release: half of them
# of whole recordings one of so many: a recording of the release holds all of its clip
SHARE_OF_RECORDINGS = 20
FEW = 2  # clips that say nothing of a release, however many of them stand out


class Numbers(NamedTuple):
    """The interval of one annotation, and the numbers of the files in its folder."""

    clip: str
    folder: Path
    onset: int
    offset: int
    numbers: tuple[int, ...]  # ascending, each once, at least one
    apex: int = -1  # below 1: not annotated

    @property
    def length(self) -> int:
        """Frames from onset to offset."""
        return self.offset - self.onset + 1

    @property
    def is_exact(self) -> bool:
        """Whether the folder holds as many files as the clip has frames, without a gap."""
        span = self.numbers[-1] - self.numbers[0] + 1
        return 1 < self.length == span == len(self.numbers)

    @property
    def shift(self) -> int:
        """What makes the first file the onset: frame number of the sheet - number of the file."""
        return self.onset - self.numbers[0]

    @property
    def lies_outside(self) -> bool:
        """Whether the onset or the offset lies outside the numbers of the folder."""
        return self.onset < self.numbers[0] or self.offset > self.numbers[-1]

    @property
    def apex_is_astray(self) -> bool:
        """Whether an annotated apex lies before the onset or after the offset."""
        return self.apex > 0 and not self.onset <= self.apex <= self.offset

    @property
    def step(self) -> int:
        """The distance of all numbers of the folder from the one before; 0 where it changes."""
        steps = {after - before for before, after in itertools.pairwise(self.numbers)}
        return steps.pop() if len(steps) == 1 else 0

    def __str__(self) -> str:
        return f'{self.numbers[0]} to {self.numbers[-1]} ({len(self.numbers)} files)'


def are_recordings(clips: Sequence[Numbers]) -> bool:
    """Whether folders hold whole recordings; not where half of them hold exactly their clip."""
    return SHARE * sum(item.is_exact for item in clips) < max(len(clips), 1)


def is_restarted(clips: Sequence[Numbers]) -> bool:
    """Whether half of the clips are complete, but numbered otherwise than in the sheet."""
    shifted = sum(item.is_exact and item.shift != 0 for item in clips)
    return shifted >= FEW and SHARE * shifted >= len(clips)


def refuse_other(clips: Sequence[Numbers], *, recordings: bool, dataset: str, root: Path) -> None:
    """Stops a build whose files cannot be matched with the frame numbers of the sheet.

    So it is where half of the clips have their onset or offset outside their folder, or their apex
    outside onset to offset, or where half of the folders hold the same number of files from the
    same number on, although their clips differ in length. Folders that hold exactly their clip
    count for neither, but for the apex.

    Whole recordings are numbered from 1 on, differ in length and hold all of their clip. Frames
    were numbered anew, perhaps after some were left out, where one of SHARE_OF_RECORDINGS does not
    hold its clip, or where half begin at 0, go in steps or are equally long.

    Args:
      clips: all with a folder that holds files.
      recordings: whether the folders hold whole recordings, of which the clip is a part.
      dataset: name of the release.
      root: folder of the release.

    Raises:
      UserError: names a clip, both numberings, and what is needed.
    """
    others = [item for item in clips if not item.is_exact]
    outside = [item for item in others if item.lies_outside]
    share = SHARE_OF_RECORDINGS if recordings else SHARE
    enough = FEW + 1 if recordings else FEW
    if len(outside) >= enough and share * len(outside) >= len(clips):
        reason = f'{len(outside)} of {len(clips)} clips have their onset or offset outside their'
        _refuse(outside, f'{reason} folder', dataset, root)
    astray = [item for item in clips if item.apex_is_astray]
    if len(astray) > FEW and SHARE * len(astray) >= len(clips):
        reason = f'{len(astray)} of {len(clips)} clips have their apex outside onset to offset'
        _refuse(astray, f'{reason}, that of {astray[0].clip} is {astray[0].apex}', dataset, root)
    equal = [] if recordings else _of_one_size(others)
    if len(equal) > FEW and SHARE * len(equal) >= len(clips):
        reason = f'{len(equal)} of {len(clips)} clips have another number of frames than their'
        _refuse(equal, f'{reason} folder', dataset, root)
    if recordings and clips:
        _refuse_renumbered_recordings(clips, dataset, root)


def _refuse_renumbered_recordings(clips, dataset, root):
    # a recording may hold several clips
    folders = list({item.folder: item for item in clips}.values())
    size, _ = Counter(len(item.numbers) for item in folders).most_common(1)[0]
    signs: dict[str, Callable[[Numbers], bool]] = {
        'begin at 0': lambda item: item.numbers[0] == 0,
        'are numbered in steps': lambda item: item.step > 1,
        'hold equally many files': lambda item: len(item.numbers) == size,
    }
    for sign, has in signs.items():
        those = [item for item in folders if has(item)]
        if len(those) > FEW and SHARE * len(those) >= len(folders):
            reason = f'{len(those)} of {len(folders)} whole recordings {sign}'
            _refuse(those, reason, dataset, root)


def _of_one_size(clips):
    """The clips whose folders hold equally many files from one number, or from the onset, on.

    [] where the clips are equally long, too: files before and after a clip are no other numbering.
    """
    groups = defaultdict(list)
    for item in clips:
        if (item.numbers[0], item.numbers[-1]) == (item.onset, item.offset):
            continue  # its key frames are there, whatever lies between them
        groups['first', len(item.numbers), item.numbers[0]].append(item)
        groups['shift', len(item.numbers), item.shift].append(item)
    equal = max(groups.values(), key=len, default=[])
    return equal if len({item.length for item in equal}) > 1 else []


def _refuse(clips, reason, dataset, root):
    example = clips[0]
    folder = example.folder.relative_to(root).as_posix()
    raise UserError(
        f'{dataset}: the frames are numbered otherwise than in the sheet: {reason}; '
        f'{_seen(clips)}; the first is {example.clip}: {example.onset} to {example.offset} in the '
        f'sheet, {example} in {folder}; needed: file numbers as in the sheet, or exactly the '
        'frames from onset to offset in each folder'
    )


def _seen(clips):
    """What the numberings of several folders have in common, in words."""
    first, folders = Counter(item.numbers[0] for item in clips).most_common(1)[0]
    texts = []
    if SHARE * folders >= len(clips):
        texts.append(f'start at {first} in {folders} of these folders')
    size, folders = Counter(len(item.numbers) for item in clips).most_common(1)[0]
    if SHARE * folders >= len(clips):
        texts.append(f'hold {size} files each in {folders} of them')
    shift, folders = Counter(item.shift for item in clips).most_common(1)[0]
    if SHARE * folders >= len(clips):
        texts.append(f'begin {_distance(shift)} the onset')
    step, folders = Counter(item.step for item in clips).most_common(1)[0]
    if step > 1 and SHARE * folders >= len(clips):
        texts.append(f'go in steps of {step}')
    return f'the files {", ".join(texts)}' if texts else 'the files follow no common numbering'


def _distance(shift):
    if shift == 0:
        return 'at'
    return f'{abs(shift)} {"before" if shift > 0 else "after"}'
