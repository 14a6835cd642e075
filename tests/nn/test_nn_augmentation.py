"""Pictures moved, mirrored, turned and brightened at random: against NumPy and SciPy, the same on all engines, and only in training."""

import numpy as np
import pytest
from scipy import ndimage, stats

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.engines import engine_named
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Graph, compute, constant, input_node
from chainrule.nn import build_network
from chainrule.ops import random
from chainrule.ops import sum as add_up

LAYERS = [cr.RandomShift(2), cr.RandomFlip(), cr.RandomFlip("both"), cr.RandomRotation(40.0), cr.RandomBrightness(0.3)]
PICTURES = np.random.default_rng(0).random((40, 6, 7, 2))


def built(layer, x):
    key = input_node("key", (2,), "uint32")
    return build_network(layer, x.shape[1:], batch=len(x), dtype=x.dtype.name, training=True, key=key)


def drawn(layer, x, seed=3, engine="reference"):
    """The batch in training."""
    program = engine_named(engine).compile(Graph({"output": built(layer, x).output}))
    return program({"x": x, "key": random.key(seed)})["output"]


def bound(made, x, key):
    """What the graph's leaves are given."""
    leaves = Graph({"o": made.output}).leaves
    return {leaves[name]: {"x": x, "key": key}[name] for name in leaves}


def moved(picture, down, right):
    """A picture moved by whole pixels, 0 where nothing was."""
    height, width = picture.shape[:2]
    wide = np.pad(picture, ((9, 9), (9, 9), (0, 0)))
    return wide[9 - down : 9 - down + height, 9 - right : 9 - right + width]


def test_a_shift_is_one_of_twenty_five_each_as_likely():
    found = drawn(cr.RandomShift(2), np.repeat(PICTURES[:1], 2000, axis=0))
    counts = [
        sum(np.array_equal(one, moved(PICTURES[0], down, right)) for one in found)
        for down in range(-2, 3)
        for right in range(-2, 3)
    ]
    assert sum(counts) == 2000
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("direction", "axes"), [("horizontal", [(), (1,)]), ("vertical", [(), (0,)]), ("both", [(), (0,), (1,), (0, 1)])]
)
def test_a_flip_is_a_mirror_image_half_of_the_time(direction, axes):
    found = drawn(cr.RandomFlip(direction), np.repeat(PICTURES[:1], 1000, axis=0))
    counts = [sum(np.array_equal(one, np.flip(PICTURES[0], axis)) for one in found) for axis in axes]
    assert sum(counts) == 1000
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(9, 9), (6, 11)])
def test_a_rotation_is_scipys(shape):
    x = np.random.default_rng(1).random((30, *shape, 2))
    made = built(cr.RandomRotation(40.0), x)
    (angles,) = [node for node in Graph({"o": made.output}).nodes if node.name == "rotation1.angle"]
    output, angle = compute([made.output, angles], bound(made, x, random.key(5)))
    assert np.abs(angle).max() <= np.radians(40)
    assert stats.kstest(np.degrees(angle).ravel() / 80 + 0.5, "uniform").pvalue > 1e-3
    for picture, turned, theta in zip(x, output, np.degrees(angle).ravel(), strict=True):
        judge = ndimage.rotate(picture, theta, axes=(1, 0), reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(turned, judge, atol=1e-10)


def test_brightness_is_one_number_to_a_picture():
    x = np.repeat(PICTURES[:1], 500, axis=0)
    added = drawn(cr.RandomBrightness(0.3), x) - x
    assert np.ptp(added.reshape(500, -1), axis=1).max() < 1e-15
    assert stats.kstest(added[:, 0, 0, 0] / 0.6 + 0.5, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize(
    "engine", ["native", pytest.param("xla", marks=pytest.mark.filterwarnings("ignore:JAX sees no device"))]
)
def test_the_engines_draw_the_same(layer, engine):
    # The numbers drawn are the same bits; what is computed from them by sin, cos and sums agrees within their rounding.
    np.testing.assert_allclose(drawn(layer, PICTURES, engine=engine), drawn(layer, PICTURES), rtol=1e-13, atol=1e-13)
    if isinstance(layer, cr.RandomShift | cr.RandomFlip):
        for dtype in ("float32", "float64"):
            x = PICTURES.astype(dtype)
            np.testing.assert_array_equal(drawn(layer, x, engine=engine), drawn(layer, x))


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_nothing_is_done_at_inference_and_every_step_draws_anew(layer):
    used = build_network(layer, PICTURES.shape[1:], batch=4)
    assert used.output is used.input
    one, again, other = (drawn(layer, PICTURES, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, PICTURES)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_derivative_is_that_of_a_linear_map(layer):
    made = built(layer, PICTURES)
    weight, step = np.random.default_rng(2).normal(size=(2, *PICTURES.shape))
    slope = grad(add_up(made.output * constant(weight)), [made.input])[0]
    values = bound(made, PICTURES, random.key(3))
    (found,) = compute([slope], values)
    ahead = {leaf: value + step if leaf is made.input else value for leaf, value in values.items()}
    change = compute([made.output], ahead)[0] - compute([made.output], values)[0]
    np.testing.assert_allclose((found * step).sum(), (weight * change).sum(), rtol=1e-10)


def test_texts_and_refusals():
    network = cr.parse_network("784-28x28x1-shift2-flip:vertical-rotation(15)-brightness(0.1)-flatten-10 linear softmax")
    assert network.layers[1:5] == (
        cr.RandomShift(2),
        cr.RandomFlip("vertical"),
        cr.RandomRotation(15.0),
        cr.RandomBrightness(0.1),
    )
    with pytest.raises(ShapeError, match="Reshape"):
        build_network(cr.RandomShift(1), (784,))
    for make in (
        lambda: cr.RandomShift(0),
        lambda: cr.RandomFlip("left"),
        lambda: cr.RandomRotation(-1.0),
        lambda: cr.RandomBrightness(-1),
    ):
        with pytest.raises(OptionError):
            make()


def test_a_training_sees_other_pictures_at_each_step_and_predicts_with_those_that_it_is_given():
    x = np.zeros((60, 8, 8, 1))
    rows = np.arange(60) % 2
    x[np.arange(60), 2 + 3 * rows, 3] = 1.0
    data = (x, np.where(rows, "low", "high"))
    net = cr.Sequential(cr.RandomShift(1), cr.Flatten(), cr.Dense(2, "softmax"))
    run = cr.fit(net, data, optimizer=cr.Adam(0.05), epochs=30)
    away = np.roll(x[:2], (1, -1), axis=(1, 2))  # as far as shifts of a pixel go
    plain = cr.fit(cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax")), data, optimizer=cr.Adam(0.05), epochs=30)
    assert run.classify(away) == ["high", "low"]
    assert run.probabilities(away).max(axis=1).min() > 0.75 > plain.probabilities(away).max(axis=1).min()
    assert run.at(20).hash != run.hash
    assert run.explain(0).agrees
