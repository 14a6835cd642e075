"""The signature of a data set: what a network must know of its data to be built, used and explained without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, cast

from chainrule.data.columns import Columns
from chainrule.data.scaling import Scaling
from chainrule.data.text_input import TextInput
from chainrule.descriptions import Written, described

Shape = tuple[int, ...]


@described
class DatasetInfo(Written):
    """Names, shapes and dtypes of one example, scalings learned on the training part, classes, columns, vocabulary; no examples.

    `input_range`: the least and the largest number in the inputs of the training part, None where nothing is known of them.
    `parts` maps "training", "validation", "test", as far as they exist, to their numbers of examples; `hash` is the data's.

    >>> from chainrule.data import xor
    >>> xor().info.target_size
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

    def __reduce__(self) -> tuple[object, ...]:
        # `parts` may be a view that nothing can write through, and that pickle does not take.
        values = {part.name: getattr(self, part.name) for part in fields(self)} | {"parts": dict(self.parts)}
        return (DatasetInfo, tuple(values.values()))

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
        >>> ising(6, size=4, temperatures=[1.0, 3.0]).info.scaling_words
        'inputs (x − 0.5)·2'
        """
        found = (("inputs", self.scaling), ("targets", self.target_scaling))
        return "; ".join(f"{what} {item.words}" for what, item in found if item and (item.reason or not item.is_none))

    @classmethod
    def from_json(cls, content: object) -> DatasetInfo:
        """The signature that `to_json` wrote, or that a run's folder holds among what else it says of its data."""
        saved = dict(cast("Mapping[str, Any]", content)) if isinstance(content, Mapping) else {}
        for side in ("input", "target"):
            # The first files had what belongs to inputs and targets together.
            together = cast("Mapping[str, Any]", saved.pop(side, None) or {})
            names = {"shape": f"{side}_shape", "dtype": f"{side}_dtype", "range": f"{side}_range"}
            names["scaling"] = "scaling" if side == "input" else "target_scaling"
            saved |= {names[name]: value for name, value in together.items() if name in names}
        known = {part.name for part in fields(cls)}
        return super().from_json({name: value for name, value in saved.items() if name in known})
