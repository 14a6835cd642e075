"""What the tests of nn share: values of graphs, numerical derivatives, and one battery for all layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule.derivatives import grad
from chainrule.errors import OptionError
from chainrule.graph import Graph, check, compute, constant, input_node, parse_graph
from chainrule.nn import build_network, from_json, to_json
from chainrule.ops import multiply, random
from chainrule.ops import sum as add_up


def value(function, *arrays):
    """The function's value: each array becomes an input leaf."""
    leaves = [input_node(f"x{i}", np.shape(array), np.asarray(array).dtype.name) for i, array in enumerate(arrays)]
    return compute([function(*leaves)], dict(zip(leaves, map(np.asarray, arrays), strict=True)))[0]


def derivatives(function, x, order=2):
    """First to `order`-th derivative of an entry-by-entry function at the points x, by the graph's own gradient."""
    leaf = input_node("x", x.shape, x.dtype.name)
    found, total = [], add_up(function(leaf))
    for _ in range(order):
        (slope,) = grad(total, [leaf])
        found.append(slope)
        total = add_up(slope)
    return compute(found, {leaf: x})


def complex_step(function, x, step=1e-30):
    """df/dx of an entry-by-entry function, exact to rounding: Im f(x + ih)/h."""
    leaf = input_node("x", x.shape)
    return np.imag(compute([function(leaf)], {leaf: x + 1j * step})[0]) / step


def numerical_gradient(function, x, step=1e-6):
    """The gradient of a scalar function of an array, by central differences."""
    slope = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += step
        below[place] -= step
        slope[place] = (function(above) - function(below)) / (2 * step)
    return slope


def first_values(built, seed=0):
    """The first value of each parameter and state of a built network, by the leaf."""
    key = constant(random.key(seed))
    values = {}
    for name, item in {**built.parameters, **built.states}.items():
        made = item.initialiser(random.random_fold(key, constant(random.stream(name))), item.node.shape)
        values[item.node] = compute([made])[0].astype(item.node.dtype)
    return values


def run(network, x, values=None, **options):
    """The network's output for a batch x; `values` gives parameters by name."""
    built = build_network(network, x.shape[1:], batch=len(x), dtype=x.dtype.name, **options)
    bound = first_values(built)
    for name, array in (values or {}).items():
        bound[built.parameters[name].node] = np.asarray(array, x.dtype)
    return compute([built.output], bound | {built.input: x})[0]


def check_layer(layer, input_shape, *, smooth=True, saved=True, name=None):
    """The battery: shapes, dtypes, text of the graph, gradients, JSON, scopes, and rows that do not know of each other."""
    x = np.random.default_rng(1).normal(size=(4, *input_shape))
    output_shape = _check_dtypes(layer, x)
    built = build_network(layer, input_shape, batch=4)
    _check_text_and_scopes(built, name)
    _check_rows(layer, x)
    if smooth:
        _check_gradients(built, x)
    if saved:
        again = from_json(json.loads(json.dumps(to_json(layer))))
        assert again == layer
        assert np.array_equal(run(again, x), run(layer, x))
    else:
        with pytest.raises(OptionError, match="in code"):
            to_json(layer)
    return output_shape


def _check_dtypes(layer, x):
    wide, narrow = run(layer, x), run(layer, x.astype("float32"))
    assert wide.dtype == "float64"
    assert narrow.dtype == "float32"
    assert wide.shape == narrow.shape
    assert wide.shape[0] == len(x)
    np.testing.assert_allclose(narrow, wide, rtol=2e-5, atol=2e-6)
    return wide.shape[1:]


def _check_text_and_scopes(built, name):
    graph = check(built.graph)
    assert str(parse_graph(str(graph))) == str(graph)
    names = {use.name for use in built.uses}
    if name is not None:
        assert names == {name}
    for node in graph.nodes:
        # A leaf may be born outside; what a layer computes carries its name, and so do its parameters.
        assert node.is_leaf or node.scope.split("/")[0] in names
    for parameter in graph.parameters:
        assert parameter.name.rpartition(".")[0] in names


def _check_rows(layer, x):
    whole = run(layer, x)
    for i in range(len(x)):
        # BLAS may sum a product in another order when there is one row only.
        np.testing.assert_allclose(run(layer, x[i : i + 1])[0], whole[i], rtol=1e-13, atol=1e-14)


def _check_gradients(built, x):
    weight = np.random.default_rng(2).normal(size=built.output.shape)
    total = add_up(multiply(built.output, constant(weight)))
    bound = first_values(built) | {built.input: x}
    leaves = list(bound)
    for leaf, slope in zip(leaves, grad(total, leaves), strict=True):
        assert slope is not None, leaf
        analytic = compute([slope], bound)[0]
        numeric = numerical_gradient(lambda array, leaf=leaf: compute([total], bound | {leaf: array})[0], bound[leaf])
        np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)
    return Graph({"total": total})
