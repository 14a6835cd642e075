"""Graphs that were read from elsewhere as layers: a graph for batches of any size, found from the graphs for several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from chainrule.errors import ChainruleError
from chainrule.graph import PARAMETER, Array, Graph, Node, form_of
from chainrule.graph.node import NAME
from chainrule.graph.template import template_of
from chainrule.graph.types import FLOATS
from chainrule.immutable import immutable
from chainrule.nn import Constant, GraphForm, GraphLayer, GraphUse

SIZES = (2, 3, 5, 7)
"""The sizes of batch that a graph for any size is found from."""


@immutable(eq=False)
class Read:
    """A graph that was read: with the arrays of its parameters, which of them training leaves alone, and of which kind each scope is."""

    graph: Graph
    arrays: Mapping[str, Array]
    states: frozenset[str]
    kind: Callable[[str], str]

    @property
    def dtype(self) -> str:
        """The dtype of its weights, or, without any, of its first floats."""
        floats = [node for node in self.graph.nodes if node.dtype in FLOATS]
        return next((node.dtype for node in (*self.graph.parameters, *floats) if node.dtype in FLOATS), FLOATS[0])


def layer_of(read: Callable[[int], Read], called: str, *, name: str = "", any_batch: bool = True) -> GraphLayer:
    """The layer of what `read` gives for batches of some sizes, or, without any_batch, for the only size there is, with `read(1)`.

    called: the name of all of it, where no scope has weights of its own. Raises: what `read` does, GraphError where the graphs
    for different sizes are not one.
    """
    sizes = SIZES if any_batch else (1,)
    found = {size: read(size) for size in sizes}
    one = found[sizes[0]]
    form = _form(found, called)
    if any_batch:
        form = GraphForm(form.text, _alone(read, form, one.dtype), form.uses)
    first = {key: Constant(array) for key, array in one.arrays.items()}
    states = {key: value for key, value in first.items() if key in one.states}
    return GraphLayer(form, {key: value for key, value in first.items() if key not in states}, states=states, name=name)


def without_number(name: str) -> str:
    """The kind of what is called dense1 or Dense_0."""
    return name.rstrip("0123456789_") or name


def cleaned(name: str) -> str:
    """A name as ours may be: "/fc1/Gemm_output_0" becomes "fc1/Gemm_output_0"; "" where nothing is left."""
    found = re.sub(r"[^\w.\-/]+", "_", name.lstrip("/")).strip("_./-")
    return found if NAME.fullmatch(found) else f"v{found}" if found else ""


def _form(found: Mapping[int, Read], called: str) -> GraphForm:
    """The graph that gives those of these sizes back."""
    read = next(iter(found.values()))
    uses = list(_uses(read.graph, called))
    texts = {(size, read.dtype): "\n".join([str(one.graph), *_types(one.graph, uses)]) for size, one in found.items()}
    lines = _in_any_dtype(template_of(texts), read.dtype).split("\n")
    end = len(lines) - len(uses)
    told = [line.split(" ") for line in lines[end:]]
    parts = [
        GraphUse(use.name, read.kind(use.name), given, gives, use.parameters)
        for use, (given, gives) in zip(uses, told, strict=True)
    ]
    return GraphForm("\n".join(lines[:end]), uses=tuple(parts))


def _alone(read: Callable[[int], Read], form: GraphForm, dtype: str) -> str | None:
    """The text for a batch of one: "" if the form gives it, None if there is none."""
    try:
        graph = read(1).graph
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


@immutable
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
        found = [_Use(cleaned(name), inputs[0], places[output], everything)]
    yield from found


def _is_data(node: Node, graph: Graph) -> bool:
    return node in graph.inputs or not node.is_leaf


def _types(graph: Graph, uses: Iterable[_Use]) -> Iterator[str]:
    for use in uses:
        yield f"{graph.nodes[use.given].type!r} {graph.nodes[use.gives].type!r}"
