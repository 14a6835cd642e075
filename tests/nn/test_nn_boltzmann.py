"""The restricted Boltzmann machine: its update is the textbook's, its exact sums are those over all joint states."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.data import bars_and_stripes
from chainrule.derivatives import require_gradients
from chainrule.engines import engine_named
from chainrule.errors import OptionError, ShapeError
from chainrule.nn import BoltzmannMachine, bit_states, build_network

VISIBLE, HIDDEN, BATCH = 4, 3, 6


@pytest.fixture
def machine() -> BoltzmannMachine:
    random = np.random.default_rng(3)
    return BoltzmannMachine(random.normal(size=(VISIBLE, HIDDEN)), random.normal(size=VISIBLE), random.normal(size=HIDDEN))


def built(layer: cr.RestrictedBoltzmann, batch: int = BATCH, visible: int = VISIBLE, **options):
    return build_network(layer, (visible,), batch=batch, **options)


def trained(layer: cr.RestrictedBoltzmann, batch: int = BATCH, visible: int = VISIBLE):
    """The network in training, its key an input."""
    return built(layer, batch, visible, training=True, key=cr.input_node("key", (2,), "uint32"))


def bound(machine: BoltzmannMachine, v: np.ndarray, seed: int | None = None) -> dict[str, np.ndarray]:
    parameters = {f"boltzmann1.{name}": getattr(machine, name) for name in ("W", "b", "c")}
    return {"x": v, **parameters, **({} if seed is None else {"key": ops.key(seed)})}


def run(outputs, values, engine="reference"):
    graph = cr.Graph(outputs)
    program = engine_named(engine).compile(graph)
    return program({name: value for name, value in values.items() if name in graph.leaves})


def data_of(batch: int = BATCH) -> np.ndarray:
    return np.random.default_rng(8).integers(0, 2, (batch, VISIBLE)).astype(np.float64)


def joint_states() -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (np.array(v, dtype=float), np.array(h, dtype=float))
        for v in itertools.product((0, 1), repeat=VISIBLE)
        for h in itertools.product((0, 1), repeat=HIDDEN)
    ]


# ---- exact sums


def test_the_exact_sums_are_those_over_all_joint_states(machine):
    weights = {(tuple(v), tuple(h)): np.exp(v @ machine.b + h @ machine.c + v @ machine.W @ h) for v, h in joint_states()}
    total = sum(weights.values())
    probabilities = [
        sum(w for (visible, _), w in weights.items() if visible == tuple(v)) / total for v in bit_states(VISIBLE).tolist()
    ]
    np.testing.assert_allclose(machine.log_partition, np.log(total), rtol=1e-13)
    np.testing.assert_allclose(machine.probabilities, probabilities, rtol=1e-12)
    np.testing.assert_allclose(machine.log_likelihood(bit_states(VISIBLE)), np.log(probabilities), rtol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_the_exact_gradient_is_that_of_the_likelihood(machine, turned):
    if turned:
        machine = BoltzmannMachine(machine.W.T, machine.c, machine.b)
    v = np.random.default_rng(1).integers(0, 2, (5, len(machine.b))).astype(float)
    found = machine.gradient(v)
    for name in ("W", "b", "c"):
        values = getattr(machine, name)
        for place in np.ndindex(values.shape):
            sides = []
            for sign in (1, -1):
                moved = {key: getattr(machine, key).copy() for key in ("W", "b", "c")}
                moved[name][place] += sign * 1e-5
                sides.append(BoltzmannMachine(**moved).log_likelihood(v).mean())
            assert found[name][place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-8)


def test_both_sides_enumerated_give_the_same(machine):
    wide = BoltzmannMachine(np.random.default_rng(0).normal(size=(15, 12)), np.zeros(15), np.ones(12))
    by_visible = np.logaddexp.reduce(-wide.free_energy(bit_states(15)))
    assert wide.log_partition == pytest.approx(by_visible, rel=1e-13)
    assert wide.probabilities.sum() == pytest.approx(1.0, abs=1e-12)


def test_too_many_states_are_refused():
    large = BoltzmannMachine(np.zeros((30, 21)), np.zeros(30), np.zeros(21))
    with pytest.raises(OptionError, match=r"2\^21 states"):
        large.log_likelihood(np.zeros((1, 30)))
    with pytest.raises(OptionError, match="21 units"):
        bit_states(21)


def test_one_large_side_is_no_hindrance():
    large = BoltzmannMachine(np.zeros((784, 5)), np.full(784, 0.5), np.zeros(5))
    assert large.log_partition == pytest.approx(5 * np.log(2) + 784 * np.log1p(np.exp(0.5)), rel=1e-12)


def test_parameters_of_other_shapes_or_layers_are_refused(machine):
    with pytest.raises(ShapeError, match=r"c \(4,\)"):
        BoltzmannMachine(machine.W, machine.b, machine.b)
    with pytest.raises(OptionError, match="boltzmann2"):
        BoltzmannMachine.of({"dense1.W": machine.W}, "boltzmann2")


def test_samples_follow_the_distribution(machine):
    drawn = machine.samples(20_000, 50, seed=5)
    counts = np.bincount((drawn @ (1 << np.arange(VISIBLE - 1, -1, -1))).astype(int), minlength=1 << VISIBLE)
    expected = machine.probabilities * len(drawn)
    # χ² of 15 degrees of freedom: above 37.7 in one of a thousand.
    assert np.sum((counts - expected) ** 2 / expected) < 37.7


# ---- the layer


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_outputs_and_the_loss_are_those_of_the_numbers(machine, engine):
    network, v = trained(cr.RestrictedBoltzmann(HIDDEN, steps=2)), data_of()
    term = network.terms["boltzmann1.contrastive_divergence"].rows
    model = next(node for node in cr.Graph({"rows": term}).nodes if node.name == "boltzmann1.v_model")
    found = run({"a": network.output, "rows": term, "model": model}, bound(machine, v, 11), engine)
    assert set(np.unique(found["model"])) <= {0.0, 1.0}
    np.testing.assert_allclose(found["a"], 1 / (1 + np.exp(-(v @ machine.W + machine.c))), rtol=1e-12)
    np.testing.assert_allclose(found["rows"], machine.free_energy(v) - machine.free_energy(found["model"]), rtol=1e-11)


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_gradient_is_the_textbooks_update_entry_by_entry(machine, engine, steps):
    network, v = trained(cr.RestrictedBoltzmann(HIDDEN, steps)), data_of()
    term = network.terms["boltzmann1.contrastive_divergence"].rows
    model = next(node for node in cr.Graph({"rows": term}).nodes if node.name == "boltzmann1.v_model")
    names = list(network.parameters)
    gradients = require_gradients(ops.mean(term), [item.node for item in network.parameters.values()])
    found = run({**dict(zip(names, gradients, strict=True)), "model": model}, bound(machine, v, 4), engine)
    positive, negative = machine.hidden(v), machine.hidden(found["model"])
    textbook = {
        "W": (v.T @ positive - found["model"].T @ negative) / BATCH,
        "b": (v - found["model"]).mean(axis=0),
        "c": (positive - negative).mean(axis=0),
    }
    for name, update in textbook.items():
        np.testing.assert_allclose(found[f"boltzmann1.{name}"], -update, rtol=1e-11, atol=1e-15)


def test_long_chains_give_the_gradient_of_the_likelihood_on_average(machine):
    """CD-40 of a machine that forgets its start in a few steps: the mean over seeds is the exact gradient, within its error."""
    gentle = BoltzmannMachine(machine.W * 0.5, machine.b, machine.c)
    rows, seeds = 200, 60
    v = np.tile(data_of(), (rows, 1))[:rows]
    network = trained(cr.RestrictedBoltzmann(HIDDEN, 40), rows)
    term = ops.mean(network.terms["boltzmann1.contrastive_divergence"].rows)
    names = list(network.parameters)
    gradients = require_gradients(term, [item.node for item in network.parameters.values()])
    graph = cr.Graph(dict(zip(names, gradients, strict=True)))
    program = engine_named("native").compile(graph)
    found = [program(bound(gentle, v, seed)) for seed in range(seeds)]
    exact = gentle.gradient(v)
    pulls = []
    for name in ("W", "b", "c"):
        drawn = np.array([-one[f"boltzmann1.{name}"] for one in found])
        error = drawn.std(axis=0, ddof=1) / np.sqrt(seeds)
        pulls.append(((drawn.mean(axis=0) - exact[name]) / error).ravel())
    pulls = np.concatenate(pulls)
    assert np.abs(pulls).max() < 4.0
    # 19 numbers, not independent: their χ² is near 19.
    assert np.sum(pulls**2) < 45


def test_one_step_differs_from_the_likelihoods_gradient(machine):
    """The judge above can tell: CD-1 is biased."""
    strong = BoltzmannMachine(machine.W * 3, machine.b, machine.c)
    v = np.tile(data_of(), (500, 1))
    network = trained(cr.RestrictedBoltzmann(HIDDEN, 1), len(v))
    (gradient,) = require_gradients(
        ops.mean(network.terms["boltzmann1.contrastive_divergence"].rows), [network.parameters["boltzmann1.W"].node]
    )
    found = run({"g": gradient}, bound(strong, v, 0), "native")["g"]
    assert np.abs(-found - strong.gradient(v)["W"]).max() > 0.05


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_pseudo_likelihood_is_that_of_the_conditional_probabilities(machine, engine):
    network, v = built(cr.RestrictedBoltzmann(HIDDEN)), data_of()
    found = run({"rows": network.terms["boltzmann1.pseudo_likelihood"].rows}, bound(machine, v), engine)["rows"]
    expected = np.zeros(BATCH)
    for i in range(VISIBLE):
        turned = v.copy()
        turned[:, i] = 1 - turned[:, i]
        both = np.logaddexp(machine.log_likelihood(v), machine.log_likelihood(turned))
        expected -= machine.log_likelihood(v) - both
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_the_layer_names_what_is_minimised_and_judged():
    layer = cr.RestrictedBoltzmann(HIDDEN)
    assert list(trained(layer).terms) == ["boltzmann1.contrastive_divergence"]
    assert list(built(layer).terms) == ["boltzmann1.pseudo_likelihood"]


def test_both_engines_draw_the_same_bits():
    data, losses = bars_and_stripes(3), []
    for engine in ("reference", "native"):
        options = {"loss": "none", "optimizer": cr.SGD(0.2), "epochs": 40, "batch_size": 8, "dtype": "float64"}
        losses.append(cr.fit(cr.RestrictedBoltzmann(6, steps=3), data, engine=engine, **options).history.steps())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9, atol=1e-12)


def test_a_run_tells_its_loss_and_no_accuracy():
    options = {"loss": "none", "optimizer": cr.SGD(0.2), "epochs": 2, "batch_size": 8, "replicas": 2}
    run = cr.fit(cr.RestrictedBoltzmann(6), bars_and_stripes(2), **options)
    assert str(run).startswith("training loss ")
    assert "accuracy" not in str(run)
    assert "C = 1/B·Σ_batch(F(v) − F(v′))" in str(run)


def test_the_layer_is_written_down_and_read_again():
    layer = cr.Sequential(cr.RestrictedBoltzmann(6, 3, name="first"), cr.RestrictedBoltzmann(2))
    assert cr.nn.from_json(cr.nn.to_json(layer)) == layer
    assert cr.nn.to_code(cr.RestrictedBoltzmann(6, 3)) == "cr.RestrictedBoltzmann(6, steps=3)"


@pytest.mark.parametrize("wrong", [{"units": 0}, {"units": 3, "steps": 0}])
def test_sizes_that_are_none_are_refused(wrong):
    with pytest.raises(OptionError, match="whole number"):
        cr.RestrictedBoltzmann(**wrong)


def test_pictures_are_to_be_flattened():
    with pytest.raises(ShapeError, match="Flatten"):
        build_network(cr.RestrictedBoltzmann(3), (2, 2))


# ---- persistent chains


def persistent(chains: int = 5, epochs: int = 3, **options):
    given = {"loss": "none", "optimizer": cr.SGD(0.2), "epochs": epochs, "batch_size": 6, "dtype": "float64", **options}
    return cr.fit(cr.RestrictedBoltzmann(6, 2, chains=chains), bars_and_stripes(3), **given)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_persistent_chains_go_on_from_where_they_were(machine, engine):
    network, v = trained(cr.RestrictedBoltzmann(HIDDEN, chains=7)), data_of()
    state = network.states["boltzmann1.chains"]
    term = network.terms["boltzmann1.contrastive_divergence"].rows
    (gradient,) = require_gradients(ops.mean(term), [network.parameters["boltzmann1.W"].node])
    chains = np.random.default_rng(2).integers(0, 2, (7, VISIBLE)).astype(float)
    values = {**bound(machine, v, 9), "boltzmann1.chains": chains}
    found = run({"rows": term, "next": state.next, "gradient": gradient}, values, engine)
    after = found["next"]
    np.testing.assert_allclose(found["rows"], machine.free_energy(v) - machine.free_energy(after).mean(), rtol=1e-11)
    update = v.T @ machine.hidden(v) / BATCH - after.T @ machine.hidden(after) / 7
    np.testing.assert_allclose(found["gradient"], -update, rtol=1e-11)
    # One step from where the chains were, by the same bits as one step of CD from there.
    plain = trained(cr.RestrictedBoltzmann(HIDDEN), 7)
    rows = plain.terms["boltzmann1.contrastive_divergence"].rows
    expected = run({"rows": rows}, bound(machine, chains, 9), engine)["rows"]
    np.testing.assert_allclose(machine.free_energy(chains) - machine.free_energy(after), expected, rtol=1e-10)


def test_chains_are_carried_over_epochs_and_over_batches_of_any_size():
    """16 examples in batches of 6, 6 and 4: the 5 chains stay, and a replay finds them again."""
    run = persistent(replicas=2)
    chains = run.states(1)["boltzmann1.chains"]
    assert chains.shape == (5, 9)
    assert set(np.unique(chains)) <= {0.0, 1.0}
    assert run.at(9).hash == run.hash
    assert not np.array_equal(run.at(3).states(1)["boltzmann1.chains"], chains)
    assert run.model().states == {}


def test_chains_agree_between_the_engines():
    losses = [persistent(epochs=30, engine=engine).history.steps() for engine in ("reference", "native")]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9, atol=1e-12)


def test_the_formula_tells_of_the_chains():
    assert "F(v) − mean_chains F(v′)" in persistent(epochs=1).problem.formula


def test_the_shares_of_the_examples_add_up_to_the_update():
    ledger = persistent().ledger(4, "boltzmann1.W", (1, 2))
    assert abs(ledger.residual) <= 4 * ledger.ulp
