"""Faults of files: what happens to a clip folder on its way to a user. Each is a name, alone or
with a place.

'truncated' spoils a frame that is neither onset, apex nor offset; 'truncated:apex' that key frame;
'truncated:57' frame 57.
"""

import shutil

import cv2
import numpy as np

from tests.support.fake_raw import pictures


def missing(path):
    """The file is not there."""
    path.unlink()


def truncated(path):
    """The second half of the file is lost, as by a broken download."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def tail_lost(path):
    """The last 40 bytes are lost: the header is whole."""
    path.write_bytes(path.read_bytes()[:-40])


def zero_bytes(path):
    """A file of length 0."""
    path.write_bytes(b'')


def not_an_image(path):
    """An error page under the name of a picture."""
    path.write_bytes(b'<html><body>404 not found</body></html>')


def png16(path):
    """The frame as 16-bit grey PNG, its brightness kept: 257 times the 8-bit value."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    path.with_suffix('.png').write_bytes(pictures.encode('.png', grey.astype(np.uint16) * 257))
    path.unlink()


def wrong_suffix(path):
    """JPEG or BMP bytes in a file that calls itself .png."""
    path.rename(path.with_suffix('.png'))


def two_of_a_number(path):
    """img46.jpg gets a neighbour img0000046.jpg with other pixels."""
    stem = path.stem.rstrip('0123456789')
    digits = path.stem[len(stem) :]
    other = 255 - cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    path.with_name(f'{stem}{digits.zfill(9)}{path.suffix}').write_bytes(
        pictures.encode(path.suffix, other)
    )


def misnamed(path):
    """img46.jpg -> 'img46 copy.jpg': the name does not end in a number any more."""
    path.rename(path.with_name(f'{path.stem} copy{path.suffix}'))


def other_size(path):
    """The frame is two pixels wider than the others."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    wider = cv2.copyMakeBorder(image, 0, 0, 0, 2, cv2.BORDER_REPLICATE)
    path.write_bytes(pictures.encode(path.suffix, wider))


def giant(path):
    """A PNG whose header claims 100000 x 100000 pixels."""
    path.with_suffix('.png').write_bytes(pictures.giant_png())
    path.unlink()


def litter(path):
    """What operating systems and users leave behind; nothing of it is a frame."""
    folder = path.parent
    for name in ('.DS_Store', 'Thumbs.db', 'desktop.ini', f'._{path.name}', 'notes.txt'):
        (folder / name).write_bytes(b'\0\1\2\3')
    (folder / '__MACOSX').mkdir()
    (folder / '__MACOSX' / path.name).write_bytes(b'\0\1\2\3')


def missing_folder(path):
    """The whole clip folder is not there."""
    shutil.rmtree(path.parent)


def empty_folder(path):
    """The clip folder holds nothing."""
    shutil.rmtree(path.parent)
    path.parent.mkdir()


FILES = {
    fault.__name__: fault
    for fault in (
        missing,
        truncated,
        tail_lost,
        zero_bytes,
        not_an_image,
        png16,
        wrong_suffix,
        two_of_a_number,
        misnamed,
        other_size,
        giant,
        litter,
        missing_folder,
        empty_folder,
    )
}


def spoil(names, paths, keys):
    """Injects the file faults among `names` into one clip; paths: {number: Path}, keys: {'onset':
    number, ...}.
    """
    for name in names:
        fault, _, place = name.partition(':')
        if fault in FILES:
            middle = [n for n in sorted(paths) if n not in keys.values()]
            number = (
                keys[place] if place in keys else int(place) if place else middle[len(middle) // 2]
            )
            FILES[fault](paths[number])
