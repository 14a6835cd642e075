"""Scales: in which units a training's network sees inputs and targets, decided where network, loss and data meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np

from chainrule.data import Dataset, Scaling, to_digits
from chainrule.data.rows import Rows
from chainrule.errors import DataError
from chainrule.graph import Array, compute, input_node, scope_root
from chainrule.nn import InputReading, Layer, Loss, OutputRange, objective, output_range, read_input, softmax_input
from chainrule.numerals import numeral
from chainrule.train.learning_problem import LearningProblem, learning_problem

Floats = Array
MARGIN = 0.1
"""The fraction of a bounded output's range that is left free at each end: tanh and its kin only come near their bounds."""
FAR = 100.0
"""From how many standard deviations on a bound says nothing about the targets any more."""


def suited(
    network: Layer,
    data: Dataset,
    loss: object = None,
    batch_size: int | None = None,
    dtype: Literal["float32", "float64"] = "float32",
) -> Dataset:
    """The data with scalings that suit a network and its loss, each with its reason; those that were asked for stay as they are.

    Inputs: what the network takes for positions stays as it is, other numbers are standardised by channel or feature, padded steps left
    out. Targets: standardised where every output can be any number and the loss goes by differences only; otherwise so that the outputs
    can reach every target of the training part, see `target_scaling`.

    Raises: DataError for targets that the loss does not take, and what misfits of network, data and loss raise.

    >>> import chainrule as cr
    >>> x = np.linspace(0, 1, 20)
    >>> data = cr.data.from_arrays(x, np.exp(x), split=None)
    >>> suited(cr.parse_network("1-4-1 tanh softplus"), data).target_scaling.reason
    'divided by 1.802, not shifted: outputs reach from 0 up'
    """
    if data.scaling.usual or (data.target_scaling is not None and data.target_scaling.usual):
        problem = learning_problem(network, data.scaled_by(Scaling.none(), None).info, loss, dtype, batch_size)
        built = problem.described.built
        inputs = input_scaling(read_input(built), data.train.inputs) if data.scaling.usual else data.scaling
        targets = target_scaling(problem, data)
        data = data.scaled_by(inputs, targets)
    # The usual loss of numbers takes any of them.
    for term in () if data.classes is not None or loss is None else objective(loss).losses:
        require_domain(term, data)
    return data


# ---- inputs


def input_scaling(reading: InputReading, x: Rows) -> Scaling:
    """The scaling of inputs that a network reads so, learned from the inputs x (n, ...) of the training part."""
    if reading.positions.all():
        return Scaling.none().described("as they are: the network takes them for positions", usual=True)
    kept = f", but for {int(reading.positions.sum())} that it takes for positions" if reading.positions.any() else ""
    if x.dtype == np.uint8:
        factor = np.where(reading.positions, 1.0, 1 / 255) if kept else 1 / 255
        return Scaling(0.0, factor, usual=True, reason=f"bytes divided by 255{kept}")
    return _standardised(reading, x, kept)


def _standardised(reading: InputReading, x: Rows, kept: str) -> Scaling:
    words = f"standardised {_by(reading, x)}{kept}{', padded steps left out' if reading.padding else ''}"
    shape, groups = x.shape[1:], reading.groups.reshape(-1)
    along_last = np.array_equal(reading.groups, np.broadcast_to(np.arange(shape[-1] if shape else 1), shape))
    if along_last and not reading.padding and not kept:
        return Scaling.standardise(x).described(words, usual=True)
    rows = x.array().reshape(len(x), -1)
    present = _present(reading, rows)
    offset, factor = np.zeros(len(groups)), np.ones(len(groups))
    for group in np.unique(groups[~reading.positions.reshape(-1)]):
        members = (groups == group) & ~reading.positions.reshape(-1)
        values = rows[:, members] if present is None else rows[:, members][present[:, members]]
        if values.size:
            found = Scaling.standardise(values.reshape(-1, 1))
            offset[members], factor[members] = found.offset, found.factor
    return Scaling(_short(offset.reshape(shape)), _short(factor.reshape(shape)), usual=True, reason=words)


def _by(reading: InputReading, x: Rows) -> str:
    kinds = len(np.unique(reading.groups))
    if kinds == reading.groups.size:
        return "by feature" if len(x.shape) == 2 else "one by one"
    if kinds == 1:
        return "all alike"
    return "by channel" if len(x.shape) > 3 else "by feature"


def _present(reading: InputReading, rows: Array) -> Array | None:
    """Which numbers (n, numbers of an example) stand in no padded step; None where nothing is padded."""
    if not reading.padding:
        return None
    present = np.ones(rows.shape, dtype=bool)
    for places, value in reading.padding:
        steps = places.reshape(len(places), -1)
        padded = np.all(rows[:, steps] == value, axis=2)
        for step, columns in enumerate(steps):
            present[:, columns] &= ~padded[:, step, None]
    return present


def _short(values: Floats) -> Floats:
    """The numbers without axes along which they repeat: () if all are one, (features,) if only the last axis counts."""
    if np.all(values == values.reshape(-1)[:1]):
        return values.reshape(-1)[0]
    last = values.reshape(-1, values.shape[-1])
    return last[0] if np.all(last == last[0]) else values


# ---- targets


def target_scaling(problem: LearningProblem, data: Dataset) -> Scaling | None:
    """The scaling of targets under which the network's outputs can reach each of them, and which its loss allows.

    A loss that is not the same when outputs and targets are shifted together, such as a cross-entropy, compares numbers that mean
    something in their own units: nothing is scaled. Outputs that can be any number: standardised. Outputs with bounds: targets within
    are not shifted, for then the bound means something; they stay as they are, divided by their size where there is one bound only.
    Targets that lie outside are mapped into the range, and so are those that are further from the one bound than a hundred of their
    standard deviations. So every target of the training part can be reached.

    Raises: DataError where a softmax, whose outputs are shares of a whole, is to reach other numbers than from 0 to 1.
    """
    usual = data.target_scaling
    if usual is None or not usual.usual:
        return usual
    if not problem.compares:
        return Scaling.none().described(usual=True)
    bound_to_units = [loss for loss in problem.objective.losses if not goes_by_differences(loss, problem)]
    if bound_to_units:
        return Scaling.none().described(f"as they are: {bound_to_units[0].name} compares them in their own units", usual=True)
    reach = output_range(problem.output)
    if reach.is_unbounded:
        return Scaling.standardise(data.train.y[:, : problem.output.shape[-1]]).described("standardised", usual=True)
    return _within(reach, problem, data)


def goes_by_differences(loss: Loss, problem: LearningProblem) -> bool:
    """Whether a loss is the same when outputs and targets are shifted by one amount: tried, whatever it is made of."""
    outputs, data = problem.output, problem.dataset_info
    with scope_root(""):
        output = input_node("output", outputs.shape, problem.dtype)
        target = input_node("target", (outputs.shape[0], *data.target_shape), problem.dtype)
        try:
            rows = loss(output, target)
        except Exception:
            # It wants an output of its own kind, such as the sigmoid's, or labels. What is really wrong with it was said before.
            return False
    shifts = np.zeros(target.shape)
    # Behind measured numbers stand their errors, which have no zero of their own.
    shifts[..., : outputs.shape[-1]] = 1.0

    def values(span: tuple[float, float]) -> list[Array]:
        random = np.random.default_rng(0)
        a, y = (random.uniform(*span, node.shape) for node in (output, target))
        pairs = [(a + by, y + by * shifts) for by in (0.0, 0.75, 10.0)]
        return [compute([rows], {output: a.astype(problem.dtype), target: y.astype(problem.dtype)})[0] for a, y in pairs]

    with np.errstate(all="ignore"):
        # In several places: a loss may be the same everywhere in one of them, or not be defined there.
        found = [values(span) for span in ((0.1, 0.9), (1.0, 2.0), (-2.0, 2.0))]
    known = [row for row in found if np.isfinite(row[0]).all()]
    near = 1e-9 if problem.dtype == "float64" else 1e-3
    return bool(known) and all(np.allclose(other, row[0], rtol=near, atol=near) for row in known for other in row[1:])


def _within(reach: OutputRange, problem: LearningProblem, data: Dataset) -> Scaling:
    """Targets mapped so that outputs with bounds can reach them."""
    count = problem.output.shape[-1]
    low, high = (_by_column(bound, problem.output.shape, worst) for bound, worst in ((reach.low, np.max), (reach.high, np.min)))
    y = np.asarray(data.train.y[:, :count], dtype=np.float64)
    if softmax_input(problem.output) is not None:
        whole = data.scaled_by(data.scaling, None)
        _require_within(whole, count, 0.0, 1.0, "a softmax gives shares of a whole", "make the last layer linear")
    maps = [_one_map(float(a), float(b), column) for a, b, column in zip(low, high, y.T, strict=True)]
    offset, factor, words = (np.array([one[part] for one in maps], dtype=object) for part in (0, 1, 2))
    offset, factor = offset.astype(np.float64), factor.astype(np.float64)
    reason = words[0] if len(set(words)) == 1 else "; ".join(f"y{place + 1} {word}" for place, word in enumerate(words))
    return Scaling(offset, factor, usual=True, reason=reason)


def _by_column(bound: Array, shape: Sequence[int], worst: Any) -> Floats:
    return cast("Floats", worst(np.broadcast_to(bound, shape), axis=tuple(range(len(shape) - 1))))


def _one_map(low: float, high: float, y: Floats) -> tuple[float, float, str]:
    """Offset, factor and reason for the targets y (n,) of an output between low and high."""
    least, largest, spread = float(y.min()), float(y.max()), float(y.std())
    reached = _interval(low, high)
    if np.isinf(low) and np.isinf(high):
        found = Scaling.standardise(y[:, None])
        return float(found.offset[0]), float(found.factor[0]), "standardised"
    where = f"targets from {to_digits(least, spread)} to {to_digits(largest, spread)}"
    if low <= least and largest <= high and not _is_far(low, high, y):
        size = float(np.sqrt(np.mean(y * y)))
        if np.isfinite(high - low) or not size or not low <= least / size <= largest / size <= high:
            return 0.0, 1.0, f"as they are: outputs reach {reached}, and so do they"
        return 0.0, 1.0 / size, f"divided by {numeral(size)}, not shifted: outputs reach {reached}"
    if np.isfinite(high - low):
        inner, width = low + MARGIN * (high - low), (1 - 2 * MARGIN) * (high - low)
        factor = width / (largest - least) if largest > least else 1.0
        words = f"mapped to {numeral(inner)} … {numeral(inner + width)}: outputs reach {reached}, and {where} lie outside"
        return least - inner / factor, factor, words
    factor = 1.0 / spread if spread else 1.0
    room = 3.0 / factor if _is_far(low, high, y) else 0.0
    offset = least - room - low / factor if np.isfinite(low) else largest + room - high / factor
    lie = "are far from it" if room else "lie outside"
    shift = f"{'+' if offset < 0 else '−'}{to_digits(abs(offset), spread)}"
    words = f"shifted by {shift} and divided by {numeral(1 / factor)}: outputs reach {reached}, and {where} {lie}"
    return offset, factor, words


def _is_far(low: float, high: float, y: Floats) -> bool:
    """Whether the one bound is so far from all targets that, in units of it, they would hardly differ."""
    if np.isinf(low) == np.isinf(high):
        return False
    distance = float(y.min()) - low if np.isfinite(low) else high - float(y.max())
    return distance > FAR * float(y.std()) > 0


def _interval(low: float, high: float) -> str:
    low, high = low + 0.0, high + 0.0
    if np.isinf(high):
        return f"from {numeral(low)} up"
    return f"up to {numeral(high)}" if np.isinf(low) else f"{numeral(low)} … {numeral(high)}"


# ---- what a loss takes


def require_domain(loss: Loss, data: Dataset) -> None:
    """DataError for a target that the loss is not made for: `loss.domain` says from where to where its targets may lie."""
    _require_beside(loss, data)
    domain: tuple[float, float] | None = getattr(loss, "domain", None)
    if domain is not None:
        remedy = "scale them into it, or choose another loss, such as mean_squared_error"
        _require_within(data, objective(loss).compared(data.target_size), *domain, loss.name, remedy)


def _require_beside(loss: Loss, data: Dataset) -> None:
    """DataError for standard errors or weights behind the targets that are none."""
    kind = loss.target
    if kind not in {"measured", "weighted"}:
        return
    for part, examples in data.parts():
        y = examples.y[:, objective(loss).compared(data.target_size) :]
        wrong = np.argwhere(y <= 0 if kind == "measured" else y < 0)
        if len(wrong):
            what, bound = ("error", "above 0") if kind == "measured" else ("weight", "of 0 or more")
            raise DataError(
                f"the {what} {numeral(float(y[tuple(wrong[0])]), 6)} at example {wrong[0][0]} of the {part} part",
                expected=f"numbers {bound} behind the targets: {loss.name}",
                remedy="correct it, or leave such examples out",
            )


def _require_within(data: Dataset, count: int, low: float, high: float, why: str, remedy: str) -> None:
    """DataError for the first `count` numbers of a target, as the network sees them, of which one lies outside."""
    scaling = data.target_scaling or Scaling.none()
    for part, examples in data.parts():
        seen = scaling.apply(examples.y[:, :count])
        outside = ~((seen >= low) & (seen <= high))
        if outside.any():
            place = tuple(int(number) for number in np.argwhere(outside)[0])
            value = numeral(float(examples.y[place]), 6)
            value += "" if scaling.is_none else f", scaled to {numeral(float(seen[place]), 6)},"
            raise DataError(
                f"the target {value} at example {place[0]} of the {part} part"
                + (f", number {place[1]}" if seen.shape[1] > 1 else ""),
                expected=f"targets {_interval(low, high)}: {why}",
                remedy=remedy,
            )
