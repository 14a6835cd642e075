"""Python code that makes the same network, or does the same training again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, cast

from chainrule.cli.saved import Saved
from chainrule.data import Signature
from chainrule.errors import OptionError
from chainrule.nn import Layer, Objective, to_code
from chainrule.train.task import exported


def network_code(network: Layer | None, style: str = "chainrule", data: Signature | None = None) -> str:
    """Python code for a network, a program of its own; for another library with the scalings of the data that it learned from.

    Raises: OptionError where the library of this style lacks a layer.
    """
    if style != "chainrule" and network is not None:
        return to_code(network if data is None else exported(network, data), style)
    if style != "chainrule":
        raise OptionError(
            f"code for {style} of a network made of Python code, which the run's folder does not hold",
            expected="a network of usual layers",
            remedy=f'write cr.nn.to_code(network, "{style}") where the network is made',
        )
    made = "...  # made of Python code, which the run's folder does not hold" if network is None else to_code(network)
    return f"import chainrule as cr\n\nnetwork = {made}"


def run_code(saved: Saved) -> str:
    """Python code for a run: network, data, training."""
    settings = saved.settings
    arguments = [f"loss={_objective_code(saved.objective)}"]
    for item in fields(settings):
        value: object = getattr(settings, item.name)
        if item.name in {"optimizer", "epochs", "batch_size", "seed"} or value != item.default:
            arguments.append(f"{item.name}={value_code(value)}")
    lines = "".join(f"    {argument},\n" for argument in ("network", "data", *arguments))
    network = network_code(saved.network)
    return f"{network}\n\ndata = {_data_code(saved.load)}\nrun = cr.fit(\n{lines})\nprint(run)"


def _data_code(load: Mapping[str, Any] | None) -> str:
    if load is None:
        return "...  # arrays, which the run's folder does not hold"
    options = {name: value for name, value in load.items() if name != "name_or_path"}
    name = str(load["name_or_path"])
    arguments = [value_code(name), *(f"{key}={value_code(value)}" for key, value in options.items())]
    return f"cr.data.load({', '.join(arguments)})"


def _objective_code(objective: Objective) -> str:
    return " + ".join(value_code(term) for term in objective.terms)


def value_code(value: object) -> str:
    """The expression for a number, a text, a tuple, or one of chainrule's settings without what is as usual.

    >>> from chainrule.train import SGD
    >>> value_code(SGD(0.5, momentum=0.9))
    'cr.SGD(learning_rate=0.5, momentum=0.9)'
    """
    if isinstance(value, tuple | list):
        items = [value_code(item) for item in cast("tuple[object, ...]", value)]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    arguments: list[str] = []
    for item in fields(value):
        own: object = getattr(value, item.name)
        if item.default is MISSING or own != item.default or item.name == "learning_rate":
            arguments.append(f"{item.name}={value_code(own)}")
    room = "cr.data." if type(value).__module__.startswith("chainrule.data") else "cr."
    return f"{room}{type(value).__name__}({', '.join(arguments)})"
