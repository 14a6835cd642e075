"""A training whose steps a program of one's own calls, batch by batch: reinforcement, adversarial and active learning."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

from chainrule.checks import Count, Seed, checked, is_finite, shown
from chainrule.descriptions.pickles import require_picklable
from chainrule.display import Shown
from chainrule.engines import Carried, HostState, Loop, LoopProgram, engine_named
from chainrule.errors import DataError, NonFiniteError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import Array, Graph, Shape
from chainrule.nn import Layer, as_layer, parse_network
from chainrule.train.clock import SCALARS
from chainrule.train.inputs import as_array
from chainrule.train.nonfinite import first_nonfinite
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import Adam, ClipNorm, ClipValue
from chainrule.train.settings import optimizer_named
from chainrule.train.step_graphs import PLACES, WEIGHT, Setup, StepGraphs

LEAST = 8
"""The rows that a program is made for at least."""
STEPS = 2000
"""About how many steps a program is expected to do: how many there will be nobody says."""
RESERVED = {*SCALARS, WEIGHT, "seed"}
"""What a step's own leaves are called."""


def capacity_of(count: int) -> int:
    """The rows of the program that takes a batch of `count`: the next power of two.

    >>> [capacity_of(count) for count in (1, 8, 9, 500)]
    [8, 8, 16, 512]
    """
    return max(LEAST, 1 << (count - 1).bit_length())


@checked
def trainer(
    net: Layer | str,
    *,
    loss: Any = None,
    optimizer: Optimizer | str | None = None,
    seed: Seed = 0,
    dtype: Literal["float32", "float64"] = "float32",
    engine: str = "native",
    clip: ClipNorm | ClipValue | None = None,
    steps: Count | None = None,
    initial: Any = None,
    threads: Count | None = None,
) -> StepTrainer:
    """A network that learns one batch at a call, in a loop of your own: `step(x, y)` updates it, `predict(x)` uses it.

    loss: as `fit` takes it; or a function (output, *targets) → node, with a number for each example (n,), whose mean is made small, or
    with one number for the whole batch. Targets are what `step` is given behind x, also by name. optimizer: a name or an optimizer;
    None takes Adam(0.001). steps: how many there will be, for a schedule of the rate that goes by it. seed, dtype, engine, clip, initial,
    threads: as `fit` takes them. Inputs and targets are taken as they are: nothing is scaled.

    A batch may have another size at each call. Programs are made for 8, 16, 32, ... rows, and rows that fill a batch up count
    nothing; only where examples see each other (batch normalisation, a loss of the whole batch) each size has a program of its own.

    Raises: OptionError for an optimizer that takes all examples at once.

    >>> import chainrule as cr
    >>> def policy_gradient(output, action, reward):
    ...     return reward * cr.ops.softmax_cross_entropy(output, action)
    >>> learner = cr.trainer("2-8-2 tanh linear", loss=policy_gradient, optimizer=cr.Adam(0.05))
    >>> random = np.random.default_rng(0)
    >>> for episode in range(100):
    ...     seen = random.normal(size=(random.integers(5, 40), 2))
    ...     action = random.integers(0, 2, len(seen))
    ...     loss = learner.step(seen, action=action, reward=np.where(action == (seen[:, 0] > 0), 1.0, -1.0))
    >>> learner.predict([[3.0, 0.0], [-3.0, 0.0]]).argmax(1)
    array([1, 0])
    """
    chosen = optimizer_named(optimizer) if isinstance(optimizer, str) else optimizer or Adam()
    layer = parse_network(net) if isinstance(net, str) else as_layer(net)
    return StepTrainer(Setup(layer, loss, chosen, seed, dtype, clip, steps, initial), engine, threads)


class StepTrainer(Shown):
    """A network and its optimizer, moved on by `step`; made by `trainer`."""

    def __init__(self, setup: Setup, engine: str, threads: int | None) -> None:
        self.setup, self.engine = setup, engine_named(engine, threads)
        self._asked = (engine, threads)
        self.step_count = 0
        """How many updates were made."""
        self._fields: dict[str, tuple[Shape, str]] = {}
        self._programs: dict[tuple[str, int], tuple[LoopProgram, dict[str, Array]]] = {}
        self._calls: dict[tuple[str, int], _Call] = {}
        self._began = False

    def __reduce__(self) -> tuple[object, ...]:
        require_picklable(network=self.setup.layer, loss=self.setup.loss, settings=self.setup)
        return (_again, self._parts())

    def __copy__(self) -> StepTrainer:
        return _again(*self._parts())

    def __deepcopy__(self, known: object) -> StepTrainer:
        return _again(*self._parts())

    def _parts(self) -> tuple[Any, ...]:
        """What makes it again, where it stands: programs are made anew."""
        state = self.state if self._fields else None
        return (self.setup, *self._asked, self.step_count, dict(self._fields), self._began, state)

    # ---- what users call

    def step(self, x: Any, *targets: Any, **named: Any) -> float:
        """Updates the network on a batch: x (n, ...), and targets (n, ...), by their places or names. Gives the loss before the update.

        Raises: ShapeError, DataError, OptionError for what is no such batch; NonFiniteError, after which the network is as it was before.
        """
        with self._as_it_was():
            given = self._batch(_by_name(x, targets, named))
            call = self._call("step", len(given["x"]))
        before = self._carried.copy()
        call.fill(given, self.step_count, self.setup.rate(self.step_count))
        try:
            loss = float(call.again().records["loss"][0, 0])
        except BaseException:
            self._take(before)
            raise
        if not (math.isfinite(loss) and self._carried.is_finite()):
            self._take(before)
            raise self._not_finite(call)
        self.step_count += 1
        return loss

    def predict(self, x: Any) -> Array:
        """The outputs (n, ...) for inputs x (n, ...), as at inference. Raises: ShapeError, DataError for what are no such inputs."""
        with self._as_it_was():
            rows = self._rows("x", x)
            if not len(rows):
                return np.empty((0, *self._graphs.single.output.shape[1:]), self.setup.dtype)
            call = self._call("predict", len(rows))
        call.fill({"x": rows})
        return call.again().stacked["output"][0, : len(rows)].copy()

    def parameters(self) -> dict[str, Array]:
        """The weights by name, as copies, those of frozen layers too."""
        single, arrays = self._graphs.single, self._carried.arrays()
        frozen = (name for name, state in single.states.items() if state.frozen)
        return {name: arrays[name][0].copy() for name in (*single.parameters, *frozen)}

    @property
    def state(self) -> dict[str, Array]:
        """Parameters, states, what the optimizer remembers and the key, each (1, ...), by name, as copies; what is assigned is taken up."""
        return {name: array.copy() for name, array in self._carried.arrays().items()}

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        known = self._carried.arrays()
        if not isinstance(cast("object", state), Mapping):
            raise OptionTypeError(f"state={shown(state)}", expected="arrays by their names", remedy="assign what `state` gave")
        odd = [name for name in {**known, **state} if not _is_alike(known.get(name), state.get(name))]
        if odd:
            raise OptionError(
                f"a state with another {odd[0]}",
                expected=f"{', '.join(known)}, as `state` gives them",
                remedy="assign such a state",
            )
        self._take(HostState({name: np.array(array) for name, array in state.items()}))

    def __repr__(self) -> str:
        return f"<StepTrainer of {shown(self.setup.layer)}: {self.step_count} step{'s' * (self.step_count != 1)}>"

    @checked
    def graph(self, rows: Count = LEAST) -> Graph:
        """The graph of a step for so many rows: forward, backward and update."""
        return self._graphs.step(rows)

    # ---- arrays

    @contextmanager
    def _as_it_was(self) -> Generator[None]:
        """Where the first arrays turn out to be no batch, the next ones are the first."""
        fields, began = dict(self._fields), self._began
        try:
            yield
        except BaseException:
            if (fields, began) != (self._fields, self._began):
                self._fields, self._began = fields, began
                for made in ("_graphs", *([] if fields else ["_carried"])):
                    self.__dict__.pop(made, None)
                self._programs.clear()
                self._calls.clear()
            raise

    def _batch(self, given: Mapping[str, Any]) -> dict[str, Array]:
        if not self.setup.has_own_loss and "y" in given and self._fields.get("y", ((1,), ""))[0] == (1,):
            given = {**given, "y": _as_column(as_array("y", given["y"]))}
        rows = {name: self._rows(name, value) for name, value in given.items()}
        lengths = {name: len(array) for name, array in rows.items()}
        if len(set(lengths.values())) > 1 or not lengths["x"]:
            raise ShapeError(
                f"a batch with {', '.join(f'{count} of {name}' for name, count in lengths.items())}",
                expected="one example or more, and as many targets of each kind",
                remedy="give arrays with the same first axis",
            )
        if not self.setup.has_own_loss and "y" in rows and rows["y"].ndim == 1 and rows["y"].dtype.kind in "iub":
            self._require_labels(rows["y"])
        if self._began and rows.keys() != self._fields.keys():
            raise OptionError(
                f"a batch with {', '.join(rows)}",
                expected=f"{', '.join(self._fields)}, as at the first step",
                remedy="give the same each time",
            )
        if not self._began:
            self._fields |= {name: (array.shape[1:], array.dtype.name) for name, array in rows.items()}
            self.__dict__.pop("_graphs", None)
            self._began = True
        return rows

    def _rows(self, name: str, value: Any) -> Array:
        """An array (n, ...) as the steps take it: floats in the network's dtype, what counts as int64, bytes as they are."""
        if name in RESERVED:
            raise OptionError(f"a target called {name}", expected="another name", remedy="rename it: a step has one of its own")
        array = as_array(name, value)
        if array.dtype.kind not in "fiub" or not array.ndim:
            raise OptionTypeError(
                f"{name}={shown(value)}", expected="an array of numbers, an example to a row", remedy="give arrays"
            )
        kind = {"f": self.setup.dtype, "b": "bool"}.get(array.dtype.kind, "uint8" if array.dtype == np.uint8 else "int64")
        shape, dtype = (
            self._fields.setdefault("x", (array.shape[1:], kind))
            if name == "x"
            else self._fields.get(name, (array.shape[1:], kind))
        )
        if array.shape[1:] != shape:
            raise ShapeError(
                f"{name} with rows of shape {array.shape[1:]}", expected=f"rows of shape {shape}", remedy="reshape it"
            )
        with np.errstate(over="ignore"):
            found = array.astype(dtype, copy=False)
        if array.dtype.kind == "f" and (not dtype.startswith("float") or not is_finite(found)):
            wrong = array[~np.isfinite(found)]
            raise DataError(
                f"{name} holds {wrong[0] if wrong.size else array.dtype.name}",
                expected=f"finite {dtype}",
                remedy="leave such rows out, or convert it",
            )
        return found

    def _require_labels(self, y: Array) -> None:
        output = self._graphs.single.output.shape
        most = max(2, output[1] if len(output) > 1 else 2)
        wrong = y[(y < 0) | (y >= most)]
        if wrong.size:
            raise DataError(
                f"the label {wrong[0]}",
                expected=f"0 ... {most - 1}, as the network has outputs",
                remedy="correct it; numbers to fit are floats: y.astype(float)",
            )

    # ---- programs

    @cached_property
    def _graphs(self) -> StepGraphs:
        if not self._fields:
            raise OptionError(
                "a trainer that has seen no example", expected="a step, or a prediction, before", remedy="call step(x, y)"
            )
        return StepGraphs(self.setup, dict(self._fields))

    @cached_property
    def _carried(self) -> Carried:
        return HostState({name: array.copy() for name, array in self._graphs.first.items()})

    def _take(self, state: Carried) -> None:
        """Goes on from another state."""
        self.__dict__["_carried"] = state
        self._calls.clear()

    def _call(self, kind: str, count: int) -> _Call:
        """What does a step, or predicts, for `count` rows."""
        fills = self._graphs.can_fill_steps if kind == "step" else self._graphs.can_fill_predictions
        size = capacity_of(count) if fills else count
        if (kind, size) not in self._calls:
            program, tables = self._program(kind, size)
            self.__dict__["_carried"] = program.load(self._carried.arrays()) if not self._calls else self._carried
            self._calls[kind, size] = _Call(program, tables, self._carried, size)
        return self._calls[kind, size]

    def _program(self, kind: str, size: int) -> tuple[LoopProgram, dict[str, Array]]:
        if (kind, size) not in self._programs:
            graph = self._graphs.step(size) if kind == "step" else self._graphs.prediction(size)
            fields = {**self._fields, WEIGHT: ((), self.setup.dtype)}
            tables = {name: np.zeros((size, *shape), dtype) for name, (shape, dtype) in fields.items() if name in graph.leaves}
            scalars = tuple(name for name in SCALARS if name in graph.leaves)
            records, stacked = (("loss",), ()) if kind == "step" else ((), ("output",))
            rows = {name: name for name in tables}
            loop = Loop({size: graph}, rows, tuple(self._graphs.first), scalars, records, stacked, in_order=True)
            self._programs[kind, size] = self.engine.compile_loop(loop, tables, 1, STEPS), tables
        return self._programs[kind, size]

    def _not_finite(self, call: _Call) -> NonFiniteError:
        graph = self._graphs.step(call.size)
        values = {name: array[0] for name, array in self._carried.arrays().items() if name in graph.leaves}
        values |= {name: array for name, array in call.tables.items() if name in graph.leaves}
        values |= {name: array[0] for name, array in call.scalars.items() if name in graph.leaves}
        found = first_nonfinite(graph, values)
        what = "a number" if found is None else f"{found.words})"
        slower = f"lower the learning rate (it was {self.setup.rate(self.step_count):g})"
        return NonFiniteError(
            f"{what} at step {self.step_count}; the network is as it was before",
            expected="finite numbers",
            remedy=found.remedy if found and found.remedy else f"{slower}, or clip the gradient (clip=ClipNorm(1.0))",
        )


def _again(
    setup: Setup,
    engine: str,
    threads: int | None,
    step_count: int,
    fields: dict[str, tuple[Shape, str]],
    began: bool,
    state: Mapping[str, Array] | None,
) -> StepTrainer:
    made = StepTrainer(setup, engine, threads)
    made.step_count, made._fields, made._began = step_count, fields, began  # pyright: ignore[reportPrivateUsage]
    if state is not None:
        made.state = state
    return made


class _Call:
    """A program for so many rows, with the arrays that it reads: they are filled, and it is called again."""

    def __init__(self, program: LoopProgram, tables: dict[str, Array], state: Carried, size: int) -> None:
        self.tables, self.size = tables, size
        self.scalars = {name: np.zeros(1) for name in SCALARS}
        self.again = program.prepared(state, np.arange(size)[None], np.array([size]), self.scalars)

    def fill(self, given: Mapping[str, Array], step: int = 0, rate: float = 0.0) -> None:
        """Puts a batch where the program reads it, and the numbers of its step."""
        count = len(given["x"])
        for name, array in self.tables.items():
            if name == WEIGHT:
                array[:count], array[count:] = 1.0 / count, 0.0
            else:
                # What fills the batch up is a row that is there: any other might be no input at all.
                array[:count], array[count:] = given[name], given[name][:1]
        self.scalars["step"][0], self.scalars["learning_rate"][0] = step, rate


def _by_name(x: Any, targets: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """What a step is given, by name: targets without one are y, y2, ..."""
    places = PLACES[: len(targets)]
    if len(targets) > len(PLACES) or named.keys() & set(places):
        raise OptionError(
            f"a step with {len(targets)} targets by their places, and {', '.join(named) or 'none'} by name",
            expected=f"at most {len(PLACES)} by their places, and each once",
            remedy="give them by other names",
        )
    return {"x": x, **dict(zip(places, targets, strict=True)), **named}


def _as_column(y: Array) -> Array:
    """One number to each example (n,) as numbers (n, 1), as `fit` takes them; labels and others as they are."""
    return y[:, None] if y.ndim == 1 and y.dtype.kind == "f" else y


def _is_alike(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return False
    found: Array = np.asarray(other)
    return (found.shape, found.dtype) == (one.shape, one.dtype)
