"""A branch: a training that starts from the state of another one at some step, and goes on with what is changed."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import Any, cast

from chainrule.checks import shown
from chainrule.errors import OptionError
from chainrule.immutable import immutable
from chainrule.train.history import Epoch, History
from chainrule.train.lineage import Lineage, Parent
from chainrule.train.optimizer import Optimizer, Rate
from chainrule.train.settings import Settings, optimizer_named
from chainrule.train.trainer import Trainer


@immutable
class Changes:
    """What a branch does otherwise; None leaves it as it was."""

    learning_rate: Rate | None = None
    optimizer: Optimizer | str | None = None
    batch_size: int | None = None
    epochs: int | None = None
    seed: int | None = None

    def settings(self, old: Settings) -> Settings:
        """The settings with these changes."""
        named = {"batch_size": self.batch_size, "epochs": self.epochs, "seed": self.seed}
        changed = {name: value for name, value in named.items() if value is not None}
        return replace(old, optimizer=self._optimizer(old.optimizer), **changed)

    def _optimizer(self, old: Optimizer) -> Optimizer:
        chosen = optimizer_named(self.optimizer) if isinstance(self.optimizer, str) else self.optimizer or old
        if search := chosen.search:
            raise OptionError(
                f"a branch by {search.title}, which begins its search anew from wherever it stands",
                expected="an optimizer that goes step by step",
                remedy=f"write fit(..., optimizer={type(chosen).__name__}(), initial=run.at(step).parameters())",
            )
        if self.learning_rate is None:
            return chosen
        if not is_dataclass(chosen):
            raise OptionError(
                f"another learning rate for {shown(chosen)}, which is no description",
                expected="an optimizer whose fields can be changed",
                remedy=f"write @cr.described above the class {type(chosen).__name__}",
            )
        return replace(cast("Any", chosen), learning_rate=self.learning_rate)


def branched(there: Trainer, path: str | None, changes: Changes) -> Trainer:
    """A training that begins at the state of another one, `there`, and knows that it does; `path` is the other's folder.

    Raises: OptionError for changes that cannot be made there, or where nothing is left to do.
    """
    settings = changes.settings(there.settings)
    trainer = Trainer(there.problem, settings, lambda: there.data, order=there.order)
    _ = trainer.loop  # what does not fit is found before a folder is made
    trainer.step = _step(there, trainer)
    if trainer.step >= trainer.steps:
        raise OptionError(
            f"a branch at step {there.step}, with {settings.epochs} epochs done or more",
            expected="something left to do",
            remedy=f"ask for more, for example epochs={2 * settings.epochs}, or branch at an earlier step",
        )
    trainer.seconds = there.seconds
    _take_state(trainer, there)
    trainer.history = _history(trainer, there)
    trainer.lineage = _course(trainer, there, path, changes)
    trainer.start = trainer.snapshot()
    return trainer


def taught(trainer: Trainer, there: Trainer) -> Trainer:
    """A training at its first step, with what another one on other examples has learned and remembers; updates are counted on."""
    _take_state(trainer, there)
    trainer.lineage = replace(trainer.lineage, shift=there.step + there.lineage.shift)
    trainer.start = trainer.snapshot()
    return trainer


def _step(there: Trainer, trainer: Trainer) -> int:
    """The number of the step in batches of the branch, which may be of another size."""
    if _is_same_size(there, trainer):
        return there.step
    epochs, rest = divmod(there.step, there.steps_per_epoch)
    if rest:
        before, behind = epochs * there.steps_per_epoch, (epochs + 1) * there.steps_per_epoch
        raise OptionError(
            f"another batch size from step {there.step} on, in the middle of epoch {epochs + 1}",
            expected=f"the end of an epoch: a multiple of {there.steps_per_epoch} steps",
            remedy=f"branch at step {before} or {behind}",
        )
    return epochs * trainer.steps_per_epoch


def _is_same_size(there: Trainer, trainer: Trainer) -> bool:
    return trainer.settings.batch_size == there.settings.batch_size


def _is_same_rule(there: Trainer, trainer: Trainer) -> bool:
    """Whether what the optimizer remembers means the same to the branch's."""
    old, new = there.settings.optimizer, trainer.settings.optimizer
    return type(old) is type(new) and old.slots == new.slots


def _take_state(trainer: Trainer, there: Trainer) -> None:
    """Parameters and states as they stand; what the optimizer remembers only if it is the same kind, else 0; keys by the branch's seed.

    States by row begin anew with batches of another size, as they do with every epoch.
    """
    known = there.state if _is_same_rule(there, trainer) else there.names
    names = {name for name in known if trainer.state[name].shape == there.state[name].shape}
    trainer.state = {**trainer.state, **{name: there.state[name].copy() for name in trainer.state.keys() & names - {"seed"}}}
    trainer.stopping = there.stopping
    if trainer.stopping:
        first = {name: array.copy() for name, array in trainer.state.items()}
        old = {name: array for name, array in trainer.stopping.kept.items() if name in names}
        trainer.stopping.kept = {**first, **old} if old else {}


def _history(trainer: Trainer, there: Trainer) -> History:
    """What happened so far; after a change of the batch size without single steps, and with epochs that end at other steps."""
    if _is_same_size(there, trainer):
        return there.history
    epochs = [replace(epoch, step=_renumbered(epoch, there, trainer)) for epoch in there.history.epochs]
    return History(there.history.replicas, epochs)


def _renumbered(epoch: Epoch, there: Trainer, trainer: Trainer) -> int:
    return epoch.step // there.steps_per_epoch * trainer.steps_per_epoch


def _course(trainer: Trainer, there: Trainer, path: str | None, changes: Changes) -> Lineage:
    old, parent = there.lineage, Parent(path, there.step, there.hash)
    # What the optimizer corrects for its start, it counts from where its memory begins.
    updates = there.step + old.shift if _is_same_rule(there, trainer) else 0
    shift = updates - trainer.step
    if _is_same_size(there, trainer) and changes.epochs is None:
        return Lineage(old.lengths, shift, parent)
    lengths = old.lengths if _is_same_size(there, trainer) else ((0, trainer.settings.epochs),)
    return Lineage(lengths, shift, parent).extended(trainer.step, trainer.settings.epochs)
