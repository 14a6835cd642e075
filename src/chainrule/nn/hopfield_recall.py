"""Hopfield's memory as numbers: patterns stored by Hebb's rule, and recalled one neuron after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chainrule.checks import Natural, Seed, checked
from chainrule.display import Shown
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array
from chainrule.immutable import immutable


@checked
def hebb_weights(patterns: Array) -> Array:
    """W = 1/N Σ ξ ξᵀ with diagonal 0, of patterns (P, N) of ±1: (N, N).

    Source: D. O. Hebb, The Organization of Behavior (1949), in the form of Hopfield's paper.

    >>> hebb_weights(np.array([[1, -1, 1, -1]]))[0]
    array([ 0.  , -0.25,  0.25, -0.25])
    """
    patterns = _states(patterns, "patterns")
    weights = patterns.T @ patterns / patterns.shape[1]
    np.fill_diagonal(weights, 0.0)
    return weights


@immutable(eq=False)
class Recall(Shown):
    """A recall, one neuron after the other: `states` (n, neurons) as they ended, `energies` (sweeps + 1, n) after each sweep.

    `flips` (sweeps, n): how many neurons each sweep turned; the last row is 0 where a state has come to rest. `paths`: for each state
    its energy at first and after each single turn of a neuron, (turns + 1,).
    """

    states: Array
    energies: Array
    flips: Array
    paths: tuple[Array, ...]

    @property
    def settled(self) -> Array:
        """Whether each state has come to rest: (n,)."""
        return self.flips[-1] == 0


@checked
def hopfield_recall(weights: Array, states: Array, *, sweeps: Natural = 1000, seed: Seed = 0) -> Recall:
    """Lets states (n, N) of ±1 fall to rest: neuron after neuron takes the sign of its field.

    A sweep goes, in a new random order, over the neurons that oppose their field in some state at its start; each is looked at again
    when its turn comes.

    With symmetric `weights` (N, N) of diagonal 0 no turn of a neuron raises the energy, so every state comes to rest: it ends
    there, or after `sweeps`. A neuron whose field is 0 stays.

    Raises: ShapeError and OptionError for other weights and states.

    >>> pattern = np.array([[1, 1, -1, -1, 1, -1]])
    >>> found = hopfield_recall(hebb_weights(pattern), pattern * [[1, 1, 1, 1, 1, -1]])
    >>> found.states.astype(int), bool(found.settled[0])
    (array([[ 1,  1, -1, -1,  1, -1]]), True)
    """
    s = _states(states, "states")
    weights = _symmetric(weights, s.shape[1])
    random, fall = np.random.default_rng(seed), _Fall(weights, s, s @ weights)
    energies: list[Array] = [fall.energies]
    flips: list[Array] = []
    for _ in range(sweeps):
        flips.append(fall.sweep(random.permutation(s.shape[1])))
        energies.append(fall.energies)
        if not flips[-1].any():
            break
    return Recall(s, np.array(energies), np.array(flips), fall.paths(energies[0]))


@dataclass(eq=False)
class _Fall:
    """States on their way down, changed in place: `fields` is states @ weights, `turns` what each turn did to which energies."""

    weights: Array
    states: Array
    fields: Array
    turns: list[tuple[Array, Array]] = field(default_factory=list["tuple[Array, Array]"])

    @property
    def energies(self) -> Array:
        return -0.5 * np.sum(self.states * self.fields, axis=1)

    def sweep(self, order: Array) -> Array:
        """Turns what opposes its field, neuron by neuron for all states; gives how many turned in each."""
        s, fields = self.states, self.fields
        flips = np.zeros(len(s), dtype=np.int64)
        # A field that is 0 but for rounding turns nobody.
        slack = 1e-13 * float(np.abs(self.weights).sum(axis=0).max())
        # Neurons that oppose no field at the sweep's start wait for the next: late sweeps, with few turns, then cost little.
        opposed = np.any(s * fields < -slack, axis=0)
        for neuron in order[opposed[order]].tolist():
            turned = np.flatnonzero(s[:, neuron] * fields[:, neuron] < -slack)
            if len(turned):
                s[turned, neuron] *= -1
                self.turns.append((turned, -2 * s[turned, neuron] * fields[turned, neuron]))
                fields[turned] += 2 * s[turned, neuron, None] * self.weights[neuron]
                flips[turned] += 1
        return flips

    def paths(self, start: Array) -> tuple[Array, ...]:
        """Each state's energy from `start` (n,) on."""
        turned = np.concatenate([np.arange(len(start)), *(places for places, _ in self.turns)])
        changes = np.concatenate([start, *(change for _, change in self.turns)])
        return tuple(np.cumsum(changes[turned == place]) for place in range(len(start)))


def _states(given: Array, what: str) -> Array:
    found = np.array(given, dtype=np.float64)
    if found.ndim != 2 or not np.all(np.abs(found) == 1):
        raise OptionError(f"{what} of shape {found.shape}", expected="rows of +1 and −1", remedy="write 2.0 * bits - 1.0")
    return found


def _symmetric(given: Array, count: int) -> Array:
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (count, count):
        raise ShapeError(
            f"weights {weights.shape} for {count} neurons", expected=f"({count}, {count})", remedy="transpose or cut"
        )
    if not np.array_equal(weights, weights.T) or np.any(np.diag(weights)):
        raise OptionError(
            "weights that are not symmetric, or have a diagonal",
            expected="W = Wᵀ and W_ii = 0: else the energy may rise, and a state need not come to rest",
            remedy="store patterns with hebb_weights(patterns)",
        )
    return weights
