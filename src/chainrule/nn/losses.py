"""Losses: a number for each example, and what a loss may be called by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from chainrule import ops
from chainrule.checks import Positive, checked, shown
from chainrule.descriptions import described
from chainrule.errors import LossError, OptionError, ShapeError
from chainrule.graph import CONSTANT, Node
from chainrule.nn.activations import exp_input, sigmoid_input, softmax_input
from chainrule.nn.ranges import output_range
from chainrule.nn.terms import Addable, Objective, TargetKind, exact, require_term
from chainrule.spelling import suggest


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
class SquaredError(Addable):
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
class EuclideanDistance(Addable):
    """√Σ_j (a_j − y_j)²: how far the prediction is from the target; where it is 0 its derivative is taken as 0."""

    name: ClassVar[str] = "euclidean_distance"
    formula: ClassVar[str] = "√Σ_j (a_j − y_j)²"
    target: ClassVar[TargetKind] = "values"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        return ops.norm(ops.reshape(output - target, shape=(output.shape[0], output.type.size // output.shape[0])))


@described
class AbsoluteError(Addable):
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
class Huber(Addable):
    """½·d² for |d| ≤ delta, delta·(|d| − ½·delta) beyond, mean over j. Source: P. J. Huber, Ann. Math. Stat. 35, 73 (1964)."""

    delta: Positive = 1.0

    name: ClassVar[str] = "huber"
    target: ClassVar[TargetKind] = "values"

    @property
    def formula(self) -> str:
        """The formula for one example."""
        delta = exact(self.delta)
        return f"1/k·Σ_j (½·d_j² if |d_j| ≤ {delta} else {delta}·(|d_j| − ½·{delta})), d = a − y"

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output and target (batch, k)."""
        _same_shape(self.name, output, target)
        return _per_example(ops.huber(output - target, delta=float(self.delta)), mean=True)


@described
class ChiSquared(Addable):
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
class CrossEntropy(Addable):
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
        return ops.softmax_cross_entropy(_logits(self, output, softmax_input, "softmax"), target)


def _logits(
    loss: CrossEntropy | BinaryCrossEntropy, output: Node, before: Callable[[Node], Node | None], function: str
) -> Node:
    """The logits that the output is, or was made of by a function: `before` finds them."""
    name = loss.name
    if loss.from_logits:
        _refuse_squashed(name, output)
        return output
    logits = before(output)
    if logits is None:
        raise LossError(
            f"{name} wants probabilities from a {function} layer, and was given {output!r} (layer {output.scope or 'unknown'})",
            expected=f"a last layer with the activation {function}",
            remedy=f'write Dense(units, "{function}") as the last layer, or loss="{name}_from_logits" for a linear one',
        )
    return logits


@described
class BinaryCrossEntropy(Addable):
    """−[y·log p + (1 − y)·log(1 − p)] summed over outputs, p the sigmoid output; or, `from_logits`, σ(z) of a linear output z.

    Computed from z either way, so that no probability is rounded to 0 or 1; ∂/∂z = σ(z) − y, see `ops.sigmoid_cross_entropy`. Where
    targets are numbers from 0 to 1 and no classes, predictions are σ(z) either way.
    """

    from_logits: bool = False

    target: ClassVar[TargetKind] = "values"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def link(self) -> str:
        """The activation that it applies itself, if it does."""
        return "sigmoid" if self.from_logits else ""

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
        return _per_example(ops.sigmoid_cross_entropy(_logits(self, output, sigmoid_input, "sigmoid"), target))


@described
class Poisson(Addable):
    """Half the deviance of counts y from a Poisson distribution with the mean a: Σ_j [y_j·log(y_j/a_j) − (y_j − a_j)].

    a is the network's output, which is never negative: that of `exp`, the usual one, or of softplus; or, `from_log`, exp(z) of a linear
    output z; predictions are exp(z) then, too. Of exp(z) it is computed from z, and ∂/∂z = exp(z) − y, see `ops.poisson_loss`. It is 0
    where a = y.
    Source: P. McCullagh, J. A. Nelder, Generalized Linear Models (1989), section 2.3.

    >>> Poisson(from_log=True).formula
    'Σ_j [y_j·(log y_j − z_j) − (y_j − exp(z_j))]'
    """

    from_log: bool = False

    target: ClassVar[TargetKind] = "values"
    domain: ClassVar[tuple[float, float]] = (0.0, math.inf)

    @property
    def link(self) -> str:
        """The activation that it applies itself, if it does."""
        return "exp" if self.from_log else ""

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
class Hinge(Addable):
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
class PerceptronLoss(Addable):
    """max(0, −m), m the margin as for `Hinge`: nothing to learn from what is right.

    Source: F. Rosenblatt, Psychological Review 65, 386 (1958).
    """

    name: ClassVar[str] = "perceptron"
    formula: ClassVar[str] = "max(0, −m)"
    target: ClassVar[TargetKind] = "margin"
    domain: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, output: Node, target: Node) -> Node:
        """A number for each example: output (batch, 1) with target (batch, 1), or (batch, classes) with labels (batch,)."""
        margin = _margin(self.name, output, target)
        # Numbers that are known are no network's reach, and no loss moves a step: the perceptron rule goes by what it answers.
        if output.op not in {CONSTANT, ops.cast} and output.shape[1] == 1 and (output_range(output).low >= 0.0).all():
            raise LossError(
                f"{self.name} was given {output!r} (layer {output.scope or 'unknown'}), which is never negative",
                expected="a single output that is negative for one class: no other is wrong for the other one",
                remedy='make the last layer linear, or write loss="hinge"',
            )
        return ops.relu(ops.negative(margin))


# ---- weights


@described
class Weighted(Addable):
    """w·loss: each example counts by its own weight w, the last number of its target.

    Weights of mean 1 leave the size of the cost as it is. A whole number w then does what w equal examples do, as long as a batch holds all
    examples. For a loss that compares with labels the target holds a 1 at the example's class, 0 elsewhere, and then w.

    >>> Weighted(SquaredError()).formula
    'w·(1/k·Σ_j (a_j − y_j)²)'
    """

    loss: Any

    target: ClassVar[TargetKind] = "weighted"

    def __post_init__(self) -> None:
        require_term(self.loss)
        if getattr(self.loss, "target", None) not in {"values", "labels", "margin"}:
            raise OptionError(
                f"Weighted({shown(self.loss)})",
                expected="a loss of values or labels, which has no weights or errors of its own",
                remedy="write Weighted(SquaredError()); penalties stand beside it: Weighted(SquaredError()) + L2(1e-4)",
            )

    @property
    def domain(self) -> tuple[float, float] | None:
        """From where to where the numbers before the weight may lie."""
        return getattr(self.loss, "domain", None)

    @property
    def link(self) -> str:
        """The activation that the loss applies itself, if it does."""
        return getattr(self.loss, "link", "")

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
