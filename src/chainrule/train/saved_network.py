"""The network of a run in its folder: as its descriptions, and as its graph where these name code that the folder does not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import numpy as np

from chainrule.data import DatasetInfo
from chainrule.descriptions.pickles import require_picklable, unpicklable
from chainrule.errors import ChainruleError, OptionError, UndefinedClassError
from chainrule.graph import Array
from chainrule.nn import Layer, as_graph_layer, from_json, is_kept, to_json

LONGEST = 1 << 25
"""How many letters a network's graph may take in a folder."""
MANY, APART = 4096, "numbers of network.safetensors"
"""From how many numbers on a list of a description stands in a file of arrays, and what says so in its place."""


def written_network(network: Layer, info: DatasetInfo, batch_size: int, arrays: dict[str, Array]) -> dict[str, Any]:
    """What a run's configuration says of its network; long lists of numbers go to `arrays`, by the names that stand in their place.

    network: its descriptions, or, where it is made of Python code, its graph; null where it has none that goes for any batch, and
    `refused` says why. graph: beside descriptions that name a user's classes.
    """
    found: dict[str, Any] = {"network": None}
    with suppress(OptionError):
        found["network"] = apart(to_json(network), arrays)
    if (length := len(json.dumps(found["network"]))) > LONGEST:
        return {"network": None, "refused": f"its description has {length} letters, more than {LONGEST}"}
    if is_kept(network):
        return found
    sizes = {batch_size, info.parts["training"] % batch_size or batch_size}
    try:
        described = as_graph_layer(network, info.input_shape, batch_sizes=sizes, data_dtype=info.input_dtype)
        graph = apart(to_json(described), arrays)
        if (length := len(json.dumps(graph))) > LONGEST:
            raise OptionError(f"a graph of {length} letters", expected=f"at most {LONGEST}", remedy="make arrays parameters")
    except ChainruleError as error:
        return {**found, "refused": error.happened}
    return {"network": graph} if found["network"] is None else {**found, "graph": graph}


def saved_network(config: Mapping[str, Any], arrays: Mapping[str, Array]) -> Layer | None:
    """The network that a configuration holds; of a user's classes that are not defined here its graph; None where it holds none."""
    if config["network"] is None:
        return None
    try:
        return from_json(together(config["network"], arrays))
    except UndefinedClassError:
        if config.get("graph") is None:
            raise
        return from_json(together(config["graph"], arrays))


def pickled_network(network: Layer, info: DatasetInfo, batch_size: int | None) -> Layer:
    """The network as a pickle can hold it: where it is made of functions without names of their own, its graph.

    Raises: OptionError for what has neither a name nor a graph.
    """
    trouble = unpicklable(network)
    if not trouble:
        return network
    arrays: dict[str, Array] = {}
    config = written_network(network, info, batch_size or info.parts["training"], arrays)
    graph = {**config, "network": config.get("graph", config["network"])}
    found = None if "refused" in config else saved_network(graph, arrays)
    if found is not None and not unpicklable(found):
        return found
    require_picklable(network=network)
    return network


def apart(value: Any, arrays: dict[str, Array]) -> Any:
    """Plain data with long lists of numbers taken out, each put into `arrays` by the name that stands in its place.

    >>> found = {}
    >>> apart({"value": [0.5] * 5000, "kind": "Constant"}, found)
    {'value': {'numbers of network.safetensors': '0'}, 'kind': 'Constant'}
    >>> found["0"].shape
    (5000,)
    """
    if isinstance(value, Mapping):
        return {key: apart(part, arrays) for key, part in cast("Mapping[str, Any]", value).items()}
    if not isinstance(value, list):
        return value
    parts = cast("list[Any]", value)
    numbers = _numbers(parts)
    if numbers is None:
        return [apart(part, arrays) for part in parts]
    name = str(len(arrays))
    arrays[name] = numbers
    return {APART: name}


def _numbers(parts: list[Any]) -> Array | None:
    """A long list as an array, if it is one of floats alone, with as many in each row."""
    first: Any = parts
    while isinstance(first, list) and first:
        first = cast("list[Any]", first)[0]
    if not isinstance(first, float):
        return None
    try:
        found = np.array(parts)
    except ValueError:  # rows of different lengths
        return None
    return found if found.dtype == np.float64 and found.size >= MANY and found.tolist() == parts else None


def together(value: Any, arrays: Mapping[str, Array]) -> Any:
    """What `apart` took apart. Raises: KeyError for an array that is not there."""
    if isinstance(value, list):
        return [together(part, arrays) for part in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    if found.keys() == {APART}:
        return arrays[str(found[APART])].tolist()
    return {key: together(part, arrays) for key, part in found.items()}
