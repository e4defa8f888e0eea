"""Copies of CASME, MMEW, CAS(ME)^3 and 4DME that were renumbered, copied twice, or whose sheet is
spoilt.
"""

import shutil

import pytest

from mer_jax.errors import UserError
from tests.support.fake_raw import one_sheet
from tests.tfds_builders.one_sheet_test import read
from tfds_builders import frames


def renumber(folder, number_of):
    """Gives every file of a folder the number number_of(place in the folder)."""
    paths = [path for _, path in frames.numbered(folder)]
    waiting = [path.rename(path.with_name(f'{path.name}.waits')) for path in paths]
    for index, path in enumerate(waiting):
        stem, suffix = path.name.removesuffix('.waits').rsplit('.', 1)
        path.rename(path.with_name(f'{stem.rstrip("0123456789")}{number_of(index)}.{suffix}'))


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_files_numbered_from_one_are_the_frames_from_onset_to_offset(name, tmp_path):
    """If this fails, a copy with other numbers gives other frames, or none."""
    truth = one_sheet.write(name, tmp_path)
    for own in truth.clips.values():
        renumber(own.folder, lambda index: index + 1)
    clips, rows = read(name, truth.folder)
    assert not [row for row in rows if row.status == 'error']
    for own in truth.clips.values():
        clip = clips[own.clip]
        assert (clip.onset, clip.apex, clip.offset) == (own.onset, own.apex, own.offset)
        assert [frames.number(path) for _, path in clip.frames] == list(
            range(1, own.offset - own.onset + 2)
        )


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_two_copies_of_the_frames_are_refused(name, tmp_path):
    """If this fails, one of two copies is read by chance."""
    truth = one_sheet.write(name, tmp_path / 'release')
    for tree in [path for path in truth.folder.iterdir() if path.is_dir()]:
        shutil.copytree(tree, truth.folder / 'again' / tree.name)
    with pytest.raises(UserError, match='again.*keep one of the two trees'):
        read(name, truth.folder)


@pytest.mark.parametrize(
    'fault,words',
    [
        ('wrong_header', 'lacks the columns Filename'),
        ('missing_column', 'lacks the columns OnsetFrame|lacks the columns OffsetFrame'),
        ('damaged', 'cannot be read as a spreadsheet'),
        ('no_sheet', 'there is no workbook at all'),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named(fault, words, tmp_path):
    """If this fails, the user does not learn which column or file is wrong."""
    truth = one_sheet.write('mmew', tmp_path, workbook=(fault,))
    with pytest.raises(UserError, match=words):
        read('mmew', truth.folder)


@pytest.mark.parametrize('fault', ['header_style', 'blank_rows', 'semicolons'])
def test_a_sheet_in_another_style_is_read(fault, tmp_path):
    """If this fails, a sheet that another program saved cannot be used."""
    suffix = '.csv' if fault == 'semicolons' else '.xlsx'
    truth = one_sheet.write('mmew', tmp_path, workbook=(fault,), sheet=suffix)
    clips, _ = read('mmew', truth.folder)
    assert list(clips) == list(truth.clips)


def test_recordings_that_begin_at_zero_are_refused(tmp_path):
    """If this fails, every clip of CAS(ME)^3 is read one frame too late."""
    truth = one_sheet.write('casme_cubed', tmp_path, layout='recordings')
    for folder in {own.folder for own in truth.clips.values()}:
        renumber(folder, lambda index: index)
    with pytest.raises(UserError, match='begin at 0'):
        read('casme_cubed', truth.folder)
