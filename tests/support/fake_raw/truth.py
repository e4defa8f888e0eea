"""What the fakes say of themselves: annotation rows as written, clips as a reader must give them,
and the release.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Annotation:
    """One row of a sheet, with the values as they stand in its cells (int or str)."""

    subject: str
    name: str
    onset: object
    apex: object
    offset: object
    action_units: str
    emotion: str
    kind: str = 'micro'
    more: tuple = ()  # further columns of this release
    frames: tuple = ()  # (first, last) frame on disk; () = onset and offset


@dataclass(frozen=True)
class Clip:
    """What a reader must give for one annotated clip of an unspoilt release; apex None: to be
    estimated.
    """

    clip: str
    subject: str
    emotion: str
    onset: int
    apex: int | None
    offset: int
    action_units: str  # the cell as typed, blanks at its ends included; '' without a sheet
    action_units_known: bool
    kind: str
    folder: Path
    numbers: tuple  # of all files in its folder (CAS(ME)^2: of the files from onset to offset)
    row: int  # Excel row, 1-based; 0 without a sheet
    repaired: bool = False  # something in the sheet cannot be used as it is


@dataclass
class Release:
    """One written release. `folder` is what a user gives as manual folder; clips maps id -> Clip,
    in sheet order.
    """

    folder: Path
    images: Path  # the folder that holds the subject folders
    sheets: tuple
    clips: dict
    unannotated: tuple = ()  # clip folders that no row of the sheet uses
    # label scheme -> clips it keeps; of the full size only
    counts: dict = field(default_factory=dict)
    faults: dict = field(default_factory=dict)  # clip id -> names of the faults injected

    def counted(self, value):
        """{value(clip): clips}, for comparing with a table."""
        table = {}
        for clip in self.clips.values():
            table[value(clip)] = table.get(value(clip), 0) + 1
        return table


def usable(annotation, numbers):
    """(onset, apex or None, offset, repaired) by the rule of the house.

    The sheet's apex where onset < apex <= offset and the file is there; onset and offset: the
    nearest file inside.
    """
    onset = min(n for n in numbers if n >= annotation.onset)
    offset = max(n for n in numbers if n <= annotation.offset) if annotation.offset else 0
    apex = annotation.apex
    good = isinstance(apex, int) and onset < apex <= offset and apex in numbers
    repaired = not good or (onset, offset) != (annotation.onset, annotation.offset)
    return onset, apex if good else None, offset, repaired


def spread(counts):
    """The names of {name: count} in a fixed, evenly mixed order, each as often as its count
    says.
    """
    total, used, order = sum(counts.values()), dict.fromkeys(counts, 0), []
    for step in range(1, total + 1):
        name = max(
            (n for n in counts if used[n] < counts[n]),
            key=lambda n: counts[n] * step / total - used[n],
        )
        used[name] += 1
        order.append(name)
    return order
