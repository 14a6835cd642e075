"""`chainrule runs`: the list of all runs in a folder, from their files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click
from rich.text import Text

from chainrule.cli.locate import RUNS
from chainrule.cli.output import ExplainedCommand, console, say_json
from chainrule.cli.saved import network_text, saved_environment
from chainrule.errors import ChainruleError, MissingFileError
from chainrule.train import RunFolder
from chainrule.train.configuration import Configuration
from chainrule.train.sealed import UNREADABLE
from chainrule.views.plain import printable
from chainrule.views.terminal import RunRecord, RunsView

_TAIL_BYTES = 1 << 20
"""How much of a history's end is read: its last epoch stands there, after at most a few pieces of steps."""


@click.command(
    cls=ExplainedCommand,
    words="The newest run stands first. Scores are those after the last epoch that was evaluated.",
    examples=("chainrule runs", "chainrule runs my-experiments --json"),
)
@click.argument("folder", metavar="[FOLDER]", default=RUNS)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON to each run.")
def runs(folder: str, as_json: bool) -> None:
    """List the runs in FOLDER (by default "runs"): data, network, epochs done, scores."""
    path = Path(folder)
    if not path.is_dir():
        raise MissingFileError(
            f"there is no folder {folder!r}", expected="a folder of runs", remedy='train first: "chainrule train" makes it'
        )
    records = [record(entry) for entry in sorted(path.iterdir(), key=lambda entry: entry.name, reverse=True) if entry.is_dir()]
    records.sort(key=lambda found: found.started, reverse=True)
    if as_json:
        for found in records:
            say_json({"kind": "run", **vars(found)})
    elif records:
        console().print(RunsView(records))
    else:
        console().print(Text(f"no runs in {printable(folder)} yet"))


def record(path: Path) -> RunRecord:
    """What the list says of a folder; never an error, whatever is in it."""
    try:
        return _read(RunFolder.open(path))
    except (ChainruleError, OSError, *UNREADABLE) as error:
        happened = error.happened if isinstance(error, ChainruleError) else f"{type(error).__name__}: {error}"
        return RunRecord(path.name, problem=happened)


def _read(folder: RunFolder) -> RunRecord:
    saved = Configuration.read(folder)
    last = _last_epoch(folder.path / "history.jsonl")
    planned = saved.settings.epochs
    done = int(last.get("epoch", 0))
    return RunRecord(
        folder.path.name,
        data=saved.dataset_info.name,
        network=network_text(saved.network),
        epochs=str(done) if done == planned else f"{done} of {planned}",
        scores=_scores(last),
        started=str(saved_environment(folder).get("started", "")),
        seconds=_finite(last.get("seconds", 0.0)),
    )


def _last_epoch(path: Path) -> Mapping[str, Any]:
    """The last line of the history that is about an epoch; empty if there is none yet."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        if b'"kind": "epoch"' in line:
            try:
                return cast("dict[str, Any]", json.loads(line))
            except ValueError:
                continue  # the line that was being written when the run died
    return {}


def _finite(value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e15:
        raise ValueError(f"{seconds} seconds")
    return seconds


def _scores(row: Mapping[str, Any]) -> dict[str, list[float]]:
    """The scores of the part that tells most, accuracy first."""
    part = next((part for part in ("validation", "test", "training") if part in row), "")
    found: Mapping[str, list[float | None]] = row.get(part, {})
    order = [name for name in ("accuracy", "loss") if name in found]
    return {f"{part} {name}": [float("nan") if value is None else float(value) for value in found[name]] for name in order}
