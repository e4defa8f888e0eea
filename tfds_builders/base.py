"""What all builders share: array_record files, a fingerprint of what they were built from, an audit
table.
"""

from pathlib import Path

import tensorflow_datasets as tfds

from tfds_builders import audit, fingerprint

SHARED_CODE = ('tfds_builders.base', 'tfds_builders.schema')


def is_litter(name):
    """True for files that operating systems leave behind (.DS_Store, Thumbs.db, __MACOSX): no part
    of a data set.
    """
    return name.startswith('.') or name.lower() in ('thumbs.db', 'desktop.ini', '__macosx')


def files_below(folder, *, skip=is_litter):
    """All files below `folder`, sorted by relative path; folders and files whose name `skip`
    accepts are left out.
    """
    found = []
    for entry in sorted(Path(folder).iterdir()):
        if skip(entry.name):
            continue
        found.extend(files_below(entry, skip=skip) if entry.is_dir() else [entry])
    return found


class ClipBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders here. A data set defines VERSION (one for all configs) and the three
    TFDS methods, with `_info` returning `self.clip_info(schema.clip_features(...))` and one split
    'train', and overrides what it needs of:

        settings()            everything in the config that decides the content (JSON values)
        CODE                  the modules besides its own that decide it
        source(manual_dir)    manual data sets: the folder really read; UserError where the layout
                              is not there
        source_files(source)  (files told apart by every byte, files told apart by a sample): what
                              decides the content; by default all but operating system litter, by
                              every byte

    Manual data sets set MANUAL_DOWNLOAD_INSTRUCTIONS (one line: what the folder must hold).
    """

    CODE = ()
    # where audit.csv goes when the build fails; '' = the folder that holds the versions
    failed_audit_dir = ''

    def __init__(self, *, file_format='array_record', **kwargs):
        # TFDS's own default (TFRecord) can be neither written nor read without TensorFlow.
        super().__init__(file_format=file_format, **kwargs)

    def settings(self):
        """JSON values that decide the content besides the manual folder."""
        return {}

    def source(self, manual_dir):
        """The folder inside `manual_dir` (a Path) that is read."""
        return manual_dir

    def source_files(self, source):
        """The files below `source` that decide the content, and those of which a sample is
        enough.
        """
        return files_below(source), []

    def clip_info(self, features):
        """DatasetInfo with README, citation and tags from the builder's folder, and a place for the
        fingerprint.
        """
        info = self.dataset_info_from_configs(features=features, metadata=tfds.core.MetadataDict())
        # TFDS would look for the data set in its public bucket, and leave an empty folder in /tmp
        # each time.
        info.initialize_from_bucket = lambda: None
        return info

    def made_by(self):
        """{part: digest} of name, config, version, settings and code."""
        identity = {
            'name': self.name,
            'config': self.builder_config_name,
            'version': str(self.version),
        }
        return {
            **fingerprint.settings_digests({**identity, **self.settings()}),
            **fingerprint.code_digests((type(self).__module__, *SHARED_CODE, *self.CODE)),
        }

    def made_from(self, manual_dir):
        """{part: digest} of what is read from the manual folder, wherever it stands; {} for a data
        set without one.
        """
        if not self.MANUAL_DOWNLOAD_INSTRUCTIONS:
            return {}
        source = self.source(Path(manual_dir))
        return fingerprint.file_digests(source, *self.source_files(source))

    def record_audit(self, rows):
        """Writes audit.csv into the data set's folder; where a row is an error, beside it, and
        raises UserError.
        """
        beside = Path(self.failed_audit_dir or Path(self.data_dir).parent) / audit.FILENAME
        if any(row.status == 'error' for row in rows):
            beside.parent.mkdir(parents=True, exist_ok=True)
            audit.write(beside, rows)
            audit.refuse_errors(self.name, rows, beside)
        audit.write(Path(self.data_dir) / audit.FILENAME, rows)
        beside.unlink(missing_ok=True)  # an earlier failure's table would contradict this build

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """The tf.data.Dataset behind tfds.load, in stored order; the only function here that needs
        TensorFlow.
        """
        if self.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        # without this override TFDS refuses to tfds.load array_record files
        import tensorflow as tf

        features = self.info.features
        if isinstance(decoders, tfds.decode.PartialDecoding):
            features, decoders = decoders.extract_features(features), decoders.decoders
        raw = self.as_data_source(
            split=split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
        records = tf.data.Dataset.from_generator(
            lambda: (raw[index] for index in range(len(raw))),
            output_signature=tf.TensorSpec((), tf.string),
        )
        counted = records.apply(tf.data.experimental.assert_cardinality(len(raw)))
        return counted.map(lambda record: features.deserialize_example(record, decoders=decoders))

    def _download_and_prepare(self, dl_manager, download_config):
        manual_dir = dl_manager.manual_dir if self.MANUAL_DOWNLOAD_INSTRUCTIONS else ''
        # Taken before reading: a folder that changes during the build then differs at the next use.
        made_by, made_from = self.made_by(), self.made_from(manual_dir)
        super()._download_and_prepare(dl_manager, download_config)
        self.info.metadata.update(
            fingerprint=fingerprint.digest([made_by, made_from]),
            made_by=made_by,
            made_from=made_from,
            sizes={
                path.name: path.stat().st_size for path in sorted(Path(self.data_dir).iterdir())
            },
        )
