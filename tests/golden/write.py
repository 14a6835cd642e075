"""Writes what this version of chainrule saves: every kind of description as JSON, and small run folders, with the numbers they give.

Run once for a version, with that version, in an empty folder: python -m tests.golden.write tests/golden/0.1. Never run again on
what is there: the files say how that version wrote, and tests hold every later one to reading them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.descriptions import written
from chainrule.graph import compute, constant
from chainrule.nn import build_network, to_json
from chainrule.ops import random
from chainrule.train.sealed import sealed

nn, data = cr.nn, cr.data
HE = nn.HeNormal()

INITIALISERS: dict[str, Any] = {
    "Zeros": nn.Zeros(), "Constant": nn.Constant(0.25), "Normal": nn.Normal(0.5, 0.1), "Uniform": nn.Uniform(-0.2, 0.3),
    "GlorotUniform": nn.GlorotUniform(), "GlorotNormal": nn.GlorotNormal(), "HeUniform": nn.HeUniform(), "HeNormal": HE,
    "LeCunNormal": nn.LeCunNormal(), "LeCunUniform": nn.LeCunUniform(),
}  # fmt: skip

ROWS, ROW, PICTURE, STEPS, IDS = (6,), (8, 2), (6, 6, 2), (5, 3), (4,)
LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Dense": (cr.Dense(3, "relu", bias=False, weights=HE, biases=nn.Constant(0.1), name="first"), ROWS),
    "Dense usual": (cr.Dense(3), ROWS),
    "Activation": (cr.Activation("softmax", name="last"), ROWS),
    "Dropout": (cr.Dropout(0.25), ROWS),
    "Flatten": (cr.Flatten(), PICTURE),
    "Reshape": (cr.Reshape((2, 3), name="r"), ROWS),
    "Conv1D": (cr.Conv1D(4, 3, "tanh", stride=2, padding="same"), ROW),
    "Conv2D": (cr.Conv2D(4, (3, 2), "relu", stride=(1, 2), dilation=2, groups=2, padding="periodic", weights=HE), PICTURE),
    "ConvTranspose1D": (cr.ConvTranspose1D(2, 3, stride=2, dilation=2), ROW),
    "ConvTranspose2D": (cr.ConvTranspose2D(2, 2, "sigmoid", stride=2, groups=2, padding="same", bias=False), PICTURE),
    "MaxPool": (cr.MaxPool((2, 1), stride=1), PICTURE),
    "AveragePool": (cr.AveragePool(4, padding="same"), PICTURE),
    "GlobalMaxPool": (cr.GlobalMaxPool("all"), PICTURE),
    "GlobalAveragePool": (cr.GlobalAveragePool(), PICTURE),
    "UpSample": (cr.UpSample((1, 2)), PICTURE),
    "LayerNorm": (cr.LayerNorm(1e-3, gains=nn.Constant(0.5)), ROWS),
    "GroupNorm": (cr.GroupNorm(2, epsilon=1e-4), PICTURE),
    "BatchNorm": (cr.BatchNorm(0.2, biases=nn.Constant(0.3)), ROWS),
    "Residual": (cr.Residual(cr.Dense(6, "tanh"), cr.Dense(6), name="around"), ROWS),
    "RNN": (cr.RNN(3, return_sequences=True, activation="relu", padding=0.0), STEPS),
    "LSTM": (cr.LSTM(3, reverse=True, forget_bias=2.0, input_bias=-1.0, weights=nn.GlorotNormal()), STEPS),
    "GRU": (cr.GRU(3, stateful=True, update_bias=1.5, recurrent=nn.Normal(0.0, 0.2), name="memory"), STEPS),
    "Bidirectional": (cr.Bidirectional(cr.LSTM(2), name="both"), STEPS),
    "TimeDistributed": (cr.TimeDistributed(cr.Dense(2, "tanh")), STEPS),
    "GaussianNoise": (cr.GaussianNoise(0.5), ROWS),
    "Latent": (cr.Latent(2.0, name="code"), ROWS),
    "RestrictedBoltzmann": (cr.RestrictedBoltzmann(4, steps=2, chains=3, visible_biases=nn.Constant(-0.5)), ROWS),
    "Hopfield": (cr.Hopfield(3), ROWS),
    "OneHot": (cr.OneHot(5, padding=0), IDS),
    "Embedding": (cr.Embedding(5, 3, padding=0, weights=nn.Uniform(-1.0, 1.0)), IDS),
    "Formula": (
        cr.Formula("β(W·i + b)", {"W": (2, 6), "b": (2,)}, {"β": "tanh"}, {"W": nn.LeCunNormal(), "b": nn.Constant(0.1)}), ROWS,
    ),
    "Sequential": (cr.Sequential(both := cr.Dense(6, "tanh"), cr.Sequential(both), both, input_shape=(6,)), ROWS),
}  # fmt: skip

SCHEDULES: dict[str, Any] = {
    "ConstantRate": cr.ConstantRate(0.05), "StepDecay": cr.StepDecay(0.1, 4, 0.5), "Cosine": cr.Cosine(0.1, 0.01),
    "WarmUp": cr.WarmUp(3, cr.Cosine(0.2)),
}  # fmt: skip
OPTIMIZERS: dict[str, Any] = {
    "SGD": cr.SGD(0.1), "momentum": cr.SGD(0.05, 0.9, nesterov=True), "AdaGrad": cr.AdaGrad(0.05), "RMSprop": cr.RMSprop(0.01, 0.8),
    "Adam": cr.Adam(0.02, 0.8, 0.95, epsilon_hat=True), "AdamW": cr.AdamW(0.02, 0.05), "PerceptronRule": cr.PerceptronRule(0.5),
    "LBFGS": cr.LBFGS(5, iterations=7), "LevenbergMarquardt": cr.LevenbergMarquardt(6, damping=0.01),
}  # fmt: skip
LOSSES: dict[str, Any] = {
    **{name: loss for name, loss in nn.LOSSES.items() if "poisson" not in name},  # these are younger than the files
    "huber": cr.Huber(0.5), "l1": cr.L1(0.01), "l2": cr.L2(0.02, biases=True),
}  # fmt: skip
SPLITS: dict[str, Any] = {
    "RandomSplit": data.RandomSplit(0.3, 0.1, 5), "StratifiedSplit": data.StratifiedSplit(0.3, seed=2),
    "GroupSplit": data.GroupSplit("group", test=0.3), "TimeSplit": data.TimeSplit("time", test=0.25),
}  # fmt: skip
SCALINGS: dict[str, Any] = {
    "none": data.Scaling.none(), "number": data.Scaling(0.5, 2.0, reason="(x − ½)·2"), "features": data.Scaling([1.0, 2.0], [0.5, 4.0]),
    "usual": data.Scaling.auto(np.array([[1.0], [3.0]])),
}  # fmt: skip
OTHERS: dict[str, Any] = {
    "EarlyStopping": cr.EarlyStopping(3, "accuracy", 0.01), "ClipNorm": cr.ClipNorm(1.5), "ClipValue": cr.ClipValue(0.5),
    "Objective": nn.objective("cross_entropy") + cr.L2(1e-4), "no objective": nn.objective("none"),
}  # fmt: skip


def example(shape: tuple[int, ...], whole: bool) -> np.ndarray:
    """A batch of four examples; ids where a layer wants them."""
    made = np.random.default_rng(3)
    return made.integers(0, 5, (4, *shape)).astype(float) if whole else made.normal(size=(4, *shape)).round(3)


def output(network: Any, x: np.ndarray) -> np.ndarray:
    """What a network makes of a batch, with the first values of seed 0."""
    built = build_network(network, x.shape[1:], batch=len(x))
    key = constant(random.key(0))
    values: dict[Any, Any] = {built.input: x}
    for name, item in {**built.parameters, **built.states}.items():
        made = item.initialiser(random.random_fold(key, constant(random.stream(name))), item.node.shape)
        values[item.node] = compute([made])[0].astype(item.node.dtype)
    return compute([built.output], values)[0]


def documents() -> dict[str, Any]:
    """Every description as it is written, with how it prints, and what layers make of a batch."""
    layers = {
        name: {
            "json": to_json(layer), "repr": repr(layer), "shape": shape, "whole": shape == IDS,
            "output": output(layer, example(shape, shape == IDS)).tolist(),
        }
        for name, (layer, shape) in LAYERS.items()
    }  # fmt: skip
    initialisers = {
        name: {
            "json": to_json(cr.Dense(2, weights=made)), "repr": repr(made),
            "output": output(cr.Dense(2, weights=made), example(ROWS, False)).tolist(),
        }
        for name, made in INITIALISERS.items()
    }  # fmt: skip
    rest = {
        kind: {name: {"json": written(made), "repr": repr(made)} for name, made in table.items()}
        for kind, table in {"optimizers": OPTIMIZERS, "schedules": SCHEDULES, "losses": LOSSES, "splits": SPLITS, "others": OTHERS}.items()
    }  # fmt: skip
    scalings = {name: {"json": made.to_json(), "repr": repr(made)} for name, made in SCALINGS.items()}
    return {"layers": layers, "initialisers": initialisers, "scalings": scalings, **rest}


# ---- run folders


def trainings(place: Path) -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Networks, data and options that have every kind of description in one of them at least."""
    random_numbers = np.random.default_rng(1)
    rows = [
        f"{a:.3f},{b:.3f},{'ABC'[i % 3]},{2000 + i},{'yes' if a * b > 0 else 'no'}"
        for i, (a, b) in enumerate(random_numbers.normal(size=(30, 2)))
    ]
    (place / "table.csv").write_text("a,b,group,time,answer\n" + "\n".join(rows) + "\n")

    def table(split: Any, **options: Any) -> dict[str, Any]:
        return {"name_or_path": "table.csv", "target": "answer", "split": split, **options}

    curve = {"name_or_path": "curve", "n": 20}
    x = random_numbers.normal(size=(20, 12)).round(3)
    y = (x[:, :1] + x[:, 1:2]).round(3)
    arrays = (x, y)
    text = {"name_or_path": "next_character", "text": "abc abd " * 6, "length": 4, "test": 0.3, "encoding": "ids"}
    picture = cr.Sequential(
        cr.Reshape((3, 2, 2)), cr.Conv2D(4, 2, "relu", padding="same", weights=nn.HeUniform()), cr.GroupNorm(2), cr.MaxPool(2),
        cr.UpSample(2), cr.ConvTranspose2D(2, 2), cr.AveragePool(2, padding="same"), cr.Residual(cr.Conv2D(2, 1)),
        cr.GlobalAveragePool(), cr.Dense(1, weights=nn.LeCunUniform()),
    )  # fmt: skip
    steps = cr.Sequential(
        cr.Reshape((6, 2)), cr.Bidirectional(cr.LSTM(2, return_sequences=True)),
        cr.TimeDistributed(cr.Dense(3, "tanh", weights=nn.GlorotNormal())),
        cr.Conv1D(3, 2), cr.ConvTranspose1D(2, 2), cr.GRU(3, recurrent=nn.Normal(0.0, 0.3)), cr.LayerNorm(), cr.Dense(1),
    )  # fmt: skip
    small = cr.Sequential(
        cr.Dense(4, "tanh", biases=nn.Uniform(-0.1, 0.1)), cr.Dropout(0.1), cr.BatchNorm(), cr.Dense(2, "softmax")
    )
    letters = cr.Sequential(cr.Embedding(7, 3), cr.RNN(4, weights=nn.LeCunNormal()), cr.Dense(7, "softmax"))
    hot = cr.Sequential(cr.OneHot(7), cr.GlobalMaxPool(), cr.GaussianNoise(0.1), cr.Dense(7, weights=nn.GlorotUniform()))
    formula = cr.Sequential(
        cr.Formula("a*sin(b*x)", {"a": (1,), "b": (1,)}, initialisers={"a": nn.Constant(1.0), "b": nn.Constant(0.8)})
    )
    coder = cr.Sequential(cr.Dense(4), cr.Latent(0.1), cr.Activation("tanh"), cr.Dense(1))
    return {
        "sgd": (
            small,
            table(SPLITS["StratifiedSplit"]),
            {"batch_size": 7, "loss": nn.objective("cross_entropy") + cr.L2(0.01), "optimizer": cr.SGD(SCHEDULES["Cosine"])},
        ),
        "momentum": (
            picture,
            arrays,
            {"loss": "mean_squared_error", "optimizer": cr.SGD(0.01, 0.9, nesterov=True), "clip": cr.ClipNorm(1.0)},
        ),
        "adagrad": (
            steps,
            arrays,
            {"loss": cr.Huber(0.5), "optimizer": cr.AdaGrad(SCHEDULES["StepDecay"]), "clip": cr.ClipValue(0.5)},
        ),
        "rmsprop": (
            "2-4-2 tanh",
            table(SPLITS["GroupSplit"], drop=("time",)),
            {"loss": cr.CrossEntropy(from_logits=True), "optimizer": cr.RMSprop(SCHEDULES["WarmUp"]), "replicas": 2},
        ),
        "adam": (letters, text, {"loss": "cross_entropy", "optimizer": cr.Adam(cr.ConstantRate(0.02))}),
        "adamw": (hot, text, {"loss": "hinge", "optimizer": cr.AdamW(0.02)}),
        "perceptron": (
            "2-1:step",
            {"name_or_path": "blobs", "n": 20, "classes": 2},
            {"loss": "perceptron", "optimizer": cr.PerceptronRule()},
        ),
        "lbfgs": ("1-3-1 tanh", curve, {"loss": "half_squared_error", "optimizer": cr.LBFGS(iterations=5)}),
        "levenberg": (formula, curve, {"optimizer": cr.LevenbergMarquardt(iterations=5)}),
        "stopping": (
            "2-3-2 tanh softmax",
            table(SPLITS["RandomSplit"], drop=("time", "group")),
            {"early_stopping": cr.EarlyStopping(1), "optimizer": cr.SGD(0.3)},
        ),
        "time": ("2-2", table(SPLITS["TimeSplit"], drop=("group",)), {"loss": "hinge"}),
        "binary": ("2-3-1 tanh sigmoid", {"name_or_path": "xor"}, {"loss": "binary_cross_entropy"}),
        "logits": ("2-3-1 tanh", {"name_or_path": "xor"}, {"loss": cr.BinaryCrossEntropy(from_logits=True)}),
        "coder": (coder, curve, {"loss": nn.objective("absolute_error") + cr.L1(0.001)}),
        "boltzmann": (cr.RestrictedBoltzmann(3), {"name_or_path": "bars_and_stripes", "size": 2}, {"loss": "none"}),
        "hopfield": (
            cr.Hopfield(2),
            {"name_or_path": "bars_and_stripes", "size": 2},
            {"loss": "none", "optimizer": cr.SGD(0.1)},
        ),
        "distance": ("1-2-1 relu", curve, {"loss": "euclidean_distance", "dtype": "float64"}),
    }


def main(target: Path) -> None:
    """Writes descriptions.json, and runs.zip with runs.json inside."""
    target.mkdir(parents=True)
    (target / "descriptions.json").write_text(json.dumps(documents(), ensure_ascii=False) + "\n")
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        found = {name: _trained(name, *training) for name, training in trainings(Path()).items()}
        Path("runs.json").write_text(json.dumps(found, ensure_ascii=False))
        with zipfile.ZipFile(target / "runs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in Path().rglob("*") if path.is_file()):
                archive.write(path)


def _trained(name: str, net: Any, source: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What a training gives: its folder bears the name, without what differs from machine to machine."""
    run = cr.fit(net, source, **{"epochs": 2, "batch_size": 4, "engine": "reference", **options}, folder="made")
    part, examples = ("test", run.data.test) if run.data.test is not None else ("training", run.data.train)
    rows = examples.x[:3]
    folder = Path(run.folder).rename(name)
    for waste in (*folder.glob("lock"), *folder.glob("engine.json"), *folder.glob("snapshots/*000000000.*")):
        waste.unlink()
    (folder / "environment.json").write_bytes(sealed({"chainrule": cr.__version__}))
    shutil.rmtree("made")
    return {
        "part": part, "loss": run.evaluate(part).loss.tolist(), "rows": rows.tolist(), "predicted": run.predict(rows).tolist(),
        "arrays": [array.tolist() for array in source] if isinstance(source, tuple) else None,
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
