"""What is described alike is built once; what somebody's own code decides is asked for again."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.descriptions import key_of

MOONS = cr.data.moons(60)
ONCE = {"epochs": 2, "batch_size": 16}


def test_a_training_described_again_is_built_once_and_ends_in_the_same_bits():
    first, again = (cr.Training("2-5-2 relu softmax", MOONS, seed=3, **ONCE) for _ in range(2))
    assert first.problem is again.problem
    assert first.fit().hash == again.fit().hash
    assert first.trainer().loop is again.trainer().loop


OTHERS = {
    "network": ("2-5-2 tanh softmax", MOONS, {}),
    "data": ("2-5-2 relu softmax", cr.data.moons(60, seed=1), {}),
    "loss": ("2-5-2 relu softmax", MOONS, {"loss": cr.CrossEntropy() + cr.L2(0.1)}),
    "dtype": ("2-5-2 relu softmax", MOONS, {"dtype": "float64"}),
    "momentum": ("2-5-2 relu softmax", MOONS, {"optimizer": cr.SGD(0.1, momentum=0.5)}),
    "clipping": ("2-5-2 relu softmax", MOONS, {"clip": cr.ClipNorm(1e-3)}),
    "batch": ("2-5-2 relu softmax", MOONS, {"batch_size": 12}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_differs_is_built_for_itself(other):
    usual = {"optimizer": cr.SGD(0.1), **ONCE}
    network, data, options = OTHERS[other]
    cr.fit("2-5-2 relu softmax", MOONS, **usual)
    in_between = cr.fit(network, data, **{**usual, **options})
    alone = cr.train.learning_problem.learning_problem.make(
        in_between.problem.network, in_between.problem.dataset_info, in_between.problem.loss, in_between.problem.dtype,
        in_between.problem.batch_size,
    )  # fmt: skip
    fresh = cr.train.Trainer(alone, in_between.settings, lambda: in_between.data)
    fresh.train()
    assert fresh.hash == in_between.hash != cr.fit("2-5-2 relu softmax", MOONS, **usual).hash


def test_code_of_the_users_is_run_each_time():
    slope = [1.0]

    @cr.described
    class Slanted:
        def __call__(self, x):
            return cr.ops.tanh(x) * slope[0]

    found = []
    for number in (1.0, 3.0, 1.0):
        slope[0] = number
        found.append(cr.fit(cr.Sequential(cr.Dense(4), Slanted(), cr.Dense(2, "softmax")), MOONS, **ONCE).hash)
    assert found[0] == found[2] != found[1]


def test_an_optimizer_of_the_users_is_asked_each_time():
    sign = [-1.0]

    @cr.described
    class Wandering(cr.train.Optimizer):
        learning_rate: float = 0.1

        def update(self, w, g, slots, rate, step):
            return w + sign[0] * rate * g, {}

    found = []
    for number in (-1.0, 1.0, -1.0):
        sign[0] = number
        found.append(cr.fit("2-5-2 relu softmax", MOONS, optimizer=Wandering(), **ONCE).hash)
    assert found[0] == found[2] != found[1]


def test_one_layer_in_two_places_is_no_two_equal_layers():
    dense = cr.Dense(2, "tanh")
    once, twice = cr.Sequential(dense, dense), cr.Sequential(cr.Dense(2, "tanh"), cr.Dense(2, "tanh"))
    assert key_of(once) not in {key_of(twice), None}
    assert key_of(twice) == key_of(cr.Sequential(cr.Dense(2, "tanh"), cr.Dense(2, "tanh")))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (1, 1.0), (0.0, -0.0), ((1, 2), [1, 2]), (np.float32(1), np.float64(1)), (np.zeros(2), np.zeros((1, 2))),
        (np.array([0.0]), np.array([-0.0])), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (cr.Adam(0.1), cr.Adam(0.2)), ("1", 1),
    ],
)  # fmt: skip
def test_what_would_build_something_else_has_another_key(one, other):
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize("value", [print, object(), lambda x: x, [cr.Dense(2), np.tanh], np.array([object()])])
def test_what_may_mean_something_else_next_time_has_none(value):
    assert key_of(value) is None
