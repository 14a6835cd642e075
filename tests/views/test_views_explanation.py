"""Explanations as people read them: text at three levels, one node, HTML that holds no markup but ours."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError, OptionError, OptionTypeError
from chainrule.trace import EntryCheck, Explanation, Level
from chainrule.train import Run
from chainrule.views.explanation import backward_text, forward_text, node_text
from chainrule.views.explanation.text import verdict

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
    net = cr.parse_network("784-5-10 sigmoid softmax")
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


# ---- levels and marks in pages


def test_a_page_is_at_the_level_of_its_explanation(explanation: Explanation) -> None:
    pages = {level: explanation.at_level(level)._repr_html_() for level in ("picture", "numbers", "mathematics")}
    assert len(set(pages.values())) == 3
    assert ["who pushes" in page for page in pages.values()] == [True, True, False]
    assert ["should rise" in page or "should fall" in page for page in pages.values()] == [True, False, False]
    assert ['class="bar"' in page for page in pages.values()] == [False, True, False]
    assert ["stored for the backward pass" in page for page in pages.values()] == [False, False, True]


UNSURE = EntryCheck("dense1.W", (0, 1), 0.25, 0.5, 1.0, "unclear", 0.3)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (UNSURE, "? cannot be told: the finite difference is 0.5 ± 0.3"),
        (replace(UNSURE, uncertainty=np.inf), "? cannot be told: there is no finite number beside it"),
        (replace(UNSURE, state="kink"), "~ at a kink: no finite difference there, the rule is a convention"),
        (replace(UNSURE, state="differs", error=3e-5), "✗ finite difference gives 0.5: off by 3×10⁻⁵"),
        (replace(UNSURE, state="agrees", error=1e-9), "✓ finite difference agrees to 10⁻⁹"),
        (replace(UNSURE, state="agrees", error=0.0), "✓ finite difference agrees to the last digit"),
    ],
)
def test_verdicts_in_words(check: EntryCheck, words: str) -> None:
    assert verdict(check) == words


@pytest.mark.parametrize("level", ["picture", "numbers", "mathematics"])
def test_what_cannot_be_told_is_marked_so_at_every_level(run: Run, level: Level) -> None:
    found = run.explain(2, level=level)
    unsure = replace(found.rules[-1], state="unclear", uncertainty=0.3)
    vars(found)["rules"] = (*found.rules[:-1], unsure)
    vars(found)["entries"] = (UNSURE, *found.entries)
    assert found.agrees
    text, page = str(found), found._repr_html_()
    assert "1 cannot be told" in text
    assert "1 cannot be told" in page
    if level == "picture":
        assert "  ?\n" in text
        assert re.search(r'<span class="unsure" title="\? cannot be told[^"]*">\?</span>', page)
        assert all(
            meaning in text and meaning in page
            for meaning in ("at a kink, where there is no slope", "rounding leaves too little")
        )
    else:
        assert text.count("? cannot be told: the finite difference is") >= 1
        assert re.search(r'<span class="verdict unsure">\? cannot be told: the finite difference is', page)


def test_a_value_is_said_once(run: Run) -> None:
    # C of one example is the sum of one loss.
    assert not re.search(r"= (\S+) = \1$", str(run.explain(2)), re.MULTILINE)
    assert not re.search(
        r"<mi>C</mi><mo>&#x0003D;</mo><mn>([\d.]+)</mn><mo>&#x0003D;</mo><mn>\1</mn>", run.explain(2)._repr_html_()
    )


def test_small_numbers_are_whole_in_formulas() -> None:
    w = cr.parameter("w")
    graph = cr.Graph({"C": w * w * 5.951e-6})
    page = cr.explain_graph(graph, {"w": np.array(0.001)})._repr_html_()
    assert "<mi>e</mi>" not in page
    assert "<mn>10</mn><mrow><mo>&#x02212;</mo><mn>6</mn></mrow>" in page.replace("<msup>", "").replace("</msup>", "")
    assert "5.951×10⁻⁶" in str(cr.explain_graph(graph, {"w": np.array(0.001)}))


def test_targets_with_errors_are_named_so() -> None:
    x = np.linspace(0, 1, 8)[:, None]
    data = cr.data.with_errors(cr.data.from_arrays(x, np.sin(x), split=None), np.full(8, 0.122))
    run = cr.fit("1-2-1", data, loss="chi_squared", epochs=1)
    assert run.explain(3, "training").facts["target"].endswith("± 0.122 (its standard error)")
