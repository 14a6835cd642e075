"""The competitors: which there are, what each can do, and the two things that each module here offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from workloads import Array, Data, Workload

_DENSE = frozenset({"W1", "W2", "W3", "W4", "W5", "W8", "W9", "W10", "W11"})
_ALL = _DENSE | {"W6", "W7"}


@dataclass(frozen=True)
class Peer:
    """A competitor: the module that does it, the package it needs, and its workloads."""

    module: str
    title: str
    package: str
    workloads: frozenset[str] = _ALL


PEERS = {
    "chainrule": Peer("ours", "chainrule", "chainrule"),
    "jax": Peer("jax_scan", "JAX, all epochs in one lax.scan", "jax"),
    "torch": Peer("torch_eager", "PyTorch, eager, fused optimizer", "torch"),
    "torch-compiled": Peer("torch_compiled", "PyTorch, the whole step compiled", "torch"),
    "numpy": Peer("numpy_by_hand", "NumPy by hand", "numpy", _DENSE),
    # Its networks have no sigmoid outputs with a quadratic cost; 32 copies in turn would take long and show nothing new.
    "sklearn": Peer("sklearn_mlp", "scikit-learn", "sklearn", _DENSE - {"W2", "W8"}),
    "c": Peer("c_by_hand", "C by hand", "numpy", frozenset({"W1", "W3", "W8", "W9", "W10"})),
}
"""NAME@1 means the same on one core with one thread."""


@dataclass(frozen=True)
class Setup:
    """How a competitor is to run: our engine's name, and the number of threads for those that must be told."""

    engine: str
    threads: int


class Learner(Protocol):
    """A network in training."""

    def train(self, epochs: int) -> None:
        """Trains that many epochs, each in a new order."""
        ...

    def outputs(self, x: Array) -> Array:
        """What the network now gives for inputs x, logits or probabilities, (n, k) or (copies, n, k)."""
        ...


@dataclass(frozen=True)
class Predictor:
    """A network in use: logits from NumPy to NumPy, and from whatever form of x suits the library best."""

    predict: Callable[[Array], Any]
    predict_prepared: Callable[[Any], Any]
    prepare: Callable[[Array], Any] = lambda x: x


class Module(Protocol):
    """What the modules of this package offer."""

    __name__: str

    def learner(self, workload: Workload, data: Data, weights: list[Array], setup: Setup) -> Learner:
        """The network ready to be trained, its weights as given."""
        ...

    def predictor(self, workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
        """The network ready to be used."""
        ...


def module_of(name: str) -> Module:
    """The module of a competitor, which imports the library behind it."""
    return import_module(f"peers.{PEERS[name.partition('@')[0]].module}")  # type: ignore[return-value]
