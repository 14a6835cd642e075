"""Finds the run folder or the data that a word on the command line means."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from chainrule.data import BUILT_IN, Dataset, RandomSplit, StratifiedSplit, load
from chainrule.data.form import WORDS, from_text
from chainrule.errors import OptionError
from chainrule.train import Run, RunFolder, open_run

F = TypeVar("F", bound=Callable[..., Any])

RUNS = "runs"
"""The folder that runs are kept in unless another one is named."""

_LISTS = {"drop", "categories"}


def run_folder(text: str) -> RunFolder:
    """The run of that path; of that name in "runs"; or, for "latest", the newest there.

    Raises: MissingFileError.
    """
    path = Path(text)
    beside = Path(RUNS) / text
    known = path.exists() or (path.name == "latest" and (path.parent / "latest.txt").is_file())
    if (
        not known
        and not path.is_absolute()
        and (beside.exists() or (text == "latest" and (Path(RUNS) / "latest.txt").is_file()))
    ):
        path = beside
    return RunFolder.open(path)


def step_option(command: F) -> F:
    """Adds --step to a command that opens a run."""
    text = "Take the state that was saved after N steps, in place of the newest one."
    return click.option("--step", type=int, metavar="N", help=text)(command)


def data_option(command: F) -> F:
    """Adds --data to a command that needs the data of a run."""
    text = "Where the file that RUN learned from is now, if it has moved elsewhere than with the run; it must be unchanged."
    return click.option("--data", "moved", metavar="FILE", help=text)(command)


def opened(run: str, step: int | None, data: str | None = None) -> Run:
    """The run that is meant, at a saved step or at its newest one. Raises: as `open_run`."""
    return open_run(run_folder(run).path, step=step, data=data)


# ---- data


def parsed_options(texts: tuple[str, ...]) -> dict[str, Any]:
    """The options key=value of the data; values are numbers, true, false or texts, several with commas between.

    >>> parsed_options(("n=200", "noise=0.1", "drop=name,date", "task=regression"))
    {'n': 200, 'noise': 0.1, 'drop': ['name', 'date'], 'task': 'regression'}

    Raises: OptionError.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals) or key in found:
            raise OptionError(
                f"--option {text}" + (", given twice" if key in found else ""),
                expected="a name and a value, each name once",
                remedy="write for example --option n=200 --option noise=0.1",
            )
        if key in {"split", "name_or_path", "target", "missing"} and text != "split=none":
            raise OptionError(f"--option {text}", expected="what has no option of its own", remedy=_elsewhere(key))
        found[key] = _named(value) if key in _LISTS else from_text(key, value) if key in WORDS else _value(value)
    return found


def _named(text: str) -> list[str]:
    """Names with commas between; one that holds a comma itself stands in quotes, as in a CSV file."""
    return next(csv.reader([text], skipinitialspace=True), list[str]())


def _elsewhere(key: str) -> str:
    if key in {"target", "missing"}:
        return f"write --{key}"
    return "write --validation 0.1" if key == "split" else "name the data right behind train"


def _value(text: str) -> Any:
    if "," in text:
        return [_value(part) for part in text.split(",")]
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _one_target(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> str | None:
    if len(set(given)) > 1:
        raise OptionError(
            f"--target {' --target '.join(given)}",
            expected="one column of the table",
            remedy="name one; several numbers to fit are columns of the y in an .npz file",
        )
    return given[0] if given else None


target_option = click.option(
    "--target",
    multiple=True,  # the last of several would be taken in silence, and the others for inputs
    callback=_one_target,
    metavar="COLUMN",
    help="For a table: the name of the column that is to be predicted.",
)


def origin(name: str, target: str | None, missing: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """What `data.load` takes, as a mapping that a run's configuration can keep."""
    chosen = {key: value for key, value in (("target", target), ("missing", missing)) if value is not None}
    return {"name_or_path": name, **chosen, **options}


def load_data(source: Mapping[str, Any], validation: str | None) -> Dataset:
    """The data with the validation part that was asked for; they remember how to be loaded again."""
    dataset = load(**source)
    if validation is None:
        return dataset
    return load(**source, **_held_out(str(source["name_or_path"]), dataset, validation))


def _held_out(name: str, dataset: Dataset, text: str) -> dict[str, Any]:
    """The option of `data.load` that holds examples out for validation."""
    amount = _amount(text)
    if name == "mnist":
        count = len(dataset.train) + (len(dataset.validation) if dataset.validation else 0)
        return {"validation": round(amount * count) if amount < 1 else int(amount)}
    if name in BUILT_IN:
        raise OptionError(
            f"--validation with {name}",
            expected="mnist or a file: the other built-in data have a training and a test part only",
            remedy="leave --validation out",
        )
    share = amount if amount < 1 else amount / sum(len(examples) for _, examples in dataset.parts())
    kind = RandomSplit if dataset.classes is None else StratifiedSplit
    return {"split": kind(validation=share)}


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 < amount < 1 and not (amount >= 1 and amount == int(amount)):
        raise OptionError(
            f"--validation {text}",
            expected="a fraction between 0 and 1, or a number of examples",
            remedy="write --validation 0.1, or --validation 10000",
        )
    return amount
