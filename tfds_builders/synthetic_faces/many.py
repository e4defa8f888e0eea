"""synthetic_faces/many: thousands of drawn faces as flow features.

A class and module of its own: the digests of the other configs' builds hold the code of their
module, so that a change there would have every one of them built again.
"""

import functools
from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.preprocess.synthetic import many, published
from tfds_builders import base, fingerprint, release_config, schema, workers
from tfds_builders.release_config import Config

KIND = 'many'
SUMMARIES = {
    KIND: 'clips drawn on demand as flow features (u, v, strain) from onset to apex, and the truth'
}
# {setting: allowed values, the default first}
OPTIONS = {
    'clips': ('2000', 'a number'),
    'draw': ('0', 'a number'),
    'size': ('28', '56', '112', '224'),
    'optical_flow': (*many.METHODS, many.EXACT),
    'balance': ('published', 'even'),
    'control': ('none', 'units', 'head'),
    'distractors': ('none', 'eyes'),
}
WHOLE = {'clips': range(1, 100_001), 'draw': range(1_000)}
# modules that decide what is drawn
GENERATOR = (
    'mer_jax.preprocess.flow',
    *(
        f'mer_jax.preprocess.synthetic.{name}'
        for name in (
            'brush',
            'clips',
            'distractors',
            'drawing',
            'exact',
            'identity',
            'landmarks',
            'many',
            'motion',
            'muscles',
            'published',
            'relief',
        )
    ),
)


class Builder(base.ClipBuilder, skip_registration=True):
    """Draws onset and apex of its clips; `flow` is measured on them, `displacement` the truth."""

    name = 'synthetic_faces'
    VERSION = tfds.core.Version('1.0.0')
    CODE = GENERATOR
    BUILDER_CONFIGS = [Config(name=KIND, description=SUMMARIES[KIND], kind=KIND)]
    progress = True

    @tfds.core.utils.classproperty
    @classmethod
    @functools.cache
    def builder_configs(cls) -> release_config.Configs:  # noqa: D102 (TFDS describes it)
        return release_config.Configs(cls.BUILDER_CONFIGS, cls.parse_config)

    @classmethod
    def parse_config(cls, text: str) -> Config:
        """The Config of 'many,setting=value,...'.

        Raises:
          UserError: names the setting or value that does not exist.
        """
        config = release_config.parse(text, cls.name, lambda kind: OPTIONS, {}, SUMMARIES)
        for setting, allowed in WHOLE.items():
            value = float(config.options.get(setting, OPTIONS[setting][0]))
            if value not in allowed:
                raise UserError(
                    f'{cls.name}/{text}: {setting} is {value:g}; allowed: whole numbers from '
                    f'{allowed.start} to {allowed.stop - 1}'
                )
        return cls.builder_configs.get(config.name) or config

    def _create_builder_config(self, builder_config, version):
        if isinstance(builder_config, str):
            return self.parse_config(builder_config)
        return super()._create_builder_config(builder_config, version)

    def options(self) -> dict[str, str]:
        """Every setting with its value."""
        defaults = {name: allowed[0] for name, allowed in OPTIONS.items()}
        return {**defaults, **self.builder_config.options}

    def kind(self) -> many.Kind:
        """What the settings ask for, but for the number of clips."""
        options = self.options()
        del options['clips']
        numbers = {name: int(options.pop(name)) for name in ('draw', 'size')}
        return many.Kind(**numbers, **options)

    def _info(self):
        size = self.kind().size
        return self.clip_info(
            schema.clip_features(
                tuple(published.CLASSES),
                flow=schema.tensor((size, size, 3), np.float32),
                landmarks=schema.tensor((2, 68, 2), np.float32),
                displacement=schema.tensor((size, size, 2), np.float32),
            )
        )

    def settings(self) -> dict:
        """The settings, and the OpenCV that measures flow."""
        return {**self.options(), 'opencv': cv2.__version__}

    def generator(self) -> str:
        """Digest of the tables and the code that draw, whatever is drawn by them."""
        return fingerprint.digest(fingerprint.code_digests(GENERATOR))

    def _download_and_prepare(self, dl_manager, download_config):
        super()._download_and_prepare(dl_manager, download_config)
        self.info.metadata.update(generator=self.generator())

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        drawn = workers.threaded(
            partial(_records, self.kind()),
            persons(int(self.options()['clips'])),
            cores=machine.cores(),
            title=f'{self.name}/{self.builder_config.name}',
            progress=self.progress,
            unit='person',
        )
        for records in drawn:
            yield from ((record['clip'], record) for record in records)


def persons(clips: int) -> list[tuple[int, int]]:
    """(number of the person, its clips) of every person of a data set.

    Args:
      clips: of the data set; the last person may have fewer than the others.
    """
    each = published.CLIPS_A_PERSON
    return [(number, min(each, clips - number * each)) for number in range(-(-clips // each))]


def _records(kind: many.Kind, job: Sequence[int]) -> list[dict]:
    """The records of one person's clips."""
    return list(map(_record, many.clips_of(kind, *job)))


def _record(clip: many.Clip) -> dict:
    fields = clip._asdict()
    del fields['frames']
    return schema.example(
        **fields, dataset='synthetic', action_units_known=True, apex_source='truth'
    )
