"""Sequences that need a memory: recall a signal after a long silence, count steps down from a number."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import NonNegative, Seed, checked
from chainrule.data.checks import check_amount, check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.errors import OptionError

Floats = NDArray[np.float64]
TargetSteps = Literal["last", "every"]


@remembered("recall")
@checked
def recall(
    n: int = 500,
    *,
    gap: int = 10,
    signals: int = 2,
    wait: int = 0,
    noise: NonNegative = 0.0,
    target_steps: TargetSteps = "last",
    seed: Seed = 0,
) -> Dataset:
    """A signal, `gap` steps of silence, then the question which signal it was.

    Inputs have shape (time, 2), time = gap + 2 + wait. The first feature is the signal, one of `signals` values evenly spaced
    from −1 to 1, and noise · ε at all other steps, ε standard normal. The second is 1 at the step of the question, which comes
    gap + 1 steps after the signal, else 0. The signal comes after 0 to `wait` steps, by chance; the rest is silence.

    - `target_steps="last"` (many to one): the class of the signal, "signal 0", "signal 1", ...
    - `target_steps="every"` (many to many): a number for each step, of shape (time,): the signal's value at the question, else 0.

    The signals come in turn. Training and test part hold `n` sequences each. Task after F. Marquardt, Machine Learning for
    Physicists, and Hochreiter and Schmidhuber, Neural Computation 9 (1997) 1735 (long time lags).

    >>> data = recall(100, gap=2)
    >>> data
    Dataset('recall': 100 train, 100 test; inputs (4, 2) float64; 2 classes)
    >>> data.train[1].x.T
    array([[1., 0., 0., 0.],
           [0., 0., 0., 1.]])
    """
    for name, value, least in (("n", n, 1), ("gap", gap, 0), ("signals", signals, 2), ("wait", wait, 0), ("seed", seed, 0)):
        check_whole(name, value, least=least)
    check_whole("n", n, least=signals)
    check_amount("noise", noise)
    check_target_steps(target_steps)
    random, time, rows = np.random.default_rng(seed), gap + 2 + wait, np.arange(n)
    labels = rows % signals
    values = np.linspace(-1, 1, signals)[labels]

    def part() -> Examples:
        begin = random.integers(0, wait + 1, n)
        x = np.zeros((n, time, 2))
        x[:, :, 0] = noise * random.standard_normal((n, time))
        x[rows, begin, 0] = values
        x[rows, begin + gap + 1, 1] = 1
        return Examples(x, labels if target_steps == "last" else _at(rows, begin + gap + 1, values, time))

    classes = tuple(f"signal {signal}" for signal in range(signals)) if target_steps == "last" else None
    law = f"one of {signals} signals, {gap} steps of silence, a question, noise {noise:g}, seed {seed}"
    return generated("recall", part(), part(), law, scaling=Scaling.none(), classes=classes)


@remembered("countdown")
@checked
def countdown(n: int = 500, *, most: int = 10, wait: int = 5, target_steps: TargetSteps = "every", seed: Seed = 0) -> Dataset:
    """A number k is given once, and k steps later the network must say so.

    Inputs have shape (time, 1), time = most + 1 + wait: k / `most` at the step at which k is given, else 0. k is 1 to `most`.

    - `target_steps="every"` (many to many): a number for each step, of shape (time,): 1 at k steps after the number, else 0. The number
      comes after 0 to `wait` steps.
    - `target_steps="last"` (many to one): classes "running" and "over", in turn: whether k steps have passed at the last step. The
      number comes at any step that has time for the answer. `wait` is at least 1 here.

    Training and test part hold `n` sequences each. Task after F. Marquardt, Machine Learning for Physicists.

    >>> data = countdown(10, most=2, wait=1)
    >>> data.train[0].x[:, 0], data.train[0].y
    (array([0., 1., 0., 0.]), array([0., 0., 0., 1.]))
    """
    for name, value, least in (("n", n, 2), ("most", most, 1), ("wait", wait, int(target_steps == "last")), ("seed", seed, 0)):
        check_whole(name, value, least=least)
    check_target_steps(target_steps)
    random, time, rows = np.random.default_rng(seed), most + 1 + wait, np.arange(n)
    over = rows % 2

    def part() -> Examples:
        number = random.integers(1, most + 1, n)
        if target_steps == "every":
            begin = random.integers(0, wait + 1, n)
        else:
            # The steps that are left after the number: fewer than k, or from k on.
            begin = time - 1 - random.integers(np.where(over, number, 0), np.where(over, time, number))
        x = _at(rows, begin, number / most, time)[:, :, None]
        return Examples(x, over if target_steps == "last" else _at(rows, begin + number, np.ones(n), time))

    classes = ("running", "over") if target_steps == "last" else None
    return generated(
        "countdown", part(), part(), f"count down from 1 to {most}, seed {seed}", scaling=Scaling.none(), classes=classes
    )


def _at(rows: NDArray[np.int64], steps: NDArray[np.int64], values: Floats, time: int) -> Floats:
    """Zeros of shape (n, time) but for one value in each row, at its own step."""
    out = np.zeros((len(rows), time))
    out[rows, steps] = values
    return out


def check_target_steps(target_steps: str) -> None:
    """OptionError unless they are "last" or "every"."""
    if target_steps not in ("last", "every"):
        raise OptionError(
            f"target_steps={target_steps!r}",
            expected="'last' (one target for a sequence) or 'every' (one for each step)",
            remedy="write target_steps='last'",
        )
