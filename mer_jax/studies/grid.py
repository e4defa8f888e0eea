"""The verb grid: choose settings on the validation part.

Validation rows neither train nor are tested.
"""

import itertools
import math
from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE
from mer_jax.experiment import settings as rules
from mer_jax.report import table as tables
from mer_jax.report.formats import interval, measure, measure_title
from mer_jax.report.table import Column, Row, Table
from mer_jax.runfiles import files, writing
from mer_jax.settings import tree
from mer_jax.settings.fields import Value
from mer_jax.settings.sections import Settings
from mer_jax.studies.subruns import Check, Train, parent, quietly

MOST = 999  # combinations: each is a training, and its folder has a number of three digits
# the value of the first contains commas; a grid sets the second itself
FIXED = ('data.channels', 'protocol.evaluate_on')
CHOSEN = 'chosen'  # folder of the run that is tested
# how fast and how long a network learns, which no data set or network can contradict
LEARNING = (
    'train.epochs',
    'train.batch_size',
    'train.optimizer',
    'train.learning_rate',
    'train.weight_decay',
    'train.momentum',
    'train.schedule',
    'train.label_smoothing',
)
EXAMPLE = "such as --grid='train.batch_size=16,24,32;train.epochs=5,10,50'"


def grid(
    settings: Settings, text: str, train: Train, folder: str | Path, check: Check | None = None
) -> dict:
    """Choose the best combination of settings, and test it.

    Each combination is trained and scored on the validation part. The best by UF1 (the first of
    equals) is trained again and scored on the test rows. Writes grid.json and grid.csv, and prints
    the table.

    Args:
        settings: of the experiment.
        text: the combinations, as in `combinations`.
        train: trains one run.
        folder: where the files and runs go.
        check: refuses changes that cannot be trained, as far as data and network show it.

    Returns:
        The content of grid.json.

    Raises:
        UserError: there is no validation part, or `text` is wrong.
    """
    if not settings.protocol.validation:
        raise UserError(
            'protocol.validation is 0, so that grid has no rows to choose by; allowed: above 0, '
            'such as --config.protocol.validation=0.1 (test rows must not choose)'
        )
    combined, rows = combinations(text, settings), []
    names = [f'{number:03d}' for number in range(1, len(combined) + 1)]
    folder = parent(folder, 'a grid', [*names, CHOSEN], ('grid.json', 'grid.csv'))
    if check:
        _check_data(check, combined, names, folder)
    for number, changes in enumerate(combined, 1):
        print(f'grid: {number} of {len(combined)}, {_title(changes)}', flush=True)
        validated = changes | {'protocol.evaluate_on': 'validation'}
        results = quietly(train, validated, folder / names[number - 1])
        row = {key: _single(value) for key, value in changes.items()}
        rows.append(row | {f'validation_{key}': results['metrics'][key] for key in HEADLINE})
    best = max(range(len(rows)), key=lambda row: (rows[row]['validation_uf1'] or 0, -row))
    print(f'grid: testing the best, {_title(combined[best])}', flush=True)
    chosen = folder / CHOSEN
    tested = quietly(train, combined[best] | {'protocol.evaluate_on': 'test'}, chosen)
    result = {
        'name': settings.name,
        'rows': rows,
        'chosen': best,
        'leaks': tested['leaks'],
        'test': {
            key: {'mean': tested['metrics'][key], 'interval': tested['intervals'][key]}
            for key in HEADLINE
        },
    }
    writing.write_json(folder / 'grid.json', result)
    writing.write_csv(folder / 'grid.csv', *tables.csv_rows([table(result)]))
    print(terminal_text(result))
    print(f'grid: {folder / "grid.csv"}; the tested run: {chosen / files.REPORT}')
    return result


def _check_data(check, combined, names, folder):
    """Check all combinations with their data before the first training, equal data once."""
    first = {}
    for name, changes in zip(names, combined, strict=True):
        of_data = {key: value for key, value in changes.items() if key not in LEARNING}
        first.setdefault(repr(of_data), (name, changes))
    for name, changes in first.values():
        try:
            check(changes | {'protocol.evaluate_on': 'validation'}, folder / name)
        except UserError as error:
            raise UserError(f'--grid, {_title(changes)}: {error}') from error


def combinations(text: str, settings: Settings) -> list[dict[str, Value]]:
    """Return all combinations of the values in a text.

    Args:
        text: 'train.batch_size=16,24;train.epochs=5,10'.
        settings: of the experiment.

    Returns:
        {key: value} of each combination; the last key changes fastest.

    Raises:
        UserError: a key or a value is wrong; names it.
    """
    defaults, axes = tree.flat(tree.to_nested(settings)), []
    for part in filter(None, text.replace(' ', '').split(';')):
        key, _, values = part.partition('=')
        if key not in defaults or key in FIXED:
            raise UserError(f'--grid: {key!r} is not a setting that a grid can vary; {EXAMPLE}')
        if key in [axis[0][0] for axis in axes]:
            raise UserError(f'--grid names {key} twice; allowed: once, with all of its values')
        axis = [(key, _value(key, value, defaults[key])) for value in values.split(',')]
        repeated = [pair for place, pair in enumerate(axis) if pair in axis[:place]]
        if repeated:
            raise UserError(f'--grid: {key} has the value {_single(repeated[0][1])!r} twice')
        axes.append(axis)
    if not axes:
        raise UserError(f'--grid is empty; {EXAMPLE}')
    count = math.prod(map(len, axes))
    if count > MOST:
        raise UserError(f'--grid has {count} combinations; allowed: {MOST} at most')
    combined = [dict(chosen) for chosen in itertools.product(*axes)]
    # All before the first training: hours later is too late for a mistake.
    for changes in combined:
        rules.check(tree.changed(settings, changes | {'protocol.evaluate_on': 'validation'}))
    return combined


def table(result: dict) -> Table:
    """Make the table of a grid: combinations and validation metrics.

    Args:
        result: the content of grid.json.
    """
    keys = [key for key in result['rows'][0] if not key.startswith('validation_')]
    columns = [
        *(Column(key, key, str) for key in keys),
        *(Column(measure_title(key), f'validation_{key}', measure) for key in HEADLINE),
        Column('chosen', 'chosen', forms=['csv']),
        Column('', 'mark', forms=['text']),
    ]
    rows = []
    for number, row in enumerate(result['rows']):
        chosen = number == result['chosen']
        rows.append(Row({**row, 'chosen': chosen, 'mark': '<- chosen' if chosen else ''}))
    title = f'{result["name"]}: chosen by UF1 of the validation part'
    return Table(title, columns, rows)


def terminal_text(result: dict) -> str:
    """Return the table and the test as text."""
    tested = [
        f'{measure_title(key)} {measure(block["mean"])} {interval(block["interval"])}'
        for key, block in result['test'].items()
    ]
    leaks = [f'leak: {leak}' for leak in result['leaks']]
    return '\n'.join([tables.text(table(result)), f'tested: {", ".join(tested)}', *leaks])


def _title(changes):
    return ','.join(f'{key}={_single(value)}' for key, value in changes.items())


def _single(value):
    """Return the number in a tuple of one."""
    return value[0] if isinstance(value, tuple) else value


def _value(key, text, like):
    """Return `text` in the type of the setting's value."""
    try:
        if isinstance(like, bool):
            return {'True': True, 'False': False}[text]
        if isinstance(like, tuple):
            return (float(text),)
        return type(like)(text)
    except (ValueError, KeyError):
        raise UserError(f'--grid: {key} is {text!r}; allowed: a value such as {like!r}') from None
