"""An op of one's own, in a package of one's own: a stanza, a row of cases, and a row for the engine, and everything knows it."""

from __future__ import annotations

import importlib
import inspect
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engines import engine_named
from chainrule.engines.native.lowering import LOWERINGS
from chainrule.errors import GraphError
from chainrule.graph import REGISTRY, Graph, check, compute, formula, input_node, parse_graph
from chainrule.trace.rounding import rounding_of

OPS = r'''"""Two ops: one with a row in the native engine, one that says what it is made of."""

import numpy as np

from chainrule import ops
from chainrule.ops.declare import elementwise, op


@elementwise("softsign({0})", r"\operatorname{{softsign}}({0})", finite_slope=True, is_activation=True)
def softsign(x):
    """x/(1 + |x|), between −1 and 1."""
    return x / (1 + np.where(np.real(x) < 0, -x, x))


@softsign.vjp
def softsign_vjp(g, out, x):
    """1/(1 + |x|)²."""
    return (g / ops.square(abs(x) + 1.0),)


def _pairs_type(x, *, axis):
    return x


@op(_pairs_type, "centred({0})", r"\operatorname{{centred}}({0})", kind="rowwise")
def centred(x, *, axis):
    """x less its mean along an axis."""
    return x - np.mean(x, axis=axis, keepdims=True)


@centred.vjp
def centred_vjp(g, out, x, *, axis):
    """The gradient, centred."""
    return (centred(g, axis=axis),)


@centred.decompose
def centred_parts(x, *, axis):
    """A mean that is taken away."""
    return x - x.mean(axis, keepdims=True)
'''
ROW = '''"""The native engine's row for softsign."""

from chainrule.engines.native.lowering import LOWERINGS


def lower(f, line, arguments):
    """x/(1 + |x|), in three instructions."""
    (x,) = arguments
    return f.binary("fdiv", x, f.binary("fadd", f.intrinsic("fabs", x), f.like(x, 1)))


LOWERINGS["softsign"] = lower
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package's two modules; what they enter is taken away again, for other tests look at all ops that there are."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    (tmp_path / "own" / "ops.py").write_text(OPS)
    (tmp_path / "own" / "row.py").write_text(ROW)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("own.ops"), lambda: importlib.import_module("own.row")
    for name in ("softsign", "centred"):
        REGISTRY.pop(name, None)
        LOWERINGS.pop(name, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "own"]:
        del sys.modules[name]


def cases(own):
    """The row of cases: a node of each op, made from x, and NumPy's word for it."""
    return {
        "softsign": (own.softsign, lambda x: x / (1 + abs(x))),
        "centred": (lambda x: own.centred(x, -1), lambda x: x - x.mean(-1, keepdims=True)),
    }


def test_a_stanza_and_a_row_are_enough(package):
    own, add_row = package
    numbers, x = np.random.default_rng(0).normal(size=(3, 4)), input_node("x", (3, 4))
    for name, (make, judge) in cases(own).items():
        y = make(x)
        np.testing.assert_allclose(compute([y], {x: numbers})[0], judge(numbers), rtol=1e-14)
        graph = check(Graph({"y": y}))
        assert str(parse_graph(str(graph))) == str(graph)
        assert formula(y) == f"{name}(x)"
        assert str(inspect.signature(REGISTRY[name])).startswith("(x")
        # The derivative, and its derivative, beside complex steps and differences.
        (slope,) = cr.grad((y * y).sum(), [x])
        (moved,) = compute([y], {x: numbers + 1e-20j})
        np.testing.assert_allclose(
            compute([slope], {x: numbers})[0],
            2 * judge(numbers) * (moved.imag / 1e-20 if name == "softsign" else 1),
            rtol=1e-12,
        )
        assert cr.grad(slope.sum(), [x])[0] is not None
        assert rounding_of([y], {x: numbers}, 2.0**-52)[0].shape == (3, 4)
        assert np.array_equal(engine_named("reference").compile(graph)({"x": numbers})["y"], compute([y], {x: numbers})[0])
    assert (own.softsign(x) + own.softsign(input_node("b", (4,)))).shape == (3, 4)
    native = engine_named("native")
    with pytest.raises(GraphError, match="the native engine was given the op softsign") as caught:
        native.compile(Graph({"y": own.softsign(x)}))
    assert "LOWERINGS" in caught.value.remedy
    add_row()
    for make, judge in cases(own).values():
        found = native.compile(Graph({"y": make(x).sum(-1)}))({"x": numbers})["y"]
        np.testing.assert_allclose(found, judge(numbers).sum(-1), rtol=1e-14, atol=1e-15)


def test_a_network_of_such_ops_is_trained_by_both_engines_and_explained(package):
    own, add_row = package
    add_row()
    net = cr.Sequential(cr.Dense(3), own.softsign, lambda z: own.centred(z, 1), cr.Dense(2, "softmax"))
    data = cr.data.moons(n=40)
    runs = [cr.fit(net, data, epochs=2, engine=engine, dtype="float64") for engine in ("native", "reference")]
    for name, array in runs[0].parameters().items():
        np.testing.assert_allclose(array, runs[1].parameters()[name], rtol=1e-12)
    explanation = runs[0].explain(0)
    assert explanation.agrees
    assert "softsign" in str(explanation)


def test_an_op_that_says_nothing_of_its_derivative_stops_whoever_asks(package):
    own, _ = package
    own.softsign.vjp_rule = None
    x = input_node("x", (3,))
    for ask in (
        lambda: cr.grad(own.softsign(x).sum(), [x]), lambda: cr.vjp([own.softsign(x)], [x], [x]),
        lambda: cr.jvp(own.softsign(x), [x], [x]), lambda: cr.hvp(own.softsign(x).sum(), [x], [x]),
    ):  # fmt: skip
        with pytest.raises(GraphError, match="the derivative of softsign was asked for") as caught:
            ask()
        assert "@softsign.vjp" in caught.value.remedy
    assert cr.grad((x * 2.0 + ops.stop_gradient(own.softsign(x))).sum(), [x])[0] is not None
