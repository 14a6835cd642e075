"""Explanations as people read them: text at three levels, one node, HTML that holds no markup but ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError, OptionError, OptionTypeError
from chainrule.trace import Explanation
from chainrule.train import Run
from chainrule.views.explanation import backward_text, forward_text, node_text

HOSTILE = ('<script>alert("1")</script>', "$x^2$\u202eleft", "a" * 300)


@pytest.fixture(scope="module")
def run() -> Run:
    moons = cr.data.moons(60)
    data = cr.data.Dataset("<b>moons</b>", moons.train, test=moons.test, classes=HOSTILE[:2])
    return cr.fit("2-3-2 tanh softmax", data, epochs=2, batch_size=10)


@pytest.fixture(scope="module")
def explanation(run: Run) -> Explanation:
    return run.explain(1)


def test_forward_and_backward_are_in_topological_order(explanation: Explanation) -> None:
    forward = [step.quantity.number for step in explanation.forward]
    backward = [step.quantity.number for step in explanation.backward]
    assert forward == sorted(forward)
    assert backward == sorted(backward, reverse=True)
    text = str(explanation)
    assert text.index("FORWARD") < text.index("BACKWARD") < text.index("CHECKS")
    assert "dense1.a = tanh(dense1.z)" in text
    assert text.count("✓") == len(explanation.rules) + len(explanation.main_entries)


def test_the_numbers_of_a_backward_step_multiply(explanation: Explanation) -> None:
    for step in explanation.backward:
        assert step.path.product == step.path.local * step.path.arriving
        derivative = explanation.trace.derivative_by(step.input)
        assert derivative is not None
        np.testing.assert_allclose(step.total, derivative[step.index], rtol=1e-10)


@pytest.mark.parametrize("level", ["picture", "numbers", "mathematics"])
@pytest.mark.parametrize("notation", ["names", "layers", "delta", "code"])
def test_levels_and_notations(explanation: Explanation, level: str, notation: str) -> None:
    other = explanation.at_level(level).in_notation(notation)  # type: ignore[arg-type]
    text = str(other)
    assert other.trace is explanation.trace
    assert ("should rise" in text or "should fall" in text) == (level == "picture")
    assert ("█" in text) == (level == "numbers")
    assert ("⁽¹⁾" in text) == (notation in {"layers", "delta"})
    assert other._repr_html_()


def test_one_node(explanation: Explanation) -> None:
    text = node_text(explanation, "dense1.a")
    assert "the sum over 2 paths" in text
    products = [float(line.rpartition("= ")[2].replace("−", "-")) for line in text.splitlines() if " · ∂C/∂dense2.z" in line]
    total = float(re.search(r"∂C/∂dense1.a\[.*?\] = (\S+),", text)[1].replace("−", "-"))  # type: ignore[index]
    assert len(products) == 2
    assert abs(sum(products) - total) <= 1e-3 * max(map(abs, products))
    with pytest.raises(GraphError, match=r"did you mean 'dense1\.a'"):
        node_text(explanation, "dense1.aa")


def test_parts_alone(explanation: Explanation) -> None:
    assert "BACKWARD" not in forward_text(explanation)
    assert "FORWARD" not in backward_text(explanation)
    assert "stored for the backward pass" in forward_text(explanation)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_whole_and_holds_no_markup_of_the_data(run: Run) -> None:
    assert run.data.test is not None
    explanation = run.explain(int(np.argmin(run.data.test.y)))
    assert explanation.facts["truth"] == HOSTILE[0]
    html = explanation._repr_html_()
    reader = Reader()
    reader.feed(html)
    assert not reader.open
    assert "script" not in reader.tags
    assert "math" in reader.tags
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html + str(explanation)


def test_a_batch_an_example_and_arrays(run: Run) -> None:
    by_number, by_example = run.explain(3), run.explain(run.data.test[3])  # type: ignore[index]
    assert float(by_number.trace.value("C")) == float(by_example.trace.value("C"))
    assert by_number.facts["example"] == "3 of the test part"
    test = run.data.test
    assert test is not None
    batch = run.explain(test[:8])
    costs = [float(run.explain(i).trace.value("C")) for i in range(8)]
    np.testing.assert_allclose(batch.trace.value("C"), np.mean(costs), rtol=1e-12)
    gradient = run.model().gradient(test.x[:8], test.y[:8])
    np.testing.assert_allclose(batch.trace.derivative("dense1.W"), gradient["dense1.W"], rtol=1e-10)
    assert batch.agrees
    assert float(run.explain((test.x[3], test.y[3])).trace.value("C")) == costs[3]


def test_what_cannot_be_explained_is_said(run: Run) -> None:
    with pytest.raises(OptionError, match="example 99 of the test part"):
        run.explain(99)
    with pytest.raises(OptionTypeError, match="an explanation of 'seven'"):
        run.explain("seven")
    with pytest.raises(OptionError, match="level='deep'"):
        run.explain(1, level="deep")


def test_a_network_that_was_never_trained() -> None:
    digits = cr.data.mnist()
    assert digits.test is not None
    net = cr.network("784-5-10 sigmoid softmax")
    explanation = net.explain(digits.test[7])
    assert explanation.agrees
    assert explanation.trace.value("input.a").max() == 1.0
    assert "784" in str(explanation)
    again = net.explain(digits.test[7], seed=1)
    assert float(again.trace.value("C")) != float(explanation.trace.value("C"))
    weights = {name: explanation.trace.value(name) for name in ("dense1.W", "dense1.b", "dense2.W", "dense2.b")}
    given = net.explain(digits.test[7:9], parameters=weights)
    assert given.trace.value("dense2.a").shape == (2, 10)


def test_regression_and_penalties() -> None:
    data = cr.data.curve("sin3x")
    run = cr.fit("1-4-1 tanh", data, loss=cr.SquaredError() + cr.L2(0.01), epochs=1, batch_size=10)
    explanation = run.explain(0, part="training")
    assert explanation.agrees
    assert "target" in explanation.facts
    # The weights feed their layer and the penalty: two terms.
    assert len(explanation.terms("dense1.W")) == 2
