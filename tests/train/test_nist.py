"""The 27 problems of NIST's Statistical Reference Datasets for nonlinear regression, from both starts, to certified digits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

FOLDER = Path(__file__).parent / "nist"
EXPONENTIALS = "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
PEAKS = "b1*exp(-b2*x) + b3*exp(-((x - b4)/b5)^2) + b6*exp(-((x - b7)/b8)^2)"
CUBICS = "(b1 + b2*x + b3*x^2 + b4*x^3)/(1 + b5*x + b6*x^2 + b7*x^3)"
WAVES = (
    "b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4) + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)"
)
MODELS = {
    "Bennett5": "b1*(b2 + x)^(-1/b3)",
    "BoxBOD": "b1*(1 - exp(-b2*x))",
    "Chwirut1": "exp(-b1*x)/(b2 + b3*x)",
    "Chwirut2": "exp(-b1*x)/(b2 + b3*x)",
    "DanWood": "b1*x^b2",
    "ENSO": WAVES,
    "Eckerle4": "b1/b2*exp(-0.5*((x - b3)/b2)^2)",
    "Gauss1": PEAKS,
    "Gauss2": PEAKS,
    "Gauss3": PEAKS,
    "Hahn1": CUBICS,
    "Kirby2": "(b1 + b2*x + b3*x^2)/(1 + b4*x + b5*x^2)",
    "Lanczos1": EXPONENTIALS,
    "Lanczos2": EXPONENTIALS,
    "Lanczos3": EXPONENTIALS,
    "MGH09": "b1*(x^2 + x*b2)/(x^2 + x*b3 + b4)",
    "MGH10": "b1*exp(b2/(x + b3))",
    "MGH17": "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Misra1a": "b1*(1 - exp(-b2*x))",
    "Misra1b": "b1*(1 - (1 + b2*x/2)^(-2))",
    "Misra1c": "b1*(1 - (1 + 2*b2*x)^(-0.5))",
    "Misra1d": "b1*b2*x/(1 + b2*x)",
    "Nelson": "",
    "Rat42": "b1/(1 + exp(b2 - b3*x))",
    "Rat43": "b1/(1 + exp(b2 - b3*x))^(1/b4)",
    "Roszman1": "b1 - b2*x - arctan(b3/(x - b4))/pi",
    "Thurber": CUBICS,
}


@dataclass(frozen=True)
class Problem:
    """Data (n, predictors) and (n,), two starts, certified parameters, certified residual sum of squares, and the level."""

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    certified: np.ndarray
    squares: float
    level: str


def problem(name: str) -> Problem:
    text = (FOLDER / f"{name}.dat").read_text(encoding="ascii")
    lines = text.splitlines()
    rows = [re.match(r"\s*b\d+ =" + r"\s+(\S+)" * 4, line) for line in lines[40:58]]
    numbers = np.array([[float(value) for value in row.groups()] for row in rows if row])
    found = re.search(r"Residual Sum of Squares:\s+(\S+)", text)
    level = re.search(r"(Lower|Average|Higher) Level of Difficulty", text)
    assert found is not None
    assert level is not None
    table = np.array([[float(value) for value in line.split()] for line in lines[60:] if line.strip()])
    y = np.log(table[:, 0]) if name == "Nelson" else table[:, 0]
    return Problem(table[:, 1:], y, numbers[:, :2].T, numbers[:, 2], float(found[1]), level[1].lower())


def network(name: str) -> cr.Layer:
    """The model as a layer; Nelson's, of two predictors, is wired."""
    if name != "Nelson":
        names = sorted(set(re.findall(r"b\d", MODELS[name])))
        return cr.Sequential(cr.Formula(f"f(x) = {MODELS[name]}", parameters=dict.fromkeys(names, (1,))))
    offset = cr.Formula("f(x) = x + b1", parameters={"b1": (1,)}, name="offset")
    steep = cr.Formula("f(x) = -b2*x", parameters={"b2": (1,)}, name="steep")
    decay = cr.Formula("f(x) = exp(-b3*x)", parameters={"b3": (1,)}, name="decay")
    return cr.Network(lambda time, heat: offset(steep(time) * decay(heat)), inputs={"time": (1,), "heat": (1,)})


def fitted(name: str, start: np.ndarray, optimizer: object) -> cr.Run:
    found = problem(name)
    layer = {"b1": "offset", "b2": "steep", "b3": "decay"}
    named = {f"b{place}": value for place, value in enumerate(start, start=1)}
    initial = {f"{layer[key] if name == 'Nelson' else 'formula1'}.{key}": np.array([value]) for key, value in named.items()}
    data = cr.data.from_arrays(
        found.x, found.y[:, None], split=cr.data.RandomSplit(test=0), scaling="none", target_scaling="none"
    )
    return cr.fit(network(name), data, loss="squared_error", optimizer=optimizer, initial=initial, evaluate_every=0)


def digits(run: cr.Run, certified: np.ndarray) -> float:
    values = {key.rpartition(".")[2]: float(value[0]) for key, value in run.parameters().items()}
    found = np.array([values[f"b{place}"] for place in range(1, len(values) + 1)])
    return float(-np.log10(np.max(np.abs(found - certified) / np.abs(certified)) + 1e-16))


@pytest.mark.parametrize("start", [0, 1], ids=["start 1", "start 2"])
@pytest.mark.parametrize("name", MODELS)
def test_certified_digits_from_both_starts(name: str, start: int) -> None:
    found = problem(name)
    run = fitted(name, found.starts[start], cr.LevenbergMarquardt())
    assert digits(run, found.certified) >= 6
    assert run.stopped.startswith("converged")


@pytest.mark.parametrize("start", [0, 1], ids=["start 1", "start 2"])
@pytest.mark.parametrize("name", ["Misra1a", "Thurber", "Kirby2", "Lanczos3", "Bennett5"])
def test_lbfgs_finds_them_too_and_says_when_it_is_done(name: str, start: int) -> None:
    found = problem(name)
    run = fitted(name, found.starts[start], cr.LBFGS(iterations=5000))
    assert digits(run, found.certified) >= 6
    assert "converged" in run.stopped or run.stopped == "gradient small enough"
    assert float(run.history.steps()[0][-1]) * len(found.y) == pytest.approx(found.squares, rel=1e-8)


def test_a_flat_place_is_no_minimum_of_these_data_and_still_an_honest_end() -> None:
    # Far from the solution the exponential is 0 for all x: no step changes the cost.
    found = problem("BoxBOD")
    run = fitted("BoxBOD", np.array([100.0, 700.0]), cr.LevenbergMarquardt(iterations=50))
    assert digits(run, found.certified) < 1
    assert run.stopped


def test_levenberg_marquardt_refuses_what_is_no_sum_of_squares() -> None:
    with pytest.raises(cr.errors.OptionError, match="no square"):
        cr.fit("2-2:softmax", "moons", optimizer=cr.LevenbergMarquardt())
    with pytest.raises(cr.errors.OptionError, match="which it keeps"):
        cr.fit("2-2000-60", (np.ones((1000, 2)), np.ones((1000, 60))), optimizer=cr.LevenbergMarquardt())


def test_levenberg_marquardt_fits_a_network_with_a_penalty_as_low_as_lbfgs() -> None:
    data = cr.data.curve("sin", n=40, noise=0.1)
    objective = cr.nn.SquaredError() + cr.nn.L2(1e-4)
    costs = [
        float(cr.fit("1-3-1 tanh", data, loss=objective, optimizer=optimizer, evaluate_every=0).history.steps()[0][-1])
        for optimizer in (cr.LevenbergMarquardt(), cr.LBFGS(iterations=1000))
    ]
    assert costs[0] <= costs[1] * (1 + 1e-6)


def test_early_stopping_and_evaluations_are_honoured_by_full_batch_methods() -> None:
    data = cr.data.from_arrays(
        np.linspace(-1, 1, 24), np.random.default_rng(0).normal(size=24), split=cr.data.RandomSplit(validation=0.4, test=0)
    )
    stopping = cr.EarlyStopping(patience=3)
    for optimizer in (cr.LBFGS(), cr.LevenbergMarquardt()):
        run = cr.fit("1-12-1 tanh", data, optimizer=optimizer, early_stopping=stopping)
        scores = [float(epoch.parts["validation"]["loss"][0]) for epoch in run.history.epochs]
        assert run.stopped == "early stopping"
        assert len(scores) == run.trainer.step == int(np.argmin(scores)) + 1 + 3
        assert float(run.evaluate("validation").loss[0]) == pytest.approx(min(scores))
    every = cr.fit("1-3-1 tanh", data, optimizer=cr.LBFGS(iterations=10), evaluate_every=4)
    assert [epoch.step for epoch in every.history.epochs] == [4, 8, 10]
