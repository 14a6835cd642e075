"""A model: a network with one set of parameters, in float64: what explanations, pictures and checks look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from chainrule.checks import Count, checked, shown, unknown
from chainrule.derivatives import grad
from chainrule.display import Shown
from chainrule.engines import engine_named
from chainrule.errors import OptionError, OptionTypeError, ShapeError
from chainrule.graph import Array, Graph, Node, compute, input_node, rewrite_nodes, topological_order
from chainrule.immutable import immutable
from chainrule.nn import Ablated, Built, Export, Parameter, State
from chainrule.ops import reshape, scan
from chainrule.spelling import suggest
from chainrule.trace import GradientCheck, OtherMode, ThroughTime, Trace, check_gradient, step_by_step
from chainrule.train.checked import checked_examples
from chainrule.train.clock import Clock
from chainrule.train.evaluation import decide
from chainrule.train.given import given_examples, no_examples, numbered
from chainrule.train.inputs import as_inputs
from chainrule.train.learning_problem import Cost, LearningProblem

Arrays: TypeAlias = dict[str, Array]
LARGE = 10_000_000
"""Graphs with more numbers than this, such as convolutions of a piece of examples, are compiled whatever engine was chosen."""
MOST_PROGRAMS = 16
"""So many programs are kept for the models of one problem, the last ones that were made."""
PIECE = 1000
"""Examples that are looked at together; more are cut into pieces of this size."""


@immutable
class Model(Shown):
    """A task's network with one set of parameters by name; every number is float64.

    Inputs `x` (n, ...) and targets `y` are rows as the data hold them: scaling is part of the graph. The network is built for
    inference: dropout does nothing here. `parameters` are what derivatives are taken by, `weights` those of frozen layers too, which
    may be given among the parameters and stand among the states.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    >>> model = run.model()
    >>> values = model.quantities(run.data.test.x[:5])
    >>> values["dense1.z"].shape, values["dense2.a"].shape
    ((5, 3), (5, 2))
    >>> {name: g.shape for name, g in model.gradient(run.data.train.x, run.data.train.y).items()}
    {'dense1.W': (2, 3), 'dense1.b': (3,), 'dense2.W': (3, 2), 'dense2.b': (2,)}
    """

    problem: LearningProblem
    parameters: Mapping[str, Array]
    engine: str = "reference"
    states: Mapping[str, Array] = field(default_factory=dict[str, Array])

    def __post_init__(self) -> None:
        kept = {name for name, state in self.problem.states.items() if state.frozen}
        learned = {name: value for name, value in self.parameters.items() if name not in kept}
        states = {**{name: value for name, value in self.parameters.items() if name in kept}, **self.states}
        object.__setattr__(self, "problem", self.problem.in_float64)
        object.__setattr__(self, "parameters", _checked("parameter", learned, self.problem.parameters))
        object.__setattr__(self, "states", _checked("state", states, self.problem.states))

    @property
    def export(self) -> Export:
        """The network with its scalings, for `nn.to_code` and `nn.to_peer`: what leaves the house computes what it computes here."""
        return self.problem.export

    @property
    def values(self) -> Arrays:
        """Parameters and states together: all that the network's graph takes beside the examples."""
        return {**self.parameters, **self.states}

    @property
    def weights(self) -> Arrays:
        """What layers weigh by: the parameters, and the weights of frozen layers."""
        return {name: self.values[name] for name in self.problem.weights}

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the objective's terms: losses, then penalties."""
        return tuple(self.problem.described.terms)

    @cached_property
    def has_memory(self) -> bool:
        """Whether there is a loop over time in the network: a recurrent layer."""
        return any(node.op is scan for node in topological_order([self.problem.described.built.output]))

    @cached_property
    def quantity_names(self) -> tuple[str, ...]:
        """The names of the network's quantities that have a row for each example, in topological order: dense1.z, dense1.a, ..."""
        return tuple(_quantities(self.problem.described.built))

    @checked
    def with_parameters(self, changed: Mapping[str, Array], states: Mapping[str, Array] | None = None) -> Model:
        """The same network with other values for some weights, by name, frozen ones too; and with other states if they are given.

        Shapes: each value as its parameter. Raises: OptionError for a name that there is not, ShapeError.
        """
        unknown = sorted(set(changed) - set(self.weights))
        if unknown:
            raise OptionError(
                f"values for {', '.join(unknown)}",
                expected=f"some of {', '.join(self.weights)}",
                remedy=suggest(unknown[0], self.weights),
            )
        moved = {**self.values, **(states or {}), **changed}
        return Model(
            self.problem,
            {name: moved[name] for name in self.parameters},
            self.engine,
            {name: moved[name] for name in self.states},
        )

    @checked
    def ablated(self, quantity: str, neurons: int | Sequence[int], value: float = 0.0) -> Model:
        """The model with these neurons of a quantity held at a value, whatever the inputs: what follows is computed from it.

        Everything before the quantity, and its other neurons, stay as they are. Neurons are counted from 0, along the last axis
        first. Raises: OptionError for the network's output, an unknown quantity, or a neuron that it does not have.

        >>> import chainrule as cr
        >>> model = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10).model()
        >>> held = model.ablated("dense1.a", 1, 0.5)
        >>> held.quantities(model.problem.dataset_info.scaling.offset + np.zeros((1, 2)))["dense1.a"][0, 1].item()
        0.5
        """
        chosen = (neurons,) if isinstance(neurons, int | np.integer) else tuple(neurons)
        network = Ablated(self.problem.network, quantity, tuple(int(neuron) for neuron in chosen), float(value))
        # The loss is said, since the usual one was found by looking at the network as it was.
        return Model(
            replace(self.problem, network=network, loss=self.problem.objective), self.parameters, self.engine, self.states
        )

    @checked
    def isolated(self, quantity: str, neuron: int) -> Model:
        """The model with all neurons of a quantity but this one held at 0: what the neuron says when it speaks alone."""
        self.ablated(quantity, neuron)  # says what is wrong with the names
        nodes = topological_order([self.problem.described.built.output])
        count = next(math.prod(node.shape[1:]) for node in nodes if node.name == quantity)
        others = [other for other in range(count) if other != neuron]
        return self.ablated(quantity, others) if others else self

    # ---- numbers

    @checked
    def quantities(self, x: Any, names: Collection[str] | None = None) -> Arrays:
        """Each named quantity of the network for inputs x (n, ...): by name, (n, ...), with "output" in the network's own units.

        `names` says which of them are wanted; of many examples of a wide network all together may not find room in memory.
        """
        x = as_inputs(self.problem.dataset_info, x)

        def graph(size: int) -> Graph:
            built = self.problem.cost(size).built
            found = {**_quantities(built), "output": built.output}
            return Graph({name: node for name, node in found.items() if names is None or name in names})

        kind = f"quantities {'' if names is None else sorted(names)}"
        return _joined([self._run(kind, len(rows), graph, {"x": rows}) for rows in self._pieces(x)])

    @checked
    def quantities_from(self, quantity: str, values: Any) -> Arrays:
        """What follows from values (n, ...) of a quantity inside the network, whatever the input: by name, with "output".

        So an autoencoder's code is decoded. Of a layer that is used several times the last use is bound, the one that `quantities`
        shows. Raises: OptionError for an unknown quantity, and where the output also depends on the input by another way; ShapeError
        for values that do not fit.

        >>> import chainrule as cr
        >>> model = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10).model()
        >>> list(model.quantities_from("dense1.a", np.zeros((5, 3))))
        ['dense1.a', 'dense2.z', 'dense2.a', 'output']
        """
        values = _array("values", values)

        def graph(size: int) -> Graph:
            return _graph_from(self.problem.cost(size).built, quantity)

        shape = graph(self.problem.size).leaves[quantity].shape[1:]
        if values.ndim == 0 or values.shape[1:] != shape:
            raise ShapeError(
                f"values of shape {values.shape} for {quantity}",
                expected=f"(n, {', '.join(map(str, shape))}): a row of its numbers for each example",
                remedy="give one value for each neuron",
            )
        return _joined([self._run(f"from {quantity}", len(rows), graph, {quantity: rows}) for rows in self._pieces(values)])

    @checked
    def decide(self, x: Any) -> Array:
        """The label that each row of predictions stands for: (n,), int64."""
        return decide(self.problem.in_target_units(self.quantities(x, {"output"})["output"]), self.problem.threshold)

    @checked
    def costs(self, x: Any, y: Any) -> Array:
        """The losses of each example, penalties left out: (n,)."""
        x, y = given_examples(self.problem.dataset_info, x, y)

        def graph(size: int) -> Graph:
            return Graph({"costs": self.problem.cost(size).each})

        pairs = zip(self._pieces(x), self._pieces(y), strict=True)
        return np.concatenate([self._run("costs", len(a), graph, {"x": a, "y": b})["costs"] for a, b in pairs])

    @checked
    def cost(self, x: Any, y: Any) -> float:
        """The objective C on these examples: mean loss and penalties."""
        return float(sum(self.term_values(x, y).values()))

    @checked
    def term_values(self, x: Any, y: Any) -> dict[str, float]:
        """Each term of the objective on these examples."""
        return {name: float(value) for name, value in self._mean("terms", x, y, lambda cost: dict(cost.terms)).items()}

    @checked
    def gradient(self, x: Any, y: Any, term: str | None = None) -> Arrays:
        """∂C/∂parameter on these examples, by name; of one term of the objective only where `term` names it.

        Shapes: x (n, ...), y (n, ...) in the units of the data; each result as its parameter, float64. Raises: OptionError for a term
        that there is not, ShapeError, DataError.
        """
        if term is not None and term not in self.terms:
            raise unknown(f"term {term!r}", term, self.terms)

        def nodes(cost: Cost) -> dict[str, Node]:
            wrt = {name: item.node for name, item in cost.built.parameters.items()}
            found = grad(cost.total if term is None else cost.terms[term], list(wrt.values()))
            # What the cost does not depend on has the derivative 0; 0·w keeps its shape and type.
            return {name: w * 0.0 if g is None else g for (name, w), g in zip(wrt.items(), found, strict=True)}

        return self._mean(f"gradient {term}", x, y, nodes)

    @checked
    def example_gradients(self, x: Any, y: Any, term: str | None = None) -> Arrays:
        """∂C_i/∂parameter of each example alone, by name: (n, *shape of the parameter)."""
        x, y = given_examples(self.problem.dataset_info, x, y)
        found = [self.gradient(x[i : i + 1], y[i : i + 1], term) for i in range(len(x))]
        return {name: np.stack([row[name] for row in found]) for name in self.parameters}

    @checked
    def unrolled(self, size: Count | None = None) -> Graph:
        """The graph of the cost "C" and the "output" for a batch of this size (None: one), each recurrent layer as its time steps.

        >>> import chainrule as cr
        >>> run = cr.fit(cr.Sequential(cr.RNN(3), cr.Dense(2, "softmax")), cr.data.recall(8, gap=1), epochs=1, batch_size=8)
        >>> [node.name for node in run.model().unrolled().nodes if node.name.startswith("rnn1.h")]
        ['rnn1.h.t1', 'rnn1.h.t2', 'rnn1.h.t3']
        """
        cost = self.problem.described if size is None else self.problem.cost(size)
        return step_by_step(Graph({"C": cost.total, "output": cost.built.output}))

    @checked
    def through_time(self, x: Any, y: Any) -> ThroughTime:
        """What these examples do in a network with memory at each time step, forward and back: back-propagation through time, looked at.

        Source: P. J. Werbos, Proceedings of the IEEE 78, 1550 (1990).

        >>> import chainrule as cr
        >>> run = cr.fit(cr.Sequential(cr.RNN(3), cr.Dense(2, "softmax")), cr.data.recall(8, gap=1), epochs=1, batch_size=8)
        >>> x, y = run.data.train.x, run.data.train.y
        >>> steps = run.model().through_time(x, y)
        >>> steps.gradients("rnn1.h").shape, steps.contributions("rnn1.U").shape
        ((8, 3, 3), (3, 3, 3))
        >>> bool(np.allclose(steps.contributions("rnn1.U").sum(axis=0), run.model().gradient(x, y)["rnn1.U"]))
        True
        """
        x, y = given_examples(self.problem.dataset_info, x, y)
        graph = self.unrolled(len(x))
        given = self.taken(x, y)
        leaves = {name: value for name, value in {**self.values, **given}.items() if name in graph.leaves}
        return ThroughTime(Trace(graph, leaves), len(x))

    def check_gradient(
        self,
        mine: Mapping[str, object] | Callable[[Arrays], Mapping[str, object]],
        x: Array,
        y: Array,
        *,
        training: bool = False,
    ) -> GradientCheck:
        """A gradient of C on these examples that was written by hand, beside the true one: see `chainrule.check_gradient`.

        `mine` holds arrays by parameter, or makes them of the parameters' values and of "x" and "y", the examples as they are in the data;
        "input.a" are the inputs as the network sees them, scaled, and "target" the targets as the cost sees them. `x` and `y` are rows, or
        one example without the axis of the batch. With `training` the network is the one that is trained: BatchNorm uses the mean and
        variance of these examples, and Dropout drops what its mask says, which is there by the mask's name, "dropout1.kept".

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
        >>> x, y = run.data.train.x[:7], run.data.train.y[:7]
        >>> summed = {name: 7 * g for name, g in run.model().gradient(x, y).items()}
        >>> [mistake.name for mistake in run.model().check_gradient(summed, x, y).diagnosis]
        ['missing 1/B']
        >>> run.model().check_gradient(run.model().gradient(x[:1], y[:1]), x[0], y[0]).ok
        True

        Raises: ShapeError for examples of another shape than the data's; DtypeError for fractions given to a network that was trained on
        bytes or other whole numbers, and what `chainrule.check_gradient` raises.
        """
        given = checked_examples(self.problem.dataset_info, x, y)
        graph, values = self._cost_in(given, training=training)
        seen = self._seen(graph, values)

        def made(leaves: Arrays) -> Mapping[str, object]:
            return mine({**leaves, **seen}) if callable(mine) else mine

        other = self._other_mode(given, graph, is_training=not training)
        return check_gradient(made if callable(mine) else mine, graph, values, other_mode=other)

    def _cost_in(self, given: Arrays, *, training: bool) -> tuple[Graph, Arrays]:
        """The graph of C as it is in training or at inference, and values for its leaves."""
        graph = Graph({"C": self.problem.cost(len(given["x"]), Clock() if training else None).total})
        # Numbers with a fraction keep all their digits: the check widens the whole graph to float64.
        wide = {name for name, node in graph.leaves.items() if node.type.is_float}
        given = {name: value.astype(np.float64) if name in wide else value for name, value in given.items()}
        clock = {"seed": np.zeros(2, np.uint32), "step": np.zeros(()), "batch": np.zeros(())}
        return graph, {name: value for name, value in {**clock, **self.values, **given}.items() if name in graph.leaves}

    def _other_mode(self, given: Arrays, graph: Graph, *, is_training: bool) -> OtherMode | None:
        """The network in its other mode, if it has one that can be built for so many examples and looks at other things."""
        try:
            other, values = self._cost_in(given, training=is_training)
        except ShapeError:
            return None
        return OtherMode(other, values, is_training) if set(other.leaves) != set(graph.leaves) else None

    def _seen(self, graph: Graph, values: Arrays) -> Arrays:
        """What the network makes of the examples before it computes: scaled inputs, scaled targets, the masks of dropouts."""
        found = {"input.a": values["x"]} if {"x", "y"} <= set(values) else {}
        if "y" in values:
            found["target"] = self.problem.targets_seen(values["y"])
        named = {node.name: node for node in graph.nodes if node.name == "input.a" or node.name.endswith(".kept")}
        if named:
            leaves = {node: np.asarray(values[name]) for name, node in graph.leaves.items()}
            found |= dict(zip(named, compute(named.values(), leaves), strict=True))
        return found

    # ---- running graphs

    def taken(self, x: Array, y: Array) -> Arrays:
        """Inputs and targets as the data hold them."""
        return {name: self._one_taken(name, value) for name, value in (("x", x), ("y", y))}

    def _one_taken(self, name: str, value: Array) -> Array:
        if name == "x":
            return as_inputs(self.problem.dataset_info, value)
        data = self.problem.dataset_info
        return np.asarray(numbered(data, value), data.target_dtype) if name == "y" else np.asarray(value, np.float64)

    def _pieces(self, rows: Array) -> list[Array]:
        return _cut(rows, self.problem.pieces(len(rows), PIECE))

    def _mean(self, kind: str, x: Array, y: Array, nodes: Callable[[Cost], dict[str, Node]]) -> Arrays:
        """What is a mean over examples, over all pieces; each counts by its size."""
        total: Arrays = {}
        x, y = given_examples(self.problem.dataset_info, x, y)
        for rows, targets in zip(self._pieces(x), self._pieces(y), strict=True):
            values = {"x": rows, "y": targets}
            found = self._run(kind, len(rows), lambda size: Graph(nodes(self.problem.cost(size))), values)
            for name, value in found.items():
                total[name] = total.get(name, 0.0) + value * (len(rows) / len(x))
        return total

    def _run(self, kind: str, size: int, graph: Callable[[int], Graph], values: Mapping[str, Array]) -> Arrays:
        key, known = (self.engine, kind, size), self.problem.programs
        found = known.get(key)
        if found is None:
            made = graph(size)
            numbers = sum(node.type.size for node in made.nodes)
            engine = "native" if numbers > LARGE else self.engine
            found = known[key] = engine_named(engine).compile(made), frozenset(made.leaves)
            for old in list(known)[:-MOST_PROGRAMS]:
                known.pop(old, None)
        given = {name: self._one_taken(name, value) for name, value in values.items()}
        program, leaves = found
        # A graph takes what it depends on: the gradient of a penalty takes no examples.
        return program({name: value for name, value in {**self.values, **given}.items() if name in leaves})


def _checked(kind: str, given: Mapping[str, Array], known: Mapping[str, Parameter] | Mapping[str, State]) -> Arrays:
    if set(given) != set(known):
        raise OptionError(
            f"{kind}s {', '.join(given) or 'none'}",
            expected=", ".join(known) or "none",
            remedy=f"give a value for each {kind} of the network: run.{kind}s()",
        )
    values = {name: _array(name, given[name]) for name in known}
    for name, value in values.items():
        if value.shape != known[name].node.shape:
            raise OptionError(
                f"{name} of shape {value.shape}",
                expected=f"shape {known[name].node.shape}",
                remedy="transpose or reshape it",
            )
    return values


def _array(name: str, value: object) -> Array:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionTypeError(
            f"{name}={shown(value)}", expected="an array of numbers", remedy="give what run.parameters() gives"
        ) from None


def _quantities(built: Built) -> dict[str, Node]:
    """The named quantities of the output and of the auxiliary losses of layers, with a row for each example."""
    return {name: _by_example(node, built) for name, node in _named(built).items()}


def _named(built: Built) -> dict[str, Node]:
    ends = [built.output, *(term.rows for term in built.terms.values())]
    return {node.name: node for node in topological_order(ends) if _is_quantity(node)}


def _by_example(node: Node, built: Built) -> Node:
    """The node with a row for each example, also where a layer takes each time step of it for one: (n·time, k) as (n, time, k)."""
    size, rows = built.input.shape[0], node.shape[0]
    return node if rows == size or rows % size else reshape(node, shape=(size, rows // size, *node.shape[1:]))


def _graph_from(built: Built, quantity: str) -> Graph:
    """The output and the quantities that follow from one of them, which becomes an input leaf of its own name."""
    found = _quantities(built)
    if quantity not in found:
        raise unknown(f"quantity {quantity!r}", quantity, found)
    bound = _named(built)[quantity]
    leaf = input_node(quantity, found[quantity].shape, bound.dtype)
    rows = leaf if leaf.shape == bound.shape else reshape(leaf, shape=bound.shape)
    whole = Graph({**found, "output": built.output})
    outputs = rewrite_nodes("binding", whole, lambda node: rows if node is bound else None)[0].outputs
    apart = {name: node for name, node in outputs.items() if built.input not in topological_order([node])}
    if "output" not in apart:
        raise OptionError(
            f"the output, computed from {quantity} alone",
            expected="a quantity that all ways from the input to the output lead through",
            remedy="choose another quantity; beside a residual connection there is a second way",
        )
    return Graph(apart)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    if not parts:
        raise no_examples()
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _is_quantity(node: Node) -> bool:
    return bool(node.name) and not node.is_leaf and node.type.ndim >= 1 and node.type.is_float


def _cut(rows: Array, sizes: Array) -> list[Array]:
    return [rows[end - size : end] for end, size in zip(np.cumsum(sizes), sizes, strict=True)]
