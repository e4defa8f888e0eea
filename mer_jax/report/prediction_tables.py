"""The tables of the verb predict (runfiles/prediction_file.py)."""

import textwrap
from pathlib import Path

from mer_jax.report import table as tables
from mer_jax.report.action_units_tables import titled
from mer_jax.report.formats import DASH, WIDTH, interval, measure, plural
from mer_jax.report.table import Cell, Column, Note, Row, Table, listing
from mer_jax.report.text import honesty
from mer_jax.runfiles.prediction_file import (
    ABOVE_FACE,
    APPROXIMATE,
    CLASS,
    LEAST,
    LOGITS,
    NOT_CLEAR,
    NOTHING,
    PHASES,
    SEARCHED,
    ClipAnswer,
    HeldOut,
    ModelFacts,
    PredictionFile,
    RecordingAnswer,
)

TOP_MOVEMENTS = 1  # in a row of the summary: with two, rows take more than a terminal has
THRESHOLD_IS = 'from there on, held-out predictions were right at least as often as wrong'
NARROW = 0.05  # a class that is named by less above the threshold passes narrowly; our choice
NO_UNITS = 'The model has no action units as outputs, so none are reported.'
NO_REGION = 'no region stands out from the face'
LISTED = (
    f'A region is listed if it moves at least {LEAST} pixels, and {ABOVE_FACE:g} times as far as '
    'the median pixel of the face.'
)
# The two rules measure different things: a face can move as a whole, and no part of it most.
_NOT_LOCATED = (
    f'{LISTED} None does here: the face may well move (a search compares its motion with the still '
    'parts of the recording), but where it moves cannot be told.'
)
WITHOUT_REGION = (
    f'{_NOT_LOCATED} The class then rests on motion that is not located; look at the pictures '
    'before you believe it.'
)
UNITS_WITHOUT_REGION = (
    f'{_NOT_LOCATED} The action units then rest on motion that is not located; look at the '
    'pictures before you believe them.'
)
AGREEMENT = (
    'Agreement of the folds: the share of networks, or SVMs, that give the most frequent class. '
    'They share most of their training clips, so it is not an uncertainty.'
)
NOT_CALIBRATED = (
    'not calibrated: scores are softmax outputs, which are no probabilities and as a rule too large'
)

OF_UNITS = 'action units'  # a block of the summary
MOST_NAMED = 8  # units of a clip in the summary
MOST_LISTED = 3  # clips whose units the terminal lists; page and files have all
SIGMOIDS = (
    'not calibrated: the probability of a unit is the sigmoid of an output, mean over members, and '
    'a unit is present above 0.5; where train.class_weights balances the loss, that of a rare unit '
    'is too large'
)
DECISION_VALUES = (
    'the outputs of SVMs are decision values, which are no probabilities; a unit is present where '
    'their mean over members is above 0'
)
MEMBERS = (
    'Members: how many of them say present. They share most of their training clips, so it is not '
    'an uncertainty.'
)
ON_HELD_OUT = (
    'F1, AP (average precision) and chance (AP of a random order) are those of the run on held-out '
    'clips; a unit whose AP is not shown to be above chance is not shown to be detected at all.'
)
NOT_LEARNED = 'not learned'
UNMEASURED = (
    'probabilities come from a temperature that was fitted to held-out clips; whether that '
    'calibrates them is in the report of the run'
)


def text(content: PredictionFile) -> str:
    """Format an answer for the terminal, at most 100 columns."""
    lines = textwrap.wrap(_headline(content), WIDTH)
    lines += textwrap.wrap(f'Model: {model_line(content.model)}', WIDTH)
    lines += textwrap.wrap(f'Input {input_line(content)}', WIDTH)
    for leak in content.model.leaks:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    lines += ['', tables.text(summary(content)), '', *_units_lines(content)]
    for warning in warnings(content):
        lines += textwrap.wrap(f'warning: {warning}', WIDTH, subsequent_indent='         ')
    return '\n'.join(lines).rstrip()


def _units_lines(content):
    """The action units of the first clips; [] of a model of classes."""
    if content.model.action_units is None:
        return []
    titled_clips = []
    for recording in content.recordings:
        for number, clip in enumerate(recording.clips, 1):
            several = len(recording.clips) > 1 or len(content.recordings) > 1
            title = f'{short(recording.source)} #{number}' if several else ''
            if clip.action_units is not None:
                titled_clips.append((title, clip))
    lines = []
    for title, clip in titled_clips[:MOST_LISTED]:
        lines += [tables.text(units(clip, content.model, title)), '']
    if len(titled_clips) > MOST_LISTED:
        more = plural(len(titled_clips) - MOST_LISTED, 'further clip')
        lines += [f'The units of {more} stand in the files.', '']
    if titled_clips:
        for note in unit_notes(content.model):
            lines += textwrap.wrap(note, WIDTH, subsequent_indent='    ')
        lines.append('')
    return lines


def decimals_of(content: PredictionFile) -> int:
    """Return how many decimals tell probabilities from the threshold.

    Two; three where a probability below the threshold would look like it.
    """
    threshold = content.model.threshold
    for recording in content.recordings:
        for clip in recording.clips:
            if threshold is None or clip.outcome != NOT_CLEAR or not clip.probabilities:
                continue
            if f'{max(clip.probabilities.values()):.2f}' == f'{threshold:.2f}':
                return 3
    return 2


def summary(content: PredictionFile) -> Table:
    """Return a row for each clip, and for each recording without one."""
    columns = [
        Column('recording', 'source'),
        Column('movement (pixels)', 'movement'),
        Column('onset', 'onset'),
        Column('apex', 'apex'),
        Column('offset', 'offset'),
    ]
    if content.model.action_units is None:
        columns += _class_columns(content)
    else:
        columns.append(Column('detected', 'units', block=OF_UNITS))
    several = any(len(recording.clips) > 1 for recording in content.recordings)
    rows = []
    for recording in content.recordings:
        source = short(recording.source)
        heading = Cell(source) if several else None
        if not recording.clips:
            title = DASH if several else source
            cells = {'source': title, 'movement': recording.outcome}
            rows.append(Row(cells, heading))
        for number, clip in enumerate(recording.clips, 1):
            title = f'#{number}' if several else source
            rows.append(Row(_cells(clip) | {'source': title}, heading))
    return Table('', columns, rows, [Note(note) for note in _notes(content)])


def _class_columns(content):
    """The columns of the summary on the class."""
    calibrated, decimals = content.model.calibrated, decimals_of(content)
    return [
        Column('class', 'class', block=CLASS),
        Column(
            'probability' if calibrated else 'score',
            'score',
            lambda value: f'{value:.{decimals}f}',
            block=CLASS,
        ),
        Column('agreement of the folds', 'agreement', _two_digits, block=CLASS),
    ]


def units(clip: ClipAnswer, facts: ModelFacts, title: str = '') -> Table:
    """Return the action units of a clip, beside how well the model detects them.

    Args:
        clip: with action units.
        facts: of a model that detects them.
        title: above the table.
    """
    by_output = facts.action_units.outputs != LOGITS
    # short titles: 24 units, left and right, have names of 33 letters
    figures = {}
    for each in clip.action_units:
        figures[each.unit] = each.output if by_output else each.probability
    near = f'{0 if by_output else 0.5:.2f}'  # of the line between present and absent
    shown = {f'{abs(figure):.2f}' for figure in figures.values() if figure is not None}
    decimals = 3 if near in shown else 2
    columns = [
        Column('unit', 'unit'),
        Column('in the clip', 'here'),
        Column(
            'output' if by_output else 'probability',
            'figure',
            lambda value: f'{value:.{decimals}f}',
        ),
        Column('members', 'members'),
        Column('F1', 'f1', _two_digits),
        Column('AP', 'average_precision', _two_digits),
        Column('chance', 'chance', _two_digits),
        Column('above it', 'above_chance'),
    ]
    rows = []
    for each, known in zip(clip.action_units, facts.action_units.units, strict=True):
        here = 'present' if each.present else 'absent'
        cells = {
            'unit': titled(each.unit),
            'here': here if known.learned_by else NOT_LEARNED,
            'figure': figures[each.unit] if known.learned_by else None,
            'members': f'{each.detected_by} of {facts.members}',
            'f1': known.f1,
            'average_precision': known.average_precision,
            'chance': known.chance,
        }
        if known.average_precision is not None:
            cells['above_chance'] = 'yes' if known.above_chance else 'not shown'
        rows.append(Row(cells))
    return Table(title, columns, rows)


def unit_notes(facts: ModelFacts) -> list[str]:
    """Return what the figures of action units are, and which units were not learned.

    Args:
        facts: of a model that detects action units.
    """
    detection = facts.action_units
    notes = [MEMBERS]
    if any(each.average_precision is not None for each in detection.units):
        notes.append(ON_HELD_OUT)
    missing = [each.unit for each in detection.units if not each.learned_by]
    if missing:
        notes.append(
            f'{NOT_LEARNED.capitalize()}: too few training clips show {", ".join(missing)}, or '
            'too few do not, so that no clip is said to show it; that says nothing of this clip.'
        )
    some = [each for each in detection.units if 0 < each.learned_by < facts.members]
    if some:
        listed = [f'{each.unit} ({each.learned_by} of {facts.members})' for each in some]
        notes.append(
            f'Learned by some members alone: {", ".join(listed)}; the others had too few training '
            'clips that show it, or that do not, and say absent.'
        )
    return notes


def movements(clip: ClipAnswer) -> Table:
    """Return the movements of a clip, those of each phase strongest first."""
    columns = [
        Column('movement', 'words'),
        Column('pixels', 'pixels', _two_digits),
        Column("% of the face's width", 'share', _two_digits),
    ]
    rows = []
    for phase in PHASES:
        for each in clip.movements:
            if each.phase == phase:
                cells = {'words': each.words, 'pixels': each.pixels, 'share': 100 * each.share}
                rows.append(Row(cells, Cell(phase)))
    return Table('', columns, rows)


def model(content: PredictionFile) -> Table:
    """Return what the model is."""
    facts, known = content.model, content.held_out
    held_out = DASH
    if facts.uf1 is not None:
        held_out = f'UF1 {measure(facts.uf1, 2)}'
        if facts.uf1_interval:
            held_out += f' {interval(facts.uf1_interval, 2)} (95 %)'
        if facts.uar is not None:
            held_out += f', UAR {measure(facts.uar, 2)}'
    if facts.action_units is not None:
        held_out = _unit_scores(facts.action_units) or DASH
    members = plural(facts.members, 'member')
    known_classes = known.classes if known else ()
    threshold = DASH if facts.threshold is None else f'{facts.threshold:.{decimals_of(content)}f}'
    rows = [
        ['run', facts.title],
        ['file', facts.path],
        ['model', f'{facts.kind}, {members}' + (f' of fold {facts.fold}' if facts.fold else '')],
        ['trained on', _trained_on(facts)],
        _outputs_row(facts),
        ['protocol', facts.protocol],
        ['on held-out subjects', held_out],
        *[[f'held-out clips of {title}', class_line(known, title)] for title in known_classes],
        ['leaks', '; '.join(facts.leaks) or 'none'],
        ['input', facts.input],
        ['calibrated', calibration(content)],
        *([['no class below', threshold]] if facts.classes else []),
        ['licence of the data', facts.licence or DASH],
        ['fingerprint of the data', facts.fingerprint or DASH],
    ]
    return listing(['of the model', 'value'], rows)


def model_line(facts: ModelFacts) -> str:
    """Return what the model is, in one line."""
    measured = ''
    if facts.action_units is not None:
        measured = _unit_scores(facts.action_units)
    elif facts.uf1 is not None:
        edges = f' {interval(facts.uf1_interval, 2)}' if facts.uf1_interval else ''
        measured = f'UF1 {measure(facts.uf1, 2)}{edges}'
    score = 'nothing was held out, so no score is known'
    if measured:
        score = f'{measured} on subjects that were held out'
    fold = f', fold {facts.fold} alone' if facts.fold else ''
    return (
        f'{facts.title} ({facts.kind}, {plural(facts.members, "member")}{fold}), trained on '
        f'{_trained_on(facts)}; {score}; {honesty(facts.leaks)}'
    )


def _outputs_row(facts):
    """The row of the model's table that names what it can answer."""
    if facts.action_units is None:
        return ['classes of the training data', ', '.join(facts.classes)]
    return ['action units', ', '.join(each.unit for each in facts.action_units.units)]


def _unit_scores(detection):
    """Mean F1 and mean average precision of action units; '' where nothing was held out."""
    scores = []
    for title, value, edges in (
        ('mean F1', detection.f1, detection.f1_interval),
        ('mean AP', detection.average_precision, detection.average_precision_interval),
    ):
        if value is not None:
            shown = f' {interval(edges, 2)}' if edges else ''
            scores.append(f'{title} {measure(value, 2)}{shown}')
    return ', '.join(scores)


def input_line(content: PredictionFile) -> str:
    """Return how the input was made and what the figures mean, in one line."""
    meaning = calibration(content)
    if content.model.calibrated:
        meaning += _threshold_words(content.model.threshold, decimals_of(content))
    return f'{content.model.input}; {meaning}'


def calibration(content: PredictionFile) -> str:
    """Return what the probabilities are worth, by the log loss of held-out clips.

    Those of action units are not calibrated.
    """
    if content.model.action_units is not None:
        return SIGMOIDS if content.model.action_units.outputs == LOGITS else DECISION_VALUES
    if not content.model.calibrated:
        return NOT_CALIBRATED
    known = content.held_out
    if known is None or known.losses is None:
        return UNMEASURED
    before, after = known.losses
    of_clips = plural(known.clips, 'held-out clip')
    if known.is_better:
        return (
            f'probabilities are calibrated on {of_clips} (log loss {before:.3f} before, '
            f'{after:.3f} after)'
        )
    return (
        f'probabilities are not known to be calibrated: a temperature fitted to {of_clips} did not '
        f'lessen their log loss ({before:.3f} before, {after:.3f} after)'
    )


def class_line(known: HeldOut, title: str) -> str:
    """Return recall and precision of a class on held-out clips, in words.

    Args:
        known: of the run.
        title: of the class.
    """
    counts = known.classes[title]
    recall, precision = 'none is labelled so', 'none was named so'
    if counts.labelled:
        share = counts.right / counts.labelled
        recall = f'recall {share:.2f} ({counts.right} of {counts.labelled})'
    if counts.named:
        share = counts.right / counts.named
        precision = f'precision {share:.2f} ({counts.right} of {counts.named})'
    return f'{recall}, {precision}'


def _threshold_words(threshold, decimals):
    """What a threshold means, as the end of a sentence."""
    if threshold is None:
        return ''
    if threshold >= 1:
        return '; no class is ever named: on held-out clips none was right often enough'
    return f'; no class is named below {threshold:.{decimals}f}: {THRESHOLD_IS}'


def passes_narrowly(clip: ClipAnswer, facts: ModelFacts) -> bool:
    """Return whether a class is named by little above the threshold."""
    if clip.outcome != CLASS or not clip.probabilities or facts.threshold is None:
        return False
    return max(clip.probabilities.values()) < facts.threshold + NARROW


def warnings(content: PredictionFile) -> list[str]:
    """Return the warnings of model, recordings and clips, each once."""
    lines = list(content.model.warnings)
    if content.model.input == APPROXIMATE and not lines:
        lines.append('the input is only approximately that of the training data')
    for recording in content.recordings:
        source = short(recording.source)
        lines += [f'{source}: {warning}' for warning in recording.warnings]
        several = len(recording.clips) > 1
        for number, clip in enumerate(recording.clips, 1):
            title = f'{source} #{number}' if several else source
            lines += [f'{title}: {warning}' for warning in clip.warnings]
    return list(dict.fromkeys(lines))


def is_without_region(clip: ClipAnswer) -> bool:
    """Return whether a clip of frames gets an answer, while no region of it is listed."""
    rise = any(each.phase == PHASES[0] for each in clip.movements)
    return clip.onset is not None and clip.outcome != NOTHING and not rise


def without_region(facts: ModelFacts) -> str:
    """Return what an answer rests on where no region is listed."""
    return WITHOUT_REGION if facts.action_units is None else UNITS_WITHOUT_REGION


def is_experimental(recording: RecordingAnswer) -> bool:
    """Return whether candidates of a recording were searched for."""
    sources = {clip.key_frames_from for clip in recording.clips}
    return not sources or not sources.isdisjoint(SEARCHED)


def short(source: str) -> str:
    """Return the name of an input without its folders."""
    return Path(source).name or source


def time(ms: float | None) -> str:
    """Return a time: milliseconds, or minutes and seconds from a minute on."""
    if ms is None:
        return DASH
    if ms < 60_000:
        return f'{ms:,.0f} ms'
    minutes, seconds = divmod(round(ms / 1000, 2), 60)
    return f'{minutes:.0f}:{seconds:05.2f} min'


def _headline(content):
    """What the answer is, and that a search is experimental."""
    line = f'{content.statement.what_it_is} {content.statement.what_it_is_not}'
    if any(map(is_experimental, content.recordings)):
        line += f' {content.statement.candidates}'
    return line


def _trained_on(facts):
    clips = plural(facts.clips, 'clip')
    if not facts.subjects:  # nobody was held out, so nobody was counted
        return f'{facts.data} ({clips})'
    return f'{facts.data} ({clips} of {plural(facts.subjects, "subject")})'


def _cells(clip):
    """The cells of a clip in the summary."""
    cells = {'movement': _in_words(clip)}
    for name in ('onset', 'apex', 'offset'):
        frame = getattr(clip, name)
        cells[name] = DASH if frame is None else _moment(frame)
    if clip.outcome == NOTHING:
        return cells
    if clip.action_units is not None:
        return cells | {'units': named_units(clip)}
    cells['class'] = 'not clear' if clip.outcome == NOT_CLEAR else clip.class_of_training_data
    shown = clip.probabilities or clip.scores
    if shown:
        cells['score'] = max(shown.values())
    if clip.agreement_of_folds:
        cells['agreement'] = clip.agreement_of_folds.share
    return cells


def named_units(clip: ClipAnswer) -> str:
    """Return the names of the action units that a clip shows, the most probable first."""
    present = [each for each in clip.action_units or () if each.present]
    present.sort(key=lambda each: -(each.output if each.probability is None else each.probability))
    names = [each.unit for each in present[:MOST_NAMED]]
    more = len(present) - len(names)
    return (', '.join(names) or 'none') + (f' and {more} more' if more > 0 else '')


def _two_digits(value):
    return f'{value:.2f}'


def _doubt(detection, named):
    """How far held-out clips bear out the units that are named, in words."""
    of_named = [each for each in detection.units if each.unit in named]
    if not any(each.average_precision is not None for each in of_named):
        return 'No held-out clip says how well these units are detected.'
    doubtful = [each.unit for each in of_named if not each.above_chance]
    if not doubtful:
        return 'On held-out clips these units are detected above chance.'
    return f'Not shown to be detected above chance on held-out clips: {", ".join(doubtful)}.'


def _moment(frame):
    """A key frame in the summary: its time, else its number."""
    return f'frame {frame.frame}' if frame.ms is None else time(frame.ms)


def _in_words(clip):
    """The strongest movements from onset to apex, in words."""
    if clip.outcome == NOTHING:
        return NOTHING
    rise = [each for each in clip.movements if each.phase == PHASES[0]]
    if not rise:
        return NO_REGION if clip.onset else DASH
    words = [f'{each.words} ({each.pixels:.1f})' for each in rise[:TOP_MOVEMENTS]]
    more = len(rise) - TOP_MOVEMENTS
    return ', '.join(words) + (f' and {more} more' if more > 0 else '')


def _notes(content):
    """Footnotes of the summary."""
    clips = [clip for recording in content.recordings for clip in recording.clips]
    notes = []
    if any(clip.movements for clip in clips):
        notes.append('Pixels are those of a face crop of 128 pixels.')
    if any(map(is_without_region, clips)):
        notes.append(f'{NO_REGION.capitalize()}: {without_region(content.model)}')
    named = {each.unit for clip in clips for each in clip.action_units or () if each.present}
    if named:
        notes.append(_doubt(content.model.action_units, named))
    if any(clip.outcome == NOT_CLEAR for clip in clips):
        notes.append(f'Not clear: {NOT_CLEAR}; its largest probability is below the threshold.')
    if content.held_out:
        named = dict.fromkeys(
            clip.class_of_training_data for clip in clips if clip.outcome == CLASS
        )
        for title in named:
            words = class_line(content.held_out, title)
            notes.append(f'The class {title} on held-out clips: {words}.')
    if any(clip.agreement_of_folds for clip in clips):
        notes.append(AGREEMENT)
    return notes
