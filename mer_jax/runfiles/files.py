"""The files of a run: their names, and writes that a kill cannot leave half done (standard library
and numpy only).
"""

import contextlib
import csv
import fcntl
import io
import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np

from mer_jax.errors import UserError
from mer_jax.types import Names, Predictions

CONFIG = 'config.json'
PLAN = 'plan.json'
FOLDS = 'folds.csv'
DROPPED = 'dropped.csv'
METRICS = 'metrics.jsonl'
HELD_OUT = 'held_out.npy'
PREDICTIONS = 'predictions.csv'
APEXES = 'apexes.csv'
HEADS = 'heads.csv'
RESULTS = 'results.json'
REPORT = 'report.html'
PLOTS = 'plots'
GAN = 'gan'  # folder of a run's generators: their images, and how these compare with real ones
EXPLAIN = 'explain'  # folder of pictures of what the network looks at
LOCK = '.lock'
PART = '.part'


def default(config_path, variant: str = '') -> str:
    """Folder of a run that names none: 'runs/<stem>[-variant]', with characters that travel between
    systems.
    """
    stem = Path(config_path).stem + (f'-{variant}' if variant else '')
    return 'runs/' + re.sub(r'[^A-Za-z0-9._=,+-]', '_', stem).rstrip('.')


def absolute(folder) -> Path:
    """The absolute path of a folder, ~ resolved: Orbax refuses relative paths."""
    return Path(folder).expanduser().absolute()


def prepare(folder) -> Path:
    """The absolute folder of a run, created where missing; UserError where no run can be written
    there.
    """
    path = absolute(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = 'it is a file' if path.is_file() else error.strerror
        raise UserError(
            f"workdir '{path}': cannot be made a folder ({reason}); name another with --workdir"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"workdir '{path}': no permission to write; name another with --workdir")
    foreign = sorted(
        entry.name for entry in path.iterdir() if entry.name != LOCK and entry.suffix != PART
    )
    if foreign and CONFIG not in foreign:
        raise UserError(
            f"workdir '{path}': holds '{foreign[0]}' but no {CONFIG}, so it is no run; name an "
            'empty --workdir'
        )
    return path


@contextlib.contextmanager
def lock(folder):
    """Hold the folder for one process; UserError where another one trains in it. A killed process
    lets go by itself.
    """
    with open(Path(folder) / LOCK, 'a+', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or 'unknown'
            raise UserError(
                f"workdir '{folder}': process {owner} is training in it; wait, or name another "
                'with --workdir'
            ) from None
        # some mounted drives know no locks at all; refusing would forbid training there
        except OSError:
            pass
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        for left in Path(folder).glob(f'.*{PART}'):
            left.unlink(missing_ok=True)
        yield


def clear(folder) -> None:
    """Remove what a run leaves before its first checkpoint."""
    for name in (CONFIG, PLAN, METRICS, HELD_OUT):
        (Path(folder) / name).unlink(missing_ok=True)
    for name in ('tensorboard', 'checkpoints', GAN):
        shutil.rmtree(Path(folder) / name, ignore_errors=True)


@contextlib.contextmanager
def replacing(path):
    """A binary file that takes the place of `path` when the block ends well, and vanishes when it
    does not.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}{PART}')
    try:
        with open(part, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    """Write UTF-8 text in one step."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path, value) -> None:
    """Write JSON in one step: numpy becomes plain numbers and lists, NaN and infinities become
    null.
    """
    write_text(path, _pretty(_plain(value)) + '\n')


def write_array(path, array) -> None:
    """Write one array as .npy in one step."""
    with replacing(path) as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def write_csv(path, header, rows) -> None:
    """Write a table in one step; ValueError for a row whose length is not that of the header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'{path}: a row of {len(row)} under a header of {len(header)} columns')
        writer.writerow(row)
    write_text(path, text.getvalue())


def read_json(path) -> dict:
    """What `write_json` wrote; UserError where the file is missing or holds no dictionary."""
    try:
        found = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except ValueError as error:
        raise UserError(f'{path}: is not JSON ({error}); delete it or restore it') from None
    if not isinstance(found, dict):
        raise UserError(f'{path}: is not JSON of a run (a dictionary); delete it or restore it')
    return found


def read_config(folder) -> dict:
    """{'settings', 'data'} of the run in `folder`; UserError where its config.json is that of
    something else.
    """
    path = Path(folder) / CONFIG
    found = read_json(path)
    if set(found) != {'settings', 'data'} or not isinstance(found['settings'], dict):
        raise UserError(
            f'{path}: is not that of a run (settings, data); restore it, or name another --workdir'
        )
    return found


def read_csv(path) -> list:
    """A list of {column: text}, one a row; UserError for a row of another length than the
    header.
    """
    try:
        with open(path, newline='', encoding='utf-8') as file:
            rows = list(csv.reader(file))
    except (ValueError, csv.Error) as error:
        raise UserError(f'{path}: is no table ({error}); delete it or restore it') from None
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            raise UserError(
                f'{path}, row {number}: {len(row)} columns, its header has {len(rows[0])}'
            )
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def append_jsonl(path, records: list) -> None:
    """Append records, a line each, and wait until they are on disk."""
    with open(path, 'ab') as file:
        file.write(''.join(_dumps(_plain(record)) + '\n' for record in records).encode())
        file.flush()
        os.fsync(file.fileno())


def read_jsonl(path) -> list:
    """Records of a JSON-lines file; a last line that a kill cut short is dropped, any other bad
    line is a UserError.
    """
    lines = Path(path).read_text(encoding='utf-8', errors='replace').splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif number < len(lines):
            raise UserError(
                f'{path}, line {number}: is not a JSON record; delete the line or start in '
                'another --workdir'
            )
    return records


def cut_jsonl(path, keep) -> None:
    """Drop the records that keep(record) refuses, and a half-written last line; a missing file
    stays missing.
    """
    if not Path(path).exists():
        return
    kept = []
    for number, record in enumerate(read_jsonl(path), 1):
        try:
            kept += [_dumps(record) + '\n'] if keep(record) else []
        except (KeyError, TypeError) as error:
            missing = error if isinstance(error, KeyError) else 'numbers to compare'
            raise UserError(
                f'{path}, line {number}: holds no {missing}; delete the line or start in another '
                '--workdir'
            ) from None
    write_text(path, ''.join(kept))


def write_predictions(path, predictions: Predictions, names: Names) -> None:
    """predictions.csv: names for numbers, softmax scores to six digits; a `frame` column where rows
    are frames.
    """
    framed = ['frame'] if np.any(predictions.frame) else []
    header = ['clip', *framed, 'subject', 'dataset', 'fold', 'seed', 'label', 'predicted']
    scores = softmax(predictions.output)
    rows = []
    for i, chosen in enumerate(np.argmax(predictions.output, -1)):
        row = [names.clips[predictions.clip[i]], *([int(predictions.frame[i])] if framed else [])]
        row += [names.subjects[predictions.subject[i]], names.datasets[predictions.dataset[i]]]
        row += [int(predictions.fold[i]), int(predictions.seed[i])]
        row += [names.classes[predictions.label[i]], names.classes[chosen]]
        rows.append(row + [f'{score:.6g}' for score in scores[i]])
    write_csv(path, header + [f'score_{title}' for title in names.classes], rows)


def read_predictions(path) -> list:
    """Rows of predictions.csv as {clip, subject, dataset, fold, seed, label, predicted, scores:
    {class: score}}.
    """
    mark = 'score_'
    rows = []
    for number, row in enumerate(read_csv(path), 2):
        try:
            record = {key: value for key, value in row.items() if not key.startswith(mark)}
            record |= {key: int(record[key]) for key in ('fold', 'seed')}
            scores = {
                key.removeprefix(mark): float(row[key]) for key in row if key.startswith(mark)
            }
        except (KeyError, ValueError) as error:
            raise UserError(f'{path}, row {number}: {error}; score the run again') from None
        rows.append({**record, 'scores': scores})
    return rows


def softmax(output) -> np.ndarray:
    """Scores float64[..., K] of logits [..., K]."""
    shifted = np.asarray(output, np.float64) - np.max(output, -1, keepdims=True, initial=-np.inf)
    return np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)


def differences(old: dict, new: dict, *, ignore=()) -> list:
    """[(dotted key, old, new)] where two nested dictionaries differ, None if missing; `ignore`:
    keys or branches.
    """
    before, after = flat(_plain(old)), flat(_plain(new))
    keys = [
        key
        for key in dict.fromkeys([*before, *after])
        if not any(f'{key}.'.startswith(f'{one}.') for one in ignore)
    ]
    return [
        (key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    ]


def flat(settings, prefix='') -> dict:
    """Nested settings -> {'train.epochs': 500, ...}; an empty dictionary is a leaf."""
    out = {}
    for key, value in settings.items():
        out |= (
            flat(value, f'{prefix}{key}.')
            if isinstance(value, dict) and value
            else {prefix + key: value}
        )
    return out


def nested(settings) -> dict:
    """The inverse of `flat`: {'train.epochs': 500} -> {'train': {'epochs': 500}}."""
    out = {}
    for key, value in settings.items():
        *sections, name = key.split('.')
        block = out
        for section in sections:
            block = block.setdefault(section, {})
        block[name] = value
    return out


def _pretty(value, margin=''):
    """Indented JSON in which whatever fits on a line, and every list of numbers, stands on one
    line.
    """
    line = _dumps(value)
    nested = (
        isinstance(value, dict)
        or isinstance(value, list)
        and any(isinstance(item, dict | list) for item in value)
    )
    if len(line) + len(margin) <= 110 or not nested:
        return line
    inner = margin + '  '
    if isinstance(value, dict):
        items = [f'{inner}{_dumps(key)}: {_pretty(item, inner)}' for key, item in value.items()]
        return '{\n' + ',\n'.join(items) + f'\n{margin}}}'
    return '[\n' + ',\n'.join(inner + _pretty(item, inner) for item in value) + f'\n{margin}]'


def _dumps(value):
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value):
    """What JSON can hold: numpy and tuples become numbers and lists, NaN and infinities None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value
