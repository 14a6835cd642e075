"""Remedies as they are typed: errors advise in Python, as the library is called; at the command line the same advice is an option."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from functools import cache
from typing import Any, cast

import click

from chainrule.data import BUILT_IN, read_csv, read_npz
from chainrule.data.arrays import Options
from chainrule.errors import Remedy

_INSIDE = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
_CALL = re.compile(rf"(?<![\w.])(?:cr\.|data\.|cr\.data\.)?([A-Za-z_]\w*)\(({_INSIDE})\)")
_ARGUMENT = re.compile(
    rf"""(?<![\w.-])([a-z_]\w*)=(\.\.\.|\({_INSIDE}\)|\[[^\]]*\]|'[^']*'|"[^"]*"|\w+\({_INSIDE}\)|[^\s,;:()]*[^\s,;:().])"""
)
_BARE = {"fit", "load", "resume", "open_run", "Settings"}
"""Functions whose arguments the commands take."""


def as_options(remedy: str, command: click.Command) -> str:
    """A remedy with its Python arguments as options of a command; one that says itself how a command line has it is taken at its word.

    >>> from chainrule.cli.train import train
    >>> as_options("write batch_size=60, or leave it out: drop=('Name', 'Ticket')", train)
    'write --batch-size 60, or leave it out: --option drop=Name,Ticket'
    >>> as_options("split one off, for example mnist(validation=10000)", train)
    'split one off, for example mnist --validation 10000'
    >>> as_options("clip the gradient (clip=ClipNorm(1.0))", train)
    'clip the gradient (in Python clip=ClipNorm(1.0))'
    """
    if isinstance(remedy, Remedy):
        return remedy.command
    return _ARGUMENT.sub(lambda found: _option(found, command), _CALL.sub(lambda found: _called(found, command), remedy))


def _called(found: re.Match[str], command: click.Command) -> str:
    """A call as the words of a command, where it is one of the commands' own."""
    name, inside = found[1], found[2]
    arguments = [piece for piece in re.split(r",\s*(?![^(\[]*[)\]])", inside) if piece and piece != "..."]
    if name not in {*BUILT_IN, *_BARE} or not all(_ARGUMENT.fullmatch(piece) for piece in arguments):
        return found[0]
    options = [_option(cast("re.Match[str]", _ARGUMENT.fullmatch(piece)), command) for piece in arguments]
    return " ".join([*([] if name in _BARE else [name]), *options])


def _option(found: re.Match[str], command: click.Command) -> str:
    name, value = found[1], found[2]
    if found.string[: found.start()].endswith("--option "):
        return found[0]
    for option in command.params:
        if isinstance(option, click.Option) and f"--{name.replace('_', '-')}" in option.opts:
            return f"{option.opts[0]} {_shown(value, option)}"
    takes = any(option.name == "option" for option in command.params)
    if takes and name in _data_options():
        return f"--option {name}={_plain(value)}"
    return f"in Python {found[0]}"


def _shown(value: str, option: click.Option) -> str:
    if value == "...":
        return option.metavar or "VALUE"
    if option.name == "optimizer":
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", value.partition("(")[0]).casefold()
    return _plain(value)


def _plain(value: str) -> str:
    """A Python value as it is typed behind an option."""
    try:
        found: Any = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    parts = cast("tuple[Any, ...]", found) if isinstance(found, tuple | list) else (found,)
    return shlex.quote(",".join(str(part).lower() if part is None or isinstance(part, bool) else str(part) for part in parts))


@cache
def _data_options() -> frozenset[str]:
    """Every option that some reader or maker of data takes."""
    makers = (*BUILT_IN.values(), read_csv, read_npz)
    return frozenset(Options.__annotations__).union(*(inspect.signature(maker).parameters for maker in makers))
