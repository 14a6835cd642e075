"""Formulas as layers: values, the lecture's own formula, what is refused, and that nothing in a text can run."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_judges import check_layer, first_values, run

from chainrule.errors import OptionError, ParseError, ShapeError
from chainrule.graph import compute
from chainrule.nn import (
    ACTIVATIONS,
    Constant,
    Dense,
    Formula,
    GlorotUniform,
    Sequential,
    Zeros,
    build_network,
    describe_function,
)
from chainrule.nn.formula import DEEPEST, FUNCTIONS, LONGEST

X = np.random.default_rng(0).normal(size=(5, 4))
W, B = np.random.default_rng(1).normal(size=(3, 4)), np.random.default_rng(2).normal(size=3)
MATRIX = {"W": (3, 4), "b": (3,)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


VALUES = {
    "x * sigmoid(x)": X * sigmoid(X),
    "f(x) = x * σ(x)": X * sigmoid(X),
    "y^2 - 2*y + 1": (X - 1) ** 2,
    "y² − 2·y + 1": (X - 1) ** 2,
    "x³": X**3,
    "-x^2": -(X**2),
    "2^-x": 2.0**-X,
    "+x": X,
    "1e-3 * x + .5": 1e-3 * X + 0.5,
    "½·x": X / 2,
    "√(x² + 1)": np.sqrt(X**2 + 1),
    "√2 * x": np.sqrt(2) * X,
    "√1.5 + √x²": np.sqrt(1.5) + np.where(X < 0, np.nan, X),
    "x / (1 + abs(x))": X / (1 + np.abs(X)),
    "x * (x > 0)": np.maximum(X, 0),
    "(x >= 0) + (x ≤ 0) + (x ≠ 0) + (x == 3)": np.full(X.shape, 2.0),
    "-1 < x < 1": ((X > -1) & (X < 1)) * 1.0,
    "x if x > 0 else 0.01*x": np.where(X > 0, X, 0.01 * X),
    "max(0, x)": np.maximum(X, 0),
    "min(x, 0) + max(x, 1)": np.minimum(X, 0) + np.maximum(X, 1),
    "x - mean(x)": X - X.mean(axis=1, keepdims=True),
    "exp(x - max(x)) / sum(exp(x - max(x)))": np.exp(X) / np.exp(X).sum(axis=1, keepdims=True),
    "softmax(x) + min(x)": np.exp(X) / np.exp(X).sum(axis=1, keepdims=True) + X.min(axis=1, keepdims=True),
    "sin(π*x) + cos(pi) + e*x": np.sin(np.pi * X) - 1 + np.e * X,
    "e^x": np.exp(X),
    "log(1 + exp(α))": np.log(1 + np.exp(X)),
    "f(e) = e * e": X * X,
    "  x\n + 1 ": X + 1,
    "gelu(x) - x * 0.5 * (1 + erf(x / sqrt(2)))": 0 * X,
    "sign(x) * floor(x)": np.sign(X) * np.floor(X),
    "expm1(x) - log1p(x^2)": np.expm1(X) - np.log1p(X**2),
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    np.testing.assert_allclose(run(Formula(text), X), VALUES[text], rtol=1e-12, atol=1e-14)


def test_every_named_activation_is_known():
    assert FUNCTIONS.keys() >= ACTIVATIONS.keys()


# ---- with parameters (spec 15)


def test_the_lectures_formula_parses_and_runs():
    formula = Formula("pred(i) = α(W·i + b)", parameters={"W": (16, 784), "b": (16,)}, functions={"α": "sigmoid"})
    built = build_network(Sequential(formula), (784,), batch=3)
    assert {name: item.node.shape for name, item in built.parameters.items()} == {"formula1.W": (16, 784), "formula1.b": (16,)}
    assert built.output.shape == (3, 16)
    images = np.random.default_rng(3).uniform(size=(3, 784))
    values = {name: first_values(built)[item.node] for name, item in built.parameters.items()}
    values["formula1.b"] = np.arange(16.0)
    found = run(formula, images, values)
    dense = run(Dense(16, "sigmoid"), images, {"dense1.W": values["formula1.W"].T, "dense1.b": values["formula1.b"]})
    assert np.array_equal(found, dense)


@pytest.mark.parametrize("text", ["W·i + b", "b + W·i", "f(i) = W @ i + b", "W⋅i+b"])
def test_matrix_times_vector(text):
    np.testing.assert_allclose(run(Formula(text, MATRIX), X, {"formula1.W": W, "formula1.b": B}), X @ W.T + B, rtol=1e-13)


def test_vector_times_matrix():
    found = run(Formula("tanh(x·W + b)", {"W": (4, 3), "b": (3,)}), X, {"formula1.W": W.T, "formula1.b": B})
    np.testing.assert_allclose(found, np.tanh(X @ W.T + B), rtol=1e-13)


def test_two_matrices_and_entry_by_entry():
    formula = Formula("V·W·i + c * i", {"V": (4, 3), "W": (3, 4), "c": (4,)})
    v, c = W.T + 1, np.arange(4.0)
    found = run(formula, X, {"formula1.V": v, "formula1.W": W, "formula1.c": c})
    np.testing.assert_allclose(found, X @ (v @ W).T + c * X, rtol=1e-12)
    scalar = run(Formula("x * sigmoid(β·x)", {"β": ()}, initialisers={"β": Constant(1.5)}), X)
    np.testing.assert_allclose(scalar, X * sigmoid(1.5 * X), rtol=1e-13)
    one = run(Formula("sum(w * x) + b", {"w": (4,), "b": ()}), X, {"formula1.w": c})
    np.testing.assert_allclose(one, (X @ c)[:, None], rtol=1e-13)


def test_first_values():
    formula = Formula("a*tanh(W·x + b)", {**MATRIX, "a": (3,)}, initialisers={"a": Constant(1.0)})
    assert [formula.initialiser(name) for name in formula.parameters] == [GlorotUniform(), Zeros(), Constant(1.0)]


def test_letters_that_are_one_letter():
    """The micro sign and the Greek mu are one identifier to Python, and to us."""
    formula = Formula("\u00b5 * x", {"\u00b5": (4,)})
    assert list(formula.parameters) == ["\u03bc"]
    assert formula == Formula("\u00b5 * x", {"\u03bc": (4,)})
    assert run(formula, X).shape == X.shape


def test_prints_hashes_and_compares():
    formula = Formula("α(W·i + b)", MATRIX, {"α": "tanh"}, name="f")
    names = {"Formula": Formula, "GlorotUniform": GlorotUniform}
    assert eval(repr(formula), names) == formula
    assert hash(formula) == hash(eval(repr(formula), names))
    assert formula.variable == "i"


def test_whole_networks_of_formulas():
    network = Sequential(Formula("tanh(W·i + b)", MATRIX), Formula("V·a", {"V": (2, 3)}), Formula("softmax(z)"))
    assert check_layer(network, (4,)) == (2,)


# ---- what is refused

REFUSED = {
    "x * sigmiod(x)": "did you mean 'sigmoid'",
    "x * foo123(x)": "write one of",
    "x(2)": "write x*(...)",
    "f(x) = x * y": "declare it",
    "x * y": "write f(x) = ... in front",
    "3": "x * sigmoid(x)",
    "f(x) = 3": "use it, or leave it out",
    "2x": "write 2*x",
    "0x1F * x": "write 0*x",
    "1j * x": "write 1*j",
    "x ** 2 +": "correct the text",
    "(x": "correct the text",
    "x)": "correct the text",
    "": "correct the text",
    "x = 3": "correct the text",
    "f(x) = ": "correct the text",
    "f(2) = x": "write for example f(x)",
    "f(²) = x": "write for example f(x)",
    "x.real": "leave it out",
    "x.__class__": "leave it out",
    "(x).__class__(x)": "leave it out",
    "math.exp(x)": "leave it out",
    "__import__(x)": "write one of",
    "__import__('os')": "leave it out",
    "eval(x)": "write one of",
    "open(x)": "write one of",
    "exp(x)(x)": "leave it out",
    "lambda x: x": "leave it out",
    "[x for x in x]": "leave it out",
    "x[0]": "leave it out",
    "(x, 1)": "leave it out",
    "x := 3": "leave it out",
    "f'{x}'": "leave it out",
    "exp(x=1)": "leave it out",
    "exp(*x)": "leave it out",
    "exp(**x)": "leave it out",
    "x and x": "leave it out",
    "not x": "leave it out",
    "~x": "leave it out",
    "x // 2": "leave it out",
    "x in x": "leave it out",
    "x is x": "leave it out",
    "x if x else 1": "x if x > 0",
    "True * x": "leave it out",
    "None + x": "leave it out",
    "... + x": "leave it out",
    "1e999 * x": "leave it out",
    "exp()": "give it one",
    "exp(x, x)": "give it one",
    "max(x, x, x)": "give it one",
    "await x": "leave it out",
    "yield x": "correct the text",
    "x; x": "leave it out",
    "x # comment": "leave it out",
    "x\x00": "leave it out",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ParseError) as caught:
            Formula(text)
    assert REFUSED[text] in caught.value.remedy
    assert "the formula" in caught.value.happened


def test_declared_names_are_suggested():
    with pytest.raises(ParseError, match="did you mean 'beta'"):
        Formula("f(x) = bata * x + beta", {"beta": ()})
    with pytest.raises(ParseError, match="does not use 'c'"):
        Formula("x + b", {"b": (), "c": ()})
    with pytest.raises(ParseError, match="calls the parameter"):
        Formula("W(x)", {"W": (2, 2)})
    with pytest.raises(ParseError, match="variable and as parameter"):
        Formula("f(W) = W", {"W": (2, 2)})


def test_options_that_make_no_sense():
    for options in (
        {"parameters": {"exp": (2,)}}, {"parameters": {"a b": (2,)}}, {"parameters": {"a": (0,)}}, {"parameters": {"a": 3}},
        {"functions": {"g": "sigmiod"}}, {"functions": {"g": abs}}, {"initialisers": {"a": Zeros()}},
        {"parameters": {"a": ()}, "initialisers": {"a": 3}}, {"parameters": {"a": ()}, "initialisers": {"a": Zeros}},
    ):  # fmt: skip
        with pytest.raises(OptionError):
            Formula("a * x" if "a" in options.get("parameters", {}) else "x", **options)
    with pytest.raises(OptionError, match="a text"):
        Formula(3)


def test_length_and_depth_are_bounded():
    assert Formula("+".join(["x"] * 40)).variable == "x"
    with pytest.raises(ParseError, match="characters"):
        Formula("x" + "+x" * LONGEST)
    with pytest.raises(ParseError, match=f"more than {DEEPEST} levels"):
        Formula("+".join(["x"] * 400))
    for text in ("(" * 400 + "x" + ")" * 400, "-" * 900 + "x", "exp(" * 150 + "x" + ")" * 150, "9" * 990, "x" + "**9" * 300):
        with pytest.raises(ParseError):
            Formula(text)


def test_huge_powers_cost_nothing():
    found = run(Formula("x + 9^9^9^9"), X)
    assert np.isinf(found).all()


WORDS = st.sampled_from(
    [
        "x",
        "x",
        "x",
        "y",
        "W",
        "2",
        ".5",
        "1e3",
        "+",
        "-",
        "*",
        "/",
        "^",
        "·",
        "(",
        ")",
        ")",
        "exp(",
        "sum(",
        "max(",
        "x)",
        "<",
        ">=",
        "if",
        "else",
        "=",
        "f(x)=",
        ",",
        "²",
        "√",
        "√(",
        "π",
        "e",
        ".",
        "__class__",
        "@",
        "softmax(x)",
        "(x)",
        "+",
        "-",
    ]
)


def test_any_text_is_read_or_refused():
    outcomes = Counter()

    @settings(deadline=None, derandomize=True, database=None)
    @given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=20))
    def read(text):
        try:
            built = build_network(Formula(text), (3,))
        except (ParseError, ShapeError) as refusal:
            outcomes[type(refusal)] += 1
        else:
            compute([built.output], {built.input: np.ones((1, 3))})
            outcomes["read"] += 1

    read()
    assert min(outcomes["read"], outcomes[ParseError]) >= 5, outcomes


# ---- shapes


@pytest.mark.parametrize(
    ("formula", "shape", "words"),
    [
        (Formula("W * x", {"W": (5, 4)}), (4,), "write · for a matrix product"),
        (Formula("x + b", {"b": (3,)}), (4,), "do not fit"),
        (Formula("W·x", {"W": (3, 5)}), (4,), "examples of 4 numbers, and a matrix that takes 5"),
        (Formula("x·W", {"W": (5, 3)}), (4,), "examples of 4 numbers, and a matrix that takes 5"),
        (Formula("W·x", {"W": (3, 4)}), (2, 4), "put Flatten() before it"),
        (Formula("w·x", {"w": (4,)}), (4,), "sum(w * x) for the scalar product"),
        (Formula("x + b", {"b": (5,)}), (), "write ·"),
        (Formula("sum(x)"), (), "apply sum to vectors"),
        (Formula("softmax(x)"), (), "apply softmax to vectors"),
        (Formula("x + W·x", {"W": (3, 4)}), (4,), "do not fit"),
    ],
)
def test_shapes_that_do_not_fit(formula, shape, words):
    # A batch as large as the matrix's first extent must not make a wrong product fit by chance.
    with pytest.raises(ShapeError) as caught:
        build_network(formula, shape, batch=5)
    assert words in str(caught.value)


# ---- what a function is like (spec 7)


@pytest.mark.parametrize(
    ("function", "linear", "rising"),
    [
        ("linear", True, True), ("sigmoid", False, True), ("tanh", False, True), ("relu", False, True), ("step", False, True),
        ("leaky_relu", False, True), ("elu", False, True), ("exp", False, True), ("softplus", False, True), ("silu", False, False),
        ("gelu", False, False), (Formula("3*x + 1"), True, True), (Formula("-x"), True, False), (Formula("x^2"), False, False),
        (Formula("x^3"), False, True),
        (Formula("0*x + 2"), True, False), (Formula("sin(x)"), False, False), (Formula("1e-8 * x"), True, True),
        (Formula("x + 1e-3*x^2"), False, True), (Formula("abs(x)"), False, False), (Formula("sqrt(x)"), False, False),
    ],
)  # fmt: skip
def test_linear_and_rising(function, linear, rising):
    report = describe_function(function)
    assert (report.linear, report.rising) == (linear, rising)
    assert bool(report.warnings) is (linear or not rising)


def test_reports_say_where():
    report = describe_function(Formula("x * sigmoid(x)"))
    # The lowest point of x·σ(x).
    assert report.falls == pytest.approx((-10.0, -1.2784645), abs=0.006)
    assert "straight line" in str(describe_function("linear"))
    assert "flat" in str(describe_function(Formula("0*x")))
    assert describe_function(Formula("log(x)")).undefined == pytest.approx((-10, 0.005), abs=1e-9)
    assert describe_function(Formula("x^2"), (0.0, 5.0)).rising
    assert "monotonically rising" in str(describe_function("tanh"))


def test_reports_that_cannot_be_made():
    with pytest.raises(OptionError, match="has parameters"):
        describe_function(Formula("a*x", {"a": ()}))
    for mixing in ("softmax", Formula("softmax(x)"), Formula("x - mean(x)"), Formula("sum(x)")):
        with pytest.raises(OptionError, match="mixes the numbers"):
            describe_function(mixing)
    with pytest.raises(OptionError, match="did you mean 'sigmoid'"):
        describe_function("sigmiod")
    for interval in ((1.0, 1.0), (2.0, 1.0), (0.0, np.inf)):
        with pytest.raises(OptionError, match="interval"):
            describe_function("tanh", interval)
