"""Truncated back-propagation through time: a carried state bridges what is longer than a chunk, and nothing else can."""

import numpy as np
import pytest

import chainrule as cr

SEQUENCES, PERIOD, CHUNK = 16, 12, 4


def chunks():
    """Every 12 steps a sign is given once, and asked for at each of the 12: two of three chunks do not see it."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(SEQUENCES, 80))
    x = np.zeros((SEQUENCES, 80 * PERIOD, 2))
    x[:, ::PERIOD, 0], x[:, ::PERIOD, 1] = signs, 1
    return cr.data.chunks(x, np.repeat(signs, PERIOD, axis=1), CHUNK)


def last_losses(*, stateful):
    net = cr.Sequential(cr.RNN(8, return_sequences=True, stateful=stateful), cr.TimeDistributed(cr.Dense(1)), cr.Flatten())
    run = cr.fit(
        net, chunks(), optimizer=cr.Adam(0.01), clip=cr.ClipNorm(1.0), batch_size=SEQUENCES, order="consecutive",
        epochs=30, replicas=2, evaluate_every=0,
    )  # fmt: skip
    return run.history.steps()[:, -192:].mean(axis=1)


def test_carried_state_learns_what_is_longer_than_a_chunk():
    assert last_losses(stateful=True).max() < 0.01


def test_without_it_two_of_three_chunks_can_only_guess():
    # The mean of both signs has the squared error 1 where the sign is not seen, which is at two steps of three.
    assert last_losses(stateful=False) == pytest.approx(np.full(2, 2 / 3), abs=0.02)
