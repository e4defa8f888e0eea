"""What is computed of one clip for each kind of input: pure functions of the clip and its settings,
run in any process.
"""

import functools
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import face, flow, landmarks, magnet, magnify
from tfds_builders import frames, schema

FACE = 128  # side of the face crop, as of the synthetic faces
SAMER = 224  # of the magnified face: what the dual-branch network takes
SPOTTING = 75  # of the flow of every frame: what the spotting networks take
COMMON = {'optical_flow': ('tvl1', 'farneback', 'dis'), 'scale_step': ('0.5', '0.8')}
MAGNIFIED = {
    'magnifier': ('phase', 'eulerian', 'magnet', 'none'),
    'alpha': ('6', 'a number'),
    # of the magnitudes, x their mean
    'target': ('auto', 'apex', 'magnified'),
    'threshold': ('1.5', 'a number'),
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


def make(clip, *, kind, options, files):
    """The record of one Clip as input `kind`; every frame is cut with the one crop found in the
    onset frame.

    options: settings by name; files: {'landmarks': path or '', 'magnet': path or ''}. Raises
    UserError naming clip and frame where a frame cannot be decoded.
    """
    paths, size = dict(clip.frames), SAMER if kind == 'samer' else FACE
    crop = face.find(_frame(clip, paths[clip.onset]), size=size, cropped=clip.cropped)
    # key frames are asked for several times
    cut = functools.cache(partial(_cut, clip, paths, crop))
    clip = clip._replace(
        apex=clip.apex if clip.apex >= 0 else _estimated(clip, paths, cut, options)
    )
    arrays, numbers = KINDS[kind](clip, paths, cut, options, files)
    points, source = _landmarks(
        np.stack([cut(n) for n in numbers]), files['landmarks'], crop, clip.clip, numbers
    )
    said = {name: getattr(clip, name) for name in clip._fields if name not in ('frames', 'cropped')}
    return {
        **said,
        **arrays,
        'landmarks': points.astype(np.float32),
        'landmark_frames': np.array(numbers, np.int32),
        'box': np.array(crop.box, np.float32),
        'matrix': np.array(crop.matrix, np.float32),
        'crop': crop.how,
        'landmark_source': source,
        'provenance': json.dumps(
            {'input': kind, **options, 'opencv': cv2.__version__}, sort_keys=True
        ),
    }


def _landmarks(crops, tool, crop, clip, numbers):
    """(landmarks [T, 68, 2], what they are from); where the user's tool finds no face in a clip,
    the template.
    """
    if tool:
        try:
            points = landmarks.locate(
                crops, source=str(Path(tool).expanduser()), crop=crop, clip=clip, numbers=numbers
            )
            return points, Path(tool).name
        except landmarks.NoFace:
            pass  # one clip in bad light must not stop a build of hours; the audit names it
    return landmarks.locate(crops, source='template', crop=crop), 'template'


def _flow(clip, paths, cut, options, files):
    """Key frames, flow and strain onset to apex and apex to offset."""
    numbers = [clip.onset, clip.apex, clip.offset]
    onset, apex, offset = pictures = [cut(n) for n in numbers]
    between = partial(flow.flow_features, **_estimator(options))
    return {
        'key_frames': np.stack(pictures),
        'flow': between(onset, apex),
        'flow_offset': between(apex, offset),
    }, numbers


def _samer(clip, paths, cut, options, files):
    """Magnified apex, and the flow magnitudes onset to target and offset to target (Ruan et al.
    2022), as three channels.
    """
    numbers = [clip.onset, clip.apex, clip.offset]
    onset, apex, offset = (cut(n) for n in numbers)
    magnified = _magnified(onset, apex, options, files)
    wanted = TARGETS.get(clip.dataset, 'apex') if options['target'] == 'auto' else options['target']
    target = magnified if wanted == 'magnified' else apex
    fields = [flow.estimate(start, target, **_estimator(options)) for start in (onset, offset)]
    moved = [flow.samer_magnitude(field, threshold=float(options['threshold'])) for field in fields]
    return {'image': np.stack([magnified, *moved], -1), 'target': wanted}, numbers


def _video(clip, paths, cut, options, files):
    """Every frame of the crop."""
    return {'frames': np.stack([cut(n) for n in paths])}, list(paths)


def _spotting(clip, paths, cut, options, files):
    """Flow from the onset to every later frame, in pixels of the small picture."""
    onset, numbers = cut(clip.onset), [n for n in paths if n > clip.onset]
    flows = [
        flow.resize_flow(flow.estimate(onset, cut(n), **_estimator(options)), SPOTTING)
        for n in numbers
    ]
    return {
        'flows': np.stack(flows).astype(np.float16),
        'flow_frames': np.array(numbers, np.int32),
    }, list(paths)


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


def options_of(kind):
    """{name: allowed values, the default first} of the settings that input `kind` has."""
    return {} if kind == 'video' else {**COMMON, **(MAGNIFIED if kind == 'samer' else {})}


def _estimator(options):
    method = options['optical_flow']
    return {
        'method': method,
        **({'scale_step': float(options['scale_step'])} if method == 'tvl1' else {}),
    }


def _magnified(onset, apex, options, files):
    alpha = float(options['alpha'])
    if options['magnifier'] == 'magnet':
        return magnet.magnify(onset, apex, alpha=alpha, weights=Path(files['magnet']).expanduser())
    return magnify.magnify(onset, apex, method=options['magnifier'], alpha=alpha)


def _estimated(clip, paths, cut, options):
    """The frame in which the face has moved most since the onset."""
    numbers = [n for n in paths if n > clip.onset]
    return numbers[
        flow.strongest(
            cut(clip.onset),
            [cut(n) for n in numbers],
            method=options.get('optical_flow', 'tvl1'),
            steady=True,
        )
    ]


def _cut(clip, paths, crop, number):
    return face.cut(_frame(clip, paths[number]), crop)


def _frame(clip, path):
    try:
        return frames.read_gray(path)
    except (ValueError, OSError) as error:
        raise UserError(f'{clip.dataset}: clip {clip.clip}, frame {path}: {error}') from error
