"""ReleaseBuilder: what the builders of the official releases share.

Each release adds its layout: how its sheets and folders are read, and what is repaired.
"""

import collections
import concurrent.futures
import functools
import pkgutil
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.preprocess import mtcnn
from tfds_builders import (
    annotated,
    audit,
    base,
    fingerprint,
    frames,
    inputs,
    release_config,
    schema,
    workers,
)
from tfds_builders.clip import Clip
from tfds_builders.release_config import SUMMARIES, Config

CODE = (
    *(
        f'tfds_builders.{name}'
        for name in ('annotated', 'clip', 'frames', 'inputs', 'numbering', 'sheets', 'trees')
    ),
    *(f'mer_jax.preprocess.{name}' for name in ('action_units', 'face', 'flow', 'landmarks')),
)

# of the input samer alone
SAMER_CODE = (
    'mer_jax.preprocess.jpeg',
    'mer_jax.preprocess.magnify',
    'mer_jax.preprocess.pyramid',
    'mer_jax.preprocess.magnet',
    'mer_jax.preprocess.weights',
)

# How many times longer each frame makes a clip without an apex than one with: flow is computed from
# the onset to every frame. On one core 34 frames took 2.7 times as long by `registered`; by `mean`
# 31 frames took 14 times as long, 42 frames 17 times, 43 frames 21 times (drawn faces).
SLOWER_BY_FRAME = {'registered': 0.08, 'mean': 0.45}

NO_APEX = f'apex is not annotated: {annotated.ESTIMATED}'

# of data.detector alone
DETECTOR_CODE = ('mer_jax.preprocess.mtcnn', 'mer_jax.preprocess.weights')


class ReleaseBuilder(base.ClipBuilder, skip_registration=True):
    """Base of the releases.

    A data set defines LAYOUT: a module with INSTRUCTIONS, OPTIONS, EMOTIONS, find, files and read,
    and CODE where it shares modules with other layouts.
    """

    BUILDER_CONFIGS = [
        Config(name=kind, description=text, kind=kind) for kind, text in SUMMARIES.items()
    ]
    DEFAULT_BUILDER_CONFIG_NAME = 'flow'
    LAYOUT = None
    COLOUR = True  # whether its frames are in colour
    READS_TABLE = False  # whether data.manual_dir is a table that names folders, and no folder
    make_record = staticmethod(inputs.make)  # the record of one clip
    scratch = ''  # where finished clips wait for the others; '' = beside the data set
    progress = True
    on_beam = False
    summary = ''  # after a build: what became of every annotation

    def __init__(self, *, landmarks: str = '', detector: str = '', magnet: str = '', **kwargs):
        """A builder of one config, by name ('flow,edition=2014') or as a Config.

        Args:
          landmarks: path of the user's landmark model; '' = the template.
          detector: path of the weights of the face detector MTCNN; '' = Haar.
          magnet: path of the weights of the learned magnifier.
          **kwargs: as of every TFDS builder.
        """
        self.user_files = {'landmarks': landmarks, 'detector': detector, 'magnet': magnet}
        super().__init__(**kwargs)
        self._original_state.update(self.user_files)  # what TFDS pickles

    @tfds.core.utils.classproperty
    @classmethod
    @functools.cache
    def builder_configs(cls) -> release_config.Configs:  # noqa: D102 (TFDS describes it)
        return release_config.Configs(cls.BUILDER_CONFIGS, cls.parse_config)

    @classmethod
    def parse_config(cls, text: str, user_files: Mapping[str, str] | None = None) -> Config:
        """The Config of 'kind,setting=value,...', and of the user's files if they are given.

        Raises:
          UserError: names what does not exist.
        """
        summaries = {config.name: config.description for config in cls.BUILDER_CONFIGS}
        config = release_config.parse(text, cls.name, cls.options_of, user_files or {}, summaries)
        if user_files is not None:
            release_config.refuse_weights_mismatch(config, cls.name, user_files['magnet'])
        return cls.builder_configs.get(config.name) or config

    @classmethod
    def options_of(cls, kind: str) -> dict[str, Sequence[str]]:
        """{setting: allowed values, the default first} of one kind of input."""
        return {**cls.LAYOUT.OPTIONS, **inputs.options_of(kind, colour=cls.COLOUR)}

    def _create_builder_config(self, builder_config, version):
        # TFDS knows the listed configs only; every other name is one with settings.
        if builder_config is None:
            builder_config = self.DEFAULT_BUILDER_CONFIG_NAME
        if isinstance(builder_config, str):
            return self.parse_config(builder_config, self.user_files)
        return super()._create_builder_config(builder_config, version)

    def options(self) -> dict[str, str]:
        """Every setting with its value."""
        defaults = {
            name: allowed[0] for name, allowed in self.options_of(self.builder_config.kind).items()
        }
        return {**defaults, **self.builder_config.options}

    def features(self) -> tfds.features.FeaturesDict:
        """The features of the input."""
        of_kind = inputs.features_of(self.builder_config.kind, self.options())
        arrays = {**inputs.SHARED, **of_kind}
        text = {name: tfds.features.Text() for name, feature in arrays.items() if feature == 'text'}
        return schema.clip_features(tuple(self.LAYOUT.EMOTIONS), **{**arrays, **text})

    def _info(self):
        return self.clip_info(self.features())

    def read_clips(self, source: Path) -> tuple[list[Clip], list[audit.Row]]:
        """The clips that can be used, and what became of every annotation and folder.

        Args:
          source: as `source` returns it.
        """
        options = self.options()
        layout_options = {name: options[name] for name in self.LAYOUT.OPTIONS}
        return self.LAYOUT.read(source, options=layout_options)

    def settings(self) -> dict:
        files = {
            name: _content_digests(machine.absolute(path, f'data.{name}'))
            for name, path in self.user_files.items()
            if path
        }
        return {**self.options(), **files, 'opencv': cv2.__version__}

    @property
    def CODE(self) -> tuple[str, ...]:  # noqa: N802
        """Modules that decide the content."""
        package = self.LAYOUT.__name__.rpartition('.')[0]
        folder = str(Path(self.LAYOUT.__file__).parent)
        layout = [f'{package}.{module.name}' for module in pkgutil.iter_modules([folder])]
        samer = SAMER_CODE if self.builder_config.kind == 'samer' else ()
        detector = DETECTOR_CODE if self.user_files['detector'] else ()
        shared = getattr(self.LAYOUT, 'CODE', ())
        return (*CODE, *dict.fromkeys((*samer, *detector)), *layout, *shared)

    def source(self, manual_dir: Path) -> Path:
        return self.LAYOUT.find(Path(manual_dir))

    def source_files(self, source: Path) -> tuple[list[Path], list[Path]]:
        return self.LAYOUT.files(source)

    def _download_and_prepare(self, dl_manager, download_config):
        self.on_beam = bool(download_config.beam_runner or download_config.beam_options)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager):
        if detector := self.user_files['detector']:  # frames of some releases need none
            mtcnn.read_weights(machine.absolute(detector, 'data.detector'))
        source = self.source(dl_manager.manual_dir)
        clips, rows = self.read_clips(source)
        clips, depth_rows = _with_depth(clips, source)
        rows = [*rows, *depth_rows, *_repeated_ids(clips)]
        self.record_audit(rows)
        for row in rows:
            if audit.SURPLUS in audit.reason_kinds(row):
                self.notices.append(f'{row.file}: {row.reason}')
        if not clips:
            raise UserError(f'{self.name}: no clip of {source} can be used: {_first_drop(rows)}')
        return {'train': self._generate_examples(sorted(clips), rows)}

    def _generate_examples(self, clips, rows):
        make = partial(
            self.make_record,
            kind=self.builder_config.kind,
            options=self.options(),
            files=self.user_files,
        )
        if self.on_beam:
            import apache_beam as beam  # TFDS's runners need it, and nothing else here

            return beam.Create(clips) | beam.Map(partial(_keyed_example, make))
        return self._computed_examples(make, clips, rows)

    def _computed_examples(self, make, clips, rows) -> Iterator[tuple[str, dict]]:
        """Examples in order of clip, computed on every core; then the audit with the estimates."""
        scratch = Path(self.scratch or Path(self.data_dir).with_name('incomplete.scratch'))
        title = f'{self.name}/{self.builder_config.name}'
        if self.progress:
            announce_estimates(title, clips, self.options()['apex_by'])
        files = workers.compute(
            make,
            clips,
            scratch,
            settings=self.made_by(),
            processes=machine.cores(),
            title=title,
            progress=self.progress,
        )
        computed = {}
        for clip in clips:
            record = workers.read(files[clip.clip])
            computed[clip.clip] = {
                name: record[name] for name in ('apex', 'crop', 'landmark_source')
            }
            yield clip.clip, schema.example(**record)
        estimated = {clip.clip: computed[clip.clip]['apex'] for clip in clips if clip.apex < 0}
        rows = [_with_estimate(row, estimated) for row in rows]
        rows += _without_face(clips, computed, tool=Path(self.user_files['landmarks']).name)
        audit.write(Path(self.data_dir) / audit.FILENAME, rows)
        self.summary = audit.summary(self.name, rows, len(estimated))
        if not self.scratch:
            shutil.rmtree(scratch)  # built by tfds.load itself: nobody else clears up


def announce_estimates(title: str, clips: Sequence[Clip], apex_by: str) -> None:
    """Says before the work that clips without an apex take longer.

    Args:
      title: of the build.
      clips: of the data set.
      apex_by: one of inputs.APEX_BY.
    """
    lengths = sorted(len(clip.frames) for clip in clips if clip.apex < 0)
    if not lengths:
        return
    times = max(round(SLOWER_BY_FRAME[apex_by] * lengths[len(lengths) // 2]), 2)
    print(
        f'{title}: {len(lengths)} of {len(clips)} clips have no apex, which is estimated from the '
        f'flow of all frames; that takes about {times} times as long as a clip with an apex',
        file=sys.stderr,
        flush=True,
    )


def _content_digests(path):
    """Digests of a file, or of the files of a folder, that the user gave; wherever it stands."""
    if path.is_dir():
        return fingerprint.file_digests(path, base.files_below(path))
    return fingerprint.file_digests(path.parent, [path])


def _with_depth(clips, source):
    """The clips with the depth that all 16-bit files of the release share, and its audit row."""
    paths = dict.fromkeys(path for clip in clips for _, path in clip.frames)
    deep = [path for path in paths if frames.is_deep(path)]
    if not deep:
        return clips, []
    with concurrent.futures.ThreadPoolExecutor(machine.cores()) as executor:
        largest = max(executor.map(frames.largest_value, deep))
    depth = frames.depth_of(largest)
    reason = f'16-bit files hold fewer bits: {len(deep)} files with values up to {largest}'
    if depth == 16:
        reason = f'16-bit files become bytes: {len(deep)} files with values up to {largest}'
    file = deep[0].relative_to(source).as_posix()
    row = audit.Row(file, 'repaired', reason, '', '16 bits', f'{depth} bits')
    return [clip._replace(depth=depth) for clip in clips], [row]


def _repeated_ids(clips):
    """Error rows of clip ids that several annotations have, whichever reader let them through."""
    counts = collections.Counter(clip.clip for clip in clips)
    return [
        audit.Row(clip, 'error', f'{count} annotations name this clip; one may', clip)
        for clip, count in counts.items()
        if count > 1
    ]


def _first_drop(rows):
    for row in rows:
        if row.status == 'dropped':
            return f'{row.file}: {row.reason}'
    return 'it holds no annotated clip'


def _with_estimate(row: audit.Row, estimated: Mapping[str, int]) -> audit.Row:
    """An audit row with the estimated apex of its clip, where it has one, and why.

    Args:
      row: of the audit.
      estimated: {clip: its apex} of the clips without an annotated one.
    """
    if row.clip not in estimated or row.status not in ('used', 'repaired'):
        return row
    apex = estimated[row.clip]
    if row.reason.endswith(annotated.ESTIMATED):  # the cell holds no apex of the clip
        return row._replace(new=f'{row.new}{apex}')
    reason, old = NO_APEX, row.old
    if row.reason:
        reason, old = f'{row.reason}{audit.SEPARATOR}{NO_APEX}', f'{row.old}{audit.SEPARATOR}'
    return row._replace(reason=reason, old=old, new=_append_apex(row.new, apex))


def _append_apex(new, apex):
    """The new values of a row, with the estimated apex behind them."""
    return f'{new}{audit.SEPARATOR}apex {apex}' if new else f'{apex}'


def _without_face(
    clips: Sequence[Clip], computed: Mapping[str, dict], tool: str
) -> list[audit.Row]:
    """Audit rows of the clips in which no face, or no landmarks, were found."""
    rows = []
    for clip in clips:
        if computed[clip.clip]['crop'] == 'whole frame':
            reason = 'no face was found: the central square of the frame is used'
            rows.append(audit.Row(clip.clip, 'repaired', reason, clip.clip))
    for clip in clips:
        if tool and computed[clip.clip]['landmark_source'] == 'template':
            reason = f'{tool} found no face: landmarks of the template are used'
            rows.append(audit.Row(clip.clip, 'repaired', reason, clip.clip))
    return rows


def _keyed_example(make, clip):
    return clip.clip, schema.example(**make(clip))
