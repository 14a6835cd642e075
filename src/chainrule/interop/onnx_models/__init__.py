"""ONNX: runs and networks as its models, and its models as layers. The package onnx is loaded when one of these is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from chainrule.checks import Extents, Natural, Seed, checked
from chainrule.interop.portable import Dtype, portable


@checked
def to_onnx(
    subject: Any,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Extents | None = None,
    replica: Natural = 0,
    seed: Seed = 0,
    dtype: Dtype | None = None,
) -> Any:
    """A run, a model, a network or a graph as an `onnx.ModelProto`, checked by onnx; `cr.export(run, "model.onnx")` writes it into a file.

    The model takes "x" (batch, ...) in the data's own units, of their dtype, batch being any number, and gives "output" in the units of
    the targets; of a classifier "label", the names of the classes as texts, "class_index", int64, and "probabilities" (batch, classes),
    or "output" where there are none. Operators are those of opset 18; version, data, seed and objective stand in its metadata. Arguments as
    in `cr.export`.

    Raises: OptionError, GraphError for what has no words in ONNX; MissingPackageError without the package onnx.

    >>> import chainrule as cr
    >>> model = cr.to_onnx(cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2))
    >>> [item.name for item in model.graph.output]
    ['label', 'class_index', 'probabilities']
    """
    found = portable(subject, values, input_shape=input_shape, replica=replica, seed=seed, dtype=dtype)
    return import_module("chainrule.interop.onnx_models.writing").model_of(found)
