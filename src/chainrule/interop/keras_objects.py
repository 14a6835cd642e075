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
    computed,
    cut,
    cuts_of,
    exported,
    in_order,
    layers_of,
    made_by,
    require_agreement,
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

EXAMPLES = 16
"""How many made-up examples both are compared on: of few, the variance of a batch may be so small that rounding shows."""
JOINED: dict[str, Callable[[Node, Node], Node]] = {
    "Add": ops.add, "Multiply": ops.multiply, "Subtract": ops.subtract, "Divide": ops.divide, "TrueDivide": ops.divide,
    "Maximum": ops.maximum, "Minimum": ops.minimum,
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
    "Permute": lambda layer, shape: in_order((0, *layer.dims), shape),
    "Cropping1D": lambda layer, shape: cut(_inside([layer.cropping], shape), shape),
    "Cropping2D": lambda layer, shape: cut(_inside(layer.cropping, shape), shape),
}
"""Operations and layers that put numbers elsewhere."""
ADAPTED = {"Normalization": ("mean", "variance")}
"""What layers learn from data by adapt(), beside their configuration."""
INSIDE = {"Sequential", "Functional", "Model"}


def read(model: Any, example: Any = None) -> Imported:
    """See `objects.from_keras`."""
    reading = _Reading(model)
    network, values = reading.read()
    given = [example] if example is not None and not isinstance(example, tuple) else example
    arrays = reading.made_up() if given is None else [np.asarray(each) for each in given]
    x = arrays[0] if len(arrays) == 1 else np.concatenate([each.reshape(len(each), -1) for each in arrays], axis=1)
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
    several = list(found.values()) if isinstance(found, dict) else list(found) if isinstance(found, tuple | list) else [found]
    arrays = [np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in several]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


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
        masks = [layer.name for layer in model._flatten_layers() if type(layer).__name__ == "Masking"]  # pyright: ignore[reportPrivateUsage]
        if masks:
            raise self._unlike(masks[0], "masks; here a layer passes over steps that are padding: LSTM(units, padding=0.0)")
        if len(model.outputs) > 1 and any(len(each.shape) != 2 for each in model.outputs):
            raise self._unlike(model.name, "several outputs, of which one is no row of numbers")
        self.shape = self.shapes[0] if len(self.shapes) == 1 else (sum(map(prod, self.shapes)),)
        self.wiring = Wiring()
        self.known: dict[int, Any] = {}
        self.ids: list[int] = []

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
        return [random.normal(size=(EXAMPLES, *shape)).astype(np.float32) for shape in self.shapes]

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
                sources = [found[id(tensor)] for tensor in node.input_tensors]
                try:
                    made = self._operation(node, sources)
                except UnlikeError as error:
                    raise self._unlike(f"{operation.name} ({type(operation).__name__})", str(error)) from error
                found |= {id(tensor): number for tensor, number in zip(node.output_tensors, made, strict=True)}
        return [found[id(tensor)] for tensor in inner.outputs]

    def _operation(self, node: Any, sources: list[int]) -> list[int]:
        operation, shapes = node.operation, [tuple(each.shape[1:]) for each in node.input_tensors]
        kind = type(operation).__name__
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
        return [self._layer(operation, kind, sources[0], shapes[0])]

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

    def _layer(self, operation: Any, kind: str, number: int, shape: Shape) -> int:
        if kind in MOVED and kind not in READERS:
            return self.wiring.put(MOVED[kind](operation, shape), number)
        if kind not in READERS or not type(operation).__module__.startswith("keras."):
            raise UnlikeError(f"no layer does what {kind} does")
        if operation.dtype_policy.name not in {"float32", "float64"} or operation.get_config().get("lora_rank"):
            raise UnlikeError(f"the dtype policy {operation.dtype_policy.name}, or lora_rank")
        frozen = _is_frozen(operation)
        if id(operation) in self.known:
            return self.wiring.put_all(self.known[id(operation)], number, frozen=frozen)
        adapted = {name: keras.ops.convert_to_numpy(getattr(operation, name)) for name in ADAPTED.get(kind, ())}
        read = READERS[kind](operation.get_config() | adapted, shape)
        before = len(self.wiring.steps)
        if kind == "Embedding":
            self.ids.append(operation.input_dim)
        for place, layer in enumerate(read.layers):
            number = self.wiring.put(layer, number, frozen=frozen and place == read.holds)
            if place == read.holds:
                self.wiring.held.append(Held(number, _Weights(operation)))
        self.known[id(operation)] = tuple(layer for layer, _ in self.wiring.steps[before:])
        return number


def _inside(cropped: Sequence[tuple[int, int]], shape: Shape) -> list[tuple[int, int]]:
    """From where to where axes go of which so much is left out at each side."""
    return [(before, extent - behind) for (before, behind), extent in zip((*cropped, (0, 0)), shape, strict=True)]


def _axes(given: Any) -> Shape:
    if given is None:
        raise UnlikeError("all axes, that of the batch among them")
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _is_frozen(operation: Any) -> bool:
    return bool(operation.weights) and not operation.trainable


class _Weights(Mapping[str, Array]):
    """A layer's arrays by the labels of our table, whose last word is Keras' own name; in a layer for both directions in this order."""

    def __init__(self, layer: Any) -> None:
        self.arrays: dict[str, list[Array]] = {}
        for variable in layer.weights:
            self.arrays.setdefault(variable.name, []).append(np.asarray(keras.ops.convert_to_numpy(variable.value)))

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
