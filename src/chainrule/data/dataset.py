"""A data set: examples in their parts, what their numbers and classes mean, and how inputs are scaled for a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, cast

import numpy as np

from chainrule.checks import checked, shown, unknown
from chainrule.data.columns import Columns
from chainrule.data.dataset_info import DatasetInfo
from chainrule.data.examples import Examples
from chainrule.data.rows import Rows
from chainrule.data.scaling import Scaling
from chainrule.data.text_input import TextInput
from chainrule.display import Shown
from chainrule.errors import DataError, OptionTypeError, ShapeError
from chainrule.immutable import immutable
from chainrule.spelling import listed


@immutable(eq=False)
@checked
class Dataset(Shown):
    """Examples for training, validation and test, checked as a whole when made.

    `scaling` maps the inputs, and `target_scaling` the float targets, to what a network sees; both are learned from the
    training part alone, and the arrays here are kept unscaled. `classes` names the labels (None for numbers), `features` the
    inputs, `columns` remembers the table that the data came from, `text` how texts became the inputs, `notes` are sentences about
    the data worth knowing, `origin` is what `data.load` takes to make them again (None for arrays of the user's own).

    Raises DataError for parts that do not fit together, an empty part, a label without a class and NaN or infinity;
    ShapeError for a scaling or feature names that do not fit an example.

    >>> gate = Dataset("and", Examples([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]), classes=("no", "yes"))
    >>> gate
    Dataset('and': 4 train; inputs (2,) float64; 2 classes)
    >>> gate.input_shape, gate.target_size, gate.task
    ((2,), 2, 'classification')
    """

    name: str
    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    scaling: Scaling = Scaling.none()
    target_scaling: Scaling | None = None
    classes: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    columns: Columns | None = None
    source: str = "arrays in memory"
    licence: str = "not stated"
    notes: tuple[str, ...] = ()
    origin: Mapping[str, Any] | None = None
    text: TextInput | None = None

    def __post_init__(self) -> None:
        self._check_parts_agree()
        self._check_names()
        self._check_scalings()
        for part, examples in self.parts():
            require_finite("x", examples.inputs, f" of the {part} part", self.features)
            if self.classes is None:
                require_finite("y", examples.targets, f" of the {part} part", None)
            else:
                self._check_labels(part, examples.targets, self.classes)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(examples)} {part if part != 'training' else 'train'}" for part, examples in self.parts())
        unit = "classes" if self.classes else "number to fit" if self.target_size == 1 else "numbers to fit"
        return (
            f"Dataset({self.name!r}: {sizes}; inputs {self.input_shape} {self.train.inputs.dtype}; {self.target_size} {unit})"
        )

    def parts(self) -> Iterator[tuple[str, Examples]]:
        """The parts that there are, each with its word: "training", "validation", "test"."""
        for part, examples in (("training", self.train), ("validation", self.validation), ("test", self.test)):
            if examples is not None:
                yield part, examples

    def part(self, name: str) -> Examples:
        """The part of this word. Raises: OptionError for one that there is not.

        >>> from chainrule.data import moons
        >>> len(moons(60).part("training"))
        60
        """
        parts = dict(self.parts())
        if name not in parts:
            raise unknown(f"part {name!r}", name, parts)
        return parts[name]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of the input of one example."""
        return self.train.inputs.shape[1:]

    @property
    def target_size(self) -> int:
        """How many outputs a network needs: the number of classes, or of numbers per example."""
        return len(self.classes) if self.classes is not None else self.train.targets.shape[1]

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Whether classes or numbers are to be predicted."""
        return "regression" if self.classes is None else "classification"

    @cached_property
    def info(self) -> DatasetInfo:
        """What a network must know of these data: all but the examples."""
        return DatasetInfo(
            self.name,
            self.hash,
            MappingProxyType({part: len(examples) for part, examples in self.parts()}),
            self.input_shape,
            self.train.inputs.dtype.name,
            self.train.targets.shape[1:],
            self.train.targets.dtype.name,
            self.scaling,
            self.target_scaling,
            self.classes,
            self.features,
            self.columns,
            self.text,
            self._input_range,
        )

    @cached_property
    def _input_range(self) -> tuple[float, float] | None:
        if not self.train.inputs.nbytes:
            return None
        low, high = self.train.inputs.limits
        return float(low.min()), float(high.max())

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, over the shapes, dtypes and bytes of all parts: the same on every machine."""
        digest = hashlib.sha256()
        for part, examples in self.parts():
            for name, rows in (("x", examples.inputs), ("y", examples.targets)):
                digest.update(f"{part} {name} {rows.dtype.kind}{rows.dtype.itemsize} {rows.shape}\n".encode())
                for _, block in rows.blocks() if rows.nbytes else ():
                    digest.update(np.ascontiguousarray(block, block.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    def scaled_by(self, scaling: Scaling, target_scaling: Scaling | None) -> Dataset:
        """The same data with other scalings; itself, where they are its own.

        >>> Dataset("two", Examples([[1.0], [3.0]], [0, 1]), classes=("a", "b")).scaled_by(Scaling(1.0, 0.5), None).scaling
        Scaling(1.0, 0.5)
        """
        if scaling is self.scaling and target_scaling is self.target_scaling:
            return self
        made = copy(self)
        # What was computed of the examples, their hash above all, stays; what is known of the scalings is made anew.
        made.__dict__.pop("info", None)
        object.__setattr__(made, "scaling", scaling)
        object.__setattr__(made, "target_scaling", target_scaling)
        made._check_scalings()
        return made

    def _check_parts_agree(self) -> None:
        for part, examples in self.parts():
            if not len(examples):
                raise DataError(
                    f"the {part} part is empty", expected="at least one example", remedy="leave the part out (None)"
                )
            for name, array, first in (
                ("x", examples.inputs, self.train.inputs),
                ("y", examples.targets, self.train.targets),
            ):
                if (array.shape[1:], array.dtype, len(array.shape)) != (first.shape[1:], first.dtype, len(first.shape)):
                    raise DataError(
                        f"{name} of the {part} part has examples of shape {array.shape[1:]} and dtype {array.dtype}, "
                        f"{name} of the training part {first.shape[1:]} and {first.dtype}",
                        expected="the same shape and dtype in all parts",
                        remedy="prepare all parts in the same way",
                    )

    def _check_names(self) -> None:
        if self.train.labelled != (self.classes is not None):
            raise DataError(
                "y holds labels and there are no class names"
                if self.train.labelled
                else "y holds numbers and there are class names",
                expected="class names exactly where y holds labels",
                remedy="let from_arrays(x, y) find the classes",
            )
        if self.classes is not None and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise DataError(
                f"the classes are {listed(self.classes)}",
                expected="at least two classes with different names",
                remedy="check y: with one class there is nothing to learn",
            )
        if self.features is not None and self.input_shape != (len(self.features),):
            raise ShapeError(
                f"{len(self.features)} feature names are given for inputs of shape {self.input_shape}",
                expected="one name for each feature of inputs of shape (features,)",
                remedy="give as many names as features, or none",
            )

    def _check_scalings(self) -> None:
        for name, scaling, shape in (
            ("scaling", self.scaling, self.input_shape),
            ("target_scaling", self.target_scaling, self.train.targets.shape[1:]),
        ):
            if not isinstance(cast("object", scaling), Scaling | None):
                raise OptionTypeError(
                    f"{name}={shown(scaling)}", expected="a Scaling, or None for targets", remedy="write Scaling.standardise(x)"
                )
            # Behind numbers to fit may stand their errors, or a weight: a scaling is that of the first ones.
            leads = name == "target_scaling" and scaling is not None and len(scaling.shape) == 1 and scaling.shape <= shape
            if scaling is not None and not (leads or scaling.fits(shape)):
                raise ShapeError(
                    f"{name} is made for shape {scaling.shape}, and an example has shape {shape}",
                    expected=f"a scaling that broadcasts to {shape}",
                    remedy="learn it from the training part: Scaling.standardise(x)",
                )
        if self.classes is not None and self.target_scaling is not None:
            raise DataError(
                "target_scaling is given for labels", expected="None for classes", remedy="leave target_scaling out"
            )

    @staticmethod
    def _check_labels(part: str, labels: Rows, classes: tuple[str, ...]) -> None:
        (low,), (high,) = labels.limits
        if low < 0 or high >= len(classes):
            y = labels.array()
            index = int(((y < 0) | (y >= len(classes))).argmax())
            raise DataError(
                f"label {y[index]} at example {index} of the {part} part",
                expected=f"labels from 0 to {len(classes) - 1}, for the {len(classes)} classes {listed(classes)}",
                remedy="correct the label, or give one class name per label; labels count from 0",
            )


def require_finite(name: str, values: Rows, where: str, features: tuple[str, ...] | None) -> None:
    """DataError that names the first NaN or infinity among some examples, and `where` these stand."""
    if values.is_finite:
        return
    index, *rest = values.first_not_finite()
    feature = repr(features[rest[0]]) if features else ", ".join(str(place) for place in rest)
    raise DataError(
        f"{name} is {values.row(index)[tuple(rest)]} at example {index}{where}" + (f", feature {feature}" if rest else ""),
        expected="finite numbers",
        remedy="fill in or leave out such examples first; for tables see the option missing=...",
    )
