"""Two networks on the same examples: where their layers differ, which neuron of one is which of the other, and where their answers part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from chainrule import display
from chainrule.data import Examples
from chainrule.display import Shown
from chainrule.errors import DataError, ShapeError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Accuracy, summary
from chainrule.numerals import numeral
from chainrule.train.evaluation import class_probabilities
from chainrule.train.model import Model
from chainrule.train.replicated import Measured, measured

SHUFFLES = 5
"""With so many orders of the examples it is measured how well neurons are aligned by chance."""
_SHOWN = 5
_CLOSE = 0.99


@immutable(eq=False)
class Alignment(Shown):
    """The neurons of a layer of one network, each beside that of the other which it goes with over the examples.

    first, second: the names of both quantities. pairs: (m, 2), neuron here and neuron there; m is the smaller width. correlations: (m,),
    of each pair, negative where one is the other turned over. matrix: (units here, units there), of all pairs. by_chance: the mean size of
    the correlations that are found where the examples of the other are shuffled.
    """

    first: str
    second: str
    pairs: Array
    correlations: Array
    matrix: Array
    by_chance: float

    @property
    def mean(self) -> float:
        """The mean size of the correlations."""
        return float(np.abs(self.correlations).mean())

    def __str__(self) -> str:
        close, turned = int((np.abs(self.correlations) > _CLOSE).sum()), int((self.correlations < 0).sum())
        rest = [f"{turned} turned over"] * bool(turned)
        alone = abs(self.matrix.shape[0] - self.matrix.shape[1])
        rest += [f"{alone} without a partner"] * bool(alone)
        size = f"mean |r| = {numeral(self.mean)} ({numeral(self.by_chance)} by chance)"
        head = f"{self.first} and {self.second}: {len(self.pairs)} pair{'s' * (len(self.pairs) != 1)} of neurons, {size}"
        return f"{head}, {close} of them above {_CLOSE}{''.join(f', {each}' for each in rest)}"


@immutable(eq=False)
class Compared(Shown):
    """What came of comparing two networks: `print` tells it, `plot` draws it.

    layers: of each place, what stands there in the one and the other, "" where there is nothing. alignments: of the hidden layers.
    here, there: the answers (n, k), probabilities of classifiers, else numbers in the units of the data. apart: (n,), how far those
    of an example are from each other: half the sum of the differences of probabilities, else the length of the difference. y: targets.
    likely: whether the answers are probabilities.
    """

    part: str
    layers: tuple[tuple[str, str], ...]
    parameters: tuple[int, int]
    alignments: tuple[Alignment, ...]
    here: Array
    there: Array
    apart: Array
    decisions: Array | None
    y: Array
    classes: tuple[str, ...] | None
    likely: bool

    @property
    def agreement(self) -> Accuracy | None:
        """On how many examples both take the same class; None for networks that predict numbers."""
        if self.decisions is None:
            return None
        return Accuracy(int(np.equal(*self.decisions).sum()), self.decisions.shape[1])

    @property
    def distance(self) -> Measured:
        """How far the answers are apart on average, with its standard error over the examples."""
        return measured(self.apart)

    @cached_property
    def furthest(self) -> list[int]:
        """The examples by how far the answers are apart, the furthest first."""
        return [int(place) for place in np.argsort(-self.apart, kind="stable")]

    @property
    def same_structure(self) -> bool:
        """Whether both have the same layers."""
        return all(one == other for one, other in self.layers)

    def plot(self, ax: Any = None) -> Any:
        """Which neurons go together, drawn into matplotlib's Axes: those given, or those of a new figure. Gives the Axes."""
        return display.ask(display.plot, self, ax)

    def told(self, place: int) -> str:
        """Both answers to an example, by its number, and the truth."""
        if self.classes is None or self.decisions is None:
            one, other, truth = (_numbers(values[place]) for values in (self.here, self.there, self.y))
            return f"example {place}: {one} here, {other} there, {truth} in truth"
        labels = [int(each) for each in self.decisions[:, place]]
        sure = [
            f" ({numeral(float(values[place, label]), 3)})" if values.shape[1] == len(self.classes) else ""
            for values, label in zip((self.here, self.there), labels, strict=True)
        ]
        one, other = (f"{self.classes[label]}{how}" for label, how in zip(labels, sure, strict=True))
        return f"example {place}: {one} here, {other} there, {self.classes[int(self.y[place])]} in truth"

    def __str__(self) -> str:
        lines = [f"two networks on {len(self.apart)} {self.part} example{'s' * (len(self.apart) != 1)}"]
        lines += ["layers: the same"] if self.same_structure else ["layers, here and there:"]
        lines += (
            []
            if self.same_structure
            else [f"  {one or '–'}  |  {other or '–'}{'' if one == other else '   ← differs'}" for one, other in self.layers]
        )
        lines.append(f"parameters: {self.parameters[0]} here, {self.parameters[1]} there")
        lines += [str(alignment) for alignment in self.alignments]
        if self.agreement is not None:
            lines.append(f"same class: {self.agreement}")
        kind = "half the sum of the differences of probabilities" if self.likely else "length of the difference"
        lines.append(f"answers apart by {self.distance} on average ({kind})")
        lines.append("furthest apart:")
        lines += [f"  {self.told(place)}" for place in self.furthest[:_SHOWN]]
        return "\n".join(lines)


def compared(first: Model, second: Model, examples: Examples, part: str) -> Compared:
    """Both networks on the same examples. Raises: ShapeError for networks of other inputs or outputs, DataError for other classes."""
    infos = [model.problem.dataset_info for model in (first, second)]
    shapes = [(info.input_shape, model.problem.output.shape[1:]) for info, model in zip(infos, (first, second), strict=True)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"networks from {shapes[0][0]} to {shapes[0][1]} and from {shapes[1][0]} to {shapes[1][1]}",
            expected="the same inputs and outputs", remedy="compare networks for the same task",
        )  # fmt: skip
    if infos[0].classes != infos[1].classes:
        raise DataError(
            f"classes {infos[0].classes} and {infos[1].classes}",
            expected="the same, in the same order",
            remedy="compare networks for the same task",
        )
    if len(examples) < 2:
        raise DataError(
            "1 example" if len(examples) else "no examples", expected="two or more", remedy="take another part of the data"
        )
    here, there = (_answers(model, examples.x) for model in (first, second))
    problem, classes = first.problem, infos[0].classes
    decisions = None
    if problem.classifies:
        decisions = np.stack([model.decide(examples.x) for model in (first, second)])
    gaps = np.abs(here - there).reshape(len(here), -1)
    likely = classes is not None and problem.probabilities != "none"
    apart = gaps.sum(axis=1) / 2 if likely else np.sqrt((gaps**2).sum(axis=1))
    rows = [summary(model.problem.network, info.input_shape) for model, info in zip((first, second), infos, strict=True)]
    layers = tuple(
        _beside(*([f"{row.description} → {'×'.join(map(str, row.output))}" for row in found.rows] for found in rows))
    )
    alignments = tuple(_alignments(_hidden(first, examples.x), _hidden(second, examples.x)))
    return Compared(
        part,
        layers,
        (rows[0].total, rows[1].total),
        alignments,
        here,
        there,
        apart,
        decisions,
        np.asarray(examples.y),
        classes,
        likely,
    )


def _beside(here: list[str], there: list[str]) -> Iterator[tuple[str, str]]:
    """Layers that are the same beside each other; of the others those at the same place between them."""
    for kind, start, stop, begin, end in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
        yield from (
            zip(here[start:stop], there[begin:end], strict=True)
            if kind == "equal"
            else zip_longest(here[start:stop], there[begin:end], fillvalue="")
        )


def _answers(model: Model, x: Array) -> Array:
    """Probabilities (n, classes), or numbers (n, k) in the units of the data."""
    problem = model.problem
    output = model.quantities(x, {"output"})["output"]
    if problem.classes is not None and problem.probabilities != "none":
        return class_probabilities(output, problem.probabilities)
    return problem.in_target_units(output).reshape(len(output), -1)


def _hidden(model: Model, x: Array) -> dict[str, Array]:
    """What each hidden layer says last, (rows, units): of layers with places or time steps each is a row."""
    last: dict[str, str] = {}
    for name in model.quantity_names:
        last[name.rpartition(".")[0]] = name
    names = [name for layer, name in last.items() if layer and not layer.startswith("input")][:-1]
    found = model.quantities(x, set(names))
    return {name: found[name].reshape(-1, found[name].shape[-1]) for name in names if found[name].ndim > 1}


def _alignments(here: Mapping[str, Array], there: Mapping[str, Array]) -> list[Alignment]:
    """Layers at the same place, counted from the input, as far as both have rows for the same examples and places."""
    pairs = zip(here.items(), there.items(), strict=False)
    return [aligned(one, other, a, b) for (one, a), (other, b) in pairs if len(a) == len(b)]


def aligned(first: str, second: str, here: Array, there: Array) -> Alignment:
    """Which unit of `here` (rows, units) goes with which of `there` (rows, other units): the sum of the sizes of correlations is largest.

    Source: Y. Li, J. Yosinski, J. Clune, H. Lipson, J. Hopcroft, arXiv 1511.07543 (2015).

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> aligned("a", "b", x, np.stack([x[:, 2], -x[:, 0], x[:, 1]], axis=1)).pairs.tolist()
    [[0, 1], [1, 2], [2, 0]]
    """
    matrix = correlations(here, there)
    pairs = _paired(matrix)
    random = np.random.default_rng(0)
    chance = [_mean_of_pairs(correlations(here, there[random.permutation(len(there))])) for _ in range(SHUFFLES)]
    return Alignment(first, second, pairs, matrix[pairs[:, 0], pairs[:, 1]], matrix, float(np.mean(chance)))


def _mean_of_pairs(matrix: Array) -> float:
    pairs = _paired(matrix)
    return float(np.abs(matrix[pairs[:, 0], pairs[:, 1]]).mean())


def correlations(here: Array, there: Array) -> Array:
    """Pearson's r of each column of `here` (n, a) with each of `there` (n, b): (a, b); 0 for a column that is the same everywhere."""
    units = [values - values.mean(axis=0) for values in (here, there)]
    for values in units:
        sizes = np.linalg.norm(values, axis=0)
        is_constant = sizes <= 1e-12 * np.sqrt(len(values))
        values /= np.where(is_constant, 1.0, sizes)
        values[:, is_constant] = 0.0
    return np.clip(units[0].T @ units[1], -1.0, 1.0)


def _paired(matrix: Array) -> Array:
    """Row and column of each pair, (m, 2), by row."""
    flat = matrix.shape[0] > matrix.shape[1]
    cost = -np.abs(matrix.T if flat else matrix)
    chosen = assignment(cost)
    pairs = np.column_stack([np.arange(len(chosen)), chosen])
    return pairs[np.argsort(chosen)][:, ::-1] if flat else pairs


def assignment(cost: Array) -> Array:
    """To each row of a cost (n, m), n ≤ m, a column of its own, (n,): the sum is the smallest that there is. In n²·m steps.

    Source: H. W. Kuhn, Naval Research Logistics Quarterly 2, 83 (1955); by shortest paths, as R. Jonker, A. Volgenant, Computing 38, 325
    (1987).

    >>> assignment(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]])).tolist()
    [1, 0]
    """
    rows, columns = cost.shape
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)
    owner, before = np.zeros(columns + 1, dtype=int), np.zeros(columns + 1, dtype=int)
    for row in range(1, rows + 1):
        # Column 0 stands for the row that has none yet; a path from it to a free column gives each row on it another column.
        owner[0], column = row, 0
        least, is_used = np.full(columns + 1, np.inf), np.zeros(columns + 1, dtype=bool)
        while True:
            is_used[column] = True
            slack = cost[owner[column] - 1] - of_row[owner[column]] - of_column[1:]
            better = ~is_used[1:] & (slack < least[1:])
            least[1:][better], before[1:][better] = slack[better], column
            following = int(np.argmin(np.where(is_used, np.inf, least)))
            step = least[following]
            of_row[owner[is_used]] += step
            of_column[is_used] -= step
            least[~is_used] -= step
            column = following
            if owner[column] == 0:
                break
        while column:
            owner[column], column = owner[before[column]], int(before[column])
    chosen = np.zeros(rows, dtype=int)
    chosen[owner[1:][owner[1:] > 0] - 1] = np.flatnonzero(owner[1:] > 0)
    return chosen


def _numbers(values: Array) -> str:
    return ", ".join(numeral(float(value)) for value in np.ravel(values)[:4])
