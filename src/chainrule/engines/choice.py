"""Engines by their names; the native one is loaded when it is first asked for, and stands aside where llvmlite is missing."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from chainrule.checks import checked
from chainrule.display import Shown
from chainrule.engines.engine import Engine
from chainrule.engines.native import STAGES
from chainrule.engines.reference import ReferenceEngine
from chainrule.errors import ChainruleError, MissingPackageWarning, OptionError


@dataclass(frozen=True)
class EngineKind(Shown):
    """An engine that can be chosen: how it is made, for so many threads; the package that it needs; the stages that it can show."""

    make: Callable[[int | None], Engine]
    package: str = ""
    stages: tuple[str, ...] = ()


def _native(threads: int | None) -> Engine:
    # Late, because it loads llvmlite, which who never computes does not need.
    from chainrule.engines.native.engine import NativeEngine

    return NativeEngine(threads)


ENGINES = {
    "native": EngineKind(_native, "llvmlite", STAGES),
    "reference": EngineKind(lambda threads: ReferenceEngine()),
}
"""The engines by the names that `engine=` takes; the first is what is taken where none is named."""


@checked
def engine_named(name: str, threads: int | None = None) -> Engine:
    """The engine of this name; where its package is missing `reference` takes its place, with one warning.

    threads: how many the engine may use; None for as many as there are processors (or as CHAINRULE_THREADS says).

    >>> engine_named("reference").name
    'reference'
    """
    kind = _kind_named(name)
    if not _is_there(kind):
        _warn_once(name, kind.package)
        return ReferenceEngine()
    return kind.make(threads)


@checked
def load_ahead(name: str) -> None:
    """Begins to load an engine in the background, while the caller reads data; `engine_named` waits for what is still missing.

    Raises: OptionError for an unknown one, before anything is read.
    """
    if _is_there(_kind_named(name)):
        threading.Thread(target=_load_quietly, args=(name,), daemon=True).start()


def _kind_named(name: str) -> EngineKind:
    if name not in ENGINES:
        raise OptionError(f"engine {name!r}", expected=f"one of {', '.join(ENGINES)}", remedy='write engine="reference"')
    return ENGINES[name]


def _is_there(kind: EngineKind) -> bool:
    return not kind.package or importlib.util.find_spec(kind.package) is not None


def _load_quietly(name: str) -> None:
    with suppress(ChainruleError):  # whoever needs the engine is told
        engine_named(name)


@cache
def _warn_once(name: str, package: str) -> None:
    warnings.warn(
        f"{package} is not installed: the reference engine computes instead of the {name} one, with the same results, but many "
        f"times slower; get it by: pip install {package}",
        MissingPackageWarning,
        stacklevel=5,  # whoever called fit
    )
