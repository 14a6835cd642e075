"""Auxiliary losses of layers: they are terms of the cost like any other, and can be the only ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.cli.scores import evaluation_row
from chainrule.errors import GraphError, LossError, OptionError
from chainrule.nn.build import layer_scope
from chainrule.views import pictures
from chainrule.views.networks import draw_network, growing_picture
from chainrule.views.report import report_page
from chainrule.views.terminal import score_facts


@dataclass(frozen=True)
class Small:
    """Hands on what it is given, and asks for it to be small."""

    name: str = ""

    def __call__(self, x: cr.Node) -> cr.Node:
        """x itself."""
        with layer_scope(self, "small", x) as here:
            here.term("size", ops.mean(x * x, axis=1), "mean_j a_j²")
            return here.gives(x)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_layers_loss_is_a_term_of_the_cost(engine):
    net = cr.Sequential(cr.Dense(4, "tanh", name="hidden"), Small(), cr.Dense(2, "softmax"))
    run = cr.fit(net, "moons", epochs=2, engine=engine)
    assert run.problem.formula == "C = 1/B·Σ_batch(−log a_label) + 1/B·Σ_batch(mean_j a_j²)"
    last = run.history.epochs[-1].parts["test"]
    a = np.asarray(run.model().quantities(run.data.test.x)["hidden.a"])
    assert last["small1.size"][0] == pytest.approx(np.mean(a**2), rel=1e-5)
    assert last["loss"][0] == pytest.approx(last["cross_entropy"][0] + last["small1.size"][0], rel=1e-6)


def test_it_may_be_the_only_one():
    run = cr.fit(cr.Sequential(cr.Dense(4, "tanh"), Small()), "moons", loss="none", epochs=20)
    first, last = run.history.epochs[0].parts["training"], run.history.epochs[-1].parts["training"]
    assert "accuracy" not in last
    assert last["loss"][0] < 0.5 * first["loss"][0]
    assert run.problem.formula == "C = 1/B·Σ_batch(mean_j a_j²)"


def test_without_any_loss_there_is_nothing_to_train():
    for loss in ("none", cr.L2(0.1)):
        with pytest.raises(LossError, match="without a loss"):
            cr.fit("2-2", "moons", loss=loss)


def test_a_loss_is_one_number_to_an_example_and_has_a_name_of_its_own():
    with pytest.raises(GraphError, match="one to an example"):
        cr.build_network(cr.Sequential(shared := Small(), shared), (3,))


@pytest.mark.parametrize("data", [cr.data.moons(60), cr.data.curve(n=60)], ids=["classes", "numbers"])
def test_what_is_compared_with_nothing_claims_no_score(data):
    run = cr.fit(cr.Sequential(cr.Dense(3), Small()), data, epochs=2, loss="none", replicas=2)
    found = run.evaluate("test")
    assert str(run).startswith("test loss ")
    assert not {"accuracy", "R²"} & set(str(run).split())
    assert found.score[0] == "loss"
    for ask in (found.accuracy, found.confusion, found.r_squared, found.mean_absolute_error):
        with pytest.raises(OptionError, match='loss="none"'):
            ask()
    for ask in (run.classify, run.probabilities):
        with pytest.raises(OptionError):
            ask(data.test.x[:2])
    assert "prediction" not in str(run.explain(0)).split("given:")[0]


def test_no_view_claims_a_score_either(tmp_path):
    net = cr.Sequential(cr.Dense(3), Small())
    for data, other in ((cr.data.moons(60), "accuracy"), (cr.data.curve(n=60), "R²")):
        run = cr.fit(net, data, epochs=2, loss="none")
        drawn = draw_network(run.model(), data.train[0])
        assert drawn.outcome.classes is None
        assert drawn.outcome.target is None
        drawn.svg()
        assert other not in str(growing_picture(run).lines)
        assert [name for name, _ in score_facts(run.evaluate("test"))] == ["test loss"]
        assert set(evaluation_row(run.evaluate("test"))) == {"part", "examples", "scores"}
        page = report_page(run)
        assert '<section id="results">' not in page
        verdict = page.split('<p class="verdict">')[1].split("</p>")[0]
        assert other not in verdict
    with pytest.raises(OptionError, match="compared with no targets"):
        pictures.regression_fit(run, "test")
    with pytest.raises(OptionError, match="all for classes"):
        pictures.activation_comparison({"one": run, "other": cr.fit("1-1", data, epochs=1)})
    assert pictures.activation_comparison({"one": run}).score == "loss"
