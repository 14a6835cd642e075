"""Mistakes that multiply the data's part of an array by a number that has a name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from chainrule.trace.mistakes.kinds import Sizes, factor_mistake


@factor_mistake(
    "missing 1/B",
    "The cost is the mean over the B examples of the batch, so its gradient is too: ∂C/∂W = 1/B·xᵀ·δ. Here the sum over the examples "
    "was not divided by B.",
    "divide by the batch size once: in the first δ at the output, which all layers before it then have, or in each ∂C/∂W and ∂C/∂b alike",
)
def missing_batch(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """B, and B² where it is missing in each layer anew."""
    batch, outputs = sizes.batch, sizes.outputs
    if batch > 1 and sizes.structure.means_over(batch, [a * b for a in (1, 2, 0.5) for b in {1, outputs, max(sizes.uses, 1)}]):
        for n in range(1, sizes.depth + 1):
            yield float(batch) ** n, n - 1


@factor_mistake(
    "1/B too often",
    "The mean over the batch brings one factor 1/B, and it belongs either into the first δ or into each ∂C/∂W, not into both. Here it "
    "was applied more often than that.",
    "keep the 1/B in the δ at the output, and take plain sums over the examples in the layers: xᵀ·δ and δ.sum(axis=0)",
)
def batch_too_often(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """1/B, and its powers."""
    if sizes.batch > 1:
        for n in range(1, sizes.depth + 1):
            yield float(sizes.batch) ** -n, n - 1


def _powers(base: float, sizes: Sizes) -> Iterable[tuple[float, int]]:
    """A factor applied in one layer, in two, and so on."""
    return [(base**n, n - 1) for n in range(1, sizes.depth + 1)]


double = factor_mistake(
    "factor 2",
    "The gradient is twice what it should be. (a − y)² has the derivative 2·(a − y), ½·(a − y)² has a − y: look at which of them the "
    "cost is; or the gradient was added up twice.",
    "differentiate the cost as it is printed, with its factor, and set gradients to zero before adding to them",
    in_delta=True,
)(partial(_powers, 2.0))

half = factor_mistake(
    "factor ½",
    "The gradient is half of what it should be. (a − y)² has the derivative 2·(a − y); only ½·(a − y)² has a − y.",
    "differentiate the cost as it is printed, with its factor",
    in_delta=True,
)(partial(_powers, 0.5))

sign = factor_mistake(
    "wrong sign",
    "The gradient points the other way. For squared errors δ begins with a − y, for softmax with cross-entropy with p − t: what the "
    "network says minus what is right. The minus of gradient descent belongs to the update, W − η·∂C/∂W.",
    "turn the difference round, and return ∂C/∂W without the minus of the update",
    in_delta=True,
)(lambda _: [(-1.0, 0)])


@factor_mistake(
    "accumulated twice",
    "Data term and penalty are both doubled: the finished gradient was added up twice, as when it is computed twice and not set to "
    "zero in between.",
    "begin each gradient with =, not with +=, or set it to zero first",
)
def twice(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """2, on data and penalty together."""
    if sizes.structure.penalties:
        yield 2.0, 0


@factor_mistake(
    "mean over the outputs",
    "The cost sums over the k outputs of an example, C = Σ_j(...); here the derivative was divided by k as if it took their mean.",
    "leave out the 1/k: np.mean over a whole array divides by B·k, divide by B alone",
    in_delta=True,
)
def mean_of_outputs(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """1/k, where the cost does not take the mean."""
    if sizes.outputs > 1 and not _averages_outputs(sizes):
        yield 1 / sizes.outputs, 0


@factor_mistake(
    "sum over the outputs",
    "The cost takes the mean over the k outputs of an example, C = 1/k·Σ_j(...); here the derivative was not divided by k.",
    "multiply the δ at the output by 1/k",
    in_delta=True,
)
def sum_of_outputs(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """K, where the cost takes the mean."""
    if sizes.outputs > 1 and _averages_outputs(sizes):
        yield float(sizes.outputs), 0


def _averages_outputs(sizes: Sizes) -> bool:
    # A mean over as many examples as there are outputs looks the same; it is one of those found.
    outputs, batch = sizes.outputs, sizes.batch
    return sizes.structure.means_over(outputs, (1, batch)) > (batch == outputs)


@factor_mistake(
    "mean over the uses",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here it "
    "was averaged over them.",
    "add up over the steps, without dividing by their number",
)
def mean_of_uses(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """1/T."""
    if sizes.uses > 1:
        yield 1 / sizes.uses, 0


@factor_mistake(
    "mean over the positions",
    "A filter is the same at every position of its input (a layer that is applied at each time step: at every step), so its gradient is "
    "the sum over all positions. Here it was averaged over them.",
    "add up over the positions; divide by the batch size alone",
)
def mean_of_positions(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """One over the number of positions that each example has."""
    if sizes.structure.positions(sizes.name) > 1:
        yield 1 / sizes.structure.positions(sizes.name), 0


@factor_mistake(
    "bias averaged over the batch",
    "∂C/∂b = Σ_examples δ, a sum as in xᵀ·δ. Here the mean was taken, though 1/B is in δ already.",
    "write db = δ.sum(axis=0), not δ.mean(axis=0)",
)
def bias_mean(sizes: Sizes) -> Iterable[tuple[float, int]]:
    """1/B in a bias; with several positions to an example, over all of them."""
    if sizes.batch > 1 and sizes.is_bias:
        yield 1 / sizes.batch, 0
        if (positions := sizes.structure.positions(sizes.name)) > 1:
            yield 1 / (sizes.batch * positions), 0
