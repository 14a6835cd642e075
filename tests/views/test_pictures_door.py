"""Pictures take examples as `fit` takes them, and answer anything else by our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.views.view import View

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(RANDOM.normal(size=(40, 3)), columns=["a", "b", "c"])
NAMES = np.array(["u", "v", "ü"])[RANDOM.integers(0, 3, 40)]
CLASSIFIER = cr.fit("3-5-3 tanh softmax", (TABLE, NAMES), epochs=1, batch_size=16)
CURVE = cr.fit("3-5-1 relu", (TABLE, TABLE["a"] * 3), epochs=1)
SOME = slice(0, 12)

Asked = Callable[[Any, Any], View]
WITH_CLASSES: dict[str, Asked] = {
    "wishes averaged": lambda x, y: cr.pictures.averaged_wishes(CLASSIFIER.model(), x, y),
    "cost over two directions": lambda x, y: cr.pictures.cost_surface(CLASSIFIER.model(), x, y, points=3),
    "projections": lambda x, y: cr.pictures.layer_projections(CLASSIFIER.model(), x, y),
    "detectors": lambda x, y: cr.pictures.detector_test(CLASSIFIER.model(), x, y, ["u"]),
    "ablation": lambda x, y: cr.pictures.layer_ablation(CLASSIFIER.model(), x, y, "dense1.a"),
    "probes": lambda x, y: cr.pictures.linear_probes(CLASSIFIER.model(), x, y, x, y),
    "a path": lambda x, y: cr.pictures.path_of_run([CLASSIFIER.at(step).model() for step in range(3)], x, y, points=3),
    "noise": lambda x, y: cr.pictures.confidence_on_noise(CLASSIFIER.model(), x),
    "health": lambda x, y: cr.pictures.dead_and_saturated(CLASSIFIER.model(), x),
}
WITH_NUMBERS: dict[str, Asked] = {
    "gradient": lambda x, y: cr.pictures.gradient_entries(CURVE.model(), x, y),
    "projections": lambda x, y: cr.pictures.layer_projections(CURVE.model(), x, y),
    "Hebb": lambda x, y: cr.pictures.hebb(CURVE.model(), x, y),
    "firing": lambda x, y: cr.pictures.firing_fraction(CURVE, x),
}


def same(found: View, other: View) -> None:
    assert found.json() == other.json()


@pytest.mark.parametrize("name", WITH_CLASSES)
def test_tables_lists_and_names_of_classes_are_what_arrays_of_numbers_are(name):
    ask, rows = WITH_CLASSES[name], TABLE[SOME]
    numbers = np.array([CLASSIFIER.data.info.classes.index(label) for label in NAMES[SOME]])
    wanted = ask(rows.to_numpy(), numbers)
    same(ask(rows, NAMES[SOME]), wanted)
    same(ask(rows.to_numpy().tolist(), NAMES[SOME].tolist()), wanted)
    same(ask(rows[["c", "a", "b"]], numbers.astype(object)), wanted)  # columns go by their names


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_a_number_to_each_example_is_a_column(name):
    ask, rows, y = WITH_NUMBERS[name], TABLE[SOME], TABLE["a"][SOME] * 3
    wanted = ask(rows.to_numpy(), y.to_numpy()[:, None])
    same(ask(rows, y), wanted)
    same(ask(rows, y.to_numpy().astype(object)), wanted)


def test_one_example_may_come_without_the_axis_of_the_batch():
    row, label = TABLE.to_numpy()[0], NAMES[0]
    same(cr.pictures.wishes(CLASSIFIER.model(), row, label), cr.pictures.wishes(CLASSIFIER.model(), row[None], [label]))


WRONG_INPUTS = [None, "hello", np.ndarray, [], np.zeros((12, 4)), np.full((12, 3), np.nan), object(), 3.5, [[1.0], [1.0, 2.0]]]
WRONG_TARGETS = [None, "u", ["x"] * 12, np.full(12, -1), np.zeros(11, int), np.linspace(0, 1, 12), np.full(12, 3), object()]


@pytest.mark.parametrize("name", WITH_CLASSES)
def test_what_are_no_examples_is_refused_by_our_errors(name):
    ask, x, y = WITH_CLASSES[name], TABLE[SOME].to_numpy(), NAMES[SOME]
    for wrong in WRONG_INPUTS:
        with pytest.raises(ChainruleError):
            ask(wrong, y)
    if name not in {"noise", "health"}:
        for wrong in WRONG_TARGETS:
            with pytest.raises(ChainruleError):
                ask(x, wrong)


def test_labels_may_be_truth_values_where_the_classes_are():
    x, y = TABLE.to_numpy(), TABLE["a"].to_numpy() > 0
    model = cr.fit("3-4-2 tanh softmax", (x, y), epochs=1).model()
    assert model.cost(x[:9], y[:9]) == model.cost(x[:9], y[:9].astype(int)) == model.cost(x[:9], y[:9].tolist())
    with pytest.raises(cr.errors.DataError, match=r"label '(True|False)'"):
        CLASSIFIER.model().cost(x[:9], y[:9])


@pytest.mark.parametrize("rows", [slice(0, 2), 0])
@pytest.mark.parametrize("run", [CLASSIFIER, CURVE])
def test_targets_of_unequal_length_are_refused(run, rows):
    x = TABLE.to_numpy()[rows]
    for ask in (run.model().cost, run.model().gradient, lambda x, y: cr.pictures.gradient_entries(run.model(), x, y)):
        with pytest.raises(cr.errors.ShapeError, match="differ in length"):
            ask(x, [[1.0], [1.0, 2.0]])


def test_a_label_without_a_class_is_named():
    with pytest.raises(cr.errors.DataError, match=r"label 'w'\n  expected: one of the classes \['u', 'v', 'ü'\]"):
        CLASSIFIER.model().cost(TABLE[SOME], ["w"] * 12)


def test_options_are_held_to_their_annotations():
    with pytest.raises(cr.errors.OptionTypeError, match=r"points='many'"):
        cr.pictures.cost_surface(CLASSIFIER.model(), TABLE[SOME], NAMES[SOME], points="many")
    with pytest.raises(cr.errors.OptionTypeError, match="was given colour"):
        cr.pictures.hebb(CURVE.model(), TABLE[SOME], TABLE["a"][SOME], colour="red")
