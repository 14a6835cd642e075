"""What the objects of every floor can be asked to show; the views, further up, register how, so that nothing below imports them.

The views are loaded when something is first asked for: who only trains does not wait for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import singledispatch, wraps
from html import escape
from typing import Any

_loaders: list[Callable[[], object]] = []


def when_first_asked(load: Callable[[], object]) -> None:
    """Has `load` called, once, before the first question is answered: it imports what registers answers."""
    _loaders.append(load)


_further_up: dict[str, Callable[[], object]] = {}


def when_needed(what: str, load: Callable[[], object]) -> None:
    """Has `load` called when something below first needs what stands further up: it enters what it has there."""
    _further_up[what] = load


def first_needed(what: str) -> None:
    """Loads what stands further up, if nobody has yet."""
    if what in _further_up:
        _further_up.pop(what)()


def ask(question: Callable[..., Any], thing: object, *details: Any) -> Any:
    """The answer to one of the questions below."""
    while _loaders:
        _loaders.pop()()
    return question(thing, *details)


@singledispatch
def text(thing: object) -> str:
    """The object in words, as `print` shows it."""
    return repr(thing)


@singledispatch
def html(thing: object) -> str:
    """The object as a piece of HTML, without script; every text in it is escaped."""
    return f"<pre>{escape(repr(thing))}</pre>"


@singledispatch
def svg(thing: object) -> str:
    """The object as a drawing."""
    raise NotImplementedError(f"no drawing of {type(thing).__name__}")


@singledispatch
def explain(network: object, example: Any, options: dict[str, Any]) -> Any:
    """The whole computation of one example or batch, forward and backward."""
    raise NotImplementedError(f"no explanation of {type(network).__name__}")


@singledispatch
def plot(thing: object, ax: Any) -> Any:
    """The object's usual picture, drawn into matplotlib's Axes."""
    raise NotImplementedError(f"no picture of {type(thing).__name__}")


@singledispatch
def diagnose(thing: object, options: dict[str, Any]) -> Any:
    """What is the matter with a training."""
    raise NotImplementedError(f"no diagnosis of {type(thing).__name__}")


_ORDERS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def on_screen(text: str) -> str:
    r"""Text as a terminal may show it: names of a user's data may hold what moves its cursor, colours it or turns its direction.

    >>> on_screen("\x1b[31mred\nline")
    '�[31mred\nline'
    """
    return _ORDERS.sub("�", text)


_told: list[Callable[[type], object]] = []


def of_each_kind(tell: Callable[[type], object]) -> None:
    """Has `tell` called with every class whose objects show themselves: those that there are, and each new one when its body is read."""
    _told.append(tell)
    kinds = Plain.__subclasses__()
    for kind in kinds:
        kinds += kind.__subclasses__()
        tell(kind)


class Plain:
    """Gives an object its text in IPython, and where a notebook is written out as text."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for tell in _told:
            tell(cls)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": ask(text, self)}


class Shown(Plain):
    """Gives an object its notebook representation as HTML, and has a terminal show its text as it stands."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (own := vars(cls).get("__str__")) is not None:

            @wraps(own)
            def shown(self: object) -> str:
                return on_screen(own(self))

            setattr(cls, "__str__", shown)  # noqa: B010  (a class's own method, replaced)

    def _repr_html_(self) -> str:
        return ask(html, self)


class Drawn(Plain):
    """Gives an object its notebook representation as a drawing."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return ask(svg, self)


class Explained(Shown):
    """Gives a network its explanation."""

    __slots__ = ()

    def explain(self, example: Any, **options: Any) -> Any:
        """The whole computation of an example or examples of a data set, forward and backward, number by number: an Explanation.

        The weights are those that `seed` (0) starts with, or `parameters` by name; `loss` as in `fit`. For a trained network ask
        its run: `run.explain(7)`. The other options are those of `Run.explain`.
        """
        return ask(explain, self, example, options)
