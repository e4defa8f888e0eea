"""The verb export: a trained model as a file for other runtimes.

The file takes images as the data set stores them. Scaling, the networks of all folds and the
temperature are in its graph. The networks are mapped by jax.vmap: their convolutions become one
convolution in groups, their products one of stacked matrices, and the graph is as long as that of
one network.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import machine, provenance
from mer_jax.errors import UserError
from mer_jax.evaluation.calibration import probabilities
from mer_jax.experiment import TASKS
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.cost import flops_of
from mer_jax.prediction import trained
from mer_jax.prediction.trained import Trained
from mer_jax.runfiles import pack_file, writing
from mer_jax.runfiles.prediction_file import Statement
from mer_jax.settings.sections import Settings
from mer_jax.types import FoldState, Inputs

if TYPE_CHECKING:
    import onnx

FORMATS = ('onnx',)
SUFFIX = '.onnx'
EXTRA = "pip install 'mer_jax[export]'"
SIZES = (1, 2, 7)  # of batches that are compared with jax
# Largest difference of a probability; of a logit, as a share of the largest logit above 1.
TOLERANCE = 1e-5
PROBABILITIES, LOGITS, MEMBERS = 'probabilities', 'logits', 'member_logits'  # outputs


class Exported(NamedTuple):
    """A file that was written, and what it costs."""

    path: Path
    parameters: int  # of one network
    members: int
    flops: int  # of one clip, all members
    size: int  # bytes
    difference: float  # largest one from jax, as TOLERANCE counts
    load_s: float
    clip_ms: float  # median time of one clip
    fastest_ms: float  # the shortest one
    peak_mb: float  # memory of a process that loads the file and predicts


def export(
    model: str, file_format: str, fold: str, batch: str, paths: Sequence[str] = ()
) -> Exported:
    """Write a trained model as a file of ONNX, compare it with jax, and print what it costs.

    Args:
        model: folder of a finished run, or a pack.
        file_format: one of FORMATS.
        fold: title of a fold, whose networks alone are written; '': all.
        batch: rows that the file takes at a time; '': any number.
        paths: of the file, at most one; without, the name of the model in the current folder.

    Returns:
        The file and its costs.

    Raises:
        UserError: there is no such model, it is not one of networks alone, the packages are not
            installed, or the file predicts otherwise than jax.
    """
    if file_format not in FORMATS:
        raise UserError(f'--format={file_format}: no such format; known: {", ".join(FORMATS)}')
    rows = _rows(batch)
    path = _path(model, paths)
    graph, runtime = packages()
    refuse(settings_of(model), model)
    opened = trained.open_trained(model, fold)
    file = onnx_model(opened, graph, rows).SerializeToString()
    difference = compare(opened, runtime, file, (rows,) if rows else SIZES)
    with writing.replacing(path) as stream:
        stream.write(file)
    image = jax.ShapeDtypeStruct((1, *opened.image_shape), opened.dtype)
    one = jax.tree.map(lambda leaf: leaf[0], opened.states.params)
    exported = Exported(
        path=path,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(one)),
        members=len(opened.members),
        flops=flops_of(ensemble(opened), opened.states, image),
        size=len(file),
        difference=difference,
        **measured(path),
    )
    print(describe(exported, rows))
    return exported


def _rows(batch):
    if not batch:
        return 0
    if not batch.isdecimal() or not 1 <= int(batch) <= 4096:
        raise UserError(f'--batch={batch}: allowed: a whole number from 1 to 4096, or leave it out')
    return int(batch)


def _path(model, paths):
    if len(paths) > 1:
        raise UserError(f'export {" ".join(paths)}: allowed: one FILE{SUFFIX}')
    title = machine.absolute(model, '--model').name.removesuffix(pack_file.SUFFIX)
    name = paths[0] if paths else f'{title}{SUFFIX}'
    path = machine.absolute(name, 'FILE')
    if path.suffix != SUFFIX:
        raise UserError(f'export {name}: allowed: a name that ends in {SUFFIX}')
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f'export {name}: allowed: a file in a folder that exists')
    return path


def packages() -> tuple[ModuleType, ModuleType]:
    """Return the translator and onnxruntime, which are no requirement of anything else.

    Raises:
        UserError: onnx or onnxruntime is not installed.
    """
    try:
        import onnx  # noqa: F401, which the translator imports
        import onnxruntime
    except ImportError as error:
        raise UserError(f'export: {error.name} is not installed; {EXTRA}') from None
    from mer_jax.prediction import onnx_graph

    return onnx_graph, onnxruntime


def settings_of(model: str) -> Settings:
    """Return the settings of a model, without its data set.

    Args:
        model: as in export.

    Raises:
        UserError: there is no such run or pack.
    """
    if Path(model).suffix == pack_file.SUFFIX:
        return trained.checked_settings(pack_file.read_header(model).settings, model)
    return trained.settings_of(run_folder.existing(model))


def refuse(settings: Settings, model: str) -> None:
    """Refuse a model that is not one of networks which recognise clips.

    Args:
        settings: of its experiment.
        model: as the user named it.

    Raises:
        UserError: names the setting.
    """
    head, task = settings.head, settings.data.task
    if head.name != 'none':
        raise UserError(
            f'{model}: head.name is {head.name!r}, whose features are computed outside of a graph; '
            "allowed: a run with head.name 'none'"
        )
    if not TASKS[task].by_class:
        raise UserError(f'{model}: data.task is {task!r}; allowed: a run that recognises clips')


def ensemble(opened: Trained) -> Callable[[FoldState, jax.Array], dict[str, jax.Array]]:
    """Return the prediction of all networks as one function.

    Args:
        opened: the model.

    Returns:
        (states [M, ...], images [B, ...]) -> {'probabilities' [B, K], the mean over members of
        softmax(logits / temperature); 'logits' [B, K], their mean; 'member_logits' [B, M, K]}.
    """
    learner = trained.learner(opened.settings, len(opened.classes), 'native')
    temperature = opened.calibration.temperature if opened.calibration else 1.0

    def predict(states: FoldState, images: jax.Array) -> dict[str, jax.Array]:
        def of_member(state: FoldState) -> jax.Array:
            return learner.predict(state, Inputs(images, {}))[0]

        logits = jnp.moveaxis(jax.vmap(of_member)(states), 0, 1)
        scores = jax.nn.softmax(logits / temperature, axis=-1)
        return {PROBABILITIES: scores.mean(1), LOGITS: logits.mean(1), MEMBERS: logits}

    return predict


def onnx_model(opened: Trained, graph: ModuleType, rows: int = 0) -> 'onnx.ModelProto':
    """Translate a model, and write down what it is.

    Args:
        opened: the model.
        graph: the module onnx_graph.
        rows: of a batch; 0: any number.
    """
    image = jax.ShapeDtypeStruct(opened.image_shape, opened.dtype)
    model = graph.model_of(ensemble(opened), opened.states, image, rows)
    model.producer_name, model.producer_version = 'mer_jax', provenance.VERSION
    statement = Statement.of(opened.settings.data.name)
    model.doc_string = f'{statement.what_it_is} {statement.what_it_is_not} {statement.law}'
    for key, value in metadata(opened).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    return model


def metadata(opened: Trained) -> dict:
    """Return what a file states about its model: text, or a value for JSON.

    Args:
        opened: the model.
    """
    data = opened.settings.data
    calibration = opened.calibration
    statement = Statement.of(data.name)
    return {
        'title': opened.title,
        'what_it_is': statement.what_it_is,
        'what_it_is_not': statement.what_it_is_not,
        'law': statement.law,
        'classes': opened.classes,
        'input': {
            'shape': opened.image_shape,
            'dtype': opened.dtype,
            'data': data.name,
            'channels': data.channels,
            'size': data.size,
            'apex': data.apex,
            'input_scaler': data.input_scaler,
        },
        'members': [{'fold': fold, 'seed': seed} for fold, seed in opened.members],
        'temperature': calibration.temperature if calibration else None,
        'threshold': _finite(calibration.threshold) if calibration else None,
        'leaks': opened.facts.get('leaks', []),
        'facts': opened.facts,
    }


def _finite(number):
    """A number for JSON; None for infinity."""
    return number if np.isfinite(number) else None


def compare(opened: Trained, runtime: ModuleType, file: bytes, sizes: Sequence[int]) -> float:
    """Compare what a file predicts with the prediction of jax.

    jax predicts as `predict` does: one network after the other, by products.

    Args:
        opened: the model.
        runtime: onnxruntime.
        file: the content of the file.
        sizes: of the batches of made-up images.

    Returns:
        The largest difference of a probability, or of a logit as a share of the largest one.

    Raises:
        UserError: it is above TOLERANCE.
    """
    draw = np.random.default_rng(0)
    shape = (max(sizes), *opened.image_shape)
    if opened.dtype == 'uint8':
        images = draw.integers(0, 256, shape).astype(np.uint8)
    else:
        images = draw.normal(size=shape).astype(np.float32)
    logits = opened.scores(Inputs(images, {})).astype(np.float64)
    temperature = opened.calibration.temperature if opened.calibration else 1.0
    largest = max(1.0, np.abs(logits).max())
    expected = {
        PROBABILITIES: probabilities(logits, temperature),
        LOGITS: logits.mean(0) / largest,
        MEMBERS: np.moveaxis(logits, 0, 1) / largest,
    }
    session = runtime.InferenceSession(file, providers=['CPUExecutionProvider'])
    differences = []
    for size in sizes:
        results = session.run([*expected], {session.get_inputs()[0].name: images[:size]})
        for (name, values), result in zip(expected.items(), results, strict=True):
            scaled = result if name == PROBABILITIES else result / largest
            differences.append(np.abs(scaled - values[:size]).max())
    difference = float(np.max(differences))
    if not difference <= TOLERANCE:
        raise UserError(
            f'export: onnxruntime {runtime.__version__} differs from jax by {difference:.1e}; '
            f'allowed: {TOLERANCE:.0e}; no file is written'
        )
    return difference


def measured(path: Path) -> dict[str, float]:
    """Measure memory and time of a file in a new process.

    Args:
        path: of the file.

    Returns:
        As onnx_cost.measured.

    Raises:
        UserError: onnxruntime cannot load it.
    """
    script = Path(__file__).with_name('onnx_cost.py')
    # -P: the folder of the script is not searched for modules
    command = [sys.executable, '-P', str(script), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ['']
        raise UserError(f'{path}: cannot be measured: {last[0]}')
    return json.loads(done.stdout.splitlines()[-1])


def describe(exported: Exported, rows: int) -> str:
    """Return the lines that are printed.

    Args:
        exported: the file.
        rows: of a batch; 0: any number.
    """
    sizes = (
        f'{rows} rows' if rows else f'any number of rows; compared: {", ".join(map(str, SIZES))}'
    )
    lines = (
        f'export: {exported.path}',
        f'batch: {sizes}',
        f'difference: {exported.difference:.1e} at most from jax, by onnxruntime',
        f'parameters: {exported.parameters:,} in each of {exported.members} networks',
        f'arithmetic: {exported.flops / 1e6:,.1f} MFLOPs a clip, all networks',
        f'size: {exported.size / 1e6:,.2f} MB',
        f'memory: {exported.peak_mb:,.0f} MB at most in a process that loads it',
        f'time: {exported.clip_ms:,.2f} ms a clip on {machine.cores()} cores (median; fastest '
        f'{exported.fastest_ms:,.2f} ms), {exported.load_s:.2f} s to load',
    )
    return '\n'.join(lines)
