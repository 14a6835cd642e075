"""Through time: the unrolled graph computes the same; each step's fraction of a shared weight's derivative; derivatives by h_t."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.graph import Graph
from chainrule.ops import scan


def trained(*layers, data=None, **options):
    data = data or cr.data.recall(12, gap=3, signals=2, noise=0.3)
    net = cr.Sequential(*layers, cr.Dense(2, "softmax"))
    return cr.fit(net, data, epochs=3, batch_size=6, optimizer=cr.SGD(0.3), **options)


STACKS = {
    "rnn": [cr.RNN(3)],
    "lstm on gru": [cr.GRU(3, return_sequences=True), cr.LSTM(2)],
    "backwards": [cr.RNN(3, reverse=True)],
    "both": [cr.Bidirectional(cr.GRU(2))],
    "padded": [cr.LSTM(3, padding=0.0, return_sequences=True), cr.RNN(2)],
}


@pytest.mark.parametrize("case", STACKS)
def test_the_shares_of_the_steps_add_up_to_the_derivative_and_the_finite_difference(case):
    run = trained(*STACKS[case])
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    whole, steps = model.gradient(x, y), model.through_time(x, y)
    for name in whole:
        if name.startswith("dense"):
            continue
        shares = steps.contributions(name)
        assert shares.shape == (5, *whole[name].shape)
        np.testing.assert_allclose(shares.sum(axis=0), whole[name], rtol=1e-11, atol=1e-14, err_msg=name)
        place = np.unravel_index(np.argmax(np.abs(whole[name])), whole[name].shape)
        costs = []
        for move in (1e-5, -1e-5):
            moved = model.parameters[name].copy()
            moved[place] += move
            costs.append(model.with_parameters({name: moved}).cost(x, y))
        assert shares.sum(axis=0)[place] == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", STACKS)
def test_unrolled_the_network_computes_the_same_without_a_loop(case):
    run = trained(*STACKS[case])
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    graph = model.unrolled(12)
    assert not any(node.op is scan for node in graph.nodes)
    steps = model.through_time(x, y)
    np.testing.assert_allclose(steps.trace.value("output"), model.quantities(x)["output"], rtol=1e-13)
    assert float(steps.trace.value("C")) == pytest.approx(model.cost(x, y), rel=1e-13)
    # Each weight is one leaf, however many steps use it.
    assert {node.name for node in graph.parameters} == set(model.parameters)


def test_the_derivative_by_a_memory_is_how_the_cost_moves_with_it():
    run = trained(cr.RNN(3))
    model, x, y = run.model(), run.data.train.x, run.data.train.y
    steps, w = model.through_time(x, y), model.parameters

    def costs_from(h, first):
        """The examples' costs if the memory behind step `first` is h."""
        for t in range(first + 1, x.shape[1]):
            h = np.tanh(x[:, t] @ w["rnn1.W"] + w["rnn1.b"] + h @ w["rnn1.U"])
        z = h @ w["dense1.W"] + w["dense1.b"]
        return np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]

    for t in range(x.shape[1]):
        h = steps.values("rnn1.h")[:, t]
        for unit in range(3):
            move = 1e-5 * np.eye(3)[unit]
            slope = (costs_from(h + move, t) - costs_from(h - move, t)) / 2e-5
            np.testing.assert_allclose(steps.gradients("rnn1.h")[:, t, unit], slope, rtol=1e-5, atol=1e-9)


def test_an_explanation_of_a_recurrent_network_tells_each_step_and_agrees():
    run = trained(cr.RNN(2), data=cr.data.recall(12, gap=1))
    told = run.explain(0)
    assert told.agrees
    assert "rnn1.z.t3 = " in str(told)
    formula = next(step.formula for step in told.forward if step.symbol == "rnn1.z.t2")
    assert formula.endswith("rnn1.W + rnn1.b + rnn1.h.t1 rnn1.U")


def test_what_has_no_time_steps_is_refused():
    run = trained(cr.RNN(2))
    steps = run.model().through_time(run.data.train.x, run.data.train.y)
    with pytest.raises(OptionError, match=r"rnn1\.U"):
        steps.contributions("dense1.W")
    with pytest.raises(OptionError, match=r"rnn1\.h"):
        steps.values("rnn1.hh")
    assert isinstance(run.model().unrolled(), Graph)
