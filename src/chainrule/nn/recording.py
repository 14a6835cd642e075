"""Any network as a layer that is a graph: built for several sizes of batch, in use and in training, and written down as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field, replace
from itertools import islice
from typing import Any, NoReturn, cast

from chainrule.checks import Extents, checked
from chainrule.descriptions import is_described, tree, written
from chainrule.descriptions.kinds import is_ours, values_of
from chainrule.errors import ChainruleError, GraphError, OptionError
from chainrule.graph import Graph, Node, Shape, form_of, input_node, scope_root
from chainrule.graph.template import LEAST_SIZES, require_same, template_of
from chainrule.graph.text import labels
from chainrule.graph.types import FLOATS
from chainrule.immutable import immutable
from chainrule.nn.build import Built, build_network
from chainrule.nn.graph_layer import DATA, FRESH, KEY, GraphForm, GraphInitialiser, GraphLayer, GraphUse
from chainrule.nn.layers import as_layer
from chainrule.nn.parts import Initialiser, Layer, LayerUse
from chainrule.nn.structure import is_layer

TRIED = (2, 3, 5, 7, 4, 6, 8, 12, 16)
"""The sizes of batch that a network is built for, until there are enough that it can be built for."""


@checked
def as_graph_layer(
    network: Layer, input_shape: Extents, *, batch_sizes: Iterable[int] = (), data_dtype: str = "float64"
) -> GraphLayer:
    """A network as the graph that its layers and functions make: equal in every number, and written down without its code.

    The graph is built for batches of 2, 3, 5 and 7 examples, in both dtypes, in use and in training, and what goes by the batch is found
    from these; for a single example, and for the sizes in `batch_sizes`, the result is compared with the graph that the network makes. A
    network that can be built for one of these sizes only gives a layer for this size. input_shape: the shape of one example. data_dtype:
    that of the data before they are scaled, which layers of whole numbers read.

    >>> from chainrule import ops
    >>> from chainrule.nn import Dense, Sequential, build_network
    >>> network = Sequential(Dense(3), lambda x: ops.sin(x) + 1.0)
    >>> layer = as_graph_layer(network, (2,))
    >>> [use.name for use in build_network(layer, (2,)).uses]
    ['dense1', 'function1']

    Raises: GraphError for a network whose graph goes by the batch in another way; what the network raises, where it can be built for no
    size.
    """
    recorder = _Recorder(as_layer(network), input_shape, tuple(dict.fromkeys(batch_sizes)), data_dtype)
    graph = recorder.form(training=False) or recorder.refused()
    training = recorder.form(training=True)
    parameters = {name: item for built in recorder.examples() for name, item in built.parameters.items()}
    states = {name: item for built in recorder.examples() for name, item in built.states.items()}
    return GraphLayer(
        graph,
        {name: _initialiser(item.initialiser, item.node.shape) for name, item in parameters.items()},
        states={name: _initialiser(item.initialiser, item.node.shape) for name, item in states.items()},
        training=None if training == graph else training,
        frozen=tuple(name for name, item in states.items() if item.frozen),
    )


@immutable
class _Recorder:
    """A network, what it is built for, and what it was built for so far."""

    network: Layer
    input_shape: Shape
    wanted: tuple[int, ...]
    data_dtype: str
    known: dict[tuple[int, str, bool], Built | None] = field(default_factory=dict[tuple[int, str, bool], "Built | None"])

    def build(self, size: int, dtype: str, training: bool) -> Built:
        """The network's graph, from leaves of its own on."""
        given: dict[str, Any] = (
            {"key": input_node(KEY, (2,), "uint32"), "fresh": input_node(FRESH, (), "bool")} if training else {}
        )
        x, data = (
            input_node("x", (size, *self.input_shape), dtype),
            input_node(DATA, (size, *self.input_shape), self.data_dtype),
        )
        return build_network(
            self.network, self.input_shape, dtype=cast("Any", dtype), training=training, x=x, data=data, **given
        )

    def built(self, size: int, dtype: str, training: bool) -> Built | None:
        """The same, or None where it cannot be built: a network may be any code, so that what it raises may be anything."""
        if (size, dtype, training) not in self.known:
            with suppress(Exception):
                self.known[size, dtype, training] = self.build(size, dtype, training)
        return self.known.setdefault((size, dtype, training), None)

    def examples(self) -> Iterator[Built]:
        """A build of each mode that there is, first those in training, which have all that those in use have."""
        for mode in (True, False):
            yield from (built for (_, _, training), built in self.known.items() if training is mode and built is not None)

    def refused(self) -> NoReturn:
        """Raises what the network raises."""
        self.build((*self.wanted, TRIED[0])[0], FLOATS[0], training=False)
        raise GraphError(
            "a network that is built at one time and not at another",
            expected="the same each time",
            remedy="build it of nothing that changes",
        )

    def form(self, *, training: bool) -> GraphForm | None:
        """The graph in use or in training; None where the network cannot be built."""
        # A function may be written for one dtype alone.
        for dtype in reversed(FLOATS):
            tried = list(islice((size for size in TRIED if self.built(size, dtype, training)), LEAST_SIZES))
            sizes = (
                tried if len(tried) == LEAST_SIZES else [size for size in self.wanted if self.built(size, dtype, training)][:1]
            )
            if sizes:
                return self.form_from(sizes, dtype, training)
        return None

    def form_from(self, sizes: list[int], dtype: str, training: bool) -> GraphForm:
        """The graph that gives those of these sizes back, and the one for a batch of one."""
        builds = {(size, dtype): self.built(size, dtype, training) for size in sizes}
        builds |= {(sizes[0], other): self.built(sizes[0], other, training) for other in FLOATS if other != dtype}
        found = {case: built for case, built in builds.items() if built}
        form = _form(template_of({case: _text(built) for case, built in found.items()}), next(iter(found.values())))
        if len(sizes) > 1:
            form = GraphForm(form.text, self.alone(form, training), form.uses, form.terms, form.padded)
        self.compare(form, (1, *sizes, *self.wanted) if len(sizes) > 1 else sizes, training)
        return form

    def alone(self, form: GraphForm, training: bool) -> str | None:
        """The text for a batch of one: "" if the form gives it, None if there is none."""
        found = {(1, dtype): _graph(built) for dtype in reversed(FLOATS) if (built := self.built(1, dtype, training))}
        with suppress(ChainruleError):
            if all(form_of(form.graph(*case)) == form_of(graph) for case, graph in found.items()):
                return "" if found else None
        return template_of({case: str(graph) for case, graph in found.items()})

    def compare(self, form: GraphForm, sizes: Iterable[int], training: bool) -> None:
        """Refuses a form that is not what the network makes for each of these sizes."""
        for size in dict.fromkeys(sizes):
            for dtype in FLOATS:
                if built := self.built(size, dtype, training):
                    require_same(form.graph(size, dtype), _graph(built), size)


def _graph(built: Built) -> Graph:
    """All that a build computes, by name, with its leaves also where nothing reads them."""
    outputs = {"output": built.output}
    outputs |= {f"next.{name}": state.next for name, state in built.states.items() if state.next is not None}
    outputs |= {f"term.{name}": term.rows for name, term in built.terms.items()}
    outputs |= {f"padded.{place}": node for place, (node, _) in enumerate(built.padded)}
    return Graph(outputs, unused=[item.node for item in (*built.parameters.values(), *built.states.values())])


def _text(built: Built) -> str:
    """The graph's text, and below it the types of what each layer was given and gave."""
    return "\n".join([str(_graph(built)), *(f"{use.input!r} {use.output!r}" for use in built.uses)])


def _form(template: str, built: Built) -> GraphForm:
    lines = template.split("\n")
    end = len(lines) - len(built.uses)
    types = (line.split(" ") for line in lines[end:])
    called = labels(_graph(built).nodes)
    return GraphForm(
        "\n".join(lines[:end]),
        uses=tuple(_use(use, built, called, given, gives) for use, (given, gives) in zip(built.uses, types, strict=True)),
        terms={name: term.formula for name, term in built.terms.items()},
        padded=tuple(value for _, value in built.padded),
    )


def _use(use: LayerUse, built: Built, called: Mapping[Node, str], given: str, gives: str) -> GraphUse:
    layer = _without_code(use, built)
    kept = cast("Layer", layer) if is_layer(type(layer)) and is_kept(layer) else None
    ends = tuple(called[node] for node in use.ends or () if node in called)
    return GraphUse(
        use.name, use.kind, given, gives, use.parameters, use.states, use.first, kept, ends if len(ends) == 2 else ()
    )


def _without_code(use: LayerUse, built: Built) -> object:
    """The layer, first values that are made of code as their graphs."""
    if not is_described(type(use.layer)):
        return use.layer
    known = {**built.parameters, **built.states}
    items = [item for name in (*use.parameters, *use.states) if not is_kept((item := known[name]).initialiser)]
    made = {name: item for name, value in values_of(use.layer) for item in items if value is item.initialiser}
    changed = {name: _initialiser(item.initialiser, item.node.shape) for name, item in made.items()}
    return replace(cast("Any", use.layer), **changed) if changed else use.layer


def is_kept(value: object) -> bool:
    """Whether a value is made of chainrule's own descriptions alone, which every file may name."""
    try:
        written(value)
    except OptionError:
        return False
    return all(is_ours(type(item)) for item, _ in tree(value))


def _initialiser(initialiser: Initialiser, shape: Shape) -> Initialiser:
    """First values, as their graph where they are made of code."""
    if is_kept(initialiser):
        return initialiser
    with scope_root(""):
        return GraphInitialiser(str(Graph({"values": initialiser(input_node(KEY, (2,), "uint32"), shape)})))
