"""PyTorch's modules and our networks, there and back, with their weights; what would compute something else is refused."""

from __future__ import annotations

import copy
import io
import operator
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import replace
from functools import cache
from math import prod
from types import FunctionType
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.checks import Extents, shown
from chainrule.errors import ChainruleError, MissingPackageError, OptionError, OptionTypeError
from chainrule.graph import Array, Node, Shape
from chainrule.immutable import immutable
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import Held, Imported, Wiring, computed, exported, layers_of, require_agreement, values_of
from chainrule.nn import (
    Activation,
    Dropout,
    Export,
    Flatten,
    Formula,
    GaussianNoise,
    GlobalAveragePool,
    Layer,
    Reshape,
    Scale,
    TimeDistributed,
    build_network,
    to_code,
    to_peer,
)
from chainrule.nn.graph_layer import GraphLayer
from chainrule.nn.padding import Amounts
from chainrule.nn.peers.parts import LackingError
from chainrule.nn.peers.pytorch import HELPERS, channels_first, places_channels_first
from chainrule.nn.peers.pytorch_layers import LAYERS
from chainrule.nn.peers.pytorch_reading import (
    READERS,
    RECURRENT,
    WINDOWED,
    Around,
    Read,
    UnlikeError,
    around_of,
    cut_off,
    padded,
    recurrent,
    require_space,
)

try:
    import torch
    from torch import nn
    from torch.fx import Graph as FxGraph
    from torch.fx import GraphModule, Tracer
    from torch.fx import Node as FxNode
    from torch.fx.passes.shape_prop import ShapeProp
except ImportError as error:
    raise MissingPackageError(
        "PyTorch is not here", expected="the package torch", remedy="pip install 'chainrule[torch]'"
    ) from error

EXAMPLES = 4
"""How many made-up examples both are compared on."""


@immutable
class Value:
    """A value of theirs: its number in the wiring, and the shape of one example in their order.

    first: whether they have channels before axes of space, which we have behind. rows: of what was flattened, the place in ours of each
    number. module: of a recurrent module's answer, the module; part: which of its answers.
    What a module did to it that waits for the one behind: backwards, whether time runs so; around, what was put around; cut, of a
    transposed convolution the shape that it was given, and how much is added at each side of its answer.
    """

    number: int
    shape: Shape
    first: bool = False
    rows: tuple[int, ...] | None = None
    module: Any = None
    part: str = ""
    backwards: bool = False
    around: Around | None = None
    cut: tuple[Shape, Amounts] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits."""
        return not self.backwards and self.around is None and self.cut is None


def read(module: Any, example: Any = None, *, input_shape: Extents | None = None) -> Imported:
    """See `objects.from_torch`."""
    if not isinstance(module, nn.Module):
        raise OptionTypeError(
            f"from_torch was given {shown(module)}",
            expected="a torch.nn.Module",
            remedy="give the module itself, not its state_dict",
        )
    # Torch's own modules are followed from outside; a single one stands in nothing.
    module = nn.Sequential(module) if Tracer().is_leaf_module(module, "") else module
    _require_own_weights(module)
    given = _example(module, example, input_shape)
    exact = copy.deepcopy(module).double().eval()
    wide = given.double() if given.is_floating_point() else given
    with _in_float64():  # what makes numbers of the usual dtype makes exact ones
        traced = _traced(exact, wide)
    reading = _Reading(exact, traced, wide)
    network, values, output = reading.read()
    x = _numbers(wide, first=reading.first)
    for training in (False, True):
        if training and reading.is_random:
            continue
        theirs = _run(exact, wide, training=training)
        ours, most = computed(network, values, x, training=training)
        require_agreement(f"the module {'in training' if training else 'at inference'}", theirs, _as_theirs(ours, output), most)
    return Imported(network, values)


def _require_own_weights(module: nn.Module) -> None:
    """Refuses two modules that share a parameter: here weights are shared by using a layer twice."""
    owners: dict[int, str] = {}
    for name, part in module.named_modules():
        for label, parameter in part.named_parameters(recurse=False):
            first = owners.setdefault(id(parameter), f"{name}.{label}")
            if first != f"{name}.{label}":
                raise OptionError(
                    f"{name}.{label} of {type(module).__name__}, which is {first} too",
                    expected="weights of its own for each module",
                    remedy="use one module twice, as shared layers are here; or carry the module by ONNX",
                )


def _example(module: nn.Module, example: Any, input_shape: Shape | None) -> torch.Tensor:
    if example is not None:
        found = torch.as_tensor(np.asarray(example) if not isinstance(example, torch.Tensor) else example).detach().cpu()
        return torch.cat([found] * 2) if len(found) == 1 else found
    if input_shape is None:
        raise OptionError(
            "a module without an example",
            expected="what it is to be run on",
            remedy="write from_torch(module, input_shape=(784,))",
        )
    generator = torch.Generator().manual_seed(0)
    ids = [item.num_embeddings for item in module.modules() if isinstance(item, nn.Embedding)]
    if ids:
        return torch.randint(0, min(ids), (EXAMPLES, *input_shape), generator=generator)
    return torch.randn(EXAMPLES, *input_shape, generator=generator)


def _traced(module: nn.Module, example: torch.Tensor) -> GraphModule:
    try:
        graph: FxGraph = _Tracer().trace(module)
        made = GraphModule(module, graph)
        # What goes wrong is printed there too.
        with torch.no_grad(), redirect_stderr(io.StringIO()):
            ShapeProp(made).propagate(example)
    except Exception as error:
        # Whatever a user's forward does: the tracer runs it.
        raise OptionError(
            f"the forward of {type(module).__name__} cannot be followed: {str(error.__cause__ or error).splitlines()[0][:200]}",
            expected="a forward that joins modules and functions, without ifs and loops that go by numbers",
            remedy="write it with torch.nn's modules, or carry it by ONNX",
        ) from error
    return made


class _Tracer(Tracer):  # pyright: ignore[reportUntypedBaseClass]  (where PyTorch is not installed)
    """One that takes modules of our own making as a whole, too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is looked at as a whole."""
        return own_kind(m) not in {"", "Frozen"} or super().is_leaf_module(m, module_qualified_name)


@cache
def _helpers() -> dict[str, Any]:
    """The modules that our code for PyTorch brings along."""
    names: dict[str, Any] = {}
    for text in HELPERS.values():
        exec(compile(f"import torch\n{text}", "chainrule.nn.to_code", "exec"), names)  # noqa: S102  (a text of our own)
    return names


def own_kind(module: nn.Module) -> str:
    """What a module of our own making is called, wherever its text stood; empty for any other: a name alone proves nothing."""
    name = type(module).__name__
    ours = _helpers().get(name) if name in HELPERS else None
    methods = [key for key, value in vars(ours or object).items() if ours and isinstance(value, FunctionType)]
    same = ours is not None and all(_code(vars(type(module)).get(key)) == _code(vars(ours)[key]) for key in methods)
    return name if same else ""


def _code(function: Any) -> object:
    found = getattr(function, "__code__", None)
    return found and (found.co_code, found.co_names, tuple(each for each in found.co_consts if not isinstance(each, str)))


def is_frozen(module: nn.Module) -> bool:
    """Whether a module keeps its weights. Raises: UnlikeError for one that keeps some of them."""
    asked = {parameter.requires_grad for parameter in module.parameters()}
    if len(asked) > 1:
        raise UnlikeError("weights of which some require a gradient and some do not")
    return asked == {False}


def _run(module: nn.Module, x: torch.Tensor, *, training: bool) -> Array:
    run = copy.deepcopy(module).train(training)
    for part in run.modules():
        # What is frozen goes by stored statistics here, as it does there in evaluation.
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and is_frozen(part):  # pyright: ignore[reportPrivateUsage]
            part.eval()
    with _in_float64(), torch.no_grad():
        found: torch.Tensor = run(x)
    return found.detach().cpu().double().numpy()


def _numbers(x: torch.Tensor, *, first: bool) -> Array:
    array = x.detach().cpu().numpy()
    return np.moveaxis(array, 1, -1) if first else array


def _as_theirs(ours: Array, output: Value) -> Array:
    # A pool over all of space leaves axes of one number there.
    return np.moveaxis(ours, -1, 1) if output.first else ours.reshape(len(ours), *output.shape)


# ---- reading


FUNCTIONS: dict[Any, Callable[..., nn.Module]] = {
    torch.relu: nn.ReLU, torch.tanh: nn.Tanh, torch.sigmoid: nn.Sigmoid, nn.functional.relu: nn.ReLU, nn.functional.gelu: nn.GELU,
    nn.functional.silu: nn.SiLU, nn.functional.elu: nn.ELU, nn.functional.leaky_relu: nn.LeakyReLU, nn.functional.softplus: nn.Softplus,
    nn.functional.softmax: nn.Softmax, torch.softmax: nn.Softmax,
    nn.functional.log_softmax: nn.LogSoftmax, torch.log_softmax: nn.LogSoftmax,
    nn.functional.max_pool1d: nn.MaxPool1d, nn.functional.max_pool2d: nn.MaxPool2d, nn.functional.avg_pool1d: nn.AvgPool1d,
    nn.functional.avg_pool2d: nn.AvgPool2d, nn.functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d, nn.functional.dropout: nn.Dropout,
    nn.functional.hardtanh: nn.Hardtanh, nn.functional.relu6: nn.ReLU6, nn.functional.mish: nn.Mish, nn.functional.tanh: nn.Tanh,
    nn.functional.sigmoid: nn.Sigmoid, nn.functional.logsigmoid: nn.LogSigmoid, nn.functional.softsign: nn.Softsign,
    torch.max_pool2d: nn.MaxPool2d, torch.max_pool1d: nn.MaxPool1d, torch.avg_pool1d: nn.AvgPool1d,
}  # fmt: skip
"""Functions, and the modules that do the same with the same arguments."""
METHODS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": nn.Softmax, "log_softmax": nn.LogSoftmax,
}  # fmt: skip
JOINED: dict[Any, Callable[[Node, Node], Node]] = {
    operator.add: ops.add, torch.add: ops.add, "add": ops.add, operator.iadd: ops.add, operator.mul: ops.multiply, torch.mul: ops.multiply,
    "mul": ops.multiply, operator.sub: ops.subtract, torch.sub: ops.subtract, operator.truediv: ops.divide, torch.div: ops.divide,
}  # fmt: skip
SIGNS = {"add": "+", "multiply": "*", "subtract": "-", "divide": "/"}
PERMUTED = {"permute", torch.permute, "transpose", torch.transpose}
NOTHING = {"contiguous", "clone", "detach", "float", "double", "long", "int", "to"}


class _Reading:
    """One pass over the nodes that torch.fx found."""

    def __init__(self, module: nn.Module, traced: GraphModule, example: torch.Tensor) -> None:
        self.module, self.traced, self.shape = module, traced, tuple(example.shape[1:])
        self.batch = len(example)
        self.wiring, self.held = Wiring(), list[Held]()
        self.is_random = self.in_frozen = False
        self.values: dict[FxNode, Any] = {}
        self.first = _wish(traced) == "first" and len(self.shape) > 1
        self.used: set[str] = set()
        self.calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
        self.known: dict[str, tuple[tuple[Callable[..., Node], ...], Any]] = {}

    def read(self) -> tuple[Layer, dict[str, Array], Value]:
        """The network, its values, and what comes out."""
        output: Any = None
        for node in self.traced.graph.nodes:
            match node.op:
                case "placeholder":
                    self.values[node] = Value(0, self.shape, self.first)
                case "output":
                    output = self.values.get(node.args[0]) if isinstance(node.args[0], FxNode) else None
                case _:
                    self.values[node] = self._node(node)
        if not isinstance(output, Value) or output.module is not None:
            raise self._unlike("the output", "several outputs, or none")
        try:
            output = self._settled(output)
        except UnlikeError as error:
            raise self._unlike("the output", str(error)) from error
        if output.rows is not None and output.rows != tuple(range(len(output.rows))):
            raise self._unlike("the output", "flattened pictures that nothing reads")
        shape = _ours(self.shape, first=self.first)
        network = self.wiring.network(shape, output.number)
        try:
            built = build_network(network, shape, batch=self.batch)
            values = values_of(self.wiring, self.held, built, lambda step: LAYERS[type(step.layer)].parts(step))
        except (LackingError, KeyError, ChainruleError) as error:
            raise self._unlike("a module", str(error)) from error
        return network, values, output

    def _unlike(self, name: str, why: str) -> OptionError:
        return OptionError(
            f"{name} of {type(self.module).__name__} is nothing that chainrule has: {why}",
            expected=f"modules such as {', '.join([*READERS][:8])}, ... and functions that join them",
            remedy="replace it in the module, or carry the module by ONNX: torch.onnx.export, then cr.from_onnx",
        )

    def _node(self, node: FxNode) -> Any:
        self.in_frozen = node.op == "call_module" and self._stands_in_frozen(str(node.target))
        try:
            if node.op == "call_module":
                return self._module(node, self.traced.get_submodule(str(node.target)), str(node.target))
            if node.op == "get_attr":
                return self._constant(str(node.target))
            return self._function(node)
        except UnlikeError as error:
            raise self._unlike(f"{node.target!s} ({_kind(node, self.traced)})", str(error)) from error

    def _constant(self, target: str) -> Array:
        """The numbers of a buffer, which nobody trains."""
        found: Any = operator.attrgetter(target)(self.traced)
        if isinstance(found, nn.Parameter) or not found.is_floating_point():
            raise UnlikeError("a parameter that is used by itself")
        return found.detach().cpu().numpy()

    def _source(self, node: FxNode, place: int = 0) -> Value:
        """An input of a node, with nothing that waits."""
        value = self._waiting(node, place)
        return self._now(node.args[place], value)

    def _now(self, item: Any, value: Value) -> Value:
        if not value.is_settled:
            value = self.values[item] = self._settled(value)
        return value

    def _waiting(self, node: FxNode, place: int = 0) -> Value:
        """An input of a node, whatever waits for the one behind."""
        value = self.values.get(node.args[place]) if len(node.args) > place and isinstance(node.args[place], FxNode) else None  # pyright: ignore[reportArgumentType]
        if not isinstance(value, Value):
            raise UnlikeError("an input that is no tensor of the network")
        return value

    def _settled(self, value: Value) -> Value:
        """A value with what waits done to it by layers of its own."""
        if value.cut is not None:
            (given, amounts), (layer, sources) = value.cut, self.wiring.steps[value.number - 1]
            whole, *rest = cut_off(layer, given, amounts)  # pyright: ignore[reportArgumentType]  (a transposed convolution)
            self.wiring.steps[value.number - 1] = (whole, sources)
            return replace(value, number=self._put_all(rest, value.number), cut=None)
        if value.around is not None:
            if value.around.mode != "zeros":
                raise UnlikeError(f"{value.around.mode} numbers around what is no convolution and no pool")
            shape = _ours(self._inside(value), first=True)
            return replace(value, number=self._put_all(padded(shape, value.around.amounts), value.number), around=None)
        if value.backwards:
            return replace(value, number=self._put(_backwards(value.shape), value.number), backwards=False)
        return value

    def _inside(self, value: Value) -> Shape:
        """The shape of one example before something was put around it."""
        amounts = value.around.amounts if value.around else ()
        space = (extent - low - high for extent, (low, high) in zip(value.shape[1:], amounts, strict=True))
        return (value.shape[0], *space) if amounts else value.shape

    # ---- modules

    def _module(self, node: FxNode, module: nn.Module, target: str) -> Value:
        kind, waiting = type(module).__name__, self._waiting(node)
        own = own_kind(module)
        if (
            kind in RECURRENT
            and waiting.around is None
            and waiting.cut is None
            and not (module.bidirectional and waiting.backwards)
        ):
            return replace(waiting, module=(module, target))
        if own == "Flip" and waiting.module is None and len(waiting.shape) == 2 and not waiting.first:
            return replace(waiting, backwards=not waiting.backwards)
        if own in {"Every", "Last", "Ends"} and waiting.module is not None and not waiting.part:
            return self._recurrent(waiting, sequences=own == "Every")
        if not own and (found := around_of(module, waiting.shape)) is not None:
            return self._put_around(found, node)
        if own:
            return self._own(own, module, self._source(node), self._shape(node))
        if kind == "Flatten":
            return self._flattened(node, self._source(node))
        if kind == "Unflatten":
            return self._reshaped(node, self._source(node))
        return self._applied(module, target, node)

    def _put_around(self, around: Around, node: FxNode) -> Value:
        """What waits for the window behind it; what cuts off a transposed convolution's answer waits with it."""
        waiting, shape, given = self._waiting(node), self._shape(node), node.args[0]
        if not waiting.first:
            raise UnlikeError("channels stand last here")
        if waiting.cut and around.mode == "zeros" and isinstance(given, FxNode) and len(given.users) == 1:
            whole, amounts = waiting.cut
            both = zip(amounts, around.amounts, strict=True)
            return replace(waiting, shape=shape, cut=(whole, tuple((a + c, b + d) for (a, b), (c, d) in both)))
        return replace(self._now(given, waiting), shape=shape, around=around)

    def _own(self, kind: str, module: Any, source: Value, shape: Shape) -> Value:
        """What a module of our own making does."""
        if kind == "Noise":
            return replace(source, number=self._put(GaussianNoise(module.deviation), source.number))
        if kind in {"Scaled", "Unscaled"}:
            numbers = (_as_ours(each.detach().cpu().numpy(), source) for each in (module.offset, module.factor))
            return replace(source, number=self._put(Scale(*numbers, undo=kind == "Unscaled"), source.number))
        if kind == "Permute":
            return self._moved(source, shape, tuple(module.axes))
        if kind == "Whole":
            return source
        raise UnlikeError(f"{kind} of what is no sequence")

    def _stands_in_frozen(self, target: str) -> bool:
        """Whether a module stands in one of our own making that is frozen as a whole."""
        around = target.split(".")
        held = (self.module.get_submodule(".".join(around[:place])) for place in range(len(around)))
        return any(own_kind(each) == "Frozen" for each in held)

    def _read(self, module: nn.Module, kind: str, node: FxNode) -> tuple[Read, Value]:
        """What a module is here, and the value that it takes."""
        waiting = self._waiting(node)
        if waiting.around is not None and kind in WINDOWED:
            with suppress(UnlikeError):
                return WINDOWED[kind](module, self._inside(waiting), waiting.around), waiting
        source = self._source(node)
        return READERS[kind](module, source.shape), source

    def _applied(self, module: nn.Module, target: str, node: FxNode) -> Value:
        kind, shape = type(module).__name__, self._shape(node)
        if kind not in READERS or not type(module).__module__.startswith("torch."):
            raise UnlikeError(f"no layer does what {kind} does")
        require_space(kind, self._waiting(node).shape)
        read, source = self._read(module, kind, node)
        frozen = is_frozen(module)
        if source.module is not None:
            raise UnlikeError("a recurrent module's whole answer, with its states")
        if len(source.shape) > 1 and read.order != "any" and (read.order == "first") != source.first:
            raise UnlikeError(f"channels stand {'first' if source.first else 'last'} here")
        rows = source.rows
        if rows is not None and kind != "Linear" and not _entry_by_entry(read.layers):
            raise UnlikeError("flattened pictures are read by something else than Linear")
        number = source.number
        alone, before = self._is_alone(node.args[0]), len(self.wiring.steps)
        way = (source.first, rows, read)
        if target in self.known:
            layers, first_way = self.known[target]
            if way != first_way:
                raise UnlikeError("a module that is used twice, on inputs of different kinds")
            read = replace(read, layers=(), holds=None)
            number = self._put_all(layers, number, frozen=frozen)
        for place, layer in enumerate(read.layers):
            along_time = kind == "Linear" and len(source.shape) == 2
            number = self._put(TimeDistributed(layer) if along_time else layer, number, frozen=frozen, alone=alone)
            if place == read.holds:
                state = {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
                self.held.append(Held(number, state, rows if kind == "Linear" else None, source.first))
        pooled = kind.startswith("Adaptive")
        if target and target not in self.known:
            self.known[target] = tuple(layer for layer, _ in self.wiring.steps[before:]), way
        first = source.first and not pooled
        cut = (source.shape, read.cut) if read.cut else None
        return Value(number, shape, first, None if kind == "Linear" else rows, cut=cut)

    def _put(self, layer: Callable[..., Node], *sources: int, frozen: bool = False, alone: bool = True) -> int:
        frozen |= self.in_frozen
        self.is_random |= isinstance(layer, Dropout | GaussianNoise) and not frozen
        return self.wiring.put(layer, *sources, frozen=frozen, alone=alone)

    def _put_all(self, layers: Iterable[Callable[..., Node]], number: int, *, frozen: bool = False) -> int:
        for layer in layers:
            number = self._put(layer, number, frozen=frozen)
        return number

    def _is_alone(self, given: Any) -> bool:
        """Whether a node has one user, and its module stands nowhere else: then both may become one layer."""
        return isinstance(given, FxNode) and len(given.users) == 1 and self.calls[given.target] <= 1

    def _shape(self, node: FxNode) -> Shape:
        meta: Any = node.meta.get("tensor_meta")
        if meta is None or not hasattr(meta, "shape"):
            raise UnlikeError("an answer that is no tensor")
        return tuple(map(int, meta.shape[1:]))

    def _flattened(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if shape == source.shape or len(source.shape) == 1:
            return source
        if len(shape) != 1 or prod(shape) != prod(source.shape):
            raise UnlikeError(f"a new shape {shape} for {source.shape}")
        if prod(source.shape[1:]) == 1 and not source.first:
            # What a pool over all of space left: we have no axes of space there any more.
            return replace(source, shape=shape)
        rows = places_channels_first(_ours(source.shape, first=True)) if source.first else None
        return Value(self._put(Flatten(), source.number), shape, rows=rows)

    def _reshaped(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if source.first or source.rows is not None:
            raise UnlikeError("a picture in a new shape")
        if len(shape) == 1:
            return Value(self._put(Flatten(), source.number), shape)
        if len(shape) == 3 and shape[0] == 1:
            return Value(self._put(Reshape(_ours(shape, first=True)), source.number), shape, first=True)
        if len(shape) == 3 and not all(self._is_permuted(user) for user in node.users):
            # Channels first there: the numbers stand as theirs do, then channels go behind.
            text = (
                f"x: {{float}}[{{B}},{prod(shape)}] = input()\n"
                f"%0: {{float}}[{{B}},{','.join(map(str, shape))}] = reshape(x, shape=({{B}}, {', '.join(map(str, shape))}))\n"
                f"y: {{float}}[{{B}},{','.join(map(str, (*shape[1:], shape[0])))}] = transpose(%0, axes=(0, 2, 3, 1))\nreturn y=y"
            )
            number = source.number if len(source.shape) == 1 else self._put(Flatten(), source.number)
            return Value(self._put(GraphLayer(text), number), shape, first=True)
        return Value(self._put(Reshape(shape), source.number), shape)

    def _is_permuted(self, node: FxNode) -> bool:
        if node.op == "call_module":
            return own_kind(self.traced.get_submodule(str(node.target))) == "Permute"
        return node.target in PERMUTED

    # ---- functions

    def _function(self, node: FxNode) -> Any:
        target: Any = node.target
        if target is getattr or target in {"size", "dim"}:
            return None
        if target is operator.getitem:
            return self._taken(node)
        if target in NOTHING:
            return self._source(node)
        if target in {torch.flatten, "flatten", "view", "reshape", torch.reshape}:
            source, shape = self._source(node), self._shape(node)
            return self._flattened(node, source) if len(shape) == 1 else self._reshaped(node, source)
        if target in {"squeeze", torch.squeeze}:
            return self._flattened(node, self._source(node))
        if target in PERMUTED:
            return self._permuted(node)
        if target in {"mean", torch.mean}:
            return self._mean(node)
        if target in {torch.cat, "cat"}:
            return self._joined_side_by_side(node)
        if target in JOINED:
            return self._joined(node, JOINED[target])
        maker = METHODS.get(target) if isinstance(target, str) else FUNCTIONS.get(target)
        if maker is None:
            raise UnlikeError("no layer does what it does")
        keywords = {
            name: value for name, value in node.kwargs.items() if name not in {"inplace", "_stacklevel", "dtype", "training"}
        }
        return self._applied(maker(*node.args[1:], **keywords).eval(), "", node)

    def _joined_to(self, constant: Array, source: Value, name: str, *, left: bool) -> Value:
        """A value, and numbers that stay as they are."""
        if source.rows is not None or constant.ndim > len(source.shape):
            raise UnlikeError(f"numbers of shape {constant.shape} beside {source.shape}")
        if left and name in {"subtract", "divide"}:
            raise UnlikeError("numbers before what they are joined to")
        constant = _as_ours(constant, source)
        offset, factor = (constant, np.ones(())) if name in {"add", "subtract"} else (np.zeros(()), constant)
        return replace(source, number=self._put(Scale(offset, factor, name in {"add", "divide"}), source.number))

    def _joined(self, node: FxNode, function: Callable[[Node, Node], Node]) -> Value:
        name: str = function.name  # pyright: ignore[reportFunctionMemberAccess]
        numbers = [item for item in node.args if isinstance(item, int | float)]
        if numbers:
            source = self._source(node, 0 if isinstance(node.args[0], FxNode) else 1)
            left, right = ("x", repr(numbers[0])) if isinstance(node.args[0], FxNode) else (repr(numbers[0]), "x")
            return replace(source, number=self._put(Formula(f"{left} {SIGNS[name]} {right}"), source.number))
        for place, item in enumerate(node.args):
            if isinstance(constant := self.values.get(item), np.ndarray):  # pyright: ignore[reportArgumentType]
                return self._joined_to(constant, self._source(node, 1 - place), name, left=place == 0)
        one, other = self._source(node), self._source(node, 1)
        if one.shape != other.shape or one.first != other.first or one.rows != other.rows:
            raise UnlikeError(f"the shapes {one.shape} and {other.shape}")
        return replace(one, number=self._put(function, one.number, other.number))

    def _joined_side_by_side(self, node: FxNode) -> Value:
        items: Any = node.args[0]
        axis: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        ends = [self.values[item] for item in items]
        if [value.part for value in ends] == ["forward", "backward"] and ends[0].module is ends[1].module:
            return self._recurrent(ends[0], sequences=False)
        values = [self._now(item, self.values[item]) for item in items]
        ndim = len(values[0].shape) + 1
        channels = 1 if values[0].first else ndim - 1
        if axis % ndim != channels or any(value.first != values[0].first or value.rows is not None for value in values):
            raise UnlikeError(f"side by side along axis {axis}, which are no channels or features")

        def side_by_side(*parts: Node) -> Node:
            return ops.concatenate(*parts, axis=parts[0].type.ndim - 1)

        return Value(self._put(side_by_side, *(value.number for value in values)), self._shape(node), values[0].first)

    def _permuted(self, node: FxNode) -> Value:
        source, shape = self._source(node), self._shape(node)
        rest: Any = node.args[1:]
        axes = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else tuple(rest)
        ndim = len(source.shape) + 1
        if node.target in {"transpose", torch.transpose}:
            order = list(range(ndim))
            order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
            axes = tuple(order)
        return self._moved(source, shape, axes)

    def _moved(self, source: Value, shape: Shape, axes: Shape) -> Value:
        """Axes in another order."""
        ndim = len(source.shape) + 1
        if source.rows is not None:
            raise UnlikeError("flattened pictures in another order")

        # Where our axes come from, in theirs, before and after, for either place of the channels.
        def places(*, first: bool) -> tuple[int, ...]:
            return (0, *range(2, ndim), 1) if first else tuple(range(ndim))

        before = places(first=source.first)
        moves = {first: tuple(before.index(axes[axis]) for axis in places(first=first)) for first in (True, False)}
        for first, move in moves.items():
            if move == tuple(range(ndim)) and ndim > 2:
                return Value(source.number, shape, first)
        made = ",".join(map(str, _ours(shape, first=ndim == 4)))
        given = ",".join(map(str, _ours(source.shape, first=source.first)))
        text = f"x: {{float}}[{{B}},{given}] = input()\ny: {{float}}[{{B}},{made}] = transpose(x, axes={moves[ndim == 4]})\nreturn y=y"
        return Value(self._put(GraphLayer(text), source.number), shape, first=ndim == 4)

    def _mean(self, node: FxNode) -> Value:
        source, shape = self._source(node), self._shape(node)
        axes: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        wanted = list(range(2, len(source.shape) + 1)) if source.first else list(range(1, len(source.shape)))
        given = sorted(axis % (len(source.shape) + 1) for axis in (axes if isinstance(axes, tuple | list) else [axes]))
        if given != wanted or len(shape) != 1:
            raise UnlikeError(f"a mean over the axes {axes}")
        return Value(self._put(GlobalAveragePool(), source.number), shape)

    def _taken(self, node: FxNode) -> Any:
        """What is taken from a recurrent module's answer, or from its sequence."""
        source, key = self.values.get(node.args[0]), node.args[1]  # pyright: ignore[reportArgumentType]
        if source is None:
            return None  # of a shape
        if not isinstance(source, Value) or source.module is None:
            raise UnlikeError(f"entries {key}")
        module, target = source.module
        if not node.users:
            return None
        if not source.part and key in (0, 1):
            part = "sequence" if key == 0 else "states"
            taken = replace(source, part=part)
            return taken if part == "states" or self._is_indexed(node) else self._recurrent(taken, sequences=True)
        if source.part == "states" and key == 0 and type(module).__name__ == "LSTM":
            return replace(source, part="state")
        one_way = not module.bidirectional
        if not one_way and source.part in {"states", "state"} and key in (-2, -1):
            return replace(source, part="forward" if key == -2 else "backward")
        last = source.part in {"states", "state"} and key == -1 and one_way
        last = last or (source.part == "sequence" and _is_last(key) and one_way)
        if not last:
            raise UnlikeError(f"{key} of what {target} gives")
        return self._recurrent(source, sequences=False)

    def _is_indexed(self, node: FxNode) -> bool:
        users = list(node.users)
        return bool(users) and all(user.target is operator.getitem and _is_last(user.args[1]) for user in users)

    def _recurrent(self, source: Value, *, sequences: bool) -> Value:
        module, target = source.module
        if target in self.used:
            raise UnlikeError("a recurrent module whose answer is taken in two ways")
        self.used.add(target)
        if source.first or len(source.shape) != 2:
            raise UnlikeError("an input that is not (batch, time, features)")
        number = source.number
        state = {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
        frozen = is_frozen(module) or self._stands_in_frozen(target)
        for place, layer in enumerate(recurrent(module, sequences=sequences, reverse=source.backwards)):
            number = self._put(layer, number, frozen=frozen)
            own = {name.replace(f"_l{place}", "_l0"): value for name, value in state.items() if f"_l{place}" in name}
            self.held.append(Held(number, own))
        wide = module.hidden_size * (2 if module.bidirectional else 1)
        return Value(number, (source.shape[0], wide) if sequences else (wide,), backwards=sequences and source.backwards)


def _backwards(shape: Shape) -> GraphLayer:
    """Time in the opposite order, of examples (time, ...)."""
    given = ",".join(map(str, shape))
    return GraphLayer(f"x: {{float}}[{{B}},{given}] = input()\ny: {{float}}[{{B}},{given}] = flip(x, axes=(1,))\nreturn y=y")


def _as_ours(numbers: Array, beside: Value) -> Array:
    """Numbers that are broadcast against an example, with the channels where we have them."""
    if not beside.first or not numbers.ndim:
        return numbers
    return np.moveaxis(numbers.reshape((1,) * (len(beside.shape) - numbers.ndim) + numbers.shape), 0, -1)


def _is_last(key: Any) -> bool:
    whole = slice(None, None, None)
    return isinstance(key, tuple) and key in ((whole, -1), (whole, -1, whole))


def _kind(node: FxNode, traced: GraphModule) -> str:
    return type(traced.get_submodule(str(node.target))).__name__ if node.op == "call_module" else node.op


CHANNELS_FIRST = (
    "Conv", "MaxPool", "AvgPool", "Adaptive", "BatchNorm2", "GroupNorm", "Upsample", "ZeroPad", "ConstantPad", "CircularPad",
    "ReflectionPad", "BatchNorm1", "mean",
)  # fmt: skip
"""What modules and functions are called that want channels before axes of space."""


def _wish(traced: GraphModule) -> str:
    """Where the first module or function that cares wants the channels of the input."""
    for node in traced.graph.nodes:
        kind = (
            _kind(node, traced)
            if node.op == "call_module"
            else getattr(FUNCTIONS.get(node.target), "__name__", str(node.target))
        )
        if kind.startswith(CHANNELS_FIRST):
            return "first"
        if kind.startswith(("Linear", "LayerNorm", "Embedding", *RECURRENT, "permute", "transpose")):
            return "last"
        if kind in {"Flatten", "flatten", "view", "reshape"}:
            return "last"
    return "last"


def _entry_by_entry(layers: tuple[object, ...]) -> bool:
    return all(
        isinstance(layer, Dropout) or (isinstance(layer, Activation) and layer.function != "softmax") for layer in layers
    )


def _ours(shape: Shape, *, first: bool) -> Shape:
    return (*shape[1:], shape[0]) if first else shape


# ---- there


def made(given: Portable) -> Any:
    """See `objects.to_torch`."""
    layers = layers_of(given)
    module = _made(to_code(layers, "pytorch"))
    arrays = to_peer(layers, given.values, "pytorch")
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    _require_same(module, layers, given)
    return module


def _made(code: str) -> nn.Module:
    """The module that a text of our own makes: layers' names are checked, and nothing else in it comes from outside."""
    names: dict[str, Any] = {}
    exec(compile(code, "chainrule.nn.to_code", "exec"), names)  # noqa: S102
    return names["network"].eval()


def _require_same(module: nn.Module, layers: Export, given: Portable) -> None:
    (x,) = given.inputs.values()
    ours, most = exported(layers, given.values, x)
    first_in, first_out = channels_first(layers.steps(layers.built()))
    theirs_in = np.ascontiguousarray(np.moveaxis(x, -1, 1) if first_in else x, dtype=np.float64)
    with _in_float64(), torch.no_grad():
        found: Array = copy.deepcopy(module).double()(torch.from_numpy(theirs_in)).numpy()
    require_agreement("the module", found, np.moveaxis(ours, -1, 1) if first_out else ours, most)


@contextmanager
def _in_float64() -> Generator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
