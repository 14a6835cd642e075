"""Networks written out as C, JavaScript and NumPy, compiled and run by the tools of those languages, against what chainrule predicts."""

import contextlib
import dataclasses
import io
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application
from chainrule.errors import OptionError
from chainrule.graph import REGISTRY, Graph, Node, topological_order
from chainrule.interop.formats import FORMATS
from chainrule.interop.portable import portable
from chainrule.interop.written import c, javascript, numpy_code
from chainrule.nn import build_network
from tests.interop.written_cases import CASES, CLASSES, MOONS, NUMBERS, run_of

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
NODE = shutil.which("node")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-DTEST")
SAID = re.compile(r"(\d+) examples?: largest difference (\S+), allowed (\S+)")
TABLES = {"c": c.C.known, "javascript": javascript.JAVASCRIPT.known, "numpy": (*numpy_code.ROWS, *numpy_code._WRITERS, "scan")}
NOT_PREDICTING = {"random_bits", "random_fold"}
"""Ops that no file has: they draw random numbers, which no prediction does."""


@pytest.fixture(scope="module")
def runs():
    made: dict[str, cr.Run] = {}
    return lambda name: made.setdefault(name, run_of(name))


def command(*arguments: object) -> str:
    found = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_itself(path: Path) -> None:
    """The file is run by what runs such files; it must say that it compared, and be as near as float32 is."""
    if path.suffix == ".c":
        if COMPILER is None:
            pytest.skip("there is no C compiler here")
        program = path.with_suffix("")
        command(COMPILER, *STRICT, path, "-lm", "-o", program)
        said = command(program)
    elif path.suffix == ".js":
        if NODE is None:
            pytest.skip("there is no Node here")
        said = command(NODE, path, "--test")
    else:
        text = io.StringIO()
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        assert not ended.value.code
        said = text.getvalue()
    count, off, allowed = SAID.search(said).groups()
    assert int(count) >= 1
    assert float(off) <= float(allowed)


test_itself.__test__ = False


@pytest.mark.parametrize("to", ["c", "javascript", "numpy"])
@pytest.mark.parametrize("name", CASES)
def test_each_layer_computes_elsewhere_what_it_computes_here(name, to, runs, tmp_path):
    (path,) = cr.export(runs(name), tmp_path / f"model{FORMATS[to].suffix}", to)
    test_itself(path)


def test_the_cases_hold_every_layer_and_every_loss_with_outputs_of_its_own(runs):
    made = {getattr(cr.nn, name) for name in set(cr.nn.__all__) & set(cr.__all__) if isinstance(getattr(cr.nn, name), type)}
    layers = {
        item for item in made if dataclasses.is_dataclass(item) and "name" in {field.name for field in dataclasses.fields(item)}
    }
    used = {type(use.layer) for name in CASES for use in runs(name).problem.described.built.uses}
    others = {cr.GraphLayer, cr.GraphUse, cr.Network}  # are written as the graphs that they are
    assert layers - used - others - {cr.Bidirectional, cr.TimeDistributed, cr.Residual} == set()
    assert {runs(name).problem.probabilities for name in CASES} == {"none", "softmax", "sigmoid", "as they are"}


@pytest.mark.parametrize("to", TABLES)
def test_the_table_of_each_language_holds_every_op_or_what_it_is_made_of(to):
    lacking = {
        name for name, op in REGISTRY.items() if op.kind != "leaf" and name not in TABLES[to] and op.decomposition is None
    }
    ours = {name for name in lacking if REGISTRY[name].meaning.__module__.startswith("chainrule.")}
    assert ours == NOT_PREDICTING


def numpy_file(subject, folder, **options):
    (path,) = cr.export(subject, folder / "model.py", "numpy", **options)
    return runpy.run_path(str(path))


def test_a_file_takes_the_users_units_and_any_number_of_examples(runs, tmp_path):
    run = runs("numbers")
    found = numpy_file(run, tmp_path)
    x = NUMBERS.train.x
    for count in (1, 2, len(x)):
        np.testing.assert_allclose(found["predict"](x[:count]), run.predict(x[:count]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"x has the shape \(2, 3\); expected: \(n, 4\)"):
        found["predict"](np.zeros((2, 3)))


def test_classes_and_probabilities_come_with_the_file(runs, tmp_path):
    run = runs("logits")
    found = numpy_file(run, tmp_path)
    x = CLASSES.train.x
    said = found["predict"](x)
    np.testing.assert_allclose(said["probabilities"], run.probabilities(x), rtol=1e-5)
    assert found["classify"](x) == run.classify(x)
    assert found["CLASSES"] == list(run.problem.classes)


def test_ids_that_there_are_not_are_errors_or_no_numbers(runs, tmp_path):
    run = runs("ids")
    bad = np.full((1, 5), 6.0)
    with pytest.raises(ValueError, match=r"expected: 0 \.\.\. 5"):
        numpy_file(run, tmp_path)["predict"](bad)
    if NODE is None:
        pytest.skip("there is no Node here")
    (path,) = cr.export(run, tmp_path / "model.js")
    said = command(
        NODE, "-e", f"console.log(JSON.stringify(require({json.dumps(str(path))}).predict({bad.tolist()}).probabilities))"
    )
    assert json.loads(said) == [None] * 3


def test_a_page_and_node_use_the_same_file(runs, tmp_path):
    if NODE is None:
        pytest.skip("there is no Node here")
    run = runs("softmax")
    (path,) = cr.export(run, tmp_path / "model.js")
    x = CLASSES.train.x[:1]
    # As a page does it: no module, no require; the script's own names are all that there is.
    page = f"new Function({json.dumps(path.read_text() + '; return network;')})()"
    said = command(
        NODE, "-e", f"const n = {page}; console.log(JSON.stringify([n.classify({x.tolist()}), n.predict({x.tolist()})]))"
    )
    name, numbers = json.loads(said)
    assert [name] == run.classify(x)
    np.testing.assert_allclose(numbers["probabilities"], run.probabilities(x)[0], rtol=1e-5)
    assert "network.predict(x)" in path.read_text()


def test_replicas_networks_models_and_graphs_are_written_too(tmp_path):
    run = cr.fit("2-3-2 tanh softmax", MOONS, epochs=1, replicas=2, engine="reference")
    x = MOONS.test.x
    for replica in (0, 1):
        said = numpy_file(run, tmp_path, replica=replica)["predict"](x)["probabilities"]
        np.testing.assert_allclose(said, run.predict(x, replica), rtol=1e-5)
    numpy_file(run.model(1), tmp_path)["test"]()
    test_itself(cr.export(cr.parse_network("2-3-1"), tmp_path / "net.c")[0])
    z = cr.input_node("z", (3,))
    graph = Graph({"length": cr.ops.norm(z), "order": cr.ops.flip(z)})
    for end in (".c", ".js", ".py"):
        test_itself(cr.export(graph, tmp_path / f"graph{end}")[0])


def test_names_of_ours_are_the_names_there(runs, tmp_path):
    text = cr.export(runs("softmax"), tmp_path / "model.c")[0].read_text()
    for name in ("dense1_W", "dense1_z", "dense1_a", "dense2_b"):
        assert name in text
    assert "malloc" not in text


def test_names_that_mean_something_else_there_are_changed(tmp_path):
    network = cr.Sequential(cr.Dense(2, name="int"), cr.Dense(2, name="exp"), cr.Dense(1, name="größe"), input_shape=(2,))
    x = cr.input_node("double", (1, 2))
    for end in (".c", ".js", ".py"):
        test_itself(cr.export(network, tmp_path / f"a{end}")[0])
        test_itself(cr.export(Graph({"return": cr.ops.exp(x).named("np")}), tmp_path / f"b{end}")[0])


def test_what_draws_random_numbers_is_refused_by_name(tmp_path):
    noise = cr.ops.uniform(cr.input_node("key", (2,), "uint32"), (2,))
    with pytest.raises(OptionError, match="the op random_bits"):
        cr.export(Graph({"y": noise}), tmp_path / "a.c")


def test_a_wrong_number_in_a_file_is_noticed_by_its_test(runs, tmp_path):
    run = runs("softmax")
    (path,) = cr.export(run, tmp_path / "model.py", "numpy")
    text = path.read_text()
    number = re.search(r"dense2_b = np.array\(\[\n    (\S+),", text)[1]
    path.write_text(text.replace(number, str(float(number) + 0.01)))
    names = runpy.run_path(str(path))
    assert names["test"]() > 1e-4


def test_the_command_writes_and_says_where(tmp_path):
    run = cr.fit("2-3-2 tanh softmax", "moons", epochs=1, folder=tmp_path / "runs")
    target = tmp_path / "moons.c"
    result = CliRunner().invoke(application, ["export", str(run.folder), "--to", "c", "--output", str(target)])
    assert result.exit_code == 0, result.output
    assert "moons.c" in result.output
    test_itself(target)
    result = CliRunner().invoke(application, ["export", str(run.folder), "--to", "c"])
    assert result.exit_code == 0, result.output
    assert (run.folder / "exported.c").read_bytes() == target.read_bytes().replace(b"moons.c", b"exported.c")
    result = CliRunner().invoke(application, ["export", str(run.folder)])
    assert result.exit_code == 2
    assert "--to c" in result.output


def test_every_kind_of_op_is_written_as_its_meaning_says(tmp_path):
    """All of the table's elementwise rows in one graph, at numbers of both signs, in both dtypes."""
    for dtype in ("float64", "float32"):
        x, y = (cr.input_node(name, (1, 4), dtype) for name in ("x", "y"))
        outputs: dict[str, Node] = {}
        for name in sorted(c.ROWS):
            op = REGISTRY[name]
            if name.startswith("logical"):
                made = op(*[cr.ops.greater(node, 0.5) for node in (x, y)][: op.arity])
            elif name == "where":
                made = op(cr.ops.less(x, y), x, y)
            else:
                made = op(*(x, y)[: op.arity])
            outputs[name] = cr.ops.cast(made, dtype=dtype)
        graph = Graph(outputs)
        assert {node.op.name for node in topological_order(outputs.values())} >= set(c.ROWS)
        for end in (".c", ".js", ".py"):
            test_itself(cr.export(graph, tmp_path / f"ops{end}")[0])


def test_a_network_of_a_file_says_what_the_graph_says(tmp_path):
    built = build_network(cr.parse_network("3-4-2 tanh"), (3,))
    names = [*built.parameters]
    values = {name: np.random.default_rng(1).normal(size=built.parameters[name].node.shape) for name in names}
    found = numpy_file(cr.parse_network("3-4-2 tanh"), tmp_path, values=values)
    x = np.random.default_rng(2).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        found["predict"](x), portable(cr.parse_network("3-4-2 tanh"), values).outputs({"x": x})["output"], rtol=1e-6
    )
