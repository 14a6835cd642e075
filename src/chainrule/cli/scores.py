"""What is said before and after a training, and after an evaluation: the same for `train`, `resume` and `evaluate`."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from chainrule.cli.locate import RUNS
from chainrule.cli.output import say_json
from chainrule.cli.saved import network_text
from chainrule.data import Dataset, DatasetInfo
from chainrule.engines import engine_named
from chainrule.errors import UnwritableFileError, command_words
from chainrule.immutable import immutable
from chainrule.nn import summary
from chainrule.numerals import numeral
from chainrule.train import Evaluation, LearningProblem, Run, Settings
from chainrule.train.folder import newest_beside
from chainrule.views.confusion import ConfusionView
from chainrule.views.plain import duration, printable
from chainrule.views.sentences import data_text
from chainrule.views.terminal import NetworkView, facts, score_facts, training_facts


@immutable
class Speech:
    """To whom results are told: `as_json` to programs, `quiet` to people in a hurry."""

    as_json: bool
    quiet: bool


def last_part(data: DatasetInfo) -> str:
    """The part that tells most about new examples: test, else validation, else training."""
    return list(data.parts)[-1]


def announce(screen: Console, problem: LearningProblem, data: Dataset, settings: Settings, reasons: Sequence[str] = ()) -> None:
    """What will be trained: network, loss, data and how, and why so where it was not said."""
    screen.print(NetworkView(summary(problem.network, problem.dataset_info.input_shape)))
    screen.print()
    told = data_text(data.info, problem.objective)
    pairs = [("Data", told), *(("", f"note: {printable(command_words(note), most=300)}") for note in data.notes)]
    pairs += [("Loss", f"{problem.formula}   (B: examples in a batch)")]
    pairs += scaling_facts(problem.dataset_info)
    why = [("Decided" if i == 0 else "", reason) for i, reason in enumerate(reasons)]
    caveat = engine_named(settings.engine, settings.threads, settings.devices).caveat
    pairs += [*training_facts(settings, len(data.train)), *([("Engine", caveat)] if caveat else [])]
    screen.print(facts([*pairs, *why]))
    screen.print()


def scaling_facts(data: DatasetInfo) -> list[tuple[str, str]]:
    """In which units the network sees the data, where these are others than the data's own."""
    return [("Scaling", printable(data.scaling_words, most=300))] if data.scaling_words else []


def conclude(screen: Console, run: Run, speech: Speech) -> None:
    """What came of a training; the exit code of an interrupted one is 130, as that of any interrupted program."""
    evaluation = run.evaluate(last_part(run.dataset_info))
    if speech.as_json:
        say_json(result_row(run, evaluation))
    elif speech.quiet:
        screen.print(facts(score_facts(evaluation)))
        if run.folder:
            screen.print(Text(f"saved in {printable(run.folder)}"), soft_wrap=True)
    else:
        screen.print(Rule(style="dim"))
        show_scores(screen, run, evaluation)
        _tell_ending(screen, run)
        _tell_folder(screen, run)
    if run.unsaved:
        raise _rescued(run)
    if run.stopped == "interrupted":
        raise SystemExit(130)


def _rescued(run: Run) -> UnwritableFileError:
    """The error for a run whose folder could not be brought up to date, after it was saved where temporary files are."""
    happened, place = run.unsaved, Path(tempfile.gettempdir()) / "chainrule-runs"
    try:
        where = run.save(place)
    except UnwritableFileError as trouble:
        return UnwritableFileError(
            f"the last steps of the run are lost: {happened}; {trouble.happened}",
            expected="room for the run",
            remedy="make room, and go on from the last state that could be saved: chainrule resume",
        )
    return UnwritableFileError(
        happened,
        expected="room for the run",
        remedy=f"nothing is lost: the run is saved in {where}, from where you can move it",
    )


def show_scores(screen: Console, run: Run, evaluation: Evaluation) -> None:
    """Scores and confusion matrix of one part."""
    screen.print(facts(score_facts(evaluation)))
    if evaluation.labels is not None:
        which = (
            f" of the first of {run.settings.replicas} networks (seed {run.settings.seed})" if run.settings.replicas > 1 else ""
        )
        screen.print()
        screen.print(ConfusionView(evaluation.confusion(), f"confusion matrix, {evaluation.part}{which}"))
    screen.print()


def evaluation_row(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation for programs; scores are lists with one number to a replica."""
    replicas = range(len(evaluation.loss))
    scores: dict[str, Any] = dict(evaluation.scores.values)
    row: dict[str, Any] = {"part": evaluation.part, "examples": evaluation.scores.count, "scores": scores}
    if evaluation.targets is None:
        return row
    if evaluation.labels is None:
        scores["r_squared"] = [evaluation.r_squared(replica) for replica in replicas]
        scores["mean_absolute_error"] = [evaluation.mean_absolute_error(replica) for replica in replicas]
        return row
    row["classes"] = list(evaluation.classes or ())
    row["confusion"] = np.stack([evaluation.confusion(replica).counts for replica in replicas])
    return row


def result_row(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """A run's result for programs."""
    return {
        "kind": "result",
        "data": run.dataset_info.name,
        "network": network_text(run.problem.network),
        "parameters": sum(item.node.type.size for item in run.problem.parameters.values()),
        "formula": run.problem.formula,
        "scaling": run.dataset_info.scaling_words,
        "epochs": run.trainer.step / run.trainer.steps_per_epoch,
        "steps": run.trainer.step,
        "seconds": round(run.trainer.seconds, 6),
        "stopped": run.stopped,
        "folder": str(run.folder) if run.folder else None,
        **evaluation_row(evaluation),
    }


def _tell_ending(screen: Console, run: Run) -> None:
    """How long it took, and why it ended if that was early."""
    epochs, seconds = run.trainer.step / run.trainer.steps_per_epoch, run.trainer.seconds
    if run.stopped == "interrupted":
        kept = "what was learned up to here is kept" if run.folder else "nothing was saved (--no-save)"
        screen.print(Text(f"Interrupted after {epochs:.4g} of {run.settings.epochs} epochs; {kept}.", style="bold"))
        if run.folder:
            screen.print(Text(f"To go on: chainrule resume {shown_folder(run.folder)}"), soft_wrap=True)
    elif run.stopped == "early stopping":
        patience = run.settings.early_stopping.patience if run.settings.early_stopping else 0
        screen.print(Text(f"Ended early: no better on the validation part for {patience} epochs. The best weights were kept."))
    elif run.stopped:
        screen.print(Text(f"The search ended: {run.stopped}."))
    elif run.unfinished:
        screen.print(Text(f"{printable(command_words(run.unfinished))}."), soft_wrap=True)
    if epochs:
        rate = f", {duration(seconds / epochs)} an epoch" if epochs > 1 else ""
        word = "iterations" if run.settings.optimizer.search else "epochs"
        screen.print(
            Text(f"Trained {numeral(epochs, 6)} {word} in {duration(seconds)}{rate.replace('epoch', word.removesuffix('s'))}.")
        )


def _tell_folder(screen: Console, run: Run) -> None:
    if not run.folder or run.unsaved:
        return
    folder = shown_folder(run.folder)
    last = run.dataset_info.parts[last_part(run.dataset_info)] - 1
    inputs = f"--example {min(7, last)}" if run.dataset_info.columns is None else "NEW.csv"
    screen.print(Text(f"Saved in {printable(run.folder)}"), soft_wrap=True)
    screen.print(Text("To look at it, and to use it:"))
    text = run.dataset_info.text
    writes = [f"chainrule generate {folder}"] if text is not None and run.dataset_info.classes == text.next_classes else []
    for line in (f"chainrule show {folder}", f"chainrule predict {folder} {inputs}", *writes):
        screen.print(Text(f"  {line}", style="bold"), soft_wrap=True)


def shown_folder(folder: Path) -> str:
    """How the run's folder is best typed: its name alone in the usual place, quoted where the shell needs it."""
    newest = folder.parent / "latest.txt"
    latest = newest_beside(newest) == folder
    shown = folder.parent / "latest" if latest and folder.parent == Path(RUNS) else folder
    return shlex.quote(printable(shown))
