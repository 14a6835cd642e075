"""Explanations of networks: an example or a batch, scaled and labelled as the data say, goes forward and backward through a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from chainrule import display, ops
from chainrule.checks import Regular, Seed, checked, read, reader_of, shown
from chainrule.data import DatasetInfo, Example, Examples, Scaling
from chainrule.data.rows import Rows
from chainrule.engines import engine_named
from chainrule.errors import OptionError, OptionTypeError
from chainrule.graph import Array, Graph
from chainrule.immutable import immutable
from chainrule.nn import GraphLayer, Network, Sequential, build_network, read_input
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.trace import Explanation, Index, Level, Notation, Trace
from chainrule.train.given import given_examples
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.model import Model
from chainrule.train.optimizers import SGD
from chainrule.train.scales import input_scaling


@immutable
@checked
class ExplanationOptions:
    """How an explanation is to be read: its level, its notation, whether node by node, and which parameter entries are checked."""

    level: Level = "mathematics"
    notation: Notation = "names"
    every: bool = False
    seed: Seed = 0
    entries: Sequence[tuple[str, Index]] | None = None


def explain(model: Model, which: Any, reading: ExplanationOptions, facts: Mapping[str, str] | None = None) -> Explanation:
    """The computation of an Example, of Examples, or of (x, y), by a model: forward and backward, in float64.

    Raises: OptionTypeError for what is no example; ShapeError for one that does not fit the network.
    """
    examples = as_examples(model.problem.dataset_info, which)
    graph = model.unrolled(len(examples))
    fixed = [name for name, state in model.problem.states.items() if state.frozen]
    trace = Trace(graph, _leaves(model, examples, graph), every=reading.every, fixed=fixed)
    entries = None if reading.entries is None else tuple(reading.entries)
    told = {**(facts or {}), **_outcome(model, examples)}
    return Explanation(trace, MappingProxyType(told), reading.level, reading.notation, reading.seed, entries)


def as_examples(data: DatasetInfo, which: Any) -> Examples:
    """One example or several as rows, in the dtypes that the network's graph takes."""
    if isinstance(which, Example):
        return Examples(*given_examples(data, which.x[None], np.asarray(which.y)[None]))
    if isinstance(which, Examples):
        return Examples(*given_examples(data, which.x, which.y))
    if isinstance(which, tuple | list) and len(pair := cast("tuple[Any, ...]", which)) == 2:
        read("explain", "x", reader_of(Regular), pair[0])
        return Examples(*given_examples(data, *pair))
    raise OptionTypeError(
        f"an explanation of {shown(cast('object', which))}",
        expected="an example, examples, or (x, y)",
        remedy="write data.test[7], or (x, y)",
    )


def reading_of(options: Mapping[str, Any]) -> ExplanationOptions:
    """How an explanation is to be read, from options by name; OptionError for an unknown one."""
    known = [part.name for part in fields(ExplanationOptions)]
    for name in options:
        if name not in known:
            remedy = suggest(name, known, "leave it out")
            raise OptionError(f"there is no option {name!r}", expected=f"one of {', '.join(known)}", remedy=remedy)
    return ExplanationOptions(**options)


def _leaves(model: Model, examples: Examples, graph: Graph) -> dict[str, Array]:
    """A value for each leaf of the graph, which may do without targets or a state."""
    data = model.problem.dataset_info
    given = {"x": examples.x.astype(data.input_dtype), "y": examples.y.astype(data.target_dtype)}
    return {name: value for name, value in {**given, **model.values}.items() if name in graph.leaves}


def _outcome(model: Model, examples: Examples) -> dict[str, str]:
    """What a reader wants to know first: truth, prediction, cost of a single example; size of a batch."""
    classes = model.problem.dataset_info.classes
    if len(examples) > 1:
        return {"batch": f"{len(examples)} examples, C is the mean over them"}
    if classes is None:
        return {"target": ", ".join(_target_words(examples.y[0], model.problem.output.shape[-1]))}
    if not model.problem.classifies:
        return {"class": f"{classes[int(examples.y[0])]} (not told to the network)"}
    predicted, truth = int(model.decide(examples.x)[0]), int(examples.y[0])
    right = "right" if predicted == truth else "wrong"
    return {"truth": classes[truth], "prediction": f"{classes[predicted]} ({right})"}


def _target_words(y: Array, count: int) -> Iterator[str]:
    """The numbers to fit; where standard errors stand behind them, each with its own."""
    values, errors = y[:count], y[count:]
    if len(errors) != count:
        yield from map(numeral, y)
        return
    for value, error in zip(values, errors, strict=True):
        yield f"{numeral(value)} ± {numeral(error)} (its standard error)"


# ---- networks without a run


@display.explain.register(Sequential)
@display.explain.register(Network)
@display.explain.register(GraphLayer)
def explain_network(network: Sequential | Network | GraphLayer, example: Any, options: dict[str, Any]) -> Explanation:
    """A network that was never trained, at the weights that the seed gives it, or at `parameters`."""
    parameters, loss, seed = options.pop("parameters", None), options.pop("loss", None), options.get("seed", 0)
    problem = LearningProblem(network, _signature_of(network, example), loss, "float64")
    first = _initial(problem, seed)
    drawn = {name: first[name] for name in problem.parameters} if parameters is None else parameters
    model = Model(problem, drawn, states={name: first[name] for name in problem.states})
    told = {"weights": f"as they start, seed {seed}"} if parameters is None else {}
    return explain(model, example, reading_of(options), told)


def _initial(problem: LearningProblem, seed: int) -> dict[str, Array]:
    nodes = problem.initial_state(SGD())
    graph = Graph(nodes)
    values = {"seed": ops.key(seed)} if "seed" in graph.leaves else {}
    return engine_named("reference").compile(graph)(values)


def _signature_of(network: Sequential | Network | GraphLayer, example: Any) -> DatasetInfo:
    """What is known of the data from the examples alone: images are divided by 255; the network's outputs are the classes."""
    if isinstance(example, Example):
        x, y = example.x[None], np.asarray(example.y)[None]
    elif isinstance(example, Examples):
        x, y = example.x, example.y
    else:
        raise OptionTypeError(
            f"an explanation of {type(example).__name__}", expected="an example of a data set", remedy="write data.test[7]"
        )
    built = build_network(network, x.shape[1:])
    outputs = int(np.prod(built.output.shape[1:]))
    labels = y.ndim == 1
    count = max(outputs, 2)
    if labels and (y.max(initial=0) >= count or y.min(initial=0) < 0):
        raise OptionError(
            f"labels {y.min()} ... {y.max()} for a network with {outputs} outputs",
            expected="one output to a class",
            remedy="add outputs",
        )
    return DatasetInfo(
        "examples",
        "",
        MappingProxyType({"test": len(x)}),
        x.shape[1:],
        x.dtype.name,
        y.shape[1:],
        y.dtype.name,
        input_scaling(read_input(built), Rows(x)) if x.dtype == np.uint8 else Scaling.none(),
        None if labels else Scaling.none(),
        tuple(str(label) for label in range(count)) if labels else None,
        None,
        None,
    )
