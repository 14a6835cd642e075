"""A piece of steps as one JAX function: gather the batch, forward, backward, update, and again, as often as a number says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from chainrule.engines.engine import Loop
from chainrule.engines.xla.layout import BATCH, REPLICAS, Layout
from chainrule.engines.xla.lowering import Array
from chainrule.engines.xla.walk import can_fail, values_of
from chainrule.graph import Graph, Type, run_passes
from chainrule.immutable import immutable
from chainrule.ops import PASSES

Arrays: TypeAlias = "dict[str, Array]"
Source: TypeAlias = Literal["table", "shared", "own"]
"""Where a step's rows come from: the places of a table that an order names; or a block of rows, one batch behind the other, that all
replicas share or of which each has its own."""
By: TypeAlias = Literal["map", "vmap"]
"""How replicas are done: one after the other, to the bits of a single run, or all at once, to rounding."""
FINE = np.iinfo(np.int32).max
"""What stands for the number of a bad step where there is none."""


@immutable
class Room:
    """For how many steps and rows a program is made: fewer are a number that it is given, so that one program serves all pieces."""

    steps: int
    rows: int


@immutable(eq=False)
class Steps:
    """A loop, ready to be traced; the arguments of `call` and their types."""

    loop: Loop
    tables: Mapping[str, Type]
    replicas: int
    source: Source
    room: Room
    layout: Layout
    by: By

    @cached_property
    def graphs(self) -> dict[int, Graph]:
        """The steps by the sizes of their batches, the largest first."""
        return {size: run_passes(graph, PASSES)[0] for size, graph in sorted(self.loop.graphs.items(), reverse=True)}

    @cached_property
    def outputs(self) -> dict[str, Type]:
        """What a step of any size gives; rows behind the first axis."""
        return {name: node.type for name, node in next(iter(self.graphs.values())).outputs.items()}

    @cached_property
    def updated(self) -> dict[str, Type]:
        """The state that steps change."""
        return {name: self.outputs[name] for name in self.loop.state if name in self.outputs}

    @cached_property
    def held(self) -> dict[str, Type]:
        """The state that steps only read."""
        leaves = {name: node.type for graph in self.graphs.values() for name, node in graph.leaves.items()}
        return {name: leaves[name] for name in self.loop.state if name in leaves and name not in self.updated}

    @cached_property
    def used_tables(self) -> set[str]:
        """The tables that any step reads."""
        return {self.loop.rows[leaf] for graph in self.graphs.values() for leaf in graph.leaves if leaf in self.loop.rows}

    @cached_property
    def can_fail(self) -> bool:
        """Whether a position in the data may lie outside its axis."""
        return any(map(can_fail, self.graphs.values()))

    @property
    def each(self) -> int:
        """How many rows of a step one device has at most, where each has its own."""
        return self.part_of(max(self.graphs))

    def part_of(self, size: int) -> int:
        """How many rows of a batch one of the devices has that share it out; the last ones may have fewer."""
        return -(-size // self.layout.together)

    def places(self, sizes: Array) -> Array:
        """Which rows of an order each device has, step by step: (together, steps · each), −1 where there is none."""
        found = np.full((self.layout.together, self.room.steps, self.each), -1, np.int64)
        starts = np.cumsum(sizes) - sizes
        for step, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
            part = self.part_of(size)
            rows = np.full(self.layout.together * part, -1, np.int64)
            rows[:size] = np.arange(start, start + size)
            found[:, step, :part] = rows.reshape(-1, part)
        return found.reshape(self.layout.together, -1)

    # ---- the program

    def call(self, updated: Arrays, own: Arrays, shared: Mapping[str, Any]) -> Any:
        """All replicas: the state that is updated, what else each has, and what they share → state, records, rows, bad step, finite."""
        spread = self._spread
        if not self.layout.is_single:
            mine, all_ = PartitionSpec(REPLICAS), PartitionSpec()
            spread = jax.shard_map(
                spread,
                mesh=self.layout.mesh,
                in_specs=(mine, mine, all_),
                out_specs=mine,
                axis_names={REPLICAS},
                check_vma=False,
            )
        return spread(updated, own, shared)

    def _spread(self, updated: Arrays, own: Arrays, shared: Mapping[str, Any]) -> Any:
        """The replicas of one group of devices."""

        def one(arrays: tuple[Arrays, Arrays]) -> Any:
            return self._replica(*arrays, shared)

        count = self.layout.padded(self.replicas) // self.layout.apart
        if count == 1:  # products of matrices, not of batches of one
            alone = one(jax.tree.map(lambda array: array[0], (updated, own)))
            return jax.tree.map(lambda array: array[None], alone)
        return lax.map(one, (updated, own)) if self.by == "map" else jax.vmap(one)((updated, own))

    def _replica(self, updated: Arrays, own: Arrays, shared: Mapping[str, Any]) -> Any:
        """One replica's steps: stretches of falling sizes, and in each so many steps of each size, so that there are no branches."""
        counts = shared["counts"]

        def stretch(index: Array, carry: Any) -> Any:
            for place, size in enumerate(self.graphs):
                carry = lax.fori_loop(0, counts[index, place], partial(self._step, size, own, shared), carry)
            return carry

        start = (updated, self._empty(), jnp.int32(FINE), jnp.int32(0), jnp.int32(0))
        after, (records, stacked), bad, _, _ = lax.fori_loop(0, shared["stretches"], stretch, start)
        floats = [array for array in after.values() if jnp.issubdtype(array.dtype, jnp.floating)]
        finite = jnp.array(True)
        for array in floats:
            finite &= jnp.all(jnp.isfinite(array))
        return after, records, stacked, bad, finite

    def _empty(self) -> tuple[Arrays, Arrays]:
        records = {n: jnp.zeros((self.room.steps, *self.outputs[n].shape), self.outputs[n].dtype) for n in self.loop.records}
        stacked = {n: jnp.zeros((self.room.rows, *self.outputs[n].shape[1:]), self.outputs[n].dtype) for n in self.loop.stacked}
        return records, stacked

    def _step(self, size: int, own: Arrays, shared: Mapping[str, Any], _: Array, carry: Any) -> Any:
        state, (records, stacked), bad, number, row = carry
        graph = self.graphs[size]
        bound = {leaf: self._rows(table, size, number, row, own, shared) for leaf, table in self._rows_of(graph).items()}
        bound |= {
            name: own["scalars"][name][number].astype(graph.leaves[name].dtype)
            for name in self.loop.scalars
            if name in graph.leaves
        }
        bound |= {name: array for name, array in {**own["held"], **state}.items() if name in graph.leaves}
        found, outside = values_of(graph, bound)
        after = {name: found[name] for name in state}
        records = {name: lax.dynamic_update_index_in_dim(array, found[name], number, 0) for name, array in records.items()}
        stacked = {name: lax.dynamic_update_slice_in_dim(array, found[name], row, 0) for name, array in stacked.items()}
        bad = jnp.minimum(bad, jnp.where(outside, number, FINE))
        return after, (records, stacked), bad, number + 1, row + size

    def _rows_of(self, graph: Graph) -> dict[str, str]:
        return {leaf: table for leaf, table in self.loop.rows.items() if leaf in graph.leaves}

    def _rows(self, table: str, size: int, number: Array, row: Array, own: Arrays, shared: Mapping[str, Any]) -> Array:
        """The batch of a step, from wherever rows come."""
        if self.source == "table":
            places = lax.dynamic_slice_in_dim(own["order"], row, size)
            found = jnp.take(shared["tables"][table], places, axis=0, mode="clip")
        elif self.source == "shared":
            found = lax.dynamic_slice_in_dim(shared["tables"][table], row, size)
        else:
            found = lax.dynamic_slice_in_dim(own["tables"][table], number * self.each, self.part_of(size), axis=1)
            if self.layout.together > 1:
                found = lax.with_sharding_constraint(found, PartitionSpec(BATCH))
            found = lax.reshape(found, (found.shape[0] * found.shape[1], *found.shape[2:]))[:size]
        # XLA shares the rows out, and adds up what is summed over them.
        return found if self.layout.together == 1 else lax.with_sharding_constraint(found, PartitionSpec(BATCH))

    # ---- its arguments

    def arguments(self) -> tuple[Any, Any, Any]:
        """The types of what `call` is given."""
        replicas, room, layout = self.layout.padded(self.replicas), self.room, self.layout

        def mine(shape: tuple[int, ...], dtype: Any) -> Any:
            return jax.ShapeDtypeStruct((replicas, *shape), dtype, sharding=_sharding(layout.by_replica))

        def home(kind: Type) -> Any:
            return jax.ShapeDtypeStruct((replicas, *kind.shape), kind.dtype, sharding=_sharding(layout.home))

        def all_(shape: tuple[int, ...], dtype: Any) -> Any:
            return jax.ShapeDtypeStruct(shape, dtype, sharding=_sharding(layout.everywhere))

        kinds = {name: kind for name, kind in self.tables.items() if name in self.used_tables}
        own: dict[str, Any] = {
            "held": {name: home(kind) for name, kind in self.held.items()},
            "scalars": {name: mine((room.steps,), np.float64) for name in self.loop.scalars},
        }
        shared: dict[str, Any] = {
            "counts": all_((room.steps, len(self.graphs)), np.int32),
            "stretches": all_((), np.int32),
        }
        if self.source == "table":
            own["order"] = mine((room.rows,), np.int32)
            shared["tables"] = {name: all_(kind.shape, kind.dtype) for name, kind in kinds.items()}
        elif self.source == "shared":
            shared["tables"] = {name: all_((room.rows, *kind.shape[1:]), kind.dtype) for name, kind in kinds.items()}
        else:
            rows = (layout.together, room.steps * self.each)
            own["tables"] = {
                name: jax.ShapeDtypeStruct(
                    (replicas, *rows, *kind.shape[1:]), kind.dtype, sharding=_sharding(layout.by_replica_and_row)
                )
                for name, kind in kinds.items()
            }
        return {name: home(kind) for name, kind in self.updated.items()}, own, shared


def _sharding(place: Any) -> Any:
    return place if isinstance(place, jax.sharding.Sharding) else jax.sharding.SingleDeviceSharding(place)


def jitted(steps: Steps) -> Callable[..., Any]:
    """The function for JAX's compiler; the state that is updated is consumed."""
    return jax.jit(steps.call, donate_argnums=0, out_shardings=_sharding(steps.layout.home))
