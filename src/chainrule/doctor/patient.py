"""A patient: one replica of a run with what the ailments look at, each computed once and only if something asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import inf

import numpy as np

from chainrule.checks import Natural, checked, require_place
from chainrule.data import Dataset, Examples
from chainrule.derivatives import grad
from chainrule.display import Shown
from chainrule.doctor.chances import LEVEL, above, one_sided
from chainrule.doctor.finding import UntoldError
from chainrule.engines import engine_named
from chainrule.errors import ChainruleError
from chainrule.graph import PARAMETER, Array, Graph, Node, topological_order
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.nn import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Poisson, SquaredError
from chainrule.train import AdaGrad, Adam, AdamW, LearningProblem, Model, RMSprop, Run, Training
from chainrule.train.replicated import Comparison

LOOKED_AT = 1000
"""Examples of a part that are looked at, evenly spaced over it; all where it has fewer."""


HALF = 0.5
"""The share of the loss of a constant answer that a network has to take away to count as one that fits."""


@immutable(eq=False)
class Some(Shown):
    """Examples of a part that are looked at: x (n, ...), y (n, ...), and their numbers in the part."""

    part: str
    x: Array
    y: Array
    numbers: Array
    whole: int

    def __len__(self) -> int:
        return len(self.x)

    def only(self, chosen: Array) -> Some:
        """Those at these places."""
        return Some(self.part, self.x[chosen], self.y[chosen], self.numbers[chosen], self.whole)

    def __str__(self) -> str:
        of = "" if len(self) == self.whole else f" of {self.whole}"
        return f"{len(self)}{of} {self.part} examples"


class Patient(Shown):
    """A replica of a run, and what is measured of it.

    `baseline`: trainings of the same setting with other seeds, where cures are tried, else None.
    """

    @checked
    def __init__(self, run: Run, replica: Natural = 0, baseline: Run | None = None) -> None:
        require_place(f"replica {replica}", replica, run.settings.replicas)
        self.run, self.replica, self.baseline = run, replica, baseline

    @property
    def problem(self) -> LearningProblem:
        """Network, data and objective."""
        return self.run.problem

    @property
    def compares(self) -> bool:
        """Whether outputs are compared with targets."""
        return self.problem.compares

    def __repr__(self) -> str:
        return f"<Patient: replica {self.replica} of {self.run!r}>"

    # ---- the examples

    @cached_property
    def _data(self) -> Dataset | str:
        try:
            return self.run.data
        except ChainruleError as trouble:
            return trouble.happened

    def require_data(self) -> Dataset:
        """The data. Raises: UntoldError where they are not there."""
        if isinstance(self._data, str):
            raise UntoldError(f"the data are not there: {self._data}")
        return self._data

    @cached_property
    def train(self) -> Some:
        """The training examples that are looked at."""
        return self._some("training", self.require_data().train)

    @cached_property
    def held(self) -> Some:
        """Those of the validation part, or else of the test part. Raises: UntoldError where there is neither."""
        data = self.require_data()
        for part, examples in (("validation", data.validation), ("test", data.test)):
            if examples is not None:
                return self._some(part, examples)
        raise UntoldError("no examples are held out: there is neither a validation nor a test part")

    def _some(self, part: str, examples: Examples) -> Some:
        # A network that knows its batch takes its examples all together.
        most = len(examples) if self.problem.size > 1 else min(len(examples), LOOKED_AT)
        numbers = np.linspace(0, len(examples) - 1, most).round().astype(np.int64)
        some = examples[numbers]
        return Some(part, some.x, some.y, numbers, len(examples))

    # ---- the network along the training

    @cached_property
    def first_step(self) -> int:
        """Where the training began: 0, or where a branch left its parent."""
        return self.run.trainer.beginning().step

    @property
    def last_step(self) -> int:
        """How many steps were done."""
        return self.run.trainer.step

    @cached_property
    def end(self) -> Model:
        """The network as it is."""
        return self.run.model(self.replica)

    @cached_property
    def start(self) -> Model:
        """The network before its first step."""
        return self.models([self.first_step])[0][1]

    def models(self, steps: list[int]) -> list[tuple[int, Model]]:
        """The network when so many steps were done."""
        return self.run.models(steps, self.replica)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The network's nodes, from the input on."""
        return tuple(topological_order([self.problem.output]))

    @cached_property
    def _learning(self) -> set[Node]:
        """The nodes that training has a part in: what frozen layers make of the input alone stays as it is."""
        return descendants(self.nodes, [node for node in self.nodes if node.op is PARAMETER])

    @cached_property
    def pre_activations(self) -> tuple[str, ...]:
        """The names of the z of layers that training has a part in, from the input on: dense1.z, conv1.z, ..."""
        learning = {node.name for node in self._learning}
        return tuple(name for name in self.end.quantity_names if name.endswith(".z") and name in learning)

    def activations(self, *kinds: str) -> dict[str, str]:
        """The named quantities that training has a part in and an op of these names made, with the op's name; without the output."""
        return {
            node.name: node.op.name
            for node in self.nodes
            if node.name and node in self._learning and node.op.name in kinds and node is not self.problem.output
        }

    # ---- costs

    @cached_property
    def costs(self) -> Array:
        """The losses of the training examples that are looked at, at the end: (n,)."""
        return self.end.costs(self.train.x, self.train.y)

    @cached_property
    def held_costs(self) -> Array:
        """Those of the examples that were held out."""
        return self.end.costs(self.held.x, self.held.y)

    @cached_property
    def constant(self) -> float:
        """The mean cost of the best answer that does not look at the input, on the training examples that are looked at."""
        return constant_cost(self.problem, self.start, self.train.x, self.train.y)

    @property
    def fitted(self) -> float:
        """What fraction of that cost the training took away: 1 where nothing is left, 0 or less where nothing was learned."""
        return 1 - float(self.costs.mean()) / self.constant if self.constant > 0 else 0.0

    @cached_property
    def less_than_constant(self) -> Comparison:
        """By how much the training loss is below that of the best constant answer."""
        return above(np.full(len(self.costs), self.constant), self.costs)

    @property
    def learned(self) -> bool:
        """Whether it is below by more than chance explains."""
        return self.fitted > 0 and one_sided(self.less_than_constant) <= LEVEL

    @cached_property
    def outputs(self) -> Array:
        """The outputs for the training examples that are looked at, in the network's own units: (n, ...)."""
        return self.end.quantities(self.train.x, {"output"})["output"]

    @cached_property
    def seen_inputs(self) -> Array:
        """The training inputs that are looked at, as the network sees them: (n, numbers)."""
        scaling = self.problem.dataset_info.scaling
        return scaling.apply(self.train.x).reshape(len(self.train), -1).astype(np.float64)

    def gradients(self, model: Model, names: tuple[str, ...], some: Some) -> Mapping[str, Array]:
        """∂(Σ costs)/∂quantity, (n, ...) by name: row i is the derivative of the cost of example i alone."""
        size = len(some)
        cost = model.problem.cost(size)
        found = {node.name: node for node in topological_order([cost.built.output]) if node.name in names}
        slopes = grad(cost.each.sum(), list(found.values()))
        graph = Graph({name: slope for name, slope in zip(found, slopes, strict=True) if slope is not None})
        given = {**model.values, **model.taken(some.x, some.y)}
        return engine_named("reference").compile(graph)({name: given[name] for name in graph.leaves})

    # ---- trainings

    @cached_property
    def training(self) -> Training:
        """The training that this run is, to be changed."""
        return Training.of(self.run)

    @property
    def seed(self) -> int:
        """The seed of this replica."""
        return self.run.trainer.seeds[self.replica]

    @property
    def rate(self) -> float:
        """The learning rate of the last step that was done; of a search for steps infinite."""
        if self.run.settings.optimizer.search is not None:
            return inf
        return float(self.run.trainer.rates(np.array([max(self.last_step - 1, 0)]))[0])

    @property
    def adapts(self) -> bool:
        """Whether the optimizer divides each entry's step by the usual size of its gradient."""
        return isinstance(self.run.settings.optimizer, Adam | AdamW | RMSprop | AdaGrad)

    @property
    def replicas(self) -> Run:
        """The run whose replicas tell how seeds differ: itself, or the trainings with other seeds."""
        return self.baseline if self.baseline is not None and self.run.settings.replicas < 3 else self.run


def constant_cost(problem: LearningProblem, model: Model, x: Array, y: Array) -> float:
    """The mean cost of the best constant answer: the entropy of the labels for cross-entropies, the spread of the targets for differences.

    Of a loss whose best constant is not known, and of a sum of losses, the mean cost of `model` stands for it.
    """
    losses: tuple[object, ...] = problem.objective.losses
    loss = losses[0] if len(losses) == 1 else None
    width = problem.output.type.size // problem.output.shape[0]
    if isinstance(loss, CrossEntropy) or (isinstance(loss, BinaryCrossEntropy) and _is_one_for_two(problem)):
        return _entropy(y)
    if isinstance(loss, BinaryCrossEntropy):
        return _binary_entropy(_values(problem, y))
    if isinstance(loss, Poisson):
        return _half_deviance(_values(problem, y))
    if not isinstance(loss, SquaredError | AbsoluteError):
        return float(model.costs(x, y).mean())
    rows = _values(problem, y)
    if isinstance(loss, SquaredError):
        sizes = np.square(rows - rows.mean(axis=0)) * (0.5 if loss.half else 1.0)
    else:
        sizes = np.abs(rows - np.median(rows, axis=0))
    return float(sizes.sum(axis=1).mean()) / (width if loss.mean else 1)


def _is_one_for_two(problem: LearningProblem) -> bool:
    return problem.dataset_info.classes is not None and problem.output.shape[-1] == 1


def _entropy(y: Array) -> float:
    counts = np.unique(y, return_counts=True)[1] / y.size
    return float(-(counts * np.log(counts)).sum())


def _binary_entropy(rows: Array) -> float:
    on = np.clip(rows.mean(axis=0), 1e-12, 1 - 1e-12)
    return float(-(on * np.log(on) + (1 - on) * np.log(1 - on)).sum())


def _half_deviance(rows: Array) -> float:
    ratio = np.where(rows > 0, rows, 1.0) / np.maximum(rows.mean(axis=0), 1e-300)
    return float((rows * np.log(ratio)).sum(axis=1).mean())


def _values(problem: LearningProblem, y: Array) -> Array:
    """The targets (n, k) as the loss sees them."""
    info = problem.dataset_info
    if info.classes is not None:
        return y[:, None].astype(np.float64) if _is_one_for_two(problem) else np.eye(len(info.classes))[y]
    return problem.targets_seen(y).reshape(len(y), -1).astype(np.float64)
