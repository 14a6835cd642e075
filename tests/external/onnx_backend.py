"""Our reader of ONNX as a backend of ONNX's own tests: a model is read for the inputs' shapes, and its graph is run."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper
from onnx.backend.base import Backend, BackendRep

from chainrule.engines import engine_named
from chainrule.errors import UnsupportedError
from chainrule.graph import Graph, Node, constant, input_node
from chainrule.graph.types import DTYPES
from chainrule.interop.onnx_models.package import NAMES, READ, WIDER
from chainrule.interop.onnx_models.reader import Reader, UnknownShapeError

REPORT: dict[str, str] = {}
"""Why a test was skipped, by the operator."""


class Program(BackendRep):
    """A model that is read anew for each set of inputs: of those that a shape depends on the numbers are taken as known."""

    def __init__(self, model: Any, engine: str) -> None:
        self.model, self.engine, self.bound = model, engine, set[str]()

    def run(self, inputs: Sequence[Any], **_: Any) -> tuple[Any, ...]:
        """The outputs of some inputs."""
        infos = [
            info for info in self.model.graph.input if info.name not in {item.name for item in self.model.graph.initializer}
        ]
        given = dict(zip((info.name for info in infos), inputs, strict=False))
        self.bound = set()
        while True:
            try:
                return self.once(infos, given)
            except UnknownShapeError as error:
                more = set(error.names) - self.bound
                if not more:
                    raise
                self.bound |= more
            except UnsupportedError as error:
                raise unittest.SkipTest(error.happened) from error

    def once(self, infos: Sequence[Any], given: dict[str, Any]) -> tuple[Any, ...]:
        """The outputs, where the numbers of some inputs are known beforehand."""
        reader = Reader(self.model)
        arrays: dict[str, np.ndarray] = {}
        values = {info.name: self.leaf(info, given.get(info.name), info.name, arrays) for info in infos}
        names = [info.name for info in self.model.graph.output]
        found = reader.outputs(values, names)
        nodes = list(_nodes(found))
        graph = Graph({f"o{place}": node for place, node in enumerate(nodes)})
        known = {leaf.name: reader.arrays[leaf] for leaf in graph.parameters} | {
            name: arrays[name] for name in graph.leaves if name in arrays
        }
        answers = engine_named(self.engine).compile(graph)(known)
        each = iter([np.asarray(answers[f"o{place}"]) for place in range(len(nodes))])
        declared = zip(found, self.model.graph.output, strict=True)
        made = tuple(_as_declared(_filled(value, each), info) for value, info in declared)
        is_cast = {node.op_type for node in self.model.graph.node} <= {"Cast", "CastLike"}
        return (_where_defined(made[0], np.asarray(next(iter(given.values())))),) if is_cast else made

    def leaf(self, info: Any, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        """An input as a leaf, or as what is known of it."""
        if isinstance(value, list):
            return [self.leaf(info, item, f"{name}_{place}", arrays) for place, item in enumerate(value)]
        if value is None:
            return None
        kind = info.type.tensor_type.elem_type
        array = np.asarray(value)
        if array.dtype == object and kind in NAMES:
            array = array.astype(NAMES[kind])
        if kind in WIDER:
            array = array.astype(WIDER[kind])
        if array.dtype.name not in DTYPES or (kind and kind not in READ):
            raise UnsupportedError(f"the input {info.name!r} is of another dtype", expected="ours", remedy="none")
        clean = f"in_{abs(hash(name))}"
        if clean in self.bound:
            return constant(array)
        arrays[clean] = array
        return input_node(clean, array.shape, array.dtype.name)


def _nodes(values: Sequence[Any]) -> Any:
    for value in values:
        if isinstance(value, Node):
            yield value
        elif isinstance(value, list):
            yield from _nodes(value)


def _filled(value: Any, each: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item, each) for item in value]
    return next(each) if isinstance(value, Node) else None


def _as_declared(value: Any, info: Any) -> Any:
    """What is computed in wider numbers, in those of the model's output."""
    if isinstance(value, list):
        return [_as_declared(item, info) for item in value]
    kind = info.type.tensor_type.elem_type
    return value if value is None or kind not in WIDER else value.astype(helper.tensor_dtype_to_np_dtype(kind))


def _where_defined(made: Any, given: Any) -> Any:
    """What a cast makes; of floats outside the range of a 4-bit number the standard says nothing: there what the suite's own cast makes."""
    low, high = {"int4": (-8, 7), "uint4": (0, 15)}.get(made.dtype.name, (-np.inf, np.inf))
    if given.dtype.kind != "f" or np.isinf(low):
        return made
    with np.errstate(invalid="ignore"):
        return np.where((given >= low) & (given <= high), made, given.astype(made.dtype))


class ChainruleBackend(Backend):
    """What ONNX's tests ask of a backend."""

    engine = "reference"

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> Program:
        """The model, ready to be run."""
        return Program(model, cls.engine)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Processors alone."""
        return device == "CPU"
