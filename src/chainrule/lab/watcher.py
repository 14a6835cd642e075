"""A watcher: what every neuron answers to some inputs, again at each step, in a fraction of a millisecond."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from chainrule.display import Shown
from chainrule.engines import Loop
from chainrule.graph import Array, Graph, Node, topological_order
from chainrule.train import Trainer, as_inputs, class_shares


class Watcher(Shown):
    """The activations of a trainer's network, and its output, for inputs x (n, ...) in the data's units, compiled once.

    names: which quantities; None takes each activation, and the pre-activation of a layer that has none. The output is in the units of
    the targets; for a classifier it is the probability of each class, or, where outputs are none, 1 for the class that is decided.

    >>> import chainrule as cr
    >>> trainer = cr.Training("2-4-2 tanh softmax", cr.data.moons(n=60), batch_size=10).trainer()
    >>> found = Watcher(trainer, [[0.0, 0.0], [1.0, 0.5]])(trainer.state)
    >>> {name: array.shape for name, array in found.items()}
    {'dense1.a': (2, 4), 'dense2.a': (2, 2), 'output': (2, 2)}
    """

    def __init__(self, trainer: Trainer, x: Any, names: Collection[str] | None = None) -> None:
        problem = trainer.problem
        self.x = as_inputs(problem.dataset_info, x)
        count = len(self.x)
        output = problem.prediction(count)
        found = {node.name: node for node in topological_order([output]) if _is_answer(node, count)}
        wanted = _activations(found) if names is None else [name for name in found if name in names]
        outputs = {**{name: found[name] for name in wanted}, "output": output}
        loop = Loop({count: Graph(outputs)}, {"x": "x"}, trainer.names, (), (), tuple(outputs), True)
        self._problem = problem
        self._program = trainer.engine.compile_loop(loop, {"x": self.x}, trainer.settings.replicas)
        self._order = np.tile(np.arange(count), (trainer.settings.replicas, 1))

    def __call__(self, state: Mapping[str, Array], replica: int = 0) -> dict[str, Array]:
        """Each quantity by name, (n, ...), of one replica at this state of the trainer."""
        sizes = np.array([self._order.shape[1]])
        stacked = self._program.run(self._program.load(state), self._order, sizes, {}).stacked
        found = {name: array[replica] for name, array in stacked.items()}
        if self._problem.classifies:
            found["output"] = class_shares(found["output"], self._problem.probabilities, self._problem.threshold)
        return found


def _is_answer(node: Node, count: int) -> bool:
    """Whether a node is a layer's answer to each of so many inputs."""
    return (
        not node.is_leaf
        and node.name.endswith((".z", ".a"))
        and node.shape[:1] == (count,)
        and not node.name.startswith("input")
    )


def _activations(found: Mapping[str, Node]) -> list[str]:
    """Of each layer the activation, else the pre-activation."""
    return [name for name in found if name.endswith(".a") or (name.endswith(".z") and f"{name[:-1]}a" not in found)]
