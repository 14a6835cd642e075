"""A training, described and not made yet: network, data, what is minimised and how; what is not said is decided here, once."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import KW_ONLY, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from chainrule import display
from chainrule.checks import Count, Natural, Seed, checked
from chainrule.data import Dataset, Scaling
from chainrule.descriptions import described
from chainrule.descriptions.kinds import is_description
from chainrule.display import Shown
from chainrule.engines import load_ahead
from chainrule.errors import OptionError, Remedy, ShapeError
from chainrule.nn import Built, Layer, as_layer, objective, parse_network
from chainrule.train.learning_problem import LearningProblem, learning_problem
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import ClipNorm, ClipValue
from chainrule.train.orders import Order, OrderName
from chainrule.train.run import Run, told
from chainrule.train.saved_data import as_dataset
from chainrule.train.saving import make_folder
from chainrule.train.scales import suited
from chainrule.train.settings import Settings, optimizer_named
from chainrule.train.state_nodes import told_at_random
from chainrule.train.stopping import EarlyStopping, require_validation
from chainrule.train.taken import in_its_units, require_first_values, taken
from chainrule.train.trainer import Callback, Trainer
from chainrule.train.usual import Usual, usual, usual_batch_size, usual_evaluation, usual_network


@described
class Training(Shown):
    """A training that can be looked at, changed, made, and made again: `fit` describes one and makes it.

    The fields are the arguments of `fit`, which says what they mean; None is decided by network and data. Nothing is loaded, built or
    decided before it is asked for, and then once: `dataset`, `layer`, `problem` and `settings` say what it came to.

    >>> import chainrule as cr
    >>> training = cr.Training("2-4-1 tanh sigmoid", cr.data.xor(), optimizer=cr.Adam(0.1), epochs=200)
    >>> training.settings.batch_size, training.problem.formula
    (4, 'C = 1/B·Σ_batch(−Σ_j [y_j·log a_j + (1 − y_j)·log(1 − a_j)])')
    >>> slower = training.changed(seed=1, **{"optimizer.learning_rate": 0.01})
    >>> slower.settings.optimizer
    Adam(0.01)
    >>> training.fit().classify([[0.0, 1.0], [1.0, 1.0]])
    ['1', '0']
    """

    network: Layer | str | None
    data: Any
    _: KW_ONLY
    loss: object = None
    optimizer: Optimizer | str | None = None
    epochs: Natural | None = None
    batch_size: Count | None = None
    seed: Seed = 0
    replicas: Count = 1
    dtype: Literal["float32", "float64"] | None = None
    engine: str = "native"
    evaluate_every: Natural | None = None
    early_stopping: EarlyStopping | None = None
    clip: ClipNorm | ClipValue | None = None
    initial: Any = None
    order: Order | OrderName = "shuffled"
    threads: Count | None = None
    devices: Count | None = None

    def __post_init__(self) -> None:
        require_first_values(self.initial)
        if self.loss is not None:
            objective(self.loss)
        if not isinstance(self.data, Dataset | str | Path | Mapping | tuple):
            as_dataset(self.data)  # refuses it

    def __getstate__(self) -> dict[str, Any]:
        # Which layers both networks are made of is known by their identity, and thus here alone.
        if self.initial is None or isinstance(self.initial, Mapping):
            return self.__dict__
        return {**self.__dict__, "initial": taken(self.initial, self.layer, self.problem.described.built)}

    # ---- what it came to

    @cached_property
    def layer(self) -> Layer:
        """The network."""
        network = self._text or self.network
        return parse_network(network) if isinstance(network, str) else as_layer(network)

    @cached_property
    def _text(self) -> str:
        """The network as it is written; empty where it is not."""
        if self.network is None:
            return usual_network(self._given, self.loss)
        return self.network if isinstance(self.network, str) else ""

    @cached_property
    def _given(self) -> Dataset:
        """The data as they were given: not yet in the network's units."""
        if not isinstance(self.data, Dataset):
            load_ahead(self.engine)
        return as_dataset(self.data)

    @cached_property
    def settings(self) -> Settings:
        """How the network is trained, everything decided. Raises: OptionError for what does not go together."""
        require_validation(self.early_stopping, self._given.info.parts)
        epochs = self._epochs
        looks = 1 if self.early_stopping or self.epochs is not None else usual_evaluation(epochs)
        return Settings(
            self._named or self.usual.optimizer, epochs, self._batch_size, self.seed, self.replicas, self._dtype, self.engine,
            looks if self.evaluate_every is None else self.evaluate_every,
            self.early_stopping, self.clip, "shuffled" if callable(self.order) else self.order, self.threads,
            self.devices,
        )  # fmt: skip

    @cached_property
    def usual(self) -> Usual:
        """What is taken of optimizer and epochs where they are not said, and why."""
        sizes = [parameter.node.type.size for parameter in self.problem.parameters.values()]
        given = self._given
        return usual(given.task, inputs=math.prod(given.input_shape), parameters=sum(sizes), examples=len(given.train))

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for what was not said, and was decided by network and data."""
        left = [name for name in ("optimizer", "epochs") if getattr(self, name) is None]
        said = [f"network {self._text}: one hidden layer, as no network was named"] if self.network is None else []
        if left and not self._search:
            said.append(f"{' and '.join(left)}, as not named: {self.usual.reason}")
        return tuple(said)

    @cached_property
    def _named(self) -> Optimizer | None:
        """The optimizer that is asked for."""
        if not isinstance(self.optimizer, str):
            return self.optimizer
        named = optimizer_named(self.optimizer)
        return named if named.search is None or self.epochs is None else replace(cast("Any", named), iterations=self.epochs)

    @property
    def _search(self) -> Any:
        """How the optimizer searches, where it takes all examples at once."""
        return self._named and self._named.search

    @property
    def _epochs(self) -> int:
        if self._search:
            return self._search.iterations if self.epochs is None else min(self.epochs, self._search.iterations)
        return self.usual.epochs(len(self._given.train), self._batch_size) if self.epochs is None else self.epochs

    @property
    def _batch_size(self) -> int:
        count = len(self._given.train)
        if self._search and self.batch_size not in (None, count):
            raise _searches(self._search.title, f"batch_size={self.batch_size}", "batch_size")
        return self.batch_size or (count if self._search else usual_batch_size(count))

    @property
    def _dtype(self) -> Literal["float32", "float64"]:
        if self._search and self.dtype == "float32":
            raise OptionError(
                f"{self._search.title} in float32", expected="float64, which its search needs", remedy="leave dtype out"
            )
        return self.dtype or ("float64" if self._search else Settings.dtype)

    @cached_property
    def dataset(self) -> Dataset:
        """The data, with scalings that suit network and loss. Raises: what misfits of network, data and loss raise."""
        try:
            given = in_its_units(self.initial, self.layer, self._built, self._given)
            return suited(self.layer, given, self.loss, self._batch_size, self._dtype)
        except ShapeError as error:
            if (better := _perhaps_labels(error, self._given)) is None:
                raise
            raise better from error

    def _built(self) -> Built:
        """The network's graph for the data as they were given."""
        info = self._given.scaled_by(Scaling.none(), None).info
        return learning_problem(self.layer, info, self.loss, self._dtype, self._batch_size).described.built

    @cached_property
    def problem(self) -> LearningProblem:
        """Network, data and objective, checked to fit."""
        return learning_problem(self.layer, self.dataset.info, self.loss, self._dtype, self._batch_size)

    @classmethod
    @checked
    def of(cls, run: Run) -> Training:
        """The training that a run was, to be changed and made again; first weights are given where they were given then.

        Raises: where its data are not there, as `open_run` says.

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, seed=3)
        >>> cr.Training.of(run).fit().hash == run.hash
        True
        """
        settings, trainer = run.settings, run.trainer
        begun, drawn = trainer.beginning().state, trainer.drawn()
        names = (*run.problem.parameters, *run.problem.states)
        initial = {name: begun[name][0] for name in names if not np.array_equal(begun[name], drawn[name])} or None
        kept = {name: getattr(settings, name) for name in _SETTINGS}
        return cls(
            run.problem.network,
            run.data,
            loss=run.problem.objective,
            order=trainer.order or settings.order,
            initial=initial,
            **kept,
        )

    # ---- what can be done with it

    def changed(self, **changes: Any) -> Training:
        """The same training with other fields; "optimizer.learning_rate" and its like change a field of what was decided.

        What was loaded and built is not made again where it does not depend on them. Raises: OptionError for a field that there is not.
        """
        own = {name: value for name, value in changes.items() if "." not in name}
        made = replace(self, **own)
        made.__dict__.update(
            {name: kept for name, kept in self.__dict__.items() if not _MADE_OF.get(name, own.keys()) & own.keys()}
        )
        for path, value in changes.items():
            if "." in path:
                made = made._with_part(path, value)
        return made

    def _with_part(self, path: str, value: Any) -> Training:
        """The training with one field of one of its parts replaced."""
        name, _, part = path.partition(".")
        said: Any = getattr(self, name, None)
        whole: Any = said if is_description(said) else getattr(self.settings, name, None)
        if name == "optimizer" and part == "learning_rate" and self._search:
            raise _searches(self._search.title, f"learning_rate={value}", "learning_rate")
        if not is_description(whole):
            raise OptionError(
                f"the change of {path}",
                expected="a part of a field that is a description",
                remedy='write "optimizer.learning_rate"',
            )
        return self.changed(**{name: replace(whole, **{part: value})})

    def trainer(self) -> Trainer:
        """The training at its first step. Raises: what misfits of network, data, loss and settings raise."""
        order = self.order if callable(self.order) else None
        initial = taken(self.initial, self.layer, self.problem.described.built)
        trainer = Trainer(self.problem, self.settings, lambda: self.dataset, order=order, initial=initial)
        _ = trainer.loop  # what does not fit is found before a folder is made
        return trainer

    @checked
    def fit(self, *, callbacks: Callback | Sequence[Callback] = (), folder: str | os.PathLike[str] | None = None) -> Run:
        """Trains, and gives the run; callbacks, folder: as `fit` takes them."""
        trainer = self.begun(folder)
        trainer.train((callbacks,) if callable(callbacks) else tuple(callbacks))
        return told(Run(trainer))

    @checked
    def begun(self, folder: str | os.PathLike[str] | None = None) -> Trainer:
        """The training at its first step, with a folder of its own in `folder`, if one is named."""
        trainer = self.trainer()
        if folder is not None and trainer.engine.hosts.is_first:
            make_folder(folder, self._label, trainer)
        return trainer

    @checked
    def doctor(self, *, try_cures: bool | int = False, replica: int = 0, only: Sequence[str] | None = None) -> Any:
        """Trains, and says what is the matter, also where a number that is not finite ends the training: see `Run.doctor`."""
        return display.ask(display.diagnose, self, {"try_cures": try_cures, "replica": replica, "only": only})

    @property
    def _label(self) -> str:
        """What the run's folder is called, behind the time."""
        return f"{self.dataset.name}_{self._text}" if self._text else self.dataset.name

    def __str__(self) -> str:
        lines = [
            f"{self._text or self.network} on {self.dataset.name}",
            self.problem.formula,
            str(self.settings),
            *self.reasons,
        ]
        frozen = self.problem.frozen_at_random()
        given = taken(self.initial, self.layer, self.problem.described.built) if frozen else None
        drawn = [name for name in frozen if name not in (given or {})]
        return "\n".join([*lines, *([told_at_random(drawn)] if drawn else [])])


_SETTINGS = (
    "optimizer", "epochs", "batch_size", "seed", "replicas", "dtype", "engine", "evaluate_every", "early_stopping", "clip",
    "threads", "devices",
)  # fmt: skip
"""The fields that a training's settings hold as they are."""
_MADE_OF: Mapping[str, Set[str]] = {
    "layer": {"network"},
    "_text": {"network"},
    "_given": {"data"},
    "dataset": {"network", "data", "loss", "initial"},
    "problem": {"network", "data", "loss", "optimizer", "dtype", "batch_size", "initial"},
    "usual": {"network", "data", "loss", "optimizer", "dtype", "batch_size", "initial"},
    "_named": {"optimizer", "epochs"},
}
"""What was made on the way, by the fields that it is made of."""


def _searches(title: str, given: str, name: str) -> OptionError:
    return OptionError(
        f"{given} with {title}",
        expected=f"nothing: {title} takes all examples at once, and searches for the size of each step",
        remedy=Remedy(f"leave {name} out", f"leave --{name.replace('_', '-')} out"),
    )


def _perhaps_labels(error: ShapeError, data: Dataset) -> ShapeError | None:
    """The error for outputs that do not fit targets which may be labels that were stored as floats, as numpy.loadtxt does; or None."""
    y = data.train.y
    if data.classes is not None or y.shape[1:] != (1,) or not np.array_equal(y, np.floor(y)) or len(np.unique(y)) > 20:
        return None
    return ShapeError(
        f"{error.happened}\n      the targets are whole numbers stored as {y.dtype.name}",
        expected=error.expected,
        remedy=f"if they are classes, write y.astype(int); if they are numbers, {error.remedy}",
    )
