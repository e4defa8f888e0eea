"""Which weights file belongs to which fold."""

import pytest

from mer_jax.errors import UserError
from mer_jax.models import weights_files

SUBJECTS = ['sub9', 'sub10', 'sub02', 'sub26']


def paths(source, titles=('sub9', 'sub02'), subjects=SUBJECTS):
    return [file.path for file in weights_files.of_folds(source, titles, subjects)]


@pytest.mark.parametrize(
    'source,wanted',
    [
        ('w/{subject}.pth', ['w/sub9.pth', 'w/sub02.pth']),
        # sorted as text: sub02, sub10, sub26, sub9; also those that are left out of no fold count
        ('w/model_best_{number}.pt', ['w/model_best_4.pt', 'w/model_best_1.pt']),
        ('w/{subject_number}.pt', ['w/9.pt', 'w/2.pt']),
        ('w/all.pth', ['w/all.pth', 'w/all.pth']),
    ],
)
def test_each_fold_has_the_file_of_its_subject(source, wanted):
    """The file of another subject has trained on this one: an unseen leak."""
    assert paths(source) == wanted
    files = weights_files.of_folds(source, ['sub9'], SUBJECTS)
    assert files[0].subject == ('sub9' if weights_files.placeholder(source) else '')


@pytest.mark.parametrize('subjects', [['casme2/01', 'samm/01'], ['anna', '02']])
def test_a_number_that_names_no_subject_is_refused(subjects):
    """Two subjects of one number would share a file, of which one has trained on the other."""
    with pytest.raises(UserError, match='subject_number'):
        paths('{subject_number}.pt', subjects[:1], subjects)
    assert paths('{number}.pt', subjects, subjects) == [
        f'{sorted(subjects).index(subject) + 1}.pt' for subject in subjects
    ]


def test_released_weights_are_named_as_a_leak():
    """The authors' code keeps the epoch that is best on the left-out subject."""
    assert 'left-out subject' in weights_files.leak('five_casme/model_best_{number}.pt')
    assert weights_files.leak('mine/{subject}.pth') == weights_files.leak('model_best_1.pt') == ''
