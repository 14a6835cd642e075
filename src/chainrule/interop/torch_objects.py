"""PyTorch's modules and our networks, there and back, with their weights; what would compute something else is refused."""

from __future__ import annotations

import copy
import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stderr
from traceback import extract_tb
from typing import Any

import numpy as np

from chainrule.checks import Extents, shown
from chainrule.errors import MissingPackageError, OptionError, OptionTypeError
from chainrule.graph import Array, Shape
from chainrule.interop.portable import Portable
from chainrule.interop.wiring import (
    Imported,
    answers_of,
    computed,
    exported,
    layers_of,
    made_by,
    require_agreement,
    side_by_side,
)
from chainrule.nn import to_code, to_peer
from chainrule.nn.peers.pytorch import channels_first

try:
    import torch
    from torch import nn
    from torch.fx import Graph as FxGraph
    from torch.fx import GraphModule
except ImportError as error:
    raise MissingPackageError(
        "PyTorch is not here", expected="the package torch", remedy="pip install 'chainrule[torch]'"
    ) from error

from chainrule.interop.torch_attention import Pair, plainly
from chainrule.interop.torch_parts import Follower, Shapes, is_frozen
from chainrule.interop.torch_reading import Reading

EXAMPLES = 4
"""How many made-up examples both are compared on."""


def read(module: Any, example: Any = None, *, input_shape: Extents | None = None) -> Imported:
    """See `objects.from_torch`."""
    if not isinstance(module, nn.Module):
        raise OptionTypeError(
            f"from_torch was given {shown(module)}",
            expected="a torch.nn.Module",
            remedy="give the module itself, not its state_dict",
        )
    # Torch's own modules are followed from outside; a single one stands in nothing.
    several = isinstance(example, tuple) and len(example) == 2  # pyright: ignore[reportUnknownArgumentType]
    module = (Pair if several else nn.Sequential)(module) if Follower().is_leaf_module(module, "") else module
    _require_plain_weights(module)
    _require_own_weights(module)
    examples = _examples(module, example, input_shape)
    exact = copy.deepcopy(module).double().eval()
    wide = [each.double() if each.is_floating_point() else each for each in examples]
    with _in_float64():  # what makes numbers of the usual dtype makes exact ones
        plain = plainly(exact)
        traced = _traced(plain, wide)
    reading = Reading(plain, traced, wide)
    network, values = reading.read()
    x = reading.given([each.numpy() for each in wide])
    for training in (False, True):
        if training and reading.wiring.is_random:
            continue
        theirs = _run(exact, wide, training=training)
        ours, most = computed(network, values, x, training=training)
        require_agreement(f"the module {'in training' if training else 'at inference'}", theirs, reading.as_theirs(ours), most)
    is_wide = any(each.dtype == torch.float64 for each in module.parameters())
    return Imported(network, {name: value.astype("float64" if is_wide else "float32") for name, value in values.items()})


def _require_plain_weights(module: nn.Module) -> None:
    """Refuses weights that are computed of others before each call: here a weight is an array."""
    for name, part in module.named_modules():
        hooks = {type(hook).__name__ for hook in part._forward_pre_hooks.values()}  # pyright: ignore[reportPrivateUsage]
        if hasattr(part, "parametrizations") or hooks & {"WeightNorm", "SpectralNorm"}:
            raise OptionError(
                f"{name} of {type(module).__name__}, whose weights are computed of others before each call",
                expected="weights that are parameters themselves",
                remedy="make them so: torch.nn.utils.parametrize.remove_parametrizations(part, 'weight'), or remove_weight_norm(part)",
            )


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


def _examples(module: nn.Module, example: Any, input_shape: Shape | None) -> list[torch.Tensor]:
    """What the module is run on, of each of its inputs two examples or more."""
    if example is not None:
        several = example if isinstance(example, tuple) else (example,)
        tensors = (each if isinstance(each, torch.Tensor) else torch.as_tensor(np.asarray(each)) for each in several)
        found = [each.detach().cpu() for each in tensors]
        return [torch.cat([each] * 2) if len(each) == 1 else each for each in found]
    if input_shape is None:
        raise OptionError(
            "a module without an example",
            expected="what it is to be run on",
            remedy="write from_torch(module, input_shape=(784,))",
        )
    generator = torch.Generator().manual_seed(0)
    ids = [item.num_embeddings for item in module.modules() if isinstance(item, nn.Embedding)]
    if ids:
        return [torch.randint(0, min(ids), (EXAMPLES, *input_shape), generator=generator)]
    return [torch.randn(EXAMPLES, *input_shape, generator=generator)]


def _traced(module: nn.Module, examples: Sequence[torch.Tensor]) -> GraphModule:
    try:
        graph: FxGraph = Follower().trace(module)
        made = GraphModule(module, graph)
        # What goes wrong is printed there too.
        with torch.no_grad(), redirect_stderr(io.StringIO()):
            Shapes(made).propagate(*examples)
    except Exception as error:
        # Whatever a user's forward does: the tracer runs it.
        packed = any(frame.name.startswith(("pack_", "pad_packed")) for frame in extract_tb(error.__traceback__))
        why = "it packs sequences of several lengths" if packed else f"{str(error.__cause__ or error).splitlines()[0][:200]}"
        raise OptionError(
            f"the forward of {type(module).__name__} cannot be followed: {why}",
            expected="a forward that joins modules and functions, without ifs and loops that go by numbers",
            remedy="read it without, and give lengths by LSTM(units, padding=0.0): steps that are passed over"
            if packed
            else "write it with torch.nn's modules, or carry it by ONNX",
        ) from error
    return made


def _run(module: nn.Module, examples: Sequence[torch.Tensor], *, training: bool) -> Array:
    """What the module gives; several answers side by side."""
    run = copy.deepcopy(module).train(training)
    for part in run.modules():
        # What is frozen goes by stored statistics here, as it does there in evaluation.
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and is_frozen(part):  # pyright: ignore[reportPrivateUsage]
            part.eval()
    with _in_float64(), torch.no_grad():
        found: Any = run(*examples)
    return side_by_side([each.detach().cpu().double().numpy() for each in answers_of(found)])


# ---- there


def made(given: Portable) -> Any:
    """See `objects.to_torch`."""
    layers = layers_of(given)
    module: nn.Module = made_by(to_code(layers, "pytorch")).eval()
    if any(value.dtype == np.float64 for value in given.values.values()):
        module.double()
    arrays = to_peer(layers, given.values, "pytorch")
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    (x,) = given.inputs.values()
    ours, most = exported(layers, given.values, x)
    first_in, first_out = channels_first(layers)
    theirs_in = np.ascontiguousarray(np.moveaxis(x, -1, 1) if first_in else x, dtype=np.float64)
    with _in_float64(), torch.no_grad():
        found: Array = copy.deepcopy(module).double()(torch.from_numpy(theirs_in)).numpy()
    require_agreement("the module", found, np.moveaxis(ours, -1, 1) if first_out else ours, most)
    return module


@contextmanager
def _in_float64() -> Generator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
