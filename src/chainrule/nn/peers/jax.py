"""Networks in JAX: a row to each kind of layer, with the lines of a function of the parameters and the input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, cast

from chainrule.nn.augmentation import RandomBrightness, RandomFlip, RandomRotation, RandomShift
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding, OneHot
from chainrule.nn.formula import Formula
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.peers.export import Scale, numbers
from chainrule.nn.peers.jax_helpers import HELPERS
from chainrule.nn.peers.parts import (
    ADDED,
    ARITHMETIC,
    BENT,
    FUNCTIONS,
    LOG_SOFTMAX,
    PRELU,
    Joint,
    LackingError,
    LayerStep,
    Moved,
    Padded,
    Peer,
    PeerPart,
    require_plain,
    row_of,
    word_of,
)
from chainrule.nn.peers.steps import takers_of
from chainrule.nn.peers.windows import Transposed, Windows, require_zeros, spread, windows
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, Recurrent
from chainrule.nn.sampling import GaussianNoise
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D

Lines: TypeAlias = "Callable[[LayerStep], Iterator[str]]"
"""The lines that do what a step of ours does; x is what it is given, and what it makes."""

ACTIVATIONS = {
    "linear": "{}",
    "step": "jnp.heaviside({}, 0)",
    "sigmoid": "jax.nn.sigmoid({})",
    "tanh": "jnp.tanh({})",
    "relu": "jax.nn.relu({})",
    "leaky_relu": "jax.nn.leaky_relu({})",
    "elu": "jax.nn.elu({})",
    "exp": "jnp.exp({})",
    "softplus": "jax.nn.softplus({})",
    "silu": "jax.nn.silu({})",
    "gelu": "jax.nn.gelu({}, approximate=False)",
    "softmax": "jax.nn.softmax({})",
}


FORMULAS = {
    "jax.nn.relu6(x)": BENT["relu6"], "jax.nn.hard_sigmoid(x)": BENT["hard sigmoid"], "jax.nn.hard_silu(x)": BENT["hard swish"],
    "jax.nn.selu(x)": BENT["selu"],
    "jnp.where(x <= -1, -1, jnp.where(x >= 1, 1, x))": BENT["hard tanh"], "jax.nn.log_softmax(x)": LOG_SOFTMAX,
    'jnp.where(x > 0, x, {own}a"] * x)': PRELU, 'x + {own}p"]': ADDED,
}  # fmt: skip
"""Functions that are none of ours by name."""


def _array(name: str) -> str:
    return f'parameters["{name}"]'


def _given(text: str) -> str:
    return f"x = {text}"


def _activated(activation: str, z: str) -> Iterator[str]:
    if activation != "linear" or z != "x":
        yield _given(ACTIVATIONS[activation].format(z))


def _scale(step: LayerStep) -> Iterator[str]:
    scale = cast("Scale", step.layer)
    given = ", ".join(str(numbers(values)) for values in (scale.offset, scale.factor))
    yield _given(f"{'unscaled' if scale.undo else 'scaled'}(x, {given})")


def _formula(step: LayerStep) -> Iterator[str]:
    yield _given(word_of(FORMULAS, step).format(own=f'parameters["{step.name}.'))


def _dense(step: LayerStep) -> Iterator[str]:
    layer = cast("Dense", step.layer)
    bias = f" + {_array(f'{step.name}.b')}" if layer.bias else ""
    yield from _activated(layer.activation, f"x @ {_array(f'{step.name}.W')}{bias}")


def _activation(step: LayerStep) -> Iterator[str]:
    yield from _activated(cast("Activation", step.layer).function, "x")


def _idle(step: LayerStep) -> Iterator[str]:
    yield f"# {step.name}, {step.layer!r}, does nothing at inference"


def _flatten(_: LayerStep) -> Iterator[str]:
    yield _given("x.reshape(len(x), -1)")


def _reshape(step: LayerStep) -> Iterator[str]:
    yield _given(f"x.reshape(len(x), {', '.join(map(str, step.output))})")


# ---- windows


def _around(padding: str, seen: Windows) -> Iterator[str]:
    """Puts more around x where the function itself cannot."""
    if padding in {"periodic", "reflect"} and seen.wider:
        mode = "wrap" if padding == "periodic" else "reflect"
        yield _given(f'jnp.pad(x, {[(0, 0), *seen.amounts, (0, 0)]}, mode="{mode}")')


def _own(padding: str, seen: Windows) -> list[tuple[int, int]]:
    """What the function itself puts around."""
    return [pair if padding == "same" else (0, 0) for pair in seen.amounts]


def _convolution(step: LayerStep) -> Iterator[str]:
    layer = cast("Conv1D | Conv2D", step.layer)
    seen = windows(layer, step)
    yield from _around(layer.padding, seen)
    options = f"{seen.strides}, {_own(layer.padding, seen)}"
    yield from _convolved(step, layer, _array(f"{step.name}.W"), options, seen)


def _convolved(
    step: LayerStep, layer: Conv1D | Conv2D | Transposed, weights: str, options: str, seen: Windows
) -> Iterator[str]:
    space = "HW" if len(seen.sizes) == 2 else "W"
    options += f", rhs_dilation={seen.dilations}" if set(seen.dilations) != {1} else ""
    options += f", feature_group_count={layer.groups}" if layer.groups > 1 else ""
    axes = f'("N{space}C", "{space}IO", "N{space}C")'
    z = f"jax.lax.conv_general_dilated(x, {weights}, {options}, dimension_numbers={axes})"
    yield _given(z + (f" + {_array(f'{step.name}.b')}" if layer.bias else ""))
    yield from _activated(layer.activation, "x")


def _transposed(step: LayerStep) -> Iterator[str]:
    layer = cast("Transposed", step.layer)
    require_zeros(step, layer, grouped=True)
    seen = windows(layer, step)
    behind = seen.unseen if layer.padding == "same" else (0,) * len(seen.sizes)
    around = [
        (span - 1 - low, span - 1 - high + more)
        for span, (low, high), more in zip(seen.spans, seen.amounts, behind, strict=True)
    ]
    options = f"{(1,) * len(seen.sizes)}, {around}, lhs_dilation={seen.strides}"
    mirrored = f"{_array(f'{step.name}.W')}[{', '.join(['::-1'] * len(seen.sizes))}]"
    yield from _convolved(step, layer, mirrored, options, seen)


def _pool(step: LayerStep) -> Iterator[str]:
    layer = cast("MaxPool | AveragePool", step.layer)
    seen = windows(layer, step)
    yield from _around(layer.padding, seen)
    options = f"{(1, *seen.sizes, 1)}, {(1, *seen.strides, 1)}, {[(0, 0), *_own(layer.padding, seen), (0, 0)]}"
    if isinstance(layer, MaxPool):
        yield _given(f"jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, {options})")
        return
    yield f"inside = jax.lax.reduce_window(jnp.ones_like(x), 0.0, jax.lax.add, {options})"
    yield _given(f"jax.lax.reduce_window(x, 0.0, jax.lax.add, {options}) / inside")


def _padded(step: LayerStep) -> Iterator[str]:
    yield _given(f"jnp.pad(x, {[(0, 0), *cast('Padded', step.layer).amounts, (0, 0)]})")


def _global_pool(step: LayerStep) -> Iterator[str]:
    kind = "max" if isinstance(step.layer, GlobalMaxPool) else "mean"
    yield _given(f"x.{kind}({tuple(range(1, len(step.input)))})")


def _up_sample(step: LayerStep) -> Iterator[str]:
    factors = spread(cast("UpSample", step.layer).factor, step)
    yield from (_given(f"x.repeat({number}, axis={axis})") for axis, number in enumerate(factors, 1))


# ---- norms


def _scaled(step: LayerStep, even: str) -> str:
    layer = cast("LayerNorm | GroupNorm | BatchNorm", step.layer)
    scaled = f"{even} * {_array(f'{step.name}.gain')}" if layer.gain else even
    return _given(f"{scaled} + {_array(f'{step.name}.b')}" if layer.bias else scaled)


def _layer_norm(step: LayerStep) -> Iterator[str]:
    yield _scaled(step, f"normalised(x, -1, {cast('LayerNorm', step.layer).epsilon})")


def _group_norm(step: LayerStep) -> Iterator[str]:
    layer = cast("GroupNorm", step.layer)
    *space, channels = step.input
    yield _given(f"x.reshape({', '.join(map(str, ('len(x)', *space, layer.groups, channels // layer.groups)))})")
    axes = (*range(1, len(space) + 1), len(space) + 2)
    yield _given(f"normalised(x, {axes}, {layer.epsilon}).reshape({', '.join(map(str, ('len(x)', *step.input)))})")
    yield _scaled(step, "x")


def _batch_norm(step: LayerStep) -> Iterator[str]:
    epsilon = cast("BatchNorm", step.layer).epsilon
    mean, variance = _array(f"{step.name}.mean"), _array(f"{step.name}.variance")
    yield "# at inference: by the running statistics, not by those of the batch"
    yield _scaled(step, f"(x - {mean}) / jnp.sqrt({variance} + {epsilon})")


# ---- sequences


def _one_hot(step: LayerStep) -> Iterator[str]:
    layer = cast("OneHot", step.layer)
    ids = "x" if layer.padding is None else f"jnp.where(x == {layer.padding}, -1, x)"
    yield _given(f"jax.nn.one_hot({ids}.astype(int), {layer.classes})")


def _embedding(step: LayerStep) -> Iterator[str]:
    layer = cast("Embedding", step.layer)
    vectors = f"{_array(f'{step.name}.W')}[x.astype(int)]"
    yield _given(vectors if layer.padding is None else f"jnp.where((x == {layer.padding})[..., None], 0, {vectors})")


KINDS = {RNN: "rnn", LSTM: "lstm", GRU: "gru"}


def _recurrent(step: LayerStep) -> Iterator[str]:
    layer = cast("Recurrent", step.layer)
    yield _given(_loop(step, layer, step.name))
    if not layer.return_sequences:
        yield _given(f"x[:, {0 if layer.reverse else -1}]")


def _bidirectional(step: LayerStep) -> Iterator[str]:
    layer = cast("Bidirectional", step.layer)
    forward, backward = layer.layers[0], layer.backward
    ends = ("", "") if forward.return_sequences else ("[:, -1]", "[:, 0]")
    loops = [_loop(step, way, name) for way, name in zip((forward, backward), step.inside, strict=True)]
    yield _given(f"jnp.concatenate(({loops[0]}{ends[0]}, {loops[1]}{ends[1]}), axis=-1)")


def _loop(step: LayerStep, layer: Recurrent, name: str) -> str:
    require_plain(step, layer)
    added = ("b", "d") if isinstance(layer, GRU) else ("b",)
    arrays = [_array(f"{name}.{label}") for label in ("W", "U")]
    arrays += [_array(f"{name}.{label}") if layer.bias else "0.0" for label in added]
    if isinstance(layer, RNN):
        arrays.append(_function(layer.activation))
    return f"{KINDS[type(layer)]}({', '.join(['x', *arrays])}{', reverse=True' if layer.reverse else ''})"


def _function(activation: str) -> str:
    """The activation as a function of one array: its name where it has one."""
    name, _, given = ACTIVATIONS[activation].partition("(")
    return name if given == "{})" else f"lambda z: {ACTIVATIONS[activation].format('z')}"


LAYERS: dict[type, Lines] = {
    Scale: _scale, Formula: _formula, Dense: _dense, Activation: _activation,
    **dict.fromkeys((Dropout, GaussianNoise, RandomShift, RandomFlip, RandomRotation, RandomBrightness), _idle),
    Flatten: _flatten, Reshape: _reshape,
    **dict.fromkeys((Conv1D, Conv2D), _convolution), **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), _transposed),
    **dict.fromkeys((MaxPool, AveragePool), _pool), **dict.fromkeys((GlobalMaxPool, GlobalAveragePool), _global_pool),
    Padded: _padded, UpSample: _up_sample, LayerNorm: _layer_norm, GroupNorm: _group_norm, BatchNorm: _batch_norm, OneHot: _one_hot,
    Embedding: _embedding, **dict.fromkeys((RNN, LSTM, GRU), _recurrent), Bidirectional: _bidirectional,
}  # fmt: skip
"""Every kind of layer that is written in JAX."""


def _parts(steps: Sequence[LayerStep]) -> list[PeerPart]:
    """One part to each step; its arrays have our names and our axes."""
    found = list[PeerPart]()
    for place, step in enumerate(steps):
        held = tuple(Moved(name, name) for name in step.parameters)
        code = (
            _joined(step, ["x"] * len(step.sources)) if isinstance(step.layer, Joint) else "\n".join(row_of(LAYERS, step)(step))
        )
        found.append(PeerPart(code, held, step=place))
    return found


FUNCTIONAL = {
    "transpose": "{0}.transpose({axes})", "broadcast_to": "jnp.tile({0}, {axes})", "flip": "jnp.flip({0}, {axes})", **ARITHMETIC,
    **{name: f"jnp.{function}({{0}})" for name, function in FUNCTIONS.items()},
    "erf": "jax.lax.erf({0})",
    "maximum": "jnp.maximum({0}, {1})", "minimum": "jnp.minimum({0}, {1})", "concatenate": "jnp.concatenate(({all}), axis=-1)",
}  # fmt: skip


def _joined(step: LayerStep, given: Sequence[str]) -> str:
    text = cast("Joint", step.layer).written(given, FUNCTIONAL)
    if text is None:
        raise LackingError(step, "no such function")
    return text


def _body(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> Iterator[str]:
    """The lines of all steps: each takes x and makes x; a value that is taken later than at once is kept under a name of its own."""
    takers, names, held = takers_of(steps), dict[int, str](), 0
    for place, (step, part) in enumerate(zip(steps, parts, strict=True)):
        if any(taker > place for taker in takers[place]):
            names[place] = f"x{place}"
            yield f"x{place} = x"
        given = ["x" if source == held else names[source] for source in step.sources]
        if isinstance(step.layer, Joint):
            yield f"x = {_joined(step, given)}"
        else:
            yield from ([f"x = {given[0]}"] if given[0] != "x" else [])
            yield from part.code.splitlines()
        held = place + 1


def _text(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> str:
    body = "".join(f"    {line}\n" for line in _body(steps, parts))
    used = {name for name in HELPERS if re.search(rf"\b{name}\(", body)}
    used |= {"over_time"} if used & {"rnn", "lstm", "gru"} else set()
    helpers = "".join(f"{text}\n\n" for name, text in HELPERS.items() if name in used)
    shown = ", ".join(map(str, ("batch", *steps[0].input))) if steps else "batch, ..."
    wide = "import numpy as np\n" if used & {"scaled", "unscaled"} else ""
    return (
        f"import jax\nimport jax.numpy as jnp\n{wide}\n\n{helpers}def network(parameters, x):\n"
        f'    """What the network makes of x ({shown}); parameters are arrays by name."""\n{body}    return x'
    )


JAX = Peer("JAX", tuple(LAYERS), FORMULAS.values(), _parts, _text, lambda _, __, label: label)
"""JAX: a function of the parameters and the input; arrays have our names and our axes."""
