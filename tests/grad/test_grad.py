"""Reverse mode: what depends on what, products with Jacobians and Hessians against JAX, and the errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import nn, ops
from chainrule.derivatives import grad, hvp, jvp, require_gradients, vjp
from chainrule.errors import GraphError, ShapeError
from chainrule.graph import Graph, Node, check, compute, constant, input_node, parameter, parse_graph, scope

jax.config.update("jax_enable_x64", True)


def test_what_the_result_does_not_depend_on_has_none() -> None:
    x, unused = input_node("x"), input_node("unused")
    gradients = grad(x * 2.0, [x, unused])
    assert gradients[0] is not None
    assert gradients[1] is None
    assert grad(constant(1.0), [x]) == [None]
    assert grad(ops.stop_gradient(x) * 3.0, [x]) == [None]


def test_the_gradient_by_the_result_itself_is_one() -> None:
    y = input_node("x") * 2.0
    (g,) = grad(y, [y])
    assert g is not None
    assert compute([g]) == [1.0]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda g, out, x, y: (g,), "a tuple with one gradient, or None, for each of its 2 inputs"),
        (lambda g, out, x, y: g, "a tuple with one gradient"),
        (lambda g, out, x, y: (g, 1.0), "a gradient of the input's own type"),
        (lambda g, out, x, y: (ops.sum(g), None), "a gradient of the input's own type"),
        (lambda g, out, x, y: (None, ops.cast(g, dtype="float32")), "a gradient of the input's own type"),
    ],
)
def test_a_rule_that_breaks_its_word_is_named(monkeypatch: pytest.MonkeyPatch, rule: object, said: str) -> None:
    monkeypatch.setattr(ops.multiply, "vjp_rule", rule)
    x, y = input_node("x", (2,)), input_node("y", (2,))
    with pytest.raises(GraphError, match="the rule of multiply gives") as caught:
        grad(ops.sum(x * y), [x, y])
    assert said in str(caught.value)


def test_shared_paths_add_up() -> None:
    x = input_node("x")
    shared = ops.exp(x)
    y = shared * shared + shared * x + x  # e^2x + x·e^x + x
    (g,) = grad(y, [x])
    assert g is not None
    for v in (-1.0, 0.3, 2.0):
        expected = 2 * np.exp(2 * v) + (1 + v) * np.exp(v) + 1
        np.testing.assert_allclose(compute([g], {x: np.float64(v)})[0], expected, rtol=1e-14)


def test_a_node_asked_for_twice_is_given_twice_and_inner_nodes_may_be_asked_for() -> None:
    x = input_node("x")
    middle = x * x
    first, again, inner = grad(ops.sin(middle), [x, x, middle])
    assert first is again
    assert first is not None
    assert inner is not None
    values = compute([first, inner], {x: np.float64(0.7)})
    np.testing.assert_allclose(values, [1.4 * np.cos(0.49), np.cos(0.49)], rtol=1e-15)


def test_no_derivative_is_formed_on_paths_nobody_asked_for() -> None:
    x, other = input_node("x"), input_node("other")
    (g,) = grad(x * ops.exp(ops.sin(other)), [x])
    assert g is not None
    assert {node.op.name for node in Graph({"g": g}).nodes} == {"input", "constant", "sin", "exp", "multiply"}


def test_a_gradients_nodes_belong_to_the_layer_of_what_they_differentiate() -> None:
    x = input_node("x")
    with scope("net/dense1"):
        y = ops.tanh(x)
    (g,) = grad(y * 2.0, [x])
    assert g is not None
    assert g.scope == "grad/net/dense1"
    assert "  @grad\n" in str(Graph({"g": g}))


def test_asking_twice_gives_the_same_and_changes_nothing() -> None:
    x = input_node("x", (3,))
    y = ops.sum(ops.tanh(x) * x)
    before = str(Graph({"y": y}))
    (first,), (second,) = grad(y, [x]), grad(y, [x])
    assert first is not None
    assert second is not None
    assert str(Graph({"g": first})) == str(Graph({"g": second}))
    assert str(Graph({"y": y})) == before


def test_gradients_are_graphs_that_check_and_read_back() -> None:
    x = input_node("x", (2, 3))
    (g,) = grad(ops.sum(ops.tanh(x) * x), [x])
    assert g is not None
    graph = check(Graph({"g": g}))
    assert str(parse_graph(str(graph))) == str(graph)


def test_a_third_derivative() -> None:
    x = input_node("x")
    y: Node | None = ops.sin(x) * ops.exp(x)
    for _ in range(3):
        assert y is not None
        (y,) = grad(y, [x])
    assert y is not None
    v = 0.4  # (sin x · e^x)''' = 2·e^x·(cos x − sin x)
    np.testing.assert_allclose(compute([y], {x: np.float64(v)})[0], 2 * np.exp(v) * (np.cos(v) - np.sin(v)), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_type_of_what_they_are_for(dtype: str) -> None:
    w, b, x = parameter("w", (3, 4), dtype), parameter("b", (4,), dtype), input_node("x", (5, 3), dtype)
    gradients = require_gradients(ops.mean(ops.sigmoid(x @ w + b)), [w, b, x])
    assert [g.type for g in gradients] == [w.type, b.type, x.type]


# ---- errors


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        (input_node("x", (2, 3)) * 2.0, r"float64\[2,3\]"),
        (input_node("n", (), "int64"), r"int64\[\]"),
        (input_node("x", (1,)), r"float64\[1\]"),
    ],
)
def test_the_gradient_of_something_else_than_a_scalar_is_refused(node: Node, shown: str) -> None:
    with pytest.raises(ShapeError, match=shown) as caught:
        grad(node, [node])
    assert "was asked for" in caught.value.happened
    assert caught.value.expected == "a scalar of float32 or float64"
    assert "grad(sum(y), ...)" in caught.value.remedy
    assert "vjp(y, wrt, g)" in caught.value.remedy


def test_required_gradients_that_do_not_arrive_are_named() -> None:
    x, w, b = input_node("x"), parameter("dense1.w"), parameter("dense1.b")
    step = ops.heaviside(w * x + b)
    with pytest.raises(GraphError, match=r"no gradient reaches dense1\.w, dense1\.b") as caught:
        require_gradients(step * x, [x, w, b])
    assert "through differentiable ops" in caught.value.expected
    assert "perceptron rule" in caught.value.remedy
    with pytest.raises(GraphError, match=r"no gradient reaches <float64\[\] = add"):
        require_gradients(x * 1.0, [x + 1.0])


def test_cotangents_and_tangents_of_another_type_are_refused() -> None:
    x = input_node("x", (3,))
    wrong, half = constant([1.0, 2.0]), constant([1.0, 2.0, 3.0], "float32")
    for bad in (wrong, half):
        with pytest.raises(ShapeError, match=r"(?s)a cotangent .*expected: float64\[3\]"):
            vjp([ops.tanh(x)], [x], [bad])
        with pytest.raises(ShapeError, match=r"(?s)a tangent .*expected: float64\[3\]"):
            jvp(ops.tanh(x), [x], [bad])
        with pytest.raises(ShapeError, match=r"(?s)a tangent .*expected: float64\[3\]"):
            hvp(ops.sum(x), [x], [bad])


# ---- products against JAX, on a small network

SIZES = (4, 5, 3)
rng = np.random.default_rng(3)
ARRAYS = {
    "x": rng.normal(size=(6, 4)),
    "W1": rng.normal(size=(4, 5)),
    "b1": rng.normal(size=5),
    "W2": rng.normal(size=(5, 3)),
    "b2": rng.normal(size=3),
}
TANGENTS = {name: rng.normal(size=array.shape) for name, array in ARRAYS.items()}
LEAVES = {name: input_node(name, array.shape) for name, array in ARRAYS.items()}
WEIGHTS = ["W1", "b1", "W2", "b2"]
BOUND = {LEAVES[name]: array for name, array in ARRAYS.items()}


def outputs() -> Node:
    hidden = ops.tanh(LEAVES["x"] @ LEAVES["W1"] + LEAVES["b1"])
    return ops.softplus(hidden @ LEAVES["W2"] + LEAVES["b2"])


def outputs_by_jax(weights):
    w1, b1, w2, b2 = weights
    return jax.nn.softplus(jnp.tanh(ARRAYS["x"] @ w1 + b1) @ w2 + b2)


def cost() -> Node:
    shifted = outputs() - ops.max(outputs(), axis=1, keepdims=True)
    return ops.mean(ops.log(ops.sum(ops.exp(shifted), axis=1)) - ops.sum(shifted * shifted, axis=1) * 0.1)


def cost_by_jax(weights):
    z = outputs_by_jax(weights)
    shifted = z - jnp.max(z, axis=1, keepdims=True)
    return jnp.mean(jnp.log(jnp.sum(jnp.exp(shifted), axis=1)) - jnp.sum(shifted**2, axis=1) * 0.1)


JAX_WEIGHTS = [ARRAYS[name] for name in WEIGHTS]
JAX_TANGENTS = [TANGENTS[name] for name in WEIGHTS]
NODES = [LEAVES[name] for name in WEIGHTS]
TANGENT_NODES = [constant(TANGENTS[name]) for name in WEIGHTS]


def same(ours: list[Node | None], theirs) -> None:
    assert None not in ours
    for mine, other in zip(compute([node for node in ours if node is not None], BOUND), theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13)


def test_the_gradient_of_a_network_against_jax() -> None:
    wanted, slopes = jax.jit(jax.value_and_grad(cost_by_jax))(JAX_WEIGHTS)
    np.testing.assert_allclose(compute([cost()], BOUND)[0], wanted, rtol=1e-14)
    same(grad(cost(), NODES), slopes)


def test_vjp_against_jax() -> None:
    cotangent = np.random.default_rng(4).normal(size=(6, 3))
    pulled = jax.jit(lambda weights, cotangent: jax.vjp(outputs_by_jax, weights)[1](cotangent)[0])
    same(vjp([outputs()], NODES, [constant(cotangent)]), pulled(JAX_WEIGHTS, cotangent))


def test_vjp_of_several_outputs_adds_up_even_if_one_is_made_of_another() -> None:
    x = input_node("x", (2,))
    first = ops.sin(x)
    second = first * first
    ones, twos = constant([1.0, 1.0]), constant([2.0, 2.0])
    (g,) = vjp([first, second, first], [x], [ones, twos, ones])
    assert g is not None
    v = np.array([0.3, -1.2])
    np.testing.assert_allclose(compute([g], {x: v})[0], 2 * np.cos(v) + 4 * np.sin(v) * np.cos(v), rtol=1e-15)


def test_jvp_against_jax() -> None:
    pushed = jax.jit(lambda weights, tangents: jax.jvp(outputs_by_jax, (weights,), (tangents,))[1])(JAX_WEIGHTS, JAX_TANGENTS)
    ours = jvp(outputs(), NODES, TANGENT_NODES)
    same([ours], [pushed])
    assert ours is not None
    assert "cotangent" not in Graph({"jvp": ours}).leaves


def test_jvp_by_a_complex_step() -> None:
    ours = jvp(outputs(), NODES, TANGENT_NODES)
    assert ours is not None
    moved = {**BOUND, **{LEAVES[name]: ARRAYS[name] + 1e-20j * TANGENTS[name] for name in WEIGHTS}}
    np.testing.assert_allclose(
        compute([ours], BOUND)[0], np.imag(compute([outputs()], moved)[0]) / 1e-20, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("layer", [nn.RNN(2), nn.GRU(2), nn.LSTM(2), nn.Bidirectional(nn.RNN(2))], ids=str)
def test_jvp_through_time_by_a_complex_step(layer) -> None:
    """A loop takes along what its derivative does not go by; the leaf that turns the reverse product round must not stay in it."""
    built = nn.build_network(layer, (4, 3), dtype="float64")
    wrt = [item.node for item in built.parameters.values()]
    random = np.random.default_rng(1)
    at = {node: random.normal(size=node.shape) for node in (*wrt, built.input)}
    along = {node: random.normal(size=node.shape) for node in wrt}
    moved = {node: value + 1e-20j * along.get(node, 0.0) for node, value in at.items()}
    ours = jvp(built.output, wrt, [constant(along[node]) for node in wrt])
    assert ours is not None
    by_step = np.imag(compute([built.output], moved)[0]) / 1e-20
    np.testing.assert_allclose(compute([ours], at)[0], by_step, rtol=1e-11, atol=1e-12)


def test_hvp_against_jax() -> None:
    by_jax = jax.jit(lambda weights, tangents: jax.jvp(jax.grad(cost_by_jax), (weights,), (tangents,))[1])
    same(hvp(cost(), NODES, TANGENT_NODES), by_jax(JAX_WEIGHTS, JAX_TANGENTS))


def test_the_hessian_is_symmetric() -> None:
    others = [constant(rng.normal(size=node.shape)) for node in NODES]
    left = compute([node for node in hvp(cost(), NODES, TANGENT_NODES) if node is not None], BOUND)
    right = compute([node for node in hvp(cost(), NODES, others) if node is not None], BOUND)
    one = sum(np.sum(h * o.attributes["value"]) for h, o in zip(left, others, strict=True))
    other = sum(np.sum(h * t.attributes["value"]) for h, t in zip(right, TANGENT_NODES, strict=True))
    assert abs(one) > 0.01
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_products_of_what_does_not_depend_are_none() -> None:
    x, unused, one = input_node("x"), input_node("unused"), constant(1.0)
    assert jvp(x * 2.0, [unused], [one]) is None
    assert hvp(x * 2.0, [unused], [one]) == [None]
    assert hvp(x * 2.0, [x, unused], [one, one]) == [None, None], "a linear function has no curvature"
    some = hvp(x * x, [x, unused], [one, one])
    assert some[0] is not None
    assert some[1] is None
    assert compute([some[0]], {x: np.float64(3.0)}) == [2.0]


SQUARE = np.random.default_rng(7).normal(size=(3, 3))
SAME_SHAPE = {
    "a product with a square matrix": lambda x: x @ SQUARE,
    "a square matrix from the left": lambda x: SQUARE @ x,
    "softmax": lambda x: ops.softmax(x, axis=1),
    "softmax by label": lambda x: ops.softmax_error(x, np.array([0, 2, 1])),
    "transpose": lambda x: ops.transpose(x) * x,
    "flip": lambda x: ops.flip(x, axes=(0,)) * x,
    "gather": lambda x: ops.gather(x, np.array([2, 2, 0]), axis=0) * x,
    "scatter": lambda x: ops.scatter_add(x, np.array([2, 0, 0]), x * 2.0, axis=0),
    "windows": lambda x: ops.windows(x, axes=(1,), taps=(1,), strides=(1,), dilations=(1,))[:, :, 0],
    "overlap": lambda x: ops.overlap_add(x[:, :, None], axes=(1,), extents=(3,), strides=(1,), dilations=(1,)),
    "a loop": lambda x: ops.recurrence(lambda h, x: {"h": ops.tanh(h + x)}, {"h": x[0]}, {"x": x}).after("h"),
    "a sum that is spread": lambda x: ops.broadcast_to(ops.sum(x, 1, keepdims=True), shape=(3, 3)) * x,
    "pad": lambda x: ops.pad(x, low=(1, 0), high=(0, 0), interior=(0, 0))[:3] * x,
}


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("name", SAME_SHAPE)
def test_a_choice_masks_entries_only_of_what_works_entry_by_entry(name, place) -> None:
    """What mixes entries passes something back everywhere, though it keeps the shape: a choice behind it masks nothing before it."""
    x = input_node("x", (3, 3))
    chosen = np.array([[True, False, False], [False, True, True], [False, False, True]])
    mixed = SAME_SHAPE[name](x * x)
    y = ops.sum(ops.where(chosen, mixed, 0.5) if place == 1 else ops.where(chosen, 0.5, mixed))
    (slope,) = grad(y, [x])
    at = np.random.default_rng(8).normal(size=(3, 3))
    (found,) = compute([slope], {x: at})
    for i in np.ndindex(3, 3):
        moved = at.astype(complex)
        moved[i] += 1e-20j
        assert found[i] == pytest.approx(compute([y], {x: moved})[0].imag / 1e-20, rel=1e-12, abs=1e-14)
