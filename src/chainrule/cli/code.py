"""Python code that makes the same network, or does the same training again: programs, of the expressions that descriptions give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from chainrule.data import DatasetInfo
from chainrule.descriptions import code_of, imports_of
from chainrule.errors import OptionError
from chainrule.nn import Layer, Objective, to_code
from chainrule.train.configuration import Configuration
from chainrule.train.learning_problem import exported


def network_code(network: Layer | None, style: str = "chainrule", data: DatasetInfo | None = None) -> str:
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
    return f"{_imports(network)}\n\nnetwork = {_network(network)}"


def _network(network: Layer | None) -> str:
    return "...  # made of Python code, which the run's folder does not hold" if network is None else to_code(network)


def _imports(*made: object) -> str:
    """The lines that a program begins with."""
    return "\n\n".join(filter(None, ["import chainrule as cr", "\n".join(imports_of(made))]))


def run_code(saved: Configuration) -> str:
    """Python code for a run: network, data, training."""
    settings = saved.settings
    told = {"loss": saved.objective} | {item.name: getattr(settings, item.name) for item in fields(settings)}
    always = {"loss", "optimizer", "epochs", "batch_size", "seed"}
    usual = {item.name: item.default for item in fields(settings)}
    given = {name: value for name, value in told.items() if name in always or value != usual[name]}
    arguments = [
        "network",
        "data",
        *(f"{name}={_objective_code(value) if name == 'loss' else code_of(value)}" for name, value in given.items()),
    ]
    lines = "".join(f"    {argument},\n" for argument in arguments)
    network, data = _network(saved.network), _data_code(saved.source)
    return f"{_imports(saved.network, saved.source, given)}\n\nnetwork = {network}\n\ndata = {data}\nrun = cr.fit(\n{lines})\nprint(run)"


def _objective_code(objective: Objective) -> str:
    """A loss, or a sum; as a whole where the first two terms are users' losses, which need not know how to be added."""
    terms = objective.terms
    if len(terms) == 1 or any(hasattr(term, "__add__") for term in terms[:2]):
        return " + ".join(map(code_of, terms))
    return code_of(objective)


def _data_code(load: Mapping[str, Any] | None) -> str:
    if load is None:
        return "...  # arrays, which the run's folder does not hold"
    options = {name: value for name, value in load.items() if name != "name_or_path"}
    name = str(load["name_or_path"])
    arguments = [code_of(name), *(f"{key}={code_of(value)}" for key, value in options.items())]
    return f"cr.data.load({', '.join(arguments)})"
