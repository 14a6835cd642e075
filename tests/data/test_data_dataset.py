"""Dataset: what is checked when it is made, and what it says of itself."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle

import numpy as np
import pytest

from chainrule.data import Dataset, Examples, Scaling
from chainrule.errors import DataError, ShapeError

X = np.arange(12.0).reshape(6, 2)
LABELLED = Examples(X, [0, 1, 2, 0, 1, 2])
NUMBERS = Examples(X, X[:, :1])
NAMES = ("a", "b", "c")


def test_properties():
    classes = Dataset("d", LABELLED, test=LABELLED[:2], classes=NAMES)
    assert (classes.input_shape, classes.target_size, classes.task) == ((2,), 3, "classification")
    assert repr(classes) == "Dataset('d': 6 train, 2 test; inputs (2,) float64; 3 classes)"
    numbers = Dataset("d", NUMBERS, validation=NUMBERS[:1])
    assert (numbers.target_size, numbers.task) == (1, "regression")
    assert repr(numbers) == "Dataset('d': 6 train, 1 validation; inputs (2,) float64; 1 number to fit)"
    assert [part for part, _ in numbers.parts()] == ["training", "validation"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        numbers.name = "other"


def test_labels_must_have_a_class():
    with pytest.raises(DataError) as caught:
        Dataset("d", Examples(np.ones((5, 1)), [0, 1, 2, 10, 1]), classes=tuple("0123456789"))
    assert str(caught.value).startswith("label 10 at example 3 of the training part\n  expected: labels from 0 to 9")
    with pytest.raises(DataError, match="label -1 at example 1 of the test part"):
        Dataset("d", LABELLED, test=Examples(X[:2], [0, -1]), classes=NAMES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(value):
    x = X.copy()
    x[4, 1] = value
    with pytest.raises(DataError, match=f"x is {value} at example 4 of the training part, feature 'width'"):
        Dataset("d", Examples(x, LABELLED.y), classes=NAMES, features=("height", "width"))
    with pytest.raises(DataError, match=f"x is {value} at example 1 of the validation part, feature 1"):
        Dataset("d", LABELLED, validation=Examples(x[3:5], [0, 1]), classes=NAMES)
    with pytest.raises(DataError, match=f"y is {value} at example 4 of the training part, feature 1"):
        Dataset("d", Examples(X, x))
    with pytest.raises(DataError, match="at example 0 of the training part, feature 1, 2"):
        Dataset("d", Examples(np.where(np.arange(12).reshape(2, 2, 3) == 5, value, 0.0), [0, 1]), classes=NAMES)


def test_enormous_finite_numbers_are_finite():
    Dataset("d", Examples(np.full((4, 1), 1e308), LABELLED.y[:4]), classes=NAMES)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"test": LABELLED[:0], "classes": NAMES}, DataError, "the test part is empty"),
        (
            {"test": Examples(X[:, :1], LABELLED.y), "classes": NAMES},
            DataError,
            r"x of the test part has examples of shape \(1,\)",
        ),
        ({"test": Examples(X.astype("f4"), LABELLED.y), "classes": NAMES}, DataError, "dtype float32"),
        ({"test": NUMBERS, "classes": NAMES}, DataError, "y of the test part"),
        ({}, DataError, "y holds labels and there are no class names"),
        ({"classes": ("a",)}, DataError, "the classes are 'a'"),
        ({"classes": ("a", "a", "b")}, DataError, "at least two classes with different names"),
        ({"classes": NAMES, "features": ("one",)}, ShapeError, r"1 feature names are given for inputs of shape \(2,\)"),
        ({"classes": NAMES, "scaling": Scaling([0, 0, 0], 1)}, ShapeError, r"scaling is made for shape \(3,\)"),
        ({"classes": NAMES, "target_scaling": Scaling(0, 2)}, DataError, "target_scaling is given for labels"),
    ],
)
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        Dataset("d", LABELLED, **arguments)


def test_numbers_take_no_class_names():
    with pytest.raises(DataError, match="y holds numbers and there are class names"):
        Dataset("d", NUMBERS, classes=NAMES)


def test_hash_is_a_fixed_value():
    """The bytes are spelled out here so that they can never change unnoticed: runs are compared by this value."""
    data = Dataset("d", Examples(np.array([[0, 255]], np.uint8), [1]), classes=("a", "b"))
    spelled_out = b"training x u1 (1, 2)\n\x00\xfftraining y i8 (1,)\n\x01\0\0\0\0\0\0\0"
    assert data.hash == hashlib.sha256(spelled_out).hexdigest()
    assert data.hash is data.hash


def test_hash_sees_every_bit_of_the_data_and_nothing_else():
    base = Dataset("d", LABELLED, test=LABELLED, classes=NAMES)
    assert dataclasses.replace(base, name="e", notes=("n",)).hash == base.hash
    big_endian = Dataset("d", Examples(X.astype(">f8"), LABELLED.y), test=Examples(X[::1], LABELLED.y), classes=NAMES)
    assert big_endian.hash == base.hash
    other = X.copy()
    other[0, 0] = np.nextafter(0, 1)
    different = [
        dataclasses.replace(base, test=None),
        dataclasses.replace(base, test=None, validation=LABELLED),
        dataclasses.replace(base, train=Examples(other, LABELLED.y)),
        dataclasses.replace(base, train=LABELLED[::-1]),
        Dataset("d", Examples(X.reshape(6, 2, 1), LABELLED.y), test=Examples(X.reshape(6, 2, 1), LABELLED.y), classes=NAMES),
    ]
    assert len({data.hash for data in [base, *different]}) == 1 + len(different)


def test_pickles():
    data = Dataset("d", LABELLED, classes=NAMES, scaling=Scaling.minmax(X))
    again = pickle.loads(pickle.dumps(data))
    assert again.hash == data.hash
    assert again.scaling == data.scaling
