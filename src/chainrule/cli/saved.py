"""What a run's folder says about the run, read without its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.data import Signature
from chainrule.descriptions import restored
from chainrule.errors import FileFormatError, MissingFileError, OptionError
from chainrule.nn import GraphLayer, Layer, Objective, to_text
from chainrule.train import RunFolder, Settings
from chainrule.train.saved_network import saved_network
from chainrule.train.sealed import as_written, read_sealed


@dataclass(frozen=True)
class Saved:
    """A run's configuration; `network` is None if it was made in Python and has no graph for any batch, `load` if the data were arrays."""

    network: Layer | None
    data: Signature
    load: Mapping[str, Any] | None
    objective: Objective
    settings: Settings


def read_saved(folder: RunFolder) -> Saved:
    """The configuration of a run. Raises: FileFormatError."""
    config = folder.read_config()
    with as_written(folder.path / "config.json"):
        load = config["data"]["load"]
        objective = restored(config["objective"])
        if not isinstance(objective, Objective):
            raise TypeError(f"{objective!r} is no loss")
        return Saved(
            saved_network(config),
            Signature.from_json(config["data"]),
            None if load is None else {str(key): restored(value) for key, value in load.items()},
            objective,
            Settings.from_json(config["settings"]),
        )


def network_text(network: Layer | None) -> str:
    """A network in one line, as text where it has one."""
    if network is None:
        return "made in Python"
    if isinstance(network, GraphLayer):
        return network.summary
    try:
        return to_text(network)
    except OptionError:
        return repr(network)


def saved_engine(folder: RunFolder) -> dict[str, Any]:
    """What the engine compiled for the run; empty where nothing was compiled or the file is damaged: nothing depends on it."""
    return _read_note(folder, "engine.json")


def saved_environment(folder: RunFolder) -> dict[str, Any]:
    """What the run's environment file says; empty where it is damaged: nothing depends on it."""
    return _read_note(folder, "environment.json")


def _read_note(folder: RunFolder, name: str) -> dict[str, Any]:
    try:
        return read_sealed(folder.path / name)
    except (FileFormatError, MissingFileError):
        return {}
