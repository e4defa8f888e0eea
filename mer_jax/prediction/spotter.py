"""The apex of a clip by the networks of a spotting run: the flag --spotter.

They were trained on flow from the onset to each frame of a clip, so they need an interval: given by
the user, or by the candidate search.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.data import images
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS
from mer_jax.prediction import records, trained
from mer_jax.prediction.clips import ClipFrames
from mer_jax.prediction.records import Recipe
from mer_jax.prediction.trained import Trained
from mer_jax.spotting import decoders, frames
from mer_jax.types import Inputs


class Spotter(NamedTuple):
    """A spotting run, and how frames become its inputs."""

    trained: Trained
    recipe: Recipe


def opened(path: str, fold: str = '') -> Spotter:
    """Open a spotting run.

    Args:
        path: of its folder.
        fold: title of a fold: the spotter must leave out whom the model leaves out; '': all.

    Raises:
        UserError: it is no finished spotting run, or has no such fold.
    """
    model = trained.open_trained(path, fold)
    task = model.settings.data.task
    if not TASKS[task].by_frame:
        raise UserError(f'--spotter={path}: its data.task is {task}; allowed: a spotting run')
    about = model.facts.get('data', {})
    return Spotter(model, records.recipe(model.settings, about=about))


def with_apex(
    spotter: Spotter, clip: ClipFrames, *, name: str, cropped: bool = False
) -> ClipFrames:
    """Return a clip whose apex is that of the spotting run.

    The outputs of all members are averaged. The decoder is `sw_max` or, where the run says so,
    `max`; the third one, `template`, needs the training clips, and `sw_max` stands for it.

    Args:
        spotter: of `opened`.
        clip: with every frame from onset to offset.
        name: of the recording, for messages.
        cropped: whether the frames show the face alone.

    Raises:
        NoFaceError: there is no face in the onset frame.
    """
    settings, keys = spotter.trained.settings, clip.key_frames
    # Any apex: flow goes from the onset to every frame.
    whole = keys._replace(apex=keys.offset)
    record = records.make(
        clip.frames,
        whole,
        spotter.recipe,
        name=name,
        cropped=cropped,
        detector=settings.data.detector,
    )
    numbers, flows = frames.inside(record)
    resized = [images.resize(flow, settings.data.size) for flow in flows]
    image = np.stack(resized).astype(np.float16).astype(np.float32)  # as the data set rounds
    values = spotter.trained.scores(Inputs(image, {})).mean(0)[:, 0]
    width = 1 if settings.spotting.decoder == 'max' else settings.spotting.window
    behind_onset = max(decoders.window_peak(values, width=width), 1)
    return clip._replace(key_frames=keys._replace(apex=int(numbers[behind_onset])))
