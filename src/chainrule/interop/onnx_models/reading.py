"""Models as layers: a graph for batches of any size, found from the graphs for several, with the model's weights as first values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.checks import shown
from chainrule.errors import ChainruleError, OptionError, UnsupportedError
from chainrule.graph import PARAMETER, Array, Graph, Node, constant, form_of
from chainrule.graph.template import template_of
from chainrule.graph.types import FLOATS
from chainrule.interop.onnx_models.call import Value
from chainrule.interop.onnx_models.package import READ, ModelProto, ValueInfoProto
from chainrule.interop.onnx_models.reader import Reader, cleaned, input_of
from chainrule.nn import Constant, GraphForm, GraphLayer, GraphUse
from chainrule.spelling import suggest

SIZES = (2, 3, 5, 7)
"""The sizes of batch that a graph for any size is found from."""


@dataclass(frozen=True, eq=False)
class Read:
    """A graph that was read: with the arrays of its parameters, which of them are running statistics, and operators by scope."""

    graph: Graph
    arrays: Mapping[str, Array]
    states: frozenset[str]
    kinds: Mapping[str, str]

    @property
    def dtype(self) -> str:
        """The dtype of its weights, or, without any, of its first floats."""
        floats = [node for node in self.graph.nodes if node.dtype in FLOATS]
        return next((node.dtype for node in (*self.graph.parameters, *floats) if node.dtype in FLOATS), FLOATS[0])


@dataclass(frozen=True, eq=False)
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
                raise OptionError(
                    f"output={self.output!r}", expected=f"one of {', '.join(outputs)}", remedy=suggest(self.output, outputs)
                )
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
        return Read(graph, arrays, frozenset((reader.states | set(kept.split())) & arrays.keys()), reader.kinds)

    def layer(self, name: str = "") -> GraphLayer:
        """The layer. Raises: UnsupportedError, FileFormatError, GraphError."""
        if self.batch is None:
            one = self.read(1)
            form = self.form({1: one}, one.dtype)
        else:
            found = {size: self.read(size) for size in SIZES}
            one = found[SIZES[0]]
            form = self.form(found, one.dtype)
            form = GraphForm(form.text, self.alone(form, one.dtype), form.uses)
        first = {key: Constant(array) for key, array in one.arrays.items()}
        states = {key: value for key, value in first.items() if key in one.states}
        return GraphLayer(form, {key: value for key, value in first.items() if key not in states}, states=states, name=name)

    def form(self, found: Mapping[int, Read], dtype: str) -> GraphForm:
        """The graph that gives those of these sizes back."""
        read = next(iter(found.values()))
        uses = list(_uses(read.graph, self.model.graph.name))
        texts = {(size, dtype): "\n".join([str(read.graph), *_types(read.graph, uses)]) for size, read in found.items()}
        lines = _in_any_dtype(template_of(texts), dtype).split("\n")
        end = len(lines) - len(uses)
        told = [line.split(" ") for line in lines[end:]]
        parts = [
            GraphUse(use.name, self.kind(read, use.name), given, gives, use.parameters)
            for use, (given, gives) in zip(uses, told, strict=True)
        ]
        return GraphForm("\n".join(lines[:end]), uses=tuple(parts))

    def kind(self, read: Read, name: str) -> str:
        """What a part is called: as the layer was that it came from, or as the operator that reads its weights."""
        if self.model.producer_name == "chainrule":
            return name.rstrip("0123456789_") or name
        return read.kinds.get(name, "onnx")

    def alone(self, form: GraphForm, dtype: str) -> str | None:
        """The text for a batch of one: "" if the form gives it, None if there is none."""
        try:
            graph = self.read(1).graph
        except ChainruleError:
            return None
        try:
            if form_of(form.graph(1, dtype)) == form_of(graph):
                return ""
        except ChainruleError:
            pass
        return _in_any_dtype(str(graph), dtype)


def _in_any_dtype(text: str, dtype: str) -> str:
    """The text with the dtype of a graph's weights as that of the network."""
    return re.sub(rf"(?<![\w.]){dtype}(?![\w.])", "{float}", text)


# ---- the layers that a graph was made of


@dataclass(frozen=True)
class _Use:
    """The nodes of one scope: which of a graph's nodes they are given and give, by place; and their parameters."""

    name: str
    given: int
    gives: int
    parameters: tuple[str, ...]


def _uses(graph: Graph, name: str) -> Iterator[_Use]:
    """The scopes that read parameters, or all of it as one."""
    places = {node: place for place, node in enumerate(graph.nodes)}
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if not node.is_leaf and node.scope:
            groups.setdefault(node.scope, []).append(node)
    inputs = [place for node, place in places.items() if node in graph.inputs]
    output = next(iter(graph.outputs.values()))
    everything = tuple(leaf.name for leaf in graph.parameters)
    told: set[str] = set()
    found: list[_Use] = []
    for scope, nodes in groups.items():
        used = [source.name for node in nodes for source in node.inputs if source.op is PARAMETER]
        own = tuple(dict.fromkeys(name for name in used if name not in told))
        given = [places[source] for node in nodes for source in node.inputs if source not in nodes and _is_data(source, graph)]
        if own and given:
            told.update(own)
            found.append(_Use(scope, given[0], places[nodes[-1]], own))
    if told != set(everything) or not found:
        found = [_Use(cleaned(name) or "onnx", inputs[0], places[output], everything)]
    yield from found


def _is_data(node: Node, graph: Graph) -> bool:
    return node in graph.inputs or not node.is_leaf


def _types(graph: Graph, uses: Iterable[_Use]) -> Iterator[str]:
    for use in uses:
        yield f"{graph.nodes[use.given].type!r} {graph.nodes[use.gives].type!r}"


def require_values(values: Mapping[str, Array], model: ModelProto) -> None:
    """Refuses values for inputs that the model does not have."""
    known = [info.name for info in model.graph.input]
    odd = sorted(values.keys() - set(known))
    if odd:
        raise OptionError(f"values for {shown(odd[0])}", expected=f"some of {', '.join(known)}", remedy=suggest(odd[0], known))
