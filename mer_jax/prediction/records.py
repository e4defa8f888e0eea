"""From frames and key frames of a new recording to the inputs of a trained model.

The record of a clip is made by the builders' own code, and its image by that of data sets: what the
model saw in training is what it sees here. Settings of the run decide everything.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np

import tfds_builders
from mer_jax.data import (
    APEX_RULES,
    EVERY_FRAME,
    Record,
    apexes,
    channels,
    images,
    labels,
    loading,
    sources,
)
from mer_jax.data.sources import Source
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS
from mer_jax.prediction.trained import LANDMARKS, PUBLISHED, takes_landmarks
from mer_jax.settings.sections import Settings
from mer_jax.types import Inputs
from tfds_builders import inputs as builder_inputs
from tfds_builders.clip import Clip, KeyFrames
from tfds_builders.frames import is_gray
from tfds_builders.frames_csv import layout
from tfds_builders.precomputed_flow import png
from tfds_builders.precomputed_flow.precomputed_flow_dataset_builder import HEIGHT, WIDTH

EVERY = ('video', 'spotting')  # inputs that are computed of every frame of a clip
DEPTH = 16  # frames in memory are bytes already
FIELD = 'field'  # in a record: flow from onset to apex in pixels of the crop
OLDER_APEX_BY = 'mean'  # of runs whose results do not say how missing apexes are estimated
NOBODY = 'whole frame'  # crop of a frame without a face
# {data set that is no release: what differs from the defaults of a release, by input}
DRAWN = {
    'spotting': {'optical_flow': 'farneback'},
    'samer': {'alpha': '3', 'target': 'apex'},
}

# {whether frames show the face alone: why they are then another input than that of training}
OTHER_CROP = {
    False: 'the model was trained on the face crops of {name} (or, where its folder held none, on '
    'whole frames). Here the face is cut out of the frame: it fills another share of the picture, '
    'and so its movements have another size and place. As trained are only frames cropped as '
    'there, with --cropped, or a run on whole frames (frames=... in data.name)',
    True: 'the model was trained on whole frames of {name}, out of which faces were cut, and '
    '--cropped takes frames as they are; leave it out where they show more than the face',
}
# the same of a table of the user
OWN_CROP = {
    False: 'the model was trained on clips whose column cropped says yes, and here the face is cut '
    'out of the frame; give --cropped where frames show the face alone, as those of training do',
    True: 'the model was trained on clips whose column cropped says no: faces were cut out of '
    'their frames; leave --cropped out where frames show more than the face',
}


class NoFaceError(UserError):
    """There is no face in the onset frame of a clip."""


class Nearest(NamedTuple):
    """How frames are matched to a data set that was not built from frames of a camera."""

    options: Mapping[str, Mapping[str, str]]  # by input: settings that are no defaults
    why: str  # the input is only nearly that of training


NEAREST = {
    PUBLISHED: Nearest(
        {},
        'the model was trained on published features, which their authors computed from their own '
        'face crops; here TV-L1 flow from onset to apex and its strain, of a crop of 128x128 '
        'pixels, are shrunk to 28x28 and each stretched to 0..255',
    ),
    'synthetic_faces': Nearest(
        DRAWN,
        'the model was trained on drawn faces, which no camera took and no detector cropped: use '
        'it to try the program; neither its classes nor its held-out scores say anything about '
        'people',
    ),
}


class Recipe(NamedTuple):
    """How the inputs of a model are computed from frames."""

    source: Source  # the data set whose code computes them
    kind: str  # a key of builder_inputs.KINDS
    options: dict[str, str]  # of that kind
    stored: str  # the feature that the images are taken from
    apex: str  # one of APEX_RULES
    points: bool  # whether SVMs take landmarks
    crops: frozenset[bool]  # whether training frames were crops of a release; both where some were
    warnings: tuple[str, ...]  # why inputs are only nearly those of training; () where they are not

    @property
    def every_frame(self) -> bool:
        """Return whether all frames of a clip are needed, not its key frames alone."""
        return self.kind in EVERY

    @property
    def colour(self) -> bool:
        """Return whether frames in colour are needed."""
        return self.options.get('key_frames') == 'rgb'

    @property
    def published(self) -> bool:
        """Return whether the model was trained on published features."""
        return self.source.release == PUBLISHED

    @property
    def of_all_frames(self) -> bool:
        """Return whether each frame is a row, and none of them is the apex."""
        return self.stored == 'flows' and self.apex == EVERY_FRAME

    def warnings_for(self, cropped: bool) -> tuple[str, ...]:
        """Return why inputs are only nearly those of training.

        Args:
            cropped: whether frames show the face alone, and are taken whole.
        """
        if not self.crops or cropped in self.crops:
            return self.warnings
        other = OWN_CROP if self.source.release == labels.OWN else OTHER_CROP
        return (*self.warnings, other[cropped].format(name=self.source.name))


def recipe(
    settings: Settings, data_set: str = '', about: Mapping[str, Any] = MappingProxyType({})
) -> Recipe:
    """Return how the inputs of a model are computed from frames.

    Args:
        settings: of the run.
        data_set: of several that it was trained on, the one whose settings count; '': the first.
        about: `data` of the run's results. Its `editions` say what the frames of a user's table
            show; its `default_apex_by` says how missing apexes are estimated where data.name does
            not.

    Raises:
        UserError: the weights of the learned magnifier are not named.
    """
    data, names = settings.data, channels.parse(settings.data.channels)
    data_sets = sources.parse(data.name)
    source = next((each for each in data_sets if each.release == data_set), data_sets[0])
    warnings, rule = [], data.apex
    if rule not in APEX_RULES:
        rule = ''
        warnings.append(
            'the run took missing apexes from a spotting run; here a missing apex is the frame '
            'with the largest motion'
        )
    every_frame = data.apex or TASKS[data.task].by_frame
    stored, _ = loading.stored_as(data_sets, names, data.mask, 'peak' if every_frame else '')
    kind = loading.INPUTS[stored]
    if source.release in NEAREST:
        nearest = NEAREST[source.release]
        allowed = builder_inputs.options_of(kind, colour=False)
        options = {name: values[0] for name, values in allowed.items()}
        options |= nearest.options.get(kind, {})
        warnings.append(nearest.why)
    else:
        options = tfds_builders.release_options(source.name)
    if 'apex_by=' not in source.name:
        options['apex_by'] = about.get('default_apex_by', OLDER_APEX_BY)
    if options.get('magnifier') == 'magnet' and not data.magnet:
        raise UserError(
            f'data.name is {data.name!r} and data.magnet is empty: the weights of the learned '
            'magnifier stand in no pack; allowed: the folder of the run'
        )
    if not data_set and len({_computed(each) for each in data_sets}) > 1:
        warnings.append(
            f'the run joins data sets whose inputs are computed differently; those of '
            f'{source.name} count here'
        )
    points = takes_landmarks(settings)
    if data.landmarks and (points or data.mask != 'none'):
        warnings.append(
            f'data.landmarks of the run is {Path(data.landmarks).name!r}, whose landmarks cannot '
            'be had for new recordings: those of the template are used'
        )
    counted = [source] if data_set else data_sets
    releases = [each.name for each in counted if each.release not in NEAREST]
    crops = frozenset(map(tfds_builders.takes_crops, releases)) - {None}
    if labels.OWN in {each.release for each in counted}:
        editions = about.get('editions', ())
        shown = {edition.removeprefix(f'{labels.OWN} ') for edition in editions}
        crops |= {layout.SHOWN[edition] for edition in shown & layout.SHOWN.keys()}
    return Recipe(source, kind, options, stored, rule, points, crops, tuple(warnings))


def _computed(source):
    """What decides how the frames of a data set become an input."""
    if source.release in NEAREST:
        return (source.release,)
    options = tfds_builders.release_options(source.name)
    if options.get('target') == 'auto':
        options['target'] = builder_inputs.TARGETS.get(source.release, 'apex')
    used = builder_inputs.options_of(source.input, colour=True)
    return (source.input, *((name, options.get(name)) for name in used))


def make(
    frames: Mapping[int, np.ndarray],
    key_frames: KeyFrames,
    recipe: Recipe,
    *,
    name: str,
    cropped: bool = False,
    magnet: str = '',
    detector: str = '',
) -> Record:
    """Make the record of a clip, as a data set would hold it.

    Args:
        frames: {number: uint8[H, W], or uint8[H, W, 3] in red, green and blue} of the key frames;
            of every frame from onset to offset where the recipe or an unknown apex needs them.
        key_frames: an apex of -1 is estimated from the frames.
        recipe: of the model.
        name: of the recording, for messages.
        cropped: whether frames show the face alone, as the crops of a release do; else the face
            is looked for in the onset frame.
        magnet: path of the weights of the learned magnifier.
        detector: path of the weights of the face detector; '': Haar.

    Returns:
        A record whose apex is the frame that the model takes, unless it takes all frames.

    Raises:
        UserError: frames are gray, and the model takes colours.
        NoFaceError: there is no face in the onset frame.
    """
    shown = [frames[number] for number in key_frames if number in frames]
    if recipe.colour and any(map(is_gray, shown)):
        raise UserError(
            f'{name}: gray frames, and the model was trained on {recipe.source.name}; allowed: '
            'frames in colour'
        )
    numbers = sorted(number for number in frames if key_frames.onset <= number <= key_frames.offset)
    clip = Clip(
        clip=name,
        subject='',
        dataset=recipe.source.release,
        emotion='',
        action_units='',
        action_units_known=False,
        onset=key_frames.onset,
        apex=key_frames.apex,
        offset=key_frames.offset,
        apex_source='annotated' if key_frames.apex >= 0 else 'estimated',
        fps=0.0,
        cropped=cropped,
        frames=tuple((number, frames[number]) for number in numbers),
        depth=DEPTH,
    )
    record = builder_inputs.make(
        clip,
        kind=builder_inputs.RISE if recipe.stored == 'flow' else recipe.kind,
        options=recipe.options,
        files={'landmarks': '', 'detector': detector, 'magnet': magnet},
        read=_in_memory,
    )
    if record['crop'] == NOBODY:
        raise NoFaceError(
            f'{name}: no face in frame {key_frames.onset}, the onset; give key frames with a '
            'frontal face, or --cropped where frames show the face alone'
        )
    if recipe.stored == 'flows' and not recipe.of_all_frames:
        [apex] = apexes.frames(record, recipe.apex)
        record['apex'] = _nearest(record['flow_frames'], apex)
    if recipe.kind == 'flow':
        record[FIELD] = record['flow'][..., :2]
    if recipe.published:
        record['flow'] = images.stretch(images.resize(record['flow'], HEIGHT))
    return record


def _nearest(numbers, number):
    """The frame whose flow stands for a number; those of a folder may have gaps."""
    return int(numbers[np.argmin(np.abs(numbers - number))])


def gray(frame: np.ndarray) -> np.ndarray:
    """Return a frame, which may be in red, green and blue, as uint8[H, W]."""
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def side(record: Record) -> int:
    """Return the side in pixels of the crop that a record was made of."""
    return builder_inputs.SAMER if 'image' in record else builder_inputs.FACE


def _in_memory(frame, *, depth, colour):
    """A frame as builder_inputs.from_file returns it."""
    return frame if colour else gray(frame)


def published(path: str | Path) -> Record:
    """Return the record of a published feature picture.

    Args:
        path: of a PNG of 28x28 pixels: red, green and blue are u, v and strain.

    Raises:
        UserError: it is another picture.
    """
    try:
        return {'flow': png.read_rgb(Path(path), height=HEIGHT, width=WIDTH)}
    except (ValueError, OSError) as error:
        raise UserError(f'{path}: {error}') from None


def inputs_of(records: Sequence[Record], recipe: Recipe, settings: Settings) -> Inputs:
    """Return what a model sees of records of clips.

    Args:
        records: of `make` or `published`; under data.apex=every_frame of one clip, which then has
            a row for each frame.
        recipe: of the model.
        settings: of the run.

    Returns:
        Inputs of a row for each record.
    """
    data = settings.data
    if recipe.stored == 'flows':
        records = loading.at_apexes(list(records), recipe.apex)
    names = channels.parse(data.channels)
    image = images.stack_inputs(records, recipe.stored, names, data, recipe.source.name)
    extras = {}
    if recipe.points:
        extras[LANDMARKS] = images.points(records, recipe.stored, data.size)
    return Inputs(image, extras)
