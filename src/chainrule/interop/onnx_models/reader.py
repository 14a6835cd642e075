"""Reads the graph of a model: every value as a node of ours; what depends on no input is computed as soon as a shape asks for it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.errors import FileFormatError, UnsupportedError
from chainrule.graph import (
    INPUT,
    PARAMETER,
    Array,
    Node,
    compute,
    constant,
    input_node,
    parameter,
    scope_root,
    topological_order,
)
from chainrule.interop.any_batch import cleaned
from chainrule.interop.onnx_models import operators
from chainrule.interop.onnx_models.call import Call, Value, array_of, attribute_of, called, dtype_of
from chainrule.interop.onnx_models.narrow import declared
from chainrule.interop.onnx_models.needed import needed, read_by
from chainrule.interop.onnx_models.package import (
    DTYPES,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    ValueInfoProto,
    defs,
    helper,
)
from chainrule.spelling import suggest, unused

MOST_NUMBERS = 2**26
"""How many numbers may be computed, all in all, while a model is read."""
MOST_IN_GRAPH = 2**40
MOST_NODES = 2**17
"""How many nodes a model may become: loops that are written out may be nested."""
SHORT = 64
"""How many numbers a row may have that is computed beforehand."""
MOST_DEPTH = 64
"""How deep functions and graphs may be nested."""
DOMAINS = {"ai.onnx": ""}
MOVED = frozenset({
    "Cast", "CastLike", "Clip", "Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
    "Identity", "MaxPool", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Relu", "Reshape", "Slice", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators whose results lie within the range of their inputs' kind, or that hold them to one themselves."""


@dataclass
class Reader:
    """What is known while a model is read.

    parameters: the arrays of what may be trained, by name; states: the names of running statistics among them. kinds: by scope the first
    operator that reads a parameter. arrays: the numbers of nodes, where they are known. free, fixed: whether nodes depend on an input, or
    on constants alone. values: what the names in the file stand for. depth: how deep in functions and graphs it reads, inside: in how
    many functions, whose values have no names of their own. count, numbers: how many nodes were read, and numbers computed. called: the
    names that are taken.
    """

    model: ModelProto
    parameters: dict[str, Array] = field(default_factory=dict[str, Array])
    states: set[str] = field(default_factory=set[str])
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    arrays: dict[Node, Array] = field(default_factory=dict[Node, Array])
    free: dict[Node, bool] = field(default_factory=dict[Node, bool])
    fixed: dict[Node, bool] = field(default_factory=dict[Node, bool])
    values: ChainMap[str, Value] = field(default_factory=ChainMap[str, Value])
    depth: int = 0
    inside: int = 0
    count: int = 0
    numbers: int = 0
    called: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.opsets = {DOMAINS.get(item.domain, item.domain): item.version for item in self.model.opset_import}
        self.functions = {(DOMAINS.get(item.domain, item.domain), item.name): item for item in self.model.functions}
        self.own = self.model.producer_name == "chainrule"
        self.declared = declared(self.model)

    # ---- the whole graph

    def outputs(self, given: Mapping[str, Value], wanted: Sequence[str]) -> list[Value]:
        """The values of some outputs, of these inputs."""
        graph = self.model.graph
        nodes = list(needed(graph.node, wanted))
        read = {name for node in nodes for name in read_by(node)} | set(wanted)
        self.values.update(given)
        for tensor in graph.initializer:
            if tensor.name in read and tensor.name not in self.values:
                self.values[tensor.name] = self.initializer(tensor)
        if graph.sparse_initializer:
            raise UnsupportedError("sparse initializers", expected="dense ones", remedy="convert the model first")
        self.run(nodes)
        return [self.value(name) for name in wanted]

    def initializer(self, tensor: Any) -> Node:
        """A weight as a parameter; a number, whole numbers and truth values as constants."""
        array = array_of(tensor, f"the initializer {tensor.name!r}")
        if array.dtype.kind != "f" or not array.ndim:
            return constant(array)
        name = self.leaf_name(tensor.name)
        self.parameters[name] = array
        node = parameter(name, array.shape, array.dtype.name)
        self.arrays[node] = array
        return node

    def leaf_name(self, wish: str) -> str:
        """A name that a leaf may have, and none has."""
        name = unused(cleaned(wish) or "value", self.called)
        self.called.add(name)
        return name

    def state(self, node: Node) -> None:
        """Notes that a parameter is a running statistic, which training leaves alone."""
        if node.op is PARAMETER:
            self.states.add(node.name)

    # ---- nodes

    def run(self, nodes: Iterable[NodeProto]) -> None:
        """Reads nodes in their order."""
        for node in nodes:
            self.spend_node()
            found = self.one(node)
            for name, value in zip(node.output, found, strict=False):
                if name:
                    self.values[name] = self.named(name, value)

    def spend_node(self) -> None:
        """Counts a node, or a turn of a loop. Raises: FileFormatError where there are too many."""
        self.count += 1
        if self.count > MOST_NODES:
            raise FileFormatError(
                f"a model of more than {MOST_NODES} nodes, loops written out", expected="fewer", remedy="give a smaller model"
            )

    def one(self, node: NodeProto) -> tuple[Value, ...]:
        """The outputs of a node."""
        domain = DOMAINS.get(node.domain, node.domain)
        call = Call(self, node, self.opsets.get(domain, 0))
        inputs = [self.value(name) if name else None for name in node.input]
        path = cleaned(node.name.rpartition("/")[0])
        if any(isinstance(value, Node) and value.op is PARAMETER for value in inputs):
            self.kinds.setdefault(path, node.op_type.lower())
        with scope_root(path):
            function = self.functions.get((domain, node.op_type))
            if function is not None:
                return self.function(call, function, inputs)
            known = operators.OPERATORS.get((domain, node.op_type))
            if known is None:
                return self.defined(call, inputs)
            attributes = {item.name: attribute_of(item) for item in node.attribute}
            made = called(known, call, inputs, attributes)
            if node.op_type not in MOVED:
                made = tuple(map(self.held, made, node.output))
            for value in made:
                self.within(call, value)
            return tuple(map(self.folded, made))

    def kind(self, name: str) -> int | None:
        """The kind of a value, where the model has kinds that nodes cannot have; what stands in functions is not known."""
        return None if self.inside else self.declared.get(name)

    def held(self, value: Value, name: str) -> Value:
        """A value within the range of its kind."""
        return operators.whole.held(value, self.kind(name) or 0) if isinstance(value, Node) else value

    def folded(self, value: Value) -> Value:
        """A number, or a short row, that follows from constants alone, as a constant: sizes are, and what is computed of them."""
        if not isinstance(value, Node) or value.is_leaf or value.type.ndim > 1 or value.type.size > SHORT:
            return value
        return constant(self.known(value, "a constant")) if self.is_constant(value) else value

    def is_constant(self, node: Node) -> bool:
        """Whether it depends on no input and no parameter."""
        if node not in self.fixed:
            for item in topological_order([node], self.fixed):
                self.fixed.setdefault(
                    item, item.op not in {INPUT, PARAMETER} and all(self.fixed[source] for source in item.inputs)
                )
        return self.fixed[node]

    def within(self, call: Call, value: Value) -> None:
        """Refuses values that are too large."""
        if isinstance(value, Node) and value.type.size > MOST_IN_GRAPH:
            raise call.wrong(f"a value of {value.type.size} numbers", f"at most {MOST_IN_GRAPH}")

    def value(self, name: str) -> Value:
        """What a name stands for."""
        if name not in self.values:
            raise FileFormatError(
                f"the model names the value {name!r}, which nothing before it makes",
                expected="nodes in the order in which they are computed",
                remedy="export the model again, and check it with onnx.checker",
            )
        return self.values[name]

    def named(self, name: str, value: Value) -> Value:
        """The value under the name that it has in the file, if it is a quantity, and has none yet."""
        if not isinstance(value, Node) or value.is_leaf or value.name or self.inside or (self.own and "/" in name):
            return value
        clean = cleaned(name)
        if not clean or clean in self.called:
            return value
        self.called.add(clean)
        return value.named(clean)

    # ---- functions and graphs inside

    def function(self, call: Call, function: FunctionProto, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """The outputs of a function of the model, or of an operator that ONNX defines by others."""
        given = dict(zip(function.input, [*inputs, *[None] * len(function.input)], strict=False))
        attributes = {item.name: item for item in (*function.attribute_proto, *call.node.attribute)}
        opsets = {DOMAINS.get(item.domain, item.domain): item.version for item in function.opset_import}
        with _Deeper(self, call, ChainMap[str, Value](dict(given)), {**self.opsets, **opsets}):
            self.inside += 1
            try:
                self.run(_filled(node, attributes) for node in function.node)
            finally:
                self.inside -= 1
            called_for = [*call.node.output, *[""] * len(function.output)]
            return tuple(
                self.value(name) if wanted else None for name, wanted in zip(function.output, called_for, strict=False)
            )

    def turn(self, graph: GraphProto, given: Mapping[str, Value]) -> list[Value]:
        """The outputs of a graph inside the model, of these inputs, which may read what stands around it."""
        self.spend_node()
        with _Deeper(self, None, self.values.new_child(dict(given)), self.opsets):
            for tensor in graph.initializer:
                self.values.setdefault(tensor.name, constant(array_of(tensor, f"the initializer {tensor.name!r}")))
            self.run(graph.node)
            return [self.value(item.name) for item in graph.output]

    def defined(self, call: Call, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """The outputs of an operator by ONNX's own definition of it."""
        node = call.node
        try:
            schema = defs.get_schema(node.op_type, call.version, DOMAINS.get(node.domain, node.domain))
        except (defs.SchemaError, RuntimeError, TypeError):
            raise self.unknown(call) from None
        body = self.body(schema, call, inputs)
        if body is None:
            raise self.unknown(call)
        for name, attribute in schema.attributes.items():
            if attribute.default_value.name and not any(item.name == name for item in node.attribute):
                node = NodeProto.FromString(node.SerializeToString())
                node.attribute.append(attribute.default_value)
        return self.function(Call(self, node, call.version), body, inputs)

    def body(self, schema: Any, call: Call, inputs: Sequence[Value]) -> FunctionProto | None:
        """The function that defines an operator, for inputs of these types."""
        versions = [version for version in schema.context_dependent_function_opset_versions if version <= call.version]
        if versions:
            types = [_type_of(value).SerializeToString() for value in inputs]
            try:
                made = schema.get_context_dependent_function_with_opset_version(
                    max(versions), call.node.SerializeToString(), types
                )
            except (RuntimeError, ValueError, TypeError) as error:
                raise call.unsupported(f"its definition for these inputs: {error}") from error
            return FunctionProto.FromString(made) if made else None
        versions = [version for version in schema.function_opset_versions if version <= call.version]
        if versions:
            return FunctionProto.FromString(schema.get_function_with_opset_version(max(versions)))
        return None

    def unknown(self, call: Call) -> UnsupportedError:
        """That an operator is not here."""
        known = [name for _, name in operators.OPERATORS]
        return call.unsupported(
            f"the operator {call.node.op_type!r}{f' of {call.node.domain}' if call.node.domain else ''}, version {call.version}",
            suggest(call.node.op_type, known, "write the model with other operators"),
        )

    # ---- what is known

    def is_known(self, node: Node) -> bool:
        """Whether it depends on no input."""
        if node not in self.free:
            for item in topological_order([node], self.free):
                self.free.setdefault(item, item.op is INPUT or any(self.free[source] for source in item.inputs))
        return not self.free[node]

    def known(self, node: Node, what: str) -> Array:
        """The numbers of a node that depends on no input, computed by the reference engine."""
        if node in self.arrays:
            return self.arrays[node]
        if not self.is_known(node):
            names = sorted(item.name for item in topological_order([node]) if item.op is INPUT)
            raise UnknownShapeError(
                f"{what} depends on the input{'s' * (len(names) > 1)} {', '.join(names)}",
                expected="a number that is known while the model is read",
                remedy=f"say it: cr.from_onnx(..., values={{{names[0]!r}: ...}})",
                names=names,
            )
        order = topological_order([node], self.arrays)
        self.numbers += sum(item.type.size for item in order)
        if self.numbers > MOST_NUMBERS:
            raise FileFormatError(
                f"{what}, and what was known before it, is computed from {self.numbers} numbers",
                expected=f"at most {MOST_NUMBERS}",
                remedy="give a smaller model",
            )
        bound = {item: self.arrays[item] for item in order if item in self.arrays}
        (found,) = compute([node], bound)
        self.arrays[node] = found
        return found


class UnknownShapeError(UnsupportedError):
    """A shape that depends on inputs of the model, by their `names`."""

    def __init__(self, happened: str, *, expected: str, remedy: str, names: Sequence[str] = ()) -> None:
        super().__init__(happened, expected=expected, remedy=remedy)
        self.names = tuple(names)


class _Deeper:
    """The reader inside a function or a graph: with values and versions of its own."""

    def __init__(
        self, reader: Reader, call: Call | None, values: ChainMap[str, Value], opsets: MutableMapping[str, int]
    ) -> None:
        self.reader, self.call, self.values, self.opsets = reader, call, values, opsets

    def __enter__(self) -> None:
        reader = self.reader
        self.before = reader.values, reader.opsets
        if reader.depth >= MOST_DEPTH:
            raise FileFormatError(
                f"functions or graphs that are nested deeper than {MOST_DEPTH}",
                expected="fewer",
                remedy="export the model again",
            )
        reader.values, reader.opsets, reader.depth = self.values, dict(self.opsets), reader.depth + 1

    def __exit__(self, *_: object) -> None:
        self.reader.values, self.reader.opsets = self.before
        self.reader.depth -= 1


def _filled(node: NodeProto, attributes: Mapping[str, Any]) -> NodeProto:
    """A node of a function's body, with the attributes that the function was called with."""
    if not any(item.ref_attr_name or item.HasField("g") for item in node.attribute):
        return node
    made = NodeProto.FromString(node.SerializeToString())
    del made.attribute[:]
    for item in node.attribute:
        if item.HasField("g"):
            inner = type(item).FromString(item.SerializeToString())
            kept = [_filled(one, attributes) for one in item.g.node]
            del inner.g.node[:]
            inner.g.node.extend(kept)
            made.attribute.append(inner)
        elif not item.ref_attr_name:
            made.attribute.append(item)
        elif item.ref_attr_name in attributes:
            given = type(item).FromString(attributes[item.ref_attr_name].SerializeToString())
            given.name = item.name
            made.attribute.append(given)
    return made


def _type_of(value: Value) -> Any:
    if isinstance(value, list):
        return helper.make_sequence_type_proto(_type_of(value[0] if value else None))
    if not isinstance(value, Node):
        return helper.make_tensor_type_proto(0, None)
    return helper.make_tensor_type_proto(DTYPES[value.dtype], value.shape)


def input_of(info: ValueInfoProto, sizes: Mapping[str, int], name: str) -> Node:
    """An input of a model as a leaf; extents that the file calls by names are given.

    Raises: UnsupportedError for what is no tensor of numbers, or has an extent that is not known.
    """
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        raise UnsupportedError(
            f"the input {info.name!r} is no tensor", expected="a tensor of numbers", remedy="give another model"
        )
    if not kind.HasField("shape"):
        raise UnsupportedError(f"the input {info.name!r} has no shape", expected="a shape", remedy="write it into the model")
    shape: list[int] = []
    for place, extent in enumerate(kind.shape.dim):
        told = extent.dim_param or f"{info.name}.{place}"
        if extent.HasField("dim_value"):
            shape.append(extent.dim_value)
        elif told in sizes:
            shape.append(sizes[told])
        else:
            raise UnsupportedError(
                f"the input {info.name!r} has an extent called {told!r} on axis {place}",
                expected="a number",
                remedy=f"say it: sizes={{{told!r}: 16}}",
            )
    return input_node(name, tuple(shape), dtype_of(kind.elem_type, f"the input {info.name!r}"))
