"""The tables of the page about a data set (studies/describe.py)."""

from functools import partial

from mer_jax.data.annotations import CHANNELS, MAGNITUDES, MOTIONS, TO_APEX, TO_MAGNIFIED
from mer_jax.report.formats import measure
from mer_jax.report.table import Cell, Column, Row, Table, listing

SUMMARY = ('mean', 'sd', 'least', 'quarter', 'median', 'three_quarters', 'largest')
TITLES = ('clips', 'mean', 'sd', 'least', '25 %', 'median', '75 %', 'largest')


def classes(figures: dict) -> Table:
    """Clips and subjects of each class, by data set."""
    rows = []
    for name, counts in zip(figures['datasets'], figures['clips'], strict=True):
        here = [row for row in figures['subjects'] if row['dataset'] == name]
        cells = [name, len(here), sum(counts)]
        for place, count in enumerate(counts):
            subjects = sum(row['clips'][place] > 0 for row in here)
            cells.append(f'{count} of {subjects}')
        rows.append(cells)
    if len(rows) > 1:
        totals = [sum(column) for column in zip(*figures['clips'], strict=True)]
        rows.append(['all', len(figures['subjects']), sum(totals), *totals])
    return listing(['data set', 'subjects', 'clips', *figures['classes']], rows)


def subjects(figures: dict) -> Table:
    """Clips of each subject by class."""
    rows = [
        [row['subject'], row['dataset'], sum(row['clips']), *row['clips']]
        for row in figures['subjects']
    ]
    return listing(['subject', 'data set', 'clips', *figures['classes']], rows)


def emotions(figures: dict) -> Table:
    """Which emotion of the sheets became which class."""
    keys = ('dataset', 'emotion', 'class', 'clips')
    rows = [[row[key] for key in keys] for row in figures['emotions']]
    return listing(['data set', 'emotion', 'class', 'clips'], rows)


def durations(figures: dict) -> Table:
    """Durations in milliseconds, by data set."""
    return _summaries(figures['durations'], 'what', 'milliseconds', 0)


def positions(figures: dict) -> Table:
    """Where the apex lies, by data set and by who placed it."""
    return _summaries(figures['apex'], 'source', 'apex', 2)


def _summaries(blocks, key, title, digits):
    """A row for each block with a value, under its data set."""
    show = partial(measure, digits=digits)
    columns = [Column(title, key), Column('clips', 'clips')]
    columns += [Column(words, name, show) for words, name in zip(TITLES[1:], SUMMARY, strict=True)]
    rows = [Row(block, Cell(block['dataset'])) for block in blocks if block['clips']]
    return Table('', columns, rows)


def unit_sets(units: dict) -> Table:
    """The most frequent sets of action units of each emotion of a data set."""
    rows = []
    for block in units['emotions']:
        words = ', '.join(f'{title} ({count})' for title, count in block['sets'])
        rows.append([block['emotion'], block['clips'], words])
    return listing(['emotion', 'clips', 'most frequent sets of action units (clips)'], rows)


def motion(figures: dict) -> Table:
    """Mean motion in pixels by class and channel, a block for each pair of frames."""
    columns = [Column('class', 'class')]
    for between in MOTIONS:
        if between != MAGNITUDES:
            columns += _motion_columns(between, CHANNELS)
    return _motion_table(figures, columns)


def magnitudes(figures: dict) -> Table:
    """Mean byte of the images of magnitude, by class."""
    return _motion_table(
        figures, [Column('class', 'class'), *_motion_columns(MAGNITUDES, MOTIONS[MAGNITUDES])]
    )


def magnified(figures: dict) -> list[str]:
    """Sentences that compare the motion to the apex with that to the magnified apex."""
    means = {
        (row['dataset'], row['between'], row['channel']): row['mean']
        for row in figures['motion']
        if not row['class']
    }
    lines = []
    for name in figures['datasets']:
        pixels = [means.get((name, between, 'magnitude')) for between in (TO_APEX, TO_MAGNIFIED)]
        levels = [means.get((name, MAGNITUDES, image)) for image in MOTIONS[MAGNITUDES][:2]]
        if None not in pixels:
            lines.append(
                f'{name}: the mean magnitude is {pixels[0]:.2f} pixels from onset to apex and '
                f'{pixels[1]:.2f} from onset to the magnified apex, whose motion was multiplied '
                f'by {figures["alpha"][name]:g} (phase method).'
            )
        if None not in levels:
            lines.append(
                f'{name}: the mean of On-A is {levels[0]:.0f} of 255 to the apex, '
                f'{levels[1]:.0f} to the magnified apex.'
            )
    return lines


def _motion_columns(between, channels):
    """A column for each channel; its key is that of _motion_table."""
    show = partial(measure, digits=0 if between == MAGNITUDES else 3)
    return [Column(name, f'{between} {name}', show, block=between) for name in channels]


def _motion_table(figures, columns):
    """A row for each data set and class; columns without any figure are left out."""
    cells = {}
    for row in figures['motion']:
        key = row['dataset'], row['class']
        cells.setdefault(key, {'class': row['class'] or 'all classes'})
        cells[key][f'{row["between"]} {row["channel"]}'] = row['mean']
    present = set().union(*cells.values())
    kept = [column for column in columns if column.key in present]
    keys = {column.key for column in kept[1:]}
    rows = [
        Row(values, Cell(dataset)) for (dataset, _), values in cells.items() if keys & set(values)
    ]
    return Table('', kept, rows)


def build(block: dict) -> Table:
    """What a build did with the rows and files of a release, by the kind of reason."""
    return listing(['status', 'reason', 'rows'], block['kinds'])


def changed(block: dict) -> Table:
    """Each repaired or dropped row of a build."""
    titles = ['file', 'status', 'reason', 'clip', 'annotated', 'used']
    return listing(titles, block['rows'])


def left_out(figures: dict) -> Table:
    """Clips without a class in the label scheme, by reason."""
    keys = ('dataset', 'reason', 'clips')
    rows = [[row[key] for key in keys] for row in figures['left_out']]
    return listing(['data set', 'reason', 'clips'], rows)
