"""A user's own layer, loss, optimizer, schedule and initialiser go the whole way: trained, saved, opened elsewhere, explained, printed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application

OWN = '''
"""One of everything that a user may write."""

from typing import ClassVar

import numpy as np

import chainrule as cr
from chainrule.checks import Fraction, Positive


@cr.described
class Alternating:
    """First values of one size and both signs."""

    size: Positive = 0.5

    def __call__(self, key, shape):
        return cr.constant(np.resize([self.size, -self.size], shape))


@cr.described
class Gated:
    """a = x·W·σ(slope·x·V)."""

    units: int
    slope: Positive = 1.0
    start: cr.nn.Initialiser = Alternating()
    name: str = ""

    def __call__(self, x):
        with cr.nn.layer_scope(self, "gated", x) as here:
            w = here.parameter("W", (x.shape[1], self.units), self.start)
            v = here.parameter("V", (x.shape[1], self.units), cr.GlorotUniform())
            return here.gives(here.label(x @ w * cr.ops.sigmoid(x @ v * self.slope), "a"))


@cr.described
class Quartic:
    """The fourth power of the distance."""

    factor: Positive = 1.0

    name: ClassVar[str] = "quartic"
    formula: ClassVar[str] = "Σ_j (a_j − y_j)⁴"
    target: ClassVar[str] = "values"

    def __call__(self, output, target):
        return cr.ops.sum(cr.ops.square(cr.ops.square(output - target)), 1) * self.factor


@cr.described
class Halving:
    """A rate that halves."""

    rate: Positive = 0.1
    every: int = 3

    def __call__(self, steps, total):
        return self.rate * 0.5 ** (steps // self.every)


@cr.described
class Signs(cr.train.Optimizer):
    """Each step goes by the sign of the running mean."""

    learning_rate: Positive | cr.train.Schedule = 0.01
    beta: Fraction = 0.9

    slots: ClassVar[tuple[str, ...]] = ("mean",)

    def update(self, w, g, slots, rate, step):
        mean = slots["mean"] * self.beta + g * (1.0 - self.beta)
        return w - cr.ops.sign(mean) * rate, {"mean": mean}
'''
ELSEWHERE = """
import sys
import numpy as np
import chainrule as cr
data = (np.array({x}), np.array({y}))
try:
    cr.open_run({folder!r}, data=data)
except cr.errors.UndefinedClassError as error:
    print(str(error).replace(chr(10), " "))
sys.path.insert(0, {place!r})
import own_classes
run = cr.open_run({folder!r}, data=data)
print(run.evaluate("test").loss[0], run.settings.optimizer, run.hash)
print(cr.resume({folder!r}, epochs=3, data=data).hash)
"""
X = np.random.default_rng(0).normal(size=(20, 2)).round(3)
Y = (X[:, :1] * X[:, 1:]).round(6)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A module of a user's, imported."""
    place = tmp_path_factory.mktemp("own")
    (place / "own_classes.py").write_text(OWN)
    sys.path.insert(0, str(place))
    try:
        import own_classes

        yield own_classes
    finally:
        sys.path.remove(str(place))


@pytest.fixture(scope="module")
def run(own, tmp_path_factory):
    """A training with one of each."""
    net = cr.Sequential(shared := own.Gated(2, slope=2.0), shared, cr.Dense(1, weights=own.Alternating(0.2)), input_shape=(2,))
    return trained(own, net, epochs=2, folder=tmp_path_factory.mktemp("runs"))


def trained(own, net, **options):
    loss, optimizer = own.Quartic() + cr.L2(0.001), own.Signs(own.Halving(0.05))
    return cr.fit(net, (X, Y), loss=loss, optimizer=optimizer, batch_size=5, engine="reference", **options)


def network_of(run):
    return run.trainer.problem.network


def test_what_was_saved_is_opened_again(own, run):
    again = cr.open_run(run.folder, data=(X, Y))
    assert network_of(again) == network_of(run)
    assert network_of(again).layers[0] is network_of(again).layers[1]
    assert (again.settings, again.hash) == (run.settings, run.hash)
    assert again.evaluate("test").loss.tolist() == run.evaluate("test").loss.tolist()
    assert type(again.settings.schedule) is own.Halving


def test_another_process_opens_it_once_the_module_is_imported(own, run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    place = str(Path(own.__file__).parent)
    program = ELSEWHERE.format(x=X.tolist(), y=Y.tolist(), folder=str(folder), place=place)
    said = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True).stdout
    refusal, opened, resumed = said.splitlines()
    assert "a class of the module own_classes, which is not defined here" in refusal
    assert 'write "import own_classes"' in refusal
    assert opened == f"{run.evaluate('test').loss[0]} {run.settings.optimizer} {run.hash}"
    assert resumed == trained(own, network_of(run), epochs=3).hash


def test_it_is_printed_explained_drawn_and_written_as_code(own, run):
    assert "Σ_j (a_j − y_j)⁴) + 0.001·Σ w²" in str(run)
    assert repr(network_of(run).layers[0]) == "Gated(2, slope=2.0)"
    assert run.explain(0).agrees
    assert "gated1.V" in str(run.explain(0))
    assert "Gated(2, slope=2.0)" in str(cr.nn.summary(network_of(run)))
    assert "<svg" in cr.views.networks.draw_network(run)._repr_svg_()
    code = cr.nn.to_code(network_of(run))
    assert eval(code, {"cr": cr, "Gated": own.Gated, "Alternating": own.Alternating}) == network_of(run)
    assert "Gated(2, slope=2.0)" in network_of(run)._repr_html_()
    for shown in (run.settings.optimizer, run.settings, own.Quartic(), own.Halving()):
        assert type(shown).__name__ in shown._repr_html_()


def test_a_step_by_an_optimizer_of_ones_own_is_gone_through_again(run):
    assert run.at(3).parameters()["gated1.V"].shape == (2, 2)
    assert run.branch(4, learning_rate=0.01).settings.optimizer.beta == 0.9


def test_the_ledger_of_a_layer_loss_and_schedule_of_ones_own(own):
    ledger_of = cr.fit(
        cr.Sequential(own.Gated(2), cr.Dense(1)), (X, Y), loss=own.Quartic(), optimizer=cr.SGD(own.Halving(0.01)), epochs=1,
        batch_size=5, engine="reference",
    )  # fmt: skip
    assert "gated1.V" in str(ledger_of.ledger(1, "gated1.V"))


def test_the_code_of_a_run_imports_what_it_needs(own, run):
    from chainrule.cli.code import run_code
    from chainrule.train import RunFolder
    from chainrule.train.configuration import Configuration

    code = run_code(Configuration.read(RunFolder.open(run.folder)))
    assert code.startswith("import chainrule as cr\n\nfrom own_classes import Alternating\nfrom own_classes import Gated\n")
    assert "loss=Quartic() + cr.L2(0.001)" in code
    assert "optimizer=Signs(learning_rate=Halving(rate=0.05))" in code
    names: dict[str, object] = {}
    exec(
        code.replace("...  # arrays, which the run's folder does not hold", "data").replace("data = data", ""),
        {"data": (X, Y)},
        names,
    )
    assert names["network"] == network_of(run)


@pytest.mark.parametrize("command", [["evaluate"], ["show"], ["explain", "--example", "1"]])
def test_the_command_refuses_clearly(run, command, monkeypatch):
    monkeypatch.setattr(
        "chainrule.descriptions.kinds._KINDS", {k: v for k, v in cr.descriptions.descriptions().items() if "." not in k}
    )
    found = CliRunner().invoke(application, [command[0], str(run.folder), *command[1:]])
    assert found.exit_code == 2
    assert "a class of the module own_classes, which is not defined here" in " ".join(found.output.split())
    assert "open it in Python" in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda own: own.Gated(2, slope=-1), ["slope=-1 in Gated", "above 0"]),
        (lambda own: own.Gated(), ["Gated was given no units"]),
        (lambda own: own.Gated(2.5), ["units=2.5 in Gated", "a whole number"]),
        (lambda own: own.Gated(2, start=own.Alternating), ["write Alternating(...)"]),
        (lambda own: own.Signs("fast"), ["learning_rate='fast' in Signs", "a schedule"]),
        (lambda own: own.Signs(beta=1), ["beta=1 in Signs"]),
        (lambda own: own.Quartic(fctor=2), ["fctor=2", "did you mean 'factor'?"]),
        (lambda own: own.Halving(0.1, 3, 4), ["3 values"]),
    ],
)
def test_bad_values_are_refused_as_ours_are(own, bad, words):
    with pytest.raises(cr.errors.OptionError) as caught:
        bad(own)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_class_from_a_notebook_is_found_by_its_name(own):
    from chainrule.descriptions import restored

    assert restored({"kind": "__main__.Quartic", "factor": 2.0}) == own.Quartic(2.0)
