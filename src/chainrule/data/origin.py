"""Data sets that are made by a formula; and how each was made, which a saved run remembers, so that it can make it again."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, cast

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples

P = ParamSpec("P")


def generated(name: str, train: Examples, test: Examples | None, law: str, **more: Any) -> Dataset:
    """A data set that was made by a law, which its source names; nobody's licence is needed. more: as for `Dataset`."""
    return Dataset(name, train, test=test, source=f"generated: {law}", licence="none needed", **more)


def remembered(name: str | None = None) -> Callable[[Callable[P, Dataset]], Callable[P, Dataset]]:
    """Decorates a maker of data: its sets carry in `origin` what `data.load` takes to make them again.

    `name` is the built-in name; without one the maker's first argument is the path of a file, kept absolute.
    """

    def decorate(maker: Callable[P, Dataset]) -> Callable[P, Dataset]:
        @functools.wraps(maker)
        def make(*args: P.args, **kwargs: P.kwargs) -> Dataset:
            dataset = maker(*args, **kwargs)
            given: dict[str, Any] = dict(inspect.signature(maker).bind(*args, **kwargs).arguments)
            given |= given.pop("options", {})
            where = name or str(Path(given.pop(next(iter(given)))).resolve())
            return dataclasses.replace(
                dataset, origin={"name_or_path": where, **{key: _plain(item) for key, item in given.items()}}
            )

        return make

    return decorate


def changed_origin(base: Mapping[str, Any] | None, name: str, **options: Any) -> Mapping[str, Any] | None:
    """What `load` takes to make data of the origin `base` and then change them: the built-in `name` of the change, and its options.

    None for arrays of the user's own.
    """
    if base is None:
        return None
    details = tuple((key, value) for key, value in base.items() if key != "name_or_path")
    return {"name_or_path": name, "of": base["name_or_path"], **options, "details": details}


def _plain(value: object) -> object:
    """Arrays and NumPy's numbers as Python's own, which a run's configuration can keep."""
    return cast("object", value.tolist()) if isinstance(value, (np.ndarray, np.generic)) else value
