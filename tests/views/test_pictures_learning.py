"""Pictures of learning, their numbers: curves, proxies, landscapes and paths, gradient sizes, the health of neurons and weights."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

import chainrule as cr
from chainrule.errors import OptionError, PositionError, ShapeError
from chainrule.train import Model, Run
from chainrule.train.replicated import standard_error
from chainrule.views.figures.figure import new_figure
from chainrule.views.pictures.learning.curves import LabelledCurve, compare_runs, learning_curves, limits
from chainrule.views.pictures.learning.depth import corrected, factors, gradient_sizes
from chainrule.views.pictures.learning.health import dead_and_saturated, health_of_layers, health_table, weight_histograms
from chainrule.views.pictures.learning.landscape import cost_over_weight, difference_quotients, quotient_table
from chainrule.views.pictures.learning.proxies import batch_statistics, loss_against_metric, rank_correlation, updates_per_epoch
from chainrule.views.pictures.learning.terrain import cost_surface, path_of_run, random_directions
from chainrule.views.view import View

HOSTILE = "<script>$x_{1}$\x1b[31m\u202eabc" + "w" * 300


@pytest.fixture(scope="module")
def run() -> Run:
    loss = cr.CrossEntropy() + cr.L2(0.01)
    return cr.fit(
        "2-6-2 tanh softmax", cr.data.moons(60), loss=loss, epochs=4, batch_size=25, replicas=3, optimizer=cr.SGD(0.3)
    )


@pytest.fixture(scope="module")
def single() -> Run:
    return cr.fit("2-6-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=25)


@pytest.fixture(scope="module")
def model(single: Run) -> Model:
    return single.model()


def with_network(text: str, **parameters: object) -> Model:
    """A network on the moons, never trained, with some parameters given."""
    run = cr.fit(text, cr.data.moons(60), epochs=1, batch_size=60)
    return run.model().with_parameters({name.replace("_", "."): np.asarray(value) for name, value in parameters.items()})


def all_words(picture: View) -> str:
    figure, ax = new_figure((6, 4))
    picture.plot(ax)
    figure.canvas.draw()
    return "\n".join([picture.title, picture.reading, *(words.get_text() for words in figure.findobj(Text))])


# ---- curves


def test_curves_are_the_history_with_its_standard_error(run: Run) -> None:
    curves = learning_curves(run).numbers
    assert [name for name in curves if name.endswith("values")][:2] == ["training.values", "test.values"]
    at, values = run.history.curve("test", "loss")
    found = LabelledCurve("test", curves["test.epochs"], curves["test.values"])
    assert np.array_equal(found.at, at)
    assert np.allclose(found.mean, values.sum(axis=1) / 3)
    by_hand = [np.sqrt(sum((v - row.mean()) ** 2 for v in row) / 2 / 3) for row in values]
    assert np.allclose(found.error, by_hand, rtol=1e-12)
    assert np.all(found.error > 0)


def test_terms_of_the_loss_add_up_to_the_training_loss(run: Run) -> None:
    curves = learning_curves(run)
    terms = [curves.numbers[f"{name}.values"] for name in ("cross_entropy", "l2")]
    assert np.allclose(sum(terms), curves.numbers["training.values"], rtol=1e-6)
    assert "l2.values" not in learning_curves(run, "accuracy").numbers


def test_each_step_stands_at_its_place_in_the_epochs(run: Run) -> None:
    curves = learning_curves(run)
    assert curves.plot().get_xlabel() == "epoch (3 updates each)"
    assert "each batch before its update" in curves.reading
    assert np.allclose(curves.numbers["steps.at"], np.arange(1, 13) / 3)
    assert np.array_equal(curves.numbers["steps.values"], run.history.steps())
    accuracy = learning_curves(run, "accuracy").numbers["steps.values"]
    sizes = np.array([25, 25, 10] * 4)
    assert np.allclose(accuracy * sizes, run.history.steps("correct"))


def test_steps_of_a_branch_go_on_where_it_left_the_run(single: Run) -> None:
    branch = single.branch(6, learning_rate=0.01)
    curves = learning_curves(branch)
    assert curves.numbers["steps.at"][-1] == pytest.approx(4.0)
    assert len(curves.numbers["steps.at"]) == len(branch.history.steps()[0])


def test_a_single_replica_is_a_line_without_a_band(single: Run, run: Run) -> None:
    for given, bands in ((single, 0), (run, 2)):
        _, ax = new_figure((4, 3))
        learning_curves(given).plot(ax)
        assert len(ax.collections) == bands
    assert learning_curves(single).numbers["training.values"].shape[1] == 1


def test_a_run_plots_its_curves_into_the_axes_it_is_given(run: Run) -> None:
    _, ax = new_figure((4, 3))
    assert run.plot(ax) is ax
    assert ax.get_title(loc="left") == "Loss while learning"
    assert ax.get_xlabel() == "epoch (3 updates each)"


def test_unknown_scores_are_refused_with_what_there_is(run: Run) -> None:
    with pytest.raises(OptionError, match="cross_entropy"):
        learning_curves(run, HOSTILE)


def test_runs_are_compared_on_the_part_that_all_have(run: Run, single: Run) -> None:
    picture = compare_runs({"three": run, "one": single}, "accuracy")
    assert "on the test part" in picture.title
    assert picture.numbers["three.values"].shape == (4, 3)
    assert np.array_equal(picture.numbers["one.values"], single.history.curve("test", "accuracy")[1])
    assert "on the training part" in compare_runs({"one": single}, part="training").title
    with pytest.raises(OptionError, match="no runs"):
        compare_runs({})


def test_limits_hold_the_curves_even_where_all_are_alike(run: Run) -> None:
    curves = [LabelledCurve(part, *run.history.curve(part, "loss")) for part in ("training", "test")]
    low, high = limits(curves, np.empty((3, 0)))
    assert low == 0
    assert high > max(float((curve.mean + curve.error).max()) for curve in curves)
    assert standard_error(np.array([[2.0]])) == 0


def test_hostile_names_come_out_as_text_that_is_cut(run: Run) -> None:
    words = all_words(compare_runs({HOSTILE: run}))
    assert "\x1b" not in words
    assert "\u202e" not in words
    assert "w" * 50 not in words


# ---- proxies


def test_loss_against_accuracy_ranks_the_epochs(run: Run) -> None:
    picture = loss_against_metric(run)
    assert picture.numbers["losses"].shape == picture.numbers["metrics"].shape == (4, 3)
    worse = np.array([[0.5, 0.4], [0.3, 0.2]])
    for metrics, expected in ((-worse, -1.0), (worse**2, 1.0)):
        assert rank_correlation(worse.ravel(), metrics.ravel()) == pytest.approx(expected)
    tied = rank_correlation(worse.ravel(), np.array([1.0, 1.0, 2.0, 3.0]))
    # Ranks 4, 3, 2, 1 against 1.5, 1.5, 3, 4: covariance −4.5 over √(5·4.5).
    assert tied == pytest.approx(-4.5 / np.sqrt(5 * 4.5))
    assert np.isnan(rank_correlation(worse[0], worse[0] * 0))


def test_updates_of_an_epoch_of_sixty_thousand() -> None:
    table = updates_per_epoch()
    assert table.column("updates per epoch") == (1875, 938, 469, 235, 118)
    assert table.column("last batch") == (32, 32, 96, 96, 96)
    with pytest.raises(OptionError, match="61"):
        updates_per_epoch(60, [61])


def test_batch_statistics_read_the_runs_own_clocks(single: Run) -> None:
    small = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=7)
    found = batch_statistics([single, small])
    assert found.numbers["batch_sizes"].tolist() == [7, 25]
    assert found.numbers["updates"].tolist() == [9, 3]
    assert found.numbers["last_batches"].tolist() == [4, 10]
    assert found.numbers["seconds_per_update"][0] == small.trainer.seconds / 9
    with pytest.raises(OptionError, match="without updates"):
        batch_statistics([])


# ---- the cost over weights


def test_the_curve_goes_through_the_present_weight_with_its_slope(single: Run, model: Model) -> None:
    x, y = single.data.train.x, single.data.train.y
    before = {name: array.copy() for name, array in model.parameters.items()}
    picture = cost_over_weight(model, x, y, "dense1.W", (1, 2), span=1e-3, points=21)
    assert picture.numbers["at"][10] == picture.numbers["here"] == model.parameters["dense1.W"][1, 2]
    assert picture.numbers["costs"][10] == picture.numbers["cost"] == model.cost(x, y)
    slope = np.polyfit(picture.numbers["at"] - picture.numbers["here"], picture.numbers["costs"], 2)[1]
    assert slope == pytest.approx(picture.numbers["slope"], rel=1e-6)
    assert all(np.array_equal(before[name], model.parameters[name]) for name in before)


def test_accuracy_over_a_weight_is_a_staircase(single: Run, model: Model) -> None:
    x, y = single.data.train.x, single.data.train.y
    picture = cost_over_weight(model, x, y, "dense2.b", (0,), span=4.0, points=81)
    assert np.allclose(picture.numbers["accuracies"] * len(x), np.round(picture.numbers["accuracies"] * len(x)))
    # Flat nearly everywhere, where the cost is nowhere flat.
    assert len(np.unique(picture.numbers["accuracies"])) < len(np.unique(picture.numbers["costs"])) == 81
    flat = np.mean(np.diff(picture.numbers["accuracies"]) == 0)
    assert 0.3 < flat < 1
    curve = cr.fit("1-4-1 tanh", cr.data.curve("sin", 30), epochs=1, batch_size=10)
    assert (
        cost_over_weight(curve.model(), curve.data.train.x, curve.data.train.y, "dense1.b", (0,)).numbers["accuracies"].size
        == 0
    )


@pytest.mark.parametrize(
    ("name", "index", "error"),
    [("dense9.W", (0, 0), OptionError), ("dense1.W", (0, 6), PositionError), ("dense1.W", (0,), PositionError)],
)
def test_entries_that_are_not_there_are_refused(
    single: Run, model: Model, name: str, index: tuple[int, ...], error: type
) -> None:
    for made in (cost_over_weight, difference_quotients):
        with pytest.raises(error, match=r"dense\d"):
            made(model, single.data.train.x, single.data.train.y, name, index)


def test_difference_quotients_converge_until_rounding_takes_over(single: Run, model: Model) -> None:
    picture = difference_quotients(model, single.data.train.x, single.data.train.y, "dense1.W", (0, 1))
    forward, central = (
        np.abs(values - picture.numbers["derivative"]) for values in (picture.numbers["forward"], picture.numbers["central"])
    )
    # Steps of 1e-1, 1e-2, 1e-3: the forward error falls tenfold, the central one a hundredfold.
    assert np.log10(forward[1:3] / forward[2:4]) == pytest.approx([1, 1], abs=0.15)
    assert np.log10(central[1:3] / central[2:4]) == pytest.approx([2, 2], abs=0.15)
    # At 1e-13 rounding is all that is left of it, of the size that the picture draws.
    assert 1e3 * forward.min() < forward[-1] < 100 * 2.3e-16 * picture.numbers["cost"] / 1e-13
    assert quotient_table(picture).column("ε")[0] == 1.0
    with pytest.raises(OptionError, match="steps"):
        difference_quotients(model, single.data.train.x, single.data.train.y, "dense1.W", (0, 1), [0.0])


def test_a_surface_over_given_directions_is_the_cost_there(single: Run, model: Model) -> None:
    x, y = single.data.train.x, single.data.train.y
    zero = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    first, second = zero | {"dense1.b": np.ones(6)}, zero | {"dense2.W": np.ones((6, 2))}
    picture = cost_surface(model, x, y, (first, second), span=0.5, points=5)
    assert picture.numbers["costs"][2, 2] == model.cost(x, y)
    moved = {"dense1.b": model.parameters["dense1.b"] + 0.5, "dense2.W": model.parameters["dense2.W"] - 0.25}
    assert picture.numbers["costs"][1, 4] == pytest.approx(model.with_parameters(moved).cost(x, y), rel=1e-14)
    with pytest.raises(ShapeError, match="a direction"):
        cost_surface(model, x, y, (first, {"dense1.b": np.ones(6)}))


def test_random_directions_are_as_long_as_each_neurons_weights(model: Model) -> None:
    first, second = random_directions(model, seed=3)
    for direction in (first, second):
        lengths = [np.linalg.norm(a["dense1.W"], axis=0) for a in (direction, model.parameters)]
        assert np.allclose(*lengths)
        assert np.linalg.norm(direction["dense2.b"]) == pytest.approx(np.linalg.norm(model.parameters["dense2.b"]))
    assert not np.allclose(first["dense1.W"], second["dense1.W"])
    assert np.array_equal(first["dense1.W"], random_directions(model, seed=3)[0]["dense1.W"])


def test_the_path_lies_in_its_plane_where_it_is_plane(single: Run, model: Model) -> None:
    x, y = single.data.train.x, single.data.train.y
    random = np.random.default_rng(0)
    u, v = ({name: random.standard_normal(w.shape) for name, w in model.parameters.items()} for _ in range(2))
    spots = np.array([[2.0, 1.0], [1.0, 0.5], [0.5, -0.3], [0.0, 0.0]])
    states = [model.with_parameters({k: w + a * u[k] + b * v[k] for k, w in model.parameters.items()}) for a, b in spots]
    picture = path_of_run(states, x, y, points=5)
    assert picture.numbers["explained"].sum() == pytest.approx(1.0)
    assert np.allclose(picture.numbers["places"][-1], 0)
    distances = [np.linalg.norm(np.concatenate([(s.parameters[k] - model.parameters[k]).ravel() for k in u])) for s in states]
    assert np.allclose(np.linalg.norm(picture.numbers["places"], axis=1), distances)
    assert picture.numbers["costs"].tolist() == [state.cost(x, y) for state in states]
    assert np.allclose(picture.numbers["directions"] @ picture.numbers["directions"].T, np.eye(2), atol=1e-12)


def test_the_path_of_a_replayed_run(single: Run) -> None:
    states = [state for _, state in single.models(range(0, 13, 3))]
    picture = path_of_run(states, single.data.train.x, single.data.train.y, points=5)
    assert picture.numbers["surface"].shape == (5, 5)
    assert picture.numbers["costs"][-1] == single.model().cost(single.data.train.x, single.data.train.y)
    for given in (states[:2], [states[0]] * 3, [*states[:2], with_network("2-3-2 tanh softmax")]):
        with pytest.raises(OptionError):
            path_of_run(given, single.data.train.x, single.data.train.y)


# ---- sizes of gradients, neurons, weights


def test_a_size_is_corrected_for_the_number_of_entries(single: Run) -> None:
    data = single.data.train
    x, y = data.x, data.y
    model = cr.fit("2-64-2 sigmoid softmax", single.data, epochs=1, batch_size=60, seed=1).model()
    picture = gradient_sizes([model], x, y)
    gradient = model.gradient(x, y)
    rows = np.concatenate([gradient["dense1.W"].ravel(), gradient["dense1.b"]])
    assert picture.numbers["entries"].tolist() == [192, 130]
    assert picture.numbers["norms"][0, 0] == pytest.approx(np.linalg.norm(rows))
    assert picture.numbers["sizes"][0, 0] == pytest.approx(np.sqrt(np.mean(rows**2)))


def test_an_uncorrected_norm_turns_the_order_of_layers_round() -> None:
    # Every entry of the first layer's gradient is the second's half, but there are sixteen times as many.
    assert corrected(np.array([[2.0, 1.0]]), np.array([64, 4])).tolist() == [[0.25, 0.5]]
    # And so with a network: 784 pixels into 4 units, those into 10.
    digits = cr.data.mnist()
    run = cr.fit("784-4-10 sigmoid softmax", digits, epochs=1, batch_size=512)
    found = gradient_sizes([run.at(0).model()], digits.train.x[:200], digits.train.y[:200])
    assert found.numbers["norms"][0, 0] > found.numbers["norms"][0, 1]
    assert found.numbers["sizes"][0, 0] < found.numbers["sizes"][0, 1]


def test_the_gradient_vanishes_through_ten_sigmoid_layers() -> None:
    network = cr.Sequential(*(cr.Dense(8, "sigmoid") for _ in range(10)), cr.Dense(2, "softmax"))
    run = cr.fit(network, cr.data.moons(60), epochs=1, batch_size=60)
    picture = gradient_sizes([run.at(0).model()], run.data.train.x, run.data.train.y)
    assert len(picture.numbers["layers"]) == 11
    sizes = picture.numbers["sizes"][0]
    assert sizes[0] < 1e-4 * sizes[-1]
    # f′ ≤ ¼ in each of them.
    assert 0 < picture.numbers["factor"][0] < 0.5
    assert factors(np.array([[0.01, 0.1]]))[0] == pytest.approx(0.1)


def test_sizes_over_a_run_are_asked_of_states_of_one_network(single: Run) -> None:
    found = single.models([0, 6, 12])
    picture = gradient_sizes([state for _, state in found], single.data.train.x, single.data.train.y, [0, 6, 12])
    assert picture.numbers["steps"].tolist() == [0, 6, 12]
    assert picture.numbers["norms"].shape == (3, 2)
    with pytest.raises(OptionError, match="2 steps"):
        gradient_sizes([found[0][1]], single.data.train.x, single.data.train.y, [0, 1])
    with pytest.raises(OptionError, match="0 states"):
        gradient_sizes([], single.data.train.x, single.data.train.y)


def test_dead_relus_and_saturated_sigmoids_are_found_by_number() -> None:
    x = np.array([[1.0, 0.0], [-1.0, 0.5]])
    weights = np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    dead = with_network("2-3-2 relu softmax", dense1_W=weights, dense1_b=[0.0, -1.0, 0.0])
    (layer,) = health_of_layers(dead, x)
    assert (layer.word, layer.troubled.tolist(), layer.share) == ("dead", [1], 1 / 3)
    assert np.array_equal(layer.measure, np.mean(dead.quantities(x)["dense1.a"] > 0, axis=0))
    for name, slope in (
        ("sigmoid", lambda z: 1 / (np.exp(z / 2) + np.exp(-z / 2)) ** 2),
        ("tanh", lambda z: 1 / np.cosh(z) ** 2),
    ):
        model = with_network(f"2-3-2 {name} softmax", dense1_W=weights, dense1_b=[0.0, 9.0, -4.0])
        (layer,) = health_of_layers(model, x, threshold=0.01)
        z = model.quantities(x)["dense1.z"]
        assert np.allclose(layer.measure, slope(z).mean(axis=0), rtol=1e-6, atol=1e-15)
        assert layer.troubled.tolist() == np.flatnonzero(slope(z).mean(axis=0) < 0.01).tolist()
        assert 1 in layer.troubled
        assert 0 not in layer.troubled


def test_health_needs_a_layer_that_can_be_ill(single: Run) -> None:
    assert health_table(health_of_layers(single.model(), single.data.train.x)).column("how many") == ("0 of 6 saturated",)
    with pytest.raises(OptionError, match="0 layers"):
        dead_and_saturated(with_network("2-3-2 linear softmax"), single.data.train.x)


def test_histograms_count_every_entry_and_how_far_it_came(single: Run) -> None:
    start, end = single.at(0).model(), single.model()
    picture = weight_histograms(start, end)
    assert sum(counts.sum() for name, counts in picture.numbers.items() if name.endswith(".before")) == 2 * 6 + 6 + 6 * 2 + 2
    for name, w in end.parameters.items():
        assert picture.numbers[f"{name}.after"].sum() == w.size
        assert picture.numbers[f"{name}.moved"] == pytest.approx(np.sqrt(np.mean((w - start.parameters[name]) ** 2)))
    with pytest.raises(OptionError, match="bins"):
        weight_histograms(start, with_network("2-3-2 tanh softmax"))


# ---- what all pictures have


def test_every_picture_draws_with_labelled_axes_and_a_sentence(run: Run, single: Run) -> None:
    x, y, model = single.data.train.x, single.data.train.y, single.model()
    states = [state for _, state in single.models(range(0, 13, 3))]
    pictures: list[View] = [
        learning_curves(run), learning_curves(single, "accuracy"), compare_runs({"a": run, "b": single}), loss_against_metric(run),
        batch_statistics([single]), cost_over_weight(model, x, y, "dense1.W", (0, 0), points=9),
        difference_quotients(model, x, y, "dense1.W", (0, 0)), cost_surface(model, x, y, points=5),
        path_of_run(states, x, y, points=5), gradient_sizes(states, x, y), gradient_sizes([model], x, y),
        dead_and_saturated(model, x), weight_histograms(states[0], model),
    ]  # fmt: skip
    for picture in pictures:
        _, ax = new_figure((5, 4))
        picture.plot(ax)
        shown = [part for part in ax.figure.axes if part.axison and part.get_label() != "<colorbar>"]
        assert shown, picture.title
        assert all(part.get_xlabel() and part.get_ylabel() for part in shown), picture.title
        assert picture.title
        assert picture.reading.rstrip().endswith(".")
        assert picture.numbers
        assert "mathdefault" not in all_words(picture)


def test_one_evaluation_at_the_end_is_shown_with_its_steps_on_a_logarithmic_axis() -> None:
    fitted = cr.fit("1-4-1 tanh", cr.data.curve("sin", 30), optimizer="lbfgs", evaluate_every=0)
    _, ax = new_figure((4, 3))
    assert fitted.plot(ax).get_yscale() == "log"
    assert len(learning_curves(fitted).numbers["training.epochs"]) == 1
    assert "after each update" in learning_curves(fitted).reading
    assert cr.pictures.learning_curves.__wrapped__ is learning_curves
