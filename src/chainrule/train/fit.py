"""`fit` trains a network, `resume` goes on with a saved run, `open_run` reads one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

from chainrule.checks import Count, Natural, Seed, checked
from chainrule.engines import HostAddress, engine_named
from chainrule.errors import OptionError
from chainrule.nn import Layer, as_layer
from chainrule.train.configuration import Configuration
from chainrule.train.folder import RunFolder
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import ClipNorm, ClipValue
from chainrule.train.orders import Order, OrderName
from chainrule.train.run import Run, told
from chainrule.train.saved_data import saved_data
from chainrule.train.sealed import as_written
from chainrule.train.settings import Settings
from chainrule.train.stopping import EarlyStopping
from chainrule.train.trainer import Callback, Trainer
from chainrule.train.training import Training


@checked
def fit(
    net: Layer | str | None,
    data: Any,
    *,
    loss: object = None,
    optimizer: Optimizer | str | None = None,
    epochs: Natural | None = None,
    batch_size: Count | None = None,
    seed: Seed = 0,
    replicas: Count = 1,
    dtype: Literal["float32", "float64"] | None = None,
    engine: str = "native",
    evaluate_every: Natural | None = None,
    early_stopping: EarlyStopping | None = None,
    clip: ClipNorm | ClipValue | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    folder: str | os.PathLike[str] | None = None,
    initial: Any = None,
    order: Order | OrderName = "shuffled",
    threads: Count | None = None,
    devices: Count | None = None,
) -> Run:
    """Trains a network on data and gives the run.

    net: a layer, or a text such as "784-16-16-10 sigmoid"; None: one hidden layer of 100. data: a Dataset, the name of a built-in
    one or of a file, a pair of arrays (x, y), or a mapping with what `data.load` takes. loss: a name, a loss or a sum of terms;
    None takes the one that goes with the last layer. optimizer: a name or an optimizer; None takes Adam at a rate that goes by
    network and data. An epoch goes over all examples once, in batches of `batch_size` (None: 32, or all where there are fewer);
    the last, shorter batch is a batch. epochs: None is as many as network and data usually need, at least 5;
    `print(cr.Training(net, data))` says what is decided, and why. replicas: that many networks with seeds seed, seed + 1, ... are
    trained; each equals the single run with its seed, bit for bit. After every `evaluate_every` epochs (0: only at the end; None:
    each one, or some fifty of them where epochs are not said) all curves are taken at the same weights. dtype: float32 unless told
    otherwise, and float64 for LBFGS and LevenbergMarquardt, which take the full batch: an epoch is one of their iterations, and
    None is as many as they allow themselves. callbacks: a function, or several, that are told after each piece of the training.
    folder: where the run's own folder is made; None writes nothing. initial: first values of parameters and states by name; or a run, or
    what `from_torch` and `from_keras` give, whose values are taken for the layers that both networks are made of: see `Frozen`.
    order: "shuffled" anew for each epoch, "consecutive" for layers that carry a state from batch to batch, see
    `ConsecutiveOrder`, or a function, see `Order`. engine: "native", machine code made for this processor; "reference", NumPy, which
    keeps every value; or "xla", JAX for GPUs and TPUs, with which replicas are trained one after the other, with "xla-vmap" all at
    once, equal to single runs but for rounding. threads: how many the engine may use, None for as many as there are processors; no
    result depends on it. devices: on how many devices the xla engine computes; replicas are shared out first, then the rows of batches.
    On several hosts, which CHAINRULE_HOSTS names, all do the same, and the first writes the folder.

    Ctrl-C ends the training and keeps what was learned. A disk that is full or gone ends no training: the run is given, with an
    UnsavedRunWarning, and `run.save("elsewhere")` saves it. Raises: NonFiniteError, UnwritableFileError where no folder can be made,
    and what misfits of network, data and loss raise.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-1 tanh sigmoid", cr.data.xor(), optimizer=cr.Adam(0.1), epochs=200)
    >>> run.classify([[0.0, 1.0], [1.0, 1.0]])
    ['1', '0']
    """
    training = Training(
        net, data, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=batch_size, seed=seed, replicas=replicas,
        dtype=dtype, engine=engine, evaluate_every=evaluate_every, early_stopping=early_stopping, clip=clip, initial=initial,
        order=order, threads=threads, devices=devices,
    )  # fmt: skip
    return training.fit(callbacks=callbacks, folder=folder)


@checked
def open_run(folder: str | os.PathLike[str], *, net: Layer | None = None, data: Any = None, step: Natural | None = None) -> Run:
    """A saved run at its newest snapshot, to be looked at, used or gone on with; ".../latest" is the newest run.

    Nothing is written, also while another process trains there. Scalings, classes and columns are kept with the network, so the data
    are loaded only to evaluate or to go on; a file that has moved is looked for beside the run. `net` and `data` are needed only where
    the folder cannot rebuild them: networks whose graph goes by the batch in a way of its own, data given as arrays, or the new place of
    a file. A network of Python functions is opened as its graph, see `as_graph_layer`. step: an older snapshot instead, one of those that
    the folder keeps.
    Raises: MissingFileError, FileFormatError; when they are loaded, DataError where the data are no longer the same.
    """
    run = _load(RunFolder.open(folder), net, data, step)
    run.trainer.take_best()
    return run


def _load(folder: RunFolder, net: Layer | None, data: Any, step: int | None) -> Run:
    config = Configuration.read(folder, network=None if net is None else as_layer(net))
    if config.network is None:
        raise OptionError(
            f"the folder does not hold the run's network{f': {config.refused}' if config.refused else ', which is made of Python code'}",
            expected="the same network again",
            remedy="build it and pass it: net=...",
        )
    settings, snapshot = config.settings, folder.snapshot(step)
    with as_written(folder.path / "config.json") if net is None else nullcontext():
        problem = LearningProblem(config.network, config.dataset_info, config.objective, settings.dtype, settings.batch_size)
        trainer = Trainer(problem, settings, lambda: saved_data(folder.path, config, data), folder=folder, saved=snapshot)
    with as_written(folder.path / "snapshots" / f"step-{snapshot.step:09d}.json"):
        trainer.load(snapshot, lambda: folder.read_history(snapshot, settings.replicas, settings.dtype))
        # A run that fell back to an older snapshot does the steps since then by the length that is asked for now.
        trainer.lineage = config.lineage.extended(snapshot.step, settings.epochs)
        trainer.stopped = str(snapshot.extra.get("stopped", ""))
    return Run(trainer)


@checked
def resume(
    folder: str | os.PathLike[str],
    *,
    epochs: Natural | None = None,
    net: Layer | None = None,
    data: Any = None,
    step: Natural | None = None,
    callbacks: Callback | Sequence[Callback] = (),
) -> Run:
    """Goes on with a saved run, up to `epochs` in all (by default those it was begun with).

    The result is bit for bit that of a run that was never interrupted, also from the middle of an epoch. step: an older snapshot to go
    on from; what is newer is set aside in the run's folder. Raises: as `open_run`; FolderInUseError while another process trains there.
    """
    opened = RunFolder.open(folder)
    with opened.writer() if _is_first(opened) else nullcontext():
        run = taken_up(opened, epochs, net, data, step)
        run.trainer.train((callbacks,) if callable(callbacks) else tuple(callbacks))
    return told(run)


def _is_first(folder: RunFolder) -> bool:
    """Whether this host is the one that writes: the first of those by which the run's engine computes."""
    if HostAddress.wanted() is None:
        return True
    with as_written(folder.path / "config.json"):
        settings = Settings.from_json(folder.read_config()["settings"])
    return engine_named(settings.engine, settings.threads, settings.devices, at_most=True).hosts.is_first


def taken_up(folder: RunFolder, epochs: int | None, net: Layer | None, data: Any, step: int | None = None) -> Run:
    """A saved run, ready to go on up to `epochs`; see `resume`."""
    run = _load(folder, net, data, step)
    _ = run.data
    trainer = run.trainer
    if epochs is not None and epochs * trainer.steps_per_epoch < trainer.step:
        done = -(-trainer.step // trainer.steps_per_epoch)
        raise OptionError(
            f"epochs={epochs}, and {done} are done",
            expected=f"{done} or more: all epochs, with those before",
            remedy=f"write epochs={2 * done}; for the network as it was then ask run.at(epoch={epochs})",
        )
    trainer.extend(run.settings if epochs is None else replace(run.settings, epochs=epochs))
    return run
