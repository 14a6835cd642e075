"""The configuration of a run: what its folder says of network, data, objective and settings, so that it can be taken up again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from chainrule.descriptions import written
from chainrule.errors import OptionError
from chainrule.train.folder import RunFolder
from chainrule.train.saved_network import written_network
from chainrule.train.trainer import Trainer


def make_folder(parent: str | os.PathLike[str], label: str, trainer: Trainer) -> None:
    """Gives a training a folder of its own in `parent`, named by time and label, with its configuration and where it begins."""
    if trainer.order is not None:
        raise OptionError(
            "a run folder with an order of its own", expected="one of the two", remedy="leave out folder= or order="
        )
    config = configuration(trainer)
    folder = RunFolder.create(parent, label)
    try:
        folder.write_config(config)
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
        make_folder(parent, trainer.task.data.name, trainer)
    elif trainer.folder is None:
        raise OptionError("a run without a folder", expected="where to save it", remedy='write run.save("runs")')
    else:
        with trainer.keeper.writer(trainer.step, trainer.history.rows):
            trainer.keeper.save(trainer.ending(), last=True)
        if trainer.keeper.trouble:
            raise trainer.keeper.trouble
    return cast("RunFolder", trainer.folder).path


def configuration(trainer: Trainer) -> dict[str, Any]:
    """A training's configuration in plain JSON values.

    What cannot be written down (arrays, a network whose graph is none for any batch) is null: whoever opens the run passes it again.
    """
    task, origin = trainer.task, trainer.data.origin
    return {
        **written_network(task, {int(size) for size in trainer.sizes}),
        "data": {
            "load": _written_or_none(lambda: {key: written(value) for key, value in origin.items()}) if origin else None,
            **task.data.to_json(),
        },
        "objective": written(task.objective),
        "settings": trainer.settings.to_json(),
        "course": trainer.course.to_json(),
    }


def _written_or_none(write: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return write()
    except OptionError:
        return None
