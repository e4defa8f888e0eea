"""The verb reproduce: train and audit an experiment, and archive what can be shown to others.

The archive holds no face, frame, feature, weight or path of this machine: only texts about clips
(their names, classes and predictions) and figures over them.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mer_jax import machine, provenance
from mer_jax.data import annotations, loading, sources
from mer_jax.data.sources import BuildOptions
from mer_jax.report import text
from mer_jax.runfiles import archive, files, reading, writing
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.config import FORMAT, RunConfig
from mer_jax.runfiles.shapes import Json
from mer_jax.settings.fields import Setting, Value
from mer_jax.settings.tree import flat, nested
from mer_jax.studies.subruns import parent
from tfds_builders import audit
from tfds_builders.build import data_root

RUN, AUDIT = 'run', 'audit'  # folders below that of the verb
LEFT_OUT = '(left out)'  # in place of a path
FOLDER_ENDING = '-reproduce'
# of results.json: the only step whose time is that of the training, however often it was stopped
STEP = 'train'
CONTENTS = {
    files.RESULTS: 'metrics with intervals, leaks, per data set, class, subject and fold; versions',
    files.PREDICTIONS: 'name, subject, class and predicted class of each held-out clip, with the '
    'score of each class',
    files.APEXES: 'the apex that each decoder predicts for each clip, as frame number',
    files.CONFIG: f'all settings; paths of the machine are {LEFT_OUT}',
    files.FOLDS: 'how many clips each fold trains on and tests',
    files.DROPPED: 'clips that are not used, and why',
    files.METRICS: 'loss and accuracy on training rows by epoch',
    files.SVM_TABLE: 'what SVMs or regressions of each fold chose: cost, gamma, number of '
    'support vectors',
    files.DETECTORS: 'the SVM of each action unit and fold: training clips, cost, gamma, F1',
    files.STACKS: 'how each fold weighs the members of a stack, with an offset for each class',
    files.CALIBRATION: 'how well the scores of classes agree with how often they are right',
    files.CHOICES: 'the learning rates and epochs that each fold could choose, and chose',
    archive.LEAK_AUDIT[0]: 'the leak audit: the same experiment with each leaky habit',
    archive.LEAK_AUDIT[1]: 'the same as a table',
    archive.ABOUT: 'digests (sha256) of these files, and of the source files of each data set',
}
BUILT = 'what became of each row and file of a release: used, repaired, dropped, and why'
README = """\
{title}

What this is
  Results of one experiment of mer_jax, trained and scored by someone who holds the data.
  {verdict}.
  {code}.

What it does not contain
  No picture of a face, no frame, no feature, no flow, no weight of a network, no support vector,
  and no path of the machine that made it. It holds names of clips and subjects as the release
  gives them, their classes, what was predicted for them, and figures over them.

Before you pass it on
  Names and classes of clips are annotations: look whether the licence of the data allows that.

How to read it
  mer-jax compare {name} OTHER
  compares it with another archive, the folder of a run, or a table of predictions (CSV): intervals
  over subjects, and paired tests on the clips that both tested.

Leak audit
  {audited}

Files
{contents}
"""


def reproduce(
    name: str,
    workdir: str | Path,
    train: Callable[[Path], Json],
    audit_leaks: Callable[[Path], Json] | None,
    pack: Callable[[Path, Path], None],
) -> Path:
    """Train and audit an experiment, and write its archive.

    A step that was finished is not trained again; one that was killed continues.

    Args:
        name: of the experiment, for the log.
        workdir: where the run, the audit and the archive go.
        train: trains the run in a folder.
        audit_leaks: trains and writes the leak audit in a folder; None leaves it out.
        pack: writes the archive from (folder of this verb, path of the archive).

    Returns:
        The path of the archive.
    """
    folder = parent(workdir, 'reproduce')
    path = folder / (folder.name.removesuffix(FOLDER_ENDING) + archive.SUFFIX)
    steps = 2 if audit_leaks is None else 3
    print(f'reproduce: step 1 of {steps}, training {name} -> {folder / RUN}', flush=True)
    train(folder / RUN)
    if audit_leaks is not None:
        if not (folder / AUDIT / 'audit.json').exists():
            # Whoever stops during the audit, which takes hours, has the results already.
            pack(folder, path)
            print(f'reproduce: {path}, still without the leak audit')
        print(f'reproduce: step 2 of 3, leak audit -> {folder / AUDIT}', flush=True)
        audit_leaks(folder / AUDIT)
    pack(folder, path)
    print(f'reproduce: step {steps} of {steps}, archive for others -> {path}')
    return path


def pack(
    folder: Path,
    path: Path,
    data_sets: Sequence[sources.Source],
    options: BuildOptions,
    settings: Mapping[str, Setting],
) -> None:
    """Write the archive of a finished run and, where there is one, its leak audit.

    Args:
        folder: of the verb.
        path: of the archive.
        data_sets: of the experiment.
        options: where these are stored.
        settings: all settings by dotted key.
    """
    values = flat(RunConfig.read(folder / RUN).settings)
    roots = _roots(folder, data_sets, options, values, settings)
    texts = _run_texts(folder / RUN, settings) | _audit_texts(folder / AUDIT)
    about = {'data_sets': []}
    for source in data_sets:
        rows = annotations.build_audit(source, options)
        metadata = loading.prepared(source, options).info.metadata
        about['data_sets'].append(
            {
                'name': source.name,
                'fingerprint': metadata['fingerprint'],
                'made_by': dict(metadata['made_by']),
                'made_from': dict(metadata['made_from']),
            }
        )
        if rows:
            texts[archive.BUILD_AUDIT.format(source.release)] = writing.csv_text(
                audit.Row._fields, rows
            )
    texts = {name: _without(content, roots) for name, content in texts.items()}
    texts[archive.README] = _without(_readme(folder, path, texts), roots)
    archive.write(path, texts, _without(about, roots))


def portable(nested_values: Mapping, settings: Mapping[str, Setting]) -> dict:
    """Return nested settings of a run without the paths in them.

    Args:
        nested_values: as config.json holds them.
        settings: all settings by dotted key.
    """
    values = {}
    for key, value in flat(nested_values).items():
        setting = settings.get(key)
        is_path = setting is not None and setting.local and _is_path(value, setting)
        values[key] = LEFT_OUT if is_path else value
    return nested(values)


def _is_path(value: Value, setting: Setting) -> bool:
    """Whether a value of a local setting names a file or folder, and no method or config."""
    if value == '':
        return False
    return setting.free or '/' in value or os.sep in value or Path(value).exists()


def _run_texts(run, settings):
    """{name: text} of the files of a run."""
    texts = {}
    for name in archive.RUN_FILES:
        if (run / name).exists():
            texts[name] = (run / name).read_text(encoding='utf-8')
    config = RunConfig.read(run)
    texts[files.CONFIG] = writing.json_text(
        {'format': FORMAT, 'settings': portable(config.settings, settings), 'data': config.data}
    )
    results = result_files.read(run).to_json()
    # Scoring again takes another time, which must not change the archive.
    seconds = {step: value for step, value in results['seconds'].items() if step == STEP}
    texts[files.RESULTS] = writing.json_text(results | {'seconds': seconds})
    return texts


def _audit_texts(folder):
    """{name: text} of the leak audit; {} where it is not finished."""
    texts = {}
    for name in archive.LEAK_AUDIT:
        path = folder / name.removeprefix('leak_')
        if path.exists():
            texts[name] = path.read_text(encoding='utf-8')
    return texts


def _roots(folder, data_sets, options, values, settings):
    """Paths of this machine, the longest first."""
    paths = [folder, folder.resolve(), Path.cwd(), machine.home(), data_root(options.data_dir)]
    written = [source.folder for source in data_sets]
    for key, value in values.items():
        setting = settings.get(key)
        if setting is not None and setting.local and _is_path(value, setting):
            written.append(value)
    for name in filter(None, written):
        path = machine.absolute(name, 'path')
        paths += [path, path.resolve()]
    names = {str(path) for path in paths} | {name for name in written if '/' in name}
    return sorted((name for name in names if len(name) > 1), key=len, reverse=True)


def _without(value, roots):
    """A value with every path of this machine replaced."""
    if isinstance(value, dict):
        return {_without(key, roots): _without(item, roots) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item, roots) for item in value]
    if isinstance(value, str):
        for root in roots:
            value = re.sub(rf'(?<![\w./-]){re.escape(root)}(?![\w-])', LEFT_OUT, value)
    return value


def _readme(folder, path, texts):
    results = result_files.read(folder / RUN).to_json()
    contents = {name: CONTENTS.get(name, BUILT) for name in sorted([*texts, archive.ABOUT])}
    width = max(map(len, contents))
    audited = 'not done, or not finished when this was written'
    if archive.LEAK_AUDIT[0] in texts:
        lines = reading.read_json(folder / AUDIT / 'audit.json')['lines']
        audited = f'{len(lines)} lines, in {archive.LEAK_AUDIT[0]}'
    verdict = 'A spotting run: see results.json'
    if 'task' not in results:
        verdict = text.verdict(results)
    return README.format(
        title=f'{results["name"]}: results for others',
        code=provenance.describe(results['versions']),
        verdict=verdict,
        name=path.name,
        audited=audited,
        contents='\n'.join(f'  {name:{width}}  {what}' for name, what in contents.items()),
    )
