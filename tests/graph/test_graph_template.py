"""Templates: the text of a graph for any batch is found from texts for a few sizes, gives them back, and is refused where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import GraphError, ParseError
from chainrule.graph.template import filled, template_of

SIZES = (2, 3, 5, 7)


def texts_of(line, sizes=SIZES):
    """The line for some sizes in float64, and for one in float32."""
    return {**{(n, "float64"): line(n, float) for n in sizes}, (3, "float32"): line(3, lambda v: float(np.float32(v)))}


@given(st.integers(1, 500), st.integers(-1, 500), st.integers(1, 9), st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_numbers_that_go_by_the_batch_are_found_and_given_for_every_size(a, b, c, d):
    def line(n, rounded):
        dtype = "float64" if rounded is float else "float32"
        ratio, share, tenth = rounded((a * n + b) / (c * n + d)), rounded(1 / n), rounded(0.1)
        return f"y: {dtype}[{a * n + b}] = op(x, ratio={ratio!r}, share={share!r}, tenth={tenth!r})"

    template = template_of(texts_of(line))
    for size in (1, 4, 32, 1000):
        assert filled(template, size, "float64") == line(size, float)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (lambda n: f"y: float64[{n},2] = constant(value={np.full((n, 2), 0.5).tolist()})", "{0.5 everywhere}"),
        (lambda n: f"y: bool[{n}] = constant(value={[True] * n})", "{True everywhere}"),
    ],
)
def test_an_array_of_one_number_goes_by_the_batch(line, expected):
    template = template_of({(n, "float64"): line(n) for n in SIZES})
    assert expected in template
    assert filled(template, 4, "float64") == line(4)


@pytest.mark.parametrize(
    "line",
    [
        lambda n: f"y: float64[{n}] = constant(value={list(range(n))})",
        lambda n: f"y: float64[{n * n}] = op(x)",
        lambda n: f"y: float64[{n}] = op(x, root={n**0.5!r})",
        lambda n: f"y: float64[{n}] = {'sin' if n < 5 else 'cos'}(x)",
        lambda n: "\n".join(["y: float64[] = op(x)"] * n),
        lambda n: f"y: float64[{n}] = op(x, text='{{B}}')",
    ],
)
def test_what_goes_by_the_batch_in_another_way_is_refused(line):
    with pytest.raises(GraphError, match="goes by the size of its batch"):
        template_of({(n, "float64"): line(n) for n in SIZES})


@pytest.mark.parametrize("line", [lambda n: f"y: float64[{n}] = op(x)", lambda n: f"y: float64[] = op(x, share={1 / n!r})"])
def test_three_sizes_are_too_few(line):
    with pytest.raises(GraphError, match="goes by the size of its batch"):
        template_of({(n, "float64"): line(n) for n in (2, 3, 5)})


def test_a_number_that_float32_would_not_round_to_is_refused():
    with pytest.raises(GraphError):
        template_of(
            {
                **{(n, "float64"): "y: float64[] = constant(value=0.1)" for n in SIZES},
                (3, "float32"): "y: float32[] = constant(value=0.2)",
            }
        )


@pytest.mark.parametrize(
    "said",
    [
        "", "C", "B*2", "B**9", "2*B*3", "9" * 30, "9" * 17 + "*B", "B/0", "B/(B-3)", "__import__('os')", "1e9", "0.5 everywhere",
        "x everywhere", "1/", "/", "B//2", "float32", "(B", "{B}", "B+", "--3",
    ],
)  # fmt: skip
def test_nothing_else_can_stand_in_braces(said):
    with pytest.raises(ParseError, match="line 2"):
        filled(f"x: float64[] = input()\ny: {{{said}}}", 3, "float64")


def test_an_array_is_never_larger_than_what_is_bounded():
    with pytest.raises(ParseError, match="holds more than"):
        filled("y: float64[{1000000*B},{1000000*B}] = constant(value={0.5 everywhere})", 3, "float64")
