"""The operators of scikit-learn's models: scaling, linear models, features."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, constant
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.indexing import from_zero

ML = "ai.onnx.ml"


def _as_float(x: Node) -> Node:
    """These operators give float32, whatever they are given."""
    return x if x.dtype == "float32" else ops.cast(x, dtype="float32")


def _row(values: Any) -> Node:
    return constant(np.asarray(values, dtype=np.float32))


@operator("Scaler", domain=ML)
def scaled(call: Call, x: Node, *, offset: Any = (), scale: Any = ()) -> Node:
    """(x − offset)·scale."""
    found = _as_float(x)
    found = found - _row(offset) if len(offset) else found
    return found * _row(scale) if len(scale) else found


@operator("Normalizer", domain=ML)
def over_norm(call: Call, x: Node, *, norm: str = "MAX") -> Node:
    """Rows over their norm; rows of zeros stay."""
    x = _as_float(x)
    size = ops.absolute(x)
    kinds = {
        "MAX": lambda: ops.max(size, -1, keepdims=True),
        "L1": lambda: ops.sum(size, -1, keepdims=True),
        "L2": lambda: ops.sqrt(ops.sum(x * x, -1, keepdims=True)),
    }
    if norm not in kinds:
        raise call.unsupported(f"norm {norm!r}")
    length = kinds[norm]()
    return x / ops.where(ops.greater(length, 0.0), length, 1.0)


def _linear(x: Node, coefficients: Any, intercepts: Any, count: int) -> Node:
    weights = np.asarray(coefficients, dtype=np.float32).reshape(count, -1).T
    found = _as_float(x) @ constant(np.ascontiguousarray(weights))
    return found + _row(intercepts) if len(intercepts) else found


def _transformed(call: Call, scores: Node, how: str) -> Node:
    if how == "NONE":
        return scores
    if how in {"SOFTMAX", "LOGISTIC"}:
        return ops.softmax(scores, axis=scores.type.ndim - 1) if how == "SOFTMAX" else ops.sigmoid(scores)
    raise call.unsupported(f"post_transform {how!r}")


@operator("LinearRegressor", domain=ML)
def linear_regressor(
    call: Call, x: Node, *, coefficients: Any, intercepts: Any = (), post_transform: str = "NONE", targets: int = 1
) -> Node:
    """x·W + b."""
    return _transformed(call, _linear(x, coefficients, intercepts, targets), post_transform)


@operator("LinearClassifier", domain=ML)
def linear_classifier(
    call: Call, x: Node, *, coefficients: Any, intercepts: Any = (), classlabels_ints: Any = (), classlabels_strings: Any = (),
    multi_class: int = 0, post_transform: str = "NONE",
) -> Any:  # fmt: skip
    """The class with the largest of the scores x·W + b, where it is a number, and the scores."""
    classes = len(classlabels_ints) or len(classlabels_strings)
    if len(intercepts) != classes:
        raise call.unsupported(f"{len(intercepts)} rows of weights for {classes} classes")
    scores = _linear(x, coefficients, intercepts, classes)
    chosen = ops.argmax(scores, axis=1)
    label = (
        ops.gather(constant(np.asarray(classlabels_ints, dtype=np.int64)), chosen, axis=0) if len(classlabels_ints) else None
    )
    return label, _transformed(call, scores, post_transform)


@operator("ArrayFeatureExtractor", domain=ML)
def extracted(call: Call, x: Node, places: Node) -> Node:
    """Entries of the last axis."""
    found = ops.gather(x, ops.reshape(from_zero(places, x.shape[-1]), shape=(places.type.size,)), axis=x.type.ndim - 1)
    return ops.reshape(found, shape=(1, *found.shape)) if x.type.ndim == 1 else found


@operator("Binarizer", domain=ML)
def binarised(call: Call, x: Node, *, threshold: float = 0.0) -> Node:
    """1 above a threshold, else 0."""
    return ops.cast(ops.greater(x, threshold), dtype=x.dtype)
