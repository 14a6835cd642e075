"""The graphs of a training whose batches come one at a call: a step for any number of rows, some of which may count nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, reduce
from operator import add
from typing import Any, Literal

import numpy as np

from chainrule import ops
from chainrule.checks import shown, takes_call
from chainrule.data import DatasetInfo, Scaling
from chainrule.derivatives import require_gradients
from chainrule.display import Shown
from chainrule.errors import LossError, OptionError
from chainrule.graph import Array, Graph, Node, Shape, compute, input_node, scope, scope_root
from chainrule.immutable import immutable
from chainrule.nn import Built, Layer, build_network
from chainrule.train.clock import Clock
from chainrule.train.contracts import require_gradients as require_clipped
from chainrule.train.contracts import require_rates
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import ClipNorm, ClipValue
from chainrule.train.schedules import as_schedule
from chainrule.train.state_nodes import first_values, require_room, require_trained, updated
from chainrule.train.taken import require_first_values, taken

WEIGHT = "weight"
"""The leaf with the weight of each row in the mean: 1/n, and 0 for rows that only fill the batch up."""
PROBE = 4
"""The rows by which it is found out whether one changes what comes out for another."""

PLACES = ("y", *(f"y{place}" for place in range(2, 10)))
"""What targets that are given without a name are called."""

Fields = Mapping[str, tuple[Shape, str]]
"""For each array that a step is given, by name, the shape and dtype of a row."""


@immutable
class Setup(Shown):
    """What the steps of a training go by; see `trainer`."""

    layer: Layer
    loss: Any
    optimizer: Optimizer
    seed: int
    dtype: Literal["float32", "float64"]
    clip: ClipNorm | ClipValue | None
    steps: int | None
    initial: Any

    def __post_init__(self) -> None:
        require_first_values(self.initial)
        search, schedule, some = self.optimizer.search, as_schedule(self.optimizer.learning_rate), np.arange(3.0)
        if search or self.optimizer.gradient != "cost":
            raise OptionError(
                f"steps of one's own by {search.title if search else shown(self.optimizer)}",
                expected="an optimizer that goes down the gradient of the loss step by step",
                remedy="choose for example Adam(0.001), or train by fit",
            )
        if self.steps is None and not np.array_equal(schedule(some, 10), schedule(some, 1000)):
            raise OptionError(
                f"the schedule {shown(schedule)}, which goes by the number of all steps",
                expected="how many steps there will be",
                remedy="write for example steps=10_000",
            )

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        schedule, at = as_schedule(self.optimizer.learning_rate), np.array([float(step)])
        return float(require_rates(schedule, schedule(at, self.steps or 1), at)[0])

    @property
    def has_own_loss(self) -> bool:
        """Whether the loss is a function of a user's own, and none of those that `fit` takes."""
        return callable(self.loss) and not hasattr(self.loss, "target") and not isinstance(self.loss, type)


@immutable
class StepGraphs:
    """The graphs for arrays with such fields, by the number of rows."""

    setup: Setup
    fields: Fields

    @cached_property
    def single(self) -> Built:
        """The network for one example, at inference: its parameters and states."""
        return self._network(1)

    @cached_property
    def first(self) -> dict[str, Array]:
        """The first values of all that is carried from step to step, each (1, ...), and the key "seed"."""
        setup, key = self.setup, ops.key(self.setup.seed)
        initial = taken(setup.initial, setup.layer, self.single)
        nodes = first_values(self.single.parameters, self.single.states, setup.optimizer.slots, setup.dtype, initial)
        require_room(nodes)
        drawn = compute(nodes.values(), Graph(nodes).bind({"seed": key} if "seed" in Graph(nodes).leaves else {}))
        return {"seed": key[None], **{name: np.array(value)[None] for name, value in zip(nodes, drawn, strict=True)}}

    def prediction(self, size: int) -> Graph:
        """The outputs, as at inference."""
        return Graph({"output": self._network(size).output})

    def step(self, size: int) -> Graph:
        """Forward, backward and update; the loss before it."""
        setup, clock = self.setup, Clock()
        with scope_root(""):
            built, rows, whole = self._terms(size, clock)
            require_trained(built)
            weighed = [] if rows is None else [ops.sum(rows * input_node(WEIGHT, (size,), setup.dtype))]
            total = reduce(add, [*weighed, *whole])
            wrt = {name: item.node for name, item in built.parameters.items()}
            gradients = require_gradients(total, list(wrt.values()))
            with scope("update"):
                gradients = require_clipped(setup.clip, setup.clip(gradients), gradients) if setup.clip else gradients
                rate = input_node("learning_rate", (), "float64")
                changed = updated(setup.optimizer, wrt, gradients, rate, clock.step, setup.dtype)
        return Graph({"loss": total, **changed, **_next_states(built)})

    @cached_property
    def can_fill_steps(self) -> bool:
        """Whether rows may be added to a batch that count nothing: no example has a part in another's loss, nor in a state."""
        with scope_root(""):
            built, rows, _ = self._terms(PROBE, Clock())
        if rows is None or _next_states(built):
            return False
        return self._is_by_row(Graph({"rows": rows}))

    @cached_property
    def can_fill_predictions(self) -> bool:
        """Whether no example has a part in another's output."""
        return self._is_by_row(self.prediction(PROBE))

    # ---- parts

    def _network(self, size: int) -> Built:
        shape, kind = self.fields["x"]
        with scope_root(""):
            x = input_node("x", (size, *shape), kind)
            return build_network(self.setup.layer, shape, dtype=self.setup.dtype, x=ops.cast(x, dtype=self.setup.dtype), data=x)

    def _terms(self, size: int, clock: Clock) -> tuple[Built, Node | None, list[Node]]:
        """The network in training; the loss of each example (size,), if there is one; and what counts as a whole, scalars."""
        if self.setup.has_own_loss:
            return self._own_terms(size, clock)
        cost = self._problem.cost(size, clock)
        penalties = [node for name, node in cost.terms.items() if name not in cost.rows]
        return cost.built, cost.each, penalties

    def _own_terms(self, size: int, clock: Clock) -> tuple[Built, Node | None, list[Node]]:
        setup, (shape, kind) = self.setup, self.fields["x"]
        x = input_node("x", (size, *shape), kind)
        built = build_network(
            setup.layer, shape, dtype=setup.dtype, training=True, key=clock.key, fresh=clock.fresh,
            x=ops.cast(x, dtype=setup.dtype), data=x,
        )  # fmt: skip
        targets = {name: input_node(name, (size, *row), dtype) for name, (row, dtype) in self.fields.items() if name != "x"}
        by_place = [targets.pop(name) for name in list(targets) if name in PLACES]
        found = self._loss_of(built.output, by_place, targets)
        rows = [found] if found.shape else []
        rows += [term.rows for term in built.terms.values()]
        return built, reduce(add, rows) if rows else None, [] if found.shape else [found]

    def _loss_of(self, output: Node, by_place: list[Node], targets: Mapping[str, Node]) -> Node:
        if not takes_call(self.setup.loss, [output, *by_place], targets):
            given = ", ".join(["output", *(node.name for node in by_place), *(f"{name}=..." for name in targets)])
            raise LossError(
                f"the loss {shown(self.setup.loss)} cannot be called as loss({given})",
                expected="a function of the output and of the targets of a step",
                remedy="give the step what the loss takes: step(x, y), or by name, step(x, reward=r)",
            )
        found: object = self.setup.loss(output, *by_place, **targets)
        if isinstance(found, Node) and found.shape in (output.shape[:1], ()) and found.dtype == output.dtype:
            return found
        raise LossError(
            f"the loss {shown(self.setup.loss)} gave {repr(found.type) if isinstance(found, Node) else shown(found)}",
            expected=f"{output.dtype}[{output.shape[0]}], a number for each example, or one for the batch",
            remedy="reduce all axes but the first, for example by cr.ops.sum(entries, 1)",
        )

    @cached_property
    def _problem(self) -> LearningProblem:
        """Network and loss as a problem on data with these fields, in the units that they have."""
        targets = [name for name in self.fields if name != "x"]
        if targets != ["y"]:
            raise OptionError(
                f"steps with the targets {', '.join(targets) or 'none'}",
                expected="y alone, for a loss that fit takes",
                remedy="write step(x, y), or loss= a function of the output and of these targets",
            )
        (shape, kind), (target, target_kind) = self.fields["x"], self.fields["y"]
        is_label = target == () and target_kind in {"int64", "uint8", "bool"}
        outputs = self.single.output.shape[1] if self.single.output.type.ndim > 1 else 1
        classes = tuple(map(str, range(max(outputs, 2)))) if is_label else None
        info = DatasetInfo(
            "steps", "", {"training": 1}, shape, kind, target, "int64" if is_label else target_kind, Scaling.none(),
            None if is_label else Scaling.none(), classes, None, None,
        )  # fmt: skip
        return LearningProblem(self.setup.layer, info, self.setup.loss, self.setup.dtype)

    def _is_by_row(self, graph: Graph) -> bool:
        """Whether a change of the last row changes nothing in the others; tried, since a network may be any code."""
        random = np.random.default_rng(0)
        values: dict[str, Array] = {name: array[0] for name, array in self.first.items() if name in graph.leaves}
        for name, node in graph.leaves.items():
            if name in self.fields:
                drawn = random.normal(size=node.shape)
                values[name] = drawn.astype(node.dtype) if node.type.is_float else np.zeros(node.shape, node.dtype)
            elif name not in values:
                values[name] = np.zeros(node.shape, node.dtype)
        changed = dict(values)
        for name in graph.leaves.keys() & self.fields.keys():
            changed[name] = values[name].copy()
            changed[name][-1] = values[name][-1] == 0  # a truth value, too, becomes another one
        before, after = (
            [np.asarray(found)[:-1] for found in compute(graph.outputs.values(), graph.bind(each))]
            for each in (values, changed)
        )
        return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(before, after, strict=True))


def _next_states(built: Built) -> dict[str, Node]:
    return {name: state.next for name, state in built.states.items() if state.next is not None}
