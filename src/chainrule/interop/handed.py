"""What an estimator is handed: held to scikit-learn's checks, whose refusals become errors of ours that begin with its words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.checks import shown
from chainrule.data.examples import as_array, plain
from chainrule.data.frame import frame_columns, is_frame, is_missing
from chainrule.data.targets import unwrapped
from chainrule.errors import ChainruleError, DataError, DtypeError, OptionError
from chainrule.graph import Array

REMEDIES = (
    ("NaN", "a value everywhere", "fill in or leave out such examples: sklearn.impute.SimpleImputer"),
    ("infinity", "finite numbers", "correct such values, or leave these examples out"),
    ("feature names", "the columns that it was fitted with, in their order", "write X[model.feature_names_in_]"),
    ("Feature names", "texts as names of all columns, or no names", "write X.columns = X.columns.astype(str)"),
    ("features, but", "the features that it was fitted with", "give those, or fit it anew"),
    ("Reshape your data", "X (n, features)", "write X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one example"),
    ("with dim", "X (n, features)", "write X.reshape(len(X), -1), and begin the network with cr.Reshape(...)"),
    ("inconsistent numbers of samples", "a target for each example", "cut both to the same examples"),
    ("label type", "labels: whole numbers, texts or truth values", "for numbers take a regressor"),
    ("1d array", "one label to an example, or (n, labels) of 0 and 1", "fit one estimator to each: MultiOutputClassifier"),
    ("sample(s)", "one example or more", "give examples"),
    ("feature(s)", "one feature or more", "give features"),
    ("eight", "a weight of 0 or more for each example, not all of them 0", "correct the weights"),
    ("matrix", "an array", "write np.asarray(X)"),
    ("omplex", "real numbers", "write np.c_[X.real, X.imag]"),
)
"""A word of scikit-learn's refusal, and what was expected and is to be done, which it does not always say."""


@contextmanager
def in_our_words(wanted: type[DataError | OptionError] = DataError) -> Generator[None]:
    """Has what scikit-learn refuses inside raised as an error of ours: `wanted`, or DtypeError for its TypeErrors."""
    try:
        yield
    except ChainruleError:
        raise
    except (TypeError, ValueError) as error:
        said = str(error)
        found = ((expected, remedy) for word, expected, remedy in REMEDIES if word in said)
        expected, remedy = next(found, ("numbers that scikit-learn takes", "correct what it names"))
        kind = DtypeError if isinstance(error, TypeError) else wanted
        raise kind(said, expected=expected, remedy=remedy) from error


def require_numbers(X: Any) -> None:
    """Refuses what scikit-learn would take for numbers without a word: masked values, dates; and names the column of what it would not.

    Raises: DataError, DtypeError.
    """
    if not is_frame(X):
        array: Any = plain(X, "X") if hasattr(X, "mask") else X
        _require_no_dates(getattr(array, "dtype", None), "X")
        return
    for name, column in frame_columns(X):
        if getattr(getattr(column, "dtype", None), "kind", "") not in "biuf" or not isinstance(column.dtype, np.dtype):
            _require_numbers_in(name, np.asarray(column))


def _require_numbers_in(name: str, cells: Array) -> None:
    _require_no_dates(cells.dtype, f"column {name!r}")
    for row, cell in enumerate(cells.tolist() if cells.dtype.kind not in "biuf" else ()):
        try:
            if not is_missing(cell):
                float(cell)
        except (TypeError, ValueError):
            raise DataError(
                f"column {name!r} holds {shown(cell)} in row {row}: could not convert it to a number",
                expected="numbers",
                remedy=f"encode it first: make_column_transformer((OneHotEncoder(), [{name!r}]), remainder='passthrough')",
            ) from None


def _require_no_dates(dtype: Any, what: str) -> None:
    if getattr(dtype, "kind", "") in ("M", "m"):
        raise DtypeError(
            f"{what} holds dates or spans of time: {dtype}",
            expected="numbers",
            remedy="say in which unit: (dates - dates.min()) / np.timedelta64(1, 'D')",
        )


def labels_of(y: Any) -> Array:
    """Labels as an array of texts, whole numbers or truth values. Raises: DataError for missing ones, and for texts among numbers."""
    array = as_array(y, "y")
    if array.dtype.kind != "O":
        return array
    found = unwrapped(array)
    return array if found.dtype.kind == "U" else found


def numbers_of(y: Any) -> Any:
    """Numbers to predict, but for dates. Raises: DtypeError for these."""
    _require_no_dates(getattr(y, "dtype", None), "y")
    _require_no_dates(getattr(getattr(y, "values", None), "dtype", None), "y")
    return y


__all__ = ["in_our_words", "labels_of", "numbers_of", "require_numbers"]
