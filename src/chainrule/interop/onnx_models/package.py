"""What is used of the package onnx, which is loaded with this module; and an error that says so where it is missing."""

from __future__ import annotations

import numpy as np

from chainrule.errors import MissingPackageError

try:
    from onnx import (
        AttributeProto,
        FunctionProto,
        GraphProto,
        ModelProto,
        NodeProto,
        TensorProto,
        ValueInfoProto,
        checker,
        defs,
        external_data_helper,
        helper,
        numpy_helper,
        shape_inference,
    )
except ImportError as error:
    raise MissingPackageError(
        f"onnx is not here, or older than 1.16: {error}",
        expected="onnx 1.16 or newer",
        remedy="pip install 'chainrule[onnx]'",
    ) from error

DTYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint32": TensorProto.UINT32,
}
"""The dtypes of nodes as ONNX numbers them."""
NAMES: dict[int, str] = {number: name for name, number in DTYPES.items()}
LIMITS: dict[int, tuple[int, int]] = {
    TensorProto.UINT8: (0, 2**8 - 1),
    TensorProto.INT8: (-(2**7), 2**7 - 1),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.INT4: (-(2**3), 2**3 - 1),
    TensorProto.UINT4: (0, 2**4 - 1),
}
"""The least and the largest number of short kinds of whole numbers."""
WIDER: dict[int, str] = {
    **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16), "float32"),
    **dict.fromkeys(LIMITS.keys() - NAMES.keys(), "int32"),
}
"""The dtypes of nodes in the place of kinds that they cannot have; what is computed of float16 is not rounded to it."""
READ: dict[int, str] = {**NAMES, **WIDER}
"""The dtype of a node for every kind that can be read."""


def bits_of(kind: int) -> int:
    """How many bits a number of a kind takes in a file."""
    if kind in LIMITS:
        low, high = LIMITS[kind]
        return (high - low).bit_length()
    return 16 if kind in WIDER else 8 * np.dtype(NAMES.get(kind, "uint8")).itemsize


__all__ = [
    "AttributeProto", "DTYPES", "FunctionProto", "GraphProto", "LIMITS", "ModelProto", "NAMES", "NodeProto", "READ", "TensorProto",
    "ValueInfoProto", "WIDER", "bits_of", "checker", "defs", "external_data_helper", "helper", "numpy_helper", "shape_inference",
]  # fmt: skip
