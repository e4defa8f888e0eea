"""Builds a data set on first use and opens it afterwards.

A build that no longer fits its source folder, its settings or the code is refused.
"""

import contextlib
import difflib
import fcntl
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_data_source import ArrayRecordDataSource

from mer_jax import bounded, machine, quiet
from mer_jax.errors import UserError
from tfds_builders import audit, base, fingerprint, sheets
from tfds_builders.casme import casme_dataset_builder
from tfds_builders.casme2 import casme2_dataset_builder
from tfds_builders.casme_cubed import casme_cubed_dataset_builder
from tfds_builders.casme_squared import casme_squared_dataset_builder
from tfds_builders.fourdme import fourdme_dataset_builder
from tfds_builders.frames_csv import frames_csv_dataset_builder
from tfds_builders.mmew import mmew_dataset_builder
from tfds_builders.precomputed_flow import precomputed_flow_dataset_builder
from tfds_builders.release import ReleaseBuilder
from tfds_builders.samm import samm_dataset_builder
from tfds_builders.smic import smic_dataset_builder
from tfds_builders.synthetic_faces import many, prototypes, synthetic_faces_dataset_builder

BUILDERS = {
    'casme': casme_dataset_builder.Builder,
    'casme2': casme2_dataset_builder.Builder,
    'casme_cubed': casme_cubed_dataset_builder.Builder,
    'casme_squared': casme_squared_dataset_builder.Builder,
    'frames_csv': frames_csv_dataset_builder.Builder,
    'fourdme': fourdme_dataset_builder.Builder,
    'mmew': mmew_dataset_builder.Builder,
    'precomputed_flow': precomputed_flow_dataset_builder.Builder,
    'samm': samm_dataset_builder.Builder,
    'smic': smic_dataset_builder.Builder,
    'synthetic_faces': synthetic_faces_dataset_builder.Builder,
}

# {release: the frames that frames=auto reads first}
FIRST = {
    **{
        name: BUILDERS[name].LAYOUT.KINDS[0]
        for name in ('casme', 'casme2', 'casme_cubed', 'fourdme', 'mmew', 'samm')
    },
    'casme_squared': BUILDERS['casme_squared'].LAYOUT.PREFERENCE[0][0],
    'smic': BUILDERS['smic'].LAYOUT.PREFERENCE[0],
}
# {data set without a builder: why}
UNREADABLE = {
    'dfme': (
        'has no builder, because no public code or page says how its release is laid out; list its '
        'clips in a CSV for frames_csv/flow (--config.data.manual_dir=FILE.csv): '
        'tfds_builders/dfme/README.md'
    )
}
REMEDY = (
    'rebuild with --config.data.rebuild=True or use another --config.data.data_dir (in Python: '
    'another folder as TFDS_DATA_DIR)'
)
USER_FILES = {'landmarks': '', 'detector': '', 'magnet': ''}
# what a build records about itself: dictionaries of text, and of the bytes of its files
METADATA = {'sizes': int, 'made_by': str, 'made_from': str}
MOST_JSON = 32_000_000  # bytes of dataset_info.json and metadata.json, each
STAGING = 'incomplete.'  # the prefix that TFDS itself skips
# finished clips of a release; a killed build goes on from them whenever it is started again
SCRATCH = f'{STAGING}scratch'


def prepare(
    name: str,
    *,
    data_dir: str | Path = '',
    manual_dir: str | Path = '',
    rebuild: bool = False,
    strict: bool = False,
    progress: bool = True,
    **user_files: str,
) -> base.ClipBuilder:
    """Returns the TFDS builder of a finished data set, built if need be.

    Args:
      name: 'precomputed_flow', 'synthetic_faces/tiny'; a release takes settings behind its input:
        'casme2/flow,edition=2014'.
      data_dir: where data sets are stored; '' is $TFDS_DATA_DIR, else ~/tensorflow_datasets.
      manual_dir: the folder with the original files; left '' a finished build is used without
        comparing it with its folder. Of frames_csv: its table, which is always needed.
      rebuild: builds again what is there.
      strict: refuses a build that drops more than a tenth of the annotated clips.
      progress: shows bars and the summary of a build.
      **user_files: of a release only: `landmarks`, the path of a landmark model, `detector`, of the
        weights of a face detector, and `magnet`, of the weights of the learned magnifier.

    Raises:
      UserError: for every mistake of the caller's, and for a build that was made from another
        folder state, other settings, other code or another version.
    """
    unknown = user_files.keys() - USER_FILES.keys()
    if unknown:
        raise TypeError(f'prepare() has no argument {min(unknown)!r}')
    user_files = {**USER_FILES, **user_files}
    cls, _ = _find(name)
    manual_dir = _manual_folder(cls, manual_dir)
    if _reads_table(cls):
        user_files['table'] = str(manual_dir)
        manual_dir = manual_dir.parent
    cls, config = _find(name, user_files)
    root = data_root(data_dir)
    target = Path(root, cls.name, getattr(config, 'name', ''), str(cls.VERSION))
    make = partial(_builder, cls, config, progress, strict, user_files)
    try:
        _sweep(target)
        if rebuild or not _is_finished(target):
            _refuse_missing(cls, target, manual_dir, rebuild)
            with machine.leaving_no_empty_folders(target.parent), _build_lock(target.parent):
                _put_back(target)
                # another process may have built it meanwhile
                if rebuild or not _is_finished(target):
                    _build(make, target, manual_dir, rebuild, progress)
        builder = _open(make, root, target)
        _refuse_changed(builder, manual_dir)
        if strict:
            table = target / audit.FILENAME
            rows = audit.read(table) if table.is_file() else ()
            builder.refuse_loss(rows, table)
    except OSError as error:
        raise UserError(
            f'{name}: cannot be built or read with --config.data.data_dir={root}: {error}'
        ) from error
    return builder


def records(builder: base.ClipBuilder, names: Iterable[str] = ()) -> Iterator[dict]:
    """Yields the examples of split 'train', sorted by clip id.

    Args:
      builder: of a finished data set.
      names: the features to decode besides 'clip'; large ones that nobody needs stay compressed.
        Left out, all are decoded.

    Yields:
      dictionaries of text, numbers and read-only arrays; the emotion is text, as annotated.

    Raises:
      UserError: a file of the data set is damaged.
    """
    shards = _shards(builder)
    stored = builder.as_data_source(
        split='train', deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    features = builder.info.features
    wanted = _only(features, {*names, 'clip'}) if names else features
    clip_only = _only(features, {'clip'})
    clips = [_example(clip_only, stored, index, shards)['clip'] for index in range(len(shards))]
    # TFDS stores records in the hash order of their keys, which says nothing and changes with the
    # set of clips.
    for index in sorted(range(len(clips)), key=clips.__getitem__):
        example = _example(wanted, stored, index, shards)
        yield {name: _as_text(features[name], value) for name, value in example.items()}


def _shards(builder):
    """The file of every record of split 'train'."""
    split = builder.info.splits['train']
    for path, count in zip(split.filepaths, split.shard_lengths, strict=True):
        try:
            holds = len(ArrayRecordDataSource([str(path)]))
        except Exception as error:  # Riegeli's are no OSError
            raise _damaged(path, error) from error
        if holds != count:
            reason = f'it holds {holds} clips, dataset_info.json counts {count}'
            raise _damaged(path, ValueError(reason))
    return np.repeat([str(path) for path in split.filepaths], split.shard_lengths)


def _example(features, stored, index, shards):
    """The features of a record; UserError where its file is damaged."""
    try:
        return features.deserialize_example_np(stored[index])
    except MemoryError:
        raise
    except Exception as error:  # Riegeli and the parsers of TFDS raise anything on damaged bytes
        raise _damaged(shards[index], error) from error


def _damaged(path, error):
    """The UserError of a damaged file."""
    return UserError(f'{path} is damaged ({_reason(error)}); {REMEDY}')


def _reason(error):
    return str(error).strip().split('\n')[0] or type(error).__name__


def _as_text(feature, value):
    """The name of a class, the text of bytes; any other value as it is."""
    if isinstance(feature, tfds.features.ClassLabel):
        return feature.int2str(int(value))
    return value.decode() if isinstance(value, bytes) else value


def _only(features, names):
    # tfds.decode.PartialDecoding does the same but imports TensorFlow.
    return tfds.features.FeaturesDict({name: features[name] for name in names})


def reads_folder(name: str) -> bool:
    """Whether data set 'name' or 'name/config' is built from a folder that the user gives.

    Raises:
      UserError: there is no such data set.
    """
    cls, _ = _find(name)
    return bool(cls.MANUAL_DOWNLOAD_INSTRUCTIONS)


def release_input(name: str) -> str:
    """The input of a release ('samer' of 'casme2/samer,alpha=4'); '' for another data set."""
    cls, config = _find(name)
    return config.kind if issubclass(cls, ReleaseBuilder) else ''


def release_options(name: str) -> dict[str, str]:
    """Every setting of a release's input with its value.

    Args:
      name: of a release: 'casme2/flow,optical_flow=dis'.
    """
    cls, config = _find(name)
    allowed = cls.options_of(config.kind)
    return {setting: values[0] for setting, values in allowed.items()} | config.options


def takes_crops(name: str) -> bool | None:
    """Whether a release's input is built from face crops, each taken whole.

    With frames=auto the answer is that of a release which holds crops. It is None where the data
    set decides for each clip.

    Args:
      name: of a release: 'casme2/flow,optical_flow=dis'.
    """
    wanted = release_options(name).get('frames')
    if wanted is None:
        return None
    if wanted == 'auto':
        wanted = FIRST[name.partition('/')[0]]
    return wanted == 'cropped'


def _find(name, user_files=None):
    """The builder class and BuilderConfig (None without any) of 'dataset', 'dataset/config' or
    'release/input,setting=value'.
    """
    dataset, _, config = name.partition('/')
    if dataset in UNREADABLE:
        raise UserError(f'data set {dataset} {UNREADABLE[dataset]}')
    if dataset not in BUILDERS:
        raise UserError(
            f'unknown data set {dataset!r}{_near(dataset, BUILDERS)}; known: '
            f'{", ".join(sorted(BUILDERS))}'
        )
    cls = BUILDERS[dataset]
    configs = cls.builder_configs
    config = config or cls.DEFAULT_BUILDER_CONFIG_NAME or next(iter(configs), '')
    if issubclass(cls, ReleaseBuilder):
        return cls, cls.parse_config(config, user_files)
    for kind, path in (user_files or {}).items():
        if path:
            raise UserError(f'data.{kind} is {path!r}, but {dataset} is no release; leave it out')
    if dataset == many.Builder.name:
        for on_demand in (many, prototypes):
            if config.partition(',')[0] == on_demand.KIND:
                return on_demand.Builder, on_demand.Builder.parse_config(config)
            configs = {**configs, **on_demand.Builder.builder_configs}
    if config and config not in configs:
        known = ', '.join(configs) or 'none'
        raise UserError(
            f'unknown config {config!r} of data set {dataset}{_near(config, configs)}; known: '
            f'{known}'
        )
    return cls, configs.get(config)


def _builder(cls, config, progress, strict, user_files, data_dir):
    """A builder object; only a release takes the user's files."""
    files = user_files if issubclass(cls, ReleaseBuilder) else {}
    with quiet.libraries():  # TFDS warns of each config that no class lists
        builder = cls(data_dir=data_dir, config=config, **files)
    builder.strict = strict
    if hasattr(builder, 'progress'):  # it shows a bar of its own
        builder.progress = progress
    return builder


def _near(word, known):
    close = difflib.get_close_matches(word, known, n=1)
    return f' (did you mean {close[0]!r}?)' if close else ''


def data_root(data_dir: str | Path = '') -> Path:
    """Return the folder that holds built data sets.

    Args:
        data_dir: as the user gave it; '': TFDS_DATA_DIR, else a folder in the user's home.

    Raises:
        UserError: it is no folder of this machine.
    """
    folder = str(data_dir or os.environ.get('TFDS_DATA_DIR') or '')
    if '://' in folder:
        raise UserError(f'--config.data.data_dir={folder}: must be a folder of this machine')
    if not folder:
        return machine.home() / 'tensorflow_datasets'
    return machine.absolute(folder, 'data.data_dir' if data_dir else 'TFDS_DATA_DIR')


def _reads_table(cls):
    return issubclass(cls, ReleaseBuilder) and cls.READS_TABLE


def _table(cls, manual_dir):
    """The table that a data set is read from."""
    if not manual_dir:
        raise UserError(f'{cls.name}: data.manual_dir is empty; {cls.MANUAL_DOWNLOAD_INSTRUCTIONS}')
    # one name for one file: its builds are called after it
    table = Path(os.path.normpath(machine.absolute(manual_dir, 'data.manual_dir')))
    if table.is_file():
        cls.LAYOUT.check(table)
        return table
    wrong = 'is no file' if table.exists() else 'does not exist'
    there = [path.name for path in sheets.workbooks(table)] if table.is_dir() else []
    if there:
        wrong = f'is a folder, which holds {fingerprint.shorten(there)}; name the file'
    raise UserError(
        f'--config.data.manual_dir={manual_dir} {wrong}; {cls.MANUAL_DOWNLOAD_INSTRUCTIONS}'
    )


def _manual_folder(cls, manual_dir):
    """The folder of original files, '' where the data set has none or none was given.

    Of a data set that reads a table, the table.
    """
    if _reads_table(cls):
        return _table(cls, manual_dir)
    if not cls.MANUAL_DOWNLOAD_INSTRUCTIONS or not manual_dir:
        return ''
    folder = machine.absolute(manual_dir, 'data.manual_dir')
    if not folder.is_dir():
        wrong = 'is not a folder' if folder.exists() else 'does not exist'
        raise UserError(
            f'--config.data.manual_dir={manual_dir} {wrong}; {cls.MANUAL_DOWNLOAD_INSTRUCTIONS}'
        )
    return folder


def _is_finished(target):
    # TFDS writes dataset_info.json last, then renames the folder: a folder without it was never
    # finished.
    return (target / 'dataset_info.json').is_file()


def _refuse_missing(cls, target, manual_dir, rebuild):
    """Stops before building where the original files are not given, or another version stands in
    the data folder.
    """
    finished = [path.parent for path in target.parent.glob('*/dataset_info.json')]
    others = sorted(folder.name for folder in finished if folder != target)
    if others and not rebuild:
        raise UserError(
            f'{cls.name}: {target.parent} holds version {", ".join(others)}, this code makes '
            f'version {target.name}; {REMEDY}'
        )
    if cls.MANUAL_DOWNLOAD_INSTRUCTIONS and not manual_dir:
        need = f'there is no build in {target.parent} yet; building one needs'
        if rebuild:
            need = 'rebuilding needs'
        raise UserError(
            f'{cls.name}: {need} the original files: pass --config.data.manual_dir=FOLDER; '
            f'{cls.MANUAL_DOWNLOAD_INSTRUCTIONS}'
        )


def _build(make, target, manual_dir, rebuild, progress):
    """Builds in a folder beside the target and moves the finished result there."""
    with _staging(target.parent) as staging:
        builder = make(data_dir=staging)
        builder.failed_audit_dir, builder.scratch = target.parent, target.parent / SCRATCH
        if manual_dir:
            builder.source(manual_dir)
        download = tfds.download.DownloadConfig(
            manual_dir=manual_dir or None, try_download_gcs=False
        )
        try:
            # some show a bar of their own
            with _quiet(progress and not hasattr(builder, 'progress')), quiet.decoders():
                builder.download_and_prepare(download_config=download)
        except RuntimeError as error:
            if 'write() failed' not in str(error):
                raise
            raise OSError(str(error)) from error  # what the array_record writer says of a full disk
        _publish(Path(builder.data_dir), target, staging)
        shutil.rmtree(builder.scratch, ignore_errors=True)
        if isinstance(builder, ReleaseBuilder) and progress:
            print(
                f'{builder.summary}\n  every row stands in {target / audit.FILENAME}',
                file=sys.stderr,
                flush=True,
            )
        for notice in builder.notices:
            print(f'WARNING: {builder.name}: {notice}', file=sys.stderr, flush=True)


@contextlib.contextmanager
def _build_lock(folder):
    """Waits until no other process builds in `folder`.

    Two would compute every clip twice and delete each other's finished clips.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)  # the folder itself: a lock file would lie there for ever
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f'another process builds in {folder}; waiting for it'
            print(message, file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(target):
    """Deletes what killed builds left beside a data set, unless another process builds there.

    A rebuild that was killed between its two renames is undone. Finished clips stay where the data
    set is not built.
    """
    left = sorted(target.parent.glob(f'{STAGING}*'))
    if not left or not os.access(target.parent, os.W_OK):
        return
    lock = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # held, or a drive without locks
    else:
        _put_back(target)
        for path in left:
            if path.name != SCRATCH or _is_finished(target):
                shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


@contextlib.contextmanager
def _staging(folder):
    """A fresh folder inside `folder`, deleted afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _quiet(progress):
    """Swallows what TFDS prints (it names the staging folder); without `progress` its bars on
    stderr as well.
    """
    if not progress:
        tfds.display_progress_bar(False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if not progress:
            tfds.display_progress_bar(True)


def _publish(built, target, staging):
    """Renames a finished build to `target`; what stood there waits in `staging` and comes back if
    that fails.
    """
    kept = staging / f'replaced.{target.name}'
    if target.exists():
        os.rename(target, kept)
    try:
        os.rename(built, target)
    except OSError:
        if kept.exists():
            os.rename(kept, target)
        raise


def _put_back(target):
    """Undoes a rebuild that was killed between its two renames."""
    for kept in target.parent.glob(f'{STAGING}*/replaced.{target.name}'):
        if _is_finished(kept) and not target.exists():
            os.rename(kept, target)


def _open(make, root, target):
    """The builder of a finished build; UserError where its files are damaged, missing or in another
    format.
    """
    info, about = target / 'dataset_info.json', target / 'metadata.json'
    for path in (info, about):
        try:
            if not isinstance(json.loads(bounded.read_text(path, MOST_JSON)), dict):
                raise ValueError('it holds no dictionary')
        except (FileNotFoundError, ValueError, RecursionError) as error:
            raise _damaged(path, error) from error
    try:
        builder = make(data_dir=root)
        metadata = dict(builder.info.metadata)
        split = builder.info.splits['train']
        zip(split.filepaths, split.shard_lengths, strict=True)
    except Exception as error:  # TFDS raises whatever its parsers do on a damaged file
        raise UserError(f'{info} cannot be opened ({_reason(error)}); {REMEDY}') from error
    for name, kind in METADATA.items():
        values = metadata.get(name)
        if not isinstance(values, dict) or {*map(type, values.values())} - {kind}:
            raise _damaged(about, ValueError(f"its '{name}' is not what a build writes"))
    for file, size in metadata['sizes'].items():
        path = target / file
        if not path.is_file() or path.stat().st_size != size:
            raise UserError(
                f'{path} is missing or not the {size} bytes that were written; {REMEDY}'
            )
    return builder


def _refuse_changed(builder, manual_dir):
    """UserError where settings, code or the manual folder (if given) are no longer those of the
    build.
    """
    metadata = builder.info.metadata
    differ = fingerprint.differing(metadata['made_by'], builder.made_by())
    if manual_dir:
        differ += fingerprint.differing(metadata['made_from'], builder.made_from(manual_dir))
    if differ:
        source = getattr(builder, 'table', '') or manual_dir or 'this code'
        raise UserError(
            f'{builder.name}: {builder.data_dir} no longer fits {source}; '
            'changed since it was built: '
            f'{fingerprint.shorten(differ)}; {REMEDY}'
        )
