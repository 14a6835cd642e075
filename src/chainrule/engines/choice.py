"""Engines by their names; the native one is loaded when it is first asked for, and stands aside where llvmlite is missing."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from contextlib import suppress
from functools import cache

from chainrule.checks import checked
from chainrule.engines.engine import Engine
from chainrule.engines.reference import ReferenceEngine
from chainrule.errors import ChainruleError, MissingPackageWarning, OptionError

ENGINES = ("native", "reference")
"""The names that `engine=` takes; the first is what is taken where none is named."""


@checked
def engine_named(name: str, threads: int | None = None) -> Engine:
    """The engine of this name; where llvmlite is missing `reference` takes the place of `native`, with one warning.

    threads: how many the engine may use; None for as many as there are processors (or as CHAINRULE_THREADS says).

    >>> engine_named("reference").name
    'reference'
    """
    if name not in ENGINES:
        raise OptionError(f"engine {name!r}", expected=f"one of {', '.join(ENGINES)}", remedy='write engine="reference"')
    return _native(threads) if name == "native" else ReferenceEngine()


@checked
def load_ahead(name: str) -> None:
    """Begins to load an engine in the background, while the caller reads data; `engine_named` waits for what is still missing."""
    if name in ENGINES and importlib.util.find_spec("llvmlite") is not None:
        threading.Thread(target=_load_quietly, args=(name,), daemon=True).start()


def _load_quietly(name: str) -> None:
    with suppress(ChainruleError):  # whoever needs the engine is told
        engine_named(name)


def _native(threads: int | None) -> Engine:
    if importlib.util.find_spec("llvmlite") is None:
        _warn_once()
        return ReferenceEngine()
    # Late, because it loads llvmlite, which who never computes does not need.
    from chainrule.engines.native.engine import NativeEngine

    return NativeEngine(threads)


@cache
def _warn_once() -> None:
    warnings.warn(
        "llvmlite is not installed: the reference engine computes instead of the native one, with the same results, but many "
        "times slower; get it by: pip install llvmlite",
        MissingPackageWarning,
        stacklevel=6,  # whoever called fit
    )
