"""Records what the program computes, and compares a later state of the code with that record.

  python tests/support/golden.py write FILE  runs everything and writes FILE (JSON, gzip)
  python tests/support/golden.py check FILE  runs everything again, reports what differs from FILE

--root=FOLDER runs another checkout, such as a worktree of an older commit. --only=WORD takes the
entries whose name contains WORD. --jobs=N runs N entries side by side. With `check`, --exact
demands equal bytes; without it, numbers may differ by 1e-5.

This is a tool for one machine and one set of package versions, not a test: another processor
computes other last digits. It calls main.py as a user does, reads only files that main.py and the
builders wrote, and imports nothing of mer_jax, so that it outlives changes of the code. Commands
and names of settings stand in `entries` alone.
"""

import argparse
import concurrent.futures
import csv
import gzip
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE))

from tests.support.fake_raw import (  # noqa: E402, needs the path above
    casme2,
    casme_squared,
    samm,
    smic,
    write_precomputed_flow,
)

TOLERANCE = 1e-5  # of numbers, relative where they are larger than 1
WHOLE = 200_000  # arrays up to this many values are kept whole, larger ones as a digest and moments
TABLES = ('predictions.csv', 'apexes.csv', 'heads.csv')
SUMMARIES = ('results.json', 'audit.json', 'grid.json', 'compare.json', 'gan/checks.json')
# Of a summary: what another run of the same code changes, and what names the code, not a result.
LEFT_OUT = ('seconds', 'versions', 'fingerprint', 'folder', 'title', 'plan', 'code', 'format')
RELEASES = {'casme2': casme2, 'casme_squared': casme_squared, 'samm': samm, 'smic': smic}
INPUTS = ('flow', 'samer', 'video', 'spotting')
SYNTHETIC = ('synthetic_faces/tiny', 'synthetic_faces/spotting_tiny')

# Variants beyond each config's own ':quick', by the config that has them.
VARIANTS = {
    'synthetic_ocnet': ['gan=on'],
    'synthetic_hybrid': ['features=hand', 'augment=on,disgust=on'],
    'synthetic_handcrafted': [
        'features=flow',
        'features=hoof',
        'features=bi_woof',
        'features=lbp_top',
        'features=mdmo',
    ],
    'synthetic_dualbranch': ['ablation=sb_au', 'published', 'target=magnified', 'classes=5'],
    'synthetic_cnn3d': ['variant=da', 'variant=scb', 'variant=dacwb'],
    'synthetic_spotting': ['path=best', 'label=impulse,path=v4'],
}


class Program:
    """main.py of one checkout, run in a scratch folder."""

    def __init__(self, root, scratch):
        self.root, self.scratch = Path(root).absolute(), Path(scratch).absolute()
        self.data, self.raw = self.scratch / 'data', self.scratch / 'raw'
        own = {
            'MER_JAX_CACHE': self.scratch / 'cache',
            'TFDS_DATA_DIR': self.data,
            'PYTHONPATH': self.root,
            'MPLBACKEND': 'Agg',
        }
        self.environment = {**os.environ, **{name: str(value) for name, value in own.items()}}

    def run(self, *arguments):
        """Runs main.py; RuntimeError with its last lines where it fails."""
        command = [sys.executable, str(self.root / 'main.py'), *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, cwd=self.scratch, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f'{" ".join(command[1:])}: {done.stderr.strip()[-500:]}')

    def config(self, name, variant=''):
        """The flag that names a config of the checkout."""
        return f'--config={self.root}/configs/{name}.py:{variant}'


def entries(program):
    """{name of an entry: function() -> what it computed, {item: value}}."""
    found = {}
    for path in sorted(program.root.glob('configs/[a-z]*_*.py')):
        for variant in ['', *VARIANTS.get(path.stem, [])]:
            found[f'{path.stem}:{variant}'] = lambda name=path.stem, variant=variant: trained(
                program, name, variant
            )
    found['audit'] = lambda: audited(program)
    found['grid'] = lambda: searched(program)
    found['compare'] = lambda: compared(program)
    found['explain'] = lambda: explained(program)
    for name in SYNTHETIC:
        found[f'data {name}'] = lambda name=name: built(program, name)
    for name in RELEASES:
        for kind in INPUTS:
            full = f'{name}/{kind}'
            found[f'data {full}'] = lambda name=name, full=full: built(
                program, full, program.raw / name
            )
    found['data precomputed_flow'] = lambda: built(
        program, 'precomputed_flow', program.raw / 'precomputed_flow'
    )
    return found


def trained(program, name, variant=''):
    """What a quick run of a config wrote."""
    folder = program.scratch / 'runs' / f'{name}-{variant}'
    program.run(
        program.config(name, ','.join(filter(None, [variant, 'quick']))), f'--workdir={folder}'
    )
    return files_of(folder)


def audited(program):
    """The numbers of a leak audit."""
    folder = program.scratch / 'runs' / 'audit'
    program.run('audit', program.config('synthetic_ststnet', 'quick'), f'--workdir={folder}')
    return files_of(folder)


def searched(program):
    """The numbers of a grid of two settings."""
    folder = program.scratch / 'runs' / 'grid'
    program.run(
        'grid',
        program.config('synthetic_ststnet', 'quick'),
        '--config.protocol.validation=0.2',
        '--grid=train.batch_size=8,16;train.epochs=1,2',
        f'--workdir={folder}',
    )
    return files_of(folder)


def compared(program):
    """The numbers of two runs side by side."""
    runs = [program.scratch / 'runs' / f'compare-{seed}' for seed in (1, 2)]
    for number, run in enumerate(runs, 1):
        program.run(
            program.config('synthetic_ststnet', 'quick'),
            f'--config.train.epochs={number}',
            f'--workdir={run}',
        )
    folder = program.scratch / 'runs' / 'compare'
    program.run('compare', f'--runs={runs[0]},{runs[1]}', f'--workdir={folder}')
    return files_of(folder)


def explained(program):
    """The maps of a dual-branch run."""
    folder = program.scratch / 'runs' / 'explain'
    config = program.config('synthetic_dualbranch', 'quick'), f'--workdir={folder}'
    program.run(*config)
    program.run('explain', *config)
    with np.load(folder / 'explain' / 'maps.npz', allow_pickle=False) as stored:
        return {f'maps.npz/{name}': kept(stored[name]) for name in stored.files}


def built(program, name, manual_dir=None):
    """Every array of every clip of a data set, in order of clip."""
    import tensorflow_datasets as tfds

    synthetic = 'synthetic_spotting' if 'spotting' in name else 'synthetic_ststnet'
    raw = [f'--config.data.manual_dir={manual_dir}'] if manual_dir else []
    program.run('build', program.config(synthetic), f'--config.data.name={name}', *raw)
    (info,) = program.data.glob(f'{name}/**/dataset_info.json')
    builder = tfds.builder_from_directory(info.parent)
    emotion = builder.info.features['emotion']
    source = builder.as_data_source(split='train')
    clips = sorted(source, key=lambda clip: clip['clip'])
    found = {}
    for clip in clips:
        # text, whether a class of a list or text is stored
        if isinstance(emotion, tfds.features.ClassLabel):
            clip = {**clip, 'emotion': emotion.int2str(clip['emotion']).encode()}
        for key, value in leaves(clip, f'{_text(clip["clip"])}/'):
            found[key] = kept(np.asarray(value), whole=0)
    return found


def leaves(record, prefix):
    """Yields (key, value) for every feature of a record; 'provenance' names package versions, not a
    result.
    """
    for key, value in record.items():
        if isinstance(value, dict):
            yield from leaves(value, f'{prefix}{key}/')
        elif key != 'provenance':
            yield prefix + key, value


def files_of(folder):
    """{item: value} of the tables, numbers and first log line that a verb wrote into its folder."""
    found = {}
    for name in TABLES:
        if (folder / name).exists():
            found |= table(folder / name)
    for name in SUMMARIES:
        if (folder / name).exists():
            found |= {
                f'{name}/{key}': value
                for key, value in numbers(json.loads((folder / name).read_text()))
            }
    log = folder / 'metrics.jsonl'
    if log.exists():
        first = json.loads(log.read_text().splitlines()[0])
        found |= {f'metrics.jsonl/{key}': value for key, value in numbers(first)}
    if not found:
        raise RuntimeError(f'{folder} holds no file that this tool reads')
    return found


def table(path):
    """{'file/column': its cells}: rows in the order of the file, numbers as numbers."""
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    return {f'{path.name}/{column}': [_cell(row[column]) for row in rows] for column in rows[0]}


def numbers(value, prefix=''):
    """Yields (dotted key, number or None) for the numbers of a nested value, but for LEFT_OUT."""
    if isinstance(value, dict):
        pairs = [(key, item) for key, item in value.items() if key not in LEFT_OUT]
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        pairs = []
        if value is None or isinstance(value, int | float):
            yield prefix.rstrip('.'), value
    for key, item in pairs:
        yield from numbers(item, f'{prefix}{key}.')


def kept(array, whole=WHOLE):
    """An array as JSON holds it: its values, or a digest with moments that show how far another one
    is off.
    """
    if array.ndim == 0:
        return _text(array.item())
    if array.dtype.kind in 'SUO':
        return [_text(item) for item in array.ravel().tolist()]
    values = array.astype(np.float64)
    if array.size <= whole:
        return [str(array.shape), *values.ravel().tolist()]
    # shows values that only changed places
    weights = np.cos(np.arange(array.size)).reshape(array.shape)
    return {
        'digest': hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest(),
        'shape': list(array.shape),
        'dtype': str(array.dtype),
        'mean': float(values.mean()),
        'deviation': float(values.std()),
        'weighted': float((weights * values).mean()),
    }


def compute(program, only, jobs):
    """{entry: {item: value}} of every entry whose name contains `only`; an error is kept as the
    item 'error'.
    """
    for name, release in RELEASES.items():
        release.write(program.raw / name)
    write_precomputed_flow(program.raw / 'precomputed_flow')
    for name in SYNTHETIC:
        built(program, name)  # before two entries build it side by side
    chosen = {name: function for name, function in entries(program).items() if only in name}

    def one(name):
        start = time.perf_counter()
        try:
            found = chosen[name]()
        except Exception as error:
            found = {'error': str(error)}
        print(
            f'{name}: {time.perf_counter() - start:.0f} s{", failed" if "error" in found else ""}',
            flush=True,
        )
        return found

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return dict(zip(chosen, pool.map(one, chosen), strict=True))


def compare(record, now, exact):
    """Prints every entry that differs; returns how many differ too much."""
    failed = 0
    for name, old in record.items():
        new = now.get(name, {'error': 'there is no such entry any more'})
        if 'error' in new or 'error' in old:
            failed += 1
            print(f'{name}: failed: {new.get("error") or old["error"]}')
            continue
        changed = {item: distance(value, new.get(item, 'missing')) for item, value in old.items()}
        changed = {item: far for item, far in changed.items() if far > 0}
        beyond = {item: far for item, far in changed.items() if exact or not far <= TOLERANCE}
        added = len(new.keys() - old.keys())
        failed += bool(beyond)
        verdict = 'DIFFERS' if beyond else 'equal to 1e-5' if changed else 'equal'
        more = f', {added} new items' if added else ''
        print(f'{name}: {verdict} ({len(old)} items, {len(changed)} not equal{more})')
        for item, far in sorted(beyond.items(), key=lambda pair: -pair[1])[:5]:
            print(
                f'    {item}: {_short(old[item])} -> {_short(new.get(item, "missing"))}, off by '
                f'{far:.2g}'
            )
    print(f'{len(record)} entries, {failed} differ')
    return failed


def distance(old, new):
    """How far two values are apart: 0 where equal, infinity where they cannot be compared."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old == new:
            return 0.0
        if (old['shape'], old['dtype']) != (new.get('shape'), new.get('dtype')):
            return math.inf
        return max(
            sys.float_info.min,
            *(distance(old[key], new[key]) for key in ('mean', 'deviation', 'weighted')),
        )
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return max(map(distance, old, new), default=0.0)
    if isinstance(old, int | float) and isinstance(new, int | float):
        if old == new or old != old and new != new:
            return 0.0
        far = abs(old - new) / max(1.0, abs(old))
        return math.inf if math.isnan(far) else far  # a number that became NaN, or the reverse
    return 0.0 if old == new else math.inf


def _cell(text):
    try:
        return float(text)
    except ValueError:
        return text


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _short(value):
    text = str(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('verb', choices=['write', 'check'])
    parser.add_argument('file', type=Path)
    parser.add_argument('--root', default=HERE)
    parser.add_argument('--only', default='')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--exact', action='store_true')
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(asked.root, scratch)
        if asked.verb == 'check':
            record = json.loads(gzip.decompress(asked.file.read_bytes()))
            record = {name: value for name, value in record.items() if asked.only in name}
            return (
                1 if compare(record, compute(program, asked.only, asked.jobs), asked.exact) else 0
            )
        found = compute(program, asked.only, asked.jobs)
        asked.file.write_bytes(gzip.compress(json.dumps(found).encode()))
    errors = [name for name, value in found.items() if 'error' in value]
    print(f'{asked.file}: {len(found)} entries, {len(errors)} failed {errors or ""}')
    for name in errors:
        print(f'    {name}: {found[name]["error"]}')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
