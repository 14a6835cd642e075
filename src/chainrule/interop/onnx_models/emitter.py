"""ONNX nodes in the making: names, constants, and extents that go by the size of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from chainrule.errors import GraphError
from chainrule.graph import Graph, Node
from chainrule.graph.template import quotient
from chainrule.immutable import immutable
from chainrule.interop.onnx_models.package import DTYPES, NodeProto, helper, numpy_helper
from chainrule.spelling import unused

MOST_BELOW = 10**6
"""Up to which denominator a fraction is told from its digits."""
OPSET = 18
"""The version of ONNX's operators that is written: the first whose reductions all take their axes alike."""


@immutable
class Extent:
    """slope·B + offset, B being the size of the batch."""

    slope: int
    offset: int

    def __str__(self) -> str:
        """As a symbolic extent is called in a file."""
        told = "batch" if self.slope == 1 else f"{self.slope}*batch"
        return f"{told}{self.offset:+d}" if self.offset else told


Size: TypeAlias = int | Extent


@immutable(eq=False)
class Sized:
    """One node of a graph, as it is for each of several sizes of batch."""

    sizes: tuple[int, ...]
    nodes: tuple[Node, ...]

    @property
    def node(self) -> Node:
        """It for the first size."""
        return self.nodes[0]

    def size(self, values: Sequence[int]) -> Size:
        """A whole number that goes by the size, as a number or an extent. Raises: GraphError where it goes by it in another way."""
        if len(set(values)) == 1:
            return int(values[0])
        slope, rest = divmod(values[1] - values[0], self.sizes[1] - self.sizes[0])
        found = Extent(slope, values[0] - slope * self.sizes[0])
        if rest or any(found.slope * n + found.offset != value for n, value in zip(self.sizes, values, strict=True)):
            raise self.refused(f"{values[0]}, {values[1]}, ... for batches of {self.sizes[0]}, {self.sizes[1]}, ...")
        return found

    def refused(self, what: str) -> GraphError:
        """That something goes by the size of the batch in a way that has no words in ONNX."""
        return GraphError(
            f"the node {self.node!r} in a file for any size of batch: {what}",
            expected="what is the same for each, or a·B + b with B the size of the batch",
            remedy="compute it by ops from the input, or build the network for one size of batch",
        )

    @property
    def shape(self) -> tuple[Size, ...]:
        """Its shape."""
        return tuple(self.size(extents) for extents in zip(*(node.shape for node in self.nodes), strict=True))

    def sizes_of(self, name: str) -> tuple[Size, ...]:
        """An attribute that is a row of whole numbers."""
        return tuple(self.size(values) for values in zip(*(node.attributes[name] for node in self.nodes), strict=True))

    def attribute(self, name: str, usual: Any = None) -> Any:
        """An attribute that is the same for each size."""
        values = [node.attributes.get(name, usual) for node in self.nodes]
        if any(value != values[0] for value in values):
            raise self.refused(f"{name}={values[0]!r}, {values[1]!r}, ...")
        return values[0]

    def fraction(self, values: Sequence[float]) -> tuple[Extent, Extent]:
        """A number that goes by the size as a quotient of two extents. Raises: GraphError where it goes by it in another way."""
        points = [(n, Fraction(value).limit_denominator(MOST_BELOW)) for n, value in zip(self.sizes, values, strict=True)]
        a, b, c, d = quotient(points[:3])
        below = [c * n + d for n in self.sizes]
        if not all(below) or any(
            not np.isclose((a * n + b) / under, value, rtol=1e-6, atol=0)
            for n, under, value in zip(self.sizes, below, values, strict=True)
        ):
            raise self.refused(
                f"a constant that is {values[0]:g}, {values[1]:g}, ... for batches of {self.sizes[0]}, {self.sizes[1]}, ..."
            )
        return Extent(a, b), Extent(c, d)


@dataclass
class Emitter:
    """The nodes of one graph of a model; a loop's body has an emitter of its own, which names nothing that another one has named.

    batch: the name of the value [B], int64, made when it is first needed.
    """

    taken: set[str]
    batch_of: str = ""
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    scope: str = ""
    constants: dict[tuple[object, ...], str] = field(default_factory=dict[tuple[object, ...], str])
    batch: str = ""

    def fresh(self, wish: str) -> str:
        """A name that nothing has yet."""
        name = unused(wish, self.taken)
        self.taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Adds a node with one output; gives the output's name."""
        return self._added(kind, inputs, to, attributes)

    def _added(self, kind: str, inputs: Sequence[str], to: str, attributes: Mapping[str, Any]) -> str:
        place = f"{self.scope}/{kind}" if self.scope else kind
        output = to or self.fresh(place)
        self.nodes.append(helper.make_node(kind, inputs, [output], name=self.fresh(f"{place}_{len(self.nodes)}"), **attributes))
        return output

    def constant(self, value: Any, dtype: str = "int64", *, to: str = "") -> str:
        """A constant's name; the same numbers are written once."""
        array = np.ascontiguousarray(value, dtype=dtype).reshape(np.shape(value))
        key = (dtype, array.shape, array.tobytes(), to)
        if key not in self.constants:
            scope, self.scope = self.scope, ""
            name = to or self.fresh("constant")
            self.constants[key] = self.op("Constant", to=name, value=numpy_helper.from_array(array, name))
            self.scope = scope
        return self.constants[key]

    def cast(self, value: str, dtype: str, *, to: str = "") -> str:
        """The value in another dtype."""
        return self._added("Cast", [value], to, {"to": DTYPES[dtype]})

    def fraction(self, above: Extent, below: Extent, dtype: str) -> str:
        """The quotient of two extents, a scalar."""
        found = (self.op("Squeeze", self.cast(self.extent(extent), "float64")) for extent in (above, below))
        return self.cast(self.op("Div", *found), dtype)

    def sizes(self, sizes: Sequence[Size]) -> str:
        """A row of whole numbers, of which some go by the batch."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(list(sizes))
        return self.op(
            "Concat", *(self.constant([size]) if isinstance(size, int) else self.extent(size) for size in sizes), axis=0
        )

    def extent(self, extent: Extent) -> str:
        """[slope·B + offset]."""
        if not self.batch:
            self.batch = self.op("Shape", self.batch_of, start=0, end=1)
        found = self.batch
        found = self.op("Mul", found, self.constant([extent.slope])) if extent.slope != 1 else found
        return self.op("Add", found, self.constant([extent.offset])) if extent.offset else found


def zipped(graphs: Mapping[int, Graph]) -> list[Sized]:
    """The nodes of one graph as they are for each size. Raises: GraphError where the graphs are not made of the same nodes."""
    sizes = tuple(graphs)
    for graph in graphs.values():
        kinds = [node.op.name for node in graph.nodes]
        if kinds != [node.op.name for node in graphs[sizes[0]].nodes]:
            raise GraphError(
                f"a network that is made of other ops for {sizes[0]} examples than for another number of them",
                expected="the same ops for every size of batch",
                remedy="build it of what does not depend on the size of the batch",
            )
    return [Sized(sizes, nodes) for nodes in zip(*(graph.nodes for graph in graphs.values()), strict=True)]


Lowering: TypeAlias = Callable[["Emitter", Sized, list[str], str], str]
"""From a node and the names of its inputs to the name of its value; the last argument is the name that it is to have, "" for any."""
