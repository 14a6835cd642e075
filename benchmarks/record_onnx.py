"""Records tests/interop/onnx_models: small models as PyTorch, Keras and scikit-learn write them, with inputs and what their makers compute.

Needs torch, onnxscript, keras and skl2onnx beside the development packages. Run it when an exporter changes what it writes.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import onnx

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

FOLDER = Path(__file__).parent.parent / "tests" / "interop" / "onnx_models"


class Recurrent(nn.Module):
    """A layer with memory in both directions, and a decision at its end."""

    def __init__(self, kind):
        super().__init__()
        self.memory, self.end = kind(3, 4, batch_first=True, bidirectional=True), nn.Linear(8, 2)

    def forward(self, x):  # noqa: D102  (PyTorch's name)
        return self.end(self.memory(x)[0][:, -1])


class Reshaped(nn.Module):
    """A shape that is computed from that of the input."""

    def __init__(self):
        super().__init__()
        self.seen, self.end = nn.Conv2d(1, 2, 3, stride=2, dilation=2), nn.Linear(18, 3)

    def forward(self, x):  # noqa: D102  (PyTorch's name)
        x = self.seen(x)
        return torch.softmax(self.end(x.view(x.size(0), -1)), 1)


class Words(nn.Module):
    """Vectors of ids, their mean, and a decision."""

    def __init__(self):
        super().__init__()
        self.vectors, self.end = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, x):  # noqa: D102  (PyTorch's name)
        return torch.log_softmax(self.end(self.vectors(x).mean(1)), -1)


class Enlarged(nn.Module):
    """A transposed convolution, and its nearest pixels."""

    def __init__(self):
        super().__init__()
        self.back = nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):  # noqa: D102  (PyTorch's name)
        return nn.functional.interpolate(self.back(x), scale_factor=2, mode="nearest").flatten(1)


class Attending(nn.Module):
    """One layer of a transformer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dropout=0.0)

    def forward(self, x):  # noqa: D102  (PyTorch's name)
        return self.layer(x)


def torch_models():
    """Modules and inputs by name."""
    return {
        "mlp": (nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3), nn.Softmax(-1)), torch.randn(5, 4)),
        "lenet": (
            nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ELU(),
                nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(16, 3),
            ),
            torch.randn(5, 1, 12, 12),
        ),
        "lstm": (Recurrent(nn.LSTM), torch.randn(5, 6, 3)),
        "gru": (Recurrent(nn.GRU), torch.randn(5, 6, 3)),
        "attention": (Attending(), torch.randn(5, 3, 4)),
        "words": (Words(), torch.randint(0, 10, (5, 7))),
        "reshaped": (Reshaped(), torch.randn(5, 1, 9, 9)),
        "enlarged": (Enlarged(), torch.randn(5, 1, 3, 3)),
    }  # fmt: skip


def record_torch():
    """PyTorch's two exporters."""
    torch.manual_seed(0)
    for name, (module, x) in torch_models().items():
        module.eval()
        y = module(x).detach().numpy()
        for kind in ("script", "dynamo"):
            if kind == "dynamo" and name not in {"mlp", "words", "reshaped"}:
                continue  # its models are larger, and made of the same operators
            path = FOLDER / f"torch_{kind}_{name}.onnx"
            names = {"input_names": ["input"], "output_names": ["output"]}
            if kind == "script":
                axes = {"input": {0: "batch"}, "output": {0: "batch"}}
                torch.onnx.export(module, (x,), path, dynamic_axes=axes, dynamo=False, **names)
            else:
                batch = torch.export.Dim("batch", min=1)
                torch.onnx.export(module, (x,), path, dynamic_shapes=({0: batch},), dynamo=True, external_data=False, **names)
            np.savez(path.with_suffix(".npz"), x=x.numpy(), y=y)
            without_traces(path)


def without_traces(path):
    """Takes out where in whose code each node was made."""
    model = onnx.load(path)
    del model.metadata_props[:]
    graph = model.graph
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    onnx.save(model, path)


def record_keras():
    """Keras on PyTorch."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dense(3, "softmax")]
    )
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    y = model.predict(x, verbose=0)
    model.export(FOLDER / "keras_dense.onnx", format="onnx", verbose=False)
    np.savez(FOLDER / "keras_dense.npz", x=x, y=y)
    without_traces(FOLDER / "keras_dense.onnx")


def record_sklearn():
    """skl2onnx."""
    x, y = load_iris(return_X_y=True)
    x = x.astype("float32")
    network = {"hidden_layer_sizes": (5,), "max_iter": 50, "random_state": 0}
    models = {
        "classifier": make_pipeline(StandardScaler(), MLPClassifier(activation="tanh", **network)),
        "regressor": MLPRegressor(**network),
        "logistic": LogisticRegression(max_iter=50),
    }
    for name, model in models.items():
        classifies = name != "regressor"
        model.fit(x, y)
        found = to_onnx(model, x[:1], options={"zipmap": False} if classifies else None)
        (FOLDER / f"sklearn_{name}.onnx").write_bytes(found.SerializeToString())
        answers = model.predict_proba(x[:5]) if classifies else model.predict(x[:5]).reshape(-1, 1)
        np.savez(FOLDER / f"sklearn_{name}.npz", x=x[:5], y=answers)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    record_torch()
    record_keras()
    record_sklearn()
