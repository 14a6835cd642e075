"""Small data sets and networks that the tests of training share."""

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture(scope="session")
def digits():
    """500 digits for training, 100 for validation, 200 for testing; bytes, as MNIST ships."""
    whole = cr.data.mnist()
    part = cr.data.Examples
    return cr.data.Dataset(
        "few digits",
        part(whole.train.x[:500], whole.train.y[:500]),
        part(whole.train.x[500:600], whole.train.y[500:600]),
        part(whole.test.x[:200], whole.test.y[:200]),
        scaling=whole.scaling,
        classes=whole.classes,
    )


@pytest.fixture
def small_net():
    """A network with dropout, so that random numbers play a part."""
    return cr.Sequential(cr.Dense(12, "relu"), cr.Dropout(0.3), cr.Dense(10, "softmax"))


def same_state(one, other):
    """Whether two runs ended with the same bits everywhere."""
    assert one.trainer.state.keys() == other.trainer.state.keys()
    return all(np.array_equal(array, other.trainer.state[name]) for name, array in one.trainer.state.items())
