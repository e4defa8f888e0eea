"""Image trees of a release, <tree>/<subject>/<clip>/<frames>, wherever a user unpacked them.

They are recognised by the names of their folders and files.
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from tfds_builders import base, frames, sheets

# <given>/CASME2/CASME2_preprocessed/CASME2_preprocessed/Cropped is the deepest seen in public
# projects
DEPTH = 4
_SUBJECT = re.compile(r'(sub|spno\.?|s)?\d{1,3}', re.IGNORECASE)
# no release lies inside a subject, video or clip
_INSIDE = re.compile(rf'{_SUBJECT.pattern}(_\d\w*)?', re.IGNORECASE)
# what the folder of a subject holds in any release: clips, videos, or classes
_OF_SUBJECT = re.compile(
    r'ep\d.*|\d{1,3}_\d.*|[a-z]+\d+_\d+|(non[-_ ]?)?micro|negative|positive|surprise', re.IGNORECASE
)


_PICTURES = 'pictures'
# what users have in place of frames, and what to do about it
_OTHERS = {
    'videos': ' (frames are needed as pictures)',
    'pictures of another format': ' (jpg, png and bmp are read)',
    'archives': ' (to be unpacked)',
}
_SUFFIXES = {
    'videos': (
        '.avi', '.mp4', '.mov', '.mkv', '.wmv', '.mpg', '.mpeg', '.m4v', '.webm', '.flv', '.mts',
    ),
    'pictures of another format': (
        '.tif', '.tiff', '.gif', '.webp', '.ppm', '.pgm', '.jp2', '.heic', '.npy', '.npz', '.mat',
        '.raw', '.dng', '.tga', '.exr', '.h5', '.hdf5', '.pkl', '.jfif', '.jpe', '.avif', '.svg',
    ),
    'archives': ('.zip', '.rar', '.7z', '.tar', '.gz', '.tgz', '.bz2', '.xz', '.001', '.z01'),
}  # fmt: skip
MOST_LOOKED_AT = 20_000  # files; a message needs no more


class Tree(NamedTuple):
    """One image tree."""

    path: Path
    kind: str
    # lower-case clip id -> its folders: more than one where it lies there twice
    clips: dict[str, list[Path]]


def folders(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Yields `folder` and the folders at most `depth` below it, nearer ones first.

    Folders of a subject, video or clip are left out, and so are links to what is found without
    them.
    """
    root, level = os.path.realpath(folder), [Path(folder)]
    for _ in range(depth + 1):
        yield from level
        next_level = []
        for outer in level:
            next_level += [
                inner
                for inner in inside(outer)
                if (not _INSIDE.fullmatch(inner.name) or _is_part(inner))
                and not _leads_back(inner, root)
            ]
        level = next_level


def _is_part(folder):
    """Whether a folder that is named like a subject or clip is a part of an archive: 'disk/2/'."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if frames.is_frame(entry.name):
                    return False  # at once: a long video has thousands
                if entry.is_dir() and not base.is_litter(entry.name):
                    names.append(entry.name)
    except PermissionError:
        return False
    return bool(names) and not any(map(_OF_SUBJECT.fullmatch, names))


def _leads_back(folder, root):
    """Whether a folder is a link to one inside `root`, or to one that holds `root`."""
    if not folder.is_symlink():
        return False
    target = os.path.realpath(folder)
    return os.path.commonpath([target, root]) in (target, root)


def inside(folder: Path) -> list[Path]:
    """Folders directly in `folder`, sorted by name, without litter.

    There are none where the folder may not be listed.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name for entry in entries if entry.is_dir() and not base.is_litter(entry.name)
            ]
    except PermissionError:
        return []
    return [Path(folder) / name for name in sorted(names)]


def workbooks(folder: Path, suffixes: Sequence[str] = sheets.SUFFIXES) -> list[Path]:
    """All sheets in `folder` and the folders below it, in the order of `folders`.

    Args:
      folder: where to look.
      suffixes: of the files that count.
    """
    paths = []
    for inner in folders(folder):
        paths += sheets.workbooks(inner, suffixes)
    return paths


def find(
    folder: Path,
    *,
    clip_id: Callable[[str, str], str],
    frame: str,
    kind: Callable[[Path, list[Path]], str],
) -> list[Tree]:
    """Image trees in `folder` and below, in the order of `folders`.

    Args:
      folder: where to look.
      clip_id: clip_id(name of a subject's folder, name of a clip's folder) returns the clip's id,
        '' where the two are no subject and clip of this release.
      frame: pattern of the names of frame files, one of which must occur.
      kind: kind(path of a tree, files of one of its clips) returns what the tree holds.
    """
    trees = []
    for path in folders(folder):
        clips = _clips(path, clip_id)
        sample = _sample(clips, frame)
        if sample:
            trees.append(Tree(path, kind(path, sample), clips))
    return trees


def choose(
    trees: Sequence[Tree], wanted: str, order: Sequence[str]
) -> tuple[Tree | None, list[Tree]]:
    """The tree that is read, None where there is none, and the others.

    Args:
      trees: several of one kind are parts of one release.
      wanted: a kind, or 'auto' for the first of `order` that is there.
      order: kinds.

    Raises:
      UserError: two trees of that kind hold the same clip.
    """
    kinds = order if wanted == 'auto' else (wanted,)
    candidates = [tree.kind for tree in trees if tree.kind in kinds]
    if not candidates:
        return None, list(trees)
    kind = min(candidates, key=kinds.index)
    others = [tree for tree in trees if tree.kind != kind]
    return join([tree for tree in trees if tree.kind == kind]), others


def join(parts: Sequence[Tree]) -> Tree:
    """One tree of all clips in several trees of one kind: the parts of an archive.

    A folder without pictures is no clip where another part has the clip.

    Raises:
      UserError: two parts hold pictures of the same clip.
    """
    if len(parts) == 1:
        return parts[0]
    folders_of_part = {}  # clip -> {part: its folders}
    for part in parts:
        for clip, paths in part.clips.items():
            folders_of_part.setdefault(clip, {})[part.path] = paths
    twice, clips = [], {}
    for clip, by_part in folders_of_part.items():
        if len(by_part) > 1:
            filled = {path: paths for path, paths in by_part.items() if any(map(_filled, paths))}
            by_part = filled or dict([by_part.popitem()])
        if len(by_part) > 1:
            twice.append([paths[0] for paths in by_part.values()])
        clips[clip] = next(iter(by_part.values()))
    if twice:
        first, second = twice[0][:2]
        raise UserError(
            f'{first} and {second} are both {parts[0].kind} frames of one clip'
            f'{more_clips(len(twice))}; keep one of the two trees, or name the folder of one '
            'release'
        )
    return Tree(common_folder(part.path for part in parts), parts[0].kind, clips)


def more_clips(count: int) -> str:
    """' (and so on for 3 more clips)' behind the first of `count` clips."""
    return f' (and so on for {count - 1} more clips)' if count > 1 else ''


def _filled(folder):
    return bool(frames.numbered(folder))


def nearest_word(path: Path, root: Path, words: Sequence[tuple[str, str]]) -> str:
    """The kind of the nearest folder, from `path` up to `root`, whose name has a word; '' if none.

    Args:
      path: folder of a tree.
      root: what the user names; its own name does not count, unless it is the tree.
      words: (word, kind) pairs; of several words in one name the first counts
        ('CASME2_RAW_selected').
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


def contents(
    folder: Path,
    clip_id: Callable[[str, str], str] = lambda subject, clip: '',
    emotions: Collection[str] = (),
) -> str:
    """What lies in a folder without frames, in words: a remark for everyone who expected them.

    Args:
      folder: with all folders below it; of many files the first ones are looked at.
      clip_id: as of `find`.
      emotions: of the release; a folder above the subjects may bear one's name.
    """
    paths = {kind: [] for kind in (*_OTHERS, _PICTURES, 'other files')}
    for path in itertools.islice(_below(folder), MOST_LOOKED_AT):
        paths[_content(path.suffix.lower())].append(path)
    texts = []
    for kind, those in paths.items():
        if those:
            # a sheet that lies on top says nothing of thousands of files below it
            usual, _ = Counter(path.suffix for path in those).most_common(1)[0]
            example = next(path for path in those if path.suffix == usual).relative_to(folder)
            hint = _OTHERS.get(kind, '')
            if kind == _PICTURES:
                hint = _misplaced(example, clip_id, emotions)
            texts.append(f'{len(those)} {kind} as {example.as_posix()}{hint}')
    return ', '.join(texts) or 'nothing'


def _below(folder):
    """Files below a folder in the order of their names, without litter."""
    for entry in sorted(Path(folder).iterdir()) if os.access(folder, os.R_OK | os.X_OK) else ():
        if base.is_litter(entry.name):
            continue
        if entry.is_dir():
            yield from _below(entry)
        else:
            yield entry


def _content(suffix):
    """The kind of a file by its suffix."""
    if suffix in frames.SUFFIXES:
        return _PICTURES
    for kind, suffixes in _SUFFIXES.items():
        if suffix in suffixes:
            return kind
    return 'other files'


def _misplaced(example, clip_id, emotions):
    """Why a picture at such a place is no frame of a clip."""
    above = [sheets.clean(name) for name in example.parts[:-1]]
    pairs = list(itertools.pairwise(above))
    levels = [index for index, pair in enumerate(pairs) if clip_id(*pair)]
    is_emotion = {emotion.lower() for emotion in emotions}
    if any(name.lower() in is_emotion for name in above[: levels[0] if levels else None]):
        return ' (sorted by class first; the subject must be the upper folder)'
    if levels and levels[0] + 2 < len(above):
        return f' ({above[-1]!r} is a level too many: frames lie in the folder of their clip)'
    if levels and levels[0] > DEPTH:
        return f' (more than {DEPTH} folders down)'
    if levels:
        return ' (other names of files, or of the folders above, than needed)'
    if above and _SUBJECT.fullmatch(above[-1]):
        return ' (in the folder of the subject, without a folder for each clip)'
    return ''


def common_folder(paths: Iterable[Path]) -> Path:
    """The deepest folder that holds all `paths`."""
    return Path(os.path.commonpath([str(path) for path in paths]))


def frame_files(trees: Iterable[Tree]) -> list[Path]:
    """All picture files of the clips of `trees`, by clip folder and frame number."""
    files = []
    for tree in trees:
        for clip_folders in tree.clips.values():
            for folder in clip_folders:
                files += [path for _, path in frames.numbered(folder)]
    return files


def _clips(folder, clip_id):
    """{lower-case id: [folders]} of <folder>/<subject>/<clip>."""
    clips = {}
    for subject in inside(folder):
        owner = sheets.clean(subject.name)
        if not _SUBJECT.fullmatch(owner):
            continue
        for clip in inside(subject):
            if name := clip_id(owner, sheets.clean(clip.name)):
                clips.setdefault(name.lower(), []).append(clip)
    return clips


def _sample(clips, frame):
    """The pictures of one clip that holds files of this release; [] where none does."""
    pattern = re.compile(frame, re.IGNORECASE)
    for paths in clips.values():
        numbered = frames.numbered(paths[0])
        pictures = [path for _, path in numbered if pattern.fullmatch(path.name)]
        if pictures:
            return pictures
    return []
