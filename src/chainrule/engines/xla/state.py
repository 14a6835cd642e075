"""What a loop carries from step to step, on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from chainrule.display import Shown
from chainrule.engines.engine import all_finite
from chainrule.engines.xla.layout import Layout
from chainrule.graph import Array


class DeviceState(Shown):
    """State in arrays of the device, (replicas, ...), the idle replicas that fill the devices up among them; see `Carried`."""

    def __init__(self, there: dict[str, Any], replicas: int, *, finite: Any) -> None:
        self.there, self.replicas, self._finite = there, replicas, finite
        self._here: dict[str, Array] | None = None

    @staticmethod
    def loaded(state: Mapping[str, Array], layout: Layout) -> DeviceState:
        """The state, copied to where the layout wants it."""
        replicas = len(next(iter(state.values()))) if state else 1
        filled = {name: layout.filled(array) for name, array in state.items()}
        there = {name: layout.put(array.shape, layout.home, array.__getitem__) for name, array in filled.items()}
        return DeviceState(there, replicas, finite=all_finite(state))

    def take(self, after: Mapping[str, Any], finite: Any) -> None:
        """Goes on from what steps have made of it."""
        self.there |= after
        self._here, self._finite = None, finite

    def arrays(self) -> Mapping[str, Array]:
        """See `Carried`."""
        if self._here is None:
            self._here = {name: np.asarray(array)[: self.replicas] for name, array in self.there.items()}
        return self._here

    def copy(self) -> DeviceState:
        """See `Carried`."""
        with jax.enable_x64(True):
            # Not array.copy(), which is a program to be compiled for each shape.
            there = {name: jax.device_put(array, array.sharding, may_alias=False) for name, array in self.there.items()}
        return DeviceState(there, self.replicas, finite=self._finite)

    def is_finite(self) -> bool:
        """See `Carried`."""
        return bool(np.all(self._finite))
