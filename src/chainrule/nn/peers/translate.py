"""A network in the words of another library, and its parameters in that library's arrays: there and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, TypeAlias

import numpy as np

from chainrule.checks import Choice, Extents, checked
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.nn.build import Built
from chainrule.nn.parts import Layer
from chainrule.nn.peers.export import Export, Exportable, export_of
from chainrule.nn.peers.jax import JAX
from chainrule.nn.peers.keras import KERAS
from chainrule.nn.peers.parts import Arrays, LackingError, LayerStep, Peer, PeerPart
from chainrule.nn.peers.pytorch import PYTORCH
from chainrule.nn.structure import chainrule_code
from chainrule.spelling import suggest

PEERS: dict[str, Peer] = {"pytorch": PYTORCH, "keras": KERAS, "jax": JAX}
"""The libraries that networks can be written in, by the name that is asked for."""
STYLES = ("chainrule", *PEERS)
"""What code can be written for."""
PeerName: TypeAlias = Annotated[str, Choice(PEERS)]
Style: TypeAlias = Annotated[str, Choice(STYLES)]


@checked
def to_code(network: Layer | Exportable | Export, style: Style = "chainrule", input_shape: Extents | None = None) -> str:
    """Python code that makes the network: for chainrule one expression, for a peer a program that makes `network`.

    Of a run, a peer's program computes what `run.predict` does: it takes inputs in the data's own units, scales them in float64 as the
    run does, and gives outputs in the units of the targets.

    >>> from chainrule.nn import Dense, Sequential
    >>> net = Sequential(Dense(16, "relu"), Dense(10), input_shape=(784,))
    >>> print(to_code(net))
    cr.Sequential(
        cr.Dense(16, "relu"),
        cr.Dense(10),
        input_shape=(784,),
    )
    >>> print(to_code(net, "pytorch"))
    import torch
    <BLANKLINE>
    # takes (batch, 784)
    network = torch.nn.Sequential(
        torch.nn.Linear(784, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 10),
    )

    chainrule's needs `import chainrule as cr`; a layer that is used twice gets a name where it is made,
    `(shared1 := cr.Dense(16))`, so that it stays one layer. "pytorch" and "keras" give a Sequential of modules or layers; where layers
    are used twice, or joined by arithmetic, side by side or by functions of numbers, a module with a forward, and a functional model.
    "jax" gives a function `network(parameters, x)`, for use: nothing is dropped out, and BatchNorm goes by its running statistics.
    A peer's network starts with weights of its own; `to_peer` brings ours. PyTorch's convolutions have the channels before the
    axes of space, so that the network takes or gives (batch, channels, height, width) where a comment says so; Keras, JAX and we
    have them last.
    What is frozen stays so: in PyTorch inside a module of its own that stays in evaluation, in Keras with trainable=False; JAX trains
    what one asks the gradient of.
    Three things differ in training: which random numbers are drawn, layers such as RandomShift, which do nothing there, and in Keras the
    running variance, which it follows with a bias.
    Where several numbers of a window are equally large, PyTorch gives the gradient of MaxPool to one of them, we to all.
    `input_shape` is the shape of one example, where the network does not know it itself.

    Raises: OptionError for an unknown style, for a layer that the peer lacks (it says which peers have it), and where no shape is known.
    """
    export = export_of(network, input_shape)
    if style == "chainrule":
        return chainrule_code(export.network)
    peer = _peer(style)
    return peer.text(*_translated(export, peer))


@checked
def to_peer(
    network: Layer | Exportable | Export, values: Mapping[str, Array], peer: PeerName, input_shape: Extents | None = None
) -> dict[str, Array]:
    """The parameters of a network as the arrays of a peer, by the peer's names, for the network that `to_code` writes.

    network: the same that `to_code` was given; of a run, the scalings stand in its code.
    values: parameters and states by our names: `run.parameters()`, with BatchNorm `run.parameters() | run.states()`.

    >>> from chainrule.nn import Dense, Sequential
    >>> net = Sequential(Dense(3, "relu"), Dense(1), input_shape=(2,))
    >>> shapes = {"dense1.W": (2, 3), "dense1.b": (3,), "dense2.W": (3, 1), "dense2.b": (1,)}
    >>> found = to_peer(net, {name: np.zeros(shape) for name, shape in shapes.items()}, "pytorch")
    >>> {name: array.shape for name, array in found.items()}
    {'0.weight': (3, 2), '0.bias': (3,), '2.weight': (1, 3), '2.bias': (1,)}

    "pytorch": for `network.load_state_dict({name: torch.from_numpy(array) for name, array in found.items()})`.
    Dense: our W (in, out) is transposed, (out, in); behind a Flatten of channels-first pictures its columns are in that order. Conv2D:
    our W (rows, columns, channels, filters) becomes (filters, channels, rows, columns), Conv1D's (kernel, channels, filters) becomes
    (filters, channels, kernel); transposed ones have (channels, filters, ...) there. RNN, LSTM, GRU: W and U transposed, gates in the
    same order (i, f, g, o; r, u, g); the second bias is 0, but for a GRU's (0, 0, d). Norms and embeddings as they are;
    num_batches_tracked is 0.
    "keras": for `network.set_weights(list(found.values()))`, of a functional model one by one, by their paths. Axes as ours, but filters
    before channels in transposed convolutions; a GRU's gates in the order u, r, g, its biases as the two rows of one array (2, 3·units).
    "jax": as ours.

    Raises: OptionError for values that are missing or unknown, ShapeError for those of another shape, and as `to_code` does.
    """
    export = export_of(network, input_shape)
    built = export.built()
    _require_values(values, built)
    return _there(export, values, _peer(peer))


@checked
def from_peer(
    network: Layer | Exportable | Export, values: Mapping[str, Array], peer: PeerName, input_shape: Extents | None = None
) -> dict[str, Array]:
    """What `to_peer` made, back: parameters (and running statistics) by our names, for `cr.fit(..., initial=...)`.

    values: the peer's arrays by its names. For PyTorch `{name: tensor.numpy() for name, tensor in network.state_dict().items()}`; for
    Keras `{v.path.removeprefix(f"{network.name}/"): v.numpy() for v in network.weights}`, without the network's own name. Axes and gates
    as in `to_peer`; the two biases of PyTorch's recurrent layers are added up.

    >>> from chainrule.nn import Dense, Sequential
    >>> net = Sequential(Dense(1), input_shape=(2,))
    >>> from_peer(net, {"0.weight": np.array([[1.0, 2.0]]), "0.bias": np.array([3.0])}, "pytorch")
    {'dense1.W': array([[1.],
           [2.]]), 'dense1.b': array([3.])}

    Raises: OptionError for names that are missing or unknown, ShapeError for arrays of another shape, and as `to_code` does.
    """
    chosen, export = _peer(peer), export_of(network, input_shape)
    built = export.built()
    arrays = {name: np.asarray(array) for name, array in values.items()}
    blank = {name: np.zeros(shape) for name, shape in _shapes(built).items()}
    _require_names(arrays, _there(export, blank, chosen), f"{chosen.title}'s")
    found: dict[str, Array] = {}
    for number, part, item in _held(_translated(export, chosen)[1]):
        labels = item.there(blank)
        found |= item.back({label: arrays[chosen.key(number, part, label)] for label in labels})
    return found


def _there(export: Export, values: Mapping[str, Array], peer: Peer) -> dict[str, Array]:
    own = {name: np.asarray(array) for name, array in values.items()}
    return {
        peer.key(number, part, label): array
        for number, part, item in _held(_translated(export, peer)[1])
        for label, array in item.there(own).items()
    }


def _held(parts: list[PeerPart]) -> Iterator[tuple[int, PeerPart, Arrays]]:
    for number, part in enumerate(parts):
        for item in part.arrays:
            yield number, part, item


# ---- what is refused


def _peer(style: object) -> Peer:
    if isinstance(style, str) and style in PEERS:
        return PEERS[style]
    raise OptionError(
        f"code or arrays for {style!r}",
        expected=f"one of {', '.join(STYLES)}; arrays for one of {', '.join(PEERS)}",
        remedy=suggest(str(style), STYLES, 'write for example "pytorch"'),
    )


def _translated(export: Export, peer: Peer) -> tuple[list[LayerStep], list[PeerPart]]:
    try:
        steps = export.steps(peer.has)
        return steps, peer.parts(steps)
    except LackingError as lack:
        raise _lacking(lack, peer) from None


def _lacking(lack: LackingError, peer: Peer) -> OptionError:
    """Which layer it is, and who has it."""
    having = [name for name, other in PEERS.items() if other is not peer and _has(other, lack.step)]
    others = " or ".join(f'"{name}"' for name in having)
    where = f"layer {lack.step.name}, " if lack.step.name else "between layers, "
    return OptionError(
        f"{where}{type(lack.step.layer).__name__}, in {peer.title}: {lack.reason}",
        expected=f"what {peer.title} can be told: {', '.join(kind.__name__ for kind in peer.kinds)}, joined by arithmetic",
        remedy=f"write it for {others}, which have it" if others else "leave it in chainrule: no other library here has it",
    )


def _has(peer: Peer, step: LayerStep) -> bool:
    try:
        peer.parts([replace(step, first=True, sources=(0,) * len(step.sources))])
    except LackingError:
        return False
    return True


def _shapes(built: Built) -> dict[str, Shape]:
    return {name: item.node.shape for name, item in (*built.parameters.items(), *built.states.items())}


def _require_values(values: Mapping[str, Array], built: Built) -> None:
    wanted = {name: np.zeros(shape) for name, shape in _shapes(built).items()}
    _require_names({name: np.asarray(array) for name, array in values.items()}, wanted, "the network's")


def _require_names(values: Mapping[str, Array], wanted: Mapping[str, Array], whose: str) -> None:
    odd = [f"no {name}" for name in wanted if name not in values] + [f"{name}" for name in values if name not in wanted]
    if odd:
        raise OptionError(
            f"arrays of a network: {', '.join(odd)}",
            expected=f"{whose} own: {', '.join(wanted) or 'none'}",
            remedy="give all of them, run.parameters() | run.states(), or the whole state_dict",
        )
    for name, array in wanted.items():
        if values[name].shape != array.shape:
            raise ShapeError(
                f"{name} of shape {values[name].shape}",
                expected=f"{array.shape}",
                remedy="take the arrays of a network of the same sizes",
            )
