"""`chainrule predict`: what a trained network says about new inputs, or about one example of its data."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.text import Text

from chainrule.cli.locate import data_option, opened, step_option
from chainrule.cli.output import ExplainedCommand, console, say_csv, say_json
from chainrule.cli.reading import read_for, table_options, usable_rows
from chainrule.cli.scores import last_part
from chainrule.data import DatasetInfo, Table
from chainrule.data.archives import read_arrays
from chainrule.data.cells import to_numbers
from chainrule.data.csv_file import MOST_BYTES, Bytes
from chainrule.data.files import read_stream
from chainrule.data.image_files import IMAGES, read_image
from chainrule.errors import DataError, FileFormatError, OptionError
from chainrule.files import writing
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.spelling import listed
from chainrule.train import Run, decide
from chainrule.views.plain import printable
from chainrule.views.terminal import picture, probability_bars, rows_table

MOST_ROWS = 30


@immutable
class Prediction:
    """The outputs (n, k) for some inputs; classes and probabilities (n, classes) where the network has them.

    `places` are the rows of the file that the inputs stand in, of `count` in all: those that could not be used have no prediction.
    """

    outputs: Array
    heads: tuple[str, ...]
    classes: tuple[str, ...] | None
    labels: tuple[str, ...]
    probabilities: Array | None
    places: Array
    count: int

    def rows(self) -> list[list[str]]:
        """A row of texts to each row of the file, numbers to the last digit that their dtype holds; empty where there is no prediction."""
        rows: list[list[str]] = [[""] * len(self.heads) for _ in range(self.count)]
        for place, row in zip(self.places.tolist(), self._rows(), strict=True):
            rows[place] = row
        return rows

    def _rows(self) -> list[list[str]]:
        if self.classes is None:
            return [
                [str(value) for value in row] for row in self.outputs
            ]  # of NumPy's scalars: no more digits than float32 has
        if self.probabilities is None:
            return [[label] for label in self.labels]
        highest = np.max(self.probabilities, axis=1).tolist()
        return [[label, f"{share:.6f}"] for label, share in zip(self.labels, highest, strict=True)]

    def json_rows(self) -> list[dict[str, Any]]:
        """An object to each input."""
        rows: list[dict[str, Any]] = []
        for place in range(len(self.outputs)):
            row: dict[str, Any] = {"kind": "prediction", "row": int(self.places[place])}
            if self.classes is None:
                row |= {"values": dict(zip(self.heads, self.outputs[place].tolist(), strict=True))}
            else:
                row |= {"class": self.labels[place]}
            if self.classes is not None and self.probabilities is not None:
                row |= {"probabilities": dict(zip(self.classes, self.probabilities[place].tolist(), strict=True))}
            rows.append(row)
        return rows


@click.command(
    cls=ExplainedCommand,
    words="A replica is one of several networks that were trained at once and differ only in their seed; they count from 0.",
    examples=(
        "chainrule predict runs/latest --example 7",
        "chainrule predict runs/latest new.csv",
        "chainrule predict runs/latest digit.png --invert",
        "chainrule predict runs/latest --text 'the soup was superb .'",
        "chainrule predict runs/latest new.csv --output predicted.csv",
        "cat new.csv | chainrule predict runs/latest -",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--example", type=int, metavar="N", help="Instead of FILE: an example of the run's own test part, counted from 0."
)
@click.option("--text", metavar="TEXT", help="Instead of FILE: a text, for a network that learned from texts.")
@click.option("--invert", is_flag=True, help="For a picture: black becomes white, as the digits of mnist are.")
@click.option("--output", metavar="FILE", help="Write all predictions to this file as CSV.")
@click.option("--replica", type=int, default=0, show_default=True, metavar="K", help="Which of several replicas is asked.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON to each prediction.")
@step_option
@data_option
@table_options
def predict(
    run: str,
    file: str | None,
    example: int | None,
    text: str | None,
    invert: bool,
    output: str | None,
    replica: int,
    as_json: bool,
    step: int | None,
    moved: str | None,
    form: Mapping[str, Any],
) -> None:
    """Let RUN predict for the inputs in FILE: a table with the columns of the training, a picture, or an .npz file with x.

    Tables are .csv, .parquet, .xlsx and the like, pictures .png, .jpg and the like. For FILE write - to read a table from standard input.
    The target column may be there or not; it is not looked at. A table is read as that of the training was, unless options say
    otherwise; a row that misses a value, or holds a category that the training did not know, gets an empty prediction. Classes come
    with their probability. Into a pipe or a file the predictions are written as CSV.
    """
    given = sum(what is not None for what in (file, example, text))
    if given != 1:
        raise OptionError(
            "predict with " + ("two inputs or more" if given else "no input"),
            expected="FILE, --example N or --text TEXT",
            remedy=_HOW,
        )
    found = opened(run, step, moved)
    asked = _asked(found, file, example, text, form, invert=invert)
    x, truth = asked.x, asked.truth
    prediction = _predicted(found, asked, replica)
    screen = console()
    if output is not None:
        with writing(output) as place:
            place.write_bytes(_csv(prediction).encode())
        click.echo(f"{len(x)} prediction{'s' * (len(x) != 1)} written to {printable(output)}", err=True)
    elif as_json:
        for row in prediction.json_rows():
            say_json(row if truth is None else {**row, "truth": truth})
    elif not screen.is_terminal:
        say_csv(_csv(prediction))
    elif prediction.count == 1:
        _show_one(screen, x[0], prediction, truth, found.dataset_info)
    else:
        screen.print(rows_table(prediction.heads, prediction.rows()[:MOST_ROWS], prediction.count))


_HOW = "write chainrule predict runs/latest --example 7, or name a file"


@immutable
class Asked:
    """The inputs that are meant, the rows of the file that they stand in, of `count` in all, and what is known of the truth."""

    x: Array
    places: Array
    count: int
    truth: str | None = None


def _predicted(run: Run, asked: Asked, replica: int) -> Prediction:
    outputs, where = run.predict(asked.x, replica), (asked.places, asked.count)
    classes = run.problem.classes
    if classes is None:
        columns = run.dataset_info.columns
        count = outputs.shape[1]
        named = columns is not None and count == 1 and run.problem.compares
        heads = (columns.target.name,) if columns and named else tuple(f"output{place + 1}" for place in range(count))
        return Prediction(_rounded(run, outputs), heads, None, (), None, *where)
    decided: list[int] = decide(outputs, run.problem.threshold).tolist()
    labels = tuple(classes[label] for label in decided)
    if run.problem.probabilities == "none":
        return Prediction(outputs, ("class",), classes, labels, None, *where)
    return Prediction(outputs, ("class", "probability"), classes, labels, run.probabilities(asked.x, replica), *where)


def _rounded(run: Run, outputs: Array) -> Array:
    """Outputs to the digits that the network's own numbers have: scaled ones come back in float64, which has more."""
    scaling = run.dataset_info.target_scaling
    if scaling is None or scaling.is_none or run.settings.dtype == "float64":
        return outputs
    steps = np.broadcast_to(np.finfo(np.float32).eps / np.abs(scaling.factor), outputs.shape[1:])
    digits: list[int] = (np.ceil(-np.log10(steps)).astype(int) + 1).tolist()
    # Python rounds to the number that is nearest to so many digits; NumPy multiplies and divides, which adds digits of its own.
    rows = [[round(value, many) for value, many in zip(row, digits, strict=True)] for row in outputs.astype(float).tolist()]
    return np.array(rows).reshape(outputs.shape)


def _csv(prediction: Prediction) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(prediction.heads)
    writer.writerows(prediction.rows())
    return text.getvalue()


def _show_one(screen: Console, x: Array, prediction: Prediction, truth: str | None, data: DatasetInfo) -> None:
    drawn = _words_of(data, x) or picture(x)
    if drawn is not None:
        screen.print(Text(drawn))
    if prediction.classes is None:
        for head, value in zip(prediction.heads, prediction.outputs[0].tolist(), strict=True):
            screen.print(Text(f"{printable(head)}: ").append(numeral(value), style="bold"))
    elif prediction.probabilities is None:
        screen.print(Text("class: ").append(printable(prediction.labels[0]), style="bold"))
    else:
        screen.print(Text("probability of each class", style="dim"))
        screen.print(probability_bars(prediction.classes, prediction.probabilities[0].tolist(), truth))
        return
    if truth is not None:
        screen.print(Text(f"the truth: {printable(truth)}"))


def _words_of(data: DatasetInfo, x: Array) -> str | None:
    """The input as a text; for counts of words, how often each stands in it; None where it is none."""
    if data.text is None:
        return None
    if data.text.encoding != "counts":
        return f"text: {printable(repr(data.text.decode(x)))}"
    counts = zip(data.features or (), x.tolist(), strict=False)
    return "words: " + ", ".join(f"{printable(word)} {count:g}" for word, count in counts if count)


# ---- inputs


def _asked(
    run: Run, file: str | None, example: int | None, text: str | None, form: Mapping[str, Any], *, invert: bool
) -> Asked:
    if example is not None:
        x, truth = _example(run, example)
        return Asked(x, np.arange(1), 1, truth)
    if text is None:
        return _inputs(run.dataset_info, str(file), form, invert=invert)
    if run.dataset_info.text is None:
        raise OptionError(
            f"--text for a network that learned {run.dataset_info.name!r}",
            expected="a network that learned from texts, such as opinions",
            remedy=_HOW,
        )
    return Asked(run.encode(text), np.arange(1), 1)


def _example(run: Run, place: int) -> tuple[Array, str]:
    """One example of the part that tells most, as a batch of one, and its target in words."""
    data, part = run.dataset_info, last_part(run.dataset_info)
    examples = run.data.part(part)
    if not 0 <= place < len(examples):
        raise OptionError(
            f"--example {place}",
            expected=f"0 ... {len(examples) - 1}: the {part} part of {data.name!r} has {len(examples)} examples",
            remedy="count from 0",
        )
    y: Array = examples.y[place]
    truth = data.classes[int(y)] if data.classes is not None else ", ".join(map(numeral, np.atleast_1d(y).tolist()))
    return examples.x[place : place + 1], truth


def _inputs(data: DatasetInfo, file: str, form: Mapping[str, Any], *, invert: bool) -> Asked:
    """The inputs in a file, as the network was trained on them: (n, ...)."""
    ending = Path(file).suffix.lower()
    if ending == ".npz" or ending in IMAGES:
        x = _array(file) if ending == ".npz" else read_image(file, data, invert=invert)
        return Asked(x, np.arange(len(x)), len(x))
    table = _standard_input(data, form) if file == "-" else read_for(data.columns, file, form)
    if data.columns is None:
        return Asked(_numbers(data, table), np.arange(len(table)), len(table))
    rows = usable_rows(data.columns, table)
    return Asked(data.columns.encode(table.take(rows)), rows, len(table))


def _array(file: str) -> Array:
    arrays = read_arrays(file)
    for name in ("x", "x_test"):
        if name in arrays:
            return arrays[name]
    raise FileFormatError(
        f"{file} holds the arrays {listed(arrays)}", expected="an array x", remedy="save it with np.savez(path, x=x)"
    )


def _standard_input(data: DatasetInfo, form: Mapping[str, Any]) -> Table:
    """The table on standard input, read within the same bounds as a file."""
    content = read_stream(sys.stdin.buffer, "standard input", max_bytes=MOST_BYTES)
    return read_for(data.columns, Bytes(content, "standard input"), form)


def _numbers(data: DatasetInfo, table: Table) -> Array:
    """The columns of a table as inputs of a network that did not learn from a table: by the names of its features, or by their places.

    Where it knows one of the names it must know all: by their places numbers would go to other inputs.
    """
    names = list(data.features or ())
    names = names if any(name in table.columns for name in names) else list(table.columns)
    wanted = int(np.prod(data.input_shape))
    if len(names) != wanted:
        raise DataError(
            f"{table.source} has {len(names)} columns ({listed(names, most=5)})",
            expected=f"{wanted} columns of numbers, one to each input",
            remedy="leave out all other columns",
        )
    columns = [_column(table, name) for name in names]
    return np.stack(columns, axis=1).reshape(-1, *data.input_shape)


def _column(table: Table, name: str) -> Array:
    numbers, _ = to_numbers(table.cells(name))
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        raise DataError(
            f"{table.place(int(wrong.argmax()), name)} of {table.source}: no finite number",
            expected="numbers",
            remedy="write a number into the cell, or delete the row",
        )
    return numbers
