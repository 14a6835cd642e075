"""Ours: the trainer's own loop, many epochs in one call, the shuffling included, without evaluations."""

from __future__ import annotations

from workloads import NETWORKS, Array, Data, Workload, load

import chainrule as cr
from peers import Predictor, Setup


def learner(workload: Workload, data: Data, weights: list[Array], setup: Setup) -> _Learner:
    """The network ready to be trained; images go in as bytes, as our users have them."""
    return _Learner(workload, _dataset(workload, data), weights, setup)


def predictor(workload: Workload, weights: list[Array], setup: Setup) -> Predictor:
    """The network ready to be used on inputs of float32."""
    trained = _Learner(workload, _dataset(workload, load(workload).first(1000).as_floats()), weights, setup)
    run = cr.Run(trained.trainer)
    make = getattr(run, "predictor", None)
    predict = make() if make is not None else run.predict
    return Predictor(predict, predict)


def whole_process(workload: Workload, setup: Setup) -> float:
    """What a user writes, and the test accuracy; it is tested on the training part as well, which the peers are not."""
    run = cr.fit(
        _network(workload), "mnist", optimizer=cr.SGD(workload.rate), epochs=1, batch_size=workload.batch, engine=setup.engine
    )
    return float(run.history.epochs[-1].parts["test"]["accuracy"][0])


class _Learner:
    def __init__(self, workload: Workload, data: cr.data.Dataset, weights: list[Array], setup: Setup) -> None:
        problem = cr.train.LearningProblem(_layers(workload), data.info, _loss(workload))
        optimizer = cr.SGD(workload.rate) if workload.optimizer == "sgd" else cr.Adam(workload.rate)
        settings = cr.train.Settings(
            optimizer, epochs=10**6, batch_size=workload.batch, replicas=workload.copies, engine=setup.engine
        )
        self.trainer = cr.train.Trainer(problem, settings, lambda: data)
        # The reference engine takes the other's place where llvmlite is missing; its times would be no one's answer.
        if self.trainer.engine.name != setup.engine:
            raise ImportError(f"the {setup.engine} engine cannot run here")
        for name, given in zip(problem.parameters, weights, strict=True):
            self.trainer.state[name][...] = given.reshape(self.trainer.state[name].shape)
        self.copies = workload.copies

    def train(self, epochs: int) -> None:
        trainer = self.trainer
        last = trainer.step + epochs * trainer.steps_per_epoch
        trainer._run(trainer.step, last)
        trainer.step = last

    def outputs(self, x: Array) -> Array:
        return cr.Run(self.trainer).predict(x, None if self.copies > 1 else 0)


def _layers(workload: Workload) -> cr.nn.Layer:
    if workload.network == "lstm":
        return cr.Sequential(cr.LSTM(64), cr.Dense(10, "softmax"))
    return cr.parse_network(_network(workload))


def _network(workload: Workload) -> str:
    # W9 stops at the logits, as all peers do.
    last = {"cross_entropy": " softmax", "half_squared_error": " sigmoid"}.get(workload.loss, "")
    text = NETWORKS.get(workload.network, "-".join(map(str, workload.sizes)))
    return f"{text} {workload.activation}{'' if workload.kind == 'prediction' else last}"


def _loss(workload: Workload) -> str:
    logits = workload.loss == "binary_cross_entropy" or workload.kind == "prediction"
    return f"{workload.loss}_from_logits" if logits else workload.loss


def _dataset(workload: Workload, data: Data) -> cr.data.Dataset:
    """The data with inputs and targets left as they are, so that every competitor sees the same numbers."""
    if workload.data == "mnist" and len(data.x) == 60_000:
        return cr.data.mnist()
    bytes_scaled = cr.data.Scaling(0, 1 / 255) if data.x.dtype == "uint8" else "none"
    test = (data.test_x, data.test_y)
    if workload.data == "curve":
        return cr.data.from_arrays(data.x, data.y, test=test, scaling="none", target_scaling="none")
    classes = [str(label) for label in range(10 if workload.loss == "cross_entropy" else 2)]
    return cr.data.from_arrays(data.x, data.y, test=test, classes=classes, scaling=bytes_scaled)
