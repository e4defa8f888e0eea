"""Copies of small fake releases to spoil, and how a builder reads them."""

import os
import shutil
from pathlib import Path

from tests.support.fake_raw import casme2, casme_squared, samm, smic
from tests.tfds_builders.release_counts_test import read
from tfds_builders import frames

WRITERS = {'casme2': casme2, 'samm': samm, 'smic': smic, 'casme_squared': casme_squared}
LAYOUTS = {'casme2': 'cropped', 'samm': 'raw', 'smic': 'cropped', 'casme_squared': 'selectedpic'}
_WRITTEN = {}  # each fake is written once a process


class Copy:
    """A copy of a tiny fake release.

    Its files are hard links: rename them, or remove one before another is written in its stead.
    """

    def __init__(self, tmp_path: Path, name: str, layout: str = ''):
        layout = layout or LAYOUTS[name]
        written = _WRITTEN.get((name, layout))
        if written is None or not written.folder.exists():
            written = WRITERS[name].write(tmp_path / 'as_released', size='tiny', layout=layout)
            _WRITTEN[name, layout] = written
        self.name, self.written, self.folder = name, written, tmp_path / 'copy'
        shutil.copytree(written.folder, self.folder, copy_function=os.link)
        self.clips = {clip: own for clip, own in written.clips.items() if own.kind == 'micro'}

    def place(self, clip: str) -> Path:
        """The folder of a clip in this copy."""
        return self.folder / self.clips[clip].folder.relative_to(self.written.folder)

    def files(self, clip: str) -> list[Path]:
        """The files of a clip in this copy, by number."""
        return [path for _, path in frames.numbered(self.place(clip))]

    def as_released(self, clip: str, number: int) -> Path:
        """The file of a frame, by its number in the sheet, in the release as it was written."""
        return dict(frames.numbered(self.clips[clip].folder))[number]

    def renumber(self, number_of, pattern='', clips=()) -> None:
        """Renames the files of clips, all by default: number_of(place in the folder, number)."""
        for clip in clips or self.clips:
            waiting = []
            for path in self.files(clip):
                waiting.append(path.rename(path.with_name(f'{path.name}.waits')))
            for index, path in enumerate(waiting):
                old = Path(path.stem)
                prefix = old.stem.rstrip('0123456789')
                number = number_of(index, frames.number(old))
                name = (pattern or f'{prefix}{{}}{old.suffix}').format(number)
                path.rename(path.with_name(name))

    def read(self, **options):
        """({clip id: Clip}, audit rows) as the builder reads this copy."""
        clips, rows = read(self.name, self.folder, **options)
        return {clip.clip: clip for clip in clips}, rows

    def assert_right_frames(self, clips) -> None:
        """Every frame of every clip read is the file that bore its number in the release."""
        for clip in clips.values():
            for number, path in clip.frames:
                assert path.samefile(self.as_released(clip.clip, number)), (clip.clip, number)
