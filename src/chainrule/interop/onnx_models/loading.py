"""Models from files: read whole, never beyond the model's own folder, and refused with a message where they are broken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from chainrule.errors import FileFormatError, MissingFileError, OptionTypeError
from chainrule.files import named
from chainrule.interop.onnx_models.package import READ, GraphProto, ModelProto, NodeProto, TensorProto, bits_of

MOST_BYTES = 2**31
"""How large a model and the files beside it may be: what protocol buffers can hold."""


def loaded(model: Any) -> ModelProto:
    """A model from a path, its bytes, or itself, with what lies in files beside it.

    Raises: MissingFileError, FileFormatError; OptionTypeError for what is no model.
    """
    if isinstance(model, ModelProto):
        return model
    if isinstance(model, bytes | bytearray | memoryview):
        return _parsed(bytes(model), "the bytes", None)
    if not isinstance(model, str | os.PathLike):
        raise OptionTypeError(
            f"a model of the type {type(model).__name__}",
            expected="a path, bytes or an onnx.ModelProto",
            remedy='write "model.onnx"',
        )
    path = named(model)
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}", expected="a model, such as model.onnx", remedy="check the path")
    if path.stat().st_size > MOST_BYTES:
        raise FileFormatError(
            f"{path.name} has {path.stat().st_size} bytes", expected=f"at most {MOST_BYTES}", remedy="give a smaller model"
        )
    return _parsed(path.read_bytes(), path.name, path.parent)


def _parsed(content: bytes, name: str, folder: Path | None) -> ModelProto:
    try:
        model = ModelProto.FromString(content)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise _broken(name, str(error)) from error
    if not model.HasField("graph") or not model.opset_import:
        raise _broken(name, "it has no graph, or no version of its operators")
    _require_text(model, name)
    budget = MOST_BYTES
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            budget -= _beside(tensor, name, folder, budget)
    return model


def _broken(name: str, why: str) -> FileFormatError:
    return FileFormatError(
        f"{name} is no ONNX model, or is cut off: {why}",
        expected="a whole file of ONNX's format",
        remedy="export or copy it again",
    )


def _require_text(model: ModelProto, name: str) -> None:
    """Refuses names that are no text: protocol buffers hand them on as bytes."""
    stack: list[Any] = [model]
    while stack:
        for field, value in stack.pop().ListFields():
            if field.type not in {field.TYPE_STRING, field.TYPE_MESSAGE}:
                continue
            items = [value] if isinstance(value, str | bytes) or hasattr(value, "ListFields") else value
            if field.type == field.TYPE_MESSAGE:
                stack.extend(items)
            elif any(isinstance(item, bytes) for item in items):
                raise _broken(name, f"{field.name} is no text in UTF-8")


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: initializers and attributes, those of graphs inside among them."""
    graphs: list[GraphProto] = [model.graph]
    nodes: list[NodeProto] = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        while graphs:
            graph = graphs.pop()
            yield from graph.initializer
            nodes.extend(graph.node)
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                graphs.extend(([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs))
        nodes = []


def _beside(tensor: TensorProto, name: str, folder: Path | None, budget: int) -> int:
    """Reads what a tensor keeps in a file beside the model; how many bytes that was. Nothing outside the model's folder is read."""
    told: Mapping[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    what, location = f"the tensor {tensor.name!r} of {name}", told.get("location", "")
    if folder is None:
        raise FileFormatError(
            f"{what} lies in the file {location!r}", expected="a model with its numbers inside", remedy="give the model's path"
        )
    place = (folder / location).resolve() if "\0" not in location else folder
    if not location or not place.is_relative_to(folder.resolve()):
        raise FileFormatError(
            f"{what} points to {location!r}", expected="a file inside the model's folder", remedy="do not trust this model"
        )
    if not place.is_file():
        raise MissingFileError(
            f"{what} lies in {location!r}, which is not there", expected="this file", remedy="copy it beside the model"
        )
    try:
        offset, wanted = (
            int(told.get("offset", "0")),
            -(-prod(tensor.dims) * bits_of(tensor.data_type) // 8),
        )
        length = int(told.get("length", str(wanted)))
    except ValueError as error:
        raise _broken(name, f"{what}: {error}") from error
    if (
        tensor.data_type not in READ
        or length != wanted
        or offset < 0
        or not 0 <= length <= budget
        or offset + length > place.stat().st_size
    ):
        raise _broken(name, f"{what} is said to take {length} bytes from {offset} on in {location!r}")
    with place.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT
    return length
