"""The configuration of a run: what the config.json of its folder says of network, data, objective and settings, written and read here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from chainrule.data import Dataset, DatasetInfo
from chainrule.descriptions import renamed, restored, written
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Layer, Objective
from chainrule.train.folder import RunFolder
from chainrule.train.lineage import Lineage
from chainrule.train.saved_network import saved_network, written_network
from chainrule.train.sealed import as_written
from chainrule.train.settings import Settings

Json = dict[str, Any]
MOST_EXAMPLES, MOST_BATCHES, MOST_REPLICAS, MOST_THREADS = 1 << 40, 1 << 26, 1 << 20, 1 << 12
"""What a run's folder may say of itself."""


@immutable
class Configuration:
    """What a run's folder keeps of its training.

    network: of Python code, and of classes that are not defined here, its graph; None where it has none for any batch, and `refused`
    says why. load: how `data.load` makes the data again, as plain JSON; None where they were arrays.
    """

    network: Layer | None
    dataset_info: DatasetInfo
    load: Json | None
    objective: Objective
    settings: Settings
    lineage: Lineage
    refused: str = ""

    @cached_property
    def source(self) -> dict[str, Any] | None:
        """The options by which `data.load` makes the data again. Raises: what is said of classes that are not defined here."""
        if self.load is None:
            return None
        return renamed(str(self.load.get("name_or_path")), {str(key): restored(value) for key, value in self.load.items()})

    def write(self, folder: RunFolder) -> None:
        """Writes the configuration in plain JSON values; null for a network that cannot be kept: whoever opens the run passes it again."""
        network, arrays = self.network, dict[str, Array]()
        said = (
            {"network": None}
            if network is None
            else written_network(network, self.dataset_info, self.settings.batch_size, arrays)
        )
        config = {
            **said,
            "data": {"load": self.load, **self.dataset_info.to_json()},
            "objective": written(self.objective),
            **_progress(self.settings, self.lineage),
        }
        folder.write_config({**config, **folder.write_arrays(arrays)})

    @staticmethod
    def read(folder: RunFolder, *, network: Layer | None = None) -> Configuration:
        """What the folder of a run says; with `network` in place of its own, which then is not read. Raises: FileFormatError."""
        with folder.naming_its_version(), as_written(folder.path / "config.json"):
            config = folder.read_config()
            settings, data = Settings.from_json(config["settings"]), config["data"]
            info, objective = DatasetInfo.from_json(data), restored(config["objective"])
            if not isinstance(objective, Objective):
                raise TypeError(f"{objective!r} is no loss")
            _require_possible(info, settings)
            saved = saved_network(config, folder.read_arrays(config)) if network is None else network
            lineage = Lineage.from_json(config.get("course"), settings.epochs)
            return Configuration(
                saved, info, None if data["load"] is None else dict(data["load"]), objective, settings, lineage,
                str(config.get("refused", "")),
            )  # fmt: skip


def written_origin(data: Dataset) -> Json | None:
    """How `data.load` makes these data again, in plain JSON values; None where no file can say it: arrays, Python code."""
    origin = data.origin
    return _or_none(lambda: {key: written(value) for key, value in origin.items()}) if origin else None


def note_progress(folder: RunFolder, settings: Settings, lineage: Lineage) -> None:
    """Brings a folder's configuration up to date when a training is to go on."""
    config = folder.read_config()
    changed = {**config, **_progress(settings, lineage)}
    if changed != config:
        folder.write_config(changed)


def _progress(settings: Settings, lineage: Lineage) -> Json:
    """The part of a configuration that changes when a training goes on."""
    return {"settings": settings.to_json(), "course": lineage.to_json()}


def _or_none(write: Callable[[], Json]) -> Json | None:
    try:
        return write()
    except OptionError:
        return None


def _require_possible(info: DatasetInfo, settings: Settings) -> None:
    """Numbers that no training had: they would only ask for more memory than there is."""
    for what, number, most in (
        ("examples", info.parts["training"], MOST_EXAMPLES),
        ("batches in an epoch", info.parts["training"] // settings.batch_size, MOST_BATCHES),
        ("replicas", settings.replicas, MOST_REPLICAS),
        ("threads", settings.threads or 1, MOST_THREADS),
        ("devices", settings.devices or 1, MOST_THREADS),
    ):
        if not 0 <= number <= most:
            raise ValueError(f"{number} {what}, where 0 to {most} can be")
