"""The audit of a user's code: what leaks is measured, what does not apply says why."""

import numpy as np
import pytest

import mer_jax as mj
from mer_jax.errors import UserError
from mer_jax.report import audit_tables
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.studies import leak_audit

CLASSES = ['negative', 'positive', 'surprise']


pytestmark = pytest.mark.usefixtures('undrawn')  # no test here looks at a plot


def coded():
    """Rows that show who they are of and nothing else; a subject has mostly one class."""
    draw = np.random.default_rng(0)
    subject = np.repeat(np.arange(10), 6)
    pattern = draw.normal(size=(10, 4, 4, 2))[subject]
    y = (subject % 3 + (np.arange(60) % 6 == 5)) % 3
    return mj.dataset(pattern + 0.1 * draw.normal(size=pattern.shape), y, subject, classes=CLASSES)


def nearest(x, y, subject, seed):
    """The class of the nearest training row, which is one of the same subject where there is one.

    Its first epoch predicts one class for all.
    """
    flat = x.reshape(len(x), -1)
    yield lambda x: np.full(len(x), seed % 3)

    def predict(x):
        distance = np.square(x.reshape(len(x), 1, -1) - flat).sum(-1)
        return y[distance.argmin(1)]

    yield predict


def by_habit(audit):
    return {line['habit']: line for line in audit.lines}


@pytest.fixture(scope='module')
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp('audit') / 'audit'
    prepare = mj.Preparation(balance='oversample', scaler='standard')
    return folder, mj.audit(nearest, coded(), folder=folder, prepare=prepare)


def test_a_leak_is_measured_and_named(audited):
    """Rows of one person on both sides: the score rises far, also where classes mean nothing."""
    folder, audit = audited
    lines = by_habit(audit)
    assert list(lines) == list(leak_audit.TITLES)
    assert lines['honest']['leaks'] == [] == lines['control']['leaks']
    assert lines['split']['against']['uf1']['difference'] > 0.2
    assert lines['control_split']['metrics']['uf1'] > 0.9 > lines['control']['metrics']['uf1']
    for habit, word in {
        'split': 'clip_kfold',
        'balance': 'balance.scope=all: oversample',
        'scale': 'scaler_scope=all',
        'epoch': 'epoch',
    }.items():
        assert word in lines[habit]['leaks'][0]
    assert len(lines['all']['leaks']) == 4
    assert lines['epoch']['metrics']['accuracy'] >= lines['honest']['metrics']['accuracy']
    assert lines['honest']['subjects'] == 10
    assert 'clips split at random' in str(audit) and (folder / 'audit.html').exists()


def test_a_control_keeps_rows_and_changes_classes(audited):
    """One class per subject; a control on other rows would compare nothing."""
    folder, _ = audited
    honest, control = (PredictionTable.read(folder / name).rows for name in ('honest', 'control'))
    assert [row.clip for row in honest] == [row.clip for row in control]
    assert len({(row.subject, row.label) for row in control}) == 10
    assert len({(row.subject, row.label) for row in honest}) == 20


def test_what_does_not_apply_says_why(tmp_path, capsys):
    """A habit that changes nothing would show as one that adds nothing."""

    def fit(x, y, subject, seed):
        return lambda x: np.zeros(len(x), int)

    data = coded()
    leaky = mj.folds.by_protocol('clip_kfold', data, folds=3)
    lines = by_habit(mj.audit(fit, data, leaky, folder=tmp_path / 'audit'))
    assert lines['honest']['protocol'] == 'loso'  # what habits add is told against an honest run
    missing = {habit: line['why_not'] for habit, line in lines.items() if line['why_not']}
    words = {
        'balance': 'prepare balances nothing',
        'scale': 'prepare scales nothing',
        'network': 'nothing',
        'epoch': 'yield',
        'frames': 'clip',
        'first_class': 'class',
    }
    assert missing.keys() == words.keys()
    assert all(word in missing[habit] for habit, word in words.items())
    assert audit_tables.MEANINGS.keys() == lines.keys()
    with pytest.raises(UserError, match='epochs'):
        mj.audit(fit, data, folder=tmp_path / 'other', epochs=3)
    with pytest.raises(UserError, match="'angry'.*smote"):
        mj.audit(fit, data, folder=tmp_path / 'other', prepare=mj.Preparation('angry'))
    with pytest.raises(UserError, match='holds a run'):
        mj.audit(fit, data, folder=tmp_path / 'audit' / 'honest')


def test_the_share_that_trains_stays(tmp_path):
    """Clips split at random into other shares would measure the share, not the leak."""
    from mer_jax.studies import python_audit

    data = coded()
    assert python_audit.groups(mj.loso(data), len(data)) == 10
    for holdout, count in ((0.5, 2), (0.2, 5)):
        folds = mj.folds.by_protocol('holdout', data, holdout=holdout)
        assert python_audit.groups(folds, len(data)) == count
