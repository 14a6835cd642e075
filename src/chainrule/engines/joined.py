"""Loops that differ in numbers only, as one: these numbers become scalars, of which each replica has its own."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache, partial

import numpy as np

from chainrule.display import Shown
from chainrule.engines.engine import Loop
from chainrule.graph import CONSTANT, Array, Graph, Node, form_of, input_node, rewrite_nodes, run_passes, share_common
from chainrule.immutable import immutable
from chainrule.ops import PASSES, reshape


@immutable
class Family(Shown):
    """A loop as far as others may differ from it in the values of numbers: those of one family are equal."""

    key: Hashable
    loop: Loop = field(compare=False)
    """The loop with what every engine does to its graphs done: what depends on numbers only is one number then."""


def family_of(loop: Loop) -> Family:
    """The family of a loop; of loops that were built alike it is found once."""
    return _family_of(_Form(loop.form, loop))


@immutable
class _Form:
    key: Hashable
    loop: Loop = field(compare=False)


@lru_cache(maxsize=64)
def _family_of(form: _Form) -> Family:
    made = replace(form.loop, graphs={size: run_passes(graph, _PASSES)[0] for size, graph in form.loop.graphs.items()})
    graphs = tuple([(size, form_of(graph, without=_is_number)) for size, graph in made.graphs.items()])
    return Family((replace(made, graphs={}).form, graphs), made)


def joined(loops: Sequence[Loop]) -> tuple[Loop, Mapping[str, Array]]:
    """One loop for several of a family, and what each of them has for its new scalars: name → (loops,).

    Numbers that all of them share stay constants; the others are computed with as they stand, so that nothing is rounded otherwise.

    >>> def step(rate):
    ...     w = input_node("w")
    ...     return Loop({1: Graph({"w": w - w * rate})}, {}, ("w",))
    >>> loop, numbers = joined([step(0.1), step(0.2)])
    >>> loop.scalars, {name: values.tolist() for name, values in numbers.items()}
    (('number/0',), {'number/0': [0.1, 0.2]})
    """
    if len({loop.form for loop in loops}) == 1:
        return loops[0], {}
    made = [family_of(loop).loop for loop in loops]
    names: dict[tuple[str, bytes], str] = {}
    graphs: dict[int, Graph] = {}
    for size, graph in made[0].graphs.items():
        numbers = iter(
            np.array(
                [[number.attributes["value"].item() for number in _numbers(loop.graphs[size])] for loop in made], np.float64
            ).T
        )
        leaves: dict[str, Node] = {}

        def rule(node: Node, numbers: Iterator[Array] = numbers, leaves: dict[str, Node] = leaves) -> Node | None:
            if not _is_number(node):
                return None
            values = next(numbers).tobytes()
            if values == values[:8] * len(made):  # to the bit: 0.0 is not -0.0
                return None
            name = names.setdefault((node.dtype, values), f"number/{len(names)}")
            return reshape(leaves.setdefault(name, input_node(name, (), node.dtype)), shape=node.shape)

        graphs[size] = rewrite_nodes("numbers as leaves", graph, rule)[0]
    found = {name: np.frombuffer(values) for (_, values), name in names.items()}
    return replace(made[0], graphs=graphs, scalars=(*made[0].scalars, *found)), found


def _is_number(node: Node) -> bool:
    # Of a dtype whose every value scalars, which are float64, can hold.
    return node.op is CONSTANT and node.type.size == 1 and (node.type.is_float or np.dtype(node.dtype).itemsize < 8)


_PASSES = tuple([partial(share_common, apart=_is_number) if made is share_common else made for made in PASSES])
"""Those of all engines, but numbers that happen to be equal stay two: in another loop they may differ."""


def _numbers(graph: Graph) -> Iterator[Node]:
    return filter(_is_number, graph.nodes)
