"""A finished run, opened to predict new recordings.

The networks of a run open from its folder alone: checkpoints hold what was fitted to training rows.
So do logistic regressions on features of clips. SVMs are stored as the row numbers of their support
vectors, so a run with SVMs, of classes or of action units, needs its data set.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.classical import (
    FEATURES,
    NETWORK,
    combines_network,
    computed_features,
    features,
    features_of_clips,
    fitted_features,
    has_network,
    logistic,
    refuse_unkept,
    ridge,
    stack,
    svm,
    unit_svms,
)
from mer_jax.data import channels, sources
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.evaluation.calibration import Calibrated
from mer_jax.experiment import PRETRAINING, LearnerEntry, build, pretraining
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.experiment.build import Experiment
from mer_jax.explain import svms as explained_svms
from mer_jax.prediction import calibrated
from mer_jax.presets import base
from mer_jax.runfiles import arrays, files, pack_file, results
from mer_jax.runfiles.config import RunConfig, check_format
from mer_jax.runfiles.detectors import DetectorArrays
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.prediction_file import HeldOut
from mer_jax.runfiles.regressions import Regression, RegressionArrays
from mer_jax.runfiles.stacks import StackArrays
from mer_jax.runfiles.svms import SvmArrays, SvmTable
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.spotting.frames import CLASSES as OF_SPOTTING
from mer_jax.training import checkpoint, parallel, plan
from mer_jax.training.compilation import QUICKLY
from mer_jax.types import Array, FoldState, Inputs, Learner, Resampled, Rows, Samples, TrainRows

Members = tuple[tuple[str, int], ...]
Scores = Callable[[Inputs], np.ndarray]
# how a head predicts: (number of the member, its features [M, N, D] each) -> float32[N, K]
HeadScores = Callable[[int, Sequence[np.ndarray]], np.ndarray]
LANDMARKS = 'landmarks'  # in Inputs.extras, float32[N, 68, 2], where SVMs take them
BATCH = 64  # most rows that are predicted at a time
LOWERING = 'matmul'  # a convolution inside the loop over members is slow in the other one
BYTES = ('image', 'frames')  # features that data sets store as bytes
PUBLISHED = 'precomputed_flow'  # the data set of published features, which are bytes


class SvmMember(NamedTuple):
    """What the SVMs of one fold and seed are fitted to."""

    clips: svm.Clips  # features and labels of the data set
    train: np.ndarray  # int[n], training rows
    svms: tuple[svm.Stored, ...]  # their scores are averaged

    @property
    def choices(self) -> list[svm.Choice]:
        """Return what each SVM was fitted with."""
        return [stored.choice for stored in self.svms]


class FittedHead(NamedTuple):
    """What predicts from features in a finished run."""

    scores: HeadScores
    svms: tuple[SvmMember, ...] | None = None
    regressions: tuple[tuple[Regression, ...], ...] | None = None
    learned: np.ndarray | None = None  # as in Trained


class Trained(NamedTuple):
    """A trained model: the networks, or what takes features, of every fold and seed."""

    title: str  # of the run
    settings: Settings  # of the experiment; its section data says what the inputs are
    classes: tuple[str, ...]  # or action units, such as 'AU12'
    image_shape: tuple[int, ...]  # of one input
    dtype: str  # of the inputs: 'uint8' or 'float32'
    members: Members  # (title of the fold, seed) of each network or set of SVMs
    scores: Scores  # Inputs of N rows -> float32[members, N, K], raw outputs
    calibration: Calibrated | None
    facts: dict[str, Any]  # for JSON: see `facts_of`
    # [members, ...] on the host, without the state of the optimizer; None without a network
    states: FoldState | None = None
    svms: tuple[SvmMember, ...] | None = None  # None where something else predicts
    # of each member, one at least; None where something else predicts
    regressions: tuple[tuple[Regression, ...], ...] | None = None
    held_out: HeldOut | None = None  # None: nothing was held out, or a pack
    # bool[members, A], which action units a member could learn from its training rows; None of a
    # model of classes
    learned: np.ndarray | None = None


def open_trained(path: str | Path, fold: str = '') -> Trained:
    """Open a finished run from its folder, or a pack.

    Args:
        path: of the folder, or of the .safetensors file.
        fold: title of a fold, which is the left-out subject; only its members are opened. '': all.

    Raises:
        UserError: there is no finished run, its network cannot be built, or it has no such fold.
    """
    if Path(path).suffix == pack_file.SUFFIX:
        return loaded('mer_jax.prediction.pack:load_pack')(path, fold)
    folder = absolute(path, 'model')
    if not (folder / files.CONFIG).exists():
        raise UserError(f'{path}: holds no run; name the folder of a finished run, or a pack')
    check_format(folder)
    run_folder.refuse_module(folder)
    if not (folder / files.RESULTS).exists():
        raise UserError(
            f'{folder} holds a run that is not finished; finish it first: the same command with '
            'the verb train'
        )
    run = results.read(folder)
    settings = settings_of(folder)
    if settings.choose.groups:
        raise UserError(
            f'{folder}: choose.groups is {settings.choose.groups}: the networks of the epochs that '
            'folds chose are not kept; allowed: a run without it'
        )
    refuse_unkept(settings, folder)
    parallel.start(plan.cache_folder() / 'xla')
    titles = [row.title for row in FoldTable.read(folder).rows]
    members = tuple((title, seed) for seed in range(settings.trainings) for title in titles)
    chosen = members_of(members, fold, folder)
    classes = OF_SPOTTING
    if isinstance(run, results.RecognitionResults):
        classes = tuple(run.classes)
    elif isinstance(run, results.UnitResults):
        classes = tuple(run.units)
    states, with_network = None, combines_network(settings.head)
    if has_network(settings.head) and not with_network:
        states = read_states(folder, settings, len(classes), chosen)
    head = None
    if settings.head.name == 'none':
        scores = network_scores(learner(settings, len(classes)), states)
    else:
        run_of_head = _RunOfHead(folder, settings, len(classes), chosen, states)
        if with_network:
            states = _pretrained_states(run_of_head, run.data['pretraining']['outputs'])
            run_of_head = replace(run_of_head, states=states)
        head = FITTED_HEADS[settings.data.task][settings.head.name](run_of_head)
        scores = head_scores(settings, _of_members(run_of_head), len(chosen), head.scores)
    table = calibrated.outputs(folder, run)
    return Trained(
        title=run.name,
        settings=settings,
        classes=classes,
        image_shape=image_shape(settings),
        dtype=dtype(settings),
        members=tuple(members[number] for number in chosen),
        scores=scores,
        calibration=calibrated.of_run(folder, run, table, members[chosen[0]][0] if fold else ''),
        facts=facts_of(run),
        states=states,
        svms=head and head.svms,
        regressions=head and head.regressions,
        held_out=calibrated.held_out(folder, run, table),
        learned=head.learned if head else learned_units(states),
    )


def learned_units(states: FoldState | None) -> np.ndarray | None:
    """Return which action units the networks of all members could learn.

    Args:
        states: arrays [members, ...]; None without a network.

    Returns:
        bool[members, A], whether a training row shows the unit; None of networks of classes.
    """
    seen = None if states is None else states.fitted.get('unit_seen')
    return None if seen is None else np.asarray(seen)


def settings_of(folder: Path) -> Settings:
    """Return the settings of a run, by its config.json.

    A setting that is newer than the run has its default.

    Args:
        folder: of the run.

    Raises:
        UserError: a setting is unknown, or breaks a rule.
    """
    return checked_settings(RunConfig.read(folder).settings, folder / files.CONFIG)


def checked_settings(nested: tree.Nested, path: str | Path) -> Settings:
    """Return recorded settings as those of this version.

    Args:
        nested: settings of a run or pack; a newer one than they hold has its default.
        path: of the file that holds them, for the message.

    Raises:
        UserError: a setting is unknown, or breaks a rule.
    """
    recorded = tree.flat(nested)
    values = tree.flat(base('').to_dict())
    unknown = sorted(recorded.keys() - values.keys())
    if unknown:
        raise UserError(
            f'{path}: {unknown[0]} is no setting of this version; use the version that wrote it'
        )
    for key, value in recorded.items():
        values[key] = tuple(value) if isinstance(values[key], tuple) else value
    settings = tree.from_nested(tree.nested(values))
    try:
        rules.check(settings)
    except UserError as error:
        raise UserError(f'{path}: {error}') from None
    return settings


def members_of(members: Members, fold: str, path: str | Path) -> list[int]:
    """Return the positions of the members of a fold.

    Args:
        members: of all folds and seeds.
        fold: its title, or the left-out subject where the title begins with a data set; '': all.
        path: of the run or pack, for the message.

    Raises:
        UserError: there is no such fold, or there are several.
    """
    titles = list(dict.fromkeys(title for title, _ in members))
    matching = titles
    if fold:
        matching = [title for title in titles if title == fold]
        matching = matching or [title for title in titles if title.rpartition('/')[2] == fold]
    if len(matching) != 1 and fold:
        listed = ', '.join(matching or titles)
        raise UserError(f'--fold={fold}: {path} has {len(matching)} such folds; known: {listed}')
    return [number for number, (title, _) in enumerate(members) if title in matching]


def image_shape(settings: Settings) -> tuple[int, ...]:
    """Return the shape of one input: [H, W, C], or [T, H, W, 1] of a video."""
    data = settings.data
    names = channels.parse(data.channels)
    if names == ('gray',):
        return data.frames, data.size, data.size, 1
    return data.size, data.size, len(names)


def dtype(settings: Settings) -> str:
    """Return the type of the inputs: 'uint8', or 'float32' where flow is in pixels."""
    feature = channels.feature_of(channels.parse(settings.data.channels))
    stored = [source.release for source in sources.parse(settings.data.name)]
    in_bytes = settings.data.clip_normalise or feature in BYTES or PUBLISHED in stored
    return 'uint8' if in_bytes else 'float32'


def learner(
    settings: Settings,
    classes: int,
    lowering: str = LOWERING,
    entry: LearnerEntry | None = None,
) -> Learner:
    """Return the learner of a run, to predict.

    Args:
        settings: of the experiment.
        classes: K.
        lowering: how convolutions are computed, 'matmul' or 'native'.
        entry: how the network learned; None: as the settings say.
    """
    return build.learner_of(settings, classes=classes, steps=1, lowering=lowering, entry=entry)


def state_shapes(settings: Settings, classes: int, entry: LearnerEntry | None = None) -> FoldState:
    """Return the shapes of one fold's state, without a data set.

    Args:
        settings: of the experiment.
        classes: K.
        entry: as of `learner`.
    """

    def array(kind: str, *shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, kind)

    row = array('int32', 2)
    rows = Rows(row, array('float32', 2))
    nothing = Resampled(array('int32', 0), array('int32', 0), array('float32', 0))
    train = TrainRows(*rows, rows, nothing)
    image = array(dtype(settings), 2, *image_shape(settings))
    # what weighs action units is fitted to these; other learners do not look at them
    extras = {'action_units': array('float32', 2, classes)}
    samples = Samples(image, row, row, row, row, extras)
    key = jax.random.key(0)
    return jax.eval_shape(learner(settings, classes, entry=entry).init, key, samples, train)


def read_states(folder: Path, settings: Settings, classes: int, chosen: Sequence[int]) -> FoldState:
    """Read the networks of a run from its checkpoints.

    Args:
        folder: of the run.
        settings: of the experiment.
        classes: K.
        chosen: positions of the members to read.

    Returns:
        Arrays [members, ...] on the host; opt_state is ().

    Raises:
        UserError: the training is not finished or has no epoch, or a checkpoint is damaged.
    """
    total = settings.trainings * len(FoldTable.read(folder).rows)
    epoch = run_folder.trained(folder, settings.trainings)
    if epoch != settings.train.epochs or not (folder / files.PLAN).exists():
        raise UserError(
            f'{folder} is trained to epoch {epoch} of {settings.train.epochs}; finish it first: '
            'the same command with the verb train'
        )
    if not epoch:
        raise UserError(
            f'{folder}: train.epochs is 0, and a run saves its networks after an epoch; allowed: a '
            'run of one epoch or more'
        )
    shapes = state_shapes(settings, classes)
    return checkpoint.read_runs(
        folder / files.CHECKPOINTS,
        shapes,
        epoch=epoch,
        runs=total,
        group=Plan.read(folder).group,
        chosen=chosen,
    )


def network_scores(learner: Learner, states: FoldState) -> Scores:
    """Return the function that predicts by the networks of all members.

    Args:
        learner: of one fold.
        states: arrays [members, ...].
    """
    on_device = jax.tree.map(jnp.asarray, states)

    @jax.jit
    def predict(states: FoldState, inputs: Inputs) -> Array:
        return jax.lax.map(lambda state: learner.predict(state, inputs)[0], states)

    def scores(inputs: Inputs) -> np.ndarray:
        outputs = []
        for batch, count in _batches(inputs.image):
            outputs.append(np.asarray(predict(on_device, Inputs(batch, {})))[:, :count])
        return np.concatenate(outputs, axis=1)

    return scores


def _batches(image):
    """(rows, how many of them count) of batches whose sizes are powers of two.

    A new size compiles a new program.
    """
    total = len(image)
    size = min(BATCH, 1 << max(total - 1, 0).bit_length())
    for first in range(0, total, size):
        index = np.arange(first, first + size)
        yield np.asarray(image[np.minimum(index, total - 1)]), min(size, total - first)


def hidden_layers(settings: Settings, states: FoldState, classes: int) -> Scores:
    """Return the function that computes the features of each member's network.

    Args:
        settings: of the experiment.
        states: arrays [members, ...].
        classes: K.
    """
    return network_scores(svm.penultimate(learner(settings, classes)), states)


def head_scores(
    settings: Settings, of_members: Scores | None, members: int, of_head: HeadScores
) -> Scores:
    """Return the function that predicts by what takes features.

    Args:
        settings: of the experiment.
        of_members: Inputs of N rows -> features float32[members, N, D] that each member has of
            them, of its network or its detectors; None without.
        members: how many there are.
        of_head: the SVMs of a member, or what predicts in their place.
    """

    def scores(inputs: Inputs) -> np.ndarray:
        apart = None if of_members is None else of_members(inputs)
        blocks = features_of(settings, inputs.image, inputs.extras.get(LANDMARKS))
        outputs = []
        for number in range(members):
            of_member = blocks if apart is None else [apart[number][None], *blocks]
            outputs.append(of_head(number, of_member))
        return np.stack(outputs).astype(np.float32)

    return scores


@dataclass(frozen=True)
class _RunOfHead:
    """A finished run in which something takes features."""

    folder: Path
    settings: Settings
    classes: int
    chosen: Sequence[int]  # positions of the members that are opened
    states: FoldState | None = None  # of their networks

    @cached_property
    def experiment(self) -> Experiment:
        """Load the data that it trained on."""
        return experiment_of(self.folder, self.settings)

    @cached_property
    def blocks(self) -> list[np.ndarray]:
        """Return the features [M, N, D] of the clips of its data set."""
        data = self.experiment.data
        return features_of(self.settings, data.samples.image, data.landmarks)

    @cached_property
    def detectors(self) -> DetectorArrays:
        """Read its detectors of action units."""
        return DetectorArrays.read(self.folder)


def _of_members(run) -> Scores | None:
    """Return the features that each member has of new clips; None without any."""
    if combines_network(run.settings.head):
        return _of_drawn_networks(run)
    if run.states is not None:
        return hidden_layers(run.settings, run.states, run.classes)
    if fitted_features(run.settings.head):
        return _detected_units(run)
    return None


def _detected_units(run) -> Scores:
    """Return the outputs of the detectors of each member."""
    samples, folds = run.experiment.data.samples, run.experiment.folds
    coded, path = build.coded(run.experiment), run.folder / DetectorArrays.FILE
    of_members = []
    for number in run.chosen:
        train, _ = svm.rows_of_run(samples, folds, number)
        of_members.append((train, arrays.of_run(path, run.detectors.svms, number)))

    def outputs(inputs: Inputs) -> np.ndarray:
        blocks = build.detector_blocks(run.settings, inputs.image, inputs.extras.get(LANDMARKS))
        detectors = run.settings.detectors
        return np.stack(
            [unit_svms.stored_outputs(coded, *one, blocks, detectors) for one in of_members]
        )

    return outputs


def _of_training(run) -> np.ndarray | None:
    """Return the features float32[members, N, D] that each member has of the data of the run."""
    if run.states is not None:
        hidden_of = hidden_layers(run.settings, run.states, run.classes)
        return hidden_of(Inputs(run.experiment.data.samples.image, {}))
    if fitted_features(run.settings.head):
        return run.detectors.outputs[list(run.chosen)]
    return None


def _of_stored(of_svms, scale) -> HeadScores:
    """Return the scores of the SVMs of a run, whose support vectors are rows of its data."""

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        member = of_svms[number]
        clips, new = _with_new(member.clips, blocks)
        return svm.stored_scores(clips, (member.train, new), member.svms, scale=scale)

    return scores


def _with_new(clips, blocks):
    """Return the clips of the data set with new ones behind them, and the rows of these."""
    pairs = zip(clips.blocks, blocks, strict=True)
    joined = clips._replace(blocks=[np.concatenate(pair, axis=1) for pair in pairs])
    count = clips.blocks[0].shape[1]
    return joined, np.arange(count, count + blocks[0].shape[1])


def features_of(
    settings: Settings, image: np.ndarray, landmarks: np.ndarray | None
) -> list[np.ndarray]:
    """Return the features [M, N, D] of clips that a head takes.

    Args:
        settings: of the experiment.
        image: [N, ...], of clips.
        landmarks: float32[N, 68, 2]; None where no feature takes them.
    """
    return features.extract(
        features_of_clips(settings.head),
        image,
        landmarks,
        channels=channels.parse(settings.data.channels),
        mirror=settings.head.mirror,
    )


def takes_landmarks(settings: Settings) -> bool:
    """Return whether features take landmarks beside the images."""
    names = computed_features(settings.head, settings.detectors)
    return any(FEATURES[name].points for name in names)


def _pretrained_states(run, outputs) -> FoldState:
    """Return the networks of a run that trains none: as drawn faces taught them.

    Those of one member follow each other. The scale of their inputs is fitted to its training rows.
    """
    settings, networks = run.settings, run.settings.pretrain.networks
    folds = pretraining.for_each_network(run.experiment.folds, networks)
    chosen = np.array(run.chosen)[:, None] * networks + np.arange(networks)
    chosen = chosen.ravel()
    of_faces = pretraining.settings_of(settings)
    shapes = partial(state_shapes, of_faces, entry=PRETRAINING)
    taught = pretraining.finished(of_faces, run.folder, outputs, shapes)
    init = learner(settings, run.classes).init
    key = jax.random.key(0)  # all that it draws is replaced

    @partial(jax.jit, compiler_options=QUICKLY)
    def drawn(samples: Samples, train: TrainRows) -> FoldState:
        return jax.lax.map(lambda rows: init(key, samples, rows), train)

    train = jax.tree.map(lambda leaf: leaf[chosen], folds.train)
    fresh = jax.tree.map(np.asarray, drawn(run.experiment.data.samples, train))
    begin = pretraining.begin(run.experiment._replace(pretrained=taught, folds=folds))
    return begin(chosen, fresh)._replace(opt_state=())


def _of_drawn_networks(run) -> Scores:
    """Return the log probabilities of each member, in the mean of its networks."""
    of_classes = build.of_classes(run.experiment, learner(run.settings, run.classes))
    of_networks = network_scores(of_classes, run.states)

    def scores(inputs: Inputs) -> np.ndarray:
        outputs = of_networks(inputs)
        return outputs.reshape(len(run.chosen), -1, *outputs.shape[1:]).mean(1)

    return scores


def _stacks(run) -> FittedHead:
    """Open the combinations of SVMs, regressions and networks that drawn faces trained."""
    fitted, path = StackArrays.read(run.folder).fitted, run.folder / StackArrays.FILE
    stacks = [arrays.of_run(path, fitted, number)[0] for number in run.chosen]
    names = run.settings.head.members.split('+')
    for number, one in zip(run.chosen, stacks, strict=True):
        if len(one.weight) != len(names) or len(one.offset) != run.classes:
            allowed = f'[{len(names)}], a weight for each of head.members'
            arrays.refuse(path, (number, 1), 'weight', one.weight, allowed)
    of_clips = {name: STACKED[name](run, None, name) for name in names if name != NETWORK}

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        of_network = ()
        if NETWORK in names:
            (of_network,), *blocks = blocks
        members = []
        for name in names:
            is_network = name == NETWORK
            members.append(of_network if is_network else of_clips[name](number, blocks))
        return stack.combined(stacks[number], np.stack(members))

    return FittedHead(scores)


def _unit_svms(run) -> FittedHead:
    """Open the SVMs of a run that detect its action units, which are made of rows of its data."""
    fitted, path = run.detectors.svms, run.folder / DetectorArrays.FILE
    samples, folds = run.experiment.data.samples, run.experiment.folds
    units, apart = samples.extras['action_units'], _of_training(run)
    of_members = []
    for number, member in enumerate(run.chosen):
        of_run = None if apart is None else {member: apart[number]}
        clips = svm.clips_of_run(run.blocks, of_run, samples, member, classes=run.classes)
        train, _ = svm.rows_of_run(samples, folds, member)
        coded = unit_svms.Coded(clips.blocks, units, clips.subject)
        of_members.append((coded, train, arrays.of_run(path, fitted, member)))

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        return unit_svms.stored_outputs(*of_members[number], blocks, run.settings.head)

    learned = []
    for *_, svms in of_members:
        learned.append(np.any([of_rank.count > 0 for of_rank in svms], axis=0))
    return FittedHead(scores, learned=np.array(learned))


def _svms(run) -> FittedHead:
    """Open the SVMs of a run, which are made of rows of its data."""
    of_svms = _svm_members(run, _of_training(run))
    return FittedHead(_of_stored(of_svms, run.settings.head.scale), svms=of_svms)


def _svm_members(run, apart, name=''):
    """Return the SVMs of each member; apart and name are those of `_fitted_to`."""
    vectors, of_svms = SvmArrays.read(run.folder).svms, []
    rows = SvmTable.read(run.folder).rows
    first = next(row.place for row in rows if name in ('', row.member))
    fitted_to = _fitted_to(run, apart, run.settings.head, name)
    for member, (clips, train, choices) in zip(run.chosen, fitted_to, strict=True):
        stored = [
            svm.Stored(choice, vectors[member, place])
            for place, choice in enumerate(choices, first)
        ]
        of_svms.append(SvmMember(clips, train, tuple(stored)))
    return tuple(of_svms)


def _ridges(run) -> FittedHead:
    """Open the kernel ridge regressions of a run, which are fitted to rows of its data again."""
    return FittedHead(_ridge_scores(run, _of_training(run)))


def _ridge_scores(run, apart, name='') -> HeadScores:
    """Return the scores of regressions; apart and name are those of `_fitted_to`."""
    head = run.settings.head
    fitted = []
    for clips, train, choices in _fitted_to(run, apart, ridge.of_regressions(head), name):
        fitted.append((clips, ridge.fit(clips, train, choices, scale=head.scale)))

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        clips, regressions = fitted[number]
        return ridge.fitted_scores(*_with_new(clips, blocks), regressions, scale=head.scale)

    return scores


def _fitted_to(run, apart, head, name):
    """Yield clips, training rows and choices of each member.

    apart: features that each member has of these clips, as `_of_training` returns them, or None;
    head: whose cost and gamma were chosen from; name: in head.members of a stack, or ''.
    """
    experiment, blocks = run.experiment, run.blocks
    samples, folds = experiment.data.samples, experiment.folds
    table = SvmTable.read(run.folder)
    for number, member in enumerate(run.chosen):
        of_run = None if apart is None else {member: apart[number]}
        clips = svm.clips_of_run(blocks, of_run, samples, member, classes=run.classes)
        train, _ = svm.rows_of_run(samples, folds, member)
        title, seed = experiment.titles[folds.fold[member]], int(folds.seed[member])
        yield clips, train, explained_svms.chosen(table, title, seed, head, name)


def _regressions(run) -> FittedHead:
    """Open the logistic regressions of a run."""
    fitted, path = RegressionArrays.read(run.folder).fitted, run.folder / RegressionArrays.FILE
    of_members = tuple(tuple(arrays.of_run(path, fitted, number)) for number in run.chosen)
    return FittedHead(regression_scores(of_members, run.classes), regressions=of_members)


def regression_scores(of_members: Sequence[Sequence[Regression]], classes: int) -> HeadScores:
    """Return the function that predicts by the regressions of a member.

    Args:
        of_members: of each member, one at least.
        classes: K.
    """

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        return logistic.stored_scores(of_members[number], blocks, classes=classes)

    return scores


def _svm_scores(run, apart, name='') -> HeadScores:
    """Return the scores of SVMs; apart and name are those of `_fitted_to`."""
    return _of_stored(_svm_members(run, apart, name), run.settings.head.scale)


STACKED = {'svm': _svm_scores, 'ridge': _ridge_scores}  # by name in head.members
FITTED_HEADS = {  # by data.task and head.name: _RunOfHead -> FittedHead
    'recognition': {
        'svm': _svms,
        'logistic': _regressions,
        'ridge': _ridges,
        'stack': _stacks,
    },
    'action_units': {'svm': _unit_svms},
}


def experiment_of(folder: Path, settings: Settings) -> Experiment:
    """Load the experiment of a run, on the data that it trained on.

    Args:
        folder: of the run.
        settings: of the experiment.

    Raises:
        UserError: the data set has changed since.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        experiment = build.experiment(settings, folder)
        same = experiment.data.fingerprint == RunConfig.read(folder).data
        experiment = build.with_generated(experiment, folder)
    if not same:
        raise UserError(
            f'{folder}: the rows that it trained on are needed, and data.name '
            f'{settings.data.name!r} has changed since; train again'
        )
    return experiment


def facts_of(run: results.Results) -> dict[str, Any]:
    """Return what predictions state about their model.

    Args:
        run: its results.

    Returns:
        Data set, fingerprint, protocol, leaks, metrics with intervals (not of spotting), scores of
        each action unit and versions, as in results.json; names of the data sets, and the number of
        subjects.
    """
    names = ('name', 'protocol', 'leaks', 'folds', 'seeds', 'epochs', 'clips', 'metrics')
    content = run.to_json()
    kept = (*names, 'intervals', 'intervals_are', 'per_unit', 'data', 'versions')
    facts = {name: content[name] for name in kept if name in content}
    blocks = content.get('per_dataset', {})
    subjects = sum(block['subjects'] for block in blocks.values() if 'subjects' in block)
    return facts | {'datasets': sorted(blocks), 'subjects': subjects}
