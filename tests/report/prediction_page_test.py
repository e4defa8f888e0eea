"""The page and the table of the verb predict: movement first, honest about what it is."""

import dataclasses
import re

import numpy as np
import pytest

from mer_jax.prediction import candidates
from mer_jax.report import prediction_page, prediction_tables
from mer_jax.report.formats import WIDTH
from mer_jax.runfiles import prediction_file as answer
from tests.support import predicted
from tests.support.pages import Page

MARKUP = '<script src=x>&.mp4'
NOT_CLEAR = predicted.clip(
    outcome=answer.NOT_CLEAR,
    class_of_training_data=None,
    probabilities={'negative': 0.4, 'positive': 0.35, 'surprise': 0.25},
)
BELOW = predicted.clip(
    outcome=answer.NOTHING,
    class_of_training_data=None,
    movements=(),
    scores=None,
    probabilities=None,
    agreement_of_folds=None,
    strength=0.5,
)
GIVEN = predicted.clip(key_frames_from=answer.GIVEN, warnings=())
PICTURE = predicted.clip(
    key_frames_from=answer.NONE, onset=None, apex=None, offset=None, movements=()
)
FACE = np.full((64, 64), 128, np.uint8)
PICTURES = prediction_page.ClipPictures(FACE, FACE, FACE, np.ones((64, 64, 2)), np.eye(64))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('predictions')


@pytest.fixture(scope='module')
def everything(folder):
    """The page of recordings of every kind, and its text."""
    content = predicted.predictions(
        predicted.recording(predicted.clip(), NOT_CLEAR, BELOW, source=f'/films/{MARKUP}'),
        predicted.recording(source='still.mp4', motion=None),
        predicted.recording(
            dataclasses.replace(predicted.clip(), key_frames_from=answer.SEARCH_AND_SPOTTER),
            motion=None,
        ),
        predicted.recording(PICTURE, source='clip.png', kind='feature picture', motion=None),
    )
    path = prediction_page.write(folder, content, {(0, 0): PICTURES})
    html = path.read_text()
    return html, Page(html)


def test_a_printed_answer_is_the_table_of_the_verb():
    """print(answer) filled a screen with the fields of every region and frame."""
    content = predicted.predictions(predicted.recording(NOT_CLEAR))
    assert str(content) == prediction_tables.text(content) and len(str(content)) < 2500
    assert max(map(len, str(content).split('\n'))) <= WIDTH


def test_nothing_leaves_the_machine(everything):
    """A page that loads a script or a font tells a server who looked at whose face."""
    html, page = everything
    tags = {tag for tag, _ in page.tags}
    assert not tags & {'script', 'link', 'iframe', 'form'}
    links = [attributes['href'] for tag, attributes in page.tags if tag == 'a']
    assert all(link.startswith('#') for link in links)  # of the contents list
    pictures = [attributes['src'] for tag, attributes in page.tags if tag == 'img']
    assert pictures and all(uri.startswith('data:image/') for uri in pictures)
    assert not re.search(r'(https?:)?//\w', re.sub(r'base64,[^"]+', '', html))
    assert MARKUP in page.text  # escaped, not run


def test_what_it_is_and_is_not_stands_first(everything):
    """Whoever reads only the top must not take the page for a lie detector."""
    text = everything[1].text
    statement = answer.Statement()
    marks = [statement.what_it_is, 'lie detector', 'experimental', 'In short', 'mouth corner up']
    marks.append('Class of the training data')
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert text.count('2024/1689') == 1
    assert 'Agreement of the folds' in text and 'not an uncertainty' in text


def test_pictures_are_those_of_their_clip(everything):
    """Key frames, flow and AU-CAM of a clip stand with it; a clip without pictures has none."""
    pictures = [attributes['alt'] for tag, attributes in everything[1].tags if tag == 'img']
    expected = ['onset', 'apex', 'offset', prediction_page.FLOW, prediction_page.AU_CAM]
    assert len(pictures) == 1 + len(expected)  # the first is the motion over time
    for caption, word in zip(pictures[1:], expected, strict=True):
        assert caption.startswith(word)


def test_outcomes_are_named(everything):
    """A class that is not clear is not named, and a still recording is an answer too."""
    text = everything[1].text
    assert 'From the candidate search' in text and 'spotting run' in text
    assert text.count(answer.NOT_CLEAR) >= 1 and text.count(answer.NOTHING) >= 2
    assert prediction_tables.NO_UNITS in text


def test_only_a_search_is_experimental(folder):
    """Whoever gave onset and offset reads of a search that never was; and one that was is named,
    though a spotting run gave the apex.
    """
    for origin, searched in ((answer.SPOTTER, False), (answer.SEARCH_AND_SPOTTER, True)):
        clip = dataclasses.replace(GIVEN, key_frames_from=origin)
        content = predicted.predictions(predicted.recording(clip, motion=None))
        page = Page(prediction_page.write(folder, content, {}).read_text())
        for text in (page.text, prediction_tables.text(content)):
            assert ('experimental' in text) == searched
        assert 'spotting run' in page.text
        [row] = answer.PredictionRows.of(content).rows
        assert (answer.EXPERIMENTAL in row.warnings) == searched


def test_a_model_that_leaks_or_is_not_calibrated_says_so(folder):
    """A figure of a leaking model, or a softmax taken for a probability, misleads."""
    content = predicted.predictions(
        predicted.recording(dataclasses.replace(GIVEN, probabilities=None)),
        calibrated=False,
        threshold=None,
        leaks=('scaling saw all rows',),
        input=answer.APPROXIMATE,
        uf1=None,
        uf1_interval=None,
    )
    page = Page(prediction_page.write(folder, content, {}).read_text())
    printed = prediction_tables.text(content)
    for text in (page.text, ' '.join(printed.split())):
        for words in ('scaling saw all rows', 'not honest', 'not calibrated', 'approximate'):
            assert words in text, words
        assert 'experimental' not in text  # nothing was searched for
    assert ('div', {'class': 'verdict leaky', 'role': 'alert'}) in page.tags
    assert 'nothing was held out' in page.text


def test_the_table_fits_a_terminal_and_says_movement_first():
    """Lines that wrap cannot be read; the class must not come before the movement."""
    content = predicted.predictions(
        predicted.recording(predicted.clip(), NOT_CLEAR, source='a_long_name' * 5),
        predicted.recording(source='still.mp4'),
    )
    printed = prediction_tables.text(content)
    assert max(map(len, printed.splitlines())) <= WIDTH
    assert printed.index('left mouth corner up (1.2)') < printed.index('positive')
    assert 'not clear' in printed and answer.NOTHING in printed
    assert '550 ms' in printed and '0.70' in printed
    assert 'warning: ' in printed and 'turned by 20' in printed


HELD_OUT = answer.HeldOut(
    24,
    {
        'negative': answer.ClassCounts(8, 10, 12),
        'positive': answer.ClassCounts(1, 7, 4),
        'surprise': answer.ClassCounts(0, 7, 0),
    },
    (1.026, 1.060),
)


@pytest.mark.parametrize(('after', 'is_better'), [(1.060, False), (1.026, False), (0.9, True)])
def test_probabilities_are_calibrated_only_where_held_out_clips_say_so(after, is_better, folder):
    """A temperature that made held-out clips less likely would pass for a calibration."""
    content = dataclasses.replace(
        predicted.predictions(), held_out=dataclasses.replace(HELD_OUT, losses=(1.026, after))
    )
    page = Page(prediction_page.write(folder, content, {}).read_text())
    for text in (page.text, prediction_tables.text(content)):
        words = ' '.join(text.split())
        assert ('probabilities are calibrated on 24' in words) == is_better
        assert ('not known to be calibrated' in words) != is_better
        assert '1.026' in words and f'{after:.3f}' in words
    assert ('Calibrated probabilities' in page.text) == is_better


def test_probabilities_of_an_unmeasured_calibration_are_not_called_calibrated(folder):
    """A pack does not hold how much calibration gained, so that nothing is claimed."""
    page = Page(prediction_page.write(folder, predicted.predictions(), {}).read_text())
    for text in (page.text, prediction_tables.text(predicted.predictions())):
        assert 'are calibrated' not in text and 'Calibrated' not in text
        assert 'fitted to held-out clips' in ' '.join(text.split())


def test_recall_and_precision_stand_beside_a_class(folder):
    """A class that the run missed in six of seven clips would sound as certain as any other."""
    content = dataclasses.replace(predicted.predictions(), held_out=HELD_OUT)
    page = Page(prediction_page.write(folder, content, {}).read_text())
    for text in (page.text, prediction_tables.text(content)):
        assert 'recall 0.14 (1 of 7), precision 0.25 (1 of 4)' in ' '.join(text.split())
    assert 'none was named so' in page.text, 'surprise, among the facts of the model'
    assert 'held_out' not in content.to_json()


def test_a_threshold_that_nothing_reaches_is_no_number():
    """'No class below 1.00' sounds as if one could be clear."""
    content = predicted.predictions(predicted.recording(NOT_CLEAR), threshold=1.0)
    line = prediction_tables.input_line(content)
    assert 'no class is ever named' in line and '1.00' not in line


def test_a_probability_below_the_threshold_does_not_look_like_it(folder):
    """'Not clear, 0.28' beside 'no class below 0.28' reads as a mistake of the program."""
    shares = {'negative': 0.381, 'positive': 0.379, 'surprise': 0.24}
    clip = dataclasses.replace(NOT_CLEAR, probabilities=shares)
    for threshold, shown in ((0.384, ('0.381', '0.384')), (0.45, ('0.38', '0.45'))):
        content = predicted.predictions(predicted.recording(clip), threshold=threshold)
        page = Page(prediction_page.write(folder, content, {}).read_text())
        for text in (page.text, prediction_tables.text(content)):
            numbers = re.findall(r'\b0\.(?:38|45)\d*\b', text)
            assert set(numbers) == set(shown)
        assert numbers and f'below {shown[1]} no class is named' in ' '.join(page.text.split())


def test_a_class_without_a_located_movement_says_what_that_means(folder):
    """A clear peak and arrows beside 'nothing above the noise' contradict each other, and a class
    stood below them.
    """
    located, diffuse = GIVEN, dataclasses.replace(GIVEN, movements=())
    for clip, expected in ((located, False), (diffuse, True), (PICTURE, False)):
        content = predicted.predictions(predicted.recording(clip, motion=None))
        page = Page(prediction_page.write(folder, content, {}).read_text())
        for text in (page.text, prediction_tables.text(content)):
            assert ('is not located' in ' '.join(text.split())) == expected
        assert (prediction_tables.LISTED in ' '.join(page.text.split())) == (clip is not PICTURE)
        assert 'above the noise' not in page.text


def test_a_threshold_says_where_it_comes_from_and_who_passes_narrowly(folder):
    """0.52 above 0.51 was read as 'happiness', and 0.51 as a number from nowhere."""
    shares = {'negative': 0.52, 'positive': 0.28, 'surprise': 0.2}
    clip = predicted.clip(probabilities=shares, class_of_training_data='negative')
    for threshold, narrow in ((0.51, True), (0.4, False)):
        content = predicted.predictions(predicted.recording(clip), threshold=threshold)
        page = Page(prediction_page.write(folder, content, {}).read_text())
        for text in (page.text, prediction_tables.text(content)):
            assert 'right at least as often as wrong' in ' '.join(text.split())
        assert ('passes narrowly' in page.text) == narrow


def test_an_hour_of_candidates_stays_a_page(folder, monkeypatch):
    """Thousands of pictures would not open; the strongest have theirs, the table has all."""
    monkeypatch.setattr(prediction_page, 'MOST_CLIPS', 2)
    clips = [dataclasses.replace(GIVEN, strength=float(k)) for k in range(5)]
    content = predicted.predictions(predicted.recording(*clips, motion=None))
    text = Page(prediction_page.write(folder, content, {}).read_text()).text
    assert '#4 onset' in text and '#5 onset' in text and '#3 onset' not in text
    assert '#1' in text and 'The 3 weakest' in text


def test_the_least_motion_of_a_candidate_is_drawn(folder):
    """Still stretches lie above the noise floor, and everything would look like movement."""
    still = answer.MotionCurve((0.0, 10.0, 20.0), (0.8, 1.6, 1.4), 1.0)
    content = predicted.predictions(predicted.recording(motion=still))
    text = Page(prediction_page.write(folder, content, {}).read_text()).text
    least = candidates.Options().threshold
    assert f'{least:g} times the floor' in text
    words = prediction_page.plots_prediction.motion(folder / 'motion.svg', still, ())
    assert f'candidate {least:g}' in words


def test_arrows_are_drawn_where_something_moves():
    """A still face has no arrows; a movement is drawn in its direction."""
    field = np.zeros((64, 64, 2))
    still = prediction_page.plots_prediction.flow(FACE, field)
    assert (still == still[0, 0]).all()
    field[20:30, 20:30] = (1, 0)
    drawn = prediction_page.plots_prediction.flow(FACE, field).astype(int)
    rows, columns = np.nonzero((drawn != still).any(-1))
    scale = prediction_page.SIDE / 64
    assert 15 * scale < rows.min() and rows.max() < 35 * scale
    assert columns.max() > 33 * scale  # arrows are longer than the movement


def of_units(folder, *clips, **changes):
    """The table and the text of the page of a model of action units, each in one line."""
    recording = predicted.recording(*(clips or (predicted.unit_clip(),)), motion=None)
    content = predicted.predictions(recording, **predicted.unit_model(**changes))
    content = dataclasses.replace(content, statement=answer.Statement.of('casme2', units=True))
    page = Page(prediction_page.write(folder, content, {}).read_text())
    printed = prediction_tables.text(content)
    assert max(map(len, printed.splitlines())) <= WIDTH
    return [' '.join(text.split()) for text in (printed, page.text)]


def has_row(text, row):
    """Whether a text has these cells side by side; those of a page have no space between them."""
    return ''.join(row.split()) in ''.join(text.split())


def test_units_stand_beside_what_held_out_clips_say_of_them(folder):
    """'AU12 .9' alone sounds sure, of a unit that the run never told from chance."""
    for text in of_units(folder):
        assert has_row(text, 'AU4 brow lowerer present 0.90 60 of 68 0.71 0.80 0.30 yes')
        assert has_row(text, 'AU12 lip corner puller absent 0.20 9 of 68 0.40 0.50 0.40 not shown')
        assert 'mean F1 0.50 [0.40, 0.60], mean AP 0.60' in text
        assert 'Not shown to be detected' not in text, 'the only unit that is present is'
        for word in ('not calibrated', 'sigmoid', 'class_weights', 'not an uncertainty'):
            assert word in text
        for word in ('UF1', 'class of the training data', 'no class', prediction_tables.NO_UNITS):
            assert word not in text


def test_a_unit_that_was_not_learned_is_not_called_absent(folder):
    """Nothing in the training clips could teach it: its absence says nothing of the face."""
    for text in of_units(folder):
        assert has_row(text, 'AU14 dimpler not learned – 0 of 68')
        assert 'too few training clips show AU14' in text and 'AU12 (67 of 68)' in text
        assert not has_row(text, 'AU14 dimpler absent')


def test_outputs_of_svms_are_not_called_probabilities(folder):
    """They are distances; 2.2 as a probability is nonsense, and .9 of them would be made up."""
    clip = predicted.unit_clip(probabilities=(None, None, None))
    detection = predicted.detection(outputs=answer.DECISIONS)
    for text in of_units(folder, clip, action_units=detection):
        assert has_row(text, 'AU4 brow lowerer present 2.20')
        assert 'decision values, which are no probabilities' in text and 'sigmoid' not in text


def test_doubt_about_a_detected_unit_is_said(folder):
    """Whoever reads the summary alone takes each named unit as seen."""
    doubtful = dataclasses.replace(predicted.detection().units[0], above_chance=False)
    unscored = dataclasses.replace(doubtful, average_precision=None)
    for first, words in (
        (doubtful, 'Not shown to be detected above chance on held-out clips: AU4'),
        (unscored, 'No held-out clip says how well'),
    ):
        whole = predicted.detection()
        detection = dataclasses.replace(whole, units=(first, *whole.units[1:]))
        for text in of_units(folder, action_units=detection):
            assert words in text


def test_the_units_of_many_clips_do_not_fill_the_terminal(folder):
    """A long video has hundreds of candidates; the page has the units of each that it shows."""
    many = [predicted.unit_clip() for _ in range(prediction_tables.MOST_LISTED + 2)]
    printed, page = of_units(folder, *many)
    assert printed.count('brow lowerer') == prediction_tables.MOST_LISTED
    assert 'units of 2 further clips' in printed and page.count('brow lowerer') == len(many)
