"""A training's curves as event files, which TensorBoard shows while they grow."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from typing import Any

from chainrule.checks import answered, checked
from chainrule.files import named, refusals
from chainrule.interop.records import Record, Records, required
from chainrule.train import Trainer


@answered
@checked
class TensorBoard(Records):
    """A callback that writes event files into a folder, for `tensorboard --logdir FOLDER`.

    Each score is a scalar by epoch, "training/loss" say, in float32 as TensorBoard keeps it. Several replicas are runs of their own in
    the folders seed0, seed1, ...: TensorBoard draws them into one picture. Raises: MissingPackageError without
    tensorboard; UnwritableFileError from the training.

    >>> import chainrule as cr
    >>> folder = getfixture("tmp_path")
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, replicas=2, callbacks=cr.TensorBoard(folder))
    >>> sorted(path.name for path in folder.iterdir())
    ['seed0', 'seed1']
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = named(folder, "folder")
        _ = self._parts

    @property
    def _parts(self) -> tuple[Any, Any, Any]:
        """What tensorboard calls events, summaries and the writers of files."""
        names = ("compat.proto.event_pb2", "compat.proto.summary_pb2", "summary.writer.event_file_writer")
        events, summaries, files = (required(f"tensorboard.{name}", "tensorboard") for name in names)
        return events, summaries, files

    def record(self, trainer: Trainer) -> Record:
        """The event files of a training, one for each replica."""
        seeds = trainer.seeds
        places = [self.folder / f"seed{seed}" for seed in seeds] if len(seeds) > 1 else [self.folder]
        events, summaries, writers = self._parts
        event, session, summary = events.Event, events.SessionLog, summaries.Summary
        with refusals(self.folder), ExitStack() as stack:
            files = [stack.enter_context(closing(writers.EventFileWriter(str(place)))) for place in places]
            begun = time.time() - trainer.seconds
            for file in files:  # TensorBoard then forgets what an earlier training wrote there from epoch 0 on
                file.add_event(event(wall_time=begun, session_log=session(status=session.START)))
            while epoch := (yield):
                for replica, file in enumerate(files):
                    scalars = [
                        summary.Value(tag=f"{part}/{name}", simple_value=float(values[replica]))
                        for part, scores in epoch.parts.items()
                        for name, values in scores.items()
                    ]
                    moment = begun + epoch.seconds
                    file.add_event(event(wall_time=moment, step=epoch.epoch, summary=summary(value=scalars)))
                    file.flush()
