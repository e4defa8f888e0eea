"""Data sets that may share people are pooled on request only, and by name."""

import dataclasses
from pathlib import Path

import pytest

from mer_jax import folds
from mer_jax.data.arrays import dataset
from mer_jax.errors import UserError
from mer_jax.experiment import leaks, settings
from mer_jax.folds import people
from mer_jax.presets import base
from mer_jax.settings.tree import from_nested

PAGE = Path(__file__).parents[2] / 'docs' / 'participants.md'
CLEAR = (
    'casme2+samm+smic',
    'precomputed_flow',
    'smic+smic/flow,camera=vis',
    'casme+synthetic_faces',
    'casme_squared',
)
UNCLEAR = {
    'casme+casme2': ['casme and casme2'],
    'precomputed_flow+mmew/flow': ['casme2 and mmew', 'mmew and samm', 'mmew and smic'],
    'frames_csv/flow+smic': ['frames_csv and smic'],
}


def config(**changes):
    made = base('any')
    made.update_from_flattened_dict({key.replace('__', '.'): changes[key] for key in changes})
    return made


@pytest.mark.parametrize('name', CLEAR)
def test_data_sets_that_share_nobody_are_pooled_as_before(name):
    """If this fails, an honest run needs a switch, or carries the name of a leak."""
    settings.checked(config(data__name=name))
    for value in ('none', 'unknown'):
        chosen = config(data__name=name, protocol__same_people=value)
        assert leaks.listed(from_nested(chosen.to_dict())) == []


@pytest.mark.parametrize('name,pairs', UNCLEAR.items())
@pytest.mark.parametrize('protocol', ['loso', 'lodo', 'kfold', 'holdout'])
def test_others_need_the_switch_and_are_listed(name, pairs, protocol):
    """If this fails, one person may train and be tested, and nobody reads of it."""
    with pytest.raises(UserError, match=f'{pairs[0]}.*protocol.same_people'):
        settings.checked(config(data__name=name, protocol__name=protocol))
    chosen = config(data__name=name, protocol__name=protocol, protocol__same_people='unknown')
    (line,) = leaks.listed(settings.checked(chosen))
    assert all(pair in line for pair in pairs) and 'same_people' in line


def test_protocols_that_leave_nobody_out_need_no_switch():
    """If this fails, a run that says already that it leaks, or that tests nobody, is refused."""
    name = 'casme+casme2'
    for protocol, count in (('clip_kfold', 1), ('all_rows', 0)):
        chosen = settings.checked(config(data__name=name, protocol__name=protocol))
        assert len(leaks.listed(chosen)) == count


def test_folds_in_python_name_the_pair():
    """If this fails, pooled data are scored as honest where the command refuses them."""
    data = dataset([[0.0]] * 4, [0, 1, 0, 1], ['a', 'b', 'c', 'd'])
    names = data.content.names
    for datasets, leaking in ((('casme', 'mmew'), True), (('casme2', 'samm'), False)):
        content = data.content._replace(names=names._replace(datasets=datasets))
        pooled = dataclasses.replace(data, content=content)
        assert any('casme and mmew' in text for text in folds.loso(pooled).leaks) == leaking
    assert folds.loso(data).leaks == ()


def test_a_model_that_is_tested_on_another_data_set_names_the_pair():
    """If this fails, a pack of one laboratory's people is scored on them as on strangers."""
    assert people.leak_between(['casme2'], ['samm', 'smic']) == ''
    assert people.leak_between(['casme2', 'casme'], ['casme2', 'casme']) != ''
    assert people.leak_between(['casme', 'mmew'], ['synthetic']) == ''
    assert 'casme and casme2' in people.leak_between(['casme'], ['casme2', 'synthetic'])
    assert people.leak_between(['mmew'], ['mmew']) == ''


def test_the_page_has_every_line_of_the_table():
    """If this fails, users read another table than the program follows."""
    page = PAGE.read_text()
    for first, second in (pair.data_sets for pair in people.PAIRS):
        assert f'| `{first}`, `{second}` |' in page
    assert page.count('| none |') == sum(pair.shared == 'none' for pair in people.PAIRS)
    assert all(pair.shared in ('none', 'unknown') and pair.source for pair in people.PAIRS)
