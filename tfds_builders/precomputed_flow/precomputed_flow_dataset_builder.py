"""precomputed_flow: published 28x28 flow features (u, v, strain), one PNG a clip, three classes."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from mer_jax.errors import UserError
from tfds_builders import base, schema
from tfds_builders.audit import Row
from tfds_builders.precomputed_flow import layout, png

HEIGHT, WIDTH = 28, 28
FOLDER = 'norm_u_v_os'
INSTRUCTIONS = (
    f'it must be or contain the folder {FOLDER} with <subject>/u_test/<0, 1 or '
    '2>/<subject>_<clip> .png'
)


class Builder(base.ClipBuilder):
    """Reads only `u_test`: `u_train` of a subject repeats the other subjects' files."""

    VERSION = tfds.core.Version('2.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = INSTRUCTIONS
    CODE = ('tfds_builders.precomputed_flow.layout', 'tfds_builders.precomputed_flow.png')

    def _info(self):
        flow = schema.tensor((HEIGHT, WIDTH, 3), np.uint8)
        return self.clip_info(schema.clip_features(tuple(layout.EMOTIONS.values()), flow=flow))

    def settings(self) -> dict:
        return {
            'classes': layout.EMOTIONS,
            'datasets': layout.DATASETS,
            'channels': ['u', 'v', 'strain'],
        }

    def source(self, manual_dir: Path) -> Path:
        """`manual_dir`/norm_u_v_os, or `manual_dir` itself where subjects with a u_test stand in
        it.
        """
        for folder in (Path(manual_dir) / FOLDER, Path(manual_dir)):
            if folder.name == FOLDER and folder.is_dir() or any(folder.glob('*/u_test')):
                return folder
        raise UserError(
            f'{self.name}: --config.data.manual_dir={manual_dir} does not hold the files: '
            f'{INSTRUCTIONS}'
        )

    def source_files(self, source: Path) -> tuple[list[Path], list[Path]]:
        """Everything but litter and u_train, which would be 68 copies of the same files."""

        def skip(name: str) -> bool:
            return base.is_litter(name) or name == 'u_train'

        return base.files_below(source, skip=skip), []

    def _split_generators(self, dl_manager):
        source = self.source(dl_manager.manual_dir)
        clips, rows = layout.walk(source)
        if not clips and not rows:
            raise UserError(f'{self.name}: {source} is empty; {INSTRUCTIONS}')
        examples = {}
        # all files are read before one is written, so that audit.csv names every bad one
        for clip in clips:
            flow, row = _read(source, clip)
            rows.append(row)
            examples[clip.clip] = flow
        surplus = layout.surplus(clips)
        self.record_audit([*sorted(rows), *surplus])
        if surplus:
            self.notices.append(_surplus_notice(clips, surplus))
        return {'train': self._generate_examples(clips, examples)}

    def _generate_examples(self, clips, flows):
        for clip in clips:
            fields = {
                name: getattr(clip, name) for name in ('clip', 'subject', 'dataset', 'emotion')
            }
            yield clip.clip, schema.example(**fields, flow=flows[clip.clip])


def _surplus_notice(clips, surplus):
    return (
        f'{len(clips)} clips, {len(surplus)} subjects have more than in the published set of '
        f'{sum(layout.PUBLISHED.values())}; the first is {surplus[0].file}: {surplus[0].reason}'
    )


def _read(source, clip):
    """(flow uint8 [28, 28, 3] or None, audit row). The file's R, G, B are u, v, strain already."""
    file = clip.path.relative_to(source).as_posix()
    try:
        return png.read_rgb(clip.path, height=HEIGHT, width=WIDTH), Row(file, 'used', '')
    except (ValueError, OSError) as error:
        return None, Row(file, 'error', str(error))
