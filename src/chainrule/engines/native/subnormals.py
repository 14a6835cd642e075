"""Numbers below the smallest normal one count as 0 while a loop trains, as LLVM text: some processors take a hundred times as long for one.

A moment of Adam that gets no gradient shrinks by a tenth at each step. It comes below 1.2·10⁻³⁸ (float32) and stays there for ever, since
the smallest number times 0.9 is rounded to itself; each product with it is then done by microcode on many processors. They have a mode for
this (x86: FTZ and DAZ of MXCSR; ARM: FZ of FPCR), which belongs to a thread and is put back at the end.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from chainrule.engines.native.builder import LlvmFunction, Value

_X86_FLUSH = 0x8000 | 0x0040
"""Results flush to zero, operands count as zero."""
_ARM_FLUSH = 1 << 24


@contextmanager
def flushed(f: LlvmFunction, triple: str, *, wanted: bool = True) -> Generator[None]:
    """What is called inside runs in that mode, if it is wanted and the processor is known.

    Calls, not sums: LLVM does not know the mode, and may move a single instruction past the place where it changes.
    """
    if wanted and triple.startswith(("x86_64", "i")):
        old, new = f.stack_memory("i32"), f.stack_memory("i32")
        f.call("llvm.x86.sse.stmxcsr", "void", 1, old)
        f.store(f.binary("or", f.load("i32", 1, old), Value("i32", 1, str(_X86_FLUSH))), new)
        f.call("llvm.x86.sse.ldmxcsr", "void", 1, new)
        yield
        f.call("llvm.x86.sse.ldmxcsr", "void", 1, old)
    elif wanted and triple.startswith(("aarch64", "arm64")):
        old_mode = f.call("llvm.aarch64.get.fpcr", "i64", 1)
        f.call("llvm.aarch64.set.fpcr", "void", 1, f.binary("or", old_mode, f.index(_ARM_FLUSH)))
        yield
        f.call("llvm.aarch64.set.fpcr", "void", 1, old_mode)
    else:
        yield
