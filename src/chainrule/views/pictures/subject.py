"""What a picture is of: a run or a model, its data as far as they are at hand, and the names and ranges of its inputs."""

from __future__ import annotations

from math import prod
from typing import TypeAlias

import numpy as np

from chainrule.checks import require_place, unknown
from chainrule.data import Dataset, DatasetInfo
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.spelling import suggest
from chainrule.train import Model, Run
from chainrule.train.learning_problem import LearningProblem
from chainrule.views.panels import Span
from chainrule.views.plain import printable

Source: TypeAlias = Run | Model
"""A run knows its data; a model knows only what the network must know of them."""
NAME_LENGTH = 40


def model_of(source: Source, replica: int = 0) -> Model:
    """The model itself, or a replica of the run."""
    return source.model(replica) if isinstance(source, Run) else source


def data_of(source: Source) -> Dataset | None:
    """The run's data; None for a model."""
    return source.data if isinstance(source, Run) else None


def feature_names(info: DatasetInfo) -> tuple[str, ...]:
    """A name to show for each number of an example, counted row by row: the data's own where they have them."""
    if info.features is not None:
        return tuple(short(name) for name in info.features)
    return tuple(f"input {i}" for i in range(prod(info.input_shape)))


def feature_index(problem: LearningProblem, feature: int | str) -> int:
    """The place of an input in a flattened example, by its name or its place.

    Raises: OptionError where there is no such input, or one that is an id.
    """
    place = _place_of(problem.dataset_info, feature)
    if problem.ids[place]:
        raise OptionError(
            f"input {feature!r}, which the network takes for an id",
            expected="an input that one can go along",
            remedy="ask for the outputs at each id: run.predict(x)",
        )
    return place


def _place_of(info: DatasetInfo, feature: int | str) -> int:
    names = info.features or ()
    size = prod(info.input_shape)
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, str) or not 0 <= feature < size:
        known = f"one of {', '.join(map(repr, names[:12]))}, or " if names else ""
        raise OptionError(
            f"input {feature!r}",
            expected=f"{known}0 ... {size - 1}",
            remedy="count from 0" if isinstance(feature, int) else suggest(feature, names, "count from 0"),
        )
    return feature


def short(name: str) -> str:
    """A name as a title or a label shows it: one line, cut where it is long."""
    return printable(name, most=NAME_LENGTH)


@immutable
class Standpoint:
    """A point in the space of the inputs, in the data's units, (d,), and in words what point it is."""

    point: Array
    words: str


def standpoint(source: Source, at: Array | None) -> Standpoint:
    """The point given, or the mean of the training part; of a model alone, what the network sees as 0.

    Raises: OptionError for a point of another size.
    """
    info, data = model_of(source).problem.dataset_info, data_of(source)
    size = prod(info.input_shape)
    if at is not None:
        point = np.asarray(at, dtype=np.float64).reshape(-1)
        if point.size != size:
            raise OptionError(
                f"a point of {point.size} numbers", expected=f"{size}: one for each input", remedy="give at=an example"
            )
        return Standpoint(point, "the given point")
    if data is not None:
        mean = data.train.x.reshape(len(data.train), -1).mean(axis=0, dtype=np.float64)
        # Where the data are whole numbers, as pixels are, the network takes no others.
        whole = data.train.x.dtype.kind != "f"
        ids = model_of(source).problem.ids
        for place in np.flatnonzero(ids):
            seen, counts = np.unique(data.train.x.reshape(len(data.train), -1)[:, place], return_counts=True)
            mean[place] = seen[counts.argmax()]
        words = f"the training part's mean{', rounded' * whole}{', and its most frequent ids' * bool(ids.any())}"
        return Standpoint(np.rint(mean) if whole else mean, words)
    zero = np.zeros(info.input_shape)
    return Standpoint(np.asarray(info.scaling.undo(zero), dtype=np.float64).reshape(-1), "what the network sees as 0")


def usual_span(source: Source, feature: int) -> Span:
    """Where an input usually lies, with a tenth of it on both sides; of a model alone, what the network sees as −2 ... 2."""
    info, data = model_of(source).problem.dataset_info, data_of(source)
    if data is not None:
        values = data.train.x.reshape(len(data.train), -1)[:, feature].astype(np.float64)
        low, high = float(values.min()), float(values.max())
    else:
        ends = (np.asarray(info.scaling.undo(np.full(info.input_shape, end))).reshape(-1) for end in (-2.0, 2.0))
        low, high = sorted(float(end[feature]) for end in ends)
    margin = 0.1 * (high - low) or 1.0
    return low - margin, high + margin


def places(info: DatasetInfo, span: Span, points: int) -> Array:
    """Even places over a span; whole numbers in range where the data are whole numbers, as pixels are.

    Raises: OptionError for an empty span, or fewer than two places.
    """
    low, high = span
    if not -np.inf < low < high < np.inf or points < 2:
        raise OptionError(
            f"{points} points from {low} to {high}",
            expected="two points or more between two finite numbers, the lower one first",
            remedy="write for example span=(-1.0, 1.0)",
        )
    even = as_data(info, np.linspace(low, high, points))
    return even if np.dtype(info.input_dtype).kind == "f" else np.unique(even)


def as_data(info: DatasetInfo, numbers: Array) -> Array:
    """Inputs as the data may hold them: whole numbers in range where these are whole numbers."""
    if np.dtype(info.input_dtype).kind == "f":
        return numbers
    limits = np.iinfo(info.input_dtype)
    return np.clip(np.rint(numbers), limits.min, limits.max)


def predicted_of(model: Model, x: Array) -> Array:
    """What a network answers for examples x (n, ...), as `Run.predict` does: numbers to fit in the units of the targets, (n, k)."""
    return model.problem.in_target_units(model.quantities(x, {"output"})["output"])


def neuron_values(model: Model, quantity: str, neuron: int, rows: Array) -> Array:
    """One neuron's numbers for flattened examples (n, d): (n,); of the output, those that are predicted.

    Raises: OptionError for a quantity or a neuron that the network does not have.
    """
    require_quantity(model, quantity)
    dtype = np.dtype(model.problem.dataset_info.input_dtype)
    x = rows if dtype.kind == "f" else np.rint(rows)
    x = x.astype(dtype).reshape(-1, *model.problem.dataset_info.input_shape)
    found = predicted_of(model, x) if quantity == "output" else model.quantities(x)[quantity]
    columns = found.reshape(len(found), -1)
    require_place(f"neuron {neuron} of {quantity}", neuron, columns.shape[1])
    return columns[:, neuron]


def require_quantity(model: Model, quantity: str) -> None:
    """Raises: OptionError, with a suggestion, where the network has no such quantity."""
    known = (*model.quantity_names, "output")
    if quantity not in known:
        raise unknown(f"quantity {quantity!r}", quantity, known)


def bias_of(model: Model, layer: str) -> Array:
    """A layer's biases (units,), zeros where it has none."""
    given = model.weights.get(f"{layer}.b")
    return np.zeros(int(model.weights[f"{layer}.W"].shape[1])) if given is None else given


def through(point: Array, columns: dict[int, Array]) -> Array:
    """Rows (n, d) that stand at `point` but for some inputs, each of which takes its n values."""
    count = len(next(iter(columns.values())))
    rows = np.tile(np.asarray(point, dtype=np.float64), (count, 1))
    for feature, values in columns.items():
        rows[:, feature] = values
    return rows
