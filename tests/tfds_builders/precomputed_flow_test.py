"""precomputed_flow: layout, channel order, clip names, and every file that must stop the build."""

import csv
import shutil
import struct
import zlib

import cv2
import numpy as np
import pytest

import tfds_builders
from mer_jax.errors import UserError
from tests.support import fake_raw
from tfds_builders.precomputed_flow import layout, png

NEGATIVE = '006/u_test/0/006_006_1_1 .png'


def prepare(tmp_path, **kwargs):
    kwargs = {
        'data_dir': tmp_path / 'data',
        'manual_dir': tmp_path / 'raw',
        'progress': False,
        **kwargs,
    }
    return tfds_builders.prepare('precomputed_flow', **kwargs)


def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def hand_made_png(rows, *, width, height, depth=8, kind=2):
    """A PNG written without any library: `rows` are the bytes of each line, unfiltered."""
    head = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
    body = zlib.compress(b''.join(b'\0' + row for row in rows))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', body) + chunk(b'IEND', b'')


def test_build_equals_what_was_written(tmp_path):
    """If this fails, clips, labels, data sets or pixels do not arrive as they lie on disk, or their
    order varies.
    """
    truth = fake_raw.write_precomputed_flow(tmp_path / 'raw')
    examples = list(tfds_builders.records(prepare(tmp_path)))
    assert [example['clip'] for example in examples] == sorted(truth)
    for example in examples:
        subject, emotion, image = truth[example['clip']]
        assert (example['subject'], example['emotion']) == (subject, emotion)
        assert example['flow'].dtype == np.uint8 and np.array_equal(example['flow'], image)
        assert example['dataset'] == {'0': 'samm', 's': 'smic'}.get(
            subject.replace('sub', 'x')[0], 'casme2'
        )
        assert not example['action_units_known'] and example['action_units'] == ''
        assert (example['onset'], example['apex'], example['offset']) == (-1, -1, -1)
        assert (example['apex_source'], example['fps']) == ('unknown', 0)


def test_channels_are_u_v_strain(tmp_path):
    """If this fails, models get strain where they expect horizontal flow: OpenCV's BGR order leaked
    through.
    """
    fake_raw.write_precomputed_flow(tmp_path / 'raw', subjects={'s01': (1, 0, 0)})
    file = tmp_path / 'raw/norm_u_v_os/s01/u_test/0/s01_s01_ne_01 .png'
    file.write_bytes(
        hand_made_png([bytes([10, 20, 30]) * 27 + bytes([40, 50, 60])] * 28, width=28, height=28)
    )
    (example,) = tfds_builders.records(prepare(tmp_path))
    assert example['flow'][5, 0].tolist() == [10, 20, 30]  # red = u, green = v, blue = strain
    assert example['flow'][5, 27].tolist() == [40, 50, 60]
    assert cv2.imread(str(file))[5, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize(
    'subject, name, expected',
    [
        ('006', '006_006_1_2 ', '006_1_2'),
        ('006', '006_006_1_2', '006_1_2'),
        ('s01', 's01_s01_ne_01 ', 's01_ne_01'),
        ('sub01', 'sub01_EP02_01f ', 'sub01_EP02_01f'),
        ('sub01', 'sub01_sub01_EP02_01f ', 'sub01_EP02_01f'),
        ('006', '007_007_1_2 ', ''),
        ('006', '006_ ', ''),
        ('006', '006', ''),
        ('006', '006_1 2', ''),
    ],
)
def test_clip_id(subject, name, expected):
    """If this fails, clip ids are no longer unique over the three data sets, or a foreign file is
    taken in.
    """
    assert layout.clip_id(subject, name) == expected


def test_names_without_blank_and_both_folders_give_the_same_data(tmp_path):
    """If this fails, a user who repaired the names, or points at norm_u_v_os itself, is refused or
    gets other data.
    """
    fake_raw.write_precomputed_flow(tmp_path / 'raw')
    fake_raw.write_precomputed_flow(tmp_path / 'repaired', blank='')
    outer = prepare(tmp_path)
    inner = prepare(tmp_path, manual_dir=tmp_path / 'raw/norm_u_v_os', data_dir=tmp_path / 'data2')
    repaired = prepare(tmp_path, manual_dir=tmp_path / 'repaired', data_dir=tmp_path / 'data3')
    assert outer.info.metadata['fingerprint'] == inner.info.metadata['fingerprint']
    flows = [
        [example['flow'] for example in tfds_builders.records(builder)]
        for builder in (outer, inner, repaired)
    ]
    assert np.array_equal(flows[0], flows[1]) and np.array_equal(flows[0], flows[2])


def test_litter_and_u_train_are_ignored_and_audited(tmp_path):
    """If this fails, a .DS_Store stops a build, u_train leaks into it, or audit.csv does not say
    what happened.
    """
    truth = fake_raw.write_precomputed_flow(tmp_path / 'raw')
    builder = prepare(tmp_path)
    with open(f'{builder.data_dir}/audit.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert (
        sum(row['status'] == 'used' for row in rows)
        == len(truth)
        == builder.info.splits['train'].num_examples
    )
    ignored = {row['file'] for row in rows if row['status'] == 'ignored'}
    assert {'Thumbs.db', '006/.DS_Store', '006/u_train', 'sub01/u_train'} <= ignored
    assert not [row for row in rows if row['status'] == 'error']


def write(name):
    """A mistake that writes an image of the given kind over the first clip."""
    grey = np.zeros((28, 28), np.uint8)
    kinds = {
        'wide': lambda: hand_made_png([bytes(87)] * 28, width=29, height=28),
        'grey': lambda: hand_made_png([bytes(28)] * 28, width=28, height=28, kind=0),
        'rgba': lambda: hand_made_png([bytes(112)] * 28, width=28, height=28, kind=6),
        '16bit': lambda: cv2.imencode('.png', np.zeros((28, 28, 3), np.uint16))[1].tobytes(),
        'huge': lambda: hand_made_png([bytes(8)], width=30000, height=30000),
        'jpeg': lambda: cv2.imencode('.jpg', grey)[1].tobytes(),
        'empty': lambda: b'',
        'few lines': lambda: hand_made_png([bytes(84)] * 3, width=28, height=28, depth=8),
    }
    return lambda root: (root / NEGATIVE).write_bytes(kinds[name]())


def cut(size):
    return lambda root: (root / NEGATIVE).write_bytes((root / NEGATIVE).read_bytes()[:size])


def flip_byte(root):
    data = bytearray((root / NEGATIVE).read_bytes())
    data[len(data) // 2] ^= 1
    (root / NEGATIVE).write_bytes(data)


def copy_to(target):
    def mistake(root):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / NEGATIVE, root / target)

    return mistake


MISTAKES = {
    'size': (write('wide'), NEGATIVE, '28x29 pixels; must be a 28x28 8-bit RGB PNG'),
    'grey': (write('grey'), NEGATIVE, '8-bit grey; must be'),
    'alpha': (write('rgba'), NEGATIVE, '8-bit RGBA; must be'),
    '16 bit': (write('16bit'), NEGATIVE, '16-bit RGB; must be'),
    'huge': (write('huge'), NEGATIVE, '30000x30000 pixels; must be'),
    'jpeg': (write('jpeg'), NEGATIVE, 'not a PNG'),
    'empty': (write('empty'), NEGATIVE, 'not a PNG'),
    'cut in header': (cut(20), NEGATIVE, 'not a PNG, or cut off in its header'),
    'cut in pixels': (cut(1000), NEGATIVE, 'cut off or damaged after'),
    'cut at the end': (cut(-12), NEGATIVE, 'cut off or damaged after'),
    'few lines': (write('few lines'), NEGATIVE, 'damaged: its pixels cannot be decoded'),
    'one bit': (flip_byte, NEGATIVE, 'cut off or damaged after'),
    'class': (
        copy_to('006/u_test/3/006_006_1_9 .png'),
        '006/u_test/3',
        'a class folder is 0 (negative)',
    ),
    'class name': (
        copy_to('006/u_test/happy/006_006_1_9 .png'),
        '006/u_test/happy',
        'a class folder is 0',
    ),
    'other subject': (
        copy_to('s01/u_test/0/006_006_1_9 .png'),
        's01/u_test/0/006_006_1_9 .png',
        'must be named s01_',
    ),
    'no PNG': (
        copy_to('006/u_test/0/006_006_1_9 .jpg'),
        '006/u_test/0/006_006_1_9 .jpg',
        'must be named 006_<clip>',
    ),
    'same clip': (
        copy_to('006/u_test/0/006_006_1_1.png'),
        '006/u_test/0/006_006_1_1.png',
        'same clip 006_1_1 as',
    ),
    'two classes': (
        copy_to('006/u_test/2/006_006_1_1 .png'),
        '006/u_test/2/006_006_1_1 .png',
        'one of the two must',
    ),
    'stray at top': (copy_to('notes.txt'), 'notes.txt', 'stray file; only a subject folder'),
    'stray in subject': (copy_to('006/a.png'), '006/a.png', 'stray file; only u_test and u_train'),
    'stray in u_test': (
        copy_to('006/u_test/a.png'),
        '006/u_test/a.png',
        'stray file; only class folders',
    ),
    'folder': (
        lambda root: (root / '006/u_test/0/006_x.png').mkdir(),
        '006/u_test/0/006_x.png',
        'not a file',
    ),
    'strange folder': (
        lambda root: (root / '006/test').mkdir(),
        '006/test',
        'only u_test and u_train',
    ),
    'empty subject': (
        lambda root: (root / '007/u_test/0').mkdir(parents=True),
        '007',
        'subject without a clip',
    ),
    'unpadded': (copy_to('6/u_test/0/6_6_1_1 .png'), '6', 'a subject is named 006 (SAMM)'),
    'unknown subject': (
        copy_to('spNO.1/u_test/0/a.png'),
        'spNO.1',
        'a subject is named 006 (SAMM)',
    ),
}


@pytest.mark.parametrize('mistake, file, reason', MISTAKES.values(), ids=MISTAKES)
def test_mistakes_stop_the_build_with_one_line(tmp_path, mistake, file, reason):
    """If this fails, a damaged or misplaced file gets into the data, or the user is not told which
    one and why.
    """
    total = len(fake_raw.write_precomputed_flow(tmp_path / 'raw'))
    mistake(tmp_path / 'raw/norm_u_v_os')
    with pytest.raises(UserError) as caught:
        prepare(tmp_path)
    message, table = str(caught.value), tmp_path / 'data/precomputed_flow/audit.csv'
    assert '\n' not in message and f'the first is {file!r}: ' in message and reason in message
    assert f': 1 of {total} files' in message or f': 1 of {total + 1} files' in message
    assert str(table) in message
    with open(table, newline='', encoding='utf-8') as opened:
        errors = [row for row in csv.DictReader(opened) if row['status'] == 'error']
    assert [row['file'] for row in errors] == [file] and reason in errors[0]['reason']
    assert sorted(path.name for path in table.parent.iterdir()) == ['audit.csv']


def test_all_errors_are_counted_and_a_repaired_folder_builds(tmp_path):
    """If this fails, users mend files one at a time, or an old failure's audit.csv stays beside a
    good build.
    """
    truth = fake_raw.write_precomputed_flow(tmp_path / 'raw')
    root = tmp_path / 'raw/norm_u_v_os'
    good = (root / NEGATIVE).read_bytes()
    write('grey')(root)
    copy_to('notes.txt')(root)
    with pytest.raises(UserError, match=f': 2 of {len(truth) + 1} files'):
        prepare(tmp_path)
    (root / NEGATIVE).write_bytes(good)
    (root / 'notes.txt').unlink()
    assert prepare(tmp_path).info.splits['train'].num_examples == len(truth)
    assert not (tmp_path / 'data/precomputed_flow/audit.csv').exists()


def test_huge_picture_is_never_decoded(tmp_path, monkeypatch):
    """If this fails, one file that announces 30,000 x 30,000 pixels takes gigabytes of memory."""
    file = tmp_path / 'huge.png'
    file.write_bytes(hand_made_png([bytes(8)], width=30000, height=30000))
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ValueError, match='30000x30000 pixels'):
        png.read_rgb(file, height=28, width=28)
