"""LLVM text to machine code in this process: the one file that knows llvmlite.

The code generator alone does it: LLVM's passes before it, from a single one to all of -O2, made no vectorised and tiled kernel faster
and compiling up to twice as long. What loops do not change the kernels' own text computes before them.
"""

# pyright: reportMissingTypeStubs=false
# (llvmlite says nothing about types: what is taken from it is Any, and only this file's own functions have types.)

from __future__ import annotations

import ctypes
import functools
import os
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from ctypes.util import find_library
from itertools import count
from typing import Any

import llvmlite
import llvmlite.binding

from chainrule.engines.native.cache import Cache, key_of
from chainrule.errors import OptionError
from chainrule.immutable import immutable

llvm: Any = llvmlite.binding

LEVEL, QUICK_LEVEL = 1, 0
"""How hard the code generator tries, from 0 to 3: 2 and 3 take a tenth longer for code that is no faster, 0 half as long for slow code."""
TRIED = range(20, 23)
"""The versions of LLVM that the texts were tried with: those of llvmlite 0.45 to 0.50."""
PIPELINE = "no passes, codegen {level}, pic, small"
"""What is done to a module, in words; part of the cache's keys, so to be changed together with the code."""

# What the code generator calls where the processor lacks the instruction, whether or not the text declares it.
_EXACT = ("fma", "floor", "ceil", "trunc", "rint", "round", "roundeven", "nearbyint", "fmod", "fmin", "fmax")
_OF_FLOATS = [name + kind for name in (*_EXACT, "exp", "log", "pow", "sin", "cos") for kind in ("", "f")]
_HELPERS = {"memcpy", "memmove", "memset", *_OF_FLOATS}
_DEFINED = re.compile(r"\ndefine (?!internal|private)[^@\n]*@([\w.$]+)\(")
_DECLARED = re.compile(r"\ndeclare [^@\n]*@(?!llvm\.)([\w.$]+)\(")
_PROBE = """
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
define <16 x float> @f(<16 x float> %x) {
  %y = call <16 x float> @llvm.fma.v16f32(<16 x float> %x, <16 x float> %x, <16 x float> %x)
  %z = fadd <16 x float> %x, %y
  ret <16 x float> %z
}
"""
_names = map("chainrule{}".format, count())


@immutable
class Target:
    """The processor that code is made for, by LLVM's names, with what it offers to kernels."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    """In one vector register."""
    registers: int
    """How many vector registers there are."""
    fused: bool
    """Whether x·y + z, rounded once, is an instruction; else it is a call for every number, many times slower."""


class MachineCode:
    """Code in memory. It stays there as long as this object lives: whoever keeps an address keeps this too."""

    def __init__(self, library: Any, size: int, seconds: float, cached: bool) -> None:
        self._library = library
        self.size = size
        """Bytes of object code."""
        self.seconds = seconds
        """How long compiling and loading took, or finding and loading, if the code was in the cache."""
        self.cached = cached
        """Whether the code was in the cache."""

    def address(self, name: str) -> int:
        """Where a function that the text defines begins."""
        return int(self._library[name])


@functools.cache
def host() -> Target:
    """The processor of this machine; or, to try narrower vectors, the one that CHAINRULE_TARGET_CPU names (haswell, x86-64).

    >>> host().vector_bytes in {16, 32, 64}, host().registers in {16, 32}
    (True, True)
    """
    _initialise()
    triple = str(llvm.get_process_triple())
    own = _own_target(triple)
    if not (wish := os.environ.get("CHAINRULE_TARGET_CPU", "")):
        return own
    named = _named_target(triple, wish)
    if named.vector_bytes > own.vector_bytes or named.fused > own.fused:
        raise OptionError(
            f"CHAINRULE_TARGET_CPU={wish} names a processor with instructions that this one ({own.cpu}) does not have",
            expected="an older processor of the same family, such as x86-64 or haswell",
            remedy="unset CHAINRULE_TARGET_CPU",
        )
    return named


def compile_module(
    text: str,
    target: Target,
    cache: Cache | None,
    verify: bool = False,
    *,
    is_quick: bool = False,
    known: Mapping[str, MachineCode] | None = None,
) -> MachineCode:
    """The functions of a module as code in this process; from the cache, if there is one and it has them.

    known: functions that it calls and that other code has; whoever keeps this code keeps that too.

    >>> code = compile_module("define i64 @next(i64 %x) { %y = add i64 %x, 1 ret i64 %y }", host(), None)
    >>> ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("next"))(41)
    42
    """
    begin, level = time.perf_counter(), QUICK_LEVEL if is_quick else LEVEL
    versions = str(llvmlite.__version__), str(llvm.llvm_version_info)
    key = key_of(text, target.triple, target.cpu, target.features, *versions, PIPELINE.format(level=level)) if cache else ""
    kept = cache.get(key) if cache else None
    # An LLVM that nobody has tried may read the text otherwise: it is asked first, since what it does not expect ends the process.
    verify = verify or llvm.llvm_version_info[0] not in TRIED
    made = _object(text, target, level, verify) if kept is None else kept
    if cache and kept is None:
        cache.put(key, made)
    library = _load(made, "\n" + text, known or {})
    return MachineCode(library, len(made), time.perf_counter() - begin, kept is not None)


def assembly(text: str, target: Target, *, is_quick: bool = False) -> str:
    """The instructions that the module becomes, for people to read."""
    machine = _machine(target, QUICK_LEVEL if is_quick else LEVEL)
    with _prepared(text, target, machine, verify=True) as module:
        return str(machine.emit_assembly(module))


# ---- targets


@functools.cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _own_target(triple: str) -> Target:
    features: Any = llvm.get_host_cpu_features()
    width = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return _target(triple, str(llvm.get_host_cpu_name()), str(features.flatten()), width, bool(features.get("fma")))


def _named_target(triple: str, cpu: str) -> Target:
    # LLVM tells nobody what a processor of this name has, but the instructions that it chooses do.
    written = assembly(_PROBE, Target(triple, cpu, "", 16, 16, fused=False))
    return _target(triple, cpu, "", 64 if "zmm" in written else 32 if "ymm" in written else 16, "fmaf" not in written)


def _target(triple: str, cpu: str, features: str, width: int, fused: bool) -> Target:
    is_arm = triple.startswith(("aarch64", "arm64"))
    return Target(triple, cpu, features, width, 32 if is_arm or width == 64 else 16, fused or is_arm)


@functools.cache
def _machine(target: Target, level: int) -> Any:
    # Made once: to read what a processor can takes longer than to make a short module's code. llvmlite lets one thread in at a time.
    _initialise()
    # "small": near constants, read by one instruction and not two; the loader lays a module out in one piece, so near they are.
    make: Any = llvm.Target.from_triple(target.triple).create_target_machine
    return make(cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="small", jit=True)


# ---- from text to object code


def _object(text: str, target: Target, level: int, verify: bool) -> bytes:
    machine = _machine(target, level)
    with _prepared(text, target, machine, verify) as module:
        return bytes(machine.emit_object(module))


@contextmanager
def _prepared(text: str, target: Target, machine: Any, verify: bool) -> Generator[Any]:
    # A context of its own: what other modules left behind in a shared one could change the names in this one. It must go after
    # the module, which a collection of garbage does not promise; so neither is ever left to that.
    with llvm.create_context() as context:
        with _explained():
            module = llvm.parse_assembly(text, context)
        with module:
            with _explained():
                if verify:
                    module.verify()
            module.triple, module.data_layout = target.triple, str(machine.target_data)
            yield module


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except RuntimeError as error:  # it quotes the line
        raise RuntimeError(f"LLVM refuses the module: {error}") from None


# ---- from object code to addresses


@functools.cache
def _loader() -> Any:
    # One for the process and never closed, for other threads may be in its code until the very end.
    _initialise()
    return llvm.create_lljit_compiler(None, use_jit_link=True, suppress_errors=True)


def _load(code: bytes, text: str, known: Mapping[str, MachineCode]) -> Any:
    defined, declared = _DEFINED.findall(text), _DECLARED.findall(text)
    builder = llvm.JITLibraryBuilder().add_object_img(code)
    for name in defined:
        builder.export_symbol(name)
    for name in {*_HELPERS, *declared}.difference(defined):
        if address := known[name].address(name) if name in known else _process_address(name):
            builder.import_symbol(name, address)
        elif name in declared:
            raise RuntimeError(f"the module declares {name}, which this process does not have")
    return builder.link(_loader(), next(_names))


@functools.cache
def _process_address(name: str) -> int | None:
    return ctypes.cast(getattr(_library(), name, 0), ctypes.c_void_p).value


@functools.cache
def _library() -> ctypes.CDLL:
    own = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
    return own if hasattr(own, "pow") else ctypes.CDLL(find_library("m"))
