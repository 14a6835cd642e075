"""The network of a run in its folder: as its descriptions, and as its graph where these name code that the folder does not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chainrule.data import DatasetInfo
from chainrule.errors import ChainruleError, OptionError, UndefinedClassError
from chainrule.nn import Layer, as_graph_layer, from_json, is_kept, to_json
from chainrule.train.settings import Settings

LONGEST = 1 << 25
"""How many letters a network's graph may take in a folder."""


def written_network(network: Layer, info: DatasetInfo, settings: Settings) -> dict[str, Any]:
    """What a run's configuration says of its network.

    network: its descriptions, or, where it is made of Python code, its graph; null where it has none that goes for any batch, and
    `refused` says why. graph: beside descriptions that name a user's classes.
    """
    found: dict[str, Any] = {"network": None}
    with suppress(OptionError):
        found["network"] = to_json(network)
    if (length := len(json.dumps(found["network"]))) > LONGEST:
        # First values that are arrays, as of a model of another program, may be more than a file of texts should hold.
        return {"network": None, "refused": f"its description has {length} letters, more than {LONGEST}"}
    if is_kept(network):
        return found
    sizes = {settings.batch_size, info.parts["training"] % settings.batch_size or settings.batch_size}
    try:
        graph = to_json(as_graph_layer(network, info.input_shape, batch_sizes=sizes, data_dtype=info.input_dtype))
        if (length := len(json.dumps(graph))) > LONGEST:
            raise OptionError(f"a graph of {length} letters", expected=f"at most {LONGEST}", remedy="make arrays parameters")
    except ChainruleError as error:
        return {**found, "refused": error.happened}
    return {"network": graph} if found["network"] is None else {**found, "graph": graph}


def saved_network(config: Mapping[str, Any]) -> Layer | None:
    """The network that a configuration holds; of a user's classes that are not defined here its graph; None where it holds none."""
    if config["network"] is None:
        return None
    try:
        return from_json(config["network"])
    except UndefinedClassError:
        if config.get("graph") is None:
            raise
        return from_json(config["graph"])
