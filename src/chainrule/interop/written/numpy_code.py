"""A network as Python that needs NumPy alone: a line to each quantity, for any number of examples; run as a program it tests itself."""

from __future__ import annotations

import builtins
import keyword
import pprint
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, Array, Graph, Node
from chainrule.interop.portable import Portable
from chainrule.interop.written.language import Piece, Row, words_of
from chainrule.interop.written.names import Names
from chainrule.interop.written.subject import Subject, is_uniform, prepared, shape_words, wrapped
from chainrule.ops import split_values
from chainrule.ops.unrolling import LoopTake, loop_key, loop_take, loop_takes, loop_turn

SIZES = (2, 3, 5)
"""For how many examples graphs are compared, to find what goes by their number."""
WIDTH = 72
"""Up to how many letters an unnamed quantity is written into the line that reads it."""

WINDOWS = '''def windows(x, axes, taps, strides, dilations):
    """The entries that windows cover, at each of their positions along axes."""
    spans = [(tap - 1) * dilation + 1 for tap, dilation in zip(taps, dilations)]
    found = np.lib.stride_tricks.sliding_window_view(x, spans, axes)
    places = [slice(None)] * x.ndim
    for axis, stride in zip(axes, strides):
        places[axis] = slice(None, None, stride)
    found = found[(*places, *(slice(None, None, dilation) for dilation in dilations))]
    return np.moveaxis(found, range(x.ndim, found.ndim), range(axes[-1] + 1, axes[-1] + 1 + len(axes)))'''
OVERLAP = '''def overlap_add(x, axes, extents, strides, dilations):
    """The sum of overlapping pieces."""
    end = axes[-1] + 1
    taps = x.shape[end : end + len(axes)]
    shape = [*x.shape[:end], *x.shape[end + len(axes) :]]
    for axis, extent in zip(axes, extents):
        shape[axis] = extent
    out = np.zeros(shape, x.dtype)
    for tap in np.ndindex(*taps):
        places = [slice(None)] * len(shape)
        for axis, at, stride, dilation in zip(axes, tap, strides, dilations):
            places[axis] = slice(at * dilation, at * dilation + (x.shape[axis] - 1) * stride + 1, stride)
        out[tuple(places)] += x[(slice(None),) * end + tap]
    return out'''
SPACED = '''def spaced(x, low, high, interior):
    """Zeros around x and between its entries."""
    shape = [a + n + max(n - 1, 0) * gap + b for n, a, b, gap in zip(x.shape, low, high, interior)]
    out = np.zeros(shape, x.dtype)
    out[tuple(slice(a, n - b, gap + 1) for n, a, b, gap in zip(shape, low, high, interior))] = x
    return out'''
POSITIONS = '''def positions(ids, count):
    """Whole numbers from 0 to count - 1, or an error."""
    if np.any((ids < 0) | (ids >= count)):
        raise ValueError(f"positions {ids.min()} ... {ids.max()}; expected: 0 ... {count - 1}")
    return ids.astype(int)'''
ADDED = '''def added(x, places, updates, axis):
    """x with updates added at places of an axis."""
    out = x.copy()
    before = tuple(range(axis, axis + places.ndim))
    np.add.at(np.moveaxis(out, axis, 0), places, np.moveaxis(updates, before, range(places.ndim)))
    return out'''
ERF = "erf = np.vectorize(math.erf, otypes=[float])"

ROWS = {
    "add": Row("{0} + {1}", 3), "subtract": Row("{0} - {1}", 3), "multiply": Row("{0} * {1}", 2), "divide": Row("{0} / {1}", 2),
    "negative": Row("-{0}", 1, limit=0), "power": Row("np.power({0}, {1})"),
    "maximum": Row("np.maximum({0}, {1})"), "minimum": Row("np.minimum({0}, {1})"), "equal": Row("np.equal({0}, {1})"),
    "not_equal": Row("np.not_equal({0}, {1})"), "less": Row("np.less({0}, {1})"), "less_equal": Row("np.less_equal({0}, {1})"),
    "greater": Row("np.greater({0}, {1})"), "greater_equal": Row("np.greater_equal({0}, {1})"),
    "logical_and": Row("np.logical_and({0}, {1})"), "logical_or": Row("np.logical_or({0}, {1})"), "logical_not": Row("np.logical_not({0})"),
    "where": Row("np.where({0}, {1}, {2})"), "exp": Row("np.exp({0})"), "expm1": Row("np.expm1({0})"), "log": Row("np.log({0})"),
    "log1p": Row("np.log1p({0})"), "sqrt": Row("np.sqrt({0})"), "sin": Row("np.sin({0})"), "cos": Row("np.cos({0})"),
    "tanh": Row("np.tanh({0})"), "sigmoid": Row("1 / (1 + np.exp(-{0}))", 2, limit=0), "softplus": Row("np.logaddexp(0, {0})"),
    "relu": Row("np.maximum({0}, 0)"), "erf": Row('erf({0}).astype("{f}")', helper=ERF), "absolute": Row("np.abs({0})"),
    "sign": Row("np.sign({0})"), "floor": Row("np.floor({0})"), "square": Row("np.square({0})"), "arctan": Row("np.arctan({0})"),
    "stop_gradient": Row("{0}", 9),
}  # fmt: skip
"""Ops that are written by their operands alone; for the others see _WRITERS."""


_HELPERS = "np math n windows overlap_add spaced positions added predict classify test off CLASSES"
WORDS = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *_HELPERS.split()}) | words_of(ROWS.values())
"""Words of the language and of the file itself, which no variable may be called."""


def write(portable: Portable) -> dict[str, bytes]:
    """The file: its constants, predict, classify, and the test."""
    subject = Subject(portable, (*ROWS, *_WRITERS, "scan"), SIZES[0])
    names = Names(WORDS)
    body = _Body(subject, names)
    said = subject.head
    lines = [f'"""{_plain(said[0])}', "", *map(_plain, said[1:]), *_USE, '"""', ""]
    lines += ["import math", "", "import numpy as np", ""] if ERF in body.helpers else ["import numpy as np", ""]
    if subject.classes is not None:
        lines += [f"CLASSES = {pprint.pformat(list(subject.classes), width=120, compact=True)}", ""]
    for name, (shape, value) in body.constants.items():
        lines += [f"# {name}: {shape_words(shape)}", *_array(name, value), ""]
    lines += [line for helper in body.helpers for line in ("", helper, "")]
    lines += ["", *_predict(subject, body), "", "", *_test(subject, body)]
    return {".py": ("\n".join(lines) + "\n").encode()}


_USE = (
    "Written by chainrule; it needs Python and NumPy. import it and call predict(x) with any number of examples.",
    "Test: python THIS_FILE",
)


def _plain(line: str) -> str:
    """A line that may stand in a docstring."""
    return line.replace("\\", "\\\\").replace('"""', "'''")


def number(value: Any) -> str:
    """A number as Python reads it back."""
    if isinstance(value, np.floating) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "-np.inf" if value < 0 else "np.inf"
    return str(value.item() if not isinstance(value, np.floating) else value)


def _array(name: str, value: Array) -> list[str]:
    shape = f".reshape{value.shape}" if value.ndim > 1 else ""
    texts = wrapped((number(item) for item in value.reshape(-1)), 4)
    return [f"{name} = np.array([", *texts, f'], dtype="{value.dtype.name}"){shape}']


class _Body:
    """The lines of `predict`, of a graph for any number of examples, which is `n`."""

    def __init__(self, subject: Subject, names: Names) -> None:
        self.subject, self.names, self.graph = subject, names, subject.graph
        others = [] if subject.portable.size else [subject.sized(size) for size in SIZES[1:]]
        self.sizes = _extents([self.graph, *others])
        self.twins = (
            dict(zip(self.graph.nodes, zip(*(graph.nodes for graph in others), strict=True), strict=True)) if others else {}
        )
        self.inputs = {names.fresh(name): node for name, node in subject.inputs.items()}
        held = {names.of(node): (node, value) for node, value in subject.values.items()}
        self.constants = {name: (node.shape, value) for name, (node, value) in held.items()}
        self.texts = {node: Piece(name) for name, node in self.inputs.items()} | {
            node: Piece(name) for name, (node, _) in held.items()
        }
        self.helpers: dict[str, None] = {}
        self.lines: list[str] = []
        self.loops: dict[tuple[object, ...], dict[LoopTake, str]] = {}
        self.left_out: set[Node] = set()
        self.indent, self.uses_count = 1, False
        self.write_graph(self.graph)

    def say(self, line: str) -> None:
        """A line, as far in as it stands."""
        self.lines.append(f"{'    ' * self.indent}{line}")

    def write_graph(self, graph: Graph) -> None:
        """The lines of a graph, whose inputs have texts."""
        self.left_out |= _left_to_numpy(graph)
        outputs, scope = set(graph.outputs.values()), ""
        for node in graph.nodes:
            if node.is_leaf:
                if node not in self.texts:
                    self.texts[node] = _plain_number(node)
                continue
            piece = self._scanned(node, graph) if node.op.name == "scan" else self.value(node)
            is_short = len(piece.text) <= WIDTH and len(graph.users[node]) == 1 and not node.name
            if node in self.left_out or (node not in outputs and (is_short or piece.text.isidentifier())):
                self.texts[node] = piece
                continue
            if node.scope != scope:
                scope = node.scope
                self.say(f"# {scope}")
            name = self.names.of(node)
            self.say(f"{name} = {piece.text}")
            self.texts[node] = Piece(name)

    def value(self, node: Node) -> Piece:
        """A node as an expression."""
        if node.op.name in _WRITERS:
            return _WRITERS[node.op.name](self, node)
        row = ROWS[node.op.name]
        if row.helper:
            self.need(row.helper)
        return row.filled([self.texts[source] for source in node.inputs], node.dtype)

    def need(self, helper: str) -> None:
        """A function that the file has to hold."""
        self.helpers[helper] = None

    def array(self, node: Node) -> str:
        """A node as an array of its whole shape, in front of a dot or between commas."""
        text = self.texts[node].within(0)
        if node.op is CONSTANT and not text.isidentifier():
            return f'np.full({self.shape(node)}, {text}, "{node.dtype}")'
        return text

    def of(self, node: Node, place: int = 0) -> str:
        """An operand as an array."""
        return self.array(node.inputs[place])

    def extents(self, node: Node) -> tuple[str, ...]:
        """The extents of a node, in which n is the number of examples."""
        found = self.sizes.get(node, tuple(map(str, node.shape)))
        self.uses_count = self.uses_count or any("n" in extent for extent in found)
        return found

    def shape(self, node: Node) -> str:
        """Its shape as a tuple."""
        extents = self.extents(node)
        return f"({', '.join(extents)}{',' * (len(extents) == 1)})"

    # ---- loops over time

    def _scanned(self, node: Node, graph: Graph) -> Piece:
        key = loop_key(node)
        if key not in self.loops:
            self.loops[key] = self._turns(node, loop_takes(graph, node))
        return Piece(self.loops[key][loop_take(node)])

    def _turns(self, node: Node, takes: Collection[LoopTake]) -> dict[LoopTake, str]:
        """The lines of a loop over time; gives, for each that is taken, its values at all turns."""
        states, sequences, constants = split_values(node.attributes["body"], node.inputs)
        turns = [prepared(loop_turn(each, takes), self.subject.rows) for each in (node, *self.twins.get(node, ()))]
        turn, length = turns[0], node.attributes["length"]
        self.sizes |= _extents(turns) if len(turns) > 1 else {}
        carried = {name: self.names.fresh(f"{node.scope}_{name}") for name in states}
        found = {take: self.names.fresh(f"{node.scope}_every_{take[0].rpartition('.')[2]}") for take in takes}
        self.say(f"# {node.scope}, turn by turn")
        for name, source in states.items():
            self.say(f"{carried[name]} = {self.array(source)}")
        rows = {name: self._held(source, f"{node.scope}_{name}") for name, source in sequences.items()}
        for name in found.values():
            self.say(f"{name} = [None] * {length}")
        step = self.names.fresh("turn")
        self.say(f"for {step} in {f'reversed(range({length}))' if node.attributes.get('reverse') else f'range({length})'}:")
        self.indent += 1
        for name, leaf in turn.leaves.items():
            row = Piece(f"{rows[name]}[{step}]") if name in rows else None
            self.texts[leaf] = row or (Piece(carried[name]) if name in carried else Piece(self.array(constants[name])))
        for name, before in takes:
            if before:
                self.say(f"{found[name, True]}[{step}] = {carried[name]}")
        self.write_graph(turn)
        for name, before in takes:
            if not before:
                self.say(f"{found[name, False]}[{step}] = {self.array(turn.outputs[name])}")
        self.say(f"{', '.join(carried.values())} = {', '.join(self.array(turn.outputs[name]) for name in states)}")
        self.indent -= 1
        return {take: f"np.stack({name})" for take, name in found.items()}

    def _held(self, node: Node, name: str) -> str:
        """A variable for an array that a loop reads again and again."""
        text = self.array(node)
        if text.isidentifier():
            return text
        name = self.names.fresh(name)
        self.say(f"{name} = {text}")
        return name


def _left_to_numpy(graph: Graph) -> set[Node]:
    """The broadcasts that NumPy does by itself: where each that reads them has another operand of the whole shape."""
    found = set[Node]()

    def is_whole(node: Node) -> bool:
        return node not in found and not (node.op is CONSTANT and (node.type.size == 1 or is_uniform(node.attributes["value"])))

    for node in graph.nodes:
        users = graph.users[node]
        if node.op.name != "broadcast_to" or not users or node in graph.outputs.values():
            continue
        if all(user.op.kind == "elementwise" and any(o is not node and is_whole(o) for o in user.inputs) for user in users):
            found.add(node)
    return found


def _plain_number(node: Node) -> Piece:
    """A constant that is one number, or one number everywhere, which NumPy broadcasts."""
    text = number(node.attributes["value"].flat[0])
    return Piece(text, 1 if text.startswith("-") else 0)


def _extents(graphs: Sequence[Graph]) -> dict[Node, tuple[str, ...]]:
    """The extents of each node as texts, from the graphs for some numbers of examples; of one graph as they are.

    Raises: OptionError where something else than extents goes by the number of examples.
    """
    if len(graphs) == 1:
        return {node: tuple(map(str, node.shape)) for node in graphs[0].nodes}
    if len({len(graph.nodes) for graph in graphs}) > 1:
        raise _by_number("the graph")
    found: dict[Node, tuple[str, ...]] = {}
    for nodes in zip(*(graph.nodes for graph in graphs), strict=True):
        first = nodes[0]
        same = all(node.op is first.op and node.type.ndim == first.type.ndim for node in nodes)
        if not same or (first.op is CONSTANT and not all(_same_numbers(first, node) for node in nodes)):
            raise _by_number(first.name or first.op.name)
        found[first] = tuple(_extent(extents) for extents in zip(*(node.shape for node in nodes), strict=True))
    return found


def _extent(extents: Sequence[int]) -> str:
    (step, *others) = {(after - before) / (n - m) for (m, before), (n, after) in pairwise(zip(SIZES, extents, strict=True))}
    if others or step != int(step):
        raise _by_number("a shape")
    step = int(step)
    rest = extents[0] - step * SIZES[0]
    return str(extents[0]) if not step else f"{f'{step} * ' if step != 1 else ''}n{f' + {rest}' if rest else ''}"


def _same_numbers(one: Node, other: Node) -> bool:
    first, second = one.attributes["value"], other.attributes["value"]
    if is_uniform(first) and is_uniform(second):
        return bool(first.flat[0] == second.flat[0])
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _by_number(what: str) -> OptionError:
    return OptionError(
        f"{what} goes by the number of examples in a way that a file for any number cannot say",
        expected="a network that treats each example by itself",
        remedy='write to="c", whose file takes one example at a time',
    )


# ---- ops that are not written by their operands alone


def _reshape(body: _Body, node: Node) -> Piece:
    extents = body.extents(node)
    # One extent may be left to NumPy: the one in which the examples are counted.
    texts = ["-1" if "n" in extent else extent for extent in extents] if sum("n" in e for e in extents) == 1 else list(extents)
    return Piece(f"{body.of(node)}.reshape({', '.join(texts) or '()'})")


def _broadcast(body: _Body, node: Node) -> Piece:
    source, text = node.inputs[0], body.texts[node.inputs[0]]
    if node in body.left_out:
        return text
    if source.op is CONSTANT and source.type.size == 1:
        return Piece(f'np.full({body.shape(node)}, {text.text}, "{node.dtype}")')
    return Piece(f"np.broadcast_to({body.array(source)}, {body.shape(node)})")


def _slice(body: _Body, node: Node) -> Piece:
    keys: list[str] = []
    for axis, extent in enumerate(node.inputs[0].shape):
        start, stop, step = (node.attributes[name][axis] for name in ("starts", "stops", "steps"))
        whole = (start, stop, step) == (0, extent, 1)
        keys.append(":" if whole else f"{start}:{stop}" + (f":{step}" if step != 1 else ""))
    while len(keys) > 1 and keys[-1] == ":":
        keys.pop()
    return Piece(f"{body.of(node)}[{', '.join(keys)}]" if keys else body.of(node))


def _reduction(method: str) -> Callable[[_Body, Node], Piece]:
    def written(body: _Body, node: Node) -> Piece:
        axes = node.attributes["axes"]
        return Piece(f"{body.of(node)}.{method}(axis={axes[0] if len(axes) == 1 else axes})")

    return written


def _pad(body: _Body, node: Node) -> Piece:
    low, high, interior = (node.attributes[name] for name in ("low", "high", "interior"))
    if any(interior):
        body.need(SPACED)
        return Piece(f"spaced({body.of(node)}, {low}, {high}, {interior})")
    return Piece(f"np.pad({body.of(node)}, {list(zip(low, high, strict=True))})")


def _windows(body: _Body, node: Node) -> Piece:
    body.need(WINDOWS)
    how = ", ".join(str(node.attributes[name]) for name in ("axes", "taps", "strides", "dilations"))
    return Piece(f"windows({body.of(node)}, {how})")


def _overlap(body: _Body, node: Node) -> Piece:
    body.need(OVERLAP)
    how = ", ".join(str(node.attributes[name]) for name in ("axes", "extents", "strides", "dilations"))
    return Piece(f"overlap_add({body.of(node)}, {how})")


def _gather(body: _Body, node: Node) -> Piece:
    body.need(POSITIONS)
    axis = node.attributes["axis"]
    return Piece(f"np.take({body.of(node)}, positions({body.of(node, 1)}, {node.inputs[0].shape[axis]}), axis={axis})")


def _scatter(body: _Body, node: Node) -> Piece:
    body.need(POSITIONS)
    body.need(ADDED)
    axis = node.attributes["axis"]
    ids = f"positions({body.of(node, 1)}, {node.shape[axis]})"
    return Piece(f"added({body.of(node)}, {ids}, {body.of(node, 2)}, {axis})")


def _one_hot(body: _Body, node: Node) -> Piece:
    classes, dtype = node.attributes["classes"], node.attributes["dtype"]
    return Piece(f'({body.of(node)}[..., None] == np.arange({classes})).astype("{dtype}")')


_WRITERS: dict[str, Callable[[_Body, Node], Piece]] = {
    "reshape": _reshape, "broadcast_to": _broadcast, "slice_axes": _slice, "pad": _pad, "windows": _windows, "overlap_add": _overlap,
    "gather": _gather, "scatter_add": _scatter, "one_hot": _one_hot, "reduce_sum": _reduction("sum"), "reduce_max": _reduction("max"),
    "reduce_min": _reduction("min"),
    "matmul": lambda body, node: Piece(f"{body.of(node)} @ {body.of(node, 1)}", 2),
    "transpose": lambda body, node: Piece(f"{body.of(node)}.transpose({node.attributes['axes']})"),
    "flip": lambda body, node: Piece(f"np.flip({body.of(node)}, {node.attributes['axes']})"),
    "cast": lambda body, node: Piece(f'{body.of(node)}.astype("{node.dtype}")'),
    "argmax": lambda body, node: Piece(f"{body.of(node)}.argmax(axis={node.attributes['axis']})"),
    "concatenate": lambda body, node: Piece(
        f"np.concatenate(({', '.join(body.of(node, place) for place in range(len(node.inputs)))},), axis={node.attributes['axis']})"
    ),
}  # fmt: skip


# ---- around the lines


def _predict(subject: Subject, body: _Body) -> list[str]:
    names = list(body.inputs)
    outputs = {name: body.texts[node].text for name, node in subject.graph.outputs.items()}
    several = len(outputs) > 1
    what = "a dict of arrays" if several else "an array"
    lines = [
        '@np.errstate(all="ignore")  # what a condition does not take may be no number',
        f"def predict({', '.join(names)}):",
        f'    """What the network says of examples (n, ...): {what}, a row to each."""',
    ]
    for name, node in body.inputs.items():
        shape = ", ".join(map(str, node.shape[1:]))
        lines += [
            f'    {name} = np.asarray({name}, dtype="{node.dtype}")', f"    if {name}.shape[1:] != {node.shape[1:]}:",
            f'        raise ValueError(f"{name} has the shape {{{name}.shape}}; expected: (n, {shape})")',
        ]  # fmt: skip
    if body.uses_count:
        lines.append(f"    n = len({names[0]})")
    pairs = ", ".join(f'"{name}": {text}' for name, text in outputs.items())
    lines += [*body.lines, f"    return {f'{{{pairs}}}' if several else next(iter(outputs.values()))}"]
    if subject.classes is not None:
        chosen = f'predict({", ".join(names)})["class_index"]' if several else f"predict({', '.join(names)})"
        lines += [
            "", "", f"def classify({', '.join(names)}):", '    """The name of the class of each example."""',
            f"    return [CLASSES[place] for place in {chosen}]",
        ]  # fmt: skip
    return lines


def _test(subject: Subject, body: _Body) -> list[str]:
    lines = ["def test():", '    """Compares with what chainrule says of some examples; gives the largest difference."""']
    at_once = subject.portable.size is None or len(subject.calls) == 1
    join: Callable[[list[Array]], Array] = np.concatenate if at_once and len(subject.calls) > 1 else np.stack
    for name, node in body.inputs.items():
        given = [call[node.name] for call in subject.calls]
        lines += [f"    {line}" for line in _array(name, given[0] if len(given) == 1 else join(given))]
    wanted = {name: f"{name}_wanted" for name in subject.graph.outputs}
    for name, text in wanted.items():
        said = [answer[name] for answer in subject.answers]
        lines += [f"    {line}" for line in _array(text, said[0] if len(said) == 1 else join(said))]
    names = ", ".join(body.inputs)
    if at_once:
        lines += [f"    found = predict({names})"]
    else:
        lines += [f"    found = [predict(*call) for call in zip({names})]"]
        several = "{name: np.stack([part[name] for part in found]) for name in found[0]}"
        lines += [f"    found = {several if len(wanted) > 1 else 'np.stack(found)'}"]
    if len(wanted) > 1:
        differences = ", ".join(f'np.abs(found["{name}"] - {text}).max()' for name, text in wanted.items())
        lines += [f"    return max({differences})"]
    else:
        lines += [f"    return np.abs(found - {next(iter(wanted.values()))}).max()"]
    return [
        *lines, "", "", 'if __name__ == "__main__":', "    off = test()",
        f'    print(f"{subject.counted}: largest difference {{off:.2g}}, allowed {subject.tolerance:.2g}")',
        f"    raise SystemExit(not off <= {subject.tolerance!r})",
    ]  # fmt: skip
