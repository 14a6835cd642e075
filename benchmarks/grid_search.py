"""A grid search of 200 small fits: ours beside scikit-learn's own perceptron, in turn, and the ratio of their times.

    python benchmarks/grid_search.py [--rounds 3]

Both get the same arguments and data, and work in one process. Ours has an empty cache at first, and compiles.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings

import numpy as np

GRID = {
    "hidden_layer_sizes": [(8,), (16,), (32,), (16, 16)],
    "alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
    "learning_rate_init": [0.003, 0.01],
}
FOLDS = 5
"""40 settings in 5 folds: 200 fits."""


def data() -> tuple[np.ndarray, np.ndarray]:
    """500 examples of 10 features, two of which decide."""
    x = np.random.default_rng(0).normal(size=(500, 10))
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def searched(estimator: object) -> tuple[float, float]:
    """Seconds, and the best score."""
    from sklearn.model_selection import GridSearchCV

    x, y = data()
    started = time.perf_counter()
    search = GridSearchCV(estimator, GRID, cv=FOLDS, refit=False).fit(x, y)
    return time.perf_counter() - started, float(search.best_score_)


def main() -> None:
    """Prints the seconds of each round and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    seconds: dict[str, list[float]] = {"chainrule": [], "scikit-learn": []}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CHAINRULE_CACHE"] = cache
        from sklearn.neural_network import MLPClassifier as Theirs

        from chainrule.sklearn import MLPClassifier as Ours

        for name, kind in (("chainrule", Ours), ("scikit-learn", Theirs)) * rounds:
            took, score = searched(kind(max_iter=100, random_state=0))
            seconds[name].append(took)
            print(f"{name:14} {took:6.2f} s, best score {score:.3f}", flush=True)
    ours, theirs = (statistics.median(times) for times in seconds.values())
    print(f"200 fits: {ours:.2f} s beside {theirs:.2f} s: {theirs / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
