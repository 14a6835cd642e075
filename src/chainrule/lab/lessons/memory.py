"""Lesson: a network with memory: the same weights at every step, and a gradient that goes back in time."""

from __future__ import annotations

import numpy as np

from chainrule.lab.lessons.lesson import Answer, Lesson, Step, by_hand, experiment, model_of, points
from chainrule.lab.session import Session
from chainrule.nn import LSTM, RNN, Dense, Sequential
from chainrule.train import Adam, Training

_BACK = 10
"""How many steps are gone back."""


def signals(gap: int = 10, *, lstm: bool = False, count: int = 200) -> Training:
    """A signal, silence, and the question which signal it was."""
    memory = LSTM(8) if lstm else RNN(8)
    data = {"name_or_path": "recall", "n": count, "gap": gap}
    return Training(Sequential(memory, Dense(2, "softmax")), data, optimizer=Adam(0.02), batch_size=20, epochs=10)


def one_unit(factor: float = 0.5, activation: str = "linear", signal: float = 0.0) -> Training:
    """A single neuron with memory, that hears itself through one weight."""
    x = np.full((2, _BACK + 1, 1), signal)
    values = {"rnn1.W": [[1.0]], "rnn1.U": [[factor]], "rnn1.b": [0.0], "dense1.W": [[1.0]], "dense1.b": [0.0]}
    return by_hand(
        Sequential(RNN(1, activation=activation), Dense(1)), points(x, [[0.0], [2.0]], "a signal"), values, batch_size=1
    )


def twice_as_long(session: Session) -> Answer:
    """How many weights there are for a sequence, and for one of twice the length."""
    gap = session.training.dataset.input_shape[0] - 2
    sizes = [sum(item.node.type.size for item in signals(each).problem.parameters.values()) for each in (gap, 2 * gap + 2)]
    return Answer(sizes[1] / sizes[0], {"short": sizes[0], "long": sizes[1], "steps": gap + 2, "more": 2 * gap + 4})


def at_the_end(session: Session) -> Answer:
    """The shape of the answers to twenty sequences."""
    shape = model_of(session).quantities(session.training.dataset.train.x[:20], {"output"})["output"].shape
    return Answer([(20, 2), (20, 12, 2), (12, 2)].index(shape), {"rows": shape[0], "columns": shape[1]})


def _arriving(session: Session) -> float:
    """What part of ∂C/∂h of the last step arrives at the first."""
    train = session.training.dataset.train
    slopes = model_of(session).through_time(train.x[:1], train.y[:1]).gradients("rnn1.h").ravel()
    return float(slopes[0] / slopes[-1])


def arriving(session: Session) -> Answer:
    """That part, for a linear neuron: the weight to the power of the steps."""
    found = _arriving(session)
    return Answer(found, {"share": found, "back": _BACK})


def bent(session: Session) -> Answer:
    """That part with a tanh, whose neuron is driven far from 0, beside the one without."""
    linear, found = _arriving(Session(one_unit(0.5, signal=1.0))), _arriving(session)
    return Answer(0 if found < 0.99 * linear else 2 if found > 1.01 * linear else 1, {"linear": linear, "bent": found})


def proposals(session: Session) -> Answer:
    """Whether the derivative is the sum or the mean of what the steps propose: judged by the slope between two points."""
    train, model = session.training.dataset.train, model_of(session)
    x, y = train.x[:8], train.y[:8]
    steps = model.through_time(x, y).contributions("rnn1.U")
    nudge, weight = 1e-5, model.parameters["rnn1.U"]
    entry = np.unravel_index(int(np.abs(steps.sum(axis=0)).argmax()), weight.shape)
    shift = np.zeros(weight.shape)
    shift[entry] = nudge
    ends = [model.with_parameters({"rnn1.U": weight + sign * shift}).cost(x, y) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * nudge)
    each = steps[(slice(None), *entry)]
    ways = {"sum": float(each.sum()), "mean": float(each.mean()), "largest": float(each[np.abs(each).argmax()])}
    return Answer(int(np.argmin([abs(value - slope) for value in ways.values()])), {**ways, "difference": slope})


MEMORY = Lesson(
    "memory", "A network with memory", "After a lecture for physicists on recurrent networks: signals, silence, and gradients in time.",
    (
        Step(
            "The same at every step", "The network reads a sequence of 12 steps: a signal, silence, and the question which signal it "
            "was. Drawn step by step it looks deep, but it is one layer, used again and again.",
            "How many times as many weights does it need for 24 steps?", signals, twice_as_long,
            "{short} for {steps} steps, {long} for {more}: the values differ from step to step, the weights do not.", within=0.01, screen=
            "passes", look="Walk forward: rnn1 comes again at each step, with the same rnn1.W and rnn1.U.",
        ),
        Step(
            "Read at the end", "Inputs come at all 12 steps; only the answer of the last step counts. 20 sequences go through at once, "
            "and there are two signals to tell apart.",
            "What is the shape of the answers?", signals, at_the_end,
            "({rows}, {columns}): a row for each sequence, with no axis for time.", ("(20, 2)", "(20, 12, 2)", "(12, 2)"), screen=
            "passes", look="Walk to the end of the forward pass: dense1.z comes from the last step alone.",
        ),
        Step(
            "Back in time", "One neuron without an activation hears itself through a weight of 0.5. The gradient goes back in time, "
            "step by step, and each step multiplies it by this weight.",
            "How much of it is left after 10 steps? A guess within 0.005 is right.", one_unit, arriving,
            "{share} of it after {back} steps: it vanishes.", within=0.005, screen="pictures", look=
            "Choose the picture “gradients through time”.",
        ),
        Step(
            "Too much of it", "The same with a weight of 1.5.", "By how much has the gradient grown after 10 steps? A guess within 15 "
            "is right.", lambda: one_unit(1.5), arriving,
            "{share} times after {back} steps: it explodes. Only around 1 does it last.", within=15, screen="bench",
        ),
        Step(
            "And a tanh", "Again a weight of 0.5, now with a tanh, and an input of 1 at every step. The slope of a tanh is 1 at 0, and "
            "less everywhere else.",
            "How does the gradient vanish, beside the neuron without a tanh?", lambda: one_unit(0.5, "tanh", 1.0), bent,
            "Without it {linear} is left after 10 steps, with it {bent}.", ("faster", "as fast", "more slowly"),
        ),
        Step(
            "One weight, many proposals", "A weight is used at each of the 12 steps, and each step proposes a change of it. The lecture "
            "says that the average or the sum is taken.",
            "Which of them is the derivative?", signals, proposals,
            "The sum is {sum}, the mean {mean}, the largest {largest}. The slope between two points is {difference}: it is the sum.", (
            "the sum", "the mean", "the largest one"), screen="pictures",
            look="Choose the picture “gradients through time”.",
        ),
        experiment(
            "Is a long silence harder?", "A network with LSTM, 8 units, learns from 200 sequences for 10 epochs. The claim: it does "
            "better with a silence of 3 steps than with one of 60.",
            ("a silence of 3 steps", lambda: signals(3, lstm=True)), ("a silence of 60 steps", lambda: signals(60, lstm=True)),
        ),
    ),
)  # fmt: skip
