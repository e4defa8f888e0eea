"""The verb pack: a finished run as one .safetensors file, which holds no row of its data.

Networks are stored as they are, linear SVMs as weights. The support vectors of other SVMs are rows
of the data set, so such an SVM is refused, whatever the data; `--distil` trains a small network in
its place (distil.py).
"""

import hashlib
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import flax.traverse_util
import jax
import numpy as np

from mer_jax import bounded
from mer_jax.classical import HEADS, fitted_features, has_network, svm
from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.experiment import TASKS
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.folds import protocols
from mer_jax.folds.rows import of_data_set
from mer_jax.prediction import calibrated, distil, licences, trained
from mer_jax.prediction.trained import HeadScores, SvmMember, Trained
from mer_jax.runfiles import pack_file, results
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import absolute, lock
from mer_jax.runfiles.pack_file import PackHeader, Tensors
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.regressions import Regression
from mer_jax.settings import tree
from mer_jax.training import held_out, parallel, plan
from mer_jax.types import FoldState, Inputs, Predictions

FILE = 'pack.safetensors'  # in the folder of the run, where no other is named
STATE = ('params', 'batch_stats', 'fitted')  # of FoldState; a prediction needs no more
ALIKE = 0.999  # correlation of weights with a training row above which they show it
SHORTEST = 16  # numbers; shorter ones correlate by chance
# settings of files that inputs of new recordings need -> what a run without them has
WEIGHTS = {'magnet': 'another magnifier', 'detector': "data.detector=''"}


class Head(NamedTuple):
    """What predicts in place of the SVMs of a run."""

    kind: str  # one of pack_file.HEADS
    tensors: Tensors
    features: list[int]  # length of each kind of features
    # held-out outputs and how far they agree with the SVMs; None where nothing was distilled
    predictions: Predictions | None = None
    agreement: dict | None = None


def pack(workdir: str | Path, calibrated_by: str, paths: Sequence[str], distilled: bool) -> dict:
    """Write a finished run as one file, and print what it holds.

    Args:
        workdir: the folder of the run.
        calibrated_by: for a run that tests nobody (protocol.name all_rows): the folder of a run of
            the same settings that leaves subjects out, whose held-out outputs calibrate the pack;
            '': none.
        paths: of the file, at most one; none: pack.safetensors in the folder of the run.
        distilled: whether networks take the place of SVMs with a kernel.

    Returns:
        The header of the pack as JSON.

    Raises:
        UserError: the run is not finished or cannot be packed.
    """
    if not workdir:
        raise UserError('pack needs --workdir=RUN, the folder of a finished run')
    if len(paths) > 1:
        raise UserError(f'pack {" ".join(paths)}: allowed: one FILE')
    folder = run_folder.existing(workdir)
    path = absolute(paths[0]) if paths else folder / FILE
    if path.suffix != pack_file.SUFFIX or not path.parent.is_dir():
        raise UserError(f'pack {path}: allowed: a FILE{pack_file.SUFFIX} in a folder that exists')
    data = RunConfig.read(folder).settings['data']
    for key, allowed in WEIGHTS.items():
        if data.get(key):
            raise UserError(
                f'{folder}: data.{key} is {data[key]!r}, weights that a pack does not hold, so it '
                f'could not predict; allowed: a run with {allowed}'
            )
    run_folder.refuse_module(folder)
    _refuse_units(trained.settings_of(folder), folder, calibrated_by)
    start = time.perf_counter()
    with lock(folder):
        model = trained.open_trained(folder)
        header, tensors = _packed(folder, model, calibrated_by, distilled)
    pack_file.write(path, header, tensors)
    print(describe(header, path, time.perf_counter() - start))
    return header.to_json()


def _packed(folder, model, calibrated_by, distilled):
    """Return the header and the tensors of a run."""
    _refuse_rows(folder, model.settings.head)
    kernel = model.svms is not None and model.settings.head.kernel != 'linear'
    if kernel and not distilled:
        raise UserError(
            f'{folder}: head.kernel is {model.settings.head.kernel!r}, whose SVMs are made of rows '
            'of the data set, and a pack holds none; allowed: --distil, which trains networks on '
            "their scores, or a run with head.kernel 'linear'"
        )
    if distilled and not kernel:
        raise UserError(f'{folder}: --distil is for SVMs with a kernel other than linear')
    run, settings = results.read(folder), model.settings
    experiment = trained.experiment_of(folder, settings)
    head = Head('none', {}, [])
    if kernel:
        head = _distilled(experiment, model, folder)
    elif model.svms is not None:
        head = _linear(experiment, model)
    elif model.regressions is not None:
        head = _regressions(experiment, model)
    by, facts = run, dict(model.facts)
    table, titles = None, list(dict.fromkeys(title for title, _ in model.members))
    if calibrated_by:
        if experiment.folds.test.mask.any() or distilled:
            raise UserError(
                f'--calibrated_by={calibrated_by}: is for a run with protocol.name all_rows, '
                'without --distil; leave it out'
            )
        by = calibrated.check_same(folder, absolute(calibrated_by))
        table, titles = PredictionTable.read(absolute(calibrated_by)), []
        facts['estimated_by'] = trained.facts_of(by)
    elif head.predictions is not None:
        table = PredictionTable.of(head.predictions, experiment.data.names)
    elif isinstance(run, results.RecognitionResults):
        table = PredictionTable.read(folder)
    calibration = None
    if table is not None and calibrated.calibrates(by):
        calibration = calibrated.block(by.name, table, titles)
    seen, people = _seen(experiment)
    header = PackHeader(
        title=model.title,
        settings=without_paths(tree.to_nested(settings)),
        classes=list(model.classes),
        action_units=list(experiment.data.names.action_units),
        input={
            'shape': list(model.image_shape),
            'dtype': model.dtype,
            'features': head.features,
        },
        members=[{'fold': title, 'seed': seed} for title, seed in model.members],
        head=head.kind,
        calibration=calibration,
        distilled=head.agreement,
        facts=facts,
        licence=licences.notes(experiment.data.names.datasets),
        people=people,
    )
    return header, {**_of_states(model.states), **head.tensors, **seen}


def _refuse_units(settings, folder, calibrated_by):
    """Refuse what a pack of a run of action units cannot hold."""
    if TASKS[settings.data.task].by_class:
        return
    if settings.head.name != 'none':
        raise UserError(
            f'{folder}: head.name is {settings.head.name!r}, whose detectors of action units are '
            'made of rows of the data set, and a pack holds none; allowed with data.task '
            f"{settings.data.task}: head.name 'none', a network"
        )
    if calibrated_by:
        raise UserError(
            f'--calibrated_by={calibrated_by}: data.task is {settings.data.task!r}, whose outputs '
            'are not calibrated; leave it out'
        )


def _refuse_rows(folder, head):
    """Refuse what is made of rows of the data set, and has no other form."""
    key, value, what = '', '', ''
    if HEADS[head.name].of_rows:
        key, value, what = 'head.name', head.name, 'members'
        if not HEADS[head.name].combines:
            what = f'{HEADS[head.name].title}s'
    if fitted_features(head):
        key, value, what = 'head.features', head.features, 'detectors'
    if key:
        raise UserError(
            f'{folder}: {key} is {value!r}, whose {what} are made of rows of the data set, and a '
            "pack holds none; allowed: networks, and SVMs (head.name 'svm') or regressions "
            "('logistic') on features of clips"
        )


def _of_states(states):
    """Return the tensors of the networks of all members."""
    if states is None:
        return {}
    tree_of_states = {name: getattr(states, name) for name in STATE}
    leaves = flax.traverse_util.flatten_dict(tree_of_states, sep='/')
    return {f'network/{name}': np.asarray(leaf) for name, leaf in leaves.items()}


def _linear(experiment, model):
    """Return linear SVMs as weights."""
    tensors, scale = {}, model.settings.head.scale
    for number, (member, name) in enumerate(zip(model.svms, model.members, strict=True)):
        for rank, stored in enumerate(member.svms):
            weights = svm.linear(member.clips, member.train, stored, scale=scale)
            check_no_row(weights.weight, member, name[0])
            for part, array in weights._asdict().items():
                tensors[f'svm/{number}/{rank}/{part}'] = array
    return Head('linear', tensors, _lengths(model.svms[0]))


def _regressions(experiment, model):
    """Return logistic regressions as weights."""
    data, classes = experiment.data, len(model.classes)
    blocks = trained.features_of(model.settings, data.samples.image, data.landmarks)
    hidden = None
    if model.states is not None:
        hidden_of = trained.hidden_layers(model.settings, model.states, classes)
        hidden = hidden_of(Inputs(data.samples.image, {}))
    tensors, member = {}, None
    for number, of_member in enumerate(model.regressions):
        clips = svm.clips_of_run(blocks, hidden, data.samples, number, classes=classes)
        train, _ = svm.rows_of_run(data.samples, experiment.folds, number)
        member = SvmMember(clips, train, ())
        for rank, regression in enumerate(of_member):
            check_no_row(regression.weight, member, model.members[number][0])
            for part, array in regression._asdict().items():
                tensors[f'regression/{number}/{rank}/{part}'] = array
    return Head('logistic', tensors, _lengths(member))


def _distilled(experiment, model, folder):
    """Train networks in place of SVMs with a kernel, and compare both on held-out rows."""
    folds, samples, names = experiment.folds, experiment.data.samples, experiment.data.names
    head, classes = model.settings.head, len(model.classes)
    networks = distil.train(model.svms, scale=head.scale)
    tensors = {f'distilled/{name}': array for name, array in networks._asdict().items()}
    scores = np.zeros((*folds.test.index.shape, classes), np.float32)
    for number, member in enumerate(model.svms):
        check_no_row(networks.hidden[number].T, member, model.members[number][0])
        test = protocols.rows_of(folds.test, number)
        tested = [block[:, test] for block in member.clips.blocks]
        scores[number, : len(test)] = distil.scores(distil.of_member(networks, number), tested)
    agreement, predictions = None, None
    if folds.test.mask.any():
        output = held_out.in_stored_order(scores[:, None], folds)
        predictions = held_out.predictions(output, samples, folds)
        rows = PredictionTable.read(folder).rows
        predicted = [names.classes[number] for number in output.argmax(-1)]
        same = [row.predicted == name for row, name in zip(rows, predicted, strict=True)]
        agreement = {
            'rows': len(same),
            'agreement': float(np.mean(same)),
            'uf1': score.score(predictions, names)['metrics']['uf1'],
            'uf1_of_svms': results.read(folder).metrics['uf1'],
        }
    return Head('distilled', tensors, _lengths(model.svms[0]), predictions, agreement)


def _lengths(member):
    return [block.shape[-1] for block in member.clips.blocks]


def check_no_row(weight: np.ndarray, member: SvmMember, title: str) -> None:
    """Refuse weights that show a training row, as those of two or three rows may.

    Args:
        weight: [W, D], of the features of all kinds.
        member: which was fitted; features and training rows.
        title: of the fold, for the message.

    Raises:
        UserError: weights and a row correlate by ALIKE.
    """
    first = 0
    for block in member.clips.blocks:
        length = block.shape[-1]
        part = _unit(weight[:, first : first + length])
        rows = _unit(np.concatenate(block[:, member.train]))
        first += length
        if length >= SHORTEST and len(part) and np.abs(part @ rows.T).max(initial=0) > ALIKE:
            raise UserError(
                f'pack: fold {title!r} trains on {len(member.train)} clips, so few that its '
                'weights show one of them; allowed: a run with more training clips'
            )


def _unit(rows):
    """Return rows minus their mean, of length 1."""
    centred = rows.astype(np.float64) - rows.mean(-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-300)


def _seen(experiment):
    """Return which people and pictures each member trains on, and the people by name.

    Pictures are known by digests.
    """
    samples, names, folds = experiment.data.samples, experiment.data.names, experiment.folds
    is_clip = of_data_set(samples)
    runs, count = len(folds.fold), int(is_clip.sum())
    person = samples.subject[:count]
    numbers, first = np.unique(person, return_index=True)
    people = [
        [names.datasets[samples.dataset[row]], names.subjects[samples.subject[row]]]
        for row in first
    ]
    trained_people = np.zeros((runs, len(numbers)), np.uint8)
    trained_pictures = np.zeros((runs, count), np.uint8)
    for run in range(runs):
        rows = protocols.rows_of(folds.train, run)
        rows = rows[of_data_set(samples, rows)]
        trained_pictures[run, rows] = 1
        trained_people[run, np.searchsorted(numbers, person[rows])] = 1
    tensors = {
        'seen/pictures': digests(samples.image[:count]),
        'seen/trained_pictures': trained_pictures,
        'seen/trained_people': trained_people,
    }
    return tensors, people


def digests(image: np.ndarray) -> np.ndarray:
    """Return a digest of each picture, uint8[N, 16].

    Args:
        image: [N, ...].
    """
    rows = [hashlib.sha256(np.ascontiguousarray(one)).digest()[:16] for one in image]
    return np.frombuffer(b''.join(rows), np.uint8).reshape(len(image), 16)


def without_paths(settings: tree.Nested) -> tree.Nested:
    """Return settings without the folders of the machine that trained.

    Args:
        settings: nested.
    """
    values = tree.flat(settings)
    for key, value in values.items():
        setting = rules.SETTINGS.get(key)
        if setting is not None and setting.local and isinstance(value, str):
            values[key] = '' if setting.free else PurePath(value).name
    return tree.nested(values)


def describe(header: PackHeader, path: Path, seconds: float) -> str:
    """Return lines on a pack that was written.

    Args:
        header: of the pack.
        path: of the file.
        seconds: that it took.
    """
    count = len(header.members)
    size = bounded.in_words(path.stat().st_size)
    lines = [f'pack: {path}, {size}, {count} members, {seconds:.1f} s']
    calibration = header.calibrated()
    if header.settings['data']['task'] == 'action_units':
        lines.append('pack: not calibrated; the probability of a unit is the sigmoid of an output')
    elif calibration is None:
        lines.append('pack: not calibrated; its probabilities are those of the training data')
    else:
        clear = f'a class is clear from {calibration.threshold:.2f} on'
        if math.isinf(calibration.threshold):
            clear = 'no class is ever clear, for none was right often enough'
        lines.append(
            f'pack: temperature {calibration.temperature:.3g}, {clear}, by held-out outputs of '
            f'{header.calibration["by"]}'
        )
    if header.distilled:
        values = header.distilled
        lines.append(
            f'pack: the distilled networks agree with their SVMs in {values["agreement"]:.1%} of '
            f'{values["rows"]} held-out rows; UF1 {values["uf1"]:.3f}, of the SVMs '
            f'{values["uf1_of_svms"]:.3f}'
        )
    lines += [f'pack: LEAKS, {leak}' for leak in header.facts['leaks']]
    lines += [f'licence: {note}' for note in header.licence]
    return '\n'.join(lines)


def load_pack(path: str | Path, fold: str = '') -> Trained:
    """Open a pack that `mer-jax pack` wrote.

    Args:
        path: of the file.
        fold: title of a fold, which is the left-out subject; only its members are opened. '': all.

    Returns:
        The model; `scores` predicts, `calibration` and `facts` are as in the file.

    Raises:
        UserError: the file is missing, damaged, foreign, newer, or has no such fold.

    Examples:
        >>> mj.load_pack('ststnet.safetensors')
        Traceback (most recent call last):
        mer_jax.errors.UserError: ststnet.safetensors: no such file
    """
    parallel.start(plan.cache_folder() / 'xla')
    header = pack_file.read_header(path)
    settings = trained.checked_settings(header.settings, path)
    _check_input(path, header, settings)
    members = tuple((member['fold'], member['seed']) for member in header.members)
    chosen = trained.members_of(members, fold, path)
    tensors = pack_file.read_tensors(path, chosen)
    classes = len(header.classes)
    states = None
    if has_network(settings.head):
        states = _states(path, settings, tensors, classes, len(chosen))
    if header.head == 'none':
        if states is None:
            raise UserError(f'{path}: holds no network and no SVM; {pack_file.REMEDY}')
        scores = trained.network_scores(trained.learner(settings, classes), states)
    else:
        of_head = _head_scores(path, header, tensors, chosen)
        of_members = None
        if states is not None:
            of_members = trained.hidden_layers(settings, states, classes)
        scores = trained.head_scores(settings, of_members, len(chosen), of_head)
    title = members[chosen[0]][0] if fold else ''
    return Trained(
        title=header.title,
        settings=settings,
        classes=tuple(header.classes),
        image_shape=tuple(header.input['shape']),
        dtype=header.input['dtype'],
        members=tuple(members[number] for number in chosen),
        scores=scores,
        calibration=header.calibrated(title),
        facts=header.facts | {'licence': header.licence, 'distilled': header.distilled},
        states=states,
        learned=trained.learned_units(states),
    )


def _check_input(path, header, settings):
    """Refuse an image other than its settings make."""
    made = {'shape': list(trained.image_shape(settings)), 'dtype': trained.dtype(settings)}
    for name, value in made.items():
        if header.input[name] != value:
            raise UserError(
                f'{path}: input.{name} is {header.input[name]!r}; allowed: {value!r}, as its '
                f'settings make the image; {pack_file.REMEDY}'
            )


def _states(path, settings, tensors, classes, count):
    """Return the networks of a pack, whose shapes must be those of its settings."""
    shapes = trained.state_shapes(settings, classes)
    tree_of_shapes = {name: getattr(shapes, name) for name in STATE}
    leaves = flax.traverse_util.flatten_dict(tree_of_shapes, sep='/', keep_empty_nodes=True)
    values = {}
    for name, leaf in leaves.items():
        values[name] = leaf
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            continue  # an empty node, as batch_stats of a network without batch norm
        tensor = tensors.get(f'network/{name}')
        if tensor is None or tensor.shape != (count, *leaf.shape) or tensor.dtype != leaf.dtype:
            held = 'nothing' if tensor is None else f'{tensor.dtype}{list(tensor.shape[1:])}'
            raise UserError(
                f'{path}: network/{name} is {held}; allowed: {leaf.dtype}{list(leaf.shape)}, as '
                f'its settings make the network; {pack_file.REMEDY}'
            )
        values[name] = tensor
    nested = flax.traverse_util.unflatten_dict(values, sep='/')
    return FoldState(
        step=np.zeros(count, np.int32),
        params=nested['params'],
        batch_stats=nested['batch_stats'],
        opt_state=(),
        fitted=nested['fitted'],
    )


def _head_scores(path, header, tensors, chosen) -> HeadScores:
    """Return what predicts from features."""
    classes = len(header.classes)
    length = sum(header.input['features'])
    if header.head == 'distilled':
        names = distil.Network._fields
        networks = distil.Network(*(tensors.get(f'distilled/{name}') for name in names))
        distil.check(networks, length, classes, path)
        return lambda number, blocks: distil.scores(distil.of_member(networks, number), blocks)
    if header.head == 'logistic':
        of_fold = partial(_regressions_of, path, tensors, length=length, classes=classes)
        return trained.regression_scores([of_fold(number) for number in chosen], classes)
    of_members = [_svms(path, tensors, number, length, classes) for number in chosen]

    def scores(number: int, blocks: Sequence[np.ndarray]) -> np.ndarray:
        each = [svm.linear_scores(one, blocks, classes=classes) for one in of_members[number]]
        return np.mean(each, axis=0)

    return scores


def _regressions_of(path, tensors, number, *, length, classes):
    """Return the logistic regressions of a member, at least one."""
    regressions = []
    while f'regression/{number}/{len(regressions)}/weight' in tensors:
        name = f'regression/{number}/{len(regressions)}'
        parts = [tensors.get(f'{name}/{part}') for part in Regression._fields]
        one = Regression(*parts)
        if any(part is None for part in parts) or not one.fits(length, classes):
            raise UserError(
                f'{path}: {name} is no regression of {length} features and up to {classes} '
                f'classes; {pack_file.REMEDY}'
            )
        regressions.append(one)
    if not regressions:
        raise UserError(f'{path}: lacks regression/{number}/0/weight; {pack_file.REMEDY}')
    return regressions


def _svms(path, tensors, number, length, classes):
    """Return the linear SVMs of a member, at least one."""
    svms = []
    while f'svm/{number}/{len(svms)}/weight' in tensors:
        name = f'svm/{number}/{len(svms)}'
        one = svm.LinearSvm(*(tensors.get(f'{name}/{part}') for part in svm.LinearSvm._fields))
        if not _fits(one, length, classes):
            raise UserError(
                f'{path}: {name} is no linear SVM of {length} features and up to {classes} '
                f'classes; {pack_file.REMEDY}'
            )
        svms.append(one)
    if not svms:
        raise UserError(f'{path}: lacks svm/{number}/0/weight; {pack_file.REMEDY}')
    return svms


def _fits(one, length, classes):
    """Return whether the arrays of a linear SVM have the shapes that they must have."""
    if one.intercept is None or one.present is None or one.present.ndim != 1:
        return False
    count = len(one.present)
    pairs = count * (count - 1) // 2
    rising = set(one.present.tolist()) <= set(range(classes)) and count > 0
    return rising and one.weight.shape == (pairs, length) and one.intercept.shape == (pairs,)
