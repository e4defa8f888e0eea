"""Features of clips, and support vector machines (SVMs) on them.

To add a feature: its function in features.py or preprocess/descriptors.py, and its entry in
`FEATURES` here. One that is fitted to training rows stands in `FITTED`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from mer_jax.settings import sections


class Feature(NamedTuple):
    """All that the program knows about a feature of clips."""

    # 'module:function' -> float32[D]. Its arguments are an array [H, W] for each channel of needs,
    # or for gray clips uint8[T, H, W]; then the landmarks, where `points` is True.
    value: str
    needs: tuple[str, ...]  # channels among data.channels; () for all of them
    points: bool = False  # whether it needs landmarks, float32[68, 2], in pixels of the image
    # Whether flow must be in pixels: where it is stretched to bytes, its zero is unknown, and so is
    # every direction.
    measured: bool = False
    # 'module:name' of the regions of action units (indices into AU_REGIONS) that its numbers
    # describe, as many for each
    regions: str = ''


class FittedFeature(NamedTuple):
    """A feature that each fold fits to its training rows, from features of clips."""

    # 'module:function' of (blocks, units, samples, folds, settings of section detectors, drawn) ->
    # (float32[F, N, D] of each run, what was fitted in each run)
    value: str


class HeadEntry(NamedTuple):
    """What the program knows about a head, beside the tasks that it is made for."""

    title: str  # of one fitted head; '' where the network predicts
    explained: bool = True  # whether explain knows what it looks at
    drawn: bool = False  # whether drawn faces can train it beside clips
    combines: bool = False  # whether it combines the scores of head.members
    of_rows: bool = False  # whether it is made of rows of the data set, whatever the kernel


HEADS = {  # by head.name
    'none': HeadEntry(''),
    'svm': HeadEntry('SVM', drawn=True),
    'logistic': HeadEntry('logistic regression', explained=False),
    'ridge': HeadEntry('ridge regression', explained=False, of_rows=True),
    'stack': HeadEntry('stack', explained=False, combines=True, of_rows=True),
}
MEMBERS = ('svm', 'ridge', 'network')  # of a stack
NETWORK = 'network'  # a further name of a feature: the last hidden layer of the fold's network
FLOW = ('u', 'v')
STRAIN = ('strain',)
OF_FLOW = 'mer_jax.classical.features'
OF_VIDEO = 'mer_jax.preprocess.descriptors'
FEATURES = {
    'pixels': Feature(f'{OF_FLOW}:pixels', needs=()),
    'motion': Feature(f'{OF_FLOW}:motion', FLOW),
    'gradient': Feature(f'{OF_FLOW}:gradient', FLOW),
    'orientation': Feature(f'{OF_FLOW}:orientation', FLOW),
    'deformation': Feature(f'{OF_FLOW}:deformation', STRAIN),
    'hoof': Feature(f'{OF_FLOW}:hoof', FLOW, measured=True),
    'bi_woof': Feature(f'{OF_FLOW}:bi_woof', ('u', 'v', 'strain'), measured=True),
    'bi_woof_centred': Feature(f'{OF_FLOW}:bi_woof_centred', ('u', 'v', 'strain'), measured=True),
    'bands': Feature(f'{OF_FLOW}:bands', ('u', 'v', 'u2', 'v2'), measured=True),
    'au_strain': Feature(
        f'{OF_FLOW}:au_strain', STRAIN, points=True, regions=f'{OF_FLOW}:ALL_REGIONS'
    ),
    'disgust': Feature(
        f'{OF_FLOW}:disgust', STRAIN, points=True, regions=f'{OF_FLOW}:DISGUST_REGIONS'
    ),
    'lbp_top': Feature(f'{OF_VIDEO}:lbp_top', ('gray',)),
    'mdmo': Feature(f'{OF_VIDEO}:mdmo', ('gray',), points=True),
}
FITTED = {'detected_units': FittedFeature('mer_jax.classical.unit_svms:outputs_of_runs')}


def features_of_clips(head: sections.Head) -> list[str]:
    """Return the features of clips that a head learns, without those that are fitted.

    There are none where the network predicts.
    """
    if head.name == 'none':
        return []
    apart = {NETWORK, *FITTED}
    return [name for name in head.features.split('+') if name not in apart]


def fitted_features(head: sections.Head) -> list[str]:
    """Return the features that a head learns and that are fitted in each fold."""
    if head.name == 'none':
        return []
    return [name for name in head.features.split('+') if name in FITTED]


def refuse_unkept(settings: sections.Settings, path: str | Path) -> None:
    """Refuse a run whose SVMs are made of drawn faces, which are not kept.

    Args:
        settings: of the run.
        path: of the run, for the message.

    Raises:
        UserError: the run can predict no new clips.
    """
    drawn = {'head.drawn': settings.head.drawn, 'detectors.drawn': settings.detectors.drawn}
    for key, faces in drawn.items():
        if faces:
            raise UserError(
                f'{path}: {key} is {faces!r}: the drawn clips among the support vectors are not '
                f"kept; allowed: a run without them ({key} '')"
            )


def refuse_unexplained(settings: sections.Settings, path: str | Path) -> None:
    """Refuse a run of which the verb explain does not know what it looks at.

    Args:
        settings: of the run.
        path: of the run, for the message.

    Raises:
        UserError: other than networks and SVMs on features of clips predict.
    """
    head, reason = settings.head, 'explain does not know what it looks at'
    if fitted_features(head):
        _refuse(path, 'head.features', head.features, reason)
    if head.drawn:
        _refuse(path, 'head.drawn', head.drawn, reason)
    if not HEADS[head.name].explained:
        _refuse(path, 'head.name', head.name, reason)


def _refuse(path, key, value, reason):
    raise UserError(
        f'{path}: {key} is {value!r}: {reason}; allowed: a run by a network, or by SVMs on '
        'features of clips'
    )


def computed_features(head: sections.Head, detectors: sections.Detectors) -> list[str]:
    """Return all features of clips that are computed, each once.

    Args:
        head: what predicts.
        detectors: what fitted features are computed from.
    """
    names = features_of_clips(head)
    if fitted_features(head):
        names += detectors.features.split('+')
    return list(dict.fromkeys(names))


def has_network(head: sections.Head) -> bool:
    """Return whether a network is trained.

    An SVM on features of clips needs none.
    """
    return head.name == 'none' or combines_network(head) or NETWORK in head.features.split('+')


def combines_network(head: sections.Head) -> bool:
    """Return whether a network that drawn faces trained is a member of a stack."""
    entry = HEADS.get(head.name)  # a wrong name is reported as a mistake of its own
    return entry is not None and entry.combines and NETWORK in head.members.split('+')


def missing_input(
    names: Sequence[str],
    channels: Sequence[str],
    *,
    stretched: bool,
    key: str = 'head.features',
) -> list[str]:
    """Return a line for each feature that cannot be computed.

    Args:
        names: names of features of clips.
        channels: names of the channels of the images.
        stretched: whether flow is stretched to bytes.
        key: the setting that names them.
    """
    lines = []
    for name in names:
        feature = FEATURES[name]
        missing = [channel for channel in feature.needs if channel not in channels]
        if missing:
            lines.append(
                f'{key} {name} takes data.channels {",".join(feature.needs)}; '
                f'{missing[0]} is missing'
            )
        elif stretched and feature.measured:
            lines.append(
                f'{key} {name} takes flow in pixels, not stretched to bytes; allowed: '
                "data.clip_normalise False with data.input_scaler 'p995' or 'standard', of data "
                'that store it'
            )
    return lines
