"""`ops.epoch_order` as machine code: threefry bits for a stretch of entries, then Fisher and Yates' exchanges."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from math import prod

import numpy as np

from chainrule import ops
from chainrule.engines.native.builder import LlvmFunction, Value
from chainrule.engines.native.cache import default_cache
from chainrule.engines.native.lowering import threefry
from chainrule.engines.native.machine import MachineCode, compile_module, host
from chainrule.engines.native.pool import run_all
from chainrule.graph import Array

_LANES = 16


def _text() -> str:
    """epoch_orders(key of the seed's orders, first epoch, number of epochs, room for bits, orders, count)."""
    names = [
        ("i32", "high"),
        ("i32", "low"),
        ("i64", "first"),
        ("i64", "epochs"),
        ("ptr", "bits"),
        ("ptr", "orders"),
        ("i64", "count"),
    ]
    f = LlvmFunction("epoch_orders", names, attributes="nounwind")
    high, low, first, epochs, bits, orders, count = f.arguments
    with f.loop(0, epochs) as loop:
        word = f.convert("trunc", f.binary("add", first, loop.index), "i32")
        key = threefry(f, (high, low), f.like(word, 0xFFFFFFFF), word)
        _order(f, key, bits, f.offset(orders, f.binary("mul", loop.index, count), 8), count)
    return f"{f}\n\n" + "\n".join(sorted(f.declarations)) + "\n"


def _order(f: LlvmFunction, key: tuple[Value, Value], bits: Value, order: Value, count: Value) -> None:
    """One epoch: the bits, two words a block; 0, 1, 2, ...; the exchanges."""
    wide = (f.splat(key[0], _LANES), f.splat(key[1], _LANES))
    blocks = f.binary("sdiv", f.binary("add", count, f.index(1)), f.index(2))
    with f.loop(0, blocks, _LANES) as loop:
        counters = f.binary("add", f.splat(f.convert("trunc", loop.index, "i32"), _LANES), f.iota("i32", _LANES))
        first, second = threefry(f, wide, f.like(counters, 0), counters)
        words = f.shuffle(first, second, [lane // 2 + _LANES * (lane % 2) for lane in range(2 * _LANES)])
        f.store(words, f.offset(bits, loop.index, 8))
    with f.loop(0, count) as loop:
        f.store(loop.index, f.offset(order, loop.index, 8))
    with f.when(f.compare("sgt", count, f.index(1))), f.loop(1, count) as loop:
        _exchange(f, bits, order, f.binary("sub", count, loop.index))


def _exchange(f: LlvmFunction, bits: Value, order: Value, place: Value) -> None:
    """Entries i and ⌊u·(i + 1)/2³²⌋ change places."""
    word = f.convert("zext", f.load("i32", 1, f.offset(bits, place, 4)), "i64")
    partner = f.binary("lshr", f.binary("mul", word, f.binary("add", place, f.index(1))), f.index(32))
    here, there = f.offset(order, place, 8), f.offset(order, partner, 8)
    mine, other = f.load("i64", 1, here), f.load("i64", 1, there)
    f.store(other, here)
    f.store(mine, there)


@cache
def _compiled() -> tuple[MachineCode, Callable[..., None]]:
    code = compile_module(_text(), host(), default_cache())
    word, whole, pointer = ctypes.c_uint32, ctypes.c_int64, ctypes.c_void_p
    kinds = (word, word, whole, whole, pointer, pointer, whole)
    return code, ctypes.CFUNCTYPE(None, *kinds)(code.address("epoch_orders"))


def epoch_orders(seeds: Sequence[int], epochs: range, count: int, threads: int, old: Array | None = None) -> Array:
    """The order of the examples for each seed, in each epoch: (seeds, epochs, count) int64; in `old`'s memory if that is as large."""
    shape = (len(seeds), len(epochs), count)
    # New memory costs a fault of the page table for every 512 entries, which is as long as their shuffling takes.
    orders = old.reshape(shape) if old is not None and old.size == prod(shape) else np.empty(shape, np.int64)
    if not orders.size:
        return orders
    _, function = _compiled()
    bits = np.empty((min(threads, len(seeds)), count + 2 * _LANES + 1), np.uint32)

    def shuffle(worker: int, number: int) -> None:
        high, low = _order_key(seeds[number])
        own = orders[number]
        function(high, low, epochs.start, len(epochs), bits[worker].ctypes.data, own.ctypes.data, count)

    run_all(shuffle, len(seeds), threads)
    return orders


@cache
def _order_key(seed: int) -> tuple[int, int]:
    high, low = ops.random_fold.meaning(ops.key(seed), ops.stream("order")).tolist()
    return high, low
