"""Networks as ONNX models: every layer and every op, checked by onnx itself, by its reference evaluator, and by ONNX Runtime."""

import inspect
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import nn, ops
from chainrule.cli import application
from chainrule.errors import GraphError, OptionError, OptionTypeError
from chainrule.graph import REGISTRY
from chainrule.interop.portable import portable
from chainrule.nn.structure import is_layer
from tests.ops.op_cases import CASES as OP_CASES

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx.reference import ReferenceEvaluator  # noqa: E402

from chainrule.interop.onnx_models.emitter import OPSET  # noqa: E402
from chainrule.interop.onnx_models.lowering import LOWERINGS, UNWRITTEN  # noqa: E402
from chainrule.interop.onnx_models.writing import model_of  # noqa: E402

RANDOM = np.random.default_rng(3)
PICTURE, ROW, STEPS, IDS = (6, 7, 4), (5,), (6, 3), (4,)


EVALUATES = tuple(map(int, onnx.__version__.split(".")[:2])) >= (1, 23)
"""Older evaluators lose states of Scan, and indices of ScatterElements; then ONNX Runtime judges alone."""


def net(*layers, shape):
    return cr.Sequential(*layers, input_shape=shape)


def two_branches(a, b):
    return ops.concatenate(cr.Dense(3, "tanh")(a), b, axis=1)


LAYERS = {
    "Dense": [net(cr.Dense(4, name), cr.Dense(2, bias=False), shape=ROW) for name in nn.ACTIVATIONS],
    "Activation": [net(cr.Activation(name), shape=ROW) for name in nn.ACTIVATIONS],
    "AveragePool": [
        net(cr.AveragePool(2), shape=PICTURE),
        net(cr.AveragePool(3, 2, "same"), shape=PICTURE),
        net(cr.AveragePool(2, 1, "periodic"), shape=PICTURE),
    ],
    "MaxPool": [
        net(cr.MaxPool(2), shape=PICTURE),
        net(cr.MaxPool(3, 2, "same"), shape=PICTURE),
        net(cr.MaxPool(2, 1, "reflect"), shape=PICTURE),
    ],
    "BatchNorm": [net(cr.Dense(4), cr.BatchNorm(), shape=ROW), net(cr.BatchNorm(), shape=PICTURE)],
    "Bidirectional": [
        net(cr.Bidirectional(cr.GRU(2)), shape=STEPS),
        net(cr.Bidirectional(cr.LSTM(2, return_sequences=True)), shape=STEPS),
    ],
    "Conv1D": [net(cr.Conv1D(4, 3, padding=how, stride=2), shape=STEPS) for how in ("valid", "same", "periodic", "reflect")],
    "Conv2D": [
        net(cr.Conv2D(4, (3, 2), "relu", padding="same", stride=(2, 1)), shape=PICTURE),
        net(cr.Conv2D(6, 2, dilation=(1, 2), groups=2, bias=False), shape=PICTURE),
        net(cr.Conv2D(2, 3, padding="periodic"), cr.Conv2D(2, 3, padding="reflect"), shape=PICTURE),
    ],
    "ConvTranspose1D": [net(cr.ConvTranspose1D(4, 3, stride=2), shape=STEPS)],
    "ConvTranspose2D": [
        net(cr.ConvTranspose2D(3, (3, 2), stride=2, padding="same"), shape=PICTURE),
        net(cr.ConvTranspose2D(2, 3), shape=PICTURE),
    ],
    "Dropout": [net(cr.Dropout(0.5), cr.Dense(2), shape=ROW)],
    "Embedding": [net(cr.Embedding(4, 3, padding=0), shape=IDS)],
    "Flatten": [net(cr.Flatten(), shape=PICTURE)],
    "Formula": [net(cr.Formula("a*exp(-k*x) + b", {"a": (1,), "k": (1,), "b": (1,)}), shape=(1,))],
    "Frozen": [
        net(cr.Frozen(cr.Dense(4, "tanh"), cr.BatchNorm(), cr.Dropout(0.5)), cr.Dense(2), shape=ROW),
        net(cr.Dense(3), cr.Frozen(cr.Dense(2)), shape=ROW),
    ],
    "Function": [
        net(cr.Function(lambda x: ops.sin(x) + 1.0), shape=ROW),
        net(lambda x: x - ops.mean(x, 0, keepdims=True), shape=ROW),
    ],
    "GRU": [net(cr.GRU(3), shape=STEPS), net(cr.GRU(3, return_sequences=True), cr.GRU(2), shape=STEPS)],
    "GaussianNoise": [net(cr.GaussianNoise(0.5), cr.Dense(2), shape=ROW)],
    "GlobalAveragePool": [net(cr.GlobalAveragePool(), shape=PICTURE)],
    "GlobalMaxPool": [net(cr.GlobalMaxPool(), shape=PICTURE)],
    "GraphLayer": [net(cr.as_graph_layer(net(cr.Dense(3, "tanh"), cr.BatchNorm(), shape=ROW), ROW), cr.Dense(2), shape=ROW)],
    "GroupNorm": [net(cr.GroupNorm(2), shape=PICTURE)],
    "Hopfield": [net(cr.Hopfield(3), shape=ROW)],
    "LSTM": [
        net(cr.LSTM(3), shape=STEPS),
        net(cr.LSTM(3, return_sequences=True), shape=STEPS),
        net(cr.LSTM(2, return_sequences=True, padding=0.0), cr.LSTM(2, padding=0.0), shape=STEPS),
    ],
    "Latent": [net(cr.Dense(4), cr.Latent(), cr.Dense(2), shape=ROW)],
    "LayerNorm": [net(cr.LayerNorm(), shape=ROW), net(cr.LayerNorm(), shape=PICTURE)],
    "Scale": [net(nn.Scale([1.0] * ROW[-1], 3.0), cr.Dense(2), nn.Scale(0.5, [2.0, 4.0], undo=True), shape=ROW)],
    "Network": [cr.Network(two_branches, inputs={"a": (3,), "b": (2,)})],
    "OneHot": [net(cr.OneHot(3), cr.Flatten(), shape=IDS)],
    "RNN": [net(cr.RNN(3, stateful=True), shape=STEPS), net(cr.RNN(3, return_sequences=True), shape=STEPS)],
    "RandomBrightness": [net(cr.RandomBrightness(0.1), cr.Flatten(), shape=PICTURE)],
    "RandomFlip": [net(cr.RandomFlip(), cr.Flatten(), shape=PICTURE)],
    "RandomRotation": [net(cr.RandomRotation(15.0), cr.Flatten(), shape=PICTURE)],
    "RandomShift": [net(cr.RandomShift(1), cr.Flatten(), shape=PICTURE)],
    "Reshape": [net(cr.Reshape((7, 6, 4)), shape=PICTURE)],
    "Residual": [net(cr.Residual(cr.Dense(5, "tanh"), cr.LayerNorm()), shape=ROW)],
    "RestrictedBoltzmann": [net(cr.RestrictedBoltzmann(3), shape=ROW)],
    "Sequential": [net(net(cr.Dense(3), shape=ROW), cr.Dense(2), shape=ROW)],
    "TimeDistributed": [net(cr.TimeDistributed(cr.Dense(4, "relu"), cr.Dense(2)), shape=STEPS)],
    "UpSample": [net(cr.UpSample((2, 3)), shape=PICTURE)],
}
NOT_ALONE = {
    "Ablated": "made by model.ablated",
    "ActivationFunction": "an activation of one's own",
    "L1": "a penalty",
    "L2": "a penalty",
    "Layer": "a protocol",
}


def answers(model, inputs):
    """What ONNX Runtime and the reference evaluator say, by name."""
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    yield "ONNX Runtime", dict(zip(names, session.run(None, inputs), strict=True))
    if not EVALUATES:
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of the evaluator's own doings
        yield "reference", dict(zip(names, ReferenceEvaluator(model).run(None, inputs), strict=True))


def same(found, model, inputs, tolerance=1e-5):
    for who, given in answers(model, inputs):
        for name, wanted in found.outputs(inputs).items():
            assert given[name].shape == wanted.shape, who
            assert given[name].dtype == wanted.dtype, who
            np.testing.assert_allclose(given[name], wanted, rtol=tolerance, atol=tolerance, err_msg=who)


def test_every_layer_has_a_case():
    kinds = {name for name in dir(nn) if inspect.isclass(kind := getattr(nn, name)) and is_layer(kind) and name[0].isupper()}
    assert kinds == LAYERS.keys() | NOT_ALONE.keys()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_computes_the_same_in_batches_of_any_size(name, dtype):
    for network in LAYERS[name]:
        start = portable(network, dtype=dtype)
        values = {key: value + 0.1 * RANDOM.normal(size=value.shape) for key, value in start.values.items()}
        found = portable(network, values, dtype=dtype)
        model = model_of(found)
        assert model.opset_import[0].version == OPSET
        assert [item.type.tensor_type.shape.dim[0].dim_param for item in (*model.graph.input, *model.graph.output)] == [
            "batch"
        ] * 2
        for size in (1, 7):
            drawn = RANDOM.random((size, *start.inputs["x"].shape[1:])).astype(dtype)
            if name in {"Embedding", "OneHot"}:
                drawn = np.floor(3 * drawn)
            same(found, model, {"x": drawn}, 2e-5 if dtype == "float32" else 1e-9)


# ---- ops


def test_every_op_has_a_row_or_is_made_of_others_that_have():
    own = {name: op for name, op in REGISTRY.items() if op.meaning.__module__.startswith("chainrule.")}
    lacking = {name for name, op in own.items() if name not in LOWERINGS and op.decomposition is None and op.kind != "leaf"}
    assert lacking == {"scan", *UNWRITTEN}
    assert not LOWERINGS.keys() - own.keys()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [case for case in OP_CASES if case.op not in UNWRITTEN], ids=lambda case: case.id)
def test_every_op_computes_the_same(case, dtype):
    if dtype == "float32" and not case.floats:
        return
    nodes = case.nodes(dtype)
    found = portable(cr.Graph({"y": case.build(*nodes)}))
    inputs = {node.name: value for node, value in zip(nodes, case.arrays(dtype), strict=True) if node.name in found.inputs}
    same(found, model_of(found), inputs, 1e-5 if dtype == "float32" else 1e-9)


# ---- runs


IMAGES = cr.data.from_arrays(RANDOM.integers(0, 256, (24, 6, 6, 1)).astype(np.uint8), RANDOM.integers(0, 3, 24), name="images")
NUMBERS = cr.data.from_arrays(RANDOM.normal(2000, 9, (24, 3)), 1e4 + 50 * RANDOM.normal(size=(24, 2)), name="numbers")
RUNS = {
    "softmax": ("2-4-2 tanh softmax", cr.data.moons(40), {}),
    "one output": ("2-4-1 tanh sigmoid", cr.data.moons(40), {}),
    "logits": ("2-4-2 tanh linear", cr.data.moons(40), {}),
    "one logit": ("2-4-1 tanh linear", cr.data.moons(40), {}),
    "without probabilities": ("2-4-2 tanh linear", cr.data.moons(40), {"loss": "hinge"}),
    "images": (cr.Sequential(cr.Conv2D(2, 3, "relu"), cr.BatchNorm(), cr.Flatten(), cr.Dense(3, "softmax")), IMAGES, {}),
    "numbers": ("3-4-2 tanh", NUMBERS, {}),
    "float64": ("3-4-2 tanh", NUMBERS, {"dtype": "float64"}),
    "several replicas": ("2-4-2 tanh softmax", cr.data.moons(40), {"replicas": 2}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_answers_elsewhere_as_it_does_here(name):
    network, data, options = RUNS[name]
    run = cr.fit(network, data, epochs=3, batch_size=8, optimizer=cr.Adam(0.02), **options)
    replica = run.settings.replicas - 1
    model = cr.to_onnx(run, replica=replica)
    for size in (1, 7):
        x = data.train.x[:size]
        for who, found in answers(model, {"x": x}):
            if run.problem.classes is None:
                np.testing.assert_allclose(found["output"], run.predict(x, replica), rtol=1e-5, err_msg=who)
                continue
            assert found["label"].tolist() == run.classify(x, replica)
            assert [data.classes[index] for index in found["class_index"]] == run.classify(x, replica)
            if name == "without probabilities":
                np.testing.assert_allclose(found["output"], run.predict(x, replica), rtol=1e-5, atol=1e-6, err_msg=who)
            else:
                np.testing.assert_allclose(
                    found["probabilities"], run.probabilities(x, replica), rtol=1e-5, atol=1e-6, err_msg=who
                )
    facts = {item.key: item.value for item in model.metadata_props}
    assert (facts["seed"], facts["data"], facts["chainrule"]) == (str(replica), data.name, cr.__version__)


def test_the_command_writes_the_file(tmp_path):
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(40), epochs=1, folder=tmp_path)
    target = tmp_path / "moons.onnx"
    result = CliRunner().invoke(application, ["export", str(run.folder), "--to", "onnx", "--output", str(target)])
    assert result.exit_code == 0
    assert "moons.onnx" in result.output
    assert onnx.load(target).graph == cr.to_onnx(run).graph
    for arguments, word in (
        (["--output", str(tmp_path / "moons.onx")], ".onnx"),
        (["--output", str(tmp_path / "no" / "a.onnx")], "folder"),
    ):
        result = CliRunner().invoke(application, ["export", str(run.folder), *arguments])
        assert result.exit_code == 2
        assert word in result.output


def test_models_and_graphs_go_out_too():
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(40), epochs=1)
    found = portable(run.model())
    same(found, model_of(found), found.inputs, 1e-9)
    x, w = cr.input_node("x", (2, 3)), cr.parameter("w", (3, 3))
    found = portable(cr.Graph({"y": ops.tanh(x @ w), "z": x * 2.0}), {"w": np.eye(3)})
    same(found, model_of(found), found.inputs)


def test_names_that_come_twice_and_those_of_outputs_are_told_apart():
    shared, inner = cr.LSTM(3, return_sequences=True), cr.Dense(3, "tanh", name="output")
    for network in (net(shared, shared, shape=STEPS), net(inner, cr.Dense(2), shape=ROW), net(inner, inner, shape=(3,))):
        found = portable(network)
        same(found, model_of(found), found.inputs)
    x = cr.input_node("x", (2,))
    with pytest.raises(OptionError, match="leaf of this name"):
        cr.to_onnx(cr.Graph({"x": x * 2.0}))


def test_what_has_no_words_in_a_file_is_refused():
    with pytest.raises(OptionError, match="parameter"):
        cr.to_onnx(cr.Graph({"y": cr.parameter("w", (2,)) * 2.0}))
    with pytest.raises(OptionError, match="random"):
        cr.to_onnx(cr.Graph({"y": ops.random.uniform(cr.input_node("k", (2,), "uint32"), (3,))}))
    with pytest.raises(GraphError, match="size of batch"):
        cr.to_onnx(net(lambda x: ops.matmul(cr.constant(np.eye(x.shape[0]), x.dtype), x), shape=ROW))
    with pytest.raises(OptionTypeError, match="written out"):
        cr.to_onnx(7)


def test_a_network_for_one_size_of_batch_goes_out_for_that_size():
    data = cr.data.from_arrays(RANDOM.normal(size=(6, 2)), RANDOM.normal(size=(6, 1)), split=None)
    mixing = RANDOM.normal(size=(6, 6))
    run = cr.fit(net(lambda x: cr.constant(mixing, x.dtype) @ x, cr.Dense(1), shape=(2,)), data, epochs=1, batch_size=6)
    model = cr.to_onnx(run)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 6
    for _, found in answers(model, {"x": data.train.x}):
        np.testing.assert_allclose(found["output"], run.predict(data.train.x), rtol=1e-5, atol=1e-6)
