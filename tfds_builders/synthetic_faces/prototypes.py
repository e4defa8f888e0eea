"""synthetic_faces/prototypes: tens of thousands of clips as flow, of emotions by their prototypes.

A class and module of its own, as many.py is, so that builds of the others stay as they are.
"""

import functools
from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.preprocess.synthetic import many as drawn
from mer_jax.preprocess.synthetic import prototypes, published
from tfds_builders import fingerprint, release_config, schema, workers
from tfds_builders.release_config import Config
from tfds_builders.synthetic_faces import many

KIND = 'prototypes'
SUMMARIES = {
    KIND: 'clips on demand as flow features, of emotions by their prototypes, as far as an '
    'estimator sees them; and the truth'
}
# {setting: allowed values, the default first}
OPTIONS = {name: many.OPTIONS[name] for name in ('clips', 'draw', 'balance', 'distractors')}
# modules that decide what is drawn
GENERATOR = (*many.GENERATOR, 'mer_jax.preprocess.synthetic.prototypes')


class Builder(many.Builder, skip_registration=True):
    """Computes its clips; `displacement` is the truth that `flow` sees a part of."""

    VERSION = tfds.core.Version('1.0.0')
    CODE = (*GENERATOR, 'tfds_builders.synthetic_faces.many')
    BUILDER_CONFIGS = [Config(name=KIND, description=SUMMARIES[KIND], kind=KIND)]

    @tfds.core.utils.classproperty
    @classmethod
    @functools.cache
    def builder_configs(cls) -> release_config.Configs:  # noqa: D102 (TFDS describes it)
        return release_config.Configs(cls.BUILDER_CONFIGS, cls.parse_config)

    @classmethod
    def parse_config(cls, text: str) -> Config:
        """The Config of 'prototypes,setting=value,...'.

        Raises:
          UserError: names the setting or value that does not exist.
        """
        config = release_config.parse(text, cls.name, lambda kind: OPTIONS, {}, SUMMARIES)
        for setting, allowed in many.WHOLE.items():
            value = float(config.options.get(setting, OPTIONS[setting][0]))
            if value not in allowed:
                raise UserError(
                    f'{cls.name}/{text}: {setting} is {value:g}; allowed: whole numbers from '
                    f'{allowed.start} to {allowed.stop - 1}'
                )
        return cls.builder_configs.get(config.name) or config

    def options(self) -> dict[str, str]:
        """Every setting with its value."""
        defaults = {name: allowed[0] for name, allowed in OPTIONS.items()}
        return {**defaults, **self.builder_config.options}

    def kind(self) -> prototypes.Kind:
        """What the settings ask for, but for the number of clips."""
        options = self.options()
        del options['clips']
        return prototypes.Kind(draw=int(options.pop('draw')), **options)

    def _info(self):
        size = drawn.Kind().size
        return self.clip_info(
            schema.clip_features(
                tuple(published.CLASSES),
                flow=schema.tensor((size, size, 3), np.float32),
                landmarks=schema.tensor((2, 68, 2), np.float32),
                displacement=schema.tensor((size, size, 2), np.float32),
            )
        )

    def generator(self) -> str:
        """Digest of the tables and the code that draw, whatever is drawn by them."""
        return fingerprint.digest(fingerprint.code_digests(GENERATOR))

    def _generate_examples(self):
        persons = workers.threaded(
            partial(_records, self.kind()),
            many.persons(int(self.options()['clips'])),
            cores=machine.cores(),
            title=f'{self.name}/{self.builder_config.name}',
            progress=self.progress,
            unit='person',
        )
        for records in persons:
            yield from ((record['clip'], record) for record in records)


def _records(kind: prototypes.Kind, job: Sequence[int]) -> list[dict]:
    """The records of one person's clips."""
    return list(map(_record, prototypes.clips_of(kind, *job)))


def _record(clip: drawn.Clip) -> dict:
    fields = clip._asdict()
    del fields['frames']
    return schema.example(
        **fields, dataset='synthetic', action_units_known=True, apex_source='truth'
    )
