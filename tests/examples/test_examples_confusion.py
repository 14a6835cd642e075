"""Learning by confusion, in a smaller version: the accuracy has its middle peak at the transition, between two valleys."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import CRITICAL_TEMPERATURE
from chainrule.examples.confused import ASSUMED, CONFUSION, labelled, middle_peak


def test_the_middle_peak_is_the_top_between_two_valleys():
    shape = np.maximum(1 - 3 * np.abs(ASSUMED - 2.24), np.maximum(1 - 0.8 * (ASSUMED - 1.5), 1 - 0.8 * (3.0 - ASSUMED)))
    assert middle_peak(ASSUMED, shape) == pytest.approx(2.24, abs=0.03)


def test_only_the_labels_depend_on_the_assumed_temperature():
    low, high = labelled(1.825, 0), labelled(2.725, 0)
    np.testing.assert_array_equal(low.train.x, high.train.x)
    assert low.train.y.mean() > 0.7
    assert high.train.y.mean() < 0.3


def test_networks_are_confused_by_wrong_temperatures():
    trainings, error = CONFUSION.trainings(0), {}
    for assumed in (1.925, 2.325, 2.725):
        run = trainings[f"as if T_c = {assumed:.3f}"].changed(replicas=1).fit()
        error[assumed] = 1 - run.evaluate("test").accuracy().value
    assert abs(2.325 - CRITICAL_TEMPERATURE) < 0.1
    assert error[2.325] + 0.05 < min(error[1.925], error[2.725])
