"""Engines by their names; those that compile are loaded when they are first asked for, and stand aside where their package is missing."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Literal

from chainrule.checks import checked, handed_out
from chainrule.display import Shown
from chainrule.engines.engine import Engine
from chainrule.engines.hosts import VARIABLE, HostAddress
from chainrule.engines.native import STAGES
from chainrule.engines.reference import ReferenceEngine
from chainrule.engines.xla import STAGES as XLA_STAGES
from chainrule.errors import ChainruleError, MissingPackageWarning, OptionError, SlowerEngineWarning, warn
from chainrule.immutable import immutable


@immutable
class EngineKind(Shown):
    """An engine that can be chosen: how it is made, for so many threads; the package that it needs; the stages that it can show."""

    make: Callable[[int | None], Engine]
    package: str = ""
    stages: tuple[str, ...] = ()
    spread: Callable[[int, bool], Engine] | None = None
    """How it is made for so many devices, if it can use several; or, where that is said, for as many as there are."""


def _native(threads: int | None) -> Engine:
    # Late, because it loads llvmlite, which who never computes does not need.
    from chainrule.engines.native.engine import NativeEngine

    return NativeEngine(threads)


def _xla(by: Literal["map", "vmap"], threads: int | None = None, devices: int | None = None, at_most: bool = False) -> Engine:
    if threads is not None:
        raise OptionError(
            f"threads={threads} with the xla engine", expected="none: XLA takes all there are", remedy="leave threads out"
        )
    # Late, because it loads JAX, which who computes otherwise does not need.
    from chainrule.engines.xla.engine import XlaEngine

    host = ENGINES["native"]
    made = XlaEngine(host.make(None) if _is_there(host) else ReferenceEngine(), devices, by=by, at_most=at_most)
    if made.platform == "cpu":
        _warn_of_cpu()
    return made


def _xla_kind(by: Literal["map", "vmap"]) -> EngineKind:
    return EngineKind(partial(_xla, by), "jax", XLA_STAGES, partial(_xla, by, None))


ENGINES = {
    "native": EngineKind(_native, "llvmlite", STAGES),
    "reference": EngineKind(lambda threads: ReferenceEngine()),
    "xla": _xla_kind("map"),
    "xla-vmap": _xla_kind("vmap"),
}
"""The engines by the names that `engine=` takes; the first is what is taken where none is named."""


@checked
def engine_named(name: str, threads: int | None = None, devices: int | None = None, *, at_most: bool = False) -> Engine:
    """The engine of this name; where its package is missing `reference` takes its place, with one warning.

    threads: how many the engine may use; None for as many as there are processors (or as CHAINRULE_THREADS says). devices: on how many
    devices it computes; None for one. at_most: fewer will do, where there are no more. Raises: OptionError for an unknown one, and
    for devices that it has not.

    >>> engine_named("reference").name
    'reference'
    """
    kind = _kind_named(name)
    if devices is not None and kind.spread is None:
        raise OptionError(
            f"devices={devices} with the {name} engine", expected="an engine for several devices", remedy='write engine="xla"'
        )
    # The reference engine makes first values and explanations, which each host does for itself.
    if (wanted := HostAddress.wanted()) and kind.package and kind.spread is None:
        raise OptionError(
            f"{VARIABLE}={wanted.text} with the {name} engine",
            expected="an engine for several hosts",
            remedy=f'write engine="xla", or unset {VARIABLE}',
        )
    if not _is_there(kind):
        _warn_once(name, kind.package)
        return handed_out(ReferenceEngine())
    return handed_out(kind.make(threads) if devices is None or kind.spread is None else kind.spread(devices, at_most))


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
def _warn_of_cpu() -> None:
    warn(
        "JAX sees no device but the CPU, on which the native engine computes the same, several times faster: it is the one that "
        "is taken where engine= is left out",
        SlowerEngineWarning,
    )


@cache
def _warn_once(name: str, package: str) -> None:
    warn(
        f"{package} is not installed: the reference engine computes instead of the {name} one, with the same results, but many "
        f"times slower; get it by: pip install {package}",
        MissingPackageWarning,
    )
