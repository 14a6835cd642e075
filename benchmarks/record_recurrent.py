"""Records what PyTorch's recurrent layers make of given numbers, forward and backward, in tests/nn/recorded_recurrent.json.

Run with PyTorch at hand: python benchmarks/record_recurrent.py. The tests read the file and need no PyTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

TARGET = Path(__file__).parent.parent / "tests/nn/recorded_recurrent.json"
KINDS = {"RNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}
BATCH, TIME, FEATURES, UNITS = 2, 4, 3, 2


def numbers(*shape: int) -> torch.Tensor:
    """Numbers with few digits, so that the file is exact."""
    return (torch.rand(shape, dtype=torch.float64) * 2 - 1).mul(1000).round().div(1000)


def record(kind: str) -> dict[str, object]:
    """One layer: its parameters, an input, weights for the output at every step, and the slopes of the weighted sum."""
    layer = KINDS[kind](FEATURES, UNITS, batch_first=True).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(numbers(*parameter.shape))
    x, weight = numbers(BATCH, TIME, FEATURES).requires_grad_(), numbers(BATCH, TIME, UNITS)
    out, _ = layer(x)
    (out * weight).sum().backward()
    return {
        "x": x.tolist(),
        "weight": weight.tolist(),
        "output": out.tolist(),
        "slope": x.grad.tolist(),
        "parameters": {name: parameter.tolist() for name, parameter in layer.named_parameters()},
        "slopes": {name: parameter.grad.tolist() for name, parameter in layer.named_parameters()},
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    found = {"PyTorch": torch.__version__, **{kind: record(kind) for kind in KINDS}}
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
    TARGET.write_text("{" + ",\n".join(lines) + "}\n")
