"""From records to the images of a network."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from mer_jax.data import Record
from mer_jax.data.channels import CHANNELS, FRAMES, JOINED, feature_of
from mer_jax.errors import UserError
from mer_jax.preprocess import regions
from mer_jax.settings import sections
from tfds_builders.inputs import FACE


def stack_inputs(
    records: Sequence[Record],
    stored: str,
    channels: Sequence[str],
    settings: sections.Data,
    name: str,
) -> np.ndarray:
    """Return the images that a network sees.

    Args:
        records: of the data set.
        stored: the feature with the images, or one of JOINED.
        channels: of the images, in this order.
        settings: of section data; size, mask, frames and scaling are used.
        name: of the data set.

    Returns:
        [N, size, size, C], or for 'frames' videos [N, frames, size, size, 1].

    Raises:
        UserError: data.input_scaler is 'p995', but the images are bytes.
    """
    if stored == 'frames':
        return videos(records, settings, name)
    stored_images = (masked(record, stored, settings.mask) for record in records)
    return images(stored_images, channels, settings, name)


def masked(record: Record, stored: str, mask: str) -> np.ndarray:
    """Return the image of a record, 0 outside the part of the face that a mask keeps.

    Args:
        record: of a clip.
        stored: the feature with the image, or one of JOINED.
        mask: of the face in the onset frame; 'none' keeps all.

    Returns:
        [H, W, C].
    """
    image = phases(record) if stored in JOINED else record[stored]
    if mask == 'none':
        return image
    return image * regions.mask(record['landmarks'][0], len(image), keep=mask)[..., None]


def phases(record: Record) -> np.ndarray:
    """Join key frames and the flow of both phases.

    Returns:
        float32[H, W, 9] in the order of CHANNELS: gray 0..255 of the key frames; flow (pixels) and
        strain from onset to apex, and from apex to offset. [H, W, 18] where the record holds key
        frames in colour, 0..255, which come last.
    """
    gray = np.moveaxis(record['key_frames'], 0, -1)
    joined = [gray, record['flow'], record['flow_offset']]
    if 'key_frames_rgb' in record:
        rgb = record['key_frames_rgb']  # [3, H, W, 3]
        joined.append(rgb.transpose(1, 2, 0, 3).reshape(*rgb.shape[1:3], -1))
    return np.concatenate(joined, -1, dtype=np.float32)


def videos(records: Sequence[Record], settings: sections.Data, name: str) -> np.ndarray:
    """Return evenly spaced frames of each clip.

    Args:
        records: of the data set; frames are from onset to offset, repeated in short clips.
        settings: number of frames, size and mask.
        name: of the data set.

    Returns:
        uint8[N, frames, size, size, 1].
    """
    _refuse_p995(settings, name)
    clips = [_video(record, settings.frames, settings.size, settings.mask) for record in records]
    return np.stack(clips)


def _video(record, count, size, mask):
    first, last = 0, len(record['frames']) - 1
    drawn = 'first_frame' in record  # of drawn faces, which store frames before the onset
    if drawn:
        first = record['onset'] - record['first_frame']
        last = record['offset'] - record['first_frame']
    chosen = first + np.round(np.linspace(0, last - first, count)).astype(int)
    frames = record['frames'][chosen]
    if mask != 'none':
        # Placed by the landmarks of each frame. Drawn faces store those of key frames only; there
        # the onset frame places the mask in all frames.
        faces = np.zeros_like(chosen) if drawn else chosen
        side = frames.shape[1]
        kept = [regions.mask(points, side, keep=mask) for points in record['landmarks'][faces]]
        frames = frames * np.stack(kept)
    return np.stack([resize(frame[..., None], size) for frame in frames])


def images(
    stored: Iterable[np.ndarray], channels: Sequence[str], settings: sections.Data, name: str
) -> np.ndarray:
    """Choose channels, resize, and stretch where clip_normalise is set.

    Key frames are not stretched: stretched one by one, a change of light would look like motion.

    Args:
        stored: images [H, W, C'] of the feature that holds the channels.
        channels: of the result.
        settings: of section data; size and scaling are used.
        name: of the data set.

    Returns:
        [N, size, size, C].
    """
    group = CHANNELS[feature_of(channels)]
    chosen = [group.index(channel) for channel in channels]
    resized = [resize(image[..., chosen], settings.size) for image in stored]
    if any(image.dtype == np.uint8 for image in resized):
        _refuse_p995(settings, name)
    if not settings.clip_normalise:
        return np.stack(resized)
    frames = np.isin(channels, FRAMES)
    stretched = [np.where(frames, np.round(image), stretch(image)) for image in resized]
    return np.stack([image.astype(np.uint8) for image in stretched])


def _refuse_p995(settings, name):
    if settings.input_scaler == 'p995':
        raise UserError(
            f"data.input_scaler is 'p995', but {name} stores bytes, not flow in pixels; allowed: "
            "'standard', or 'none' with data.clip_normalise True"
        )


def resize(flow: np.ndarray, size: int) -> np.ndarray:
    """Resize an image.

    Args:
        flow: [H, W, C]; displacements keep their values, in pixels of the stored size.
        size: pixels per side; the stored size changes nothing.

    Returns:
        [size, size, C].
    """
    source = flow if flow.dtype == np.uint8 else flow.astype(np.float32)
    if flow.shape[:2] == (size, size):
        return source
    method = cv2.INTER_AREA if size < max(flow.shape[:2]) else cv2.INTER_LINEAR
    blocks = []
    for first in range(0, source.shape[-1], 4):  # OpenCV averages four channels at most
        block = cv2.resize(source[..., first : first + 4], (size, size), interpolation=method)
        blocks.append(block.reshape(size, size, -1))
    return np.concatenate(blocks, -1)


def stretch(flow: np.ndarray) -> np.ndarray:
    """Stretch each channel of a clip to 0..255.

    The features published with STSTNet are stretched like this.

    Args:
        flow: [H, W, C]; bytes stay as they are.

    Returns:
        uint8[H, W, C].
    """
    if flow.dtype == np.uint8:
        return flow
    low, high = flow.min((0, 1)), flow.max((0, 1))
    span = np.where(high > low, high - low, 1)  # a channel without any motion becomes 0, not NaN
    return np.round((flow - low) / span * 255).astype(np.uint8)


def points(records: Sequence[Record], stored: str, size: int) -> np.ndarray:
    """Return the landmarks of the onset frame in resized images.

    Args:
        records: of the data set.
        stored: the feature with the images, or one of JOINED.
        size: pixels per side of the images.

    Returns:
        float32[N, 68, 2], (x, y) in pixels; whole numbers are pixel centres.
    """
    landmarks = np.stack([record['landmarks'][0] for record in records])
    if stored == 'flows':
        sides = np.full(len(records), FACE)
    else:
        feature = 'flow' if stored in JOINED else stored
        sides = np.array([record[feature].shape[1] for record in records])
    scale = size / sides[:, None, None]
    return ((landmarks + 0.5) * scale - 0.5).astype(np.float32)
