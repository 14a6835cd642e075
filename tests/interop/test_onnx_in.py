"""Models as layers: round trips of every layer, what other libraries' exporters write, hostile files."""

import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, FileFormatError, MissingFileError, OptionError, UnsupportedError
from chainrule.interop.portable import portable

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx import TensorProto, helper  # noqa: E402

from tests.interop.test_onnx_out import LAYERS  # noqa: E402

MODELS = sorted((Path(__file__).parent / "onnx_models").glob("*.onnx"))
RANDOM = np.random.default_rng(4)


def made(nodes, inputs, outputs, initializers=(), opset=18, **more):
    graph = helper.make_graph(nodes, "made", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **more)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def answer(layer, x):
    found = portable(layer, dtype="float32")
    (name,) = found.inputs
    (value,) = found.outputs({name: x}).values()
    return value


# ---- round trips


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_comes_back_as_it_was(name):
    for network in LAYERS[name]:
        first = portable(network)
        model = cr.to_onnx(network)
        layer = cr.from_onnx(model.SerializeToString())
        back = portable(layer)
        x = np.resize(first.inputs["x"], (7, *first.inputs["x"].shape[1:]))
        np.testing.assert_allclose(back.outputs({"x": x})["output"], first.outputs({"x": x})["output"], rtol=1e-6, atol=1e-6)
        assert set(layer.states) == set(first.states)
        assert set(back.values) == {key for key in first.values if any(item.name == key for item in model.graph.initializer)}
        again = cr.to_onnx(layer)
        assert cr.to_onnx(cr.from_onnx(again)).graph == again.graph


@pytest.mark.parametrize("name", ["Dense", "BatchNorm", "LayerNorm", "Conv2D", "Residual", "TimeDistributed", "Hopfield"])
def test_the_graph_that_comes_back_is_the_one_that_went_out(name):
    network = LAYERS[name][0]
    model = cr.to_onnx(network)
    assert cr.to_onnx(cr.from_onnx(model)).graph == model.graph


def test_a_run_goes_out_with_its_scaling_and_comes_back(tmp_path):
    x = RANDOM.normal(2000.0, 5.0, size=(60, 3))
    data = cr.data.from_arrays(x, 1e4 + x @ [[1.0], [2.0], [-1.0]], name="years")
    run = cr.fit("3-4-1 tanh", data, epochs=3, optimizer=cr.Adam(0.01))
    (path,) = cr.export(run, tmp_path / "years.onnx")
    wanted = run.predict(x)
    layer = cr.from_onnx(path)
    found = portable(layer, dtype="float32").outputs({"x": x})["output"]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert cr.to_onnx(layer, dtype="float32").graph == onnx.load(path).graph


# ---- what other libraries write


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_what_other_exporters_write_computes_the_same_in_batches_of_any_size(path):
    layer = cr.from_onnx(path)
    with np.load(path.with_suffix(".npz")) as recorded:
        x, y = recorded["x"], recorded["y"]
    for size in (1, 3, 5):
        np.testing.assert_allclose(answer(layer, x[:size]), y[:size], rtol=2e-5, atol=2e-5)
    model = cr.to_onnx(layer)
    (item,) = model.graph.input
    assert item.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_a_model_is_trained_explained_drawn_and_kept(tmp_path):
    layer = cr.from_onnx(Path(__file__).parent / "onnx_models" / "sklearn_classifier.onnx")
    x = RANDOM.normal(5.0, 1.0, size=(60, 4))
    data = cr.data.from_arrays(x, (x[:, 0] > 5).astype(int) + (x[:, 1] > 5), name="halves", scaling="none")
    run = cr.fit(layer, data, loss="cross_entropy", epochs=20, optimizer=cr.Adam(0.05), batch_size=10, folder=tmp_path)
    before = cr.fit(layer, data, loss="cross_entropy", epochs=0, batch_size=10)
    assert run.evaluate("training").loss < 0.7 * before.evaluate("training").loss
    np.testing.assert_allclose(before.predict(x.astype(np.float32)), answer(layer, x.astype(np.float32)), rtol=1e-5, atol=1e-6)
    model = run.model()
    checked = model.check_gradient(model.gradient(x[:6], data.train.y[:6]), x[:6], data.train.y[:6])
    assert checked.ok
    assert "coefficient" in str(run.explain(0, "training"))
    assert "<svg" in cr.views.networks.draw_network(run)._repr_svg_()
    assert cr.open_run(run.folder, data=data).hash == run.hash


def test_a_model_too_large_for_texts_is_opened_with_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.saved_network.LONGEST", 500)
    layer = cr.from_onnx(cr.to_onnx(LAYERS["Dense"][0]))
    data = cr.data.from_arrays(RANDOM.normal(size=(8, 5)), RANDOM.normal(size=(8, 2)))
    run = cr.fit(layer, data, epochs=1, folder=tmp_path)
    with pytest.raises(OptionError, match="letters"):
        cr.open_run(run.folder, data=data)
    assert cr.open_run(run.folder, data=data, net=layer).hash == run.hash


def test_running_statistics_are_states():
    rows = [
        helper.make_tensor(name, TensorProto.FLOAT, [2], values)
        for name, values in (("s", [1, 2]), ("b", [0, 1]), ("m", [3, 4]), ("v", [1, 4]))
    ]
    model = made(
        [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])],
        [floats("x", "n", 2)],
        [floats("y", "n", 2)],
        rows,
    )
    layer = cr.from_onnx(model)
    assert (set(layer.parameters), set(layer.states)) == ({"s", "b"}, {"m", "v"})


def test_several_inputs_are_columns_of_one():
    model = made(
        [helper.make_node("Sub", ["a", "b"], ["y"])], [floats("a", "n", 2), floats("b", "n", 2)], [floats("y", "n", 2)]
    )
    network = cr.Sequential(cr.from_onnx(model), input_shape=(4,))
    np.testing.assert_array_equal(answer(network, np.float32([[5, 6, 1, 3]])), [[4, 3]])


def test_other_sizes_and_inputs_that_shapes_depend_on_are_said():
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    model = made(
        nodes,
        [floats("x", "n", "steps", 2), helper.make_tensor_value_info("shape", TensorProto.INT64, [2])],
        [floats("y", "n", 6)],
    )
    with pytest.raises(UnsupportedError, match="an extent called 'steps'"):
        cr.from_onnx(model)
    with pytest.raises(UnsupportedError, match="values="):
        cr.from_onnx(model, sizes={"steps": 3})
    layer = cr.from_onnx(model, sizes={"steps": 3}, values={"shape": [-1, 6]})
    assert answer(layer, np.ones((4, 3, 2), np.float32)).shape == (4, 6)


def test_a_size_of_batch_that_a_file_says_stays_unless_it_may_be_any():
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1, 2, 3, 4])
    model = made([helper.make_node("MatMul", ["x", "w"], ["y"])], [floats("x", 3, 2)], [floats("y", 3, 2)], [weights])
    assert cr.to_onnx(cr.from_onnx(model)).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    x = RANDOM.normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_allclose(answer(cr.from_onnx(model, any_batch=True), x), x @ [[1, 2], [3, 4]], rtol=1e-5)
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [1, -1])
    model = made([helper.make_node("Reshape", ["x", "s"], ["y"])], [floats("x", 1, 2)], [floats("y", 1, 2)], [shape])
    with pytest.raises(UnsupportedError, match="for 2 examples"):
        cr.from_onnx(model, any_batch=True)


def test_functions_of_the_model_are_read_with_their_attributes():
    inner = helper.make_node("LeakyRelu", ["a"], ["b"])
    reference = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    inner.attribute.append(reference)
    function = helper.make_function("own", "bent", ["a"], ["b"], [inner], [helper.make_opsetid("", 18)], ["slope"])
    bent = helper.make_node("bent", ["x"], ["y"], domain="own", slope=0.25)
    graph = helper.make_graph([bent], "g", [floats("x", "n", 2)], [floats("y", "n", 2)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, functions=[function], opset_imports=opsets)
    np.testing.assert_array_equal(answer(cr.from_onnx(model), np.float32([[-4, 4]])), [[-1, 4]])


# ---- refusals


def small(*nodes, kind=TensorProto.FLOAT, shape=("n", 2), weights=(), gives=TensorProto.FLOAT, opset=18):
    """A model from x to y."""
    x = helper.make_tensor_value_info("x", kind, shape)
    return made(list(nodes), [x], [helper.make_tensor_value_info("y", gives, None)], weights, opset)


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


TRUE = helper.make_tensor("true", TensorProto.BOOL, [], [True])
SAME = helper.make_graph(
    [node("Identity", ["c"], "d"), node("Identity", ["v"], "w")],
    "turn",
    [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("c", 9, []), floats("v", "n", 2)],
    [helper.make_tensor_value_info("d", 9, []), floats("w", "n", 2)],
)
VAST = helper.make_tensor("s", TensorProto.INT64, [3], [2**20] * 3)
REFUSED = {
    "an operator that is not here": (small(node("NonMaxSuppression", ["x", "x"], name="boxes")), "'boxes'"),
    "an operator that there is not": (small(node("Sofmax", ["x"])), "Softmax"),
    "an unknown attribute": (small(node("Relu", ["x"], slope=2.0)), "slope"),
    "an input too few": (small(node("Add", ["x"])), "Add"),
    "a name that nothing makes": (small(node("Add", ["x", "z"])), "'z'"),
    "nodes in a circle": (small(node("Add", ["x", "y"], "z"), node("Relu", ["z"])), "'y'"),
    "shapes that do not fit": (small(node("MatMul", ["x", "x"]), shape=("n", 9)), "MatMul"),
    "a shape beyond memory": (small(node("ConstantOfShape", ["s"], "c"), node("Mul", ["x", "c"]), weights=[VAST]), "extents"),
    "quarter floats": (small(node("Relu", ["x"]), kind=TensorProto.FLOAT8E5M2), "FLOAT8E5M2"),
    "long counts": (small(node("Identity", ["x"]), kind=TensorProto.UINT64), "UINT64"),
    "no floats come out": (small(node("Shape", ["x"]), gives=TensorProto.INT64), "float32 or float64"),
    "a loop without end": (small(node("Loop", ["", "true", "x"], body=SAME), weights=[TRUE]), "turns"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(name):
    model, word = REFUSED[name]
    start = time.perf_counter()
    with pytest.raises(ChainruleError, match=word):
        cr.from_onnx(model)
    assert time.perf_counter() - start < 10


# ---- kinds of numbers that nodes cannot have


def tensor(name, kind, array):
    array = np.asarray(array, helper.tensor_dtype_to_np_dtype(kind))
    return helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)


def by_onnx_runtime(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    return found.astype(np.float32)


W = RANDOM.normal(size=(4, 3)).round(2)


@pytest.mark.parametrize("beside", [False, True])
def test_half_floats_are_read_as_floats_and_agree_with_onnx_runtime(beside, tmp_path):
    weights = [tensor("W", TensorProto.FLOAT16, W), tensor("b", TensorProto.FLOAT16, [0.5, -1.0, 2.0])]
    nodes = [node("Cast", ["x"], "h", to=TensorProto.FLOAT16), node("Gemm", ["h", "W", "b"], "z"), node("Tanh", ["z"])]
    model = small(*nodes, shape=("n", 4), gives=TensorProto.FLOAT16, weights=weights)
    onnx.save(model, tmp_path / "half.onnx", save_as_external_data=beside, size_threshold=0)
    network = cr.from_onnx(tmp_path / "half.onnx")
    x = RANDOM.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(answer(network, x), by_onnx_runtime(tmp_path / "half.onnx", x), atol=2e-3)
    np.testing.assert_allclose(answer(network, x), np.tanh(x @ W.astype(np.float16) + [0.5, -1.0, 2.0]), atol=1e-6)
    run = cr.fit(network, (np.zeros((8, 4)), np.zeros((8, 3))), epochs=1)
    assert {name: array.dtype for name, array in run.parameters().items()} == {"W": np.float32, "b": np.float32}


def test_bfloat16_weights_are_read():
    model = small(
        node("Cast", ["W"], "wide", to=TensorProto.FLOAT), node("MatMul", ["x", "wide"]), shape=("n", 4),
        weights=[tensor("W", TensorProto.BFLOAT16, W)],
    )  # fmt: skip
    x = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(
        answer(cr.from_onnx(model), x), W.astype(helper.tensor_dtype_to_np_dtype(16)).astype(np.float32)
    )


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT4])
def test_quantised_networks_agree_with_onnx_runtime(kind):
    low, high = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "UINT16": (0, 65535), "INT4": (-8, 7)}[
        TensorProto.DataType.Name(kind)
    ]
    packed = helper.make_tensor("W", kind, (4, 3), RANDOM.integers(low, high + 1, (4, 3)).reshape(-1).tolist())
    scale, steps = helper.make_tensor("s", 1, [], [4.0 / (high - low)]), helper.make_tensor("t", 1, [3], [0.01, 0.002, 0.03])
    zero, zeros = (
        helper.make_tensor("z", kind, [], [(low + high) // 2]),
        helper.make_tensor("zs", kind, [3], [low + 1, 3, high]),
    )
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "q"), node("DequantizeLinear", ["q", "s", "z"], "a"),
        node("DequantizeLinear", ["W", "t", "zs"], "w", axis=1), node("MatMul", ["a", "w"]),
    ]  # fmt: skip
    model = small(*nodes, shape=("n", 4), weights=[packed, scale, steps, zero, zeros], opset=21)
    x = (3 * RANDOM.normal(size=(50, 4))).astype(np.float32)  # some of it beyond the range
    theirs = by_onnx_runtime(model.SerializeToString(), x)
    np.testing.assert_allclose(answer(cr.from_onnx(model), x), theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.INT16, TensorProto.UINT16])
def test_sums_and_products_of_short_numbers_go_round(kind):
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [
        node("Cast", ["x"], "a", to=kind), node("Mul", ["a", "a"], "b"), node("Add", ["b", "a"], "c"), node("BitwiseNot", ["c"], "d"),
        node("Cast", ["d"], to=TensorProto.FLOAT),
    ]  # fmt: skip
    x = np.array([[-7, 100, 90, 127], [3, 11, 12, 0]], np.float32) * (1 if dtype == np.int8 else 250)
    x = np.abs(x) if dtype == np.uint16 else x
    a = x.astype(dtype)
    np.testing.assert_array_equal(answer(cr.from_onnx(small(*nodes, shape=("n", 4))), x), ~(a * a + a))


def test_a_function_that_calls_itself_is_refused():
    function = helper.make_function(
        "own", "again", ["x"], ["y"], [helper.make_node("again", ["x"], ["y"], domain="own")], [helper.make_opsetid("own", 1)]
    )
    graph = helper.make_graph(
        [helper.make_node("again", ["x"], ["y"], domain="own")], "g", [floats("x", "n", 2)], [floats("y", "n", 2)]
    )
    model = helper.make_model(
        graph, functions=[function], opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    )
    with pytest.raises(FileFormatError, match="nested deeper"):
        cr.from_onnx(model)


def test_no_file_outside_the_folder_is_read(tmp_path):
    (tmp_path / "secret.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    for location, error in (
        ("../secret.bin", FileFormatError),
        (str(tmp_path / "secret.bin"), FileFormatError),
        ("link.bin", FileFormatError),
        ("none.bin", MissingFileError),
        ("w.bin", None),
    ):
        tensor = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [0.0] * 4)
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        model = made([helper.make_node("MatMul", ["x", "w"], ["y"])], [floats("x", "n", 2)], [floats("y", "n", 2)], [tensor])
        path = inside / "model.onnx"
        path.write_bytes(model.SerializeToString())
        if error is None:
            np.testing.assert_array_equal(answer(cr.from_onnx(path), np.eye(2, dtype=np.float32)), [[0, 1], [2, 3]])
        else:
            with pytest.raises(error):
                cr.from_onnx(path)
    with pytest.raises(FileFormatError, match="numbers inside"):
        cr.from_onnx((inside / "model.onnx").read_bytes())


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("not a model")
    for item, error in (
        (tmp_path / "text.onnx", FileFormatError),
        (tmp_path / "none.onnx", MissingFileError),
        (b"", FileFormatError),
        (7, OptionError),
    ):
        with pytest.raises(error):
            cr.from_onnx(item)
    with pytest.raises(OptionError, match="did you mean"):
        cr.from_onnx(cr.to_onnx(LAYERS["Dense"][0]), output="outptu")


@pytest.mark.parametrize("path", MODELS[::3], ids=lambda path: path.stem)
def test_changed_bytes_give_a_layer_or_an_error_of_ours(path):
    content, random = path.read_bytes(), np.random.default_rng(len(path.stem))
    refused = 0
    for _ in range(25):
        changed = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        try:
            cr.from_onnx(
                bytes(changed[: random.integers(len(content) // 2, len(content) + 1)] if random.random() < 0.2 else changed)
            )
        except ChainruleError:
            refused += 1
    assert refused


@pytest.mark.parametrize("loss", ["mean_squared_error", cr.Huber() + cr.L2(0.1), cr.nn.Weighted(cr.SquaredError())])
def test_a_run_that_fits_numbers_comes_back_and_learns_in_its_precision(tmp_path, loss):
    """What undoes the scaling of the targets answers in float64."""
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = 100 * x[:, :1] + 7000
    run = cr.fit("3-5-1 tanh", (x, y), epochs=20)
    cr.export(run, tmp_path / "m.onnx")
    beside = np.ones((60, 1)) if isinstance(loss, cr.nn.Weighted) else np.empty((60, 0))
    data = cr.data.from_arrays(x, np.concatenate([y, beside], axis=1), scaling="none", target_scaling="none")
    came = cr.from_onnx(tmp_path / "m.onnx")
    np.testing.assert_allclose(cr.fit(came, data, loss=loss, epochs=0).predict(x), run.predict(x), rtol=1e-6)
    trained = [
        cr.fit(came, data, loss=loss, optimizer=cr.SGD(1e-6), epochs=3, engine=engine) for engine in ("native", "reference")
    ]
    np.testing.assert_allclose(trained[0].predict(x), trained[1].predict(x), rtol=1e-6)
    exact = cr.fit(came, data, loss=loss, optimizer=cr.SGD(1e-6), epochs=3, dtype="float64")
    np.testing.assert_allclose(trained[0].predict(x), exact.predict(x), rtol=1e-5)
    assert trained[0].explain(0).agrees
