"""The native engine's table from op to LLVM instructions, for one vector (or number) of each argument.

Whole numbers wrap around, comparisons with NaN are false, NaN goes through max and min: all as NumPy does it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from typing import TypeAlias

from chainrule.engines.native import functions
from chainrule.engines.native.builder import ELEMENTS, LlvmFunction, Value, bytes_of
from chainrule.engines.native.kernels import Instruction

Lowering: TypeAlias = "Callable[[LlvmFunction, Instruction, list[Value]], Value]"
UNSIGNED = frozenset({"uint8", "uint32", "bool"})
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _arithmetic(for_floats: str, for_whole: str) -> Lowering:
    def lower(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
        x, y = arguments
        return f.binary(for_floats if x.is_float else for_whole, x, y)

    return lower


def _negative(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    (x,) = arguments
    return f.negate(x) if x.is_float else f.binary("sub", f.like(x, 0), x)


def _comparison(for_floats: str, signed: str, unsigned: str) -> Lowering:
    def lower(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
        x, y = arguments
        whole = unsigned if line.attributes["from"] in UNSIGNED else signed
        return f.compare(for_floats if x.is_float else whole, x, y)

    return lower


def _logical(instruction: str) -> Lowering:
    return lambda f, line, arguments: f.binary(instruction, *arguments)


def _logical_not(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    return f.binary("xor", arguments[0], f.like(arguments[0], 1))


def larger(f: LlvmFunction, dtype: str, x: Value, y: Value) -> Value:
    """The larger of two; NaN if either is."""
    return _extreme(f, dtype, x, y, "gt")


def smaller(f: LlvmFunction, dtype: str, x: Value, y: Value) -> Value:
    """The smaller of two; NaN if either is."""
    return _extreme(f, dtype, x, y, "lt")


def _extreme(f: LlvmFunction, dtype: str, x: Value, y: Value, beats: str) -> Value:
    if x.is_float:
        chosen = f.binary("or", f.compare(f"o{beats}", y, x), f.compare("uno", y, y))
    else:
        chosen = f.compare(f"{'u' if dtype in UNSIGNED else 's'}{beats}", y, x)
    return f.select(chosen, y, x)


def _maximum(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    return larger(f, line.dtype, *arguments)


def _minimum(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    return smaller(f, line.dtype, *arguments)


def _select(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    return f.select(*arguments)


def _relu(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    (x,) = arguments
    zero = f.like(x, 0)
    return f.select(f.compare("olt", x, zero), zero, x)


def _absolute(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    (x,) = arguments
    if x.is_float:
        return f.intrinsic("fabs", x)
    if line.dtype in UNSIGNED:
        return x
    return f.select(f.compare("slt", x, f.like(x, 0)), f.binary("sub", f.like(x, 0), x), x)


def _sign(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    (x,) = arguments
    zero, one = f.like(x, 0), f.like(x, 1)
    if x.is_float:
        below = f.select(f.compare("olt", x, zero), f.like(x, -1), x)
        signed = f.select(f.compare("ogt", x, zero), one, below)
        return f.select(f.compare("oeq", x, zero), zero, signed)
    if line.dtype in UNSIGNED:
        return f.select(f.compare("eq", x, zero), zero, one)
    below = f.select(f.compare("slt", x, zero), f.like(x, -1), zero)
    return f.select(f.compare("sgt", x, zero), one, below)


def _intrinsic(name: str) -> Lowering:
    return lambda f, line, arguments: f.intrinsic(name, *arguments)


def _function(name: str) -> Lowering:
    def lower(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
        return getattr(functions, name)(f, *arguments)

    return lower


# ---- conversion


def _cast(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    (x,) = arguments
    return convert(f, x, line.attributes["from"], line.dtype)


def convert(f: LlvmFunction, x: Value, source: str, target: str) -> Value:
    """The number as another dtype, by C's rules; what no whole number can hold becomes the lowest one, as x86 and NumPy have it."""
    element = ELEMENTS[target]
    if source == target:
        return x
    if target == "bool":
        return f.compare("une" if x.is_float else "ne", x, f.like(x, 0))
    if x.is_float:
        if element in {"float", "double"}:
            return f.convert("fpext" if element == "double" else "fptrunc", x, element)
        return _to_whole(f, x, element)
    unsigned = source in UNSIGNED
    if element in {"float", "double"}:
        return f.convert("uitofp" if unsigned else "sitofp", x, element)
    if x.element == element:
        return x
    if x.element == "i1" or bytes_of(x.element) < bytes_of(element):
        return f.convert("zext" if unsigned else "sext", x, element)
    return f.convert("trunc", x, element)


def _to_whole(f: LlvmFunction, x: Value, element: str) -> Value:
    """Towards zero, by way of i64 (i32 for i32)."""
    wide, limit = ("i32", 2.0**31) if element == "i32" and x.element == "float" else ("i64", 2.0**63)
    if element == "i32":
        wide, limit = "i64", 2.0**63
    inside = f.binary("and", f.compare("oge", x, f.like(x, -limit)), f.compare("olt", x, f.like(x, limit)))
    whole = f.convert("fptosi", f.select(inside, x, f.like(x, 0)), wide)
    whole = f.select(inside, whole, f.like(whole, -int(limit)))
    return whole if element == wide else f.convert("trunc", whole, element)


def _one_hot(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    label, place = arguments
    lanes = max(label.lanes, place.lanes)
    wide = f.splat(convert(f, label, line.attributes["from"], "int64"), lanes)
    hot = f.compare("eq", wide, f.splat(place, lanes))
    return f.select(hot, f.constant(ELEMENTS[line.dtype], lanes, 1), f.constant(ELEMENTS[line.dtype], lanes, 0))


# ---- random bits


def threefry(f: LlvmFunction, key: tuple[Value, Value], high: Value, low: Value) -> tuple[Value, Value]:
    """Threefry-2x32 with 20 rounds; see `ops.random.threefry2x32`."""
    keys = (*key, f.binary("xor", f.binary("xor", key[0], key[1]), f.like(key[0], _PARITY)))
    a, b = f.binary("add", high, keys[0]), f.binary("add", low, keys[1])
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a = f.binary("add", a, b)
            b = f.binary("xor", f.intrinsic("fshl", b, b, f.like(b, rotation)), a)
        a = f.binary("add", a, keys[(group + 1) % 3])
        b = f.binary("add", f.binary("add", b, keys[(group + 2) % 3]), f.like(b, group + 1))
    return a, b


def _random_bits(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    position, *key = arguments
    lanes = position.lanes
    block = f.binary("lshr", position, f.like(position, 1))
    high = f.convert("trunc", f.binary("lshr", block, f.like(block, 32)), "i32")
    first, second = threefry(f, (f.splat(key[0], lanes), f.splat(key[1], lanes)), high, f.convert("trunc", block, "i32"))
    odd = f.compare("ne", f.binary("and", position, f.like(position, 1)), f.like(position, 0))
    return f.select(odd, second, first)


def _random_fold(f: LlvmFunction, line: Instruction, arguments: list[Value]) -> Value:
    position, *words = arguments
    first, word = f.splat(words[0], position.lanes), f.splat(words[2], position.lanes)
    a, b = threefry(f, (first, f.splat(words[1], position.lanes)), f.like(first, 0xFFFFFFFF), word)
    return f.select(f.compare("eq", position, f.like(position, 0)), a, b)


FUNCTIONS: dict[str, Lowering] = {
    **{name: _function(name) for name in (
        "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "power",
    )},
    "random_bits": _random_bits,
}  # fmt: skip
"""Rows of many instructions, worth a vector: not to be computed number by number behind a reduction along the lanes."""
LOWERINGS: ChainMap[str, Lowering] = ChainMap(
    {
        "add": _arithmetic("fadd", "add"), "subtract": _arithmetic("fsub", "sub"), "multiply": _arithmetic("fmul", "mul"),
        "divide": _arithmetic("fdiv", "sdiv"), "negative": _negative, "maximum": _maximum, "minimum": _minimum,
        "equal": _comparison("oeq", "eq", "eq"), "not_equal": _comparison("une", "ne", "ne"),
        "less": _comparison("olt", "slt", "ult"), "less_equal": _comparison("ole", "sle", "ule"),
        "greater": _comparison("ogt", "sgt", "ugt"), "greater_equal": _comparison("oge", "sge", "uge"),
        "logical_and": _logical("and"), "logical_or": _logical("or"), "logical_not": _logical_not,
        "sqrt": _intrinsic("sqrt"), "relu": _relu, "absolute": _absolute, "sign": _sign, "floor": _intrinsic("floor"),
        "where": _select, "cast": _cast, "one_hot": _one_hot, "random_fold": _random_fold,
    },
    FUNCTIONS,
)  # fmt: skip
"""Every row: an op of kind elementwise needs no more of this engine."""
