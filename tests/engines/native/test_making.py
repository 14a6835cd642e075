"""Machine code that is made while its caller goes on: the same, with its errors, as what is made at once."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines.native import engine as native_engine
from chainrule.engines.native import program as programs
from chainrule.engines.native.machine import compile_module
from chainrule.engines.native.program import _Making  # pyright: ignore[reportPrivateUsage]

NEXT = "define i64 @next(i64 %x) { %y = add i64 %x, 1 ret i64 %y }"
AFTER = (
    "declare i64 @next(i64)\n\ndefine i64 @after(i64 %x) { %y = call i64 @next(i64 %x) %z = call i64 @next(i64 %y) ret i64 %z }"
)


def called(making: _Making, name: str, number: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(making.code.address(name))(number)


@pytest.mark.parametrize("is_begun", [True, False])
def test_it_is_waited_for_whether_a_thread_makes_it_or_not(is_begun: bool) -> None:
    making = _Making(NEXT, True, {})
    if is_begun:
        making.begin()
    assert called(making, "next", 41) == 42
    assert making.code is making.code


def test_what_calls_another_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, order = threading.Event(), list[str]()

    def slowly(text: str, *given: Any, **named: Any) -> Any:
        if text == NEXT:
            gate.wait(60)
        order.append(text)
        return compile_module(text, *given, **named)

    monkeypatch.setattr(programs, "compile_module", slowly)
    first = _Making(NEXT, True, {}).begin()
    second = _Making(AFTER, True, {"next": first}).begin()
    gate.set()
    assert called(second, "after", 40) == 42
    assert order == [NEXT, AFTER]


def test_an_error_is_told_to_each_who_asks() -> None:
    making = _Making("define i64 @next(i64 %x) { ret i64 %nothing }", True, {}).begin()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="LLVM refuses the module"):
            _ = making.code


FORKED = """
import ctypes, os, sys, warnings
from chainrule.engines.native import program as programs


def called(making):
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(making.code.address("next"))(41)


warnings.simplefilter("ignore")  # Python says that a process with threads is copied: this is about that
for number in range(20):
    making = programs._Making("NEXT" + " ;" * number + MANY, False, {}).begin()
    child = os.fork()
    if not child:
        os._exit(called(making))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), called(making))
"""
MANY = "\n".join(f"define i64 @f{n}(i64 %x) {{ %y = mul i64 %x, {n} %z = add i64 %y, {n} ret i64 %z }}" for n in range(300))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no process by copying one")
def test_a_copied_process_has_what_it_was_copied_amid_making() -> None:
    """In a process of its own: others here, JAX, refuse to be copied."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED.replace("NEXT", NEXT).replace("MANY", repr("\n" + MANY))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "42 42\n" * 20


def test_a_training_has_the_same_bits_whether_its_programs_are_made_at_once_or_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    hashes: list[str] = []
    for threads in ("1", "3"):
        monkeypatch.setenv("CHAINRULE_THREADS", threads)
        monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / threads))
        native_engine._code_of.cache_clear()  # pyright: ignore[reportPrivateUsage]
        kernels: WeakValueDictionary[str, object] = WeakValueDictionary()
        monkeypatch.setattr(programs, "_kernels", kernels)
        hashes += [cr.fit(f"2-{width}-2 tanh softmax", "moons", epochs=2, batch_size=30).hash for width in (21, 22)]
    assert hashes[:2] == hashes[2:]
    assert np.unique(hashes).size == 2
