"""Layers that draw normal random numbers in training: noise on what they are given, and codes of a variational autoencoder."""

from __future__ import annotations

from chainrule import ops
from chainrule.checks import NonNegative
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Node
from chainrule.nn.build import LayerScope, layer_scope
from chainrule.nn.checks import LayerName


@described
class GaussianNoise(Shown):
    """In training a = x + std·ε, each ε standard normal and independent; at inference a = x.

    Shapes: x (batch, ...), result as x; std is in the units of x. The noise is a function of seed, step and the layer's
    name, so each step draws anew. A network that is to give x back learns to take such noise away.

    Source: P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, ICML (2008): denoising autoencoders; for the noise as a penalty,
    C. M. Bishop, Neural Computation 7, 108 (1995).

    >>> GaussianNoise(0.5)
    GaussianNoise(0.5)
    """

    std: NonNegative
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The noisy batch when built for training, x itself otherwise."""
        with layer_scope(self, "noise", x) as here:
            if not here.build.training or self.std == 0:
                return here.gives(x)
            return here.gives(here.label(x + _normal_like(here, x) * self.std, "a"))


@described
class Latent(Shown):
    """Draws the code of a variational autoencoder: a = μ + exp(½s)·ε in training, ε standard normal; at inference a = μ.

    Given are, side by side, the mean μ and the log variance s of the normal distribution q that an example's code is drawn from.
    The layer has the auxiliary loss `kl`, with `weight` as its factor: KL(q ‖ N(0, 1)) = ½·Σ_j (exp(s_j) + μ_j² − 1 − s_j), in
    nats. With a loss that is −log p(x|a) and weight 1 the cost is the negative evidence lower bound (ELBO).
    Shapes: x (batch, 2n), result (batch, n); quantities `mean`, `log_variance`, `a`, each (batch, n).

    Source: D. P. Kingma, M. Welling, arXiv:1312.6114, eq. 10 and appendix B; the weight: I. Higgins and others, ICLR (2017).

    >>> from chainrule.nn import Dense, Sequential, build_network
    >>> built = build_network(Sequential(Dense(2 * 3), Latent(), Dense(5)), (5,))
    >>> built.output.shape, list(built.terms)
    ((1, 5), ['latent1.kl'])
    """

    weight: NonNegative = 1.0
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The codes: drawn when built for training, their means otherwise."""
        with layer_scope(self, "latent", x) as here:
            mean, log_variance = _halves(here, x)
            here.term("kl", self._divergence(mean, log_variance), self._formula)
            drawn = ops.exp(log_variance * 0.5) * _normal_like(here, mean) + mean if here.build.training else mean
            return here.gives(here.label(drawn, "a"))

    @property
    def _formula(self) -> str:
        factor = "" if self.weight == 1 else f"{float(self.weight)!r}·"
        return f"{factor}½·Σ_j (exp(s_j) + μ_j² − 1 − s_j)"

    def _divergence(self, mean: Node, log_variance: Node) -> Node:
        # expm1 keeps the digits where a variance is near 1.
        return ops.sum(ops.expm1(log_variance) - log_variance + mean * mean, axis=1) * (0.5 * self.weight)


def _halves(here: LayerScope, x: Node) -> tuple[Node, Node]:
    here.require(
        x.type.ndim == 2 and x.shape[1] % 2 == 0,
        expected="(batch, 2n): n means and n log variances of the code, side by side",
        remedy="put Dense(2 * n) before it, without an activation",
    )
    size = x.shape[1] // 2
    mean, log_variance = (ops.slice_axis(x, 1, start, start + size) for start in (0, size))
    return here.label(mean, "mean"), here.label(log_variance, "log_variance")


def _normal_like(here: LayerScope, x: Node) -> Node:
    """Standard normal numbers of this layer in this step, in the shape and dtype of x."""
    return ops.cast(ops.normal(here.key(), x.shape), dtype=x.dtype)
