"""PyTorch's table of modules, torch.testing's ModuleInfo: each module with its sample inputs is read by cr.from_torch, or refused by name.

`make external` runs it. Modules that are losses are held against the losses of ours that go by the same formula.
"""

import inspect
import sys
import unittest
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.errors import OptionError
from chainrule.graph import compute, constant, input_node
from tests.external.ratchet import judged

LOSSES = {
    "MSELoss": lambda module, count: cr.SquaredError(), "L1Loss": lambda module, count: cr.AbsoluteError(),
    "HuberLoss": lambda module, count: cr.Huber(float(module.delta)),
    "SmoothL1Loss": lambda module, count: scaled(cr.Huber(float(module.beta)), 1 / module.beta),
    "BCEWithLogitsLoss": lambda module, count: scaled(cr.BinaryCrossEntropy(from_logits=True), 1 / count),
    "CrossEntropyLoss": lambda module, count: cr.CrossEntropy(from_logits=True),
}  # fmt: skip
"""Ours by the names of theirs; `count` is how many outputs an example has, over which ours is a sum and theirs a mean."""


def scaled(loss, factor):
    return lambda output, target: loss(output, target) * factor


class Alone(torch.nn.Module):
    """The module as a network of its own."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)


class Answer(torch.nn.Module):
    """A recurrent module's sequence."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)[0]


def read(make: Callable[[], torch.nn.Module], x: object) -> None:
    if not isinstance(x, torch.Tensor) or x.ndim < 2 or x.is_complex():
        raise unittest.SkipTest("no batch of real numbers")
    module = make()
    kind = Answer if type(module).__name__ in {"RNN", "LSTM", "GRU"} else Alone
    try:
        cr.from_torch(kind(module), x)
    except OptionError as refused:
        if "differs" in str(refused) or "gives the shape" in str(refused):
            raise
        raise unittest.SkipTest(str(refused).splitlines()[0]) from None


def compare_loss(name: str, module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """A loss: the mean over examples, and its derivative by the outputs."""
    if (
        x.ndim != 2
        or module.reduction != "mean"
        or getattr(module, "weight", None) is not None
        or getattr(module, "pos_weight", None) is not None
        or getattr(module, "label_smoothing", 0)
    ):
        raise unittest.SkipTest("another shape, reduction or weight")
    if getattr(module, "ignore_index", -100) != -100 or (type(module).__name__ == "CrossEntropyLoss" and y.is_floating_point()):
        raise unittest.SkipTest("ignored labels, or probabilities for labels")
    x = x.detach().double().requires_grad_()
    wanted = module.double()(x, y)
    (slope,) = torch.autograd.grad(wanted, x)
    output = input_node("x", tuple(x.shape))
    try:
        rows = LOSSES[name](module, x.shape[1])(output, constant(y.detach().numpy()))
        mean = cr.ops.mean(rows)
        found = compute([mean, *grad(mean, [output])], {output: x.detach().numpy()})
    except cr.errors.ChainruleError as refused:
        raise unittest.SkipTest(str(refused).splitlines()[0]) from None
    np.testing.assert_allclose(found[0], wanted.item(), rtol=1e-10)
    np.testing.assert_allclose(found[1], slope.numpy(), rtol=1e-9, atol=1e-12)


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    for info in module_db:
        torch.manual_seed(0)
        try:
            samples = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=False)
        except Exception as error:
            yield f"{info.name}", lambda error=error: (_ for _ in ()).throw(unittest.SkipTest(f"no samples: {error}"))
            continue
        for number, sample in enumerate(samples):
            given, how = sample.forward_input, sample.constructor_input
            make = partial(made, info.module_cls, how)
            short = info.name.rpartition(".")[2]
            name = f"{short}-{number}{'-' + sample.desc if sample.desc else ''}"
            if short in LOSSES:
                yield name, lambda make=make, given=given, short=short: compare_loss(short, make(), *given.args)
            else:
                yield (
                    name,
                    lambda make=make, given=given: read(
                        make, given.args[0] if len(given.args) == 1 and not given.kwargs else None
                    ),
                )


def made(kind: type, how: object) -> torch.nn.Module:
    more = {"dtype": torch.float64} if takes_dtype(kind) else {}
    return kind(*how.args, **{**more, **how.kwargs})


def takes_dtype(kind: type) -> bool:
    return "dtype" in inspect.signature(kind.__init__).parameters


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(judged("torch_modules", cases()))
