"""What a user writes, for the type checker: pyright must find no error in it."""

import flax.linen as nn
import numpy as np
import optax
from sklearn.model_selection import GroupKFold

import mer_jax as mj


class Network(nn.Module):
    """A network of the user."""

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(3)(x.reshape(len(x), -1))


def fit(x: np.ndarray, y: np.ndarray, subject: np.ndarray, seed: int):
    """A fit of the user."""
    return lambda x: np.zeros(len(x), int)


def script() -> float:
    """Every public name once; never called."""
    x, y, subject = np.zeros((9, 8, 8, 3)), np.arange(9) % 3, ['a'] * 4 + ['b'] * 5
    data = mj.dataset(x, y, subject, classes=['negative', 'positive', 'surprise'])
    faces = mj.load('synthetic_faces/tiny', channels='u,v')
    folds = mj.folds.from_sklearn(GroupKFold(2), data)
    learner = mj.supervised(mj.models.STSTNet(classes=3), optax.adam(5e-5))
    run = mj.train(learner, data, mj.loso(data), seeds=2, epochs=3, folder='runs/a')
    mine = mj.supervised(Network(), optax.adam(1e-3), scaler='standard')
    other = mj.train(mine, faces, folds, epochs=3, folder='runs/b')
    prepare = mj.Preparation(balance='smote')
    theirs = mj.evaluate(fit, data, seeds=2, folder='runs/c', prepare=prepare, processes=2)
    print(mj.audit(fit, data, folds, folder='runs/audit', processes=2).lines, mj.score(theirs))
    print(mj.compare(run, other, folder='runs/compared').groups, mj.config('casme2_ststnet'))
    coded = mj.unit_dataset(x, np.zeros((9, 2)), subject, ['AU4', 'AU12'])
    detector = mj.train(mine, coded, mj.loso(coded), epochs=3, folder='runs/units')
    print(mj.score(detector).f1, [unit['unit'] for unit in mj.score(detector).per_unit])
    return mj.score(run).uf1 or 0.0
