"""Hopfield's memory as a layer: Hebb's rule is one step down the energy's gradient, recall a sequence of signs."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.checks import Count, checked
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Node, constant
from chainrule.nn.build import layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import Zeros


@checked
def hopfield_energy(s: Node, W: Node) -> Node:
    """E = −½ Σ_ij s_i W_ij s_j for each row of s (batch, neurons), with symmetric W (neurons, neurons): (batch,).

    Its derivative by s is minus the local field, −s·W, so that a neuron that takes its field's sign lowers it.

    >>> from chainrule.graph import compute
    >>> s, W = constant([[1.0, -1.0]]), constant([[0.0, 0.5], [0.5, 0.0]])
    >>> compute([hopfield_energy(s, W)])[0]
    array([0.5])
    """
    return ops.sum(s * (s @ W), axis=1) * -0.5


@described
class Hopfield(Shown):
    """Hopfield's memory of patterns of ±1: the state s takes the sign of its local field, `steps` times for all neurons at once.

    Shapes: s (batch, neurons), W (neurons, neurons), result as s. W begins at 0, and its diagonal plays no part. A neuron whose
    field is 0 stays as it is. The energy of its input is an auxiliary loss, "energy": ∂E/∂W_ij = −½ s_i s_j, so that one
    step of gradient descent over all P patterns with the rate 2P/N stores them by Hebb's rule, W = 1/N Σ ξ ξᵀ with diagonal 0. The
    recall has no derivative.

    Sources: J. J. Hopfield, PNAS 79, 2554 (1982); all neurons at once: W. A. Little, Math. Biosci. 19, 101 (1974).

    >>> import chainrule as cr
    >>> patterns = np.array([[1.0, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]])
    >>> storing = {"loss": "none", "optimizer": cr.SGD(2 * 2 / 6), "epochs": 1, "batch_size": 2}
    >>> data = cr.data.Dataset("patterns", cr.data.Examples(patterns, patterns))
    >>> run = cr.fit(cr.Hopfield(), data, **storing)
    >>> run.predict(patterns * [1, 1, 1, 1, 1, -1])
    array([[ 1.,  1.,  1., -1., -1., -1.],
           [ 1., -1.,  1., -1.,  1., -1.]], dtype=float32)
    """

    steps: Count = 1
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The states after so many steps."""
        with layer_scope(self, "hopfield", x) as here:
            here.require(
                x.type.ndim == 2, expected="(batch, neurons): one row of ±1 to a pattern", remedy="put Flatten() before it"
            )
            count = x.shape[1]
            couplings = here.parameter("W", (count, count), Zeros()) * constant(1.0 - np.eye(count), x.dtype)
            here.term("energy", hopfield_energy(x, couplings), "−½ s·W·s")
            s = x
            for _ in range(self.steps):
                s = _signs(s @ couplings, s)
            return here.gives(here.label(s, "s"))


def _signs(field: Node, s: Node) -> Node:
    return ops.where(ops.equal(field, 0.0), s, ops.sign(field))
