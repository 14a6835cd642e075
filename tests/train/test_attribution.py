"""Why this answer and not that one: integrated gradients, held against closed forms, JAX, and their own sum."""

from __future__ import annotations

from typing import Literal

import jax
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.train.attribution import integrated


@pytest.fixture(scope="module")
def plants() -> cr.train.Run:
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 4)) * np.array([1.0, 5.0, 0.2, 2.0]) + 3
    y = np.array(["red", "green", "blue"])[(x[:, 0] > 3).astype(int) + (x[:, 1] > 3)]
    data = cr.data.from_arrays(x, y, features=("length", "width", "mass", "age"))
    return cr.fit("4-8-6-3 relu softmax", data, optimizer=cr.Adam(0.03), epochs=20)


def jax_contrast(run: cr.train.Run, one: int, other: int):
    p = {name: value.astype(np.float64) for name, value in run.model().parameters.items()}
    scaling = run.dataset_info.scaling

    def z(x):
        a = (x - scaling.offset) * scaling.factor
        for layer in ("dense1", "dense2"):
            a = jax.nn.relu(a @ p[f"{layer}.W"] + p[f"{layer}.b"])
        out = a @ p["dense3.W"] + p["dense3.b"]
        return out[one] - out[other]

    return z


def test_jax_says_the_same(plants: cr.train.Run) -> None:
    with jax.enable_x64(True):
        for number in range(4):
            found = plants.why(number)
            classes = plants.dataset_info.classes
            assert classes is not None
            z = jax_contrast(plants, classes.index(found.of), classes.index(found.instead_of))
            x, start = np.asarray(found.x, np.float64), np.asarray(found.baseline, np.float64)
            at_x, gradient = jax.jit(jax.value_and_grad(z))(x)
            assert np.allclose(found.gradient, gradient, rtol=1e-10)
            assert found.at_x == pytest.approx(float(at_x), rel=1e-10)
            assert found.at_baseline == pytest.approx(float(jax.jit(z)(start)), rel=1e-10)
            middles = (np.arange(20_000) + 0.5) / 20_000
            mean = jax.jit(jax.vmap(lambda t: jax.grad(z)(start + t * (x - start))))(middles).mean(axis=0)  # noqa: B023
            assert np.allclose(found.values, mean * (x - start), atol=2e-4 * np.abs(found.values).sum())


def test_of_a_linear_network_it_is_the_weights_times_the_way() -> None:
    data = cr.data.blobs(90, classes=3)
    run = cr.fit("2-3", data, epochs=5)
    found = run.why(4, of=2, instead_of=0)
    w = run.model().parameters["dense1.W"]
    seen = run.dataset_info.scaling.apply(found.x) - run.dataset_info.scaling.apply(found.baseline)
    assert np.allclose(found.values, (w[:, 2] - w[:, 0]) * seen, rtol=1e-13)
    assert abs(found.gap) < 1e-13
    assert np.allclose(found.gradient * (found.x - found.baseline), found.values, rtol=1e-12)


def test_a_square_has_its_closed_form() -> None:
    """f = (w·x)²: each input gets w_i·x_i·(w·x), from 0 on."""
    w = np.array([1.0, -2.0, 0.5])

    def slope(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (x @ w) ** 2, 2 * (x @ w)[:, None] * w

    x = np.array([0.3, 1.0, 2.0])
    values, _ = integrated(slope, np.zeros(3), x, 1e-8)
    assert np.allclose(values, w * x * (w @ x), rtol=1e-12)


@pytest.mark.parametrize(
    ("network", "data"),
    [
        (cr.Sequential(cr.Conv2D(3, 3, activation="relu"), cr.MaxPool(2), cr.Flatten(), cr.Dense(3, "softmax")), (6, 6, 1)),
        (cr.Sequential(cr.LSTM(5), cr.Dense(3, "softmax")), (7, 2)),
        (cr.Sequential(cr.Dense(6, "tanh"), cr.BatchNorm(), cr.Dropout(0.3), cr.Dense(3, "softmax")), (4,)),
    ],
)
def test_the_sum_closes_in_networks_of_every_kind(network: cr.Sequential, data: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(60, *data)).astype(np.float64)
    run = cr.fit(network, cr.data.from_arrays(x, random.integers(3, size=60)), epochs=3, optimizer=cr.Adam(0.02))
    found = run.why(2)
    assert found.closes
    assert found.values.shape == data
    z = run.model().quantities(np.stack([found.x, found.baseline]))
    before = next(value for name, value in reversed(z.items()) if name.startswith("dense") and name.endswith(".z"))
    classes = run.dataset_info.classes
    assert classes is not None
    one, other = classes.index(found.of), classes.index(found.instead_of)
    assert found.at_x == pytest.approx(before[0, one] - before[0, other], rel=1e-9)
    assert found.at_baseline == pytest.approx(before[1, one] - before[1, other], rel=1e-9)
    assert abs(found.gap) <= 1e-4 * np.abs(found.values).sum()


def test_a_finer_tolerance_brings_a_finer_sum(plants: cr.train.Run) -> None:
    rough, fine = plants.why(1, tolerance=0.1), plants.why(1, tolerance=1e-9)
    assert rough.points < fine.points
    assert abs(fine.gap) < 1e-9 * np.abs(fine.values).sum()


def test_numbers_are_explained_in_their_units() -> None:
    x = np.random.default_rng(0).normal(size=(80, 2))
    run = cr.fit("2-6-1 tanh", (x, 1000 + 30 * x[:, 0]), epochs=20)
    found = run.why(x[0])
    both = run.model().quantities(np.stack([found.x, found.baseline]))["output"][:, 0]
    scaling = run.dataset_info.target_scaling
    assert scaling is not None
    assert [found.at_x, found.at_baseline] == pytest.approx(scaling.undo(both[:, None])[:, 0], rel=1e-9)
    assert str(found).startswith("this example: why output 0")


def test_one_output_for_two_classes_is_explained_for_either() -> None:
    run = cr.fit("2-4-1 tanh sigmoid", cr.data.moons(60), epochs=10)
    one, other = run.why(0, of=1), run.why(0, of=0)
    assert np.allclose(one.values, -other.values)
    p = float(run.model().quantities(one.x[None])["dense2.a"][0, 0])
    assert one.at_x == pytest.approx(np.log(p / (1 - p)), rel=1e-9)


def test_another_baseline_and_another_answer(plants: cr.train.Run) -> None:
    there = plants.data.train.x[5]
    found = plants.why(3, "red", of="blue", baseline=there)
    assert np.array_equal(found.baseline, there)
    assert found.title == "test example 3: why blue and not red"
    assert "(closes" not in str(found)
    assert "z(blue) − z(red) = " in str(found)


def test_what_did_most_is_named_first(plants: cr.train.Run) -> None:
    found = plants.why(0)
    first = plants.data.features[int(np.argmax(found.values))]
    assert f"for {found.of}: {first} +" in str(found)


def test_an_example_that_is_an_image_is_shown_as_one() -> None:
    run = cr.fit("784-8-10 relu softmax", cr.data.mnist(), epochs=1, optimizer=cr.SGD(0.1))
    found = run.why(0, instead_of="9")
    assert "pixel" in str(found)
    picture = cr.pictures.attribution(found)
    assert picture.numbers["values"].sum() == pytest.approx(found.at_x - found.at_baseline, rel=1e-3)
    assert "7 and not 9" in picture.title
    assert "<svg" in found._repr_html_()


def test_what_cannot_be_asked_is_refused(plants: cr.train.Run) -> None:
    with pytest.raises(OptionError, match="instead_of='yellow'"):
        plants.why(0, "yellow")
    with pytest.raises(OptionError, match="and not"):
        plants.why(0, "red", of="red")
    with pytest.raises(ShapeError, match="baseline of shape"):
        plants.why(0, baseline=[1.0])
    ids = np.random.default_rng(0).integers(5, size=(40, 3)).astype(float)
    reader = cr.Sequential(cr.Embedding(5, 4), cr.Flatten(), cr.Dense(2, "softmax"))
    run = cr.fit(reader, cr.data.from_arrays(ids, (ids[:, 0] > 2).astype(int)), epochs=1)
    with pytest.raises(OptionError, match="positions"):
        run.why(0)


@pytest.mark.parametrize(
    "layer", [cr.LSTM(4, padding=0.0), cr.GRU(4, padding=0.0), cr.Bidirectional(cr.RNN(3, padding=0.0))], ids=repr
)
@pytest.mark.parametrize("scaling", ["auto", "none"])
def test_steps_that_are_padding_stay_padding_all_along_the_way(layer: cr.nn.Layer, scaling: Literal["auto", "none"]) -> None:
    random = np.random.default_rng(0)
    x, lengths = random.normal(3.0, 1.0, size=(60, 6, 2)), random.integers(1, 7, 60)
    x[np.arange(6) >= lengths[:, None]] = 0.0
    data = cr.data.from_arrays(x, x[:, :, 0].sum(axis=1), split=None, scaling=scaling)
    run = cr.fit(cr.Sequential(layer, cr.Dense(1)), data, epochs=20, optimizer=cr.Adam(0.02), dtype="float64")
    for example in range(6):
        found = run.why(example, part="training")
        assert found.at_x == pytest.approx(float(run.predict(x[example : example + 1])[0, 0]), rel=1e-9)
        assert found.closes
        assert not found.values[lengths[example] :].any()
        step, ahead = (0, 1), np.zeros((6, 2))
        ahead[step] = 1e-5
        slope = np.diff(run.predict(np.stack([x[example] - ahead, x[example] + ahead]))[:, 0])[0] / 2e-5
        assert found.gradient[step] == pytest.approx(slope, rel=1e-5)


def test_an_answer_beside_itself_is_refused_by_its_name_at_both_doors() -> None:
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=3)
    (own,) = run.classify(run.data.test.x[3:4])
    with pytest.raises(OptionError, match=f"why {own} and not {own}") as told:
        run.why(3, instead_of=own)
    assert cr.errors.command_words(told.value.remedy) == "write --why in place of --instead-of"
