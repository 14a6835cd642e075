"""Graphs as ONNX models: what a run, a network or a graph computes, with scalings and classes inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import INPUT, Body, Graph, Node, rewrite_nodes
from chainrule.graph.rewrite import remade
from chainrule.interop.onnx_models.emitter import OPSET, Emitter, Extent, Size, Sized, zipped
from chainrule.interop.onnx_models.lowering import LOWERINGS, UNWRITTEN, WITHOUT_FLOAT64, flipped, unstretched
from chainrule.interop.onnx_models.needed import needed
from chainrule.interop.onnx_models.package import DTYPES, GraphProto, ModelProto, ValueInfoProto, checker, helper, numpy_helper
from chainrule.interop.onnx_models.patterns import windowed
from chainrule.interop.portable import Portable
from chainrule.ops import scan, split_values
from chainrule.ops.unrolling import LoopTake, loop_key, loop_take

SIZES = (2, 3, 5, 7)
"""The sizes of batch that a graph for any size is found from."""
IR_VERSION = 8
"""The version of the file's format that came with the operators' version."""


def write(subject: Portable) -> Mapping[str, bytes]:
    """The model as a file."""
    return {".onnx": model_of(subject).SerializeToString(deterministic=True)}


def model_of(subject: Portable) -> ModelProto:
    """The model: checked, with the shapes of all its values.

    Raises: GraphError for a graph that goes by the size of its batch in another way than extents do; OptionError for random numbers.
    """
    sizes = SIZES if subject.size is None else (subject.size,)
    graph = _model_graph({size: _in_known_ops(subject.graph(size)) for size in sizes}, subject)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="chainrule", ir_version=IR_VERSION
    )
    model.producer_version = subject.facts.get("chainrule", "")
    states = [name for name in subject.states if any(name == item.name for item in graph.initializer)]
    helper.set_model_props(model, {**subject.facts, **({"states": " ".join(states)} if states else {})})
    checker.check_model(model, full_check=True)
    return model


def _in_known_ops(graph: Graph) -> Graph:
    """The graph with what has no row written as what it is made of."""

    def rule(node: Node) -> Node | None:
        has_row = node.op.name in LOWERINGS and not (node.dtype == "float64" and node.op.name in WITHOUT_FLOAT64)
        if has_row or node.op is scan or node.is_leaf:
            return None
        if (made := remade(node, node.op.decomposition)) is not None:
            return made
        raise OptionError(
            f"the op {node.op.name} in an ONNX file: {UNWRITTEN.get(node.op.name, 'it has no operator there')}",
            expected="ops that have a row in interop/onnx_models/lowering.py, or a decomposition",
            remedy="build the network for inference, or declare what the op is made of",
        )

    written = rewrite_nodes("known", graph, rule)[0]
    return graph if written is graph else _in_known_ops(written)


def _model_graph(graphs: Mapping[int, Graph], subject: Portable) -> GraphProto:
    first = next(iter(graphs.values()))
    leaves = [name for name, leaf in first.leaves.items() if name not in subject.values and leaf.op is INPUT]
    missing = sorted(first.leaves.keys() - set(leaves) - subject.values.keys())
    if missing:
        raise OptionError(
            f"no values for {', '.join(missing)}", expected="an array for each parameter", remedy="give values={...}"
        )
    if same := sorted(first.outputs.keys() & first.leaves.keys()):
        raise OptionError(
            f"the output {same[0]} of a graph that has a leaf of this name",
            expected="a name of its own",
            remedy="rename the output",
        )
    nodes = zipped(graphs)
    leading = next((name for name in leaves if first.leaves[name].shape), "")
    w = Emitter(taken={*first.leaves, *first.outputs, *(node.name for node in first.nodes)}, batch_of=leading)
    values = {name: name for name in first.leaves}
    writer = _Writer(w, values, {}, first.outputs, quantities=set(values))
    writer.all(nodes)
    ends = {name: [graph.outputs[name] for graph in graphs.values()] for name in first.outputs}
    for name, found in ends.items():
        if writer.of(found[0]) != name:
            w.op("Identity", writer.of(found[0]), to=name)
    outputs = [_info(name, Sized(tuple(graphs), tuple(found))) for name, found in ends.items()]
    if subject.classes is not None and "class_index" in ends:
        outputs.insert(0, _labels(w, subject.classes, outputs))
    sized = {node.node.name: node for node in nodes if node.node.is_leaf}
    parameters = [
        numpy_helper.from_array(np.asarray(subject.values[name], leaf.dtype), name)
        for name, leaf in first.leaves.items()
        if name in subject.values
    ]
    kept = list(needed(w.nodes, [item.name for item in outputs]))
    return helper.make_graph(kept, "chainrule", [_info(name, sized[name]) for name in leaves], outputs, parameters)


def _labels(w: Emitter, classes: Sequence[str], outputs: Sequence[ValueInfoProto]) -> ValueInfoProto:
    """The name of the class, as texts."""
    names = helper.make_tensor("class_names", 8, [len(classes)], cast("Any", [name.encode() for name in classes]))
    table = w.op("Constant", value=names)
    index = next(item for item in outputs if item.name == "class_index")
    w.op("Gather", table, "class_index", axis=0, to="label")
    info = helper.make_tensor_value_info("label", 8, None)
    info.type.tensor_type.shape.CopyFrom(index.type.tensor_type.shape)
    return info


def _info(name: str, it: Sized) -> ValueInfoProto:
    shape = [size if isinstance(size, int) else str(size) for size in it.shape]
    return helper.make_tensor_value_info(name, DTYPES[it.node.dtype], shape)


@dataclass
class _Writer:
    """Writes nodes, by the names of what they are computed from."""

    w: Emitter
    leaves: Mapping[str, str]
    loops: dict[tuple[object, ...], dict[LoopTake, str]]
    outputs: Mapping[str, Node]
    names: dict[Node, str] = field(default_factory=dict[Node, str])
    quantities: set[str] = field(default_factory=set[str])

    def of(self, node: Node) -> str:
        """The name of a node's value."""
        return self.names[node]

    def all(self, nodes: Sequence[Sized]) -> None:
        """Writes all of them, in order."""
        groups: dict[tuple[object, ...], list[Sized]] = {}
        for it in nodes:
            if it.node.op is scan:
                groups.setdefault(loop_key(it.node), []).append(it)
        for it in nodes:
            self.w.scope = it.node.scope
            self.names[it.node] = self.one(it, groups)

    def one(self, it: Sized, groups: Mapping[tuple[object, ...], Sequence[Sized]]) -> str:
        """Writes a node; gives the name of its value."""
        node = it.node
        if node.name and node.is_leaf and node.name in self.leaves:
            return self.leaves[node.name]
        if node.op is scan:
            key = loop_key(node)
            if key not in self.loops:
                self.loops[key] = self.loop(groups[key])
            return self.loops[key][loop_take(node)]
        found = windowed(node)
        if found is not None:
            weights = None if found.weights is None else self.of(found.weights)
            return found.write(self.w, self.of(found.x), weights, self.wish(node))
        inputs = [self.of(source) for source in unstretched(it)[0]]
        return LOWERINGS[node.op.name](self.w, it, inputs, self.wish(node))

    def wish(self, node: Node) -> str:
        """The name that a quantity has; "" for what has none, or shares it."""
        name = node.name or next((name for name, output in self.outputs.items() if output is node), "")
        reserved = self.outputs.get(name, node) is not node
        return "" if reserved or name in self.quantities else self.noted(name)

    def noted(self, name: str) -> str:
        """A name, which from now on nothing else in the model has."""
        self.quantities.add(name)
        return name

    # ---- loops

    def loop(self, nodes: Sequence[Sized]) -> dict[LoopTake, str]:
        """A loop as one Scan; the names of what is taken from it."""
        w, it = self.w, nodes[0]
        body: Body = it.node.attributes["body"]
        length, reverse = it.size([node.attributes["length"] for node in it.nodes]), bool(it.node.attributes.get("reverse"))
        if not isinstance(length, int):
            raise it.refused("a loop with a step for each example")
        states, sequences, constants = split_values(body, tuple(self.of(source) for source in it.node.inputs))
        rows = {name: flipped(w, value, [0]) if reverse else value for name, value in sequences.items()}
        taken = list(dict.fromkeys(loop_take(one.node) for one in nodes))
        inner = _Body(self, it, constants)
        graph = inner.graph(taken, bool(rows))
        given = [*states.values(), *(rows.values() or [w.constant(np.zeros(length))])]
        finals = [w.fresh(f"{name}.last") for name in body.states]
        stacked = [w.fresh(f"{w.scope or 'loop'}/{name}.{'before' if before else 'every'}") for name, before in taken]
        w.nodes.append(
            helper.make_node(
                "Scan",
                given,
                [*finals, *stacked],
                name=w.fresh(f"{w.scope}/Scan".lstrip("/")),
                body=graph,
                num_scan_inputs=max(len(rows), 1),
            )
        )
        return {key: flipped(w, name, [0]) if reverse else name for key, name in zip(taken, stacked, strict=True)}


@dataclass
class _Body:
    """One turn of a loop, as a graph inside a model."""

    outer: _Writer
    it: Sized
    constants: Mapping[str, str]
    ended: set[str] = field(default_factory=set[str])

    def graph(self, taken: Sequence[LoopTake], has_rows: bool) -> GraphProto:
        """The graph of a turn: states and rows in, next states and what is taken out."""
        bodies = [cast("Body", node.attributes["body"]) for node in self.it.nodes]
        body, outer = bodies[0], self.outer.w
        graphs = {size: _in_known_ops(cast("Graph", one.graph)) for size, one in zip(self.it.sizes, bodies, strict=True)}
        names = {node.name for node in next(iter(graphs.values())).nodes if node.name and not node.is_leaf}
        self.outer.quantities |= names & outer.taken  # what was made up for something else is no quantity's any more
        outer.taken |= names
        w = Emitter(outer.taken, outer.batch_of)
        own = {name: w.fresh(f"{outer.scope or 'loop'}/{name}.now") for name in (*body.states, *body.sequences)}
        writer = _Writer(w, {**own, **self.constants}, {}, self.outer.outputs, quantities=self.outer.quantities)
        nodes = zipped(graphs)
        writer.all(nodes)
        outputs = [(name, False) for name in body.states] + list(taken)
        ends = [self.end(writer, graphs, own, name, before) for name, before in outputs]
        sized = {one.node.name: one for one in nodes if one.node.is_leaf}
        inputs = [_info(own[name], sized[name]) if name in sized else self.unread(own[name], name) for name in own]
        if not has_rows:
            inputs.append(helper.make_tensor_value_info(w.fresh("step"), DTYPES["int64"], []))
        kept = list(needed(w.nodes, [info.name for info in ends]))
        return helper.make_graph(kept, "turn", inputs, ends)

    def end(
        self, writer: _Writer, graphs: Mapping[int, Graph], own: Mapping[str, str], name: str, before: bool
    ) -> ValueInfoProto:
        """An output of the turn, under a name of its own."""
        found = Sized(tuple(graphs), tuple(graph.outputs[name] for graph in graphs.values()))
        value, wish = own[name] if before else writer.of(found.node), f"{name}.{'before' if before else 'next'}"
        if value in self.ended or not (value == wish or value.startswith(f"{wish}_")):
            value = writer.w.op("Identity", value, to=writer.w.fresh(wish))
        self.ended.add(value)
        return _info(value, found)

    def unread(self, called: str, name: str) -> ValueInfoProto:
        """A state or row that no turn reads."""
        body: Body = self.it.node.attributes["body"]
        place = body.leaves.index(name)
        types = [node.inputs[place].type for node in self.it.nodes]
        shapes = [kind.shape[1:] if name in body.sequences else kind.shape for kind in types]
        shape: list[Size] = [self.it.size(extents) for extents in zip(*shapes, strict=True)]
        return helper.make_tensor_value_info(
            called, DTYPES[types[0].dtype], [str(n) if isinstance(n, Extent) else n for n in shape]
        )
