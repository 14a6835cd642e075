"""What is written out: the graph that predicts, the numbers of its leaves, and examples by which a file tests itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, Array, Graph, Node, Shape, rewrite_nodes, run_passes
from chainrule.graph.rewrite import remade
from chainrule.immutable import immutable
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import allowed
from chainrule.ops import SIMPLIFICATIONS


@immutable(eq=False)
class Subject(Shown):
    """A portable network for a language that has rows for these ops; others are written as what they are made of, or refused by name.

    `batch`: for how many examples the graph is built where any number can be taken.
    """

    portable: Portable
    rows: Collection[str]
    batch: int = 1

    @property
    def size(self) -> int:
        """For how many examples the graph is built."""
        return self.portable.size or self.batch

    @property
    def step(self) -> int:
        """How many examples a call takes, where that is fixed; else 1."""
        return self.portable.size or 1

    @cached_property
    def graph(self) -> Graph:
        """The graph from inputs to outputs."""
        return self.sized(self.size)

    def sized(self, size: int) -> Graph:
        """The graph for batches of another size."""
        return prepared(self.portable.graph(size), self.rows)

    @cached_property
    def inputs(self) -> dict[str, Node]:
        """The leaves that a user gives, by name."""
        return {name: node for name, node in self.graph.leaves.items() if name in self.portable.inputs}

    @cached_property
    def values(self) -> dict[Node, Array]:
        """The numbers of the leaves that hold any, and of the constants that are arrays; one number everywhere is no array."""
        leaves = {
            node: np.asarray(self.portable.values[name], node.dtype)
            for name, node in self.graph.leaves.items()
            if node not in self.given
        }
        constants = {node: node.attributes["value"] for node in self.graph.nodes if node.op is CONSTANT}
        return leaves | {node: value for node, value in constants.items() if value.size > 1 and not is_uniform(value)}

    @cached_property
    def given(self) -> frozenset[Node]:
        """The leaves that a user gives."""
        return frozenset(self.inputs.values())

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes' names, where it tells classes apart."""
        return self.portable.classes

    @cached_property
    def calls(self) -> list[dict[str, Array]]:
        """The inputs of one call after the other, by name, as many as whole batches of the examples fill."""
        given = {name: np.asarray(self.portable.inputs[name], node.dtype) for name, node in self.inputs.items()}
        if self.portable.size and all(value.shape == self.inputs[name].shape for name, value in given.items()):
            return [given]
        starts = range(0, min(map(len, given.values())) // self.step * self.step, self.step)
        return [{name: value[start : start + self.step] for name, value in given.items()} for start in starts]

    @cached_property
    def answers(self) -> list[dict[str, Array]]:
        """What chainrule says at each call, by the outputs' names."""
        if self.portable.size:
            return [self.portable.outputs(given) for given in self.calls]
        whole = self.portable.outputs({name: np.concatenate([given[name] for given in self.calls]) for name in self.inputs})
        return [{name: value[row : row + 1] for name, value in whole.items()} for row in range(len(self.calls))]

    @property
    def counted(self) -> str:
        """How many examples there are, in words."""
        count = len(self.calls) * self.step
        return f"{count} example{'s' * (count != 1)}"

    @cached_property
    def tolerance(self) -> float:
        """How far numbers may be off: 10⁻⁶ of the largest output in float32, or what rounding does to this network, if that is more."""
        graph = self.portable.graph(self.step)
        given = {name: value for name, value in {**self.portable.values, **self.calls[0]}.items() if name in graph.leaves}
        return allowed(graph, graph.bind(given), [value for answer in self.answers for value in answer.values()])

    @cached_property
    def head(self) -> list[str]:
        """What a reader of the file is told first: what it is, and what goes in and comes out, place by place."""
        facts = self.portable.facts
        learned = f" that learned from {facts['data']!r}" if "data" in facts else ""
        told = "; ".join(f"{name} {facts[name]}" for name in ("step", "seed", "parameters") if name in facts)
        count = sum(map(np.size, self.values.values()))
        lines = [f"A network{learned}, with {count:,} number{'s' * (count != 1)}{f' ({told})' if told else ''}."]
        for name, node in self.inputs.items():
            lines.append(
                f"{name}: {shape_words(node.shape[1:])} in the units of the data{_named(name, self.portable.features)}."
            )
        for name, node in self.graph.outputs.items():
            called = (
                self.classes if name == "probabilities" and self.classes else self.portable.targets if name == "output" else ()
            )
            lines.append(f"{name}: {_SAID.get(name, shape_words(node.shape[1:]))}{_named(name, called)}.")
        if self.portable.size:
            lines.append(f"It takes {self.size} example{'s' * (self.size > 1)} at once.")
        return lines


_SAID = {"class_index": "which class it is, counted from 0", "probabilities": "the probability of each class"}
MOST_NAMED = 40


def _named(variable: str, names: tuple[str, ...]) -> str:
    """The names of the places of an array, where they are not too many to be told."""
    if not 0 < len(names) <= MOST_NAMED:
        return ""
    return ": " + ", ".join(f"{variable}[{place}] {one_line(name)}" for place, name in enumerate(names))


def one_line(text: str) -> str:
    """A text that may stand in a line of a comment: marks that end a line are written by their codes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def prepared(graph: Graph, rows: Collection[str]) -> Graph:
    """The graph made simpler, with what the rows lack written out.

    Raises: OptionError for an op that they lack all the same.
    """

    def parts(node: Node) -> Node | None:
        return None if node.op.name in rows else remade(node, node.op.decomposition)

    graph = run_passes(graph, (lambda given: rewrite_nodes("write out", given, parts), *SIMPLIFICATIONS))[0]
    for node in graph.nodes:
        if not (node.is_leaf or node.op.name in rows):
            where = f" in the layer {node.scope.replace('/', '.')}" if node.scope else ""
            raise OptionError(
                f"the op {node.op.name}{where} cannot be written in this format",
                expected=f"a network made of {', '.join(sorted(rows))}",
                remedy="leave the layer out, or choose another format",
            )
    return graph


def is_uniform(value: Array) -> bool:
    """Whether an array holds one number everywhere, which is then written as that number."""
    return bool(value.size) and bool(np.all(value == value.flat[0]))


def shape_words(shape: Shape) -> str:
    """How many numbers there are, as people say it.

    >>> shape_words((28, 28)), shape_words((2,)), shape_words(())
    ('28 × 28 numbers', '2 numbers', '1 number')
    """
    return f"{' × '.join(map(str, shape)) or '1'} number{'s' * (shape not in {(), (1,)})}"


def wrapped(texts: Iterable[str], indent: int, width: int = 120) -> list[str]:
    """Texts with commas between and behind them, as many to a line as fit.

    >>> wrapped(["1", "2", "3"], 2, width=6)
    ['  1,', '  2,', '  3,']
    """
    lines, line = list[str](), ""
    for text in texts:
        if line and indent + len(line) + len(text) + 2 >= width:
            lines.append(" " * indent + line)
            line = ""
        line += f"{' ' * bool(line)}{text},"
    return [*lines, *([" " * indent + line] if line else [])]
