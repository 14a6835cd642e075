"""Networks as scikit-learn's estimators: its multilayer perceptrons with its own arguments, and any network of ours."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, cast

import numpy as np

from chainrule.checks import Count, Fraction, Interval, Natural, NonNegative, Portion, Positive, unknown
from chainrule.errors import OptionError, OptionTypeError, warn
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.interop.estimators import (
    USED_UP,
    Classifier,
    ConvergenceWarning,
    Described,
    Estimator,
    Patience,
    RandomState,
    Regressor,
    seed_of,
)
from chainrule.interop.weighing import Sample
from chainrule.nn import L2, BinaryCrossEntropy, CrossEntropy, Dense, Layer, Poisson, Sequential, SquaredError
from chainrule.train import LBFGS, SGD, Adam, EarlyStopping, InverseScaling, Optimizer

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""The activations by their names in scikit-learn."""
LOSSES = {"squared_error": ("linear", SquaredError(mean=False, half=True)), "poisson": ("exp", Poisson())}
"""The losses of numbers by their names in scikit-learn, each with the last activation that goes with it."""


def as_given(seed: int, epoch: int, count: int) -> Array:
    """The order of the examples where they are not to be shuffled."""
    return np.arange(count)


@dataclass(eq=False, repr=False)
class Perceptron(Estimator):
    """The arguments of scikit-learn's multilayer perceptrons; what cannot be done here as it is there is refused.

    alpha: the penalty alpha/(2·batch size)·Σ w², biases left out. tol, n_iter_no_change: it ends when the mean loss of an epoch's steps no
    longer falls by tol; with early_stopping when the loss of the validation part does not, and the best weights are restored; with lbfgs
    where no entry of the gradient is larger than tol, or after max_iter or max_fun iterations, each of which takes one call at least.
    Inputs and targets are not scaled. learning_rate="adaptive": with sgd, where a training would end that gets no better, it goes on with a
    fifth of the rate, until that is 1e-6 or less; `run_.settings` says when. Refused: early_stopping with lbfgs.
    """

    hidden_layer_sizes: Any = (100,)
    activation: str = "relu"
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: RandomState = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000

    @abstractmethod
    def _output(self, outputs: int) -> tuple[Dense, Any]:
        """The last layer, and the loss that goes with it."""

    @abstractmethod
    def _validation_scores(self) -> list[float] | None:
        """The score on the validation part after each epoch; None for weighted examples, several labels, and counts."""

    def _described(self, sample: Sample, outputs: int) -> Described:
        options = self._options()
        held_out = options.validation_fraction if options.early_stopping else 0.0
        count = len(sample.x) - (int(np.ceil(held_out * len(sample.x))) if held_out else 0)
        search = options.solver == "lbfgs"
        size = count if search else min(200 if options.batch_size == "auto" else int(options.batch_size), count)
        last, loss = self._output(outputs)
        hidden = [Dense(units, ACTIVATIONS[options.activation]) for units in options.hidden_layer_sizes]
        penalty = L2(options.alpha / (2 * size * sample.mean_weight))
        fields: dict[str, Any] = {
            "network": Sequential(*hidden, last),
            "loss": loss + penalty if options.alpha else loss,
            "optimizer": self._optimizer(count, size),
            "epochs": min(options.max_iter, options.max_fun) if search else options.max_iter,
            "batch_size": None if search else size,
            "seed": seed_of(self.random_state),
            "order": "shuffled" if options.shuffle else as_given,
        }
        if options.early_stopping:
            patience = int(min(options.n_iter_no_change, options.max_iter))
            fields["early_stopping"] = EarlyStopping(patience=patience, min_delta=options.tol)
        waits = not (search or options.early_stopping)
        patience = Patience(options.tol, options.n_iter_no_change, bool(options.verbose)) if waits else None
        slows = options.solver == "sgd" and options.learning_rate == "adaptive"
        return Described(fields, held_out, patience=patience, slows=slows)

    def _options(self) -> _Options:
        """The arguments, checked. Raises: OptionError for one that makes no sense or cannot be done."""
        sizes = self.hidden_layer_sizes
        given = tuple(np.atleast_1d(np.asarray(sizes, dtype=object)).tolist())
        options = _Options(**self._held(_Options, hidden_layer_sizes=given))
        if options.solver == "lbfgs" and options.early_stopping:
            raise OptionError(
                'early_stopping with solver="lbfgs"', expected="a solver that goes by epochs", remedy='write solver="adam"'
            )
        return options

    def _optimizer(self, count: int, size: int) -> Optimizer:
        if self.solver == "lbfgs":
            return LBFGS(iterations=min(self.max_iter, self.max_fun), tolerance=0.0, gradient_tolerance=self.tol)
        if self.solver == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon, epsilon_hat=True)
        rate: Any = self.learning_rate_init
        if self.learning_rate == "invscaling":
            rate = InverseScaling(rate, -(-count // size), count, self.power_t)
        return SGD(rate, self.momentum, self.nesterovs_momentum and self.momentum > 0)

    def _after(self, described: Described) -> None:
        trainer, parameters = self.run_.trainer, self.run_.parameters()
        self.coefs_ = [array for name, array in parameters.items() if name.endswith(".W")]
        self.intercepts_ = [array for name, array in parameters.items() if name.endswith(".b")]
        self.n_layers_ = len(self.coefs_) + 1
        self.n_outputs_ = len(self.intercepts_[-1])
        self.t_ = self.n_iter_ * trainer.count
        stops = "early_stopping" in described.fields
        self.best_loss_ = None if stops else min(self.loss_curve_, default=self.loss_)
        scores = self._validation_scores() if stops else None
        if scores is not None and trainer.stopped == "not finite":
            scores.append(math.nan)
        self.validation_scores_ = scores
        self.best_validation_score_ = max(scores) if scores else None
        last = str(cast("Sequential", self.run_.problem.network).layers[-1].activation)  # pyright: ignore[reportAttributeAccessIssue]
        self.out_activation_ = {"linear": "identity", "sigmoid": "logistic"}.get(last, last)
        if self.solver == "lbfgs":
            falls = trainer.stopped == USED_UP
            said = f"no entry of the gradient was within tol={self.tol} after max_iter={self.max_iter} iterations"
        else:
            waits = described.patience is not None and not trainer.stopped and trainer.settings.epochs > 1
            falls = waits and trainer.step == trainer.steps
            fell = f"it fell by more than tol={self.tol} within the last {self.n_iter_no_change}"
            said = f"the cost still falls after max_iter={self.max_iter} epochs: {fell}"
        if falls:
            warn(said, ConvergenceWarning)

    def _goes_by_epochs(self) -> bool:
        return self.solver != "lbfgs"


@immutable
class _Options:
    """The arguments of a multilayer perceptron, as far as they are held to rules."""

    hidden_layer_sizes: tuple[Count, ...]
    activation: Literal["identity", "logistic", "tanh", "relu"]
    solver: Literal["lbfgs", "sgd", "adam"]
    alpha: NonNegative
    batch_size: Count | Literal["auto"]
    learning_rate: Literal["constant", "invscaling", "adaptive"]
    learning_rate_init: Positive
    power_t: NonNegative
    max_iter: Count
    shuffle: bool
    tol: NonNegative
    verbose: bool | Natural
    warm_start: bool
    momentum: Portion
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: Fraction
    beta_1: Fraction
    beta_2: Fraction
    epsilon: Positive
    n_iter_no_change: Count | Annotated[float, Interval(least=1, infinite=True)]
    max_fun: Count


@immutable
class _NetworkOptions:
    """The arguments of a network of one's own that no `Training` looks at."""

    network: Layer | str | Callable[[int], Layer] | None
    standardise: bool
    validation_fraction: Fraction
    warm_start: bool


@dataclass(eq=False, repr=False)
class MLPClassifier(Classifier, Perceptron):
    """A multilayer perceptron for classes, with the arguments of scikit-learn's class of this name, and `class_weight`.

    >>> import warnings
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = np.where(X[:, 0] > X[:, 1], "above", "below")
    >>> model = MLPClassifier((8,), learning_rate_init=0.05, max_iter=60, tol=0, n_iter_no_change=60, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ConvergenceWarning)
    ...     model = model.fit(X, y)
    >>> model.score(X, y) > 0.9, [W.shape for W in model.coefs_]
    (True, [(2, 8), (8, 1)])
    """

    class_weight: Any = None

    def _output(self, outputs: int) -> tuple[Dense, Any]:
        if self._has_several:
            return Dense(outputs, "sigmoid"), BinaryCrossEntropy()
        return (Dense(1, "sigmoid"), BinaryCrossEntropy()) if outputs == 2 else (Dense(outputs, "softmax"), CrossEntropy())

    def _validation_scores(self) -> list[float] | None:
        if not self.run_.problem.classifies:
            return None
        return [float(value) for value in self.run_.history.curve("validation", "accuracy")[1].mean(axis=1)]


@dataclass(eq=False, repr=False)
class MLPRegressor(Regressor, Perceptron):
    """A multilayer perceptron for numbers, with the arguments of scikit-learn's class of this name.

    loss: "squared_error", or "poisson" for counts: the outputs are then exp(z), and the loss half the deviance.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> model = MLPRegressor((10,), "tanh", solver="lbfgs", random_state=0).fit(x, x[:, 0] ** 2)
    >>> model.score(x, x[:, 0] ** 2) > 0.99
    True
    """

    loss: str = "squared_error"

    def _output(self, outputs: int) -> tuple[Dense, Any]:
        if self.loss not in LOSSES:
            raise unknown(f"loss={self.loss!r}", self.loss, LOSSES)
        activation, loss = LOSSES[self.loss]
        return Dense(outputs, activation), loss

    def _validation_scores(self) -> list[float] | None:
        objective, validation = self.run_.problem.objective, self.run_.data.validation
        (loss,) = objective.losses
        if not isinstance(loss, SquaredError) or validation is None:
            return None
        # A loss without a penalty beside it, alpha=0, is the whole, and has no curve of its own.
        name = loss.name if len(objective.terms) > 1 else "loss"
        squares = 2 * self.run_.history.curve("validation", name)[1].mean(axis=1)
        return [float(value) for value in 1 - squares / np.var(validation.y, axis=0).sum()]


Networks: TypeAlias = "Layer | str | Callable[[int], Layer] | None"
"""A network: as a text, as a layer, as a function from the number of outputs to a layer, or None."""


@dataclass(eq=False, repr=False)
class Network(Estimator):
    """Any network of ours, described by the arguments of `cr.fit`.

    network: a text such as "4-16-3 relu softmax", a layer, or a function from the number of outputs to a layer; None takes one hidden layer
    of 100 neurons with ReLU. loss, optimizer, epochs, batch_size, replicas, engine, clip: as `cr.fit` takes them. dtype: None is that of X.
    standardise: inputs, and numbers to predict, are seen in units of their spread. early_stopping: None, or a `cr.EarlyStopping`, which
    looks at validation_fraction of the examples.
    """

    network: Networks = None
    loss: Any = None
    optimizer: Any = None
    epochs: int = 100
    batch_size: int | None = None
    replicas: int = 1
    random_state: RandomState = None
    dtype: str | None = None
    engine: str = "native"
    clip: Any = None
    standardise: bool = True
    early_stopping: Any = None
    validation_fraction: float = 0.1
    warm_start: bool = False

    @abstractmethod
    def _last(self, outputs: int) -> Dense:
        """The last layer of the network that is taken where none is named."""

    def _loss(self) -> Any:
        """The loss; None is the one that goes with the last layer."""
        return self.loss

    def _described(self, sample: Sample, outputs: int) -> Described:
        self._held(_NetworkOptions, network=None if isinstance(self.network, type) else self.network)
        network: Any = self.network
        if network is None:
            network = Sequential(Dense(100, "relu"), self._last(outputs))
        elif not isinstance(network, str) and not hasattr(type(network), "__dataclass_fields__"):
            network = network(outputs)
            if network is None:
                raise OptionTypeError(
                    f"network({outputs}) gave None",
                    expected="a layer, or a text",
                    remedy="return the network from the function",
                )
        names = ("optimizer", "epochs", "batch_size", "replicas", "dtype", "engine", "clip", "early_stopping")
        usual = {"network": network, "loss": self._loss(), "seed": seed_of(self.random_state)}
        fields = {**usual, **{name: getattr(self, name) for name in names}}
        return Described(fields, self.validation_fraction if self.early_stopping else 0.0, standardised=self.standardise)


@dataclass(eq=False, repr=False)
class NeuralNetworkClassifier(Classifier, Network):
    """Any network of ours as scikit-learn's classifier.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = NeuralNetworkClassifier("2-8-2 tanh softmax", optimizer=cr.Adam(0.05), epochs=40, random_state=0)
    >>> model.fit(X, X[:, 0] > X[:, 1]).score(X, X[:, 0] > X[:, 1]) > 0.9
    True
    """

    class_weight: Any = None

    def _last(self, outputs: int) -> Dense:
        return Dense(outputs, "sigmoid" if self._has_several else "softmax")

    def _loss(self) -> Any:
        return BinaryCrossEntropy() if self._has_several and self.loss is None else self.loss


@dataclass(eq=False, repr=False)
class NeuralNetworkRegressor(Regressor, Network):
    """Any network of ours as scikit-learn's regressor; of replicas it predicts the mean, and with return_std their spread.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> model = NeuralNetworkRegressor("1-8-1 tanh", optimizer=cr.LBFGS(), epochs=50, replicas=4, random_state=0)
    >>> mean, spread = model.fit(x, x[:, 0] ** 2).predict(x, return_std=True)
    >>> mean.shape, bool(spread.max() < 0.1)
    ((50,), True)
    """

    def _last(self, outputs: int) -> Dense:
        return Dense(outputs)
