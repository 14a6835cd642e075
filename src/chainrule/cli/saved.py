"""What a run's folder says about the run, read without its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from chainrule.data import Signature
from chainrule.errors import ChainruleError, FileFormatError, OptionError
from chainrule.nn import Layer, Objective, from_json, to_text
from chainrule.train import RunFolder, Settings
from chainrule.train.settings import restore


@dataclass(frozen=True)
class Saved:
    """A run's configuration; `network` is None if it was made in Python, `load` if the data were arrays."""

    network: Layer | None
    data: Signature
    load: Mapping[str, Any] | None
    objective: Objective
    settings: Settings


def read_saved(folder: RunFolder) -> Saved:
    """The configuration of a run. Raises: FileFormatError."""
    config = folder.read_config()
    try:
        structure, load = config["network"], config["data"]["load"]
        return Saved(
            None if structure is None else from_json(structure),
            Signature.from_json(config["data"]),
            None if load is None else {str(key): restore(value) for key, value in load.items()},
            cast("Objective", restore(config["objective"])),
            Settings.from_json(config["settings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise FileFormatError(
            f"{folder.path / 'config.json'} cannot be read: {error!r}",
            expected="what a training wrote",
            remedy="restore the file",
        ) from error


def network_text(network: Layer | None) -> str:
    """A network in one line, as text where it has one."""
    if network is None:
        return "made in Python"
    try:
        return to_text(network)
    except OptionError:
        return repr(network)


def saved_engine(folder: RunFolder) -> dict[str, Any]:
    """What the engine compiled for the run; empty where nothing was compiled or the file cannot be read."""
    return _read_json(folder, "engine.json")


def saved_environment(folder: RunFolder) -> dict[str, Any]:
    """What the run's environment file says; empty where it cannot be read, for nothing depends on it."""
    return _read_json(folder, "environment.json")


def _read_json(folder: RunFolder, name: str) -> dict[str, Any]:
    try:
        found: object = json.loads((folder.path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): value for key, value in cast("dict[Any, Any]", found).items()} if isinstance(found, dict) else {}
