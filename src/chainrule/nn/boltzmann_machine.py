"""A restricted Boltzmann machine as numbers: its partition function, likelihood and distribution exactly, and samples of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from chainrule.checks import Natural, Numbers, checked, read, reader_of
from chainrule.display import Shown
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array
from chainrule.immutable import immutable

MOST = 20
"""So many units at most are enumerated: 2²⁰ states of the smaller side, each summed over the other in closed form."""
_PIECE = 1 << 13


@checked
def bit_states(units: Natural) -> Array:
    """All states of so many bits, (2^units, units) of 0.0 and 1.0: row s holds the binary digits of s, the highest first.

    >>> bit_states(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]

    Raises: OptionError for more than 20 units.
    """
    _require_few(units, "units")
    return _digits(np.arange(1 << units), units)


@immutable(eq=False)
@checked
class BoltzmannMachine(Shown):
    """The parameters of a `RestrictedBoltzmann` layer, and what follows from them: W (visible, hidden), b (visible,), c (hidden,).

    P(v, h) = exp(b·v + c·h + v·W·h)/Z. What sums over all states takes at most 20 units on the smaller side: the sum over the other
    side is a product. Everything is computed in float64.

    >>> machine = BoltzmannMachine(np.zeros((3, 2)), np.zeros(3), np.zeros(2))
    >>> bool(np.isclose(machine.log_partition, 5 * np.log(2))), machine.log_likelihood([[0, 1, 1]]).round(4)
    (True, array([-2.0794]))
    """

    W: Numbers
    b: Numbers
    c: Numbers

    def __post_init__(self) -> None:
        for name in ("W", "b", "c"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        if self.W.ndim != 2 or (*self.b.shape, *self.c.shape) != self.W.shape:
            raise ShapeError(
                f"a machine of W {self.W.shape}, b {self.b.shape} and c {self.c.shape}",
                expected="W (visible, hidden), b (visible,), c (hidden,)",
                remedy="give a layer's parameters as they are",
            )

    @classmethod
    def of(cls, parameters: Mapping[str, Array], layer: str = "boltzmann1") -> BoltzmannMachine:
        """The machine of a layer, from a run's or model's parameters by name.

        >>> import chainrule as cr
        >>> data = cr.data.bars_and_stripes(2)
        >>> run = cr.fit(cr.RestrictedBoltzmann(3), data, loss="none", optimizer=cr.SGD(0.1), epochs=1, batch_size=8)
        >>> cr.nn.BoltzmannMachine.of(run.parameters()).W.shape
        (4, 3)

        Raises: OptionError where there is no such layer.
        """
        names = [f"{layer}.{name}" for name in ("W", "b", "c")]
        if not all(name in parameters for name in names):
            raise OptionError(
                f"the machine {layer!r} among {', '.join(parameters)}",
                expected=f"the parameters {', '.join(names)}",
                remedy="name a RestrictedBoltzmann layer",
            )
        return cls(*(parameters[name] for name in names))

    def hidden(self, v: Array) -> Array:
        """P(h = 1 | v) for rows v (n, visible): (n, hidden)."""
        return _sigmoid(self._rows(v) @ self.W + self.c)

    def visible(self, h: Array) -> Array:
        """P(v = 1 | h) for rows h (n, hidden): (n, visible)."""
        return self._turned.hidden(h)

    def free_energy(self, v: Array) -> Array:
        """F(v) = −b·v − Σ_j softplus(c + v·W)_j, in nats, for rows v (n, visible): (n,)."""
        v = self._rows(v)
        return -v @ self.b - _softplus(v @ self.W + self.c).sum(axis=1)

    def _rows(self, states: Array) -> Array:
        """States of the visible units as numbers (n, visible)."""
        rows = read("BoltzmannMachine", "states", reader_of(Numbers), states).astype(np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.W):
            raise ShapeError(
                f"states of shape {rows.shape} of {len(self.W)} units",
                expected=f"('n', {len(self.W)})".replace("'", ""),
                remedy="give rows, x[None] for one",
            )
        return rows

    # ---- sums over all states

    @cached_property
    def log_partition(self) -> float:
        """log Z, by enumeration of the smaller side.

        Raises: OptionError where both sides have more than 20 units.
        """
        _require_few(self._small.W.shape[0], "units on its smaller side")
        pieces = [np.logaddexp.reduce(-self._small.free_energy(states)) for states in self._states()]
        return float(np.logaddexp.reduce(pieces))

    def log_likelihood(self, v: Array) -> Array:
        """log P(v) in nats for rows v (n, visible) of bits: (n,). Raises: as `log_partition`."""
        return -self.free_energy(v) - self.log_partition

    def gradient(self, v: Array) -> dict[str, Array]:
        """The derivative of the mean log likelihood of rows v (n, visible) by "W", "b" and "c": over the data minus over the machine.

        Source: D. H. Ackley, G. E. Hinton, T. J. Sejnowski, Cognitive Science 9, 147 (1985). Raises: as `log_partition`.
        """
        v = np.asarray(v, dtype=np.float64)
        model, data = self._expectations, _expectations(v, self.hidden(v), np.full(len(v), 1 / len(v)))
        return {name: data[name] - model[name] for name in ("W", "b", "c")}

    @property
    def probabilities(self) -> Array:
        """P(v) of all visible states in the order of `bit_states`: (2^visible,). Raises: OptionError for more than 20 visible units."""
        return np.exp(self.log_likelihood(bit_states(self.W.shape[0])))

    @cached_property
    def _expectations(self) -> dict[str, Array]:
        small, log_partition = self._small, self.log_partition
        total = {name: np.zeros(getattr(small, name).shape) for name in ("W", "b", "c")}
        for states in self._states():
            weights = np.exp(-small.free_energy(states) - log_partition)
            for name, piece in _expectations(states, small.hidden(states), weights).items():
                total[name] += piece
        return total if small is self else {"W": total["W"].T, "b": total["c"], "c": total["b"]}

    @cached_property
    def _turned(self) -> BoltzmannMachine:
        return BoltzmannMachine(self.W.T, self.c, self.b)

    @property
    def _small(self) -> BoltzmannMachine:
        """The machine with its smaller side in the place of the visible one: the formulas are the same."""
        return self if self.W.shape[0] <= self.W.shape[1] else self._turned

    def _states(self) -> Iterator[Array]:
        units = self._small.W.shape[0]
        for start in range(0, 1 << units, _PIECE):
            yield _digits(np.arange(start, min(start + _PIECE, 1 << units)), units)

    # ---- samples

    def samples(self, count: int, steps: int, seed: int = 0, start: Array | None = None) -> Array:
        """Where `count` chains are after so many steps of Gibbs sampling: bits (count, visible).

        They begin at fair coins, or at the rows of `start` (count, visible).
        """
        random = np.random.default_rng(seed)
        v = random.integers(0, 2, (count, len(self.b))).astype(np.float64) if start is None else np.asarray(start)
        for _ in range(steps):
            h = (random.random((count, len(self.c))) < self.hidden(v)).astype(np.float64)
            v = (random.random((count, len(self.b))) < self.visible(h)).astype(np.float64)
        return v


def _expectations(v: Array, h: Array, weights: Array) -> dict[str, Array]:
    """Σ weight·v·hᵀ, Σ weight·v, Σ weight·h over rows."""
    weighted = v * weights[:, None]
    return {"W": weighted.T @ h, "b": weighted.sum(axis=0), "c": weights @ h}


def _digits(numbers: Array, units: int) -> Array:
    return ((numbers[:, None] >> np.arange(units - 1, -1, -1)) & 1).astype(np.float64)


def _sigmoid(z: Array) -> Array:
    return np.exp(-_softplus(-z))


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _require_few(units: int, what: str) -> None:
    if units > MOST:
        raise OptionError(
            f"the exact sum over a machine with {units} {what}: 2^{units} states",
            expected=f"at most {MOST}",
            remedy="take fewer units, or judge the machine by its pseudo-likelihood, run.evaluate(...).loss",
        )
