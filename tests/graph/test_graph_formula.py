"""Formulas: parentheses by precedence, names, constants, depth, and LaTeX that no name can break."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import REGISTRY, Node, constant, formula, input_node, parameter

a, b, c = (input_node(name) for name in "abc")
M, N = input_node("M", (2, 2)), input_node("N", (2, 2))

WRITTEN: list[tuple[Node, str, str]] = [
    ((a + b) * c, "(a + b)·c", r"(a + b) \cdot c"),
    (a - (b - c), "a − (b − c)", "a - (b - c)"),
    (a - b - c, "a − b − c", "a - b - c"),
    (a + b - c, "a + b − c", "a + b - c"),
    (a + (b + c), "a + (b + c)", "a + (b + c)"),
    (a * b + c, "a·b + c", r"a \cdot b + c"),
    (-(a + b), "−(a + b)", "-(a + b)"),
    (-(a * b), "−a·b", r"-a \cdot b"),
    ((-a) * b, "(−a)·b", r"(-a) \cdot b"),
    (ops.negative(-a), "−(−a)", "-(-a)"),
    ((-a) + b, "−a + b", "-a + b"),
    (a - (-b), "a − (−b)", "a - (-b)"),
    (a**2.0, "a^2", "a^{2}"),
    (a**-2.0, "a^(−2)", "a^{-2}"),
    ((-a) ** 2.0, "(−a)^2", "(-a)^{2}"),
    (-(a**2.0), "−a^2", "-a^{2}"),
    ((a**b) ** c, "(a^b)^c", "(a^{b})^{c}"),
    (a ** (b**c), "a^(b^c)", "a^{b^{c}}"),
    (a ** (b + c), "a^(b + c)", "a^{b + c}"),
    ((a + b) ** c, "(a + b)^c", "(a + b)^{c}"),
    (a / (b * c), "a / (b·c)", r"\frac{a}{b \cdot c}"),
    (a / b * c, "a / b·c", r"\frac{a}{b} \cdot c"),
    (a / b / c, "a / b / c", r"\frac{\frac{a}{b}}{c}"),
    (a * (b / c), "a·(b / c)", r"a \cdot \frac{b}{c}"),
    ((a / b) ** c, "(a / b)^c", r"(\frac{a}{b})^{c}"),
    ((a + b) / c, "(a + b) / c", r"\frac{a + b}{c}"),
    (ops.sigmoid(a + b) * c, "σ(a + b)·c", r"\sigma(a + b) \cdot c"),
    (ops.exp(a + b), "exp(a + b)", "e^{a + b}"),
    (ops.exp(a) ** 2.0, "exp(a)^2", "(e^{a})^{2}"),
    (ops.expm1(a) * b, "expm1(a)·b", r"(e^{a} - 1) \cdot b"),
    (ops.sqrt(a + b), "√(a + b)", r"\sqrt{a + b}"),
    (ops.sqrt(a) * b, "√a·b", r"\sqrt{a} \cdot b"),
    (ops.absolute(a - b), "|a − b|", r"\left|a - b\right|"),
    (ops.floor(a - b), "⌊a − b⌋", r"\lfloor a - b \rfloor"),
    (ops.maximum(a + b, c), "max(a + b, c)", r"\max(a + b, c)"),
    (ops.where(a < b, a, b + c), "(a if a < b else b + c)", r"\begin{cases}a & a < b\\ b + c & \text{else}\end{cases}"),
    (ops.logical_not(a < b), "¬(a < b)", r"\neg (a < b)"),
    (ops.logical_and(a < b, b <= c), "(a < b) ∧ (b ≤ c)", r"(a < b) \wedge (b \le c)"),
    (M @ N, "M N", r"M\, N"),
    (M @ (N @ M), "M (N M)", r"M\, (N\, M)"),
    (M @ N @ M, "M N M", r"M\, N\, M"),
    ((M + N) @ M, "(M + N) M", r"(M + N)\, M"),
    ((M * N) @ M, "(M·N) M", r"(M \cdot N)\, M"),
    (ops.swap_last(M @ N), "(M N)ᵀ", r"(M\, N)^\top"),
    (ops.swap_last(M) @ N, "Mᵀ N", r"M^\top\, N"),
    (ops.swap_last(ops.swap_last(M)), "(Mᵀ)ᵀ", r"(M^\top)^\top"),
    (ops.sum(M * N), "Σ (M·N)", r"\sum (M \cdot N)"),
    (ops.sum(M) * a, "(Σ M)·a", r"(\sum M) \cdot a"),
    (ops.max(M) * a, "(max M)·a", r"(\max M) \cdot a"),
    (ops.concatenate(M, N, axis=0), "concatenate(M, N)", r"\operatorname{concatenate}(M, N)"),
    (ops.reshape(M + N, shape=(4,)), "M + N", "M + N"),
    (ops.gather(ops.gather(M, constant([0, 1]), axis=0), constant([1, 0]), axis=0), "M[[0, 1]][[1, 0]]",
     r"(M_{\left[0, 1\right]})_{\left[1, 0\right]}"),
    (M * 2.0 + a, "M·2 + a", r"M \cdot 2 + a"),
    (M + ops.broadcast_to(a * b, shape=(2, 2)), "M + a·b", r"M + a \cdot b"),
    (M * (a + b), "M·(a + b)", r"M \cdot (a + b)"),
    (ops.cast(a, dtype="float32") * 0.1, "a·0.1", r"a \cdot 0.1"),
    (a * 1e-8, "a·10⁻⁸", r"a \cdot 10^{-8}"),
    (a * 2.5e-8, "a·2.5×10⁻⁸", r"a \cdot (2.5 \times 10^{-8})"),
    (a * -0.5, "a·(−0.5)", r"a \cdot (-0.5)"),
    (a + float("inf"), "a + ∞", r"a + \infty"),
    (a + float("nan"), "a + NaN", "a + NaN"),
    (M + np.full((2, 2), 3.0), "M + 3", "M + 3"),
    (M + np.arange(4.0).reshape(2, 2), "M + float64[2,2]", r"M + \mathrm{float64[2,2]}"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "text", "latex"), WRITTEN, ids=[row[1] for row in WRITTEN])
def test_a_formula_in_both_styles(node: Node, text: str, latex: str) -> None:
    assert formula(node) == text
    assert formula(node, style="latex") == latex


def test_the_root_is_opened_and_named_nodes_inside_are_not() -> None:
    z = (parameter("dense1.W") * a + parameter("dense1.b")).named("dense1.z")
    out = ops.sigmoid(z).named("dense1.a")
    assert formula(out) == "σ(dense1.z)"
    assert formula(z) == "dense1.W·a + dense1.b"
    assert formula(a) == "a"
    assert formula(constant(2.5)) == "2.5"
    assert formula(constant(2.5, name="rate") * a) == "rate·a"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("W", "W"),
        ("θ", "θ"),
        ("dense1.W", r"\mathrm{dense1.W}"),
        ("my_weight", r"\mathrm{my\_weight}"),
        ("a-b/c", r"\mathrm{a{-}b/c}"),
        ("_", r"\_"),
        ("x__2", r"\mathrm{x\_\_2}"),
    ],
)
def test_names_in_latex_are_escaped(name: str, latex: str) -> None:
    assert formula(input_node(name), style="latex") == latex
    assert formula(input_node(name) ** 2.0, style="latex") == latex + "^{2}"


def test_what_lies_too_deep_is_dots_and_a_broadcast_takes_no_depth() -> None:
    y: Node = a
    for _ in range(5):
        y = ops.tanh(y)
    assert formula(y, depth=2) == "tanh(tanh(…))"
    assert formula(y, style="latex", depth=1) == r"\tanh(\ldots)"
    assert formula(y, depth=5) == formula(y) == "tanh(tanh(tanh(tanh(tanh(a)))))"
    assert formula(ops.broadcast_to(ops.tanh(a), shape=(2,)), depth=1) == "tanh(a)"


def test_a_graph_that_doubles_at_each_step_stays_short() -> None:
    y: Node = a
    for _ in range(200):
        y = y + y
    assert len(formula(y)) < 3000


@pytest.mark.parametrize("options", [{"style": "html"}, {"depth": 0}])
def test_options_that_make_no_sense_are_refused(options) -> None:
    with pytest.raises(OptionError, match="expected: "):
        formula(a, **options)


@pytest.mark.parametrize("op", REGISTRY.values(), ids=list(REGISTRY))
def test_every_notation_formats_with_its_inputs_and_attributes(op) -> None:
    attributes = dict.fromkeys(
        ["name", "value", "axes", "axis", "shape", "low", "high", "interior", "starts", "stops", "steps"], 1
    )
    for template in (op.notation.text, op.notation.latex):
        written = template.format("p", "q", "r", **attributes)
        assert written.count("{") == written.count("}")
    assert op.notation.binds in range(5)
