"""Whatever is put in the place of an argument means something or is refused by an error of ours: never a raw one, never NaN in silence."""

from __future__ import annotations

import inspect
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.doors import DOORS, LABELS, VALUES, Door, X, moons, net, outcome, run, x

WHOLE = "CAMPAIGN_SIZE" in os.environ
"""The long door tries all values, the usual one a few at each place, others for each argument."""
AT_EACH_PLACE = 6
EXPENSIVE = {"fit", "fit numbers", "sweep", "find_learning_rate", "run.branch", "run.explain", "run.at", "run.generate"}
"""Doors behind which something is trained or explained: two values at each place are enough."""

MADE_BY_THE_LIBRARY = {
    # what functions give, and users read
    "Built", "FunctionReport", "LayerUse", "Parameter", "LayerScope", "Recall",
    "SummaryRow", "State", "Summary", "Table", "Cost", "Epoch", "Evaluation",
    "Evaluator", "History", "Ledger", "TrainingProgress", "RunFolder", "Scores",
    "Alignment", "Attribution", "Compared", "Contribution", "Snapshot", "Trainer", "Run", "Model", "Explanation",
    "PredictionHistory", "DatasetInfo", "Column", "Columns", "TextInput",
    "SplitIndices", "NearDuplicate", "WrongLabels", "Example", "Curve", "CountModel",
    "WordChain", "Recurrence", "Notation", "Op", "Node", "Body", "Change", "PassStep", "ActivationFunction",
    # protocols and names of types
    "Initialiser", "Layer", "Loss", "Optimizer", "Schedule", "Callback",
    "Order", "OrderName", "Split", "Options", "Array", "Shape",
    "Pass", "INPUT", "PARAMETER", "CONSTANT", "Kind", "Traits",
    # parts that functions of the table are made of, and what needs a file or an hour
    "as_nodes", "as_declared", "check", "conform", "dead_code", "evaluator", "fold_constants", "rewrite_nodes",
    "described", "StepTrainer",
    "dtype_name", "frozen",
    "form_of", "is_frame", "run_passes", "scope", "scope_root", "share_common", "topological_order", "building", "layer_scope",
    "prediction_history",
    "batch_sizes", "class_probabilities", "decide", "evaluation_of", "minimise", "usual_batch_size", "usual_network",
    "with_error", "class_shares", "r_squared_text", "loop_key", "split_values", "unroll", "simplify_algebra", "scan",
    "threefry2x32", "check_gradient", "resume", "open_run", "read_csv", "read_npy", "read_npz", "read_idx", "from_dataframe",
    "from_table", "read_table", "as_table", "mnist", "ising", "ising_temperatures", "materials_table",
    "composite_bulk_modulus", "coupled_motion", "places", "picture", "landscape", "opinion_texts", "text_vocabulary",
    "decode", "mask", "lengths", "to_device", "decompose",
    "output_range", "Scale", "Export", "to_digits", "as_inputs", "suited",
    "MLflow", "WandB", "export", "from_torch", "to_torch", "from_keras", "to_keras",
    "from_hub", "to_hub", "Progress", "read_frame", "read_image", "read_images",
    "read_input", "OutputRange", "summary_of", "FullBatch", "InputReading", "GraphUse", "is_kept",
}  # fmt: skip


def public() -> Iterator[str]:
    for room in (cr, cr.nn, cr.data, cr.ops, cr.train, cr.graph):
        for name in room.__all__:
            if callable(getattr(room, name)):
                yield name


# What makes each node of a graph has no time to look at names; Python's own refusal says which it is.
@pytest.mark.parametrize("name", [name for name in DOORS if name not in {"constant", "Type"}])
def test_an_argument_that_there_is_not_is_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cr.errors.ChainruleError, match="no_such_argument"):
        DOORS[name].call({"no_such_argument": 1})


def test_an_heir_of_a_description_may_take_what_it_likes():
    class Wide(cr.Dense):
        def __init__(self, **options):
            super().__init__(100, **options)

    assert Wide(activation="tanh").units == 100
    assert Wide(activation="tanh").activation == "tanh"


def test_a_call_with_too_many_or_too_few_values_is_refused():
    for call in (
        lambda: cr.fit("2-2", "moons", "cross_entropy"), lambda: cr.fit("2-2"), lambda: cr.Adam(1, 2, 3, 4, 5, 6),
        lambda: cr.Conv2D(3), lambda: cr.Dense(3, units=3),
    ):  # fmt: skip
        with pytest.raises(cr.errors.OptionTypeError, match=r"was given (no|\d values?)"):
            call()


def test_every_public_name_has_a_door_or_needs_none():
    behind = {found.function for found in DOORS.values()}
    missing = {name for name in public() if name not in MADE_BY_THE_LIBRARY and name not in DOORS}
    assert not {name for name in missing if not any(_same(name, function) for function in behind)}


def _same(name: str, function: Any) -> bool:
    return any(getattr(room, name, None) is function for room in (cr, cr.nn, cr.data, cr.ops, cr.train, cr.graph))


def tried(found: Door, argument: str) -> list[Any]:
    if WHOLE:
        return list(VALUES)
    count = 2 if found.name in EXPENSIVE else AT_EACH_PLACE
    seed = [ord(letter) for letter in f"{found.name} {argument}"]
    chosen = np.random.default_rng(seed).choice(len(VALUES), count, replace=False)
    return [VALUES[place] for place in chosen]


@pytest.mark.parametrize("name", DOORS)
def test_a_right_call_is_taken_and_any_other_is_taken_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # any text is the name of a folder, too
    found = DOORS[name]
    found.call()
    for argument in found.parameters():
        for value in tried(found, argument):
            # Of several values that are handed over one behind the other the first is changed.
            given = (value, *found.arguments[argument][1:]) if argument == found.spread else value
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                happened = outcome(found, {argument: given})
            assert not happened, f"{name}({argument}={value!r}): {happened}"


@pytest.mark.parametrize(("wanted", "given"), [(3, np.int64(3)), (3, np.uint8(3)), (3, np.array(3))])
def test_numpys_whole_numbers_are_pythons(wanted, given):
    dense = cr.Dense(given)
    assert (dense, hash(dense), repr(dense)) == (cr.Dense(wanted), hash(cr.Dense(wanted)), repr(cr.Dense(wanted)))
    assert type(dense.units) is int
    settings = cr.train.Settings(batch_size=given, epochs=given, seed=given, replicas=given)
    assert settings == cr.train.Settings(batch_size=wanted, epochs=wanted, seed=wanted, replicas=wanted)
    assert cr.nn.from_json(cr.nn.to_json(cr.Sequential(dense))) == cr.Sequential(cr.Dense(wanted))


@pytest.mark.parametrize("given", [np.float32(0.25), np.float64(0.25), np.array(0.25)])
def test_numpys_floats_are_pythons(given):
    assert cr.SGD(given) == cr.SGD(0.25)
    assert repr(cr.Adam(given, epsilon_hat=np.bool_(True))) == repr(cr.Adam(0.25, epsilon_hat=True))
    assert repr(cr.Dropout(given)) == "Dropout(0.25)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cr.fit("2-2", "moons", optimizer=cr.Adam), ["optimizer=Adam in fit", "write Adam(...)"]),
        (lambda: cr.fit("2-2", "moons", optimizer=3), ["optimizer=3 in fit", "derived from Optimizer, with learning_rate, update"]),
        (lambda: cr.fit("2-2", "moons", clip=1.0), ["clip=1.0 in fit", "ClipNorm"]),
        (lambda: cr.fit("2-2", "moons", early_stopping=cr.EarlyStopping), ["write EarlyStopping(...)"]),
        (lambda: cr.fit("2-2", "moons", callbacks=3), ["callbacks=3", "a function of 1 argument"]),
        (lambda: cr.Dense(3, weights=cr.nn.Normal), ["weights=Normal in Dense", "write Normal(...)"]),
        (lambda: cr.Sequential(cr.Dense), ["Dense", "write Dense"]),
        (lambda: cr.SGD("0.1"), ["learning_rate='0.1' in SGD", "a finite number above 0", "learning_rate=0.1"]),
        (lambda: cr.SGD(cr.Cosine), ["write Cosine(...)"]),
        (lambda: cr.AdamW(beta2=2), ["beta2=2 in AdamW", "0 or more and below 1"]),
        (lambda: cr.AdamW(epsilon=0), ["epsilon=0 in AdamW", "above 0"]),
        (lambda: cr.Cosine(0.1, -1), ["final=-1 in Cosine"]),
        (lambda: cr.StepDecay(0.1, 5, float("inf")), ["factor=inf in StepDecay"]),
        (lambda: cr.RNN(3, activation="tahn"), ["activation='tahn' in RNN", "did you mean 'tanh'?"]),
        (lambda: cr.data.from_arrays(np.ones((9, 1)), np.ones(9), split=cr.data.RandomSplit), ["write RandomSplit(...)"]),
        (lambda: cr.data.moons(noise="much"), ["noise='much' in moons", "a finite number of 0 or more"]),
        (lambda: cr.Formula("relu"), ["names the function 'relu' without calling it", "write relu(x)"]),
        (lambda: cr.Formula("f(z) = tanh + z"), ["names the function 'tanh'"]),
    ],
)  # fmt: skip
def test_messages_say_what_to_write(call, words):
    with pytest.raises(cr.errors.ChainruleError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("kind", [cr.Adam, cr.AdaGrad, cr.RMSprop, cr.AdamW, cr.PerceptronRule, cr.LBFGS])
def test_what_a_kind_has_is_no_argument_of_its_objects(kind):
    with pytest.raises(TypeError, match="slots"):
        kind(slots=("mean",))


def test_one_callback_needs_no_brackets():
    seen = []
    cr.fit("2-2:softmax", "moons", epochs=1, engine="reference", callbacks=lambda moment: seen.append(moment.kind))
    assert seen[-1] == "end"
    cr.fit("2-2:softmax", "moons", epochs=1, engine="reference", callbacks=[seen.append])
    assert seen[-1].kind == "end"


@pytest.mark.parametrize("folder", ["no/such", "a file"])
def test_what_cannot_be_written_is_said(folder, tmp_path):
    (tmp_path / "a file").write_text("")
    run = cr.fit("2-2:softmax", "moons", epochs=1, engine="reference")
    graph = run.graph("forward")
    for save in (
        cr.views.networks.draw_network(run).save, cr.views.drawing.draw_graph(graph).save, cr.pictures.learning_curves(run).save,
        cr.data.next_character("abc " * 9, length=3).text.vocabulary.save,
    ):  # fmt: skip
        with pytest.raises(cr.errors.MissingFileError, match="there is no folder"):
            save(tmp_path / folder / "drawing.svg")
    for wrong in (3, None, "drawing.doc", ""):
        with pytest.raises(cr.errors.OptionError):
            cr.views.networks.draw_network(run).save(wrong)
    (tmp_path / "taken.svg").mkdir()
    with pytest.raises(cr.errors.UnwritableFileError, match="cannot be written"):
        cr.views.networks.draw_network(run).save(tmp_path / "taken.svg")
    with pytest.raises(cr.errors.UnwritableFileError, match="cannot be written"):
        cr.fit("2-2:softmax", "moons", epochs=1, engine="reference", folder=tmp_path / "a file" / "runs")


@pytest.mark.parametrize(
    "text", ["5x2-rnn3:relu-2", "5x2-rnn3:return_sequences-lstm4-2", "5x2-gru3:return_sequences-rnn4:sigmoid-2"]
)
def test_a_recurrent_layers_activation_has_a_text(text):
    assert cr.nn.to_text(cr.parse_network(text)) == text


def test_metrics_take_true_then_predicted_as_scikit_learn_does():
    from sklearn import metrics

    true, predicted = np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.5, 3.0])
    assert cr.nn.r_squared(true=true, predicted=predicted) == pytest.approx(metrics.r2_score(y_true=true, y_pred=predicted))
    assert cr.nn.r_squared(true, predicted) != pytest.approx(cr.nn.r_squared(predicted, true))
    labels, found = [0, 1, 1, 2], [0, 2, 1, 1]
    matrix = cr.nn.confusion_matrix(true=labels, predicted=found, classes=3)
    assert np.array_equal(matrix.counts, metrics.confusion_matrix(labels, found))
    scores = np.array([[0.1, 0.5, 0.4], [0.35, 0.4, 0.25], [0.2, 0.3, 0.5], [0.4, 0.25, 0.35]])
    assert cr.nn.top_k_accuracy(labels, scores, 2).value == metrics.top_k_accuracy_score(labels, scores, k=2)
    large = np.array([1e200, -2e200, 3e200])
    assert cr.nn.r_squared(large, large * 0.9) == pytest.approx(cr.nn.r_squared(large / 1e200, large * 0.9 / 1e200))


def test_run_files_of_the_first_versions_are_read():
    from chainrule.descriptions import restored

    adam = {"kind": "Adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "epsilon_hat": False}
    assert restored({**adam, "slots": ["mean", "square"]}) == cr.Adam(0.01)
    loss = {"kind": "Huber", "delta": 2.0, "name": "huber", "target": "values"}
    assert restored({"kind": "Objective", "terms": [loss]}).losses == (cr.Huber(2.0),)
    with pytest.raises(cr.errors.FileFormatError):
        restored({**adam, "speed": 3})


def test_no_error_is_its_own_cause(tmp_path):
    """Whoever follows causes comes to an end."""
    for ask in (
        lambda: cr.data.load(tmp_path / "no.csv", target="y"), lambda: cr.data.load(tmp_path / "no.npz"), lambda: cr.open_run(tmp_path),
        lambda: cr.fit("2-3-2 tanh", (np.ones((8, 2)), np.ones((8, 3)))),
    ):  # fmt: skip
        with pytest.raises(cr.errors.ChainruleError) as raised:
            ask()
        seen, error = [], raised.value
        while error is not None:
            assert error not in seen
            seen, error = [*seen, error], error.__cause__


ROOMS = (cr, cr.nn, cr.data, cr.ops, cr.train, cr.graph, cr.trace, cr.sweeps, cr.doctor, cr.engines)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_no_method_answers_a_strange_name_by_pythons_error(room):
    kinds = [
        found
        for name in room.__all__
        if isinstance(found := getattr(room, name), type) and found.__module__.startswith("chainrule.")
    ]
    asked = 0
    for kind in kinds:
        for name in dir(kind):
            method = getattr(kind, name)
            ours = getattr(method, "__module__", "") or ""
            if (
                name.startswith("_")
                or getattr(kind, "_is_protocol", False)
                or not inspect.isroutine(method)
                or not ours.startswith("chainrule.")
            ):
                continue
            if any(part.kind is part.VAR_KEYWORD for part in inspect.signature(method).parameters.values()):
                continue  # what takes any name says itself which it knows
            with pytest.raises(cr.errors.OptionTypeError, match="no_such_argument"):
                method(no_such_argument=1)
            asked += 1
    assert asked or not kinds


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: QUICK.fit(callback=print), ["fit was given callback=", "did you mean 'callbacks'?"]),
        (lambda: QUICK.fit(callbacks=3), ["callbacks=3 in fit", "a function of 1 argument"]),
        (lambda: QUICK.changed(epoch=3), ["epoch", "did you mean 'epochs'?"]),
        (lambda: QUICK.changed(**{"optimizer.rate": 3}), ["rate", "learning_rate"]),
        (lambda: QUICK.changed(**{"optimizer.learning_rate": "3"}), ["learning_rate='3' in Adam"]),
        (lambda: cr.fit(net, moons, epoch=3), ["epoch=3", "did you mean 'epochs'?"]),
        (lambda: cr.Training(net, moons, optimiser="adam"), ["did you mean 'optimizer'?"]),
        (lambda: cr.Training.of(3), ["run=3 in of", "Run"]),
        (lambda: run.explain(1, levels="picture"), ["levels", "level"]),
        (lambda: run.explain(1).trace.value("no such"), ["no such"]),
        (lambda: run.why(1, off=0), ["why was given off=0", "did you mean 'of'?"]),
        (lambda: run.evaluate(parts="test"), ["did you mean 'part'?"]),
        (lambda: run.history.until("a"), ["'a' in History.until"]),
        (lambda: cr.trainer(net).step(X, LABELS, extra=None), ["extra"]),
        (lambda: cr.pictures.learning_curves(run).save(file="x.svg"), ["file='x.svg'", "path"]),
    ],
)  # fmt: skip
def test_methods_say_what_to_write(call, words):
    with pytest.raises(cr.errors.ChainruleError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


QUICK = cr.Training(net, moons, optimizer=cr.Adam(0.01), epochs=1, engine="reference")


def test_a_log_that_lacks_letters_ends_no_training(monkeypatch):
    log = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", log)
    assert QUICK.fit(callbacks=cr.Progress()).hash == QUICK.fit().hash
    log.flush()
    assert b"accuracy 0.25 * test loss" in log.buffer.getvalue()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cr.data.Scaling(0, 1).apply("abc"), "array of numbers"),
        (lambda: cr.data.Scaling(0, 1).undo([[1.0], [1.0, 2.0]]), "rows of equal length"),
        (lambda: cr.data.Vocabulary.of("ab").one_hot([7]), "from 0 to 3"),
        (lambda: cr.data.Vocabulary.of("ab").one_hot([0.5]), "whole numbers"),
        (lambda: cr.data.Vocabulary.read("."), "no file"),
        (lambda: cr.nn.BoltzmannMachine(np.zeros((3, 2)), np.zeros(3), np.zeros(2)).free_energy([1.0, 0.0]), r"\(n, 3\)"),
        (lambda: cr.Formula("f(x) = a*x", parameters={"a": (1,)}).initialiser("b"), "one of a"),
        (lambda: run.why(1).name(9), "from 0 to 1"),
        (lambda: x[[[1.0], [1.0, 2.0]]], "rows of equal length"),
        (lambda: cr.trainer("2-1", loss=int).step(X, X[:, :1]), "was given as a loss"),
        (lambda: cr.data.from_arrays({}, [1.0]), "without columns"),
        (lambda: cr.data.from_arrays({"a": 2}, [1.0]), "put it in brackets"),
        (lambda: cr.fit("3-2", (X @ np.ones((2, 3)), X > 0)), r"y.astype\(float\)"),
    ],
)
def test_values_of_a_wrong_kind_are_refused_in_our_words(call, words):
    with pytest.raises(cr.errors.ChainruleError, match=words):
        call()
