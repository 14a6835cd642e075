"""The problem: a network, its data and its objective together, checked to fit; and the graphs that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, reduce
from operator import add
from typing import Any, Literal, cast

import numpy as np

from chainrule import ops
from chainrule.checks import checked
from chainrule.data import DatasetInfo
from chainrule.derivatives import require_gradients, vjp
from chainrule.descriptions import Kept
from chainrule.descriptions.kinds import is_ours
from chainrule.descriptions.pickles import require_picklable
from chainrule.display import Shown
from chainrule.engines import Loop, Program
from chainrule.errors import DataError, LossError, OptionError, ShapeError
from chainrule.graph import Array, Graph, Node, compute, constant, input_node, scope, scope_root
from chainrule.graph.arraylike import Unchanging
from chainrule.immutable import immutable
from chainrule.nn import (
    Activation,
    Built,
    Export,
    Layer,
    Objective,
    Parameter,
    Scale,
    Sequential,
    State,
    Weighted,
    build_network,
    objective,
    output_range,
    read_input,
    sigmoid_input,
    softmax_input,
)
from chainrule.nn.layers import activation_named
from chainrule.train.batches import batch_sizes
from chainrule.train.clock import SCALARS, Clock
from chainrule.train.contracts import require_gradients as require_clipped
from chainrule.train.loss_targets import require_fitting, scaled, seen, step_input, target_forms, usual_loss
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import ClipNorm, ClipValue
from chainrule.train.saved_network import pickled_network
from chainrule.train.state_nodes import first_values, updated


@immutable
class Cost(Shown):
    """The objective of one batch as nodes: the network's graph, the target y, and how both become one number.

    `terms`: each term of the objective by name, scalars; `rows`: for its losses, the numbers of each example; `total`: their sum C.
    """

    built: Built
    target: Node
    terms: Mapping[str, Node]
    rows: Mapping[str, Node]
    total: Node

    @property
    def each(self) -> Node:
        """The losses of each example added up, (batch,)."""
        return reduce(add, self.rows.values())


@immutable
@checked
class LearningProblem(Unchanging, Shown):
    """A network, the signature of its data, and what is minimised; `loss` None goes by the last layer and the data.

    batch_size: how many examples training takes in a step; None where nothing trains.
    Raises: ShapeError, LossError, OptionError when network, data and objective do not fit.
    """

    network: Layer
    dataset_info: DatasetInfo
    loss: object = None
    dtype: Literal["float32", "float64"] = "float32"
    batch_size: int | None = None

    def __post_init__(self) -> None:
        # Built once here so that every misfit is found before anything runs.
        _ = self.described

    def __reduce__(self) -> tuple[object, ...]:
        # Its nodes are equal only to themselves, and built again where it arrives.
        require_picklable(loss=self.loss)
        network = pickled_network(self.network, self.dataset_info, self.batch_size)
        return (LearningProblem, (network, self.dataset_info, self.loss, self.dtype, self.batch_size))

    @cached_property
    def size(self) -> int:
        """The number of examples that the network is described for: one, or a training batch where it cannot be built for one.

        A network whose graph knows its batch, such as one over all nodes of a single graph, is used in batches of this size only.
        """
        try:
            _ = self._of_one
        except Exception:
            if self.batch_size is not None and self._can_be_built(self.batch_size):
                return self.batch_size
            self._refuse_part_of_a_whole()
            raise
        return 1

    def _refuse_part_of_a_whole(self) -> None:
        """Says so where the network could be built for all training examples at once, and for fewer cannot."""
        whole = self.dataset_info.parts.get("training", 1)
        if self.batch_size is not None and self._can_be_built(whole):
            raise OptionError(
                f"batches of {self.batch_size} for a network that can be built for all {whole} training examples at once only",
                expected=f"batch_size={whole}",
                remedy=f"write batch_size={whole}, and keep all examples in one part: split=None",
            )

    def _can_be_built(self, size: int) -> bool:
        # A network may be any code, so that what it raises may be anything; the caller says what that was.
        try:
            self._cost(size)
        except Exception:
            return False
        return True

    @cached_property
    def _of_one(self) -> Cost:
        """The objective of one example."""
        return self._cost(1)

    @cached_property
    def described(self) -> Cost:
        """The one build that everything which only describes goes by: at inference, for `size` examples."""
        return self._of_one if self.size == 1 else self._cost(self.size)

    @cached_property
    def in_float64(self) -> LearningProblem:
        """The same problem in float64: what all models of it are looked into by, so that it is built once for them."""
        return self if self.dtype == "float64" else replace(self, dtype="float64")

    @cached_property
    def programs(self) -> dict[tuple[str, str, int], tuple[Program, frozenset[str]]]:
        """What models of it have compiled, with the leaves that it takes: by engine, what is computed, and for how many examples."""
        return {}

    @cached_property
    def trained(self) -> Cost:
        """The objective as training has it, for a batch of the size that training uses; where nothing trains as at inference."""
        return self.described if self.batch_size is None else self._cost(self.batch_size, Clock())

    @property
    def output(self) -> Node:
        """The output node of the build that describes."""
        return self.described.built.output

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The network's parameters by name."""
        return self.described.built.parameters

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """What layers weigh by, by name, in their order: the parameters, and the weights of frozen layers."""
        frozen = {name for name, state in self.states.items() if state.frozen}
        used = (name for use in self.described.built.uses for name in (*use.parameters, *use.states))
        return tuple(dict.fromkeys(name for name in used if name in self.parameters or name in frozen))

    def frozen_at_random(self) -> tuple[str, ...]:
        """The weights of frozen layers that the seed draws where nothing is put in their place."""
        frozen = {name: state for name, state in self.states.items() if state.frozen}
        first = first_values({}, frozen, (), self.dtype)
        return tuple(name for name, node in first.items() if Graph({name: node}).inputs)

    @cached_property
    def ids(self) -> Array:
        """Which numbers of a flattened example the network takes for positions: there is nothing between one and the next."""
        return read_input(self.described.built).positions.ravel()

    @property
    def states(self) -> Mapping[str, State]:
        """The states that the network reads at inference, by name: what its layers keep without training it."""
        return self.described.built.states

    def pieces(self, count: int, most: int) -> Array:
        """The sizes of the batches, at most `most`, in which `count` examples are evaluated; the last, shorter one is a batch.

        Raises: DataError where the network is made for batches of its own size, and these examples do not fill them.
        """
        if self.size == 1:
            return batch_sizes(count, max(1, min(most, count)))
        self._require_size(count)
        return batch_sizes(count, self.size)

    def _require_size(self, count: int) -> None:
        if self.size > 1 and count % self.size:
            raise DataError(
                f"{count} example{'s' * (count != 1)} for a network that cannot be built for a single one, only for batches of {self.size}",
                expected=f"{self.size} examples at once, or a multiple of it",
                remedy=f"give all {self.size} examples together, and data without other parts: split=None",
            )

    def carried(self, size: int) -> Mapping[str, State]:
        """All states that training in batches of this size carries from step to step, by name, those by row among them."""
        if size not in self._carried:
            self._carried[size] = self._found_carried(size)
        return self._carried[size]

    @cached_property
    def _carried(self) -> dict[int, Mapping[str, State]]:
        return {}

    def _found_carried(self, size: int) -> Mapping[str, State]:
        found = self.trained.built.states if size == self.batch_size else self._forward(size, Clock())[0].states
        for name, state in found.items():
            known = self.states.get(name)
            if known is not None and not state.by_row and known.node.type != state.node.type:
                raise ShapeError(
                    f"the state {name} is {known.node.type!r} at inference and {state.node.type!r} in batches of {size}",
                    expected="one shape, whatever the batch",
                    remedy="ask for a state with a row to each example by here.row_state(label, shape)",
                )
        return found

    @cached_property
    def objective(self) -> Objective:
        """What is minimised."""
        return self._said or self._objective_of(self.output)

    @cached_property
    def _said(self) -> Objective | None:
        """The objective that was asked for, if one was."""
        return None if self.loss is None else objective(self.loss)

    def _objective_of(self, output: Node) -> Objective:
        return self._said or objective(usual_loss(output, self.dataset_info))

    @property
    def formula(self) -> str:
        """The objective with its factors, and how targets are scaled in it where they are."""
        # As in training: auxiliary losses may differ where nothing is drawn by chance.
        own = [f"1/B·Σ_batch({term.formula})" for term in self.trained.built.terms.values()]
        formula = " + ".join([self.objective.formula, *own] if self.objective.terms else [f"C = {own[0]}", *own[1:]])
        scaling = self.dataset_info.target_scaling if self.objective.losses else None
        if scaling is None or scaling.is_none:
            return formula
        if scaling.offset.size > 1 or scaling.factor.size > 1:
            return f"{formula}, y the targets scaled to what the network sees"
        return f"{formula}, y = {scaling.formula('target')}"

    @property
    def export(self) -> Export:
        """The network as other libraries are to have it: with what is done to inputs before it and to outputs behind it."""
        network = Sequential(self.network, Activation(self.link)) if self.link else self.network
        return exported(network, self.dataset_info)

    @property
    def compares(self) -> bool:
        """Whether outputs are compared with targets: loss="none" does not."""
        return bool(self.objective.losses)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that outputs stand for; None where they stand for numbers, or are compared with no label."""
        return self.dataset_info.classes if self.compares else None

    @property
    def classifies(self) -> bool:
        """Whether it can be counted how many outputs are right."""
        return self.classes is not None

    @property
    def link(self) -> str:
        """The function that makes numbers to fit of the outputs, where the loss takes these for logarithms or logits; else ""."""
        if self.dataset_info.classes is not None:
            return ""
        return next((link for loss in self.objective.losses if (link := getattr(loss, "link", ""))), "")

    @property
    def probabilities(self) -> str:
        """How predictions become probabilities: "as they are" after softmax or sigmoid, by "softmax" or "sigmoid" of logits, or "none"."""
        names = {(loss.loss if isinstance(loss, Weighted) else loss).name for loss in self.objective.losses}
        if softmax_input(self.output) is not None or sigmoid_input(self.output) is not None or self.link == "sigmoid":
            return "as they are"
        if "cross_entropy_from_logits" in names:
            return "softmax"
        return "sigmoid" if "binary_cross_entropy_from_logits" in names else "none"

    @cached_property
    def threshold(self) -> float:
        """Above which a single prediction means class 1: ½ where it lies between 0 and 1, else what the loss wants of an even chance."""
        if sigmoid_input(self.output) is not None or step_input(self.output) is not None or self.link == "sigmoid":
            return 0.5
        weighted = self.objective.beside == "a weight"
        border = self._border() if self.output.shape[1:] == (1,) and (self.classifies or weighted) else 0.0
        # Predictions are compared with it.
        return round(float(compute([activation_named(self.link)(constant(border))], {})[0]), 5) if self.link else border

    def _border(self) -> float:
        """The single output that costs least where two classes are equally likely: tried, whatever the loss is; of several the middle."""
        reach = output_range(self.output)
        low, high = max(float(reach.low.max()), -_FAR), min(float(reach.high.min()), _FAR)
        # Borders such as ½ and 1 are among the first places.
        middle, places = 0.0, cast("Array", np.unique(np.clip(np.arange(-2000, 2001) / 200, low, high)))
        for _ in range(4):
            try:
                costs = self._even_costs(places)
            except Exception:  # the loss wants an output of its own kind, or is code of a user's own
                return 0.0
            if len(places) < 2 or np.isnan(costs).all():
                return 0.0
            least = places[costs <= np.nanmin(costs) + 1e-12]
            middle, step = float(least[0] + least[-1]) / 2, float(places[1] - places[0])
            if len(least) > 2 or abs(middle) == _FAR:
                break
            places = cast("Array", np.linspace(max(float(least[0]) - step, low), min(float(least[-1]) + step, high), 201))
        return 0.0 if abs(middle) == _FAR else round(middle, 5) + 0.0

    def _even_costs(self, places: Array) -> Array:
        """What each output costs on average over one example of each of two classes."""
        count = len(places)
        labels = np.repeat(np.array([0, 1], np.int64), count)
        with scope_root(""):
            output = constant(np.tile(places, 2)[:, None], "float64")
            y = constant(labels if self.dataset_info.classes is not None else np.stack([labels, np.ones(2 * count)], axis=1))
            rows = self.objective.per_example(output, target_forms(output, y, self.dataset_info, "float64"))
        with np.errstate(all="ignore"):
            found = np.sum(compute(rows.values(), {}), axis=0)
        return (found[:count] + found[count:]) / 2

    def training_loop(self, optimizer: Optimizer, sizes: set[int], clip: ClipNorm | ClipValue | None = None) -> Loop:
        """The loop whose step is one graph: batch, parameters and slots in; loss, new parameters and new slots out."""
        return self._training_loop(_at_any_rate(optimizer), tuple(sorted(sizes)), clip)

    @cached_property
    def _training_loop(self) -> Kept[Loop]:
        return Kept(self._made_training_loop, 4)

    def _made_training_loop(self, optimizer: Optimizer, sizes: tuple[int, ...], clip: ClipNorm | ClipValue | None) -> Loop:
        for size in sizes:
            self._require_size(size)
        self.require_one_size(set(sizes))
        graphs = {size: self.training_step(size, optimizer, clip) for size in sizes}
        outputs = next(iter(graphs.values())).outputs
        records = tuple(name for name in outputs if name.split(".")[0] in {"loss", "term", "correct"})
        changed = (name for name in outputs if name not in records)
        # A state that no layer changes is no output, but has its value all the same.
        state = (*dict.fromkeys((*changed, *self.carried(max(sizes)))), "seed")
        scalars = tuple(name for name in SCALARS if name != "batch" or any(name in graph.leaves for graph in graphs.values()))
        return Loop(graphs, {"x": "x", "y": "y"}, state, scalars, records)

    def require_one_size(self, sizes: set[int]) -> None:
        """Refuses batches of several sizes where a layer carries a row for each example from one to the next."""
        by_row = [name for name, state in self.carried(max(sizes)).items() if state.by_row]
        if by_row and len(sizes) > 1:
            raise OptionError(
                f"layer {by_row[0].rpartition('.')[0]} carries a row for each example from batch to batch, "
                f"and the last batch of an epoch has {min(sizes)} examples, the others {max(sizes)}",
                expected="training batches of one size",
                remedy="choose a batch_size that divides the number of training examples",
            )

    def training_step(self, size: int, optimizer: Optimizer, clip: ClipNorm | ClipValue | None = None) -> Graph:
        """One step for a batch of this size: forward, backward and update."""
        clock, rate = Clock(), input_node("learning_rate", (), "float64")
        cost = self.cost(size, clock)
        wrt = [item.node for item in cost.built.parameters.values()]
        gradients = self.gradients(cost, wrt, optimizer)
        with scope("update"):
            gradients = require_clipped(clip, clip(gradients), gradients) if clip else gradients
            updates = updated(
                optimizer, dict(zip(cost.built.parameters, wrt, strict=True)), gradients, rate, clock.step, self.dtype
            )
        outputs = {
            "loss": cost.total,
            **({f"term.{name}": node for name, node in cost.terms.items()} if len(cost.terms) > 1 else {}),
            **updates,
            **{name: state.next for name, state in cost.built.states.items() if state.next is not None},
        }
        if self.classifies:
            outputs["correct"] = self._correct(cost.built.output, cost.target)
        return Graph(outputs)

    def evaluation_loop(self, sizes: set[int]) -> Loop:
        """The loop that evaluates: for each batch the sum of each loss over its examples, and the outputs' rows."""
        return self._evaluation_loop(tuple(sorted(sizes)))

    @cached_property
    def _evaluation_loop(self) -> Kept[Loop]:
        return Kept(self._made_evaluation_loop, 4)

    def _made_evaluation_loop(self, sizes: tuple[int, ...]) -> Loop:
        graphs = {size: self.evaluation_step(size) for size in sizes}
        records = tuple(name for name in next(iter(graphs.values())).outputs if name != "output")
        return Loop(graphs, {"x": "x", "y": "y"}, (*self.parameters, *self.states), (), records, ("output",), True)

    def evaluation_step(self, size: int) -> Graph:
        """Outputs, and for each loss the sum over the batch; penalties as they are. Built for inference."""
        cost = self.cost(size)
        sums = {f"sum.{name}": ops.sum(node) for name, node in cost.rows.items()}
        penalties = {f"penalty.{name}": node for name, node in cost.terms.items() if name not in cost.rows}
        return Graph({"output": self._unscaled(cost.built.output), **sums, **penalties})

    def prediction_loop(self, sizes: set[int]) -> Loop:
        """The loop that only predicts."""
        graphs = {size: Graph({"output": self.prediction(size)}) for size in sorted(sizes)}
        return Loop(graphs, {"x": "x"}, (*self.parameters, *self.states), (), (), ("output",), True)

    def prediction(self, size: int) -> Node:
        """The outputs (size, ...) in the units of the targets, computed from the input leaf "x" in those of the data; at inference."""
        x = input_node("x", (size, *self.dataset_info.input_shape), self.dataset_info.input_dtype)
        built = build_network(self.network, self.dataset_info.input_shape, dtype=self.dtype, x=self._scaled(x), data=x)
        return self._unscaled(built.output)

    # ---- parts of the graphs

    def cost(self, size: int, clock: Clock | None = None) -> Cost:
        """The objective for a batch of this size, from the input leaves "x" and "y" on; with a clock as training has it."""
        self._require_size(size)
        return self._cost(size, clock)

    def _cost(self, size: int, clock: Clock | None = None) -> Cost:
        built, y = self._forward(size, clock)
        terms, rows = self._objective_terms(built, y)
        return Cost(built, y, terms, rows, reduce(add, terms.values()).named("C"))

    def _forward(self, size: int, clock: Clock | None = None) -> tuple[Built, Node]:
        # From the top, wherever it is first asked for: these nodes belong to no other scope.
        with scope_root(""):
            x = input_node("x", (size, *self.dataset_info.input_shape), self.dataset_info.input_dtype)
            y = input_node("y", (size, *self.dataset_info.target_shape), self.dataset_info.target_dtype)
            how: dict[str, Any] = {} if clock is None else {"training": True, "key": clock.key, "fresh": clock.fresh}
            shape = self.dataset_info.input_shape
            built = build_network(self.network, shape, dtype=self.dtype, x=self._scaled(x), data=x, **how)
            if self._said is None or self._said.losses:
                require_fitting(built.output, self.dataset_info, self._said or Objective(()))
            elif not built.terms:
                raise LossError(
                    "an objective without a loss, for a network without auxiliary losses",
                    expected="one loss or more",
                    remedy='write "cross_entropy", or CrossEntropy() + L2(1e-4)',
                )
            return built, y

    def _scaled(self, x: Node) -> Node:
        with scope("input"):
            inputs = scaled(self.dataset_info.scaling, x, self.dtype)
            # The lectures' a⁽⁰⁾: what the first layer is given. A leaf keeps the name that it has.
            return inputs if inputs.is_leaf else inputs.named("input.a")

    def _unscaled(self, output: Node) -> Node:
        """The outputs in the units of the targets."""
        scaling = self.dataset_info.target_scaling
        with scope("output"):
            output = activation_named(self.link)(output) if self.link else output
            if scaling is None or scaling.is_none:
                return output
            # The offset may be so large that float32 would lose what is added to it.
            return ops.cast(output, dtype="float64") * constant(1.0 / scaling.factor) + constant(scaling.offset)

    def in_target_units(self, outputs: Array) -> Array:
        """Outputs (n, ...) as the network has them, in the units of the targets: what `Run.predict` gives."""
        found = input_node("outputs", outputs.shape, outputs.dtype.name)
        return compute([self._unscaled(found)], {found: outputs})[0]

    def _targets(self, output: Node, y: Node) -> dict[str, Node]:
        # A network may answer in longer numbers than it is trained in, as an imported model does that undoes a scaling in float64.
        return target_forms(output, y, self.dataset_info, output.dtype if output.type.is_float else self.dtype)

    def targets_seen(self, y: Array) -> Array:
        """Targets (n, ...) as the cost sees them, labels as they are: numbers scaled, and the errors behind them in the same unit."""
        measured = self.objective.beside == "standard errors"
        return seen(y, self.dataset_info.target_scaling, self.output.shape[-1], measured=measured)

    def _objective_terms(self, built: Built, y: Node) -> tuple[dict[str, Node], dict[str, Node]]:
        """The terms of the objective by name, and, for its losses, the numbers of each example."""
        chosen = self._objective_of(built.output)
        rows = chosen.per_example(built.output, self._targets(built.output, y)) if chosen.losses else {}
        rows |= {name: term.rows for name, term in built.terms.items()}
        rows = {name: node if node.dtype == self.dtype else ops.cast(node, dtype=self.dtype) for name, node in rows.items()}
        rows = {name: node.named("loss" if len(rows) == 1 else f"loss.{name}") for name, node in rows.items()}
        with scope("loss"):
            means = {name: ops.mean(node) for name, node in rows.items()}
        return {**means, **chosen.penalty_terms(built.parameters)}, rows

    def gradients(self, cost: Cost, wrt: list[Node], optimizer: Optimizer) -> list[Node]:
        """For each parameter of `wrt` what the optimizer takes for its gradient, before clipping."""
        if optimizer.gradient == "cost":
            return require_gradients(cost.total, wrt)
        z, error = self.perceptron_error(cost)
        return [g for g in vjp([z], wrt, [error * (1.0 / z.shape[0])]) if g is not None]

    def perceptron_error(self, cost: Cost) -> tuple[Node, Node]:
        """The output's pre-activation z, and a − t of each example: what the perceptron rule takes for the derivative by z."""
        output = cost.built.output
        z = step_input(output)
        if z is None:
            raise OptionError(
                f"the perceptron rule on a network that ends with {output!r}",
                expected="the activation step at the output",
                remedy='write Dense(units, "step") as the last layer, or choose another optimizer',
            )
        return z, output - self._targets(output, cost.target)["values"]

    def _correct(self, output: Node, y: Node) -> Node:
        """How many of the batch are classified rightly, before the update."""
        with scope("metric"):
            if output.shape[1] == 1:
                decided = ops.reshape(ops.greater(output, self.threshold), shape=output.shape[:1])
                right = ops.equal(ops.cast(decided, dtype="int64"), y)
            else:
                right = ops.equal(ops.position_of_max(output), y)
            return ops.sum(ops.cast(right, dtype="int64"))

    def initial_state(self, optimizer: Optimizer, given: Mapping[str, Array] | None = None) -> Mapping[str, Node]:
        """What training carries, at first, as nodes of the input "seed": see `first_values`."""
        # Given values may be large, and are not held on to.
        return self._initial_state(optimizer.slots) if given is None else self._made_initial_state(optimizer.slots, given)

    @cached_property
    def _initial_state(self) -> Kept[Mapping[str, Node]]:
        return Kept(self._made_initial_state, 4)

    def _made_initial_state(self, slots: tuple[str, ...], given: Mapping[str, Array] | None = None) -> Mapping[str, Node]:
        states = self.states if self.batch_size is None else self.carried(self.batch_size)
        return first_values(self.parameters, states, slots, self.dtype, given)


_FAR = 10.0
"""Between this and its negative lies the output that a loss wants of an even chance, where there is one."""


def _at_any_rate(optimizer: Optimizer) -> Optimizer:
    """One that makes the same step, in which the rate is an input, whatever its rate: so that other rates find the graph made."""
    # What a user's code makes of its rate nobody knows.
    return (
        replace(cast("Any", optimizer), learning_rate=1.0)
        if optimizer.search is None and is_ours(type(optimizer))
        else optimizer
    )


learning_problem: Kept[LearningProblem] = Kept(LearningProblem, 32)
"""`LearningProblem`, with the graphs that were built for it, as it was when network, data and loss were described like this before."""


def exported(network: Layer, data: DatasetInfo) -> Export:
    """A network that learned from such data, with their scalings."""
    given, target = data.scaling, data.target_scaling
    after = None if target is None else Scale(target.offset, target.factor, undo=True)
    return Export(network, data.input_shape, Scale(given.offset, given.factor), after)
