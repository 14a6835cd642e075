"""A learning rate that falls when the loss is flat, and what the run knows of it."""

import numpy as np
import pytest

import chainrule as cr

FLAT = {"epochs": 6, "optimizer": cr.SGD(0.1), "batch_size": 20}
DATA = cr.data.moons(n=50, seed=1)


def test_the_rate_falls_after_so_many_evaluations_without_a_fall_and_stays_above_the_least():
    slower = cr.ReduceOnPlateau(0.5, patience=2, min_delta=10.0, least=0.03)
    run = cr.fit("2-3-2 tanh", DATA, **FLAT, callbacks=slower)
    per_epoch = run.trainer.steps_per_epoch
    # The first evaluation is better than none; 2 more are not; after 2 more 0.025 would be below the least.
    assert run.settings.optimizer == cr.SGD(cr.MultiStepDecay(0.1, (3 * per_epoch,), 0.5))
    rates = run.trainer.rates(np.arange(run.trainer.steps))[::per_epoch]
    np.testing.assert_array_equal(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05])
    assert cr.fit("2-3-2 tanh", DATA, **FLAT, callbacks=slower).hash == run.hash, "a callback begins anew with each training"
    falling = cr.fit("2-3-2 tanh", DATA, **FLAT, callbacks=cr.ReduceOnPlateau(patience=1, min_delta=0.0))
    assert falling.settings.optimizer == cr.SGD(0.1)


def test_a_run_that_was_slowed_is_that_of_the_schedule_it_wrote_down(tmp_path):
    slower = cr.ReduceOnPlateau(0.5, patience=1, min_delta=10.0)
    run = cr.fit("2-3-2 tanh", DATA, **FLAT, callbacks=slower, folder=tmp_path)
    rate = run.settings.optimizer.learning_rate
    assert len(rate.steps) == 4, "not after the last epoch"
    assert cr.fit("2-3-2 tanh", DATA, **{**FLAT, "optimizer": cr.SGD(rate)}).hash == run.hash
    saved = cr.open_run(run.folder, data=DATA)
    assert saved.settings == run.settings
    assert saved.at(rate.steps[1] + 1).parameters().keys() == run.parameters().keys()


def test_a_schedule_is_lowered_as_a_rate_is_and_the_validation_part_decides():
    data = cr.data.from_arrays(DATA.train.x, DATA.train.y, split=cr.data.StratifiedSplit(validation=0.3))
    found = []
    flat = cr.ReduceOnPlateau(0.5, patience=1, min_delta=0.0)
    optimizer = cr.SGD(cr.InverseSquareRoot(30.0, steps=5))  # far too fast: the loss goes up and down
    run = cr.fit("2-3-2 tanh", data, **{**FLAT, "optimizer": optimizer}, callbacks=[flat, lambda p: found.append(p.scores)])
    losses = run.history.curve("validation", "loss")[1].mean(axis=1)
    worse = [epoch for epoch in range(1, 5) if losses[epoch] >= losses[:epoch].min()]
    steps = [(epoch + 1) * run.trainer.steps_per_epoch for epoch in worse]
    assert run.settings.optimizer.learning_rate == cr.MultiStepDecay(optimizer.learning_rate, tuple(steps), 0.5)


def test_several_replicas_and_searches_have_no_one_rate():
    for settings in ({"replicas": 2}, {"optimizer": cr.LBFGS(), "batch_size": None}):
        with pytest.raises(cr.errors.OptionError, match="ReduceOnPlateau with"):
            cr.fit("2-3-2 tanh", DATA, **{**FLAT, **settings}, callbacks=cr.ReduceOnPlateau())
    with pytest.raises(cr.errors.OptionError, match="factor"):
        cr.ReduceOnPlateau(1.0)


def test_rates_at_milestones():
    steps = np.arange(5.0)
    np.testing.assert_allclose(cr.MultiStepDecay(1.0, (3, 1), 0.5)(steps, 5), [1, 0.5, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(
        cr.MultiStepDecay(cr.Cosine(1.0), (2,), 0.1)(steps, 4)[:3], [1, cr.Cosine(1.0)(steps, 4)[1], 0.05]
    )
    np.testing.assert_array_equal(cr.MultiStepDecay(0.1, ())(steps, 5), np.full(5, 0.1))
