"""scikit-learn's MLPClassifier and MLPRegressor, gone on with by warm starts; they draw their own first weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from workloads import Array, Data, Workload, floats

from peers import Predictor, Setup


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained."""
    return _Learner(workload, data)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used; it has no public way to logits, so it gives probabilities."""
    model = _model(workload).set_params(max_iter=1).fit(np.zeros((10, 784), np.float32), np.arange(10))
    model.coefs_, model.intercepts_ = weights[::2], weights[1::2]
    return Predictor(model.predict_proba, model.predict_proba)


class _Learner:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload, self.model = workload, _model(workload)
        self.x, self.y = floats(data.x), data.y.ravel()

    def train(self, epochs: int) -> None:
        self.model.set_params(max_iter=epochs).fit(self.x, self.y)

    def outputs(self, x: Array) -> Array:
        if self.workload.loss == "mean_squared_error":
            return self.model.predict(floats(x))[:, None]
        probabilities = self.model.predict_proba(floats(x))
        return probabilities[:, 1:] - 0.5 if self.workload.loss == "binary_cross_entropy" else probabilities


def _model(workload: Workload) -> Any:
    warnings.simplefilter("ignore")  # it warns that so few epochs have not converged
    kind: Any = MLPRegressor if workload.loss == "mean_squared_error" else MLPClassifier
    return kind(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation="logistic" if workload.activation == "sigmoid" else workload.activation,
        solver=workload.optimizer,
        alpha=0,
        batch_size=workload.batch,
        learning_rate_init=workload.rate,
        momentum=0,
        warm_start=True,
        tol=0,
        n_iter_no_change=10**9,
        random_state=0,
    )
