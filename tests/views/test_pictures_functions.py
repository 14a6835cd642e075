"""Pictures of functions: a neuron over its inputs, its parameters, activations, losses; their numbers against closed forms."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import OptionError
from chainrule.views.figures.figure import new_figure
from chainrule.views.figures.style import style
from chainrule.views.pictures.functions.activations import activation_curve, activation_gallery, softmax_steps
from chainrule.views.pictures.functions.linear import collapsed, decision_line, two_linear_layers
from chainrule.views.pictures.functions.losses import probability_triangle
from chainrule.views.pictures.functions.neurons import firing_fraction, sharpness
from chainrule.views.pictures.functions.surfaces import neuron_steps, neuron_surface
from chainrule.views.pictures.learning.comparison import activation_comparison
from chainrule.views.pictures.learning.descent import cost_curve_starts, gradient_field
from chainrule.views.pictures.learning.speed import time_per_example


def σ(z):
    return 1 / (1 + np.exp(-z))


def z_of(run, rows, layer="dense1"):
    """A first layer's pre-activations for examples in the data's units, written out."""
    parameters = run.model().parameters
    return run.dataset_info.scaling.apply(rows) @ parameters[f"{layer}.W"] + parameters[f"{layer}.b"]


def drawn(picture):
    """The picture drawn into its own figure, its texts as a reader finds them."""
    figure = picture.figure()
    with style():
        figure.canvas.draw()
    return figure


def panel_of(view):
    """The only panel of a view."""
    (panel,) = view.panels
    return panel


def table(n=60, features=("length", "width", "mass"), seed=0):
    """Classes that depend on three features of very different sizes, standardised for the network."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3)) * [1.0, 50.0, 0.01] + [5.0, -200.0, 1.0]
    scaling = cr.data.Scaling.standardise(x)
    return cr.data.Dataset(
        "table", cr.data.Examples(x, (x[:, 0] > 5).astype(int)), scaling=scaling, classes=("a", "b"), features=features
    )


@pytest.fixture(scope="module")
def moons():
    return cr.fit("2-5-2 sigmoid softmax", cr.data.moons(60), optimizer=cr.Adam(0.05), epochs=20, batch_size=20)


@pytest.fixture(scope="module")
def standardised():
    return cr.fit("3-4-2 tanh softmax", table(), optimizer=cr.Adam(0.05), epochs=5, batch_size=20)


# ---- a neuron over two inputs


def test_z_is_a_plane_and_f_bends_it(moons):
    """Spec 1, 4, 5: z has no curvature anywhere and is w1·y1 + w2·y2 + b; a is σ of it, place by place."""
    z, a = (neuron_surface(moons, f"dense1.{step}", 3, points=25).numbers for step in "za")
    rows = np.stack([part.ravel() for part in np.meshgrid(z["first"], z["second"])], axis=1)
    np.testing.assert_allclose(z["values"].ravel(), z_of(moons, rows)[:, 3], rtol=1e-12, atol=1e-12)
    for axis in (0, 1):
        assert np.abs(np.diff(z["values"], 2, axis=axis)).max() < 1e-12
    np.testing.assert_allclose(a["values"], σ(z["values"]), rtol=1e-12)
    assert (z["first"].min(), z["first"].max()) != (z["second"].min(), z["second"].max())


def test_the_other_inputs_are_held_where_the_reading_says(standardised):
    """Spec 5: any two inputs, in the data's units; the rest stands at the training part's mean, or at the point given."""
    x = standardised.data.train.x
    picture = neuron_surface(standardised, "dense1.z", 1, ("mass", "length"), points=9)
    assert picture.numbers["names"].tolist() == ["mass", "length"]
    across, up = np.meshgrid(picture.numbers["first"], picture.numbers["second"])
    rows = np.stack([up.ravel(), np.full(81, x[:, 1].mean()), across.ravel()], axis=1)
    np.testing.assert_allclose(picture.numbers["values"].ravel(), z_of(standardised, rows)[:, 1], rtol=1e-10, atol=1e-10)
    assert f"the training part's mean: width = −{-x[:, 1].mean():.4g}" in picture.reading
    assert picture.numbers["first"][0] < x[:, 2].min() < x[:, 2].max() < picture.numbers["first"][-1]
    rows[:, 1] = -130.0
    moved = neuron_surface(standardised, "dense1.z", 1, (2, 0), at=np.array([0.0, -130.0, 0.0]), points=9)
    np.testing.assert_allclose(moved.numbers["values"].ravel(), z_of(standardised, rows)[:, 1], rtol=1e-10, atol=1e-10)


def test_a_model_alone_is_shown_where_it_sees_zero(standardised):
    """Without data the ranges are −2 ... 2 and the point is 0 as the network sees them, and there are no examples."""
    picture = neuron_surface(standardised.model(), "output", 1, points=9)
    offset, factor = standardised.dataset_info.scaling.offset, standardised.dataset_info.scaling.factor
    np.testing.assert_allclose((picture.numbers["first"][[0, -1]] - offset[0]) * factor[0], [-2.4, 2.4], rtol=1e-12)
    assert not len(picture.numbers["examples"])
    assert "what the network sees as 0: mass" in picture.reading


def test_pixels_are_whole_numbers_in_their_range():
    """Places over bytes are bytes: no number is shown for a grey value that no image can have."""
    data = cr.data.mnist()
    few = cr.data.Dataset(
        "few", cr.data.Examples(data.train.x[:40], data.train.y[:40]), scaling=data.scaling, classes=data.classes
    )
    run = cr.fit("784-5-10 relu softmax", few, epochs=1, batch_size=20)
    picture = neuron_surface(run, "dense1.a", 2, (400, 401), points=40)
    assert picture.numbers["first"].min() == 0
    assert picture.numbers["first"].max() == 255
    assert (picture.numbers["first"] % 1 == 0).all()
    assert "the other 782 inputs" in picture.reading
    assert picture.numbers["names"].tolist() == ["input 400", "input 401"]


def test_surface_and_steps_show_the_same_numbers(moons):
    """Spec 2: two steps, two panels; both drawings of a step have the same numbers."""
    steps = neuron_steps(moons, "dense1", 1)
    np.testing.assert_allclose(steps.numbers["a.values"], σ(steps.numbers["z.values"]), rtol=1e-12)
    solid = neuron_surface(moons, "dense1.z", 1, solid=True)
    assert np.array_equal(solid.numbers["values"], steps.numbers["z.values"])
    assert [
        ax.get_title(loc) for ax in drawn(steps).axes for loc in ("left", "center") if ax.get_title(loc).startswith("step")
    ] == [
        "step 1: weighted sum z",
        "step 2: activation f(z)",
    ]
    _, plain = new_figure((3, 3))
    with pytest.raises(OptionError, match="3d"):
        solid.plot(plain)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"quantity": "dense7.z"}, "one of"),
        ({"neuron": 5}, r"0 \.\.\. 4"),
        ({"inputs": (0, 0)}, "twice"),
        ({"inputs": ("x1", "x3")}, "'x1', 'x2'"),
        ({"inputs": (0, 2)}, r"0 \.\.\. 1"),
        ({"at": np.zeros(3)}, "3 numbers"),
        ({"span": ((1.0, 0.0), (0.0, 1.0))}, "lower one first"),
        ({"points": 1}, "two points"),
    ],
)
def test_what_is_not_there_is_refused(moons, changed, match):
    with pytest.raises(OptionError, match=match):
        neuron_surface(moons, **changed)


def test_flat_surfaces_and_hostile_names_are_drawn():
    """A neuron that is 0 everywhere has no contours; names come out as text, control characters as �."""
    names = ("<b>$x_1$</b>", "\x1b[31mred", "long " * 60)
    run = cr.fit("3-4-2 relu softmax", table(features=names), epochs=1, batch_size=20)
    dead = run.model().with_parameters({"dense1.b": np.full(4, -1e9)})
    figure = drawn(neuron_surface(dead, "dense1.a", points=5))
    assert figure.axes[0].get_xlabel() == "<b>$x_1$</b> (data's units)"
    picture = neuron_surface(run, points=5, inputs=(1, 2))
    assert "\x1b" not in picture.svg()
    assert len(picture.numbers["names"][1]) == 40


# ---- its parameters


@pytest.mark.parametrize("neuron", [0, 4])
def test_scaled_weights_sharpen_the_step(moons, neuron):
    """Spec 6, E16: × s turns σ(z) into σ(s·z): the same bend, ever nearer to the step, never there."""
    picture = sharpness(moons, "dense1.a", neuron)
    for scale, row in zip((1, 2, 5, 10, 50), picture.numbers["activations"], strict=True):
        np.testing.assert_allclose(row, σ(scale * picture.numbers["z"]), rtol=1e-9, atol=1e-300)
    z_mean = moons.data.train.x.mean(axis=0)
    rows = np.stack([picture.numbers["places"], np.full(201, z_mean[1])], axis=1)
    np.testing.assert_allclose(picture.numbers["z"], z_of(moons, rows)[:, neuron], atol=1e-12)
    distance = np.abs(picture.numbers["activations"] - (picture.numbers["z"] > 0)).mean(axis=1)
    assert (np.diff(distance) < 0).all()
    assert distance[-1] > 0


def test_the_place_of_the_bend_is_in_sight():
    """The range is widened to the place where z is 0, unless that is far away."""
    run = cr.fit(
        "1-1-1 sigmoid", cr.data.curve("sin", n=20), epochs=0, initial={"dense1.W": [[2.0]], "dense1.b": [-10.0]}, batch_size=20
    )
    assert sharpness(run).numbers["places"][-1] > 5.0
    far = run.model().with_parameters({"dense1.b": np.array([-1000.0])})
    assert sharpness(far).numbers["places"][-1] < 5.0


def test_share_of_the_data_that_fires(moons):
    """Spec 10: sliding the bias gives what a network with that bias gives; from none to all."""
    x = moons.data.train.x
    picture = firing_fraction(moons, x, "dense1.a", 2)
    assert picture.numbers["shares"][0] == 0
    assert picture.numbers["shares"][-1] == 1
    assert (np.diff(picture.numbers["shares"]) >= 0).all()
    assert picture.numbers["present_share"] == np.mean(z_of(moons, x)[:, 2] > 0)
    chosen = firing_fraction(moons, x, "dense1.z", 2, [-1.0, 0.25, 2.0])
    for bias, share in zip(chosen.numbers["biases"], chosen.numbers["shares"], strict=True):
        changed = moons.model().parameters["dense1.b"].copy()
        changed[2] = bias
        moved = moons.model().with_parameters({"dense1.b": changed})
        assert share == np.mean(moved.quantities(x)["dense1.a"][:, 2] > 0.5)
    assert f"{100 * picture.numbers['present_share']:.3g} %" in picture.reading
    weighted = moons.model().quantities(x)["dense1.z"][:, 2] - picture.numbers["present"]
    assert firing_fraction(moons, x, "dense1.z", 2, [-weighted.max()]).numbers["shares"] == [0], "z = 0 does not fire"


def test_parameters_that_are_not_there(moons):
    with pytest.raises(OptionError, match="no weights"):
        sharpness(moons, "output")
    run = cr.fit(cr.Sequential(cr.Dense(3, "tanh", bias=False), cr.Dense(2)), cr.data.moons(60), epochs=0, batch_size=10)
    with pytest.raises(OptionError, match="layer with biases"):
        firing_fraction(run, run.data.train.x)


# ---- activations

DERIVATIVES = {
    "linear": lambda z: np.ones_like(z),
    "step": lambda z: np.zeros_like(z),
    "sigmoid": lambda z: σ(z) * σ(-z),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: (z > 0) * 1.0,
    "leaky_relu": lambda z: np.where(z > 0, 1.0, 0.01),
    "elu": lambda z: np.where(z > 0, 1.0, np.exp(z)),
    "softplus": σ,
    "silu": lambda z: σ(z) * (1 + z * σ(-z)),
    "softmax": lambda z: σ(z) * σ(-z),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_activations_and_their_derivatives(name):
    """Spec 43: f′ of the picture, taken from the graph, is the closed form."""
    picture = activation_curve(name, span=(-3.0, 5.0), points=100)
    np.testing.assert_allclose(picture.numbers["slopes"], DERIVATIVES[name](picture.numbers["z"]), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", cr.nn.ACTIVATIONS)
def test_derivatives_are_those_of_the_curves(name):
    """Spec 43, 46: away from a kink f′ is the difference quotient of f, of every activation."""
    picture = activation_curve(name, points=4001)
    quotients = (picture.numbers["values"][2:] - picture.numbers["values"][:-2]) / (
        picture.numbers["z"][2:] - picture.numbers["z"][:-2]
    )
    smooth = np.abs(picture.numbers["z"][1:-1]) > 0.01
    # The quotient is off by h²/6·f‴, with h = 0.002: of exp 7e-7 of the slope itself.
    np.testing.assert_allclose(picture.numbers["slopes"][1:-1][smooth], quotients[smooth], atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01), ("step", 0.0)])
def test_the_rule_at_the_kink(name, slope):
    """Spec 43, 44: at z = 0 the value that training uses, marked in the picture and said in words."""
    picture = activation_curve(name, points=100)
    assert picture.numbers["slope_at_kink"] == slope
    assert 0.0 in picture.numbers["z"]
    assert cr.nn.ACTIVATIONS[name].kink in picture.reading
    assert "slope_at_kink" not in activation_curve("tanh").numbers


def test_no_line_joins_the_sides_of_a_jump():
    """The drawn derivative of ReLU takes no value between 0 and 1."""
    lines = {line.get_label(): line for line in activation_curve("relu").plot().get_lines()}
    values = np.asarray(lines["f′(z)"].get_ydata())
    assert np.isnan(values).sum() == 1
    assert set(values[np.isfinite(values)]) == {0.0, 1.0}
    taken = [mark for mark in panel_of(activation_curve("relu")).marks if mark.label == "f′(0) taken as 0"]
    assert [mark.y for mark in taken] == [[0.0]]


def test_the_sigmoid_loses_three_quarters_at_each_layer():
    """Spec 45: σ′ ≤ 0.25, and 0.25¹⁰ = 9.5·10⁻⁷."""
    slopes = activation_curve("sigmoid").numbers["slopes"]
    assert slopes.max() == 0.25
    assert slopes.max() ** 10 == pytest.approx(9.5e-7, rel=0.01)


def test_the_gallery_has_every_activation():
    """Spec 49: one panel to each, with its rule."""
    gallery = activation_gallery()
    assert gallery.numbers["gelu.slopes"].shape == (401,)
    figure = drawn(gallery)
    titles = " ".join(ax.get_title("left") for ax in figure.axes)
    assert all(activation_curve(name).title.replace(": ", "\n", 1) in titles for name in cr.nn.ACTIVATIONS)
    with pytest.raises(OptionError, match="relu"):
        activation_curve("relo")


def test_softmax_in_three_steps():
    """Spec 47: shift, exponential, division, with a temperature; the numbers by hand."""
    z, T = np.array([2.0, 1.0, -1.0, 700.0]), 2.0
    steps = softmax_steps(z, T).numbers
    np.testing.assert_allclose(steps["shifted"], (z - 700) / T, rtol=1e-15)
    np.testing.assert_allclose(steps["exponentials"], np.exp((z - 700) / T), rtol=1e-13)
    np.testing.assert_allclose(steps["probabilities"], steps["exponentials"] / steps["exponentials"].sum(), rtol=1e-15)
    hot, cold = softmax_steps([1.0, 0.0], 100.0), softmax_steps([1.0, 0.0], 0.01)
    assert hot.numbers["probabilities"][0] == pytest.approx(0.5, abs=0.003)
    assert cold.numbers["probabilities"][0] == pytest.approx(1.0)
    with pytest.raises(OptionError, match="two finite numbers"):
        softmax_steps([1.0])


def test_activations_compared_as_they_were_measured():
    """Spec 49: the curves and scores are the runs', replica by replica."""
    runs = {
        name: cr.fit(f"2-4-2 {name} softmax", cr.data.moons(60), epochs=3, batch_size=20, replicas=3)
        for name in ("tanh", "relu")
    }
    picture = activation_comparison(runs)
    for name, run in runs.items():
        assert np.array_equal(picture.numbers[f"{name} accuracy"], run.evaluate("test").scores.values["accuracy"])
        assert any(np.array_equal(values, run.history.curve("test", "loss")[1]) for values in picture.numbers.values())
    ends = drawn(picture).axes[-1]
    assert [text.get_text() for text in ends.get_yticklabels()] == ["tanh", "relu"]
    with pytest.raises(OptionError, match="0 runs"):
        activation_comparison({})
    with pytest.raises(OptionError, match="all for classes or all for numbers"):
        activation_comparison({**runs, "fit": cr.fit("1-2-1", cr.data.curve("sin", n=20), epochs=1, batch_size=20)})


# ---- losses


def test_losses_over_the_triangle():
    """Spec 54-56, E1, E4: 0.6860, 0.673 and 0.037 from chainrule's own losses; in the grid the closed forms."""
    picture = probability_triangle(losses=("cross_entropy", "euclidean_distance", "squared_error"))
    assert picture.numbers["mark_values"][0, 0] == pytest.approx(0.673, abs=5e-4)
    assert picture.numbers["mark_values"][1, 0] == pytest.approx(0.6860, abs=5e-5)
    assert picture.numbers["mark_values"][1, 1] == pytest.approx(0.037, abs=5e-4)
    assert list(picture.numbers["marks"].argmax(axis=1)) == [2, 2]
    np.testing.assert_allclose(picture.numbers["grid"].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(picture.numbers["values"][0], -np.log(picture.numbers["grid"][:, 2]), rtol=1e-9, atol=1e-12)
    squares = ((picture.numbers["grid"] - [0, 0, 1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(picture.numbers["values"][1], np.sqrt(squares), rtol=1e-9)
    np.testing.assert_allclose(picture.numbers["values"][2], squares, rtol=1e-9)


def test_any_class_may_be_right():
    """The target moves the corner of least loss; a hostile class stays text."""
    picture = probability_triangle(0, ("euclidean_distance",), classes=("<i>$a$\x07", "b", "c"), marks=[(0.6, 0.3, 0.1)])
    assert picture.numbers["grid"][picture.numbers["values"][0].argmin()].argmax() == 0
    assert picture.numbers["mark_values"][0, 0] == pytest.approx(np.sqrt(0.16 + 0.09 + 0.01))
    texts = [text.get_text() for ax in drawn(picture).axes for text in ax.texts]
    assert "right: <i>$a$�" in texts
    for target, marks in ((3, [(0.6, 0.3, 0.1)]), (0, [(0.6, 0.6, 0.1)]), (0, [(1.0, 0.0, 0.0)])):
        with pytest.raises(OptionError, match="sum 1"):
            probability_triangle(target, marks=marks)


# ---- linear layers, speed


def iris_like(n=50):
    """Four features, three classes, standardised."""
    random = np.random.default_rng(3)
    x = random.normal(size=(n, 4)) * [1, 2, 3, 4] + 5
    return cr.data.Dataset(
        "four", cr.data.Examples(x, np.arange(n) % 3), scaling=cr.data.Scaling.standardise(x), classes=("a", "b", "c")
    )


def test_two_linear_layers_are_one():
    """Spec 30: 131 parameters are 15: W = W1·W2, b = b1·W2 + b2; the outputs agree to rounding."""
    run = cr.fit("4-16-3 linear softmax", iris_like(), epochs=3, batch_size=10)
    picture = two_linear_layers(run)
    assert picture.numbers["parameters"].tolist() == [131, 15]
    p = run.model().parameters
    np.testing.assert_allclose(picture.numbers["W"], p["dense1.W"] @ p["dense2.W"], rtol=1e-12)
    np.testing.assert_allclose(picture.numbers["b"], p["dense1.b"] @ p["dense2.W"] + p["dense2.b"], rtol=1e-12)
    assert picture.numbers["largest_difference"] < 1e-12
    assert np.ptp(picture.numbers["network"]) > 0.1
    assert np.abs(np.diff(picture.numbers["network"], 2, axis=0)).max() < 1e-12
    single = cr.fit(
        "4-3:softmax",
        iris_like(),
        epochs=0,
        batch_size=10,
        initial={"dense1.W": picture.numbers["W"], "dense1.b": picture.numbers["b"]},
    )
    np.testing.assert_allclose(single.predict(iris_like().train.x), run.predict(iris_like().train.x), atol=1e-6)


def test_both_decision_lines_coincide():
    """Spec 30: where the network's two outputs are equal, so are the single layer's; bent networks are refused."""
    run = cr.fit(cr.Sequential(cr.Dense(6, bias=False), cr.Dense(4), cr.Dense(2)), cr.data.moons(60), epochs=5, batch_size=10)
    picture = decision_line(run)
    np.testing.assert_allclose(picture.numbers["network"], picture.numbers["single"], atol=1e-12)
    assert picture.numbers["network"].min() < 0 < picture.numbers["network"].max()
    assert collapsed(run.model())[0].shape == (2, 2)
    drawn(picture)
    with pytest.raises(OptionError, match="linear but for the last"):
        two_linear_layers(cr.fit("2-3-2 relu softmax", cr.data.moons(60), epochs=0, batch_size=10))
    with pytest.raises(OptionError, match="two inputs"):
        decision_line(cr.fit("4-16-3 linear softmax", iris_like(), epochs=0, batch_size=10))


def test_time_per_example_is_measured(moons):
    """Spec 33: a positive time to each size and measurement; what it is, depends on the machine."""
    picture = time_per_example(moons, (1, 7, 64), measurements=2)
    assert picture.numbers["seconds"].shape == (3, 2)
    assert (picture.numbers["seconds"] > 0).all()
    labels = [label.get_text() for label in drawn(picture).axes[0].get_xticklabels()]
    assert labels == ["1", "7", "64"]
    with pytest.raises(OptionError, match="rising order"):
        time_per_example(moons, (64, 1))


# ---- gradient descent


def test_many_starts_find_the_minimum_of_their_valley():
    """Spec 73: C(w) = w⁴ − 2w² + 0.3w has two minima, at roots of its derivative; the hill between them divides the starts."""
    starts = np.linspace(-2, 2, 41)
    picture = cost_curve_starts(lambda w: w**4.0 - 2.0 * w**2.0 + 0.3 * w, starts)
    left, hill, right = np.sort(np.roots([4, 0, -4, 0.3]).real)
    np.testing.assert_allclose(picture.numbers["minima"], [left, right], atol=1e-8)
    assert np.array_equal(picture.numbers["reached"], (starts > hill).astype(int))
    np.testing.assert_allclose(picture.numbers["paths"][1], starts - 0.02 * (4 * starts**3 - 4 * starts + 0.3), rtol=1e-12)
    assert (np.diff(picture.numbers["path_costs"], axis=0) <= 1e-12).all()
    assert "2 minima" in picture.title


def test_starts_that_still_move_are_no_minimum():
    """On a slope without end no minimum is claimed; a rate that is too large is refused with a smaller one."""
    picture = cost_curve_starts(lambda w: 0.5 * w, [0.0, 1.0], steps=10)
    assert not len(picture.numbers["minima"])
    assert list(picture.numbers["reached"]) == [-1, -1]
    assert "still move after 10 steps" in picture.reading
    drawn(picture)
    with pytest.raises(OptionError, match=r"rate=0\.1"):
        cost_curve_starts(lambda w: w**4.0, [3.0], rate=1.0)
    with pytest.raises(OptionError, match="one cost to each"):
        cost_curve_starts(lambda w: ops.sum(w * w), [1.0, 2.0])


def test_arrows_are_the_gradient_and_the_path_goes_against_it():
    """Spec 74: ∇C of sin x + x·y² in closed form at each arrow; each step of the path is −rate·∇C."""
    field = gradient_field(lambda x, y: ops.sin(x) + x * y * y, start=(1.0, 1.5), rate=0.1, steps=5)

    def gradient(at):
        return np.stack([np.cos(at[:, 0]) + at[:, 1] ** 2, 2 * at[:, 0] * at[:, 1]], axis=1)

    np.testing.assert_allclose(field.numbers["gradients"], gradient(field.numbers["places"]), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.diff(field.numbers["path"], axis=0), -0.1 * gradient(field.numbers["path"][:-1]), rtol=1e-10)
    across, up = np.meshgrid(field.numbers["x"], field.numbers["y"])
    np.testing.assert_allclose(field.numbers["costs"], np.sin(across) + across * up**2, rtol=1e-12, atol=1e-12)
    assert not len(gradient_field(lambda x, y: x * y).numbers["path"])


# ---- all of them


def test_every_picture_says_what_it_is(moons):
    """Each has a title, one sentence, numbers, and a label at each axis that is seen."""
    data = moons.data.train
    pictures = [
        neuron_surface(moons, points=9),
        neuron_surface(moons, points=9, solid=True),
        neuron_steps(moons),
        sharpness(moons),
        firing_fraction(moons, data.x),
        activation_curve("relu"),
        activation_gallery(["relu", "tanh"]),
        softmax_steps([1.0, 2.0]),
        activation_comparison({"one": moons}),
        probability_triangle(),
        two_linear_layers(cr.fit("2-3-2 linear softmax", cr.data.moons(60), epochs=0, batch_size=10)),
        time_per_example(moons, (1, 2), measurements=1),
        cost_curve_starts(lambda w: w * w, [-1.0, 1.0]),
        gradient_field(lambda x, y: x * x + y * y, start=(1.0, 1.0)),
    ]
    for picture in pictures:
        assert picture.title
        assert picture.numbers
        assert picture.reading.endswith(".")
        assert ". " not in picture.reading
        for ax in drawn(picture).axes:
            if ax.axison and ax.get_label() != "<colorbar>":
                assert ax.get_ylabel(), picture.title
