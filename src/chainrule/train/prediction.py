"""Prediction: a network's outputs for new inputs, for many rows or, in microseconds, for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Signature
from chainrule.engines import Engine, LoopProgram, RowFunction
from chainrule.errors import DataError, ShapeError
from chainrule.graph import Array
from chainrule.train.task import Task

SIZES = (256, 16, 1)
"""Batches that any number of rows is cut into; a row gives the same bits in each of them."""


class Predictor:
    """From inputs to outputs, at the weights that the run had when this was made.

    >>> import chainrule as cr
    >>> run = cr.fit(cr.network("2-4-2"), cr.data.moons(60), epochs=1, batch_size=10)
    >>> predict = run.predictor()
    >>> predict([[0.5, 0.25]]).shape, predict([0.5, 0.25]).shape
    ((1, 2), (2,))
    """

    def __init__(self, programs: Programs, state: Mapping[str, Array], replica: int) -> None:
        self._programs = programs
        self._state = {name: array[replica : replica + 1].copy() for name, array in state.items()}
        self._functions: dict[np.dtype[Any], RowFunction] = {}
        self._shape = programs.task.data.input_shape
        self._sizes: dict[int, Array] = {}

    def __call__(self, x: Any) -> Array:
        """The outputs for inputs (n, ...) in the data's units: (n, k); for a single one (...): (k,).

        Raises: ShapeError, DataError for what are no such inputs.
        """
        if type(x) is not np.ndarray or not x.flags.c_contiguous:
            x = np.asarray(x, order="C")
        single = x.shape == self._shape
        rows = x[None] if single else x
        function = self._functions.get(rows.dtype)
        if function is None or rows.shape[1:] != self._shape:
            rows = as_inputs(self._programs.task.data, rows)
            function = self._function(rows.dtype)
        sizes = self._sizes.get(len(rows))
        if sizes is None:
            sizes = self._sizes[len(rows)] = self._programs.blocks(len(rows))
        found = function(rows, sizes)
        return found[0] if single else found

    def _function(self, dtype: np.dtype[Any]) -> RowFunction:
        if dtype not in self._functions:
            self._functions[dtype] = self._programs.program(dtype.name).mapping(self._state, "x", "output")
        return self._functions[dtype]


class Programs:
    """The compiled prediction loops of a task, one for each dtype of inputs, made when first needed."""

    def __init__(self, task: Task, engine: Engine, replicas: int) -> None:
        self.task, self.engine, self.replicas = task, engine, replicas
        self._programs: dict[str, LoopProgram] = {}

    def program(self, dtype: str) -> LoopProgram:
        """The loop for inputs of this dtype."""
        if dtype not in self._programs:
            nothing = {"x": np.zeros((0, *self.task.data.input_shape), dtype)}
            loop = self.task.prediction_loop(set(SIZES) if self.task.size == 1 else {self.task.size}, dtype)
            self._programs[dtype] = self.engine.compile_loop(loop, nothing, self.replicas)
        return self._programs[dtype]

    def blocks(self, count: int) -> Array:
        """The batches that `count` rows are cut into. Raises: DataError where the network is made for batches of its own size."""
        return row_blocks(count) if self.task.size == 1 else self.task.pieces(count, self.task.size)

    def predict(self, x: Array, state: Mapping[str, Array]) -> Array:
        """The outputs of all replicas: (replicas, n, k)."""
        order = np.tile(np.arange(len(x)), (self.replicas, 1))
        return self.program(x.dtype.name).over({"x": x}).run(state, order, self.blocks(len(x)), {}).stacked["output"]


def row_blocks(count: int) -> Array:
    """The batches that `count` rows are cut into.

    >>> row_blocks(530)
    array([256, 256,  16,   1,   1])
    """
    blocks: list[int] = []
    for size in SIZES:
        blocks += [size] * (count // size)
        count %= size
    return np.array(blocks, dtype=np.int64)


def as_inputs(signature: Signature, x: Any) -> Array:
    """Inputs (n, ...) as an array of the data's dtype and shape; texts are read as the data's were."""
    dtype, shape = np.dtype(signature.input_dtype), signature.input_shape
    array = np.asarray(x)
    if array.dtype.kind == "U" and signature.text is not None:
        array = signature.text.encode([str(text) for text in np.atleast_1d(array).tolist()])
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"inputs of dtype {array.dtype}", expected="numbers", remedy="encode categories first: run.encode(table)"
        )
    if array.shape[1:] != shape or not array.ndim:
        raise ShapeError(
            f"inputs of shape {array.shape}",
            expected=f"(n, {', '.join(map(str, shape))})",
            remedy="for a single example write x[None]" if array.shape == shape else "reshape the array",
        )
    # The units must be those of training: bytes stay bytes, everything else is taken as the training data's float.
    wanted = dtype if dtype.kind == "f" or array.dtype == dtype else np.dtype(np.float64)
    return np.ascontiguousarray(array, dtype=wanted)
