"""The xla engine: graphs and whole loops through JAX, for GPUs, TPUs and several devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from chainrule.display import Shown
from chainrule.engines.engine import Engine, Loop, no_such_stage, require_known
from chainrule.engines.hosts import ALONE, HostAddress, Hosts
from chainrule.engines.xla import STAGES
from chainrule.engines.xla.compiled import compiled
from chainrule.engines.xla.hosts import join
from chainrule.engines.xla.layout import Layout, require_devices
from chainrule.engines.xla.loop import XlaLoop
from chainrule.engines.xla.lowering import is_known
from chainrule.engines.xla.steps import By, jitted
from chainrule.engines.xla.walk import can_fail, values_of
from chainrule.graph import Array, Graph, compute, run_passes
from chainrule.ops import PASSES

TOLERANCE = 1e-4
"""Of a number's size: sums over a batch are added up in an order that goes by the number of cores and devices."""


class XlaEngine(Shown):
    """Runs graphs through JAX, on whatever device it finds.

    host: the engine that shuffles the examples, which is no work for a GPU. devices: how many are used, None for one; at_most: fewer
    where there are no more. by: how replicas are done, see `Steps`.

    >>> from chainrule.engines import ReferenceEngine
    >>> from chainrule.graph import Graph, input_node
    >>> x = input_node("x", (2,))
    >>> program = XlaEngine(ReferenceEngine()).compile(Graph({"y": x * x}))
    >>> program({"x": np.array([2.0, 3.0])})
    {'y': array([4., 9.])}
    """

    stages = STAGES
    tolerance = TOLERANCE

    def __init__(self, host: Engine, devices: int | None = None, *, by: By = "map", at_most: bool = False) -> None:
        address = HostAddress.wanted()
        self.hosts: Hosts = ALONE if address is None else join(address)
        # Several hosts take all that they have: each must have a part in every call.
        usual = 1 if self.hosts is ALONE else len(jax.devices())
        if not at_most:
            require_devices(devices or usual, usual)
        self.host, self.devices = host, max(usual, min(devices or usual, len(jax.devices())))
        self.by: By = by
        self.name = "xla" if by == "map" else "xla-vmap"

    @property
    def platform(self) -> str:
        """What it computes on: "cpu", "gpu" or "tpu"."""
        return jax.devices()[0].platform

    @property
    def caveat(self) -> str:
        """See `Engine.caveat`."""
        if self.platform != "cpu":
            return "bits depend on the kind and the number of devices"
        return "bits depend on the number of cores; float32 numbers below 1.2·10⁻³⁸ count as 0; on a CPU the native engine is faster"

    def compile(self, graph: Graph, calls: int | None = None) -> XlaProgram:
        """A program for single calls."""
        self._require_known(graph)
        return XlaProgram(graph)

    def compile_loop(self, loop: Loop, tables: Mapping[str, Array], replicas: int, steps: int | None = None) -> XlaLoop:
        """A program for many steps. Raises: OptionError for what does not fit the device."""
        for graph in loop.graphs.values():
            self._require_known(graph)
        made = XlaLoop(loop, tables, replicas, self._layout(replicas), self.by, steps=steps)
        _ = made.program
        return made

    def lowered(self, loop: Loop, name: str, replicas: int = 1, steps: int | None = None) -> str:
        """JAX's own text of the loop, what it hands to XLA, or what XLA made of that; for blocks of rows that are sent."""
        if name not in self.stages:
            raise no_such_stage(self, name)
        leaves = {leaf: node for graph in loop.graphs.values() for leaf, node in graph.leaves.items()}
        tables = {
            table: np.zeros((0, *leaves[leaf].shape[1:]), leaves[leaf].dtype)
            for leaf, table in loop.rows.items()
            if leaf in leaves
        }
        made = XlaLoop(loop, tables, replicas, self._layout(replicas), self.by, steps=steps, is_streamed=True)
        function, arguments = jitted(made.steps), made.steps.arguments()
        with jax.enable_x64(True), jax.set_mesh(made.layout.mesh):
            if name == "jaxpr":
                return str(jax.make_jaxpr(made.steps.call)(*arguments))
            if name == "stablehlo":
                return function.lower(*arguments).as_text()  # pyright: ignore[reportFunctionMemberAccess]
            return compiled(function, arguments, made.layout.devices).call.as_text()  # pyright: ignore[reportFunctionMemberAccess]

    def _layout(self, replicas: int) -> Layout:
        return Layout.of(self.devices, replicas, hosts=self.hosts)

    def epoch_orders(self, seeds: Sequence[int], epochs: range, count: int, old: Array | None = None) -> Array:
        """The order of the examples for each seed, in each epoch; see `ops.epoch_order`."""
        return self.host.epoch_orders(seeds, epochs, count, old)

    def _require_known(self, graph: Graph) -> None:
        require_known(self.name, graph, is_known, "engines.xla.lowering.LOWERINGS")


class XlaProgram(Shown):
    """A graph as one JAX function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        simplified = run_passes(graph, PASSES)[0]
        self.can_fail = can_fail(simplified)
        arguments = {name: jax.ShapeDtypeStruct(node.shape, node.dtype) for name, node in graph.leaves.items()}
        with jax.enable_x64(True):
            self.call = compiled(jax.jit(lambda bound: values_of(simplified, bound)), (arguments,), Layout().devices).call

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name; missing, unknown or misshapen values are errors."""
        bound = self.graph.bind(values)
        with jax.enable_x64(True):
            found, outside = self.call({node.name: array for node, array in bound.items()})
            results = {name: np.array(value) for name, value in found.items()}
        if self.can_fail and bool(outside):
            compute(self.graph.outputs.values(), bound)  # the op itself says which position it was
        return results
