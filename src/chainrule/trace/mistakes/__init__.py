"""The catalogue of the mistakes in a back-propagation written by hand. Each is declared in one place: its words, and how it is made.

The order of the modules is that in which explanations that fit equally well are listed.
"""

from collections.abc import Iterable

from chainrule.trace.mistakes import factors  # isort: skip
from chainrule.trace.mistakes import memory, activations, weights, windows, normalisation, arrays, penalties, whole, numbers  # isort: skip
from chainrule.trace.mistakes.kinds import CATALOGUE, WIDTH, Kind, Mistake, Other, whole_mistake
from chainrule.trace.network_structure import Structure


@whole_mistake(
    "not a number",
    "The gradient holds entries that are NaN or infinite. They come from 0/0, log(0) or an exponential that overflowed.",
    "subtract the row's largest z before exp, form log p from z rather than from p, and guard divisions",
)
def not_finite(structure: Structure) -> Iterable[Other]:
    """Nothing to be planted: it is seen before any search."""
    del structure
    return ()


_CHANGES = {
    "factor": "the size of arrays",
    "penalty": "the penalty's part",
    "backward": "what goes back through a place",
    "array": "one array",
    "whole": "the whole gradient",
    "number": "arrays, by a number that is found",
}


def table() -> str:
    """All kinds as a table in Markdown: the name, what is changed, and what to do."""
    rows = [f"| {kind.name} | {_CHANGES[kind.where]} | {kind.remedy} |" for kind in CATALOGUE]
    return "\n".join(["| mistake | in | what to do |", "|---|---|---|", *rows])


__all__ = [
    "CATALOGUE", "WIDTH", "Kind", "Mistake", "activations", "arrays", "factors", "memory", "normalisation", "not_finite",
    "numbers", "penalties", "table", "weights", "whole", "windows",
]  # fmt: skip
