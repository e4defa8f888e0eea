"""What is computed of one clip for each kind of input.

Pure functions of the clip and its settings, which run in any process.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units, face, flow, jpeg, landmarks, magnet, magnify, mtcnn
from tfds_builders import frames, schema
from tfds_builders.clip import Clip

FACE = 128  # side of the face crop, as of the synthetic faces
SAMER = 224  # of the magnified face: what the dual-branch network takes
SPOTTING = 75  # of the flow of every frame: what the spotting networks take
# How an apex that nobody annotated is estimated: by flow.apex, or by the largest mean of the flow
# that the input has, the default of earlier versions. On drawn clips `registered` is nearer to the
# truth, and a build takes a fifth of the time (docs/benchmarks.md).
APEX_BY = ('registered', 'mean')
COMMON = {
    'optical_flow': ('tvl1', 'farneback', 'dis'),
    'scale_step': ('0.5', '0.8'),
    'apex_by': APEX_BY,
}
# of the input flow; gray releases have the first alone
KEY_FRAMES = ('gray', 'rgb')
MAGNIFIED = {
    'magnifier': ('phase', 'eulerian', 'magnet', 'none'),
    'alpha': ('6', 'a number up to 100'),
    # of the magnitudes, x their mean
    'target': ('auto', 'apex', 'magnified'),
    'threshold': ('1.5', 'a number'),
    # crop: channels are computed in the pixels of the frame, then resized, as published
    'flow_size': (str(SAMER), 'crop'),
    'jpeg': ('off', 'on'),
    # whether units that the coders noted as a reference count as movements
    'reference_units': ('skip', 'count'),
}
TARGETS = {'samm': 'magnified'}  # of the published system; elsewhere the apex frame itself
SHARED = {
    'landmarks': schema.tensor((None, 68, 2), np.float32),  # (x, y) in pixels of the crop
    'landmark_frames': schema.tensor((None,), np.int32),
    'box': schema.tensor((4,), np.float32),  # x0, y0, x1, y1 of the face in the frame
    'matrix': schema.tensor((2, 3), np.float32),  # pixel of the frame -> pixel of the crop
    'crop': 'text',
    'landmark_source': 'text',  # the template, or the user's tool
    'provenance': 'text',
}


def from_file(path: Path, *, depth: int, colour: bool) -> np.ndarray:
    """A frame of a file: uint8[H, W], or in colour uint8[H, W, 3].

    Raises:
      ValueError: it is no whole picture, or gray where colour is wanted.
      OSError: it cannot be read.
    """
    return (frames.read_rgb if colour else frames.read_gray)(path, depth=depth)


def make(
    clip: Clip,
    *,
    kind: str,
    options: Mapping[str, str],
    files: Mapping[str, str],
    read: Callable[..., np.ndarray] = from_file,
) -> dict:
    """The record of one clip as input `kind`.

    Every frame is cut with the one crop that is found in the onset frame.

    Args:
      clip: an apex of -1 is estimated.
      kind: one of KINDS, or RISE.
      options: settings by name.
      files: paths of the user, or '': 'landmarks', 'detector', 'magnet'.
      read: as `from_file`, of what stands beside the numbers in clip.frames.

    Raises:
      UserError: a frame cannot be decoded; names clip and frame.
    """
    frame = partial(_frame, clip, read)
    paths, size = dict(clip.frames), SAMER if kind == 'samer' else FACE
    detector = files['detector'] and machine.absolute(files['detector'], 'data.detector')
    crop = face.find(
        frame(paths[clip.onset]),
        size=size,
        cropped=clip.cropped,
        eyes_of=mtcnn.eyes_by(detector),
    )
    # key frames are needed several times
    cut = functools.cache(partial(_cut, frame, paths, crop))
    estimated = clip.apex < 0
    if estimated:
        clip = clip._replace(apex=_estimated_apex(clip, paths, cut, options))
    if options.get('reference_units') == 'count':
        clip = clip._replace(action_units=action_units.count_references(clip.action_units))
    cut_for_input = cut
    if options.get('flow_size') == 'crop':
        cut_for_input = partial(_cut, frame, paths, crop, way=face.cut_at_frame_size)
    compute = _rise if kind == RISE else KINDS[kind]
    arrays, numbers = compute(clip, paths, cut_for_input, options, files)
    if options.get('key_frames') == 'rgb':
        in_colour = [_cut_rgb(frame, paths[number], crop) for number in numbers]
        arrays['key_frames_rgb'] = np.stack(in_colour)
    crops = np.stack([cut(number) for number in numbers])
    points, source = _landmarks(
        crops, files['landmarks'], crop, clip.clip, [paths[number] for number in numbers]
    )
    annotation = clip._asdict()
    for name in ('frames', 'cropped', 'depth'):
        del annotation[name]
    provenance = {'input': kind, **options, 'opencv': cv2.__version__}
    # Records without colours, and those by the older estimate, keep the bytes that they had before
    # these settings.
    if provenance.get('key_frames') == KEY_FRAMES[0]:
        del provenance['key_frames']
    if not estimated or provenance.get('apex_by') == 'mean':
        provenance.pop('apex_by', None)
    if detector:
        provenance['detector'] = detector.name
    return {
        **annotation,
        **arrays,
        'landmarks': points.astype(np.float32),
        'landmark_frames': np.array(numbers, np.int32),
        'box': np.array(crop.box, np.float32),
        'matrix': np.array(crop.matrix, np.float32),
        'crop': crop.how,
        'landmark_source': source,
        'provenance': json.dumps(provenance, sort_keys=True),
    }


def _landmarks(crops, tool, crop, clip, paths):
    """(landmarks [T, 68, 2], what they are from): the template where the user's tool finds no
    face.
    """
    if tool:
        paths = list(map(Path, paths))
        try:
            points = landmarks.locate(
                crops,
                source=str(machine.absolute(tool, 'data.landmarks')),
                crop=crop,
                clip=clip,
                names=[path.name for path in paths],
                folder=[path.name for _, path in frames.numbered(paths[0].parent)],
            )
            return points, Path(tool).name
        except landmarks.NoFace:
            pass  # one clip in bad light must not stop a build of hours; the audit names it
    return landmarks.locate(crops, source='template', crop=crop), 'template'


# Each kind of input returns (arrays by name, numbers of the frames that get landmarks).


def _rise(clip, paths, cut, options, files):
    """Key frames, flow and strain onset to apex."""
    numbers = [clip.onset, clip.apex, clip.offset]
    key_frames = np.stack(list(map(cut, numbers)))
    rise = flow.flow_features(*key_frames[:2], **_estimator(options))
    return {'key_frames': key_frames, 'flow': rise}, numbers


def _flow(clip, paths, cut, options, files):
    """Key frames, flow and strain onset to apex and apex to offset."""
    arrays, numbers = _rise(clip, paths, cut, options, files)
    fall = flow.flow_features(*arrays['key_frames'][1:], **_estimator(options))
    return {**arrays, 'flow_offset': fall}, numbers


def _samer(clip, paths, cut, options, files):
    """Magnified apex, and flow magnitudes onset to target and offset to target, as three channels.

    Ruan et al., ACM MM 2022.
    """
    numbers = [clip.onset, clip.apex, clip.offset]
    onset, apex, offset = map(cut, numbers)
    magnified = _magnified(onset, apex, options, files)
    wanted = options['target']
    if wanted == 'auto':
        wanted = TARGETS.get(clip.dataset, 'apex')
    target = magnified if wanted == 'magnified' else apex
    channels = [magnified]
    for start in (onset, offset):
        field = flow.estimate(start, target, **_estimator(options))
        channels.append(flow.samer_magnitude(field, threshold=float(options['threshold'])))
    image = np.stack(channels, -1)
    if options['jpeg'] == 'on':
        image = jpeg.round_trip(image)
    if options['flow_size'] == 'crop':
        image = _resized(image, SAMER)
    return {'image': image, 'target': wanted}, numbers


def _resized(image, size):
    """uint8[size, size, C]: four pixels for each new one, also where the image shrinks.

    So torchvision 0.11 resized the pictures of the published system.
    """
    resized = cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.rint(resized).astype(np.uint8)


def _video(clip, paths, cut, options, files):
    """Every frame of the crop."""
    numbers = list(paths)
    return {'frames': np.stack([cut(number) for number in numbers])}, numbers


def _spotting(clip, paths, cut, options, files):
    """Flow from the onset to every later frame, in pixels of the small picture."""
    onset, numbers = cut(clip.onset), _after_onset(clip, paths)
    flows = []
    for number in numbers:
        field = flow.estimate(onset, cut(number), **_estimator(options))
        flows.append(flow.resize_flow(field, SPOTTING))
    arrays = {
        'flows': np.stack(flows).astype(np.float16),
        'flow_frames': np.array(numbers, np.int32),
    }
    return arrays, list(paths)


# of no data set: `flow` for networks that see no flow from apex to offset, in half of the time
RISE = 'rise'
KINDS = {'flow': _flow, 'samer': _samer, 'video': _video, 'spotting': _spotting}
FEATURES = {
    'flow': {
        'flow': schema.tensor((FACE, FACE, 3), np.float32),
        'flow_offset': schema.tensor((FACE, FACE, 3), np.float32),
        'key_frames': schema.tensor((3, FACE, FACE), np.uint8),
    },
    'samer': {'image': schema.tensor((SAMER, SAMER, 3), np.uint8), 'target': 'text'},
    'video': {'frames': schema.tensor((None, FACE, FACE), np.uint8)},
    'spotting': {
        'flows': schema.tensor((None, SPOTTING, SPOTTING, 2), np.float16),
        'flow_frames': schema.tensor((None,), np.int32),
    },
}


RGB_KEY_FRAMES = {'key_frames_rgb': schema.tensor((3, FACE, FACE, 3), np.uint8)}


def features_of(kind: str, options: Mapping[str, str]) -> dict:
    """The features of input `kind` under its settings."""
    colours = RGB_KEY_FRAMES if options.get('key_frames') == 'rgb' else {}
    return {**FEATURES[kind], **colours}


def options_of(kind: str, *, colour: bool) -> dict[str, Sequence[str]]:
    """{setting: allowed values, the default first} of input `kind`.

    Args:
      kind: one of KINDS.
      colour: whether the frames of the release are in colour.
    """
    if kind == 'video':
        return {'apex_by': APEX_BY}
    if kind == 'samer':
        return {**COMMON, **MAGNIFIED}
    if kind == 'flow':
        return {**COMMON, 'key_frames': KEY_FRAMES if colour else KEY_FRAMES[:1]}
    return dict(COMMON)


def _estimator(options):
    """Keyword arguments of flow.estimate."""
    method = options['optical_flow']
    if method != 'tvl1':
        return {'method': method}
    return {'method': method, 'scale_step': float(options['scale_step'])}


def _magnified(onset, apex, options, files):
    alpha = float(options['alpha'])
    if options['magnifier'] == 'magnet':
        weights = machine.absolute(files['magnet'], 'data.magnet')
        return magnet.magnify(onset, apex, alpha=alpha, weights=weights)
    return magnify.magnify(onset, apex, method=options['magnifier'], alpha=alpha)


def _estimated_apex(clip, paths, cut, options):
    """The frame in which the face has moved most since the onset."""
    numbers = _after_onset(clip, paths)
    crops = map(cut, numbers)
    if options['apex_by'] == 'registered':
        return numbers[flow.apex(cut(clip.onset), crops)]
    method = options.get('optical_flow', 'tvl1')
    return numbers[flow.strongest(cut(clip.onset), crops, method=method, steady=True)]


def _after_onset(clip, paths):
    return [number for number in paths if number > clip.onset]


def _cut(frame, paths, crop, number, way=face.cut):
    return way(frame(paths[number]), crop)


def _cut_rgb(frame, path, crop):
    """uint8[size, size, 3]: the crop of each colour of a frame."""
    image = frame(path, colour=True)
    return np.stack([face.cut(np.ascontiguousarray(image[..., i]), crop) for i in range(3)], -1)


def _frame(clip, read, path, colour=False):
    try:
        return read(path, depth=clip.depth, colour=colour)
    except (ValueError, OSError) as error:
        raise UserError(f'{clip.dataset}: clip {clip.clip}, frame {path}: {error}') from error
