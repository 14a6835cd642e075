"""A small typed builder of LLVM's text form: values with an element type and lanes, straight code, loops and branches.

It writes text and needs no LLVM. What it folds by itself is arithmetic of whole constants, so that an index like 0·16 + 4 costs
nothing; everything else is left to LLVM.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Never, Self

import numpy as np

ELEMENTS = {
    "float32": "float", "float64": "double", "bool": "i1", "uint8": "i8", "int32": "i32", "uint32": "i32", "int64": "i64",
}  # fmt: skip
"""The LLVM type of one number of each dtype, in a register; a bool in memory is a byte."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number (lanes 1), a vector of them, or a pointer: its LLVM element type, lanes, and the name or constant it is written as."""

    element: str
    lanes: int
    text: str

    @property
    def type(self) -> str:
        """The LLVM type."""
        return self.element if self.lanes == 1 else f"<{self.lanes} x {self.element}>"

    @property
    def is_float(self) -> bool:
        """Whether it holds floating-point numbers."""
        return self.element in {"float", "double"}

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


class Given(int):
    """A number that a function is given as `value`: nothing about its code can depend on it."""

    value: Value

    def __new__(cls, value: Value) -> Self:
        """The number that stands for it where code is written."""
        made = super().__new__(cls)
        made.value = value
        return made

    def _unknown(self, *_: object) -> Never:
        raise AssertionError(f"code that is given {self} depends on it")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = __neg__ = __bool__ = _unknown
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __hash__ = _unknown


class Extent(Given):
    """How many turns a loop has, one at least."""

    def __str__(self) -> str:
        return "as many as given"


class Stride(Given):
    """How far apart entries stand, or bytes, `factor` to each: two at least, so that it is neither 0 nor 1."""

    factor: int = 1

    def __mul__(self, other: int) -> Stride:
        made = Stride(self.value)
        made.factor = self.factor * other
        return made

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return False if other in (0, 1) else self._unknown()

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Given.__hash__

    def __str__(self) -> str:
        return "a stride"


@dataclass
class LlvmLoop:
    """A loop being written: its index, the carried values at the start of a turn, and those for the next turn."""

    index: Value
    carried: tuple[Value, ...]
    following: list[Value] = field(default_factory=list[Value])
    results: tuple[Value, ...] = ()


class LlvmFunction:
    """One function being written, instruction by instruction.

    >>> function = LlvmFunction("double_it", [("ptr", "x")])
    >>> x = function.load("float", 1, function.arguments[0])
    >>> function.store(function.binary("fadd", x, x), function.arguments[0])
    >>> print(function)
    define void @double_it(ptr noalias %x) {
    entry:
      %v1 = load float, ptr %x, align 4
      %v2 = fadd float %v1, %v1
      store float %v2, ptr %x, align 4
      ret void
    }
    """

    def __init__(self, name: str, arguments: Sequence[tuple[str, str]], result: str = "void", attributes: str = "") -> None:
        self.name, self.result, self.attributes = name, result, attributes
        self.arguments = tuple(Value(kind, 1, f"%{label}") for kind, label in arguments)
        self.lines: list[str] = []
        self.first_lines: list[str] = []
        self.block = "entry"
        self.declarations: set[str] = set()
        self.linkage = ""
        self.shares_memory = False
        self._count = 0

    # ---- instructions

    def _new(self) -> str:
        self._count += 1
        return f"%v{self._count}"  # not bare numbers: LLVM wants those in order of appearance

    @contextmanager
    def at_entry(self) -> Generator[None]:
        """Instructions go to the start of the function, where all of it can use their values."""
        outside, self.lines = self.lines, self.first_lines
        yield
        self.lines = outside

    def comment(self, text: str) -> None:
        """A line for the reader."""
        self.lines.append(f"  ; {text}")

    def emit(self, element: str, lanes: int, instruction: str) -> Value:
        """An instruction with a result."""
        name = self._new()
        self.lines.append(f"  {name} = {instruction}")
        return Value(element, lanes, name)

    def perform(self, instruction: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {instruction}")

    def binary(self, name: str, x: Value, y: Value) -> Value:
        """An LLVM instruction of two equal types: fadd, fmul, add, and, shl, ..."""
        if x.lanes == 1 and (folded := _fold(name, x, y)) is not None:
            return folded
        return self.emit(x.element, x.lanes, f"{name} {x.type} {x.text}, {y.text}")

    def negate(self, x: Value) -> Value:
        """−x of floats: the sign bit turned over, NaN and zero included."""
        return self.emit(x.element, x.lanes, f"fneg {x}")

    def compare(self, predicate: str, x: Value, y: Value) -> Value:
        """A bool in each lane; the predicate is LLVM's: oeq, olt, uno, ... for floats, eq, slt, ult, ... for whole numbers."""
        kind = "fcmp" if x.is_float else "icmp"
        return self.emit("i1", x.lanes, f"{kind} {predicate} {x.type} {x.text}, {y.text}")

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        """In each lane x where the condition holds, else y."""
        return self.emit(x.element, x.lanes, f"select {condition}, {x}, {y}")

    def call(self, name: str, element: str, lanes: int, *arguments: Value) -> Value:
        """A call of an LLVM intrinsic or an outside function, declared when first used."""
        kinds = ", ".join(item.type for item in arguments)
        kind = Value(element, lanes, "").type
        self.declarations.add(f"declare {kind} @{name}({kinds})")
        written = ", ".join(map(str, arguments))
        if element == "void":
            self.perform(f"call void @{name}({written})")
            return Value("void", 1, "")
        return self.emit(element, lanes, f"call {kind} @{name}({written})")

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """An intrinsic of one type, such as sqrt, fma, fabs, floor: `llvm.fma.v16f32`."""
        return self.call(f"llvm.{name}.{suffix(arguments[0])}", arguments[0].element, arguments[0].lanes, *arguments)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x·y + z, rounded once."""
        return self.intrinsic("fma", x, y, z)

    def convert(self, name: str, x: Value, element: str) -> Value:
        """A conversion: sitofp, fptosi, zext, sext, trunc, fpext, fptrunc, bitcast (lanes kept)."""
        target = replace(x, element=element).type
        return self.emit(element, x.lanes, f"{name} {x} to {target}")

    def convert_bits(self, mask: Value) -> Value:
        """A vector of bools as one whole number, a bit for each."""
        return self.emit(f"i{mask.lanes}", 1, f"bitcast {mask} to i{mask.lanes}")

    def constant(self, element: str, lanes: int, number: float) -> Value:
        """The same number in every lane."""
        text = literal(element, number)
        return Value(element, lanes, text if lanes == 1 else f"splat ({element} {text})")

    def like(self, x: Value, number: float) -> Value:
        """A constant of the type of x."""
        return self.constant(x.element, x.lanes, number)

    def index(self, number: int) -> Value:
        """A constant i64, or a stride that is given."""
        if isinstance(number, Stride):
            return self.binary("mul", number.value, self.index(number.factor))
        return Value("i64", 1, str(number))

    def vector(self, element: str, numbers: Sequence[float]) -> Value:
        """A constant vector."""
        return Value(element, len(numbers), "<" + ", ".join(f"{element} {literal(element, n)}" for n in numbers) + ">")

    def iota(self, element: str, lanes: int) -> Value:
        """0, 1, 2, ... in the lanes."""
        return self.vector(element, range(lanes)) if lanes > 1 else self.constant(element, 1, 0)

    def splat(self, x: Value, lanes: int) -> Value:
        """One number in every lane."""
        if lanes == 1 or x.lanes == lanes:
            return x
        if not x.text.startswith("%"):
            return Value(x.element, lanes, f"splat ({x.element} {x.text})")
        single = self.emit(x.element, lanes, f"insertelement <{lanes} x {x.element}> poison, {x}, i64 0")
        return self.shuffle(single, single, [0] * lanes)

    def shuffle(self, x: Value, y: Value, places: Sequence[int]) -> Value:
        """Lanes of x (0 ... n − 1) and y (n ...) in any order."""
        mask = "<" + ", ".join(f"i32 {place}" for place in places) + ">" if any(places) else "zeroinitializer"
        return self.emit(x.element, len(places), f"shufflevector {x}, {y}, <{len(places)} x i32> {mask}")

    def extract(self, x: Value, lane: int | Value) -> Value:
        """One lane."""
        if x.lanes == 1:
            return x
        place = lane.text if isinstance(lane, Value) else lane
        return self.emit(x.element, 1, f"extractelement {x}, i64 {place}")

    def part(self, x: Value, places: range) -> Value:
        """Some of the lanes; one lane is a number."""
        return self.extract(x, places[0]) if len(places) == 1 else self.shuffle(x, x, places)

    def insert(self, x: Value, number: Value, lane: int) -> Value:
        """The vector with one lane replaced."""
        return self.emit(x.element, x.lanes, f"insertelement {x}, {number}, i64 {lane}")

    # ---- memory

    def offset(self, pointer: Value, count: Value, size: int = 1) -> Value:
        """The pointer `count` elements of `size` bytes further."""
        moved = self.binary("mul", count, self.index(size))
        if moved.text == "0":
            return pointer
        return self.emit("ptr", 1, f"getelementptr inbounds i8, {pointer}, {moved}")

    def load(
        self, element: str, lanes: int, pointer: Value, mask: Value | None = None, tag: str = "", outside: float = 0
    ) -> Value:
        """Numbers that lie one behind the other; lanes outside the mask are not read and are 0, or what `outside` says."""
        kind = Value(element, lanes, "").type
        if mask is None:
            return self.emit(element, lanes, f"load {kind}, {pointer}, align {bytes_of(element)}{tag}")
        name = f"llvm.masked.load.{suffix(Value(element, lanes, ''))}.p0"
        # The alignment as a number: the form of LLVM 20, which later ones still read; the older one dies of theirs.
        self.declarations.add(f"declare {kind} @{name}(ptr, i32, <{lanes} x i1>, {kind})")
        filled = self.constant(element, lanes, outside)
        return self.emit(element, lanes, f"call {kind} @{name}({pointer}, i32 {bytes_of(element)}, {mask}, {filled}){tag}")

    def store(self, value: Value, pointer: Value, mask: Value | None = None, tag: str = "") -> None:
        """Writes the lanes one behind the other; those outside the mask are left alone."""
        align = bytes_of(value.element)
        if mask is None:
            self.perform(f"store {value}, {pointer}, align {align}{tag}")
            return
        name = f"llvm.masked.store.{suffix(value)}.p0"
        self.declarations.add(f"declare void @{name}({value.type}, ptr, i32, <{value.lanes} x i1>)")
        self.perform(f"call void @{name}({value}, {pointer}, i32 {align}, {mask}){tag}")

    def stack_memory(self, kind: str) -> Value:
        """Memory on the stack, taken once for the whole function."""
        name = self._new()
        self.first_lines.append(f"  {name} = alloca {kind}, align 64")
        return Value("ptr", 1, name)

    # ---- control

    def label(self, name: str) -> None:
        """Begins a block."""
        self.lines.append(f"{name}:")
        self.block = name

    def branch(self, target: str) -> None:
        """Goes to a block."""
        self.perform(f"br label %{target}")

    def branch_if(self, condition: Value, then: str, otherwise: str) -> None:
        """Goes to one of two blocks."""
        self.perform(f"br {condition}, label %{then}, label %{otherwise}")

    def fresh_label(self, word: str) -> str:
        """A name that no other block has."""
        self._count += 1
        return f"{word}{self._count}"

    def phi(self, x: Value, y: Value, from_x: str, from_y: str) -> Value:
        """x when coming from one block, y from the other."""
        return self.emit(x.element, x.lanes, f"phi {x.type} [ {x.text}, %{from_x} ], [ {y.text}, %{from_y} ]")

    @contextmanager
    def when(self, condition: Value) -> Generator[None]:
        """Code that runs only where the (scalar) condition holds; it leaves no values behind."""
        then, after = self.fresh_label("then"), self.fresh_label("after")
        self.branch_if(condition, then, after)
        self.label(then)
        yield
        self.branch(after)
        self.label(after)

    @contextmanager
    def loop(
        self, start: int | Value, stop: int | Value, step: int = 1, carried: Sequence[Value] = (), *, may_be_empty: bool = False
    ) -> Generator[LlvmLoop]:
        """A loop over start, start + step, ... below stop, of one turn at least; one of exactly one turn is written straight.

        Where limits are values the caller makes sure that there is a turn, or says that it may be empty. The body puts the carried
        values of the next turn into `following`; after the loop they are its `results`.
        """
        first = self.index(start) if isinstance(start, int) else start
        last = self.end(stop)
        if isinstance(start, int) and isinstance(stop, int) and not isinstance(stop, Extent) and start + step >= stop:
            once = LlvmLoop(first, tuple(carried))
            yield once
            once.results = tuple(once.following)
            return
        head, after, origin = self.fresh_label("loop"), self.fresh_label("done"), self.block
        if may_be_empty:
            self.branch_if(self.compare("slt", first, last), head, after)
        else:
            self.branch(head)
        self.label(head)
        loop = LlvmLoop(Value("i64", 1, self._new()), tuple(Value(v.element, v.lanes, self._new()) for v in carried))
        place = len(self.lines)
        yield loop
        following = self.binary("add", loop.index, self.index(step))
        again = self.compare("slt", following, last)
        latch = self.block
        pairs = [(loop.index, first, following), *zip(loop.carried, carried, loop.following, strict=True)]
        self.lines[place:place] = [
            f"  {name.text} = phi {name.type} [ {begin.text}, %{origin} ], [ {end.text}, %{latch} ]"
            for name, begin, end in pairs
        ]
        self.branch_if(again, head, after)
        self.label(after)
        loop.results = tuple(loop.following)
        if may_be_empty:
            loop.results = tuple([self.phi(x, y, origin, latch) for x, y in zip(carried, loop.following, strict=True)])

    def end(self, number: int | Value) -> Value:
        """Where a loop ends, as a value."""
        if isinstance(number, Value):
            return number
        return number.value if isinstance(number, Extent) else self.index(number)

    def multiple(self, extent: Extent, size: int) -> Value:
        """The largest multiple of a power of two that is no larger."""
        return extent.value if size == 1 else self.binary("and", extent.value, self.index(-size))

    def give_back(self, value: Value | None = None) -> None:
        """Returns from the function."""
        self.perform("ret void" if value is None else f"ret {value}")

    def __str__(self) -> str:
        apart = "" if self.shares_memory else " noalias"
        arguments = ", ".join(f"{v.type}{apart if v.type == 'ptr' else ''} {v.text}" for v in self.arguments)
        end = [] if self.lines and self.lines[-1].startswith("  ret ") else ["  ret void"]
        head = f"define {self.linkage}{self.result} @{self.name}({arguments}) {self.attributes}".rstrip()
        return "\n".join([head + " {", "entry:", *self.first_lines, *self.lines, *end, "}"])


def suffix(x: Value) -> str:
    """The part of an intrinsic's name that says its type: v16f32, f64, i32."""
    element = {"float": "f32", "double": "f64", "ptr": "p0"}.get(x.element, x.element)
    return element if x.lanes == 1 else f"v{x.lanes}{element}"


def bytes_of(element: str) -> int:
    """How many bytes a number takes in memory."""
    return {"float": 4, "double": 8, "i1": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "ptr": 8}[element]


def literal(element: str, number: float) -> str:
    """A number as LLVM writes it; floats by their bits, so that none is rounded twice."""
    if element == "i1":
        return "true" if number else "false"
    if element == "float":
        with np.errstate(over="ignore"):
            number = float(np.float32(number))
    if element in {"float", "double"}:
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    return str(int(number))


def bits(value: Value) -> int:
    """A constant's bits in 64, as a whole number: what `literal` wrote, read.

    >>> bits(Value("float", 1, literal("float", 1.0))) == 0x3F800000
    True
    """
    if value.element not in {"float", "double"}:
        return int({"true": "1", "false": "0"}.get(value.text, value.text))
    found = struct.pack("<Q", int(value.text, 16))
    if value.element == "float":
        found = struct.pack("<f4x", *struct.unpack("<d", found))
    return int.from_bytes(found, "little", signed=True)


def _fold(name: str, x: Value, y: Value) -> Value | None:
    if x.element != "i64" or name not in {"add", "mul", "sub"}:
        return None
    left, right = _whole(x), _whole(y)
    if left is not None and right is not None:
        return replace(x, text=str({"add": left + right, "mul": left * right, "sub": left - right}[name]))
    if name == "mul" and 0 in {left, right}:
        return replace(x, text="0")
    if (name == "mul" and right == 1) or (name in {"add", "sub"} and right == 0):
        return x
    if (name == "mul" and left == 1) or (name == "add" and left == 0):
        return y
    return None


def _whole(x: Value) -> int | None:
    return None if x.text.startswith("%") else int(x.text)
