"""Keras' models and our networks, there and back, with their weights; what would compute something else is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, MissingPackageError, OptionError
from chainrule.graph import Array, Node, Shape
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import Held, Imported, Wiring, computed, exported, layers_of, require_agreement, values_of
from chainrule.nn import Dropout, GaussianNoise, build_network, to_code, to_peer
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
JOINED: dict[str, Callable[[Node, Node], Node]] = {"Add": ops.add, "Multiply": ops.multiply, "Subtract": ops.subtract}
INSIDE = {"Sequential", "Functional", "Model"}


def read(model: Any, example: Any = None) -> Imported:
    """See `objects.from_keras`."""
    reading = _Reading(model)
    network, values = reading.read()
    x = np.asarray(example) if example is not None else reading.made_up()
    before = model.get_weights()
    for training in (False, True):
        if training and reading.is_random:
            continue
        theirs = np.asarray(keras.ops.convert_to_numpy(model(x, training=training)), np.float64)
        # Running statistics moved.
        model.set_weights(before)
        ours, most = computed(network, values, x, dtype="float32", training=training)
        require_agreement(f"the model {'in training' if training else 'at inference'}", theirs, ours.astype(np.float64), most)
    return Imported(network, values)


class _Reading:
    """One pass over a model's nodes, those of models inside it included."""

    def __init__(self, model: Any) -> None:
        self.model = model
        if not getattr(model, "built", False) or not getattr(model, "inputs", None):
            raise OptionError("a model that is not built", expected="a known input", remedy="begin it with keras.Input((784,))")
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise self._unlike(model.name, "several inputs or outputs")
        shape: tuple[Any, ...] = tuple(model.inputs[0].shape[1:])
        self.shape: Shape = shape
        if None in shape:
            raise self._unlike(model.name, f"an input of the shape {self.shape}, of which an extent is open")
        self.wiring, self.held, self.is_random = Wiring(), list[Held](), False
        self.takers, self.alone = Counter[int](), True
        self.known: dict[int, Any] = {}
        self.ids: list[int] = []

    def read(self) -> tuple[Any, dict[str, Array]]:
        """The network and its values."""
        output = self._model(self.model, 0)
        network = self.wiring.network(self.shape, output)
        try:
            built = build_network(network, self.shape, batch=EXAMPLES)
            return network, values_of(self.wiring, self.held, built, lambda step: LAYERS[type(step.layer)](step))
        except (LackingError, KeyError, ChainruleError) as error:
            raise self._unlike(self.model.name, str(error)) from error

    def made_up(self) -> Array:
        """Numbers of both signs, or ids where the model reads such."""
        random = np.random.default_rng(0)
        if self.ids:
            return random.integers(0, min(self.ids), (EXAMPLES, *self.shape)).astype(np.float32)
        return random.normal(size=(EXAMPLES, *self.shape)).astype(np.float32)

    def _unlike(self, name: str, why: str) -> OptionError:
        return OptionError(
            f"the layer {name} of the model {self.model.name} is nothing that chainrule has: {why}",
            expected=f"layers such as {', '.join([*READERS][2:10])}, ... joined by Add, Multiply, Concatenate",
            remedy="replace it in the model, or carry the model by ONNX: model.export(format='onnx'), then cr.from_onnx",
        )

    def _model(self, model: Any, number: int) -> int:
        """The nodes of a model in their order; the number of its output."""
        inner = getattr(model, "_functional", None) or model
        found = {id(inner.inputs[0]): number}
        depths = inner._nodes_by_depth  # pyright: ignore[reportPrivateUsage]  (there is no other way to the nodes)
        self.takers.update(id(tensor) for nodes in depths.values() for node in nodes for tensor in node.input_tensors)
        self.takers.update([id(inner.outputs[0])])
        for depth in sorted(depths, reverse=True):
            for node in depths[depth]:
                operation = node.operation
                if type(operation).__name__ == "InputLayer":
                    continue
                sources = [found[id(tensor)] for tensor in node.input_tensors]
                self.alone = all(self.takers[id(tensor)] == 1 and _used_once(tensor) for tensor in node.input_tensors)
                try:
                    made = self._operation(operation, sources, tuple(node.input_tensors[0].shape[1:]))
                except UnlikeError as error:
                    raise self._unlike(f"{operation.name} ({type(operation).__name__})", str(error)) from error
                found[id(node.output_tensors[0])] = made
        return found[id(inner.outputs[0])]

    def _operation(self, operation: Any, sources: list[int], shape: Shape) -> int:
        kind = type(operation).__name__
        if kind in INSIDE:
            return self._model(operation, sources[0])
        if kind in JOINED:
            return reduce(partial(self._put, JOINED[kind]), sources)
        if kind == "Concatenate":
            if operation.axis not in {-1, len(shape)}:
                raise UnlikeError(f"axis {operation.axis}")
            return self._put(_side_by_side, *sources)
        if kind not in READERS or not type(operation).__module__.startswith("keras."):
            raise UnlikeError(f"no layer does what {kind} does")
        if operation.dtype_policy.name not in {"float32", "float64"} or operation.get_config().get("lora_rank"):
            raise UnlikeError(f"the dtype policy {operation.dtype_policy.name}, or lora_rank")
        if id(operation) in self.known:
            return self._put_all(self.known[id(operation)], sources[0], frozen=_is_frozen(operation))
        read = READERS[kind](operation.get_config(), shape)
        before = len(self.wiring.steps)
        if kind == "Embedding":
            self.ids.append(operation.input_dim)
        number = sources[0]
        for place, layer in enumerate(read.layers):
            self.alone |= place > 0
            number = self._put(layer, number, frozen=_is_frozen(operation) and place == read.holds)
            if place == read.holds:
                self.held.append(Held(number, _Weights(operation)))
        self.known[id(operation)] = tuple(layer for layer, _ in self.wiring.steps[before:])
        return number

    def _put_all(self, layers: tuple[Any, ...], number: int, *, frozen: bool = False) -> int:
        for layer in layers:
            number = self._put(layer, number, frozen=frozen)
        return number

    def _put(self, layer: Callable[..., Node], *sources: int, frozen: bool = False) -> int:
        self.is_random |= isinstance(layer, Dropout | GaussianNoise)
        return self.wiring.put(layer, *sources, frozen=frozen, alone=self.alone)


def _used_once(tensor: Any) -> bool:
    """Whether the layer that made a tensor is used nowhere else."""
    return len(tensor._keras_history.operation._inbound_nodes) == 1  # pyright: ignore[reportPrivateUsage]


def _is_frozen(operation: Any) -> bool:
    return bool(operation.weights) and not operation.trainable


def _side_by_side(*parts: Node) -> Node:
    return ops.concatenate(*parts, axis=parts[0].type.ndim - 1)


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
    names: dict[str, Any] = {}
    # A text of our own: layers' names are checked, and nothing else in it comes from outside.
    exec(compile(to_code(layers, "keras"), "chainrule.nn.to_code", "exec"), names)  # noqa: S102
    model = names["network"]
    model.set_weights(list(to_peer(layers, given.values, "keras").values()))
    (x,) = given.inputs.values()
    found = np.asarray(keras.ops.convert_to_numpy(model(np.asarray(x, np.float64))), np.float64)
    ours, most = exported(layers, given.values, x, dtype="float32")
    require_agreement("the model", found, ours, most)
    return model
