"""The drawn faces: motion as FACS says, truth that fits the frames, the same bytes every time, TFDS
round trip.
"""

import collections
import hashlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.svm import SVC

from mer_jax.errors import UserError
from mer_jax.preprocess import flow, magnify
from mer_jax.preprocess.action_units import parse
from mer_jax.preprocess.synthetic import clips, emotions, identity, landmarks, motion, muscles
from mer_jax.preprocess.synthetic.plans import PLANS
from tfds_builders import workers
from tfds_builders.synthetic_faces.synthetic_faces_dataset_builder import (
    ALPHA,
    SEED,
    Builder,
    example,
)

ROOT = Path(__file__).parents[2]
COARSE = {'disgust': 0, 'repression': 0, 'happiness': 1, 'surprise': 2}


@pytest.fixture(scope='module')
def tiny():
    """Every clip of the tiny plan."""
    return list(clips.clips('tiny', seed=SEED))


@pytest.fixture(scope='module')
def stored(tiny_data):
    """The tiny data set, built and read back, by clip id."""
    builder = Builder(data_dir=tiny_data, config='tiny')
    return {record['clip'].decode(): record for record in builder.as_data_source(split='train')}


@pytest.fixture(scope='module')
def measured():
    """Records of a few clips of the tiny plan with the flow that users get, by clip id."""
    records = drawn(cores=1)
    return {record['clip']: record for record in records}


def drawn(cores):
    """Records of clips of four subjects, drawn by so many threads."""
    make, jobs = partial(example, kind='tiny'), clips.jobs('tiny', seed=SEED)[:16:5]
    return list(workers.threaded(make, jobs, cores=cores, title='', progress=False))


@pytest.fixture(scope='module')
def face():
    """Landmarks of one drawn face."""
    return landmarks.place(identity.draw(np.random.default_rng(5)))


def digest(clip):
    """Hash over everything in a Clip."""
    parts = [
        part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode() for part in clip
    ]
    return hashlib.sha256(b'|'.join(parts)).hexdigest()


def sampled(field, points):
    """field [H, W, C] at points [n, 2]."""
    x, y = np.float32(points).T
    return cv2.remap(np.float32(field), x[None], y[None], cv2.INTER_LINEAR)[0]


def test_landmarks_are_symmetric_and_inside(face):
    """A wrong mirror index would move the wrong half of the face."""
    centre = face[30, 0]
    np.testing.assert_allclose(face[landmarks.MIRROR], [2 * centre, 0] + face * (-1, 1), atol=1e-3)
    assert np.array_equal(landmarks.MIRROR[landmarks.MIRROR], np.arange(68))
    assert (face > 0).all() and (face < identity.SIZE - 1).all()


@pytest.mark.parametrize(
    'unit, landmark, direction',
    [
        (1, 21, (0, -1)),
        (2, 17, (0, -1)),
        (4, 20, (0.55, 0.8)),
        (5, 37, (0, -1)),
        (6, 41, (0, -1)),
        (7, 41, (0, -1)),
        (9, 31, (0, -1)),
        (10, 50, (0, -1)),
        (12, 48, (-1, -1)),
        (14, 48, (-1, 0)),
        (15, 48, (0, 1)),
        (17, 57, (0, -1)),
        (20, 48, (-1, 0)),
        (23, 48, (1, 0)),
        (24, 57, (0, -1)),
        (25, 57, (0, 1)),
        (26, 8, (0, 1)),
    ],
)
def test_action_units_move_as_facs_says(face, unit, landmark, direction):
    """A smile that pulls the corners down would make every explanation of a model wrong."""
    move = muscles.displacement(muscles.pushes(face, [(unit, 1, 1)]), face)
    cosine = move[landmark] @ direction / np.linalg.norm(move[landmark]) / np.linalg.norm(direction)
    assert cosine > 0.85 and np.linalg.norm(move[landmark]) > 0.3
    np.testing.assert_allclose(
        move[landmarks.MIRROR[landmark]], move[landmark] * (-1, 1), atol=1e-3
    )


def test_one_sided_unit_moves_one_side(face):
    """'R12' is the subject's right corner (48, left of the image); swapped sides would contradict
    the label.
    """
    move = muscles.displacement(muscles.pushes(face, [(12, 1, 0)]), face)
    assert np.linalg.norm(move[48]) > 10 * np.linalg.norm(move[54])


def test_an_unknown_unit_is_refused(face):
    """A unit that is not drawn would be labelled and never shown."""
    with pytest.raises(UserError, match='action unit 99'):
        muscles.pushes(face, [(99, 1, 1)])


def test_time_course_rises_to_the_apex_and_returns():
    """A second peak or a jump would make the stored apex wrong."""
    course = motion.time_course(40, 4, 15, 35)
    assert course[15] == 1 and course.argmax() == 15
    assert (course[:5] == 0).all() and (course[35:] == 0).all()
    assert (
        (np.diff(course[4:16]) > 0).all()
        and (np.diff(course[15:36]) < 0).all()
        and np.abs(np.diff(course)).max() < 0.2
    )


def test_head_pose_matches_a_rotation_written_out():
    """A turn in the wrong sense would make the stored displacement differ from the frames."""
    pose, point = (0.4, -0.2, np.deg2rad(3.0)), np.array([[70.0, 20.0]])
    x, y = point[0] - 63.5
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    expected = [[cos * x - sin * y + 63.5 + 0.4, sin * x + cos * y + 63.5 - 0.2]]
    np.testing.assert_allclose(motion.apply_pose(point, pose), expected)
    np.testing.assert_allclose(motion.undo_pose(motion.apply_pose(point, pose), pose), point)
    wander = motion.head_pose(np.random.default_rng(0), 30, 7, shift=0.3, turn=0.004)
    assert (wander[7] == 0).all() and 0.01 < np.abs(wander[:, :2]).max() < 3


def test_rest_points_invert_the_motion(face):
    """An inversion that stops early would render less motion than the truth says."""
    bells = muscles.pushes(face, [(6, 1, 1), (12, 1.5, 1.2)])
    pose = (0.3, 0.2, 0.004)
    rest = motion.rest_points(muscles.displacement(bells, motion.pixels()), 0.8, pose)
    there = motion.apply_pose(rest + 0.8 * muscles.displacement(bells, rest), pose)
    assert np.abs(there - motion.pixels())[2:-2, 2:-2].max() < 0.02


def test_truth_warps_the_apex_back_onto_the_onset(tiny):
    """A displacement that does not fit the rendered frames would be a false yardstick for every
    flow method.
    """
    for clip in tiny:
        onset, apex = clip.clean
        at = (motion.pixels() + clip.displacement).astype(np.float32)
        back = cv2.remap(apex, at[..., 0], at[..., 1], cv2.INTER_CUBIC)
        inside = np.s_[6:-6, 6:-6]
        left, before = np.abs(back - onset)[inside].mean(), np.abs(apex - onset)[inside].mean()
        assert left < 0.8 and left < 0.4 * before, clip.clip


def test_landmarks_follow_the_displacement(tiny):
    """Landmarks from another motion than the pixels would crop regions beside the muscles."""
    for clip in tiny:
        moved = clip.landmarks[0] + sampled(clip.displacement, clip.landmarks[0])
        np.testing.assert_allclose(moved, clip.landmarks[1], atol=0.05)


def test_motion_is_micro_and_timing_is_in_range(tiny):
    """A motion of ten pixels or of a second would be no micro-expression."""
    for clip in tiny:
        assert 0.5 < np.linalg.norm(clip.displacement, axis=-1).max() < 4.5
        assert 0.2 <= (clip.offset - clip.onset + 1) / clips.FPS < 0.5
        assert 0.33 < (clip.apex - clip.onset) / (clip.offset - clip.onset) < 0.67
        assert (
            clip.first_frame < clip.onset and clip.offset < clip.first_frame + len(clip.frames) - 1
        )


def test_measured_flow_sees_the_true_motion(measured):
    """Frames without texture or with too much noise would leave nothing to learn but the truth
    itself.
    """
    correlations = []
    for record in measured.values():
        inside = np.s_[20:-10, 20:-20]
        found, truth = record['flow'][..., :2][inside], record['displacement'][inside]
        correlations.append(np.corrcoef(found.ravel(), truth.ravel())[0, 1])
        assert not np.array_equal(found, truth)
        assert np.linalg.norm(found - truth, axis=-1).mean() < np.linalg.norm(truth, axis=-1).mean()
    assert np.median(correlations) > 0.85 and min(correlations) > 0.5


def test_a_clip_alone_is_the_clip_of_the_whole_set(tiny):
    """Randomness that depends on the clips before would change a clip when the plan changes."""
    expected = [clip for clip in tiny if clip.subject == 's04'][3]
    alone = clips.make(SEED, 4, 3, expected.emotion, clips.person(SEED, 4))
    assert digest(alone) == digest(expected)


def test_two_processes_draw_the_same_bytes():
    """Hash order or leftover state would give every user another data set."""
    code = """if True:
        import hashlib
        from mer_jax.preprocess.synthetic import clips
        clip = clips.make(0, 1, 0, 'disgust', clips.person(0, 1))
        drawn = clip.frames.tobytes() + clip.displacement.tobytes() + clip.landmarks.tobytes()
        digest = hashlib.sha256(drawn).hexdigest()
        print(clip.action_units, clip.onset, clip.apex, clip.offset, digest)
    """
    first, second = [
        subprocess.run(
            [sys.executable, '-c', code],
            cwd=ROOT,
            env={**os.environ, 'PYTHONHASHSEED': seed},
            capture_output=True,
        )
        for seed in ('1', '2')
    ]
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_the_plans_count_as_they_say():
    """Other counts would not stand in for CASME II."""
    counts = np.array(list(PLANS['default'].values()))
    assert emotions.EMOTIONS == ('disgust', 'happiness', 'others', 'repression', 'surprise')
    assert counts.sum(0).tolist() == [63, 32, 99, 27, 25] and len(counts) == 26
    per_subject = dict(zip(PLANS['default'], counts.sum(1).tolist(), strict=True))
    assert per_subject['s17'] == 33 and sorted(per_subject.values())[:4] == [2, 2, 2, 3]
    large = PLANS['large']
    assert (
        list(large)[25:27] == ['s26', 's27']
        and len(large) == 104
        and np.sum(list(large.values())) == 4 * counts.sum()
    )
    assert (
        np.sum(list(PLANS['small'].values()), 0).tolist() == [44, 30, 0, 22, 24]
        and len(PLANS['small']) == 12
    )
    small = np.array(list(PLANS['tiny'].values()))
    coarse = np.stack([small[:, 0] + small[:, 3], small[:, 1], small[:, 4]], -1)
    assert ((coarse > 0).sum(0) >= 4).all() and (coarse.sum(0) >= 5).all()


def test_three_holds_the_very_clips_of_default_that_have_a_class():
    """A clip drawn by another number would be another clip: results on `three` would not be those
    on `default`.
    """
    every, three = (clips.jobs(plan, seed=SEED) for plan in ('default', 'three'))
    assert three == [job for job in every if job.emotion != 'others'] and len(three) == 147
    assert Builder(config='three').settings() != Builder(config='default').settings(), (
        'one would pass for the other'
    )


def test_coded_units_are_drawn_units_of_some_emotion(tiny):
    """A label that the muscles do not know would be a unit that no clip shows."""
    known = {combination for common in emotions.COMBINATIONS.values() for combination in common}
    own = 0
    for clip in tiny:
        units = parse(clip.action_units)
        assert units and all(unit.number in muscles.ACTION_UNITS and unit.certain for unit in units)
        plain = '+'.join(str(unit.number) for unit in units)
        assert plain in known
        own += plain in emotions.COMBINATIONS[clip.emotion]
    assert own > 0.75 * len(tiny)


def test_round_trip(stored, tiny):
    """What is read back must be what was drawn: ids, labels, truth, and frames that the numbers
    point at.
    """
    assert sorted(stored) == sorted(clip.clip for clip in tiny) and len(stored) == len(tiny) == 30
    for clip in tiny:
        record = stored[clip.clip]
        for name in ('subject', 'action_units'):
            assert record[name].decode() == getattr(clip, name)
        assert emotions.EMOTIONS[record['emotion']] == clip.emotion
        for name in ('first_frame', 'onset', 'apex', 'offset'):
            assert record[name] == getattr(clip, name)
        for name in ('frames', 'landmarks', 'displacement'):
            np.testing.assert_array_equal(record[name], getattr(clip, name))
            assert record[name].dtype == getattr(clip, name).dtype
        numbers = np.array([clip.onset, clip.apex, clip.offset]) - clip.first_frame
        np.testing.assert_array_equal(record['key_frames'], clip.frames[numbers])
        assert (record['dataset'], record['apex_source'], record['fps']) == (
            b'synthetic',
            b'truth',
            100.0,
        )
        assert record['action_units_known']
    counted = collections.Counter((clip.subject, clip.emotion) for clip in tiny)
    for subject, row in PLANS['tiny'].items():
        assert tuple(counted[subject, emotion] for emotion in emotions.EMOTIONS) == row
    assert 'tensorflow' not in sys.modules


def test_stored_flow_is_that_of_the_stored_frames(measured):
    """Flow from noise-free frames, or from the truth, would be better than any recording allows."""
    for record in list(measured.values())[:2]:
        onset, apex, offset = record['key_frames']
        np.testing.assert_array_equal(record['flow'], flow.flow_features(onset, apex))
        np.testing.assert_array_equal(record['flow_offset'], flow.flow_features(apex, offset))


def test_the_second_half_of_the_motion_undoes_the_first(measured):
    """A face goes back the way it came, but for the head: flow of other frames, or the wrong way
    round, would not say so.
    """
    cosines = []
    for record in measured.values():
        there, back = (record[name][20:-10, 20:-20, :2].ravel() for name in ('flow', 'flow_offset'))
        cosines.append(there @ back / np.linalg.norm(there) / np.linalg.norm(back))
    assert np.median(cosines) < -0.4


def test_the_image_is_the_magnified_apex_and_two_magnitudes(measured):
    """Channels in another order, or flow of other frames, would be another input than the
    releases'.
    """
    for record in list(measured.values())[1:3]:
        onset, apex, offset = record['key_frames']
        magnified, on_a, off_a = np.moveaxis(record['image'], -1, 0)
        np.testing.assert_array_equal(
            magnified, magnify.magnify(onset, apex, method='phase', alpha=ALPHA)
        )
        np.testing.assert_array_equal(on_a, flow.samer_magnitude(record['flow'][..., :2]))
        np.testing.assert_array_equal(off_a, flow.samer_magnitude(flow.estimate(offset, apex)))
        assert (
            0.02 < (on_a > 0).mean() < 0.5 and (on_a != off_a).any() and (magnified != apex).any()
        )


def test_the_magnified_config_changes_two_channels_only(measured):
    """Another clip, or another magnified frame, would hide what the target of the flow does."""
    job = clips.jobs('tiny', seed=SEED)[0]
    record = example(job, kind='magnified')
    plain = measured[record['clip']]
    for name in ('flow', 'flow_offset', 'frames', 'key_frames', 'landmarks', 'displacement'):
        np.testing.assert_array_equal(record[name], plain[name])
    magnified = plain['image'][..., 0]
    fields = [flow.estimate(start, magnified) for start in record['key_frames'][[0, 2]]]
    np.testing.assert_array_equal(
        record['image'], np.stack([magnified, *map(flow.samer_magnitude, fields)], -1)
    )
    assert all((record['image'][..., k] != plain['image'][..., k]).any() for k in (1, 2))
    assert Builder(config='magnified').settings() == Builder(config='default').settings()


def test_one_or_two_cores_give_the_same_records(measured):
    """A record that depends on what is computed beside it would make every machine's data
    another.
    """
    jax.tree.map(np.testing.assert_array_equal, list(measured.values()), drawn(cores=2))


def test_emotions_can_be_learnt_across_subjects_but_not_perfectly():
    """Where every model scores 1, or none beats chance, a good change cannot be told from a bad
    one.
    """
    images, labels, subjects = [], [], []
    for number, counts in enumerate(PLANS['default'].values(), 1):
        rng = clips.generator(SEED, number, 0)
        points, style = landmarks.place(identity.draw(rng)), emotions.style(rng)
        order = [
            name
            for name, count in zip(emotions.EMOTIONS, counts, strict=True)
            for _ in range(count)
        ]
        for index, emotion in enumerate(order):
            if emotion in COARSE:
                bells = clips.facial(
                    clips.generator(SEED, number, 1 + index), points, style, emotion
                )[1]
                images.append(muscles.displacement(bells, motion.pixels()[2::5, 2::5]).ravel())
                labels.append(COARSE[emotion])
                subjects.append(number)
    images, labels, subjects = np.array(images), np.array(labels), np.array(subjects)
    predicted = np.zeros_like(labels)
    for subject in set(subjects.tolist()):
        train = subjects != subject
        machine = SVC(kernel='linear', C=0.1, class_weight='balanced').fit(
            images[train], labels[train]
        )
        predicted[~train] = machine.predict(images[~train])
    assert 0.6 < f1_score(labels, predicted, average='macro') < 0.97


def timings(count=3000):
    """int[count, 4] onset, apex, offset, frames of varied_timing, of styles as subjects
    have them.
    """
    drawn = []
    for number in range(count):
        rng = clips.generator(7, number)
        drawn.append(clips.varied_timing(rng, emotions.style(rng).length))
    return np.array(drawn)


def test_varied_apexes_are_as_uneven_as_casme2s():
    """Where the middle of the clip is right, no spotter can be better; where it is off by 20
    frames, every one is.
    """
    onset, apex, offset, count = timings().T
    span, place = offset - onset, (apex - onset) / (offset - onset)
    assert abs(place.mean() - 0.515) < 0.01 and 60 < span.mean() < 72
    off = np.abs(apex - (onset + offset) // 2)
    assert 7 < off.mean() < 10 and (off > 15).mean() > 0.1
    assert (
        ((span + 1) / (2 * clips.FPS) <= 0.5).all()
        and span.min() >= 30
        and len(np.unique(span)) > 50
    )
    assert (
        (onset >= 3).all()
        and (apex - onset >= 3).all()
        and (offset - apex >= 3).all()
        and (count - offset >= 4).all()
    )


def test_what_moves_in_a_varied_clip_moves_most_at_its_apex():
    """`moved` is the yardstick of a spotter that sees the truth: without the head, and at twice the
    frame rate.
    """
    for job in clips.jobs('spotting_tiny', seed=SEED)[::8]:
        clip = clips.render(job)
        onset, apex, offset = (
            number - clip.first_frame for number in (clip.onset, clip.apex, clip.offset)
        )
        assert (
            clip.moved.argmax() == apex
            and 0.6 < clip.moved[apex] < 3.1
            and len(clip.moved) == len(clip.frames)
        )
        assert (
            (clip.moved[: onset + 1] == 0).all()
            and (clip.moved[offset:] == 0).all()
            and clip.fps == 200
        )


def test_old_plans_are_drawn_as_before():
    """A generator that is asked once more, or for another number, gives every published result on
    drawn faces other data.
    """
    rng = clips.generator(0, 1, 1)
    assert [clips.timing(rng, 33.0) for _ in range(4)] == [
        (5, 19, 37, 44),
        (4, 23, 35, 42),
        (3, 21, 34, 40),
        (4, 26, 42, 49),
    ]
    pose = motion.head_pose(rng, 30, 7, shift=0.3, turn=0.004)
    np.testing.assert_allclose(
        pose[[0, 15, 29]],
        [
            [0.24010366900925673, 0.128520095798287, 0.00017816442436423274],
            [0.35911969960490725, 0.017986432738476776, 0.0005432582342831354],
            [1.2149135553799775, 0.6263180752979313, -0.0012047629483367477],
        ],
        rtol=1e-6,
    )
    job = clips.jobs('default', seed=SEED)[134]
    clip = clips.render(job)
    assert (
        clip.clip,
        clip.action_units,
        clip.first_frame,
        clip.onset,
        clip.apex,
        clip.offset,
        len(clip.frames),
        clip.fps,
    ) == ('s16_repression_03', '15+17', 50, 56, 75, 92, 49, 100.0)


@pytest.mark.parametrize('plan', ['spotting', 'spotting_tiny'])
def test_the_plans_for_spotting_are_varied_and_hold_the_flow_of_every_frame(plan):
    """A plan that is not in VARIED would be built with short clips whose apex is near the
    middle.
    """
    assert all(job.varied for job in clips.jobs(plan, seed=SEED)) and not any(
        job.varied for job in clips.jobs('tiny', seed=SEED)
    )
    assert {'flows', 'flow_frames', 'moved'} <= set(Builder(config=plan).info.features) and len(
        PLANS['spotting']
    ) == 15
    assert not {'frames', 'flow_offset'} & set(Builder(config=plan).info.features)
    assert 'flows' not in Builder(config='tiny').info.features
