"""Random networks of all kinds of layers with a cost, as graphs in any precision; and mistakes planted in their gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

import chainrule as cr
from chainrule import ops
from chainrule.derivatives import grad
from chainrule.engines import ReferenceEngine
from chainrule.graph import Array, Graph, Node, input_node
from chainrule.nn import L1, L2, Layer, build_network, objective
from chainrule.trace.gradient_check import _backward as backward_of
from chainrule.trace.mistake_search import MistakeSearch
from chainrule.trace.mistakes.kinds import Kind
from chainrule.trace.network_structure import Structure
from chainrule.trace.tolerance import Tolerance

Generator = np.random.Generator
_SMOOTH, _KINKED = ("tanh", "sigmoid", "softplus", "silu", "gelu"), ("relu", "leaky_relu", "elu")


def _activation(random: Generator) -> str:
    return str(random.choice([*_SMOOTH, *_KINKED, "tanh", "sigmoid", "relu", "relu"]))


def _width(random: Generator) -> int:
    return int(random.integers(2, 6))


def _dense(random: Generator, depth: int) -> list[Layer]:
    return [cr.Dense(_width(random), _activation(random)) for _ in range(depth)]


def _hidden(random: Generator) -> tuple[list[Layer], tuple[int, ...], bool]:
    """Layers before the last one, the shape of an example, and whether the examples are ids."""
    kind = str(
        random.choice(
            ["dense", "dense", "dense", "conv1d", "conv2d", "rnn", "rnn", "norm", "layer_norm", "embedding", "residual"]
        )
    )
    if kind == "conv1d":
        layers = [cr.Conv1D(_width(random), 2, _activation(random), stride=int(random.integers(1, 3))), cr.Flatten()]
        return layers, (int(random.integers(4, 8)), 2), False
    if kind == "conv2d":
        pool = cr.MaxPool(2) if random.integers(2) else cr.AveragePool(2)
        first = cr.Conv2D(2, 3, _activation(random), padding="same")
        return [first, pool, cr.Conv2D(2, 2, _activation(random)), cr.Flatten()], (4, 6, 1), False
    if kind == "rnn":
        cell = (cr.RNN, cr.LSTM, cr.GRU)[int(random.integers(3))]
        layer = cell(int(random.integers(2, 4)), return_sequences=bool(random.integers(2)))
        return [layer, cr.Flatten()] if layer.return_sequences else [layer], (int(random.integers(2, 6)), 2), False
    if kind in {"norm", "layer_norm"}:
        layers = _dense(random, 1)
        return [*layers, cr.BatchNorm() if kind == "norm" else cr.LayerNorm(), *_dense(random, 1)], (_width(random),), False
    if kind == "embedding":
        return [cr.Embedding(6, 2), cr.Flatten(), *_dense(random, 1)], (3,), True
    if kind == "residual":
        width = _width(random)
        return [cr.Dense(width, "tanh"), cr.Residual(cr.Dense(width, _activation(random)))], (_width(random),), False
    return _dense(random, int(random.integers(0, 4))), (_width(random),), False


@dataclass(frozen=True)
class RandomNetwork:
    """A network, its cost and its values, each a function of a seed."""

    seed: int

    @cached_property
    def _drawn(self) -> tuple[Layer, tuple[int, ...], bool, int, object, int, bool, float, float, bool]:
        random = np.random.default_rng(self.seed)
        hidden, shape, ids = _hidden(random)
        batch = int(random.choice([1, 2, 3, 4, 5, 7, 7, 9]))
        outputs = int(random.integers(1, 5))
        loss = str(random.choice(["mean_squared_error", "squared_error", "half_squared_error", "cross_entropy", "cross_entropy_from_logits",
                                  "binary_cross_entropy", "binary_cross_entropy_from_logits"]))  # fmt: skip
        if loss.startswith("cross"):
            outputs = max(2, outputs)
        last = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, "linear")
        terms: object = objective(loss)
        if random.integers(4) == 0:
            terms = objective(loss) + (L2(0.03) if random.integers(2) else L1(0.02))
        training = bool(random.integers(2)) and batch > 1
        network = cr.Sequential(*hidden, cr.Dense(outputs, last))
        return (
            network,
            shape,
            ids,
            outputs,
            terms,
            batch,
            training,
            float(random.choice([0, 5])),
            float(random.choice([1, 0.01, 30])),
            bool(random.integers(4) == 0),
        )

    @property
    def batch(self) -> int:
        """The number of examples."""
        return self._drawn[5]

    @property
    def mixes_rows(self) -> bool:
        """Whether an example's cost depends on the other examples."""
        return self._drawn[6]

    def graph(self, dtype: str = "float64", batch: int = 0) -> Graph:
        """The cost for so many examples; the data are scaled in it."""
        network, shape, ids, outputs, terms, own, training, offset, factor, _ = self._drawn
        batch = batch or own
        x: Node = input_node("x", (batch, *shape), "int64" if ids else dtype)
        inner = x if ids else ((x - offset) * (1 / factor)).named("input.a")
        built = build_network(network, shape, batch=batch, dtype=dtype, training=training, x=inner)
        loss = terms.losses[0]  # type: ignore[attr-defined]
        y = input_node("y", (batch,), "int64") if loss.target == "labels" else input_node("y", (batch, outputs), dtype)
        rows = terms.per_example(built.output, {"labels": y, "values": y, "margin": y})  # type: ignore[attr-defined]
        cost: Node | None = None
        parts = [ops.mean(row) for row in rows.values()]
        parts += list(terms.penalty_terms(built.parameters).values())  # type: ignore[attr-defined]
        for part in parts:
            cost = part if cost is None else cost + part
        assert cost is not None
        return Graph({"C": cost})

    @cached_property
    def values(self) -> dict[str, Array]:
        """A value for each leaf, exact in float32 too."""
        *_, offset, factor, dead = self._drawn
        ids, outputs = self._drawn[2:4]
        random = np.random.default_rng(self.seed + 10**6)
        found: dict[str, Array] = {}
        for name, node in self.graph().leaves.items():
            value = random.normal(size=node.shape) * (0.7 if node.type.ndim > 1 else 0.4)
            if name == "x":
                value = random.integers(0, 6, node.shape) if ids else value * factor + offset
            elif name == "y" and node.dtype == "int64":
                value = random.integers(0, outputs, node.shape)
            elif name == "y":
                value = random.uniform(size=node.shape)
            elif name.endswith("variance"):
                value = np.abs(value) + 0.5
            elif dead and name.endswith(".b"):
                value = np.where(random.integers(0, 2, node.shape) > 0, -30.0, value)
            found[name] = value if value.dtype.kind == "i" else value.astype(np.float32).astype(np.float64)
        return found

    def gradient(
        self, dtype: str = "float64", rows: Array | None = None, values: dict[str, Array] | None = None
    ) -> dict[str, Array]:
        """The true gradient, computed in a precision, of all examples or of some, in their order."""
        kept = np.arange(self.batch) if rows is None else rows
        graph = self.graph(dtype, len(kept))
        given = {name: value[kept] if name in {"x", "y"} else value for name, value in (values or self.values).items()}
        cast = {name: value if value.dtype.kind == "i" else value.astype(dtype) for name, value in given.items()}
        wrt = [node for node in graph.leaves.values() if node.op.name == "parameter"]
        found = grad(graph.outputs["C"], wrt)
        nodes = Graph({node.name: node * 0.0 if g is None else g for node, g in zip(wrt, found, strict=True)})
        return ReferenceEngine().compile(nodes)({name: value for name, value in cast.items() if name in nodes.leaves})

    @cached_property
    def search(self) -> MistakeSearch:
        """All mistakes that can be made here."""
        graph, right = self.graph(), self.gradient()
        backward = backward_of(graph.outputs["C"], self.values)
        nothing = {name: np.zeros(array.shape) for name, array in right.items()}
        return MistakeSearch(Structure(backward), right, right, Tolerance(1e-7, 2.0**-52, right, lambda: nothing))


def planted(network: RandomNetwork, seed: int) -> tuple[Kind, str, dict[str, Array]] | None:
    """A mistake, where it was made, and the gradient of who made it; None where it changes nothing."""
    random = np.random.default_rng(seed)
    search, right = network.search, network.gradient()
    kinds = [row for row in _possible(search) if not row[0].vague]
    kind, place, made = kinds[int(random.integers(len(kinds)))]
    found = made()
    gradient = {name: np.asarray(found.get(name, array)) for name, array in right.items()}
    changed = [name for name in right if not np.allclose(gradient[name], right[name], rtol=1e-5, atol=1e-12)]
    finite = all(np.all(np.isfinite(array)) for array in gradient.values())
    return (kind, place, gradient) if changed and finite else None


def _possible(search: MistakeSearch) -> list[tuple[Kind, str, object]]:
    """Every mistake that can be made in the network, by kind, place and the arrays that it leaves."""
    rows: list[tuple[Kind, str, object]] = []
    for number, option in enumerate(search.options):
        if not option.has_rate:
            rows.append((option.kind, option.layer, lambda number=number: _walked(search, frozenset({number}))))
    for name in search.mine:
        seen: set[Kind] = set()
        for kind, _, array in search._variants(name, frozenset(), 0.0):
            if kind is not None and kind not in seen:
                seen.add(kind)
                added = search._added(name)
                rows.append(
                    (kind, search.structure.layers[name], lambda name=name, array=array, added=added: {name: array + added})
                )
        for alpha, beta, reading in search._mixtures[name][1]:
            penalty = search.penalties.get(name)
            value = alpha * search.walk(frozenset(), 0.0).gradient(name) + (0 if penalty is None else beta * penalty.value)
            if not reading.repeats and not any(kind.in_delta for kind in reading.kinds):
                layer = search.structure.layers[name]
                rows += [(kind, layer, lambda name=name, value=value: {name: value}) for kind in reading.kinds]
    for factor, kinds in search._common:
        layer = next(iter(search.structure.layers.values()))
        rows += [(kind, layer, lambda factor=factor: _scaled(search, factor)) for kind in kinds if kind.in_delta]
    return rows


def _scaled(search: MistakeSearch, factor: float) -> dict[str, Array]:
    walk = search.walk(frozenset(), 0.0)
    return {name: factor * walk.gradient(name) + search._added(name) for name in search.mine}


def _walked(search: MistakeSearch, chosen: frozenset[int]) -> dict[str, Array]:
    walk = search.walk(chosen, 0.0)
    return {name: walk.gradient(name) + search._added(name) for name in search.mine}


def corrupted(network: RandomNetwork, seed: int) -> tuple[str, dict[str, Array]]:
    """A right gradient with something changed that nobody would call a mistake of back-propagation: what was done, and the arrays."""
    random = np.random.default_rng(seed)
    right = network.gradient()
    mine = {name: np.array(array) for name, array in right.items()}
    names = [name for name, array in right.items() if np.any(array)]
    how = str(
        random.choice(["entries", "scaled entries", "swapped entries", "noise", "noise everywhere", "scaled array", "row"])
    )
    if not names:
        return "nothing", mine
    name = names[int(random.integers(len(names)))]
    flat = mine[name].reshape(-1)
    size = float(np.max(np.abs(flat)))
    some = random.choice(flat.size, size=max(1, int(random.integers(1, flat.size + 1)) // 2), replace=False)
    if how == "entries":
        flat[some] += size * random.normal(size=some.size)
    elif how == "scaled entries":
        flat[some] *= random.uniform(0.1, 3)
    elif how == "swapped entries" and flat.size > 3:
        flat[some] = flat[np.roll(some, 1)]
    elif how == "noise":
        flat += 10.0 ** random.uniform(-5, 0) * size * random.normal(size=flat.size)
    elif how == "noise everywhere":
        mine = {
            n: a + 10.0 ** random.uniform(-5, 0) * random.normal(size=a.shape) * float(np.max(np.abs(a), initial=0))
            for n, a in mine.items()
        }
    elif how == "scaled array":
        mine[name] *= random.uniform(0.1, 3)
    elif mine[name].ndim > 1:
        mine[name][int(random.integers(len(mine[name])))] *= random.normal()
    return how, mine
