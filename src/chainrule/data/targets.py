"""Targets: decides whether what is to be predicted is a class or a number, and turns it into labels or float columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from chainrule.data.cells import Texts
from chainrule.data.distinct import distinct
from chainrule.data.examples import Array
from chainrule.errors import DataError, OptionError
from chainrule.immutable import immutable
from chainrule.spelling import did_you_mean, listed

Task = Literal["classification", "regression"]
MOST_WHOLE_CLASSES = 20


@immutable(eq=False)
class Targets:
    """The targets of several parts (labels int64 (n,), or floats (n, k)), and the class names, None for numbers."""

    parts: tuple[Array, ...]
    classes: tuple[str, ...] | None


def read_targets(parts: Sequence[Array | Texts], task: Task | None = None, classes: Sequence[str] | None = None) -> Targets:
    """Labels or numbers from the raw targets of all parts, by one rule for all of them.

    - floats are numbers, of shape (n, k); shape (n,) becomes (n, 1);
    - texts and truth values are classes, whole numbers of shape (n,) too: their distinct values in order are the class names;
    - with `classes`, texts are looked up among them, and whole numbers are indices into them as they stand;
    - `task` overrides: whole numbers as "regression", floats that are whole as "classification".

    Raises DataError for anything else, and for whole numbers that look like measurements: more than 20 distinct values with
    fewer than two examples each on average.

    >>> read_targets([np.array(["cat", "dog", "cat"])])
    Targets(parts=(array([0, 1, 0]),), classes=('cat', 'dog'))
    >>> read_targets([np.array([0.5, 1.5])]).parts[0].shape
    (2, 1)
    """
    if task not in (None, "classification", "regression"):
        raise OptionError(f"task={task!r}", expected="'classification', 'regression' or None", remedy="leave task out")
    if classes is None and task != "regression" and len(parts) == 1 and isinstance(parts[0], Texts):
        return _text_labels(parts[0], task)
    tidy = [_tidy(np.array(part.values, str)[part.codes] if isinstance(part, Texts) else part) for part in parts]
    texts = any(part.dtype.kind == "U" for part in tidy)
    if texts and any(part.dtype.kind != "U" for part in tidy):
        raise DataError(
            "some parts of y hold texts, others numbers",
            expected="one kind in all parts",
            remedy="write y.astype(str) or y.astype(float) for all parts",
        )
    if task is None:
        task = "regression" if any(part.dtype.kind == "f" for part in tidy) else "classification"
        _check_not_measured(tidy if task == "classification" and classes is None else [])
    if task == "regression" and classes is None:
        return Targets(tuple(_as_numbers(part) for part in tidy), None)
    if task == "regression":
        raise DataError(
            "class names are given and y holds numbers", expected="labels", remedy="give y as whole numbers or texts"
        )
    return _as_labels([part if part.dtype.kind == "U" else _as_whole(part) for part in tidy], classes)


def _tidy(y: Array) -> Array:
    """The same targets as an array of texts, whole numbers or floats."""
    if y.dtype.kind == "O":
        y = unwrapped(y)
    if y.dtype.kind == "b":
        return y.astype(str)
    if y.dtype.kind not in "iufU":
        raise DataError(
            f"y has dtype {y.dtype}",
            expected="whole numbers or texts for classes, floats for numbers",
            remedy="write y.astype(int), y.astype(float) or y.astype(str)",
        )
    return y


def unwrapped(y: Array) -> Array:
    """An array of Python objects as an array of texts or of numbers; a missing or mixed one is an error."""
    objects: list[object] = y.ravel().tolist()
    texts = [isinstance(value, str) for value in objects]
    if all(texts):
        return y.astype(str)
    if any(texts):
        index = texts.index(False)
        raise DataError(
            f"y holds {objects[index]!r} at example {index // max(1, y.size // len(y))}, among texts",
            expected="a text for every example",
            remedy="fill in the missing labels or leave those examples out",
        )
    try:
        return np.array(objects, dtype=None if all(isinstance(value, (bool, int)) for value in objects) else float).reshape(
            y.shape
        )
    except (TypeError, ValueError, OverflowError) as trouble:
        raise DataError(
            f"y holds objects that are not numbers ({trouble})",
            expected="numbers or texts",
            remedy="write y.astype(float) or y.astype(str)",
        ) from trouble


def _as_numbers(y: Array) -> Array:
    if y.dtype.kind == "U":
        raise DataError(
            "y holds texts", expected="numbers for a regression", remedy="leave task out, so that texts are classes"
        )
    numbers = y if y.dtype == np.float32 else y.astype(np.float64, copy=False)
    return numbers[:, None] if numbers.ndim == 1 else numbers


def _as_whole(y: Array) -> Array:
    if y.ndim != 1:
        raise DataError(
            f"y has shape {y.shape} and dtype {y.dtype}",
            expected="labels of shape (n,), or floats of shape (n, k)",
            remedy="write y.argmax(axis=1) for one-hot rows, y[:, 0] for a single column, y.astype(float) for numbers",
        )
    if y.dtype.kind == "i":
        return y.astype(np.int64, copy=False)
    whole = np.isfinite(y) & (y == np.floor(y)) & (np.abs(y) < 2.0**63)
    if not whole.all():
        index = int((~whole).argmax())
        raise DataError(
            f"y is {y[index]} at example {index}",
            expected="whole numbers or texts as labels",
            remedy="leave task out, so that floats are numbers to be fitted",
        )
    return y.astype(np.int64, copy=False)


def _as_labels(parts: Sequence[Array], classes: Sequence[str] | None) -> Targets:
    if any(part.ndim != 1 for part in parts):
        raise DataError(
            f"y has shape {parts[0].shape}",
            expected="labels of shape (n,)",
            remedy="give one label per example; for several truth values to an example write y.astype(float)",
        )
    if classes is not None and parts[0].dtype.kind != "U":
        return Targets(tuple(parts), tuple(classes))
    if classes is not None:
        known = {name: label for label, name in enumerate(classes)}
        return Targets(tuple(_looked_up(part, known) for part in parts), tuple(classes))
    found = distinct(np.concatenate(parts) if len(parts) > 1 else parts[0])
    labels = np.split(found.codes.astype(np.int64), np.cumsum([len(part) for part in parts])[:-1])
    return Targets(tuple(labels), tuple(str(name) for name in found.values))


def _looked_up(y: Array, known: dict[str, int]) -> Array:
    texts: list[str] = y.tolist()
    for index, text in enumerate(texts):
        if text not in known:
            raise DataError(
                f"y is {text!r} at example {index}",
                expected=f"one of the classes {listed(known)}",
                remedy=f"correct the label or add the class;{did_you_mean(text, known)}",
            )
    return np.array([known[text] for text in texts], np.int64)


def _check_not_measured(parts: Sequence[Array]) -> None:
    if parts:
        everything = np.concatenate([part.ravel() for part in parts]) if len(parts) > 1 else parts[0].ravel()
        kind = "texts" if everything.dtype.kind == "U" else "whole numbers"
        _check_few(len(distinct(everything).values), len(everything), kind)


def _text_labels(texts: Texts, task: Task | None) -> Targets:
    """The labels of texts of which the different ones are known already."""
    names = sorted(texts.present())
    if task is None:
        _check_few(len(names), len(texts), "texts")
    label = {name: place for place, name in enumerate(names)}
    return Targets((np.array([label.get(value, -1) for value in texts.values], np.int64)[texts.codes],), tuple(names))


def _check_few(different: int, count: int, kind: str) -> None:
    if different > MOST_WHOLE_CLASSES and different * 2 > count:
        raise DataError(
            f"y holds {different} distinct {kind} in {count} examples",
            expected="classes, of which each has several examples, or floats",
            remedy="for numbers write y.astype(float); if they are classes after all, task='classification'",
        )
