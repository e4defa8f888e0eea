"""Apexes that nobody annotated: by rule, by a spotter that never saw the subject, and from releases
to recognition.
"""

import csv
import json
import shutil

import numpy as np
import pytest

import main
from mer_jax import config_files, machine
from mer_jax.data import APEX_RULES, EVERY_FRAME, apexes, images, loading, sources
from mer_jax.errors import UserError
from mer_jax.experiment import run
from mer_jax.experiment import settings as rules
from mer_jax.runfiles.apexes import ApexRow, ApexTable
from mer_jax.runfiles.config import RunConfig
from mer_jax.settings.sections import Data
from mer_jax.types import Names, Predictions
from tests.mistakes_test import ROOT, mistake
from tests.preprocess.flow_test import fields
from tests.support.fake_raw import casme2, smic
from tests.support.run_folders import recognition_results, spotting_results

pytestmark = pytest.mark.usefixtures('undrawn')


def record(onset=10, apex=13, offset=17, *, source='estimated', missing=()):
    """A record with the flow of every frame; its face moves most in frame 15, its head in
    frame 12.
    """
    numbers = np.array([n for n in range(onset + 1, offset + 1) if n not in missing], np.int32)
    flows = np.random.default_rng(0).normal(0, 0.02, (len(numbers), 12, 12, 2))
    flows[numbers == 15, 2:5, 2:5] += 1
    flows[numbers == 12] += np.linspace(3, 5, 12)[:, None, None]
    return {
        'clip': 'a',
        'dataset': 'smic',
        'onset': onset,
        'apex': apex,
        'offset': offset,
        'apex_source': source,
        'flows': flows.astype(np.float16),
        'flow_frames': numbers,
    }


def spotted(*frames):
    """What the folds of a spotting run, one an answer for the clip a, say."""
    return apexes.Spotted(
        'runs/x', {(f's{i}', 0): {('smic', 'a'): frame} for i, frame in enumerate(frames)}, 1
    )


def test_every_rule_by_hand():
    """The frame of another rule than the one that is named would be compared under its name."""
    one = record()
    assert apexes.frames(one, '') == [13] and apexes.frames(one, 'midpoint') == [13]
    assert apexes.frames(record(offset=18), 'midpoint') == [14] and apexes.frames(
        record(offset=20), 'midpoint'
    ) == [15]
    assert apexes.frames(one, 'peak') == [15] and apexes.frames(one, spotted(16, 11, 16, 14)) == [
        11,
        14,
        16,
    ]
    assert all(
        type(frame) is int
        for rule in (*APEX_RULES, spotted(12))
        for frame in apexes.frames(one, rule)
    )
    with pytest.raises(
        UserError,
        match="runs/x.*clip 'a' of samm.*train",
    ):
        apexes.frames({**one, 'dataset': 'samm'}, spotted(16))


@pytest.mark.parametrize('source', apexes.ANNOTATED)
def test_an_apex_that_somebody_saw_stays(source):
    """A rule that replaces annotated apexes would change a data set that needs none."""
    for rule in (*APEX_RULES, spotted(16)):
        if rule != EVERY_FRAME:
            assert apexes.frames(record(source=source), rule) == [13]
    assert not apexes.is_annotated(record())


def test_every_frame_is_a_row_whoever_saw_the_apex():
    """Frames of some clips and apexes of others would weigh the clips by chance."""
    for source in ('annotated', 'estimated'):
        one = record(source=source, missing=(13, 14))
        assert apexes.frames(one, EVERY_FRAME) == [11, 12, 15, 16, 17]


def test_the_flow_at_a_frame_is_that_of_the_frame_or_of_the_nearest():
    """Frames are dropped from SMIC; and no flow is stored at the onset, whose place is before the
    first.
    """
    one = record(missing=(13, 14))
    for asked, frame in ((11, 11), (15, 15), (13, 12), (14, 15), (10, 11), (99, 17)):
        np.testing.assert_array_equal(
            apexes.flow_at(one, asked), one['flows'][one['flow_frames'].tolist().index(frame)]
        )


def written(folder, rows=(), **changed):
    """The folder of a finished spotting run that answers by its template; changed: its results."""
    folder.mkdir(parents=True)
    RunConfig({}, 'print').write(folder)
    spotting_results({}, **{'answer': 'template'} | changed).write(folder)
    ApexTable(('max', 'template'), tuple(rows)).write(folder)
    return folder


def answered(clip, dataset, fold, seed, apex, largest, template):
    """What the fold that leaves s1, s2, ... out answers for a clip."""
    return ApexRow(
        clip=clip,
        subject='s1',
        dataset=dataset,
        fold=fold,
        title=f's{fold + 1}',
        seed=seed,
        left_out=apex is not None,
        onset=0,
        apex=apex,
        offset=50,
        predicted={'max': largest, 'template': template},
    )


def test_answers_are_read_by_title_seed_data_set_and_clip(tmp_path):
    """Answers of another decision, or for annotated clips, are not those that the run
    stands for.
    """
    rows = [
        answered('a', 'smic', 0, 0, None, 5, 6),
        answered('a', 'smic', 1, 0, None, 7, 8),
        answered('a', 'smic', 0, 1, None, 9, 10),
        answered('a', 'samm', 0, 0, None, 11, 12),
        answered('b', 'smic', 0, 0, 40, 41, 42),
    ]
    found = apexes.read(written(tmp_path / 'run', rows))
    assert found.frame == {
        ('s1', 0): {('smic', 'a'): 6, ('samm', 'a'): 12},
        ('s2', 0): {('smic', 'a'): 8},
        ('s1', 1): {('smic', 'a'): 10},
    }
    assert found.seeds == 2 and found.folder == str(tmp_path / 'run')
    other = apexes.read(written(tmp_path / 'max', rows, answer='max'))
    assert other.frame['s1', 0] == {('smic', 'a'): 5, ('samm', 'a'): 11}


def test_what_is_no_honest_spotting_run_by_subject_is_refused(tmp_path):
    """Groups of subjects, or clips, do not tell which subject a spotter did not see: its apexes
    would leak.
    """
    refusal = 'is not a spotting run by protocol loso without leaks'
    for number, other in enumerate(
        (
            {'protocol': 'kfold'},
            {'leaks': ['data.scaler_scope all: x']},
            {'protocol': 'loso, validation part'},
        )
    ):
        with pytest.raises(UserError, match=refusal):
            apexes.read(written(tmp_path / str(number), **other))
    names = Names(('a', 'b'), (), (), (), ())
    nothing = Predictions(*[np.zeros(0, np.int32)] * 7, np.zeros((0, 2), np.float32))
    recognition_results(nothing, names).write(written(tmp_path / 'recognition'))
    with pytest.raises(UserError, match=refusal):
        apexes.read(tmp_path / 'recognition')
    old = written(tmp_path / 'old')
    (old / 'config.json').write_text('{"settings": {}, "data": "print"}')
    with pytest.raises(UserError, match='old.*format 1'):
        apexes.read(old)
    for folder in (tmp_path / 'none', tmp_path):
        with pytest.raises(
            UserError,
            match=rf"data.apex is '{folder}'.*'midpoint'",
        ):
            apexes.read(folder)


# From two releases: a spotter, and recognition on the one without apexes

FLOW = 'spotting,optical_flow=farneback'
SMALL = [
    '--config.model.name=offapexnet',
    '--config.data.size=12',
    '--config.data.channels=u,v',
    '--config.train.epochs=1',
    '--config.train.lowering=matmul',
    '--config.train.at_once=1',
    '--config.train.devices=1',
]


@pytest.fixture(scope='module')
def releases(tmp_path_factory):
    """(CASME II, SMIC, folder of built data), as fake releases."""
    folder = tmp_path_factory.mktemp('releases')
    return casme2.write(folder / 'casme2'), smic.write(folder / 'smic'), folder / 'data'


@pytest.fixture(scope='module')
def spotter(releases, tmp_path_factory):
    """The folder of a finished spotting run by loso, one epoch, on both releases."""
    first, second, built = releases
    folder = tmp_path_factory.mktemp('spotter') / 'run'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, 'cores', lambda: 1)
        assert (
            main.main(
                [
                    f'--config={ROOT}/configs/casme2_spotting.py',
                    f'--config.data.name=casme2/{FLOW}+smic/{FLOW}',
                    f'--config.data.manual_dir={first.folder}+{second.folder}',
                    f'--config.data.data_dir={built}',
                    '--config.protocol.name=loso',
                    f'--workdir={folder}',
                    *SMALL,
                ]
            )
            == 0
        )
    return folder


def command(release, name, built, rule, folder):
    return [
        f'--config={ROOT}/configs/{name}_ststnet.py',
        f'--config.data.name={name}/{FLOW}',
        f'--config.data.data_dir={built}',
        f'--config.data.manual_dir={release.folder}',
        f'--config.data.apex={rule}',
        f'--workdir={folder}',
        *SMALL,
    ]


def table(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_a_spotter_trains_on_one_release_and_answers_for_both(spotter, releases):
    """SMIC never trains, is never scored, and has an answer from every spotter."""
    results = json.loads((spotter / 'results.json').read_text())
    micro = [clip for release in releases[:2] for clip in release.clips.values()]
    assert (
        results['leaks'] == []
        and results['task'] == 'spotting'
        and results['folds'] == len({clip.subject for clip in micro})
    )
    assert results['clips'] == len(micro) and set(results['spotting']['max']['per_dataset']) == {
        'casme2'
    }
    answers = table(spotter / 'apexes.csv')
    for clip in micro:
        own = [row for row in answers if row['clip'] == clip.clip]
        assert len(own) == (1 if clip.apex is not None else results['folds'])
        assert all(row['apex'] == ('' if clip.apex is None else str(clip.apex)) for row in own)
        assert all(
            clip.onset <= int(row[name]) <= clip.offset
            for row in own
            for name in results['spotting']
        )
    frames = table(spotter / 'predictions.csv')
    assert len(frames) == sum(int(row['offset']) - int(row['onset']) + 1 for row in answers)


def test_recognition_takes_each_apex_from_the_spotter_that_did_not_see_the_subject(
    spotter, releases, tmp_path, capsys
):
    """The chain that a result on SMIC stands on: fold by fold the answer of the fold of the same
    title, and no other.
    """
    _, release, built = releases
    other = tmp_path / 'spotter'
    shutil.copytree(spotter, other, ignore=shutil.ignore_patterns('checkpoints', 'plots'))
    answers = table(other / 'apexes.csv')
    for row in answers:  # frames that tell the fold, whatever one epoch has taught
        row['sw_max'] = str(int(row['onset']) + 1 + int(row['fold']) % 3)
    with open(other / 'apexes.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, answers[0])
        writer.writeheader()
        writer.writerows(answers)
    assert main.main(command(release, 'smic', built, other, tmp_path / 'run')) == 0
    told = {(row['title'], row['clip']): row['sw_max'] for row in answers}
    rows = table(tmp_path / 'run/predictions.csv')
    assert {row['clip']: row['frame'] for row in rows} == {
        clip: told[one.subject, clip] for clip, one in release.clips.items()
    } and len(rows) == len(release.clips)
    assert len({int(row['frame']) - release.clips[row['clip']].onset for row in rows}) == 3
    folds = table(tmp_path / 'run/folds.csv')
    assert [int(row['train']) + int(row['test']) for row in folds] == [len(release.clips)] * len(
        folds
    ), 'one frame a clip'
    out = capsys.readouterr().out
    counts = [
        sum(clip.emotion == word for clip in release.clips.values())
        for word in ('negative', 'positive', 'surprise')
    ]
    assert 'negative {}, positive {}, surprise {}'.format(*counts) in out
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert results['clips'] == len(release.clips) and results['leaks'] == []
    assert np.sum(results['confusion']) == len(release.clips)


def load(release, name, data_dir, rule):
    """loading.load of the flow of every frame of one release.

    rule: as settings or the command line give it.
    """
    return loading.load(
        sources.parse(f'{name}/{FLOW}', str(release.folder)),
        sources.BuildOptions(data_dir=str(data_dir)),
        Data(),
        channels=('u', 'v'),
        apex=rule,
    )


def test_recognition_at_the_midpoint(releases, tmp_path):
    """The rule that needs no spotter reaches predictions.csv."""
    _, release, built = releases
    assert (
        main.main(
            [
                *command(release, 'smic', built, 'midpoint', tmp_path / 'run'),
                '--config.train.epochs=0',
            ]
        )
        == 0
    )
    rows = table(tmp_path / 'run/predictions.csv')
    assert {row['clip']: int(row['frame']) for row in rows} == {
        name: apexes.middle(clip.onset, clip.offset) for name, clip in release.clips.items()
    }


def test_every_rule_loads_the_flow_of_its_frame(spotter, releases):
    """A row whose frame is named and whose picture is of another would be scored as the named one;
    and a clip with several spotted apexes is one clip.
    """
    _, release, folder = releases
    stored = {
        one['clip']: one
        for one in loading.read(
            sources.parse(f'smic/{FLOW}', str(release.folder))[0],
            ('clip', 'flows', 'flow_frames'),
            sources.BuildOptions(data_dir=str(folder)),
        )
    }
    frames = {}
    for rule in ('peak', 'midpoint', '', spotted_everywhere(release, (1, 3))):
        found = load(release, 'smic', folder, rule)
        assert not found.apex_annotated.any() and set(found.names.clips) == set(release.clips)
        for clip, frame, image in zip(
            found.samples.clip, found.samples.extras['frame'], found.samples.image, strict=True
        ):
            one = stored[found.names.clips[clip]]
            flow = one['flows'][one['flow_frames'].tolist().index(frame)]
            np.testing.assert_array_equal(image, images.stretch(images.resize(flow, 28)))
        frames[str(rule)[:8]] = found.samples.extras['frame'].tolist()
    assert len(frames['Spotted(']) == 2 * len(release.clips) == 2 * len(frames['peak'])
    assert (
        load(release, 'smic', folder, apexes.read(spotter)).samples.clip.max()
        == len(release.clips) - 1
    )


def spotted_everywhere(release, after):
    """apexes.Spotted whose folds answer the frames so many after the onset of every clip."""
    return apexes.Spotted(
        'x',
        {
            (str(number), 0): {
                ('smic', name): clip.onset + number for name, clip in release.clips.items()
            }
            for number in after
        },
        1,
    )


def test_a_release_with_every_apex_annotated_is_the_same_by_every_rule(spotter, releases):
    """data.apex is for clips that have none: CASME II must not change, whatever it says."""
    release, _, folder = releases
    found = [load(release, 'casme2', folder, rule) for rule in ('', 'peak', apexes.read(spotter))]
    assert len({one.fingerprint for one in found}) == 1 and all(
        one.apex_annotated.all() for one in found
    )
    assert [release.clips[name].apex for name in found[0].names.clips] == found[0].samples.extras[
        'frame'
    ].tolist()


def test_a_folder_that_tells_no_apex_of_the_fold_ends_in_one_line(
    spotter, releases, tmp_path, capsys
):
    """Hours later, or never, is when a wrong folder would be noticed."""
    _, release, built = releases
    first = command(release, 'smic', built, spotter, tmp_path / 'run')
    assert "protocol.name is 'kfold'" in mistake(capsys, *first, '--config.protocol.name=kfold')
    assert 'the folder of a finished spotting run' in mistake(
        capsys, *command(release, 'smic', built, tmp_path, tmp_path / 'run')
    )
    own = written(tmp_path / 'other')
    assert 'predicts no apex for clip' in mistake(
        capsys, *command(release, 'smic', built, own, tmp_path / 'run')
    )
    assert not (tmp_path / 'run/results.json').exists()


def test_the_strongest_frame_is_that_of_the_face_not_of_the_head():
    """The peak of plain flow would be the frame in which the head is farthest from where it was."""
    affine, bump = fields(5)
    affine[1] *= 20
    bump[[0, 1, 2, 4]] *= 0.1 / np.abs(bump).max((1, 2, 3))[[0, 1, 2, 4], None, None, None]
    bump[3] /= np.abs(bump[3]).max()
    both = affine + bump
    assert np.argmax(np.linalg.norm(both, axis=-1).mean((1, 2))) == 1 and apexes.peak(both) == 3


# A spotting config in place of a finished run


def spotting_config(path, *changes):
    """A config file of a spotter as small as that of the fixture."""
    lines = [
        'from mer_jax.presets import spotting, variants',
        'def get_config(variant=""):',
        f'    c = spotting("small", "casme2/{FLOW}+smic/{FLOW}")',
        '    c.model.name = "offapexnet"',
        '    c.data.size = 12',
        '    c.train.update({"epochs": 1, "lowering": "matmul", "at_once": 1, "devices": 1})',
        *(f'    c.{change}' for change in changes),
        '    return variants(c, variant)',
    ]
    path.write_text('\n'.join(lines))
    return path


def test_a_spotting_config_is_trained_first_and_once(releases, tmp_path, monkeypatch):
    """SMIC in one command: a kill after hours of spotting must not begin it again, and each fold
    takes the apexes of the spotter that left out its subject.
    """
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    first, release, built = releases
    config = spotting_config(tmp_path / 'small.py')
    arguments = [
        *command(release, 'smic', built, config, tmp_path / 'run'),
        f'--config.data.manual_dir={first.folder}+{release.folder}',
    ]

    original = run.open_run

    def stop_in_recognition(settings, folder):
        if folder == tmp_path / 'run':
            raise KeyboardInterrupt
        return original(settings, folder)

    with monkeypatch.context() as patch:
        patch.setattr(run, 'open_run', stop_in_recognition)
        assert main.main(arguments) == 130
    results = tmp_path / 'run/spotting/results.json'
    stamp = results.stat().st_mtime_ns
    assert not (tmp_path / 'run/results.json').exists()
    assert main.main(arguments) == 0
    assert results.stat().st_mtime_ns == stamp
    predicted = {}
    for row in table(tmp_path / 'run/spotting/apexes.csv'):
        predicted[row['title'], row['clip']] = row['sw_max']
    rows = table(tmp_path / 'run/predictions.csv')
    assert len(rows) == len(release.clips)
    for row in rows:
        subject = release.clips[row['clip']].subject
        assert row['frame'] == predicted[subject, row['clip']]
    named = json.loads((tmp_path / 'run/results.json').read_text())['data']['apexes']
    assert 'small' in named and 'sw_max' in named
    page = (tmp_path / 'run/report.html').read_text()
    assert named.partition(' ')[0] in page and 'href="spotting/report.html"' in page
    assert main.main(['evaluate', *arguments]) == 0
    assert results.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    'config,named',
    [
        ('synthetic_ststnet', 'recognition'),
        ('casme2_spotting', 'smic'),
        ('smic_spotting:label=cubic', 'label=cubic'),
        (('train.epochs = -1',), 'train.epochs'),
        (('data.scaler_scope = "all"',), 'data.scaler_scope=all'),
    ],
)
def test_a_mistake_in_a_spotting_config_is_one_line_before_anything_trains(
    config, named, releases, tmp_path, capsys
):
    """It must not be found after the spotter, or recognition, has trained."""
    first, release, built = releases
    if isinstance(config, tuple):
        config = spotting_config(tmp_path / 'small.py', *config)
    arguments = command(release, 'smic', built, config, tmp_path / 'run')
    assert main.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'data.apex' in error and named in error
    assert not (tmp_path / 'run').exists()


def test_what_recognition_refuses_costs_no_training_of_the_spotter(releases, tmp_path, capsys):
    """A spotter takes hours; recognition could say before that its weights file does not exist."""
    first, release, built = releases
    config = spotting_config(tmp_path / 'small.py')
    arguments = command(release, 'smic', built, config, tmp_path / 'run')
    assert main.main([*arguments, '--config.model.init_from=none.pth']) == 2
    assert 'none.pth' in capsys.readouterr().err and not (tmp_path / 'run').exists()


def test_runs_with_changed_settings_share_one_spotter(monkeypatch, tmp_path):
    """An audit would train the same spotter for each of its ten lines."""
    config = config_files.load('smic_ocnet')
    config.data.apex = 'smic_spotting'
    spotters, runs = [], []
    monkeypatch.setattr(run, 'train_spotter', lambda *inputs: spotters.append(inputs[-1]))
    monkeypatch.setattr(run, 'train_settings', lambda settings, folder: runs.append(settings))
    settings = rules.checked(config)
    for name in ('honest', 'scale'):
        run.train_changed(settings, tmp_path, {'train.seeds': 1}, tmp_path / name)
    assert spotters == [tmp_path, tmp_path]
    assert {changed.data.apex for changed in runs} == {str(tmp_path / 'spotting')}
