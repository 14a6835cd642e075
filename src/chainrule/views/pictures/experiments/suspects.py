"""Suspected wrong labels: the examples that are learned last, and how many of them are wrong."""

from __future__ import annotations

import numpy as np

from chainrule.data import Examples
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train.replicated import standard_error
from chainrule.views.marks import Mark, Points, Rule, with_band
from chainrule.views.panels import Axis, Table
from chainrule.views.pictures.sheets import class_name, example_sheet
from chainrule.views.view import View, chart, numbers

_WIDEST = 8


def suspect_sheet(
    examples: Examples,
    indices: Array,
    said: Array,
    suspicion: Array,
    measure: str,
    classes: tuple[str, ...],
    *,
    features: tuple[str, ...] | None = None,
    truth: Array | None = None,
) -> View:
    """The most suspected of some examples, worst first: those at `indices` (k,), with what the networks say of them, `said` (k,).

    `suspicion` (k,) is what they were sorted by, in the unit that `measure` names. `truth` (k,): the true labels where they are known.
    The numbers: `inputs` (k, ...), `indices`, `given` labels, `said`, `suspicion`, `truth`.
    """
    inputs, given = examples.x[indices], examples.y[indices]
    names = [[class_name(classes, label, 9) for label in labels.tolist()] for labels in (given, said)]
    labels = [f"{one} → {other}" for one, other in zip(*names, strict=True)]
    known = [""] * len(given) if truth is None else ["(planted)" if wrong else "(as shipped)" for wrong in truth != given]
    sizes, places = [numeral(size, 3) for size in suspicion.tolist()], list(map(str, indices.tolist()))
    rows = tuple(zip(labels, known, places, sizes, strict=True))
    captions = [f"{label}\n{fact}\nno. {place}, {size}" for label, fact, place, size in rows]
    brackets = "; in brackets what is known of it" if truth is not None else ""
    return View(
        "Labels to be looked at again",
        f"The training examples with the largest {measure}, largest first; above each the label given → the class that most "
        f"networks say before they know the label by heart{brackets}, and its number with the {measure}.",
        [
            example_sheet(
                inputs, captions, Table(("given → said", "known", "number", measure), rows), features, _WIDEST, line=0.058
            )
        ],
        numbers(inputs=inputs, indices=indices, given=given, said=said, suspicion=suspicion, truth=truth),
        size=(8.6, 3.3),
    )


def found_among_first(ways: dict[str, Array], wrong: Array) -> View:
    """From each way's suspicion (trainings, n), the larger the worse, and where labels are wrong, (trainings, n) of True and False.

    The numbers of each way: the fraction of wrong labels among the first k suspects, (trainings, n) for k = 1 ... n.
    Raises: OptionError without a way, or where a way's numbers are not one to an example.

    >>> found = found_among_first({"loss": np.array([[3.0, 1.0, 2.0]])}, np.array([[True, False, False]]))
    >>> found.numbers["loss"].round(2)
    array([[1.  , 0.5 , 0.33]])
    """
    if not ways or any(suspicion.shape != wrong.shape for suspicion in ways.values()):
        raise OptionError(
            f"suspicions of shapes {[suspicion.shape for suspicion in ways.values()]}",
            expected=f"one or more, each {wrong.shape}",
            remedy="give a number to each example",
        )
    sorted_wrong = {
        way: np.take_along_axis(wrong, np.argsort(-rows, axis=1, kind="stable"), axis=1) for way, rows in ways.items()
    }
    count, share = int(wrong.shape[1]), float(wrong.mean())
    k: Array = np.arange(1, count + 1, dtype=np.int64)
    shares = {way: np.cumsum(rows, axis=1) / k for way, rows in sorted_wrong.items()}
    planted = round(share * count)
    lines = [mark for number, (way, rows) in enumerate(shares.items()) for mark in _found_marks(number, way, k, rows, planted)]
    return chart(
        "Wrong labels among the first suspects",
        f"Who looks at the first k suspects finds this fraction of them wrong; bands are one standard error over "
        f"{len(wrong)} data sets, dots stand where as many are looked at as are wrong, and the grey line is looking at random.",
        [Rule(y=share), *lines],
        Axis("suspects looked at, k (examples)", ends=(1, min(count, 4 * planted))),
        Axis("fraction of them wrong", ends=(0, 1.03)),
        shares,
        size=(6.4, 4.0),
    )


def _found_marks(number: int, way: str, k: Array, shares: Array, planted: int) -> list[Mark]:
    mean, error = shares.mean(axis=0), standard_error(shares.T)
    return [*with_band(number, k, mean, error, way), Points([planted], [mean[planted - 1]], color=number)]
