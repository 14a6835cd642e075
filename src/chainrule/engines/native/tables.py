"""Steps as tables: where code is made quickly and every kernel is given its numbers, no code is made that only calls them.

A table says for each batch size which kernels its step calls, and with what: numbers, and addresses that move on with the step and with
the row. One loop, compiled once and kept, goes through the tables of all programs. A call takes some nanoseconds longer so, and LLVM
milliseconds for the shortest function: it pays where little is to be done.

    table    how many sizes; for each: size, where its calls begin, how many
    call     the kernel's address, where its arguments begin, how many
    argument the context's slot, or −1 for a number; bytes or the number; bytes for each step before, and for each row before
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from chainrule.engines.native.builder import LlvmFunction, Value
from chainrule.engines.native.cache import default_cache
from chainrule.engines.native.machine import MachineCode, compile_module, host
from chainrule.engines.native.subnormals import flushed
from chainrule.graph import Array
from chainrule.immutable import immutable

ARENA, CONSTANTS, ORDER, SIZES, WRONG, TABLE, FIRST = range(7)
"""Slots of the context; see `module`."""
MOST_ARGUMENTS = 1024
"""Of a kernel: what the loop has room for."""
WORD = 8


@immutable
class Argument:
    """What a kernel is given: an address from a slot of the context on, or, without one, 64 bits of a number."""

    slot: int
    offset: int
    by_step: int = 0
    by_row: int = 0


@immutable
class Call:
    """A kernel by its name, and its arguments."""

    name: str
    arguments: tuple[Argument, ...]


Calls = Mapping[int, Sequence[Call]]
"""For each batch size what its step calls, in order."""


def filled(calls: Calls, kernels: Mapping[str, int]) -> Array:
    """The table in memory, int64, with the kernels' addresses."""
    sizes, rows, arguments = [len(calls)], list[int](), list[int]()
    count = sum(map(len, calls.values()))
    first, behind = 1 + 3 * len(calls), 1 + 3 * len(calls) + 3 * count
    for size, step in calls.items():
        sizes += [size, (first + len(rows)) * WORD, len(step)]
        for call in step:
            rows += [kernels[call.name], (behind + len(arguments)) * WORD, len(call.arguments)]
            for argument in call.arguments:
                arguments += [argument.slot, argument.offset, argument.by_step, argument.by_row]
    return np.array([*sizes, *rows, *arguments], np.int64)


def listed(calls: Calls) -> str:
    """The tables for people, as comments of LLVM."""
    lines: list[str] = []
    for size, step in calls.items():
        lines.append(f"; a step of {size}:")
        for call in step:
            given = ", ".join(_argument_text(argument) for argument in call.arguments)
            lines.append(f";   {call.name}(context, position, {given})")
    return "\n".join(lines)


def _argument_text(argument: Argument) -> str:
    if argument.slot < 0:
        return f"0x{argument.offset % 2**64:x}"
    moving = "".join(f" + {by}·{word}" for by, word in ((argument.by_step, "step"), (argument.by_row, "row")) if by)
    return f"[{argument.slot}]{f' + {argument.offset}' * bool(argument.offset)}{moving}"


@cache
def loop_through(*, is_flushed: bool) -> MachineCode:
    """The loop that goes through tables, in memory, where it stays."""
    text = loop_text(host().triple, is_flushed=is_flushed)
    return compile_module(text, host(), default_cache())


def loop_text(triple: str, *, is_flushed: bool) -> str:
    """The same as LLVM text: run(context, team, steps)."""
    f = LlvmFunction("run", [("ptr", "context"), ("ptr", "team"), ("i64", "steps")])
    context, _, steps = f.arguments

    def word(start: Value, place: int, element: str = "i64") -> Value:
        return f.emit(element, 1, f"load {element}, {f.offset(start, f.index(place), WORD)}, align {WORD}")

    sizes, table = word(context, SIZES, "ptr"), word(context, TABLE, "ptr")
    given, known = f.stack_memory(f"[{MOST_ARGUMENTS} x i64]"), word(table, 0)
    some = f.compare("sgt", steps, f.index(0))
    with flushed(f, triple, wanted=is_flushed), f.when(some), f.loop(0, steps, 1, [f.index(0)]) as loop:
        position = loop.carried[0]
        size = f.load("i64", 1, f.offset(sizes, loop.index, WORD))
        with f.loop(f.index(0), known) as each:
            step = f.offset(table, f.binary("add", f.binary("mul", each.index, f.index(3)), f.index(1)), WORD)
            with f.when(f.compare("eq", size, word(step, 0))):
                calls = f.offset(table, word(step, 1))
                with f.loop(f.index(0), word(step, 2), may_be_empty=True) as turn:
                    call = f.offset(calls, turn.index, 3 * WORD)
                    arguments = f.offset(table, word(call, 1))
                    with f.loop(f.index(0), word(call, 2), may_be_empty=True) as place:
                        argument = f.offset(arguments, place.index, 4 * WORD)
                        slot = word(argument, 0)
                        found = f.intrinsic("smax", slot, f.index(0))
                        base = f.select(
                            f.compare("slt", slot, f.index(0)), f.index(0), f.load("i64", 1, f.offset(context, found, WORD))
                        )
                        moved = f.binary(
                            "add", f.binary("mul", loop.index, word(argument, 2)), f.binary("mul", position, word(argument, 3))
                        )
                        value = f.binary("add", f.binary("add", base, word(argument, 1)), moved)
                        f.store(value, f.offset(given, place.index, WORD))
                    f.perform(f"call void {word(call, 0, 'ptr').text}({context}, {position}, {given})")
        loop.following = [f.binary("add", position, size)]
    return "\n\n".join([str(f), "\n".join(sorted(f.declarations))]) + "\n"
