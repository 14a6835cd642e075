"""`ops.epoch_order` as machine code: threefry bits for a stretch of entries, then Fisher and Yates' exchanges."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from chainrule import ops
from chainrule.engines.native.builder import Function, Value
from chainrule.engines.native.cache import default_cache
from chainrule.engines.native.lowering import threefry
from chainrule.engines.native.machine import MachineCode, compile_module, host
from chainrule.graph import Array

_LANES = 16


def _text() -> str:
    """fill(key, bits, blocks): two words a block. shuffle(bits, order, count)."""
    names = [("i32", "high"), ("i32", "low"), ("ptr", "bits"), ("ptr", "order"), ("i64", "count")]
    f = Function("epoch_order", names)
    high, low, bits, order, count = f.arguments
    key = (f.splat(high, _LANES), f.splat(low, _LANES))
    blocks = f.binary("sdiv", f.binary("add", count, f.index(1)), f.index(2))
    with f.loop(0, blocks, _LANES) as loop:
        counters = f.binary("add", f.splat(f.convert("trunc", loop.index, "i32"), _LANES), f.iota("i32", _LANES))
        first, second = threefry(f, key, f.like(counters, 0), counters)
        words = f.shuffle(first, second, [lane // 2 + _LANES * (lane % 2) for lane in range(2 * _LANES)])
        f.store(words, f.offset(bits, loop.index, 8))
    with f.loop(0, count) as loop:
        f.store(loop.index, f.offset(order, loop.index, 8))
    with f.when(f.compare("sgt", count, f.index(1))), f.loop(1, count) as loop:
        place = f.binary("sub", count, loop.index)
        _exchange(f, bits, order, place)
    return f"{f}\n\n" + "\n".join(sorted(f.declarations)) + "\n"


def _exchange(f: Function, bits: Value, order: Value, place: Value) -> None:
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
    kinds = (ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    return code, ctypes.CFUNCTYPE(None, *kinds)(code.address("epoch_order"))


def epoch_orders(seed: int, epochs: range, count: int) -> Array:
    """The order of the examples in each epoch: (epochs, count) int64."""
    orders = np.empty((len(epochs), count), np.int64)
    if not orders.size:
        return orders
    _, function = _compiled()
    bits = np.empty(count + 2 * _LANES + 1, np.uint32)
    for order, epoch in zip(orders, epochs, strict=True):
        high, low = ops.random_fold.meaning(_order_key(seed), np.uint32(epoch)).tolist()
        function(high, low, bits.ctypes.data, order.ctypes.data, count)
    return orders


@cache
def _order_key(seed: int) -> Array:
    return ops.random_fold.meaning(ops.key(seed), ops.stream("order"))
