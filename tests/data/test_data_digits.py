"""The digits in the package: unchanged files, the right arrays, each part decoded once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import chainrule.data.digits as digits_module
from chainrule.data import duplicates, mnist
from chainrule.errors import OptionError

FOLDER = Path(digits_module.__file__).with_name("mnist")
FINGERPRINTS = {
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_files_are_unchanged_and_documented(name):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == FINGERPRINTS[name]
    assert FINGERPRINTS[name] in (FOLDER / "SOURCE.md").read_text("utf-8")


def test_licence_names_the_authors():
    text = (FOLDER / "LICENSE").read_text("utf-8")
    assert all(word in text for word in ("Yann LeCun", "Corinna Cortes", "Burges", "Attribution-Share Alike 3.0"))


def test_arrays():
    data = mnist()
    assert data.train.x.shape == (60_000, 784)
    assert data.test.x.shape == (10_000, 784)
    assert data.train.x.dtype == np.uint8
    assert data.validation is None
    assert data.classes == tuple("0123456789")
    assert np.bincount(data.train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.scaling.apply(data.train.x[:100]).max() == pytest.approx(1)
    assert data.train.x.mean() / 255 == pytest.approx(0.1306604762738429)  # the value that the field quotes
    assert not data.train.x.flags.writeable


def test_no_test_digit_stands_in_the_training_part():
    data = mnist()
    assert duplicates(data.test.x, data.train.x) == 0
    assert data.notes == ()


def test_same_object_again_and_parts_shared():
    assert mnist() is mnist()
    assert np.shares_memory(mnist(validation=10).train.x, mnist().train.x)


def test_validation_is_the_end_of_the_training_part():
    data, whole = mnist(validation=5000), mnist()
    assert (len(data.train), len(data.validation), len(data.test)) == (55_000, 5_000, 10_000)
    assert np.array_equal(data.validation.x, whole.train.x[55_000:])
    assert np.array_equal(data.validation.y, whole.train.y[55_000:])
    assert data.hash != whole.hash


@pytest.mark.parametrize("count", [-1, 60_000, 0.5, True, "many"])
def test_validation_must_be_a_count(count):
    with pytest.raises(OptionError, match="a whole number from 0 to 59999"):
        mnist(validation=count)
