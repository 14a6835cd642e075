"""Losses: a number for each example, averaged over the batch, as a sum of named terms whose formula prints its factors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, cast

import numpy as np

from chainrule import ops
from chainrule.checks import NonNegative, Positive, checked, shown, takes
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import LossError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import CONSTANT, Node, scope
from chainrule.nn.activations import exp_input, sigmoid_input, softmax_input
from chainrule.nn.build import Parameter
from chainrule.nn.ranges import output_range
from chainrule.spelling import suggest

TargetKind: TypeAlias = Literal["values", "measured", "weighted", "labels", "margin"]
"""What a loss compares with: numbers in the output's shape; those and then the standard error of each, (batch, 2k); those and then the
weight of the example, (batch, k + 1); class labels (batch,); or numbers or labels, by the number of outputs."""


class Loss(Protocol):
    """One term of the objective that compares outputs with targets.

    A loss may moreover have a `domain`, (least, largest): from where to where its targets may lie.
    """

    @property
    def name(self) -> str:
        """The term's name in curves and files."""
        ...

    @property
    def formula(self) -> str:
        """The formula for one example, with its factor."""
        ...

    @property
    def target(self) -> TargetKind:
        """What it compares with."""
        ...

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example, shape (batch,)."""
        ...


class _Addable(Shown):
    """Terms add up to an objective."""

    def __add__(self, other: Any) -> Objective:
        # All at once: a penalty alone, which may well stand first, is no objective yet.
        return Objective((self, *_terms(other)))

    def __radd__(self, other: Any) -> Objective:
        # A loss of a user's own need not know how to be added.
        return Objective((*_terms(other), self))


def _terms(item: Any) -> tuple[Any, ...]:
    return item.terms if isinstance(item, Objective) else (item,)


def _same_shape(name: str, output: Node, target: Node) -> None:
    if output.shape == target.shape:
        return
    column = output.shape == (*target.shape, 1)
    raise ShapeError(
        f"{name} was given an output {output.type!r} and a target {target.type!r}\n"
        f"      output {output.shape}\n      target {target.shape}",
        expected="one shape for both; a prediction is never broadcast against a target",
        remedy="give the targets as a column, y.reshape(-1, 1)"
        if column
        else "end the network with as many units as the target has numbers",
    )


def _per_example(entries: Node, *, mean: bool = False) -> Node:
    """Entries (batch, ...) summed, or averaged, over all axes but the first."""
    axes = tuple(range(1, entries.type.ndim))
    return ops.mean(entries, axes) if mean else ops.sum(entries, axes)


def _refuse_squashed(name: str, output: Node) -> None:
    for found, function, instead in (
        (softmax_input(output), "softmax", "cross_entropy"),
        (sigmoid_input(output), "sigmoid", "binary_cross_entropy"),
    ):
        if found is not None:
            raise LossError(
                f"{name} wants logits, and was given the output of {function}\n"
                f"      layer {output.scope or 'unknown'}, {output.type!r}",
                expected="the pre-activation z: this loss applies its own squashing, which would then be done twice",
                remedy=f'write loss="{instead}", which goes with {function}, or make the last layer linear',
            )


@described
class SquaredError(_Addable):
    """Σ_j (a_j − y_j)², or the mean over j, with or without ½: four losses, four names.

    >>> SquaredError(mean=False, half=True).formula
    '½·Σ_j (a_j − y_j)²'
    """

    mean: bool = True
    half: bool = False

    target: ClassVar[TargetKind] = "values"

    @property
    def name(self) -> str:
        """half_ if halved, mean_ if averaged."""
        return f"{'half_' if self.half else ''}{'mean_' if self.mean else ''}squared_error"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        return f"{'½·' if self.half else ''}{'1/k·' if self.mean else ''}Σ_j (a_j − y_j)²"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        squares = _per_example(ops.square(output - target), mean=self.mean)
        return squares * 0.5 if self.half else squares


@described
class EuclideanDistance(_Addable):
    """√Σ_j (a_j − y_j)²: how far the prediction is from the target; where it is 0 its derivative is taken as 0."""

    name: ClassVar[str] = "euclidean_distance"
    formula: ClassVar[str] = "√Σ_j (a_j − y_j)²"
    target: ClassVar[TargetKind] = "values"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        return ops.norm(ops.reshape(output - target, shape=(output.shape[0], output.type.size // output.shape[0])))


@described
class AbsoluteError(_Addable):
    """Σ_j |a_j − y_j|, or the mean over j; at 0 its derivative is taken as 0."""

    mean: bool = True

    target: ClassVar[TargetKind] = "values"

    @property
    def name(self) -> str:
        """mean_ if averaged."""
        return f"{'mean_' if self.mean else ''}absolute_error"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        return f"{'1/k·' if self.mean else ''}Σ_j |a_j − y_j|"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        return _per_example(ops.absolute(output - target), mean=self.mean)


@described
class Huber(_Addable):
    """½·d² for |d| ≤ delta, delta·(|d| − ½·delta) beyond, mean over j. Source: P. J. Huber, Ann. Math. Stat. 35, 73 (1964)."""

    delta: Positive = 1.0

    name: ClassVar[str] = "huber"
    target: ClassVar[TargetKind] = "values"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        delta = _number(self.delta)
        return f"1/k·Σ_j (½·d_j² if |d_j| ≤ {delta} else {delta}·(|d_j| − ½·{delta})), d = a − y"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        return _per_example(ops.huber(output - target, delta=float(self.delta)), mean=True)


@described
class ChiSquared(_Addable):
    """Σ_j ((a_j − y_j)/σ_j)²: each number counts by its own standard error σ, which stands beside it in the target.

    Least squares with known errors: of a true model, each term is 1 on average. The data hold (y, σ), see `data.with_errors`.
    Source: P. R. Bevington, D. K. Robinson, Data Reduction and Error Analysis, chapter 4.

    >>> ChiSquared().formula
    'Σ_j ((a_j − y_j)/σ_j)²'
    """

    name: ClassVar[str] = "chi_squared"
    formula: ClassVar[str] = "Σ_j ((a_j − y_j)/σ_j)²"
    target: ClassVar[TargetKind] = "measured"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, k), target (batch, 2k): k numbers, then their errors."""
        if output.type.ndim != 2 or target.shape != (output.shape[0], 2 * output.shape[1]):
            raise ShapeError(
                f"{self.name} was given an output {output.type!r} and a target {target.type!r}",
                expected="outputs (batch, k), and targets (batch, 2k): k numbers, then their standard errors",
                remedy="put errors beside the targets: data.with_errors(data, sigma)",
            )
        count = output.shape[1]
        pull = (output - ops.slice_axis(target, 1, 0, count)) / ops.slice_axis(target, 1, count, 2 * count)
        return _per_example(ops.square(pull))


def _require_classes(name: str, classes: int, target: Node) -> None:
    """Labels that are known already are looked at; those of data are when the data set is made."""
    labels = target.attributes["value"] if target.op is CONSTANT else np.empty(0)
    outside = labels[(labels < 0) | (labels >= classes)]
    if outside.size:
        raise LossError(
            f"{name} was given the label {outside[0]} for {classes} classes",
            expected=f"labels from 0 to {classes - 1}",
            remedy="correct the label; labels count from 0",
        )


def _label_shapes(name: str, output: Node, target: Node) -> None:
    if output.type.ndim != 2 or output.shape[1] < 2 or target.shape != output.shape[:1] or target.type.is_float:
        raise ShapeError(
            f"{name} was given an output {output.type!r} and a target {target.type!r}",
            expected="outputs (batch, classes) with two classes or more, and whole-number labels (batch,)",
            remedy="end the network with one unit to a class; give labels 0 ... classes − 1",
        )
    _require_classes(name, output.shape[1], target)


@described
class CrossEntropy(_Addable):
    """−log p(label), p the network's softmax output; or, `from_logits`, softmax(z) of a linear output z.

    Computed from z either way, so that no probability is rounded to 0 or 1; ∂/∂z = softmax(z) − y, see `ops.softmax_cross_entropy`.

    >>> CrossEntropy(from_logits=True).name
    'cross_entropy_from_logits'
    """

    from_logits: bool = False

    target: ClassVar[TargetKind] = "labels"

    @property
    def name(self) -> str:
        """cross_entropy, or cross_entropy_from_logits."""
        return f"cross_entropy{'_from_logits' if self.from_logits else ''}"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        return "−log softmax(z)_label" if self.from_logits else "−log a_label"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, classes), target (batch,) labels."""
        _label_shapes(self.name, output, target)
        if self.from_logits:
            _refuse_squashed(self.name, output)
            logits = output
        else:
            logits = _require(softmax_input(output), self.name, output, "softmax")
        return ops.softmax_cross_entropy(logits, target)


def _require(logits: Node | None, name: str, output: Node, function: str) -> Node:
    if logits is None:
        raise LossError(
            f"{name} wants probabilities from a {function} layer, and was given {output!r} (layer {output.scope or 'unknown'})",
            expected=f"a last layer with the activation {function}",
            remedy=f'write Dense(units, "{function}") as the last layer, or loss="{name}_from_logits" for a linear one',
        )
    return logits


@described
class BinaryCrossEntropy(_Addable):
    """−[y·log p + (1 − y)·log(1 − p)] summed over outputs, p the sigmoid output; or, `from_logits`, σ(z) of a linear output z.

    Computed from z either way, so that no probability is rounded to 0 or 1; ∂/∂z = σ(z) − y, see `ops.sigmoid_cross_entropy`.
    """

    from_logits: bool = False

    target: ClassVar[TargetKind] = "values"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """binary_cross_entropy, or binary_cross_entropy_from_logits."""
        return f"binary_cross_entropy{'_from_logits' if self.from_logits else ''}"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        a = "σ(z_j)" if self.from_logits else "a_j"
        return f"−Σ_j [y_j·log {a} + (1 − y_j)·log(1 − {a})]"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k), targets in [0, 1]."""
        _same_shape(self.name, output, target)
        if self.from_logits:
            _refuse_squashed(self.name, output)
            logits = output
        else:
            logits = _require(sigmoid_input(output), self.name, output, "sigmoid")
        return _per_example(ops.sigmoid_cross_entropy(logits, target))


@described
class Poisson(_Addable):
    """Half the deviance of counts y from a Poisson distribution with the mean a: Σ_j [y_j·log(y_j/a_j) − (y_j − a_j)].

    a is the network's output, which is never negative: that of `exp`, the usual one, or of softplus; or, `from_log`, exp(z) of a linear
    output z. Of exp(z) it is computed from z, and ∂/∂z = exp(z) − y, see `ops.poisson_loss`. It is 0 where a = y.
    Source: P. McCullagh, J. A. Nelder, Generalized Linear Models (1989), section 2.3.

    >>> Poisson(from_log=True).formula
    'Σ_j [y_j·(log y_j − z_j) − (y_j − exp(z_j))]'
    """

    from_log: bool = False

    target: ClassVar[TargetKind] = "values"
    domain: ClassVar[tuple[float, float]] = (0.0, math.inf)

    @property
    def name(self) -> str:
        """poisson, or poisson_from_log."""
        return f"poisson{'_from_log' if self.from_log else ''}"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        return "Σ_j [y_j·(log y_j − z_j) − (y_j − exp(z_j))]" if self.from_log else "Σ_j [y_j·log(y_j/a_j) − (y_j − a_j)]"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k), targets from 0 up."""
        _same_shape(self.name, output, target)
        return _per_example(ops.poisson_loss(self._log_mean(output), target))

    def _log_mean(self, output: Node) -> Node:
        z = exp_input(output)
        if self.from_log:
            if z is None:
                return output
            raise LossError(
                f"{self.name} wants the logarithm of the mean, and was given the output of exp (layer {output.scope or 'unknown'})",
                expected="the pre-activation z: this loss applies exp itself, which would then be done twice",
                remedy='write loss="poisson", which goes with exp, or make the last layer linear',
            )
        if (output_range(output).low < 0.0).any():
            raise LossError(
                f"{self.name} wants the means of counts, and was given {output!r} (layer {output.scope or 'unknown'})",
                expected="an output that is never negative: a last layer with the activation exp or softplus",
                remedy='write Dense(units, "exp") as the last layer, or loss="poisson_from_log" for a linear one',
            )
        return ops.log(output) if z is None else z


def _margin(name: str, output: Node, target: Node) -> Node:
    """How far the right answer leads: y·z with y = ±1 for one output, z_label − max of the others for several."""
    if output.shape == (output.shape[0], 1) and target.shape == output.shape:
        return ops.reshape(output * (target * 2.0 - 1.0), shape=output.shape[:1])
    _label_shapes(name, output, target)
    return ops.margin(output, target)


@described
class Hinge(_Addable):
    """max(0, 1 − m), the margin m being ±z for one output, z_label − max of the others for several.

    Source for several classes: K. Crammer, Y. Singer, JMLR 2, 265 (2001).
    """

    name: ClassVar[str] = "hinge"
    formula: ClassVar[str] = "max(0, 1 − m)"
    target: ClassVar[TargetKind] = "margin"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, 1) with target (batch, 1), or (batch, classes) with labels (batch,)."""
        return ops.relu(1.0 - _margin(self.name, output, target))


@described
class PerceptronLoss(_Addable):
    """max(0, −m), m the margin as for `Hinge`: nothing to learn from what is right.

    Source: F. Rosenblatt, Psychological Review 65, 386 (1958).
    """

    name: ClassVar[str] = "perceptron"
    formula: ClassVar[str] = "max(0, −m)"
    target: ClassVar[TargetKind] = "margin"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, 1) with target (batch, 1), or (batch, classes) with labels (batch,)."""
        return ops.relu(ops.negative(_margin(self.name, output, target)))


# ---- weights


@described
class Weighted(_Addable):
    """w·loss: each example counts by its own weight w, the last number of its target.

    Weights of mean 1 leave the size of the cost as it is. A whole number w then does what w equal examples do, as long as a batch holds all
    examples. For a loss that compares with labels the target holds a 1 at the example's class, 0 elsewhere, and then w.

    >>> Weighted(SquaredError()).formula
    'w·(1/k·Σ_j (a_j − y_j)²)'
    """

    loss: Any

    target: ClassVar[TargetKind] = "weighted"

    def __post_init__(self) -> None:
        _require_term(self.loss)
        if getattr(self.loss, "target", None) not in {"values", "labels", "margin"}:
            raise OptionError(
                f"Weighted({shown(self.loss)})",
                expected="a loss of values or labels, which has no weights or errors of its own",
                remedy="write Weighted(SquaredError()); penalties stand beside it: Weighted(SquaredError()) + L2(1e-4)",
            )

    @property
    def name(self) -> str:
        """weighted_, and then the name of the loss."""
        return f"weighted_{self.loss.name}"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        return f"w·({self.loss.formula})"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, k), target (batch, k + 1): k numbers, then the weight."""
        if output.type.ndim != 2 or target.shape != (output.shape[0], output.shape[1] + 1):
            raise ShapeError(
                f"{self.name} was given an output {output.type!r} and a target {target.type!r}",
                expected="outputs (batch, k), and targets (batch, k + 1): k numbers, then the weight",
                remedy="put the weight of each example behind its target",
            )
        count = output.shape[1]
        values, weight = ops.slice_axis(target, 1, 0, count), ops.slice_axis(target, 1, count, count + 1)
        by_label = self.loss.target == "labels" or (self.loss.target == "margin" and count > 1)
        rows = self.loss(output, ops.position_of_max(values) if by_label else values)
        return rows * ops.reshape(weight, shape=rows.shape)


# ---- penalties


def _number(value: float) -> str:
    """The number as short as it can be written without being another one: the printed factor is the one that is computed."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


@described
class L2(_Addable):
    """factor·Σ w² over all weights (biases left out, unless `biases`)."""

    factor: NonNegative
    biases: bool = False

    name: ClassVar[str] = "l2"

    @property
    def formula(self) -> str:
        """The formula, with the factor as given: no hidden ½."""
        return f"{_number(self.factor)}·Σ w²"

    def __call__(self, weight: Node) -> Node:
        """The penalty of one parameter, a scalar."""
        return ops.sum(ops.square(weight)) * self.factor


@described
class L1(_Addable):
    """factor·Σ |w| over all weights (biases left out, unless `biases`)."""

    factor: NonNegative
    biases: bool = False

    name: ClassVar[str] = "l1"

    @property
    def formula(self) -> str:
        """The formula, with the factor as given."""
        return f"{_number(self.factor)}·Σ |w|"

    def __call__(self, weight: Node) -> Node:
        """The penalty of one parameter, a scalar."""
        return ops.sum(ops.absolute(weight)) * self.factor


def _require_term(term: object) -> None:
    fields = ("name", "formula") if isinstance(term, L1 | L2) else ("name", "formula", "target")
    if isinstance(term, type) or not callable(term) or not all(isinstance(getattr(term, field, None), str) for field in fields):
        raise OptionTypeError(
            f"{shown(term)} was given as a loss",
            expected="a loss by its name, a loss object (with name, formula and target), or a sum of them",
            remedy='write "cross_entropy", or CrossEntropy() + L2(1e-4)',
        )


@described
class Objective(Shown):
    """A sum of named terms: losses (averaged over the batch) and penalties on the parameters.

    Without a loss only the auxiliary losses of layers are left; its name is then "none".

    >>> print((CrossEntropy() + L2(1e-4)).formula)
    C = 1/B·Σ_batch(−log a_label) + 0.0001·Σ w²
    """

    terms: tuple[Any, ...]

    def __post_init__(self) -> None:
        for term in self.terms:
            _require_term(term)
        names = [term.name for term in self.terms]
        if len(set(names)) < len(names):
            raise OptionError(
                f"terms {names}", expected="a name of its own for each term", remedy="combine equal terms into one"
            )

    def __add__(self, other: Any) -> Objective:
        return Objective(self.terms + _terms(other))

    @property
    def losses(self) -> tuple[Loss, ...]:
        """The terms that compare outputs with targets."""
        return tuple(term for term in self.terms if not isinstance(term, L1 | L2))

    @property
    def penalties(self) -> tuple[L1 | L2, ...]:
        """The terms that look at parameters only."""
        return tuple(term for term in self.terms if isinstance(term, L1 | L2))

    @property
    def formula(self) -> str:
        """The whole formula, B being the number of examples in the batch."""
        parts = [f"1/B·Σ_batch({loss.formula})" for loss in self.losses] + [penalty.formula for penalty in self.penalties]
        return f"C = {' + '.join(parts) or '0'}"

    def per_example(self, output: Node, targets: Mapping[str, Node]) -> dict[str, Node]:
        """For each loss by name its numbers (batch,); `targets` holds one node to a target kind."""
        with scope("loss"):
            return {loss.name: _rows(loss, output, _target(loss, targets)) for loss in self.losses}

    def penalty_terms(self, parameters: Mapping[str, Parameter]) -> dict[str, Node]:
        """For each penalty by name its scalar."""
        with scope("loss"):
            return {penalty.name: _penalty(penalty, parameters) for penalty in self.penalties}


def _target(loss: Loss, targets: Mapping[str, Node]) -> Node:
    if loss.target in targets:
        return targets[loss.target]
    raise LossError(
        f"{shown(loss)} compares with {shown(loss.target)}",
        expected=f"one of {', '.join(targets)}: what there is for these data and outputs",
        remedy="choose another loss, or another target in your own",
    )


def _rows(loss: Loss, output: Node, target: Node) -> Node:
    """What a loss gives, if it is one number to an example."""
    if not takes(loss, count=2):
        raise LossError(
            f"the loss {shown(loss)} cannot be called with an output and a target",
            expected="def __call__(self, output, target)",
            remedy="take both, also one that you do not use",
        )
    found = cast("object", loss(output, target))
    if isinstance(found, Node) and found.shape == output.shape[:1] and found.dtype == output.dtype:
        return found
    given = repr(found.type) if isinstance(found, Node) else shown(found)
    raise LossError(
        f"the loss {shown(loss)} gave {given} for outputs {output.type!r}",
        expected=f"one number to an example: {output.dtype}[{output.shape[0]}]; the mean over the batch is taken afterwards",
        remedy="reduce all axes but the first, for example with cr.ops.sum(entries, 1)",
    )


def _penalty(penalty: L1 | L2, parameters: Mapping[str, Parameter]) -> Node:
    weights = [item.node for item in parameters.values() if penalty.biases or item.node.type.ndim > 1]
    if not weights:
        raise OptionError(f"{penalty.name} on a network without weights", expected="weights", remedy="leave the penalty out")
    total = penalty(weights[0])
    for weight in weights[1:]:
        total = total + penalty(weight)
    return total


LOSSES: dict[str, Any] = {
    loss.name: loss
    for loss in (
        *(SquaredError(mean, half) for mean in (True, False) for half in (False, True)),
        ChiSquared(), EuclideanDistance(), AbsoluteError(), AbsoluteError(mean=False), Huber(), Hinge(), PerceptronLoss(),
        CrossEntropy(), CrossEntropy(from_logits=True), BinaryCrossEntropy(), BinaryCrossEntropy(from_logits=True),
        Poisson(), Poisson(from_log=True),
    )
}  # fmt: skip
"""Every loss by its name."""
NO_LOSS = "none"
"""The name of the objective that compares nothing with targets: it minimises the auxiliary losses of layers."""


@checked
def objective(loss: object) -> Objective:
    """The objective that a name, a loss or a sum of terms stands for."""
    if isinstance(loss, str):
        if loss == NO_LOSS:
            return Objective(())
        if loss not in LOSSES:
            raise OptionError(
                f"loss {loss!r}",
                expected=f"one of {', '.join(LOSSES)}, or {NO_LOSS}",
                remedy=suggest(loss, LOSSES),
            )
        loss = LOSSES[loss]
    if isinstance(loss, Objective):
        return loss
    return Objective((loss,))
