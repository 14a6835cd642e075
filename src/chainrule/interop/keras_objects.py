"""Keras' models and our networks, there and back, with their weights; what would compute something else is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, MissingPackageError, OptionError
from chainrule.graph import Array, Node, Shape
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import (
    Held,
    Imported,
    Wiring,
    answers_of,
    computed,
    cut,
    cuts_of,
    exported,
    in_order,
    layers_of,
    made_by,
    moved,
    require_agreement,
    side_by_side,
    turned,
)
from chainrule.nn import Activation, Formula, Layer, Reshape, build_network, to_code, to_peer
from chainrule.nn.activations import ActivationName
from chainrule.nn.peers.keras_layers import LAYERS
from chainrule.nn.peers.keras_reading import READERS
from chainrule.nn.peers.parts import LackingError
from chainrule.nn.peers.pytorch_reading import UnlikeError

try:
    import keras
except ImportError as error:
    raise MissingPackageError(
        f"Keras is not here, or has no backend: {error}",
        expected="the package keras with jax, torch or tensorflow",
        remedy="pip install 'chainrule[keras]'",
    ) from error

from chainrule.interop.keras_several import SEVERAL, Mask, is_frozen

EXAMPLES = 16
"""How many made-up examples both are compared on: of few, the variance of a batch may be so small that rounding shows."""
JOINED: dict[str, Callable[[Node, Node], Node]] = {
    "Add": ops.add, "Multiply": ops.multiply, "Subtract": ops.subtract, "Divide": ops.divide, "TrueDivide": ops.divide,
    "Maximum": ops.maximum, "Minimum": ops.minimum, "Matmul": ops.matmul,
}  # fmt: skip
ENTRY_BY_ENTRY: dict[str, Callable[[Node], Node]] = {
    "Negative": ops.negative, "Absolute": ops.absolute, "Abs": ops.absolute, "Square": lambda x: x * x,
    "Log": ops.log, "Sin": ops.sin, "Cos": ops.cos, "Sqrt": ops.sqrt, "Expm1": ops.expm1,
    "Log1p": ops.log1p, "Arctan": ops.arctan, "Sign": ops.sign, "Floor": ops.floor, "Erf": ops.erf,
}  # fmt: skip
SIGNS = {
    "Add": "{} + {}", "Subtract": "{} - {}", "Multiply": "{} * {}", "Divide": "{} / {}", "TrueDivide": "{} / {}", "Power": "{} ^ {}",
    "Maximum": "max({}, {})", "Minimum": "min({}, {})",
}  # fmt: skip
ACTIVATED: dict[str, ActivationName] = {
    "Tanh": "tanh", "Sigmoid": "sigmoid", "Relu": "relu", "Softplus": "softplus", "Silu": "silu", "Gelu": "gelu",
    "Exp": "exp",
}  # fmt: skip
MOVED: dict[str, Callable[[Any, Shape], Layer]] = {
    "Flip": lambda operation, shape: turned(_axes(operation.axis), shape),
    "Transpose": lambda operation, shape: in_order(_axes(operation.axes), shape),
    "Reshape": lambda operation, shape: Reshape(tuple(operation.newshape[1:])),
    "Tile": lambda operation, shape: _tiled(tuple(operation.repeats), shape),
    "Permute": lambda layer, shape: in_order((0, *layer.dims), shape),
    "Cropping1D": lambda layer, shape: cut(_inside([layer.cropping], shape), shape),
    "Cropping2D": lambda layer, shape: cut(_inside(layer.cropping, shape), shape),
}
"""Operations and layers that put numbers elsewhere."""
ADAPTED = {"Normalization": ("mean", "variance")}
"""What layers learn from data by adapt(), beside their configuration."""
LOOPS = {"SimpleRNN", "LSTM", "GRU", "Bidirectional"}
"""Layers that pass over steps that a mask leaves out."""
PASSING = {*LOOPS, "Dense", "Dropout", "Activation", "LayerNormalization", "Masking"}
"""Those that may be called with a mask: they pass over steps, or do not look at it."""
INSIDE = {"Sequential", "Functional", "Model"}


def read(model: Any, example: Any = None) -> Imported:
    """See `objects.from_keras`."""
    reading = _Reading(model)
    network, values = reading.read()
    given = [example] if example is not None and not isinstance(example, tuple) else example
    arrays = reading.made_up() if given is None else [np.asarray(each) for each in given]
    x = side_by_side(arrays)
    before = model.get_weights()
    for training in (False, True):
        if training and reading.wiring.is_random:
            continue
        theirs = _answers(model(arrays[0] if len(arrays) == 1 else _as_called(model, arrays), training=training))
        # Running statistics moved.
        model.set_weights(before)
        ours, most = computed(network, values, x, dtype="float32", training=training)
        require_agreement(f"the model {'in training' if training else 'at inference'}", theirs, ours.astype(np.float64), most)
    return Imported(network, values)


def _as_called(model: Any, arrays: Sequence[Array]) -> Any:
    """Several inputs as the model takes them: by their names where it was made so."""
    names = getattr(model, "_inputs_struct", None)
    return dict(zip(names, arrays, strict=True)) if isinstance(names, dict) else list(arrays)


def _answers(found: Any) -> Array:
    """What a model gives; several answers side by side."""
    return side_by_side([np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in answers_of(found)])


class _Reading:
    """One pass over a model's nodes, those of models inside it included."""

    def __init__(self, model: Any) -> None:
        self.model = model
        if not getattr(model, "built", False) or not getattr(model, "inputs", None):
            raise OptionError("a model that is not built", expected="a known input", remedy="begin it with keras.Input((784,))")
        given: list[tuple[Any, ...]] = [tuple(each.shape[1:]) for each in model.inputs]
        if any(None in shape for shape in given):
            raise self._unlike(model.name, f"inputs of the shapes {given}, of which an extent is open")
        self.shapes: list[Shape] = given
        if len(model.outputs) > 1 and any(len(each.shape) != 2 for each in model.outputs):
            raise self._unlike(model.name, "several outputs, of which one is no row of numbers")
        self.shape = self.shapes[0] if len(self.shapes) == 1 else (sum(map(prod, self.shapes)),)
        self.wiring = Wiring()
        self.known: dict[int, Any] = {}
        self.ids: list[int] = []
        self.masks: dict[int, Mask] = {}
        self.zeroed: dict[int, Mask] = {}

    def read(self) -> tuple[Any, dict[str, Array]]:
        """The network and its values."""
        outputs = self._model(self.model, self.wiring.parts(self.shapes))
        network = self.wiring.network(self.shape, self.wiring.beside(outputs))
        try:
            built = build_network(network, self.shape, batch=EXAMPLES)
            return network, self.wiring.values(built, lambda step: LAYERS[type(step.layer)](step))
        except (LackingError, KeyError, ChainruleError) as error:
            raise self._unlike(self.model.name, str(error)) from error

    def made_up(self) -> list[Array]:
        """For each input numbers of both signs, or ids where the model reads such."""
        random = np.random.default_rng(0)
        if self.ids:
            return [random.integers(0, min(self.ids), (EXAMPLES, *shape)).astype(np.float32) for shape in self.shapes]
        found = [random.normal(size=(EXAMPLES, *shape)).astype(np.float32) for shape in self.shapes]
        for place, mask in enumerate(self.masks.values()):
            # Steps that are none, before, between and behind others.
            for x in (x for x in found if x.ndim == 3):
                x[place % EXAMPLES :: 3, :: 2 + place] = mask.number
                x[1 + place % EXAMPLES :: 4, -1:] = mask.number
        return found

    def _unlike(self, name: str, why: str) -> OptionError:
        return OptionError(
            f"the layer {name} of the model {self.model.name} is nothing that chainrule has: {why}",
            expected=f"layers such as {', '.join([*READERS][2:10])}, ... joined by Add, Multiply, Concatenate",
            remedy="replace it in the model, or carry the model by ONNX: model.export(format='onnx'), then cr.from_onnx",
        )

    def _model(self, model: Any, numbers: Sequence[int]) -> list[int]:
        """The nodes of a model in their order; the numbers of its outputs."""
        inner = getattr(model, "_functional", None) or model
        found = {id(tensor): number for tensor, number in zip(inner.inputs, numbers, strict=True)}
        depths = inner._nodes_by_depth  # pyright: ignore[reportPrivateUsage]  (there is no other way to the nodes)
        for depth in sorted(depths, reverse=True):
            for node in depths[depth]:
                operation = node.operation
                if type(operation).__name__ == "InputLayer":
                    continue
                sources = [found[id(tensor)] for tensor in node.input_tensors if id(tensor) not in self.masks]
                try:
                    if self._is_mask(node, found):
                        continue
                    made = self._operation(node, sources)
                except UnlikeError as error:
                    raise self._unlike(f"{operation.name} ({type(operation).__name__})", str(error)) from error
                found |= {id(tensor): number for tensor, number in zip(node.output_tensors, made, strict=True)}
        return [found[id(tensor)] for tensor in inner.outputs]

    def _is_mask(self, node: Any, found: Mapping[int, int]) -> bool:
        """Whether a node only says which steps are there; then it is noted."""
        kind, given = type(node.operation).__name__, node.arguments.args
        (made, *_), (source, *_) = node.output_tensors, node.input_tensors
        if kind == "Any" and id(source) in self.masks:
            self.masks[id(made)] = self.masks[id(source)]
        elif kind == "NotEqual" and len(node.input_tensors) == 1 and isinstance(given[1], int | float):
            self.masks[id(made)] = Mask(found[id(source)], float(given[1]))
        else:
            return False
        return True

    def _operation(self, node: Any, sources: list[int]) -> list[int]:
        operation = node.operation
        shapes = [tuple(each.shape[1:]) for each in node.input_tensors if id(each) not in self.masks]
        kind, mask = type(operation).__name__, self._mask(node)
        if kind in SEVERAL:
            if id(operation) in self.known:
                raise UnlikeError("it is used twice")
            self.known[id(operation)] = ()
            return [SEVERAL[kind](self.wiring, operation, node.arguments.kwargs, sources, shapes)]
        if kind in INSIDE:
            return self._model(operation, sources)
        if kind == "Concatenate":
            if operation.axis not in {-1, len(shapes[0])}:
                raise UnlikeError(f"axis {operation.axis}")
            return [self.wiring.beside(sources)]
        if not isinstance(operation, keras.layers.Layer):
            return [self._function(operation, node.arguments.args, sources, shapes[0])]
        if kind == "Average":
            return [self.wiring.put(Formula(f"x/{len(sources)}"), reduce(partial(self.wiring.put, ops.add), sources))]
        if kind in JOINED:
            return [reduce(partial(self.wiring.put, JOINED[kind]), sources)]
        if kind == "RepeatVector":
            rows = self.wiring.put(Reshape((1, *shapes[0])), sources[0])
            return [self.wiring.put(_tiled((1, operation.n, 1), (1, *shapes[0])), rows)]
        if kind == "Masking":
            return [self._masked_out(operation, sources[0])]
        return [self._layer(operation, kind, sources[0], shapes[0], mask)]

    def _mask(self, node: Any) -> Mask | None:
        """The mask that a layer is called with. Raises: UnlikeError where it would do something else with it than pass over steps."""
        kind = type(node.operation).__name__
        found = next((self.masks[id(each)] for each in node.input_tensors if id(each) in self.masks), None)
        if found is not None and kind not in PASSING and not (kind == "TimeDistributed" and _is_dense(node.operation)):
            raise UnlikeError("a mask that it takes; here recurrent layers pass over steps, and nothing else")
        return found

    def _masked_out(self, operation: Any, number: int) -> int:
        mask = Mask(number, float(operation.mask_value))
        if mask.number == 0 or _is_read_by_loops_alone(operation):
            return number
        return mask.kept(self.wiring, number)

    def _function(self, operation: Any, given: Sequence[Any], sources: list[int], shape: Shape) -> int:
        """What keras.ops and operators do with values and numbers."""
        kind = type(operation).__name__
        if kind in ENTRY_BY_ENTRY:
            return self.wiring.put(ENTRY_BY_ENTRY[kind], *sources)
        if kind in ACTIVATED:
            return self.wiring.put(Activation(ACTIVATED[kind]), *sources)
        if kind in MOVED:
            return self.wiring.put(MOVED[kind](operation, shape), *sources)
        if kind == "GetItem":
            return self.wiring.put(cut(cuts_of(given[1], shape), shape), *sources)
        numbers = [each for each in given if isinstance(each, int | float)]
        if kind in SIGNS and len(numbers) == 1 and len(sources) == 1:
            operands = (repr(float(each)) if isinstance(each, int | float) else "x" for each in given)
            return self.wiring.put(Formula(SIGNS[kind].format(*operands)), *sources)
        if kind not in JOINED or len(sources) != 2:
            raise UnlikeError("no layer does what this function does with these")
        return self.wiring.put(JOINED[kind], *sources)

    def _padding(self, operation: Any, kind: str, number: int, mask: Mask | None) -> tuple[int, Any]:
        """What a layer with a mask is given, and the number or the id at the steps that are none; None for any other layer."""
        if kind == "Embedding":
            return number, 0 if operation.mask_zero and _is_read_by_loops_alone(operation) else None
        if mask is None or kind not in LOOPS:
            return number, None
        if mask.source == number:
            return number, mask.number
        zeroed = self.zeroed.get(number)
        is_zero = zeroed is not None and (zeroed.source, zeroed.number) == (mask.source, mask.number)
        return number if is_zero else mask.kept(self.wiring, number), 0.0

    def _layer(self, operation: Any, kind: str, number: int, shape: Shape, mask: Mask | None = None) -> int:
        if kind in MOVED and kind not in READERS:
            return self.wiring.put(MOVED[kind](operation, shape), number)
        if kind not in READERS or not type(operation).__module__.startswith("keras."):
            raise UnlikeError(f"no layer does what {kind} does")
        if operation.dtype_policy.name not in {"float32", "float64"} or operation.get_config().get("lora_rank"):
            raise UnlikeError(f"the dtype policy {operation.dtype_policy.name}, or lora_rank")
        frozen = is_frozen(operation)
        given, padding = self._padding(operation, kind, number, mask)
        if id(operation) in self.known:
            if padding is not None:
                raise UnlikeError("a layer with a mask that is used twice")
            return self.wiring.put_all(self.known[id(operation)], number, frozen=frozen)
        adapted = {name: keras.ops.convert_to_numpy(getattr(operation, name)) for name in ADAPTED.get(kind, ())}
        more = {} if padding is None else {"padding": padding}
        read = READERS[kind](operation.get_config() | adapted | more, shape)
        before, source, number = len(self.wiring.steps), number, given
        if kind == "Embedding":
            self.ids.append(operation.input_dim)
        for place, layer in enumerate(read.layers):
            number = self.wiring.put(layer, number, frozen=frozen and place == read.holds)
            if place == read.holds:
                self.wiring.held.append(Held(number, _Weights(operation, zero=padding if kind == "Embedding" else None)))
        if kind == "Embedding" and padding is not None:
            self.zeroed[number] = Mask(source, 0.0)
        self.known[id(operation)] = tuple(layer for layer, _ in self.wiring.steps[before:])
        return number


def _inside(cropped: Sequence[tuple[int, int]], shape: Shape) -> list[tuple[int, int]]:
    """From where to where axes go of which so much is left out at each side."""
    return [(before, extent - behind) for (before, behind), extent in zip((*cropped, (0, 0)), shape, strict=True)]


def _tiled(times: Shape, shape: Shape) -> Layer:
    """Axes of one number repeated."""
    if (
        times[0] != 1
        or len(times) != len(shape) + 1
        or any(n != 1 and extent != 1 for n, extent in zip(times[1:], shape, strict=True))
    ):
        raise UnlikeError(f"the shape {shape} repeated {times} times")
    made = tuple(n * extent for n, extent in zip(times[1:], shape, strict=True))
    return moved(f"broadcast_to(x, shape=({{B}}, {', '.join(map(str, made))}))", shape, made)


def _is_dense(layer: Any) -> bool:
    return type(layer.layer).__name__ == "Dense"


def _is_read_by_loops_alone(operation: Any) -> bool:
    """Whether nothing but recurrent layers, which pass over steps, takes what a layer makes."""
    nodes = operation._outbound_nodes  # pyright: ignore[reportPrivateUsage]
    return bool(nodes) and all(type(node.operation).__name__ in LOOPS for node in nodes)


def _axes(given: Any) -> Shape:
    if given is None:
        raise UnlikeError("all axes, that of the batch among them")
    return tuple(given) if isinstance(given, tuple | list) else (given,)


class _Weights(Mapping[str, Array]):
    """A layer's arrays by the labels of our table, whose last word is Keras' own name; in a layer for both directions in this order."""

    def __init__(self, layer: Any, zero: int | None = None) -> None:
        self.arrays: dict[str, list[Array]] = {}
        for variable in layer.weights:
            array = np.asarray(keras.ops.convert_to_numpy(variable.value))
            if zero is not None:
                array = array.copy()
                array[zero] = 0.0  # whatever stands there, nothing reads it
            self.arrays.setdefault(variable.name, []).append(array)

    def __getitem__(self, label: str) -> Array:
        found = self.arrays[label.rpartition("/")[2]]
        return found[-1 if label.startswith("backward") else 0]

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and label.rpartition("/")[2] in self.arrays

    def __iter__(self) -> Any:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def made(given: Portable) -> Any:
    """See `objects.to_keras`."""
    layers = layers_of(given)
    model = made_by(to_code(layers, "keras"))
    variables = {variable.path.removeprefix(f"{model.name}/"): variable for variable in model.weights}
    for name, array in to_peer(layers, given.values, "keras").items():
        variables[name].assign(array)
    (x,) = given.inputs.values()
    ours, most = exported(layers, given.values, x, dtype="float32")
    require_agreement("the model", _answers(model(np.asarray(x, np.float64))), ours, most)
    return model
