"""frames_csv: clips of the user, which a CSV lists with subject and label."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import tensorflow_datasets as tfds

from mer_jax.errors import UserError
from tfds_builders import audit, inputs, release
from tfds_builders.clip import Clip
from tfds_builders.frames import is_gray
from tfds_builders.frames_csv import layout
from tfds_builders.release_config import Config
from tfds_builders.videos import open_recording

KEY_FRAMES_ALONE = ('flow', 'samer')  # inputs that no other frame of a clip enters
LETTERS = 40  # of a table's name in the name of its builds


class Builder(release.ReleaseBuilder):
    """See README.md beside this file: the columns, what becomes of a row, what comes out."""

    VERSION = tfds.core.Version('2.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = layout.INSTRUCTIONS
    LAYOUT = layout
    READS_TABLE = True

    def __init__(self, *, table: str = '', **kwargs):
        """A builder of one config.

        Args:
          table: path of the CSV.
          **kwargs: as of every release.
        """
        self.table = Path(os.path.abspath(table)) if table else Path()
        super().__init__(**kwargs)
        self._original_state['table'] = table

    @classmethod
    def parse_config(cls, text: str, user_files: Mapping[str, str] | None = None) -> Config:
        """The Config of an input, settings and the user's files, one of which is the table.

        Its name holds that of the table and a digest of its path, so that two tables are built
        beside each other.

        Raises:
          UserError: names what does not exist.
        """
        files = dict(user_files or {})
        table = files.pop('table', '')
        config = super().parse_config(text, None if user_files is None else files)
        if not table:
            return config
        digest = hashlib.sha256(str(table).encode()).hexdigest()[:8]
        stem = re.sub(r'[^\w.-]', '_', Path(table).stem)[:LETTERS]
        return dataclasses.replace(config, name=f'{config.name},table={stem}-{digest}')

    def _create_builder_config(self, builder_config, version):
        builder_config = builder_config or self.DEFAULT_BUILDER_CONFIG_NAME
        if isinstance(builder_config, str):
            files = {**self.user_files, 'table': str(self.table) if self.table.name else ''}
            return self.parse_config(builder_config, files)
        if isinstance(builder_config, Config):
            return builder_config  # TFDS would warn of one that is not listed
        return super()._create_builder_config(builder_config, version)

    @property
    def CODE(self) -> tuple[str, ...]:  # noqa: N802
        """Modules that decide the content."""
        return (*super().CODE, 'tfds_builders.videos')

    def features(self) -> tfds.features.FeaturesDict:
        """Those of a release, but for the label: which ones there are, the table alone says."""
        features = dict(super().features().items())
        return tfds.features.FeaturesDict({**features, 'emotion': tfds.features.Text()})

    def source(self, manual_dir: Path) -> Path:
        return layout.root(self.table)

    def source_files(self, source: Path) -> tuple[list[Path], list[Path]]:
        return layout.files(self.table)

    def read_clips(self, source: Path) -> tuple[list[Clip], list[audit.Row]]:
        clips, rows = layout.read(self.table)
        if warning := layout.alike(clips):
            self.notices.append(warning)
        self.notices += [row.reason for row in rows if audit.UNREAD in audit.reason_kinds(row)]
        if self.user_files['landmarks']:
            for clip in filter(layout.is_video, clips):
                raise UserError(
                    f'data.landmarks is {self.user_files["landmarks"]!r}, and clip {clip.clip} is '
                    'a video; landmarks are read for folders of frames alone'
                )
        return clips, rows

    @staticmethod
    def make_record(
        clip: Clip, *, kind: str, options: Mapping[str, str], files: Mapping[str, str]
    ) -> dict:
        """The record of one clip, as `inputs.make`.

        Raises:
          UserError: a frame cannot be decoded; names clip and frame.
        """
        if not layout.is_video(clip):
            return inputs.make(clip, kind=kind, options=options, files=files)
        numbers = [number for number, _ in clip.frames]
        if clip.apex >= 0 and kind in KEY_FRAMES_ALONE:
            numbers = [clip.onset, clip.apex, clip.offset]
        colour = options.get('key_frames') == 'rgb'
        return inputs.make(
            clip._replace(frames=_video_frames(clip, frozenset(numbers), colour)),
            kind=kind,
            options=options,
            files=files,
            read=_shown,
        )


def _video_frames(clip, numbers, colour):
    """((number, Frame), ...) of a video."""
    path = clip.frames[0][1]
    with open_recording(path, colour=colour, only=numbers) as recording:
        images = tuple((frame.number, frame) for frame in recording)
    if len(images) < len(numbers):
        raise UserError(
            f'{clip.dataset}: clip {clip.clip}: {path} has changed while it was read; build again'
        )
    if colour and any(is_gray(frame.rgb) for _, frame in images):
        raise UserError(
            f'{clip.dataset}: clip {clip.clip}: {path} is gray, but the setting key_frames=rgb '
            'needs colours'
        )
    return images


def _shown(frame, *, depth, colour):
    """A frame of a video as inputs.from_file returns it."""
    return frame.rgb if colour else frame.gray
