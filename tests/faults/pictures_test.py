"""Pictures that are no clips of the published flow features."""

import os
import shutil

import pytest

import tfds_builders
from mer_jax import machine
from mer_jax.errors import UserError
from tests.faults.releases import Copy
from tests.support import fake_raw
from tfds_builders.smic import layout as smic_layout

FIRST = {
    'samm': '006/u_test/0/006_006_1_1 .png',
    'smic': 's01/u_test/0/s01_s01_ne_01 .png',
    'casme2': 'sub01/u_test/0/sub01_EP01_01f .png',
}


@pytest.fixture(scope='module')
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp('features')
    fake_raw.write_precomputed_flow(
        folder, subjects={'006': (2, 1, 0), 's01': (1, 0, 1), 'sub01': (1, 1, 1)}
    )
    return folder / 'norm_u_v_os'


def prepare(tmp_path):
    return tfds_builders.prepare(
        'precomputed_flow',
        data_dir=tmp_path / 'data',
        manual_dir=tmp_path / 'norm_u_v_os',
        progress=False,
    )


REFUSED = {  # name -> (data set, name of the other picture)
    'a number': ('samm', '006_006_1_1_1.png'),
    'a number before the blank': ('smic', 's01_s01_ne_01_2 .png'),
    'two digits': ('casme2', 'sub01_EP01_01f_01.png'),
    'a number behind a name without f': ('casme2', 'sub01_EP03_02_1.png'),
    'two digits behind a name without f': ('casme2', 'sub01_EP03_02_03.png'),
    'mirrored': ('samm', '006_006_1_2_flip.png'),
    'a copy': ('smic', 's01_s01_ne_01 (1).png'),
    'a letter': ('casme2', 'sub01_EP01_01fa.png'),
    'no clip at all': ('samm', '006_mean.png'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_another_picture_of_a_clip_is_refused(case, features, tmp_path):
    """If this fails, three flows of one clip count as three clips and stand on both sides."""
    dataset, name = REFUSED[case]
    root = shutil.copytree(features, tmp_path / 'norm_u_v_os')
    first = root / FIRST[dataset]
    shutil.copy(first, first.with_name(name))
    with pytest.raises(UserError) as error:
        prepare(tmp_path)
    text = str(error.value)
    assert name in text and 'must be named' in text and ': 1 of ' in text


def test_all_pictures_of_the_other_project_are_refused(features, tmp_path):
    """If this fails, 7 clips become 28 and nothing says so."""
    root = shutil.copytree(features, tmp_path / 'norm_u_v_os')
    for path in sorted(root.glob('*/u_test/*/*.png')):
        for number in (1, 2, 3):
            shutil.copy(path, path.with_name(f'{path.stem.strip()}_{number}.png'))
    with pytest.raises(UserError, match='24 of 32 files'):
        prepare(tmp_path)


def test_more_clips_than_published_are_reported(features, tmp_path, capsys):
    """If this fails, a set that grew under names that look right is taken for the published one."""
    root = shutil.copytree(features, tmp_path / 'norm_u_v_os')
    prepare(tmp_path)
    assert 'WARNING' not in capsys.readouterr().err
    first = root / FIRST['casme2']
    shutil.copy(first, first.with_name('sub01_EP09_02 .png'))  # the fourth of three
    shutil.copytree(root / 's01', root / 's07')
    for path in (root / 's07/u_test').rglob('*.png'):
        path.rename(path.with_name(path.name.replace('s01', 's07')))
    builder = tfds_builders.prepare(
        'precomputed_flow',
        data_dir=tmp_path / 'other',
        manual_dir=root,
        progress=False,
    )
    line = capsys.readouterr().err
    assert 'WARNING' in line and 'set of 442' in line and 's07' in line and line.count('\n') == 1
    table = (tmp_path / 'other' / 'precomputed_flow').rglob('audit.csv')
    rows = next(table).read_text().splitlines()
    surplus = [row for row in rows if 'more clips than in the published set' in row]
    assert [row.partition(',')[0] for row in surplus] == ['s07', 'sub01']
    assert builder.info.splits['train'].num_examples == 11


BESIDE = {  # name -> (release, name of the folder beside that of a clip)
    'a flow of SMIC': ('smic', '{}_1'),
    'a copy of SMIC': ('smic', '{} (2)'),
    'a flow of SAMM': ('samm', '{}_flow'),
    'a number behind a clip of CASME II': ('casme2', '{}_2'),
    'crops of CAS(ME)^2': ('casme_squared', '{}_1'),
}


@pytest.mark.parametrize('case', BESIDE)
def test_a_folder_beside_a_clip_is_no_clip(case, tmp_path):
    """If this fails, what another project made of a clip is a second clip of the same face."""
    name, pattern = BESIDE[case]
    copy = Copy(tmp_path, name)
    clips, _ = copy.read()
    for clip in copy.clips:
        place = copy.place(clip)
        target = place.with_name(pattern.format(place.name))
        shutil.copytree(place, target, copy_function=os.link)
    spoilt, rows = copy.read()
    assert spoilt == clips and not [row for row in rows if row.status == 'error']


def test_the_same_number_with_and_without_zero_is_one_clip_of_smic(tmp_path):
    """If this fails, s1_ne_1 and s1_ne_01 are two clips."""
    copy = Copy(tmp_path, 'smic')
    clip = sorted(copy.clips)[0]
    place = copy.place(clip)
    shutil.copytree(place, place.with_name(place.name.replace('_0', '_')), copy_function=os.link)
    _, rows = copy.read()
    errors = [row for row in rows if row.status == 'error']
    assert len(errors) == 2 and {row.clip for row in errors} == {clip}


def test_more_clips_of_smic_than_published_are_reported(tmp_path, monkeypatch, capsys):
    """If this fails, a folder with clips of another camera in it passes for the published set."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    copy = Copy(tmp_path, 'smic')
    monkeypatch.setitem(smic_layout.PUBLISHED, 'hs', len(copy.clips) - 1)
    tfds_builders.prepare(
        'smic/video', data_dir=tmp_path / 'data', manual_dir=copy.folder, progress=False
    )
    line = capsys.readouterr().err
    assert 'WARNING' in line and f'{len(copy.clips)}, published are' in line
