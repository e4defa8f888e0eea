"""How much the SVMs of a finished run need each kind of features, and each region of the face.

Permutation importance on held-out rows, by the SVMs of the fold that did not see them. Document
000, Section 5.1, says that its AU features matter, and shows no figure of it.
"""

from pathlib import Path

import numpy as np

from mer_jax.classical import NETWORK, features_of_clips, has_network, importance, svm
from mer_jax.classical.svm import Choice
from mer_jax.errors import UserError
from mer_jax.evaluation import paired
from mer_jax.experiment import build, run
from mer_jax.experiment.build import Experiment
from mer_jax.report import importance_page
from mer_jax.runfiles.explanations import ImportanceRow, ImportanceTable
from mer_jax.runfiles.svms import SvmTable
from mer_jax.settings import sections
from mer_jax.types import FoldState


def write(experiment: Experiment, shapes: FoldState | None, folder: Path) -> list[Path]:
    """Measure the importance of features of a finished run, and write what the report shows.

    Args:
        experiment: that was trained.
        shapes: abstract state of one fold; None without a network.
        folder: of the run, locked.

    Returns:
        The paths written.

    Raises:
        UserError: nothing is held out, or the SVMs of the run are missing.
    """
    head, samples = experiment.settings.head, experiment.data.samples
    folds, titles = experiment.folds, experiment.titles
    classes = len(experiment.data.names.classes)
    if not folds.test.mask.any():
        raise UserError(
            'explain: protocol.name leaves no clip out, so there is none that an SVM did not see'
        )
    table = SvmTable.read(folder)
    hidden = None
    if has_network(head):
        hidden, _ = run.hidden_features(experiment, shapes, folder, {})
    blocks, hidden = build.svm_blocks(experiment, hidden)
    names = [*([NETWORK] if hidden is not None else []), *features_of_clips(head)]
    correct, kept, held_out = [], [], []
    for number in np.flatnonzero(folds.seed == folds.seed.min()):
        clips = svm.clips_of_run(blocks, hidden, samples, number, classes=classes)
        rows = svm.rows_of_run(samples, folds, number)
        choices = chosen(table, titles[folds.fold[number]], int(folds.seed[number]), head)
        groups = importance.groups(names, [block.shape[-1] for block in clips.blocks])
        before, after = importance.lost(clips, rows, choices, groups, scale=head.scale)
        correct.append(before)
        kept.append(after)
        held_out.append(rows[1])
    alone = sum(len(rows) == 1 for rows in held_out)
    correct, tested = np.concatenate(correct), np.concatenate(held_out)
    subject, dataset = samples.subject[tested], samples.dataset[tested]
    lines = [
        _line(group, of_group, correct, subject, dataset)
        for group, of_group in zip(groups, np.concatenate(kept, axis=1), strict=True)
    ]
    return importance_page.write(folder, ImportanceTable(tuple(lines)), correct.mean(), alone)


def chosen(
    table: SvmTable, title: str, seed: int, head: sections.Head, member: str = ''
) -> list[Choice]:
    """Return what the SVMs of one fold were fitted with.

    Args:
        table: of the run.
        title: of the fold.
        seed: of the run.
        head: section of settings; its numbers stand for those of the table, which are rounded.
        member: of a stack, as in head.members; '': all rows.

    Raises:
        UserError: the table lacks the fold.
    """
    choices = []
    for row in table.rows:
        is_of_fold = (row.title, row.seed) == (title, seed)
        if is_of_fold and member in ('', row.member):
            cost = min(head.cost, key=lambda value, row=row: abs(value - row.cost))
            gamma = min(head.gamma, key=lambda value, row=row: abs(value - row.gamma))
            choices.append(Choice(head.kernel, float(cost), float(gamma)))
    if not choices:
        raise UserError(
            f'{table.FILE}: lacks the fold {title!r} of seed {seed}; score the run again: the same '
            'command with the verb evaluate'
        )
    return choices


def _line(group, kept, correct, subject, dataset):
    """What a group is worth: accuracy that is lost without it."""
    test = paired.mean_test(kept, correct, subject, dataset)
    low, high = test['interval'] or (None, None)
    return ImportanceRow(
        group.title, group.kind, group.size, test['difference'], low, high, test['p']
    )
