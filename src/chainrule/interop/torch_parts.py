"""What a module of PyTorch's is made of: values, modules of our own making, functions that are modules too, and the place of channels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx import GraphModule, Tracer
from torch.fx import Node as FxNode
from torch.fx.passes.shape_prop import ShapeProp

from chainrule.graph import Array, Shape
from chainrule.immutable import immutable
from chainrule.nn import Activation, Dropout
from chainrule.nn.padding import Amounts
from chainrule.nn.peers.pytorch import HELPERS
from chainrule.nn.peers.pytorch_reading import RECURRENT, Around, UnlikeError


@immutable
class Value:
    """A value of theirs: its number in the wiring, and the shape of one example in their order.

    first: whether they have channels before axes of space, which we have behind. pooled: whether we have no axes of space any more, where
    theirs are of one place. rows: of what was flattened, the place in ours of each
    number. module: of a recurrent module's answer, the module; part: which of its answers.
    What a module did to it that waits for the one behind: backwards, whether time runs so; around, what was put around; cut, of a
    transposed convolution the shape that it was given, and how much is added at each side of its answer.
    """

    number: int
    shape: Shape
    first: bool = False
    pooled: bool = False
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


class Follower(Tracer):  # pyright: ignore[reportUntypedBaseClass]  (where PyTorch is not installed)
    """One that takes modules of our own making as a whole, too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is looked at as a whole."""
        return own_kind(m) not in {"", "Frozen"} or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """What a module gives; of one without weights that stands in a plain list, what its functions give."""
        owned = any(each is m for each in self.root.modules())
        return super().call_module(m, forward, args, kwargs) if owned or [*m.parameters()] else forward(*args, **kwargs)


class Shapes(ShapeProp):  # pyright: ignore[reportUntypedBaseClass]
    """What every node gives for the examples is kept with it."""

    def run_node(self, n: FxNode) -> Any:
        """What the node gives."""
        n.meta["found"] = super().run_node(n)
        return n.meta["found"]


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


def _norm(normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> nn.Module:
    if weight is not None or bias is not None:
        raise UnlikeError("a norm by weights that stand outside of it")
    return nn.LayerNorm(normalized_shape, eps, elementwise_affine=False)


FUNCTIONS: dict[Any, Callable[..., nn.Module]] = {
    torch.relu: nn.ReLU, torch.tanh: nn.Tanh, torch.sigmoid: nn.Sigmoid, nn.functional.relu: nn.ReLU, nn.functional.gelu: nn.GELU,
    nn.functional.silu: nn.SiLU, nn.functional.elu: nn.ELU, nn.functional.leaky_relu: nn.LeakyReLU, nn.functional.softplus: nn.Softplus,
    nn.functional.softmax: nn.Softmax, torch.softmax: nn.Softmax,
    nn.functional.log_softmax: nn.LogSoftmax, torch.log_softmax: nn.LogSoftmax,
    nn.functional.max_pool1d: nn.MaxPool1d, nn.functional.max_pool2d: nn.MaxPool2d, nn.functional.avg_pool1d: nn.AvgPool1d,
    nn.functional.avg_pool2d: nn.AvgPool2d, nn.functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d, nn.functional.dropout: nn.Dropout,
    nn.functional.hardtanh: nn.Hardtanh, nn.functional.relu6: nn.ReLU6, nn.functional.mish: nn.Mish, nn.functional.tanh: nn.Tanh,
    nn.functional.sigmoid: nn.Sigmoid, nn.functional.logsigmoid: nn.LogSigmoid, nn.functional.softsign: nn.Softsign,
    nn.functional.interpolate: nn.Upsample, nn.functional.layer_norm: _norm,
    torch.max_pool2d: nn.MaxPool2d, torch.max_pool1d: nn.MaxPool1d, torch.avg_pool1d: nn.AvgPool1d,
}  # fmt: skip
"""Functions, and the modules that do the same with the same arguments."""
METHODS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": nn.Softmax, "log_softmax": nn.LogSoftmax,
}  # fmt: skip


def arrays_of(module: nn.Module) -> dict[str, Array]:
    """What a module holds."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def as_ours(numbers: Array, beside: Value) -> Array:
    """Numbers that are broadcast against an example, with the channels where we have them."""
    if not beside.first or not numbers.ndim:
        return numbers
    return np.moveaxis(numbers.reshape((1,) * (len(beside.shape) - numbers.ndim) + numbers.shape), 0, -1)


def is_last(key: Any) -> bool:
    """Whether an index takes the last time step."""
    whole = slice(None, None, None)
    return isinstance(key, tuple) and key in ((whole, -1), (whole, -1, whole))


def kind_of(node: FxNode, traced: GraphModule) -> str:
    """What the module of a node is called, or which sort of node it is."""
    return type(traced.get_submodule(str(node.target))).__name__ if node.op == "call_module" else node.op


PRODUCTS = ("matmul", "bmm", "scaled_dot_product_attention")
CHANNELS_FIRST = (
    "Conv", "MaxPool", "AvgPool", "Adaptive", "BatchNorm2", "GroupNorm", "Upsample", "ZeroPad", "ConstantPad", "CircularPad",
    "ReflectionPad", "BatchNorm1", "mean",
)  # fmt: skip
"""What modules and functions are called that want channels before axes of space."""


def wish(traced: GraphModule, given: FxNode, otherwise: str = "last") -> str:
    """Where the first module or function that cares for what a value becomes wants its channels."""
    reached = {given}
    for node in traced.graph.nodes:
        if reached.isdisjoint(node.all_input_nodes):
            continue
        reached.add(node)
        kind = (
            kind_of(node, traced)
            if node.op == "call_module"
            else getattr(FUNCTIONS.get(node.target) or node.target, "__name__", str(node.target))
        )
        if kind.startswith(CHANNELS_FIRST):
            return "first"
        if kind.startswith(("Linear", "LayerNorm", "Embedding", *RECURRENT, "permute", "transpose", *PRODUCTS)):
            return "last"
        if kind in {"Flatten", "flatten", "view", "reshape"}:
            return "last"
    return otherwise


def goes_by_entry(layers: tuple[object, ...]) -> bool:
    """Whether layers do not know one number of an example from another."""
    return all(
        isinstance(layer, Dropout) or (isinstance(layer, Activation) and layer.function != "softmax") for layer in layers
    )


def in_our_order(shape: Shape, *, first: bool) -> Shape:
    """The shape of an example with channels last."""
    return (*shape[1:], shape[0]) if first else shape
