"""`chainrule evaluate`: the scores of a run on a part of its data, or on other data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from chainrule.cli.locate import data_option, opened, step_option
from chainrule.cli.output import ExplainedCommand, console, say_json
from chainrule.cli.reading import read_for, table_options, usable_rows
from chainrule.cli.scores import evaluation_row, last_part, show_scores
from chainrule.data import BUILT_IN, Dataset, DatasetInfo, Examples, load, read_images
from chainrule.data.image_files import holds_images, size_of
from chainrule.errors import DataError, OptionError
from chainrule.graph import Array
from chainrule.spelling import listed, suggest
from chainrule.train import Evaluation, Evaluator, Run, as_inputs, evaluation_of


@click.command(
    cls=ExplainedCommand,
    words="The test part are examples that the network never learned from; validation examples told when to stop.",
    examples=(
        "chainrule evaluate runs/latest",
        "chainrule evaluate runs/latest --part training",
        "chainrule evaluate runs/latest other.csv --json",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("data", metavar="[DATA]", required=False)
@click.option("--part", help="The part of the data: training, validation or test.  [default: test if there is one]")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for programs.")
@step_option
@data_option
@table_options
def evaluate(
    run: str, data: str | None, part: str | None, as_json: bool, step: int | None, moved: str | None, form: Mapping[str, Any]
) -> None:
    """Show how well RUN does on its own test part, or on other DATA: a built-in name, a table, arrays, or a folder of images.

    Other data need the same inputs as those of the training, and their targets. A table is read as that of the training was, unless
    options say otherwise. Rows that miss a value, or hold a category that the training did not know, are left out, with a count.
    """
    found = opened(run, step, moved)
    evaluation = (
        found.evaluate(part or last_part(found.dataset_info)) if data is None else _on_other_data(found, data, part, form)
    )
    if as_json:
        say_json({"kind": "evaluation", "data": data or found.dataset_info.name, **evaluation_row(evaluation)})
    else:
        show_scores(console(), found, evaluation)


def _on_other_data(run: Run, name: str, part: str | None, form: Mapping[str, Any]) -> Evaluation:
    examples, called = _examples(run, name, part, form)
    evaluator = Evaluator([run.problem], run.trainer.engine, examples, run.settings.replicas, calls=1)
    scores = evaluator(run.trainer.state)
    return evaluation_of(run.problem, called, scores, examples.y)


def _examples(run: Run, name: str, part: str | None, form: Mapping[str, Any]) -> tuple[Examples, str]:
    """The examples to be scored, with inputs and labels as the run knows them, and what they are called."""
    if name not in BUILT_IN and not Path(name).is_dir() and Path(name).suffix.lower() not in {".npz", ".npy"}:
        return _table_examples(run, name, form), Path(name).stem
    data = _arrays(run.dataset_info, name)
    chosen = part or last_part(data.info)
    parts = dict(data.parts())
    if chosen not in parts:
        raise OptionError(f"--part {chosen}", expected=f"one of {listed(parts)}", remedy=suggest(chosen, parts))
    _require_same_kind(run.dataset_info, data.info)
    x = as_inputs(run.dataset_info, parts[chosen].x)
    called = f"{Path(name).stem}{f' {chosen}' * (name in BUILT_IN or len(parts) > 1)}"
    return Examples(x, _as_known(run.dataset_info, data.info, parts[chosen].y)), called


def _arrays(known: DatasetInfo, name: str) -> Dataset:
    """A built-in set, or all that arrays or pictures in files hold; pictures as the network takes them."""
    if name in BUILT_IN:
        return load(name)
    if not holds_images(Path(name)):
        return load(name, split=None)
    high, wide, channels = size_of(known)
    return read_images(name, size=(high, wide), colours="grey" if channels == 1 else "rgb", split=None)


def _require_same_kind(known: DatasetInfo, other: DatasetInfo) -> None:
    if known.input_shape != other.input_shape or known.task != other.task:
        raise DataError(
            f"{other.name!r} is for {other.task} with inputs of shape {other.input_shape}",
            expected=f"data for {known.task} with inputs of shape {known.input_shape}, as in the training",
            remedy="give data of the same kind",
        )


def _as_known(known: DatasetInfo, other: DatasetInfo, y: Array) -> Array:
    """Labels as places among the classes of the training."""
    if known.classes is None or other.classes is None:
        return y
    unknown = sorted(set(other.classes) - set(known.classes))
    if unknown:
        raise DataError(
            f"{other.name!r} has the classes {listed(unknown)}, which the network never saw",
            expected=f"some of {listed(known.classes)}",
            remedy="leave such examples out, or train on data that hold them",
        )
    return np.array([known.classes.index(name) for name in other.classes])[y]


def _table_examples(run: Run, name: str, form: Mapping[str, Any]) -> Examples:
    columns = run.dataset_info.columns
    if columns is None:
        raise DataError(
            f"the run learned from {run.dataset_info.name!r}, which is no table, and {name} is one",
            expected="an .npz file with x and y, or a built-in name",
            remedy="save the data with np.savez(path, x=x, y=y)",
        )
    table = read_for(columns, name, form)
    table = table.take(usable_rows(columns, table, with_target=True))
    y = columns.target.encode(table)
    return Examples(columns.encode(table), y if run.dataset_info.classes is None else np.argmax(y, axis=1))
