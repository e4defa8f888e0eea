"""The page of the verb predict: predictions.html, a single file.

It needs neither network nor scripts, and nothing is sent anywhere.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax import provenance
from mer_jax.report import alt_texts, overlays, page, plots_prediction
from mer_jax.report import prediction_tables as tables
from mer_jax.report.formats import DASH, plural
from mer_jax.report.page import Picture
from mer_jax.report.table import html
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.prediction_file import (
    CANDIDATE,
    CLASS,
    NOT_CLEAR,
    NOTHING,
    SEARCH,
    SEARCH_AND_SPOTTER,
    SPOTTER,
    PredictionFile,
)

MOST_CLIPS = 60  # that are shown with pictures, the strongest of a recording; the table has all
SIDE = plots_prediction.SIDE
KEY_FRAMES = ('onset', 'apex', 'offset')
ORIGINS = {  # of key frames
    SEARCH: 'From the candidate search, which is experimental',
    SPOTTER: 'The apex is an estimate of a spotting run',
    SEARCH_AND_SPOTTER: 'From the candidate search, which is experimental; the apex is an estimate '
    'of a spotting run',
}
FLOW, AU_CAM = 'flow from onset to apex', 'AU-CAM'
LEGENDS = {
    FLOW: 'Flow: without the motion of the head. Arrows are '
    f'{plots_prediction.LENGTHEN} times as long as the movement.',
    AU_CAM: 'AU-CAM: where the strongest feature for action units comes from, mean over a few '
    'of the networks. Yellow means much, violet little (the bar below the picture goes from little '
    'to much), in each region of the network by itself; maps of two clips cannot be compared.',
}


class ClipPictures(NamedTuple):
    """The pictures of a clip; what is None is left out."""

    onset: np.ndarray | None  # face crop uint8[S, S]
    apex: np.ndarray | None
    offset: np.ndarray | None
    flow: np.ndarray | None  # [S, S, 2] from onset to apex in pixels, without the head's motion
    au_cam: np.ndarray | None = None  # [S, S] of 0..1


def write(
    folder: str | Path,
    content: PredictionFile,
    pictures: Mapping[tuple[int, int], ClipPictures],
) -> Path:
    """Write predictions.html, and its plots into plots/.

    Args:
        folder: of predictions.json.
        content: of predictions.json.
        pictures: {(number of the recording, number of its clip), both from 0: its pictures}; a clip
            may have none.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    (folder / files.PLOTS).mkdir(parents=True, exist_ok=True)
    recordings = []
    for number, recording in enumerate(content.recordings):
        of_clips = {clip: drawn for (first, clip), drawn in pictures.items() if first == number}
        recordings.append(_recording(folder, number, recording, content, of_clips))
    experimental = any(map(tables.is_experimental, content.recordings))
    text = page.render(
        'prediction.html',
        title=_title(content),
        statement=content.statement,
        experimental=content.statement.candidates if experimental else None,
        model=content.model,
        model_line=tables.model_line(content.model),
        unit_notes=tables.unit_notes(content.model) if content.model.action_units else (),
        input_line=tables.input_line(content),
        warnings=tables.warnings(content),
        decimals=tables.decimals_of(content),
        summary=html(tables.summary(content)),
        recordings=recordings,
        about_model=html(tables.model(content)),
        code=provenance.describe(content.versions),
        files=files,
    )
    path = folder / files.PREDICTION_PAGE
    writing.write_text(path, text)
    return path


def _title(content):
    """The title of the page."""
    if len(content.recordings) == 1:
        return f'Movement in {tables.short(content.recordings[0].source)}'
    return f'Movement in {plural(len(content.recordings), "recording")}'


def _recording(folder, number, recording, content, pictures):
    """A recording: what it is, its motion over time, its clips."""
    curve = None
    if recording.motion and recording.motion.ms:
        curve = page.plot(
            folder,
            f'motion_{number}',
            _curve_caption(recording),
            plots_prediction.motion,
            recording.motion,
            recording.clips,
        )
    ranked = sorted(
        range(len(recording.clips)), key=lambda index: -(recording.clips[index].strength or 0)
    )
    shown = sorted(ranked[:MOST_CLIPS])
    several = len(recording.clips) > 1
    clips = []
    for index in shown:
        title = f'#{index + 1}' if several else ''
        clips.append(_clip(title, recording.clips[index], content, pictures.get(index)))
    return {
        'title': tables.short(recording.source),
        'facts': _facts(recording),
        'without_clip': recording.outcome if not _moved(recording) else None,
        'curve': curve,
        'clips': clips,
        'legends': _legends(clips),
        'left_out': len(recording.clips) - len(shown),
    }


def _moved(recording):
    """Whether a clip of a recording shows movement."""
    return any(clip.outcome != NOTHING for clip in recording.clips)


def _facts(recording):
    """Kind, size, frame rate and length in one line."""
    facts = [recording.kind, f'{recording.width} x {recording.height} pixels']
    if recording.fps:
        facts.append(f'{recording.fps:.4g} frames a second')
    facts.append(plural(recording.frames, 'frame'))
    return ', '.join(facts)


def _curve_caption(recording):
    """What the plot of motion shows."""
    words = 'Motion of the regions of the face over time, without the motion of the head'
    floor = recording.motion.noise_floor
    if floor is None:
        return f'{words}.'
    return (
        f'{words}; movements below the noise floor (dashed) cannot be told from noise, and only '
        f'one that reaches {CANDIDATE:g} times the floor (dashes and dots) can be a candidate.'
    )


def _clip(title, clip, content, pictures):
    """A clip: its pictures, then its movement, then its class or its action units."""
    shown = clip.probabilities or clip.scores
    model, known = content.model, content.held_out
    class_line = None
    if known and clip.outcome == CLASS:
        class_line = tables.class_line(known, clip.class_of_training_data)
    return {
        'title': title,
        'time': _span(clip),
        'strength': clip.strength,
        'origin': ORIGINS.get(clip.key_frames_from),
        'outcome': clip.outcome,
        'nothing': clip.outcome == NOTHING,
        'not_clear': clip.outcome == NOT_CLEAR,
        'class': clip.class_of_training_data,
        'class_line': class_line,
        'pictures': _pictures(clip, pictures),
        'movements': html(tables.movements(clip)) if clip.movements else None,
        'no_region': tables.NO_REGION,
        'rule': tables.without_region(model) if tables.is_without_region(clip) else tables.LISTED,
        'units': html(tables.units(clip, model)) if clip.action_units else None,
        'named_units': tables.named_units(clip),
        'units_are': _capitalised(tables.calibration(content)),
        'no_units': tables.NO_UNITS,
        'bars': _bars(shown, model) if shown else None,
        'meaning': _meaning(clip, content),
        'threshold': model.threshold if clip.probabilities else None,
        'threshold_is': tables.THRESHOLD_IS,
        'narrow': tables.passes_narrowly(clip, model),
        'agreement': _agreement(clip),
        'warnings': clip.warnings,
    }


def _capitalised(words):
    return words[:1].upper() + words[1:]


def _meaning(clip, content):
    """What the bars of a clip are."""
    known = content.held_out
    if clip.probabilities is None:
        return 'Not calibrated: scores of the softmax, which are no probabilities'
    if known is None or known.losses is None:
        return 'Probabilities by a temperature that was fitted to held-out clips'
    if known.is_better:
        return 'Calibrated probabilities'
    return 'Probabilities that are not known to be calibrated'


def _span(clip):
    """From when to when a clip lasts, in words."""
    if clip.onset is None:
        return ''
    numbers = f'frames {clip.onset.frame}, {clip.apex.frame}, {clip.offset.frame}'
    if clip.onset.ms is None:
        return f'onset, apex and offset: {numbers}'
    times = [tables.time(getattr(clip, name).ms) for name in KEY_FRAMES]
    length = clip.offset.ms - clip.onset.ms
    return f'onset {times[0]}, apex {times[1]}, offset {times[2]} ({numbers}; {length:.0f} ms long)'


def _pictures(clip, pictures):
    """Key frames, flow and AU-CAM as pictures of the page."""
    if pictures is None:
        return []
    drawn = []
    for name in KEY_FRAMES:
        image, frame = getattr(pictures, name), getattr(clip, name)
        if image is not None and frame is not None:
            moment = '' if frame.ms is None else f' ({tables.time(frame.ms)})'
            drawn.append(_embedded(image, f'{name}: frame {frame.frame}{moment}'))
    if pictures.flow is not None and pictures.onset is not None:
        arrows = plots_prediction.flow(pictures.onset, pictures.flow)
        drawn.append(_embedded(arrows, FLOW, alt_texts.flow(pictures.flow)))
    if pictures.au_cam is not None and pictures.apex is not None:
        face = cv2.resize(pictures.apex, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        mapped = plots_prediction.with_bar(overlays.overlay(face, pictures.au_cam))
        drawn.append(_embedded(mapped, AU_CAM, alt_texts.au_cam(pictures.au_cam)))
    return drawn


def _legends(clips):
    """What the pictures of clips mean, each once."""
    captions = {picture.caption for clip in clips for picture in clip['pictures']}
    return [words for caption, words in LEGENDS.items() if caption in captions]


def _embedded(image, caption, alt=''):
    """A picture that stands in the page itself; uint8[H, W] or RGB uint8[H, W, 3].

    Colours are stored as JPEG: as PNG a page of many clips would have tens of megabytes.
    """
    kind = 'png' if image.ndim == 2 else 'jpeg'
    stored = image if image.ndim == 2 else image[..., ::-1]
    _, encoded = cv2.imencode(f'.{kind}', stored)
    code = base64.b64encode(encoded.tobytes()).decode()
    return Picture(f'data:image/{kind};base64,{code}', caption, alt)


def _bars(shown, model):
    """Classes with their figures, in the order of the model."""
    return [{'title': title, 'share': shown[title]} for title in model.classes]


def _agreement(clip):
    """How many members give which class, in words; None for one member."""
    agreement = clip.agreement_of_folds
    if agreement is None:
        return None
    votes = [f'{title} {count}' for title, count in agreement.votes.items() if count]
    return (
        f'{100 * agreement.share:.0f} % of {agreement.members} members ({", ".join(votes) or DASH})'
    )
