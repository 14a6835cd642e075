"""Chunks of long sequences: which steps stand where, in which part."""

import numpy as np
import pytest

from chainrule.data import chunks
from chainrule.errors import OptionError, ShapeError

X = np.arange(2 * 11 * 3.0).reshape(2, 11, 3)
Y = X.sum(2)


def test_chunks_follow_one_another_and_the_last_are_the_test():
    data = chunks(X, Y, 2, test=0.4)
    assert data.train.x.shape == (6, 2, 3)
    assert data.test.x.shape == (4, 2, 3)
    np.testing.assert_array_equal(data.train.x.reshape(2, 6, 3), X[:, :6])
    np.testing.assert_array_equal(data.test.x.reshape(2, 4, 3), X[:, 6:10])
    np.testing.assert_array_equal(data.test.y.reshape(2, 4), Y[:, 6:10])
    assert np.all(data.scaling.factor == 1)


def test_the_last_step_may_answer_for_its_chunk():
    labels = np.arange(22).reshape(2, 11) % 3
    data = chunks(X, labels, 5, target_steps="last", test=0, classes=("a", "b", "c"))
    assert data.train.y.tolist() == labels[:, [4, 9]].ravel().tolist()
    assert (data.classes, data.test) == (("a", "b", "c"), None)


@pytest.mark.parametrize(
    ("x", "y", "length", "options", "error", "told"),
    [
        (X[0, :, 0], Y[0], 2, {}, ShapeError, "reshape"),
        (X, Y[:, 1:], 2, {}, ShapeError, r"\(2, 10\)"),
        (X, Y, 12, {}, ShapeError, "12 steps"),
        (X, Y, 0, {}, OptionError, "length"),
        (X, Y, 2, {"test": 1.0}, OptionError, "test=1.0"),
        (X, Y, 2, {"target_steps": "first"}, OptionError, "target_steps"),
        (X, Y, 2, {"scalling": "none"}, OptionError, "scaling"),
        (X, Y, 2, {"split": None}, OptionError, "split"),
    ],
)
def test_what_makes_no_chunks_is_refused(x, y, length, options, error, told):
    with pytest.raises(error, match=told):
        chunks(x, y, length, **options)
