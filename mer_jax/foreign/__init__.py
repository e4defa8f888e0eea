"""Code of others under the protocols of this project: anything that fits rows and predicts rows.

A `Fit` is a function of the user, fit(X, y, subject, seed) -> predict, in PyTorch, scikit-learn,
Keras or plain numpy. It receives the training rows of one fold, and nothing of the left-out ones.
`predict(X)` returns classes [n] or scores [n, K]. A fit that yields a `predict` after each epoch,
instead of returning one, lets every epoch be scored.

    folds.py        trains one fold, checks what is predicted, saves it
    evaluation.py   all folds, in processes, and where a stopped evaluation goes on
    preparation.py  what happens to training rows before the fit receives them
    code.py         recognises whether a fit has changed
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

Predict = Callable[[np.ndarray], ArrayLike]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, int], Predict | Iterator[Predict]]
