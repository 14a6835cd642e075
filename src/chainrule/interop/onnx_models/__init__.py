"""ONNX: runs and networks as its models, and its models as layers. The package onnx is loaded when one of these is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from chainrule.checks import Count, Extents, Natural, Seed, checked
from chainrule.interop.portable import Dtype, portable
from chainrule.nn import GraphLayer
from chainrule.nn.checks import LayerName


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


@checked
def from_onnx(
    model: Any,
    *,
    output: str = "",
    sizes: Mapping[str, Count] | None = None,
    values: Mapping[str, Any] | None = None,
    any_batch: bool = False,
    name: LayerName = "",
) -> GraphLayer:
    """A model of ONNX's as a layer with its weights: trained, explained, differentiated, drawn and kept in run folders as any other.

    model: a path, the file's bytes, or an `onnx.ModelProto`. Its weights become parameters that begin at the file's numbers, the running
    statistics of BatchNormalization states; whole numbers, shapes and what follows from them are constants. The first axis of the inputs
    counts the examples: where the file calls it by a name it is any number, else the file's, or, with any_batch=True, any number
    too, if the operators allow it. Several inputs are split of the columns of x,
    in their order. output: which output is the layer's value; "" for the last one that holds floats. sizes: numbers for other extents that
    the file calls by names. values: arrays for inputs that shapes depend on, by name. name: the layer's, where its parts are to be called
    after it.

    No code is run, and nothing outside the model's folder is read. Raises: UnsupportedError for what is not here, naming the node;
    FileFormatError for a broken file; MissingFileError; MissingPackageError without the package onnx.

    >>> import chainrule as cr
    >>> net = cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1), input_shape=(2,))
    >>> layer = cr.from_onnx(cr.to_onnx(net))
    >>> list(layer.parameters), layer.input_shape
    (['dense1.W', 'dense1.b', 'dense2.W', 'dense2.b'], (2,))
    """
    arrays = {key: np.asarray(value) for key, value in (values or {}).items()}
    reading, loading = (import_module(f"chainrule.interop.onnx_models.{part}") for part in ("reading", "loading"))
    found = loading.loaded(model)
    reading.require_values(arrays, found)
    return reading.Importer(found, output, sizes or {}, arrays, any_batch).layer(name)
