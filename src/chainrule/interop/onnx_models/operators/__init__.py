"""The operators of ONNX as nodes, by topics; each module enters its own into the table when it is loaded."""

from chainrule.interop.onnx_models.call import OPERATORS
from chainrule.interop.onnx_models.operators import (
    arithmetic,
    control,
    functions,
    indexing,
    learned,
    matrices,
    norms,
    pictures,
    recurrent,
    reductions,
    shapes,
    whole,
    windows,
)

__all__ = [
    "OPERATORS", "arithmetic", "control", "functions", "indexing", "learned", "matrices", "norms", "pictures", "recurrent",
    "reductions", "shapes", "whole", "windows",
]  # fmt: skip
