"""What the objects of every floor can be asked to show; the views, further up, register how, so that nothing below imports them.

The views are loaded when something is first asked for: who only trains does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from html import escape
from typing import Any

_loaders: list[Callable[[], object]] = []


def when_first_asked(load: Callable[[], object]) -> None:
    """Has `load` called, once, before the first question is answered: it imports what registers answers."""
    _loaders.append(load)


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


class Plain:
    """Gives an object its text in IPython, and where a notebook is written out as text."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": ask(text, self)}


class Shown(Plain):
    """Gives an object its notebook representation as HTML."""

    __slots__ = ()

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
