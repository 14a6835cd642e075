"""A run whose network is made of Python code is opened by a process that has none of it: same bits, resumed, branched, explained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import ops
from chainrule.cli.application import application
from chainrule.errors import FileFormatError, MissingFileError, OptionError
from chainrule.nn import layer_scope
from chainrule.train.saved_network import apart
from chainrule.train.sealed import SEAL, sealed

ELSEWHERE = """
import sys, json
import numpy as np
import chainrule as cr

def look(folder, place):
    run = cr.open_run(folder)
    x = np.load(place + "/x.npy")
    found = {"hash": run.hash, "loss": run.evaluate("test").loss.tolist(), "text": str(run.explain(0))}
    found["drawn"] = cr.views.networks.draw_network(run)._repr_svg_()
    np.save(place + "/predicted.npy", run.predict(x))
    found["inside"] = sorted(run.model().quantities(x[:1]))
    found["branch"] = run.branch(2, epochs=4, seed=5).hash
    found["resumed"] = cr.resume(folder, epochs=4).hash
    return found

print(json.dumps({place: look(folder, place) for folder, place in json.loads(sys.argv[1])}))
"""


class Running:
    """A running mean that is taken away, a row's memory, and a loss of its own; no description."""

    def __call__(self, x):
        with layer_scope(self, "running", x) as here:
            mean, before = here.state("mean", x.shape[1:], cr.Zeros()), here.row_state("last")
            here.next_state("mean", mean * 0.9 + ops.mean(x, 0) * 0.1)
            here.next_state("last", ops.mean(x, 1) + before * 0.5)
            here.term("spread", ops.sum(x * x, axis=1) * 0.01, "0.01·Σ x²")
            return here.gives(here.label(x - mean + ops.reshape(before, shape=(x.shape[0], 1)), "a"))


def two_eyes():
    eye = cr.Dense(3, "tanh")
    return cr.Network(
        lambda left, right: cr.Dense(2, "softmax")(ops.concatenate(eye(left) * eye(right), left, axis=1)),
        inputs={"left": (4,), "right": (4,)},
    )


def first_values(key, shape):
    return ops.uniform(key, shape, -0.3, 0.3)


def last():
    return cr.Dense(2, "softmax")


NETWORKS = {
    "functions": lambda: cr.Sequential(cr.Dense(5, weights=first_values), ops.sin, lambda x: x * 1.5, cr.Dense(2, "softmax")),
    "wiring": two_eyes,
    "chance": lambda: cr.Sequential(lambda x: x + 0.1, cr.Dense(6), cr.Dropout(0.3), cr.BatchNorm(), cr.GaussianNoise(0.1), last()),
    "loop": lambda: cr.Sequential(cr.Reshape((4, 2)), cr.GRU(3), cr.Residual(cr.Dense(3), lambda x: ops.tanh(x)), last()),
    "convolution": lambda: cr.Sequential(cr.Reshape((4, 2, 1)), cr.Conv2D(2, 2, "relu"), lambda x: x * x, cr.Flatten(), last()),
    "states": lambda: cr.Sequential(Running(), cr.Dense(2, "softmax")),
    "ids": lambda: cr.Sequential(cr.Embedding(10, 2), lambda x: ops.sum(x, axis=1), cr.Dense(2, "softmax")),
}  # fmt: skip
OPTIONS = {
    "chance": {"replicas": 2, "optimizer": cr.Adam(0.05)}, "loop": {"dtype": "float64", "clip": cr.ClipNorm(1.0)},
    "wiring": {"engine": "reference"}, "states": {"order": "consecutive"},
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A table of whole numbers, 60 rows for training and 12 for testing."""
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    x = np.random.default_rng(0).integers(0, 10, (72, 8))
    names = ["yes" if row[:3].sum() > row[3:6].sum() else "no" for row in x]
    path.write_text(
        "\n".join(["a,b,c,d,e,f,g,h,answer", *(",".join(map(str, [*row, name])) for row, name in zip(x, names, strict=True))])
    )
    return path


def trained(network, rows, **options):
    split = cr.data.RandomSplit(test=1 / 6)
    return cr.fit(network, {"name_or_path": str(rows), "target": "answer", "split": split}, batch_size=12, seed=3, **options)


@pytest.fixture(scope="module")
def opened(rows, tmp_path_factory):
    """Each network's run, trained here, where it is kept, and what another process, which has no code of them, finds there."""
    runs, places = {}, {}
    for name, make in NETWORKS.items():
        places[name] = tmp_path_factory.mktemp(name)
        runs[name] = trained(make(), rows, epochs=2, folder=places[name] / "runs", **OPTIONS.get(name, {}))
        np.save(places[name] / "x.npy", runs[name].data.test.x[:7])
    pairs = json.dumps([[str(runs[name].folder), str(place)] for name, place in places.items()])
    script = tmp_path_factory.mktemp("script") / "elsewhere.py"
    script.write_text(ELSEWHERE)
    answer = subprocess.run(
        [sys.executable, str(script), pairs], capture_output=True, text=True, check=False, cwd=script.parent
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found = json.loads(answer.stdout)
    return {name: (runs[name], place, found[str(place)]) for name, place in places.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_another_process_goes_on_without_the_code(name, rows, opened):
    run, place, found = opened[name]
    x = run.data.test.x[:7]
    assert found["hash"] == run.hash
    assert np.array_equal(np.load(place / "predicted.npy"), run.predict(x))
    assert found["loss"] == run.evaluate("test").loss.tolist()
    assert found["text"] == str(run.explain(0))
    assert found["drawn"] == cr.views.networks.draw_network(run)._repr_svg_()
    assert found["inside"] == sorted(run.model().quantities(x[:1]))
    assert found["branch"] == run.branch(2, epochs=4, seed=5).hash
    assert found["resumed"] == trained(NETWORKS[name](), rows, epochs=4, **OPTIONS.get(name, {})).hash


def test_the_commands_open_it(rows, tmp_path):
    run = trained(NETWORKS["functions"](), rows, epochs=2, folder=tmp_path)
    for command in ("show", "evaluate", "explain"):
        answer = CliRunner().invoke(application, [command, str(run.folder)])
        assert answer.exit_code == 0, answer.output
    shown = CliRunner().invoke(application, ["show", str(run.folder)]).output
    assert "kept as its graph" in shown
    assert "dense2" in shown
    predicted = CliRunner().invoke(application, ["predict", str(run.folder), str(rows)])
    assert predicted.exit_code == 0
    assert predicted.output.count("\n") >= 72
    code = CliRunner().invoke(application, ["show", str(run.folder), "--code", "chainrule"])
    assert "cr.GraphLayer(" in code.output, code.output[-500:]


def test_a_branch_of_what_was_opened_is_saved_and_opened_again(rows, tmp_path):
    run = trained(NETWORKS["chance"](), rows, epochs=2, folder=tmp_path)
    branch = cr.open_run(run.folder).branch(3, epochs=3, folder=tmp_path)
    again = cr.open_run(branch.folder)
    assert again.hash == branch.hash == run.branch(3, epochs=3).hash
    assert again.trainer.problem.network == cr.open_run(run.folder).trainer.problem.network


OWN = '''
import chainrule as cr

@cr.described
class Squared:
    """x², weighed."""

    factor: float = 2.0
    name: str = ""

    def __call__(self, x):
        with cr.nn.layer_scope(self, "squared", x) as here:
            return here.gives(here.label(x * x * self.factor, "a"))
'''


def test_a_class_that_is_not_defined_elsewhere_is_opened_as_its_graph(rows, tmp_path):
    place_of_own = tmp_path / "own"
    place_of_own.mkdir()
    (place_of_own / "squares.py").write_text(OWN)
    sys.path.insert(0, str(place_of_own))
    try:
        import squares
    finally:
        sys.path.remove(str(place_of_own))
    run = trained(cr.Sequential(cr.Dense(3), squares.Squared(0.5), cr.Dense(2, "softmax")), rows, epochs=1, folder=tmp_path)
    # Where the class is defined it is the class that comes back.
    assert isinstance(cr.open_run(run.folder).trainer.problem.network.layers[1], squares.Squared)
    program = (
        f"import chainrule as cr\nrun = cr.open_run({str(run.folder)!r})\n"
        "print(run.hash, type(run.trainer.problem.network).__name__)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert answer.stdout.split() == [run.hash, "GraphLayer"], answer.stderr[-1000:]


def test_what_has_no_graph_for_any_batch_says_why_and_is_passed_again(rows, tmp_path):
    def by_rank(x):
        return x * ops.reshape(cr.constant(np.arange(x.shape[0]) + 1.0, x.dtype), shape=(x.shape[0], 1)) ** 0.0

    network = cr.Sequential(by_rank, cr.Dense(2, "softmax"))
    run = trained(network, rows, epochs=1, folder=tmp_path)
    with pytest.raises(OptionError, match=r"goes by the size of its batch.*\n.*\n.*net=") as refused:
        cr.open_run(run.folder)
    assert "constant(value=" in str(refused.value)
    assert cr.open_run(run.folder, net=network).hash == run.hash


def test_a_graph_over_all_examples_is_opened_for_all_of_them(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    path = tmp_path / "nodes.csv"
    path.write_text("\n".join(["a,b,c,y", *(",".join(map(repr, [*row.tolist(), float(row.sum() ** 2)])) for row in x)]))
    joined = np.eye(20)[:, ::-1] + 0.1

    def neighbours(x):
        return cr.constant(joined, x.dtype) @ cr.Dense(4, "tanh")(x)

    source = {"name_or_path": str(path), "target": "y", "split": None}
    run = cr.fit(cr.Sequential(neighbours, cr.Dense(1)), source, batch_size=20, epochs=3, folder=tmp_path)
    again = cr.open_run(run.folder)
    assert np.array_equal(again.predict(run.data.train.x), run.predict(run.data.train.x))
    assert (
        cr.resume(run.folder, epochs=5).hash
        == cr.fit(cr.Sequential(neighbours, cr.Dense(1)), source, batch_size=20, epochs=5).hash
    )
    with pytest.raises(cr.errors.DataError, match="20 examples at once"):
        again.predict(x[:3])


def test_hostile_graphs_in_a_folder_are_refused(rows, tmp_path):
    run = trained(NETWORKS["functions"](), rows, epochs=1, folder=tmp_path)
    path = Path(run.folder) / "config.json"
    config = {key: value for key, value in json.loads(path.read_text()).items() if key != SEAL}
    text = config["network"]["network"]["graph"]["text"]
    for old, new in (
        ("sin(", "open("), ("= input()", "= constant(value=[0.0])"), ("{B}", "{B.__class__}"), ("{B}", "9999999999999"),
        ("return ", "retour "), ("matmul", "add"), ("dense1.W", "dense1.V"),
    ):  # fmt: skip
        config["network"]["network"]["graph"]["text"] = text.replace(old, new)
        path.write_bytes(sealed(config))
        with pytest.raises((FileFormatError, OptionError, cr.errors.GraphError, cr.errors.ShapeError)):
            cr.open_run(run.folder)


def test_long_lists_of_numbers_stand_in_a_file_of_arrays(tmp_path):
    first = np.random.default_rng(0).normal(size=(60, 80))
    net = cr.Sequential(
        cr.Dense(80, weights=cr.Constant(first)), cr.Dense(80, "tanh", biases=cr.Constant(list(first[0]))), cr.Dense(2)
    )
    data = cr.data.from_arrays(np.random.default_rng(1).normal(size=(40, 60)), np.arange(40) % 2)
    run = cr.fit(net, data, loss="cross_entropy_from_logits", epochs=2, folder=tmp_path)
    assert (run.folder / "config.json").stat().st_size < 20_000
    assert (run.folder / "network.safetensors").stat().st_size > 8 * first.size
    again = cr.open_run(run.folder, data=data)
    assert again.problem.network == net
    assert again.hash == run.hash
    assert cr.resume(run.folder, epochs=4, data=data).hash == cr.fit(net, data, loss="cross_entropy_from_logits", epochs=4).hash
    content = bytearray((run.folder / "network.safetensors").read_bytes())
    content[-3] ^= 1
    (run.folder / "network.safetensors").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"network\.safetensors cannot be read: its SHA-256"):
        cr.open_run(run.folder, data=data)
    (run.folder / "network.safetensors").unlink()
    with pytest.raises(MissingFileError, match=r"network\.safetensors"):
        cr.open_run(run.folder, data=data)
    assert cr.open_run(run.folder, data=data, net=net).hash == again.branch(again.trainer.step, epochs=4).hash


@pytest.mark.parametrize(
    "value", [[[1.0] * 3000, [2.0] * 3001], [1] * 5000, [1.0] * 4999 + [None], ["a"] * 5000, [True] * 5000]
)
def test_what_is_no_array_of_floats_stays(value):
    arrays = {}
    assert apart({"value": value}, arrays) == {"value": value}
    assert not arrays
