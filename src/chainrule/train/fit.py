"""`fit` trains a network, `resume` goes on with a saved run, `open_run` reads one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from chainrule.checks import Count, Natural, Seed, checked, shown
from chainrule.data import Dataset, Signature, from_arrays, is_frame, load
from chainrule.engines import load_ahead
from chainrule.errors import ChainruleError, DataError, FileFormatError, OptionError, OptionTypeError, ShapeError
from chainrule.nn import Layer, as_layer, from_json, network
from chainrule.train.configuration import make_folder
from chainrule.train.course import Course
from chainrule.train.folder import RunFolder
from chainrule.train.full_batch import FullBatch
from chainrule.train.history import read_history
from chainrule.train.optimizers import ClipNorm, ClipValue, Optimizer
from chainrule.train.orders import Order, OrderName
from chainrule.train.run import Run
from chainrule.train.scales import suited
from chainrule.train.settings import Settings, optimizer_named, restore, usual_batch_size, usual_optimizer
from chainrule.train.stopping import EarlyStopping
from chainrule.train.task import Task
from chainrule.train.trainer import Callback, Trainer


@checked
def fit(
    net: Layer | str,
    data: Any,
    *,
    loss: object = None,
    optimizer: Optimizer | str | None = None,
    epochs: Natural = 5,
    batch_size: Count | None = None,
    seed: Seed = 0,
    replicas: Count = 1,
    dtype: Literal["float32", "float64"] | None = None,
    engine: str = "native",
    evaluate_every: Natural = 1,
    early_stopping: EarlyStopping | None = None,
    clip: ClipNorm | ClipValue | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    folder: str | os.PathLike[str] | None = None,
    initial: Mapping[str, Any] | None = None,
    order: Order | OrderName = "shuffled",
    threads: Count | None = None,
) -> Run:
    """Trains a network on data and gives the run.

    net: a layer, or a text such as "784-16-16-10 sigmoid". data: a Dataset, the name of a built-in one or of a file, a pair
    of arrays (x, y), or a mapping with what `data.load` takes. loss: a name, a loss or a sum of terms; None takes the one
    that goes with the last layer. optimizer: a name or an optimizer; None takes SGD(0.1) for classes, and Adam(0.01) for
    numbers, whose loss has no bound: the rate at which SGD is stable goes with the square of inputs and targets, Adam's
    step does not. An epoch goes over all examples once, in batches of `batch_size` (None: 32, or all where there are
    fewer); the last, shorter batch is a batch. replicas: that many networks with seeds seed, seed + 1, ... are trained;
    each equals the single run with its seed, bit for bit. After every `evaluate_every` epochs (0: only at the end) all
    curves are taken at the same weights. dtype: float32 unless told otherwise, and float64 for LBFGS and
    LevenbergMarquardt, which take the full batch and their own number of iterations, each an epoch. callbacks: a function,
    or several, that are told after each piece of the training. folder: where the run's own folder is made; None writes
    nothing. initial: first values of parameters and states by name. order: "shuffled" anew for each epoch, "consecutive"
    for layers that carry a state from batch to batch, see `ConsecutiveOrder`, or a function, see `Order`. engine: "native",
    machine code made for this processor, or "reference", NumPy, which keeps every value. threads: how many the engine may
    use, None for as many as there are processors; no result depends on it.

    Ctrl-C ends the training and keeps what was learned. Raises: NonFiniteError, and what misfits of network, data and loss raise.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-1 tanh sigmoid", cr.data.xor(), optimizer=cr.Adam(0.1), epochs=200)
    >>> run.classify([[0.0, 1.0], [1.0, 1.0]])
    ['1', '0']
    """
    if not isinstance(data, Dataset):
        load_ahead(engine)
    dataset = _as_dataset(data)
    chosen = usual_optimizer(dataset.task) if optimizer is None else optimizer
    chosen = optimizer_named(chosen) if isinstance(chosen, str) else chosen
    if batch_size is None:
        batch_size = usual_batch_size(len(dataset.train))
    if isinstance(chosen, FullBatch):
        epochs, batch_size = chosen.iterations, len(dataset.train)
        if dtype == "float32":
            raise OptionError(
                f"{chosen.title} in float32", expected="float64, which its search needs", remedy="leave dtype out"
            )
    dtype = dtype or ("float64" if isinstance(chosen, FullBatch) else "float32")
    settings = Settings(
        chosen, epochs, batch_size, seed, replicas, dtype, engine, evaluate_every, early_stopping, clip,
        "shuffled" if callable(order) else order, threads,
    )  # fmt: skip
    layer = network(net) if isinstance(net, str) else as_layer(net)
    try:
        dataset = suited(layer, dataset, loss, batch_size, dtype)
    except ShapeError as error:
        raise _perhaps_labels(error, dataset) from error
    task = Task(layer, dataset.signature, loss, dtype, batch_size)
    trainer = Trainer(task, settings, lambda: dataset, order=order if callable(order) else None, initial=initial)
    if folder is not None:
        make_folder(folder, f"{task.data.name}_{net}" if isinstance(net, str) else task.data.name, trainer)
    trainer.train((callbacks,) if callable(callbacks) else tuple(callbacks))
    return Run(trainer)


def _as_dataset(data: Any) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load(data)
    if isinstance(data, Mapping):
        options = {str(name): value for name, value in cast("Mapping[Any, Any]", data).items()}
        if "name_or_path" in options:
            return load(**options)
        if options.keys() == {"x", "y"}:
            return from_arrays(**options)
    if isinstance(data, tuple) and len(pair := cast("tuple[Any, ...]", data)) == 2:
        return from_arrays(pair[0], pair[1])
    raise OptionTypeError(
        f"data={shown(cast('object', data))}", expected="a Dataset, a name, a file, or (x, y)", remedy=_how_to_give(data)
    )


def _perhaps_labels(error: ShapeError, data: Dataset) -> ShapeError:
    """The error for outputs that do not fit the targets, which may be labels that were stored as floats, as numpy.loadtxt does."""
    y = data.train.y
    if data.classes is not None or y.shape[1:] != (1,) or not np.array_equal(y, np.floor(y)) or len(np.unique(y)) > 20:
        return error
    return ShapeError(
        f"{error.happened}\n      the targets are whole numbers stored as {y.dtype.name}",
        expected=error.expected,
        remedy=f"if they are classes, write y.astype(int); if they are numbers, {error.remedy}",
    )


def _how_to_give(data: Any) -> str:
    """The call that makes a data set of an object of another kind."""
    if isinstance(data, Mapping) and {"data", "target"} <= cast("Mapping[Any, Any]", data).keys():
        return "write (bunch['data'], bunch['target'])"
    if hasattr(cast("object", data), "toarray"):
        return "write (x.toarray(), y)"
    if is_frame(cast("object", data)):
        return "name the column to predict: cr.data.from_dataframe(frame, target='...')"
    return "write (x, y)"


@checked
def open_run(folder: str | os.PathLike[str], *, net: Layer | None = None, data: Any = None) -> Run:
    """A saved run at its newest snapshot, to be looked at, used or gone on with; ".../latest" is the newest run.

    Scalings, classes and columns are kept with the network, so the data are loaded only to evaluate or to go on. `net` and `data`
    are needed only where the folder cannot rebuild them: networks with Python functions, data given as arrays.
    Raises: MissingFileError, FileFormatError; when they are loaded, DataError where the data are no longer the same.
    """
    run = _load(folder, net, data)
    run.trainer.take_best()
    return run


def _load(folder: str | os.PathLike[str], net: Layer | None, data: Any) -> Run:
    run_folder = RunFolder.open(folder)
    config = run_folder.read_config()
    try:
        settings = Settings.from_json(config["settings"])
        network_used = as_layer(net) if net is not None else _saved_network(config["network"])
        signature = Signature.from_json(config["data"])
        task = Task(network_used, signature, restore(config["objective"]), settings.dtype, settings.batch_size)
        course = Course.from_json(config.get("course"), settings.epochs)
    except (KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise FileFormatError(
            f"{run_folder.path / 'config.json'} cannot be read: {error!r}", expected="what fit wrote", remedy="restore the file"
        ) from error
    trainer = Trainer(task, settings, lambda: _same_data(config["data"], data, signature), folder=run_folder)
    snapshot = run_folder.newest_snapshot()
    history, lines = read_history(run_folder.history_lines(), settings.replicas, snapshot.step, settings.dtype)
    if lines != [line.rstrip("\n") for line in run_folder.history_lines()]:
        run_folder.replace_history(lines)
    trainer.load(snapshot, history)
    # A run that fell back to an older snapshot does the steps since then by the length that is asked for now.
    trainer.course = course.extended(snapshot.step, settings.epochs)
    trainer.stopped = str(snapshot.extra.get("stopped", ""))
    return Run(trainer)


@checked
def resume(
    folder: str | os.PathLike[str],
    *,
    epochs: Natural | None = None,
    net: Layer | None = None,
    data: Any = None,
    callbacks: Callback | Sequence[Callback] = (),
) -> Run:
    """Goes on with a saved run, up to `epochs` in all (by default those it was begun with).

    The result is bit for bit that of a run that was never interrupted, also from the middle of an epoch.
    """
    run = _load(folder, net, data)
    run.trainer.extend(run.settings if epochs is None else replace(run.settings, epochs=epochs))
    run.trainer.train((callbacks,) if callable(callbacks) else tuple(callbacks))
    return run


def _saved_network(structure: Any) -> Layer:
    if structure is None:
        raise OptionError(
            "the run's network is made of Python code, which the folder does not hold",
            expected="the same network again",
            remedy="build it and pass it: net=...",
        )
    return from_json(structure)


def _same_data(saved: Mapping[str, Any], given: Any, signature: Signature) -> Dataset:
    if given is None and saved["load"] is None:
        raise DataError(
            f"the run's data {saved['name']!r} were arrays, which the folder does not hold",
            expected="the same data again",
            remedy="pass them: data=(x, y)",
        )
    dataset = _as_dataset({key: restore(value) for key, value in saved["load"].items()} if given is None else given)
    if dataset.hash != saved["hash"]:
        raise DataError(
            f"the data {dataset.name!r} have the hash {dataset.hash[:12]}..., the run learned from {saved['hash'][:12]}...",
            expected="the same data, bit for bit",
            remedy="restore the file, or train anew on the changed data",
        )
    # What was decided when the training began, and learned from these data then, is kept with the run.
    return dataset.scaled_by(signature.scaling, signature.target_scaling)
