"""Kinds of numbers that nodes cannot have, in a model: which value is of which kind."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.interop.onnx_models.package import WIDER, GraphProto, ModelProto, shape_inference

LARGE = 1024
"""From how many bytes on a weight is left out where only kinds are asked for."""


def declared(model: ModelProto) -> dict[str, int]:
    """The kind of each value by its name; none where no value is of a kind that nodes cannot have."""
    if not any(kind in WIDER for kind in _mentioned(model.graph)):
        return {}
    light = ModelProto.FromString(model.SerializeToString())
    for tensor in light.graph.initializer:
        if len(tensor.raw_data) > LARGE:
            tensor.raw_data = b""
    return dict(_kinds(shape_inference.infer_shapes(light).graph))


def _inner(graph: GraphProto) -> Iterator[GraphProto]:
    for node in graph.node:
        yield from (item.g for item in node.attribute if item.HasField("g"))


def _mentioned(graph: GraphProto) -> Iterator[int]:
    """Which kinds a graph names: of inputs, weights, constants and conversions."""
    yield from (tensor.data_type for tensor in graph.initializer)
    yield from (info.type.tensor_type.elem_type for info in graph.input)
    for node in graph.node:
        for item in node.attribute:
            yield item.i if item.name in {"to", "dtype", "output_dtype"} else item.t.data_type
    for inner in _inner(graph):
        yield from _mentioned(inner)


def _kinds(graph: GraphProto) -> Iterator[tuple[str, int]]:
    yield from ((tensor.name, tensor.data_type) for tensor in graph.initializer)
    for info in (*graph.input, *graph.value_info, *graph.output):
        yield info.name, info.type.tensor_type.elem_type
    for inner in _inner(graph):
        yield from _kinds(inner)
