"""Prediction: a network's outputs for new inputs, for many rows or, in microseconds, for one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from chainrule.data import is_frame
from chainrule.display import Shown
from chainrule.engines import Engine, LoopProgram, RowFunction
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.graph.arraylike import Unchanging
from chainrule.train.inputs import as_array, as_inputs, as_row, is_finite
from chainrule.train.learning_problem import LearningProblem

SIZES = (256, 16, 1)
"""Batches that any number of rows is cut into; a row gives the same bits in each of them."""
FEW = 50
"""Batches that `predict` counts on at first: where these are little work, making good code for more would take most of the time."""


class Predictor(Unchanging, Shown):
    """From inputs to outputs, at the weights that the run had when this was made.

    >>> import chainrule as cr
    >>> run = cr.fit(cr.parse_network("2-4-2"), cr.data.moons(60), epochs=1, batch_size=10)
    >>> predict = run.predictor()
    >>> predict([[0.5, 0.25]]).shape, predict([0.5, 0.25]).shape
    ((1, 2), (2,))
    """

    def __init__(self, programs: Programs, state: Mapping[str, Array], replica: int) -> None:
        self._programs = programs
        self._state = {name: array[replica : replica + 1].copy() for name, array in state.items()}
        self._function: RowFunction | None = None
        self._shape, self._dtype = (
            programs.problem.dataset_info.input_shape,
            np.dtype(programs.problem.dataset_info.input_dtype),
        )
        self._sizes: dict[int, Array] = {}

    def __reduce__(self) -> NoReturn:
        raise OptionError(
            "a predictor was to be pickled, which is a program of this process",
            expected="its run",
            remedy="pickle the run, and ask it for run.predictor() where it arrives",
        )

    def __call__(self, x: Any) -> Array:
        """The outputs for inputs (n, ...) in the data's units: (n, k); for a single one (...): (k,).

        Raises: ShapeError, DataError for what are no such inputs.
        """
        if type(x) is not np.ndarray or not x.flags.c_contiguous:
            info = self._programs.problem.dataset_info
            row = as_row(info, x)
            if row is not None:
                x = as_inputs(info, [row])[0]
            else:
                x = as_inputs(info, x) if is_frame(x) else np.asarray(as_array("x", x), order="C")
        single = x.shape == self._shape
        rows = x[None] if single else x
        if rows.dtype != self._dtype or rows.shape[1:] != self._shape or not is_finite(rows):
            rows = as_inputs(self._programs.problem.dataset_info, rows)
        function = self._function
        if function is None:
            function = self._function = self._programs.mapping(self._state)
        sizes = self._sizes.get(len(rows))
        if sizes is None:
            sizes = self._sizes[len(rows)] = self._programs.blocks(len(rows))
        found = function(rows, sizes)
        return found[0] if single else found


class Programs:
    """The compiled prediction loop of a problem, made when it is first needed, and once more when it is needed often."""

    def __init__(self, problem: LearningProblem, engine: Engine, replicas: int) -> None:
        self.problem, self.engine, self.replicas = problem, engine, replicas
        self._done = 0  # batches

    @cached_property
    def program(self) -> LoopProgram:
        """The loop over batches of inputs in the data's dtype, for any number of them."""
        return self._made(None)

    @cached_property
    def _first(self) -> LoopProgram:
        return self._made(FEW)

    def _made(self, batches: int | None) -> LoopProgram:
        nothing = {"x": np.zeros((0, *self.problem.dataset_info.input_shape), self.problem.dataset_info.input_dtype)}
        loop = self.problem.prediction_loop(set(SIZES) if self.problem.size == 1 else {self.problem.size})
        return self.engine.compile_loop(loop, nothing, self.replicas, batches)

    def blocks(self, count: int) -> Array:
        """The batches that `count` rows are cut into. Raises: DataError where the network is made for batches of its own size."""
        return row_blocks(count) if self.problem.size == 1 else self.problem.pieces(count, self.problem.size)

    def mapping(self, state: Mapping[str, Array]) -> RowFunction:
        """The way from rows to outputs at these weights."""
        return self.program.mapping(self.program.load(state), "x", "output")

    def predict(self, x: Array, state: Mapping[str, Array]) -> Array:
        """The outputs of all replicas: (replicas, n, k)."""
        order, blocks = np.tile(np.arange(len(x)), (self.replicas, 1)), self.blocks(len(x))
        self._done += len(blocks)
        is_first = self._done <= FEW and "program" not in vars(self)
        program = (self._first if is_first else self.program).over({"x": x})
        return program.run(program.load(state), order, blocks, {}).stacked["output"]


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
