"""Frame files: numbers, what a damaged, doubled or oversized file becomes, and grey values computed
by hand.
"""

import os
import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from tfds_builders import frames

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def write(path, image=PICTURE, flags=()):
    """Writes `image` (BGR or grey) in the format of the suffix; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix.lower(), image, list(flags))[1].tobytes())
    return path


def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def hand_made_png(width, height, *, depth, kind, lines, extra=b''):
    """A PNG written without any library; `lines` are the bytes of each row, unfiltered."""
    head = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
    body = zlib.compress(b''.join(b'\0' + line for line in lines))
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head)
        + extra
        + chunk(b'IDAT', body)
        + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize(
    'name, number',
    [
        ('img46.jpg', 46),
        ('reg_img100.jpg', 100),
        ('006_05562.jpg', 5562),
        ('image034208.bmp', 34208),
        ('01234.bmp', 1234),
        ('img_1.jpg', 1),
        ('EP01_5-113.jpg', 113),
        ('img001.JPG', 1),
        ('img0.png', 0),
        ('img7 .jpg', 7),
        ('cover.jpg', -1),
        ('img1 (2).jpg', -1),
        ('img20140508123456.jpg', -1),
        ('img\u0663.jpg', -1),
    ],
)
def test_number_is_the_integer_at_the_end(name, number):
    """If this fails, frames are looked up under wrong numbers, and flow is taken between wrong
    frames.
    """
    assert frames.number(name) == number


def test_whole_files_are_listed_by_number(tmp_path):
    """If this fails, order is that of strings (img100 before img99), or litter and notes count as
    frames.
    """
    for name in ('img9.jpg', 'img10.JPG', 'img100.png', 'img99.jpeg', 'img0101.bmp'):
        write(tmp_path / name)
    for name in ('.DS_Store', '._img9.jpg', 'Thumbs.db', 'readme.txt', 'note7'):
        (tmp_path / name).write_bytes(b'text')
    (tmp_path / 'img5').mkdir()
    files, problems = frames.listing(tmp_path)
    assert list(files) == [9, 10, 99, 100, 101] and problems == []
    assert files[101] == tmp_path / 'img0101.bmp'
    assert list(frames.listing(tmp_path, first=10, last=100)[0]) == [10, 99, 100]
    assert frames.between(files, 10, 99) == (
        (10, tmp_path / 'img10.JPG'),
        (99, tmp_path / 'img99.jpeg'),
    )


def test_every_kind_of_damage_is_named(tmp_path):
    """If this fails, a broken file stops the build with a traceback, or its missing part is filled
    up silently.
    """
    for at in range(4):
        write(tmp_path / f'img{at}.jpg')
    for at, suffix in ((20, 'jpg'), (21, 'png'), (22, 'bmp')):
        path = write(tmp_path / f'img{at}.{suffix}')
        path.write_bytes(path.read_bytes()[:-30])
    for at, keep in ((30, 1), (31, 3), (32, 20), (33, 25)):
        path = write(tmp_path / f'img{at}.jpg')
        path.write_bytes(path.read_bytes()[:keep])
    (tmp_path / 'img40.jpg').write_bytes(b'')
    (tmp_path / 'img41.jpg').write_bytes(b'<html>404</html>')
    (tmp_path / 'img42.jpg').write_bytes(bytes(5000))
    (tmp_path / 'img43.jpg').mkdir()
    (tmp_path / 'img44.jpg').symlink_to(tmp_path / 'nowhere.jpg')
    os.mkfifo(tmp_path / 'img45.jpg')
    write(tmp_path / 'img46.jpg', PICTURE[:10])
    write(tmp_path / 'cover.jpg')
    (tmp_path / 'img47.png').write_bytes(hand_made_png(0, 5, depth=8, kind=0, lines=[]))
    (tmp_path / 'img48.bmp').write_bytes(b'BM' + bytes(10))
    (tmp_path / 'img49.jpg').write_bytes(b'\xff\xd8\xff\xdb\0\x02garbage')
    for name in ('img50.jpg', 'img050.png'):
        write(tmp_path / name)
    files, problems = frames.listing(tmp_path)
    assert list(files) == [0, 1, 2, 3]
    found = {path.name: reason for path, reason in problems}
    assert len(found) == len(problems) == 20
    cut = {f'img{at}' for at in (20, 21, 22, 31, 32, 33, 48)}
    assert {name.split('.')[0] for name, reason in found.items() if reason == frames.CUT_OFF} == cut
    not_images = {name for name, reason in found.items() if reason == frames.NOT_AN_IMAGE}
    assert (
        not_images == {'img30.jpg', 'img41.jpg', 'img42.jpg'} and found['img40.jpg'] == 'empty file'
    )
    assert found['img43.jpg'] == found['img44.jpg'] == found['img45.jpg'] == 'not a file'
    assert found['img46.jpg'].endswith('10x17, most files of its folder have 12x17')
    assert (
        '2 files of the folder have the number 50' in found['img50.jpg']
        and 'number 50' in found['img050.png']
    )
    assert 'frame number' in found['cover.jpg'] and ': 5x0;' in found['img47.png']


def test_a_damaged_double_does_not_take_the_whole_one_with_it(tmp_path):
    """If this fails, an empty leftover beside a frame makes the frame unusable."""
    write(tmp_path / 'img1.jpg')
    (tmp_path / 'img001.jpg').write_bytes(b'')
    files, problems = frames.listing(tmp_path)
    assert files == {1: tmp_path / 'img1.jpg'} and len(problems) == 1


def test_bytes_after_the_end_do_no_harm(tmp_path):
    """If this fails, frames cut out of motion-JPEG streams, padded after their end, are thrown
    away.
    """
    for name, padding in (('img1.jpg', 3), ('img2.png', 60), ('img3.bmp', 2), ('img4.jpg', 9000)):
        path = write(tmp_path / name)
        path.write_bytes(path.read_bytes() + bytes(padding))
    assert list(frames.listing(tmp_path)[0]) == [1, 2, 3, 4]


def test_end_marker_of_a_thumbnail_is_not_the_end(tmp_path):
    """If this fails, a photograph cut off right after its header passes: the preview inside has an
    end marker too.
    """
    data = write(tmp_path / 'img1.jpg').read_bytes()
    preview = b'\xff\xe1' + struct.pack('>H', 2 + len(data)) + data
    with_preview = data[:2] + preview + data[2:]
    (tmp_path / 'img1.jpg').write_bytes(with_preview)
    (tmp_path / 'img2.jpg').write_bytes(with_preview[:-40])
    files, problems = frames.listing(tmp_path)
    assert list(files) == [1] and problems == [(tmp_path / 'img2.jpg', frames.CUT_OFF)]


def test_a_picture_of_900_megapixels_is_refused_from_its_header(tmp_path):
    """If this fails, a file of under 1 MB takes gigabytes of memory."""
    path = tmp_path / 'img1.png'
    path.write_bytes(hand_made_png(30_000, 30_000, depth=1, kind=0, lines=[bytes(3750)] * 30_000))
    assert path.stat().st_size < 1_000_000
    began = time.perf_counter()
    assert frames.listing(tmp_path) == (
        {},
        [(path, 'too many or no pixels: 30000x30000; a frame has 1 to 10 million')],
    )
    with pytest.raises(ValueError, match='30000x30000'):
        frames.read_gray(path)
    assert time.perf_counter() - began < 2  # decoding it takes longer


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.jpg'])
def test_colour_becomes_grey_by_its_weights(tmp_path, suffix):
    """If this fails, colours are weighted in the wrong order, or depend on the file format."""
    path = write(tmp_path / f'img1{suffix}')
    blue, green, red = np.moveaxis(cv2.imread(str(path)).astype(float), 2, 0)
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    grey = frames.read_gray(path)
    assert grey.dtype == np.uint8 and np.abs(grey - expected).max() <= 0.51


def test_depths_palettes_and_transparency(tmp_path):
    """If this fails, a 16-bit picture comes out black or wrapped round, or transparency changes
    grey values.
    """
    deep, shallow = (
        np.array([[0, 128, 129, 257, 65406, 65407, 65535]], np.uint16),
        [[0, 0, 1, 1, 254, 255, 255]],
    )
    assert frames.read_gray(write(tmp_path / 'a.png', deep)).tolist() == shallow
    assert (
        frames.read_gray(write(tmp_path / 'b.png', np.repeat(deep[..., None], 3, 2))).tolist()
        == shallow
    )
    assert np.array_equal(
        frames.read_gray(write(tmp_path / 'c.bmp', PICTURE[..., 0])), PICTURE[..., 0]
    )
    alpha = np.dstack([PICTURE, np.zeros_like(PICTURE[..., 0])])
    plain = frames.read_gray(write(tmp_path / 'd.png'))
    assert np.array_equal(frames.read_gray(write(tmp_path / 'e.png', alpha)), plain)
    palette = chunk(b'PLTE', bytes([255, 255, 255, 255, 0, 0, 0, 0, 0]))
    (tmp_path / 'f.png').write_bytes(
        hand_made_png(3, 1, depth=8, kind=3, lines=[bytes([0, 1, 2])], extra=palette)
    )
    assert frames.read_gray(tmp_path / 'f.png').tolist() == [[255, 76, 0]]
    see_through = palette + chunk(b'tRNS', bytes([0, 0, 0]))
    (tmp_path / 'g.png').write_bytes(
        hand_made_png(3, 1, depth=8, kind=3, lines=[bytes([0, 1, 2])], extra=see_through)
    )
    assert frames.read_gray(tmp_path / 'g.png').tolist() == [[255, 76, 0]]
    (tmp_path / 'h.png').write_bytes(
        hand_made_png(2, 1, depth=8, kind=4, lines=[bytes([70, 0, 90, 255])])
    )
    assert frames.read_gray(tmp_path / 'h.png').tolist() == [[70, 90]]
    (tmp_path / 'i.png').write_bytes(
        hand_made_png(3, 1, depth=1, kind=0, lines=[bytes([0b10100000])])
    )
    assert frames.read_gray(tmp_path / 'i.png').tolist() == [[255, 0, 255]]


def test_bmp_rows_from_the_top_and_old_headers(tmp_path):
    """If this fails, pictures stand on their heads, or old bitmaps are called cut off."""
    # 1 x 2 pixels, rows padded to 4 bytes
    rows = b''.join(bytes([value] * 3) + b'\0' for value in (10, 20))
    head = struct.pack('<2sIHHI', b'BM', 54 + 8, 0, 0, 54)
    for height, expected in ((-2, [[10], [20]]), (2, [[20], [10]])):
        info = struct.pack('<IiiHHIIiiII', 40, 1, height, 1, 24, 0, 0, 0, 0, 0, 0)
        (tmp_path / 'img1.bmp').write_bytes(head + info + rows)
        assert frames.read_gray(tmp_path / 'img1.bmp').tolist() == expected
    old = (
        struct.pack('<2sIHHI', b'BM', 26 + 8, 0, 0, 26)
        + struct.pack('<IHHHH', 12, 1, 2, 1, 24)
        + rows
    )
    (tmp_path / 'img1.bmp').write_bytes(old)
    assert frames.size(tmp_path / 'img1.bmp') == (2, 1)


def test_orientation_tag_is_passed_over(tmp_path):
    """If this fails, frames of one clip are turned by what a camera wrote into their headers."""
    data = write(tmp_path / 'img1.jpg').read_bytes()
    upright = frames.read_gray(tmp_path / 'img1.jpg')
    tag = b'Exif\0\0MM\0*\0\0\0\x08\0\x01' + struct.pack('>HHIHH', 0x0112, 3, 1, 6, 0) + bytes(4)
    (tmp_path / 'img1.jpg').write_bytes(
        data[:2] + b'\xff\xe1' + struct.pack('>H', 2 + len(tag)) + tag + data[2:]
    )
    # the tag is a real one
    assert cv2.imread(str(tmp_path / 'img1.jpg'), 0).shape == upright.shape[::-1]
    assert np.array_equal(frames.read_gray(tmp_path / 'img1.jpg'), upright)


def test_undecodable_pixels_are_a_reason(tmp_path):
    """If this fails, a picture with a good header and rubbish inside reaches the flow as black or
    grey.
    """
    head = struct.pack('>IIBBBBB', 4, 4, 8, 0, 0, 0, 0)
    data = (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head)
        + chunk(b'IDAT', b'rubbish')
        + chunk(b'IEND', b'')
    )
    (tmp_path / 'img1.png').write_bytes(data)
    with pytest.raises(ValueError, match='damaged'):
        frames.read_gray(tmp_path / 'img1.png')


def test_thousands_of_files_take_seconds(tmp_path):
    """If this fails, every start of a build waits minutes before it says anything."""
    data = write(tmp_path / 'img0.jpg', np.zeros((480, 640, 3), np.uint8)).read_bytes()
    for at in range(1, 2000):
        (tmp_path / f'img{at}.jpg').write_bytes(data)
    began = time.perf_counter()
    files, problems = frames.listing(tmp_path)
    assert len(files) == 2000 and not problems
    assert time.perf_counter() - began < 10  # 0.14 s on an idle core
