"""PyTorch's table of ops, torch.testing's OpInfo: for the ops that we have too, values and derivatives on its sample inputs.

`make external` runs it. An op, or a sample with arguments that ours does not take, is skipped and counted.
"""

import sys
import unittest
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

from chainrule import nn, ops
from chainrule.derivatives import grad
from chainrule.errors import ChainruleError
from chainrule.graph import Node, compute, input_node
from tests.external.ratchet import judged


def _axis(function: Callable[..., Node]) -> Callable[..., Node]:
    return lambda x, dim=None, keepdim=False: function(x, dim, keepdims=keepdim)


OURS: dict[str, Callable[..., Node]] = {
    "add": lambda x, y, alpha=1: x + y * alpha, "sub": lambda x, y, alpha=1: x - y * alpha, "mul": ops.multiply, "div": ops.divide,
    "true_divide": ops.divide, "pow": ops.power, "neg": ops.negative, "maximum": ops.maximum, "minimum": ops.minimum, "exp": ops.exp,
    "expm1": ops.expm1, "log": ops.log, "log1p": ops.log1p, "sqrt": ops.sqrt, "sin": ops.sin, "cos": ops.cos, "tanh": ops.tanh,
    "sigmoid": ops.sigmoid, "erf": ops.erf, "abs": ops.absolute, "sign": ops.sign, "floor": ops.floor, "square": ops.square,
    "atan": ops.arctan, "eq": ops.equal, "ne": ops.not_equal, "lt": ops.less, "le": ops.less_equal, "gt": ops.greater,
    "ge": ops.greater_equal, "where": lambda x, condition, y: ops.where(condition, x, y), "matmul": ops.matmul, "bmm": ops.matmul,
    "mm": ops.matmul, "sum": _axis(ops.sum), "mean": _axis(ops.mean), "amax": _axis(ops.max), "amin": _axis(ops.min),
    "argmax": lambda x, dim: ops.argmax(x, axis=dim), "softmax": lambda x, dim: ops.softmax(x, axis=dim), "nn.functional.relu": ops.relu,
    "nn.functional.softplus": ops.softplus, "nn.functional.silu": lambda x: x * ops.sigmoid(x),
    "nn.functional.gelu": nn.ACTIVATIONS["gelu"].function,
    "nn.functional.elu": nn.ACTIVATIONS["elu"].function, "reshape": lambda x, shape: ops.reshape(x, shape=tuple(shape)),
    "permute": lambda x, axes: ops.transpose(x, axes=tuple(axes)), "flip": lambda x, axes: ops.flip(x, axes=tuple(axes)),
    "cat": lambda parts, dim=0: ops.concatenate(*parts, axis=dim), "index_select": lambda x, dim, index: ops.gather(x, index, axis=dim),
    "logical_and": ops.logical_and, "logical_or": ops.logical_or, "logical_not": ops.logical_not,
    "broadcast_to": lambda x, shape: ops.broadcast_to(x, shape=tuple(shape)),
    "index_add": lambda x, dim, index, source, alpha=1: ops.scatter_add(x, index, source * alpha, axis=dim),
}  # fmt: skip
"""Ours by the names of theirs, taking what theirs take."""


def compare(name: str, theirs: Callable[..., torch.Tensor], sample: object) -> None:
    leaves: dict[Node, np.ndarray] = {}
    floats: list[tuple[Node, torch.Tensor]] = []

    def told(item: object) -> object:
        if isinstance(item, torch.Tensor):
            array = item.detach().numpy()
            leaf = input_node(f"x{len(leaves)}", array.shape, array.dtype.name)
            leaves[leaf] = np.array(array, order="C")
            if item.requires_grad and not any(item is known for _, known in floats):
                floats.append((leaf, item))
            return leaf
        return (
            [told(each) for each in item]
            if isinstance(item, list | tuple) and any(isinstance(e, torch.Tensor) for e in item)
            else item
        )

    if set(sample.kwargs) & {"out", "dtype", "rounding_mode", "approximate"}:
        raise unittest.SkipTest("arguments that ours does not take")
    try:
        made = OURS[name](
            *[told(item) for item in (sample.input, *sample.args)], **{key: told(item) for key, item in sample.kwargs.items()}
        )
    except (ChainruleError, TypeError, AttributeError, KeyError, ValueError) as refused:
        raise unittest.SkipTest(str(refused).splitlines()[0]) from None
    wanted = theirs(sample.input, *sample.args, **sample.kwargs)
    (found,) = compute([made], leaves)
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    if floats and made.type.is_float and wanted.requires_grad:
        slopes = grad(ops.sum(made), [leaf for leaf, _ in floats])
        judge = torch.autograd.grad(wanted.sum(), [item for _, item in floats], allow_unused=True)
        for slope, right in zip(slopes, judge, strict=True):
            if slope is not None and right is not None:
                np.testing.assert_allclose(compute([slope], leaves)[0], right.numpy(), rtol=1e-9, atol=1e-11)


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    for info in op_db:
        if info.name not in OURS or info.variant_test_name:
            yield info.full_name, lambda: (_ for _ in ()).throw(unittest.SkipTest("an op that is none of ours"))
            continue
        torch.manual_seed(0)
        dtype = torch.bool if info.name.startswith("logical") else torch.float64
        samples = info.sample_inputs("cpu", dtype, requires_grad=info.supports_autograd and dtype.is_floating_point)
        for number, sample in enumerate(samples):
            yield f"{info.name}-{number}", lambda info=info, sample=sample: compare(info.name, info.op, sample)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(judged("torch_ops", cases()))
