"""Why this answer and not that one: two outputs contrasted, down to the inputs, by gradients along a straight way from a baseline."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import display
from chainrule.checks import Positive, checked, shown
from chainrule.data import is_frame
from chainrule.derivatives import grad
from chainrule.display import Shown
from chainrule.engines import engine_named
from chainrule.errors import OptionError, PositionError, Remedy, ShapeError
from chainrule.graph import Array, Graph, Node, constant, input_node
from chainrule.immutable import immutable
from chainrule.nn import build_network, sigmoid_input, softmax_input
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.train.given import given_input
from chainrule.train.inputs import as_array, as_row
from chainrule.train.model import Model

ROWS = 64
"""Points of the way that are computed together."""
MOST = 50_000
"""Points at most: where the sum does not close by then, it is said."""
COMPILED = 100_000
"""Numbers in the graph of the contrast from which on it is compiled: it is run some hundred times."""
_SHOWN = 5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)


@immutable(eq=False)
class Attribution(Shown):
    """What each input did for one answer instead of another: integrated gradients of the difference of two outputs before squashing.

    of, instead_of: the names of both, the second "" where an output is compared with its own value at the baseline. contrast: their
    difference in words. x, baseline: inputs in the units of the data; values, gradient: arrays of their shape. The values add up to
    at_x − at_baseline but for `gap`. points: at how many places of the way gradients were taken. names: of the inputs, where they have any.
    """

    example: str
    of: str
    instead_of: str
    contrast: str
    x: Array
    baseline: Array
    gradient: Array
    values: Array
    at_x: float
    at_baseline: float
    points: int
    tolerance: float
    names: tuple[str, ...] | None = None

    @property
    def difference(self) -> float:
        """What the values have to add up to."""
        return self.at_x - self.at_baseline

    @property
    def gap(self) -> float:
        """What they add up to, less what they have to: the completeness of the explanation."""
        return float(self.values.sum()) - self.difference

    @property
    def closes(self) -> bool:
        """Whether the gap is within the tolerance, as a share of the sizes of all values together."""
        return abs(self.gap) <= self.tolerance * max(float(np.abs(self.values).sum()), abs(self.difference))

    def plot(self, ax: Any = None) -> Any:
        """What each input did, drawn into matplotlib's Axes: those given, or those of a new figure. Gives the Axes."""
        return display.ask(display.plot, self, ax)

    @property
    def title(self) -> str:
        """What is explained."""
        return f"{self.example}: why {self.of}" + (f" and not {self.instead_of}" if self.instead_of else "")

    def name(self, place: int) -> str:
        """What an input is called, by its place in the flattened example."""
        if not 0 <= place < self.x.size:
            raise PositionError(
                f"input {place} of {self.x.size}", expected=f"a place from 0 to {self.x.size - 1}", remedy="count from 0"
            )
        if self.names is not None:
            return self.names[place]
        side = math.isqrt(self.x.size)
        # A row of bytes whose number is a square is an image.
        is_image = self.x.ndim == 1 and self.x.dtype == np.uint8 and side**2 == self.x.size
        where = np.unravel_index(place, (side, side) if is_image else self.x.shape)
        return f"{'pixel' if is_image else 'input'} {', '.join(str(int(i)) for i in where)}"

    def largest(self, sign: float, most: int = _SHOWN) -> list[int]:
        """The places of the largest values with this sign, largest first."""
        flat = sign * self.values.ravel()
        return [int(place) for place in np.argsort(-flat, kind="stable")[:most] if flat[place] > 0]

    def __str__(self) -> str:
        closed = "closes" if self.closes else "does not close"
        ends = f"{self.contrast} = {numeral(self.at_x)} here, {numeral(self.at_baseline)} at the baseline"
        lines = [
            self.title,
            f"{ends}: {numeral(self.difference)} to be explained",
            f"the sum {closed}: {numeral(float(self.values.sum()))}, off by {numeral(self.gap, 1)} after {self.points} gradients",
        ]
        for word, sign in ((self.of, 1.0), (self.instead_of or f"less than {self.of}", -1.0)):
            told = "; ".join(self._told(place) for place in self.largest(sign))
            lines.append(f"for {word}: {told or 'nothing'}")
        return "\n".join(lines)

    def _told(self, place: int) -> str:
        value, here, there = (float(array.ravel()[place]) for array in (self.values, self.x, self.baseline))
        return f"{self.name(place)} {numeral(value, 3, sign=True)} ({numeral(here)}, not {numeral(there)})"


@checked
def attribution(
    model: Model, x: Array, of: int, instead_of: int | None, baseline: object, tolerance: Positive, example: str
) -> Attribution:
    """Integrated gradients of one output less another at an example x, its shape that of the data's inputs.

    Source: M. Sundararajan, A. Taly, Q. Yan, ICML, 3319 (2017).
    """
    info = model.problem.dataset_info
    if model.problem.ids.any():
        raise OptionError(
            "why, for a network that takes its inputs for positions",
            expected="inputs that have a derivative",
            remedy="ask for run.explain(example): it shows what each position's entry does",
        )
    start = _baseline(model, baseline)
    seen = info.scaling.apply(np.stack([start, np.asarray(x, dtype=np.float64)]))
    contrast = _Contrast(model, _chosen(model, of, instead_of), x)
    (ends, slopes), offset = contrast(seen), _offset(model, of, instead_of)
    values, points = integrated(contrast, seen[0], seen[1], tolerance)
    names = _output_names(model)
    return Attribution(
        example,
        names[of],
        "" if instead_of is None else names[instead_of],
        _words(model, of, instead_of),
        np.asarray(x),
        start,
        slopes[1] * info.scaling.factor,
        values,
        float(ends[1]) + offset,
        float(ends[0]) + offset,
        points,
        tolerance,
        info.features,
    )


def integrated(slope: Callable[[Array], tuple[Array, Array]], start: Array, stop: Array, tolerance: float) -> tuple[Array, int]:
    """(stop − start)·∫₀¹ ∇f dt along the straight way, entry by entry, and at how many points ∇f was taken.

    A piece of the way is halved where its two halves do not say the same as it did, each by Gauss and Legendre's five points, or do not
    add up to the difference of f at its ends: a kink of a ReLU is closed in on. slope: gives f (n,) and ∇f (n, ...) at n points.
    """
    way = stop - start

    def rise(pieces: Array) -> Array:
        ends = slope(start + pieces.reshape(-1, *[1] * start.ndim) * way)[0].reshape(-1, 2)
        return ends[:, 1] - ends[:, 0]

    def over(pieces: Array) -> Array:
        low, high = pieces[:, :1], pieces[:, 1:]
        at = (low + (high - low) * (_NODES + 1) / 2).reshape(-1, *[1] * start.ndim)
        found = slope(start + at * way)[1].reshape(len(pieces), len(_NODES), *start.shape)
        return np.tensordot(found, _WEIGHTS, axes=(1, 0)) * ((high - low) / 2).reshape(-1, *[1] * start.ndim) * way

    pieces = np.array([[0.0, 1.0]])
    whole, total, points = over(pieces), np.zeros(start.shape), len(_NODES)
    while len(pieces) and points < MOST:
        middle = pieces.mean(axis=1)
        halves = np.stack([pieces[:, 0], middle, middle, pieces[:, 1]], axis=1).reshape(-1, 2)
        parts = over(halves)
        points += len(halves) * len(_NODES)
        both = parts.reshape(len(pieces), 2, *start.shape)
        off = np.abs(both.sum(axis=1) - whole).reshape(len(pieces), -1).sum(axis=1)
        open_by = np.abs(both.reshape(len(pieces), -1).sum(axis=1) - rise(pieces))
        size = np.abs(total + both.sum(axis=(0, 1))).sum()
        done = np.maximum(off, open_by) <= tolerance * size / ROWS
        total = total + both[done].sum(axis=(0, 1))
        left = np.repeat(~done, 2)
        pieces, whole = halves[left], parts[left]
    return total + whole.sum(axis=0), points


class _Contrast:
    """A weighted sum of the outputs before squashing, and its derivative, for inputs as the network sees them.

    Which steps of the example, as the data hold it, are padding is known: they stay that all along the way.
    """

    def __init__(self, model: Model, weights: Array, example: Array) -> None:
        problem = model.problem
        shape = problem.dataset_info.input_shape
        x, data = (input_node(name, (ROWS, *shape), "float64") for name in ("seen", "x"))
        built = build_network(problem.network, shape, dtype="float64", x=x, data=data)
        z = _before(built.output)
        total = (z * constant(np.repeat(weights, ROWS, axis=0))).sum(axis=1)
        (slope,) = grad(total.sum(), [x])
        graph = Graph({"value": total, "slope": x * 0.0 if slope is None else slope})
        large = sum(node.type.size for node in graph.nodes) > COMPILED
        self._program = engine_named("native" if large else "reference").compile(graph)
        known = {**model.values, "x": np.broadcast_to(np.float64(example), data.shape)}
        self._known = {name: value for name, value in known.items() if name in graph.leaves}

    def __call__(self, seen: Array) -> tuple[Array, Array]:
        """(n,) and (n, ...) for inputs (n, ...)."""
        found: list[tuple[Array, Array]] = []
        for begin in range(0, len(seen), ROWS):
            rows = seen[begin : begin + ROWS]
            padded = np.concatenate([rows, np.repeat(rows[-1:], ROWS - len(rows), axis=0)])
            given = self._program({**self._known, "seen": padded})
            found.append((given["value"][: len(rows)], given["slope"][: len(rows)]))
        return np.concatenate([value for value, _ in found]), np.concatenate([slope for _, slope in found])


def _before(output: Node) -> Node:
    """The output before its softmax or sigmoid; as it is where it has none."""
    z = softmax_input(output)
    z = sigmoid_input(output) if z is None else z
    return output if z is None else z


def _is_one_for_two(model: Model) -> bool:
    return model.problem.classes is not None and model.problem.output.shape[-1] == 1


def _chosen(model: Model, of: int, instead_of: int | None) -> Array:
    """The weight of each output in the contrast, in the units of the targets: (1, outputs)."""
    count = model.problem.output.shape[-1]
    if _is_one_for_two(model):
        return np.array([[1.0 if of == 1 else -1.0]])
    weights = np.zeros((1, count))
    weights[0, of] = 1.0
    if instead_of is not None:
        weights[0, instead_of] -= 1.0
    scaling = model.problem.dataset_info.target_scaling
    return weights if scaling is None else weights / np.broadcast_to(scaling.factor, (1, count))


def _offset(model: Model, of: int, instead_of: int | None) -> float:
    """What the contrast of numbers has beside the network's, in the units of the targets."""
    scaling = model.problem.dataset_info.target_scaling
    if scaling is None:
        return 0.0
    offsets = np.broadcast_to(scaling.offset, model.problem.output.shape[-1:])
    return float(offsets[of] - (0.0 if instead_of is None else offsets[instead_of]))


def _words(model: Model, of: int, instead_of: int | None) -> str:
    names = _output_names(model)
    if _is_one_for_two(model) and model.problem.probabilities == "none":
        return f"{'−' * (of == 0)}output ({names[1]} above {numeral(model.problem.threshold)})"
    if _is_one_for_two(model):
        return f"log p({names[of]})/p({names[1 - of]})"
    words = [f"z({name})" if model.problem.classes is not None else name for name in names]
    return words[of] if instead_of is None else f"{words[of]} − {words[instead_of]}"


def _output_names(model: Model) -> tuple[str, ...]:
    classes, count = model.problem.classes, model.problem.output.shape[-1]
    kind = {"exp": "logarithm of output", "sigmoid": "logit of output"}.get(model.problem.link, "output")
    return classes if classes is not None else tuple(f"{kind} {place}" for place in range(count))


def output_number(model: Model, given: int | str, what: str) -> int:
    """The number of an output by its class's name or its place. Raises: OptionError where there is none."""
    names = _output_names(model)
    if isinstance(given, str) and given in names:
        return names.index(given)
    # The command line has texts alone.
    place = int(given) if not isinstance(given, str) or (given.isdecimal() and len(given) < 10) else -1
    if 0 <= place < len(names):
        return place
    raise OptionError(
        f"{what}={given!r}",
        expected=f"one of {', '.join(names[:20])}, or 0 ... {len(names) - 1}",
        remedy=suggest(str(given), names),
    )


def _baseline(model: Model, baseline: object) -> Array:
    """The input that the way begins at, in the units of the data: where none is given, what the network sees as 0."""
    info = model.problem.dataset_info
    if baseline is None:
        return np.broadcast_to(info.scaling.offset, info.input_shape).astype(np.float64)
    found = (
        given_input(info, baseline)
        if is_frame(baseline) or as_row(info, baseline) is not None
        else as_array("baseline", baseline)
    )
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise OptionError(
            f"baseline={shown(baseline)}",
            expected="finite numbers, in the units of the data",
            remedy="leave baseline out: it is the mean",
        )
    found = found.astype(np.float64)
    if found.shape != info.input_shape:
        raise ShapeError(
            f"a baseline of shape {found.shape}", expected=f"{info.input_shape}, as one example", remedy="leave baseline out"
        )
    return found


def why(
    model: Model,
    x: Any,
    instead_of: int | str | None,
    of: int | str | None,
    baseline: object,
    tolerance: float,
    example: str,
) -> Attribution:
    """The answer at x, or the output `of`, contrasted with another one: the next best where none is said."""
    rows = given_input(model.problem.dataset_info, x)[None]
    z = np.asarray(model.quantities(rows, {"output"})["output"][0], dtype=np.float64)
    if z.ndim != 1:
        raise ShapeError(
            f"outputs of shape {z.shape}", expected="one axis: classes or numbers", remedy="ask for run.explain(example)"
        )
    first = _answer(model, z) if of is None else output_number(model, of, "of")
    second = _other(model, z, first) if instead_of is None else output_number(model, instead_of, "instead_of")
    if first == second:
        name = _output_names(model)[first]
        raise OptionError(
            f"why {name} and not {name}",
            expected="two different answers",
            remedy=Remedy("leave instead_of out", "write --why in place of --instead-of"),
        )
    return attribution(model, rows[0], first, second, baseline, tolerance, example)


def _answer(model: Model, z: Array) -> int:
    return int(z[0] > model.problem.threshold) if _is_one_for_two(model) else int(z.argmax())


def _other(model: Model, z: Array, first: int) -> int | None:
    """The next best class; of networks that predict numbers none."""
    if model.problem.classes is None:
        return None
    if _is_one_for_two(model):
        return 1 - first
    return int(np.argsort(-z, kind="stable")[1 if int(z.argmax()) == first else 0])
