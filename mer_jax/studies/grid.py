"""A grid of settings, chosen by the validation part: rows that neither train nor are tested."""

import itertools

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE
from mer_jax.experiment import settings as rules
from mer_jax.report import table as tables
from mer_jax.report.formats import interval, measure, measure_title
from mer_jax.report.table import Column, Row, Table
from mer_jax.runfiles import files, writing
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.studies.subruns import parent, quietly

AS = "as --grid='train.batch_size=16,24,32;train.epochs=5,10,50'"


def grid(settings: Settings, text: str, train, folder) -> dict:
    """Train every combination with train(changes, folder of its run) -> results.json, score it on
    the validation part, take the best by UF1 (the first of equals), and test that one alone. Writes
    grid.json and grid.csv, prints the table.
    """
    if not settings.protocol.validation:
        raise UserError(
            'protocol.validation is 0, so there is nothing to choose by; allowed with the verb '
            'grid: above 0, as '
            '--config.protocol.validation=0.1 (the tested rows must not choose)'
        )
    combined, folder, rows = combinations(text, settings), parent(folder, 'a grid'), []
    for number, changes in enumerate(combined, 1):
        print(f'grid: {number} of {len(combined)}, {_title(changes)}', flush=True)
        results = quietly(
            train, changes | {'protocol.evaluate_on': 'validation'}, folder / _name(changes)
        )
        row = {key: _single(value) for key, value in changes.items()}
        rows.append(row | {f'validation_{key}': results['metrics'][key] for key in HEADLINE})
    best = max(range(len(rows)), key=lambda row: (rows[row]['validation_uf1'] or 0, -row))
    print(f'grid: the best, {_title(combined[best])}, is tested', flush=True)
    chosen = folder / f'chosen,{_name(combined[best])}'
    tested = quietly(train, combined[best] | {'protocol.evaluate_on': 'test'}, chosen)
    found = {
        'name': settings.name,
        'rows': rows,
        'chosen': best,
        'leaks': tested['leaks'],
        'test': {
            key: {'mean': tested['metrics'][key], 'interval': tested['intervals'][key]}
            for key in HEADLINE
        },
    }
    writing.write_json(folder / 'grid.json', found)
    writing.write_csv(folder / 'grid.csv', *tables.csv_rows([table(found)]))
    print(terminal_text(found))
    print(f'grid: {folder / "grid.csv"}; the tested run: {chosen / files.REPORT}')
    return found


def combinations(text: str, settings: Settings) -> list:
    """[{key: value}] of 'train.batch_size=16,24;train.epochs=5,10', the last key fastest; UserError
    for what is no such text.
    """
    known, axes = tree.flat(tree.to_nested(settings)), []
    for part in filter(None, text.replace(' ', '').split(';')):
        key, _, values = part.partition('=')
        if key not in known or key == 'data.channels':  # whose own value holds commas
            raise UserError(f'--grid: {key!r} is no setting that a grid can vary; {AS}')
        axes.append([(key, _value(key, value, known[key])) for value in values.split(',')])
    if not axes:
        raise UserError(f'--grid is empty; {AS}')
    combined = [dict(chosen) for chosen in itertools.product(*axes)]
    for changes in combined:  # the last of many trainings is late for a mistake
        rules.check(tree.changed(settings, changes))
    return combined


def table(result: dict) -> Table:
    """The combinations of a grid with their validation measures, from what grid.json holds."""
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
    """The grid for the terminal: every combination, and the test of the chosen one."""
    tested = [
        f'{measure_title(key)} {measure(block["mean"])} {interval(block["interval"])}'
        for key, block in result['test'].items()
    ]
    leaks = [f'leak: {leak}' for leak in result['leaks']]
    return '\n'.join([tables.text(table(result)), f'tested: {", ".join(tested)}', *leaks])


def _title(changes):
    return ','.join(f'{key}={_single(value)}' for key, value in changes.items())


def _single(value):
    """The number of a setting that takes several; a grid gives it one at a time."""
    return value[0] if isinstance(value, tuple) else value


def _name(changes):
    return _title(changes).replace('/', '_')  # a data set's name would nest one run in another


def _value(key, text, like):
    """`text` as the type of the setting's present value."""
    try:
        if isinstance(like, bool):
            return {'True': True, 'False': False}[text]
        if isinstance(like, tuple):
            return (float(text),)
        return type(like)(text)
    except (ValueError, KeyError):
        raise UserError(f'--grid: {key} is {text!r}; allowed: a value as {like!r}') from None
