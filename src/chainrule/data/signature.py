"""The signature of a data set: what a network must know of its data to be built, used and explained without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast

from chainrule.data.columns import Columns
from chainrule.data.scaling import Scaling
from chainrule.data.text_input import TextInput
from chainrule.display import Shown
from chainrule.errors import FileFormatError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Signature(Shown):
    """Names, shapes and dtypes of one example, scalings learned on the training part, classes, columns, vocabulary; no examples.

    `input_range`: the least and the largest number in the inputs of the training part, None where nothing is known of them.
    `parts` maps "training", "validation", "test", as far as they exist, to their numbers of examples; `hash` is the data's.

    >>> from chainrule.data import xor
    >>> xor().signature.target_size
    2
    """

    name: str
    hash: str
    parts: Mapping[str, int]
    input_shape: Shape
    input_dtype: str
    target_shape: Shape
    target_dtype: str
    scaling: Scaling
    target_scaling: Scaling | None
    classes: tuple[str, ...] | None
    features: tuple[str, ...] | None
    columns: Columns | None
    text: TextInput | None = None
    input_range: tuple[float, float] | None = None

    @property
    def target_size(self) -> int:
        """How many outputs a network needs: the number of classes, or of numbers per example."""
        return len(self.classes) if self.classes is not None else self.target_shape[0]

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Whether classes or numbers are to be predicted."""
        return "regression" if self.classes is None else "classification"

    @property
    def scaling_words(self) -> str:
        """In which units a network sees inputs and targets, and why; "" where it sees the data as they are and nothing was decided.

        >>> from chainrule.data import ising
        >>> ising(6, size=4, temperatures=[1.0, 3.0]).signature.scaling_words
        'inputs (x − 0.5)·2'
        """
        found = (("inputs", self.scaling), ("targets", self.target_scaling))
        return "; ".join(f"{what} {item.words}" for what, item in found if item and (item.reason or not item.is_none))

    def to_json(self) -> dict[str, Any]:
        """A description in plain JSON values."""
        return {
            "name": self.name,
            "hash": self.hash,
            "parts": dict(self.parts),
            "input": {
                "shape": list(self.input_shape),
                "dtype": self.input_dtype,
                "scaling": self.scaling.to_json(),
                "range": list(self.input_range) if self.input_range else None,
            },
            "target": {
                "shape": list(self.target_shape),
                "dtype": self.target_dtype,
                "scaling": self.target_scaling.to_json() if self.target_scaling else None,
            },
            "classes": list(self.classes) if self.classes is not None else None,
            "features": list(self.features) if self.features is not None else None,
            "columns": self.columns.to_json() if self.columns else None,
            "text": self.text.to_json() if self.text else None,
        }

    @classmethod
    def from_json(cls, content: object) -> Signature:
        """The signature that `to_json` described; FileFormatError for anything else."""
        try:
            saved = dict(cast("Mapping[str, Any]", content))
            given, target = saved["input"], saved["target"]
            return cls(
                str(saved["name"]),
                str(saved["hash"]),
                MappingProxyType({str(part): int(count) for part, count in saved["parts"].items()}),
                tuple(int(extent) for extent in given["shape"]),
                str(given["dtype"]),
                tuple(int(extent) for extent in target["shape"]),
                str(target["dtype"]),
                Scaling.from_json(given["scaling"]),
                Scaling.from_json(target["scaling"]) if target["scaling"] else None,
                tuple(map(str, saved["classes"])) if saved["classes"] is not None else None,
                tuple(map(str, saved["features"])) if saved["features"] is not None else None,
                Columns.from_json(saved["columns"]) if saved["columns"] else None,
                # Runs of the first versions know of no text.
                TextInput.from_json(saved["text"]) if saved.get("text") else None,
                _pair(given.get("range")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(
                f"a data signature that cannot be read: {error!r}", expected="what to_json wrote", remedy="restore the file"
            ) from error


def _pair(content: Any) -> tuple[float, float] | None:
    """Two numbers, which runs of the first versions do not know."""
    if content is None:
        return None
    low, high = content
    return float(low), float(high)
