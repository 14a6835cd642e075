"""Networks as spreadsheets, formulas and weights: read back by openpyxl and formulas, by a reader of LaTeX, by mathtext and safetensors."""

import json
import re
import runpy
import shutil
import subprocess

import numpy as np
import pytest
from safetensors import safe_open

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.interop.written.places import Place, flat, unflat
from tests.interop.latex_judge import computed, document
from tests.interop.written_cases import CASES, CLASSES, NUMBERS, run_of


@pytest.fixture(scope="module")
def runs():
    made: dict[str, cr.Run] = {}
    return lambda name: made.setdefault(name, run_of(name))


@pytest.fixture(scope="module")
def curve():
    x = np.linspace(5, 15, 60)
    return cr.fit("1-50-1 tanh", (x, 100 * np.sin(x)), optimizer=cr.Adam(0.02), epochs=20)


# ---- spreadsheets


def calculated(path, changes=None):
    """The workbook, and its cells as the library formulas computes them, after inputs were changed."""
    openpyxl, formulas = pytest.importorskip("openpyxl"), pytest.importorskip("formulas")
    book = openpyxl.load_workbook(path)
    for cell, value in (changes or {}).items():
        book["Network"][cell] = value
    book.save(path)
    solution = formulas.ExcelModel().loads(str(path)).finish().calculate()
    return book["Network"], lambda cell: solution[f"'[{path.name}]NETWORK'!{cell}"].value[0, 0]


def columns(sheet):
    return {cell.value: cell.column_letter for cell in sheet[4] if cell.value}


SHEETS = (
    "numbers",
    "bounded numbers",
    "softmax",
    "logits",
    "one sigmoid",
    "functions",
    "residual",
    "one number to a channel",
)


@pytest.mark.filterwarnings("ignore")  # of the library formulas itself
@pytest.mark.parametrize("name", SHEETS)
def test_a_spreadsheet_computes_what_the_run_does_and_follows_its_inputs(name, runs, tmp_path):
    run = runs(name)
    (path,) = cr.export(run, tmp_path / "network.xlsx", "spreadsheet")
    shape = run.dataset_info.input_shape
    x = run.data.train.x[3].astype(float).reshape(-1)
    changes = {f"B{5 + place}": float(value) for place, value in enumerate(x)}
    for given, inputs in ((None, None), (changes, x.reshape(1, *shape).astype(run.dataset_info.input_dtype))):
        sheet, value = calculated(path, given)
        places = columns(sheet)
        rows = [row for row in range(5, 40) if str(sheet[f"{places['difference']}{row}"].value).startswith("=")]
        found = [float(value(f"{places['value']}{row}")) for row in rows]
        if inputs is None:
            assert max(abs(float(value(f"{places['difference']}{row}"))) for row in rows) < 1e-5
        else:
            wanted = run.probabilities(inputs)[0] if run.problem.classes else run.predict(inputs)[0]
            np.testing.assert_allclose(found[-len(wanted) :], wanted, rtol=2e-6, atol=1e-7)


def test_every_weight_has_a_label_and_no_text_becomes_a_formula(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    frame = cr.data.from_arrays(np.arange(24.0).reshape(12, 2), np.arange(12.0), name="=1+1", features=("=A1", "b"))
    run = cr.fit("2-2-1", frame, epochs=1, engine="reference")
    book = openpyxl.load_workbook(cr.export(run, tmp_path / "a.xlsx")[0])
    assert book["Network"]["A5"].value == "=A1"
    assert book["Network"]["A5"].data_type == "s"
    weights = book["dense1"]
    assert [weights["A1"].value, weights["B1"].value, weights["A2"].value] == ["dense1.W: 2 × 2", "to 1", "from 1"]
    np.testing.assert_array_equal(weights["B2"].value, run.parameters()["dense1.W"][0, 0])


def test_what_no_spreadsheet_can_hold_is_refused(runs, tmp_path):
    pytest.importorskip("openpyxl")
    with pytest.raises(OptionError, match=r"spreadsheet of .* cells"):
        cr.export(cr.parse_network("784-100-10"), tmp_path / "a.xlsx")
    with pytest.raises(OptionError, match="the op scan in the layer lstm1"):
        cr.export(runs("lstm"), tmp_path / "a.xlsx")


# ---- formulas


def values(text, run, x):
    """The formula's outputs for inputs (n, k), as an array (n, outputs)."""
    names = ["x"] if x.shape[1] == 1 else [f"x_{{{place + 1}}}" for place in range(x.shape[1])]
    found = [computed(text, dict(zip(names, row, strict=True))) for row in x]
    outputs = [left for left in document(text)[0] if left[0] in "yp"]
    return np.array([[known[re.sub(r"\s", "", left)] for left in outputs] for known in found])


def stated(text):
    """The error that the text states."""
    return float(re.search(r"at most \$(.*?)\$", text)[1].replace(r" \times 10^{", "e").replace("10^{", "1e").replace("}", ""))


@pytest.mark.parametrize("hidden", ["1-3-1 tanh", "1-50-1 tanh", "1-12-1 relu", "1-6-1 sigmoid", "1-8-8-1 tanh"])
def test_a_formula_for_a_paper_gives_what_the_network_predicts(hidden, tmp_path):
    x = np.linspace(5, 15, 60)
    run = cr.fit(hidden, (x, 100 * np.sin(x)), optimizer=cr.Adam(0.02), epochs=20, engine="reference")
    text = cr.export(run, tmp_path / "a.tex")[0].read_text()
    points = np.linspace(4.5, 15.5, 40)[:, None]
    off = np.abs(values(text, run, points) - run.predict(points)).max()
    # Of the stated error, rounded to three digits, and found at other points.
    assert off <= 2 * stated(text) + 1e-4
    assert stated(text) <= 1e-4 * np.ptp(run.predict(points)) * 2


@pytest.mark.parametrize("name", ["numbers", "bounded numbers", "softmax", "logits", "one sigmoid", "residual", "sigmoids"])
def test_formulas_of_classes_and_of_several_outputs(name, runs, tmp_path):
    run = runs(name)
    text = cr.export(run, tmp_path / "a.tex")[0].read_text()
    x = run.data.train.x[:6]
    wanted = run.probabilities(x) if run.problem.classes else run.predict(x)
    off = np.abs(values(text, run, x) - wanted).max()
    assert off <= 3 * stated(text) + 1e-5


def test_a_curve_of_fifty_neurons_is_one_formula_with_a_table(curve, tmp_path):
    text = cr.export(curve, tmp_path / "a.tex")[0].read_text()
    equations, table = document(text)
    assert list(equations) == ["y"]
    assert equations["y"].startswith(r"\sum_{j=1}^{50} v_{j} \tanh(w_{j} \, x + b_{j})")
    assert {name: len(numbers) for name, numbers in table.items()} == {"v_{j}": 50, "w_{j}": 50, "b_{j}": 50}


def test_another_judge_reads_the_formulas_too(curve, runs, tmp_path):
    mathtext = pytest.importorskip("matplotlib.mathtext")
    for run in (curve, runs("softmax"), runs("one sigmoid")):
        text = cr.export(run, tmp_path / "a.tex")[0].read_text()
        for left, right in document(text)[0].items():
            mathtext.MathTextParser("path").parse(f"${left} = {right}$")


def read_by_latex(path):
    """Has LaTeX itself read a file, where it is installed."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("there is no pdflatex here")
    subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", path.name], cwd=path.parent, check=True, capture_output=True
    )
    assert path.with_suffix(".pdf").stat().st_size > 1000


def test_latex_itself_reads_the_file(curve, tmp_path):
    read_by_latex(*cr.export(curve, tmp_path / "a.tex"))


def test_what_is_too_long_for_a_formula_is_refused(runs, tmp_path):
    with pytest.raises(OptionError, match="a formula with"):
        cr.export(cr.parse_network("30-40-10"), tmp_path / "a.tex")
    with pytest.raises(OptionError, match="the op scan"):
        cr.export(runs("gru"), tmp_path / "a.tex")


# ---- weights


@pytest.mark.parametrize("name", ["numbers", "norms", "ids"])
def test_weights_come_back_with_what_they_belong_to(name, runs, tmp_path):
    run = runs(name)
    (path,) = cr.export(run, tmp_path / "a.safetensors")
    with safe_open(path, "numpy") as file:
        found = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
        told = file.metadata()
    for key, value in (run.parameters() | {key: run.states()[key] for key in run.problem.states}).items():
        np.testing.assert_array_equal(found[key], value)
    network = eval(told["network"], {"cr": cr})
    data, loss = CASES[name][1:]
    again = cr.fit(network, data, loss=loss, epochs=0, initial=found, engine="reference")
    np.testing.assert_allclose(again.predict(data.train.x), run.predict(data.train.x), rtol=1e-6)
    assert json.loads(told.get("classes", "null")) == (list(run.problem.classes) if run.problem.classes else None)


def test_scalings_stand_beside_the_weights(runs, tmp_path):
    run = runs("numbers")
    with safe_open(cr.export(run, tmp_path / "a.safetensors")[0], "numpy") as file:
        told = file.metadata()
    scaling = json.loads(told["scaling"])
    np.testing.assert_allclose(scaling["offset"], NUMBERS.train.x.mean(0))
    assert set(json.loads(told["target_scaling"])) == {"offset", "factor"}


def test_places_split_as_they_were_put_together():
    i, j = Place.of("i", 4), Place.of("j", 6)
    assert unflat(flat((i, j), (4, 6)), (4, 6)) == (i, j)
    assert unflat(flat((i, j), (4, 6)), (24,)) == (i * 6 + j,)
    assert unflat(flat((i, j), (4, 6)), (6, 4)) is None
    assert unflat(i + 1, (4,)) is None
    assert CLASSES.classes is not None


NAMES = ("50%_&", "<b>", "{b}", "a\\b$#", "x^~`|", 'say "é"', "日本", "þing «1»", "line\nbreak", "--")


def test_names_stay_apart_and_latex_reads_them(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 2))
    data = cr.data.from_arrays(x, np.arange(20) % len(NAMES), classes=NAMES, features=NAMES[:2], split=None)
    (path,) = cr.export(cr.fit(f"2-{len(NAMES)}:softmax", data, epochs=0, engine="reference"), tmp_path / "a.tex")
    lefts = re.findall(r"^p_\{(.*)\} &=", path.read_text(), re.MULTILINE)
    assert len(set(lefts)) == len(NAMES)
    assert {r"\text{50\%\_\&}", r"\text{\textless{}b\textgreater{}}", r"\text{U+65E5U+672C}"} <= set(lefts)
    read_by_latex(path)


def test_a_condition_is_not_broken_in_its_brackets(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    net = cr.Sequential(cr.Dense(2), cr.Formula("sqrt(z) if z > 0.1 else z**2 - abs(z)"), cr.Dense(1))
    run = cr.fit(net, (x, x[:, 0]), epochs=0, engine="reference")
    (path,) = cr.export(run, tmp_path / "a.tex")
    for line in path.read_text().split("\\\\\n"):
        for opening, closing in ((r"\begin{cases}", r"\end{cases}"), (r"\left", r"\right")):
            assert line.count(opening) == line.count(closing)
    (code,) = cr.export(run, tmp_path / "a.py")
    found = runpy.run_path(str(code))["predict"](x)  # no warning of roots that the condition does not take
    np.testing.assert_allclose(found, run.predict(x), rtol=1e-5)
    read_by_latex(path)
