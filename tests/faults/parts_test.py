"""Releases in several folders, and builds that lose clips."""

import csv
import os
import shutil
from pathlib import Path

import pytest

import tfds_builders
from mer_jax import machine
from mer_jax.errors import UserError
from tests.faults.releases import Copy
from tfds_builders import audit


def split(copy, parts, of_folder=lambda folder: folder.parent):
    """Moves every second subject, or what `of_folder` returns, into the folders `parts`."""
    folders = sorted({of_folder(copy.place(clip)) for clip in copy.clips})
    root = copy.folder / copy.written.images.relative_to(copy.written.folder)
    for index, folder in enumerate(folders):
        target = copy.folder / parts[index % len(parts)] / folder.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)


JOINED = {  # name -> (release, layout, folders that hold the parts)
    'two parts': ('casme2', 'cropped', ('Cropped_part1', 'Cropped_part2')),
    'each below a folder': ('casme2', 'cropped', ('disk 1/Cropped', 'disk 2/x/Cropped')),
    'three parts': ('casme2', 'selected', ('a_selected', 'b_selected', 'c/selected')),
    'recordings': ('casme2', 'raw', ('CASME2_RAW.001/CASME2-RAW', 'CASME2_RAW.002/CASME2-RAW')),
    'SAMM': ('samm', 'raw', ('SAMM_a', 'SAMM_b')),
    'SMIC': ('smic', 'cropped', ('part1/SMIC_all_cropped/HS', 'part2/SMIC_all_cropped/HS')),
    'named like subjects': ('casme2', 'cropped', ('1', '2')),
    'named like subjects, a level up': ('casme2', 'selected', ('01/selected', '02/selected')),
    'subjects and parts without prefix': ('casme2', 'cropped_updated', ('Cropped/1', 'Cropped/2')),
    'one beside the other': ('casme2', 'cropped', ('Cropped', 'Cropped/2')),
    'named like videos': ('casme2', 'cropped', ('01_2019', '02_2019')),
    'another case': ('casme2', 'cropped', ('CROPPED_1', 'cropped_2/Cropped')),
    'SAMM named like subjects': ('samm', 'raw', ('001', '002')),
    'SMIC named like subjects': ('smic', 'cropped', ('s1/HS', 's2/SMIC_all_cropped/HS')),
    'CAS(ME)^2 named like subjects': ('casme_squared', 'rawpic', ('1/rawpic', '2/rawpic')),
    'clips of CAS(ME)^2 by number': ('casme_squared', 'selectedpic', ('1', '2')),
    'SMIC by letters': ('smic', 'raw', ('SMIC_all_raw/HS_a', 'SMIC_all_raw/HS_b')),
    'SMIC beside each other': ('smic', 'raw', ('SMIC_all_raw/HS', 'SMIC_all_raw/HS_part2')),
    'CAS(ME)^2': ('casme_squared', 'rawpic', ('CAS(ME)^2/rawpic_1', 'CAS(ME)^2/rawpic_2')),
    'clips of CAS(ME)^2': ('casme_squared', 'selectedpic', ('selected_1', 'selected_2')),
}


@pytest.mark.parametrize('case', JOINED)
def test_parts_are_one_release(case, tmp_path):
    """If this fails, half of a release is dropped because its archive had two parts."""
    name, layout, parts = JOINED[case]
    copy = Copy(tmp_path, name, layout)
    root = copy.folder / copy.written.images.relative_to(copy.written.folder)
    up = (lambda folder: folder.parents[2]) if name == 'smic' else (lambda folder: folder.parent)
    split(copy, parts, up)
    if root not in [copy.folder / part for part in parts]:
        shutil.rmtree(root, ignore_errors=True)
    clips, rows = copy.read()
    assert set(clips) == set(copy.clips)
    copy.assert_right_frames(clips)
    assert not [row for row in rows if row.status in ('error', 'dropped') and row.clip in clips]


@pytest.mark.parametrize('part', ['second/subjects', 'SMIC_all_cropped/rest', '2'])
def test_a_part_of_smic_whose_camera_cannot_be_seen_is_named(part, tmp_path):
    """If this fails, half of SMIC is gone: it has no sheet that would miss it."""
    copy = Copy(tmp_path, 'smic')
    split(copy, ('SMIC_all_cropped/HS', part), lambda folder: folder.parents[2])
    clips, rows = copy.read()
    lost = {row.clip for row in rows if row.status == 'dropped' and 'HS, VIS or NIR' in row.reason}
    assert set(clips) | lost == set(copy.clips) and lost and set(clips)
    assert f'{len(lost)} of {len(copy.clips)}' in audit.loss(rows)


LINKED = {  # name -> (where a link is put, what it leads to, below the copy)
    'to the tree': ('other', 'CASME2_preprocessed_Li Xiaobai/Cropped'),
    'before the tree': ('A', 'CASME2_preprocessed_Li Xiaobai'),
    'in a circle': ('CASME2_preprocessed_Li Xiaobai/again', '.'),
    'to the folder above': ('up', '..'),
    'to nothing': ('gone', 'nothing'),
}


@pytest.mark.parametrize('case', LINKED)
def test_links_are_no_second_copy(case, tmp_path):
    """If this fails, a link to a release beside it is an overlap, or a circle is searched."""
    link, target = LINKED[case]
    copy = Copy(tmp_path, 'casme2')
    clips, rows = copy.read()
    (copy.folder / link).symlink_to(copy.folder / target)
    assert copy.read() == (clips, rows)


def test_parts_on_other_disks_are_linked(tmp_path):
    """If this fails, a part that lies elsewhere is not read."""
    copy = Copy(tmp_path, 'casme2')
    clips, _ = copy.read()
    split(copy, ('Cropped_1', 'Cropped_2'))
    (copy.folder / 'Cropped_2').rename(tmp_path / 'disk')
    (copy.folder / '2').symlink_to(tmp_path / 'disk')
    assert set(copy.read()[0]) == set(clips)


def same_clip(copy, part):
    """One clip lies in a second folder, too."""
    clip = sorted(copy.clips)[0]
    source = copy.place(clip)
    root = copy.folder / copy.written.images.relative_to(copy.written.folder)
    shutil.copytree(source, copy.folder / part / source.relative_to(root), copy_function=os.link)
    return clip


OVERLAPS = {  # name -> (release, layout, folder of the second copy)
    'crops': ('casme2', 'cropped', 'Cropped_small'),
    'whole frames': ('casme2', 'selected', 'old/CASME2_RAW_selected'),
    'SAMM': ('samm', 'raw', 'SAMM_new'),
    'SMIC': ('smic', 'cropped', 'copy/SMIC_all_cropped/HS'),
    'recordings of CAS(ME)^2': ('casme_squared', 'rawpic', 'CAS(ME)^2/rawpic_2'),
    'clips of CAS(ME)^2': ('casme_squared', 'selectedpic', 'CAS(ME)^2/selectedpic (1)'),
}


@pytest.mark.parametrize('case', OVERLAPS)
def test_parts_that_overlap_are_refused(case, tmp_path):
    """If this fails, which of two copies of a clip is read depends on their names."""
    name, layout, part = OVERLAPS[case]
    copy = Copy(tmp_path, name, layout)
    clip = same_clip(copy, part)
    with pytest.raises(UserError, match='keep one of') as error:
        copy.read()
    folder = clip if name == 'smic' else copy.place(clip).name
    assert part in str(error.value) and folder in str(error.value)


def test_an_empty_folder_of_a_clip_is_no_second_copy(tmp_path):
    """If this fails, a part that begins with an empty folder stops the build."""
    copy = Copy(tmp_path, 'casme2')
    split(copy, ('Cropped_1', 'Cropped_2'))
    for number in (1, 2):
        for clip in ('sub01/EP02_01f', 'sub02/EP01_11f'):
            (copy.folder / f'Cropped_{number}' / clip).mkdir(parents=True, exist_ok=True)
    assert set(copy.read()[0]) == set(copy.clips)


def prepare(copy, tmp_path, name='casme2/video', **more):
    return tfds_builders.prepare(
        name, data_dir=tmp_path / 'data', manual_dir=copy.folder, progress=False, **more
    )


LOST = {  # name -> (clips without a folder, clips with a damaged onset, warned of)
    'one of twelve': (1, 0, False),
    'two of twelve': (2, 0, True),
    'a folder and a damaged clip': (1, 1, True),
    'damaged clips': (0, 2, True),
    'half': (6, 0, True),
}


@pytest.mark.parametrize('case', LOST)
def test_a_build_that_loses_clips_says_so(case, tmp_path, capsys, monkeypatch):
    """If this fails, a tenth of the clips and more are gone and nobody is told."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    gone, damaged, warned = LOST[case]
    copy = Copy(tmp_path, 'casme2')
    clips = sorted(copy.clips)
    for clip in clips[:gone]:
        shutil.rmtree(copy.place(clip))
    for clip in clips[gone : gone + damaged]:
        path = copy.files(clip)[0]
        path.unlink()
        path.write_bytes(b'')
    strict = tmp_path / 'strict'
    if warned:
        with pytest.raises(UserError, match=f'{gone + damaged} of 12 annotated clips') as error:
            tfds_builders.prepare(
                'casme2/video', data_dir=strict, manual_dir=copy.folder, progress=False, strict=True
            )
        (table,) = strict.rglob('audit.csv')
        assert str(table) in str(error.value) and clips[0] in table.read_text()
    capsys.readouterr()
    builder = prepare(copy, tmp_path, strict=not warned)
    text = capsys.readouterr().err
    assert builder.info.splits['train'].num_examples == 12 - gone - damaged
    assert ('WARNING' in text) == warned == ('data.strict' in text)
    with open(Path(builder.data_dir) / 'audit.csv', newline='') as file:
        dropped = [row for row in csv.DictReader(file) if row['status'] == 'dropped']
    assert {row['clip'] for row in dropped} == set(clips[: gone + damaged])
    if warned:  # what is built stays so
        with pytest.raises(UserError, match='strict'):
            prepare(copy, tmp_path, strict=True)


def test_what_a_setting_leaves_out_is_no_loss(tmp_path, capsys, monkeypatch):
    """If this fails, every build of CAS(ME)^2 warns of its macro-expressions."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    prepare(Copy(tmp_path, 'casme_squared'), tmp_path, 'casme_squared/video', strict=True)
    assert 'WARNING' not in capsys.readouterr().err
