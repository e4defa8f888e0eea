"""ReleaseBuilder: what the builders of the official releases share; each adds its layout (sheets,
folders, repairs).
"""

import collections
import dataclasses
import math
import pkgutil
import shutil
from functools import partial
from pathlib import Path

import cv2
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError
from tfds_builders import audit, base, fingerprint, inputs, schema, workers

SUMMARIES = {
    'flow': 'key frames, flow and strain onset to apex and apex to offset, 128x128',
    'samer': 'magnified apex and flow magnitudes onset and offset to target, 224x224',
    'video': 'all frames of the face crop, 128x128 grey',
    'spotting': 'flow from the onset to every frame, 75x75 float16',
}
CODE = (
    *(
        f'tfds_builders.{name}'
        for name in ('annotated', 'clip', 'frames', 'inputs', 'sheets', 'trees')
    ),
    *(f'mer_jax.preprocess.{name}' for name in ('action_units', 'face', 'flow', 'landmarks')),
)

MAGNIFIERS = (
    'mer_jax.preprocess.magnify',
    'mer_jax.preprocess.pyramid',
    'mer_jax.preprocess.magnet',
)


@dataclasses.dataclass(eq=False, kw_only=True)
class Config(tfds.core.BuilderConfig):
    """One kind of input with its settings, which stand in its name where they are not the defaults:
    'flow,edition=2014'.
    """

    kind: str
    options: dict = dataclasses.field(default_factory=dict)


class ReleaseBuilder(base.ClipBuilder, skip_registration=True):
    """Base of the releases. A data set defines LAYOUT (a module with INSTRUCTIONS, OPTIONS, find,
    files and read).
    """

    BUILDER_CONFIGS = [
        Config(name=kind, description=text, kind=kind) for kind, text in SUMMARIES.items()
    ]
    DEFAULT_BUILDER_CONFIG_NAME = 'flow'
    LAYOUT = None
    scratch = ''  # where finished clips wait for the others; '' = beside the data set
    # given by the user: a landmark model, weights of the learned magnifier
    files = {'landmarks': '', 'magnet': ''}
    progress = True
    on_beam = False
    told = ''  # after a build: what became of every annotation

    @classmethod
    def configured(cls, text, files):
        """The Config of 'kind,setting=value,...', and of user's files by kind; UserError names what
        is unknown.

        Its name holds what is not a default, so that other settings are built beside, never over.
        """
        kind, *parts = text.split(',')
        if kind not in SUMMARIES:
            raise UserError(
                f'unknown config {kind!r} of data set {cls.name}; known: {", ".join(SUMMARIES)}'
            )
        allowed, options = {**cls.LAYOUT.OPTIONS, **inputs.options_of(kind)}, {}
        for part in parts:
            name, _, value = part.partition('=')
            if name not in allowed or name in options:
                raise UserError(
                    f'{cls.name}/{text}: {name!r} is no setting of {kind}, or stands twice; '
                    f'known: {", ".join(allowed)}'
                )
            options[name] = _checked(f'{cls.name}/{text}', name, value, allowed[name])
        if files and (options.get('magnifier') == 'magnet') != bool(files['magnet']):
            raise UserError(
                f'{cls.name}/{text}: magnifier=magnet and its weights go together: '
                '--config.data.magnet=FILE.safetensors'
            )
        options = {
            name: value for name, value in sorted(options.items()) if value != allowed[name][0]
        }
        named = {**options, **{name: Path(path).stem for name, path in files.items() if path}}
        name = ','.join([kind, *(f'{key}={value}' for key, value in named.items())])
        return cls.builder_configs.get(name) or Config(
            name=name, description=SUMMARIES[kind], kind=kind, options=options
        )

    def options(self):
        """Every setting with its value."""
        allowed = {**self.LAYOUT.OPTIONS, **inputs.options_of(self.builder_config.kind)}
        return {
            name: self.builder_config.options.get(name, values[0])
            for name, values in allowed.items()
        }

    def _info(self):
        arrays = {**inputs.SHARED, **inputs.FEATURES[self.builder_config.kind]}
        text = {name: tfds.features.Text() for name, feature in arrays.items() if feature == 'text'}
        return self.clip_info(schema.clip_features(**{**arrays, **text}))

    def settings(self):
        given = {
            name: _content(Path(path).expanduser()) for name, path in self.files.items() if path
        }
        return {**self.options(), **given, 'opencv': cv2.__version__}

    @property
    def CODE(self):  # noqa: N802
        """Modules that decide the content."""
        package = self.LAYOUT.__name__.rpartition('.')[0]
        own = [
            f'{package}.{module.name}'
            for module in pkgutil.iter_modules([str(Path(self.LAYOUT.__file__).parent)])
        ]
        return (*CODE, *(MAGNIFIERS if self.builder_config.kind == 'samer' else ()), *own)

    def source(self, manual_dir):
        return self.LAYOUT.find(Path(manual_dir))

    def source_files(self, source):
        return self.LAYOUT.files(source)

    def _download_and_prepare(self, dl_manager, download_config):
        self.on_beam = bool(download_config.beam_runner or download_config.beam_options)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager):
        source, options = self.source(dl_manager.manual_dir), self.options()
        clips, rows = self.LAYOUT.read(
            source, options={name: options[name] for name in self.LAYOUT.OPTIONS}
        )
        clips, rows = _told_apart(clips, rows)
        self.record_audit(rows)
        if not clips:
            raise UserError(f'{self.name}: no clip of {source} can be used: {_why(rows)}')
        return {'train': self._generate_examples(clips, rows)}

    def _generate_examples(self, clips, rows):
        make = partial(
            inputs.make, kind=self.builder_config.kind, options=self.options(), files=self.files
        )
        if self.on_beam:
            import apache_beam as beam  # TFDS's runners need it, and nothing else here

            return beam.Create(clips) | beam.Map(partial(_keyed, make))
        return self._computed(make, clips, rows)

    def _computed(self, make, clips, rows):
        """Examples in order of clip, computed on every core; the audit then knows what was
        estimated.
        """
        scratch = Path(self.scratch or Path(self.data_dir).with_name('incomplete.scratch'))
        files = workers.compute(
            make,
            clips,
            scratch,
            settings=self.made_by(),
            processes=machine.cores(),
            title=f'{self.name}/{self.builder_config.name}',
            progress=self.progress,
        )
        found = {}
        for clip in clips:
            record = workers.read(files[clip.clip])
            found[clip.clip] = record['apex'], record['crop'], record['landmark_source']
            yield clip.clip, schema.example(**record)
        rows = _estimates(rows, clips, found, tool=Path(self.files['landmarks']).name)
        audit.write(Path(self.data_dir) / audit.FILENAME, rows)
        self.told = summary(self.name, rows)
        if not self.scratch:
            shutil.rmtree(scratch)  # built by tfds.load itself: nobody else clears up


def summary(name, rows):
    """What became of every annotation and folder, in a few lines."""
    counts = collections.Counter(row.status for row in rows)
    lines = [
        f'{name}: '
        + ', '.join(
            f'{counts[status]} {status}'
            for status in ('used', 'repaired', 'dropped', 'ignored')
            if counts[status]
        )
    ]
    reasons = collections.Counter(
        (row.status, row.reason.split(':')[0]) for row in rows if row.reason
    )
    lines += [
        f'  {status}: {count} x {reason}' for (status, reason), count in reasons.most_common(8)
    ]
    return '\n'.join(lines)


def _content(path):
    """Digests of a file, or of the files of a folder, that the user gave; wherever it stands."""
    return fingerprint.file_digests(
        path if path.is_dir() else path.parent, base.files_below(path) if path.is_dir() else [path]
    )


def _checked(text, name, value, allowed):
    if allowed[-1] == 'a number':
        try:
            if 0 <= float(value) < math.inf:
                return f'{float(value):g}'
        except ValueError:
            pass
    elif value in allowed:
        return value
    raise UserError(f'{text}: {name} is {value!r}; allowed: {", ".join(allowed)}')


def _told_apart(clips, rows):
    """Two annotations under one clip id are an error, whichever reader let them through."""
    for clip, count in collections.Counter(clip.clip for clip in clips).items():
        if count > 1:
            rows = [
                *rows,
                audit.Row(clip, 'error', f'{count} annotations name this clip; one may', clip),
            ]
    return sorted(clips), rows


def _why(rows):
    dropped = [row for row in rows if row.status == 'dropped']
    return f'{dropped[0].file}: {dropped[0].reason}' if dropped else 'it holds no annotated clip'


def _estimates(rows, clips, found, tool):
    """Rows with the estimated apexes filled in, and one more for each clip whose face, or whose
    landmarks, were not found.
    """
    asked = {clip.clip for clip in clips if clip.apex < 0}
    # Several repairs of one row are joined by '; ', an estimate asked for by the sheet last and
    # still empty.
    rows = [
        row._replace(new=_with_apex(row.new, found[row.clip][0]))
        if row.clip in asked and row.status in ('used', 'repaired')
        else row
        for row in rows
    ]
    rows += [
        audit.Row(
            clip.clip,
            'repaired',
            'no face was found: the central square of the frame is used',
            clip.clip,
        )
        for clip in clips
        if found[clip.clip][1] == 'whole frame'
    ]
    return rows + [
        audit.Row(
            clip.clip,
            'repaired',
            f'{tool} found no face: landmarks of the template are used',
            clip.clip,
        )
        for clip in clips
        if tool and found[clip.clip][2] == 'template'
    ]


def _with_apex(text, apex):
    """The repairs of a row, joined by '; ', with the estimated apex behind them."""
    if not text or text.endswith('; '):
        return f'{text}{apex}'
    return f'{text}; apex {apex}'


def _keyed(make, clip):
    return clip.clip, schema.example(**make(clip))
