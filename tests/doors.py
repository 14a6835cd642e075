"""Every public function and constructor with one call that is right, and values to put in the place of each of its arguments."""

from __future__ import annotations

import inspect
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.graph import Graph

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Door:
    """A callable, the arguments of a call that is right, and what is done with its result to see that it means something."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    use: Callable[[Any], Any] = lambda made: made
    spread: str = ""
    """The argument that is handed over as *arguments."""
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    """Arguments that have a usual value, and a better one to start from."""

    def call(self, changed: Mapping[str, Any] | None = None) -> Any:
        """The call, with some arguments changed, and the use of what it gives."""
        arguments = {**self.arguments, **self.more, **(changed or {})}
        spread = arguments.pop(self.spread) if self.spread else ()
        return self.use(self.function(*spread, **arguments))

    def parameters(self) -> list[str]:
        """The names of all arguments."""
        if self.spread:
            return list(self.arguments)
        return list(inspect.signature(self.function).parameters)


def _made(*given: Any, **named: Any) -> Any:
    return 3.5


def _callable(*given: Any) -> Any:
    return given[0] if given else None


VALUES: tuple[Any, ...] = (
    None, "", "no such word", b"bytes", -1, 0, 1, 3, 10**30, -1.5, 0.0, 0.1, 2.5, 1e300, math.nan, math.inf, -math.inf, 1j,
    True, False, np.int64(3), np.float32(0.1), np.float64(0.5), np.bool_(True), np.array(2), np.array([1.0, math.nan]),
    np.zeros((2, 3)), [], [[1.0], [1.0, 2.0]], (), {}, {1: 2}, (3, 2), [1, "a"], (math.nan, 1.0), [None], ("a", "b"),
    object(), cr.Adam, cr.Adam(), cr.Dense, cr.Dense(3), cr.CrossEntropy, cr.nn.Zeros, cr.EarlyStopping,
    cr.data.RandomSplit, int, _callable, _made, cr.input_node("z", (2, 3)),
)  # fmt: skip
"""What a stranger may put in the place of any argument: wrong kinds, wrong values, NumPy's numbers, classes for objects."""


# ---- what makes a result mean something


def layer_used(shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """A layer prints, is hashed, saved where it can be, and builds for an input of this shape."""

    def use(layer: Any) -> Any:
        repr(layer)
        built = cr.build_network(layer, shape, batch=4)
        trained = cr.build_network(
            layer, shape, batch=4, training=True, key=cr.constant(cr.ops.key(0)), fresh=cr.constant(np.array(True))
        )
        with suppress(ChainruleError):
            cr.nn.to_json(cr.Sequential(layer))
        first = {
            name: np.asarray(cr.compute([item.initialiser(cr.constant(cr.ops.key(0)), item.node.shape)])[0])
            for name, item in built.parameters.items()
            if item.node.type.size < 10_000
        }
        assert all(np.isfinite(value).all() for value in first.values()), "first values that are not finite"
        return len(trained.parameters) + len(first)

    return use


def optimizer_used(optimizer: Any) -> Any:
    """An optimizer prints, is saved, and makes a finite step."""
    from chainrule.descriptions import restored
    from chainrule.train import Settings

    settings = Settings(optimizer=optimizer)
    saved = settings.to_json()
    assert restored(saved["optimizer"]) == optimizer, "saved and read back it is another one"
    rates = settings.schedule(np.arange(5.0), 5)
    assert np.isfinite(rates).all(), "a rate that is not finite"
    if isinstance(optimizer, cr.train.FullBatch):
        return None
    w, g = cr.constant(np.ones(3)), cr.constant(np.full(3, 0.5))
    slots = {name: cr.constant(np.zeros(3)) for name in optimizer.slots}
    new, changed = optimizer.update(w, g, slots, cr.constant(float(rates[0])), cr.constant(1.0))
    return cr.compute([new, *changed.values()])


def schedule_used(schedule: Any) -> Any:
    """A schedule gives finite rates of 0 or more."""
    rates = schedule(np.arange(6.0), 6)
    assert np.isfinite(rates).all(), f"rates {rates}"
    assert (rates >= 0).all(), f"rates {rates}"
    return rates


def clip_used(clip: Any) -> Any:
    """Clipping gives finite gradients."""
    return cr.compute(clip([cr.constant([3.0, 4.0])]))


def loss_used(loss: Any) -> Any:
    """A loss gives finite numbers, a name and a formula."""
    assert isinstance(loss.name, str)
    assert isinstance(loss.formula, str)
    if loss.target == "labels":
        z = cr.constant([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
        return cr.compute([loss(z if loss.from_logits else cr.nn.softmax(z), cr.constant([0, 2]))])
    if isinstance(loss, cr.BinaryCrossEntropy):
        z = cr.constant([[1.0], [2.0]])
        return cr.compute([loss(z if loss.from_logits else cr.ops.sigmoid(z), cr.constant([[0.0], [1.0]]))])
    if loss.target in {"measured", "weighted"}:
        return cr.compute([loss(cr.constant([[1.0], [2.0]]), cr.constant([[0.0, 1.0], [1.0, 2.0]]))])
    return cr.compute([loss(cr.constant([[1.0], [2.0]]), cr.constant([[0.0], [1.0]]))])


def penalty_used(penalty: Any) -> Any:
    """A penalty gives a finite number."""
    assert isinstance(penalty.formula, str)
    return cr.compute([penalty(cr.constant(np.ones((2, 2))))])


def initialiser_used(initialiser: Any) -> Any:
    """First values are finite."""
    return cr.compute([initialiser(cr.constant(cr.ops.key(1)), (3, 2))])


def split_used(split: Any) -> Any:
    """A split deals out each example once."""
    parts = split.parts(np.array([0, 1] * 10))
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test]).tolist()) == list(range(20))


def nodes_used(made: Any) -> Any:
    """What nodes are worth, where they can be computed."""
    nodes = [made] if isinstance(made, cr.Node) else [node for node in made or () if node is not None]
    graph = Graph({f"n{number}": node for number, node in enumerate(nodes)})
    text = str(graph)
    if "body" not in text:
        cr.parse_graph(text)
    if graph.leaves or sum(node.type.size for node in graph.nodes) > 1e6:
        return None
    return cr.compute(nodes)


def run_used(run: Any) -> Any:
    """A run prints."""
    return str(run)


# ---- things to call with

X = np.random.default_rng(0).normal(size=(12, 2))
LABELS = np.array([0, 1] * 6)
Y = X[:, :1] * 2.0
x, y = cr.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], name="x"), cr.constant([[0.5, 0.25, 2.0], [1.0, 1.0, 1.0]])
leaf = cr.input_node("leaf", (2, 3))
whole = cr.constant([[1, 0, 2], [2, 1, 0]])
truth = cr.constant(np.array([[True, False, True], [False, True, True]]))
net = cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(2, "softmax"), input_shape=(2,))
moons = cr.data.moons(n=12)
run = cr.fit(net, moons, epochs=2, batch_size=6)
line = cr.fit("2-3-1 tanh", cr.data.from_arrays(X, Y), optimizer=cr.Adam(0.01), epochs=1, batch_size=4, engine="reference")
model = run.model()
reader = cr.fit(
    cr.Sequential(cr.OneHot(6), cr.RNN(4), cr.Dense(6, "softmax")),
    cr.data.next_character("abc " * 10, length=4, encoding="ids", test=0), epochs=1, engine="reference",
)  # fmt: skip
picture = np.arange(64.0).reshape(8, 8) / 64


def door(name: str, function: Callable[..., Any], use: Callable[[Any], Any] = lambda made: made, /, **arguments: Any) -> Door:
    """One row of the table below."""
    return Door(name, function, arguments, use)


def _layers() -> Iterator[Door]:
    flat, image, row, sequence, ids = (6,), (8, 8, 4), (8, 4), (5, 4), (5,)
    for name, arguments, shape in (
        ("Dense", {"units": 3}, flat), ("Activation", {"function": "tanh"}, flat), ("Dropout", {"rate": 0.2}, flat),
        ("Flatten", {}, image), ("Formula", {"text": "x * sigmoid(x)"}, flat), ("Function", {"function": cr.ops.tanh}, flat),
        ("Conv1D", {"filters": 4, "kernel": 3}, row), ("Conv2D", {"filters": 4, "kernel": 3}, image),
        ("ConvTranspose1D", {"filters": 4, "kernel": 3}, row), ("ConvTranspose2D", {"filters": 4, "kernel": 3}, image),
        ("MaxPool", {"size": 2}, image), ("AveragePool", {"size": 2}, image), ("GlobalMaxPool", {}, image),
        ("GlobalAveragePool", {}, image), ("UpSample", {"factor": 2}, image), ("Reshape", {"shape": (3, 2)}, flat),
        ("LayerNorm", {}, flat), ("GroupNorm", {"groups": 2}, image), ("BatchNorm", {}, flat),
        ("RandomShift", {"pixels": 1}, image), ("RandomFlip", {}, image), ("RandomRotation", {"degrees": 10.0}, image),
        ("RandomBrightness", {"amount": 0.1}, image),
        ("RNN", {"units": 3}, sequence), ("LSTM", {"units": 3}, sequence), ("GRU", {"units": 3}, sequence),
        ("GaussianNoise", {"std": 0.1}, flat), ("Latent", {}, flat), ("RestrictedBoltzmann", {"units": 3}, flat),
        ("Hopfield", {}, flat), ("OneHot", {"classes": 4}, ids), ("Embedding", {"units": 3, "vocabulary": 4}, ids),
    ):  # fmt: skip
        yield Door(name, getattr(cr, name), arguments, layer_used(shape))
    for name, inner, shape in (
        ("Sequential", (cr.Dense(6),), flat), ("Residual", (cr.Dense(6),), flat), ("Bidirectional", (cr.RNN(2),), sequence),
        ("Frozen", (cr.Dense(6), cr.Dense(2)), flat), ("TimeDistributed", (cr.Dense(2),), sequence),
    ):  # fmt: skip
        extra = {"input_shape": shape} if name == "Sequential" else {} if name == "Frozen" else {"name": "own"}
        yield Door(name, getattr(cr, name), {"layers": inner, **extra}, layer_used(shape), spread="layers")
    x, W = cr.input_node("x", (1, 6)), cr.parameter("W", (6, 2))
    graph = cr.Graph({"y": cr.ops.tanh(x @ W)})
    yield door(
        "GraphLayer", cr.GraphLayer, layer_used(flat), graph=graph, parameters={"W": np.ones((6, 2))}, states={}, name="own"
    )
    yield door("GraphForm", cr.GraphForm, lambda form: form.graph(2, "float64"), text=str(graph))
    yield door(
        "as_graph_layer", cr.as_graph_layer, layer_used(flat), network=cr.Sequential(cr.Dense(2), cr.ops.sin), input_shape=flat
    )
    yield door(
        "GraphInitialiser",
        cr.GraphInitialiser,
        initialiser_used,
        text="%0: float64[] = constant(value=1.0)\nvalues: float64[3,2] = broadcast_to(%0, shape=(3, 2))\nreturn values=values",
    )
    yield door("Network", cr.Network, layer_used((4,)), wiring=lambda a, b: a + b, inputs={"a": (2,), "b": (2,)}, name="two")
    yield door("Formula with parameters", cr.Formula, layer_used(flat), text="f(x) = tanh(W·x + b)",
               parameters={"W": (3, 6), "b": (3,)}, functions={}, initialisers={"W": cr.nn.Normal(0.0, 0.1)})  # fmt: skip


def _training() -> Iterator[Door]:
    for name in ("SGD", "AdaGrad", "RMSprop", "Adam", "AdamW", "PerceptronRule", "LBFGS", "LevenbergMarquardt"):
        yield door(name, getattr(cr, name), optimizer_used)
    yield door("SGD with momentum", cr.SGD, optimizer_used, momentum=0.9, nesterov=True)
    yield door("ConstantRate", cr.ConstantRate, schedule_used, rate=0.1)
    yield door("StepDecay", cr.StepDecay, schedule_used, rate=0.1, every=2)
    yield door("MultiStepDecay", cr.MultiStepDecay, schedule_used, rate=0.1, steps=(2, 4))
    yield door("ReduceOnPlateau", cr.ReduceOnPlateau)
    yield door("Cosine", cr.Cosine, schedule_used, rate=0.1)
    yield door("InverseScaling", cr.InverseScaling, schedule_used, rate=0.1, steps_per_epoch=2, examples=10)
    yield door("InverseSquareRoot", cr.InverseSquareRoot, schedule_used, rate=0.1, steps=10)
    yield door("WarmUp", cr.WarmUp, schedule_used, steps=2, then=cr.ConstantRate(0.1))
    yield door("ClipNorm", cr.ClipNorm, clip_used, norm=1.0)
    yield door("ClipValue", cr.ClipValue, clip_used, limit=1.0)
    yield door("EarlyStopping", cr.EarlyStopping)
    yield door("ConsecutiveOrder", cr.train.ConsecutiveOrder, lambda order: order(0, 0, 12), rows=3)
    yield door("Settings", cr.train.Settings, lambda made: made.to_json())
    yield door("optimizer_named", cr.train.optimizer_named, optimizer_used, name="adam")
    for name in ("SquaredError", "ChiSquared", "EuclideanDistance", "AbsoluteError", "Huber", "CrossEntropy",
                 "BinaryCrossEntropy", "Poisson", "Hinge", "PerceptronLoss"):  # fmt: skip
        yield door(name, getattr(cr, name), loss_used)
    yield door("Weighted", cr.Weighted, loss_used, loss=cr.Huber())
    for name in ("L1", "L2"):
        yield door(name, getattr(cr, name), penalty_used, factor=0.1)
    for name in (
        "Zeros",
        "Normal",
        "Uniform",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LeCunNormal",
        "LeCunUniform",
    ):
        yield door(name, getattr(cr.nn, name), initialiser_used)
    yield door("Constant", cr.nn.Constant, initialiser_used, value=0.5)
    yield door("Objective", cr.nn.Objective, lambda made: made.formula, terms=(cr.SquaredError(),))
    yield door("objective", cr.nn.objective, lambda made: made.formula, loss="squared_error")
    yield door("fit", cr.fit, run_used, net=net, data=moons, epochs=1, batch_size=6, engine="reference")
    yield door(
        "Training",
        cr.Training,
        lambda made: run_used(made.fit()),
        network=net,
        data=moons,
        epochs=1,
        batch_size=6,
        engine="reference",
    )
    yield door(
        "trainer",
        cr.trainer,
        lambda made: made.step(X, Y) and made.state,
        net="2-3-1",
        optimizer=cr.Adam(0.01),
        engine="reference",
    )
    quick = cr.Training(net, moons, epochs=1, batch_size=6, engine="reference")
    yield door("sweep", cr.sweep, str, training=quick, space={"seed": [0, 1]}, replicas=2)
    yield door("find_learning_rate", cr.find_learning_rate, str, training=quick, steps=5, replicas=1)
    kept = tempfile.mkdtemp(prefix="chainrule-tests-")
    cr.sweep(quick, {"seed": [0]}, replicas=2, folder=kept)
    yield door("open_sweep", cr.open_sweep, str, folder=kept)
    yield door("fit numbers", cr.fit, run_used, net="2-3-1", data=(X, Y), epochs=1, batch_size=4, engine="reference",
               optimizer=cr.Adam(0.01))  # fmt: skip
    yield door(
        "LearningProblem", cr.train.LearningProblem, lambda problem: problem.formula, network=net, dataset_info=moons.info
    )


def _neighbours() -> Iterator[Door]:
    network = cr.Sequential(cr.Dense(2, "tanh"), input_shape=(2,))
    yield door("export", cr.export, str, subject=network, path="model.onnx")
    yield door("TensorBoard", cr.TensorBoard, str, folder="logs")
    yield door("to_onnx", cr.to_onnx, str, subject=network)
    yield door("to_jax", cr.to_jax, str, subject=network)
    yield door(
        "from_jax", cr.from_jax, str, function=lambda w, x: x @ w, parameters=np.ones((2, 3), np.float32), input_shape=(2,)
    )
    yield door("from_onnx", cr.from_onnx, str, model=cr.to_onnx(network).SerializeToString())


def _networks() -> Iterator[Door]:
    yield door("parse_network", cr.parse_network, text="2-3-1 tanh")
    yield door("build_network", cr.build_network, network=net, input_shape=(2,))
    yield door("to_text", cr.nn.to_text, network_=cr.parse_network("2-3-1"))
    yield door("to_json", cr.nn.to_json, network=net)
    yield door("from_json", cr.nn.from_json, document=cr.nn.to_json(net))
    yield door("to_code", cr.nn.to_code, network=net)
    yield door("to_peer", cr.nn.to_peer, network=net, values=run.parameters(), peer="pytorch")
    yield door("from_peer", cr.nn.from_peer, network=net, values=cr.nn.to_peer(net, run.parameters(), "jax"), peer="jax")
    yield door("summary", cr.nn.summary, str, network=net)
    yield door("range_badge", cr.nn.range_badge, activation="relu")
    yield door("as_layer", cr.nn.as_layer, item=cr.ops.tanh)
    yield door("softmax", cr.nn.softmax, nodes_used, z=x)
    yield door("log_softmax", cr.nn.log_softmax, nodes_used, z=x)
    yield door("softmax_input", cr.nn.softmax_input, a=x)
    yield door("sigmoid_input", cr.nn.sigmoid_input, a=x)
    yield door("describe_function", cr.nn.describe_function, str, function="tanh")
    yield door("bit_states", cr.nn.bit_states, units=3)
    yield door("hebb_weights", cr.nn.hebb_weights, patterns=np.array([[1.0, -1.0, 1.0]]))
    yield door(
        "hopfield_recall", cr.nn.hopfield_recall, weights=np.array([[0.0, 1.0], [1.0, 0.0]]), states=np.array([[1.0, -1.0]])
    )
    yield door(
        "hopfield_energy",
        cr.nn.hopfield_energy,
        nodes_used,
        s=cr.constant([[1.0, -1.0]]),
        W=cr.constant([[0.0, 1.0], [1.0, 0.0]]),
    )
    yield door("BoltzmannMachine", cr.nn.BoltzmannMachine, W=np.zeros((3, 2)), b=np.zeros(3), c=np.zeros(2))
    yield door("Ablated", cr.nn.Ablated, layer_used((2,)), network=net, quantity="dense1.a", neurons=(1,), value=0.5)
    yield door("Accuracy", cr.nn.Accuracy, str, correct=3, total=4)
    yield door("ConfusionMatrix", cr.nn.ConfusionMatrix, str, counts=np.eye(2, dtype=int), classes=("a", "b"))
    yield door("accuracy", cr.nn.accuracy, **_pair(LABELS, LABELS[::-1]))
    yield door("confusion_matrix", cr.nn.confusion_matrix, **_pair(LABELS, LABELS[::-1]), classes=2)
    yield door("top_k_accuracy", cr.nn.top_k_accuracy, true=LABELS[:2], scores=np.array([[0.1, 0.9], [0.5, 0.5]]), k=1)
    for name in ("mean_squared_error", "mean_absolute_error", "r_squared"):
        yield door(name, getattr(cr.nn, name), **_pair(X, X + 0.1))
    yield door("predicted_labels", cr.nn.predicted_labels, outputs=X)


def _pair(true: Any, predicted: Any) -> dict[str, Any]:
    return {"true": true, "predicted": predicted}


def _data() -> Iterator[Door]:
    data = cr.data
    yield door("Examples", data.Examples, x=X, y=LABELS)
    yield door("Scaling", data.Scaling, lambda made: made.to_json(), offset=0.5, factor=2.0)
    yield door("Dataset", data.Dataset, repr, name="own", train=data.Examples(X, LABELS), classes=("a", "b"))
    yield door("from_arrays", data.from_arrays, repr, x=X, y=LABELS)
    yield door("from_arrays of numbers", data.from_arrays, repr, x=X, y=Y, split=data.RandomSplit(), scaling="minmax",
               target_scaling="none", name="own", source="us", licence="free", task="regression")  # fmt: skip
    yield door("load", data.load, repr, name_or_path="xor")
    yield door(
        "with_errors",
        data.with_errors,
        repr,
        dataset=data.from_arrays(X, Y, split=data.RandomSplit(test=0)),
        training=np.full(12, 0.1),
    )
    yield door("with_random_labels", data.with_random_labels, repr, dataset=moons)
    yield door("with_wrong_labels", data.with_wrong_labels, lambda made: repr(made.data), dataset=moons, fraction=0.25)
    yield door("reconstruction", data.reconstruction, repr, dataset=moons)
    yield door("pixels", data.pixels, repr, image=picture)
    yield door("centred_digit", data.centred_digit, repr, image=np.eye(9))
    yield door("drawn_digit", data.drawn_digit, repr, strokes=[[(0.0, 0.0), (1.0, 2.0)]])
    yield door("chunks", data.chunks, repr, x=np.zeros((2, 6, 3)), y=np.zeros((2, 6)), length=3, test=0.0)
    yield door("duplicates", data.duplicates, x=X, others=X)
    yield door("near_duplicates", data.near_duplicates, dataset=moons)
    yield door("characters", data.characters, text="abc")
    yield door("words", data.words, text="a b c")
    yield door("Vocabulary", data.Vocabulary, tokens=("", "<unknown>", "a"))
    yield door("block_mean", data.block_mean, values=np.arange(200.0), block=20)
    for name in ("RandomSplit", "StratifiedSplit"):
        yield door(name, getattr(data, name), split_used)
    yield door("GroupSplit", data.GroupSplit, split_used, groups=[number // 2 for number in range(20)])
    yield door("TimeSplit", data.TimeSplit, split_used, times=list(range(20)))
    for name, arguments in MADE.items():
        yield door(f"data.{name}", data.BUILT_IN[name], repr, **arguments)


MADE: dict[str, dict[str, Any]] = {
    "and": {}, "xor": {"n": 20, "noise": 0.1}, "blobs": {"n": 20}, "circles": {"n": 20}, "ring": {"n": 20}, "moons": {"n": 20},
    "spirals": {"n": 20}, "curve": {"n": 20}, "next_character": {"text": "abc " * 20, "length": 4}, "story": {"n": 10},
    "opinions": {"n": 10}, "recall": {"n": 10}, "countdown": {"n": 10}, "materials": {"n": 20}, "oscillators": {"n": 4},
    "faces": {"n": 12}, "bars_and_stripes": {"size": 3}, "random_labels": {}, "wrong_labels": {}, "reconstruction": {"of": "moons"},
}  # fmt: skip
"""The built-in sets that are made in no time, with options that keep them small."""


def _ops() -> Iterator[Door]:
    ops = cr.ops
    for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "less", "less_equal",
                 "greater", "greater_equal"):  # fmt: skip
        yield Door(name, getattr(ops, name), {"values": (x, y)}, nodes_used, spread="values")
    for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "erf", "absolute",
                 "square", "arctan", "norm", "sign", "floor", "negative", "stop_gradient", "heaviside", "swap_last"):  # fmt: skip
        yield Door(name, getattr(ops, name), {"values": (x,)}, nodes_used, spread="values")
    for name in ("logical_and", "logical_or"):
        yield Door(name, getattr(ops, name), {"values": (truth, truth)}, nodes_used, spread="values")
    labels = cr.constant(np.zeros(x.shape[:-1], np.int64))
    for name in ("softmax_cross_entropy", "softmax_error", "margin", "runner_up"):
        yield Door(name, getattr(ops, name), {"values": (x, labels)}, nodes_used, spread="values")
    for name in ("sigmoid_cross_entropy", "sigmoid_error", "poisson_loss"):
        yield Door(name, getattr(ops, name), {"values": (x, y)}, nodes_used, spread="values")
    yield Door("huber", ops.huber, {"values": (x,), "delta": 1.0}, nodes_used, spread="values")
    yield Door("logical_not", ops.logical_not, {"values": (truth,)}, nodes_used, spread="values")
    yield Door("matmul", ops.matmul, {"values": (x, ops.swap_last(y))}, nodes_used, spread="values")
    yield Door("select", ops.where, {"values": (truth, x, y)}, nodes_used, spread="values")
    yield Door("concatenate", ops.concatenate, {"values": (x, y), "axis": 1}, nodes_used, spread="values")
    for name, attributes in {
        "reshape": {"shape": (3, 2)}, "transpose": {"axes": (1, 0)}, "flip": {"axes": (1,)}, "broadcast_to": {"shape": (4, 2, 3)},
        "reduce_sum": {"axes": (0,)}, "reduce_max": {"axes": (0,)}, "reduce_min": {"axes": (0,)}, "argmax": {"axis": 1},
        "cast": {"dtype": "float32"}, "pad": {"low": (1, 0), "high": (0, 1), "interior": (0, 0)},
        "slice_axes": {"starts": (0, 1), "stops": (2, 3), "steps": (1, 1)}, "slice_axis": {"axis": 1, "start": 0, "stop": 2},
        "index": {"key": (0, slice(1, 3))},
        "windows": {"axes": (1,), "taps": (2,), "strides": (1,), "dilations": (1,)},
        "sum": {"axis": 1, "keepdims": True}, "mean": {"axis": 0, "keepdims": False}, "max": {"axis": (0, 1), "keepdims": False},
        "min": {"axis": None, "keepdims": False}, "position_of_max": {"axis": -1},
    }.items():  # fmt: skip
        yield Door(name, getattr(ops, name), {"values": (x,), **attributes}, nodes_used, spread="values")
    yield Door("gather", ops.gather, {"values": (x, cr.constant([1, 0])), "axis": 1}, nodes_used, spread="values")
    yield Door("one_hot", ops.one_hot, {"values": (whole,), "classes": 3, "dtype": "float64"}, nodes_used, spread="values")
    yield Door(
        "scatter_add",
        ops.scatter_add,
        {"values": (x, cr.constant([1]), cr.constant(np.ones((2, 1)))), "axis": 1},
        nodes_used,
        spread="values",
    )
    yield Door(
        "overlap_add",
        ops.overlap_add,
        {"values": (cr.constant(np.ones((2, 2, 2))),), "axes": (1,), "extents": (3,), "strides": (1,), "dilations": (1,)},
        nodes_used,
        spread="values",
    )
    key = cr.constant(ops.key(0))
    yield Door("random_bits", ops.random_bits, {"values": (key,), "shape": (3,)}, nodes_used, spread="values")
    yield Door("random_fold", ops.random_fold, {"values": (key, cr.constant(ops.stream("a")))}, nodes_used, spread="values")
    yield door("uniform", ops.uniform, nodes_used, key=key, shape=(3,), low=0.0, high=1.0)
    yield door("normal", ops.normal, nodes_used, key=key, shape=(3,), mean=0.0, std=1.0)
    yield door("key", ops.key, seed=3)
    yield door("stream", ops.stream, name="order")
    yield door("epoch_order", ops.epoch_order, seed=0, epoch=1, count=5)
    yield door("window_positions", ops.window_positions, extent=8, taps=3)
    yield door(
        "recurrence", ops.recurrence, step=lambda h, x: {"h": h + x}, states={"h": cr.constant(np.zeros(3))}, sequences={"x": x}
    )


def _graphs() -> Iterator[Door]:
    given = np.ones((2, 3))
    squares = cr.ops.sum(leaf * leaf)
    yield door("input_node", cr.input_node, nodes_used, name="a", shape=(2, 3))
    yield door("parameter", cr.parameter, nodes_used, name="a", shape=(2, 3))
    yield door("constant", cr.constant, nodes_used, value=1.5)
    yield door("Graph", Graph, str, outputs={"y": squares})
    yield door("Form", cr.data.Form, delimiter=";", decimal=",", header=None)
    yield door("parse_graph", cr.parse_graph, text=str(Graph({"y": squares})))
    yield door("compute", cr.compute, nodes=[squares], values={leaf: given})
    yield door("grad", cr.grad, nodes_used, y=squares, wrt=[leaf])
    yield door("vjp", cr.vjp, nodes_used, outputs=[squares], wrt=[leaf], cotangents=[cr.constant(1.0)])
    yield door("jvp", cr.jvp, nodes_used, y=squares, wrt=[leaf], tangents=[x])
    yield door("hvp", cr.hvp, nodes_used, y=squares, wrt=[leaf], tangents=[x])
    yield door("Trace", cr.Trace, graph=Graph({"C": squares}), values={"leaf": given})
    yield door("explain_graph", cr.explain_graph, str, graph=Graph({"C": squares}), values={"leaf": given})
    yield door("formula", cr.graph.formula, node=squares)
    yield door("Type", cr.graph.Type, repr, dtype="float64", shape=(2, 3))
    yield door("engine_named", cr.engines.engine_named, name="reference")


def _runs() -> Iterator[Door]:
    test = moons.test
    assert test is not None
    for method, arguments in {
        "parameters": {}, "states": {}, "model": {}, "explain": {"which": 1}, "example": {"number": 1}, "at": {"step": 2},
        "models": {"steps": [0, 2]}, "branch": {"step": 2}, "ledger": {"step": 1, "name": "dense1.W", "index": (0, 1)}, "graph": {},
        "evaluate": {}, "predict": {"x": test.x}, "predictor": {}, "probabilities": {"x": test.x}, "classify": {"x": test.x},
    }.items():  # fmt: skip
        use = {"explain": str, "ledger": str, "evaluate": str}.get(method, lambda made: made)
        yield door(f"run.{method}", getattr(run, method), use, **arguments)
    yield door("run.predict numbers", line.predict, x=X)
    yield door("run.generate", reader.generate, start="abc ", tokens=3)
    yield door("run.token_probabilities", reader.token_probabilities, text="abc")
    targets = {"x": test.x[:4], "y": test.y[:4]}
    for method in ("cost", "costs", "term_values", "gradient", "example_gradients"):
        yield door(f"model.{method}", getattr(model, method), **targets)
    yield door("model.quantities", model.quantities, x=test.x[:4])
    yield door("model.quantities_from", model.quantities_from, quantity="dense1.a", values=np.zeros((2, 3)))
    yield door("model.decide", model.decide, x=test.x[:4])
    yield door(
        "model.ablated", model.ablated, lambda made: made.quantities(test.x[:2]), quantity="dense1.a", neurons=1, value=0.0
    )
    yield door("model.isolated", model.isolated, lambda made: made.quantities(test.x[:2]), quantity="dense1.a", neuron=1)
    yield door("model.with_parameters", model.with_parameters, changed={"dense1.b": np.zeros(3)})
    yield door("model.unrolled", model.unrolled, str, size=2)
    numbers = line.model()
    for method in ("cost", "costs", "gradient"):
        yield door(f"model.{method} of numbers", getattr(numbers, method), x=X[:3], y=Y[:3])


DOORS: dict[str, Door] = {
    found.name: found
    for rows in (_layers, _training, _networks, _neighbours, _data, _ops, _graphs, _runs)
    for found in rows()
}  # fmt: skip
"""The table, by name."""


NAN_IS_A_NUMBER = frozenset({"constant", "compute", *(found.name for found in _ops())})
"""What computes with NaN as NumPy does: a graph may hold one, and shows it."""


def finite(result: Any) -> bool:
    """Whether no number in a result is NaN."""
    if isinstance(result, float | np.floating):
        return not math.isnan(result)
    if isinstance(result, np.ndarray):
        return result.dtype.kind not in "fc" or not np.isnan(result).any()
    if isinstance(result, Mapping):
        return all(map(finite, result.values()))
    if isinstance(result, list | tuple):
        return all(map(finite, result))
    if is_dataclass(result) and not isinstance(result, type):
        values = [getattr(result, part.name) for part in fields(result)]
        return all(finite(value) for value in values if isinstance(value, float | np.ndarray))
    return True


def outcome(found: Door, changed: Mapping[str, Any]) -> str:
    """Empty where the call meant something or was refused by one of our errors; else what happened."""
    try:
        result = found.call(changed)
    except ChainruleError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return "" if found.name in NAN_IS_A_NUMBER or finite(result) else "NaN in silence"
