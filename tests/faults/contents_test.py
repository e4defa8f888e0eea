"""What a message names where a release holds no frames."""

import os
import shutil

import pytest

from mer_jax.errors import UserError
from tests.faults.releases import Copy


def images(copy):
    return copy.folder / copy.written.images.relative_to(copy.written.folder)


def replaced(pattern):
    """Every picture of every clip gets another name."""

    def change(copy):
        for clip in copy.clips:
            for index, path in enumerate(copy.files(clip)):
                path.rename(path.with_name(pattern.format(index)))

    return change


def one_file_a_clip(pattern):
    """One file in place of the folder of each clip."""

    def change(copy):
        for clip in copy.clips:
            place = copy.place(clip)
            shutil.rmtree(place)
            place.with_name(pattern.format(place.name)).write_bytes(b'x')

    return change


def a_level_more(copy):
    for clip in copy.clips:
        inner = copy.place(clip) / 'frames'
        inner.mkdir()
        for path in copy.files(clip):
            path.rename(inner / path.name)


def class_first(copy):
    """<emotion>/<subject>_<clip>/<frames>"""
    for clip, own in copy.clips.items():
        target = images(copy).with_name('by_class') / own.emotion / own.clip
        target.parent.mkdir(parents=True, exist_ok=True)
        copy.place(clip).rename(target)
    shutil.rmtree(images(copy))


def class_before_subject(copy):
    """<emotion>/<subject>/<clip>/<frames>, of SMIC"""
    for clip, own in copy.clips.items():
        place = copy.place(clip)
        target = images(copy) / own.emotion / place.parents[2].name / place.name
        target.parent.mkdir(parents=True, exist_ok=True)
        place.rename(target)
    for path in images(copy).glob('s*'):
        shutil.rmtree(path)


def without_clip_folders(copy):
    for clip in copy.clips:
        place = copy.place(clip)
        for path in copy.files(clip):
            path.rename(place.parent / f'{place.name}_{path.name}')
        place.rmdir()


def archives(copy):
    shutil.rmtree(images(copy))
    (images(copy).parent / 'Cropped.zip').write_bytes(b'PK')


CASES = {  # name -> (release, what became of its frames, what the message names)
    'videos': ('casme2', one_file_a_clip('{}.avi'), ('12 videos', 'EP02_01f.avi')),
    'videos of CAS(ME)^2': ('casme_squared', one_file_a_clip('{}.MP4'), ('videos', '.MP4')),
    'tif': ('casme2', replaced('img{}.tif'), ('another format', '.tif', 'jpg, png and bmp')),
    'arrays': ('samm', replaced('{}.npy'), ('another format', '.npy')),
    'JPEG by another name': ('casme2', replaced('img{}.jfif'), ('another format', '.jfif')),
    'no suffix': ('samm', replaced('006_{:05d}'), ('other files as', '006_00000')),
    'another name': ('casme2', replaced('frame-{}x.jpg'), ('pictures as', 'other names')),
    'a level more': ('casme2', a_level_more, ('EP02_01f/frames/', "'frames' is a level too many")),
    'a level more in SAMM': ('samm', a_level_more, ("'frames' is a level too many",)),
    'a level more in SMIC': ('smic', a_level_more, ("'frames' is a level too many",)),
    'class first': ('casme2', class_first, ('sorted by class first', 'disgust')),
    'class first in SMIC': ('smic', class_before_subject, ('sorted by class first', 'negative')),
    'no clip folders': ('casme2', without_clip_folders, ('without a folder for each clip',)),
    'archives': ('casme2', archives, ('1 archives as', 'Cropped.zip', 'unpacked')),
    'nothing': ('samm', lambda copy: shutil.rmtree(images(copy)), ('there is',)),
}


@pytest.mark.parametrize('case', CASES)
def test_no_frames_names_what_is_there(case, tmp_path):
    """If this fails, a user with thousands of pictures reads that there are none."""
    name, change, words = CASES[case]
    copy = Copy(tmp_path, name)
    for own in copy.written.clips.values():
        if own.kind == 'macro':
            place = copy.folder / own.folder.relative_to(copy.written.folder)
            shutil.rmtree(place, ignore_errors=True)
    for path in copy.folder.rglob('non_micro'):
        shutil.rmtree(path)
    change(copy)
    with pytest.raises(UserError, match='holds no') as error:
        copy.read()
    text = str(error.value)
    assert all(word in text for word in words) and '\n' not in text, text


def test_classes_above_whole_subjects_are_parts_of_one_release(tmp_path):
    """If this fails, only the clips of the largest class are read."""
    copy = Copy(tmp_path, 'casme2')
    for clip, own in copy.clips.items():
        place = copy.place(clip)
        target = copy.folder / 'by_class' / own.emotion / place.parent.name / place.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(place, target)
    shutil.rmtree(images(copy))
    clips, _ = copy.read()
    assert set(clips) == set(copy.clips)


def test_a_clip_without_frames_names_what_its_folder_holds(tmp_path):
    """If this fails, a clip that is there as .tif or one level deeper is dropped without a hint."""
    copy = Copy(tmp_path, 'casme2')
    for path in copy.files('sub01_EP02_01f'):
        path.rename(path.with_suffix('.tiff'))
    inner = copy.place('sub01_EP03_02') / 'a'
    inner.mkdir()
    for path in copy.files('sub01_EP03_02'):
        path.rename(inner / path.name)
    clips, rows = copy.read()
    dropped = {row.clip: row.reason for row in rows if row.status == 'dropped'}
    assert len(clips) == 10 and set(dropped) == {'sub01_EP02_01f', 'sub01_EP03_02'}
    assert '9 pictures of another format as reg_img46.tiff' in dropped['sub01_EP02_01f']
    assert '8 pictures as a/reg_img' in dropped['sub01_EP03_02']
