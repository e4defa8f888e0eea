"""What all builders share.

That is array_record files, a fingerprint of what a data set was built from, and an audit table.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from mer_jax.errors import UserError
from tfds_builders import audit, fingerprint

SHARED_CODE = ('tfds_builders.base', 'tfds_builders.schema')


def is_litter(name: str) -> bool:
    """Whether an operating system left a file behind (.DS_Store, Thumbs.db, __MACOSX)."""
    return name.startswith('.') or name.lower() in ('thumbs.db', 'desktop.ini', '__macosx')


def files_below(folder: Path, *, skip: Callable[[str], bool] = is_litter) -> list[Path]:
    """All files below `folder`, sorted by relative path, but for names that `skip` accepts."""
    files = []
    for entry in sorted(Path(folder).iterdir()):
        if skip(entry.name):
            continue
        if entry.is_dir():
            files += files_below(entry, skip=skip)
        else:
            files.append(entry)
    return files


class ClipBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders here: one record a clip, in one split, 'train'.

    A data set defines VERSION (one for all configs) and the three TFDS methods, with `_info`
    returning `self.clip_info(schema.clip_features(...))`. It overrides what it needs of `settings`,
    `CODE`, `source` and `source_files`. One that is read from a folder of the user sets
    MANUAL_DOWNLOAD_INSTRUCTIONS (one line: what the folder must hold).
    """

    # modules that decide the content, besides the builder's own
    CODE = ()
    # where audit.csv goes when the build fails; '' = the folder that holds the versions
    failed_audit_dir = ''
    strict = False  # a build that drops many clips is an error, no warning

    def __init__(self, *, file_format='array_record', **kwargs):
        self.notices = []  # lines that the user of a finished build should read
        # TFDS's own default (TFRecord) can be neither written nor read without TensorFlow.
        super().__init__(file_format=file_format, **kwargs)

    def settings(self) -> dict:
        """JSON values that decide the content, besides the manual folder."""
        return {}

    def source(self, manual_dir: Path) -> Path:
        """The folder inside `manual_dir` that is read; UserError where the layout is not there."""
        return manual_dir

    def source_files(self, source: Path) -> tuple[list[Path], list[Path]]:
        """The files below `source` that decide the content.

        Returns:
          files of which every byte counts, and files of which a sample is enough. By default all
          files count with every byte, but for what operating systems leave behind.
        """
        return files_below(source), []

    def clip_info(self, features: tfds.features.FeaturesDict) -> tfds.core.DatasetInfo:
        """The DatasetInfo: README, citation and tags from the builder's folder, and metadata."""
        info = self.dataset_info_from_configs(features=features, metadata=tfds.core.MetadataDict())
        # TFDS would look for the data set in its public bucket, and leave an empty folder in /tmp
        # each time.
        info.initialize_from_bucket = lambda: None
        return info

    def made_by(self) -> dict[str, str]:
        """Digests of name, config, version, settings and code, by what they are of."""
        identity = {
            'name': self.name,
            'config': self.builder_config_name,
            'version': str(self.version),
        }
        return {
            **fingerprint.settings_digests({**identity, **self.settings()}),
            **fingerprint.code_digests((type(self).__module__, *SHARED_CODE, *self.CODE)),
        }

    def made_from(self, manual_dir: Path) -> dict[str, str]:
        """Digests of what is read from the manual folder, wherever it stands; {} without one."""
        if not self.MANUAL_DOWNLOAD_INSTRUCTIONS:
            return {}
        source = self.source(Path(manual_dir))
        return fingerprint.file_digests(source, *self.source_files(source))

    def record_audit(self, rows: Sequence[audit.Row]) -> None:
        """Writes audit.csv into the data set's folder.

        Raises:
          UserError: a row is an error, or too many clips are dropped for a strict build; audit.csv
            then stands beside the data set.
        """
        beside = Path(self.failed_audit_dir or Path(self.data_dir).parent) / audit.FILENAME
        loss = audit.loss(rows)
        if any(row.status == 'error' for row in rows) or loss and self.strict:
            beside.parent.mkdir(parents=True, exist_ok=True)
            audit.write(beside, rows)
            audit.refuse_errors(self.name, rows, beside)
            self.refuse_loss(rows, beside)
        if loss:
            self.notices.append(f'{loss}; --config.data.strict=True refuses such a build')
        audit.write(Path(self.data_dir) / audit.FILENAME, rows)
        beside.unlink(missing_ok=True)  # an earlier failure's table would contradict this build

    def refuse_loss(self, rows: Sequence[audit.Row], path: Path) -> None:
        """UserError where too many clips are dropped for a strict build.

        Args:
          rows: of the audit.
          path: where they stand.
        """
        if loss := audit.loss(rows):
            raise UserError(
                f'{self.name}: {loss}; every row stands in {path}; complete the release, or allow '
                'this with --config.data.strict=False'
            )

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """The tf.data.Dataset behind tfds.load, in stored order; this alone needs TensorFlow."""
        if self.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        # without this override TFDS refuses to tfds.load array_record files
        import tensorflow as tf

        features = self.info.features
        if isinstance(decoders, tfds.decode.PartialDecoding):
            features, decoders = decoders.extract_features(features), decoders.decoders
        stored = self.as_data_source(
            split=split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
        records = tf.data.Dataset.from_generator(
            lambda: (stored[index] for index in range(len(stored))),
            output_signature=tf.TensorSpec((), tf.string),
        )
        counted = records.apply(tf.data.experimental.assert_cardinality(len(stored)))
        return counted.map(lambda record: features.deserialize_example(record, decoders=decoders))

    def _download_and_prepare(self, dl_manager, download_config):
        manual_dir = dl_manager.manual_dir if self.MANUAL_DOWNLOAD_INSTRUCTIONS else ''
        # Taken before reading: a folder that changes during the build then differs at the next use.
        made_by, made_from = self.made_by(), self.made_from(manual_dir)
        super()._download_and_prepare(dl_manager, download_config)
        files = sorted(Path(self.data_dir).iterdir())
        self.info.metadata.update(
            fingerprint=fingerprint.digest([made_by, made_from]),
            made_by=made_by,
            made_from=made_from,
            sizes={path.name: path.stat().st_size for path in files},
        )
