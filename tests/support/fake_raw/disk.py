"""Writes clip folders of tiny or face-like pictures."""

import functools
import zlib

from tests.support.fake_raw import pictures
from tests.support.fake_raw.truth import usable


def seed_of(text):
    """A number that depends on the text alone (hash() differs from process to process)."""
    return zlib.crc32(text.encode())


def tiny_pictures(suffix, channels):
    """content(annotation, number) -> bytes: the same tiny picture for every frame."""
    return lambda annotation, number: pictures.tiny(suffix, channels)


def moving_pictures(suffix, channels, size_of):
    """content(annotation, number) -> bytes of a face that moves by 2 pixels; size_of(annotation) ->
    (height, width).
    """

    def content(annotation, number):
        onset, offset = annotation.onset, annotation.offset or annotation.frames[1]
        apex = (
            annotation.apex
            if isinstance(annotation.apex, int) and onset < annotation.apex <= offset
            else None
        )
        peak = (onset + offset) // 2 if apex is None else apex
        strength = pictures.strength(number, onset, peak, offset)
        return _drawn(
            suffix, channels, annotation.subject, size_of(annotation), annotation.emotion, strength
        )

    return content


# neutral frames before the onset and after the offset are all the same
@functools.lru_cache(maxsize=4)
def _drawn(suffix, channels, subject, size, emotion, strength):
    image = pictures.moving_face(
        seed_of(str(subject)), size, emotion=emotion, strength=strength, channels=channels
    )
    return pictures.encode(suffix, image)


def write_frames(folder, name_of, numbers, content):
    """Writes `folder`/name_of(number) for every number; returns {number: path}. content: number ->
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {number: folder / name_of(number) for number in numbers}
    for number, path in paths.items():
        path.write_bytes(content(number))
    return paths


def keys_of(annotation, numbers):
    """{'onset': number, ...} of the key frames that can be used."""
    onset, apex, offset, _ = usable(annotation, numbers)
    return {'onset': onset, 'offset': offset} | ({} if apex is None else {'apex': apex})
