"""Building on first use: reuse, fingerprints, rebuilds, kills, and one line for every mistake of
the caller's.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfds_builders
from mer_jax.errors import UserError
from mer_jax.preprocess.synthetic.plans import PLANS
from tests.support import fake_raw
from tfds_builders import build

NEGATIVE = 'norm_u_v_os/006/u_test/0/006_006_1_1 .png'
Builder = tfds_builders.BUILDERS['precomputed_flow']


@pytest.fixture
def raw(tmp_path):
    fake_raw.write_precomputed_flow(tmp_path / 'raw')
    return tmp_path / 'raw'


@pytest.fixture
def prepare(tmp_path, raw):
    def call(**kwargs):
        kwargs = {'data_dir': tmp_path / 'data', 'manual_dir': raw, 'progress': False, **kwargs}
        return tfds_builders.prepare('precomputed_flow', **kwargs)

    return call


@pytest.fixture
def target(tmp_path):
    return tmp_path / 'data/precomputed_flow/2.0.0'


def flows(builder):
    return [example['flow'].tobytes() for example in tfds_builders.records(builder, ['flow'])]


def change_pixels(raw):
    """Other content under the same name; fake_raw's seed decides the pixels."""
    fake_raw.write_precomputed_flow(raw, seed=1)


def run_python(code):
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, '-c', code], cwd=root, check=False, capture_output=True, text=True
    )


def refused(call, *parts, **kwargs):
    with pytest.raises(UserError) as caught:
        call(**kwargs)
    assert '\n' not in str(caught.value)
    for part in parts:
        assert str(part) in str(caught.value), str(caught.value)


def test_second_use_reuses_the_build(prepare, target, monkeypatch):
    """If this fails, every run builds its data again."""
    prepare()
    monkeypatch.setattr(
        Builder, 'download_and_prepare', lambda *_, **__: pytest.fail('built again')
    )
    before = (target / 'dataset_info.json').stat().st_mtime_ns
    assert len(flows(prepare())) == len(flows(prepare(manual_dir=''))) == 14
    assert (target / 'dataset_info.json').stat().st_mtime_ns == before


@pytest.mark.parametrize(
    'name, parts',
    [
        ('casme9', ["unknown data set 'casme9'", 'known: ', 'precomputed_flow']),
        ('precomputed_flo', ["did you mean 'precomputed_flow'?"]),
        (
            'precomputed_flow/tiny',
            ["unknown config 'tiny' of data set precomputed_flow", 'known: none'],
        ),
        ('', ["unknown data set ''"]),
    ],
)
def test_unknown_names(tmp_path, name, parts):
    """If this fails, a typing error ends in a traceback instead of the list of names."""
    refused(lambda: tfds_builders.prepare(name, data_dir=tmp_path), *parts)


def test_manual_dir_mistakes(prepare, tmp_path):
    """If this fails, a user who forgot or mistyped manual_dir is not told what to pass and what it
    must hold.
    """
    file = tmp_path / 'file'
    file.write_text('')
    (tmp_path / 'bare').mkdir()
    layout = 'norm_u_v_os with <subject>/u_test/<0, 1 or 2>'
    refused(prepare, 'pass --config.data.manual_dir=FOLDER', layout, manual_dir='')
    refused(prepare, tmp_path / 'none', 'does not exist', layout, manual_dir=tmp_path / 'none')
    refused(prepare, file, 'is not a folder', layout, manual_dir=file)
    refused(
        prepare, tmp_path / 'bare', 'does not hold the files', layout, manual_dir=tmp_path / 'bare'
    )
    (tmp_path / 'bare/norm_u_v_os').mkdir()
    refused(prepare, 'norm_u_v_os is empty', layout, manual_dir=tmp_path / 'bare')


def test_mistyped_manual_dir_is_refused_although_a_build_exists(prepare, tmp_path):
    """If this fails, a wrong manual_dir is silently answered with an old build."""
    prepare()
    refused(prepare, 'does not exist', manual_dir=tmp_path / 'none')


def test_data_dir_mistakes(prepare, tmp_path):
    """If this fails, a data folder that cannot be written ends in a traceback."""
    (tmp_path / 'file').write_text('')
    refused(
        prepare,
        f'--config.data.data_dir={tmp_path / "file"}',
        'Not a directory',
        data_dir=tmp_path / 'file',
    )
    refused(prepare, 'must be a folder of this machine', data_dir='gs://bucket/data')


def test_full_disk_is_one_line(prepare, target, monkeypatch):
    """If this fails, a full disk shows a traceback of the record writer, or leaves half a build."""

    def full(*_, **__):
        raise RuntimeError(
            'Failed to finalize writing of split "train": write() failed: No space left on '
            'device; ...'
        )

    monkeypatch.setattr(Builder, 'download_and_prepare', full)
    refused(prepare, 'No space left on device', '--config.data.data_dir=')
    assert not target.parent.exists()


def test_data_dir_from_environment_at_call_time(prepare, tmp_path, monkeypatch):
    """If this fails, TFDS_DATA_DIR set after the import (a notebook) is not honoured."""
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path / 'elsewhere'))
    assert prepare(data_dir='').data_dir == str(tmp_path / 'elsewhere/precomputed_flow/2.0.0')


def test_fingerprint_depends_on_content_only(prepare, raw, tmp_path):
    """If this fails, moving or touching a folder forces a rebuild, or opening it in a file manager
    does.
    """
    prepare()
    moved = tmp_path / 'moved'
    shutil.copytree(raw, moved)
    os.utime(moved / NEGATIVE, (1, 1))
    (moved / 'norm_u_v_os/.DS_Store').write_text('x')
    (moved / 'norm_u_v_os/006/u_train/0/more.png').write_text('x')
    prepare(manual_dir=moved)


@pytest.mark.parametrize('change', ['pixels', 'more', 'fewer', 'renamed'])
def test_changed_folder_is_refused(prepare, raw, change):
    """If this fails, the old build is served for a changed folder and results belong to other data
    than believed.
    """
    prepare()
    file = raw / NEGATIVE
    if change == 'pixels':
        change_pixels(raw)
    elif change == 'more':
        shutil.copy(file, file.with_name('006_006_1_9 .png'))
    elif change == 'fewer':
        file.unlink()
    else:
        file.rename(file.with_name('006_006_1_9 .png'))
    refused(
        prepare,
        'changed since it was built',
        raw,
        '--config.data.rebuild=True',
        '--config.data.data_dir',
    )
    prepare(manual_dir='')


def test_changed_settings_are_refused(prepare, monkeypatch):
    """If this fails, a build made with other settings is used as if it were made with these."""
    prepare()
    monkeypatch.setattr(Builder, 'settings', lambda self: {'channels': 'other'})
    refused(prepare, 'setting channels', '--config.data.rebuild=True', manual_dir='')


def test_rebuild_takes_the_new_state_and_leaves_nothing_else(prepare, raw, target):
    """If this fails, rebuilding serves old pixels or fills the disk with leftovers."""
    before = flows(prepare())
    change_pixels(raw)
    assert flows(prepare(rebuild=True)) != before
    assert list(target.parent.iterdir()) == [target]
    refused(
        prepare,
        'rebuilding needs the original files',
        'manual_dir=FOLDER',
        manual_dir='',
        rebuild=True,
    )


def test_failed_rebuild_loses_nothing(prepare, raw, target, monkeypatch):
    """If this fails, a bad file or a full disk during a rebuild destroys the build that was
    there.
    """
    before = flows(prepare())
    good = (raw / NEGATIVE).read_bytes()
    (raw / NEGATIVE).write_text('no picture')
    refused(prepare, '1 of 14 files', rebuild=True)
    (raw / NEGATIVE).write_bytes(good)
    rename, calls = os.rename, []

    def fail_second(source, destination):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(28, 'No space left on device')
        rename(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(build.os, 'rename', fail_second)
        refused(prepare, 'No space left on device', rebuild=True)
    assert flows(prepare()) == before
    assert not list(target.parent.glob('incomplete.*'))


def test_build_killed_in_the_middle(prepare, raw, tmp_path, target):
    """If this fails, a killed build is served as finished, or blocks the next one."""
    code = (
        'import os, tfds_builders\n'
        "cls = tfds_builders.BUILDERS['precomputed_flow']\n"
        'cls._generate_examples = lambda self, *_: (os._exit(9) for _ in "x")\n'
        f"tfds_builders.prepare('precomputed_flow', data_dir={str(tmp_path / 'data')!r}, "
        f'manual_dir={str(raw)!r})'
    )
    killed = run_python(code)
    assert killed.returncode == 9
    assert list(target.parent.glob('incomplete.*')) and not target.exists()
    assert len(flows(prepare())) == 14


def test_unfinished_folders_do_not_block_and_go(prepare, target):
    """If this fails, a half copied data folder is read as a data set, or killed builds fill the
    disk.
    """
    target.mkdir(parents=True)
    (target / 'precomputed_flow-train.array_record-00000-of-00001').write_bytes(b'half')
    killed = target.parent / 'incomplete.OLD_2.0.0'
    killed.mkdir()
    (killed / 'half').write_bytes(b'half')
    assert len(flows(prepare())) == 14
    assert [path.name for path in target.parent.iterdir()] == ['2.0.0']


def test_what_a_build_left_that_was_killed_after_publishing_goes(prepare, target):
    """If this fails, a build that was killed while it cleared up leaves gigabytes for ever: the
    next command finds the data set finished and clears nothing.
    """
    prepare()
    for name in ('incomplete.ABC', 'incomplete.scratch'):
        (target.parent / name).mkdir()
        (target.parent / name / 'clip.npz').write_bytes(b'clip')
    other = os.open(target.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)  # another process rebuilds it
    prepare()
    assert len(list(target.parent.glob('incomplete.*/clip.npz'))) == 2
    os.close(other)
    prepare()
    assert [path.name for path in target.parent.iterdir()] == ['2.0.0']


def test_rebuild_killed_between_its_renames(prepare, target, monkeypatch):
    """If this fails, the one moment in which no build stands at its place can lose it."""
    before = flows(prepare())
    aside = target.parent / 'incomplete.ABC'
    aside.mkdir()
    target.rename(aside / 'replaced.2.0.0')
    monkeypatch.setattr(
        Builder, 'download_and_prepare', lambda *_, **__: pytest.fail('built again')
    )
    assert flows(prepare()) == before
    assert [path.name for path in target.parent.iterdir()] == ['2.0.0']


def test_other_version_is_refused_and_kept(prepare, target):
    """If this fails, data of an older builder is mixed up with today's, or deleted without being
    asked.
    """
    prepare()
    old = target.with_name('0.9.0')
    target.rename(old)
    refused(
        prepare, 'holds version 0.9.0, this code makes version 2.0.0', '--config.data.rebuild=True'
    )
    prepare(rebuild=True)
    assert (old / 'dataset_info.json').exists() and target.exists()
    prepare()


@pytest.mark.parametrize(
    'file, damage',
    [
        ('dataset_info.json', 'cut'),
        ('metadata.json', 'cut'),
        ('metadata.json', 'gone'),
        ('array_record', 'cut'),
        ('array_record', 'gone'),
        ('audit.csv', 'gone'),
    ],
)
def test_damaged_builds_are_refused_and_healed(prepare, target, file, damage):
    """If this fails, a partly copied build crashes in a library, or cannot be rebuilt because it
    cannot be opened.
    """
    prepare()
    path = next(path for path in target.iterdir() if file in path.name)
    path.write_bytes(path.read_bytes()[:40]) if damage == 'cut' else path.unlink()
    refused(prepare, target, '--config.data.rebuild=True')
    assert len(flows(prepare(rebuild=True))) == 14


def test_tfrecord_build_is_refused(prepare, target):
    """If this fails, a data set somebody built as TFRecord ends in a traceback instead of a
    remedy.
    """
    prepare()
    info = target / 'dataset_info.json'
    info.write_text(info.read_text().replace('array_record', 'tfrecord'))
    refused(prepare, 'cannot be opened', 'tfrecord', '--config.data.rebuild=True')


@pytest.mark.parametrize('progress', [True, False])
def test_drawn_faces_show_one_bar_or_none(tmp_path, monkeypatch, capfd, progress):
    """If this fails, the first command a new user types says nothing for a minute, or a quiet build
    does not stay quiet.
    """
    monkeypatch.setitem(PLANS, 'tiny', {'s01': (0, 1, 0, 0, 1)})
    builder = tfds_builders.prepare('synthetic_faces/tiny', data_dir=tmp_path, progress=progress)
    assert [record['clip'] for record in tfds_builders.records(builder)] == [
        's01_happiness_00',
        's01_surprise_01',
    ]
    out, err = capfd.readouterr()
    assert out == '' and (
        'synthetic_faces/tiny: 100%' in err and '2/2' in err if progress else err == ''
    )
    assert 'Generating' not in err  # TFDS's own bar knows no total and would stand beside ours


def test_a_killed_drawing_leaves_no_process_behind(tmp_path):
    """If this fails, processes that work on for nobody hold cores and memory after a build was
    killed.
    """
    code = (
        "import tfds_builders; tfds_builders.prepare('synthetic_faces', "
        f'data_dir={str(tmp_path)!r})'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], cwd=Path(__file__).parents[2], stderr=subprocess.PIPE
    )
    told = b''
    while b' 1/246' not in told and process.poll() is None:
        told += process.stderr.read1()
    process.kill()
    process.stderr.read()  # ends only when no other process holds the pipe any more
    assert process.wait() == -9 and not list(tmp_path.glob('synthetic_faces/default/1*'))
