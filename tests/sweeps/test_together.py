"""Trainings that differ in numbers only, as one program: each is to the bit what it is alone, its folder too, wherever it stood."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines.native.engine import NativeEngine
from chainrule.errors import NonFiniteError, OptionError
from chainrule.sweeps import sweep
from chainrule.train.together import alike, evaluated_together, train_together

DATA = cr.data.from_arrays(
    np.random.default_rng(0).normal(size=(60, 2)),
    np.random.default_rng(0).integers(0, 2, 60),
    split=cr.data.RandomSplit(test=0.0, validation=0.3),
)
TRAINING = cr.Training("2-4-2 tanh softmax", DATA, optimizer=cr.SGD(0.1), epochs=3, batch_size=8, replicas=2)


def dropped(rate):
    return {"network": cr.Sequential(cr.Dense(4, "relu"), cr.Dropout(rate), cr.Dense(2))}


def penalised(first, second):
    return {"loss": cr.CrossEntropy() + cr.L2(first) + cr.L1(second)}


NUMBERS = {
    "rates and seeds": [{"optimizer.learning_rate": 0.5}, {"seed": 5}, {"optimizer.learning_rate": 1e-3, "seed": 7}],
    "schedules": [{"optimizer": cr.SGD(rate)} for rate in (cr.Cosine(0.3), cr.WarmUp(5, 0.2), 0.1)],
    "momentum": [{"optimizer": cr.SGD(0.1, momentum, nesterov=True)} for momentum in (0.3, 0.9, 0.99)],
    "AdaGrad": [{"optimizer": cr.AdaGrad(0.1, epsilon)} for epsilon in (1e-10, 0.5)],
    "RMSprop": [{"optimizer": cr.RMSprop(0.01, decay)} for decay in (0.5, 0.97)],
    "Adam": [{"optimizer": cr.Adam(0.03, *betas)} for betas in ((0.9, 0.999, 1e-8), (0.5, 0.7, 3e-3), (0.25, 0.9, 1e-7))],
    "Adam's other form": [{"optimizer": cr.Adam(0.03, beta, epsilon_hat=True)} for beta in (0.8, 0.6)],
    "AdamW": [{"optimizer": cr.AdamW(0.03, decay)} for decay in (0.1, 0.3)],
    "penalties": [penalised(0.01, 0.003), penalised(0.3, 0.02)],
    "dropout": [dropped(0.2), dropped(0.45)],
    "clipping": [{"clip": cr.ClipNorm(norm)} for norm in (0.01, 0.3)],
    "clipped values": [{"clip": cr.ClipValue(limit)} for limit in (0.01, 0.3)],
    "early stopping": [
        {"early_stopping": cr.EarlyStopping(patience=1), "epochs": 8, "optimizer.learning_rate": rate}
        for rate in (3.0, 0.1, 0.7)
    ],
}


def trained(trainings):
    trainers = [training.trainer() for training in trainings]
    assert alike(trainers) == [list(range(len(trainers)))]
    return trainers, train_together(trainers)


def scores_of(history):
    return [(epoch.step, epoch.hash, {part: {k: v.tolist() for k, v in own.items()} for part, own in epoch.parts.items()})
            for epoch in history.epochs]  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_each_is_to_the_bit_what_it_is_alone(kind):
    trainings = [TRAINING.changed(**changes) for changes in NUMBERS[kind]]
    trainers, troubles = trained(trainings)
    assert troubles == [None] * len(trainers)
    evaluations = evaluated_together(trainers, "validation")
    assert len({trainer.hash for trainer in trainers}) == len(trainers)
    for training, trainer, evaluation in zip(trainings, trainers, evaluations, strict=True):
        alone = training.fit()
        assert trainer.hash == alone.hash
        assert (trainer.step, trainer.stopped) == (alone.trainer.step, alone.stopped)
        assert trainer.history.steps().tolist() == alone.history.steps().tolist()
        assert scores_of(trainer.history) == scores_of(alone.history)
        assert evaluation.loss.tolist() == alone.evaluate("validation").loss.tolist()
        assert training.changed(epochs=1).fit().hash != alone.hash


def test_what_differs_in_more_goes_apart():
    searching = {"optimizer": cr.LBFGS(), "batch_size": None}
    ways = [
        {}, {"optimizer.learning_rate": 0.7}, {"network": "2-5-2 tanh softmax"}, {"batch_size": 9}, {"optimizer": cr.Adam(0.1)},
        {"epochs": 4}, {"loss": cr.CrossEntropy() + cr.L2(0.1)}, {"optimizer": cr.SGD(0.1, 0.5)}, searching,
        {"data": cr.data.moons(60)}, {"seed": 3}, searching,
    ]  # fmt: skip
    assert alike([TRAINING.changed(**changes).trainer() for changes in ways]) == [
        [0, 1, 10],
        *([n] for n in (*range(2, 10), 11)),
    ]


def test_one_whose_numbers_become_infinite_says_so_and_the_others_go_on(tmp_path):
    trainings = [TRAINING.changed(**{"optimizer.learning_rate": rate}) for rate in (0.1, 1e38, 0.2, 2e38, 0.3, 3e38)]
    trainers = [training.begun(tmp_path) for training in trainings]
    troubles = train_together(trainers)
    for training, trainer, trouble in zip(trainings, trainers, troubles, strict=True):
        if trouble is None:
            assert trainer.hash == training.fit().hash == cr.open_run(trainer.folder.path, data=DATA).hash
            continue
        with pytest.raises(NonFiniteError) as alone:
            training.fit(folder=tmp_path / "alone")
        assert trouble.place == alone.value.place
        assert str(trouble).splitlines()[0].partition(";")[0] == str(alone.value).splitlines()[0].partition(";")[0]
        assert all(np.array_equal(array, trouble.state[name]) for name, array in alone.value.state.items())
        assert cr.open_run(trainer.folder.path, data=DATA).trainer.step == trouble.place.step
    assert [trouble is None for trouble in troubles] == [True, False] * 3


def lines(run):
    """The history without what goes by clocks: steps one by one, epochs without their seconds."""
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [{key: value for key, value in row.items() if key != "seconds"} for row in rows if row["kind"] == "epoch"]
    losses = [np.array(row["loss"]) for row in rows if row["kind"] == "steps"]
    return epochs, np.concatenate(losses, axis=1).tolist()


def test_a_folder_is_the_one_that_it_would_be_alone_wherever_each_stood(tmp_path):
    space = {"optimizer.learning_rate": [0.1, 0.3, 1e38], "optimizer.momentum": [0.5, 0.9]}
    found = sweep(TRAINING, space, replicas=2, folder=tmp_path)
    # As if it had been killed while it saved: nothing is told of any of them, and one stands at an earlier epoch than the others.
    for record in tmp_path.glob("trials/*/epochs-3.json"):
        record.unlink()
    behind = found.trials[2].run
    for path in sorted(behind.glob("snapshots/step-*"))[-2:]:
        path.unlink()
    again = sweep(TRAINING, space, replicas=2, folder=tmp_path)
    for trial, then in zip(again.trials, found.trials, strict=True):
        assert (trial.setting, trial.scores.tolist(), trial.trouble) == (then.setting, then.scores.tolist(), then.trouble)
        rate, momentum = (float(trial.setting[f"optimizer.{name}"]) for name in ("learning_rate", "momentum"))
        if trial.trouble:
            assert rate == 1e38
            continue
        alone = TRAINING.changed(optimizer=cr.SGD(rate, momentum)).fit(folder=tmp_path / "alone")
        assert lines(trial.run) == lines(alone.folder)
        run = cr.open_run(trial.run, data=DATA)
        assert (run.hash, run.settings) == (alone.hash, alone.settings)
        assert [path.name for path in sorted(trial.run.glob("snapshots/*"))] == [
            path.name for path in sorted(alone.folder.glob("snapshots/*"))
        ]
        assert cr.resume(trial.run, epochs=4, data=DATA).hash == cr.resume(alone.folder, epochs=4, data=DATA).hash


@pytest.mark.parametrize("engine", ["reference", "xla", "xla-vmap"])
@pytest.mark.filterwarnings("ignore::chainrule.errors.SlowerEngineWarning")
def test_other_engines_give_the_same(engine):
    if engine.startswith("xla"):
        pytest.importorskip("jax", reason="needs JAX")
    changes = [{"optimizer": cr.Adam(rate, beta), "loss": cr.CrossEntropy() + cr.L2(l2)}
               for rate, beta, l2 in ((0.1, 0.9, 0.01), (0.02, 0.5, 0.003), (0.05, 0.6, 0.1))]  # fmt: skip
    data = cr.data.from_arrays(DATA.train.x, DATA.train.y, split=None)
    base = TRAINING.changed(data=data, dtype="float64", replicas=1, epochs=1)
    trainers, _ = trained([base.changed(engine=engine, **each) for each in changes])
    for each, trainer, evaluation in zip(changes, trainers, evaluated_together(trainers, "training"), strict=True):
        alone = base.changed(**each).fit()
        np.testing.assert_allclose(trainer.history.steps(), alone.history.steps(), rtol=1e-9)
        np.testing.assert_allclose(evaluation.loss, alone.evaluate("training").loss, rtol=1e-9)


def test_what_does_not_fit_the_device_at_once_goes_one_part_after_the_other(monkeypatch):
    sizes: list[int] = []
    plain = NativeEngine.compile_loop

    def compile_loop(self, loop, tables, replicas, *others):
        if replicas > 5:
            raise OptionError("a training that needs more", expected="what it has", remedy="fewer replicas")
        sizes.append(replicas)
        return plain(self, loop, tables, replicas, *others)

    trainings = [TRAINING.changed(**{"optimizer.learning_rate": rate}) for rate in (0.1, 0.2, 1e38, 0.3, 0.4)]
    monkeypatch.setattr(NativeEngine, "compile_loop", compile_loop)
    trainers, troubles = trained(trainings)
    assert max(sizes) == 4
    assert [trouble is None for trouble in troubles] == [True, True, False, True, True]
    well = [trainer for trainer, trouble in zip(trainers, troubles, strict=True) if trouble is None]
    losses = [evaluation.loss.tolist() for evaluation in evaluated_together(well, "validation")]
    monkeypatch.undo()
    alone = [training.fit() for training in (*trainings[:2], *trainings[3:])]
    assert [trainer.hash for trainer in well] == [run.hash for run in alone]
    assert losses == [run.evaluate("validation").loss.tolist() for run in alone]


def test_sweeps_do_at_once_what_is_asked_for(monkeypatch):
    sizes: list[int] = []
    monkeypatch.setattr(
        "chainrule.sweeps.trial.train_together", lambda group: sizes.append(len(group)) or train_together(group)
    )
    space = {"optimizer.learning_rate": [0.1, 0.2, 0.3, 0.4, 0.5], "batch_size": [8, 9]}
    found = [sweep(TRAINING, space, replicas=2, together=together) for together in (None, 4, 1)]
    assert [sorted(sizes[:2]), sorted(sizes[2:-10]), sizes[-10:]] == [[5, 5], [1, 1, 2, 2, 2, 2], [1] * 10]
    assert len({str([(trial.name, trial.scores.tolist()) for trial in each.trials]) for each in found}) == 1
