"""Image trees of a release, <tree>/<subject>/<clip>/<frames>, found by their names wherever a user
unpacked them.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from tfds_builders import base, frames, sheets

# <given>/CASME2/CASME2_preprocessed/CASME2_preprocessed/Cropped is the deepest seen in public
# projects
DEPTH = 4
_SUBJECT = re.compile(r'(sub|spno\.?|s)?\d{1,3}', re.IGNORECASE)
# no release lies inside a subject, video or clip
_INSIDE = re.compile(rf'{_SUBJECT.pattern}(_\d\w*)?', re.IGNORECASE)


class Tree(NamedTuple):
    """One image tree. `clips` maps the lower-case clip id to its folders: more than one where it
    lies there twice.
    """

    path: Path
    kind: str
    clips: dict


def folders(folder, depth=DEPTH):
    """`folder` and the folders at most `depth` below it, nearer ones first; none of a subject,
    video or clip.
    """
    level = [Path(folder)]
    for _ in range(depth + 1):
        yield from level
        level = [
            inner for outer in level for inner in inside(outer) if not _INSIDE.fullmatch(inner.name)
        ]


def inside(folder):
    """Folders directly in `folder`, sorted by name; without litter, and none where it may not be
    listed.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name for entry in entries if entry.is_dir() and not base.is_litter(entry.name)
            ]
    except PermissionError:
        return []
    return [Path(folder) / name for name in sorted(names)]


def workbooks(folder):
    """All sheets in `folder` and the folders below it, in the order of `folders`."""
    return [path for inner in folders(folder) for path in sheets.workbooks(inner)]


def find(folder, *, clip_id, frame, kind):
    """Trees in `folder` and below, as [Tree], in the order of `folders`.

    clip_id(subject folder's name, clip folder's name) -> id, '' where those are no subject and clip
    of this release;
    frame: pattern of its file names, one of which must occur; kind(tree's path, files of one clip)
    -> what it holds.
    """
    found = []
    for path in folders(folder):
        clips = _clips(path, clip_id)
        sample = _sample(clips, frame)
        if sample:
            found.append(Tree(path, kind(path, sample), clips))
    return found


def choose(found, wanted, order):
    """(tree that is read or None, the others): `wanted` is a kind, or 'auto' for the first of
    `order` that is there.

    Of several trees of that kind the one with most clips is taken.
    """
    kinds = order if wanted == 'auto' else (wanted,)
    ranked = sorted(
        (tree for tree in found if tree.kind in kinds),
        key=lambda t: (kinds.index(t.kind), -len(t.clips)),
    )
    return (
        (ranked[0], [tree for tree in found if tree is not ranked[0]])
        if ranked
        else (None, list(found))
    )


def nearest_word(path, root, words):
    """Kind of the nearest name, from `path` up to, without, `root`, that has a word of ((word,
    kind), ...); '' if none.

    Of several words in one name the first of `words` counts ('CASME2_RAW_selected').
    """
    for folder in [path, *path.parents]:
        # what a user calls the folder above a release says nothing of its trees
        if folder == root != path:
            break
        for word, kind in words:
            if word in folder.name.lower():
                return kind
        if folder == root:  # nor do the folders above it
            break
    return ''


def common_folder(paths):
    """The deepest folder that holds all `paths`."""
    return Path(os.path.commonpath([str(path) for path in paths]))


def frame_files(found):
    """All picture files of the clips of `found`, by clip folder and frame number."""
    clips = [clip for tree in found for paths in tree.clips.values() for clip in paths]
    return [path for clip in clips for _, path in frames.numbered(clip)]


def _clips(folder, clip_id):
    """{lower-case id: [folders]} of <folder>/<subject>/<clip>."""
    found = {}
    for subject in inside(folder):
        for clip in inside(subject) if _SUBJECT.fullmatch(subject.name) else []:
            if name := clip_id(subject.name, clip.name):
                found.setdefault(name.lower(), []).append(clip)
    return found


def _sample(clips, frame):
    """The pictures of one clip that holds files of this release; [] where none does."""
    for paths in clips.values():
        found = [
            path
            for _, path in frames.numbered(paths[0])
            if re.fullmatch(frame, path.name, re.IGNORECASE)
        ]
        if found:
            return found
    return []
