"""From a function of jax to an ONNX graph.

jax traces the function to a jaxpr: a list of equations, each a primitive. Each primitive becomes
one node of ONNX or a few. Convolutions should be traced in native lowering, which is one primitive.

A batch of any size: the function is traced for two batches of different size. A dimension that
differs must be a multiple of the batch in both; it is left open in the graph.

What depends on weights alone is computed once, by the reference evaluator of ONNX, so that the file
holds kernels as its operators take them.

ONNX operators: https://onnx.ai/onnx/operators, opset 18.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import onnx
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mer_jax.errors import UserError
from mer_jax.types import Array

OPSET = 18  # ONNX 1.13, of December 2022: the first whose reductions all take their axes alike
IR_VERSION = 9  # of the file format; runtimes refuse one that is newer than themselves
TRACED = (2, 3)  # sizes of the two batches
IMAGE, BATCH = 'image', 'batch'  # names of the input and of its open dimension
LARGEST = 2**31 - 10**8  # bytes of weights: a file of protobuf has less than 2**31
# where nothing but the name differs; both broadcast as numpy does
ELEMENTWISE = {
    'abs': 'Abs',
    'add': 'Add',
    'and': 'And',
    'div': 'Div',
    'eq': 'Equal',
    'erf': 'Erf',
    'exp': 'Exp',
    'floor': 'Floor',
    'ge': 'GreaterOrEqual',
    'gt': 'Greater',
    'le': 'LessOrEqual',
    'log': 'Log',
    'logistic': 'Sigmoid',
    'lt': 'Less',
    'max': 'Max',
    'min': 'Min',
    'mul': 'Mul',
    'neg': 'Neg',
    'not': 'Not',
    'or': 'Or',
    'pow': 'Pow',
    'sign': 'Sign',
    'sqrt': 'Sqrt',
    'sub': 'Sub',
    'tanh': 'Tanh',
}
REDUCTIONS = {'reduce_sum': 'ReduceSum', 'reduce_max': 'ReduceMax', 'reduce_min': 'ReduceMin'}
UNCHANGED = ('copy', 'stop_gradient', 'optimization_barrier')
# {primitive that calls a jaxpr once: its parameter that holds it}
CALLS = {
    'checkpoint': 'jaxpr',
    'closed_call': 'call_jaxpr',
    'custom_jvp_call': 'call_jaxpr',
    'custom_vjp_call': 'call_jaxpr',
    'jit': 'jaxpr',
    'pjit': 'jaxpr',
    'remat2': 'jaxpr',
}


class Batch(NamedTuple):
    """A dimension that is a multiple of the batch."""

    times: int


Dims = tuple[int | Batch, ...]


class Value(NamedTuple):
    """An array of the graph."""

    name: str
    dims: Dims


class Step(NamedTuple):
    """An equation of a jaxpr without inner jaxprs."""

    primitive: str
    inputs: tuple[int | np.ndarray, ...]  # numbers of arrays, or constants
    outputs: tuple[int, ...]  # numbers of arrays
    shapes: tuple[tuple[int, ...], ...]  # of the outputs
    dtype: np.dtype  # of the first output
    params: Mapping[str, Any]


class Equation(NamedTuple):
    """A step as it is translated."""

    primitive: str
    inputs: tuple[Value, ...]
    dims: tuple[Dims, ...]  # of the outputs
    dtype: np.dtype  # of the first output
    params: Mapping[str, Any]


def model_of(
    predict: Callable[[Any, jax.Array], dict[str, jax.Array]],
    weights: Any,
    image: jax.ShapeDtypeStruct,
    batch: int = 0,
) -> onnx.ModelProto:
    """Translate a prediction to a model of ONNX.

    Args:
        predict: (weights, images [B, ...]) -> {name of an output: array}. It treats rows alike,
            whatever their number.
        weights: a tree of arrays, which the file will hold.
        image: shape and dtype of one image.
        batch: B; 0: any number of rows.

    Returns:
        The model; its input is IMAGE, its outputs have the names that predict gives them.

    Raises:
        UserError: the prediction holds a primitive that is not translated, it depends on the size
            of the batch, or a file cannot hold its weights.
    """
    leaves = jax.tree.leaves(weights)
    size = sum(leaf.nbytes for leaf in leaves)
    if size > LARGEST:
        raise UserError(
            f'export: the weights take {size / 1e9:.1f} GB; allowed: {LARGEST / 1e9:.1f} GB in one '
            'file of ONNX; export one fold by --fold, or a run with the protocol all_rows'
        )
    programs = []
    for rows in [batch] if batch else TRACED:
        images = jax.ShapeDtypeStruct((rows, *image.shape), image.dtype)
        closed, names = jax.make_jaxpr(predict, return_shape=True)(weights, images)
        steps, outputs = steps_of(closed)
        programs.append(needed(steps, outputs))
    graph = Graph()
    arrays = {number: graph.constant(np.asarray(leaf)) for number, leaf in enumerate(leaves)}
    arrays[len(leaves)] = Value(IMAGE, (batch or Batch(1), *image.shape))
    if len(programs[0]) != len(programs[-1]):
        raise _depends_on_batch('the network')
    for step, other in zip(programs[0], programs[-1], strict=True):
        equation = _equation(graph, arrays, step, other)
        results = translated(graph, equation)
        arrays.update(zip(step.outputs, results, strict=True))
    for name, number in zip(sorted(names), outputs, strict=True):
        graph.name_output(arrays[number], name)
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(image.dtype))
    return graph.model(helper.make_tensor_value_info(IMAGE, dtype, _open(arrays[len(leaves)].dims)))


def steps_of(closed: ClosedJaxpr) -> tuple[list[Step], list[int]]:
    """Replace inner jaxprs by their equations, and number all arrays.

    Args:
        closed: the traced function.

    Returns:
        (the steps in order, the numbers of the outputs). The arguments have the numbers from 0 on.
    """
    steps, count = [], len(closed.jaxpr.invars)

    def inlined(jaxpr: Jaxpr, arguments: Sequence, constants: Sequence) -> list:
        nonlocal count
        arrays = dict(zip(jaxpr.invars, arguments, strict=True))
        arrays.update(zip(jaxpr.constvars, constants, strict=True))

        def read(atom: Any) -> int | np.ndarray:
            return _literal(atom) if isinstance(atom, Literal) else arrays[atom]

        for equation in jaxpr.eqns:
            inputs = [read(atom) for atom in equation.invars]
            inner = _inner(equation)
            if inner is not None:
                results = inlined(inner.jaxpr, inputs, [np.asarray(c) for c in inner.consts])
            else:
                results = range(count, count + len(equation.outvars))
                count += len(equation.outvars)
                avals = [variable.aval for variable in equation.outvars]
                shapes = tuple(aval.shape for aval in avals)
                dtype = np.dtype(avals[0].dtype)
                name, params = equation.primitive.name, equation.params
                steps.append(Step(name, tuple(inputs), tuple(results), shapes, dtype, params))
            arrays.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    constants = [np.asarray(constant) for constant in closed.consts]
    return steps, inlined(closed.jaxpr, range(count), constants)


def _literal(atom):
    return np.asarray(atom.val, atom.aval.dtype)


def _inner(equation) -> ClosedJaxpr | None:
    """The jaxpr that an equation calls; None for a primitive of its own."""
    if equation.primitive.name not in CALLS:
        return None
    called = equation.params[CALLS[equation.primitive.name]]
    return called if isinstance(called, ClosedJaxpr) else ClosedJaxpr(called, ())


def needed(steps: Sequence[Step], outputs: Sequence[int]) -> list[Step]:
    """Leave out the steps whose results no output depends on.

    Args:
        steps: in order.
        outputs: numbers of the arrays that are wanted.
    """
    wanted, kept = set(outputs), []
    for step in reversed(steps):
        if wanted & {*step.outputs}:
            kept.append(step)
            wanted.update(number for number in step.inputs if isinstance(number, int))
    return kept[::-1]


def _equation(graph, arrays, step, other):
    """Join the same step of both traces."""
    where = f'primitive {step.primitive!r}'
    alike = (step.primitive, step.outputs) == (other.primitive, other.outputs)
    if not alike or len(step.inputs) != len(other.inputs):
        raise _depends_on_batch(where)
    inputs = []
    for one, two in zip(step.inputs, other.inputs, strict=True):
        if isinstance(one, int):
            inputs.append(arrays[one])
            continue
        if isinstance(two, int) or not np.array_equal(one, two, equal_nan=one.dtype.kind == 'f'):
            raise _depends_on_batch(where)
        inputs.append(graph.constant(one))
    dims = []
    for one, two in zip(step.shapes, other.shapes, strict=True):
        dims.append(tuple(_dimension(*pair, where) for pair in zip(one, two, strict=True)))
    return Equation(step.primitive, tuple(inputs), tuple(dims), step.dtype, step.params)


def _dimension(size, other, where):
    """A dimension, by its size in both traces."""
    if size == other:
        return size
    times = other - size  # the batches differ by one row
    if size != TRACED[0] * times:
        raise _depends_on_batch(where)
    return Batch(times)


def _depends_on_batch(where):
    return UserError(
        f'export: {where} computes otherwise for another number of rows; allowed: a fixed number, '
        'with --batch=ROWS'
    )


def _open(dims) -> list[int | str]:
    """The dimensions as ONNX writes them."""
    named = []
    for size in dims:
        if isinstance(size, Batch):
            size = BATCH if size.times == 1 else f'{size.times}*{BATCH}'
        named.append(size)
    return named


class Graph:
    """The nodes of a graph, while they are added."""

    def __init__(self):
        """Begin an empty graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._names: dict[tuple, str] = {}  # of small constants, which are written once
        self._rows = ''  # name of the number of rows, once it is needed
        self._transposed: dict[str, tuple[Value, list[int]]] = {}  # result: what, in which order
        self._merged: dict[str, tuple[Value, int, int]] = {}  # result: what, first axis, how many

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        return self.add_several(operator, inputs, 1, **attributes)[0]

    def add_several(
        self, operator: str, inputs: Sequence[str], count: int, **attributes: Any
    ) -> list[str]:
        """Add a node, and return the names of its outputs."""
        stem = f'{operator.lower()}_{len(self.nodes)}'
        names = [stem if count == 1 else f'{stem}_{i}' for i in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=stem, **attributes))
        return names

    def constant(self, array: Array) -> Value:
        """Add a constant."""
        array = np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size < 100 else None
        name = self._names.get(key) or f'constant_{len(self._constants)}'
        if key:
            self._names[key] = name
        self._constants[name] = array
        return Value(name, array.shape)

    def integers(self, numbers: Sequence[int]) -> str:
        """Add a list of whole numbers, and return its name."""
        return self.constant(np.asarray(numbers, np.int64)).name

    def shape(self, dims: Dims) -> str:
        """Return the name of a shape, which is computed where the batch is open."""
        if not any(isinstance(size, Batch) for size in dims):
            return self.integers(dims)
        self._rows = self._rows or self.add('Shape', [IMAGE], start=0, end=1)
        sizes = []
        for size in dims:
            if isinstance(size, Batch):
                sizes.append(self.add('Mul', [self._rows, self.integers([size.times])]))
            else:
                sizes.append(self.integers([size]))
        return self.add('Concat', sizes, axis=0)

    def reshape(self, value: Value, dims: Dims) -> Value:
        """Give an array other dimensions, of which one at most depends on the batch."""
        if dims == value.dims:
            return value
        axis, old, new = _regrouped(value.dims, dims)
        if value.name in self._transposed and old == 1:
            # An axis is split: before the transpose, so that a next one joins with it.
            base, order = self._transposed[value.name]
            split = order[axis]
            sizes = (*base.dims[:split], *dims[axis : axis + new], *base.dims[split + 1 :])
            return self.transpose(self.reshape(base, sizes), _widened(order, split, new))
        sizes = [-1 if isinstance(size, Batch) else size for size in dims]
        if sizes.count(-1) > 1:
            raise _depends_on_batch('a reshape')
        result = Value(self.add('Reshape', [value.name, self.integers(sizes)]), dims)
        if new == 1:
            self._merged[result.name] = value, axis, old
        return result

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """Put the dimensions of an array in another order."""
        order = list(map(int, order))
        if order == sorted(order):
            return value
        dims = tuple(value.dims[axis] for axis in order)
        if value.name in self._merged:
            # Axes were merged: after this transpose, so that it joins with one before.
            base, axis, count = self._merged[value.name]
            return self.reshape(self.transpose(base, _widened(order, axis, count)), dims)
        if value.name in self._transposed:
            base, first = self._transposed[value.name]
            return self.transpose(base, [first[axis] for axis in order])
        result = Value(self.add('Transpose', [value.name], perm=order), dims)
        self._transposed[result.name] = value, order
        return result

    def name_output(self, value: Value, name: str) -> None:
        """Make an array of float32 an output of the graph."""
        self.nodes.append(helper.make_node('Identity', [value.name], [name], name=f'output_{name}'))
        dims = _open(value.dims)
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))

    def is_zero(self, value: Value) -> bool:
        """Return whether an array is the constant 0."""
        array = self._constants.get(value.name)
        return array is not None and array.size == 1 and not array.any()

    def model(self, image: onnx.ValueInfoProto) -> onnx.ModelProto:
        """Return the model, in which nodes of constants are computed.

        Args:
            image: its input.
        """
        self.nodes = _used(self.nodes, [output.name for output in self.outputs])
        nodes, constants = self._folded()
        used = {name for node in nodes for name in node.input}
        initializers = []
        for name, array in constants.items():
            if name in used:
                initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        graph = helper.make_graph(nodes, 'mer_jax', [image], self.outputs, initializers)
        return _of_graph(graph)

    def _folded(self):
        """Nodes that depend on the image, and all constants they take."""
        constants = dict(self._constants)
        folded, kept = [], []
        for node in self.nodes:
            constant = all(name in constants for name in node.input)
            (folded if constant else kept).append(node)
            if constant:
                constants.update(dict.fromkeys(node.output))
        if not folded:
            return kept, constants
        used = {name for node in kept for name in node.input}
        wanted = [name for node in folded for name in node.output if name in used]
        inputs = {name for node in folded for name in node.input} & {*self._constants}
        declared = []
        for name in sorted(inputs):
            array = self._constants[name]
            dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
            declared.append(helper.make_tensor_value_info(name, dtype, array.shape))
        outputs = [onnx.ValueInfoProto(name=name) for name in wanted]
        graph = helper.make_graph(folded, 'constants', declared, outputs)
        feeds = {name: self._constants[name] for name in inputs}
        values = ReferenceEvaluator(_of_graph(graph)).run(wanted, feeds)
        constants.update(zip(wanted, values, strict=True))
        return kept, constants


def _used(nodes, outputs):
    """The nodes that outputs depend on: of two transposes that were joined, not the first."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & {*node.output}:
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _regrouped(old, new):
    """Where dimensions differ: first axis, how many of the old ones, how many new ones for them."""
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return first, len(old) - first - last, len(new) - first - last


def _widened(order, axis, count):
    """An order of dimensions, of which one is replaced by several."""
    widened = []
    for old in order:
        moved = old if old <= axis else old + count - 1
        widened += range(axis, axis + count) if old == axis else [moved]
    return widened


def _of_graph(graph):
    opsets = [helper.make_opsetid('', OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def translated(graph: Graph, equation: Equation) -> list[Value]:
    """Add the nodes of an equation to the graph.

    Args:
        graph: to which nodes are added.
        equation: to translate.

    Returns:
        Its outputs.

    Raises:
        UserError: its primitive, or what it is given, is not translated.
    """
    name, names = equation.primitive, [value.name for value in equation.inputs]
    dims = equation.dims[0]
    if equation.dtype.name == 'bfloat16':
        raise UserError(
            'export: the network computes in bfloat16, which runtimes of ONNX cannot on a CPU; '
            'allowed: float32'
        )
    if name == 'max' and graph.is_zero(equation.inputs[1]) and equation.inputs[0].dims == dims:
        return [Value(graph.add('Relu', names[:1]), dims)]  # which runtimes join to a convolution
    if name in ELEMENTWISE:
        return [Value(graph.add(ELEMENTWISE[name], names), dims)]
    if name in REDUCTIONS:
        axes = graph.integers(equation.params['axes'])
        return [Value(graph.add(REDUCTIONS[name], [*names, axes], keepdims=0), dims)]
    if name in UNCHANGED:
        return list(equation.inputs)
    if name not in TRANSLATIONS:
        raise UserError(
            f'export: the network computes {name!r}, which is not translated to ONNX; translated: '
            f'{", ".join(sorted({*ELEMENTWISE, *REDUCTIONS, *UNCHANGED, *TRANSLATIONS}))}'
        )
    return TRANSLATIONS[name](graph, equation)


def _same_or_refused(equation, key, plain):
    """Refuse an option of a primitive that no network here uses."""
    value = equation.params[key]
    if tuple(np.ravel(value)) != tuple(np.ravel(plain)):
        raise UserError(
            f'export: {equation.primitive!r} with {key} {value} is not translated to ONNX; '
            f'translated: {plain}'
        )


def _broadcast(graph, equation):
    (value, *_), dims = equation.inputs, equation.dims[0]
    aligned = [1] * len(dims)
    for axis, size in zip(equation.params['broadcast_dimensions'], value.dims, strict=True):
        aligned[axis] = size
    value = graph.reshape(value, tuple(aligned))
    if value.dims == dims:
        return [value]
    # where the size is right already, 1 leaves it
    sizes = [1 if old == new else new for old, new in zip(aligned, dims, strict=True)]
    return [Value(graph.add('Expand', [value.name, graph.shape(tuple(sizes))]), dims)]


def _concatenate(graph, equation):
    names = [value.name for value in equation.inputs]
    axis = int(equation.params['dimension'])
    return [Value(graph.add('Concat', names, axis=axis), equation.dims[0])]


def _stack(graph, equation):
    axis, dims = int(equation.params['axis']), equation.dims[0]
    single = (*dims[:axis], 1, *dims[axis + 1 :])
    names = [graph.reshape(value, single).name for value in equation.inputs]
    return [Value(graph.add('Concat', names, axis=axis), dims)]


def _convert(graph, equation):
    dtype = helper.np_dtype_to_tensor_dtype(equation.dtype)
    name = graph.add('Cast', [equation.inputs[0].name], to=dtype)
    return [Value(name, equation.dims[0])]


def _convolution(graph, equation):
    image, kernel = equation.inputs
    params = equation.params
    axes = len(params['window_strides'])
    _same_or_refused(equation, 'lhs_dilation', (1,) * axes)
    _same_or_refused(equation, 'batch_group_count', 1)
    numbers = params['dimension_numbers']
    image = graph.transpose(image, numbers.lhs_spec)
    kernel = graph.transpose(kernel, numbers.rhs_spec)
    before, after = zip(*params['padding'], strict=True)
    name = graph.add(
        'Conv',
        [image.name, kernel.name],
        strides=list(map(int, params['window_strides'])),
        pads=[*map(int, before), *map(int, after)],
        dilations=list(map(int, params['rhs_dilation'])),
        group=int(params['feature_group_count']),
    )
    dims = tuple(equation.dims[0][axis] for axis in numbers.out_spec)
    return [graph.transpose(Value(name, dims), np.argsort(numbers.out_spec))]


def _product(dims):
    """The number of values of some dimensions."""
    times = math.prod(size.times if isinstance(size, Batch) else size for size in dims)
    return Batch(times) if any(isinstance(size, Batch) for size in dims) else times


def _dot(graph, equation):
    """Write a product over any axes as one of matrices [..., L, D] @ [..., D, R]."""
    left, right = equation.inputs
    contracted, batched = equation.params['dimension_numbers']
    free = []
    for value, summed, shared in zip((left, right), contracted, batched, strict=True):
        used = {*summed, *shared}
        free.append([axis for axis in range(len(value.dims)) if axis not in used])
    shared = tuple(left.dims[axis] for axis in batched[0])
    depth = _product([left.dims[axis] for axis in contracted[0]])
    left_size = _product([left.dims[axis] for axis in free[0]])
    right_size = _product([right.dims[axis] for axis in free[1]])
    left = graph.transpose(left, [*batched[0], *free[0], *contracted[0]])
    right = graph.transpose(right, [*batched[1], *contracted[1], *free[1]])
    left = graph.reshape(left, (*shared, left_size, depth))
    right = graph.reshape(right, (*shared, depth, right_size))
    name = graph.add('MatMul', [left.name, right.name])
    return [graph.reshape(Value(name, (*shared, left_size, right_size)), equation.dims[0])]


def _erfc(graph, equation):
    error = graph.add('Erf', [equation.inputs[0].name])
    one = graph.constant(np.ones((), equation.dtype)).name
    return [Value(graph.add('Sub', [one, error]), equation.dims[0])]


def _integer_power(graph, equation):
    power = graph.constant(np.asarray(equation.params['y'], equation.dtype)).name
    return [Value(graph.add('Pow', [equation.inputs[0].name, power]), equation.dims[0])]


def _pad(graph, equation):
    value, filler = equation.inputs
    before, after, between = zip(*equation.params['padding_config'], strict=True)
    if any(between):
        raise UserError('export: padding between pixels is not translated to ONNX')
    if not any(before) and not any(after):
        return [value]
    amounts = graph.integers([*before, *after])
    return [Value(graph.add('Pad', [value.name, amounts, filler.name]), equation.dims[0])]


def _reshape(graph, equation):
    value, order = equation.inputs[0], equation.params.get('dimensions')
    if order is not None:
        value = graph.transpose(value, order)
    return [graph.reshape(value, equation.dims[0])]


def _root_of_inverse(graph, equation):
    root = graph.add('Sqrt', [equation.inputs[0].name])
    return [Value(graph.add('Reciprocal', [root]), equation.dims[0])]


def _select(graph, equation):
    chosen, *cases = equation.inputs
    if len(cases) != 2:
        raise UserError('export: a choice among more than two arrays is not translated to ONNX')
    names = [chosen.name, cases[1].name, cases[0].name]
    return [Value(graph.add('Where', names), equation.dims[0])]


def _slice(graph, equation):
    value, params = equation.inputs[0], equation.params
    strides = params['strides'] or (1,) * len(value.dims)
    cuts = []
    for axis, size in enumerate(value.dims):
        new = equation.dims[0][axis]
        if new == size and strides[axis] == 1:
            continue
        if isinstance(size, Batch):
            raise _depends_on_batch('a slice of the rows')
        cuts.append((params['start_indices'][axis], params['limit_indices'][axis], axis))
    if not cuts:
        return [value]
    starts, ends, axes = zip(*cuts, strict=True)
    steps = [strides[axis] for axis in axes]
    arguments = [graph.integers(numbers) for numbers in (starts, ends, axes, steps)]
    return [Value(graph.add('Slice', [value.name, *arguments]), equation.dims[0])]


def _split(graph, equation):
    axis = int(equation.params['axis'])
    value, count = equation.inputs[0], len(equation.dims)
    sizes = [dims[axis] for dims in equation.dims]
    if isinstance(value.dims[axis], Batch):
        if len({*sizes}) > 1:
            raise _depends_on_batch('a split of the rows')
        names = graph.add_several('Split', [value.name], count, axis=axis, num_outputs=count)
    else:
        inputs = [value.name, graph.integers(sizes)]
        names = graph.add_several('Split', inputs, count, axis=axis)
    return [Value(name, dims) for name, dims in zip(names, equation.dims, strict=True)]


def _square(graph, equation):
    name = equation.inputs[0].name
    return [Value(graph.add('Mul', [name, name]), equation.dims[0])]


def _squeeze(graph, equation):
    return [graph.reshape(equation.inputs[0], equation.dims[0])]


def _transpose(graph, equation):
    return [graph.transpose(equation.inputs[0], equation.params['permutation'])]


# (graph, equation) -> outputs
TRANSLATIONS = {
    'broadcast_in_dim': _broadcast,
    'concatenate': _concatenate,
    'conv_general_dilated': _convolution,
    'convert_element_type': _convert,
    'dot_general': _dot,
    'erfc': _erfc,
    'integer_pow': _integer_power,
    'pad': _pad,
    'reshape': _reshape,
    'rsqrt': _root_of_inverse,
    'select_n': _select,
    'slice': _slice,
    'split': _split,
    'square': _square,
    'squeeze': _squeeze,
    'stack': _stack,
    'transpose': _transpose,
}
