"""The verb evaluate: a finished run scored again, or a pack scored on a data set.

A clip is scored by the members of a pack that trained on no clip of its subject, and not on its
picture under another name. So the data set that a pack of loso was trained on gets the scores of
the run, and a clip that all members trained on gets none. Nor do the labels of a clip calibrate its
scores: the temperature that was fitted to all people of a pack is for others.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax import entries, machine, provenance
from mer_jax.data import APEX_RULES, loading
from mer_jax.errors import UserError
from mer_jax.evaluation import calibration, score
from mer_jax.experiment import TASKS, run
from mer_jax.experiment import settings as rules
from mer_jax.folds import people
from mer_jax.folds.rows import of_data_set
from mer_jax.prediction import pack
from mer_jax.prediction.trained import LANDMARKS, Trained
from mer_jax.report import recognition_page
from mer_jax.runfiles import files, pack_file
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.pack_file import PackHeader, Tensors
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.settings import tree
from mer_jax.types import Inputs, Predictions

# settings of the config that count; all others are those of the pack
OF_CONFIG = (
    'name',
    'data_dir',
    'manual_dir',
    'rebuild',
    'strict',
    'landmarks',
    'detector',
    'magnet',
)


class Seen(NamedTuple):
    """What each member of a pack trained on."""

    people: Sequence[tuple[str, str]]  # (data set, subject)
    trained_people: np.ndarray  # bool[members, people]
    pictures: np.ndarray  # uint8[pictures, 16], digests
    trained_pictures: np.ndarray  # bool[members, pictures]

    @classmethod
    def of(cls, header: PackHeader, tensors: Tensors, path: str | Path) -> 'Seen':
        """Read it from a pack.

        Raises:
            UserError: the tensors do not fit the header.
        """
        members, persons = len(header.members), len(header.people)
        pictures = tensors.get('seen/pictures', np.zeros((0, 0), np.uint8))
        shapes = {
            'seen/pictures': (len(pictures), 16),
            'seen/trained_people': (members, persons),
            'seen/trained_pictures': (members, len(pictures)),
        }
        for name, shape in shapes.items():
            if name not in tensors or tensors[name].shape != shape:
                raise UserError(f'{path}: {name} is not of shape {shape}; {pack_file.REMEDY}')
        return cls(
            [tuple(pair) for pair in header.people],
            tensors['seen/trained_people'] > 0,
            pictures,
            tensors['seen/trained_pictures'] > 0,
        )

    def by(self, person: Sequence[tuple[str, str]], pictures: np.ndarray) -> np.ndarray:
        """Return which members trained on the person or the picture of a clip.

        Args:
            person: (data set, subject) of each of N clips.
            pictures: uint8[N, 16], digests of their pictures.

        Returns:
            bool[members, N].
        """
        of_people = {pair: column for column, pair in enumerate(self.people)}
        of_pictures = {digest.tobytes(): column for column, digest in enumerate(self.pictures)}
        seen = np.zeros((len(self.trained_people), len(person)), bool)
        for row, (pair, digest) in enumerate(zip(person, pictures, strict=True)):
            if pair in of_people:
                seen[:, row] |= self.trained_people[:, of_people[pair]]
            column = of_pictures.get(digest.tobytes())
            if column is not None:
                seen[:, row] |= self.trained_pictures[:, column]
        return seen


def evaluate(config: rules.Config, workdir: str | Path, model: str) -> dict:
    """Score and report a finished run again, or score a pack on the data set of a config.

    Args:
        config: settings of the run, nested; for a pack those that name the data set.
        workdir: the folder of the run; for a pack the folder of predictions.csv.
        model: path of the pack; '': a run.

    Returns:
        The content of results.json; of a pack it is printed alone.

    Raises:
        UserError: names what is wrong; or every member of the pack trained on every clip.
    """
    if not model:
        return run.evaluate(config, workdir)
    folder = absolute(workdir)
    if (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds a run; name another --workdir for the scores of a pack')
    path = absolute(model)
    opened = pack.load_pack(path)
    header = pack_file.read_header(path)
    seen = Seen.of(header, pack_file.read_tensors(path, range(len(header.members))), path)
    data = _data(opened, rules.checked(config), path)
    results, predictions, lines = _scored(opened, header, seen, data, path)
    folder.mkdir(parents=True, exist_ok=True)
    PredictionTable.of(predictions, data.names).write(folder)
    print(recognition_page.table(results.to_json()))
    for line in lines:
        print(f'pack: {line}')
    print(f'pack: {folder / files.PREDICTIONS}')
    return results.to_json()


def _data(opened: Trained, of_config, path) -> loading.Data:
    """Load the data set of a config as the input of a pack."""
    if not TASKS[opened.settings.data.task].by_class:
        raise UserError(f'{path}: is of data.task {opened.settings.data.task!r}; allowed: classes')
    changes = {f'data.{name}': getattr(of_config.data, name) for name in OF_CONFIG}
    if opened.settings.data.apex not in APEX_RULES:
        changes['data.apex'] = ''
    settings = tree.changed(opened.settings, changes)
    task = TASKS[settings.data.task]
    data = entries.loaded(task.load)(settings, settings.data.apex)
    if data.names.classes != opened.classes:
        raise UserError(
            f'{path}: its classes are {", ".join(opened.classes)}; those of data.name '
            f'{settings.data.name!r} by data.labels {settings.data.labels!r} are '
            f'{", ".join(data.names.classes)}; allowed: a data set with the same classes'
        )
    if data.samples.image.dtype != opened.dtype:
        raise UserError(
            f'{path}: takes images of {opened.dtype}; data.name {settings.data.name!r} holds '
            f'{data.samples.image.dtype}; allowed: a data set of the kind that it was trained on'
        )
    return data


def _scored(opened: Trained, header: PackHeader, seen: Seen, data: loading.Data, path):
    """Return (results, predictions, lines on what trained on what)."""
    samples, names = data.samples, data.names
    rows = np.flatnonzero(of_data_set(samples))
    person = [
        (names.datasets[samples.dataset[row]], names.subjects[samples.subject[row]]) for row in rows
    ]
    usable = ~seen.by(person, pack.digests(samples.image[rows]))
    # A picture under another name is of somebody in the pack as well.
    others = usable.all(0) & [pair not in seen.people for pair in person]
    extras = {} if data.landmarks is None else {LANDMARKS: data.landmarks}
    outputs = opened.scores(Inputs(samples.image, extras))[:, rows]
    scored = usable.any(0)
    name = header.facts.get('data', {}).get('name', '')
    if not scored.any():
        raise UserError(
            f'{path}: every member trained on every clip of this data set or on its subject, so '
            'there is nothing to score it by; allowed: clips of other people, or a run with '
            'protocol.name loso'
        )
    probabilities = np.stack(
        [
            _probability(outputs[:, i], usable[:, i], header, others[i])
            for i in np.flatnonzero(scored)
        ]
    )
    kept = rows[scored]
    zeros = np.zeros(len(kept), np.int32)
    predictions = Predictions(
        clip=samples.clip[kept],
        frame=samples.extras.get('frame', np.zeros_like(samples.clip))[kept],
        subject=samples.subject[kept],
        dataset=samples.dataset[kept],
        label=samples.label[kept],
        fold=zeros,
        seed=zeros,
        output=np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float32),
    )
    by_all = int(usable.all(0).sum())
    lines = [
        f'{by_all} of {len(rows)} clips are of people and pictures that, by their names and bytes, '
        f'no member trained on; {int(scored.sum()) - by_all} are scored by the members that did '
        f'not train on their subject; {int((~scored).sum())} are not scored, because all members '
        'did',
        f'trained on {name}; inputs and labels are those of the pack',
    ]
    lines += [f'LEAKS in its training, {leak}' for leak in header.facts['leaks']]
    leaks = list(header.facts['leaks'])
    if shared := people.leak_between([dataset for dataset, _ in seen.people], names.datasets):
        leaks.append(shared)
        lines.append(f'LEAKS, {shared}')
    results = RecognitionResults(
        name=header.title,
        scored='test',
        protocol='pack',
        leaks=leaks,
        folds=1,
        seeds=1,
        epochs=opened.settings.train.epochs,
        clips=len(np.unique(samples.clip[kept])),
        **score.score(predictions, names),
        oracle_epoch=None,
        plan=None,
        data={'name': '+'.join(names.datasets), 'labels': data.labels},
        seconds={},
        versions=machine.versions() | provenance.code(),
    )
    return results, predictions, lines


def _probability(outputs, usable, header, is_other):
    """Return the mean probabilities of the usable members for one clip, [K].

    The temperature is that of all people of the pack for somebody else; for one of them that of the
    fold, which was fitted without them, else 1.
    """
    calibrated = header.calibrated() if is_other else None
    titles = {member['fold'] for member, use in zip(header.members, usable, strict=True) if use}
    if not is_other and len(titles) == 1:
        calibrated = header.calibrated(titles.pop())
    temperature = calibrated.temperature if calibrated else 1.0
    return calibration.probabilities(outputs[usable, None], temperature)[0]
