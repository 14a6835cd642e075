"""The native engine: graphs and whole loops as machine code; see `module` for what the code looks like."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.engines.engine import HostState, Loop, no_such_stage, require_known
from chainrule.engines.hosts import ALONE
from chainrule.engines.native import STAGES
from chainrule.engines.native.grouping import is_known
from chainrule.engines.native.machine import assembly, host
from chainrule.engines.native.module import Machine, Module
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.engines.native.pool import default_threads
from chainrule.engines.native.program import Code, NativeLoop
from chainrule.engines.native.shuffle import epoch_orders
from chainrule.errors import PositionError
from chainrule.graph import Array, Graph, compute, run_passes
from chainrule.immutable import immutable

LITTLE = 300_000_000
"""Operations in all below which code is made quickly: it takes up to 0.13 ns longer for each, and LLVM from 75 ms less for the whole."""


def machine_of_host() -> Machine:
    """What the kernels' form depends on."""
    target = host()
    return Machine(target.vector_bytes, target.registers, target.triple, target.fused)


class NativeProgram:
    """A graph as machine code: a loop of one step, whose leaves are state that stays and whose outputs are records."""

    def __init__(self, graph: Graph, engine: NativeEngine, calls: int | None) -> None:
        self.graph = graph
        # Outputs get names that no leaf has: what is called like a state leaf would be its next value.
        self.names = {f"output/{name}": name for name in graph.outputs}
        renamed = Graph({f"output/{name}": node for name, node in graph.outputs.items()})
        self.loop = Loop({1: renamed}, {}, tuple(graph.leaves), (), tuple(renamed.outputs))
        self.program = replace(engine.compile_loop(self.loop, {}, 1, calls), is_single=True)

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name; missing, unknown or misshapen values are errors."""
        bound = self.graph.bind(values)
        state = {node.name: array[None] for node, array in bound.items()}
        try:
            found = self.program.run(HostState(state), np.zeros((1, 1), np.int64), np.ones(1, np.int64), {})
        except PositionError:
            compute(self.graph.outputs.values(), bound)  # the op itself says which position it was
            raise
        return {name: found.records[inner][0, 0, ...] for inner, name in self.names.items()}


@immutable
class _Form:
    """A loop by what its code follows from: loops of one form share their code, whoever built them."""

    key: Hashable
    loop: Loop = field(compare=False)

    @classmethod
    def of(cls, loop: Loop, *, is_guarded: bool) -> _Form:
        return cls((loop.form, is_guarded, host()), loop)


@lru_cache(maxsize=64)
def _module_of(form: _Form, *, is_guarded: bool) -> Module:
    """The stages of a loop, up to its text; what this process has made a moment ago is not made again."""
    return module_of(form.loop, is_guarded=is_guarded)


@lru_cache(maxsize=64)
def _code_of(form: _Form, *, is_guarded: bool, is_quick: bool) -> Code:
    """The code of a loop."""
    module = _module_of(form, is_guarded=is_guarded)
    return Code(module.quick() if is_quick else module)


def module_of(loop: Loop, *, is_guarded: bool = False) -> Module:
    """All stages of a loop, from its graphs to its text."""
    for graph in loop.graphs.values():
        require_known("native", graph, is_known, "engines.native.lowering.LOWERINGS")
    graphs = {size: run_passes(graph, NATIVE_PASSES)[0] for size, graph in loop.graphs.items()}
    return Module(graphs, loop, machine_of_host(), guarded=is_guarded)


def _is_little(module: Module, replicas: int, steps: int | None) -> bool:
    """Whether the steps are done before LLVM has made better code for them."""
    return steps is not None and module.work * steps * replicas < LITTLE


class NativeEngine:
    """Runs graphs as machine code made by LLVM for this processor.

    threads: how many it may use, None for as many as there are processors; results do not depend on it. is_guarded: a debug build,
    slow and large, in which a step outside any buffer ends the process and unwritten memory is NaN.

    >>> from chainrule.graph import Graph, input_node
    >>> x = input_node("x", (2,))
    >>> program = NativeEngine().compile(Graph({"y": x * x}))
    >>> program({"x": np.array([2.0, 3.0])})
    {'y': array([4., 9.])}
    """

    name = "native"
    stages = STAGES
    tolerance = 0.0
    hosts = ALONE
    caveat = ""

    def __init__(self, threads: int | None = None, *, is_guarded: bool = False) -> None:
        self.threads, self.is_guarded = threads or default_threads(), is_guarded

    def compile(self, graph: Graph, calls: int | None = None) -> NativeProgram:
        """A program for single calls; see `Engine.compile`."""
        return NativeProgram(graph, self, calls)

    def compile_loop(self, loop: Loop, tables: Mapping[str, Array], replicas: int, steps: int | None = None) -> NativeLoop:
        """A program for many steps; see `Engine.compile_loop`."""
        form = _Form.of(loop, is_guarded=self.is_guarded)
        is_quick = _is_little(_module_of(form, is_guarded=self.is_guarded), replicas, steps)
        code = _code_of(form, is_guarded=self.is_guarded, is_quick=is_quick)
        return NativeLoop(loop, tables, replicas, self.threads, code)

    def lowered(self, loop: Loop, name: str, replicas: int = 1, steps: int | None = None) -> str:
        """The schedule, the buffers, the LLVM text or the machine's instructions of a loop."""
        module = module_of(loop, is_guarded=self.is_guarded)
        module = module.quick() if _is_little(module, replicas, steps) else module
        match name:
            case "schedule":
                return module.schedule_text()
            case "buffers":
                return module.buffers_text()
            case "llvm":
                return module.text
            case "assembly":
                return assembly(module.text, host(), is_quick=module.is_quick).expandtabs(8)
            case _:
                raise no_such_stage(self, name)

    def epoch_orders(self, seeds: Sequence[int], epochs: range, count: int, old: Array | None = None) -> Array:
        """The order of the examples for each seed, in each epoch; see `ops.epoch_order`."""
        return epoch_orders(seeds, epochs, count, self.threads, old)
