"""What the objects of every floor can be asked to show; the views, further up, register how, so that nothing below imports them."""

from __future__ import annotations

from functools import singledispatch
from html import escape
from typing import Any


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


class Shown:
    """Gives an object its notebook representation as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return html(self)


class Drawn:
    """Gives an object its notebook representation as a drawing."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return svg(self)
