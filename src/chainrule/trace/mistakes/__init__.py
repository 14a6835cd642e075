"""The catalogue of the mistakes in a back-propagation written by hand. Each is declared in one place: its words, and how it is made.

The order of the modules is that in which explanations that fit equally well are listed.
"""

from chainrule.trace.mistakes import factors  # isort: skip
from chainrule.trace.mistakes import memory, activations, weights, windows, normalisation, arrays, penalties, whole, numbers  # isort: skip
from chainrule.trace.mistakes.kinds import CATALOGUE, WIDTH, Kind, Mistake, number_mistake, whole_mistake

_NOT_MADE = ()


def _never(*_: object) -> tuple[()]:
    return _NOT_MADE


NOT_FINITE = Kind(
    "not a number",
    "The gradient holds entries that are NaN or infinite. They come from 0/0, log(0) or an exponential that overflowed.",
    "subtract the row's largest z before exp, form log p from z rather than from p, and guard divisions",
    "whole",
    _never,
)
CATALOGUE.append(NOT_FINITE)

__all__ = [
    "CATALOGUE", "NOT_FINITE", "WIDTH", "Kind", "Mistake", "activations", "arrays", "factors", "memory", "normalisation",
    "number_mistake", "numbers", "penalties", "weights", "whole", "whole_mistake", "windows",
]  # fmt: skip
