"""A training's settings and curves as a run of Weights & Biases."""

from __future__ import annotations

import os
from typing import Any, Literal

from chainrule.checks import answered, checked
from chainrule.files import named
from chainrule.interop.records import Record, Records, averages, hyperparameters, required
from chainrule.train import Trainer


@answered
@checked
class WandB(Records):
    """A callback that makes a run of Weights & Biases: data, network and settings as its config, each score by epoch.

    mode: "offline" writes to `folder`, from where `wandb sync` uploads it; "online" uploads it at once, to the account that `wandb login`
    knows. name: None for one that W&B makes up. Of several replicas a score is the mean, with its standard error beside it.
    Raises: MissingPackageError without wandb.
    """

    def __init__(
        self,
        project: str,
        *,
        name: str | None = None,
        mode: Literal["offline", "online"] = "offline",
        folder: str | os.PathLike[str] = ".",
    ) -> None:
        self.project, self.name, self.mode, self.folder = project, name, mode, named(folder, "folder")
        _ = self._wandb

    @property
    def _wandb(self) -> Any:
        return required("wandb", "wandb")

    def record(self, trainer: Trainer) -> Record:
        """The run of a training."""
        # A run of its own, whatever other runs of this process are open.
        run = self._wandb.init(
            project=self.project,
            name=self.name,
            mode=self.mode,
            dir=str(self.folder),
            config=hyperparameters(trainer),
            reinit="create_new",
        )
        run.define_metric("*", step_metric="epoch")
        code = 1
        try:
            while epoch := (yield):
                run.log({"epoch": epoch.epoch, **averages(epoch)})
            code = 0
        finally:
            run.finish(exit_code=code)
