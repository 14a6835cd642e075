"""Given scikit-learn's first weights and batch order, `fit` follows MLPClassifier's loss curve over 20 epochs to 1e-12."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state, shuffle

import chainrule as cr

EPOCHS, BATCH = 20, 64


@pytest.mark.parametrize(
    ("solver", "optimizer"),
    [
        (
            {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.9, "nesterovs_momentum": True},
            cr.SGD(0.05, 0.9, nesterov=True),
        ),
        ({"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.9, "nesterovs_momentum": False}, cr.SGD(0.05, 0.9)),
        ({"solver": "adam", "learning_rate_init": 0.003}, cr.Adam(0.003, epsilon_hat=True)),
    ],
    ids=["nesterov", "momentum", "adam"],
)
def test_loss_curve(solver, optimizer):
    images, labels = load_digits(return_X_y=True)
    images = images[:1000] / 16.0
    labels = labels[:1000]
    peer = MLPClassifier(
        (24, 16), alpha=0.0, batch_size=BATCH, max_iter=EPOCHS, random_state=3, tol=0.0, n_iter_no_change=999, **solver
    )
    first = {}
    draws = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _record_start(peer, first, draws)
        peer.fit(images, labels)

    data = cr.data.from_arrays(images, labels, split=cr.data.RandomSplit(test=0), scaling="none")
    net = cr.Sequential(cr.Dense(24, "relu"), cr.Dense(16, "relu"), cr.Dense(10, "softmax"))
    initial = {f"dense{i + 1}.W": first["coefs"][i] for i in range(3)} | {
        f"dense{i + 1}.b": first["intercepts"][i] for i in range(3)
    }
    orders = _orders(draws[0], len(images))
    run = cr.fit(
        net, data, optimizer=optimizer, epochs=EPOCHS, batch_size=BATCH, dtype="float64", initial=initial,
        order=lambda seed, epoch, count: orders[epoch], evaluate_every=0,
    )  # fmt: skip
    steps = run.history.steps("loss")[0].reshape(EPOCHS, -1)
    sizes = run.trainer.sizes
    curve = steps @ sizes / sizes.sum()
    np.testing.assert_allclose(curve, peer.loss_curve_, rtol=0, atol=1e-12)
    for i in range(3):
        np.testing.assert_allclose(run.parameters()[f"dense{i + 1}.W"], peer.coefs_[i], rtol=0, atol=1e-11)


def _record_start(peer, first, draws):
    """Copies the first weights, and the state of the random numbers that shuffle the batches, as the peer makes them."""
    original = peer._initialize

    def initialize(*arguments):
        original(*arguments)
        first["coefs"] = [w.copy() for w in peer.coefs_]
        first["intercepts"] = [b.copy() for b in peer.intercepts_]
        draws.append(peer._random_state.get_state())

    peer._initialize = initialize


def _orders(state, count):
    random = check_random_state(0)
    random.set_state(state)
    rows = np.arange(count, dtype=int)
    orders = []
    for _ in range(EPOCHS):
        rows = shuffle(rows, random_state=random)
        orders.append(rows.copy())
    return orders
