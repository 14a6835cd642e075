"""Networks of PyTorch and Keras that are carried on, to ONNX, JAX, NumPy, C and JavaScript, give their first library's numbers there."""

import runpy

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import chainrule as cr
from tests.external.keras_tutorials import KERAS, RANDOM, exactly, examples_for
from tests.external.torch_networks import TORCH
from tests.interop.test_written import test_itself as runs_itself


def _depthwise():
    shape = [(3, 6, 6)]
    return nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.ReLU6(), nn.Conv2d(6, 4, 1), nn.Flatten(), nn.Linear(64, 2)), shape


def _slope():
    return nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2)), [(3,)]


MODULES = {name: TORCH[name] for name in ("encoder", "encoder first", "causal", "prelu", "mobilenet")}
MODULES |= {"depthwise": _depthwise, "one slope": _slope}
MODELS = (
    "words masked", "words masked twice", "masking", "masking of others", "slopes", "slopes of places", "mobilenet", "separable", "encoder",
    "encoder causal",
)  # fmt: skip


def of_pytorch(name):
    torch.manual_seed(2)
    module, (shape,) = MODULES[name]()
    x = torch.randn(6, *shape)
    imported = cr.from_torch(module.eval(), x)
    found = np.moveaxis(x.numpy(), 1, -1) if x.ndim == 4 else x.numpy()
    return imported, np.ascontiguousarray(found), module(x).detach().numpy()


def of_keras(name):
    exactly("float64")
    try:
        model = KERAS[name]
        model.set_weights([weight + RANDOM.uniform(0.05, 0.4, weight.shape) for weight in model.get_weights()])
        (x,) = examples_for(name, model)
        return cr.from_keras(model), x.astype(np.float32), model(torch.from_numpy(x)).detach().numpy()
    finally:
        exactly("float32")


CARRIED = [(of_pytorch, name) for name in MODULES] + [(of_keras, name) for name in MODELS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("brought", "name"), CARRIED, ids=[f"{brought.__name__} {name}" for brought, name in CARRIED])
def test_what_is_carried_on_gives_the_first_ones_numbers(brought, name, tmp_path):
    imported, x, theirs = brought(name)
    theirs = theirs.reshape(6, -1)
    flat = cr.Sequential(imported.network, cr.Flatten())
    run = cr.fit(
        flat, (x, np.sin(np.arange(theirs.size)).reshape(theirs.shape)), loss="mean_squared_error", initial=imported, epochs=0
    )
    session = onnxruntime.InferenceSession(cr.to_onnx(run).SerializeToString())
    files = {end: cr.export(run, tmp_path / f"network.{end}")[0] for end in ("py", "c", "js")}
    function, parameters = cr.to_jax(run)
    for found in (
        run.predict(x),
        session.run(None, {"x": x})[0],
        function(parameters, x),
        runpy.run_path(str(files["py"]))["predict"](x),
    ):
        np.testing.assert_allclose(np.asarray(found).reshape(6, -1), theirs, rtol=0, atol=1e-5 * max(1.0, np.abs(theirs).max()))
    for file in files.values():
        runs_itself(file)  # what run.predict gives, to 1e-5
