"""Functions of JAX's and our networks, there and back, with their weights; what would compute something else is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from chainrule.checks import Extents, is_finite, shown
from chainrule.errors import ChainruleError, DataError, MissingPackageError, OptionError
from chainrule.graph import Array, Graph, Node, Shape, compute, input_node, parameter, rewrite_nodes, run_passes
from chainrule.interop.any_batch import Read, cleaned, layer_of, without_number
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import computed, require_agreement
from chainrule.nn import GraphLayer
from chainrule.ops import PASSES, SIMPLIFICATIONS
from chainrule.spelling import listed, unused
from chainrule.train.inputs import as_array

try:
    import jax
    from jax import tree_util
    from jax.core import Tracer
except ImportError as error:
    raise MissingPackageError("JAX is not here", expected="the package jax", remedy="pip install 'chainrule[xla]'") from error

from chainrule.engines.xla.walk import values_of
from chainrule.interop.jax_primitives import outputs_of, plain_rows, require_dtype

EXAMPLES = 4
"""How many made-up examples both are compared on."""
STATISTICS = "batch_stats"
"""What Flax calls the arrays that training does not learn."""


def read(
    function: Callable[[Any, Any], Any],
    parameters: Any,
    example: Any,
    input_shape: Extents | None,
    states: Sequence[str],
    name: str,
) -> GraphLayer:
    """See `objects.from_jax`."""
    x = _example(example, input_shape)
    reading = _Reading(function, parameters, x, states)
    known_as = getattr(function, "__name__", "<lambda>")
    layer = layer_of(reading.read, "jax" if known_as == "<lambda>" else cleaned(known_as), name=name)
    theirs = np.asarray(jax.jit(reading.run)(list(reading.arrays.values()), x), np.float64)
    ours, most = computed(layer, reading.arrays, x, dtype=reading.dtype)
    require_agreement("the function", theirs, ours, most)
    return layer


def _example(example: Any, input_shape: Shape | None) -> Array:
    if example is not None:
        x = as_array("example", example)
        require_dtype(x.dtype)
        if not is_finite(x):
            raise DataError("an example that holds NaN or infinity", expected="finite numbers", remedy="give rows without gaps")
        if not x.ndim or not len(x):
            raise OptionError(f"an example of shape {x.shape}", expected="some inputs, (n, ...)", remedy="give x[:4]")
        # JAX makes it float32, or int32, where it is not told otherwise (jax_enable_x64).
        return x.astype(jax.dtypes.canonicalize_dtype(x.dtype))
    if input_shape is None:
        raise OptionError(
            "a function without an example",
            expected="what it is to be run on",
            remedy="write from_jax(function, parameters, input_shape=(784,))",
        )
    return np.random.default_rng(0).normal(size=(EXAMPLES, *input_shape)).astype(np.float32)


class _Reading:
    """A function with its arrays by our names: those of floats are parameters, others stay as they are."""

    def __init__(self, function: Callable[[Any, Any], Any], parameters: Any, x: Array, states: Sequence[str]) -> None:
        self.function, self.x, self.states = function, x, states
        leaves, self.tree = tree_util.tree_flatten_with_path(parameters)
        self.leaves = [leaf for _, leaf in leaves]
        self.places: dict[str, int] = {}
        for place, (path, leaf) in enumerate(leaves):
            if isinstance(leaf, np.ndarray | jax.Array) and np.issubdtype(leaf.dtype, np.floating):
                self.places[unused(called(path), self.places)] = place
        self.arrays = {name: np.asarray(self.leaves[place]) for name, place in self.places.items()}
        if not self.arrays:
            raise OptionError(
                f"parameters {shown(parameters)} without an array of floats",
                expected="the weights, in lists, dictionaries or objects that JAX knows",
                remedy="give what the function takes as its first argument",
            )
        odd = [start for start in states if not any(self._is_named(name, start) for name in self.arrays)]
        if odd:
            raise OptionError(
                f"states={shown(odd[0])}", expected=f"beginnings of {listed(self.arrays)}", remedy="name one of these"
            )

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return require_dtype(next(iter(self.arrays.values())).dtype)

    @staticmethod
    def _is_named(name: str, start: str) -> bool:
        return name == start or name.startswith(f"{start}.")

    def run(self, arrays: Sequence[Any], x: Any) -> Any:
        """Their function, of the arrays in our order."""
        leaves = list(self.leaves)
        for place, array in zip(self.places.values(), arrays, strict=True):
            leaves[place] = array
        return self.function(tree_util.tree_unflatten(self.tree, leaves), x)

    def read(self, size: int) -> Read:
        """The graph for batches of this size. Raises: OptionError for a function that JAX cannot trace, UnsupportedError."""
        inputs = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in self.arrays.values()]
        x = jax.ShapeDtypeStruct((size, *self.x.shape[1:]), self.x.dtype)
        try:
            traced, shapes = jax.make_jaxpr(self.run, return_shape=True)(inputs, x)
        except ChainruleError:
            raise
        except Exception as error:
            # Whatever a user's function does: JAX runs it.
            raise OptionError(
                f"the function cannot be traced for {size} examples: {_first_line(error)}",
                expected="a function(parameters, x) of JAX's, of x with any number of rows",
                remedy="try it with jax.make_jaxpr",
            ) from error
        found = tree_util.tree_leaves(shapes)
        if len(found) != 1 or found[0].shape[:1] != (size,) or not np.issubdtype(found[0].dtype, np.floating):
            raise OptionError(
                f"a function that gives {listed(f'{each.dtype}{list(each.shape)}' for each in found)} for {size} examples",
                expected="one array of floats with a row to each example",
                remedy="give a function of these outputs alone",
            )
        leaves = [parameter(name, array.shape, require_dtype(array.dtype)) for name, array in self.arrays.items()]
        data = input_node("x", x.shape, require_dtype(x.dtype))
        (output,) = outputs_of(traced.jaxpr, traced.consts, [*leaves, data])
        if not isinstance(output, Node):
            raise OptionError("a function that does not depend on x", expected="one that does", remedy="use x")
        whole = plain_rows(run_passes(Graph({"output": output}, unused=[data]), SIMPLIFICATIONS)[0])
        graph = Graph(whole.outputs, unused=[data])
        arrays = {leaf.name: self.arrays[leaf.name] for leaf in graph.parameters}
        starts = (STATISTICS, *self.states)
        kept = frozenset(name for name in arrays if any(self._is_named(name, start) for start in starts))
        return Read(graph, arrays, kept, lambda scope: without_number(scope.rpartition(".")[2]))


def called(path: Sequence[Any]) -> str:
    """A name from where an array stands: "dense.kernel" for {"params": {"dense": {"kernel": ...}}}, as Flax has it."""
    words = [tree_util.keystr((key,), simple=True) for key in path]
    words = words[1:] if words[:1] == ["params"] and len(words) > 1 else words
    words = words[:-1] if words[-1:] == ["value"] and len(words) > 1 else words
    return cleaned(".".join(words)) or "W"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


# ---- back


def made(given: Portable) -> tuple[Callable[[Any, Any], Any], dict[str, Any]]:
    """See `objects.to_jax`."""
    values = {name: jax.numpy.asarray(value) for name, value in given.values.items()}
    names = list(given.inputs)

    @cache
    def graph(size: int) -> Graph:
        found = given.graph(size)
        name = next(name for name in ("probabilities", "output", *found.outputs) if name in found.outputs)
        return run_passes(Graph({name: found.outputs[name]}), PASSES)[0]

    @cache
    def parts(size: int) -> tuple[list[Node], Graph]:
        """What scales the inputs, and the network behind it, which takes the scaled ones."""
        scaled = [node for node in graph(size).nodes if node.name == "input.a" and not node.is_leaf]
        behind = {node: input_node(node.name, node.shape, node.dtype) for node in scaled}
        return scaled, rewrite_nodes("scaled inputs", graph(size), behind.get)[0]

    def predict(parameters: Mapping[str, Any], x: Any) -> Any:
        inputs = x if isinstance(x, Mapping) else {names[0]: x}
        whole = graph(len(inputs[names[0]]))
        if not any(isinstance(value, Tracer) for value in inputs.values()):
            # Of a large offset, float32 would lose what stands behind it, and JAX has float32 alone where it is not told otherwise.
            scaled, whole = parts(len(inputs[names[0]]))
            given_as = {leaf: np.asarray(inputs[leaf.name]) for node in scaled for leaf in Graph({"a": node}).inputs}
            inputs = {**inputs, **dict(zip([node.name for node in scaled], compute(scaled, given_as), strict=True))}
        bound = {name: jax.numpy.asarray(value) for name, value in {**parameters, **inputs}.items()}
        with warnings.catch_warnings():
            # Scalings are float64; where JAX has float32 alone it says so at each of them.
            warnings.filterwarnings("ignore", "Explicitly requested dtype")
            (found,) = values_of(whole, bound)[0].values()
        return found

    return predict, values
