"""Slopes where activations bend: those of PyTorch and Keras, at the bends themselves: `make external` runs it, with KERAS_BACKEND=torch."""

import numpy as np
import pytest
import torch
from torch import nn

import chainrule as cr
from chainrule.nn import build_network
from tests.external.keras_tutorials import exactly, keras

POINTS = np.array([[-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0]])
"""Every place where one of these bends, each with places on both sides of it."""


class Clamp(nn.Module):
    def __init__(self, **limits):
        super().__init__()
        self.limits = limits

    def forward(self, x):
        return x.clamp(**self.limits)


BENDING = {
    "relu": nn.ReLU(), "relu6": nn.ReLU6(), "hardtanh": nn.Hardtanh(), "hardtanh as relu6": nn.Hardtanh(0.0, 6.0),
    "hardsigmoid": nn.Hardsigmoid(), "hardswish": nn.Hardswish(), "leaky": nn.LeakyReLU(), "leaky 0.2": nn.LeakyReLU(0.2), "elu": nn.ELU(),
    "elu 2": nn.ELU(2.0), "celu": nn.CELU(2.0), "selu": nn.SELU(), "prelu": nn.PReLU(), "prelu of each": nn.PReLU(7),
    "clamp": Clamp(min=0, max=6), "clamp to 1": Clamp(min=-1.0, max=1.0), "clamp from 0": Clamp(min=0),
}  # fmt: skip
IN_KERAS = {
    **{name: ("Activation", {"activation": name}) for name in (
        "relu", "relu6", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "elu", "selu",
    )},
    "ReLU 6": ("ReLU", {"max_value": 6.0}), "ELU": ("ELU", {"alpha": 2.0}),
    "LeakyReLU": ("LeakyReLU", {"negative_slope": 0.3}), "PReLU": ("PReLU", {}),
}  # fmt: skip


def slope(function):
    """What PyTorch gives."""
    x = torch.tensor(POINTS, requires_grad=True)
    function(x).sum().backward()
    return x.grad.numpy()


def ours(network, values):
    """What we give, of the same."""
    built = build_network(network, POINTS.shape[1:], batch=1, dtype="float64")
    known = {item.node: np.asarray(values[name], dtype=float) for name, item in built.parameters.items()}
    return cr.compute(cr.grad(cr.ops.sum(built.output), [built.input]), known | {built.input: POINTS})[0]


@pytest.mark.parametrize("name", BENDING)
def test_slopes_of_pytorch_at_its_bends(name):
    module = BENDING[name].double()
    imported = cr.from_torch(module, torch.tensor(POINTS))
    # PyTorch's Hardsigmoid has a sixth in float32.
    np.testing.assert_allclose(ours(*imported), slope(module), rtol=1e-7)
    np.testing.assert_allclose(slope(cr.to_torch(*imported).double()), slope(module), rtol=1e-7)


@pytest.mark.parametrize("name", IN_KERAS)
def test_slopes_of_keras_at_its_bends(name):
    exactly("float64")
    try:
        kind, options = IN_KERAS[name]
        layer = getattr(keras.layers, kind)(**options)
        imported = cr.from_keras(keras.Sequential([keras.Input(POINTS.shape[1:]), layer]))
        np.testing.assert_allclose(ours(*imported), slope(layer), rtol=1e-6)
        np.testing.assert_allclose(slope(cr.to_keras(*imported)), slope(layer), rtol=1e-6)
    finally:
        exactly("float32")
