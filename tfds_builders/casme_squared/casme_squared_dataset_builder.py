"""casme_squared: micro-expressions of the official CAS(ME)^2 release, read from the folder as its
authors ship it.
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from mer_jax.errors import UserError
from tfds_builders import audit, recordings, release
from tfds_builders.casme_squared import layout
from tfds_builders.release_config import Config


class Builder(release.ReleaseBuilder):
    """See README.md beside this file: where to apply, what to unpack where, what comes out."""

    VERSION = tfds.core.Version('3.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = layout.INSTRUCTIONS
    LAYOUT = layout
    BUILDER_CONFIGS = [
        *release.ReleaseBuilder.BUILDER_CONFIGS,
        Config(name=recordings.CONFIG, description=recordings.SUMMARY, kind=recordings.CONFIG),
    ]

    @classmethod
    def options_of(cls, kind: str) -> dict[str, Sequence[str]]:  # noqa: D102 (as of the base)
        if kind == recordings.CONFIG:
            return layout.RECORDING_OPTIONS
        return super().options_of(kind)

    @property
    def CODE(self) -> tuple[str, ...]:  # noqa: D102, N802 (as of the base)
        of_recordings = self.builder_config.kind == recordings.CONFIG
        return (*super().CODE, *(('tfds_builders.recordings',) if of_recordings else ()))

    def source_files(self, source: Path) -> tuple[list[Path], list[Path]]:  # noqa: D102 (as above)
        if self.builder_config.kind == recordings.CONFIG:
            return layout.recording_files(source)
        return super().source_files(source)

    def _info(self):
        if self.builder_config.kind == recordings.CONFIG:
            return self.clip_info(recordings.features())
        return super()._info()

    def _split_generators(self, dl_manager):
        if self.builder_config.kind != recordings.CONFIG:
            return super()._split_generators(dl_manager)
        source = self.source(dl_manager.manual_dir)
        records, rows = layout.read_recordings(source, options=self.options())
        self.record_audit(rows)
        if not records:
            raise UserError(f'{self.name}: no recording of {source} can be used')
        self.summary = audit.summary(self.name, rows)
        return {'train': ((record.clip, recordings.example(record)) for record in records)}
