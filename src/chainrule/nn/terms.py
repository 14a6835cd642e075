"""The terms of a cost: losses averaged over the batch and penalties, added up to an objective whose formula prints its factors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, cast

from chainrule import ops
from chainrule.checks import Natural, NonNegative, checked, shown, takes
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import LossError, OptionError, OptionTypeError
from chainrule.graph import Node, scope
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Parameter
from chainrule.spelling import listed

TargetKind: TypeAlias = Literal["values", "measured", "weighted", "labels", "margin"]
"""What a loss compares with: numbers in the output's shape; those and then the standard error of each, (batch, 2k); those and then the
weight of the example, (batch, k + 1); class labels (batch,); or numbers or labels, by the number of outputs."""


class Loss(Protocol):
    """One term of the objective that compares outputs with targets.

    A loss may moreover have a `domain`, (least, largest): from where to where its targets may lie; and a `link`, the name of an
    activation that it applies to outputs itself: predictions of numbers are given through it, in the units of the targets.
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


class Addable(Shown):
    """Terms add up to an objective."""

    def __add__(self, other: Any) -> Objective:
        # All at once: a penalty alone, which may well stand first, is no objective yet.
        return Objective((self, *_terms(other)))

    def __radd__(self, other: Any) -> Objective:
        # A loss of a user's own need not know how to be added.
        return Objective((*_terms(other), self))


def _terms(item: Any) -> tuple[Any, ...]:
    return item.terms if isinstance(item, Objective) else (item,)


def exact(value: float) -> str:
    """The number as short as it can be written without being another one: the printed factor is the one that is computed."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


@described
class L2(Addable):
    """factor·Σ w² over all weights (biases left out, unless `biases`)."""

    factor: NonNegative
    biases: bool = False

    name: ClassVar[str] = "l2"

    @property
    def formula(self) -> str:
        """The formula, with the factor as given: no hidden ½."""
        return f"{exact(self.factor)}·Σ w²"

    def __call__(self, weight: Node) -> Node:
        """The penalty of one parameter, a scalar."""
        return ops.sum(ops.square(weight)) * self.factor


@described
class L1(Addable):
    """factor·Σ |w| over all weights (biases left out, unless `biases`)."""

    factor: NonNegative
    biases: bool = False

    name: ClassVar[str] = "l1"

    @property
    def formula(self) -> str:
        """The formula, with the factor as given."""
        return f"{exact(self.factor)}·Σ |w|"

    def __call__(self, weight: Node) -> Node:
        """The penalty of one parameter, a scalar."""
        return ops.sum(ops.absolute(weight)) * self.factor


def require_term(term: object) -> None:
    """Raises: OptionTypeError for what is neither a loss nor a penalty, OptionError for a link that is no activation."""
    fields = ("name", "formula") if isinstance(term, L1 | L2) else ("name", "formula", "target")
    if isinstance(term, type) or not callable(term) or not all(isinstance(getattr(term, field, None), str) for field in fields):
        raise OptionTypeError(
            f"{shown(term)} was given as a loss",
            expected="a loss by its name, a loss object (with name, formula and target), or a sum of them",
            remedy='write "cross_entropy", or CrossEntropy() + L2(1e-4)',
        )
    link: object = getattr(term, "link", "")
    if link not in ("", *ACTIVATIONS):
        raise OptionError(
            f"a loss with link={shown(link)}",
            expected=f"the name of an activation that it applies to outputs itself: one of {listed(ACTIVATIONS)}",
            remedy="leave link out where it takes outputs as they are",
        )


@described
class Objective(Shown):
    """A sum of named terms: losses (averaged over the batch) and penalties on the parameters.

    Without a loss only the auxiliary losses of layers are left; its name is then "none".

    >>> from chainrule import nn
    >>> print((nn.CrossEntropy() + L2(1e-4)).formula)
    C = 1/B·Σ_batch(−log a_label) + 0.0001·Σ w²
    """

    terms: tuple[Any, ...]

    def __post_init__(self) -> None:
        for term in self.terms:
            require_term(term)
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
    def beside(self) -> str:
        """What stands behind the numbers of a target: "standard errors", "a weight", or nothing."""
        kinds = {loss.target for loss in self.losses}
        return "standard errors" if "measured" in kinds else "a weight" if "weighted" in kinds else ""

    @checked
    def compared(self, size: Natural) -> int:
        """How many of a target's `size` numbers are compared with outputs; behind them stand standard errors, or a weight.

        >>> from chainrule import nn
        >>> nn.Objective((nn.ChiSquared(),)).compared(4), nn.Objective((nn.Weighted(nn.SquaredError()),)).compared(4)
        (2, 3)
        """
        return size // 2 if self.beside == "standard errors" else size - bool(self.beside)

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
    return reduce(add, map(penalty, weights))
