"""Every view of a run over every kind of layer: what only describes builds no graph that training would not build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application
from chainrule.errors import DataError, OptionError
from chainrule.graph import Node
from chainrule.train import Run
from chainrule.views.networks import growing_picture
from chainrule.views.report import report_page

RANDOM = np.random.default_rng(0)
SEQUENCES = cr.data.from_arrays(RANDOM.normal(size=(24, 4, 3)), RANDOM.integers(0, 2, 24), name="sequences")
IMAGES = cr.data.from_arrays(RANDOM.integers(0, 256, (24, 6, 6, 2)).astype(np.uint8), RANDOM.integers(0, 2, 24), name="images")
IDS = cr.data.from_arrays(RANDOM.integers(0, 5, (24, 4)).astype(float), RANDOM.integers(0, 2, 24), name="ids", scaling="none")
NUMBERS = cr.data.from_arrays(RANDOM.normal(size=(24, 3)), RANDOM.normal(size=(24, 2)), name="numbers")
MOONS = cr.data.moons(24)


def _end() -> cr.Dense:
    return cr.Dense(2, "softmax")


CASES: dict[str, tuple[cr.Sequential, cr.data.Dataset, object]] = {
    "batch norm": (cr.Sequential(cr.Dense(4, "tanh"), cr.BatchNorm(), _end()), MOONS, None),
    "batch norm first": (cr.Sequential(cr.BatchNorm(), _end()), MOONS, None),
    "batch norm of numbers": (cr.Sequential(cr.Dense(4), cr.BatchNorm(), cr.Dense(2)), NUMBERS, None),
    "batch norm in a residual": (cr.Sequential(cr.Dense(3), cr.Residual(cr.Dense(3), cr.BatchNorm()), _end()), MOONS, None),
    "batch norm of images": (
        cr.Sequential(cr.Conv2D(2, 3, activation="relu"), cr.BatchNorm(), cr.GlobalAveragePool(), cr.BatchNorm(), _end()),
        IMAGES,
        None,
    ),
    "layer norm, dropout, noise": (
        cr.Sequential(cr.GaussianNoise(0.1), cr.Dense(4), cr.LayerNorm(), cr.Dropout(0.3), _end()),
        MOONS,
        None,
    ),
    "convolution": (cr.Sequential(cr.Conv2D(2, 3), cr.MaxPool(2), cr.GroupNorm(2), cr.Flatten(), _end()), IMAGES, None),
    "memory": (
        cr.Sequential(cr.LSTM(3, return_sequences=True), cr.Bidirectional(cr.GRU(2)), cr.BatchNorm(), _end()),
        SEQUENCES,
        None,
    ),
    "ids": (cr.Sequential(cr.Embedding(5, 3), cr.RNN(3), cr.BatchNorm(), _end()), IDS, None),
    "one-hot": (cr.Sequential(cr.OneHot(5), cr.GRU(3), _end()), IDS, None),
    "frozen": (cr.Sequential(cr.Frozen(cr.Dense(4, "relu"), cr.BatchNorm()), cr.Dense(3, "tanh"), _end()), MOONS, None),
    "frozen images": (
        cr.Sequential(
            cr.Frozen(cr.Conv2D(2, 3), cr.BatchNorm()), cr.Conv2D(2, 2), cr.Flatten(), cr.Frozen(cr.Dense(3)), _end()
        ),
        IMAGES,
        None,
    ),
    "frozen memory": (cr.Sequential(cr.Frozen(cr.Bidirectional(cr.LSTM(3))), _end()), SEQUENCES, None),
    "frozen ids": (cr.Sequential(cr.Frozen(cr.Embedding(5, 3)), cr.RNN(3), _end()), IDS, None),
    "latent": (
        cr.Sequential(cr.Dense(4), cr.BatchNorm(), cr.Dense(2), cr.Latent(), cr.Dense(2)),
        NUMBERS,
        "mean_squared_error",
    ),
    "boltzmann": (cr.Sequential(cr.RestrictedBoltzmann(3)), cr.data.bars_and_stripes(2), "none"),
}


REPORTED = ("batch norm", "batch norm of images", "ids", "frozen", "frozen images")
"""Most of a report's time goes into pictures, which are the same for all layers."""


def _train(name: str, folder: Path) -> Run:
    network, data, loss = CASES[name]
    return cr.fit(network, data, loss=loss, epochs=2, batch_size=4, folder=folder, optimizer=cr.Adam(0.01), engine="reference")


def _call(*arguments: object) -> str:
    result = CliRunner().invoke(application, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


VIEWS: dict[str, Callable[[Run, Path], object]] = {
    "print": lambda run, _: str(run),
    "growing": lambda run, _: growing_picture(run)._repr_svg_(),
    "show": lambda _, path: _call("show", path),
    "graph": lambda _, path: _call("show", path, "--stage", "graph"),
    "gradient": lambda _, path: _call("show", path, "--stage", "gradient"),
    "code": lambda _, path: _call("show", path, "--stage", "code"),
    "explain": lambda run, _: str(run.explain(0, "training")),
    "network": lambda run, _: cr.views.networks.draw_network(run)._repr_svg_(),
}


@pytest.mark.parametrize("name", CASES)
def test_every_view_of_every_layer(name: str, tmp_path: Path) -> None:
    run = _train(name, tmp_path)
    assert run.folder is not None
    for view, show in VIEWS.items():
        assert show(run, run.folder), view
    assert name not in REPORTED or report_page(run)
    assert cr.resume(run.folder, epochs=3, data=run.data).trainer.step > run.trainer.step
    branch = run.branch(run.trainer.steps_per_epoch, learning_rate=0.02, epochs=3)
    assert name not in REPORTED or report_page(branch)
    whole = run.branch(run.trainer.steps_per_epoch, batch_size=run.trainer.count, epochs=3)
    assert whole.problem.formula == run.problem.formula


def test_a_network_that_was_never_trained_is_explained_with_batch_norm() -> None:
    network = cr.Sequential(cr.Dense(4, "tanh"), cr.BatchNorm(), _end())
    assert network.explain(MOONS.train[0]).agrees


# ---- networks that need their batch

NODES = 12
LINKS = RANDOM.uniform(size=(NODES, NODES)) / NODES
FEATURES, KINDS = RANDOM.normal(size=(NODES, 3)), np.arange(NODES) % 3


def _graph_network() -> Callable[[Node], Node]:
    """Two layers over the nodes of one graph, each of which takes the mean over its neighbours."""
    hidden, end = cr.Dense(4, "tanh"), cr.Dense(3, "softmax")

    def network(x: Node) -> Node:
        links = cr.constant(LINKS, x.dtype)
        return end(links @ hidden(links @ x))

    return network


WHOLE = cr.data.from_arrays(FEATURES, KINDS, split=cr.data.RandomSplit(test=0), scaling="none")


def test_a_network_over_the_nodes_of_one_graph_is_trained_evaluated_and_described() -> None:
    run = cr.fit(_graph_network(), WHOLE, batch_size=NODES, epochs=4, optimizer=cr.Adam(0.05))
    assert "training accuracy" in str(run)
    parameters = {name: array.astype(float) for name, array in run.parameters().items()}
    hidden = np.tanh(LINKS @ FEATURES @ parameters["dense1.W"] + parameters["dense1.b"])
    z = LINKS @ hidden @ parameters["dense2.W"] + parameters["dense2.b"]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.predict(FEATURES), p, rtol=1e-5)
    np.testing.assert_allclose(run.predictor()(FEATURES), p, rtol=1e-5)
    np.testing.assert_allclose(run.evaluate("training").loss, -np.log(p[np.arange(NODES), KINDS]).mean(), rtol=1e-5)
    assert run.explain(WHOLE.train).agrees
    assert "Layer" in growing_picture(run)._repr_svg_()
    assert "dense2" in report_page(run)
    assert run.branch(2, learning_rate=0.01).trainer.step == 4


def test_a_network_over_a_whole_graph_says_so_when_it_is_given_less() -> None:
    run = cr.fit(_graph_network(), WHOLE, batch_size=NODES, epochs=1)
    for ask in (lambda: run.predict(FEATURES[:2]), lambda: run.predictor()(FEATURES[0]), lambda: run.explain(0, "training")):
        with pytest.raises(DataError, match="only for batches of 12"):
            ask()
    with pytest.raises(OptionError, match="all 12 training examples at once"):
        cr.fit(_graph_network(), WHOLE, batch_size=5)
    apart = cr.data.from_arrays(FEATURES, KINDS, test=(FEATURES[:5], KINDS[:5]))
    with pytest.raises(DataError, match="5 examples for a network"):
        cr.fit(_graph_network(), apart, batch_size=NODES)
