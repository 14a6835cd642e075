"""The first line that somebody writes: operators, texts and NumPy beside nodes, in a process that has loaded nothing else yet."""

import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DtypeError, GraphError, ShapeError

X = cr.input_node("x", (2, 2))
A = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "line",
    [
        "x * 2", "-x", "2 ** x", "x.reshape(1, 1).T", "x[None]", "x > 0",
        "cr.parse_graph('x: float64[] = input()\\n%0: float64[] = tanh(x)\\nreturn y=%0')",
    ],
)  # fmt: skip
def test_a_fresh_process_knows_every_op(line):
    program = f"import chainrule as cr\nx = cr.input_node('x')\nprint({line})"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: A + X, A + 2), (lambda: A - X, A - 2), (lambda: A * X, A * 2), (lambda: A / X, A / 2), (lambda: A**X, A**2),
        (lambda: A @ X, A @ np.full((2, 2), 2.0)), (lambda: A < X, A < 2), (lambda: A >= X, A >= 2),
        (lambda: np.float64(3) - X, np.full((2, 2), 1.0)), (lambda: (X > 1) & (A > 1), A > 1), (lambda: (A > 1) | ~(X > 1), A > 1),
    ],
)  # fmt: skip
def test_an_array_before_a_node_is_answered_by_the_node(made, expected):
    np.testing.assert_allclose(cr.compute([made()], {X: np.full((2, 2), 2.0)})[0], expected)


def test_an_array_is_no_node():
    assert not A == X  # noqa: SIM201  (the operator is what is asked)
    assert A != X
    assert X in [A, X]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: np.tanh(X), r"(?s)numpy.tanh.*ops.tanh"),
        (lambda: np.maximum(X, 0), r"(?s)numpy.maximum.*ops.maximum"),
        (lambda: np.add.reduce(X), "numpy.add"),
        (lambda: A.__iadd__(X), "numpy.add"),
        (lambda: X % 2, r"(?s)%.*floor\(x / y\)"),
        (lambda: A // X, r"(?s)//.*floor\(x / y\)"),
        (lambda: round(X), r"(?s)round.*floor\(x \+ 0.5\)"),
    ],
)
def test_what_a_node_cannot_it_says(made, said):
    with pytest.raises(GraphError, match=said):
        made()


def test_misfits_say_what_was_given():
    with pytest.raises(DtypeError, match=r"(?s)float32\[2,2\] and float64\[2,2\].*array.astype\(x.dtype\)"):
        cr.input_node("y", (2, 2), "float32") @ A
    with pytest.raises(DtypeError, match=r"f\(x, y\) and not f\(\[x, y\]\)"):
        cr.ops.concatenate([X, X], axis=1)
    with pytest.raises(ShapeError, match=r"write x.reshape\(2, -1\)"):
        cr.ops.reshape(X, shape=(2, -1))
