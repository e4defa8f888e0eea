"""Building the official releases from fakes of them: every input, settings, kills, changes, and a
subject's noise.
"""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import tfds_builders
from mer_jax import machine
from mer_jax.data import loading, sources
from mer_jax.errors import UserError
from mer_jax.preprocess import face, flow, jpeg, mtcnn
from mer_jax.preprocess.synthetic import clips
from mer_jax.settings.sections import Data
from tests.preprocess.face_test import eyes_of, scene
from tests.support.fake_raw import casme2, casme_squared, samm, smic
from tfds_builders import build, inputs, release, workers
from tfds_builders.audit import Row, summary
from tfds_builders.clip import Clip

ROOT = Path(__file__).parents[2]
# where another estimator proves as much as TV-L1
FARNEBACK = 'optical_flow=farneback'
FAST_FLOW = f'flow,{FARNEBACK}'
WRITERS = {'casme2': casme2, 'samm': samm, 'smic': smic, 'casme_squared': casme_squared}


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Small builds: starting processes would take longer than the work."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)


def prepare(name, folder, tmp_path, **more):
    return tfds_builders.prepare(
        name, data_dir=tmp_path / 'data', manual_dir=folder, progress=False, **more
    )


@pytest.fixture(scope='module')
def published_flow(tmp_path_factory):
    """(truth, builder) of CASME II with the optical flow of the default, TV-L1."""
    folder = tmp_path_factory.mktemp('published')
    truth = casme2.write(folder / 'raw')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, 'cores', lambda: 1)
        return truth, prepare('casme2', truth.folder, folder)


def records(builder, *names):
    return {record['clip']: record for record in tfds_builders.records(builder, names)}


def audit(builder):
    with open(Path(builder.data_dir, 'audit.csv'), newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_every_release_builds_with_every_clip_accounted_for(name, tmp_path):
    """A clip lost between sheet and record would change every published comparison."""
    truth = WRITERS[name].write(tmp_path / 'raw')
    builder = prepare(f'{name}/{FAST_FLOW}', truth.folder, tmp_path)
    found, told = records(builder), audit(builder)
    used = {clip: own for clip, own in truth.clips.items() if own.kind == 'micro'}
    assert set(found) == set(used)
    for clip, own in used.items():
        record = found[clip]
        assert (record['subject'], record['dataset'], record['emotion']) == (
            own.subject,
            name,
            own.emotion,
        )
        assert (record['onset'], record['offset']) == (own.onset, own.offset)
        assert record['action_units'].strip() == own.action_units.strip()
        assert record['action_units_known'] == own.action_units_known
        assert record['apex'] == own.apex if own.apex else own.onset < record['apex'] <= own.offset
        assert record['apex_source'] == ('annotated' if own.apex else 'estimated')
        assert record['flow'].shape == (128, 128, 3) and np.isfinite(record['flow']).all()
        assert record['key_frames'].dtype == np.uint8 and record['landmarks'].shape == (3, 68, 2)
        (row,) = [
            row
            for row in told
            if row['clip'] == clip
            and row['status'] in ('used', 'repaired')
            and not row['reason'].startswith('no face')
        ]
        if own.apex is None:
            assert row['new'].endswith(str(record['apex']))
            # an estimate that looks like an annotation is trained on unseen
            assert row['reason'].endswith('estimated from the frames')
    assert (
        len([row for row in told if row['clip'] in truth.clips and row['status'] == 'error']) == 0
    )


def test_flow_is_that_of_the_frames_on_disk(published_flow):
    """Frames by position instead of number, or a crop that moves, would give motion that nobody
    made.
    """
    truth, builder = published_flow
    found = records(builder)
    clip = next(iter(truth.clips.values()))
    record = found[clip.clip]
    onset, apex, offset = record['key_frames']
    np.testing.assert_array_equal(record['flow'], flow.flow_features(onset, apex))
    np.testing.assert_array_equal(record['flow_offset'], flow.flow_features(apex, offset))
    (path,) = [path for path in clip.folder.iterdir() if path.stem.endswith(str(clip.onset))]
    frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_allclose(
        onset, cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA), atol=12
    )
    assert record['crop'] == 'release crop' and list(record['box']) == [
        0,
        0,
        frame.shape[1],
        frame.shape[0],
    ]


@pytest.mark.parametrize(
    'kind,shapes',
    [
        ('samer', {'image': (224, 224, 3)}),
        ('video', {'frames': (None, 128, 128)}),
        ('spotting', {'flows': (None, 75, 75, 2)}),
    ],
)
def test_the_other_inputs(kind, shapes, tmp_path):
    """Each kind of input holds what its networks read, over all frames of the clip where it says
    so.
    """
    truth = samm.write(tmp_path / 'raw')
    settings = '' if kind == 'video' else f',{FARNEBACK}'
    builder = prepare(f'samm/{kind}{settings}', truth.folder, tmp_path)
    for record in records(builder).values():
        count = record['offset'] - record['onset'] + (kind != 'spotting')
        for name, shape in shapes.items():
            assert record[name].shape == tuple(count if side is None else side for side in shape)
        if kind == 'samer':
            assert record['target'] == 'magnified' and record['image'][..., 0].std() > 5
        else:
            numbers = record['landmark_frames']
            assert list(numbers) == list(range(record['onset'], record['offset'] + 1))
            assert record['landmarks'].shape == (len(numbers), 68, 2)
    if kind == 'spotting':
        assert record['flows'].dtype == np.float16 and list(record['flow_frames']) == list(
            numbers[1:]
        )


def test_video_loads_as_so_many_frames_of_the_face(tmp_path):
    """T, size and mask are chosen at load: frames out of order, or a mask of another frame, would
    spoil every 3-D network.
    """
    truth = casme2.write(tmp_path / 'raw')
    stored = records(prepare('casme2/video', truth.folder, tmp_path))

    def load(**changed):
        return loading.load(
            sources.parse('casme2/video'),
            sources.BuildOptions(data_dir=str(tmp_path / 'data')),
            Data(**{'labels': 'five', 'size': 128, 'frames': 3} | changed),
            channels=('gray',),
        )

    plain = load()
    for row, clip in enumerate(plain.names.clips):
        whole = stored[clip]['frames']
        np.testing.assert_array_equal(
            plain.samples.image[row, ..., 0], whole[[0, round((len(whole) - 1) / 2), -1]]
        )
    assert load(frames=40, size=32).samples.image.shape == (len(stored), 40, 32, 32, 1)
    black, kept = (load(mask=mask).samples.image == 0 for mask in ('eyes_mouth', 'background'))
    assert (black | kept).mean() > 0.99 and 0.05 < black.mean() < 0.5
    with pytest.raises(UserError, match="input_scaler is 'p995', but casme2/video stores bytes"):
        load(clip_normalise=False, input_scaler='p995')


def test_settings_stand_in_the_name_and_build_beside(tmp_path):
    """A build with other settings under the same folder would silently serve other data."""
    truth = casme2.write(tmp_path / 'raw')
    plain = prepare('casme2/samer,optical_flow=farneback', truth.folder, tmp_path)
    # alpha 6 is the default: not in the name
    other = prepare(
        'casme2/samer,optical_flow=farneback,magnifier=none,alpha=6', truth.folder, tmp_path
    )
    assert Path(other.data_dir).parts[-2] == 'samer,magnifier=none,optical_flow=farneback'
    assert Path(plain.data_dir).parts[-2] == 'samer,optical_flow=farneback'
    clip = sorted(truth.clips)[0]
    assert (records(plain)[clip]['image'] != records(other)[clip]['image']).any()
    for text, part in (
        ('alpha=x', "alpha is 'x'; allowed: 6, a number"),
        ('colour=red', "'colour' is no setting of samer"),
        ('magnifier=phse', "magnifier is 'phse'; allowed: phase"),
        ('magnifier=magnet', '--config.data.magnet='),
    ):
        with pytest.raises(UserError, match=part):
            prepare(f'casme2/samer,{text}', truth.folder, tmp_path)
    with pytest.raises(
        UserError, match="unknown config 'flwo' of data set casme2; known: flow, samer"
    ):
        prepare('casme2/flwo', truth.folder, tmp_path)


def test_the_threshold_of_samer_is_a_setting():
    """A threshold that is named and not applied would label a build with what it does not hold."""
    builder = tfds_builders.BUILDERS['casme2']
    assert builder.parse_config('samer,threshold=1.50').name == 'samer'
    draw, clip = (
        np.random.default_rng(0),
        SimpleNamespace(onset=1, apex=2, offset=3, dataset='casme2'),
    )
    faces = {
        n: cv2.GaussianBlur(draw.integers(0, 256, (64, 64), dtype=np.uint8), (0, 0), 3)
        for n in (1, 2, 3)
    }
    for text, threshold in (('', 1.5), (',threshold=0', 0), (',threshold=2', 2)):
        config = builder.parse_config(f'samer,magnifier=none{text}')
        options = {
            **{
                name: allowed[0]
                for name, allowed in inputs.options_of('samer', colour=True).items()
            },
            **config.options,
        }
        image = inputs.KINDS['samer'](clip, faces, faces.get, options, {})[0]['image']
        for channel, start in ((1, 1), (2, 3)):
            moved = flow.estimate(faces[start], faces[2])
            np.testing.assert_array_equal(
                image[..., channel], flow.samer_magnitude(moved, threshold=threshold)
            )
    for text in ('samer,threshold=-1', 'samer,threshold=nan', 'flow,threshold=0'):
        with pytest.raises(UserError, match='threshold'):
            builder.parse_config(text)


def frames_of(folder, *, height, width):
    """Paths by number of three PNG files that show one texture, moved."""
    texture = np.random.default_rng(1).integers(0, 256, (height + 20, width + 20), dtype=np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 4)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    paths = {}
    for number, (down, right) in {1: (4, 4), 2: (6, 3), 3: (5, 6)}.items():
        paths[number] = folder / f'{number}.png'
        cv2.imwrite(str(paths[number]), texture[down : down + height, right : right + width])
    return paths


def record_of(paths, options, kind='samer'):
    """The record of one input of one clip of SAMM's, whose files are face crops."""
    facts = {'clip': 'c', 'subject': 's', 'dataset': 'samm', 'emotion': 'Anger', 'fps': 200.0}
    numbers = {'onset': 1, 'apex': 2, 'offset': 3, 'apex_source': 'annotated'}
    units = {'action_units': '7B+ ref(43)', 'action_units_known': True}
    clip = Clip(**facts, **numbers, **units, cropped=True, frames=tuple(paths.items()))
    files = {'landmarks': '', 'detector': '', 'magnet': ''}
    return inputs.make(clip, kind=kind, options=options, files=files)


def test_the_setting_apex_by_says_how_a_missing_apex_is_estimated():
    """The older, slower estimate would be used unasked, or a record would not say by which it was
    made.
    """
    drawing = clips.make(0, 2, 0, 'happiness', clips.person(0, 2), varied=True)
    shown = drawing.frames[drawing.onset - drawing.first_frame :: 6]
    numbered = tuple(enumerate(shown, 1))
    clip = Clip('c', 's', 'smic', 'x', '', False, 1, -1, len(shown), 'estimated', 0, True, numbered)
    make = partial(
        inputs.make,
        kind='video',
        files={'landmarks': '', 'detector': '', 'magnet': ''},
        read=lambda frame, **_: frame,
    )
    onset, *others = shown
    wanted = {'registered': flow.apex(onset, others)}
    wanted['mean'] = flow.strongest(onset, others, method='dis', steady=True)
    assert wanted['mean'] != wanted['registered']
    assert inputs.APEX_BY[0] == 'registered'
    for way, index in wanted.items():
        record = make(clip, options={'apex_by': way, 'optical_flow': 'dis'})
        assert record['apex'] == 2 + index
        # the bytes of records by the older way are those of builds before this setting
        named = json.loads(record['provenance']).get('apex_by', 'mean')
        assert named == way and ('apex_by' in record['provenance']) == (way == 'registered')
    known = make(clip._replace(apex=2), options={'apex_by': 'registered'})
    assert 'apex_by' not in known['provenance'], 'nothing was estimated'


@pytest.mark.parametrize(('apex_by', 'times'), [('mean', 18), ('registered', 3)])
def test_the_start_tells_what_a_missing_apex_costs(apex_by, times, capsys):
    """Twenty clips without an apex took an hour in place of minutes, and nothing said why."""
    known = Clip('c', 's', 'smic', 'x', '', False, 1, 2, 3, 'annotated', 0, True, ((1, 1),))
    release.announce_estimates('t', [known] * 6, apex_by)
    assert not capsys.readouterr().err
    long = known._replace(apex=-1, frames=((1, 1),) * 40)
    release.announce_estimates('t', [long] * 4 + [known] * 6, apex_by)
    said = capsys.readouterr().err
    assert '4 of 10 clips have no apex' in said and f'about {times} times as long' in said


def test_a_detector_finds_the_eyes_in_place_of_haar(tmp_path, monkeypatch):
    """Weights that stand in the name of a build, and find no face in it, would be a lie."""
    frame, points = scene(3, angle=30)
    clip = Clip('c', 's', 'samm', 'Anger', '', False, 1, 1, 1, 'annotated', 200.0, False, ((1, 1),))
    files = {'landmarks': '', 'detector': '', 'magnet': ''}
    make = partial(inputs.make, clip, kind='video', options={}, read=lambda *_, **__: frame)
    monkeypatch.setattr(mtcnn, 'eyes', lambda gray, path: eyes_of(points))
    by_haar = make(files=files)
    assert by_haar['crop'] != 'detector' and 'detector' not in by_haar['provenance']
    record = make(files=files | {'detector': str(tmp_path / 'w.safetensors')})
    assert record['crop'] == 'detector' and 'w.safetensors' in record['provenance']
    eyes = eyes_of(face.transform(record['matrix'], points))
    np.testing.assert_allclose(eyes, face.EYES_AT * inputs.FACE - 0.5, atol=1e-3)
    # the template of landmarks stands on these eyes
    np.testing.assert_allclose(eyes_of(record['landmarks'][0]), eyes, atol=1e-3)


def test_weights_of_another_network_stop_a_build_at_once(tmp_path):
    """A release of face crops never looks for faces, and would be built under a wrong name."""
    truth = casme2.write(tmp_path / 'raw')
    weights = tmp_path / 'w.safetensors'
    save_file({'x': np.zeros(2, np.float32)}, weights)
    with pytest.raises(UserError, match='does not fit MTCNN: layer pnet/conv1/kernel is missing'):
        prepare('casme2/video', truth.folder, tmp_path, detector=str(weights))


def published_samer(torch, onset, target, offset, first):
    """The picture of the released code from three grey frames: formulas of ours, libraries it calls
    (TV-L1 of OpenCV, JPEG of Pillow, bilinear resizing of PyTorch).
    """
    estimator = cv2.optflow.DualTVL1OpticalFlow_create(scaleStep=0.5)
    channels = [first]
    for start in (onset, offset):
        length = np.linalg.norm(estimator.calc(start, target, None), axis=-1)
        stretched = (length - length.min()) / (length.max() - length.min() + 1e-8) * 255
        stretched = stretched.astype(np.uint8)
        channels.append(np.where(stretched < 1.5 * stretched.mean(), 0, stretched))
    file = io.BytesIO()
    Image.fromarray(np.stack(channels, -1).astype(np.uint8)).save(file, 'JPEG')
    stored = torch.from_numpy(np.array(Image.open(file)).transpose(2, 0, 1)[None]).float()
    sized = torch.nn.functional.interpolate(
        stored, size=(224, 224), mode='bilinear', align_corners=False
    )
    return sized[0].numpy().transpose(1, 2, 0)


def test_samer_as_published_at_the_size_of_the_crop(tmp_path):
    """Pictures of another size, another JPEG or another resizing are not those that the published
    weights saw.
    """
    torch = pytest.importorskip('torch')
    paths = frames_of(tmp_path, height=150, width=121)
    onset, apex, offset = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths.values())
    builder = tfds_builders.BUILDERS['samm']
    defaults = {name: values[0] for name, values in builder.options_of('samer').items()}
    chosen = builder.parse_config('samer,flow_size=crop,jpeg=on,magnifier=none,target=apex')
    assert chosen.name == 'samer,flow_size=crop,jpeg=on,magnifier=none,target=apex'
    image = record_of(paths, {**defaults, **chosen.options})['image']
    expected = published_samer(torch, onset, apex, offset, first=apex)
    assert image.shape == (224, 224, 3) and image.dtype == np.uint8
    assert np.abs(image - expected).max() < 0.51  # stored in bytes
    fast = {**defaults, 'optical_flow': 'farneback'}
    magnified = record_of(paths, {**fast, 'flow_size': 'crop'})  # sides that no pyramid halves
    assert magnified['target'] == 'magnified' and magnified['image'].shape == (224, 224, 3)
    small = {**fast, 'magnifier': 'none', 'target': 'apex'}
    plain, compressed = (
        record_of(paths, {**small, 'jpeg': choice})['image'] for choice in ('off', 'on')
    )
    np.testing.assert_array_equal(compressed, jpeg.round_trip(plain))


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_choices_of_the_released_code_are_settings_of_every_release(name):
    """A release without them could not be built as published; on by default, they would rename and
    change the data sets that are there.
    """
    builder = tfds_builders.BUILDERS[name]
    text = 'samer,flow_size=crop,jpeg=on,reference_units=count'
    assert builder.parse_config(text).name == text
    plain = builder.parse_config('samer,flow_size=224,jpeg=off,reference_units=skip')
    assert plain.name == 'samer'
    assert not {'flow_size', 'jpeg', 'reference_units'} & {*builder.options_of('flow')}


def test_key_frames_in_colour_are_a_setting_of_releases_in_colour(tmp_path):
    """On by default they would rename and enlarge the data sets that are there; gray frames, stored
    three times, would pass for colours.
    """
    builder = tfds_builders.BUILDERS['casme2']
    assert builder.parse_config('flow,key_frames=gray').name == 'flow'
    assert builder.parse_config('flow,key_frames=rgb').name == 'flow,key_frames=rgb'
    with pytest.raises(UserError, match="samm/flow,key_frames=rgb.*key_frames is 'rgb'.*gray"):
        tfds_builders.BUILDERS['samm'].parse_config('flow,key_frames=rgb')
    paths = frames_of(tmp_path, height=40, width=40)
    fast = {'optical_flow': 'farneback'}
    plain = record_of(paths, {**fast, 'key_frames': 'gray'}, kind='flow')
    assert plain['provenance'] == record_of(paths, fast, kind='flow')['provenance']
    assert 'key_frames_rgb' not in plain
    with pytest.raises(UserError, match='clip c, frame .*1.png.*gray'):
        record_of(paths, {**fast, 'key_frames': 'rgb'}, kind='flow')


def test_units_of_reference_count_where_the_setting_says_so(tmp_path):
    """The published pairs of clips share units that the coders noted as a reference."""
    paths = frames_of(tmp_path, height=40, width=40)
    fast = {'optical_flow': 'farneback', 'magnifier': 'none'}
    builder = tfds_builders.BUILDERS['samm']
    defaults = {name: values[0] for name, values in builder.options_of('samer').items()}
    units = {}
    for choice in ('skip', 'count'):
        record = record_of(paths, {**defaults, **fast, 'reference_units': choice})
        units[choice] = loading.unit_row(record, ['7', '43'], lateral=False)
    assert units == {'skip': [1.0, 0.0], 'count': [1.0, 1.0]}


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_without_its_folder_one_line_says_where_to_apply(name, tmp_path):
    """A new user has the data set's name and nothing else."""
    with pytest.raises(UserError) as caught:
        tfds_builders.prepare(name, data_dir=tmp_path, progress=False)
    text = str(caught.value)
    assert '--config.data.manual_dir=FOLDER' in text and '\n' not in text
    assert tfds_builders.BUILDERS[name].LAYOUT.INSTRUCTIONS in text


def test_a_changed_sheet_frame_or_folder_is_noticed_by_name(tmp_path):
    """The build of last year's sheet would be used with this year's labels."""
    truth = casme2.write(tmp_path / 'raw')
    prepare('casme2/video', truth.folder, tmp_path)
    folder = sorted(clip.folder for clip in truth.clips.values())[0]
    frame = sorted(folder.iterdir())[0]
    frame.write_bytes(frame.read_bytes() + b'\0')
    with pytest.raises(
        UserError,
        match=rf'changed since it was built: .*{folder.name}; rebuild with '
        r'--config.data.rebuild=True',
    ):
        prepare('casme2/video', truth.folder, tmp_path)
    prepare('casme2/video', truth.folder, tmp_path, rebuild=True)
    sheet = next(
        path
        for path in truth.sheets
        if 'coding' in Path(path).name.lower() or len(truth.sheets) == 1
    )
    Path(truth.folder, sheet).write_bytes(Path(truth.folder, sheet).read_bytes() + b'\0')
    with pytest.raises(UserError, match=rf'changed since it was built: {Path(sheet).name}'):
        prepare('casme2/video', truth.folder, tmp_path)


def test_a_killed_build_goes_on_and_gives_the_same_data(published_flow, tmp_path, monkeypatch):
    """TFDS itself starts a killed build from nothing: hours of optical flow."""
    truth, whole = published_flow
    code = (
        'import sys, tfds_builders; '
        'tfds_builders.prepare("casme2", data_dir=sys.argv[1], manual_dir=sys.argv[2], '
        'progress=False)'
    )
    scratch = tmp_path / 'other/casme2/flow' / build.SCRATCH
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path / 'other'), str(truth.folder)],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    while len(list(scratch.glob('*.npz'))) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in scratch.glob('*.npz')}
    assert kept
    times = []
    compute = workers.compute

    def recorded(*args, **options):
        paths = compute(*args, **options)
        times.extend(path.stat().st_mtime_ns == kept[path] for path in kept)
        return paths

    monkeypatch.setattr(workers, 'compute', recorded)
    again = tfds_builders.prepare(
        'casme2', data_dir=tmp_path / 'other', manual_dir=truth.folder, progress=False
    )
    assert times == [True] * len(kept) and not scratch.exists()
    for clip, record in records(whole).items():
        other = records(again)[clip]
        for name in ('flow', 'apex', 'emotion', 'landmarks'):
            np.testing.assert_array_equal(record[name], other[name])


def noisy(source, target, subject_folder):
    """A copy of a release in which every frame of one subject is noise."""
    shutil.copytree(source, target)
    draw = np.random.default_rng(3)
    for path in sorted(Path(target).rglob(f'{subject_folder}/**/*.jpg')):
        shape = cv2.imread(str(path)).shape
        cv2.imwrite(str(path), draw.integers(0, 256, shape, dtype=np.uint8))
    return Path(target)


def test_noise_in_one_subjects_frames_changes_nobody_elses_record(tmp_path):
    """A scale or a mean face fitted in the builder would carry a left-out subject into training."""
    truth = casme2.write(tmp_path / 'raw')
    subject = sorted(clip.subject for clip in truth.clips.values())[0]
    folder = next(
        clip.folder.parent.name for clip in truth.clips.values() if clip.subject == subject
    )
    clean = records(prepare(f'casme2/{FAST_FLOW}', truth.folder, tmp_path))
    spoilt = records(
        tfds_builders.prepare(
            f'casme2/{FAST_FLOW}',
            data_dir=tmp_path / 'noisy',
            progress=False,
            manual_dir=noisy(truth.folder, tmp_path / 'copy', folder),
        )
    )
    changed = {clip for clip in clean if (clean[clip]['flow'] != spoilt[clip]['flow']).any()}
    assert changed == {clip for clip, own in truth.clips.items() if own.subject == subject}
    for clip in set(clean) - changed:
        for name, value in clean[clip].items():
            np.testing.assert_array_equal(value, spoilt[clip][name])


def test_the_summary_counts_what_happened():
    """Nobody reads 255 rows; a dropped subject must show in a few lines."""
    rows = [
        Row('s row 1', 'used', '', 'a'),
        Row('s row 2', 'dropped', 'no folder on disk: x', 'b'),
        Row('s row 3', 'dropped', 'no folder on disk: y', 'c'),
    ]
    text = summary('casme2', rows)
    assert '1 used, 2 dropped' in text and 'dropped: 2 x no folder on disk' in text
    assert 'estimated' not in text and '1 apex estimated' in summary('casme2', rows, 1)


def test_a_release_below_a_folder_called_crop_is_still_whole_frames(tmp_path):
    """Names above the release once decided that whole frames were face crops: squeezed to a square,
    without a face search.
    """
    truth = samm.write(tmp_path / 'crop_lab/preprocessed')
    shutil.move(str(truth.folder), str(tmp_path / 'crop_lab/preprocessed_data'))
    flat = tmp_path / 'crop_lab/preprocessed_data'
    # the sheet beside the subjects: the tree is the root itself
    for path in list((flat / 'SAMM').iterdir()):
        shutil.move(str(path), str(flat))
    assert {
        record['crop'] for record in records(prepare('samm/video', flat, tmp_path)).values()
    } == {'haar and eyes'}


def test_a_frame_changed_within_its_size_is_noticed(tmp_path):
    """Uncompressed frames all have one size: another picture under the same name would be served
    from the old build.
    """
    truth = casme2.write(tmp_path / 'raw')
    prepare('casme2/video', truth.folder, tmp_path)
    path = sorted(sorted(clip.folder for clip in truth.clips.values())[0].iterdir())[2]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match='changed since it was built'):
        prepare('casme2/video', truth.folder, tmp_path)


def test_two_builds_at_once_take_turns(tmp_path):
    """Two jobs on one fresh data folder would clear up under each other."""
    truth = casme2.write(tmp_path / 'raw')
    code = (
        'import sys, tfds_builders; '
        'tfds_builders.prepare("casme2/video", data_dir=sys.argv[1], manual_dir=sys.argv[2], '
        'progress=False)'
    )
    both = [
        subprocess.Popen(
            [sys.executable, '-c', code, str(tmp_path / 'data'), str(truth.folder)],
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len(records(prepare('casme2/video', truth.folder, tmp_path))) == len(truth.clips)


def test_a_killed_build_leaves_no_process_behind(tmp_path):
    """Workers that wait for ever for a parent that is gone hold memory and the terminal."""
    truth = casme2.write(tmp_path / 'raw')
    code = (
        'import sys, tfds_builders\nif __name__ == "__main__":\n'
        '    tfds_builders.prepare("casme2", data_dir=sys.argv[1], manual_dir=sys.argv[2], '
        'progress=False)'
    )
    script = tmp_path / 'build.py'
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / 'data'), str(truth.folder)],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stderr=subprocess.PIPE,
    )
    scratch = tmp_path / 'data/casme2/flow' / build.SCRATCH
    while len(list(scratch.glob('*.npz'))) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.stderr.read()  # ends only when no worker holds the pipe any more
    assert process.wait() == -signal.SIGKILL
