"""What is seen in pictures, in words, for readers who do not see them.

Each function takes what a picture is drawn from, and returns what it shows, with figures.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.report.formats import measure, measure_title, plural, signed
from mer_jax.runfiles.explanations import ImportanceRow, PictureRow
from mer_jax.runfiles.prediction_file import CANDIDATE, NOTHING, ClipAnswer, MotionCurve

MOST = 6  # items of a list
KEYS = ('uf1', 'uar', 'accuracy')
ROWS, COLUMNS = ('upper', 'middle', 'lower'), ('left', 'middle', 'right')


def _listed(items):
    """Items with semicolons, not more than MOST of them."""
    items = list(items)
    rest = [f'{len(items) - MOST} more'] if len(items) > MOST else []
    return '; '.join(items[:MOST] + rest)


def confusion(counts: ArrayLike, classes: Sequence[str]) -> str:
    """Right clips of each class, and the most frequent errors.

    Args:
        counts: [K, K], rows are the truth.
        classes: names.
    """
    counts = np.asarray(counts, int)
    right = [
        f'{row[place]} of {sum(row)} {title} clips right'
        for place, (title, row) in enumerate(zip(classes, counts, strict=True))
    ]
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return f'{"; ".join(right)}; no errors.'
    truth, predicted = np.unravel_index(np.argmax(wrong), wrong.shape)
    most = f'{classes[truth]} as {classes[predicted]} ({wrong[truth, predicted]})'
    return f'{"; ".join(right)}; most errors: {most}.'


def datasets(per_dataset: Mapping[str, dict], metrics: Mapping[str, float | None]) -> str:
    """UF1, UAR and accuracy of each data set.

    Args:
        per_dataset: {name: its metrics}.
        metrics: of all rows.
    """
    blocks = dict(per_dataset)
    if len(blocks) > 1:
        blocks['all together'] = metrics
    lines = []
    for name, block in blocks.items():
        figures = [f'{measure_title(key)} {measure(block[key], 2)}' for key in KEYS]
        lines.append(f'{name}: {", ".join(figures)}')
    return f'{_listed(lines)}.'


def curves(panels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """How loss and accuracy change from the first epoch to the last.

    Args:
        panels: {name: (epochs, means over runs)}, float[E] each.
    """
    lines = []
    for name, (epoch, mean) in panels.items():
        filled = np.flatnonzero(~np.isnan(mean))
        if not len(filled):
            continue
        first, last = filled[0], filled[-1]
        line = f'training {name} {mean[first]:.2f} at epoch {epoch[first]:.0f}'
        if last > first:
            line += f', {mean[last]:.2f} at epoch {epoch[last]:.0f}'
        lines.append(line)
    return _sentence(lines) or 'No figures were logged.'


def _sentence(lines):
    """Lines as one sentence; '' for none."""
    text = _listed(lines)
    return f'{text}.' if text else ''


def subjects(per_subject: Sequence[dict]) -> str:
    """How many subjects are all right or all wrong, and the middle one.

    Args:
        per_subject: dictionaries with accuracy.
    """
    accuracy = np.array([block['accuracy'] for block in per_subject])
    return (
        f'Of {plural(len(accuracy), "subject")} {(accuracy == 1).sum()} with every clip right and '
        f'{(accuracy == 0).sum()} with none; the median accuracy is {np.median(accuracy):.2f}.'
    )


def reliability(bins: Mapping[str, Sequence[dict]]) -> str:
    """Whether scores are larger than the share of right predictions.

    Args:
        bins: {title: [{rows, confidence, accuracy}]}.
    """
    lines = []
    for title, of_scores in bins.items():
        filled = [block for block in of_scores if block['rows']]
        if not filled:
            continue
        rows = [block['rows'] for block in filled]
        confidence = np.average([block['confidence'] for block in filled], weights=rows)
        accuracy = np.average([block['accuracy'] for block in filled], weights=rows)
        lines.append(f'{title}: mean confidence {confidence:.2f}, accuracy {accuracy:.2f}')
    return _sentence(lines)


def oracle(block: dict) -> str:
    """The reported UF1, and what choosing epochs would claim.

    Args:
        block: `oracle_epoch` of results.json.
    """
    last, best = block['last'], block['test_best']
    return (
        f'Held-out UF1 is {measure(last["metrics"]["uf1"], 2)} at the last epoch '
        f'({last["epoch"]}), which is reported; the best epoch of each fold would claim '
        f'{measure(best["metrics"]["uf1"], 2)}.'
    )


def importance(rows: Sequence[ImportanceRow]) -> str:
    """The groups of features that are worth most accuracy."""
    order = sorted(rows, key=lambda row: -row.lost)
    worth = [f'{row.group} {row.lost:.2f}' for row in order if row.lost > 0]
    if not worth:
        return f'Without any of {plural(len(order), "group")} of features no accuracy is lost.'
    rest = plural(len(order) - len(worth), 'group')
    return f'Accuracy lost without: {_listed(worth[:3])}. {rest} of {len(order)} lose none.'


def montage(rows: Sequence[PictureRow]) -> str:
    """How many clips of the maps are recognised, and which are not."""
    wrong = [
        f'{row.clip} is {row.truth}, predicted {row.predicted}'
        for row in rows
        if row.truth != row.predicted
    ]
    text = f'{len(rows) - len(wrong)} of {plural(len(rows), "clip")} recognised'
    return f'{text}. Wrong: {_listed(wrong)}.' if wrong else f'{text}.'


def where(values: np.ndarray) -> str:
    """Return where a map is largest, such as 'upper left' of the picture.

    Args:
        values: float[H, W].
    """
    row, column = np.unravel_index(np.argmax(values), values.shape)
    row, column = (
        ROWS[3 * row // values.shape[0]],
        COLUMNS[3 * column // values.shape[1]],
    )
    return row if row == column else f'{row} {column}'


def neighbours(positions: np.ndarray, kinds: np.ndarray) -> str:
    """How many marks stand next to one of their kind.

    Args:
        positions: float[n, 2] of the marks.
        kinds: int[n]; below 0: of no kind.
    """
    distance = np.square(positions[:, None] - positions).sum(-1)
    np.fill_diagonal(distance, np.inf)
    of_kind = kinds >= 0
    beside = (kinds[distance.argmin(1)] == kinds) & of_kind
    return (
        f'Of {plural(int(of_kind.sum()), "clip")} with action units that other clips share, '
        f'{beside.sum()} stand next to such a clip.'
    )


def peaks(maps: np.ndarray) -> str:
    """In how many maps the largest value lies in the upper half.

    Args:
        maps: float[n, H, W].
    """
    rows = maps.max(2).argmax(1)
    upper = int((rows < maps.shape[1] / 2).sum())
    return f'largest in the upper half of the face in {upper} of {plural(len(maps), "clip")}'


def clip_curves(clips: Sequence[dict], decoder: str, title: str) -> str:
    """Errors of the clips whose outputs are drawn.

    Args:
        clips: dictionaries with the apex and the frame of each decoder.
        decoder, title: of the predicted apex.
    """
    errors = np.array([abs(clip[decoder] - clip['apex']) for clip in clips])
    return (
        f'{plural(len(clips), "clip")}: the apex of {title} is {errors.min():.0f} to '
        f'{errors.max():.0f} frames from the annotated one, in the median {np.median(errors):.0f}.'
    )


def spotting_errors(blocks: Mapping[str, dict], titles: Mapping[str, str]) -> str:
    """The mean error of each decoder.

    Args:
        blocks: {decoder: {mae}}.
        titles: of the decoders.
    """
    lines = [f'{titles[name]} {block["mae"]:.2f}' for name, block in blocks.items()]
    best = min(blocks, key=lambda name: blocks[name]['mae'])
    return f'Mean error in frames: {_listed(lines)}. Smallest: {titles[best]}.'


def apex_positions(apex: np.ndarray, spotted: np.ndarray) -> str:
    """Where the middle half of annotated and predicted apexes lies.

    Args:
        apex, spotted: float[n], from 0 at the onset to 1 at the offset.
    """
    halves = [np.percentile(values, (25, 75)) for values in (apex, spotted)]
    annotated, predicted = (f'{low:.2f} to {high:.2f}' for low, high in halves)
    return (
        f'Half of the annotated apexes lie at {annotated} of the clip, half of the predicted at '
        f'{predicted}.'
    )


def compared_errors(groups: Sequence[dict]) -> str:
    """The smallest error of each data set, and that of the midpoint.

    Args:
        groups: as of compare_spotting.group.
    """
    lines = []
    for group in groups:
        errors = {run['system']: run['decisions'][run['answer']]['mae'] for run in group['runs']}
        best = min(errors, key=errors.get)
        simple = [f'{name} {block["mae"]:.2f}' for name, block in group['simple'].items()]
        lines.append(
            f'{group["title"]}: {best} {errors[best]:.2f} frames, the smallest of '
            f'{plural(len(errors), "run")}; {", ".join(simple)}'
        )
    return _sentence(lines)


def measures(groups: Sequence[dict]) -> str:
    """The systems with the highest and the lowest UF1 of each data set.

    Args:
        groups: of compare.table.
    """
    lines = []
    for group in groups:
        scored = [run for run in group['runs'] if run['metrics']['uf1'] is not None]
        scored.sort(key=lambda run: -run['metrics']['uf1'])
        if scored:
            ends = dict.fromkeys([_scored(scored[0]), _scored(scored[-1])])
            of = plural(len(scored), 'run')
            lines.append(f'{group["title"]}: UF1 of {of} from {" to ".join(ends)}')
    return _sentence(lines)


def _scored(run):
    return f'{run["metrics"]["uf1"]:.2f} ({run["system"]})'


def differences(groups: Sequence[dict]) -> str:
    """How UF1 of each run differs from that of the reference.

    Args:
        groups: of compare.table.
    """
    lines = []
    for group in groups:
        for run in group['runs']:
            if run['against']:
                block = run['against']['uf1']
                line = f'{run["system"]} {signed(block["difference"], 2)}'
                if block['p'] is not None:
                    line += f' (p {block["p"]:.2g})'
                lines.append(line)
    return f'UF1 minus that of the reference: {_listed(lines)}.'


def training(ends: Sequence[tuple[str, float]]) -> str:
    """The last training loss of each run.

    Args:
        ends: (system, mean loss at its last epoch).
    """
    return _sentence(f'{system} ends with loss {loss:.2g}' for system, loss in ends)


def added(lines: Sequence[dict]) -> str:
    """What each leak adds to UF1.

    Args:
        lines: of leak_audit.lines.
    """
    words = []
    for line in lines:
        if line['why_not']:
            continue
        if line['against']:
            difference = signed(line['against']['uf1']['difference'], 2)
            words.append(f'{line["title"]} adds {difference}')
        else:
            words.append(f'{line["title"]} has UF1 {measure(line["metrics"]["uf1"], 2)}')
    return _sentence(words)


def class_counts(counts: np.ndarray, titles: Sequence[str]) -> str:
    """The clips of each class in all data sets.

    Args:
        counts: int[D, K].
        titles: of the classes.
    """
    total = np.asarray(counts).sum(0)
    lines = [f'{title} {count}' for title, count in zip(titles, total, strict=True)]
    return f'Clips: {_listed(lines)}.'


def clips_of_subjects(rows: Sequence[dict]) -> str:
    """The fewest and the most clips of a subject.

    Args:
        rows: dictionaries with clips, a number for each class.
    """
    clips = np.array([sum(row['clips']) for row in rows])
    return (
        f'{plural(len(clips), "subject")} with {clips.min()} to {clips.max()} clips, in the median '
        f'{np.median(clips):.0f}.'
    )


def histograms(panels: Mapping[str, Mapping[str, np.ndarray]], unit: str, digits: int) -> str:
    """The median of each quantity and data set.

    Args:
        panels: {title: {data set: float[n] without NaN}}.
        unit: of the values.
        digits: decimals of the medians.
    """
    lines = []
    for title, groups in panels.items():
        medians = [
            f'{np.median(values):.{digits}f} ({name}, {plural(len(values), "clip")})'
            for name, values in groups.items()
        ]
        lines.append(f'{title} {", ".join(medians)}')
    return f'Medians ({unit}): {_listed(lines)}.'


def unit_counts(counts: np.ndarray, units: Sequence[str], rows: Sequence[tuple[str, int]]) -> str:
    """The most frequent action unit of each emotion.

    Args:
        counts: int[E, A].
        units: numbers of the action units.
        rows: (emotion, coded clips) of each.
    """
    lines = []
    for (emotion, clips), of_units in zip(rows, counts, strict=True):
        unit = int(np.argmax(of_units))
        lines.append(f'{emotion} AU {units[unit]} in {of_units[unit]} of {clips}')
    return f'Most frequent action unit: {_listed(lines)}.'


def units(per_unit: Sequence[dict], detected: Sequence[bool]) -> str:
    """Average precision of the units that are detected, and of those that are not.

    Args:
        per_unit: of results.json.
        detected: whether the interval of each lies above chance.
    """
    lines = []
    for title, wanted in (('Above chance', True), ('Not shown to be', False)):
        figures = [
            f'{block["unit"]} {measure(block["average_precision"], 2)} (chance '
            f'{measure(block["chance_average_precision"], 2)})'
            for block, above in zip(per_unit, detected, strict=True)
            if above == wanted
        ]
        lines.append(f'{title}, by average precision: {_listed(figures) or "none"}')
    return _sentence(lines)


def confused_units(shares: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> str:
    """The share of each unit that is detected, and the unit that is most often seen in its place.

    Args:
        shares: float[A + 1, A], as in plots_units.confused.
        counts: int[A + 1], clips of a row.
        names: of the units.
    """
    lines = []
    for row, name in enumerate(names):
        if not counts[row]:
            continue
        line = f'{name} detected in {100 * shares[row, row]:.0f} % of {counts[row]:g} clips'
        others = np.where(np.arange(len(names)) == row, np.nan, shares[row])
        if np.nanmax(others, initial=0) > 0:
            most = int(np.nanargmax(others))
            line += f', {names[most]} wrongly in {100 * others[most]:.0f} %'
        lines.append(line)
    return f'{"; ".join(lines)}.'


def compared_units(groups: Sequence[dict]) -> str:
    """The mean average precision of each run, and of a random order.

    Args:
        groups: as of compare_units.group.
    """
    lines = []
    for group in groups:
        for run in group['runs']:
            mean = measure(run['metrics']['average_precision'], 2)
            lines.append(f'{group["title"]}: {run["system"]} {mean} on average over units')
        chance = measure(group['no_face']['average_precision'], 2)
        lines.append(f'{group["title"]}: chance {chance}')
    return _sentence(lines)


def unit_differences(groups: Sequence[dict]) -> str:
    """How each run differs from the reference, on average and in the unit that differs most.

    Args:
        groups: as of compare_units.group.
    """
    lines = []
    for group in groups:
        for run in group['runs']:
            if not run['against']:
                continue
            mean = signed(run['against']['average_precision']['difference'], 2)
            of_units = {
                unit: tests['average_precision']['difference']
                for unit, tests in run['against']['per_unit'].items()
            }
            most = max(of_units, key=lambda unit: abs(of_units[unit]))
            lines.append(f'{run["system"]} {mean}, most in {most} ({signed(of_units[most], 2)})')
    return f'Average precision minus that of the reference: {_listed(lines)}.'


def unit_pairs(pairs: Mapping[str, np.ndarray], units: Sequence[str]) -> str:
    """The most frequent pair of action units of each emotion.

    Args:
        pairs: {emotion: int[A, A]}.
        units: numbers of the action units.
    """
    lines = []
    for emotion, table in pairs.items():
        apart = np.triu(table, 1)
        if apart.any():
            first, second = np.unravel_index(np.argmax(apart), apart.shape)
            count = plural(int(apart[first, second]), 'clip')
            lines.append(f'{emotion} AU {units[first]}+{units[second]} in {count}')
    return f'Most frequent pair: {_listed(lines)}.' if lines else 'No two action units together.'


def motion_by_class(panels: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> str:
    """The class with the largest median motion in each channel.

    Args:
        panels: {channel: {pair of frames: {class: float[n]}}}.
    """
    lines = []
    for channel, groups in panels.items():
        between, values = next(iter(groups.items()))
        medians = {
            title: np.median(of_class) for title, of_class in values.items() if len(of_class)
        }
        most = max(medians, key=medians.get)
        least = min(medians, key=medians.get)
        lines.append(
            f'{channel}, {between}: most in {most} ({medians[most]:.2g}), least in {least} '
            f'({medians[least]:.2g})'
        )
    return _sentence(lines)


def motion_curve(curve: MotionCurve, clips: Sequence[ClipAnswer]) -> str:
    """When a recording moves most, and how many candidates are above the noise floor.

    Args:
        curve: the motion.
        clips: the candidates.
    """
    peak = int(np.argmax(curve.motion))
    text = (
        f'Motion over {curve.ms[-1] / 1000:.1f} seconds, largest ({curve.motion[peak]:.2g}) at '
        f'{curve.ms[peak] / 1000:.1f} s'
    )
    if curve.noise_floor is not None:
        text += f'; the noise floor is {curve.noise_floor:.2g}, the least of a candidate '
        text += f'{CANDIDATE * curve.noise_floor:.2g}'
    above = sum(clip.outcome != NOTHING for clip in clips)
    return f'{text}. {above} of {plural(len(clips), "candidate")} with movement.'


def flow(field: np.ndarray) -> str:
    """The largest movement of a face, and where it is.

    Args:
        field: [S, S, 2] (right, down) in pixels.
    """
    length = np.hypot(field[..., 0], field[..., 1])
    u, v = field[np.unravel_index(np.argmax(length), length.shape)]
    across, down = ('right' if u > 0 else 'left'), ('down' if v > 0 else 'up')
    directions = [across] if abs(u) > 2 * abs(v) else [down, across]
    if abs(v) > 2 * abs(u):
        directions = [down]
    return (
        f'flow from onset to apex: the largest movement is {length.max():.1f} pixels '
        f'{" and ".join(directions)}, at the {where(length)} of the picture.'
    )


def au_cam(values: np.ndarray) -> str:
    """Where an AU-CAM is largest.

    Args:
        values: [S, S] of 0..1.
    """
    return f'AU-CAM: largest at the {where(values)} of the face.'


def examples(clips: Sequence[str], titles: Sequence[str]) -> str:
    """Which clips are shown, and what of them.

    Args:
        clips: clip, class and action units of each.
        titles: of the pictures of a clip.
    """
    return f'{plural(len(clips), "clip")}, each as {", ".join(titles)}: {_listed(clips)}.'


def generated(statistics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Mean level of real and generated images of each class.

    Args:
        statistics: {class: {'real' or 'made': {level}}}.
    """
    lines = [
        f'{title} real {measure(sides["real"]["level"], 2)}, generated '
        f'{measure(sides["made"]["level"], 2)}'
        for title, sides in statistics.items()
    ]
    return f'Mean absolute value of the images: {_listed(lines)}.'


def nearest(ratio: float, copies: float) -> str:
    """How near generated images are to training images.

    Args:
        ratio: of their distance to that of training images to each other.
        copies: share of generated images that are copies.
    """
    return (
        f'Generated images are {measure(ratio, 2)} times as far from their nearest training image '
        f'as training images from each other; {100 * copies:.0f} % are copies.'
    )
