"""A graph as loops over the entries of arrays: what C and JavaScript have in common, op by op.

Named quantities, and what is read more than once, are kept in arrays; all else is written into the expression that reads it. Views are
no code at all: they say where an entry is read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any

from chainrule.graph import CONSTANT, Array, Body, Graph, Node, Shape
from chainrule.immutable import immutable
from chainrule.interop.written.language import Language, Piece, Row
from chainrule.interop.written.names import Names
from chainrule.interop.written.places import Place, flat, unflat
from chainrule.interop.written.subject import Subject, prepared
from chainrule.ops import split_values
from chainrule.ops.unrolling import LoopTake, loop_key, loop_take, loop_takes, loop_turn

VARIABLES = "ijklmnpqrsuvw"


class StoreFirst(Exception):  # noqa: N818  (no error)
    """Says what is to be kept in an array of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node


class Loops:
    """Writes the body of a function that computes a graph's outputs; `arrays` are the variables of leaves, and of arrays of constants."""

    def __init__(self, language: Language, names: Names, arrays: Mapping[Node, str]) -> None:
        self.language, self.names = language, names
        self.arrays = dict(arrays)
        self.helpers: dict[str, None] = {}
        self.lines: list[str] = []
        self.scopes: list[set[str]] = [set()]
        self.kept: set[Node] = set()
        self.aliases: dict[Node, tuple[Node, tuple[Place, ...]]] = {}
        self.loops: dict[tuple[object, ...], dict[LoopTake, str]] = {}
        self.sizes: dict[str, int] = {}

    # ---- lines

    def say(self, line: str) -> None:
        """A line, as far in as it stands."""
        self.lines.append(f"{'    ' * len(self.scopes)}{line}")

    @contextmanager
    def block(self, head: str) -> Generator[None]:
        """Lines between braces."""
        self.say(f"{head} {{")
        self.scopes.append(set())
        yield
        self.scopes.pop()
        self.say("}")

    def local(self, name: str) -> str:
        """A variable of the block."""
        taken, count, found = set[str]().union(*self.scopes, self.names.used), 1, name
        while found in taken:
            count, found = count + 1, f"{name}{count + 1}"
        self.scopes[-1].add(found)
        return found

    @contextmanager
    def over(self, extents: Sequence[int], *, backwards: bool = False) -> Generator[tuple[Place, ...]]:
        """Loops, one inside the other; an extent of 1 needs none."""
        opened, places = 0, list[Place]()
        for extent in extents:
            if extent == 1:
                places.append(Place())
                continue
            name = next((letter for letter in VARIABLES if self._is_free(letter)), None) or self.local("i")
            ahead = f"{name} = 0; {name} < {extent}; {name}++"
            back = f"{name} = {extent - 1}; {name} >= 0; {name}--"
            self.say(f"for ({self.language.counter} {back if backwards else ahead}) {{")
            self.scopes.append({name})
            opened += 1
            places.append(Place.of(name, extent))
        yield tuple(places)
        for _ in range(opened):
            self.scopes.pop()
            self.say("}")

    def _is_free(self, name: str) -> bool:
        return name not in self.names.used and not any(name in scope for scope in self.scopes)

    # ---- graphs

    def compute(self, graph: Graph, outputs: Mapping[str, Node]) -> None:
        """All lines of a graph; `outputs` are the arrays that its outputs are written into."""
        state = (
            list(self.lines),
            [set(scope) for scope in self.scopes],
            set(self.names.used),
            dict(self.arrays),
            dict(self.loops),
        )
        forced = set[Node]()
        while True:
            try:
                self._compute(graph, outputs, forced)
                return
            except StoreFirst as first:
                if first.node not in graph.nodes:
                    raise
                # Written anew, with an array more.
                forced.add(first.node)
                lines, scopes, used, arrays, loops = state
                self.lines[:], self.scopes[:] = lines, [set(scope) for scope in scopes]
                self.names.used, self.arrays, self.loops = set(used), dict(arrays), dict(loops)

    def _compute(self, graph: Graph, outputs: Mapping[str, Node], forced: set[Node]) -> None:
        self.kept |= stored_nodes(graph) | forced
        targets = {node: name for name, node in outputs.items()}
        scope = ""
        for node in graph.nodes:
            if node.is_leaf or node not in self.kept:
                continue
            if node.scope != scope:
                scope = node.scope
                self.say(self.language.comment(scope))
            if node.op.name == "scan":
                self.arrays[node] = self._scanned(node, graph)
            elif node.type.size == 1 and node not in targets and node.op.kind != "placement":
                self.arrays[node] = self._one(node)
            else:
                name = self.arrays[node] = targets.get(node) or self.made(node)
                self._fill(node, name)
        for name, node in outputs.items():
            if node.is_leaf or self.arrays[node] != name:
                with self.over(node.shape) as places:
                    self.say(f"{self.entry(name, places, node.shape)} = {self.value(node, places).text};")

    def made(self, node: Node, name: str = "") -> str:
        """An array for a node, or one variable where it is one number."""
        name = self.names.fresh(name) if name else self.names.of(node)
        size = node.type.size
        self.sizes[name] = size
        self.say(f"{self.language.types[node.dtype]} {name};" if size == 1 else self.language.array(name, node.dtype, size))
        return name

    def entry(self, name: str, places: Sequence[Place], shape: Shape) -> str:
        """An entry of an array."""
        return name if self.sizes.get(name) == 1 else f"{name}[{flat(places, shape)}]"

    def _one(self, node: Node) -> str:
        """A variable that holds the one number of a node."""
        text = self.computed(node, (Place(),) * node.type.ndim).text
        if text not in self.scopes[-1] or node.name:
            name = self.names.of(node)
            self.say(f"{self.language.types[node.dtype]} {name} = {text};")
            text = name
        self.sizes[text] = 1
        return text

    def _fill(self, node: Node, name: str) -> None:
        if node.op.kind == "placement":
            self._place(node, name)
            return
        with self.over(node.shape) as places:
            value = self.computed(node, places).text
            self.say(f"{self.entry(name, places, node.shape)} = {value};")

    # ---- what is put at places

    def _place(self, node: Node, name: str) -> None:
        zero = self.language.number(0, node.dtype)
        if node.op.name != "concatenate":
            with self.over(node.shape) as places:
                first = self.value(node.inputs[0], places).text if node.op.name == "scatter_add" else zero
                self.say(f"{self.entry(name, places, node.shape)} = {first};")
        sign = "=" if node.op.name in {"pad", "concatenate"} else "+="
        for source, target in self.targets(node):
            with self.over(source.shape) as places:
                at = target(places)
                self.say(f"{self.entry(name, at, node.shape)} {sign} {self.value(source, places).text};")

    def targets(self, node: Node) -> Iterator[tuple[Node, Callable[[tuple[Place, ...]], tuple[Place, ...]]]]:
        """Each piece, and where its entries stand in the whole."""
        attributes: Mapping[str, Any] = node.attributes
        if node.op.name == "pad":
            steps = list(zip(attributes["low"], attributes["interior"], strict=True))
            yield node.inputs[0], lambda places: tuple(p * (gap + 1) + low for p, (low, gap) in zip(places, steps, strict=True))
        elif node.op.name == "concatenate":
            axis: int = attributes["axis"]
            start = 0
            for source in node.inputs:
                yield source, partial(_moved, axis, start)
                start += source.shape[axis]
        elif node.op.name == "overlap_add":
            yield node.inputs[0], lambda places: _through_windows(node, places)
        else:
            axis, indices = attributes["axis"], node.inputs[1]

            def target(places: tuple[Place, ...]) -> tuple[Place, ...]:
                behind = axis + indices.type.ndim
                return (*places[:axis], self._position(indices, places[axis:behind], node.shape[axis]), *places[behind:])

            yield node.inputs[2], target

    # ---- expressions

    def value(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The entry of a node at places: read from its array, or computed here."""
        if node in self.arrays:
            return Piece(self.entry(self.arrays[node], places, node.shape))
        if node in self.aliases:
            outer, before = self.aliases[node]
            return self.value(outer, (*before, *places))
        if node.op is CONSTANT:
            return self._number(node.attributes["value"].flat[0], node.dtype)
        return self.computed(node, places)

    def _number(self, value: Any, dtype: str) -> Piece:
        text = self.language.number(value, dtype)
        return Piece(text, 1 if text.startswith("-") else 0)

    def computed(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The entry of a node, computed from its inputs."""
        if node.op.kind == "view":
            return self.value(node.inputs[0], self.seen(node, places))
        if node.op.kind == "placement":
            raise StoreFirst(node)
        match node.op.name:
            case "matmul":
                return self.matmul(node, places)
            case "reduce_sum" | "reduce_max" | "reduce_min":
                return self.reduced(node, places)
            case "argmax":
                return self.argmax(node, places)
            case "gather":
                return self.gather(node, places)
            case "one_hot":
                return self.one_hot(node, places)
            case "cast":
                return self.cast(node, places)
            case _:
                return self.applied(node, [self.value(source, places) for source in node.inputs])

    def applied(self, node: Node, operands: list[Piece]) -> Piece:
        """An op of the language's table on operands."""
        row, f = self._row(node.op.name, node.inputs[0].dtype if node.op.name != "where" else node.dtype)
        return row.filled(operands, f)

    def _row(self, op: str, dtype: str) -> tuple[Row, str]:
        """How an op is written, and what its functions end with; the function that it needs will be there."""
        row, f = self.language.rows[op], self.language.suffix.get(dtype, "")
        if row.helper:
            self.helpers[row.helper.replace("{f}", f).replace("{type}", self.language.types.get(dtype, ""))] = None
        return row, f

    def seen(self, node: Node, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """Where a view reads its input."""
        source, attributes = node.inputs[0], node.attributes
        match node.op.name:
            case "transpose":
                return tuple(places[attributes["axes"].index(axis)] for axis in range(len(places)))
            case "broadcast_to":
                seen = places[len(places) - source.type.ndim :]
                return tuple(Place() if extent == 1 else place for place, extent in zip(seen, source.shape, strict=True))
            case "slice_axes":
                return tuple(
                    p * step + start for p, start, step in zip(places, attributes["starts"], attributes["steps"], strict=True)
                )
            case "flip":
                return tuple(
                    p * -1 + (node.shape[axis] - 1) if axis in attributes["axes"] else p for axis, p in enumerate(places)
                )
            case "windows":
                return _through_windows(node, places)
            case "reshape":
                found = unflat(flat(places, node.shape), source.shape)
                if found is None:
                    return self._in_memory(source, flat(places, node.shape))
                return found
            case _:
                return places

    def _in_memory(self, source: Node, place: Place) -> tuple[Place, ...]:
        """An entry of an array by its place in memory: on the last axis, which counts on through the others."""
        if source not in self.arrays:
            raise StoreFirst(source)
        return (*(Place(),) * (source.type.ndim - 1), place)

    def matmul(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """A sum of products."""
        x, y = node.inputs
        *before, row, column = places
        extents = self.split(x, x.type.ndim - 1) or self.split(y, y.type.ndim - 2) or (x.shape[-1],)

        def term(inner: tuple[Place, ...]) -> Piece:
            at = flat(inner, extents)
            left, right = self.value(x, (*before, row, at)), self.value(y, (*before, at, column))
            return Piece(f"{left.within(2)} * {right.within(1)}", 2)

        return self._added(node.dtype, extents, term)

    def _added(self, dtype: str, extents: Sequence[int], term: Callable[[tuple[Place, ...]], Piece]) -> Piece:
        if prod(extents) == 1:
            return term((Place(),) * len(extents))
        total = self.local("sum")
        self.say(f"{self.language.types[dtype]} {total} = {self.language.number(0, dtype)};")
        with self.over(extents) as inner:
            text = term(inner).text
            self.say(f"{total} += {text};")
        return Piece(total)

    def reduced(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """A sum, the largest or the smallest over axes."""
        (source,), axes = node.inputs, node.attributes["axes"]
        extents = [source.shape[axis] for axis in axes]

        def read(inner: tuple[Place, ...]) -> Piece:
            outer, within = iter(places), iter(inner)
            return self.value(source, tuple(next(within if axis in axes else outer) for axis in range(source.type.ndim)))

        if node.op.name == "reduce_sum":
            return self._added(node.dtype, extents, read)
        name = self.local("largest" if node.op.name == "reduce_max" else "smallest")
        start = self.value(source, tuple(Place() if a in axes else p for a, p in enumerate(_widened(places, axes)))).text
        self.say(f"{self.language.types[node.dtype]} {name} = {start};")
        row, f = self._row({"reduce_max": "maximum", "reduce_min": "minimum"}[node.op.name], node.dtype)
        with self.over(extents) as inner:
            self.say(f"{name} = {row.filled([Piece(name), read(inner)], f).text};")
        return Piece(name)

    def argmax(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The place of the largest."""
        (source,), axis = node.inputs, node.attributes["axis"]
        if source not in self.arrays:
            raise StoreFirst(source)
        best = self.local("best")
        self.say(f"{self.language.counter} {best} = 0;")
        with self.over([source.shape[axis]]) as (inner,):
            here = self.value(source, (*places[:axis], inner, *places[axis:])).text
            most = self.value(source, (*places[:axis], Place.of(best, source.shape[axis]), *places[axis:])).text
            self.say(f"if ({here} > {most}) {best} = {inner};")
        return self.language.cast(Piece(best), "int32", node.dtype)

    def gather(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """An entry at a place that is data; where there is no such place, not a number."""
        (source, indices), axis = node.inputs, node.attributes["axis"]
        behind = axis + indices.type.ndim
        at = self._position(indices, places[axis:behind], source.shape[axis])
        found = self.value(source, (*places[:axis], at, *places[behind:]))
        return Piece(f"{at} >= 0 && {at} < {source.shape[axis]} ? {found.within(6)} : {self.language.nan}", 7)

    def _position(self, indices: Node, places: tuple[Place, ...], extent: int) -> Place:
        name = self.local("at")
        self.say(
            f"{self.language.counter} {name} = {self.language.cast(self.value(indices, places), indices.dtype, 'int32').text};"
        )
        return Place.of(name, extent)

    def one_hot(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """1 at the label's place."""
        label = self.value(node.inputs[0], places[:-1])
        one, zero = (self.language.number(number, node.dtype) for number in (1, 0))
        return Piece(f"{label.within(3)} == {places[-1]} ? {one} : {zero}", 7)

    def cast(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The same number of another dtype."""
        return self.language.cast(self.value(node.inputs[0], places), node.inputs[0].dtype, node.dtype)

    def split(self, node: Node, axis: int) -> tuple[int, ...]:
        """The axes that an axis was made of, by a reshape of what has no array of its own; () where it was not."""
        while node not in self.arrays and node.inputs:
            source = node.inputs[0]
            if node.op.name == "transpose":
                axis = node.attributes["axes"][axis]
            elif node.op.name == "reshape" and source in self.arrays:
                return ()
            elif node.op.name == "reshape":
                behind, ahead = prod(node.shape[axis + 1 :]), prod(node.shape[axis:])
                parts = [e for a, e in enumerate(source.shape) if behind <= prod(source.shape[a + 1 :]) < ahead and e > 1]
                return tuple(parts) if prod(parts) == node.shape[axis] and len(parts) > 1 else ()
            elif node.op.kind != "elementwise":
                return ()
            node = source
        return ()

    # ---- loops over time

    def _scanned(self, node: Node, graph: Graph) -> str:
        """The array that holds what is taken from a loop; the loop is written once however much is taken."""
        key = loop_key(node)
        if key not in self.loops:
            self.loops[key] = self._turns(node, loop_takes(graph, node))
        return self.loops[key][loop_take(node)]

    def _turns(self, node: Node, taken: Mapping[LoopTake, Node]) -> dict[LoopTake, str]:
        body: Body = node.attributes["body"]
        turn = prepared(loop_turn(node, taken), self.language.known)
        states, sequences, constants = split_values(body, node.inputs)
        carried = {name: self.made(source, f"{node.scope}_{name}") for name, source in states.items()}
        found = {take: self.made(other, f"{node.scope}_every_{take[0].rpartition('.')[2]}") for take, other in taken.items()}
        for name, source in states.items():
            with self.over(source.shape) as places:
                self.say(f"{self.entry(carried[name], places, source.shape)} = {self.value(source, places).text};")
        with self.over([node.attributes["length"]], backwards=bool(node.attributes.get("reverse"))) as turn_place:
            for name, leaf in turn.leaves.items():
                if name in carried:
                    self.arrays[leaf] = carried[name]
                else:
                    self.aliases[leaf] = (sequences[name], turn_place) if name in sequences else (constants[name], ())
            # What a turn finds is noted before its next values take their place.
            before = {take for take in taken if take[1]}
            for take in before:
                self._note(found[take], carried[take[0]], taken[take], turn_place)
            self.compute(turn, {})
            following = {name: self._apart(turn.outputs[name], carried) for name in body.states}
            for take in taken.keys() - before:
                self._note(found[take], turn.outputs[take[0]], taken[take], turn_place)
            for name, value in following.items():
                with self.over(states[name].shape) as places:
                    target = self.entry(carried[name], places, states[name].shape)
                    self.say(f"{target} = {self.entry(value, places, states[name].shape)};")
        return found

    def _apart(self, node: Node, carried: Mapping[str, str]) -> str:
        """The array of a next value; where that is another state as it is, a copy."""
        name = self.arrays.get(node)
        if name is not None and name not in carried.values():
            return name
        copy = self.made(node, "next")
        with self.over(node.shape) as places:
            self.say(f"{self.entry(copy, places, node.shape)} = {self.value(node, places).text};")
        return copy

    def _note(self, target: str, source: Node | str, taken: Node, turn: tuple[Place, ...]) -> None:
        shape = taken.shape[1:]
        with self.over(shape) as places:
            value = self.entry(source, places, shape) if isinstance(source, str) else self.value(source, places).text
            self.say(f"{self.entry(target, (*turn, *places), taken.shape)} = {value};")


def _widened(places: tuple[Place, ...], axes: Shape) -> tuple[Place, ...]:
    """The places with one of 0 at each of the axes."""
    outer = iter(places)
    return tuple(Place() if axis in axes else next(outer) for axis in range(len(places) + len(axes)))


def _moved(axis: int, start: int, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Places further along an axis."""
    return (*places[:axis], places[axis] + start, *places[axis + 1 :])


def _through_windows(node: Node, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Where the entry of a window stands in what the windows slide over."""
    axes, end = node.attributes["axes"], node.attributes["axes"][-1] + 1
    taps, kept = places[end : end + len(axes)], [*places[:end], *places[end + len(axes) :]]
    for axis, tap, stride, dilation in zip(axes, taps, node.attributes["strides"], node.attributes["dilations"], strict=True):
        kept[axis] = kept[axis] * stride + tap * dilation
    return tuple(kept)


def stored_nodes(graph: Graph) -> set[Node]:
    """The nodes that get an array: outputs, what has a name, what is put together, and what would be computed several times."""
    outputs, kept, times = set(graph.outputs.values()), set[Node](), dict[Node, int]()
    for node in reversed(graph.nodes):
        count = times.get(node, 0)
        if node.is_leaf:
            continue
        computes = node.op.kind not in {"view"}
        if node in outputs or node.name or node.op.kind in {"placement", "loop"} or (computes and count > 1):
            kept.add(node)
            count = 1
        for source in node.inputs:
            several = node.op.name in _REPEATING or source.type.size < node.type.size
            times[source] = times.get(source, 0) + (2 * count if several else count)
    return kept


_REPEATING = {"gather", "matmul", "one_hot", "scan", "windows"}


@immutable
class Functions:
    """What a file of loops holds: constants by their variables, the variables of inputs and outputs, helpers, the lines of `predict`.

    `numbers`: how many numbers the function keeps.
    """

    constants: dict[str, tuple[Shape, Array]]
    inputs: dict[str, Node]
    outputs: dict[str, Node]
    helpers: list[str]
    lines: list[str]
    numbers: int


def functions(subject: Subject, language: Language, names: Names) -> Functions:
    """A subject in a language with loops."""
    graph = subject.graph
    inputs = {names.fresh(name): node for name, node in subject.inputs.items()}
    outputs = {names.fresh(name): node for name, node in graph.outputs.items()}
    constants = {names.of(node): (node, value) for node, value in subject.values.items()}
    arrays = {node: name for name, (node, _) in constants.items()} | {node: name for name, node in inputs.items()}
    loops = Loops(language, names, arrays)
    loops.compute(graph, outputs)
    return Functions(
        {name: (node.shape, value) for name, (node, value) in constants.items()},
        inputs, outputs, list(loops.helpers), loops.lines, sum(loops.sizes.values()),
    )  # fmt: skip
