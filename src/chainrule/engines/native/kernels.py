"""The schedule's data: buffers, places in them, and kernels, which are loop nests with a body in single-assignment form.

A kernel runs over the space of its loops. Without a core it is a map: the body is computed at each point and some of it stored.
With a core, a reduction or a matrix product, the core's result at a point is one more value that the body starts from; a
reduction has further, inner loops with a body of their own. All of it is plain data that prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np

from chainrule.graph import Shape, Type
from chainrule.immutable import immutable

SHARED_COST = 250_000
"""What a kernel costs that is shared between threads, in operations: some five microseconds, where handing over takes one or two."""
LANES = 16
"""How many numbers the widest vectors hold."""

Affine: TypeAlias = tuple[int, ...]
"""A whole number that depends on the loops: (constant, coefficient of loop 0, of loop 1, ...)."""


def loop_names(count: int) -> list[str]:
    """i, j, k, ... for so many loops."""
    letters = "ijklmnopqrsuwxyz"
    return [letters[number] if number < len(letters) else f"i{number}" for number in range(count)]


@dataclass(eq=False)
class Buffer:
    """Memory for the entries of one node.

    `kind` says whose memory it is, and how its address is found. arena: the engine's own. scratch: each thread's own. constant: the
    engine's, never written. state: carried from step to step by the caller. rows: a table, read through the order. block: a table's rows,
    one behind the other. scalar: one number a step. record: written at each step's place. stacked: rows one behind the other. part: entries
    of another buffer, `whole`, from the entry `start` on, at each turn of a loop over time or rows `turn` entries further, for each piece
    of its rows `piece` entries. `name` is the leaf's or output's name where the memory is the caller's.
    """

    label: str
    type: Type
    kind: str = "arena"
    name: str = ""
    offset: int = -1
    value: np.ndarray[Any, Any] | None = None
    whole: Buffer | None = None
    start: int = 0
    turn: int = 0
    piece: int = 0

    @property
    def memory(self) -> Buffer:
        """The buffer whose bytes these are: itself, unless it is part of another."""
        return self if self.whole is None else self.whole.memory

    @property
    def shift(self) -> tuple[int, int, int]:
        """From which entry of `memory` on it stands, and how many entries further at each turn and for each piece."""
        start, turn, piece = (0, 0, 0) if self.whole is None else self.whole.shift
        return start + self.start, turn + self.turn, piece + self.piece

    @property
    def nbytes(self) -> int:
        """How many bytes its numbers take."""
        return self.type.nbytes


@immutable
class MemoryPlace:
    """An entry of a buffer: `at` counts entries. With `row`, the table's row that stands there in the order, and `at` counts in it."""

    buffer: Buffer
    at: Affine
    row: Affine | None = None

    def moved(self, change: Callable[[Affine], Affine]) -> MemoryPlace:
        """The place in other loops."""
        return replace(self, at=change(self.at), row=None if self.row is None else change(self.row))

    def text(self, names: Sequence[str]) -> str:
        """As label[i·16 + j], counted in the whole buffer; t is the turn of a loop over time, p the piece of its rows."""
        start, turn, piece = self.buffer.shift
        inside = affine_text((self.at[0] + start, turn, piece, *self.at[1:]), ("t", "p", *names))
        if self.row is not None:
            inside = f"order[{affine_text(self.row, names)}], {inside}"
        return f"{self.buffer.label}[{inside}]"


@immutable
class Instruction:
    """One value of a body. `op` is an op's name, or load, fetch, constant, index, core; `arguments` are earlier lines.

    load: the number at `place`. fetch: the number at place + argument · attributes["stride"], the argument checked against
    attributes["extent"]. constant: attributes["value"]. index: the number attributes["at"] itself. core: the core's result with the
    number attributes["number"].
    """

    op: str
    dtype: str
    arguments: tuple[int, ...] = ()
    place: MemoryPlace | None = None
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    label: str = ""

    def moved(self, change: Callable[[Affine], Affine]) -> Instruction:
        """The same in other loops."""
        if self.op == "index":
            return replace(self, attributes={**self.attributes, "at": change(self.attributes["at"])})
        return self if self.place is None else replace(self, place=self.place.moved(change))

    @property
    def affine(self) -> tuple[Affine, ...]:
        """Its numbers that depend on the loops."""
        if self.place is not None:
            return (self.place.at,) if self.place.row is None else (self.place.at, self.place.row)
        return (self.attributes["at"],) if self.op == "index" else ()


@immutable
class Store:
    """A value of a body and where it is written."""

    value: int
    place: MemoryPlace


@dataclass
class KernelBody:
    """Lines in order, each computed once at each point, and the stores after them."""

    lines: list[Instruction] = field(default_factory=list[Instruction])
    stores: list[Store] = field(default_factory=list[Store])

    def moved(self, change: Callable[[Affine], Affine]) -> KernelBody:
        """The same in other loops: `change` says what becomes of a number that depends on them."""
        lines = [line.moved(change) for line in self.lines]
        return KernelBody(lines, [Store(store.value, store.place.moved(change)) for store in self.stores])

    @property
    def places(self) -> Iterator[MemoryPlace]:
        """Every place read or written."""
        yield from (line.place for line in self.lines if line.place)
        yield from (store.place for store in self.stores)

    @property
    def affine(self) -> Iterator[Affine]:
        """Every number that depends on the loops."""
        for line in self.lines:
            yield from line.affine
        for store in self.stores:
            yield store.place.at


@immutable
class Result:
    """One result of a reduction: reduce_sum, reduce_max, reduce_min or argmax of a value of the inner body."""

    op: str
    value: int


@dataclass
class Reduction:
    """One value or more of the inner body reduced over the inner loops; the body's core lines take the results by their number.

    `along`: the last inner loop is the one whose entries stand side by side in memory.
    """

    extents: Shape
    body: KernelBody
    results: list[Result]
    along: bool

    def dtype(self, number: int) -> str:
        """The dtype of what is reduced."""
        return self.body.lines[self.results[number].value].dtype


@dataclass
class Product:
    """A matrix product over the last two loops: Σ over `inner` of left·right; their places count it as one further loop.

    Where the left matrix is read through windows the sum runs over several loops, `parts`, which the places count instead; the rows
    are then those of all loops but the last, and the right matrix is the same for each; `over_rows`: the sum runs over the positions of
    windows, those of all examples, and not over what they cover. With `panel` the right matrix stands in panels of so many columns, one
    behind the other.
    """

    inner: int
    left: MemoryPlace
    right: MemoryPlace
    dtype: str
    parts: Shape = ()
    over_rows: bool = False
    panel: int = 0

    @property
    def loops(self) -> Shape:
        """The extents of the loops that the sum runs over."""
        return self.parts or (self.inner,)


@dataclass
class Scatter:
    """Additions one after the other, in the order of the loops: stores add to what stands at place + argument · stride.

    Without a position they add to what stands at the place, and turns of the first loop add to entries that are apart.
    """

    stride: int = 0
    extent: int = 1
    position: int | None = None


@dataclass
class Turns:
    """A loop over time: kernels that run one after the other at each turn; parts of buffers move on from turn to turn.

    With several `pieces` the kernels are those of a piece of the rows, which goes through all turns apart from the others.
    """

    count: int
    kernels: list[Kernel]
    pieces: int = 1


@dataclass
class Kernel:
    """A loop nest: `extents` of its loops, core or none, body; or a loop over time, of kernels of its own."""

    label: str
    extents: Shape
    body: KernelBody
    core: Reduction | Product | Scatter | Turns | None = None

    @property
    def points(self) -> int:
        """How often the body is computed."""
        return prod(self.extents)

    @property
    def work(self) -> int:
        """About how many operations it does."""
        match self.core:
            case Reduction():
                return self.points * (prod(self.core.extents) * (len(self.core.body.lines) + 1) + len(self.body.lines))
            case Product():
                return self.points * (2 * self.core.inner + len(self.body.lines))
            case Turns():
                return self.core.count * self.core.pieces * sum(kernel.work for kernel in self.core.kernels)
            case _:
                return self.points * (len(self.body.lines) + len(self.body.stores))

    @property
    def cost(self) -> float:
        """Its time, in operations of full vectors: a product does four in the time of one; along a short last loop lanes idle."""
        match self.core:
            case Product():
                return self.work / 4
            case Turns():
                return self.core.count * self.core.pieces * sum(kernel.cost for kernel in self.core.kernels)
            case _:
                reduced = self.core.extents if isinstance(self.core, Reduction) and self.core.along else ()
                loops = (*self.extents, *reduced)
                return self.work * max(1, LANES / max(loops[-1], 1)) if loops else self.work

    @property
    def bodies(self) -> tuple[KernelBody, ...]:
        """The inner body, where there is one, and the body."""
        return (self.core.body, self.body) if isinstance(self.core, Reduction) else (self.body,)

    @property
    def reads(self) -> list[Buffer]:
        """The buffers that it reads."""
        if isinstance(self.core, Turns):
            return [buffer for kernel in self.core.kernels for buffer in kernel.reads]
        found = [line.place.buffer for body in self.bodies for line in body.lines if line.place]
        if isinstance(self.core, Product):
            found += [self.core.left.buffer, self.core.right.buffer]
        if isinstance(self.core, Scatter):
            found += [store.place.buffer for store in self.body.stores]
        return [buffer.memory for buffer in found]

    @property
    def writes(self) -> list[Buffer]:
        """The buffers that it writes."""
        if isinstance(self.core, Turns):
            return [buffer for kernel in self.core.kernels for buffer in kernel.writes]
        return [store.place.buffer.memory for body in self.bodies for store in body.stores]

    @property
    def all(self) -> Iterator[Kernel]:
        """Itself, or the kernels of its turns."""
        if isinstance(self.core, Turns):
            for kernel in self.core.kernels:
                yield from kernel.all
        else:
            yield self

    def __str__(self) -> str:
        return "\n".join(_kernel_lines(self))


def affine_text(at: Affine, names: Sequence[str]) -> str:
    """A number that depends on the loops, as i·16 + j + 3."""
    terms = [f"{name}·{c}".replace("-", "−") if c != 1 else name for name, c in zip(names, at[1:], strict=False) if c]
    if at[0] or not terms:
        terms.append(str(at[0]))
    return " + ".join(terms)


def _kernel_lines(kernel: Kernel) -> Iterator[str]:
    if isinstance(kernel.core, Turns):
        pieces = f"for p < {kernel.core.pieces}, apart, " * (kernel.core.pieces > 1)
        yield f"{kernel.label}: {pieces}for t < {kernel.core.count}, one turn after the other"
        for inner in kernel.core.kernels:
            yield from (f"  {line}" for line in _kernel_lines(inner))
        return
    names = loop_names(len(kernel.extents))
    head = ", ".join(f"{name} < {extent}" for name, extent in zip(names, kernel.extents, strict=True))
    yield f"{kernel.label}: for {head}" if head else f"{kernel.label}: once"
    core = kernel.core
    if isinstance(core, Reduction):
        inner = loop_names(len(kernel.extents) + len(core.extents))
        tail = ", ".join(f"{name} < {e}" for name, e in zip(inner[len(names) :], core.extents, strict=True))
        yield f"  reduce for {tail}" if tail else "  reduce once"
        yield from (f"    {text}" for text in _body_lines(core.body, inner, "t"))
        yield from (f"    core{number or ''} = {result.op}(t{result.value})" for number, result in enumerate(core.results))
    elif isinstance(core, Product):
        inner = loop_names(len(names) + len(core.loops))
        over = ", ".join(f"{name} < {extent}" for name, extent in zip(inner[len(names) :], core.loops, strict=True))
        yield f"  core = Σ {over}: {core.left.text(inner)} · {_right_text(core, inner)}"
    yield from (f"  {text}" for text in _body_lines(kernel.body, names, "v", core))


def _right_text(core: Product, names: Sequence[str]) -> str:
    if not core.panel:
        return core.right.text(names)
    *_, column, k = names
    return f"{core.right.buffer.label}[{column}//{core.panel}·{core.inner * core.panel} + {k}·{core.panel} + {column}%{core.panel}]"


def _body_lines(body: KernelBody, names: Sequence[str], letter: str, core: object = None) -> Iterator[str]:
    for number, line in enumerate(body.lines):
        yield f"{letter}{number} = {_line_text(line, names, letter)}"
    for store in body.stores:
        if isinstance(core, Scatter) and core.position is None:
            yield f"{store.place.text(names)} += {letter}{store.value}"
        elif isinstance(core, Scatter):
            yield f"{store.place.text(names)} at {letter}{core.position}·{core.stride} += {letter}{store.value}"
        else:
            yield f"{store.place.text(names)} := {letter}{store.value}"


def _line_text(line: Instruction, names: Sequence[str], letter: str) -> str:
    arguments = [f"{letter}{number}" for number in line.arguments]
    match line.op:
        case "core":
            return f"core{line.attributes.get('number') or ''}"
        case "constant":
            return f"{line.attributes['value']!r}"
        case "index":
            return affine_text(line.attributes["at"], names)
        case "load":
            assert line.place is not None  # noqa: S101  (a load has a place)
            return line.place.text(names)
        case "fetch":
            assert line.place is not None  # noqa: S101  (as above)
            return f"{line.place.text(names)} at {arguments[0]}·{line.attributes['stride']}"
        case "cast":
            return f"{line.dtype}({arguments[0]})"
        case _:
            return f"{line.op}({', '.join(arguments)})"
