"""Pictures for the fakes: tiny valid images, and a face-like pattern that moves between onset and
apex.
"""

import functools
import struct
import zlib

import cv2
import numpy as np

TINY = (6, 8)  # rows, columns


@functools.cache
def tiny(suffix, channels):
    """Bytes of one small picture, encoded once: '.jpg' or '.bmp', 1 or 3 channels."""
    ramp = np.arange(TINY[0] * TINY[1] * channels, dtype=np.uint8).reshape(*TINY, channels)
    return encode(suffix, 60 + ramp)


def encode(suffix, image):
    """Bytes of uint8 or uint16 [H, W] or [H, W, C]; JPEG of high quality."""
    done, data = cv2.imencode(
        suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == '.jpg' else []
    )
    assert done
    return data.tobytes()


def giant_png(side=100_000):
    """Bytes of a well-formed PNG whose header claims side x side pixels: decoding it would take 10
    GB.
    """
    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    chunks = [(b'IHDR', header), (b'IDAT', zlib.compress(b'\0' * 64)), (b'IEND', b'')]
    parts = [
        struct.pack('>I', len(d)) + k + d + struct.pack('>I', zlib.crc32(k + d)) for k, d in chunks
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


@functools.lru_cache(maxsize=4)
def face(seed, height, width):
    """Grey float32 [H, W] of a smooth, skin-like oval with eyes, brows, nose and mouth; the same
    for the same seed.
    """
    draw = np.random.default_rng(seed)
    image = np.full((height, width), 70, np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    r, cx, cy = 0.42 * min(height, width), width / 2, height / 2
    image[((x - cx) / (0.78 * r)) ** 2 + ((y - cy) / r) ** 2 < 1] = 165 + 20 * draw.random()
    for side in (-1, 1):
        _blob(image, x, y, cx + side * 0.32 * r, cy - 0.2 * r, 0.13 * r, 0.06 * r, -90)
        _blob(image, x, y, cx + side * 0.32 * r, cy - 0.4 * r, 0.2 * r, 0.04 * r, -60)
    _blob(image, x, y, cx, cy + 0.12 * r, 0.1 * r, 0.12 * r, 25)
    _blob(image, x, y, cx, cy + 0.5 * r, 0.28 * r, 0.06 * r, -80)
    # pores and patches: without texture flow has nothing to hold on to
    for sigma, strength in ((1.5, 12), (5, 40)):
        noise = cv2.GaussianBlur(
            draw.standard_normal((height, width)).astype(np.float32), (0, 0), sigma
        )
        image += strength * noise
    return cv2.GaussianBlur(image, (0, 0), 1.2)


def _blob(image, x, y, cx, cy, sx, sy, depth):
    image += depth * np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


# Where the skin moves, in units of the face radius from its centre, and in which direction (right,
# down).
MOVES = {
    'mouth corners up': (((-0.28, 0.5), (-0.7, -0.9)), ((0.28, 0.5), (0.7, -0.9))),
    'brows up': (((-0.32, -0.4), (0.0, -1.0)), ((0.32, -0.4), (0.0, -1.0))),
    'brows together': (((-0.32, -0.4), (0.9, 0.5)), ((0.32, -0.4), (-0.9, 0.5))),
    'mouth pressed': (((-0.1, 0.5), (-0.8, 0.3)), ((0.1, 0.5), (0.8, 0.3))),
    'nose wrinkled': (((-0.15, 0.1), (0.2, -1.0)), ((0.15, 0.1), (-0.2, -1.0))),
}
MOVE_OF = {
    'happiness': 'mouth corners up',
    'positive': 'mouth corners up',
    'surprise': 'brows up',
    'disgust': 'nose wrinkled',
    'repression': 'mouth pressed',
    'negative': 'brows together',
    'anger': 'brows together',
    'contempt': 'mouth pressed',
}


@functools.lru_cache(maxsize=4)
def _field(size, emotion):
    """(columns, rows, u, v), float32 [H, W] each: the pixel grid, and the movement, 1 pixel at its
    peak.
    """
    height, width = size
    radius = 0.42 * min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = np.zeros_like(x), np.zeros_like(x)
    for (right, down), (du, dv) in MOVES[MOVE_OF.get(emotion.lower(), 'brows together')]:
        near = ((x - width / 2) / radius - right) ** 2 + ((y - height / 2) / radius - down) ** 2
        weight = np.exp(-near / 0.06)
        u, v = u + du * weight, v + dv * weight
    return x, y, u, v


def moving_face(seed, size, *, emotion, strength, channels, pixels=2.0):
    """uint8 [H, W] (channels 1) or [H, W, 3]: the face of `seed`, moved by strength (0..1) x
    `pixels`.
    """
    x, y, u, v = _field(size, emotion)
    step = np.float32(strength * pixels)
    moved = cv2.remap(
        face(seed, *size),
        x - step * u,
        y - step * v,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    grey = np.clip(moved, 0, 255).astype(np.uint8)
    return (
        grey
        if channels == 1
        else (grey[..., None] * np.float32((0.75, 0.85, 1.0))).astype(np.uint8)
    )


def strength(number, onset, apex, offset):
    """0 at onset and before, 1 at apex, 0.3 at offset, straight between; 0 after the offset."""
    if not onset < number <= offset:
        return 0.0
    return float(np.interp(number, (onset, apex, max(offset, apex + 1)), (0.0, 1.0, 0.3)))
