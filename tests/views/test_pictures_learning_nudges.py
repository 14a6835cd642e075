"""Pictures of what gradients ask for: entries by size, nudges, wishes and their sums, batches, Hebb's rule, one update."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.numerals import numeral
from chainrule.train import Model, Run
from chainrule.views.figures.figure import new_figure
from chainrule.views.panels import Table
from chainrule.views.pictures.learning.directions import batch_angles, hebb
from chainrule.views.pictures.learning.effects import step_effect
from chainrule.views.pictures.learning.gradients import GradientEntries, averaged_wishes, gradient_entries, ranked_entries
from chainrule.views.pictures.learning.nudging import nudges, output_nudges, three_ways, wishes
from chainrule.views.pictures.learning.places import angle, cost_at, unit_number
from chainrule.views.scales import decimal
from chainrule.views.view import View

HOSTILE = "<script>$x_{1}$\x1b[31m\u202eabc" + "w" * 300


@pytest.fixture(scope="module")
def digits() -> Run:
    return cr.fit("784-16-16-10 relu softmax", cr.data.mnist(), epochs=1, batch_size=256)


@pytest.fixture(scope="module")
def run() -> Run:
    loss = cr.CrossEntropy() + cr.L2(0.05)
    return cr.fit("2-5-4-2 tanh softmax", cr.data.moons(60), loss=loss, epochs=3, batch_size=10, optimizer=cr.SGD(0.3))


@pytest.fixture(scope="module")
def cat_or_dog() -> Model:
    """A network that says 0.9 cat, 0.1 dog to every input."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.2, 0.9]])
    data = cr.data.from_arrays(x, [0, 1, 0, 1], classes=["cat", "dog"], split=None, scaling="none")
    model = cr.fit("2-2:softmax", data, epochs=1, batch_size=1).model()
    return model.with_parameters({"dense1.W": np.zeros((2, 2)), "dense1.b": np.array([np.log(9.0), 0.0])})


CAT_INPUT = np.array([1.0, 0.0])


# ---- entries of the gradient


def test_all_13002_entries_are_there_with_their_places(digits: Run) -> None:
    x, y = digits.data.test.x[:50], digits.data.test.y[:50]
    picture, gradient = gradient_entries(digits.model(), x, y), digits.model().gradient(x, y)
    assert len(picture.numbers["entries"]) == 13002
    assert picture.title == "The 13 002 entries of ∇C by size"
    assert np.all(np.diff(np.abs(picture.numbers["entries"])) <= 0)
    for rank in (0, 1, 77, 5000, 13001):
        assert (
            gradient[picture.numbers["names"][rank]].ravel()[picture.numbers["positions"][rank]]
            == picture.numbers["entries"][rank]
        )
    places = set(zip(picture.numbers["names"].tolist(), picture.numbers["positions"].tolist(), strict=True))
    assert len(places) == 13002


def test_the_largest_hundredth_carries_its_share(digits: Run) -> None:
    picture = gradient_entries(digits.model(), digits.data.test.x[:50], digits.data.test.y[:50])
    squares = np.sort(picture.numbers["entries"] ** 2)[::-1]
    assert picture.numbers["share_of_largest"] == pytest.approx(squares[:130].sum() / squares.sum())
    found = ranked_entries(digits.model(), digits.data.test.x[:50], digits.data.test.y[:50])
    none = GradientEntries(np.zeros(3), found.names[:3], found.positions[:3], found.shapes)
    assert np.isnan(none.share_of_largest)


def test_top_entries_are_a_table_with_names(run: Run) -> None:
    x, y = run.data.train.x, run.data.train.y
    table = ranked_entries(run.model(), x, y).top(3)
    gradient = run.model().gradient(x, y)
    largest = max(float(np.abs(g).max()) for g in gradient.values())
    assert abs(float(table.rows[0][1])) == largest
    name, place = str(table.rows[0][0]).rstrip("]").split("[")
    assert gradient[name][tuple(int(i) for i in place.split(","))] == table.rows[0][1]
    assert len(str(table).splitlines()) == 4


# ---- nudges of one neuron


def test_the_three_ways_are_derivatives_in_exact_proportion(digits: Run) -> None:
    model, x, y = digits.model(), digits.data.test.x[3], digits.data.test.y[3]
    picture = nudges(model, x, y, 2)
    gradient = model.gradient(x[None], y[None])
    assert np.array_equal(picture.numbers["weights"], -gradient["dense3.W"][:, 2])
    assert picture.numbers["bias"] == -gradient["dense3.b"][2]
    # One product each, so that these hold to the last bit.
    assert np.array_equal(picture.numbers["weights"], picture.numbers["push"] * picture.numbers["a"])
    assert picture.numbers["bias"] == picture.numbers["push"]
    assert np.allclose(picture.numbers["activations"], picture.numbers["push"] * picture.numbers["w"], rtol=1e-15, atol=0)
    assert np.array_equal(picture.numbers["w"], model.parameters["dense3.W"][:, 2])
    assert np.array_equal(picture.numbers["a"], model.quantities(x[None])["dense2.a"][0])


def test_a_nudge_is_what_a_small_change_does(run: Run) -> None:
    # Without the penalty: what the example asks for.
    model = Model(cr.train.LearningProblem(run.problem.network, run.dataset_info, cr.CrossEntropy()), run.parameters())
    x, y = run.data.test.x[:1], run.data.test.y[:1]
    picture = nudges(run.model(), x, y, 1, layer="dense2")
    for k in range(5):
        change = np.zeros((5, 4))
        change[k, 1] = 1e-6
        sides = [model.with_parameters({"dense2.W": model.parameters["dense2.W"] + s * change}).cost(x, y) for s in (1, -1)]
        assert -(sides[0] - sides[1]) / 2e-6 == pytest.approx(picture.numbers["weights"][k], rel=1e-6, abs=1e-9)


def test_ranked_lists_begin_with_the_largest_nudge(run: Run) -> None:
    picture = three_ways(run.model(), run.data.test.x[0], run.data.test.y[0])
    for way, values, factor in (("weights", picture.weights, picture.a), ("activations", picture.activations, picture.w)):
        table = picture.ranked(way)
        order = sorted(range(4), key=lambda k, values=values: -abs(values[k]))
        assert table.rows == tuple((f"dense2.a[{k}]", float(values[k]), float(factor[k])) for k in order)


def test_a_neuron_is_named_by_its_class_or_number(cat_or_dog: Model) -> None:
    assert nudges(cat_or_dog, CAT_INPUT, np.array(1), "dog").numbers["push"] == pytest.approx(0.9)
    assert nudges(cat_or_dog, CAT_INPUT, np.array(1), 0).numbers["push"] == pytest.approx(-0.9)
    for label in ("mouse", 2, -1):
        with pytest.raises(OptionError, match=r"0 \.\.\. 1"):
            nudges(cat_or_dog, CAT_INPUT, np.array(1), label)
    with pytest.raises(OptionError, match="a Dense layer: dense1"):
        nudges(cat_or_dog, CAT_INPUT, np.array(1), 0, layer=HOSTILE)
    assert unit_number(np.int64(1), 2) == 1


def test_a_layer_without_bias_has_no_nudge_for_it() -> None:
    network = cr.Sequential(cr.Dense(3, "tanh", bias=False), cr.Dense(2, "softmax", bias=False))
    run = cr.fit(network, cr.data.moons(60), epochs=1, batch_size=30)
    picture = nudges(run.model(), run.data.test.x[0], run.data.test.y[0], 1)
    assert np.isnan(picture.numbers["bias"])
    assert "the bias" not in all_words(picture)


# ---- outputs


def test_softmax_outputs_are_pushed_by_target_minus_value(digits: Run) -> None:
    model, x, y = digits.model(), digits.data.test.x[1], digits.data.test.y[1]
    picture = output_nudges(model, x, y)
    assert picture.numbers["by"] == "dense3.z"
    assert np.array_equal(picture.numbers["values"], model.quantities(x[None])["output"][0])
    assert np.array_equal(picture.numbers["targets"], np.eye(10)[y])
    assert np.allclose(
        picture.numbers["nudges"], picture.numbers["targets"] - picture.numbers["values"], rtol=1e-12, atol=1e-15
    )
    assert picture.numbers["nudges"][y] > 0
    assert np.all(np.delete(picture.numbers["nudges"], y) < 0)


def test_outputs_of_other_losses_are_pushed_by_their_own_rule() -> None:
    half = cr.fit("2-3-2 tanh sigmoid", cr.data.moons(60), loss="half_squared_error", epochs=1, batch_size=30)
    x, y = half.data.test.x[0], half.data.test.y[0]
    picture = output_nudges(half.model(), x, y)
    assert picture.numbers["by"] == "dense2.a"
    assert np.allclose(picture.numbers["nudges"], picture.numbers["targets"] - picture.numbers["values"], rtol=1e-14)
    one = cr.fit("2-3-1 tanh sigmoid", cr.data.moons(60), epochs=1, batch_size=30)
    binary = output_nudges(one.model(), x, y)
    assert binary.numbers["by"] == "dense2.z"
    assert np.allclose(binary.numbers["nudges"], binary.numbers["targets"] - binary.numbers["values"], rtol=1e-12)
    fit = cr.fit("1-3-1 tanh", cr.data.curve("sin", 30), epochs=1, batch_size=10)
    line = output_nudges(fit.model(), fit.data.train.x[0], fit.data.train.y[0])
    assert np.allclose(line.numbers["nudges"], 2 * (line.numbers["targets"] - line.numbers["values"]), rtol=1e-12)


def test_one_example_is_asked_for(run: Run) -> None:
    for made in (output_nudges, nudges, wishes, step_effect):
        with pytest.raises(ShapeError, match="2 examples"):
            made(run.model(), run.data.test.x[:2], run.data.test.y[:2])
    with pytest.raises(ShapeError, match="a target for each of 3 examples"):
        gradient_entries(run.model(), run.data.test.x[:3], run.data.test.y[:2])


# ---- wishes


@pytest.mark.parametrize("layer", ["dense3", "dense2", ""])
def test_ten_wishes_add_up_to_the_descent_of_the_neuron_before(digits: Run, layer: str) -> None:
    model, x, y = digits.model(), digits.data.test.x[5], digits.data.test.y[5]
    picture = wishes(model, x, y, layer)
    weights = model.parameters[f"{layer or 'dense3'}.W"]
    assert picture.numbers["wishes"].shape == weights.T.shape
    assert np.allclose(picture.numbers["total"], picture.numbers["descent"], rtol=1e-12, atol=1e-15)
    # Each is one neuron's push times its weight.
    push = [float(nudges(model, x, y, j, layer or "dense3").numbers["push"]) for j in range(weights.shape[1])]
    assert np.allclose(picture.numbers["wishes"], np.array(push)[:, None] * weights.T, rtol=1e-12, atol=1e-18)


def test_the_sum_of_wishes_is_what_a_small_change_of_the_neuron_does(digits: Run) -> None:
    model, x, y = digits.model(), digits.data.test.x[5], digits.data.test.y[5]
    picture = wishes(model, x, y)
    a = model.quantities(x[None])["dense2.a"][0]
    weights, bias = model.parameters["dense3.W"], model.parameters["dense3.b"]

    def cost(before: np.ndarray) -> float:
        z = before @ weights + bias
        return float(np.log(np.exp(z - z.max()).sum()) + z.max() - z[y])

    for k in range(16):
        change = 1e-5 * np.eye(16)[k]
        assert -(cost(a + change) - cost(a - change)) / 2e-5 == pytest.approx(picture.numbers["total"][k], rel=1e-5, abs=1e-8)


def test_wishes_of_examples_average_to_the_gradient(run: Run) -> None:
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    picture = averaged_wishes(model, x, y)
    gradient = model.gradient(x, y)
    assert np.array_equal(picture.numbers["descent"], -np.concatenate([g.ravel() for g in gradient.values()]))
    assert picture.numbers["largest_difference"] < 1e-15
    rows = model.example_gradients(x, y)
    assert np.allclose(
        picture.numbers["spread"], np.concatenate([g.std(axis=0).ravel() for g in rows.values()]), rtol=1e-6, atol=1e-9
    )
    assert f"no further from it than {numeral(picture.numbers['largest_difference'], 2)}" in picture.reading
    assert len(averaged_wishes(model, x, y, "dense1.b").numbers["averages"]) == 5
    with pytest.raises(OptionError, match=r"dense1\.W"):
        averaged_wishes(model, x, y, HOSTILE)


# ---- batches, Hebb


def test_a_batch_of_all_examples_points_where_they_do(run: Run) -> None:
    x, y = run.data.train.x, run.data.train.y
    picture = batch_angles(run.model(), x, y, (1, 10, 60), draws=12, seed=4)
    assert picture.numbers["angles"].shape == (3, 12)
    assert np.all(picture.numbers["angles"][2] < 1e-10)
    assert picture.numbers["angles"][0].mean() > picture.numbers["angles"][1].mean() > 1
    assert np.array_equal(
        picture.numbers["angles"], batch_angles(run.model(), x, y, (1, 10, 60), draws=12, seed=4).numbers["angles"]
    )
    for sizes, draws in (((61,), 3), ((0,), 3), ((5,), 0), ((), 3)):
        with pytest.raises(OptionError, match="60 examples"):
            batch_angles(run.model(), x, y, sizes, draws)


def test_a_batch_of_one_is_one_examples_gradient(run: Run) -> None:
    model, x, y = run.model(), run.data.train.x[:6], run.data.train.y[:6]
    rows = np.concatenate([g.reshape(6, -1) for g in model.example_gradients(x, y).values()], axis=1)
    full = rows.mean(axis=0)
    known = [np.degrees(np.arccos(row @ full / np.linalg.norm(row) / np.linalg.norm(full))) for row in rows]
    found = batch_angles(model, x, y, (1,), draws=20).numbers["angles"][0]
    assert all(min(abs(one - other) for other in known) < 1e-6 for one in found)


def test_angles_are_exact_where_they_are_small() -> None:
    assert angle(np.array([1.0, 0.0]), np.array([1.0, 1e-9])) == pytest.approx(np.degrees(1e-9), rel=1e-12)
    assert angle(np.array([1.0, 0.0]), np.array([-3.0, 0.0])) == pytest.approx(180)
    assert np.isnan(angle(np.zeros(2), np.ones(2)))


def test_hebb_is_the_mean_product_of_before_and_after(run: Run) -> None:
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    picture, values = hebb(model, x, y, "dense2.W"), model.quantities(x)
    by_hand = np.mean([np.outer(b, a) for b, a in zip(values["dense1.a"], values["dense2.a"], strict=True)], axis=0)
    assert np.allclose(picture.numbers["hebb"], by_hand, rtol=1e-12)
    descent = -model.gradient(x, y)["dense2.W"]
    assert np.allclose(picture.numbers["descent"], descent, rtol=1e-12)
    cosine = (by_hand * descent).sum() / np.linalg.norm(by_hand) / np.linalg.norm(descent)
    assert picture.numbers["cosine"] == pytest.approx(cosine, rel=1e-9)
    for name in ("dense2.b", "W", "dense7.W"):
        with pytest.raises(OptionError):
            hebb(model, x, y, name)


# ---- one update


def test_cat_and_dog_move_as_promised(cat_or_dog: Model) -> None:
    picture = step_effect(cat_or_dog, CAT_INPUT, np.array(1), learning_rate=0.1)
    assert picture.numbers["names"].tolist() == ["cat", "dog"]
    assert picture.numbers["before"] == pytest.approx([0.9, 0.1])
    assert picture.numbers["cost_before"] == pytest.approx(2.303, abs=5e-4)
    assert picture.numbers["slopes"] == pytest.approx([0.9, -0.9])
    assert picture.numbers["after"][0] < 0.9
    assert picture.numbers["after"][1] > 0.1
    assert picture.numbers["kept"].all()
    # x = (1, 0): bias and one weight of each neuron move by 0.09, so both z by 0.18.
    expected = np.exp([np.log(9.0) - 0.18, 0.18])
    assert picture.numbers["after"] == pytest.approx(expected / expected.sum())
    assert picture.numbers["cost_after"] == pytest.approx(-np.log(picture.numbers["after"][1]))
    assert cat_or_dog.parameters["dense1.b"][1] == 0


def test_a_small_step_keeps_its_promise(run: Run) -> None:
    picture = step_effect(run.model(), run.data.test.x[4], run.data.test.y[4], learning_rate=1e-5)
    assert picture.numbers["cost_after"] - picture.numbers["cost_before"] == pytest.approx(
        picture.numbers["promised"], rel=1e-3
    )
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(OptionError, match="learning rate"):
            step_effect(run.model(), run.data.test.x[4], run.data.test.y[4], rate)


# ---- what they share


def test_a_shared_layer_has_no_single_place() -> None:
    shared = cr.Dense(2, "tanh")
    run = cr.fit(cr.Sequential(shared, shared, cr.Dense(2, "softmax")), cr.data.moons(60), epochs=1, batch_size=30)
    with pytest.raises(OptionError, match="used 2 times"):
        wishes(run.model(), run.data.test.x[0], run.data.test.y[0], "dense1")


def test_what_the_cost_does_not_use_has_the_derivative_0(run: Run) -> None:
    here = cost_at(run.model(), run.data.test.x[:2], run.data.test.y[:2])
    (slope,) = here.derivatives([here.cost.built.output])
    assert slope.shape == (2, 2)
    assert not slope.any()


def test_labels_of_logarithmic_axes_are_plain() -> None:
    assert [decimal(value) for value in (0.01, 1, 10000, 1e5, 5e-3, 1e-300)] == [
        "0.01",
        "1",
        "10000",
        "10⁵",
        "5×10⁻³",
        "10⁻³⁰⁰",
    ]


def test_a_table_shows_hostile_cells_as_text() -> None:
    table = Table(("entry", "value"), ((HOSTILE, 0.5),))
    assert "\x1b" not in str(table)
    assert "\u202e" not in str(table)
    assert "<script>" not in table._repr_html_()
    assert "&lt;script&gt;" in table._repr_html_()


def all_words(picture: View) -> str:
    figure, ax = new_figure((6, 4))
    picture.plot(ax)
    figure.canvas.draw()
    return "\n".join([picture.title, picture.reading, *(words.get_text() for words in figure.findobj(Text))])


def test_hostile_classes_and_columns_come_out_as_text() -> None:
    x = np.random.default_rng(0).standard_normal((20, 2))
    data = cr.data.from_arrays(x, [0, 1] * 10, classes=[HOSTILE, "$b_{2}$"], features=[HOSTILE + "1", "$\\frac"], split=None)
    model = cr.fit("2-2:softmax", data, epochs=1, batch_size=4).model()
    one = (model, x[0], np.array(0))
    for picture in (output_nudges(*one), nudges(*one), wishes(*one), step_effect(*one)):
        words = all_words(picture)
        assert "\x1b" not in words
        assert "\u202e" not in words
        assert "w" * 40 not in words
        assert "<script>" not in picture.svg()


def test_every_picture_draws_with_labelled_axes_and_a_sentence(run: Run, digits: Run) -> None:
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    one = (digits.model(), digits.data.test.x[0], digits.data.test.y[0])
    pictures: list[View] = [
        gradient_entries(model, x, y), averaged_wishes(model, x, y), batch_angles(model, x, y, (1, 8), 3), hebb(model, x, y),
        output_nudges(*one), nudges(*one), nudges(*one, 3, "dense1"), wishes(*one), wishes(*one, "dense1"), step_effect(*one),
    ]  # fmt: skip
    for picture in pictures:
        _, ax = new_figure((5, 4))
        picture.plot(ax)
        assert ax.get_xlabel(), picture.title
        assert ax.get_ylabel(), picture.title
        assert picture.reading.rstrip().endswith(".")
        assert picture.numbers
        assert "mathdefault" not in all_words(picture)


@pytest.mark.filterwarnings("error")
def test_a_gradient_that_is_zero_points_nowhere():
    x = np.array([[0.3, 0.1, 0.2]])
    run = cr.fit("3-4-1 relu", cr.data.from_arrays(x, [1.0], split=None), epochs=0)
    assert not any(array.any() for array in run.model().gradient(x, run.data.train.y).values())
    picture = batch_angles(run.model(), x, run.data.train.y)
    assert np.isnan(picture.numbers["angles"]).all()
    assert picture.json()
