"""Moments of a session, and what a changed training takes over from the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.data import Dataset, Examples
from chainrule.errors import DataError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train import Trainer, Training
from chainrule.train.lineage import Lineage


@immutable
class Moment:
    """Where a session stood: its step, how many events were applied, its training, the trainer's own step and count, and all numbers."""

    step: int
    applied: int
    training: Training
    own_step: int
    lineage: Lineage
    state: Mapping[str, Array]


def carried_over(old: Trainer, new: Trainer) -> None:
    """Gives the new trainer what of the old one's numbers means the same, and where it stands.

    Parameters and states: what overlaps. New rows of a matrix are 0, so that a neuron more is heard by none until it learns. What the
    optimizer remembers: what overlaps, where it is the same kind of optimizer. With the same batches and seed the order goes on; else
    it begins anew.
    """
    same_rule = (
        type(old.settings.optimizer) is type(new.settings.optimizer)
        and old.settings.optimizer.slots == new.settings.optimizer.slots
    )
    names = set(new.state) & set(old.state if same_rule else old.names)
    taken = {name: _overlapped(old.state[name], new.state[name]) for name in names - {"seed"}}
    new.state = {**new.state, **taken}
    updates = old.step + old.lineage.shift if same_rule else 0
    keeps_order = (old.count, old.settings.batch_size, old.settings.seed) == (
        new.count,
        new.settings.batch_size,
        new.settings.seed,
    )
    new.step = old.step if keeps_order else 0
    new.lineage = replace(new.lineage, shift=updates - new.step)


def with_example(data: Dataset, x: Sequence[float], y: float) -> Dataset:
    """The data with one example more in the training part; scalings stay as they are.

    Raises: DataError for an example of another size, or a label that is none.
    """
    row, label = np.asarray(x, dtype=np.float64), np.asarray(y)
    if row.shape != data.input_shape or not (np.isfinite(row).all() and np.isfinite(label)):
        raise DataError(
            f"an example of shape {row.shape}", expected=f"{data.input_shape}, finite", remedy="click into the plane"
        )
    if data.classes is not None and (y != int(y) or not 0 <= y < len(data.classes)):
        raise DataError(f"the label {y:g}", expected=f"0 ... {len(data.classes) - 1}", remedy="choose one of the classes")
    targets = np.concatenate([data.train.y, np.reshape(label, (1, *data.train.y.shape[1:])).astype(data.train.y.dtype)])
    inputs = np.concatenate([data.train.x, row[None].astype(data.train.x.dtype)])
    return replace(data, train=Examples(inputs, targets), origin=None)


def _overlapped(old: Array, new: Array) -> Array:
    """The new array (replicas, ...) with the old one's numbers where both have some; behind the old rows of a matrix stands 0."""
    if old.ndim != new.ndim or old.dtype != new.dtype:
        return new
    if old.shape == new.shape:
        return old.copy()
    found = new.copy()
    if found.ndim > 2:
        found[:, old.shape[1] :] = 0
    block = tuple(slice(min(one, other)) for one, other in zip(old.shape, new.shape, strict=True))
    found[block] = old[block]
    return np.ascontiguousarray(found)
