"""The report of a run: one page that needs nothing else, with what suits the data, its words explained, its texts as texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application
from chainrule.errors import MissingPackageError, OptionError
from chainrule.train import Run
from chainrule.views.report import report_page, write_report
from chainrule.views.report.words import WORDS, explained

HOSTILE = ('<script>alert("1")</script>', "$x_1^2$ \\frac", "\u202eright to left " + "long " * 60)
VOID = {"meta", "br", "img", "link", "path", "rect", "line", "circle", "use", "hr", "input", "col"}


class Reader(HTMLParser):
    """Reads a page and notes its elements, its links, and whether they close."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []
        self.open: list[str] = []
        self.events: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._look(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._look(attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def _look(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src", "xlink:href"}:
                self.links.append(value or "")
            if name == "id":
                self.names.append(value or "")
            if name.startswith("on"):
                self.events.append(name)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return reader


@pytest.fixture(scope="module")
def hostile() -> Run:
    moons = cr.data.moons(90)
    labels = np.arange(60) % 3
    train = cr.data.Examples(moons.train.x[:60], labels)
    data = cr.data.Dataset(HOSTILE[0], train, test=train, classes=HOSTILE, features=(HOSTILE[0], HOSTILE[2]))
    return cr.fit("2-5-3 relu softmax", data, epochs=4, batch_size=10, replicas=2)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_names_come_out_as_text_and_nothing_is_loaded_or_run(hostile: Run) -> None:
    page = report_page(hostile, replica=1)
    reader = read(page)
    assert "script" not in reader.tags
    assert not reader.events
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in reader.links)
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses), "names of XML's languages only"
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert {"#" + name for name in reader.names} >= {link for link in reader.links if link.startswith("#")}


def test_a_classifier_of_two_inputs(hostile: Run) -> None:
    found = headings(report_page(hostile))
    assert found == [
        "Configuration", "Learning curves", "The network", "Results", "The learned function", "What the layers make of the data",
        "Gradient and weights", "The computation graph", "Number by number", "Words",
    ]  # fmt: skip


def test_a_fit_of_one_variable(tmp_path: Path) -> None:
    run = cr.fit("1-4-1 tanh", cr.data.curve("sin3x"), optimizer=cr.LBFGS(iterations=20))
    path = write_report(run, tmp_path / "fit.html")
    page = path.read_text(encoding="utf-8")
    read(page)
    assert "The learned function" in headings(page)
    assert "What the layers make of the data" not in headings(page)
    assert "residual" in page


def test_a_network_without_hidden_layers_and_one_of_a_formula() -> None:
    linear = cr.fit("2-2 softmax softmax", cr.data.moons(60), epochs=1, batch_size=10)
    own = cr.fit(
        cr.Sequential(cr.Dense(3), cr.Formula("z * sigmoid(z)"), cr.Dense(2)), cr.data.moons(60), epochs=1, batch_size=10
    )
    for run in (linear, own):
        read(report_page(run))


def test_the_digits_with_pictures_of_images(tmp_path: Path) -> None:
    folder = cr.fit("784-16-16-10 relu softmax", "mnist", epochs=1, folder=tmp_path).folder
    result = CliRunner().invoke(application, ["report", str(folder)])
    assert result.exit_code == 0, result.output
    path = Path(str(folder)) / "report.html"
    assert path.stat().st_size < 5_000_000
    page = path.read_text(encoding="utf-8")
    assert "The network has 13 002" in page
    assert "Weights of each neuron of dense1 as a picture" in page
    assert "worst mistake" in page
    assert "prefers-color-scheme:dark" in page
    elsewhere = CliRunner().invoke(application, ["report", str(folder), "--output", str(tmp_path / "here.htm")])
    assert elsewhere.exit_code == 2
    assert ".html" in elsewhere.output


def test_words_are_explained_where_they_stand_once() -> None:
    text = explained("Each epoch, and the next epoch, lowers the loss.")
    assert text.count("<abbr") == 2
    assert WORDS["loss"] in text
    assert all(sentence.endswith(".") for sentence in WORDS.values())


def test_what_cannot_be_reported_is_said(hostile: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="replica 7"):
        report_page(hostile, replica=7)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="matplotlib"):
        report_page(hostile)


# ---- what is said and drawn suits the data


def said(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)).split())


def test_data_without_a_test_part_have_none_in_their_report() -> None:
    words = said(report_page(cr.fit("2-2-2 tanh softmax", "xor", epochs=1)))
    assert not re.search(r"\btest (accuracy|example|part)", words)
    assert "on 4 training examples" in words


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("last", [cr.Dense(1), cr.Dense(2, "softmax")])
def test_ids_have_a_report(count: int, last: cr.nn.Layer) -> None:
    random = np.random.default_rng(0)
    net = cr.Sequential(cr.OneHot(5), cr.Flatten(), cr.Dense(4, "relu"), last)
    x = random.integers(0, 5, size=(40, count))
    page = report_page(cr.fit(net, (x, x.sum(1) * 1.0 if last == cr.Dense(1) else x[:, 0] % 2), epochs=1))
    assert "The learned function" not in page
    assert "Gradient and weights" in page


def test_a_single_test_example_has_a_report() -> None:
    x = np.random.default_rng(0).normal(size=(7, 3))
    run = cr.fit("3-4-3 tanh softmax", (x, ["ant", "bee", "cow", "ant", "bee", "cow", "ant"]), epochs=2, replicas=2)
    assert len(run.data.test) == 1
    page = report_page(run)
    assert "What the layers make of the data" not in page
    assert "Results" in page


def test_two_inputs_are_shown_with_their_examples_and_the_first_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[cr.pictures.View] = []
    draw = cr.pictures.neuron_surface

    def drawn(*given: object, **options: object) -> cr.pictures.View:
        asked.append(draw(*given, **options))
        return asked[-1]

    monkeypatch.setattr(cr.pictures, "neuron_surface", drawn)
    x = np.random.default_rng(0).uniform(3, 9, (40, 2))
    data = cr.data.from_arrays(x, x[:, :1] * x[:, 1:], scaling="standardise")
    run = cr.fit("2-3-1 tanh", data, epochs=1, replicas=2)
    report_page(run, replica=1)
    assert [picture.title.split()[0] for picture in asked] == ["dense2.z", "dense1.a"]
    for picture in asked:
        assert len(picture.numbers["examples"]) == len(run.data.train)
        assert picture.numbers["first"][0] < run.data.train.x[:, 0].min()
        assert picture.numbers["first"][-1] > run.data.train.x[:, 0].max()
    rows = np.array([[asked[1].numbers["first"][0], asked[1].numbers["second"][0]]])
    np.testing.assert_allclose(asked[1].numbers["values"][0, 0], run.model(1).quantities(rows)["dense1.a"][0, 0])


def test_measured_targets_are_counted_without_their_errors() -> None:
    x = np.linspace(0, 1, 8)[:, None]
    data = cr.data.with_errors(cr.data.from_arrays(x, np.sin(x), split=None), np.full(8, 0.1))
    words = said(report_page(cr.fit("1-2-1", data, loss="chi_squared", epochs=1)))
    assert "1 number to fit, with standard errors" in words
    assert "optimizer Adam, learning rate 0.01" in words
    assert "slots" not in words
    assert "1 replica " in words
    assert not re.search(r"\d\.?\d*e[-+]\d", words)


CURVES = {
    "a relu at the end": (cr.parse_network("1-4-1 tanh relu"), None),
    "dropout": (cr.Sequential(cr.Dense(4, "relu"), cr.Dropout(0.2), cr.Dense(1)), None),
    "a logarithm": (cr.parse_network("1-4-1 tanh"), "poisson_from_log"),
    "two numbers": (cr.parse_network("1-4-2 tanh"), None),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_has_a_report_whatever_its_network(name: str) -> None:
    """What each neuron adds is shown only where the output is a sum over neurons; two numbers have no curve of one."""
    network, loss = CURVES[name]
    x = np.linspace(-1, 1, 20)
    y = np.abs(x)[:, None] * [[1.0, 2.0]] if name == "two numbers" else np.round(np.exp(x))
    page = report_page(cr.fit(network, (x, y), loss=loss, epochs=1))
    assert ("The learned function" in page) == (name != "two numbers")
    assert ("Fit of one variable by 1-4-1<" in page) == (name != "two numbers")  # dropout has no neurons of its own
    assert "added up" not in page


def test_a_fit_by_a_formula_names_no_layers() -> None:
    x = np.linspace(-1, 1, 20)
    run = cr.fit(cr.Formula("a*x", {"a": ()}), (x, 2 * x), epochs=1)
    assert cr.pictures.fit_1d(run).title == "Fit of one variable"


def test_the_output_over_two_inputs_is_what_is_predicted() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    counts = np.random.default_rng(1).poisson(100 * np.exp(x[:, :1])) * 1.0
    for loss in (None, "poisson_from_log"):
        run = cr.fit("2-3-1 tanh", cr.data.from_arrays(x, counts, split=None), loss=loss, epochs=2, dtype="float64")
        found = cr.pictures.neuron_surface(run, "output").numbers
        places = np.stack(np.meshgrid(found["first"], found["second"]), axis=2).reshape(-1, 2)
        np.testing.assert_allclose(found["values"].reshape(-1, 1), run.predict(places), rtol=1e-9)
