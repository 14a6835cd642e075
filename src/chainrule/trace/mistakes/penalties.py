"""Mistakes about the penalty: its part of an array has the wrong size, stands where it should not, or is not in the cost at all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.trace.mistakes.kinds import Found, Given, Sizes, number_mistake, penalty_mistake

no_penalty = penalty_mistake(
    "penalty forgotten",
    "The cost has a penalty, and it has a gradient too: λ·Σ w² adds 2·λ·W, ½·λ·Σ w² adds λ·W, λ·Σ |w| adds λ·sign(W). Here it is "
    "missing.",
    "add the penalty's derivative to ∂C/∂W",
)(lambda _: [0.0])

penalty_double = penalty_mistake(
    "factor 2 in the penalty",
    "The penalty's part of the gradient is twice what it should be: λ·Σ w² has the derivative 2·λ·W, ½·λ·Σ w² has λ·W.",
    "differentiate the penalty as it is printed, with its factor",
)(lambda _: [2.0])

penalty_half = penalty_mistake(
    "factor ½ in the penalty",
    "The penalty's part of the gradient is half of what it should be: λ·Σ w² has the derivative 2·λ·W; only ½·λ·Σ w² has λ·W.",
    "differentiate the penalty as it is printed, with its factor",
)(lambda _: [0.5])


@penalty_mistake(
    "penalty divided by B",
    "The penalty stands once in the cost, beside the mean over the examples: its gradient is not divided by B.",
    "add the penalty's derivative after dividing the data's part by B",
)
def penalty_averaged(sizes: Sizes) -> Iterable[float]:
    """1/B; with two examples that is ½."""
    if sizes.batch > 2:
        yield 1 / sizes.batch


@penalty_mistake(
    "penalty multiplied by B",
    "The penalty stands once in the cost, beside the mean over the examples. Here its gradient was added up once for each example.",
    "add the penalty's derivative once, outside of the loop over the examples",
)
def penalty_summed(sizes: Sizes) -> Iterable[float]:
    """B; with two examples that is 2."""
    if sizes.batch > 2:
        yield float(sizes.batch)


penalty_sign = penalty_mistake(
    "wrong sign of the penalty",
    "The penalty is added to the cost, so its derivative is added to the gradient; here it was subtracted.",
    "write dW + 2·λ·W for a penalty λ·Σ w²",
)(lambda _: [-1.0])


@penalty_mistake(
    "penalty on the biases",
    "The penalty of this cost is over weights only; here its derivative was added to biases too.",
    "add it to ∂C/∂W alone, or build the cost with L2(λ, biases=True)",
)
def penalty_on_bias(sizes: Sizes) -> Iterable[float]:
    """None here: it is in arrays that have no penalty, see the search."""
    del sizes
    return ()


def _fitted(given: Given, shape: str) -> tuple[float, dict[str, Array]] | None:
    """The number c in yours = true + c·(w or sign(w)), the same in all arrays that are wrong."""
    added: dict[str, Array] = {}
    for name in given.wrong:
        weights = given.structure.backward.values[given.structure.backward.parameters[name]]
        added[name] = np.sign(weights) if shape == "sign" else weights
    along = np.concatenate([added[name].reshape(-1) for name in given.wrong])
    gap = np.concatenate([(given.mine[name] - given.right[name]).reshape(-1) for name in given.wrong])
    square = float(along @ along)
    # One number always fits one number; of a bias before a softmax over two classes the second entry follows from the first.
    if np.count_nonzero(along) < 4 or not square:
        return None
    strength = float(along @ gap) / square
    made = {name: given.right[name] + strength * added[name] for name in given.wrong}
    return (strength, made) if strength and all(given.agree(name, made[name]) for name in given.wrong) else None


def _extra(given: Given, has_penalty: bool) -> Iterable[Found]:
    # Arrays that the cost has no penalty on may have none: biases are usually left out.
    behind = {name for root in given.structure.penalties for name in given.structure.parameters_behind(root)}
    if behind.isdisjoint(given.wrong) is has_penalty:
        return
    for shape, formula in (("weights", "W"), ("sign", "sign(W)")):
        found = _fitted(given, shape)
        if found is not None:
            yield Found(f"yours − true is {numeral(found[0], 6)}·{formula} in {', '.join(given.wrong)}", found[1])


@number_mistake(
    "penalty that the cost does not have",
    "The gradient holds the derivative of a penalty on the weights, 2·λ·W for λ·Σ w² or λ·sign(W) for λ·Σ |w|, but the cost has no such "
    "term. What is added to the gradient without being in the cost is weight decay: a matter of the update, not of ∂C/∂W.",
    "leave it out of the gradient, or put it into the cost too: loss=CrossEntropy() + L2(λ)",
)
def extra_penalty(given: Given) -> Iterable[Found]:
    """C·W or c·sign(W) too much, in a cost without penalty on these arrays."""
    return _extra(given, False)


@number_mistake(
    "another strength of the penalty",
    "The penalty's part of the gradient belongs to another λ than the cost has: λ·Σ w² has the derivative 2·λ·W.",
    "take the λ of the cost, and differentiate the penalty as it is printed, with its factor",
)
def other_strength(given: Given) -> Iterable[Found]:
    """C·W or c·sign(W) too much or too little, where the cost has a penalty."""
    return _extra(given, True)
