"""A layer that is a graph: what it computes stands in its text, with its parameters, first values and states; no code is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any, cast

from chainrule import ops
from chainrule.checks import shown
from chainrule.descriptions import described
from chainrule.display import Explained, Shown
from chainrule.errors import GraphError, OptionError, OptionTypeError, ParseError, ShapeError
from chainrule.graph import INPUT, PARAMETER, Graph, Node, Shape, Type, parse_graph, scope_root
from chainrule.graph.template import LARGEST, filled
from chainrule.graph.text import labels
from chainrule.nn.build import LayerScope, layer_scope, whole_place
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import Constant, Zeros, suited_to
from chainrule.nn.layers import dealt
from chainrule.nn.parts import Initialiser, Layer, LayerUse
from chainrule.nn.resizing import template_from

KEY, FRESH, DATA = "step/key", "step/fresh", "step/data"
"""Leaves of a graph that are no values of the layer's: the step's random key, whether an epoch begins, the data before they are scaled."""
MOST_LETTERS, MOST_TURNS = 2**26, 2**24
"""How long a graph's text may be, and how many turns its loops may have."""


@described
class GraphUse(Shown):
    """One of the layers that a graph was made of: its name and kind, the types of what it was `given` and `gives`, and its own names.

    `layer` is its description where it has one. `first`: here its parameters were made, later uses share them. ends: what the nodes that
    it was given and gave are called in the graph's text; nothing where that is not known.
    """

    name: str
    kind: str
    given: str
    gives: str
    parameters: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    first: bool = True
    layer: Layer | None = None
    ends: tuple[str, ...] = ()


@described
class GraphForm(Shown):
    r"""The graph of a layer for batches of any size: a text as `print(graph)` writes it, in which the batch's size is `{B}`.

    In braces stand `{float}`, the network's dtype, and what goes by the size: `{4*B}`, `{1/B}`, `{0.5 everywhere}`. The output is the
    layer's value, "output" where there are several; "next.NAME" is what the state NAME is after a training step, "term.NAME" a loss with
    one number to an example, whose formula stands in `terms`. alone: the text for a batch of one, "" if it is no other, None if there is
    none.

    >>> form = GraphForm("x: {float}[{B},2] = input()\ny: {float}[{B},2] = tanh(x)\nreturn y=y")
    >>> form.graph(3, "float32").outputs["y"].type
    float32[3,2]
    """

    text: str
    alone: str | None = ""
    uses: tuple[GraphUse, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict[str, str])
    padded: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if max(len(self.text), len(self.alone or "")) > MOST_LETTERS:
            raise OptionError("the text of a graph", expected=f"at most {MOST_LETTERS} letters", remedy="make it shorter")

    def graph(self, size: int, dtype: str) -> Graph:
        """The graph for batches of this size. Raises: ShapeError where there is none, ParseError."""
        if size == 1 and self.alone is None:
            raise ShapeError("a graph for a batch of one example", expected="two or more", remedy="give more examples at once")
        return _graph_of(self.alone if size == 1 and self.alone else self.text, size, dtype)

    def types(self, size: int, dtype: str) -> Iterator[tuple[GraphUse, Type, Type]]:
        """The layers that the graph was made of, with what they were given and gave."""
        for use in self.uses:
            yield use, Type.parse(filled(use.given, size, dtype)), Type.parse(filled(use.gives, size, dtype))

    def goes_by_batch(self, leaf: str) -> bool:
        """Whether a leaf's type has the size of the batch in it."""
        line = next((line for line in self.text.split("\n") if line.startswith(f"{leaf}: ")), "")
        return "B}" in line.partition(" = ")[0]


@lru_cache(maxsize=64)
def _graph_of(text: str, size: int, dtype: str) -> Graph:
    graph = parse_graph(filled(text, size, dtype))
    for node in graph.nodes:
        turns: object = node.attributes.get("turns", 1)
        if prod(node.shape) > LARGEST or (isinstance(turns, int) and turns > MOST_TURNS):
            raise ParseError(
                f"the graph's text has the node {node!r}",
                expected=f"at most {LARGEST} numbers, and {MOST_TURNS} turns of a loop",
                remedy="write smaller extents, or fewer turns",
            )
    return graph


@described
class GraphInitialiser(Shown):
    """First values by a graph of the random key: the output "values" of a text with the leaf `step/key`."""

    text: str

    def __call__(self, key: Node, shape: Shape) -> Node:
        """What the graph gives for this key."""
        graph = parse_graph(self.text)
        if set(graph.leaves) - {KEY} or set(graph.outputs) != {"values"}:
            raise GraphError(
                f"first values by a graph of {', '.join(graph.leaves) or 'nothing'}, which gives {', '.join(graph.outputs)}",
                expected=f"the leaf {KEY}, and the output values",
                remedy="give it these two alone",
            )
        made = _copied(graph, dict.fromkeys(graph.leaves.values(), key), _as_before)
        return made[graph.outputs["values"]]


@described
class GraphLayer(Explained):
    """A layer whose computation is a graph: what another program exported, what was written as text, or a network made of Python functions.

    graph: a `Graph` of input leaves, whose first axis counts the examples, and of parameters; its text; or a `GraphForm`. The size of a
    batch in a `Graph` may become any other, where the layer finds out what goes by it; a `GraphForm` says so itself. Several inputs are
    split of the columns of x in their order. parameters: arrays or initialisers by the leaves' names, in the order that training
    takes; those that are not named start by GlorotUniform, biases at zero. states: leaves that are carried from step to step without being
    trained, by name, as the parameters are; `frozen` names those of them that are weights of frozen layers. training: the graph in
    training where it is another one.

    Parameters and quantities are called after the layer, `graph1.W`; where the graph says which layers it was made of, as those were.
    See `as_graph_layer`, which makes one of any network.

    >>> from chainrule.graph import input_node, parameter
    >>> x, W = input_node("x", (1, 2)), parameter("W", (2, 3))
    >>> layer = GraphLayer(Graph({"y": ops.tanh(x @ W)}), {"W": [[1, 2, 3], [4, 5, 6]]})
    >>> print(layer.graph.text)
    x: {float}[{B},2] = input()
    W: {float}[2,3] = parameter()
    %0: {float}[{B},3] = matmul(x, W)
    %1: {float}[{B},3] = tanh(%0)
    return y=%1

    Raises: GraphError, ParseError for a graph that no layer can be; ShapeError, when it is applied, for inputs that do not fit.
    """

    graph: GraphForm
    parameters: Mapping[str, Initialiser]
    states: Mapping[str, Initialiser]
    training: GraphForm | None
    name: str
    frozen: tuple[str, ...]

    def __init__(
        self,
        graph: GraphForm | Graph | str,
        parameters: Mapping[str, Any] | None = None,
        *,
        states: Mapping[str, Any] | None = None,
        training: GraphForm | Graph | str | None = None,
        name: LayerName = "",
        frozen: Sequence[str] = (),
    ) -> None:
        form, other = _as_form(graph), None if training is None else _as_form(training)
        forms = [form] if other is None else [form, other]
        leaves = {name: leaf for form in forms for name, leaf in _example(form).leaves.items()}
        given = {key: _as_initialiser(key, value) for key, value in (parameters or {}).items()}
        carried = {key: _as_initialiser(key, value) for key, value in (states or {}).items()}
        given |= {key: _usual(leaf) for key, leaf in leaves.items() if leaf.op is PARAMETER and key not in {**given, **carried}}
        if odd := sorted({*given, *carried} - leaves.keys()) + sorted(given.keys() & carried.keys()):
            raise OptionError(
                f"first values for {', '.join(odd)}",
                expected=f"the name of a leaf, once: {', '.join(leaves) or 'there is none'}",
                remedy="check the names",
            )
        if odd := sorted(set(frozen) - carried.keys()):
            raise OptionError(
                f"frozen={', '.join(odd)}",
                expected=f"names of states: {', '.join(carried) or 'there is none'}",
                remedy="give their first values as states={...}",
            )
        for key, value in (
            ("graph", form), ("parameters", given), ("states", carried),
            ("training", other), ("name", name), ("frozen", tuple(frozen)),
        ):  # fmt: skip
            object.__setattr__(self, key, value)
        for form in forms:
            _ = self.output_of(form), self._inputs(_example(form))

    def __call__(self, x: Node) -> Node:
        """What the graph makes of a batch."""
        if self.graph.uses:
            return self._played(whole_place(self, {use.name: use for use in self.graph.uses}, x))
        with layer_scope(self, "graph", x) as here:
            return self._played(here)

    def _played(self, here: LayerScope) -> Node:
        form = (self.training or self.graph) if here.build.training else self.graph
        return _Replay(self, form, here).output()

    @property
    def input_shape(self) -> Shape:
        """The shape of one example."""
        shapes = [leaf.shape[1:] for leaf in self._inputs(_example(self.graph)).values()]
        return shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)

    @property
    def summary(self) -> str:
        """The layer in a few words."""
        if self.graph.uses:
            return "code, kept as its graph"
        count = len(_example(self.graph).nodes)
        return f"a graph of {count} node{'s' * (count != 1)}"

    def _inputs(self, graph: Graph) -> dict[str, Node]:
        """The leaves that x is split to, by name."""
        own = {*self.parameters, *self.states, KEY, FRESH, DATA}
        found = {name: leaf for name, leaf in graph.leaves.items() if leaf.op is INPUT and name not in own}
        sizes = {leaf.shape[:1] for leaf in found.values()}
        if len(sizes) != 1 or sizes == {()}:
            raise GraphError(
                f"a layer's graph with the inputs {', '.join(f'{name} {leaf.type!r}' for name, leaf in found.items()) or 'none'}",
                expected="one input or more, whose first axes count the examples",
                remedy="give first values for the leaves that are parameters or states: parameters={...}",
            )
        return found

    def output_of(self, form: GraphForm) -> str:
        """The name of the output that is the layer's value."""
        beside = {*(f"term.{name}" for name in form.terms), *(f"next.{name}" for name in self.states)}
        beside |= {f"padded.{place}" for place in range(len(form.padded))}
        found = [name for name in _example(form).outputs if name not in beside]
        if "output" in found or len(found) == 1:
            return "output" if "output" in found else found[0]
        raise GraphError(
            f"a layer's graph with the outputs {', '.join(found) or 'none'}",
            expected='one output, or one that is called "output"',
            remedy="put several side by side: ops.concatenate(a, b, axis=1)",
        )

    def dealt(self, x: Node, graph: Graph) -> dict[Node, Node]:
        """The input leaves of a graph, and what each is given of x."""
        leaves = self._inputs(graph)
        if len(leaves) == 1:
            (leaf,) = leaves.values()
            return {leaf: _fitting(x, leaf)}
        parts = dealt(x, {name: leaf.shape[1:] for name, leaf in leaves.items()})
        return {leaf: _fitting(parts[name], leaf) for name, leaf in leaves.items()}


def _output(graph: Graph, name: str) -> Node:
    if name not in graph.outputs:
        raise GraphError(f"a layer's graph without the output {name}", expected="this output", remedy="add it to the graph")
    return graph.outputs[name]


def _fitting(x: Node, leaf: Node) -> Node:
    if x.shape != leaf.shape:
        raise ShapeError(
            f"the graph's input {leaf.name} was given {x.type!r}",
            expected=f"{leaf.type!r}",
            remedy="give what it was made for; a size of batch that does not change is the only one that the graph takes",
        )
    return x if x.dtype == leaf.dtype else ops.cast(x, dtype=leaf.dtype)


def _example(form: GraphForm) -> Graph:
    """One of the graphs of a form: for two examples, or for one where there is no other."""
    return form.graph(2, "float64")


def _as_form(item: object) -> GraphForm:
    if isinstance(item, GraphForm):
        return item
    if isinstance(item, str):
        return GraphForm(item)
    if isinstance(item, Graph):
        return GraphForm(template_from(item))
    raise OptionTypeError(f"{shown(item)} was given as a graph", expected="a Graph or its text", remedy="write cr.Graph({...})")


def _as_initialiser(name: str, value: Any) -> Initialiser:
    if callable(value):
        return cast("Initialiser", value)
    try:
        return Constant(value)
    except OptionError as error:
        raise OptionTypeError(
            f"the first values {shown(value)} of {name}",
            expected="an array of finite numbers, or an initialiser",
            remedy="write for example cr.GlorotUniform()",
        ) from error


def _usual(leaf: Node) -> Initialiser:
    return suited_to("linear") if leaf.type.ndim > 1 else Zeros()


# ---- the graph, played again in a network


@dataclass
class _Replay:
    """A layer's graph as it becomes part of a network: its leaves bound, its nodes made anew, what it brings along noted."""

    layer: GraphLayer
    form: GraphForm
    here: LayerScope

    def output(self) -> Node:
        """The layer's value."""
        here, x, build = self.here, self.here.given, self.here.build
        graph = self.form.graph(x.shape[0] if x.shape else 0, build.dtype)
        first = here.first
        known = {**self.layer.dealt(x, graph), **dict(self.leaves(graph))}
        made = _copied(graph, known, self.called)
        for name in self.layer.states:
            if (after := graph.outputs.get(f"next.{name}")) is not None:
                here.next_state(name, made[after])
        for name, formula in self.form.terms.items():
            here.term(name, made[_output(graph, f"term.{name}")], formula)
        build.padded.extend((made[_output(graph, f"padded.{i}")], value) for i, value in enumerate(self.form.padded))
        result = made[_output(graph, self.layer.output_of(self.form))]
        if not self.form.uses:
            return here.gives(result)
        # A batch of one may have a text of its own.
        known = (
            {} if x.shape[0] == 1 and self.form.alone else {label: made[node] for node, label in labels(graph.nodes).items()}
        )
        build.uses.extend(self.uses(known, first=first))
        return result

    def leaves(self, graph: Graph) -> Iterator[tuple[Node, Node]]:
        """The leaves that are not split of x, and what each of them is in the network."""
        here, build = self.here, self.here.build
        for name, initialiser in {**self.layer.parameters, **self.layer.states}.items():
            if (leaf := graph.leaves.get(name)) is not None:
                with scope_root(self.called(leaf)[1]):
                    yield leaf, self.carried(name, leaf, initialiser)
        if KEY in graph.leaves:
            yield graph.leaves[KEY], here.key()
        if FRESH in graph.leaves:
            yield graph.leaves[FRESH], here.fresh()
        if DATA in graph.leaves:
            raw = build.data if here.given is build.given and build.data is not None else here.given
            yield graph.leaves[DATA], _fitting(raw, graph.leaves[DATA])

    def carried(self, name: str, leaf: Node, initialiser: Initialiser) -> Node:
        """The parameter, or what the state is for this use of the layer."""
        if name in self.layer.parameters:
            return self.here.parameter(name, leaf.shape, initialiser)
        by_row, frozen = self.form.goes_by_batch(name), name in self.layer.frozen
        return self.here.any_state(name, leaf.shape, initialiser, by_row=by_row, frozen=frozen)

    def called(self, node: Node) -> tuple[str, str]:
        """Name and scope of a node in the network."""
        here = self.here
        if not here.name:
            return node.name, node.scope
        return (f"{here.name}.{node.name}" if node.name else ""), "/".join(filter(None, (here.scope, node.scope)))

    def uses(self, made: Mapping[str, Node], *, first: bool) -> Iterator[LayerUse]:
        """The layers that the graph was made of, as if they had been used; made: the nodes by what they are called in the text."""
        size, dtype = self.here.given.shape[0], self.here.build.dtype
        for use, given, gives in self.form.types(size, dtype):
            layer = self.layer if use.layer is None else use.layer
            learned, kept = use.parameters, use.states
            if self.here.build.frozen:
                learned, kept = (), (*learned, *kept)
            frozen = self.here.build.frozen or any(name in self.layer.frozen for name in use.states)
            ends = (made[use.ends[0]], made[use.ends[1]]) if use.ends and made else None
            yield LayerUse(use.name, use.kind, layer, given, gives, learned, use.first and first, kept, ends, frozen)


def _as_before(node: Node) -> tuple[str, str]:
    return node.name, node.scope


def _copied(graph: Graph, known: Mapping[Node, Node], called: Callable[[Node], tuple[str, str]]) -> dict[Node, Node]:
    """Every node of a graph, made anew of what is known in the place of its leaves."""
    made = dict(known)
    for node in graph.nodes:
        if node in made:
            continue
        name, scope = called(node)
        inputs = tuple([made[source] for source in node.inputs])
        if (name, scope) == (node.name, node.scope):
            made[node] = node.with_inputs(inputs)
        else:
            made[node] = Node(node.op, inputs, node.attributes, name, scope=scope)
    return made
