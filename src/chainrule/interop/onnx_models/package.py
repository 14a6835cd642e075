"""What is used of the package onnx, which is loaded with this module; and an error that says so where it is missing."""

from __future__ import annotations

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

__all__ = [
    "AttributeProto", "DTYPES", "FunctionProto", "GraphProto", "ModelProto", "NAMES", "NodeProto", "TensorProto", "ValueInfoProto",
    "checker", "defs", "external_data_helper", "helper", "numpy_helper", "shape_inference",
]  # fmt: skip
