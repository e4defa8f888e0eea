"""Drawn faces that teach a run: its network before the folds, or its SVMs beside their clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax.data import loading, sources
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, build
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings

# settings of section data that make the inputs: equal for drawn faces and the clips of a run
INPUTS = (
    'data_dir',
    'channels',
    'size',
    'mask',
    'frames',
    'subtract_onset',
    'clip_normalise',
    'input_scaler',
    'value_range',
    'lateral_units',
)
ALL_ROWS = sections.Protocol(name='all_rows')


def data_of(settings: Settings, name: str) -> sections.Data:
    """Return the settings by which drawn faces become inputs like those of a run.

    Args:
        settings: of the run.
        name: of the drawn faces.
    """
    return sections.Data(name=name, **{key: getattr(settings.data, key) for key in INPUTS})


def experiment(settings: Settings) -> Experiment:
    """Load drawn faces, all of which train.

    Args:
        settings: of their training; data.name names them.
    """
    data = build.clips(settings, '')
    seeds = settings.train.seeds
    folds, titles = protocols.make(data.samples, data.names, settings.protocol, seeds=seeds)
    return Experiment(settings, data, folds, titles)


def of_svms(settings: Settings, classes: Sequence[str]) -> Experiment:
    """Load the drawn faces that train the SVMs of a run beside its clips.

    Args:
        settings: of the run.
        classes: of the run; drawn faces of others are left out where SVMs separate classes.

    Raises:
        UserError: no drawn face shows one of the classes.
    """
    name = svm_faces(settings)
    loaded = experiment(
        Settings(
            settings.name,
            data=data_of(settings, name),
            protocol=ALL_ROWS,
            head=settings.head,
            detectors=settings.detectors,
        )
    )
    if settings.detectors.drawn or not TASKS[settings.data.task].by_class:
        return loaded
    samples, names = loaded.data.samples, loaded.data.names
    number = [classes.index(word) if word in classes else -1 for word in names.classes]
    label = np.array(number, np.int32)[samples.label]
    rows = np.flatnonzero(label >= 0)
    if not len(rows):
        raise UserError(
            f'head.drawn is {name!r}, whose faces are {", ".join(names.classes)}; no class of this '
            f'run ({", ".join(classes)}) is among them; allowed: other data.labels'
        )
    units = samples.extras['action_units'][rows]
    kept = samples._replace(image=samples.image[rows], label=label[rows])
    kept = kept.with_extras(action_units=units)
    landmarks = loaded.data.landmarks
    if landmarks is not None:
        landmarks = landmarks[rows]
    return loaded._replace(data=loaded.data._replace(samples=kept, landmarks=landmarks))


def svm_faces(settings: Settings) -> str:
    """Return the name of the drawn faces that train SVMs; '' without any.

    Args:
        settings: of the run.
    """
    return settings.head.drawn or settings.detectors.drawn


def about(drawn: Experiment) -> dict[str, Any]:
    """Return what results.json records of drawn faces.

    Args:
        drawn: loaded.
    """
    return {
        'name': drawn.settings.data.name,
        'clips': len(drawn.data.samples.label),
        'fingerprint': drawn.data.fingerprint,
        'generator': generator(drawn.settings.data),
    }


def generator(settings: sections.Data) -> str:
    """Return the digest of the code and tables that drew the faces.

    Args:
        settings: of section data, which name drawn faces.
    """
    options = build.build_options(settings)
    digests = []
    for source in sources.parse(settings.name):
        metadata = loading.prepared(source, options).info.metadata
        # data sets other than `many` have one of all that they were built from
        digests.append(metadata.get('generator', metadata['fingerprint']))
    return '+'.join(digests)
