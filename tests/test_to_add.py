"""To add a thing is to write it: op, layer, optimizer, loss and picture of a package outside the library, used together to the end."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application
from chainrule.graph import REGISTRY

PACKAGE = {
    "__init__": "from added import layers, losses, ops, optimizers, pictures\n",
    "ops": r'''"""An op: the root of 1 + x², less 1."""

import numpy as np

from chainrule import ops
from chainrule.ops.declare import elementwise


@elementwise("bowl({0})", r"\operatorname{{bowl}}({0})", finite_slope=True)
def bowl(x):
    """√(1 + x²) − 1."""
    return np.sqrt(1 + x * x) - 1


@bowl.vjp
def bowl_vjp(g, out, x):
    """x/√(1 + x²)."""
    return (g * x / (out + 1.0),)


@bowl.decompose
def bowl_parts(x):
    """What engines run."""
    return ops.sqrt(x * x + 1.0) - 1.0
''',
    "layers": '''"""A layer with the op in it, and a state."""

import chainrule as cr
from added.ops import bowl
from chainrule.checks import Count


@cr.described
class Bowls:
    """a = bowl(x·W) less its running mean."""

    units: Count
    name: str = ""

    def __call__(self, x):
        with cr.nn.layer_scope(self, "bowls", x) as here:
            bent = bowl(here.label(x @ here.parameter("W", (x.shape[1], self.units), cr.GlorotUniform()), "z"))
            mean = here.state("mean", (self.units,), cr.Zeros())
            here.next_state("mean", mean * 0.9 + cr.ops.mean(bent, 0) * 0.1)
            return here.gives(here.label(bent - mean, "a"))
''',
    "losses": '''"""A loss by the op."""

from typing import ClassVar

import chainrule as cr
from added.ops import bowl


@cr.described
class BowlLoss:
    """The bowl of each difference."""

    width: float = 1.0

    name: ClassVar[str] = "bowl"
    formula: ClassVar[str] = "Σ_j bowl(a_j − y_j)"
    target: ClassVar[str] = "values"

    def __call__(self, output, target):
        return cr.ops.sum(bowl((output - target) * (1.0 / self.width)), 1)
''',
    "optimizers": '''"""An optimizer whose step is bent by the op."""

import chainrule as cr
from added.ops import bowl


@cr.described
class Careful(cr.train.Optimizer):
    """Steps along a running mean, shorter where it is large."""

    learning_rate: float | cr.train.Schedule = 0.05

    slots = ("mean",)
    symbols = {"mean": "m"}

    def update(self, w, g, slots, rate, step):
        mean = slots["mean"] * 0.8 + g * 0.2
        return w - mean / (bowl(mean) + 1.0) * rate, {"mean": mean}
''',
    "pictures": '''"""A picture of the layer."""

import numpy as np

from chainrule.views.marks import Line, Points
from chainrule.views.panels import Axis, Panel
from chainrule.views.view import View


def bowls(run):
    """The running means of the layer beside its bowl."""
    z = np.linspace(-2.0, 2.0, 41)
    mean = run.states()["bowls1.mean"]
    marks = [Line(z, np.sqrt(1 + z * z) - 1, label="bowl"), Points(np.zeros(len(mean)), mean, color=1, label="means")]
    return View("Bowls", "Each point is the running mean of a unit.", [Panel(marks, Axis("z"), Axis("a"))], {"mean": mean})
''',
}
ELSEWHERE = """
import sys
sys.path.insert(0, {place!r})
import numpy as np
import chainrule as cr
try:
    cr.open_run({folder!r})
except cr.errors.UndefinedClassError as error:
    print(str(error).split(chr(10))[2].strip())
import added
run = cr.open_run({folder!r})
np.save({place!r} + "/predicted.npy", run.predict(np.load({place!r} + "/x.npy")))
print(run.hash)
print(cr.resume({folder!r}, epochs=4).hash)
"""


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """The package, imported; what it enters is taken away again, for other tests look at all that there is."""
    place = tmp_path_factory.mktemp("place")
    (place / "added").mkdir()
    for name, text in PACKAGE.items():
        (place / "added" / f"{name}.py").write_text(text)
    sys.path.insert(0, str(place))
    try:
        yield importlib.import_module("added")
    finally:
        sys.path.remove(str(place))
        REGISTRY.pop("bowl", None)
        for name in [name for name in sys.modules if name.split(".")[0] == "added"]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A table of numbers."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    x = np.random.default_rng(0).normal(size=(48, 3)).round(3)
    path.write_text("\n".join(["a,b,c,y", *(",".join(map(str, [*row, abs(row).sum().round(3)])) for row in x)]))
    return path


def trained(added, rows, **options):
    net = cr.Sequential(added.layers.Bowls(4), cr.Dense(1))
    optimizer, source = added.optimizers.Careful(cr.StepDecay(0.5, every=10)), {"name_or_path": str(rows), "target": "y"}
    return cr.fit(net, source, loss=added.losses.BowlLoss(2.0), optimizer=optimizer, batch_size=8, **options)


@pytest.fixture(scope="module")
def run(added, rows, tmp_path_factory):
    return trained(added, rows, epochs=3, folder=tmp_path_factory.mktemp("runs"))


def test_all_of_it_learns_the_same_on_both_engines(added, rows, run):
    _, losses = run.history.curve("training", "loss")
    assert losses[-1, 0] < losses[0, 0]
    other = trained(added, rows, epochs=3, engine="reference")
    for name, value in run.parameters().items():
        np.testing.assert_allclose(value, other.parameters()[name], rtol=2e-4, atol=1e-6)
    assert run.states().keys() == {"bowls1.mean"}


def test_another_process_opens_it_once_it_has_the_package(added, rows, run, tmp_path):
    folder, place = (
        shutil.copytree(run.folder, tmp_path / "run"),
        shutil.copytree(added.__path__[0], tmp_path / "place" / "added").parent,
    )
    x = run.data.test.x
    np.save(place / "x.npy", x)
    program = ELSEWHERE.format(place=str(place), folder=str(folder))
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert said.returncode == 0, said.stderr
    refused, opened, resumed = said.stdout.splitlines()
    assert 'write "import added.' in refused
    assert opened == run.hash
    assert np.array_equal(np.load(place / "predicted.npy"), run.predict(x))
    assert resumed == trained(added, rows, epochs=4).hash


def test_it_is_explained_and_every_rule_is_checked(run):
    explanation = run.explain(0)
    assert explanation.agrees
    text = str(explanation)
    assert "bowl(bowls1.z)" in text
    assert "bowls1.W" in text
    answer = CliRunner().invoke(application, ["explain", str(run.folder), "--example", "1"])
    assert answer.exit_code == 0, answer.output
    assert "bowl" in answer.output


def test_the_ledger_tells_why_a_weight_moved(run):
    ledger = run.ledger(5, "bowls1.W")
    assert "bowls1.W" in str(ledger)
    before, after = (run.at(step).parameters()["bowls1.W"].astype(float) for step in (5, 6))
    assert np.abs(after - before).max() > 0
    assert any("bowl" in text for text in map(str, np.ravel([run.settings.optimizer.formulas])))


def test_it_is_drawn_shown_and_written_as_code(run):
    drawn = cr.views.networks.draw_network(run)._repr_svg_()
    assert "bowls1" in drawn
    assert "<svg" in cr.views.networks.draw_network(run, example=run.data.test[0])._repr_svg_()
    shown = CliRunner().invoke(application, ["show", str(run.folder)])
    assert shown.exit_code == 0
    assert "Bowls(4)" in shown.output
    assert "Careful" in shown.output
    assert run.branch(4, epochs=3).hash == run.hash


def test_its_picture_is_drawn_saved_and_written_for_a_page(added, run, tmp_path):
    view = added.pictures.bowls(run)
    np.testing.assert_array_equal(view.numbers["mean"], run.states()["bowls1.mean"])
    for ending in ("svg", "png", "pdf"):
        view.save(tmp_path / f"bowls.{ending}")
        assert (tmp_path / f"bowls.{ending}").stat().st_size > 1000
    kinds = [mark["kind"] for mark in json.loads(view.json())["panels"][0]["marks"]]
    assert kinds == ["line", "points"]
    assert "Bowls" in view._repr_svg_()
