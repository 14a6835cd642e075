"""Models as layers: the graph for each size of batch, with the model's weights as first values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

from chainrule.checks import shown, unknown
from chainrule.errors import OptionError, UnsupportedError
from chainrule.graph import Array, Graph, Node, constant
from chainrule.graph.types import FLOATS
from chainrule.immutable import immutable
from chainrule.interop.any_batch import Read, cleaned, layer_of, without_number
from chainrule.interop.onnx_models.call import Value
from chainrule.interop.onnx_models.package import READ, ModelProto, ValueInfoProto
from chainrule.interop.onnx_models.reader import Reader, input_of
from chainrule.nn import GraphLayer
from chainrule.spelling import suggest


@immutable(eq=False)
class Importer:
    """A model, which of its outputs is wanted, and what is known of its inputs."""

    model: ModelProto
    output: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    values: Mapping[str, Array] = field(default_factory=dict[str, Array])
    any_batch: bool = False

    @cached_property
    def inputs(self) -> list[str]:
        """The inputs that are data, by name."""
        own = {tensor.name for tensor in self.model.graph.initializer}
        return [info.name for info in self.model.graph.input if info.name not in own and info.name not in self.values]

    @cached_property
    def wanted(self) -> str:
        """The output that is the layer's value: the one that is named, or the last that holds floats."""
        outputs = {info.name: info.type.tensor_type.elem_type for info in self.model.graph.output}
        if self.output:
            if self.output not in outputs:
                raise unknown(f"output={self.output!r}", self.output, outputs)
            return self.output
        floats = [name for name, kind in outputs.items() if READ.get(kind) in FLOATS]
        if not floats:
            raise UnsupportedError(
                f"a model with the outputs {', '.join(outputs) or 'none'}, none of which holds floats",
                expected="numbers in float32 or float64",
                remedy="export it so, for scikit-learn with options={'zipmap': False}",
            )
        return floats[-1]

    @cached_property
    def batch(self) -> str | None:
        """What the file calls the size of the batch: the first extent of the first input; None where that is a number, and is to stay."""
        if not self.inputs:
            raise UnsupportedError("a model without inputs", expected="one input or more", remedy="leave out values={...}")
        info = next(info for info in self.model.graph.input if info.name == self.inputs[0])
        extents = info.type.tensor_type.shape.dim
        if not extents or (extents[0].HasField("dim_value") and not self.any_batch):
            return None
        return extents[0].dim_param or f"{info.name}.0"

    def open(self, info: ValueInfoProto) -> ValueInfoProto:
        """An input with its first extent left open, where that is any number though the file says one."""
        extents = info.type.tensor_type.shape.dim
        if not (self.any_batch and extents and extents[0].HasField("dim_value")):
            return info
        found = ValueInfoProto.FromString(info.SerializeToString())
        found.type.tensor_type.shape.dim[0].Clear()
        return found

    def read(self, size: int) -> Read:
        """The graph for batches of this size; where the file says a size, for that one."""
        reader = Reader(self.model)
        sizes = {**({} if self.batch is None else {self.batch: size}), **self.sizes}
        given: dict[str, Value] = {}
        for info in self.model.graph.input:
            if info.name in self.inputs:
                # Unnamed first extents of several inputs are all the batch.
                more = {f"{info.name}.0": size} if self.batch is not None else {}
                given[info.name] = input_of(self.open(info), {**more, **sizes}, reader.leaf_name(info.name))
            elif info.name in self.values:
                given[info.name] = constant(self.values[info.name])
        (found,) = reader.outputs(given, [self.wanted])
        if not isinstance(found, Node):
            raise UnsupportedError(
                f"the output {self.wanted!r} is no tensor", expected="a tensor", remedy="choose another output"
            )
        if self.batch is not None and found.shape[:1] != (size,):
            raise UnsupportedError(
                f"the output {self.wanted!r} has the shape {found.shape} for {size} examples",
                expected=f"a first axis of {size}",
                remedy="choose another output, or leave out any_batch" if self.any_batch else "choose another output",
            )
        graph = Graph(
            {cleaned(self.wanted) or "output": found},
            unused=[node for node in given.values() if isinstance(node, Node) and node.name],
        )
        arrays = {leaf.name: reader.arrays[leaf] for leaf in graph.parameters}
        kept = {item.key: item.value for item in self.model.metadata_props}.get("states", "") if reader.own else ""
        states = frozenset((reader.states | set(kept.split())) & arrays.keys())
        # A part is called as the layer was that it came from, or as the operator that reads its weights.
        return Read(graph, arrays, states, without_number if reader.own else lambda scope: reader.kinds.get(scope, "onnx"))

    def layer(self, name: str = "") -> GraphLayer:
        """The layer. Raises: UnsupportedError, FileFormatError, GraphError."""
        called = cleaned(self.model.graph.name) or "onnx"
        return layer_of(self.read, called, name=name, any_batch=self.batch is not None)


def require_values(values: Mapping[str, Array], model: ModelProto) -> None:
    """Refuses values for inputs that the model does not have."""
    known = [info.name for info in model.graph.input]
    odd = sorted(values.keys() - set(known))
    if odd:
        raise OptionError(f"values for {shown(odd[0])}", expected=f"some of {', '.join(known)}", remedy=suggest(odd[0], known))
