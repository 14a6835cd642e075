"""What is written out of a run, a model, a network or a graph: a graph from the data's units to predictions, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from chainrule import ops
from chainrule.checks import Extents, Natural, Seed, checked, shown
from chainrule.display import Shown
from chainrule.errors import ChainruleError, OptionError, OptionTypeError, PositionError
from chainrule.graph import Array, Graph, Node, compute, conform, constant
from chainrule.graph.types import FLOATS
from chainrule.immutable import immutable
from chainrule.nn import Export, GraphLayer, Layer, build_network
from chainrule.nn.layers import as_layer
from chainrule.nn.peers.steps import shape_of
from chainrule.train import Model, Run
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.state_nodes import first_values
from chainrule.version import __version__

Subject: TypeAlias = "Run | Model | Layer | Graph"
"""What can be written out."""
Dtype: TypeAlias = Literal["float32", "float64"]
EXAMPLES = 5
"""How many examples go with what is written out, so that it can be tested where it runs."""


@immutable(eq=False)
class Portable(Shown):
    """A network with its numbers, as every format reads it.

    make: from a size of batch to the graph. Its leaves are the inputs, in the data's own units, and those that `values` names. Its outputs
    are "output", in the units of the targets; of a classifier "class_index", int64 (batch,), and, in place of "output" where it has them,
    "probabilities" (batch, classes). inputs: a few examples by the inputs' names. classes: the names, by class_index. size: the one size
    of batch that there is; None for any. states: which of the values are none that training moves. layers: the network with its
    scalings, for formats that go by layers; None of a graph.
    facts: what is known of its making, in texts. features, targets: what the numbers in inputs and output are called, if they have names.
    """

    make: Callable[[int], Graph]
    values: Mapping[str, Array]
    inputs: Mapping[str, Array]
    classes: tuple[str, ...] | None = None
    size: int | None = None
    states: tuple[str, ...] = ()
    layers: Export | None = None
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def graph(self, size: int) -> Graph:
        """The graph for batches of this size; of the only size there is where there is but one."""
        return self.make(self.size or size)

    def outputs(self, inputs: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """What the reference engine computes of inputs, by name; of its own examples where none are given."""
        inputs = self.inputs if inputs is None else inputs
        graph = self.graph(len(next(iter(inputs.values()))))
        known = {
            name: np.asarray(value, graph.leaves[name].dtype) for name, value in self.values.items() if name in graph.leaves
        }
        return dict(zip(graph.outputs, compute(list(graph.outputs.values()), graph.bind({**known, **inputs})), strict=True))


@checked
def portable(
    subject: Any,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Extents | None = None,
    replica: Natural = 0,
    seed: Seed = 0,
    dtype: Dtype | None = None,
) -> Portable:
    """What is written out of a run, a model, a network or a graph.

    Of a run the numbers are those that it learned; of a network, where `values` does not name them, those that a training with this seed
    begins with, which for a network from a file are those of the file; of a graph `values` has to name all its parameters. values: arrays
    by the names of parameters and states. input_shape: of one example, where the network does not know it. replica: which network of a
    run. dtype: what it computes in; None for what a run or a model computes in, and float32 for a network.

    Raises: OptionError for a subject that has no replica of this number, lacks values or its shape; OptionTypeError for what is no subject.

    >>> from chainrule.nn import Dense, Sequential
    >>> found = portable(Sequential(Dense(1), input_shape=(2,)), {"dense1.W": [[1.0], [2.0]]})
    >>> found.outputs({"x": np.array([[3.0, 4.0]], np.float32)})["output"]
    array([[11.]], dtype=float32)
    """
    given = {name: np.asarray(value) for name, value in (values or {}).items()}
    if isinstance(subject, Run):
        return _of_run(subject, replica, given, dtype)
    if isinstance(subject, Model):
        problem = _in_dtype(subject.problem, dtype)
        return _of_problem(problem, {**subject.values, **given}, _made_up(problem), {})
    if isinstance(subject, Graph):
        return _of_graph(subject, given)
    if callable(subject):
        return _of_network(as_layer(subject), given, input_shape, seed, dtype or FLOATS[0])
    raise OptionTypeError(
        f"{shown(subject)} was to be written out",
        expected="a run, a model, a network or a graph",
        remedy="give what cr.fit gave",
    )


def _facts(more: Mapping[str, object]) -> dict[str, str]:
    return {"chainrule": __version__, **{name: str(value) for name, value in more.items()}}


# ---- runs and models


def _in_dtype(problem: LearningProblem, dtype: Dtype | None) -> LearningProblem:
    return problem if dtype in {None, problem.dtype} else replace(problem, dtype=dtype)


def _of_run(run: Run, replica: int, given: Mapping[str, Array], dtype: Dtype | None) -> Portable:
    moving = {name: value for name, value in run.states(replica).items() if name in run.problem.states}
    values = {**run.parameters(replica), **moving, **given}
    inputs = _made_up(run.problem)
    with suppress(ChainruleError, OSError):  # the data may have moved since; then the examples are made up
        part = list(run.dataset_info.parts)[-1]
        count = run.problem.size if run.problem.size > 1 else min(EXAMPLES, run.dataset_info.parts[part])
        inputs = {"x": np.asarray([run.example(number, part).x for number in range(count)])}
    told = {
        "data": run.dataset_info.name,
        "seed": run.settings.seed + replica,
        "step": run.trainer.step,
        "parameters": run.hash,
        "loss": run.problem.formula,
    }
    return _of_problem(_in_dtype(run.problem, dtype), values, inputs, told)


def _of_problem(
    problem: LearningProblem, values: Mapping[str, Array], inputs: Mapping[str, Array], told: Mapping[str, object]
) -> Portable:
    def graph(size: int) -> Graph:
        return Graph(_answers(problem, problem.prediction(size)))

    size = None if problem.size == 1 else problem.size
    states = tuple(problem.states)
    columns, has_name = problem.dataset_info.columns, problem.classes is None and problem.compares
    names = {
        "features": problem.dataset_info.features or (),
        "targets": (columns.target.name,) if columns is not None and has_name else (),
    }
    return _readable(Portable(graph, values, inputs, problem.classes, size, states, problem.export, _facts(told), **names))


def _made_up(problem: LearningProblem) -> dict[str, Array]:
    """Examples between 0 and 1 in the network's units, in the units of the data."""
    scaling, shape = problem.dataset_info.scaling, problem.dataset_info.input_shape
    drawn = np.random.default_rng(0).random((problem.size if problem.size > 1 else EXAMPLES, *shape))
    return {"x": (drawn / scaling.factor + scaling.offset).astype(problem.dataset_info.input_dtype)}


def _readable(found: Portable) -> Portable:
    """The same with zeros for made-up examples, where the network reads positions, which those are not."""
    try:
        found.outputs()
    except PositionError:
        return replace(found, inputs={name: np.zeros_like(array) for name, array in found.inputs.items()})
    return found


def _answers(problem: LearningProblem, output: Node) -> dict[str, Node]:
    """The outputs of a graph by name: numbers, or probabilities and the class that is decided for."""
    if problem.classes is None:
        return {"output": output}
    how, single = problem.probabilities, output.shape[-1] == 1
    if single:
        above = ops.greater(output, constant(problem.threshold, output.dtype))
        index = ops.reshape(ops.cast(above, dtype="int64"), shape=output.shape[:-1])
    else:
        index = ops.position_of_max(output)
    if how == "none":
        return {"class_index": index, "output": output}
    chances = (
        ops.softmax(output, axis=output.type.ndim - 1)
        if how == "softmax"
        else ops.sigmoid(output)
        if how == "sigmoid"
        else output
    )
    chances = ops.concatenate(1.0 - chances, chances, axis=output.type.ndim - 1) if single else chances
    return {"class_index": index, "probabilities": chances}


# ---- networks and graphs


def _of_network(network: Layer, given: Mapping[str, Array], input_shape: Extents | None, seed: int, dtype: Dtype) -> Portable:
    whole = network if isinstance(network, GraphLayer) and network.graph.uses else None
    size = None if whole is None else _only_size(whole, dtype)
    shape = shape_of(network, input_shape)
    built = build_network(network, shape, batch=size or 1)
    leaves = {**built.parameters, **built.states}
    nodes = first_values(built.parameters, built.states, (), dtype, given)
    key = {leaf: ops.key(seed) for leaf in Graph({name: nodes[name] for name in leaves}).inputs}
    values = dict(zip(leaves, compute([nodes[name] for name in leaves], key), strict=True))

    def graph(size: int) -> Graph:
        if whole is None:
            return Graph({"output": build_network(network, shape, batch=size, dtype=dtype).output})
        # As it was read, with the names and dtypes of its inputs and its output.
        found, name = whole.graph.graph(size, dtype), whole.output_of(whole.graph)
        return Graph({name: found.outputs[name]})

    inputs = _drawn(graph(size or EXAMPLES), values)
    return _readable(Portable(graph, values, inputs, None, size, tuple(built.states), Export(network, shape), _facts({})))


def _only_size(layer: GraphLayer, dtype: Dtype) -> int | None:
    """The size of batch that a graph is made for; None for any."""
    own = {*layer.parameters, *layer.states}
    found = [[leaf.shape[0] for leaf in layer.graph.graph(size, dtype).inputs if leaf.name not in own] for size in (2, 3)]
    return found[0][0] if found[0] == found[1] else None


def _drawn(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """Numbers between 0 and 1 for each input of a graph."""
    draw = np.random.default_rng(0)
    return {leaf.name: draw.random(leaf.shape).astype(leaf.dtype) for leaf in graph.inputs if leaf.name not in values}


def _of_graph(graph: Graph, given: Mapping[str, Array]) -> Portable:
    missing = [leaf.name for leaf in graph.parameters if leaf.name not in given]
    if missing or not graph.outputs:
        raise OptionError(
            f"a graph without values for {', '.join(missing)}" if missing else "a graph without outputs",
            expected="an array for each parameter" if missing else "one output or more",
            remedy="give values={...}" if missing else "write cr.Graph({...})",
        )
    values = {name: conform(value, graph.leaves[name].type, name) for name, value in given.items() if name in graph.leaves}
    inputs = _drawn(graph, values)
    size = max((array.shape[0] for array in inputs.values() if array.shape), default=1)
    return Portable(lambda _: graph, values, inputs, size=max(size, 1), facts=_facts({}))
