"""Reads a release of one coding sheet and trees of frames; each states its columns and folders.

CASME, MMEW, CAS(ME)^3 and 4DME are read so. What is unusable is decided by `annotated`, by the same
rules for all.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mer_jax.errors import UserError
from tfds_builders import annotated, frames, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.clip import Clip, KeyFrames

CODE = ('tfds_builders.one_sheet',)  # of the layouts that use it
Records = tuple[Path, list[dict]]  # a sheet and its rows by column


@dataclass(frozen=True)
class Place:
    """Where clips lie below a tree."""

    levels: tuple[str, ...]  # pattern of the folder's name at each level; the last holds frames
    # clip_id(name of each level) returns the id of the clip or recording, '' for none
    clip_id: Callable[..., str]
    kind: str = ''  # of all frames here; '' where the words of folder names decide


@dataclass(frozen=True)
class Format:
    """What is special to one release."""

    dataset: str
    title: str
    instructions: str
    columns: Mapping[str, Sequence[str]]  # as of sheets.find_table
    optional: tuple[str, ...]  # columns that may be missing
    rows: int  # of the official sheet, which is read before any other
    clip: str  # pattern of a cell of the column filename
    clip_example: str
    # identify(record) returns (clip id, subject), or raises ValueError with a reason
    identify: Callable[[Mapping[str, str]], tuple[str, str]]
    # emotion(cell) returns one of the release's list, or raises ValueError with a reason
    emotion: Callable[[str], str]
    places: tuple[Place, ...]
    frame: str  # pattern of the name of a file
    frame_example: str
    kinds: tuple[str, ...]  # of frames; frames=auto takes the first that is there
    words: tuple[tuple[str, str], ...] = ()  # (part of a folder's name, kind)
    crop_prefix: str = ''  # of the files of face crops
    cropped: tuple[str, ...] = ('cropped',)  # the kinds that are face crops
    recordings: tuple[str, ...] = ()  # the kinds whose folders hold whole recordings
    # recording(clip id) returns the id of its recording
    recording: Callable[[str], str] = str
    fps: float = 0.0  # 0: unknown
    # contradiction(annotation, folder of the clip) returns a reason, '' where there is none
    contradiction: Callable[[annotated.Annotation, Path], str] = lambda annotation, folder: ''
    # named sets of published key frames by clip id
    corrections: Mapping[str, Mapping[str, KeyFrames]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, tuple[str, ...]]:
        """{setting: allowed values, the default first}."""
        options = {'frames': ('auto', *self.kinds)}
        return {**options, 'corrections': tuple(self.corrections)} if self.corrections else options

    def find(self, manual_dir: Path) -> Path:
        """The deepest folder that holds all coding sheets and image trees of `manual_dir`.

        Raises:
          UserError: there is no sheet, or no tree.
        """
        coding, _ = self._sheets(manual_dir)
        images = self._trees(manual_dir)
        if not images:
            raise UserError(
                f'{manual_dir} holds no frames as {self.frame_example} (there is '
                f'{trees.contents(manual_dir)}); {self.instructions}'
            )
        folders = [path.parent for path, _ in coding]
        return trees.common_folder([*folders, *(tree.path for tree in images)])

    def read(self, source: Path, *, options: Mapping[str, str]) -> tuple[list[Clip], list[Row]]:
        """Clips and audit rows of the release in `source`; opens sheets and headers of frames.

        Args:
          source: as `find` returns it.
          options: a value of each name in `options`.

        Raises:
          UserError: a sheet or such frames are missing.
        """
        path, records, rows = self._choose_sheet(source)
        tree, unread = annotated.choose_tree(
            self._trees(source), options['frames'], self.kinds, source, self.instructions
        )
        annotations, sheet_rows = annotated.read_rows(records, self._annotation)
        rows += unread + sheet_rows
        whole = tree.kind in self.recordings
        if whole:
            tree, unused = self._by_clip(tree, annotations, source)
            rows += unused
        annotations, contradictions = self._agreeing(annotations, tree)
        release = annotated.Release(
            self.dataset,
            source,
            tree,
            whole=whole,
            cropped=tree.kind in self.cropped,
            fps=self.fps,
            edition='',
            corrections=dict(self.corrections.get(options.get('corrections', ''), {})),
            corrected_by=options.get('corrections', 'none'),
        )
        clips, clip_rows = annotated.join(annotations, release)
        return clips, [*rows, *contradictions, *clip_rows]

    def files(self, source: Path) -> tuple[list[Path], list[Path]]:
        """Coding sheets and frames of `source` that decide the content.

        Of whole recordings these are the frames of the annotated intervals.
        """
        coding, _ = self._sheets(source)
        candidates = self._trees(source)
        clips = [tree for tree in candidates if tree.kind not in self.recordings]
        paths = trees.frame_files(clips)
        recordings = [tree for tree in candidates if tree.kind in self.recordings]
        if recordings:
            _, records, _ = self._choose_sheet(source)
            annotations, _ = annotated.read_rows(records, self._annotation)
            for tree in recordings:
                paths += self._annotated_frames(tree, annotations)
        return [path for path, _ in coding], paths

    def _sheets(self, folder):
        """([(path, records)] of the coding sheets, audit rows of the other workbooks)."""
        coding, rows = annotated.coding_sheets(folder, self._load, self.title)
        if not coding:
            names = [self.columns[name][0] for name in self.columns if name not in self.optional]
            raise UserError(
                f'{folder} holds no sheet with the columns {", ".join(names)} '
                f'({annotated.listed(rows)}); {self.instructions}'
            )
        return coding, rows

    def _load(self, path) -> Records | None:
        """The records of a coding sheet, None of another workbook."""
        records = sheets.find_table(path, self.columns, self.optional)
        is_clip = re.compile(self.clip, re.IGNORECASE).fullmatch
        if any(is_clip(record['filename']) for record in records):
            return path, records
        annotated.refuse_names(records, self.title, self.clip_example)
        if lacking := sheets.lacking(path, self.columns, self.optional):
            raise UserError(f'no coding sheet of {self.title}: {lacking}')
        return None

    def _choose_sheet(self, source):
        """(path, records, audit rows of the other workbooks) of the sheet that is read."""
        coding, rows = self._sheets(source)
        path, records = max(coding, key=lambda sheet: (len(sheet[1]) == self.rows, len(sheet[1])))
        reason = f'another sheet: {path.name} is read'
        others = [other for other, _ in coding if other != path]
        rows += [Row(annotated.relative(other, source), 'ignored', reason) for other in others]
        records = [{**record, 'where': f'{path.name} row {record["row"]}'} for record in records]
        return path, records, rows

    def _annotation(self, record):
        """Annotation of one row; ValueError with a reason."""
        clip, subject = self.identify(record)
        return annotated.Annotation(
            where=record['where'],
            clip=clip,
            subject=subject,
            emotion=self.emotion(record['emotion']),
            action_units=record['action_units'],
            onset=annotated.frame_number(self.columns['onset'][0], record['onset']),
            apex=record['apex'],
            offset=annotated.frame_number(self.columns['offset'][0], record['offset']),
        )

    def _agreeing(self, annotations, tree):
        """(annotations that fit their folder, error rows of the others)."""
        kept, rows = [], []
        for annotation in annotations:
            folders = tree.clips.get(annotation.clip.lower(), [])
            reasons = [self.contradiction(annotation, folder) for folder in folders]
            reason = next(filter(None, reasons), '')
            if reason:
                rows.append(Row(annotation.where, 'error', reason, annotation.clip))
            else:
                kept.append(annotation)
        return kept, rows

    def _trees(self, folder):
        """Image trees in `folder` and below; none lies inside another."""
        candidates = []
        for path in trees.folders(folder):
            if any(tree.path in path.parents for tree in candidates):
                continue
            for place in self.places:
                clips = _clips(path, place)
                sample = self._sample(clips)
                if sample:
                    kind = place.kind or self._kind(path, sample, folder)
                    candidates.append(trees.Tree(path, kind, clips))
        return candidates

    def _sample(self, clips):
        """The first frame of the release in the folders of a tree, as a path; None without any."""
        is_frame = re.compile(self.frame, re.IGNORECASE).fullmatch
        for folders in clips.values():
            for _, path in frames.numbered(folders[0]):
                if is_frame(path.name):
                    return path
        return None

    def _kind(self, path, sample, root):
        if self.crop_prefix and sample.name.lower().startswith(self.crop_prefix):
            return self.cropped[0]
        return trees.nearest_word(path, root, self.words) or self.kinds[-1]

    def _by_clip(self, tree, annotations, source):
        """(a tree of recordings keyed by clip, audit rows of recordings without a clip)."""
        clips, used = {}, set()
        for annotation in annotations:
            name = self.recording(annotation.clip).lower()
            if name in tree.clips:
                clips[annotation.clip.lower()] = tree.clips[name]
                used.add(name)
        rows = []
        for name, folders in sorted(tree.clips.items()):
            if name not in used:
                paths = [annotated.relative(folder, source) for folder in folders]
                rows += [Row(path, 'ignored', 'no row of the sheet names it') for path in paths]
        return tree._replace(clips=clips), rows

    def _annotated_frames(self, tree, annotations):
        """The frames of recordings that lie in an annotated interval."""
        intervals = defaultdict(list)
        for annotation in annotations:
            for folder in tree.clips.get(self.recording(annotation.clip).lower(), ()):
                intervals[folder].append((annotation.onset, annotation.offset))
        paths = []
        for folder, inside in intervals.items():
            for number, path in frames.numbered(folder):
                if any(onset <= number <= offset for onset, offset in inside):
                    paths.append(path)
        return paths


def _clips(tree, place):
    """{lower-case id: [folders]} of the clips at one place below a tree."""
    clips = {}
    for names, folder in _walk(tree, place.levels):
        if name := place.clip_id(*names):
            clips.setdefault(name.lower(), []).append(folder)
    return clips


def _walk(folder, levels) -> Iterator[tuple[tuple[str, ...], Path]]:
    """(name of each level, folder) of all folders whose names fit the patterns of the levels."""
    first, *rest = levels
    for inner in trees.inside(folder):
        name = sheets.clean(inner.name)
        if not re.fullmatch(first, name, re.IGNORECASE):
            continue
        if not rest:
            yield (name,), inner
            continue
        for names, deeper in _walk(inner, rest):
            yield (name, *names), deeper
