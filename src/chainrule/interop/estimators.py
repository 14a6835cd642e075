"""Estimators: what scikit-learn asks of a classifier or a regressor, by trainings and their runs."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from chainrule.checks import read, readers_of, shown
from chainrule.data import DatasetInfo, Scaling
from chainrule.data.examples import plain
from chainrule.errors import DataError, MissingPackageError, NonFiniteError, OptionError, OptionTypeError, ShapeError, warn
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.interop.handed import in_our_words, labels_of, numbers_of, require_numbers
from chainrule.interop.weighing import Sample, dataset, weighted
from chainrule.train import Run, Trainer, Training, class_probabilities, decide
from chainrule.train.branch import taught
from chainrule.train.full_batch import USED_UP

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, compute_sample_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        _check_sample_weight as check_sample_weight,  # pyright: ignore[reportPrivateUsage]  (scikit-learn has no other)
    )
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise MissingPackageError(
        f"scikit-learn is not here, or older than 1.6: {error}",
        expected="scikit-learn 1.6 or newer",
        remedy="pip install 'chainrule[sklearn]'",
    ) from error

__all__ = [
    "USED_UP", "Classifier", "ConvergenceWarning", "Described", "Estimator", "Patience", "RandomState", "Regressor", "seed_of",
]  # fmt: skip

RandomState: TypeAlias = "int | np.random.RandomState | None"
FLOATS = (np.float64, np.float32)
SPARSE = ("csr", "csc", "coo")
SLOWEST = 1e-6
"""A learning rate of this or less is not lowered any more."""


@immutable
class Described:
    """How an estimator trains: the fields of a `Training`, and what stands around it.

    `held_out`: which fraction of the examples is split off for validation, 0 for none. `standardised`: whether network and targets are in
    units of the data's spread. `patience`: when a training ends that gets no better. `slows`: instead of ending, it goes on with a fifth of
    the learning rate, as long as that is above 1e-6.
    """

    fields: Mapping[str, Any]
    held_out: float = 0.0
    standardised: bool = False
    patience: Patience | None = None
    slows: bool = False


@dataclass
class Patience:
    """Ends a training as scikit-learn does: when the mean loss of an epoch's steps did not fall by `tol` for more than `epochs` epochs."""

    tol: float
    epochs: float
    verbose: bool = False
    best: Array | float = np.inf
    waited: Array | int = 0

    @property
    def ahead(self) -> int:
        """How many epochs can be done before the training may have to end: with replicas, when none gets better any more."""
        return int(min(self.epochs, 2**31)) + 1 - int(np.min(self.waited))

    def ends(self, losses: Array, first: int) -> bool:
        """Whether it is to end after epochs with these losses (replicas, epochs), the first of which has this number."""
        for epoch, loss in enumerate(losses.T, first):
            if self.verbose:
                sys.stdout.write(f"Iteration {epoch}, loss = {loss.mean():.8f}\n")
            self.waited = np.where(loss > self.best - self.tol, self.waited + 1, 0)
            self.best = np.minimum(self.best, loss)
        return bool(np.all(self.waited > self.epochs))


class Estimator(BaseEstimator):
    """What classifiers and regressors share. A fitted one holds its `run_`, which does all that a `Run` does."""

    run_: Run
    n_iter_: int
    loss_curve_: list[float]
    loss_: float
    early_stopping: Any
    _predicts_quantities: ClassVar[bool] = False
    """Whether targets have a unit, which they may be scaled by."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @abstractmethod
    def _described(self, sample: Sample, outputs: int) -> Described:
        """How this sample is trained on: outputs is the number of classes, or of numbers to predict."""

    def _goes_by_epochs(self) -> bool:
        """Whether there are epochs, one of which partial_fit can do."""
        return True

    def _after(self, described: Described) -> None:
        """Sets what a fitted estimator of this kind shows besides."""

    def _train(self, sample: Sample, outputs: int, before: Run | None, *, one_epoch: bool = False) -> None:
        """Trains on a sample; `before` is the run whose parameters it starts from, with one_epoch also with its optimizer's memory."""
        sample = sample.without_zeros()
        described = self._described(sample, outputs)
        training = self._training(sample, described, before, one_epoch=one_epoch)
        if one_epoch:
            self.run_ = _one_more(training, before)
        else:
            self.run_ = _fitted(training if before is None else _warm(training, before), described)
        losses = [float(loss) for loss in _losses(self.run_).mean(axis=0)]
        again = one_epoch and before is not None
        self.loss_curve_ = [*self.loss_curve_, *losses] if again else losses
        self.n_iter_ = len(self.loss_curve_)
        # A search that begins where it ended does no iteration.
        self.loss_ = self.loss_curve_[-1] if losses else float(self.run_.evaluate("training").loss.mean())
        self._after(described)

    def _training(self, sample: Sample, described: Described, before: Run | None, *, one_epoch: bool) -> Training:
        fields: dict[str, Any] = {**described.fields}
        stops = fields.get("early_stopping")
        if one_epoch and stops:
            raise OptionError(
                f"partial_fit does not support early_stopping={self.early_stopping!r}",
                expected="early_stopping=False or None",
                remedy="set it so, or call fit",
            )
        if stops and not described.held_out:
            raise OptionError(
                "early stopping with validation_fraction=0",
                expected="a part of the examples to look at",
                remedy="set validation_fraction=0.1",
            )
        if one_epoch and isinstance(size := fields.get("batch_size"), int):
            fields["batch_size"] = min(size, len(sample.x))
        train, validation = (sample, None) if one_epoch else _parts(sample, described.held_out, fields["seed"])
        fields["evaluate_every"] = 1 if fields.get("early_stopping") else 0
        fields["dtype"] = fields.get("dtype") or (None if _searches(fields) else sample.x.dtype.name)
        scales: Any = self._scales(train, described, before if one_epoch else None)
        if sample.weights is None:
            return Training(data=dataset(train, validation, **scales), **fields)
        # What it would be without weights says how many outputs there are, and which loss is to be weighted.
        alike: dict[str, Any] = {**fields, "early_stopping": None}
        plain = Training(data=dataset(train.unweighted(), None, **scales), **alike)
        fields["loss"] = weighted(plain.problem.objective)
        fields |= {name: getattr(plain.settings, name) for name in ("optimizer", "epochs") if fields.get(name) is None}
        scales |= _weighed(train, plain.problem.dataset_info)
        return Training(data=dataset(train, validation, plain.problem.output.shape[-1], **scales), **fields)

    def _scales(self, train: Sample, described: Described, before: Run | None) -> dict[str, Scaling | None]:
        if before is not None:
            found = (before.dataset_info.scaling, before.dataset_info.target_scaling)
            asked = [None if one is None else one.described(one.reason) for one in found]
            return {"scaling": asked[0], "target_scaling": asked[1]}
        if not described.standardised:
            return {"scaling": None, "target_scaling": None}
        # The training decides, by what its network takes and reaches, and what its loss compares.
        target = Scaling.auto(train.y) if self._predicts_quantities else None
        return {"scaling": Scaling.auto(train.x), "target_scaling": target}

    def _outputs(self, X: Any) -> Array:
        """The outputs of all replicas for inputs as scikit-learn takes them: (replicas, n, k)."""
        check_is_fitted(self, "run_")
        require_numbers(X)
        with in_our_words():
            found = validate_data(self, X, reset=False, dtype=FLOATS, accept_sparse=SPARSE)
        return self.run_.predict(plain(found, "X"), replica=None)

    def _before(self) -> Run | None:
        """The run that a fit starts from, which is one only with warm_start."""
        return getattr(self, "run_", None) if getattr(self, "warm_start", False) else None

    def _weights(self, given: Any, x: Array) -> Array | None:
        if given is None:
            return None
        with in_our_words():
            found: Array = check_sample_weight(plain(given, "sample_weight"), x, dtype=x.dtype)
        return _none_negative(found, "Negative values in data passed to `sample_weight`")

    def _held(self, rules: type, **instead: Any) -> dict[str, Any]:
        """The arguments that `rules` has annotations for, held to them; `instead`: what stands for an argument as it was given."""
        given = {name: instead.get(name, getattr(self, name)) for name in readers_of(rules)}
        return {name: read(type(self).__name__, name, reader, given[name]) for name, reader in readers_of(rules).items()}


def _by_epochs(estimator: Estimator) -> bool:
    return estimator._goes_by_epochs()  # pyright: ignore[reportPrivateUsage]


def _validated(estimator: Estimator, X: Any, y: Any, **options: Any) -> tuple[Array, Array]:
    """Inputs and targets as arrays, checked as scikit-learn does it; names and number of the features are noted, or held to.

    Sparse ones are written out with their zeros.
    """
    require_numbers(X)
    with in_our_words():
        found: Any = validate_data(estimator, X, y, dtype=FLOATS, accept_sparse=SPARSE, multi_output=True, **options)
    return plain(found[0], "X"), plain(found[1], "y")


def _searches(fields: Mapping[str, Any]) -> bool:
    return getattr(fields.get("optimizer"), "search", None) is not None


def _weighed(train: Sample, decided: DatasetInfo) -> dict[str, Scaling]:
    """Where it was decided to standardise, each example counts by its weight."""
    found: dict[str, Scaling] = {}
    if decided.scaling.usual and decided.scaling == Scaling.standardise(train.x):
        found["scaling"] = train.standardising(train.x)
    target = decided.target_scaling
    if target is not None and target.usual and target == Scaling.standardise(train.y):
        found["target_scaling"] = train.standardising(train.y)
    return found


def _parts(sample: Sample, held_out: float, seed: int) -> tuple[Sample, Sample | None]:
    """The training part, and what is split off for validation, each class having its share."""
    if not held_out:
        return sample, None
    train, validation = _split(sample, held_out, seed)
    if len(validation) < 2:
        raise DataError(
            f"The validation set is too small: {len(validation)} of {len(sample.x)} examples",
            expected="two examples or more",
            remedy="increase validation_fraction",
        )
    return sample.taken(np.sort(train)), sample.taken(np.sort(validation))


def _split(sample: Sample, held_out: float, seed: int) -> tuple[Array, Array]:
    """The positions of both parts. Raises: DataError, in scikit-learn's words, which call two classes False and True, and in ours."""
    stratify = sample.y
    if sample.classes is None:
        stratify = None
    elif len(sample.classes) == 2:
        stratify = sample.y.astype(bool)[:, None]
    try:
        found: list[Any] = train_test_split(np.arange(len(sample.x)), test_size=held_out, random_state=seed, stratify=stratify)
    except ValueError as error:
        rare = [name for place, name in enumerate(sample.classes or ()) if np.sum(sample.y == place) == 1]
        also = f", also of {rare[0]}" if rare else ""
        raise DataError(
            str(error),
            expected=f"two examples or more of each class{also}, and enough for both parts",
            remedy="give more examples, or set validation_fraction, or early_stopping=False",
        ) from error
    return found[0], found[1]


def _fitted(training: Training, described: Described) -> Run:
    """A run of a training, which ends where the description says."""
    trainer = training.trainer()
    try:
        if described.patience is None:
            _train_to_the_end(trainer, described.slows)
        else:
            _train_patiently(trainer, described.patience, described.slows)
    except NonFiniteError as error:
        if not (trainer.stopping and trainer.stopping.kept):
            raise _as_data_error(error) from error
        trainer.state = trainer.stopping.best_of(trainer.state)
        said = f"the training diverged, and the best weights until then were taken: {error.happened}"
        warn(said, ConvergenceWarning)
    return Run(trainer)


def _train_to_the_end(trainer: Trainer, slows: bool) -> None:
    trainer.train()
    while slows and trainer.stopping and trainer.stopped == "early stopping" and _slowed(trainer):
        # It goes on from the last weights, not from the best ones.
        trainer.load(trainer.ending(), trainer.history)
        trainer.stopping.waited[:] = 0
        trainer.train()


def _train_patiently(trainer: Trainer, patience: Patience, slows: bool) -> None:
    while trainer.step < trainer.steps and not trainer.stopped:
        first = trainer.step // trainer.steps_per_epoch
        trainer.train_until(trainer.step + patience.ahead * trainer.steps_per_epoch)
        if not patience.ends(_losses(Run(trainer))[:, first:], first + 1):
            continue
        patience.waited = 0
        if not (slows and _slowed(trainer)):
            trainer.stopped = f"the loss did not fall by {patience.tol:g} for {patience.epochs:g} epochs"


def _slowed(trainer: Trainer) -> bool:
    """Takes a fifth of the learning rate from here on, unless it is 1e-6 or less already: whether it did."""
    is_fast = trainer.rates(np.array([trainer.step]))[0] > SLOWEST
    if is_fast:
        trainer.lower_rate(0.2)
    return bool(is_fast)


def _as_data_error(error: NonFiniteError) -> DataError:
    """The error in scikit-learn's words, with what ours knows besides."""
    words = "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
    happened = error.happened.partition("; the state before it")[0]
    return DataError(f"{words} {happened}", expected=error.expected, remedy=error.remedy)


def _none_negative(weights: Array, given: str) -> Array:
    if not (weights >= 0).all() or not np.isfinite(weights).all():
        raise DataError(given, expected="finite weights of 0 or more", remedy="correct the weights")
    return weights


def _warm(training: Training, before: Run) -> Training:
    """A training that begins with the parameters of the run before."""
    _require_same_network(training, before, "warm_start", "set warm_start=False")
    return training.changed(initial=before.model().values)


def _require_same_network(training: Training, before: Run, call: str, remedy: str) -> None:
    """Refuses to go on where not all that was learned has its place."""
    known, found = (
        {name: item.node.shape for name, item in problem.parameters.items()} for problem in (before.problem, training.problem)
    )
    if known != found:
        wrong = next(name for name in (*found, *known) if known.get(name) != found.get(name))
        raise ShapeError(
            f"{call} with another network: {wrong} was {known.get(wrong, 'not there')}, is {found.get(wrong, 'not there')}",
            expected="the features, outputs and layers of the fit before",
            remedy=remedy,
        )


def _one_more(training: Training, before: Run | None) -> Run:
    """A run of one epoch, which goes on where the run before stopped."""
    training = training.changed(epochs=1)
    if before is not None:
        _require_same_network(training, before, "partial_fit", "begin with a new estimator, or call fit")
        training = training.changed(seed=before.settings.seed + before.settings.replicas)
    trainer = training.trainer() if before is None else taught(training.trainer(), before.trainer)
    try:
        trainer.train()
    except NonFiniteError as error:
        raise _as_data_error(error) from error
    return Run(trainer)


def _losses(run: Run) -> Array:
    """The loss of each whole epoch, the mean over its examples, before each step: (replicas, epochs)."""
    trainer = run.trainer
    steps = run.history.steps().astype(np.float64)
    steps = steps[:, : steps.shape[1] // trainer.steps_per_epoch * trainer.steps_per_epoch]
    return (steps * np.resize(trainer.sizes, steps.shape[1])).reshape(len(steps), -1, trainer.steps_per_epoch).sum(
        axis=2
    ) / trainer.count


def seed_of(random_state: Any) -> int:
    """The seed that scikit-learn's random_state stands for. Raises: OptionError for what it does not take."""
    if isinstance(random_state, int | np.integer):
        if random_state < 0:
            raise OptionError(
                f"random_state={random_state}", expected="a whole number of 0 or more", remedy="write random_state=0"
            )
        return int(random_state)
    if random_state is not None and random_state is not np.random and not isinstance(random_state, np.random.RandomState):
        raise OptionTypeError(
            f"random_state={shown(random_state)}",
            expected="a whole number of 0 or more, a numpy.random.RandomState, or None",
            remedy="write random_state=0",
        )
    return int(check_random_state(random_state).randint(2**31 - 1))


# ---- the two kinds


class Classifier(ClassifierMixin, Estimator):
    """An estimator that predicts classes: any labels that scikit-learn takes, or several labels to an example."""

    classes_: Array
    class_weight: Mapping[Any, float] | str | None
    _has_several: bool = False
    """Whether y is (n, labels) of 0 and 1, and an example may have several."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Trains on inputs X (n, features) and labels y (n,); sample_weight (n,) says how much each example counts.

        y (n, labels) of 0 and 1 gives each example as many labels as it has ones. Raises: what misfits of data and options raise, all of
        them also ValueError.
        """
        before = self._before()
        x, y = self._checked(X, y, reset=True)
        known: Array | None = None if before is None else self.classes_
        self.classes_ = np.arange(y.shape[1]) if self._has_several else np.unique(y)
        self._require_same(known, "warm_start can only be used", "set warm_start=False")
        self._train(self._sample(x, y, sample_weight), self._outputs_for_classes, before)
        return self

    @available_if(_by_epochs)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Classifier:
        """Goes once over these examples; the optimizer remembers. `classes`: all that there will be, which the first call must say."""
        before: Run | None = getattr(self, "run_", None)
        x, y = self._checked(X, y, reset=before is None)
        if before is None and classes is None:
            raise OptionError(
                "classes is None at the first call of partial_fit",
                expected="all classes that there will be",
                remedy="write partial_fit(X, y, classes=np.unique(all_y))",
            )
        known: Array | None = None if before is None else self.classes_
        if classes is not None:
            self.classes_ = np.unique(classes)
            self._require_same(known, "partial_fit goes on only", "leave classes out, or begin with a new estimator")
        unknown = [] if self._has_several else np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise DataError(
                f"the label {shown(unknown[0])} is none of the classes",
                expected=f"one of {self.classes_.tolist()}",
                remedy="name all classes at the first call: partial_fit(X, y, classes=...)",
            )
        self._train(self._sample(x, y, sample_weight), self._outputs_for_classes, before, one_epoch=True)
        return self

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        x, y = _validated(self, X, y if y is None or hasattr(y, "toarray") else labels_of(y), reset=reset)
        with in_our_words():
            check_classification_targets(y)
            self._has_several = type_of_target(y) == "multilabel-indicator"
            return x, y if self._has_several else column_or_1d(y, warn=True)

    def _require_same(self, known: Array | None, call: str, remedy: str) -> None:
        if known is not None and not np.array_equal(known, self.classes_):
            found, self.classes_ = self.classes_, known
            raise OptionError(
                f"{call} where `y` has the same classes as in the previous call to fit. Previously got {known}, `y` has {found}",
                expected=f"the classes {known.tolist()}",
                remedy=remedy,
            )

    @property
    def _outputs_for_classes(self) -> int:
        """As many as classes; a single class has another one beside it, which no example is of."""
        return max(len(self.classes_), 1 if self._has_several else 2)

    def _sample(self, x: Array, y: Array, sample_weight: Any) -> Sample:
        weights = self._weights(sample_weight, x)
        if self.class_weight is not None:
            with in_our_words(OptionError):
                by_class = compute_sample_weight(self.class_weight, y).astype(x.dtype)
            _none_negative(by_class, f"class_weight={shown(self.class_weight)}")
            weights = by_class if weights is None else weights * by_class
        if self._has_several:
            return Sample(x, y.astype(x.dtype), weights)
        names = [str(name) for name in self.classes_]
        names += [f"not {names[0]}"] * (len(names) == 1)
        distinct = tuple(names if len(set(names)) == len(names) else map(str, range(len(names))))
        return Sample(x, np.searchsorted(self.classes_, y).astype(np.int64), weights, distinct)

    def predict(self, X: Any) -> Array:
        """The class of each input: (n,), of the kind that y was; of several replicas what their means say.

        Where an example may have several labels: (n, labels) of 0 and 1.
        """
        outputs, problem = self._outputs(X), self.run_.problem
        none = problem.probabilities == "none"
        found = outputs.mean(axis=0) if none else class_probabilities(outputs, problem.probabilities).mean(axis=0)
        if self._has_several:
            return (found > (problem.threshold if none else 0.5)).astype(int)
        places = decide(found, problem.threshold) if none else found.argmax(axis=1)
        return self.classes_[np.minimum(places, len(self.classes_) - 1)]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each of `classes_`: (n, classes); of several replicas the mean."""
        outputs, how = self._outputs(X), self.run_.problem.probabilities
        if how == "none":
            raise OptionError(
                "probabilities of a network without them", expected="softmax, sigmoid or a cross-entropy", remedy="use predict"
            )
        found = class_probabilities(outputs, how).mean(axis=0)
        if self._has_several:
            return found
        # Sigmoids that stand side by side need not be shares of a whole.
        return np.ones_like(found[:, :1]) if len(self.classes_) == 1 else found / found.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of predict_proba."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class Regressor(RegressorMixin, Estimator):
    """An estimator that predicts numbers, one or several."""

    n_outputs_: int
    _predicts_quantities: ClassVar[bool] = True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Trains on inputs X (n, features) and numbers y (n,) or (n, k); sample_weight (n,) says how much each example counts.

        Raises: what misfits of data and options raise, all of them also ValueError.
        """
        return self._fitted(X, y, sample_weight, self._before(), one_epoch=False)

    @available_if(_by_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Goes once over these examples; the optimizer remembers."""
        return self._fitted(X, y, sample_weight, getattr(self, "run_", None), one_epoch=True)

    def _fitted(self, X: Any, y: Any, sample_weight: Any, before: Run | None, *, one_epoch: bool) -> Regressor:
        reset = before is None or not one_epoch
        x, y = _validated(self, X, numbers_of(y), reset=reset, y_numeric=True)
        with in_our_words():
            numbers: Array = y.reshape(len(y), -1).astype(x.dtype)
        self._train(Sample(x, numbers, self._weights(sample_weight, x)), numbers.shape[1], before, one_epoch=one_epoch)
        self._is_column, self.n_outputs_ = y.ndim == 1, numbers.shape[1]
        return self

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """The numbers for each input, shaped as y was; of several replicas the mean, with `return_std` also their standard deviation.

        Raises: OptionError for a standard deviation of a single replica.
        """
        found = self._outputs(X)
        shaped = found[..., 0] if self._is_column else found
        if not return_std:
            return shaped.mean(axis=0)
        if len(found) < 2:
            raise OptionError("return_std of a single network", expected="two replicas or more", remedy="set replicas=8")
        return shaped.mean(axis=0), shaped.std(axis=0, ddof=1)
