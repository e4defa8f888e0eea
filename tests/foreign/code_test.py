"""Whether the user's code has changed: what counts, and what does not."""

import functools
import subprocess
import sys
from pathlib import Path

from mer_jax.foreign import code

ROOT = Path(__file__).parents[2]
SOURCE = """
WIDTH = 8

class Network:
    def __init__(self):
        self.width = WIDTH

    def forward(self, x):
        return x.mean(1) in {'a', 'b'}

def helper(x):
    return x + 1

def fit(X, y, subject, seed):
    network = Network()
    return lambda X: network.forward(helper(X))
"""


def digest(source, name='fit'):
    names = {'__name__': 'mine'}
    exec(source, names)
    return code.digest(names[name])


def test_a_change_of_the_method_is_seen():
    """Folds of a wider network, another loss or another rate must not join those of the old one."""
    changed = {
        'a constant': ('WIDTH = 8', 'WIDTH = 16'),
        'the network': ('x.mean(1)', 'x.sum(1)'),
        'a helper': ('x + 1', 'x + 2'),
        'fit': ('Network()', 'Network() or None'),
    }
    first = digest(SOURCE)
    assert {digest(SOURCE.replace(*change)) for change in changed.values()}.isdisjoint({first})
    for options in ({'rate': 0.1}, {'rate': 0.2}):
        bound = functools.partial(dict, **options)
        assert code.digest(bound) == code.digest(functools.partial(dict, **options))
    assert code.digest(functools.partial(dict, a=1)) != code.digest(functools.partial(dict, a=2))


def test_comments_and_other_code_are_not_the_method():
    """A comment must not cost the folds that are finished; nor a function that fit never calls."""
    more = SOURCE.replace('WIDTH = 8', '# wide\n\nWIDTH = 8') + '\ndef unused():\n    return 3\n'
    assert digest(more) == digest(SOURCE)


def test_the_digest_is_the_same_in_another_process():
    """A killed evaluation goes on in another process, where sets have another order."""
    script = f'{SOURCE}\nfrom mer_jax.foreign import code\nprint(code.digest(fit))'
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(SOURCE)


def test_any_callable_has_a_name():
    """The name stands in config.json and in what verbs refuse."""
    assert code.name_of(test_any_callable_has_a_name) == 'test_any_callable_has_a_name'
    assert code.name_of(functools.partial(digest, SOURCE)) == 'digest'
    assert code.name_of(functools.partial(functools.partial(digest), 'x')) == 'digest'
