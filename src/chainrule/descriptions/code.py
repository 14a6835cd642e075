"""Descriptions as Python code: the expression that makes an equal one, given `import chainrule as cr`, and what it imports beside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from chainrule.checks import scalar
from chainrule.descriptions.files import unwritable
from chainrule.descriptions.kinds import (
    arguments_of,
    has_spread,
    is_array,
    is_description,
    is_mapping,
    is_ours,
    is_several,
    tree,
)


def code_of(value: Any, is_shared: Callable[[type[Any]], bool] = lambda kind: False) -> str:
    """The expression that makes an equal value, without what is as usual.

    What is used twice and is_shared gets a name at its first place, `(shared1 := cr.Dense(16))`. A user's class goes by its own name,
    see `imports_of`.

    Raises: OptionError for what is made of Python code, or of a class that is no description.
    """
    counts = Counter(id(item) for item, _ in tree(value) if is_shared(type(item)))
    return _Writer({key for key, count in counts.items() if count > 1}).value(value, "")


def imports_of(value: Any) -> list[str]:
    """The lines that import the users' classes in a value; what a script or notebook defines itself needs none."""
    kinds = {type(item) for item, _ in tree(value)}
    return sorted(
        f"from {kind.__module__} import {kind.__qualname__.partition('.')[0]}"
        for kind in kinds
        if not is_ours(kind) and kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__
    )


@dataclass
class _Writer:
    shared: set[int]
    names: dict[int, str] = field(default_factory=dict[int, str])

    def value(self, value: Any, indent: str) -> str:
        value = cast("Any", scalar(value))
        if is_array(value):
            return self.value(value.tolist(), indent)
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if is_mapping(value):
            pairs = (f"{self.value(key, indent)}: {self.value(part, indent)}" for key, part in value.items())
            return "{" + ", ".join(pairs) + "}"
        if is_several(value):
            parts = [self.value(part, indent) for part in value]
            opened, closed = "()" if isinstance(value, tuple) else "[]"
            return f"{opened}{', '.join(parts)}{',' if isinstance(value, tuple) and len(parts) == 1 else ''}{closed}"
        if value is None or isinstance(value, bool | int | float):
            return repr(value)
        if is_description(value):
            return self.description(value, indent)
        raise unwritable(value)

    def description(self, item: object, indent: str) -> str:
        if id(item) in self.names:
            return self.names[id(item)]
        if id(item) not in self.shared:
            return self.call(item, indent)
        name = self.names[id(item)] = f"shared{len(self.names) + 1}"
        return f"({name} := {self.call(item, indent)})"

    def call(self, item: object, indent: str) -> str:
        """The call that makes it; what is made of others has a line to each of them."""
        opened = f"{_place(type(item))}("
        if not has_spread(type(item)):
            return f"{opened}{', '.join(arguments_of(item, lambda value: self.value(value, indent)))})"
        parts = arguments_of(item, lambda value: self.value(value, f"{indent}    "))
        lines = "".join(f"{indent}    {part},\n" for part in parts)
        return f"{opened}\n{lines}{indent})" if parts else f"{opened})"


def _place(kind: type[Any]) -> str:
    """The name by which code finds a class."""
    if not is_ours(kind):
        return kind.__qualname__.rpartition("<locals>.")[2]
    package = kind.__module__.split(".")[1]
    return f"cr.{package}.{kind.__name__}" if package in {"data", "sweeps"} else f"cr.{kind.__name__}"
