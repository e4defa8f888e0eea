"""SMIC: short clips of three cameras in every known folder layout, and each thing that may be wrong
with a folder.
"""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from tfds_builders import frames
from tfds_builders.smic import layout

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
BMP = cv2.imencode('.bmp', PICTURE)[1].tobytes()
FIRST = {
    's1_ne_01': ('s1', 'negative', 559740),
    's1_po_02': ('s1', 'positive', 34208),
    's1_sur_01': ('s1', 'surprise', 99998),
    's12_ne_01': ('s12', 'negative', 1758103),
    's20_sur_10': ('s20', 'surprise', 999998),
}
ALL_HS = {'camera': 'hs', 'frames': 'auto'}


def options(**given):
    return {**ALL_HS, **given}


def write(tree, *, prefix='image', width=6, micro='micro', padded=False):
    """Five clips of four frames each, numbered on over 99,999 and 999,999 as the release does."""
    for clip, (subject, emotion, first) in FIRST.items():
        if padded:
            subject, clip = (
                f's{int(subject[1:]):02d}',
                f's{int(subject[1:]):02d}_{clip.split("_", 1)[1]}',
            )
        folder = tree / subject / micro / emotion / clip
        folder.mkdir(parents=True)
        for number in range(first, first + 4):
            (folder / f'{prefix}{number:0{width}d}.bmp').write_bytes(BMP)
    (tree / '.DS_Store').write_bytes(b'Bud1')
    return tree


def statuses(rows):
    return {row.file: (row.status, row.reason) for row in rows if row.status != 'used'}


def test_clips_of_the_high_speed_camera(tmp_path):
    """If this fails, ids, labels, rate or frame order of SMIC are wrong, or unknown apexes and
    units pass as known.
    """
    tree = write(tmp_path / 'SMIC_all_raw/HS')
    source = layout.find(tmp_path)
    assert source == tmp_path / 'SMIC_all_raw'
    clips, rows = layout.read(source, options=ALL_HS)
    assert [(clip.clip, clip.subject, clip.emotion, clip.onset, clip.offset) for clip in clips] == [
        ('s01_ne_01', 's01', 'negative', 559740, 559743),
        ('s01_po_02', 's01', 'positive', 34208, 34211),
        ('s01_sur_01', 's01', 'surprise', 99998, 100001),
        ('s12_ne_01', 's12', 'negative', 1758103, 1758106),
        ('s20_sur_10', 's20', 'surprise', 999998, 1000001),
    ]
    clip = clips[2]
    folder = tree / 's1/micro/surprise/s1_sur_01'
    assert clip.frames == tuple(
        (number, folder / f'image{number:06d}.bmp') for number in range(99998, 100002)
    )
    assert (clip.dataset, clip.fps, clip.cropped, clip.kind, clip.edition) == (
        'smic',
        100.0,
        False,
        'micro',
        '',
    )
    assert (clip.apex, clip.apex_source, clip.action_units, clip.action_units_known) == (
        -1,
        'estimated',
        '',
        False,
    )
    assert [row.file for row in rows if row.status == 'used'] == [
        'HS/s1/micro/negative/s1_ne_01',
        'HS/s1/micro/positive/s1_po_02',
        'HS/s1/micro/surprise/s1_sur_01',
        'HS/s12/micro/negative/s12_ne_01',
        'HS/s20/micro/surprise/s20_sur_10',
    ]
    assert statuses(rows) == {}


@pytest.mark.parametrize(
    'given, tree',
    [
        ('', 'HS'),
        ('', 'SMIC_all_raw/SMIC_all_raw/HS'),
        ('SMIC/SMIC_all_raw', 'SMIC/SMIC_all_raw/HS'),
        ('HS', 'HS'),
        ('', 'smic/smic_all_cropped/hs'),
    ],
)
def test_the_release_is_found_wherever_it_was_unpacked(tmp_path, given, tree):
    """If this fails, users must guess which of the nested folders to name."""
    write(tmp_path / tree)
    (tmp_path / 'CASME2/Cropped/sub01/EP02_01f').mkdir(parents=True)
    source = layout.find(tmp_path / given)
    clips, _ = layout.read(source, options=ALL_HS)
    assert len(clips) == 5 and clips[0].cropped == ('cropped' in tree)
    assert len(layout.files(source)[1]) == 20 and layout.files(source)[0] == []


def test_padded_names_and_a_tree_without_the_level_micro_give_the_same_ids(tmp_path):
    """If this fails, the same clip has two names, and lists of published protocols do not match."""
    write(tmp_path / 'a/HS')
    write(tmp_path / 'b/HS', micro='.', padded=True)
    first, second = (layout.read(layout.find(tmp_path / name), options=ALL_HS)[0] for name in 'ab')
    assert [clip[:5] for clip in first] == [clip[:5] for clip in second]


def test_cameras_and_kinds_of_frames(tmp_path):
    """If this fails, an experiment runs on another camera, or on crops where whole frames were
    asked for.
    """
    write(tmp_path / 'SMIC_all_raw/HS')
    write(tmp_path / 'SMIC_all_raw/NIR', prefix='', width=5)
    write(tmp_path / 'SMIC_all_cropped/HS', prefix='reg_image')
    source = layout.find(tmp_path)
    assert source == tmp_path
    nir = layout.read(source, options=options(camera='nir'))[0][0]
    assert (nir.fps, nir.cropped, nir.frames[0][1].name) == (25.0, False, '559740.bmp')
    assert layout.read(source, options=ALL_HS)[0][0].cropped
    raw, crop = (
        layout.read(source, options=options(frames=kind))[0][0] for kind in ('raw', 'cropped')
    )
    assert not raw.cropped and crop.cropped and crop.frames[0][1].name == 'reg_image559740.bmp'
    there = 'it has camera=hs frames=cropped, camera=hs frames=raw, camera=nir frames=raw'
    with pytest.raises(UserError, match=f'no camera=vis frames=auto; {there}'):
        layout.read(source, options=options(camera='vis'))
    with pytest.raises(UserError, match='no camera=nir frames=cropped'):
        layout.read(source, options=options(camera='nir', frames='cropped'))


def test_crops_without_the_folder_name_are_known_by_their_files(tmp_path):
    """If this fails, faces already cut out go through the face finder once more."""
    write(tmp_path / 'HS', prefix='reg_image')
    assert layout.read(layout.find(tmp_path), options=ALL_HS)[0][0].cropped


def test_every_odd_folder_is_told(tmp_path):
    """If this fails, clips vanish without a word, or a wrong label enters a training."""
    tree = write(tmp_path / 'HS')
    (tree / 's1/non_micro/s1_x_01').mkdir(parents=True)
    (tree / 's1/micro/positive/s1_ne_03').mkdir()
    (tree / 's1/micro/negative/s2_ne_01').mkdir()
    (tree / 's1/micro/negative/s1_ne_01 - copy').mkdir()
    (tree / 's1/micro/negative/s1_ne_09').mkdir()
    (tree / 's1/micro/others/s1_ot_01').mkdir(parents=True)
    (tree / 's1/micro/neutral/s1_ne_01').mkdir(parents=True)
    (tree / 'landmarks').mkdir()
    _, rows = layout.read(layout.find(tmp_path), options=ALL_HS)
    assert statuses(rows) == {
        'HS/s1/non_micro': ('ignored', 'no micro-expressions'),
        'HS/s1/micro/positive/s1_ne_03': (
            'error',
            "named 'ne' but under 'positive'; one of the two is wrong",
        ),
        'HS/s1/micro/negative/s2_ne_01': (
            'error',
            'a clip of another subject under s01; one of the two is wrong',
        ),
        'HS/s1/micro/negative/s1_ne_01 - copy': (
            'dropped',
            'not named like a clip: must be like s01_ne_01',
        ),
        'HS/s1/micro/negative/s1_ne_09': (
            'dropped',
            'too few usable frames: 0, at least 2 are needed',
        ),
        'HS/s1/micro/others': ('ignored', 'not one of the folders negative, positive, surprise'),
        'HS/s1/micro/neutral': (
            'error',
            "'neutral' is no emotion; known: negative, positive, surprise",
        ),
        'HS/landmarks': ('ignored', 'a subject is named s1 or s01'),
    }


def test_one_clip_in_two_folders_stops_the_build(tmp_path):
    """If this fails, which of two folders is read depends on the order of their names."""
    tree = write(tmp_path / 'HS')
    (tree / 's01/micro/negative/s01_ne_01').mkdir(parents=True)
    clips, rows = layout.read(layout.find(tmp_path), options=ALL_HS)
    errors = [row for row in rows if row.status == 'error']
    assert [row.file for row in errors] == [
        'HS/s01/micro/negative/s01_ne_01',
        'HS/s1/micro/negative/s1_ne_01',
    ]
    assert all(
        'one clip in several folders' in row.reason and row.clip == 's01_ne_01' for row in errors
    )
    assert 's01_ne_01' not in [clip.clip for clip in clips]


def test_damaged_files_are_told_and_damaged_ends_drop_the_clip(tmp_path):
    """If this fails, a broken copy gives another onset than a whole one, and nobody is told."""
    tree = write(tmp_path / 'HS') / 's1/micro'
    (tree / 'negative/s1_ne_01/image559740.bmp').write_bytes(BMP[:100])
    (tree / 'positive/s1_po_02/image034210.bmp').write_bytes(b'')
    (tree / 'surprise/s1_sur_01/image099999.bmp').unlink()
    clips, rows = layout.read(layout.find(tmp_path), options=ALL_HS)
    assert [(clip.clip, [number for number, _ in clip.frames]) for clip in clips[:2]] == [
        ('s01_po_02', [34208, 34209, 34211]),
        ('s01_sur_01', [99998, 100000, 100001]),
    ]
    gap = 'missing or damaged frames: {}'
    reason = (
        f'onset or offset frame cannot be used: 559740 ({frames.CUT_OFF}); '
        'unpack it again from the release'
    )
    assert statuses(rows) == {
        'HS/s1/micro/negative/s1_ne_01': ('dropped', reason),
        'HS/s1/micro/negative/s1_ne_01/image559740.bmp': ('dropped', frames.CUT_OFF),
        'HS/s1/micro/positive/s1_po_02': ('repaired', gap.format(34210)),
        'HS/s1/micro/positive/s1_po_02/image034210.bmp': ('dropped', 'empty file'),
        'HS/s1/micro/surprise/s1_sur_01': ('repaired', gap.format(99999)),
    }


@pytest.mark.parametrize(
    'path',
    [
        'SMIC-E_raw image/HS_long/SMIC-HS-E/HS/s20/s20_ne_01',
        'SMIC_HS_E/s20/s20_ne_01',
        'SMIC-VIS-E/VIS/s1/micro/negative/s1_ne_01',
    ],
)
def test_long_clips_are_refused_by_name(tmp_path, path):
    """If this fails, six seconds of neutral face are read as one micro-expression."""
    (tmp_path / path).mkdir(parents=True)
    (tmp_path / path / 'image17581039.jpg').write_bytes(cv2.imencode('.jpg', PICTURE)[1].tobytes())
    with pytest.raises(UserError, match='of SMIC-E') as error:
        layout.find(tmp_path)
    assert '\n' not in str(error.value) and str(error.value).endswith(layout.INSTRUCTIONS)


def test_the_sheet_of_the_long_clips_beside_short_clips_does_no_harm(tmp_path):
    """If this fails, a user who put the SMIC-E sheet into the camera folder cannot build."""
    tree = write(tmp_path / 'SMIC_all_raw/HS')
    (tree / 'SMIC-HS-E_annotation_2019.xlsx').write_bytes(b'PK')
    assert len(layout.read(layout.find(tmp_path), options=ALL_HS)[0]) == 5


@pytest.mark.parametrize('made', ['', 'HS', 'HS/s1/micro/negative/s1_ne_01', 'SMIC_all_raw'])
def test_a_folder_without_clips_ends_in_what_to_do(tmp_path, made):
    """If this fails, a user with a wrong path sees a traceback or an empty data set."""
    (tmp_path / made).mkdir(parents=True, exist_ok=True)
    for folder in (tmp_path, tmp_path / 'nowhere'):
        with pytest.raises(UserError) as error:
            layout.find(folder)
        assert str(error.value).endswith(layout.INSTRUCTIONS) and '\n' not in str(error.value)


def test_two_copies_of_a_camera_are_refused(tmp_path):
    """If this fails, which copy is read depends on the names of folders."""
    write(tmp_path / 'a/HS')
    write(tmp_path / 'b/HS')
    with pytest.raises(UserError, match='hold the same camera'):
        layout.read(layout.find(tmp_path), options=ALL_HS)
