"""Factors of motion magnification that no face survives."""

import numpy as np
import pytest

import tfds_builders
from mer_jax.errors import UserError
from mer_jax.preprocess import magnet, magnify

FRAME = np.zeros((32, 32), np.uint8)
PARSE = tfds_builders.BUILDERS['casme2'].parse_config
REFUSED = {
    'just above': lambda: PARSE('samer,alpha=100.5'),
    'far above': lambda: PARSE('samer,magnifier=eulerian,alpha=1e6'),
    'infinite': lambda: PARSE('samer,alpha=inf'),
    'below 0': lambda: PARSE('samer,alpha=-1'),
    'in the function': lambda: magnify.magnify(FRAME, FRAME, method='phase', alpha=101),
    'in the learned one': lambda: magnet.magnify(FRAME, FRAME, alpha=101, weights='w'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_such_a_factor_is_refused(case):
    """If this fails, a mistyped factor gives pictures of noise, hours later."""
    with pytest.raises(UserError, match='alpha is .*100') as error:
        REFUSED[case]()
    assert '\n' not in str(error.value)


def test_allowed_factors():
    """If this fails, factors of the literature are refused, or others without a limit are."""
    assert PARSE('samer,alpha=100').options['alpha'] == '100'
    assert PARSE('samer,alpha=20.0').name == 'samer,alpha=20'
    assert PARSE('samer,threshold=250').options['threshold'] == '250'
