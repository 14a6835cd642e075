from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.data import Dataset, Examples
from chainrule.errors import OptionError, ShapeError
from chainrule.train import LBFGS, Run, Settings
from chainrule.train.optimizers import OPTIMIZERS
from chainrule.views.colours import CSS_VARIABLES
from chainrule.views.networks import STAGES, NetworkDrawing, draw_network, growing_picture, layer_card
from chainrule.views.networks.card import update_rule
from chainrule.views.networks.marks import LARGEST_IMAGE, image, short
from chainrule.views.networks.structure import read_columns

HOSTILE = '</text><script>alert(1)</script> & "x" \u202eabc $y$ \x00' + "long" * 50


def elements(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())


def classes(svg: str) -> Counter[str]:
    return Counter(word for item in elements(svg) for word in (item.get("class") or "").split())


def words(svg: str) -> str:
    return "\n".join(item.text or "" for item in elements(svg))


def titles(svg: str) -> list[str]:
    return [item.text or "" for item in elements(svg) if item.tag.endswith("title")]


@pytest.fixture(scope="module")
def digits_run() -> Run:
    return cr.fit("784-16-16-10 sigmoid softmax", cr.data.mnist(), epochs=1, optimizer=cr.SGD(0.5))


@pytest.fixture(scope="module")
def moons_run() -> Run:
    return cr.fit("2-4-3-1 tanh sigmoid", cr.data.moons(60), epochs=5, optimizer=cr.Adam(0.01))


@pytest.fixture(scope="module")
def hostile_data() -> Dataset:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(1500, 3))
    names = tuple(f"{place}{HOSTILE}" for place in range(1000))
    return Dataset("h", Examples(x, np.arange(1500) % 1000), classes=names, features=(HOSTILE, "b" * 90, "c"))


@pytest.fixture(scope="module")
def hostile_run(hostile_data: Dataset) -> Run:
    return cr.fit(cr.Sequential(cr.Dense(40, "relu"), cr.Dense(1000, "softmax")), hostile_data, epochs=1)


# ---- golden drawings


def test_two_hidden_layers_of_four_and_three_neurons_are_drawn_exactly() -> None:
    drawing = draw_network("2-4-3-1")
    count = classes(drawing.svg())
    assert [len(item.shown) for item in drawing.items] == [2, 4, 3, 1]
    assert count["neuron"] == 10
    assert count["weight"] == 8 + 12 + 3
    assert count["dots"] == count["box"] == count["flow"] == 0
    assert drawing.title == "Network 2-4-3-1"
    assert "the input is not counted as a layer" in drawing.reading


def test_a_single_neuron() -> None:
    count = classes(draw_network("2-1:sigmoid").svg())
    assert (count["neuron"], count["weight"]) == (3, 2)


def test_the_digits_network_with_an_example_as_in_the_videos(digits_run: Run) -> None:
    example = cr.data.mnist().test[7]
    drawing = draw_network(digits_run, example)
    svg, count, arrays = drawing.svg(), classes(drawing.svg()), drawing.arrays()
    # Two lines and five circles stand in the legend.
    assert count["weight"] == 16 * 16 + 16 * 16 + 16 * 10 + 2
    assert count["neuron"] == 16 + 16 + 16 + 10 + 5
    assert count["image"] == 1
    assert count["spot"] == 16
    assert count["probability"] == 10
    assert "784 neurons, 16 shown" in words(svg)
    assert "input: 16 of 784 neurons shown, evenly spaced (numbers 0, 52, 104" in words(svg)
    assert arrays["input.shown"].tolist() == np.round(np.linspace(0, 783, 16)).astype(int).tolist()
    np.testing.assert_allclose(arrays["input.activation"], example.x[arrays["input.shown"]] / 255)


def test_activations_weights_and_probabilities_are_the_models(digits_run: Run) -> None:
    model, example = digits_run.model(), cr.data.mnist().test[3]
    arrays = draw_network(model, example).arrays()
    values = model.quantities(example.x[None])
    for layer in ("dense1", "dense2", "dense3"):
        np.testing.assert_allclose(arrays[f"{layer}.activation"], values[f"{layer}.a"][0], rtol=1e-12)
        np.testing.assert_allclose(arrays[f"{layer}.z"], values[f"{layer}.z"][0], rtol=1e-12)
        np.testing.assert_array_equal(arrays[f"{layer}.bias"], model.parameters[f"{layer}.b"])
    np.testing.assert_array_equal(arrays["dense1.weights from input"], model.parameters["dense1.W"][arrays["input.shown"]])
    np.testing.assert_array_equal(arrays["dense2.weights from dense1"], model.parameters["dense2.W"])
    assert arrays["probabilities"].sum() == pytest.approx(1)


# ---- what a line and a circle say


def test_a_line_says_size_by_width_and_sign_by_colour_and_dash(moons_run: Run) -> None:
    model = moons_run.model()
    weights = np.array([[2.0, -1.0, 0.0, 0.5], [1.0, 1.0, 1.0, 1.0]])
    svg = draw_network(model.with_parameters({"dense1.W": weights})).svg()
    lines = {
        (item.find("./{*}title").text or "").partition(" = ")[0]: item  # type: ignore[union-attr]
        for item in elements(svg)
        if (item.get("class") or "").startswith("weight") and item.find("./{*}title") is not None
    }
    largest, negative, zero = (lines[f"dense1.W[0, {j}]"] for j in range(3))
    assert (largest.get("stroke"), largest.get("stroke-dasharray")) == (CSS_VARIABLES["positive"][0], None)
    assert (negative.get("stroke"), negative.get("stroke-dasharray")) == (CSS_VARIABLES["negative"][0], "5 3")
    assert (zero.get("stroke"), zero.get("data-stroke")) == (CSS_VARIABLES["line"][0], "line")
    width = [float(line.get("stroke-width") or 0) for line in (largest, negative, zero)]
    assert (width[0] - 0.4) / (width[1] - 0.4) == pytest.approx(2)
    assert "widest |w| = 2" in words(svg)


def test_a_neuron_shows_its_activation_and_on_hover_name_value_and_formula(moons_run: Run) -> None:
    model, example = moons_run.model(), moons_run.data.test[0]  # type: ignore[index]
    drawing = draw_network(model, example)
    a = model.quantities(example.x[None])["dense1.a"][0]
    hover = next(words for words in titles(drawing.svg()) if words.startswith("dense1.a[2]"))
    assert f"tanh(z)[2] = {a[2]:.4g}".replace("-", "−") in hover
    assert "z[2] = Σ_k x[k]·dense1.W[k, 2] + dense1.b[2] = " in hover
    # tanh is drawn relative to the layer's largest, the sigmoid's range is known.
    assert drawing.items[1].scale == np.abs(a).max()
    assert drawing.items[3].scale == 1.0


def test_white_is_one_and_black_is_zero() -> None:
    data = Dataset("two", Examples([[0.0, 1.0], [1.0, 0.0]], [0, 1]), classes=("no", "yes"))
    model = cr.fit("2-1:sigmoid", data, epochs=0, batch_size=2).model()
    svg = draw_network(model, data.train[0]).svg()
    fills = [item.get("fill") for item in elements(svg) if item.tag.endswith("circle") and float(item.get("r") or 0) == 20]
    assert fills[:2] == ["#000000", "#ffffff"]


def test_prediction_and_truth_are_marked_by_words(digits_run: Run) -> None:
    data, model = cr.data.mnist(), digits_run.model()
    answers = model.decide(data.test.x[:300])  # type: ignore[union-attr]
    wrong = int(np.flatnonzero(answers != data.test.y[:300])[0])  # type: ignore[union-attr]
    right = int(np.flatnonzero(answers == data.test.y[:300])[0])  # type: ignore[union-attr]
    first, second = (draw_network(model, data.test[i]) for i in (wrong, right))  # type: ignore[index]
    assert {"◂ the truth", "◂ predicted, wrongly"} <= set(words(first.svg()).splitlines())
    assert first.verdict == f"predicted {answers[wrong]}, truth {data.test.y[wrong]} (wrong)"  # type: ignore[union-attr]
    assert "◂ predicted, and the truth" in words(second.svg())
    assert classes(draw_network(model, data.test.x[right]).svg())["verdict"] == 1  # type: ignore[union-attr]


def test_a_single_output_stands_for_the_second_class(moons_run: Run) -> None:
    example = moons_run.data.train[0]
    drawing = draw_network(moons_run, example)
    p = moons_run.model().quantities(example.x[None])["output"][0, 0]
    assert drawing.arrays()["probabilities"][0] == p
    names = moons_run.dataset_info.classes
    assert names is not None
    assert f"otherwise {names[0]}" in words(drawing.svg())
    assert f"predicted {names[int(p > 0.5)]}" in drawing.title


def test_numbers_are_shown_in_the_datas_units() -> None:
    x = np.linspace(-1, 1, 30)[:, None]
    run = cr.fit("1-4-1 tanh", cr.data.from_arrays(x, 100 + 10 * x), epochs=3, batch_size=5)
    example = run.data.train[0]
    drawing = draw_network(run, example)
    assert drawing.arrays()["output"] == pytest.approx(run.predict(example.x[None], None)[0, 0], rel=1e-4)
    assert f"truth {float(np.asarray(example.y)[0]):.4g}" in drawing.title


def test_logits_get_their_probabilities() -> None:
    run = cr.fit("2-5-2", cr.data.moons(60), epochs=1)
    x = run.data.train.x[:1]
    np.testing.assert_allclose(draw_network(run, x[0]).arrays()["probabilities"], run.probabilities(x)[0], rtol=1e-4)


def test_biases_are_drawn_on_request(moons_run: Run) -> None:
    assert classes(draw_network(moons_run).svg())["bias"] == 0
    svg = draw_network(moons_run, biases=True).svg()
    assert classes(svg)["bias"] == 4 + 3 + 1
    assert "is its bias" in words(svg)


# ---- large layers


def test_the_neurons_with_the_largest_weights(digits_run: Run) -> None:
    drawing = draw_network(digits_run, most=5, choose_by="largest")
    sizes = np.linalg.norm(digits_run.model().parameters["dense1.W"], axis=1)
    assert drawing.arrays()["input.shown"].tolist() == sorted(np.argsort(-sizes)[:5].tolist())
    assert "those with the largest weights" in words(drawing.svg())


def test_of_many_classes_the_likeliest_and_the_truth_are_shown(hostile_run: Run) -> None:
    example = hostile_run.data.train[5]
    drawing = draw_network(hostile_run, example)
    arrays = drawing.arrays()
    shown, p = arrays["dense2.shown"], arrays["probabilities"]
    assert 5 in shown
    assert int(p.argmax()) in shown
    assert set(np.argsort(-p)[:15].tolist()) <= set(shown.tolist())
    svg = drawing.svg()
    assert "1 000 neurons, 16 shown" in words(svg)
    others = re.search(r"984 others together (\S+)", words(svg))
    assert others is not None
    assert float(others[1]) == pytest.approx(np.delete(p, shown).sum(), rel=1e-3)


@pytest.mark.parametrize("most", [1, 2, 40])
def test_any_number_of_neurons_may_be_shown(most: int, digits_run: Run) -> None:
    drawing = draw_network(digits_run, cr.data.mnist().test[0], most=most)
    assert [len(item.shown) for item in drawing.items] == [min(most, size) for size in (784, 16, 16, 10)]
    assert elements(drawing.svg())


# ---- hostile names, numbers that are none


def test_hostile_names_come_out_as_text(hostile_run: Run) -> None:
    svg = draw_network(hostile_run, hostile_run.data.train[5]).svg()
    assert not [item for item in elements(svg) if item.tag.endswith("script")]
    assert "\u202e" not in svg
    assert "\x00" not in svg
    assert any(HOSTILE[:30] in line for line in titles(svg))


def test_weights_that_are_no_numbers_are_crossed(hostile_run: Run) -> None:
    model = hostile_run.model()
    weights = model.parameters["dense1.W"].copy()
    weights[0, 0], weights[1, 0] = np.nan, np.inf
    drawing = draw_network(model.with_parameters({"dense1.W": weights}), hostile_run.data.train[5], most=6)
    svg = drawing.svg()
    # Two lines, one hidden neuron, six outputs; a line and a circle in the legend.
    assert classes(svg)["not-finite"] == 2 + 1 + 6 + 2
    assert classes(svg)["cross"] == 11
    assert "no prediction" in drawing.title
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", svg.lower())


def test_all_weights_zero_or_lost(moons_run: Run) -> None:
    for value in (0.0, np.nan):
        changed = {name: np.full_like(w, value) for name, w in moons_run.model().parameters.items()}
        assert elements(draw_network(moons_run.model().with_parameters(changed), moons_run.data.train[0]).svg())


# ---- networks of other kinds


def test_layers_of_other_kinds_are_boxes() -> None:
    network = cr.Sequential(cr.Dense(4), cr.Formula("x*sigmoid(x)"), cr.Dense(2, "softmax"), input_shape=(3,))
    drawing = draw_network(network)
    count = classes(drawing.svg())
    assert (count["box"], count["weight"], count["flow"]) == (1, 12, 4 + 2)
    assert "a box is a layer of another kind" in drawing.reading


def test_a_function_that_branches_is_one_box() -> None:
    network = cr.Sequential(cr.Dense(4), cr.Function(lambda x: x * 2.0 + ops.sin(x)), cr.Dense(2), input_shape=(3,))
    assert classes(draw_network(network).svg())["box"] == 1


def test_a_shared_layer_keeps_its_name() -> None:
    shared = cr.Dense(3, "tanh", name="eye")
    network = cr.Network(lambda left, right: shared(left) + shared(right), inputs={"left": (2,), "right": (2,)})
    drawing = draw_network(network)
    assert [item.column.key for item in drawing.items] == ["left", "eye", "right", "eye#2", "+"]
    assert "layer 1: eye again" in words(drawing.svg())
    assert classes(drawing.svg())["weight"] == 6 + 6


def test_the_values_of_a_shared_layer_are_those_of_each_use() -> None:
    shared = cr.Dense(2, "tanh")
    model = cr.fit(cr.Sequential(shared, shared), cr.data.moons(60), loss="squared_error", epochs=1).model()
    x = model.problem.dataset_info.scaling.apply(np.array([[0.3, -0.2]]))
    W, b = model.parameters["dense1.W"], model.parameters["dense1.b"]
    first = np.tanh(x @ W + b)
    arrays = draw_network(model, np.array([0.3, -0.2])).arrays()
    np.testing.assert_allclose(arrays["dense1.activation"], first[0], rtol=1e-12)
    np.testing.assert_allclose(arrays["dense1#2.activation"], np.tanh(first @ W + b)[0], rtol=1e-12)


def test_activation_flatten_and_dropout_belong_to_the_column_before() -> None:
    drawing = draw_network("4x4-flatten-6-tanh()-dropout(0.2)-2")
    assert [item.column.name for item in drawing.items] == ["input", "dense1", "dense2"]
    assert drawing.items[1].column.formula == "tanh(x·W + b)"
    assert "Dropout does nothing here" in drawing.reading


def test_an_activation_beside_another_use_of_z_is_a_box() -> None:
    dense = cr.Dense(4)

    def wiring(x: cr.Node) -> cr.Node:
        z = dense(x)
        return cr.Activation("tanh")(z) + cr.Activation("relu")(z)

    built = cr.build_network(cr.Network(wiring, inputs={"x": (3,)}), (3,))
    assert [(column.kind, column.activation) for column in read_columns(built)[1:]] == [
        ("neurons", "linear"), ("box", ""), ("box", ""), ("box", ""),
    ]  # fmt: skip


def test_a_large_image_is_drawn_from_fewer_squares() -> None:
    pixels = np.arange(200 * 120.0).reshape(200, 120) % 7
    svg = f"<svg>{image(0, 0, 100, pixels, 0, 6, 'x')}</svg>"
    assert len(elements(svg)) <= LARGEST_IMAGE**2 + 4


def test_a_picture_of_two_axes_is_drawn_as_the_image_itself() -> None:
    x = np.random.default_rng(1).integers(0, 255, (20, 5, 7), dtype=np.uint8)
    data = Dataset("tiny", Examples(x, np.arange(20) % 2), classes=("a", "b"))
    run = cr.fit("5x7-flatten-3-2 relu softmax", data, epochs=1, batch_size=5)
    count = classes(draw_network(run, data.train[0]).svg())
    assert (count["image"], count["spot"]) == (1, 16)


def test_numbers_in_few_letters() -> None:
    assert [short(value) for value in (0.0, 1.0, -0.004, 99.5, 1e9, -1e-9)] == ["0", "1.00", "−0.00", "100", "1.0×10⁹", "−0.00"]


def test_what_makes_no_sense_is_refused(digits_run: Run, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="without weights"):
        draw_network("2-1", np.zeros(2))
    with pytest.raises(OptionError, match="does not know its input"):
        draw_network(cr.Sequential(cr.Dense(2)))
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        draw_network(digits_run, np.zeros(3))
    with pytest.raises(OptionError, match="most=0"):
        draw_network("2-1", most=0)
    with pytest.raises(OptionError, match="choose='nearest'"):
        draw_network("2-1", choose_by="nearest")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"\.gif"):
        draw_network("2-1").save(tmp_path / "net.gif")


def test_a_drawing_is_saved_and_shows_itself(tmp_path: Path) -> None:
    drawing = draw_network("2-1")
    assert isinstance(drawing, NetworkDrawing)
    assert drawing.save(tmp_path / "net.svg").read_text(encoding="utf-8") == drawing.svg() == drawing._repr_svg_()


# ---- the card of a layer


def test_a_card_has_the_four_things_that_make_a_layer(moons_run: Run) -> None:
    card = layer_card(moons_run, "dense1")
    sections = card.sections
    assert list(sections) == [
        "Trainable parameters: 12", "Transformation", "Information flow", "Update of the parameters",
    ]  # fmt: skip
    assert sections["Transformation"] == ("z = x·W + b", "a = tanh(z) = tanh(z), values in [−1, 1]")
    assert "in: 2 numbers to an example" in sections["Information flow"]
    assert "η = 0.01" in sections["Update of the parameters"]
    np.testing.assert_array_equal(card.arrays()["dense1.W"], moons_run.model().parameters["dense1.W"])
    assert classes(card.svg())["section"] == 4


def test_a_card_of_a_model_knows_no_rule_and_one_without_parameters_has_none_to_update(moons_run: Run) -> None:
    assert "not known" in layer_card(moons_run.model(), "dense2").sections["Update of the parameters"][0]
    run = cr.fit("2-3-tanh()-2", cr.data.moons(60), epochs=1)
    card = layer_card(run, "activation1")
    assert card.sections["Trainable parameters: 0"] == ("none: this layer learns nothing",)
    assert elements(card.svg())


def test_a_card_of_lost_weights_is_drawn(moons_run: Run) -> None:
    model = moons_run.model().with_parameters({"dense1.W": np.full((2, 4), np.nan)})
    card = layer_card(model, "dense1")
    assert "8 not finite" in card.sections["Trainable parameters: 12"][0]
    assert elements(card.svg())


def test_a_layer_that_is_not_there(moons_run: Run) -> None:
    with pytest.raises(OptionError, match="dense1"):
        layer_card(moons_run, "dens1")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_has_its_rule(name: str) -> None:
    lines = update_rule(Settings(OPTIMIZERS[name]), 0, 10)
    assert any(line.startswith("w ← w") for line in lines)
    assert lines[-1] == f"η = {OPTIMIZERS[name].learning_rate:.4g}"


def test_schedules_and_clipping_are_said() -> None:
    lines = update_rule(Settings(cr.SGD(cr.StepDecay(0.1, 5, 0.5)), clip=cr.ClipNorm(2.0)), 7, 10)
    assert lines[-1] == "η = 0.05 at step 7, by its schedule"
    assert "scaled down to the norm 2" in lines[1]
    assert "line search" in update_rule(Settings(LBFGS()), 0, 1)[0]


# ---- the growing picture


def test_the_picture_grows_by_one_box_at_a_stage(moons_run: Run) -> None:
    drawn = [growing_picture(moons_run, stage) for stage in range(1, 9)]
    assert [classes(item.svg())["stage"] for item in drawn] == list(range(1, 9))
    assert [classes(item.svg())["arrow"] for item in drawn] == [0, 1, 2, 3, 4, 6, 9, 10]
    assert [STAGES[item.stage - 1] in item.title for item in drawn] == [True] * 8
    # Nothing moves: every stage has the same size.
    assert len({ET.fromstring(item.svg()).get("viewBox") for item in drawn}) == 1


def test_it_holds_the_runs_numbers(moons_run: Run) -> None:
    picture = growing_picture(moons_run)
    seen, judged = moons_run.evaluate("training"), moons_run.evaluate("test")
    arrays = picture.arrays()
    assert arrays["metric"] == seen.accuracy().value
    assert arrays["loss"] == pytest.approx(float(seen.loss[0]))
    assert arrays["performance"] == judged.accuracy().value
    assert str(judged.accuracy()) in words(picture.svg())
    assert set(growing_picture(moons_run, 5).arrays()) == {"metric"}


def test_without_unseen_examples_nothing_is_claimed() -> None:
    picture = growing_picture(cr.fit("2-3-2", cr.data.xor(), epochs=1, batch_size=4))
    assert picture.performance is None
    assert "no examples were kept apart" in words(picture.svg())


def test_the_picture_of_a_fit_to_numbers() -> None:
    x = np.linspace(-1, 1, 30)[:, None]
    run = cr.fit("1-4-1 tanh", cr.data.from_arrays(x, x**2), epochs=3, batch_size=5)
    assert growing_picture(run).arrays()["metric"] == pytest.approx(run.evaluate("training").r_squared())


def test_a_stage_that_is_not_there(moons_run: Run) -> None:
    with pytest.raises(OptionError, match="stage=9"):
        growing_picture(moons_run, 9)


def test_hostile_names_in_card_and_growing_picture(hostile_run: Run) -> None:
    for svg in (growing_picture(hostile_run).svg(), layer_card(hostile_run, "dense1").svg()):
        assert not [item for item in elements(svg) if item.tag.endswith("script")]
        assert "\u202e" not in svg
