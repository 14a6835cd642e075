"""Networks as tutorials of PyTorch have them, brought in, differentiated, taken out and trained on: `make external` runs it."""

import numpy as np
import pytest
import torch
from torch import nn

import chainrule as cr
from chainrule.errors import OptionError
from tests.external.gradients import near, retrained, slopes_of
from tests.external.torch_networks import IDS, TORCH


def drawn(shapes):
    """Six examples for each input: ids or numbers."""
    torch.manual_seed(0)
    return tuple(
        torch.randint(0, 20, (6, *shape[1:])) if shape[0] == IDS else torch.randn(6, *shape, dtype=torch.float64)
        for shape in shapes
    )


def ours_of(given, network):
    """What our network takes: channels last where it looks at pictures, several side by side."""
    as_they_are = len(given) == 1 and network.input_shape == tuple(given[0].shape[1:])
    found = [np.moveaxis(x.numpy(), 1, -1) if x.ndim == 4 and not as_they_are else x.numpy() for x in given]
    return found[0] if len(found) == 1 else np.concatenate([x.reshape(len(x), -1) for x in found], axis=1)


def stepped(module, given):
    """The module's answers, and a copy of it after one step down; of two biases that are one here, one moves."""
    module = module.eval()
    found = module(*given)
    found = found if isinstance(found, tuple) else (found,)
    output = torch.cat([each.reshape(6, -1) for each in found], dim=1) if len(found) > 1 else found[0]
    theirs = output.detach().numpy()
    if theirs.ndim == 4:
        theirs = np.moveaxis(theirs, 1, -1)
    pulls = np.cos(np.arange(theirs.size)).reshape(theirs.shape)
    pulled = np.moveaxis(pulls, -1, 1) if pulls.ndim == 4 else pulls
    (output * torch.from_numpy(np.ascontiguousarray(pulled))).sum().backward()
    with torch.no_grad():
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                slope = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
                if "bias_hh" in name:
                    slope = slope.clone()
                    slope[: 2 * len(slope) // 3 if isinstance(part, nn.GRU) else len(slope)] = 0
                parameter -= slope
    return theirs, pulls


def seen_much(module):
    """A module whose norms have statistics and weights that are none of a new one's."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            arrays = (part.weight, part.bias, getattr(part, "running_mean", None), getattr(part, "running_var", None))
            for array in (array for array in arrays if array is not None):
                nn.init.uniform_(array, 0.3, 1.5)
    return module


def brought(name):
    torch.manual_seed(1)
    module, shapes = TORCH[name]()
    module = seen_much(module).double()
    given = drawn(shapes)
    network, values = cr.from_torch(module.eval(), given)
    torch.set_default_dtype(torch.float64)
    theirs, pulls = stepped(module, given)
    torch.set_default_dtype(torch.float32)
    again = cr.from_torch(module, given)[1]
    return network, values, given, theirs, pulls, again


# ---- what is asked of each


NOT_TORCH = {
    "u-net bilinear": "repeat numbers a whole number of times", "state handed on": r"decoder \(LSTM\).* first state that is given",
    "vae": r"randn_like.* draws at random.* cr\.Latent", "tied": "a parameter that is used by itself",
    "tied words": r"out\.weight of TiedWords, which is embedding\.weight too", "functional": r"conv2_drop \(Dropout2d\)",
}  # fmt: skip
"""Those that are refused, and the words that say which part it is."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in TORCH if name not in NOT_TORCH])
def test_a_network_of_pytorch(name):
    network, values, given, theirs, pulls, again = brought(name)
    x = ours_of(given, network)
    out, slopes = slopes_of(network, values, x, pulls)
    near(out.reshape(6, -1), theirs.reshape(6, -1))
    for key, slope in slopes.items():
        near(values[key] - again[key], slope)
    there = cr.to_torch(network, values)
    given = given[0] if len(given) == 1 else torch.from_numpy(x)
    back, found = cr.from_torch(there, given)
    near(slopes_of(back, found, x, pulls)[0], out)
    run = retrained(network, values, x, out)
    with torch.no_grad():
        # What is flattened here stands channels last; there as they have it.
        trained = cr.to_torch(run)(given).numpy()
    near(trained, run.predict(x))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NOT_TORCH)
def test_a_network_of_pytorch_that_is_refused(name):
    with pytest.raises(OptionError, match=NOT_TORCH[name]):
        brought(name)
