"""Whether one face is in view all along: losses, several faces, and cuts.

The crop of a movement is found in its onset frame alone. Here faces are only looked for, in every
n-th frame and in a small picture, so that a user learns where an answer rests on something else.
A cut is looked for in every frame.

A cut is an abrupt change of the whole picture: it correlates badly with the one before however it
is shifted, and its brightness is distributed otherwise. Limits, measured on drawn faces and on a
photograph (117 pixels of face in 512 of picture):

==================================================  ===========  ==========
from one frame to the next                          correlation  brightness
==================================================  ===========  ==========
a micro-expression, 100 frames a second             over .996    up to 3.9
a blink; an open mouth                              .999; .987   .1; .5
head shifted by 2 to 17 % of the face               .95 to .99   .9 to 1.9
a flash of 1.8 times the light                      .946         57
picture turned by 5 degrees; larger by a tenth      .74; .77     1.8; 2.5
cut to another shot of the same person              .83          3.1
cut to another person, same wall, same seat         .45 to .85   over 4.2
cut to another scene                                under .33    over 17
==================================================  ===========  ==========
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import face, mtcnn
from tfds_builders.videos import CUT, NO_FACE, SEVERAL_FACES, Frame, Recording, Span

# Pixels of the shorter side in which faces are looked for. A detectable face has at least a fifth
# of it, and Haar's cascades were trained on 20 pixels.
LOOK_AT = 240
LOOKS_A_SECOND = 2  # a loss of half a second is seen, and looking costs less than decoding
UNKNOWN_RATE = 15  # frames between two looks where nothing gives a frame rate
CONFIRMED = 3  # looks in a row; Haar misses a turned or blurred face now and then
SOONER = 4  # times: looks that confirm another
RIVAL = 0.5  # of the largest face's width: a smaller one never becomes the crop
SIDE = 64  # pixels of the picture in which cuts are seen
SHIFT = 8  # of these, by which the picture may have moved
ALIKE = 0.88  # correlation from which on no cut is suspected
FOREIGN = 0.6  # correlation under which it is a cut whatever the brightness
BRIGHTNESS = 3.0  # of 255, mean distance of the sorted brightnesses
FLAT = 2.0  # standard deviation of a picture that shows nothing but noise


class State(NamedTuple):
    """What is remembered of the frames so far."""

    every: int  # frames between two looks for a face; 0: none is looked for
    small: np.ndarray  # uint8[SIDE, SIDE], the last frame; [0, 0] before the first
    last: int  # number of the last frame
    waited: int  # frames since the last look
    looked: int  # number of the frame looked at last
    what: str  # of the run of equal looks: NO_FACE, SEVERAL_FACES, or '' for one face
    begin: int  # first frame that the run may concern
    looks: int  # of the run
    frames: int  # so far
    face_seen: bool
    contrast: float  # largest standard deviation of a frame
    detector: str = ''  # path of the weights of MTCNN; '': Haar


def every(fps: float) -> int:
    """Return after how many frames a face is looked for again."""
    return max(1, round(fps / LOOKS_A_SECOND)) if fps else UNKNOWN_RATE


def init(every: int, detector: str = '') -> State:
    """Return the state before the first frame.

    Args:
        every: frames between two looks for a face; until one is seen, the first so many are all
            looked at. 0: none is looked for, as where frames are crops of a face.
        detector: path of the weights of MTCNN; '': Haar.
    """
    nothing = np.zeros((0, 0), np.uint8)
    state = State(every, nothing, -1, every, -1, '', -1, 0, 0, face_seen=False, contrast=0.0)
    return state._replace(detector=detector)


def step(state: State, frame: Frame) -> tuple[State, list[Span]]:
    """Take the next frame; return the spans that it ends."""
    spans, small = [], shrunk(frame.gray)
    if state.frames and is_cut(state.small, small):
        spans.append(Span(state.last, frame.number, CUT))
        # another scene: its faces are its own, and are looked for at once
        state = state._replace(waited=state.every, looked=state.last)
    if state.every and state.waited >= _wait(state):
        state, ended = _look(state, frame)
        spans += ended
    state = state._replace(
        small=small,
        last=frame.number,
        waited=state.waited + 1,
        frames=state.frames + 1,
        contrast=max(state.contrast, float(small.std())),
    )
    return state, spans


def finish(state: State) -> list[Span]:
    """Return the span that the end of the recording ends."""
    return _run(state, state.last)


def require_face(state: State, name: str) -> None:
    """Refuse a recording in which no face was seen.

    Args:
        state: after the last frame.
        name: of the recording, for the message.

    Raises:
        UserError: no face was seen in any frame that was looked at.
    """
    if state.face_seen or not state.every:
        return
    if state.contrast < FLAT:
        raise UserError(f'{name}: no face: the picture is black, or of one brightness, throughout')
    raise UserError(
        f'{name}: no face is seen in it; it should look into the camera, upright, and fill at '
        'least a fifth of the height'
    )


def watch(recording: Recording, *, cropped: bool = False, detector: str = '') -> Iterator[Frame]:
    """Yield the frames of a recording, and check them on the way.

    Spans are added to `recording.spans` as they end, warnings after the last frame.

    Args:
        recording: open.
        cropped: its frames show a face alone, in which no face can be found; cuts are.
        detector: path of the weights of MTCNN; '': Haar.

    Raises:
        UserError: after the last frame, where no face was seen.
    """
    state = init(0 if cropped else every(recording.fps), detector)
    for frame in recording:
        state, spans = step(state, frame)
        recording.spans.extend(spans)
        yield frame
    recording.spans.extend(finish(state))
    require_face(state, recording.name)
    recording.warnings.extend(warnings(recording.spans))


def warnings(spans: Sequence[Span]) -> list[str]:
    """Return a line for each kind of span: how often, and where first."""
    texts = {
        NO_FACE: 'no face, or none that is upright, in frames {first} to {last}',
        SEVERAL_FACES: 'several faces in frames {first} to {last}; the largest is used',
        CUT: 'the picture changes abruptly between frames {first} and {last}',
    }
    lines = []
    for what, text in texts.items():
        those = [span for span in spans if span.what == what]
        if those:
            more = f', and {len(those) - 1} times more' if len(those) > 1 else ''
            lines.append(text.format(first=those[0].first, last=those[0].last) + more)
    return lines


def concerns(spans: Sequence[Span], onset: int, offset: int) -> list[str]:
    """Return what is wrong with the frames of a movement: kinds of span, each once."""
    return sorted({span.what for span in spans if span.touches(onset, offset)})


def shrunk(gray: np.ndarray) -> np.ndarray:
    """Return a frame as uint8[SIDE, SIDE].

    Args:
        gray: uint8[H, W].
    """
    stride = max(1, min(gray.shape) // (4 * SIDE))  # the mean of all pixels of 4K takes 10 ms
    return cv2.resize(gray[::stride, ::stride], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether the picture changes abruptly.

    Args:
        before, after: frames uint8[SIDE, SIDE].
    """
    flat = [picture.std() < FLAT for picture in (before, after)]
    if any(flat):
        return not all(flat)
    middle = before[SHIFT:-SHIFT, SHIFT:-SHIFT]
    likeness = float(cv2.matchTemplate(after, middle, cv2.TM_CCOEFF_NORMED).max())
    if likeness >= ALIKE:
        return False
    # mean distance of two samples' quantiles: the first Wasserstein distance
    moved = np.abs(np.sort(before, None).astype(float) - np.sort(after, None)).mean()
    return likeness < FOREIGN or bool(moved > BRIGHTNESS)


def count_faces(gray: np.ndarray, detector: str = '') -> int:
    """Count faces that could be the crop: 0, 1, or 2 for several.

    Args:
        gray: frame uint8[H, W].
        detector: path of the weights of MTCNN; '': Haar.
    """
    shrink = LOOK_AT / min(gray.shape)
    if shrink < 1:
        gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    if detector:
        boxes = [each.box for each in mtcnn.faces(gray, mtcnn.read_weights(detector))]
        widths = np.array([right - left for left, _, right, _ in boxes])
    else:
        widths = face.faces(gray)[:, 2]
    return min(int(np.sum(widths >= RIVAL * widths.max(initial=0))), 2)


def _wait(state):
    """Frames from the last look to the next."""
    if not state.face_seen and state.frames < state.every:
        return 1
    if state.what and state.looks < CONFIRMED:
        return max(1, state.every // SOONER)
    return state.every


def _look(state, frame):
    """Look for faces in a frame; also the spans that this ends."""
    what = (NO_FACE, '', SEVERAL_FACES)[count_faces(frame.gray, state.detector)]
    ended = []
    if what == state.what and state.looks:
        state = state._replace(looks=state.looks + 1)
    else:
        ended = _run(state, frame.number - 1)
        # what is between two looks may belong to either
        begin = state.looked + 1 if state.looks else frame.number
        state = state._replace(what=what, begin=begin, looks=1)
    seen = state.face_seen or what != NO_FACE
    return state._replace(looked=frame.number, waited=0, face_seen=seen), ended


def _run(state, last):
    """The span of a run of looks that ends with frame `last`."""
    if state.what and state.looks >= CONFIRMED:
        return [Span(state.begin, last, state.what)]
    return []
