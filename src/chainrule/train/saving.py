"""Saving a training: a folder of its own with its configuration, or the one that it has, brought up to date."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from chainrule.errors import OptionError
from chainrule.train.configuration import Configuration, written_origin
from chainrule.train.folder import RunFolder
from chainrule.train.trainer import Trainer


def make_folder(parent: str | os.PathLike[str], label: str, trainer: Trainer) -> None:
    """Gives a training a folder of its own in `parent`, named by time and label, with its configuration and where it begins."""
    if trainer.order is not None:
        raise OptionError(
            "a run folder with an order of its own", expected="one of the two", remedy="leave out folder= or order="
        )
    problem = trainer.problem
    load = written_origin(trainer.data)
    config = Configuration(problem.network, problem.dataset_info, load, problem.objective, trainer.settings, trainer.lineage)
    folder = RunFolder.create(parent, label)
    try:
        config.write(folder)
        if trainer.start:
            folder.write_start(trainer.start)
        if trainer.step:
            folder.append_history(trainer.history.rows())
        folder.save(trainer.ending(), sync=True)
        # Only now that it can be opened does anything lead there.
        folder.announce()
    except BaseException:
        folder.discard()
        raise
    trainer.folder = folder


def save(trainer: Trainer, parent: str | os.PathLike[str] | None) -> Path:
    """Brings a training's folder up to date, or makes it a new one in `parent`; gives the folder.

    Raises: UnwritableFileError; OptionError for a training that has no folder, where none is named.
    """
    if parent is not None:
        make_folder(parent, trainer.problem.dataset_info.name, trainer)
    elif trainer.folder is None:
        raise OptionError("a run without a folder", expected="where to save it", remedy='write run.save("runs")')
    else:
        with trainer.keeper.writer(trainer.step, trainer.history.rows):
            trainer.keeper.save(trainer.ending(), last=True)
        if trainer.keeper.trouble:
            raise trainer.keeper.trouble
    return cast("RunFolder", trainer.folder).path
