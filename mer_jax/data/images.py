"""Records of a TFDS data set -> what a network sees of them: channels, masks, sizes and
stretching.
"""

import cv2
import numpy as np

from mer_jax.data.channels import CHANNELS, PHASES, feature_of
from mer_jax.errors import UserError
from mer_jax.preprocess import regions
from mer_jax.settings import sections
from tfds_builders.inputs import FACE


def made(records, stored, channels, settings: sections.Data, name: str) -> np.ndarray:
    """The images that a network sees.

    Args:
        records: of the data set.
        stored: the feature with the pictures, or 'phases'.
        channels: of the images, in this order.
        settings: size, mask, frames and scales.
        name: of the data set.

    Returns:
        [N, size, size, C], or of 'frames' videos [N, frames, size, size, 1].

    Raises:
        UserError: bytes cannot be scaled so.
    """
    if stored == 'frames':
        return videos(records, settings, name)
    pictures = (masked(r, stored, settings.mask, settings.jpeg_roundtrip) for r in records)
    return images(pictures, channels, settings, name)


def masked(record, stored, mask, jpeg):
    """The picture of a record, 0 outside the part of the face that `mask` keeps in the
    onset frame.
    """
    picture = phases(record) if stored == 'phases' else record[stored]
    if jpeg and stored == 'image':
        picture = cv2.imdecode(cv2.imencode('.jpg', picture)[1], cv2.IMREAD_COLOR)
    if mask == 'none':
        return picture
    return picture * regions.mask(record['landmarks'][0], len(picture), keep=mask)[..., None]


def phases(record):
    """float32[H, W, 9] in the order of CHANNELS: gray 0..255 of the key frames, flow (pixels) and
    strain of both halves.
    """
    return np.concatenate(
        [np.moveaxis(record['key_frames'], 0, -1), record['flow'], record['flow_offset']],
        -1,
        dtype=np.float32,
    )


def videos(records, settings: sections.Data, name: str) -> np.ndarray:
    """uint8[N, frames, size, size, 1]: frames of each clip evenly from onset to offset, repeated
    where it has fewer.
    """
    _refuse_p995(settings, name)
    each = [_video(record, settings.frames, settings.size, settings.mask) for record in records]
    return np.stack(each)


def _video(record, count, size, mask):
    first, last = 0, len(record['frames']) - 1
    if 'first_frame' in record:
        first, last = (
            record['onset'] - record['first_frame'],
            record['offset'] - record['first_frame'],
        )
    chosen = first + np.round(np.linspace(0, last - first, count)).astype(int)
    frames = record['frames'][chosen]
    # by the face in every frame; drawn faces, which tell it of key frames only, by that of the
    # onset
    if mask != 'none':
        points = record['landmarks'][
            chosen if 'first_frame' not in record else np.zeros_like(chosen)
        ]
        frames = frames * np.stack(
            [regions.mask(each, frames.shape[1], keep=mask) for each in points]
        )
    return np.stack([resize(frame[..., None], size) for frame in frames])


def images(pictures, channels, settings: sections.Data, name: str) -> np.ndarray:
    """Stack pictures [H, W, C'] into [N, size, size, C]: channels chosen, resized, and flow
    stretched where settings.clip_normalise.

    Gray key frames beside stretched flow stay as they are: stretched each by itself, a change of
    light would look like motion.
    """
    chosen = [CHANNELS[feature_of(channels)].index(channel) for channel in channels]
    resized = [resize(picture[..., chosen], settings.size) for picture in pictures]
    if any(picture.dtype == np.uint8 for picture in resized):
        _refuse_p995(settings, name)
    if not settings.clip_normalise:
        return np.stack(resized)
    gray = np.isin(channels, PHASES['key_frames'])
    return np.stack(
        [np.where(gray, np.round(each), stretch(each)).astype(np.uint8) for each in resized]
    )


def _refuse_p995(settings, name):
    if settings.input_scaler == 'p995':
        raise UserError(
            f"data.input_scaler is 'p995', but {name} stores bytes, not flow in pixels; allowed: "
            "'standard', or 'none' with data.clip_normalise True"
        )


def resize(flow, size):
    """[H, W, C] -> [size, size, C]; values stay in pixels of the stored flow; an equal size is
    untouched.
    """
    source = flow if flow.dtype == np.uint8 else flow.astype(np.float32)
    if flow.shape[:2] == (size, size):
        return source
    way = cv2.INTER_AREA if size < max(flow.shape[:2]) else cv2.INTER_LINEAR
    parts = [
        cv2.resize(source[..., i : i + 4], (size, size), interpolation=way).reshape(size, size, -1)
        for i in range(0, source.shape[-1], 4)
    ]  # OpenCV averages four channels at most
    return np.concatenate(parts, -1)


def stretch(flow):
    """Min-max stretch every channel of one clip to uint8 0..255 (as the features published with
    STSTNet are).
    """
    if flow.dtype == np.uint8:
        return flow
    low, high = flow.min((0, 1)), flow.max((0, 1))
    span = np.where(high > low, high - low, 1)  # a channel without any motion becomes 0, not NaN
    return np.round((flow - low) / span * 255).astype(np.uint8)


def points(records, stored, size):
    """float32[N, 68, 2]: landmarks (x, y) of the onset frame in pixels of pictures of `size`; whole
    numbers are pixel centres.
    """
    sides = [
        FACE if stored == 'flows' else r['flow' if stored == 'phases' else stored].shape[1]
        for r in records
    ]
    found = np.stack([record['landmarks'][0] for record in records])
    return ((found + 0.5) * (size / np.array(sides)[:, None, None]) - 0.5).astype(np.float32)
