"""What terminals show: every number readable, at any width, with hostile names as plain text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from chainrule.data import mnist, moons
from chainrule.nn import confusion_matrix, parse_network, summary
from chainrule.train import LBFGS, SGD, Epoch, Evaluation, History, Scores, Settings
from chainrule.views.confusion import ConfusionView, shade
from chainrule.views.plain import bar, duration, optimizer_text, printable, sparkline
from chainrule.views.sentences import data_text
from chainrule.views.terminal import (
    CurvesView,
    NetworkView,
    RunRecord,
    RunsView,
    code_text,
    facts,
    picture,
    probability_bars,
    rows_table,
    score_facts,
    training_facts,
)

HOSTILE = "\x1b[31m[red]evil[/red]\r\n\u202e"


def shown(item, width=100, **settings):
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False, **settings)
    console.print(item)
    return console.file.getvalue()


def widest(text):
    return max(len(line) for line in text.splitlines())


def matrix(classes, count=300):
    random = np.random.default_rng(0)
    labels = random.integers(0, len(classes), count)
    predicted = np.where(random.random(count) < 0.8, labels, random.integers(0, len(classes), count))
    return confusion_matrix(labels, predicted, classes)


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 200])
@pytest.mark.parametrize("classes", [2, 3, 10, 20, 21, 50])
def test_confusion_fits_every_width(width, classes):
    found = matrix([str(place) for place in range(classes)])
    text = shown(ConfusionView(found, "caption"), width)
    assert widest(text) <= width
    assert "caption" in text
    if classes == 10 and width >= 60:
        assert str(int(found.counts[3, 3])) in text
        assert "truth" in text
        assert "predicted" in text
        assert "precision" in text


def test_confusion_puts_scores_beside_ten_classes_in_eighty_columns():
    lines = shown(ConfusionView(confusion_matrix([9] * 1100, [9] * 1100, 10)), 80).splitlines()
    assert any(line.startswith("9") and line.split()[-3:] == ["1.000", "1.000", "1.000"] for line in lines)
    assert any("undefined" in line for line in lines)


def test_confusion_of_many_classes_lists_the_most_frequent():
    text = shown(ConfusionView(confusion_matrix([0] * 30 + [2], [1] * 30 + [2], 25)))
    assert "0 taken for 1: 30 times" in text


def test_confusion_names_are_text():
    text = shown(ConfusionView(matrix([HOSTILE, "猫猫猫猫猫猫猫猫猫"])))
    assert "\x1b" not in text
    assert "[red]" in text


def test_numbers_stay_readable_on_every_ground():
    for share in np.linspace(0, 1, 101):
        style = shade(float(share))
        ground = style.bgcolor.triplet
        light = _luminance(ground)
        text = 0.0 if style.color.name == "black" else 1.0
        contrast = (max(light, text) + 0.05) / (min(light, text) + 0.05)
        assert contrast >= 4.5, share


def _luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_brightness_rises_with_the_share():
    lights = [_luminance(shade(share).bgcolor.triplet) for share in np.linspace(0, 1, 50)]
    assert lights == sorted(lights)


@pytest.mark.parametrize("width", [44, 60, 100])
def test_network_table(width):
    text = shown(NetworkView(summary(parse_network("784-16-16-10 relu softmax"))), width)
    assert "13 002" in text.replace("\n", " ")
    assert "12 560" in text
    assert "[0, 1]" in text
    assert widest(text) <= width


def history(replicas=1, values=(0.9, 0.5, 0.7)):
    found = History(replicas)
    for epoch, value in enumerate(values, 1):
        scores = {"loss": np.full(replicas, value), "accuracy": np.full(replicas, 1 - value)}
        found.epochs.append(Epoch(epoch, epoch, 0.1, np.full(replicas, value), {"training": scores, "test": scores}))
    return found


def test_curves_name_the_best():
    text = shown(CurvesView(history()))
    assert "0.5 at 2" in text
    assert text.count("0.9") == 2
    assert shown(CurvesView(History(1))).strip() == "no epoch was evaluated yet"
    assert "not a number" in shown(CurvesView(history(values=(float("nan"), 1.0))))


@pytest.mark.parametrize("width", [60, 70, 100])
def test_curves_fit(width):
    text = shown(CurvesView(history(values=tuple(0.91234 / k for k in range(1, 201)))), width)
    assert widest(text) <= width
    assert "…" not in text
    assert "0.004562 at 200" in text


def test_sparkline():
    assert sparkline([]) == ""
    assert sparkline([float("nan")]) == ""
    assert sparkline([5.0, 5.0]) == "▅▅"
    assert len(sparkline(list(range(1000)), 40)) == 40
    assert sparkline([-1e308, 1e308]) == "▁█"


def test_bar_and_duration():
    assert bar(7.0, 3) == "███"
    assert bar(-1.0) == ""
    assert [duration(seconds) for seconds in (0.0001, 0.5, 61.0)] == ["0.1 ms", "0.50 s", "1 min 1 s"]


def test_printable():
    assert printable(HOSTILE) == "�[31m[red]evil[/red]���"
    assert printable("é 猫 σ") == "é 猫 σ"


def test_texts_of_data():
    assert data_text(mnist().info).startswith("mnist: 60 000 training, 10 000 test examples; inputs of 784 numbers")
    assert "2 classes (upper, lower)" in data_text(moons().info)


def test_picture():
    drawn = picture(mnist().test[0].x)
    assert len(drawn.splitlines()) == 14
    assert set(drawn) <= set(" ░▒▓█\n")
    assert picture(np.zeros(784)) is None
    assert picture(np.zeros(7, np.uint8)) is None
    assert picture(np.full((3, 3), 255, np.uint8)).splitlines()[0] == "███"


def evaluation(replicas=1, right=True):
    labels = np.array([0, 1, 1, 0])
    predicted = np.tile(labels if right else [0, 1, 0, 0], (replicas, 1))
    values = {"loss": np.linspace(0.1, 0.2, replicas), "accuracy": (predicted == labels).mean(axis=1)}
    return Evaluation("test", Scores(4, values, np.zeros((replicas, 4, 1))), labels, labels, ("a", "b"), predicted)


def test_scores_say_what_the_error_means():
    assert "binomial standard error" in shown(facts(score_facts(evaluation(right=False))))
    assert "in brackets the range" in shown(facts(score_facts(evaluation())))
    assert "standard error over 3 networks" in shown(facts(score_facts(evaluation(3))))


def test_scores_of_numbers():
    y = np.array([[1.0], [2.0], [3.0]])
    scores = Scores(3, {"loss": np.array([0.0])}, y[None])
    text = shown(facts(score_facts(Evaluation("test", scores, None, y, None, y))))
    assert "test R²" in text
    assert "mean absolute error" in text


@pytest.mark.parametrize("width", [60, 160])
def test_runs(width):
    good = RunRecord("run1", "moons", "2-4-2", "3 of 5", {"test accuracy": [0.5, 0.7]}, "2026", 1.0)
    bad = RunRecord(HOSTILE, problem="it is broken [blue]")
    text = shown(RunsView([good, bad]), width)
    assert "0.60 ± 0.10" in text
    assert "3 of 5" in text
    assert "it is broken [blue]" in " ".join(text.split())
    assert "\x1b" not in text


def test_probability_bars():
    text = shown(probability_bars(["a", HOSTILE], [0.25, 0.75], truth="a"))
    assert "← the truth" in text
    assert "← predicted" in text
    assert "\x1b" not in text
    many = shown(probability_bars([str(place) for place in range(100)], [place / 4950 for place in range(100)]))
    assert len(many.splitlines()) == 20
    assert "99" in many


def test_rows_say_how_many_there_are():
    assert "1 000 rows in all" in shown(rows_table(["class"], [["a"]], 1000))
    assert "rows in all" not in shown(rows_table(["class"], [["a"]], 1))


def test_code_text_changes_no_letter():
    text = "x: float64[2] = input()\n%0: float64[2] = relu(x)  @dense1\nreturn output=%0"
    assert shown(code_text(text)).rstrip("\n") == text


def test_training_facts_count_steps():
    text = shown(facts(training_facts(Settings(SGD(), epochs=5, batch_size=32, replicas=8), 60_000)))
    assert "5 epochs of 1 875 batches of 32 examples = 9 375 steps" in text
    assert "8 networks at once, seeds 0 ... 7" in text
    assert "L-BFGS" in shown(facts(training_facts(Settings(LBFGS(), dtype="float64"), 10)))
    assert optimizer_text(SGD(0.5)) == "SGD, learning rate 0.5"
