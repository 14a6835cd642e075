"""The trace: a graph with every number of its forward and backward pass, in float64, on the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import cast

import numpy as np

from chainrule.checks import Natural, checked
from chainrule.derivatives import vjp
from chainrule.display import Shown
from chainrule.engines import ExecutionPlan
from chainrule.errors import GraphError, OptionError, ShapeError
from chainrule.graph import PARAMETER, Array, Graph, Node, compute, constant, evaluator, formula, topological_order
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.trace.precise import in_float64, lengthened
from chainrule.trace.quantities import Quantity, quantities_of, quantity_through

Index = tuple[int, ...]


@immutable
class DerivativeTerm(Shown):
    """What one user of a quantity passes back to it: one of the paths whose sum is its derivative."""

    user: Quantity
    place: int
    value: Array


@immutable
class Path(Shown):
    """One step of the chain rule for one entry: ∂C/∂entry gets ∂(user's entry)/∂entry · ∂C/∂(user's entry)."""

    user: Quantity
    index: Index
    local: float
    arriving: float

    @property
    def product(self) -> float:
        """What this path adds to the derivative."""
        return self.local * self.arriving


@immutable
class Stored(Shown):
    """A value that the forward pass keeps because the backward pass reads it, and its size in bytes; one without a name by its formula."""

    name: str
    shape: Index
    bytes: int


@immutable
class Push(Shown):
    """How one entry of an input moves an entry of a quantity: the slope ∂quantity/∂input there, and the input's value."""

    source: Quantity
    index: Index
    slope: float
    value: float

    @property
    def size(self) -> float:
        """Slope times value: for a weighted sum, exactly what this input contributes to it."""
        return self.slope * self.value


@checked
class Trace(Shown):
    """Every quantity of a graph with its value, its derivative ∂C/∂(it), and the terms that this is the sum of.

    `values` binds the leaves by name. What depends on `cost`, an output of the graph, is differentiated, but for the leaves that are named
    `fixed`: by these no derivative is asked for. With `every`, each node is a quantity; else those with names. All numbers are float64; a
    float32 graph is computed anew in float64.

    >>> from chainrule.graph import input_node, parameter
    >>> from chainrule.ops import sigmoid
    >>> w, b, a0 = parameter("w"), parameter("b"), input_node("a0")
    >>> z = (w * a0 + b).named("z")
    >>> a = sigmoid(z).named("a")
    >>> trace = Trace(Graph({"C": (a - 1.0) * (a - 1.0)}), {"w": 0.7, "b": 0.1, "a0": 0.6})
    >>> round(float(trace.value("a")), 5), round(float(trace.derivative("w")), 5)
    (0.62715, -0.10462)
    >>> [(factor.user.name, round(factor.local, 4)) for factor in trace.factors("w")]
    [('z', 0.6), ('a', 0.2338), ('C', -0.7457)]

    Raises: GraphError, ShapeError, DtypeError for values that do not fit; OptionError for an output that is no scalar.
    """

    def __init__(
        self,
        graph: Graph,
        values: Mapping[str, object],
        cost: str = "C",
        *,
        every: bool = False,
        fixed: Collection[str] = (),
    ) -> None:
        if cost not in graph.outputs:
            raise OptionError(f"cost {cost!r}", expected=f"one of {', '.join(graph.outputs)}", remedy="name a scalar output")
        self.graph = in_float64(graph)
        self.cost_name = cost
        self.cost = self.graph.outputs[cost]
        if self.cost.shape != () or not self.cost.type.is_float:
            raise ShapeError(f"the cost {self.cost!r}", expected="one number, a scalar", remedy="reduce it: mean or sum")
        self.quantities = quantities_of(self.graph, every=every)
        self.fixed = tuple(q for q in self.quantities if q.is_leaf and q.name in fixed)
        self._by_node = {quantity.node: quantity for quantity in self.quantities}
        self._numbers = self._run(values)
        self._evaluators: dict[Node, Callable[[Mapping[Node, Array]], list[Array]]] = {}

    def _run(self, values: Mapping[str, object]) -> dict[Node, Array]:
        """All values and derivatives: forward and backward are one graph, run at once."""
        bound = {node.name: array for node, array in self.graph.bind({k: _widened(v) for k, v in values.items()}).items()}
        wanted = {f"n{place}": node for place, node in enumerate((*self.graph.nodes, *self._adjoints.values()))}
        with np.errstate(all="ignore"):
            plan = ExecutionPlan(Graph(wanted), bound)
            plan.run()
        return plan.values

    @cached_property
    def extended(self) -> Mapping[Node, Array]:
        """All values and derivatives once more, with as many digits as this machine has: what float64 has rounded off shows.

        Leaves have the values that they have in float64.
        """
        wanted = (*self.graph.nodes, *self._adjoints.values())
        leaves = {node: lengthened(self._numbers[node]) for node in self.graph.leaves.values()}
        return dict(zip(wanted, compute(wanted, leaves), strict=True))

    @cached_property
    def largest_derivative(self) -> float:
        """The largest |∂C/∂entry| of all parameters and inputs."""
        arrays = [found for quantity in self.quantities if quantity.is_leaf and (found := self.arriving(quantity)) is not None]
        return max((float(np.max(np.abs(array), initial=0.0)) for array in arrays), default=0.0)

    def extended_arriving(self, quantity: Quantity) -> Array | None:
        """∂C/∂(the quantity), computed with as many digits as this machine has."""
        adjoint = self._adjoints.get(quantity.node)
        return None if adjoint is None else self.extended[adjoint]

    @cached_property
    def _adjoints(self) -> dict[Node, Node]:
        """For each quantity that the cost depends on the node of its derivative."""
        wrt = [quantity.node for quantity in self.quantities if quantity.node.type.is_float and quantity not in self.fixed]
        found = vjp([self.cost], wrt, [constant(1.0, self.cost.dtype)])
        return {node: adjoint for node, adjoint in zip(wrt, found, strict=True) if adjoint is not None}

    # ---- asking

    def quantity(self, name: str) -> Quantity:
        """The quantity of this name ("C" or the output's name for the cost)."""
        names = self._by_name
        if name not in names:
            raise GraphError(f"no quantity {name!r}", expected=", ".join(names), remedy=suggest(str(name), names))
        return names[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Quantity]:
        names = {quantity.name: quantity for quantity in self.quantities}
        return names | {label: self._by_node[node] for label, node in self.graph.outputs.items() if node in self._by_node}

    @checked
    def value(self, name: str) -> Array:
        """The quantity's value."""
        return self._numbers[self.quantity(name).node]

    @checked
    def derivative(self, name: str) -> Array | None:
        """∂C/∂(the quantity), of its shape; None where C does not depend on it, and where it is not asked for.

        Of an activation that the loss is computed past (see `past`) it is that of the loss as a function of the activation.
        """
        return self.derivative_by(self.quantity(name))

    def derivative_by(self, quantity: Quantity) -> Array | None:
        """As `derivative`, for a quantity."""
        past = self.past.get(quantity)
        arriving = None if past is None else self.arriving(past)
        if past is None or past.rules[0] is None or arriving is None:
            return self.arriving(quantity)
        return self.passed_back(past, past.rules[0], arriving)

    @cached_property
    def past(self) -> Mapping[Quantity, Quantity]:
        """Activations that the cost is computed past, each with the loss as a function of it: C = −log a, though it runs from z."""
        return {activation: user for activation, user in self.passed.items() if self._is_finite_past(user)}

    @cached_property
    def passed(self) -> Mapping[Quantity, Quantity]:
        """As `past`, also where an activation was rounded to 0 or 1, so that the loss as a function of it is lost."""
        reached = [quantity for quantity in self.quantities if quantity.node in self._adjoints]
        found: dict[Quantity, Quantity] = {}
        for activation in self.quantities:
            if activation.node not in self._adjoints and not activation.is_leaf:
                made = [made for user in reached if (made := quantity_through(user, activation)) is not None]
                found |= {activation: made[0]} if made else {}
        return found

    def _is_finite_past(self, past: Quantity) -> bool:
        """Whether the loss as a function of the activation can be computed: not where that was rounded to 0 or 1."""
        rule, arriving = past.rules[0], self.arriving(past)
        return rule is not None and arriving is not None and bool(np.all(np.isfinite(self.passed_back(past, rule, arriving))))

    def value_of(self, quantity: Quantity) -> Array:
        """The value of a quantity."""
        return self._numbers[quantity.node]

    def number(self, node: Node) -> Array:
        """The value of any node of the graph, a quantity or not."""
        return self._numbers[node]

    def arriving(self, quantity: Quantity) -> Array | None:
        """∂C/∂(the quantity): what arrives at it in the backward pass."""
        adjoint = self._adjoints.get(quantity.node)
        return None if adjoint is None else self._numbers[adjoint]

    @cached_property
    def users(self) -> Mapping[Quantity, tuple[tuple[Quantity, int], ...]]:
        """For each quantity those computed directly from it, each with the place that it has there; none for one that is fixed."""
        users: dict[Quantity, list[tuple[Quantity, int]]] = {quantity: [] for quantity in self.quantities}
        for quantity in self.quantities:
            for place, source in enumerate(quantity.inputs):
                users[source].append((quantity, place))
        return {quantity: () if quantity in self.fixed else tuple(found) for quantity, found in users.items()}

    def terms(self, quantity: Quantity) -> tuple[DerivativeTerm, ...]:
        """What each user passes back; their sum is the derivative. A quantity that feeds several others has several."""
        found: list[DerivativeTerm] = []
        for user, place in self.users[quantity]:
            rule, arriving = user.rules[place], self.arriving(user)
            if rule is not None and arriving is not None:
                found.append(DerivativeTerm(user, place, self.passed_back(user, rule, arriving)))
        return tuple(found)

    def passed_back(self, user: Quantity, rule: Node, arriving: Array) -> Array:
        """The value of a rule of `user` at the values of the trace."""
        return self._at(rule, {**self._bound(user), user.arriving: arriving})

    def _at(self, node: Node, bound: Mapping[Node, Array]) -> Array:
        """The value of a rule or a push: it is asked for each entry, so what there is to compute is found once."""
        if node not in self._evaluators:
            self._evaluators[node] = evaluator([node], bound)
        return self._evaluators[node](bound)[0]

    def _bound(self, user: Quantity) -> dict[Node, Array]:
        return {leaf: self._numbers[source.node] for leaf, source in zip(user.stand_ins, user.inputs, strict=True)}

    # ---- one entry

    @checked
    def paths(self, name: str, index: Index = ()) -> tuple[Path, ...]:
        """The chain rule for one entry: a path to each entry of a user that it moves; the products' sum is the entry's derivative.

        v̄_i = Σ over children j of v̄_j·∂v_j/∂v_i, the products in the order of the users. Where nothing moves (a dead ReLU) the path
        with the factor 0 is kept.
        """
        quantity = self.quantity(name)
        require_index(quantity, index)
        found: list[Path] = []
        for user, place in [(self.past[quantity], 0)] if quantity in self.past else self.users[quantity]:
            push, arriving = user.pushes[place], self.arriving(user)
            if push is None or arriving is None:
                continue
            unit = np.zeros(quantity.node.shape)
            unit[index] = 1.0
            column = self._at(push, {**self._bound(user), user.tangents[place]: unit})
            moved = [tuple(map(int, spot)) for spot in np.argwhere(column != 0)]
            moved = moved or ([index] if np.shape(column) == quantity.node.shape else [])
            found += [Path(user, spot, float(column[spot]), float(arriving[spot])) for spot in moved]
        return tuple(found)

    @checked
    def factors(self, name: str, index: Index = ()) -> tuple[Path, ...]:
        """The factors of an entry's derivative along its path, as far as there is only one: ∂C/∂w = ∂z/∂w · ∂a/∂z · ∂C/∂a.

        Each is a path whose `local` is the factor; the last one's `arriving` is the derivative that the chain ends with.
        """
        chain: list[Path] = []
        paths = self.paths(name, index)
        while len(paths) == 1:
            chain.append(paths[0])
            paths = self.paths(paths[0].user.name, paths[0].index)
        return tuple(chain)

    @checked
    def pushes(self, name: str, index: Index = (), most: Natural = 3) -> tuple[Push, ...]:
        """The entries of inputs that push an entry of a quantity most, by slope times value, the largest first.

        Matrices of parameters are left out: a product's push counts for what the weight is multiplied with.
        """
        quantity = self.quantity(name)
        require_index(quantity, index)
        unit = np.zeros(quantity.node.shape)
        unit[index] = 1.0
        found: list[Push] = []
        for source, rule in zip(quantity.inputs, quantity.rules, strict=True):
            if rule is not None and not (source.node.op is PARAMETER and source.node.type.ndim > 1):
                slopes, values = np.asarray(self.passed_back(quantity, rule, unit)), self.value_of(source)
                places: list[int] = np.argsort(-np.abs(slopes * values), axis=None, kind="stable")[:most].tolist()
                spots = [tuple(map(int, np.unravel_index(place, source.node.shape))) for place in places]
                found += [Push(source, spot, float(slopes[spot]), float(values[spot])) for spot in spots]
        return tuple(sorted(found, key=lambda push: -abs(push.size))[:most])

    # ---- memory

    @cached_property
    def stored(self) -> tuple[Stored, ...]:
        """What the forward pass must keep for the backward pass of the parameters; leaves are there anyway and do not count."""
        forward = topological_order([self.cost])
        known = set(forward)
        adjoints = [self._adjoints[node] for node in forward if node.op is PARAMETER and node in self._adjoints]
        read = {
            source for node in topological_order(adjoints) if node not in known for source in node.inputs if source in known
        }
        return tuple(
            Stored(node.name or formula(node), node.shape, node.type.nbytes)
            for node in forward
            if node in read and not node.is_leaf
        )

    @property
    def parameters(self) -> tuple[Quantity, ...]:
        """The quantities that are parameters."""
        return tuple(quantity for quantity in self.quantities if quantity.node.op is PARAMETER)

    def __repr__(self) -> str:
        return f"<Trace: {len(self.quantities)} quantities, {self.cost_name} = {numeral(float(self._numbers[self.cost]), 6)}>"


def require_index(quantity: Quantity, index: Index) -> None:
    """Refuses an index that is not one of the quantity's."""
    shape = quantity.node.shape
    if len(index) != len(shape) or any(not 0 <= i < extent for i, extent in zip(index, shape, strict=True)):
        raise OptionError(
            f"entry {list(index)} of {quantity.name}, which has shape {shape}",
            expected=f"{len(shape)} numbers, counted from 0" if shape else "no index: it is one number",
            remedy="choose an entry inside the shape",
        )


def _widened(value: object) -> object:
    if not isinstance(value, np.ndarray):
        return value
    array = cast("Array", value)
    return array.astype(np.float64) if array.dtype == np.float32 else array
