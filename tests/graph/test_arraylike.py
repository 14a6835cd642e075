"""A node as NumPy's users write arrays: x[...], methods, arrays on its left; and what a node cannot do, it says."""

from __future__ import annotations

import inspect
import pydoc

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import ChainruleError, GraphError, OptionTypeError, PositionError
from chainrule.graph import REGISTRY, compute, constant, input_node

NUMBERS = np.random.default_rng(0).normal(size=(4, 3, 5))
X = input_node("x", (4, 3, 5))
KEYS = [
    0, -1, (1, 2), (1, -2, 3), slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(3, 0, -2), slice(-2, None),
    slice(10, 20), slice(2, 1), slice(0, 0, -1), ..., (..., 0), (0, ...), (..., slice(1, 4), None), None, (None, 0, None, slice(None)),
    (slice(None), 1), (slice(None), slice(None), slice(None, None, -2)), (slice(0, 1, -1), 0), np.int64(2), np.array(1),
    [2, 0], [-1, 0, 0], np.array([[0, 1], [3, -4]]), (slice(None), [0, 2]), (0, [2, 0]), ([2, 0], 0), (..., [1, 1], slice(2)),
    (None, [3], ...), (slice(1, 3), 0, np.array([4, 0])), [], (slice(None, None, -1), [0, 1]), (),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_entries_are_numpys(key):
    ours, theirs = X[key], NUMBERS[key if not isinstance(key, list) or key else np.array(key, int)]
    assert ours.shape == theirs.shape
    assert np.array_equal(compute([ours], {X: NUMBERS})[0], theirs)


def test_a_node_of_positions_is_a_gather_with_a_derivative():
    places = input_node("places", (2,), "int64")
    rows = X[:, places]
    assert rows.op is ops.gather
    (slope,) = cr.grad(rows.sum() * 3.0, [X])
    (found,) = compute([slope], {X: NUMBERS, places: np.array([2, 2])})
    assert np.array_equal(found[:, 2], np.full((4, 5), 6.0))
    assert not found[:, :2].any()
    assert np.array_equal(compute([X[places, 1]], {X: NUMBERS, places: np.array([3, 0])})[0], NUMBERS[[3, 0], 1])


def test_a_derivative_goes_through_every_kind_of_key():
    part = X[::-2, None, 1, ..., [4, 4, 0]]
    (slope,) = cr.grad((part * part).sum(), [X])
    step = np.zeros_like(NUMBERS)
    step[3, 1, 4] = 1e-6
    square = (part * part).sum()
    up, down = (compute([square], {X: NUMBERS + sign * step})[0] for sign in (1, -1))
    assert compute([slope], {X: NUMBERS})[0][3, 1, 4] == pytest.approx((up - down) / 2e-6, rel=1e-7)


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        (4, PositionError, "place 4 on axis 0.*0 ... 3, or from the end -1 ... -4"),
        ((0, -4), PositionError, "axis 1"), ((0, 0, 0, 0), PositionError, "at most 3 axes"), ((..., ...), PositionError, "once"),
        ([0, 4], PositionError, "place 4"), (slice(0, 2, 0), OptionTypeError, "a step other than 0"), (1.0, OptionTypeError, "1.0"),
        (slice(0.5, 2), OptionTypeError, "whole numbers in a slice"), (True, OptionTypeError, r"x\[None\]"), ("a", OptionTypeError, "'a'"),
        (np.array([True, False, True, True]), OptionTypeError, "where"), (np.True_, OptionTypeError, "where"),
        (X[..., 0] > 0.0, OptionTypeError, "where"), (X, OptionTypeError, "whole dtype"), (([0, 1], [0, 1]), OptionTypeError, "one after"),
        ((0, slice(None), [0, 1]), OptionTypeError, "beside"), ([0.5], OptionTypeError, "whole numbers"),
    ],
)  # fmt: skip
def test_keys_that_say_nothing_are_refused(key, kind, words):
    with pytest.raises(ChainruleError, match=f"(?s){words}") as caught:
        X[key]
    assert type(caught.value) is kind


METHODS = {
    "T": lambda x: x.T,
    "mT": lambda x: np.swapaxes(x, -1, -2) if isinstance(x, np.ndarray) else x.mT,
    "sum": lambda x: x.sum(), "sum axis": lambda x: x.sum(-1), "sum axes": lambda x: x.sum((0, -1), keepdims=True),
    "mean": lambda x: x.mean(axis=-2, keepdims=True), "max": lambda x: x.max(-1), "min": lambda x: x.min((0, 1)),
    "max of all": lambda x: x.max(),
    "argmax": lambda x: x.argmax(-1), "argmax of all": lambda x: x.argmax(), "reshape": lambda x: x.reshape(5, 12),
    "reshape tuple": lambda x: x.reshape((3, -1)), "reshape list": lambda x: x.reshape([-1]), "reshape row": lambda x: x.reshape(-1),
    "flatten": lambda x: x.flatten(), "transpose": lambda x: x.transpose(), "transpose axes": lambda x: x.transpose(1, -1, 0),
    "transpose tuple": lambda x: x.transpose((2, 0, 1)), "transpose none": lambda x: x.transpose(None),
    "astype": lambda x: x.astype("int64"),
    "astype type": lambda x: x.astype(np.float32), "astype int": lambda x: x.astype(int), "len": lambda x: x * len(x),
    "ndim": lambda x: x * x.ndim,
    "size": lambda x: x / x.size, "plus": lambda x: +x, "left": lambda x: NUMBERS * x - np.float32(0.5),
    "product": lambda x: NUMBERS[0].T @ x[0],
    "abs": abs,
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_numpys(name):
    ours, theirs = METHODS[name](X), np.asarray(METHODS[name](NUMBERS))
    (found,) = compute([ours], {X: NUMBERS})
    assert ours.shape == found.shape == theirs.shape
    assert found.dtype == theirs.dtype
    np.testing.assert_allclose(found, theirs, rtol=1e-14)


def test_an_array_on_the_left_makes_one_node():
    array = np.ones((3, 4))
    for made in (
        array @ input_node("w", (4, 2)),
        array + input_node("w", (4,)),
        np.float32(2) ** input_node("w"),
        array < X[0, :, :4],
    ):
        assert isinstance(made, cr.Node)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda x: len(x[0, 0, 0]), "the length of"), (list, "iterated over"), (lambda x: 0 in x, "iterated over"),
        (bool, "the truth of"),
        (float, "the number in"), (int, "the number in"), (np.asarray, "an array of"),
        (lambda x: np.sum(x), r"numpy.sum of .*write ops.sum"),
        (lambda x: np.concatenate([x, x]), "numpy.concatenate of"),
        (lambda x: x.__setitem__(0, 1.0), "immutable"),
        (lambda x: x.reshape(7, -1), "divides 60"), (lambda x: x.reshape(-1, -1), "reshape"), (lambda x: x.astype("text"), "dtype"),
        (lambda x: x.sum(3), "axis 3"), (lambda x: x.T @ NUMBERS[0, 0], "matrix product"),
    ],
)  # fmt: skip
def test_what_a_node_cannot_do_it_says(ask, words):
    with pytest.raises(ChainruleError, match=f"(?s){words}"):
        ask(X)


def test_numpy_says_so_for_functions_of_its_own():
    with pytest.raises(TypeError, match="Node"):
        np.sin(X)


def test_help_and_signatures_are_those_of_functions():
    def plain(op):
        return {name: (part.kind.name, part.default) for name, part in inspect.signature(op).parameters.items()}

    empty = inspect.Parameter.empty
    assert plain(ops.matmul) == {"x": ("POSITIONAL_ONLY", empty), "y": ("POSITIONAL_ONLY", empty)}
    assert plain(ops.transpose) == {"x": ("POSITIONAL_ONLY", empty), "axes": ("POSITIONAL_OR_KEYWORD", None)}
    assert plain(ops.concatenate) == {"arrays": ("VAR_POSITIONAL", empty), "axis": ("KEYWORD_ONLY", empty)}
    for op in (op for op in REGISTRY.values() if op.kind != "leaf"):
        written = pydoc.plain(pydoc.render_doc(op))
        assert f"{op.name}(" in written
        assert (op.__doc__ or "").splitlines()[0] in written
        assert inspect.signature(op).return_annotation == "Node"
    assert "relu(" in pydoc.plain(pydoc.render_doc(ops))

    class Held:
        op = ops.relu

    assert Held().op is ops.relu


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.arity], ids=lambda op: op.name)
def test_signature_and_call_refuse_the_same_names(op):
    with pytest.raises(TypeError):
        inspect.signature(op).bind(*[X] * op.arity, nothing=1)
    with pytest.raises(GraphError, match="'nothing'"):
        op(*[X] * op.arity, nothing=1)


def test_a_scalar_node_has_the_habits_too():
    x = constant(2.5)
    assert (x.ndim, x.size, x.T.shape, x[...].shape, x[None].shape) == (0, 1, (), (), (1,))
    assert compute([x.sum(), x.mean(), x.max(), x.reshape(1, 1)]) == [2.5, 2.5, 2.5, [[2.5]]]
