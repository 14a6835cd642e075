"""One competitor in its own process: prepares, trains one unit to warm up, then sleeps until a line on stdin asks.

It answers each line with one line of JSON: "go" with the seconds of one unit, "check" with what was learned. It is started
by competitor.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
from peers import PEERS, Learner, Module, Predictor, Setup, module_of
from workloads import ROWS, WORKLOADS, Array, Workload, floats, initial_weights, load, test_score

LEAST_SECONDS = 0.1
"""A shorter unit is repeated for so long, and the mean taken."""
CHECK_STEPS = 20


def timed(unit: Callable[[], object], calls: int = 1) -> float:
    """The mean seconds of one unit; the clock is read once in `calls` of them."""
    done, started = 0, time.perf_counter()
    while True:
        for _ in repeat(None, calls):
            unit()
        done += calls
        elapsed = time.perf_counter() - started
        if elapsed >= LEAST_SECONDS:
            return elapsed / done


def largest_difference(found: Array, logits: Array) -> float:
    """Between the outputs and what they should be; where they are probabilities, the logits become such."""
    if found.ndim == 2 and found.shape[1] > 1 and np.allclose(found.sum(1), 1, atol=1e-3):
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits /= logits.sum(1, keepdims=True)
    return float(abs(found - logits).max())


class Training:
    """A unit is the workload's epochs."""

    def __init__(self, module: Module, workload: Workload, setup: Setup) -> None:
        self.module, self.workload, self.setup = module, workload, setup
        self.data, self.weights = load(workload), initial_weights(workload)
        self.learner = module.learner(workload, self.data, self.weights, setup)
        self.learner.train(workload.epochs)

    def go(self) -> dict[str, Any]:
        """The seconds of one unit."""
        return {"unit": timed(lambda: self.learner.train(self.workload.epochs))}

    def check(self) -> dict[str, Any]:
        """The score on the test part so far, and how far from NumPy by hand 20 steps of one batch lead."""
        from peers import numpy_by_hand

        found = {"score": test_score(self.workload, self.learner.outputs(self.data.test_x), self.data.test_y)}
        # scikit-learn has its own first weights; NumPy by hand has Dense layers only.
        if self.module.__name__ == "peers.sklearn_mlp" or self.workload.name not in PEERS["numpy"].workloads:
            return found

        def after_steps(module: Any) -> Array:
            one_batch = self.data.first(self.workload.batch)
            learner: Learner = module.learner(self.workload, one_batch, self.weights, self.setup)
            learner.train(CHECK_STEPS)
            return learner.outputs(self.data.test_x[:1000])

        return found | {"difference": largest_difference(after_steps(self.module), after_steps(numpy_by_hand))}


class Prediction:
    """A unit is one example through Python, and another is 10 000 rows."""

    def __init__(self, module: Module, workload: Workload, setup: Setup) -> None:
        self.workload, self.weights = workload, initial_weights(workload)
        self.x = floats(load(workload).test_x)[:ROWS]
        self.predictor: Predictor = module.predictor(workload, self.weights, setup)
        self.one, self.prepared = self.x[:1].copy(), self.predictor.prepare(self.x)
        self.go()

    def go(self) -> dict[str, Any]:
        """The seconds of both units."""
        return {
            "one example": timed(lambda: self.predictor.predict(self.one), calls=20),
            f"{ROWS:,} rows".replace(",", " "): timed(lambda: self.predictor.predict_prepared(self.prepared)),
        }

    def check(self) -> dict[str, Any]:
        """The largest difference from what NumPy by hand predicts."""
        from peers.numpy_by_hand import forward

        expected = forward(self.workload, self.weights, self.x)[-1]
        return {"difference": largest_difference(np.asarray(self.predictor.predict(self.x)), expected)}


def whole_process(module: Module, workload: Workload, setup: Setup) -> dict[str, Any]:
    """From the data to the test, once."""
    if module.__name__ == "peers.ours":
        return {"score": module.whole_process(workload, setup)}  # type: ignore[attr-defined]
    data = load(workload)
    learner = module.learner(workload, data, initial_weights(workload), setup)
    learner.train(workload.epochs)
    return {"score": test_score(workload, learner.outputs(data.test_x), data.test_y)}


def main() -> None:
    """Reads requests until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("name", help=f"one of {', '.join(PEERS)}")
    parser.add_argument("threads", type=int)
    parser.add_argument("engine", help="of ours")
    arguments = parser.parse_args()
    # Whatever the libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    workload, setup = WORKLOADS[arguments.workload], Setup(arguments.engine, arguments.threads)
    try:
        module = module_of(arguments.name)
        if workload.kind == "process":
            answer(whole_process(module, workload, setup))
            return
        runner = (Prediction if workload.kind == "prediction" else Training)(module, workload, setup)
    except Exception as error:  # whatever it is, the others go on without this one
        answer({"trouble": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"})
        return
    answer({})
    for line in sys.stdin:
        answer({"go": runner.go, "check": runner.check}[line.strip()]())


if __name__ == "__main__":
    main()
