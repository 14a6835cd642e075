"""Replica k of a run with seed s is the single run with seed s + k, bit for bit."""

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("stopping", [None, cr.EarlyStopping(patience=2)], ids=["to the end", "early stopping"])
def test_replica_equals_single_run(digits, small_net, stopping):
    settings = {"optimizer": cr.Adam(0.02), "epochs": 8, "batch_size": 64, "early_stopping": stopping}
    many = cr.fit(small_net, digits, seed=3, replicas=4, **settings)
    for replica in range(4):
        single = cr.fit(small_net, digits, seed=3 + replica, **settings)
        for name, array in single.parameters().items():
            np.testing.assert_array_equal(array, many.parameters(replica)[name])
        steps = single.history.steps()
        np.testing.assert_array_equal(steps[0], many.history.steps()[replica, : steps.shape[1]])


def test_same_seed_same_bits_and_other_seed_other_bits(digits, small_net):
    first, again, other = (cr.fit(small_net, digits, epochs=1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.parameters()["dense1.W"], again.parameters()["dense1.W"])
    assert not np.array_equal(first.parameters()["dense1.W"], other.parameters()["dense1.W"])
    assert first.hash == again.hash != other.hash
    assert first.hash[:12] in str(first)


def test_mean_and_standard_error_are_printed():
    run = cr.fit("2-8-1 tanh sigmoid", "moons", optimizer=cr.Adam(0.05), epochs=5, replicas=3)
    values = run.evaluate("test").scores.values["accuracy"]
    error = np.std(values, ddof=1) / np.sqrt(3)
    text = str(run)
    assert f"{np.mean(values):.3f}"[:5] in text
    assert "±" in text
    assert "3 replicas" in text
    assert cr.train.with_error(values).split(" ± ")[1] == f"{error:.{len(cr.train.with_error(values).split('.')[-1])}f}"
