"""The restricted Boltzmann machine as a layer: its update is the gradient of a difference of free energies in the same graph."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from chainrule import ops
from chainrule.checks import Count
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Node
from chainrule.immutable import immutable
from chainrule.nn.build import LayerScope, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import Normal, Uniform, Zeros
from chainrule.nn.parts import Initialiser


@described
class RestrictedBoltzmann(Shown):
    """A restricted Boltzmann machine: `units` hidden bits h and visible bits v with the energy E(v, h) = −b·v − c·h − v·W·h.

    Shapes: v (batch, visible), each number a bit or the probability of one; W (visible, units), b (visible,), c (units,). The
    layer gives P(h = 1 | v) = σ(c + v·W), shape (batch, units), so that machines can be stacked.

    Summed over h, the energy becomes the free energy F(v) = −b·v − Σ_j softplus(c + v·W)_j, and P(v) = exp(−F(v))/Z. In training the
    layer has the auxiliary loss "contrastive_divergence", F(v) − F(v′) for each example: v′ is where `steps` steps of Gibbs sampling,
    begun at v, have led to, and is held fixed. Its derivative is the contrastive divergence's update (with the sign of a cost):
    ∂/∂W = −v·P(h = 1 | v)ᵀ + v′·P(h = 1 | v′)ᵀ. So fit it with loss="none". The loss's value is no measure of success: it
    hovers around 0.

    With `chains` the sampling does not begin at the data: that many chains, the state "chains" (chains, visible), go on from
    where the step before has left them (persistent contrastive divergence), and F(v′) is their mean. Their number is free of the batch
    size, and they go on from epoch to epoch.

    A model and an evaluation draw no random numbers; there the auxiliary loss is "pseudo_likelihood", −Σ_i log P(v_i |
    all other v), in nats: as the likelihood it is least, on average over the data, for the machine that made them, but needs no Z.
    Small machines tell their likelihood itself: `BoltzmannMachine`.

    Sources: G. Hinton, Neural Computation 14, 1771 (2002); the first weights: his guide, UTML TR 2010-003, section 8; persistent
    chains: T. Tieleman, ICML (2008); pseudo-likelihood: J. Besag, The Statistician 24, 179 (1975).

    >>> RestrictedBoltzmann(64)
    RestrictedBoltzmann(64)
    """

    units: Count
    steps: Count = 1
    chains: Count | None = None
    weights: Initialiser = field(default_factory=lambda: Normal(0.0, 0.01))
    visible_biases: Initialiser = field(default_factory=Zeros)
    hidden_biases: Initialiser = field(default_factory=Zeros)
    name: LayerName = ""

    @property
    def activation(self) -> str:
        """What the hidden units make of c + v·W: "sigmoid"."""
        return "sigmoid"

    def __call__(self, x: Node) -> Node:
        """P(h = 1 | v) for a batch of v."""
        with layer_scope(self, "boltzmann", x) as here:
            here.require(
                x.type.ndim == 2, expected="(batch, visible): one row of bits to an example", remedy="put Flatten() before it"
            )
            machine = _Leaves(
                here.parameter("W", (x.shape[1], self.units), self.weights),
                here.parameter("b", (x.shape[1],), self.visible_biases),
                here.parameter("c", (self.units,), self.hidden_biases),
            )
            (self._train if here.build.training else _judge)(here, machine, x)
            return here.gives(here.label(machine.hidden(x), "a"))

    def _train(self, here: LayerScope, machine: _Leaves, v: Node) -> None:
        start = v if self.chains is None else here.state("chains", (self.chains, v.shape[1]), Uniform(0.0, 1.0))
        model = here.label(ops.stop_gradient(machine.gibbs(start, here.key(), self.steps)), "v_model")
        reached = machine.free_energy(model)
        if self.chains is not None:
            here.next_state("chains", model)
            reached = ops.mean(reached)
        formula = "F(v) − F(v′)" if self.chains is None else "F(v) − mean_chains F(v′)"
        here.term("contrastive_divergence", machine.free_energy(v) - reached, formula)


def _judge(here: LayerScope, machine: _Leaves, v: Node) -> None:
    here.term("pseudo_likelihood", machine.pseudo_likelihood(v), "−Σ_i log P(v_i | others)")


@immutable
class _Leaves:
    """The machine's parameters as nodes, and what is computed with them; v is (batch, visible), rows are (batch,)."""

    W: Node
    b: Node
    c: Node

    def free_energy(self, v: Node) -> Node:
        """F(v) = −b·v − Σ_j softplus(c + v·W)_j."""
        return -ops.sum(v * self.b, axis=1) - ops.sum(ops.softplus(v @ self.W + self.c), axis=1)

    def hidden(self, v: Node) -> Node:
        """P(h = 1 | v)."""
        return ops.sigmoid(v @ self.W + self.c)

    def visible(self, h: Node) -> Node:
        """P(v = 1 | h)."""
        return ops.sigmoid(h @ ops.swap_last(self.W) + self.b)

    def gibbs(self, v: Node, key: Node, steps: int) -> Node:
        """The visible bits after so many steps: all hidden bits are drawn, then all visible ones."""
        for step in range(steps):
            h = _bits(self.hidden(v), _fold(key, 2 * step))
            v = _bits(self.visible(h), _fold(key, 2 * step + 1))
        return v

    def pseudo_likelihood(self, v: Node) -> Node:
        """−Σ_i log P(v_i | others) = Σ_i softplus(F(v) − F(v with bit i turned over))."""
        batch, visible = v.shape
        z = v @ self.W + self.c
        turned = ops.reshape(1.0 - v * 2.0, shape=(batch, visible, 1)) * self.W
        others = ops.sum(ops.softplus(ops.reshape(z, shape=(batch, 1, z.shape[1])) + turned), axis=2)
        here = ops.reshape(ops.sum(ops.softplus(z), axis=1), shape=(batch, 1))
        # F(v) − F(turned over): what b and the hidden bits gain by it.
        gain = (1.0 - v * 2.0) * self.b + others - here
        return ops.sum(ops.softplus(gain), axis=1)


def _fold(key: Node, number: int) -> Node:
    return ops.random_fold(key, np.asarray(number, dtype=np.uint32))


def _bits(probability: Node, key: Node) -> Node:
    """Independent bits, 1 with these probabilities."""
    drawn = ops.cast(ops.uniform(key, probability.shape), dtype=probability.dtype)
    return ops.cast(ops.less(drawn, probability), dtype=probability.dtype)
