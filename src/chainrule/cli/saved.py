"""What a run's folder notes beside its configuration: what was compiled, where it ran; and a network in one line."""

from __future__ import annotations

from typing import Any

from chainrule.errors import FileFormatError, MissingFileError, OptionError
from chainrule.nn import GraphLayer, Layer, to_text
from chainrule.train import RunFolder
from chainrule.train.sealed import read_sealed


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
