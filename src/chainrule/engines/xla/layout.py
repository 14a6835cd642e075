"""Where a program runs: which devices, who of them has which replicas and which rows of a batch, and how much memory there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from chainrule.display import Shown
from chainrule.engines.hosts import ALONE, Hosts
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable

REPLICAS, BATCH = "replicas", "batch"


@immutable
class Layout(Shown):
    """`apart` groups of `together` devices: a group has replicas of its own, its devices share the rows of each batch among them.

    Sharing rows out changes the order of sums, sharing replicas out changes nothing.
    """

    apart: int = 1
    together: int = 1
    hosts: Hosts = field(default=ALONE, repr=False)

    @staticmethod
    def of(devices: int, replicas: int, hosts: Hosts = ALONE) -> Layout:
        """The layout for so many devices: replicas are shared out first, and what is left over is for the batches.

        Of several hosts none may be left over, so the groups are of one size and take all devices.

        >>> Layout.of(8, 16), Layout.of(8, 1), Layout.of(8, 3)
        (Layout(apart=8, together=1), Layout(apart=1, together=8), Layout(apart=3, together=2))
        """
        apart = min(devices, replicas)
        while hosts.count > 1 and devices % apart:
            apart -= 1
        return Layout(apart, devices // apart, hosts)

    @property
    def is_single(self) -> bool:
        """Whether one device does it all."""
        return self.apart * self.together == 1

    @property
    def devices(self) -> list[Any]:
        """The devices that it takes: the first there are."""
        return jax.local_devices()[:1] if self.is_single else jax.devices()[: self.apart * self.together]

    @cached_property
    def mesh(self) -> Mesh:
        """The devices, as JAX wants them."""
        return Mesh(np.array(self.devices).reshape(self.apart, self.together), (REPLICAS, BATCH))

    @property
    def by_replica(self) -> Any:
        """Where arrays (replicas, ...) lie."""
        return jax.local_devices()[0] if self.is_single else NamedSharding(self.mesh, PartitionSpec(REPLICAS))

    @property
    def by_replica_and_row(self) -> Any:
        """Where arrays (replicas, together, ...) lie, of which each device has the rows that it takes of a batch."""
        return jax.local_devices()[0] if self.is_single else NamedSharding(self.mesh, PartitionSpec(REPLICAS, BATCH))

    @property
    def everywhere(self) -> Any:
        """Where arrays lie that all need."""
        return jax.local_devices()[0] if self.is_single else NamedSharding(self.mesh, PartitionSpec())

    @property
    def home(self) -> Any:
        """Where state and results lie: with their replicas, but of several hosts on each, so that all can read them at any time."""
        return self.by_replica if self.hosts.count == 1 else self.everywhere

    def put(self, shape: tuple[int, ...], where: Any, part: Callable[[Any], Array]) -> Any:
        """An array of which every host makes the parts that its devices hold: `part` gives them by their slices."""
        if self.hosts.count == 1:
            return jax.device_put(part((slice(None),) * len(shape)), where)
        return jax.make_array_from_callback(shape, where, part)

    def padded(self, replicas: int) -> int:
        """How many replicas there must be so that each group has as many; those behind the last are copies of it, and idle.

        >>> Layout.of(8, 12).padded(12)
        16
        """
        return -(-replicas // self.apart) * self.apart

    def filled(self, each: Array) -> Array:
        """An array (replicas, ...) with the idle replicas behind, copies of the last one."""
        return np.concatenate([each, *[each[-1:]] * (self.padded(len(each)) - len(each))])


def require_devices(count: int, least: int) -> None:
    """Raises: OptionError where JAX does not see so many, or where several hosts would not use all that they have."""
    there = jax.devices()
    if count < least:
        raise OptionError(
            f"devices={count} on several hosts",
            expected=f"all {least} that they have",
            remedy=f"leave devices out, or write {least}",
        )
    if count > len(there):
        raise OptionError(
            f"devices={count}",
            expected=f"1 ... {len(there)}: JAX sees {len(there)} of the kind {there[0].device_kind}",
            remedy=f"write devices={len(there)}; a CPU counts as several with the environment variable "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={count}",
        )


def memory_of_device() -> int | None:
    """Bytes of memory that one device has; of a CPU the computer's, shared by all of its devices; None where nobody knows."""
    device = jax.local_devices()[0]
    stats: dict[str, int] = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"]
    if device.platform == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // len(jax.local_devices())
    return None
